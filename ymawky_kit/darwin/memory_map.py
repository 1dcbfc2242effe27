"""mmap and its relatives, in pages of 16 KiB.

Source: XNU bsd/kern/kern_mman.c.  A page is never writable and executable at once
(without MAP_JIT), as on Apple silicon.  A file that is cut shorter under a mapping
is the host's affair.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import stat
from collections.abc import Iterator
from typing import Final

from ymawky_kit.darwin import abi, host
from ymawky_kit.darwin.abi import PAGE_MASK, PAGE_SIZE
from ymawky_kit.darwin.errno import (
    EACCES,
    EINVAL,
    EIO,
    ENODEV,
    ENOMEM,
    ENOTSUP,
    EPERM,
    Errno,
    from_host,
)
from ymawky_kit.darwin.path import translated
from ymawky_kit.darwin.table import (
    ADDRESS,
    ENUM,
    FLAGS,
    FULL,
    INT,
    LONG,
    OFFSET,
    PARTIAL,
    SIZE,
    Kind,
    table,
)
from ymawky_kit.darwin.task import Task
from ymawky_kit.darwin.vnode import is_vnode
from ymawky_kit.emu.memory import BASE, Region, round_up

_TOP: Final = 1 << 64
_READ_WRITE: Final = abi.PROT_READ | abi.PROT_WRITE
_ALL: Final = _READ_WRITE | abi.PROT_EXEC

_KNOWN: Final = (
    abi.MAP_SHARED | abi.MAP_PRIVATE | abi.MAP_FIXED | abi.MAP_RENAME | abi.MAP_NORESERVE
    | 0x80 | abi.MAP_NOEXTEND | abi.MAP_HASSEMAPHORE | abi.MAP_NOCACHE | abi.MAP_JIT
    | abi.MAP_TPRO | abi.MAP_ANON | abi.MAP_RESILIENT_CODESIGN | abi.MAP_RESILIENT_MEDIA
    | abi.MAP_TRANSLATED_ALLOW_EXECUTE | abi.MAP_UNIX03 | 0x8000
)
#: Bits of `fd` that an anonymous mapping takes as a tag and flags for the VM.
_VM_FLAGS: Final = 0xFF00_0000 | 0x0007_0000 | 0x2 | 0x4

#: The descriptor of mmap is not always one: with MAP_ANON it is -1 or a tag.
_FD_OR_TAG: Final = Kind("fd", INT.code, INT.show)


def _check_flags(protection: int, flags: int) -> None:
    if flags & ~_KNOWN:
        raise Errno(EINVAL)
    if flags & abi.MAP_UNIX03 and not flags & (abi.MAP_SHARED | abi.MAP_PRIVATE):
        raise Errno(EINVAL)
    if flags & abi.MAP_JIT and (
        flags & (abi.MAP_FIXED | abi.MAP_SHARED | abi.MAP_TPRO | abi.MAP_RESILIENT_CODESIGN
                 | abi.MAP_RESILIENT_MEDIA)
        or not flags & abi.MAP_ANON
    ):
        raise Errno(EINVAL)
    resilient = flags & (abi.MAP_RESILIENT_CODESIGN | abi.MAP_RESILIENT_MEDIA)
    if resilient and flags & (abi.MAP_ANON | abi.MAP_TPRO):
        raise Errno(EINVAL)
    if flags & abi.MAP_RESILIENT_CODESIGN:
        refused = abi.PROT_EXEC if flags & abi.MAP_PRIVATE else abi.PROT_WRITE | abi.PROT_EXEC
        if protection & refused:
            raise Errno(EPERM)
    if flags & abi.MAP_TPRO and (
        protection & abi.PROT_EXEC or not protection & abi.PROT_WRITE
    ):
        raise Errno(EPERM)
    if flags & abi.MAP_TRANSLATED_ALLOW_EXECUTE:
        raise Errno(EINVAL)         # only for a process under Rosetta


def _maximum_of_file(task: Task, fd: int, protection: int, flags: int) -> int:
    """What a mapping of this file may ever allow; raises Errno for what cannot be mapped."""
    host_fd = task.files.number(fd)
    if not is_vnode(task, host_fd):
        raise Errno(EINVAL)
    with translated():
        mode = os.fstat(host_fd).st_mode
        access = fcntl.fcntl(host_fd, fcntl.F_GETFL) & os.O_ACCMODE
    if stat.S_ISCHR(mode):
        raise Errno(ENODEV)
    if not stat.S_ISREG(mode):
        raise Errno(EINVAL)
    maximum = abi.PROT_EXEC
    if access != os.O_WRONLY:
        maximum |= abi.PROT_READ
    elif protection & abi.PROT_READ:
        raise Errno(EACCES)
    if not flags & abi.MAP_SHARED or access != os.O_RDONLY:
        maximum |= abi.PROT_WRITE
    elif protection & abi.PROT_WRITE:
        raise Errno(EACCES)
    return maximum


def _choose_address(task: Task, address: int, size: int, flags: int) -> int:
    memory = task.memory
    if flags & abi.MAP_FIXED:
        if address & PAGE_MASK:
            raise Errno(EINVAL)
        if address < BASE or address + size > BASE + memory.size:
            raise Errno(ENOMEM)
        if any(region.permanent for region in memory.overlapping(address, size)):
            raise Errno(ENOMEM)
        return address
    found = None
    hint = round_up(address)
    if BASE <= hint and hint + size <= BASE + memory.size:
        found = memory.find(size, hint)
    if found is None:
        found = memory.find(size)
    if found is None:
        raise Errno(ENOMEM)
    return found


@table.syscall(
    197, "mmap", ADDRESS, SIZE, FLAGS("protection"), FLAGS("map"), _FD_OR_TAG, OFFSET,
    support=FULL, returns=LONG,
)
def mmap(
    task: Task, address: int, length: int, protection: int, flags: int, fd: int, offset: int
) -> int:
    """Map memory or a file in 16 KiB pages, never writable and executable at once (EACCES)."""
    inside = offset & PAGE_MASK
    strict = bool(flags & abi.MAP_UNIX03)
    if protection & ~_ALL or (offset < 0 and not flags & abi.MAP_ANON):
        raise Errno(EINVAL)
    if strict and (inside or not length):
        raise Errno(EINVAL)
    if flags & abi.MAP_ANON:
        inside = 0
    if length + inside + PAGE_MASK >= _TOP:
        raise Errno(EINVAL)
    if protection & (abi.PROT_WRITE | abi.PROT_EXEC):
        protection |= abi.PROT_READ
    _check_flags(protection, flags)
    maximum = _ALL
    host_fd = -1
    if flags & abi.MAP_ANON:
        if fd != -1 and fd & 0xFFFFFFFF & ~_VM_FLAGS:
            raise Errno(EINVAL)
    else:
        maximum = _maximum_of_file(task, fd, protection, flags)
        host_fd = task.files.number(fd)
    if not length:
        return 0
    jit = flags & abi.MAP_JIT
    if protection & abi.PROT_WRITE and protection & abi.PROT_EXEC and not jit:
        raise Errno(EACCES)
    size = round_up(length + inside)
    place = _choose_address(task, address, size, flags)
    try:
        task.memory.map(
            place, size, protection, maximum,
            name="mmap", shared=bool(flags & abi.MAP_SHARED), fd=host_fd, offset=offset - inside,
        )
    except OSError as error:
        raise Errno(from_host(error.errno)) from None
    return place + inside


def _aligned_range(address: int, length: int) -> int:
    """The size in whole pages; raises Errno(EINVAL) for a bad start or an overflow."""
    if address & PAGE_MASK or address + length + PAGE_MASK >= _TOP:
        raise Errno(EINVAL)
    return round_up(length)


def _without_holes(task: Task, address: int, size: int, number: int = ENOMEM) -> Iterator[Region]:
    """The regions of a range in order; raises Errno(`number`) at a hole."""
    at, end = address, address + size
    while at < end:
        region = task.memory.region(at)
        if region is None:
            raise Errno(number)
        yield region
        at = region.end


@table.syscall(73, "munmap", ADDRESS, SIZE, support=FULL)
def munmap(task: Task, address: int, length: int) -> int:
    """Take pages away; EINVAL unless 16 KiB aligned and not empty. Holes are fine."""
    size = _aligned_range(address, length)
    if not length:
        raise Errno(EINVAL)
    if any(region.permanent for region in task.memory.overlapping(address, size)):
        raise Errno(EINVAL)
    task.memory.unmap(address, size)
    return 0


@table.syscall(74, "mprotect", ADDRESS, SIZE, FLAGS("protection"), support=FULL)
def mprotect(task: Task, address: int, length: int, protection: int) -> int:
    """Change protection; ENOMEM for a hole, EACCES for more than may ever be."""
    size = _aligned_range(address, length)
    if protection & ~_ALL:
        raise Errno(EINVAL)
    if protection & (abi.PROT_WRITE | abi.PROT_EXEC):
        protection |= abi.PROT_READ
    for region in _without_holes(task, address, size):
        if protection & ~region.maximum:
            raise Errno(EACCES)
    if protection & abi.PROT_WRITE and protection & abi.PROT_EXEC:
        raise Errno(EACCES)
    if size:
        task.memory.protect(address, size, protection)
    return 0


@table.syscall(75, "madvise", ADDRESS, SIZE, ENUM("madvise"), support=FULL)
def madvise(task: Task, address: int, length: int, advice: int) -> int:
    """Advice: MADV_ZERO clears pages, the rest changes nothing a program could see."""
    if advice == abi.MADV_PAGEOUT:
        raise Errno(ENOTSUP)
    if not abi.MADV_NORMAL <= advice <= abi.MADV_ZERO:
        raise Errno(EINVAL)
    start = address & ~PAGE_MASK
    if address + length + PAGE_MASK >= _TOP:
        raise Errno(EINVAL)
    size = round_up(address + length - start) if length else 0
    regions = list(_without_holes(task, start, size, EINVAL))
    if advice == abi.MADV_ZERO:
        if any(not region.protection & abi.PROT_WRITE for region in regions):
            raise Errno(EPERM)
        task.memory.write(start, bytes(size))
    return 0


_msync: Final = ctypes.CDLL(None, use_errno=True).msync
_msync.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
#: The host's MS_SYNC; 4 on Linux, 0x10 on a Mac.
_HOST_SYNC: Final = abi.MS_SYNC if host.MACOS else 4


@table.syscall(65, "msync", ADDRESS, SIZE, FLAGS("msync"), support=FULL, nocancel=405)
def msync(task: Task, address: int, length: int, flags: int) -> int:
    """Write a shared mapping to its file; ENOMEM for a hole."""
    if flags & abi.MS_SYNC and flags & abi.MS_ASYNC:
        raise Errno(EINVAL)
    start = address & ~PAGE_MASK
    if address + length + PAGE_MASK >= _TOP:
        raise Errno(EINVAL)
    end = start + round_up(address + length - start)
    for region in _without_holes(task, start, end - start):
        first, last = max(start, region.start), min(end, region.backed)
        if not region.shared or first >= last or flags & abi.MS_ASYNC:
            continue
        if _msync(task.memory.host_address(first), last - first, _HOST_SYNC) < 0:
            raise Errno(EIO)
    return 0


_PAGES_AT_ONCE: Final = 4096


@table.syscall(
    78, "mincore", ADDRESS, SIZE, ADDRESS, support=PARTIAL,
    note="Every mapped page counts as resident.",
)
def mincore(task: Task, address: int, length: int, vector: int) -> int:
    """Which pages are in memory, one byte each."""
    start = address & ~PAGE_MASK
    if address + length + PAGE_MASK >= _TOP:
        raise Errno(EINVAL)
    size = round_up(address + length - start) if length else 0
    # Piece by piece: a vector that is too short ends an enormous range soon.
    pages = range(start, start + size, PAGE_SIZE)
    for first in range(0, len(pages), _PAGES_AT_ONCE):
        part = pages[first:first + _PAGES_AT_ONCE]
        task.memory.write(vector + first, bytes(
            abi.MINCORE_INCORE if task.memory.region(page) is not None else 0 for page in part
        ))
    return 0
