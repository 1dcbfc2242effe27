"""Answers to the exercises of the book, right ones and wrong ones, one module a chapter.

A module `chapterNN` may have:

ANOTHER_WAY   exercise -> an answer in assembly that is right and not the appendix's
WRONG         exercise, what is wrong, the answer, a piece of what the check must say
WRONG_PYTHON  exercise, a Python function, a piece of what the check must say
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

Wrong = tuple[str, str, Callable[[], str], str]
WrongPython = tuple[str, Callable[..., Any], str]

_SOLUTIONS = Path(__file__).resolve().parents[3] / "book" / "appendix" / "solutions.md"


@cache
def solutions() -> dict[str, str]:
    """Exercise -> the code of its answer in the appendix."""
    text = _SOLUTIONS.read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        name = part.split("\n", 1)[0].strip()
        code = re.search(r"```\{code-block\} \w+\n(.*?)```", part, re.DOTALL)
        assert code is not None, name
        found[name] = code[1]
    return found


def change(name: str, old: str, new: str) -> str:
    """The appendix's answer with one piece changed."""
    text = solutions()[name]
    assert old in text, (name, old)
    return text.replace(old, new, 1)


def another_ways() -> dict[str, str]:
    return {name: text for module in _modules()
            for name, text in getattr(module, "ANOTHER_WAY", {}).items()}


def wrong_ones() -> list[Wrong]:
    return [row for module in _modules() for row in getattr(module, "WRONG", [])]


def wrong_python_ones() -> list[WrongPython]:
    return [row for module in _modules() for row in getattr(module, "WRONG_PYTHON", [])]


def _modules() -> list[Any]:
    return [import_module(f"{__name__}.{m.name}") for m in iter_modules(__path__)]
