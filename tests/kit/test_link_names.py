"""The linker's first step: every use finds its one definition, or the error says which does not."""

from __future__ import annotations

from support.linking import error_of, image, module

from ymawky_kit.link import link
from ymawky_kit.obj import ObjectFile

START = ("start", ".globl start\n.p2align 2\nstart:\n    bl helper\n    ret\n")
HELPER = ("lib/helper", ".globl helper\n.p2align 2\nhelper:\n    ret\n")


def test_a_global_of_one_module_is_known_in_another() -> None:
    linked = image(START, HELPER)
    assert linked.address_of("start") + 8 == linked.address_of("helper")


def test_modules_may_come_in_any_order() -> None:
    linked = image(HELPER, START)
    assert linked.address_of("helper") + 4 == linked.address_of("start") == linked.entry


def test_private_symbols_of_one_name_do_not_meet() -> None:
    one = (".globl start\n.p2align 2\nstart:\n    adrp x0, mine@PAGE\n    ret\n"
           ".data\nmine:\n    .byte 1\n")
    two = (".globl other\n.p2align 2\nother:\n    adrp x0, mine@PAGE\n    ret\n"
           ".data\nmine:\n    .byte 2\n")
    linked = image(("one", one), ("two", two))
    addresses = [s.address for s in linked.symbols if s.name == "mine"]
    assert [0x100004000, 0x100004001] == addresses


def test_a_private_symbol_hides_the_global_of_another_module() -> None:
    one = (".globl start\n.p2align 2\nstart:\n    ret\n.data\n.p2align 3\n"
           ".globl here\nhere:\n    .quad value\nvalue:\n    .quad 1\n")
    two = ".data\n.globl value\n.p2align 3\nvalue:\n    .quad 2\n"
    linked = image(("one", one), ("two", two))
    pointer = linked.segments[2].sections[0].data[:8]
    assert linked.address_of("here") + 8 == int.from_bytes(pointer, "little")


def test_a_missing_symbol_is_shown_where_it_is_used() -> None:
    text = error_of(lambda: image(START))
    assert "no module defines 'helper', which start needs" in text
    assert "start.s:4:" in text
    assert "bl helper" in text and "^" in text


def test_a_missing_symbol_is_reported_once_with_its_other_users() -> None:
    other = ("lib/other", ".globl other\n.p2align 2\nother:\n    bl helper\n    ret\n")
    text = error_of(lambda: image(START, other))
    assert 1 == text.count("error:")
    assert "note: also needed by lib/other" in text


def test_a_missing_symbol_names_the_nearest_known_one() -> None:
    wrong = ("start", ".globl start\n.p2align 2\nstart:\n    bl helpr\n    ret\n")
    text = error_of(lambda: image(wrong, HELPER))
    assert "hint: did you mean 'helper', defined in lib/helper?" in text


def test_a_missing_symbol_names_the_nearest_one_of_its_own_module() -> None:
    wrong = (".globl start\n.p2align 2\nstart:\n    adrp x0, greting@PAGE\n    ret\n"
             ".data\ngreeting:\n    .byte 1\n")
    text = error_of(lambda: image(("start", wrong), ("b", ".data\ngretings:\n    .byte 1\n")))
    assert "hint: did you mean 'greeting', defined in start?" in text


def test_a_private_symbol_that_others_need_gets_the_hint_globl() -> None:
    private = ("lib/helper", ".p2align 2\nhelper:\n    ret\n")
    text = error_of(lambda: image(START, private))
    assert "lib/helper keeps 'helper' to itself: write `.globl helper` there" in text


def test_a_doubled_symbol_shows_both_places() -> None:
    again = ("stub/helper", "\n\n.globl helper\n.p2align 2\nhelper:\n    ret\n")
    text = error_of(lambda: image(START, HELPER, again))
    assert "symbol 'helper' is defined twice, in lib/helper and in stub/helper" in text
    assert "stub/helper.s:5:1: error" in text
    assert "lib/helper.s:3:1: note: 'helper' is first defined here" in text
    assert "take lib/helper or stub/helper" in text


def test_a_module_listed_twice_is_an_error() -> None:
    text = error_of(lambda: image(START, HELPER, HELPER))
    assert "module lib/helper is linked twice" in text


def test_a_program_without_entry_says_so() -> None:
    text = error_of(lambda: image(HELPER))
    assert "no module defines the entry point 'start'" in text


def test_an_entry_that_is_not_exported_says_so() -> None:
    text = error_of(lambda: image(("start", ".p2align 2\nstart:\n    ret\n")))
    assert "start keeps 'start' to itself" in text


def test_an_entry_in_data_is_an_error() -> None:
    text = error_of(lambda: image(("start", ".data\n.globl start\nstart:\n    .quad 0\n")))
    assert "the entry point 'start' is not at an instruction" in text
    assert "start.s:3:1" in text


def test_an_entry_behind_the_last_instruction_is_an_error() -> None:
    text = error_of(lambda: image(("start", ".p2align 2\n    ret\n.globl start\nstart:\n")))
    assert "no instruction follows the entry point 'start'" in text


def test_nothing_at_all_is_an_error_and_not_a_crash() -> None:
    assert "no module defines the entry point" in error_of(lambda: link([], identifier="x"))
    nothing = ObjectFile("nothing", (), ())
    assert "no module defines the entry point" in error_of(
        lambda: link([nothing], identifier="x"))


def test_all_errors_of_a_broken_program_come_at_once_but_not_hundreds() -> None:
    calls = "".join(f"    bl missing_{index:03}x\n" for index in range(100))
    text = error_of(lambda: image(("start", f".globl start\n.p2align 2\nstart:\n{calls}")))
    assert 21 == text.count("error:")
    assert "and 80 more errors like these" in text


def test_another_entry_can_be_chosen() -> None:
    linked = image(START, HELPER, entry="helper")
    assert linked.address_of("helper") == linked.entry


def test_an_exported_number_is_a_symbol_without_a_section() -> None:
    number = ("numbers", ".globl MOST\n.equ MOST, 4096\n")
    linked = link([module(*START), module(*HELPER), module(*number)], identifier="x")
    found = [s for s in linked.symbols if s.name == "MOST"]
    assert [(4096, 0)] == [(s.address, s.section) for s in found]
