"""One machine per program, shared by all tests of a process and reset before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.contract import Asm

_machines: dict[str, Asm] = {}


def machine(program: str) -> Asm:
    if program not in _machines:
        _machines[program] = Asm(program)
    _machines[program].reset()
    return _machines[program]


@pytest.fixture
def asm() -> Asm:
    """The whole server."""
    return machine("fork")


@pytest.fixture(scope="session", autouse=True)
def _close_machines() -> Iterator[None]:
    yield
    while _machines:
        _machines.popitem()[1].close()
