"""What a rule is, and what comes of a broken one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from ymawky_kit.macho.check.file import File

Judge = Literal["kernel", "dyld", "tools"]
Test = Callable[[File], Iterator[str]]

#: A file that breaks one rule a thousand times is as clear after these.
_MOST: Final = 8


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that a file breaks."""

    rule: str           # "pie"
    message: str        # what is wrong, with its numbers
    refused_by: Judge   # "tools": it runs, but codesign, dyld_info or debuggers complain
    source: str         # where that is decided

    def __str__(self) -> str:
        return f"{self.message} [{self.rule}; {self.refused_by}: {self.source}]"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its test yields a message for each way in which the file breaks it."""

    name: str
    refused_by: Judge
    source: str
    test: Test

    @property
    def meaning(self) -> str:
        """The rule in a sentence."""
        return (self.test.__doc__ or "").strip()

    def problems(self, file: File) -> Iterator[Problem]:
        for message in islice(self.test(file), _MOST):
            yield Problem(self.name, message, self.refused_by, self.source)


class Rules:
    """The rules of one module, in the order in which they are written."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def add(self, name: str, refused_by: Judge, source: str) -> Callable[[Test], Test]:
        """Decorate the test of a rule."""
        def note(test: Test) -> Test:
            self._rules.append(Rule(name, refused_by, source, test))
            return test
        return note

    @property
    def all(self) -> tuple[Rule, ...]:
        return tuple(self._rules)
