"""Cutting a module of src/asm into the pieces that the book shows.

A module is its head (comment, includes, constants) followed by items.  An item
starts at a line in the first column that begins a function (`func NAME`) or a
section (`rodata`, `.data`, `.bss`, …), together with the comment lines right
above it, and reaches to the next item.  Head and items together are the module,
byte for byte, so a piece can be exchanged without touching the rest.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ymawky_kit.paths import asm_root
from ymawky_kit.source import KitError

_STARTS: Final = re.compile(
    r"(?:func[ \t]+(?P<func>[\w.$]+)|\.macro[ \t]+(?P<macro>[\w.$]+)"
    r"|(?P<section>rodata|\.(?:text|data|bss|const|cstring|section)\b))")
_NAMES: Final = re.compile(r"(?:string[ \t]+([\w.$]+)|([A-Za-z_$][\w.$]*):)")
_SUFFIXES: Final = (".s", ".inc")


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of a module: lines `first` to `last`, 1-based and inclusive.

    `text` ends without the blank lines that separate it from the next item.
    """

    kind: str                   # head, function, macro, data
    names: tuple[str, ...]      # what `%%asm MODULE NAME` may call it
    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True)
class Module:
    """A source file of src/asm by the name the book uses: "lib/io", "include/macros.inc"."""

    name: str
    path: Path
    text: str
    items: tuple[Item, ...]

    @classmethod
    def read(cls, name: str, root: Path | None = None) -> Module:
        """Raises :class:`KitError`, with the nearest name, when there is no such module."""
        base = root if root is not None else asm_root()
        path = base / (name if name.endswith(_SUFFIXES) else f"{name}.s")
        if not path.resolve().is_relative_to(base.resolve()) or not path.is_file():
            near = difflib.get_close_matches(name, module_names(base), n=1, cutoff=0.4)
            raise KitError.of(f"there is no module '{name}' in src/asm",
                              hint=f"did you mean '{near[0]}'?" if near else None)
        text = path.read_text(encoding="utf-8")
        return cls(name, path, text, tuple(cut(text)))

    def item(self, name: str) -> Item:
        """The piece called `name`; raises :class:`KitError` with the nearest name."""
        for item in self.items:
            if name in item.names:
                return item
        known = [n for item in self.items for n in item.names]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        raise KitError.of(
            f"{self.name} has no function or data named '{name}'",
            hint=f"did you mean '{near[0]}'?" if near else f"it has: {', '.join(known) or 'none'}")

    def around(self, item: Item) -> tuple[str, str]:
        """The text before and after an item."""
        lines = self.text.splitlines(keepends=True)
        return "".join(lines[: item.first - 1]), "".join(lines[item.last:])


def module_names(root: Path | None = None) -> list[str]:
    """All modules, by the names the book uses, sorted."""
    base = root if root is not None else asm_root()
    names = []
    for path in base.rglob("*"):
        if path.suffix in _SUFFIXES:
            relative = path.relative_to(base).as_posix()
            names.append(relative.removesuffix(".s"))
    return sorted(names)


def cut(text: str) -> list[Item]:
    """Head and items of a module, in order."""
    lines = text.splitlines()
    starts: list[tuple[int, str, str]] = []     # line index, kind, name
    macro = False
    for number, line in enumerate(lines):
        if macro:                               # a macro's own .text begins nothing
            macro = not line.startswith(".endm")
            continue
        found = _STARTS.match(line)
        if found is None:
            continue
        macro = found["macro"] is not None
        kind = "function" if found["func"] else "macro" if macro else "data"
        first = number
        while first > 0 and lines[first - 1].startswith("//"):
            first -= 1
        starts.append((first, kind, found["func"] or found["macro"] or ""))
    items = []
    head_end = starts[0][0] if starts else len(lines)
    if head_end:
        items.append(_item("head", "", lines, 0, head_end))
    for n, (first, kind, name) in enumerate(starts):
        end = starts[n + 1][0] if n + 1 < len(starts) else len(lines)
        items.append(_item(kind, name, lines, first, end))
    return items


def _item(kind: str, name: str, lines: Sequence[str], first: int, end: int) -> Item:
    while end > first + 1 and not lines[end - 1].strip():
        end -= 1
    part = lines[first:end]
    names = [name] if name else []
    if kind == "data":
        for line in part:
            found = _NAMES.match(line)
            if found:
                names.append(found[1] or found[2])
    elif kind == "head":
        names.append("head")
    return Item(kind, tuple(names), first + 1, end, "\n".join(part))
