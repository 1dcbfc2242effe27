"""`ymawky inspect`: the map of an executable."""

from __future__ import annotations

from pathlib import Path

import click

from ymawky_kit.cli.console import must_exist, say
from ymawky_kit.cli.failure import FOUND, Ended


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

    data = must_exist(file, "ymawky build writes one").read_bytes()
    say(report(data, file.name))
    if check(data):
        raise Ended(FOUND)
