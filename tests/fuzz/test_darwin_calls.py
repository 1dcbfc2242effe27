"""Random calls on files, descriptors and memory never end in anything but a result or an errno.

Each seed runs in a child of its own, in an empty directory, with a timer that
interrupts whatever sleeps.  The calls are real, so they must not reach anything else:
every path is one of a few relative names without "..", the only descriptors are files of
that directory, and calls that leave it are left out.
"""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from support.guest import BASE, END, NOWHERE, Guest

from ymawky_kit.darwin import abi, host
from ymawky_kit.darwin.errno import NAMES, Errno
from ymawky_kit.darwin.kernel import load_rows
from ymawky_kit.darwin.table import Row, table

CALLS = 2500
SEEDS = 6
#: The child tells through this descriptor what went wrong; the guest cannot see it.
REPORT = 250
MODULES = {
    "transfer", "descriptor", "control", "lock", "opening", "status", "file", "directory",
    "attributes", "memory_map", "clock", "sysinfo",
}
#: These would change the process that runs the test, or wait for a partner.
LEFT_OUT = {"setuid", "setgid", "chroot", "setpriority", "mkfifo", "chdir", "fchdir"}

NAMES_OF_FILES = (
    b"a", b"b", b"d", b"d/", b"d/e", b"link", b"loop", b"./a", b".", b"",
    b"missing/x", b"x" * 256, b"y" * 1024, b"\xff\xfe", b"a/",
)
NUMBERS = (
    0, 1, 2, 3, 4, 5, 7, 8, 16, 255, 256, 1023, 1024, 4096, abi.PAGE_SIZE, abi.PAGE_SIZE * 3,
    abi.INT_MAX, abi.INT_MAX + 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 64) - 2,
    -abi.PAGE_SIZE & (1 << 64) - 1, 0xFFFF_FFFF, 0x8000_0000,
)


def register(guest: Guest, row: Row, index: int, draw: random.Random) -> int:
    """A value for an argument: usually one that gets past the first check."""
    kind = row.kinds[index].name
    if kind in ("path", "text"):
        # Never a number: what lies at a random place of memory might be a path out.
        if draw.random() < 0.1:
            return draw.choice((0, NOWHERE, END))
        return guest.text(draw.choice(NAMES_OF_FILES))
    if draw.random() < 0.15:
        return draw.choice(NUMBERS)
    if kind == "fd":
        return draw.choice((3, 4, 5, 6, 7, 8, 9, 10, 12, 200))
    if kind == "dirfd":
        return draw.choice((abi.AT_FDCWD & 0xFFFFFFFF, 3, 4, 5, 6, 9))
    if kind in ("address", "input", "output"):
        near = draw.choice((BASE + 8192, BASE + draw.randrange(65536), END - 8, END, NOWHERE, 0))
        return near & (-abi.PAGE_SIZE if draw.random() < 0.3 else -1)
    if kind == "size":
        return draw.choice((0, 1, 8, 16, 100, 1000, 1024, 5000, abi.PAGE_SIZE, abi.INT_MAX + 1))
    if kind.startswith(("enum", "command")):
        return draw.choice(sorted(abi.VOCABULARIES[kind.split()[1]].values) or [0]) & 0xFFFFFFFF
    if kind.startswith("flags"):
        bits = [bit for bit, _ in abi.VOCABULARIES[kind.split()[1]].bits]
        return sum({draw.choice(bits) for _ in range(draw.randrange(4))}) & 0xFFFFFFFF
    return draw.choice(NUMBERS) if draw.random() < 0.5 else draw.randrange(64)


def one_call(guest: Guest, row: Row, draw: random.Random) -> None:
    guest._next = BASE          # the last call's strings are over
    if draw.random() < 0.3:     # structures full of noise
        guest.memory.region(BASE + 8192)
        guest.memory.poke(BASE + 8192, draw.randbytes(256))
    guest.task.short = draw.choice((None, None, None, 0, 1, 7))
    arguments = [register(guest, row, index, draw) for index in range(len(row.kinds))]
    try:
        result = guest.call(row.name, *arguments)
    except Errno as error:
        assert error.number in NAMES, error.number
        return
    for value in result if isinstance(result, tuple) else (result,):
        assert isinstance(value, int), (row.name, value)
    # Memory the guest lives in must stay.
    if guest.memory.region(BASE) is None or row.name in ("munmap", "mprotect", "mmap"):
        guest.memory.map(BASE, END - BASE, 3, 3)


def small_only(action: Callable[[int, int, int], None]) -> Callable[[int, int, int], None]:
    """No test fills the disk."""

    def checked(fd: int, offset: int, length: int) -> None:
        if length > 1 << 20:
            raise OSError(errno.ENOSPC, "too much for a test")
        action(fd, offset, length)

    return checked


def child(folder: Path, seed: int) -> None:
    os.chdir(folder)
    standard = os.open("standard", os.O_RDWR | os.O_CREAT)
    for number in range(3):         # a change of mode must not reach the test's own
        os.dup2(standard, number)
    os.close(standard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 22, resource.RLIM_INFINITY))
    host.preallocate = small_only(host.preallocate)
    host.punch_hole = small_only(host.punch_hole)
    Path("a").write_bytes(b"0123456789" * 1000)
    Path("b").touch()
    Path("d").mkdir()
    Path("link").symlink_to("a")
    Path("loop").symlink_to("loop")
    draw = random.Random(seed)
    rows = [row for row in table if row.module in MODULES and row.name not in LEFT_OUT]
    with Guest() as guest:
        guest.task.files.ceiling = REPORT
        guest.catch(abi.SIGALRM)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        for number in range(CALLS):
            row = draw.choice(rows)
            state = f"call {number}: {row.name}"
            try:
                one_call(guest, row, draw)
            except BaseException as error:
                raise AssertionError(state) from error
            guest.task.signals.collect()
            guest.task.signals._pending = 0
        signal.setitimer(signal.ITIMER_REAL, 0)


def make_removable(folder: Path) -> None:
    """Random modes may keep their owner out."""
    folder.chmod(0o700)
    for path in folder.iterdir():
        if not path.is_symlink() and path.is_dir():
            make_removable(path)


def test_no_path_of_the_fuzzer_leads_out_of_its_directory() -> None:
    for name in NAMES_OF_FILES:
        assert not name.startswith(b"/")
        assert b".." not in name.split(b"/")
    assert {"chdir", "fchdir", "chroot"} <= LEFT_OUT


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_calls_give_results_or_errors(tmp_path: Path, seed: int) -> None:
    load_rows()
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        report = os.fdopen(os.dup2(writer, REPORT), "w")
        os.closerange(3, REPORT)
        signal.alarm(0)
        code = 1
        try:
            child(tmp_path, seed)
            code = 0
        except BaseException:
            traceback.print_exc(file=report)
            report.flush()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as report:
        text = report.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    make_removable(tmp_path)
    assert (0, "") == (status, text), text[-3000:]
