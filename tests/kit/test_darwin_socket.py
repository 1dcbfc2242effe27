"""Sockets of the emulated Darwin: made, named, connected, read and written."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.darwin_guest import (
    NOWHERE,
    Guest,
    inet,
    later,
    reset,
    timeval,
    wait_until,
)

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.task import Interrupted

STREAM, DGRAM = abi.SOCK_STREAM, abi.SOCK_DGRAM
INET, INET6, UNIX = abi.AF_INET, abi.AF_INET6, abi.AF_UNIX


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest() as made:
        yield made


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


# --- socket, socketpair ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "kind", "protocol", "error"),
    [
        (INET, STREAM, 0, ""), (INET, STREAM, abi.IPPROTO_TCP, ""), (INET, DGRAM, 0, ""),
        (INET6, STREAM, 0, ""), (UNIX, STREAM, 0, ""), (UNIX, DGRAM, 0, ""),
        (10, STREAM, 0, "EAFNOSUPPORT"),                    # Linux's AF_INET6
        (0, STREAM, 0, "EAFNOSUPPORT"), (-1, STREAM, 0, "EAFNOSUPPORT"),
        (INET, STREAM | 0x800, 0, "EPROTONOSUPPORT"),       # Linux's SOCK_NONBLOCK
        (INET, STREAM | 0x800, abi.IPPROTO_TCP, "EPROTOTYPE"),
        (INET, STREAM, abi.IPPROTO_UDP, "EPROTOTYPE"), (INET, STREAM, 99, "EPROTONOSUPPORT"),
        (INET, abi.SOCK_SEQPACKET, 0, "EPROTONOSUPPORT"), (UNIX, STREAM, 7, "EPROTONOSUPPORT"),
        (INET, 0, 0, "EPROTONOSUPPORT"), (INET, abi.SOCK_RAW, 0, "EPERM"),
    ],
)
def test_socket_answers_as_socreate(
    guest: Guest, domain: int, kind: int, protocol: int, error: str
) -> None:
    assert error == guest.fails("socket", domain, kind, protocol)


def test_socket_gives_the_lowest_free_number_without_close_on_exec(guest: Guest) -> None:
    first = guest("socket", INET, STREAM, 0)
    second = guest("socket", INET, STREAM, 0)
    guest.close(first)
    assert first == guest("socket", INET, STREAM, 0)
    assert os.get_inheritable(first)
    assert second != first


def test_socket_beyond_the_descriptor_limit_is_emfile(guest: Guest) -> None:
    free = os.dup(0)
    os.close(free)
    guest.task.limits[abi.RLIMIT_NOFILE] = (free, free)
    assert "EMFILE" == guest.fails("socket", INET, STREAM, 0)
    with pytest.raises(OSError):
        os.fstat(free)


def test_socketpair_connects_two_unix_sockets(guest: Guest) -> None:
    first, second = guest.pair()
    assert 2 == guest("sendto", first, guest.put(b"hi"), 2, 0, 0, 0)
    at = guest.put(8)
    assert 2 == guest("recvfrom", second, at, 8, 0, 0, 0)
    assert b"hi" == guest.read(at, 2)


def test_socketpair_knows_af_unix_only(guest: Guest) -> None:
    assert "EOPNOTSUPP" == guest.fails("socketpair", INET, STREAM, 0, guest.put(8))
    assert "EAFNOSUPPORT" == guest.fails("socketpair", 10, STREAM, 0, guest.put(8))
    assert "EFAULT" == guest.fails("socketpair", UNIX, STREAM, 0, NOWHERE)


# --- bind, getsockname ----------------------------------------------------------------------


@pytest.mark.parametrize("head", [b"\x10\x02", b"\x02\x00", b"\x00\x02", b"\xff\x00"])
def test_bind_ignores_the_length_byte_and_takes_family_0(guest: Guest, head: bytes) -> None:
    fd = guest("socket", INET, STREAM, 0)
    guest("bind", fd, guest.put(head + inet(0)[2:]), 16)
    at, length = guest.put(32), guest.put(u32(32))
    guest("getsockname", fd, at, length)
    assert 16 == guest.i32(length)
    name = guest.read(at, 16)
    assert b"\x10\x02" == name[:2]
    assert b"\x7f\0\0\1" == name[4:8]
    assert int.from_bytes(name[2:4], "big") > 1023


def test_bind_refuses_what_in_pcbbind_refuses(guest: Guest) -> None:
    fd = guest("socket", INET, STREAM, 0)
    good = guest.put(inet(0) + bytes(240))
    assert "EDESTADDRREQ" == guest.fails("bind", fd, 0, 16)
    assert "EINVAL" == guest.fails("bind", fd, good, 1)
    assert "EINVAL" == guest.fails("bind", fd, good, 15)
    assert "EINVAL" == guest.fails("bind", fd, good, 28)
    assert "ENAMETOOLONG" == guest.fails("bind", fd, good, 256)
    assert "EFAULT" == guest.fails("bind", fd, NOWHERE, 16)
    assert "EAFNOSUPPORT" == guest.fails("bind", fd, guest.put(inet(0, family=30)), 16)
    assert "EAFNOSUPPORT" == guest.fails("bind", fd, guest.put(inet(0, b"\xe0\0\0\1")), 16)
    assert "EADDRNOTAVAIL" == guest.fails("bind", fd, guest.put(inet(0, b"\xc0\0\2\1")), 16)
    guest("bind", fd, good, 16)
    assert "EINVAL" == guest.fails("bind", fd, good, 16)    # a second time


def test_bind_of_a_port_in_use_is_eaddrinuse(guest: Guest) -> None:
    _, port = guest.listener()
    other = guest("socket", INET, STREAM, 0)
    guest.set(other, abi.SOL_SOCKET, abi.SO_REUSEADDR, 1)
    assert "EADDRINUSE" == guest.fails("bind", other, guest.put(inet(port)), 16)


def test_calls_on_what_is_no_socket(guest: Guest) -> None:
    read_end, write_end = os.pipe()
    guest.opened(read_end)
    guest.opened(write_end)
    at, length = guest.put(64), guest.put(u32(16))
    for name, arguments in (
        ("bind", (at, 16)), ("listen", (1,)), ("accept", (0, 0)), ("connect", (at, 16)),
        ("shutdown", (0,)), ("getsockname", (at, length)), ("getpeername", (at, length)),
        ("setsockopt", (abi.SOL_SOCKET, abi.SO_REUSEADDR, at, 4)),
        ("getsockopt", (abi.SOL_SOCKET, abi.SO_TYPE, at, length)),
        ("sendto", (at, 1, 0, 0, 0)), ("recvfrom", (at, 1, 0, 0, 0)),
    ):
        assert "ENOTSOCK" == guest.fails(name, read_end, *arguments), name
    os.close(read_end)
    assert "EBADF" == guest.fails("listen", read_end, 1)
    guest.opened(os.open("/dev/null", os.O_RDONLY))


def test_inet6_is_family_30_with_28_bytes(guest: Guest) -> None:
    fd = guest("socket", INET6, STREAM, 0)
    name = bytes((28, 30)) + bytes(6) + bytes(15) + b"\1" + bytes(4)
    if guest.fails("bind", fd, guest.put(name), 28) == "EADDRNOTAVAIL":
        pytest.skip("only where the host has IPv6 on its loopback")
    at, length = guest.put(64), guest.put(u32(64))
    guest("getsockname", fd, at, length)
    assert 28 == guest.i32(length)
    assert b"\x1c\x1e" == guest.read(at, 2)
    assert name[8:24] == guest.read(at + 8, 16)
    assert "EINVAL" == guest.fails("bind", guest("socket", INET6, STREAM, 0), guest.put(name), 27)


def test_getsockname_cuts_the_name_but_tells_its_length(guest: Guest) -> None:
    fd, _ = guest.listener()
    at, length = guest.put(b"\xee" * 16), guest.put(u32(4))
    guest("getsockname", fd, at, length)
    assert 16 == guest.i32(length)
    assert b"\xee" * 12 == guest.read(at + 4, 12)
    assert "EFAULT" == guest.fails("getsockname", fd, at, NOWHERE)


def test_unix_names_keep_their_length(guest: Guest, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "s")
    fd = guest("socket", UNIX, STREAM, 0)
    name = bytes((0, UNIX)) + path
    at, length = guest.put(128), guest.put(u32(128))
    guest("getsockname", fd, at, length)
    assert (16, b"\x10\x01") == (guest.i32(length), guest.read(at, 2))      # no name yet
    guest("bind", fd, guest.put(name), len(name))
    guest.memory.put_u32(length, 128)
    guest("getsockname", fd, at, length)
    assert len(name) == guest.i32(length)
    assert bytes((len(name), UNIX)) + path == guest.read(at, len(name))
    other = guest("socket", UNIX, STREAM, 0)
    assert "EADDRINUSE" == guest.fails("bind", other, guest.put(name), len(name))
    assert "EINVAL" == guest.fails("bind", other, guest.put(bytes((2, UNIX))), 2)
    assert "ENOENT" == guest.fails("bind", other, guest.put(bytes((6, UNIX)) + bytes(4)), 6)
    guest("listen", fd, 1)
    guest("connect", other, guest.put(name), len(name))
    new = guest("accept", fd, at, guest.put(u32(64)))
    assert bytes((16, UNIX)) + bytes(14) == guest.read(at, 16)      # sun_noname
    assert 1 == guest("sendto", new, guest.put(b"x"), 1, 0, 0, 0)


# --- listen, accept -------------------------------------------------------------------------


def test_listen_needs_an_unconnected_stream_socket(guest: Guest) -> None:
    assert "EOPNOTSUPP" == guest.fails("listen", guest("socket", INET, DGRAM, 0), 1)
    accepted, client = guest.connection()
    with client:
        assert "EINVAL" == guest.fails("listen", accepted, 1)
    fd = guest("socket", INET, STREAM, 0)
    guest("listen", fd, 1)          # unbound: it gets a port
    guest("listen", fd, 5)          # again: a new limit
    at = guest.put(16)
    guest("getsockname", fd, at, guest.put(u32(16)))
    assert b"\0\0" != guest.read(at + 2, 2)


def test_accept_gives_the_peer_and_copies_o_nonblock(guest: Guest) -> None:
    fd, port = guest.listener(nonblocking=True)
    with socket.create_connection(("127.0.0.1", port)) as client:
        at, length = guest.put(16), guest.put(u32(16))
        wait_until(lambda: select.select([fd], [], [], 0)[0])
        new = guest("accept", fd, at, length)
        assert inet(client.getsockname()[1]) == guest.read(at, 16)
        assert 16 == guest.i32(length)
        assert not os.get_blocking(new)
        assert os.get_inheritable(new)
    assert "EAGAIN" == guest.fails("accept", fd, 0, 0)


def test_accept_on_a_blocking_listener_gives_a_blocking_socket(guest: Guest) -> None:
    accepted, client = guest.connection()
    with client:
        assert os.get_blocking(accepted)


def test_accept_needs_a_listener(guest: Guest) -> None:
    assert "EINVAL" == guest.fails("accept", guest("socket", INET, STREAM, 0), 0, 0)
    assert "EOPNOTSUPP" == guest.fails("accept", guest("socket", INET, DGRAM, 0), 0, 0)
    fd, _ = guest.listener(nonblocking=True)
    assert "EFAULT" == guest.fails("accept", fd, guest.put(16), NOWHERE)
    assert "EAGAIN" == guest.fails("accept", fd, 0, NOWHERE)    # *len is not read without sa


def test_accept_inherits_options_but_no_timeouts(guest: Guest) -> None:
    fd, port = guest.listener()
    guest.set(fd, abi.SOL_SOCKET, abi.SO_NOSIGPIPE, 1)
    guest.set(fd, abi.SOL_SOCKET, abi.SO_KEEPALIVE, 1)
    guest.set(fd, abi.SOL_SOCKET, abi.SO_RCVTIMEO, timeval(5))
    guest.set(fd, abi.SOL_SOCKET, abi.SO_SNDTIMEO, timeval(5))
    guest.set(fd, abi.SOL_SOCKET, abi.SO_LINGER, struct.pack("<ii", 1, 250))
    guest.set(fd, abi.SOL_SOCKET, abi.SO_SNDBUF, 50000)
    guest.set(fd, abi.IPPROTO_TCP, abi.TCP_NODELAY, 1)
    guest.set(fd, abi.IPPROTO_TCP, abi.TCP_KEEPALIVE, 33)
    with socket.create_connection(("127.0.0.1", port)):
        new = guest("accept", fd, 0, 0)
    assert 1 == guest.get_int(new, abi.SOL_SOCKET, abi.SO_NOSIGPIPE)
    assert abi.SO_KEEPALIVE == guest.get_int(new, abi.SOL_SOCKET, abi.SO_KEEPALIVE)
    assert timeval(0) == guest.get(new, abi.SOL_SOCKET, abi.SO_RCVTIMEO, 16)
    assert timeval(0) == guest.get(new, abi.SOL_SOCKET, abi.SO_SNDTIMEO, 16)
    assert struct.pack("<ii", 1, 250) == guest.get(new, abi.SOL_SOCKET, abi.SO_LINGER, 8)
    assert 50000 == guest.get_int(new, abi.SOL_SOCKET, abi.SO_SNDBUF)
    assert 4 == guest.get_int(new, abi.IPPROTO_TCP, abi.TCP_NODELAY)
    assert 33 == guest.get_int(new, abi.IPPROTO_TCP, abi.TCP_KEEPALIVE)


def test_receive_timeout_of_the_listener_does_not_bound_accept(guest: Guest) -> None:
    fd, port = guest.listener()
    guest.set(fd, abi.SOL_SOCKET, abi.SO_RCVTIMEO, timeval(0.02))
    clients: list[socket.socket] = []
    with later(0.1, lambda: clients.append(socket.create_connection(("127.0.0.1", port)))):
        guest("accept", fd, 0, 0)
    clients[0].close()


def test_accept_without_a_free_number_drops_the_connection(guest: Guest) -> None:
    fd, port = guest.listener()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        free = os.dup(0)
        os.close(free)
        guest.task.limits[abi.RLIMIT_NOFILE] = (free, free)
        assert "EMFILE" == guest.fails("accept", fd, 0, 0)
        with contextlib.suppress(ConnectionResetError):
            assert b"" == client.recv(1)
    os.set_blocking(fd, False)
    guest.task.limits[abi.RLIMIT_NOFILE] = (2048, 2048)
    assert "EAGAIN" == guest.fails("accept", fd, 0, 0)      # it is not in the queue any more


def test_the_connection_is_dropped_also_when_the_host_has_no_number(guest: Guest) -> None:
    fd, port = guest.listener(nonblocking=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        wait_until(lambda: select.select([fd], [], [], 0)[0])
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            assert "EMFILE" == guest.fails("accept", fd, 0, 0)
            assert "EAGAIN" == guest.fails("accept", fd, 0, 0)
            assert "EMFILE" == guest.fails("kqueue")
            assert (free, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        with contextlib.suppress(ConnectionResetError):
            assert b"" == client.recv(1)


def test_the_queue_holds_as_many_connections_as_the_backlog_says(guest: Guest) -> None:
    _, port = guest.listener(backlog=2)
    clients = []
    try:
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            clients.append(client)
        time.sleep(0.05)
        done = [c for c in clients if select.select([], [c], [], 0)[1]]
        assert 2 == len(done)
    finally:
        for client in clients:
            client.close()


# --- connect --------------------------------------------------------------------------------


def test_connect_reads_family_0_as_inet_on_a_stream(guest: Guest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        fd = guest("socket", INET, STREAM, 0)
        guest("connect", fd, guest.put(inet(port, family=0, length=2)), 16)
        assert "EISCONN" == guest.fails("connect", fd, guest.put(inet(port)), 16)
        at, length = guest.put(16), guest.put(u32(16))
        guest("getpeername", fd, at, length)
        assert inet(port) == guest.read(at, 16)


def test_connect_refuses_bad_names(guest: Guest) -> None:
    fd = guest("socket", INET, STREAM, 0)
    good = guest.put(inet(9))
    assert "EINVAL" == guest.fails("connect", fd, good, 1)
    assert "EINVAL" == guest.fails("connect", fd, good, 15)
    assert "EFAULT" == guest.fails("connect", fd, NOWHERE, 16)
    assert "EAFNOSUPPORT" == guest.fails("connect", fd, guest.put(inet(9, family=30)), 16)
    assert "EADDRNOTAVAIL" == guest.fails("connect", fd, guest.put(inet(0)), 16)
    assert "EAFNOSUPPORT" == guest.fails("connect", fd, guest.put(inet(9, b"\xe0\0\0\1")), 16)
    listener, port = guest.listener()
    assert "EOPNOTSUPP" == guest.fails("connect", listener, guest.put(inet(port)), 16)


def test_a_refused_connect_leaves_the_socket_dead(guest: Guest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    fd = guest("socket", INET, STREAM, 0)
    name = guest.put(inet(port))
    assert "ECONNREFUSED" == guest.fails("connect", fd, name, 16)
    assert "EINVAL" == guest.fails("connect", fd, name, 16)
    assert "EINVAL" == guest.fails(
        "setsockopt", fd, abi.SOL_SOCKET, abi.SO_REUSEADDR, guest.put(u32(1)), 4
    )
    guest.task.post_signal = lambda number: None    # type: ignore[method-assign]
    assert "EPIPE" == guest.fails("sendto", fd, name, 1, 0, 0, 0)
    assert 0 == guest("recvfrom", fd, name, 1, 0, 0, 0)


def test_connect_without_waiting_goes_through_einprogress(guest: Guest) -> None:
    _, port = guest.listener()
    fd = guest("socket", INET, STREAM, 0)
    os.set_blocking(fd, False)
    name = guest.put(inet(port))
    error = guest.fails("connect", fd, name, 16)
    assert error in ("EINPROGRESS", "")     # loopback may be at once
    select.select([], [fd], [], 2)
    assert "EISCONN" == guest.fails("connect", fd, name, 16)


def test_connect_under_way_is_ealready(guest: Guest) -> None:
    _, port = guest.listener(backlog=1)
    fillers = []
    try:
        for _ in range(2):      # the second SYN is not answered: the queue is full
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        time.sleep(0.02)
        fd = guest("socket", INET, STREAM, 0)
        name = guest.put(inet(port))
        os.set_blocking(fd, False)
        assert "EINPROGRESS" == guest.fails("connect", fd, name, 16)
        assert "EALREADY" == guest.fails("connect", fd, name, 16)
        os.set_blocking(fd, True)
        assert "EISCONN" == guest.fails("connect", fd, name, 16)    # a waiting socket
        other = guest("socket", INET, STREAM, 0)
        guest.set(other, abi.IPPROTO_TCP, abi.TCP_CONNECTIONTIMEOUT, 1)
        start = time.monotonic()
        assert "ETIMEDOUT" == guest.fails("connect", other, name, 16)
        assert 0.9 < time.monotonic() - start < 5.5
    finally:
        for filler in fillers:
            filler.close()


def test_connecting_a_datagram_socket_to_family_0_forgets_the_peer(guest: Guest) -> None:
    fd = guest("socket", INET, DGRAM, 0)
    guest("connect", fd, guest.put(inet(9)), 16)
    at, length = guest.put(16), guest.put(u32(16))
    guest("getpeername", fd, at, length)
    assert "EAFNOSUPPORT" == guest.fails("connect", fd, guest.put(inet(9, family=0)), 16)
    assert "ENOTCONN" == guest.fails("getpeername", fd, at, length)


# --- shutdown, getpeername ------------------------------------------------------------------


def test_shutdown_of_what_is_not_connected_is_enotconn(guest: Guest) -> None:
    listener, _ = guest.listener()
    for fd in (listener, guest("socket", INET, STREAM, 0), guest("socket", INET, DGRAM, 0)):
        assert "ENOTCONN" == guest.fails("shutdown", fd, abi.SHUT_RDWR)
    assert "EINVAL" == guest.fails("shutdown", listener, 3)
    assert "EINVAL" == guest.fails("shutdown", listener, -1)


def test_a_direction_is_shut_only_once(guest: Guest) -> None:
    accepted, client = guest.connection()
    with client:
        guest("shutdown", accepted, abi.SHUT_WR)
        assert b"" == client.recv(1)
        assert "ENOTCONN" == guest.fails("shutdown", accepted, abi.SHUT_WR)
        guest("shutdown", accepted, abi.SHUT_RD)
        assert "ENOTCONN" == guest.fails("shutdown", accepted, abi.SHUT_RD)


def test_shutdown_both_after_the_peers_fin_leaves_the_write_side_open(guest: Guest) -> None:
    accepted, client = guest.connection()
    with client:
        client.shutdown(socket.SHUT_WR)
        at = guest.put(8)
        assert 0 == guest("recvfrom", accepted, at, 1, 0, 0, 0)
        assert "ENOTCONN" == guest.fails("shutdown", accepted, abi.SHUT_RDWR)
        assert 2 == guest("sendto", accepted, guest.put(b"ok"), 2, 0, 0, 0)
        assert b"ok" == client.recv(8)
        guest("shutdown", accepted, abi.SHUT_WR)
        assert b"" == client.recv(8)


def test_a_read_after_shutting_the_read_side_is_the_end(guest: Guest) -> None:
    accepted, client = guest.connection()
    with client:
        guest("shutdown", accepted, abi.SHUT_RD)
        client.send(b"too late")
        assert 0 == guest("recvfrom", accepted, guest.put(8), 8, 0, 0, 0)


def test_getpeername_says_einval_once_both_directions_are_shut(guest: Guest) -> None:
    accepted, client = guest.connection()
    at, length = guest.put(16), guest.put(u32(16))
    guest("getpeername", accepted, at, length)
    reset(client)
    wait_until(lambda: guest.fails("getpeername", accepted, at, length))
    assert "EINVAL" == guest.fails("getpeername", accepted, at, length)
    assert "EINVAL" == guest.fails(
        "setsockopt", accepted, abi.SOL_SOCKET, abi.SO_KEEPALIVE, guest.put(u32(1)), 4
    )
    fresh = guest("socket", INET, STREAM, 0)
    assert "ENOTCONN" == guest.fails("getpeername", fresh, at, length)


# --- sending and receiving ------------------------------------------------------------------


def signals_of(guest: Guest) -> list[int]:
    posted: list[int] = []
    guest.task.post_signal = posted.append      # type: ignore[method-assign]
    return posted


def reset_connection(guest: Guest) -> int:
    accepted, client = guest.connection()
    reset(client)
    at, length = guest.put(16), guest.put(u32(16))
    wait_until(lambda: guest.fails("getpeername", accepted, at, length))
    return accepted


def test_a_write_after_rst_is_epipe_and_the_read_gets_econnreset_once(guest: Guest) -> None:
    posted = signals_of(guest)
    fd = reset_connection(guest)
    at = guest.put(b"data")
    assert "EPIPE" == guest.fails("sendto", fd, at, 4, 0, 0, 0)
    assert [abi.SIGPIPE] == posted
    assert "EPIPE" == guest.fails("sendto", fd, at, 4, 0, 0, 0)
    assert "ECONNRESET" == guest.fails("recvfrom", fd, at, 4, 0, 0, 0)
    assert 0 == guest("recvfrom", fd, at, 4, 0, 0, 0)
    assert "EPIPE" == guest.fails("sendto", fd, at, 4, 0, 0, 0)
    assert 0 == guest("recvfrom", fd, at, 4, 0, 0, 0)


def test_a_read_after_rst_is_econnreset_once_then_the_end(guest: Guest) -> None:
    signals_of(guest)
    fd = reset_connection(guest)
    at = guest.put(8)
    assert "ECONNRESET" == guest.fails("recvfrom", fd, at, 4, 0, 0, 0)
    assert 0 == guest("recvfrom", fd, at, 4, 0, 0, 0)
    assert "EPIPE" == guest.fails("sendto", fd, at, 4, 0, 0, 0)
    assert 0 == guest("recvfrom", fd, at, 4, 0, 0, 0)


def test_rst_behind_fin_still_reaches_the_reader(guest: Guest) -> None:
    signals_of(guest)
    accepted, client = guest.connection()
    at = guest.put(b"data")
    client.shutdown(socket.SHUT_WR)
    assert 0 == guest("recvfrom", accepted, at, 4, 0, 0, 0)
    reset(client)
    guest.fails("sendto", accepted, at, 4, 0, 0, 0)     # answered by a reset if not yet there
    length = guest.put(u32(16))
    wait_until(lambda: guest.fails("getpeername", accepted, guest.put(16), length))
    assert "ECONNRESET" == guest.fails("recvfrom", accepted, at, 4, 0, 0, 0)
    assert 0 == guest("recvfrom", accepted, at, 4, 0, 0, 0)


def test_so_nosigpipe_and_msg_nosignal_keep_sigpipe_away(guest: Guest) -> None:
    posted = signals_of(guest)
    fd = reset_connection(guest)
    at = guest.put(b"data")
    assert "EPIPE" == guest.fails("sendto", fd, at, 4, abi.MSG_NOSIGNAL, 0, 0)
    assert [] == posted
    guest.task.files.describe(fd).no_sigpipe = True
    assert "EPIPE" == guest.fails("sendto", fd, at, 4, 0, 0, 0)
    assert [] == posted


def test_a_write_behind_our_own_shutdown_is_epipe(guest: Guest) -> None:
    posted = signals_of(guest)
    accepted, client = guest.connection()
    with client:
        guest("shutdown", accepted, abi.SHUT_WR)
        assert "EPIPE" == guest.fails("sendto", accepted, guest.put(b"x"), 1, 0, 0, 0)
        assert [abi.SIGPIPE] == posted
        client.send(b"still")
        at = guest.put(8)
        assert 5 == guest("recvfrom", accepted, at, 8, 0, 0, 0)


def test_a_closed_unix_peer_is_epipe_and_end_of_file(guest: Guest) -> None:
    posted = signals_of(guest)
    first, second = guest.pair()
    at = guest.put(b"data")
    guest("sendto", first, at, 4, 0, 0, 0)
    guest.close(second)             # with unread data: Linux would say ECONNRESET
    assert 0 == guest("recvfrom", first, at, 4, 0, 0, 0)
    assert "EPIPE" == guest.fails("sendto", first, at, 4, 0, 0, 0)
    assert [abi.SIGPIPE] == posted


def test_unconnected_sockets_cannot_send_or_receive(guest: Guest) -> None:
    posted = signals_of(guest)
    at = guest.put(8)
    stream = guest("socket", INET, STREAM, 0)
    assert "ENOTCONN" == guest.fails("sendto", stream, at, 1, 0, 0, 0)
    assert "ENOTCONN" == guest.fails("recvfrom", stream, at, 1, 0, 0, 0)
    assert "EDESTADDRREQ" == guest.fails(
        "sendto", guest("socket", INET, DGRAM, 0), at, 1, 0, 0, 0
    )
    assert "EDESTADDRREQ" == guest.fails(
        "sendto", guest("socket", UNIX, DGRAM, 0), at, 1, 0, 0, 0
    )
    assert [] == posted


def test_a_socket_that_does_not_wait_says_eagain_35(guest: Guest) -> None:
    first, _second = guest.pair()
    at = guest.put(8)
    assert "EAGAIN" == guest.fails("recvfrom", first, at, 1, abi.MSG_DONTWAIT, 0, 0)
    os.set_blocking(first, False)
    assert "EAGAIN" == guest.fails("recvfrom", first, at, 1, 0, 0, 0)
    big = guest.put(400_000)
    sent = 0
    while not guest.fails("sendto", first, big, 1, 0, 0, 0):
        sent += 1 + guest("sendto", first, big, 400_000, 0, 0, 0)
    assert "EAGAIN" == guest.fails("sendto", first, big, 1, 0, 0, 0)
    assert sent > 0


def test_a_waiting_send_sends_everything(guest: Guest) -> None:
    accepted, client = guest.connection()
    received = bytearray()

    def drain() -> None:
        while len(received) < 600_000:
            received.extend(client.recv(1 << 16))

    with client:
        data = bytes(range(250)) * 2400
        at = guest.put(data)
        with later(0.01, drain):
            assert len(data) == guest("sendto", accepted, at, len(data), 0, 0, 0)
        assert data == bytes(received)


def test_receive_timeout_ends_in_eagain(guest: Guest) -> None:
    first, second = guest.pair()
    guest.set(first, abi.SOL_SOCKET, abi.SO_RCVTIMEO, timeval(0.05))
    start = time.monotonic()
    assert "EAGAIN" == guest.fails("recvfrom", first, guest.put(8), 1, 0, 0, 0)
    assert 0.04 < time.monotonic() - start < 5
    with later(0.01, lambda: os.write(second, b"x")):
        assert 1 == guest("recvfrom", first, guest.put(8), 1, 0, 0, 0)


def test_send_timeout_gives_what_was_sent_then_eagain(guest: Guest) -> None:
    first, _second = guest.pair()
    guest.set(first, abi.SOL_SOCKET, abi.SO_SNDTIMEO, timeval(0.03))
    at = guest.put(500_000)
    assert 0 < guest("sendto", first, at, 500_000, 0, 0, 0) < 500_000
    assert "EAGAIN" == guest.fails("sendto", first, at, 500_000, 0, 0, 0)


def test_waitall_waits_for_all_of_it(guest: Guest) -> None:
    first, second = guest.pair()
    os.write(second, b"abc")
    at = guest.put(8)
    with later(0.02, lambda: os.write(second, b"def")):
        assert 6 == guest("recvfrom", first, at, 6, abi.MSG_WAITALL, 0, 0)
    assert b"abcdef" == guest.read(at, 6)


def test_peek_leaves_the_bytes(guest: Guest) -> None:
    first, second = guest.pair()
    os.write(second, b"abc")
    at = guest.put(8)
    assert 3 == guest("recvfrom", first, at, 8, abi.MSG_PEEK, 0, 0)
    assert 3 == guest("recvfrom", first, at, 8, 0, 0, 0)


def test_a_bad_buffer_is_efault_and_too_long_a_one_einval(guest: Guest) -> None:
    first, second = guest.pair()
    os.write(second, b"abc")
    assert "EFAULT" == guest.fails("recvfrom", first, NOWHERE, 8, 0, 0, 0)
    assert "EFAULT" == guest.fails("sendto", first, NOWHERE, 8, 0, 0, 0)
    assert "EINVAL" == guest.fails("recvfrom", first, guest.put(8), 1 << 31, 0, 0, 0)
    assert 0 == guest("recvfrom", first, NOWHERE, 0, 0, 0, 0)
    assert 3 == guest("recvfrom", first, guest.put(8), 8, 0, 0, 0)


def test_the_fault_plan_shortens_transfers(guest: Guest) -> None:
    first, _second = guest.pair()
    at = guest.put(b"abcdef")
    guest.task.short = 2
    assert 2 == guest("sendto", first, at, 6, 0, 0, 0)
    guest.task.short = None


def test_datagrams_carry_the_senders_name(guest: Guest) -> None:
    receiver = guest("socket", INET, DGRAM, 0)
    guest("bind", receiver, guest.put(inet(0)), 16)
    at = guest.put(16)
    guest("getsockname", receiver, at, guest.put(u32(16)))
    port = int.from_bytes(guest.read(at + 2, 2), "big")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        sender.sendto(b"hello", ("127.0.0.1", port))
        name, length, data = guest.put(16), guest.put(u32(8)), guest.put(16)
        assert 5 == guest("recvfrom", receiver, data, 16, 0, name, length)
        assert inet(sender.getsockname()[1])[:8] + bytes(8) == guest.read(name, 16)
        assert 16 == guest.i32(length)
        guest("sendto", receiver, data, 5, 0, guest.put(inet(sender.getsockname()[1])), 16)
        assert b"hello" == sender.recv(16)
    assert "EMSGSIZE" == guest.fails("sendto", receiver, guest.put(9217), 9217, 0, name, 16)
    guest("connect", receiver, guest.put(inet(9)), 16)
    assert "EISCONN" == guest.fails("sendto", receiver, data, 5, 0, guest.put(inet(9)), 16)


# --- messages -------------------------------------------------------------------------------


def iovec(*parts: tuple[int, int]) -> bytes:
    return b"".join([struct.pack("<QQ", at, size) for at, size in parts])


def msghdr(
    iov: int, count: int, *, control: int = 0, control_size: int = 0, name: int = 0, size: int = 0
) -> bytes:
    return struct.pack("<QI4xQi4xQIi", name, size, iov, count, control, control_size, 0x7FFF)


def test_sendmsg_gathers_and_recvmsg_scatters(guest: Guest) -> None:
    first, second = guest.pair()
    out = guest.put(iovec((guest.put(b"one"), 3), (guest.put(b"two"), 3), (0, 0)))
    assert 6 == guest("sendmsg", first, guest.put(msghdr(out, 3)), 0)
    a, b = guest.put(8), guest.put(8)
    head = guest.put(msghdr(guest.put(iovec((a, 4), (b, 8))), 2))
    assert 6 == guest("recvmsg", second, head, 0)
    assert (b"onet", b"wo") == (guest.read(a, 4), guest.read(b, 2))
    assert 0 == guest.i32(head + 44)        # msg_flags


@pytest.mark.parametrize("count", [0, -1, 1025])
def test_a_bad_number_of_iovecs_is_emsgsize(guest: Guest, count: int) -> None:
    first, _ = guest.pair()
    head = guest.put(msghdr(guest.put(16), count))
    assert "EMSGSIZE" == guest.fails("sendmsg", first, head, 0)
    assert "EMSGSIZE" == guest.fails("recvmsg", first, head, 0)
    assert "EFAULT" == guest.fails("recvmsg", first, NOWHERE, 0)


def test_descriptors_travel_in_a_12_byte_control_message(guest: Guest) -> None:
    first, second = guest.pair()
    read_end, write_end = os.pipe()
    guest.opened(read_end)
    guest.opened(write_end)
    iov = guest.put(iovec((guest.put(b"x"), 1)))
    rights = struct.pack("<Iiiii", 20, abi.SOL_SOCKET, abi.SCM_RIGHTS, read_end, first)
    head = msghdr(iov, 1, control=guest.put(rights), control_size=20)
    assert 1 == guest("sendmsg", first, guest.put(head), 0)
    room = guest.put(64)
    head_at = guest.put(msghdr(iov, 1, control=room, control_size=64))
    assert 1 == guest("recvmsg", second, head_at, 0)
    assert 20 == guest.i32(head_at + 40)
    length, level, kind, pipe, peer = struct.unpack("<Iiiii", guest.read(room, 20))
    assert (20, abi.SOL_SOCKET, abi.SCM_RIGHTS) == (length, level, kind)
    guest.opened(pipe)
    os.write(write_end, b"through")
    assert b"through" == os.read(pipe, 16)
    assert 1 == guest("sendto", peer, guest.put(b"y"), 1, 0, 0, 0)     # known as a socket


def test_control_room_for_one_of_two_descriptors_is_ctrunc(guest: Guest) -> None:
    first, second = guest.pair()
    iov = guest.put(iovec((guest.put(b"x"), 1)))
    rights = struct.pack("<Iiiii", 20, abi.SOL_SOCKET, abi.SCM_RIGHTS, first, first)
    head = msghdr(iov, 1, control=guest.put(rights), control_size=20)
    guest("sendmsg", first, guest.put(head), 0)
    room = guest.put(16)
    head_at = guest.put(msghdr(iov, 1, control=room, control_size=16))
    guest("recvmsg", second, head_at, 0)
    assert 16 == guest.i32(room)
    assert abi.MSG_CTRUNC == guest.i32(head_at + 44)


def test_bad_control_messages_are_refused(guest: Guest) -> None:
    first, _ = guest.pair()
    iov = guest.put(iovec((guest.put(b"x"), 1)))

    def send(data: bytes, size: int | None = None) -> str:
        size = len(data) if size is None else size
        head = msghdr(iov, 1, control=guest.put(data), control_size=size)
        return guest.fails("sendmsg", first, guest.put(head), 0)

    good = struct.pack("<Iiii", 16, abi.SOL_SOCKET, abi.SCM_RIGHTS, 0)
    assert "EINVAL" == send(good, 11)
    assert "EINVAL" == send(good + bytes(4))                            # lengths differ
    assert "EINVAL" == send(struct.pack("<Iiii", 16, 1, abi.SCM_RIGHTS, 0))     # Linux's level
    assert "EINVAL" == send(struct.pack("<Iiii", 16, abi.SOL_SOCKET, 2, 0))
    assert "EBADF" == send(struct.pack("<Iiii", 16, abi.SOL_SOCKET, abi.SCM_RIGHTS, 9999))
    queue = guest("kqueue")
    assert "EINVAL" == send(struct.pack("<Iiii", 16, abi.SOL_SOCKET, abi.SCM_RIGHTS, queue))


def test_a_long_datagram_is_cut_with_msg_trunc(guest: Guest) -> None:
    at = guest.put(8)
    guest("socketpair", UNIX, DGRAM, 0, at)
    first, second = struct.unpack("<ii", guest.read(at, 8))
    guest("sendto", first, guest.put(b"abcdef"), 6, 0, 0, 0)
    head = guest.put(msghdr(guest.put(iovec((guest.put(4), 4))), 1))
    assert 4 == guest("recvmsg", second, head, 0)
    assert abi.MSG_TRUNC == guest.i32(head + 44)


# --- signals --------------------------------------------------------------------------------


def interrupt(guest: Guest, after: float = 0.03) -> object:
    """Make SIGUSR1 caught, and send it in a while."""
    from ymawky_kit.darwin.delivery import Action

    guest.kernel.signals.set_action(abi.SIGUSR1, Action(handler=0x1000, trampoline=0x1000))
    import signal

    return later(after, lambda: os.kill(os.getpid(), signal.SIGUSR1))


def test_a_caught_signal_interrupts_accept_receive_and_connect(guest: Guest) -> None:
    fd, _ = guest.listener()
    first, _second = guest.pair()
    at = guest.put(8)
    for name, arguments in (("accept", (fd, 0, 0)), ("recvfrom", (first, at, 1, 0, 0, 0))):
        with interrupt(guest), pytest.raises(Interrupted):      # type: ignore[attr-defined]
            guest(name, *arguments)
        guest.kernel.signals._pending = 0


def test_a_signal_after_a_part_was_sent_gives_the_count(guest: Guest) -> None:
    first, _second = guest.pair()
    at = guest.put(500_000)
    with interrupt(guest):          # type: ignore[attr-defined]
        sent = guest("sendto", first, at, 500_000, 0, 0, 0)
    assert 0 < sent < 500_000
