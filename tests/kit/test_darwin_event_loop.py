"""An event loop in assembly: one process, many connections, kevent and sendfile."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ymawky_kit import macho
from ymawky_kit.asm import assemble
from ymawky_kit.link import link
from ymawky_kit.run import EmulatedRunner
from ymawky_kit.source import Source

SOURCE = Path(__file__).parents[2] / "bench" / "event_loop.s"
PAGE = bytes(range(256)) * 4


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    (tmp_path / "page").write_bytes(PAGE)
    path = tmp_path / "server"
    objects = [assemble(Source.read(SOURCE))]
    path.write_bytes(macho.build(link(objects, identifier="event_loop")))
    path.chmod(0o755)
    process = subprocess.Popen(
        EmulatedRunner().command(path), stdout=subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdout is not None
    try:
        yield process, int.from_bytes(os.read(process.stdout.fileno(), 2), "big")
    finally:
        process.kill()
        process.communicate()


def ask(client: socket.socket) -> bytes:
    """One request; gives the body."""
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    data = b""
    while len(data) < 60 + len(PAGE):
        part = client.recv(1 << 16)
        assert part, data
        data += part
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    return data[60:]


def test_an_event_loop_serves_kept_connections(server) -> None:
    process, port = server
    clients = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(50)]
    try:
        for _ in range(4):
            for client in clients:
                assert PAGE == ask(client)
    finally:
        for client in clients:
            client.close()
    assert process.poll() is None


def test_an_event_loop_keeps_no_descriptor(server) -> None:
    process, port = server
    folder = Path(f"/proc/{process.pid}/fd")
    if not folder.is_dir():
        pytest.skip("only where the host shows a process's descriptors")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        ask(client)
        before = len(list(folder.iterdir()))
        for _ in range(500):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as other:
                assert PAGE == ask(other)
        ask(client)
        ask(client)
        assert len(list(folder.iterdir())) <= before + 1
