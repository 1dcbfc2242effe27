"""Start a program: memory, processor, kernel and the first state in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ymawky_kit.darwin.kernel import Kernel
from ymawky_kit.darwin.program import RETURN_STUB, start_program
from ymawky_kit.darwin.trace import TraceSink
from ymawky_kit.emu.cpu import Cpu
from ymawky_kit.emu.loader import load
from ymawky_kit.emu.machine import Machine
from ymawky_kit.emu.memory import Memory
from ymawky_kit.emu.plan import Fault, FaultPlan


def boot(
    program: bytes,
    argv: Sequence[str | bytes] = ("program",),
    env: Mapping[str, str] | None = None,
    *,
    path: str | bytes | None = None,
    slide: int = 0,
    strict: bool = False,
    plan: FaultPlan | Sequence[Fault] | None = None,
    trace: TraceSink | bool | None = None,
    count: bool = True,
    streams: Mapping[int, int] | None = None,
    hold_lock: bool = False,
) -> Machine:
    """Load a Mach-O executable and stop before its first instruction.

    The program's calls act on this process: its descriptors are ours, but for the
    `streams` that are sent elsewhere ({1: fd} captures standard output), and those
    open now beyond 0-2 are hidden from it.  A `fork` forks this Python process.

    `slide` moves the program (16 KiB multiples); `strict` spoils the registers x1-x18
    after each call and checks sp; `plan` makes calls fail; `trace=True` keeps
    every call for `Machine.events`.  Instructions are always counted, exactly:
    `count` is accepted for clarity.  `hold_lock` keeps Python's lock while the guest
    runs, which is faster and stops other threads.

    Raises KitError when macOS would refuse the file.
    """
    del count
    if plan is not None and not isinstance(plan, FaultPlan):
        plan = FaultPlan(plan)
    machine, kernel = assemble_machine(
        program, argv, env, path=path, slide=slide, strict=strict, plan=plan,
        trace=TraceSink() if trace is True else (trace or None), hold_lock=hold_lock,
    )
    kernel.task.files.hidden = frozenset(_open_descriptors())
    kernel.task.files.redirected = dict(streams or {})
    return machine


def assemble_machine(
    program: bytes,
    argv: Sequence[str | bytes],
    env: Mapping[str, str] | None,
    *,
    path: str | bytes | None,
    slide: int,
    strict: bool,
    plan: FaultPlan | None,
    trace: TraceSink | None,
    hold_lock: bool,
    use_native: bool = True,
) -> tuple[Machine, Kernel]:
    """`boot` without the precautions for sharing a process; the kernel too."""
    words = [word.encode() if isinstance(word, str) else word for word in argv]
    variables = [f"{name}={value}".encode() for name, value in (env or {}).items()]
    memory = Memory()
    cpu: Cpu | None = None
    try:
        loaded = load(memory, program, slide=slide)
        cpu = Cpu(memory, hold_lock=hold_lock, use_native=use_native)
        kernel = Kernel(memory, cpu, strict=strict, plan=plan, trace=trace)
        name = path if path is not None else (words[0] if words else b"program")
        start_program(
            kernel, loaded, words, variables, name.encode() if isinstance(name, str) else name
        )
    except BaseException:
        if cpu is not None:
            cpu.close()
        memory.close()
        raise
    return Machine(memory, cpu, kernel, loaded, RETURN_STUB), kernel


def _open_descriptors() -> list[int]:
    directory = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    found = [int(name) for name in os.listdir(directory) if name.isdigit() and int(name) > 2]
    return [fd for fd in found if _is_open(fd)]     # not the one the list was read through


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
