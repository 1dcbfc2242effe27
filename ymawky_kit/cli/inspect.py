"""`ymawky inspect`: the map of an executable."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from ymawky_kit.cli.console import must_exist, say
from ymawky_kit.cli.failure import DATA, FOUND, CommandError, Ended

#: Ours stay far below; more would only fill the memory.
_SIZE_MAX: Final = 256 << 20


@click.command(short_help="The map of an executable, and what macOS says to it.", epilog="""\b
Examples:
  ymawky build -c hello && ymawky inspect hello
""")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def inspect(file: Path) -> None:
    """Show what is in the executable FILE, and what macOS would say to it.

    The map: header, load commands, sections, symbols, signature.  The verdict at
    the end names every rule of the kernel and of dyld that the file breaks; the
    exit status is 1 if there is any.
    """
    from ymawky_kit.macho import check, report

    if must_exist(file, "ymawky build writes one").stat().st_size > _SIZE_MAX:
        raise CommandError(f"{file} is larger than {_SIZE_MAX >> 20} MiB", DATA)
    data = file.read_bytes()
    say(report(data, file.name))
    if check(data):
        raise Ended(FOUND)
