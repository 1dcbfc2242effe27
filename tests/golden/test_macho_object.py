"""Object files on disk: the same as LLVM makes of the same text."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import lief
import pytest
from support import twin
from support.linking import CODE_FLAGS, FULL, code, error_of, image, module
from support.requires import program, requires

from ymawky_kit import chapters, macho
from ymawky_kit.darwin import boot
from ymawky_kit.obj import ObjectFile, Relocation, RelocationKind, Section, Symbol
from ymawky_kit.paths import asm_root

#: Every module once, with the first program that holds it.
MODULES = sorted((program_name, name) for name, program_name in {
    name: program_.name for program_ in reversed(chapters.load().values())
    for name in program_.modules}.items())


def relocations(path: Path) -> list[str]:
    """What llvm-objdump says of the relocations, label names of the assembler left out."""
    done = subprocess.run([program("llvm-objdump"), "--macho", "-r", path], capture_output=True,
                          text=True, check=True, timeout=60)
    assert "" == done.stderr
    return re.findall(r"^[0-9a-f]{8} .*$|^Relocation information.*$", done.stdout, re.MULTILINE)


@requires("llvm-objdump")
@pytest.mark.parametrize(("name", "text"), FULL)
def test_llvm_makes_the_same_relocations(name: str, text: str, tmp_path: Path) -> None:
    ours, source = tmp_path / "ours.o", tmp_path / "module.s"
    ours.write_bytes(macho.write_object(module(name, text)))
    source.write_text(text)
    assert relocations(twin.assemble(source, tmp_path / "llvm.o")) == relocations(ours)


@pytest.mark.parametrize(("name", "text"), FULL)
def test_llvm_makes_the_same_sections_and_symbols(
        name: str, text: str, tmp_path: Path) -> None:
    source = tmp_path / "module.s"
    source.write_text(text)
    theirs = twin.assemble(source, tmp_path / "llvm.o").read_bytes()
    ours = macho.write_object(module(name, text))
    assert contents(theirs) == contents(ours)


def contents(data: bytes) -> tuple[object, ...]:
    fat = lief.MachO.parse(list(data))
    assert fat is not None
    binary = fat.at(0)
    sections = [(s.segment_name, s.name, s.size, s.alignment, s.flags, bytes(s.content))
                for s in binary.sections]
    # ltmp0, ltmp1, ... are names that LLVM gives to the starts of sections.
    symbols = sorted((s.name, s.raw_type, s.value, s.numberof_sections)
                     for s in binary.symbols if not s.name.startswith("ltmp"))
    return sections, symbols


@pytest.mark.parametrize(("name", "part"), MODULES)
def test_lief_reads_every_module_of_the_server(name: str, part: str) -> None:
    built = next(m for m in chapters.build(name).objects if m.name == part)
    fat = lief.MachO.parse(list(macho.write_object(built)))
    assert fat is not None
    binary = fat.at(0)
    assert lief.MachO.Header.FILE_TYPE.OBJECT == binary.header.file_type
    assert [(s.name, s.size) for s in built.sections] == [(s.name, s.size)
                                                         for s in binary.sections]
    assert (asm_root() / chapters.find(name).path(part, asm_root())).is_file()


def test_an_addend_too_large_for_an_object_file_is_an_error() -> None:
    section = Section("__TEXT", "__text", 2, code(0x94000000), 4, CODE_FLAGS, (
        Relocation(0, RelocationKind.BRANCH26, "far", 1 << 23),))
    big = ObjectFile("big", (section,), (Symbol("start", 0, 0, True),))
    assert "'far' is used +8,388,608 bytes away" in error_of(lambda: macho.write_object(big))


def test_an_addend_stands_before_the_entry_it_belongs_to(tmp_path: Path) -> None:
    text = (".globl start\n.p2align 2\nstart:\n    adrp x0, table@PAGE + 4096\n"
            "    ldr x1, [x0, table@PAGEOFF + 16]\n    bl other + 8\n")
    data = macho.write_object(module("start", text))
    source = tmp_path / "module.s"
    source.write_text(text)
    assert relocations(twin.assemble(source, tmp_path / "llvm.o")) == relocations(
        _written(data, tmp_path))


@requires("ld64.lld")
def test_lld_takes_an_addend_below_zero_as_we_do(tmp_path: Path) -> None:
    # LLVM's assembler writes such an entry wrong (the sign runs into the type), so a linker
    # is the judge: code that loads the 8 bytes before `table`.
    text = (".globl start\n.p2align 2\nstart:\n    adrp x0, table@PAGE - 8\n"
            "    ldr x0, [x0, table@PAGEOFF - 8]\n    ret\n"
            ".data\n.p2align 3\n    .quad 7\ntable:\n    .quad 8\n")
    linked = twin.link([_written(macho.write_object(module("start", text)), tmp_path)],
                       tmp_path / "linked")
    for data in (linked.read_bytes(), macho.build(image(("start", text)))):
        machine = boot(data)
        assert 7 == machine.call("start").value


def _written(data: bytes, folder: Path) -> Path:
    path = folder / "ours.o"
    path.write_bytes(data)
    return path
