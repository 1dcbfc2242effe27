"""The second pass: compute what had to wait, check, encode, and freeze the result."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache

from ymawky_kit.asm import directive, isa
from ymawky_kit.asm.draft import PendingDatum, PendingInstruction
from ymawky_kit.asm.expression import Expression, Number, Unknown, Value, unknown
from ymawky_kit.asm.first_pass import Assembly
from ymawky_kit.asm.lexer import Mistake, SourceLine
from ymawky_kit.asm.operand import Instruction
from ymawky_kit.asm.symbols import Deferred, Entry
from ymawky_kit.obj import Line, ObjectFile, Relocation, RelocationKind, Section, Symbol
from ymawky_kit.source import Span


class SecondPass:
    """Finishes one module: `resolve`, have `texts` encoded, `place`, and `freeze` it."""

    def __init__(self, module: Assembly) -> None:
        self._module = module
        self._final_text: dict[tuple[int, int], str] = {}
        self._encodings: list[tuple[PendingInstruction, isa.Encoding]] = []
        #: Of each section that was asked for: its named symbols by offset.
        self._anchors: dict[int, tuple[list[int], list[Entry]]] = {}

    @property
    def texts(self) -> Iterator[str]:
        """The final text of every instruction."""
        return (encoding.text for _, encoding in self._encodings)

    def resolve(self) -> None:
        """Compute what had to wait and check every instruction."""
        if self._module.is_over:
            return
        for entry, value, tree, line in self._module.assignments:
            if entry.meaning is value:          # not replaced since
                try:
                    entry.meaning = self._defined(value, tree)
                except Mistake as mistake:
                    entry.meaning = Value(0)    # one message is enough
                    self._module.report(mistake, line)
                except Unknown as unknown:
                    entry.meaning = Value(0)
                    self._module.report_undefined(unknown, line)
        for pending in self._module.instructions:
            try:
                encoding = self._resolve_instruction(pending)
            except Mistake as mistake:
                self._module.report(mistake.moved(pending.start), pending.line)
            except Unknown as unknown:
                self._module.report_undefined(unknown.moved(pending.start), pending.line)
            else:
                self._encodings.append((pending, encoding))
        for datum in self._module.data:
            try:
                self._resolve_datum(datum)
            except Mistake as mistake:
                self._module.report(mistake, datum.line)
            except Unknown as unknown:
                self._module.report_undefined(unknown, datum.line)

    def _defined(self, value: Value | Deferred, tree: Expression) -> Value:
        """The final value of a name; raises Unknown when it is a symbol of elsewhere."""
        settled = self._module.symbols.settle(value)
        if settled.place is not None and settled.place.section is None:
            raise unknown(settled.place, tree)
        return settled

    def _resolve_instruction(self, pending: PendingInstruction) -> isa.Encoding:
        instruction = pending.instruction
        if not pending.values or instruction.is_constant:
            return _checked(instruction)
        settled = tuple(self._module.symbols.settle(v) for v in pending.values)

        def distance(value: Value) -> int | None:
            place = value.place
            if place is None:
                return value.number
            if place.section != pending.section:
                return None
            return place.value + value.number - pending.offset

        encoding = isa.check(instruction, settled, distance)
        if encoding.relocation is not None and encoding.target is not None:
            self._relocate(pending, encoding.relocation, encoding.target)
        return encoding

    def _relocate(
        self, pending: PendingInstruction, kind: RelocationKind, target: Value
    ) -> None:
        start = pending.start
        end = start + len(pending.instruction.text)
        symbol, addend = self._relocation_target(target, pending.line, start, end)
        if symbol is None:
            return
        span = pending.line.root if pending.line.expansion else pending.line.span(start, end)
        self._module.sections[pending.section].relocations.append(
            Relocation(pending.offset, kind, symbol, addend, 4, span)
        )

    def _relocation_target(
        self, target: Value, line: SourceLine, start: int, end: int
    ) -> tuple[str | None, int]:
        """A symbol the linker will know, and the distance from it."""
        entry = target.place
        assert isinstance(entry, Entry)
        if entry.section is None and entry.is_label:
            self._module.report_undefined(Unknown(entry.name, start, end), line)
            return None, 0
        if not entry.is_label:
            return entry.name, target.number
        assert entry.section is not None
        anchor = self._anchor(entry.section, entry.value)
        return anchor.name, target.number + entry.value - anchor.value

    def _anchor(self, section: int, offset: int) -> Entry:
        """The nearest named symbol at or before a place; one is made when there is none."""
        found = self._anchors.get(section)
        if found is None:
            named = sorted(
                (e for e in self._module.symbols.entries.values()
                 if e.section == section and not e.is_label),
                key=lambda e: e.value,
            )
            found = self._anchors[section] = [e.value for e in named], named
        offsets, named = found
        position = bisect_right(offsets, offset)
        if position:
            return named[position - 1]
        name = f"ltmp{section}"
        while name in self._module.symbols.entries:
            name += "_"
        start = self._module.symbols.entry(name)
        start.section, start.value = section, 0
        offsets.insert(0, 0)
        named.insert(0, start)
        return start

    def _resolve_datum(self, datum: PendingDatum) -> None:
        if datum.size < 4 and isinstance(datum.value, Deferred):
            directive.check_difference(self._module, datum.value.tree, datum.size)
        value = self._module.symbols.settle(datum.value)
        section = self._module.sections[datum.section]
        if value.place is None:
            data = directive.packed(value.number, datum.size, datum.start, datum.end)
            section.data[datum.offset:datum.offset + datum.size] = data
            return
        if datum.size != 8:
            entry = value.place
            if entry.section is None:
                raise Unknown(entry.name, datum.start, datum.end)
            raise Mistake(
                f"'{entry.name}' is an address, which takes 8 bytes", datum.start, datum.end,
                "use .quad",
            )
        symbol, addend = self._relocation_target(value, datum.line, datum.start, datum.end)
        if symbol is not None:
            span = datum.line.span(datum.start, datum.end)
            section.relocations.append(
                Relocation(datum.offset, RelocationKind.UNSIGNED, symbol, addend, 8, span)
            )

    def place(self, codes: Mapping[str, bytes | None]) -> None:
        """Put the encoded instructions where they belong; None was refused."""
        for pending, encoding in self._encodings:
            code = codes[encoding.text]
            if code is None:
                mistake = isa.refused(pending.instruction)
                self._module.report(mistake.moved(pending.start), pending.line)
                continue
            section = self._module.sections[pending.section]
            section.data[pending.offset:pending.offset + 4] = code
            if encoding.relocation is RelocationKind.PAGEOFF12:
                self._check_alignment(pending, encoding, int.from_bytes(code, "little"))
            self._final_text[pending.section, pending.offset] = encoding.text

    def freeze(self) -> ObjectFile:
        """The object file; only to be asked for when there was no mistake."""
        named = {e.section for e in self._module.symbols.entries.values()}
        used = [s for s in self._module.sections if s.size or s.index == 0 or s.index in named]
        numbers = {s.index: n for n, s in enumerate(used)}
        symbols, labels = self._symbols(numbers)
        return ObjectFile(
            self._module.name,
            tuple(
                Section(
                    s.segment, s.name, s.align, bytes(s.data), s.size, s.flags,
                    tuple(s.relocations),
                )
                for s in used
            ),
            symbols,
            tuple(self._lines(numbers)),
            labels,
        )

    def _check_alignment(
        self, pending: PendingInstruction, encoding: isa.Encoding, code: int
    ) -> None:
        """Complain now about an access whose low address bits cannot be right.

        A load or store counts its offset in units of its size.  Where the
        section is aligned to less than that, only the linker can know.
        """
        assert encoding.target is not None
        place = encoding.target.place
        power = _access_size(code)
        if place is None or place.section is None:
            return
        if self._module.sections[place.section].align < power:
            return
        address = place.value + encoding.target.number
        if address % (1 << power):
            mistake = Mistake(
                f"'{place.name}' is at offset {address} of its section, and this reads or writes "
                f"{1 << power} bytes at multiples of {1 << power}",
                0, len(pending.instruction.text),
                f"write .p2align {power} before the label",
            )
            self._module.report(mistake.moved(pending.start), pending.line)

    def _symbols(self, numbers: dict[int, int]) -> tuple[tuple[Symbol, ...], tuple[Symbol, ...]]:
        """Named symbols, and L... labels."""
        symbols: list[Symbol] = []
        labels: list[Symbol] = []
        for entry in self._module.symbols.entries.values():
            symbol = entry.symbol or self._symbol(entry, numbers)
            if symbol is not None:
                (labels if symbol.name[0] == "L" else symbols).append(symbol)
        return tuple(symbols), tuple(labels)

    def _symbol(self, entry: Entry, numbers: dict[int, int]) -> Symbol | None:
        if not entry.is_plain:
            return None
        section, value = entry.section, entry.value
        if entry.meaning is not None:
            meaning = self._module.symbols.settle(Value(0, entry))
            value = meaning.number
            if meaning.place is not None:
                section = meaning.place.section
                value += meaning.place.value
                if section is None:
                    return None
        elif section is None:
            return None
        number = None if section is None else numbers[section]
        return Symbol(entry.name, number, value, entry.is_global, entry.defined)

    def _lines(self, numbers: dict[int, int]) -> Iterator[Line]:
        for e in self._module.emissions:
            text = e.line.text[e.start:e.end]
            if e.line.expansion is None:
                span = Span(e.line.source, e.line.offset + e.start, e.line.offset + e.end)
            else:
                span = e.line.root
                text = self._final_text.get((e.section, e.offset), text)
            yield Line(numbers[e.section], e.offset, e.size, span, text, e.is_code)


@lru_cache(maxsize=1 << 15)
def _checked(instruction: Instruction) -> isa.Encoding:
    """`isa.check` for an instruction that means the same everywhere."""
    values = tuple(
        Value(e.value) for e in instruction.expressions if isinstance(e, Number)
    )
    return isa.check(instruction, values, lambda value: value.number)


def _access_size(code: int) -> int:
    """log2 of the bytes that a load or store with an unsigned offset moves; 0 for add.

    As a linker reads it from the instruction (<mach-o/arm64/reloc.h>, PAGEOFF12).
    """
    if code & 0x3B000000 != 0x39000000:
        return 0
    if code >> 30 == 0 and code & 0x04800000 == 0x04800000:
        return 4
    return code >> 30
