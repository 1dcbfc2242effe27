"""Signals while a call sleeps: EINTR or once more, and none ever lost.

The programs are in assembly with a real handler, in a process of their own; the test
sends real signals to it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.programs import write

from ymawky_kit.run import EmulatedRunner

# The handler says "h" on standard output; every register it uses is restored by sigreturn.
_HANDLER = """
handler:
    mov     x19, x4
    mov     x20, x1
    mov     x21, x5
    mov     x0, #1
    addr    x1, letter_h
    mov     x2, #1
    call    4
    mov     x0, x19
    mov     x1, x20
    mov     x2, x21
    call    184
    exit    #99
"""

_DATA = """
.data
.p2align 3
action:     .quad   handler, handler
            .long   0, {flags}
name:       .byte   16, 2, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0
pollfd:     .long   0
            .short  1, 0
bits:       .quad   1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
change:     .quad   0
            .short  -1, 1
            .long   0
            .quad   0, 0
pair:       .long   0, 0
size:       .long   16
letter_h:   .ascii  "h"
letter_r:   .ascii  "r"
.bss
.p2align 3
.globl buffer
buffer:     .space 262144
"""

_INSTALL = """
    mov     x0, #30
    addr    x1, action
    mov     x2, #0
    call    46
"""

_READY = """
    mov     x0, #1
    addr    x1, letter_r
    mov     x2, #1
    call    4
"""

# Every call in turn: what prepares it, and the call itself, with its arguments set anew
# each time.  Standard input is a pipe that the test writes to.
_READ = "mov x0, #0\n addr x1, buffer\n mov x2, #1\n call 3\n"
_LISTEN = """
    mov     x0, #2
    mov     x1, #1
    mov     x2, #0
    call    97
    mov     x28, x0
    addr    x1, name
    mov     x2, #16
    call    104
    mov     x0, x28
    mov     x1, #8
    call    106
    mov     x0, x28
    addr    x1, name
    addr    x2, size
    call    32
    mov     x0, #1              // the port, in network order
    addr    x1, name
    add     x1, x1, #2
    mov     x2, #2
    call    4
"""
_ACCEPT = "mov x0, x28\n mov x1, #0\n mov x2, #0\n call 30\n"
_PAIR = """
    mov     x0, #1
    mov     x1, #1
    mov     x2, #0
    addr    x3, pair
    call    135
    addr    x9, pair
    ldr     w28, [x9]
"""
_RECEIVE = (
    "mov x0, x28\n addr x1, buffer\n mov x2, #8\n mov x3, #0\n mov x4, #0\n mov x5, #0\n call 29\n"
)
# 256 KiB do not fit: the first call sends a part, and what is interrupted is the second.
_FILL = _PAIR + """
    mov     x0, x28
    mov     x1, #4
    mov     x2, #4
    call    92
    mov     x0, x28
    addr    x1, buffer
    mov     x2, #0x40000
    call    4
Lfill:
    mov     x0, x28
    addr    x1, buffer
    mov     x2, #1
    call    4
    b.cc    Lfill
    mov     x0, x28
    mov     x1, #4
    mov     x2, #0
    call    92
"""
_WRITE = "mov x0, x28\n addr x1, buffer\n mov x2, #8\n call 4\n"
_POLL = "addr x0, pollfd\n mov x1, #1\n mov x2, #-1\n call 230\n"
_SELECT = "mov x0, #1\n addr x1, bits\n mov x2, #0\n mov x3, #0\n mov x4, #0\n call 93\n"
_PSELECT = (
    "mov x0, #1\n addr x1, bits\n mov x2, #0\n mov x3, #0\n mov x4, #0\n mov x5, #0\n call 394\n"
)
_QUEUE = """
    call    362
    mov     x28, x0
    addr    x1, change
    mov     x2, #1
    mov     x3, #0
    mov     x4, #0
    mov     x5, #0
    call    363
"""
_KEVENT = (
    "mov x0, x28\n mov x1, #0\n mov x2, #0\n addr x3, buffer\n mov x4, #8\n mov x5, #0\n call 363\n"
)
_KEVENT64 = (
    "mov x0, x28\n mov x1, #0\n mov x2, #0\n addr x3, buffer\n mov x4, #8\n mov x5, #0\n"
    " mov x6, #0\n mov x7, #0\n call 369\n"
)
# A child that ends once standard input has a byte.
_CHILD = """
    call    2
    cbz     x1, Lparent
Lchild:
    mov     x0, #0
    addr    x1, buffer
    mov     x2, #1
    call    3
    b.cs    Lchild
    exit    #0
Lparent:
"""
_WAIT4 = "mov x0, #-1\n mov x1, #0\n mov x2, #0\n mov x3, #0\n call 7\n"

CALLS = {
    "read": ("", _READ), "recvfrom": (_PAIR, _RECEIVE), "accept": (_LISTEN, _ACCEPT),
    "write": (_FILL, _WRITE), "wait4": (_CHILD, _WAIT4), "poll": ("", _POLL),
    "select": ("", _SELECT), "pselect": ("", _PSELECT), "kevent": (_QUEUE, _KEVENT),
    "kevent64": (_QUEUE, _KEVENT64),
}
RESTARTED = ("read", "recvfrom", "accept", "write", "wait4")
ALWAYS_EINTR = ("poll", "select", "pselect", "kevent", "kevent64")
SA_RESTART = 2


def once(name: str) -> str:
    """A program that makes the call once and exits: 128 on success, else the errno."""
    prepare, call = CALLS[name]
    return f"""
    {_INSTALL}
    {prepare}
    {_READY}
    {call}
    b.cs    Lfailed
    exit    #128
Lfailed:
    call    1
    {_HANDLER}
    """


def again(name: str) -> str:
    """A program that makes the call again and again while it ends with EINTR."""
    prepare, call = CALLS[name]
    return f"""
    {_INSTALL}
    {prepare}
    {_READY}
Lagain:
    {call}
    b.cc    Ldone
    cmp     x0, #4
    b.eq    Lagain
    call    1
Ldone:
    exit    #128
    {_HANDLER}
    """


class Guest:
    """A running program with its standard streams as pipes."""

    def __init__(self, folder: Path, text: str, flags: int) -> None:
        path = write(folder, text + _DATA.format(flags=flags))
        self.process = subprocess.Popen(
            EmulatedRunner().command(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            cwd=folder, process_group=0,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.input = self.process.stdin.fileno()
        self.output = self.process.stdout.fileno()

    def take(self, count: int, seconds: float = 20) -> bytes:
        """`count` bytes of output; fails when they do not come in time."""
        data = b""
        end = time.monotonic() + seconds
        while len(data) < count:
            ready, _, _ = select.select([self.output], [], [], end - time.monotonic())
            assert ready, f"only {data!r} after {seconds} s"
            part = os.read(self.output, count - len(data))
            assert part, f"ended with {self.process.wait(20)} after {data!r}"
            data += part
        return data

    def signal(self) -> None:
        self.process.send_signal(signal.SIGUSR1)

    def status(self) -> int:
        return self.process.wait(20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    made: list[Guest] = []

    def begin(text: str, flags: int = 0) -> Guest:
        made.append(Guest(tmp_path, text, flags))
        return made[-1]

    yield begin
    for guest in made:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(guest.process.pid, signal.SIGKILL)
        guest.process.communicate()


def asleep(guest: Guest) -> None:
    """Wait until the program sleeps in its call (the host's scheduler says so)."""
    if sys.platform != "linux":
        time.sleep(0.1)
        return
    stat = Path(f"/proc/{guest.process.pid}/stat")
    end = time.monotonic() + 20
    while stat.read_text().rpartition(")")[2].split()[0] != "S":
        assert time.monotonic() < end
        time.sleep(0.002)
    time.sleep(0.01)


def prepared(guest: Guest, name: str) -> int:
    """Read what the program says before its call; the port of a listener, or 0."""
    port = int.from_bytes(guest.take(2), "big") if name == "accept" else 0
    assert b"r" == guest.take(1)
    asleep(guest)
    return port


@pytest.mark.parametrize("name", CALLS)
def test_a_caught_signal_without_sa_restart_is_eintr(start, name: str) -> None:
    guest = start(once(name))
    prepared(guest, name)
    guest.signal()
    assert b"h" == guest.take(1)
    assert 4 == guest.status()


@pytest.mark.parametrize("name", ALWAYS_EINTR)
def test_these_calls_are_eintr_with_sa_restart_too(start, name: str) -> None:
    guest = start(once(name), SA_RESTART)
    prepared(guest, name)
    guest.signal()
    assert b"h" == guest.take(1)
    assert 4 == guest.status()


@pytest.mark.parametrize("name", ["read", "accept", "wait4"])
def test_these_calls_run_again_with_sa_restart(start, name: str) -> None:
    guest = start(once(name), SA_RESTART)
    port = prepared(guest, name)
    for _ in range(3):
        guest.signal()
        assert b"h" == guest.take(1)
    assert guest.process.poll() is None
    if name == "accept":
        with socket.create_connection(("127.0.0.1", port)):
            assert 128 == guest.status()
    else:
        os.write(guest.input, b"x")
        assert 128 == guest.status()


@pytest.mark.parametrize("name", ["recvfrom", "write"])
def test_socket_transfers_run_again_with_sa_restart(start, name: str) -> None:
    guest = start(once(name), SA_RESTART)
    prepared(guest, name)
    guest.signal()
    assert b"h" == guest.take(1)
    time.sleep(0.02)
    assert guest.process.poll() is None


@pytest.mark.parametrize("name", ["read", "accept", "poll", "kevent", "wait4"])
def test_of_many_signals_none_is_lost(start, name: str) -> None:
    """Each is sent when the handler of the one before has spoken: at every point of a call.

    A signal lost between the last look and the sleep would leave the program silent.
    """
    guest = start(again(name))
    prepared(guest, name)
    for number in range(1000):
        guest.signal()
        assert b"h" == guest.take(1)
        if number % 3 == 0:     # now and then later in the call
            end = time.perf_counter() + number * 1e-6
            while time.perf_counter() < end:
                pass
    assert guest.process.poll() is None


@pytest.mark.parametrize("name", ["read", "kevent"])
def test_a_shower_of_signals_ends_with_the_program_awake(start, name: str) -> None:
    """Sent without waiting, they may merge; the last one must still be handled."""
    guest = start(again(name))
    prepared(guest, name)
    for _ in range(2000):
        guest.signal()
    time.sleep(0.05)
    seen = 0
    while select.select([guest.output], [], [], 0.2)[0]:
        seen += len(os.read(guest.output, 1 << 16))
    assert 1 <= seen <= 2000
    guest.signal()
    assert b"h" == guest.take(1)
    os.write(guest.input, b"x")
    assert 128 == guest.status()


# Four processes wait on one listener; the handler ends the one it runs in.
_PREFORK = f"""
    {_INSTALL}
    {_LISTEN}
    call    2
    call    2
    {_READY}
Lserve:
    {_ACCEPT}
    b.cs    Lserve
    mov     x27, x0
    addr    x1, letter_r
    mov     x2, #1
    call    4
    mov     x0, x27
    call    6
    b       Lserve
handler:
    exit    #7
"""


def test_processes_that_share_a_listener_serve_and_end_together(start) -> None:
    guest = start(_PREFORK)
    port = int.from_bytes(guest.take(2), "big")
    assert b"rrrr" == guest.take(4)
    for _ in range(100):
        # All wake for one connection; those that lose must go on waiting for signals.
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            assert b"r" == client.recv(1)
            assert b"" == client.recv(1)
    clients = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(40)]
    for client in clients:
        with client:
            assert b"r" == client.recv(1)
    os.killpg(guest.process.pid, signal.SIGUSR1)
    assert 7 == guest.status()
    ready, _, _ = select.select([guest.output], [], [], 5)
    assert ready
    assert b"" == os.read(guest.output, 1)      # every process has let go of it
