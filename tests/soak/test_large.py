"""The largest transfers: a gibibyte up and down, over loopback only.  `make soak` runs this.

It takes about 2 GiB of disk for its while, and is no part of `make test`.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.server import Server, serving

SIZE = 1 << 30
BLOCK = bytes(n * 7 % 251 for n in range(1 << 20))
#: A process of the server may grow by so much while a gibibyte goes through it.
GROWTH = 4 << 20

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path / "root"
    top.mkdir()
    return top


@pytest.fixture
def server(root: Path, tmp_path: Path) -> Iterator[Server]:
    with serving(root, tmp_path, "--writable", "--body-max", str(2 * SIZE)) as running:
        yield running


class Sizes(threading.Thread):
    """The private memory of the server's child, looked at again and again."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._done = threading.Event()
        self.seen: list[int] = []

    def run(self) -> None:
        while not self._done.wait(0.05):
            for child in self._server.children():
                try:
                    self.seen.append(child.memory_full_info().uss)
                except psutil.Error:
                    continue

    def __enter__(self) -> Sizes:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def must_not_grow(self) -> None:
        early, late = self.seen[:5], self.seen[-5:]
        assert len(self.seen) >= 10, "too quick to be looked at"
        assert max(late) - max(early) < GROWTH, (early, late)


def digest() -> str:
    known = hashlib.sha256()
    for _ in range(SIZE // len(BLOCK)):
        known.update(BLOCK)
    return known.hexdigest()


def status(client: socket.socket) -> bytes:
    return client.recv(65536).split(b"\r\n")[0]


@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_a_gibibyte_goes_up_and_comes_down(server: Server, root: Path, coding: str) -> None:
    field = b"Content-Length: %d" % SIZE if coding == "length" else b"Transfer-Encoding: chunked"
    start = time.monotonic()
    with Sizes(server) as sizes, server.connect(60) as client:
        client.sendall(b"PUT /large HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\n")
        for _ in range(SIZE // len(BLOCK)):
            if coding == "length":
                client.sendall(BLOCK)
            else:
                client.sendall(b"%x\r\n" % len(BLOCK) + BLOCK + b"\r\n")
        if coding == "chunked":
            client.sendall(b"0\r\n\r\n")
        assert b"HTTP/1.1 201 Created" == status(client)
    up = time.monotonic() - start
    sizes.must_not_grow()
    assert ["large"] == [path.name for path in root.iterdir()]
    assert SIZE == (root / "large").stat().st_size

    start = time.monotonic()
    with Sizes(server) as sizes, server.connect(60) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        known, count, head = hashlib.sha256(), 0, b""
        while b"\r\n\r\n" not in head:
            head += client.recv(65536)
        head, _, block = head.partition(b"\r\n\r\n")
        assert b"Content-Length: %d" % SIZE in head
        while block:
            known.update(block)
            count += len(block)
            block = client.recv(1 << 20)
    down = time.monotonic() - start
    assert (SIZE, digest()) == (count, known.hexdigest())
    assert [] == server.settle()
    print(f"\n{coding}: up {SIZE / up / 1e6:.0f} MB/s, down {SIZE / down / 1e6:.0f} MB/s")


def test_a_body_of_a_gibibyte_that_ends_early_leaves_nothing(server: Server, root: Path) -> None:
    with server.connect(60) as client:
        client.sendall(b"PUT /large HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // len(BLOCK) // 4):
            client.sendall(BLOCK)
    assert [] == server.settle(30)
    assert [] == list(root.iterdir())
