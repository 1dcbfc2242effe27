"""Stage three, the kernel: flags, segments, who is started."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from ymawky_kit.macho.check.commands import LC_LOAD_DYLINKER
from ymawky_kit.macho.check.file import PAGE, File, up
from ymawky_kit.macho.check.rule import Rules

RULES: Final = Rules()

_LOADER: Final = "XNU bsd/kern/mach_loader.c"
_PARSE: Final = f"{_LOADER} parse_machfile"
_SEGMENT: Final = f"{_LOADER} load_segment"

#: LC_BUILD_VERSION and the four LC_VERSION_MIN_*.
PLATFORM_COMMANDS: Final = (0x32, 0x24, 0x25, 0x2F, 0x30)
LC_MAIN: Final = 0x80000028
LC_UNIXTHREAD: Final = 0x5
_READ, _WRITE, _EXECUTE = 1, 2, 4


@RULES.add("dynamic", "kernel", _PARSE)
def dynamic(file: File) -> Iterator[str]:
    """The program is started by dyld: macOS on arm64 runs no static executables."""
    if not file.flags & 0x4:
        yield f"the flags {file.flags:#x} lack 0x4 (MH_DYLDLINK)"


@RULES.add("pie", "kernel", _PARSE)
def pie(file: File) -> Iterator[str]:
    """The program may be loaded at any address."""
    if not file.flags & 0x200000:
        yield f"the flags {file.flags:#x} lack 0x200000 (MH_PIE)"


@RULES.add("header-segment", "kernel", _PARSE)
def header_segment(file: File) -> Iterator[str]:
    """Exactly one segment maps the start of the file, and may be read and executed."""
    mapping = [s for s in file.segments if s.offset == 0 and s.file_size > 0]
    if len(mapping) != 1:
        yield f"{len(mapping)} segments map the start of the file"
    for segment in mapping:
        if segment.protection & (_READ | _EXECUTE) != _READ | _EXECUTE:
            yield f"{segment} maps the header with protection {segment.protection}, not 5 (r-x)"


@RULES.add("segment-offset", "kernel", _SEGMENT)
def segment_offset(file: File) -> Iterator[str]:
    """A segment begins at a multiple of 16 KiB in the file."""
    for segment in file.segments:
        if segment.offset % PAGE:
            yield f"{segment} begins at {segment.offset:#x} of the file"


@RULES.add("segment-in-file", "kernel", _SEGMENT)
def segment_in_file(file: File) -> Iterator[str]:
    """A segment lies inside the file."""
    for segment in file.segments:
        if segment.end > file.size:
            yield f"{segment} ends at {segment.end:#x}, the file at {file.size:#x}"


@RULES.add("segment-address", "kernel", f"{_SEGMENT} (rounds the start down: contents would shift)")
def segment_address(file: File) -> Iterator[str]:
    """A segment with contents begins at a multiple of 16 KiB in memory."""
    for segment in file.segments:
        if segment.vm_size and segment.address % PAGE:
            yield f"{segment} begins at address {segment.address:#x}"


@RULES.add("segment-wraps", "kernel", _SEGMENT)
def segment_wraps(file: File) -> Iterator[str]:
    """No segment reaches beyond the addresses a process has."""
    for segment in file.segments:
        if segment.vm_end > 1 << 47:
            yield f"{segment} ends at address {segment.vm_end:#x}"


@RULES.add("segment-overlap", "kernel", f"{_LOADER} map_segment")
def segment_overlap(file: File) -> Iterator[str]:
    """The pages of two segments do not overlap in memory."""
    spans = [(s.address // PAGE * PAGE, up(s.vm_end, PAGE), s) for s in file.segments if s.vm_size]
    for (start, end, one), (start2, end2, two) in combinations(spans, 2):
        if start < end2 and start2 < end:
            yield f"{one} and {two} overlap in memory"


@RULES.add("page-zero", "kernel", f"{_LOADER} load_machfile")
def page_zero(file: File) -> Iterator[str]:
    """A segment without any rights keeps the first 4 GiB free."""
    reach = max((s.vm_end for s in file.segments if s.is_page_zero), default=0)
    if up(reach, PAGE) < 0x100000000:
        yield f"addresses are kept free up to {reach:#x}, not up to 0x100000000"


@RULES.add("read-only-once", "kernel", _SEGMENT)
def read_only_once(file: File) -> Iterator[str]:
    """At most one segment is made read-only after dyld's work (SG_READ_ONLY)."""
    marked = [s for s in file.segments if s.flags & 0x10 and s.vm_size]
    if len(marked) > 1:
        yield f"{', '.join(map(str, marked))} have the flag SG_READ_ONLY"


@RULES.add("write-execute", "kernel", "XNU osfmk/vm/vm_map.c vm_map_enter (policy of AMFI)")
def write_execute(file: File) -> Iterator[str]:
    """No segment may be written and executed."""
    for segment in file.segments:
        if segment.protection & _WRITE and segment.protection & _EXECUTE:
            yield f"{segment} has protection {segment.protection} (w and x)"


@RULES.add("max-protection", "kernel", "XNU osfmk/vm/vm_sanitize.c")
def max_protection(file: File) -> Iterator[str]:
    """No segment begins with more rights than it may ever have."""
    for segment in file.segments:
        if segment.protection & 7 & ~segment.max_protection:
            yield (f"{segment} begins with protection {segment.protection}"
                   f" and may have {segment.max_protection}")


@RULES.add("dylinker", "kernel", f"{_LOADER} load_dylinker")
def dylinker(file: File) -> Iterator[str]:
    """Exactly one LC_LOAD_DYLINKER names /usr/lib/dyld."""
    found = file.of_kind(LC_LOAD_DYLINKER)
    if len(found) != 1:
        yield f"there are {len(found)} LC_LOAD_DYLINKER commands"
    for command in found:
        path = command.bytes(command.u32(8)).split(b"\0", 1)[0]
        if path != b"/usr/lib/dyld":
            yield f"LC_LOAD_DYLINKER names {path!r}, not /usr/lib/dyld"


@RULES.add("entry-command", "kernel", f"{_LOADER} load_main")
def entry_command(file: File) -> Iterator[str]:
    """Exactly one command says where the program begins."""
    count = len(file.of_kind(LC_MAIN, LC_UNIXTHREAD))
    if count != 1:
        yield f"there are {count} LC_MAIN or LC_UNIXTHREAD commands"


@RULES.add("stack-size", "kernel", f"{_LOADER} load_main")
def stack_size(file: File) -> Iterator[str]:
    """A stack size of its own leaves room for a guard page."""
    for command in file.of_kind(LC_MAIN):
        if command.u64(16) + 4 * PAGE >= 1 << 47:
            yield f"LC_MAIN wants a stack of {command.u64(16):#x} bytes"


@RULES.add("platform-once", "kernel", f"{_LOADER} load_version")
def platform_once(file: File) -> Iterator[str]:
    """At most one command says for which system the program was built."""
    count = len(file.of_kind(*PLATFORM_COMMANDS))
    if count > 1:
        yield f"there are {count} commands that name a platform"


@RULES.add("platform", "kernel", f"{_LOADER} load_version (other platforms need a special spawn)")
def platform(file: File) -> Iterator[str]:
    """The program was built for macOS."""
    for command in file.of_kind(*PLATFORM_COMMANDS):
        number = {0x32: command.u32(8), 0x24: 1}.get(command.kind)
        if number != 1:
            yield f"{command} names another platform than 1 (macOS)"
