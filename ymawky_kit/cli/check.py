"""`ymawky check`: a chapter's notebook as stored, or a reader's own program by its cases."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

import click

from ymawky_kit.cli.console import must_exist, progress, say
from ymawky_kit.cli.failure import DATA, FOUND, NO_INPUT, USAGE, CommandError, Ended
from ymawky_kit.cli.run import where_option

if TYPE_CHECKING:
    from ymawky_kit.blackbox import Case, Result
    from ymawky_kit.chapters import Program

#: A program of the book has some 50 KB.
_SIZE_MAX: Final = 256 << 20
#: Failed cases that are shown whole; of the others a line each.
_SHOWN_MAX: Final = 10
#: Files of the cases that a server must find, if it serves the folder they are in.
_PLAIN: Final = ("1k.bin", "index.html", "one.txt", "style.css")

_HELP_ENDS = """\b
Examples:
  ymawky check                                 all notebooks
  ymawky check --chapter 07                    one of them
  ymawky check --chapter 07 --list             the cases of its program
  ymawky build -c 07 -o mine && ymawky check -c 07 --binary ./mine
  ymawky check -c 07 --binary ./mine --only "host bad"
  ymawky check -c 09 --url http://127.0.0.1:8080 --root /tmp/empty
\b
What --binary starts, in a folder with the files of the cases:
  ./mine --port 0 --address 127.0.0.1 [--children N] [--head-seconds N]
         [--errors DIR] DIR
DIR is the folder to serve. Port 0 lets the kernel choose; the program says on
standard output which one it is, in a line that holds http://127.0.0.1:PORT/
A program of the chapters 01 to 04 is run with the arguments of each case.
"""


@click.command(short_help="Check a chapter's notebook, or a program of your own.",
               epilog=_HELP_ENDS)
@click.option("-c", "--chapter", metavar="C",
              help="A chapter by number (07), or a program of it by name (request).")
@click.option("--binary", metavar="FILE", type=click.Path(path_type=Path),
              help="Try this executable with the cases of the chapter.")
@click.option("--url", metavar="URL",
              help="Try a server that runs on this machine already.")
@click.option("--root", metavar="DIR", type=click.Path(path_type=Path),
              help="With --url: the folder it serves. The files of the cases are put there and "
                   "taken away again; nothing is overwritten.")
@click.option("--only", metavar="WORDS", default="", help="Only cases with all these words.")
@click.option("--list", "listed", is_flag=True, help="Show the cases, try nothing.")
@click.option("--seconds", metavar="N", type=click.FloatRange(0, 3600, min_open=True),
              help="How long a client waits for an answer (5), or a cell may take (60).")
@where_option
def check(
    chapter: str | None,
    binary: Path | None,
    url: str | None,
    root: Path | None,
    only: str,
    listed: bool,
    seconds: float | None,
    where: str | None,
) -> None:
    """Run a chapter's notebook anew and compare it with what is stored in it.

    With --binary or --url, try a program of your own instead: the black-box cases
    of the chapter, as a client of it.  A case that fails shows what was sent, what
    came back, what was expected and why, and, where the program ran emulated,
    which system calls it made.  The exit status is 0 when all is well, 1 when not.
    """
    if binary is not None and url is not None:
        raise click.UsageError("--binary and --url exclude each other")
    if root is not None and url is None:
        raise click.UsageError("--root goes with --url")
    if where is not None and binary is None:
        raise click.UsageError(f"--{where} goes with --binary")
    if binary is None and url is None and not listed:
        if only:
            raise click.UsageError("--only goes with --binary, --url or --list")
        with _tidy_end():
            _notebooks(chapter, seconds)
        return
    from ymawky_kit import chapters

    program = chapters.find(chapter)
    cases = _cases(program, only)
    if listed:
        from ymawky_kit.blackbox.report import listing

        for line in listing(cases):
            say(line)
        say(f"\n{len(cases)} in all")
        return
    with _tidy_end():
        if url is not None:
            _check_url(url, root, program, cases, seconds)
        elif binary is not None:
            _check_binary(binary, where, program, cases, seconds)


# --- notebooks ---------------------------------------------------------------------------


def _notebooks(chapter: str | None, seconds: float | None) -> None:
    from ymawky_kit.lab import notebook as nb
    from ymawky_kit.lab.regen import CELL_TIMEOUT_SECONDS, load_rules
    from ymawky_kit.lab.replay import replay
    from ymawky_kit.source import KitError

    paths = nb.paths() if chapter is None else _of_chapter(chapter)
    rules = load_rules(nb.folder().parent / "tests" / "nbval_sanitize.cfg")
    limit = float(CELL_TIMEOUT_SECONDS) if seconds is None else seconds
    good = True
    with progress("running", paths) as begin:
        for path in paths:
            begin(path.name)
            try:
                found = replay(path, rules, seconds=limit)
            except KitError as error:
                good = False
                click.echo(f"ymawky: {error.diagnostics[0].message}" + (
                    f" ({error.diagnostics[0].hint})" if error.diagnostics[0].hint else ""),
                    err=True)
                continue
            total = sum(1 for _ in nb.code_cells(nb.read(path)))
            cells = "1 cell" if total == 1 else f"{total} cells"
            if not found:
                say(f"{path.stem}: {cells}, all as stored")
                continue
            good = False
            say(f"{path.stem}: {len(found)} of {cells} not as stored")
            for difference in found:
                say(f"\n  cell [{difference.number}] of '{difference.heading}'")
                say(f"  {difference.first}")
                for line in difference.diff:
                    say(f"    {line}")
            say("\n  - is what is stored, + what the cell shows now")
    if not good:
        raise Ended(FOUND)


def _of_chapter(chapter: str) -> list[Path]:
    """The notebook of a chapter: by its number, or by the name of one of its programs."""
    from ymawky_kit import chapters
    from ymawky_kit.lab import notebook as nb

    there = {path.name[:2]: path for path in nb.paths()}
    number = chapter.zfill(2)
    if number in there:
        return [there[number]]
    program = chapters.load().get(chapter)
    numbers = program.chapters if program is not None else ()
    found = [there[number] for number in numbers if number in there]
    if not found:
        raise CommandError(f"there is no notebook for chapter '{chapter}'", FOUND,
                           f"there are {', '.join(there)}")
    return found


# --- programs and servers ------------------------------------------------------------------


def _cases(program: Program, only: str) -> list[Case]:
    from ymawky_kit.blackbox import select

    if not program.features:
        raise CommandError(f"there are no cases for the program '{program.name}'", USAGE,
                           "its table in chapters.toml has no features")
    cases = select(program.features, only)
    if not cases:
        raise CommandError(f"no case of '{program.name}' has all the words '{only}'", USAGE,
                           "--list shows them")
    return cases


def _check_binary(binary: Path, where: str | None, program: Program, cases: Sequence[Case],
                  seconds: float | None) -> None:
    from ymawky_kit.blackbox import SECONDS, TREE, NotServing, check_program, unfit
    from ymawky_kit.blackbox import Program as Trial
    from ymawky_kit.run.runners import EmulatedRunner, runner

    must_exist(binary, "ymawky build writes one")
    if binary.stat().st_size > _SIZE_MAX:
        raise CommandError(f"{binary} is larger than {_SIZE_MAX >> 20} MiB", DATA)
    chosen = runner(where)
    if chosen.name == "emulated":
        chosen = EmulatedRunner(trace=True)
    problem = unfit(binary, native=chosen.name == "native")
    if problem is not None:
        raise CommandError(f"{binary} would not start: {problem}", DATA,
                           None if "chmod" in problem else f"ymawky inspect {binary} shows more")
    say(f"{_title(program, cases)}, for {binary}, {_how(chosen.name)}")
    traced = None if chosen.name == "emulated" else (
        "not known, this machine's own kernel ran it; --emulated shows them")
    waits = SECONDS if seconds is None else seconds
    with _Reporter(cases, traced) as reporter, Trial(binary.resolve(), chosen, TREE) as trial:
        try:
            results = check_program(trial, cases, once="once" in program.features,
                                    seconds=waits, report=reporter.take)
        except NotServing as error:
            raise CommandError(
                f"{binary} {error}", FOUND, f"ymawky inspect {binary} says why macOS kills it"
                if "SIGKILL" in str(error) and unfit(binary) is not None
                else "ymawky check --help says how it is started") from None
    _conclude(results)


def _check_url(url: str, root: Path | None, program: Program, cases: Sequence[Case],
               seconds: float | None) -> None:
    from ymawky_kit.blackbox import SECONDS, TREE, Placed, Remote, Talk, check_url

    if not all(isinstance(case, Talk) for case in cases):
        raise CommandError(f"the program '{program.name}' is no server", USAGE,
                           "to try one of yours: --binary FILE")
    if "once" in program.features:
        raise CommandError(f"the program '{program.name}' ends after one client", USAGE,
                           "to try one of yours: --binary FILE")
    remote = Remote(url)
    waits = SECONDS if seconds is None else seconds
    problem = remote.answers(waits)
    if problem is not None:
        raise CommandError(f"{url}: {problem}", NO_INPUT, "is the server running?")
    needs_files = "files" in program.features
    with ExitStack() as stack:
        names: set[str] = set()
        if root is not None:
            if not root.is_dir():
                raise CommandError(f"{root} is no directory", NO_INPUT)
            names = {name for case in cases for name in case.files
                     if not name.startswith("../")}
            stack.enter_context(Placed(root, {n: e for n, e in TREE.items() if n in names}))
        say(f"{_title(program, cases)}, for {url}")
        placed = sorted(name for name in names if name in _PLAIN)
        if placed and not remote.has(placed[0], waits):
            say(f"note: /{placed[0]} was just put into {root} and is not served: "
                "is that the folder of this server?")
        reporter = stack.enter_context(_Reporter(
            cases, "not known, somebody else runs the server; --binary shows them"))
        results = check_url(remote, cases, files=root is not None, needs_files=needs_files,
                            seconds=waits, report=reporter.take)
    _conclude(results)


def _title(program: Program, cases: Sequence[Case]) -> str:
    count = "1 case" if len(cases) == 1 else f"{len(cases)} cases"
    return f"{count} of '{program.name}' ({program.title})"


def _how(runner: str) -> str:
    return "run natively" if runner == "native" else "run emulated"


class _Reporter:
    """Shows failed cases as they come, and how far we are."""

    def __init__(self, cases: Sequence[Case], traced: str | None) -> None:
        self._traced = traced
        self._stack = ExitStack()
        self._cases = cases
        self._done = 0
        self._failed = 0

    def __enter__(self) -> _Reporter:
        self._begin = self._stack.enter_context(progress("trying", self._cases))
        self._begin(self._cases[0].name)
        return self

    def take(self, result: Result) -> None:
        from ymawky_kit.blackbox.report import brief, failure

        self._done += 1
        if self._done < len(self._cases):
            self._begin(self._cases[self._done].name)
        if result.outcome != "failed":
            return
        self._failed += 1
        if self._failed > _SHOWN_MAX:
            if self._failed == _SHOWN_MAX + 1:
                say("\nof these only a line each; --only shows some of them whole:")
            say(brief(result))
            return
        say("")
        for line in failure(result, traced=self._traced):
            say(line)

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _conclude(results: Sequence[Result]) -> None:
    from ymawky_kit.blackbox.report import summary

    say("")
    for line in summary(results):
        say(line)
    if any(result.outcome in ("failed", "not tried") for result in results):
        raise Ended(FOUND)
    if all(result.outcome == "skipped" for result in results):
        raise CommandError("no case was tried", FOUND)


@contextmanager
def _tidy_end() -> Iterator[None]:
    """Asked to end, remove what was made first."""

    def end(number: int, _: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
