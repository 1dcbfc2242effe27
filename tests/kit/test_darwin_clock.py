"""Time, the Mach traps for it, and the commpage."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from support.guest import NOWHERE, Guest

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.clock import commpage, map_commpage
from ymawky_kit.darwin.structs import TIMESPEC, TIMEVAL
from ymawky_kit.emu.memory import BadAddress

KERN_ABORTED = 14


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest() as found:
        yield found


def test_gettimeofday_fills_what_is_asked_for(guest: Guest) -> None:
    when, zone, ticks = guest.put(b"\xee" * 16), guest.put(b"\xee" * 8), guest.put(b"\xee" * 8)
    before = time.time()
    guest.ok("gettimeofday", when, zone, ticks)
    found = guest.read_struct(TIMEVAL, when)
    assert before - 0.001 <= int(found["tv_sec"]) + int(found["tv_usec"]) / 1e6 <= time.time()
    assert bytes(4) == guest.get(when + 12, 4)
    assert bytes(8) == guest.get(zone, 8)
    assert 0 < guest.memory.u64(ticks) <= guest.ok("mach_absolute_time")
    assert 0 == guest.ok("gettimeofday", 0, 0, 0)
    assert "EFAULT" == guest.error("gettimeofday", NOWHERE, 0, 0)


@pytest.mark.parametrize("name", ["mach_absolute_time", "mach_continuous_time"])
def test_ticks_are_of_24_megahertz(guest: Guest, name: str) -> None:
    before = time.monotonic()
    first = guest.ok(name)
    time.sleep(0.05)
    second = guest.ok(name)
    passed = time.monotonic() - before
    assert 0.05 * 24e6 <= second - first <= passed * 24e6 + 1


def test_the_timebase_is_125_to_3(guest: Guest) -> None:
    room = guest.room(8)
    assert 0 == guest.ok("mach_timebase_info", room)
    assert (125, 3) == (guest.memory.u32(room), guest.memory.u32(room + 4))
    assert 5 == guest.ok("mach_timebase_info", NOWHERE)


def test_waiting_until_a_tick_takes_that_long(guest: Guest) -> None:
    deadline = guest.ok("mach_absolute_time") + 24_000_000 // 50
    before = time.monotonic()
    assert 0 == guest.ok("mach_wait_until", deadline)
    assert 0.018 <= time.monotonic() - before < 5
    assert 0 == guest.ok("mach_wait_until", 0)


def test_a_signal_aborts_a_wait(guest: Guest) -> None:
    guest.catch(abi.SIGUSR1)
    timer = threading.Timer(0.03, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    far = guest.ok("mach_absolute_time") + 24_000_000 * 60
    assert KERN_ABORTED == guest.ok("mach_wait_until", far)
    timer.join()


def test_clock_sleep_sleeps_for_or_until(guest: Guest) -> None:
    room = guest.room(16)
    before = time.monotonic()
    assert 0 == guest.ok("clock_sleep", 0, 1, 0, 20_000_000, room)
    assert 0.02 <= time.monotonic() - before < 5
    woken = guest.read_struct(TIMESPEC, room)
    assert abs(int(woken["tv_sec"]) - time.clock_gettime(time.CLOCK_MONOTONIC)) < 5
    assert 0 == guest.ok("clock_sleep", 0, 0, 1, 0, 0)      # long past
    assert 4 == guest.ok("clock_sleep", 0, 1, 0, 1_000_000_000, 0)
    assert 4 == guest.ok("clock_sleep", 0, 2, 0, 0, 0)


@pytest.mark.parametrize("name", ["swtch", "swtch_pri", "thread_switch"])
def test_yielding_gives_zero(guest: Guest, name: str) -> None:
    assert 0 == guest.ok(name)


def test_port_names_differ_and_stay(guest: Guest) -> None:
    names = ("mach_reply_port", "thread_self_trap", "task_self_trap", "host_self_trap")
    first = [guest.ok(name) for name in names]
    assert 4 == len(set(first))
    assert 0 not in first
    assert first == [guest.ok(name) for name in names]


def test_the_commpage_is_where_programs_look_and_cannot_be_written(guest: Guest) -> None:
    map_commpage(guest.memory)
    page = abi.COMMPAGE_READ_WRITE
    assert 0xFFFFFC000 == page
    assert 3 == guest.memory.u16(page + 0x1E)
    assert (os.cpu_count() or 1) == guest.memory.u8(page + 0x22)
    assert 0 == guest.memory.u8(page + 0x90)        # the time comes from a trap
    assert 14 == guest.memory.u8(abi.COMMPAGE_READ_ONLY + 0x25)
    with pytest.raises(BadAddress):
        guest.memory.write(page, b"x")
    assert abi.PAGE_SIZE == len(commpage()[0]) == len(commpage()[1])
