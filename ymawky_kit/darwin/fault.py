"""What the processor's exceptions become: signals, and a report for a person.

Source: XNU osfmk/arm64/sleh.c (handle_user_abort), bsd/dev/arm/unix_signal.c,
bsd/uxkern/ux_exception.c: nothing mapped is SIGSEGV, a refused access or one behind
the end of a mapped file is SIGBUS, no instruction SIGILL, brk SIGTRAP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.frame import Info
from ymawky_kit.emu.cpu import NZCV, PC, REGISTER_NAMES, Reason, Stop
from ymawky_kit.emu.memory import EXECUTE, WRITE, BadAddress

if TYPE_CHECKING:
    from ymawky_kit.darwin.kernel import Kernel

# Exception classes of ESR_EL1, bits 26-31, and the 32-bit instruction bit.
_DATA_ABORT: Final = 0x24 << 26 | 1 << 25
_FETCH_ABORT: Final = 0x20 << 26 | 1 << 25
_UNKNOWN: Final = 0 << 26 | 1 << 25
_BRK: Final = 0x3C << 26 | 1 << 25
_PC_ALIGNMENT: Final = 0x22 << 26 | 1 << 25
_TRANSLATION: Final = 0x07      # level 3
_PERMISSION: Final = 0x0F
_ALIGNMENT: Final = 0x21
_IS_WRITE: Final = 1 << 6

# si_code values of <sys/signal.h>.
_SEGV_MAPERR: Final = 1
_BUS_ADRALN: Final = 1
_BUS_ADRERR: Final = 2
_ILL_ILLOPC: Final = 1
_TRAP_BRKPT: Final = 1


def signal_for(stop: Stop) -> tuple[int, Info]:
    """The Darwin signal of a stop and what siginfo and mcontext say about it."""
    base = _FETCH_ABORT if stop.access & EXECUTE else _DATA_ABORT
    if stop.access & WRITE:
        base |= _IS_WRITE
    address = stop.address
    if stop.reason is Reason.UNMAPPED:
        info = Info(_SEGV_MAPERR, address=address, far=address, esr=base | _TRANSLATION)
        return abi.SIGSEGV, info
    if stop.reason is Reason.BEHIND:
        info = Info(_BUS_ADRERR, address=address, far=address, esr=base | _TRANSLATION)
        return abi.SIGBUS, info
    if stop.reason is Reason.PROTECTED:
        info = Info(_BUS_ADRERR, address=address, far=address, esr=base | _PERMISSION)
        return abi.SIGBUS, info
    if stop.reason is Reason.BREAKPOINT:
        return abi.SIGTRAP, Info(_TRAP_BRKPT, address=address, esr=_BRK)
    if stop.reason is Reason.ILLEGAL:
        return abi.SIGILL, Info(_ILL_ILLOPC, address=address, esr=_UNKNOWN)
    esr = _PC_ALIGNMENT if address & 3 else _DATA_ABORT | _ALIGNMENT
    return abi.SIGBUS, Info(_BUS_ADRALN, address=address, far=address, esr=esr)


_WHAT: Final = {
    Reason.UNMAPPED: "no memory at",
    Reason.PROTECTED: "access refused at",
    Reason.BEHIND: "behind the end of the mapped file at",
    Reason.BREAKPOINT: "breakpoint instruction at",
    Reason.ILLEGAL: "no such instruction at",
    Reason.ALIGNMENT: "misaligned access at",
}


def describe(kernel: Kernel, stop: Stop, number: int) -> str:
    """The report of a death by fault: signal, place, instruction, registers."""
    from ymawky_kit.emu.disassembler import disassemble

    general = kernel.cpu.snapshot()
    pc = general[PC]
    name = abi.VOCABULARIES["signal"](number)
    doing = {WRITE: "storing", EXECUTE: "jumping"}.get(stop.access, "loading")
    accessing = stop.reason in (Reason.UNMAPPED, Reason.PROTECTED, Reason.BEHIND)
    verb = f" while {doing}" if accessing else ""
    lines = [f"killed by {name}: {_WHAT[stop.reason]} {stop.address:#x}{verb}"]
    try:
        word = kernel.memory.peek(pc, 4)
        if pc in kernel.cpu.replaced:
            word = kernel.cpu.replaced[pc].to_bytes(4, "little")
        instruction = disassemble(word, pc) or f".long {int.from_bytes(word, 'little'):#010x}"
    except BadAddress:
        instruction = "(no memory there)"
    lines.append(f"  pc {kernel.symbols.describe(pc)}: {instruction}")
    for start in range(0, 33, 4):
        row = range(start, min(start + 4, 32))
        if row:
            lines.append("  " + "  ".join(f"{REGISTER_NAMES[n]:>3} {general[n]:016x}" for n in row))
    flags = general[NZCV] >> 28
    text = "".join(c if flags >> 3 - i & 1 else "-" for i, c in enumerate("NZCV"))
    lines.append(f"  flags {text}")
    return "\n".join(lines)
