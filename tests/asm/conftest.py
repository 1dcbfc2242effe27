"""One machine for all tests of a process, reset before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.contract import Asm


@pytest.fixture(scope="session")
def asm() -> Iterator[Asm]:
    """The whole server.  Tests that run many examples call `asm.reset()` in each."""
    machine = Asm("fork")
    yield machine
    machine.close()


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> None:
    if "asm" in request.fixturenames:
        request.getfixturevalue("asm").reset()
