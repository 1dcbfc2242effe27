"""One instruction as text, by capstone; loaded on first use."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def _engine() -> Any:
    from capstone import CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, Cs

    return Cs(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN)


def disassemble(code: bytes, address: int) -> str:
    """The first instruction of `code`; empty when it is none."""
    for instruction in _engine().disasm(code, address, 1):
        return f"{instruction.mnemonic} {instruction.op_str}".strip()
    return ""
