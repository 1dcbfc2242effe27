"""Disassembly with its bytes, and memory as hexadecimal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ymawky_kit.view.core import View, columns, count, esc, hex_bytes, printable, table, tag


@dataclass(frozen=True, slots=True)
class Row:
    """One instruction or one piece of data.

    `label` is a name that stands at this address; `note` says what the text
    cannot, such as a field that the linker is still to fill in.
    """

    address: int
    data: bytes
    text: str
    label: str = ""
    note: str = ""


#: A listing with more rows than this is folded where its source stands right above it.
FOLD_ROWS: Final = 12


class Listing(View):
    """Address, bytes and text of consecutive instructions or data.

    With `fold`, a page shows only the title of a long one, which opens on a click.
    """

    def __init__(self, rows: Sequence[Row], *, title: str = "", mark: str = "",
                 fold: bool = False, limit: int = 400) -> None:
        self.rows = tuple(rows)
        self.title = title
        self.mark = mark        # how it differs from the book's text, "" if it does not
        self.fold = fold
        self.limit = limit      # rows shown; the rest is counted

    @property
    def data(self) -> bytes:
        return b"".join(row.data for row in self.rows)

    def text(self) -> str:
        width = max((len(f"{row.address:x}") for row in self.rows), default=1)
        lines = [line for line in (self.title, self.mark) if line]
        body: list[list[str]] = []
        labels: dict[int, str] = {}
        for row in self.rows[: self.limit]:
            if row.label:
                labels[len(body)] = row.label
            for n, part in enumerate(_parts(row.data)):
                address = f"{row.address + 8 * n:{width}x}"
                body.append([address, hex_bytes(part), row.text if n == 0 else "",
                             f"; {row.note}" if row.note and n == 0 else ""])
        for n, line in enumerate(columns(body)):
            if n in labels:
                lines.append(f"{labels[n]}:")
            lines.append("  " + line)
        if len(self.rows) > self.limit:
            lines.append(f"  … {count(len(self.rows) - self.limit, 'more row')}")
        return "\n".join(lines)

    def html(self) -> str:
        rows: list[list[str]] = []
        for row in self.rows[: self.limit]:
            if row.label:
                rows.append([tag("td", tag("code", esc(row.label + ":")), colspan=4,
                                 class_="yk-label")])
            for n, part in enumerate(_parts(row.data)):
                first = n == 0
                rows.append([
                    tag("td", tag("code", f"{row.address + 8 * n:x}"), class_="yk-address"),
                    tag("td", tag("code", hex_bytes(part)), class_="yk-bytes"),
                    tag("td", _opening(row) if first else ""),
                    tag("td", esc(row.note) if first else "", class_="yk-note"),
                ])
        if len(self.rows) > self.limit:
            more = count(len(self.rows) - self.limit, "more row")
            rows.append([tag("td", esc("… " + more), colspan=4, class_="yk-note")])
        body = table(["address", "bytes", "instruction", ""], rows, classes="yk-listing")
        if self.fold and len(rows) > FOLD_ROWS:
            return tag("div", tag("details", tag("summary", esc(self.title), class_="yk-title"),
                                  body, class_="yk-fold"), class_="yk")
        head = tag("p", esc(self.title), class_="yk-title") if self.title else ""
        mark = tag("p", esc(self.mark), class_="yk-mark") if self.mark else ""
        return tag("div", head, mark, body, class_="yk")


def _opening(row: Row) -> str:
    """The text of a row; an instruction opens and shows its bits, without any script."""
    # Imported here: the cards set their instruction off with `code`, just as we do.
    from ymawky_kit.view.encoding import explain

    bits = explain(row.data) if not row.text.startswith(".") else None
    if bits is None:
        return code(row.text)
    return tag("details", tag("summary", code(row.text)), tag("pre", esc(bits), class_="yk-pre"),
               class_="yk-enc")


def code(text: str) -> str:
    """An instruction as HTML, its mnemonic set off from its operands."""
    mnemonic, blank, rest = text.partition(" ")
    inner = tag("b", esc(mnemonic)) + (esc(blank + rest) if rest else "")
    return tag("code", inner)


def _parts(data: bytes) -> list[bytes]:
    """Data in lines of eight bytes; nothing still makes one line."""
    return [data[i:i + 8] for i in range(0, len(data), 8)] or [b""]


@dataclass(frozen=True, slots=True)
class Mark:
    """A named run of bytes in a dump: `start` counts from the dump's first byte."""

    start: int
    size: int
    name: str


class Dump(View):
    """Memory or a file: sixteen bytes a line, with names for runs of bytes."""

    def __init__(self, data: bytes, *, address: int = 0, title: str = "",
                 marks: Sequence[Mark] = (), limit: int = 4096) -> None:
        self.data = data
        self.address = address
        self.title = title
        self.marks = tuple(marks)
        self.limit = limit

    def text(self) -> str:
        lines = [self.title] if self.title else []
        shown = self.data[: self.limit]
        width = max(8, len(f"{self.address + len(shown):x}"))
        for at in range(0, len(shown), 16):
            part = shown[at:at + 16]
            halves = f"{hex_bytes(part[:8]):23}  {hex_bytes(part[8:]):23}"
            named = ", ".join(m.name for m in self.marks if at <= m.start < at + 16)
            line = f"{self.address + at:0{width}x}  {halves}  {printable(part):16}  {named}"
            lines.append(line.rstrip())
        if len(self.data) > self.limit:
            lines.append(f"… {count(len(self.data) - self.limit, 'more byte')}")
        return "\n".join(lines)

    def html(self) -> str:
        shown = self.data[: self.limit]
        width = max(8, len(f"{self.address + len(shown):x}"))
        owner: dict[int, int] = {}
        for n, mark in enumerate(self.marks):
            for at in range(mark.start, mark.start + mark.size):
                owner.setdefault(at, n)
        rows = []
        for at in range(0, len(shown), 16):
            part = shown[at:at + 16]
            cells = []
            for n, byte in enumerate(part):
                mark_number = owner.get(at + n)
                text = f"{byte:02x}"
                cells.append(text if mark_number is None else tag(
                    "span", text, class_=f"yk-m{mark_number % 6}",
                    title=self.marks[mark_number].name))
            rows.append([
                tag("td", tag("code", f"{self.address + at:0{width}x}"), class_="yk-address"),
                tag("td", tag("code", " ".join(cells)), class_="yk-bytes"),
                tag("td", tag("code", esc(printable(part)))),
            ])
        if len(self.data) > self.limit:
            more = count(len(self.data) - self.limit, "more byte")
            rows.append([tag("td", esc("… " + more), colspan=3, class_="yk-note")])
        head = tag("p", esc(self.title), class_="yk-title") if self.title else ""
        legend = " ".join(tag("span", esc(mark.name), class_=f"yk-key yk-m{n % 6}")
                          for n, mark in enumerate(self.marks))
        return tag("div", head, table(["address", "bytes", "as text"], rows, classes="yk-dump"),
                   tag("p", legend) if legend else "", class_="yk")
