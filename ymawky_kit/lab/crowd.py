"""A server with many processes: who lives, who waits, and who has ended and was not collected.

`children` asks the host and works for every server.  `observe` is `serve` on the kit's
Darwin, a Mac's own left aside, with every system call of every process to look at.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ymawky_kit.lab.covering import noting
from ymawky_kit.lab.drive import Files, Plan, parse_plan, timeline_call
from ymawky_kit.lab.family import numbers
from ymawky_kit.lab.play import ANSWER_SECONDS, Site, server_program
from ymawky_kit.lab.workbench import Program
from ymawky_kit.source import KitError
from ymawky_kit.view.core import View, count, esc, tag
from ymawky_kit.view.timeline import Call, Timeline

if TYPE_CHECKING:
    from ymawky_kit.emu.event import SyscallEvent
    from ymawky_kit.run import EmulatedRunner

_LOOK_SECONDS: Final = 0.005
#: How long nothing may happen before a server counts as waiting.
_QUIET_SECONDS: Final = 0.05


class Children(View):
    """The processes that a server has made: `alive`, and `zombies` that nobody collected."""

    def __init__(self, alive: int, zombies: int) -> None:
        self.alive = alive
        self.zombies = zombies

    def text(self) -> str:
        return f"{self.alive} alive, {count(self.zombies, 'zombie')}"

    def html(self) -> str:
        return tag("div", tag("p", esc(self.text())), class_="yk")


def children(site: Site, alive: int | None = None) -> Children:
    """The server's children and theirs; with `alive`, once just so many are alive.

    Raises :class:`KitError` when that is not so within ten seconds.
    """
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        found = _children(site.process.pid)
        if alive is None or found.alive == alive:
            return found
        if time.monotonic() > deadline:
            raise KitError.of(f"there are {found.text()}, not {alive} alive",
                              hint="a child lives until its client has hung up")
        time.sleep(_LOOK_SECONDS)


def _children(server: int) -> Children:
    from ymawky_kit.darwin.host_process import descendants, zombies

    below = descendants(server)
    dead = {pid for parent in (server, *below) for pid in zombies(parent)}
    return Children(len(set(below) - dead), len(dead))


class Observed(Site):
    """A server in the kit's Darwin, each of its system calls recorded.

    What it ran counts for `coverage` once it has been stopped.
    """

    def __init__(self, files: Files, program: Program, runner: EmulatedRunner,
                 options: Sequence[str]) -> None:
        with ExitStack() as stack:
            runner.cover = stack.enter_context(noting(program))
            super().__init__(files, program, runner, options)
            self._noting = stack.pop_all()

    def stop(self) -> None:
        """End the server and remove its folder; a second time does nothing."""
        with self._noting:
            super().stop()

    @property
    def events(self) -> tuple[SyscallEvent, ...]:
        """What the processes have asked of the kernel so far, in the order it answered."""
        return self.process.trace()

    def answers(self, call: str, process: int = 1) -> list[int | str]:
        """What a system call gave in one process, each time: a result, or an errno's name."""
        return [e.error or e.result or 0 for e in self._quiet()
                if e.name == call and e.process == process and not e.entered]

    def timeline(self, title: str = "") -> Timeline:
        """All lanes from the first accept on, as they are once every process waits or has ended."""
        events = self._quiet()
        known = numbers(list(events))
        lanes: dict[int, list[SyscallEvent]] = {}
        for event in events:
            lanes.setdefault(event.process, []).append(event)
        first = next(n for n, e in enumerate(lanes[1]) if e.name == "accept")
        lanes[1] = lanes[1][first:]
        calls = [call for process in sorted(lanes) for call in _lane(lanes[process], known)]
        names = {1: "the parent"} | {n: f"child {n - 1}" for n in sorted(lanes)[1:]}
        return Timeline(calls, title=title, names=names)

    def terminate(self) -> str:
        """Send SIGTERM to the first process, and to no other; how it ended."""
        self.process.send_signal(signal.SIGTERM)
        return str(self.process.wait(ANSWER_SECONDS))

    def until(self, holds: Callable[[Sequence[SyscallEvent]], bool]) -> None:
        """Wait until the calls so far are what you wait for.

        Raises :class:`KitError` when they are not within ten seconds.
        """
        deadline = time.monotonic() + ANSWER_SECONDS
        while not holds(self.events):
            if time.monotonic() > deadline:
                raise KitError.of("the server has not done that within ten seconds")
            time.sleep(_LOOK_SECONDS)

    def _quiet(self) -> tuple[SyscallEvent, ...]:
        """The calls, once every process waits in one or has ended.

        Raises :class:`KitError` when that is not so within ten seconds.
        """
        from ymawky_kit.darwin.host_process import busy

        deadline = time.monotonic() + ANSWER_SECONDS
        seen: tuple[SyscallEvent, ...] = ()
        since = time.monotonic()
        while True:
            now = self.events
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since >= _QUIET_SECONDS and _all_wait(now) \
                    and not busy(self.process.pid):
                return now
            if time.monotonic() > deadline:
                raise KitError.of("the server does not come to rest")
            time.sleep(_LOOK_SECONDS)


def _all_wait(events: Sequence[SyscallEvent]) -> bool:
    """Has every process begun a call that did not return, or ended?"""
    last = {event.process: event for event in events}
    made = sum(e.name == "fork" and bool(e.result) and not e.second for e in events)
    return len(last) == 1 + made and all(e.entered or e.name == "exit" for e in last.values())


def _lane(events: Sequence[SyscallEvent], known: Mapping[int, int]) -> list[Call]:
    calls = []
    for event in events:
        if event.entered and event is not events[-1]:
            continue
        call = timeline_call(event)
        if event.entered:
            call = replace(call, note="waits")
        elif event.name == "fork" and event.result is not None and event.result in known:
            second = f", x1 = {event.second}" if event.second else ""
            call = replace(call, result=f"child {known[event.result] - 1}{second}")
        calls.append(call)
    return calls


def observe(files: Files, program: str | Program | None = None, *options: str,
            plan: Plan = None) -> Observed:
    """`serve` in the kit's Darwin, with all calls recorded; `plan` makes some of them fail.

    A fault counts the calls of each process alone, the parent's and those of all children.
    """
    from ymawky_kit.emu.plan import FaultPlan
    from ymawky_kit.run import EmulatedRunner

    faults = parse_plan(plan)
    runner = EmulatedRunner(report=False, trace=True, entries=True,
                            plan=FaultPlan(faults).to_json() if faults else None)
    return Observed(files, server_program(program), runner, options)
