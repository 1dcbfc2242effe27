"""The five-line contracts of the assembly, read from the sources and enforced.

Every function of src/asm is preceded by a comment that says what it takes, what it
gives back and what it spoils.  :class:`Asm` calls a function with random registers
and fails when it did anything the comment does not allow.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ymawky_kit import chapters
from ymawky_kit.darwin import boot
from ymawky_kit.emu.machine import CallResult, Machine, Snapshot
from ymawky_kit.emu.plan import FaultPlan
from ymawky_kit.paths import asm_root
from ymawky_kit.source import Source

_FUNC = re.compile(r"^func (\w+)$")
_PART = re.compile(r"^//   (In|Out|Clob|Frame) +(.*)$")
_REGISTERS = re.compile(r"\b([xvw])(\d+)(?:-[xv](\d+))?\b")

#: Registers that stay below the caller's sp while a function runs, and its canary.
_STACK_SIZE = 65536
_CANARY_SIZE = 256
#: Descriptors a test may have had; 256 is what a program on macOS gets.
_FILES = 256


@dataclass(frozen=True)
class Contract:
    """What a function promises, as its comment says it."""

    module: str                     # "lib/number"
    name: str
    summary: str
    takes: str                      # the text of In
    gives: str                      # the text of Out
    clobbers: str                   # the text of Clob
    frame: str
    roles: str                      # the last line: what each register holds
    body: tuple[str, ...]           # lines behind `func`, comments and labels included

    @property
    def returns(self) -> bool:
        return not self.gives.startswith("does not return")

    @property
    def results(self) -> frozenset[str]:
        return registers(self.gives)

    @property
    def may_change(self) -> frozenset[str]:
        """Registers that may differ after the call."""
        if self.clobbers.startswith("all"):
            return frozenset([*(f"x{n}" for n in range(31)), *(f"v{n}" for n in range(32))])
        return registers(self.clobbers) | self.results

    @property
    def carry_means_something(self) -> bool:
        return "C set:" in self.gives

    @property
    def frame_size(self) -> int:
        found = re.match(r"\d+", self.frame)
        return int(found[0]) if found else 0

    @property
    def instructions(self) -> tuple[str, ...]:
        """The instructions of the body, without comments."""
        lines = (line.split("//")[0].strip() for line in self.body)
        return tuple(line for line in lines if line and not line.endswith(":"))


def registers(text: str) -> frozenset[str]:
    """The registers that a text names, ranges spread out: x3-x5 is x3, x4, x5."""
    names = set()
    for kind, first, last in _REGISTERS.findall(text):
        kind = "x" if kind == "w" else kind
        names |= {f"{kind}{n}" for n in range(int(first), int(last or first) + 1)}
    return frozenset(names)


def modules() -> list[str]:
    """Every module of src/asm, as chapters.toml names it."""
    root = asm_root()
    return sorted(
        str(path.relative_to(root).with_suffix("")).replace("platform/darwin/", "platform/")
        for path in root.rglob("*.s")
    )


def path_of(module: str) -> Path:
    return asm_root() / (module.replace("platform/", "platform/darwin/") + ".s")


@cache
def contracts(module: str) -> tuple[Contract, ...]:
    """The contracts of a module, in the order of the file."""
    lines = path_of(module).read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines) if _FUNC.match(line)]
    return tuple(_contract(module, lines, start) for start in starts)


def _contract(module: str, lines: list[str], start: int) -> Contract:
    name = lines[start].split()[1]
    first = start
    while lines[first - 1].startswith("//"):
        first -= 1
    comment = lines[first:start]
    head = comment[0]
    assert head.startswith(f"// {name} - "), f"{module}: no contract right above func {name}"
    parts = {"In": "", "Out": "", "Clob": "", "Frame": "", "roles": ""}
    part = ""
    for line in comment[1:]:
        found = _PART.match(line)
        if found:
            part = found[1]
            parts[part] = found[2]
        elif line == "//":
            part = "roles" if part == "Frame" else ""
        elif part:
            parts[part] += " " + line.removeprefix("//").strip()
    for part, text in parts.items():
        assert text, f"{module}: {name} has no {part} line"
    end = start + 1
    while end < len(lines) and not _starts_something(lines, end):
        end += 1
    return Contract(
        module, name, head.removeprefix(f"// {name} - "), parts["In"], parts["Out"],
        parts["Clob"], parts["Frame"], parts["roles"].strip(), tuple(lines[start + 1:end]),
    )


def _starts_something(lines: list[str], at: int) -> bool:
    line = lines[at]
    return bool(
        _FUNC.match(line) or line in ("rodata", ".bss", ".data") or re.match(r"// \w+ - ", line)
    )


def everything() -> Iterator[Contract]:
    """Every function of every module."""
    for module in modules():
        yield from contracts(module)


def program_with(module: str) -> str:
    """The last program that holds a module."""
    for program in reversed(chapters.load().values()):
        if module in program.modules:
            return program.name
    raise LookupError(f"no program of chapters.toml has {module}")


class Asm:
    """One program of the book, ready to have its functions called.

    `call` checks the contract each time; the rest is what tests need around it.
    """

    def __init__(
        self, program: str = "fork", *, seed: int = 1, overrides: dict[str, Source] | None = None
    ) -> None:
        null = os.open(os.devnull, os.O_RDWR)
        self._null = null
        self.machine: Machine = boot(
            chapters.build(program, overrides=overrides).data, strict=True,
            streams={0: null, 1: null, 2: null},
        )
        # The descriptors that a test opens from now on are for the functions it calls.
        self.machine.kernel.task.files.hidden = frozenset()
        #: Names of the functions called so far.
        self.called: set[str] = set()
        self._contracts = {
            contract.name: contract
            for module in chapters.find(program).modules
            for contract in contracts(module)
        }
        self._random = random.Random(seed)
        self._canary = self._random.randbytes(_CANARY_SIZE)
        self._stack = self.machine.alloc(_STACK_SIZE, guard="start")
        self._sp = self._stack + _STACK_SIZE - _CANARY_SIZE
        self.machine.memory.poke(self._sp, self._canary)
        self._start: Snapshot = self.machine.snapshot()

    def close(self) -> None:
        self.machine.close()
        os.close(self._null)

    @contextmanager
    def plan(self, plan: FaultPlan) -> Iterator[None]:
        """System calls fail as the plan says, until the block ends."""
        kernel = self.machine.kernel
        before, kernel.plan = kernel.plan, plan
        kernel.choose()
        try:
            yield
        finally:
            kernel.plan = before
            kernel.choose()

    def random_word(self) -> int:
        return self._random.getrandbits(64)

    def reset(self) -> None:
        """Back to the first moment: memory as the file has it, nothing allocated."""
        self.machine.restore(self._start)
        files = self.machine.kernel.task.files      # tests close theirs behind its back
        for fd in range(3, _FILES):
            if files.get(fd) is not None:
                files.closed(fd)

    def alloc(self, content: bytes | int, *, guard: str | None = "end") -> int:
        """Memory that ends right before an unmapped page, so reading on crashes."""
        return self.machine.alloc(content, guard=guard)

    def text(self, content: bytes) -> int:
        """A text with its NUL, which is the last byte that may be read."""
        return self.machine.alloc(content + b"\0")

    def peek(self, address: int, size: int) -> bytes:
        return self.machine.memory.peek(address, size)

    def poke(self, address: int, data: bytes) -> None:
        self.machine.memory.poke(address, data)

    def address(self, symbol: str) -> int:
        return self.machine.address(symbol)

    def call(self, name: str, *arguments: int, **more: int) -> CallResult:
        """Call a function with these x0, x1 …, and x19=…; everything else is random.

        Fails when a register outside its contract changed, sp moved, or the memory
        of its caller was touched.  CallFault when it does not return.
        """
        contract = self._contracts[name]
        self.called.add(name)
        machine = self.machine
        chance = self._random
        given = {f"x{n}": chance.getrandbits(64) for n in range(30)}
        given |= {f"x{n}": value for n, value in enumerate(arguments)}
        given |= more
        given["sp"] = self._sp
        vectors = machine.cpu.vectors().cast("B")
        vectors[:] = chance.randbytes(len(vectors))
        machine.cpu.store_vectors()
        before = bytes(vectors)

        result = machine.call(name, registers=given, limit=2_000_000)

        changed = set(result.changed())
        after = bytes(machine.cpu.vectors().cast("B"))
        changed |= {f"v{n}" for n in range(32) if before[16 * n:][:16] != after[16 * n:][:16]}
        assert "sp" not in changed, f"{name} moved sp"
        wrong = sorted(changed - contract.may_change - {"x18"})
        assert not wrong, f"{name} changed {', '.join(wrong)}; Clob says {contract.clobbers}"
        assert self._canary == self.peek(self._sp, _CANARY_SIZE), f"{name} wrote over its caller"
        return result
