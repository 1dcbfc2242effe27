"""Parts of files, and requests that are meant only under a condition."""

from __future__ import annotations

from typing import Final

from ymawky_kit.blackbox.case import Matches, Talk, Want
from ymawky_kit.blackbox.cases.asking import bytewise, request, talk
from ymawky_kit.blackbox.cases.tree import BIG, BYTES

_SIZE: Final = len(BYTES)
_LAST: Final = _SIZE - 1
_OLD: Final = "Sun, 06 Nov 1994 08:49:37 GMT"       # Last-Modified of old.txt
_PART: Final = "RFC 9110 14.1.2"
_IGNORED: Final = "RFC 9110 14.2: a Range that is not understood is ignored"
_NONE: Final = "RFC 9110 15.5.17"
_SEVERAL: Final = "RFC 9110 14.6, 15.3.7.2"
_MANY: Final = "RFC 9110 17.15: a small request must not ask for a huge reply"
_WHOLE: Final = Want((200,), {"Content-Length": str(_SIZE), "Accept-Ranges": "bytes"},
                     ("Content-Range",), BYTES)
_TAG: Final = Matches(rb'"[\x21\x23-\x7e\x80-\xff]+"', "a strong tag in quotes")
_MULTIPART: Final = Matches(rb"multipart/byteranges; *boundary=.+", "multipart/byteranges")


def _part(value: str, first: int, end: int, *fields: bytes) -> Talk:
    words = value if len(value) < 30 else f"{value[:12]}... of {len(value)} bytes"
    return talk("ranges", f"bytes={words} is {end - first} of {_SIZE}",
                request("/1k.bin", b"Range: bytes=" + value.encode(), *fields),
                Want((206,), {"Content-Range": f"bytes {first}-{end - 1}/{_SIZE}",
                              "Content-Length": str(end - first), "ETag": _TAG},
                     body=BYTES[first:end]), _PART, "1k.bin")


def _whole(words: str, *fields: bytes, why: str = _IGNORED, target: str = "/1k.bin",
           method: bytes = b"GET") -> Talk:
    want = _WHOLE if method == b"GET" else Want(
        (200,), {"Content-Length": str(_SIZE)}, ("Content-Range",), head_only=True)
    return talk("ranges", words, request(target, *fields, method=method), want, why, "1k.bin")


def _several(words: str, value: bytes, *spans: tuple[int, int]) -> Talk:
    lines = tuple(b"Content-Range: bytes %d-%d/%d\r\n\r\n" % (first, end - 1, len(BIG))
                  + BIG[first:end] + b"\r\n--" for first, end in spans)
    return talk("ranges", words, request("/big.bin", b"Range: bytes=" + value),
                Want((206,), {"Content-Type": _MULTIPART, "Accept-Ranges": "bytes"},
                     ("Content-Range",), holds=lines), _SEVERAL, "big.bin")


RANGES: Final = (
    _part("0-0", 0, 1), _part("0-9", 0, 10), _part("1000-", 1000, _SIZE),
    _part("-5", _SIZE - 5, _SIZE), _part("0-", 0, _SIZE), _part("-99999", 0, _SIZE),
    _part("1000-99999", 1000, _SIZE), _part(f"{_LAST}-{_LAST}", _LAST, _SIZE),
    _part("7-18446744073709551625", 7, _SIZE), _part("-" + "9" * 30, 0, _SIZE),
    _part(" ,5-9 ,", 5, 10), _part("5-9,2000-", 5, 10),
    _part("0-9,1000-1009,5-1015", 0, 1016), _part("0-9,5-19", 0, 20), _part("10-19,0-9", 0, 20),
    talk("ranges", "a range that comes byte by byte is the same",
         bytewise(request("/1k.bin", b"Range: bytes=3-5")),
         Want((206,), {"Content-Range": f"bytes 3-5/{_SIZE}"}, body=BYTES[3:6]),
         "RFC 9112 2.2", "1k.bin"),
    *(talk("ranges", f"bytes={value} is not in the file",
           request("/1k.bin", b"Range: bytes=" + value.encode()),
           Want((416,), {"Content-Range": f"bytes */{_SIZE}"}), _NONE, "1k.bin")
      for value in (f"{_SIZE}-", "5000-6000", "-0", "5000-,6000-", "9" * 30 + "-")),
    talk("ranges", "an empty file has no first byte", request("/empty.txt", b"Range: bytes=0-"),
         Want((416,), {"Content-Range": "bytes */0"}), _NONE, "empty.txt"),
    *(_whole(f"'{line}' is no range", line.encode()) for line in (
        "Range: lines=0-9", "Range: bytes=9-0", "Range: bytes=", "Range: bytes=a-b", "Range: 0-9",
        "Range: bytes=0-9,x", "Range: bytes", "Ranges: bytes=0-9")),
    _whole("two Ranges are none", b"Range: bytes=0-9", b"Range: bytes=0-9"),
    _whole("HEAD has no ranges", b"Range: bytes=0-9", method=b"HEAD",
           why="RFC 9110 14.2: a range is for GET"),
    _whole("who asks for a thousand ranges gets the file",
           b"Range: bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(0, 5000, 5)), why=_MANY),
    _several("several parts come with their places", b"0-0,500000-500009,-3",
             (0, 1), (500000, 500010), (len(BIG) - 3, len(BIG))),
    _several("parts come in the order of the request", b"1000000-1000004,0-4",
             (1000000, 1000005), (0, 5)),
    talk("ranges", "parts that overlap are sent once",
         request("/big.bin", b"Range: bytes=" + b",".join([b"0-"] * 20)),
         Want((206,), {"Content-Length": str(len(BIG))}, body=BIG), _MANY, "big.bin"),
    _whole("a tag that is not the file's gets the file", b"Range: bytes=0-9", b'If-Range: "x"',
           why="RFC 9110 13.1.5"),
    talk("ranges", "If-Range with the date of the file gets the part",
         request("/old.txt", b"Range: bytes=1-2", b"If-Range: " + _OLD.encode()),
         Want((206,), {"Content-Range": "bytes 1-2/4"}, body=b"ld"), "RFC 9110 13.1.5", "old.txt"),
    talk("ranges", "If-Range with any other date gets the file",
         request("/old.txt", b"Range: bytes=1-2", b"If-Range: Sun, 06 Nov 1994 08:49:38 GMT"),
         Want((200,), body=b"old\n"), "RFC 9110 13.1.5", "old.txt"),
)

_STEPS: Final = "RFC 9110 13.2.2"
_SAME: Final = Want((304,), {"ETag": _TAG}, ("Content-Length", "Content-Type"), b"")
_FAILED: Final = Want((412,), holds=(b"412 Precondition Failed",))


def _given(words: str, want: Want, *fields: bytes, method: bytes = b"GET",
           why: str = _STEPS) -> Talk:
    return talk("conditions", words, request("/old.txt", *fields, method=method), want, why,
                "old.txt")


_HERE: Final = Want((200,), {"ETag": _TAG}, body=b"old\n")

CONDITIONS: Final = (
    _given("a file has a strong tag", _HERE, why="RFC 9110 8.8.3"),
    _given("who has whatever there is need not get it again", _SAME, b"If-None-Match: *"),
    _given("a 304 to HEAD is the same", Want((304,), {"ETag": _TAG}, head_only=True),
           b"If-None-Match: *", method=b"HEAD"),
    _given("who has another version gets the file", _HERE, b'If-None-Match: "x", W/"y"'),
    *(_given(f"not modified since {date}", _SAME, b"If-Modified-Since: " + date.encode(),
             why="RFC 9110 5.6.7: three forms of a date")
      for date in (_OLD, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                   "Fri, 31 Dec 9999 23:59:59 GMT")),
    _given("modified since a second before", _HERE,
           b"If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT"),
    _given("two digits are a year of our time", _HERE,
           b"If-Modified-Since: Sunday, 06-Nov-94 08:49:36 GMT"),
    _given("a date that is none is no condition", _HERE, b"If-Modified-Since: yesterday",
           why="RFC 9110 13.1.3"),
    _given("a tag is better than a date", _HERE, b'If-None-Match: "x"',
           b"If-Modified-Since: " + _OLD.encode()),
    _given("a file that is not the one is not sent", _FAILED, b'If-Match: "x"'),
    _given("a weak tag is none where it must be the same", _FAILED, b'If-Match: W/"x"'),
    _given("any file will do for a star", _HERE, b"If-Match: *"),
    _given("a file that has changed since is not sent", _FAILED,
           b"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT"),
    _given("a file that has not changed since is sent", _HERE,
           b"If-Unmodified-Since: " + _OLD.encode()),
    _given("If-Match comes first", _FAILED, b'If-Match: "x"', b"If-None-Match: *"),
    _given("a condition comes before a range", _SAME, b"If-None-Match: *",
           b"Range: bytes=5000-"),
    talk("conditions", "what is not there is not there under any condition",
         request("/nosuch", b"If-None-Match: *"), Want((404,)), _STEPS),
)

CASES: Final = (*RANGES, *CONDITIONS)
