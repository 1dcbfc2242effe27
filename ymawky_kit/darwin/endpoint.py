"""A socket as Darwin sees it, and bytes through it.

The host's kernel does the work.  Here is what it cannot hold or does differently:
options it does not know, errors that Darwin delivers in another order, time limits
that must not touch accept, and the SIGPIPE rules.  Sources: XNU bsd/kern/uipc_socket.c
(sosendcheck, soreceive), uipc_socket2.c (sonewconn_internal), uipc_syscalls.c (sendit).

Every transfer asks the host not to sleep.  Only when nothing is there does it look
at O_NONBLOCK, and then sleep through `task.block`, where no signal is lost: the
usual case costs one host call.
"""

from __future__ import annotations

import fcntl
import os
import socket as host
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from ymawky_kit.darwin import abi, host_socket, limits, sockaddr
from ymawky_kit.darwin.errno import (
    EAGAIN,
    EBADF,
    ECONNRESET,
    EDESTADDRREQ,
    EINVAL,
    ENOTCONN,
    ENOTSOCK,
    EPIPE,
    ETIMEDOUT,
    FROM_HOST_SOCKET,
    Errno,
)
from ymawky_kit.darwin.host_socket import (
    LINUX,
    MSG_DONTWAIT,
    MSG_MORE,
    MSG_NOSIGNAL,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDHUP,
)
from ymawky_kit.darwin.task import Description, Interrupted, Task

#: Guest buffers of a transfer: (address, size in bytes).
Buffers = Sequence[tuple[int, int]]

#: Room to send of a TCP socket nobody has set (net.inet.tcp.sendspace), in bytes.
SEND_SIZE: Final = 131072

#: Where so_error would be after a dropped connection (tcp_drop).
_DROPPED: Final = frozenset({ECONNRESET, ETIMEDOUT})


@dataclass(slots=True)
class Socket:
    """What is known of one open socket beyond what the host keeps.

    Numbers are Darwin's.  Timeouts are (seconds, microseconds), (0, 0) for none.
    """

    family: int
    type: int
    protocol: int = 0
    listening: bool = False
    connecting: bool = False    # a connect that did not wait is under way
    dead: bool = False          # connect failed: both directions are shut for good
    read_shut: bool = False     # by shutdown of ours
    write_shut: bool = False
    error: int = 0              # so_error that the host has already given up
    dropped: bool = False       # the error of a lost connection has been seen
    guarded: bool = False       # a listener whose host accept returns after GUARD
    changed: bool = False       # an option was set that accept must pass on
    options: int = 0            # so_options bits without a counterpart on the host
    linger: tuple[int, int] = (0, 0)            # on, ticks of 1/100 s
    send_size: int | None = None
    receive_size: int | None = None
    receive_timeout: tuple[int, int] = (0, 0)
    send_timeout: tuple[int, int] = (0, 0)
    kept: dict[tuple[int, int], int] = field(default_factory=dict)  # (level, name) -> value
    name: bytes = b""           # AF_UNIX: the address as bind was given it

    def accepted(self) -> Socket:
        """The state of a connection from this listener (sonewconn): all but timeouts."""
        child = Socket(self.family, self.type, self.protocol)
        if self.changed:
            child.changed = True
            child.options = self.options
            child.linger = self.linger
            child.send_size = self.send_size
            child.receive_size = self.receive_size
            child.kept = dict(self.kept)
        if self.name:
            child.name = self.name
        return child


def describe(task: Task, fd: int) -> Description:
    """The description of a socket; raises Errno EBADF, ENOTSOCK."""
    found = task.files.get(fd)
    if found is not None and found.kind == "socket":
        return found
    found = adopt(task, fd)
    if found is None:
        raise Errno(ENOTSOCK)
    return found


def of(task: Task, fd: int) -> Socket:
    """The state of a socket; raises Errno EBADF, ENOTSOCK."""
    found: Socket = describe(task, fd).data
    return found


def adopt(task: Task, fd: int) -> Description | None:
    """Describe a socket the guest did not make itself: inherited, or received by message.

    None when the descriptor is no socket; raises Errno(EBADF).
    """
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        raise Errno(EBADF) from None
    if not stat.S_ISSOCK(mode):
        return None
    kind = host_socket.option(fd, host.SOL_SOCKET, host.SO_TYPE)
    if LINUX:
        family = host_socket.option(fd, host.SOL_SOCKET, host_socket.SO_DOMAIN)
        protocol = host_socket.option(fd, host.SOL_SOCKET, host_socket.SO_PROTOCOL)
    else:
        sockaddr.length.value = sockaddr.HOST_SIZE
        host_socket.check(
            host_socket.get_name(fd, sockaddr.buffer_address, sockaddr.length_address)
        )
        family, protocol = sockaddr.buffer.raw[1], 0
    state = Socket(host_socket.DARWIN_AF.get(family, 0), kind, protocol)
    state.listening = bool(host_socket.option(fd, host.SOL_SOCKET, host.SO_ACCEPTCONN))
    found = task.files.describe(fd)
    found.kind = "socket"
    found.data = state
    return found


def attach(task: Task, fd: int, state: Socket, *, no_sigpipe: bool = False) -> int:
    """Give a new host socket to the guest; raises Errno(EMFILE), closing it, over the limit."""
    limits.admit(task, fd)
    task.files.attach(fd, Description("socket", no_sigpipe, state))
    return fd


def nonblocking(fd: int) -> bool:
    """Whether the open file has O_NONBLOCK."""
    return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK)


def connected(fd: int) -> bool:
    """Whether the socket has a peer now (SS_ISCONNECTED)."""
    sockaddr.length.value = sockaddr.HOST_SIZE
    return bool(
        host_socket.get_peer(fd, sockaddr.buffer_address, sockaddr.length_address) >= 0
    )


def both_shut(fd: int, state: Socket) -> bool:
    """SS_CANTRCVMORE and SS_CANTSENDMORE: nothing goes either way any more."""
    if state.dead:
        return True
    if not LINUX or state.type != abi.SOCK_STREAM:
        return state.read_shut and state.write_shut
    # A socket that never connected shows POLLHUP as well, but not POLLRDHUP.
    both = POLLRDHUP | POLLHUP
    return host_socket.ready(fd, POLLRDHUP) & both == both


def read_side_shut(fd: int, state: Socket) -> bool:
    """SS_CANTRCVMORE: shut by us, or the peer has sent FIN."""
    if state.dead or state.read_shut:
        return True
    return LINUX and bool(host_socket.ready(fd, POLLRDHUP) & POLLRDHUP)


def write_side_shut(fd: int, state: Socket) -> bool:
    """SS_CANTSENDMORE, also when another process shut it."""
    if state.dead or state.write_shut:
        return True
    if LINUX and state.type == abi.SOCK_STREAM and state.family != abi.AF_UNIX:
        return host_socket.tcp_info(fd)[0] in host_socket.TCP_WRITE_SHUT
    return False


def take_error(fd: int, state: Socket) -> int:
    """so_error, cleared: Darwin's number or 0."""
    if state.error:
        number, state.error = state.error, 0
        return number
    found = host_socket.option(fd, host.SOL_SOCKET, host.SO_ERROR)
    if not found:
        return 0
    number = FROM_HOST_SOCKET.get(found, 0)
    if number == EPIPE:         # Linux: reset after FIN
        number = ECONNRESET
    if number in _DROPPED:
        state.dropped = True
    return number


def stash_error(fd: int, state: Socket) -> int:
    """so_error without clearing it: the host's is taken and kept here."""
    number = take_error(fd, state)
    state.error = number
    return number


# --- receiving --------------------------------------------------------------------------


def wait(
    task: Task, fd: int, events: int, flags: int, limit: tuple[int, int], until: float | None
) -> float | None:
    """Sleep until a host call is worth another try; gives the deadline for the next time.

    Raises Errno(EAGAIN) when the call must not sleep or its time is over, and
    Interrupted.
    """
    if flags & abi.MSG_DONTWAIT or nonblocking(fd):
        raise Errno(EAGAIN)
    return sleep(task, fd, events, 0, limit, until)


def sleep(
    task: Task, fd: int, events: int, flags: int, limit: tuple[int, int], until: float | None
) -> float | None:
    """As `wait`, for a caller who knows whether the guest's O_NONBLOCK is set."""
    if flags & abi.MSG_DONTWAIT:
        raise Errno(EAGAIN)
    if limit == (0, 0):
        task.block(fd, events, always=True)
        return None
    now = monotonic()
    if until is None:
        until = now + limit[0] + limit[1] / 1e6
    if now >= until or not task.block(fd, events, until - now, always=True):
        raise Errno(EAGAIN)
    return until


def receive(task: Task, fd: int, buffers: Buffers, flags: int = 0) -> int:
    """read, readv, recvfrom on a socket: bytes into guest memory, 0 at the end.

    `flags` are Darwin's MSG_.  Raises Errno, Interrupted, BadAddress.
    """
    state = of(task, fd)
    buffers = limited(task, buffers)
    check(task, buffers, write=True)
    size = sum([n for _, n in buffers])
    host_flags = MSG_DONTWAIT
    if flags:
        for ours, theirs in host_socket.RECEIVE_FLAGS:
            if flags & ours:
                host_flags |= theirs
    if state.read_shut and state.type == abi.SOCK_STREAM:
        return ended(fd, state)
    got = 0
    left = buffers
    until: float | None = None
    while True:
        count = _pull(task, fd, left, host_flags)
        if count > 0:
            got += count
            whole = flags & abi.MSG_WAITALL and not flags & abi.MSG_PEEK
            if not whole or got >= size or state.type != abi.SOCK_STREAM:
                return got
            left = behind(buffers, got)
        elif count == 0:
            if got or size == 0 or state.type != abi.SOCK_STREAM:
                return got
            return ended(fd, state)
        else:
            number = host_socket.failure()
            try:
                if number != EAGAIN:
                    return receive_failed(state, number)
                until = wait(task, fd, POLLIN, flags, state.receive_timeout, until)
            except (Errno, Interrupted):
                if got:
                    return got
                raise


def ended(fd: int, state: Socket) -> int:
    """The end of a stream: 0, or once the error that Darwin delivers before it."""
    number = state.error
    if number:
        state.error = 0
        raise Errno(number)
    if LINUX and state.family != abi.AF_UNIX and not state.dropped:
        # Linux reads 0 after FIN although a reset came behind it.
        number = take_error(fd, state)
        if number:
            raise Errno(number)
    return 0


def receive_failed(state: Socket, number: int) -> int:
    """What a host error means to a reader: 0 for the end, else Errno is raised."""
    if number in _DROPPED:
        state.dropped = True
        if state.family == abi.AF_UNIX:
            return 0            # Linux: the peer closed with unread data
    if state.dead:
        number, state.error = state.error, 0
        if not number:
            return 0
    raise Errno(number)


# --- sending ----------------------------------------------------------------------------


def send(task: Task, fd: int, buffers: Buffers, flags: int = 0, *, more: bool = False) -> int:
    """write, writev, send on a socket: bytes from guest memory.

    A blocking stream sends everything; a part of it counts when a signal comes.
    `flags` are Darwin's MSG_; with `more` the host may wait for the bytes behind.
    Raises Errno, Interrupted, BadAddress; posts SIGPIPE with EPIPE unless told not to.
    """
    found = describe(task, fd)
    state: Socket = found.data
    buffers = limited(task, buffers)
    check(task, buffers)
    size = sum([n for _, n in buffers])
    host_flags = MSG_DONTWAIT | MSG_NOSIGNAL | (MSG_MORE if more else 0)
    if flags:
        for ours, theirs in host_socket.SEND_FLAGS:
            if flags & ours:
                host_flags |= theirs
    sent = 0
    left = buffers
    until: float | None = None
    while True:
        count = _push(task, fd, left, host_flags)
        if count >= 0:
            sent += count
            if sent >= size or state.type != abi.SOCK_STREAM:
                return sent
            left = behind(buffers, sent)
            continue
        number = host_socket.failure()
        if number != EAGAIN:
            raise Errno(send_failed(task, fd, found, number, flags))
        try:
            until = wait(task, fd, POLLOUT, flags, state.send_timeout, until)
        except (Errno, Interrupted):
            if sent:
                return sent
            raise


def send_failed(
    task: Task, fd: int, found: Description, number: int, flags: int = 0, *, signal: bool = True
) -> int:
    """What a host error means to a writer: the errno; posts SIGPIPE when it is EPIPE.

    Darwin tests "cannot send any more" before the pending error, which stays for
    the reader.  Linux gives the error to whoever comes first.
    """
    state: Socket = found.data
    if state.type != abi.SOCK_STREAM:
        if number == ENOTCONN:          # AF_UNIX without a destination
            return EDESTADDRREQ
        return number
    if state.dead:
        number = EPIPE
    elif number in _DROPPED:
        if state.family != abi.AF_UNIX and not state.dropped:
            state.error = number
        state.dropped = True
        number = EPIPE
    elif number == EPIPE and LINUX and state.family != abi.AF_UNIX and not state.write_shut:
        if not host_socket.ready(fd, POLLRDHUP) & POLLRDHUP:
            return ENOTCONN             # Linux says EPIPE to a socket never connected
        if not state.dropped and not write_side_shut(fd, state):
            state.error = ECONNRESET
            state.dropped = True
    if number == EPIPE and signal and not found.no_sigpipe and not flags & abi.MSG_NOSIGNAL:
        task.post_signal(abi.SIGPIPE)
    return number


# --- buffers ----------------------------------------------------------------------------

_GUEST_IOVEC: Final = struct.Struct("<QQ")


def check(task: Task, buffers: Buffers, *, write: bool = False) -> None:
    """Raise BadAddress unless the guest has all of these bytes."""
    for address, size in buffers:
        task.memory.view(address, size, write=write)


def limited(task: Task, buffers: Buffers) -> Buffers:
    """The buffers cut to what the fault plan lets this call move."""
    short = task.short
    if short is None:
        return buffers
    cut: list[tuple[int, int]] = []
    for address, size in buffers:
        take = min(size, short)
        cut.append((address, take))
        short -= take
    return cut


def behind(buffers: Buffers, done: int) -> list[tuple[int, int]]:
    """What is left of the buffers after `done` bytes."""
    left: list[tuple[int, int]] = []
    for address, size in buffers:
        if done >= size:
            done -= size
        else:
            left.append((address + done, size - done))
            done = 0
    return left


def vectors(task: Task, address: int, count: int, refused: int = EINVAL) -> list[tuple[int, int]]:
    """A guest iovec array; raises Errno(`refused`) for a bad count, EINVAL over INT_MAX bytes."""
    if not 0 < count <= abi.IOV_MAX:
        raise Errno(refused)
    found = list(_GUEST_IOVEC.iter_unpack(task.memory.read(address, 16 * count)))
    if sum([size for _, size in found]) > abi.INT_MAX:
        raise Errno(EINVAL)
    return found


def _pull(task: Task, fd: int, buffers: Buffers, flags: int) -> int:
    """One host receive into guest memory."""
    if len(buffers) == 1:
        address, size = buffers[0]
        return int(host_socket.recv(fd, task.memory.host_address(address), size, flags))
    return int(host_socket.recvmsg(fd, host_socket.message(task.memory, buffers), flags))


def _push(task: Task, fd: int, buffers: Buffers, flags: int) -> int:
    """One host send from guest memory."""
    if len(buffers) == 1:
        address, size = buffers[0]
        return int(host_socket.send(fd, task.memory.host_address(address), size, flags))
    return int(host_socket.sendmsg(fd, host_socket.message(task.memory, buffers), flags))
