"""A guest process without a program: rows are called directly, over real sockets.

Memory is a megabyte at `BASE`.  `guest("bind", fd, address, 16)` calls the row's handler
as the dispatcher would and gives its result; a failure is an :class:`Errno`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.errno import EFAULT, NAMES, Errno
from ymawky_kit.darwin.kernel import Kernel
from ymawky_kit.darwin.table import table
from ymawky_kit.emu.cpu import Cpu
from ymawky_kit.emu.memory import BadAddress, Memory

BASE = 0x2_0000_0000
SIZE = 1 << 20
#: An address the guest has nothing at.
NOWHERE = 0x3_0000_0000
LOOPBACK = b"\x7f\0\0\1"


class Guest:
    """A task, and a stretch of memory to put things in."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.memory.map(BASE, SIZE, 3)
        self.kernel = Kernel(self.memory, Cpu(self.memory))
        self.kernel.report = False
        self.task = self.kernel.task
        self.task.limits[abi.RLIMIT_NOFILE] = (2048, 2048)
        self._next = BASE
        self._files: list[int] = []
        self.dead = False

    def __call__(self, name: str, *arguments: int) -> Any:
        row = table.named(name)
        assert row is not None, name
        try:
            return row.handler(self.task, *arguments) or 0
        except BadAddress:
            raise Errno(EFAULT) from None

    def fails(self, name: str, *arguments: int) -> str:
        """The name of the error a call ends with, "" when it succeeds."""
        try:
            self(name, *arguments)
        except Errno as error:
            return NAMES[error.number]
        return ""

    def put(self, data: bytes | int) -> int:
        """A fresh address holding these bytes, or that many zeros."""
        data = bytes(data)
        at = self._next
        self._next += (len(data) + 31) & -16
        assert self._next < BASE + SIZE
        self.memory.write(at, data)
        return at

    def read(self, at: int, size: int) -> bytes:
        return self.memory.read(at, size)

    def i32(self, at: int) -> int:
        return self.memory.i32(at)

    def opened(self, fd: int) -> int:
        """A host descriptor handed to the guest; closed in the end."""
        self._files.append(fd)
        return fd

    # --- what many tests begin with -------------------------------------------------------

    def listener(self, backlog: int = 16, *, nonblocking: bool = False) -> tuple[int, int]:
        """(descriptor, port) of a TCP listener on 127.0.0.1, made with guest calls."""
        fd = self("socket", abi.AF_INET, abi.SOCK_STREAM, 0)
        self("bind", fd, self.put(inet(0)), 16)
        self("listen", fd, backlog)
        name = self.put(16)
        self("getsockname", fd, name, self.put(struct.pack("<I", 16)))
        os.set_blocking(fd, not nonblocking)
        return fd, int.from_bytes(self.read(name + 2, 2), "big")

    def connection(self) -> tuple[int, socket.socket]:
        """A guest socket accepted from a plain client socket: (guest's, client)."""
        fd, port = self.listener()
        client = socket.create_connection(("127.0.0.1", port), timeout=5)
        accepted = self("accept", fd, 0, 0)
        self.close(fd)
        return accepted, client

    def pair(self) -> tuple[int, int]:
        """Two connected AF_UNIX stream sockets of the guest."""
        at = self.put(8)
        self("socketpair", abi.AF_UNIX, abi.SOCK_STREAM, 0, at)
        first, second = struct.unpack("<ii", self.read(at, 8))
        return first, second

    def set(self, fd: int, level: int, name: int, value: int | bytes) -> None:
        data = value if isinstance(value, bytes) else struct.pack("<i", value)
        self("setsockopt", fd, level, name, self.put(data), len(data))

    def get(self, fd: int, level: int, name: int, size: int = 4) -> bytes:
        at, length = self.put(size), self.put(struct.pack("<I", size))
        self("getsockopt", fd, level, name, at, length)
        return self.read(at, self.i32(length))

    def get_int(self, fd: int, level: int, name: int) -> int:
        return int(struct.unpack("<i", self.get(fd, level, name))[0])

    def close(self, fd: int) -> None:
        """What the row does: tell, then close."""
        self.task.files.closed(fd)
        os.close(fd)

    def finish(self) -> None:
        """Close everything the guest has open."""
        if self.dead:
            return
        self.dead = True
        for fd, _ in self.task.files.items():
            with contextlib.suppress(OSError):
                self.close(fd)
        for fd in self._files:
            with contextlib.suppress(OSError):
                os.close(fd)
        self.kernel.close()
        self.memory.close()

    def __enter__(self) -> Guest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()


def inet(port: int, address: bytes = LOOPBACK, *, family: int = abi.AF_INET, length: int = 16
         ) -> bytes:
    """sockaddr_in in Darwin's layout."""
    return bytes((length, family)) + port.to_bytes(2, "big") + address + bytes(8)


def timeval(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("<qi4x", whole, round((seconds - whole) * 1e6))


def timespec(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("<qq", whole, round((seconds - whole) * 1e9))


@contextlib.contextmanager
def later(seconds: float, action: Callable[[], object]) -> Iterator[None]:
    """Do something in a thread after a while; joined in the end."""
    timer = threading.Timer(seconds, action)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def reset(client: socket.socket) -> None:
    """Close a client's socket with RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for something another process or the network does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.001)
