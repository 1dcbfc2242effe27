"""What several commands say in the same way."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from ymawky_kit.cli.failure import NO_INPUT, CommandError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def say(text: str) -> None:
    """One line on stdout, at once: what follows may take a while."""
    click.echo(text)
    sys.stdout.flush()


def size(count: int) -> str:
    """Bytes as one says them: 812 bytes, 49.2 KB."""
    return f"{count} bytes" if count < 10_000 else f"{count / 1000:.1f} KB"


def shown(path: Path) -> str:
    """A path as short as it can be typed from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def must_exist(path: Path, hint: str | None = None) -> Path:
    """The path of a file that can be read; raises :class:`CommandError`."""
    if path.is_dir():
        raise CommandError(f"{path} is a directory, not a file", NO_INPUT)
    if not path.is_file():
        raise CommandError(f"there is no file {path}", NO_INPUT, hint)
    return path


class Advance(Protocol):
    """Called before each piece of work with its name."""

    def __call__(self, name: str) -> None: ...


@contextmanager
def progress(title: str, pieces: Sequence[object]) -> Iterator[Advance]:
    """A bar on stderr while something takes longer; silent where nobody looks."""
    if not sys.stderr.isatty():
        yield lambda name: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[name]}"), console=Console(stderr=True), transient=True,
    )
    with bar:
        task = bar.add_task(title, total=len(pieces), name="")
        yield _Bar(bar, task)


class _Bar:
    """Moves the bar when the next piece begins: the one before has ended."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task
        self._begun = False

    def __call__(self, name: str) -> None:
        self._bar.update(self._task, name=name, advance=1 if self._begun else 0)
        self._begun = True
