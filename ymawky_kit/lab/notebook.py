"""Notebooks as files: reading, writing, and what every one of them must obey.

A notebook is written the same way every time: one space of indentation, keys in
order, no execution times, no version of Python, a newline at the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ymawky_kit.paths import checkout
from ymawky_kit.source import KitError

Cell = dict[str, Any]
Notebook = dict[str, Any]

KERNEL: Final = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE: Final = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python",
                   "pygments_lexer": "ipython3"}

#: Tags that switch off a comparison; the gates allow them only where this says why.
IGNORE_TAGS: Final = frozenset({
    "nbval-ignore-output", "nbval-skip", "nbval-test-name", "skip-execution",
    "NBVAL_IGNORE_OUTPUT", "NBVAL_SKIP"})
ALLOWED_TAGS: Final = frozenset({
    "raises-exception", "remove-output", "remove-cell", "hide-input", "hide-output",
    "hide-cell", "remove-input", "scroll-output"})
ALLOWED_IGNORES: Final[dict[str, str]] = {}     # cell id -> reason


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken rule: where, and what."""

    notebook: str
    cell: str
    message: str

    def __str__(self) -> str:
        return f"{self.notebook}: {self.cell}: {self.message}"


def folder() -> Path:
    """notebooks/ of the checkout; raises :class:`KitError` outside one."""
    top = checkout()
    if top is None or not (top / "notebooks").is_dir():
        raise KitError.of("the notebooks are not here",
                          hint="run this in a checkout of ymawky, the book")
    return top / "notebooks"


def paths(chosen: Sequence[Path] = ()) -> list[Path]:
    """The chosen notebooks, or all of them in order."""
    found = list(chosen) or sorted(folder().glob("[0-9][0-9]-*.ipynb"))
    if not found:
        raise KitError.of("there is no notebook in notebooks/")
    for path in found:
        if not path.is_file():
            raise KitError.of(f"{path}: no such notebook")
    return found


def read(path: Path) -> Notebook:
    """Raises :class:`KitError` when the file is not a notebook of format 4."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise KitError.of(f"{path.name}: cannot be read as a notebook: {error}") from None
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4:
        raise KitError.of(f"{path.name}: is not a notebook of format 4")
    return notebook


def dumps(notebook: Notebook) -> str:
    """The file's text."""
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def source(cell: Cell) -> str:
    """A cell's text, whichever of the two forms it is stored in."""
    text = cell["source"]
    return text if isinstance(text, str) else "".join(text)


def lines(text: str) -> list[str]:
    """Text as notebooks store it: a list of lines, so that a diff shows lines."""
    return text.splitlines(keepends=True)


def code_cells(notebook: Notebook) -> Iterator[Cell]:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            yield cell


def faults(name: str, notebook: Notebook) -> list[Fault]:
    """Broken rules that nbval would let through (facts in CONTRIBUTING.md)."""
    found: list[Fault] = []

    def say(cell: str, message: str) -> None:
        found.append(Fault(name, cell, message))

    seen: set[str] = set()
    chapter = name[:2]
    for position, cell in enumerate(notebook["cells"]):
        ident = cell.get("id", "")
        where = ident or f"cell {position}"
        if not re.fullmatch(rf"ch{chapter}-[a-z0-9-]+", ident):
            say(where, f"the id is not of the form ch{chapter}-word")
        if ident in seen:
            say(where, "another cell has the same id")
        seen.add(ident)
        tags = set(cell.get("metadata", {}).get("tags", []))
        for wrong in sorted(tags & IGNORE_TAGS):
            if ident not in ALLOWED_IGNORES:
                say(where, f"the tag {wrong} switches the check of its output off")
        for wrong in sorted(tags - IGNORE_TAGS - ALLOWED_TAGS):
            say(where, f"the tag {wrong} is not known")
    for number, cell in enumerate(code_cells(notebook), 1):
        where = cell.get("id", f"code cell {number}")
        if cell.get("execution_count") != number:
            say(where, f"execution count is {cell.get('execution_count')}, not {number}: "
                       "nbval would not compare this cell")
        if re.search(r"#\s*NBVAL_(IGNORE|SKIP)", source(cell)) and where not in ALLOWED_IGNORES:
            say(where, "a comment switches the check of its output off")
        if "execution" in cell.get("metadata", {}):
            say(where, "holds execution times")
        raised = False
        for output in cell.get("outputs", []):
            kind = output.get("output_type")
            if kind == "stream" and output.get("name") == "stderr":
                say(where, "has output on stderr: a magic that does not exist writes there, "
                           "and nbval would pass it")
            if kind == "error":
                raised = True
            if {"image/png", "image/jpeg"} & set(output.get("data", {})):
                say(where, "has a bitmap, which nbval does not compare: use SVG")
        expects = "raises-exception" in cell.get("metadata", {}).get("tags", [])
        if raised != expects:
            say(where, "raises but is not tagged raises-exception" if raised
                else "is tagged raises-exception but raised nothing")
    return found
