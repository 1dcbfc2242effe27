"""Which instructions of the book's sources this notebook has run.

`call`, `step`, `trace` and `watch` note what they run, always: the block hook of the
emulator writes into a table anyway (emu/native.py), which all forks of a process share.
What counts is the book's own text.  A module that a reader has changed is another
module; the others of the same program still count.  An instruction is known by its
module and its offset there, so it is the same one in every program.

What is noted is the same in every run, because these four are: they wait for the end
of every process, and `watch` lets a client act only when all processes wait.  `serve`,
`run` and `check` note nothing: a Mac runs them natively.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from weakref import WeakKeyDictionary

from ymawky_kit.emu.native import Table, reached
from ymawky_kit.lab.workbench import Program, book_module, is_of_the_book, listing_of, on_darwin
from ymawky_kit.obj import ObjectFile
from ymawky_kit.source import KitError
from ymawky_kit.view.coverage import Coverage, Covered, Function

_TEXT: Final = "__text"

#: An instruction: its module, by the identity of what the assembler made of the book's
#: text (which the workbench keeps), and its offset in the module's code.
Place = tuple[int, int]


class _Noted:
    """One program: where in which module each of its instructions stands, and its table."""

    def __init__(self, program: Program) -> None:
        text = next(section for segment in program.image.segments
                    for section in segment.sections if section.name == _TEXT)
        self.base = text.address
        self.size = 2 * ((text.size + 3) // 4)
        # Anonymous memory is shared with the forks of this process.
        self._memory = mmap.mmap(-1, max(self.size, 2))
        self.table: Table = (ctypes.c_uint16 * (self.size // 2)).from_buffer(self._memory)
        self._seen = bytes(self.size)
        self._places: dict[int, Place] = {}
        first: dict[str, int] = {}
        for line in program.image.lines:
            if line.is_code:
                first[line.module] = min(line.address, first.get(line.module, line.address))
        for made in program.objects:
            if made.name in first and is_of_the_book(made):
                offsets = _offsets(made)
                shift = first[made.name] - min(offsets)
                for offset in offsets:
                    self._places[(offset + shift - self.base) // 4] = (id(made), offset)

    def fresh(self, data: bytes | None = None) -> set[Place]:
        """What the table (or one from a process) holds; nothing when that is known."""
        found = bytes(self._memory[:self.size]) if data is None else data[:self.size]
        if found == self._seen:
            return set()
        self._seen = found
        return self.places(reached(memoryview(found).cast("H")))

    def places(self, indices: Iterable[int]) -> set[Place]:
        """The instructions with these numbers, those of the book's modules alone."""
        return {self._places[index] for index in indices if index in self._places}


def _offsets(made: ObjectFile) -> list[int]:
    """Where a module's instructions stand in its code; data between them is none."""
    return sorted(line.offset for line in made.lines
                  if line.is_code and made.sections[line.section].name == _TEXT)


_noted: Final[WeakKeyDictionary[Program, _Noted]] = WeakKeyDictionary()
_reached: Final[set[Place]] = set()


def _of(program: Program) -> _Noted:
    if program not in _noted:
        _noted[program] = _Noted(program)
    return _noted[program]


def table_of(program: Program) -> Table:
    """The table for machines of this process that run `program`; `fold` takes it over."""
    return _of(program).table


def fold(program: Program) -> None:
    """Count what has been noted in the program's table."""
    _reached.update(_of(program).fresh())


def note(program: Program, addresses: Iterable[int]) -> None:
    """Count these instructions of a program, by their addresses."""
    noted = _of(program)
    _reached.update(noted.places((address - noted.base) // 4 for address in addresses))


@contextmanager
def entry(program: Program, address: int) -> Iterator[Callable[[], bool]]:
    """A question to ask in here: has a jump to `address` been noted since?"""
    noted = _of(program)
    index = (address - noted.base) // 4
    before, noted.table[index] = noted.table[index], 0
    try:
        yield lambda: noted.table[index] > 0
    finally:
        noted.table[index] = max(before, noted.table[index])


@contextmanager
def noting(program: Program) -> Iterator[int]:
    """The descriptor of a file for an emulated process and its forks to note in.

    Leave only when all have ended.  What an exception cut short does not count.
    """
    noted = _of(program)
    with tempfile.TemporaryFile() as file:
        file.truncate(max(noted.size, 2))
        yield file.fileno()
        _reached.update(noted.fresh(os.pread(file.fileno(), noted.size, 0)))


@contextmanager
def uncounted() -> Iterator[None]:
    """What runs in here does not count."""
    before = set(_reached)
    try:
        yield
    finally:
        _reached.clear()
        _reached.update(before)
        _noted.clear()              # what the tables hold by now is not to be told from before


def forget() -> None:
    """As if nothing had run."""
    _reached.clear()
    _noted.clear()


def coverage(module: str, function: str | None = None) -> Coverage:
    """Which instructions of a module `call`, `step`, `trace` and `watch` have reached so far.

    Only runs of the book's own text count, those of forked processes included; what
    `serve`, `run` and `check` do does not.  With `function`, that one alone.
    Raises :class:`KitError` for a module without code.
    """
    name = on_darwin(module)
    made = book_module(name)
    if not _offsets(made):
        raise KitError.of(f"{name} has no instructions of its own")
    functions = _functions(made)
    if function is not None:
        functions = [one for one in functions if one.name == function]
        if not functions:
            listing_of(made, function)      # says that there is none
            raise KitError.of(f"{name} {function} is data, not code")
    return Coverage(f"{name} {function}" if function else name, functions, whole=bool(function))


def _functions(made: ObjectFile) -> list[Function]:
    """The module's functions with their instructions, reached or not."""
    code = next(n for n, section in enumerate(made.sections) if section.name == _TEXT)
    starts = sorted((s.value, s.name) for s in made.symbols if s.section == code)
    found: dict[str, list[Covered]] = {}
    for line, row in zip(made.lines, listing_of(made, None).rows, strict=True):
        if line.is_code and line.section == code:
            at, name = starts[bisect_right(starts, (line.offset, "\uffff")) - 1]
            found.setdefault(name, []).append(
                Covered(line.offset - at, row, (id(made), line.offset) in _reached))
    return [Function(name, tuple(covered)) for name, covered in found.items()]
