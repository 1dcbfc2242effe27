"""Include files that are read once for all modules: nobody can tell the difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from ymawky_kit import chapters
from ymawky_kit.asm import assemble_all
from ymawky_kit.asm.first_pass import Assembly
from ymawky_kit.paths import asm_root
from ymawky_kit.source import KitError, Source

HEADER = """// h.inc - constants
.equ ONE, 1
.equ TWO, ONE + 1           // made of the one before
.macro twice name
    .equ \\name, 2 * \\name
    nop
.endm
"""


def outcome(modules, include):
    """The object files, or what is said instead."""
    try:
        return assemble_all(modules, include=include)
    except KitError as error:
        return str(error)


def both(modules, include, monkeypatch):
    """With headers, and line by line; and how many headers were taken."""
    taken = []
    take = Assembly.take

    def counted(self, header):
        taken.append(take(self, header))
        return taken[-1]

    with monkeypatch.context() as patch:
        patch.setattr(Assembly, "take", counted)
        quick = outcome(modules, include)
    with monkeypatch.context() as patch:
        patch.setattr(Assembly, "take", lambda self, header: False)
        slow = outcome(modules, include)
    return quick, slow, sum(taken)


def test_our_own_modules_come_out_the_same(monkeypatch):
    root = asm_root()
    names = {m: p for p in chapters.load().values() for m in p.modules}
    modules = [(name, [Source.read(program.path(name, root), name)])
               for name, program in names.items()]
    quick, slow, taken = both(modules, chapters.include_paths(), monkeypatch)
    assert not isinstance(quick, str)
    assert quick == slow
    assert taken > 200


@pytest.mark.parametrize("first", [
    "mov x0, #TWO\n",
    ".set ONE, 5\nmov x0, #(ONE + TWO)\n",          # its own value from here on
    ".globl TWO\n",
    "twice ONE\nmov x0, #ONE\n",
    "ONE: nop\n",                                   # defined twice
    ".equiv TWO, 3\n",
    ".equ TWO, later\nlater: nop\n",
    ".purgem twice\ntwice ONE\n",
    "mov x0, #THREE\n",
    ".byte ONF\n",                                  # what is meant is still found
    '.include "h.inc"\n',                           # again: a macro defined twice
])
def test_what_one_module_does_to_a_header_is_its_own_affair(tmp_path: Path, monkeypatch, first):
    (tmp_path / "h.inc").write_text(HEADER)
    include = '.include "h.inc"\n'
    modules = [("a.s", [Source("a.s", include + first)]),
               ("b.s", [Source("b.s", include + "mov x1, #ONE\nmov x2, #TWO\ntwice TWO\n")])]
    quick, slow, taken = both(modules, [tmp_path], monkeypatch)
    assert quick == slow
    assert taken >= 2


@pytest.mark.parametrize("before", [
    "ONE: nop\n", ".globl ONE\n", ".byte ONE\n", ".equ ONE, 7\n", ".quad TWO\n",
    ".macro .equ name, value:vararg\n.set \\name, 9\n.endm\n", ".macro twice\n.endm\n",
    ".macro outer\n.include \"h.inc\"\n.endm\nouter\n", ".if 0\n",
])
def test_what_stands_before_a_header_is_seen_by_it(tmp_path: Path, monkeypatch, before):
    (tmp_path / "h.inc").write_text(HEADER)
    text = before + '.include "h.inc"\nmov x1, #ONE\n' + (".endif\n" if ".if" in before else "")
    quick, slow, _ = both([("a.s", [Source("a.s", text)])], [tmp_path], monkeypatch)
    assert quick == slow


@pytest.mark.parametrize("text", [
    ".byte 1\n", "label:\n", ".equ A, B\n", ".equ A, later\nlater:\n", ".equ A, . - 4\n",
    ".if 1\n.equ A, 1\n.endif\n", ".equ A, 1 %% nop\n", ".equ A, 1 1\n", "A = 1\n", "?\n",
    ".macro m\nnop\n", ".macro m\n.macro n\n.endm\n.endm\n", ".endm\n", ".macro m\n.endm\nm\n",
    ".equ x0, 1\n", "/* never closed\n", '.include "other.inc"\n', ".data\n", ".equiv A, 1\n",
    "", "// nothing\n", "#line 1\n",
])
def test_whatever_a_file_holds_both_ways_agree(tmp_path: Path, monkeypatch, text):
    (tmp_path / "h.inc").write_text(text)
    (tmp_path / "other.inc").write_text(".equ OTHER, 3\n")
    modules = [(f"{n}.s", [Source(f"{n}.s", '.include "h.inc"\n.equ B, 4\nnop\n' * (n + 1))])
               for n in range(2)]
    quick, slow, _ = both(modules, [tmp_path], monkeypatch)
    assert quick == slow
