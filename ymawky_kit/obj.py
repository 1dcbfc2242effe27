"""What the assembler hands to the linker, and the linker to the Mach-O writer.

Plain frozen data, no behaviour beyond look-ups.  Addresses and sizes are in
bytes; alignments are powers of two (2 means 4 bytes).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ymawky_kit.source import Span


class RelocationKind(IntEnum):
    """ARM64_RELOC_* of <mach-o/arm64/reloc.h>, the ones our sources can make."""

    UNSIGNED = 0    # an absolute address, 8 (or 4) bytes
    BRANCH26 = 2    # b, bl
    PAGE21 = 3      # adrp: symbol@PAGE
    PAGEOFF12 = 4   # add, ldr, str: symbol@PAGEOFF


@dataclass(frozen=True, slots=True)
class Relocation:
    """A field the linker fills in once addresses are known."""

    offset: int             # in the section
    kind: RelocationKind
    symbol: str
    addend: int = 0         # becomes an ADDEND entry in a Mach-O object
    size: int = 4           # of the field: 8 for a pointer
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name for a place in a section, or for a number (`section` is None)."""

    name: str
    section: int | None     # index into ObjectFile.sections
    value: int              # offset in the section, or the number
    is_global: bool = False
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Which source text made `size` bytes at `offset`: one instruction or one datum."""

    section: int
    offset: int
    size: int
    span: Span
    #: The text the encoder saw when a macro made it (`mov x16, #4`), else the source's own.
    text: str
    is_code: bool


@dataclass(frozen=True, slots=True)
class Section:
    """Bytes that stay together."""

    segment: str            # __TEXT, __DATA
    name: str               # __text, __const, __data, __bss
    align: int              # log2
    data: bytes             # empty when zero_fill
    size: int               # len(data) unless zero_fill
    flags: int              # S_* | S_ATTR_* of <mach-o/loader.h>
    relocations: tuple[Relocation, ...] = ()

    @property
    def zero_fill(self) -> bool:
        return self.flags & 0xFF == 1


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """One assembled module.

    Undefined symbols are those that a relocation names and `symbols` lacks.
    `labels` are the L... labels, which never reach the linker: listings and
    traces show them.
    """

    name: str
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    lines: tuple[Line, ...] = ()
    labels: tuple[Symbol, ...] = ()


@dataclass(frozen=True, slots=True)
class PlacedSection:
    """An output section: the input sections of one name, one behind the other."""

    segment: str
    name: str
    address: int
    offset: int             # in the file; 0 when zero_fill
    size: int
    align: int              # log2
    flags: int
    data: bytes             # relocated; empty when zero_fill

    @property
    def zero_fill(self) -> bool:
        return self.flags & 0xFF == 1


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of pages with one protection."""

    name: str
    address: int
    vm_size: int
    offset: int             # in the file
    file_size: int
    protection: int         # 1 read, 2 write, 4 execute
    sections: tuple[PlacedSection, ...] = ()


@dataclass(frozen=True, slots=True)
class PlacedSymbol:
    name: str
    address: int
    section: int            # 1-based over all output sections, as in nlist_64
    is_global: bool
    module: str             # name of the object file it came from
    is_label: bool = False  # an L... label: known to listings, not written to the file


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """`Line` with its final address."""

    address: int
    size: int
    span: Span
    text: str
    is_code: bool
    module: str


@dataclass(frozen=True, slots=True)
class Image:
    """A linked program: what the Mach-O writer writes.

    `segments` are in file order and hold __PAGEZERO, __TEXT and, when there is
    data, __DATA.  __LINKEDIT belongs to the writer.
    """

    identifier: str                     # name in the signature: the output's base name
    segments: tuple[Segment, ...]
    symbols: tuple[PlacedSymbol, ...]
    entry: int                          # address of the first instruction
    rebases: tuple[int, ...] = ()       # addresses of pointers that dyld must slide
    lines: tuple[PlacedLine, ...] = ()

    def address_of(self, name: str) -> int:
        """The address of a symbol or label; raises KeyError."""
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol.address
        raise KeyError(name)
