"""The host's side of sockets: its numbers by name, and its calls by pointer.

Everything that differs between a Linux and a macOS host stands here, so that the
rows speak of Darwin only.  Calls go through ctypes with pointers into guest
memory: no socket object that might close a descriptor, no copy of the data, no
automatic restart after a signal.  A ctypes call costs about half a microsecond
on top of the system call.

Every function returns what the C function returns and leaves the error number in
`ctypes.get_errno()`; :func:`check` raises it as a Darwin :class:`Errno`.
"""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Final

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.errno import EIO, FROM_HOST_SOCKET, Errno
from ymawky_kit.emu.memory import Memory

LINUX: Final = sys.platform == "linux"

_libc = ctypes.CDLL(None, use_errno=True)
_fd = ctypes.c_int
_int = ctypes.c_int
_size = ctypes.c_size_t
_pointer = ctypes.c_void_p


def _function(name: str, *arguments: type, result: type = ctypes.c_int):  # type: ignore[no-untyped-def]
    found = getattr(_libc, name)
    found.argtypes = arguments
    found.restype = result
    return found


open_socket = _function("socket", _int, _int, _int)
open_pair = _function("socketpair", _int, _int, _int, _pointer)
bind = _function("bind", _fd, ctypes.c_char_p, ctypes.c_uint)
listen = _function("listen", _fd, _int)
connect = _function("connect", _fd, ctypes.c_char_p, ctypes.c_uint)
shutdown = _function("shutdown", _fd, _int)
accept = _function("accept", _fd, _pointer, _pointer)
get_name = _function("getsockname", _fd, _pointer, _pointer)
get_peer = _function("getpeername", _fd, _pointer, _pointer)
get_option = _function("getsockopt", _fd, _int, _int, _pointer, _pointer)
set_option = _function("setsockopt", _fd, _int, _int, ctypes.c_char_p, ctypes.c_uint)
recv = _function("recv", _fd, _pointer, _size, _int, result=ctypes.c_ssize_t)
send = _function("send", _fd, _pointer, _size, _int, result=ctypes.c_ssize_t)
recvmsg = _function("recvmsg", _fd, _pointer, _int, result=ctypes.c_ssize_t)
sendmsg = _function("sendmsg", _fd, _pointer, _int, result=ctypes.c_ssize_t)
recvfrom = _function(
    "recvfrom", _fd, _pointer, _size, _int, _pointer, _pointer, result=ctypes.c_ssize_t
)
sendto = _function(
    "sendto", _fd, _pointer, _size, _int, ctypes.c_char_p, ctypes.c_uint, result=ctypes.c_ssize_t
)
if LINUX:
    accept4 = _function("accept4", _fd, _pointer, _pointer, _int)
    transfer = _function("sendfile", _fd, _fd, _pointer, _size, result=ctypes.c_ssize_t)
get_errno = ctypes.get_errno

# --- numbers, by name -------------------------------------------------------------------

AF: Final[dict[int, int]] = {
    abi.AF_UNIX: int(socket.AF_UNIX), abi.AF_INET: int(socket.AF_INET),
    abi.AF_INET6: int(socket.AF_INET6),
}
#: A host family -> Darwin's; the whole way back of AF.
DARWIN_AF: Final[dict[int, int]] = {host: ours for ours, host in AF.items()}

# Plain ints: or-ing the module's enumerations costs a microsecond a time.
MSG_DONTWAIT: Final = int(socket.MSG_DONTWAIT)
MSG_PEEK: Final = int(socket.MSG_PEEK)
#: Always set on sends: the emulator makes the guest's SIGPIPE itself.
MSG_NOSIGNAL: Final = int(getattr(socket, "MSG_NOSIGNAL", 0))
MSG_MORE: Final = int(getattr(socket, "MSG_MORE", 0))

#: Darwin send flags that the host knows too; the others change nothing on TCP.
SEND_FLAGS: Final = (
    (abi.MSG_OOB, int(socket.MSG_OOB)), (abi.MSG_DONTROUTE, int(socket.MSG_DONTROUTE)),
    (abi.MSG_EOR, int(socket.MSG_EOR)),
)
RECEIVE_FLAGS: Final = ((abi.MSG_OOB, int(socket.MSG_OOB)), (abi.MSG_PEEK, int(socket.MSG_PEEK)))
#: What recvmsg reports in msg_flags.
REPORTED_FLAGS: Final = (
    (abi.MSG_OOB, int(socket.MSG_OOB)), (abi.MSG_EOR, int(socket.MSG_EOR)),
    (abi.MSG_TRUNC, int(socket.MSG_TRUNC)), (abi.MSG_CTRUNC, int(socket.MSG_CTRUNC)),
)

POLLIN: Final[int] = select.POLLIN
POLLPRI: Final[int] = select.POLLPRI
POLLOUT: Final[int] = select.POLLOUT
POLLERR: Final[int] = select.POLLERR
POLLHUP: Final[int] = select.POLLHUP
POLLNVAL: Final[int] = select.POLLNVAL
#: The peer has sent FIN (Linux only; elsewhere POLLHUP says it).
POLLRDHUP: Final[int] = 0x2000 if LINUX else 0
#: Poll's word for "the peer has sent FIN".
READ_END: Final[int] = POLLRDHUP or POLLHUP

#: ioctl requests: bytes to read, bytes not yet sent.
FIONREAD: Final = 0x541B if LINUX else abi.FIONREAD
OUTQUEUE: Final = 0x5411 if LINUX else 0

#: Options that only Linux has.
SO_DOMAIN: Final = int(getattr(socket, "SO_DOMAIN", -1))
SO_PROTOCOL: Final = int(getattr(socket, "SO_PROTOCOL", -1))
TCP_INFO: Final = int(getattr(socket, "TCP_INFO", -1))
#: struct tcp_info of Linux: tcpi_state is its first byte, and for a listener
#: tcpi_unacked (offset 24) counts the connections waiting for accept.
TCP_INFO_SIZE: Final = 28
#: States in which our FIN is on its way: FIN_WAIT1, FIN_WAIT2, TIME_WAIT, LAST_ACK, CLOSING.
TCP_WRITE_SHUT: Final = frozenset({4, 5, 6, 9, 11})

_INT: Final = struct.Struct("i")
_cell = ctypes.create_string_buffer(128)
_cell_address: Final = ctypes.addressof(_cell)
_length = ctypes.c_uint()
_length_address: Final = ctypes.addressof(_length)


def failure() -> int:
    """The Darwin number of the error that the last call left."""
    return FROM_HOST_SOCKET.get(get_errno(), EIO)


def check(result: int) -> int:
    """`result` unless it is negative; then raises Errno."""
    if result < 0:
        raise Errno(failure())
    return result


def option(fd: int, level: int, name: int) -> int:
    """An int option of the host; raises Errno."""
    _length.value = 4
    check(get_option(fd, level, name, _cell_address, _length_address))
    return int(_INT.unpack_from(_cell)[0])


def set_int(fd: int, level: int, name: int, value: int) -> None:
    """Set an int option of the host; raises Errno."""
    check(set_option(fd, level, name, _INT.pack(value), 4))


def tcp_info(fd: int) -> tuple[int, int]:
    """(state, tcpi_unacked) of a TCP socket on Linux; (0, 0) when there is none."""
    if not LINUX:
        return 0, 0
    _length.value = TCP_INFO_SIZE
    if get_option(fd, socket.IPPROTO_TCP, TCP_INFO, _cell_address, _length_address) < 0:
        return 0, 0
    return _cell.raw[0], int(_INT.unpack_from(_cell, 24)[0])


# --- messages ---------------------------------------------------------------------------

#: struct msghdr: name, its length, iovecs, their count, control, its length, flags.
_MSGHDR: Final = struct.Struct("QI4xQQQQi4x" if LINUX else "QI4xQi4xQIi")
_IOVEC: Final = struct.Struct("QQ")
#: Room for the control messages of one call: 253 descriptors are the host's limit.
CONTROL_SIZE: Final = 2048
_head = ctypes.create_string_buffer(_MSGHDR.size)
_head_address: Final = ctypes.addressof(_head)
_vectors = ctypes.create_string_buffer(_IOVEC.size * abi.IOV_MAX)
_vectors_address: Final = ctypes.addressof(_vectors)
control = ctypes.create_string_buffer(CONTROL_SIZE)
_control_address: Final = ctypes.addressof(control)


def message(
    memory: Memory,
    buffers: Sequence[tuple[int, int]],
    *,
    name: int = 0,
    name_size: int = 0,
    control_size: int = 0,
) -> int:
    """A msghdr over guest buffers, (address, size) each; gives its host pointer.

    The one msghdr of this module, good until the next call.  `name` is a host
    pointer, control messages are in `control`.
    """
    offset = 0
    for address, size in buffers:
        _IOVEC.pack_into(_vectors, offset, memory.host_address(address) if size else 0, size)
        offset += 16
    _MSGHDR.pack_into(
        _head, 0, name, name_size, _vectors_address, len(buffers),
        _control_address if control_size else 0, control_size, 0,
    )
    return _head_address


def message_results() -> tuple[int, int, int]:
    """(name length, control length, host flags) after recvmsg on that msghdr."""
    found = _MSGHDR.unpack_from(_head)
    return found[1], found[5], found[6]


_poller = select.poll()


def ready(fd: int, events: int) -> int:
    """What host poll says of one descriptor right now."""
    _poller.register(fd, events)
    try:
        found = _poller.poll(0)
    finally:
        _poller.unregister(fd)
    return found[0][1] if found else 0
