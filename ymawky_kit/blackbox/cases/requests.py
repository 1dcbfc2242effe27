"""Requests as RFC 9112 wants them, and all the others."""

from __future__ import annotations

from typing import Final

from ymawky_kit.blackbox.case import Expect, Matches, Send, Talk, Want
from ymawky_kit.blackbox.cases.asking import ALLOWS, HOST, SERVED, ask, bytewise, request, talk

_INDEX: Final = ("index.html",)
_LINE_MAX: Final = 8190
_STRICT: Final = "RFC 9112 3: method, one space, target, one space, version"
_FIELD: Final = "RFC 9112 5, 5.1"
_VALUE: Final = "RFC 9110 5.5: no control characters but the tab"
_ONE_HOST: Final = "RFC 9112 3.2: exactly one Host, and a good one"
_AUTHORITY: Final = "RFC 3986 3.2.2: a host, perhaps a colon and a port"
_LENGTH: Final = "RFC 9110 8.6; RFC 9112 6.3: a request whose end is uncertain is not served"
_CODING: Final = "RFC 9112 6.1, 6.3"


def _line(text: bytes) -> bytes:
    return text + b"\r\n" + HOST + b"\r\n"


def _with(*fields: bytes, host: bytes = HOST, version: bytes = b"HTTP/1.1") -> bytes:
    return request("/", *fields, host=host, version=version)


#: What is sent, the status, a name, and who says so.
_TABLE: Final[tuple[tuple[bytes, int, str, str], ...]] = (
    # versions
    (_line(b"GET / HTTP/1.0"), 200, "HTTP/1.0 is served", "RFC 9110 6.2"),
    (_line(b"GET / HTTP/1.7"), 200, "a higher minor version is served as 1.1", "RFC 9110 6.2"),
    (_line(b"GET / HTTP/2.0"), 505, "HTTP/2.0 on the line is refused", "RFC 9110 15.6.6"),
    (_line(b"GET / HTTP/0.9"), 505, "HTTP/0.9 with a version is refused", "RFC 9110 15.6.6"),
    (_line(b"GET / HTTP/1.10"), 400, "a version has one digit on each side",
     "RFC 9112 2.3"),
    (_line(b"GET / HTTP/1."), 400, "a version without its last digit is bad", "RFC 9112 2.3"),
    (_line(b"GET / http/1.1"), 400, "the name HTTP counts in capitals only", "RFC 9112 2.3"),
    (_line(b"GET / HTTPS/1.1"), 400, "another protocol is bad", "RFC 9112 2.3"),
    (_line(b"GET /"), 400, "a line without a version is bad", _STRICT),
    # spaces and parts
    (_line(b"GET  / HTTP/1.1"), 400, "two spaces before the target are bad", _STRICT),
    (_line(b"GET /  HTTP/1.1"), 400, "two spaces behind the target are bad", _STRICT),
    (_line(b"GET / HTTP/1.1 "), 400, "a space at the end is bad", _STRICT),
    (_line(b" GET / HTTP/1.1"), 400, "a space in front is bad", _STRICT),
    (_line(b"GET\t/ HTTP/1.1"), 400, "a tab is no space", _STRICT),
    (_line(b"GET / x HTTP/1.1"), 400, "a fourth word is bad", _STRICT),
    (_line(b"GET HTTP/1.1"), 400, "a line without a target is bad", _STRICT),
    (_line(b"GET"), 400, "a method alone is bad", _STRICT),
    (b"\r\n" + _line(b"GET / HTTP/1.1"), 200, "one empty line in front is skipped",
     "RFC 9112 2.2"),
    (b"\r\n\r\n" + _line(b"GET / HTTP/1.1"), 400, "two empty lines in front are bad",
     "chapter 07: one will do"),
    # line ends
    (b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400, "a line feed alone ends no line",
     "RFC 9112 2.2: it may be taken for a line end; then two servers could disagree"),
    (b"GET / HTTP/1.1\r" + HOST + b"\r\n", 400, "a carriage return alone ends no line",
     "RFC 9112 2.2"),
    (b"GET / HTTP/1.1\r\r\n" + HOST + b"\r\n", 400, "two carriage returns are bad",
     "RFC 9112 2.2"),
    # methods
    (_line(b"get / HTTP/1.1"), 501, "methods are known in capitals only", "RFC 9110 9.1"),
    (_line(b"BREW / HTTP/1.1"), 501, "an unknown method is not implemented",
     "RFC 9110 9.1, 15.6.2"),
    (_line(b"GETX / HTTP/1.1"), 501, "a method is compared whole", "RFC 9110 9.1"),
    (_line(b"GE / HTTP/1.1"), 501, "the beginning of a method is not the method",
     "RFC 9110 9.1"),
    (_line(b"!#$%&'*+-.^_`|~ / HTTP/1.1"), 501, "a method may have any character of a token",
     "RFC 9110 5.6.2"),
    (_line(b"X" * 400 + b" / HTTP/1.1"), 501, "a long method is unknown, and no more than that",
     "RFC 9110 15.6.2"),
    (_line(b"G@T / HTTP/1.1"), 400, "a method is a token", "RFC 9110 5.6.2"),
    (_line(b"G\0T / HTTP/1.1"), 400, "a NUL is in no method", "RFC 9110 5.6.2"),
    (_line(b"CONNECT example.com:443 HTTP/1.1"), 405, "CONNECT is known and not allowed",
     "RFC 9110 9.3.6"),
    # targets
    (_line(b"GET index.html HTTP/1.1"), 400, "a path begins with a slash", "RFC 9112 3.2"),
    (_line(b"GET /#top HTTP/1.1"), 400, "a fragment is never sent", "RFC 9110 4.2.5"),
    (_line(b"GET /<a> HTTP/1.1"), 400, "some characters are in no path", "RFC 3986 3.3"),
    (_line(b"GET /\xc3\xa4 HTTP/1.1"), 400, "bytes above 127 must be percent-encoded",
     "RFC 3986 2"),
    (_line(b"GET /\x7f HTTP/1.1"), 400, "a control character is in no path", "RFC 3986 2"),
    (_line(b"GET /?a=/b?c HTTP/1.1"), 200, "a query may hold slashes and question marks",
     "RFC 3986 3.4"),
    (_line(b"GET http://localhost/ HTTP/1.1"), 200, "the absolute form is understood",
     "RFC 9112 3.2.2"),
    (_line(b"GET HTTP://LOCALHOST:8080 HTTP/1.1"), 200,
     "the absolute form may have a port and no path", "RFC 9112 3.2.2"),
    (_line(b"GET http:///x HTTP/1.1"), 400, "the absolute form names a host", "RFC 9110 4.2.1"),
    (_line(b"GET http://me@localhost/ HTTP/1.1"), 400, "a user in the address is bad",
     "RFC 9110 4.2.4"),
    (_line(b"GET https://localhost/ HTTP/1.1"), 421, "what is https is not served in the clear",
     "RFC 9110 7.4, 15.5.20"),
    (_line(b"GET ftp://localhost/ HTTP/1.1"), 400, "another scheme is bad", "RFC 9112 3.2.2"),
    (_line(b"GET * HTTP/1.1"), 400, "the asterisk is for OPTIONS", "RFC 9112 3.2.4"),
    # Host
    (_with(host=b""), 400, "HTTP/1.1 without Host is bad", _ONE_HOST),
    (_with(host=b"", version=b"HTTP/1.0"), 200, "HTTP/1.0 may come without Host",
     "RFC 9112 3.2"),
    (_with(b"Host: localhost"), 400, "two Hosts are bad, even the same", _ONE_HOST),
    (_with(b"hOSt: other"), 400, "two Hosts are bad, in whatever case", _ONE_HOST),
    (_with(host=b"hOsT: localhost\r\n"), 200, "names of fields count in any case",
     "RFC 9110 5.1"),
    (_with(host=b"Host:\r\n"), 200, "Host may be empty", "RFC 9112 3.2"),
    (_with(host=b"Host: localhost:8080\r\n"), 200, "Host may have a port", _AUTHORITY),
    (_with(host=b"Host: [::1]:80\r\n"), 200, "Host may be an IPv6 address", _AUTHORITY),
    (_with(host=b"Host: a b\r\n"), 400, "a host has no blank in it", _AUTHORITY),
    (_with(host=b"Host: a/b\r\n"), 400, "a host has no slash in it", _AUTHORITY),
    (_with(host=b"Host: me@a\r\n"), 400, "a host has no user in it", _AUTHORITY),
    (_with(host=b"Host: a:b\r\n"), 400, "a port is a number", _AUTHORITY),
    (_with(host=b"Host: [::1\r\n"), 400, "a bracket is closed", _AUTHORITY),
    (_with(host=b"Host: a%4\r\n"), 400, "a percent sign has two digits behind it", _AUTHORITY),
    # field lines
    (_with(b"X:y"), 200, "a field needs no blank behind its colon", _FIELD),
    (_with(b"X:"), 200, "a field may be empty", _FIELD),
    (_with(b"X: \t y\tz \t"), 200, "tabs and blanks in a value are good", _FIELD),
    (_with(b"X: \xff\x80"), 200, "a value may have bytes above 127", "RFC 9110 5.5"),
    (_with(b"x!#$%&'*+-.^_`|~0: y"), 200, "a name may have any character of a token",
     "RFC 9110 5.6.2"),
    (_with(b"X : y"), 400, "no blank between name and colon",
     "RFC 9112 5.1: servers that disagree about it have been attacked"),
    (_with(b"X"), 400, "a field without a colon is bad", _FIELD),
    (_with(b": y"), 400, "a field without a name is bad", _FIELD),
    (_with(b" X: y"), 400, "a blank before the name is bad", _FIELD),
    (_with(b"X(: y"), 400, "a name is a token", _FIELD),
    (_with(b"X: a\r\n b"), 400, "a folded line is bad", "RFC 9112 5.2"),
    (_with(b"X: a\0b"), 400, "a NUL in a value is bad", _VALUE),
    (_with(b"X: a\rb"), 400, "a carriage return in a value is bad", _VALUE),
    (_with(b"X: a\nY: b"), 400, "a line feed in a value is bad", _VALUE),
    (_with(b"X: a\x7f"), 400, "a DEL in a value is bad", _VALUE),
    (_with(b"Host-Override: x"), 200, "names are compared whole", "RFC 9110 5.1"),
    (_with(*[b"A: b"] * 2000), 200, "two thousand short fields are read",
     "chapter 07: only the bytes count"),
    (_with(*[b"A: b"] * 3000), 431, "three thousand are too much", "RFC 6585 5"),
    # framing
    (_with(b"Content-Length: 0"), 200, "a length of 0 is good", _LENGTH),
    (_with(b"Content-Length: 9223372036854775807"), 200, "a length of 63 bits is read", _LENGTH),
    (_with(b"Content-Length: 9223372036854775808"), 400, "a length of 64 bits is too large",
     _LENGTH),
    (_with(b"Content-Length: 18446744073709551617"), 400, "a length does not wrap around",
     _LENGTH),
    (_with(b"Content-Length: -1"), 400, "a length has no sign", _LENGTH),
    (_with(b"Content-Length: +1"), 400, "not even a plus", _LENGTH),
    (_with(b"Content-Length: 0x10"), 400, "a length is decimal", _LENGTH),
    (_with(b"Content-Length:"), 400, "an empty length is bad", _LENGTH),
    (_with(b"Content-Length: 5, 5"), 400, "a list of lengths is bad", _LENGTH),
    (_with(b"Content-Length: 5", b"content-length: 5"), 400, "two lengths are bad", _LENGTH),
    (_with(b"Transfer-Encoding: Chunked"), 200, "chunked is known, in any case", _CODING),
    (_with(b"Transfer-Encoding: gzip"), 501, "another coding is not implemented", _CODING),
    (_with(b"Transfer-Encoding: xchunked"), 501, "codings are compared whole", _CODING),
    (_with(b"Transfer-Encoding: chunked", b"Content-Length: 5"), 400,
     "a coding and a length are bad together", _CODING),
    (_with(b"Content-Length: 5", b"Transfer-Encoding: chunked"), 400,
     "a length and a coding are bad together", _CODING),
    (_with(b"Transfer-Encoding: chunked", version=b"HTTP/1.0"), 400,
     "HTTP/1.0 knows no codings", _CODING),
)

_PAGES: Final[tuple[tuple[bytes, int, str], ...]] = (
    (_line(b"GET"), 400, "Bad Request"),
    (request(method=b"POST"), 405, "Method Not Allowed"),
    (_line(b"GET https://localhost/ HTTP/1.1"), 421, "Misdirected Request"),
    (request(method=b"BREW"), 501, "Not Implemented"),
    (_line(b"GET / HTTP/2.0"), 505, "HTTP Version Not Supported"),
)


def _long(over: int) -> bytes:
    fill = _LINE_MAX - len(b"GET /? HTTP/1.1") + over
    return _line(b"GET /?" + b"q" * fill + b" HTTP/1.1")


REQUEST: Final = (
    *(talk("request", name, sent, SERVED if status == 200 else Want((status,)), why,
           *(_INDEX if status == 200 else ()))
      for sent, status, name, why in _TABLE),
    talk("request", "a line of 8,190 bytes is read", _long(0), SERVED,
         "chapter 07; RFC 9112 3 asks for 8,000 at least", *_INDEX),
    talk("request", "a line of one byte more is refused", _long(1), Want((414,)),
         "RFC 9110 15.5.15"),
    talk("request", "a line without an end is refused while it still comes",
         b"GET /" + b"x" * 20000, Want((414,)), "RFC 9112 3: nobody knows how long it will be"),
    talk("request", "a bad request is refused byte by byte as well",
         bytewise(_line(b"GET  / HTTP/1.1")), Want((400,)), _STRICT),
    *(talk("request", f"{method} is known and not allowed", request(method=method.encode()),
           Want((405,), {"Allow": ALLOWS}), "RFC 9110 15.5.6, 10.2.1")
      for method in ("POST", "TRACE", "PATCH")),
    *(talk("request", f"the refusal {status} has a page that says so", sent,
           Want((status,), {"Content-Type": "text/html; charset=utf-8"},
                holds=(f"{status} {reason}".encode(), b"</html>")),
           f"RFC 9110 15: {status} {reason}")
      for sent, status, reason in _PAGES),
    talk("request", "HEAD is GET without the body", request(method=b"HEAD"),
         Want((200,), {"Content-Length": Matches(b"[1-9][0-9]*", "a number above 0")},
              head_only=True), "RFC 9110 9.3.2", *_INDEX),
    talk("request", "a bad HEAD is refused without a body",
         b"HEAD / HTTP/1.1\r\n\r\n", Want((400,), head_only=True), "RFC 9110 9.3.2"),
    talk("request", "a HEAD whose line is broken is refused without a body",
         b"HEAD  / HTTP/1.1\r\n\r\n", Want((400,), head_only=True), "RFC 9110 9.3.2"),
    talk("request", "a HEAD without an end is refused without a body",
         b"HEAD /" + b"x" * 20000, Want((414,), head_only=True), "RFC 9110 9.3.2"),
    *(talk("request", f"OPTIONS {target} says what can be done",
           request(target, method=b"OPTIONS"),
           Want((200,), {"Allow": ALLOWS, "Content-Length": "0"}, body=b""), "RFC 9110 9.3.7",
           *_INDEX) for target in ("*", "/")),
    talk("request", "the body of a GET is not taken for a request",
         request("/", b"Content-Length: 19") + b"GET /x HTTP/1.1\r\n\r\n", SERVED,
         "RFC 9110 9.3.1; RFC 9112 9.3", *_INDEX),
    talk("request", "a refusal can be read behind a large body",
         request("/", b"Content-Length: 2000000", method=b"POST") + b"x" * 2_000_000,
         Want((405,), {"Allow": ALLOWS}),
         "RFC 9112 9.6: read on for a while, or a reset may destroy the reply"),
)

#: Until a later chapter can write.
READ_ONLY: Final = tuple(
    talk("read-only", f"{method.decode()} is known and not allowed",
         request("/1k.bin", method=method), Want((405,), {"Allow": "GET, HEAD, OPTIONS"}),
         "RFC 9110 15.5.6, 10.2.1: only what Allow lists can be done")
    for method in (b"PUT", b"DELETE"))

_SECONDS: Final = ("--head-seconds", "1")
_LATE: Final = "RFC 9110 15.5.9 (408); chapter 07: --head-seconds 1"

DEADLINE: Final = (
    Talk("who does not finish is told so; who never began is not", "deadline", _LATE,
         (Send((request()[:-2],), "slow"), Send((b"HEAD / HT",), "slow with HEAD"),
          Send((b"",), "silent"),
          Expect(Want((408,)), "slow"), Expect(Want((408,), head_only=True), "slow with HEAD"),
          Expect(Want(), "silent")), options=_SECONDS),
    Talk("trickling does not move the deadline", "deadline", _LATE,
         (Send((b"X",) * 36, pause=0.05), Expect(Want((408,), may_reset=True), within=0.7)),
         options=_SECONDS),
    Talk("who is in time is served, however slowly", "deadline", _LATE,
         ask(tuple(request()[n:n + 9] for n in range(0, len(request()), 9)), SERVED, pause=0.05),
         _INDEX, _SECONDS),
)

CASES: Final = (*REQUEST, *READ_ONLY, *DEADLINE)
