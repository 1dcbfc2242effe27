"""kqueue, kevent, kevent64: Darwin's event queue over the host's.

A queue is an epoll instance (on a macOS host, a kqueue) under the guest's own number,
so it can be polled and closed like any descriptor.  Why it is fast:

* The interest stays in the host's kernel.  A call with one change and a few events is
  one epoll_ctl, one epoll_wait and one FIONREAD an event, about 6 to 10 us whatever
  the number of descriptors; nothing is scanned.
* The first epoll_wait never sleeps.  A busy server finds events there; only an idle
  one pays for `task.block`, which loses no signal.
* Notes are found by number: one dictionary look-up an event, no object is made.

EV_CLEAR is EPOLLET, EV_ONESHOT and EV_DISPATCH are EPOLLONESHOT.  Write notes live in
an epoll of their own inside the first, so that one descriptor may have a level note to
read and an edge note to write.  Timers are a heap, user and signal notes a list: they
need no descriptor each.  Source: XNU bsd/kern/kern_event.c (kevent_internal,
kevent_register, knote_process, filt_proc*, filt_timer*, filt_user*),
bsd/kern/kern_sig.c (filt_signal), bsd/kern/uipc_socket.c (filt_soread_common).
"""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count
from struct import Struct
from typing import Final

from ymawky_kit.darwin import abi, endpoint, host_signal, host_socket, limits, sockopt, structs
from ymawky_kit.darwin.endpoint import Socket
from ymawky_kit.darwin.errno import (
    EACCES,
    EBADF,
    EINVAL,
    ENOENT,
    ENOTSUP,
    ERANGE,
    ESRCH,
    Errno,
    from_host,
)
from ymawky_kit.darwin.host_socket import LINUX, POLLERR, POLLHUP, POLLIN, READ_END
from ymawky_kit.darwin.poll import idle
from ymawky_kit.darwin.table import ADDRESS, FD, FULL, INT, PARTIAL, UINT, table
from ymawky_kit.darwin.task import Description, Task
from ymawky_kit.darwin.watcher import Watcher, create, high, lifted

_KEVENT: Final = structs.KEVENT.codec
_KEVENT64: Final = structs.KEVENT64.codec
_TIMESPEC: Final = structs.TIMESPEC.codec
_NANOSECONDS: Final = 1_000_000_000
#: How often a note on a regular file at its end is looked at again, in seconds.
_FILE_TICK: Final = 0.02
#: The most events one host call is asked for.
_BATCH: Final = 512
_MOST: Final = (1 << 64) - 1
#: Notes that report once: the host puts them to sleep by itself.
_ONCE: Final = abi.EV_ONESHOT | abi.EV_DISPATCH

#: Filters Darwin has and this emulator has not.
_UNSUPPORTED: Final = frozenset({
    abi.EVFILT_AIO, abi.EVFILT_VNODE, abi.EVFILT_MACHPORT, abi.EVFILT_FS, abi.EVFILT_VM,
    abi.EVFILT_EXCEPT,
})

Event = tuple[int, int, int, int, int, int, int, int]


class Note:
    """A knote: what was asked for, and what has happened."""

    __slots__ = (
        "active", "asked", "count", "data", "deadline", "disabled", "edge", "ext", "fflags",
        "file", "filter", "flags", "handle", "ident", "interval", "key", "serial", "state",
        "udata",
    )

    def __init__(
        self, key: Key, ident: int, kind: int, flags: int, fflags: int, data: int, udata: int,
        ext: tuple[int, int],
    ) -> None:
        self.key = key
        self.ident = ident
        self.filter = kind
        self.flags = flags      # of the first EV_ADD, for good
        self.asked = fflags     # kn_sfflags: what the program wants to hear of
        self.fflags = 0         # kn_fflags: what it is told
        self.data = data
        self.udata = udata
        self.ext = ext
        self.disabled = False
        self.active = False     # software notes: waits in Queue.active
        self.count = 0          # signals seen, or a child's wait status
        self.deadline = 0       # timers: ns of the monotonic clock
        self.interval = 0
        self.serial = 0         # which entry of the heap is this timer's
        self.handle = -1        # host descriptor: the file's, or a pidfd
        self.state: Socket | None = None
        self.file = False       # a regular file: no host queue can watch it
        self.edge = False       # watched for changes only, as nothing is ready yet


Key = int | tuple[int, int]


class Queue:
    """One kqueue: its notes by key, and the host queues that watch descriptors."""

    def __init__(self, task: Task, fd: int) -> None:
        self.task = task
        self.fd = fd                            # the guest's number of the host queue
        self.readers_host = Watcher(lifted(task, fd))
        self.writers_host: Watcher | None = None
        self.notes: dict[Key, Note] = {}
        self.readers: dict[int, Note] = {}      # host descriptor -> note
        self.writers: dict[int, Note] = {}
        self.children: dict[int, Note] = {}     # pidfd -> note
        self.files: dict[Key, Note] = {}        # regular files
        self.active: deque[Note] = deque()
        self.heap: list[tuple[int, int, Note]] = []
        self.bell = -1                          # eventfd rung by signal notes
        self._serials = count()

    # --- registering ----------------------------------------------------------------------

    def change(
        self, ident: int, kind: int, flags: int, fflags: int, data: int, udata: int,
        ext: tuple[int, int] = (0, 0),
    ) -> None:
        """Apply one change (kevent_register); raises Errno."""
        if kind not in _FILTERS:
            raise Errno(ENOTSUP if kind in _UNSUPPORTED else EINVAL)
        key: Key = ident << 5 | -kind
        if flags & abi.EV_UDATA_SPECIFIC:
            key = (ident << 5 | -kind, udata)
        if flags & abi.EV_VANISHED:
            raise Errno(EINVAL)
        note = self.notes.get(key)
        if flags & abi.EV_DELETE:
            if note is None:
                raise Errno(ENOENT)
            self.drop(note)
        elif note is None:
            if not flags & abi.EV_ADD:
                raise Errno(ENOENT)
            flags &= ~(abi.EV_ENABLE if flags & abi.EV_DISABLE else 0)
            note = Note(key, ident, kind, flags, fflags, data, udata, ext)
            note.disabled = bool(flags & abi.EV_DISABLE)
            _FILTERS[kind].attach(self, note)
            self.notes[key] = note
        else:
            self._touch(note, flags, fflags, data, udata)

    def _touch(self, note: Note, flags: int, fflags: int, data: int, udata: int) -> None:
        """A change to a note that exists: flags other than enable and disable stay."""
        _FILTERS[note.filter].touch(self, note, fflags, data)
        note.udata = udata
        if flags & abi.EV_DISABLE:
            if not note.disabled:
                note.disabled = True
                self._unwatch(note)
        elif flags & abi.EV_ENABLE and note.disabled:
            note.disabled = False
        if not note.disabled:
            self._rewatch(note)

    def drop(self, note: Note) -> None:
        """EV_DELETE, or a one-shot that was delivered."""
        del self.notes[note.key]
        self._unwatch(note)
        kind = note.filter
        if kind == abi.EVFILT_READ:
            self.readers.pop(note.handle, None)
            self.files.pop(note.key, None)
        elif kind == abi.EVFILT_WRITE:
            self.writers.pop(note.handle, None)
            self.files.pop(note.key, None)
        elif kind == abi.EVFILT_PROC:
            self.children.pop(note.handle, None)
            os.close(note.handle)
        elif kind == abi.EVFILT_SIGNAL:
            self.task.signals.unwatch(note.ident, note)
        note.serial = -1
        if note.active:
            self.active.remove(note)
            note.active = False

    def forget(self, fd: int) -> None:
        """The guest closes a descriptor: its notes go without a word."""
        for table_ in (self.readers, self.writers):
            note = table_.get(fd)
            if note is not None:
                self.drop(note)
        if self.files:
            for note in [note for note in self.files.values() if note.handle == fd]:
                self.drop(note)

    def close(self) -> None:
        """The queue itself is closed, or vanishes in a forked child."""
        for note in self.notes.values():
            if note.filter == abi.EVFILT_PROC:
                os.close(note.handle)
            elif note.filter == abi.EVFILT_SIGNAL:
                self.task.signals.unwatch(note.ident, note)
        self.notes.clear()
        self.readers_host.close()
        if self.writers_host is not None:
            self.writers_host.close()
        if self.bell >= 0:
            os.close(self.bell)
            self.bell = -1

    # --- descriptors in the host's queues ---------------------------------------------------

    def watch(self, note: Note) -> None:
        """Put a read or write note into the host's queue; raises Errno(ENOTSUP) for a second."""
        writes = note.filter == abi.EVFILT_WRITE
        known = self.writers if writes else self.readers
        if note.handle in known:
            raise Errno(ENOTSUP)        # two EV_UDATA_SPECIFIC notes on one descriptor
        if writes and self.writers_host is None:
            self.writers_host = Watcher(high(self.task, create()))
            self.readers_host.set(self.writers_host.fileno)
        if not note.disabled:
            try:
                self._rewatch(note)
            except PermissionError:     # /dev/null and the like: no filter of Darwin's
                raise Errno(EINVAL) from None
            except OSError as error:
                raise Errno(from_host(error.errno, socket=True)) from None
        known[note.handle] = note

    def _host(self, note: Note) -> Watcher:
        if note.filter == abi.EVFILT_WRITE and self.writers_host is not None:
            return self.writers_host
        return self.readers_host

    def _unwatch(self, note: Note) -> None:
        """Take a note out of the host's queue, if it is one for a descriptor."""
        if note.file:
            return
        if note.filter in (abi.EVFILT_READ, abi.EVFILT_WRITE, abi.EVFILT_PROC):
            self._host(note).remove(note.handle)

    def _rewatch(self, note: Note) -> None:
        """Make a note report again, also one that EPOLLONESHOT has put to sleep."""
        if note.file:
            return
        if note.filter in (abi.EVFILT_READ, abi.EVFILT_WRITE):
            self._host(note).set(
                note.handle, write=note.filter == abi.EVFILT_WRITE,
                edge=bool(note.flags & abi.EV_CLEAR),
                once=bool(note.flags & _ONCE),
            )
            note.edge = False
        elif note.filter == abi.EVFILT_PROC:
            self._host(note).set(note.handle, once=True)

    # --- software notes ---------------------------------------------------------------------

    def activate(self, note: Note) -> None:
        """A timer, user, signal or process note has something to say."""
        if not note.active:
            note.active = True
            self.active.append(note)

    def ring(self, note: Note) -> None:
        """From signal delivery: count one, and wake a sleeping kevent."""
        note.count += 1
        self.activate(note)
        if self.bell >= 0:
            with suppress(BlockingIOError):
                os.eventfd_write(self.bell, 1)

    def arm(self, note: Note) -> None:
        """Put a timer's next deadline on the heap; an older entry becomes void."""
        note.serial = next(self._serials)
        heappush(self.heap, (note.deadline, note.serial, note))

    def next_deadline(self) -> int | None:
        """When the next timer expires, ns of the monotonic clock."""
        heap = self.heap
        while heap and heap[0][1] != heap[0][2].serial:
            heappop(heap)
        return heap[0][0] if heap else None

    def _expire(self, now: int) -> None:
        while True:
            deadline = self.next_deadline()
            if deadline is None or deadline > now:
                return
            note = heappop(self.heap)[2]
            note.serial = -1
            self.activate(note)

    # --- collecting -------------------------------------------------------------------------

    def collect(self, room: int) -> list[Event]:
        """Up to `room` events that are there now, without sleeping."""
        found: list[Event] = []
        if self.heap:
            self._expire(time.monotonic_ns())
        if self.active:
            self._collect_software(found, room)
        if self.files and len(found) < room:
            self._collect_files(found, room)
        left = room - len(found)
        if left > 0:
            for fd, events in self.readers_host.ready(min(left, _BATCH)):
                note = self.readers.get(fd)
                if note is not None:
                    self._read_event(note, events, found)
                elif self.writers_host is not None and fd == self.writers_host.fileno:
                    self._collect_writers(found, room)
                elif fd == self.bell:
                    os.eventfd_read(fd)
                else:
                    child = self.children.get(fd)
                    if child is not None:
                        self._child_ended(child)
            if self.active and len(found) < room:
                self._collect_software(found, room, again=True)
        return found

    def _collect_software(self, found: list[Event], room: int, *, again: bool = False) -> None:
        # A level user note stays active: it is for the first look of a call only.
        for _ in range(len(self.active)):
            if len(found) >= room:
                return
            note = self.active.popleft()
            note.active = False
            if note.disabled or (again and note.filter == abi.EVFILT_USER):
                self.activate(note)
                continue
            _FILTERS[note.filter].process(self, note, found)

    def _collect_files(self, found: list[Event], room: int) -> None:
        for note in list(self.files.values()):
            if len(found) >= room:
                return
            if note.disabled:
                continue
            data = 1
            if note.filter == abi.EVFILT_READ:
                position = os.lseek(note.handle, 0, os.SEEK_CUR)
                data = os.fstat(note.handle).st_size - position
            if data and (not note.flags & abi.EV_CLEAR or data != note.count):
                note.count = data
                self.give(note, data, found)

    def _collect_writers(self, found: list[Event], room: int) -> None:
        host = self.writers_host
        left = room - len(found)
        if host is None or left <= 0:
            return
        for fd, events in host.ready(min(left, _BATCH)):
            note = self.writers.get(fd)
            if note is not None:
                self._write_event(note, events, found)

    def _read_event(self, note: Note, events: int, found: list[Event]) -> None:
        """filt_soread_common, filt_piperead_common."""
        state = note.state
        if state is None:                       # a pipe or terminal
            if events & POLLHUP:
                note.flags |= abi.EV_EOF
            data = sockopt.queued(note.handle, host_socket.FIONREAD)
        elif state.listening:
            data = host_socket.tcp_info(note.handle)[1] or 1
        else:
            if idle(state, note.handle, events):
                self._park(note)
                return
            data = sockopt.queued(note.handle, host_socket.FIONREAD)
            if events & READ_END or state.read_shut:
                note.flags |= abi.EV_EOF
                note.fflags = (
                    endpoint.stash_error(note.handle, state) if events & POLLERR else state.error
                )
            elif note.asked & abi.NOTE_LOWAT and data < note.data and not events & POLLERR:
                self._park(note)
                return
        if note.edge:
            self._rewatch(note)
        self.give(note, data, found)

    def _write_event(self, note: Note, events: int, found: list[Event]) -> None:
        """filt_sowrite_common, filt_pipewrite_common."""
        state = note.state
        if state is None:
            if events & POLLERR:
                note.flags |= abi.EV_EOF
            data = 0 if note.flags & abi.EV_EOF else abi.PIPE_BUF
        else:
            if idle(state, note.handle, events):
                self._park(note)
                return
            size = state.send_size or endpoint.SEND_SIZE
            data = max(1, size - sockopt.queued(note.handle, host_socket.OUTQUEUE))
            if events & (POLLHUP | POLLERR) or state.write_shut or state.dead:
                note.flags |= abi.EV_EOF
                note.fflags = (
                    endpoint.stash_error(note.handle, state) if events & POLLERR else state.error
                )
                if state.connecting and events & POLLERR:
                    state.connecting = False
                    state.dead = True
        if note.edge:
            self._rewatch(note)
        self.give(note, data, found)

    def _park(self, note: Note) -> None:
        """Nothing Darwin would report: look again when something changes."""
        note.edge = True
        self._host(note).set(
            note.handle, write=note.filter == abi.EVFILT_WRITE, edge=True,
            once=bool(note.flags & _ONCE),
        )

    def _child_ended(self, note: Note) -> None:
        note.count = _exit_status(note.handle) if note.asked & abi.NOTE_EXITSTATUS else 0
        note.fflags = note.asked & (abi.NOTE_EXIT | abi.NOTE_EXITSTATUS)
        note.flags |= abi.EV_EOF | abi.EV_ONESHOT
        if note.fflags:
            self.activate(note)

    def give(self, note: Note, data: int, found: list[Event]) -> None:
        """Add the event, then do what the note's flags say (knote_process)."""
        flags = note.flags
        found.append((
            note.ident, note.filter, flags, note.fflags, data, note.udata, *note.ext
        ))
        if flags & abi.EV_CLEAR:
            note.fflags = 0
        if flags & abi.EV_ONESHOT:
            self.drop(note)
        elif flags & abi.EV_DISPATCH:
            note.disabled = True



def _exit_status(pidfd: int) -> int:
    """A child's wait status in Darwin's numbers; 0 when it was reaped before."""
    try:
        found = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:
        return 0
    if found is None:
        return 0
    if found.si_code == os.CLD_EXITED:
        return (found.si_status & 0xFF) << 8
    number = _SIGNAL_FROM_HOST.get(found.si_status, found.si_status)
    return number | (0x80 if found.si_code == os.CLD_DUMPED else 0)


_SIGNAL_FROM_HOST: Final = {theirs: ours for ours, theirs in host_signal.TO_HOST.items()}


# --- filters ----------------------------------------------------------------------------


class _Filter:
    """attach: a new note; touch: a change to one; process: report, or say nothing."""

    def attach(self, queue: Queue, note: Note) -> None:
        raise Errno(EINVAL)

    def touch(self, queue: Queue, note: Note, fflags: int, data: int) -> None:
        note.asked = fflags
        note.data = data

    def process(self, queue: Queue, note: Note, found: list[Event]) -> None:
        queue.give(note, note.data, found)


class _Descriptor(_Filter):
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


class _Process(_Filter):
    """EVFILT_PROC: NOTE_EXIT and NOTE_EXITSTATUS, through a pidfd."""

    def attach(self, queue: Queue, note: Note) -> None:
        wanted = abi.NOTE_EXIT | abi.NOTE_EXITSTATUS
        if note.asked & ~wanted or not LINUX:
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
            handle = os.pidfd_open(pid)
        except OSError as error:
            raise Errno(from_host(error.errno)) from None
        note.handle = high(queue.task, handle)
        note.flags |= abi.EV_CLEAR
        note.data = 0
        queue.children[note.handle] = note
        if not note.disabled:
            queue.readers_host.set(note.handle, once=True)

    def touch(self, queue: Queue, note: Note, fflags: int, data: int) -> None:
        note.asked = fflags

    def process(self, queue: Queue, note: Note, found: list[Event]) -> None:
        queue.give(note, note.count, found)


class _Signal(_Filter):
    """EVFILT_SIGNAL: every posting counts, also of ignored and blocked signals."""

    def attach(self, queue: Queue, note: Note) -> None:
        note.flags |= abi.EV_CLEAR
        note.data = 0
        if queue.bell < 0:
            queue.bell = high(queue.task, os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
            queue.readers_host.set(queue.bell)
        queue.task.signals.watch(note.ident, note, lambda: queue.ring(note))

    def touch(self, queue: Queue, note: Note, fflags: int, data: int) -> None:
        """Nothing of a signal note can change."""

    def process(self, queue: Queue, note: Note, found: list[Event]) -> None:
        if note.count:
            seen, note.count = note.count, 0
            queue.give(note, seen, found)


class _Timer(_Filter):
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
        if note.interval:
            started = note.deadline - note.interval
            times = max(1, (time.monotonic_ns() - started) // note.interval)
            note.deadline += times * note.interval
            if not note.flags & abi.EV_ONESHOT:
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


class _User(_Filter):
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


_FILTERS: Final[dict[int, _Filter]] = {
    abi.EVFILT_READ: _Descriptor(),
    abi.EVFILT_WRITE: _Descriptor(),
    abi.EVFILT_PROC: _Process(),
    abi.EVFILT_SIGNAL: _Signal(),
    abi.EVFILT_TIMER: _Timer(),
    abi.EVFILT_USER: _User(),
}


# --- the calls --------------------------------------------------------------------------


@table.syscall(362, "kqueue", support=FULL)
def kqueue(task: Task) -> int:
    """kqueue(2): the number is close-on-exec, and absent in a forked child."""
    fd = limits.admit(task, create())
    queue = Queue(task, fd)
    task.files.attach(fd, Description("kqueue", data=queue))
    task.files.close_on_fork.add(fd)
    open_queues(task)[fd] = queue
    return fd


def open_queues(task: Task) -> dict[int, Queue]:
    """The queues of a process by descriptor; the first call hangs in the hooks."""
    queues: dict[int, Queue] | None = task.state.get("kqueue")
    if queues is None:
        queues = task.state["kqueue"] = {}
        task.files.on_close.append(lambda fd: _closed(task, fd))
        task.on_exec.append(lambda: _close_all(task))
    return queues


def _closed(task: Task, fd: int) -> None:
    """The guest closes a descriptor: a queue, or one that queues may watch."""
    queues = open_queues(task)
    own = queues.pop(fd, None)
    if own is not None:
        own.close()
    for queue in queues.values():
        queue.forget(fd)


def _close_all(task: Task) -> None:
    """execve: a kqueue is not kept."""
    for fd in list(open_queues(task)):
        task.files.closed(fd)
        os.close(fd)


_NOTE: Final = (
    "EVFILT_READ, WRITE, PROC (exit only), SIGNAL, TIMER and USER; other filters, a kqueue inside "
    "a kqueue and two EV_UDATA_SPECIFIC notes on one descriptor are ENOTSUP; NOTE_LOWAT counts for "
    "reading only"
)


@table.syscall(363, "kevent", FD, ADDRESS, INT, ADDRESS, INT, ADDRESS, support=PARTIAL, note=_NOTE)
def kevent(
    task: Task, fd: int, changes: int, change_count: int, events: int, room: int, timeout: int
) -> int:
    """kevent(2): apply all changes, then collect; always EINTR on a caught signal."""
    return _kevent(task, fd, changes, change_count, events, room, timeout, 0, _KEVENT)


@table.syscall(369, "kevent64", FD, ADDRESS, INT, ADDRESS, INT, UINT, ADDRESS, support=PARTIAL,
               note=_NOTE)
def kevent64(
    task: Task, fd: int, changes: int, change_count: int, events: int, room: int, flags: int,
    timeout: int,
) -> int:
    """kevent64(2): 48-byte events; KEVENT_FLAG_IMMEDIATE and ERROR_EVENTS."""
    return _kevent(task, fd, changes, change_count, events, room, timeout, flags, _KEVENT64)


def _kevent(
    task: Task, fd: int, changes: int, change_count: int, events: int, room: int, timeout: int,
    flags: int, codec: Struct,
) -> int:
    """kevent_internal: `flags` are KEVENT_FLAG_, `codec` packs one event."""
    deadline: float | None = None
    if flags & abi.KEVENT_FLAG_IMMEDIATE:
        deadline = 0.0
    elif timeout:
        seconds, nanos = _TIMESPEC.unpack(task.memory.read(timeout, 16))
        if not 0 <= seconds <= abi.INT_MAX or not 0 <= nanos <= _NANOSECONDS:
            raise Errno(EINVAL)
        deadline = time.monotonic() + seconds + nanos / 1e9 if seconds or nanos else 0.0
    found = task.files.get(fd)
    if found is None or found.kind != "kqueue":
        raise Errno(EBADF)
    queue: Queue = found.data
    given = 0
    if change_count > 0:
        given = _apply(task, queue, changes, change_count, events, room, codec)
    if given or room <= 0 or flags & abi.KEVENT_FLAG_ERROR_EVENTS:
        return given
    ready = _wait(task, queue, room, deadline)
    if ready:
        if codec is _KEVENT:
            data = b"".join([codec.pack(*event[:6]) for event in ready])
        else:
            data = b"".join([codec.pack(*event) for event in ready])
        task.memory.write(events, data)
    return len(ready)


def _apply(
    task: Task, queue: Queue, changes: int, change_count: int, events: int, room: int,
    codec: Struct,
) -> int:
    """Apply the changes in order; gives the number of EV_ERROR entries written."""
    size = codec.size
    read = task.memory.read
    given = 0
    for index in range(change_count):
        fields = codec.unpack(read(changes + index * size, size))
        ident, kind, flags, fflags, data, udata = fields[:6]
        error = 0
        try:
            queue.change(ident, kind, flags, fflags, data, udata, fields[6:] or (0, 0))
        except Errno as failure:
            error = failure.number
        if not error and not flags & abi.EV_RECEIPT:
            continue
        if given < room:
            entry = codec.pack(
                ident, kind, flags | abi.EV_ERROR, fflags, error, udata, *fields[6:]
            )
            task.memory.write(events + given * size, entry)
            given += 1
        elif error:
            raise Errno(error)
    return given


def _wait(task: Task, queue: Queue, room: int, deadline: float | None) -> list[Event]:
    """Events, sleeping for the first one until the deadline; raises Interrupted."""
    while True:
        found = queue.collect(room)
        if found or deadline == 0.0:
            return found
        timeout: float | None = None
        if deadline is not None:
            timeout = deadline - time.monotonic()
            if timeout <= 0:
                return found
        timer = queue.next_deadline()
        if timer is not None:
            until = max(0.0, (timer - time.monotonic_ns()) / 1e9)
            timeout = until if timeout is None else min(timeout, until)
        if queue.files:
            timeout = _FILE_TICK if timeout is None else min(timeout, _FILE_TICK)
        task.block(queue.fd, POLLIN, timeout, always=True)
