"""Code with a mark at every instruction that was never reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ymawky_kit.view.core import View, columns, count, esc, grouped, hex_bytes, table, tag
from ymawky_kit.view.listing import Row, code

_MARK: Final = "✗"


@dataclass(frozen=True, slots=True)
class Covered:
    """One instruction: `offset` counts from the start of its function."""

    offset: int
    row: Row
    reached: bool


@dataclass(frozen=True, slots=True)
class Function:
    """A function and its instructions."""

    name: str
    covered: tuple[Covered, ...]

    @property
    def reached(self) -> int:
        return sum(one.reached for one in self.covered)

    @property
    def missed(self) -> list[Covered]:
        return [one for one in self.covered if not one.reached]


class Coverage(View):
    """What has been reached of a module, or of one function (`whole`: list all of it).

    A function of a module is listed if something in it was not reached.
    """

    def __init__(self, name: str, functions: Sequence[Function], *, whole: bool = False) -> None:
        self.name = name
        self.functions = tuple(functions)
        self.whole = whole

    @property
    def total(self) -> int:
        return sum(len(function.covered) for function in self.functions)

    @property
    def reached(self) -> int:
        return sum(function.reached for function in self.functions)

    @property
    def percent(self) -> int:
        """Rounded down: 100 is all of it."""
        return 100 * self.reached // self.total

    @property
    def missed(self) -> list[str]:
        """The instructions never reached, by name: `request_line+0x1c`."""
        return [name for name, _, _ in self._missed()]

    def _missed(self) -> list[tuple[str, str, str]]:
        return [(f"{function.name}+{one.offset:#x}", one.row.text, _note(one.row))
                for function in self.functions for one in function.missed]

    def summary(self) -> str:
        return (f"{self.name}: {grouped(self.reached)} of "
                f"{count(self.total, 'instruction')} reached ({self.percent} %)")

    def _head(self, function: Function) -> str:
        if function.missed:
            return f"{function.name}: {function.reached} of {len(function.covered)}"
        return f"{function.name}: all {len(function.covered)}"

    def _listed(self, function: Function) -> bool:
        return self.whole or bool(function.missed)

    def text(self) -> str:
        lines = [self.summary()]
        for function in self.functions:
            lines.append(self._head(function))
            if not self._listed(function):
                continue
            body: list[list[str]] = []
            labels: dict[int, str] = {}
            for one in function.covered:
                if one.row.label and one.offset:
                    labels[len(body)] = one.row.label
                body.append(["" if one.reached else _MARK, f"{one.offset:x}",
                             hex_bytes(one.row.data), one.row.text, _note(one.row)])
            for n, line in enumerate(columns(body, right=frozenset({1}))):
                lines += [f"   {labels[n]}:"] if n in labels else []
                lines.append("  " + line)
        missed = self._missed()
        if missed:
            lines.append(f"never reached ({_MARK}):")
            lines += ["  " + line for line in columns([list(row) for row in missed])]
        return "\n".join(lines)

    def html(self) -> str:
        parts = [tag("p", esc(self.summary()), class_="yk-title"),
                 tag("meter", f"{self.percent} %", class_="yk-meter", min=0, max=self.total,
                     value=self.reached, aria_label="reached")]
        for function in self.functions:
            parts.append(tag("p", esc(self._head(function)), class_="yk-lane"))
            if not self._listed(function):
                continue
            rows: list[list[str]] = []
            for one in function.covered:
                if one.row.label and one.offset:
                    rows.append([tag("td", tag("code", esc(one.row.label + ":")), colspan=5,
                                     class_="yk-label")])
                kind = "" if one.reached else " yk-missed"
                rows.append([
                    tag("td", "" if one.reached else _MARK, class_=f"yk-failed{kind}"),
                    tag("td", tag("code", f"{one.offset:x}"), class_=f"yk-address{kind}"),
                    tag("td", tag("code", hex_bytes(one.row.data)), class_=f"yk-bytes{kind}"),
                    tag("td", code(one.row.text), class_=kind.strip() or None),
                    tag("td", esc(_note(one.row)), class_="yk-note"),
                ])
            parts.append(table(["", "offset", "bytes", "instruction", ""], rows,
                               classes="yk-listing yk-covered"))
        missed = self._missed()
        if missed:
            parts.append(tag("p", esc(f"never reached ({_MARK}):"), class_="yk-note"))
            parts.append(table(["where", "instruction", ""],
                               [[tag("td", tag("code", esc(name))), tag("td", code(text)),
                                 tag("td", esc(note), class_="yk-note")]
                                for name, text, note in missed], classes="yk-listing"))
        return tag("div", *parts, class_="yk")


def _note(row: Row) -> str:
    """`; text_length` where the linker fills in that name, and the text does not say it."""
    name = row.note.rpartition(" ")[2]
    return f"; {name}" if name and name not in row.text else ""
