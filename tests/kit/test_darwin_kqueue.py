"""kqueue, kevent and kevent64: changes, filters, flags, waiting, and life over fork."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.darwin_guest import NOWHERE, Guest, later, reset, timespec, wait_until

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.delivery import Action
from ymawky_kit.darwin.kqueue import open_queues
from ymawky_kit.darwin.task import Interrupted

READ, WRITE = abi.EVFILT_READ, abi.EVFILT_WRITE
ADD, DELETE, ENABLE, DISABLE = abi.EV_ADD, abi.EV_DELETE, abi.EV_ENABLE, abi.EV_DISABLE
ONESHOT, CLEAR, DISPATCH, RECEIPT = abi.EV_ONESHOT, abi.EV_CLEAR, abi.EV_DISPATCH, abi.EV_RECEIPT
EOF, ERROR = abi.EV_EOF, abi.EV_ERROR
EVENT = struct.Struct("<QhHIqQ")
EVENT64 = struct.Struct("<QhHIqQQQ")


@dataclass(frozen=True)
class Event:
    ident: int
    filter: int
    flags: int
    fflags: int
    data: int
    udata: int


class Kq:
    """A guest's kqueue with a buffer for events."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.fd = guest("kqueue")
        self._events = guest.put(64 * 32)
        self._zero = guest.put(timespec(0))

    def change(self, ident: int, kind: int, flags: int, fflags: int = 0, data: int = 0,
               udata: int = 0) -> None:
        """One change, no events wanted."""
        at = self.guest.put(EVENT.pack(ident, kind, flags, fflags, data, udata))
        assert 0 == self.guest("kevent", self.fd, at, 1, 0, 0, 0)

    def fails(self, ident: int, kind: int, flags: int, fflags: int = 0, data: int = 0,
              udata: int = 0) -> str:
        at = self.guest.put(EVENT.pack(ident, kind, flags, fflags, data, udata))
        return self.guest.fails("kevent", self.fd, at, 1, 0, 0, 0)

    def events(self, room: int = 16, timeout: float | None = 0) -> list[Event]:
        limit = 0 if timeout is None else self.guest.put(timespec(timeout))
        found = self.guest("kevent", self.fd, 0, 0, self._events, room, limit)
        data = self.guest.read(self._events, 32 * found)
        return [Event(*fields) for fields in EVENT.iter_unpack(data)]

    def wait(self, seconds: float = 10) -> list[Event]:
        return self.events(timeout=seconds)


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest() as made:
        yield made


@pytest.fixture
def kq(guest: Guest) -> Kq:
    return Kq(guest)


def open_files() -> set[int]:
    """The descriptors of this process, the emulator's high ones included."""
    found = set()
    for fd in [*range(256), *range(10240, 10240 + 64)]:
        with contextlib.suppress(OSError):
            os.fstat(fd)
            found.add(fd)
    return found


def pipe(guest: Guest) -> tuple[int, int]:
    ends = os.pipe()
    guest.opened(ends[0])
    guest.opened(ends[1])
    return ends


# --- the queue itself -----------------------------------------------------------------------


def test_kqueue_takes_the_lowest_number_close_on_exec(guest: Guest) -> None:
    free = os.dup(0)
    os.close(free)
    fd = guest("kqueue")
    assert free == fd
    assert not os.get_inheritable(fd)
    assert {fd} == set(open_queues(guest.task))


def test_kqueue_beyond_the_limit_is_emfile(guest: Guest) -> None:
    free = os.dup(0)
    os.close(free)
    guest.task.limits[abi.RLIMIT_NOFILE] = (free, free)
    assert "EMFILE" == guest.fails("kqueue")


def test_a_full_table_does_not_keep_notes_away(guest: Guest) -> None:
    """The emulator's own descriptors are none of the guest's."""
    first, _ = guest.pair()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
    try:
        kq = Kq(guest)          # takes the last number
        kq.change(first, WRITE, ADD)
        kq.change(abi.SIGUSR2, abi.EVFILT_SIGNAL, ADD)
        kq.change(os.getpid(), abi.EVFILT_PROC, ADD, abi.NOTE_EXIT)
        assert [WRITE] == [event.filter for event in kq.events()]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_kevent_on_something_else_is_ebadf(guest: Guest) -> None:
    first, _ = guest.pair()
    zero = guest.put(timespec(0))
    assert "EBADF" == guest.fails("kevent", first, 0, 0, 0, 0, zero)
    assert "EBADF" == guest.fails("kevent", 9999, 0, 0, 0, 0, zero)


def test_bad_timeouts(guest: Guest, kq: Kq) -> None:
    at = guest.put(32)
    for bad in ((-1, 0), (0, -1), (0, 1_000_000_001), (1 << 31, 0)):
        timeout = guest.put(struct.pack("<qq", *bad))
        assert "EINVAL" == guest.fails("kevent", kq.fd, 0, 0, at, 1, timeout)
    assert "EFAULT" == guest.fails("kevent", kq.fd, 0, 0, at, 1, NOWHERE)


def test_closing_leaves_nothing_open(guest: Guest) -> None:
    before = open_files()
    kq = Kq(guest)
    pair = guest.pair()
    first = pair[0]
    kq.change(first, WRITE, ADD)
    kq.change(abi.SIGUSR2, abi.EVFILT_SIGNAL, ADD)
    guest.close(kq.fd)
    for fd in pair:
        guest.close(fd)
    assert before == open_files()
    assert {} == open_queues(guest.task)


# --- changes --------------------------------------------------------------------------------


def test_changes_that_fail(guest: Guest, kq: Kq) -> None:
    first, _ = guest.pair()
    assert "EBADF" == kq.fails(9999, READ, ADD)
    assert "EBADF" == kq.fails(1 << 40, READ, ADD)
    assert "EINVAL" == kq.fails(first, 0, ADD)
    assert "EINVAL" == kq.fails(first, 5, ADD)
    assert "EINVAL" == kq.fails(first, -99, ADD)
    assert "ENOTSUP" == kq.fails(first, abi.EVFILT_VNODE, ADD)
    assert "ENOTSUP" == kq.fails(kq.fd, READ, ADD)
    for flags in (DELETE, ENABLE, DISABLE, 0):
        assert "ENOENT" == kq.fails(first, READ, flags)
        assert "ENOENT" == kq.fails(9999, READ, flags)
    assert "EINVAL" == kq.fails(first, READ, ADD | abi.EV_VANISHED)
    assert "EFAULT" == guest.fails("kevent", kq.fd, NOWHERE, 1, 0, 0, 0)


def test_a_failed_change_becomes_an_entry_while_there_is_room(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    os.write(second, b"x")
    changes = guest.put(
        EVENT.pack(first, READ, ADD, 0, 0, 7) + EVENT.pack(first, WRITE, DELETE, 3, 4, 8)
        + EVENT.pack(9999, READ, ADD, 0, 0, 9)
    )
    at = guest.put(96)
    assert 2 == guest("kevent", kq.fd, changes, 3, at, 8, 0)    # and no wait, no events
    assert (first, WRITE, DELETE | ERROR, 3, 2, 8) == EVENT.unpack(guest.read(at, 32))
    assert (9999, READ, ADD | ERROR, 0, 9, 9) == EVENT.unpack(guest.read(at + 32, 32))
    assert [7] == [event.udata for event in kq.events()]        # the good one was applied


def test_without_room_the_call_fails_and_later_changes_are_not_applied(
    guest: Guest, kq: Kq
) -> None:
    first, second = guest.pair()
    changes = guest.put(
        EVENT.pack(first, READ, ADD, 0, 0, 0) + EVENT.pack(9999, READ, ADD, 0, 0, 0)
        + EVENT.pack(second, READ, ADD, 0, 0, 0)
    )
    assert "EBADF" == guest.fails("kevent", kq.fd, changes, 3, 0, 0, 0)
    assert "" == kq.fails(first, READ, DELETE)
    assert "ENOENT" == kq.fails(second, READ, DELETE)


def test_receipt_answers_every_change(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    os.write(second, b"x")
    changes = guest.put(
        EVENT.pack(first, READ, ADD | RECEIPT, 0, 0, 1)
        + EVENT.pack(second, READ, DELETE | RECEIPT, 0, 0, 2)
    )
    at = guest.put(96)
    assert 2 == guest("kevent", kq.fd, changes, 2, at, 3, 0)
    assert (first, READ, ADD | RECEIPT | ERROR, 0, 0, 1) == EVENT.unpack(guest.read(at, 32))
    assert 2 == EVENT.unpack(guest.read(at + 32, 32))[4]        # ENOENT


def test_no_room_for_events_only_applies_changes(guest: Guest, kq: Kq) -> None:
    first, _ = guest.pair()
    at = guest.put(EVENT.pack(first, READ, ADD, 0, 0, 0))
    assert 0 == guest("kevent", kq.fd, at, 1, 0, 0, 0)          # no timeout, and no wait
    assert 0 == guest("kevent", kq.fd, 0, 0, 0, -1, 0)


def test_add_again_changes_udata_and_keeps_the_first_flags(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    os.write(second, b"x")
    kq.change(first, READ, ADD, udata=1)
    kq.change(first, READ, ADD | CLEAR, udata=2)
    assert [Event(first, READ, ADD, 0, 1, 2)] == kq.events()
    assert 1 == len(kq.events())                                # still level-triggered


def test_disable_silences_and_enable_wakes(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    os.write(second, b"x")
    kq.change(first, READ, ADD | DISABLE)
    assert [] == kq.events()
    kq.change(first, READ, ENABLE)
    assert 1 == len(kq.events())
    kq.change(first, READ, DISABLE)
    assert [] == kq.events()
    kq.change(first, READ, ADD)         # EV_ADD alone does not enable
    assert [] == kq.events()
    kq.change(first, READ, DELETE)
    assert "ENOENT" == kq.fails(first, READ, ENABLE)


def test_udata_specific_notes_have_their_own_key(guest: Guest, kq: Kq) -> None:
    specific = abi.EV_UDATA_SPECIFIC
    kq.change(1, abi.EVFILT_USER, ADD | specific | CLEAR, udata=1)
    kq.change(1, abi.EVFILT_USER, ADD | specific | CLEAR, udata=2)
    kq.change(1, abi.EVFILT_USER, specific, abi.NOTE_TRIGGER, udata=2)
    assert [2] == [event.udata for event in kq.events()]
    assert "ENOENT" == kq.fails(1, abi.EVFILT_USER, DELETE)
    first, _ = guest.pair()
    kq.change(first, READ, ADD | specific, udata=1)
    assert "ENOTSUP" == kq.fails(first, READ, ADD | specific, udata=2)


# --- reading and writing --------------------------------------------------------------------


def test_a_level_note_reports_until_drained(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    kq.change(first, READ, ADD, udata=0xABCD)
    assert [] == kq.events()
    os.write(second, b"hello")
    assert [Event(first, READ, ADD, 0, 5, 0xABCD)] == kq.events()
    assert [Event(first, READ, ADD, 0, 5, 0xABCD)] == kq.events()
    os.read(first, 5)
    assert [] == kq.events()


def test_a_clear_note_reports_each_change_once(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    kq.change(first, READ, ADD | CLEAR)
    kq.change(first, WRITE, ADD | CLEAR)
    assert [WRITE] == [event.filter for event in kq.events()]
    os.write(second, b"a")
    assert [(READ, 1)] == [(event.filter, event.data) for event in kq.events()]
    assert [] == kq.events()
    os.write(second, b"b")
    assert [(READ, 2)] == [(event.filter, event.data) for event in kq.events()]


def test_oneshot_is_gone_after_one_event(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    os.write(second, b"x")
    kq.change(first, READ, ADD | ONESHOT)
    kq.change(first, WRITE, ADD | ONESHOT)
    assert {READ, WRITE} == {event.filter for event in kq.events()}
    assert [] == kq.events()
    assert "ENOENT" == kq.fails(first, READ, DELETE)
    kq.change(first, READ, ADD | ONESHOT)       # and can come again
    assert 1 == len(kq.events())


def test_dispatch_disables_until_enabled(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    os.write(second, b"x")
    kq.change(first, READ, ADD | DISPATCH)
    assert [ADD | DISPATCH] == [event.flags for event in kq.events()]
    assert [] == kq.events()
    kq.change(first, READ, ENABLE | DISPATCH)
    assert 1 == len(kq.events())
    kq.change(first, READ, DELETE)


def test_eof_comes_with_what_is_still_to_read(guest: Guest, kq: Kq) -> None:
    accepted, client = guest.connection()
    with client:
        kq.change(accepted, READ, ADD)
        client.send(b"last")
        client.shutdown(socket.SHUT_WR)
        wait_until(lambda: any(event.flags & EOF for event in kq.events()))
        assert [Event(accepted, READ, ADD | EOF, 0, 4, 0)] == kq.events()
        os.read(accepted, 4)
        assert [Event(accepted, READ, ADD | EOF, 0, 0, 0)] == kq.events()


def test_a_reset_is_eof_with_the_error_which_the_reader_still_gets(guest: Guest, kq: Kq) -> None:
    guest.task.post_signal = lambda number: None        # type: ignore[method-assign]
    accepted, client = guest.connection()
    kq.change(accepted, READ, ADD)
    kq.change(accepted, WRITE, ADD)
    reset(client)
    wait_until(lambda: any(event.flags & EOF for event in kq.events()))
    found = {event.filter: event for event in kq.events()}
    assert (EOF | ADD, 54) == (found[READ].flags, found[READ].fflags)
    assert (EOF | ADD, 54) == (found[WRITE].flags, found[WRITE].fflags)
    at = guest.put(4)
    assert "EPIPE" == guest.fails("sendto", accepted, at, 4, 0, 0, 0)
    assert "ECONNRESET" == guest.fails("recvfrom", accepted, at, 4, 0, 0, 0)
    assert 0 == guest("recvfrom", accepted, at, 4, 0, 0, 0)


def test_write_reports_room_until_the_buffer_is_full(guest: Guest, kq: Kq) -> None:
    accepted, client = guest.connection()
    with client:
        kq.change(accepted, WRITE, ADD)
        (event,) = kq.events()
        assert (accepted, WRITE, ADD, 0) == (event.ident, event.filter, event.flags, event.fflags)
        assert 0 < event.data <= 131072
        os.set_blocking(accepted, False)
        at = guest.put(300_000)
        while not guest.fails("sendto", accepted, at, 300_000, 0, 0, 0):
            pass
        assert [] == kq.events()
        client.settimeout(1)
        with pytest.raises(TimeoutError):
            while True:
                client.recv(1 << 20)
        assert 1 == len(kq.events())


def test_write_is_eof_once_we_cannot_send(guest: Guest, kq: Kq) -> None:
    accepted, client = guest.connection()
    with client:
        kq.change(accepted, WRITE, ADD)
        guest("shutdown", accepted, abi.SHUT_WR)
        (event,) = kq.events()
        assert event.flags & EOF


def test_a_listener_counts_waiting_connections(guest: Guest, kq: Kq) -> None:
    fd, port = guest.listener()
    kq.change(fd, READ, ADD)
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
    assert [3] == [event.data for event in kq.wait()]
    guest("accept", fd, 0, 0)
    assert [2] == [event.data for event in kq.events()]
    for client in clients:
        client.close()


def test_a_socket_may_be_registered_before_it_listens_or_connects(guest: Guest, kq: Kq) -> None:
    fd = guest("socket", abi.AF_INET, abi.SOCK_STREAM, 0)
    kq.change(fd, READ, ADD)
    kq.change(fd, WRITE, ADD)
    assert [] == kq.events()
    start = time.monotonic()
    assert [] == kq.events(timeout=0.03)
    assert time.monotonic() - start > 0.02
    _, port = guest.listener()
    from support.darwin_guest import inet

    guest("connect", fd, guest.put(inet(port)), 16)
    assert [WRITE] == [event.filter for event in kq.wait()]
    assert [WRITE] == [event.filter for event in kq.events()]   # level again


def test_low_water_mark_of_a_reader(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    kq.change(first, READ, ADD, abi.NOTE_LOWAT, 4)
    os.write(second, b"ab")
    assert [] == kq.events()
    assert [] == kq.events()
    os.write(second, b"cd")
    assert [4] == [event.data for event in kq.events()]
    assert [4] == [event.data for event in kq.events()]


def test_pipes(guest: Guest, kq: Kq) -> None:
    read_end, write_end = pipe(guest)
    kq.change(read_end, READ, ADD)
    kq.change(write_end, WRITE, ADD)
    (event,) = kq.events()
    assert (write_end, WRITE) == (event.ident, event.filter)
    kq.change(write_end, WRITE, DELETE)
    os.write(write_end, b"abc")
    assert [Event(read_end, READ, ADD, 0, 3, 0)] == kq.events()
    os.close(write_end)
    assert [Event(read_end, READ, ADD | EOF, 0, 3, 0)] == kq.events()


def test_a_regular_file_says_what_is_left_to_read(guest: Guest, kq: Kq, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    fd = guest.opened(os.open(path, os.O_RDWR))
    kq.change(fd, READ, ADD)
    assert [Event(fd, READ, ADD, 0, 5, 0)] == kq.events()
    os.read(fd, 5)
    assert [] == kq.events()
    with later(0.02, lambda: os.pwrite(fd, b"6", 5)):
        assert [1] == [event.data for event in kq.wait()]
    os.lseek(fd, 100, os.SEEK_SET)
    assert [-94] == [event.data for event in kq.events()]
    guest.close(fd)
    assert [] == kq.events()


def test_a_directory_or_device_has_no_filter(guest: Guest, kq: Kq, tmp_path: Path) -> None:
    fd = guest.opened(os.open(tmp_path, os.O_RDONLY))
    assert "EINVAL" == kq.fails(fd, READ, ADD)
    null = guest.opened(os.open("/dev/null", os.O_RDONLY))
    assert "EINVAL" == kq.fails(null, READ, ADD)
    assert "ENOENT" == kq.fails(null, READ, DELETE)


def test_closing_a_descriptor_removes_its_notes_even_when_a_child_has_it(
    guest: Guest, kq: Kq
) -> None:
    first, second = guest.pair()
    os.write(second, b"x")
    kq.change(first, READ, ADD)
    kq.change(first, WRITE, ADD)
    held = os.dup(first)                # as a forked child would hold it
    try:
        guest.close(first)
        assert [] == kq.events()
        again = guest("socket", abi.AF_UNIX, abi.SOCK_STREAM, 0)
        assert first == again
        assert "ENOENT" == kq.fails(again, READ, DELETE)
    finally:
        os.close(held)


def test_room_limits_the_events_and_none_is_lost(guest: Guest, kq: Kq) -> None:
    pairs = [guest.pair() for _ in range(5)]
    for first, second in pairs:
        kq.change(first, READ, ADD | CLEAR)
        os.write(second, b"x")
    seen = [event.ident for _ in range(3) for event in kq.events(room=2)]
    assert sorted(first for first, _ in pairs) == sorted(seen)
    assert [] == kq.events()


# --- waiting --------------------------------------------------------------------------------


def test_kevent_waits_for_the_first_event(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    kq.change(first, READ, ADD)
    with later(0.02, lambda: os.write(second, b"x")):
        assert 1 == len(kq.events(timeout=None))


def test_kevent_returns_0_after_its_timeout(guest: Guest, kq: Kq) -> None:
    start = time.monotonic()
    assert [] == kq.events(timeout=0.03)
    assert 0.025 < time.monotonic() - start < 5


def test_a_caught_signal_always_interrupts_and_changes_stay(guest: Guest, kq: Kq) -> None:
    first, _ = guest.pair()
    guest.kernel.signals.set_action(abi.SIGUSR1, Action(0x1000, 0x1000, flags=abi.SA_RESTART))
    change = guest.put(EVENT.pack(first, READ, ADD, 0, 0, 0))
    with later(0.03, lambda: os.kill(os.getpid(), signal.SIGUSR1)), pytest.raises(Interrupted):
        guest("kevent", kq.fd, change, 1, guest.put(32), 1, 0)
    assert "" == kq.fails(first, READ, DELETE)


def test_events_that_are_there_come_before_the_signal(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    kq.change(first, READ, ADD)
    os.write(second, b"x")
    guest.kernel.signals.set_action(abi.SIGUSR1, Action(0x1000, 0x1000))
    os.kill(os.getpid(), signal.SIGUSR1)
    assert 1 == len(kq.events(timeout=None))


# --- timers ---------------------------------------------------------------------------------

TIMER = abi.EVFILT_TIMER


def test_a_timer_counts_its_expirations(guest: Guest, kq: Kq) -> None:
    kq.change(7, TIMER, ADD, 0, 10, udata=5)            # every 10 ms
    (event,) = kq.wait()
    assert Event(7, TIMER, ADD | CLEAR, 0, event.data, 5) == event
    assert event.data >= 1
    start = time.monotonic()
    time.sleep(0.035)
    (event,) = kq.events()
    assert 3 <= event.data <= (time.monotonic() - start) * 100 + 2
    kq.change(7, TIMER, DELETE)
    assert [] == kq.events(timeout=0.03)


@pytest.mark.parametrize(
    ("unit", "amount"),
    [(abi.NOTE_USECONDS, 20_000), (abi.NOTE_NSECONDS, 20_000_000), (0, 20),
     (abi.NOTE_MACHTIME, 480_000)],
)
def test_units_of_timers(guest: Guest, kq: Kq, unit: int, amount: int) -> None:
    start = time.monotonic()
    kq.change(1, TIMER, ADD | ONESHOT, unit, amount)
    (event,) = kq.wait()
    assert 0.018 < time.monotonic() - start < 5
    assert (1, ADD | ONESHOT | CLEAR) == (event.data, event.flags)
    assert "ENOENT" == kq.fails(1, TIMER, DELETE)


def test_seconds_can_be_waited_for_shortly(guest: Guest, kq: Kq) -> None:
    kq.change(1, TIMER, ADD | ONESHOT, abi.NOTE_SECONDS, 3600)
    assert [] == kq.events(timeout=0.01)
    kq.change(1, TIMER, ADD, 0, 1)                      # touched: the new period counts
    assert 1 == len(kq.wait())


def test_absolute_timers(guest: Guest, kq: Kq) -> None:
    absolute = abi.NOTE_ABSOLUTE
    kq.change(1, TIMER, ADD, absolute | abi.NOTE_SECONDS, 1)        # 1970: at once
    (event,) = kq.wait()
    assert ADD | ONESHOT | CLEAR == event.flags
    now = time.time_ns() // 1_000_000
    kq.change(2, TIMER, ADD, absolute, now + 20)
    assert "EINVAL" == kq.fails(2, TIMER, ADD, 0, 20)               # cannot become relative
    start = time.monotonic()
    assert 1 == len(kq.wait())
    assert 0.01 < time.monotonic() - start < 5


def test_a_timer_for_once_expires_once_however_late_it_is_looked_at(guest: Guest, kq: Kq) -> None:
    kq.change(1, TIMER, ADD | ONESHOT, 0, 1)
    time.sleep(0.02)
    assert [1] == [event.data for event in kq.events()]
    assert [] == kq.events(timeout=0.01)


def test_odd_timers(guest: Guest, kq: Kq) -> None:
    assert "EINVAL" == kq.fails(1, TIMER, ADD, abi.NOTE_SECONDS | abi.NOTE_USECONDS, 1)
    assert "ERANGE" == kq.fails(1, TIMER, ADD, abi.NOTE_SECONDS, 1 << 62)
    kq.change(1, TIMER, ADD, 0, -5)                     # negative: once, at once
    assert [1] == [event.data for event in kq.events()]
    assert [] == kq.events(timeout=0.01)
    kq.change(2, TIMER, ADD, 0, 0)
    assert [1] == [event.data for event in kq.events()]
    assert [] == kq.events()


def test_many_timers_expire_in_order(guest: Guest, kq: Kq) -> None:
    for number in range(8):     # steps long enough for a busy machine
        kq.change(number, TIMER, ADD | ONESHOT, 0, 200 - 25 * number)
    for number in range(100, 300):
        kq.change(number, TIMER, ADD, abi.NOTE_SECONDS, 1000)
    time.sleep(0.21)
    found = [event.ident for _ in range(3) for event in kq.events(room=3)]
    assert list(range(7, -1, -1)) == found


# --- user -----------------------------------------------------------------------------------

USER = abi.EVFILT_USER


def test_a_user_note_fires_when_triggered(guest: Guest, kq: Kq) -> None:
    kq.change(3, USER, ADD | CLEAR, abi.NOTE_FFCOPY | 0x12, udata=1)
    assert [] == kq.events()
    kq.change(3, USER, 0, abi.NOTE_TRIGGER, 77, udata=1)
    (event,) = kq.events()
    assert (77, 1) == (event.data, event.udata)
    assert [] == kq.events()


@pytest.mark.parametrize(
    ("control", "bits", "expected"),
    [(abi.NOTE_FFNOP, 0xF, 0x3C), (abi.NOTE_FFAND, 0xF, 0xC), (abi.NOTE_FFOR, 0x3, 0x3F),
     (abi.NOTE_FFCOPY, 0x3, 0x3)],
)
def test_user_flags_are_combined(
    guest: Guest, kq: Kq, control: int, bits: int, expected: int
) -> None:
    kq.change(3, USER, ADD | CLEAR, 0x3C)
    kq.change(3, USER, 0, abi.NOTE_TRIGGER | control | bits)
    assert [expected] == [event.fflags & abi.NOTE_FFLAGSMASK for event in kq.events()]


def test_a_level_user_note_stays_triggered(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    os.write(second, b"x")
    kq.change(first, READ, ADD)
    kq.change(3, USER, ADD, abi.NOTE_TRIGGER)
    assert 2 == len(kq.events())
    assert 2 == len(kq.events())
    kq.change(3, USER, DELETE)
    assert 1 == len(kq.events())


def test_oneshot_user_note(guest: Guest, kq: Kq) -> None:
    kq.change(3, USER, ADD | ONESHOT, abi.NOTE_TRIGGER)
    assert 1 == len(kq.events())
    assert "ENOENT" == kq.fails(3, USER, DELETE)


# --- signals --------------------------------------------------------------------------------

SIGNAL = abi.EVFILT_SIGNAL


def test_a_signal_note_counts_ignored_signals(guest: Guest, kq: Kq) -> None:
    guest.kernel.signals.set_action(abi.SIGUSR2, Action(handler=abi.SIG_IGN))
    kq.change(abi.SIGUSR2, SIGNAL, ADD, udata=9)
    assert [] == kq.events()
    os.kill(os.getpid(), signal.SIGUSR2)
    assert [Event(abi.SIGUSR2, SIGNAL, ADD | CLEAR, 0, 1, 9)] == kq.wait()
    for _ in range(3):
        guest.kernel.signals.post(abi.SIGUSR2)
    assert [3] == [event.data for event in kq.events()]
    assert [] == kq.events()
    kq.change(abi.SIGUSR2, SIGNAL, DELETE)
    os.kill(os.getpid(), signal.SIGUSR2)        # ignored again, and not fatal
    assert [] == kq.events()


def test_a_signal_note_sees_blocked_signals_and_wakes_a_waiting_kevent(
    guest: Guest, kq: Kq
) -> None:
    signals = guest.kernel.signals
    signals.set_mask(1 << (abi.SIGUSR1 - 1))
    try:
        signals.set_action(abi.SIGUSR1, Action(0x1000, 0x1000))
        kq.change(abi.SIGUSR1, SIGNAL, ADD)
        with later(0.03, lambda: os.kill(os.getpid(), signal.SIGUSR1)):
            (event,) = kq.events(timeout=5)
        assert (abi.SIGUSR1, 1) == (event.ident, event.data)
        assert signals.waiting() >> (abi.SIGUSR1 - 1) & 1       # and it stays pending
        signals._pending = 0
    finally:
        signals.set_mask(0)


# --- processes ------------------------------------------------------------------------------

PROC = abi.EVFILT_PROC


def child(action: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            action()
        finally:
            os._exit(7)
    return pid


def test_the_end_of_a_child_is_reported_with_its_status(guest: Guest, kq: Kq) -> None:
    pid = child(lambda: time.sleep(0.05))
    kq.change(pid, PROC, ADD, abi.NOTE_EXIT | abi.NOTE_EXITSTATUS, udata=4)
    assert [] == kq.events()
    (event,) = kq.wait()
    fflags = abi.NOTE_EXIT | abi.NOTE_EXITSTATUS
    assert Event(pid, PROC, ADD | CLEAR | EOF | ONESHOT, fflags, 7 << 8, 4) == event
    assert "ENOENT" == kq.fails(pid, PROC, DELETE)
    assert pid == os.waitpid(pid, 0)[0]                 # it is still there to wait for
    assert "ESRCH" == kq.fails(pid, PROC, ADD, abi.NOTE_EXIT)


def test_a_killed_child_shows_darwins_signal_number(guest: Guest, kq: Kq) -> None:
    pid = child(lambda: time.sleep(5))
    kq.change(pid, PROC, ADD, abi.NOTE_EXITSTATUS | abi.NOTE_EXIT)
    os.kill(pid, signal.SIGUSR1)
    (event,) = kq.wait()
    assert abi.SIGUSR1 == event.data
    os.waitpid(pid, 0)


def test_processes_that_cannot_be_watched(guest: Guest, kq: Kq) -> None:
    pid = child(lambda: None)
    wait_until(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
    assert "ESRCH" == kq.fails(pid, PROC, ADD, abi.NOTE_EXIT)           # a zombie
    os.waitpid(pid, 0)
    assert "ESRCH" == kq.fails(0, PROC, ADD, abi.NOTE_EXIT)
    assert "ENOTSUP" == kq.fails(os.getpid(), PROC, ADD, abi.NOTE_FORK)
    assert "EACCES" == kq.fails(os.getpid(), PROC, ADD, abi.NOTE_EXIT | abi.NOTE_EXITSTATUS)
    kq.change(os.getpid(), PROC, ADD, abi.NOTE_EXIT)
    kq.change(os.getpid(), PROC, DELETE)


def test_a_copy_of_the_number_keeps_the_queue_until_it_is_closed_too(
    guest: Guest, kq: Kq
) -> None:
    before = open_files()
    copy = guest("dup", kq.fd)
    kq.change(1, USER, ADD | CLEAR)
    guest.close(kq.fd)
    kq.fd = copy
    kq.change(1, USER, 0, abi.NOTE_TRIGGER)
    assert 1 == len(kq.wait())
    assert copy in guest.task.files.close_on_fork       # no kqueue reaches a child
    guest.close(copy)
    assert "EBADF" == kq.fails(1, USER, 0)
    assert open_files() < before


# --- fork, kevent64 -------------------------------------------------------------------------


def test_a_forked_child_has_no_kqueue_and_the_parents_still_works(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    kq.change(first, READ, ADD)
    kq.change(first, WRITE, ADD | ONESHOT)

    def look() -> None:
        for action in guest.task.on_fork:
            action()
        gone = guest.fails("kevent", kq.fd, 0, 0, 0, 0, 0) == "EBADF"
        guest.close(first)              # must not take away the parent's notes
        queue = guest("kqueue")         # and a queue of its own
        os._exit(0 if gone and queue == kq.fd else 1)      # the lowest number is free again

    pid = child(look)
    assert 0 == os.waitpid(pid, 0)[1]
    os.write(second, b"x")
    assert {READ, WRITE} == {event.filter for event in kq.events()}


def test_a_close_on_fork_descriptor_keeps_its_note_in_the_parent(guest: Guest) -> None:
    first, second = guest.pair()        # numbers below the queue's: closed before it
    kq = Kq(guest)
    kq.change(first, READ, ADD)
    guest.task.files.close_on_fork.add(first)

    def look() -> None:
        for action in guest.task.on_fork:
            action()
        os._exit(0)

    assert 0 == os.waitpid(child(look), 0)[1]
    os.write(second, b"x")
    assert [first] == [event.ident for event in kq.events()]


def test_execve_keeps_no_kqueue(guest: Guest, kq: Kq) -> None:
    for action in guest.task.on_exec:
        action()
    assert "EBADF" == guest.fails("kevent", kq.fd, 0, 0, 0, 0, 0)
    with pytest.raises(OSError):
        os.fstat(kq.fd)


def test_kevent64_has_48_byte_events_and_flags(guest: Guest, kq: Kq) -> None:
    first, second = guest.pair()
    os.write(second, b"xy")
    change = guest.put(EVENT64.pack(first, READ, ADD, 0, 0, 5, 0x11, 0x22))
    at = guest.put(96)
    assert 1 == guest("kevent64", kq.fd, change, 1, at, 2, 0, 0)
    assert (first, READ, ADD, 0, 2, 5, 0x11, 0x22) == EVENT64.unpack(guest.read(at, 48))
    errors_only = abi.KEVENT_FLAG_ERROR_EVENTS
    assert 0 == guest("kevent64", kq.fd, 0, 0, at, 2, errors_only, 0)
    os.read(first, 2)
    assert 0 == guest("kevent64", kq.fd, 0, 0, at, 2, abi.KEVENT_FLAG_IMMEDIATE, 0)
    bad = guest.put(EVENT64.pack(9999, READ, ADD, 0, 0, 5, 1, 2))
    assert 1 == guest("kevent64", kq.fd, bad, 1, at, 1, errors_only, 0)
    assert (9999, READ, ADD | ERROR, 0, 9, 5, 1, 2) == EVENT64.unpack(guest.read(at, 48))


# --- a model --------------------------------------------------------------------------------


class Model:
    """What XNU's kevent_register and knote_process do with a read note on a socket."""

    def __init__(self) -> None:
        self.bytes = 0
        self.flags: int | None = None       # None: no note
        self.disabled = False
        self.pending = False                # an EV_CLEAR note has something to say

    def change(self, flags: int) -> bool:
        """False where kevent says ENOENT."""
        if self.flags is None:
            if not flags & ADD or flags & DELETE:
                return False
            self.flags, self.disabled = flags, bool(flags & DISABLE)
        elif flags & DELETE:
            self.flags = None
            return True
        elif flags & DISABLE:
            self.disabled = True
        elif flags & ENABLE:
            self.disabled = False
        self.pending = self.bytes > 0       # touching looks again
        return True

    def collect(self) -> list[tuple[int, int]]:
        flags = self.flags
        if flags is None or self.disabled:
            return []
        fires = self.bytes > 0 and (not flags & CLEAR or self.pending)
        self.pending = False
        if not fires:
            return []
        if flags & ONESHOT:
            self.flags = None
        elif flags & DISPATCH:
            self.disabled = True
        return [(flags & ~ENABLE, self.bytes)]


CHANGES = st.sampled_from([
    ADD, ADD | CLEAR, ADD | ONESHOT, ADD | DISPATCH, ADD | CLEAR | DISPATCH, ADD | DISABLE,
    ADD | CLEAR | DISABLE, ENABLE, DISABLE, DELETE,
])
STEPS = st.lists(
    st.one_of(CHANGES, st.sampled_from(["write", "drain", "collect"])), min_size=1, max_size=25
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_any_sequence_of_changes_behaves_as_the_model(steps: list[int | str]) -> None:
    guest, kq, first, second = _shared()
    model = Model()
    try:
        for step in [*steps, "collect", "collect"]:
            if step == "write":
                model.bytes += os.write(second, b"ab")
                model.pending = True
            elif step == "drain":
                if model.bytes:
                    assert model.bytes == len(os.read(first, 1 << 16))
                model.bytes = 0
            elif step == "collect":
                found = [(event.flags, event.data) for event in kq.events()]
                assert model.collect() == found
            else:
                error = kq.fails(first, READ, int(step))
                assert ("" if model.change(int(step)) else "ENOENT") == error
    finally:
        kq.fails(first, READ, DELETE)
        if model.bytes:
            os.read(first, 1 << 16)
        guest._next = _mark[0]


_guests: list[tuple[Guest, Kq, int, int]] = []
_mark = [0]


def _shared() -> tuple[Guest, Kq, int, int]:
    """One guest for all examples."""
    if not _guests:
        guest = Guest()
        first, second = guest.pair()
        _guests.append((guest, Kq(guest), first, second))
        _mark[0] = guest._next
    return _guests[0]


def teardown_module() -> None:
    for guest, _, _, _ in _guests:
        guest.finish()
    _guests.clear()


# --- cost -----------------------------------------------------------------------------------


def test_a_call_with_a_change_and_an_event_stays_cheap(guest: Guest, kq: Kq) -> None:
    """The budget of an event loop is 15 us; the limit here leaves room for slow machines."""
    first, second = guest.pair()
    os.write(second, b"x")
    change = guest.put(EVENT.pack(first, READ, ADD, 0, 0, 0))
    at, zero = guest.put(32 * 8), guest.put(timespec(0))
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(200):
            guest("kevent", kq.fd, change, 1, at, 8, zero)
        best = min(best, (time.perf_counter() - start) / 200)
    assert best < 100e-6
