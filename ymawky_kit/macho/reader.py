"""A Mach-O file taken apart again, for people and for views.

It shows what is there, right or wrong; judging it is the work of `check`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from struct import error
from typing import Final, TypeVar

from ymawky_kit.macho import constants as c
from ymawky_kit.macho.codesign import CodeDirectory, SuperBlob, cdhash
from ymawky_kit.macho.commands import (
    PREFIX,
    AnyCommand,
    DyldInfo,
    Header,
    LinkeditData,
    OtherCommand,
    SectionHeader,
    SegmentCommand,
    SymbolEntry,
    SymbolTable,
    unpack_command,
    unpack_name,
)
from ymawky_kit.source import KitError

_Kind = TypeVar("_Kind", bound=AnyCommand)
#: More pointers than this are the sign of a damaged list.
_MOST_REBASES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class PlacedCommand:
    """A load command and where it stands in the file."""

    offset: int
    size: int
    number: int             # LC_...
    command: AnyCommand

    @property
    def name(self) -> str:
        return c.COMMAND_NAMES.get(self.number, f"command {self.number:#x}")


@dataclass(frozen=True, slots=True)
class FileSymbol:
    """A row of the symbol table with its name."""

    name: str
    address: int            # or the number
    section: int            # from 1; 0 for a number
    type: int
    description: int

    @property
    def is_global(self) -> bool:
        return bool(self.type & c.N_EXT)


@dataclass(frozen=True, slots=True)
class PageHash:
    """One page of the signed file."""

    offset: int
    size: int
    stored: bytes
    computed: bytes

    @property
    def matches(self) -> bool:
        return self.stored == self.computed


@dataclass(frozen=True, slots=True)
class Signature:
    """The code signature."""

    offset: int
    size: int
    directory: CodeDirectory
    cdhash: bytes           # 20 bytes
    pages: tuple[PageHash, ...]

    @property
    def is_intact(self) -> bool:
        """Whether no signed byte has changed."""
        return all(page.matches for page in self.pages)


@dataclass(frozen=True, slots=True)
class MachO:
    """A Mach-O file."""

    data: bytes
    header: Header
    commands: tuple[PlacedCommand, ...]
    segments: tuple[SegmentCommand, ...]
    symbols: tuple[FileSymbol, ...]
    rebases: tuple[int, ...]        # addresses of the pointers that dyld slides
    signature: Signature | None

    @property
    def sections(self) -> tuple[SectionHeader, ...]:
        """All sections, in the order that symbols count them."""
        return tuple(section for segment in self.segments for section in segment.sections)

    def find(self, kind: type[_Kind]) -> _Kind | None:
        """The first command of a kind."""
        return next((placed.command for placed in self.commands
                     if isinstance(placed.command, kind)), None)


def read(data: bytes) -> MachO:
    """Take a file apart.

    Damage behind the header is shown as far as it can be: a command that cannot
    be taken apart is an :class:`OtherCommand`, an unreadable signature is None.
    Raises :class:`KitError` for what is not a 64-bit Mach-O file at all.
    """
    data = bytes(data)
    try:
        header = Header.unpack(data)
    except (error, ValueError):
        raise KitError.of("not a 64-bit Mach-O file", hint=_what_is(data)) from None
    commands = _commands(data, header)
    segments = tuple(placed.command for placed in commands
                     if isinstance(placed.command, SegmentCommand))
    return MachO(data, header, commands, segments, _symbols(data, commands),
                 _rebases(data, commands, segments), _signature(data, commands))


def _what_is(data: bytes) -> str:
    """What a file that is no Mach-O may be."""
    if not data:
        return "the file is empty"
    if data[:4] == b"\x7fELF":
        return "it is an ELF file, a program for Linux"
    if data[:4] in (b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"):
        return "it is a universal file; take one program out with `lipo -thin arm64`"
    if data[:2] == b"#!":
        return "it is a script"
    return "it begins with " + data[:4].hex(" ")


def _commands(data: bytes, header: Header) -> tuple[PlacedCommand, ...]:
    found = []
    position = Header.LAYOUT.size
    end = min(position + header.commands_size, len(data))
    for _ in range(header.command_count):
        if position + PREFIX.size > end:
            break
        number, size = PREFIX.unpack_from(data, position)
        if size < PREFIX.size or position + size > end:
            break
        raw = data[position:position + size]
        try:
            command = unpack_command(raw)
        except (error, ValueError):
            command = OtherCommand(number, raw)
        found.append(PlacedCommand(position, size, number, command))
        position += size
    return tuple(found)


def _symbols(data: bytes, commands: tuple[PlacedCommand, ...]) -> tuple[FileSymbol, ...]:
    table = next((p.command for p in commands if isinstance(p.command, SymbolTable)), None)
    if table is None:
        return ()
    size = SymbolEntry.LAYOUT.size
    count = min(table.count, max(0, len(data) - table.offset) // size)
    strings = data[table.strings_offset:table.strings_offset + table.strings_size]
    found = []
    for index in range(count):
        start = table.offset + index * size
        entry = SymbolEntry.unpack(data[start:start + size])
        name = unpack_name(_until_nul(strings, entry.name_offset))
        found.append(FileSymbol(name, entry.value, entry.section, entry.type, entry.description))
    return tuple(found)


def _until_nul(strings: bytes, start: int) -> bytes:
    """A string of the table; looking for its end first keeps a table of a megabyte cheap."""
    end = strings.find(b"\0", start)
    return strings[start:end] if end >= 0 else strings[start:]


def _rebases(data: bytes, commands: tuple[PlacedCommand, ...],
             segments: tuple[SegmentCommand, ...]) -> tuple[int, ...]:
    """Follow dyld's list of pointers to slide, as far as it makes sense."""
    info = next((p.command for p in commands if isinstance(p.command, DyldInfo)), None)
    if info is None:
        return ()
    stream = data[info.rebase_offset:info.rebase_offset + info.rebase_size]
    # dyld of macOS 11 does not count segments without memory.
    bases = [segment.address for segment in segments if segment.vm_size]
    found: list[int] = []
    position = 0
    address = 0
    while position < len(stream):
        operation, small = stream[position] & 0xF0, stream[position] & 0x0F
        position += 1
        times, skip = 0, 0
        if operation == c.REBASE_OPCODE_DONE:
            break
        if operation == c.REBASE_OPCODE_SET_SEGMENT_AND_OFFSET_ULEB:
            if small >= len(bases):
                break
            offset, position = read_uleb128(stream, position)
            address = bases[small] + offset
        elif operation == c.REBASE_OPCODE_ADD_ADDR_ULEB:
            step, position = read_uleb128(stream, position)
            address += step
        elif operation == c.REBASE_OPCODE_ADD_ADDR_IMM_SCALED:
            address += 8 * small
        elif operation == c.REBASE_OPCODE_DO_REBASE_IMM_TIMES:
            times = small
        elif operation == c.REBASE_OPCODE_DO_REBASE_ULEB_TIMES:
            times, position = read_uleb128(stream, position)
        elif operation == c.REBASE_OPCODE_DO_REBASE_ADD_ADDR_ULEB:
            times = 1
            skip, position = read_uleb128(stream, position)
        elif operation == c.REBASE_OPCODE_DO_REBASE_ULEB_TIMES_SKIPPING_ULEB:
            times, position = read_uleb128(stream, position)
            skip, position = read_uleb128(stream, position)
        elif operation != c.REBASE_OPCODE_SET_TYPE_IMM:
            break
        if len(found) + times > _MOST_REBASES:
            break
        for _ in range(times):
            found.append(address)
            address += 8 + skip
    return tuple(found)


def read_uleb128(data: bytes, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the position behind it; stops at the end of the data."""
    value = shift = 0
    while position < len(data):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80 or shift > 63:
            break
    return value & (1 << 64) - 1, position


def _signature(data: bytes, commands: tuple[PlacedCommand, ...]) -> Signature | None:
    place = next((p.command for p in commands if isinstance(p.command, LinkeditData)
                  and p.number == c.LC_CODE_SIGNATURE), None)
    if place is None:
        return None
    blob = data[place.offset:place.offset + place.size]
    try:
        raw = SuperBlob.unpack(blob).directory
        directory = CodeDirectory.unpack(raw)
    except (error, ValueError):
        return None
    return Signature(place.offset, place.size, directory, cdhash(raw),
                     tuple(_pages(data, directory)))


def _pages(data: bytes, directory: CodeDirectory) -> list[PageHash]:
    if directory.hash_type != c.CS_HASHTYPE_SHA256 or not 12 <= directory.page_log2 <= 14:
        return []
    step = 1 << directory.page_log2
    end = min(directory.code_limit, len(data))
    pages = []
    for index, stored in enumerate(directory.hashes):
        start = index * step
        page = data[start:min(start + step, end)]
        pages.append(PageHash(start, len(page), stored, hashlib.sha256(page).digest()))
    return pages
