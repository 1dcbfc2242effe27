"""What a run leaves behind for people to look at: steps and system calls.

Plain frozen data; views and the trace player read it, `to_json`/`from_json` carry
it between processes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class SyscallEvent:
    """One system call, as it returned (or as it began, when it never returns)."""

    process: int                # 1 is the first process, 2 its first child, ...
    number: int                 # negative for a Mach trap
    name: str
    arguments: tuple[str, ...]  # decoded, as C would write them
    result: int | None          # x0 on success; None on failure and without return
    error: str | None           # errno name on failure
    second: int                 # x1 when the call gives two values (fork, pipe), else 0
    instructions: int           # executed by this process since its previous call, svc included
    total: int                  # executed by this process since it began
    pc: int                     # of the svc
    data: bytes = b""           # what was read or written, at most 64 bytes
    injected: bool = False      # a fault plan made it fail or short
    entered: bool = False       # the process is in this call: it has not returned yet

    @property
    def text(self) -> str:
        """One line: `read(4, "GET / HT"..., 8192) = 78`."""
        call = f"{self.name}({', '.join(self.arguments)})"
        if self.error is not None:
            call += f" = {self.error}"
        elif self.result is not None:
            shown = self.result
            if shown >= 1 << 63:
                shown -= 1 << 64
            value = hex(shown) if shown >= 1 << 32 else str(shown)
            call += f" = {value}"
            if self.second:
                call += f", {self.second}"
        return call + ("  (injected)" if self.injected else "")

    def to_json(self) -> str:
        """One line of JSON."""
        import json  # slow to load, and most processes are not traced

        known: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        known["data"] = self.data.hex()
        return json.dumps(known, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str | bytes) -> SyscallEvent:
        """The event of one line that `to_json` made."""
        import json

        known: dict[str, Any] = json.loads(line)
        known["arguments"] = tuple(known["arguments"])
        known["data"] = bytes.fromhex(known["data"])
        return cls(**known)


#: asdict would copy each value, a quarter of the time that a traced call takes.
_FIELDS: Final = tuple(one.name for one in fields(SyscallEvent))


@dataclass(frozen=True, slots=True)
class StepEvent:
    """One instruction executed."""

    address: int
    word: int                               # the instruction's 32 bits
    text: str                               # its disassembly
    changed: dict[str, int]                 # register -> new value, pc left out
    writes: tuple[tuple[int, bytes], ...]   # memory stores: address, bytes
    pc: int                                 # where execution goes on
    syscall: SyscallEvent | None = None     # when the instruction was an svc
