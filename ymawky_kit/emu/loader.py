"""From the bytes of a Mach-O file to mapped guest memory.

Does what XNU's loader and then dyld do, and refuses what they refuse
(`macho.check`).  Source: XNU bsd/kern/mach_loader.c (load_segment), dyld
dyld/JustInTimeLoader.cpp; opcodes <mach-o/loader.h> REBASE_OPCODE_*.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ymawky_kit.emu.memory import PAGE, WRITE, Memory, round_up
from ymawky_kit.emu.symbol import SymbolTable
from ymawky_kit.macho.check import Problem, refusals
from ymawky_kit.macho.commands import DyldInfo, EntryPoint
from ymawky_kit.macho.reader import MachO, read
from ymawky_kit.source import Diagnostic, KitError

_MASK64: Final = 0xFFFF_FFFF_FFFF_FFFF


@dataclass(frozen=True, slots=True)
class Loaded:
    """A program in guest memory; all addresses slid."""

    macho: MachO
    slide: int
    header: int                         # where the Mach-O header is
    entry: int                          # the first instruction
    text: tuple[int, int]               # address and size of __text, or of the code segment
    symbols: SymbolTable

    @property
    def cdhash(self) -> bytes:
        """The 20 bytes that name the signed file."""
        return self.macho.signature.cdhash if self.macho.signature is not None else bytes(20)


class Refused(KitError):
    """macOS would not run the file; `problems` say why."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(*(
            Diagnostic(f"{p.refused_by} refuses the program: {p.message}", hint=f"see {p.source}")
            for p in problems[:5]
        ))


def load(memory: Memory, data: bytes, *, slide: int = 0) -> Loaded:
    """Map a program; `slide` is a multiple of 16 KiB that moves every address.

    Raises Refused when macOS would not run it, KitError for a bad slide.
    """
    if slide % PAGE or not 0 <= slide < 1 << 28:
        raise KitError.of(
            f"slide {slide:#x} is not a multiple of {PAGE:#x} below 256 MiB",
            hint="macOS slides a program by whole 16 KiB pages",
        )
    macho = _accepted(data)
    header = 0
    for segment in macho.segments:
        if not segment.vm_size or not segment.max_protection:
            continue        # __PAGEZERO: nothing there is exactly what it promises
        address = segment.address + slide
        memory.map(
            address & -PAGE, round_up(segment.vm_size), segment.protection,
            segment.max_protection, name=segment.name, permanent=segment.name == "__LINKEDIT",
        )
        # Whole pages of the file: the kernel clears nothing behind the segment's part of it.
        size = min(round_up(segment.file_size), round_up(segment.vm_size))
        memory.restore(address, data[segment.offset:segment.offset + size])
        if segment.offset == 0 and segment.file_size:
            header = address
    _rebase(memory, macho, slide)
    start = macho.find(EntryPoint)
    entry = header + (start.offset if isinstance(start, EntryPoint) else 0)
    return Loaded(macho, slide, header, entry, _text(macho, slide), _symbols(data, slide))


@lru_cache(maxsize=16)           # a notebook calls the functions of one program again and again
def _accepted(data: bytes) -> MachO:
    """A file taken apart; raises Refused when macOS would not run it."""
    problems = refusals(data)
    if problems:
        raise Refused(problems)
    return read(data)


@lru_cache(maxsize=16)
def _symbols(data: bytes, slide: int) -> SymbolTable:
    return SymbolTable((symbol.name, symbol.address + slide)
                       for symbol in _accepted(data).symbols if symbol.section)


def _text(macho: MachO, slide: int) -> tuple[int, int]:
    for section in macho.sections:
        if section.name == "__text":
            return section.address + slide, section.size
    for segment in macho.segments:
        if segment.protection & 4:
            return segment.address + slide, segment.vm_size
    return 0, 0


def _rebase(memory: Memory, macho: MachO, slide: int) -> None:
    """Add the slide to every pointer that the rebase stream names."""
    info = macho.find(DyldInfo)
    if not isinstance(info, DyldInfo) or not info.rebase_size:
        return
    stream = macho.data[info.rebase_offset:info.rebase_offset + info.rebase_size]
    for segment, offset in rebase_slots(stream):
        place = macho.segments[segment]
        if not place.protection & WRITE:
            raise KitError.of(f"a pointer to slide lies in {place.name}, which cannot be written")
        address = place.address + slide + offset
        value = int.from_bytes(memory.peek(address, 8), "little")
        memory.poke(address, ((value + slide) & _MASK64).to_bytes(8, "little"))


def rebase_slots(stream: bytes) -> Iterator[tuple[int, int]]:
    """(segment index, offset in it) of every slot; raises KitError for a bad stream."""
    at = segment = offset = 0

    def uleb() -> int:
        nonlocal at
        value = shift = 0
        while True:
            if at >= len(stream) or shift > 63:
                raise KitError.of("the rebase stream ends in the middle of a number")
            byte = stream[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while at < len(stream):
        opcode, low = stream[at] & 0xF0, stream[at] & 0x0F
        at += 1
        if opcode == 0x00:
            return
        if opcode == 0x10:
            continue            # the type: pointers are the only one on arm64
        if opcode == 0x20:
            segment, offset = low, uleb()
        elif opcode == 0x30:
            offset += uleb()
        elif opcode == 0x40:
            offset += 8 * low
        elif opcode in (0x50, 0x60, 0x80):
            count = low if opcode == 0x50 else uleb()
            skip = uleb() if opcode == 0x80 else 0
            for _ in range(count):
                yield segment, offset
                offset += 8 + skip
        elif opcode == 0x70:
            yield segment, offset
            offset += 8 + uleb()
        else:
            raise KitError.of(f"unknown rebase opcode {opcode:#x}")
