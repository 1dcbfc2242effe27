"""`ymawky weave`, `regen` and `book`: what authors of the book need."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import click

from ymawky_kit import paths
from ymawky_kit.cli.console import progress, say, shown
from ymawky_kit.cli.failure import FOUND, UNAVAILABLE, CommandError, Ended

notebooks_argument = click.argument(
    "notebooks", metavar="[NOTEBOOK]...", nargs=-1,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
check_option = click.option("--check", is_flag=True, help="Write nothing; exit 1 on a difference.")


@click.command(epilog="""\b
Examples:
  ymawky weave --check
  ymawky weave notebooks/02-the-kernels-door.ipynb
""")
@check_option
@notebooks_argument
def weave(check: bool, notebooks: tuple[Path, ...]) -> None:
    """Write the assembly cells of the notebooks anew from src/asm."""
    from ymawky_kit.lab.weave import weave as weave_all

    _conclude(weave_all(notebooks, check=check), check, "the assembly cells are as in src/asm")


@click.command(epilog="""\b
Examples:
  ymawky regen --check
  ymawky regen notebooks/01-first-instructions.ipynb
""")
@check_option
@notebooks_argument
def regen(check: bool, notebooks: tuple[Path, ...]) -> None:
    """Run the notebooks and store what they show.

    Without a notebook's name: all of them, and the page of how the programs grow.
    The same sources give the same bytes, so --check finds every output that is
    no longer true.
    """
    from ymawky_kit.lab import growth, notebook
    from ymawky_kit.lab.regen import regen as regen_all

    chosen = notebook.paths(notebooks)
    pages = not notebooks
    with progress("running", [*chosen, *([growth.PAGE] if pages else [])]) as begin:
        said = regen_all(chosen, check=check, pages=pages,
                         progress=lambda path: begin(path.name))
    _conclude(said, check, "the stored outputs are what the notebooks show")


def _conclude(said: list[str], check: bool, fine: str) -> None:
    for line in said:
        say(line)
    if said and check:
        raise Ended(FOUND)
    say("rewritten" if said else fine)


@click.command(short_help="Build the book into book/_build/html.", epilog="""\b
Examples:
  ymawky book && ymawky serve book/_build/html
""")
def book() -> None:
    """Build the book into book/_build/html; every warning is an error.

    It runs no notebook: what is stored in them is what the pages show.
    """
    top = paths.checkout()
    if top is None or not (top / "book" / "_config.yml").is_file():
        raise CommandError(
            "the book's sources are not here", UNAVAILABLE,
            "run this in a checkout of ymawky, the book",
        )
    if importlib.util.find_spec("jupyter_book") is None:
        raise ModuleNotFoundError(name="jupyter_book")
    folder = top / "book"
    command = [
        sys.executable, "-c", "from jupyter_book.cli.main import main; main()",
        "build", str(top),
        "--config", str(folder / "_config.yml"), "--toc", str(folder / "_toc.yml"),
        "--path-output", str(folder), "-W", "--keep-going", "--all",
    ]
    with progress("building the book", [1]) as begin:
        begin("")
        done = subprocess.run(
            command, check=False, cwd=top, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
    if done.returncode != 0:
        click.echo(done.stdout, err=True)
        raise Ended(FOUND)
    pages = folder / "_build" / "html"
    say(f"built {shown(pages)}; to read it: ymawky serve {shown(pages)}")
