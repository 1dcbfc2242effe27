"""A program in a processor, to run, to step, and to call functions of.

Machine knows nothing of Darwin: a :class:`Supervisor` answers its system calls and
turns faults into whatever the operating system makes of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from struct import pack
from typing import Final, Protocol

from ymawky_kit.emu import native
from ymawky_kit.emu.cpu import CARRY, GENERAL, NZCV, PC, REGISTER_NAMES, SP, Cpu, Reason, Stop
from ymawky_kit.emu.disassembler import disassemble
from ymawky_kit.emu.event import StepEvent, SyscallEvent
from ymawky_kit.emu.exit import ExitStatus, ProcessEnd
from ymawky_kit.emu.loader import Loaded
from ymawky_kit.emu.memory import PAGE, READ, WRITE, BadAddress, Memory, Region, round_up
from ymawky_kit.emu.symbol import SymbolTable

#: Where `Machine.alloc` puts its blocks.
HEAP: Final = 0x8_0000_0000

#: Instructions between two chances for Python, some tens of milliseconds.
_SLICE: Final = 10_000_000
_MASK64: Final = 0xFFFF_FFFF_FFFF_FFFF


class Supervisor(Protocol):
    """The operating system around a machine."""

    calls: int
    observe: bool
    last_event: SyscallEvent | None
    symbols: SymbolTable

    def settle(self, stop: Stop) -> None: ...
    def choose(self) -> None: ...
    def events(self) -> Sequence[SyscallEvent]: ...
    def close(self) -> None: ...


class CallFault(Exception):
    """A called function did not return: it faulted, used up its instructions, or ended
    the process."""

    def __init__(self, stop: Stop, pc: int, text: str) -> None:
        self.stop = stop
        self.pc = pc
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a called function left behind."""

    value: int                          # x0
    carry: bool
    before: tuple[int, ...]             # x0-x30, sp, pc, nzcv at its first instruction
    after: tuple[int, ...]              # and after its return
    instructions: int
    syscalls: int
    writes: tuple[tuple[int, bytes], ...] = ()      # every store, when asked for

    def __getitem__(self, register: str) -> int:
        """A register after the return, by name: "x0", "w3", "sp"."""
        if register.startswith("w"):
            return self.after[int(register[1:])] & 0xFFFFFFFF
        return self.after[REGISTER_NAMES.index(register)]

    @property
    def signed(self) -> int:
        """x0 as a signed number."""
        return self.value - (1 << 64) if self.value >> 63 else self.value

    def changed(self) -> tuple[str, ...]:
        """Names of the registers that differ after the call, pc and flags left out."""
        return tuple(
            name for name, old, new in zip(REGISTER_NAMES[:32], self.before, self.after,
                                           strict=False) if old != new
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Registers, counters and writable memory at one moment."""

    general: tuple[int, ...]
    vectors: bytes
    status: tuple[int, int]
    blocks: tuple[tuple[int, bytes], ...]
    layout: tuple[tuple[int, int, int], ...]
    stack_floor: int                    # below, the stack held nothing
    calls: int
    count: int
    next_block: int


class Machine:
    """One loaded program.  Close it, or use it in a `with` statement."""

    def __init__(
        self, memory: Memory, cpu: Cpu, supervisor: Supervisor, loaded: Loaded, returning: int
    ) -> None:
        self.memory = memory
        self.cpu = cpu
        self.kernel = supervisor
        self.loaded = loaded
        #: How the program ended, once it has.
        self.status: ExitStatus | None = None
        self._returning = returning
        self._next = HEAP
        self._stack = memory.region(cpu.load()[SP])
        #: Where sp stands when `call` enters a function.
        self.entry_stack = cpu.general[SP]

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the processor, the memory and what the kernel holds."""
        self.kernel.close()
        self.cpu.close()
        self.memory.close()

    # --- looking ----------------------------------------------------------------------------

    @property
    def symbols(self) -> SymbolTable:
        return self.kernel.symbols

    @property
    def instructions(self) -> int:
        """Instructions executed so far by this process, exactly."""
        return self.cpu.instructions

    @property
    def syscalls(self) -> int:
        """System calls made so far by this process."""
        return self.kernel.calls

    @property
    def registers(self) -> dict[str, int]:
        """x0-x30, sp, pc, nzcv by name."""
        return dict(zip(REGISTER_NAMES, self.cpu.load(), strict=True))

    @registers.setter
    def registers(self, values: Mapping[str, int]) -> None:
        """Set the named registers; the others stay."""
        self._set(values)

    def events(self) -> Sequence[SyscallEvent]:
        """The traced system calls so far, of all processes."""
        return self.kernel.events()

    def cover(self, table: native.Table | None = None) -> None:
        """Start noting which instructions of the program run; in `table`, if given."""
        self.cpu.counter.cover(*self.loaded.text, table)

    def covered(self) -> set[int]:
        """Addresses executed since `cover`."""
        return self.cpu.counter.covered()

    def warm(self) -> None:
        """Translate the whole program now, so that forked children need not."""
        start, size = self.loaded.text
        self.cpu.warm(start, size)

    def address(self, place: str | int) -> int:
        """A symbol's address, or the number itself; raises KeyError."""
        return place if isinstance(place, int) else self.symbols.address(place)

    # --- running ----------------------------------------------------------------------------

    def run(self, limit: int | None = None) -> ExitStatus:
        """Run to the end of the process.

        Raises CallFault when it has executed `limit` instructions without ending.
        """
        cpu, words = self.cpu, self.cpu.words
        last = native.NO_LIMIT if limit is None else words[native.COUNT] + limit
        try:
            while self.status is None:
                # In slices, so that an interrupt from the keyboard gets its turn.
                words[native.LIMIT] = min(last, words[native.COUNT] + _SLICE)
                stop = cpu.run()
                if stop.reason is Reason.LIMIT and words[native.LIMIT] == last:
                    pc = cpu.get_pc()
                    raise CallFault(stop, pc, f"still running at {self.symbols.describe(pc)}")
                self.kernel.settle(stop)
        except ProcessEnd as end:
            self.status = end.exit_status
        finally:
            words[native.LIMIT] = native.NO_LIMIT
        return self.status

    def step(self) -> StepEvent | None:
        """Execute one instruction; None once the process has ended."""
        if self.status is not None:
            return None
        cpu, kernel = self.cpu, self.kernel
        before = cpu.snapshot()
        address = before[PC]
        try:
            code = self.memory.peek(address, 4)
        except BadAddress:
            code = b""
        writes: list[tuple[int, bytes]] = []
        end = cpu.watch_writes(
            lambda at, size, value: writes.append(
                (at, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))
            )
        )
        watched = kernel.observe
        kernel.observe = True
        kernel.last_event = None
        kernel.choose()
        try:
            kernel.settle(cpu.step())
        except ProcessEnd as finish:
            self.status = finish.exit_status
        finally:
            end()
            kernel.observe = watched
            kernel.choose()
        after = cpu.snapshot()
        changed = {
            name: new for name, old, new in zip(REGISTER_NAMES, before, after, strict=True)
            if old != new and name != "pc"
        }
        return StepEvent(
            address, int.from_bytes(code, "little"), disassemble(code, address), changed,
            tuple(writes), after[PC], kernel.last_event,
        )

    def call(
        self,
        place: str | int,
        *arguments: int,
        registers: Mapping[str, int] | None = None,
        limit: int = 10_000_000,
        writes: bool = False,
    ) -> CallResult:
        """Call a function: arguments in x0, x1, ...; `registers` are set on top of that.

        The stack starts where the program's did.  Raises CallFault when the function
        faults or runs `limit` instructions without returning.
        """
        cpu = self.cpu
        general = cpu.general
        for number, value in enumerate(arguments):
            general[number] = value & _MASK64
        for number in range(len(arguments), 30):
            general[number] = 0xF00D_0000_0000_0000 | number
        general[30] = self._returning
        general[SP] = self.entry_stack
        general[NZCV] = 0
        if registers:
            for name, value in registers.items():
                general[_index(name)] = value & _MASK64
        general[PC] = self.address(place)
        before = tuple(general)
        cpu.store()
        words = cpu.words
        count, calls = words[native.COUNT], self.kernel.calls
        stores: list[tuple[int, bytes]] = []
        end = cpu.watch_writes(
            lambda at, size, value: stores.append(
                (at, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))
            )
        ) if writes else None
        words[native.LIMIT] = count + min(limit, _SLICE)
        try:
            self._until_return(count + limit)
        except ProcessEnd as finish:
            # After exit, pc stands behind the svc, where another function may begin.
            pc = cpu.get_pc() - (0 if finish.exit_status.signal else 4)
            raise CallFault(
                Stop(Reason.STOPPED), pc,
                f"the process ended at {self.symbols.describe(pc)}: {finish.exit_status}",
            ) from None
        finally:
            words[native.LIMIT] = native.NO_LIMIT
            if end is not None:
                end()
        after = tuple(cpu.load())
        return CallResult(
            after[0], bool(after[NZCV] & CARRY), before, after,
            words[native.COUNT] - count, self.kernel.calls - calls, tuple(stores),
        )

    def _until_return(self, limit: int) -> None:
        cpu = self.cpu
        words = cpu.words
        while True:
            stop = cpu.run()
            if stop.reason is Reason.BREAKPOINT and stop.address == self._returning:
                return
            pc = cpu.get_pc()
            if stop.reason is Reason.STOPPED:
                self.kernel.settle(stop)
            elif stop.reason is Reason.LIMIT and words[native.LIMIT] < limit:
                words[native.LIMIT] = min(limit, words[native.COUNT] + _SLICE)
            elif stop.reason is Reason.LIMIT:
                raise CallFault(stop, pc, f"still running at {self.symbols.describe(pc)}")
            else:
                raise CallFault(
                    stop, pc,
                    f"{stop.reason.value} {stop.address:#x} at {self.symbols.describe(pc)}",
                )

    def _set(self, values: Mapping[str, int]) -> None:
        general = self.cpu.load()
        for name, value in values.items():
            general[_index(name)] = value & _MASK64
        self.cpu.store()

    # --- memory for calls -------------------------------------------------------------------

    def alloc(
        self, content: bytes | int, *, guard: str | None = "end", protection: int = READ | WRITE
    ) -> int:
        """Fresh guest memory with this content, or so many zero bytes; its address.

        `guard="end"` puts the last byte right before unmapped memory, "start" the
        first one right behind it, None leaves the place to the page.
        """
        data = bytes(content) if isinstance(content, int) else content
        pages = max(PAGE, round_up(len(data)))
        block = self._next + PAGE
        self._next = block + pages
        spare = self.memory.region(block)
        if spare is not None and (spare.start, spare.end, spare.protection) == (
            block, block + pages, protection
        ):
            self.memory.restore(block, bytes(pages))
        else:
            self._drop_spares(block)
            self.memory.map(block, pages, protection, 7, name="alloc")
        address = block + pages - len(data) if guard == "end" else block
        self.memory.poke(address, data)
        return address

    def _drop_spares(self, floor: int) -> None:
        for region in self.memory.regions:
            if region.start >= floor and region.name == "alloc":
                self.memory.unmap(region.start, region.end - region.start)

    # --- snapshots --------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Everything `restore` needs: registers, writable memory, counters.

        Not the kernel's side: open files and signals stay as they are.
        """
        cpu = self.cpu
        general = cpu.snapshot()
        vectors = bytes(cpu.vectors().cast("B"))
        floor = self._stack_floor(general[SP])
        blocks = []
        layout = []
        for region in self.memory.regions:
            if self._spare(region):
                continue
            layout.append((region.start, region.end, region.protection))
            if region.protection & WRITE and not region.shared:
                start = floor if region is self._stack or region.start <= floor < region.end \
                    else region.start
                size = region.backed - start
                blocks.append((start, self.memory.peek(start, size)))
        return Snapshot(
            general, vectors, cpu.get_status(), tuple(blocks), tuple(layout), floor,
            self.kernel.calls, cpu.words[native.COUNT], self._next,
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Back to a snapshot: blocks mapped since are gone."""
        memory = self.memory
        self._next = snapshot.next_block
        now = [(r.start, r.end, r.protection) for r in memory.regions if not self._spare(r)]
        if now != list(snapshot.layout):
            self._restore_layout(snapshot)
        for start, data in snapshot.blocks:
            memory.restore(start, data)
        stack = memory.region(snapshot.stack_floor)
        if stack is not None and stack.start < snapshot.stack_floor:
            memory.zero(stack.start, snapshot.stack_floor - stack.start)
        cpu = self.cpu
        cpu.general.cast("B")[:] = _words(snapshot.general)
        cpu.store()
        cpu.vectors().cast("B")[:] = snapshot.vectors
        cpu.store_vectors()
        cpu.set_status(*snapshot.status)
        cpu.words[native.COUNT] = snapshot.count
        self.kernel.calls = snapshot.calls
        self.status = None

    def _restore_layout(self, snapshot: Snapshot) -> None:
        kept = {(start, end) for start, end, _ in snapshot.layout}
        for region in self.memory.regions:
            if (region.start, region.end) not in kept and not self._spare(region):
                self.memory.unmap(region.start, region.end - region.start)
        for start, end, protection in snapshot.layout:
            found = self.memory.region(start)
            if found is None or (found.start, found.end) != (start, end):
                self.memory.map(start, end - start, protection, 7)
            elif found.protection != protection:
                self.memory.protect(start, end - start, protection)

    def _spare(self, region: Region) -> bool:
        """A block of `alloc` that a restore has freed; the next alloc takes it again."""
        return region.start >= self._next and region.name == "alloc"

    def _stack_floor(self, sp: int) -> int:
        return sp & -PAGE


def _index(name: str) -> int:
    if name in ("fp", "lr"):
        return 29 if name == "fp" else 30
    return REGISTER_NAMES.index(name)


def _words(values: Sequence[int]) -> bytes:
    return pack(f"<{GENERAL}Q", *values)
