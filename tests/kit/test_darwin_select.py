"""select and pselect."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from support.darwin_guest import NOWHERE, Guest, later, timespec, timeval, wait_until

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.delivery import Action
from ymawky_kit.darwin.task import Interrupted


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest() as made:
        yield made


def bits(*fds: int) -> bytes:
    return sum([1 << fd for fd in fds]).to_bytes(256, "little")


def numbers(guest: Guest, at: int) -> list[int]:
    value = int.from_bytes(guest.read(at, 256), "little")
    return [n for n in range(2048) if value >> n & 1]


def select(
    guest: Guest, reads: list[int], writes: list[int], odd: list[int], *, count: int | None = None
) -> tuple[int, list[int], list[int], list[int]]:
    sets = [guest.put(bits(*one)) for one in (reads, writes, odd)]
    most = max([*reads, *writes, *odd, 0]) + 1 if count is None else count
    timeout = guest.put(timeval(0))
    result = guest("select", most, *sets, timeout)
    return result, *[numbers(guest, at) for at in sets]     # type: ignore[return-value]


def test_select_reports_each_direction(guest: Guest) -> None:
    first, second = guest.pair()
    assert (1, [], [first], []) == select(guest, [first], [first], [first])
    os.write(second, b"x")
    assert (2, [first], [first], []) == select(guest, [first], [first], [])


def test_the_end_of_a_stream_is_readable(guest: Guest) -> None:
    accepted, client = guest.connection()
    with client:
        client.shutdown(socket.SHUT_WR)
        wait_until(lambda: select(guest, [accepted], [], [])[0])
        assert (1, [accepted], [], []) == select(guest, [accepted], [], [])


def test_urgent_data_is_an_odd_condition(guest: Guest) -> None:
    accepted, client = guest.connection()
    with client:
        client.send(b"!", socket.MSG_OOB)
        wait_until(lambda: select(guest, [], [], [accepted])[0])


def test_a_closed_descriptor_is_ebadf(guest: Guest) -> None:
    first, _ = guest.pair()
    guest.close(first)
    with pytest.raises(Exception, match="EBADF"):
        select(guest, [first], [], [])


def test_a_never_connected_socket_is_not_ready(guest: Guest) -> None:
    fresh = guest("socket", abi.AF_INET, abi.SOCK_STREAM, 0)
    assert (0, [], [], []) == select(guest, [fresh], [fresh], [fresh])


def test_the_count_limits_which_bits_are_looked_at_and_copied(guest: Guest) -> None:
    first, _ = guest.pair()
    guest.task.limits[abi.RLIMIT_NOFILE] = (first + 1, 256)
    at = guest.put(b"\xff" * 256)
    guest.memory.write(at, bits(first)[:(first + 32) // 32 * 4])
    # 5000 is cut to the size of the table, and only its words are copied back.
    assert 1 == guest("select", 5000, 0, at, 0, guest.put(timeval(0)))
    words = (first + 1 + 31) // 32 * 4
    assert bits(first)[:words] == guest.read(at, words)
    assert b"\xff" * 8 == guest.read(at + words, 8)
    assert 0 == guest("select", first, 0, at, 0, guest.put(timeval(0)))


def test_the_timeout_is_read_and_left_alone(guest: Guest) -> None:
    first, _ = guest.pair()
    at, timeout = guest.put(bits(first)), guest.put(timeval(0.03))
    start = time.monotonic()
    assert 0 == guest("select", first + 1, at, 0, 0, timeout)
    assert 0.02 < time.monotonic() - start < 5
    assert [] == numbers(guest, at)
    assert timeval(0.03) == guest.read(timeout, 16)


@pytest.mark.parametrize(
    "bad", [struct.pack("<qi4x", -1, 0), struct.pack("<qi4x", 0, 1_000_000),
            struct.pack("<qi4x", 100_000_001, 0)],
)
def test_bad_timeouts_and_counts_are_einval(guest: Guest, bad: bytes) -> None:
    assert "EINVAL" == guest.fails("select", 0, 0, 0, 0, guest.put(bad))
    assert "EINVAL" == guest.fails("select", -1, 0, 0, 0, guest.put(timeval(0)))
    assert "EFAULT" == guest.fails("select", 1, NOWHERE, 0, 0, guest.put(timeval(0)))
    assert "EFAULT" == guest.fails("select", 0, 0, 0, 0, NOWHERE)


def test_select_waits_for_data(guest: Guest) -> None:
    first, second = guest.pair()
    at = guest.put(bits(first))
    with later(0.02, lambda: os.write(second, b"x")):
        assert 1 == guest("select", first + 1, at, 0, 0, 0)
    assert [first] == numbers(guest, at)


def test_a_caught_signal_interrupts_select(guest: Guest) -> None:
    guest.kernel.signals.set_action(abi.SIGUSR1, Action(0x1000, 0x1000, flags=abi.SA_RESTART))
    with later(0.03, lambda: os.kill(os.getpid(), signal.SIGUSR1)), pytest.raises(Interrupted):
        guest("select", 0, 0, 0, 0, 0)


def test_pselect_takes_a_timespec_and_a_mask(guest: Guest) -> None:
    signals = guest.kernel.signals
    signals.set_action(abi.SIGUSR1, Action(0x1000, 0x1000))
    signals.set_mask(1 << (abi.SIGUSR1 - 1))
    try:
        os.kill(os.getpid(), signal.SIGUSR1)        # pending: blocked
        nothing = guest.put(timespec(0.01))
        assert 0 == guest("pselect", 0, 0, 0, 0, nothing, 0)
        assert 1 << (abi.SIGUSR1 - 1) == signals.mask
        mask = guest.put(struct.pack("<I", 0))
        with pytest.raises(Interrupted):
            guest("pselect", 0, 0, 0, 0, nothing, mask)
        assert 1 << (abi.SIGUSR1 - 1) == signals.restore    # comes back after the handler
        signals._pending = 0
        signals.restore = None
        signals.set_mask(0)
        mask = guest.put(struct.pack("<I", 1 << (abi.SIGUSR1 - 1)))
        assert 0 == guest("pselect", 0, 0, 0, 0, nothing, mask)
        assert 0 == signals.mask
    finally:
        signals.set_mask(0)
    bad = guest.put(struct.pack("<qq", 0, 1_000_000_001))
    assert "EINVAL" == guest.fails("pselect", 0, 0, 0, 0, bad, 0)
    assert "EFAULT" == guest.fails("pselect", 0, 0, 0, 0, nothing, NOWHERE)
