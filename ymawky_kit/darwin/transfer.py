"""read, write and their relatives: bytes between files and guest memory.

They go straight between the host's kernel and the guest, without a copy.  A transfer
that could sleep is first tried without sleeping and then waited for through
`task.block`, so that no signal is lost.  Source: XNU bsd/kern/sys_generic.c: a sleeping
call that has moved no byte is EINTR or runs again, one that has returns its count.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final

from ymawky_kit.darwin import abi, endpoint, host
from ymawky_kit.darwin.abi import INT_MAX
from ymawky_kit.darwin.errno import (
    EFAULT,
    EFBIG,
    EINVAL,
    ENXIO,
    EPIPE,
    ESPIPE,
    Errno,
    from_host,
)
from ymawky_kit.darwin.table import (
    ADDRESS,
    FD,
    FULL,
    INPUT,
    INT,
    OFFSET,
    OUTPUT,
    RESTART,
    SIZE,
    SSIZE,
    table,
)
from ymawky_kit.darwin.task import Interrupted, Task
from ymawky_kit.darwin.vnode import is_vnode, must_be_open
from ymawky_kit.emu.memory import BadAddress

_IOVEC: Final = Struct("<QQ")


def _fill(task: Task, fd: int, views: Sequence[memoryview]) -> int:
    """Read into guest memory, sleeping as the descriptor's flags allow."""
    try:
        if not task.signals.armed:      # nothing can interrupt: the host may sleep itself
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
    """Nothing is there yet, or the file cannot say so without being asked."""
    if _is_regular(fd) or not os.get_blocking(fd):
        return os.readv(fd, views)
    cannot = got == host.CANNOT
    got = None
    while got is None:
        task.block(fd, select.POLLIN, always=True)
        got = os.readv(fd, views) if cannot else host.try_read(fd, views)
    return got


def _is_regular(fd: int) -> bool:
    return stat.S_ISREG(os.fstat(fd).st_mode)


def _drain(task: Task, fd: int, views: Sequence[memoryview]) -> int:
    """Write from guest memory, all of it unless something stops that midway."""
    try:
        if not task.signals.armed:
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
    """Not everything fitted at once, or the file cannot say so without being asked."""
    cannot = put == host.CANNOT
    done = 0 if put is None or cannot else put
    if _is_regular(fd):         # a file takes everything; only a full disk cuts it short
        return done + os.writev(fd, _behind(views, done))
    if not os.get_blocking(fd):
        return done or os.writev(fd, views)
    total = sum(map(len, views))
    while done < total:
        try:
            task.block(fd, select.POLLOUT, always=True)
        except Interrupted:
            if done:            # what has been written counts
                return done
            raise
        rest = _behind(views, done)
        # A pipe that is ready takes this many bytes without sleeping.
        more = os.writev(fd, [rest[0][:abi.PIPE_BUF]]) if cannot else host.try_write(fd, rest)
        done += more or 0
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


def _fill_what_is_there(task: Task, fd: int, address: int, size: int) -> int:
    """read(2) into a buffer that runs off writable memory: fine if the data ends before."""
    must_be_open(fd)
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
        must_be_open(fd)
        raise
    return _drain(task, fd, (view,))


def _vector(task: Task, fd: int, address: int, count: int) -> list[tuple[int, int]]:
    """The (address, length) pairs of an iovec array, cut to the fault plan's limit."""
    if not 0 < count <= abi.IOV_MAX:
        must_be_open(fd)
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
        must_be_open(fd)
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
        must_be_open(fd)
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
