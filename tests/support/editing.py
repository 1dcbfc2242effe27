"""Change fields of a Mach-O file, with offsets of <mach-o/loader.h> and nothing of the kit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from struct import Struct

U32 = Struct("<I")
U64 = Struct("<Q")
BIG = Struct(">I")
BIG64 = Struct(">Q")

LC_SYMTAB, LC_DYSYMTAB, LC_LOAD_DYLIB, LC_LOAD_DYLINKER = 0x2, 0xB, 0xC, 0xE
LC_SEGMENT_64, LC_UUID, LC_CODE_SIGNATURE, LC_BUILD_VERSION = 0x19, 0x1B, 0x1D, 0x32
LC_DYLD_INFO_ONLY, LC_MAIN = 0x80000022, 0x80000028
PAGEZERO, TEXT, DATA, LINKEDIT = range(4)
#: Fields of LC_SEGMENT_64.
ADDRESS, VM_SIZE, OFFSET, FILE_SIZE, MAX, PROTECTION, COUNT, FLAGS = 24, 32, 40, 48, 56, 60, 64, 68


class Editor:
    """A file being damaged."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    def u32(self, at: int) -> int:
        return U32.unpack_from(self.data, at)[0]

    def u64(self, at: int) -> int:
        return U64.unpack_from(self.data, at)[0]

    def put32(self, at: int, value: int) -> None:
        U32.pack_into(self.data, at, value & 0xFFFFFFFF)

    def put64(self, at: int, value: int) -> None:
        U64.pack_into(self.data, at, value)

    def put(self, at: int, data: bytes) -> None:
        self.data[at:at + len(data)] = data

    def commands(self) -> Iterator[tuple[int, int, int]]:
        """(offset, kind, size) of each load command."""
        position = 32
        for _ in range(self.u32(16)):
            kind, size = self.u32(position), self.u32(position + 4)
            if size < 8 or position + size > len(self.data):
                return      # damaged by a test
            yield position, kind, size
            position += size

    def command(self, kind: int, number: int = 0) -> int:
        """The offset of the n-th command of a kind."""
        return [at for at, found, _ in self.commands() if found == kind][number]

    def segment(self, index: int) -> int:
        return self.command(LC_SEGMENT_64, index)

    def section(self, segment: int, index: int) -> int:
        """The offset of a section header."""
        return self.segment(segment) + 72 + 80 * index

    def append(self, command: bytes) -> None:
        """One more load command; there is room behind the last."""
        end = 32 + self.u32(20)
        self.put(end, command)
        self.put32(16, self.u32(16) + 1)
        self.put32(20, self.u32(20) + len(command))

    def remove(self, kind: int) -> None:
        """Take a load command out."""
        at, size = next((at, size) for at, found, size in self.commands() if found == kind)
        end = 32 + self.u32(20)
        rest = bytes(self.data[at + size:end])
        self.put(at, rest + bytes(size))
        self.put32(16, self.u32(16) - 1)
        self.put32(20, self.u32(20) - size)

    def resize(self, kind: int, by: int) -> None:
        """Make a command longer, with zeros at its end."""
        at, size = next((at, size) for at, found, size in self.commands() if found == kind)
        end = 32 + self.u32(20)
        rest = bytes(self.data[at + size:end])
        self.put(at + size, bytes(by) + rest)
        self.put32(at + 4, size + by)
        self.put32(20, self.u32(20) + by)

    @property
    def signature(self) -> int:
        """The offset of the SuperBlob."""
        return self.u32(self.command(LC_CODE_SIGNATURE) + 8)

    @property
    def directory(self) -> int:
        """The offset of the CodeDirectory."""
        return self.signature + BIG.unpack_from(self.data, self.signature + 16)[0]

    def put_big(self, at: int, value: int) -> None:
        BIG.pack_into(self.data, at, value)

    def rehash(self) -> None:
        """Sign again, hashes only: what remains wrong is wrong for another reason."""
        at = self.directory
        hashes, count, limit = (BIG.unpack_from(self.data, at + x)[0] for x in (16, 28, 32))
        page = 1 << self.data[at + 39]
        for index in range(min(count, len(self.data) // page + 1)):
            piece = self.data[index * page:min((index + 1) * page, limit)]
            self.put(at + hashes + 32 * index, hashlib.sha256(piece).digest())
