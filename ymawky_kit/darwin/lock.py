"""Locks on files: flock, and the record locks of fcntl.

Nothing can poll for a lock, so waiting for one that a signal may interrupt is a loop of
attempts and short sleeps.  Source: XNU bsd/kern/kern_lockf.c, kern_descrip.c (sys_flock).
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable
from struct import Struct
from typing import Final

from ymawky_kit.darwin import abi, host
from ymawky_kit.darwin.errno import (
    EAGAIN,
    EBADF,
    EINVAL,
    ETIMEDOUT,
    Errno,
)
from ymawky_kit.darwin.path import translated
from ymawky_kit.darwin.structs import FLOCK, TIMESPEC
from ymawky_kit.darwin.table import (
    FD,
    FLAGS,
    FULL,
    RESTART,
    table,
)
from ymawky_kit.darwin.task import Task
from ymawky_kit.darwin.vnode import require_vnode


def wait_for(
    task: Task, attempt: Callable[[], bool], seconds: float | None = None
) -> bool:
    """Repeat a non-sleeping `attempt` until it succeeds; False when `seconds` pass first.

    For locks, which nothing can poll.  Raises Interrupted when a handled signal comes.
    """
    end = None if seconds is None else time.monotonic() + seconds
    pause = 0.0005
    while not attempt():
        left = pause if end is None else min(pause, end - time.monotonic())
        if left <= 0:
            return False
        task.sleep(left)
        pause = min(pause * 2, 0.02)
    return True


def lock_whole_file(task: Task, fd: int, operation: int, *, wait: bool) -> None:
    """flock(2) with LOCK_SH, LOCK_EX or LOCK_UN, the same numbers on every host.

    Raises Errno(EAGAIN) for a lock that is taken, Interrupted while waiting.
    """

    def attempt() -> bool:
        try:
            fcntl.flock(fd, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    with translated():
        if wait and operation != fcntl.LOCK_UN:
            if task.signals.armed:
                wait_for(task, attempt)
            else:
                fcntl.flock(fd, operation)
        elif not attempt():
            raise Errno(EAGAIN)


@table.syscall(131, "flock", FD, FLAGS("lock"), support=FULL, on_signal=RESTART)
def flock(task: Task, fd: int, operation: int) -> int:
    """Lock an open file; EAGAIN when taken, EBADF for no operation, ENOTSUP for a socket."""
    require_vnode(task, fd)
    if operation & abi.LOCK_UN:
        wanted = fcntl.LOCK_UN
    elif operation & abi.LOCK_EX:
        wanted = fcntl.LOCK_EX
    elif operation & abi.LOCK_SH:
        wanted = fcntl.LOCK_SH
    else:
        raise Errno(EBADF)
    lock_whole_file(task, fd, wanted, wait=not operation & abi.LOCK_NB)
    return 0


#: The host's struct flock: (pack, unpack) of type, whence, start, length, pid.
_FLOCK_LINUX: Final = Struct("hhxxxxqqixxxx")
_LOCK_TYPES: Final = {
    abi.F_RDLCK: fcntl.F_RDLCK,
    abi.F_WRLCK: fcntl.F_WRLCK,
    abi.F_UNLCK: fcntl.F_UNLCK,
}
_LOCK_TYPES_BACK: Final = {theirs: ours for ours, theirs in _LOCK_TYPES.items()}
_OFD: Final = {
    abi.F_OFD_GETLK: getattr(fcntl, "F_OFD_GETLK", abi.F_OFD_GETLK),
    abi.F_OFD_SETLK: getattr(fcntl, "F_OFD_SETLK", abi.F_OFD_SETLK),
    abi.F_OFD_SETLKW: getattr(fcntl, "F_OFD_SETLKW", abi.F_OFD_SETLKW),
}


def _host_lock(start: int, length: int, kind: int, whence: int) -> bytes:
    if host.LINUX:
        return _FLOCK_LINUX.pack(_LOCK_TYPES[kind], whence, start, length, 0)
    return FLOCK.codec.pack(start, length, 0, kind, whence)


def range_lock(task: Task, fd: int, command: int, address: int) -> int:
    """F_SETLK and its relatives: struct flock differs in layout and in its type numbers."""
    require_vnode(task, fd, EBADF)
    start, length, _, kind, whence = FLOCK.codec.unpack(task.memory.view(address, FLOCK.size))
    if kind not in _LOCK_TYPES or whence not in (abi.SEEK_SET, abi.SEEK_CUR, abi.SEEK_END):
        raise Errno(EINVAL)
    data = _host_lock(start, length, kind, whence)
    by_file = command in _OFD
    if command in (abi.F_GETLK, abi.F_OFD_GETLK):
        with translated():
            found = fcntl.fcntl(fd, _OFD[command] if by_file else fcntl.F_GETLK, data)
        if host.LINUX:
            type_, whence, start, length, pid = _FLOCK_LINUX.unpack(found)
            kind = _LOCK_TYPES_BACK[type_]
        else:
            start, length, pid, kind, whence = FLOCK.codec.unpack(found)
        if kind == abi.F_UNLCK:     # nobody in the way: only the type changes
            task.memory.write(address + FLOCK.offset("l_type"), kind.to_bytes(2, "little"))
        else:
            task.memory.write(address, FLOCK.codec.pack(start, length, pid, kind, whence))
        return 0
    seconds: float | None = None
    if command == abi.F_SETLKWTIMEOUT:
        whole, nanoseconds = TIMESPEC.codec.unpack(
            task.memory.view(address + FLOCK.size, TIMESPEC.size)
        )
        seconds = whole + nanoseconds / 1e9
    set_now = _OFD[abi.F_OFD_SETLK] if by_file else fcntl.F_SETLK

    def attempt() -> bool:
        try:
            fcntl.fcntl(fd, set_now, data)
        except (BlockingIOError, PermissionError):      # POSIX allows EACCES for "taken"
            return False
        return True

    with translated():
        if command in (abi.F_SETLK, abi.F_OFD_SETLK):
            if not attempt():
                raise Errno(EAGAIN)
        elif seconds is not None or task.signals.armed:
            if not wait_for(task, attempt, seconds):
                raise Errno(ETIMEDOUT)
        else:
            fcntl.fcntl(fd, _OFD[command] if by_file else fcntl.F_SETLKW, data)
    return 0
