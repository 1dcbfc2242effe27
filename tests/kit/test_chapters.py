"""chapters.toml: module lists worked out, programs built, mistakes shown with their line."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.linking import error_of

from ymawky_kit import chapters, macho
from ymawky_kit.asm import ClangEncoder
from ymawky_kit.features import FEATURES
from ymawky_kit.paths import asm_root
from ymawky_kit.source import Source

MODULES = {
    "platform/darwin/start.s": ".globl start\n.p2align 2\nstart:\n    b main\n",
    "first/one.s": '.include "n.inc"\n.globl main\n.p2align 2\nmain:\n    mov x0, #N\n    ret\n',
    "first/two.s": ".globl main\n.p2align 2\nmain:\n    mov x0, #2\n    ret\n",
    "lib/more.s": ".globl more\n.p2align 2\nmore:\n    ret\n",
    "include/n.inc": ".equ N, 1\n",
}
GOOD = """\
[one]
title = "The first"
chapter = "01"
modules = ["platform/start", "first/one"]

[two]
title = "The second"
chapter = "02"
after = "one"
swap = { "first/one" = "first/two" }

[three]
title = "The third"
chapter = "02"
after = "two"
add = ["lib/more"]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    write(tmp_path, GOOD)
    return tmp_path


def write(root: Path, text: str) -> None:
    (root / "chapters.toml").write_text(text)


def test_a_program_is_the_one_before_with_its_changes(root: Path) -> None:
    programs = chapters.load(root)
    assert ["one", "two", "three"] == list(programs)
    assert ("platform/start", "first/one") == programs["one"].modules
    assert ("platform/start", "first/two") == programs["two"].modules
    assert ("platform/start", "first/two", "lib/more") == programs["three"].modules
    assert ("The third", ("02",), "start", "two") == (
        programs["three"].title, programs["three"].chapters, programs["three"].entry,
        programs["three"].after)


def test_a_dropped_module_is_gone(root: Path) -> None:
    write(root, GOOD + '[four]\ntitle = "4"\nafter = "three"\ndrop = ["lib/more"]\n')
    assert ("platform/start", "first/two") == chapters.load(root)["four"].modules


def test_entry_and_identifier_are_taken_over(root: Path) -> None:
    keys = 'entry = "main"\nidentifier = "server"\n[two]'
    write(root, GOOD.replace("[two]", keys))
    programs = chapters.load(root)
    assert ("main", "server") == (programs["three"].entry, programs["three"].identifier)
    image = chapters.build("three", root=root).image
    assert ("server", image.address_of("main")) == (image.identifier, image.entry)


def test_a_program_may_come_before_the_one_it_is_made_from(root: Path) -> None:
    write(root, '[early]\ntitle = "e"\nafter = "one"\nadd = ["lib/more"]\n' + GOOD)
    programs = chapters.load(root)
    assert ["early", "one", "two", "three"] == list(programs)
    assert ("platform/start", "first/one", "lib/more") == programs["early"].modules


@pytest.mark.parametrize(("name", "found"), [
    ("one", "one"), ("01", "one"), ("1", "one"), ("02", "three"), ("2", "three"), (None, "three")])
def test_programs_are_found_by_name_chapter_or_as_the_last(
        name: str | None, found: str, root: Path) -> None:
    assert found == chapters.find(name, root).name


def test_chapters_may_share_a_program(root: Path) -> None:
    """One of them may have a later program of its own, which is its main one then."""
    write(root, GOOD.replace('chapter = "01"', 'chapter = ["00", "01", "02"]'))
    assert ("00", "01", "02") == chapters.load(root)["one"].chapters
    assert ["one", "one", "three"] == [chapters.find(n, root).name for n in ("0", "01", "02")]
    assert "chapters: 00, 01, 02" in error_of(lambda: chapters.find("77", root))


def test_every_chapter_of_the_book_has_its_program() -> None:
    """Chapter 03 takes the first program apart that chapter 02 made."""
    named = {number for program in chapters.load().values() for number in program.chapters}
    assert {f"{n:02}" for n in range(12)} <= named
    assert ["cat", "hello"] == [chapters.find(number).name for number in ("02", "03")]
    assert list(chapters.load())[-1] == chapters.find("00").name, "00 shows the finished server"


@pytest.mark.parametrize(("name", "hint"), [
    ("thre", "did you mean 'three'?"), ("77", "programs: one, two, three; chapters: 01, 02")])
def test_an_unknown_program_lists_what_there_is(name: str, hint: str, root: Path) -> None:
    text = error_of(lambda: chapters.find(name, root))
    assert f"there is no program or chapter '{name}'" in text
    assert hint in text


def test_a_program_is_assembled_linked_and_signed(root: Path) -> None:
    built = chapters.build("two", root=root)
    assert () == macho.check(built.data)
    assert ["platform/start", "first/two"] == [module.name for module in built.objects]
    assert "two" == built.image.identifier
    assert built.image.address_of("start") == built.image.entry


def test_the_same_sources_give_the_same_bytes(root: Path) -> None:
    first = chapters.build("one", root=root).data
    chapters._assembled.clear()
    assert first == chapters.build("one", root=root).data


def test_only_an_edited_module_is_assembled_again(root: Path) -> None:
    before = chapters.build("three", root=root).objects
    (root / "lib/more.s").write_text(MODULES["lib/more.s"] + "    nop\n")
    after = chapters.build("three", root=root).objects
    assert [True, True, False] == [one is two for one, two in zip(before, after, strict=True)]


def test_a_changed_include_file_is_noticed(root: Path) -> None:
    before = chapters.build("one", root=root).data
    (root / "include/n.inc").write_text(".equ N, 9\n")
    assert before != chapters.build("one", root=root).data


def test_a_cell_may_replace_a_module(root: Path) -> None:
    cell = Source("cell 3", ".globl main\n.p2align 2\nmain:\n    mov x0, #3\n    ret\n")
    head = Source("one.s", "// head\n")
    built = chapters.build("one", overrides={"first/one": [head, cell]}, root=root)
    assert "cell 3" in {line.span.source.name for line in built.image.lines}
    assert built.data != chapters.build("one", root=root).data


def test_a_replacement_for_no_module_is_an_error(root: Path) -> None:
    text = error_of(lambda: chapters.build(
        "one", overrides={"first/on": Source("cell 1", "")}, root=root))
    assert "program 'one' has no module 'first/on'" in text
    assert "did you mean 'first/one'?" in text


def test_errors_of_all_modules_come_together(root: Path) -> None:
    (root / "first/two.s").write_text("    movv x0, #1\n")
    (root / "lib/more.s").write_text("    addd x0, x0, #1\n")
    text = error_of(lambda: chapters.build("three", root=root))
    assert "first/two.s:1:5: error" in text and "lib/more.s:1:5: error" in text


def test_a_missing_symbol_names_the_module_that_defines_it(root: Path) -> None:
    (root / "first/two.s").write_text(".globl main\n.p2align 2\nmain:\n    bl more\n    ret\n")
    text = error_of(lambda: chapters.build("two", root=root))
    assert "no module defines 'more', which first/two needs" in text
    assert "hint: lib/more defines it: add that module to the program" in text


def test_a_mistake_in_a_replaced_cell_points_into_the_cell(root: Path) -> None:
    cell = Source("cell 7", "    movv x0, #1\n")
    text = error_of(lambda: chapters.build("one", overrides={"first/one": cell}, root=root))
    assert "cell 7:1:5: error" in text


def test_a_missing_file_is_shown_where_it_is_listed(root: Path) -> None:
    write(root, GOOD.replace('"lib/more"', '"lib/mor"'))
    text = error_of(lambda: chapters.build("three", root=root))
    assert "program 'three' lists module 'lib/mor', but there is no file lib/mor.s" in text
    assert "chapters.toml:16:9" in text
    assert "did you mean 'lib/more'?" in text


def test_a_missing_platform_file_is_named_with_its_platform(root: Path) -> None:
    write(root, GOOD.replace('"platform/start"', '"platform/strat"'))
    text = error_of(lambda: chapters.build("one", root=root))
    assert "there is no file platform/darwin/strat.s" in text
    assert "did you mean 'platform/start'?" in text


@pytest.mark.parametrize(("text", "message", "where", "hint"), [
    ('[a]\ntitle = "x"\nafter = "a"\n',
     "programs that come after each other: a -> a", "chapters.toml:3:1", "its own list"),
    ('[a]\ntitle = "x"\nafter = "b"\n[b]\ntitle = "y"\nafter = "a"\n',
     "programs that come after each other: a -> b -> a", "chapters.toml:3:1", "its own list"),
    (GOOD + '[x]\ntitle = "x"\nafter = "onee"\n',
     "there is no program 'onee' to come after", "chapters.toml:19:10", "did you mean 'one'?"),
    (GOOD + '[x]\ntitle = "x"\nafter = "one"\nswap = { "lib/mor" = "first/two" }\n',
     "program 'x' changes module 'lib/mor', which it does not have", "chapters.toml:20:11",
     "at this point it has: platform/start, first/one"),
    (GOOD + '[x]\ntitle = "x"\nafter = "one"\ndrop = ["first/on"]\n',
     "program 'x' changes module 'first/on'", "chapters.toml:20:10", "did you mean 'first/one'?"),
    (GOOD + '[x]\ntitle = "x"\nafter = "one"\nadd = ["first/one"]\n',
     "program 'x' has module 'first/one' twice", "chapters.toml:20:9", ""),
    ('[x]\ntitle = "x"\n', "program 'x' has neither 'modules' nor 'after'",
     "chapters.toml:1:2", ""),
    (GOOD + '[x]\ntitle = "x"\nafter = "one"\nmodules = ["lib/more"]\n',
     "program 'x' has both 'modules' and 'after'", "chapters.toml:20:1", "swap, add, drop"),
    ('[x]\ntitle = "x"\nmodules = ["a"]\nswap = { "a" = "b" }\n',
     "program 'x' changes a program without naming it", "chapters.toml:4:1", "after"),
    ('[x]\nmodules = ["a"]\n', "program 'x' has no title", "chapters.toml:1:2", ""),
    ('[x]\ntitel = "x"\n', "program 'x' has an unknown key 'titel'", "chapters.toml:2:1",
     "did you mean 'title'?"),
    ('[x]\ntitle = 7\n', "'title' of program 'x' is not text", "chapters.toml:2:1", ""),
    ('[x]\ntitle = "x"\nchapter = 3\n',
     "'chapter' of program 'x' is not text or a list of text", "chapters.toml:3:1",
     'for a program that chapters share: ["02", "03"]'),
    ('[x]\ntitle = "x"\nchapter = ["02", 3]\n',
     "'chapter' of program 'x' is not text or a list of text", "chapters.toml:3:1", '["02", "03"]'),
    ('[x]\ntitle = "x"\nchapter = ["02", "3"]\n',
     "'3' is not the number of a chapter", "chapters.toml:3:19", 'two digits: "06"'),
    ('[x]\ntitle = "x"\nchapter = ["02", "02"]\n',
     "program 'x' names chapter '02' twice", "chapters.toml:3:13", ""),
    ('[x]\ntitle = "x"\nmodules = "a"\n', "'modules' of program 'x' is not a list of text",
     "chapters.toml:3:1", ""),
    ('[x]\ntitle = "x"\nmodules = ["../../etc/passwd"]\n',
     "'../../etc/passwd' is not the name of a module", "chapters.toml:3:", "lib/number"),
    ('x = 1\n', "'x' is not a table", "chapters.toml:1:1", "[x]"),
    ('', "chapters.toml lists no program", "", "[hello]"),
    ('[x]\ntitle = x"\n', "Invalid value", "chapters.toml:2:9", "toml.io"),
    ('[x]\ntitle = "x"\n[x]\n', "Cannot declare", "chapters.toml:3:3", "toml.io"),
    ('[x]\ntitle = "x', "Unterminated string", "chapters.toml:2:", "toml.io"),
])
def test_a_mistake_in_the_file_is_shown_with_its_line(
        text: str, message: str, where: str, hint: str, root: Path) -> None:
    write(root, text)
    shown = error_of(lambda: chapters.load(root))
    assert message in shown
    assert where in shown
    assert hint in shown


def test_a_missing_chapters_file_is_an_error(tmp_path: Path) -> None:
    assert "chapters.toml: No such file" in error_of(lambda: chapters.load(tmp_path))


@pytest.mark.parametrize("name", chapters.load())
def test_every_program_of_the_book_is_one_that_macos_would_run(name: str) -> None:
    assert () == macho.check(chapters.build(name).data)


def test_every_module_belongs_to_a_program() -> None:
    listed = {module for program in chapters.load().values() for module in program.modules}
    files = {path.relative_to(asm_root()).with_suffix("").as_posix()
             for path in asm_root().rglob("*.s")}
    files = {name.replace("platform/darwin/", "platform/") for name in files
             if not name.startswith("platform/linux/")}
    assert set() == files - listed


@pytest.mark.parametrize("name", chapters.load())
def test_both_encoders_give_the_same_bytes(name: str, clang: ClangEncoder) -> None:
    assert chapters.build(name).data == chapters.build(name, encoder=clang).data


@pytest.fixture(scope="module")
def clang() -> ClangEncoder:
    return ClangEncoder()


def test_another_process_gives_the_same_bytes() -> None:
    """Sets and dictionaries of text are ordered otherwise there."""
    code = ("import hashlib; from ymawky_kit import chapters;"
            "print(hashlib.sha256(chapters.build().data).hexdigest())")
    digests = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                       env={**os.environ, "PYTHONHASHSEED": seed}).stdout.strip()
        for seed in ("1", "2")
    }
    assert {hashlib.sha256(chapters.build().data).hexdigest()} == digests


def test_building_the_server_again_takes_less_than_a_tenth_of_a_second() -> None:
    chapters.build()
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        chapters.build()
        best = min(best, time.perf_counter() - start)
    assert best < 0.1


# --- what a program can do -------------------------------------------------------------

FEATURED = GOOD.replace('after = "one"', 'after = "one"\nfeatures = ["cat"]\nwithout = ["hello"]')
FEATURED = FEATURED.replace('title = "The first"', 'title = "The first"\nfeatures = ["hello"]')


def test_features_add_up_and_some_end(root: Path) -> None:
    write(root, FEATURED)
    assert [("hello",), ("cat",), ("cat",)] == [p.features for p in chapters.load(root).values()]


@pytest.mark.parametrize(("old", "new", "message", "hint"), [
    ('["cat"]', '["cats"]', "there is no feature 'cats'", "did you mean 'cat'?"),
    ('["cat"]', '["zzzzzz"]', "there is no feature 'zzzzzz'", "the features are answer, hello"),
    ('["cat"]', '["cat", "cat"]', "has feature 'cat' twice", ""),
    ('without = ["hello"]', 'without = ["total"]', "loses feature 'total', which it does not have",
     "at this point it has: hello"),
    ('["cat"]', '"cat"', "'features' of program 'two' is not a list of text", ""),
])
def test_a_wrong_feature_is_shown_with_its_line(
        old: str, new: str, message: str, hint: str, root: Path) -> None:
    write(root, FEATURED.replace(old, new))
    text = error_of(lambda: chapters.load(root))
    assert message in text
    assert hint in text
    assert "chapters.toml:" in text and "^" in text


def test_every_feature_is_one_that_a_program_of_the_book_has() -> None:
    have = {feature for program in chapters.load().values() for feature in program.features}
    assert set(FEATURES) == have
