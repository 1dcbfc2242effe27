"""Calls on one descriptor: transfers, copies of it, its offset and its flags.

Bytes go straight between the host's kernel and guest memory.  A transfer that
could sleep is first tried without sleeping and then waited for through
`task.block`, so that no signal is lost (bsd/kern/sys_generic.c: a sleeping call
that has moved no byte is EINTR or runs again, one that has returns its count).
"""

from __future__ import annotations

import errno as host_errno
import fcntl
import os
import select
import stat
import sys
import termios
import time
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final

from ymawky_kit.darwin import abi, endpoint, host, limits
from ymawky_kit.darwin.abi import INT_MAX
from ymawky_kit.darwin.errno import (
    EACCES,
    EAGAIN,
    EBADF,
    EFAULT,
    EFBIG,
    EINVAL,
    EMFILE,
    ENOTSUP,
    ENOTTY,
    ENXIO,
    EOVERFLOW,
    EPIPE,
    ESPIPE,
    ETIMEDOUT,
    Errno,
    from_host,
)
from ymawky_kit.darwin.path import translated
from ymawky_kit.darwin.structs import FLOCK, FPUNCHHOLE, FSTORE, TIMESPEC
from ymawky_kit.darwin.table import (
    ADDRESS,
    COMMAND,
    ENUM,
    FD,
    FLAGS,
    FULL,
    INPUT,
    INT,
    OFFSET,
    OUTPUT,
    PAIR,
    PARTIAL,
    RESTART,
    SIZE,
    SSIZE,
    ULONG,
    table,
)
from ymawky_kit.darwin.task import Description, Interrupted, Task
from ymawky_kit.emu.memory import BadAddress

_IOVEC: Final = Struct("<QQ")
_I32: Final = Struct("<i")
_I64: Final = Struct("<q")


# --- shared by the rows -----------------------------------------------------------------


def is_vnode(task: Task, fd: int) -> bool:
    """True for what has a name in a file system; False for sockets, pipes, kqueues.

    Raises Errno(EBADF).
    """
    description = task.files.get(fd)
    if description is not None and description.kind in ("socket", "kqueue", "pipe"):
        return False
    with translated():
        mode = os.fstat(fd).st_mode
    return not stat.S_ISSOCK(mode)


def require_vnode(task: Task, fd: int, number: int = ENOTSUP) -> None:
    """Raise Errno(`number`) for a descriptor without a file behind it."""
    if not is_vnode(task, fd):
        raise Errno(number)


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


# --- transfers --------------------------------------------------------------------------


def _fill(task: Task, fd: int, views: Sequence[memoryview]) -> int:
    """Read into guest memory, sleeping as the descriptor's flags allow."""
    try:
        if not task.signals.armed or not host.CAN_TRY:
            if task.signals.armed:
                task.block(fd, select.POLLIN)
            return os.readv(fd, views)
        got = host.try_read(fd, views)
        if got is not None and got >= 0:
            return got
        return _fill_slowly(task, fd, views, got)
    except OSError as error:
        raise Errno(from_host(error.errno)) from None


def _fill_slowly(
    task: Task, fd: int, views: Sequence[memoryview], got: int | None
) -> int:
    while got is None:
        if stat.S_ISREG(os.fstat(fd).st_mode) or not os.get_blocking(fd):
            return os.readv(fd, views)
        task.block(fd, select.POLLIN, always=True)
        got = host.try_read(fd, views)
    if got == host.CANNOT:
        if os.get_blocking(fd):
            task.block(fd, select.POLLIN)
        return os.readv(fd, views)
    return got


def _drain(task: Task, fd: int, views: Sequence[memoryview]) -> int:
    """Write from guest memory, all of it unless something stops that midway."""
    try:
        if not task.signals.armed or not host.CAN_TRY:
            if task.signals.armed and os.get_blocking(fd):
                task.block(fd, select.POLLOUT)
            return os.writev(fd, views)
        put = host.try_write(fd, views)
        if put is not None and put >= 0 and put == sum(map(len, views)):
            return put
        return _drain_slowly(task, fd, views, put)
    except OSError as error:
        number = from_host(error.errno)
        if number == EPIPE:
            description = task.files.get(fd)
            if description is None or not description.no_sigpipe:
                task.post_signal(abi.SIGPIPE)
        elif number == EFBIG:
            task.post_signal(abi.SIGXFSZ)
        raise Errno(number) from None


def _drain_slowly(
    task: Task, fd: int, views: Sequence[memoryview], put: int | None
) -> int:
    if put == host.CANNOT or stat.S_ISREG(os.fstat(fd).st_mode):
        done = 0 if put is None or put < 0 else put
        if put == host.CANNOT and os.get_blocking(fd):
            task.block(fd, select.POLLOUT)
        return done + os.writev(fd, _behind(views, done))
    done = put or 0
    if not os.get_blocking(fd):
        if not done:
            raise Errno(EAGAIN)
        return done
    total = sum(map(len, views))
    while done < total:
        try:
            task.block(fd, select.POLLOUT, always=True)
            put = host.try_write(fd, _behind(views, done))
        except Interrupted:
            if done:            # what has been written counts
                return done
            raise
        done += put or 0
    return done


def _behind(views: Sequence[memoryview], skip: int) -> list[memoryview]:
    """What is left of the views after their first `skip` bytes."""
    rest: list[memoryview] = []
    for view in views:
        if skip >= len(view):
            skip -= len(view)
        else:
            rest.append(view[skip:])
            skip = 0
    return rest


def _must_be_open(fd: int) -> None:
    """EBADF comes before EFAULT."""
    with translated():
        fcntl.fcntl(fd, fcntl.F_GETFD)


def _fill_what_is_there(task: Task, fd: int, address: int, size: int) -> int:
    """read(2) into a buffer that runs off writable memory: fine if the data ends before."""
    _must_be_open(fd)
    room = 0
    while room < size:
        region = task.memory.region(address + room)
        if region is None or address + room >= region.backed or not region.protection & 2:
            break
        room = region.backed - address
    if not room:
        raise Errno(EFAULT)
    got = _fill(task, fd, [task.memory.view(address, room, write=True)])
    if got == room:
        raise Errno(EFAULT)
    return got


@table.syscall(
    3, "read", FD, OUTPUT, SIZE,
    support=FULL, nocancel=396, returns=SSIZE, on_signal=RESTART,
)
def read(task: Task, fd: int, address: int, size: int) -> int:
    """Read from the offset on: 0 at the end, EISDIR for a directory, EINVAL over INT_MAX bytes."""
    if size > INT_MAX:
        raise Errno(EINVAL)
    if task.short is not None and size > task.short:
        size = task.short
    description = task.files.get(fd)
    if description is not None and description.kind == "socket":
        return endpoint.receive(task, fd, [(address, size)])
    try:
        view = task.memory.view(address, size, write=True)
    except BadAddress:
        return _fill_what_is_there(task, fd, address, size)
    return _fill(task, fd, (view,))


@table.syscall(
    4, "write", FD, INPUT, SIZE,
    support=FULL, nocancel=397, returns=SSIZE, on_signal=RESTART,
)
def write(task: Task, fd: int, address: int, size: int) -> int:
    """Write at the offset; without a reader EPIPE and SIGPIPE, unless F_SETNOSIGPIPE."""
    if size > INT_MAX:
        raise Errno(EINVAL)
    if task.short is not None and size > task.short:
        size = task.short
    description = task.files.get(fd)
    if description is not None and description.kind == "socket":
        return endpoint.send(task, fd, [(address, size)])
    try:
        view = task.memory.view(address, size)
    except BadAddress:
        _must_be_open(fd)
        raise
    return _drain(task, fd, (view,))


def _vector(task: Task, fd: int, address: int, count: int) -> list[tuple[int, int]]:
    """The (address, length) pairs of an iovec array, cut to the fault plan's limit."""
    if not 0 < count <= abi.IOV_MAX:
        _must_be_open(fd)
        raise Errno(EINVAL)
    pairs = list(_IOVEC.iter_unpack(task.memory.view(address, count * _IOVEC.size)))
    if sum(length for _, length in pairs) > INT_MAX:
        raise Errno(EINVAL)
    if task.short is None:
        return pairs
    left = task.short
    cut: list[tuple[int, int]] = []
    for base, length in pairs:
        cut.append((base, min(length, left)))
        left -= cut[-1][1]
    return cut


def _views(
    task: Task, fd: int, pairs: Sequence[tuple[int, int]], *, write: bool
) -> list[memoryview]:
    try:
        return [
            task.memory.view(base, length, write=write) for base, length in pairs if length
        ] or [memoryview(bytearray(0))]
    except BadAddress:
        _must_be_open(fd)
        raise


@table.syscall(
    120, "readv", FD, ADDRESS, INT,
    support=FULL, nocancel=411, returns=SSIZE, on_signal=RESTART,
)
def readv(task: Task, fd: int, vector: int, count: int) -> int:
    """Read into up to 1024 buffers; none at all is EINVAL, as more than INT_MAX bytes."""
    pairs = _vector(task, fd, vector, count)
    description = task.files.get(fd)
    if description is not None and description.kind == "socket":
        return endpoint.receive(task, fd, pairs)
    return _fill(task, fd, _views(task, fd, pairs, write=True))


@table.syscall(
    121, "writev", FD, ADDRESS, INT,
    support=FULL, nocancel=412, returns=SSIZE, on_signal=RESTART,
)
def writev(task: Task, fd: int, vector: int, count: int) -> int:
    """Write up to 1024 buffers; none at all is EINVAL, as more than INT_MAX bytes."""
    pairs = _vector(task, fd, vector, count)
    description = task.files.get(fd)
    if description is not None and description.kind == "socket":
        return endpoint.send(task, fd, pairs)
    return _drain(task, fd, _views(task, fd, pairs, write=False))


def _positioned(
    task: Task, fd: int, transfer: Callable[[int, Sequence[memoryview], int], int],
    views: Sequence[memoryview], offset: int,
) -> int:
    """preadv or pwritev of the host, with Darwin's errors for what has no offset."""
    if offset < 0:          # -1 would mean "at the offset" to the host
        _must_be_open(fd)
        raise Errno(EINVAL)
    try:
        return transfer(fd, views, offset)
    except OSError as error:
        number = from_host(error.errno)
        if number == ESPIPE and os.isatty(fd):
            number = ENXIO
        elif number == EINVAL and not is_vnode(task, fd):
            number = ESPIPE
        elif number == EFBIG:
            task.post_signal(abi.SIGXFSZ)
        raise Errno(number) from None


@table.syscall(
    153, "pread", FD, OUTPUT, SIZE, OFFSET,
    support=FULL, nocancel=414, returns=SSIZE, on_signal=RESTART,
)
def pread(task: Task, fd: int, address: int, size: int, offset: int) -> int:
    """Read at a position; ESPIPE for a pipe or socket, ENXIO for a terminal."""
    if size > INT_MAX:
        raise Errno(EINVAL)
    if task.short is not None and size > task.short:
        size = task.short
    views = _views(task, fd, [(address, size)], write=True)
    return _positioned(task, fd, os.preadv, views, offset)


@table.syscall(
    154, "pwrite", FD, INPUT, SIZE, OFFSET,
    support=FULL, nocancel=415, returns=SSIZE, on_signal=RESTART,
)
def pwrite(task: Task, fd: int, address: int, size: int, offset: int) -> int:
    """Write at a position; ESPIPE for a pipe or socket, ENXIO for a terminal."""
    if size > INT_MAX:
        raise Errno(EINVAL)
    if task.short is not None and size > task.short:
        size = task.short
    views = _views(task, fd, [(address, size)], write=False)
    return _positioned(task, fd, os.pwritev, views, offset)


@table.syscall(
    540, "preadv", FD, ADDRESS, INT, OFFSET,
    support=FULL, nocancel=542, returns=SSIZE, on_signal=RESTART, since="11",
)
def preadv(task: Task, fd: int, vector: int, count: int, offset: int) -> int:
    """Read at a position into several buffers."""
    views = _views(task, fd, _vector(task, fd, vector, count), write=True)
    return _positioned(task, fd, os.preadv, views, offset)


@table.syscall(
    541, "pwritev", FD, ADDRESS, INT, OFFSET,
    support=FULL, nocancel=543, returns=SSIZE, on_signal=RESTART, since="11",
)
def pwritev(task: Task, fd: int, vector: int, count: int, offset: int) -> int:
    """Write several buffers at a position."""
    views = _views(task, fd, _vector(task, fd, vector, count), write=False)
    return _positioned(task, fd, os.pwritev, views, offset)


# --- the descriptor itself --------------------------------------------------------------


@table.syscall(6, "close", FD, support=FULL, nocancel=399)
def close(task: Task, fd: int) -> int:
    """Give a number back; EBADF when it is not open."""
    task.files.closed(fd)       # while the number still names the file: kqueue needs that
    try:
        os.close(fd)
    except OSError as error:
        raise Errno(from_host(error.errno)) from None
    return 0


def _duplicate(task: Task, fd: int, lowest: int, *, close_on_exec: bool = False) -> int:
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
    return new


@table.syscall(41, "dup", FD, support=FULL)
def dup(task: Task, fd: int) -> int:
    """The lowest free number for the same open file, kept over exec; EMFILE."""
    return _duplicate(task, fd, 0)


@table.syscall(90, "dup2", FD, FD, support=FULL)
def dup2(task: Task, fd: int, new: int) -> int:
    """Make a number name the same open file; both the same: nothing changes. EBADF."""
    _must_be_open(fd)
    if new >= limits.descriptors(task):
        raise Errno(EBADF)
    if fd != new:
        task.files.closed(new)
        with translated():
            os.dup2(fd, new)
        task.files.duplicated(fd, new)
    return new


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
    return ends


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
        _must_be_open(fd)
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


def _set_length(task: Task, fd: int, length: int) -> int:
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
    return _set_length(task, fd, length)


# --- locks ------------------------------------------------------------------------------


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


def _range_lock(task: Task, fd: int, command: int, address: int) -> int:
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


# --- fcntl ------------------------------------------------------------------------------


def _signed(argument: int) -> int:
    return ((argument & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


def _duplicate_from(task: Task, fd: int, command: int, argument: int) -> int:
    lowest = _signed(argument)
    if not 0 <= lowest < limits.descriptors(task):
        raise Errno(EINVAL)
    return _duplicate(task, fd, lowest, close_on_exec=command == abi.F_DUPFD_CLOEXEC)


def _get_descriptor_flags(task: Task, fd: int, _command: int, _argument: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


def _set_descriptor_flags(task: Task, fd: int, _command: int, argument: int) -> int:
    fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC if argument & abi.FD_CLOEXEC else 0)
    return 0


def _get_status_flags(task: Task, fd: int, _command: int, _argument: int) -> int:
    return host.status_flags_to_darwin(fcntl.fcntl(fd, fcntl.F_GETFL))


def _set_status_flags(task: Task, fd: int, _command: int, argument: int) -> int:
    fcntl.fcntl(fd, fcntl.F_SETFL, host.status_flags(argument & 0xFFFFFFFF))
    return 0


def _get_owner(task: Task, fd: int, _command: int, _argument: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_GETOWN)


def _set_owner(task: Task, fd: int, _command: int, argument: int) -> int:
    fcntl.fcntl(fd, fcntl.F_SETOWN, _signed(argument))
    return 0


def _get_no_sigpipe(task: Task, fd: int, _command: int, _argument: int) -> int:
    description = task.files.get(fd)
    return int(description is not None and description.no_sigpipe)


def _set_no_sigpipe(task: Task, fd: int, _command: int, argument: int) -> int:
    task.files.describe(fd).no_sigpipe = bool(argument & 0xFFFFFFFF)
    return 0


def _accepted(task: Task, fd: int, _command: int, _argument: int) -> int:
    """Advice about caching: nothing a program could see."""
    require_vnode(task, fd, EBADF)
    return 0


def _path_of(task: Task, fd: int, _command: int, argument: int) -> int:
    require_vnode(task, fd, EBADF)
    task.memory.write(argument, host.descriptor_path(fd)[:abi.PATH_MAX - 1] + b"\0")
    return 0


def _full_sync(task: Task, fd: int, command: int, _argument: int) -> int:
    require_vnode(task, fd, EBADF)
    if command == abi.F_FULLFSYNC:
        host.full_sync(fd)
    else:
        os.fsync(fd)
    return 0


def _require_writable(fd: int) -> None:
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise Errno(EBADF)


def _preallocate(task: Task, fd: int, _command: int, argument: int) -> int:
    require_vnode(task, fd, EBADF)
    _require_writable(fd)
    flags, mode, offset, length, _ = FSTORE.codec.unpack(task.memory.view(argument, FSTORE.size))
    if mode == abi.F_PEOFPOSMODE:
        if offset != 0:
            raise Errno(EINVAL)
    elif mode != abi.F_VOLPOSMODE or offset <= 0:
        raise Errno(EINVAL)
    allocated = 0
    try:
        if length > 0:
            host.preallocate(fd, os.fstat(fd).st_size, length)
            allocated = length
    finally:
        task.memory.write(argument, FSTORE.codec.pack(flags, mode, offset, length, allocated))
    return 0


def _punch_hole(task: Task, fd: int, _command: int, argument: int) -> int:
    require_vnode(task, fd, EBADF)
    flags, reserved, offset, length = FPUNCHHOLE.codec.unpack(
        task.memory.view(argument, FPUNCHHOLE.size)
    )
    if flags or reserved or offset < 0 or length < 0:
        raise Errno(EINVAL)
    _require_writable(fd)
    if length:
        host.punch_hole(fd, offset, length)
    return 0


def _set_size(task: Task, fd: int, _command: int, argument: int) -> int:
    require_vnode(task, fd, EBADF)
    _require_writable(fd)
    if os.geteuid() != 0:
        raise Errno(EACCES)
    (size,) = _I64.unpack(task.memory.view(argument, 8))
    return _set_length(task, fd, size)


_COMMANDS: Final[dict[int, Callable[[Task, int, int, int], int]]] = {
    abi.F_DUPFD: _duplicate_from,
    abi.F_DUPFD_CLOEXEC: _duplicate_from,
    abi.F_GETFD: _get_descriptor_flags,
    abi.F_SETFD: _set_descriptor_flags,
    abi.F_GETFL: _get_status_flags,
    abi.F_SETFL: _set_status_flags,
    abi.F_GETOWN: _get_owner,
    abi.F_SETOWN: _set_owner,
    abi.F_GETLK: _range_lock,
    abi.F_SETLK: _range_lock,
    abi.F_SETLKW: _range_lock,
    abi.F_SETLKWTIMEOUT: _range_lock,
    abi.F_OFD_GETLK: _range_lock,
    abi.F_OFD_SETLK: _range_lock,
    abi.F_OFD_SETLKW: _range_lock,
    abi.F_FLUSH_DATA: _accepted,
    abi.F_RDADVISE: _accepted,
    abi.F_RDAHEAD: _accepted,
    abi.F_NOCACHE: _accepted,
    abi.F_PREALLOCATE: _preallocate,
    abi.F_PUNCHHOLE: _punch_hole,
    abi.F_SETSIZE: _set_size,
    abi.F_GETPATH: _path_of,
    abi.F_GETPATH_NOFIRMLINK: _path_of,
    abi.F_FULLFSYNC: _full_sync,
    abi.F_BARRIERFSYNC: _full_sync,
    abi.F_SETNOSIGPIPE: _set_no_sigpipe,
    abi.F_GETNOSIGPIPE: _get_no_sigpipe,
}


@table.syscall(
    92, "fcntl", FD, ENUM("fcntl"), ULONG,
    support=PARTIAL, nocancel=406, on_signal=RESTART,
    note="The commands of <sys/fcntl.h> that public programs use; others are ENOTTY. "
    "F_GETFL does not show the kernel's own bits (written, was locked). "
    "F_SETFL changes O_SYNC and O_DSYNC only where the host can. "
    "A waiting F_SETLKW of a program with signal handlers does not notice a deadlock.",
)
def fcntl_(task: Task, fd: int, command: int, argument: int) -> int:
    """Copies, flags, record locks, paths and room of a descriptor; unknown ones ENOTTY."""
    action = _COMMANDS.get(command)
    try:
        if action is None:
            fcntl.fcntl(fd, fcntl.F_GETFD)
            raise Errno(ENOTTY)
        if action is _get_no_sigpipe or action is _set_no_sigpipe:
            fcntl.fcntl(fd, fcntl.F_GETFD)
        return action(task, fd, command, argument)
    except OSError as error:
        raise Errno(from_host(error.errno)) from None


# --- ioctl ------------------------------------------------------------------------------


def _bytes_waiting(fd: int) -> int:
    """FIONREAD: what a read could take now; for a file, what is left of it."""
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        return max(0, min(found.st_size - os.lseek(fd, 0, os.SEEK_CUR), INT_MAX))
    waiting: bytes = fcntl.ioctl(fd, termios.FIONREAD, bytes(4))
    return int.from_bytes(waiting, sys.byteorder)


@table.syscall(
    54, "ioctl", FD, COMMAND("ioctl"), ADDRESS,
    support=PARTIAL,
    note="FIOCLEX, FIONCLEX, FIONREAD, FIONBIO, FIOASYNC, SIOCATMARK and TIOCGWINSZ; "
    "every other request is ENOTTY. FIOASYNC is accepted and sends no SIGIO.",
)
def ioctl(task: Task, fd: int, request: int, argument: int) -> int:
    """FIONREAD, FIONBIO, FIOCLEX and a few more; ENOTTY for others."""
    with translated():
        if request == abi.FIOCLEX or request == abi.FIONCLEX:
            os.set_inheritable(fd, request == abi.FIONCLEX)
        elif request == abi.FIONBIO:
            os.set_blocking(fd, not task.memory.i32(argument))
        elif request == abi.FIONREAD:
            task.memory.write(argument, _I32.pack(_bytes_waiting(fd)))
        elif request == abi.FIOASYNC:
            _must_be_open(fd)
            task.memory.i32(argument)
        elif request == abi.SIOCATMARK:
            description = task.files.get(fd)
            if description is None or description.kind != "socket":
                _must_be_open(fd)
                raise Errno(ENOTTY)
            found = fcntl.ioctl(fd, 0x8905 if host.LINUX else abi.SIOCATMARK, bytes(4))
            task.memory.write(argument, found)
        elif request == abi.TIOCGWINSZ:
            task.memory.write(argument, fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
        else:
            _must_be_open(fd)
            raise Errno(ENOTTY)
    return 0
