"""A guest process without a program: memory, descriptors and the table of calls.

Tests call rows as a program would, by name and with register values; the arguments
are decoded by the row's own kinds, a failure comes back as its error's name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from ymawky_kit.darwin import abi, host, structs
from ymawky_kit.darwin.errno import EFAULT, EINTR, Errno, from_host
from ymawky_kit.darwin.errno import name as errno_name
from ymawky_kit.darwin.kernel import Kernel
from ymawky_kit.darwin.table import Row, table
from ymawky_kit.darwin.task import Interrupted, Task
from ymawky_kit.emu.cpu import Cpu
from ymawky_kit.emu.memory import BadAddress, Memory

BASE = 0x1_0000_0000
PAGES = 16
SIZE = PAGES * abi.PAGE_SIZE
#: The first address behind the guest's memory: nothing is mapped there.
END = BASE + SIZE
NOWHERE = 0x7_0000_0000


class Guest:
    """Conveniences around one Task with 16 pages of memory."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.cpu = Cpu(self.memory)
        self.kernel = Kernel(self.memory, self.cpu)
        self.kernel.report = False
        self.task: Task = self.kernel.task
        self.memory.map(BASE, SIZE, 3, 3, name="data")
        self._next = BASE
        self.opened: set[int] = set()

    def __enter__(self) -> Guest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for fd in self.opened:
            try:
                os.close(fd)
            except OSError:
                continue
        self.task.signals.release()
        self.cpu.close()
        self.memory.close()

    # --- memory ---------------------------------------------------------------------------

    def room(self, size: int) -> int:
        """The address of `size` fresh bytes, 16-aligned."""
        at = self._next
        self._next = (at + size + 15) & ~15
        assert self._next <= END, "the guest's memory is used up"
        return at

    def put(self, data: bytes) -> int:
        """The address of a copy of `data`."""
        at = self.room(max(len(data), 1))
        self.memory.write(at, data)
        return at

    def text(self, text: str | bytes | os.PathLike[str]) -> int:
        """The address of a C string."""
        return self.put(os.fsencode(text) + b"\0")

    def get(self, address: int, size: int) -> bytes:
        return self.memory.read(address, size)

    def struct(self, layout: structs.Layout, **values: int | bytes) -> int:
        """The address of a structure."""
        return self.put(layout.pack(**values))

    def read_struct(self, layout: structs.Layout, address: int) -> dict[str, int | bytes]:
        return layout.unpack(self.get(address, layout.size))

    # --- calls ----------------------------------------------------------------------------

    def call(self, name: str, *registers: int) -> int | tuple[int, int]:
        """Make a call; raises Errno as the dispatcher would report it."""
        row = table.named(name)
        assert row is not None, f"no row is called {name}"
        values = self._decode(row, registers)
        try:
            result = row.handler(self.task, *values)
        except BadAddress:
            raise Errno(EFAULT) from None
        except Interrupted:
            raise Errno(EINTR) from None
        except OSError as error:
            raise Errno(from_host(error.errno)) from None
        return 0 if result is None else result

    def _decode(self, row: Row, registers: tuple[int, ...]) -> list[object]:
        padded = [value & 0xFFFF_FFFF_FFFF_FFFF for value in registers]
        padded += [0] * (len(row.kinds) - len(padded))
        names = {"task": self.task, "memory": self.memory, "call": padded}
        try:
            return [
                eval(kind.code.format(x=f"call[{index}]"), dict(names))
                for index, kind in enumerate(row.kinds)
            ]
        except BadAddress:
            raise Errno(EFAULT) from None

    def ok(self, name: str, *registers: int) -> int:
        """A call that must succeed, and its first result."""
        result = self.call(name, *registers)
        return result if isinstance(result, int) else result[0]

    def error(self, name: str, *registers: int) -> str:
        """The name of the error a call ends with, or "ok"."""
        try:
            self.call(name, *registers)
        except Errno as error:
            return errno_name(error.number)
        return "ok"

    def open(self, path: str | bytes | os.PathLike[str], flags: int = 0, mode: int = 0o644) -> int:
        """open(2) that must succeed; closed when the guest ends."""
        fd = self.ok("open", self.text(path), flags, mode)
        self.opened.add(fd)
        return fd

    def try_open(
        self, path: str | bytes | os.PathLike[str], flags: int = 0, mode: int = 0o644
    ) -> str:
        """The error of an open, or "ok" (and closed again)."""
        try:
            fd = self.ok("open", self.text(path), flags, mode)
        except Errno as error:
            return errno_name(error.number)
        os.close(fd)
        return "ok"

    def pipe(self) -> tuple[int, int]:
        ends = self.call("pipe")
        assert isinstance(ends, tuple)
        self.opened.update(ends)
        return ends

    def signals(self) -> list[int]:
        """Darwin signals that wait for delivery."""
        waiting = self.task.signals.waiting()
        return [number for number in range(1, abi.NSIG) if waiting >> (number - 1) & 1]

    def catch(self, number: int, flags: int = 0) -> None:
        """Install a handler, so that sleeping calls become interruptible."""
        action = self.struct(
            structs.SIGACTION_IN, sa_handler=BASE, sa_tramp=BASE, sa_flags=flags
        )
        self.ok("sigaction", number, action, 0)


@contextmanager
def without(*features: str) -> Iterator[None]:
    """A host that lacks these: openat2, statx, renameat2."""
    before = {name: getattr(host.absent, name) for name in features}
    for name in features:
        setattr(host.absent, name, True)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(host.absent, name, value)
