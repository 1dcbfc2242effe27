"""Stage two: does each load command have the size and strings of its kind?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ymawky_kit.macho.check.file import LC_SEGMENT_64, SECTION_SIZE, File
from ymawky_kit.macho.check.rule import Rules

RULES: Final = Rules()

_PARSE: Final = "XNU bsd/kern/mach_loader.c parse_machfile"
_STRUCTURE: Final = "dyld mach_o/UnsafeHeader.cpp validStructureLoadCommands"

#: The commands whose size is fixed: number -> (name, size).
_FIXED: Final = {
    0x2: ("LC_SYMTAB", 24),
    0xB: ("LC_DYSYMTAB", 80),
    0x1B: ("LC_UUID", 24),
    0x1D: ("LC_CODE_SIGNATURE", 16),
    0x1E: ("LC_SEGMENT_SPLIT_INFO", 16),
    0x22: ("LC_DYLD_INFO", 48),
    0x24: ("LC_VERSION_MIN_MACOSX", 16),
    0x25: ("LC_VERSION_MIN_IPHONEOS", 16),
    0x26: ("LC_FUNCTION_STARTS", 16),
    0x29: ("LC_DATA_IN_CODE", 16),
    0x2B: ("LC_DYLIB_CODE_SIGN_DRS", 16),
    0x2E: ("LC_LINKER_OPTIMIZATION_HINT", 16),
    0x2F: ("LC_VERSION_MIN_TVOS", 16),
    0x30: ("LC_VERSION_MIN_WATCHOS", 16),
    0x36: ("LC_ATOM_INFO", 16),
    0x80000022: ("LC_DYLD_INFO_ONLY", 48),
    0x80000028: ("LC_MAIN", 24),
    0x80000033: ("LC_DYLD_EXPORTS_TRIE", 16),
    0x80000034: ("LC_DYLD_CHAINED_FIXUPS", 16),
}
#: The commands that say "refuse me if you do not know me" (bit 31), and that dyld knows.
_KNOWN_REQUIRED: Final = {
    0x80000018: "LC_LOAD_WEAK_DYLIB",
    0x8000001C: "LC_RPATH",
    0x8000001F: "LC_REEXPORT_DYLIB",
    0x80000022: "LC_DYLD_INFO_ONLY",
    0x80000023: "LC_LOAD_UPWARD_DYLIB",
    0x80000028: "LC_MAIN",
    0x80000033: "LC_DYLD_EXPORTS_TRIE",
    0x80000034: "LC_DYLD_CHAINED_FIXUPS",
    0x80000035: "LC_FILESET_ENTRY",
}
#: Commands that name a library or a path; the offset of the text is their first field.
_WITH_TEXT: Final = {0xC, 0xD, 0x80000018, 0x8000001C, 0x8000001F, 0x80000023}
LC_LOAD_DYLINKER: Final = 0xE


@RULES.add("segment-count", "dyld", "dyld-852 src/ImageLoaderMachO.cpp sniffLoadCommands")
def segment_count(file: File) -> Iterator[str]:
    """There are no more segments than dyld counts in a byte."""
    count = len(file.of_kind(LC_SEGMENT_64))
    if count > 255:
        yield f"there are {count} segments, and 255 is the limit"


@RULES.add("segment-32", "kernel", _PARSE)
def segment_32(file: File) -> Iterator[str]:
    """A 64-bit image has no 32-bit segment commands."""
    for command in file.of_kind(0x1):
        yield f"{command} is LC_SEGMENT, the 32-bit form"


@RULES.add("segment-size", "kernel", "XNU bsd/kern/mach_loader.c load_segment")
def segment_size(file: File) -> Iterator[str]:
    """A segment command holds all the sections it counts."""
    for command in file.of_kind(LC_SEGMENT_64):
        count = command.u32(64) if command.size >= 72 else 0
        if command.size < 72 + count * SECTION_SIZE:
            yield f"{command} has {command.size} bytes and {count} sections"


@RULES.add("segment-exact-size", "dyld", _STRUCTURE)
def segment_exact_size(file: File) -> Iterator[str]:
    """A segment command has 72 bytes and 80 for each section, none over."""
    for command in file.of_kind(LC_SEGMENT_64):
        if command.size >= 72 and command.size > 72 + command.u32(64) * SECTION_SIZE:
            yield f"{command} has {command.size} bytes for {command.u32(64)} sections"


@RULES.add("fixed-size", "dyld", _STRUCTURE)
def fixed_size(file: File) -> Iterator[str]:
    """A command of fixed size has exactly that size."""
    for command in file.commands:
        name, size = _FIXED.get(command.kind, ("", command.size))
        if command.size != size:
            yield f"{name} has {command.size} bytes, not {size}"


@RULES.add("build-version-size", "dyld", _STRUCTURE)
def build_version_size(file: File) -> Iterator[str]:
    """LC_BUILD_VERSION has 24 bytes and 8 for each tool it names."""
    for command in file.of_kind(0x32):
        if command.size < 24 or command.size != 24 + 8 * command.u32(20):
            yield f"LC_BUILD_VERSION has {command.size} bytes"


@RULES.add("library-name", "dyld", _STRUCTURE)
def library_name(file: File) -> Iterator[str]:
    """The name of a library ends with a NUL inside its command."""
    for command in file.commands:
        if command.kind in _WITH_TEXT:
            start = command.u32(8) if command.size >= 12 else command.size
            if start >= command.size or b"\0" not in command.bytes(start):
                yield f"the name in {command} does not end inside the command"


@RULES.add("dylinker-name", "kernel", "XNU bsd/kern/mach_loader.c load_dylinker")
def dylinker_name(file: File) -> Iterator[str]:
    """The path in LC_LOAD_DYLINKER ends with a NUL inside its command."""
    for command in file.of_kind(LC_LOAD_DYLINKER):
        start = command.u32(8) if command.size >= 12 else command.size
        if start >= command.size or b"\0" not in command.bytes(start):
            yield "the path in LC_LOAD_DYLINKER does not end inside the command"


@RULES.add("unknown-required", "dyld", _STRUCTURE)
def unknown_required(file: File) -> Iterator[str]:
    """A command whose bit 31 is set is one that dyld knows."""
    for command in file.commands:
        if command.kind & 0x80000000 and command.kind not in _KNOWN_REQUIRED:
            yield f"{command} must be understood by dyld, which does not know it"
