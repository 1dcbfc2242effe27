"""Watch the system calls of a program while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ymawky_kit.darwin.trace import TraceSink
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
    sink = TraceSink()
    deadline = None if timeout is None else time.monotonic() + timeout
    command = chosen.command(program, args, trace=sink.fileno(), env=env)
    try:
        with start_command(
            command, program, cwd=cwd, env=env, capture=not inherit, pass_fds=[sink.fileno()]
        ) as process:
            if on_start is not None:
                on_start(process)
            while True:
                status = process.status
                for event in sink.fresh():
                    on_event(event)
                if status is not None:
                    return status
                if deadline is not None and time.monotonic() > deadline:
                    raise TimeoutError(f"still running after {timeout:g} s")
                time.sleep(_LOOK_EVERY)
    finally:
        sink.close()
