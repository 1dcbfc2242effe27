"""`ymawky weave`: what the book copies from the sources, written from them.

The pages that programs make (the table of system calls), and the assembly cells.

A cell that starts with `%%asm MODULE NAME` or `%%asm MODULE` holds exactly the
text of that piece or module.  A cell whose first word has no slash is the reader's
own playground and is left alone; `%%asm NAME PROGRAM` says which program of
chapters.toml it leans on, if not on the newest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ymawky_kit.lab import notebook as nb
from ymawky_kit.lab.snippets import Module
from ymawky_kit.source import KitError

_MAGIC: Final = re.compile(r"%%asm[ \t]+([^\s]+)(?:[ \t]+([^\s]+))?[ \t]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class Place:
    """What the first line of an assembly cell names; `module` is "" for a free cell.

    `base` is the program whose modules a free cell may call, "" for the newest.
    """

    module: str
    name: str
    base: str = ""


def place(cell_text: str) -> Place | None:
    """None for a cell that is not assembly."""
    found = _MAGIC.match(cell_text)
    if found is None:
        return None
    if "/" not in found[1]:
        return Place("", found[1], found[2] or "")
    return Place(found[1], found[2] or "")


def book_text(where: Place, root: Path | None = None) -> str:
    """The text that the cell must hold, without a newline at its end."""
    module = Module.read(where.module, root)
    return module.item(where.name).text if where.name else module.text.rstrip("\n")


def weave_cell(text: str, root: Path | None = None) -> str:
    """The cell's text with its body taken from the sources."""
    where = place(text)
    if where is None or not where.module:
        return text
    head = text.split("\n", 1)[0].rstrip()
    return f"{head}\n{book_text(where, root)}"


def pages() -> dict[str, str]:
    """Pages of the book that are made by programs: path below the checkout -> text."""
    from ymawky_kit.darwin import appendix

    return {"book/appendix/system-calls.md": appendix.markdown().rstrip("\n") + "\n"}


def _weave_pages(check: bool) -> list[str]:
    said = []
    for name, text in pages().items():
        path = nb.folder().parent / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            said.append(f"{name}: differs from what the kit's tables say")
            if not check:
                path.write_text(text, encoding="utf-8")
    return said


def weave(chosen: Sequence[Path] = (), *, check: bool = False,
          root: Path | None = None) -> list[str]:
    """Rewrite the cells; returns one line for each that differed.

    With `check`, nothing is written.  Raises :class:`KitError` for a cell that
    names what src/asm does not have.
    """
    said = [] if chosen else _weave_pages(check)
    for path in nb.paths(chosen):
        notebook = nb.read(path)
        moved = False
        for cell in nb.code_cells(notebook):
            old = nb.source(cell)
            try:
                new = weave_cell(old, root)
            except KitError as error:
                raise KitError.of(f"{path.name}: cell {cell.get('id')}: {error}") from None
            if new != old:
                moved = True
                said.append(f"{path.name}: cell {cell.get('id')}: "
                            f"differs from src/asm ({old.splitlines()[0]})")
                cell["source"] = nb.lines(new)
        if moved and not check:
            path.write_text(nb.dumps(notebook), encoding="utf-8")
    return said
