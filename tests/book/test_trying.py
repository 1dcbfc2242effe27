"""`tried`: which calls and recordings count for which function."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ymawky_kit.lab import covering, trying
from ymawky_kit.lab.covering import coverage
from ymawky_kit.lab.drive import call, step
from ymawky_kit.lab.exercise import check
from ymawky_kit.lab.look import edit, undo
from ymawky_kit.lab.magics import BENCH, run_cell
from ymawky_kit.lab.reading import inspect
from ymawky_kit.lab.snippets import Module
from ymawky_kit.lab.trying import tried
from ymawky_kit.source import KitError


def nothing() -> None:
    for kept in (BENCH.free, BENCH.bases, BENCH.changed, BENCH.shown):
        kept.clear()
    trying.forget()
    covering.forget()


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    nothing()
    yield
    nothing()


def show(module: str, function: str = "") -> None:
    """Run the book's own cell."""
    text = Module.read(module).item(function).text if function else Module.read(module).text
    run_cell(f"{module} {function}".strip(), text)


def counts() -> dict[str, tuple[int, int]]:
    return {row.function: (row.inputs, row.recordings) for row in tried().rows}


def test_nothing_shown_is_said() -> None:
    with pytest.raises(KitError, match="no cell has shown a function"):
        tried()


def test_a_call_counts_once_for_each_of_its_inputs() -> None:
    show("lib/number", "u64_parse")
    assert {"u64_parse": (0, 0)} == counts()
    for _ in range(3):
        call("u64_parse", b"7", 1)
    assert {"u64_parse": (1, 0)} == counts()
    call("u64_parse", b"8", 1)
    call("u64_parse", b"8", 0)
    assert {"u64_parse": (3, 0)} == counts()


def test_what_is_only_broken_on_purpose_is_not_shown() -> None:
    show("lib/number", "u64_parse")
    edit("guard/timer", "guard_arm", "#1", "#2")
    edit("lib/number", "u64_parse", "mul     x0, x0, x4", "madd    x0, x0, x4, xzr")
    assert ["u64_parse"] == list(counts())
    undo()


def test_files_and_plans_are_inputs() -> None:
    show("platform/darwin/file", "file_open")
    call("file_open", "a", files={"a": b"x"})
    call("file_open", "a", files={"a": b"y"})
    call("file_open", "a", files={"a": b"y"}, plan="open 1: EINTR")
    call("file_open", "a", files={"a": b"y"}, plan="open 1: EINTR")
    assert {"file_open": (3, 0)} == counts()


def test_a_buffer_is_taken_as_it_was_before_the_call() -> None:
    show("lib/mem", "mem_clear")
    room = bytearray(b"1" * 64)
    call("mem_clear", room, 64)
    assert bytes(64) == room
    call("mem_clear", room, 64)
    assert {"mem_clear": (2, 0)} == counts()


def test_steps_and_inspections_are_recordings() -> None:
    show("lib/number", "u64_parse")
    step("u64_parse", b"7", 1)
    inspect("u64_parse", b"7", 1)
    assert {"u64_parse": (0, 2)} == counts()


def test_a_function_that_another_calls_is_not_tried_alone() -> None:
    show("lib/text", "text_word")
    show("lib/text", "text_same")
    call("method_find", b"GET     ", 3)
    assert {"text_word": (0, 0), "text_same": (0, 0)} == counts()


def test_a_cell_of_ones_own_tries_what_it_jumps_to() -> None:
    show("lib/number", "u64_format")
    show("lib/mem", "mem_copy")
    run_cell("digits", "func digits\n    b u64_format\n")
    call("digits", 12, bytearray(20))
    step("digits", 12, bytearray(20))
    assert {"u64_format": (1, 1), "mem_copy": (0, 0)} == counts()


def test_a_cell_that_never_comes_to_a_function_does_not_try_it() -> None:
    show("lib/mem", "mem_copy")
    run_cell("perhaps", "func perhaps\n    cbz x3, Lnot\n    b mem_copy\nLnot:\n    ret\n")
    call("perhaps", bytearray(20), b"abcd", 4, 0)
    assert {"mem_copy": (0, 0)} == counts()
    call("perhaps", bytearray(20), b"abcd", 4, 1)
    assert {"mem_copy": (1, 0)} == counts()


def test_of_several_that_a_cell_may_jump_to_those_count_that_it_came_to() -> None:
    show("lib/number", "u64_format")
    show("lib/mem", "mem_copy")
    run_cell("either", "func either\n    addr x9, date_pairs\n    cbz x3, Lother\n"
                       "    b u64_format\nLother:\n    b mem_copy\n")
    call("either", bytearray(20), b"abcd", 4, 0)
    assert {"u64_format": (0, 0), "mem_copy": (1, 0)} == counts()
    call("either", bytearray(20), b"efgh", 4, 0)
    call("either", 12, bytearray(20), 0, 1)
    step("either", 12, bytearray(20), 0, 1)
    assert {"u64_format": (1, 1), "mem_copy": (2, 0)} == counts()
    assert coverage("lib/mem", "mem_copy").reached and not coverage("lib/text").reached


def test_a_changed_function_is_not_the_books() -> None:
    show("lib/number", "u64_parse")
    edit("lib/number", "u64_parse", "func u64_parse\n", "func u64_parse\n    nop\n")
    call("u64_parse", b"7", 1)
    assert {"u64_parse": (0, 0)} == counts()
    undo()
    call("u64_parse", b"7", 1)
    assert {"u64_parse": (1, 0)} == counts()


def test_what_a_check_tries_does_not_count() -> None:
    show("lib/text", "text_length")
    run_cell("larger", "func larger\n    b text_length\n")
    check("larger")
    assert {"text_length": (0, 0)} == counts()


def test_a_module_shows_all_its_functions_in_their_order() -> None:
    show("lib/number")
    show("lib/mem", "mem_copy")
    assert ["u64_parse", "u64_format", "mem_copy"] == list(counts())


def test_the_view_has_a_line_for_each_function() -> None:
    show("lib/number", "u64_parse")
    show("lib/mem", "mem_copy")
    call("u64_parse", b"7", 1)
    step("u64_parse", b"7", 1)
    seen = tried()
    assert seen.text().splitlines() == [
        "2 functions shown, 1 called, 1 recorded step by step",
        "  lib/number  u64_parse  1  input   1  recording",
        "  lib/mem     mem_copy   0  inputs  0  recordings"]
    assert "<code>u64_parse</code>" in seen.html() and "<details" in seen.html()


def test_a_folded_recording_says_the_same() -> None:
    open_, folded = step("u64_parse", b"7", 1), step("u64_parse", b"7", 1, folded=True)
    assert open_.text() == folded.text()
    assert open_.html() in folded.html()
    assert "<summary class=\"yk-title\">u64_parse(b&#x27;7&#x27;, 1): " in folded.html()
