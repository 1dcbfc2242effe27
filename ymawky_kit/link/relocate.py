"""Step three: write the addresses into the instructions and pointers that wait for them.

Each kind of field has one small function: from the instruction word, the
target and the place to the new word.  A value that does not fit is a
:class:`MisfitError`, never a truncated field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ymawky_kit.obj import RelocationKind

_PAGE: Final = 0x1000       # of adrp, which knows only 4 KiB pages
_WORD: Final = 0xFFFF_FFFF


class MisfitError(Exception):
    """A value that its field cannot hold: a message and a hint."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Target:
    """What a relocation points at."""

    name: str       # as the message calls it: 'reply', 'reply+8'
    address: int    # addend included


def branch26(word: int, target: Target, place: int) -> int:
    """`b` and `bl`: the distance in instructions, 26 bits, so up to 128 MiB."""
    if word & 0x7C00_0000 != 0x1400_0000:   # x00101 imm26
        raise _wrong_instruction(word, "a branch", "b or bl")
    distance = target.address - place
    if distance % 4:
        raise MisfitError(
            f"branch to {target.name}, which is not at a multiple of 4 bytes",
            "instructions are 4 bytes: write .p2align 2 before the label",
        )
    if not -(1 << 27) <= distance < 1 << 27:
        raise MisfitError(
            f"branch to {target.name} is out of range: {distance:+,} bytes",
            "b and bl reach 128 MiB either way; use adrp, add and br to go further",
        )
    return word & 0xFC00_0000 | (distance >> 2) & 0x3FF_FFFF


def page21(word: int, target: Target, place: int) -> int:
    """`adrp`: the distance in 4 KiB pages, 21 bits, so up to 4 GiB."""
    if word & 0x9F00_0000 != 0x9000_0000:   # 1 immlo 10000 immhi Rd
        raise _wrong_instruction(word, "@PAGE", "adrp")
    pages = target.address // _PAGE - place // _PAGE
    if not -(1 << 20) <= pages < 1 << 20:
        raise MisfitError(
            f"{target.name}@PAGE is out of range: {pages:+,} pages",
            "adrp reaches 4 GiB either way; a number has no page to reach",
        )
    return word & 0x9F00_001F | (pages & 3) << 29 | (pages >> 2 & 0x7_FFFF) << 5


def pageoff12(word: int, target: Target, place: int) -> int:
    """`add`, `ldr`, `str`: the place in the page, in units of what is loaded."""
    low = target.address % _PAGE
    scale = _scale(word)
    if low % (1 << scale):
        raise MisfitError(
            f"{target.name} is at {low:#x} in its page, "
            f"not at a multiple of the {1 << scale} bytes that are loaded or stored",
            f"write .p2align {scale} before the label, or take the address with add",
        )
    return word & 0xFFC0_03FF | low >> scale << 10


def _scale(word: int) -> int:
    """log2 of the unit that bits 10 to 21 count."""
    if word & 0x1FC0_0000 == 0x1100_0000:       # add, sub, immediate, not shifted
        return 0
    if word & 0x3B00_0000 == 0x3900_0000:       # load or store, unsigned immediate
        size = word >> 30
        # A size of 0 with the vector and the opc<1> bit is a 128-bit q register.
        return 4 if size == 0 and word & 0x0480_0000 == 0x0480_0000 else size
    raise _wrong_instruction(word, "@PAGEOFF", "add, ldr or str with an unsigned offset")


def _wrong_instruction(word: int, what: str, fits: str) -> MisfitError:
    return MisfitError(f"{what} in an instruction that has no place for it ({word:08x})",
                  f"it belongs into {fits}")


#: From (instruction, target, place) to the finished instruction.
FIELDS: Final[dict[RelocationKind, Callable[[int, Target, int], int]]] = {
    RelocationKind.BRANCH26: branch26,
    RelocationKind.PAGE21: page21,
    RelocationKind.PAGEOFF12: pageoff12,
}


def patch_instruction(data: bytearray, offset: int, kind: RelocationKind,
                      target: Target, place: int) -> None:
    """Fill the field of the instruction at `offset`; `place` is its address.

    Raises :class:`MisfitError`.
    """
    if not 0 <= offset <= len(data) - 4 or offset % 4:
        raise MisfitError(f"a reference to {target.name} at {offset:#x}, where no instruction is",
                     "instructions are 4 bytes, at multiples of 4")
    word = int.from_bytes(data[offset:offset + 4], "little")
    data[offset:offset + 4] = (FIELDS[kind](word, target, place) & _WORD).to_bytes(4, "little")


def patch_value(data: bytearray, offset: int, size: int, target: Target) -> None:
    """Write an address or number of `size` bytes, in place of what is there.

    Raises :class:`MisfitError`.
    """
    if not 0 <= offset <= len(data) - size:
        raise MisfitError(f"a reference to {target.name} at {offset:#x}, outside its section",
                     "the object file is damaged")
    bits = 8 * size
    if not -(1 << bits - 1) <= target.address < 1 << bits:
        raise MisfitError(
            f"{target.name} is {target.address:#x}, too large for {size} bytes",
            "an address takes 8 bytes: write .quad",
        )
    data[offset:offset + size] = (target.address % (1 << bits)).to_bytes(size, "little")
