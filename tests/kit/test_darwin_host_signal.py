"""The host's side of signals: masks, numbers, and the sleep that loses nothing."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from support.programs import boot

from ymawky_kit.darwin import abi, host_signal
from ymawky_kit.darwin.host_signal import SignalSet


def test_numbers_are_translated_by_name() -> None:
    for ours, host in host_signal.TO_HOST.items():
        name = abi.VOCABULARIES["signal"](ours)
        assert getattr(signal, name) == host
        assert ours == host_signal.FROM_HOST[host]
    assert {abi.SIGBUS, abi.SIGSYS, abi.SIGCHLD, abi.SIGUSR1} <= set(host_signal.TO_HOST)


def test_masks_are_translated_and_faults_are_never_blocked() -> None:
    ours = 1 << (abi.SIGTERM - 1) | 1 << (abi.SIGCHLD - 1) | 1 << (abi.SIGSEGV - 1)
    host = host_signal.mask_to_host(ours)
    assert 1 << (signal.SIGTERM - 1) | 1 << (signal.SIGCHLD - 1) == host
    assert ours & ~(1 << (abi.SIGSEGV - 1)) == host_signal.mask_from_host(host)


def test_blocking_everything_can_be_undone() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    saved = SignalSet()
    host_signal.block_all(saved)
    try:
        now = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        assert {signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD} <= now
        assert signal.SIGSEGV not in now
    finally:
        host_signal.set_mask(saved)
    assert before == signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_machine_that_ends_gives_the_hosts_mask_back() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    try:
        with boot() as machine:
            machine.kernel.signals.set_mask(1 << (abi.SIGINT - 1))
            assert {signal.SIGINT} == signal.pthread_sigmask(signal.SIG_BLOCK, [])
        assert before | {signal.SIGUSR2} == signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.fixture(params=["ppoll", "pselect"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to sleep, where the host has both: macOS has no ppoll."""
    if request.param == "pselect":
        monkeypatch.setattr(host_signal, "_ppoll", None)
    elif host_signal._ppoll is None:
        pytest.skip("only where the host has ppoll")
    return str(request.param)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def test_sleeping_ends_when_a_descriptor_is_ready(either: str, pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    wanted = [(reading, select.POLLIN), (writing, select.POLLOUT)]
    assert [(writing, select.POLLOUT)] == host_signal.sleep_until(wanted, 1.0, SignalSet())
    os.write(writing, b"x")
    found = host_signal.sleep_until([(reading, select.POLLIN)], None, SignalSet())
    assert [(reading, select.POLLIN)] == found


def test_sleeping_ends_with_its_time(either: str, pipe: tuple[int, int]) -> None:
    began = time.monotonic()
    assert [] == host_signal.sleep_until([(pipe[0], select.POLLIN)], 0.05, SignalSet())
    assert time.monotonic() - began >= 0.05
    assert [] == host_signal.sleep_until((), 0, SignalSet())


@pytest.mark.parametrize("early", [True, False])
def test_a_signal_ends_the_sleep_also_one_that_came_before(either: str, early: bool) -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    signal.siginterrupt(signal.SIGUSR1, True)
    saved = SignalSet()
    host_signal.block_all(saved)
    try:
        if early:
            # Held: it waits for the sleep.
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
            assert [] == seen
        else:
            sender = signal.pthread_kill
            timer = threading.Timer(0.05, sender, [threading.get_ident(), signal.SIGUSR1])
            timer.start()
        assert None is host_signal.sleep_until((), 5.0, saved)
    finally:
        host_signal.set_mask(saved)
        signal.signal(signal.SIGUSR1, before)
    assert [signal.SIGUSR1] == seen
    if not early:
        timer.join()


def test_a_blocked_signal_does_not_end_the_sleep(either: str) -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    saved = SignalSet()
    host_signal.block_all(saved)
    try:
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        mask = SignalSet(saved.bits | 1 << (signal.SIGUSR1 - 1))
        assert [] == host_signal.sleep_until((), 0.05, mask)
        assert [] == seen
    finally:
        host_signal.set_mask(saved)
        assert [signal.SIGUSR1] == seen
        signal.signal(signal.SIGUSR1, before)
