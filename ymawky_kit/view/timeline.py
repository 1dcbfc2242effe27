"""System calls in the order they were made, one lane a process.

Lanes stand one below the other: the order of calls inside a process is a fact of
the program, the order between processes is chance and would differ next time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ymawky_kit.view.core import View, columns, count, esc, grouped, table, tag


@dataclass(frozen=True, slots=True)
class Call:
    """One system call: `process` counts from 1; `instructions` since the call before it.

    `forced` marks a result that a fault plan made; `note` is shown for a call without result.
    """

    process: int
    text: str               # write(1, "hello\n", 6)
    result: str             # 6, or EINTR with its number; "" if it never returned
    failed: bool = False
    forced: bool = False
    instructions: int | None = None
    note: str = ""


class Timeline(View):
    """What a program asked of the kernel."""

    def __init__(self, calls: Sequence[Call], *, title: str = "",
                 names: dict[int, str] | None = None, ending: str = "",
                 limit: int = 200) -> None:
        self.calls = tuple(calls)
        self.title = title
        self.names = dict(names or {})
        self.ending = ending
        self.limit = limit

    def lanes(self) -> list[tuple[str, list[Call]]]:
        """Calls by process; a single lane has no name."""
        found: dict[int, list[Call]] = {}
        for call in self.calls:
            found.setdefault(call.process, []).append(call)
        if len(found) == 1 and not self.names:
            return [("", next(iter(found.values())))]
        return [(self.names.get(process, f"process {process}"), found[process])
                for process in sorted(found)]

    def text(self) -> str:
        lines = [self.title] if self.title else []
        for name, calls in self.lanes():
            if name:
                lines.append(f"{name}: {count(len(calls), 'call')}")
            rows = []
            for number, call in enumerate(calls[: self.limit], 1):
                rows.append([
                    str(number), call.text, "=" if call.result else "",
                    call.result or call.note, "(made to happen)" if call.forced else "",
                ])
            lines.extend("  " + line for line in columns(rows, right=frozenset({0})))
            if len(calls) > self.limit:
                lines.append(f"  … {count(len(calls) - self.limit, 'more call')}")
        if self.ending:
            lines.append(self.ending)
        return "\n".join(lines)

    def html(self) -> str:
        parts = [tag("p", esc(self.title), class_="yk-title")] if self.title else []
        for name, calls in self.lanes():
            if name:
                parts.append(tag("p", esc(f"{name}: {count(len(calls), 'call')}"),
                                 class_="yk-lane"))
            rows = []
            counted = any(call.instructions is not None for call in calls)
            for number, call in enumerate(calls[: self.limit], 1):
                kind = "yk-failed" if call.failed else None
                result = esc(call.result or call.note) + (" ✗" if call.failed else "")
                if call.forced:
                    result += tag("small", " made to happen")
                row = [
                    tag("td", str(number), class_="yk-number"),
                    tag("td", tag("code", esc(call.text))),
                    tag("td", result, class_=kind),
                ]
                if counted:
                    before = "" if call.instructions is None else grouped(call.instructions)
                    row.append(tag("td", before, class_="yk-number"))
                rows.append(row)
            heads = ["", "call", "result", *(["instructions before it"] if counted else [])]
            parts.append(table(heads, rows, classes="yk-calls"))
        parts.extend(tag("p", esc(line), class_="yk-note") for line in self.ending.splitlines())
        return tag("div", *parts, class_="yk")
