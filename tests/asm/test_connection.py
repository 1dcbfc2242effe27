"""serve/connection: deadlines and lost clients, without waiting for either."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from support.contract import Asm
from support.layout import Connection, constants

from ymawky_kit.darwin.errno import ECONNRESET, EINTR, EPIPE
from ymawky_kit.emu.plan import Fault, FaultPlan

STALL_SECONDS_MAX = 30


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def reply(asm: Asm, fd: int, size: int = 100) -> Connection:
    conn = Connection(asm, fd)
    conn.reply["REPLY_KIND"] = constants("reply.inc")["BODY_MEMORY"]
    conn.reply["REPLY_HEAD"] = asm.alloc(b"head")
    conn.reply["REPLY_HEAD_LEN"] = 4
    conn.reply["REPLY_BODY"] = asm.alloc(b"b" * size)
    conn.reply["REPLY_LENGTH"] = size
    return conn


def test_a_client_that_takes_nothing_is_given_up_after_half_a_minute(asm: Asm, pair) -> None:
    """The alarm comes once a second: thirty in a row without progress are enough."""
    conn = reply(asm, pair[0].fileno())
    with asm.plan(FaultPlan([Fault("writev", 0, error=EINTR)])):
        result = asm.call("connection_send", conn.address)
    assert (True, EINTR, STALL_SECONDS_MAX) == (result.carry, result.value, result.syscalls)


def test_a_client_that_takes_a_little_is_never_given_up(asm: Asm, pair) -> None:
    conn = reply(asm, pair[0].fileno(), size=6)
    faults = [
        Fault("writev", n, error=EINTR) if n % STALL_SECONDS_MAX else Fault("writev", n, short=1)
        for n in range(1, 10 * STALL_SECONDS_MAX)
    ]
    with asm.plan(FaultPlan(faults)):
        result = asm.call("connection_send", conn.address)
    assert not result.carry
    assert b"headbbbbbb" == pair[1].recv(100)


def test_a_client_that_is_gone_ends_the_sending_at_once(asm: Asm, pair) -> None:
    for error in (EPIPE, ECONNRESET):
        conn = reply(asm, pair[0].fileno())
        with asm.plan(FaultPlan([Fault("writev", 1, error=error)])):
            result = asm.call("connection_send", conn.address)
        assert (True, error, 1) == (result.carry, result.value, result.syscalls)


def test_head_sends_no_body(asm: Asm, pair) -> None:
    conn = reply(asm, pair[0].fileno())
    conn.request["REQUEST_METHOD"] = constants("http.inc")["METHOD_HEAD"]
    assert not asm.call("connection_send", conn.address).carry
    assert b"head" == pair[1].recv(100)


@pytest.mark.parametrize(("sent", "error", "status"), [
    (b"GET / HTTP/1.1\r\n", EINTR, 408), (b"", EINTR, 0), (b"G", ECONNRESET, 0),
    (b"", ECONNRESET, 0),
])
def test_a_head_that_does_not_arrive(asm: Asm, pair, sent: bytes, error: int, status: int) -> None:
    """With nothing read, or after a reset, there is nobody to tell."""
    conn = Connection(asm, pair[0].fileno())
    pair[1].sendall(sent)
    with asm.plan(FaultPlan([Fault("read", 2 if sent else 1, error=error)])):
        result = asm.call("connection_receive", conn.address)
    assert (True, status) == (result.carry, result.value)


def test_lingering_ends_with_the_alarm(asm: Asm, pair) -> None:
    conn = Connection(asm, pair[0].fileno())
    pair[1].sendall(b"still talking")
    with asm.plan(FaultPlan([Fault("read", 2, error=EINTR)])):
        result = asm.call("connection_linger", conn.address)
    # shutdown, one read, how late it is, one read cut short
    assert 4 == result.syscalls
