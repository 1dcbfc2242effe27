"""`inspect`: which instructions of a function read which bytes of a text."""

from __future__ import annotations

from contextlib import ExitStack

from ymawky_kit.darwin.program import RETURN_STUB
from ymawky_kit.lab import drive
from ymawky_kit.lab.drive import Argument
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.lab.trying import note_recording
from ymawky_kit.lab.workbench import tidy
from ymawky_kit.source import KitError
from ymawky_kit.view.core import count
from ymawky_kit.view.reads import Reader, Reads

#: Instructions of one inspection; each is run by itself.
INSPECT_LIMIT = 20_000


def inspect(function: str, *arguments: Argument) -> Reads:
    """Call a function as `call` does, and note who reads each byte of a text.

    The text is the first argument that is `bytes`; the loads of the functions that it
    calls count as well.  Raises :class:`KitError` when there is no such argument, or
    when the function does not return.
    """
    which = next((n for n, a in enumerate(arguments) if isinstance(a, bytes) and a), None)
    if which is None:
        raise KitError.of("inspect needs some bytes to look at",
                          hint='inspect("text_same", b"HOST", b"host", 4)')
    data = arguments[which]
    assert isinstance(data, bytes)
    program = BENCH.build_around(function)
    seen: list[tuple[int, int]] = []
    readers: dict[str, int] = {}
    legend: list[Reader] = []
    by_byte: list[list[int]] = [[] for _ in data]
    steps = 0
    reached: set[int] = set()
    with ExitStack() as stack:
        caught = stack.enter_context(drive.streams())
        machine = stack.enter_context(drive.boot_program(program, [], caught, None))
        numbers = [a if isinstance(a, int) else
                   machine.alloc(drive.as_bytes(a), guard="end") for a in arguments]
        start = numbers[which]
        drive.enter(machine, function, numbers)
        stack.callback(machine.cpu.watch_reads(lambda address, size: seen.append((address, size))))
        pc = machine.address(function)
        while pc != RETURN_STUB:
            seen.clear()
            reached.add(pc)
            event = machine.step() if steps < INSPECT_LIMIT else None
            if event is None:
                where = machine.symbols.describe(pc)
                raise KitError.of(f"{drive.shown(function, arguments)} did not return: at {where}",
                                  hint="step() shows where it went wrong")
            steps += 1
            for address, size in seen:
                for at in range(max(address - start, 0), min(address - start + size, len(data))):
                    place = _place(machine.symbols.nearest(pc))
                    if place not in readers:
                        readers[place] = len(readers) + 1
                        legend.append(Reader(place, tidy(event.text)))
                    if readers[place] not in by_byte[at]:
                        by_byte[at].append(readers[place])
            pc = event.pc
    note_recording(program, function, reached)
    return Reads(f"{function}, a text of {count(len(data), 'byte')}", data, legend, by_byte,
                 f"Returned after {count(steps, 'instruction')}.")


def _place(found: tuple[str, int] | None) -> str:
    if found is None:
        return "?"
    return f"{found[0]}+{found[1]:#x}" if found[1] else found[0]
