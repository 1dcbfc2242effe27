"""The door between program and kernel: registers, flags, numbers, faults, plans, traces."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.programs import boot, run, start, system_call

from ymawky_kit.darwin import abi, errno
from ymawky_kit.darwin.table import Returns, Table, table
from ymawky_kit.emu.cpu import CARRY
from ymawky_kit.emu.machine import Machine
from ymawky_kit.emu.plan import Fault
from ymawky_kit.run import EmulatedRunner

NZV = 0xD0000000
_GETPID = 20

#: svc #0x80; ret
_STUB = bytes.fromhex("011000d4c0035fd6")


@pytest.fixture
def machine():
    with boot() as found:
        found.memory.map(0x3_8000_0000, 0x4000, 5, 5)
        found.memory.poke(0x3_8000_0000, _STUB)
        yield found


def svc(machine: Machine, **registers: int):
    return machine.call(0x3_8000_0000, registers=registers)


def test_success_clears_carry_and_keeps_the_other_flags(machine: Machine) -> None:
    result = svc(machine, x16=_GETPID, nzcv=0xF0000000)
    assert NZV == result.after[33]
    assert not result.carry


def test_failure_sets_carry_and_keeps_the_other_flags(machine: Machine) -> None:
    result = svc(machine, x16=6, x0=200, nzcv=0x90000000)       # close(200)
    assert 0x90000000 | CARRY == result.after[33]
    assert errno.EBADF == result.value


def test_x1_becomes_0_and_x18_becomes_0(machine: Machine) -> None:
    for call in ({"x16": _GETPID}, {"x16": 6, "x0": 200}):
        result = svc(machine, x1=77, x18=88, **call)
        assert (0, 0) == (result["x1"], result["x18"])


def test_every_other_register_survives_a_call(machine: Machine) -> None:
    values = {f"x{n}": 0x1111 * n for n in range(2, 30) if n not in (16, 18)}
    machine.cpu.vectors()[10] = 0x1234567890
    machine.cpu.store_vectors()
    result = svc(machine, x16=_GETPID, **values)
    assert values == {name: result[name] for name in values}
    assert 0x1234567890 == machine.cpu.vectors()[10]


def test_only_the_low_half_of_x16_selects(machine: Machine) -> None:
    assert svc(machine, x16=_GETPID).value == svc(machine, x16=0xABCD_0000_0000 | _GETPID).value
    # BSD numbers are the low 16 bits of a selector that is not negative.
    assert svc(machine, x16=_GETPID).value == svc(machine, x16=0x0005_0000 | _GETPID).value


def test_the_immediate_of_svc_means_nothing(machine: Machine) -> None:
    machine.memory.poke(0x3_8000_0000, bytes.fromhex("210080d2010000d4c0035fd6"))
    assert not svc(machine, x16=_GETPID).carry


def test_number_0_takes_the_number_from_x0_and_shifts_the_arguments(machine: Machine) -> None:
    result = svc(machine, x16=0, x0=6, x1=200)                   # syscall(SYS_close, 200)
    assert (True, errno.EBADF) == (result.carry, result.value)
    assert svc(machine, x16=_GETPID).value == svc(machine, x16=0, x0=_GETPID).value


def test_ints_are_taken_from_the_low_half_of_a_register(machine: Machine) -> None:
    result = svc(machine, x16=37, x0=0xFFFF_FFFF_0000_0001, x1=99, x2=1)    # kill(1, 99)
    assert errno.EINVAL == result.value


def test_a_mach_trap_changes_x0_only(machine: Machine) -> None:
    result = svc(machine, x16=-3 & (1 << 64) - 1, x1=77, nzcv=0xF0000000)
    assert 77 == result["x1"]
    assert 0xF0000000 == result.after[33]
    assert result.value > 0


def test_an_unknown_number_ends_the_process_and_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "nop\n    mov x0, #1\n    mov x16, #498\n    svc #0x80\n    exit #0\n")
    assert abi.SIGSYS == done.signal
    assert "unknown system call 498 at 0x10000100c (start+12)" in done.errors


def test_an_unknown_mach_trap_ends_the_process_and_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "mov x16, #-99\n    svc #0x80\n    exit #0\n")
    assert abi.SIGSYS == done.signal
    assert "unknown Mach trap -99" in done.errors


def test_a_handled_sigsys_finds_enosys(tmp_path: Path) -> None:
    text = """
    mov     x0, #12
    addr    x1, action
    mov     x2, #0
    call    46
    mov     x16, #498
    svc     #0x80
    exit    #1
tramp:
    add     x9, x4, #56
    ldr     x0, [x9, #16]           // the saved x0
    exit    x0
handler:
.data
.p2align 3
action: .quad handler, tramp, 0
"""
    assert errno.ENOSYS == run(tmp_path, text).code


# --- faults -----------------------------------------------------------------------------------

@pytest.mark.parametrize(
    ("name", "text", "signal", "says"),
    [
        ("a load from nowhere", "mov x1, #64\n ldr x0, [x1]\n", abi.SIGSEGV,
         "no memory at 0x40 while loading"),
        ("a store to nowhere", "mov x1, #64\n str x0, [x1]\n", abi.SIGSEGV,
         "no memory at 0x40 while storing"),
        ("a jump to nowhere", "mov x1, #64\n br x1\n", abi.SIGSEGV,
         "no memory at 0x40 while jumping"),
        ("a store into code", "adr x1, start\n str x0, [x1]\n", abi.SIGBUS,
         "access refused at 0x100001000 while storing"),
        ("running data", "addr x1, here\n br x1\n.data\nhere: .quad 0\n", abi.SIGBUS,
         "access refused"),
        ("no instruction", ".long 0\n", abi.SIGILL, "no such instruction at 0x100001000"),
        ("an instruction of the kernel", "mrs x0, ttbr0_el1\n", abi.SIGILL,
         "no such instruction at"),
        ("an instruction Apple silicon lacks", ".long 0xd53b2400\n", abi.SIGILL,
         "no such instruction at 0x100001000"),
        ("a vector extension it lacks", ".long 0x2518e3e0\n", abi.SIGILL,
         "no such instruction at"),
        ("a misaligned atomic", "add x1, sp, #1\n ldxr x0, [x1]\n", abi.SIGBUS, "misaligned"),
        ("brk", "brk #1\n", abi.SIGTRAP, "breakpoint instruction at 0x100001000"),
        ("a jump to an odd address", "mov x1, #2\n br x1\n", abi.SIGBUS, "misaligned"),
        ("a jump between two instructions", "adr x1, start\n add x1, x1, #2\n br x1\n",
         abi.SIGBUS, "misaligned"),
    ],
)
def test_faults_become_signals_with_a_report(
    tmp_path: Path, name: str, text: str, signal: int, says: str
) -> None:
    done = run(tmp_path, text)
    assert signal == done.signal, done
    assert says in done.errors
    assert "pc 0x" in done.errors


def test_the_report_names_the_place_and_the_instruction(tmp_path: Path) -> None:
    done = run(tmp_path, "nop\n    mov x5, #0x77\n    mov x1, #64\n    ldr x0, [x1, #8]\n")
    assert "pc 0x10000100c (start+12): ldr x0, [x1, #8]" in done.errors
    assert "x5 0000000000000077" in done.errors


def test_the_report_can_be_switched_off(tmp_path: Path) -> None:
    done = run(tmp_path, "brk #1\n", runner=EmulatedRunner(report=False))
    assert (abi.SIGTRAP, "") == (done.signal, done.errors)


def test_a_zero_page_access_from_the_kernel_is_only_efault(machine: Machine) -> None:
    assert "EFAULT" == system_call(machine, 4, 1, 0x40, 5)


# --- strict mode ------------------------------------------------------------------------------

def test_strict_mode_spoils_what_a_call_may_clobber() -> None:
    with boot(strict=True) as machine:
        machine.memory.map(0x3_8000_0000, 0x4000, 5, 5)
        machine.memory.poke(0x3_8000_0000, _STUB)
        before = {f"x{n}": n for n in range(1, 30) if n != 16}
        result = svc(machine, x16=_GETPID, **before)
        for number in range(1, 19):
            assert result[f"x{number}"] not in (0, number), number
        for number in range(19, 30):
            assert number == result[f"x{number}"]


def test_strict_mode_keeps_both_values_of_pipe_and_fork(tmp_path: Path) -> None:
    text = """
    call    42
    cmp     x1, x0
    expect  hi, 1
    call    2
    cbz     x1, Lparent
    cmp     x1, #1
    expect  eq, 2
    exit    #0
Lparent:
    mov     x0, #-1
    mov     x1, #0
    mov     x2, #0
    mov     x3, #0
    call    7
    exit    #0
"""
    assert 0 == run(tmp_path, text, runner=EmulatedRunner(strict=True)).code


def test_strict_mode_refuses_a_misaligned_stack_pointer(tmp_path: Path) -> None:
    text = "mov x9, sp\n    sub x9, x9, #8\n    mov sp, x9\n    call 20\n    exit #0\n"
    assert 0 == run(tmp_path, text).code
    done = run(tmp_path, text, runner=EmulatedRunner(strict=True))
    assert abi.SIGBUS == done.signal
    assert "not a multiple of 16" in done.errors


def test_strict_mode_sees_a_misaligned_access_through_sp(tmp_path: Path) -> None:
    text = "sub sp, sp, #8\n    str x0, [sp]\n    add sp, sp, #8\n    exit #0\n"
    done = run(tmp_path, text, runner=EmulatedRunner(strict=True))
    assert abi.SIGBUS == done.signal
    assert "start+4" in done.errors


# --- fault plans and traces -------------------------------------------------------------------

_WRITE_TWICE = """
    mov     x19, #0
Lagain:
    mov     x0, #1
    addr    x1, text
    mov     x2, #6
    call    4
    b.cs    Lfailed
    add     x19, x19, x0
    cmp     x19, #12
    b.lo    Lagain
    exit    x19
Lfailed:
    exit    x0
.data
text: .ascii "abcdef"
"""


def test_a_plan_fails_the_nth_call_by_name(tmp_path: Path) -> None:
    done = run(tmp_path, _WRITE_TWICE, plan=[Fault("write", nth=2, error=errno.EIO)])
    assert (errno.EIO, b"abcdef") == (done.code, done.output)


def test_a_plan_fails_the_nth_call_of_any_name(tmp_path: Path) -> None:
    done = run(tmp_path, _WRITE_TWICE, plan=[Fault(nth=1, error=errno.EINTR)])
    assert (errno.EINTR, b"") == (done.code, done.output)


def test_a_plan_shortens_a_call(tmp_path: Path) -> None:
    done = run(tmp_path, _WRITE_TWICE, plan=[Fault("write", nth=1, short=2)])
    assert (14, b"ababcdefabcdef") == (done.code, done.output)


def test_a_close_that_is_made_to_fail_has_closed_all_the_same(tmp_path: Path) -> None:
    text = "mov x0, #0\n    call 6\n    expect cs, 1\n    mov x0, #0\n    call 6\n    exit x0\n"
    assert errno.EBADF == run(tmp_path, text, plan=[Fault("close", error=errno.EIO)]).code


def test_a_plan_can_name_the_process(tmp_path: Path) -> None:
    text = """
    call    2
    cbnz    x1, Lchild
    mov     x0, #-1
    addr    x1, status
    mov     x2, #0
    mov     x3, #0
    call    7
    call    24
    expect  cc, 3
    addr    x1, status
    ldr     w0, [x1]
    lsr     w0, w0, #8
    exit    x0
Lchild:
    call    24
    expect  cs, 2
    exit    x0
.data
status: .quad 0
"""
    plan = [Fault("getuid", nth=1, error=errno.EPERM, process=2)]
    assert errno.EPERM == run(tmp_path, text, plan=plan).code


def test_a_trace_tells_every_call_of_every_process(tmp_path: Path) -> None:
    text = """
    call    2
    cbnz    x1, Lchild
    mov     x0, #-1
    mov     x1, #0
    mov     x2, #0
    mov     x3, #0
    call    7
    mov     x0, #200
    call    6
    exit    #0
Lchild:
    mov     x0, #1
    addr    x1, text
    mov     x2, #3
    call    4
    exit    #7
.data
text: .ascii "hi\\n"
"""
    with start(tmp_path, text, runner=EmulatedRunner(trace=True)) as process:
        assert 0 == process.wait(10).code
        events = process.trace()
    parent = [event for event in events if event.process == 1]
    child = [event for event in events if event.process == 2]
    assert ["fork", "wait4", "close", "exit"] == [event.name for event in parent]
    assert ["fork", "write", "exit"] == [event.name for event in child]
    assert 'write(1, "hi\\n", 3) = 3' == child[1].text
    assert b"hi\n" == child[1].data
    assert "close(200) = EBADF" == parent[2].text
    assert "exit(7)" == child[2].text
    # The child returns from fork, branches, sets three registers, adrp+add, mov x16, svc.
    assert 7 == child[1].instructions
    assert 2 == parent[0].instructions
    assert 0x100001004 == parent[0].pc


def test_a_trace_shows_what_a_read_brought(tmp_path: Path) -> None:
    text = """
    mov     x0, #0
    addr    x1, buffer
    mov     x2, #100
    call    3
    exit    #0
.bss
buffer: .space 100
"""
    runner = EmulatedRunner(trace=True)
    with start(tmp_path, text, runner=runner, stdin=b'say "\x01"') as process:
        process.wait(10)
        assert 'read(0, "say \\"\\x01\\"", 100) = 7' == process.trace()[0].text


# --- the table --------------------------------------------------------------------------------

def test_a_number_belongs_to_one_row() -> None:
    mine = Table()
    from ymawky_kit.darwin.table import FULL

    mine.syscall(1, "one", support=FULL)(lambda task: None)
    with pytest.raises(ValueError, match="both one and two"):
        mine.syscall(1, "two", support=FULL)(lambda task: None)


def test_every_row_has_a_name_a_summary_and_a_place() -> None:
    from ymawky_kit.darwin.kernel import load_rows

    load_rows()
    for row in table:
        assert row.name
        assert row.summary, row.name
        assert row.returns in Returns
        assert len(row.kinds) <= 8, row.name


def test_the_calls_that_take_two_registers_are_fork_and_pipe() -> None:
    from ymawky_kit.darwin.kernel import load_rows

    load_rows()
    assert {"fork", "pipe"} == {row.name for row in table if row.returns is Returns.PAIR}


def test_exit_cannot_be_made_to_fail(tmp_path: Path) -> None:
    plan = [Fault(None, nth=0, error=errno.EIO)]
    assert 3 == run(tmp_path, "exit #3\n    exit #4\n", plan=plan).code


def test_events_can_be_read_after_the_machine_is_closed() -> None:
    with boot("exit #3", trace=True) as machine:
        machine.run()
    assert ["exit(3)"] == [event.text for event in machine.events()]
