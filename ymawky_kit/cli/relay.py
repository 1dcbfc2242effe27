"""Ctrl-C and its like, handed on to the program that runs."""

from __future__ import annotations

import signal
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ymawky_kit.run import Process

_STOP: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Relay:
    """Hands the signals that ask us to stop to a program in a session of its own.

    The first one lets it end in its own way, so a server finishes what it is
    doing; a second one ends it at once.  A terminal that closes (SIGHUP) asks as
    SIGTERM does: to some servers a hang-up means something else.
    """

    def __init__(self) -> None:
        self._process: Process | None = None
        self._asked: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Relay:
        self._before = {number: signal.signal(number, self._ask) for number in _STOP}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def to(self, process: Process) -> None:
        """The program to tell; it is told what was asked before it was started, too."""
        self._process = process
        for number in self._asked[:1]:
            process.send_signal(number)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            number = signal.SIGTERM
        self._asked.append(number)
        if self._process is not None:
            self._process.send_signal(number if len(self._asked) == 1 else signal.SIGKILL)
