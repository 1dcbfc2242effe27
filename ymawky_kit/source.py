"""Source text, places in it, and the errors that point at them.

This is the root of the package: it imports nothing of ours.
Everything a reader can get wrong ends in a :class:`KitError` that holds one or
more :class:`Diagnostic` objects.  A diagnostic prints as::

    number.s:14:5: error: unknown mnemonic 'movv'
        movv    x0, #1
        ^~~~
    hint: did you mean 'mov'?
"""

from __future__ import annotations

from bisect import bisect_right
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

#: How many characters of one source line a message shows.
_LINE_LIMIT: Final = 160


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A named piece of text: a file, or one notebook cell.

    Two sources are the same only if they are the same object, so a span stays
    cheap to hash and to compare.
    """

    name: str   # as a reader would say it: "lib/number.s" or "cell 3"
    text: str
    _starts: list[int] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self._starts.append(0)
        position = self.text.find("\n")
        while position >= 0:
            self._starts.append(position + 1)
            position = self.text.find("\n", position + 1)

    @classmethod
    def read(cls, path: Path, name: str | None = None) -> Source:
        """Read a file; raises :class:`KitError` when it is missing or not UTF-8."""
        shown = name if name is not None else str(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise KitError.of(f"{shown}: {error.strerror}") from None
        return cls.decode(data, shown)

    @classmethod
    def decode(cls, data: bytes, name: str) -> Source:
        """The source in some bytes; raises :class:`KitError` when they are not UTF-8.

        A byte order mark in front, which some editors of Windows write, is no text,
        and every way to end a line is as good as a newline.
        """
        data = data.removeprefix(BOM_UTF8)
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise KitError.of(
                f"{name}: not UTF-8 text (byte {error.start})",
                hint="assembly sources are plain text in UTF-8",
            ) from None
        return cls(name, text.replace("\r\n", "\n").replace("\r", "\n"))

    @property
    def line_count(self) -> int:
        return len(self._starts)

    def line_of(self, offset: int) -> int:
        """The 1-based number of the line that holds character `offset`."""
        return bisect_right(self._starts, offset)

    def line_start(self, line: int) -> int:
        """The offset of the first character of a 1-based line."""
        return self._starts[line - 1]

    def line(self, number: int) -> str:
        """The text of a 1-based line, without its newline."""
        start = self._starts[number - 1]
        end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r")

    def span(self, start: int, end: int) -> Span:
        return Span(self, start, end)


@dataclass(frozen=True, slots=True)
class Span:
    """The characters `start` to `end` (exclusive) of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.line_of(self.start)

    @property
    def column(self) -> int:
        """1-based, counted in characters."""
        return self.start - self.source.line_start(self.line) + 1

    @property
    def text(self) -> str:
        return self.source.text[self.start:self.end]

    @property
    def where(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def excerpt(self) -> str:
        """The source line with a caret under the span, two lines of text."""
        line = self.source.line(self.line)
        before = self.column - 1
        width = max(1, min(self.end - self.start, len(line) - before))
        cut = max(0, before - _LINE_LIMIT // 2)
        shown = line[cut:cut + _LINE_LIMIT]
        # A tab in the line is repeated under it, so that the caret stays in place.
        blank = "".join("\t" if c == "\t" else " " for c in line[cut:before])
        mark = "^" + "~" * min(width - 1, max(0, len(shown) - (before - cut) - 1))
        return f"{_printable(shown)}\n{blank}{mark}"


@dataclass(frozen=True, slots=True)
class Note:
    """A second place that belongs to a diagnostic, as "in this macro, used here"."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong, where, and what to do about it."""

    message: str
    span: Span | None = None
    hint: str | None = None
    notes: tuple[Note, ...] = ()
    severity: str = "error"     # or "warning"

    def render(self) -> str:
        """Plain text, several lines, no newline at the end."""
        lines: list[str] = []
        if self.span is None:
            lines.append(f"{self.severity}: {self.message}")
        else:
            lines.append(f"{self.span.where}: {self.severity}: {self.message}")
            lines.append(self.span.excerpt())
        for note in self.notes:
            if note.span is None:
                lines.append(f"note: {note.message}")
            else:
                lines.append(f"{note.span.where}: note: {note.message}")
                lines.append(note.span.excerpt())
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class KitError(Exception):
    """Something the reader can mend; `str()` of it is what the reader sees."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        self.diagnostics = diagnostics
        super().__init__("\n\n".join(d.render() for d in diagnostics))

    @classmethod
    def of(
        cls,
        message: str,
        span: Span | None = None,
        *,
        hint: str | None = None,
        notes: tuple[Note, ...] = (),
    ) -> KitError:
        """The usual case: one error."""
        return cls(Diagnostic(message, span, hint, notes))


def _printable(text: str) -> str:
    return "".join(c if c == "\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
