"""The processor: Unicorn at EL0, spoken to without its binding's wrappers.

Registers travel through preallocated arrays in one call of libunicorn, and hooks
are bare C callbacks; that is the difference between one and twenty microseconds
a system call.  Instructions are counted by native code (native.py), exactly.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from time import monotonic_ns
from typing import Any, Final

from ymawky_kit.emu import engine as uc
from ymawky_kit.emu import native, unallocated
from ymawky_kit.emu.memory import EXECUTE, READ, WRITE, Memory

# The general registers as one array: x0-x30 by number, then these.
SP: Final = 31
PC: Final = 32
NZCV: Final = 33
GENERAL: Final = 34

CARRY: Final = 1 << 29

#: Where the processor never gets: `until` of uc_emu_start.
_NOWHERE: Final = 0xFFFF_FFFF_FFFF_FFF0

_SVC: Final = 2
_TARGET_PAGE: Final = 1024

_X_IDS: Final = (
    *(uc.REG_X0 + n for n in range(29)), uc.REG_X29, uc.REG_X30,
)
_GENERAL_IDS: Final = (
    *_X_IDS, uc.REG_SP, uc.REG_PC, uc.REG_NZCV,
)
#: What the kernel reads at a call: x0-x8, x16, flags.
_CALL_IDS: Final = (*_X_IDS[:9], _X_IDS[16], uc.REG_NZCV)
CALL_NUMBER: Final = 9
CALL_NZCV: Final = 10
#: What it writes at every return: x0, x1, x18, flags.
_RETURN_IDS: Final = (_X_IDS[0], _X_IDS[1], _X_IDS[18], uc.REG_NZCV)

REGISTER_NAMES: Final = (*(f"x{n}" for n in range(31)), "sp", "pc", "nzcv")


class Reason(Enum):
    """Why `Cpu.run` came back."""

    STOPPED = "stopped"             # Cpu.stop was called, or a signal waits
    LIMIT = "limit"                 # the next block would go past the instruction limit
    BREAKPOINT = "breakpoint"       # brk
    UNMAPPED = "unmapped"           # nothing at the address
    PROTECTED = "protected"         # no such access at the address
    BEHIND = "behind the end"       # a page wholly behind the end of the mapped file
    ILLEGAL = "illegal"             # not an instruction of EL0
    ALIGNMENT = "alignment"         # an access or a branch that the processor refuses


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the processor stopped; `address` is the data or code address of a fault."""

    reason: Reason
    address: int = 0
    access: int = 0     # READ, WRITE or EXECUTE


class Batch:
    """A fixed list of registers that is read or written in one call."""

    def __init__(self, engine: ctypes.c_void_p, ids: Sequence[int], words: int = 1) -> None:
        count = len(ids)
        self._values = (ctypes.c_uint64 * (count * words))()
        self._ids = (ctypes.c_int * count)(*ids)
        first = ctypes.addressof(self._values)
        self._pointers = (ctypes.c_void_p * count)(*(first + 8 * words * i for i in range(count)))
        self.values = memoryview(self._values).cast("B").cast("Q")
        #: Arguments of uc_reg_read_batch and uc_reg_write_batch.
        self.arguments = (
            engine,
            ctypes.c_void_p(ctypes.addressof(self._ids)),
            ctypes.c_void_p(ctypes.addressof(self._pointers)),
            ctypes.c_int(count),
        )


_INTERRUPT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p)
_INVALID = ctypes.CFUNCTYPE(
    ctypes.c_bool, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_int, ctypes.c_int64,
    ctypes.c_void_p,
)
_ACCESS = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_int, ctypes.c_int64,
    ctypes.c_void_p,
)
_BLOCK = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p
)
_SYSTEM = ctypes.CFUNCTYPE(
    ctypes.c_uint32, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(uc.SystemRegister),
    ctypes.c_void_p,
)

#: (op0, op1, CRn, CRm, op2) of the counters that a Mac's EL0 reads.
_COUNTER_FREQUENCY: Final = (3, 3, 14, 0, 0)        # CNTFRQ_EL0
_COUNTERS: Final = {
    (3, 3, 14, 0, 2),       # CNTVCT_EL0
    (3, 3, 14, 0, 6),       # CNTVCTSS_EL0
    (3, 4, 15, 10, 6),      # ACNTVCT_EL0, Apple's own
}
#: Ticks a second of Apple silicon's counter.
COUNTER_HZ: Final = 24_000_000

#: QEMU's EXCP_ numbers.
_EXCEPTIONS: Final = {
    3: Reason.ALIGNMENT, 4: Reason.ALIGNMENT, 7: Reason.BREAKPOINT, 14: Reason.ALIGNMENT,
}

_FAULTS: Final = {
    uc.MEM_READ_UNMAPPED: (Reason.UNMAPPED, READ),
    uc.MEM_WRITE_UNMAPPED: (Reason.UNMAPPED, WRITE),
    uc.MEM_FETCH_UNMAPPED: (Reason.UNMAPPED, EXECUTE),
    uc.MEM_READ_PROT: (Reason.PROTECTED, READ),
    uc.MEM_WRITE_PROT: (Reason.PROTECTED, WRITE),
    uc.MEM_FETCH_PROT: (Reason.PROTECTED, EXECUTE),
}


class Cpu:
    """One emulated core on one guest memory."""

    def __init__(self, memory: Memory, *, hold_lock: bool = True, use_native: bool = True) -> None:
        """`hold_lock` keeps Python's global lock while guest code runs: faster, but other
        threads of the host process wait.  `use_native=False` counts through Python."""
        self.memory = memory
        self._engine = uc.open_engine()
        self._finalizer = weakref.finalize(self, uc.close_engine, self._engine)
        self._finalizer.atexit = False
        self._start = (uc.held if hold_lock else uc.free).uc_emu_start
        self._read_batch = uc.held.uc_reg_read_batch
        self._write_batch = uc.held.uc_reg_write_batch
        self._read_register = uc.held.uc_reg_read
        self._write_register = uc.held.uc_reg_write
        self._stop = uc.held.uc_emu_stop

        self._call = Batch(self._engine, _CALL_IDS)
        self._return = Batch(self._engine, _RETURN_IDS)
        self._general = Batch(self._engine, _GENERAL_IDS)
        self._vectors: Batch | None = None
        self._one = (ctypes.c_uint64 * 1)()
        self._one_pointer = ctypes.c_void_p(ctypes.addressof(self._one))
        self._until = ctypes.c_uint64(_NOWHERE)
        self._no_timeout = ctypes.c_uint64(0)
        self._no_count = ctypes.c_size_t(0)

        stop = ctypes.cast(uc.free.uc_emu_stop, ctypes.c_void_p).value or 0
        self.counter = native.Counter(stop, native=use_native)
        self.words = self.counter.words
        #: What the last `enter` read: x0-x8, x16 (CALL_NUMBER) and flags (CALL_NZCV).
        self.call = self._call.values
        #: What the last `load` read, or the next `store` writes; see SP, PC, NZCV.
        self.general = self._general.values
        #: Runs the system call; set by the kernel.  It must not raise.
        self.on_svc: Callable[[], None] = self.stop
        #: The counter that EL0 reads, in ticks of 1 / COUNTER_HZ seconds.
        self.ticks: Callable[[], int] = lambda: monotonic_ns() * 3 // 125
        #: Words of code that `vet` has replaced, by address.
        self.replaced: dict[int, int] = {}
        #: An exception that left a callback; `run` raises it.
        self.failure: BaseException | None = None
        self._event: Stop | None = None
        self._back_to: int | None = None
        self._asked = False     # somebody called `stop`
        self._hooks: list[Any] = []
        self._open()

    def _open(self) -> None:
        # EL0; Unicorn starts at EL1 with its own stack pointer.
        self._put(uc.REG_PSTATE, 0)
        # What macOS lets EL0 do: floating point, counters, cache maintenance, DC ZVA.
        uc.write_system(self._engine, 3, 0, 1, 0, 2, 3 << 20)       # CPACR_EL1.FPEN
        uc.write_system(self._engine, 3, 0, 14, 1, 0, 3)            # CNTKCTL_EL1: counters
        sctlr = uc.read_system(self._engine, 3, 0, 1, 0, 0)
        allowed = 1 << 26 | 1 << 15 | 1 << 14                       # SCTLR_EL1.UCI, UCT, DZE
        uc.write_system(self._engine, 3, 0, 1, 0, 0, sctlr | allowed)
        self._hook(uc.HOOK_INTR, _INTERRUPT(self._on_interrupt))
        system = _SYSTEM(self._on_system)
        uc.add_hook(self._engine, uc.HOOK_INSN, system, instruction=uc.INS_MRS)
        self._hooks.append(system)
        invalid = uc.HOOK_MEM_UNMAPPED | uc.HOOK_MEM_PROT
        self._hook(invalid, _INVALID(self._on_invalid))
        if self.counter.block_hook is not None:
            uc.add_hook(
                self._engine, uc.HOOK_BLOCK, ctypes.c_void_p(self.counter.block_hook),
                self.counter.address,
            )
        else:
            self._hook(uc.HOOK_BLOCK, _BLOCK(self._on_block))
        self.memory.attach(self)

    def close(self) -> None:
        """Free the engine.  The memory stays."""
        if self._finalizer.alive:
            self._finalizer()
            self._hooks.clear()

    # --- hooks ------------------------------------------------------------------------------

    def _hook(self, kind: int, callback: Any, begin: int = 1, end: int = 0) -> ctypes.c_size_t:
        handle = uc.add_hook(self._engine, kind, callback, 0, begin, end)
        self._hooks.append(callback)
        return handle

    def _on_interrupt(self, _engine: int, number: int, _data: int) -> None:
        if number == _SVC:
            try:
                self.on_svc()
            except BaseException as error:
                self.failure = error
                self._stop(self._engine)
            return
        # Aborts that come here are misaligned accesses; the rest (UDEF, HVC, SMC) are
        # instructions that EL0 does not have.
        pc = self.get_pc()
        reason = Reason.ALIGNMENT if pc & 3 else _EXCEPTIONS.get(number, Reason.ILLEGAL)
        self._event = Stop(reason, pc)
        self._stop(self._engine)

    def _on_invalid(
        self, _engine: int, kind: int, address: int, _size: int, _value: int, _data: int
    ) -> bool:
        reason, access = _FAULTS.get(kind, (Reason.UNMAPPED, READ))
        if reason is Reason.UNMAPPED and self.memory.region(address) is not None:
            reason = Reason.BEHIND
        if access == EXECUTE and address & 3:
            reason = Reason.ALIGNMENT       # the processor looks at that first
        self._event = Stop(reason, address, access)
        return False

    def _on_system(self, _engine: int, register: int, which: Any, _data: int) -> int:
        found = which.contents
        key = (found.op0, found.op1, found.crn, found.crm, found.op2)
        if key in _COUNTERS:
            self._put(register, self.ticks())
        elif key == _COUNTER_FREQUENCY:
            self._put(register, COUNTER_HZ)
        else:
            return 0        # Unicorn's own answer
        return 1

    def _on_block(self, _engine: int, address: int, size: int, _data: int) -> None:
        # The Python twin of the native block hook.
        words = self.words
        count = words[native.COUNT] + size // 4
        if words[native.ATTENTION] or count > words[native.LIMIT]:
            self._stop(self._engine)
            return
        words[native.COUNT] = count
        words[native.BLOCK] = address
        words[native.BLOCK_SIZE] = size
        self.counter.note(address, size)

    def guard_stack(self, start: int, end: int) -> None:
        """Stop with ALIGNMENT when the stack is touched while sp is not a multiple of 16.

        The processor of a Mac faults there; Unicorn's does not.
        """

        def on_access(
            _engine: int, _kind: int, address: int, _size: int, _value: int, _data: int
        ) -> None:
            if self.get_sp() & 15 and self._event is None:
                self._event = Stop(Reason.ALIGNMENT, address)
                self._back_to = self.get_pc()
                self._stop(self._engine)

        kinds = uc.HOOK_MEM_READ | uc.HOOK_MEM_WRITE
        self._hook(kinds, _ACCESS(on_access), start, end - 1)

    def watch_writes(self, callback: Callable[[int, int, int], None]) -> Callable[[], None]:
        """Call back with (address, size, value) for every store; returns what ends it."""
        return self._watch(uc.HOOK_MEM_WRITE, callback)

    def watch_reads(self, callback: Callable[[int, int], None]) -> Callable[[], None]:
        """Call back with (address, size) for every load; returns what ends it."""
        return self._watch(uc.HOOK_MEM_READ, lambda address, size, _: callback(address, size))

    def _watch(self, kind: int, callback: Callable[[int, int, int], None]) -> Callable[[], None]:
        def on_access(
            _engine: int, _kind: int, address: int, size: int, value: int, _data: int
        ) -> None:
            callback(address, size, value)

        function = _ACCESS(on_access)
        handle = self._hook(kind, function)

        def end() -> None:
            uc.free.uc_hook_del(self._engine, handle)
            self._hooks.remove(function)

        return end

    # --- registers --------------------------------------------------------------------------

    def enter(self) -> None:
        """Read what a system call needs into `call`."""
        self._read_batch(*self._call.arguments)

    def leave(self, x0: int, x1: int, nzcv: int) -> None:
        """Write what every system call changes; x18 becomes 0."""
        values = self._return.values
        values[0] = x0
        values[1] = x1
        values[2] = 0
        values[3] = nzcv
        self._write_batch(*self._return.arguments)

    def load(self) -> memoryview:
        """Read x0-x30, sp, pc and flags into `general` and return it."""
        self._read_batch(*self._general.arguments)
        return self.general

    def store(self) -> None:
        """Write `general` to the processor."""
        self._write_batch(*self._general.arguments)

    def store_general(self, first: int, end: int) -> None:
        """Write only x`first` to x`end - 1` from `general`."""
        for number in range(first, end):
            self._put(_X_IDS[number], self.general[number])

    def snapshot(self) -> tuple[int, ...]:
        """x0-x30, sp, pc, flags."""
        return tuple(self.load())

    def vectors(self) -> memoryview:
        """q0-q31, each as two 64-bit words, low first; write back with `store_vectors`."""
        if self._vectors is None:
            ids = [uc.REG_Q0 + n for n in range(32)]
            self._vectors = Batch(self._engine, ids, 2)
        self._read_batch(*self._vectors.arguments)
        return self._vectors.values

    def store_vectors(self) -> None:
        """Write what `vectors` returned, changed or not."""
        if self._vectors is not None:
            self._write_batch(*self._vectors.arguments)

    def _get(self, register: int) -> int:
        self._read_register(self._engine, ctypes.c_int(register), self._one_pointer)
        return self._one[0]

    def _put(self, register: int, value: int) -> None:
        self._one[0] = value
        self._write_register(self._engine, ctypes.c_int(register), self._one_pointer)

    def get_pc(self) -> int:
        return self._get(uc.REG_PC)

    def set_pc(self, value: int) -> None:
        self._put(uc.REG_PC, value)

    def get_sp(self) -> int:
        return self._get(uc.REG_SP)

    def set_x(self, number: int, value: int) -> None:
        self._put(_X_IDS[number], value)

    def get_status(self) -> tuple[int, int]:
        """FPSR, FPCR."""
        return (
            self._get(uc.REG_FPSR) & 0xFFFFFFFF,
            self._get(uc.REG_FPCR) & 0xFFFFFFFF,
        )

    def set_status(self, fpsr: int, fpcr: int) -> None:
        self._put(uc.REG_FPSR, fpsr)
        self._put(uc.REG_FPCR, fpcr)

    # --- running ----------------------------------------------------------------------------

    @property
    def instructions(self) -> int:
        """Instructions executed since the start, exactly, when the processor stands still
        or inside a system call."""
        return self.words[native.COUNT]

    def run(self, count: int = 0) -> Stop:
        """Run from pc until something happens, or for `count` instructions.

        Raises what a system call left in `failure`.
        """
        self._event = None
        self._asked = False
        self.failure = None
        pc = self.get_pc()
        status = self._start(
            self._engine, ctypes.c_uint64(pc), self._until, self._no_timeout,
            ctypes.c_size_t(count) if count else self._no_count,
        )
        if self.failure is not None:
            raise self.failure
        if self._back_to is not None:
            self.set_pc(self._back_to)
            self._back_to = None
        event = self._event
        if event is None:
            if status == uc.OK:
                words = self.words
                asked = self._asked or words[native.ATTENTION] or count
                limited = words[native.LIMIT] != native.NO_LIMIT and not asked
                return Stop(Reason.LIMIT if limited else Reason.STOPPED)
            event = Stop(
                Reason.ILLEGAL if status == uc.ERR_INSN_INVALID else Reason.ALIGNMENT,
                self.get_pc(),
            )
        self._uncount()
        return event

    def step(self) -> Stop:
        """Run one instruction, counted as one."""
        words = self.words
        count = words[native.COUNT]
        stop = self.run(1)
        if words[native.COUNT] >= count:    # else a fork began anew
            # Unicorn begins the block behind as well, which is not executed.
            words[native.COUNT] = count + (stop.reason in (Reason.STOPPED, Reason.LIMIT))
        return stop

    def _uncount(self) -> None:
        """A fault ends a block early: take the instructions behind it off the count."""
        words = self.words
        pc = self.get_pc()
        end = words[native.BLOCK] + words[native.BLOCK_SIZE]
        if words[native.BLOCK] <= pc < end:
            words[native.COUNT] -= (end - pc) // 4
            self.counter.clip(words[native.BLOCK], (pc - words[native.BLOCK]) // 4 + 1)

    def stop(self) -> None:
        """Make `run` come back at the next block."""
        self._asked = True
        self._stop(self._engine)

    # --- pages (memory.Pages) ---------------------------------------------------------------

    def map_pages(self, address: int, size: int, protection: int, host: int) -> None:
        status = uc.free.uc_mem_map_ptr(
            self._engine, ctypes.c_uint64(address), ctypes.c_size_t(size),
            ctypes.c_uint32(protection), ctypes.c_void_p(host),
        )
        if status:
            raise RuntimeError(f"unicorn cannot map {size:#x} at {address:#x}: error {status}")

    def unmap_pages(self, address: int, size: int) -> None:
        status = uc.free.uc_mem_unmap(
            self._engine, ctypes.c_uint64(address), ctypes.c_size_t(size)
        )
        if status:
            raise RuntimeError(f"unicorn cannot unmap {size:#x} at {address:#x}: error {status}")

    def forget_code(self, address: int, size: int) -> None:
        """Code there has changed: drop its translation, and look at what is there now."""
        self.vet(address & -4, (size + (address & 3) + 3) & -4)
        uc.remove_cache(self._engine, address, address + size)

    def vet(self, start: int, size: int) -> None:
        """Replace words that Unicorn cannot bear by udf; `replaced` keeps them."""
        for offset, word in unallocated.find(self.memory.peek(start, size)):
            self.replaced[start + offset] = word
            self.memory.restore(
                start + offset, unallocated.REPLACEMENT.to_bytes(4, "little")
            )

    def warm(self, start: int, size: int) -> None:
        """Translate code ahead of time, from every place where a block can begin."""
        code = self.memory.peek(start, size)
        # Unicorn never lets a block cross a multiple of its smallest page, 1 KiB.
        begins = {start, *range(start & -_TARGET_PAGE, start + size, _TARGET_PAGE)}
        for offset in range(0, size - 3, 4):
            word = int.from_bytes(code[offset:offset + 4], "little")
            target = _branch(word)
            if target is not None:
                begins.add(start + offset + 4)
                if target:
                    begins.add(start + offset + target)
        for address in sorted(begins):
            if start <= address < start + size:
                uc.request_cache(self._engine, address)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def _branch(word: int) -> int | None:
    """The distance an instruction jumps; 0 when that is not in it; None when it goes on."""
    if word & 0x7C000000 == 0x14000000:                                 # b, bl
        return _signed(word & 0x3FFFFFF, 26) * 4
    if word & 0xFF000010 == 0x54000000 or word & 0x7E000000 == 0x34000000:  # b.cond, cbz
        return _signed(word >> 5 & 0x7FFFF, 19) * 4
    if word & 0x7E000000 == 0x36000000:                                 # tbz, tbnz
        return _signed(word >> 5 & 0x3FFF, 14) * 4
    if word & 0xFE000000 == 0xD6000000 or word & 0xFF000000 == 0xD4000000:  # br, ret, svc
        return 0
    return None
