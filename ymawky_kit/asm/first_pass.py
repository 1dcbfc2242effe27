"""The first pass: read every line, run macros and directives, place every label.

:class:`Assembly` is the state of one module meanwhile; the directives work on
it.  What cannot be computed yet is left in its lists for the second pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
from ymawky_kit.asm.expression import Cursor, Expression, Number, Unknown, Value, names, read
from ymawky_kit.asm.header import Header, words_of
from ymawky_kit.asm.lexer import (
    Expansion,
    Mistake,
    SourceLine,
    printable,
    split_lines,
    tokenize,
)
from ymawky_kit.asm.macro import Macro, expand, parse_arguments
from ymawky_kit.asm.operand import Instruction
from ymawky_kit.asm.statement import HEAD, Condition, Feed, Statement, split_at_separators
from ymawky_kit.asm.suggest import did_you_mean, nearest
from ymawky_kit.asm.symbols import Deferred, Entry, Here, SymbolTable, evaluate_here
from ymawky_kit.source import Diagnostic, Note, Source

#: How many lines one module may have once everything is expanded.
_LINES_MAX: Final = 200_000
#: How many macros, repetitions and includes may be open at once.
_NESTING_MAX: Final = 32
#: How many characters all expansions of a module may have.
_EXPANSION_MAX: Final = 2_000_000
#: How many mistakes are enough to stop reading.
_MISTAKES_MAX: Final = 200

_LABEL: Final = re.compile(r"\s*(?:([A-Za-z_.$][\w.$]*)|(\d+))\s*:", re.ASCII)
#: Names of other processors, and ours for the same thing.
_ELSEWHERE: Final = {
    "call": "bl", "jmp": "b", "je": "b.eq", "jne": "b.ne", "jz": "cbz", "jnz": "cbnz",
    "syscall": "svc #0x80", "int": "svc #0x80", "ecall": "svc #0x80", "swi": "svc #0x80",
    "lea": "adr, or adrp with add", "la": "adr, or adrp with add", "li": "mov",
    "push": "str x0, [sp, #-16]!, or stp for two registers",
    "pop": "ldr x0, [sp], #16, or ldp for two registers",
    "ldm": "ldp", "stm": "stp", "bx": "br", "blx": "blr", "xor": "eor", "inc": "add x0, x0, #1",
    "dec": "sub x0, x0, #1", "test": "tst", "imul": "mul", "idiv": "sdiv", "div": "udiv",
    "mod": "udiv, then msub", "rem": "udiv, then msub", "rsb": "sub with the operands exchanged",
}
#: Atomic, pointer authentication, cryptographic and other later instructions.
_YOUNGER: Final = re.compile(
    r"(ld|st)(add|clr|eor|set|[su]max|[su]min)(a|l|al)?[bh]?|casp?(a|l|al)?[bh]?|swp(a|l|al)?[bh]?"
    r"|ldapu?r[bh]?|aes\w+|sha\d\w+|pac\w+|aut\w+|ret[ab]+|bl?r[ab]+|eret[ab]+|xpac\w"
    r"|[su]dot|sb|udf|fjcvtzs|cf(inv|p)|rmif|setf\d+"
)
#: A line of blanks or of a comment; a # is what a C preprocessor leaves behind.
_IDLE: Final = re.compile(r"[ \t\f\v]*(?:$|//|;)|\s*#")
_ASSIGNMENT: Final = re.compile(r"\s*=(?!=)")


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
        self.globals: list[tuple[Entry, SourceLine, int, int]] = []
        self.assignments: list[tuple[Entry, Value | Deferred, Expression, SourceLine]] = []
        self.expansions = 0
        self._at = SourceLine("", Source(name, ""), 0)
        self._lines_read = 0
        self._text_left = _EXPANSION_MAX
        self.is_over = False
        self._undefined: set[str] = set()

    # --- pass one ------------------------------------------------------

    def read(self, sources: Sequence[Source]) -> None:
        """Read all lines; mistakes are kept in `diagnostics`."""
        self._read(self._lines_of(sources))
        self._check_globals()

    def _read(self, lines: Iterator[SourceLine]) -> None:
        self.feeds.append(Feed(lines, 0))
        while (line := self.next_line()) is not None:
            if "%%" in line.text:
                for part in split_at_separators(line):
                    self._line(part)
            else:
                self._line(line)

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
        if self.is_over:
            return None
        line = next(self.feeds[-1].lines, None)
        if line is not None:
            self._lines_read += 1
            if self._lines_read > _LINES_MAX:
                self.is_over = True
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
            if not self.is_over:
                self.report(
                    Mistake("this .if is never closed", condition.start, condition.end,
                            "write .endif behind the lines it is about"),
                    condition.line,
                )

    @classmethod
    def header(cls, lines: Sequence[SourceLine]) -> Header | None:
        """A file as a header, or None when there is more to it, or something wrong."""
        words = words_of(lines)
        if words is None:
            return None
        alone = cls("", ())
        alone._read(iter(lines))
        constants = alone.symbols.entries
        if alone.diagnostics or not all(entry.is_constant for entry in constants.values()):
            return None
        for entry in constants.values():
            entry.share()
        return Header(len(lines), words, constants, alone.macros)

    def take(self, header: Header) -> bool:
        """Do at once what reading a header would do; False when it must be read.

        It must be when a name in it, or a word that it uses, means something already.
        """
        if (
            len(self.feeds) >= _NESTING_MAX
            or self._lines_read + header.lines > _LINES_MAX
            or not self.macros.keys().isdisjoint(header.words)
            or not self.macros.keys().isdisjoint(header.macros)
            or not self.symbols.entries.keys().isdisjoint(header.constants)
        ):
            return False
        self._lines_read += header.lines
        self.symbols.entries.update(header.constants)
        self.macros.update(header.macros)
        return True

    def push(self, feed: Feed, statement: Statement) -> None:
        """Go on with the lines of a macro, a repetition or a file."""
        if len(self.feeds) >= _NESTING_MAX:
            self.is_over = True    # whatever called this will call it again
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
        if _IDLE.match(text):
            return
        position = 0
        try:
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
            self.report_undefined(unknown, line)

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
        entry = self.symbols.own(name)
        value = evaluate_here(tree, self.here(), statement.line)
        if isinstance(value, Value) and self._leads_to(value, entry):
            entry.meaning = Value(0)    # one complaint is enough
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
                self.is_over = True
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
        found = nearest(name, [*isa.mnemonics(), *self.macros])
        hint = f"did you mean '{found}'?" if found else None
        if name.lower() in _ELSEWHERE:
            hint = f"on this processor that is {_ELSEWHERE[name.lower()]}"
        elif _YOUNGER.fullmatch(name.lower()):
            hint = "it is younger than ARMv8.0, which is all this assembler knows"
        elif found is None and self.symbols.entries.get(name) is not None:
            hint = f"'{name}' is a symbol; a label has a colon behind it"
        elif name.lower().startswith("b.") and found is None:
            hint = f"the conditions are {' '.join(operand.CONDITIONS)}"
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
        if operand.is_like_a_register(name):
            return Mistake(f"there is no register '{name}'", start, end, operand.REGISTERS_HINT)
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
                printable(mistake.message),
                line.span(mistake.start, mistake.end),
                printable(mistake.hint) if mistake.hint else None,
                (*mistake.notes, *line.notes(mistake.start, mistake.end)),
            )
        )
        if len(self.diagnostics) >= _MISTAKES_MAX:
            self.is_over = True

    def report_undefined(self, unknown: Unknown, line: SourceLine) -> None:
        """Once for each name: the first use stands for the others."""
        if unknown.name not in self._undefined:
            self._undefined.add(unknown.name)
            mistake = self.undefined(unknown.name, unknown.start, unknown.end)
            self.report(mistake, unknown.line or line)

    def _check_globals(self) -> None:
        for entry, line, start, end in self.globals:
            if entry.section is None and entry.meaning is None:
                if not self.is_over:
                    mistake = self.undefined(entry.name, start, end)
                    mistake.message = f"'{entry.name}' is declared global but not defined here"
                    self.report(mistake, line)
            else:
                entry.is_global = True


@lru_cache(maxsize=1 << 15)
def _parsed(text: str, mnemonic_length: int, mnemonic: str) -> Instruction:
    return operand.read(text, mnemonic_length, mnemonic)
