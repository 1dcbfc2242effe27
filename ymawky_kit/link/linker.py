"""The linker: object files in, one image out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ymawky_kit.link.layout import BASE, Layout, Output, lay_out
from ymawky_kit.link.relocate import MisfitError, Target, patch_instruction, patch_value
from ymawky_kit.link.resolve import Definition, Elsewhere, Names, raise_all, resolve
from ymawky_kit.obj import (
    Image,
    ObjectFile,
    PlacedLine,
    PlacedSection,
    PlacedSymbol,
    Relocation,
    RelocationKind,
    Section,
    Segment,
    Symbol,
)
from ymawky_kit.source import Diagnostic, KitError

_NOP: Final = b"\x1f\x20\x03\xd5"
_POINTER: Final = 8


def link(
    objects: Sequence[ObjectFile],
    *,
    identifier: str,
    entry: str = "start",
    elsewhere: Elsewhere = lambda name: None,
) -> Image:
    """Put modules together to a program that begins at the symbol `entry`.

    The order of the modules is the order of their code.  The same objects give
    the same image.  `elsewhere` may know which module that was left out defines
    a missing symbol.  Raises :class:`KitError` with every error of the first step
    that fails: names, then sections, then addresses that do not fit.
    """
    # Every use of a name gets its one definition.
    names = resolve(objects, entry, elsewhere)

    # Every section gets its address.
    layout = lay_out(objects)

    # Every field that waits for an address is filled in.
    linking = _Linking(objects, names, layout)
    contents, rebases = linking.relocate()

    # The program begins at an instruction.
    start = linking.entry(entry)

    # What is left is bookkeeping for those who read the program.
    return Image(
        identifier=identifier,
        segments=(_PAGEZERO, *_segments(layout, contents)),
        symbols=tuple(linking.symbols()),
        entry=start,
        rebases=tuple(sorted(rebases)),
        lines=tuple(linking.lines()),
    )


#: A null pointer, or a 32-bit one, falls in here.  The kernel wants all of the 4 GiB.
_PAGEZERO: Final = Segment("__PAGEZERO", 0, BASE, 0, 0, 0)


class _Linking:
    """The tables that the later steps look things up in."""

    def __init__(self, objects: Sequence[ObjectFile], names: Names, layout: Layout) -> None:
        self.objects = objects
        self.names = names
        self.layout = layout
        self.outputs = layout.outputs
        #: (module, section, offset) -> the L... label there
        self.labels = {(index, label.section, label.value): label.name
                       for index, module in enumerate(objects) for label in module.labels}

    def address(self, definition: Definition) -> int:
        symbol = definition.symbol
        if symbol.section is None:
            return symbol.value
        return self.layout.places[definition.module, symbol.section][0] + symbol.value

    def output(self, definition: Definition) -> Output | None:
        """The section a symbol lies in, or None for a number."""
        if definition.symbol.section is None:
            return None
        return self.outputs[self.layout.places[definition.module, definition.symbol.section][1]]

    def relocate(self) -> tuple[list[bytes], list[int]]:
        """The bytes of every output section, and the addresses of pointers for dyld to slide."""
        errors: list[Diagnostic] = []
        rebases: list[int] = []
        contents: list[bytes] = []
        for output in self.outputs:
            data = bytearray(0 if output.zero_fill else output.size)
            end = 0
            for module, number, at in output.parts:
                section = self.objects[module].sections[number]
                if output.is_code:
                    _pad_with_nops(data, end, at)
                end = at + section.size
                if not output.zero_fill:
                    data[at:end] = self._patched(module, section, output, at, rebases, errors)
            contents.append(bytes(data))
        raise_all(errors)
        return contents, rebases

    def _patched(self, module: int, section: Section, output: Output, at: int,
                 rebases: list[int], errors: list[Diagnostic]) -> bytearray:
        """One module's part of an output section with its relocations applied."""
        data = bytearray(section.data)
        start = output.address + at
        for relocation in section.relocations:
            try:
                if relocation.kind is RelocationKind.UNSIGNED:
                    slides = self._write_value(data, module, relocation, output, start)
                    if slides:
                        rebases.append(start + relocation.offset)
                else:
                    self._patch(data, module, relocation, start)
            except MisfitError as misfit:
                errors.append(Diagnostic(misfit.message, relocation.span, misfit.hint))
        return data

    def _patch(self, data: bytearray, module: int, relocation: Relocation, start: int) -> None:
        definition = self.names.find(module, relocation.symbol)
        target = self._target(definition, relocation)
        output = self.output(definition)
        if relocation.kind is RelocationKind.BRANCH26 and (
                output is None or output.segment != "__TEXT"):
            kind = "a number" if output is None else f"data ({output.segment},{output.name})"
            raise MisfitError(f"branch to {target.name}, which is {kind}",
                         "only instructions can be run: define the symbol after .text")
        patch_instruction(data, relocation.offset, relocation.kind, target,
                          start + relocation.offset)

    def _write_value(self, data: bytearray, module: int, relocation: Relocation,
                     output: Output, start: int) -> bool:
        """Write an absolute value; returns whether it moves with the image."""
        definition = self.names.find(module, relocation.symbol)
        target = self._target(definition, relocation)
        slides = definition.symbol.section is not None
        if slides and relocation.size == _POINTER:
            if output.segment != "__DATA":
                raise MisfitError(
                    f"the address of {target.name} in a read-only section"
                    f" ({output.segment},{output.name})",
                    "macOS moves the program and must then write the new address: put it into"
                    " .data, or .section __DATA,__const",
                )
            if (start + relocation.offset) % _POINTER:
                raise MisfitError(f"the address of {target.name} is not at a multiple of 8 bytes",
                             "write .p2align 3 before it")
        elif slides:
            raise MisfitError(
                f"the address of {target.name} does not fit into {relocation.size} bytes",
                "addresses here lie above 4 GiB: write .quad",
            )
        patch_value(data, relocation.offset, relocation.size, target)
        return slides

    def _target(self, definition: Definition, relocation: Relocation) -> Target:
        """Where a relocation points, with the name that the source has for it."""
        symbol, addend = definition.symbol, relocation.addend
        shown = f"'{symbol.name}{addend:+d}'" if addend else f"'{symbol.name}'"
        if _is_artificial(symbol):
            label = self.labels.get((definition.module, symbol.section, symbol.value + addend))
            shown = f"'{label}'" if label is not None else shown
        return Target(shown, self.address(definition) + relocation.addend)

    def entry(self, name: str) -> int:
        """The address of the first instruction."""
        definition = self.names.exported[name]
        output = self.output(definition)
        address = self.address(definition)
        if output is None or output.segment != "__TEXT" or address % 4:
            raise KitError.of(
                f"the entry point '{name}' is not at an instruction",
                definition.symbol.span,
                hint=f"write `func {name}`: it begins with .text and .p2align 2",
            )
        if address >= output.address + output.size:
            raise KitError.of(
                f"no instruction follows the entry point '{name}'", definition.symbol.span,
                hint="the program begins with the first instruction after the label",
            )
        return address

    def symbols(self) -> Iterator[PlacedSymbol]:
        """Private symbols and labels by module, then the exported ones by name."""
        for index, module in enumerate(self.objects):
            for symbol in module.symbols:
                # A private number is a name for people; no address belongs to it.
                if not symbol.is_global and symbol.section is not None \
                        and not _is_artificial(symbol):
                    yield self._placed(index, symbol)
            for label in module.labels:
                if label.section is not None and (index, label.section) in self.layout.places:
                    yield self._placed(index, label, is_label=True)
        for name in sorted(self.names.exported):
            definition = self.names.exported[name]
            yield self._placed(definition.module, definition.symbol)

    def _placed(self, module: int, symbol: Symbol, is_label: bool = False) -> PlacedSymbol:
        definition = Definition(module, symbol)
        ordinal = 0
        if symbol.section is not None:
            ordinal = self.layout.places[module, symbol.section][1] + 1
        return PlacedSymbol(symbol.name, self.address(definition), ordinal, symbol.is_global,
                            self.objects[module].name, is_label)

    def lines(self) -> Iterator[PlacedLine]:
        """What each instruction and datum was written as, in order of address."""
        for output in self.outputs:
            for module, number, at in output.parts:
                source = self.objects[module]
                for line in source.lines:
                    if line.section == number:
                        yield PlacedLine(output.address + at + line.offset, line.size, line.span,
                                         line.text, line.is_code, source.name)


def _is_artificial(symbol: Symbol) -> bool:
    """Whether the assembler invented it, as LLVM does: the start of a section, for L labels."""
    return symbol.span is None and symbol.name.startswith("ltmp")


def _pad_with_nops(data: bytearray, start: int, end: int) -> None:
    """Fill a gap between two modules' code, so that a listing shows instructions throughout."""
    if start % 4 == 0:
        data[start:end] = _NOP * ((end - start) // 4)


def _segments(layout: Layout, contents: Sequence[bytes]) -> Iterator[Segment]:
    index = 0
    for plan in layout.segments:
        sections = []
        for output in plan.outputs:
            sections.append(PlacedSection(
                output.segment, output.name, output.address, output.offset, output.size,
                output.align, output.flags, contents[index],
            ))
            index += 1
        yield Segment(plan.name, plan.address, plan.vm_size, plan.offset, plan.file_size,
                      plan.protection, tuple(sections))
