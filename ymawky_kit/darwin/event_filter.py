"""What each filter of a kqueue means: descriptors, processes, signals, timers, user events.

Source: XNU bsd/kern/kern_event.c (filt_proc*, filt_timer*, filt_user*),
bsd/kern/kern_sig.c (filt_sig*), bsd/vfs/vfs_vnops.c (vn_kqfilter).
"""

from __future__ import annotations

import os
import stat
import sys
import time
from typing import Final

from ymawky_kit.darwin import abi, endpoint
from ymawky_kit.darwin.errno import (
    EACCES,
    EBADF,
    EINVAL,
    ENOTSUP,
    ERANGE,
    ESRCH,
    Errno,
    from_host,
)
from ymawky_kit.darwin.event_queue import Queue
from ymawky_kit.darwin.knote import FILTERS, Event, Filter, Note
from ymawky_kit.darwin.watcher import own

_NANOSECONDS: Final = 1_000_000_000
_MOST: Final = (1 << 64) - 1


class _Descriptor(Filter):
    """EVFILT_READ and EVFILT_WRITE."""

    def attach(self, queue: Queue, note: Note) -> None:
        task = queue.task
        fd = task.files.number(note.ident) if note.ident <= 0xFFFFFFFF else -1
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            raise Errno(EBADF) from None
        note.handle = fd
        if stat.S_ISSOCK(mode):
            note.state = endpoint.of(task, fd)
        elif stat.S_ISDIR(mode):
            raise Errno(EINVAL)
        else:
            known = task.files.get(fd)
            if known is not None and known.kind == "kqueue":
                raise Errno(ENOTSUP)
            if stat.S_ISREG(mode):
                note.file = True
                queue.files[note.key] = note
                return
        queue.watch(note)


class _Process(Filter):
    """EVFILT_PROC: NOTE_EXIT and NOTE_EXITSTATUS, through a pidfd."""

    def attach(self, queue: Queue, note: Note) -> None:
        if sys.platform != "linux":
            raise Errno(ENOTSUP)
        wanted = abi.NOTE_EXIT | abi.NOTE_EXITSTATUS
        if note.asked & ~wanted:
            raise Errno(ENOTSUP)        # NOTE_FORK, NOTE_EXEC, NOTE_SIGNAL
        pid = note.ident
        if not 0 < pid <= abi.INT_MAX:
            raise Errno(ESRCH)
        child = True
        try:
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                raise Errno(ESRCH)      # a zombie: proc_find finds no more
        except ChildProcessError:
            child = False
        if not child and note.asked & wanted == wanted:
            raise Errno(EACCES)
        try:
            note.handle = own(queue.task, lambda: os.pidfd_open(pid))
        except OSError as error:
            raise Errno(from_host(error.errno)) from None
        note.flags |= abi.EV_CLEAR
        note.data = 0
        queue.children[note.handle] = note
        if not note.disabled:
            queue.readers_host.set(note.handle, once=True)

    def touch(self, queue: Queue, note: Note, fflags: int, data: int) -> None:
        note.asked = fflags

    def process(self, queue: Queue, note: Note, found: list[Event]) -> None:
        queue.give(note, note.count, found)


class _Signal(Filter):
    """EVFILT_SIGNAL: every posting counts, also of ignored and blocked signals."""

    def attach(self, queue: Queue, note: Note) -> None:
        note.flags |= abi.EV_CLEAR
        note.data = 0
        queue.hang_bell()
        queue.task.signals.watch(note.ident, note, lambda: queue.ring(note))

    def touch(self, queue: Queue, note: Note, fflags: int, data: int) -> None:
        """Nothing of a signal note can change."""

    def process(self, queue: Queue, note: Note, found: list[Event]) -> None:
        if note.count:
            seen, note.count = note.count, 0
            queue.give(note, seen, found)


class _Timer(Filter):
    """EVFILT_TIMER: periods in ms, s, us, ns or Mach ticks; data counts expirations."""

    def attach(self, queue: Queue, note: Note) -> None:
        self._set(note, note.asked, note.data)
        note.flags |= abi.EV_CLEAR
        if note.asked & abi.NOTE_ABSOLUTE:
            note.flags |= abi.EV_ONESHOT
        queue.arm(note)

    def touch(self, queue: Queue, note: Note, fflags: int, data: int) -> None:
        if (note.asked ^ fflags) & abi.NOTE_ABSOLUTE:
            raise Errno(EINVAL)
        self._set(note, fflags, data)
        note.asked = fflags
        if note.active:
            queue.active.remove(note)
            note.active = False
        queue.arm(note)

    @staticmethod
    def _set(note: Note, fflags: int, data: int) -> None:
        """Deadline and interval in ns (filt_timervalidate); raises Errno EINVAL, ERANGE."""
        units = fflags & (
            abi.NOTE_SECONDS | abi.NOTE_USECONDS | abi.NOTE_NSECONDS | abi.NOTE_MACHTIME
        )
        if units not in _UNITS:
            raise Errno(EINVAL)
        scale, divisor = _UNITS[units]
        amount = (data & _MOST) * scale
        if amount > _MOST and (data >= 0 or fflags & abi.NOTE_ABSOLUTE):
            raise Errno(ERANGE)
        amount //= divisor
        now = time.monotonic_ns()
        note.interval = 0
        if fflags & abi.NOTE_ABSOLUTE:
            calendar = units != abi.NOTE_MACHTIME
            note.deadline = now + amount - time.time_ns() if calendar else amount
        elif data < 0:
            note.deadline = now         # at once, and only once
        else:
            note.deadline = now + amount
            note.interval = amount

    def process(self, queue: Queue, note: Note, found: list[Event]) -> None:
        times = 1
        if note.interval and not note.flags & abi.EV_ONESHOT:
            started = note.deadline - note.interval
            times = max(1, (time.monotonic_ns() - started) // note.interval)
            note.deadline += times * note.interval
            queue.arm(note)
        queue.give(note, times, found)


#: (multiplier, divisor) to nanoseconds by NOTE_ unit; a Mach tick is 125/3 ns.
_UNITS: Final[dict[int, tuple[int, int]]] = {
    0: (1_000_000, 1),
    abi.NOTE_SECONDS: (_NANOSECONDS, 1),
    abi.NOTE_USECONDS: (1000, 1),
    abi.NOTE_NSECONDS: (1, 1),
    abi.NOTE_MACHTIME: (abi.TIMEBASE_NUMERATOR, abi.TIMEBASE_DENOMINATOR),
}


class _User(Filter):
    """EVFILT_USER: fires by NOTE_TRIGGER; the low 24 bits of fflags are the program's."""

    def attach(self, queue: Queue, note: Note) -> None:
        if note.asked & abi.NOTE_TRIGGER:
            queue.activate(note)

    def touch(self, queue: Queue, note: Note, fflags: int, data: int) -> None:
        control = fflags & abi.NOTE_FFCTRLMASK
        bits = fflags & abi.NOTE_FFLAGSMASK
        if control == abi.NOTE_FFAND:
            note.asked &= bits
        elif control == abi.NOTE_FFOR:
            note.asked |= bits
        elif control == abi.NOTE_FFCOPY:
            note.asked = bits
        note.data = data
        if fflags & abi.NOTE_TRIGGER:
            queue.activate(note)

    def process(self, queue: Queue, note: Note, found: list[Event]) -> None:
        note.fflags = note.asked
        queue.give(note, note.data, found)
        if not note.flags & (abi.EV_CLEAR | abi.EV_ONESHOT):
            queue.activate(note)        # level: it stays triggered


def install() -> None:
    """Make the filters known to the queues."""
    FILTERS.update({
        abi.EVFILT_READ: _Descriptor(),
        abi.EVFILT_WRITE: _Descriptor(),
        abi.EVFILT_PROC: _Process(),
        abi.EVFILT_SIGNAL: _Signal(),
        abi.EVFILT_TIMER: _Timer(),
        abi.EVFILT_USER: _User(),
    })
