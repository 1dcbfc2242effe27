"""`ymawky run` and `ymawky trace`: an executable, run here."""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ymawky_kit.cli.console import must_exist
from ymawky_kit.cli.failure import Ended
from ymawky_kit.cli.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable

    from ymawky_kit.emu.event import SyscallEvent
    from ymawky_kit.run import ExitStatus

#: The words behind FILE belong to it, also those that look like options.
_PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}

_HINT = "ymawky build writes one"


def _program(context: click.Context, _: click.Parameter, file: Path) -> Path:
    """FILE, unless it is a misspelt option: click passes on all that it does not know."""
    if str(file).startswith("-") and not file.exists():
        known = [name for parameter in context.command.params
                 if isinstance(parameter, click.Option) for name in parameter.opts]
        near = get_close_matches(str(file), known)
        raise click.NoSuchOption(str(file), possibilities=near, ctx=context)
    return must_exist(file, _HINT)


file_argument = click.argument(
    "file", metavar="FILE", type=click.Path(path_type=Path), callback=_program
)


def where_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """--native and --emulated, as one parameter `where`."""
    function = click.option(
        "--native", "where", flag_value="native", help="On this machine's own kernel."
    )(function)
    return click.option(
        "--emulated", "where", flag_value="emulated", default=None,
        help="In the emulated Darwin; otherwise natively where that is possible.",
    )(function)


@click.command(context_settings=_PASS_ON, epilog="""\b
Examples:
  ymawky build -c cat && ymawky run cat README.md
  ymawky run ymawky --help
""")
@where_option
@file_argument
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
def run(where: str | None, file: Path, arguments: tuple[str, ...]) -> None:
    """Run the executable FILE with ARGS.

    The exit status is the program's own, or 128 + n if signal n ended it.
    """
    from ymawky_kit.run.runners import runner

    command = runner(where).command(file, arguments)
    sys.stdout.flush()
    os.execv(command[0], command)


_TRACE_EXAMPLES = """\b
Examples:
  ymawky build -c hello && ymawky trace hello
  ymawky trace ymawky --port 8080 docroot
"""


@click.command(
    context_settings=_PASS_ON, short_help="Run FILE and show its system calls.",
    epilog=_TRACE_EXAMPLES,
)
@click.option(
    "-o", "--output", metavar="TRACE", type=click.File("w", encoding="utf-8", lazy=False),
    help="Write the lines there; otherwise to stderr.",
)
@file_argument
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
def trace(output: Any, file: Path, arguments: tuple[str, ...]) -> None:
    """Run FILE in the emulated Darwin and show its system calls, one a line.

    A line holds the process (1 is the first), the call with its arguments, and
    what the kernel answered.  Children are followed.  Of a server, each request
    appears as it comes in; Ctrl-C ends it.
    """
    from ymawky_kit.run.tracing import trace as trace_calls

    stream = output if output is not None else sys.stderr

    def show(event: SyscallEvent) -> None:
        stream.write(f"{event.process}  {event.text}\n")
        stream.flush()

    with Relay() as relay:
        status = trace_calls(file, arguments, on_event=show, on_start=relay.to)
    stream.write(f"-- {status}\n")
    stream.flush()
    raise Ended(exit_code(status))


def exit_code(status: ExitStatus) -> int:
    """As a shell counts: the program's own, or 128 + the signal's number."""
    return 128 + status.signal if status.signal else status.code
