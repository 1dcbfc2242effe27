"""Running programs and functions where one can watch them: what the notebooks call.

Everything here uses the kit's Darwin, on a Mac too, because only there registers and
system calls can be watched; `play` has what a Mac runs natively.  What a program
writes is caught, so outputs never mix with the notebook's own.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ymawky_kit import macho
from ymawky_kit.emu.machine import CallResult
from ymawky_kit.lab.covering import fold, note, noting, table_of
from ymawky_kit.lab.family import STAND_IN, Family, numbers, stand_in
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.lab.trying import frozen, note_recording, noting_call
from ymawky_kit.lab.workbench import Program, tidy
from ymawky_kit.nameless import nameless
from ymawky_kit.source import KitError
from ymawky_kit.view.core import View, count, esc, grouped, tag
from ymawky_kit.view.registers import Registers, value
from ymawky_kit.view.timeline import Call, Timeline
from ymawky_kit.view.trace import Step, Trace

if TYPE_CHECKING:
    from ymawky_kit.emu.event import SyscallEvent
    from ymawky_kit.emu.machine import Machine
    from ymawky_kit.emu.plan import Fault
    from ymawky_kit.run import ExitStatus, Process, Runner

#: What may be passed to a function: a number, or bytes whose address is passed.
Argument = int | bytes | bytearray | str
Plan = str | Sequence[str] | None
#: The files of a folder: name -> content, the text of a symbolic link, or None for a pipe.
Files = Mapping[str, bytes | str | None]

STEP_LIMIT: Final = 600
#: Of the memory given to a function, a player shows pieces up to here: a struct request.
WATCHED_BYTES: Final = 96
RUN_SECONDS: Final = 30.0
CALL_LIMIT: Final = 10_000_000
_FAULT: Final = re.compile(r"(?P<call>\w+)\s+(?P<nth>\d+|all)\s*"
                           r"(?:in\s+child\s+(?P<child>\d+)\s*)?:\s*"
                           r"(?:(?P<errno>E[A-Z0-9]+)|short\s+(?P<short>\d+))\s*")


def parse_plan(plan: Plan) -> list[Fault]:
    """Faults from text: `write 1: short 5`, `read 2: EINTR`, `write all: EPIPE`.

    `openat 1 in child 3: EMFILE` is for one child only, and its calls alone count;
    `any 4 in child 3: EIO` is the fourth call that it makes itself, its fork not counted.
    Raises :class:`KitError` for a text that is no fault.
    """
    from ymawky_kit.darwin import errno
    from ymawky_kit.darwin.kernel import load_rows
    from ymawky_kit.darwin.table import table
    from ymawky_kit.emu.plan import Fault

    load_rows()
    known = {"any", *(row.name for _, row in table.items())} if plan else set()
    faults = []
    for text in [plan] if isinstance(plan, str) else plan or []:
        found = _FAULT.fullmatch(text)
        number = None
        if found is not None and found["errno"]:
            number = getattr(errno, found["errno"], None)
        if found is None or (found["errno"] and not isinstance(number, int)):
            raise KitError.of(f"'{text}' is not a fault",
                              hint="write it like: write 1: short 5   or: read 2: EINTR")
        if found["call"] not in known:
            near = get_close_matches(found["call"], known, 1)
            raise KitError.of(f"'{text}': there is no system call '{found['call']}'",
                              hint=f"did you mean '{near[0]}'?" if near else None)
        faults.append(Fault(
            call=None if found["call"] == "any" else found["call"],
            nth=0 if found["nth"] == "all" else int(found["nth"]),
            process=int(found["child"]) + 1 if found["child"] else None,
            error=number,
            short=None if found["short"] is None else int(found["short"])))
    return faults


class Streams:
    """Standard input, output and error of a watched program, as nameless files.

    The program gets descriptors of its own for them, because it may close them.
    """

    def __init__(self, stdin: bytes) -> None:
        self._files = [nameless() for _ in range(3)]
        os.pwrite(self._files[0], stdin, 0)
        self.table = {number: os.dup(fd) for number, fd in enumerate(self._files)}

    def give_up(self, fd: int) -> None:
        """The program closes `fd`: the number may soon be somebody else's."""
        for number, mine in self.table.items():
            if mine == fd:
                self.table[number] = -1

    def written(self) -> tuple[bytes, bytes]:
        """Standard output and standard error so far."""
        return _whole(self._files[1]), _whole(self._files[2])

    def close(self) -> None:
        for fd in (*self.table.values(), *self._files):
            if fd >= 0:
                os.close(fd)


def _whole(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


@contextmanager
def streams(stdin: bytes = b"") -> Iterator[Streams]:
    """Three files for a program to read from and write to."""
    caught = Streams(stdin)
    try:
        yield caught
    finally:
        caught.close()


@contextmanager
def _folder(files: Files | None) -> Iterator[None]:
    """A folder of its own with these files, as current one; nothing moves without files."""
    if not files:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="ymawky-") as name:
        fill(Path(name) / "home", files)
        with chdir(Path(name) / "home"):
            yield


def boot_program(program: Program, args: Sequence[str], caught: Streams, plan: Plan,
                 *, strict: bool = False) -> Machine:
    """A machine before its first instruction; `strict` spoils what calls may change.

    A fork fails with EAGAIN: only a Family knows what to do with a child.
    """
    from ymawky_kit.darwin import boot
    from ymawky_kit.darwin.kernel import Kernel

    machine = boot(program.data, [program.name, *args], {}, plan=parse_plan(plan), trace=True,
                   streams=caught.table, strict=strict)
    assert isinstance(machine.kernel, Kernel)
    machine.kernel.processes_max = 1
    files = machine.kernel.task.files
    files.redirected = caught.table             # the very table: closed with the streams
    files.numbered = True                       # what is open in a notebook must not show
    files.on_close.append(caught.give_up)
    return machine


#: Calls whose result is the number of a process, which differs from run to run.
_PROCESS_NUMBERS: Final = ("fork", "getpid", "getppid", "wait4")
#: Arguments that are such numbers: which one, by call.
_PROCESS_ARGUMENTS: Final = {"wait4": 0, "kill": 0, "proc_info": 2}
#: The port at which a server says that it serves.
_PLACE: Final = re.compile(rb"(?<=http://127\.0\.0\.1):\d+")
#: Addresses say nothing in a list of calls; `step` shows them.
_ADDRESS: Final = re.compile(r"\b0x[0-9a-f]{9,16}\b")


def timeline_call(event: SyscallEvent) -> Call:
    """A traced system call as the timeline shows it."""
    result = ""
    if event.error is not None:
        from ymawky_kit.darwin import errno

        result = f"{event.error} ({getattr(errno, event.error, '?')})"
    elif event.result is not None:
        result = event.text.rpartition(" = ")[2].removesuffix("  (injected)")
        if event.name in _PROCESS_NUMBERS and event.result > 0:
            result = "a process" + (f", x1 = {event.second}" if event.second else "")
    arguments = [_ADDRESS.sub("…", argument) for argument in event.arguments]
    place = _PROCESS_ARGUMENTS.get(event.name)
    if place is not None and arguments[place].isdigit() and int(arguments[place]) > 1:
        arguments[place] = "a process"
    if event.name.startswith("open") and "O_CREAT" not in "".join(arguments):
        arguments.pop()                 # the mode means something only for a new file
    return Call(event.process, f"{event.name}({', '.join(arguments)})", result,
                failed=event.error is not None, forced=event.injected,
                instructions=event.instructions)


# -- one function -------------------------------------------------------------------


class Called(View):
    """What one function did.

    value, carry      x0 and the carry flag when it returned
    registers         all registers when it returned, by name
    instructions      executed, those of the functions it called included
    calls             its system calls
    output, errors    what it wrote to descriptors 1 and 2
    children          what the processes did that it forked, each Called or Ended

    Where a process's number is in a register, 1002 stands for that of process 2: the
    real one differs from run to run.
    """

    def __init__(self, shown: str, before: Mapping[str, int], after: Mapping[str, int],
                 instructions: int, calls: Sequence[Call], output: bytes, errors: bytes,
                 *, carries: bool = True) -> None:
        self.shown = shown
        self.carries = carries      # whether C means something: the contract says so
        self.before = dict(before)
        self.registers = dict(after)
        self.instructions = instructions
        self.calls = tuple(calls)
        self.output = output
        self.errors = errors
        self.children: tuple[Called | Ended, ...] = ()

    @property
    def value(self) -> int:
        return self.registers["x0"]

    @property
    def carry(self) -> bool:
        return bool(self.registers["nzcv"] >> 29 & 1)

    def kept(self, *names: str) -> Registers:
        """These registers before and after the call, those that did not change included."""
        return Registers(self.before, self.registers, names=names or None, title=self.shown)

    def _rows(self) -> list[tuple[str, str]]:
        result = f"x0 = {value(self.value)}"
        if self.carries:
            result += f", C {'set' if self.carry else 'clear'}"
        if self.carries and self.carry:
            from ymawky_kit.darwin import errno

            name = errno.name(self.value)
            result += f": {name}" if name.startswith("E") else ""
        moved = ", ".join(f"{name} = {value(new)}" for name, new in self.registers.items()
                          if name not in ("pc", "nzcv", "x30", "x18")
                          and self.before[name] != new)
        cost = count(self.instructions, "instruction")
        if self.calls:
            cost += ", " + count(len(self.calls), "system call")
        rows = [("result", result), ("cost", cost), ("changed", moved or "nothing")]
        rows.extend(("kernel", _answered(call)) for call in self.calls)
        if self.output:
            rows.append(("output", _quoted(self.output)))
        if self.errors:
            rows.append(("errors", _quoted(self.errors)))
        return rows

    def parts(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Heading and rows, one part for each process."""
        if not self.children:
            return [("", self._rows())]
        found = [("process 1, the parent", self._rows())]
        found += [part for child in self.children for part in child.parts()]
        return found

    def text(self) -> str:
        lines = [self.shown]
        for heading, rows in self.parts():
            lines += [heading] if heading else []
            lines += [f"  {name:8} {said}" for name, said in rows]
        return "\n".join(lines)

    def html(self) -> str:
        found = [tag("p", tag("code", esc(self.shown)), class_="yk-title")]
        for heading, rows in self.parts():
            if heading:
                found.append(tag("p", esc(heading), class_="yk-lane"))
            body = "".join(
                tag("tr", tag("th", esc(name), scope="row"),
                    tag("td", tag("code", esc(said)) if name != "cost" else esc(said)))
                for name, said in rows)
            found.append(tag("div", tag("table", body, class_="yk-table yk-wrap"),
                             class_="yk-scroll"))
        return tag("div", *found, class_="yk")


class Child(Called):
    """A forked process that came back from the function as well; instructions from the fork on."""

    def __init__(self, process: int, *rest: Any, **more: Any) -> None:
        super().__init__(*rest, **more)
        self.process = process

    def parts(self) -> list[tuple[str, list[tuple[str, str]]]]:
        return [(f"process {self.process}, a child", self._rows())]


class Ended:
    """A forked process that did not come back; `said` tells how it ended."""

    def __init__(self, process: int, calls: Sequence[Call], said: str) -> None:
        self.process = process
        self.calls = tuple(calls)
        self.said = said

    def parts(self) -> list[tuple[str, list[tuple[str, str]]]]:
        rows = [("ended", self.said), *(("kernel", _answered(call)) for call in self.calls)]
        return [(f"process {self.process}, a child", rows)]


def _answered(call: Call) -> str:
    forced = "   (made to happen)" if call.forced else ""
    return call.text + (f" = {call.result}" if call.result else "") + forced


def _quoted(data: bytes, limit: int = 200) -> str:
    """Bytes as a Python literal, cut when they are many."""
    if len(data) <= limit:
        return repr(data)
    return f"{data[:limit]!r}… ({count(len(data), 'byte')})"


@dataclass(slots=True)
class _Bench:
    """A machine with arguments placed in its memory."""

    machine: Machine
    numbers: list[int] = field(default_factory=list)
    blocks: list[tuple[str, int, Argument]] = field(default_factory=list)

    def place(self, arguments: Sequence[Argument]) -> None:
        for n, argument in enumerate(arguments):
            if isinstance(argument, int):
                self.numbers.append(argument)
                continue
            data = as_bytes(argument)
            address = self.machine.alloc(data, guard="end")
            self.numbers.append(address)
            self.blocks.append((f"x{n}", address, argument))

    def give_back(self) -> None:
        """Copy what the function wrote into the bytearrays it was given."""
        for _, address, argument in self.blocks:
            if isinstance(argument, bytearray) and argument:
                argument[:] = self.machine.memory.peek(address, len(argument))


def as_bytes(argument: Argument) -> bytes:
    """What a function finds in memory: a str is a C string and gets the NUL behind it.

    Raises :class:`KitError` for what is neither a number nor bytes nor text.
    """
    if isinstance(argument, str):
        return argument.encode() + b"\0"
    if isinstance(argument, bytes | bytearray):
        return bytes(argument)
    raise KitError.of(f"a function takes numbers, bytes and text, not {type(argument).__name__}",
                      hint="a list of numbers becomes bytes by bytes([1, 2, 3])")


def shown(function: str, arguments: Sequence[Argument]) -> str:
    """A call as Python would write it."""
    return f"{function}({', '.join(_argument(a) for a in arguments)})"


def _argument(argument: Argument) -> str:
    if isinstance(argument, int):
        return str(argument) if abs(argument) < 1 << 20 else hex(argument)
    if isinstance(argument, bytearray):
        return f"buffer of {len(argument)}"
    return _quoted(argument, 40) if isinstance(argument, bytes) else repr(argument)


def call(function: str, *arguments: Argument, plan: Plan = None, stdin: bytes = b"",
         files: Files | None = None, limit: int = CALL_LIMIT,
         registers: Mapping[str, int] | None = None, strict: bool = False) -> Called:
    """Call one function of the book or of a cell, arguments in x0, x1, ….

    bytes and bytearray are placed in memory and their address is passed; a str is
    placed with a NUL behind it.  Behind each lies memory that may not be touched.
    A bytearray holds afterwards what the function left in it.  `registers` sets
    further registers; `strict` spoils what system calls may change.  When the function
    forks, the result tells of every process.  Raises :class:`KitError` when the function
    faults or runs `limit` instructions without returning.
    """
    from ymawky_kit.emu.machine import CallFault

    program = BENCH.build_around(function)
    around = (repr(plan), stdin, frozen(files), frozen(registers), strict)
    failed: KitError | None = None
    with noting_call(program, function, arguments, around), \
            _folder(files), streams(stdin) as caught, Family() as family:
        with boot_program(program, [], caught, plan, strict=strict) as machine, \
                family.over(machine):
            machine.cover(table_of(program))
            bench = _Bench(machine)
            bench.place(arguments)
            try:
                result = machine.call(function, *bench.numbers, registers=registers, limit=limit)
                family.hand_over(result)
            except CallFault as fault:
                family.hand_over(str(fault))
                failed = KitError.of(f"{shown(function, arguments)} did not return: {fault}",
                                     hint=_hint(str(fault), limit))
            others = family.gather()
            events = list(machine.events())
            fold(program)
            if failed is not None:
                raise failed from None
            bench.give_back()
        output, errors = caught.written()
    known = numbers(events)
    carries = BENCH.carries(function) or (function in BENCH.free and bool(events))
    made = [[timeline_call(e) for e in events if e.process == n]
            for n in range(1, max([1, *(e.process for e in events)]) + 1)]
    before, after = _sides(result, known)
    called = Called(shown(function, arguments), before, after, result.instructions,
                    made[0], output, errors, carries=carries)
    children: list[Called | Ended] = []
    for n, calls in enumerate(made[1:], 2):
        # A child's list begins with the fork that it came from, which its parent has made.
        calls = calls[1:] if calls and calls[0].text.startswith("fork(") else calls
        back = others.get(n)
        if isinstance(back, CallResult):
            before, after = _sides(back, known)
            children.append(Child(n, called.shown, before, after, back.instructions,
                                  calls, b"", b"", carries=carries))
        else:
            last = calls[-1].text if calls else ""
            children.append(Ended(n, calls, str(back) if back else
                                  last if last.startswith("exit(") else "killed"))
    called.children = tuple(children)
    return called


def _sides(result: CallResult, known: Mapping[int, int]) -> tuple[dict[str, int], dict[str, int]]:
    """All registers before and after, with stand-ins for the numbers of processes."""
    from ymawky_kit.emu.cpu import REGISTER_NAMES

    return (stand_in(dict(zip(REGISTER_NAMES, result.before, strict=True)), known),
            stand_in(dict(zip(REGISTER_NAMES, result.after, strict=True)), known))


def _hint(fault: str, limit: int) -> str | None:
    if fault.startswith("still running"):
        return f"{grouped(limit)} instructions had run; is there a loop that never ends?"
    if fault.endswith("killed by signal 9"):
        return "it went on forking, again and again; is there a loop that never ends?"
    if "(start+" in fault and fault.startswith("the process ended"):
        return "it ran on into what lies behind it; is there a ret missing?"
    if "memory" in fault or "access" in fault or "map" in fault:
        return "it touched memory that is not its own; step() shows where it went wrong"
    return None


# -- stepping -----------------------------------------------------------------------


def step(what: Program | str, *arguments: Argument, plan: Plan = None, stdin: bytes = b"",
         files: Mapping[str, bytes] | None = None, limit: int = STEP_LIMIT,
         process: int = 1, folded: bool = False) -> Trace:
    """Record every instruction of a program, or of one function with these arguments.

    At most `limit` instructions are recorded.  `process` 2 records the first child from
    its fork on.  With `folded`, a page shows one line, which opens.  Raises
    :class:`KitError` as `call` does.
    """
    program = what if isinstance(what, Program) else BENCH.build_around(what)
    words = [str(a) for a in arguments] if isinstance(what, Program) else []
    with _folder(files), streams(stdin) as caught, Family() as family, \
            boot_program(program, words, caught, plan) as machine, family.over(machine):
        bench = _Bench(machine)
        if isinstance(what, str):
            bench.place(arguments)
            enter(machine, what, bench.numbers)
        start = machine.registers
        steps, ending = _record(machine, program, limit)
        note(program, (done.address for done in steps))
        if isinstance(what, str):
            note_recording(program, what, {done.address for done in steps})
        events = list(machine.events())
        if any(event.name == "fork" for event in events):
            if family.is_child:
                family.hand_over(_from_the_fork_on(start, steps, ending))
            others = family.gather()
            for other in others.values():
                if isinstance(other, tuple):
                    note(program, (done.address for done in other[1]))
            if process > 1:
                if process not in others:
                    raise KitError.of(f"process {process} did not come back",
                                      hint=f"there are: {', '.join(map(str, [1, *others]))}")
                start, steps, ending = others[process]
        elif process > 1:
            raise KitError.of(f"there is no process {process}: nothing was forked")
        known = numbers(list(machine.events()))
        start = stand_in(start, known)
        steps = [replace(done, registers=stand_in(dict(done.registers), known))
                 for done in steps] if known else steps
        ending += "".join(f" {STAND_IN + n} stands for the number of process {n}."
                          for n in sorted(known.values()))
    title = shown(what, arguments) if isinstance(what, str) else " ".join([program.name, *words])
    if process > 1:
        title += f", process {process}"
    labels = {s.address: s.name for s in program.image.symbols}
    moved = {name for taken in steps for name in taken.registers}
    given = {f"x{n}" for n in range(len(bench.numbers))}
    names = [name for name in start
             if (name in moved or name in given) and name not in ("pc", "x18")]
    memory = [(name, address, bytes(content.encode() if isinstance(content, str) else content))
              for name, address, content in bench.blocks]
    return Trace(steps, start=start, names=names, labels=labels,
                 memory=[m for m in memory if len(m[2]) <= WATCHED_BYTES],
                 title=title, ending=ending, folded=folded)


def _from_the_fork_on(start: Mapping[str, int], steps: Sequence[Step],
                      ending: str) -> tuple[dict[str, int], list[Step], str]:
    """A child's own part of a recording."""
    first = max(n for n, done in enumerate(steps) if done.note.startswith("the kernel: fork("))
    state = dict(start)
    for done in steps[:first]:
        state.update(done.registers)
    kept = list(steps[first:])
    if ending.startswith("Returned after"):
        ending = f"Returned after {count(len(kept), 'instruction')}, counted from the fork."
    return state, kept, ending


def enter(machine: Machine, function: str, numbers: Sequence[int]) -> None:
    """The state in which `Machine.call` would start a function."""
    from ymawky_kit.darwin.program import RETURN_STUB

    state = {f"x{n}": 0 for n in range(30)}
    state.update({f"x{n}": number for n, number in enumerate(numbers)})
    state.update(x30=RETURN_STUB, pc=machine.address(function), nzcv=0)
    machine.registers = state


def _record(machine: Machine, program: Program, limit: int) -> tuple[list[Step], str]:
    from ymawky_kit.darwin.program import RETURN_STUB

    names = {s.address: s.name for s in reversed(program.image.symbols)}
    steps: list[Step] = []
    while len(steps) < limit:
        event = machine.step()
        if event is None:
            break
        note = ""
        if event.syscall is not None:
            made = timeline_call(event.syscall)
            note = f"the kernel: {made.text}" + (f" = {made.result}" if made.result else "")
            note += " (made to happen)" if made.forced else ""
        steps.append(Step(event.address, _named(event.text, names),
                          {k: v for k, v in event.changed.items() if k != "x18"},
                          event.writes, note))
        if event.pc == RETURN_STUB:
            return steps, f"Returned after {count(len(steps), 'instruction')}."
    if machine.status is not None:
        return steps, f"The process ended: {machine.status}."
    return steps, f"Only the first {count(len(steps), 'step')} are recorded."


def _named(text: str, names: Mapping[int, str]) -> str:
    """A branch with the name of its target in place of the address."""
    found = re.search(r"#(0x[0-9a-f]+)$", text)
    if found and text.startswith(("b", "cb", "tb")) and int(found[1], 16) in names:
        text = text[:found.start()] + names[int(found[1], 16)]
    return tidy(text)


# -- whole programs -----------------------------------------------------------------


class Traced(Timeline):
    """A whole run: its system calls, its output, and how it ended."""

    def __init__(self, calls: Sequence[Call], *, title: str, status: str, output: bytes,
                 errors: bytes, instructions: int) -> None:
        ended = status if status.startswith("killed") else f"ended with {status}"
        said = [f"{ended}, after {count(instructions, 'instruction')}"]
        if output:
            said.append(f"output: {_quoted(output)}")
        if errors:
            said.append(f"errors: {_quoted(errors)}")
        super().__init__(calls, title=title, ending="\n".join(said))
        self.status = status
        self.output = output
        self.errors = errors
        self.instructions = instructions


def trace(program: Program, *args: str, plan: Plan = None, stdin: bytes = b"",
          files: Files | None = None, slide: int = 0) -> Traced:
    """Run a program in the kit's Darwin and show its system calls.

    `plan` makes some of them fail or do less, see `parse_plan`; `slide` moves the
    whole program, by a multiple of 16,384 bytes.  Raises :class:`KitError` when it
    has not ended after half a minute.
    """
    if slide < 0 or slide % 16384:
        raise KitError.of(f"a program cannot be moved by {slide} bytes",
                          hint="macOS moves programs by whole pages: multiples of 16,384")
    from ymawky_kit.emu.plan import FaultPlan
    from ymawky_kit.run import EmulatedRunner

    faults = parse_plan(plan)
    with noting(program) as cover:
        runner = EmulatedRunner(trace=True, entries=True, cover=cover, report=False, slide=slide,
                                plan=FaultPlan(faults).to_json() if faults else None)
        with started(runner, program.data, program.name, args, files, stdin) as process:
            status = finish(process, program.name)
            _until_children_end(process)
            output, errors = process.output, process.errors
            events = [event for event in process.trace() if not event.entered]
    last = {event.process: event.total for event in events}
    calls = [timeline_call(event) for event in events]
    place = _PLACE.search(output)
    if place is not None and place[0][1:].decode() not in args:
        port, name = place[0], b":(a port)"     # the kernel chose it: another one each time
        output = output.replace(port, name)
        calls = [replace(call, text=call.text.replace(port.decode(), name.decode()))
                 for call in calls]
    return Traced(calls, title=" ".join([program.name, *args]),
                  status=str(status), output=output, errors=errors,
                  instructions=sum(last.values()))


def _until_children_end(process: Process) -> None:
    """The program has ended; what it forked is to end by itself as well, or takes too long."""
    deadline = time.monotonic() + RUN_SECONDS
    while True:
        last = {event.process: event for event in process.trace()}
        if all(event.name in ("exit", "killed") for n, event in last.items() if n > 1) \
                or time.monotonic() > deadline:
            return
        time.sleep(0.005)


@contextmanager
def started(runner: Runner, data: bytes, name: str, args: Sequence[str],
            files: Files | None = None, stdin: bytes = b"",
            place: Path | None = None) -> Iterator[Process]:
    """An executable running in a folder of its own that holds `files`, `home` in `place`.

    The program sees its plain name as its path: where the folder is must not show.
    """
    with ExitStack() as stack:
        folder = place or stack.enter_context(tempfile.TemporaryDirectory(prefix="ymawky-"))
        home = Path(folder) / "home"
        fill(home, files or {})
        macho.install(data, Path(folder) / name)
        with chdir(folder):
            process = runner.start(Path(name), args, cwd=home, env={}, stdin=stdin)
        with process:
            yield process


def fill(folder: Path, files: Files) -> None:
    """Make a folder with these files.

    Names may hold slashes, and a name that begins with "../" lands beside the folder.
    A str in place of the content makes a symbolic link that leads to that text, None
    a named pipe; a name that ends with a slash is an empty folder.
    """
    folder.mkdir()
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            target.mkdir()
        elif data is None:
            os.mkfifo(target)
        elif isinstance(data, str):
            target.symlink_to(data)
        else:
            target.write_bytes(data)


def finish(process: Process, name: str) -> ExitStatus:
    """Wait for the end; raises :class:`KitError` after half a minute."""
    try:
        return process.wait(RUN_SECONDS)
    except TimeoutError:
        raise KitError.of(f"{name} was still running after {RUN_SECONDS:g} seconds",
                          hint="is there a loop that never ends?") from None


class Finished(View):
    """A run as a user sees it: exit status and what was written.

    status is the exit status, or minus the number of the signal that ended it.
    """

    def __init__(self, shown: str, status: int, said: str, output: bytes, errors: bytes) -> None:
        self.shown = shown
        self.status = status
        self.said = said
        self.output = output
        self.errors = errors

    def _parts(self) -> list[tuple[str, bytes]]:
        return [(name, data) for name, data in
                (("standard output", self.output), ("standard error", self.errors)) if data]

    def text(self) -> str:
        lines = [f"$ {self.shown}"]
        for name, data in self._parts():
            lines.append(f"{name}, {count(len(data), 'byte')}:")
            lines.extend("  " + line for line in _readable(data).splitlines())
        lines.append(self.said)
        return "\n".join(lines)

    def html(self) -> str:
        parts = [tag("p", tag("code", esc(f"$ {self.shown}")), class_="yk-title")]
        for name, data in self._parts():
            parts.append(tag("p", esc(f"{name}, {count(len(data), 'byte')}:"), class_="yk-note"))
            parts.append(tag("pre", esc(_readable(data)), class_="yk-pre"))
        kind = "yk-bad" if self.status < 0 else "yk-ok" if self.status == 0 else "yk-other"
        parts.append(tag("p", esc(self.said), class_=kind))
        return tag("div", *parts, class_="yk")


def _readable(data: bytes, limit: int = 4000) -> str:
    text = data[:limit].decode("utf-8", "backslashreplace")
    return text + (f"… ({count(len(data), 'byte')} in all)" if len(data) > limit else "")
