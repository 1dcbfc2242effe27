"""No word that a reader can write as code brings the host process down."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from support.programs import boot, run

from ymawky_kit.darwin import abi
from ymawky_kit.emu import unallocated
from ymawky_kit.emu.cpu import Reason
from ymawky_kit.emu.machine import CallFault

_RET = 0xD65F03C0
_SVC = 0xD4000001


def survives(words: Iterable[int]) -> bool:
    """Run each word as a function of its own, in a child: does the child live?"""
    child = os.fork()
    if child:
        return 0 == os.waitpid(child, 0)[1]
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)    # a dying Unicorn writes there
        os.dup2(1, 2)
        with boot() as machine:
            code = machine.alloc(bytes(8), guard=None, protection=5)
            data = machine.alloc(bytes(8192), guard=None) + 4096
            registers = {f"x{n}": data for n in range(18)}
            for word in words:
                machine.memory.poke(
                    code, word.to_bytes(4, "little") + _RET.to_bytes(4, "little")
                )
                try:
                    machine.call(code, registers=registers, limit=50)
                except CallFault:
                    continue
        os._exit(0)
    except BaseException:
        os._exit(1)


def random_words(seed: int, count: int) -> list[int]:
    chosen = random.Random(seed)
    words = []
    while len(words) < count:
        word = chosen.getrandbits(32)
        if chosen.random() < 0.6:       # most groups of vector instructions
            word = word & ~(0xF << 25) | chosen.choice((0b0111, 0b1111)) << 25
        if word & 0xFFE0001F != _SVC:
            words.append(word)
    return words


@pytest.mark.parametrize("seed", range(4))
def test_random_words_are_instructions_or_exceptions(seed: int) -> None:
    assert survives(random_words(seed, 5000))


def test_every_encoding_of_the_two_dangerous_groups() -> None:
    three = [
        0x0E400400 | (f & 7) << 11 | (f >> 3 & 1) << 23 | (f >> 4) << 29 | q << 30
        for f in range(32) for q in (0, 1)
    ]
    two = [
        base | (f & 31) << 12 | (f >> 5 & 1) << 23 | (f >> 6) << 29
        for f in range(128) for base in (0x0E780800, 0x4E780800, 0x5E780800)
    ]
    assert survives(three + two)
    # And the allocated ones are left alone: fadd, fmul, fabs, fsqrt, frecpx.
    for word in (0x0E421420, 0x2E421C20, 0x4EF8F820, 0x6EF9F820, 0x5EF9F820):
        assert not unallocated.is_unsafe(word), hex(word)


def test_a_word_that_is_replaced_is_an_illegal_instruction(tmp_path: Path) -> None:
    done = run(tmp_path, "    nop\n    .long 0x2e450d91\n    exit #0\n")
    assert abi.SIGILL == done.signal
    assert ".long 0x2e450d91" in done.errors
    with boot(".long 0x2e450d91\n") as machine, pytest.raises(CallFault) as caught:
        machine.call("start")
    assert Reason.ILLEGAL is caught.value.stop.reason


def test_constants_behind_the_code_are_not_touched() -> None:
    text = """
    exit    #0
.section __TEXT,__const
.p2align 2
table: .long 0x2e450d91
"""
    with boot(text) as machine:
        assert 0x2E450D91 == machine.memory.u32(machine.symbols.address("table"))
