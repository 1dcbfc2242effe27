"""Time: gettimeofday, the Mach traps for time, and the commpage.

Ticks are those of Apple silicon: 24 MHz, so that 125/3 nanoseconds make one.
Sources: XNU osfmk/arm64/bsd_arm64.c (mach_syscall), osfmk/arm/commpage,
bsd/kern/kern_time.c.
"""

from __future__ import annotations

import os
import time
from struct import Struct
from typing import Final

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.structs import MACH_TIMEBASE_INFO, TIMESPEC, TIMEVAL, TIMEZONE
from ymawky_kit.darwin.table import ADDRESS, FULL, INT, PARTIAL, STUB, ULONG, table
from ymawky_kit.darwin.task import Interrupted, Task
from ymawky_kit.emu.memory import BadAddress, Memory

_KERN_SUCCESS: Final = 0
_KERN_INVALID_ARGUMENT: Final = 4
_KERN_FAILURE: Final = 5
_KERN_ABORTED: Final = 14

_TIMEVAL: Final = TIMEVAL.codec
_U16: Final = Struct("<H")


def absolute_time() -> int:
    """Ticks since the host was started, not counting its sleep."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) * abi.TIMEBASE_DENOMINATOR \
        // abi.TIMEBASE_NUMERATOR


def continuous_time() -> int:
    """Ticks since the host was started, its sleep included where the host counts it."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock) * abi.TIMEBASE_DENOMINATOR // abi.TIMEBASE_NUMERATOR


#: Not every host's Python has it.
_yield: Final = getattr(os, "sched_yield", lambda: time.sleep(0))


def _seconds(ticks: int) -> float:
    return ticks * abi.TIMEBASE_NUMERATOR / abi.TIMEBASE_DENOMINATOR / 1e9


@table.syscall(116, "gettimeofday", ADDRESS, ADDRESS, ADDRESS, support=FULL)
def gettimeofday(task: Task, when: int, zone: int, ticks: int) -> int:
    """The time; three pointers here, each of which may be NULL."""
    now = time.time_ns()
    if when:
        task.memory.write(when, _TIMEVAL.pack(now // 1_000_000_000, now // 1000 % 1_000_000))
    if zone:
        task.memory.write(zone, TIMEZONE.pack())    # the kernel's own is UTC
    if ticks:
        task.memory.put_u64(ticks, absolute_time())
    return 0


@table.trap(-3, "mach_absolute_time", support=FULL)
def mach_absolute_time(_task: Task) -> int:
    """Ticks of 125/3 ns since start-up."""
    return absolute_time()


@table.trap(-4, "mach_continuous_time", support=FULL)
def mach_continuous_time(_task: Task) -> int:
    """As mach_absolute_time, sleep included."""
    return continuous_time()


@table.trap(-89, "mach_timebase_info", ADDRESS, support=FULL)
def mach_timebase_info(task: Task, address: int) -> int:
    """How many nanoseconds a tick is: 125/3."""
    try:
        task.memory.write(address, MACH_TIMEBASE_INFO.pack(
            numer=abi.TIMEBASE_NUMERATOR, denom=abi.TIMEBASE_DENOMINATOR
        ))
    except BadAddress:
        return _KERN_FAILURE
    return _KERN_SUCCESS


def _sleep(task: Task, seconds: float) -> int:
    try:
        if seconds > 0:
            task.sleep(seconds)
    except Interrupted:
        return _KERN_ABORTED
    return _KERN_SUCCESS


@table.trap(-90, "mach_wait_until", ULONG, support=FULL)
def mach_wait_until(task: Task, deadline: int) -> int:
    """Sleep until a tick; KERN_ABORTED (14) when a signal comes first."""
    return _sleep(task, _seconds(deadline - absolute_time()))


_TIME_ABSOLUTE: Final = 0
_TIME_RELATIVE: Final = 1


@table.trap(
    -62, "clock_sleep", INT, INT, INT, INT, ADDRESS, support=PARTIAL,
    note="The clock's name is not looked at: it is always the system clock.",
)
def clock_sleep(
    task: Task, _clock: int, kind: int, seconds: int, nanoseconds: int, wakeup: int
) -> int:
    """Sleep for or until a time of the system clock."""
    if not 0 <= nanoseconds < 1_000_000_000 or kind not in (_TIME_ABSOLUTE, _TIME_RELATIVE):
        return _KERN_INVALID_ARGUMENT
    wanted = seconds + nanoseconds / 1e9
    if kind == _TIME_ABSOLUTE:
        wanted -= _seconds(absolute_time())
    result = _sleep(task, wanted)
    if wakeup and result == _KERN_SUCCESS:
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        task.memory.write(wakeup, TIMESPEC.codec.pack(*divmod(now, 1_000_000_000))[:16])
    return result


@table.trap(-59, "swtch_pri", INT, support=FULL)
def swtch_pri(_task: Task, _priority: int) -> int:
    """Let another process run."""
    _yield()
    return 0


@table.trap(-60, "swtch", support=FULL)
def swtch(_task: Task) -> int:
    """Let another process run."""
    _yield()
    return 0


@table.trap(
    -61, "thread_switch", INT, INT, INT, support=PARTIAL,
    note="Yields; the thread and the option are not looked at.",
)
def thread_switch(_task: Task, _thread: int, _option: int, _time: int) -> int:
    """Let another thread run."""
    _yield()
    return _KERN_SUCCESS


# --- ports ------------------------------------------------------------------------------
# There is no Mach messaging: these names are only good for being compared.

_PORT_NOTE: Final = "A port name without a port: Mach messages are not supported."
_TASK_SELF: Final = 0x203
_THREAD_SELF: Final = 0x103
_HOST_SELF: Final = 0x303
_REPLY_PORT: Final = 0x403


@table.trap(-26, "mach_reply_port", support=STUB, note=_PORT_NOTE)
def mach_reply_port(_task: Task) -> int:
    """A reply port's name."""
    return _REPLY_PORT


@table.trap(-27, "thread_self_trap", support=STUB, note=_PORT_NOTE)
def thread_self_trap(_task: Task) -> int:
    """The thread port's name."""
    return _THREAD_SELF


@table.trap(-28, "task_self_trap", support=STUB, note=_PORT_NOTE)
def task_self_trap(_task: Task) -> int:
    """The task port's name."""
    return _TASK_SELF


@table.trap(-29, "host_self_trap", support=STUB, note=_PORT_NOTE)
def host_self_trap(_task: Task) -> int:
    """The host port's name."""
    return _HOST_SELF


# --- the commpage -----------------------------------------------------------------------

_PAGE_SHIFT: Final = 14
#: Offsets in the pages: bsd and libsyscall read these without a call.
_SIGNATURE: Final = b"commpage 64-bit\0"
_VERSION: Final = 0x1E
_CPUS: Final = 0x22
_TIMEBASE_OFFSET: Final = 0x88
_USER_TIMEBASE: Final = 0x90
_PAGE_SHIFTS: Final = (0x24, 0x25, 0x37)


def commpage() -> tuple[bytes, bytes]:
    """The contents of the page at COMMPAGE_READ_WRITE and of the one at COMMPAGE_READ_ONLY.

    The user timebase mode is 0: a program that wants the time makes a call for it.
    """
    changing, fixed = bytearray(abi.PAGE_SIZE), bytearray(abi.PAGE_SIZE)
    cpus = min(os.cpu_count() or 1, 255)
    for page in (changing, fixed):
        page[:len(_SIGNATURE)] = _SIGNATURE
        _U16.pack_into(page, _VERSION, 3)
        page[_CPUS] = cpus
        for offset in _PAGE_SHIFTS:
            page[offset] = _PAGE_SHIFT
    changing[_TIMEBASE_OFFSET:_USER_TIMEBASE + 1] = bytes(_USER_TIMEBASE + 1 - _TIMEBASE_OFFSET)
    return bytes(changing), bytes(fixed)


def map_commpage(memory: Memory) -> None:
    """Put both pages where every macOS process has them, readable only."""
    changing, fixed = commpage()
    for address, data in (
        (abi.COMMPAGE_READ_WRITE, changing), (abi.COMMPAGE_READ_ONLY, fixed)
    ):
        memory.map(
            address, abi.PAGE_SIZE, abi.PROT_READ, abi.PROT_READ, name="commpage", permanent=True
        )
        memory.poke(address, data)
