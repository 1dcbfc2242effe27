"""Putting files there and deleting them.  Each case takes away what it has put there."""

from __future__ import annotations

from typing import Final

from ymawky_kit.blackbox.case import Expect, Leave, Send, Step, Take, Talk, Want
from ymawky_kit.blackbox.cases.asking import ask, bytewise, request
from ymawky_kit.blackbox.cases.tree import BIG, BYTES

_WRITABLE: Final = ("--writable",)
_CHUNKED: Final = b"Transfer-Encoding: chunked"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_PUT: Final = "RFC 9110 9.3.4: 201 for a new file, 204 for a new version"
_ATOMIC: Final = "chapter 13: nothing half-written is ever seen, and the old file stays"
_CHUNKS: Final = "RFC 9112 7.1"
_GONE: Final = Want((404,))


def _put(target: str, body: bytes, *fields: bytes) -> bytes:
    return request(target, b"Content-Length: %d" % len(body), *fields, method=b"PUT") + body


def _chunked(target: str, body: bytes, *fields: bytes) -> bytes:
    return request(target, _CHUNKED, *fields, method=b"PUT") + body


def _asked(steps: list[tuple[bytes | tuple[bytes, ...], Want]]) -> tuple[Step, ...]:
    """One client after the other."""
    return tuple(step for number, (sent, want) in enumerate(steps, 1)
                 for step in ask(sent, want, f"client {number}"))


def _there(target: str, body: bytes) -> list[tuple[bytes | tuple[bytes, ...], Want]]:
    """It can be had, can be deleted once, and is gone."""
    delete = request(target, method=b"DELETE")
    return [(request(target), Want((200,), body=body)), (delete, Want((204,), body=b"")),
            (request(target), _GONE), (delete, _GONE)]


def _talk(name: str, why: str, *steps: tuple[bytes | tuple[bytes, ...], Want],
          files: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> Talk:
    return Talk(name, "writing", why, _asked(list(steps)), files, _WRITABLE + options)


def _refused(name: str, status: int, sent: bytes, why: str, *, target: str = "/put.txt",
             then: Want = _GONE, files: tuple[str, ...] = (),
             options: tuple[str, ...] = ()) -> Talk:
    """Refused, and nothing has changed."""
    return _talk(name, why, (sent, Want((status,))), (request(target), then), files=files,
                 options=options)


_HALF: Final = _put("/put.txt", b"the new version\n")[:-5]

CASES: Final = (
    _talk("what is put there can be had, and deleted", _PUT,
          (_put("/put.txt", b"hello\n"), Want((201,), {"Content-Length": "0"}, body=b"")),
          *_there("/put.txt", b"hello\n")),
    _talk("a new version takes the place of the old one", _PUT,
          (_put("/put.txt", b"a long first version\n"), Want((201,))),
          (_put("/put.txt", b"short\n"), Want((204,), body=b"")),
          *_there("/put.txt", b"short\n")),
    _talk("a file may be empty", _PUT, (_put("/put.txt", b""), Want((201,))),
          *_there("/put.txt", b"")),
    _talk("a file may be large", _PUT, (_put("/put.bin", BIG), Want((201,))),
          *_there("/put.bin", BIG)),
    _talk("a body may come in pieces", "read(2): a stream has no messages",
          (bytewise(_put("/put.txt", b"piece by piece")), Want((201,))),
          *_there("/put.txt", b"piece by piece")),
    _talk("a file may go into a directory", _PUT, (_put("/bare/a%20b", b"x"), Want((201,))),
          *_there("/bare/a%20b", b"x"), files=("bare",)),
    _talk("what comes behind the body is not part of it", "RFC 9112 6.3",
          (_put("/put.txt", b"12345") + b"678", Want((201,), may_reset=True)),
          *_there("/put.txt", b"12345")),

    _talk("chunks are put together", _CHUNKS,
          (_chunked("/put.txt", b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"), Want((201,))),
          *_there("/put.txt", b"abc0123456789")),
    _talk("extensions and trailers are skipped", "RFC 9112 7.1.1, 7.1.2",
          (_chunked("/put.txt", b'3;a;b="c d"\r\nabc\r\n0;x\r\nContent-Length: 9\r\n\r\n'),
           Want((201,))), *_there("/put.txt", b"abc")),
    _talk("chunks may come byte by byte", _CHUNKS,
          (bytewise(_chunked("/put.txt", b"3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n")), Want((201,))),
          *_there("/put.txt", b"abc")),
    *(_refused(f"chunks that are {what} are refused", 400, _chunked("/put.txt", body), why)
      for what, body, why in (
          ("shorter than they say", b"5\r\nabc\r\n0\r\n\r\n", _CHUNKS),
          ("longer than they say", b"3\r\nabcde0\r\n\r\n", _CHUNKS),
          ("ended by LF alone", b"3\nabc\n0\n\n", "RFC 9112 2.2: CR LF ends a line"),
          ("without a size", b"\r\nabc\r\n", _CHUNKS),
          ("of a size with a sign", b"+3\r\nabc\r\n0\r\n\r\n", _CHUNKS),
          ("of a size like 0x3", b"0x3\r\nabc\r\n0\r\n\r\n", _CHUNKS))),
    _refused("a chunk of 64 bits and more is not a small one", 413,
             _chunked("/put.txt", b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
             "RFC 9112 7.1: beware of integer overflow"),

    Talk("who waits for a word gets one, and then sends", "writing", "RFC 9110 10.1.1", (
        Send((request("/put.txt", b"Content-Length: 5", b"Expect: 100-continue",
                      method=b"PUT"),)),
        Take(len(_CONTINUE)), Send((b"hello",)), Expect(Want((201,), interim=_CONTINUE)),
        *_asked(_there("/put.txt", b"hello"))), options=_WRITABLE),
    Talk("nobody is asked for a body that is not wanted", "writing",
         "RFC 9110 10.1.1: a final status instead of 100", (
             Send((request("/bare", b"Content-Length: 5", b"Expect: 100-continue",
                           method=b"PUT"),)), Expect(Want((409,)))), ("bare",), _WRITABLE),
    _refused("what else a client may expect is not to be had", 417,
             _put("/put.txt", b"x", b"Expect: a-miracle"), "RFC 9110 10.1.1"),

    _refused("a body without a length is refused", 411, request("/put.txt", method=b"PUT"),
             "RFC 9110 15.5.12"),
    _refused("a part of a file is refused", 400,
             _put("/put.txt", b"x", b"Content-Range: bytes 0-0/2"), "RFC 9110 14.5"),
    _refused("a compressed body is refused", 415,
             _put("/put.txt", b"x", b"Content-Encoding: gzip"), "RFC 9110 8.4"),
    _refused("a body that is too large is refused", 413, _put("/put.txt", b"12345678901"),
             "RFC 9110 15.5.14", options=("--body-max", "10")),
    _refused("chunks that become too many are refused", 413,
             _chunked("/put.txt", b"6\r\n123456\r\n5\r\n78901\r\n0\r\n\r\n"),
             "RFC 9110 15.5.14", options=("--body-max", "10")),
    _talk("a body of exactly the limit is taken", "RFC 9110 15.5.14",
          (_put("/put.txt", b"1234567890"), Want((201,))), *_there("/put.txt", b"1234567890"),
          options=("--body-max", "10")),

    Talk("a body that ends half-way changes nothing", "writing", _ATOMIC, (
        *ask(_put("/put.txt", b"old\n"), Want((201,)), "the first"),
        *ask(_HALF, Want((400,)), "half", more=False),
        Send((_HALF,), "gone"), Leave("gone", reset=True),
        Send((_HALF,), "still there"), *_asked(_there("/put.txt", b"old\n")),
        Leave("still there", reset=True)), options=_WRITABLE),

    _refused("a directory is not written over", 409, _put("/bare", b"x"),
             "RFC 9110 15.5.10", target="/bare", then=Want((301,)), files=("bare",)),
    _refused("no file has a name with a slash at its end", 409, _put("/put.txt/", b"x"),
             "chapter 13"),
    _refused("the root is not written over", 409, _put("/", b"x"), "chapter 13", target="/",
             then=Want((200,)), files=("index.html",)),
    _refused("no directory is made on the way", 409, _put("/put/there.txt", b"x"),
             "chapter 13; RFC 4918 9.7.1", target="/put/there.txt"),
    _refused("a file is no directory", 409, _put("/1k.bin/put.txt", b"x"), "chapter 13",
             target="/1k.bin", then=Want((200,), body=BYTES), files=("1k.bin",)),
    _refused("a symbolic link is not written over", 403, _put("/link.txt", b"x"), "chapter 13",
             target="/1k.bin", then=Want((200,), body=BYTES), files=("1k.bin", "link.txt")),
    _refused("nothing is written through a symbolic link", 403, _put("/linkdir/put.txt", b"x"),
             "chapter 08", target="/sub/put.txt", files=("sub/page.html", "linkdir")),
    _refused("names of half-written files are nobody's", 404, _put("/.~put", b"x"),
             "chapter 08", target="/.~put"),

    _refused("a directory is not deleted", 409, request("/bare", method=b"DELETE"), "chapter 13",
             target="/bare", then=Want((301,)), files=("bare",)),
    _refused("the root is not deleted", 409, request("/", method=b"DELETE"), "chapter 13",
             target="/", then=Want((200,)), files=("index.html",)),
    _refused("what is not there is not deleted", 404, request("/put.txt", method=b"DELETE"),
             "RFC 9110 9.3.5"),
    _refused("a file is not deleted by a name with a slash", 404,
             request("/1k.bin/", method=b"DELETE"), "chapter 09", target="/1k.bin",
             then=Want((200,), body=BYTES), files=("1k.bin",)),
    _refused("a symbolic link is not deleted, nor what it leads to", 403,
             request("/link.txt", method=b"DELETE"), "chapter 13", target="/1k.bin",
             then=Want((200,), body=BYTES), files=("1k.bin", "link.txt")),
    _refused("nothing is deleted through a symbolic link", 403,
             request("/linkdir/page.html", method=b"DELETE"), "chapter 08",
             target="/sub/page.html", then=Want((200,), body=b"page\n"),
             files=("sub/page.html", "linkdir")),

    _talk("OPTIONS says that files can be changed", "RFC 9110 10.2.1",
          (request("*", method=b"OPTIONS"),
           Want((200,), {"Allow": "GET, HEAD, OPTIONS, PUT, DELETE"}))),
    _talk("so does a refusal of another method", "RFC 9110 15.5.6",
          (request(method=b"POST"), Want((405,), {"Allow": "GET, HEAD, OPTIONS, PUT, DELETE"}))),
    Talk("without --writable nothing can be changed", "writing", "chapter 13", _asked([
        (_put("/1k.bin", b"x"), Want((405,), {"Allow": "GET, HEAD, OPTIONS"})),
        (request("/1k.bin", method=b"DELETE"), Want((405,), {"Allow": "GET, HEAD, OPTIONS"})),
        (request("/1k.bin"), Want((200,), body=BYTES))]), ("1k.bin",)),
)
