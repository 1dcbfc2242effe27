"""`ymawky build`, and what `ymawky serve` shares with it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ymawky_kit import paths
from ymawky_kit.cli.console import say, shown, size
from ymawky_kit.cli.failure import CANNOT_CREATE, CommandError
from ymawky_kit.source import KitError

if TYPE_CHECKING:
    from ymawky_kit.chapters import Built

NAME = "ymawky"     # what the finished server is called

chapter_option = click.option(
    "-c", "--chapter", metavar="C",
    help="A chapter's program, by number (06), or a program by name (fork); "
    "otherwise the newest server.",
)


@click.command(short_help="Assemble, link and sign a program of the book.", epilog="""\b
Examples:
  ymawky build                       ./ymawky, the whole server
  ymawky build -c 02 -o /tmp/cat     the main program of chapter 2
  ymawky build -c hello              another one, by its name
""")
@chapter_option
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(path_type=Path),
    help="Where to write it; otherwise its own name, here.",
)
def build(chapter: str | None, output: Path | None) -> None:
    """Assemble, link and sign a program of the book: a macOS executable.

    The same sources give the same bytes on every machine.
    """
    built = make(chapter)
    target = output if output is not None else Path(default_name(chapter, built))
    write(built, target)


def make(chapter: str | None) -> Built:
    """Build a program and say so; raises KitError."""
    from ymawky_kit import chapters

    began = time.perf_counter()
    built = chapters.build(chapter)
    seconds = time.perf_counter() - began
    count = len(built.objects)
    modules = "1 module" if count == 1 else f"{count} modules"
    say(f"assembled {modules}, linked and signed {built.program.name} in {seconds:.2f} s")
    return built


def write(built: Built, target: Path) -> None:
    """Put the executable in its place and say so; raises CommandError."""
    from ymawky_kit import macho

    try:
        macho.install(built.data, target)
    except KitError as error:
        raise CommandError(error.diagnostics[0].message, CANNOT_CREATE) from None
    say(f"wrote {shown(target)} ({size(len(built.data))})")


def default_name(chapter: str | None, built: Built) -> str:
    return NAME if chapter is None else built.program.name


def workplace() -> Path:
    """The folder for executables that nobody asked to keep."""
    top = paths.checkout()
    if top is not None and os.access(top, os.W_OK):
        folder = top / "build"
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Caches" / NAME
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"cannot make {folder}: {error.strerror}", CANNOT_CREATE) from None
    return folder
