"""Files, descriptors and memory as real programs meet them: registers, flags, limits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.programs import boot, run, system_call

from ymawky_kit.darwin import abi
from ymawky_kit.emu.plan import Fault

_COPY = """
    ldr     x19, [x1, #8]           // argv[1]
    ldr     x20, [x1, #16]          // argv[2]
    mov     x0, x19
    mov     x1, #0
    call    5                       // open
    b.cs    Lfail
    mov     x21, x0
    mov     x0, x20
    movz    x1, #0xe01              // O_WRONLY|O_CREAT|O_TRUNC|O_EXCL
    movz    x2, #0x1ff
    call    5
    b.cs    Lfail
    mov     x22, x0
Lmore:
    mov     x0, x21
    addr    x1, buffer
    mov     x2, #4096
    call    3                       // read
    b.cs    Lfail
    cbz     x0, Ldone
    mov     x23, x0
    addr    x24, buffer
Lwrite:
    mov     x0, x22
    mov     x1, x24
    mov     x2, x23
    call    4                       // write
    b.cs    Lfail
    add     x24, x24, x0
    subs    x23, x23, x0
    b.ne    Lwrite
    b       Lmore
Ldone:
    mov     x0, x22
    call    6                       // close
    b.cs    Lfail
    exit    #0
Lfail:
    call    1
.bss
buffer: .zero 4096
"""


@pytest.mark.parametrize("size", [0, 1, 4096, 100_000])
def test_a_program_copies_a_file(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "from").write_bytes(data)
    before = os.umask(0o027)
    try:
        found = run(tmp_path, _COPY, [str(tmp_path / "from"), str(tmp_path / "to")])
    finally:
        os.umask(before)
    assert 0 == found.code
    assert data == (tmp_path / "to").read_bytes()
    assert 0o750 == (tmp_path / "to").stat().st_mode & 0o7777


def test_a_program_sees_darwins_error_numbers(tmp_path: Path) -> None:
    (tmp_path / "from").touch()
    missing, source = str(tmp_path / "missing"), str(tmp_path / "from")
    assert 2 == run(tmp_path, _COPY, [missing, source]).code
    assert 17 == run(tmp_path, _COPY, [source, source]).code
    assert 63 == run(tmp_path, _COPY, ["x" * 300, source]).code
    (tmp_path / "loop").symlink_to("loop")
    assert 62 == run(tmp_path, _COPY, [str(tmp_path / "loop"), source]).code


def test_a_short_write_of_the_fault_plan_is_finished_by_the_program(tmp_path: Path) -> None:
    (tmp_path / "from").write_bytes(b"0123456789")
    plan = [Fault(call="write", nth=1, short=3), Fault(call="read", nth=1, short=5)]
    arguments = [str(tmp_path / "from"), str(tmp_path / "to")]
    assert 0 == run(tmp_path, _COPY, arguments, plan=plan).code
    assert b"0123456789" == (tmp_path / "to").read_bytes()


def test_pipe_gives_both_ends_in_registers(tmp_path: Path) -> None:
    text = """
    mov     x1, #77
    call    42
    b.cs    Lbad
    mov     x19, x0
    mov     x20, x1
    cmp     x0, #3                  // nothing but 0, 1 and 2 is open
    expect  eq, 2
    cmp     x1, #4
    expect  eq, 3
    mov     x0, x20
    addr    x1, word
    mov     x2, #8
    call    4
    mov     x0, x19
    addr    x1, copy
    mov     x2, #100
    call    3
    cmp     x0, #8
    expect  eq, 4
    cmp     x1, #0                  // a count comes alone
    expect  eq, 5
    addr    x0, copy
    ldr     x0, [x0]
    exit    x0
Lbad:
    exit    #1
.data
.p2align 3
word: .quad 42
copy: .zero 104
"""
    assert 42 == run(tmp_path, text).code


def test_a_process_may_open_253_more_descriptors(tmp_path: Path) -> None:
    text = """
    mov     x19, #0
Lmore:
    mov     x0, #0
    call    41                      // dup
    b.cs    Lfull
    add     x19, x19, #1
    b       Lmore
Lfull:
    cmp     x0, #24                 // EMFILE
    expect  eq, 1
    exit    x19
"""
    assert 253 == run(tmp_path, text).code


def test_a_raised_limit_gives_more_descriptors(tmp_path: Path) -> None:
    text = """
    mov     x0, #8                  // RLIMIT_NOFILE
    addr    x1, limit
    call    195
    b.cs    Lbad
    mov     x0, #0
    mov     x1, #499
    call    90                      // dup2(0, 499)
    b.cs    Lbad
    mov     x0, #0
    mov     x1, #500
    call    90
    expect  cs, 2
    cmp     x0, #9                  // EBADF
    expect  eq, 3
    exit    #0
Lbad:
    call    1
.data
.p2align 3
limit: .quad 500, 0x7fffffffffffffff
"""
    assert 0 == run(tmp_path, text).code


def test_a_descriptor_that_closes_on_fork_is_absent_in_the_child(tmp_path: Path) -> None:
    text = """
    addr    x0, name
    movz    x1, #0x800, lsl #16     // O_CLOFORK
    call    5
    b.cs    Lbad
    mov     x19, x0
    call    2
    cbnz    x1, Lchild
    mov     x0, #-1
    addr    x1, status
    mov     x2, #0
    mov     x3, #0
    call    7
    mov     x0, x19
    mov     x1, #1
    call    92                      // still open here
    b.cs    Lbad
    addr    x1, status
    ldr     w0, [x1]
    lsr     w0, w0, #8
    exit    x0
Lchild:
    mov     x0, x19
    mov     x1, #1                  // F_GETFD
    call    92
    expect  cs, 3
    call    1                       // with EBADF
Lbad:
    exit    #1
.data
.p2align 3
status: .quad -1
name: .asciz "/dev/null"
"""
    assert 9 == run(tmp_path, text).code


def test_touching_behind_a_mapped_file_is_sigbus(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"0123456789")
    text = """
    ldr     x0, [x1, #8]
    mov     x1, #0
    call    5
    mov     x4, x0
    mov     x0, #0
    mov     x1, #0x8000
    mov     x2, #1
    mov     x3, #2
    mov     x5, #0
    call    197                     // mmap
    b.cs    Lbad
    ldrb    w2, [x0, #9]
    cmp     w2, #'9'
    expect  eq, 2
    add     x1, x0, #0x3000
    ldr     x2, [x1, #0xff8]        // the end of the file's last page
    cbnz    x2, Lbad
    add     x1, x0, #0x4000
    ldr     x2, [x1]
Lbad:
    exit    #1
"""
    found = run(tmp_path, text, [str(tmp_path / "data")])
    assert abi.SIGBUS == found.signal, found


def test_touching_unmapped_memory_is_sigsegv_and_protected_memory_sigbus(
    tmp_path: Path,
) -> None:
    text = """
    mov     x0, #0
    mov     x1, #0x4000
    mov     x2, #3
    movz    x3, #0x1002
    mov     x4, #-1
    mov     x5, #0
    call    197
    mov     x19, x0
    mov     x1, #0x4000
    {what}
    mov     x1, #1
    str     x1, [x19]
    exit    #0
"""
    unmapped = run(tmp_path, text.format(what="call 73"))
    assert abi.SIGSEGV == unmapped.signal, unmapped
    protected = run(tmp_path, text.format(what="mov x2, #1\n    call 74"))
    assert abi.SIGBUS == protected.signal, protected
    assert 0 == run(tmp_path, text.format(what="nop")).code


def test_the_indirect_call_and_the_nocancel_twin_do_the_same() -> None:
    with boot() as machine:
        room = machine.alloc(b"x" * 16)
        assert "EBADF" == system_call(machine, 397, 200, room, 4)
        assert "EBADF" == system_call(machine, 0, 397, 200, room, 4)
        assert "EBADF" == system_call(machine, 0, 4, 200, room, 4)


def test_ticks_and_the_timebase_come_by_trap_without_touching_carry() -> None:
    with boot() as machine:
        first = system_call(machine, -3)
        second = system_call(machine, -3)
        assert isinstance(first, int)
        assert isinstance(second, int)
        assert 0 < first <= second
        room = machine.alloc(8)
        assert 0 == system_call(machine, -89, room)
        assert (125).to_bytes(4, "little") + (3).to_bytes(4, "little") == machine.memory.read(
            room, 8
        )


def test_a_program_reads_the_commpage_and_may_not_write_it(tmp_path: Path) -> None:
    text = """
    movz    x1, #0xc000
    movk    x1, #0xffff, lsl #16
    movk    x1, #0xf, lsl #32
    ldrh    w0, [x1, #0x1e]
    cmp     w0, #3
    expect  eq, 1
    strh    w0, [x1, #0x1e]
    exit    #2
"""
    assert abi.SIGBUS == run(tmp_path, text).signal
