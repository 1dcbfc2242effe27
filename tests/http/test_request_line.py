"""The request line: forms, versions, methods, limits; everything else is refused."""

from __future__ import annotations

import pytest
from support.server import HOST, Server

OK = b"/1k.bin"


def line(server: Server, text: bytes) -> int:
    return server.request(text + b"\r\n" + HOST + b"\r\n").status


@pytest.mark.parametrize(("text", "status"), [
    (b"GET /1k.bin HTTP/1.1", 200),
    (b"GET /1k.bin HTTP/1.0", 200),
    (b"GET /1k.bin HTTP/1.2", 200),         # a higher minor version understands us
    (b"GET /1k.bin HTTP/2.0", 505),
    (b"GET /1k.bin HTTP/0.9", 505),
    (b"GET /1k.bin HTTP/3.1", 505),
    (b"GET /1k.bin HTTP/1.10", 400),
    (b"GET /1k.bin HTTP/11.1", 400),
    (b"GET /1k.bin HTTP/1", 400),
    (b"GET /1k.bin HTTP/1.", 400),
    (b"GET /1k.bin HTTP/.1", 400),
    (b"GET /1k.bin http/1.1", 400),
    (b"GET /1k.bin HTTPS/1.1", 400),
    (b"GET /1k.bin HTTP 1.1", 400),
    (b"GET /1k.bin HTTP/1.1 ", 400),
    (b"GET /1k.bin  HTTP/1.1", 400),
    (b"GET  /1k.bin HTTP/1.1", 400),
    (b" GET /1k.bin HTTP/1.1", 400),
    (b"GET\t/1k.bin HTTP/1.1", 400),
    (b"GET /1k.bin\tHTTP/1.1", 400),
    (b"GET /1k.bin", 400),
    (b"GET HTTP/1.1", 400),
    (b"GET", 400),
    (b"/1k.bin HTTP/1.1", 400),
    (b"GET /1k.bin x HTTP/1.1", 400),
    (b"G@T /1k.bin HTTP/1.1", 400),
    (b"GET\0 /1k.bin HTTP/1.1", 400),
    (b"GET 1k.bin HTTP/1.1", 400),
    (b"GET /1k.bin#top HTTP/1.1", 400),
    (b"GET /\xc3\xa4 HTTP/1.1", 400),       # must be percent-encoded
    (b"GET /a\x01b HTTP/1.1", 400),
    (b"GET /a\x7fb HTTP/1.1", 400),
    (b"GET /<b> HTTP/1.1", 400),
])
def test_a_request_line_is_taken_or_refused(server: Server, text: bytes, status: int) -> None:
    assert status == line(server, text)


@pytest.mark.parametrize(("method", "status"), [
    (b"GET", 200), (b"HEAD", 200), (b"OPTIONS", 200),
    (b"POST", 405), (b"PUT", 405), (b"DELETE", 405), (b"TRACE", 405), (b"PATCH", 405),
    (b"get", 501), (b"Get", 501), (b"PROPFIND", 501), (b"GETX", 501), (b"GE", 501), (b"X", 501),
    (b"AVERYLONGMETHODNAME" * 20, 501), (b"!#$%&'*+-.^_`|~", 501),
])
def test_methods_are_known_allowed_or_neither(server: Server, method: bytes, status: int) -> None:
    assert status == server.request(method + b" /1k.bin HTTP/1.1\r\n" + HOST + b"\r\n",
                                    method.decode()).status


def test_a_known_method_that_is_not_allowed_says_what_is(server: Server) -> None:
    reply = server.get("/1k.bin", method="PUT")
    assert (405, b"GET, HEAD, OPTIONS") == (reply.status, reply.headers[b"allow"])


def test_connect_is_known_and_not_allowed(server: Server) -> None:
    assert 405 == line(server, b"CONNECT example.com:443 HTTP/1.1")


@pytest.mark.parametrize(("target", "status"), [
    (b"http://localhost/1k.bin", 200),
    (b"HTTP://LOCALHOST:8080/1k.bin", 200),
    (b"http://localhost/1k.bin?x=http://y", 200),
    (b"http://localhost", 200),             # the root
    (b"http://localhost?x", 200),
    (b"http://[::1]:80/1k.bin", 200),
    (b"http:///1k.bin", 400),
    (b"http://:80/1k.bin", 400),            # a port of no host
    (b"http://%4/1k.bin", 400),
    (b"http://%6cocalhost/1k.bin", 200),
    (b"http://user@localhost/1k.bin", 400),
    (b"http://local host/1k.bin", 400),
    (b"http://localhost:http/1k.bin", 400),
    (b"http:/1k.bin", 400),
    (b"http:1k.bin", 400),
    (b"ftp://localhost/1k.bin", 400),
    (b"https://localhost/1k.bin", 421),     # a secured resource, over a bare connection
])
def test_absolute_form_is_understood(server: Server, target: bytes, status: int) -> None:
    assert status == line(server, b"GET " + target + b" HTTP/1.1")


def test_absolute_form_still_needs_a_host_field(server: Server) -> None:
    assert 400 == server.request(b"GET http://localhost/ HTTP/1.1\r\n\r\n").status


@pytest.mark.parametrize(("method", "status"), [(b"OPTIONS", 200), (b"GET", 400), (b"PUT", 400)])
def test_the_asterisk_is_for_options(server: Server, method: bytes, status: int) -> None:
    assert status == line(server, method + b" * HTTP/1.1")


def test_options_says_what_can_be_done(server: Server) -> None:
    for target in ("*", "/1k.bin", "/"):
        reply = server.get(target, method="OPTIONS")
        assert (200, b"GET, HEAD, OPTIONS", b"0", b"") == (
            reply.status, reply.headers[b"allow"], reply.headers[b"content-length"], reply.body
        )


def test_one_empty_line_before_a_request_is_skipped(server: Server) -> None:
    good = b"GET /1k.bin HTTP/1.1\r\n" + HOST + b"\r\n"
    assert 200 == server.request(b"\r\n" + good).status
    assert 400 == server.request(b"\r\n\r\n" + good).status


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\n\r", b"\r\r\n", b"\0\r\n"])
def test_only_cr_lf_ends_the_line(server: Server, ending: bytes) -> None:
    assert 400 == server.request(b"GET /1k.bin HTTP/1.1" + ending + HOST + b"\r\n").status


def test_a_line_of_8190_bytes_is_read_and_one_more_is_not(server: Server) -> None:
    start, end = b"GET /1k.bin?", b" HTTP/1.1"
    fill = 8190 - len(start) - len(end)
    assert 200 == line(server, start + b"q" * fill + end)
    assert 414 == line(server, start + b"q" * (fill + 1) + end)


def test_a_line_without_an_end_is_refused_while_it_is_still_coming(server: Server) -> None:
    assert 414 == server.request(b"GET /" + b"x" * 20000).status
