"""Requests a second of the server that the last chapter with a fork builds."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measure import Figure, best, timed
from ymawky_kit import chapters
from ymawky_kit.run import default_runner

_REQUESTS = 300
_CLIENTS = 4
_SIZE = 1024
_HEAD = b"GET /k.txt HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n"


def fetch(port: int) -> int:
    """One request on a connection of its own; the reply's length in bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(_HEAD)
        length = 0
        while data := connection.recv(65536):
            length += len(data)
    if length < _SIZE:
        raise RuntimeError(f"a reply of {length} bytes")
    return length


def sequential(port: int) -> float:
    """Requests a second, one after the other."""
    fetch(port)
    return _REQUESTS / best(lambda: timed(lambda: [fetch(port) for _ in range(_REQUESTS)]))


def at_once(port: int) -> float:
    """Requests a second from several clients."""
    def client() -> None:
        for _ in range(_REQUESTS // _CLIENTS):
            fetch(port)

    def all_of_them() -> None:
        threads = [threading.Thread(target=client) for _ in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return _REQUESTS // _CLIENTS * _CLIENTS / best(lambda: timed(all_of_them))


@contextmanager
def our_server(folder: Path, root: Path) -> Iterator[int]:
    """The fork-per-connection server of the book; its port."""
    file = folder / "ymawky"
    file.write_bytes(chapters.build("fork").data)
    file.chmod(0o755)
    with default_runner().start(file, ["--port", "0", str(root)]) as process:
        line = process.wait_for(b"http://").decode()
        yield int(line.rsplit(":", 1)[1].strip("/"))


@contextmanager
def python_server(root: Path) -> Iterator[int]:
    """Python's own server, which forks for each connection too; its port."""
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    class Server(socketserver.ForkingMixIn, http.server.HTTPServer):
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        pid = os.fork()
        if not pid:
            os.chdir(root)
            try:
                server.serve_forever()
            finally:
                os._exit(0)
        try:
            yield int(server.server_address[1])
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def figures() -> Iterator[Figure]:
    """GET of 1 KB with a fork per connection, beside Python's server that forks too."""
    with tempfile.TemporaryDirectory(prefix="ymawky-bench-") as name:
        folder = Path(name)
        root = folder / "root"
        root.mkdir()
        (root / "k.txt").write_bytes(b"k" * _SIZE)
        with python_server(root) as port:
            peers = sequential(port), at_once(port)
        with our_server(folder, root) as port:
            ours = sequential(port), at_once(port)
    how = default_runner().name
    for label, mine, peer in (
        ("one client", ours[0], peers[0]), (f"{_CLIENTS} clients", ours[1], peers[1]),
    ):
        wanted = 250 if label != "one client" else None
        yield Figure(
            f"GET 1 KB, fork a connection, {how}, {label}", mine, "requests/s", wanted,
            peer=f"{peer:,.0f} requests/s for http.server with forks, native",
        )
