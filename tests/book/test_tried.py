"""From chapter 04 on, every function that a chapter shows is tried alone.

That is: called with chosen arguments, recorded step by step, and compared with a model
on a hundred inputs or more.  Where one of the last two would teach nothing, the text
behind the table says so, with the function's name in backquotes.
Read from the stored output of `tried()`; nbval proves that it is what the cell shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from ymawky_kit.lab import notebook as nb
from ymawky_kit.lab.snippets import Module

ROOT = Path(__file__).resolve().parents[2]
FIRST: Final = 4
INPUTS: Final = 100
_CELL: Final = re.compile(r"%%asm[ \t]+(\w[\w/]*/\w+)(?:[ \t]+(\w+))?[ \t]*$", re.MULTILINE)
_SUMMARY: Final = re.compile(r"\d+ functions? shown, \d+ called, \d+ recorded step by step")
_ROW: Final = re.compile(r"  (?P<module>[\w/]+) +(?P<function>\w+) +(?P<inputs>[\d,]+) +inputs? +"
                         r"(?P<recordings>[\d,]+) +recordings?")


@dataclass(frozen=True)
class Row:
    """What the table says of a function."""

    module: str
    function: str
    inputs: int
    recordings: int


def rows(text: str) -> list[Row] | None:
    """The table of an output; None when it is something else."""
    head, *rest = text.splitlines() or [""]
    found = [_ROW.fullmatch(line) for line in rest]
    if not _SUMMARY.fullmatch(head) or None in found:
        return None
    return [Row(m["module"], m["function"], int(m["inputs"].replace(",", "")),
                int(m["recordings"].replace(",", ""))) for m in found if m is not None]


def shown(notebook: dict[str, Any]) -> set[tuple[str, str]]:
    """The functions of src/asm that stand in the cells."""
    found = set()
    for cell in nb.code_cells(notebook):
        piece = _CELL.match(nb.source(cell))
        if piece is None:
            continue
        module = Module.read(piece[1])
        found |= {(piece[1], item.names[0]) for item in module.items
                  if item.kind == "function" and piece[2] in (None, *item.names)}
    return found


def faults(notebook: dict[str, Any]) -> list[str]:
    """What is not tried and not said, in words."""
    table: list[Row] | None = None
    said = ""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            here, heading, _ = ("\n" + nb.source(cell)).partition("\n## ")
            said += here
            if table is not None and heading:
                break
        elif cell["cell_type"] == "code":
            for output in cell["outputs"]:
                new = rows("".join(output.get("data", {}).get("text/plain", [])))
                table, said = (new, "") if new is not None else (table, said)
    if table is None:
        return ["there is no output of tried()"]
    excused = set(re.findall(r"`(\w+)`", said))
    found = [f"{module} {name} is shown, and not in the table"
             for module, name in sorted(shown(notebook) - {(r.module, r.function) for r in table})]
    for row in table:
        name = f"{row.module} {row.function}"
        if not row.inputs:
            found.append(f"{name} is never called")
        if row.function in excused:
            continue
        if not row.recordings:
            found.append(f"{name} is never recorded, and no sentence says why")
        if row.inputs < INPUTS:
            found.append(f"{name} has {row.inputs} of {INPUTS} inputs, and no sentence says why")
    return found


NOTEBOOKS = [path for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
             if int(path.name[:2]) >= FIRST]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_tries_every_function_that_it_shows(path: Path) -> None:
    assert [] == faults(nb.read(path))


def cell(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": text}


def code(source: str, out: str = "") -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": [{"data": {"text/plain": out}}]}


GOOD = ("2 functions shown, 2 called, 1 recorded step by step\n"
        "  lib/number  u64_parse   1,000  inputs  1  recording\n"
        "  lib/number  u64_format      1  input   0  recordings")


def chapter(table: str = GOOD, why: str = "`u64_format` is not.") -> dict[str, Any]:
    return {"cells": [code("%%asm lib/number u64_parse\n"), code("%%asm lib/number\n"),
                      code("tried()", table), cell(why),
                      cell("## Exercises\n`u64_parse`"), cell("`main`")]}


def test_a_chapter_that_tries_or_says_passes() -> None:
    assert [] == faults(chapter())


@pytest.mark.parametrize(("notebook", "fault"), [
    (chapter("something else"), "there is no output of tried()"),
    (chapter(why="It is not."),
     "lib/number u64_format is never recorded, and no sentence says why"),
    (chapter(why="It is not."),
     "lib/number u64_format has 1 of 100 inputs, and no sentence says why"),
    (chapter(GOOD.replace("1,000", "0")), "lib/number u64_parse is never called"),
    (chapter(GOOD.replace("1,000", "99")),
     "lib/number u64_parse has 99 of 100 inputs, and no sentence says why"),
    (chapter("\n".join(GOOD.splitlines()[:2])),
     "lib/number u64_format is shown, and not in the table"),
])
def test_what_is_not_tried_is_found(notebook: dict[str, Any], fault: str) -> None:
    assert fault in faults(notebook)


def test_a_name_in_another_section_says_nothing() -> None:
    table = GOOD.replace("1,000", "1")
    assert ["lib/number u64_parse has 1 of 100 inputs, and no sentence says why"] == \
        faults(chapter(table))
