"""Step one: find the definition of every name.

A global symbol is known to all modules and defined exactly once.  A local one
is known inside its module only, and hides a global of the same name there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, TypeAlias

from ymawky_kit.obj import ObjectFile, Relocation, Symbol
from ymawky_kit.source import Diagnostic, KitError, Note, Span

#: Says which module outside the link defines a name, if one does.
Elsewhere: TypeAlias = Callable[[str], str | None]

#: A broken composition can miss hundreds of names; nobody reads more than these.
MOST_ERRORS: Final = 20
#: How many further uses of a missing symbol are shown.
_MOST_USES: Final = 3


@dataclass(frozen=True, slots=True)
class Definition:
    """A symbol and the index of the object that defines it."""

    module: int
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Names:
    """All definitions of one link."""

    exported: dict[str, Definition]
    private: tuple[dict[str, Symbol], ...]      # one a module, its own globals included

    def find(self, module: int, name: str) -> Definition:
        """What `name` means inside a module; raises KeyError."""
        own = self.private[module].get(name)
        return Definition(module, own) if own is not None else self.exported[name]


def resolve(objects: Sequence[ObjectFile], entry: str, elsewhere: Elsewhere) -> Names:
    """Collect the definitions and make sure that every use has one.

    `elsewhere` is asked for a hint when a symbol is missing.

    Raises :class:`KitError` for a module listed twice, a symbol defined twice,
    a symbol that nobody defines, and a missing entry symbol; all of them at once.
    """
    errors = list(_repeated_modules(objects))
    exported: dict[str, Definition] = {}
    private: list[dict[str, Symbol]] = []
    for index, module in enumerate(objects):
        own: dict[str, Symbol] = {}
        private.append(own)
        for symbol in module.symbols:
            name = symbol.name
            if name in own:
                first = Definition(index, own[name])
                errors.append(_doubled(objects, first, Definition(index, symbol)))
            elif not symbol.is_global:
                own[name] = symbol
            elif name in exported:
                errors.append(_doubled(objects, exported[name], Definition(index, symbol)))
            else:
                own[name] = symbol
                exported[name] = Definition(index, symbol)
    names = Names(exported, tuple(private))
    errors += _missing(objects, names, elsewhere)
    if entry not in exported:
        errors.append(_no_entry(objects, names, entry, elsewhere))
    raise_all(errors)
    return names


def raise_all(errors: Sequence[Diagnostic]) -> None:
    """Raise one :class:`KitError` that holds the errors, at most `MOST_ERRORS` of them."""
    if not errors:
        return
    shown = list(errors[:MOST_ERRORS])
    if len(errors) > MOST_ERRORS:
        shown.append(Diagnostic(f"and {len(errors) - MOST_ERRORS} more errors like these"))
    raise KitError(*shown)


def _repeated_modules(objects: Sequence[ObjectFile]) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for module in objects:
        if module.name in seen:
            yield Diagnostic(
                f"module {module.name} is linked twice",
                hint="list each module once",
            )
        seen.add(module.name)


def _doubled(objects: Sequence[ObjectFile], first: Definition, second: Definition) -> Diagnostic:
    name = second.symbol.name
    one, two = objects[first.module].name, objects[second.module].name
    if one == two:
        hint = "give one of them another name"
    else:
        hint = (
            f"a slot is filled by one module: take {one} or {two}, "
            "or drop the .globl of one that only its own module needs"
        )
    return Diagnostic(
        f"symbol '{name}' is defined twice, in {one} and in {two}"
        if one != two else f"symbol '{name}' is defined twice in {one}",
        second.symbol.span,
        hint,
        (Note(f"'{name}' is first defined here, in {one}", first.symbol.span),),
    )


def _uses(objects: Sequence[ObjectFile]) -> Iterator[tuple[int, Relocation]]:
    for index, module in enumerate(objects):
        for section in module.sections:
            for relocation in section.relocations:
                yield index, relocation


def _missing(objects: Sequence[ObjectFile], names: Names,
             elsewhere: Elsewhere) -> Iterator[Diagnostic]:
    unknown: dict[str, list[tuple[int, Span | None]]] = {}
    for module, use in _uses(objects):
        if use.symbol not in names.exported and use.symbol not in names.private[module]:
            unknown.setdefault(use.symbol, []).append((module, use.span))
    for name, uses in unknown.items():
        module, span = uses[0]
        rest = uses[1:]
        notes = [
            Note(f"also needed by {objects[other].name}", place)
            for other, place in rest[:_MOST_USES]
        ]
        if len(rest) > _MOST_USES:
            notes.append(Note(f"and in {len(rest) - _MOST_USES} more places"))
        yield Diagnostic(
            f"no module defines '{name}', which {objects[module].name} needs",
            span,
            _where_is(objects, names, name, elsewhere, own=module),
            tuple(notes),
        )


def _no_entry(objects: Sequence[ObjectFile], names: Names, entry: str,
              elsewhere: Elsewhere) -> Diagnostic:
    return Diagnostic(
        f"no module defines the entry point '{entry}'",
        hint=_where_is(objects, names, entry, elsewhere,
                       "the program begins there: write `func {0}`"),
    )


def _where_is(
    objects: Sequence[ObjectFile],
    names: Names,
    name: str,
    elsewhere: Elsewhere,
    otherwise: str = "add the module that defines '{0}' to the program",
    own: int | None = None,
) -> str:
    """What to do about a missing name; `own` is the module that needs it."""
    for index, private in enumerate(names.private):
        if name in private:
            return f"{objects[index].name} keeps '{name}' to itself: write `.globl {name}` there"
    module = elsewhere(name)
    if module is not None:
        return f"{module} defines it: add that module to the program"
    known = {key: found.module for key, found in names.exported.items()}
    if own is not None:
        known.update(dict.fromkeys(names.private[own], own))
    near = nearest(name, known, least=0.75)
    if near is not None:
        return f"did you mean '{near}', defined in {objects[known[near]].name}?"
    return otherwise.format(name)


def nearest(name: str, known: Iterable[str], least: float = 0.6) -> str | None:
    """The known name that looks most like `name`, if one does; `least` 1 wants it equal."""
    # Sorted, so that among equally near names always the same one is said.
    close = get_close_matches(name, sorted(known), n=1, cutoff=least)
    return close[0] if close else None
