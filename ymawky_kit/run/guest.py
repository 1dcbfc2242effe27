"""The emulated process: `python -m ymawky_kit.run.guest [options] FILE [ARGS]`.

This Python process becomes the guest: same pid, same descriptors, same death.
Options (all optional, before FILE):

  --trace=FD         append every system call as a line of JSON to this open file
  --entries          with --trace: write each call when it begins as well
  --cover=FD         note in this open file which instructions ran, see emu/native.py
  --plan=JSON        a fault plan
  --slide=N          move the program by N bytes
  --strict           spoil registers at calls, check sp
  --plain            do without host machine code, as on hosts we have none for
  --quiet            no report when a fault kills the program
  --argv0=TEXT       what the program sees as its own name
  --without=NAME     a variable that Python itself has put into the environment
  --token=TEXT       nothing; a mark by which the runner finds this process's forks
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from ymawky_kit.emu.machine import Machine

#: How a shell says "cannot execute" and "not found".
CANNOT_RUN: Final = 126
NOT_FOUND: Final = 127


@dataclass(slots=True)
class Options:
    """The command line of the emulated process."""

    program: str
    arguments: list[str]
    trace: int | None = None
    entries: bool = False
    cover: int | None = None
    plan: str | None = None
    slide: int = 0
    strict: bool = False
    plain: bool = False
    quiet: bool = False
    name: str | None = None
    token: str | None = None
    without: str | None = None

    @classmethod
    def parse(cls, words: list[str]) -> Options:
        """Raises ValueError for what it does not know."""
        options = cls("", [])
        for index, word in enumerate(words):
            if not word.startswith("--"):
                options.program = word
                options.arguments = words[index + 1:]
                return options
            key, _, value = word.partition("=")
            if key == "--trace":
                options.trace = int(value)
            elif key == "--entries":
                options.entries = True
            elif key == "--cover":
                options.cover = int(value)
            elif key == "--plan":
                options.plan = value
            elif key == "--slide":
                options.slide = int(value, 0)
            elif key == "--strict":
                options.strict = True
            elif key == "--plain":
                options.plain = True
            elif key == "--quiet":
                options.quiet = True
            elif key == "--argv0":
                options.name = value
            elif key == "--token":
                options.token = value
            elif key == "--without":
                options.without = value
            else:
                raise ValueError(f"unknown option {word}")
        raise ValueError("no program given")

    def words(self) -> list[str]:
        """The command line again."""
        found = []
        if self.trace is not None:
            found.append(f"--trace={self.trace}")
        if self.entries:
            found.append("--entries")
        if self.cover is not None:
            found.append(f"--cover={self.cover}")
        if self.plan is not None:
            found.append(f"--plan={self.plan}")
        if self.slide:
            found.append(f"--slide={self.slide:#x}")
        if self.strict:
            found.append("--strict")
        if self.plain:
            found.append("--plain")
        if self.quiet:
            found.append("--quiet")
        if self.name is not None:
            found.append(f"--argv0={self.name}")
        if self.token is not None:
            found.append(f"--token={self.token}")
        if self.without is not None:
            found.append(f"--without={self.without}")
        return [*found, self.program, *self.arguments]


def main(words: list[str]) -> NoReturn:
    """Become the program; ends the process as the program ends."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)    # Ctrl-C ends it, without a traceback
    try:
        options = Options.parse(words)
    except ValueError as error:
        _fail(str(error), 64)
    try:
        data = Path(options.program).read_bytes()
    except OSError as error:
        _fail(f"{options.program}: {error.strerror}",
              NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN)
    from ymawky_kit.darwin.lifetime import finish
    from ymawky_kit.emu.exit import ProcessEnd
    from ymawky_kit.source import KitError

    try:
        machine = _boot(options, data)
    except KitError as error:
        # exec of a file that macOS refuses ends in SIGKILL; say why first.
        os.write(2, f"ymawky: {options.program}: not started\n{error}\n".encode())
        finish(ProcessEnd(signal=9))
    gc.disable()    # what is garbage here is little, and a forked child would copy the heap
    try:
        while True:
            machine.kernel.settle(machine.cpu.run())
    except Exception as error:
        # A mistake of the emulator, not of the program: end as one process, in one line.
        if os.environ.get("YMAWKY_DEBUG"):
            raise
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = "" if frame is None else (
            f" ({Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno})"
        )
        _fail(f"the emulator failed: {type(error).__name__}: {error}{place}; "
              "YMAWKY_DEBUG=1 shows more", 70)


def _boot(options: Options, data: bytes) -> Machine:
    from ymawky_kit.darwin.lifetime import take_over
    from ymawky_kit.darwin.startup import assemble_machine
    from ymawky_kit.darwin.trace import TraceSink
    from ymawky_kit.emu.native import shared_table
    from ymawky_kit.emu.plan import FaultPlan

    # First of all: its descriptor must be gone before the guest counts its own.
    table = shared_table(options.cover) if options.cover is not None else None
    trace = TraceSink(options.trace, entries=options.entries) \
        if options.trace is not None else None
    name = options.name if options.name is not None else options.program
    machine, kernel = assemble_machine(
        data,
        [os.fsencode(word) for word in (name, *options.arguments)],
        {name: value for name, value in os.environ.items() if name != options.without},
        path=os.fsencode(options.program),
        slide=options.slide,
        strict=options.strict,
        plan=FaultPlan.from_json(options.plan) if options.plan is not None else None,
        trace=trace,
        hold_lock=True,
        use_native=not options.plain,
    )
    if table is not None:
        machine.cover(table)
    kernel.report = not options.quiet
    take_over(kernel, trace)
    return machine


def _fail(text: str, status: int) -> NoReturn:
    os.write(2, f"ymawky: {text}\n".encode())
    os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
