"""How a process ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """The exit status, or the number of the signal that killed the process."""

    code: int = 0
    signal: int = 0         # Darwin's number; 0 when it called exit

    def __str__(self) -> str:
        return f"killed by signal {self.signal}" if self.signal else f"exit {self.code}"


class ProcessEnd(BaseException):
    """Raised through the emulator when the guest process is over."""

    def __init__(self, status: int = 0, signal: int = 0) -> None:
        self.status = status
        self.signal = signal
        super().__init__(f"signal {signal}" if signal else f"exit {status}")

    @property
    def exit_status(self) -> ExitStatus:
        return ExitStatus(0 if self.signal else self.status, self.signal)
