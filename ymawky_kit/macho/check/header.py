"""Stage one: is it a program for this machine, and can its commands be walked?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ymawky_kit.macho.check.file import HEADER_SIZE, PAGE, File, up
from ymawky_kit.macho.check.rule import Rules

#: What breaks this one is no Mach-O file, and there is nothing more to say of it.
FIRST: Final = Rules()
RULES: Final = Rules()

_EXEC: Final = "XNU bsd/kern/kern_exec.c exec_mach_imgact"
_PARSE: Final = "XNU bsd/kern/mach_loader.c parse_machfile"


@FIRST.add("magic", "kernel", _EXEC)
def magic(file: File) -> Iterator[str]:
    """The file begins with the header of a 64-bit little-endian Mach-O."""
    if file.size < HEADER_SIZE:
        yield f"the file has {file.size} bytes, and its header alone has {HEADER_SIZE}"
    elif file.magic != 0xFEEDFACF:
        yield f"the file begins with {file.magic:#010x}, not with 0xfeedfacf"


@RULES.add("file-type", "kernel", _EXEC)
def file_type(file: File) -> Iterator[str]:
    """The file is an executable, MH_EXECUTE."""
    if file.file_type != 2:
        yield f"the file type is {file.file_type}, not 2 (MH_EXECUTE)"


@RULES.add("cpu", "kernel", "XNU bsd/dev/arm/kern_machdep.c grade_binary")
def cpu(file: File) -> Iterator[str]:
    """The code is for arm64, not for arm64e, which is Apple's own."""
    if file.cpu_type != 0x0100000C:
        yield f"the CPU type is {file.cpu_type:#x}, not 0x100000c (arm64)"
    elif file.cpu_subtype & 0xFFFFFF not in (0, 1):
        yield f"the CPU subtype is {file.cpu_subtype:#x}, not 0 (all arm64) or 1 (v8)"


@RULES.add("commands-in-file", "kernel", _PARSE)
def commands_in_file(file: File) -> Iterator[str]:
    """Header and load commands lie inside the file."""
    if file.commands_end > file.size:
        yield f"the load commands end at {file.commands_end}, the file at {file.size}"


@RULES.add("first-page", "kernel", _PARSE)
def first_page(file: File) -> Iterator[str]:
    """The file has all of the 16 KiB pages that hold header and commands."""
    wanted = up(file.commands_end, PAGE)
    if file.size < wanted:
        yield f"the kernel reads the first {wanted} bytes, and the file has {file.size}"


@RULES.add("command-size", "kernel", _PARSE)
def command_size(file: File) -> Iterator[str]:
    """Each load command has 8 bytes at least and lies inside the area for commands."""
    position = HEADER_SIZE
    for index in range(file.command_count):
        size = file.u32(position + 4)
        if position + 8 > file.commands_end:
            yield f"load command {index} begins behind the {file.u32(20)} bytes for commands"
            return
        if size < 8 or position + size > file.commands_end:
            yield f"load command {index} has {size} bytes, from {position} on"
            return
        position += size
