"""Watch the system calls of a program while it runs."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ymawky_kit.emu.event import SyscallEvent
from ymawky_kit.emu.exit import ExitStatus
from ymawky_kit.run.runners import EmulatedRunner, Process, start_command

_LOOK_EVERY = 0.02


def trace(
    program: Path,
    args: Sequence[str] = (),
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    inherit: bool = True,
    on_event: Callable[[SyscallEvent], None],
    on_start: Callable[[Process], None] | None = None,
    timeout: float | None = None,
    runner: EmulatedRunner | None = None,
) -> ExitStatus:
    """Run a program under the emulator and hand over each call as it returns.

    `on_start` gets the process before anything else, to signal it, say.
    `inherit` leaves the standard streams to the program.  Raises TimeoutError after
    `timeout` seconds, when the program has been ended.
    """
    chosen = runner or EmulatedRunner()
    handle, name = tempfile.mkstemp(prefix="ymawky-trace-")
    os.close(handle)
    path = Path(name)
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        command = chosen.command(program, args, trace_file=path, env=env)
        with start_command(command, program, cwd=cwd, env=env, capture=not inherit) as process, \
                path.open("rb") as file:
            if on_start is not None:
                on_start(process)
            rest = b""
            while True:
                status = process.status
                rest = _hand_over(file.read(), rest, on_event)
                if status is not None:
                    return status
                if deadline is not None and time.monotonic() > deadline:
                    raise TimeoutError(f"still running after {timeout:g} s")
                time.sleep(_LOOK_EVERY)
    finally:
        path.unlink(missing_ok=True)


def _hand_over(data: bytes, rest: bytes, on_event: Callable[[SyscallEvent], None]) -> bytes:
    *lines, rest = (rest + data).split(b"\n")
    for line in lines:
        on_event(SyscallEvent.from_json(line))
    return rest


def read(path: Path) -> Iterator[SyscallEvent]:
    """The events of a trace file."""
    for line in path.read_bytes().split(b"\n"):
        if line:
            yield SyscallEvent.from_json(line)
