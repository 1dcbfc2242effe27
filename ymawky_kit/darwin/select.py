"""select(2) and pselect(2): bit sets over the same readiness as poll.

The timeval is only read.  The number of descriptors is cut to the size of the table,
and as many 32-bit words are copied as hold that many bits.  Source: XNU
bsd/kern/sys_generic.c (select_nocancel, select_internal, selscan).
"""

from __future__ import annotations

import struct
from time import monotonic
from typing import Final

from ymawky_kit.darwin import abi, host_socket, limits
from ymawky_kit.darwin.errno import EBADF, EINVAL, Errno
from ymawky_kit.darwin.host_socket import POLLIN, POLLOUT, POLLPRI, POLLRDHUP
from ymawky_kit.darwin.poll import classify, watch
from ymawky_kit.darwin.table import ADDRESS, FULL, INT, table
from ymawky_kit.darwin.task import Interrupted, Task

_TIMEVAL: Final = struct.Struct("<qi4x")
_TIMESPEC: Final = struct.Struct("<qq")
_LONGEST: Final = 100_000_000       # seconds that itimerfix accepts
_NANOSECONDS: Final = 1_000_000_000


@table.syscall(93, "select", INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, support=FULL, nocancel=407)
def select(
    task: Task, count: int, readers: int, writers: int, oddities: int, timeout: int
) -> int:
    """The timeout is not modified; always EINTR on a caught signal."""
    seconds: float | None = None
    if timeout:
        whole, micros = _TIMEVAL.unpack(task.memory.read(timeout, _TIMEVAL.size))
        if not 0 <= whole <= _LONGEST or not 0 <= micros < 1_000_000:
            raise Errno(EINVAL)
        seconds = whole + micros / 1e6
    return _select(task, count, (readers, writers, oddities), seconds)


@table.syscall(394, "pselect", INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, support=FULL,
               nocancel=395)
def pselect(
    task: Task, count: int, readers: int, writers: int, oddities: int, timeout: int, mask: int
) -> int:
    """A timespec, and a signal mask for as long as it waits."""
    seconds: float | None = None
    if timeout:
        whole, nanos = _TIMESPEC.unpack(task.memory.read(timeout, _TIMESPEC.size))
        if not 0 <= whole <= abi.INT_MAX or not 0 <= nanos <= _NANOSECONDS:
            raise Errno(EINVAL)
        seconds = whole + nanos / 1e9
    sets = (readers, writers, oddities)
    if not mask:
        return _select(task, count, sets, seconds)
    wanted = task.memory.u32(mask)
    before = task.signals.mask
    task.signals.set_mask(wanted)
    try:
        found = _select(task, count, sets, seconds)
    except Interrupted:
        task.signals.restore = before   # the handler runs under the new mask first
        raise
    except BaseException:
        task.signals.set_mask(before)
        raise
    task.signals.set_mask(before)
    return found


def _select(
    task: Task, count: int, sets: tuple[int, int, int], seconds: float | None
) -> int:
    """The wait: three guest addresses of sets (0: none); gives the number of bits set."""
    if count < 0:
        raise Errno(EINVAL)
    memory = task.memory
    count = min(count, limits.descriptors(task))
    size = (count + 31) // 32 * 4
    asked = [_bits(memory.read(at, size), count) if at else [] for at in sets]
    numbers: dict[int, int] = {}        # guest descriptor -> host's
    for raw in {raw for one in asked for raw in one}:
        numbers[raw] = fd = task.files.number(raw)
        if host_socket.ready(fd, 0) & host_socket.POLLNVAL:
            raise Errno(EBADF)
    wanted: dict[int, int] = {}
    for one, events in zip(asked, (POLLIN | POLLRDHUP, POLLOUT, POLLPRI), strict=True):
        for raw in one:
            fd = numbers[raw]
            wanted[fd] = wanted.get(fd, 0) | events
    results: list[list[int]] = [[], [], []]

    def report(found: dict[int, int]) -> bool:
        for fd, events in found.items():
            ready = classify(task, fd, events)
            for one, result, fired in zip(
                asked, results, (ready.read, ready.write, ready.urgent), strict=True
            ):
                result.extend([raw for raw in one if fired and numbers[raw] == fd])
        return any(results)

    watch(task, wanted, None if seconds is None else monotonic() + seconds, report)
    for at, result in zip(sets, results, strict=True):
        if at:
            bits = 0
            for raw in result:
                bits |= 1 << raw
            memory.write(at, bits.to_bytes(size, "little"))
    return sum([len(result) for result in results])


def _bits(data: bytes, count: int) -> list[int]:
    """The numbers below `count` whose bit is set."""
    value = int.from_bytes(data, "little")
    return [number for number in range(count) if value >> number & 1]
