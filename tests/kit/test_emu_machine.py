"""Machines: calls, steps, snapshots, counting, coverage."""

from __future__ import annotations

import time

import pytest
from support.programs import boot

from ymawky_kit.emu.cpu import Reason
from ymawky_kit.emu.machine import CallFault
from ymawky_kit.emu.memory import PAGE, READ, BadAddress

_FUNCTIONS = """
    exit    #0
add_them:
    add     x0, x0, x1
    cmp     xzr, xzr
    ret
.globl  store_them
store_them:
    stp     x1, x2, [x0]
    strb    w3, [x0, #16]
    ret
.globl  spin
spin:
    subs    x0, x0, #1
    b.ne    spin
    ret
.globl  read_it
read_it:
    ldrb    w0, [x0]
    ret
.globl  count_up
count_up:
    addr    x9, counter
    ldr     x0, [x9]
    add     x0, x0, #1
    str     x0, [x9]
    str     x0, [sp, #-16]
    ret
.globl  ask
ask:
    mov     x9, x30
    call    20
    call    20
    mov     x30, x9
    ret
.globl  forever
forever:
    b       forever
.data
.p2align 3
.globl counter
counter: .quad 41
"""


@pytest.fixture(scope="module")
def machine():
    with boot(_FUNCTIONS) as found:
        yield found


@pytest.fixture(autouse=True)
def fresh(machine):
    snapshot = machine.snapshot()
    yield
    machine.restore(snapshot)


def test_a_function_is_called_with_arguments_and_returns(machine) -> None:
    result = machine.call("add_them", 40, 2)
    assert 42 == result.value
    assert result.carry
    assert 3 == result.instructions
    assert ("x0",) == result.changed()


def test_a_function_can_be_called_by_address(machine) -> None:
    assert 3 == machine.call(machine.symbols.address("add_them"), 1, 2).value
    with pytest.raises(KeyError):
        machine.call("no_such_function")


def test_negative_arguments_and_results_are_signed_numbers(machine) -> None:
    result = machine.call("add_them", -5, 2)
    assert -3 == result.signed
    assert (1 << 64) - 3 == result.value
    assert 0xFFFFFFFD == result["w0"]


def test_registers_can_be_chosen_by_name(machine) -> None:
    result = machine.call("add_them", registers={"x0": 7, "x1": 1, "x27": 0x2700, "fp": 9})
    assert 8 == result.value
    assert (0x2700, 9) == (result["x27"], result["x29"])


def test_every_store_can_be_listed(machine) -> None:
    place = machine.alloc(17)
    result = machine.call("store_them", place, 0x1122, 0x3344, 0x155, writes=True)
    stored = {address - place: data for address, data in result.writes}
    assert {0: (0x1122).to_bytes(8, "little"), 8: (0x3344).to_bytes(8, "little"),
            16: b"\x55"} == stored
    assert b"\x22\x11" == machine.memory.read(place, 2)


def test_instructions_are_counted_exactly(machine) -> None:
    for rounds in (1, 2, 3, 1000):
        assert 2 * rounds + 1 == machine.call("spin", rounds).instructions
    assert 1 + 2 + 2 + 1 + 1 == machine.call("ask").instructions
    assert 2 == machine.call("ask").syscalls


def test_a_fault_does_not_count_and_does_not_count_what_follows(machine) -> None:
    before = machine.instructions
    with pytest.raises(CallFault) as caught:
        machine.call("read_it", 0x40)
    assert Reason.UNMAPPED is caught.value.stop.reason
    assert 0x40 == caught.value.stop.address
    assert machine.symbols.address("read_it") == caught.value.pc
    assert before == machine.instructions


def test_a_function_that_never_returns_is_stopped(machine) -> None:
    with pytest.raises(CallFault, match=r"still running at 0x\w+ \(forever\)"):
        machine.call("forever", limit=10_000)


def test_the_byte_behind_a_block_is_not_there(machine) -> None:
    place = machine.alloc(b"abc")
    assert ord("c") == machine.call("read_it", place + 2).value
    with pytest.raises(CallFault):
        machine.call("read_it", place + 3)


def test_the_byte_before_a_block_is_not_there(machine) -> None:
    place = machine.alloc(b"abc", guard="start")
    assert ord("a") == machine.call("read_it", place).value
    with pytest.raises(CallFault):
        machine.call("read_it", place - 1)


def test_a_block_can_be_read_only(machine) -> None:
    place = machine.alloc(24, protection=READ)
    assert 0 == machine.call("read_it", place).value
    with pytest.raises(CallFault) as caught:
        machine.call("store_them", place, 1, 2, 3)
    assert Reason.PROTECTED is caught.value.stop.reason


def test_restore_brings_back_data_stack_and_registers(machine) -> None:
    snapshot = machine.snapshot()
    registers = machine.registers
    assert 42 == machine.call("count_up").value
    assert 43 == machine.call("count_up").value
    sp = registers["sp"]
    assert 43 == int.from_bytes(machine.memory.read(sp - 16, 8), "little")
    machine.restore(snapshot)
    assert registers == machine.registers
    assert bytes(8) == machine.memory.read(sp - 16, 8)
    assert 42 == machine.call("count_up").value


def test_restore_forgets_blocks_and_gives_them_out_zeroed(machine) -> None:
    snapshot = machine.snapshot()
    place = machine.alloc(b"x" * 100)
    machine.restore(snapshot)
    again = machine.alloc(100)
    assert place == again
    assert bytes(100) == machine.memory.read(again, 100)
    machine.restore(snapshot)
    larger = machine.alloc(bytes(PAGE + 1))
    with pytest.raises(BadAddress):
        machine.memory.read(larger, PAGE + 2)


def test_restore_brings_back_protections(machine) -> None:
    place = machine.alloc(bytes(PAGE), guard=None)
    snapshot = machine.snapshot()
    machine.memory.protect(place, PAGE, READ)
    machine.restore(snapshot)
    machine.memory.write(place, b"ok")


def test_small_calls_are_fast_enough_for_property_tests(machine) -> None:
    snapshot = machine.snapshot()
    began = time.perf_counter()
    for _ in range(500):
        machine.restore(snapshot)
        machine.call("read_it", machine.alloc(b"a"))
    assert 500 / (time.perf_counter() - began) > 2_000


def test_coverage_names_every_executed_instruction(machine) -> None:
    start = machine.symbols.address("spin")
    machine.cover()
    assert set() == machine.covered()
    machine.call("spin", 3)
    assert {start, start + 4, start + 8} == machine.covered()


def test_a_step_tells_what_it_changed() -> None:
    with boot("mov x3, #7\n    str x3, [sp, #-16]!\n    cmp x3, #7\n    exit #5\n") as machine:
        first = machine.step()
        assert ("mov x3, #7", {"x3": 7}, ()) == (first.text, first.changed, first.writes)
        assert machine.loaded.entry == first.address
        second = machine.step()
        sp = machine.registers["sp"]
        assert {"sp": sp} == second.changed
        assert ((sp, (7).to_bytes(8, "little")),) == second.writes
        third = machine.step()
        assert {"nzcv": 0x60000000} == third.changed
        assert 3 == machine.instructions
        machine.step()
        machine.step()
        last = machine.step()
        assert "exit(5)" == last.syscall.text
        assert 5 == machine.status.code
        assert 6 == machine.instructions
        assert machine.step() is None


def test_a_step_over_a_fault_ends_the_process() -> None:
    with boot("mov x1, #64\n    ldr x0, [x1]\n") as machine:
        machine.kernel.report = False
        machine.step()
        machine.step()
        assert 11 == machine.status.signal
        assert 1 == machine.instructions


def test_running_counts_every_instruction_and_call() -> None:
    text = "    mov x19, #10\nLagain:\n    call 20\n    subs x19, x19, #1\n    b.ne Lagain\n"
    with boot(text + "    exit #3\n") as machine:
        assert 3 == machine.run().code
        assert 1 + 10 * 4 + 3 == machine.instructions
        assert 11 == machine.syscalls
        assert machine.status == machine.run()


def test_counting_without_machine_code_gives_the_same() -> None:
    from ymawky_kit.emu import cpu as module
    from ymawky_kit.emu.memory import Memory

    memory = Memory(1 << 30)
    memory.map(0x1_0000_0000, PAGE, 5, 5)
    # subs x9, x9, #1; b.ne . - 4; brk #0
    memory.poke(0x1_0000_0000, bytes.fromhex("290500f1e1ffff54000020d4"))
    counts = []
    for use_native in (True, False):
        cpu = module.Cpu(memory, use_native=use_native)
        if use_native:
            native_here = cpu.counter.block_hook is not None
        cpu.counter.cover(0x1_0000_0000, 64)
        cpu.set_x(9, 1000)
        cpu.set_pc(0x1_0000_0000)
        assert Reason.BREAKPOINT is cpu.run().reason
        counts.append((cpu.instructions, cpu.counter.covered()))
        cpu.close()
        memory._pages = None
    memory.close()
    assert native_here
    assert counts[0] == counts[1]
    assert 2000 == counts[0][0]


def test_the_guest_is_an_el0_program_with_all_of_armv8() -> None:
    text = """
    mrs     x0, cntvct_el0
    mrs     x1, cntfrq_el0
    mrs     x2, tpidrro_el0
    mrs     x3, fpcr
    mrs     x4, ctr_el0
    mov     x9, sp
    dc      zva, x9
    fmov    d0, #1.5
    .long   0xf8200041              // ldadd x0, x1, [x2]: LSE, as every Mac has
    exit    #0
"""
    with boot(text) as machine:
        for _ in range(8):
            machine.step()
        assert machine.status is None
        machine.registers = {"x2": machine.registers["sp"]}
        machine.step()
        assert machine.status is None
        assert 0 == machine.run().code


def test_a_call_that_stops_the_processor_is_not_mistaken_for_the_limit() -> None:
    # kill(getpid(), SIGCHLD) is ignored, and handled with the processor standing still.
    text = """
    exit    #0
.globl  signal_self
signal_self:
    mov     x9, x30
    call    20
    mov     x1, #30
    mov     x2, #1
    call    37
    mov     x0, #77
    mov     x30, x9
    ret
tramp:
    mov     x0, x4
    mov     x1, #1
    call    184
handler:
.data
.p2align 3
action: .quad handler, tramp, 0
"""
    with boot(text) as machine:
        from support.programs import system_call

        action = machine.symbols.address("action")
        assert 0 == system_call(machine, 46, 30, action, 0)
        assert 77 == machine.call("signal_self").value


def test_a_function_that_ends_the_process_is_a_fault_of_the_call(machine) -> None:
    with pytest.raises(CallFault, match=r"the process ended at .*: exit 0"):
        machine.call("start")
    assert 5 == machine.call("add_them", 2, 3).value


def test_a_forgotten_machine_gives_its_memory_back() -> None:
    import gc
    import weakref

    def forget() -> tuple[object, object]:
        forgotten = boot("exit #0")
        forgotten.step()
        return forgotten.memory._finalizer, forgotten.cpu._finalizer

    memory, cpu = forget()
    gc.collect()
    assert isinstance(memory, weakref.finalize) and not memory.alive
    assert isinstance(cpu, weakref.finalize) and not cpu.alive


def test_a_run_can_be_limited() -> None:
    with boot("Lforever:\n    b Lforever\n") as machine:
        with pytest.raises(CallFault, match="still running"):
            machine.run(limit=25_000_000)
        assert 25_000_000 == machine.instructions
        assert machine.status is None


def test_a_call_may_take_more_than_one_slice(
    machine, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python gets its chance in between, for an interrupt, and nothing else changes."""
    monkeypatch.setattr("ymawky_kit.emu.machine._SLICE", 1_000)
    before = machine.instructions
    with pytest.raises(CallFault, match="still running"):
        machine.call("forever", limit=10_500)
    assert 10_500 == machine.instructions - before


@pytest.mark.parametrize("limit", range(10, 16))
def test_a_limit_in_the_middle_of_a_block_ends_the_call(limit: int) -> None:
    """The processor stops before a block that would go past the limit."""
    with boot("forever:\n nop\n nop\n nop\n b forever") as machine:
        before = machine.instructions
        with pytest.raises(CallFault, match="still running"):
            machine.call("forever", limit=limit)
        assert limit // 4 * 4 == machine.instructions - before


def test_an_endless_run_can_be_interrupted_from_the_keyboard() -> None:
    import signal
    import threading

    with boot("Lforever:\n    b Lforever\n") as machine:
        timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            machine.run()
        timer.join()
