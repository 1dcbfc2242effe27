"""lib/io: short writes, signals and errors, by fault plan."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from support.contract import Asm

from ymawky_kit.darwin.errno import EINTR, EIO
from ymawky_kit.emu.plan import Fault, FaultPlan


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.mark.parametrize(("faults", "carry", "value", "arrives"), [
    ([], False, 0, b"hello, world"),
    ([Fault("write", 0, short=1)], False, 0, b"hello, world"),
    ([Fault("write", 1, short=5), Fault("write", 2, error=EINTR)], False, 0, b"hello, world"),
    ([Fault("write", 1, error=EINTR), Fault("write", 2, error=EINTR)], False, 0, b"hello, world"),
    ([Fault("write", 1, error=EIO)], True, EIO, b""),
    ([Fault("write", 1, short=5), Fault("write", 2, error=EIO)], True, EIO, b"hello"),
])
def test_fd_write_all_goes_on_until_all_is_written(
    asm: Asm, pipe: tuple[int, int], faults: list[Fault], carry: bool, value: int, arrives: bytes
) -> None:
    with asm.plan(FaultPlan(faults)):
        result = asm.call("fd_write_all", pipe[1], asm.alloc(b"hello, world"), 12)
    os.write(pipe[1], b"$")
    assert (carry, value, arrives + b"$") == (result.carry, result.value, os.read(pipe[0], 100))


@pytest.mark.parametrize(("faults", "carry", "value"), [
    ([], False, 5),
    ([Fault("read", 0, short=2)], False, 2),
    ([Fault("read", 1, error=EINTR), Fault("read", 2, error=EINTR)], False, 5),
    ([Fault("read", 1, error=EIO)], True, EIO),
])
def test_fd_read_some_is_not_stopped_by_signals(
    asm: Asm, pipe: tuple[int, int], faults: list[Fault], carry: bool, value: int
) -> None:
    os.write(pipe[1], b"hello")
    with asm.plan(FaultPlan(faults)):
        result = asm.call("fd_read_some", pipe[0], asm.alloc(8), 8)
    assert (carry, value) == (result.carry, result.value)


def test_nothing_to_write_needs_no_call(asm: Asm) -> None:
    result = asm.call("fd_write_all", 99, asm.alloc(b""), 0)
    assert (False, 0) == (result.carry, result.syscalls)
