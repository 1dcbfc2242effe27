"""sendfile(2), with what is odd about Darwin's.

The result is 0, never a count: the count goes to *len, on failure too.  *len on entry
limits header and file bytes together, 0 means to the end of the file.  The file's own
position does not move.  Source: XNU bsd/kern/uipc_syscalls.c (sendfile), read as a loop:
buffer room is looked at before "everything sent", so a socket that does not wait can
answer EAGAIN although *len already says it all.

The host's sendfile moves the bytes; headers go out with MSG_MORE, so that head and
body share a segment.  A call costs three host calls on a non-blocking socket.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import stat
import struct
from contextlib import suppress
from typing import Final

from ymawky_kit.darwin import abi, endpoint, host_socket
from ymawky_kit.darwin.endpoint import Socket
from ymawky_kit.darwin.errno import (
    EAGAIN,
    EBADF,
    EINTR,
    EINVAL,
    ENOTCONN,
    ENOTSUP,
    Errno,
    from_host,
)
from ymawky_kit.darwin.host_socket import LINUX, POLLOUT
from ymawky_kit.darwin.table import ADDRESS, FULL, INT, OFFSET, RESTART, Kind, table
from ymawky_kit.darwin.task import Task
from ymawky_kit.darwin.vnode import require_vnode
from ymawky_kit.emu.memory import BadAddress

_HDTR: Final = struct.Struct("<Qi4xQi4x")
#: A descriptor, looked up by the handler: even a bad one leaves its count in *len.
_FILE: Final = Kind("fd", INT.code, INT.show)
#: The most one host call is asked for; Linux itself stops at 2 GiB less a page.
_CHUNK: Final = 1 << 30
#: From here on a full buffer behind the last byte is worth a look.
_MUCH: Final = 1 << 16

_offset = ctypes.c_int64()
_offset_address: Final = ctypes.addressof(_offset)


class _Count:
    """Bytes queued so far: headers, file, trailers."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = 0


@table.syscall(337, "sendfile", _FILE, _FILE, OFFSET, ADDRESS, ADDRESS, INT, support=FULL,
               on_signal=RESTART)
def sendfile(
    task: Task, file: int, s: int, offset: int, length_at: int, hdtr: int, flags: int
) -> int:
    """The result is 0; *len is the count, written on failure too."""
    count = _Count()
    try:
        _transfer(task, file, s, offset, length_at, hdtr, flags, count)
    finally:
        if length_at:
            with suppress(BadAddress):      # the kernel does not look whether it worked
                task.memory.put_u64(length_at, count.sent)
    return 0


def _transfer(
    task: Task, file: int, s: int, offset: int, length_at: int, hdtr: int, flags: int,
    count: _Count,
) -> None:
    """The checks in XNU's order, then headers, file, trailers."""
    file = task.files.number(file)
    try:
        status = os.fstat(file)
    except OSError:
        raise Errno(EBADF) from None
    regular = stat.S_ISREG(status.st_mode)
    if not regular:
        require_vnode(task, file)
    if fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
        raise Errno(EBADF)
    if not regular:
        raise Errno(ENOTSUP)
    fd = task.files.number(s)
    found = endpoint.describe(task, fd)
    state: Socket = found.data
    if state.type != abi.SOCK_STREAM:
        raise Errno(EINVAL)
    if state.dead or not endpoint.connected(fd):
        if not state.dead and endpoint.both_shut(fd, state):
            endpoint.stash_error(fd, state)
        raise Errno(ENOTCONN)
    if offset < 0 or length_at == 0 or flags != 0:
        raise Errno(EINVAL)
    limit = task.memory.i64(length_at)
    headers = header_count = trailers = trailer_count = 0
    if hdtr:
        headers, header_count, trailers, trailer_count = _HDTR.unpack(
            task.memory.read(hdtr, _HDTR.size)
        )
    if headers:
        buffers = endpoint.vectors(task, headers, header_count)
        follows = status.st_size > offset and (
            limit == 0 or limit > sum([size for _, size in buffers])
        )
        count.sent += endpoint.send(task, fd, buffers, more=follows)
        if task.short is not None:      # one allowance for headers and file together
            if count.sent < sum([size for _, size in buffers]):
                raise Errno(_cut_short(fd))
            task.short -= count.sent
    left = status.st_size - offset
    if limit:
        left = min(left, limit - count.sent)
    if left > 0:
        _send_file(task, file, fd, state, offset, left, count)
    if trailers:
        count.sent += endpoint.send(task, fd, endpoint.vectors(task, trailers, trailer_count))


def _send_file(
    task: Task, file: int, fd: int, state: Socket, offset: int, left: int, count: _Count
) -> None:
    """`left` bytes of the file; raises Errno and Interrupted with `count` up to date."""
    short = task.short
    if short is not None and short < left:
        left = short
    else:
        short = None
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    nonblocking = bool(flags & os.O_NONBLOCK)
    if not nonblocking:
        # The host's sendfile has no flag for one call that must not sleep.
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    try:
        _loop(task, file, fd, state, offset, left, count, nonblocking)
    finally:
        if not nonblocking:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags)
    if short is not None:
        raise Errno(_cut_short(fd))
    if nonblocking and left >= _MUCH and not host_socket.ready(fd, POLLOUT):
        raise Errno(EAGAIN)


def _cut_short(fd: int) -> int:
    """What a call says that could not send everything."""
    return EAGAIN if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK else EINTR


def _loop(
    task: Task, file: int, fd: int, state: Socket, offset: int, left: int, count: _Count,
    nonblocking: bool,
) -> None:
    until: float | None = None
    no_wait = abi.MSG_DONTWAIT if nonblocking else 0
    while left > 0:
        moved = _host_sendfile(fd, file, offset, min(left, _CHUNK))
        if moved > 0:
            count.sent += moved
            offset += moved
            left -= moved
        elif moved == 0:
            return              # the file became shorter meanwhile
        elif -moved == EAGAIN:
            until = endpoint.sleep(task, fd, POLLOUT, no_wait, state.send_timeout, until)
        elif -moved != EINTR:
            found = endpoint.describe(task, fd)
            raise Errno(endpoint.send_failed(task, fd, found, -moved, signal=False))


def _host_sendfile(fd: int, file: int, offset: int, size: int) -> int:
    """One host call: bytes moved, or -errno (Darwin's)."""
    if LINUX:
        _offset.value = offset
        moved = int(host_socket.transfer(fd, file, _offset_address, size))
        return moved if moved >= 0 else -host_socket.failure()
    try:
        return os.sendfile(fd, file, offset, size)
    except OSError as error:
        return -from_host(error.errno, socket=True)
