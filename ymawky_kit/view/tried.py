"""The functions of a chapter, and how often each was tried alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ymawky_kit.view.core import View, columns, count, esc, grouped, table, tag


@dataclass(frozen=True, slots=True)
class Trying:
    """One function: the different inputs it was called with, and its recordings."""

    module: str
    function: str
    inputs: int
    recordings: int


class Tried(View):
    """A table with a line for each function, in the order in which they were shown."""

    def __init__(self, rows: Sequence[Trying]) -> None:
        self.rows = tuple(rows)

    def summary(self) -> str:
        called = sum(row.inputs > 0 for row in self.rows)
        recorded = sum(row.recordings > 0 for row in self.rows)
        return (f"{count(len(self.rows), 'function')} shown, {called} called,"
                f" {recorded} recorded step by step")

    def text(self) -> str:
        body = [[row.module, row.function, grouped(row.inputs),
                 "input" if row.inputs == 1 else "inputs", grouped(row.recordings),
                 "recording" if row.recordings == 1 else "recordings"] for row in self.rows]
        return "\n".join([self.summary(), *(
            "  " + line for line in columns(body, right=frozenset({2, 4})))])

    def html(self) -> str:
        rows = [[tag("td", tag("code", esc(row.module))), tag("td", tag("code", esc(row.function))),
                 tag("td", grouped(row.inputs), class_="yk-number"),
                 tag("td", grouped(row.recordings), class_="yk-number")] for row in self.rows]
        body = table(["module", "function", "called with, inputs", "recorded"], rows)
        return tag("div", tag("details", tag("summary", esc(self.summary()), class_="yk-title"),
                              body, class_="yk-fold"), class_="yk")
