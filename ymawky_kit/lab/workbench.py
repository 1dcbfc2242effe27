"""What a notebook works on: the book's sources, and what the reader changed in them.

A cell `%%asm MODULE NAME` whose text differs from the book's replaces that piece
for the rest of the notebook; running the book's own text again takes it back, and
so do `%reset_server` and `undo()`.
Every program built later is built from the changed pieces.  Nothing is written to
src/asm.
"""

from __future__ import annotations

import difflib
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from ymawky_kit import chapters, macho
from ymawky_kit.asm import assemble
from ymawky_kit.lab.snippets import Item, Module, module_names
from ymawky_kit.link import link
from ymawky_kit.obj import Image, ObjectFile
from ymawky_kit.paths import asm_root
from ymawky_kit.source import KitError, Source
from ymawky_kit.view.core import View, count, esc, grouped, tag
from ymawky_kit.view.listing import Listing, Row

#: The name that errors give a cell, as in `cell:3:5: error: …`.
CELL: Final = "cell"

#: Programs around functions that are kept: a loop may call some in turn.
_KEPT_MAX: Final = 8

#: What a function needs that is tried on its own: a place to begin that is never run.
_STAND: Final = Source("stand", '.include "abi.inc"\n.include "macros.inc"\n'
                                "func start\n    mov x0, #0\n    sys exit\n")


class Program(View):
    """A linked and signed executable."""

    def __init__(self, name: str, image: Image, data: bytes, objects: Sequence[ObjectFile],
                 changed: Sequence[str] = ()) -> None:
        self.name = name
        self.image = image
        self.data = data
        self.objects = tuple(objects)
        self.changed = tuple(changed)

    @property
    def digest(self) -> str:
        """SHA-256 of the file, 64 hexadecimal digits."""
        return sha256(self.data).hexdigest()

    @property
    def instructions(self) -> int:
        return sum(1 for line in self.image.lines if line.is_code)

    def save(self, path: str | Path) -> None:
        """Write the executable to a file: for a terminal, `ymawky check` or a Mac."""
        macho.install(self.data, Path(path))

    def bytes_at(self, address: int, size: int) -> bytes:
        """Bytes of code or data by address, as the linker left them; empty outside of both."""
        for segment in self.image.segments:
            for section in segment.sections:
                at = address - section.address
                if 0 <= at < section.size:
                    return section.data[at:at + size]
        return b""

    def word(self, address: int) -> int:
        """The 32 bits of the instruction at an address."""
        return int.from_bytes(self.bytes_at(address, 4), "little")

    def _facts(self) -> list[tuple[str, str]]:
        names = [made.name for made in self.objects]
        shown = ", ".join(names)
        if len(names) > 8:
            shown = f"{len(names)}: {', '.join(names[:3])} … {', '.join(names[-2:])}"
        return [
            ("modules", shown),
            ("code", count(self.instructions, "instruction")),
            ("file", count(len(self.data), "byte")),
            ("SHA-256", self.digest[:16] + "…"),
        ]

    def _mark(self) -> str:
        """What in it is not the book's, "" if all is."""
        if not self.changed:
            return ""
        return f"NOT THE BOOK'S TEXT: built with your {', '.join(self.changed)}."

    def text(self) -> str:
        lines = [f"{self.name}: assembled, linked, signed"]
        if mark := self._mark():
            lines.append(mark)
        lines.extend(f"  {name:8} {value}" for name, value in self._facts())
        return "\n".join(lines)

    def html(self) -> str:
        rows = "".join(
            tag("tr", tag("th", esc(name), scope="row"), tag("td", esc(value)))
            for name, value in self._facts())
        mark = tag("p", esc(self._mark()), class_="yk-mark") if self.changed else ""
        return tag("div", tag("p", f"{tag('b', esc(self.name))}: assembled, linked, signed",
                              class_="yk-title"), mark,
                   tag("div", tag("table", rows, class_="yk-table"), class_="yk-scroll"),
                   class_="yk")


class Restored(View):
    """What of the reader's went back to the book's text: "lib/io fd_write_all", ..."""

    def __init__(self, pieces: Sequence[str], asked: str = "", note: str = "") -> None:
        self.pieces = tuple(pieces)
        self._asked = asked
        self._note = note

    def text(self) -> str:
        if self.pieces:
            return (f"Back to the book's text: {', '.join(self.pieces)}.\n"
                    "What is built from now on is built from it.")
        if self._asked:
            return f"{self._asked}: nothing to take back, it is the book's text."
        return self._note or "Nothing to take back: all is the book's text."

    def html(self) -> str:
        lines = "<br>".join(esc(line) for line in self.text().splitlines())
        return tag("div", tag("p", lines, class_="yk-ok"), class_="yk")


@dataclass(slots=True)
class Workbench:
    """The state of one notebook."""

    #: module -> name of the piece ("" is the whole module) -> the reader's text
    changed: dict[str, dict[str, str]] = field(default_factory=dict)
    #: name -> text of the cells that belong to no module
    free: dict[str, str] = field(default_factory=dict)
    #: name of such a cell -> the program that it leans on, "" for the newest
    bases: dict[str, str] = field(default_factory=dict)
    #: (module, function) that a cell has shown with the book's text, in their order
    shown: dict[tuple[str, str], None] = field(default_factory=dict)
    #: the last programs made around functions, which are often called many times
    _built: dict[tuple[object, ...], Program] = field(default_factory=dict)
    #: the same for `carries`
    _carrying: dict[tuple[object, ...], bool] = field(default_factory=dict)

    def take_cell(self, module: str, name: str, body: str) -> Listing:
        """Run a cell that shows a piece (or, with `name` "", a whole module)."""
        book = Module.read(module)
        called = f"{module} {name}".strip()
        name = book.item(name).names[0] if name else ""     # data has several names
        known = book.item(name).text if name else book.text.rstrip("\n")
        mine = body.rstrip("\n")
        differs = _plain(mine) != _plain(known)
        if name and book.item(name).kind == "function" \
                and not re.search(rf"^\s*func\s+{re.escape(name)}\s*(//.*)?$", mine, re.MULTILINE):
            raise KitError.of(f"the cell of {module} {name} must hold the function {name}",
                              hint=f"its first line is: func {name}")
        before = dict(self.changed.get(module, {}))
        pieces = dict(before)
        if differs:
            pieces[name] = mine
        else:
            pieces.pop(name, None)
        cell = Source(CELL, "\n" + mine + "\n")     # line 1 is the line of the magic
        self.changed[module] = pieces
        try:
            made = self._assemble_module(module, cell_for=(name, cell))
        except KitError:
            self.changed[module] = before
            raise
        item = book.item(name) if name else None
        for one in book.items if item is None else [item]:
            if one.kind == "function" and not differs:
                self.shown[module, one.names[0]] = None
        if item is not None and item.kind == "macro":
            rows: list[Row] = []
        else:
            rows = _rows(made, {cell})
        size = sum(len(row.data) for row in rows)
        what = f"{called}: {_amount(rows, size)}"
        if item is not None and item.kind == "macro":
            what = f"{called}: a macro, which becomes nothing until it is used"
        mark = _difference(known, mine) if differs else ""
        return Listing(rows, title=what, mark=mark, fold=not mark)

    def take_free(self, name: str, body: str, base: str = "") -> Listing:
        """Run a cell that belongs to no module; `base` is the program whose modules it calls.

        Raises :class:`KitError`, also when there is no such program.
        """
        if base:
            self._known(base)
        made, cell = self._assemble_free(body)
        self.free[name], self.bases[name] = body, base
        rows = _rows(made, {cell})
        return Listing(rows, title=f"{name}: {_amount(rows, sum(len(r.data) for r in rows))}")

    def edited(self, module: str, name: str) -> str:
        """A piece's text as it is now, the reader's or the book's."""
        item = Module.read(module).item(name)
        return self.changed.get(module, {}).get(item.names[0]) or item.text

    def take_back(self, module: str = "", name: str = "") -> Restored:
        """Give up the reader's text of one piece, of a module, or of all there is.

        Raises :class:`KitError` when src/asm has no such piece.
        """
        if not module:
            pieces = self._changes(self.changed)
            self.changed.clear()
            return Restored(pieces)
        module = on_darwin(module)
        if "/" not in module:
            raise self._not_a_module(module)
        book = Module.read(module)
        key = book.item(name).names[0] if name else ""
        mine = self.changed.get(module, {})
        if not name:
            pieces = [f"{module} {piece}".strip() for piece in mine]
            mine.clear()
            return Restored(pieces, module)
        if mine.pop(key, None) is not None:
            return Restored([f"{module} {key}"])
        if "" in mine:
            return Restored([], note=f"{module} {name} was not changed by itself: all of {module} "
                            f"is yours. To take that back: %reset_server {module}")
        return Restored([], f"{module} {name}")

    def _not_a_module(self, name: str) -> KitError:
        if name in self.free:
            return KitError.of(f"'{name}' is a cell of your own, the book has no text for it",
                               hint="change the cell and run it again")
        try:
            hint = f"write %reset_server {self.module_of(name)} {name}"
        except KitError as error:
            hint = error.diagnostics[0].hint or "write it like: %reset_server lib/io fd_write_all"
        return KitError.of(f"there is no module '{name}' in src/asm", hint=hint)

    # -- building ---------------------------------------------------------------

    def build(self, name: str, swap: Mapping[str, str] | None = None) -> Program:
        """A program of chapters.toml, or one made of the free cell `name`.

        `swap` puts free cells in the place of modules: {"serve/once": "mine"}.
        """
        swap = swap or {}
        if name in self.free and not swap:
            return self._build_free(name)
        program = self._known(name)
        for module, cell in swap.items():
            if module not in program.modules:
                raise KitError.of(f"{name} has no module '{module}'",
                                  hint=f"there are: {', '.join(program.modules)}")
            if cell not in self.free:
                raise KitError.of(f"there is no cell '{cell}' yet",
                                  hint=f"run the cell that begins with %%asm {cell}")
        modules = [on_darwin(module) for module in program.modules if module not in swap]
        objects = [self._assemble_module(module) for module in modules]
        objects += [self._assemble_free(self.free[cell])[0] for cell in swap.values()]
        changes = [*self._changes(modules), *(f"{cell} for {m}" for m, cell in swap.items())]
        return self._link(name, objects, changes, program.identifier, program.entry)

    def _known(self, name: str) -> chapters.Program:
        """A program of chapters.toml."""
        programs = chapters.load()
        if name not in programs:
            near = difflib.get_close_matches(name, [*programs, *self.free], n=1, cutoff=0.4)
            raise KitError.of(f"there is no program '{name}'",
                              hint=f"did you mean '{near[0]}'?" if near
                              else f"there are: {', '.join(programs)}")
        return programs[name]

    def build_around(self, function: str) -> Program:
        """A program that holds `function` and all it needs, to call it by itself."""
        key = (function, self._state(), _stamp())
        if key not in self._built:
            _make_room(self._built, key)
            self._built[key] = self._build_around(function)
        return self._built[key]

    def _state(self) -> str:
        return repr((self.changed, self.free, self.bases))

    def _build_around(self, function: str) -> Program:
        if function in self.free:
            made, _ = self._assemble_free(self.free[function])
            first = [made]
            modules: list[str] = []
        else:
            modules = [self.module_of(function)]
            first = [self._assemble_module(modules[0])]
        objects, more = self._close(first, modules, self.bases.get(function, ""))
        return self._link(function, objects, self._changes(more))

    def module_of(self, function: str) -> str:
        """The module that defines a symbol; programs of the first chapters come last."""
        found = [name for name, symbols in _symbols().items() if function in symbols]
        if not found:
            every = sorted({s for symbols in _symbols().values() for s in symbols})
            near = difflib.get_close_matches(function, [*every, *self.free], n=1, cutoff=0.5)
            raise KitError.of(f"no module defines '{function}'",
                              hint=f"did you mean '{near[0]}'?" if near else None)
        return min(found, key=lambda name: (name.startswith("stub/"), name))

    def carries(self, function: str) -> bool:
        """Whether a function's contract promises something about the carry flag."""
        if function in self.free:
            return False
        key = (function, self._state(), _stamp())
        if key not in self._carrying:
            _make_room(self._carrying, key)
            module = self.module_of(function)
            text = (self.changed.get(module, {}).get(function)
                    or Module.read(module).item(function).text)
            promised = re.search(r"^//.*\bC (clear|set):", text, re.MULTILINE)
            self._carrying[key] = promised is not None
        return self._carrying[key]

    def _build_free(self, name: str) -> Program:
        made, _ = self._assemble_free(self.free[name])
        objects, modules = self._close([made], [], self.bases[name])
        return self._link(name, objects, self._changes(modules))

    def _link(self, name: str, objects: Sequence[ObjectFile], changes: Sequence[str],
              identifier: str | None = None, entry: str = "start") -> Program:
        image = link(objects, identifier=identifier or name, entry=entry)
        return Program(name, image, macho.build(image), objects, changes)

    def _changes(self, modules: Iterable[str]) -> list[str]:
        """The reader's pieces in these modules, and in what every module includes."""
        used = dict.fromkeys([*modules, *(m for m in self.changed if m.endswith(".inc"))])
        return [f"{module} {name}".strip() for module in used
                for name in self.changed.get(module, {})]

    def _close(self, objects: list[ObjectFile], modules: list[str],
               base: str = "") -> tuple[list[ObjectFile], list[str]]:
        """Add modules until every symbol is defined; what nothing defines is the linker's to say.

        First the libraries are asked, then the modules of a server: `base`, or the first
        that holds the first of `modules`, or the newest.  A program that begins at `main`
        gets the platform's start in front of it.
        """
        everything, used = list(objects), list(modules)
        exports = _exports()
        shelves = [*_libraries(), *_server_modules(modules[0] if modules else None, base)]
        wanted = {"start"} | set(_needs(everything))
        while True:
            have = {s.name for o in everything for s in o.symbols if s.is_global}
            missing = sorted(wanted - have)
            found = None
            for symbol in missing:
                if symbol == "start" and "main" not in have:
                    everything.append(assemble(_STAND, include=_include(), name="stand"))
                    break
                found = next((m for m in shelves if symbol in exports[m]), None)
                if found is not None:
                    everything.append(self._assemble_module(found))
                    used.append(found)
                    break
            else:
                return everything, used
            wanted |= set(_needs(everything))

    # -- assembling -------------------------------------------------------------

    def assemble_module(self, module: str) -> ObjectFile:
        """A module with the reader's changes in it; raises :class:`KitError`."""
        return self._assemble_module(module)

    def _assemble_module(self, module: str,
                         cell_for: tuple[str, Source] | None = None) -> ObjectFile:
        """A module with the reader's pieces in it.

        `cell_for` gives the source that one piece is to come from, so that errors
        and listings point into the cell.
        """
        book = Module.read(module)
        pieces = {n: Source(CELL, "\n" + t + "\n") for n, t in
                  self.changed.get(module, {}).items()}
        if cell_for is not None:
            pieces[cell_for[0]] = cell_for[1]
        if "" in pieces:
            fragments = [pieces[""]]
        elif not pieces:
            return _book_module(module, self._macros_changed())
        else:
            fragments = list(_fragments(book, pieces))
        with self._included() as include:
            return assemble(fragments, include=include, name=module)

    def _assemble_free(self, body: str) -> tuple[ObjectFile, Source]:
        head = Source("before the cell", '.include "abi.inc"\n.include "macros.inc"\n')
        cell = Source(CELL, "\n" + body.rstrip("\n") + "\n")
        with self._included() as include:
            return assemble([head, cell], include=include, name=CELL), cell

    def _macros_changed(self) -> tuple[tuple[str, str], ...]:
        """(name, whole text) of every include file that the reader changed."""
        found = []
        for module, pieces in self.changed.items():
            if module.endswith(".inc") and "" in pieces:
                found.append((module, pieces[""] + "\n"))
            elif module.endswith(".inc") and pieces:
                book = Module.read(module)
                sources = {n: Source(CELL, t + "\n") for n, t in pieces.items()}
                found.append((module, "".join(s.text for s in _fragments(book, sources))))
        return tuple(found)

    def _included(self) -> _Include:
        return _Include(self._macros_changed())


class _Include:
    """The folders that `.include` searches, changed include files first."""

    def __init__(self, changed: tuple[tuple[str, str], ...]) -> None:
        self.changed = changed
        self.folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> list[Path]:
        if not self.changed:
            return _include()
        self.folder = tempfile.TemporaryDirectory(prefix="ymawky-")
        for name, text in self.changed:
            (Path(self.folder.name) / Path(name).name).write_text(text, encoding="utf-8")
        return [Path(self.folder.name), *_include()]

    def __exit__(self, *_: object) -> None:
        if self.folder is not None:
            self.folder.cleanup()


def _include() -> list[Path]:
    return [asm_root() / "include", asm_root() / "platform" / "darwin"]


def on_darwin(module: str) -> str:
    """`platform/file` of chapters.toml is `platform/darwin/file` of src/asm."""
    parts = module.split("/")
    if parts[0] == "platform" and len(parts) == 2:
        return f"platform/darwin/{parts[1]}"
    return module


_CACHE: Final[dict[tuple[str, str, tuple[tuple[str, str], ...]], ObjectFile]] = {}


def _book_module(module: str, macros: tuple[tuple[str, str], ...]) -> ObjectFile:
    """A module as the book has it, assembled once for each of its texts."""
    text = Module.read(module).text
    key = (module, text, macros)
    if key not in _CACHE:
        with _Include(macros) as include:
            _CACHE[key] = assemble(Source(f"{module}.s", text), include=include, name=module)
    return _CACHE[key]


def book_module(module: str) -> ObjectFile:
    """A module as the book has it, whatever a reader has changed; raises :class:`KitError`."""
    return _book_module(on_darwin(module), ())


def is_of_the_book(made: ObjectFile) -> bool:
    """Was this made from a module's own text, with the book's macros?"""
    return any(made is known for (_, _, macros), known in _CACHE.items() if not macros)


def _fragments(book: Module, pieces: dict[str, Source]) -> Iterator[Source]:
    """The module's text in a row of sources, the given pieces exchanged."""
    lines = book.text.splitlines(keepends=True)
    where: list[tuple[Item, Source]] = [(book.item(name), s) for name, s in pieces.items()]
    where.sort(key=lambda pair: pair[0].first)
    at = 0
    for item, source in where:
        if item.first - 1 > at:
            # Blank lines keep the line numbers of the file in messages about the rest.
            yield Source(f"{book.name}.s", "\n" * at + "".join(lines[at:item.first - 1]))
        yield source
        at = item.last
    if at < len(lines):
        yield Source(f"{book.name}.s", "\n" * at + "".join(lines[at:]))


_STAMP_SECONDS: Final = 0.25
_stamped: tuple[float, tuple[tuple[str, int], ...]] = (float("-inf"), ())


def _stamp() -> tuple[tuple[str, int], ...]:
    """Changes when a source file changes on disk, a quarter of a second later at most.

    Asked twice at each call: to look at two hundred files is a third of its time.
    """
    global _stamped
    if time.monotonic() - _stamped[0] > _STAMP_SECONDS:
        _stamped = time.monotonic(), _look()
    return _stamped[1]


def _look() -> tuple[tuple[str, int], ...]:
    found: list[tuple[str, int]] = []
    folders = [str(asm_root())]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append(entry.path)
                elif "." in entry.name:
                    found.append((entry.path, entry.stat().st_mtime_ns))
    return tuple(found)


def _make_room(kept: dict[tuple[object, ...], Any], key: tuple[object, ...]) -> None:
    """Forget what belongs to another state than `key`, which will not come back, and the oldest."""
    for old in [one for one in kept if one[1:] != key[1:]]:
        del kept[old]
    while len(kept) >= _KEPT_MAX:
        del kept[next(iter(kept))]


_SYMBOLS: Final[dict[tuple[tuple[str, int], ...], dict[str, tuple[str, ...]]]] = {}


def _symbols() -> dict[str, tuple[str, ...]]:
    """Module -> what its header says it gives; read once, from the `Gives` lines."""
    key = _stamp()
    if key not in _SYMBOLS:
        _SYMBOLS.clear()
        found = {}
        for name in module_names():
            if name.endswith(".inc"):
                continue
            module = Module.read(name)
            found[name] = tuple(n for item in module.items if item.kind == "function"
                                for n in item.names)
        _SYMBOLS[key] = found
    return _SYMBOLS[key]


def _libraries() -> list[str]:
    """Modules that a reader's own code may lean on without naming them."""
    return [name for name in _symbols()
            if name.startswith(("lib/", "platform/darwin/"))]


def _server_modules(module: str | None, base: str) -> list[str]:
    """The modules of `base`, or of the first program that holds `module`, or of the newest."""
    programs = {name: [on_darwin(m) for m in p.modules] for name, p in chapters.load().items()}
    if base:
        return programs[base]
    newest = list(programs.values())[-1]
    return next((modules for modules in programs.values() if module in modules), newest)


_GIVES: Final = re.compile(r"^// Gives +(.*\n(?://  +.*\n)*)", re.MULTILINE)
_EXPORTS: Final[dict[tuple[tuple[str, int], ...], dict[str, frozenset[str]]]] = {}


def _exports() -> dict[str, frozenset[str]]:
    """Module -> all that others may use: its functions, and the data that its header names."""
    key = _stamp()
    if key not in _EXPORTS:
        _EXPORTS.clear()
        found = {}
        for name, functions in _symbols().items():
            module = Module.read(name)
            gives = _GIVES.search(module.text)
            said = re.findall(r"\w+", gives[1]) if gives else []
            data = {n for item in module.items if item.kind == "data" for n in item.names}
            found[name] = frozenset(functions) | data.intersection(said)
        _EXPORTS[key] = found
    return _EXPORTS[key]


def _needs(objects: Iterable[ObjectFile]) -> Iterator[str]:
    for made in objects:
        own = {symbol.name for symbol in made.symbols}
        for section in made.sections:
            for relocation in section.relocations:
                if relocation.symbol not in own:
                    yield relocation.symbol


def _typed(text: str) -> str:
    """The source's own text of an instruction, without its comment."""
    return text.partition("//")[0]


def _seen(data: bytes) -> str:
    from ymawky_kit.emu.disassembler import disassemble

    return disassemble(data, 0)


def tidy(text: str) -> str:
    """An instruction with its mnemonic in a column of its own, whatever the source's blanks."""
    mnemonic, _, operands = " ".join(text.split()).partition(" ")
    return f"{mnemonic:<7} {operands}".rstrip() if operands else mnemonic


def _plain(text: str) -> list[str]:
    """Lines without blanks at their ends: invisible differences are none."""
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def _difference(book: str, mine: str) -> str:
    matcher = difflib.SequenceMatcher(None, _plain(book), _plain(mine), autojunk=False)
    away = sum(max(i2 - i1, j2 - j1) for kind, i1, i2, j1, j2 in matcher.get_opcodes()
               if kind != "equal")
    verb = "differs" if away == 1 else "differ"
    return (f"NOT THE BOOK'S TEXT: {count(away, 'line')} {verb}. "
            "This version is used in the rest of this notebook.")


def _amount(rows: Sequence[Row], size: int) -> str:
    code = sum(1 for row in rows if len(row.data) == 4 and not row.text.startswith("."))
    if code:
        return f"{count(code, 'instruction')}, {count(size, 'byte')}"
    return count(size, "byte") if size else "no bytes of its own"


def listing_of(made: ObjectFile, name: str | None) -> Listing:
    """An object's code and data, or those of one function, its gaps still open."""
    sources = {line.span.source for line in made.lines}
    rows = _rows(made, sources)
    if name is not None:
        starts = [n for n, row in enumerate(rows) if row.label == name]
        if not starts:
            raise KitError.of(f"{made.name} has no function or data named '{name}'")
        end = next((n for n in range(starts[0] + 1, len(rows))
                    if rows[n].label and not rows[n].label.startswith("L")), len(rows))
        rows = rows[starts[0]:end]
    return Listing(rows, title=f"{made.name} {name}" if name else "")


def _rows(made: ObjectFile, cells: set[Source]) -> list[Row]:
    """What the cells became, at addresses counted from their first byte in each section."""
    rows: list[Row] = []
    names: dict[tuple[int, int], str] = {}
    for symbol in (*made.symbols, *made.labels):
        if symbol.section is not None:
            names.setdefault((symbol.section, symbol.value), symbol.name)
    first: dict[int, int] = {}
    for line in made.lines:
        if line.span.source not in cells:
            continue
        section = made.sections[line.section]
        base = first.setdefault(line.section, line.offset)
        data = b"" if section.zero_fill else section.data[line.offset:line.offset + line.size]
        waiting = next((r for r in section.relocations
                        if line.offset <= r.offset < line.offset + line.size), None)
        note = ""
        if waiting is not None:
            note = f"the linker fills in {waiting.symbol}"
        if section.zero_fill:
            note = f"{grouped(line.size)} zero bytes, not in the file"
        text = line.text
        if line.is_code and waiting is None and tidy(text) != tidy(_typed(line.span.text)):
            text = _seen(data)          # a macro made it: show what the processor sees
        rows.append(Row(line.offset - base, data, tidy(text),
                        label=names.get((line.section, line.offset), ""), note=note))
    return rows
