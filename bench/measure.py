"""How a figure is taken and shown."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number, what was wanted of it, and a peer's if there is one."""

    name: str
    value: float
    unit: str
    wanted: float | None = None
    at_most: bool = False       # the target is an upper bound
    peer: str = ""              # a peer measured in the same run, with its figure

    @property
    def reached(self) -> bool:
        if self.wanted is None:
            return True
        return self.value <= self.wanted if self.at_most else self.value >= self.wanted

    def __str__(self) -> str:
        target = ""
        if self.wanted is not None:
            sign = "<=" if self.at_most else ">="
            target = f"{sign} {self.wanted:,.0f}" + ("" if self.reached else "  missed")
        return f"{self.name:<44} {self.value:>12,.1f} {self.unit:<14} {target:<18} {self.peer}"


def best(work: Callable[[], float], rounds: int = 3) -> float:
    """The smallest of several durations in seconds: the one least disturbed."""
    return min(work() for _ in range(rounds))


def processor_seconds() -> float:
    """Processor time of this process and of the children it has collected."""
    mine, theirs = (resource.getrusage(who) for who in (
        resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN,
    ))
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
