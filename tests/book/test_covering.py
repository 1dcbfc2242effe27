"""`coverage`: what counts as reached, and what does not."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ymawky_kit.lab.covering import coverage, forget, noting
from ymawky_kit.lab.drive import call, step, trace
from ymawky_kit.lab.exercise import check
from ymawky_kit.lab.look import build, edit, undo
from ymawky_kit.lab.magics import BENCH, run_cell
from ymawky_kit.lab.play import run, serve
from ymawky_kit.lab.watching import watch
from ymawky_kit.source import KitError

FILES = {"index.html": b"<p>hi"}


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    forget()
    yield
    BENCH.free.clear()
    BENCH.changed.clear()
    forget()


def test_nothing_is_reached_before_anything_ran() -> None:
    seen = coverage("lib/number")
    assert (0, 34, 0) == (seen.reached, seen.total, seen.percent)
    assert "lib/number: 0 of 34 instructions reached (0 %)" == seen.text().splitlines()[0]
    assert 34 == len(seen.missed)


def test_a_call_reaches_what_it_ran_and_nothing_else() -> None:
    call("u64_parse", b"7", 1)
    seen = coverage("lib/number", "u64_parse")
    assert [f"u64_parse+{n:#x}" for n in range(0x48, 0x60, 4)] == seen.missed
    call("u64_parse", b"x", 1)
    assert ["u64_parse+0x54", "u64_parse+0x58", "u64_parse+0x5c"] == \
        coverage("lib/number", "u64_parse").missed
    assert 0 == coverage("lib/number", "u64_format").reached


def test_a_step_reaches_exactly_what_it_recorded() -> None:
    recorded = step("u64_parse", b"7", 1)
    stepped = coverage("lib/number").missed
    forget()
    call("u64_parse", b"7", 1)
    assert coverage("lib/number").missed == stepped
    assert len({done.address for done in recorded.steps}) == coverage("lib/number").reached


def test_a_recording_that_was_cut_reaches_only_its_own() -> None:
    step("u64_parse", b"7", 1, limit=3)
    assert 3 == coverage("lib/number").reached


def test_what_a_check_runs_does_not_count() -> None:
    """Else the same notebook would show something else once an exercise is solved."""
    BENCH.take_free("greet", "func main\n    b fd_close\n")
    call("u64_parse", b"7", 1)
    before = coverage("lib/number").text(), coverage("lib/io").text()
    assert not check("greet").right
    assert before == (coverage("lib/number").text(), coverage("lib/io").text())
    call("u64_parse", b"x", 1)
    assert before[0] != coverage("lib/number").text()


def test_a_fault_reaches_up_to_the_instruction_that_failed() -> None:
    with pytest.raises(KitError):
        call("mem_clear", b"", 64)
    assert 2 == coverage("lib/mem", "mem_clear").reached      # movi, and the stp that failed
    called = coverage("lib/mem").text()
    forget()
    step("mem_clear", b"", 64)
    assert called == coverage("lib/mem").text()


def test_a_whole_program_and_its_libraries_are_reached() -> None:
    trace(build("total"), "40", "2")
    assert {"first/total": 29, "lib/number": 28} == {
        name: coverage(name).reached for name in ("first/total", "lib/number")}
    assert 100 == coverage("platform/start").percent


def test_a_program_that_was_moved_is_the_same_program() -> None:
    trace(build("total"), "40", "2")
    before = coverage("first/total").text()
    forget()
    trace(build("total"), "40", "2", slide=16384 * 3)
    assert before == coverage("first/total").text()


def test_forked_children_count() -> None:
    watch(FILES, "/", "children")
    assert 100 == coverage("serve/fork", "child_run").percent
    assert coverage("http/reply").reached
    forget()
    call("process_fork")
    assert "process_fork" in coverage("platform/process").text()
    assert coverage("platform/process", "process_fork").reached


def test_what_the_reader_changed_does_not_count_but_its_neighbours_do() -> None:
    edit("lib/number", "u64_parse", "    mov     x4, #10\n", "    mov     x4, #16\n")
    trace(build("total"), "40", "2")
    assert 0 == coverage("lib/number").reached
    assert 100 == coverage("lib/text", "text_length").percent
    undo()
    trace(build("total"), "40", "2")
    assert coverage("lib/number").reached


def test_a_changed_macro_changes_every_module_that_uses_it() -> None:
    edit("include/macros.inc", "carry_clear", "cmn     xzr, xzr", "cmn     xzr, xzr // the same")
    call("u64_parse", b"7", 1)
    assert 0 == coverage("lib/number").reached


def test_a_cell_of_the_readers_own_reaches_the_book() -> None:
    run_cell("mine", "func mine\n    b u64_parse\n")
    call("mine", b"7", 1)
    assert 18 == coverage("lib/number", "u64_parse").reached


def test_serve_run_and_check_do_not_count() -> None:
    run(build("total"), "40", "2")
    with serve(FILES, "children") as site:
        site.get("/")
    run_cell("byte_find", "func byte_find\n    b mem_clear\n")
    check("byte_find")
    for name in ("first/total", "serve/fork", "lib/mem", "lib/number"):
        assert 0 == coverage(name).reached, name


def test_what_an_exception_cut_short_does_not_count() -> None:
    program = build("total")
    with pytest.raises(RuntimeError), noting(program) as fd:
        os.pwrite(fd, b"\1\0" * 100, 0)
        raise RuntimeError
    assert 0 == coverage("first/total").reached


def test_a_whole_listing_marks_what_was_never_reached() -> None:
    call("u64_parse", b"7", 1)
    seen = coverage("lib/number", "u64_parse")
    lines = seen.text().splitlines()
    assert ("lib/number u64_parse: 18 of 24 instructions reached (75 %)", "u64_parse: 18 of 24") \
        == (lines[0], lines[1])
    assert 1 + 6 == sum("✗" in line for line in lines)
    assert "  u64_parse+0x54  mov     x0, #ERANGE" in lines
    page = seen.html()
    assert page.count(">✗<") == 6
    assert "u64_parse+0x54" in page


def test_a_function_that_is_not_there_and_a_module_without_code_are_told() -> None:
    with pytest.raises(KitError, match="no function or data named 'u64_prase'"):
        coverage("lib/number", "u64_prase")
    with pytest.raises(KitError, match="is data, not code"):
        coverage("first/total", "total_name")
    with pytest.raises(KitError, match="there is no module"):
        coverage("lib/nmuber")
    with pytest.raises(KitError, match="no instructions"):
        coverage("include/macros.inc")


def test_the_same_runs_reach_the_same_every_time() -> None:
    def all_of_it() -> list[str]:
        forget()
        watch(FILES, requests=["/", "/", "/none"], options=["--children", "2"])
        watch(FILES, "/", plan=["read 1: EINTR", "accept 1: ECONNABORTED"])
        trace(build("cat"), "x", files={"x": b"1"}, plan="write 1: EINTR")
        return [coverage(name).text() for name in
                ("serve/fork", "serve/connection", "serve/refuse", "http/request", "lib/io")]

    assert all_of_it() == all_of_it()


def test_no_file_is_left_behind() -> None:
    with tempfile.TemporaryDirectory() as folder:
        old, tempfile.tempdir = tempfile.tempdir, folder
        try:
            trace(build("total"), "1")
            assert [] == list(Path(folder).iterdir())
        finally:
            tempfile.tempdir = old
