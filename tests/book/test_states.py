"""Every state that a notebook puts the server's sources into assembles, links and is signed.

And a notebook runs alone: none needs what another one did.
"""

from __future__ import annotations

import ast
import copy
import re
import time
from pathlib import Path
from typing import Any

import pytest
from support.states import Followed, follow, plain

from ymawky_kit import macho
from ymawky_kit.lab import notebook as nb

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: Processor time that following a notebook may take; all together stay below 15 s.
SECONDS = 3.0


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_state_of_a_notebook_is_good(path: Path) -> None:
    began = time.process_time()
    done = follow(path)
    assert [] == done.faults
    assert done.builds > 0, "a chapter builds its program"
    assert time.process_time() - began < SECONDS


def test_states_are_seen_at_all() -> None:
    """Counted by hand in a chapter that edits three times, and in chapter 00."""
    chapter = {path.name[:2]: path for path in NOTEBOOKS}
    asm = [sum(nb.source(c).startswith("%%asm") and "raises-exception" not in c["metadata"].get(
        "tags", []) for c in nb.code_cells(nb.read(path))) for path in NOTEBOOKS]
    assert follow(chapter["00"]).states == asm[0] + 2       # edit, %reset_server
    assert follow(chapter["02"]).states == asm[2] + 4       # edit, undo, edit, undo


# -- a notebook with one mistake planted ------------------------------------------------------

def cell(ident: str, text: str, *tags: str) -> dict[str, Any]:
    return {"cell_type": "code", "id": f"ch09-{ident}", "metadata": {"tags": list(tags)},
            "source": text, "outputs": [], "execution_count": 1}


GOOD = [
    cell("load", "%load_ext ymawky_kit.lab"),
    cell("imports", "from ymawky_kit.lab import build, call, edit, run, serve, show, undo, watch"),
    cell("mine", "%%asm mine\nfunc main\n    mov x0, #1\n    ret"),
    cell("edit", "old = '#42'\nedit('first/answer', 'start', old, old[:2] + '3')"),
    cell("build", "answer = build('answer')\nrun(answer)"),
    cell("reset", "%reset_server first/answer start"),
    cell("loop", "for name in ('hello', 'mine'):\n    run(build(name))"),
]


def after(*cells: dict[str, Any]) -> Followed:
    book = {"cells": copy.deepcopy([*GOOD, *cells]), "metadata": {}, "nbformat": 4}
    return follow(Path("09-x.ipynb"), book)


def test_a_good_notebook_has_no_fault() -> None:
    done = after()
    assert ([], 3, 3) == (done.faults, done.states, done.builds)


@pytest.mark.parametrize(("cells", "said"), [
    ([cell("x", "%%asm mine\nfunc main\n    movv x0, #1")], "ch09-x: .*unknown mnemonic"),
    ([cell("x", "%%asm lib/io no_such\nfunc no_such\n    ret")], "ch09-x: .*no function or data"),
    ([cell("x", "edit('first/answer', 'start', '#41', '#43')")], "ch09-x: .*holds that text 0 t"),
    ([cell("x", "edit('first/answer', 'start', 'mov ', 'movv')")], "ch09-x: .*unknown mnemonic"),
    ([cell("x", "edit('first/answer', 'start', 'sys     exit', 'bl      nowhere')"),
      cell("y", "run(build('answer'))")], "ch09-y: .*nowhere"),
    ([cell("x", "build('no_such')")], "ch09-x: .*there is no program"),
    ([cell("x", "%%asm mine\nfunc main\n    bl nobody\n    ret"), cell("y", "build('mine')")],
     "ch09-y: .*nobody"),
    ([cell("x", "call('no_such', 1)")], "ch09-x: .*no module defines 'no_such'"),
    ([cell("x", "serve({}, 'no_such')")], "ch09-x: .*there is no program"),
    ([cell("x", "watch({}, '/', 'no_such')")], "ch09-x: .*there is no program"),
    ([cell("x", "watch({}, program='no_such')")], "ch09-x: .*there is no program"),
    ([cell("x", "[build(n) for n in ('cat', 'no_such')]")], "ch09-x: .*there is no program"),
    ([cell("x", "def f(n, m='cat'):\n    return build(m), build(n)\nf('no_such')")],
     "ch09-x: .*there is no program"),
    ([cell("x", "with serve({}) as site:\n    build('no_such')")], "ch09-x: .*no program"),
    ([cell("x", "%reset_server lib/oi")], "ch09-x: .*there is no module"),
    ([cell("x", "undo('lib/oi')")], "ch09-x: .*there is no module"),
    ([cell("x", "%%asm mine\nfunc main\n    ret", "raises-exception")], "ch09-x: is tagged"),
    ([cell("x", "build('answer')", "raises-exception")], "ch09-x: is tagged"),
    ([cell("x", "build(run(answer).name)")], "ch09-x: cannot be followed"),
    ([cell("x", "for n in call('start'):\n    build(n)")], "ch09-x: cannot be followed"),
    ([cell("x", "while True:\n    build('cat')")], "ch09-x: cannot be followed"),
    ([cell("x", "if run(answer):\n    undo()")], "ch09-x: cannot be followed"),
    ([cell("x", "f = lambda: undo()")], "ch09-x: cannot be followed"),
    ([cell("x", "%%bash\nls")], "ch09-x: cannot be followed"),
    ([cell("x", "for n in ('a', 'b'):\n    get_ipython().run_cell_magic("
                "'asm', f'{n} cat', f'func {n}\\n    b fd_{n}')\ncall('b')")], "ch09-x: .*fd_b"),
    ([cell("x", "get_ipython().run_cell_magic('asm', 'a', run(answer))")],
     "ch09-x: cannot be followed"),
    ([cell("x", "while True:\n    get_ipython().run_cell_magic('asm', 'a', '')")],
     "ch09-x: cannot be followed"),
])
def test_a_planted_bad_state_is_found(cells: list[dict[str, Any]], said: str) -> None:
    faults = after(*cells).faults
    assert 1 == len(faults)
    assert re.match(said, faults[0], re.DOTALL), faults


@pytest.mark.parametrize("cells", [
    [cell("x", "%%asm mine\nfunc main\n    movv x0, #1", "raises-exception")],
    [cell("x", "build('no_such')", "raises-exception")],
    [cell("x", "call('start', limit=3)", "raises-exception")],     # raises when it runs
    [cell("x", "text = show('first/answer', 'start').code\n"
               "edit('first/answer', 'start', text, text.replace('42', '7'))"),
     cell("y", "undo()\nbuild('answer')")],
    [cell("x", "build('hello', swap={'first/hello': 'mine'})")],
    [cell("x", "for n in ('read', 'write'):\n    get_ipython().run_cell_magic("
               "'asm', f'{n} cat', 'func {0}\\n    b fd_{0}'.format(n))\ncall('write')")],
])
def test_what_is_meant_is_no_fault(cells: list[dict[str, Any]]) -> None:
    assert [] == after(*cells).faults


def test_a_file_that_macos_would_refuse_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = macho.check(b"\0" * 64)[0]
    monkeypatch.setattr(macho, "check", lambda data: (problem,))
    assert [f"ch09-{name}" for name in ("build", "loop")] == [
        fault.split(":")[0] for fault in after().faults]
    assert "would not run" in after().faults[0]


# -- alone -----------------------------------------------------------------------------------

_LEFT_OVER = re.compile(r"^[ \t]*(?:!|%(?:store|run|cd)\b|%%(?:writefile|file|bash|sh)\b)", re.M)
_WRITES = frozenset({"write_text", "write_bytes", "touch", "mkdir", "symlink_to"})
_READS = frozenset({"read_text", "read_bytes", "exists", "is_file", "iterdir", "stat"})


def needs_others(notebook: nb.Notebook) -> list[str]:
    """What makes a notebook depend on another one, or on the order they are run in."""
    found = []
    written: set[str] = set()
    cells = list(nb.code_cells(notebook))
    if nb.source(cells[0]).strip() != "%load_ext ymawky_kit.lab":
        found.append(f"{cells[0]['id']}: the first cell does not load the kit")
    for one in cells:
        text = nb.source(one)
        if _LEFT_OVER.search(text):
            found.append(f"{one['id']}: a magic that leaves something behind")
        if text.startswith("%%"):
            continue
        for node in ast.walk(ast.parse(plain(text))):
            if not isinstance(node, ast.Call):
                continue
            name, writes = _file(node)
            if name is not None and writes:
                written.add(name)
            elif name is not None and name not in written:
                found.append(f"{one['id']}: reads '{name}', which no cell above has written")
    return found


def _file(node: ast.Call) -> tuple[str | None, bool]:
    """The file that a call of open(...) or Path(...).method() names, and whether it writes it."""
    def literal(call: ast.Call) -> str | None:
        first = call.args[0] if call.args else None
        return first.value if isinstance(first, ast.Constant) and isinstance(
            first.value, str) else None

    match node.func:
        case ast.Name(id="open"):
            modes = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "mode")]
            mode = modes[0].value if modes and isinstance(modes[0], ast.Constant) else "r"
            return literal(node), any(letter in str(mode) for letter in "wax")
        case ast.Attribute(value=ast.Call(func=ast.Name(id="Path")) as inner, attr=attr):
            if attr in _WRITES | _READS:
                return literal(inner), attr in _WRITES
    return None, False


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_alone(path: Path) -> None:
    assert [] == needs_others(nb.read(path))


@pytest.mark.parametrize(("text", "said"), [
    ("open('x').read()", "reads 'x'"), ("Path('x').read_bytes()", "reads 'x'"),
    ("data = open('y', 'w')\nopen('x', mode='rb')", "reads 'x'"), ("%store answer", "magic"),
    ("!ls", "magic"), ("%%writefile x\n1", "magic"), ("%cd ..", "magic"),
])
def test_a_notebook_that_leans_on_another_is_found(text: str, said: str) -> None:
    (fault,) = needs_others({"cells": [*GOOD, cell("x", text)]})
    assert fault.startswith("ch09-x: ") and said in fault
    assert [] == needs_others({"cells": [*GOOD, cell("x", "open('x', 'w')"),
                                         cell("y", "open('x').read()")]})
    (fault,) = needs_others({"cells": GOOD[1:]})
    assert "does not load the kit" in fault
