"""The dispatcher: `svc` in, one row called, registers out; faults become signals.

Only this module writes the guest's registers after a call.  Source: XNU
osfmk/arm64/sleh.c (handle_svc), bsd/dev/arm/systemcalls.c (unix_syscall,
arm_prepare_u64_syscall_return).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import mmap
import os
from collections.abc import Callable
from functools import cache
from struct import Struct
from typing import Final

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.delivery import Signals
from ymawky_kit.darwin.entry import compile_entry
from ymawky_kit.darwin.errno import EAGAIN, EFAULT, EINTR, ENOSYS, Errno, from_host
from ymawky_kit.darwin.errno import name as errno_name
from ymawky_kit.darwin.fault import describe, signal_for
from ymawky_kit.darwin.frame import Info
from ymawky_kit.darwin.lifetime import finish, say
from ymawky_kit.darwin.table import OnSignal, Returns, Row, table
from ymawky_kit.darwin.task import Interrupted, ProcessEnd, Task
from ymawky_kit.darwin.trace import TraceSink, arguments_of, preview_of
from ymawky_kit.emu.cpu import CALL_NUMBER, CALL_NZCV, CARRY, Cpu, Reason, Stop
from ymawky_kit.emu.event import SyscallEvent
from ymawky_kit.emu.memory import BadAddress, Memory
from ymawky_kit.emu.native import ATTENTION, COUNT
from ymawky_kit.emu.plan import FaultPlan
from ymawky_kit.emu.symbol import SymbolTable

#: Modules that hold rows, imported once.
ROW_MODULES: Final = (
    "process", "signal", "transfer", "descriptor", "control", "lock", "opening", "status",
    "file", "directory", "attributes", "memory_map",
    "clock", "sysinfo", "socket", "sockopt", "message", "poll", "select", "kqueue", "sendfile",
)

_SVC_SIZE: Final = 4
_ORDINAL: Final = Struct("<I")

#: A process that goes on forking after so many refusals is in a loop, and is killed.
REFUSALS_MAX: Final = 200

#: What strict mode leaves in a register that nobody may rely on.
_JUNK: Final = 0xDEAD_0000_0000_0000


@cache
def load_rows() -> None:
    """Import every row module, so that the table is complete."""
    for name in ROW_MODULES:
        importlib.import_module(f"ymawky_kit.darwin.{name}")


class Kernel:
    """Darwin for one guest process."""

    def __init__(
        self,
        memory: Memory,
        cpu: Cpu,
        *,
        strict: bool = False,
        plan: FaultPlan | None = None,
        trace: TraceSink | None = None,
    ) -> None:
        load_rows()
        self.memory = memory
        self.cpu = cpu
        self.signals = Signals(memory, cpu)
        self.task = Task(memory, cpu, self.signals)
        self.task.kernel = self
        self.strict = strict
        self.plan = plan
        self.trace = trace
        self.symbols = SymbolTable(())
        #: The host's number of the first process of the run.
        self.first_process = os.getpid()
        #: 1 for the first process, then in the order of the forks.
        self.process = 1
        # A word that forked processes share: the last ordinal given out.
        self._ordinals = mmap.mmap(-1, mmap.PAGESIZE)
        _ORDINAL.pack_into(self._ordinals, 0, 1)
        #: How many processes the run may make in all; the fork after that is EAGAIN.
        self.processes_max: int | None = None
        self._refused = 0
        #: Calls made by this process, restarted ones counted each time.
        self.calls = 0
        #: True once this host process is a forked child: its end is the guest's end.
        self.forked = False
        #: Print what killed the process on descriptor 2.
        self.report = True
        #: Does a successful execve's work once the processor stands still.
        self.replace: Callable[[], None] | None = None
        #: The last call made, for single-stepping.
        self.last_event: SyscallEvent | None = None
        #: Make `last_event` although no trace is written.
        self.observe = False
        #: Address and size of the program's code.
        self.text = (0, 0)
        self._restart = False
        self._ready_to_fork = False
        self._entries: dict[int, Callable[[], None]] = {}
        self._last_count = 0
        self.choose()

    def choose(self) -> None:
        """Take the short way through a call unless something wants to look."""
        slow = self.strict or self.plan is not None or self.trace is not None or self.observe
        self.cpu.on_svc = self._watched if slow else self._fast

    # --- a call -----------------------------------------------------------------------------

    def _fast(self) -> None:
        cpu = self.cpu
        cpu.enter()
        self.calls += 1
        entry = self._entries.get(cpu.call[CALL_NUMBER] & 0xFFFFFFFF)
        if entry is None:
            entry = self._entry()
            if entry is None:
                return
        try:
            entry()
        except Errno as error:
            cpu.leave(error.number, 0, cpu.call[CALL_NZCV] | CARRY)
        except (BadAddress, Interrupted, OSError) as error:
            self._failed(error)
        if cpu.words[ATTENTION]:
            cpu.stop()

    def _failed(self, error: Exception) -> str:
        """Finish a call that raised something other than Errno; returns the errno's name."""
        cpu = self.cpu
        if isinstance(error, BadAddress):
            number = EFAULT
        elif isinstance(error, Interrupted):
            row = self._row()
            if row is not None and row.on_signal is OnSignal.RESTART and self.signals.restarts():
                # ERESTART: carry is clear already in the kernel, pc goes back to the svc.
                self._restart = True
                cpu.stop()
                return "ERESTART"
            cpu.stop()
            number = EINTR
        else:
            number = from_host(error.errno if isinstance(error, OSError) else None)
        cpu.leave(number, 0, cpu.call[CALL_NZCV] | CARRY)
        return errno_name(number)

    def _number(self) -> tuple[int, bool]:
        """The number of the call whose registers were read, and whether it is indirect."""
        call = self.cpu.call
        selector = call[CALL_NUMBER] & 0xFFFFFFFF
        if selector & 0x80000000:
            return selector - (1 << 32), False
        if selector == 0:
            return call[0] & 0xFFFF, True
        return selector & 0xFFFF, False

    def _row(self) -> Row | None:
        return table.get(self._number()[0])

    def _entry(self) -> Callable[[], None] | None:
        """Compile the row of a number seen for the first time; None when there is none."""
        number, indirect = self._number()
        row = table.get(number)
        if row is None:
            self._unknown(number)
            return None
        entry = compile_entry(row, self.task, 1 if indirect else 0)
        if not indirect:
            self._entries[self.cpu.call[CALL_NUMBER] & 0xFFFFFFFF] = entry
        return entry

    def _unknown(self, number: int) -> None:
        """A number without a row: say so, ENOSYS and SIGSYS (nosys in XNU)."""
        cpu = self.cpu
        pc = cpu.get_pc() - _SVC_SIZE
        what = "Mach trap" if number < 0 else "system call"
        if self.report:
            self.say(f"unknown {what} {number} at {self.symbols.describe(pc)}")
        cpu.leave(ENOSYS, 0, cpu.call[CALL_NZCV] | CARRY)
        self.signals.post(abi.SIGSYS, Info(address=pc))
        cpu.stop()

    def _watched(self) -> None:
        """As `_fast`, with strict mode, the fault plan and the trace."""
        cpu = self.cpu
        cpu.enter()
        self.calls += 1
        number, indirect = self._number()
        row = table.get(number)
        if self.strict and cpu.get_sp() & 15:
            self._misaligned()
            return
        if row is None:
            self._record(number, f"#{number}", (), b"", None, "ENOSYS")
            self._unknown(number)
            return
        first = 1 if indirect else 0
        raw = tuple(cpu.call[first:first + len(row.kinds)])
        fault = self.plan.next(row.name, self.process) if self.plan is not None else None
        if row.name == "exit":
            fault = None        # the one call that cannot fail
        shown: tuple[str, ...] = ()
        data = b""
        looking = self.trace is not None or self.observe
        if looking:
            shown, data = arguments_of(row, self.task, raw)
            if row.name in ("exit", "execve"):      # may never come back
                self._record(number, row.name, shown, data, None, None)
            elif self.trace is not None and self.trace.entries:
                self._enter(number, row.name, shown)
        error: str | None = None
        kept = row.returns is Returns.KEPT
        self.task.short = fault.short if fault is not None else None
        try:
            if fault is not None and fault.error is not None:
                self._before_failure(row, first, raw)
                raise Errno(fault.error)
            compile_entry(row, self.task, first)()
        except Errno as problem:
            error = errno_name(problem.number)
            cpu.leave(problem.number, 0, cpu.call[CALL_NZCV] | CARRY)
            kept = False
        except (BadAddress, Interrupted, OSError) as problem:
            error = self._failed(problem)
            kept = self._restart
        finally:
            self.task.short = None
        if looking and (row.name not in ("exit", "execve") or error is not None):
            result = second = 0
            if not kept and error is None:
                returned = cpu._return.values
                result, second = returned[0], returned[1]
            if error is None and not kept:
                shown, data = preview_of(row, self.task, raw, shown, data, result)
            self._record(
                number, row.name, shown, data, result if error is None else None, error,
                second, fault is not None,
            )
        if self.strict and not kept:
            self._spoil(row, error is None)
        if cpu.words[ATTENTION]:
            cpu.stop()

    def _before_failure(self, row: Row, first: int, raw: tuple[int, ...]) -> None:
        """What a real call has done although it fails."""
        if row.name == "close":
            compile_entry(row, self.task, first)()      # the number is free all the same
        elif row.name == "sendfile":
            with contextlib.suppress(BadAddress):
                self.memory.put_u64(raw[3], 0)          # the count goes out on failure too

    def _record(
        self,
        number: int,
        name: str,
        shown: tuple[str, ...],
        data: bytes,
        result: int | None,
        error: str | None,
        second: int = 0,
        injected: bool = False,
    ) -> None:
        count = self.cpu.words[COUNT]
        event = SyscallEvent(
            self.process, number, name, shown, result, error, second,
            count - self._last_count, count, self.cpu.get_pc() - _SVC_SIZE, data, injected,
        )
        self._last_count = count
        self.last_event = event
        if self.trace is not None:
            self.trace.write(event)

    def _enter(self, number: int, name: str, shown: tuple[str, ...]) -> None:
        """Write that a call begins; the same instructions are told again at its return."""
        assert self.trace is not None
        count = self.cpu.words[COUNT]
        self.trace.write(SyscallEvent(
            self.process, number, name, shown, None, None, 0, count - self._last_count,
            count, self.cpu.get_pc() - _SVC_SIZE, entered=True))

    def _spoil(self, row: Row, succeeded: bool) -> None:
        """Junk in every register that a call may change by contract: x1-x18."""
        general = self.cpu.load()
        first = 2 if succeeded and row.returns is Returns.PAIR else 1
        for register in range(first, 19):
            general[register] = _JUNK | self.calls << 8 & 0xFFFFFFFF00 | register
        self.cpu.store_general(first, 19)

    def _misaligned(self) -> None:
        cpu = self.cpu
        if self.report:
            pc = cpu.get_pc() - _SVC_SIZE
            self.say(
                f"strict: sp is {cpu.get_sp():#x}, not a multiple of 16, "
                f"at {self.symbols.describe(pc)}"
            )
        self.signals.post(abi.SIGBUS)
        cpu.stop()

    # --- the process ------------------------------------------------------------------------

    def settle(self, stop: Stop) -> None:
        """Do what a stop of the processor asks for; raises ProcessEnd at the guest's end."""
        try:
            if self._restart:
                self._restart = False
                self.cpu.set_pc(self.cpu.get_pc() - _SVC_SIZE)
            if stop.reason is not Reason.STOPPED and stop.reason is not Reason.LIMIT:
                self._fault(stop)
            replace = self.replace
            if replace is not None:
                self.replace = None
                replace()
            self.signals.deliver()
        except ProcessEnd as end:
            self.ended(end)
            raise

    def events(self) -> list[SyscallEvent]:
        """What the trace holds so far, all processes; also after `close`."""
        return self.trace.events() if self.trace is not None else []

    def close(self) -> None:
        """Give back what the host lent: dispositions, the trace."""
        self.signals.release()
        if self.trace is not None:
            self.trace.close()
        self._ordinals.close()

    def _fault(self, stop: Stop) -> None:
        number, info = signal_for(stop)
        action = self.signals.actions[number]
        if not action.caught or self.signals.mask >> (number - 1) & 1:
            if self.report:
                self.say(describe(self, stop, number))
            raise ProcessEnd(signal=number)
        self.signals.force(number, info)

    def say(self, text: str) -> None:
        """Lines of our own on the guest's standard error."""
        say(text, self.task.files.redirected.get(2, 2))

    def ended(self, end: ProcessEnd) -> None:
        """In a process of the guest's own: end it the way the guest ended."""
        if self.forked or self.task.owns_process:
            if end.signal and self.trace is not None and self.trace.entries:
                self._enter(end.signal, "killed", ())
            finish(end)

    def _prepare_to_fork(self) -> None:
        """Do once, here, what every child would do for itself: a child begins with a
        copy of every page, and each page it is the first to touch costs microseconds."""
        self._ready_to_fork = True
        if self.task.owns_process:
            for number, row in table.items():
                if number >= 0:
                    self._entries[number] = compile_entry(row, self.task, 0)
            self.cpu.warm(*self.text)
            gc.collect()
            gc.disable()
            gc.freeze()

    def _next_ordinal(self) -> int:
        """The number of the next process; EAGAIN when there are enough.

        Where they are told apart, in a trace, no two processes that fork at the same
        instant get the same one.
        """
        with self.trace.alone() if self.trace is not None else contextlib.nullcontext():
            (last,) = _ORDINAL.unpack_from(self._ordinals, 0)
            if self.processes_max is None or last < self.processes_max:
                _ORDINAL.pack_into(self._ordinals, 0, last + 1)
                return int(last) + 1
        self._refused += 1
        if self._refused > REFUSALS_MAX:
            end = ProcessEnd(signal=abi.SIGKILL)
            self.ended(end)
            raise end
        raise Errno(EAGAIN)

    def exit(self, status: int) -> None:
        """The guest called exit."""
        end = ProcessEnd(status=status & 0xFF)
        self.ended(end)
        raise end

    def fork(self) -> tuple[int, int]:
        """fork(2): (pid, 0) in the parent, (own pid, 1) in the child (thread_set_child)."""
        signals = self.signals
        if not self._ready_to_fork:
            self._prepare_to_fork()
        ordinal = self._next_ordinal()
        signals.hold()
        try:
            pid = os.fork()
        except OSError:
            signals.let_go()
            raise
        if pid:
            signals.let_go()
            return pid, 0
        self.forked = True
        self.process = ordinal
        self.calls = 0
        self.cpu.words[COUNT] = 0
        self._last_count = 0
        signals.forked()
        signals.let_go()
        for action in self.task.on_fork:
            action()
        return os.getpid(), 1
