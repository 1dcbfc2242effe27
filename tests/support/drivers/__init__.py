"""Drivers: a small function for each function of src/asm, which calls the one it is named for.

tests/asm/test_contracts.py runs them.  Where two modules give a function of the same
name, MODULE__NAME drives that of one module: `http_range__range_apply`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.contract import Asm

Driver = Callable[[Asm, Path], None]

DRIVERS: dict[str, Driver] = {}


def driver(function: Driver) -> Driver:
    assert function.__name__ not in DRIVERS, f"two drivers for {function.__name__}"
    DRIVERS[function.__name__] = function
    return function
