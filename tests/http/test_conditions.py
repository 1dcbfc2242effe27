"""Conditional requests, as a client makes them that has a copy already."""

from __future__ import annotations

import email.utils
import os
from pathlib import Path

import pytest
from support.server import Server

OLD = b"Sun, 06 Nov 1994 08:49:37 GMT"
LONG_AGO = b"Thu, 01 Jan 1970 00:00:01 GMT"


@pytest.fixture
def tag(server: Server) -> bytes:
    return server.get("/1k.bin").headers[b"etag"]


def test_the_tag_is_strong_and_a_files_own(server: Server, tag: bytes) -> None:
    assert tag == server.get("/1k.bin", method="HEAD").headers[b"etag"]
    assert tag[:1] == b'"' == tag[-1:]
    assert tag != server.get("/index.html").headers[b"etag"]


def test_the_tag_changes_with_the_file(server: Server, tree: Path) -> None:
    path = tree / "changing.txt"
    path.write_bytes(b"one")
    seen = {server.get("/changing.txt").headers[b"etag"]}
    path.write_bytes(b"two!")
    seen.add(server.get("/changing.txt").headers[b"etag"])
    moment = path.stat().st_mtime_ns
    os.utime(path, ns=(moment, moment + 1))
    seen.add(server.get("/changing.txt").headers[b"etag"])
    other = tree / "other.txt"
    other.write_bytes(b"two?")
    os.utime(other, ns=(moment, moment + 1))
    other.rename(path)          # same size, same time, another inode
    seen.add(server.get("/changing.txt").headers[b"etag"])
    assert 4 == len(seen)
    path.unlink()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("lines", [
    (b"If-None-Match: %s",), (b'If-None-Match: "x", W/%s',), (b"If-None-Match: *",),
    (b'If-None-Match: "x"', b"If-None-Match: %s"), (b"if-none-match:%s \t",),
    (b"If-None-Match: %s", b"If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT"),
    (b"If-None-Match: %s", b"Range: bytes=0-1"), (b"If-Match: %s", b"If-None-Match: %s"),
])
def test_304_has_the_tag_and_the_date_and_no_body(server, tag, lines, method: str) -> None:
    lines = [line.replace(b"%s", tag) for line in lines]
    reply = server.get("/1k.bin", *lines, method=method)
    assert (304, b"", tag) == (reply.status, reply.body, reply.headers[b"etag"])
    assert {b"date", b"server", b"connection", b"etag"} == set(reply.headers)


@pytest.mark.parametrize("line", [
    b'If-None-Match: "x"', b"If-None-Match:", b'If-None-Match: "*"', b"If-None-Match: bad, %s",
    b'If-Modified-Since: "x"',
])
def test_otherwise_the_file_comes(server: Server, tag: bytes, line: bytes) -> None:
    reply = server.get("/1k.bin", line.replace(b"%s", tag))
    assert (200, 1024) == (reply.status, len(reply.body))


def test_a_date_is_good_in_all_three_forms(server: Server, tree: Path) -> None:
    os.utime(tree / "noextension", (784111777, 784111777))
    for date in (OLD, b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994",
                 b"Sun, 06 Nov 1994 08:49:38 GMT"):
        assert 304 == server.get("/noextension", b"If-Modified-Since: " + date).status
        assert 200 == server.get("/noextension", b"If-Unmodified-Since: " + date).status
    before = b"Sun, 06 Nov 1994 08:49:36 GMT"
    assert 200 == server.get("/noextension", b"If-Modified-Since: " + before).status
    assert 412 == server.get("/noextension", b"If-Unmodified-Since: " + before).status


def test_what_was_sent_as_last_modified_is_not_modified(server: Server) -> None:
    sent = server.get("/index.html").headers[b"last-modified"]
    assert email.utils.parsedate_to_datetime(sent.decode()) is not None
    assert 304 == server.get("/index.html", b"If-Modified-Since: " + sent).status


@pytest.mark.parametrize("lines", [
    (b'If-Match: "x"',), (b"If-Match: W/%s",), (b"If-Match: bad",),
    (b'If-Match: "x"', b"If-None-Match: %s"),
    (b"If-Unmodified-Since: " + LONG_AGO,), (b'If-Match: "x"', b"Range: bytes=0-1"),
])
def test_412_is_a_page(server: Server, tag: bytes, lines: tuple[bytes, ...]) -> None:
    reply = server.get("/1k.bin", *(line.replace(b"%s", tag) for line in lines))
    assert (412, True) == (reply.status, b"412 Precondition Failed" in reply.body)
    head = server.get("/1k.bin", *(line.replace(b"%s", tag) for line in lines), method="HEAD")
    assert (412, b"") == (head.status, head.body)


@pytest.mark.parametrize("lines", [
    (b"If-Match: %s",), (b"If-Match: *",), (b'If-Match: "x", %s',),
    (b"If-Match: %s", b"If-Unmodified-Since: " + LONG_AGO),     # a tag is better than a date
    (b'If-None-Match: "x"', b"If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT"),
])
def test_the_better_condition_decides(server: Server, tag: bytes, lines) -> None:
    reply = server.get("/1k.bin", *(line.replace(b"%s", tag) for line in lines))
    assert 200 == reply.status


def test_what_is_not_there_has_no_conditions(server: Server) -> None:
    assert 404 == server.get("/nosuch", b"If-None-Match: *").status
    assert 301 == server.get("/sub", b"If-None-Match: *").status


def test_an_index_page_has_its_tag(server: Server) -> None:
    tag = server.get("/sub/").headers[b"etag"]
    assert 304 == server.get("/sub/", b"If-None-Match: " + tag).status


def test_a_304_leaves_nothing_open(server: Server) -> None:
    before = server.descriptors()
    for _ in range(20):
        assert 304 == server.get("/1k.bin", b"If-None-Match: *").status
        assert 416 == server.get("/1k.bin", b"Range: bytes=5000-").status
    assert [] == server.settle()
    assert before == server.descriptors(before)


def test_bytes_that_dribble_in_say_the_same(server: Server, tag: bytes) -> None:
    sent = b"GET /1k.bin HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"x\"\r\nIf-None-Match: " + tag
    with server.connect() as client:
        for byte in sent + b"\r\n\r\n":
            client.sendall(bytes([byte]))
        assert client.recv(100).startswith(b"HTTP/1.1 304 Not Modified\r\n")
