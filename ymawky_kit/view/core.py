"""What every view shares: a plain-text form, an HTML form, and safe HTML.

The text form is the contract: it is what a terminal shows, what a page without
styles shows, and what nbval compares.  The HTML form may look better but says
nothing that the text form hides.  Both are functions of the view's data alone,
so the same data gives the same bytes on every machine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from html import escape as _escape


class View(ABC):
    """One rich result of a cell."""

    @abstractmethod
    def text(self) -> str:
        """Plain text, several lines, no newline at the end."""

    @abstractmethod
    def html(self) -> str:
        """One HTML element."""

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.html()


def esc(text: object) -> str:
    """Text as HTML shows it, also inside a double-quoted attribute."""
    return _escape(str(text), quote=True)


def tag(name: str, *inside: str, **attributes: object) -> str:
    """`<name attributes>inside</name>`; `inside` is HTML, attribute values are text.

    A trailing underscore (`class_`) is dropped and others become dashes.
    An attribute that is None or False is left out; True is given without a value.
    """
    opened = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        shown = key.rstrip("_").replace("_", "-")
        opened.append(shown if value is True else f'{shown}="{esc(value)}"')
    return f"<{' '.join(opened)}>{''.join(inside)}</{name}>"


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    classes: str = "",
    caption: str | None = None,
) -> str:
    """An HTML table inside a box that scrolls sideways; cells are HTML already."""
    body = "".join(
        tag("tr", *(cell if cell.startswith("<td") else tag("td", cell) for cell in row))
        for row in rows
    )
    head = tag("thead", tag("tr", *(tag("th", esc(h), scope="col") for h in heads)))
    inside = (tag("caption", esc(caption)) if caption else "") + head + tag("tbody", body)
    return tag("div", tag("table", inside, class_=f"yk-table {classes}".strip()),
               class_="yk-scroll")


def columns(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset(),
            gap: str = "  ") -> list[str]:
    """Rows of cells as lines with aligned columns; `right` names right-aligned ones."""
    if not rows:
        return []
    count = max(len(row) for row in rows)
    widths = [max((len(row[i]) for row in rows if i < len(row)), default=0) for i in range(count)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(widths[i]) if i in right else cell.ljust(widths[i])
            for i, cell in enumerate(row)
        ]
        lines.append(gap.join(cells).rstrip())
    return lines


def grouped(number: int) -> str:
    """1234567 as `1,234,567`."""
    return f"{number:,}"


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 byte`, `2 bytes`, `1,024 bytes`."""
    return f"{grouped(number)} {one if number == 1 else many or one + 's'}"


def hex_bytes(data: bytes) -> str:
    """`1f 20 03 d5`: bytes in the order they stand in memory."""
    return data.hex(" ")


def printable(data: bytes) -> str:
    """The column to the right of a hex dump: ASCII, all else a dot."""
    return "".join(chr(b) if 0x20 <= b < 0x7F else "." for b in data)
