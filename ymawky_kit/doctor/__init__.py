"""`ymawky doctor`: what works here, what does not, and the one command that mends it."""

from __future__ import annotations

from collections.abc import Iterator

from ymawky_kit.doctor import checks, keystone
from ymawky_kit.doctor.finding import Finding, State
from ymawky_kit.doctor.machine import Here, Machine, Outcome

__all__ = ["Finding", "Here", "Machine", "Outcome", "State", "examine", "healthy"]


def examine(machine: Machine | None = None) -> Iterator[Finding]:
    """Look at one thing after the other; each finding comes as soon as it is known."""
    asked = machine if machine is not None else Here()
    yield checks.python(asked)
    yield checks.environment(asked)
    yield checks.sources(asked)
    first, second = keystone.check(asked), checks.clang(asked)
    encoder = State.GOOD in (first.state, second.state)
    yield first if encoder else keystone.without_any_encoder(first)
    yield second
    emulator = checks.unicorn(asked)
    yield emulator
    yield checks.capstone(asked)
    yield checks.running(asked)
    yield checks.port(asked)
    if encoder and emulator.state is not State.PROBLEM:
        yield checks.answer(asked)


def healthy(findings: list[Finding]) -> bool:
    """Whether the book runs here."""
    return all(finding.state is not State.PROBLEM for finding in findings)
