"""Files: their bytes, their description, and HEAD."""

from __future__ import annotations

import email.utils
import os
import time
from pathlib import Path

import pytest
from support.server import Server

FIELDS = {
    b"server", b"connection", b"date", b"accept-ranges", b"x-content-type-options",
    b"content-type", b"content-length", b"last-modified", b"etag",
}


@pytest.mark.parametrize("name", ["1k.bin", "empty.txt", "big.bin", "index.html"])
def test_a_file_comes_byte_for_byte(server: Server, tree: Path, name: str) -> None:
    want = (tree / name).read_bytes()
    reply = server.get("/" + name)
    assert (200, b"OK", want) == (reply.status, reply.reason, reply.body)
    assert FIELDS == set(reply.headers)
    assert str(len(want)).encode() == reply.headers[b"content-length"]


@pytest.mark.parametrize("target", [
    "/1k.bin", "/empty.txt", "/", "/nosuch", "/sub", "/bare/", "/%",
])
def test_head_is_get_without_the_body(server: Server, target: str) -> None:
    get, head = server.get(target), server.get(target, method="HEAD")
    assert (get.status, b"") == (head.status, head.body)
    same = {name: value for name, value in get.headers.items() if name != b"date"}
    assert same == {name: value for name, value in head.headers.items() if name != b"date"}
    assert head.raw.endswith(b"\r\n\r\n")


def test_refusals_to_head_have_no_body_either(server: Server) -> None:
    for head in (
        b"HEAD /1k.bin HTTP/1.1\r\n\r\n", b"HEAD / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"HEAD / HTTP/1.x\r\n\r\n", b"HEAD  /  HTTP/1.1 \r\n\r\n", b"HEAD /1k.bin\r\n\r\n",
        b"HEAD /\r\n\r\n", b"HEAD /\0 HTTP/1.1\r\n\r\n",
    ):
        assert (400, b"") == (server.request(head).status, server.request(head).body)
    too_long = server.request(b"HEAD /" + b"x" * 20000)
    assert (414, b"") == (too_long.status, too_long.body)


@pytest.mark.parametrize(("name", "type_"), [
    ("1k.bin", b"application/octet-stream"), ("index.html", b"text/html; charset=utf-8"),
    ("UPPER.HTML", b"text/html; charset=utf-8"), ("noextension", b"application/octet-stream"),
    (".hidden", b"application/octet-stream"), ("empty.txt", b"text/plain; charset=utf-8"),
])
def test_the_type_comes_from_the_extension(server: Server, name: str, type_: bytes) -> None:
    headers = server.get("/" + name).headers
    assert (type_, b"nosniff") == (headers[b"content-type"], headers[b"x-content-type-options"])


def test_date_is_now_and_last_modified_is_the_files(server: Server, tree: Path) -> None:
    os.utime(tree / "1k.bin", (784111777, 784111777))
    headers = server.get("/1k.bin").headers
    assert b"Sun, 06 Nov 1994 08:49:37 GMT" == headers[b"last-modified"]
    date = email.utils.parsedate_to_datetime(headers[b"date"].decode())
    assert abs(date.timestamp() - time.time()) < 5


def test_a_file_from_the_future_was_modified_now(server: Server, tree: Path) -> None:
    later = time.time() + 100_000
    os.utime(tree / "noextension", (later, later))
    headers = server.get("/noextension").headers
    assert headers[b"date"] == headers[b"last-modified"]


def test_a_file_from_before_1970_was_modified_then(server: Server, tree: Path) -> None:
    os.utime(tree / "plus+sign.txt", (-1000, -1000))
    assert b"Thu, 01 Jan 1970 00:00:00 GMT" == server.get("/plus+sign.txt").headers[
        b"last-modified"]


def test_the_connection_is_closed_and_says_so(server: Server) -> None:
    reply = server.get("/1k.bin", b"Connection: keep-alive")
    assert b"close" == reply.headers[b"connection"]


def test_a_second_request_in_the_same_bytes_is_not_answered(server: Server) -> None:
    one = b"GET /empty.txt HTTP/1.1\r\nHost: a\r\n\r\n"
    assert 1 == server.raw(one + one).count(b"HTTP/1.1 ")


def test_the_body_of_a_get_is_not_taken_for_a_request(server: Server) -> None:
    body = b"GET /1k.bin HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"GET /empty.txt HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert 1 == server.raw(head + body).count(b"HTTP/1.1 ")
