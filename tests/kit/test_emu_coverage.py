"""Coverage tables: shared by forks, kept to one program, and never more than what ran."""

from __future__ import annotations

import ctypes
import os
import tempfile
from pathlib import Path

import pytest
from support.programs import boot, write

from ymawky_kit.emu.machine import CallFault
from ymawky_kit.emu.native import reached, shared_table
from ymawky_kit.run import EmulatedRunner

_ENTRIES = 4096     # bytes of a table that is large enough for these programs


def run(tmp_path: Path, source: str, *args: str) -> tuple[set[int], bytes]:
    """Instructions by number that a program and its forks ran, and what it printed."""
    with tempfile.TemporaryFile() as file:
        file.truncate(_ENTRIES)
        runner = EmulatedRunner(cover=file.fileno())
        with runner.start(write(tmp_path, source), args) as process:
            process.wait(20)
            output = process.output
        return reached(memoryview(os.pread(file.fileno(), _ENTRIES, 0)).cast("H")), output


def test_a_child_notes_in_its_parents_table(tmp_path: Path) -> None:
    source = """
        mov     x0, #0
        call    2
        cbz     x1, Lparent
        nop
        exit    #0
    Lparent:
        mov     x0, #-1
        mov     x1, #0
        mov     x2, #0
        mov     x3, #0
        call    7
        exit    #0
        nop
    """
    found, _ = run(tmp_path, source)
    # `call` is two instructions, `exit` three; one of the two processes ran each but the last.
    assert set(range(17)) == found


def test_the_table_takes_no_descriptor_of_the_program(tmp_path: Path) -> None:
    """The first file that a program opens is 3, noted or not."""
    source = """
        addr    x0, name
        mov     x1, #0
        call    5
        mov     x16, #1
        svc     #0x80
    .data
    name: .asciz "."
    """
    with tempfile.TemporaryFile() as file:
        file.truncate(_ENTRIES)
        path = write(tmp_path, source)
        for runner in (EmulatedRunner(), EmulatedRunner(cover=file.fileno(), trace=True)):
            with runner.start(path) as process:
                assert 3 == process.wait(20).code


def test_a_table_goes_on_from_what_it_holds() -> None:
    with boot("    exit #0\n.globl one\none:\n    ret\n.globl two\ntwo:\n    ret\n") as machine:
        size = machine.loaded.text[1]
        table = (ctypes.c_uint16 * (size // 4))()
        machine.cover(table)
        machine.call("one")
        machine.cover(table)
        machine.call("two")
        assert {machine.address("one"), machine.address("two")} == machine.covered()
        with pytest.raises(ValueError, match="coverage table of 1 entries"):
            machine.cover((ctypes.c_uint16 * 1)())


def test_a_fault_leaves_only_what_ran() -> None:
    with boot("    exit #0\n.globl f\nf:\n    mov x1, #0\n    ldr x2, [x1]\n    ret\n") as machine:
        machine.cover()
        start = machine.address("f")
        with pytest.raises(CallFault):
            machine.call("f")
        assert {start, start + 4} == machine.covered(), "the one that failed was begun"


def test_after_exec_it_is_another_program(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = write(tmp_path / "other", "    nop\n" * 40 + "    exit #0\n")
    source = f"""
        addr    x0, path
        addr    x1, arguments
        mov     x2, #0
        call    59
        exit    #1
    .data
    .p2align 3
    arguments: .quad 0
    path: .asciz "{other}"
    """
    found, _ = run(tmp_path, source)
    assert found
    assert max(found) < 8


def test_a_file_becomes_a_table_and_is_closed() -> None:
    handle, name = tempfile.mkstemp()
    try:
        os.truncate(name, 64)
        table = shared_table(handle)
        assert 32 == len(table)
        table[3] = 2
        assert bytes([2, 0]) == Path(name).read_bytes()[6:8]
        assert {3, 4} == reached(table)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(handle)
    finally:
        Path(name).unlink()
