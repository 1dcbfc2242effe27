"""Directives: one small function each, found by name in a table.

`DIRECTIVES` run only where lines are assembled; `CONDITIONAL` ones are seen
everywhere, because they decide where that is.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from ymawky_kit.asm import draft
from ymawky_kit.asm.draft import PendingDatum, SectionDraft
from ymawky_kit.asm.expression import (
    Cursor,
    Expression,
    Number,
    Value,
    names,
    read,
    unexpected,
)
from ymawky_kit.asm.header import Header
from ymawky_kit.asm.lexer import Mistake, SourceLine, Token, string_bytes, tokenize
from ymawky_kit.asm.macro import Argument, Macro, parse_header
from ymawky_kit.asm.statement import HEAD, Condition, Feed, Statement
from ymawky_kit.asm.suggest import did_you_mean
from ymawky_kit.asm.symbols import evaluate_here
from ymawky_kit.source import KitError, Note, Source

if TYPE_CHECKING:
    from ymawky_kit.asm.first_pass import Assembly

Arguments = Mapping[str, Argument]
Handler = Callable[["Assembly", Statement], None]

DIRECTIVES: Final[dict[str, Handler]] = {}
CONDITIONAL: Final[dict[str, Handler]] = {}


def _directive(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        DIRECTIVES.update(dict.fromkeys(names, handler))
        return handler

    return register


def _conditional(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        CONDITIONAL.update(dict.fromkeys(names, handler))
        return handler

    return register


#: What people bring along from other systems, and what to write instead.
_FOREIGN: Final = {
    ".rodata": "write .section __TEXT,__const",
    ".type": "Mach-O symbols have no type; leave it out",
    ".size": "Mach-O symbols have no size; leave it out",
    ".req": "use the register's own name",
    ".inst": "use .long for a raw instruction",
    ".ltorg": "we make no literal pools; use mov, movz and movk, or adrp and add",
    ".pool": "we make no literal pools; use mov, movz and movk, or adrp and add",
    ".pushsection": "switch back by naming the section: .text, .data",
    ".popsection": "switch back by naming the section: .text, .data",
    ".org": "use .space to leave room",
    ".altmacro": "name parameters with a backslash: \\name",
    ".arch": "every instruction of ARMv8.0 is there without it",
    ".cpu": "every instruction of ARMv8.0 is there without it",
    ".weak": "all our symbols are either global or private",
    ".weak_definition": "all our symbols are either global or private",
    ".weak_reference": "all our symbols are either global or private",
    ".local": "a symbol is local unless .globl names it",
}


def hint_for(name: str) -> str | None:
    """What a reader who wrote an unknown directive may have meant."""
    return _FOREIGN.get(name.lower()) or did_you_mean(name, [*DIRECTIVES, *CONDITIONAL])


# --- sections --------------------------------------------------------------

#: Short names of sections: segment, section, type.
_SECTIONS: Final = {
    ".text": ("__TEXT", "__text", draft.S_ATTR_PURE_INSTRUCTIONS),
    ".data": ("__DATA", "__data", 0),
    ".bss": ("__DATA", "__bss", draft.S_ZEROFILL),
    ".const": ("__TEXT", "__const", 0),
    ".static_const": ("__TEXT", "__static_const", 0),
    ".cstring": ("__TEXT", "__cstring", draft.S_CSTRING_LITERALS),
    ".const_data": ("__DATA", "__const", 0),
    ".static_data": ("__DATA", "__static_data", 0),
}

_TYPES: Final = {
    "regular": 0, "zerofill": 1, "cstring_literals": 2,
    "4byte_literals": 3, "8byte_literals": 4, "16byte_literals": 14,
}

_ATTRIBUTES: Final = {
    "none": 0,
    "pure_instructions": draft.S_ATTR_PURE_INSTRUCTIONS,
    "some_instructions": draft.S_ATTR_SOME_INSTRUCTIONS,
    "no_dead_strip": 0x10000000,
    "no_toc": 0x40000000,
    "strip_static_syms": 0x20000000,
    "live_support": 0x08000000,
    "debug": 0x02000000,
}


@_directive(*_SECTIONS)
def _section_by_short_name(assembly: Assembly, statement: Statement) -> None:
    cursor = statement.cursor()
    cursor.expect_end()
    segment, name, flags = _SECTIONS[statement.name.lower()]
    assembly.switch(assembly.section_named(segment, name, flags))


@_directive(".section")
def _section(assembly: Assembly, statement: Statement) -> None:
    """`.section SEGMENT,section[,type[,attribute+attribute]]`."""
    words = _comma_words(statement)
    if len(words) < 2:
        name = words[0].text if words else ""
        raise Mistake(
            "a section has a segment and a name", statement.start, statement.end,
            {
                ".rodata": "write .section __TEXT,__const", ".text": "write .text",
                ".data": "write .data", ".bss": "write .bss",
            }.get(name, "as in .section __TEXT,__const"),
        )
    if len(words) > 5:
        raise Mistake("too much behind .section", words[5].start, words[-1].end)
    for word in words[:2]:
        if not _SECTION_NAME.fullmatch(word.text):
            raise _bad_section_name(word)
    segment, section = words[0].text, words[1].text
    if segment not in ("__TEXT", "__DATA"):
        raise Mistake(
            f"our programs have no segment '{segment}'", words[0].start, words[0].end,
            did_you_mean(segment, ("__TEXT", "__DATA")) or "there are __TEXT and __DATA",
        )
    flags = 0
    if len(words) > 2:
        if words[2].text not in _TYPES:
            raise Mistake(
                f"unknown section type '{words[2].text}'", words[2].start, words[2].end,
                did_you_mean(words[2].text, _TYPES) or "known are " + ", ".join(_TYPES),
            )
        flags = _TYPES[words[2].text]
    if len(words) > 3:
        position = words[3].start
        for attribute in words[3].text.split("+"):
            if attribute not in _ATTRIBUTES:
                raise Mistake(
                    f"unknown section attribute '{attribute}'",
                    position, position + max(1, len(attribute)),
                    did_you_mean(attribute, _ATTRIBUTES)
                    or "known are " + ", ".join(_ATTRIBUTES),
                )
            flags |= _ATTRIBUTES[attribute]
            position += len(attribute) + 1
    if (segment, section) == ("__TEXT", "__text"):
        flags |= draft.S_ATTR_PURE_INSTRUCTIONS
    known = next(
        (s for s in _SECTIONS.values() if s[:2] == (segment, section)), None
    )
    if known is not None and len(words) == 2:
        flags = known[2]
    found = assembly.section_named(segment, section, flags)
    kept = draft.S_ATTR_SOME_INSTRUCTIONS
    if len(words) > 2 and found.flags & ~kept != flags & ~kept:
        raise Mistake(
            f"{segment},{section} was of another type above", words[2].start, words[-1].end
        )
    assembly.switch(found)


#: 16 bytes are what the file has room for (section_64 in <mach-o/loader.h>).
_SECTION_NAME: Final = re.compile(r"[\w.$]{1,16}", re.ASCII)


def _bad_section_name(word: Token) -> Mistake:
    return Mistake(
        f"'{word.text}' cannot be the name of a section", word.start, max(word.end, word.start + 1),
        "it has 1 to 16 letters, digits or underscores",
    )


@_directive(".previous")
def _previous(assembly: Assembly, statement: Statement) -> None:
    statement.cursor().expect_end()
    assembly.switch(assembly.previous)


def _comma_words(statement: Statement) -> list[Token]:
    """The texts between commas, blanks around them cut off."""
    text = statement.line.text
    end = statement.end
    words: list[Token] = []
    position = statement.rest
    if not text[position:end].strip():
        return words
    for part in text[position:end].split(","):
        stripped = part.strip()
        start = position + len(part) - len(part.lstrip())
        words.append(Token("word", stripped, start))
        position += len(part) + 1
    return words


# --- symbols ---------------------------------------------------------------


@_directive(".globl", ".global", ".private_extern", ".extern", ".no_dead_strip")
def _globl(assembly: Assembly, statement: Statement) -> None:
    cursor = statement.cursor()
    while True:
        token = cursor.expect("name", "the name of a symbol")
        if token.text.startswith("L") and "glob" in statement.name:
            raise Mistake(
                f"'{token.text}' begins with L and so never leaves this module",
                token.start, token.end, "choose a name that does not begin with L",
            )
        if statement.name.lower() in (".globl", ".global", ".private_extern"):
            entry = assembly.symbols.own(token.text)
            assembly.globals.append((entry, statement.line, token.start, token.end))
        if not cursor.accept(","):
            break
    cursor.expect_end()


@_directive(".equ", ".set", ".equiv")
def _equ(assembly: Assembly, statement: Statement) -> None:
    name, tree = _name_and_value(statement.line.text, statement.rest)
    once = statement.name.lower() == ".equiv"
    assembly.assign(name.text, tree, statement, name.start, once=once)


@lru_cache(maxsize=1 << 12)     # the same constants are read for every module
def _name_and_value(text: str, start: int) -> tuple[Token, Expression]:
    cursor = Cursor(tokenize(text, start))
    name = cursor.expect("name", "the name for the value")
    if not cursor.accept(","):
        raise unexpected(cursor.token, "',' and a value")
    tree = read(cursor)
    cursor.expect_end()
    return name, tree


# --- room and alignment ----------------------------------------------------

_ALIGN_MAX: Final = 14      # a page of Apple silicon: 16 KiB


@_directive(".p2align", ".align")
def _p2align(assembly: Assembly, statement: Statement) -> None:
    """`.p2align log2[,fill[,most]]`; on Mach-O `.align` means the same."""
    values = _numbers(assembly, statement, 1, 3)
    power, start, end = values[0]
    if not 0 <= power <= _ALIGN_MAX:
        hint = f"{power} would be 2**{power}; the number is a power of two: 0 to {_ALIGN_MAX}"
        if power in (16, 32, 64, 128, 256, 512, 1024, 2048, 4096):
            hint = f"the number is a power of two: for {power} bytes write {power.bit_length() - 1}"
        raise Mistake(f"an alignment of 2**{power} is not possible", start, end, hint)
    _align(assembly, statement, power, values[1:])


@_directive(".balign")
def _balign(assembly: Assembly, statement: Statement) -> None:
    """`.balign bytes[,fill[,most]]`."""
    values = _numbers(assembly, statement, 1, 3)
    count, start, end = values[0]
    if count < 1 or count & (count - 1) or count > 1 << _ALIGN_MAX:
        raise Mistake(
            f"an alignment of {count} bytes is not possible", start, end,
            f"it must be a power of two, 1 to {1 << _ALIGN_MAX}",
        )
    _align(assembly, statement, count.bit_length() - 1, values[1:])


def _align(
    assembly: Assembly,
    statement: Statement,
    power: int,
    others: Sequence[tuple[int | None, int, int]],
) -> None:
    section = assembly.section
    fill = others[0][0] if others else None
    most = others[1][0] if len(others) > 1 else None
    if fill is not None and not -128 <= fill <= 255:
        raise Mistake(f"{fill} does not fit into a byte", others[0][1], others[0][2])
    section.align = max(section.align, power)
    count = -section.size % (1 << power)
    if most and count > most:
        return
    section.pad(count, fill, statement.start, statement.end)


@_directive(".space", ".skip", ".zero")
def _space(assembly: Assembly, statement: Statement) -> None:
    values = _numbers(assembly, statement, 1, 2)
    count, start, end = values[0]
    if count < 0:
        raise Mistake(f"{count} bytes cannot be left free", start, end)
    fill = values[1][0] if len(values) > 1 else 0
    if not -128 <= fill <= 255:
        raise Mistake(f"{fill} does not fit into a byte", values[1][1], values[1][2])
    offset = assembly.section.size
    assembly.section.append_space(count, fill, start, end)
    assembly.note(statement, offset)


@_directive(".fill")
def _fill(assembly: Assembly, statement: Statement) -> None:
    """`.fill count[,size[,value]]`: the value in `size` bytes, `count` times."""
    values = _numbers(assembly, statement, 1, 3)
    count, start, end = values[0]
    size = values[1][0] if len(values) > 1 else 1
    value = values[2][0] if len(values) > 2 else 0
    if count < 0:
        raise Mistake(f"{count} repetitions are not possible", start, end)
    if not 0 <= size <= 8:
        raise Mistake(
            f"a size of {size} bytes is not possible", values[1][1], values[1][2],
            "it may be 0 to 8",
        )
    if len(values) > 2 and size and not -(1 << (8 * min(size, 4) - 1)) <= value < (
        1 << 8 * min(size, 4)
    ):
        raise Mistake(
            f"{value} does not fit into {min(size, 4)} bytes", values[2][1], values[2][2]
        )
    datum = (value & ((1 << 8 * min(size, 4)) - 1)).to_bytes(size, "little")
    section = assembly.section
    offset = section.size
    if section.is_zero_fill or not any(datum):
        section.append_space(count * size, 1 if any(datum) else 0, start, end)
    else:
        section.append_space(count * size, 0, start, end)
        section.data[offset:] = datum * count
    assembly.note(statement, offset)


@_directive(".zerofill")
def _zerofill(assembly: Assembly, statement: Statement) -> None:
    """`.zerofill SEGMENT,section[,symbol,size[,align]]`; stays in the section at hand."""
    words = _comma_words(statement)
    if len(words) not in (2, 4, 5):
        raise Mistake(
            ".zerofill takes a segment, a section, a symbol, a size and an alignment",
            statement.start, statement.end, "as in .zerofill __DATA,__bss,buffer,4096,3",
        )
    if words[0].text != "__DATA":
        raise Mistake(
            "only __DATA can be zero-filled", words[0].start, max(words[0].end, words[0].start + 1)
        )
    if not _SECTION_NAME.fullmatch(words[1].text):
        raise _bad_section_name(words[1])
    section = assembly.section_named(words[0].text, words[1].text, draft.S_ZEROFILL)
    if not section.is_zero_fill:
        raise Mistake(
            f"__DATA,{section.name} is not zero-filled", words[1].start, words[1].end,
            "use __bss",
        )
    if len(words) > 2:
        _reserve(assembly, statement, section, words[2], words[3:])


@_directive(".lcomm")
def _lcomm(assembly: Assembly, statement: Statement) -> None:
    """`.lcomm symbol,size[,align]`: room in __DATA,__bss."""
    words = _comma_words(statement)
    if len(words) not in (2, 3):
        raise Mistake(
            ".lcomm takes a symbol, a size and an alignment", statement.start, statement.end,
            "as in .lcomm buffer,4096,3",
        )
    section = assembly.section_named("__DATA", "__bss", draft.S_ZEROFILL)
    _reserve(assembly, statement, section, words[0], words[1:])


def _reserve(
    assembly: Assembly,
    statement: Statement,
    section: SectionDraft,
    name: Token,
    numbers: Sequence[Token],
) -> None:
    token = tokenize(name.text)[0] if name.text else None
    if token is None or token.kind != "name" or token.text != name.text:
        raise Mistake(f"'{name.text}' is not a name", name.start, max(name.end, name.start + 1))
    values: list[int] = []
    for word in numbers:
        cursor = Cursor(tokenize(statement.line.text[:word.end], word.start))
        values.append(assembly.number(read(cursor), statement.name))
        cursor.expect_end()
    size = values[0]
    align = values[1] if len(values) > 1 else 0
    if size < 0:
        raise Mistake(f"{size} bytes cannot be reserved", numbers[0].start, numbers[0].end)
    if not 0 <= align <= _ALIGN_MAX:
        raise Mistake(
            f"an alignment of 2**{align} is not possible", numbers[1].start, numbers[1].end,
            f"the number is a power of two: 0 to {_ALIGN_MAX}",
        )
    here = assembly.section
    assembly.section = section
    try:
        section.align = max(section.align, align)
        section.append_space(-section.size % (1 << align), 0, statement.start, statement.end)
        assembly.define_label(name.text, statement.line, name.start, name.end)
        offset = section.size
        section.append_space(size, 0, numbers[0].start, numbers[0].end)
        assembly.note(statement, offset)
    finally:
        assembly.section = here


@_directive(".comm")
def _comm(assembly: Assembly, statement: Statement) -> None:
    raise Mistake(
        "common symbols are not for programs of our own", statement.start, statement.end,
        "use .lcomm, or .bss with a label and .space",
    )


def _numbers(
    assembly: Assembly, statement: Statement, least: int, most: int
) -> list[tuple[int, int, int]]:
    """The values of a list of expressions, each with its columns.

    An empty place between commas counts as 0.
    """
    cursor = statement.cursor()
    values: list[tuple[int, int, int]] = []
    while True:
        if cursor.kind == "," and values:
            values.append((0, cursor.token.start, cursor.token.end))
        else:
            start = cursor.token.start
            tree = read(cursor, "a number")
            values.append((assembly.number(tree, statement.name), start, cursor.last_end))
        comma = cursor.accept(",")
        if comma is None:
            break
        if len(values) == most:
            raise Mistake(
                f"{statement.name} takes at most {most} numbers", comma.start, statement.end
            )
    cursor.expect_end()
    if len(values) < least:
        raise Mistake(f"{statement.name} takes {least} numbers", statement.start, statement.end)
    return values


# --- data ------------------------------------------------------------------

_SIZES: Final = {
    ".byte": 1,
    ".short": 2, ".hword": 2, ".2byte": 2,
    ".long": 4, ".word": 4, ".int": 4, ".4byte": 4,
    ".quad": 8, ".xword": 8, ".dword": 8, ".8byte": 8,
}


@_directive(*_SIZES)
def _integers(assembly: Assembly, statement: Statement) -> None:
    size = _SIZES[statement.name.lower()]
    cursor = statement.cursor()
    section = assembly.section
    begin = section.size
    if cursor.kind == "end":
        return
    while True:
        if cursor.kind == "string":
            raise Mistake(
                f"{statement.name} takes numbers, and this is a string",
                cursor.token.start, cursor.token.end, "use .ascii or .asciz",
            )
        if cursor.kind == "#":
            raise Mistake(
                "numbers in data have no '#'", cursor.token.start, cursor.token.end
            )
        start = cursor.token.start
        tree = read(cursor, "a value")
        end = cursor.last_end
        if isinstance(tree, Number):
            section.append(packed(tree.value, size, start, end), start, end)
        else:
            if size < 4:
                check_difference(assembly, tree, size)
            value = evaluate_here(tree, assembly.here(), statement.line)
            if isinstance(value, Value) and value.place is None:
                section.append(packed(value.number, size, start, end), start, end)
            elif isinstance(value, Value) and value.modifier:
                raise Mistake(
                    f"@{value.modifier} is for instructions", start, end,
                    "in data write the symbol alone: .quad symbol",
                )
            elif section.is_zero_fill:
                section.append(b"\1", start, end)
            else:
                assembly.data.append(
                    PendingDatum(
                        section.index, section.size, size, statement.line, start, end, value
                    )
                )
                section.append(bytes(size), start, end)
        comma = cursor.accept(",")
        if comma is None:
            break
        if cursor.kind == "end":
            raise Mistake("a value is missing behind this comma", comma.start, comma.end)
    cursor.expect_end("values are separated by commas")
    assembly.note(statement, begin)


def check_difference(assembly: Assembly, tree: Expression, size: int) -> None:
    """Refuse a distance between labels that other linkers could not fill in.

    LLVM leaves a distance between two named labels to the linker, and no
    linker for Mach-O does it in fewer than four bytes.
    """
    labels = {
        name.name for name in names(tree)
        if (entry := assembly.symbols.entries.get(name.name)) is not None
        and entry.meaning is None and not entry.is_label
    }
    if len(labels) > 1:
        shown = " and ".join(f"'{name}'" for name in sorted(labels)[:2])
        raise Mistake(
            f"the distance between {shown} does not go into "
            + ("a byte" if size == 1 else f"{size} bytes"),
            tree.start, tree.end,
            "linkers fill in four or eight: use .long, or labels that begin with L",
        )


def packed(value: int, size: int, start: int, end: int) -> bytes:
    """A number in `size` bytes, little-endian; raises :class:`Mistake` when too large."""
    bits = 8 * size
    if not -(1 << (bits - 1)) <= value < 1 << bits:
        unit = "a byte" if size == 1 else f"{size} bytes"
        raise Mistake(
            f"{value} does not fit into {unit}", start, end,
            f"allowed are {-(1 << (bits - 1))} to {(1 << bits) - 1}",
        )
    return (value & ((1 << bits) - 1)).to_bytes(size, "little")


@_directive(".ascii", ".asciz", ".string")
def _strings(assembly: Assembly, statement: Statement) -> None:
    """Several strings may follow each other; .asciz and .string end each with a zero.

    As in LLVM, strings without a comma between them are one.
    """
    end = b"" if statement.name.lower() == ".ascii" else b"\0"
    cursor = statement.cursor()
    data = bytearray()
    if cursor.kind != "end":
        while True:
            token = cursor.expect("string", "a string")
            data += string_bytes(token)
            while (following := cursor.accept("string")) is not None:
                data += string_bytes(following)
            data += end
            comma = cursor.accept(",")
            if comma is None:
                break
    cursor.expect_end("strings are separated by commas")
    assembly.emit(statement, bytes(data))


@_directive(".float", ".single", ".double")
def _floats(assembly: Assembly, statement: Statement) -> None:
    layout = "<d" if statement.name.lower() == ".double" else "<f"
    cursor = statement.cursor()
    data = bytearray()
    while True:
        sign = -1.0 if cursor.accept("-") else 1.0
        token = cursor.token
        if token.kind not in ("float", "number"):
            raise unexpected(token, "a number such as 1.5")
        cursor.next()
        try:
            data += struct.pack(layout, sign * float(token.text))
        except (ValueError, OverflowError):
            raise Mistake(
                f"'{token.text[:40]}' is not a number of this size", token.start, token.end
            ) from None
        if not cursor.accept(","):
            break
    cursor.expect_end()
    assembly.emit(statement, bytes(data))


# --- macros and repetition -------------------------------------------------

_BLOCKS: Final = {".rept", ".rep", ".irp", ".irpc"}
_END_MACRO: Final = {".endm", ".endmacro"}


@_directive(".macro")
def _macro(assembly: Assembly, statement: Statement) -> None:
    body = _block(assembly, statement, {".macro"}, _END_MACRO, ".endm")
    name, parameters, start, end = parse_header(statement.line, statement.rest)
    known = assembly.macros.get(name)
    if known is not None:
        raise Mistake(
            f"macro '{name}' is defined twice", start, end, "write .purgem before to replace it",
            (Note("it is defined here first", known.span),),
        )
    assembly.macros[name] = Macro(name, parameters, body, statement.line.span(start, end))


def _block(
    assembly: Assembly,
    statement: Statement,
    openers: set[str],
    closers: set[str],
    closer: str,
) -> tuple[SourceLine, ...]:
    """The lines up to the one that ends a block; blocks of one kind nest."""
    depth = 1
    lines: list[SourceLine] = []
    while (line := assembly.next_line_of_feed()) is not None:
        head = HEAD.match(line.text)
        word = head.group(1).lower() if head is not None else ""
        if word in openers:
            depth += 1
        elif word in closers:
            depth -= 1
            if depth == 0:
                return tuple(lines)
        lines.append(line)
    raise Mistake(
        f"this {statement.name} never ends", statement.start, statement.name_end,
        f"write {closer} behind its last line",
    )


@_directive(".endm", ".endmacro", ".endr")
def _stray_end(assembly: Assembly, statement: Statement) -> None:
    opener = ".rept" if statement.name.lower() == ".endr" else ".macro"
    raise Mistake(
        f"{statement.name} without {opener}", statement.start, statement.name_end
    )


@_directive(".exitm")
def _exitm(assembly: Assembly, statement: Statement) -> None:
    assembly.leave_macro(statement)


@_directive(".purgem")
def _purgem(assembly: Assembly, statement: Statement) -> None:
    cursor = statement.cursor()
    token = cursor.expect("name", "the name of a macro")
    cursor.expect_end()
    if assembly.macros.pop(token.text, None) is None:
        raise Mistake(
            f"there is no macro '{token.text}'", token.start, token.end,
            did_you_mean(token.text, assembly.macros),
        )


@_directive(".rept", ".rep")
def _rept(assembly: Assembly, statement: Statement) -> None:
    body = _block(assembly, statement, _BLOCKS, {".endr"}, ".endr")
    cursor = statement.cursor()
    tree = read(cursor, "a count")
    cursor.expect_end()
    count = assembly.number(tree, statement.name)
    if count < 0:
        raise Mistake(f"{count} repetitions are not possible", tree.start, tree.end)
    if count > _ROUNDS_MAX:
        raise Mistake(
            f"{count:,} repetitions are too many", tree.start, tree.end,
            f"at most {_ROUNDS_MAX:,} are allowed; .space and .fill make large blocks",
        )
    assembly.expand(body, f"'{statement.name}'", statement, [{}] * count, statement.name)


_ROUNDS_MAX: Final = 100_000


@_directive(".irp", ".irpc")
def _irp(assembly: Assembly, statement: Statement) -> None:
    """`.irp name, a, b, c`: the body once for each; `.irpc name, abc`: for each letter."""
    body = _block(assembly, statement, _BLOCKS, {".endr"}, ".endr")
    cursor = statement.cursor()
    name = cursor.expect("name", "the name of the parameter")
    if cursor.kind != "end":
        cursor.expect(",", "','")
    line = statement.line
    texts: list[Token] = []
    if statement.name.lower() == ".irp":
        if cursor.kind != "end":
            texts = _split_words(line, cursor.token.start, statement.end)
    else:
        start = cursor.token.start
        texts = [
            Token("word", letter, start + n)
            for n, letter in enumerate(line.text[start:statement.end])
        ]
    rounds: list[Arguments] = []
    for word in texts:
        pieces = tuple(
            p._replace(start=p.start - word.start, end=p.end - word.start, is_argument=True)
            for p in line.slice(word.start, word.end)
        )
        rounds.append({name.text: Argument(word.text, pieces)})
    assembly.expand(body, f"'{statement.name}'", statement, rounds, statement.name)


def _split_words(line: SourceLine, start: int, end: int) -> list[Token]:
    words: list[Token] = []
    position = start
    for part in line.text[start:end].split(","):
        stripped = part.strip()
        words.append(Token("word", stripped, position + len(part) - len(part.lstrip())))
        position += len(part) + 1
    return words


# --- files -----------------------------------------------------------------

_FILE_MAX: Final = 4 << 20


@_directive(".include")
def _include(assembly: Assembly, statement: Statement) -> None:
    cursor = statement.cursor()
    token = cursor.expect("string", "the name of a file between double quotes")
    cursor.expect_end()
    name = string_bytes(token).decode("utf-8", "replace")
    path = _find(assembly, name)
    if path is None:
        _no_such_file(assembly, name, token)
    open_files = [feed.file for feed in assembly.feeds if feed.file is not None]
    if path in open_files:
        raise Mistake(
            f"'{name}' includes itself", token.start, token.end,
            "by way of " + " and ".join(p.name for p in open_files) if len(open_files) > 1
            else None,
        )
    try:
        lines, header = _read_lines(assembly, path, name)
    except KitError as error:
        raise Mistake(error.diagnostics[0].message, token.start, token.end) from None
    if header is None or not assembly.take(header):
        assembly.push(Feed(iter(lines), len(assembly.conditions), file=path), statement)


def _find(assembly: Assembly, name: str) -> Path | None:
    if "\0" in name or not name or len(name) > 1000:
        return None
    for folder in assembly.include:
        path = folder / name
        try:
            if path.is_file():
                return path
        except OSError:
            continue
    return None


def _read_lines(
    assembly: Assembly, path: Path, name: str
) -> tuple[Sequence[SourceLine], Header | None]:
    """The lines of a file; the same objects as long as the file does not change."""
    try:
        status = path.stat()
    except OSError as error:
        raise KitError.of(f"{name}: {error.strerror}") from None
    if status.st_size > _FILE_MAX:
        raise KitError.of(f"{name} is larger than {_FILE_MAX >> 20} MiB")
    key = (status.st_mtime_ns, status.st_size)
    known = _files.get(path)
    if known is None or known[0] != key:
        seen = len(assembly.diagnostics)
        lines = tuple(assembly.source_lines(Source.read(path, name)))
        if len(assembly.diagnostics) > seen:
            return lines, None      # to be complained about in every module
        known = _files[path] = key, lines, assembly.header(lines)
    return known[1:]


_files: Final[dict[Path, tuple[tuple[int, int], tuple[SourceLine, ...], Header | None]]] = {}


def _no_such_file(assembly: Assembly, name: str, token: Token) -> NoReturn:
    near = [
        entry.name
        for folder in assembly.include
        if folder.is_dir()
        for entry in folder.iterdir()
    ]
    hint = did_you_mean(name, near)
    if hint is None:
        hint = (
            "looked in " + ", ".join(folder.name or str(folder) for folder in assembly.include)
            if assembly.include
            else "no folders to look in were given"
        )
    raise Mistake(f"there is no file '{name}' to include", token.start, token.end, hint)


# --- messages --------------------------------------------------------------


@_directive(".error", ".err")
def _error(assembly: Assembly, statement: Statement) -> None:
    cursor = statement.cursor()
    token = cursor.accept("string")
    cursor.expect_end()
    message = string_bytes(token).decode("utf-8", "replace") if token else ".err was reached"
    raise Mistake(message, statement.start, statement.end)


@_directive(
    ".warning", ".print", ".subsections_via_symbols", ".build_version", ".macosx_version_min",
    ".file", ".loc", ".ident", ".desc", ".data_region", ".end_data_region",
    ".cfi_startproc", ".cfi_endproc", ".cfi_def_cfa", ".cfi_def_cfa_offset",
    ".cfi_def_cfa_register", ".cfi_offset", ".cfi_restore", ".cfi_sections",
)
def _nothing(assembly: Assembly, statement: Statement) -> None:
    """Accepted for the sake of other assemblers; changes no byte of ours."""


# --- conditions ------------------------------------------------------------


def _open(assembly: Assembly, statement: Statement, decide: Callable[[], bool]) -> None:
    may_be = not assembly.conditions or assembly.conditions[-1].is_taken
    condition = Condition(
        False, False, may_be, statement.line, statement.start, statement.name_end
    )
    if len(assembly.conditions) >= _CONDITIONS_MAX:
        raise Mistake("too many .if are open", statement.start, statement.name_end)
    assembly.conditions.append(condition)
    if may_be:
        # Should the question itself be wrong, none of the branches is taken.
        condition.was_taken = True
        condition.is_taken = decide()
        condition.was_taken = condition.is_taken


_CONDITIONS_MAX: Final = 1000

_COMPARISONS: Final[dict[str, Callable[[int], bool]]] = {
    ".if": lambda n: n != 0, ".ifne": lambda n: n != 0, ".ifeq": lambda n: n == 0,
    ".ifgt": lambda n: n > 0, ".ifge": lambda n: n >= 0,
    ".iflt": lambda n: n < 0, ".ifle": lambda n: n <= 0,
}


@_conditional(*_COMPARISONS)
def _if(assembly: Assembly, statement: Statement) -> None:
    holds = _COMPARISONS[statement.name.lower()]
    _open(assembly, statement, lambda: holds(_question(assembly, statement)))


def _question(assembly: Assembly, statement: Statement) -> int:
    cursor = statement.cursor()
    tree = read(cursor, "a condition")
    cursor.expect_end()
    return assembly.number(tree, statement.name)


@_conditional(".ifdef", ".ifndef", ".ifnotdef")
def _ifdef(assembly: Assembly, statement: Statement) -> None:
    def decide() -> bool:
        cursor = statement.cursor()
        token = cursor.expect("name", "the name of a symbol")
        cursor.expect_end()
        entry = assembly.symbols.entries.get(token.text)
        is_defined = entry is not None and (
            entry.section is not None or entry.meaning is not None
        )
        return is_defined == (statement.name.lower() == ".ifdef")

    _open(assembly, statement, decide)


@_conditional(".ifb", ".ifnb")
def _ifb(assembly: Assembly, statement: Statement) -> None:
    def decide() -> bool:
        is_blank = not statement.line.text[statement.rest:statement.end].strip()
        return is_blank == (statement.name.lower() == ".ifb")

    _open(assembly, statement, decide)


@_conditional(".ifc", ".ifnc")
def _ifc(assembly: Assembly, statement: Statement) -> None:
    def decide() -> bool:
        text = statement.line.text[statement.rest:statement.end]
        left, comma, right = text.partition(",")
        if not comma:
            raise Mistake(
                f"{statement.name} compares two texts with a comma between them",
                statement.start, statement.end,
            )
        return (left.strip() == right.strip()) == (statement.name.lower() == ".ifc")

    _open(assembly, statement, decide)


@_conditional(".ifeqs", ".ifnes")
def _ifeqs(assembly: Assembly, statement: Statement) -> None:
    def decide() -> bool:
        cursor = statement.cursor()
        left = cursor.expect("string", "a string")
        cursor.expect(",", "','")
        right = cursor.expect("string", "a string")
        cursor.expect_end()
        is_same = string_bytes(left) == string_bytes(right)
        return is_same == (statement.name.lower() == ".ifeqs")

    _open(assembly, statement, decide)


@_conditional(".elseif")
def _elseif(assembly: Assembly, statement: Statement) -> None:
    condition = _innermost(assembly, statement)
    if condition.has_else:
        raise Mistake(".elseif behind .else", statement.start, statement.name_end)
    condition.is_taken = False
    if condition.may_be and not condition.was_taken:
        condition.was_taken = True
        condition.is_taken = _question(assembly, statement) != 0
        condition.was_taken = condition.is_taken


@_conditional(".else")
def _else(assembly: Assembly, statement: Statement) -> None:
    condition = _innermost(assembly, statement)
    if condition.has_else:
        raise Mistake("a second .else", statement.start, statement.name_end)
    condition.has_else = True
    condition.is_taken = condition.may_be and not condition.was_taken
    condition.was_taken = True
    statement.cursor().expect_end()


@_conditional(".endif")
def _endif(assembly: Assembly, statement: Statement) -> None:
    _innermost(assembly, statement)
    assembly.conditions.pop()
    statement.cursor().expect_end()


def _innermost(assembly: Assembly, statement: Statement) -> Condition:
    """The `.if` that a later directive belongs to."""
    opened = assembly.feeds[-1].conditions if assembly.feeds else 0
    if len(assembly.conditions) <= opened:
        raise Mistake(
            f"{statement.name} without .if", statement.start, statement.name_end,
            "an .if must end in the file or macro it began in"
            if assembly.conditions else None,
        )
    return assembly.conditions[-1]
