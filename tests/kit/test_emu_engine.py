"""The processor's engine: our numbers are the library's, and its counters a Mac's."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from support.programs import boot

from ymawky_kit.emu import engine, native


def test_every_number_is_the_bindings() -> None:
    from unicorn import arm64_const, unicorn_const

    known = {**vars(unicorn_const), **vars(arm64_const)}
    renamed = {"CPU_MAX": "UC_CPU_ARM64_MAX", "OK": "UC_ERR_OK", "INS_MRS": "UC_ARM64_INS_MRS"}
    checked = 0
    for name, value in vars(engine).items():
        if not name.isupper() or name.startswith("_") or not isinstance(value, int):
            continue
        theirs = renamed.get(name) or (
            f"UC_ARM64_{name}" if name.startswith("REG_") else f"UC_{name}"
        )
        assert known[theirs] == value, name
        checked += 1
    assert checked > 30


def test_the_library_is_the_one_of_the_package() -> None:
    import unicorn

    assert engine.library_path().startswith(unicorn.__path__[0])


def test_an_emulated_process_loads_little() -> None:
    # Every module is memory that each fork has to copy; these also run code at fork.
    done = subprocess.run(
        [sys.executable, "-c",
         ("import sys, ymawky_kit.run.guest, ymawky_kit.darwin.startup as s\n"
         "from ymawky_kit.darwin.kernel import load_rows; load_rows()\n"
         "print(*sys.modules)")],
        capture_output=True, text=True, check=True,
    )
    loaded = set(done.stdout.split())
    for name in ("unicorn", "capstone", "keystone", "rich", "threading", "random", "subprocess",
                 "tempfile", "json"):
        assert name not in loaded, name


def test_the_counter_ticks_24_million_times_a_second() -> None:
    text = """
    mrs     x0, cntfrq_el0
    mrs     x1, cntvct_el0
    exit    #0
"""
    with boot(text) as machine:
        machine.step()
        before = time.monotonic_ns()
        machine.step()
        after = time.monotonic_ns()
        now = machine.registers
        assert 24_000_000 == now["x0"]
        assert before * 24 // 1000 <= now["x1"] <= after * 24 // 1000


def test_the_counter_and_mach_absolute_time_agree() -> None:
    text = """
    mrs     x19, cntvct_el0
    mov     x16, #-3
    svc     #0x80
    sub     x0, x0, x19
    movz    x9, #0x16e, lsl #16         // a second of ticks
    cmp     x0, x9
    cset    x0, hi
    call    1
"""
    with boot(text) as machine:
        assert 0 == machine.run().code


# --- the host's machine code ------------------------------------------------------------------

@pytest.mark.parametrize(
    ("count", "limit", "attention", "stopped"),
    [(10, 1000, 0, False), (10, 14, 0, False), (10, 13, 0, True), (10, 1000, 1, True)],
)
def test_the_block_hook_for_arm_hosts(
    count: int, limit: int, attention: int, stopped: bool
) -> None:
    block, _ = native.machine_code("aarch64") or (b"", b"")
    with boot() as machine:
        # uc_emu_stop's stand-in leaves a mark in x0.
        stop = machine.alloc(bytes.fromhex("e00580d2c0035fd6"), guard=None, protection=5)
        hook = machine.alloc(block, guard=None, protection=5)
        cover = machine.alloc(32, guard=None)
        words = machine.alloc(8 * native.WORDS, guard=None)
        for index, value in (
            (native.COUNT, count), (native.LIMIT, limit), (native.STOP, stop),
            (native.COVER, cover), (native.COVER_BASE, 0x1000), (native.COVER_SIZE, 64),
            (native.ATTENTION, attention),
        ):
            machine.memory.put_u64(words + 8 * index, value)
        result = machine.call(hook, 0x77, 0x1008, 16, words)
        if stopped:
            assert 0x2F == result.value
        assert count + (0 if stopped else 4) == machine.memory.u64(words)
        covered = [machine.memory.u16(cover + 2 * n) for n in range(4)]
        assert ([0, 0, 0, 0] if stopped else [0, 0, 4, 0]) == covered
        if not stopped:
            assert 0x1008 == machine.memory.u64(words + 8 * native.BLOCK)
            assert 16 == machine.memory.u64(words + 8 * native.BLOCK_SIZE)
            machine.call(hook, 0x77, 0x1008, 8, words)
            assert 4 == machine.memory.u16(cover + 4)       # the longest block stays
            machine.call(hook, 0x77, 0x2000, 8, words)      # outside: nothing is noted


def test_the_signal_handler_for_arm_hosts() -> None:
    _, handler = native.machine_code("arm64") or (b"", b"")
    with boot() as machine:
        words = machine.alloc(8 * native.WORDS, guard=None)
        code = machine.alloc(
            handler + (words + 8 * native.ATTENTION).to_bytes(8, "little"), guard=None,
            protection=5,
        )
        machine.call(code, 15)
        assert 1 == machine.memory.u64(words + 8 * native.ATTENTION)
        seen = machine.memory.read(words + 8 * native.SEEN, 72)
        assert [15] == [number for number, byte in enumerate(seen) if byte]


def test_another_host_does_without_machine_code() -> None:
    assert None is native.machine_code("riscv64")
    assert None is native.Counter(0, native=False).block_hook
