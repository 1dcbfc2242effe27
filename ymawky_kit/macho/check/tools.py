"""Stage three, the tools: what runs all the same, but confuses codesign, debuggers and nm."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from ymawky_kit.macho.check.dyld import (
    LC_DYLD_INFO,
    LC_DYSYMTAB,
    LC_SYMTAB,
    BadRebaseError,
    rebases,
)
from ymawky_kit.macho.check.file import File
from ymawky_kit.macho.check.rule import Rules

RULES: Final = Rules()

_LINKEDIT: Final = "dyld mach_o/Image.cpp validStructureLinkedit"
#: Commands that describe one part of __LINKEDIT.
_PARTS: Final = {
    0x1D: "code signature",
    0x1E: "segment split info",
    0x26: "function starts",
    0x29: "data in code",
    0x2B: "code signing requirements",
    0x2E: "linker optimisation hints",
    0x36: "atom info",
    0x80000033: "exports trie",
    0x80000034: "chained fix-ups",
}
#: The most that aligning the signature may take.
_GAP: Final = 16


def _parts(file: File) -> Iterator[tuple[int, int, int, str]]:
    """(start, end, wanted alignment, name) of each part of __LINKEDIT."""
    for command in file.of_kind(*_PARTS):
        yield command.u32(8), command.u32(8) + command.u32(12), 8, _PARTS[command.kind]
    for command in file.of_kind(*LC_DYLD_INFO):
        for at, name in ((8, "rebase list"), (16, "bind list"), (24, "weak bind list"),
                         (32, "lazy bind list"), (40, "export list")):
            yield command.u32(at), command.u32(at) + command.u32(at + 4), 8, name
    for command in file.of_kind(LC_SYMTAB):
        yield command.u32(8), command.u32(8) + 16 * command.u32(12), 8, "symbol table"
        yield command.u32(16), command.u32(16) + command.u32(20), 1, "string table"
    for command in file.of_kind(LC_DYSYMTAB):
        yield command.u32(56), command.u32(56) + 4 * command.u32(60), 4, "indirect symbols"


@RULES.add("linkedit-parts", "tools", _LINKEDIT)
def linkedit_parts(file: File) -> Iterator[str]:
    """The parts of __LINKEDIT lie inside it and do not overlap."""
    segment = file.segment(b"__LINKEDIT")
    if segment is None:
        return
    parts = sorted(part for part in _parts(file) if part[1] > part[0])
    for start, end, _, name in parts:
        if start < segment.offset or end > segment.end:
            yield (f"the {name} lies at {start:#x} to {end:#x}, __LINKEDIT at"
                   f" {segment.offset:#x} to {segment.end:#x}")
    for (_, end, _, one), (start, _, _, two) in pairwise(parts):
        if start < end:
            yield f"the {one} and the {two} overlap"


@RULES.add("linkedit-gaps", "tools", "cctools libstuff/checkout.c dyld_order")
def linkedit_gaps(file: File) -> Iterator[str]:
    """The parts of __LINKEDIT follow each other, with no more than alignment between them."""
    segment = file.segment(b"__LINKEDIT")
    if segment is None:
        return
    end = segment.offset
    for start, part_end, _, name in sorted(part for part in _parts(file) if part[1] > part[0]):
        if start - end >= _GAP:
            yield f"{start - end} bytes before the {name} belong to nothing"
        end = max(end, part_end)


@RULES.add("classic-fix-ups", "tools", _LINKEDIT)
def classic_fix_ups(file: File) -> Iterator[str]:
    """A file with LC_DYLD_INFO lists no relocations in the way of old."""
    command = file.first(LC_DYSYMTAB)
    if command is None or file.first(*LC_DYLD_INFO, 0x80000034) is None:
        return
    if command.u32(68) or command.u32(76):
        yield (f"LC_DYSYMTAB lists {command.u32(68)} external"
               f" and {command.u32(76)} local relocations")


@RULES.add("old-tables", "tools", "cctools libstuff/checkout.c dyld_order")
def old_tables(file: File) -> Iterator[str]:
    """LC_DYSYMTAB describes none of the tables that nobody has used for twenty years."""
    command = file.first(LC_DYSYMTAB)
    if command is None:
        return
    for at, name in ((32, "table of contents"), (40, "module table"), (48, "reference table")):
        if command.u32(at) or command.u32(at + 4):
            yield f"LC_DYSYMTAB has a {name} at {command.u32(at):#x}"
    for at, name in ((64, "external"), (72, "local")):
        if command.u32(at) and not command.u32(at + 4):
            yield f"LC_DYSYMTAB has no {name} relocations, at {command.u32(at):#x}"


@RULES.add("linkedit-alignment", "tools", _LINKEDIT)
def linkedit_alignment(file: File) -> Iterator[str]:
    """The parts of __LINKEDIT begin at multiples of 8, the string table anywhere."""
    for start, end, align, name in _parts(file):
        if end > start and start % align:
            yield f"the {name} begins at {start:#x}, not at a multiple of {align}"


@RULES.add("symbol-groups", "tools", _LINKEDIT)
def symbol_groups(file: File) -> Iterator[str]:
    """Private, exported and undefined symbols follow each other and are all there are."""
    command, table = file.first(LC_DYSYMTAB), file.first(LC_SYMTAB)
    if command is None or table is None:
        return
    private, privates, exported, exporteds, undefined, undefineds = (
        command.u32(at) for at in range(8, 32, 4))
    if private or exported != privates or undefined != exported + exporteds \
            or undefined + undefineds != table.u32(12):
        yield (f"{privates} private from {private}, {exporteds} exported from {exported},"
               f" {undefineds} undefined from {undefined}, of {table.u32(12)} symbols")


@RULES.add("symbols", "tools", "<mach-o/nlist.h>")
def symbols(file: File) -> Iterator[str]:
    """A symbol has a name and, in a section, an address of that section."""
    table = file.first(LC_SYMTAB)
    if table is None:
        return
    start, count, names, names_size = (table.u32(at) for at in (8, 12, 16, 20))
    sections = [section for segment in file.segments for section in segment.sections()]
    header = min((s.address for s in file.segments if s.file_size), default=0)
    for index in range(min(count, file.size // 16)):
        at = start + 16 * index
        name, kind, ordinal = file.u32(at), file.number(at + 4, 1), file.number(at + 5, 1)
        value = file.u64(at + 8)
        if name >= names_size or b"\0" not in file.data[names + name:names + names_size]:
            yield f"symbol {index} has its name at {name} of {names_size}"
        if kind & 0xE0 or kind & 0x0E != 0x0E:
            continue    # for debuggers, a number, or undefined
        if not 1 <= ordinal <= len(sections):
            yield f"symbol {index} is in section {ordinal} of {len(sections)}"
        elif value != header and not (
                sections[ordinal - 1].address <= value <= sections[ordinal - 1].end):
            yield f"symbol {index} is at {value:#x}, outside {sections[ordinal - 1]}"


@RULES.add("section-place", "tools", "<mach-o/loader.h>")
def section_place(file: File) -> Iterator[str]:
    """A section is as far into its segment in the file as in memory."""
    for segment in file.segments:
        for section in segment.sections():
            if section.zero_fill or not section.size:
                continue
            if section.offset - segment.offset != section.address - segment.address:
                yield (f"{segment},{section} is {section.offset - segment.offset:#x} into the"
                       f" segment in the file, {section.address - segment.address:#x} in memory")


@RULES.add("section-alignment", "tools", "<mach-o/loader.h>")
def section_alignment(file: File) -> Iterator[str]:
    """A section begins at a multiple of its alignment."""
    for segment in file.segments:
        for section in segment.sections():
            if section.align > 15 or section.address % (1 << section.align):
                yield f"{segment},{section} is at {section.address:#x} and wants 2^{section.align}"


@RULES.add("section-overlap", "tools", "<mach-o/loader.h>")
def section_overlap(file: File) -> Iterator[str]:
    """No two sections overlap, nor a section and the load commands."""
    sections = sorted(
        (section.address, section.end, f"{segment},{section}")
         for segment in file.segments for section in segment.sections() if section.size)
    for (_, end, one), (start, _, two) in pairwise(sections):
        if start < end:
            yield f"{one} and {two} overlap"
    for segment in file.segments:
        for section in segment.sections():
            if 0 < section.offset < file.commands_end and section.size:
                yield f"{segment},{section} overlaps the load commands"


@RULES.add("zero-fill-is-zero", "tools",
           "XNU bsd/kern/mach_loader.c load_segment (maps whole pages of the file)")
def zero_fill_is_zero(file: File) -> Iterator[str]:
    """Where zero-fill begins in the last page of the file's part, the file holds zeros."""
    for segment in file.segments:
        for section in segment.sections():
            if not section.zero_fill:
                continue
            start = segment.offset + section.address - segment.address
            end = min(start + section.size, -(-segment.end // 0x4000) * 0x4000)
            if segment.offset <= start < end and any(file.data[start:end]):
                yield f"{segment},{section} should be zeros, and the file holds others"


@RULES.add("pointers", "tools", "dyld dyld/Loader.cpp applyFixupsGeneric (adds the slide)")
def pointers(file: File) -> Iterator[str]:
    """A pointer that dyld slides holds an address of the program."""
    segments = [segment for segment in file.segments if segment.vm_size]
    mapped = [segment for segment in segments if not segment.is_page_zero]
    for command in file.of_kind(*LC_DYLD_INFO):
        try:
            for _, index, offset in rebases(file, command):
                if index is None or index >= len(segments):
                    break
                at = segments[index].offset + offset
                value = file.u64(at) if offset + 8 <= segments[index].file_size else 0
                # The end of a buffer is an address too.
                if not any(segment.address <= value <= segment.vm_end for segment in mapped):
                    yield f"the pointer at {at:#x} of the file holds {value:#x}"
        except BadRebaseError:
            return      # rule rebase-list says it
