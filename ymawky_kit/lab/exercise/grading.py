"""What the judges of the exercises share: a hand that calls the answer, and verdicts.

A judge takes the name of an answer (or a Python function), tries it, and returns a
sentence that says what was tried; it raises Wrong for the first thing that does not
hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from ymawky_kit.emu.cpu import REGISTER_NAMES, Reason
from ymawky_kit.emu.machine import CallFault, CallResult, Machine
from ymawky_kit.emu.memory import PAGE
from ymawky_kit.lab import drive
from ymawky_kit.lab.drive import Argument, Called, Plan
from ymawky_kit.lab.family import Family
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.lab.workbench import Program
from ymawky_kit.view.core import View, esc, tag
from ymawky_kit.view.registers import value

#: A judge of a function or a program in assembly, by the name of its cell.
Judge = Callable[[str], str]
#: A judge of a function in Python.
PythonJudge = Callable[[Callable[..., Any]], str]

#: The commonest slip of all.
CARRY_LAST: Final = "cmp changes C as well: carry_clear or carry_set comes last"
_KEPT: Final = tuple(f"x{n}" for n in range(19, 30))
_CALL_LIMIT: Final = 200_000
_SP: Final = REGISTER_NAMES.index("sp")
#: Bytes above sp, which belong to whoever called, and in front of a buffer, which nobody gave.
_AROUND: Final = 64
_JUNK: Final = bytes(range(0xA0, 0xA0 + _AROUND))

#: 64-bit numbers at which functions go wrong.
EDGES: Final = (0, 1, 2, 41, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1,
                 1 << 63, (1 << 64) - 2, (1 << 64) - 1)


class Wrong(Exception):
    """An answer that does not hold; `hint` says where to look."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Mark(View):
    """The result of a check."""

    def __init__(self, name: str, right: bool, message: str, hint: str = "") -> None:
        self.name = name
        self.right = right
        self.message = message
        self.hint = hint

    def text(self) -> str:
        head = f"{self.name}: {'right' if self.right else 'not yet'}. {self.message}"
        return f"{head}\nhint: {self.hint}" if self.hint else head

    def html(self) -> str:
        sign = "✓ right. " if self.right else "not yet. "
        parts = [tag("p", tag("code", esc(self.name)), ": ", tag("b", sign), esc(self.message),
                     class_="yk-ok" if self.right else "yk-bad")]
        if self.hint:
            parts.append(tag("p", esc(f"hint: {self.hint}"), class_="yk-note"))
        return tag("div", *parts, class_="yk")


class Hand:
    """Calls one function again and again, each time in the same fresh machine.

    A child that the function forks ends where the function returns.
    """

    def __init__(self, function: str, machine: Machine, family: Family) -> None:
        self.function = function
        self.machine = machine
        self.family = family
        self.clean = machine.snapshot()
        self.stack = machine.entry_stack
        self.above = machine.memory.peek(self.stack, _AROUND)
        self.asked = 0

    def ask(self, *arguments: Argument) -> tuple[CallResult, list[bytes]]:
        """The result and what the buffers hold afterwards; raises Wrong for a broken contract."""
        machine = self.machine
        machine.restore(self.clean)
        self.asked += 1
        shown = drive.shown(self.function, arguments)
        numbers: list[int] = []
        blocks: list[tuple[int, int]] = []
        fronts: list[int] = []
        for argument in arguments:
            if isinstance(argument, int):
                numbers.append(argument)
            else:
                data = drive.as_bytes(argument)
                address = machine.alloc(data, guard="end")
                numbers.append(address)
                blocks.append((address, len(data)))
                if not data or -len(data) % PAGE >= _AROUND:
                    machine.memory.poke(address - _AROUND, _JUNK)
                    fronts.append(address - _AROUND)
        try:
            result = machine.call(self.function, *numbers, limit=_CALL_LIMIT)
            self.family.hand_over(None)
        except CallFault as fault:
            self.family.hand_over(None)
            raise Wrong(f"{shown} did not return: {fault}.",
                        self._fault_hint(fault, _again(self.function, arguments))) from None
        for name in (*_KEPT, "sp"):
            n = REGISTER_NAMES.index(name)
            if result.before[n] != result.after[n]:
                raise Wrong(
                    f"{shown} changed {name} from {value(result.before[n])} "
                    f"to {value(result.after[n])}.",
                    "sp must come back as it was: what the frame takes, it gives back"
                    if name == "sp" else
                    f"{name} belongs to the caller: save it first and restore it, "
                    "or use x9 to x15")
        if machine.memory.peek(self.stack, _AROUND) != self.above:
            raise Wrong(f"{shown} wrote above sp, where the stack is its caller's.",
                        "make a frame first: sub sp, sp, #16, or stp with !")
        for address in fronts:
            if machine.memory.peek(address, _AROUND) != _JUNK:
                raise Wrong(f"{shown} wrote in front of a buffer.",
                            "the first byte of a buffer is the one that its address says")
        return result, [machine.memory.peek(address, size) for address, size in blocks]

    def _fault_hint(self, fault: CallFault, again: str) -> str:
        if fault.stop.reason is Reason.ALIGNMENT and self.machine.cpu.snapshot()[_SP] % 16:
            return "sp must be a multiple of 16 whenever memory is reached through it"
        if fault.stop.reason is Reason.LIMIT:
            return ("a loop without an end, or a bl without a frame: bl overwrites x30, "
                    f"and ret goes back behind that bl again and again; step({again})")
        return f"watch it: step({again})"

    def value(self, *arguments: Argument) -> int:
        return self.ask(*arguments)[0].value

    def expect(self, expected: int, *arguments: Argument,
               guess: Callable[[int], str] = lambda got: "") -> None:
        """x0 must be `expected`; `guess` may say what a wrong value hints at."""
        got = self.value(*arguments)
        if got != expected:
            raise Wrong(f"{drive.shown(self.function, arguments)} gave {value(got)}, "
                        f"not {value(expected)}.",
                        guess(got) or f"watch it: step({_again(self.function, arguments)})")


def _again(function: str, arguments: Sequence[Argument]) -> str:
    shown = (repr(a) if not isinstance(a, int) else str(a) for a in arguments)
    return ", ".join([repr(function), *shown])


@contextmanager
def trial(function: str, plan: Plan = None, stdin: bytes = b"",
          program: Program | None = None) -> Iterator[Hand]:
    """A hand for the answer `function`, in a machine that spoils what calls may change.

    `program` holds the function, when the kit shall not make one around it.
    """
    program = program or BENCH.build_around(function)
    with drive.streams(stdin) as files, Family() as family, \
            drive.boot_program(program, [], files, plan, strict=True) as machine, \
            family.over(machine):
        try:
            yield Hand(function, machine, family)
        finally:
            if not family.is_child:
                family.gather()


def outcome(result: CallResult | Called) -> str:
    """Carry and x0 in words."""
    return f"C {'set' if result.carry else 'clear'}, x0 = {value(result.value)}"


def answer_of(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a Python answer; an exception in it is a wrong answer."""
    try:
        return function(*arguments)
    except Exception as error:
        raise Wrong(f"It raised {type(error).__name__}: {error}") from None


def shown_number(got: Any) -> str:
    """What a Python answer gave, a number in hexadecimal."""
    return hex(got) if isinstance(got, int) else repr(got)
