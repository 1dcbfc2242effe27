"""From a URL to a name, from a name to a file, and the pages of refusals."""

from __future__ import annotations

from typing import Final

from ymawky_kit.blackbox.case import (
    Entry,
    Expect,
    File,
    Folder,
    Leave,
    Link,
    Matches,
    Recent,
    Send,
    Step,
    Take,
    Talk,
    Want,
)
from ymawky_kit.blackbox.cases.asking import ALLOWS, SERVED, ask, request, talk
from ymawky_kit.blackbox.cases.tree import BIG, BYTES, ROOT, SECRET, SUB, TREE

_PERCENT: Final = "RFC 3986 2.1: a percent sign and two hexadecimal digits"
_DOTS: Final = "RFC 3986 5.2.4"
_CONTROL: Final = "chapter 08: no name of a file that is served has a control character in it"
_NO_NAME: Final = "chapter 08: such a name is treated as if it did not exist"

#: Targets that lead to a file, its name, and who says so.
_LEADS: Final[tuple[tuple[str, str, str], ...]] = (
    ("/a%20b.txt", "a b.txt", _PERCENT),
    ("/%31k.bin", "1k.bin", _PERCENT),
    ("/gr%C3%BC%C3%9Fe.txt", "gr\u00fc\u00dfe.txt", _PERCENT),
    ("/gr%c3%bc%c3%9fe.txt", "gr\u00fc\u00dfe.txt", "RFC 3986 2.1: digits in either case"),
    ("/per%25cent.txt", "per%cent.txt", _PERCENT),
    ("/plus+sign.txt", "plus+sign.txt", "RFC 3986 3.3: a plus in a path is a plus"),
    ("/1k.bin?a=%zz", "1k.bin", "RFC 3986 3.4: the query is no part of the path"),
    ("/./index.html", "index.html", _DOTS),
    ("/sub/../index.html", "index.html", _DOTS),
    ("/nosuch/../index.html", "index.html", _DOTS),
    ("/../../index.html", "index.html", _DOTS),
    ("/%2e%2e/index.html", "index.html", "RFC 3986 2.3: %2e is a dot"),
    ("/sub/%2E./index.html", "index.html", "RFC 3986 2.3: %2e is a dot"),
    ("//sub///page.html", "sub/page.html", "chapter 08: empty segments do not count"),
    ("/.hidden", ".hidden", "chapter 08: one dot in front is a name like any other"),
)
#: Targets that are refused, and how.
_REFUSED: Final[tuple[tuple[str, int, str], ...]] = (
    ("/%", 400, _PERCENT), ("/%4", 400, _PERCENT), ("/%4g", 400, _PERCENT),
    ("/%g4", 400, _PERCENT), ("/%%41", 400, _PERCENT), ("/%u0041", 400, _PERCENT),
    ("/1k.bin%", 400, _PERCENT),
    ("/%00", 400, _CONTROL), ("/1k.bin%00.txt", 400, _CONTROL), ("/%0a", 400, _CONTROL),
    ("/%7f", 400, _CONTROL),
    ("/sub%2Fpage.html", 404, "RFC 3986 2.2: an encoded slash separates nothing"),
    ("/..%2f..%2fetc%2fpasswd", 404, "RFC 3986 2.2: an encoded slash separates nothing"),
    ("/..strange", 404, _NO_NAME), ("/...", 404, _NO_NAME), ("/.~half", 404, _NO_NAME),
    ("/%2e~half", 404, _NO_NAME),
    ("/" + "a/" * 2000, 404, "chapter 08: longer than any name there is"),
)


def _content(name: str) -> bytes:
    entry = TREE[name]
    assert isinstance(entry, File)
    return entry.data


def _quoted(target: str) -> str:
    return target if len(target) < 40 else f"{target[:20]}... of {len(target)} bytes"


PATH: Final = (
    *(talk("path", f"{target} is a good path", request(target), SERVED, why, name)
      for target, name, why in _LEADS),
    *(talk("path", f"{_quoted(target)} is refused", request(target),
           Want((status,), never=(SECRET,)), why)
      for target, status, why in _REFUSED),
)

_FILE: Final = "RFC 9110 9.3.1"
_TYPE: Final = "RFC 9110 8.3: the ending of the name decides"
_INSIDE: Final = "chapter 08: nothing outside the root is served"
_MISSING: Final = "RFC 9110 15.5.5"
_MOVED: Final = "RFC 9110 15.4.2: the address of a folder ends with a slash"
_PIPE_WHY: Final = "chapter 09: only files are files; nobody waits for a pipe"
_LINKED: Final = "chapter 09: a symbolic link may lead out of the root"
_SECRET: Final = ("../secret.txt",)


def _fetch(name: str, body: bytes) -> Talk:
    return talk("files", f"{name} comes byte for byte", request("/" + name),
                Want((200,), {"Content-Length": str(len(body))}, body=body), _FILE, name)


_TYPES: Final = {
    "index.html": "text/html; charset=utf-8", "UPPER.HTML": "text/html; charset=utf-8",
    "empty.txt": "text/plain; charset=utf-8", "style.css": "text/css; charset=utf-8",
    "script.js": "text/javascript; charset=utf-8", "data.json": "application/json",
    "picture.png": "image/png", "picture.svg": "image/svg+xml",
    "noextension": "application/octet-stream", ".hidden": "application/octet-stream",
    "1k.bin": "application/octet-stream",
}
_LOCATIONS: Final[tuple[tuple[str, str, str], ...]] = (
    ("/sub", "/sub/", "sub/index.html"), ("/sub?x=1&y", "/sub/?x=1&y", "sub/index.html"),
    ("/bare", "/bare/", "bare"), ("/a%20dir?q", "/a%20dir/?q", "a dir"),
    ("//sub", "/sub/", "sub/index.html"), ("/./sub", "/sub/", "sub/index.html"),
)
_OUTSIDE: Final = (
    "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/sub/../../secret.txt",
    "/sub/%2e%2e/%2e%2e/secret.txt", "/.%2e/secret.txt", "//..//secret.txt", "/..;/secret.txt",
    "/..%5csecret.txt", "/....//secret.txt",
)


def _leave_early() -> tuple[Step, ...]:
    steps: list[Step] = []
    for taken in (1, 1000, 100_000):
        for reset in (False, True):
            name = f"client {len(steps)}"
            steps += [Send((request("/big.bin"),), name), Take(taken, name), Leave(name, reset)]
    return tuple(steps)


FILES: Final = (
    *(_fetch(name, _content(name)) for name in
      ("1k.bin", "empty.txt", "big.bin", "noextension", "sub/page.html", "UPPER.HTML")),
    *(talk("files", f"{target} leads to its file", request(target),
           Want((200,), body=_content(name)), why, name) for target, name, why in _LEADS),
    talk("files", "the root is its index.html", request("/"), Want((200,), body=ROOT), _FILE,
         "index.html"),
    talk("files", "a folder is its index.html", request("/sub/"), Want((200,), body=SUB), _FILE,
         "sub/index.html"),
    talk("files", "the absolute form leads to the same file", request("http://localhost/sub/"),
         Want((200,), body=SUB), "RFC 9112 3.2.2", "sub/index.html"),
    *(talk("files", f"{name} is {kind}", request("/" + name),
           Want((200,), {"Content-Type": kind}), _TYPE, name)
      for name, kind in _TYPES.items()),
    talk("files", "a browser is told not to guess the type", request("/1k.bin"),
         Want((200,), {"X-Content-Type-Options": "nosniff"}),
         "chapter 09: what looks like a page is none unless it is named so", "1k.bin"),
    talk("files", "Last-Modified is the time of the file", request("/old.txt"),
         Want((200,), {"Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}),
         "RFC 9110 8.8.2, 5.6.7", "old.txt"),
    talk("files", "a file from the future was modified now", request("/future.txt"),
         Want((200,), {"Last-Modified": Recent()}), "RFC 9110 8.8.2.1", "future.txt"),
    talk("no-ranges", "ranges are not offered and not given",
         request("/1k.bin", b"Range: bytes=0-9"),
         Want((200,), {"Accept-Ranges": "none"}, ("Content-Range",), BYTES), "RFC 9110 14.2, 14.3",
         "1k.bin"),
    talk("files", "HEAD describes the file and does not send it",
         request("/1k.bin", method=b"HEAD"),
         Want((200,), {"Content-Length": "1024", "Content-Type": "application/octet-stream",
                       "Last-Modified": Matches(b".* GMT", "a time")}, head_only=True),
         "RFC 9110 9.3.2", "1k.bin"),
    talk("files", "HEAD of what is not there has no body either",
         request("/nosuch", method=b"HEAD"), Want((404,), head_only=True), "RFC 9110 9.3.2"),
    *(talk("files", f"{target} is not there", request(target),
           Want((404,), {"Content-Type": "text/html; charset=utf-8"}, holds=(b"404 Not Found",)),
           _MISSING, *names)
      for target, *names in (("/nosuch",), ("/nosuch/",), ("/sub/nosuch", "sub/page.html"),
                             ("/1k.bin/", "1k.bin"), ("/1k.bin/x", "1k.bin"))),
    talk("files", "a name longer than a name can be is not there", request("/" + "x" * 300),
         Want((404,)), "open(2): ENAMETOOLONG"),
    talk("files", "a path is decoded once, not twice", request("/per%2525cent.txt"),
         Want((404,)), "RFC 3986 2.4", "per%cent.txt"),
    talk("files", "an encoded slash does not lead into a folder", request("/sub%2fpage.html"),
         Want((404,)), "RFC 3986 2.2", "sub/page.html"),
    *(talk("files", f"{target} moves to {location}", request(target),
           Want((301,), {"Location": location}), _MOVED, name)
      for target, location, name in _LOCATIONS),
    talk("no-listings", "a folder without index.html is not shown", request("/bare/"), Want((403,)),
         "RFC 9110 15.5.4; chapter 09", "bare"),
    talk("no-listings", "index.html may be a folder, and is then no page", request("/oddindex/"),
         Want((403,)), "chapter 09", "oddindex/index.html"),
    talk("files", "a pipe is refused, and nobody waits for it", request("/pipe"),
         Want((403,)), _PIPE_WHY, "pipe"),
    *(talk("files", f"the symbolic link {target} is refused", request(target),
           Want((403,), never=(SECRET,)), _LINKED, *names)
      for target, *names in (("/link.txt", "link.txt", "1k.bin"),
                             ("/linkdir/page.html", "linkdir", "sub/page.html"),
                             ("/linkdir/", "linkdir", "sub/index.html"),
                             ("/out.txt", "out.txt", "../secret.txt"))),
    *(talk("files", f"{target} leads nowhere", request(target),
           Want((400, 403, 404), never=(SECRET,)), _INSIDE, *_SECRET) for target in _OUTSIDE),
    *(talk("files", f"{target} leads nowhere", request(target),
           Want((400, 403, 404), never=(b"root:",)), _INSIDE)
      for target in ("/../../../../../../../../etc/passwd",
                     "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
                     "//etc/passwd")),
    Talk("who reads slowly gets all of a large file", "files",
         "write(2) and sendfile(2) may do less than they are asked for",
         (Send((request("/big.bin"),)), Take(len(BIG) // 2, pause=0.02),
          Expect(Want((200,), body=BIG))), ("big.bin",)),
    Talk("who does not read a large file keeps nobody waiting", "files", "chapter 06",
         (Send((request("/big.bin"),), "lazy"), Take(100, "lazy"),
          *ask(request("/1k.bin"), Want((200,), body=BYTES), "quick"),
          Expect(Want((200,), body=BIG), "lazy")), ("big.bin", "1k.bin")),
    Talk("who leaves in the middle of a large file does no harm", "files", "chapter 05",
         (*_leave_early(), *ask(request("/1k.bin"), Want((200,), body=BYTES), "the last")),
         ("big.bin", "1k.bin")),
)

_OWN: Final[dict[str, Entry]] = {
    "404.html": File(b"<p>my own\n"), "403.html": Folder(), "400.html": Link("404.html"),
    "405.html": File(b""),
}
_PAGE: Final = "chapter 10: --errors DIR holds a page for each status, or not"


def _own(name: str, sent: bytes, want: Want, *files: str) -> Talk:
    return Talk(name, "pages", _PAGE, ask(sent, want), files, pages=_OWN)


PAGES: Final = (
    _own("a page of one's own is sent", request("/nosuch"),
         Want((404,), {"Content-Type": "text/html; charset=utf-8", "Content-Length": "10"},
              body=b"<p>my own\n")),
    _own("HEAD gets the description of one's own page", request("/nosuch", method=b"HEAD"),
         Want((404,), {"Content-Length": "10"}, head_only=True)),
    _own("an empty page is an empty body", request(method=b"POST"),
         Want((405,), {"Content-Length": "0", "Allow": ALLOWS}, body=b"")),
    _own("a status without a page has the one that is built in", request(method=b"BREW"),
         Want((501,), holds=(b"501 Not Implemented",))),
    _own("a folder is no page", request("/pipe"), Want((403,), holds=(b"403 Forbidden",)),
         "pipe"),
    _own("a symbolic link is no page", request("/%"), Want((400,), holds=(b"400 Bad Request",))),
    _own("what is served well is not touched", request("/1k.bin"), Want((200,), body=BYTES),
         "1k.bin"),
)

CASES: Final = (*PATH, *FILES, *PAGES)
