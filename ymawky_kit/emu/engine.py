"""libunicorn's C interface, as little of it as we use.

The binding that comes with the library costs a quarter of an emulated process's
start and a good part of its memory, for things we do another way; so the library is
loaded directly.  A test compares every number here with the binding's.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

ARCH_ARM64: Final = 2
MODE_ARM: Final = 0
CPU_MAX: Final = 3          # all of ARMv8 that QEMU has

OK: Final = 0
ERR_INSN_INVALID: Final = 10

HOOK_INTR: Final = 1
HOOK_INSN: Final = 2
HOOK_BLOCK: Final = 8
HOOK_MEM_UNMAPPED: Final = 112
HOOK_MEM_PROT: Final = 896
HOOK_MEM_READ: Final = 1024
HOOK_MEM_WRITE: Final = 2048

MEM_READ_UNMAPPED: Final = 19
MEM_WRITE_UNMAPPED: Final = 20
MEM_FETCH_UNMAPPED: Final = 21
MEM_WRITE_PROT: Final = 22
MEM_READ_PROT: Final = 23
MEM_FETCH_PROT: Final = 24

REG_X29: Final = 1
REG_X30: Final = 2
REG_NZCV: Final = 3
REG_SP: Final = 4
REG_Q0: Final = 104
REG_X0: Final = 199
REG_PC: Final = 260
REG_PSTATE: Final = 265
REG_CP_REG: Final = 290
REG_FPCR: Final = 291
REG_FPSR: Final = 292
INS_MRS: Final = 1

CTL_CPU_MODEL: Final = 7
CTL_TB_REQUEST_CACHE: Final = 8
CTL_TB_REMOVE_CACHE: Final = 9
_CTL_WRITE: Final = 1
_CTL_READ_WRITE: Final = 3


class SystemRegister(ctypes.Structure):
    """uc_arm64_cp_reg: a system register by its encoding, and its value."""

    _fields_ = (
        ("crn", ctypes.c_uint32), ("crm", ctypes.c_uint32), ("op0", ctypes.c_uint32),
        ("op1", ctypes.c_uint32), ("op2", ctypes.c_uint32), ("val", ctypes.c_uint64),
    )


class _Block(ctypes.Structure):
    """uc_tb."""

    _fields_ = (
        ("pc", ctypes.c_uint64), ("icount", ctypes.c_uint16), ("size", ctypes.c_uint16),
    )


class EngineError(RuntimeError):
    """libunicorn refused something that it should not refuse."""


def library_path() -> str:
    """The file of libunicorn, from the package `unicorn` or LIBUNICORN_PATH."""
    name = "libunicorn.2.dylib" if sys.platform == "darwin" else "libunicorn.so.2"
    folders = [os.environ.get("LIBUNICORN_PATH")]
    package = find_spec("unicorn")      # looks, does not import
    if package is not None and package.submodule_search_locations:
        folders += [f"{place}/lib" for place in package.submodule_search_locations]
    for folder in folders:
        if folder and Path(folder, name).exists():
            return str(Path(folder, name))
    return name                         # wherever the system's loader finds it


_path = library_path()
#: Calls that keep Python's lock: hooks come back into Python at once.
held: Final[Any] = ctypes.PyDLL(_path)
#: Calls that let other Python threads run meanwhile.
free: Final[Any] = ctypes.CDLL(_path)
# Variadic: on Apple silicon the call differs, and ctypes knows by the fixed arguments.
free.uc_ctl.argtypes = (ctypes.c_void_p, ctypes.c_int)


def check(status: int, what: str) -> None:
    """Raise EngineError unless a call of the library went well."""
    if status != OK:
        raise EngineError(f"unicorn: {what}: error {status}")


def open_engine() -> ctypes.c_void_p:
    """A new AArch64 engine of the largest model."""
    engine = ctypes.c_void_p()
    check(free.uc_open(ARCH_ARM64, MODE_ARM, ctypes.byref(engine)), "open")
    _control(engine, CTL_CPU_MODEL, _CTL_WRITE, ctypes.c_int(CPU_MAX))
    return engine


def close_engine(engine: ctypes.c_void_p) -> None:
    free.uc_close(engine)


def _control(engine: ctypes.c_void_p, what: int, direction: int, *values: Any) -> None:
    code = direction << 30 | len(values) << 26 | what
    # A C int: the direction's two bits make it negative.
    signed = code - (1 << 32) if code >> 31 else code
    check(free.uc_ctl(engine, signed, *values), f"control {what}")


def remove_cache(engine: ctypes.c_void_p, start: int, end: int) -> None:
    """Forget translations of the code from `start` to `end`."""
    _control(
        engine, CTL_TB_REMOVE_CACHE, _CTL_WRITE, ctypes.c_uint64(start), ctypes.c_uint64(end)
    )


def request_cache(engine: ctypes.c_void_p, address: int) -> None:
    """Translate the block at an address now."""
    block = _Block()
    _control(
        engine, CTL_TB_REQUEST_CACHE, _CTL_READ_WRITE, ctypes.c_uint64(address),
        ctypes.byref(block),
    )


def read_system(engine: ctypes.c_void_p, op0: int, op1: int, crn: int, crm: int, op2: int) -> int:
    """A system register by its encoding, at any exception level."""
    register = SystemRegister(crn, crm, op0, op1, op2, 0)
    check(free.uc_reg_read(engine, REG_CP_REG, ctypes.byref(register)), "read a system register")
    return int(register.val)


def write_system(
    engine: ctypes.c_void_p, op0: int, op1: int, crn: int, crm: int, op2: int, value: int
) -> None:
    """Set a system register by its encoding."""
    register = SystemRegister(crn, crm, op0, op1, op2, value)
    check(free.uc_reg_write(engine, REG_CP_REG, ctypes.byref(register)), "write a system register")


def add_hook(
    engine: ctypes.c_void_p, kind: int, callback: Any, data: int = 0, begin: int = 1, end: int = 0,
    instruction: int | None = None,
) -> ctypes.c_size_t:
    """Install a C callback; `end` below `begin` means everywhere."""
    handle = ctypes.c_size_t()
    more = () if instruction is None else (ctypes.c_int(instruction),)
    check(
        free.uc_hook_add(
            engine, ctypes.byref(handle), ctypes.c_int(kind), callback, ctypes.c_void_p(data),
            ctypes.c_uint64(begin), ctypes.c_uint64(end), *more,
        ),
        "hook",
    )
    return handle


free.uc_hook_add.argtypes = (
    ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
    ctypes.c_uint64, ctypes.c_uint64,
)
