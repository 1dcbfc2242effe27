"""`ymawky asm`: one file of assembly as a listing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ymawky_kit.cli.console import must_exist, say

if TYPE_CHECKING:
    from ymawky_kit.obj import ObjectFile
    from ymawky_kit.view.listing import Row

#: All rows of a listing are as wide as its longest text.
_TEXT_MAX: Final = 100


@click.command(short_help="Assemble FILE and show addresses, bytes, text.", epilog="""\b
Examples:
  ymawky asm src/asm/first/hello.s
  echo 'mov x0, #42' | ymawky asm -
""")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "-I", "--include", metavar="DIR", multiple=True, type=click.Path(path_type=Path),
    help="Search DIR for .include as well; may be given several times.",
)
def asm(file: Path, include: tuple[Path, ...]) -> None:
    """Assemble FILE and show addresses, bytes and text.

    Addresses count from the start of each section: only the linker knows where
    the sections will lie.  What it is to fill in stands behind a semicolon.
    FILE may be - for standard input.
    """
    from ymawky_kit import chapters
    from ymawky_kit.asm import assemble
    from ymawky_kit.source import Source

    if str(file) == "-":
        source = Source.decode(sys.stdin.buffer.read(), "standard input")
        around = Path()
    else:
        source = Source.read(must_exist(file))
        around = file.parent
    made = assemble(source, include=[*include, around, *chapters.include_paths()])
    for text in listing(made):
        say(text)


def listing(made: ObjectFile) -> list[str]:
    """A block of text for each section that holds anything."""
    from ymawky_kit.view.listing import Listing

    blocks = []
    for number, section in enumerate(made.sections):
        if section.size == 0:
            continue
        title = f"{section.segment},{section.name}: {section.size} bytes"
        if section.zero_fill:
            blocks.append(f"{title} of zeros")
            continue
        rows = _rows(made, number)
        blocks.append(Listing(rows, title=title, limit=len(rows)).text())
    return blocks or ["nothing to assemble in it"]


def _rows(made: ObjectFile, number: int) -> list[Row]:
    from ymawky_kit.view.listing import Row

    section = made.sections[number]
    names: dict[int, list[str]] = {}
    for symbol in (*made.symbols, *made.labels):
        if symbol.section == number:
            names.setdefault(symbol.value, []).append(symbol.name)
    notes = {
        relocation.offset: f"{relocation.kind.name} {relocation.symbol}"
        + (f"+{relocation.addend}" if relocation.addend else "")
        for relocation in section.relocations
    }
    rows = []
    for line in made.lines:
        if line.section == number:
            rows.append(Row(
                line.offset,
                section.data[line.offset:line.offset + line.size],
                _shortened(" ".join(line.text.split())),
                label=", ".join(names.get(line.offset, ())),
                note=notes.get(line.offset, ""),
            ))
    return rows


def _shortened(text: str) -> str:
    return text if len(text) <= _TEXT_MAX else text[:_TEXT_MAX - 1] + "\N{HORIZONTAL ELLIPSIS}"
