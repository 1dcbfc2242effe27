"""A file as a loader sees it: fields read straight from the bytes, at offsets of its own.

The offsets are those of <mach-o/loader.h>; nothing here trusts a number that
it has read.  What lies outside the file reads as zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

PAGE: Final = 0x4000
LC_SEGMENT_64: Final = 0x19
HEADER_SIZE: Final = 32
SECTION_SIZE: Final = 80
_SEGMENT_SIZE: Final = 72


def up(value: int, multiple: int) -> int:
    return (value + multiple - 1) // multiple * multiple


def version(packed: int) -> str:
    """0x000B0100 as "11.1"."""
    return f"{packed >> 16}.{packed >> 8 & 0xFF}"


class File:
    """The bytes, and the tables that a loader makes of them."""

    def __init__(self, data: bytes) -> None:
        self.data = bytes(data)
        self.size = len(data)

    def number(self, offset: int, size: int) -> int:
        """A little-endian number."""
        return int.from_bytes(self.data[offset:offset + size], "little")

    def u32(self, offset: int) -> int:
        return self.number(offset, 4)

    def u64(self, offset: int) -> int:
        return self.number(offset, 8)

    def text(self, offset: int, size: int) -> bytes:
        """At most `size` bytes, up to the first NUL."""
        return self.data[offset:offset + size].split(b"\0", 1)[0]

    # mach_header_64
    @property
    def magic(self) -> int:
        return self.u32(0)

    @property
    def cpu_type(self) -> int:
        return self.u32(4)

    @property
    def cpu_subtype(self) -> int:
        return self.u32(8)

    @property
    def file_type(self) -> int:
        return self.u32(12)

    @property
    def command_count(self) -> int:
        return self.u32(16)

    @property
    def commands_end(self) -> int:
        return HEADER_SIZE + self.u32(20)

    @property
    def flags(self) -> int:
        return self.u32(24)

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """The load commands; call it once the header stage has passed."""
        found = []
        position = HEADER_SIZE
        for index in range(self.command_count):
            command = Command(self, index, position, self.u32(position), self.u32(position + 4))
            found.append(command)
            position += command.size
        return tuple(found)

    def of_kind(self, *kinds: int) -> tuple[Command, ...]:
        return tuple(command for command in self.commands if command.kind in kinds)

    def first(self, *kinds: int) -> Command | None:
        return next(iter(self.of_kind(*kinds)), None)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(Segment.at(command) for command in self.of_kind(LC_SEGMENT_64))

    def segment(self, name: bytes) -> Segment | None:
        return next((segment for segment in self.segments if segment.name == name), None)

    @cached_property
    def sdk(self) -> int:
        """The SDK that the file names, packed; dyld takes an image without one for 11.0."""
        command = self.first(0x32, 0x24)    # LC_BUILD_VERSION, LC_VERSION_MIN_MACOSX
        if command is None:
            return 0x000B0000
        return command.u32(16 if command.kind == 0x32 else 12)


@dataclass(frozen=True, slots=True)
class Command:
    """A load command somewhere in a file; `u32(8)` is its first field behind the prefix."""

    file: File
    index: int
    offset: int
    kind: int
    size: int

    def u32(self, at: int) -> int:
        return self.file.u32(self.offset + at)

    def u64(self, at: int) -> int:
        return self.file.u64(self.offset + at)

    def bytes(self, at: int) -> bytes:
        """From a field to the end of the command."""
        return self.file.data[self.offset + at:self.offset + self.size]

    def __str__(self) -> str:
        return f"load command {self.index} ({self.kind:#x})"


@dataclass(frozen=True, slots=True)
class Segment:
    """LC_SEGMENT_64."""

    command: Command
    name: bytes
    address: int
    vm_size: int
    offset: int
    file_size: int
    max_protection: int
    protection: int
    flags: int

    @classmethod
    def at(cls, command: Command) -> Segment:
        name = command.file.text(command.offset + 8, 16)
        return cls(command, name, command.u64(24), command.u64(32), command.u64(40),
                   command.u64(48), command.u32(56), command.u32(60), command.u32(68))

    @property
    def vm_end(self) -> int:
        return self.address + self.vm_size

    @property
    def end(self) -> int:
        """In the file."""
        return self.offset + self.file_size

    @property
    def is_page_zero(self) -> bool:
        """As the kernel knows it: not by its name."""
        return (self.address == 0 and self.file_size == 0 and self.vm_size != 0
                and self.protection & 7 == 0 and self.max_protection & 7 == 0)

    def sections(self) -> Iterator[Section]:
        file = self.command.file
        for index in range(self.command.u32(64)):
            at = self.command.offset + _SEGMENT_SIZE + index * SECTION_SIZE
            yield Section(file.text(at, 16), file.u64(at + 32), file.u64(at + 40),
                          file.u32(at + 48), file.u32(at + 52), file.u32(at + 64))

    def __str__(self) -> str:
        return self.name.decode("utf-8", "backslashreplace") or "(segment without a name)"


@dataclass(frozen=True, slots=True)
class Section:
    """section_64."""

    name: bytes
    address: int
    size: int
    offset: int
    align: int
    flags: int

    @property
    def end(self) -> int:
        return self.address + self.size

    @property
    def zero_fill(self) -> bool:
        return self.flags & 0xFF in (0x1, 0xC, 0x12)    # ZEROFILL, GB_ZEROFILL, THREAD_LOCAL_

    def __str__(self) -> str:
        return self.name.decode("utf-8", "backslashreplace") or "(section without a name)"
