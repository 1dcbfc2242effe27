"""Words for what is in a file: every byte of it, every command, every flag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ymawky_kit.macho import codesign
from ymawky_kit.macho import constants as c
from ymawky_kit.macho.commands import (
    BuildVersion,
    DyldInfo,
    DynamicSymbolTable,
    EntryPoint,
    Header,
    LinkeditData,
    LoadDylib,
    LoadDylinker,
    SectionHeader,
    SegmentCommand,
    SourceVersion,
    SymbolEntry,
    SymbolTable,
    Uuid,
)
from ymawky_kit.macho.reader import MachO, PlacedCommand, Signature


@dataclass(frozen=True, slots=True)
class Region:
    """Bytes `start` to `end` (exclusive) of a file."""

    start: int
    end: int
    segment: str        # "" outside all segments
    name: str           # "__text", "load commands", "zeros"
    meaning: str        # in half a sentence
    is_filler: bool = False

    @property
    def size(self) -> int:
        return self.end - self.start


#: What the sections that we know are for.
SECTIONS: Final = {
    ("__TEXT", "__text"): "machine code",
    ("__TEXT", "__const"): "constants: may be read, never written",
    ("__TEXT", "__cstring"): "texts that end with a zero byte",
    ("__DATA", "__data"): "variables with a first value",
    ("__DATA", "__const"): "constants that hold addresses: dyld writes them once",
    ("__DATA", "__bss"): "variables that begin as zero: no room in the file",
}

SEGMENTS: Final = {
    "__PAGEZERO": "nothing may be here, so a null pointer stops the program",
    "__TEXT": "code and constants, with the header in front",
    "__DATA": "what the program writes",
    "__DATA_CONST": "what dyld writes, and then nobody",
    "__LINKEDIT": "notes for dyld, for debuggers and for the signature",
}

_HEADER_FLAGS: Final = {
    c.MH_NOUNDEFS: ("NOUNDEFS", "no symbol is left to find"),
    c.MH_DYLDLINK: ("DYLDLINK", "dyld starts it"),
    c.MH_TWOLEVEL: ("TWOLEVEL", "each name is bound to one library"),
    c.MH_PIE: ("PIE", "may be loaded at any address"),
}

_SIGNATURE_FLAGS: Final = {
    c.CS_ADHOC: ("ADHOC", "no certificate vouches for it"),
    c.CS_LINKER_SIGNED: ("LINKER_SIGNED", "made by a linker, codesign may replace it"),
}


def flag_names(value: int, known: dict[int, tuple[str, str]]) -> str:
    """The names of the set bits; what has no name as a number."""
    names = []
    for bit, (name, _) in known.items():
        if value & bit:
            names.append(name)
            value &= ~bit
    if value:
        names.append(f"{value:#x}")
    return " ".join(names) or "none"


def header_flags(value: int) -> str:
    return flag_names(value, _HEADER_FLAGS)


def signature_flags(value: int) -> str:
    return flag_names(value, _SIGNATURE_FLAGS)


def protection(value: int) -> str:
    """5 as "r-x"."""
    return "".join(letter if value & bit else "-" for letter, bit in (
        ("r", c.VM_PROT_READ), ("w", c.VM_PROT_WRITE), ("x", c.VM_PROT_EXECUTE)))


def version(packed: int) -> str:
    """0x000B0100 as "11.1"."""
    text = f"{packed >> 16}.{packed >> 8 & 0xFF}"
    return f"{text}.{packed & 0xFF}" if packed & 0xFF else text


def command_meaning(placed: PlacedCommand) -> tuple[str, str]:
    """What a load command says, and what it is for."""
    command = placed.command
    match command:
        case SegmentCommand():
            return f"{command.name}, {protection(command.protection)}", SEGMENTS.get(
                command.name, "a part of the file to map")
        case DyldInfo():
            what = f"{command.rebase_size} bytes of rebase list" if command.rebase_size else "empty"
            return what, "the pointers that dyld slides"
        case SymbolTable():
            return f"{command.count} symbols", "names, for debuggers and people"
        case DynamicSymbolTable():
            return (f"{command.local_count} private, {command.defined_count} exported,"
                    f" {command.undefined_count} undefined"), "how the symbols are sorted"
        case LoadDylinker():
            return command.path, "the program that really starts first"
        case Uuid():
            return uuid_text(command.value), "the name of this very build"
        case BuildVersion():
            system = "macOS" if command.platform == c.PLATFORM_MACOS \
                else f"platform {command.platform}"
            return (f"{system} {version(command.minimum)}, SDK {version(command.sdk)}",
                    "for which system it was built")
        case SourceVersion():
            return str(command.version), "version of the sources"
        case EntryPoint():
            return f"{command.offset:#x} into __TEXT", "where dyld jumps when all is ready"
        case LoadDylib():
            return command.path, "a library to load along"
        case LinkeditData() if placed.number == c.LC_CODE_SIGNATURE:
            return f"{command.size} bytes at {command.offset:#x}", "where the signature is"
        case LinkeditData():
            return f"{command.size} bytes at {command.offset:#x}", "a part of __LINKEDIT"
    return f"{placed.size} bytes", "not taken apart here"


def uuid_text(value: bytes) -> str:
    """16 bytes in the usual groups."""
    digits = value.hex().upper()
    return "-".join(digits[start:end] for start, end in (
        (0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))


def regions(file: MachO) -> tuple[Region, ...]:
    """The whole file from its first to its last byte, every byte in one region.

    Where a damaged file claims a byte twice, the part that begins first has it.
    """
    pieces = sorted(_pieces(file), key=lambda piece: (piece.start, piece.end))
    size = len(file.data)
    found: list[Region] = []
    position = 0
    for piece in pieces:
        start, end = max(piece.start, position), min(piece.end, size)
        if end <= start:
            continue
        if start > position:
            found.append(_gap(file, position, start))
        found.append(Region(start, end, piece.segment, piece.name, piece.meaning))
        position = end
    if position < size:
        found.append(_gap(file, position, size))
    return tuple(found)


def _pieces(file: MachO) -> Iterator[Region]:
    commands = file.header.commands_size
    yield Region(0, Header.LAYOUT.size, "__TEXT", "header", "what kind of file this is")
    yield Region(Header.LAYOUT.size, Header.LAYOUT.size + commands, "__TEXT",
                 f"{file.header.command_count} load commands", "what to map, load and start")
    for section in file.sections:
        if section.offset:
            yield Region(section.offset, section.offset + section.size, section.segment,
                         section.name, section_meaning(section))
    for placed in file.commands:
        match placed.command:
            case DyldInfo() as info:
                for start, size, name, meaning in (
                    (info.rebase_offset, info.rebase_size, "rebase list",
                     f"says where the {len(file.rebases)} pointers are that dyld slides"),
                    (info.bind_offset, info.bind_size, "bind list", "symbols from libraries"),
                    (info.lazy_bind_offset, info.lazy_bind_size, "lazy bind list", "the same"),
                    (info.export_offset, info.export_size, "export list", "symbols for others"),
                ):
                    yield Region(start, start + size, "__LINKEDIT", name, meaning)
            case SymbolTable() as table:
                yield Region(
                    table.offset, table.offset + table.count * SymbolEntry.LAYOUT.size,
                    "__LINKEDIT", "symbol table", f"{table.count} symbols of 16 bytes")
                yield Region(table.strings_offset, table.strings_offset + table.strings_size,
                             "__LINKEDIT", "string table", "the names of the symbols")
            case LinkeditData() as part:
                if placed.number == c.LC_CODE_SIGNATURE and file.signature is not None:
                    yield from _signature_pieces(file.signature)
                else:
                    name = placed.name.removeprefix("LC_").replace("_", " ").lower()
                    yield Region(part.offset, part.offset + part.size, "__LINKEDIT", name,
                                 "see its load command")


def _signature_pieces(signature: Signature) -> Iterator[Region]:
    """The three parts of a signature as our signer makes them, else one piece."""
    directory = signature.directory
    hashes = sum(map(len, directory.hashes))
    start, end = signature.offset, signature.offset + signature.size
    if codesign.size(directory.code_limit, directory.identifier) != signature.size or \
            directory.page_log2 != codesign.PAGE_LOG2:
        yield Region(start, end, "__LINKEDIT", "signature", "hashes of all the rest")
        return
    yield Region(start, end - hashes, "__LINKEDIT", "signature",
                 f'CodeDirectory of "{directory.identifier}"')
    yield Region(end - hashes, end, "__LINKEDIT", "page hashes",
                 f"{len(directory.hashes)} SHA-256, one for each 4 KiB above")


def section_meaning(section: SectionHeader) -> str:
    known = SECTIONS.get((section.segment, section.name))
    if known is not None:
        return known
    if section.flags & (c.S_ATTR_PURE_INSTRUCTIONS | c.S_ATTR_SOME_INSTRUCTIONS):
        return "machine code"
    return "data"


def _gap(file: MachO, start: int, end: int) -> Region:
    """Bytes that nothing describes."""
    zeros = not any(file.data[start:end])
    segment = next((s.name for s in file.segments
                    if s.offset <= start < s.offset + s.file_size), "")
    if not zeros:
        return Region(start, end, segment, "(unknown)", "bytes that nothing describes")
    commands_end = Header.LAYOUT.size + file.header.commands_size
    if start == commands_end:
        meaning = "room for more load commands"
    elif end % c.PAGE == 0:
        meaning = "fill up the 16 KiB page"
    else:
        meaning = "between two parts"
    return Region(start, end, segment, "zeros", meaning, is_filler=True)
