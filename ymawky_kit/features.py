"""What programs of the book can do, by name: chapters.toml says which of them each one can.

The black-box cases of `ymawky check` belong to a feature each.
"""

from __future__ import annotations

from typing import Final

FEATURES: Final[dict[str, str]] = {
    "answer": "it ends with exit status 42",
    "hello": "it says hello",
    "cat": "it copies files to standard output",
    "total": "it adds up its arguments",
    "reply": "a request gets one whole reply",
    "greeting": "the answer is a greeting, wherever one asks",
    "anything": "whatever is asked is taken as a request",
    "once": "it ends after one client",
    "serial": "it serves one client after the other",
    "children": "it serves several clients at the same time",
    "request": "requests are read strictly, and refused with a reason",
    "read-only": "nothing can be written",
    "deadline": "a client has so many seconds to send its request",
    "path": "the path of a URL becomes a name below the root",
    "files": "what is asked for is a file",
    "no-ranges": "every answer is the whole file",
    "no-listings": "what is in a folder is not shown",
    "pages": "error pages may come from files",
    "ranges": "parts of a file can be asked for",
    "conditions": "a request may be meant only under a condition",
    "listings": "what is in a folder is shown as a page",
    "writing": "clients may put files there and delete them",
}
