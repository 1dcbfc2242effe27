"""The structures of a Mach-O file: one class each, `LAYOUT` is what lies on disk.

`pack` gives the bytes; `unpack` takes them apart again, and raises
`struct.error` or `ValueError` when they cannot be that structure.  Numbers are
little-endian, names are NUL-padded.  Source: <mach-o/loader.h>, <mach-o/nlist.h>.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Final, Protocol, Self, TypeAlias

from ymawky_kit.macho import constants as c

#: The two fields that every load command begins with: which one, and how long.
PREFIX: Final = Struct("<II")


def pack_name(name: str) -> bytes:
    """A segment or section name as its 16 bytes; raises ValueError when longer."""
    data = name.encode()
    if len(data) > 16:
        raise ValueError(f"{name} is longer than 16 bytes")
    return data.ljust(16, b"\0")


def unpack_name(data: bytes) -> str:
    """The text before the first NUL, odd bytes shown as `\\xNN`."""
    return data.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Header:
    """mach_header_64: what kind of file this is."""

    LAYOUT: ClassVar[Struct] = Struct("<IIIIIIII")

    cpu_type: int
    cpu_subtype: int
    file_type: int
    command_count: int
    commands_size: int      # in bytes, this header not counted
    flags: int

    def pack(self) -> bytes:
        return self.LAYOUT.pack(c.MH_MAGIC_64, self.cpu_type, self.cpu_subtype, self.file_type,
                                self.command_count, self.commands_size, self.flags, 0)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        magic, *fields, _reserved = cls.LAYOUT.unpack_from(data)
        if magic != c.MH_MAGIC_64:
            raise ValueError(f"magic {magic:#x} is not {c.MH_MAGIC_64:#x}")
        return cls(*fields)


class Command(Protocol):
    """A load command."""

    def pack(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class SectionHeader:
    """section_64: a named part of a segment."""

    LAYOUT: ClassVar[Struct] = Struct("<16s16sQQIIIIIIII")

    name: str
    segment: str
    address: int
    size: int
    offset: int             # in the file; 0 when it is zero-fill
    align: int              # log2
    flags: int
    relocations: int = 0    # place of the first in the file; only object files have some
    relocation_count: int = 0

    def pack(self) -> bytes:
        return self.LAYOUT.pack(
            pack_name(self.name), pack_name(self.segment), self.address, self.size, self.offset,
            self.align, self.relocations, self.relocation_count, self.flags, 0, 0, 0)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        (name, segment, address, size, offset, align, relocations, count,
         flags, *_) = cls.LAYOUT.unpack_from(data)
        return cls(unpack_name(name), unpack_name(segment), address, size, offset, align, flags,
                   relocations, count)


@dataclass(frozen=True, slots=True)
class SegmentCommand:
    """LC_SEGMENT_64: map this part of the file there, with this protection."""

    LAYOUT: ClassVar[Struct] = Struct("<II16sQQQQiiII")

    name: str
    address: int
    vm_size: int
    offset: int
    file_size: int
    max_protection: int     # the most that mprotect may ever give it
    protection: int         # what it gets at the start
    sections: tuple[SectionHeader, ...] = ()
    flags: int = 0

    def pack(self) -> bytes:
        size = self.LAYOUT.size + len(self.sections) * SectionHeader.LAYOUT.size
        return self.LAYOUT.pack(
            c.LC_SEGMENT_64, size, pack_name(self.name), self.address, self.vm_size, self.offset,
            self.file_size, self.max_protection, self.protection, len(self.sections), self.flags,
        ) + b"".join(section.pack() for section in self.sections)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        (_, _, name, address, vm_size, offset, file_size, most, protection, count,
         flags) = cls.LAYOUT.unpack_from(data)
        if count * SectionHeader.LAYOUT.size > len(data) - cls.LAYOUT.size:
            raise ValueError(f"{count} sections do not fit into a command of {len(data)} bytes")
        sections = tuple(
            SectionHeader.unpack(data[start:start + SectionHeader.LAYOUT.size])
            for start in range(cls.LAYOUT.size,
                               cls.LAYOUT.size + count * SectionHeader.LAYOUT.size,
                               SectionHeader.LAYOUT.size)
        )
        return cls(unpack_name(name), address, vm_size, offset, file_size, most, protection,
                   sections, flags)


@dataclass(frozen=True, slots=True)
class DyldInfo:
    """LC_DYLD_INFO_ONLY: where dyld finds its work lists; offsets in the file."""

    LAYOUT: ClassVar[Struct] = Struct("<IIIIIIIIIIII")

    rebase_offset: int = 0      # pointers to slide
    rebase_size: int = 0
    bind_offset: int = 0        # symbols to fetch from libraries: none here
    bind_size: int = 0
    weak_bind_offset: int = 0
    weak_bind_size: int = 0
    lazy_bind_offset: int = 0
    lazy_bind_size: int = 0
    export_offset: int = 0      # symbols for others: none here
    export_size: int = 0

    def pack(self) -> bytes:
        return self.LAYOUT.pack(
            c.LC_DYLD_INFO_ONLY, self.LAYOUT.size, self.rebase_offset, self.rebase_size,
            self.bind_offset, self.bind_size, self.weak_bind_offset, self.weak_bind_size,
            self.lazy_bind_offset, self.lazy_bind_size, self.export_offset, self.export_size,
        )

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        return cls(*cls.LAYOUT.unpack_from(data)[2:])


@dataclass(frozen=True, slots=True)
class SymbolTable:
    """LC_SYMTAB: the names, for debuggers and for people."""

    LAYOUT: ClassVar[Struct] = Struct("<IIIIII")

    offset: int
    count: int              # entries of 16 bytes
    strings_offset: int
    strings_size: int

    def pack(self) -> bytes:
        return self.LAYOUT.pack(c.LC_SYMTAB, self.LAYOUT.size, self.offset, self.count,
                                self.strings_offset, self.strings_size)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        return cls(*cls.LAYOUT.unpack_from(data)[2:])


@dataclass(frozen=True, slots=True)
class DynamicSymbolTable:
    """LC_DYSYMTAB: how the symbol table is sorted; the twelve fields after these are 0 here."""

    LAYOUT: ClassVar[Struct] = Struct("<IIIIIIII48x")

    local_start: int
    local_count: int
    defined_start: int
    defined_count: int
    undefined_start: int
    undefined_count: int

    def pack(self) -> bytes:
        return self.LAYOUT.pack(
            c.LC_DYSYMTAB, self.LAYOUT.size, self.local_start, self.local_count,
            self.defined_start, self.defined_count, self.undefined_start, self.undefined_count,
        )

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        return cls(*cls.LAYOUT.unpack_from(data)[2:])


@dataclass(frozen=True, slots=True)
class LoadDylinker:
    """LC_LOAD_DYLINKER: the program that the kernel really starts."""

    LAYOUT: ClassVar[Struct] = Struct("<III")

    path: str

    def pack(self) -> bytes:
        text = _padded(self.LAYOUT.size, self.path)
        size = self.LAYOUT.size + len(text)
        return self.LAYOUT.pack(c.LC_LOAD_DYLINKER, size, self.LAYOUT.size) + text

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        _, _, offset = cls.LAYOUT.unpack_from(data)
        return cls(unpack_name(data[offset:]))


@dataclass(frozen=True, slots=True)
class Uuid:
    """LC_UUID: tells builds apart."""

    LAYOUT: ClassVar[Struct] = Struct("<II16s")

    value: bytes

    def pack(self) -> bytes:
        return self.LAYOUT.pack(c.LC_UUID, self.LAYOUT.size, self.value)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        return cls(cls.LAYOUT.unpack_from(data)[2])


@dataclass(frozen=True, slots=True)
class BuildVersion:
    """LC_BUILD_VERSION: for which system, from which version on; x.y.z in 16, 8 and 8 bits."""

    LAYOUT: ClassVar[Struct] = Struct("<IIIIII")

    platform: int
    minimum: int
    sdk: int                # the newer it is, the more rules dyld applies
    tool_count: int = 0

    def pack(self) -> bytes:
        return self.LAYOUT.pack(c.LC_BUILD_VERSION, self.LAYOUT.size, self.platform,
                                self.minimum, self.sdk, self.tool_count)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        return cls(*cls.LAYOUT.unpack_from(data)[2:])


@dataclass(frozen=True, slots=True)
class SourceVersion:
    """LC_SOURCE_VERSION: of the sources, as the author counts."""

    LAYOUT: ClassVar[Struct] = Struct("<IIQ")

    version: int

    def pack(self) -> bytes:
        return self.LAYOUT.pack(c.LC_SOURCE_VERSION, self.LAYOUT.size, self.version)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        return cls(cls.LAYOUT.unpack_from(data)[2])


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """LC_MAIN: where dyld jumps once the process is set up."""

    LAYOUT: ClassVar[Struct] = Struct("<IIQQ")

    offset: int             # of the first instruction, from the start of __TEXT
    stack_size: int = 0     # 0 means the default

    def pack(self) -> bytes:
        return self.LAYOUT.pack(c.LC_MAIN, self.LAYOUT.size, self.offset, self.stack_size)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        return cls(*cls.LAYOUT.unpack_from(data)[2:])


@dataclass(frozen=True, slots=True)
class LoadDylib:
    """LC_LOAD_DYLIB: a library that dyld loads along."""

    LAYOUT: ClassVar[Struct] = Struct("<IIIIII")

    path: str
    timestamp: int
    current_version: int
    compatible_version: int

    def pack(self) -> bytes:
        text = _padded(self.LAYOUT.size, self.path)
        return self.LAYOUT.pack(
            c.LC_LOAD_DYLIB, self.LAYOUT.size + len(text), self.LAYOUT.size,
            self.timestamp, self.current_version, self.compatible_version,
        ) + text

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        _, _, offset, timestamp, current, compatible = cls.LAYOUT.unpack_from(data)
        return cls(unpack_name(data[offset:]), timestamp, current, compatible)


@dataclass(frozen=True, slots=True)
class LinkeditData:
    """linkedit_data_command: the place of one blob in __LINKEDIT, as LC_CODE_SIGNATURE's."""

    LAYOUT: ClassVar[Struct] = Struct("<IIII")

    command: int
    offset: int
    size: int

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.command, self.LAYOUT.size, self.offset, self.size)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        command, _, offset, size = cls.LAYOUT.unpack_from(data)
        return cls(command, offset, size)


@dataclass(frozen=True, slots=True)
class OtherCommand:
    """A command that we do not take apart."""

    command: int
    data: bytes             # all of it, the two prefix fields included

    def pack(self) -> bytes:
        return self.data


AnyCommand: TypeAlias = (
    SegmentCommand | DyldInfo | SymbolTable | DynamicSymbolTable | LoadDylinker | Uuid
    | BuildVersion | SourceVersion | EntryPoint | LoadDylib | LinkeditData | OtherCommand
)

_LINKEDIT_DATA: Final = (c.LC_CODE_SIGNATURE, c.LC_FUNCTION_STARTS, c.LC_DATA_IN_CODE,
                         c.LC_DYLD_EXPORTS_TRIE, c.LC_DYLD_CHAINED_FIXUPS)


def unpack_command(data: bytes) -> AnyCommand:
    """The command in `data`, which is exactly as long as the command says it is.

    Raises `struct.error` or `ValueError` when it is damaged.
    """
    command, _size = PREFIX.unpack_from(data)
    match command:
        case c.LC_SEGMENT_64:
            return SegmentCommand.unpack(data)
        case c.LC_DYLD_INFO_ONLY:
            return DyldInfo.unpack(data)
        case c.LC_SYMTAB:
            return SymbolTable.unpack(data)
        case c.LC_DYSYMTAB:
            return DynamicSymbolTable.unpack(data)
        case c.LC_LOAD_DYLINKER:
            return LoadDylinker.unpack(data)
        case c.LC_UUID:
            return Uuid.unpack(data)
        case c.LC_BUILD_VERSION:
            return BuildVersion.unpack(data)
        case c.LC_SOURCE_VERSION:
            return SourceVersion.unpack(data)
        case c.LC_MAIN:
            return EntryPoint.unpack(data)
        case c.LC_LOAD_DYLIB:
            return LoadDylib.unpack(data)
    if command in _LINKEDIT_DATA:
        return LinkeditData.unpack(data)
    return OtherCommand(command, data)


@dataclass(frozen=True, slots=True)
class SymbolEntry:
    """nlist_64: one row of the symbol table."""

    LAYOUT: ClassVar[Struct] = Struct("<IBBHQ")

    name_offset: int        # into the string table
    type: int               # N_SECT or N_ABS, and N_EXT when others may use it
    section: int            # counted from 1 over all segments; 0 for a number
    description: int
    value: int              # address, or the number

    def pack(self) -> bytes:
        return self.LAYOUT.pack(self.name_offset, self.type, self.section, self.description,
                                self.value)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        return cls(*cls.LAYOUT.unpack_from(data))


def _padded(offset: int, text: str) -> bytes:
    """The text with its NUL, filled up so that the command ends at a multiple of 8."""
    data = text.encode() + b"\0"
    return data + bytes(-(offset + len(data)) % 8)
