"""The appendices for looking up: nothing that the book uses is missing, everything in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from support.answers import solutions

from ymawky_kit.lab import notebook as nb

ROOT = Path(__file__).resolve().parents[2]
APPENDIX = ROOT / "book" / "appendix"
#: The instructions whose last operand is a condition.
SELECTS = {"csel", "cset", "cinc", "cneg", "ccmp"}
#: Spelled wrong on purpose, to show what the assembler says.
MISTAKES = {"movv"}


def assembly() -> Iterator[str]:
    """All assembly that a reader meets: the sources, the notebooks, the solutions."""
    for path in sorted((ROOT / "src" / "asm").rglob("*")):
        if path.suffix in {".s", ".inc"}:
            yield path.read_text(encoding="utf-8")
    fence = r"^```(?:\{code-block\} )?arm64\n(.*?)^```"
    for path in nb.paths():
        for cell in nb.read(path)["cells"]:
            text = nb.source(cell)
            if cell["cell_type"] == "code" and text.startswith("%%asm"):
                yield text.partition("\n")[2]
            elif cell["cell_type"] == "markdown":
                yield from re.findall(fence, text, re.M | re.S)
    yield from re.findall(fence, (APPENDIX / "solutions.md").read_text(encoding="utf-8"),
                          re.M | re.S)


def statements() -> Iterator[tuple[str, str]]:
    """The first word of each line and the rest; without comments, texts and labels."""
    for text in assembly():
        for line in text.splitlines():
            code = re.sub(r'"(?:\\.|[^"\\])*"', '""', line).partition("//")[0]
            code = re.sub(r"^\s*[\\\w.$]+:", "", code).strip()
            if code:
                word, _, rest = code.partition(" ")
                yield word, rest.strip()


def explained() -> set[str]:
    """What the first columns of the appendix's tables name."""
    text = (APPENDIX / "aarch64.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (.*?) \|", text, re.M)
    return {span.split()[0] for cell in cells for span in re.findall(r"`([^`]+)`", cell)}


def test_every_instruction_directive_and_macro_is_in_the_appendix() -> None:
    used = {word for word, _ in statements()} - MISTAKES
    assert len(used) > 70
    named = {word for word in used if not word.startswith("b.")}
    assert set() == named - explained()


def test_every_condition_is_in_the_appendix() -> None:
    used = {word[2:] for word, _ in statements() if word.startswith("b.")}
    used |= {rest.rpartition(",")[2].strip() for word, rest in statements() if word in SELECTS}
    assert len(used) > 7
    assert set() == used - explained()


def glossary() -> list[str]:
    text = (APPENDIX / "glossary.md").read_text(encoding="utf-8")
    return re.findall(r"^(\w.*)$", text.partition("```{glossary}\n")[2], re.M)


def test_the_glossary_is_sorted_and_has_each_term_once() -> None:
    terms = [term.lower() for term in glossary()]
    assert sorted(set(terms)) == terms


def test_solutions_stand_in_the_order_of_the_exercises() -> None:
    order = []
    for path in nb.paths():
        for cell in nb.read(path)["cells"]:
            if cell["cell_type"] == "code":
                order += re.findall(r'^check\("(\w+)"', nb.source(cell), re.M)
    assert order == list(solutions())
    headings = re.findall(r"^## Chapter (\d\d)$",
                          (APPENDIX / "solutions.md").read_text(encoding="utf-8"), re.M)
    assert sorted(headings) == headings
