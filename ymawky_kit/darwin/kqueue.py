"""kqueue, kevent, kevent64: Darwin's event queue over the host's.

A queue is an epoll instance (on a macOS host, a kqueue) under the guest's own number,
so it can be polled and closed like any descriptor.  Why it is fast:

* The interest stays in the host's kernel.  A call with one change and one event is at
  most an epoll_ctl, an epoll_wait and a FIONREAD, 6 to 8 us however many descriptors
  are watched (`make bench`); nothing is scanned.
* The first epoll_wait never sleeps.  A busy server finds events there; only an idle
  one pays for `task.block`, which loses no signal.
* Notes are found by number: one dictionary look-up an event, no object is made.

Source: XNU bsd/kern/kern_event.c (kevent_internal, kevent_legacy_internal).
"""

from __future__ import annotations

import os
import time
from struct import Struct
from typing import Final

from ymawky_kit.darwin import abi, limits, structs
from ymawky_kit.darwin.errno import EBADF, EINVAL, Errno
from ymawky_kit.darwin.event_filter import install
from ymawky_kit.darwin.event_queue import Queue
from ymawky_kit.darwin.host_socket import POLLIN
from ymawky_kit.darwin.knote import Event
from ymawky_kit.darwin.socket_text import CHANGES, CHANGES64
from ymawky_kit.darwin.table import ADDRESS, FD, FULL, INT, PARTIAL, UINT, table
from ymawky_kit.darwin.task import Description, Task
from ymawky_kit.darwin.watcher import create

_KEVENT: Final = structs.KEVENT.codec
_KEVENT64: Final = structs.KEVENT64.codec
_TIMESPEC: Final = structs.TIMESPEC.codec
_NANOSECONDS: Final = 1_000_000_000
#: How often a note on a regular file at its end is looked at again, in seconds.
_FILE_TICK: Final = 0.02

install()


@table.syscall(362, "kqueue", support=FULL)
def kqueue(task: Task) -> int:
    """The number is close-on-exec, and absent in a forked child."""
    fd = limits.admit(task, create())
    queue = Queue(task, fd)
    task.files.attach(fd, Description("kqueue", data=queue))
    task.files.close_on_fork.add(fd)
    open_queues(task)[fd] = queue
    return task.files.given(fd)


def open_queues(task: Task) -> dict[int, Queue]:
    """The queues of a process by descriptor; the first call hangs in the hooks."""
    queues: dict[int, Queue] | None = task.state.get("kqueue")
    if queues is None:
        queues = task.state["kqueue"] = {}
        task.files.on_close.append(lambda fd: _closed(task, fd))
        task.on_exec.append(lambda: _close_all(task))
        # Before descriptors are closed in the child: that must not reach the parent's queues.
        task.on_fork.insert(0, lambda: _abandon(task))
    return queues


def _closed(task: Task, fd: int) -> None:
    """The guest closes a descriptor: a queue, or one that queues may watch."""
    queues = open_queues(task)
    own = queues.pop(fd, None)
    if own is not None:
        heir = next(
            (other for other, found in task.files.items() if other != fd and found.data is own),
            None,
        )
        if heir is None:
            own.close()
        else:               # a copy made by dup: the queue lives on under that number
            own.fd = heir
            queues[heir] = own
    for queue in queues.values():
        queue.forget(fd)


def _abandon(task: Task) -> None:
    """In a forked child: the queues are the parent's alone."""
    queues = open_queues(task)
    for queue in queues.values():
        queue.close()
    queues.clear()


def _close_all(task: Task) -> None:
    """execve: a kqueue is not kept, nor a copy of its number."""
    for fd in [fd for fd, found in task.files.items() if found.kind == "kqueue"]:
        task.files.closed(fd)
        os.close(fd)


_NOTE: Final = (
    "EVFILT_READ, WRITE, PROC (exit only), SIGNAL, TIMER and USER; other filters, a kqueue inside "
    "a kqueue and two EV_UDATA_SPECIFIC notes on one descriptor are ENOTSUP; NOTE_LOWAT counts for "
    "reading only, and a signal that others send several times between two looks counts once"
)


@table.syscall(363, "kevent", FD, CHANGES, INT, ADDRESS, INT, ADDRESS, support=PARTIAL, note=_NOTE)
def kevent(
    task: Task, fd: int, changes: int, change_count: int, events: int, room: int, timeout: int
) -> int:
    """Apply all changes, then collect; always EINTR on a caught signal."""
    return _kevent(task, fd, changes, change_count, events, room, timeout, 0, _KEVENT)


@table.syscall(369, "kevent64", FD, CHANGES64, INT, ADDRESS, INT, UINT, ADDRESS, support=PARTIAL,
               note=_NOTE)
def kevent64(
    task: Task, fd: int, changes: int, change_count: int, events: int, room: int, flags: int,
    timeout: int,
) -> int:
    """48-byte events; KEVENT_FLAG_IMMEDIATE and ERROR_EVENTS."""
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
