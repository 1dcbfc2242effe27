"""Socket addresses: Darwin's bytes to the host's and back.

Darwin's begin with a length byte and a family byte, Linux's with a 16-bit family;
behind that they agree.  The length byte of an address that comes in is ignored:
the length argument counts.  Sources: XNU bsd/kern/uipc_syscalls.c (getsockaddr),
bsd/netinet/tcp_usrreq.c (tcp_usr_bind), bsd/kern/uipc_usrreq.c (unp_bind).
"""

from __future__ import annotations

import ctypes
import struct
from typing import Final

from ymawky_kit.darwin import abi, host_socket
from ymawky_kit.darwin.errno import EAFNOSUPPORT, EINVAL, ENAMETOOLONG, ENOENT, Errno
from ymawky_kit.emu.memory import Memory

#: The longest address the kernel takes, SOCK_MAXADDRLEN.
LONGEST: Final = 255
INET_SIZE: Final = 16
INET6_SIZE: Final = 28
#: What an AF_UNIX socket without a name reports (sun_noname).
NO_NAME: Final = bytes((16, abi.AF_UNIX)) + bytes(14)

_FAMILY: Final = struct.Struct("H" if host_socket.LINUX else "xB")
#: The longest host address: sockaddr_un of Linux has 110 bytes.
HOST_SIZE: Final = 128
_HOST_PATH: Final = 107 if host_socket.LINUX else 103

#: A host address comes back here; not used across calls.
buffer = ctypes.create_string_buffer(HOST_SIZE)
buffer_address: Final = ctypes.addressof(buffer)
length = ctypes.c_uint()
length_address: Final = ctypes.addressof(length)


def read(memory: Memory, address: int, size: int, family: int, *, translate: bool = True) -> bytes:
    """Copy an address in, as getsockaddr does: Darwin bytes with their length byte set.

    With `translate` family 0 on an AF_INET socket becomes AF_INET when the size is
    16.  Raises Errno ENAMETOOLONG (over 255 bytes), EINVAL (under 2), and BadAddress.
    """
    if size > LONGEST:
        raise Errno(ENAMETOOLONG)
    if size < 2:
        raise Errno(EINVAL)
    data = memory.read(address, size)
    if translate and data[1] == 0 and family == abi.AF_INET and size == INET_SIZE:
        return bytes((size, abi.AF_INET)) + data[2:]
    return bytes((size,)) + data[1:]


def to_host(data: bytes, family: int) -> bytes:
    """Darwin bytes for a socket of `family` -> the host's; raises Errno.

    EAFNOSUPPORT when the family byte is another one, EINVAL when the size is not
    the structure's, ENOENT when an AF_UNIX path is empty.
    """
    if data[1] not in (0, family):
        raise Errno(EAFNOSUPPORT)
    head = _FAMILY.pack(host_socket.AF[family])
    if family == abi.AF_INET:
        if len(data) != INET_SIZE:
            raise Errno(EINVAL)
        return head + data[2:8] + bytes(8)
    if family == abi.AF_INET6:
        if len(data) != INET6_SIZE:
            raise Errno(EINVAL)
        return head + data[2:]
    if len(data) <= 2:
        raise Errno(EINVAL)
    path = data[2:].split(b"\0", 1)[0]
    if not path:        # and never Linux's abstract names
        raise Errno(ENOENT)
    if len(path) > _HOST_PATH:
        raise Errno(ENAMETOOLONG)
    return head + path + b"\0"


def from_host(data: bytes) -> bytes:
    """The host's bytes -> Darwin's, length byte filled: 16, 28, or the actual one."""
    if len(data) < 2:
        return NO_NAME
    family = host_socket.DARWIN_AF.get(_FAMILY.unpack_from(data)[0], 0)
    if family == abi.AF_UNIX:
        path = data[2:].split(b"\0", 1)[0]
        return bytes((2 + len(path), family)) + path if path else NO_NAME
    return bytes((len(data), family)) + data[2:]


def taken() -> bytes:
    """The address a host call left in `buffer` and `length`, as Darwin's bytes."""
    return from_host(buffer.raw[:min(length.value, HOST_SIZE)])


def write(memory: Memory, data: bytes, address: int, length_at: int) -> None:
    """Give an address out: at most *length_at bytes of it, then its real length there.

    Raises BadAddress.
    """
    room = memory.u32(length_at)
    memory.write(address, data[:room])
    memory.put_u32(length_at, len(data))
