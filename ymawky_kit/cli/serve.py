"""`ymawky serve`: build the server, run it, stop it cleanly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ymawky_kit import paths
from ymawky_kit.cli.build import chapter_option, default_name, make, workplace, write
from ymawky_kit.cli.console import say, shown
from ymawky_kit.cli.failure import NO_INPUT, USAGE, CommandError, Ended
from ymawky_kit.cli.relay import Relay
from ymawky_kit.cli.run import exit_code, where_option

if TYPE_CHECKING:
    from ymawky_kit.chapters import Program

PORT = 8080
ADDRESS = "127.0.0.1"


@click.command(epilog="""\b
Examples:
  ymawky serve                        the site that comes with it, on port 8080
  ymawky serve ~/photos --port 9000
  ymawky serve book/_build/html       the book, served by what it teaches
""")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("-p", "--port", metavar="N", type=click.IntRange(0, 65535), default=PORT,
              show_default=True, help="The port; 0 lets the kernel choose one.")
@click.option("-a", "--address", metavar="A", default=ADDRESS, show_default=True,
              help="The IPv4 address; 0.0.0.0 is every address of this machine.")
@click.option("--errors", metavar="DIR", type=click.Path(path_type=Path),
              help="Where the error pages are: 404.html and so on.")
@click.option("--children", metavar="N", help="Connections at a time; otherwise the server's own.")
@click.option("--head-seconds", metavar="N", help="Time to send the head of a request.")
@click.option("--no-listings", is_flag=True, help="Do not show what is in a directory.")
@click.option("--writable", is_flag=True, help="Let clients put files there and delete them.")
@click.option("--body-max", metavar="BYTES", help="The largest body of a request.")
@where_option
@chapter_option
def serve(
    directory: Path | None,
    port: int,
    address: str,
    errors: Path | None,
    where: str | None,
    chapter: str | None,
    **passed_on: str | bool | None,
) -> None:
    """Build the server and serve the files of DIR until Ctrl-C.

    It assembles, links and signs the server anew, which takes less than a second,
    and runs it: natively on Apple silicon, emulated on any other machine.
    """
    from ymawky_kit import chapters
    from ymawky_kit.run.runners import runner

    root = _folder(directory) if directory is not None else paths.docroot()
    if errors is not None:
        _folder(errors)
    elif directory is None or root.resolve() == paths.docroot():
        errors = root / "errors"    # the site that comes with it brings its own
    chosen = runner(where)
    _must_serve(chapters.find(chapter))
    built = make(chapter)
    target = workplace() / default_name(chapter, built)
    write(built, target)
    arguments = ["--port", str(port), "--address", address]
    if errors is not None:
        arguments += ["--errors", str(errors)]
    for name, value in passed_on.items():
        word = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            arguments += [word] * value
        elif value is not None:     # the server itself says what is wrong with it
            arguments += [word, value]
    say(f"running it {_how(chosen.name)}; Ctrl-C stops it")
    with (
        Relay() as relay,
        chosen.start(target, [*arguments, _operand(root)], capture=False) as process,
    ):
        relay.to(process)
        status = exit_code(process.wait())
    if status == 0:
        say("stopped")
    raise Ended(status)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        what = "is not a directory" if path.exists() else "does not exist"
        raise CommandError(f"{path} {what}", NO_INPUT)
    return path


def _operand(path: Path) -> str:
    """A path as the last word of a command line, never mistaken for an option."""
    text = shown(path)
    return f"./{text}" if text.startswith("-") else text


def _must_serve(program: Program) -> None:
    if not any(module.startswith("serve/") for module in program.modules):
        raise CommandError(
            f"the program '{program.name}' is no server", USAGE,
            f"to run it: ymawky build -c {program.name} && ymawky run {program.name}",
        )


def _how(runner: str) -> str:
    if runner == "native":
        return "natively, on this machine's own kernel"
    return "emulated: the kit answers its system calls as Darwin would"
