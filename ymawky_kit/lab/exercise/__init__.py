"""`check`: does the reader's answer to an exercise hold?

A judge calls the answer with many inputs and compares with one line of Python, so
every right answer passes, however it is written.  A function is also held to the
contract of the book: x19 to x29 and sp come back as they were, and nothing is read
or written outside what was given.  The first thing that is wrong is said, with the
input that shows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final

from ymawky_kit.lab.covering import uncounted
from ymawky_kit.lab.exercise.grading import Judge, Mark, PythonJudge, Wrong
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.lab.trying import untried
from ymawky_kit.source import KitError

__all__ = ["Mark", "check", "judges"]

_COMMENT: Final = re.compile(r"//.*|\"(?:[^\"\\]|\\.)*\"")
_X18: Final = re.compile(r"\b[xw]18\b", re.IGNORECASE)


def judges() -> tuple[dict[str, Judge], dict[str, PythonJudge]]:
    """The exercises in assembly and those in Python, in the order of the chapters.

    Each module `chapterNN` of this package has a table FUNCTIONS, PYTHON, or both.
    """
    functions: dict[str, Judge] = {}
    python: dict[str, PythonJudge] = {}
    for name in sorted(m.name for m in iter_modules(__path__) if m.name.startswith("chapter")):
        module = import_module(f"{__name__}.{name}")
        functions |= getattr(module, "FUNCTIONS", {})
        python |= getattr(module, "PYTHON", {})
    return functions, python


def check(name: str, answer: Callable[..., Any] | None = None) -> Mark:
    """Check the answer to an exercise: the cell `%%asm name`, or a Python function.

    Raises :class:`KitError` when there is no such exercise or no answer to it yet.
    """
    with uncounted(), untried():
        return _check(name, answer)


def _check(name: str, answer: Callable[..., Any] | None) -> Mark:
    functions, python = judges()
    try:
        if name in python:
            if answer is None:
                raise KitError.of(f"check('{name}') needs your function as well",
                                  hint=f"check('{name}', {name})")
            return Mark(name, True, python[name](answer))
        if name not in functions:
            raise KitError.of(f"there is no exercise '{name}'",
                              hint=f"there are: {', '.join([*functions, *python])}")
        if name not in BENCH.free:
            raise KitError.of(f"there is no answer to '{name}' yet",
                              hint=f"run the cell that begins with %%asm {name}")
        if _X18.search(_COMMENT.sub("", BENCH.free[name])):
            raise Wrong("It uses x18, which belongs to the system.",
                        "macOS may set x18 to 0 between any two instructions: take x9 to x15, "
                        "or x19 to x28 and save it")
        return Mark(name, True, functions[name](name))
    except Wrong as wrong:
        return Mark(name, False, str(wrong), wrong.hint)
