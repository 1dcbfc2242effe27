"""Guest memory: host memory seen through guest addresses.

One large stretch of host address space is reserved, inaccessible and costing
nothing; guest address `a` lives at host address `a - BASE + arena`.  Mapping a
page makes that part of the reservation real, anonymous or from a file, and hands
the same host pointer to Unicorn, so nothing is ever copied between guest and
host.  Every size here is in bytes; pages are 16 KiB as on Apple silicon.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import weakref
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Final, Protocol

from ymawky_kit.source import KitError

PAGE: Final = 0x4000
READ: Final = 1
WRITE: Final = 2
EXECUTE: Final = 4

#: The lowest guest address that can be mapped: everything below is __PAGEZERO.
BASE: Final = 0x1_0000_0000
#: Where the reservation ends; the commpage (0xF_FFFF_C000) is inside.
LIMIT: Final = 0x10_0000_0000
#: Where mappings that name no address are looked for.
MAP_FLOOR: Final = 0x2_0000_0000

_U16: Final = Struct("<H")
_U32: Final = Struct("<I")
_U64: Final = Struct("<Q")
_I32: Final = Struct("<i")
_I64: Final = Struct("<q")


class BadAddress(Exception):
    """The guest has no memory there, or not with that access."""

    def __init__(self, address: int, access: int) -> None:
        self.address = address
        self.access = access
        kind = "writable" if access & WRITE else "readable"
        super().__init__(f"no {kind} memory at {address:#x}")


class Pages(Protocol):
    """What memory tells the processor about: Unicorn's side of a mapping."""

    def map_pages(self, address: int, size: int, protection: int, host: int) -> None: ...
    def unmap_pages(self, address: int, size: int) -> None: ...
    def forget_code(self, address: int, size: int) -> None: ...


@dataclass(slots=True)
class Region:
    """Mapped pages `start` to `end` (exclusive) with one protection."""

    start: int
    end: int
    protection: int
    maximum: int
    name: str = ""
    shared: bool = False
    permanent: bool = False     # __LINKEDIT and commpage: munmap refuses
    #: First address past the last page that the mapped file really has; a touch
    #: from here to `end` is a bus error.
    backed: int = field(default=0)

    def __post_init__(self) -> None:
        if not self.backed:
            self.backed = self.end

    def cut(self, start: int, end: int) -> Region:
        """The part from `start` to `end`."""
        return Region(
            start, end, self.protection, self.maximum, self.name, self.shared, self.permanent,
            min(max(self.backed, start), end),
        )


_libc = ctypes.CDLL(None, use_errno=True)
_mmap = _libc.mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = (
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64
)
_munmap = _libc.munmap
_munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)

_FAILED: Final = ctypes.c_void_p(-1).value
_FIXED: Final = 0x10
_NORESERVE: Final = 0x4000 if sys.platform == "linux" else 0x40
_PRIVATE_ANON: Final = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


def _host_map(address: int | None, size: int, protection: int, flags: int, fd: int = -1,
              offset: int = 0) -> int:
    found = _mmap(address, size, protection, flags, fd, offset)
    if found == _FAILED or found is None:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(found)


class Memory:
    """The address space of one guest process."""

    def __init__(self, size: int = LIMIT - BASE) -> None:
        if mmap.PAGESIZE > PAGE:
            raise KitError.of(
                f"this machine's pages are {mmap.PAGESIZE // 1024} KiB",
                hint="the emulated Darwin maps pages of 16 KiB: a kernel with 4 or 16 KiB pages "
                     "can run it",
            )
        self.size = size
        flags = _PRIVATE_ANON | _NORESERVE
        try:
            self._host = _host_map(None, size, 0, flags)
        except OSError as error:
            raise KitError.of(
                f"cannot reserve {size >> 30} GiB of address space: {error.strerror}",
                hint="it costs no memory, but a limit forbids it: see ulimit -v",
            ) from None
        self._finalizer = weakref.finalize(self, _munmap, self._host, size)
        self._finalizer.atexit = False      # the process's end frees it as well
        self._bytes = memoryview((ctypes.c_char * size).from_address(self._host)).cast("B")
        self._regions: list[Region] = []
        self._starts: list[int] = []
        self._last = Region(0, 0, 0, 0)
        self._pages: Pages | None = None

    def close(self) -> None:
        """Give the reservation back; the memory must not be used any more."""
        if self._host:
            self._bytes.release()
            self._finalizer()
            self._host = 0
            self._regions.clear()
            self._starts.clear()
            self._last = Region(0, 0, 0, 0)

    def attach(self, pages: Pages) -> None:
        """Tell a processor about every mapping, now and from now on."""
        self._pages = pages
        for region in self._regions:
            self._show(region)

    # --- reading and writing as the kernel does -----------------------------------------

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes; raises BadAddress unless all of them are readable."""
        last = self._last
        if not (last.start <= address and address + size <= last.backed and last.protection & 1):
            self.check(address, size, READ)
        return bytes(self._bytes[address - BASE:address - BASE + size])

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Store bytes; raises BadAddress unless all of the place is writable."""
        size = len(data)
        last = self._last
        if not (last.start <= address and address + size <= last.backed and last.protection & 2):
            self.check(address, size, WRITE)
        self._bytes[address - BASE:address - BASE + size] = data
        if size and self._last.protection & EXECUTE:
            self._forget(address, size)

    def view(self, address: int, size: int, *, write: bool = False) -> memoryview:
        """The guest's own bytes, not a copy; raises BadAddress.

        Use at once and let go: the next munmap may take the pages away.
        """
        last = self._last
        need = 2 if write else 1
        if not (last.start <= address and address + size <= last.backed and last.protection & need):
            self.check(address, size, WRITE if write else READ)
        return self._bytes[address - BASE:address - BASE + size]

    def poke(self, address: int, data: bytes) -> None:
        """Store bytes whatever the protection says, as a loader or debugger does."""
        self.check(address, len(data), 0)
        self._bytes[address - BASE:address - BASE + len(data)] = data
        if data and any(r.protection & EXECUTE for r in self.overlapping(address, len(data))):
            self._forget(address, len(data))

    def peek(self, address: int, size: int) -> bytes:
        """Bytes whatever the protection says; raises BadAddress where nothing is mapped."""
        self.check(address, size, 0)
        return bytes(self._bytes[address - BASE:address - BASE + size])

    def check(self, address: int, size: int, access: int) -> None:
        """Raise BadAddress unless `size` bytes at `address` can be accessed that way.

        A size of 0 is always fine, as in copyin.
        """
        if size <= 0:
            return
        end = address + size
        at = address
        while at < end:
            region = self.region(at)
            if region is None or at >= region.backed or region.protection & access != access:
                raise BadAddress(at, access)
            at = region.backed if region.backed < end else end

    def cstring(self, address: int, limit: int) -> bytes | None:
        """The bytes before the NUL at `address`; None if `limit` bytes hold none.

        Raises BadAddress when unreadable memory comes before either.
        """
        parts: list[bytes] = []
        left = limit
        while left > 0:
            region = self.region(address)
            if region is None or address >= region.backed or not region.protection & READ:
                raise BadAddress(address, READ)
            size = min(left, region.backed - address)
            step = min(size, 256)
            chunk = bytes(self._bytes[address - BASE:address - BASE + step])
            end = chunk.find(0)
            if end >= 0:
                parts.append(chunk[:end])
                return b"".join(parts)
            parts.append(chunk)
            address += step
            left -= step
        return None

    def u8(self, address: int) -> int:
        return self.read(address, 1)[0]

    def u16(self, address: int) -> int:
        return int(_U16.unpack(self.read(address, 2))[0])

    def u32(self, address: int) -> int:
        return int(_U32.unpack(self.read(address, 4))[0])

    def u64(self, address: int) -> int:
        return int(_U64.unpack(self.read(address, 8))[0])

    def i32(self, address: int) -> int:
        return int(_I32.unpack(self.read(address, 4))[0])

    def i64(self, address: int) -> int:
        return int(_I64.unpack(self.read(address, 8))[0])

    def put_u32(self, address: int, value: int) -> None:
        self.write(address, _U32.pack(value & 0xFFFFFFFF))

    def put_u64(self, address: int, value: int) -> None:
        self.write(address, _U64.pack(value & 0xFFFFFFFFFFFFFFFF))

    # --- mappings -------------------------------------------------------------------------

    @property
    def regions(self) -> tuple[Region, ...]:
        """Every mapping, by address."""
        return tuple(self._regions)

    def region(self, address: int) -> Region | None:
        """The mapping that holds an address."""
        last = self._last
        if last.start <= address < last.end:
            return last
        index = bisect_right(self._starts, address) - 1
        if index >= 0:
            found = self._regions[index]
            if address < found.end:
                self._last = found
                return found
        return None

    def overlapping(self, address: int, size: int) -> list[Region]:
        """Mappings that share a byte with the range."""
        end = address + size
        return [r for r in self._regions if r.start < end and address < r.end]

    def find(self, size: int, floor: int = MAP_FLOOR) -> int | None:
        """The lowest free range of `size` bytes (whole pages) from `floor`; None if full."""
        at = max(floor, MAP_FLOOR if floor < BASE else floor)
        for region in self._regions:
            if region.end <= at:
                continue
            if region.start - at >= size:
                return at
            at = region.end
        return at if at + size <= BASE + self.size else None

    def map(
        self,
        address: int,
        size: int,
        protection: int,
        maximum: int = 7,
        *,
        name: str = "",
        shared: bool = False,
        permanent: bool = False,
        fd: int = -1,
        offset: int = 0,
    ) -> Region:
        """Map whole pages, replacing what was there.

        Anonymous and zero, or (`fd` >= 0) a host file from `offset`; `shared` makes
        stores reach the file.  Pages wholly behind the end of the file are a bus
        error to touch.  Raises OSError from the host, ValueError outside the arena.
        """
        size = round_up(size)
        if address % PAGE or address < BASE or address + size > BASE + self.size or not size:
            raise ValueError(f"cannot map {size:#x} bytes at {address:#x}")
        backed = address + size
        host = address - BASE + self._host
        if fd < 0:
            flags = (mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE) | mmap.MAP_ANONYMOUS
            self.unmap(address, size)
            _host_map(host, size, READ | WRITE, flags | _FIXED)
        else:
            length = os.fstat(fd).st_size
            backed = min(backed, address + round_up(max(0, length - offset)))
            writable = not shared or bool(maximum & WRITE)
            flags = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE
            self.unmap(address, size)
            _host_map(host, size, READ | (WRITE if writable else 0), flags | _FIXED, fd, offset)
            # A host with smaller pages has none behind the end of the file, where the
            # guest's last page still reads as zero.
            present = -(-max(0, length - offset) // mmap.PAGESIZE) * mmap.PAGESIZE
            missing = backed - address - present
            if missing > 0:
                _host_map(host + present, missing, READ | WRITE, _PRIVATE_ANON | _FIXED)
        region = Region(
            address, address + size, protection, maximum, name, shared, permanent, backed
        )
        if backed == address:   # not one page of the file: the dataclass would take 0 for unset
            region.backed = address
        self._insert(region)
        return region

    def unmap(self, address: int, size: int) -> None:
        """Take whole pages away; holes are fine."""
        end = address + size
        for region in self.overlapping(address, size):
            self._remove(region)
            if region.start < address:
                self._insert(region.cut(region.start, address))
            if end < region.end:
                self._insert(region.cut(end, region.end))
            start, stop = max(address, region.start), min(end, region.end)
            _host_map(
                start - BASE + self._host, stop - start, 0, _PRIVATE_ANON | _NORESERVE | _FIXED
            )

    def protect(self, address: int, size: int, protection: int) -> None:
        """Change the protection of whole mapped pages; the caller has checked them."""
        end = address + size
        for region in self.overlapping(address, size):
            start, stop = max(address, region.start), min(end, region.end)
            if region.protection == protection:
                continue
            self._remove(region)
            if region.start < start:
                self._insert(region.cut(region.start, start))
            if stop < region.end:
                self._insert(region.cut(stop, region.end))
            middle = region.cut(start, stop)
            middle.protection = protection
            self._insert(middle)
            if protection & EXECUTE and not region.protection & EXECUTE:
                self._forget(start, min(stop, middle.backed) - start)

    def zero(self, address: int, size: int) -> None:
        """Make whole anonymous private pages zero again, giving their memory back."""
        _host_map(
            address - BASE + self._host, size, READ | WRITE, _PRIVATE_ANON | _FIXED
        )

    def restore(self, address: int, data: bytes) -> None:
        """Store bytes in one mapping, unchecked, and nobody is told; not for running code."""
        self._bytes[address - BASE:address - BASE + len(data)] = data

    def host_address(self, address: int) -> int:
        """The host pointer of a guest address, for calls into the C library."""
        return address - BASE + self._host

    def __iter__(self) -> Iterator[Region]:
        return iter(self._regions)

    def _insert(self, region: Region) -> None:
        index = bisect_right(self._starts, region.start)
        self._regions.insert(index, region)
        self._starts.insert(index, region.start)
        self._last = region
        self._show(region)

    def _remove(self, region: Region) -> None:
        index = bisect_right(self._starts, region.start) - 1
        del self._regions[index]
        del self._starts[index]
        self._last = Region(0, 0, 0, 0)
        if self._pages is not None and region.start < region.backed:
            self._pages.unmap_pages(region.start, region.backed - region.start)

    def _show(self, region: Region) -> None:
        if self._pages is not None and region.start < region.backed:
            self._pages.map_pages(
                region.start, region.backed - region.start, region.protection,
                region.start - BASE + self._host,
            )

    def _forget(self, address: int, size: int) -> None:
        if self._pages is not None:
            self._pages.forget_code(address, size)


def round_up(size: int) -> int:
    """To whole 16 KiB pages."""
    return (size + PAGE - 1) & -PAGE
