"""A module while it is being assembled: sections that grow, and what is still open.

Every A64 instruction is four bytes long, so all offsets are known as soon as a
line has been read; only the instructions' bits wait for the second pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ymawky_kit.asm.expression import Value
from ymawky_kit.asm.lexer import Mistake, SourceLine
from ymawky_kit.asm.operand import Instruction
from ymawky_kit.asm.symbols import Deferred
from ymawky_kit.obj import Relocation

#: <mach-o/loader.h>
S_ZEROFILL: Final = 1
S_CSTRING_LITERALS: Final = 2
S_ATTR_PURE_INSTRUCTIONS: Final = 0x80000000
S_ATTR_SOME_INSTRUCTIONS: Final = 0x400

_NOP: Final = bytes.fromhex("1f2003d5")

#: Bytes a section may hold, and the bytes one with no contents may stand for.
_DATA_MAX: Final = 32 << 20
_ZERO_FILL_MAX: Final = 1 << 30


class Emission(NamedTuple):
    """Bytes that one statement made."""

    section: int
    offset: int
    size: int
    line: SourceLine
    start: int
    end: int
    is_code: bool


class PendingInstruction(NamedTuple):
    section: int
    offset: int
    line: SourceLine
    start: int                      # column of the mnemonic
    instruction: Instruction
    values: tuple[Value | Deferred, ...]


class PendingDatum(NamedTuple):
    section: int
    offset: int
    size: int
    line: SourceLine
    start: int
    end: int
    value: Value | Deferred


@dataclass(slots=True, eq=False)
class SectionDraft:
    """One section; `flags` are S_* and S_ATTR_* of <mach-o/loader.h>."""

    index: int
    segment: str
    name: str
    flags: int
    align: int = 0                  # log2
    data: bytearray = field(default_factory=bytearray)
    zero_size: int = 0              # of a section without contents
    relocations: list[Relocation] = field(default_factory=list)

    @property
    def is_zero_fill(self) -> bool:
        return self.flags & 0xFF == S_ZEROFILL

    @property
    def is_code(self) -> bool:
        return bool(self.flags & S_ATTR_PURE_INSTRUCTIONS)

    @property
    def size(self) -> int:
        return self.zero_size if self.is_zero_fill else len(self.data)

    def append(self, data: bytes, start: int, end: int) -> None:
        """Add bytes; the columns are those to blame when they cannot be added."""
        if self.is_zero_fill:
            if data.strip(b"\0"):
                raise Mistake(
                    f"{self.segment},{self.name} holds no bytes in the file, only zeros",
                    start, end, "values other than zero belong in .data",
                )
            self.zero_size += len(data)
            return
        self._reserve(len(data), start, end)
        self.data += data

    def append_space(self, count: int, fill: int, start: int, end: int) -> None:
        """Add `count` times the byte `fill`."""
        if not self.is_zero_fill:
            self._reserve(count, start, end)
            self.data += bytes((fill & 0xFF,)) * count
        elif fill & 0xFF:
            self.append(b"\1", start, end)
        elif self.zero_size + count > _ZERO_FILL_MAX:
            raise _too_large(self, _ZERO_FILL_MAX, start, end)
        else:
            self.zero_size += count

    def pad(self, count: int, fill: int | None, start: int, end: int) -> None:
        """Add alignment: no-operations between instructions, else `fill` or zeros."""
        if fill is None and self.is_code:
            self.append(bytes(count % 4) + _NOP * (count // 4), start, end)
        else:
            self.append_space(count, fill or 0, start, end)

    def _reserve(self, count: int, start: int, end: int) -> None:
        if len(self.data) + count > _DATA_MAX:
            raise _too_large(self, _DATA_MAX, start, end)


def _too_large(section: SectionDraft, limit: int, start: int, end: int) -> Mistake:
    return Mistake(
        f"{section.segment},{section.name} would grow beyond {limit >> 20} MiB", start, end
    )
