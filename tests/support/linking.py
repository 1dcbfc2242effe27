"""Small programs for the tests of the linker, the writer and the checker."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from ymawky_kit import macho
from ymawky_kit.asm import assemble
from ymawky_kit.link import link
from ymawky_kit.obj import Image, ObjectFile, Relocation, RelocationKind, Section, Symbol
from ymawky_kit.source import KitError, Source

CODE_FLAGS = 0x80000400
ZERO_FILL = 1

#: Everything an image can hold: code in two modules, constants, data with pointers to
#: code and data, a run of neighbouring pointers, zero-fill, private and exported names.
FULL = (
    ("start", """
        .globl start
        .p2align 2
    start:
        adrp    x0, table@PAGE
        add     x0, x0, table@PAGEOFF
        ldr     x1, [x0]
        adrp    x2, buffer@PAGE
        ldr     x3, [x2, buffer@PAGEOFF]
        bl      answer
        mov     x16, #1
        svc     #0x80
        .section __DATA,__bss
        .p2align 3
    buffer:
        .space  100
    """),
    ("lib/answer", """
        .globl answer
        .p2align 2
    answer:
        adrp    x0, text@PAGE
        add     x0, x0, text@PAGEOFF
        mov     x0, #42
        ret
        .section __TEXT,__const
    text:
        .ascii  "hello"
        .data
        .p2align 3
        .globl  table
    table:
        .quad   answer
        .quad   table + 8
        .quad   0
        .quad   text
    """),
)


def module(name: str, text: str) -> ObjectFile:
    """Assemble a module; its source is called NAME.s."""
    return assemble(Source(f"{name}.s", text), name=name)


def image(*modules: tuple[str, str], entry: str = "start", identifier: str = "test") -> Image:
    return link([module(*m) for m in modules], identifier=identifier, entry=entry)


def full_image() -> Image:
    return image(*FULL, identifier="full")


def full_binary() -> bytes:
    return macho.build(full_image())


def code(*words: int) -> bytes:
    return b"".join(word.to_bytes(4, "little") for word in words)


def handmade(
    words: Sequence[int],
    relocations: Sequence[tuple[int, RelocationKind, str]] = (),
    *,
    name: str = "handmade",
    symbols: Sequence[Symbol] = (),
) -> ObjectFile:
    """An object with only __text, for what the assembler would never make."""
    data = code(*words)
    section = Section("__TEXT", "__text", 2, data, len(data), CODE_FLAGS,
                      tuple(Relocation(*row) for row in relocations))
    return ObjectFile(name, (section,), (Symbol("start", 0, 0, True), *symbols))


def error_of(action: Callable[[], object]) -> str:
    """What the reader sees when it fails."""
    with pytest.raises(KitError) as caught:
        action()
    return str(caught.value)
