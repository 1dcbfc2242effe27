"""Small programs for tests of the emulator: assembled, linked, signed, run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ymawky_kit import macho
from ymawky_kit.asm import assemble
from ymawky_kit.emu.machine import Machine
from ymawky_kit.emu.plan import Fault, FaultPlan
from ymawky_kit.link import link
from ymawky_kit.run import EmulatedRunner, ExitStatus, Process
from ymawky_kit.source import Source

_HEAD = """
.macro call number
    mov     x16, #\\number
    svc     #0x80
.endm
.macro addr register, symbol
    adrp    \\register, \\symbol@PAGE
    add     \\register, \\register, \\symbol@PAGEOFF
.endm
.macro exit value
    mov     x0, \\value
    mov     x16, #1
    svc     #0x80
.endm
// Ends with status `value` unless the condition holds.
.macro expect condition, value
    b.\\condition Lexpect_\\value
    mov     x0, #\\value
    mov     x16, #1
    svc     #0x80
Lexpect_\\value:
.endm
.text
.p2align 2
.globl start
start:
"""

#: Where `system_call` puts its two instructions.
_STUB = 0x3_8000_0000


@cache
def program(text: str) -> bytes:
    """The signed executable of `text`, which begins at its first instruction.

    `text` may use `call NUMBER`, `addr REGISTER, SYMBOL`, `exit VALUE` and
    `expect CONDITION, STATUS`; `.data` and `.bss` come last.
    """
    return macho.build(link([assemble(Source("test.s", _HEAD + text))], identifier="test"))


def boot(text: str = "exit #0", **options: Any) -> Machine:
    """A machine before the program's first instruction."""
    from ymawky_kit.darwin import boot as start

    return start(program(text), **options)


def write(folder: Path, text: str, name: str = "program") -> Path:
    """The program as a file."""
    file = folder / name
    file.write_bytes(program(text))
    file.chmod(0o755)
    return file


def start(
    folder: Path,
    text: str,
    args: Sequence[str] = (),
    *,
    plan: Sequence[Fault] = (),
    runner: EmulatedRunner | None = None,
    **options: Any,
) -> Process:
    """The program as a process of its own; `folder` holds its file."""
    if runner is None:
        runner = EmulatedRunner(plan=FaultPlan(plan).to_json() if plan else None)
    return runner.start(write(folder, text), args, **options)


class Finished:
    """What a program left behind."""

    def __init__(self, status: ExitStatus, output: bytes, errors: str) -> None:
        self.status = status
        self.code = status.code
        self.signal = status.signal
        self.output = output
        self.errors = errors

    def __repr__(self) -> str:
        return f"{self.status} {self.output!r} {self.errors}"


def run(folder: Path, text: str, args: Sequence[str] = (), **options: Any) -> Finished:
    """Run the program to its end, at most 10 seconds."""
    with start(folder, text, args, **options) as process:
        return finish(process)


def finish(process: Process) -> Finished:
    """Wait for a program that `start` made."""
    status = process.wait(10)
    return Finished(status, process.output, process.errors.decode())


def system_call(machine: Machine, number: int, *arguments: int) -> int | str:
    """The result of one system call made by guest code, or the errno's name."""
    from ymawky_kit.darwin.errno import name

    if machine.memory.region(_STUB) is None:
        machine.memory.map(_STUB, 0x4000, 5, 5)
        machine.memory.poke(_STUB, bytes.fromhex("011000d4c0035fd6"))    # svc #0x80; ret
    result = machine.call(_STUB, *arguments, registers={"x16": number & (1 << 64) - 1})
    return name(result.value) if result.carry else result.signed
