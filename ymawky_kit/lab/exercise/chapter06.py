"""Judges of chapter 06: forks, children that ended, descriptors of several processes."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import random
import select
import signal
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from ymawky_kit.lab import drive
from ymawky_kit.lab.drive import Called, Ended, Plan
from ymawky_kit.lab.exercise.grading import (
    CARRY_LAST,
    Judge,
    PythonJudge,
    Wrong,
    answer_of,
    outcome,
)
from ymawky_kit.source import KitError
from ymawky_kit.view.core import count

_KEPT: Final = (*(f"x{n}" for n in range(19, 30)), "sp")
#: A function that has not come back by then never will.
_PATIENCE_SECONDS: Final = 10.0


def _run(name: str, *arguments: int, plan: Plan = None) -> Called:
    """The function with every register spoiled that a system call may change."""
    try:
        return drive.call(name, *arguments, plan=plan, strict=True, limit=200_000)
    except KitError as error:
        raise Wrong(f"{str(error).removeprefix('error: ').splitlines()[0]}.",
                    "it forks again and again: is there a loop that never ends?"
                    if "killed by signal 9" in str(error) else
                    f"watch it: step({', '.join(map(repr, (name, *arguments)))})") from None


def _keeps(done: Called, who: str, told: str) -> None:
    for register in _KEPT:
        if done.before[register] != done.registers[register]:
            raise Wrong(f"{told}: {who} came back with another {register}.",
                        "both sides of a fork return to the same caller, and both must "
                        f"give {register} back" if register != "sp" else
                        "sp must come back as it was: what the frame takes, it gives back")


# -- brood ----------------------------------------------------------------------------


def _brood(name: str) -> str:
    cases: list[tuple[int, Plan, int, bool]] = [
        (2, None, 2, False), (0, None, 0, False), (1, None, 1, False), (5, None, 5, False),
        (1, "fork 1: EAGAIN", 0, True), (3, "fork 3: ENOMEM", 2, True),
    ]
    made = 0
    for wanted, plan, born, fails in cases:
        told = f"{name}({wanted})" + (f" with {plan}" if plan else "")
        done = _run(name, wanted, plan=plan)
        _look_at_children(done, told, born)
        if fails:
            number = 35 if "EAGAIN" in str(plan) else 12
            if (done.carry, done.value) != (True, number):
                raise Wrong(f"{told}: {outcome(done)} in the parent; it should be C set, "
                            f"x0 = {number}.", "process_fork has left both: go straight to the "
                            "end, and let nothing on the way change C")
            if sum(call.text.startswith("fork(") for call in done.calls) != born + 1:
                raise Wrong(f"{told}: it went on forking after a fork had failed.",
                            "b.cs right behind bl process_fork")
        elif (done.carry, done.value) != (False, 0):
            raise Wrong(f"{told}: {outcome(done)} in the parent; it should be C clear, x0 = 0.",
                        CARRY_LAST if done.value == 0 else
                        "1002 is the number of a child; the parent gives 0"
                        if done.value > 1000 else "")
        _keeps(done, "the parent", told)
        made += born
    return f"{count(len(cases), 'call')}, {made} children, each with its own number."


def _look_at_children(done: Called, told: str, born: int) -> None:
    found = len(done.children)
    if found != born:
        raise Wrong(f"{told} made {count(found, 'child', 'children')}; there should be {born}.",
                    "with 0 there is nothing to make: look before the first fork"
                    if born == 0 and found == 1 else
                    "a child must leave the loop, or it forks as well" if found > born else
                    "is the last one made as well? and a system call may change every register "
                    "up to x17: count in x19 or higher"
                    if found else "")
    for number, child in enumerate(done.children, 1):
        if isinstance(child, Ended):
            raise Wrong(f"{told}: child {number} did not come back: {child.said}.",
                        f"watch it: step(…, process={number + 1})")
        if (child.carry, child.value) != (False, number):
            hint = ""
            if child.value > 1 << 32:
                hint = "a system call may change every register up to x17: count in x19 or higher"
            elif child.value > 1000:
                hint = "that is the number of the process; sys fork leaves it in x0 on both sides"
            elif child.value == 0:
                hint = "0 is what process_fork gives in the child; which child is it?"
            elif child.carry:
                hint = CARRY_LAST
            raise Wrong(f"{told}: {outcome(child)} in child {number}; it should be C clear, "
                        f"x0 = {number}.", hint)
        _keeps(child, f"child {number}", told)


# -- reap_all -------------------------------------------------------------------------


def _reap_all(name: str) -> str:
    cases: list[tuple[int, int, Plan, bool, int]] = [
        # ended, alive, fault plan, C, x0
        (1, 0, None, False, 1), (0, 0, None, False, 0), (0, 1, None, False, 0),
        (3, 0, None, False, 3), (2, 2, None, False, 2), (7, 1, None, False, 7),
        (2, 0, "wait4 2: EFAULT", True, 14), (1, 0, "wait4 2: EIO", True, 5),
    ]
    for ended, alive, plan, carry, number in cases:
        told = f"{ended} ended, {alive} alive" + (f", {plan}" if plan else "")
        try:
            done, left = _apart(partial(_with_children, name, ended, alive, plan))
        except TimeoutError:
            raise Wrong(f"{told}: it does not come back.",
                        "without WNOHANG wait4 waits until the next child ends") from None
        if not any(call.text.startswith("wait4(") for call in done.calls):
            raise Wrong(f"{told}: it made no wait4 at all.", "sys wait4, with -1 in x0")
        waits = [call.text for call in done.calls if call.text.startswith("wait4(")]
        for text in waits:
            if "WNOHANG" not in text:
                raise Wrong(f"{told}: it called {text}.",
                            "a system call may change x0 to x17: put the four arguments in "
                            "place before every one" if "WNOHANG" in waits[0] else
                            "without WNOHANG it waits for children that are still alive")
            if not text.startswith("wait4(-1, "):
                raise Wrong(f"{told}: it called {text}.", "any child is -1, in x0")
        if (done.carry, done.value) != (carry, number):
            raise Wrong(f"{told}: {outcome(done)}; it should be "
                        f"C {'set' if carry else 'clear'}, x0 = {number}.",
                        _reap_hint(done, ended, carry))
        if left and not plan:
            raise Wrong(f"{told}: {count(left, 'zombie')} left.", "until wait4 gives 0 or ECHILD")
        _keeps(done, "it", told)
    return f"{count(len(cases), 'family', 'families')}, no zombie left, nobody waited for."


def _reap_hint(done: Called, ended: int, carry: bool) -> str:
    if done.carry and done.value == 10:
        return "ECHILD only says that there are no more children: that is the end, not an error"
    if carry:
        return "pass every other error on as it came, with C set: cmp may have cleared it"
    if done.carry and done.value == 14:
        return "14 is EFAULT: the second and the fourth argument are 0, or an address"
    if done.value > 1 << 32:
        return "a system call may change every register up to x17: count in x19 or higher"
    if done.value == ended + 1:
        return "0 means that nobody has ended: that one does not count"
    if done.value == ended and done.carry:
        return CARRY_LAST
    return ""


def _with_children(name: str, ended: int, alive: int, plan: Plan) -> tuple[Called, int]:
    """In a process without children: make some, call the function, count the zombies left."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    stay, hold = os.pipe()
    for number in range(ended + alive):
        if os.fork() == 0:
            if number >= ended:
                os.close(hold)
                os.read(stay, 1)
            os._exit(0)
        if number < ended:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            while _zombies() <= number:
                time.sleep(0.001)
    done = _run(name, plan=plan)
    return done, _zombies()


def _zombies() -> int:
    from ymawky_kit.darwin.host_process import zombies

    return len(zombies(os.getpid()))


def _apart(work: Callable[[], Any]) -> Any:
    """Do it in a process and session of its own, which is gone afterwards with all in it.

    Raises TimeoutError, or whatever `work` raised.
    """
    coming, going = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)     # forks beside threads
        pid = os.fork()
    if pid == 0:
        os.setsid()
        gc.disable()
        result: Any
        try:
            result = work()
        except BaseException as error:
            result = error
        data = pickle.dumps(result)
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(going, data):]
        os.close(going)
        os.killpg(0, signal.SIGKILL)
    os.close(going)
    data = b""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        while select.select([coming], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = os.read(coming, 65536)
            if not part:
                break
            data += part
    finally:
        for kill in (os.killpg, os.kill):       # the second if it has no group of its own yet
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
        os.close(coming)
        os.waitpid(pid, 0)
    if not data:
        raise TimeoutError
    result = pickle.loads(data)
    if isinstance(result, BaseException):
        raise result
    return result


# -- open_descriptors -----------------------------------------------------------------

#: process, call, number: the descriptor, or the process that fork made
_Event = tuple[int, str, int]


def _model(start: set[int], events: Sequence[_Event]) -> dict[int, set[int]]:
    living = {1: set(start)}
    for process, call, number in events:
        if call == "accept":
            living[process].add(number)
        elif call == "close":
            living[process].discard(number)
        elif call == "fork":
            living[number] = set(living[process])
        else:
            del living[process]
    return living


def _history(chance: random.Random, start: set[int], length: int) -> list[_Event]:
    """Calls as a kernel could have seen them: numbers are the lowest that are free."""
    events: list[_Event] = []
    last = 1
    for _ in range(length):
        living = _model(start, events)
        process = chance.choice(sorted(living))
        mine = living[process]
        what = chance.choice(["accept", "accept", "close", "close", "fork", "exit"])
        if what == "accept":
            events.append((process, what, next(n for n in range(99) if n not in mine)))
        elif what == "close" and mine:
            events.append((process, what, chance.choice(sorted(mine))))
        elif what == "fork" and len(living) < 6:
            last += 1
            events.append((process, what, last))
        elif what == "exit" and len(living) > 1:
            events.append((process, what, 0))
    return events


def _open_descriptors(function: Callable[..., Any]) -> str:
    chance = random.Random(9)
    start = {0, 1, 2, 3, 4}
    served: list[_Event] = [(1, "accept", 5), (1, "fork", 2)]
    histories = [[], [(1, "accept", 5)], served, [*served, (1, "close", 5)],
                 [*served, (2, "close", 4)], [*served, (1, "close", 5), (2, "exit", 0)]]
    histories += [_history(chance, start, size) for size in range(3, 43)]
    for events in histories:
        expected = _model(start, events)
        given = set(start)
        got = answer_of(function, given, list(events))
        told = ", ".join(map(str, events[-4:]))
        told = f"After {'… ' if len(events) > 4 else ''}{told}" if events else "Before any call"
        if given != start:
            raise Wrong(f"{told}: it changed the set that it was given.",
                        "begin with a copy: set(start)")
        if got != expected:
            raise Wrong(f"{told}: {_shown(got)}; it should be {_shown(expected)}.",
                        _descriptor_hint(got, expected, events))
    return f"{len(histories)} histories of up to {max(map(len, histories))} calls."


def _shown(sets: Any) -> str:
    if not isinstance(sets, dict):
        return repr(sets)
    return "{" + ", ".join(f"{process}: {found}" for process, found in sorted(sets.items())) + "}"


def _descriptor_hint(got: Any, expected: dict[int, set[int]], events: Sequence[_Event]) -> str:
    if not isinstance(got, dict):
        return "a dict: number of the process -> set of its descriptors"
    if not all(isinstance(found, (set, frozenset)) for found in got.values()):
        return "a set for each process: {0, 1}, not [0, 1]"
    if got.keys() - expected.keys():
        return "a process that has ended has nothing open"
    if expected.keys() - got.keys():
        return "a child has every descriptor that its parent had at the fork"
    if any(call == "fork" for _, call, _ in events):
        return ("the child's set must be a copy of its parent's at the fork: "
                "what one side closes, the other keeps")
    return ""


FUNCTIONS: Final[dict[str, Judge]] = {"brood": _brood, "reap_all": _reap_all}
PYTHON: Final[dict[str, PythonJudge]] = {"open_descriptors": _open_descriptors}
