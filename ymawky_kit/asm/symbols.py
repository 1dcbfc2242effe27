"""The symbols of one module, and what names mean at a place in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from ymawky_kit.asm.expression import Expression, Name, Unknown, Value, evaluate
from ymawky_kit.asm.lexer import Mistake, SourceLine
from ymawky_kit.obj import Symbol
from ymawky_kit.source import Span


class Cycle(Mistake):
    """A name is defined by itself, or through too many others."""

    def __init__(self, start: int = 0, end: int = 1) -> None:
        super().__init__("this name is defined by itself, or through too many others", start, end)


@dataclass(eq=False, slots=True)
class Entry:
    """A symbol: a label, a named value, or a name that was only used so far."""

    name: str
    section: int | None = None
    value: int = 0
    is_global: bool = False
    defined: Span | None = None
    #: For a name made by .equ: its value, or the expression that will give it.
    meaning: Value | Deferred | None = None
    is_fixed: bool = False          # made by .equiv
    resolving: bool = False
    #: Of a constant that came with a header and belongs to many modules: what their object
    #: files will say.
    symbol: Symbol | None = None

    @property
    def is_label(self) -> bool:
        """Whether it stays out of the object file's symbol table."""
        return self.name.startswith("L") or not self.is_plain

    @property
    def is_plain(self) -> bool:
        return not (self.name[0].isdigit() or self.name == ".")

    @property
    def is_constant(self) -> bool:
        """Whether it is a number and nothing else."""
        return self.section is None and isinstance(self.meaning, Value) and (
            self.meaning.place is None and self.meaning.modifier is None
        )

    def share(self) -> None:
        """From now on, be the constant of every module that includes a header."""
        assert isinstance(self.meaning, Value)
        self.symbol = Symbol(self.name, None, self.meaning.number, False, self.defined)


@dataclass(frozen=True, slots=True)
class Deferred:
    """An expression that must wait for symbols defined further down."""

    tree: Expression
    scope: Here
    line: SourceLine
    start: int              # column in the line at which the columns of `tree` begin

    def evaluate(self) -> Value:
        """The value, now that all symbols are known.

        What goes wrong is put down to the line that the expression stands in.
        """
        try:
            return evaluate(self.tree, self.scope.final())
        except (Mistake, Unknown) as error:
            error.moved(self.start)
            error.line = error.line or self.line
            raise


@dataclass(slots=True)
class SymbolTable:
    entries: dict[str, Entry] = field(default_factory=dict)
    #: How many times each numeric label was defined.
    numeric: dict[int, int] = field(default_factory=dict)
    _depth: int = 0

    def entry(self, name: str) -> Entry:
        """The symbol of this name, made when it is new."""
        found = self.entries.get(name)
        if found is None:
            found = self.entries[name] = Entry(name)
        return found

    def own(self, name: str) -> Entry:
        """The symbol of this name, to be changed: what many modules share is copied."""
        entry = self.entry(name)
        if entry.symbol is not None:
            entry = self.entries[name] = replace(entry, symbol=None)
        return entry

    def known(self) -> Iterator[str]:
        """Names that have a definition."""
        return (
            e.name
            for e in self.entries.values()
            if e.is_plain and (e.section is not None or e.meaning is not None)
        )

    def numeric_entry(self, number: int, count: int) -> Entry:
        return self.entry(f"{number}:{count}")

    def settle(self, value: Value | Deferred) -> Value:
        """The final value: no .equ name left in it.  Raises Mistake or Unknown."""
        if isinstance(value, Deferred):
            value = value.evaluate()
        for _ in range(len(self.entries) + 1):
            entry = value.place
            if not isinstance(entry, Entry) or entry.meaning is None:
                return value
            meaning = self._meaning(entry)
            value = Value(
                value.number + meaning.number, meaning.place, value.modifier or meaning.modifier
            )
        raise Cycle()

    def _meaning(self, entry: Entry) -> Value:
        meaning = entry.meaning
        if isinstance(meaning, Deferred):
            if entry.resolving or self._depth == _DEPTH_MAX:
                raise Cycle()
            entry.resolving = True
            self._depth += 1
            try:
                meaning = self.settle(meaning)
            finally:
                entry.resolving = False
                self._depth -= 1
            entry.meaning = meaning
        assert meaning is not None
        return meaning


_DEPTH_MAX: Final = 8   # of names defined by expressions of names defined further down


@dataclass(slots=True)
class Here:
    """What names mean at one place of a section."""

    table: SymbolTable
    section: int
    offset: int
    numeric: dict[int, int]
    is_final: bool = False
    depth: int = 0

    def look_up(self, name: Name) -> Value:
        """The value of a name; raises :class:`Mistake` for `1b` without a `1:` above."""
        text = name.name
        if text == ".":
            return Value(0, Entry(".", self.section, self.offset))
        if text[0].isdigit():
            return Value(0, self._numeric(name))
        entry = self.table.entry(text)
        meaning = entry.meaning
        if meaning is None:
            return Value(0, entry, name.modifier)
        if isinstance(meaning, Value):
            if self.is_final:
                meaning = self._settled(meaning, name)
            if name.modifier:
                return Value(meaning.number, meaning.place, name.modifier)
            return meaning
        if not self.is_final:
            return Value(0, entry, name.modifier)
        return self._settled(Value(0, entry, name.modifier), name)

    def _settled(self, value: Value, name: Name) -> Value:
        try:
            return self.table.settle(value)
        except Cycle:
            raise Cycle(name.start, name.end) from None

    def _numeric(self, name: Name) -> Entry:
        number = int(name.name[:-1])
        count = self.numeric.get(number, 0)
        if name.name[-1] == "b":
            if count == 0:
                raise Mistake(
                    f"there is no label '{number}:' above", name.start, name.end,
                    f"'{number}b' means the nearest '{number}:' above, '{number}f' the next below",
                )
            return self.table.numeric_entry(number, count)
        return self.table.numeric_entry(number, count + 1)

    def frozen(self) -> Here:
        """This place, to be asked later."""
        return Here(self.table, self.section, self.offset, dict(self.numeric))

    def final(self) -> Here:
        """This place once all of the module has been read."""
        return Here(self.table, self.section, self.offset, self.numeric, True)


def evaluate_here(
    tree: Expression, here: Here, line: SourceLine, start: int = 0
) -> Value | Deferred:
    """The value if it can be known by now, else the expression to ask again.

    `start` is the column of the line from which the columns of `tree` count.
    """
    try:
        return evaluate(tree, here)
    except Unknown:
        return Deferred(tree, here.frozen(), line, start)
