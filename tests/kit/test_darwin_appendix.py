"""The page of supported calls, and the rule that every row has a test."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.appendix import markdown
from ymawky_kit.darwin.kernel import load_rows
from ymawky_kit.darwin.table import Row, Support, table

load_rows()
ROWS = list(table)
HERE = Path(__file__).parent

#: Row module -> the test file that must call each of its rows by name.
TESTED_IN = {
    "transfer": "test_darwin_descriptor.py",
    "descriptor": "test_darwin_descriptor.py",
    "control": "test_darwin_descriptor.py",
    "lock": "test_darwin_descriptor.py",
    "opening": "test_darwin_file.py",
    "status": "test_darwin_file.py",
    "file": "test_darwin_file.py",
    "directory": "test_darwin_directory.py",
    "attributes": "test_darwin_directory.py",
    "memory_map": "test_darwin_memory_map.py",
    "clock": "test_darwin_clock.py",
    "sysinfo": "test_darwin_sysinfo.py",
}


@pytest.mark.parametrize("module", sorted(TESTED_IN))
def test_every_row_of_a_module_is_called_by_its_tests(module: str) -> None:
    text = (HERE / TESTED_IN[module]).read_text(encoding="utf-8")
    named = set(re.findall(r'"([a-z_0-9]+)"', text))
    rows = {row.name for row in ROWS if row.module == module}
    assert rows
    assert set() == rows - named


def test_every_row_has_its_line_in_the_page() -> None:
    page = markdown()
    for row in ROWS:
        (line,) = [line for line in page.splitlines() if f"| `{row.name}`" in line]
        assert str(row.number) == line.split("|")[1].split()[0]
        assert row.nocancel is None or f"({row.nocancel})" in line


def test_the_page_is_the_same_in_every_process() -> None:
    code = "from ymawky_kit.darwin.appendix import markdown; print(markdown(), end='')"
    command = [sys.executable, "-c", code]
    found = [
        subprocess.run(
            command, capture_output=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout.decode()
        for seed in ("1", "2")
    ]
    assert [markdown(), markdown()] == found


def test_every_table_of_the_page_has_five_columns() -> None:
    lines = [line for line in markdown().splitlines() if line.startswith("|")]
    assert len(lines) > 100
    for line in lines:
        assert 6 == len(re.findall(r"(?<!\\)\|", line)), line


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_not_full_says_why_and_every_row_says_what_it_does(row: Row) -> None:
    assert row.summary
    assert row.support is Support.FULL or row.note
    assert len(row.kinds) <= 8


def test_a_nocancel_twin_is_the_same_row() -> None:
    twins = {
        "read": 396, "write": 397, "open": 398, "close": 399, "wait4": 400, "recvmsg": 401,
        "sendmsg": 402, "recvfrom": 403, "accept": 404, "msync": 405, "fcntl": 406, "select": 407,
        "fsync": 408, "connect": 409, "sigsuspend": 410, "readv": 411, "writev": 412,
        "sendto": 413, "pread": 414, "pwrite": 415, "poll": 417, "__semwait_signal": 423,
        "openat": 464, "pselect": 395, "preadv": 542, "pwritev": 543,
    }
    for name, number in twins.items():
        row = table.get(number)
        assert row is not None
        assert name == row.name


def test_the_numbers_are_those_of_syscalls_master() -> None:
    numbers = {
        "exit": 1, "fork": 2, "read": 3, "write": 4, "open": 5, "close": 6, "wait4": 7, "link": 9,
        "unlink": 10, "chdir": 12, "fchdir": 13, "chmod": 15, "chown": 16, "getpid": 20,
        "setuid": 23, "getuid": 24, "geteuid": 25, "accept": 30, "access": 33, "kill": 37,
        "getppid": 39, "dup": 41, "pipe": 42, "getegid": 43, "sigaction": 46, "getgid": 47,
        "sigprocmask": 48, "sigaltstack": 53, "ioctl": 54, "symlink": 57, "readlink": 58,
        "execve": 59, "umask": 60, "chroot": 61, "msync": 65, "munmap": 73, "mprotect": 74,
        "madvise": 75, "mincore": 78, "getpgrp": 81, "setpgid": 82, "setitimer": 83, "dup2": 90,
        "fcntl": 92, "select": 93, "fsync": 95, "setpriority": 96, "socket": 97, "connect": 98,
        "getpriority": 100, "bind": 104, "setsockopt": 105, "listen": 106, "sigsuspend": 111,
        "gettimeofday": 116, "getrusage": 117, "getsockopt": 118, "readv": 120, "writev": 121,
        "fchown": 123, "fchmod": 124, "rename": 128, "flock": 131, "mkfifo": 132, "sendto": 133,
        "shutdown": 134, "socketpair": 135, "mkdir": 136, "rmdir": 137, "setsid": 147,
        "pread": 153, "pwrite": 154, "setgid": 181, "sigreturn": 184, "fdatasync": 187,
        "getrlimit": 194, "setrlimit": 195, "mmap": 197, "lseek": 199, "truncate": 200,
        "ftruncate": 201, "sysctl": 202, "poll": 230, "issetugid": 327, "proc_info": 336,
        "sendfile": 337, "stat64": 338, "fstat64": 339, "lstat64": 340, "getdirentries64": 344,
        "statfs64": 345, "fstatfs64": 346, "kqueue": 362, "kevent": 363, "kevent64": 369,
        "getattrlistbulk": 461, "openat": 463, "renameat": 465, "faccessat": 466, "fchmodat": 467,
        "fchownat": 468, "fstatat64": 470, "linkat": 471, "unlinkat": 472, "readlinkat": 473,
        "symlinkat": 474, "mkdirat": 475, "renameatx_np": 488, "getentropy": 500,
        "mach_absolute_time": -3, "mach_timebase_info": -89, "mach_wait_until": -90,
    }
    found = {name: row.number for name in numbers if (row := table.named(name)) is not None}
    assert numbers == found


def test_the_constants_that_programs_are_built_with_are_in_the_vocabularies() -> None:
    assert "F_SETNOSIGPIPE" == abi.VOCABULARIES["fcntl"](73)
    assert "SIGCHLD" == abi.VOCABULARIES["signal"](20)
