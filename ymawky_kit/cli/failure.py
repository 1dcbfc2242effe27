"""From exceptions to one clear line and an exit status (sysexits.h).

A traceback is for us, not for readers: YMAWKY_DEBUG=1 shows it.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from ymawky_kit.source import KitError

FOUND: Final = 1            # the command ran, and what it checked is not in order
USAGE: Final = 64           # EX_USAGE: the command line is wrong
DATA: Final = 65            # EX_DATAERR: a source or an executable is wrong
NO_INPUT: Final = 66        # EX_NOINPUT: a file is not there
UNAVAILABLE: Final = 69     # EX_UNAVAILABLE: a program or package is not there
SOFTWARE: Final = 70        # EX_SOFTWARE: our own mistake
CANNOT_CREATE: Final = 73   # EX_CANTCREAT: a file cannot be written
INTERRUPTED: Final = 130    # 128 + SIGINT
BROKEN_PIPE: Final = 141    # 128 + SIGPIPE


class CommandError(Exception):
    """A command that ends with one line on stderr and an exit status of its own."""

    def __init__(self, message: str, status: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.hint = hint


class Ended(Exception):
    """A command that has said everything and ends with this exit status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def guarded(command: click.Command, arguments: Sequence[str] | None) -> int:
    """Run a command; everything that can go wrong becomes its exit status."""
    _open_streams()
    words = list(arguments) if arguments is not None else sys.argv[1:]
    try:
        # Not command.main(): it has its own ways with an interrupt and a broken pipe.
        with command.make_context("ymawky", words, color=_colour()) as context:
            command.invoke(context)
        sys.stdout.flush()
    except BaseException as error:
        return _status(error, words)
    return 0


def _open_streams() -> None:
    """Put /dev/null where the caller closed a stream, as in `ymawky build >&-`.

    Python has None for such a stream, and the next file to be opened would get
    its descriptor; opened in this order, each one here gets its own.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Nobody closes it: it is there as long as the process is.
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _colour() -> bool | None:
    """None leaves it to click: colours only on a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def _status(error: BaseException, words: Sequence[str]) -> int:
    if os.environ.get("YMAWKY_DEBUG"):
        traceback.print_exception(error)
    match error:
        case Ended():
            return error.status
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.ctx.get_help() if error.ctx else error.message, err=True)
            return USAGE
        case click.exceptions.Exit():
            return error.exit_code
        case click.UsageError():
            message = _one_line(error.format_message()).removesuffix(".")
            return _say(message, USAGE, _see(error, words))
        case CommandError():
            return _say(str(error), error.status, error.hint)
        case KitError():
            return _kit_error(error)
        case KeyboardInterrupt() | click.Abort():
            return INTERRUPTED
        case BrokenPipeError():
            return _nobody_reads()
        case ModuleNotFoundError() if not (error.name or "").startswith("ymawky_kit"):
            return _missing_package(error)
        case OSError():
            return _os_error(error)
        case SystemExit():
            return error.code if isinstance(error.code, int) else FOUND
    return _say(
        f"internal error: {type(error).__name__}: {_one_line(str(error))}", SOFTWARE,
        "YMAWKY_DEBUG=1 shows where",
    )


def _nobody_reads() -> int:
    """End quietly: Python would complain once more when it flushes its streams."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return BROKEN_PIPE


def _say(message: str, status: int, hint: str | None = None) -> int:
    text = f"ymawky: {message}" + (f" ({hint})" if hint else "")
    click.echo(text, err=True)
    return status


def _kit_error(error: KitError) -> int:
    """Errors in a source are shown with their line and a caret; others are one line."""
    located = [d for d in error.diagnostics if d.span is not None]
    if not located and len(error.diagnostics) == 1:
        diagnostic = error.diagnostics[0]
        message = diagnostic.message.strip()
        if "\n" not in message:
            return _say(message, FOUND, diagnostic.hint)
    click.echo(str(error), err=True)
    return DATA if located else FOUND


def _os_error(error: OSError) -> int:
    where = f"{error.filename}: " if error.filename is not None else ""
    status = NO_INPUT if isinstance(error, FileNotFoundError) else CANNOT_CREATE
    return _say(f"{where}{error.strerror or error}", status)


def _missing_package(error: ModuleNotFoundError) -> int:
    return _say(
        f"the Python package '{error.name}' is not installed", UNAVAILABLE,
        "ymawky doctor looks further",
    )


def _see(error: click.UsageError, words: Sequence[str]) -> str:
    """Where the help is; of an option without its value click does not say whose it is."""
    command = next((word for word in words if not word.startswith("-")), "")
    path = error.ctx.command_path if error.ctx is not None else f"ymawky {command}".rstrip()
    return f"see: {path} --help"


def _one_line(text: str) -> str:
    return " ".join(text.split())
