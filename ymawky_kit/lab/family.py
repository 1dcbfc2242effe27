"""Functions that fork: every process that comes back is shown, none stays.

A fork of the program is a fork of this Python process.  A child must never come back
into the notebook: it hands over what it has to say and ends.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import select
import signal
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from ymawky_kit.nameless import nameless

if TYPE_CHECKING:
    from ymawky_kit.darwin.kernel import Kernel
    from ymawky_kit.emu.event import SyscallEvent
    from ymawky_kit.emu.machine import Machine

#: Processes that one call may make, itself included; the next fork fails with EAGAIN.
PROCESSES_MAX: Final = 40
#: How long children may take once the first process is done.
WAIT_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.005
#: Shown in place of a process's number, which differs from run to run: 1002 is process 2.
STAND_IN: Final = 1000
#: Registers in which the number of a process is looked for.
_HOLDERS: Final = ("x0", "x2", *(f"x{n}" for n in range(19, 29)))


class Family:
    """The processes that come from one call; make it before the machine."""

    def __init__(self) -> None:
        self._said = nameless(append=True)
        # Every process holds the writing end: when the last has ended, reading ends too.
        self._over, self._held = os.pipe()
        self._machine: Machine | None = None
        self._kernel: Kernel | None = None

    def __enter__(self) -> Family:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in (self._said, self._over, self._held):
            if fd >= 0:
                os.close(fd)

    @contextlib.contextmanager
    def over(self, machine: Machine) -> Iterator[None]:
        """Run the machine in here: a child does not get out, nor outlive an exception."""
        from ymawky_kit.darwin.kernel import Kernel

        kernel = machine.kernel
        assert isinstance(kernel, Kernel)
        self._machine, self._kernel = machine, kernel
        kernel.processes_max = PROCESSES_MAX
        kernel.task.on_fork.append(gc.disable)      # nothing of ours is to be tidied up there
        try:
            with warnings.catch_warnings():
                # Python warns of forks beside threads; the child runs the guest, no thread's code.
                warnings.simplefilter("ignore", DeprecationWarning)
                yield
        finally:
            if kernel.forked:
                os._exit(70)        # an error in a child that handed nothing over
            if self._held >= 0:     # an error, or Ctrl-C, before anybody could gather
                self._let_go()
                self._kill()
                self._collect()

    @property
    def is_child(self) -> bool:
        return self._kernel is not None and self._kernel.forked

    def hand_over(self, what: Any) -> None:
        """In a child: leave this for `gather` and end.  In the first process: nothing."""
        kernel = self._kernel
        if kernel is not None and kernel.forked:
            data = pickle.dumps((kernel.process, what))
            os.write(self._said, len(data).to_bytes(8, "little") + data)
            os._exit(0)

    def gather(self) -> dict[int, Any]:
        """Wait for all children; what each handed over, by process.

        Those that do not end are killed.
        """
        self._let_go()
        try:
            select.select([self._over], [], [], WAIT_SECONDS)
        finally:
            self._kill()
            self._collect()
        found = {}
        data = os.pread(self._said, os.fstat(self._said).st_size, 0)
        while data:
            size = int.from_bytes(data[:8], "little")
            process, what = pickle.loads(data[8:8 + size])
            found[process] = what
            data = data[8 + size:]
        return dict(sorted(found.items()))

    def _let_go(self) -> None:
        held, self._held = self._held, -1
        os.close(held)

    def _kill(self) -> None:
        """End the processes that are left, as the calls tell of them."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline and not select.select([self._over], [], [], 0)[0]:
            events = self._events()
            waited = {event.result for event in events if event.name == "wait4"}
            made = {event.result for event in events if event.name == "fork" and event.result}
            for number in made - waited - {os.getpid()}:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(number, signal.SIGKILL)
            time.sleep(_LOOK_SECONDS)       # who is forked meanwhile is found the next time

    def _collect(self) -> None:
        """Leave no zombie of ours; all have ended, or are about to."""
        for event in self._events():
            if event.name == "fork" and event.process == 1 and event.result:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(event.result, 0)

    def _events(self) -> list[SyscallEvent]:
        return list(self._machine.events()) if self._machine is not None else []


def numbers(events: list[SyscallEvent]) -> dict[int, int]:
    """Number of a process -> which process of the run it is, as far as calls have told."""
    return {event.result: event.process for event in events if event.result
            and (event.name == "getpid" or (event.name == "fork" and event.second))}


def stand_in(registers: Mapping[str, int], known: Mapping[int, int]) -> dict[str, int]:
    """The registers with stand-ins for the numbers of processes."""
    return {name: STAND_IN + known[number] if name in _HOLDERS and number in known else number
            for name, number in registers.items()}
