"""A text byte by byte, with the instructions that read each byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ymawky_kit.view.core import View, columns, count, esc, table, tag

_WIDTH = 16                 # bytes in a line at most


@dataclass(frozen=True, slots=True)
class Reader:
    """One instruction that read at least one byte: `name+0x1c`, and its text."""

    place: str
    text: str


class Reads(View):
    """Which instructions read which bytes.

    readers      the instructions, in the order of their first read
    by_byte      for each byte the numbers of its readers, counted from 1, in that order
    """

    def __init__(self, title: str, data: bytes, readers: Sequence[Reader],
                 by_byte: Sequence[Sequence[int]], ending: str) -> None:
        self.title = title
        self.data = data
        self.readers = tuple(readers)
        self.by_byte = tuple(tuple(numbers) for numbers in by_byte)
        self.ending = ending

    def of(self, byte: int) -> tuple[str, ...]:
        """The places that read one byte."""
        return tuple(self.readers[n - 1].place for n in self.by_byte[byte])

    def _runs(self) -> Iterator[tuple[int, int]]:
        """Neighbours with the same readers; a newline ends a run."""
        start = 0
        for at in range(1, len(self.data) + 1):
            if (at == len(self.data) or self.by_byte[at] != self.by_byte[start]
                    or self.data[at - 1] == 10 or at - start == _WIDTH):
                yield start, at
                start = at

    def _rows(self) -> list[tuple[str, str, str]]:
        rows = []
        for start, end in self._runs():
            where = str(start) if end == start + 1 else f"{start}-{end - 1}"
            read = " ".join(map(str, self.by_byte[start])) or "nobody"
            rows.append((where, repr(self.data[start:end])[1:], read))
        return rows

    def _summary(self) -> str:
        read = sum(bool(numbers) for numbers in self.by_byte)
        return (f"{count(len(self.readers), 'instruction')} read {read:,} of "
                f"{count(len(self.data), 'byte')}")

    def text(self) -> str:
        legend = [[str(n), reader.place, reader.text] for n, reader in enumerate(self.readers, 1)]
        lines = [self.title, f"{self._summary()}:"]
        lines += ["  " + line for line in columns(legend, right=frozenset({0}))]
        lines.append("byte by byte:")
        lines += ["  " + line for line in columns([list(row) for row in self._rows()],
                                                  right=frozenset({0}))]
        return "\n".join([*lines, self.ending])

    def html(self) -> str:
        legend = [[tag("td", str(n)), tag("td", tag("code", esc(reader.place))),
                   tag("td", tag("code", esc(reader.text)))]
                  for n, reader in enumerate(self.readers, 1)]
        rows = [[tag("td", esc(where)), tag("td", tag("code", esc(text))),
                 tag("td", self._numbers(read))] for where, text, read in self._rows()]
        return tag("div", tag("p", tag("code", esc(self.title)), class_="yk-title"),
                   tag("p", esc(f"{self._summary()}:")),
                   table(["", "where", "instruction"], legend),
                   table(["bytes", "text", "read by"], rows),
                   tag("p", esc(self.ending), class_="yk-note"), class_="yk")

    def _numbers(self, read: str) -> str:
        if read == "nobody":
            return read
        return " ".join(tag("span", number, title=f"{self.readers[int(number) - 1].place}: "
                            f"{self.readers[int(number) - 1].text}") for number in read.split())
