"""Making, naming and connecting sockets.

Sources: XNU bsd/kern/uipc_syscalls.c (accept_nocancel, connectit, shutdown),
bsd/kern/uipc_socket.c (socreate_internal, solisten, soshutdown), bsd/kern/uipc_domain.c
(pffindproto), bsd/netinet/tcp_usrreq.c, bsd/kern/uipc_usrreq.c.
"""

from __future__ import annotations

import fcntl
import os
import socket as host
import struct
from typing import Final

from ymawky_kit.darwin import abi, endpoint, host_socket, sockaddr
from ymawky_kit.darwin.endpoint import Socket
from ymawky_kit.darwin.errno import (
    EACCES,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EAGAIN,
    EALREADY,
    EDESTADDRREQ,
    EINPROGRESS,
    EINTR,
    EINVAL,
    EISCONN,
    EMFILE,
    ENOTCONN,
    EOPNOTSUPP,
    EPERM,
    EPROTONOSUPPORT,
    EPROTOTYPE,
    ETIMEDOUT,
    Errno,
)
from ymawky_kit.darwin.host_socket import LINUX, POLLIN, POLLOUT, check
from ymawky_kit.darwin.socket_text import SOCKADDR
from ymawky_kit.darwin.table import ADDRESS, ENUM, FD, FULL, INT, PARTIAL, RESTART, UINT, table
from ymawky_kit.darwin.task import Interrupted, Task
from ymawky_kit.darwin.watcher import roomy

#: How long a host accept may sleep when another process took the connection that
#: poll had seen, in microseconds.  Only then does it sleep at all.
GUARD: Final = 10_000

_NONBLOCK: Final = int(getattr(host, "SOCK_NONBLOCK", 0))
_PAIR: Final = struct.Struct("<ii")
_TIMEVAL: Final = struct.Struct("qq")
_PRIVILEGED: Final = 1024

#: The protocols of each domain by socket type, the first one for protocol 0
#: (inetsw, inet6sw, localsw).  Raw sockets need root on macOS and are refused.
_PROTOCOLS: Final[dict[int, dict[int, tuple[int, ...]]]] = {
    abi.AF_UNIX: {abi.SOCK_STREAM: (0,), abi.SOCK_DGRAM: (0,)},
    abi.AF_INET: {
        abi.SOCK_STREAM: (abi.IPPROTO_TCP,),
        abi.SOCK_DGRAM: (abi.IPPROTO_UDP, abi.IPPROTO_ICMP),
        abi.SOCK_RAW: (0, abi.IPPROTO_ICMP),
    },
    abi.AF_INET6: {
        abi.SOCK_STREAM: (abi.IPPROTO_TCP,),
        abi.SOCK_DGRAM: (abi.IPPROTO_UDP, 58),
        abi.SOCK_RAW: (0, 58),
    },
}


def _protocol(domain: int, kind: int, protocol: int) -> int:
    """The protocol a new socket gets; raises Errno as socreate_internal does."""
    types = _PROTOCOLS.get(domain)
    if types is None:
        raise Errno(EAFNOSUPPORT)
    known = types.get(kind, ())
    if not known or (protocol and protocol not in known and kind != abi.SOCK_RAW):
        if protocol and any(protocol in each for each in types.values()):
            raise Errno(EPROTOTYPE)
        raise Errno(EPROTONOSUPPORT)
    if kind == abi.SOCK_RAW:
        raise Errno(EPERM)
    return protocol or known[0]


@table.syscall(97, "socket", ENUM("family"), ENUM("socktype"), ENUM("protocol"), support=PARTIAL,
               note="AF_UNIX, AF_INET and AF_INET6 only; a raw socket is EPERM, as to a plain user")
def socket(task: Task, domain: int, kind: int, protocol: int) -> int:
    """No SOCK_NONBLOCK or SOCK_CLOEXEC bits on Darwin."""
    number = _protocol(domain, kind, protocol)
    fd = check(host_socket.open_socket(host_socket.AF[domain], kind, number))
    return task.files.given(endpoint.attach(task, fd, Socket(domain, kind, number)))


@table.syscall(135, "socketpair", ENUM("family"), ENUM("socktype"), ENUM("protocol"), ADDRESS,
               support=FULL)
def socketpair(task: Task, domain: int, kind: int, protocol: int, address: int) -> int:
    """Two connected AF_UNIX sockets, two ints at the address."""
    number = _protocol(domain, kind, protocol)
    if domain != abi.AF_UNIX:
        raise Errno(EOPNOTSUPP)
    task.memory.view(address, 8, write=True)
    check(host_socket.open_pair(host.AF_UNIX, kind, 0, sockaddr.buffer_address))
    first, second = struct.unpack_from("ii", sockaddr.buffer.raw)
    try:
        endpoint.attach(task, first, Socket(domain, kind, number))
    except Errno:
        os.close(second)
        raise
    try:
        endpoint.attach(task, second, Socket(domain, kind, number))
    except Errno:
        task.files.closed(first)
        os.close(first)
        raise
    task.memory.write(address, _PAIR.pack(task.files.given(first), task.files.given(second)))
    return 0


@table.syscall(104, "bind", FD, SOCKADDR(2), UINT, support=PARTIAL,
               note="address conflicts are the host's: Linux refuses 0.0.0.0:p beside a listening "
                    "127.0.0.1:p, and lets two SO_REUSEADDR sockets bind before either listens")
def bind(task: Task, fd: int, address: int, size: int) -> int:
    """The length byte of the name is ignored, family 0 is taken."""
    state = endpoint.of(task, fd)
    if address == 0:
        raise Errno(EDESTADDRREQ)
    name = sockaddr.read(task.memory, address, size, state.family)
    if endpoint.both_shut(fd, state):
        raise Errno(EINVAL)
    there = sockaddr.to_host(name, state.family)
    if state.family == abi.AF_INET:
        _check_inet(name)
    elif state.family == abi.AF_INET6 and name[8] == 0xFF:
        raise Errno(EAFNOSUPPORT)
    check(host_socket.bind(fd, there, len(there)))
    if state.family == abi.AF_UNIX:
        state.name = bytes((len(name), abi.AF_UNIX)) + name[2:]
    elif LINUX and state.type == abi.SOCK_STREAM:
        _leave_port(fd, state)
    return 0


def _leave_port(fd: int, state: Socket) -> None:
    """Let a later socket with SO_REUSEADDR have the port while ours is in TIME_WAIT.

    Linux asks that of both sockets, Darwin of the later one only.  The guest goes on
    reading its own flag.
    """
    key = (abi.SOL_SOCKET, abi.SO_REUSEADDR)
    if key not in state.kept and not host_socket.option(fd, host.SOL_SOCKET, host.SO_REUSEADDR):
        state.kept[key] = 0
        state.changed = True
        host_socket.set_int(fd, host.SOL_SOCKET, host.SO_REUSEADDR, 1)


def _check_inet(name: bytes) -> None:
    """What Darwin refuses and Linux may not: multicast, ports below 1024 (in_pcbbind)."""
    if name[1] == abi.AF_INET and (name[4] & 0xF0 == 0xE0 or name[4:8] == b"\xff" * 4):
        raise Errno(EAFNOSUPPORT)
    port = int.from_bytes(name[2:4], "big")
    if 0 < port < _PRIVILEGED and name[4:8] != bytes(4) and os.geteuid() != 0:
        raise Errno(EACCES)


@table.syscall(106, "listen", FD, INT, support=FULL)
def listen(task: Task, fd: int, backlog: int) -> int:
    """A backlog of 0 or less, or over 128, is 128."""
    state = endpoint.of(task, fd)
    if state.type != abi.SOCK_STREAM:
        raise Errno(EOPNOTSUPP)
    if not state.listening and (state.dead or state.connecting or endpoint.connected(fd)):
        raise Errno(EINVAL)
    if not 0 < backlog <= abi.SOMAXCONN:
        backlog = abi.SOMAXCONN
    # Linux queues one connection more than it is told.
    check(host_socket.listen(fd, backlog - 1 if LINUX else backlog))
    state.listening = True
    return 0


@table.syscall(30, "accept", FD, ADDRESS, ADDRESS, support=FULL, nocancel=404, on_signal=RESTART)
def accept(task: Task, fd: int, address: int, length_at: int) -> int:
    """The new socket copies O_NONBLOCK; without a free number it is dropped."""
    if address:
        task.memory.view(length_at, 4)
    found = endpoint.describe(task, fd)
    listener: Socket = found.data
    if not listener.listening:
        raise Errno(EINVAL if listener.type == abi.SOCK_STREAM else EOPNOTSUPP)
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    if flags & os.O_NONBLOCK:
        new = _accept(fd, nonblocking=True)
    else:
        new = _sleep_and_accept(task, fd, listener)
    if new < 0:
        if -new == EMFILE:
            _drop_connection(task, fd, wait=not flags & os.O_NONBLOCK)
        raise Errno(-new)
    if LINUX and listener.guarded:
        host_socket.check(host_socket.set_option(
            new, host.SOL_SOCKET, host.SO_RCVTIMEO, _TIMEVAL.pack(0, 0), 16
        ))
    endpoint.attach(task, new, listener.accepted(), no_sigpipe=found.no_sigpipe)
    if address:
        try:
            sockaddr.write(task.memory, sockaddr.taken(), address, length_at)
        except BaseException:
            task.files.closed(new)
            os.close(new)
            raise
    return task.files.given(new)


def _accept(fd: int, *, nonblocking: bool) -> int:
    """One host accept, the peer's name in sockaddr.buffer; -errno (Darwin's) on failure."""
    sockaddr.length.value = sockaddr.HOST_SIZE
    if LINUX:
        new = host_socket.accept4(
            fd, sockaddr.buffer_address, sockaddr.length_address,
            _NONBLOCK if nonblocking else 0,
        )
    else:
        new = host_socket.accept(fd, sockaddr.buffer_address, sockaddr.length_address)
    return int(new) if new >= 0 else -host_socket.failure()


def _sleep_and_accept(task: Task, fd: int, listener: Socket) -> int:
    """accept on a blocking listener, never deaf to signals; -errno on failure.

    poll may promise a connection that another process then takes.  So that the
    host's accept does not sleep on, a listener of a guest with signal handlers
    gets a short SO_RCVTIMEO on the host; Darwin's accept knows none, so it is free.
    """
    while True:
        if task.interruptible:
            if LINUX and not listener.guarded:
                host_socket.check(host_socket.set_option(
                    fd, host.SOL_SOCKET, host.SO_RCVTIMEO, _TIMEVAL.pack(0, GUARD), 16
                ))
                listener.guarded = True
            task.block(fd, POLLIN, always=True)
        new = _accept(fd, nonblocking=False)
        if -new == EINTR:
            task.check_interrupt()
        elif -new != EAGAIN:
            return new


def _drop_connection(task: Task, fd: int, *, wait: bool) -> None:
    """No number is free: Darwin takes a connection off the queue all the same, and closes it.

    Linux looks for the number first.  Raises Errno(EAGAIN) when there is no connection.
    """
    if wait:
        task.block(fd, POLLIN, always=True)
    elif not host_socket.ready(fd, POLLIN):
        raise Errno(EAGAIN)
    with roomy(task):
        new = _accept(fd, nonblocking=True)
    if new >= 0:
        os.close(new)


@table.syscall(98, "connect", FD, SOCKADDR(2), UINT, support=FULL, nocancel=409)
def connect(task: Task, fd: int, address: int, size: int) -> int:
    """EINPROGRESS, then EALREADY, then EISCONN; a failed TCP socket stays dead."""
    state = endpoint.of(task, fd)
    stream = state.type == abi.SOCK_STREAM
    name = sockaddr.read(task.memory, address, size, state.family, translate=stream)
    nonblocking = endpoint.nonblocking(fd)
    if state.connecting and not _finish(fd, state):
        raise Errno(EALREADY if nonblocking else EISCONN)
    if state.listening:
        raise Errno(EOPNOTSUPP)
    if stream and endpoint.connected(fd):
        raise Errno(EISCONN)
    if state.dead:
        raise Errno(endpoint.take_error(fd, state) or EINVAL)
    if not stream and name[1] == 0:
        # A datagram socket forgets its peer, then refuses the name (in_pcbladdr).
        host_socket.connect(fd, bytes(16), 16)
        raise Errno(EAFNOSUPPORT)
    there = sockaddr.to_host(name, state.family)
    if state.family == abi.AF_INET and stream:
        if name[4] & 0xF0 == 0xE0:
            raise Errno(EAFNOSUPPORT)
        if name[2:4] == b"\0\0":
            raise Errno(EADDRNOTAVAIL)
    return _connect(task, fd, state, there, nonblocking)


def _connect(task: Task, fd: int, state: Socket, there: bytes, nonblocking: bool) -> int:
    limit = state.kept.get((abi.IPPROTO_TCP, abi.TCP_CONNECTIONTIMEOUT), 0)
    waits = not nonblocking and (task.interruptible or limit > 0)
    if waits:
        # The host must not sleep where a signal could be lost.
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    try:
        if host_socket.connect(fd, there, len(there)) >= 0:
            return 0
        number = host_socket.failure()
    finally:
        if waits:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags)
    if number == EINPROGRESS:
        state.connecting = True
        if nonblocking:
            raise Errno(EINPROGRESS)
        try:
            done = task.block(fd, POLLOUT, limit or None, always=True)
        except Interrupted:
            raise Errno(EINTR) from None    # never restarted: connect_nocancel
        state.connecting = False
        number = endpoint.take_error(fd, state) if done else ETIMEDOUT
        if not number:
            return 0
    if state.type == abi.SOCK_STREAM and state.family != abi.AF_UNIX and number in _FATAL:
        state.dead = True                   # tcp_drop closed the protocol side
    raise Errno(number)


#: Errors after which tcp_drop has closed the socket's protocol side.
_FATAL: Final = frozenset({61, 54, 60})     # ECONNREFUSED, ECONNRESET, ETIMEDOUT


def _finish(fd: int, state: Socket) -> bool:
    """Whether a connect that did not wait is over; notes how it ended."""
    if not host_socket.ready(fd, POLLOUT):
        return False
    state.connecting = False
    if not endpoint.connected(fd):
        endpoint.stash_error(fd, state)
        state.dead = True
    return True


@table.syscall(134, "shutdown", FD, ENUM("shutdown"), support=FULL)
def shutdown(task: Task, fd: int, how: int) -> int:
    """ENOTCONN for a listener, and for a direction that is shut already."""
    state = endpoint.of(task, fd)
    if not 0 <= how <= 2:
        raise Errno(EINVAL)
    if state.listening or state.dead:
        raise Errno(ENOTCONN)
    stream = state.type == abi.SOCK_STREAM
    if not state.connecting and not endpoint.connected(fd) and not (
        # Our FIN is out and the peer's has come: still there, but getpeername fails.
        stream and LINUX and host_socket.tcp_info(fd)[0] in host_socket.TCP_WRITE_SHUT
    ):
        raise Errno(ENOTCONN)
    if how != abi.SHUT_WR:
        if endpoint.read_side_shut(fd, state):
            raise Errno(ENOTCONN)
        check(host_socket.shutdown(fd, abi.SHUT_RD))
        state.read_shut = True
    if how != abi.SHUT_RD:
        if endpoint.write_side_shut(fd, state):
            raise Errno(ENOTCONN)
        check(host_socket.shutdown(fd, abi.SHUT_WR))
        state.write_shut = True
    return 0


@table.syscall(32, "getsockname", FD, ADDRESS, ADDRESS, support=FULL)
def getsockname(task: Task, fd: int, address: int, length_at: int) -> int:
    """The length byte is filled in; *len is the real length."""
    state = endpoint.of(task, fd)
    task.memory.view(length_at, 4)
    if state.name:
        name = state.name
    else:
        sockaddr.length.value = sockaddr.HOST_SIZE
        check(host_socket.get_name(fd, sockaddr.buffer_address, sockaddr.length_address))
        name = sockaddr.taken()
    sockaddr.write(task.memory, name, address, length_at)
    return 0


@table.syscall(31, "getpeername", FD, ADDRESS, ADDRESS, support=FULL)
def getpeername(task: Task, fd: int, address: int, length_at: int) -> int:
    """EINVAL once both directions are shut."""
    state = endpoint.of(task, fd)
    if endpoint.both_shut(fd, state):
        raise Errno(EINVAL)
    sockaddr.length.value = sockaddr.HOST_SIZE
    check(host_socket.get_peer(fd, sockaddr.buffer_address, sockaddr.length_address))
    sockaddr.write(task.memory, sockaddr.taken(), address, length_at)
    return 0
