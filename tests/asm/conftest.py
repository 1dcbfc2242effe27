"""One machine a program for all tests of a process, reset before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.contract import Asm


@pytest.fixture(scope="session")
def machines() -> Iterator[dict[str, Asm]]:
    started: dict[str, Asm] = {}
    yield started
    for machine in started.values():
        machine.close()


@pytest.fixture(scope="module")
def asm(request: pytest.FixtureRequest, machines: dict[str, Asm]) -> Asm:
    """The server of the file's `PROGRAM`, chapter 10's unless it says so.

    Tests that run many examples call `asm.reset()` in each.
    """
    program = getattr(request.module, "PROGRAM", "fork")
    if program not in machines:
        machines[program] = Asm(program)
    return machines[program]


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> None:
    if "asm" in request.fixturenames:
        request.getfixturevalue("asm").reset()
