"""What is in a folder, as a page."""

from __future__ import annotations

from typing import Final

from ymawky_kit.blackbox.case import Case, Matches, Talk, Want
from ymawky_kit.blackbox.cases.asking import ask, request, talk
from ymawky_kit.blackbox.cases.tree import SECRET

_NO_INDEX: Final = "chapter 12: a folder without index.html is shown as a list"
_ESCAPED: Final = "HTML 13.1.4: < and & mean something in HTML; RFC 3986 2.1: in a link as well"
_UNSEEN: Final = "chapter 12: what could not be asked for is not shown"
_HTML: Final = Matches(rb"text/html\s*;\s*charset=utf-8", "HTML in UTF-8")
_FILES: Final = ("listed/b.txt", "listed/a&b <i>.txt", "listed/folder/inside.txt",
                 "listed/.~half", "listed/link.txt")
_HIDDEN: Final = "chapter 12: --no-listings"


def _hidden(name: str, target: str, status: int) -> Talk:
    return Talk(name, "listings", _HIDDEN, ask(request(target), Want((status,), never=(b"b.txt",))),
                _FILES, options=("--no-listings",))


CASES: Final[tuple[Case, ...]] = (
    talk("listings", "a folder without index.html shows what is in it", request("/listed/"),
         Want((200,), {"Content-Type": _HTML},
              holds=(b'href="b.txt"', b'href="folder/"', b'href="../"')), _NO_INDEX, *_FILES),
    talk("listings", "a name stays text, whatever is in it", request("/listed/"),
         Want((200,), holds=(b"%20%3Ci%3E.txt", b"b &#60;i&#62;.txt"), never=(b"<i>",)),
         _ESCAPED, *_FILES),
    talk("listings", "what is still being written is not in a list", request("/listed/"),
         Want((200,), never=(b".~half", SECRET)), _UNSEEN, *_FILES),
    talk("listings", "a symbolic link is not in a list", request("/listed/"),
         Want((200,), never=(b"link.txt",)), _UNSEEN, *_FILES),
    talk("listings", "a list has no length, so it comes in chunks", request("/listed/"),
         Want((200,), {"Transfer-Encoding": "chunked"}, ("Content-Length",)), "RFC 9112 6.3, 7.1",
         *_FILES),
    talk("listings", "HTTP/1.0 knows no chunks", request("/listed/", version=b"HTTP/1.0"),
         Want((200,), absent=("Transfer-Encoding",), holds=(b'href="b.txt"',),
              never=(b"\r\n0\r\n\r\n",)), "RFC 9112 6.1", *_FILES),
    talk("listings", "HEAD describes a list and does not send it",
         request("/listed/", method=b"HEAD"),
         Want((200,), {"Content-Type": _HTML}, head_only=True), "RFC 9110 9.3.2", *_FILES),
    talk("listings", "the query of a list does not matter", request("/listed/?C=N;O=D"),
         Want((200,), holds=(b'href="b.txt"',)), "RFC 3986 3.4", *_FILES),
    talk("listings", "an empty folder is a page as well", request("/bare/"),
         Want((200,), {"Content-Type": _HTML}, never=(b"b.txt",)), _NO_INDEX, "bare"),
    talk("listings", "an index.html that is a folder is only one more name",
         request("/oddindex/"), Want((200,), holds=(b'href="index.html/"',)), _NO_INDEX,
         "oddindex/index.html"),
    _hidden("a folder is not shown when nothing is to be", "/listed/", 403),
    _hidden("what is not there is still not there", "/listed/gone/", 404),
)
