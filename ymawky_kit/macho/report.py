"""A Mach-O file explained in plain text: what `ymawky inspect` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from ymawky_kit.macho import constants as c
from ymawky_kit.macho.check import Problem, check
from ymawky_kit.macho.commands import BuildVersion
from ymawky_kit.macho.describe import (
    command_meaning,
    header_flags,
    protection,
    regions,
    section_meaning,
    signature_flags,
    version,
)
from ymawky_kit.macho.reader import FileSymbol, MachO, read

_T = TypeVar("_T")
#: How much of a long list is shown.
_MOST_SYMBOLS: Final = 60
_MOST_POINTERS: Final = 16


def report(data: bytes, name: str, *, everything: bool = False) -> str:
    """The report on a file, several paragraphs, with a newline at the end.

    `everything` shows all symbols and pointers of a large program.  Raises
    :class:`KitError` for what is not a Mach-O file.
    """
    file = read(data)
    parts = [
        [_title(file, name)],
        ["The file, byte by byte", *_map(file)],
        ["Header", *_header(file)],
        ["Load commands", *_commands(file)],
        ["In memory", *_memory(file)],
        ["Symbols", *_symbols(file, everything)],
        ["Pointers that dyld slides", *_pointers(file, everything)],
        ["Signature", *_signature(file)],
        ["What macOS would say", *verdict(check(data))],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _title(file: MachO, name: str) -> str:
    header = file.header
    what = "executable" if header.file_type == c.MH_EXECUTE else f"file of type {header.file_type}"
    cpu = "arm64" if header.cpu_type == c.CPU_TYPE_ARM64 else f"CPU {header.cpu_type:#x}"
    build = file.find(BuildVersion)
    system = f"macOS {version(build.minimum)} and later" if build else "an unknown system"
    return f"{name}: Mach-O {what} for {system}, {cpu}, {len(file.data):,} bytes"


def _map(file: MachO) -> Iterator[str]:
    segment = None
    for region in regions(file):
        if region.segment != segment:
            segment = region.segment
            yield f"  {segment or '(no segment)'}"
        yield _row(f"    {region.start:#07x} - {region.end:#07x} {region.size:>8,}",
                   region.name, region.meaning)


def _row(place: str, name: str, meaning: str) -> str:
    return f"{place}  {name:<18} {meaning}".rstrip()


def _header(file: MachO) -> Iterator[str]:
    header = file.header
    rows = (
        ("magic", f"{c.MH_MAGIC_64:#x}", "a 64-bit Mach-O file"),
        ("cputype", f"{header.cpu_type:#x}", "arm64" if header.cpu_type == c.CPU_TYPE_ARM64
         else "not arm64"),
        ("cpusubtype", f"{header.cpu_subtype:#x}", "any arm64" if not header.cpu_subtype else ""),
        ("filetype", str(header.file_type), "MH_EXECUTE: a program"
         if header.file_type == c.MH_EXECUTE else ""),
        ("ncmds", str(header.command_count), "load commands"),
        ("sizeofcmds", str(header.commands_size), "bytes that they take"),
        ("flags", f"{header.flags:#x}", header_flags(header.flags)),
    )
    for name, value, meaning in rows:
        yield f"  {name:<11} {value:>12}  {meaning}".rstrip()


def _commands(file: MachO) -> Iterator[str]:
    for index, placed in enumerate(file.commands):
        says, meaning = command_meaning(placed)
        yield f"  {index:>2}  {placed.offset:#06x}  {placed.size:>4}  {placed.name:<20} {says}"
        yield f"{'':22}{meaning}"


def _memory(file: MachO) -> Iterator[str]:
    for segment in file.segments:
        yield (f"  {segment.address:#012x} - {segment.address + segment.vm_size:#012x}"
               f"  {protection(segment.protection)}  {segment.name}")
        for section in segment.sections:
            yield (f"    {section.address:#012x} {section.size:>9,}  {section.name:<16}"
                   f" {section_meaning(section)}")


def _symbols(file: MachO, everything: bool) -> Iterator[str]:
    if not file.symbols:
        yield "  none"
        return
    ordered = sorted(file.symbols, key=lambda symbol: (symbol.section == 0, symbol.address))
    sections = file.sections
    for symbol in _first(ordered, None if everything else _MOST_SYMBOLS):
        yield _symbol(symbol, [section.name for section in sections])
    if not everything and len(ordered) > _MOST_SYMBOLS:
        yield f"  and {len(ordered) - _MOST_SYMBOLS} more"


def _symbol(symbol: FileSymbol, sections: Sequence[str]) -> str:
    where = "(a number)"
    if 1 <= symbol.section <= len(sections):
        where = sections[symbol.section - 1]
    seen = "exported" if symbol.is_global else "private"
    return f"  {symbol.address:#012x}  {seen:<8}  {where:<16} {symbol.name}"


def _pointers(file: MachO, everything: bool) -> Iterator[str]:
    if not file.rebases:
        yield "  none: the program finds everything relative to its own instructions"
        return
    for address in _first(file.rebases, None if everything else _MOST_POINTERS):
        yield f"  {address:#012x}  holds {_pointee(file, address)}"
    if not everything and len(file.rebases) > _MOST_POINTERS:
        yield f"  and {len(file.rebases) - _MOST_POINTERS} more"


def _pointee(file: MachO, address: int) -> str:
    for segment in file.segments:
        at = address - segment.address
        if 0 <= at <= segment.file_size - 8:
            start = segment.offset + at
            value = int.from_bytes(file.data[start:start + 8], "little")
            name = next((symbol.name for symbol in file.symbols
                         if symbol.address == value and symbol.section), "")
            return f"{value:#012x}  {name}".rstrip()
    return "nothing that is in the file"


def _signature(file: MachO) -> Iterator[str]:
    signature = file.signature
    if signature is None:
        yield "  none that can be read"
        return
    directory = signature.directory
    yield f"  identifier  {directory.identifier}"
    yield f"  flags       {directory.flags:#x}  {signature_flags(directory.flags)}"
    yield f"  cdhash      {signature.cdhash.hex()}"
    yield (f"  covers      {directory.code_limit:,} bytes in {len(directory.hashes)} pages"
           f" of {1 << directory.page_log2:,}")
    for index, page in enumerate(signature.pages):
        state = "intact" if page.matches else "CHANGED since it was signed"
        yield (f"    page {index:>3}  {page.offset:#07x} - {page.offset + page.size:#07x}"
               f"  {page.stored[:8].hex()}...  {state}")


def verdict(problems: Sequence[Problem]) -> Iterator[str]:
    """Lines that say whether macOS would run a file, from the problems of `check`."""
    refusals = [problem for problem in problems if problem.refused_by != "tools"]
    others = [problem for problem in problems if problem.refused_by == "tools"]
    if not problems:
        yield "  nothing: the kernel and dyld of macOS 11 to 26 would start it"
        return
    if refusals:
        yield "  it would not run:"
    for problem in refusals:
        yield from _problem(problem)
    if others:
        yield "  it would run, but tools would complain:" if not refusals \
            else "  and tools would complain:"
    for problem in others:
        yield from _problem(problem)


def _problem(problem: Problem) -> Iterator[str]:
    yield f"    {problem.message}"
    yield f"      rule {problem.rule}, {problem.refused_by}: {problem.source}"


def _first(items: Sequence[_T], most: int | None) -> Sequence[_T]:
    return items if most is None else items[:most]
