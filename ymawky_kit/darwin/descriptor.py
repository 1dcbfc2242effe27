"""Descriptors themselves: closing, copying, moving their offset, syncing.

Source: XNU bsd/kern/kern_descrip.c, bsd/vfs/vfs_syscalls.c (lseek, fsync, ftruncate).
"""

from __future__ import annotations

import errno as host_errno
import fcntl
import os
from typing import Final

from ymawky_kit.darwin import abi, limits
from ymawky_kit.darwin.errno import (
    EBADF,
    EFBIG,
    EINVAL,
    EMFILE,
    EOVERFLOW,
    Errno,
    from_host,
)
from ymawky_kit.darwin.path import translated
from ymawky_kit.darwin.table import (
    ENUM,
    FD,
    FULL,
    INT,
    OFFSET,
    PAIR,
    SSIZE,
    Kind,
    table,
)
from ymawky_kit.darwin.task import Description, Task
from ymawky_kit.darwin.vnode import must_be_open, require_vnode


@table.syscall(6, "close", FD, support=FULL, nocancel=399)
def close(task: Task, fd: int) -> int:
    """Give a number back; EBADF when it is not open."""
    task.files.closed(fd)       # while the number still names the file: kqueue needs that
    try:
        os.close(fd)
    except OSError as error:
        raise Errno(from_host(error.errno)) from None
    return 0


def duplicate(task: Task, fd: int, lowest: int, *, close_on_exec: bool = False) -> int:
    """The lowest free number from `lowest` on for the same open file. Raises Errno."""
    with translated():
        command = fcntl.F_DUPFD_CLOEXEC if close_on_exec else fcntl.F_DUPFD
        try:
            new = fcntl.fcntl(fd, command, lowest)
        except OSError as error:
            if error.errno == host_errno.EINVAL:        # the host's limit is the lower one
                raise Errno(EMFILE) from None
            raise
    limits.admit(task, new)
    task.files.duplicated(fd, new)
    return task.files.given(new, lowest)


@table.syscall(41, "dup", FD, support=FULL)
def dup(task: Task, fd: int) -> int:
    """The lowest free number for the same open file, kept over exec; EMFILE."""
    return duplicate(task, fd, 0)


#: The guest's own number: a captured stream has another one on the host.
_NUMBER: Final = Kind("fd", INT.code, INT.show)


@table.syscall(90, "dup2", FD, _NUMBER, support=FULL)
def dup2(task: Task, fd: int, number: int) -> int:
    """Make a number name the same open file; both the same: nothing changes. EBADF."""
    must_be_open(fd)
    if not 0 <= number < limits.descriptors(task):
        raise Errno(EBADF)
    captured = task.files.redirected
    apart = task.files.numbered or number in captured
    new = captured.get(number, -1) if apart else task.files.number(number)
    if fd == new:
        return number
    if new >= 0:
        task.files.closed(new)
    with translated():
        if new >= 0:
            os.dup2(fd, new)
        else:
            new = os.dup(fd)            # nothing has that number, and it is not the host's
    if apart:
        captured[number] = new
    task.files.duplicated(fd, new)
    return number


@table.syscall(42, "pipe", support=FULL, returns=PAIR)
def pipe(task: Task) -> tuple[int, int]:
    """Two connected ends, without an argument: x0 reads, x1 writes. EMFILE."""
    with translated():
        ends = os.pipe()
    for fd in ends:
        os.set_inheritable(fd, True)
    try:
        limits.admit(task, ends[0])
    except Errno:
        os.close(ends[1])
        raise
    try:
        limits.admit(task, ends[1])
    except Errno:
        os.close(ends[0])
        raise
    for fd in ends:
        task.files.attach(fd, Description("pipe"))
    return task.files.given(ends[0]), task.files.given(ends[1])


_WHENCE: Final = {
    abi.SEEK_SET: os.SEEK_SET,
    abi.SEEK_CUR: os.SEEK_CUR,
    abi.SEEK_END: os.SEEK_END,
    abi.SEEK_HOLE: getattr(os, "SEEK_HOLE", abi.SEEK_HOLE),     # 4 on Linux
    abi.SEEK_DATA: getattr(os, "SEEK_DATA", abi.SEEK_DATA),     # and this one 3
}


@table.syscall(199, "lseek", FD, OFFSET, ENUM("whence"), support=FULL, returns=SSIZE)
def lseek(task: Task, fd: int, offset: int, whence: int) -> int:
    """Move the offset; SEEK_HOLE is 3, SEEK_DATA 4. ESPIPE, EINVAL, EOVERFLOW, ENXIO."""
    how = _WHENCE.get(whence)
    if how is None:
        must_be_open(fd)
        raise Errno(EINVAL)
    try:
        return os.lseek(fd, offset, how)
    except OSError as error:
        number = from_host(error.errno)
        if number == EINVAL and offset > 0 and whence in (abi.SEEK_CUR, abi.SEEK_END):
            number = EOVERFLOW
        raise Errno(number) from None


@table.syscall(95, "fsync", FD, support=FULL, nocancel=408)
def fsync(task: Task, fd: int) -> int:
    """Hand a file over to the drive; F_FULLFSYNC makes it keep it. ENOTSUP for a socket."""
    require_vnode(task, fd)
    with translated():
        os.fsync(fd)
    return 0


@table.syscall(187, "fdatasync", FD, support=FULL)
def fdatasync(task: Task, fd: int) -> int:
    """As fsync, without times. ENOTSUP for a socket."""
    require_vnode(task, fd)
    with translated():
        getattr(os, "fdatasync", os.fsync)(fd)
    return 0


def set_length(task: Task, fd: int, length: int) -> int:
    """Cut or lengthen an open file. Raises Errno."""
    if length < 0:
        raise Errno(EINVAL)
    try:
        os.ftruncate(fd, length)
    except OSError as error:
        number = from_host(error.errno)
        if number == EFBIG:
            task.post_signal(abi.SIGXFSZ)
        raise Errno(number) from None
    return 0


@table.syscall(201, "ftruncate", FD, OFFSET, support=FULL)
def ftruncate(task: Task, fd: int, length: int) -> int:
    """Set a file's size; EINVAL when it is no file or not open for writing."""
    return set_length(task, fd, length)
