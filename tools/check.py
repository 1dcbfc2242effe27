"""All that `make test` checks, one step after the other, and a summary at the end.

    .venv/bin/python tools/check.py [STEP]...

Every step runs, also after one that failed.  The last lines name the programs
that this machine lacks, and what was skipped for want of them; the very last one
counts the tests.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).resolve().parents[1]
PYTHON: Final = sys.executable
PYTEST: Final = (PYTHON, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider")
COLOUR: Final = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

#: The heading under which tests/conftest.py lists what is missing.
_MISSING: Final = "programs this machine lacks"
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")
_CLOSING: Final = re.compile(r"(?:\d+ \w+(?:, )?)+ in [\d.]+s")


@dataclass(frozen=True, slots=True)
class Step:
    """One check: its command, and whether its output is shown while it runs."""

    name: str
    command: tuple[str, ...]
    shown: bool = False


def kit(*arguments: str) -> tuple[str, ...]:
    return (PYTHON, "-m", "ymawky_kit", *arguments)


STEPS: Final = (
    Step("ruff", (PYTHON, "-m", "ruff", "check", ".")),
    Step("mypy", (PYTHON, "-m", "mypy")),
    Step("imports", (str(Path(PYTHON).parent / "lint-imports"), "--no-cache")),
    Step("weave", kit("weave", "--check")),
    Step("book", kit("book")),
    # It compares the HTML as well; what `regen` would store otherwise, and the page that it
    # makes, are the business of tests/book (test_notebooks.py, test_growth.py).
    Step("notebooks", (
        *PYTEST, "--dist", "loadfile", "--nbval", "--nbval-current-env",
        "--nbval-sanitize-with", "tests/nbval_sanitize.cfg", "--nbval-cell-timeout", "60",
        "notebooks",
    ), shown=True),
    # Without nbval, which takes two seconds to load in each of three processes.
    Step("tests", (*PYTEST, "-p", "no:nbval", "--dist", "worksteal", "tests"), shown=True),
)


@dataclass(slots=True)
class Result:
    step: Step
    passed: bool
    seconds: float
    counts: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)


def main(chosen: list[str]) -> int:
    unknown = set(chosen) - {step.name for step in STEPS}
    if unknown:
        names = ", ".join(step.name for step in STEPS)
        print(f"check: no step {', '.join(sorted(unknown))}; there are: {names}", file=sys.stderr)
        return 64
    results = [run(step) for step in STEPS if not chosen or step.name in chosen]
    return summary(results)


def run(step: Step) -> Result:
    """Run a step; quiet ones show their output only if they fail."""
    began = time.monotonic()
    print(f"==> {step.name}", flush=True)
    lines = []
    command = (*step.command, "--color=yes") if step.shown and COLOUR else step.command
    with subprocess.Popen(
        command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", bufsize=1,
    ) as process:
        assert process.stdout is not None
        try:
            for line in characters(process) if step.shown else process.stdout:
                lines.append(line)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            raise
    output = _ANSI.sub("", "".join(lines))
    passed = process.returncode == 0
    if not passed and not step.shown:
        print("".join(lines), end="")
    seconds = time.monotonic() - began
    print(f"    {step.name}: {word(passed)} in {seconds:.1f} s", flush=True)
    result = Result(step, passed, seconds, missing=list(missing_programs(output)))
    if step.shown:
        result.counts = counts(output)
        if not passed and not result.counts["failed"]:
            result.counts["failed"] = 1     # it ended before it could count
    return result


def characters(process: subprocess.Popen[str]) -> Iterator[str]:
    """The output as it comes, also the dots of an unfinished line, shown on the way."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    while part := os.read(descriptor, 65536):
        text = part.decode(errors="replace")
        sys.stdout.write(text)
        sys.stdout.flush()
        yield text


def counts(output: str) -> Counter[str]:
    """From pytest's closing line: how many passed, failed, skipped."""
    found: Counter[str] = Counter()
    for line in reversed(output.splitlines()):
        closing = _CLOSING.search(line)
        if closing:
            for number, what in re.findall(r"(\d+) (\w+)", closing.group(0)):
                found[{"errors": "failed", "error": "failed"}.get(what, what)] += int(number)
            break
    return found


def missing_programs(output: str) -> Iterator[str]:
    """The lines of the section in which pytest names the missing programs."""
    inside = False
    for line in output.splitlines():
        if inside and (line.startswith("=") or not re.match(r"[\w.+-]+: \d+ tests? skipped", line)):
            inside = False
        if inside:
            yield line
        if _MISSING in line:
            inside = True


def word(passed: bool) -> str:
    text = "ok" if passed else "FAILED"
    return f"\x1b[{32 if passed else 31}m{text}\x1b[0m" if COLOUR else text


def summary(results: list[Result]) -> int:
    total: Counter[str] = Counter()
    print("\n==> summary")
    for result in results:
        total += result.counts
        print(f"    {result.step.name:10} {word(result.passed):8} {result.seconds:6.1f} s")
    print(f"    {'together':10} {'':8} {sum(r.seconds for r in results):6.1f} s")
    missing = [line for result in results for line in result.missing]
    if missing:
        print("Not everything was tested; missing here:")
        for line in missing:
            print(f"    {line}")
    failed = [result.step.name for result in results if not result.passed]
    if failed:
        print(f"failed: {', '.join(failed)}")
    print(f"total: {total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
