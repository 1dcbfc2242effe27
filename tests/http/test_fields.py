"""Field lines: the whole grammar, Host, framing, limits."""

from __future__ import annotations

import pytest
from support.server import HOST, Server

START = b"GET /1k.bin HTTP/1.1\r\n"


def fields(server: Server, *lines: bytes, start: bytes = START) -> int:
    return server.request(start + b"".join(line + b"\r\n" for line in lines) + b"\r\n").status


@pytest.mark.parametrize(("line", "status"), [
    (b"X: y", 200),
    (b"X:y", 200),
    (b"X:", 200),
    (b"X: \t y \t ", 200),
    (b"X: a\tb", 200),
    (b"X: \xff\x80", 200),
    (b"x!#$%&'*+-.^_`|~0: y", 200),
    (b"X : y", 400),
    (b"X\t: y", 400),
    (b"X", 400),
    (b": y", 400),
    (b" X: y", 400),
    (b"\tX: y", 400),
    (b"X(: y", 400),
    (b"X\xc3\xa4: y", 400),
    (b"X: a\0b", 400),
    (b"X: a\rb", 400),
    (b"X: a\nb: c", 400),
    (b"X: a\x01", 400),
    (b"X: a\x7f", 400),
    (b"X: a\r\n b", 400),               # obs-fold
    (b"X: a\r\n\tb", 400),
    (b"Host-Override: x", 200),         # names are compared whole
    (b"Content-Length-Hint: x", 200),
    (b"Content\rLength: 5", 400),
])
def test_a_field_line_is_taken_or_refused(server: Server, line: bytes, status: int) -> None:
    assert status == fields(server, HOST[:-2], line)


@pytest.mark.parametrize(("value", "status"), [
    (b"localhost", 200), (b"localhost:8080", 200), (b"127.0.0.1", 200), (b"[::1]", 200),
    (b"[2001:db8::1]:80", 200), (b"a.b-c_d~e", 200), (b"x%41", 200), (b"localhost:", 200),
    (b"", 200), (b" localhost ", 200), (b"EXAMPLE.com", 200),
    (b"a b", 400), (b"a,b", 200), (b"a/b", 400), (b"user@a", 400), (b"a:b", 400), (b"a:80:80", 400),
    (b"[::1", 400), (b"[]", 400), (b"[::1]x", 400), (b"::1", 400), (b"a?b", 400), (b"a#b", 400),
    (b"x%4", 400), (b"%", 400), (b"%zz", 400), (b"%g1:80", 400), (b"%41%5B", 200),
    (b"[::1]%41", 400),
    (b"\xc3\xa4", 400), (b"http://a", 400), (b'"a"', 400), (b"a\\b", 400),
])
def test_host_is_a_host_and_perhaps_a_port(server: Server, value: bytes, status: int) -> None:
    assert status == fields(server, b"Host: " + value)


def test_a_1_1_request_has_one_host(server: Server) -> None:
    assert 400 == fields(server)
    assert 400 == fields(server, b"Host: a", b"Host: a")
    assert 400 == fields(server, b"Host: a", b"hOST: b")
    assert 200 == fields(server, b"hOsT: a")


def test_a_1_0_request_may_come_without_host(server: Server) -> None:
    old = b"GET /1k.bin HTTP/1.0\r\n"
    assert 200 == fields(server, start=old)
    assert 400 == fields(server, b"Host: a", b"Host: a", start=old)
    assert 400 == fields(server, b"Host: a b", start=old)


@pytest.mark.parametrize(("lines", "status"), [
    ([b"Content-Length: 0"], 200),
    ([b"Content-Length: 9223372036854775807"], 200),
    ([b"Content-Length:  7\t"], 200),
    ([b"content-length: 7"], 200),
    ([b"Content-Length: 9223372036854775808"], 400),
    ([b"Content-Length: 18446744073709551617"], 400),
    ([b"Content-Length: " + b"9" * 100], 400),
    ([b"Content-Length:"], 400),
    ([b"Content-Length: -1"], 400),
    ([b"Content-Length: +1"], 400),
    ([b"Content-Length: 0x10"], 400),
    ([b"Content-Length: 1 2"], 400),
    ([b"Content-Length: 5, 5"], 400),
    ([b"Content-Length: 5", b"Content-Length: 5"], 400),
    ([b"Content-Length: 5", b"content-length: 6"], 400),
    ([b"Transfer-Encoding: chunked"], 200),
    ([b"Transfer-Encoding: Chunked"], 200),
    ([b"Transfer-Encoding: chunked", b"Content-Length: 5"], 400),
    ([b"Content-Length: 5", b"Transfer-Encoding: chunked"], 400),
    ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], 400),
    ([b"Transfer-Encoding: gzip"], 501),
    ([b"Transfer-Encoding: gzip, chunked"], 501),
    ([b"Transfer-Encoding: chunked, gzip"], 501),
    ([b"Transfer-Encoding: identity"], 501),
    ([b"Transfer-Encoding: xchunked"], 501),
    ([b"Transfer-Encoding:"], 501),
    ([b"Transfer-Encoding\t: chunked"], 400),
])
def test_framing_is_certain_or_refused(server: Server, lines: list[bytes], status: int) -> None:
    assert status == fields(server, HOST[:-2], *lines)


def test_1_0_knows_no_transfer_codings(server: Server) -> None:
    assert 400 == fields(server, b"Transfer-Encoding: chunked", start=b"GET / HTTP/1.0\r\n")


def test_a_head_of_16384_bytes_is_read_and_one_more_is_not(server: Server) -> None:
    base = START + HOST
    fill = 16384 - len(base) - len(b"X: \r\n\r\n")
    assert 200 == server.request(base + b"X: " + b"y" * fill + b"\r\n\r\n").status
    assert 431 == server.request(base + b"X: " + b"y" * (fill + 1) + b"\r\n\r\n").status


def test_many_small_fields_end_at_the_same_limit(server: Server) -> None:
    assert 200 == fields(server, HOST[:-2], *[b"A: b"] * 2000)
    assert 431 == fields(server, HOST[:-2], *[b"A: b"] * 3000)


def test_a_refusal_can_be_read_while_the_client_still_sends(server: Server) -> None:
    """The server goes on reading for a while: no reset destroys the reply."""
    reply = server.request(START + HOST + b"X: " + b"y" * 2_000_000 + b"\r\n\r\n")
    assert 431 == reply.status
