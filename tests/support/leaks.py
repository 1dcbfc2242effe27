"""What a test session must not leave behind: processes, listening sockets, files.

The session gets a temporary directory of its own, and a mark in the environment
that every process it starts inherits.  At its end nothing that carries the mark
may still run, this process may not listen on any port, and the temporary
directory may hold nothing but pytest's own.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import psutil

MARK: Final = "YMAWKY_TEST_SESSION"
#: How long something that was told to end may take until it counts as left over.
PATIENCE_SECONDS: Final = 3.0
_PYTESTS_OWN: Final = "pytest-of-"


def left_listening() -> list[str]:
    """Ports on which this very process still listens."""
    try:
        connections = psutil.Process().net_connections(kind="inet")
    except psutil.AccessDenied:      # macOS may refuse; the process ends anyway
        return []
    return sorted(
        f"a socket of the test process still listens on {entry.laddr.ip}:{entry.laddr.port}"
        for entry in connections
        if entry.status == psutil.CONN_LISTEN
    )


def left_running(mark: str, spare: frozenset[int] = frozenset()) -> list[str]:
    """Processes of this session that still run, as text; they get a moment to end.

    `spare` holds pids that may stay.  What is found is ended, so that one leak
    does not disturb the next run.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while found := _marked(mark, spare):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    lines = []
    for process in found:
        lines.append(f"process {process.pid} still runs: {_command(process)}")
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return lines


def left_in(directory: Path) -> list[str]:
    """Entries of the session's temporary directory that are not pytest's own."""
    return sorted(
        f"left in the temporary directory: {entry.name}"
        for entry in directory.iterdir()
        if not entry.name.startswith(_PYTESTS_OWN)
    )


def _marked(mark: str, spare: frozenset[int]) -> list[psutil.Process]:
    own = os.getpid()
    children = {process.pid for process in psutil.Process().children(recursive=True)}
    found = []
    for process in psutil.process_iter():
        if process.pid == own or process.pid in spare:
            continue
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.pid in children or process.environ().get(MARK) == mark:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            continue
    return found


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:200] or process.name()
    except psutil.Error:
        return "(gone by now)"
