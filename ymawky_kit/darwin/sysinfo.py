"""Who runs, on what, and how much it may: ids, limits, usage, sysctl, random bytes.

Sources: XNU bsd/kern/kern_prot.c, kern_resource.c, kern_newsysctl.c, bsd/dev/random.
"""

from __future__ import annotations

import _thread
import os
import resource
import socket as host_socket
import sys
import time
from collections.abc import Callable
from struct import Struct
from typing import Final

from ymawky_kit.darwin import abi, limits
from ymawky_kit.darwin.errno import EINVAL, ENOENT, ENOMEM, ENOPOLICY, EPERM, Errno
from ymawky_kit.darwin.path import translated
from ymawky_kit.darwin.structs import RLIMIT, RUSAGE, TIMEVAL
from ymawky_kit.darwin.table import (
    ADDRESS,
    ENUM,
    FULL,
    INT,
    LONG,
    OUTPUT,
    PARTIAL,
    PATH,
    SIZE,
    STUB,
    UINT,
    UNSIGNED,
    table,
)
from ymawky_kit.darwin.task import Task

_I32: Final = Struct("<i")
_I64: Final = Struct("<q")


# --- users and groups -------------------------------------------------------------------


@table.syscall(24, "getuid", support=FULL, returns=UNSIGNED)
def getuid(_task: Task) -> int:
    """The real user."""
    return os.getuid()


@table.syscall(25, "geteuid", support=FULL, returns=UNSIGNED)
def geteuid(_task: Task) -> int:
    """The effective user."""
    return os.geteuid()


@table.syscall(47, "getgid", support=FULL, returns=UNSIGNED)
def getgid(_task: Task) -> int:
    """The real group."""
    return os.getgid()


@table.syscall(43, "getegid", support=FULL, returns=UNSIGNED)
def getegid(_task: Task) -> int:
    """The effective group."""
    return os.getegid()


@table.syscall(23, "setuid", UINT, support=FULL)
def setuid(_task: Task, uid: int) -> int:
    """Become a user; root changes all three ids, others the effective one. EPERM."""
    with translated():
        os.setuid(uid)
    return 0


@table.syscall(181, "setgid", UINT, support=FULL)
def setgid(_task: Task, gid: int) -> int:
    """Become a group, by the same rule. EPERM."""
    with translated():
        os.setgid(gid)
    return 0


@table.syscall(327, "issetugid", support=FULL)
def issetugid(_task: Task) -> int:
    """Was this a set-id program? 0, for the emulator starts none."""
    return 0


@table.syscall(372, "thread_selfid", support=FULL, returns=LONG)
def thread_selfid(_task: Task) -> int:
    """The number of the running thread."""
    return _thread.get_native_id()


# --- limits and usage -------------------------------------------------------------------


@table.syscall(194, "getrlimit", ENUM("rlimit"), ADDRESS, support=FULL)
def getrlimit(task: Task, which: int, address: int) -> int:
    """A limit, soft and hard; a fresh process may have 256 descriptors. EINVAL."""
    task.memory.write(address, RLIMIT.codec.pack(*limits.get(task, which)))
    return 0


@table.syscall(
    195, "setrlimit", ENUM("rlimit"), ADDRESS, support=PARTIAL,
    note="CPU, FSIZE, CORE and NOFILE take effect; the others are only remembered.",
)
def setrlimit(task: Task, which: int, address: int) -> int:
    """Set a limit; EINVAL for soft over hard, EPERM for raising the hard one."""
    limits.get(task, which)     # an unknown resource before a bad pointer
    soft, hard = RLIMIT.codec.unpack(task.memory.view(address, RLIMIT.size))
    with translated():
        limits.change(task, which, soft, hard)
    return 0


@table.syscall(117, "getrusage", ENUM("rusage"), ADDRESS, support=FULL)
def getrusage(task: Task, who: int, address: int) -> int:
    """Time and memory used; the largest size is in bytes here, in KiB on Linux."""
    if who not in (abi.RUSAGE_SELF, abi.RUSAGE_CHILDREN):
        raise Errno(EINVAL)
    found = resource.getrusage(
        resource.RUSAGE_SELF if who == abi.RUSAGE_SELF else resource.RUSAGE_CHILDREN
    )
    task.memory.write(address, pack_rusage(found))
    return 0


def pack_rusage(found: resource.struct_rusage) -> bytes:
    """The host's account as Darwin's struct rusage, 144 bytes; wait4 wants it too."""
    unit = 1 if sys.platform == "darwin" else 1024
    user, system = int(found.ru_utime * 1e6), int(found.ru_stime * 1e6)
    return RUSAGE.codec.pack(
        user // 1_000_000, user % 1_000_000, system // 1_000_000, system % 1_000_000,
        found.ru_maxrss * unit, found.ru_ixrss, found.ru_idrss, found.ru_isrss,
        found.ru_minflt, found.ru_majflt, found.ru_nswap, found.ru_inblock, found.ru_oublock,
        found.ru_msgsnd, found.ru_msgrcv, found.ru_nsignals, found.ru_nvcsw, found.ru_nivcsw,
    )


_PRIORITY: Final = {
    abi.PRIO_PROCESS: os.PRIO_PROCESS,
    abi.PRIO_PGRP: os.PRIO_PGRP,
    abi.PRIO_USER: os.PRIO_USER,
}


@table.syscall(
    100, "getpriority", ENUM("priority"), INT, support=PARTIAL,
    note="Processes, groups and users; the Darwin-only kinds are EINVAL.",
)
def getpriority(_task: Task, which: int, who: int) -> int:
    """A scheduling priority, -20 to 20."""
    if which not in _PRIORITY:
        raise Errno(EINVAL)
    with translated():
        return os.getpriority(_PRIORITY[which], who)


@table.syscall(
    96, "setpriority", ENUM("priority"), INT, INT, support=PARTIAL,
    note="Processes, groups and users; the Darwin-only kinds are EINVAL.",
)
def setpriority(_task: Task, which: int, who: int, priority: int) -> int:
    """Set a priority; out of range is cut to -20 or 20."""
    if which not in _PRIORITY:
        raise Errno(EINVAL)
    with translated():
        os.setpriority(_PRIORITY[which], who, max(-20, min(priority, 20)))
    return 0


# --- random bytes -----------------------------------------------------------------------


@table.syscall(500, "getentropy", OUTPUT, SIZE, support=FULL)
def getentropy(task: Task, address: int, size: int) -> int:
    """Random bytes, at most 256 a call (EINVAL); the result is 0, not a count."""
    if size > 256:
        raise Errno(EINVAL)
    task.memory.write(address, os.urandom(size))
    return 0


# --- sysctl -----------------------------------------------------------------------------

_OS_RELEASE: Final = b"23.0.0"
_OS_BUILD: Final = b"23A344"
_OS_PRODUCT: Final = b"14.0"
_VERSION: Final = (
    b"Darwin Kernel Version 23.0.0: ymawky emulator; root:xnu/RELEASE_ARM64"
)


def _text(value: bytes) -> bytes:
    return value + b"\0"


def _number(value: int) -> bytes:
    return _I32.pack(value)


def _memory_size() -> bytes:
    try:
        return _I64.pack(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except ValueError:      # a host that does not say: the smallest Mac with this chip
        return _I64.pack(8 << 30)


def _boot_time() -> bytes:
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    booted = time.time_ns() - time.clock_gettime_ns(clock)
    return TIMEVAL.codec.pack(booted // 1_000_000_000, booted // 1000 % 1_000_000)


def _cpus() -> bytes:
    return _number(os.cpu_count() or 1)


#: Name, the two numbers of its MIB (where it has fixed ones), and its value.
_NODES: Final[tuple[tuple[str, tuple[int, int] | None, Callable[[], bytes]], ...]] = (
    ("kern.ostype", (abi.CTL_KERN, abi.KERN_OSTYPE), lambda: _text(b"Darwin")),
    ("kern.osrelease", (abi.CTL_KERN, abi.KERN_OSRELEASE), lambda: _text(_OS_RELEASE)),
    ("kern.osrevision", (abi.CTL_KERN, abi.KERN_OSREV), lambda: _number(199506)),
    ("kern.version", (abi.CTL_KERN, abi.KERN_VERSION), lambda: _text(_VERSION)),
    ("kern.osversion", (abi.CTL_KERN, abi.KERN_OSVERSION), lambda: _text(_OS_BUILD)),
    ("kern.osproductversion", None, lambda: _text(_OS_PRODUCT)),
    ("kern.maxproc", (abi.CTL_KERN, abi.KERN_MAXPROC), lambda: _number(4176)),
    ("kern.maxfiles", (abi.CTL_KERN, abi.KERN_MAXFILES), lambda: _number(184320)),
    ("kern.maxfilesperproc", (abi.CTL_KERN, abi.KERN_MAXFILESPERPROC), lambda: _number(92160)),
    ("kern.argmax", (abi.CTL_KERN, abi.KERN_ARGMAX), lambda: _number(abi.ARG_MAX)),
    ("kern.ngroups", (abi.CTL_KERN, abi.KERN_NGROUPS), lambda: _number(16)),
    (
        "kern.hostname", (abi.CTL_KERN, abi.KERN_HOSTNAME),
        lambda: _text(host_socket.gethostname().encode()),
    ),
    ("kern.boottime", (abi.CTL_KERN, abi.KERN_BOOTTIME), _boot_time),
    ("kern.ipc.somaxconn", None, lambda: _number(abi.SOMAXCONN)),
    ("hw.machine", (abi.CTL_HW, abi.HW_MACHINE), lambda: _text(b"arm64")),
    ("hw.model", (abi.CTL_HW, abi.HW_MODEL), lambda: _text(b"VirtualMac2,1")),
    ("hw.ncpu", (abi.CTL_HW, abi.HW_NCPU), _cpus),
    ("hw.activecpu", (abi.CTL_HW, abi.HW_AVAILCPU), _cpus),
    ("hw.logicalcpu", None, _cpus),
    ("hw.physicalcpu", None, _cpus),
    ("hw.byteorder", (abi.CTL_HW, abi.HW_BYTEORDER), lambda: _number(1234)),
    ("hw.pagesize", None, lambda: _I64.pack(abi.PAGE_SIZE)),
    ("hw.memsize", (abi.CTL_HW, abi.HW_MEMSIZE), _memory_size),
    ("hw.tbfrequency", None, lambda: _I64.pack(abi.TIMEBASE_FREQUENCY)),
    ("hw.optional.arm64", None, lambda: _number(1)),
)
_BY_NAME: Final = {name.encode(): value for name, _, value in _NODES}
_BY_NUMBER: Final = {
    **{mib: value for _, mib, value in _NODES if mib is not None},
    # By number it is an int, by name a long.
    (abi.CTL_HW, abi.HW_PAGESIZE): lambda: _number(abi.PAGE_SIZE),
}
_SYSCTL_NOTE: Final = "About twenty names of kern. and hw.; all read-only, others ENOENT."


def _answer(
    task: Task, value: Callable[[], bytes] | None, old: int, length: int, new: int
) -> int:
    if value is None:
        raise Errno(ENOENT)
    if new:
        raise Errno(EPERM)
    data = value()
    if not length:
        return 0
    if not old:
        task.memory.put_u64(length, len(data))
        return 0
    room = task.memory.u64(length)
    task.memory.write(old, data[:room])
    task.memory.put_u64(length, min(room, len(data)))
    if room < len(data):
        raise Errno(ENOMEM)
    return 0


@table.syscall(
    202, "sysctl", ADDRESS, UINT, ADDRESS, ADDRESS, ADDRESS, SIZE,
    support=PARTIAL, note=_SYSCTL_NOTE,
)
def sysctl(
    task: Task, name: int, count: int, old: int, length: int, new: int, _new_length: int
) -> int:
    """A value of the kernel, by numbers."""
    if not 2 <= count <= 12:
        raise Errno(EINVAL)
    mib = tuple(task.memory.i32(name + 4 * index) for index in range(count))
    value = _BY_NUMBER.get((mib[0], mib[1])) if count == 2 else None
    return _answer(task, value, old, length, new)


@table.syscall(
    274, "sysctlbyname", ADDRESS, SIZE, ADDRESS, ADDRESS, ADDRESS, SIZE,
    support=PARTIAL, note=_SYSCTL_NOTE,
)
def sysctlbyname(
    task: Task, name: int, size: int, old: int, length: int, new: int, _new_length: int
) -> int:
    """A value of the kernel, by name; the name comes with its length."""
    if size >= abi.PATH_MAX:
        raise Errno(EINVAL)
    text = task.memory.read(name, size).rstrip(b"\0")
    return _answer(task, _BY_NAME.get(text), old, length, new)


@table.syscall(
    381, "__mac_syscall", PATH, INT, ADDRESS, support=STUB,
    note="There is no policy to ask: always ENOPOLICY.",
)
def mac_syscall(_task: Task, _policy: bytes, _call: int, _argument: int) -> int:
    """A question to a security policy such as the sandbox."""
    raise Errno(ENOPOLICY)
