"""What the emulator costs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Figure, best, processor_seconds, timed
from ymawky_kit import macho
from ymawky_kit.asm import assemble
from ymawky_kit.darwin import boot
from ymawky_kit.link import link
from ymawky_kit.run import EmulatedRunner
from ymawky_kit.source import Source

_CALLS = 300_000
_PLAIN = 1_000_000_000
_FORKS = 300
_FUNCTION_CALLS = 3_000

_HEAD = """
.macro call number
    mov     x16, #\\number
    svc     #0x80
.endm
.macro times count
    movz    x19, #((\\count) & 0xffff)
    movk    x19, #((\\count) >> 16), lsl #16
.endm
.text
.globl start
start:
"""

_REPEAT = """
Lagain:
{body}
    subs    x19, x19, #1
    b.ne    Lagain
    mov     x0, #0
    call    1
"""

_NULL = """
    adrp    x0, path@PAGE
    add     x0, x0, path@PAGEOFF
    mov     x1, #1
    call    5
    mov     x20, x0
"""

_WRITE = """
    mov     x0, x20
    mov     x1, sp
    mov     x2, #64
    call    4
"""

_WORK = """
    add     x0, x0, #1
    eor     x1, x1, x0
    add     x2, x2, x1, lsl #3
    ldrb    w3, [sp]
    {last}
    cbz     x2, Lagain
"""

_FORK = """
    call    2
    cbnz    x1, Lchild
    mov     x0, #-1
    mov     x1, #0
    mov     x2, #0
    mov     x3, #0
    call    7
"""

_CHILD = """
Lchild:
    mov     x0, #0
    call    1
"""

_COUNT_ZEROS = """
    mov     x0, #0
    call    1
.globl text_length
text_length:
    mov     x1, x0
Lnext:
    ldrb    w2, [x1], #1
    cbnz    w2, Lnext
    sub     x0, x1, x0
    sub     x0, x0, #1
    ret
"""


def program(text: str) -> bytes:
    """A signed executable that begins with `text`."""
    return macho.build(link([assemble(Source("bench.s", _HEAD + text))], identifier="bench"))


def loop(count: int, body: str, before: str = "", after: str = "") -> bytes:
    """A program that does `body` so many times."""
    return program(f"    times {count}\n" + before + _REPEAT.format(body=body) + after)


def seconds(folder: Path, data: bytes) -> float:
    """Processor time of one run in a process of its own, start included."""
    file = folder / "program"
    file.write_bytes(data)

    def once() -> float:
        began = processor_seconds()
        with EmulatedRunner().start(file) as process:
            status = process.wait(120)
            if status.code or status.signal:
                raise RuntimeError(f"the program failed: {status} {process.errors!r}")
        return processor_seconds() - began

    return best(once)


def figures() -> Iterator[Figure]:
    """Everything about the emulator."""
    with tempfile.TemporaryDirectory(prefix="ymawky-bench-") as name:
        folder = Path(name)
        start = seconds(folder, program("    mov x0, #0\n    call 1\n"))
        yield Figure("start and end of an emulated process", start * 1e3, "ms")
        taken = seconds(folder, loop(_CALLS, "    call 20")) - start
        yield Figure("system call, getpid", taken / _CALLS * 1e6, "µs", 6, at_most=True)
        path = '\n.data\npath: .asciz "/dev/null"\n'
        taken = seconds(folder, loop(_CALLS, _WRITE, _NULL, path)) - start
        yield Figure("system call, write of 64 bytes", taken / _CALLS * 1e6, "µs", 6, at_most=True)
        for name, last, wanted in (
            ("instructions, counted exactly", "add x3, x3, x2", 200),
            # Unicorn takes its slow path for every store.
            ("the same, every eighth a store", "str x2, [sp, #-16]", None),
        ):
            taken = seconds(folder, loop(_PLAIN // 8, _WORK.format(last=last))) - start
            yield Figure(name, _PLAIN / taken / 1e6, "million/s", wanted)
        taken = seconds(folder, loop(_FORKS, _FORK, after=_CHILD)) - start
        yield Figure(
            "fork, exit and wait4", taken / _FORKS * 1e6, "µs",
            peer=f"{_host_fork() * 1e6:,.0f} µs for a bare Python process",
        )
    yield Figure("calls of one function, memory restored", _function_calls(), "calls/s", 2_000)


def _host_fork() -> float:
    def once() -> None:
        for _ in range(_FORKS):
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)

    return best(lambda: timed(once)) / _FORKS


def _function_calls() -> float:
    with boot(program(_COUNT_ZEROS)) as machine:
        snapshot = machine.snapshot()

        def once() -> None:
            for _ in range(_FUNCTION_CALLS):
                machine.restore(snapshot)
                machine.call("text_length", machine.alloc(b"twelve bytes\0"))

        return _FUNCTION_CALLS / best(lambda: timed(once))
