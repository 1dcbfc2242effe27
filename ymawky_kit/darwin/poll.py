"""poll(2), which Darwin builds on kqueue's notes, and shows it.

A slot registers a read note, a write note, or nothing; with nothing (events 0, or only
POLLERR and POLLNVAL) it never reports, not even POLLNVAL.  A descriptor has one note a
direction, so of two slots for the same the last one reports.  POLLHUP comes with the
peer's FIN.  Source: XNU bsd/kern/sys_generic.c (poll_nocancel, poll_callback),
bsd/kern/uipc_socket.c (filt_soread_common, filt_sowrite_common).
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from ymawky_kit.darwin import abi, host_socket, limits
from ymawky_kit.darwin.endpoint import Socket
from ymawky_kit.darwin.errno import EINVAL, Errno
from ymawky_kit.darwin.host_socket import (
    LINUX,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLNVAL,
    POLLOUT,
    POLLPRI,
    POLLRDHUP,
    READ_END,
)
from ymawky_kit.darwin.socket_text import POLLFDS
from ymawky_kit.darwin.table import INT, PARTIAL, UINT, table
from ymawky_kit.darwin.task import Task

_POLLFD: Final = struct.Struct("<ihh")
_READ: Final = abi.POLLIN | abi.POLLRDNORM | abi.POLLPRI | abi.POLLRDBAND | abi.POLLHUP
_WRITE: Final = abi.POLLOUT | abi.POLLWRBAND
_URGENT: Final = abi.POLLPRI | abi.POLLRDBAND
_VNODE: Final = abi.POLLEXTEND | abi.POLLATTRIB | abi.POLLNLINK | abi.POLLWRITE
#: Host events that end a wait to read, and to write.
_HOST_READ: Final = POLLIN | POLLRDHUP
_GONE: Final = POLLHUP | POLLRDHUP


@dataclass(frozen=True, slots=True)
class Ready:
    """What Darwin's filters say of one descriptor."""

    read: bool = False
    read_end: bool = False      # EV_EOF: the peer has sent FIN
    urgent: bool = False
    write: bool = False
    write_end: bool = False     # EV_EOF: sending is impossible
    invalid: bool = False


def classify(task: Task, fd: int, events: int) -> Ready:
    """Host poll's returned events as Darwin's filters see them."""
    if events & POLLNVAL:
        return Ready(invalid=True)
    found = task.files.get(fd)
    state: Socket | None = found.data if found is not None and found.kind == "socket" else None
    if state is None:
        # Pipes and terminals: Linux says HUP to the reader, ERR to the writer.
        gone = bool(events & _GONE)
        return Ready(
            read=bool(events & (POLLIN | _GONE)), read_end=gone,
            urgent=bool(events & POLLPRI),
            write=bool(events & (POLLOUT | POLLERR)), write_end=bool(events & POLLERR),
        )
    if idle(state, fd, events):
        return Ready()
    end = bool(events & READ_END) or state.read_shut or state.dead
    lost = bool(events & POLLHUP) or state.write_shut or state.dead
    return Ready(
        read=bool(events & (POLLIN | POLLERR)) or end, read_end=end,
        urgent=bool(events & POLLPRI),
        write=bool(events & (POLLOUT | POLLERR)) or lost, write_end=lost,
    )


def idle(state: Socket, fd: int, events: int) -> bool:
    """A stream that never connected: Linux shows POLLHUP, Darwin nothing.

    A connection that is gone shows POLLHUP too, and POLLRDHUP if it is asked for.
    """
    return (
        LINUX and bool(events & POLLHUP) and not events & (POLLRDHUP | POLLERR | POLLIN)
        and state.type == abi.SOCK_STREAM and not state.listening and not state.dead
        and not host_socket.ready(fd, POLLRDHUP) & POLLRDHUP
    )


def watch(
    task: Task,
    wanted: dict[int, int],
    deadline: float | None,
    report: Callable[[dict[int, int]], bool],
) -> None:
    """Sleep until `report` is content with host events by descriptor, or the deadline.

    `wanted` is host events by descriptor.  Descriptors whose events mean nothing to
    Darwin leave the wait: nothing this process waits for can change them.  Raises
    Interrupted.
    """
    left = dict(wanted)
    while True:
        now = monotonic()
        timeout = None if deadline is None else max(0.0, deadline - now)
        found = dict(task.block_any(list(left.items()), timeout))
        if report(found) or (deadline is not None and monotonic() >= deadline):
            return
        for fd in found:
            left.pop(fd, None)


def pollable(task: Task, fd: int) -> bool:
    """Whether Darwin has a read and write filter for this kind of file."""
    found = task.files.get(fd)
    if found is not None and found.kind in ("socket", "kqueue", "pipe"):
        return True
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return not stat.S_ISDIR(mode)


def _wait_time(milliseconds: int) -> float | None:
    """Seconds; None for -1, other negative numbers are unsigned (about 49 days)."""
    return None if milliseconds == -1 else (milliseconds & 0xFFFFFFFF) / 1000


@table.syscall(230, "poll", POLLFDS, UINT, INT, support=PARTIAL, nocancel=417,
               note="POLLEXTEND, POLLATTRIB, POLLNLINK and POLLWRITE never report; a kqueue "
                    "reports its descriptors' events, not its timers")
def poll(task: Task, address: int, count: int, milliseconds: int) -> int:
    """Always EINTR on a caught signal; POLLHUP at the peer's FIN."""
    limit = limits.descriptors(task)
    if count > abi.OPEN_MAX or (
        count > limit and (os.geteuid() != 0 or count > abi.FD_SETSIZE)
    ):
        raise Errno(EINVAL)
    slots = [
        [fd, events, 0]
        for fd, events, _ in _POLLFD.iter_unpack(task.memory.read(address, 8 * count))
    ]
    readers: dict[int, int] = {}        # host descriptor -> slot
    writers: dict[int, int] = {}
    invalid = 0
    for index, slot in enumerate(slots):
        raw, events = slot[0], slot[1]
        if raw < 0 or not events & (_READ | _WRITE | _VNODE):
            continue
        try:
            fd = task.files.number(raw)
        except Errno:
            fd = -1
        if fd < 0 or not pollable(task, fd):
            slot[2] = abi.POLLNVAL
            invalid += 1
            continue
        if events & _READ:
            readers[fd] = index
        if events & _WRITE:
            writers[fd] = index
    wanted = dict.fromkeys(readers, _HOST_READ)
    for fd, index in readers.items():
        if slots[index][1] & _URGENT:
            wanted[fd] |= POLLPRI
    for fd in writers:
        wanted[fd] = wanted.get(fd, 0) | POLLOUT

    def report(found: dict[int, int]) -> bool:
        done = False
        for fd, events in found.items():
            ready = classify(task, fd, events)
            if fd in readers:
                done |= _report_read(slots[readers[fd]], ready)
            if fd in writers:
                done |= _report_write(slots[writers[fd]], ready)
        return done

    if not (count and invalid == count):
        seconds = 0.0 if invalid else _wait_time(milliseconds)
        watch(task, wanted, None if seconds is None else monotonic() + seconds, report)
    task.memory.write(address, b"".join([_POLLFD.pack(*slot) for slot in slots]))
    return sum([slot[2] != 0 for slot in slots])


def _report_read(slot: list[int], ready: Ready) -> bool:
    """What a read note adds to revents; True when it fired."""
    if ready.invalid:
        slot[2] = abi.POLLNVAL
        return True
    if not (ready.read or ready.urgent):
        return False
    if ready.read_end:
        slot[2] |= abi.POLLHUP | slot[1] & (_READ & ~abi.POLLHUP)
    else:
        bits = abi.POLLIN | abi.POLLRDNORM if ready.read else 0
        slot[2] |= slot[1] & (bits | (_URGENT if ready.urgent else 0))
    return slot[2] != 0


def _report_write(slot: list[int], ready: Ready) -> bool:
    """What a write note adds: nothing beside POLLHUP."""
    if ready.invalid:
        slot[2] = abi.POLLNVAL
        return True
    if not ready.write:
        return False
    if ready.write_end:
        slot[2] |= abi.POLLHUP
    elif not slot[2] & abi.POLLHUP:
        slot[2] |= slot[1] & _WRITE
    return slot[2] != 0
