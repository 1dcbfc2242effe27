"""The table of system calls: one row a call, one small function a row.

A row module says what a call is named, what its arguments mean and how well it
is supported::

    @table.syscall(4, "write", FD, INPUT, SIZE, support=FULL, nocancel=397, returns=SSIZE)
    def write(task: Task, fd: int, address: int, size: int) -> int:
        ...
        raise Errno(EBADF)

Only the dispatcher (kernel.py) touches registers.  The argument kinds drive both
what the handler receives and what a trace shows.  A handler

* returns an int (None means 0), or a pair for `returns=PAIR` (x0, x1);
* raises `Errno(number)` with a Darwin number: carry set, x0 = number;
* lets `BadAddress` from guest memory pass: the dispatcher makes it EFAULT;
* lets `Interrupted` (task.py) pass: EINTR, or the call runs again, as `on_signal`
  and the signal's SA_RESTART say (XNU bsd/kern/kern_synch.c _sleep).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from ymawky_kit.darwin.abi import VOCABULARIES
from ymawky_kit.emu.memory import BadAddress

if TYPE_CHECKING:
    from ymawky_kit.darwin.task import Task

#: What a handler looks like: the task, then one value an argument kind.
Handler = Callable[..., Any]


class Support(Enum):
    """How much of the real call a row gives; printed in the appendix."""

    FULL = "full"           # everything the kernel's sources say about it
    PARTIAL = "partial"     # what the note says is missing
    STUB = "constant"       # answers a fixed, harmless value


FULL: Final = Support.FULL
PARTIAL: Final = Support.PARTIAL
STUB: Final = Support.STUB


class Returns(Enum):
    """How a success value becomes registers (arm_prepare_u64_syscall_return)."""

    INT = "int"             # x0 = sign-extended low 32 bits, x1 = 0
    UINT = "unsigned int"   # x0 = zero-extended low 32 bits, x1 = 0
    LONG = "64 bits"        # x0 = 64 bits (ssize_t, off_t, addresses), x1 = 0
    PAIR = "two values"     # x0, x1: pipe and fork
    KEPT = "registers"      # EJUSTRETURN: the handler has set the registers itself


UNSIGNED: Final = Returns.UINT
LONG: Final = Returns.LONG
SSIZE: Final = Returns.LONG
PAIR: Final = Returns.PAIR
KEPT: Final = Returns.KEPT


class OnSignal(Enum):
    """What a caught signal does to a sleeping call."""

    EINTR = "always EINTR"
    RESTART = "restarts when the signal has SA_RESTART"


EINTR_ALWAYS: Final = OnSignal.EINTR
RESTART: Final = OnSignal.RESTART


@dataclass(frozen=True, slots=True)
class Kind:
    """What one argument is.

    `code` is a Python expression over `x` (the 64-bit register), `task` and
    `memory`; the dispatcher compiles the kinds of a row into one function.
    `show` makes the text of a trace from the same register.
    """

    name: str
    code: str
    show: Callable[[Task, int], str]
    role: str = "value"     # value, input (bytes the kernel reads), output (bytes it writes)


def _int32(x: int) -> int:
    return ((x & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


def _int64(x: int) -> int:
    return ((x & 0xFFFFFFFFFFFFFFFF) ^ (1 << 63)) - (1 << 63)


def _show_path(task: Task, x: int) -> str:
    try:
        text = task.memory.cstring(x, 1025)
    except BadAddress:      # the handler's to report, not the trace's
        return hex(x)
    return hex(x) if text is None else quoted(text, 256)


def _show_dirfd(_task: Task, x: int) -> str:
    fd = _int32(x)
    return "AT_FDCWD" if fd == -2 else str(fd)


def quoted(data: bytes, limit: int = 32) -> str:
    """Bytes as a C string literal, at most `limit` of them, for traces."""
    out = []
    for byte in data[:limit]:
        if byte in _ESCAPES:
            out.append(_ESCAPES[byte])
        elif 32 <= byte < 127:
            out.append(chr(byte))
        else:
            out.append(f"\\x{byte:02x}")
    return '"' + "".join(out) + '"' + ("..." if len(data) > limit else "")


_ESCAPES: Final = {
    0: "\\0", 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\",
}

INT_CODE: Final = "(({x} & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000"
LONG_CODE: Final = "({x} ^ 0x8000000000000000) - 0x8000000000000000"

#: A descriptor of the guest: 0 to its limit, else EBADF before the handler runs.
FD: Final = Kind("fd", "task.files.number({x})", lambda _t, x: str(_int32(x)))
#: A descriptor or AT_FDCWD (-2), which the handler receives as -2.
DIRFD: Final = Kind("dirfd", "task.files.directory({x})", _show_dirfd)
INT: Final = Kind("int", INT_CODE, lambda _t, x: str(_int32(x)))
UINT: Final = Kind("uint", "{x} & 0xFFFFFFFF", lambda _t, x: str(x & 0xFFFFFFFF))
OCTAL: Final = Kind("mode", "{x} & 0xFFFF", lambda _t, x: f"0{x & 0xFFFF:o}")
OFFSET: Final = Kind("offset", LONG_CODE, lambda _t, x: str(_int64(x)))
SIZE: Final = Kind("size", "{x}", lambda _t, x: str(x))
ULONG: Final = Kind("ulong", "{x}", lambda _t, x: hex(x))
ADDRESS: Final = Kind("address", "{x}", lambda _t, x: hex(x) if x else "NULL")
#: A buffer that the kernel reads; its length is the next SIZE or UINT argument.
INPUT: Final = Kind("input", "{x}", lambda _t, x: hex(x) if x else "NULL", "input")
#: A buffer that the kernel fills; the trace shows as many bytes as the call returned.
OUTPUT: Final = Kind("output", "{x}", lambda _t, x: hex(x) if x else "NULL", "output")
#: A path: the handler receives bytes.  Empty is ENOENT, 1024 bytes or more ENAMETOOLONG.
PATH: Final = Kind("path", "task.path({x})", _show_path)
#: A C string with the same limit that may be empty.
TEXT: Final = Kind("text", "task.path({x}, empty=True)", _show_path)


def FLAGS(vocabulary: str) -> Kind:  # noqa: N802 - reads as the kinds do
    """Or-ed constants, `FLAGS("open")` for abi.VOCABULARIES["open"]; the handler gets a uint."""
    names = VOCABULARIES[vocabulary]
    return Kind(f"flags {vocabulary}", "{x} & 0xFFFFFFFF", lambda _t, x: names(x & 0xFFFFFFFF))


def ENUM(vocabulary: str) -> Kind:  # noqa: N802 - reads as the kinds do
    """One constant, `ENUM("whence")` for abi.VOCABULARIES["whence"]; the handler gets an int."""
    names = VOCABULARIES[vocabulary]
    return Kind(f"enum {vocabulary}", INT_CODE, lambda _t, x: names(_int32(x)))


def COMMAND(vocabulary: str) -> Kind:  # noqa: N802 - reads as the kinds do
    """An unsigned code such as an ioctl request; the handler gets a uint."""
    names = VOCABULARIES[vocabulary]
    return Kind(f"command {vocabulary}", "{x} & 0xFFFFFFFF", lambda _t, x: names(x & 0xFFFFFFFF))


SIGNAL: Final = ENUM("signal")


@dataclass(frozen=True, slots=True)
class Row:
    """One system call (number >= 0) or Mach trap (number < 0)."""

    number: int
    name: str
    kinds: tuple[Kind, ...]
    handler: Handler
    support: Support
    returns: Returns = Returns.INT
    on_signal: OnSignal = OnSignal.EINTR
    nocancel: int | None = None     # the number of the _nocancel twin
    note: str = ""                  # what is missing or different; for the appendix
    since: str = ""                 # the macOS that brought it

    @property
    def module(self) -> str:
        """The row module's short name: "file", "socket"."""
        return self.handler.__module__.rpartition(".")[2]

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (self.handler.__doc__ or "").strip().partition("\n")[0]


class Table:
    """All rows by number; a number taken twice is an error at import."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}

    def syscall(
        self,
        number: int,
        name: str,
        *kinds: Kind,
        support: Support,
        returns: Returns = Returns.INT,
        on_signal: OnSignal = OnSignal.EINTR,
        nocancel: int | None = None,
        note: str = "",
        since: str = "",
    ) -> Callable[[Handler], Handler]:
        """Register the decorated function; it stays callable as it is."""

        def register(handler: Handler) -> Handler:
            row = Row(
                number, name, kinds, handler, support, returns, on_signal, nocancel, note, since
            )
            self._add(number, row)
            if nocancel is not None:
                self._add(nocancel, row)
            return handler

        return register

    def trap(
        self, number: int, name: str, *kinds: Kind, support: Support, note: str = ""
    ) -> Callable[[Handler], Handler]:
        """Register a Mach trap by its negative number: only x0 is written, flags stay."""
        return self.syscall(number, name, *kinds, support=support, returns=LONG, note=note)

    def _add(self, number: int, row: Row) -> None:
        taken = self._rows.get(number)
        if taken is not None:
            raise ValueError(f"system call {number} is both {taken.name} and {row.name}")
        self._rows[number] = row

    def get(self, number: int) -> Row | None:
        return self._rows.get(number)

    def named(self, name: str) -> Row | None:
        """The row with this name, or None."""
        return next((row for row in self._rows.values() if row.name == name), None)

    def __iter__(self) -> Iterator[Row]:
        """Every row once, by number."""
        seen: set[str] = set()
        for number in sorted(self._rows):
            row = self._rows[number]
            if row.name not in seen:
                seen.add(row.name)
                yield row

    def __len__(self) -> int:
        return len({row.name for row in self._rows.values()})

    def items(self) -> Iterator[tuple[int, Row]]:
        """(number, row), twins included."""
        return iter(self._rows.items())


#: The one table; row modules decorate with it.
table: Final = Table()
