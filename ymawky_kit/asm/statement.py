"""Statements, and the lines and conditions they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ymawky_kit.asm.expression import Cursor
from ymawky_kit.asm.lexer import Mistake, SourceLine, tokenize

#: The name a statement begins with: a mnemonic, a directive, a macro, a symbol.
HEAD: Final = re.compile(r"\s*([A-Za-z_.$][\w.$]*)", re.ASCII)


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


class Statement(NamedTuple):
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


def split_at_separators(line: SourceLine) -> list[SourceLine]:
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
