"""Fault plans: make chosen system calls fail or transfer less than asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the `nth` matching call (1 is the first; 0 every one).

    `call` is a name ("write"), or None for any call.  `error` is a Darwin errno;
    with `short` instead, the call runs but moves at most that many bytes.
    `process` restricts it to one process (1 the first, 2 its first child, ...).
    Calls are counted a process, and a forked child goes on with its parent's count.
    """

    call: str | None = None
    nth: int = 1
    error: int | None = None
    short: int | None = None
    process: int | None = None


class FaultPlan:
    """A set of faults with their counters."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        self._seen = [0] * len(self.faults)

    def next(self, name: str, process: int) -> Fault | None:
        """Count a call; the fault it meets, if any."""
        hit: Fault | None = None
        for index, fault in enumerate(self.faults):
            if fault.call is not None and fault.call != name:
                continue
            if fault.process is not None and fault.process != process:
                continue
            self._seen[index] += 1
            if hit is None and fault.nth in (0, self._seen[index]):
                hit = fault
        return hit

    def to_json(self) -> str:
        import json

        return json.dumps([
            [f.call, f.nth, f.error, f.short, f.process] for f in self.faults
        ])

    @classmethod
    def from_json(cls, text: str) -> FaultPlan:
        import json

        return cls(Fault(*fields) for fields in json.loads(text))
