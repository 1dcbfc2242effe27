"""Random calls with odd arguments: every one ends with a value or an errno, none sleeps."""

from __future__ import annotations

import os
import random
import signal
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from support.darwin_guest import NOWHERE, Guest, inet, timespec, timeval

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.errno import NAMES, Errno
from ymawky_kit.darwin.kernel import load_rows
from ymawky_kit.darwin.table import Row, table
from ymawky_kit.darwin.task import Interrupted
from ymawky_kit.emu.memory import BadAddress

load_rows()

MODULES = ("socket", "sockopt", "message", "poll", "select", "kqueue", "sendfile")
ROWS = [row for row in table if row.module in MODULES]
CALLS = 6_000


class Fuzzed(Guest):
    """A guest whose sleeps end at once, with values worth trying."""

    def __init__(self) -> None:
        super().__init__()
        listener, self.port = self.listener(nonblocking=True)
        first, second = self.pair()
        fds = [listener, first, second, self("kqueue")]
        for family, kind in ((abi.AF_INET, 1), (abi.AF_INET, 2), (abi.AF_UNIX, 2)):
            fds.append(self("socket", family, kind, 0))
        fds += [self.opened(fd) for fd in os.pipe()]
        self.kept_file = self.opened(os.open("/etc/hosts", os.O_RDONLY))
        fds.append(self.kept_file)
        fds.append(self.opened(os.open("/etc", os.O_RDONLY)))
        for fd in fds:
            os.set_blocking(fd, False)
        self.kept = set(fds)
        self.sockets = [fd for fd in fds if self.task.files.get(fd)]
        self.queue = fds[3]
        self.fds = [*fds, -1, 9999, 1 << 31]
        names = [
            inet(0), inet(self.port), inet(self.port, family=0), inet(9, family=30),
            bytes((8, abi.AF_UNIX)) + b"none\0", bytes((28, 30)) + bytes(26),
        ]
        values = [
            timeval(0), struct.pack("<i", 1), struct.pack("<q", -1), bytes(256), b"\xff" * 256
        ]
        self.pointers = [self.put(data) for data in (*names, *values)]
        self.times = [self.put(timespec(0))]
        self.changes = [
            self.put(struct.pack("<QhHIqQ", ident, -kind, flags, fflags, data, 6) * 3)
            for ident in (*fds[:6], os.getpid(), 30) for kind in (1, 2, 5, 6, 7, 10, 3, 99)
            for flags in (1, 2, 4, 8, 0x11, 0x21, 0x81, 0x41, 0x101)
            for fflags, data in ((0, 0), (1, 5), (0x8100_0000, -1))
        ][::5]
        self.polled = [self.put(struct.pack("<ihh", fd, 0x1FF, 0) * 4) for fd in self.fds[:-1]]
        rights = self.put(struct.pack("<Iiii", 16, 0xFFFF, 1, first))
        self.vectors = self.put(struct.pack("<QQ", self.pointers[-1], 64) * 4)
        self.messages = [
            self.put(struct.pack("<QI4xQi4xQIi", name, 16, self.vectors, 2, control, 16, 0))
            for control in (0, rights) for name in (0, self.pointers[1])
        ]
        self.frames = [self.put(struct.pack("<Qi4xQi4x", self.vectors, 1, self.vectors, 1)), 0]
        self.bad = [0, NOWHERE, self.pointers[0] + (1 << 20), (1 << 64) - 8]
        self.small = [0, 1, 2, 3, 4, 8, 16, 28, 30, 32, 64, 128, 1024, (1 << 32) - 1]
        self.task.block = self._no_sleep        # type: ignore[method-assign]
        self.task.block_any = self._no_sleep    # type: ignore[method-assign]

    @staticmethod
    def _no_sleep(*_: Any, **__: Any) -> NoReturn:
        raise Interrupted

    def argument(self, choice: random.Random, row: Row, index: int) -> int:
        """A value for an argument, now and then a senseless one."""
        name = row.kinds[index].name
        if choice.random() < 0.05:
            return choice.choice([*self.small, *self.bad, *self.fds])
        if name == "fd" or (row.name == "sendfile" and index < 2):
            if choice.random() < 0.2:
                return choice.choice(self.fds)
            if row.module == "kqueue":
                return self.queue
            return self.kept_file if row.name == "sendfile" and index == 0 else choice.choice(
                self.sockets
            )
        special = {
            "changes": self.changes, "changes64": self.changes, "pollfds": self.polled,
        }.get(name)
        if special is None and name == "address":
            if row.name in ("sendmsg", "recvmsg"):
                special = self.messages
            elif row.name == "sendfile":
                special = self.frames if index == 4 else None
            elif index == len(row.kinds) - 1 and row.module in ("kqueue", "select"):
                special = self.times
        if special is not None or name in ("address", "input", "output", "sockaddr"):
            return choice.choice(self.bad if choice.random() < 0.1 else special or self.pointers)
        if name == "enum level":
            return choice.choice([abi.SOL_SOCKET, abi.SOL_SOCKET, 6, 0, 41, 1])
        if name == "option":
            return choice.choice([
                *range(40), *range(0x1001, 0x1009), *range(0x1020, 0x1028), 0x80, 0x1080, 0x101,
                0x102, 0x105, 0x201, 0x400, 0x200, 0x1116,
            ])
        if name.startswith("enum"):
            return choice.choice([0, 0, 1, 1, 2, 2, 3, 5, 6, 30])
        if name == "int" and choice.random() < 0.5:
            return choice.choice([1, 2, 3])
        if name == "flags msg":
            return choice.choice([0, 0, 0x80, 2, 1, 0x40, 0x80000])
        if name == "offset":
            return choice.choice([0, 5, 1 << 40, (1 << 64) - 1])
        return choice.choice(self.small)

    def tidy(self) -> None:
        """Close what calls have made."""
        for fd, _ in self.task.files.items():
            if fd not in self.kept:
                self.close(fd)


@pytest.fixture
def guest() -> Iterator[Fuzzed]:
    with Fuzzed() as made:
        yield made


def call(guest: Fuzzed, row: Row, arguments: list[int]) -> str:
    """How the call ended; anything but a value, an errno or a signal propagates."""
    decoded = []
    try:
        for kind, value in zip(row.kinds, arguments, strict=True):
            names = {"task": guest.task, "memory": guest.memory}
            decoded.append(eval(kind.code.format(x=value & (1 << 64) - 1), names))
        row.handler(guest.task, *decoded)
    except Errno as error:
        assert error.number in NAMES
        return NAMES[error.number]
    except BadAddress:
        return "EFAULT"
    except (Interrupted, OSError):
        return "interrupted"
    return "done"


@pytest.mark.parametrize("seed", range(4))
def test_random_calls_end_with_a_value_or_an_errno(
    guest: Fuzzed, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)     # a bind of AF_UNIX makes a file of any name
    choice = random.Random(seed)
    seen: set[str] = set()
    guest.task.post_signal = lambda number: None    # type: ignore[method-assign]
    start = guest._next
    signal.alarm(60)            # a call that sleeps after all must not hold up the tests
    try:
        for _ in range(CALLS):
            row = choice.choice(ROWS)
            arguments = [guest.argument(choice, row, index) for index in range(len(row.kinds))]
            if row.name in ("listen", "shutdown", "connect") and choice.random() < 0.97:
                continue        # too soon every socket would listen, or be shut
            seen.add(call(guest, row, arguments))
            guest.tidy()
    finally:
        signal.alarm(0)
        guest._next = start
    assert {"done", "EBADF", "EINVAL", "EFAULT", "ENOTSOCK", "EAGAIN", "ENOENT"} <= seen
