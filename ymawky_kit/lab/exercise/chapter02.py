"""Judges of chapter 02: system calls that fail, come short, are interrupted."""

from __future__ import annotations

from typing import Final

from ymawky_kit.lab import drive
from ymawky_kit.lab.drive import Plan
from ymawky_kit.lab.exercise.grading import CARRY_LAST, Judge, Wrong, outcome, trial
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.view.core import count


def _close_quietly(name: str) -> str:
    cases: list[tuple[Plan, bool, int, str]] = [
        (None, False, 0, "descriptor 77 is not open (EBADF)"),
        ("close 1: EIO", True, 5, "close fails with EIO"),
        ("close 1: EINTR", True, 4, "close fails with EINTR"),
        ("close 1: EBADF", False, 0, "close fails with EBADF"),
    ]
    for plan, carry, number, what in cases:
        with trial(name, plan) as hand:
            result, _ = hand.ask(77 if plan is None else 0)
            if result.syscalls == 0:
                raise Wrong(f"When {what}: it made no system call at all.",
                            "bl fd_close, and look at its answer")
            if (result.carry, result.value) != (carry, number):
                raise Wrong(f"When {what}: {outcome(result)}; it should be "
                            f"C {'set' if carry else 'clear'}, x0 = {number}.",
                            CARRY_LAST
                            if result.carry != carry else "")
            if result.syscalls != 1:
                raise Wrong(f"When {what}, {count(result.syscalls, 'system call')} were made "
                            "instead of one.", "call fd_close once and look at its answer")
    with trial(name) as hand:
        result, _ = hand.ask(0)
        if result.carry or result.value or result.syscalls != 1:
            raise Wrong(f"Closing an open descriptor: {outcome(result)}, "
                        f"{count(result.syscalls, 'system call')}.",
                        "it should make one call, and leave C clear and x0 = 0")
    return f"{len(cases) + 1} outcomes of close, each passed on as it should be."


def _fd_read_full(name: str) -> str:
    data = bytes(range(256)) * 3
    plans: list[Plan] = [
        None, "read 1: short 7", "read 1: EINTR", ["read 1: EINTR", "read 2: short 1"],
        ["read 1: short 3", "read 2: EINTR", "read 3: EINTR", "read 4: short 100"],
    ]
    tried = 0
    for plan in plans:
        for size in (0, 1, 100, 767, 768, 769, 2000):
            with trial(name, plan, data) as hand:
                result, (left,) = hand.ask(0, bytes(size), size)
                tried += 1
            expected = min(size, len(data))
            trouble = f" with {plan}" if plan else ""
            shown = f"{count(size, 'byte')} wanted, {len(data)} there{trouble}"
            if size and result.syscalls == 0:
                raise Wrong(f"{shown}: it made no system call at all.",
                            "bl fd_read_some, until enough is there")
            if result.carry or result.value != expected:
                raise Wrong(f"{shown}: {outcome(result)}; it should be C clear, x0 = {expected}.",
                            "C is set: which instruction before ret changed it?"
                            if result.carry and result.value == expected else
                            "a read may give fewer bytes than asked for: go on behind them")
            if left[:expected] != data[:expected]:
                raise Wrong(f"{shown}: the number is right, the bytes in the buffer are not.",
                            "after a short read the next one must begin behind its bytes")
    with trial(name, ["read 1: short 7", "read 2: EIO"], data) as hand:
        result, _ = hand.ask(0, bytes(100), 100)
        if not result.carry or result.value != 5:
            raise Wrong(f"When the second read fails with EIO: {outcome(result)}; "
                        "it should be C set, x0 = 5.", "pass the error on as it came")
    return f"{count(tried + 1, 'run')}, with short reads, signals and an error."


def _greet(name: str) -> str:
    program = BENCH.build(name)
    for word in ("you", "", "A" * 500, "two words"):
        for plan in (None, "write 1: short 3", "write 2: EINTR"):
            done = drive.trace(program, word, plan=plan)
            expected = b"hello, " + word.encode() + b"\n"
            if done.output != expected:
                trouble = f" ({plan})" if plan else ""
                raise Wrong(f"greet {word!r}{trouble} printed {done.output[:60]!r}, "
                            f"not {expected[:60]!r}.",
                            "fd_write_all survives short writes, fd_write does not"
                            if plan else "")
            if done.status != "exit 0":
                raise Wrong(f"greet {word!r} ended with {done.status}, not exit 0.",
                            "what main leaves in x0 is the exit status")
    done = drive.trace(program)
    if done.output or done.status != "exit 2":
        raise Wrong(f"Without an argument it printed {done.output!r} and ended with "
                    f"{done.status}; it should print nothing and end with exit 2.",
                    "x0 is 1 then: the program's own name counts")
    return "13 runs, with short writes and signals."


FUNCTIONS: Final[dict[str, Judge]] = {
    "close_quietly": _close_quietly,
    "fd_read_full": _fd_read_full,
    "greet": _greet,
}
