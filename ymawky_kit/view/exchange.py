"""A request and its reply: as lines of text, and byte by byte.

Fields whose values differ from day to day or from copy to copy are masked in both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ymawky_kit.view.core import View, columns, count, esc, printable, table, tag

#: Fields of a head that differ from day to day or from copy to copy.
_VARYING: Final = re.compile(
    rb"^((?:Date|Last-Modified|ETag|If-(?:Unm|M)odified-Since): )([^\r\n]*)",
    re.IGNORECASE | re.MULTILINE)
#: The digits of an entity tag, which also stand in conditions and are a boundary.
_TAG: Final = re.compile(rb"(?<![0-9A-Za-z])[0-9a-f]{48}(?![0-9A-Za-z])")
_NOTHING: Final = "(nothing came back before the connection was closed)"
#: Bytes of each direction that a byte view shows, unless told otherwise.
BYTES_SHOWN: Final = 512
_ROW: Final = 16            # bytes in a line of the text form
_NARROW_ROW: Final = 8      # and of the HTML form, which must fit a telephone
_MASK: Final = "·"
_ESCAPES: Final = {0x09: r"\t", 0x0A: r"\n", 0x0D: r"\r"}


class Exchange(View):
    """A request and its reply.  `reply` is what came back, `status` its three digits."""

    def __init__(self, request: bytes, reply: bytes) -> None:
        self.request = request
        self.reply = reply

    @property
    def status(self) -> int:
        """200, 404, …; 0 when no reply came."""
        found = re.match(rb"HTTP/1\.\d (\d{3})", self.reply)
        return int(found[1]) if found else 0

    @property
    def head(self) -> bytes:
        return self.reply.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.reply.partition(b"\r\n\r\n")[2]

    def bytes(self, limit: int = BYTES_SHOWN) -> Bytes:
        """Both directions byte by byte, at most `limit` bytes of each."""
        return Bytes([Side("the client sends", self.request, varying(self.request)),
                      Side("the server answers", self.reply, varying(self.reply))], limit)

    def _sides(self) -> tuple[list[str], list[str], str]:
        shown = _TAG.sub(b"(48 digits)", self.body[:2000]).replace(b"\r\n", b"\n")
        body = shown.decode("utf-8", "backslashreplace")
        return _masked_lines(self.request), _masked_lines(self.head), body

    def text(self) -> str:
        asked, head, body = self._sides()
        lines = [f"> {line}".rstrip() for line in asked]
        if not self.reply:
            return "\n".join([*lines, f"< {_NOTHING}"])
        lines += [f"< {line}".rstrip() for line in [*head, ""]]
        lines += [f"  {line}".rstrip() for line in body.splitlines()]
        return "\n".join(lines)

    def html(self) -> str:
        asked, head, body = self._sides()
        answer = tag("pre", tag("b", esc("\n".join(head))) + esc("\n\n" + body), class_="yk-pre")
        if not self.reply:
            answer = tag("p", esc(_NOTHING), class_="yk-other")
        return tag(
            "div", tag("p", "the client asks", class_="yk-lane"),
            tag("pre", esc("\n".join(asked)), class_="yk-pre"),
            tag("p", esc(f"the server answers, {count(len(self.reply), 'byte')}"),
                class_="yk-lane"),
            answer, class_="yk")


def _lines(data: bytes) -> list[str]:
    return data.decode("latin-1").rstrip("\r\n").split("\r\n")


def _masked_lines(data: bytes) -> list[str]:
    """The lines of a message, with words in the place of what will be another tomorrow."""
    head, between, rest = data.partition(b"\r\n\r\n")
    head = _TAG.sub(b"(48 digits)", _VARYING.sub(rb"\1(today's)", head))
    return _lines(head + between + rest)


def varying(message: bytes) -> tuple[range, ...]:
    """Where a message holds values that will be others tomorrow."""
    head = message.partition(b"\r\n\r\n")[0]
    found = [range(*one.span(2)) for one in _VARYING.finditer(head)]
    tags = [range(*one.span()) for one in _TAG.finditer(message)]
    return (*found, *(one for one in tags if not any(one.start in part for part in found)))


@dataclass(frozen=True, slots=True)
class Side:
    """One direction: its bytes, and the ranges of them that are masked."""

    name: str
    data: bytes
    masked: tuple[range, ...]

    def is_masked(self, at: int) -> bool:
        return any(at in part for part in self.masked)

    def title(self) -> str:
        return f"{self.name}, {count(len(self.data), 'byte')}"


@dataclass(frozen=True, slots=True)
class _Row:
    """Consecutive bytes that stand in one line: a line of the head ends where it ends."""

    offset: int
    data: bytes


def _rows(data: bytes, width: int) -> Iterator[_Row]:
    """At most `width` bytes each; a newline ends a row, so that lines are seen as lines."""
    at = 0
    while at < len(data):
        end = min(at + width, len(data))
        newline = data.find(b"\n", at, end)
        if newline >= 0:
            end = newline + 1
        yield _Row(at, data[at:end])
        at = end


def _seen(byte: int) -> str:
    """A byte as Python would write it, where that is short; all else a dot."""
    return _ESCAPES.get(byte) or printable(bytes([byte]))


class Bytes(View):
    """Both directions of an exchange: offset, bytes in hexadecimal, bytes as text."""

    def __init__(self, sides: Sequence[Side], limit: int) -> None:
        self.sides = tuple(sides)
        self.limit = limit

    def _legend(self) -> str:
        used = any(part.start < self.limit for side in self.sides for part in side.masked)
        return f"{_MASK * 2} and {_MASK}: a value that is another one tomorrow" if used else ""

    def text(self) -> str:
        lines: list[str] = []
        for side in self.sides:
            lines.append(side.title())
            lines += ["  " + line for line in self._table(side)]
            if len(side.data) > self.limit:
                lines.append(f"  … {count(len(side.data) - self.limit, 'more byte')}")
        legend = self._legend()
        return "\n".join([*lines, legend] if legend else lines)

    def _table(self, side: Side) -> list[str]:
        cells = []
        for row in _rows(side.data[: self.limit], _ROW):
            pairs = [_MASK * 2 if side.is_masked(row.offset + n) else f"{byte:02x}"
                     for n, byte in enumerate(row.data)]
            seen = "".join(_MASK if side.is_masked(row.offset + n) else _seen(byte)
                           for n, byte in enumerate(row.data))
            cells.append([str(row.offset), " ".join(pairs), seen])
        return columns(cells, right=frozenset({0}))

    def html(self) -> str:
        parts = []
        for side in self.sides:
            parts.append(tag("p", esc(side.title()), class_="yk-lane"))
            rows = []
            for row in _rows(side.data[: self.limit], _NARROW_ROW):
                rows.append([
                    tag("td", tag("code", str(row.offset)), class_="yk-number yk-address"),
                    tag("td", tag("code", _run(side, row, " ", "{:02x}".format, _MASK * 2)),
                        class_="yk-bytes"),
                    tag("td", tag("code", _run(side, row, "", _seen, _MASK))),
                ])
            if len(side.data) > self.limit:
                more = count(len(side.data) - self.limit, "more byte")
                rows.append([tag("td", esc("… " + more), colspan=3, class_="yk-note")])
            parts.append(table(["offset", "bytes", "as text"], rows, classes="yk-wire"))
        legend = self._legend()
        if legend:
            parts.append(tag("p", esc(legend), class_="yk-note"))
        return tag("div", *parts, class_="yk")


def _run(side: Side, row: _Row, between: str, show: Callable[[int], str], mask: str) -> str:
    """The bytes of a row as HTML; what is masked, and the ends of lines, are set off."""
    parts = []
    for n, byte in enumerate(row.data):
        if side.is_masked(row.offset + n):
            parts.append(tag("span", mask, class_="yk-masked"))
        elif byte in b"\r\n":
            parts.append(tag("span", esc(show(byte)), class_="yk-end"))
        else:
            parts.append(esc(show(byte)))
    return between.join(parts)
