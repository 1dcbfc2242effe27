"""Every program of the book that serves, chapter by chapter; test_blackbox.py has its cases."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from support.server import HOST, serving

from ymawky_kit import chapters

GET = b"GET /1k.bin HTTP/1.1\r\n" + HOST + b"\r\n"
SERVERS = [name for name, program in chapters.load().items() if "main/main" in program.modules]
GREETING = b"hello, client\n"


def test_the_list_of_programs_is_the_books() -> None:
    assert SERVERS == ["once", "serial", "children", "request", "path", "file", "fork", "ranges",
                       "listings", "writing"]
    assert chapters.find(None).name == "writing"


@pytest.mark.parametrize("name", SERVERS)
def test_it_answers_a_good_request_and_ends_on_a_signal(
    tree: Path, folder: Path, name: str
) -> None:
    whole = "fs/file" in chapters.find(name).modules
    with serving(tree, folder, program=name, strict=True) as server:
        reply = server.request(GET)
        assert 200 == reply.status
        assert (bytes(range(256)) * 4 if whole else GREETING) == reply.body
        if name == "once":
            assert 0 == server.process.wait(10).code
            return
        assert 200 == server.request(GET).status
        server.process.send_signal(15)
        assert 0 == server.process.wait(10).code


@pytest.mark.parametrize("name", ["serial", "children", "request", "path"])
def test_before_files_everybody_is_greeted(tree: Path, folder: Path, name: str) -> None:
    with serving(tree, folder, program=name) as server:
        before = server.descriptors()
        for _ in range(20):
            assert GREETING == server.request(GET).body
        assert [] == server.settle()
        assert before == server.descriptors(before)


def test_before_chapter_11_ranges_are_not_offered_and_not_given(tree: Path, folder: Path) -> None:
    with serving(tree, folder, program="file") as server:
        reply = server.get("/1k.bin", b"Range: bytes=0-9", b"If-None-Match: *")
        assert (200, b"none", 1024) == (
            reply.status, reply.headers[b"accept-ranges"], len(reply.body))
        assert b"etag" not in reply.headers


def test_one_client_after_the_other_waits_for_the_first(tree: Path, folder: Path) -> None:
    """What the next chapter is for."""
    with serving(tree, folder, program="serial") as server, server.connect() as first:
        first.sendall(b"GET /")
        bodies: list[bytes] = []
        second = threading.Thread(target=lambda: bodies.append(server.request(GET).body))
        second.start()
        second.join(0.5)
        assert [] == bodies
        first.sendall(b" HTTP/1.0\r\n\r\n")
        second.join(10)
        assert [GREETING] == bodies
