"""sendfile: counts, limits, order of checks, and Darwin's oddities."""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.darwin_guest import NOWHERE, Guest, later, reset, timeval, wait_until

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.delivery import Action
from ymawky_kit.darwin.task import Interrupted

DATA = bytes(range(256)) * 4            # 1024 bytes


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest() as made:
        yield made


@pytest.fixture
def file(guest: Guest, tmp_path: Path) -> int:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    return guest.opened(os.open(path, os.O_RDONLY))


def length_of(guest: Guest, limit: int = 0) -> int:
    return guest.put(struct.pack("<q", limit))


def hdtr(guest: Guest, headers: list[bytes], trailers: list[bytes] | None = None) -> int:
    def vectors(parts: list[bytes]) -> int:
        return guest.put(b"".join([struct.pack("<QQ", guest.put(p), len(p)) for p in parts]))

    behind = trailers or []
    return guest.put(struct.pack(
        "<Qi4xQi4x", vectors(headers) if headers else 0, len(headers),
        vectors(behind) if behind else 0, len(behind),
    ))


def received(client: socket.socket, size: int) -> bytes:
    data = b""
    client.settimeout(2)
    while len(data) < size:
        part = client.recv(size - len(data))
        assert part, data
        data += part
    return data


def test_the_result_is_0_and_the_count_goes_to_len(guest: Guest, file: int) -> None:
    accepted, client = guest.connection()
    with client:
        length = length_of(guest)
        os.lseek(file, 7, os.SEEK_SET)
        assert 0 == guest("sendfile", file, accepted, 0, length, 0, 0)
        assert 1024 == guest.memory.u64(length)
        assert DATA == received(client, 1024)
        assert 7 == os.lseek(file, 0, os.SEEK_CUR)      # the file's own position stays


@pytest.mark.parametrize(
    ("offset", "limit", "expected"),
    [
        (0, 0, DATA), (1000, 0, DATA[1000:]), (10, 5, DATA[10:15]), (1020, 100, DATA[1020:]),
        (1024, 0, b""), (5000, 0, b""), (5000, 10, b""), (0, -1, b""),
    ],
)
def test_offset_and_limit(
    guest: Guest, file: int, offset: int, limit: int, expected: bytes
) -> None:
    accepted, client = guest.connection()
    with client:
        length = length_of(guest, limit)
        assert 0 == guest("sendfile", file, accepted, offset, length, 0, 0)
        assert len(expected) == guest.memory.u64(length)
        assert expected == received(client, len(expected))


def test_headers_and_trailers_frame_the_file(guest: Guest, file: int) -> None:
    accepted, client = guest.connection()
    with client:
        length = length_of(guest, 15)           # 5 + 5 bytes of header, so 5 of the file
        parts = hdtr(guest, [b"head1", b"head2"], [b"tail"])
        assert 0 == guest("sendfile", file, accepted, 0, length, parts, 0)
        assert 10 + 5 + 4 == guest.memory.u64(length)
        assert b"head1head2" + DATA[:5] + b"tail" == received(client, 19)


def test_headers_that_reach_the_limit_leave_no_room_for_the_file(guest: Guest, file: int) -> None:
    accepted, client = guest.connection()
    with client:
        length = length_of(guest, 4)
        parts = hdtr(guest, [b"header"])
        assert 0 == guest("sendfile", file, accepted, 0, length, parts, 0)
        assert 6 == guest.memory.u64(length)            # headers are not cut
        assert b"header" == received(client, 6)


def test_checks_come_in_xnus_order(guest: Guest, file: int, tmp_path: Path) -> None:
    accepted, client = guest.connection()
    first, _ = guest.pair()
    fresh = guest("socket", abi.AF_INET, abi.SOCK_STREAM, 0)
    datagram = guest("socket", abi.AF_INET, abi.SOCK_DGRAM, 0)
    write_only = guest.opened(os.open(tmp_path / "w", os.O_WRONLY | os.O_CREAT))
    null = guest.opened(os.open("/dev/null", os.O_WRONLY))
    directory = guest.opened(os.open(tmp_path, os.O_RDONLY))
    read_end, write_end = os.pipe()
    guest.opened(read_end)
    guest.opened(write_end)

    def fails(fd: int, s: int, offset: int = 0, *, flags: int = 0, length: int | None = None,
              parts: int = 0) -> str:
        at = length_of(guest, 55) if length is None else length
        error = guest.fails("sendfile", fd, s, offset, at, parts, flags)
        if at not in (0, NOWHERE):
            assert 0 == guest.memory.u64(at)            # even then the count is written
        return error

    with client:
        assert "EBADF" == fails(9999, -1)
        assert "ENOTSUP" == fails(first, -1)
        assert "ENOTSUP" == fails(read_end, -1)
        assert "EBADF" == fails(write_only, -1)
        assert "EBADF" == fails(null, -1)               # a vnode: readable comes before regular
        assert "ENOTSUP" == fails(directory, -1)
        assert "EBADF" == fails(file, -1)
        assert "ENOTSOCK" == fails(file, write_end)
        assert "EINVAL" == fails(file, datagram, -1, flags=1)
        assert "ENOTCONN" == fails(file, fresh, -1, flags=1)
        assert "EINVAL" == fails(file, accepted, -1)
        assert "EINVAL" == fails(file, accepted, length=0)
        assert "EINVAL" == fails(file, accepted, flags=1)
        assert "EFAULT" == fails(file, accepted, length=NOWHERE)
        assert "EFAULT" == fails(file, accepted, parts=NOWHERE)
        empty = guest.put(struct.pack("<Qi4xQi4x", guest.put(16), 0, 0, 0))
        assert "EINVAL" == fails(file, accepted, parts=empty)       # writev of no vectors


def test_a_reset_connection_is_enotconn_and_keeps_its_error(guest: Guest, file: int) -> None:
    posted: list[int] = []
    guest.task.post_signal = posted.append      # type: ignore[method-assign]
    accepted, client = guest.connection()
    reset(client)
    size = guest.put(struct.pack("<I", 16))
    wait_until(lambda: guest.fails("getpeername", accepted, guest.put(16), size))
    parts = hdtr(guest, [b"head"])
    assert "ENOTCONN" == guest.fails("sendfile", file, accepted, 0, length_of(guest), parts, 0)
    assert "ECONNRESET" == guest.fails("recvfrom", accepted, guest.put(4), 4, 0, 0, 0)
    assert [] == posted


def test_the_file_part_never_signals_but_headers_do(guest: Guest, file: int) -> None:
    posted: list[int] = []
    guest.task.post_signal = posted.append      # type: ignore[method-assign]
    accepted, client = guest.connection()
    with client:
        guest("shutdown", accepted, abi.SHUT_WR)
        assert "EPIPE" == guest.fails("sendfile", file, accepted, 0, length_of(guest), 0, 0)
        assert [] == posted
        parts = hdtr(guest, [b"head"])
        assert "EPIPE" == guest.fails("sendfile", file, accepted, 0, length_of(guest), parts, 0)
        assert [abi.SIGPIPE] == posted


def big(guest: Guest, tmp_path: Path, size: int = 8 << 20) -> int:
    path = tmp_path / "big"
    path.touch()
    os.truncate(path, size)
    return guest.opened(os.open(path, os.O_RDONLY))


def test_a_socket_that_does_not_wait_stops_with_eagain_and_a_count(
    guest: Guest, tmp_path: Path
) -> None:
    fd = big(guest, tmp_path)
    accepted, client = guest.connection()
    with client:
        os.set_blocking(accepted, False)
        length = length_of(guest)
        assert "EAGAIN" == guest.fails("sendfile", fd, accepted, 0, length, hdtr(guest, [b"H"]), 0)
        sent = guest.memory.u64(length)
        assert 1 < sent < 8 << 20
        assert b"H" + bytes(sent - 1) == received(client, sent)
        assert not os.get_blocking(accepted)


def test_a_waiting_socket_takes_the_whole_file(guest: Guest, tmp_path: Path) -> None:
    fd = big(guest, tmp_path)
    accepted, client = guest.connection()
    total = bytearray()
    with client:
        def drain() -> None:
            while len(total) < 8 << 20:
                total.extend(client.recv(1 << 20))

        length = length_of(guest)
        with later(0.02, drain):
            assert 0 == guest("sendfile", fd, accepted, 0, length, 0, 0)
        assert 8 << 20 == guest.memory.u64(length) == len(total)
        assert os.get_blocking(accepted)


def test_send_timeout_is_eagain_with_a_count(guest: Guest, tmp_path: Path) -> None:
    fd = big(guest, tmp_path)
    accepted, client = guest.connection()
    with client:
        guest.set(accepted, abi.SOL_SOCKET, abi.SO_SNDTIMEO, timeval(0.05))
        length = length_of(guest)
        assert "EAGAIN" == guest.fails("sendfile", fd, accepted, 0, length, 0, 0)
        assert 0 < guest.memory.u64(length) < 8 << 20


def test_an_interrupted_call_has_written_its_count(guest: Guest, tmp_path: Path) -> None:
    fd = big(guest, tmp_path)
    accepted, client = guest.connection()
    with client:
        guest.kernel.signals.set_action(abi.SIGUSR1, Action(0x1000, 0x1000))
        length = length_of(guest)
        with later(0.05, lambda: os.kill(os.getpid(), signal.SIGUSR1)), \
                pytest.raises(Interrupted):
            guest("sendfile", fd, accepted, 0, length, 0, 0)
        assert 0 < guest.memory.u64(length) < 8 << 20
        assert os.get_blocking(accepted)


def test_eagain_may_come_although_everything_was_sent(guest: Guest, tmp_path: Path) -> None:
    accepted, client = guest.connection()
    with client:
        os.set_blocking(accepted, False)
        probe, length = big(guest, tmp_path), length_of(guest)
        guest.fails("sendfile", probe, accepted, 0, length, 0, 0)
        room = guest.memory.u64(length)
        received(client, room)
    other, client = guest.connection()
    with client:
        os.set_blocking(other, False)
        # A file that fills the buffer: all of it goes, and the answer may still be EAGAIN.
        for size in (room, room - 1):
            length = length_of(guest, size)
            error = guest.fails("sendfile", probe, other, 0, length, 0, 0)
            if guest.memory.u64(length) == size:
                assert error in ("", "EAGAIN")
            else:
                assert "EAGAIN" == error


def test_the_fault_plan_cuts_a_call_short(guest: Guest, file: int) -> None:
    accepted, client = guest.connection()
    with client:
        length = length_of(guest)
        guest.task.short = 100
        assert "EINTR" == guest.fails("sendfile", file, accepted, 0, length, 0, 0)
        assert 100 == guest.memory.u64(length)
        os.set_blocking(accepted, False)
        guest.memory.put_u64(length, 0)
        assert "EAGAIN" == guest.fails("sendfile", file, accepted, 0, length, 0, 0)
        guest.task.short = None
        assert DATA[:100] * 2 == received(client, 200)


@pytest.mark.parametrize(("allowed", "arrives"), [
    (3, b"hea"), (5, b"head1"), (7, b"head1he"), (10, b"head1head2"),
    (12, b"head1head2" + DATA[:2]),
])
def test_headers_and_file_share_what_the_fault_plan_allows(
    guest: Guest, file: int, allowed: int, arrives: bytes
) -> None:
    accepted, client = guest.connection()
    with client:
        length = length_of(guest)
        parts = hdtr(guest, [b"head1", b"head2"])
        guest.task.short = allowed
        assert "EINTR" == guest.fails("sendfile", file, accepted, 0, length, parts, 0)
        guest.task.short = None
        assert allowed == guest.memory.u64(length)
        client.settimeout(0.2)
        assert arrives == received(client, allowed)
        with pytest.raises(TimeoutError):
            client.recv(1)
