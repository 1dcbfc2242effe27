"""Assemble modules: sources in, object files out.

Two passes.  The first (first_pass.py) reads every line, expands macros, runs
directives and gives every label its offset.  The second (second_pass.py)
computes the operands that had to wait, checks each instruction, and after all
have been encoded at once, writes code and relocations.  Neither stops at the
first mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from ymawky_kit.asm.encoder import Encoder, default_encoder
from ymawky_kit.asm.first_pass import Assembly
from ymawky_kit.asm.second_pass import SecondPass
from ymawky_kit.obj import ObjectFile
from ymawky_kit.source import Diagnostic, KitError, Note, Source

#: How many mistakes one run reports.
_DIAGNOSTICS_MAX: Final = 20


def assemble(
    source: Source | Sequence[Source],
    *,
    include: Sequence[Path] = (),
    encoder: Encoder | None = None,
    name: str | None = None,
) -> ObjectFile:
    """Assemble one module.

    A module may come as several sources in a row.  `include` lists the folders
    in which `.include` looks, in order.  Raises :class:`KitError` with every
    mistake found, up to twenty, each with the place it is at.
    """
    sources = (source,) if isinstance(source, Source) else tuple(source)
    return assemble_all(
        [(name or (sources[0].name if sources else "empty"), sources)],
        include=include,
        encoder=encoder,
    )[0]


def assemble_all(
    modules: Iterable[tuple[str, Sequence[Source]]],
    *,
    include: Sequence[Path] = (),
    encoder: Encoder | None = None,
) -> list[ObjectFile]:
    """Assemble several modules with one call of the encoder: (name, sources) each.

    Raises :class:`KitError` as :func:`assemble` does.
    """
    passes: list[tuple[Assembly, SecondPass]] = []
    for name, sources in modules:
        module = Assembly(name, include)
        module.read(sources)
        second = SecondPass(module)
        second.resolve()
        passes.append((module, second))
    texts = list(dict.fromkeys(text for _, second in passes for text in second.texts))
    codes = (encoder or default_encoder()).encode(texts) if texts else []
    known = dict(zip(texts, codes, strict=True))
    for _, second in passes:
        second.place(known)
    mistakes = [d for module, _ in passes for d in module.diagnostics]
    if mistakes:
        raise KitError(*_limited(mistakes))
    return [second.freeze() for _, second in passes]


def _limited(mistakes: list[Diagnostic]) -> list[Diagnostic]:
    """The first of many mistakes, the last of them with a note on the rest."""
    if len(mistakes) <= _DIAGNOSTICS_MAX:
        return mistakes
    rest = len(mistakes) - _DIAGNOSTICS_MAX
    last = mistakes[_DIAGNOSTICS_MAX - 1]
    note = Note(f"and {rest} more mistake{'s' if rest > 1 else ''} after this one")
    shown = Diagnostic(last.message, last.span, last.hint, (*last.notes, note))
    return [*mistakes[:_DIAGNOSTICS_MAX - 1], shown]
