"""The calls about signals and interval timers.

Source: XNU bsd/kern/kern_sig.c, bsd/dev/arm/unix_signal.c, bsd/kern/kern_time.c.
"""

from __future__ import annotations

import ctypes
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.delivery import Action
from ymawky_kit.darwin.errno import EINVAL, ENOMEM, EPERM, Errno
from ymawky_kit.darwin.table import ADDRESS, ENUM, FULL, INT, KEPT, SIGNAL, UINT, ULONG, table
from ymawky_kit.emu.cpu import CALL_NZCV, CARRY

if TYPE_CHECKING:
    from ymawky_kit.darwin.task import Task

_ACTION_IN = Struct("<QQII")        # handler, trampoline, mask, flags
_ACTION_OUT = Struct("<QII")        # handler, mask, flags: no trampoline
_STACK = Struct("<QQI4x")
_TIMER = Struct("<qi4xqi4x")        # interval, value


@table.syscall(46, "sigaction", SIGNAL, ADDRESS, ADDRESS, support=FULL)
def sigaction(task: Task, number: int, new: int, old: int) -> None:
    """What a signal does; 24 bytes in, 16 out.  EINVAL for KILL, STOP and no signal."""
    if not 0 < number < abi.NSIG or number in (abi.SIGKILL, abi.SIGSTOP):
        raise Errno(EINVAL)
    before = task.signals.actions[number]
    if new:
        fields = _ACTION_IN.unpack(task.memory.read(new, _ACTION_IN.size))
    if old:
        flags = before.flags
        task.memory.write(old, _ACTION_OUT.pack(before.handler, before.mask, flags))
    if new:
        task.signals.set_action(number, Action(*fields))


@table.syscall(48, "sigprocmask", ENUM("sigprocmask"), ADDRESS, ADDRESS, support=FULL)
def sigprocmask(task: Task, how: int, new: int, old: int) -> None:
    """Block (1), unblock (2) or set (3) signals; how is not looked at without a set."""
    signals = task.signals
    before = signals.mask
    if new:
        wanted = task.memory.u32(new)
        if how == abi.SIG_BLOCK:
            signals.set_mask(before | wanted)
        elif how == abi.SIG_UNBLOCK:
            signals.set_mask(before & ~wanted)
        elif how == abi.SIG_SETMASK:
            signals.set_mask(wanted)
        else:
            raise Errno(EINVAL)
    if old:         # last: it may be the same word as the new one
        task.memory.put_u32(old, before)


table.syscall(329, "__pthread_sigmask", ENUM("sigprocmask"), ADDRESS, ADDRESS, support=FULL)(
    sigprocmask
)


@table.syscall(52, "sigpending", ADDRESS, support=FULL)
def sigpending(task: Task, out: int) -> None:
    """The signals that are blocked and wait."""
    task.memory.put_u32(out, task.signals.waiting())


@table.syscall(111, "sigsuspend", UINT, support=FULL, nocancel=410)
def sigsuspend(task: Task, mask: int) -> None:
    """Sleep with another mask, given by value, until a signal is handled: always EINTR."""
    signals = task.signals
    signals.restore = signals.mask
    signals.set_mask(mask)
    # Only a signal ends this, as Interrupted.
    while True:
        task.sleep(None)


@table.syscall(53, "sigaltstack", ADDRESS, ADDRESS, support=FULL)
def sigaltstack(task: Task, new: int, old: int) -> None:
    """A stack for handlers with SA_ONSTACK; EINVAL, ENOMEM (under 8192), EPERM (in use)."""
    signals = task.signals
    if old:
        base, size = signals.stack
        flags = 0 if signals.stack_enabled else abi.SS_DISABLE
        if signals.on_stack:
            flags |= abi.SS_ONSTACK
        task.memory.write(old, _STACK.pack(base, size, flags))
    if not new:
        return
    base, size, flags = _STACK.unpack(task.memory.read(new, _STACK.size))
    if flags & ~abi.SS_DISABLE:
        raise Errno(EINVAL)
    if signals.on_stack:
        raise Errno(EPERM)
    if flags & abi.SS_DISABLE:
        signals.stack_enabled = False
        return
    if size < abi.MINSIGSTKSZ:
        raise Errno(ENOMEM)
    signals.stack = (base, size)
    signals.stack_enabled = True


@table.syscall(184, "sigreturn", ADDRESS, INT, ULONG, support=FULL, returns=KEPT)
def sigreturn(task: Task, context: int, style: int, token: int) -> None:
    """Leave a handler: every register, the mask and the stack flag from the frame.

    Two styles only say whether the alternate stack is in use, and return 0.
    """
    style &= 0xFFFFFFFF
    if style in (abi.UC_SET_ALT_STACK, abi.UC_RESET_ALT_STACK):
        task.signals.on_stack = style == abi.UC_SET_ALT_STACK
        task.cpu.leave(0, 0, task.cpu.call[CALL_NZCV] & ~CARRY)
    else:
        task.signals.sigreturn(context, token)


# --- interval timers --------------------------------------------------------------------------

class _Timeval(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("micros", ctypes.c_long))


class _Interval(ctypes.Structure):
    _fields_ = (("interval", _Timeval), ("value", _Timeval))


#: By ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF.
_SENDS = (abi.SIGALRM, abi.SIGVTALRM, abi.SIGPROF)

_libc = ctypes.CDLL(None, use_errno=True)
_setitimer = _libc.setitimer
_getitimer = _libc.getitimer


def _pack(timer: _Interval) -> bytes:
    return _TIMER.pack(
        timer.interval.seconds, timer.interval.micros, timer.value.seconds, timer.value.micros
    )


@table.syscall(83, "setitimer", ENUM("itimer"), ADDRESS, ADDRESS, support=FULL)
def setitimer(task: Task, which: int, new: int, old: int) -> None:
    """Arm a timer: SIGALRM, SIGVTALRM or SIGPROF when it runs out.  EINVAL."""
    if not 0 <= which <= 2:
        raise Errno(EINVAL)
    if not new:
        if old:
            getitimer(task, which, old)
        return
    every, every_micros, first, first_micros = _TIMER.unpack(task.memory.read(new, _TIMER.size))
    for seconds, micros in ((every, every_micros), (first, first_micros)):
        if not 0 <= seconds <= 100_000_000 or not 0 <= micros < 1_000_000:
            raise Errno(EINVAL)
    wanted = _Interval(_Timeval(every, every_micros), _Timeval(first, first_micros))
    before = _Interval()
    if _setitimer(which, ctypes.byref(wanted), ctypes.byref(before)):
        raise Errno(EINVAL)
    task.signals.timer_set(_SENDS[which], partial(_setitimer, which, ctypes.byref(before), None))
    if old:
        task.memory.write(old, _pack(before))


@table.syscall(86, "getitimer", ENUM("itimer"), ADDRESS, support=FULL)
def getitimer(task: Task, which: int, out: int) -> None:
    """What is left of a timer.  EINVAL."""
    if not 0 <= which <= 2:
        raise Errno(EINVAL)
    now = _Interval()
    _getitimer(which, ctypes.byref(now))
    task.memory.write(out, _pack(now))
