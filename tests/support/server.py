"""A running server of ours, raw requests to it, and replies read by h11."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import h11
import psutil

from ymawky_kit import chapters, macho
from ymawky_kit.emu.event import SyscallEvent
from ymawky_kit.emu.plan import Fault, FaultPlan
from ymawky_kit.run import EmulatedRunner

HOST = b"Host: localhost\r\n"


@dataclass(frozen=True)
class Reply:
    """One reply, complete or not at all."""

    status: int
    reason: bytes
    headers: dict[bytes, bytes]     # names in lower case; a doubled name is an error
    body: bytes
    closed: bool                    # the server closed its side behind it
    raw: bytes


class Server:
    """A started program; `get` and `raw` talk to it."""

    def __init__(self, process: object, port: int) -> None:
        self.process = process
        self.port = port

    @property
    def pid(self) -> int:
        return self.process.pid

    def connect(self, timeout: float = 10) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def raw(self, sent: bytes, *, finish: bool = False) -> bytes:
        """Every byte the server sends back until it closes; b"" for none."""
        with self.connect() as client:
            client.sendall(sent)
            if finish:
                client.shutdown(socket.SHUT_WR)
            return read_all(client)

    def request(self, sent: bytes, method: str | None = None, *, finish: bool = False) -> Reply:
        """The reply to raw bytes, as h11 understands it."""
        if method is None:
            word = sent.lstrip(b"\r\n").split(b" ")[0]
            method = word.decode("ascii") if word.isalpha() and word.isascii() else "GET"
        return parse(self.raw(sent, finish=finish), method)

    def get(self, target: str | bytes, *fields: bytes, method: str = "GET") -> Reply:
        """The reply to a good request."""
        path = target.encode() if isinstance(target, str) else target
        lines = [b"%s %s HTTP/1.1" % (method.encode(), path), b"Host: localhost", *fields]
        return self.request(b"\r\n".join([*lines, b"", b""]), method)

    def status(self, target: str | bytes, **more: str) -> int:
        return self.get(target, **more).status

    def descriptors(self, wanted: list[str] | None = None, seconds: float = 5) -> list[str]:
        """What the server process itself has open.

        With `wanted`, waits until it is that: a child may have answered before its
        parent has come to close the connection.
        """
        folder = Path(f"/proc/{self.pid}/fd")
        end = time.monotonic() + seconds
        while True:
            found = []
            for entry in folder.iterdir():
                with suppress(FileNotFoundError):    # closed meanwhile
                    found.append(str(entry.readlink()))
            if wanted in (None, sorted(found)) or time.monotonic() > end:
                return sorted(found)
            time.sleep(0.01)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)

    def settle(self, seconds: float = 5) -> list[psutil.Process]:
        """Wait until no child is left; those that are."""
        end = time.monotonic() + seconds
        while self.children() and time.monotonic() < end:
            time.sleep(0.01)
        return self.children()


def read_all(client: socket.socket) -> bytes:
    """Until the other side closes; a reset ends it too."""
    data = bytearray()
    try:
        while block := client.recv(1 << 16):
            data += block
    except ConnectionResetError:
        pass
    return bytes(data)


def parse(raw: bytes, method: str = "GET") -> Reply:
    """Read a reply with h11, strictly: one reply, nothing behind it."""
    connection = h11.Connection(our_role=h11.CLIENT)
    known = method if method in ("HEAD", "OPTIONS", "PUT", "POST", "DELETE") else "GET"
    connection.send(h11.Request(method=known, target="/", headers=[("Host", "localhost")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(raw)
    connection.receive_data(b"")
    head = connection.next_event()
    assert isinstance(head, h11.Response), f"no reply in {raw[:200]!r}"
    names = [name for name, _ in head.headers]
    assert len(names) == len(set(names)), f"a field twice: {names}"
    body = b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data), f"a broken reply: {event} in {raw[:200]!r}"
        body += bytes(event.data)
    rest = connection.trailing_data[0]
    assert b"" == rest, f"bytes behind the reply: {rest[:80]!r}"
    return Reply(head.status_code, bytes(head.reason), dict(head.headers), body, True, raw)


@cache
def executable(name: str | None, folder: Path) -> Path:
    """A program of the book as a file, built once a folder."""
    built = chapters.build(name)
    path = folder / built.program.name
    macho.install(built.data, path)
    return path


@contextmanager
def serving(
    root: Path,
    folder: Path,
    *options: str,
    program: str | None = None,
    trace: bool = False,
    plan: Sequence[Fault] = (),
    strict: bool = False,
    slide: int = 0,
) -> Iterator[Server]:
    """Serve `root` with a program of the book (the last one) at a free port."""
    runner = EmulatedRunner(
        trace=trace, strict=strict, slide=slide,
        plan=FaultPlan(plan).to_json() if plan else None,
    )
    path = executable(program, folder)
    with runner.start(path, ["--port", "0", *options, str(root)]) as process:
        line = process.wait_for(b"/\n", 20)
        del line
        text = bytes(process.output)
        yield Server(process, int(text.rsplit(b":", 1)[1].split(b"/")[0]))


def by_process(events: Iterable[SyscallEvent]) -> dict[int, list[SyscallEvent]]:
    """The calls of each process, the first one's under 1."""
    sorted_out: dict[int, list[SyscallEvent]] = {}
    for event in events:
        sorted_out.setdefault(event.process, []).append(event)
    return sorted_out
