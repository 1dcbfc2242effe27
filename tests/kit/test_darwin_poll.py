"""poll: readiness as Darwin's notes report it."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.darwin_guest import NOWHERE, Guest, later, reset, wait_until

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.delivery import Action
from ymawky_kit.darwin.task import Interrupted

IN, OUT, PRI = abi.POLLIN, abi.POLLOUT, abi.POLLPRI
ERR, HUP, NVAL = abi.POLLERR, abi.POLLHUP, abi.POLLNVAL


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest() as made:
        yield made


def poll(guest: Guest, *slots: tuple[int, int], timeout: int = 0) -> tuple[int, list[int]]:
    """(result, revents of each slot)."""
    at = guest.put(b"".join([struct.pack("<ihh", fd, events, 0x7F) for fd, events in slots]))
    result = guest("poll", at, len(slots), timeout)
    return result, [
        struct.unpack("<ihh", guest.read(at + 8 * n, 8))[2] for n in range(len(slots))
    ]


def pipe(guest: Guest) -> tuple[int, int]:
    ends = os.pipe()
    guest.opened(ends[0])
    guest.opened(ends[1])
    return ends


def test_nothing_asked_for_never_reports(guest: Guest) -> None:
    read_end, write_end = pipe(guest)
    os.close(write_end)
    assert (0, [0, 0, 0]) == poll(guest, (read_end, 0), (read_end, ERR), (9999, ERR | NVAL))
    assert (0, [0]) == poll(guest, (-1, IN))


def test_a_closed_descriptor_is_nval(guest: Guest) -> None:
    first, _ = guest.pair()
    assert (1, [NVAL]) == poll(guest, (9999, IN), timeout=-1)
    assert (2, [NVAL, OUT]) == poll(guest, (9999, IN), (first, IN | OUT), timeout=-1)


def test_a_directory_has_no_filter(guest: Guest, tmp_path: Path) -> None:
    fd = guest.opened(os.open(tmp_path, os.O_RDONLY))
    assert (1, [NVAL]) == poll(guest, (fd, IN))


def test_a_regular_file_is_always_ready(guest: Guest, tmp_path: Path) -> None:
    fd = guest.opened(os.open(tmp_path / "f", os.O_RDWR | os.O_CREAT))
    assert (1, [IN | OUT]) == poll(guest, (fd, IN | OUT), timeout=-1)


def test_bytes_make_a_socket_readable(guest: Guest) -> None:
    first, second = guest.pair()
    assert (1, [OUT]) == poll(guest, (first, IN | OUT))
    os.write(second, b"x")
    assert (1, [IN | OUT | abi.POLLRDNORM]) == poll(guest, (first, IN | OUT | abi.POLLRDNORM))
    assert (1, [abi.POLLRDNORM]) == poll(guest, (first, abi.POLLRDNORM))


def test_hup_comes_with_the_peers_fin_and_replaces_out(guest: Guest) -> None:
    accepted, client = guest.connection()
    with client:
        client.shutdown(socket.SHUT_WR)
        wait_until(lambda: poll(guest, (accepted, IN))[0])
        assert (1, [IN | HUP]) == poll(guest, (accepted, IN | OUT))
        assert (1, [HUP]) == poll(guest, (accepted, HUP))
        assert (1, [OUT]) == poll(guest, (accepted, OUT))       # sending is still possible


def test_a_reset_connection_is_hup_both_ways(guest: Guest) -> None:
    accepted, client = guest.connection()
    reset(client)
    wait_until(lambda: poll(guest, (accepted, IN))[0])
    assert (1, [IN | HUP]) == poll(guest, (accepted, IN | OUT))
    assert (1, [HUP]) == poll(guest, (accepted, OUT))


def test_hup_when_we_cannot_send_any_more(guest: Guest) -> None:
    accepted, client = guest.connection()
    with client:
        guest("shutdown", accepted, abi.SHUT_WR)
        assert (1, [HUP]) == poll(guest, (accepted, OUT))


def test_pipes_say_hup_to_both_ends(guest: Guest) -> None:
    read_end, write_end = pipe(guest)
    assert (1, [0, OUT]) == poll(guest, (read_end, IN), (write_end, OUT))
    os.close(write_end)
    assert (1, [IN | HUP]) == poll(guest, (read_end, IN))
    read_end, write_end = pipe(guest)
    os.close(read_end)
    assert (1, [HUP]) == poll(guest, (write_end, OUT))


def test_of_two_slots_for_one_direction_the_last_reports(guest: Guest) -> None:
    first, second = guest.pair()
    os.write(second, b"x")
    assert (1, [0, IN]) == poll(guest, (first, IN), (first, IN))
    assert (2, [IN, OUT]) == poll(guest, (first, IN), (first, OUT))


def test_a_listener_is_readable_with_a_connection(guest: Guest) -> None:
    fd, port = guest.listener()
    assert (0, [0]) == poll(guest, (fd, IN))
    with socket.create_connection(("127.0.0.1", port)):
        assert (1, [IN]) == poll(guest, (fd, IN), timeout=-1)


def test_a_socket_that_never_connected_is_not_ready(guest: Guest) -> None:
    fresh = guest("socket", abi.AF_INET, abi.SOCK_STREAM, 0)
    start = time.monotonic()
    assert (0, [0]) == poll(guest, (fresh, IN | OUT), timeout=30)
    assert 0.02 < time.monotonic() - start < 5


def test_urgent_data_is_pri(guest: Guest) -> None:
    accepted, client = guest.connection()
    with client:
        client.send(b"!", socket.MSG_OOB)
        wait_until(lambda: poll(guest, (accepted, PRI))[0])
        assert [PRI] == poll(guest, (accepted, PRI))[1]


def test_timeouts(guest: Guest) -> None:
    first, second = guest.pair()
    start = time.monotonic()
    assert (0, [0]) == poll(guest, (first, IN), timeout=30)
    assert 0.025 < time.monotonic() - start < 5
    with later(0.02, lambda: os.write(second, b"x")):
        assert (1, [IN]) == poll(guest, (first, IN), timeout=-5)    # unsigned: 49 days
    start = time.monotonic()
    assert 0 == guest("poll", 0, 0, 20)         # a sleep
    assert time.monotonic() - start > 0.015


def test_too_many_slots_are_einval(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    guest.task.limits[abi.RLIMIT_NOFILE] = (256, 256)
    assert "EINVAL" == guest.fails("poll", guest.put(0), 10241, 0)
    monkeypatch.setattr(os, "geteuid", lambda: 501)
    assert "EINVAL" == guest.fails("poll", guest.put(8 * 257), 257, 0)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "" == guest.fails("poll", guest.put(b"\xff" * 8 * 257), 257, 0)
    assert "EINVAL" == guest.fails("poll", guest.put(b"\xff" * 8 * 1025), 1025, 0)
    assert "EFAULT" == guest.fails("poll", NOWHERE, 1, 0)


def test_a_caught_signal_interrupts_poll_and_leaves_revents(guest: Guest) -> None:
    import signal

    first, _ = guest.pair()
    guest.kernel.signals.set_action(abi.SIGUSR1, Action(0x1000, 0x1000))
    at = guest.put(struct.pack("<ihh", first, IN, 0x7F))
    with later(0.03, lambda: os.kill(os.getpid(), signal.SIGUSR1)), pytest.raises(Interrupted):
        guest("poll", at, 1, -1)
    assert 0x7F == struct.unpack("<ihh", guest.read(at, 8))[2]
