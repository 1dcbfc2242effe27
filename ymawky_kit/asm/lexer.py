"""From source text to lines, and from a line to tokens.

A :class:`SourceLine` knows where each of its characters came from, also after
a macro has built it out of its body and its arguments.  Everything later
speaks of columns in such a line and turns them into a span only for a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from ymawky_kit.source import Note, Source, Span


class Mistake(Exception):  # the reader's, not an error of ours
    """Something wrong between two columns of the line at hand.

    The assembler adds the line, unless `line` already says that it is another
    one, and makes a diagnostic of it.  `end` may equal `start`: then the caret
    stands on one character.
    """

    def __init__(
        self,
        message: str,
        start: int,
        end: int | None = None,
        hint: str | None = None,
        notes: tuple[Note, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = start + 1 if end is None else end
        self.hint = hint
        self.notes = notes
        self.line: SourceLine | None = None

    def moved(self, columns: int) -> Mistake:
        """The same mistake, seen from a text that starts `columns` further left."""
        if self.line is None:
            self.start += columns
            self.end += columns
        return self


class Piece(NamedTuple):
    """Characters `start` to `end` of a built line, and where they were written."""

    start: int
    end: int
    source: Source
    offset: int             # in the source, of the character at `start`
    is_argument: bool       # written by the user of a macro, not in its body


@dataclass(frozen=True, slots=True)
class Expansion:
    """One use of a macro or of a repeated block."""

    title: str              # "macro 'sys'" or "'.rept'"
    use: Span
    outer: Expansion | None = None
    missing: tuple[str, ...] = ()       # parameters that got no value

    @property
    def depth(self) -> int:
        depth, outer = 1, self.outer
        while outer is not None:
            depth, outer = depth + 1, outer.outer
        return depth


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One line to assemble."""

    text: str
    source: Source
    offset: int                         # of the line's first character, when not built
    pieces: tuple[Piece, ...] = ()      # of a built line, in order
    expansion: Expansion | None = None

    def span(self, start: int, end: int) -> Span:
        """Where the characters were written.

        In a line that a macro built, what its user wrote wins over the body.
        """
        if not self.pieces:
            return Span(self.source, self.offset + start, self.offset + max(end, start))
        covering = self.slice(start, max(end, start + 1)) or self.pieces[-1:]
        best = next((p for p in covering if p.is_argument), covering[0])
        length = best.end - best.start
        for piece in covering:      # neighbours of one text belong together
            if piece.source is best.source and piece.offset == best.offset + length:
                length += piece.end - piece.start
        return Span(best.source, best.offset, best.offset + length)

    def slice(self, start: int, end: int) -> tuple[Piece, ...]:
        """The pieces of some of the characters; columns count from the line's start."""
        if not self.pieces:
            return (Piece(start, end, self.source, self.offset + start, False),)
        return tuple(
            Piece(
                max(p.start, start),
                min(p.end, end),
                p.source,
                p.offset + max(0, start - p.start),
                p.is_argument,
            )
            for p in self.pieces
            if p.start < end and p.end > start
        )

    def notes(self, start: int, end: int) -> tuple[Note, ...]:
        """How the reader's text led here: one note for each macro on the way."""
        if self.expansion is None:
            return ()
        notes: list[Note] = []
        covering = self.slice(start, max(end, start + 1)) or self.pieces[-1:]
        expansion: Expansion | None = self.expansion
        if any(p.is_argument for p in covering):
            # The error shows the argument, so the note shows the body.
            shown = _shorten(self.text.strip())
            notes.append(Note(f"{self.expansion.title} makes it: {shown}", self._body()))
            expansion = self.expansion.outer
        while expansion is not None and len(notes) < _NOTES_MAX:
            count = 1
            while (outer := expansion.outer) is not None and outer.use == expansion.use:
                expansion, count = outer, count + 1
            times = f", {count} times over" if count > 1 else ""
            without = " and ".join(f"'{name}'" for name in expansion.missing)
            without = f" without {without}" if without and not notes else ""
            notes.append(Note(f"in {expansion.title}, used here{without}{times}", expansion.use))
            expansion = expansion.outer
        return tuple(notes)

    def _body(self) -> Span | None:
        """The first text of the macro's own in a built line."""
        for piece in self.pieces:
            text = self.text[piece.start:piece.end]
            if not piece.is_argument and text.strip():
                start = piece.offset + len(text) - len(text.lstrip())
                return Span(piece.source, start, piece.offset + len(text.rstrip()))
        return None

    @property
    def root(self) -> Span:
        """What the reader wrote that made this line: the outermost use, or the line itself."""
        expansion = self.expansion
        if expansion is None:
            stripped = self.text.strip()
            start = self.offset + self.text.find(stripped)
            return Span(self.source, start, start + len(stripped))
        while expansion.outer is not None:
            expansion = expansion.outer
        return expansion.use


_NOTES_MAX: Final = 6
_SHOWN_MAX: Final = 72


def printable(text: str) -> str:
    """Text for a message: it quotes the reader, who may have typed anything."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _shorten(text: str) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX - 1] + "…"


# --- lines -----------------------------------------------------------------

#: What a `/* */` comment must not be looked for in, and the comment itself.
_COMMENT_OR_TEXT: Final = re.compile(
    r"""
      (?P<string> "(?:[^"\\\n]|\\.)*"? | '(?:[^'\\\n]|\\.)' )
    | (?P<line>   //[^\n]* | ;[^\n]* )
    | (?P<block>  /\*.*?\*/ )
    | (?P<open>   /\* )
    """,
    re.VERBOSE | re.DOTALL,
)


def split_lines(source: Source) -> Iterator[SourceLine]:
    """The lines of a source, `/* */` comments turned into blanks.

    A comment may cover several lines; what follows it still belongs to the
    line where it began, as in any C-like language.  Raises :class:`Mistake`
    (columns from the start of the source) for a comment that never ends.
    """
    text = source.text
    if "/*" in text:
        text = _blank_comments(text)
    offset = 0
    for line in text.split("\n"):
        yield SourceLine(line.rstrip("\r"), source, offset)
        offset += len(line) + 1


def _blank_comments(text: str) -> str:
    parts: list[str] = []
    position = 0
    for match in _COMMENT_OR_TEXT.finditer(text):
        if match.lastgroup == "open":
            raise Mistake(
                "this comment never ends", match.start(), match.end(), "close it with */"
            )
        if match.lastgroup == "block":
            parts += (text[position:match.start()], " " * (match.end() - match.start()))
            position = match.end()
    parts.append(text[position:])
    return "".join(parts)


# --- tokens ----------------------------------------------------------------


class Token(NamedTuple):
    """`kind` is name, number, float, string, char, end, or the punctuation itself."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


_TOKEN: Final = re.compile(
    r"""
      (?P<blank>   [ \t\f\v]+ )
    | (?P<name>    [A-Za-z_.$][\w.$@]* )
    | (?P<float>   \d+\.\d+(?:[eE][+-]?\d+)? )
    | (?P<number>  \d\w* )
    | (?P<string>  "(?:[^"\\]|\\.)*" )
    | (?P<char>    '(?:[^'\\]|\\.)' )
    | (?P<comment> //.* | ;.* )
    | (?P<punct>   <<|>>|<=|>=|==|!=|<>|&&|\|\||%%|[-+*/%&|^~!<>=(){}\[\],:\#\\] )
    | (?P<bad>     . )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)


def tokenize(text: str, start: int = 0) -> tuple[Token, ...]:
    """The tokens of a line from a column on, the last one being `end`.

    Comments and blanks fall away.  Raises :class:`Mistake` for a character
    that starts no token, and for a string or character that does not end.
    """
    return _known_tokens(text, start) if len(text) <= _USUAL_LENGTH else _tokens(text, start)


def _tokens(text: str, start: int) -> tuple[Token, ...]:
    tokens: list[Token] = []
    append = tokens.append
    for match in _TOKEN.finditer(text, start):
        kind = match.lastgroup
        if kind == "blank":
            continue
        if kind == "punct":
            punctuation = match.group()
            append(Token(punctuation, punctuation, match.start()))
        elif kind == "comment":
            append(Token("end", "", match.start()))
            return tuple(tokens)
        elif kind == "bad":
            raise _bad_character(text, match.start())
        else:
            append(Token(kind or "", match.group(), match.start()))
    append(Token("end", "", len(text)))
    return tuple(tokens)


#: The same lines of includes are read for every module, so tokens of usual lines are kept.
_USUAL_LENGTH: Final = 120
_known_tokens: Final = lru_cache(maxsize=1 << 14)(_tokens)


def _bad_character(text: str, start: int) -> Mistake:
    character = text[start]
    if character == '"':
        return Mistake(
            "this string never ends", start, len(text.rstrip()), 'close it with " on the same line'
        )
    if character == "'":
        return Mistake(
            "a character constant is one character between quotes",
            start,
            start + 1,
            r"write it as 'x', or as '\n' for a newline; text goes between double quotes",
        )
    if character == "@":
        return Mistake(
            "'@' must follow a symbol directly", start, start + 1,
            "as in msg@PAGE and msg@PAGEOFF",
        )
    shown = character if character.isprintable() else f"U+{ord(character):04X}"
    hint = None
    if character in "“”‘’«»":
        hint = 'use the plain quote characters " and \''
    elif character in "–—−":
        hint = "use the plain minus sign -"
    elif character == "\N{NO-BREAK SPACE}":
        hint = "this is a no-break space; use a plain one"
    return Mistake(f"unexpected character '{shown}'", start, start + 1, hint)


# --- strings and numbers ---------------------------------------------------

_ESCAPES: Final = {
    "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, '"': 34, "\\": 92,
}


def string_bytes(token: Token) -> bytes:
    r"""The bytes of a string token, in UTF-8.

    Escapes as LLVM knows them: \b \f \n \r \t \" \\, one to three octal digits,
    and \x with any number of hexadecimal digits, of which the last two count.
    Raises :class:`Mistake` for any other.
    """
    text = token.text
    if "\\" not in text:
        return text[1:-1].encode("utf-8", "surrogatepass")
    result = bytearray()
    position, end = 1, len(text) - 1
    while position < end:
        if text[position] != "\\":
            stop = text.find("\\", position, end)
            stop = end if stop < 0 else stop
            result += text[position:stop].encode("utf-8", "surrogatepass")
            position = stop
            continue
        escape = text[position + 1]
        if escape in _ESCAPES:
            result.append(_ESCAPES[escape])
            position += 2
        elif digits := re.compile(r"[0-7]{1,3}").match(text, position + 1, end):
            value = int(digits.group(), 8)
            if value > 255:
                raise Mistake(
                    f"\\{digits.group()} is {value}, more than a byte holds",
                    token.start + position,
                    token.start + digits.end(),
                    r"octal escapes go up to \377",
                )
            result.append(value)
            position = digits.end()
        elif digits := re.compile(r"[xX]([0-9A-Fa-f]+)").match(text, position + 1, end):
            result.append(int(digits.group(1), 16) & 0xFF)
            position = digits.end()
        else:
            raise Mistake(
                f"unknown escape '\\{escape}' in a string",
                token.start + position,
                token.start + position + 2,
                r"known are \b \f \n \r \t \" \\, octal \101 and hexadecimal \x41",
            )
    return bytes(result)


_CHARACTER_ESCAPES: Final = {
    "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "'": 39, '"': 34, "\\": 92,
}


def character_value(token: Token) -> int:
    """The number that a character token stands for; raises :class:`Mistake`."""
    inside = token.text[1:-1]
    if len(inside) == 2:
        value = _CHARACTER_ESCAPES.get(inside[1])
        if value is None:
            raise Mistake(
                f"unknown escape '{inside}' in a character constant",
                token.start,
                token.end,
                r"known are \b \f \n \r \t \' \" \\; for other values write the number",
            )
        return value
    if ord(inside) > 127:
        raise Mistake(
            f"'{inside}' is not an ASCII character, so it is more than one byte",
            token.start,
            token.end,
            "put it into a string with .ascii",
        )
    return ord(inside)


_NUMBER: Final = re.compile(
    r"0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|(?P<oct>0[0-7]+)|(?P<dec>[1-9]\d*|0)", re.ASCII
)


def number_value(token: Token) -> int:
    """The value of a number token, 0 to 2**64-1; raises :class:`Mistake`."""
    match = _NUMBER.fullmatch(token.text)
    if match is None:
        hint = "numbers are decimal 42, hexadecimal 0x2a, binary 0b101010 or octal 052"
        if token.text.startswith("0") and token.text.isdigit():
            hint = "a leading 0 means octal, which has no 8 or 9"
        raise Mistake(f"'{_shorten(token.text)}' is not a number", token.start, token.end, hint)
    digits = match.group(match.lastgroup or 0)
    if len(digits) > 70:
        value = 1 << 64
    else:
        value = int(digits, {"hex": 16, "bin": 2, "oct": 8, "dec": 10}[match.lastgroup or "dec"])
    if value >= 1 << 64:
        raise Mistake(
            "this number does not fit into 64 bits", token.start, token.end,
            "the largest is 0xffffffffffffffff",
        )
    return value
