"""Playing cases one after the other, and what came of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ymawky_kit.blackbox.case import Case, Run, Talk
from ymawky_kit.blackbox.cases import CASES, TREE
from ymawky_kit.blackbox.place import Placed
from ymawky_kit.blackbox.play import Happened, Record
from ymawky_kit.blackbox.reply import shown
from ymawky_kit.blackbox.server import NotServing, Program, Remote, Started
from ymawky_kit.source import KitError

if TYPE_CHECKING:
    from ymawky_kit.emu.event import SyscallEvent

#: How long a client waits for an answer, a program for its end.
SECONDS: Final = 5.0
_ENDING_SECONDS: Final = 0.2
#: After so many cases in a row that kept a client waiting, or if the server ended in so many
#: and did nothing else, the others are not tried.
GIVE_UP: Final = 5


@dataclass(slots=True)
class Result:
    """What came of one case."""

    case: Case
    outcome: Literal["passed", "failed", "skipped", "not tried"]
    record: Record
    reason: str = ""                            # why it was skipped or not tried
    calls: tuple[SyscallEvent, ...] = ()        # of a failed one, when they are known
    errors: str = ""                            # what the program said meanwhile


Report = Callable[[Result], None]


def select(features: Iterable[str], words: str = "") -> list[Case]:
    """The cases for a program with these features whose name or feature has all the words."""
    have = set(features)
    wanted = words.lower().split()
    return [case for case in CASES if case.feature in have and all(
        word in f"{case.feature} {case.name}".lower() for word in wanted)]


def check_program(program: Program, cases: Sequence[Case], *, once: bool = False,
                  seconds: float = SECONDS, report: Report = lambda result: None) -> list[Result]:
    """Try a program; with `once` it gets a new start for each case.

    Raises :class:`NotServing` when it does not come as far as to serve a first time.
    """
    return _Trial(_Local(program, once, seconds), report).all(cases)


def check_url(remote: Remote, cases: Sequence[Case], *, files: bool, needs_files: bool,
              seconds: float = SECONDS, report: Report = lambda result: None) -> list[Result]:
    """Try a server that runs; `files` says whether the files of the cases are there.

    `needs_files` says whether the program it shall be serves files at all.
    """
    return _Trial(_Distant(remote, files or not needs_files, seconds), report).all(cases)


class _Trial:
    """Goes on until all cases are through, or nobody answers any more."""

    def __init__(self, place: _Local | _Distant, report: Report) -> None:
        self._place = place
        self._report = report
        self._waited = 0
        self._ended = 0
        self._hopeful = False       # a case has passed, or failed with the server alive

    def all(self, cases: Sequence[Case]) -> list[Result]:
        results: list[Result] = []
        for case in cases:
            reason = self._reason_to_give_up()
            if reason:
                result = Result(case, "not tried", Record(), reason)
            else:
                result = self._place.play(case)
                if result.outcome != "skipped":
                    self._count(result.record)
            results.append(result)
            self._report(result)
        return results

    def _count(self, record: Record) -> None:
        self._waited = self._waited + 1 if record.stuck else 0
        self._ended += record.ended
        self._hopeful = self._hopeful or not (record.stuck or record.ended)

    def _reason_to_give_up(self) -> str:
        if self._waited >= GIVE_UP:
            return f"it kept a client waiting {GIVE_UP} times in a row"
        if self._ended >= GIVE_UP and not self._hopeful:
            return f"the server itself ended in each of the first {GIVE_UP}"
        return ""


class _Local:
    """A program of ours to try."""

    def __init__(self, program: Program, once: bool, seconds: float) -> None:
        self._program = program
        self._once = once
        self._seconds = seconds
        self._served = False
        self._last: Started | None = None       # that should still be running
        self._runs = 0

    def play(self, case: Case) -> Result:
        return self._run(case) if isinstance(case, Run) else self._talk(case)

    def _talk(self, case: Talk) -> Result:
        before = None if self._last is None else self._last.ending()
        self._last = None
        try:
            server = self._program.server(case, new=self._once)
        except NotServing as error:
            if not self._served:
                raise
            record = Record(stuck=True)
            record.fail("a server that starts", f"started anew, it {error}")
            return Result(case, "failed", record)
        self._served = True
        server.mark()
        record = server.player(self._seconds).play(case)
        self._look(case, server, record)
        if before is not None:
            record.fail("a server that goes on serving",
                        f"the server had ended behind the case before: {before}")
        if record.passed:
            return Result(case, "passed", record)
        result = Result(case, "failed", record, calls=server.calls(), errors=server.errors())
        if record.stuck:
            self._program.drop(server)      # it may never come back
            self._last = None
        return result

    def _look(self, case: Talk, server: Started, record: Record) -> None:
        """A server that ended on the way has failed, unless that is what it should do."""
        # A client sees the end of its connection before we see that of the process.
        ending = server.ending(_ENDING_SECONDS if record.cut and not record.passed else 0.0)
        if self._once or (record.passed and case.ends_it):
            return
        if ending is None:
            self._last = server
            return
        record.faults.append(f"the server itself ended: {ending}")
        record.wanted = record.wanted or "a server that goes on serving"
        record.stuck = False
        record.ended = True

    def _run(self, case: Run) -> Result:
        self._runs += 1
        folder = self._program.folder / f"run{self._runs}"
        folder.mkdir()
        record = Record()
        with (
            Placed(folder, {name: TREE[name] for name in case.files}),
            self._program.start(case.arguments, folder, case.stdin) as process,
        ):
            words = " ".join(["./program", *map(_word, case.arguments)])
            record.note("we", f"run {words}")
            if case.stdin:
                record.sent("standard input", case.stdin)
            try:
                status = process.wait(self._seconds)
            except TimeoutError:
                record.stuck = True
                record.fail(_wanted(case), f"it has not ended after {self._seconds:g} s")
            else:
                said = f"signal {status.signal}" if status.signal else (
                    f"exit status {status.code}")
                if status.signal or status.code != case.status:
                    record.faults.append(f"it ended with {said}")
                record.note("it", f"ends with {said}")
            output, errors = process.output, process.errors
            record.happened += [Happened(name, "came", data) for name, data in (
                ("standard output", output), ("standard error", errors)) if data]
            if output != case.output:
                record.faults.append(f"standard output is {shown(output)}")
            if case.errors is not None and errors != case.errors:
                record.faults.append(f"standard error is {shown(errors)}")
            record.wanted = "" if record.passed else _wanted(case)
            calls = () if record.passed else process.trace()
        return Result(case, "passed" if record.passed else "failed", record, calls=calls)


class _Distant:
    """A server of somebody else."""

    def __init__(self, remote: Remote, files: bool, seconds: float) -> None:
        self._remote = remote
        self._files = files
        self._seconds = seconds

    def play(self, case: Case) -> Result:
        if isinstance(case, Run):
            raise KitError.of(f"'{case.name}' is no case for a server")
        if case.needs_process:
            return Result(case, "skipped", Record(), "needs a server started for it: --binary")
        if case.files and not self._files:
            return Result(case, "skipped", Record(), "needs files in its root: --root")
        if any(name.startswith("../") for name in case.files):
            return Result(case, "skipped", Record(), "needs a file beside its root: --binary")
        record = self._remote.player(self._seconds).play(case)
        return Result(case, "passed" if record.passed else "failed", record)


def _wanted(case: Run) -> str:
    parts = [f"exit status {case.status}", f"{shown(case.output)} on standard output"]
    if case.errors is not None:
        parts.append(f"{shown(case.errors)} on standard error")
    return ", ".join(parts)


def _word(text: str) -> str:
    return text if text and " " not in text else repr(text)
