"""Assemble a module: sources in, an object file out.

Two passes.  The first reads every line, expands macros, runs directives and
gives every label its offset.  The second computes the operands that had to
wait, checks each instruction, has all of them encoded at once, and writes the
relocations.  Neither stops at the first mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from ymawky_kit.asm import directive, isa, operand
from ymawky_kit.asm.draft import (
    S_ATTR_PURE_INSTRUCTIONS,
    S_ATTR_SOME_INSTRUCTIONS,
    Emission,
    PendingDatum,
    PendingInstruction,
    SectionDraft,
)
from ymawky_kit.asm.encoder import Encoder, default_encoder
from ymawky_kit.asm.expression import (
    Cursor,
    Expression,
    Number,
    Unknown,
    Value,
    names,
    read,
    unknown,
)
from ymawky_kit.asm.lexer import Expansion, Mistake, SourceLine, split_lines, tokenize
from ymawky_kit.asm.macro import Macro, expand, parse_arguments
from ymawky_kit.asm.operand import Instruction
from ymawky_kit.asm.suggest import did_you_mean, nearest
from ymawky_kit.asm.symbols import Deferred, Entry, Here, SymbolTable, evaluate_here
from ymawky_kit.obj import Line, ObjectFile, Relocation, RelocationKind, Section, Symbol
from ymawky_kit.source import Diagnostic, KitError, Note, Source, Span

#: How many mistakes one run reports.
_DIAGNOSTICS_MAX: Final = 20
#: How many lines one module may have once everything is expanded.
_LINES_MAX: Final = 200_000
#: How many macros, repetitions and includes may be open at once.
_NESTING_MAX: Final = 32
#: How many characters all expansions of a module may have.
_EXPANSION_MAX: Final = 2_000_000

_LABEL: Final = re.compile(r"\s*(?:([A-Za-z_.$][\w.$]*)|(\d+))\s*:", re.ASCII)
HEAD: Final = re.compile(r"\s*([A-Za-z_.$][\w.$]*)", re.ASCII)
_LIKE_A_REGISTER: Final = re.compile(r"[xwbhsdqv]\d+")
_ASSIGNMENT: Final = re.compile(r"\s*=(?!=)")


def assemble(
    source: Source | Sequence[Source],
    *,
    include: Sequence[Path] = (),
    encoder: Encoder | None = None,
    name: str | None = None,
) -> ObjectFile:
    """Assemble one module.

    A module may come as several sources in a row.  `include` lists the folders
    in which `.include` looks, in order.  Raises :class:`KitError` with every
    mistake found, up to twenty, each with the place it is at.
    """
    sources = (source,) if isinstance(source, Source) else tuple(source)
    return assemble_all(
        [(name or (sources[0].name if sources else "empty"), sources)],
        include=include,
        encoder=encoder,
    )[0]


def assemble_all(
    modules: Iterable[tuple[str, Sequence[Source]]],
    *,
    include: Sequence[Path] = (),
    encoder: Encoder | None = None,
) -> list[ObjectFile]:
    """Assemble several modules with one call of the encoder: (name, sources) each."""
    drafts = [Assembly(name, include) for name, _ in modules]
    diagnostics: list[Diagnostic] = []
    for draft, (_, sources) in zip(drafts, modules, strict=True):
        draft.read(sources)
    texts: dict[str, None] = {}
    for draft in drafts:
        draft.resolve()
        texts.update(dict.fromkeys(draft.texts))
        diagnostics += draft.diagnostics
    wanted = list(texts)
    codes = (encoder or default_encoder()).encode(wanted) if wanted else []
    known = dict(zip(wanted, codes, strict=True))
    objects = []
    for draft in drafts:
        seen = len(draft.diagnostics)
        objects.append(draft.finish(known))
        diagnostics += draft.diagnostics[seen:]
    if any(d.severity == "error" for d in diagnostics):
        raise KitError(*_limited(diagnostics))
    return objects


def _limited(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    errors = [d for d in diagnostics if d.severity == "error"]
    if len(errors) <= _DIAGNOSTICS_MAX:
        return errors
    rest = len(errors) - _DIAGNOSTICS_MAX
    last = errors[_DIAGNOSTICS_MAX - 1]
    note = Note(f"and {rest} more mistake{'s' if rest > 1 else ''} after this one")
    shown = Diagnostic(last.message, last.span, last.hint, (*last.notes, note))
    return [*errors[:_DIAGNOSTICS_MAX - 1], shown]


@dataclass(slots=True)
class Condition:
    """One `.if` that is open."""

    is_taken: bool              # its lines are assembled now
    was_taken: bool             # one of its branches was
    may_be: bool                # the lines around it are assembled
    line: SourceLine
    start: int
    end: int
    has_else: bool = False


@dataclass(slots=True)
class Feed:
    """Lines still to come from one file, macro or repetition."""

    lines: Iterator[SourceLine]
    conditions: int             # open `.if`s when it began
    file: Path | None = None
    macro: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A directive, a macro's use or an instruction, at its place in a line."""

    line: SourceLine
    name: str
    start: int
    rest: int                   # column behind the name

    @property
    def name_end(self) -> int:
        return self.start + len(self.name)

    def cursor(self) -> Cursor:
        return Cursor(tokenize(self.line.text, self.rest))

    @property
    def end(self) -> int:
        """The column behind the last character that is no comment."""
        return _statement_end(self.line.text, self.rest)


def _statement_end(text: str, start: int) -> int:
    if '"' in text or "'" in text:
        try:
            tokens = tokenize(text, start)
        except Mistake:
            return len(text.rstrip())
        return tokens[-2].end if len(tokens) > 1 else start
    end = len(text)
    for mark in ("//", ";"):
        found = text.find(mark, start, end)
        if found >= 0:
            end = found
    return len(text[:end].rstrip())


class Assembly:
    """The state of assembling one module."""

    def __init__(self, name: str, include: Sequence[Path]) -> None:
        self.name = name
        self.include = tuple(include)
        self.sections: list[SectionDraft] = []
        self.section = self.section_named("__TEXT", "__text", S_ATTR_PURE_INSTRUCTIONS)
        self.previous = self.section
        self.symbols = SymbolTable()
        self.macros: dict[str, Macro] = {}
        self.conditions: list[Condition] = []
        self.feeds: list[Feed] = []
        self.diagnostics: list[Diagnostic] = []
        self.emissions: list[Emission] = []
        self.instructions: list[PendingInstruction] = []
        self.data: list[PendingDatum] = []
        self.encodings: list[tuple[PendingInstruction, isa.Encoding]] = []
        self.globals: list[tuple[Entry, SourceLine, int, int]] = []
        self.assignments: list[tuple[Entry, Value | Deferred, Expression, SourceLine]] = []
        self.expansions = 0
        self._at = SourceLine("", Source(name, ""), 0)
        self._lines_read = 0
        self._text_left = _EXPANSION_MAX
        self._is_over = False
        self._undefined: set[str] = set()

    # --- pass one ------------------------------------------------------

    def read(self, sources: Sequence[Source]) -> None:
        """Read all lines; mistakes are kept in `diagnostics`."""
        self.feeds.append(Feed(self._lines_of(sources), 0))
        while (line := self.next_line()) is not None:
            if "%%" in line.text:
                for part in _split_at_separators(line):
                    self._line(part)
            else:
                self._line(line)
        self._check_globals()

    def _lines_of(self, sources: Sequence[Source]) -> Iterator[SourceLine]:
        for source in sources:
            yield from self.source_lines(source)

    def source_lines(self, source: Source) -> Iterator[SourceLine]:
        try:
            yield from split_lines(source)
        except Mistake as mistake:
            self.report(mistake, SourceLine(source.text, source, 0))

    def next_line(self) -> SourceLine | None:
        """The next line of the innermost feed that has one; None at the end of all."""
        while self.feeds:
            line = self.next_line_of_feed()
            if line is not None:
                return line
            self._close_feed()
        return None

    def next_line_of_feed(self) -> SourceLine | None:
        """The next line of the feed at hand, or None at its end."""
        if self._is_over:
            return None
        line = next(self.feeds[-1].lines, None)
        if line is not None:
            self._lines_read += 1
            if self._lines_read > _LINES_MAX:
                self._is_over = True
                self.report(
                    Mistake(
                        f"this module has more than {_LINES_MAX:,} lines when expanded", 0,
                        len(line.text), "look for a macro or a repetition that makes too much",
                    ),
                    line,
                )
                return None
        return line

    def _close_feed(self) -> None:
        feed = self.feeds.pop()
        while len(self.conditions) > feed.conditions:
            condition = self.conditions.pop()
            if not self._is_over:
                self.report(
                    Mistake("this .if is never closed", condition.start, condition.end,
                            "write .endif behind the lines it is about"),
                    condition.line,
                )

    def push(self, feed: Feed, statement: Statement) -> None:
        """Go on with the lines of a macro, a repetition or a file."""
        if len(self.feeds) >= _NESTING_MAX:
            self._is_over = True    # whatever called this will call it again
            raise Mistake(
                f"'{statement.name}' is nested more than {_NESTING_MAX} deep",
                statement.start, statement.name_end,
                "a macro that uses itself needs an .if that ends it"
                if feed.macro else None,
            )
        self.feeds.append(feed)

    def leave_macro(self, statement: Statement) -> None:
        """`.exitm`: drop the rest of the innermost macro or repetition."""
        for position in range(len(self.feeds) - 1, -1, -1):
            if self.feeds[position].macro is not None:
                feed = self.feeds[position]
                del self.conditions[feed.conditions:]
                del self.feeds[position:]
                return
        raise Mistake(".exitm outside a macro", statement.start, statement.name_end)

    def _line(self, line: SourceLine) -> None:
        self._at = line
        text = line.text
        position = 0
        try:
            if text[:1] == "#" or text.lstrip()[:1] == "#":
                return
            is_taken = not self.conditions or self.conditions[-1].is_taken
            if is_taken:
                while (match := _LABEL.match(text, position)) is not None:
                    self._label(line, match)
                    position = match.end()
            head = HEAD.match(text, position)
            if head is None:
                if is_taken:
                    self._expect_nothing(line, position)
                return
            name = head.group(1)
            statement = Statement(line, name, head.start(1), head.end())
            if name[0] == ".":
                conditional = directive.CONDITIONAL.get(name.lower())
                if conditional is not None:
                    conditional(self, statement)
                    return
            if is_taken:
                self._statement(statement)
        except Mistake as mistake:
            self.report(mistake, line)
        except Unknown as unknown:
            self._report_undefined(unknown, line)

    def _expect_nothing(self, line: SourceLine, position: int) -> None:
        token = tokenize(line.text, position)[0]
        if token.kind == "end":
            return
        hint = None
        if token.kind == "number":
            hint = "a label is a name or a number with a colon behind it"
        elif token.kind == "\\":
            hint = "only a parameter of the macro can stand behind a backslash"
        raise Mistake(
            f"a line cannot begin with '{token.text}'", token.start, token.end, hint
        )

    def _label(self, line: SourceLine, match: re.Match[str]) -> None:
        if match.group(2) is not None:
            number = match.group(2)
            if len(number) > 6:
                raise Mistake("numeric labels go up to 999999", match.start(2), match.end(2))
            count = self.symbols.numeric.get(int(number), 0) + 1
            self.symbols.numeric[int(number)] = count
            entry = self.symbols.numeric_entry(int(number), count)
            entry.section, entry.value = self.section.index, self.section.size
            return
        self.define_label(match.group(1), line, match.start(1), match.end(1))

    def define_label(self, name: str, line: SourceLine, start: int, end: int) -> None:
        """Put a symbol at the current place; raises :class:`Mistake` when it has one."""
        if name == ".":
            raise Mistake("'.' is the current place and cannot be a label", start, end)
        if operand.is_register(name):
            raise Mistake(
                f"'{name}' is a register and cannot be a label", start, end
            )
        entry = self.symbols.entry(name)
        if entry.section is not None or entry.meaning is not None:
            raise self._doubled(entry, start, end)
        entry.section, entry.value = self.section.index, self.section.size
        entry.defined = line.span(start, end)

    def _doubled(self, entry: Entry, start: int, end: int) -> Mistake:
        notes = (Note("it is defined here first", entry.defined),) if entry.defined else ()
        hint = None
        if entry.name.startswith("L"):
            hint = "local labels carry the name of their function, so that they stay apart"
        return Mistake(f"'{entry.name}' is defined twice", start, end, hint, notes)

    def assign(
        self, name: str, tree: Expression, statement: Statement, start: int, *, once: bool = False
    ) -> None:
        """Give a name a value: `.equ`, `.set`, `=`, and with `once` `.equiv`."""
        end = start + len(name)
        if name == ".":
            raise Mistake("'.' cannot be set", start, end, "use .space to leave room")
        if operand.is_register(name):
            raise Mistake(f"'{name}' is a register and cannot be a name for a value", start, end)
        entry = self.symbols.entry(name)
        value = evaluate_here(tree, self.here(), statement.line)
        if isinstance(value, Value) and self._leads_to(value, entry):
            raise Mistake(f"'{name}' is defined by itself", start, end)
        if entry.section is not None or entry.is_fixed or (once and entry.meaning is not None):
            raise self._doubled(entry, start, end)
        entry.meaning = value
        entry.is_fixed = once
        entry.defined = statement.line.span(start, end)
        if isinstance(value, Deferred) or value.place is not None:
            self.assignments.append((entry, value, tree, statement.line))

    def _leads_to(self, value: Value, entry: Entry) -> bool:
        """Whether following a value's names ends at an entry."""
        for _ in range(len(self.symbols.entries) + 1):
            place = value.place
            if place is entry:
                return True
            if not isinstance(place, Entry) or not isinstance(place.meaning, Value):
                return False
            value = place.meaning
        return True

    def _statement(self, statement: Statement) -> None:
        name = statement.name
        text = statement.line.text
        assignment = _ASSIGNMENT.match(text, statement.rest)
        if assignment is not None:
            cursor = Cursor(tokenize(text, assignment.end()))
            tree = read(cursor)
            cursor.expect_end()
            self.assign(name, tree, statement, statement.start)
            return
        macro = self.macros.get(name)
        if macro is not None:
            self._use(macro, statement)
        elif name[0] == ".":
            handler = directive.DIRECTIVES.get(name.lower())
            if handler is None:
                raise Mistake(
                    f"unknown directive '{name}'", statement.start, statement.name_end,
                    directive.hint_for(name),
                )
            handler(self, statement)
        else:
            self._instruction(statement)

    def _use(self, macro: Macro, statement: Statement) -> None:
        line = statement.line
        arguments = parse_arguments(macro, line, statement.rest, statement.end, statement.start)
        self.expand(
            macro.body, f"macro '{macro.name}'", statement, [arguments], macro.name
        )

    def expand(
        self,
        body: Sequence[SourceLine],
        title: str,
        statement: Statement,
        rounds: Sequence[directive.Arguments],
        macro: str,
    ) -> None:
        """Go on with a body, once for each set of arguments."""
        line = statement.line
        use = line.span(statement.start, max(statement.end, statement.name_end))
        missing = tuple(
            name for name, argument in rounds[0].items() if not argument.text
        ) if rounds else ()
        expansion = Expansion(title, use, line.expansion, missing)
        if len(rounds) * max(1, len(body)) > _LINES_MAX:
            raise Mistake(
                f"this makes {len(rounds) * len(body):,} lines; at most {_LINES_MAX:,} are allowed",
                statement.start, statement.end,
            )
        lines: list[SourceLine] = []
        for arguments in rounds:
            self.expansions += 1
            made = expand(body, arguments, expansion, self.expansions, self._text_left)
            if made is None:
                self._is_over = True
                raise Mistake(
                    f"this module has more than {_EXPANSION_MAX:,} characters when expanded",
                    statement.start, statement.name_end,
                    "look for a macro or a repetition that makes too much",
                )
            self._text_left -= sum(len(m.text) for m in made)
            lines += made
        self.push(Feed(iter(lines), len(self.conditions), macro=macro), statement)

    def _instruction(self, statement: Statement) -> None:
        line, start = statement.line, statement.start
        end = statement.end
        name = isa.canonical(statement.name)
        if name is None:
            raise self._unknown_mnemonic(statement)
        try:
            instruction = _parsed(line.text[start:end], len(statement.name), name)
        except Mistake as mistake:
            raise mistake.moved(start) from None
        section = self.section
        if section.is_zero_fill:
            raise Mistake(
                f"{section.segment},{section.name} holds no bytes in the file, so no instructions",
                start, end, "write .text before the instruction",
            )
        offset = section.size
        if offset % 4:
            raise Mistake(
                f"an instruction must begin at a multiple of 4, and this is offset {offset}",
                start, end, "write .p2align 2 before it",
            )
        section.append(b"\0\0\0\0", start, end)
        section.flags |= S_ATTR_SOME_INSTRUCTIONS
        section.align = max(section.align, 2)
        values: tuple[Value | Deferred, ...] = ()
        if instruction.expressions:
            here = self.here(offset)
            try:
                values = tuple(
                    Value(e.value) if isinstance(e, Number)
                    else evaluate_here(e, here, line, start)
                    for e in instruction.expressions
                )
            except Mistake as mistake:
                raise mistake.moved(start) from None
        self.instructions.append(
            PendingInstruction(section.index, offset, line, start, instruction, values)
        )
        self.emissions.append(Emission(section.index, offset, 4, line, start, end, True))

    def _unknown_mnemonic(self, statement: Statement) -> Mistake:
        name = statement.name
        known = [*isa.mnemonics(), *self.macros]
        found = nearest(name, known)
        hint = f"did you mean '{found}'?" if found else None
        if found is None and self.symbols.entries.get(name) is not None:
            hint = f"'{name}' is a symbol; a label has a colon behind it"
        elif statement.line.text[statement.rest:].strip() == "" and found is None:
            hint = "a label needs a colon behind it"
        return Mistake(f"unknown mnemonic '{name}'", statement.start, statement.name_end, hint)

    # --- what directives use -------------------------------------------

    def here(self, offset: int | None = None) -> Here:
        section = self.section
        return Here(
            self.symbols,
            section.index,
            section.size if offset is None else offset,
            self.symbols.numeric,
        )

    def section_named(self, segment: str, name: str, flags: int = 0) -> SectionDraft:
        """The section of this name, made when it is new."""
        for section in self.sections:
            if section.segment == segment and section.name == name:
                return section
        section = SectionDraft(len(self.sections), segment, name, flags)
        self.sections.append(section)
        return section

    def switch(self, section: SectionDraft) -> None:
        self.previous, self.section = self.section, section

    def emit(self, statement: Statement, data: bytes) -> None:
        """Add the bytes of one statement to the current section."""
        offset = self.section.size
        self.section.append(data, statement.start, statement.end)
        self.note(statement, offset)

    def note(self, statement: Statement, offset: int) -> None:
        """Remember that the bytes from `offset` on are this statement's."""
        size = self.section.size - offset
        if size:
            self.emissions.append(
                Emission(
                    self.section.index, offset, size, statement.line,
                    statement.start, statement.end, False,
                )
            )

    def number(self, tree: Expression, what: str) -> int:
        """The value of an expression that must be known now; `what` needs it."""
        value = evaluate_here(tree, self.here(), self._at)
        if isinstance(value, Value) and value.place is None:
            return value.number
        if isinstance(value, Deferred) or value.place.section is None:  # type: ignore[union-attr]
            name = next(
                (
                    n for n in names(tree)
                    if (e := self.symbols.entries.get(n.name)) is not None
                    and e.section is None and not isinstance(e.meaning, Value)
                ),
                None,
            )
            if name is not None:
                mistake = self.undefined(name.name, name.start, name.end)
                mistake.hint = mistake.hint or f"{what} needs it before this line"
                raise mistake
        raise Mistake(
            f"{what} needs a number, and this is an address", tree.start, tree.end
        )

    def undefined(self, name: str, start: int, end: int) -> Mistake:
        """The message for a symbol without a definition, with the nearest one as a hint."""
        shown = name.partition(":")[0] if name[0].isdigit() else name
        if name[0].isdigit():
            return Mistake(
                f"there is no label '{shown}:' below", start, end,
                f"'{shown}f' means the next '{shown}:' below, '{shown}b' the nearest above",
            )
        if operand.is_register(name):
            return Mistake(
                f"'{name}' is a register, and an expression is computed before the program runs",
                start, end,
            )
        if _LIKE_A_REGISTER.fullmatch(name):
            return Mistake(
                f"there is no register '{name}'", start, end,
                "there are x0 to x30, xzr and sp, their lower halves w0 to w30, and "
                "b, h, s, d, q and v with 0 to 31",
            )
        kind = "label" if name.startswith("L") else "symbol"
        return Mistake(
            f"{kind} '{shown}' is not defined", start, end,
            did_you_mean(name, self.symbols.known()),
        )

    def report(self, mistake: Mistake, line: SourceLine) -> None:
        """Keep a mistake as a diagnostic; `line` is where it is, unless it says otherwise."""
        line = mistake.line or line
        self.diagnostics.append(
            Diagnostic(
                mistake.message,
                line.span(mistake.start, mistake.end),
                mistake.hint,
                (*mistake.notes, *line.notes(mistake.start, mistake.end)),
            )
        )
        if len(self.diagnostics) >= 10 * _DIAGNOSTICS_MAX:
            self._is_over = True

    def _check_globals(self) -> None:
        for entry, line, start, end in self.globals:
            if entry.section is None and entry.meaning is None:
                if not self._is_over:
                    mistake = self.undefined(entry.name, start, end)
                    mistake.message = f"'{entry.name}' is declared global but not defined here"
                    self.report(mistake, line)
            else:
                entry.is_global = True

    # --- pass two ------------------------------------------------------

    @property
    def texts(self) -> Iterator[str]:
        """The final text of every instruction."""
        return (encoding.text for _, encoding in self.encodings)

    def resolve(self) -> None:
        """Compute what had to wait and check every instruction."""
        if self._is_over:
            return
        for entry, value, tree, line in self.assignments:
            if entry.meaning is value:          # not replaced since
                try:
                    entry.meaning = self._defined(value, tree)
                except Mistake as mistake:
                    entry.meaning = Value(0)    # one message is enough
                    self.report(mistake, line)
                except Unknown as unknown:
                    entry.meaning = Value(0)
                    self._report_undefined(unknown, line)
        for pending in self.instructions:
            try:
                encoding = self._resolve_instruction(pending)
            except Mistake as mistake:
                self.report(mistake.moved(pending.start), pending.line)
            except Unknown as unknown:
                self._report_undefined(unknown.moved(pending.start), pending.line)
            else:
                self.encodings.append((pending, encoding))
        for datum in self.data:
            try:
                self._resolve_datum(datum)
            except Mistake as mistake:
                self.report(mistake, datum.line)
            except Unknown as unknown:
                self._report_undefined(unknown, datum.line)

    def _defined(self, value: Value | Deferred, tree: Expression) -> Value:
        """The final value of a name; raises Unknown when it is a symbol of elsewhere."""
        settled = self.symbols.settle(value)
        if settled.place is not None and settled.place.section is None:
            raise unknown(settled.place, tree)
        return settled

    def _report_undefined(self, unknown: Unknown, line: SourceLine) -> None:
        """Once for each name: the first use stands for the others."""
        if unknown.name not in self._undefined:
            self._undefined.add(unknown.name)
            mistake = self.undefined(unknown.name, unknown.start, unknown.end)
            self.report(mistake, unknown.line or line)

    def _resolve_instruction(self, pending: PendingInstruction) -> isa.Encoding:
        instruction = pending.instruction
        if not pending.values or instruction.is_constant:
            return _checked(instruction)
        settled = tuple(self.symbols.settle(v) for v in pending.values)

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
        self.sections[pending.section].relocations.append(
            Relocation(pending.offset, kind, symbol, addend, 4, span)
        )

    def _relocation_target(
        self, target: Value, line: SourceLine, start: int, end: int
    ) -> tuple[str | None, int]:
        """A symbol the linker will know, and the distance from it."""
        entry = target.place
        assert isinstance(entry, Entry)
        if entry.section is None and entry.is_label:
            self._report_undefined(Unknown(entry.name, start, end), line)
            return None, 0
        if not entry.is_label:
            return entry.name, target.number
        assert entry.section is not None
        anchor = self._anchor(entry.section, entry.value)
        return anchor.name, target.number + entry.value - anchor.value

    def _anchor(self, section: int, offset: int) -> Entry:
        """The nearest named symbol at or before a place; one is made when there is none."""
        best: Entry | None = None
        for entry in self.symbols.entries.values():
            if (
                entry.section == section
                and entry.value <= offset
                and not entry.is_label
                and (best is None or entry.value > best.value)
            ):
                best = entry
        if best is None:
            best = self.symbols.entry(f"ltmp{section}")
            best.section, best.value = section, 0
        return best

    def _resolve_datum(self, datum: PendingDatum) -> None:
        if datum.size < 4 and isinstance(datum.value, Deferred):
            directive.check_difference(self, datum.value.tree, datum.size)
        value = self.symbols.settle(datum.value)
        section = self.sections[datum.section]
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

    # --- the result ----------------------------------------------------

    def finish(self, codes: dict[str, bytes | None]) -> ObjectFile:
        """Put the encoded instructions in place and freeze everything."""
        final_text: dict[tuple[int, int], str] = {}
        for pending, encoding in self.encodings:
            code = codes[encoding.text]
            if code is None:
                self.report(isa.refused(pending.instruction).moved(pending.start), pending.line)
                continue
            section = self.sections[pending.section]
            section.data[pending.offset:pending.offset + 4] = code
            if encoding.relocation is RelocationKind.PAGEOFF12:
                self._check_alignment(pending, encoding, int.from_bytes(code, "little"))
            final_text[pending.section, pending.offset] = encoding.text
        named = {e.section for e in self.symbols.entries.values()}
        used = [s for s in self.sections if s.size or s.index == 0 or s.index in named]
        numbers = {s.index: n for n, s in enumerate(used)}
        return ObjectFile(
            self.name,
            tuple(
                Section(
                    s.segment, s.name, s.align, bytes(s.data), s.size, s.flags,
                    tuple(s.relocations),
                )
                for s in used
            ),
            tuple(self._symbols(numbers, labels=False)),
            tuple(self._lines(numbers, final_text)),
            tuple(self._symbols(numbers, labels=True)),
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
        if place is None or place.section is None or self.sections[place.section].align < power:
            return
        address = place.value + encoding.target.number
        if address % (1 << power):
            mistake = Mistake(
                f"'{place.name}' is at offset {address} of its section, and this reads or writes "
                f"{1 << power} bytes at multiples of {1 << power}",
                0, len(pending.instruction.text),
                f"write .p2align {power} before the label",
            )
            self.report(mistake.moved(pending.start), pending.line)

    def _symbols(self, numbers: dict[int, int], *, labels: bool) -> Iterator[Symbol]:
        for entry in self.symbols.entries.values():
            if not entry.is_plain or entry.name.startswith("L") != labels:
                continue
            section, value = entry.section, entry.value
            if entry.meaning is not None:
                meaning = self.symbols.settle(Value(0, entry))
                value = meaning.number
                if meaning.place is not None:
                    section = meaning.place.section
                    value += meaning.place.value
                    if section is None:
                        continue
            elif section is None:
                continue
            number = None if section is None else numbers[section]
            yield Symbol(entry.name, number, value, entry.is_global, entry.defined)

    def _lines(
        self, numbers: dict[int, int], final_text: dict[tuple[int, int], str]
    ) -> Iterator[Line]:
        for e in self.emissions:
            text = e.line.text[e.start:e.end]
            if e.line.expansion is None:
                span = Span(e.line.source, e.line.offset + e.start, e.line.offset + e.end)
            else:
                span = e.line.root
                text = final_text.get((e.section, e.offset), text)
            yield Line(numbers[e.section], e.offset, e.size, span, text, e.is_code)


@lru_cache(maxsize=1 << 15)
def _parsed(text: str, mnemonic_length: int, mnemonic: str) -> Instruction:
    return operand.read(text, mnemonic_length, mnemonic)


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


def _split_at_separators(line: SourceLine) -> list[SourceLine]:
    """The statements of a line that `%%` separates."""
    try:
        tokens = tokenize(line.text)
    except Mistake:
        return [line]       # reading the line will say what is wrong
    marks = [t for t in tokens if t.kind == "%%"]
    parts: list[SourceLine] = []
    start = 0
    for stop, after in [*((t.start, t.end) for t in marks), (len(line.text), 0)]:
        pieces = () if line.expansion is None else tuple(
            p._replace(start=p.start - start, end=p.end - start) for p in line.slice(start, stop)
        )
        parts.append(
            SourceLine(
                line.text[start:stop], line.source, line.offset + start, pieces, line.expansion
            )
        )
        start = after
    return parts
