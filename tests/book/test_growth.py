"""The page of how the programs grow: true, the same every time, and counted a second time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import lief
import pytest
from support.server import by_process, parse, serving

from ymawky_kit import chapters
from ymawky_kit.lab import growth, regen
from ymawky_kit.lab.drive import step
from ymawky_kit.lab.growth import Measured
from ymawky_kit.lab.look import build
from ymawky_kit.paths import asm_root

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def measured() -> list[Measured]:
    began = time.process_time()
    found = growth.measure()
    assert time.process_time() - began < 10
    return found


def one(measured: list[Measured], name: str) -> Measured:
    return next(found for found in measured if found.program.name == name)


def test_the_page_says_what_is_measured_now(measured: list[Measured]) -> None:
    assert growth.markdown(measured) == (ROOT / growth.PAGE).read_text(encoding="utf-8")


def test_regen_finds_a_number_that_is_no_longer_true(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And writes it, unless it only checks; with a notebook's name the page is left alone."""
    page = tmp_path / "growth.md"
    page.write_text("2 instructions\n")
    monkeypatch.setattr(growth, "PAGE", str(page))
    monkeypatch.setattr(growth, "markdown", lambda: "3 instructions\n")
    monkeypatch.setattr(regen.nb, "paths", lambda chosen: [])
    assert [] == regen.regen(pages=False)
    said = ["growth.md: its numbers differ from what is measured now"]
    assert said == regen.regen(check=True)
    assert "2 instructions\n" == page.read_text()
    assert said == regen.regen()
    assert ("3 instructions\n", []) == (page.read_text(), regen.regen(check=True))


def test_another_process_measures_the_same() -> None:
    code = "from ymawky_kit.lab import growth; print(growth.markdown(), end='')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT,
                          env={**os.environ, "PYTHONHASHSEED": "7"}, timeout=60)
    assert (ROOT / growth.PAGE).read_bytes() == done.stdout


def test_a_program_is_counted_a_second_time_by_other_means(measured: list[Measured]) -> None:
    """Lines by a pattern, bytes by LIEF, instructions by stepping through them."""
    found = one(measured, "hello")
    files = ["platform/darwin/start.s", "platform/darwin/file.s", "lib/io.s", "first/hello.s"]
    text = "".join((asm_root() / name).read_text() for name in files)
    assert len(re.findall(r"^ *//.*$", text, re.M)) == found.comment_lines
    assert len(re.findall(r"^ *[^/\s]", text, re.M)) == found.code_lines
    assert len(re.findall(r"^func ", text, re.M)) == found.functions
    data = chapters.build("hello").data
    assert len(data) == found.size
    binary = lief.MachO.parse(list(data))
    assert binary is not None
    sizes = {section.name: section.size for section in binary.at(0).sections}
    assert sizes.pop("__text") == 4 * found.instructions
    assert sum(sizes.values()) == found.data
    assert len(step(build("hello")).steps) == found.run.instructions
    assert 2 == found.run.calls         # write and exit, as chapter 02 shows


def test_zeroed_memory_is_what_lief_sees_of_cat(measured: list[Measured]) -> None:
    binary = lief.MachO.parse(list(chapters.build("cat").data))
    assert binary is not None
    sizes = {section.name: section.size for section in binary.at(0).sections}
    assert sizes["__bss"] == one(measured, "cat").zeroed == 65536


def test_a_get_costs_what_the_cost_tests_count(
        measured: list[Measured], tmp_path: Path) -> None:
    """Those count the second of two requests, from the log of another run."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "1k.bin").write_bytes(bytes(1024))
    with serving(tree, tmp_path, trace=True) as server:
        for _ in range(2):
            reply = parse(server.raw(growth.HEAD))
            assert (200, 1024) == (reply.status, len(reply.body))
            assert [] == server.settle()
        calls = by_process(server.process.trace())
    accepts = [at for at, event in enumerate(calls[1]) if event.name == "accept"]
    parent = calls[1][accepts[0] + 1:accepts[1] + 1]
    child = calls[3][1:]                            # the fork itself is the parent's
    found = measured[-1]                            # what `serving` starts: the newest program
    assert found.parent is not None
    assert (len(child), len(parent)) == (found.run.calls, found.parent.calls)
    assert (sum(e.instructions for e in child), sum(e.instructions for e in parent)) == (
        found.run.instructions, found.parent.instructions)


def test_every_program_of_the_book_is_on_the_page(measured: list[Measured]) -> None:
    assert list(chapters.load()) == [found.program.name for found in measured]
    page = (ROOT / growth.PAGE).read_text(encoding="utf-8")
    for found in measured:
        assert page.count(f"| `{found.program.name}") >= 3


def test_what_changes_from_one_program_to_the_next(measured: list[Measured]) -> None:
    """Done to the list before, the changes give the list of the next program."""
    modules: list[str] = []
    for found in measured:
        for change in found.changes:
            names = re.findall(r"`([\w/]+)`", change)
            if "→" in change:
                modules[modules.index(names[0])] = names[1]
            elif change.startswith("+"):
                modules.append(names[0])
            else:
                modules.remove(names[0])
        assert sorted(found.program.modules) == sorted(modules), found.program.name
    assert "`first/hello` → `first/cat`" in one(measured, "cat").changes


def test_the_picture_says_in_words_what_it_shows(measured: list[Measured]) -> None:
    picture = ElementTree.fromstring(growth.picture(measured))
    said = picture.attrib["aria-label"]
    for found in measured:
        assert f"{found.program.name} {found.instructions:,}" in said
    _, _, width, height = map(int, picture.attrib["viewBox"].split())
    for box in picture.iter("rect"):
        assert int(box.attrib["x"]) + int(box.attrib["width"]) < width
        assert int(box.attrib["y"]) + int(box.attrib["height"]) <= height
    assert not re.search(r"#[0-9a-f]{3,6}\b|rgb|style=", growth.picture(measured)), (
        "colours are the theme's, for light and dark")


def test_a_changed_number_changes_the_page(measured: list[Measured]) -> None:
    stored = growth.markdown(measured)
    first = measured[0]
    for field in ("code_lines", "comment_lines", "functions", "instructions", "data", "zeroed",
                  "size"):
        other = replace(first, **{field: getattr(first, field) + 1})
        assert growth.markdown([other, *measured[1:]]) != stored, field
