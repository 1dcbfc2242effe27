"""Messages on sockets: sendto, sendmsg, recvfrom, recvmsg.

Control messages begin with a 12-byte head and are aligned to 4 bytes on Darwin, to
8 on Linux with a 16-byte head.  Descriptors in SCM_RIGHTS keep their open file;
the receiver gets the lowest free numbers.  Sources: XNU bsd/kern/uipc_syscalls.c
(sendit, recvit, copyout_control), bsd/kern/uipc_usrreq.c (unp_internalize).
"""

from __future__ import annotations

import os
import socket as host
import struct
from typing import Final

from ymawky_kit.darwin import abi, endpoint, host_socket, limits, sockaddr
from ymawky_kit.darwin.endpoint import Buffers, Socket
from ymawky_kit.darwin.errno import EAGAIN, EBADF, EINVAL, EISCONN, EMFILE, EMSGSIZE, Errno
from ymawky_kit.darwin.host_socket import LINUX, MSG_DONTWAIT, MSG_NOSIGNAL, POLLIN, POLLOUT
from ymawky_kit.darwin.socket_text import SOCKADDR
from ymawky_kit.darwin.table import (
    ADDRESS,
    FD,
    FLAGS,
    FULL,
    INPUT,
    OUTPUT,
    PARTIAL,
    RESTART,
    SIZE,
    UINT,
    table,
)
from ymawky_kit.darwin.task import Task

_MSGHDR: Final = struct.Struct("<QI4xQi4xQIi")
_CMSGHDR: Final = struct.Struct("<Iii")
#: struct cmsghdr of the host.
_HOST_CMSG: Final = struct.Struct("Qii" if LINUX else "Iii")
_HOST_ALIGN: Final = 8 if LINUX else 4
_FLAGS: Final = FLAGS("msg")
#: net.inet.udp.maxdgram: the send buffer of a UDP socket, so its longest datagram.
_UDP_SEND: Final = 9216
_MOST_RIGHTS: Final = 253       # of one host message


@table.syscall(133, "sendto", FD, INPUT, SIZE, _FLAGS, SOCKADDR(5), UINT, support=FULL,
               nocancel=413, on_signal=RESTART)
def sendto(
    task: Task, fd: int, address: int, size: int, flags: int, to: int, to_size: int
) -> int:
    """EPIPE comes with SIGPIPE unless SO_NOSIGPIPE or MSG_NOSIGNAL."""
    state = endpoint.of(task, fd)
    if size > abi.INT_MAX:
        raise Errno(EINVAL)
    if to == 0 and state.type == abi.SOCK_STREAM:
        return endpoint.send(task, fd, ((address, size),), flags)
    name = b""
    if to:
        name = sockaddr.read(task.memory, to, to_size, state.family)
    return _send_message(task, fd, state, ((address, size),), flags, name, 0)


@table.syscall(28, "sendmsg", FD, ADDRESS, _FLAGS, support=PARTIAL, nocancel=402,
               on_signal=RESTART, note="control messages: SCM_RIGHTS only")
def sendmsg(task: Task, fd: int, address: int, flags: int) -> int:
    """One control message, SCM_RIGHTS, its head 12 bytes."""
    name_at, name_size, vectors, count, control, control_size, _ = _MSGHDR.unpack(
        task.memory.read(address, _MSGHDR.size)
    )
    buffers = endpoint.vectors(task, vectors, count, EMSGSIZE)
    state = endpoint.of(task, fd)
    name = b""
    if name_at:
        name = sockaddr.read(task.memory, name_at, name_size, state.family)
    rights = 0
    if control:
        if control_size < _CMSGHDR.size:
            raise Errno(EINVAL)
        rights = _rights_out(task, state, control, control_size)
    elif state.type == abi.SOCK_STREAM and not name:
        return endpoint.send(task, fd, buffers, flags)
    return _send_message(task, fd, state, buffers, flags, name, rights)


def _rights_out(task: Task, state: Socket, address: int, size: int) -> int:
    """Put the guest's control message into the host's; gives its size."""
    data = task.memory.read(address, size)
    length, level, kind = _CMSGHDR.unpack_from(data)
    if state.family != abi.AF_UNIX or (length, level, kind) != (
        size, abi.SOL_SOCKET, abi.SCM_RIGHTS
    ):
        raise Errno(EINVAL)
    fds = []
    for (raw,) in struct.iter_unpack("<i", data[_CMSGHDR.size:size - (size & 3)]):
        fd = task.files.number(raw)
        try:
            os.fstat(fd)
        except OSError:
            raise Errno(EBADF) from None
        found = task.files.get(fd)
        if found is not None and found.kind == "kqueue":
            raise Errno(EINVAL)
        fds.append(fd)
    if len(fds) > _MOST_RIGHTS:
        raise Errno(EINVAL)
    data = struct.pack(f"{len(fds)}i", *fds)
    whole = _HOST_CMSG.size + len(data)
    _HOST_CMSG.pack_into(host_socket.control, 0, whole, host.SOL_SOCKET, host.SCM_RIGHTS)
    struct.pack_into(f"{len(data)}s", host_socket.control, _HOST_CMSG.size, data)
    return whole + -whole % _HOST_ALIGN


def _send_message(
    task: Task, fd: int, state: Socket, buffers: Buffers, flags: int, name: bytes, rights: int
) -> int:
    """One datagram, or a stream's bytes with descriptors."""
    buffers = endpoint.limited(task, buffers)
    endpoint.check(task, buffers)
    size = sum([n for _, n in buffers])
    there = sockaddr.to_host(name, state.family) if name else b""
    if state.type == abi.SOCK_DGRAM:
        most = state.send_size
        if most is None and state.family != abi.AF_UNIX:
            most = _UDP_SEND
        if most is not None and size > most:
            raise Errno(EMSGSIZE)
        if name and endpoint.connected(fd):
            raise Errno(EISCONN)
    elif state.family != abi.AF_UNIX or rights == 0:
        return endpoint.send(task, fd, buffers, flags)      # a stream ignores the name
    name_at = 0
    if there:
        struct.pack_into(f"{len(there)}s", sockaddr.buffer, 0, there)
        name_at = sockaddr.buffer_address
    host_flags = MSG_DONTWAIT | MSG_NOSIGNAL
    for ours, theirs in host_socket.SEND_FLAGS:
        if flags & ours:
            host_flags |= theirs
    until: float | None = None
    control = bytes(host_socket.control.raw[:rights])
    while True:
        struct.pack_into(f"{rights}s", host_socket.control, 0, control)
        message = host_socket.message(
            task.memory, buffers, name=name_at, name_size=len(there), control_size=rights
        )
        count = int(host_socket.sendmsg(fd, message, host_flags))
        if count >= 0:
            break
        number = host_socket.failure()
        if number != EAGAIN:
            found = endpoint.describe(task, fd)
            raise Errno(endpoint.send_failed(task, fd, found, number, flags))
        until = endpoint.wait(task, fd, POLLOUT, flags, state.send_timeout, until)
    if count < size and state.type == abi.SOCK_STREAM:
        # The descriptors are through; the other bytes follow as plain data.
        count += endpoint.send(task, fd, endpoint.behind(buffers, count), flags)
    return count


@table.syscall(29, "recvfrom", FD, OUTPUT, SIZE, _FLAGS, ADDRESS, ADDRESS, support=FULL,
               nocancel=403, on_signal=RESTART)
def recvfrom(
    task: Task, fd: int, address: int, size: int, flags: int, name: int, length_at: int
) -> int:
    """recvfrom(2): *len becomes the sender's real address length."""
    room = task.memory.u32(length_at) if length_at else 0
    state = endpoint.of(task, fd)
    if size > abi.INT_MAX:
        raise Errno(EINVAL)
    if name == 0:
        return endpoint.receive(task, fd, ((address, size),), flags)
    count, sender, _, _ = _receive_message(task, fd, state, ((address, size),), flags, 0)
    task.memory.write(name, sender[:room])
    if length_at:
        task.memory.put_u32(length_at, len(sender))
    return count


@table.syscall(27, "recvmsg", FD, ADDRESS, _FLAGS, support=PARTIAL, nocancel=401,
               on_signal=RESTART, note="control messages: SCM_RIGHTS only")
def recvmsg(task: Task, fd: int, address: int, flags: int) -> int:
    """Descriptors of SCM_RIGHTS get the lowest free numbers."""
    name_at, name_size, vectors, iovec_count, control, control_size, _ = _MSGHDR.unpack(
        task.memory.read(address, _MSGHDR.size)
    )
    buffers = endpoint.vectors(task, vectors, iovec_count, EMSGSIZE)
    state = endpoint.of(task, fd)
    room = 0
    if control and state.family == abi.AF_UNIX:
        fits = max(0, control_size - _CMSGHDR.size) // 4
        room = _HOST_CMSG.size + 4 * min(fits, _MOST_RIGHTS) if fits else 0
    count, sender, rights, told = _receive_message(task, fd, state, buffers, flags, room)
    if name_at:
        task.memory.write(name_at, sender[:name_size])
        name_size = len(sender)
    if control:
        control_size = 0
        if rights:
            data = _CMSGHDR.pack(
                _CMSGHDR.size + 4 * len(rights), abi.SOL_SOCKET, abi.SCM_RIGHTS
            ) + struct.pack(f"<{len(rights)}i", *rights)
            task.memory.write(control, data)
            control_size = len(data)
    task.memory.write(address, _MSGHDR.pack(
        name_at, name_size, vectors, iovec_count, control, control_size, told
    ))
    return count


def _receive_message(
    task: Task, fd: int, state: Socket, buffers: Buffers, flags: int, room: int
) -> tuple[int, bytes, list[int], int]:
    """(bytes, sender's address, descriptors, Darwin's msg_flags)."""
    buffers = endpoint.limited(task, buffers)
    endpoint.check(task, buffers, write=True)
    host_flags = MSG_DONTWAIT
    for ours, theirs in host_socket.RECEIVE_FLAGS:
        if flags & ours:
            host_flags |= theirs
    until: float | None = None
    while True:
        message = host_socket.message(
            task.memory, buffers, name=sockaddr.buffer_address, name_size=sockaddr.HOST_SIZE,
            control_size=room,
        )
        count = int(host_socket.recvmsg(fd, message, host_flags))
        if count >= 0:
            break
        number = host_socket.failure()
        if number != EAGAIN:
            count = endpoint.receive_failed(state, number)
            return count, b"", [], 0
        until = endpoint.wait(task, fd, POLLIN, flags, state.receive_timeout, until)
    name_size, control_size, host_told = host_socket.message_results()
    sender = sockaddr.from_host(sockaddr.buffer.raw[:name_size]) if name_size else b""
    if not sender and state.family == abi.AF_UNIX and state.type == abi.SOCK_DGRAM:
        sender = sockaddr.NO_NAME
    told = 0
    for ours, theirs in host_socket.REPORTED_FLAGS:
        if host_told & theirs:
            told |= ours
    rights = _rights_in(task, control_size)
    if count == 0 and state.type == abi.SOCK_STREAM and any(n for _, n in buffers) and not rights:
        endpoint.ended(fd, state)
    return count, sender, rights, told


def _rights_in(task: Task, size: int) -> list[int]:
    """The descriptors of a host control message, now the guest's; raises Errno(EMFILE)."""
    if size < _HOST_CMSG.size:
        return []
    data = host_socket.control.raw[:size]
    length, level, kind = _HOST_CMSG.unpack_from(data)
    if (level, kind) != (host.SOL_SOCKET, host.SCM_RIGHTS):
        return []
    length = min(length, size)
    fds = [fd for (fd,) in struct.iter_unpack(
        "i", data[_HOST_CMSG.size:length - (length - _HOST_CMSG.size) % 4]
    )]
    limit = limits.descriptors(task)
    if any(fd >= limit for fd in fds):
        for fd in fds:
            os.close(fd)
        raise Errno(EMFILE)
    for fd in fds:
        endpoint.adopt(task, fd)
    return fds
