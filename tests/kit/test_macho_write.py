"""The writer: which bytes an image becomes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.editing import LC_UUID, Editor
from support.linking import CODE_FLAGS, FULL, code, error_of, full_image, image

from ymawky_kit import macho
from ymawky_kit.darwin import boot
from ymawky_kit.link import link
from ymawky_kit.macho.writer import rebase_stream, uleb128, write
from ymawky_kit.obj import Image, ObjectFile, Section, Symbol

START = ("start", ".globl start\n.p2align 2\nstart:\n    ret\n")


def test_the_commands_come_in_the_order_that_dyld_and_people_expect() -> None:
    assert [
        "LC_SEGMENT_64", "LC_SEGMENT_64", "LC_SEGMENT_64", "LC_SEGMENT_64", "LC_DYLD_INFO_ONLY",
        "LC_SYMTAB", "LC_DYSYMTAB", "LC_LOAD_DYLINKER", "LC_UUID", "LC_BUILD_VERSION", "LC_MAIN",
        "LC_LOAD_DYLIB", "LC_CODE_SIGNATURE",
    ] == [command.name for command in macho.read(macho.build(full_image())).commands]


def test_the_header_is_that_of_a_movable_arm64_program() -> None:
    header = macho.read(write(full_image())).header
    assert (0x0100000C, 0, 2, 0x200085) == (
        header.cpu_type, header.cpu_subtype, header.file_type, header.flags)


def test_the_same_image_gives_the_same_bytes() -> None:
    assert macho.build(full_image()) == macho.build(full_image())


def test_the_uuid_follows_the_content_and_is_a_proper_one() -> None:
    def uuid(data: bytes) -> bytes:
        edit = Editor(data)
        at = edit.command(LC_UUID)
        return bytes(edit.data[at + 8:at + 24])

    one = uuid(write(full_image()))
    other = uuid(write(image(*FULL, ("more", ".data\n    .byte 1\n"))))
    assert one != other
    for value in (one, other):
        assert 3 == value[6] >> 4       # name-based
        assert 2 == value[8] >> 6       # RFC 9562


def test_a_file_without_pointers_has_an_empty_rebase_list() -> None:
    assert b"" == rebase_stream(image(START))
    file = macho.read(write(image(START)))
    assert () == file.rebases


def test_the_rebase_list_is_what_dyld_reads() -> None:
    # type pointer; segment 2 offset 0x20; 2 times; 8 further on; once; end
    assert bytes.fromhex("1122205230085100") == rebase_stream(full_image_with_pointers_at(
        0x20, 0x28, 0x38))


def full_image_with_pointers_at(*offsets: int) -> Image:
    return replace(full_image(), rebases=tuple(0x100004000 + offset for offset in offsets))


@given(st.sets(st.integers(0, 0x3FFF // 8)))
def test_any_set_of_pointers_survives_the_rebase_list(slots: set[int]) -> None:
    linked = full_image_with_pointers_at(*(8 * slot for slot in sorted(slots)))
    assert linked.rebases == macho.read(write(linked)).rebases


@given(st.integers(0, (1 << 64) - 1))
def test_uleb128_is_read_back(value: int) -> None:
    assert (value, len(uleb128(value))) == macho.reader.read_uleb128(uleb128(value), 0)


def test_data_ends_in_zeros_up_to_the_page() -> None:
    data = write(full_image())
    assert bytes(0x4000 - 0x20) == data[0x4020:0x8000]


def test_symbols_of_the_file_are_those_of_the_image_and_the_header() -> None:
    found = {s.name: (s.address, s.is_global) for s in macho.read(write(full_image())).symbols}
    linked = full_image()
    assert found == {
        "__mh_execute_header": (0x100000000, True),
        **{s.name: (s.address, s.is_global) for s in linked.symbols if not s.is_label},
    }


def test_more_sections_than_the_first_page_holds_are_an_error() -> None:
    sections = [Section("__TEXT", "__text", 2, code(0xD65F03C0), 4, CODE_FLAGS)]
    sections += [Section("__DATA", f"__d{index}", 0, b"1", 1, 0) for index in range(60)]
    module = ObjectFile("many", tuple(sections), (Symbol("start", 0, 0, True),))
    text = error_of(lambda: write(link([module], identifier="x")))
    assert "the load commands take" in text and "use fewer sections" in text


def test_as_many_sections_as_fit_are_written_and_signed() -> None:
    sections = [Section("__TEXT", "__text", 2, code(0xD65F03C0), 4, CODE_FLAGS)]
    sections += [Section("__DATA", f"__d{index}", 0, b"1", 1, 0) for index in range(39)]
    module = ObjectFile("many", tuple(sections), (Symbol("start", 0, 0, True),))
    assert () == macho.check(macho.build(link([module], identifier="x")))


@pytest.mark.parametrize("size", [0, 1, 0x2FFF, 0x3000, 0x3001, 100_000])
def test_constants_of_any_size_give_a_sound_file(size: int) -> None:
    more = ("more", f".section __TEXT,__const\n    .space {size}, 7\n")
    assert () == macho.check(macho.build(image(START, more)))


@pytest.mark.parametrize("size", [1, 0x3FFF, 0x4000, 0x4001, 100_000])
def test_data_and_zero_fill_of_any_size_give_a_sound_file(size: int) -> None:
    more = ("more", f".data\n    .space {size}, 7\n.section __DATA,__bss\n    .space {size}\n")
    data = macho.build(image(START, more))
    assert () == macho.check(data)


def test_a_negative_number_is_a_symbol_too() -> None:
    module = ObjectFile("n", (Section("__TEXT", "__text", 2, code(0xD65F03C0), 4, CODE_FLAGS),),
                        (Symbol("start", 0, 0, True), Symbol("MINUS", None, -1, True)))
    file = macho.read(write(link([module], identifier="x")))
    assert [0xFFFFFFFFFFFFFFFF] == [s.address for s in file.symbols if s.name == "MINUS"]



@pytest.mark.parametrize("slide", [0, 0x4000, 0x2000000])
def test_a_program_finds_its_data_and_its_functions_wherever_it_is_loaded(slide: int) -> None:
    text = """
        .globl start
        .p2align 2
    start:
        stp     x29, x30, [sp, #-16]!
        adrp    x0, table@PAGE
        ldr     x1, [x0, table@PAGEOFF + 8]     // a function, through a pointer in data
        adrp    x0, value@PAGE
        add     x0, x0, value@PAGEOFF
        blr     x1
        ldp     x29, x30, [sp], #16
        ret
    load:
        ldr     x0, [x0]
        ret
        .data
        .p2align 3
    table:
        .quad   value, load
    value:
        .quad   4711
    """
    assert 4711 == boot(macho.build(image(("start", text))), slide=slide).call("start").value
