"""Two very small pieces of host machine code.

A Python callback for every translated block would cost a hundred times what the
block itself costs, and a Python signal handler cannot run while guest code loops.
So both are a few host instructions:

* the block hook counts instructions exactly, keeps a coverage table, and stops the
  processor at a limit or when a signal waits;
* the signal handler marks its number and a word that the block hook looks at.

They share one :class:`Counter`.  Where the host's processor is another, or pages
cannot be made executable, `block_hook` is None: Python callbacks then count, and a
guest that never calls the kernel is not interrupted.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import sys
from collections.abc import Iterable
from typing import Final

#: One 16-bit entry an instruction of the program.
Table = ctypes.Array[ctypes.c_uint16]

# Words of the shared block, by index (8 bytes each).
COUNT: Final = 0        # instructions begun
LIMIT: Final = 1        # stop before a block that would go past this
BLOCK: Final = 2        # address of the last block begun
BLOCK_SIZE: Final = 3   # and its size in bytes
STOP: Final = 4         # uc_emu_stop
COVER: Final = 5        # host address of the coverage table, 0 for none
COVER_BASE: Final = 6   # guest address that its first entry stands for
COVER_SIZE: Final = 7   # guest bytes it spans
ATTENTION: Final = 8    # not 0: stop before the next block
SEEN: Final = 9         # from here one byte a host signal number, set by the handler
WORDS: Final = 20

NO_LIMIT: Final = (1 << 63) - 1

# void block(uc rdi, address rsi, size edx, words rcx)
#   if (words[ATTENTION]) goto stop;
#   n = words[COUNT] + size / 4;  if (n > words[LIMIT]) goto stop;
#   words[COUNT] = n;  words[BLOCK] = address;  words[BLOCK_SIZE] = size;
#   if (words[COVER] && (address -= words[COVER_BASE]) < words[COVER_SIZE]) {
#       u16 *entry = words[COVER] + address / 2;   if (*entry < size / 4) *entry = size / 4; }
#   return;
#   stop: tail-call words[STOP](uc);
_BLOCK_X86_64: Final = bytes.fromhex(
    "488379400075424189d189d0c1e802480301483b4108773148890148897110"
    "4c8949184c8b41284d85c0741c482b7130483b7138731248d1eec1ea02"
    "664139143073056641891430c3ff6120"
)
_BLOCK_AARCH64: Final = bytes.fromhex(
    "692040f9c90200b54a7c0253690040f929010a8b6b0440f93f010beb08020054690000f9ec03022a613001a9"
    "6b1440f94b0100b46c3443a921000ccb3f000debc200005421fc41d36c6961789f010a6b420000546a692178"
    "c0035fd6691040f920011fd6"
)

# void handler(int signal): ((u8 *) &words[SEEN])[signal] = 1; words[ATTENTION] = 1.
# The literal behind the code is the address of words[ATTENTION].
_SIGNAL_X86_64: Final = bytes.fromhex(
    "488d0519000000488b0089ffc64438080148c70001000000c3"
).ljust(32, b"\0")
_SIGNAL_AARCH64: Final = bytes.fromhex(
    "c90000582a0080d22b2100916a4920382a0100f9c0035fd6"
)

_MACHINE_CODE: Final = {
    "x86_64": (_BLOCK_X86_64, _SIGNAL_X86_64),
    "amd64": (_BLOCK_X86_64, _SIGNAL_X86_64),
    "aarch64": (_BLOCK_AARCH64, _SIGNAL_AARCH64),
    "arm64": (_BLOCK_AARCH64, _SIGNAL_AARCH64),
}


def machine_code(machine: str) -> tuple[bytes, bytes] | None:
    """Block hook and signal handler for a host processor, by platform.machine()."""
    return _MACHINE_CODE.get(machine.lower())


class Counter:
    """The words that the native code and Python share."""

    def __init__(self, stop: int, *, native: bool = True) -> None:
        """`stop` is the address of uc_emu_stop; `native=False` does without machine code."""
        self._array = (ctypes.c_uint64 * WORDS)()
        self.words = memoryview(self._array).cast("B").cast("Q")
        self.words[LIMIT] = NO_LIMIT
        self.words[STOP] = stop
        self.address = ctypes.addressof(self._array)
        self._cover: Table | None = None
        self.block_hook: int | None = None
        self.signal_handler: int | None = None
        code = machine_code(platform.machine()) if native else None
        if code is not None:
            block, handler = code
            literal = (self.address + 8 * ATTENTION).to_bytes(8, "little")
            start = (len(block) + 15) & -16
            page = _executable(block.ljust(start, b"\0") + handler + literal)
            if page is not None:
                self.block_hook = page
                self.signal_handler = page + start

    def cover(self, base: int, size: int, table: Table | None = None) -> None:
        """Note every instruction executed in `size` guest bytes from `base`.

        In `table`, which goes on from what it holds, or in a new one.
        """
        entries = (size + 3) // 4
        if table is not None and len(table) < entries:
            raise ValueError(f"a coverage table of {len(table)} entries for {entries}")
        self._cover = (ctypes.c_uint16 * entries)() if table is None else table
        self.words[COVER_BASE] = base
        self.words[COVER_SIZE] = size & ~3
        self.words[COVER] = ctypes.addressof(self._cover)

    def note(self, address: int, size: int) -> None:
        """What the native hook does for coverage, for hosts without it."""
        if self._cover is not None and self.words[COVER]:
            offset = address - self.words[COVER_BASE]
            if 0 <= offset < self.words[COVER_SIZE]:
                index = offset // 4
                self._cover[index] = max(self._cover[index], size // 4)

    def clip(self, address: int, count: int) -> None:
        """A fault ended the block at `address` after `count` instructions.

        If it had run to its end before, that is forgotten as well: a table may hold
        less than what ran, never more.
        """
        offset = address - self.words[COVER_BASE]
        if self._cover is not None and self.words[COVER] \
                and 0 <= offset < self.words[COVER_SIZE]:
            self._cover[offset // 4] = min(self._cover[offset // 4], count)

    def uncover(self) -> None:
        """Note no more: what runs from here on is another program."""
        self.words[COVER] = 0

    def covered(self) -> set[int]:
        """Addresses of the instructions executed since `cover`."""
        base = self.words[COVER_BASE]
        return {base + 4 * index for index in reached(self._cover or ())}


def reached(table: Iterable[int]) -> set[int]:
    """The indices of the instructions that a coverage table says were executed.

    The entry at the first instruction of a block holds how many were run from there.
    """
    found: set[int] = set()
    for index, length in enumerate(table):
        if length:
            found.update(range(index, index + length))
    return found


def shared_table(fd: int) -> Table:
    """A coverage table in an open file, which is closed: all forks note in the same one."""
    size = os.fstat(fd).st_size
    libc = ctypes.CDLL(None)
    map_pages = libc.mmap
    map_pages.restype = ctypes.c_void_p
    map_pages.argtypes = (
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64
    )
    # Python's mmap would keep a descriptor, a number that the guest must not find taken.
    address = map_pages(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, fd, 0)
    os.close(fd)
    if address is None or address == ctypes.c_void_p(-1).value:
        raise OSError(f"cannot map a coverage table of {size} bytes")
    return (ctypes.c_uint16 * (size // 2)).from_address(address)


def _executable(code: bytes) -> int | None:
    """The address of a fresh page that holds `code`, or None where that is not allowed.

    The page lives as long as the process: a signal handler may point into it.
    """
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    libc = ctypes.CDLL(None)
    jit = sys.platform == "darwin" and platform.machine() == "arm64"
    if jit:
        flags |= 0x800      # MAP_JIT: Apple silicon refuses writable code without it
    map_pages = libc.mmap
    map_pages.restype = ctypes.c_void_p
    map_pages.argtypes = (
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64
    )
    size = mmap.PAGESIZE
    both = mmap.PROT_READ | mmap.PROT_WRITE
    address = map_pages(None, size, both | mmap.PROT_EXEC if jit else both, flags, -1, 0)
    if address is None or address == ctypes.c_void_p(-1).value:
        return None
    if jit:
        libc.pthread_jit_write_protect_np(0)
        ctypes.memmove(address, code, len(code))
        libc.pthread_jit_write_protect_np(1)
        libc.sys_icache_invalidate(ctypes.c_void_p(address), ctypes.c_size_t(len(code)))
        return int(address)
    ctypes.memmove(address, code, len(code))
    protect = libc.mprotect
    protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if protect(address, size, mmap.PROT_READ | mmap.PROT_EXEC) != 0:
        return None
    if platform.machine() == "aarch64":
        # Written as data, run as code: the instruction cache must learn of it.
        try:
            flush = ctypes.CDLL("libgcc_s.so.1")["__clear_cache"]
        except (OSError, AttributeError):
            return None
        flush(ctypes.c_void_p(address), ctypes.c_void_p(address + len(code)))
    return int(address)
