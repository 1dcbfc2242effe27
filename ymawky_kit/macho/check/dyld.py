"""Stage three, dyld: what the dynamic loaders of macOS 11 to 26 insist on.

dyld applies many rules by the SDK that a file says it was built with: the
newer, the stricter.  Where a rule has such a date it is tested here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Final

from ymawky_kit.macho.check.file import Command, File, Segment, version
from ymawky_kit.macho.check.kernel import LC_MAIN, LC_UNIXTHREAD
from ymawky_kit.macho.check.rule import Rules

RULES: Final = Rules()

_SNIFF: Final = "dyld-852 src/ImageLoaderMachO.cpp sniffLoadCommands"
_HEADER: Final = "dyld mach_o/UnsafeHeader.cpp"
_SEGMENT: Final = f"{_HEADER} validSegment"
_SEGMENTS: Final = f"{_HEADER} validSemanticsSegments"
_REBASE: Final = "dyld mach_o/RebaseOpcodes.cpp"

LC_SYMTAB: Final = 0x2
LC_DYSYMTAB: Final = 0xB
LC_UUID: Final = 0x1B
LC_DYLD_INFO: Final = (0x22, 0x80000022)
LC_CHAINED_FIXUPS: Final = 0x80000034
#: LC_LOAD_DYLIB, weak, re-exported, upward.
_LIBRARIES: Final = (0xC, 0x80000018, 0x8000001F, 0x80000023)
#: The SDK from which on macOS 11 is strict.
_STRICT: Final = 0x000A0F00
_SDK_11: Final = 0x000B0000
_SDK_15_4: Final = 0x000F0400
_SDK_26: Final = 0x001A0000
#: What one slot of the rebase stream may repeat before it must have left any segment.
_MOST_REBASES: Final = 1 << 20


def _linkedit(file: File) -> Segment | None:
    return file.segment(b"__LINKEDIT")


@RULES.add("linkedit", "dyld", _SNIFF)
def linkedit(file: File) -> Iterator[str]:
    """There is one __LINKEDIT, and it does not begin the file."""
    count = sum(segment.name == b"__LINKEDIT" for segment in file.segments)
    if count != 1:
        yield f"there are {count} segments __LINKEDIT"
    segment = _linkedit(file)
    if segment is not None and segment.offset == 0:
        yield "__LINKEDIT begins at offset 0, where the header is"


@RULES.add("linkedit-last", "dyld", _SNIFF)
def linkedit_last(file: File) -> Iterator[str]:
    """__LINKEDIT is the last segment in the file."""
    segment = _linkedit(file)
    if segment is not None and file.sdk >= _STRICT:
        for other in file.segments:
            if other.offset > segment.offset:
                yield f"{other} lies behind __LINKEDIT in the file"


@RULES.add("text", "dyld", _SEGMENTS)
def text(file: File) -> Iterator[str]:
    """__TEXT begins the file and holds header and commands."""
    segment = file.segment(b"__TEXT")
    if segment is None:
        yield "there is no segment __TEXT"
    elif segment.offset:
        yield f"__TEXT begins at offset {segment.offset:#x} of the file"
    elif min(segment.file_size, segment.vm_size) < file.commands_end:
        yield (f"__TEXT has {min(segment.file_size, segment.vm_size)} bytes, and header and"
               f" commands have {file.commands_end}")


@RULES.add("text-protection", "dyld", _SEGMENT)
def text_protection(file: File) -> Iterator[str]:
    """__TEXT is readable and executable, nothing else."""
    segment = file.segment(b"__TEXT")
    if segment is not None and file.sdk >= _STRICT and segment.protection != 5:
        yield f"__TEXT has protection {segment.protection}, not 5 (r-x)"


@RULES.add("code-fills-segment", "dyld", _SNIFF)
def code_fills_segment(file: File) -> Iterator[str]:
    """A segment that can be executed is as large in the file as in memory."""
    for segment in file.segments:
        if segment.protection & 4 and segment.vm_size != segment.file_size \
                and file.sdk >= _STRICT:
            yield (f"{segment} has {segment.vm_size:#x} bytes in memory"
                   f" and {segment.file_size:#x} in the file")


@RULES.add("file-fits-memory", "dyld", _SEGMENT)
def file_fits_memory(file: File) -> Iterator[str]:
    """A segment has no more in the file than in memory."""
    for segment in file.segments:
        if segment.file_size > segment.vm_size and (segment.vm_size or segment.protection):
            yield (f"{segment} has {segment.file_size:#x} bytes in the file"
                   f" and {segment.vm_size:#x} in memory")


@RULES.add("no-access-no-contents", "dyld", _SNIFF)
def no_access_no_contents(file: File) -> Iterator[str]:
    """A segment that nobody may touch has nothing in the file."""
    for segment in file.segments:
        if not segment.protection and segment.vm_size and segment.file_size \
                and segment.vm_size != segment.file_size and file.sdk >= _STRICT:
            yield f"{segment} has no rights and {segment.file_size:#x} bytes in the file"


@RULES.add("protection-bits", "dyld", _SEGMENT)
def protection_bits(file: File) -> Iterator[str]:
    """A protection is made of read, write and execute."""
    for segment in file.segments:
        for value in (segment.protection, segment.max_protection):
            if value & ~7:
                yield f"{segment} has protection {value:#x}"


@RULES.add("readable", "dyld", _SNIFF)
def readable(file: File) -> Iterator[str]:
    """Whatever may be touched may be read."""
    for segment in file.segments:
        if segment.protection & 7 and not segment.protection & 1 and \
                segment.name != b"__LINKEDIT":
            yield f"{segment} has protection {segment.protection}, without 1 (r)"


@RULES.add("data-protection", "dyld", _SEGMENT)
def data_protection(file: File) -> Iterator[str]:
    """__LINKEDIT is read-only, __DATA and __DATA_CONST are read and written (SDK 26)."""
    wanted = {b"__LINKEDIT": 1, b"__DATA": 3, b"__DATA_CONST": 3}
    for segment in file.segments:
        right = wanted.get(segment.name, segment.protection)
        if segment.protection != right and file.sdk >= _SDK_26:
            yield f"{segment} has protection {segment.protection}, not {right}"


@RULES.add("data-const-read-only", "dyld", _SEGMENT)
def data_const_read_only(file: File) -> Iterator[str]:
    """__DATA_CONST says that it becomes read-only (SDK 26)."""
    segment = file.segment(b"__DATA_CONST")
    if segment is not None and not segment.flags & 0x10 and file.sdk >= _SDK_26:
        yield "__DATA_CONST lacks the flag 0x10 (SG_READ_ONLY)"


@RULES.add("section-in-segment", "dyld", _SEGMENT)
def section_in_segment(file: File) -> Iterator[str]:
    """A section lies inside its segment, in memory."""
    for segment in file.segments:
        for section in segment.sections():
            too_far = section.end > segment.vm_end and file.sdk >= _SDK_11
            if section.address < segment.address or section.size >= 1 << 63 or too_far:
                yield (f"{segment},{section} is at {section.address:#x} to {section.end:#x}, the"
                       f" segment at {segment.address:#x} to {segment.vm_end:#x}")


@RULES.add("section-in-file-part", "dyld", _SNIFF)
def section_in_file_part(file: File) -> Iterator[str]:
    """A section with a place in the file ends inside its segment's part of the file."""
    for segment in file.segments:
        for section in segment.sections():
            if section.offset and section.offset + section.size > segment.end \
                    and file.sdk >= _STRICT:
                yield (f"{segment},{section} ends at {section.offset + section.size:#x} of the"
                       f" file, the segment at {segment.end:#x}")


@RULES.add("no-overlap", "dyld", _SEGMENTS)
def no_overlap(file: File) -> Iterator[str]:
    """No two segments overlap, in memory or in the file."""
    for one, two in combinations(file.segments, 2):
        if one.address < two.vm_end and two.address < one.vm_end:
            yield f"{one} and {two} overlap in memory"
        if one.offset < two.end and two.offset < one.end:
            yield f"{one} and {two} overlap in the file"


@RULES.add("segment-order", "dyld", _SEGMENTS)
def segment_order(file: File) -> Iterator[str]:
    """Segments are listed in the order of their addresses and places; not the last (SDK 26)."""
    if file.sdk < _SDK_26:
        return
    for one, two in pairwise(file.segments[:-1]):
        if two.address < one.address:
            yield f"{two} is listed behind {one} and has the lower address"
        if two.offset < one.offset and two.file_size:
            yield f"{two} is listed behind {one} and comes first in the file"


@RULES.add("segment-names", "dyld", _SEGMENTS)
def segment_names(file: File) -> Iterator[str]:
    """No two segments have one name (SDK 26)."""
    names = [segment.name for segment in file.segments]
    for name in sorted(set(names)):
        if names.count(name) > 1 and file.sdk >= _SDK_26:
            yield f"{names.count(name)} segments are called {name!r}"


@RULES.add("library", "dyld", f"{_HEADER} validSemanticsLinkedDylibs")
def library(file: File) -> Iterator[str]:
    """The program loads a library at least, libSystem (SDK 15.4)."""
    if not file.of_kind(*_LIBRARIES) and file.sdk >= _SDK_15_4:
        yield f"there is no LC_LOAD_DYLIB, and the SDK is {version(file.sdk)}"


@RULES.add("library-once", "dyld", f"{_HEADER} validSemanticsLinkedDylibs")
def library_once(file: File) -> Iterator[str]:
    """No library is listed twice (SDK 26)."""
    names = [command.bytes(command.u32(8)).split(b"\0", 1)[0]
             for command in file.of_kind(*_LIBRARIES)]
    for name in sorted(set(names)):
        if names.count(name) > 1 and file.sdk >= _SDK_26:
            yield f"{name!r} is listed {names.count(name)} times"


@RULES.add("rpath-once", "dyld", f"{_HEADER} validSemanticsRPath")
def rpath_once(file: File) -> Iterator[str]:
    """No search path is listed twice (SDK 26)."""
    paths = [command.bytes(command.u32(8)).split(b"\0", 1)[0]
             for command in file.of_kind(0x8000001C)]
    for path in sorted(set(paths)):
        if paths.count(path) > 1 and file.sdk >= _SDK_26:
            yield f"{path!r} is listed {paths.count(path)} times"


@RULES.add("no-library-id", "dyld", f"{_HEADER} validSemanticsInstallName")
def no_library_id(file: File) -> Iterator[str]:
    """Only a library has the name of a library."""
    if file.first(0xD) is not None:
        yield "there is an LC_ID_DYLIB"


@RULES.add("uuid", "dyld", f"{_HEADER} validSemanticsUUID")
def uuid(file: File) -> Iterator[str]:
    """There is an LC_UUID (SDK 26)."""
    if file.first(LC_UUID) is None and file.sdk >= _SDK_26:
        yield "there is no LC_UUID"


@RULES.add("linkedit-command-once", "dyld",
           "dyld-960 dyld3/MachOLoaded.cpp getLinkEditLoadCommands")
def linkedit_command_once(file: File) -> Iterator[str]:
    """A command that describes a part of __LINKEDIT comes once."""
    for kind, name in ((LC_SYMTAB, "LC_SYMTAB"), (LC_DYSYMTAB, "LC_DYSYMTAB"),
                       (LC_UUID, "LC_UUID"), (0x26, "LC_FUNCTION_STARTS"),
                       (0x80000033, "LC_DYLD_EXPORTS_TRIE"),
                       (LC_CHAINED_FIXUPS, "LC_DYLD_CHAINED_FIXUPS")):
        count = len(file.of_kind(kind))
        if count > 1:
            yield f"there are {count} {name} commands"
    if len(file.of_kind(*LC_DYLD_INFO)) > 1:
        yield "there are several LC_DYLD_INFO commands"


@RULES.add("symbol-commands", "dyld", _SNIFF)
def symbol_commands(file: File) -> Iterator[str]:
    """LC_DYSYMTAB is there, LC_SYMTAB with it, and a list of fix-ups."""
    if file.first(LC_DYSYMTAB) is None:
        yield "there is no LC_DYSYMTAB"
    elif file.first(LC_SYMTAB) is None:
        yield "there is an LC_DYSYMTAB without LC_SYMTAB"
    if file.first(LC_SYMTAB, *LC_DYLD_INFO, LC_CHAINED_FIXUPS) is None:
        yield "there is no LC_SYMTAB, LC_DYLD_INFO or LC_DYLD_CHAINED_FIXUPS"


@RULES.add("symbol-table", "dyld", _SNIFF)
def symbol_table(file: File) -> Iterator[str]:
    """Symbols, then their names, lie inside __LINKEDIT, symbols at a multiple of 8."""
    command, segment = file.first(LC_SYMTAB), _linkedit(file)
    if command is None or segment is None:
        return
    start, count, names, names_size = (command.u32(at) for at in (8, 12, 16, 20))
    if count and start < segment.offset:
        yield f"the symbols begin at {start:#x}, __LINKEDIT at {segment.offset:#x}"
    if start + 16 * count > names:
        yield f"the symbols end at {start + 16 * count:#x}, their names begin at {names:#x}"
    if names + names_size > segment.end:
        yield f"the names end at {names + names_size:#x}, __LINKEDIT at {segment.end:#x}"
    if start % 8 and file.sdk >= _STRICT:
        yield f"the symbols begin at {start:#x}"


@RULES.add("symbol-ranges", "dyld", _SNIFF)
def symbol_ranges(file: File) -> Iterator[str]:
    """LC_DYSYMTAB speaks of symbols that exist."""
    command, table = file.first(LC_DYSYMTAB), file.first(LC_SYMTAB)
    if command is None or table is None:
        return
    for at, name in ((8, "private"), (16, "exported"), (24, "undefined")):
        first, count = command.u32(at), command.u32(at + 4)
        if max(first, count) > table.u32(12):
            yield f"{count} {name} symbols from {first} on, of {table.u32(12)}"


@RULES.add("indirect-symbols", "dyld", _SNIFF)
def indirect_symbols(file: File) -> Iterator[str]:
    """The table of indirect symbols lies inside __LINKEDIT, before the names."""
    command, table, segment = file.first(LC_DYSYMTAB), file.first(LC_SYMTAB), _linkedit(file)
    if command is None or table is None or segment is None:
        return
    start, count = command.u32(56), command.u32(60)
    if count and (start < segment.offset or start + 4 * count > min(segment.end, table.u32(16))):
        yield f"{count} indirect symbols at {start:#x}"


@RULES.add("fix-up-lists", "dyld", _SNIFF)
def fix_up_lists(file: File) -> Iterator[str]:
    """The lists of LC_DYLD_INFO lie in order inside __LINKEDIT."""
    segment = _linkedit(file)
    if segment is None or file.sdk < _STRICT:
        return
    for command in file.of_kind(*LC_DYLD_INFO):
        end = segment.offset
        for at, name in ((8, "rebase"), (16, "bind"), (24, "weak bind"), (32, "lazy bind"),
                         (40, "export")):
            start, size = command.u32(at), command.u32(at + 4)
            if not size:
                continue
            if start < end or start + size > segment.end:
                yield f"the {name} list is at {start:#x} to {start + size:#x}"
            end = start + size
    for command in file.of_kind(LC_CHAINED_FIXUPS, 0x80000033):
        start, size = command.u32(8), command.u32(12)
        if start < segment.offset or start + size > segment.end:
            yield f"{command} describes {start:#x} to {start + size:#x}, outside __LINKEDIT"


@RULES.add("one-fix-up-format", "dyld", "dyld mach_o/Image.cpp validStructureLinkedit")
def one_fix_up_format(file: File) -> Iterator[str]:
    """Fix-ups are listed in one format."""
    if file.first(*LC_DYLD_INFO) is not None and file.first(LC_CHAINED_FIXUPS) is not None:
        yield "there are LC_DYLD_INFO and LC_DYLD_CHAINED_FIXUPS"


@RULES.add("rebase-list", "dyld", f"{_REBASE} forEachRebase")
def rebase_list(file: File) -> Iterator[str]:
    """The rebase list is made of known operations and ends."""
    for command in file.of_kind(*LC_DYLD_INFO):
        try:
            for _ in rebases(file, command):
                pass
        except BadRebaseError as bad:
            yield str(bad)


@RULES.add("rebase-place", "dyld", f"{_REBASE} valid")
def rebase_place(file: File) -> Iterator[str]:
    """Every pointer to slide lies inside a writable segment."""
    segments = [segment for segment in file.segments if segment.vm_size]
    for command in file.of_kind(*LC_DYLD_INFO):
        try:
            for kind, index, offset in rebases(file, command):
                if kind != 1:
                    yield f"a rebase has type {kind}, not 1 (pointer)"
                elif index is None or index >= len(segments):
                    yield f"a rebase is in segment {index} of {len(segments)}"
                elif offset + 8 > segments[index].vm_size:
                    yield f"a rebase at {offset:#x} lies outside {segments[index]}"
                elif segments[index].protection & 6 != 2:
                    yield f"a rebase is in {segments[index]}, which dyld may not write"
                else:
                    continue
                break
        except BadRebaseError:
            return      # rule rebase-list says it


class BadRebaseError(ValueError):
    """A rebase list that cannot be followed."""


def rebases(file: File, command: Command) -> Iterator[tuple[int, int | None, int]]:
    """Follow the rebase list: (type, segment or None while not set, offset) of each pointer.

    Raises `BadRebaseError`.
    """
    start, size = command.u32(8), command.u32(12)
    stream = file.data[start:start + size]
    position = 0
    kind, segment, offset, total = 0, None, 0, 0

    def uleb() -> int:
        nonlocal position
        value = shift = 0
        while True:
            if position >= len(stream) or shift > 63:
                raise BadRebaseError(f"the rebase list has no proper number at {position}")
            byte = stream[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value & (1 << 64) - 1

    while position < len(stream):
        operation, small = stream[position] & 0xF0, stream[position] & 0x0F
        position += 1
        times, skip = 0, 0
        match operation:
            case 0x00:
                if len(stream) - position > 15:
                    raise BadRebaseError(
                        f"the rebase list ends at {position} of {len(stream)} bytes")
                return
            case 0x10:
                kind = small
            case 0x20:
                segment, offset = small, uleb()
            case 0x30:
                offset += uleb()
            case 0x40:
                offset += small * 8
            case 0x50:
                times = small
            case 0x60:
                times = uleb()
            case 0x70:
                times, skip = 1, uleb()
            case 0x80:
                times, skip = uleb(), uleb()
            case _:
                raise BadRebaseError(f"the rebase list has the unknown operation {operation:#x}")
        total += times
        if total > _MOST_REBASES:
            raise BadRebaseError(f"the rebase list has more than {_MOST_REBASES} pointers")
        for _ in range(times):
            yield kind, segment, offset
            offset = (offset + 8 + skip) & (1 << 64) - 1


@RULES.add("entry", "dyld", f"{_HEADER} getEntry (jumps there)")
def entry(file: File) -> Iterator[str]:
    """LC_MAIN points at an instruction of an executable segment."""
    for command in file.of_kind(LC_MAIN):
        offset = command.u64(8)
        inside = any(segment.protection & 4 and segment.offset <= offset < segment.end
                     for segment in file.segments)
        if not inside or offset % 4 or offset < file.commands_end:
            yield f"LC_MAIN points at {offset:#x}, which is no instruction"


@RULES.add("lc-main", "dyld", f"{_HEADER} validSemanticsMain")
def lc_main(file: File) -> Iterator[str]:
    """On arm64 a program begins with LC_MAIN."""
    if file.first(LC_UNIXTHREAD) is not None:
        yield "there is an LC_UNIXTHREAD, with which dyld stops: missing LC_MAIN"
