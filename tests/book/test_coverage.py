"""From chapter 04 on, a chapter runs what it shows: nine instructions of ten, the rest named.

Read from the stored outputs of the `coverage(...)` cells, so a chapter that lands is held
to it by being there.  nbval proves that the outputs are what the cells show.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from ymawky_kit import chapters
from ymawky_kit.lab import notebook as nb
from ymawky_kit.lab.snippets import Module
from ymawky_kit.lab.workbench import book_module, on_darwin

ROOT = Path(__file__).resolve().parents[2]
FIRST: Final = 4
FLOOR: Final = 90
_SUMMARY: Final = re.compile(
    r"(?P<module>[\w./]+): (?P<reached>[\d,]+) of (?P<total>[\d,]+) instructions? reached "
    r"\((?P<percent>\d+) %\)")
_NAMED: Final = re.compile(r"  \w+\+0x[0-9a-f]+ +\S.*")
_CELL: Final = re.compile(r"%%asm[ \t]+(\S+/\S+)[ \t]+(\S+)")


@dataclass(frozen=True)
class Stored:
    """What the output of a coverage cell says of a module."""

    module: str
    reached: int
    total: int
    percent: int
    named: int

    @classmethod
    def of(cls, text: str) -> Stored | None:
        """None for an output of anything else, or of one function alone."""
        lines = text.splitlines()
        found = _SUMMARY.fullmatch(lines[0]) if lines else None
        if found is None:
            return None
        at = next((n for n, line in enumerate(lines) if line.startswith("never reached (")),
                  len(lines))
        return cls(found["module"], int(found["reached"].replace(",", "")),
                   int(found["total"].replace(",", "")), int(found["percent"]),
                   sum(1 for line in lines[at + 1:] if _NAMED.fullmatch(line)))


def faults(stored: Stored | None, module: str, instructions: int) -> list[str]:
    """What is wrong with a module's stored coverage, in words."""
    if stored is None:
        return [f"there is no output of coverage(\"{module}\")"]
    found = []
    if stored.total != instructions:
        found.append(f"{module} has {instructions} instructions, the output says {stored.total}")
    if stored.percent != 100 * stored.reached // stored.total:
        found.append(f"{stored.percent} % is not {stored.reached} of {stored.total}")
    if stored.percent < FLOOR:
        found.append(f"{module}: {stored.percent} % is less than {FLOOR} %")
    if stored.named != stored.total - stored.reached:
        found.append(f"{module}: {stored.total - stored.reached} were not reached, "
                     f"{stored.named} are named")
    return found


def outputs(notebook: dict[str, Any]) -> dict[str, Stored]:
    """The last coverage output of each module."""
    found: dict[str, Stored] = {}
    for cell in nb.code_cells(notebook):
        for output in cell["outputs"]:
            text = "".join(output.get("data", {}).get("text/plain", []))
            stored = Stored.of(text)
            if stored is not None:
                found[stored.module] = stored
    return found


def presented(notebook: dict[str, Any]) -> set[str]:
    """Modules of which most functions stand in a cell."""
    cells: dict[str, set[str]] = {}
    for cell in nb.code_cells(notebook):
        found = _CELL.match(nb.source(cell))
        if found is not None:
            cells.setdefault(found[1], set()).add(found[2])
    result = set()
    for module, names in cells.items():
        if module.endswith(".inc"):
            continue
        functions = {item.names[0] for item in Module.read(module).items
                     if item.kind == "function"}
        if functions and 2 * len(functions & names) > len(functions):
            result.add(module)
    return result


def added(number: str) -> set[str]:
    """Modules that the programs of a chapter add to, or swap into, those they come after."""
    programs = chapters.load()
    found = set()
    for program in programs.values():
        if number in program.chapters and program.after is not None:
            found |= set(program.modules) - set(programs[program.after].modules)
    return {on_darwin(module) for module in found}


def instructions(module: str) -> int:
    return sum(1 for line in book_module(module).lines if line.is_code)


NOTEBOOKS = [path for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
             if int(path.name[:2]) >= FIRST]
HELD = [(path, module) for path in NOTEBOOKS
        for module in sorted(added(path.name[:2]) | presented(nb.read(path)))
        if instructions(module)]


@pytest.mark.parametrize(("path", "module"), HELD,
                         ids=[f"{path.name[:2]}-{module}" for path, module in HELD])
def test_a_chapter_reaches_what_it_shows(path: Path, module: str) -> None:
    assert [] == faults(outputs(nb.read(path)).get(module), module, instructions(module))


def test_every_chapter_is_held_to_something() -> None:
    held = Counter(path.name[:2] for path, _ in HELD)
    for path in NOTEBOOKS:
        assert held[path.name[:2]], path.name
    assert held["04"] >= 4


GOOD = """lib/x: 19 of 20 instructions reached (95 %)
f: 19 of 20
  ✗  1c  c0 03 5f d6  ret
never reached (✗):
  f+0x1c  ret"""


def test_what_an_output_says_is_read() -> None:
    assert Stored("lib/x", 19, 20, 95, 1) == Stored.of(GOOD)
    assert [] == faults(Stored.of(GOOD), "lib/x", 20)
    assert Stored.of("lib/x f: 7 of 7 instructions reached (100 %)") is None, "one function alone"
    assert Stored.of("") is None


@pytest.mark.parametrize(("text", "said"), [
    ("something else", "no output"),
    (GOOD.replace("\n  f+0x1c  ret", ""), "0 are named"),
    (GOOD.replace("95 %", "96 %"), "is not 19 of 20"),
    (GOOD.replace("19 of 20 i", "17 of 20 i").replace("95", "85"), "less than 90"),
    (GOOD.replace("19 of 20 i", "18 of 19 i").replace("95", "94"), "has 20 instructions"),
])
def test_an_output_that_is_not_enough_is_refused(text: str, said: str) -> None:
    assert said in "; ".join(faults(Stored.of(text), "lib/x", 20))
