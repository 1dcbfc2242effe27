"""One kqueue: its notes by key, and the host queues that watch descriptors for it.

The interest stays in the host's kernel.  EV_CLEAR is EPOLLET, EV_ONESHOT and EV_DISPATCH
are EPOLLONESHOT.  Write notes live in a host queue of their own inside the first, so that
one descriptor may have a level note to read and an edge note to write.  Timers are a
heap, user and signal notes a list: they need no descriptor each.

Source: XNU bsd/kern/kern_event.c (kevent_register, knote_process),
bsd/kern/uipc_socket.c (filt_soread_common, filt_sowrite_common), bsd/kern/sys_pipe.c.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count
from typing import Final

from ymawky_kit.darwin import abi, endpoint, host_signal, host_socket, sockopt
from ymawky_kit.darwin.errno import EINVAL, ENOENT, ENOTSUP, Errno, from_host
from ymawky_kit.darwin.host_socket import POLLERR, POLLHUP, READ_END
from ymawky_kit.darwin.knote import FILTERS, Event, Key, Note
from ymawky_kit.darwin.poll import idle
from ymawky_kit.darwin.task import Task
from ymawky_kit.darwin.watcher import Watcher, create, lifted, own, roomy

#: The most events one host call is asked for.
_BATCH: Final = 512
#: Notes that a touch makes report again although they have reported.
_REARMED: Final = abi.EV_CLEAR | abi.EV_ONESHOT | abi.EV_DISPATCH
#: Notes that report once: the host puts them to sleep by itself.
_ONCE: Final = abi.EV_ONESHOT | abi.EV_DISPATCH
#: Filters Darwin has and this emulator has not.
_UNSUPPORTED: Final = frozenset({
    abi.EVFILT_AIO, abi.EVFILT_VNODE, abi.EVFILT_MACHPORT, abi.EVFILT_FS, abi.EVFILT_VM,
    abi.EVFILT_EXCEPT,
})


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
        #: A pipe that signal notes write to, so that a sleeping kevent wakes.
        self.bell: tuple[int, int] | None = None
        self._serials = count()

    # --- registering ----------------------------------------------------------------------

    def change(
        self, ident: int, kind: int, flags: int, fflags: int, data: int, udata: int,
        ext: tuple[int, int] = (0, 0),
    ) -> None:
        """Apply one change (kevent_register); raises Errno."""
        if kind not in FILTERS:
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
            FILTERS[kind].attach(self, note)
            self.notes[key] = note
        else:
            self._touch(note, flags, fflags, data, udata)

    def _touch(self, note: Note, flags: int, fflags: int, data: int, udata: int) -> None:
        """A change to a note that exists: flags other than enable and disable stay."""
        FILTERS[note.filter].touch(self, note, fflags, data)
        note.udata = udata
        if flags & abi.EV_DISABLE:
            if not note.disabled:
                note.disabled = True
                self._unwatch(note)
        elif note.disabled:
            if flags & abi.EV_ENABLE:
                note.disabled = False
                self._rewatch(note)
        elif note.edge or note.flags & _REARMED:
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
        if self.bell is not None:
            os.close(self.bell[0])
            os.close(self.bell[1])
            self.bell = None

    # --- descriptors in the host's queues ---------------------------------------------------

    def watch(self, note: Note) -> None:
        """Put a read or write note into the host's queue; raises Errno(ENOTSUP) for a second."""
        writes = note.filter == abi.EVFILT_WRITE
        known = self.writers if writes else self.readers
        if note.handle in known:
            raise Errno(ENOTSUP)        # two EV_UDATA_SPECIFIC notes on one descriptor
        if writes and self.writers_host is None:
            self.writers_host = Watcher(own(self.task, create))
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

    def hang_bell(self) -> None:
        """Make the pipe that `ring` writes to, once."""
        if self.bell is not None:
            return
        with roomy(self.task):
            ends = os.pipe()
            claim = self.task.files.claim
            self.bell = (claim(ends[0]), claim(ends[1]))
        os.set_blocking(self.bell[0], False)
        os.set_blocking(self.bell[1], False)
        self.readers_host.set(self.bell[0])

    def ring(self, note: Note) -> None:
        """From signal delivery: count one, and wake a sleeping kevent."""
        note.count += 1
        self.activate(note)
        if self.bell is not None:
            with suppress(BlockingIOError):     # full: it rings already
                os.write(self.bell[1], b"!")

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
                elif self.bell is not None and fd == self.bell[0]:
                    os.read(fd, _BATCH)
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
            FILTERS[note.filter].process(self, note, found)

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
    if sys.platform != "linux":
        return 0
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
