"""How often a notebook has tried each function that it shows, alone.

A function is shown when a cell `%%asm MODULE NAME` (or the whole module) holds it.  It is
tried alone by `call`, and recorded by `step` or `inspect`, when they begin in it, or in a
cell of the reader's own that jumps to it: some functions need a few lines around them.
What such a cell might jump to, and did not, does not count.
Only the book's own text counts, and what `check` does with an answer does not.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final
from weakref import WeakKeyDictionary

from ymawky_kit.lab.covering import entry
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.lab.workbench import Program, is_of_the_book
from ymawky_kit.obj import ObjectFile
from ymawky_kit.source import KitError
from ymawky_kit.view.tried import Tried, Trying

#: A function that is shown: its module and its name.
Shown = tuple[str, str]

_inputs: Final[dict[Shown, set[int]]] = {}
_recorded: Final[dict[Shown, int]] = {}
_entries: Final[WeakKeyDictionary[Program, dict[str, dict[Shown, int]]]] = WeakKeyDictionary()


def _begins(program: Program, function: str) -> dict[Shown, int]:
    """As `_entered`, found out once for a program: a comparison calls it a hundred times."""
    known = _entries.setdefault(program, {})
    if function not in known:
        address = {symbol.name: symbol.address for symbol in program.image.symbols}
        known[function] = {shown: address[shown[1]] for shown in _entered(program, function)}
    return known[function]


def _entered(program: Program, function: str) -> Iterator[Shown]:
    """The functions of the book in which a run may begin, at `function` of `program`."""
    made = _home(program, function)
    if made is None:
        return
    if is_of_the_book(made):
        yield made.name, function
        return
    if function not in BENCH.free:
        return                      # of the book once: the reader has changed its module
    own = {symbol.name for symbol in made.symbols}
    jumps = {relocation.symbol for section in made.sections
             for relocation in section.relocations} - own
    for name in sorted(jumps):
        target = _home(program, name)
        if target is not None and is_of_the_book(target):
            yield target.name, name


def _home(program: Program, function: str) -> ObjectFile | None:
    return next((made for made in program.objects
                 if any(s.name == function and s.section is not None
                        and made.sections[s.section].name == "__text" for s in made.symbols)), None)


@contextmanager
def noting_call(program: Program, function: str, arguments: Sequence[object],
                around: Hashable) -> Iterator[None]:
    """Count the call in here; `around` is what else it is given: files, fault plan, ..."""
    key = hash((tuple(bytes(a) if isinstance(a, bytearray) else a for a in arguments), around))
    begins = _begins(program, function)
    with ExitStack() as stack:
        came = {shown: stack.enter_context(entry(program, address))
                for shown, address in begins.items()}
        try:
            yield
        finally:
            for shown, has_come in came.items():
                if has_come():
                    _inputs.setdefault(shown, set()).add(key)


def note_recording(program: Program, function: str, reached: Container[int]) -> None:
    """Count a recording that begins at `function` and goes through these addresses."""
    for shown, address in _begins(program, function).items():
        if address in reached:
            _recorded[shown] = _recorded.get(shown, 0) + 1


def frozen(files: Mapping[str, object] | None) -> Hashable:
    """Files or registers in a form that can be compared."""
    return None if files is None else tuple(sorted(files.items(), key=lambda item: item[0]))


@contextmanager
def untried() -> Iterator[None]:
    """What runs in here does not count."""
    inputs = {shown: set(keys) for shown, keys in _inputs.items()}
    recorded = dict(_recorded)
    try:
        yield
    finally:
        _inputs.clear()
        _inputs.update(inputs)
        _recorded.clear()
        _recorded.update(recorded)


def forget() -> None:
    """As if nothing had run."""
    _inputs.clear()
    _recorded.clear()


def tried() -> Tried:
    """How often this notebook has called and recorded each function that its cells show.

    Calls with the same arguments count once.  Raises :class:`KitError` when no cell has
    shown a function yet.
    """
    if not BENCH.shown:
        raise KitError.of("no cell has shown a function of the book yet",
                          hint="run the %%asm cells above")
    return Tried([Trying(module, name, len(_inputs.get((module, name), ())),
                         _recorded.get((module, name), 0)) for module, name in BENCH.shown])
