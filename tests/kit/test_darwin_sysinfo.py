"""Ids, limits, usage, sysctl, random bytes."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator

import pytest
from support.guest import BASE, NOWHERE, Guest

from ymawky_kit.darwin import abi, limits
from ymawky_kit.darwin.structs import RLIMIT, RUSAGE, TIMEVAL


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest() as found:
        yield found


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an ordinary user, whoever runs the tests."""
    monkeypatch.setattr(os, "geteuid", lambda: 501)


def test_the_ids_are_the_hosts(guest: Guest) -> None:
    assert (os.getuid(), os.geteuid(), os.getgid(), os.getegid()) == tuple(
        guest.ok(name) for name in ("getuid", "geteuid", "getgid", "getegid")
    )
    assert 0 == guest.ok("issetugid")
    assert threading.get_native_id() == guest.ok("thread_selfid")


def test_becoming_oneself_is_allowed_and_another_is_not(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_number: int) -> None:
        raise PermissionError(1, "no")

    guest.ok("setuid", os.getuid())
    guest.ok("setgid", os.getgid())
    monkeypatch.setattr(os, "setuid", refuse)
    monkeypatch.setattr(os, "setgid", refuse)
    assert "EPERM" == guest.error("setuid", 12345)
    assert "EPERM" == guest.error("setgid", 12345)


# --- limits -----------------------------------------------------------------------------


def limit(guest: Guest, which: int) -> tuple[int, int]:
    room = guest.room(16)
    guest.ok("getrlimit", which, room)
    return guest.memory.u64(room), guest.memory.u64(room + 8)


@pytest.mark.parametrize(
    ("which", "soft"),
    [
        (abi.RLIMIT_NOFILE, 256),
        (abi.RLIMIT_NOFILE | abi.RLIMIT_POSIX_FLAG, 256),
        (abi.RLIMIT_STACK, 8372224),
        (abi.RLIMIT_CORE, 0),
        (abi.RLIMIT_CPU, abi.RLIM_INFINITY),
        (abi.RLIMIT_AS, abi.RLIM_INFINITY),
    ],
)
def test_a_fresh_process_has_the_limits_of_a_mac(guest: Guest, which: int, soft: int) -> None:
    assert soft == limit(guest, which)[0]


def test_limits_are_changed_and_stay_changed(guest: Guest) -> None:
    wanted = guest.struct(RLIMIT, rlim_cur=1000, rlim_max=2000)
    guest.ok("setrlimit", abi.RLIMIT_NOFILE, wanted)
    assert (1000, 2000) == limit(guest, abi.RLIMIT_NOFILE)
    assert 1000 == limits.descriptors(guest.task)


def test_a_limit_inside_a_notebook_is_not_the_hosts(guest: Guest) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    guest.ok("setrlimit", abi.RLIMIT_NOFILE, guest.struct(RLIMIT, rlim_cur=50, rlim_max=60))
    assert before == resource.getrlimit(resource.RLIMIT_NOFILE)


def test_a_limit_of_a_process_of_its_own_is_the_hosts(guest: Guest) -> None:
    if (pid := os.fork()) == 0:
        status = 1
        try:
            guest.task.owns_process = True
            guest.ok("setrlimit", abi.RLIMIT_NOFILE,
                     guest.struct(RLIMIT, rlim_cur=77, rlim_max=abi.RLIM_INFINITY))
            guest.ok("setrlimit", abi.RLIMIT_FSIZE,
                     guest.struct(RLIMIT, rlim_cur=abi.RLIM_INFINITY, rlim_max=abi.RLIM_INFINITY))
            right = 77 == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            status = 0 if right else 2
        finally:
            os._exit(status)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.usefixtures("ordinary")
def test_limits_refuse_nonsense_and_raising(guest: Guest) -> None:
    assert "EINVAL" == guest.error("getrlimit", 9, BASE)
    assert "EINVAL" == guest.error("getrlimit", -1, BASE)
    assert "EINVAL" == guest.error("setrlimit", 9, BASE)
    assert "EFAULT" == guest.error("getrlimit", 0, NOWHERE)
    assert "EFAULT" == guest.error("setrlimit", 0, NOWHERE)
    over = guest.struct(RLIMIT, rlim_cur=2, rlim_max=1)
    assert "EINVAL" == guest.error("setrlimit", abi.RLIMIT_NOFILE, over)
    guest.ok("setrlimit", abi.RLIMIT_CORE, guest.struct(RLIMIT, rlim_cur=0, rlim_max=10))
    higher = guest.struct(RLIMIT, rlim_cur=0, rlim_max=11)
    assert "EPERM" == guest.error("setrlimit", abi.RLIMIT_CORE, higher)


def test_root_may_raise_a_limit(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    guest.ok("setrlimit", abi.RLIMIT_CORE, guest.struct(RLIMIT, rlim_cur=0, rlim_max=10))
    guest.ok("setrlimit", abi.RLIMIT_CORE, guest.struct(RLIMIT, rlim_cur=5, rlim_max=11))
    assert (5, 11) == limit(guest, abi.RLIMIT_CORE)


def test_usage_is_counted_in_bytes(guest: Guest) -> None:
    room = guest.room(144)
    guest.ok("getrusage", abi.RUSAGE_SELF, room)
    found = guest.read_struct(RUSAGE, room)
    assert 8 << 20 < int(found["ru_maxrss"]) < 64 << 30
    used = int(found["ru_utime_sec"]) + int(found["ru_utime_usec"]) / 1e6
    assert 0 < used <= resource.getrusage(resource.RUSAGE_SELF).ru_utime
    assert 0 == guest.ok("getrusage", abi.RUSAGE_CHILDREN, room)
    assert "EINVAL" == guest.error("getrusage", 1, room)
    assert "EFAULT" == guest.error("getrusage", 0, NOWHERE)


def test_priorities_are_read_and_lowered(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr(os, "setpriority", lambda *values: asked.append(values))
    assert os.getpriority(os.PRIO_PROCESS, 0) == guest.ok("getpriority", abi.PRIO_PROCESS, 0)
    guest.ok("setpriority", abi.PRIO_PGRP, 0, 5)
    guest.ok("setpriority", abi.PRIO_PROCESS, 0, 1000)
    assert [(os.PRIO_PGRP, 0, 5), (os.PRIO_PROCESS, 0, 20)] == asked
    assert "EINVAL" == guest.error("getpriority", 3, 0)
    assert "EINVAL" == guest.error("setpriority", 3, 0, 0)
    assert "ESRCH" == guest.error("getpriority", abi.PRIO_PROCESS, 0x3FFF_FFFF)


# --- random bytes, sysctl ---------------------------------------------------------------


def test_getentropy_fills_at_most_256_bytes_and_returns_0(guest: Guest) -> None:
    room = guest.room(512)
    assert 0 == guest.ok("getentropy", room, 256)
    first = guest.get(room, 256)
    assert bytes(256) != first
    assert bytes(256) == guest.get(room + 256, 256)
    guest.ok("getentropy", room, 256)
    assert first != guest.get(room, 256)
    assert "EINVAL" == guest.error("getentropy", room, 257)
    assert "EFAULT" == guest.error("getentropy", NOWHERE, 16)


def by_name(guest: Guest, name: bytes) -> bytes:
    room, length = guest.room(256), guest.put((256).to_bytes(8, "little"))
    guest.ok("sysctlbyname", guest.put(name), len(name), room, length, 0, 0)
    return guest.get(room, guest.memory.u64(length))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"kern.ostype", b"Darwin\0"),
        (b"hw.machine", b"arm64\0"),
        (b"hw.pagesize", (16384).to_bytes(8, "little")),
        (b"hw.byteorder", (1234).to_bytes(4, "little")),
        (b"kern.argmax", (1 << 20).to_bytes(4, "little")),
        (b"kern.ipc.somaxconn", (128).to_bytes(4, "little")),
        (b"hw.ncpu", (os.cpu_count() or 1).to_bytes(4, "little")),
        (b"hw.tbfrequency", (24_000_000).to_bytes(8, "little")),
    ],
)
def test_sysctlbyname_answers(guest: Guest, name: bytes, value: bytes) -> None:
    assert value == by_name(guest, name)


def test_every_node_answers_by_name_and_by_number_alike(guest: Guest) -> None:
    from ymawky_kit.darwin.sysinfo import _NODES

    for name, mib, _ in _NODES:
        text = by_name(guest, name.encode())
        assert text
        if mib is None:
            continue
        room, length = guest.room(256), guest.put((256).to_bytes(8, "little"))
        numbers = guest.put(b"".join(part.to_bytes(4, "little") for part in mib))
        guest.ok("sysctl", numbers, 2, room, length, 0, 0)
        found = guest.get(room, guest.memory.u64(length))
        assert len(text) == len(found)
        if name != "kern.boottime":
            assert text == found
    assert TIMEVAL.size == len(by_name(guest, b"kern.boottime"))


def test_sysctl_tells_sizes_and_refuses(guest: Guest) -> None:
    name, length = guest.put(b"kern.ostype"), guest.put(bytes(8))
    guest.ok("sysctlbyname", name, 11, 0, length, 0, 0)
    assert 7 == guest.memory.u64(length)
    room = guest.put(b"\xee" * 16)
    guest.memory.put_u64(length, 4)
    assert "ENOMEM" == guest.error("sysctlbyname", name, 11, room, length, 0, 0)
    assert b"Darw\xee" == guest.get(room, 5)
    assert "EPERM" == guest.error("sysctlbyname", name, 11, 0, 0, room, 4)
    assert "ENOENT" == guest.error("sysctlbyname", name, 4, 0, length, 0, 0)
    assert "EINVAL" == guest.error("sysctlbyname", name, 5000, 0, length, 0, 0)
    numbers = guest.put(b"".join(n.to_bytes(4, "little") for n in (6, 7, 1)))
    guest.memory.put_u64(length, 16)
    guest.ok("sysctl", numbers, 2, room, length, 0, 0)
    assert (16384, 4) == (guest.memory.u32(room), guest.memory.u64(length))
    assert "EINVAL" == guest.error("sysctl", numbers, 1, room, length, 0, 0)
    assert "ENOENT" == guest.error("sysctl", numbers, 3, room, length, 0, 0)


def test_there_is_no_security_policy_to_ask(guest: Guest) -> None:
    assert "ENOPOLICY" == guest.error("__mac_syscall", guest.text("Sandbox"), 0, 0)
