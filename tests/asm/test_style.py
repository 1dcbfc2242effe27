"""The rules of the style guide that a program can check."""

from __future__ import annotations

import re

import pytest
from support.contract import Contract, contracts, everything, modules, path_of, registers

from ymawky_kit import chapters
from ymawky_kit.paths import asm_root, checkout

CONTRACTS = list(everything())
FILES = [*(path_of(module) for module in modules()), *sorted(asm_root().rglob("*.inc"))]
HEADER = ["Gives", "Needs", "Memory", "Spec", "Tests"]
VOCABULARY = {"func", "carry_clear", "carry_set", "string", "movi32", "sys", "addr", "rodata"}
NEAR = re.compile(r"^(b\.\w+|cbn?z|tbn?z)\b.*?(\w+)$")
FRAME = re.compile(r"^(?:stp x29, x30, \[sp, #-(\d+)\]!|sub sp, sp, #(\d+))$")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(asm_root())))
def test_a_file_is_plain_text_of_80_columns(path) -> None:
    text = path.read_text(encoding="ascii")
    assert text.endswith("\n") and not text.endswith("\n\n")
    for number, line in enumerate(text.splitlines(), 1):
        assert len(line) <= 80 and "\t" not in line and line == line.rstrip(), (number, line)


def header(module: str) -> dict[str, str]:
    lines = path_of(module).read_text().splitlines()
    assert re.match(rf"// {module.split('/')[-1]}\.s - \S", lines[0])
    parts: dict[str, str] = {}
    part = ""
    for line in lines:
        if not line.startswith("//"):
            break
        if found := re.match(r"// (\w+)  +(.*)", line):
            part = found[1]
            parts[part] = found[2]
        elif part and line.startswith("//    "):
            parts[part] += " " + line[2:].strip()
        if "SPDX" in line:
            break
    assert "// SPDX-License-Identifier: MIT" in lines
    return parts


@pytest.mark.parametrize("module", modules())
def test_a_module_says_what_it_gives_and_needs(module: str) -> None:
    """Compared with the object file: what others use of it, what it uses of them."""
    parts = header(module)
    assert [*parts] == HEADER
    program = next(p for p in reversed(chapters.load().values()) if module in p.modules)
    built = chapters.build(program.name)
    objects = dict(zip(program.modules, built.objects, strict=True))
    own = objects[module]
    defined = {symbol.name for symbol in own.symbols}
    needed = {r.symbol for s in own.sections for r in s.relocations} - defined
    assert (needed or {"nothing"}) == words(parts["Needs"])
    used = {
        r.symbol for name, other in objects.items() if name != module
        for s in other.sections for r in s.relocations
    } & defined
    gives = words(parts["Gives"])
    assert used <= gives, f"others use {used - gives}"
    assert gives - {"start"} <= defined | {"nothing"}


def words(text: str) -> set[str]:
    return set(re.sub(r"\(.*?\)", "", text).split())


def test_the_tests_that_headers_name_exist() -> None:
    top = checkout()
    for module in modules():
        for name in re.findall(r"tests/[\w./]+", header(module)["Tests"]):
            assert top is None or (top / name.rstrip("/")).exists(), (module, name)


def test_every_module_is_part_of_a_program() -> None:
    used = {module for program in chapters.load().values() for module in program.modules}
    assert set() == set(modules()) - used


def plain(instruction: str) -> str:
    return " ".join(instruction.split())


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: f"{c.module}:{c.name}")
def test_a_function_is_written_as_the_guide_says(contract: Contract) -> None:
    code = [plain(line) for line in contract.instructions]
    assert len(code) <= 75, f"{len(code)} instructions: two functions?"
    for line in contract.body:
        if line.strip().startswith("//") or not line.strip():
            continue
        if not line.startswith(" "):
            label = line.split("//")[0].strip()
            assert label.startswith(f"L{contract.name}_") and label.endswith(":"), label
            continue
        assert re.match(r"    \S", line), line
        text = line.split("//")[0].rstrip()
        if " " in text.strip():
            column = len(text) - len(text.lstrip()) + len(text.split()[0])
            operands = re.match(r"    \S+( +)", text)
            assert operands is not None
            assert operands.end() == max(12, column + 1), line
        if "//" in line and line.split("//")[0].strip():
            place = line.index("//")
            assert place == 36 or place > 36, line
    for line in code:
        if found := NEAR.match(line):
            assert found[2].startswith(f"L{contract.name}_"), line
        assert not re.search(r"\b[xw]18\b", line), line


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: f"{c.module}:{c.name}")
def test_the_frame_is_as_large_as_the_contract_says(contract: Contract) -> None:
    sizes = [int(m[1] or m[2]) for line in contract.instructions if (m := FRAME.match(plain(line)))]
    assert sizes == ([contract.frame_size] if contract.frame_size else [])
    assert contract.frame_size % 16 == 0
    saved = {
        name for line in contract.instructions if (m := re.match(
            r"^st[rp] (x\d+)(?:, (x\d+))?, \[sp", plain(line)))
        for name in m.groups() if name
    }
    kept = {name for name in saved if name == "x30" or 19 <= int(name[1:]) <= 29}
    named = registers(contract.frame) if contract.frame_size else frozenset()
    assert kept == {n for n in named if int(n[1:]) >= 19}


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: f"{c.module}:{c.name}")
def test_every_register_in_the_body_is_accounted_for(contract: Contract) -> None:
    """What is written must be in Clob or Out, or saved in the frame."""
    if contract.clobbers.startswith(("all", "nothing")):
        return
    written = set()
    for line in contract.instructions:
        words_ = plain(line).replace(",", " ").split()
        if words_[0] in {"str", "stp", "strb", "strh", "sturh", "stur", "cmp", "cmn", "tst",
                         "ret", "b", "bl", "svc", "sys"} or words_[0].startswith(
                             ("b.", "cb", "tbz", "tbnz", "carry")):
            continue
        count = 2 if words_[0] == "ldp" else 1
        for operand in words_[1:1 + count]:
            if found := re.fullmatch(r"([xwvqdsb])(\d+)(?:\.\w+)?", operand):
                kind = "x" if found[1] in "xw" else "v"
                written.add(f"{kind}{found[2]}")
    allowed = contract.may_change | registers(contract.frame) | {"x16"}
    assert set() == written - allowed


def test_no_macro_is_made_beside_the_vocabulary() -> None:
    made = set()
    for path in FILES:
        made |= set(re.findall(r"^\.macro (\w+)", path.read_text(), re.MULTILINE))
    assert made == VOCABULARY


def test_function_names_are_unique_in_a_program() -> None:
    for program in chapters.load().values():
        names = [c.name for module in program.modules for c in contracts(module)]
        assert len(names) == len(set(names)), program.name
