"""getsockopt and setsockopt: Darwin's options on the host's.

Three kinds of option: those the host has under another number (`_HOST`), those that
only need remembering because they steer what this emulator or Darwin itself would do
(`_KEPT`), and a handful with a meaning of their own.  Flags read back as their bit,
not as 1.  Sources: XNU bsd/kern/uipc_socket.c (sosetoptlock, sogetoptlock),
bsd/netinet/tcp_usrreq.c (tcp_ctloutput), bsd/netinet/ip_output.c (ip_ctloutput).
"""

from __future__ import annotations

import fcntl
import socket as host
import struct
from dataclasses import dataclass
from typing import Final

from ymawky_kit.darwin import abi, endpoint, host_socket
from ymawky_kit.darwin.endpoint import Socket
from ymawky_kit.darwin.errno import (
    EDOM,
    EFAULT,
    EINVAL,
    ENOBUFS,
    ENOPROTOOPT,
    ENOTSUP,
    EOPNOTSUPP,
    Errno,
)
from ymawky_kit.darwin.host_socket import LINUX, option, set_int
from ymawky_kit.darwin.socket_text import OPTION
from ymawky_kit.darwin.table import ADDRESS, ENUM, FD, INPUT, PARTIAL, UINT, table
from ymawky_kit.darwin.task import Task

_INT: Final = struct.Struct("<i")
_LINGER: Final = struct.Struct("<ii")
_TIMEVAL: Final = struct.Struct("<qi4x")
_TICKS: Final = 100         # hz: SO_LINGER counts in 1/100 s
#: The largest buffer sbreserve grants: kern.ipc.maxsockbuf (8 MiB) less its overhead.
_LARGEST_BUFFER: Final = 8 * 1024 * 1024 * 2048 // (256 + 2048)
#: SO_SNDBUF and SO_RCVBUF of a fresh socket, by domain and type (net.inet.tcp.sendspace ...).
_SIZES: Final[dict[tuple[bool, int], tuple[int, int]]] = {
    (False, abi.SOCK_STREAM): (131072, 131072),
    (False, abi.SOCK_DGRAM): (9216, 786896),
    (True, abi.SOCK_STREAM): (8192, 8192),
    (True, abi.SOCK_DGRAM): (2048, 4096),
}


@dataclass(frozen=True, slots=True)
class _Host:
    """An int option that the host has; `bit` is what a set flag reads back as."""

    level: int
    name: int
    bit: int = 0
    low: int | None = None
    high: int = abi.INT_MAX
    zero: int | None = None     # what Darwin means by 0, for the host


@dataclass(frozen=True, slots=True)
class _Kept:
    """An int option that is only remembered."""

    initial: int = 0
    bit: int = 0
    low: int | None = None


def _linux(name: str, other: str = "") -> int:
    """A number of the host's socket module; -1 where it has none."""
    return int(getattr(host, name, getattr(host, other, -1) if other else -1))


_SOL: Final = host.SOL_SOCKET
_TCP: Final = host.IPPROTO_TCP

_HOST: Final[dict[tuple[int, int], _Host]] = {
    (abi.SOL_SOCKET, abi.SO_REUSEADDR): _Host(_SOL, host.SO_REUSEADDR, abi.SO_REUSEADDR),
    (abi.SOL_SOCKET, abi.SO_REUSEPORT): _Host(_SOL, host.SO_REUSEPORT, abi.SO_REUSEPORT),
    (abi.SOL_SOCKET, abi.SO_KEEPALIVE): _Host(_SOL, host.SO_KEEPALIVE, abi.SO_KEEPALIVE),
    (abi.SOL_SOCKET, abi.SO_DONTROUTE): _Host(_SOL, host.SO_DONTROUTE, abi.SO_DONTROUTE),
    (abi.SOL_SOCKET, abi.SO_BROADCAST): _Host(_SOL, host.SO_BROADCAST, abi.SO_BROADCAST),
    (abi.SOL_SOCKET, abi.SO_OOBINLINE): _Host(_SOL, host.SO_OOBINLINE, abi.SO_OOBINLINE),
    (abi.SOL_SOCKET, abi.SO_RCVLOWAT): _Host(_SOL, host.SO_RCVLOWAT, low=1),
    (abi.IPPROTO_TCP, abi.TCP_NODELAY): _Host(_TCP, host.TCP_NODELAY, 0x4),     # TF_NODELAY
    (abi.IPPROTO_TCP, abi.TCP_NOPUSH): _Host(
        _TCP, _linux("TCP_CORK") if LINUX else abi.TCP_NOPUSH, 0x1000           # TF_NOPUSH
    ),
    (abi.IPPROTO_TCP, abi.TCP_KEEPALIVE): _Host(
        _TCP, _linux("TCP_KEEPIDLE", "TCP_KEEPALIVE"), low=0, high=32767, zero=7200
    ),
    (abi.IPPROTO_TCP, abi.TCP_KEEPINTVL): _Host(
        _TCP, _linux("TCP_KEEPINTVL"), low=0, high=32767, zero=75
    ),
    (abi.IPPROTO_TCP, abi.TCP_KEEPCNT): _Host(
        _TCP, _linux("TCP_KEEPCNT"), low=0, high=127, zero=8
    ),
    (abi.IPPROTO_TCP, abi.TCP_NOTSENT_LOWAT): _Host(
        _TCP, _linux("TCP_NOTSENT_LOWAT") if LINUX else abi.TCP_NOTSENT_LOWAT, low=0
    ),
    (abi.IPPROTO_IP, abi.IP_TOS): _Host(host.IPPROTO_IP, host.IP_TOS, low=0, high=255),
    (abi.IPPROTO_IP, abi.IP_TTL): _Host(host.IPPROTO_IP, host.IP_TTL, low=1, high=255),
    (abi.IPPROTO_IPV6, abi.IPV6_V6ONLY): _Host(host.IPPROTO_IPV6, host.IPV6_V6ONLY),
}

_KEPT: Final[dict[tuple[int, int], _Kept]] = {
    **{
        (abi.SOL_SOCKET, name): _Kept(bit=name)
        for name in (
            abi.SO_DEBUG, abi.SO_USELOOPBACK, abi.SO_TIMESTAMP, abi.SO_DONTTRUNC,
            abi.SO_WANTMORE, abi.SO_WANTOOBFLAG,
        )
    },
    # These are bits of so_flags, and getsockopt shows the bit: SOF_NOADDRAVAIL ...
    (abi.SOL_SOCKET, abi.SO_NOADDRERR): _Kept(bit=0x2),
    (abi.SOL_SOCKET, abi.SO_REUSESHAREUID): _Kept(bit=0x40),
    (abi.SOL_SOCKET, abi.SO_UPCALLCLOSEWAIT): _Kept(bit=0x800),
    (abi.SOL_SOCKET, abi.SO_RANDOMPORT): _Kept(bit=0x1000),
    (abi.SOL_SOCKET, abi.SO_SNDLOWAT): _Kept(2048, low=1),
    (abi.SOL_SOCKET, abi.SO_NET_SERVICE_TYPE): _Kept(low=0),
    (abi.IPPROTO_TCP, abi.TCP_NOOPT): _Kept(bit=0x8),
    (abi.IPPROTO_TCP, abi.TCP_CONNECTIONTIMEOUT): _Kept(low=0),
    (abi.IPPROTO_TCP, abi.TCP_PERSIST_TIMEOUT): _Kept(low=0),
    (abi.IPPROTO_TCP, abi.TCP_RXT_CONNDROPTIME): _Kept(low=0),
    (abi.IPPROTO_TCP, abi.TCP_RXT_FINDROP): _Kept(bit=0x1),
    (abi.IPPROTO_TCP, abi.TCP_SENDMOREACKS): _Kept(low=0),
    (abi.IPPROTO_TCP, abi.TCP_ENABLE_ECN): _Kept(bit=1),
}

#: The segment size of a connection that has none yet (net.inet.tcp.mssdflt).
_DEFAULT_SEGMENT: Final = 512
_SMALLEST_SEGMENT: Final = 216 - 40


# --- setsockopt -------------------------------------------------------------------------


@table.syscall(105, "setsockopt", FD, ENUM("level"), OPTION, INPUT, UINT, support=PARTIAL,
               note="the options of the appendix; SO_NKE and other private ones are ENOPROTOOPT, "
                    "TCP_CONNECTIONTIMEOUT counts for connects that wait")
def setsockopt(task: Task, fd: int, level: int, name: int, address: int, size: int) -> int:
    """EINVAL for every option once both directions are shut."""
    if address == 0 and size != 0:
        raise Errno(EFAULT)
    found = endpoint.describe(task, fd)
    state: Socket = found.data
    if endpoint.both_shut(fd, state):
        raise Errno(EINVAL)
    key = (level, name)
    direct = _HOST.get(key)
    if direct is not None and _reaches(state, level):
        _set_host(fd, state, key, direct, _int(task, address, size))
    elif level == abi.SOL_SOCKET:
        if name == abi.SO_NOSIGPIPE:
            found.no_sigpipe = bool(_int(task, address, size))
        else:
            _set_socket(task, fd, state, name, address, size)
    else:
        _check_level(state, level)
        _set_protocol(task, fd, state, key, address, size)
    state.changed = True
    return 0


def _int(task: Task, address: int, size: int) -> int:
    """sooptcopyin of an int: shorter is EINVAL, longer is cut."""
    if size < 4:
        raise Errno(EINVAL)
    return task.memory.i32(address)


def _reaches(state: Socket, level: int) -> bool:
    """Does this level exist on the socket?"""
    if level == abi.SOL_SOCKET:
        return True
    if state.family == abi.AF_UNIX:
        return False
    if level == abi.IPPROTO_TCP:
        return state.type == abi.SOCK_STREAM
    return level == (abi.IPPROTO_IP if state.family == abi.AF_INET else abi.IPPROTO_IPV6)


def _check_level(state: Socket, level: int) -> None:
    """Raise the errno of a level that the socket's protocol does not have."""
    if not _reaches(state, level):
        if state.family == abi.AF_UNIX and level == 0:      # SOL_LOCAL
            raise Errno(EOPNOTSUPP)
        raise Errno(EINVAL)


def _set_host(fd: int, state: Socket, key: tuple[int, int], entry: _Host, value: int) -> None:
    if entry.bit:
        value = int(value != 0)
        if key in state.kept:       # the host's flag serves another purpose now
            state.kept[key] = value
            return
    elif entry.low is not None and not entry.low <= value <= _highest(key, entry):
        raise Errno(EINVAL)
    else:
        state.kept[key] = value
        value = min(value, entry.high)
        if value == 0 and entry.zero is not None:
            value = entry.zero
    if state.family == abi.AF_UNIX and key[1] in (abi.SO_REUSEPORT, abi.SO_DONTROUTE):
        state.kept[key] = value     # Linux refuses these on AF_UNIX; they mean nothing there
        return
    set_int(fd, entry.level, entry.name, value)


def _highest(key: tuple[int, int], entry: _Host) -> int:
    """The most Darwin takes; where the host takes less the value is cut, not refused."""
    return entry.high if key[0] == abi.IPPROTO_IP else abi.INT_MAX


def _set_kept(state: Socket, key: tuple[int, int], entry: _Kept, value: int) -> None:
    if entry.low is not None and value < entry.low:
        raise Errno(EINVAL)
    state.kept[key] = entry.bit * (value != 0) if entry.bit else value


def _set_socket(
    task: Task, fd: int, state: Socket, name: int, address: int, size: int
) -> None:
    """SOL_SOCKET beyond the plain ints."""
    kept = _KEPT.get((abi.SOL_SOCKET, name))
    if kept is not None:
        _set_kept(state, (abi.SOL_SOCKET, name), kept, _int(task, address, size))
    elif name in (abi.SO_LINGER, abi.SO_LINGER_SEC):
        if size < _LINGER.size:
            raise Errno(EINVAL)
        on, amount = _LINGER.unpack(task.memory.read(address, _LINGER.size))
        ticks = amount if name == abi.SO_LINGER else amount * _TICKS
        ticks = ((ticks & 0xFFFF) ^ 0x8000) - 0x8000        # so_linger is a short
        state.linger = (int(on != 0), ticks)
        seconds = max(0, -(-ticks // _TICKS))
        host_socket.check(host_socket.set_option(
            fd, _SOL, host.SO_LINGER, struct.pack("ii", on != 0, seconds), 8
        ))
    elif name in (abi.SO_SNDBUF, abi.SO_RCVBUF):
        value = _int(task, address, size)
        if value < 1:
            raise Errno(EINVAL)
        if value > _LARGEST_BUFFER:
            raise Errno(ENOBUFS)
        if name == abi.SO_SNDBUF:
            state.send_size = value
            set_int(fd, _SOL, host.SO_SNDBUF, value)
        else:
            state.receive_size = value
            set_int(fd, _SOL, host.SO_RCVBUF, value)
    elif name in (abi.SO_SNDTIMEO, abi.SO_RCVTIMEO):
        if size < _TIMEVAL.size:
            raise Errno(EINVAL)
        seconds, micros = _TIMEVAL.unpack(task.memory.read(address, _TIMEVAL.size))
        if seconds < 0 or not 0 <= micros < 1_000_000:
            raise Errno(EDOM)
        if name == abi.SO_SNDTIMEO:
            state.send_timeout = (seconds, micros)
        else:
            state.receive_timeout = (seconds, micros)
    elif name == abi.SO_LABEL:
        raise Errno(EOPNOTSUPP)
    else:
        raise Errno(ENOPROTOOPT)


def _set_protocol(
    task: Task, fd: int, state: Socket, key: tuple[int, int], address: int, size: int
) -> None:
    """Options of TCP, IP and IPv6 beyond the plain ints."""
    kept = _KEPT.get(key)
    if kept is not None:
        _set_kept(state, key, kept, _int(task, address, size))
    elif key == (abi.IPPROTO_TCP, abi.TCP_MAXSEG):
        value = _int(task, address, size)
        if not _SMALLEST_SEGMENT <= value <= _segment(fd, state):
            raise Errno(EINVAL)
        state.kept[key] = value
        set_int(fd, _TCP, host.TCP_MAXSEG, value)
    elif key == (abi.IPPROTO_TCP, abi.TCP_FASTOPEN):
        if _int(task, address, size) not in (0, 1) or not state.listening:
            raise Errno(EINVAL)
        state.kept[key] = _int(task, address, size)
    else:
        raise Errno(ENOPROTOOPT)


def _segment(fd: int, state: Socket) -> int:
    """t_maxseg: the default before there is a connection."""
    kept = state.kept.get((abi.IPPROTO_TCP, abi.TCP_MAXSEG))
    if kept is not None:
        return kept
    return option(fd, _TCP, host.TCP_MAXSEG) if endpoint.connected(fd) else _DEFAULT_SEGMENT


# --- getsockopt -------------------------------------------------------------------------


@table.syscall(118, "getsockopt", FD, ENUM("level"), OPTION, ADDRESS, ADDRESS, support=PARTIAL,
               note="as setsockopt; TCP_CONNECTION_INFO and TCP_INFO are ENOPROTOOPT")
def getsockopt(task: Task, fd: int, level: int, name: int, address: int, length_at: int) -> int:
    """Flags read back as their bit, buffer sizes as they were set."""
    found = endpoint.describe(task, fd)
    state: Socket = found.data
    room = task.memory.u32(length_at) if address else 0
    if level == abi.SOL_SOCKET:
        if name == abi.SO_NOSIGPIPE:
            value = _INT.pack(int(found.no_sigpipe))    # SOF_NOSIGPIPE is 1
        else:
            value = _get_socket(fd, state, name)
    else:
        _check_level(state, level)
        value = _INT.pack(_get_protocol(fd, state, (level, name)))
    value = value[:room]
    if value:
        task.memory.write(address, value)
    task.memory.put_u32(length_at, len(value))
    return 0


def _get_host(fd: int, state: Socket, key: tuple[int, int], entry: _Host) -> int:
    if entry.bit:
        if key in state.kept:
            return entry.bit * (state.kept[key] != 0)
        return entry.bit * (option(fd, entry.level, entry.name) != 0)
    kept = state.kept.get(key)
    if kept is not None:
        return kept if kept or entry.zero is None else entry.zero
    if key == (abi.IPPROTO_TCP, abi.TCP_NOTSENT_LOWAT):
        return 0                    # Linux shows its own "no limit"
    return entry.zero if entry.zero is not None else option(fd, entry.level, entry.name)


def _get_socket(fd: int, state: Socket, name: int) -> bytes:
    """SOL_SOCKET: the value's bytes; raises Errno(ENOPROTOOPT)."""
    key = (abi.SOL_SOCKET, name)
    direct = _HOST.get(key)
    if direct is not None:
        return _INT.pack(_get_host(fd, state, key, direct))
    kept = _KEPT.get(key)
    if kept is not None:
        return _INT.pack(state.kept.get(key, kept.initial))
    if name == abi.SO_LINGER:
        return _LINGER.pack(*state.linger)
    if name == abi.SO_LINGER_SEC:
        return _LINGER.pack(state.linger[0], int(state.linger[1] / _TICKS))
    if name == abi.SO_SNDTIMEO:
        return _TIMEVAL.pack(*state.send_timeout)
    if name == abi.SO_RCVTIMEO:
        return _TIMEVAL.pack(*state.receive_timeout)
    return _INT.pack(_get_number(fd, state, name))


def _get_number(fd: int, state: Socket, name: int) -> int:
    sizes = _SIZES.get((state.family == abi.AF_UNIX, state.type), (0, 0))
    if name == abi.SO_SNDBUF:
        return sizes[0] if state.send_size is None else state.send_size
    if name == abi.SO_RCVBUF:
        return sizes[1] if state.receive_size is None else state.receive_size
    if name == abi.SO_ERROR:
        return endpoint.take_error(fd, state)
    if name == abi.SO_TYPE:
        return state.type
    if name == abi.SO_NREAD:
        return queued(fd, host_socket.FIONREAD) if not state.listening else 0
    if name == abi.SO_NWRITE:
        return queued(fd, host_socket.OUTQUEUE) if LINUX and not state.listening else 0
    if name in (abi.SO_LABEL, abi.SO_PEERLABEL):
        raise Errno(EOPNOTSUPP)
    raise Errno(ENOPROTOOPT)


_count = bytearray(4)


def queued(fd: int, request: int) -> int:
    """Bytes that an ioctl counts: waiting to be read, or not yet acknowledged."""
    try:
        fcntl.ioctl(fd, request, _count)
    except OSError:
        return 0
    return int.from_bytes(_count, "little")


def _get_protocol(fd: int, state: Socket, key: tuple[int, int]) -> int:
    direct = _HOST.get(key)
    if direct is not None:
        return _get_host(fd, state, key, direct)
    kept = _KEPT.get(key)
    if kept is not None:
        return state.kept.get(key, kept.initial)
    if key == (abi.IPPROTO_TCP, abi.TCP_MAXSEG):
        return _segment(fd, state)
    if key == (abi.IPPROTO_TCP, abi.TCP_FASTOPEN):
        if not state.listening:
            raise Errno(ENOTSUP)
        return state.kept.get(key, 0)
    raise Errno(ENOPROTOOPT)
