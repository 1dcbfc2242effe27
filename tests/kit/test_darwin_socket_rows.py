"""The rows of sockets, polling and events: numbers, twins, and that each is tested."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.programs import boot

from ymawky_kit.darwin.kernel import load_rows
from ymawky_kit.darwin.table import EINTR_ALWAYS, RESTART, OnSignal, Row, Support, table
from ymawky_kit.darwin.trace import TraceSink

load_rows()

MODULES = ("socket", "sockopt", "message", "poll", "select", "kqueue", "sendfile")
ROWS = [row for row in table if row.module in MODULES]

#: Number, number of the _nocancel twin, and what a caught signal does, as in XNU's
#: bsd/kern/syscalls.master and the msleep calls of each.
EXPECTED: dict[str, tuple[int, int | None, OnSignal]] = {
    "recvmsg": (27, 401, RESTART), "sendmsg": (28, 402, RESTART), "recvfrom": (29, 403, RESTART),
    "accept": (30, 404, RESTART), "getpeername": (31, None, EINTR_ALWAYS),
    "getsockname": (32, None, EINTR_ALWAYS), "select": (93, 407, EINTR_ALWAYS),
    "socket": (97, None, EINTR_ALWAYS), "connect": (98, 409, EINTR_ALWAYS),
    "bind": (104, None, EINTR_ALWAYS), "setsockopt": (105, None, EINTR_ALWAYS),
    "listen": (106, None, EINTR_ALWAYS), "getsockopt": (118, None, EINTR_ALWAYS),
    "sendto": (133, 413, RESTART), "shutdown": (134, None, EINTR_ALWAYS),
    "socketpair": (135, None, EINTR_ALWAYS), "poll": (230, 417, EINTR_ALWAYS),
    "sendfile": (337, None, RESTART), "kqueue": (362, None, EINTR_ALWAYS),
    "kevent": (363, None, EINTR_ALWAYS), "kevent64": (369, None, EINTR_ALWAYS),
    "pselect": (394, 395, EINTR_ALWAYS),
}


def test_these_are_all_the_rows() -> None:
    assert set(EXPECTED) == {row.name for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_has_its_numbers_and_its_rule_for_signals(row: Row) -> None:
    assert EXPECTED[row.name] == (row.number, row.nocancel, row.on_signal)
    if row.nocancel is not None:
        assert table.get(row.nocancel) is row


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_tested_and_says_what_is_missing(row: Row) -> None:
    tests = "".join([
        path.read_text() for path in Path(__file__).parent.glob("test_darwin_*.py")
        if path != Path(__file__)
    ])
    assert f'guest("{row.name}"' in tests or f'guest.fails("{row.name}"' in tests
    assert row.summary
    assert (row.support is Support.FULL) == (row.note == "")


def test_traces_show_addresses_options_and_events() -> None:
    listing = """
    mov     x0, #2
    mov     x1, #1
    mov     x2, #0
    call    97
    mov     x28, x0
    mov     x1, #0xffff
    mov     x2, #4
    addr    x3, one
    mov     x4, #4
    call    105
    mov     x0, x28
    mov     x1, #6
    mov     x2, #1
    addr    x3, one
    mov     x4, #4
    call    105
    mov     x0, x28
    addr    x1, name
    mov     x2, #16
    call    104
    addr    x0, pollfd
    mov     x1, #1
    mov     x2, #0
    call    230
    call    362
    addr    x1, change
    mov     x2, #1
    mov     x3, #0
    mov     x4, #0
    mov     x5, #0
    call    363
    mov     x1, #16
    mov     x0, x28
    mov     x2, #16
    call    104
    exit    #0
.data
.p2align 3
change: .quad   1
        .short  -10, 0x21
        .long   0
        .quad   0, 0
name:   .byte 16, 2, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0
pollfd: .long -1
        .short 5, 0
one:    .long 1
"""
    with boot(listing, trace=TraceSink()) as machine:
        machine.run()
        shown = [(event.name, event.arguments[1:]) for event in machine.kernel.events()]
        (polled,) = [e.arguments[0] for e in machine.kernel.events() if e.name == "poll"]
    assert ("socket", ("SOCK_STREAM", "IPPROTO_IP")) == shown[0]
    assert ("SOL_SOCKET", "SO_REUSEADDR") == shown[1][1][:2]
    assert ("IPPROTO_TCP", "TCP_NODELAY") == shown[2][1][:2]
    assert ("127.0.0.1:0", "16") == shown[3][1]
    assert ("[{-1, POLLIN|POLLOUT}]", ("1", "0")) == (polled, shown[4][1])
    assert "[{1, EVFILT_USER, EV_ADD|EV_CLEAR}]" == shown[6][1][0]
    assert "0x10" == shown[7][1][0]         # nothing there: the pointer itself
