"""Socket options: Darwin's numbers, values and refusals."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from support.darwin_guest import NOWHERE, Guest, inet, reset, timeval, wait_until

from ymawky_kit.darwin import abi

SOL, TCP, IP, IP6 = abi.SOL_SOCKET, abi.IPPROTO_TCP, abi.IPPROTO_IP, abi.IPPROTO_IPV6


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest() as made:
        yield made


@pytest.fixture
def fd(guest: Guest) -> int:
    return int(guest("socket", abi.AF_INET, abi.SOCK_STREAM, 0))


@pytest.mark.parametrize(
    ("level", "name", "bit"),
    [
        (SOL, abi.SO_REUSEADDR, 4), (SOL, abi.SO_KEEPALIVE, 8), (SOL, abi.SO_DONTROUTE, 0x10),
        (SOL, abi.SO_BROADCAST, 0x20), (SOL, abi.SO_USELOOPBACK, 0x40),
        (SOL, abi.SO_OOBINLINE, 0x100), (SOL, abi.SO_REUSEPORT, 0x200),
        (SOL, abi.SO_TIMESTAMP, 0x400), (SOL, abi.SO_DEBUG, 1), (SOL, abi.SO_DONTTRUNC, 0x2000),
        (SOL, abi.SO_NOSIGPIPE, 1), (SOL, abi.SO_NOADDRERR, 2), (SOL, abi.SO_REUSESHAREUID, 0x40),
        (SOL, abi.SO_RANDOMPORT, 0x1000), (SOL, abi.SO_UPCALLCLOSEWAIT, 0x800),
        (TCP, abi.TCP_NODELAY, 4), (TCP, abi.TCP_NOPUSH, 0x1000), (TCP, abi.TCP_NOOPT, 8),
        (TCP, abi.TCP_RXT_FINDROP, 1), (TCP, abi.TCP_ENABLE_ECN, 1),
    ],
)
def test_a_flag_reads_back_as_its_bit(guest: Guest, fd: int, level: int, name: int, bit: int
                                      ) -> None:
    assert 0 == guest.get_int(fd, level, name)
    guest.set(fd, level, name, 77)
    assert bit == guest.get_int(fd, level, name)
    guest.set(fd, level, name, 0)
    assert 0 == guest.get_int(fd, level, name)


@pytest.mark.parametrize(
    ("level", "name", "first", "value", "then"),
    [
        (SOL, abi.SO_SNDBUF, 131072, 40000, 40000), (SOL, abi.SO_RCVBUF, 131072, 1, 1),
        (SOL, abi.SO_SNDLOWAT, 2048, 1000, 1000), (SOL, abi.SO_RCVLOWAT, 1, 5, 5),
        (TCP, abi.TCP_KEEPALIVE, 7200, 100000, 100000), (TCP, abi.TCP_KEEPALIVE, 7200, 0, 7200),
        (TCP, abi.TCP_KEEPINTVL, 75, 10, 10), (TCP, abi.TCP_KEEPCNT, 8, 3, 3),
        (TCP, abi.TCP_NOTSENT_LOWAT, 0, 16384, 16384), (TCP, abi.TCP_CONNECTIONTIMEOUT, 0, 9, 9),
        (TCP, abi.TCP_PERSIST_TIMEOUT, 0, 4, 4), (TCP, abi.TCP_RXT_CONNDROPTIME, 0, 4, 4),
        (TCP, abi.TCP_SENDMOREACKS, 0, 1, 1), (TCP, abi.TCP_MAXSEG, 512, 400, 400),
        (IP, abi.IP_TTL, 64, 9, 9), (IP, abi.IP_TOS, 0, 16, 16),
        (SOL, abi.SO_NET_SERVICE_TYPE, 0, 1, 1),
    ],
)
def test_a_number_reads_back_as_it_was_set(
    guest: Guest, fd: int, level: int, name: int, first: int, value: int, then: int
) -> None:
    assert first == guest.get_int(fd, level, name)
    guest.set(fd, level, name, value)
    assert then == guest.get_int(fd, level, name)


@pytest.mark.parametrize(
    ("level", "name", "value", "error"),
    [
        (SOL, abi.SO_SNDBUF, 0, "EINVAL"), (SOL, abi.SO_RCVBUF, -1, "EINVAL"),
        (SOL, abi.SO_SNDBUF, 8 << 20, "ENOBUFS"), (SOL, abi.SO_RCVLOWAT, 0, "EINVAL"),
        (TCP, abi.TCP_KEEPALIVE, -1, "EINVAL"), (TCP, abi.TCP_MAXSEG, 100, "EINVAL"),
        (TCP, abi.TCP_MAXSEG, 513, "EINVAL"), (IP, abi.IP_TTL, 256, "EINVAL"),
        (TCP, abi.TCP_FASTOPEN, 1, "EINVAL"), (SOL, abi.SO_LABEL, 0, "EOPNOTSUPP"),
        (SOL, abi.SO_ERROR, 0, "ENOPROTOOPT"), (SOL, abi.SO_TYPE, 1, "ENOPROTOOPT"),
        (SOL, abi.SO_ACCEPTCONN, 1, "ENOPROTOOPT"), (SOL, 0x7777, 1, "ENOPROTOOPT"),
        (TCP, 0x7777, 1, "ENOPROTOOPT"), (IP, 0x7777, 1, "ENOPROTOOPT"),
        (TCP, abi.TCP_CONNECTION_INFO, 1, "ENOPROTOOPT"),
        (1, 2, 1, "EINVAL"),                    # Linux's SOL_SOCKET is no level here
        (IP6, abi.IPV6_V6ONLY, 1, "EINVAL"), (99, 1, 1, "EINVAL"),
    ],
)
def test_a_value_darwin_refuses(
    guest: Guest, fd: int, level: int, name: int, value: int, error: str
) -> None:
    at = guest.put(struct.pack("<i", value))
    assert error == guest.fails("setsockopt", fd, level, name, at, 4)


def test_lengths_of_values(guest: Guest, fd: int) -> None:
    at = guest.put(struct.pack("<ii", 1, 0) + bytes(24))
    for name in (abi.SO_REUSEADDR, abi.SO_NOSIGPIPE, abi.SO_SNDBUF, abi.SO_NOADDRERR):
        assert "EINVAL" == guest.fails("setsockopt", fd, SOL, name, at, 3)
    assert "" == guest.fails("setsockopt", fd, SOL, abi.SO_REUSEADDR, at, 32)
    assert "EINVAL" == guest.fails("setsockopt", fd, SOL, abi.SO_LINGER, at, 7)
    assert "EINVAL" == guest.fails("setsockopt", fd, SOL, abi.SO_RCVTIMEO, at, 15)
    assert "EFAULT" == guest.fails("setsockopt", fd, SOL, abi.SO_REUSEADDR, 0, 4)
    assert "EINVAL" == guest.fails("setsockopt", fd, SOL, abi.SO_REUSEADDR, 0, 0)
    assert "EFAULT" == guest.fails("setsockopt", fd, SOL, abi.SO_REUSEADDR, NOWHERE, 4)
    assert "EFAULT" == guest.fails("getsockopt", fd, SOL, abi.SO_REUSEADDR, at, NOWHERE)
    two = guest.put(struct.pack("<I", 2))
    out = guest.put(b"\xee" * 8)
    assert "" == guest.fails("getsockopt", fd, SOL, abi.SO_SNDBUF, out, two)
    assert (2, b"\xee\xee") == (guest.i32(two), guest.read(out + 2, 2))
    big = guest.put(struct.pack("<I", 64))
    guest("getsockopt", fd, SOL, abi.SO_SNDBUF, out, big)
    assert 4 == guest.i32(big)


def test_linger_counts_in_hundredths_and_linger_sec_in_seconds(guest: Guest, fd: int) -> None:
    assert struct.pack("<ii", 0, 0) == guest.get(fd, SOL, abi.SO_LINGER, 8)
    guest.set(fd, SOL, abi.SO_LINGER, struct.pack("<ii", 5, 250))
    assert struct.pack("<ii", 1, 250) == guest.get(fd, SOL, abi.SO_LINGER, 8)
    assert struct.pack("<ii", 1, 2) == guest.get(fd, SOL, abi.SO_LINGER_SEC, 8)
    guest.set(fd, SOL, abi.SO_LINGER_SEC, struct.pack("<ii", 1, 7))
    assert struct.pack("<ii", 1, 700) == guest.get(fd, SOL, abi.SO_LINGER, 8)
    guest.set(fd, SOL, abi.SO_LINGER, struct.pack("<ii", 1, 65536 + 3))     # a short
    assert struct.pack("<ii", 1, 3) == guest.get(fd, SOL, abi.SO_LINGER, 8)


def test_linger_zero_resets_the_connection_at_close(guest: Guest) -> None:
    accepted, client = guest.connection()
    guest.set(accepted, SOL, abi.SO_LINGER, struct.pack("<ii", 1, 0))
    guest.close(accepted)
    with client, pytest.raises(ConnectionResetError):
        client.recv(1)


def test_timeouts_are_16_byte_timevals(guest: Guest, fd: int) -> None:
    for name in (abi.SO_RCVTIMEO, abi.SO_SNDTIMEO):
        guest.set(fd, SOL, name, timeval(1.5) + bytes(16))
        assert timeval(1.5) == guest.get(fd, SOL, name, 16)
        for bad in (struct.pack("<qi4x", -1, 0), struct.pack("<qi4x", 0, 1_000_000),
                    struct.pack("<qi4x", 0, -1)):
            assert "EDOM" == guest.fails("setsockopt", fd, SOL, name, guest.put(bad), 16)
        assert timeval(1.5) == guest.get(fd, SOL, name, 16)


def test_so_error_and_so_type(guest: Guest, fd: int) -> None:
    assert abi.SOCK_STREAM == guest.get_int(fd, SOL, abi.SO_TYPE)
    datagram = guest("socket", abi.AF_INET, abi.SOCK_DGRAM, 0)
    assert abi.SOCK_DGRAM == guest.get_int(datagram, SOL, abi.SO_TYPE)
    assert 9216 == guest.get_int(datagram, SOL, abi.SO_SNDBUF)
    assert 0 == guest.get_int(fd, SOL, abi.SO_ERROR)
    accepted, client = guest.connection()
    reset(client)
    length = guest.put(struct.pack("<I", 16))
    wait_until(lambda: guest.fails("getpeername", accepted, guest.put(16), length))
    assert 54 == guest.get_int(accepted, SOL, abi.SO_ERROR)     # ECONNRESET, allowed when shut
    assert 0 == guest.get_int(accepted, SOL, abi.SO_ERROR)
    at = guest.put(4)
    assert "EINVAL" == guest.fails("setsockopt", accepted, SOL, abi.SO_KEEPALIVE, at, 4)
    assert "EINVAL" == guest.fails("setsockopt", accepted, TCP, abi.TCP_NODELAY, at, 4)
    assert 0 == guest("recvfrom", accepted, at, 4, 0, 0, 0)     # the error was taken


def test_nread_and_nwrite_count_bytes(guest: Guest) -> None:
    accepted, client = guest.connection()
    with client:
        client.send(b"12345")
        wait_until(lambda: guest.get_int(accepted, SOL, abi.SO_NREAD) == 5)
        assert 0 == guest.get_int(accepted, SOL, abi.SO_NWRITE)


def test_after_both_directions_are_shut_by_us_options_are_einval(guest: Guest) -> None:
    accepted, client = guest.connection()
    with client:
        guest("shutdown", accepted, abi.SHUT_RDWR)
        at = guest.put(struct.pack("<i", 1))
        for level, name in ((SOL, abi.SO_NOSIGPIPE), (TCP, abi.TCP_NODELAY), (SOL, 0x7777)):
            assert "EINVAL" == guest.fails("setsockopt", accepted, level, name, at, 4)
        assert 0 == guest.get_int(accepted, SOL, abi.SO_NOSIGPIPE)


def test_maxseg_of_a_connection_is_the_connections(guest: Guest) -> None:
    accepted, client = guest.connection()
    with client:
        assert guest.get_int(accepted, TCP, abi.TCP_MAXSEG) > 512


def test_fastopen_belongs_to_listeners(guest: Guest, fd: int) -> None:
    length = guest.put(struct.pack("<I", 4))
    assert "ENOTSUP" == guest.fails("getsockopt", fd, TCP, abi.TCP_FASTOPEN, guest.put(4), length)
    listener, _ = guest.listener()
    assert 0 == guest.get_int(listener, TCP, abi.TCP_FASTOPEN)
    guest.set(listener, TCP, abi.TCP_FASTOPEN, 1)
    assert 1 == guest.get_int(listener, TCP, abi.TCP_FASTOPEN)
    at = guest.put(struct.pack("<i", 2))
    assert "EINVAL" == guest.fails("setsockopt", listener, TCP, abi.TCP_FASTOPEN, at, 4)


def test_unix_sockets_have_no_tcp(guest: Guest) -> None:
    first, _ = guest.pair()
    at = guest.put(struct.pack("<i", 1))
    assert "EINVAL" == guest.fails("setsockopt", first, TCP, abi.TCP_NODELAY, at, 4)
    assert "EOPNOTSUPP" == guest.fails("setsockopt", first, 0, 1, at, 4)
    for name in (abi.SO_REUSEPORT, abi.SO_REUSEADDR, abi.SO_DONTROUTE, abi.SO_KEEPALIVE):
        guest.set(first, SOL, name, 1)
        assert name == guest.get_int(first, SOL, name)


def test_reuseport_lets_two_listeners_share_a_port(guest: Guest) -> None:
    first = guest("socket", abi.AF_INET, abi.SOCK_STREAM, 0)
    guest.set(first, SOL, abi.SO_REUSEPORT, 1)
    guest("bind", first, guest.put(inet(0)), 16)
    guest("listen", first, 4)
    at = guest.put(16)
    guest("getsockname", first, at, guest.put(struct.pack("<I", 16)))
    name = guest.put(guest.read(at, 16))
    second = guest("socket", abi.AF_INET, abi.SOCK_STREAM, 0)
    assert "EADDRINUSE" == guest.fails("bind", second, name, 16)
    guest.set(second, SOL, abi.SO_REUSEPORT, 1)
    guest("bind", second, name, 16)
    guest("listen", second, 4)


def test_v6only_is_option_27_of_ipv6(guest: Guest) -> None:
    fd = guest("socket", abi.AF_INET6, abi.SOCK_STREAM, 0)
    guest.set(fd, IP6, abi.IPV6_V6ONLY, 1)
    assert 1 == guest.get_int(fd, IP6, abi.IPV6_V6ONLY)
    at = guest.put(struct.pack("<i", 1))
    assert "EINVAL" == guest.fails("setsockopt", fd, IP, abi.IP_TTL, at, 4)


def test_reuseaddr_lets_a_listener_take_a_port_in_time_wait(guest: Guest) -> None:
    fd, port = guest.listener()
    client = socket.create_connection(("127.0.0.1", port))
    accepted = guest("accept", fd, 0, 0)
    guest.close(accepted)           # the server closes first: TIME_WAIT is ours
    client.recv(1)
    client.close()
    guest.close(fd)
    name = guest.put(inet(port))
    plain = guest("socket", abi.AF_INET, abi.SOCK_STREAM, 0)
    assert "EADDRINUSE" == guest.fails("bind", plain, name, 16)
    guest.set(plain, SOL, abi.SO_REUSEADDR, 1)
    assert "" == guest.fails("bind", plain, name, 16)
