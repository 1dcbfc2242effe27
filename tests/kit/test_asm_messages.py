"""What a reader sees who got something wrong: text, place, caret and hint, each one."""

from __future__ import annotations

import pytest

from ymawky_kit.asm import assemble
from ymawky_kit.source import KitError, Source

MACROS = """\
.macro sys name
    mov     x16, #SYS_\\name
    svc     #0x80
.endm
.macro addr rd, symbol
    adrp    \\rd, \\symbol@PAGE
    add     \\rd, \\rd, \\symbol@PAGEOFF
.endm
.macro two first:req, second
    .byte \\first, \\second
.endm
.equ SYS_write, 4
"""


def message(text: str, folder=None) -> str:
    with pytest.raises(KitError) as raised:
        assemble(Source("a.s", text), include=[folder] if folder else [])
    return str(raised.value)


def shown(*lines: str) -> str:
    return "\n".join(lines)


ADD_HINT = (
    "allowed are 0 to 4095, and multiples of 4096 up to 16773120; "
    "put larger numbers into a register first"
)
PATTERN_HINT = (
    "allowed are runs of ones that repeat, such as 0xff, 0xf0 or 0x0f0f0f0f; "
    "neither 0 nor all ones"
)
REGISTER_HINT = (
    "there are x0 to x30, xzr and sp, their lower halves w0 to w30, and "
    "b, h, s, d, q and v with 0 to 31"
)
TYPE_HINT = (
    "known are regular, zerofill, cstring_literals, 4byte_literals, 8byte_literals, "
    "16byte_literals"
)

#: One line of source, what the caret is under, the message, the hint.
ONE_LINE = [
    # --- mnemonics and operands
    ("movv x0, #1", "movv", "unknown mnemonic 'movv'", "did you mean 'mov'?"),
    ("start", "start", "unknown mnemonic 'start'", "a label needs a colon behind it"),
    ("push x0", "push", "unknown mnemonic 'push'",
     "on this processor that is str x0, [sp, #-16]!, or stp for two registers"),
    ("ldaddal x0, x1, [x2]", "ldaddal", "unknown mnemonic 'ldaddal'",
     "it is younger than ARMv8.0, which is all this assembler knows"),
    ("zzzzzz x1", "zzzzzz", "unknown mnemonic 'zzzzzz'", None),
    ("add x0, x1", "add x0, x1", "'add' takes 3 or 4 operands, not 2", "as in add x1, x2, #16"),
    ("ret x0, x1", "x1", "'ret' takes no or 1 operand, not 2", "as in ret x1"),
    ("nop 1", "1", "'nop' takes no operands, not 1", None),
    (
        "add x0, w1, #1", "w1",
        "operand 2 of 'add' must be a 64-bit register (x0-x30) or sp, not a 32-bit register", None,
    ),
    ("mov 5, x0", "5", "operand 1 of 'mov' must be a register, not a number", None),
    (
        "add x0, x1, #5000", "#5000", "5000 is not possible for operand 3 of 'add'",
        ADD_HINT,
    ),
    (
        "mov x0, #0x12345678", "#0x12345678", "0x12345678 is not possible for operand 2 of 'mov'",
        "one mov cannot make this number; write movz x0, #0x5678, then movk x0, #0x1234, lsl #16",
    ),
    (
        "mov w0, #0x100000000", "#0x100000000",
        "0x100000000 is not possible for operand 2 of 'mov'", "a w register has 32 bits",
    ),
    (
        "and x0, x1, #5", "#5", "5 is not possible for operand 3 of 'and'",
        PATTERN_HINT,
    ),
    ("svc 65536", "65536", "65536 is not possible for operand 1 of 'svc'",
     "allowed are 0 to 65535"),
    ("lsl x0, x1, #64", "#64", "64 is not possible for operand 3 of 'lsl'", "allowed are 0 to 63"),
    (
        "ubfx x0, x1, #60, #5", "#5", "5 is not possible for operand 4 of 'ubfx'",
        "allowed are 1 to 4; the field must end within the 64 bits of the register",
    ),
    (
        "ldr w0, [x1, #16384]", "#16384", "16384 is not possible for operand 2 of 'ldr'",
        "allowed are 0 to 16380 in steps of 4; or -256 to 255",
    ),
    (
        "ldr x0, [x1, x2, lsl #2]", "lsl #2", "lsl #2 is not possible for operand 2 of 'ldr'",
        "allowed are lsl 0 or 3",
    ),
    (
        "stp x0, x1, [sp, #-520]!", "#-520", "-520 is not possible for operand 3 of 'stp'",
        "allowed are -512 to 504 in steps of 8",
    ),
    (
        "str x1, [x1], #8", "x1", "'x1' is both moved and changed as the address",
        "what happens then is not defined; use another register",
    ),
    (
        "ldp x0, x0, [sp]", "x0#2", "both halves go to the same register",
        "what happens then is not defined; use two registers",
    ),
    (
        "stxr w0, x1, [x0]", "w0", "'w0' receives the outcome and is used besides",
        "what happens then is not defined; use another register",
    ),
    (
        "cset x0, qe", "qe",
        "operand 2 of 'cset' must be a condition (eq, ne, hs, lo, …), not 'qe'",
        "did you mean 'eq'?",
    ),
    (
        "fmov d0, #0.1", "#0.1", "0.1 is not possible for operand 2 of 'fmov'",
        "allowed are n/16 times a power of two, n from 16 to 31, 0.125 to 31.0",
    ),
    ("mrs x0, foo_el9", "foo_el9", "'mrs' does not know 'foo_el9'", None),
    (
        "add v0.16b, v1.8b, v2.16b", "add v0.16b, v1.8b, v2.16b",
        "'add' does not take these operands together",
        "the shapes of the vectors must go together, as in v0.16b, v1.16b",
    ),
    (
        "mov x0, x33", "x33", "there is no register 'x33'",
        REGISTER_HINT,
    ),
    (
        "mov x32, #1", "x32", "operand 1 of 'mov' must be a register, not the symbol 'x32'",
        REGISTER_HINT,
    ),
    (
        "mov R0, #1", "R0", "operand 1 of 'mov' must be a register, not the symbol 'R0'",
        REGISTER_HINT,
    ),
    ("mov x0, eax", "eax", "there is no register 'eax'", REGISTER_HINT),
    (
        "b.zero start", "b.zero", "unknown mnemonic 'b.zero'",
        "the conditions are eq ne cs hs cc lo mi pl vs vc hi ls ge lt gt le al nv",
    ),
    ("mov x0 x1", "x1", "unexpected 'x1' here", "operands are separated by commas"),
    ("mov x0, #5 # five", "##2", "unexpected '#' here", "comments begin with // or ;"),
    ("mov x0,", ",", "an operand is missing behind this comma", None),
    ("ldr x0, [5]", "5", "a memory operand begins with a register", "as in [x1] or [sp, #16]"),
    ("ldr x0, [x1", "[", "this '[' is never closed", None),
    ("mov x0, #(1+2", "(", "this '(' is never closed", None),
    (
        "ldr x0, =5", "=", "'ldr register, =value' needs a literal pool, which we do not make",
        "use mov, movz and movk for numbers, adrp and add for addresses",
    ),
    (
        "add x0, x0, :lo12:foo", ":", "':lo12:' and its like are for ELF",
        "on macOS write symbol@PAGEOFF",
    ),
    # --- symbols
    ("b Lnowhere", "Lnowhere", "label 'Lnowhere' is not defined", None),
    ("mov x0, #NOWHERE", "NOWHERE", "symbol 'NOWHERE' is not defined", None),
    (".long away", "away", "symbol 'away' is not defined", None),
    (
        "cbz x0, away", "away",
        "'away' is not defined in this module, and 'cbz' cannot reach another one",
        "branch with the opposite condition around a plain b",
    ),
    (
        "adr x0, away", "away",
        "'away' is not defined in this module, and 'adr' cannot reach another one",
        "use adrp with @PAGE, and add or ldr with @PAGEOFF",
    ),
    (
        "adrp x0, away", "away", "operand 2 of 'adrp' must be symbol@PAGE, not 'away'",
        "write away@PAGE",
    ),
    (
        "adr x0, away@PAGE", "away@PAGE",
        "operand 2 of 'adr' must be a label by itself, not @PAGE", "@PAGE belongs to adrp",
    ),
    ("mov x0, @PAGE", "@", "'@' must follow a symbol directly", "as in msg@PAGE and msg@PAGEOFF"),
    (
        "adrp x0, a@GOTPAGE", "@GOTPAGE",
        "@GOTPAGE is for symbols of other libraries, which our programs do not have",
        "use @PAGE and @PAGEOFF",
    ),
    ("adrp x0, a@PGAE", "@PGAE", "unknown modifier '@PGAE'", "known are @PAGE and @PAGEOFF"),
    ("x0: nop", "x0", "'x0' is a register and cannot be a label", None),
    ("1a: nop", "1a", "a line cannot begin with '1a'",
     "a label is a name or a number with a colon behind it"),
    (".globl nowhere", "nowhere", "'nowhere' is declared global but not defined here", None),
    (
        ".globl Lx", "Lx", "'Lx' begins with L and so never leaves this module",
        "choose a name that does not begin with L",
    ),
    (".equ a, a", "a", "'a' is defined by itself", None),
    (".set ., 5", ".#2", "'.' cannot be set", "use .space to leave room"),
    (
        "bl 1b", "1b", "there is no label '1:' above",
        "'1b' means the nearest '1:' above, '1f' the next below",
    ),
    (
        "b 1f", "1f", "there is no label '1:' below",
        "'1f' means the next '1:' below, '1b' the nearest above",
    ),
    # --- distances
    (
        "b #0x8000000", "#0x8000000",
        "too far: +134217728 bytes, and 'b' reaches -134217728 to 134217724",
        "load the address and use br or blr",
    ),
    (
        "adr x0, #0x100000", "#0x100000",
        "too far: +1048576 bytes, and 'adr' reaches -1048576 to 1048575",
        "use adrp with @PAGE, and add or ldr with @PAGEOFF",
    ),
    (
        "tbz x0, #1, #-32772", "#-32772",
        "too far: -32772 bytes, and 'tbz' reaches -32768 to 32764",
        "branch with the opposite condition around a plain b",
    ),
    (
        "b #3", "#3", "the distance to this place is 3 bytes, not a multiple of 4",
        "instructions begin at multiples of 4; is there data before the label?",
    ),
    # --- numbers, strings, data
    (".byte 256", "256", "256 does not fit into a byte", "allowed are -128 to 255"),
    (".short -32769", "-32769", "-32769 does not fit into 2 bytes", "allowed are -32768 to 65535"),
    (".quad 1/0", "1/0", "division by zero", None),
    (".quad 1 << 64", "64", "a shift by 64 is not possible",
     "numbers have 64 bits: shift by 0 to 63"),
    (
        ".quad 0x10000000000000000", "0x10000000000000000",
        "this number does not fit into 64 bits", "the largest is 0xffffffffffffffff",
    ),
    ("mov x0, #08", "08", "'08' is not a number", "a leading 0 means octal, which has no 8 or 9"),
    (".byte 1,", ",", "a value is missing behind this comma", None),
    ('.byte "a"', '"a"', ".byte takes numbers, and this is a string", "use .ascii or .asciz"),
    (".byte #1", "#", "numbers in data have no '#'", None),
    ('.ascii "abc', '"abc', "this string never ends", 'close it with " on the same line'),
    (
        '.ascii "a\\q"', "\\q", "unknown escape '\\q' in a string",
        r"known are \b \f \n \r \t \" \\, octal \101 and hexadecimal \x41",
    ),
    ('.ascii "\\777"', "\\777", "\\777 is 511, more than a byte holds",
     r"octal escapes go up to \377"),
    (".asciz 5", "5", "expected a string, found '5'", None),
    (
        "mov x0, #'ab'", "'", "a character constant is one character between quotes",
        r"write it as 'x', or as '\n' for a newline; text goes between double quotes",
    ),
    (
        "mov x0, #'\\0'", "'\\0'", "unknown escape '\\0' in a character constant",
        r"known are \b \f \n \r \t \' \" \\; for other values write the number",
    ),
    ("mov x0, “5”", "“", "unexpected character '“'", 'use the plain quote characters " and \''),
    ("/* abc", "/*", "this comment never ends", "close it with */"),
    # --- directives
    (".p2aling 2", ".p2aling", "unknown directive '.p2aling'", "did you mean '.p2align'?"),
    (".rodata", ".rodata", "unknown directive '.rodata'", "write .section __TEXT,__const"),
    (
        ".p2align 16", "16", "an alignment of 2**16 is not possible",
        "the number is a power of two: for 16 bytes write 4",
    ),
    (
        ".balign 3", "3", "an alignment of 3 bytes is not possible",
        "it must be a power of two, 1 to 16384",
    ),
    (".space -1", "-1", "-1 bytes cannot be left free", None),
    (".space 99999999999", "99999999999", "__TEXT,__text would grow beyond 32 MiB", None),
    (
        ".section foo", ".section foo", "a section has a segment and a name",
        "as in .section __TEXT,__const",
    ),
    (
        ".section __TEXT,__a_name_too_long", "__a_name_too_long",
        "'__a_name_too_long' cannot be the name of a section",
        "it has 1 to 16 letters, digits or underscores",
    ),
    (
        ".section __TEXT,__const,foo", "foo", "unknown section type 'foo'",
        TYPE_HINT,
    ),
    (".endif", ".endif", ".endif without .if", None),
    (".if 1", ".if", "this .if is never closed", "write .endif behind the lines it is about"),
    (".rept 5", ".rept", "this .rept never ends", "write .endr behind its last line"),
    (".macro a", ".macro", "this .macro never ends", "write .endm behind its last line"),
    (".endm", ".endm", ".endm without .macro", None),
    ('.error "stop here"', '.error "stop here"', "stop here", None),
    (
        '.include "none.inc"', '"none.inc"', "there is no file 'none.inc' to include",
        "no folders to look in were given",
    ),
    (
        ".space NOWHERE", "NOWHERE", "symbol 'NOWHERE' is not defined",
        ".space needs it before this line",
    ),
]


#: Where the second one of a kind is meant.
TWICE = ("x0#2", ".#2", "##2")


def caret(line: str, under: str) -> tuple[int, int]:
    """Column and width of what the caret is to be under; `x#2` is the second `x`."""
    under, number = (under[:-2], 2) if under in TWICE else (under, 1)
    column = -1
    for _ in range(number):
        column = line.index(under, column + 1)
    return column, len(under)


@pytest.mark.parametrize(("line", "under", "text", "hint"), ONE_LINE, ids=[c[0] for c in ONE_LINE])
def test_a_wrong_line_is_explained(line, under, text, hint):
    column, width = caret(line, under)
    expected = [
        f"a.s:1:{column + 1}: error: {text}", line, " " * column + "^" + "~" * (width - 1),
    ]
    assert shown(*expected, *([f"hint: {hint}"] if hint else [])) == message(line + "\n")


def test_a_second_definition_names_the_first():
    assert shown(
        "a.s:3:1: error: 'Lloop' is defined twice",
        "Lloop:",
        "^~~~~",
        "a.s:1:1: note: it is defined here first",
        "Lloop: nop",
        "^~~~~",
        "hint: local labels carry the name of their function, so that they stay apart",
    ) == message("Lloop: nop\n    nop\nLloop:\n")


def test_a_misspelt_label_gets_the_nearest_one():
    assert shown(
        "a.s:2:7: error: label 'Lparse_digti' is not defined",
        "    b Lparse_digti",
        "      ^~~~~~~~~~~~",
        "hint: did you mean 'Lparse_digit'?",
    ) == message("Lparse_digit:\n    b Lparse_digti\n")


def test_what_a_macro_got_wrong_from_its_user_is_shown_where_the_user_wrote_it():
    assert shown(
        "a.s:13:9: error: symbol 'SYS_wriet' is not defined",
        "    sys wriet",
        "        ^~~~~",
        "a.s:2:5: note: macro 'sys' makes it: mov x16, #SYS_wriet",
        r"    mov     x16, #SYS_\name",
        "    ^~~~~~~~~~~~~~~~~~",
        "hint: did you mean 'SYS_write'?",
    ) == message(MACROS + "    sys wriet\n")


def test_what_is_wrong_in_a_macro_is_shown_in_it_with_its_use():
    text = message(MACROS + "    addr x0\n")
    assert text.startswith(shown(
        "a.s:6:25: error: '@' must follow a symbol directly",
        r"    adrp    \rd, \symbol@PAGE",
        "                        ^",
        "a.s:13:5: note: in macro 'addr', used here without 'symbol'",
        "    addr x0",
        "    ^~~~~~~",
    ))


def test_a_missing_argument_that_is_required_names_the_macro():
    assert shown(
        "a.s:13:5: error: 'two' needs a value for 'first'",
        "    two",
        "    ^~~",
        "a.s:9:8: note: it is defined here",
        ".macro two first:req, second",
        "       ^~~",
        "hint: use it as: two first, second",
    ) == message(MACROS + "    two\n")


def test_too_many_arguments_name_the_macro():
    assert shown(
        "a.s:13:15: error: too many arguments: 'two' takes 2 arguments",
        "    two 1, 2, 3",
        "              ^",
        "a.s:9:8: note: it is defined here",
        ".macro two first:req, second",
        "       ^~~",
        "hint: use it as: two first, second",
    ) == message(MACROS + "    two 1, 2, 3\n")


def test_a_macro_that_uses_itself_is_stopped():
    assert shown(
        "a.s:2:1: error: 'again' is nested more than 32 deep",
        "again",
        "^~~~~",
        "a.s:2:1: note: in macro 'again', used here, 30 times over",
        "again",
        "^~~~~",
        "a.s:4:1: note: in macro 'again', used here",
        "again",
        "^~~~~",
        "hint: a macro that uses itself needs an .if that ends it",
    ) == message(".macro again\nagain\n.endm\nagain\n")


def test_a_macro_that_doubles_itself_is_stopped_too():
    text = message(".macro again\nagain\nagain\n.endm\nagain\n")
    assert "nested more than 32 deep" in text
    assert text.count("error:") == 1


def test_an_include_that_is_nearly_there_is_suggested(tmp_path):
    (tmp_path / "macros.inc").write_text("")
    assert shown(
        "a.s:1:10: error: there is no file 'macro.inc' to include",
        '.include "macro.inc"',
        "         ^~~~~~~~~~~",
        "hint: did you mean 'macros.inc'?",
    ) == message('.include "macro.inc"\n', tmp_path)


def test_files_that_include_each_other_are_stopped(tmp_path):
    (tmp_path / "a.inc").write_text('.include "b.inc"\n')
    (tmp_path / "b.inc").write_text('.include "a.inc"\n')
    assert shown(
        "b.inc:1:10: error: 'a.inc' includes itself",
        '.include "a.inc"',
        "         ^~~~~~~",
        "hint: by way of a.inc and b.inc",
    ) == message('.include "a.inc"\n', tmp_path)


def test_an_unaligned_access_by_pageoff_is_found_where_it_can_be_known():
    assert shown(
        "a.s:1:1: error: 'count' is at offset 4 of its section, "
        "and this reads or writes 8 bytes at multiples of 8",
        "ldr x0, [x1, count@PAGEOFF]",
        "^~~~~~~~~~~~~~~~~~~~~~~~~~~",
        "hint: write .p2align 3 before the label",
    ) == message(
        "ldr x0, [x1, count@PAGEOFF]\n.data\n.p2align 3\n.long 1\ncount: .quad 2\n"
    )


def test_a_branch_to_an_odd_place_says_so():
    assert "the distance to this place is 5 bytes, not a multiple of 4" in message(
        "bl odd\n.byte 1\nodd:\n"
    )


def test_a_conditional_branch_that_is_too_far_says_how_far_it_reaches():
    text = message("b.eq Lfar\n.space 0x100000\nLfar:\n")
    assert "too far: +1048580 bytes, and 'b.eq' reaches -1048576 to 1048572" in text


def test_an_instruction_behind_odd_data_asks_for_alignment():
    text = message(".byte 1\nnop\n")
    assert "an instruction must begin at a multiple of 4, and this is offset 1" in text
    assert "hint: write .p2align 2 before it" in text


def test_a_small_distance_between_named_labels_is_refused_as_linkers_do():
    text = message("one: nop\ntwo: .byte two - one\n")
    assert "the distance between 'one' and 'two' does not go into a byte" in text
    assert assemble(Source("a.s", "Lone: nop\nLtwo: .byte Ltwo - Lone\n"))
    assert message(".short two - one\n.p2align 2\none: nop\ntwo:\n").startswith(
        "a.s:1:8: error: the distance between 'one' and 'two' does not go into 2 bytes"
    )


def test_an_undefined_name_is_reported_once():
    text = message("mov x0, #NONE\nmov x1, #NONE\nadd x1, x1, #NONE + 1\n")
    assert 1 == text.count("error:")


def test_all_mistakes_of_a_source_are_reported_together():
    text = message("movv x0, #1\nnop\nadd x0\n.byte 300\nb Lnone\n")
    assert 4 == text.count("error:")


def test_at_most_twenty_mistakes_are_shown_and_the_rest_counted():
    with pytest.raises(KitError) as raised:
        assemble(Source("a.s", "bad\n" * 50))
    assert 20 == len(raised.value.diagnostics)
    assert "note: and 30 more mistakes after this one" in str(raised.value)


def test_a_mistake_points_into_the_fragment_it_is_in():
    cell = Source("cell 3", "    mov x0, #BAD\n")
    with pytest.raises(KitError) as raised:
        assemble([Source("head.s", "    nop\n"), cell, Source("tail.s", "    ret\n")])
    (diagnostic,) = raised.value.diagnostics
    assert cell is diagnostic.span.source
    assert "cell 3:1:14" == diagnostic.span.where


def test_a_mistake_in_a_later_name_is_shown_at_the_name():
    assert message(".equ size, 1 + bytes\n    mov x0, #size\n").startswith(
        "a.s:1:16: error: symbol 'bytes' is not defined"
    )


@pytest.mark.parametrize(
    "text",
    [
        ".section __T\ud800EXT,__const",
        ".section __TEXT,__const,\ud800",
        ".ifc \ud800",
        '.error "\x01\ud800\\n"',
        ".irp \ud800",
        "\ud800",
    ],
)
def test_a_message_can_always_be_printed(text):
    message(text + "\n").encode("utf-8")


def test_hundreds_of_mistakes_and_names_left_open_are_one_report():
    text = message(".equ a, -b\n" + "bad\n" * 500)
    assert 20 == text.count("error:")


def test_a_symbol_called_as_one_of_ours_keeps_its_place():
    module = assemble(Source("a.s", "adrp x0, L1@PAGE\n.const\n.byte 1\nL1: .byte 2\nltmp1:\n"))
    (relocation,) = module.sections[0].relocations
    places = {s.name: s.value for s in module.symbols}
    assert 2 == places["ltmp1"]
    assert 1 == places[relocation.symbol] + relocation.addend


def test_names_defined_by_each_other_are_one_complaint():
    assert shown(
        "a.s:2:6: error: 'B' is defined by itself",
        ".equ B, A+1",
        "     ^",
    ) == message(".equ A, B+1\n.equ B, A+1\n.quad A\n")
