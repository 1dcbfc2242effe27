"""A module as a Mach-O object file: what `as` writes and other linkers read.

The kit's own linker takes object files as they are in memory.  On disk they
let another linker link what our assembler made, and other tools look at it.

::

    header, LC_SEGMENT_64 with all sections, LC_BUILD_VERSION, LC_SYMTAB, LC_DYSYMTAB
    the bytes of the sections
    the relocations of each section
    symbols, then their names

Source: <mach-o/loader.h>, <mach-o/nlist.h>, <mach-o/reloc.h>, <mach-o/arm64/reloc.h>.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Final

from ymawky_kit.macho import constants as c
from ymawky_kit.macho.commands import (
    BuildVersion,
    Command,
    DynamicSymbolTable,
    Header,
    SectionHeader,
    SegmentCommand,
    SymbolEntry,
    SymbolTable,
)
from ymawky_kit.macho.writer import MINIMUM_MACOS, SDK
from ymawky_kit.obj import ObjectFile, Relocation, RelocationKind, Symbol
from ymawky_kit.source import KitError

_ALL: Final = c.VM_PROT_READ | c.VM_PROT_WRITE | c.VM_PROT_EXECUTE
_ADDEND_KIND: Final = 10            # ARM64_RELOC_ADDEND
_ADDEND_LIMIT: Final = 1 << 23      # it has 24 bits, one for the sign


@dataclass(frozen=True, slots=True)
class RelocationEntry:
    """relocation_info: a field of a section that waits for an address."""

    LAYOUT: ClassVar[Struct] = Struct("<iI")

    address: int            # in the section
    symbol: int             # index into the symbol table; the addend itself for ADDEND
    pc_relative: bool
    log2_size: int          # 2 or 3: 4 or 8 bytes
    external: bool          # `symbol` is a symbol
    kind: int               # RelocationKind, or ADDEND

    def pack(self) -> bytes:
        return self.LAYOUT.pack(
            self.address,
            self.symbol & 0xFF_FFFF | self.pc_relative << 24 | self.log2_size << 25
            | self.external << 27 | self.kind << 28,
        )


def write_object(module: ObjectFile) -> bytes:
    """The object file of a module.

    Raises :class:`KitError` for an addend that its 24 bits cannot hold, and for a
    relocation outside its section.
    """
    names = _symbol_order(module)
    index = {name: position for position, (name, _) in enumerate(names)}

    addresses, end = _addresses(module)

    private = sum(s is not None and not s.is_global for _, s in names)
    exported = sum(s is not None and s.is_global for _, s in names)
    commands_size = (
        SegmentCommand.LAYOUT.size + len(module.sections) * SectionHeader.LAYOUT.size
        + BuildVersion.LAYOUT.size + SymbolTable.LAYOUT.size + DynamicSymbolTable.LAYOUT.size
    )
    start = _up(Header.LAYOUT.size + commands_size, 8)
    in_file = bytearray()
    for section, address in zip(module.sections, addresses, strict=True):
        if not section.zero_fill:
            # As far apart in the file as in memory, so that alignment is kept.
            in_file += bytes(address - len(in_file))
            in_file += _with_addends(section.data, section.relocations)
    file_size = len(in_file)
    in_file += bytes(-file_size % 8)

    places: list[tuple[int, int]] = []
    relocations = bytearray()
    for section in module.sections:
        packed = [entry.pack() for entry in _entries(section.relocations, index)]
        at = start + len(in_file) + len(relocations)
        places.append((at if packed else 0, len(packed)))
        relocations += b"".join(packed)

    table, strings = bytearray(), bytearray(b"\0")
    for name, symbol in names:
        table += _entry(symbol, len(strings), addresses).pack()
        strings += name.encode() + b"\0"
    strings += bytes(-len(strings) % 8)
    table_at = start + len(in_file) + len(relocations)

    headers = tuple(
        SectionHeader(s.name, s.segment, address, s.size, 0 if s.zero_fill else start + address,
                      s.align, s.flags, *place)
        for s, address, place in zip(module.sections, addresses, places, strict=True)
    )
    commands: list[Command] = [
        SegmentCommand("", 0, end, start, file_size, _ALL, _ALL, headers),
        BuildVersion(c.PLATFORM_MACOS, MINIMUM_MACOS, SDK),
        SymbolTable(table_at, len(names), table_at + len(table), len(strings)),
        DynamicSymbolTable(0, private, private, exported, private + exported,
                           len(names) - private - exported),
    ]
    head = Header(c.CPU_TYPE_ARM64, c.CPU_SUBTYPE_ARM64_ALL, c.MH_OBJECT, len(commands),
                  commands_size, 0).pack()
    head += b"".join(command.pack() for command in commands)
    return bytes(head.ljust(start, b"\0") + in_file + relocations + table + strings)


def _addresses(module: ObjectFile) -> tuple[list[int], int]:
    """Addresses as if all sections were loaded one behind the other from 0, and the end.

    Zero-fill comes last, so that it takes no room in the file.
    """
    addresses = [0] * len(module.sections)
    end = 0
    for zero_fill in (False, True):
        for index, section in enumerate(module.sections):
            if section.zero_fill == zero_fill:
                addresses[index] = end = _up(end, 1 << section.align)
                end += section.size
    return addresses, end


def _symbol_order(module: ObjectFile) -> list[tuple[str, Symbol | None]]:
    """Private symbols, exported ones, undefined ones (None), as LC_DYSYMTAB wants it."""
    # A private number needs no symbol: whoever used it has its value.
    defined = {s.name for s in module.symbols}
    private = [s for s in module.symbols if not s.is_global and s.section is not None]
    exported = sorted((s for s in module.symbols if s.is_global), key=lambda s: s.name)
    used = {r.symbol for section in module.sections for r in section.relocations}
    numbers = [s for s in module.symbols
               if not s.is_global and s.section is None and s.name in used]
    return [*((s.name, s) for s in (*private, *numbers, *exported)),
            *((name, None) for name in sorted(used - defined))]


def _entry(symbol: Symbol | None, name: int, addresses: list[int]) -> SymbolEntry:
    if symbol is None:
        return SymbolEntry(name, c.N_UNDF | c.N_EXT, 0, 0, 0)
    seen = c.N_EXT if symbol.is_global else 0
    if symbol.section is None:
        return SymbolEntry(name, c.N_ABS | seen, 0, 0, symbol.value & (1 << 64) - 1)
    return SymbolEntry(name, c.N_SECT | seen, symbol.section + 1, 0,
                       addresses[symbol.section] + symbol.value)


def _entries(relocations: tuple[Relocation, ...],
             index: dict[str, int]) -> Iterator[RelocationEntry]:
    """The relocations of a section from its end to its start, as assemblers write them."""
    for relocation in sorted(relocations, key=lambda r: -r.offset):
        pc_relative = relocation.kind in (RelocationKind.BRANCH26, RelocationKind.PAGE21)
        if relocation.kind is not RelocationKind.UNSIGNED and relocation.addend:
            if not -_ADDEND_LIMIT <= relocation.addend < _ADDEND_LIMIT:
                raise KitError.of(
                    f"'{relocation.symbol}' is used {relocation.addend:+,} bytes away from itself",
                    relocation.span, hint="an object file holds distances up to 8 MiB",
                )
            # It stands before the entry that it belongs to.
            yield RelocationEntry(relocation.offset, relocation.addend, False, 2, False,
                                  _ADDEND_KIND)
        yield RelocationEntry(relocation.offset, index[relocation.symbol], pc_relative,
                              relocation.size.bit_length() - 1, True, relocation.kind)


def _with_addends(data: bytes, relocations: tuple[Relocation, ...]) -> bytes:
    """The section with the addends of its pointers in their places."""
    patched = bytearray(data)
    for relocation in relocations:
        if relocation.kind is RelocationKind.UNSIGNED:
            end = relocation.offset + relocation.size
            if not 0 <= relocation.offset <= end <= len(data):
                raise KitError.of(f"a reference to '{relocation.symbol}' at {relocation.offset:#x},"
                                  " outside its section", relocation.span)
            value = relocation.addend % (1 << 8 * relocation.size)
            patched[relocation.offset:end] = value.to_bytes(relocation.size, "little")
    return bytes(patched)


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
