"""The host's signals: numbers, dispositions, masks, and a sleep that loses none.

Handlers are the native one of emu/native.py, which only marks a number, so
Python's `signal` module is not used: its handlers run late, and its calls restart.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from errno import EINTR
from functools import partial
from math import ceil
from typing import Final

from ymawky_kit.darwin import abi

_NAMES: Final = (
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "EMT", "FPE", "KILL", "BUS", "SEGV", "SYS",
    "PIPE", "ALRM", "TERM", "URG", "STOP", "TSTP", "CONT", "CHLD", "TTIN", "TTOU", "IO",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "INFO", "USR1", "USR2",
)

#: Darwin number -> host number, for the signals that both have.
TO_HOST: Final[dict[int, int]] = {
    getattr(abi, f"SIG{name}"): int(getattr(signal, f"SIG{name}"))
    for name in _NAMES
    if hasattr(signal, f"SIG{name}")
}
FROM_HOST: Final[dict[int, int]] = {host: ours for ours, host in TO_HOST.items()}

#: Signals of the processor.  The guest's mask never blocks the host's own.
FAULTS: Final = frozenset(
    {abi.SIGILL, abi.SIGTRAP, abi.SIGFPE, abi.SIGBUS, abi.SIGSEGV, abi.SIGSYS}
)

DEFAULT: Final = 0
IGNORE: Final = 1

_libc = ctypes.CDLL(None, use_errno=True)
_held = ctypes.PyDLL(None)
_signal = _libc.signal
_signal.restype = ctypes.c_void_p
_signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
_siginterrupt = _libc.siginterrupt
_siginterrupt.argtypes = (ctypes.c_int, ctypes.c_int)
_pthread_sigmask = _held.pthread_sigmask

_BLOCK: Final = int(signal.SIG_BLOCK)
_SETMASK: Final = int(signal.SIG_SETMASK)


class SignalSet:
    """A host sigset_t as a whole number, bit = host number - 1."""

    def __init__(self, bits: int = 0) -> None:
        self._array = (ctypes.c_uint64 * 16)()      # 128 bytes: glibc's, the largest
        self.words = memoryview(self._array).cast("B").cast("Q")
        self.words[0] = bits
        self.pointer = ctypes.c_void_p(ctypes.addressof(self._array))

    @property
    def bits(self) -> int:
        return self.words[0]

    @bits.setter
    def bits(self, value: int) -> None:
        self.words[0] = value


#: Everything an outsider can send.  Host faults stay deliverable: blocked ones kill.
_ALL_BITS: Final = 0xFFFF_FFFF_FFFF_FFFF & ~sum(
    1 << (TO_HOST[number] - 1) for number in FAULTS if number in TO_HOST
) & (0xFFFF_FFFF if sys.platform == "darwin" else 0xFFFF_FFFF_FFFF_FFFF)
_ALL: Final = SignalSet(_ALL_BITS)
_how_set: Final = ctypes.c_int(_SETMASK)
_how_block: Final = ctypes.c_int(_BLOCK)


def block_all(previous: SignalSet) -> None:
    """Hold every signal back; `previous` receives the mask as it was."""
    _pthread_sigmask(_how_block, _ALL.pointer, previous.pointer)


def set_mask(mask: SignalSet) -> None:
    _pthread_sigmask(_how_set, mask.pointer, None)


def mask_to_host(mask: int) -> int:
    """A Darwin mask as the host's, without the signals of the processor."""
    bits = 0
    for ours, host in TO_HOST.items():
        if mask >> (ours - 1) & 1 and ours not in FAULTS:
            bits |= 1 << (host - 1)
    return bits


def mask_from_host(bits: int) -> int:
    """The host's mask as Darwin's."""
    return sum(1 << (ours - 1) for ours, host in TO_HOST.items() if bits >> (host - 1) & 1)


def current_set() -> SignalSet:
    """This thread's mask."""
    previous = SignalSet()
    _pthread_sigmask(_how_block, None, previous.pointer)
    return previous


def current_mask() -> int:
    """This thread's mask, in Darwin's numbers."""
    return mask_from_host(current_set().bits)


def pending() -> int:
    """Signals that the host holds back, in Darwin's numbers."""
    return sum(
        1 << (FROM_HOST[number] - 1) for number in signal.sigpending() if number in FROM_HOST
    )


def set_action(host: int, handler: int) -> int | None:
    """Set DEFAULT, IGNORE or the address of a handler; calls are not restarted.

    Returns what was there, for `set_action` again; None where the host refuses.
    """
    before = _signal(host, handler)
    if before == ctypes.c_void_p(-1).value:
        return None
    if handler not in (DEFAULT, IGNORE):
        _siginterrupt(host, 1)
    return before or DEFAULT


def set_python_action(
    host: int, handler: Callable[[int, object], None]
) -> Callable[[], object]:
    """A handler in Python: it runs once the interpreter has its turn again.

    Returns what puts back the one that was there.
    """
    before = signal.signal(host, handler)
    signal.siginterrupt(host, True)
    return partial(signal.signal, host, signal.SIG_DFL if before is None else before)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _PollFd(ctypes.Structure):
    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))


_ppoll = getattr(_libc, "ppoll", None)


def sleep_until(
    wanted: Sequence[tuple[int, int]], timeout: float | None, mask: SignalSet
) -> list[tuple[int, int]] | None:
    """Poll with the signal mask changed to `mask` for exactly that long.

    The caller has blocked all signals and seen that none waits, so none can slip
    through.  Returns (fd, events) of what is ready, [] at the end of `timeout`
    seconds, None when a signal handler ran.
    """
    limit = None
    if timeout is not None:
        whole = int(timeout)
        limit = _Timespec(whole, min(999_999_999, ceil((timeout - whole) * 1e9)))
    if _ppoll is None:
        return _pselect(wanted, limit, mask)
    array = (_PollFd * max(1, len(wanted)))()
    for slot, (fd, events) in zip(array, wanted, strict=False):
        slot.fd = fd
        slot.events = events
    found = _ppoll(
        ctypes.byref(array), ctypes.c_ulong(len(wanted)),
        ctypes.byref(limit) if limit is not None else None, mask.pointer,
    )
    if found < 0:
        number = ctypes.get_errno()
        if number == EINTR:
            return None
        raise OSError(number, os.strerror(number))
    return [(slot.fd, slot.revents) for slot in array[:len(wanted)] if slot.revents]


def _pselect(
    wanted: Sequence[tuple[int, int]], limit: _Timespec | None, mask: SignalSet
) -> list[tuple[int, int]] | None:
    """`sleep_until` where there is no ppoll (macOS): pselect, then ask poll what is ready."""
    highest = max((fd for fd, _ in wanted), default=-1)
    words = max(32, highest // 32 + 1)
    readable, writable = (ctypes.c_uint32 * words)(), (ctypes.c_uint32 * words)()
    for fd, events in wanted:
        if events & ~(select.POLLOUT | select.POLLWRBAND):
            readable[fd // 32] |= 1 << fd % 32
        if events & select.POLLOUT:
            writable[fd // 32] |= 1 << fd % 32
    # The variant that takes more than 1024 descriptors, where the library has it.
    call = getattr(_libc, "pselect$DARWIN_EXTSN", _libc.pselect)
    found = call(
        ctypes.c_int(highest + 1), readable, writable, None,
        ctypes.byref(limit) if limit is not None else None, mask.pointer,
    )
    if found < 0:
        number = ctypes.get_errno()
        if number == EINTR:
            return None
        raise OSError(number, os.strerror(number))
    if found == 0:
        return []
    poller = select.poll()
    for fd, events in wanted:
        poller.register(fd, events)
    return poller.poll(0)
