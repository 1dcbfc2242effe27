"""The linker's second step: sections, segments and their places."""

from __future__ import annotations

import pytest
from support.linking import CODE_FLAGS, ZERO_FILL, error_of, full_image, handmade, image

from ymawky_kit.link import link
from ymawky_kit.obj import ObjectFile, Section

START = ("start", ".globl start\n.p2align 2\nstart:\n    ret\n")


def with_section(section: Section) -> list[ObjectFile]:
    return [handmade([0xD65F03C0]), ObjectFile("odd", (section,), ())]


def test_code_begins_behind_the_page_of_the_header() -> None:
    linked = full_image()
    text = linked.segments[1].sections[0]
    assert ("__TEXT", "__text", 0x100001000, 0x1000) == (
        text.segment, text.name, text.address, text.offset)
    assert 0x100001000 == linked.entry


def test_the_lowest_4_gib_are_kept_free() -> None:
    zero = full_image().segments[0]
    assert ("__PAGEZERO", 0, 0x100000000, 0, 0, 0) == (
        zero.name, zero.address, zero.vm_size, zero.offset, zero.file_size, zero.protection)


def test_segments_begin_on_16_kib_pages_and_code_fills_its_last_one() -> None:
    _, text, data = full_image().segments
    assert (0x100000000, 0x4000, 0, 0x4000, 5) == (
        text.address, text.vm_size, text.offset, text.file_size, text.protection)
    assert (0x100004000, 0x4000, 0x4000, 0x4000, 3) == (
        data.address, data.vm_size, data.offset, data.file_size, data.protection)


def test_a_program_without_data_has_no_data_segment() -> None:
    assert ["__PAGEZERO", "__TEXT"] == [s.name for s in image(START).segments]


def test_zero_fill_follows_the_data_and_takes_no_room_in_the_file() -> None:
    data = full_image().segments[2]
    assert ["__data", "__bss"] == [s.name for s in data.sections]
    bss = data.sections[1]
    assert (0x100004020, 0, 100, b"") == (bss.address, bss.offset, bss.size, bss.data)


def test_zero_fill_alone_makes_a_segment_without_any_file() -> None:
    linked = image(("start", START[1] + ".section __DATA,__bss\nbig:\n    .space 100000\n"))
    data = linked.segments[2]
    assert (0x4000, 0, 0x1C000) == (data.offset, data.file_size, data.vm_size)


def test_sections_of_one_name_lie_in_the_order_of_the_modules() -> None:
    one = ("one", START[1] + ".data\n    .byte 1\n")
    two = ("two", ".data\n    .byte 2\n")
    assert b"\x01\x02" == image(one, two).segments[2].sections[0].data
    other = image(("two", START[1] + two[1]), ("one", ".data\n    .byte 1\n"))
    assert b"\x02\x01" == other.segments[2].sections[0].data


def test_alignment_between_modules_is_kept() -> None:
    one = ("one", START[1] + ".data\n    .byte 1\n")
    two = ("two", ".data\n.p2align 4\n    .byte 2\n")
    section = image(one, two).segments[2].sections[0]
    assert b"\x01" + bytes(15) + b"\x02" == section.data
    assert 4 == section.align


def test_a_gap_between_two_modules_code_is_filled_with_nops() -> None:
    two = ("two", ".p2align 4\n.globl two\ntwo:\n    ret\n")
    data = image(START, two).segments[1].sections[0].data
    assert bytes.fromhex("c0035fd6" + "1f2003d5" * 3 + "c0035fd6") == data


def test_code_comes_first_whatever_the_order_of_the_source() -> None:
    text = (".section __TEXT,__const\nword:\n    .long 7\n.text\n.p2align 2\n"
            ".globl start\nstart:\n    ret\n")
    assert ["__text", "__const"] == [
        s.name for s in image(("start", text)).segments[1].sections]


def test_symbols_count_sections_from_one_over_all_segments() -> None:
    linked = full_image()
    by_name = {symbol.name: symbol.section for symbol in linked.symbols}
    names = [s.name for segment in linked.segments for s in segment.sections]
    assert ["__text", "__const", "__data", "__bss"] == names
    assert {"start": 1, "answer": 1, "text": 2, "table": 3, "buffer": 4}.items() <= by_name.items()


def test_private_symbols_come_before_exported_ones_sorted_by_name() -> None:
    order = [(s.is_global, s.name) for s in full_image().symbols]
    assert [(False, "buffer"), (False, "text"),
            (True, "answer"), (True, "start"), (True, "table")] == order


def test_lines_tell_the_source_of_every_instruction() -> None:
    linked = full_image()
    line = next(line for line in linked.lines if line.address == linked.entry)
    assert ("start", 4, True) == (line.module, line.size, line.is_code)
    assert "adrp" in line.span.text
    assert sorted(line.address for line in linked.lines if line.is_code) == [
        line.address for line in linked.lines if line.is_code]


def test_labels_are_known_to_listings() -> None:
    text = ".globl start\n.p2align 2\nstart:\n    nop\nLstart_loop:\n    b Lstart_loop\n"
    linked = image(("start", text))
    assert linked.entry + 4 == linked.address_of("Lstart_loop")
    assert [True] == [s.is_label for s in linked.symbols if s.name == "Lstart_loop"]


@pytest.mark.parametrize(("section", "message"), [
    (Section("__WEIRD", "__x", 0, b"1", 1, 0), "unknown segment"),
    (Section("__TEXT", "__zero", 0, b"", 8, ZERO_FILL), "zero-fill, and __TEXT is read-only"),
    (Section("__DATA", "__far", 15, b"1", 1, 0), "multiple of 32768"),
    (Section("__TEXT", "__text", 0, b"text\0", 5, 2), "another type"),
    (Section("__DATA", "__bss", 3, b"", 1 << 40, ZERO_FILL), "1,073,741,824 is the limit"),
])
def test_a_section_that_cannot_be_placed_is_an_error(section: Section, message: str) -> None:
    text = error_of(lambda: link(with_section(section), identifier="x"))
    assert message in text
    assert "hint:" in text


def test_a_section_of_16_kib_alignment_is_placed() -> None:
    linked = link(with_section(Section("__DATA", "__page", 14, b"1", 1, 0)), identifier="x")
    assert 0x100004000 == linked.segments[2].sections[0].address
    linked = link(with_section(Section("__TEXT", "__hot", 14, b"1", 1, CODE_FLAGS)),
                  identifier="x")
    assert 0x100004000 == linked.segments[1].sections[1].address
    assert 0x8000 == linked.segments[1].file_size


def test_the_same_modules_give_the_same_image() -> None:
    one, two = full_image(), full_image()
    assert one.segments == two.segments
    assert one.symbols == two.symbols
    assert one.rebases == two.rebases


def test_names_that_the_assembler_invents_are_not_in_the_program() -> None:
    text = START[1] + ".data\n.p2align 3\nLone:\n    .quad Lone\n"
    linked = image(("start", text))
    assert ["start"] == [s.name for s in linked.symbols if not s.is_label]
    assert linked.rebases == (linked.address_of("Lone"),)
