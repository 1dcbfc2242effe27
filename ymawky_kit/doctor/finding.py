"""What the doctor says about one thing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How much a finding matters."""

    GOOD = "ok"
    NOTE = "note"           # the book runs all the same
    PROBLEM = "problem"     # it does not


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `mend` is the one command that cures it."""

    subject: str
    state: State
    text: str
    mend: str | None = None


def good(subject: str, text: str) -> Finding:
    return Finding(subject, State.GOOD, text)


def note(subject: str, text: str, mend: str | None = None) -> Finding:
    return Finding(subject, State.NOTE, text, mend)


def problem(subject: str, text: str, mend: str | None = None) -> Finding:
    return Finding(subject, State.PROBLEM, text, mend)
