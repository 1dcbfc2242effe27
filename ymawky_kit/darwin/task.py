"""What a system call works on: one guest process.

Guest descriptors are host descriptors, one to one, so that the lowest-free rule,
sharing over fork and the limits come from the host's kernel.  What the host
cannot hold (SO_NOSIGPIPE, a kqueue, a directory position) hangs on a
:class:`Description` beside the number.

A call that may sleep never sleeps in the host call itself while the guest has
signal handlers: a signal that arrives just before would be lost, and Python
restarts interrupted calls.  Instead the row does::

    task.block(fd, POLLIN)              # returns when ready, or raises Interrupted
    return os.read(fd, size)            # does not sleep now

`task.block` returns at once, without a host call, when nothing could interrupt it
(no handler installed): then the blocking host call may sleep itself.  A row that
must not sleep at all afterwards (several processes wait on one listener) makes the
host call non-blocking and loops over `task.block(..., always=True)`.
"""

from __future__ import annotations

import fcntl
import os
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ymawky_kit.darwin.errno import EBADF, EFAULT, ENAMETOOLONG, ENOENT, Errno
from ymawky_kit.emu.exit import ProcessEnd
from ymawky_kit.emu.memory import BadAddress, Memory

if TYPE_CHECKING:
    from ymawky_kit.darwin.delivery import Signals
    from ymawky_kit.darwin.kernel import Kernel
    from ymawky_kit.emu.cpu import Cpu

__all__ = ["Description", "Files", "Interrupted", "ProcessEnd", "Task"]

PATH_MAX = 1024


class Interrupted(Exception):
    """A caught signal ended a sleep: EINTR, or the call runs again.

    XNU bsd/kern/kern_synch.c _sleep: ERESTART unless the signal lacks SA_RESTART or the
    call never restarts.
    """


@dataclass(slots=True, eq=False)
class Description:
    """What belongs to an open file rather than to a number; dup shares it."""

    kind: str = ""              # "socket", "kqueue", "directory", "pipe"; rows choose
    no_sigpipe: bool = False    # SO_NOSIGPIPE or F_SETNOSIGPIPE
    data: Any = None            # the row module's own state
    extra: dict[str, Any] = field(default_factory=dict)


class Files:
    """The guest's descriptors beyond what the host's kernel keeps."""

    def __init__(self) -> None:
        #: Descriptors from here on belong to the emulator: EBADF to the guest.
        self.ceiling = 10240 if sys.platform != "darwin" else 10240 - 64
        #: Host descriptors below the ceiling that were open before the guest began
        #: (only when the guest runs inside another Python process).
        self.hidden: frozenset[int] = frozenset()
        #: Guest number -> host number where they differ: captured standard streams.
        self.redirected: dict[int, int] = {}
        #: Give the guest numbers of its own, counted as in a new process, whatever is open
        #: in the one it runs inside; `redirected` holds them all.
        self.numbered = False
        self._descriptions: dict[int, Description] = {}
        #: Called with a descriptor that the guest closes, while it is still open.
        self.on_close: list[Callable[[int], None]] = []
        #: Descriptors that vanish in a forked child (kqueue, O_CLOFORK).
        self.close_on_fork: set[int] = set()

    def number(self, raw: int) -> int:
        """The host descriptor for a register's value; raises Errno(EBADF)."""
        fd = raw & 0xFFFFFFFF
        if fd >= self.ceiling:
            raise Errno(EBADF)
        if self.redirected or self.hidden:
            if fd in self.redirected:
                return self.redirected[fd]
            if self.numbered:
                raise Errno(EBADF)
            if fd in self.hidden:
                raise Errno(EBADF)
        return fd

    def given(self, fd: int, lowest: int = 0) -> int:
        """What the guest calls a descriptor that the host has just made."""
        if not self.numbered:
            return fd
        while self.redirected.get(lowest, -1) >= 0:
            lowest += 1
        self.redirected[lowest] = fd
        return lowest

    def directory(self, raw: int) -> int:
        """As `number`, but AT_FDCWD (-2) passes."""
        return -2 if raw & 0xFFFFFFFF == 0xFFFFFFFE else self.number(raw)

    def get(self, fd: int) -> Description | None:
        """What is known about a descriptor; None for an ordinary file."""
        return self._descriptions.get(fd)

    def describe(self, fd: int, kind: str = "") -> Description:
        """The description of a descriptor, made when it has none."""
        found = self._descriptions.get(fd)
        if found is None:
            found = self._descriptions[fd] = Description(kind)
        elif kind and not found.kind:
            found.kind = kind
        return found

    def attach(self, fd: int, description: Description) -> None:
        """Hang a description on a new descriptor."""
        self._descriptions[fd] = description

    def duplicated(self, old: int, new: int) -> None:
        """After dup, dup2 or F_DUPFD: both numbers now name one open file."""
        found = self._descriptions.get(old)
        if found is None:
            self._descriptions.pop(new, None)
        else:
            self._descriptions[new] = found
        self.close_on_fork.discard(new)
        if found is not None and found.kind == "kqueue":
            self.close_on_fork.add(new)

    def closed(self, fd: int) -> None:
        """Before the host's close, and before dup2 reuses a number."""
        for action in self.on_close:
            action(fd)
        self._descriptions.pop(fd, None)
        self.close_on_fork.discard(fd)

    def claim(self, fd: int) -> int:
        """Make a host descriptor the emulator's own: moved above the ceiling, close-on-exec.

        Returns its new number.  Raises OSError (EMFILE) when there is no room.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft <= self.ceiling:
            # The soft limit is the guest's; lift it for a moment.
            room = self.ceiling + 64
            room = room if hard < 0 else min(hard, room)
            resource.setrlimit(resource.RLIMIT_NOFILE, (room, hard))
        try:
            return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, self.ceiling)
        finally:
            os.close(fd)
            if soft <= self.ceiling:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def items(self) -> list[tuple[int, Description]]:
        return list(self._descriptions.items())

    def forked(self) -> None:
        """In a new child: descriptors that are not inherited go away."""
        for fd in sorted(self.close_on_fork):
            self.closed(fd)
            os.close(fd)


class Task:
    """One guest process, as the rows see it."""

    def __init__(self, memory: Memory, cpu: Cpu, signals: Signals) -> None:
        self.memory = memory
        self.cpu = cpu
        self.signals = signals
        self.files = Files()
        #: The dispatcher; set by it.
        self.kernel: Kernel
        #: True in a process of our own (the runner's): limits, masks and death are
        #: then the host process's.  False inside a notebook or a test.
        self.owns_process = False
        #: Soft and hard limits that differ from the host's, by RLIMIT_ number.
        self.limits: dict[int, tuple[int, int]] = {}
        #: Path given to exec, and its arguments, for apple[] and proc_info.
        self.executable = b""
        self.arguments: tuple[bytes, ...] = ()
        #: Free for row modules: one entry a module, `task.state["memory_map"]`.
        self.state: dict[str, Any] = {}
        #: Called in a forked child before the guest goes on.
        self.on_fork: list[Callable[[], None]] = [self.files.forked]
        #: Called before a successful execve replaces the program.
        self.on_exec: list[Callable[[], None]] = []
        #: From the fault plan: the largest transfer the running call may make, or None.
        self.short: int | None = None

    # --- arguments ------------------------------------------------------------------------

    def path(self, address: int, *, empty: bool = False) -> bytes:
        """A path argument; raises Errno: EFAULT, ENAMETOOLONG (1024 or more), ENOENT (empty)."""
        try:
            found = self.memory.cstring(address, PATH_MAX)
        except BadAddress:
            raise Errno(EFAULT) from None
        if found is None:
            raise Errno(ENAMETOOLONG)
        if not found and not empty:
            raise Errno(ENOENT)
        return found

    # --- sleeping -------------------------------------------------------------------------

    @property
    def interruptible(self) -> bool:
        """True when a sleep could be ended by a signal the guest handles."""
        return self.signals.armed

    def block(
        self, fd: int, events: int, timeout: float | None = None, *, always: bool = False
    ) -> bool:
        """Sleep until `fd` is ready for the host's poll `events`.

        Returns False when `timeout` seconds pass first (None: never).  Raises
        Interrupted when a signal the guest handles comes, also one that came before
        the call.  Without handlers and timeout it returns True at once: the host call
        that follows sleeps itself, unless `always` is set.
        """
        if not always and timeout is None and not self.signals.armed:
            return True
        return bool(self.signals.poll(((fd, events),), timeout))

    def block_any(
        self, wanted: Sequence[tuple[int, int]], timeout: float | None = None
    ) -> list[tuple[int, int]]:
        """Sleep until one of (fd, host poll events) is ready: (fd, returned events).

        Empty when `timeout` seconds pass first.  Raises Interrupted as `block` does.
        """
        return self.signals.poll(wanted, timeout)

    def sleep(self, seconds: float | None) -> None:
        """Sleep, or with None until a signal; raises Interrupted."""
        self.signals.poll((), seconds)

    def check_interrupt(self) -> None:
        """Raise Interrupted when a handled signal waits."""
        if self.signals.deliverable():
            raise Interrupted

    def post_signal(self, number: int) -> None:
        """Send a Darwin signal to this process itself, SIGPIPE for instance."""
        self.signals.post(number)
