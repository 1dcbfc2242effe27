"""Step two: give every section its address and its place in the file.

::

    file offset   address
                  0x0         __PAGEZERO   4 GiB that nothing may touch
    0x0           0x100000000 __TEXT       header and commands, one 4 KiB page
    0x1000        0x100001000              __text, then constants
    (16 KiB)                  __DATA       data, then zero-fill that takes no room in the file

Sections of one name from several modules lie one behind the other, in the
order of the modules.  A segment begins on a 16 KiB page, in memory and in the
file (XNU bsd/kern/mach_loader.c load_segment).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ymawky_kit.link.resolve import raise_all
from ymawky_kit.obj import ObjectFile, Section
from ymawky_kit.source import Diagnostic, Span

PAGE: Final = 0x4000
#: Where the image wants to be.  __PAGEZERO covers everything below.
BASE: Final = 0x1_0000_0000
#: The header and its load commands own the bytes before this file offset.
HEADER: Final = 0x1000
#: The stack lies 1.7 GiB above BASE; a program must leave room for it and for the slide.
MOST: Final = 0x4000_0000

READ: Final = 1
WRITE: Final = 2
EXECUTE: Final = 4
PROTECTION: Final = {"__TEXT": READ | EXECUTE, "__DATA": READ | WRITE}

S_TYPE: Final = 0xFF
S_ATTR_PURE_INSTRUCTIONS: Final = 0x8000_0000
S_ATTR_SOME_INSTRUCTIONS: Final = 0x400


@dataclass(slots=True)
class Output:
    """A section being laid out."""

    segment: str
    name: str
    flags: int
    align: int = 0              # log2
    address: int = 0
    offset: int = 0             # in the file; 0 when zero-fill
    size: int = 0
    #: (module, index of the section in it, offset in this section)
    parts: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def zero_fill(self) -> bool:
        return self.flags & S_TYPE == 1

    @property
    def is_code(self) -> bool:
        return bool(self.flags & (S_ATTR_PURE_INSTRUCTIONS | S_ATTR_SOME_INSTRUCTIONS))


@dataclass(frozen=True, slots=True)
class Plan:
    """A segment with its sections in order of address."""

    name: str
    address: int
    vm_size: int
    offset: int
    file_size: int
    outputs: tuple[Output, ...]

    @property
    def protection(self) -> int:
        return PROTECTION[self.name]


@dataclass(frozen=True, slots=True)
class Layout:
    segments: tuple[Plan, ...]          # __TEXT and, when there is data, __DATA
    #: (module, index of the section in it) -> (address, index into `outputs`)
    places: dict[tuple[int, int], tuple[int, int]]

    @property
    def outputs(self) -> tuple[Output, ...]:
        return tuple(output for plan in self.segments for output in plan.outputs)


def lay_out(objects: Sequence[ObjectFile]) -> Layout:
    """Place all sections.

    Raises :class:`KitError` for a segment other than __TEXT and __DATA, zero-fill
    in __TEXT, sections of one name and different type, an alignment above 16 KiB,
    and a program of more than 1 GiB.
    """
    text, data = _gather(objects)
    # dyld 852 wants vm_size == file_size where code is, so __TEXT fills its last page.
    end = _place(text, BASE + HEADER, HEADER)
    size = _up(end - BASE, PAGE)
    plans = [Plan("__TEXT", BASE, size, 0, size, tuple(text))]
    if data:
        address, offset = BASE + size, size
        end = _place(data, address, offset)
        filled = [o.offset + o.size - offset for o in data if not o.zero_fill]
        # The kernel does not clear the rest of a segment's last page, so the file holds
        # it as zero bytes, and zero-fill may begin there.
        plans.append(Plan(
            "__DATA", address, max(_up(end - address, PAGE), PAGE),
            offset, _up(max(filled, default=0), PAGE), tuple(data),
        ))
    if end - BASE > MOST:
        raise_all([Diagnostic(
            f"the program takes {end - BASE:,} bytes of memory, and {MOST:,} is the limit",
            hint="look for a .space, .skip or .zerofill that is too large",
        )])
    places = {}
    for index, output in enumerate(o for plan in plans for o in plan.outputs):
        for module, section, at in output.parts:
            places[module, section] = (output.address + at, index)
    return Layout(tuple(plans), places)


def _gather(objects: Sequence[ObjectFile]) -> tuple[list[Output], list[Output]]:
    """The output sections of __TEXT and __DATA with their parts, not yet placed."""
    errors: list[Diagnostic] = []
    outputs: dict[tuple[str, str], Output] = {}
    for index, module in enumerate(objects):
        named = {symbol.section for symbol in module.symbols}
        for number, section in enumerate(module.sections):
            if section.size == 0 and number not in named:
                continue
            problem = _unfit(section, outputs.get((section.segment, section.name)))
            if problem is not None:
                message, hint = problem
                name = f"section {section.segment},{section.name} of {module.name}"
                errors.append(Diagnostic(f"{name} {message}", first_span(module, number), hint))
                continue
            output = outputs.setdefault(
                (section.segment, section.name),
                Output(section.segment, section.name, section.flags),
            )
            output.flags |= section.flags & ~S_TYPE
            output.align = max(output.align, section.align)
            at = _up(output.size, 1 << section.align)
            output.parts.append((index, number, at))
            output.size = at + section.size
    raise_all(errors)
    # Code first, so that the entry is easy to find; zero-fill last, so that it costs no file.
    text = [o for o in outputs.values() if o.segment == "__TEXT"]
    data = [o for o in outputs.values() if o.segment == "__DATA"]
    text.sort(key=lambda output: output.name != "__text")
    data.sort(key=lambda output: output.zero_fill)
    return text, data


def _unfit(section: Section, earlier: Output | None) -> tuple[str, str] | None:
    """What is wrong with a section, and a hint."""
    if section.segment not in PROTECTION:
        return "is in an unknown segment", "programs here have two segments: __TEXT and __DATA"
    if section.segment == "__TEXT" and section.zero_fill:
        return "is zero-fill, and __TEXT is read-only", "put it into __DATA: .bss"
    if section.align > PAGE.bit_length() - 1:
        return f"wants to start at a multiple of {1 << section.align}", (
            f"{PAGE} (.p2align 14) is the most: images are moved by multiples of a page")
    if earlier is not None and (earlier.flags ^ section.flags) & S_TYPE:
        return "has another type there than in an earlier module", (
            "sections of one name must all hold the same kind of data")
    return None


def first_span(module: ObjectFile, section: int) -> Span | None:
    """The source of the first thing in a section, for messages about the section."""
    for line in module.lines:
        if line.section == section:
            return line.span
    return None


def _place(outputs: list[Output], address: int, offset: int) -> int:
    """Put the sections one behind the other; returns the address after the last."""
    shift = address - offset
    for output in outputs:
        address = _up(address, 1 << output.align)
        output.address = address
        output.offset = 0 if output.zero_fill else address - shift
        address += output.size
    return address


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
