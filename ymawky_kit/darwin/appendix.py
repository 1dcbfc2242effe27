"""The appendix page of supported calls, made from the table.

Deterministic: the same table gives the same text, whatever the host.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ymawky_kit.darwin.kernel import load_rows
from ymawky_kit.darwin.table import Kind, OnSignal, Row, Support, table

#: Row module -> chapter of the page, in reading order.
_CHAPTERS: Final = (
    ("Processes", ("process",)),
    ("Signals and timers", ("signal",)),
    ("Descriptors", ("transfer", "descriptor", "control", "lock")),
    ("Files and names", ("opening", "status", "file")),
    ("Directories and attributes", ("directory", "attributes")),
    ("Memory", ("memory_map",)),
    ("Sockets", ("socket", "sockopt", "message", "sendfile")),
    ("Waiting for many descriptors", ("poll", "select", "kqueue")),
    ("Time and ports", ("clock",)),
    ("Users, limits, information", ("sysinfo",)),
)

_MARKS: Final = {Support.FULL: "full", Support.PARTIAL: "partial", Support.STUB: "constant"}

_HEAD: Final = """\
# System calls

These are the calls that the kit's Darwin answers.
A number goes into `x16`, arguments into `x0` to `x7`, and `svc #0x80` makes the call.
Afterwards carry clear means success with the result in `x0`, carry set means failure with the
error's number there; `x1` is 0 but for the calls that give two results.
Numbers below zero are Mach traps, which leave carry and `x1` alone.

*full* is everything that Darwin's sources say about a call; *partial* has a note about what is
missing; *constant* gives one fixed, harmless answer.
Calls marked ↻ run again after a signal whose handler was installed with `SA_RESTART`; all others
that sleep end with `EINTR`.
Any number that is not here ends the program with its number and the place of the call.
"""


def _cell(text: str) -> str:
    """Text that stays inside one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def _sentence(text: str) -> str:
    text = _cell(text)
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _kind(kind: Kind) -> str:
    """An argument in a word or two: `flags open` is "open flags", `enum whence` "whence"."""
    form, _, vocabulary = kind.name.partition(" ")
    if form == "flags":
        return f"{vocabulary} flags"
    return vocabulary or form


def _row(row: Row) -> str:
    number = str(row.number) if row.nocancel is None else f"{row.number} ({row.nocancel})"
    arguments = ", ".join(map(_kind, row.kinds))
    name = f"`{row.name}`" + (" ↻" if row.on_signal is OnSignal.RESTART else "")
    text = _sentence(row.summary)
    if row.since:
        text += f" Since macOS {row.since}."
    if row.note:
        text += f" *{_sentence(row.note)}*"
    return f"| {number} | {name} | {arguments} | {_MARKS[row.support]} | {text} |"


def _section(title: str, rows: Iterable[Row]) -> list[str]:
    lines = [
        f"## {title}", "",
        "| Number (nocancel) | Call | Arguments | Support | What it does |",
        "|---|---|---|---|---|",
    ]
    lines += (_row(row) for row in sorted(rows, key=lambda row: (row.number < 0, abs(row.number))))
    lines.append("")
    return lines


def markdown() -> str:
    """The page; raises KeyError for a row module that no chapter takes."""
    load_rows()
    by_module: dict[str, list[Row]] = {}
    for row in table:
        by_module.setdefault(row.module, []).append(row)
    lines = [_HEAD]
    for title, modules in _CHAPTERS:
        rows = [row for module in modules for row in by_module.pop(module, [])]
        if rows:
            lines += _section(title, rows)
    if by_module:
        raise KeyError(f"no chapter of the appendix takes {', '.join(sorted(by_module))}")
    full = sum(row.support is Support.FULL for row in table)
    lines.append(f"{len(table)} calls, {full} of them in full.")
    return "\n".join(lines) + "\n"
