"""System-call traces: decoded arguments, and a file that all processes append to."""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ymawky_kit.darwin.table import Row, quoted
from ymawky_kit.emu.event import SyscallEvent
from ymawky_kit.emu.memory import BadAddress
from ymawky_kit.nameless import nameless

if TYPE_CHECKING:
    from ymawky_kit.darwin.task import Task

#: Bytes of a buffer that an event keeps; its text shows the first 32.
PREVIEW: Final = 64
_SHOWN: Final = 32


def arguments_of(row: Row, task: Task, raw: tuple[int, ...]) -> tuple[tuple[str, ...], bytes]:
    """The arguments as text, and the bytes that the call is about to read."""
    shown: list[str] = []
    data = b""
    for index, (kind, value) in enumerate(zip(row.kinds, raw, strict=True)):
        if kind.role == "input" and index + 1 < len(raw):
            data = _bytes(task, value, raw[index + 1])
            shown.append(quoted_or_pointer(task, value, raw[index + 1]))
        else:
            shown.append(kind.show(task, value))
    return tuple(shown), data


def preview_of(
    row: Row, task: Task, raw: tuple[int, ...], shown: tuple[str, ...], data: bytes, result: int
) -> tuple[tuple[str, ...], bytes]:
    """The same once the call has filled its output buffer with `result` bytes."""
    for index, kind in enumerate(row.kinds):
        if kind.role == "output" and 0 < result < 1 << 31:
            text = quoted_or_pointer(task, raw[index], result)
            data = _bytes(task, raw[index], result)
            return (*shown[:index], text, *shown[index + 1:]), data
    return shown, data


def quoted_or_pointer(task: Task, address: int, size: int) -> str:
    """Bytes of the guest as a C string; the bare pointer when they cannot be read."""
    if not address:
        return "NULL"
    data = _bytes(task, address, size)
    if not data and size:
        return hex(address)
    return quoted(data, _SHOWN)


def _bytes(task: Task, address: int, size: int) -> bytes:
    try:
        return task.memory.read(address, min(size, PREVIEW))
    except BadAddress:
        return b""


class TraceSink:
    """A file of events, one JSON line each, that forked processes share.

    Lines go out in one write to a file opened for appending, so processes do not
    mix.  The file has no name: nothing is left behind however a run ends.
    """

    def __init__(self, fd: int | None = None, *, entries: bool = False) -> None:
        """Append to an open file, or to a new one that `events` reads back.

        With `entries` every call is written twice, when it begins and when it returns,
        and the death of a process by a signal is written as a call named "killed":
        so the reader knows at any time which call a process waits in.
        """
        self.entries = entries
        if fd is None:
            fd = nameless(append=True)
        self._fd = fd
        self._read = 0
        self._rest = b""
        self._events: list[SyscallEvent] = []
        self._finalizer = weakref.finalize(self, os.close, fd)

    def fileno(self) -> int:
        """The descriptor, to hand to an emulated process."""
        return self._fd

    def move(self, claim: Callable[[int], int]) -> None:
        """Get the descriptor out of the guest's way: `claim` gives it another number."""
        self._finalizer.detach()
        self._fd = claim(self._fd)
        self._finalizer = weakref.finalize(self, os.close, self._fd)

    def write(self, event: SyscallEvent) -> None:
        os.write(self._fd, event.to_json().encode() + b"\n")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process of the run at a time is in here; who dies in it lets the next one in."""
        fcntl.lockf(self._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN)

    def fresh(self) -> list[SyscallEvent]:
        """What all processes have written since the last look."""
        found: list[SyscallEvent] = []
        while chunk := os.pread(self._fd, 1 << 16, self._read):
            self._read += len(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            found += map(SyscallEvent.from_json, lines)
        self._events += found
        return found

    def events(self) -> list[SyscallEvent]:
        """Everything written so far, by all processes; also after `close`."""
        if self._finalizer.alive:
            self.fresh()
        return list(self._events)

    def close(self) -> None:
        """Read the rest and close the file."""
        if self._finalizer.alive:
            self.fresh()
            self._finalizer()
