"""Headers: include files that name numbers and define macros, and do nothing else.

What such a file does is the same in every module, so it is read once, by itself,
and every module that includes it is handed the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ymawky_kit.asm.lexer import SourceLine
from ymawky_kit.asm.macro import Macro
from ymawky_kit.asm.statement import HEAD
from ymawky_kit.asm.symbols import Entry


@dataclass(frozen=True, slots=True)
class Header:
    """What is left of a file once it has been read."""

    lines: int
    words: frozenset[str]           # what its statements begin with
    constants: Mapping[str, Entry]
    macros: Mapping[str, Macro]


def words_of(lines: Sequence[SourceLine]) -> frozenset[str] | None:
    """What the statements of a file begin with; None when it may be no header."""
    words: set[str] = set()
    in_macro = False
    for line in lines:
        head = HEAD.match(line.text)
        if head is None:
            continue
        word = head.group(1)
        name = word.lower()
        if "%%" in line.text or (in_macro and name in _BEGIN):
            return None
        if not in_macro:
            if name not in _BEGIN and name not in _ASSIGN:
                return None
            words.add(word)
        in_macro = name in _BEGIN or (in_macro and name not in _END)
    return frozenset(words)


_BEGIN = frozenset({".macro"})
_END = frozenset({".endm", ".endmacro"})
_ASSIGN = frozenset({".equ", ".set", ".equiv"})
