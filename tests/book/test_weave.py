"""The book's assembly cells are the sources, cut and put together without loss."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ymawky_kit import chapters
from ymawky_kit.lab import notebook as nb
from ymawky_kit.lab.snippets import Module, cut, module_names
from ymawky_kit.lab.weave import Place, place, weave, weave_cell
from ymawky_kit.lab.workbench import Workbench
from ymawky_kit.paths import asm_root
from ymawky_kit.source import KitError

MODULES = module_names()


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_its_pieces_and_the_blank_lines_between(name: str) -> None:
    module = Module.read(name)
    lines = module.text.splitlines()
    covered: list[int] = []
    for item in module.items:
        assert "\n".join(lines[item.first - 1:item.last]) == item.text
        covered += range(item.first, item.last + 1)
        before, after = module.around(item)
        assert module.text == before + item.text + "\n" + after
    assert sorted(set(covered)) == covered, "no line belongs to two pieces"
    left = {n for n in range(1, len(lines) + 1) if lines[n - 1].strip()} - set(covered)
    assert not left, "every line that says something belongs to a piece"


@pytest.mark.parametrize("name", [n for n in MODULES if not n.endswith(".inc")])
def test_every_function_can_be_named_and_begins_with_its_contract(name: str) -> None:
    module = Module.read(name)
    for line in module.text.splitlines():
        if line.startswith("func "):
            item = module.item(line.split()[1])
            assert "function" == item.kind
            assert item.text.startswith(f"// {line.split()[1]} - "), line


def test_a_macro_keeps_the_section_switches_in_its_body() -> None:
    items = cut(".macro func name\n    .text\n.globl \\name\n\\name:\n.endm\n\nfunc a\n    ret\n")
    assert [("macro", ("func",)), ("function", ("a",))] == [(i.kind, i.names) for i in items]


def test_data_is_found_by_each_of_its_names() -> None:
    items = cut("func a\n    ret\n\n// two texts\nrodata\nstring one, \"1\"\ntwo:\n    .quad 2\n")
    assert ("one", "two") == items[1].names
    assert items[1].text.startswith("// two texts\nrodata")


def test_the_first_line_of_a_cell_says_what_it_holds() -> None:
    assert Place("lib/io", "fd_write_all") == place("%%asm lib/io fd_write_all\nx")
    assert Place("lib/io", "") == place("%%asm lib/io\n")
    assert Place("", "mine") == place("%%asm mine\nfunc mine\n")
    assert place("print(1)") is None


def test_a_woven_cell_holds_the_text_of_the_sources() -> None:
    old = "%%asm lib/io fd_write_all\nfunc fd_write_all\n    ret"
    new = weave_cell(old)
    assert "%%asm lib/io fd_write_all" == new.splitlines()[0]
    assert Module.read("lib/io").item("fd_write_all").text == new.split("\n", 1)[1]
    assert new == weave_cell(new)


def test_a_readers_own_cell_is_left_alone() -> None:
    for text in ("%%asm mine\nfunc mine\n    ret", "print('%%asm lib/io x')"):
        assert text == weave_cell(text)


def test_a_wrong_name_is_told_with_the_nearest_one() -> None:
    with pytest.raises(KitError, match="did you mean 'lib/io'"):
        weave_cell("%%asm lib/oi fd_write_all\n")
    with pytest.raises(KitError, match="did you mean 'fd_write_all'"):
        weave_cell("%%asm lib/io fd_writ_all\n")


def test_no_name_leads_out_of_the_sources() -> None:
    for name in ("../../README", "lib/../../pyproject", "/etc/passwd"):
        with pytest.raises(KitError, match="there is no module"):
            Module.read(name)


def test_the_notebooks_are_woven() -> None:
    assert [] == weave(check=True)


def test_weave_repairs_a_cell_and_check_only_reports_it(tmp_path: Path) -> None:
    path = tmp_path / "07-x.ipynb"
    cell = {"cell_type": "code", "id": "ch07-x", "metadata": {}, "outputs": [],
            "execution_count": 1, "source": ["%%asm first/answer start\n", "func start\n"]}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4,
                                "nbformat_minor": 5}))
    was = path.read_text()
    said = weave([path], check=True)
    assert ["07-x.ipynb: cell ch07-x: differs from src/asm (%%asm first/answer start)"] == said
    assert was == path.read_text()
    assert said == weave([path])
    assert [] == weave([path], check=True)
    stored = nb.read(path)["cells"][0]
    assert Module.read("first/answer").item("start").text in nb.source(stored)


# -- the workbench: cells build what the sources build ---------------------------------

@pytest.mark.parametrize("name", list(chapters.load()))
def test_a_notebook_without_changes_builds_the_books_very_file(name: str) -> None:
    assert chapters.build(name).data == Workbench().build(name).data


def test_every_piece_run_unchanged_leaves_every_program_as_it_is() -> None:
    bench = Workbench()
    for name in chapters.load()["cat"].modules:
        module = Module.read(name.replace("platform/", "platform/darwin/"))
        for item in module.items:
            if item.kind in ("function", "data"):
                listing = bench.take_cell(module.name, item.names[0], item.text)
                assert not listing.mark
    assert chapters.build("cat").data == bench.build("cat").data


def test_a_changed_piece_is_used_marked_and_taken_back() -> None:
    bench = Workbench()
    book = Module.read("first/answer").item("start").text
    listing = bench.take_cell("first/answer", "start", book.replace("#42", "#7"))
    assert "NOT THE BOOK'S TEXT" in listing.text()
    built = bench.build("answer")
    assert ("first/answer start",) == built.changed
    assert chapters.build("answer").data != built.data
    assert "NOT THE BOOK'S TEXT" not in bench.take_cell("first/answer", "start", book).text()
    assert chapters.build("answer").data == bench.build("answer").data


def test_a_changed_macro_is_used_by_every_module() -> None:
    bench = Workbench()
    book = Module.read("include/macros.inc").item("carry_clear").text
    bench.take_cell("include/macros.inc", "carry_clear", book.replace(
        "cmn     xzr, xzr", "adds    xzr, xzr, xzr"))
    assert ("include/macros.inc carry_clear",) == bench.build("hello").changed
    # cmn is another name for adds that throws its result away: the same bytes.
    assert chapters.build("hello").data == bench.build("hello").data
    bench.take_cell("include/macros.inc", "carry_clear",
                    book.replace("cmn     xzr, xzr", "nop"))
    assert chapters.build("hello").data != bench.build("hello").data


def test_a_whole_module_can_be_a_cell_and_be_changed() -> None:
    bench = Workbench()
    book = Module.read("lib/io").text
    assert "fd_read_some" in bench.take_cell("lib/io", "", book).text()
    assert chapters.build("hello").data == bench.build("hello").data
    bench.take_cell("lib/io", "", book.replace("carry_clear                     // a signal",
                                               "carry_set                       // a signal"))
    assert ("lib/io",) == bench.build("hello").changed
    macros = Module.read("include/macros.inc").text
    bench.take_cell("lib/io", "", book)
    bench.take_cell("include/macros.inc", "", macros.replace("cmn     xzr, xzr", "nop"))
    assert chapters.build("hello").data != bench.build("hello").data
    bench.take_cell("include/macros.inc", "", macros)
    assert chapters.build("hello").data == bench.build("hello").data


def test_all_names_of_one_piece_of_data_mean_that_piece() -> None:
    bench = Workbench()
    book = Module.read("first/total").item("total_name").text
    bench.take_cell("first/total", "total_too_large", book.replace('"too large"', '"no"'))
    bench.take_cell("first/total", "total_no_number", book.replace('"total"', '"sum"'))
    built = bench.build("total")
    assert ("first/total total_name",) == built.changed
    assert (True, True) == (b"sum\0" in built.data, b"too large" in built.data)
    assert "first/total total_name" in bench.take_back("first/total", "total_too_large").text()
    assert chapters.build("total").data == bench.build("total").data


def test_an_error_points_into_the_cell_by_the_editors_line_number() -> None:
    bench = Workbench()
    book = Module.read("first/answer").item("start").text
    broken = book.replace("mov     x0", "movv    x0")
    line = 2 + broken.splitlines().index("    movv    x0, #42")     # line 1 is the magic
    with pytest.raises(KitError) as caught:
        bench.take_cell("first/answer", "start", broken)
    assert str(caught.value).startswith(f"cell:{line}:5: error: unknown mnemonic 'movv'")
    assert "    movv    x0, #42\n    ^~~~" in str(caught.value)
    assert "hint: did you mean 'mov'?" in str(caught.value)
    assert chapters.build("answer").data == bench.build("answer").data, "nothing is kept"


def test_an_error_behind_the_cell_names_the_file_and_its_line() -> None:
    bench = Workbench()
    text = (asm_root() / "lib" / "io.s").read_text()
    with pytest.raises(KitError) as caught:
        bench.take_cell("lib/io", "fd_write_all",
                        "func fd_write_all\n    ret\nfunc fd_read_some\n    ret\n")
    line = 1 + text.splitlines().index("func fd_read_some")
    assert f"lib/io.s:{line}:" in str(caught.value)
    assert "cell:4:" in str(caught.value), "where it was defined first"
    assert text == (asm_root() / "lib" / "io.s").read_text()


def test_a_free_cell_may_lean_on_the_library() -> None:
    bench = Workbench()
    bench.take_free("shout", "func main\n    stp x29, x30, [sp, #-16]!\n    mov x0, #1\n"
                             "    addr x1, loud\n    mov x2, #loud_len\n    bl fd_write_all\n"
                             "    mov x0, #0\n    ldp x29, x30, [sp], #16\n    ret\n"
                             "rodata\nstring loud, \"HO\\n\"\n")
    names = [made.name for made in bench.build("shout").objects]
    assert {"cell", "lib/io", "platform/darwin/file", "platform/darwin/start"} <= set(names)


def test_a_symbol_that_nobody_defines_is_the_linkers_error_in_the_cell() -> None:
    bench = Workbench()
    bench.take_free("lost", "func main\n    bl nowhere_at_all\n    ret\n")
    with pytest.raises(KitError, match=r"cell:3:\d+: error: .*nowhere_at_all"):
        bench.build("lost")


def test_a_free_cell_leans_on_the_program_that_it_names() -> None:
    bench = Workbench()
    body = "func mine\n    b serve_run\n"
    bench.take_free("mine", body, "serial")
    assert "serve/serial" in [made.name for made in bench.build("mine").objects]
    bench.take_free("mine", body, "children")
    assert "serve/fork" in [made.name for made in bench.build_around("mine").objects]
    with pytest.raises(KitError, match="there is no program 'childern'\nhint: did you mean"):
        bench.take_free("mine", body, "childern")
