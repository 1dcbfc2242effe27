"""The linker's third step: addresses in instructions and pointers, right or refused."""

from __future__ import annotations

import struct

import capstone
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.linking import CODE_FLAGS, code, error_of, full_image, handmade, image

from ymawky_kit.link import link
from ymawky_kit.link.relocate import (
    MisfitError,
    Target,
    branch26,
    page21,
    pageoff12,
    patch_instruction,
    patch_value,
)
from ymawky_kit.obj import ObjectFile, Relocation, RelocationKind, Section, Symbol

BL, B, ADRP, ADD, RET = 0x94000000, 0x14000000, 0x90000000, 0x91000000, 0xD65F03C0
LDR_X, LDRB, LDRH, LDR_W, LDR_Q, STR_X = (
    0xF9400000, 0x39400000, 0x79400000, 0xB9400000, 0x3DC00000, 0xF9000000)
PLACE = 0x100001000

DISASSEMBLER = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
DISASSEMBLER.detail = True


def operand(word: int, place: int) -> int:
    """The last operand as Capstone, which we did not write, understands the instruction."""
    [instruction] = DISASSEMBLER.disasm(word.to_bytes(4, "little"), place)
    last = instruction.operands[-1]
    return last.mem.disp if last.type == capstone.CS_OP_MEM else last.imm


def target(address: int) -> Target:
    return Target("'thing'", address)


@given(st.integers(-(1 << 25), (1 << 25) - 1), st.sampled_from([BL, B]))
def test_capstone_reads_back_the_target_of_a_branch(instructions: int, word: int) -> None:
    place = 1 << 32
    to = place + 4 * instructions
    assert to == operand(branch26(word, target(to), place), place)


@given(st.integers(0, (1 << 33) - 1), st.integers(0, (1 << 33) - 1), st.integers(0, 30))
def test_capstone_reads_back_the_page_of_adrp(to: int, place: int, register: int) -> None:
    place &= ~3
    if not -(1 << 20) <= to // 4096 - place // 4096 < 1 << 20:
        with pytest.raises(MisfitError):
            page21(ADRP | register, target(to), place)
        return
    word = page21(ADRP | register, target(to), place)
    assert to & ~0xFFF == operand(word, place)
    assert ADRP | register == word & 0x9F00001F


@given(st.sampled_from([(ADD, 0), (LDRB, 0), (LDRH, 1), (LDR_W, 2), (LDR_X, 3), (STR_X, 3),
                        (LDR_Q, 4)]), st.integers(0, (1 << 33) - 1))
def test_capstone_reads_back_the_place_in_the_page(kind: tuple[int, int], to: int) -> None:
    word, scale = kind
    if to % (1 << scale):
        with pytest.raises(MisfitError):
            pageoff12(word, target(to), PLACE)
        return
    assert to % 4096 == operand(pageoff12(word, target(to), PLACE), PLACE)


@pytest.mark.parametrize(("distance", "fits"), [
    ((1 << 27) - 4, True), (1 << 27, False), (-(1 << 27), True), (-(1 << 27) - 4, False)])
def test_a_branch_reaches_128_mib_and_not_4_bytes_more(distance: int, fits: bool) -> None:
    place = 1 << 32
    if fits:
        assert place + distance == operand(branch26(BL, target(place + distance), place), place)
    else:
        with pytest.raises(MisfitError, match="out of range"):
            branch26(BL, target(place + distance), place)


@pytest.mark.parametrize(("pages", "fits"), [
    ((1 << 20) - 1, True), (1 << 20, False), (-(1 << 20), True), (-(1 << 20) - 1, False)])
def test_adrp_reaches_4_gib_and_not_a_page_more(pages: int, fits: bool) -> None:
    place = 1 << 34
    to = place + 4096 * pages
    if fits:
        assert to == operand(page21(ADRP, target(to), place), place)
    else:
        with pytest.raises(MisfitError, match="out of range"):
            page21(ADRP, target(to), place)


@pytest.mark.parametrize("kind", [
    RelocationKind.BRANCH26, RelocationKind.PAGE21, RelocationKind.PAGEOFF12])
def test_an_instruction_without_the_field_is_refused(kind: RelocationKind) -> None:
    with pytest.raises(MisfitError, match="no place for it"):
        patch_instruction(bytearray(code(RET)), 0, kind, target(PLACE), PLACE)


def test_a_place_outside_the_section_is_refused() -> None:
    for offset in (-4, 2, 4, 1 << 40):
        with pytest.raises(MisfitError, match="where no instruction is"):
            patch_instruction(bytearray(code(BL)), offset, RelocationKind.BRANCH26,
                              target(PLACE), PLACE)
    with pytest.raises(MisfitError, match="outside its section"):
        patch_value(bytearray(4), 0, 8, target(PLACE))


@given(st.integers(), st.sampled_from([1, 2, 4, 8]))
def test_a_value_is_written_whole_or_refused(value: int, size: int) -> None:
    data = bytearray(size)
    if -(1 << 8 * size - 1) <= value < 1 << 8 * size:
        patch_value(data, 0, size, target(value))
        assert (value % (1 << 8 * size)).to_bytes(size, "little") == data
    else:
        with pytest.raises(MisfitError, match="too large"):
            patch_value(data, 0, size, target(value))


def test_pointers_in_data_hold_addresses_and_are_listed_for_dyld() -> None:
    linked = full_image()
    table = linked.address_of("table")
    values = struct.unpack_from("<4Q", linked.segments[2].sections[0].data)
    assert (linked.address_of("answer"), table + 8, 0, linked.address_of("text")) == values
    assert (table, table + 8, table + 24) == linked.rebases


def test_a_number_in_data_needs_no_slide() -> None:
    text = (".globl start\n.p2align 2\nstart:\n    ret\n.data\n.p2align 3\n    .quad LIMIT\n"
            ".equ LIMIT, 77\n")
    linked = image(("start", text))
    assert 77 == linked.segments[2].sections[0].data[0]
    assert () == linked.rebases


def test_an_addend_moves_the_target() -> None:
    text = (".globl start\n.p2align 2\nstart:\n    adrp x0, table@PAGE\n"
            "    ldr x1, [x0, table@PAGEOFF + 16]\n.data\n.p2align 3\ntable:\n    .space 24\n")
    words = struct.unpack("<2I", image(("start", text)).segments[1].sections[0].data)
    assert 0x100004000 == operand(words[0], PLACE)
    assert 16 == operand(words[1], PLACE + 4)


ENTRY = ".globl start\n.p2align 2\nstart:\n"


@pytest.mark.parametrize(("body", "message", "hint"), [
    ("    ret\n.section __TEXT,__const\n.p2align 3\n    .quad start\n",
     "the address of 'start' in a read-only section (__TEXT,__const)", ".section __DATA,__const"),
    ("    ret\n    .p2align 3\n    .quad start\n",
     "the address of 'start' in a read-only section (__TEXT,__text)", "put it into .data"),
    ("    ret\n.data\n    .byte 1\n    .quad start\n",
     "the address of 'start' is not at a multiple of 8 bytes", ".p2align 3"),
    (("    adrp x0, odd@PAGE\n    ldr x0, [x0, odd@PAGEOFF]\n"
      ".data\n    .byte 1\nodd:\n    .quad 2\n"),
     "'odd' is at 0x1 in its page, not at a multiple of the 8 bytes", ".p2align 3"),
    ("    bl table\n.data\ntable:\n    .quad 2\n",
     "branch to 'table', which is data (__DATA,__data)", "after .text"),
])
def test_a_field_that_does_not_fit_shows_its_line(body: str, message: str, hint: str) -> None:
    text = error_of(lambda: image(("start", ENTRY + body)))
    assert message in text
    assert hint in text.split("hint: ")[1]
    assert "start.s:" in text and "^" in text


def test_a_branch_over_too_much_code_is_an_error() -> None:
    far = Section("__TEXT", "__text", 2, bytes(1 << 27), 1 << 27, CODE_FLAGS)
    end = ObjectFile("end", (Section("__TEXT", "__text", 2, code(RET), 4, CODE_FLAGS),),
                     (Symbol("end", 0, 0, True),))
    near = handmade([BL], [(0, RelocationKind.BRANCH26, "end")])
    text = error_of(lambda: link([near, ObjectFile("far", (far,), ()), end], identifier="x"))
    assert "branch to 'end' is out of range: +134,217,732 bytes" in text


def test_a_page_that_adrp_cannot_reach_is_an_error() -> None:
    number = Symbol("NUMBER", None, 1, True)
    near = handmade([ADRP, RET], [(0, RelocationKind.PAGE21, "NUMBER")], symbols=[number])
    assert "'NUMBER'@PAGE is out of range" in error_of(lambda: link([near], identifier="x"))


def test_a_number_too_large_for_its_field_is_an_error() -> None:
    number = Symbol("NUMBER", None, 300, True)
    section = Section("__DATA", "__data", 0, bytes(1), 1, 0,
                      (Relocation(0, RelocationKind.UNSIGNED, "NUMBER", size=1),))
    data = ObjectFile("data", (section,), ())
    text = error_of(lambda: link([handmade([RET], symbols=[number]), data], identifier="x"))
    assert "'NUMBER' is 0x12c, too large for 1 bytes" in text


def test_an_error_at_a_label_names_the_label() -> None:
    body = ("    adrp x0, Lodd@PAGE\n    ldr x0, [x0, Lodd@PAGEOFF]\n"
            ".data\n    .byte 1\nLodd:\n    .quad 2\n")
    text = error_of(lambda: image(("start", ENTRY + body)))
    assert "'Lodd' is at 0x1 in its page" in text


def test_a_branch_between_two_instructions_is_an_error() -> None:
    odd = ("odd", ".text\n    .byte 1\n.globl odd\nodd:\n    .byte 1\n")
    text = error_of(lambda: image(("start", f"{ENTRY}    bl odd\n"), odd))
    assert "start.s:4:5: error: branch to 'odd', which is not at a multiple of 4 bytes" in text
    assert "hint: instructions are 4 bytes: write .p2align 2" in text


def test_an_address_in_4_bytes_is_an_error() -> None:
    section = Section("__DATA", "__data", 0, bytes(4), 4, 0,
                      (Relocation(0, RelocationKind.UNSIGNED, "start", size=4),))
    data = ObjectFile("data", (section,), ())
    text = error_of(lambda: link([handmade([RET]), data], identifier="x"))
    assert "the address of 'start' does not fit into 4 bytes" in text
    assert "hint: addresses here lie above 4 GiB: write .quad" in text


def test_every_misfit_of_a_program_is_reported() -> None:
    body = "    bl data\n    bl data\n    ret\n.data\ndata:\n    .byte 1\n    .quad start\n"
    assert 3 == error_of(lambda: image(("start", ENTRY + body))).count("error:")
