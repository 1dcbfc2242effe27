"""Encodings that Unicorn must never see.

Its largest model has random numbers (mrs RNDR), which Apple silicon has not.  And most
words that are no instruction come back as an exception.  In two groups of
half-precision vector instructions QEMU's decoder asserts instead, and the host
process, a reader's notebook perhaps, would be gone.  A Mac raises SIGILL for them.
Encodings: Arm Architecture Reference Manual, C4.1, "Advanced SIMD three same (FP16)"
and "two-register miscellaneous (FP16)", vector and scalar.
"""

from __future__ import annotations

import sys
from array import array
from functools import lru_cache
from typing import Final

#: What stands in their place: udf, which is an exception everywhere.
REPLACEMENT: Final = 0x0000_0159

_THREE_SAME: Final = (0x9F60_C400, 0x0E40_0400)
_THREE_SAME_BAD: Final = frozenset({0x05, 0x0B, 0x0C, 0x0D, 0x11, 0x19, 0x1B, 0x1F})
_TWO_VECTOR: Final = (0x9F7E_0C00, 0x0E78_0800)
_TWO_SCALAR: Final = (0xDF7E_0C00, 0x5E78_0800)
_RANDOM: Final = (0xFFFF_FFC0, 0xD53B_2400)             # mrs x, RNDR or RNDRRS
_TWO_BOTH: Final = frozenset({
    0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x2C, 0x2D, 0x2E, 0x38, 0x39, 0x3A, 0x3B, 0x3D,
    0x58, 0x59, 0x5A, 0x5B, 0x5C, 0x5D, 0x6C, 0x6D, 0x6F, 0x79, 0x7A, 0x7B, 0x7D,
})
_TWO_VECTOR_GOOD: Final = _TWO_BOTH | {0x2F, 0x7F}      # fabs, fsqrt
_TWO_SCALAR_GOOD: Final = _TWO_BOTH | {0x3F}            # frecpx


def is_unsafe(word: int) -> bool:
    """True for an encoding that a Mac refuses, and Unicorn runs or dies of."""
    mask, value = _THREE_SAME
    if word & mask == value:
        operation = word >> 11 & 7 | (word >> 23 & 1) << 3 | (word >> 29 & 1) << 4
        return operation in _THREE_SAME_BAD
    operation = word >> 12 & 0x1F | (word >> 23 & 1) << 5 | (word >> 29 & 1) << 6
    mask, value = _TWO_VECTOR
    if word & mask == value:
        return operation not in _TWO_VECTOR_GOOD
    mask, value = _TWO_SCALAR
    if word & mask == value:
        return operation not in _TWO_SCALAR_GOOD
    return word & _RANDOM[0] == _RANDOM[1]


@lru_cache(maxsize=32)           # machines are made for the same program again and again
def find(code: bytes) -> tuple[tuple[int, int], ...]:
    """(offset, word) of every unsafe word of code that starts at a multiple of 4."""
    words = array("I", code[:len(code) & -4])
    if sys.byteorder == "big":
        words.byteswap()
    # The vector groups have these bits in common, which rule nearly every word out.
    return tuple(
        (4 * index, word)
        for index, word in enumerate(words)
        if (word & 0x8E40_0000 == 0x0E40_0000 or word >> 6 == _RANDOM[1] >> 6)
        and is_unsafe(word)
    )
