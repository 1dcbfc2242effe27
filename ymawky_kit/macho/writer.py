"""An image as the bytes of a Mach-O file, everything but its signature.

::

    0x0000   header, load commands, zeros      one 4 KiB page
    0x1000   __TEXT: code and constants        16 KiB pages, filled up with zeros
    ...      __DATA: data                      16 KiB pages; zero-fill is only a size
    ...      __LINKEDIT: rebase list, symbols, names (the signature comes behind them)

Each load command is there because a kernel or a dyld from macOS 11 to 26 asks
for it; `check.py` names who and where.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from ymawky_kit.macho import constants as c
from ymawky_kit.macho.commands import (
    BuildVersion,
    Command,
    DyldInfo,
    DynamicSymbolTable,
    EntryPoint,
    Header,
    LinkeditData,
    LoadDylib,
    LoadDylinker,
    SectionHeader,
    SegmentCommand,
    SymbolEntry,
    SymbolTable,
    Uuid,
)
from ymawky_kit.obj import Image, PlacedSymbol, Segment
from ymawky_kit.source import KitError

#: The header and the load commands own this much of the file.
HEADER_ROOM: Final = 0x1000
#: macOS 11 is the first for Apple silicon.
MINIMUM_MACOS: Final = 11 << 16
#: Newer values switch on newer rules of dyld.  The file obeys all of them up to 26.0,
#: so nothing depends on this one.
SDK: Final = 14 << 16
#: What a libSystem of that time calls itself: 1351.0.0.
_LIBSYSTEM_VERSION: Final = 0x0547_0000
_BLOB_ALIGN: Final = 8


def write(image: Image) -> bytes:
    """The file, unsigned.  The same image gives the same bytes.

    Raises :class:`KitError` when the load commands outgrow their page.
    """
    *_, last = image.segments
    linkedit = _Linkedit(last.offset + last.file_size)
    rebase = linkedit.add(rebase_stream(image))
    symbols = sorted_symbols(image)
    table, strings = symbol_table(symbols)
    symbol_place = linkedit.add(table)
    string_place = linkedit.add(strings)

    text = next(segment for segment in image.segments if segment.name == "__TEXT")
    exported = sum(symbol.is_global for symbol in symbols)
    private = len(symbols) - exported

    def commands(uuid: bytes) -> list[Command]:
        return [
            *(_segment_command(segment) for segment in image.segments),
            SegmentCommand(
                "__LINKEDIT", last.address + last.vm_size, _up(len(linkedit.data), c.PAGE),
                linkedit.offset, len(linkedit.data), c.VM_PROT_READ, c.VM_PROT_READ,
            ),
            DyldInfo(*rebase) if image.rebases else DyldInfo(),
            SymbolTable(symbol_place[0], len(symbols), *string_place),
            DynamicSymbolTable(0, private, private, exported, len(symbols), 0),
            LoadDylinker(c.DYLD_PATH),
            Uuid(uuid),
            BuildVersion(c.PLATFORM_MACOS, MINIMUM_MACOS, SDK),
            EntryPoint(image.entry - text.address),
            LoadDylib(c.LIBSYSTEM_PATH, 2, _LIBSYSTEM_VERSION, 1 << 16),
        ]

    contents = [*_contents(image.segments), bytes(linkedit.data)]
    # The name of the build is made of the build, with zeros where the name will stand.
    unnamed = _assemble(commands(bytes(16)), contents)
    return _assemble(commands(content_uuid(unnamed)), contents)


class _Linkedit:
    """__LINKEDIT as it grows: blobs one behind the other, at multiples of 8."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.data = bytearray()

    def add(self, blob: bytes) -> tuple[int, int]:
        """Append a blob; returns its place in the file and its size."""
        self.data += bytes(-len(self.data) % _BLOB_ALIGN)
        place = self.offset + len(self.data)
        self.data += blob
        return place, len(blob)


def _segment_command(segment: Segment) -> SegmentCommand:
    return SegmentCommand(
        segment.name, segment.address, segment.vm_size, segment.offset, segment.file_size,
        segment.protection, segment.protection,
        tuple(SectionHeader(s.name, s.segment, s.address, s.size, s.offset, s.align, s.flags)
              for s in segment.sections),
    )


def _contents(segments: Iterable[Segment]) -> Iterable[bytes]:
    """What each segment takes in the file, zeros where no section is."""
    for segment in segments:
        data = bytearray(segment.file_size)
        for section in segment.sections:
            if not section.zero_fill:
                start = section.offset - segment.offset
                data[start:start + section.size] = section.data
        yield bytes(data)


def _assemble(commands: Sequence[Command], contents: Sequence[bytes]) -> bytes:
    """Header and commands, laid over the first page of the contents."""
    packed = b"".join(command.pack() for command in commands)
    header = Header(
        c.CPU_TYPE_ARM64, c.CPU_SUBTYPE_ARM64_ALL, c.MH_EXECUTE, len(commands), len(packed),
        c.MH_NOUNDEFS | c.MH_DYLDLINK | c.MH_TWOLEVEL | c.MH_PIE,
    )
    head = header.pack() + packed
    # Signing adds one command.
    room = HEADER_ROOM - LinkeditData.LAYOUT.size
    if len(head) > room:
        raise KitError.of(
            f"the load commands take {len(head)} bytes and {room} is the limit",
            hint="use fewer sections: each takes 80 bytes",
        )
    return head + b"".join(contents)[len(head):]


def content_uuid(data: bytes) -> bytes:
    """16 bytes that name the content, marked as a name-based UUID (version 3, RFC 9562)."""
    digest = bytearray(hashlib.sha256(data).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x30
    digest[8] = digest[8] & 0x3F | 0x80
    return bytes(digest)


def sorted_symbols(image: Image) -> list[PlacedSymbol]:
    """The symbols of the file in its order: private ones, then exported ones by name.

    The header gets a name too, as from every linker: some tools look for it.
    """
    written = [symbol for symbol in image.symbols if not symbol.is_label]
    private = [symbol for symbol in written if not symbol.is_global]
    text = next(segment for segment in image.segments if segment.name == "__TEXT")
    header = PlacedSymbol("__mh_execute_header", text.address, 1, True, "")
    exported = [symbol for symbol in written
                if symbol.is_global and symbol.name != header.name]
    return private + sorted([header, *exported], key=lambda symbol: symbol.name)


def symbol_table(symbols: Sequence[PlacedSymbol]) -> tuple[bytes, bytes]:
    """The rows of LC_SYMTAB and the strings they name."""
    rows = bytearray()
    strings = bytearray(b"\0")      # place 0 means "no name"
    for symbol in symbols:
        kind = c.N_SECT if symbol.section else c.N_ABS
        if symbol.is_global:
            kind |= c.N_EXT
        extra = c.REFERENCED_DYNAMICALLY if symbol.name == "__mh_execute_header" else 0
        # A negative number is written as its 64 bits.
        rows += SymbolEntry(len(strings), kind, symbol.section, extra,
                            symbol.address & (1 << 64) - 1).pack()
        strings += symbol.name.encode() + b"\0"
    strings += bytes(-len(strings) % _BLOB_ALIGN)
    return bytes(rows), bytes(strings)


def rebase_stream(image: Image) -> bytes:
    """The little program that tells dyld which pointers to slide (dyld mach_o/RebaseOpcodes).

    Set the type, go to a segment and offset, then for each run of neighbours
    "do n times" and "skip so far"; a zero ends it.  Empty without pointers.
    """
    if not image.rebases:
        return b""
    stream = bytearray([c.REBASE_OPCODE_SET_TYPE_IMM | c.REBASE_TYPE_POINTER])
    position: int | None = None
    for start, count in _runs(image.rebases):
        if position is None:
            index, segment = next(
                (i, s) for i, s in enumerate(image.segments)
                if s.address <= start < s.address + s.vm_size)
            stream.append(c.REBASE_OPCODE_SET_SEGMENT_AND_OFFSET_ULEB | index)
            stream += uleb128(start - segment.address)
        else:
            stream.append(c.REBASE_OPCODE_ADD_ADDR_ULEB)
            stream += uleb128(start - position)
        if count <= 15:
            stream.append(c.REBASE_OPCODE_DO_REBASE_IMM_TIMES | count)
        else:
            stream.append(c.REBASE_OPCODE_DO_REBASE_ULEB_TIMES)
            stream += uleb128(count)
        position = start + 8 * count
    stream.append(c.REBASE_OPCODE_DONE)
    return bytes(stream) + bytes(-len(stream) % _BLOB_ALIGN)


def _runs(addresses: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Sorted addresses as (first, how many follow at distances of 8)."""
    start, count = 0, 0
    for address in addresses:
        if count and address == start + 8 * count:
            count += 1
            continue
        if count:
            yield start, count
        start, count = address, 1
    if count:
        yield start, count


def uleb128(value: int) -> bytes:
    """An unsigned number, seven bits a byte, lowest first; the top bit says "more"."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
