"""What a handler finds on its stack: siginfo, ucontext and mcontext, as bytes.

Source: XNU bsd/dev/arm/unix_signal.c (sendsig, sigreturn), struct user_siginfo and
struct mcontext64 of bsd/sys and osfmk/mach/arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from ymawky_kit.emu import cpu as processor
from ymawky_kit.emu.memory import Memory

_SIGINFO: Final = Struct("<iiiiIiQQq56x")       # signo errno code pid uid status addr value band
_UCONTEXT: Final = Struct("<iIQQi4xQQQ")        # onstack mask, stack, link, size and mcontext
_MCONTEXT_HEAD: Final = Struct("<QII")          # far, esr, exception
_GENERAL: Final = Struct("<33QI4x")             # x0-x28 fp lr sp pc, cpsr
_STATUS: Final = Struct("<II")                  # fpsr, fpcr
_VECTORS_AT: Final = 288
_STATUS_AT: Final = 800
_MCONTEXT_SIZE: Final = 816
_RED_ZONE: Final = 128
_SIZE: Final = _SIGINFO.size + _UCONTEXT.size + _MCONTEXT_SIZE      # 976
_NZCV: Final = 0xF000_0000


@dataclass(frozen=True, slots=True)
class Info:
    """What siginfo says about a signal's cause."""

    code: int = 0
    pid: int = 0
    uid: int = 0
    status: int = 0
    address: int | None = None      # None: the interrupted pc
    far: int = 0
    esr: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses of the three parts; siginfo comes first."""

    frame: int
    context: int
    machine: int


@dataclass(frozen=True, slots=True)
class Context:
    """What sigreturn brings back."""

    on_stack: bool              # was the interrupted code on the alternate stack?
    mask: int
    general: tuple[int, ...]    # x0-x30, sp, pc, nzcv
    vectors: bytes              # q0-q31, 512 bytes
    status: tuple[int, int]     # fpsr, fpcr


def place_below(top: int) -> Place:
    """Where the frame goes under a stack pointer: the red zone is left alone."""
    frame = (top - _RED_ZONE - _SIZE) & 0xFFFF_FFFF_FFFF_FFF0
    context = frame + _SIGINFO.size
    return Place(frame, context, context + _UCONTEXT.size)


def pack(
    place: Place, number: int, info: Info, saved: Context, stack: tuple[int, int, int]
) -> bytearray:
    """The frame's 976 bytes; `stack` is base, size and flags of the alternate stack."""
    address = saved.general[processor.PC] if info.address is None else info.address
    blob = bytearray(_SIZE)
    _SIGINFO.pack_into(
        blob, 0, number, 0, info.code, info.pid, info.uid, info.status, address, 0, 0
    )
    _UCONTEXT.pack_into(
        blob, _SIGINFO.size, int(saved.on_stack), saved.mask, *stack, 0, _MCONTEXT_SIZE,
        place.machine,
    )
    at = _SIGINFO.size + _UCONTEXT.size
    _MCONTEXT_HEAD.pack_into(blob, at, info.far, info.esr, info.esr >> 26)
    _GENERAL.pack_into(
        blob, at + _MCONTEXT_HEAD.size, *saved.general[:33],
        saved.general[processor.NZCV] & _NZCV,
    )
    blob[at + _VECTORS_AT:at + _STATUS_AT] = saved.vectors
    _STATUS.pack_into(blob, at + _STATUS_AT, *saved.status)
    return blob


def unpack(memory: Memory, context: int) -> Context | None:
    """What a ucontext in guest memory says; None when its mcontext has another size.

    Raises BadAddress.
    """
    on_stack, mask, _base, _size, _flags, _link, size, machine = _UCONTEXT.unpack(
        memory.read(context, _UCONTEXT.size)
    )
    if size != _MCONTEXT_SIZE:
        return None
    blob = memory.read(machine, _MCONTEXT_SIZE)
    *general, cpsr = _GENERAL.unpack_from(blob, _MCONTEXT_HEAD.size)
    fpsr, fpcr = _STATUS.unpack_from(blob, _STATUS_AT)
    return Context(
        bool(on_stack & 1), mask, (*general, cpsr & _NZCV), blob[_VECTORS_AT:_STATUS_AT],
        (fpsr, fpcr),
    )
