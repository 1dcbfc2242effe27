"""Calls on one descriptor: transfers, dup, offsets, locks, fcntl, ioctl."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.guest import BASE, END, NOWHERE, Guest

from ymawky_kit.darwin import abi, host
from ymawky_kit.darwin.errno import Errno
from ymawky_kit.darwin.structs import FLOCK, FPUNCHHOLE, FSTORE, RLIMIT, TIMESPEC
from ymawky_kit.darwin.task import Description


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest() as found:
        yield found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(b"0123456789")
    return path


def vector(guest: Guest, *parts: tuple[int, int]) -> int:
    return guest.put(b"".join(a.to_bytes(8, "little") + n.to_bytes(8, "little") for a, n in parts))


# --- read and write ---------------------------------------------------------------------


def test_read_moves_bytes_into_guest_memory_and_the_offset_on(guest: Guest, data: Path) -> None:
    fd, room = guest.open(data), guest.room(16)
    assert 4 == guest.ok("read", fd, room, 4)
    assert b"0123\0\0" == guest.get(room, 6)
    assert 6 == guest.ok("read", fd, room, 16)
    assert b"456789" == guest.get(room, 6)
    assert 0 == guest.ok("read", fd, room, 16)


def test_write_moves_bytes_out_of_guest_memory(guest: Guest, tmp_path: Path) -> None:
    fd = guest.open(tmp_path / "new", abi.O_WRONLY | abi.O_CREAT)
    assert 5 == guest.ok("write", fd, guest.put(b"hello"), 5)
    assert b"hello" == (tmp_path / "new").read_bytes()


@pytest.mark.parametrize("name", ["read", "write", "pread", "pwrite"])
def test_a_transfer_of_more_than_int_max_is_refused(guest: Guest, data: Path, name: str) -> None:
    fd = guest.open(data, abi.O_RDWR)
    assert "EINVAL" == guest.error(name, fd, BASE, abi.INT_MAX + 1, 0)


@pytest.mark.parametrize("name", ["read", "write"])
def test_a_descriptor_that_is_not_open_is_ebadf_before_the_buffer_is_looked_at(
    guest: Guest, name: str
) -> None:
    assert "EBADF" == guest.error(name, 200, NOWHERE, 1)
    assert "EBADF" == guest.error(name, -1, BASE, 1)
    assert "EBADF" == guest.error(name, guest.task.files.ceiling, BASE, 1)


def test_reading_what_is_open_for_writing_only_is_ebadf(guest: Guest, data: Path) -> None:
    assert "EBADF" == guest.error("read", guest.open(data, abi.O_WRONLY), BASE, 1)
    assert "EBADF" == guest.error("write", guest.open(data), BASE, 1)


def test_reading_a_directory_is_eisdir(guest: Guest, tmp_path: Path) -> None:
    assert "EISDIR" == guest.error("read", guest.open(tmp_path), BASE, 10)


@pytest.mark.parametrize("name", ["read", "write"])
def test_a_bad_buffer_is_efault(guest: Guest, data: Path, name: str) -> None:
    fd = guest.open(data, abi.O_RDWR)
    assert "EFAULT" == guest.error(name, fd, NOWHERE, 4)
    assert "EFAULT" == guest.error(name, fd, 0, 4)


def test_reading_into_read_only_memory_is_efault(guest: Guest, data: Path) -> None:
    guest.memory.protect(END - abi.PAGE_SIZE, abi.PAGE_SIZE, abi.PROT_READ)
    assert "EFAULT" == guest.error("read", guest.open(data), END - abi.PAGE_SIZE, 4)


def test_a_buffer_longer_than_memory_is_fine_when_the_data_is_not(
    guest: Guest, data: Path
) -> None:
    fd = guest.open(data)
    assert 10 == guest.ok("read", fd, END - 64, 1000)
    assert b"0123456789" == guest.get(END - 64, 10)
    guest.ok("lseek", fd, 0, abi.SEEK_SET)
    assert "EFAULT" == guest.error("read", fd, END - 4, 1000)


def test_zero_bytes_at_a_bad_address_are_fine(guest: Guest, data: Path) -> None:
    assert 0 == guest.ok("read", guest.open(data), NOWHERE, 0)


def test_the_fault_plan_shortens_a_transfer(guest: Guest, data: Path) -> None:
    guest.task.short = 3
    fd, room = guest.open(data, abi.O_RDWR), guest.room(16)
    assert 3 == guest.ok("read", fd, room, 16)
    assert 3 == guest.ok("write", fd, room, 16)
    parts = vector(guest, (room, 2), (room, 8))
    assert 3 == guest.ok("readv", fd, parts, 2)
    assert 3 == guest.ok("pread", fd, room, 8, 0)
    assert 3 == guest.ok("pwrite", fd, room, 8, 0)


def test_readv_and_writev_gather_and_scatter(guest: Guest, data: Path) -> None:
    fd, first, second = guest.open(data, abi.O_RDWR), guest.room(16), guest.room(16)
    assert 10 == guest.ok("readv", fd, vector(guest, (first, 3), (NOWHERE, 0), (second, 16)), 3)
    assert (b"012", b"3456789") == (guest.get(first, 3), guest.get(second, 7))
    parts = vector(guest, (guest.put(b"ab"), 2), (guest.put(b"cde"), 3))
    assert 5 == guest.ok("writev", fd, parts, 2)
    assert b"0123456789abcde" == data.read_bytes()


@pytest.mark.parametrize("name", ["readv", "writev", "preadv", "pwritev"])
@pytest.mark.parametrize("count", [0, -1, 1025])
def test_a_bad_number_of_buffers_is_refused(
    guest: Guest, data: Path, name: str, count: int
) -> None:
    fd = guest.open(data, abi.O_RDWR)
    assert "EINVAL" == guest.error(name, fd, vector(guest, (BASE, 1)), count, 0)


@pytest.mark.parametrize("name", ["readv", "writev", "preadv", "pwritev"])
def test_a_vector_fails_as_its_parts_do(guest: Guest, data: Path, name: str) -> None:
    fd = guest.open(data, abi.O_RDWR)
    assert "EINVAL" == guest.error(
        name, fd, vector(guest, (BASE, abi.INT_MAX), (BASE, 1)), 2, 0
    )
    assert "EFAULT" == guest.error(name, fd, NOWHERE, 1, 0)
    assert "EFAULT" == guest.error(name, fd, vector(guest, (NOWHERE, 4)), 1, 0)
    assert "EBADF" == guest.error(name, 200, vector(guest, (NOWHERE, 4)), 1, 0)


def test_positioned_transfers_leave_the_offset_alone(guest: Guest, data: Path) -> None:
    fd, room = guest.open(data, abi.O_RDWR), guest.room(16)
    assert 3 == guest.ok("pread", fd, room, 3, 4)
    assert b"456" == guest.get(room, 3)
    assert 2 == guest.ok("pwrite", fd, guest.put(b"XY"), 2, 8)
    assert 2 == guest.ok("preadv", fd, vector(guest, (room, 1), (room + 1, 1)), 2, 8)
    assert b"XY" == guest.get(room, 2)
    assert 1 == guest.ok("pwritev", fd, vector(guest, (guest.put(b"!"), 1)), 1, 0)
    assert 0 == guest.ok("lseek", fd, 0, abi.SEEK_CUR)
    assert b"!1234567XY" == data.read_bytes()


@pytest.mark.parametrize("name", ["pread", "pwrite"])
def test_a_pipe_has_no_positions(guest: Guest, name: str) -> None:
    reader, writer = guest.pipe()
    fd = reader if name == "pread" else writer
    assert "ESPIPE" == guest.error(name, fd, BASE, 1, 0)


@pytest.mark.parametrize("name", ["pread", "pwrite"])
def test_a_negative_position_is_refused(guest: Guest, data: Path, name: str) -> None:
    assert "EINVAL" == guest.error(name, guest.open(data, abi.O_RDWR), BASE, 1, -1)


def test_a_terminal_has_no_positions_of_its_own_kind(guest: Guest) -> None:
    master, terminal = pty.openpty()
    try:
        assert "ENXIO" == guest.error("pread", terminal, BASE, 1, 0)
        assert "ESPIPE" == guest.error("lseek", terminal, 0, abi.SEEK_SET)
    finally:
        os.close(master)
        os.close(terminal)


# --- sleeping ---------------------------------------------------------------------------


def test_a_write_without_a_reader_is_epipe_and_sigpipe(guest: Guest) -> None:
    reader, writer = guest.pipe()
    guest.ok("close", reader)
    assert "EPIPE" == guest.error("write", writer, BASE, 1)
    assert [abi.SIGPIPE] == guest.signals()


def test_f_setnosigpipe_leaves_only_epipe(guest: Guest) -> None:
    reader, writer = guest.pipe()
    guest.ok("close", reader)
    assert 0 == guest.ok("fcntl", writer, abi.F_GETNOSIGPIPE, 0)
    guest.ok("fcntl", writer, abi.F_SETNOSIGPIPE, 1)
    assert 1 == guest.ok("fcntl", writer, abi.F_GETNOSIGPIPE, 0)
    copy = guest.ok("dup", writer)
    guest.opened.add(copy)
    assert "EPIPE" == guest.error("write", copy, BASE, 1)
    assert [] == guest.signals()


def test_an_empty_pipe_that_must_not_wait_is_eagain(guest: Guest) -> None:
    reader, writer = guest.pipe()
    guest.ok("fcntl", reader, abi.F_SETFL, abi.O_NONBLOCK)
    assert "EAGAIN" == guest.error("read", reader, BASE, 1)
    guest.ok("write", writer, guest.put(b"x"), 1)
    assert 1 == guest.ok("read", reader, BASE, 9)
    guest.ok("close", writer)
    assert 0 == guest.ok("read", reader, BASE, 9)


@pytest.fixture
def caught(guest: Guest) -> Iterator[Guest]:
    """With a handler for SIGUSR1, sleeps go through the interruptible way."""
    guest.catch(abi.SIGUSR1)
    yield guest


def test_a_nonblocking_pipe_is_eagain_with_handlers_too(caught: Guest) -> None:
    reader, writer = caught.pipe()
    for fd in (reader, writer):
        caught.ok("fcntl", fd, abi.F_SETFL, abi.O_NONBLOCK)
    assert "EAGAIN" == caught.error("read", reader, BASE, 1)
    written = caught.ok("write", writer, BASE, 100_000)
    assert 0 < written < 100_000
    assert "EAGAIN" == caught.error("write", writer, BASE, 100_000)


def test_a_signal_ends_a_read_that_sleeps(caught: Guest) -> None:
    reader, _ = caught.pipe()
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    assert "EINTR" == caught.error("read", reader, BASE, 1)
    timer.join()


def test_a_signal_before_the_read_is_not_lost(caught: Guest) -> None:
    reader, _ = caught.pipe()
    os.kill(os.getpid(), signal.SIGUSR1)
    assert "EINTR" == caught.error("read", reader, BASE, 1)


def test_a_read_that_sleeps_wakes_for_data(caught: Guest) -> None:
    reader, writer = caught.pipe()
    timer = threading.Timer(0.03, os.write, (writer, b"late"))
    timer.start()
    assert 4 == caught.ok("read", reader, BASE, 10)
    timer.join()


def test_a_write_that_sleeps_writes_everything(caught: Guest) -> None:
    reader, writer = caught.pipe()
    size = 200_000
    got: list[int] = []

    def drain() -> None:
        while sum(got) < size:
            got.append(len(os.read(reader, 65536)))

    thread = threading.Thread(target=drain)
    thread.start()
    assert size == caught.ok("write", writer, BASE, size)
    thread.join()
    assert size == sum(got)


def test_a_signal_in_the_middle_of_a_write_leaves_the_count(caught: Guest) -> None:
    _, writer = caught.pipe()
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    written = caught.ok("write", writer, BASE, 250_000)
    timer.join()
    assert 0 < written < 250_000
    assert "EINTR" == caught.error("write", writer, BASE, 250_000)


def test_files_are_read_and_written_with_handlers_too(caught: Guest, data: Path) -> None:
    fd, room = caught.open(data, abi.O_RDWR), caught.room(16)
    assert 10 == caught.ok("read", fd, room, 16)
    assert 4 == caught.ok("writev", fd, vector(caught, (caught.put(b"ab"), 2), (room, 2)), 2)
    null = caught.open("/dev/null", abi.O_RDWR)
    assert 0 == caught.ok("read", null, room, 4)
    assert 4 == caught.ok("write", null, room, 4)


def test_without_the_hosts_nowait_transfers_the_results_are_the_same(
    caught: Guest, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "CAN_TRY", False)
    test_a_signal_ends_a_read_that_sleeps(caught)
    forget_signals(caught)
    test_a_read_that_sleeps_wakes_for_data(caught)
    test_a_write_that_sleeps_writes_everything(caught)
    test_a_signal_in_the_middle_of_a_write_leaves_the_count(caught)
    forget_signals(caught)
    test_a_nonblocking_pipe_is_eagain_with_handlers_too(caught)
    test_files_are_read_and_written_with_handlers_too(caught, data)


def forget_signals(guest: Guest) -> None:
    guest.task.signals.collect()
    guest.task.signals._pending = 0


def test_a_file_system_that_cannot_try_is_waited_for(
    caught: Guest, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EOPNOTSUPP, "no")

    monkeypatch.setattr(os, "preadv", refuse)
    monkeypatch.setattr(os, "pwritev", refuse)
    fd = caught.open(data, abi.O_RDWR)
    assert 10 == caught.ok("read", fd, BASE, 16)
    assert 2 == caught.ok("write", fd, caught.put(b"zz"), 2)
    assert b"0123456789zz" == data.read_bytes()


# --- the descriptor itself --------------------------------------------------------------


def test_close_frees_the_number_and_a_second_close_is_ebadf(guest: Guest, data: Path) -> None:
    fd = guest.open(data)
    guest.ok("close", fd)
    assert "EBADF" == guest.error("close", fd)
    assert fd == guest.open(data)


def test_dup_gives_the_lowest_free_number_and_shares_the_offset(
    guest: Guest, data: Path
) -> None:
    fd = guest.open(data)
    free = os.dup(fd)
    os.close(free)
    copy = guest.ok("dup", fd)
    guest.opened.add(copy)
    assert free == copy
    guest.ok("lseek", copy, 7, abi.SEEK_SET)
    assert 7 == guest.ok("lseek", fd, 0, abi.SEEK_CUR)
    assert 0 == guest.ok("fcntl", copy, abi.F_GETFD, 0)
    assert "EBADF" == guest.error("dup", 200)


def test_dup2_replaces_and_clears_close_on_exec(guest: Guest, data: Path) -> None:
    first, second = guest.open(data), guest.open("/dev/null", abi.O_CLOEXEC)
    assert second == guest.ok("dup2", first, second)
    assert 0 == guest.ok("fcntl", second, abi.F_GETFD, 0)
    assert 10 == guest.ok("read", second, BASE, 100)


def test_dup2_onto_itself_changes_nothing(guest: Guest, data: Path) -> None:
    fd = guest.open(data, abi.O_CLOEXEC)
    assert fd == guest.ok("dup2", fd, fd)
    assert abi.FD_CLOEXEC == guest.ok("fcntl", fd, abi.F_GETFD, 0)


def test_dup2_onto_a_captured_stream_gives_the_guests_number(guest: Guest, data: Path) -> None:
    fd, captured = guest.open(data), guest.open("/dev/null")
    streams = {0: captured}
    guest.task.files.redirected = streams
    guest.task.files.on_close.append(lambda gone: streams.update({0: -1}))    # as the lab does
    assert 0 == guest.ok("dup2", fd, 0)
    assert 10 == guest.ok("read", 0, BASE, 100)
    assert 0 == guest.ok("dup2", 0, 0)
    assert 0 == guest.ok("close", 0)
    assert "EBADF" == guest.error("read", 0, BASE, 100)
    assert 0 == guest.ok("dup2", fd, 0)
    assert 0 == guest.ok("lseek", 0, 0, abi.SEEK_SET)
    assert 10 == guest.ok("read", 0, BASE, 100)


def test_dup2_refuses_numbers_that_do_not_exist(guest: Guest, data: Path) -> None:
    fd = guest.open(data)
    assert "EBADF" == guest.error("dup2", 200, fd)
    assert "EBADF" == guest.error("dup2", fd, abi.NOFILE_SOFT)
    assert "EBADF" == guest.error("dup2", fd, -1)


def test_the_descriptor_limit_of_256_is_emfile(guest: Guest, data: Path) -> None:
    fd = guest.open(data)
    limit = guest.struct(RLIMIT, rlim_cur=fd + 1, rlim_max=abi.RLIM_INFINITY)
    guest.ok("setrlimit", abi.RLIMIT_NOFILE, limit)
    before = len(list(Path("/dev/fd").iterdir()))
    assert "EMFILE" == guest.error("dup", fd)
    assert "EMFILE" == guest.error("pipe")
    assert "EMFILE" == guest.try_open(data)
    assert "EINVAL" == guest.error("fcntl", fd, abi.F_DUPFD, fd + 1)
    assert before == len(list(Path("/dev/fd").iterdir()))


def test_a_pipe_is_two_ends_that_exec_keeps(guest: Guest) -> None:
    reader, writer = guest.pipe()
    assert 3 == guest.ok("write", writer, guest.put(b"abc"), 3)
    assert 3 == guest.ok("read", reader, BASE, 10)
    assert [0, 0] == [guest.ok("fcntl", fd, abi.F_GETFD, 0) for fd in (reader, writer)]


@pytest.mark.parametrize(
    ("offset", "whence", "result"),
    [(3, abi.SEEK_SET, 3), (2, abi.SEEK_CUR, 2), (-1, abi.SEEK_END, 9), (99, abi.SEEK_SET, 99)],
)
def test_lseek_goes_where_it_is_told(
    guest: Guest, data: Path, offset: int, whence: int, result: int
) -> None:
    assert result == guest.ok("lseek", guest.open(data), offset, whence)


def test_lseek_refuses_what_is_no_place(guest: Guest, data: Path) -> None:
    fd = guest.open(data)
    assert "EINVAL" == guest.error("lseek", fd, -1, abi.SEEK_SET)
    assert "EINVAL" == guest.error("lseek", fd, 0, 5)
    assert "EOVERFLOW" == guest.error("lseek", fd, (1 << 63) - 1, abi.SEEK_END)
    assert "ESPIPE" == guest.error("lseek", guest.pipe()[0], 0, abi.SEEK_SET)
    assert "EBADF" == guest.error("lseek", 200, 0, 9)


def test_holes_and_data_have_darwins_numbers(guest: Guest, tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(b"x" * 65536)
        file.truncate(1 << 20)
    fd = guest.open(path)
    assert 0 == guest.ok("lseek", fd, 0, abi.SEEK_DATA)
    hole = guest.ok("lseek", fd, 0, abi.SEEK_HOLE)
    assert hole in (65536, 1 << 20)      # a file system without holes has one at the end
    assert "ENXIO" == guest.error("lseek", fd, 1 << 21, abi.SEEK_DATA)


@pytest.mark.parametrize("name", ["fsync", "fdatasync"])
def test_syncing_works_on_files_only(guest: Guest, data: Path, name: str) -> None:
    assert 0 == guest.ok(name, guest.open(data, abi.O_RDWR))
    assert "ENOTSUP" == guest.error(name, guest.pipe()[1])
    assert "EBADF" == guest.error(name, 200)


def test_ftruncate_shortens_and_lengthens(guest: Guest, data: Path) -> None:
    fd = guest.open(data, abi.O_RDWR)
    guest.ok("ftruncate", fd, 4)
    assert b"0123" == data.read_bytes()
    guest.ok("ftruncate", fd, 6)
    assert b"0123\0\0" == data.read_bytes()


def test_ftruncate_of_anything_else_is_einval(guest: Guest, data: Path) -> None:
    assert "EINVAL" == guest.error("ftruncate", guest.open(data), 1)
    assert "EINVAL" == guest.error("ftruncate", guest.open(data, abi.O_RDWR), -1)
    assert "EINVAL" == guest.error("ftruncate", guest.pipe()[1], 1)
    assert "EBADF" == guest.error("ftruncate", 200, 1)


# --- fcntl ------------------------------------------------------------------------------


def test_f_dupfd_starts_at_its_argument(guest: Guest, data: Path) -> None:
    fd = guest.open(data)
    copy = guest.ok("fcntl", fd, abi.F_DUPFD, 150)
    guest.opened.add(copy)
    assert 150 == copy
    second = guest.ok("fcntl", fd, abi.F_DUPFD_CLOEXEC, 150)
    guest.opened.add(second)
    assert 151 == second
    assert [0, 1] == [guest.ok("fcntl", n, abi.F_GETFD, 0) for n in (copy, second)]
    assert "EINVAL" == guest.error("fcntl", fd, abi.F_DUPFD, -1)
    assert "EINVAL" == guest.error("fcntl", fd, abi.F_DUPFD, 256)


def test_descriptor_flags_know_close_on_exec_only(guest: Guest, data: Path) -> None:
    fd = guest.open(data)
    guest.ok("fcntl", fd, abi.F_SETFD, 0xFF)
    assert abi.FD_CLOEXEC == guest.ok("fcntl", fd, abi.F_GETFD, 0)
    guest.ok("fcntl", fd, abi.F_SETFD, 2)
    assert 0 == guest.ok("fcntl", fd, abi.F_GETFD, 0)


def test_status_flags_come_back_in_darwins_bits(guest: Guest, data: Path) -> None:
    fd = guest.open(data, abi.O_RDWR | abi.O_APPEND)
    assert abi.O_RDWR | abi.O_APPEND == guest.ok("fcntl", fd, abi.F_GETFL, 0)
    guest.ok("fcntl", fd, abi.F_SETFL, abi.O_NONBLOCK | abi.O_CREAT | abi.O_TRUNC)
    assert abi.O_RDWR | abi.O_NONBLOCK == guest.ok("fcntl", fd, abi.F_GETFL, 0)
    assert not os.get_blocking(fd)
    assert b"0123456789" == data.read_bytes()


def test_f_getpath_names_an_open_file(guest: Guest, data: Path) -> None:
    fd, room = guest.open(data), guest.room(abi.PATH_MAX)
    for command in (abi.F_GETPATH, abi.F_GETPATH_NOFIRMLINK):
        assert 0 == guest.ok("fcntl", fd, command, room)
        assert os.fsencode(data.resolve()) == guest.memory.cstring(room, abi.PATH_MAX)
    assert "EBADF" == guest.error("fcntl", guest.pipe()[0], abi.F_GETPATH, room)
    assert "EFAULT" == guest.error("fcntl", fd, abi.F_GETPATH, NOWHERE)


@pytest.mark.parametrize(
    "command",
    [abi.F_FULLFSYNC, abi.F_BARRIERFSYNC, abi.F_RDAHEAD, abi.F_NOCACHE, abi.F_FLUSH_DATA],
)
def test_a_command_for_files_is_ebadf_on_a_pipe(guest: Guest, data: Path, command: int) -> None:
    assert 0 == guest.ok("fcntl", guest.open(data, abi.O_RDWR), command, 1)
    assert "EBADF" == guest.error("fcntl", guest.pipe()[1], command, 1)


def test_f_preallocate_reserves_without_growing(guest: Guest, data: Path) -> None:
    fd = guest.open(data, abi.O_RDWR)
    store = guest.struct(
        FSTORE, fst_flags=abi.F_ALLOCATEALL, fst_posmode=abi.F_PEOFPOSMODE, fst_length=65536
    )
    assert 0 == guest.ok("fcntl", fd, abi.F_PREALLOCATE, store)
    assert 65536 == guest.read_struct(FSTORE, store)["fst_bytesalloc"]
    assert 10 == data.stat().st_size
    bad = guest.struct(FSTORE, fst_posmode=abi.F_PEOFPOSMODE, fst_offset=1, fst_length=1)
    assert "EINVAL" == guest.error("fcntl", fd, abi.F_PREALLOCATE, bad)
    assert "EINVAL" == guest.error("fcntl", fd, abi.F_PREALLOCATE, guest.struct(FSTORE))
    assert "EBADF" == guest.error("fcntl", guest.open(data), abi.F_PREALLOCATE, store)


def test_f_punchhole_zeroes_a_range(guest: Guest, tmp_path: Path) -> None:
    path = tmp_path / "full"
    path.write_bytes(b"x" * 65536)
    fd = guest.open(path, abi.O_RDWR)
    hole = guest.struct(FPUNCHHOLE, fp_offset=16384, fp_length=16384)
    assert 0 == guest.ok("fcntl", fd, abi.F_PUNCHHOLE, hole)
    assert bytes(16384) == path.read_bytes()[16384:32768]
    assert 65536 == path.stat().st_size
    bad = guest.struct(FPUNCHHOLE, fp_flags=1, fp_length=1)
    assert "EINVAL" == guest.error("fcntl", fd, abi.F_PUNCHHOLE, bad)


def test_f_setsize_is_for_root(
    guest: Guest, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fd = guest.open(data, abi.O_RDWR)
    size = guest.put((4).to_bytes(8, "little"))
    monkeypatch.setattr(os, "geteuid", lambda: 501)
    assert "EACCES" == guest.error("fcntl", fd, abi.F_SETSIZE, size)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert 0 == guest.ok("fcntl", fd, abi.F_SETSIZE, size)
    assert 4 == data.stat().st_size


def test_an_unknown_command_is_enotty_and_a_bad_descriptor_ebadf(
    guest: Guest, data: Path
) -> None:
    assert "ENOTTY" == guest.error("fcntl", guest.open(data), 4711, 0)
    for command in (abi.F_GETFD, abi.F_SETNOSIGPIPE, abi.F_GETPATH, abi.F_SETLK, 4711):
        assert "EBADF" == guest.error("fcntl", 200, command, BASE)


# --- locks ------------------------------------------------------------------------------


def lock(guest: Guest, kind: int, start: int = 0, length: int = 0, whence: int = 0) -> int:
    return guest.struct(FLOCK, l_type=kind, l_start=start, l_len=length, l_whence=whence)


def held_by_child(path: Path, act: str) -> tuple[int, int]:
    """A child that holds a lock until its pipe is closed: (pid, pipe end)."""
    ready, tell = os.pipe()
    wait, release = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(release)
        fd = os.open(path, os.O_RDWR)
        if act == "flock":
            fcntl.flock(fd, fcntl.LOCK_EX)
        else:
            fcntl.lockf(fd, fcntl.LOCK_EX, 5, 2)
        os.write(tell, b"!")
        os.read(wait, 1)
        os._exit(0)
    os.close(tell)
    os.close(wait)
    os.read(ready, 1)
    os.close(ready)
    return pid, release


def release(child: tuple[int, int]) -> None:
    os.close(child[1])
    os.waitpid(child[0], 0)


def test_a_record_lock_is_taken_seen_and_given_back(guest: Guest, data: Path) -> None:
    fd = guest.open(data, abi.O_RDWR)
    child = held_by_child(data, "lockf")
    try:
        wanted = lock(guest, abi.F_WRLCK)
        assert "EAGAIN" == guest.error("fcntl", fd, abi.F_SETLK, wanted)
        assert 0 == guest.ok("fcntl", fd, abi.F_GETLK, wanted)
        assert {
            "l_start": 2, "l_len": 5, "l_pid": child[0], "l_type": abi.F_WRLCK, "l_whence": 0,
        } == guest.read_struct(FLOCK, wanted)
        assert 0 == guest.ok("fcntl", fd, abi.F_SETLK, lock(guest, abi.F_RDLCK, 7, 3))
    finally:
        release(child)
    assert 0 == guest.ok("fcntl", fd, abi.F_SETLK, lock(guest, abi.F_WRLCK))
    assert 0 == guest.ok("fcntl", fd, abi.F_SETLKW, lock(guest, abi.F_UNLCK))


def test_f_getlk_of_a_free_range_changes_only_the_type(guest: Guest, data: Path) -> None:
    wanted = lock(guest, abi.F_WRLCK, 3, 4)
    guest.ok("fcntl", guest.open(data, abi.O_RDWR), abi.F_GETLK, wanted)
    assert {
        "l_start": 3, "l_len": 4, "l_pid": 0, "l_type": abi.F_UNLCK, "l_whence": 0,
    } == guest.read_struct(FLOCK, wanted)


def test_a_record_lock_needs_the_right_access_and_a_known_type(
    guest: Guest, data: Path
) -> None:
    readable = guest.open(data)
    assert "EBADF" == guest.error("fcntl", readable, abi.F_SETLK, lock(guest, abi.F_WRLCK))
    assert "EINVAL" == guest.error("fcntl", readable, abi.F_SETLK, lock(guest, 0))
    assert "EINVAL" == guest.error("fcntl", readable, abi.F_SETLK, lock(guest, 1, whence=3))
    assert "EBADF" == guest.error("fcntl", guest.pipe()[0], abi.F_SETLK, lock(guest, 1))
    assert "EFAULT" == guest.error("fcntl", readable, abi.F_SETLK, NOWHERE)


def test_a_lock_of_the_open_file_conflicts_with_another_of_this_process(
    guest: Guest, data: Path
) -> None:
    first, second = guest.open(data, abi.O_RDWR), guest.open(data, abi.O_RDWR)
    assert 0 == guest.ok("fcntl", first, abi.F_OFD_SETLK, lock(guest, abi.F_WRLCK))
    assert "EAGAIN" == guest.error("fcntl", second, abi.F_OFD_SETLK, lock(guest, abi.F_RDLCK))
    asked = lock(guest, abi.F_RDLCK)
    guest.ok("fcntl", second, abi.F_OFD_GETLK, asked)
    assert abi.F_WRLCK == guest.read_struct(FLOCK, asked)["l_type"]
    guest.ok("close", first)
    assert 0 == guest.ok("fcntl", second, abi.F_OFD_SETLKW, lock(guest, abi.F_RDLCK))


def test_waiting_for_a_lock_can_time_out(guest: Guest, data: Path) -> None:
    first, second = guest.open(data, abi.O_RDWR), guest.open(data, abi.O_RDWR)
    child = held_by_child(data, "lockf")
    try:
        wanted = guest.put(FLOCK.pack(l_type=abi.F_WRLCK) + TIMESPEC.pack(tv_nsec=20_000_000))
        before = time.monotonic()
        assert "ETIMEDOUT" == guest.error("fcntl", second, abi.F_SETLKWTIMEOUT, wanted)
        assert 0.02 <= time.monotonic() - before < 5
    finally:
        release(child)
    assert 0 == guest.ok("fcntl", first, abi.F_SETLKWTIMEOUT, wanted)


def test_a_signal_ends_the_wait_for_a_lock(caught: Guest, data: Path) -> None:
    fd = caught.open(data, abi.O_RDWR)
    for act, name, arguments in (
        ("lockf", "fcntl", (abi.F_SETLKW, lock(caught, abi.F_WRLCK))),
        ("flock", "flock", (abi.LOCK_EX,)),
    ):
        child = held_by_child(data, act)
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        try:
            assert "EINTR" == caught.error(name, fd, *arguments)
        finally:
            timer.join()
            release(child)
        forget_signals(caught)
        assert 0 == caught.ok(name, fd, *arguments)


def test_flock_excludes_other_open_files(guest: Guest, data: Path) -> None:
    first, second = guest.open(data), guest.open(data)
    assert 0 == guest.ok("flock", first, abi.LOCK_EX)
    assert "EAGAIN" == guest.error("flock", second, abi.LOCK_SH | abi.LOCK_NB)
    assert 0 == guest.ok("flock", first, abi.LOCK_UN)
    assert 0 == guest.ok("flock", second, abi.LOCK_SH | abi.LOCK_NB)
    assert 0 == guest.ok("flock", first, abi.LOCK_SH)


def test_flock_without_an_operation_is_ebadf_and_on_a_pipe_enotsup(
    guest: Guest, data: Path
) -> None:
    assert "EBADF" == guest.error("flock", guest.open(data), 0)
    assert "EBADF" == guest.error("flock", guest.open(data), abi.LOCK_NB)
    assert "ENOTSUP" == guest.error("flock", guest.pipe()[0], abi.LOCK_EX)
    assert "EBADF" == guest.error("flock", 200, abi.LOCK_EX)


# --- ioctl ------------------------------------------------------------------------------


def test_fionread_counts_what_waits(guest: Guest, data: Path) -> None:
    reader, writer = guest.pipe()
    guest.ok("write", writer, guest.put(b"abc"), 3)
    room = guest.room(4)
    guest.ok("ioctl", reader, abi.FIONREAD, room)
    assert 3 == guest.memory.i32(room)
    fd = guest.open(data)
    guest.ok("lseek", fd, 4, abi.SEEK_SET)
    guest.ok("ioctl", fd, abi.FIONREAD, room)
    assert 6 == guest.memory.i32(room)
    guest.ok("lseek", fd, 40, abi.SEEK_SET)
    guest.ok("ioctl", fd, abi.FIONREAD, room)
    assert 0 == guest.memory.i32(room)


def test_fionbio_switches_waiting_off_and_on(guest: Guest) -> None:
    reader, _ = guest.pipe()
    one, zero = guest.put((1).to_bytes(4, "little")), guest.put(bytes(4))
    guest.ok("ioctl", reader, abi.FIONBIO, one)
    assert abi.O_NONBLOCK == guest.ok("fcntl", reader, abi.F_GETFL, 0)
    guest.ok("ioctl", reader, abi.FIONBIO, zero)
    assert 0 == guest.ok("fcntl", reader, abi.F_GETFL, 0)
    assert "EFAULT" == guest.error("ioctl", reader, abi.FIONBIO, NOWHERE)


def test_fioclex_is_close_on_exec(guest: Guest, data: Path) -> None:
    fd = guest.open(data)
    guest.ok("ioctl", fd, abi.FIOCLEX, 0)
    assert 1 == guest.ok("fcntl", fd, abi.F_GETFD, 0)
    guest.ok("ioctl", fd, abi.FIONCLEX, 0)
    assert 0 == guest.ok("fcntl", fd, abi.F_GETFD, 0)


def test_a_terminal_has_a_size_and_a_file_none(guest: Guest, data: Path) -> None:
    master, terminal = pty.openpty()
    room = guest.room(8)
    try:
        assert 0 == guest.ok("ioctl", terminal, abi.TIOCGWINSZ, room)
    finally:
        os.close(master)
        os.close(terminal)
    assert "ENOTTY" == guest.error("ioctl", guest.open(data), abi.TIOCGWINSZ, room)


def test_an_unknown_request_is_enotty(guest: Guest, data: Path) -> None:
    fd = guest.open(data)
    assert "ENOTTY" == guest.error("ioctl", fd, 0x2000_1234, 0)
    assert "ENOTTY" == guest.error("ioctl", fd, abi.SIOCATMARK, BASE)
    assert 0 == guest.ok("ioctl", fd, abi.FIOASYNC, guest.put(bytes(4)))
    for request in (abi.FIOCLEX, abi.FIONREAD, abi.FIOASYNC, 0x2000_1234):
        assert "EBADF" == guest.error("ioctl", 200, request, BASE)


def test_siocatmark_asks_a_socket(guest: Guest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    with client, server:
        guest.task.files.attach(server.fileno(), Description("socket"))
        room = guest.put(b"\xff" * 4)
        assert 0 == guest.ok("ioctl", server.fileno(), abi.SIOCATMARK, room)
        assert 0 == guest.memory.i32(room)


def test_sockets_are_no_files(guest: Guest) -> None:
    ends = guest.room(8)
    guest.ok("socketpair", abi.AF_UNIX, abi.SOCK_STREAM, 0, ends)
    first, second = guest.memory.i32(ends), guest.memory.i32(ends + 4)
    guest.opened.update((first, second))
    assert 5 == guest.ok("write", first, guest.put(b"hello"), 5)
    assert 5 == guest.ok("read", second, BASE, 10)
    assert 2 == guest.ok("writev", first, vector(guest, (guest.put(b"a"), 1), (BASE, 1)), 2)
    assert 2 == guest.ok("readv", second, vector(guest, (guest.room(8), 8)), 1)
    assert "ESPIPE" == guest.error("lseek", first, 0, abi.SEEK_SET)
    assert "ESPIPE" == guest.error("pread", first, BASE, 1, 0)
    assert "ENOTSUP" == guest.error("fsync", first)
    assert "ENOTSUP" == guest.error("flock", first, abi.LOCK_EX)
    assert "EINVAL" == guest.error("ftruncate", first, 0)


def test_a_reader_that_leaves_in_the_middle_of_a_write_is_epipe(caught: Guest) -> None:
    reader, writer = caught.pipe()
    timer = threading.Timer(0.03, os.close, (reader,))
    timer.start()
    assert "EPIPE" == caught.error("write", writer, BASE, 250_000)
    timer.join()
    assert [abi.SIGPIPE] == caught.signals()


def test_a_guest_inside_another_process_may_count_its_descriptors_from_new(
    guest: Guest, tmp_path: Path
) -> None:
    files = guest.task.files
    files.redirected = {number: os.dup(1) for number in range(3)}
    files.numbered = True
    try:
        assert 3 == guest.call("open", guest.text(tmp_path), abi.O_RDONLY, 0)
        assert (4, 5) == guest.call("pipe")
        assert 6 == guest.call("dup", 4)
        assert 9 == guest.call("fcntl", 4, abi.F_DUPFD, 9)
        with pytest.raises(Errno):
            guest.call("dup", 7)        # whatever this process has open there
        assert 7 == guest.call("dup2", 5, 7)
        assert 1 == guest.call("write", 7, guest.put(b"x"), 1)
        assert 1 == guest.call("read", 9, guest.room(1), 1)
        guest.call("socketpair", abi.AF_UNIX, abi.SOCK_STREAM, 0, pair := guest.room(8))
        assert bytes((8, 0, 0, 0, 10, 0, 0, 0)) == guest.get(pair, 8)
    finally:
        for fd in set(files.redirected.values()):
            os.close(fd)
