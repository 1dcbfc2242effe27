"""System-call traces: decoded arguments, and a file that all processes append to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from ymawky_kit.darwin.table import Row, quoted
from ymawky_kit.emu.event import SyscallEvent
from ymawky_kit.emu.memory import BadAddress

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
    mix.
    """

    def __init__(self, path: str | None = None) -> None:
        """Append to `path`, or to a nameless file that `events` reads back."""
        if path is None:
            import tempfile  # slow to load, and not needed by an emulated process

            handle, name = tempfile.mkstemp(prefix="ymawky-trace-")
            os.close(handle)
            self._fd = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            os.unlink(name)
        else:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o600)

    def move(self, claim: Callable[[int], int]) -> None:
        """Get the descriptor out of the guest's way: `claim` gives it another number."""
        self._fd = claim(self._fd)

    def write(self, event: SyscallEvent) -> None:
        os.write(self._fd, event.to_json().encode() + b"\n")

    def events(self) -> Iterator[SyscallEvent]:
        """Everything written so far, by all processes."""
        size = os.fstat(self._fd).st_size
        at = 0
        rest = b""
        while at < size:
            chunk = os.pread(self._fd, 1 << 16, at)
            if not chunk:
                return
            at += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield SyscallEvent.from_json(line)

    def close(self) -> None:
        os.close(self._fd)
