"""The loader: what is mapped where, with and without a slide, and what is refused."""

from __future__ import annotations

from pathlib import Path
from struct import unpack_from

import pytest
from support.editing import DATA, FILE_SIZE, OFFSET, Editor
from support.programs import program, run, start

from ymawky_kit.darwin import boot
from ymawky_kit.emu.loader import Refused, load, rebase_slots
from ymawky_kit.emu.memory import Memory
from ymawky_kit.run import EmulatedRunner
from ymawky_kit.source import KitError

_POINTERS = """
    addr    x9, table
    ldr     x10, [x9, #8]
    ldr     x0, [x10]
    call    1
.data
.p2align 3
table: .quad start, value
value: .quad 37
.bss
.p2align 3
space: .space 40000
"""


@pytest.mark.parametrize("slide", [0, 0x4000, 0x123 * 0x4000])
def test_segments_are_mapped_with_their_protection(slide: int) -> None:
    memory = Memory()
    loaded = load(memory, program(_POINTERS), slide=slide)
    found = {region.name: region for region in memory.regions}
    text, data, linkedit = found["__TEXT"], found["__DATA"], found["__LINKEDIT"]
    assert (0x1_0000_0000 + slide, 5, 5) == (text.start, text.protection, text.maximum)
    assert (3, 3, 1, 1) == (data.protection, data.maximum, linkedit.protection, linkedit.maximum)
    assert text.end == data.start
    assert 0x1_0000_1000 + slide == loaded.entry
    assert 0x1_0000_0000 + slide == loaded.header
    assert b"\xcf\xfa\xed\xfe" == memory.read(loaded.header, 4)
    space = loaded.symbols.address("space")
    assert bytes(40000) == memory.read(space, 40000)
    memory.close()


def test_what_follows_a_segment_in_its_last_page_of_the_file_is_mapped_too() -> None:
    # mach_loader.c rounds file sizes up and clears nothing: .bss would begin with it.
    edit = Editor(program("exit #0\n.data\n.p2align 3\nvalue: .quad 37\n"))
    data = edit.segment(DATA)
    edit.put64(data + FILE_SIZE, 8)
    edit.put(edit.u64(data + OFFSET) + 100, b"garbage")
    edit.rehash()
    memory = Memory()
    loaded = load(memory, bytes(edit.data))
    assert b"garbage" == memory.read(loaded.symbols.address("value") + 100, 7)
    memory.close()


@pytest.mark.parametrize("slide", [0, 0x4000, 0x3FF * 0x4000])
def test_pointers_in_data_are_slid(slide: int) -> None:
    with boot(program(_POINTERS), slide=slide) as machine:
        table = machine.symbols.address("table")
        first, second = unpack_from("<QQ", machine.memory.read(table, 16))
        assert machine.loaded.entry == first
        assert machine.symbols.address("value") == second
        assert 37 == machine.run().code


def test_a_slid_program_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    assert 37 == run(tmp_path, _POINTERS, runner=EmulatedRunner(slide=0x88 * 0x4000)).code


@pytest.mark.parametrize("slide", [1, 0x1000, -0x4000, 1 << 40])
def test_a_slide_is_whole_pages(slide: int) -> None:
    memory = Memory()
    with pytest.raises(KitError, match="slide"):
        load(memory, program("exit #0"), slide=slide)
    memory.close()


def damaged(offset: int, bit: int = 1) -> bytes:
    data = bytearray(program("exit #0"))
    data[offset] ^= bit
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xcf\xfa\xed\xfe", b"#!/bin/sh\n", damaged(0x1000), damaged(4), damaged(12),
     damaged(24, 0x20), program("exit #0")[:-1]],
)
def test_what_macos_refuses_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        boot(data)
    assert caught.value.problems
    assert "refuses the program" in str(caught.value)


def test_a_refused_program_is_killed_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "bad"
    file.write_bytes(damaged(0x1000))
    with EmulatedRunner().start(file) as process:
        assert 9 == process.wait(10).signal
        assert b"refuses the program" in process.errors


# --- the first state --------------------------------------------------------------------------

def strings(machine, address: int) -> list[bytes]:
    found = []
    while pointer := machine.memory.u64(address):
        found.append(machine.memory.cstring(pointer, 4096))
        address += 8
    return found


def test_the_argument_block_is_what_the_kernel_and_dyld_leave() -> None:
    with boot(program("exit #0"), ["prog", "one", "", "tw o"], {"A": "b", "C": "d=e"},
              path="/some/where") as machine:
        now = machine.registers
        sp = now["sp"]
        assert 0 == sp % 16
        assert 4 == now["x0"]
        assert (machine.loaded.header, 4) == (machine.memory.u64(sp), machine.memory.u64(sp + 8))
        assert sp + 16 == now["x1"]
        assert [b"prog", b"one", b"", b"tw o"] == strings(machine, now["x1"])
        assert now["x1"] + 8 * 5 == now["x2"]
        assert [b"A=b", b"C=d=e"] == strings(machine, now["x2"])
        assert now["x2"] + 8 * 3 == now["x3"]
        apple = strings(machine, now["x3"])
        assert b"executable_path=/some/where" == apple[0]
        names = [text.partition(b"=")[0].decode() for text in apple]
        assert ["executable_path", "pfz", "stack_guard", "malloc_entropy", "ptr_munge",
                "main_stack", "executable_file", "dyld_file", "executable_cdhash",
                "executable_boothash", "arm64e_abi", "th_port"] == names
        assert machine.loaded.cdhash.hex() == apple[8].partition(b"=")[2].decode()


def test_other_registers_hold_junk_at_entry() -> None:
    with boot(program("exit #0")) as machine:
        now = machine.registers
        for number in range(4, 30):
            assert now[f"x{number}"] not in (0, 1)


def test_arguments_reach_a_program_of_its_own(tmp_path: Path) -> None:
    text = """
    ldr     x1, [x1, #16]           // argv[2]
    mov     x0, #1
    mov     x2, #5
    call    4
    exit    #0
"""
    assert b"third" == run(tmp_path, text, ["second", "third"]).output


def test_the_environment_is_exactly_what_was_given(tmp_path: Path) -> None:
    text = """
    ldr     x1, [x2]
    ldr     x9, [x2, #8]
    cmp     x9, #0
    expect  eq, 1
    mov     x0, #1
    mov     x2, #6
    call    4
    exit    #0
"""
    with start(tmp_path, text, env={"ONE": "ab"}) as process:
        assert 0 == process.wait(10).code
        assert b"ONE=ab" == process.output


def test_too_many_arguments_are_refused() -> None:
    from ymawky_kit.darwin.errno import E2BIG, Errno

    with pytest.raises(Errno) as caught:
        boot(program("exit #0"), ["x" * 1_100_000])
    assert E2BIG == caught.value.number


# --- the rebase stream ------------------------------------------------------------------------

@pytest.mark.parametrize(
    ("stream", "slots"),
    [
        ("11 22 00 51 00", [(2, 0)]),
        ("11 22 10 53 00", [(2, 16), (2, 24), (2, 32)]),
        ("11 21 80 01 52 30 08 51 00", [(1, 128), (1, 136), (1, 152)]),
        ("11 22 00 41 51 00", [(2, 8)]),
        ("11 22 00 60 02 00", [(2, 0), (2, 8)]),
        ("11 22 00 70 08 51 00", [(2, 0), (2, 16)]),
        ("11 22 00 80 02 08 51 00", [(2, 0), (2, 16), (2, 32)]),
        ("00 51", []),
        ("", []),
    ],
)
def test_rebase_opcodes(stream: str, slots: list[tuple[int, int]]) -> None:
    assert slots == list(rebase_slots(bytes.fromhex(stream)))


@pytest.mark.parametrize("stream", ["22", "22 80", "22 80 80 80 80 80 80 80 80 80 80 01", "90"])
def test_a_bad_rebase_stream_is_an_error(stream: str) -> None:
    with pytest.raises(KitError):
        list(rebase_slots(bytes.fromhex(stream)))
