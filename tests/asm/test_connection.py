"""serve/connection: deadlines and lost clients, without waiting for either."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm, path_of
from support.layout import Connection, constants

from ymawky_kit.darwin.errno import ECONNRESET, EINTR, EIO, EPIPE
from ymawky_kit.emu.plan import Fault, FaultPlan
from ymawky_kit.source import Source

STALL_SECONDS_MAX = 30

#: A reply of segments that a test has laid out in memory: head and length, body and length;
#: behind the last, a zero and what the call is to fail with.
SEGMENTS = """
.include "request.inc"
.include "reply.inc"
.include "conn.inc"

func segments_next
    ldr     x1, [x0, #CONN_REPLY + REPLY_STATE]
    ldp     x2, x3, [x1], #16
    cbz     x2, Lsegments_next_end
    stp     x2, x3, [x0, #CONN_REPLY + REPLY_HEAD]
    ldp     x2, x3, [x1], #16
    str     x2, [x0, #CONN_REPLY + REPLY_BODY]
    str     x3, [x0, #CONN_REPLY + REPLY_LENGTH]
    str     x1, [x0, #CONN_REPLY + REPLY_STATE]
    mov     w1, #BODY_MEMORY
    str     w1, [x0, #CONN_REPLY + REPLY_KIND]
    carry_clear
    ret
Lsegments_next_end:
    mov     x0, x3
    carry_set
    ret

func segments_free
    mov     w1, #'f'
    strb    w1, [x0, #CONN_PAGE]
    ret
"""


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


@pytest.fixture(scope="module")
def segmented() -> Iterator[Asm]:
    """A server with the two functions above in it."""
    text = path_of("stub/range_ignore").read_text() + SEGMENTS
    machine = Asm(overrides={"stub/range_ignore": Source("stub/range_ignore.s", text)})
    yield machine
    machine.close()


def in_segments(
    asm: Asm, fd: int, segments: Sequence[tuple[bytes, bytes]], error: int = 0
) -> Connection:
    """A connection whose reply begins with "headbbbb" and goes on with these."""
    conn = reply(asm, fd, size=4)
    rows = b"".join(
        struct.pack("<4Q", asm.alloc(head), len(head), asm.alloc(body), len(body))
        for head, body in segments
    )
    conn.reply["REPLY_STATE"] = asm.alloc(rows + struct.pack("<2Q", 0, error))
    conn.reply["REPLY_NEXT"] = asm.address("segments_next")
    conn.reply["REPLY_FREE"] = asm.address("segments_free")
    return conn


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.binary(max_size=20)), max_size=6),
       st.randoms(use_true_random=False))
def test_segments_arrive_one_behind_the_other(segmented: Asm, segments, chance) -> None:
    """However little of each the socket takes at a time."""
    segmented.reset()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        conn = in_segments(segmented, ours.fileno(), segments)
        whole = b"headbbbb" + b"".join(head + body for head, body in segments)
        shorts = [Fault("writev", n, short=chance.randint(1, 9)) for n in range(1, 300)]
        with segmented.plan(FaultPlan(shorts)):
            assert not segmented.call("connection_send", conn.address).carry
        assert whole == theirs.recv(1000)


def test_a_segment_that_cannot_be_had_ends_the_sending(segmented: Asm, pair) -> None:
    segmented.reset()
    conn = in_segments(segmented, pair[0].fileno(), [(b"1", b"2")], EIO)
    result = segmented.call("connection_send", conn.address)
    assert (True, EIO) == (result.carry, result.value)
    assert b"headbbbb12" == pair[1].recv(100)


def test_a_client_that_is_gone_gets_no_more_segments(segmented: Asm, pair) -> None:
    segmented.reset()
    conn = in_segments(segmented, pair[0].fileno(), [(b"1", b"2")] * 3)
    with segmented.plan(FaultPlan([Fault("writev", 2, error=EPIPE)])):
        result = segmented.call("connection_send", conn.address)
    assert (True, EPIPE, 2) == (result.carry, result.value, result.syscalls)


def test_every_segment_has_its_own_half_minute(segmented: Asm, pair) -> None:
    segmented.reset()
    conn = in_segments(segmented, pair[0].fileno(), [(b"1", b"2")] * 9)
    faults = [Fault("writev", n, error=EINTR) for n in range(200) if n % STALL_SECONDS_MAX]
    with segmented.plan(FaultPlan(faults)):
        assert not segmented.call("connection_send", conn.address).carry
    assert b"headbbbb" + b"12" * 9 == pair[1].recv(100)


def test_head_sends_one_head_and_no_segment(segmented: Asm, pair) -> None:
    segmented.reset()
    conn = in_segments(segmented, pair[0].fileno(), [(b"1", b"2")])
    conn.request["REQUEST_METHOD"] = constants("http.inc")["METHOD_HEAD"]
    assert not segmented.call("connection_send", conn.address).carry
    assert b"head" == pair[1].recv(100)


def test_the_end_of_a_connection_frees_what_its_reply_holds(segmented: Asm, pair) -> None:
    for segments in ([], [(b"1", b"2")]):
        segmented.reset()
        conn = in_segments(segmented, pair[0].detach() if segments else 99, segments)
        segmented.call("connection_end", conn.address)
        page = conn.address + constants("conn.inc")["CONN_PAGE"]
        assert b"f" == segmented.peek(page, 1)
        assert (0, 0, 0) == tuple(
            conn.reply[f"REPLY_{field}"] for field in ("NEXT", "FREE", "STATE"))


def test_a_plan_may_want_the_body_first(pair) -> None:
    """Then body_receive has the last word: its reply is sent, or its refusal."""
    plan = path_of("stub/method_405").read_text().replace("#405", "#0", 1)
    body = path_of("stub/body_none").read_text()
    for text, line in ((body, b"HTTP/1.1 501 Not Implemented"),
                       (body.replace("    mov     x0, #501\n    carry_set\n    ret\n",
                                     "    b       options_plan\n"), b"HTTP/1.1 200 OK")):
        asm = Asm("fork", overrides={"stub/method_405": Source("plan.s", plan),
                                     "stub/body_none": Source("body.s", text)})
        try:
            conn = Connection(asm, pair[0].fileno())
            pair[1].sendall(b"PUT /new HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
            with asm.plan(FaultPlan([Fault("setitimer", 1, error=EIO)])):   # no alarm for us
                asm.call("connection_serve", conn.address)
            assert line == pair[1].recv(4096).partition(b"\r\n")[0]
        finally:
            asm.close()


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
