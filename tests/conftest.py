"""Rules of every test session: missing programs are named, nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings
from support import leaks, requires

_PRIVATE = pytest.StashKey[Path]()
_LEAKS = pytest.StashKey[list[str]]()

# No deadline for one example: two cores are shared by everything that runs.
settings.register_profile("book", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "book")


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "requires(*programs): skip where one of these system programs is missing"
    )
    config.stash[_LEAKS] = []
    if _is_worker(config):
        return
    private = Path(tempfile.mkdtemp(prefix="ymawky-tests-")).resolve()
    config.stash[_PRIVATE] = private
    os.environ["TMPDIR"] = str(private)     # workers and children inherit both
    os.environ[leaks.MARK] = uuid.uuid4().hex
    tempfile.tempdir = None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("requires"):
        for name in mark.args:
            requires.program(name)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Blocked signals would pass to every process that a later test starts."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    if blocked:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        names = ", ".join(sorted(signal.Signals(number).name for number in blocked))
        pytest.fail(f"{item.name} leaves signals blocked: {names}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything must run, a skip is a failure."""
    report = yield
    if report.skipped and requires.all_required() and not hasattr(report, "wasxfail"):
        text = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        text = text.removeprefix("Skipped: ")
        if not text.startswith(requires.RIGHT_TO_SKIP):
            report.outcome = "failed"
            report.longrepr = f"skipped where nothing may be skipped: {text}"
    return report


def pytest_testnodedown(node: object, error: object) -> None:
    """One xdist worker ended: take over what it found."""
    output = getattr(node, "workeroutput", {})
    node.config.stash[_LEAKS].extend(output.get("leaks", ()))  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True, trylast=True)    # innermost: before the summary is printed
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    result = yield      # xdist ends its workers in here
    config = session.config
    found = leaks.left_listening()
    if _is_worker(config):
        config.workeroutput["leaks"] = found
        return result
    if not config.option.collectonly:
        found += leaks.left_running(os.environ[leaks.MARK])
        found += leaks.left_in(config.stash[_PRIVATE])
    config.stash[_LEAKS].extend(found)
    if config.stash[_LEAKS] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return result


def pytest_unconfigure(config: pytest.Config) -> None:
    private = config.stash.get(_PRIVATE, None)
    if private is not None:
        shutil.rmtree(private, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    skipped = [
        str(report.longrepr[2])
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple)
    ]
    missing = requires.missing_programs(skipped)
    if missing:
        terminalreporter.section("programs this machine lacks")
        for name, (install, count) in sorted(missing.items()):
            tests = "1 test" if count == 1 else f"{count} tests"
            terminalreporter.line(f"{name}: {tests} skipped; {install}")
    if config.stash[_LEAKS]:
        terminalreporter.section("left behind by this session", red=True)
        for line in config.stash[_LEAKS]:
            terminalreporter.line(line)
