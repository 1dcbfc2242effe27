"""Our files as LLVM's and Apple's tools read them."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

import pytest
from support.linking import full_binary, full_image
from support.requires import program, requires

from ymawky_kit import chapters, macho

IMAGE = full_image()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("llvm") / "full"
    macho.install(full_binary(), file)
    return file


def output(tool: str, *arguments: str | Path) -> str:
    done = subprocess.run([program(tool), *arguments], capture_output=True, text=True, check=False,
                          timeout=60)
    assert 0 == done.returncode, done.stderr
    assert "" == done.stderr
    return done.stdout


@requires("llvm-objdump")
def test_objdump_names_the_symbols_that_instructions_point_at(path: Path) -> None:
    listing = output("llvm-objdump", "--macho", "-d", "--no-show-raw-insn", path)
    assert re.search(r"start:\n.*adrp\s+x0, .*0x100004000", listing)
    assert re.search(r"bl\s+answer", listing)
    assert re.search(r"answer:\n.*adrp", listing)


@requires("llvm-objdump")
def test_objdump_reads_the_rebase_list(path: Path) -> None:
    table = output("llvm-objdump", "--macho", "--rebase", path)
    assert [f"{address:#x}" for address in IMAGE.rebases] == re.findall(
        r"__DATA\s+__data\s+(0x[0-9a-fA-F]+)\s+pointer", table)


@requires("llvm-otool")
def test_otool_reads_every_load_command(path: Path) -> None:
    listing = output("llvm-otool", "-l", path)
    assert 13 == listing.count("Load command")
    assert "malformed" not in listing and "?" not in listing
    for line in ("cmd LC_MAIN", "entryoff 4096", "name /usr/lib/dyld (offset 12)",
                 "name /usr/lib/libSystem.B.dylib (offset 24)", "platform macos",
                 "minos 11.0", "sdk 14.0"):
        assert line in listing


@requires("llvm-otool")
def test_otool_reads_the_header(path: Path) -> None:
    assert "NOUNDEFS DYLDLINK TWOLEVEL PIE" in output("llvm-otool", "-hv", path)


@requires("llvm-nm")
def test_nm_reads_the_symbols(path: Path) -> None:
    rows = [line.split() for line in output("llvm-nm", path).splitlines()]
    letters = {"__text": "t", "__const": "s", "__data": "d", "__bss": "b"}
    sections = [s.name for segment in IMAGE.segments for s in segment.sections]
    expected = {(f"{0x100000000:016x}", "T", "__mh_execute_header")}
    for symbol in IMAGE.symbols:
        letter = letters[sections[symbol.section - 1]]
        expected.add((f"{symbol.address:016x}", letter.upper() if symbol.is_global else letter,
                      symbol.name))
    assert expected == {tuple(row) for row in rows}


@requires("llvm-objdump")
@pytest.mark.parametrize("name", chapters.load())
def test_objdump_reads_every_program_of_the_book(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    macho.install(chapters.build(name).data, file)
    listing = output("llvm-objdump", "--macho", "-d", "--no-show-raw-insn", file)
    assert "start:" in listing
    assert "<unknown>" not in listing and "malformed" not in listing


@requires("codesign")
@pytest.mark.parametrize("name", chapters.load())
def test_codesign_verifies_every_program_of_the_book(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    macho.install(chapters.build(name).data, file)
    output_of_verify = subprocess.run(["codesign", "--verify", "--strict", "--verbose=4", file],
                                      capture_output=True, text=True, check=False, timeout=60)
    assert 0 == output_of_verify.returncode, output_of_verify.stderr


@pytest.mark.skipif((platform.system(), platform.machine()) != ("Darwin", "arm64"),
                    reason="only on macOS with Apple silicon")
def test_the_kernel_of_a_mac_runs_our_first_program(tmp_path: Path) -> None:
    file = tmp_path / "answer"
    macho.install(chapters.build("answer").data, file)
    assert 42 == subprocess.run([file], check=False, timeout=60).returncode
