"""Functions that fork, called from a notebook: all sides are shown, no process stays."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from struct import Struct
from typing import Any

import psutil
import pytest

from ymawky_kit.darwin import kernel
from ymawky_kit.emu.machine import CallResult, Machine
from ymawky_kit.lab import call, check, inspect, step
from ymawky_kit.lab.drive import Child, Ended
from ymawky_kit.lab.family import PROCESSES_MAX
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.source import KitError


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    BENCH.free.clear()
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    here = os.getpid()
    yield
    assert here == os.getpid(), "a child came back"
    BENCH.free.clear()
    assert before == {child.pid for child in psutil.Process().children(recursive=True)}


def test_both_sides_of_a_fork_are_shown() -> None:
    done = call("process_fork")
    assert (1002, False) == (done.value, done.carry)
    (child,) = done.children
    assert isinstance(child, Child)
    assert (0, False, 1) == (child.value, child.carry, child.registers["x1"])
    assert "process 1, the parent" in done.text()
    assert "process 2, a child" in done.text()
    assert "process 2, a child" in done.html()


def test_the_same_text_every_time() -> None:
    assert call("process_fork").text() == call("process_fork").text()
    assert step("process_fork").text() == step("process_fork").text()
    assert call("process_children").text() == call("process_children").text()
    assert "x0 = 1001" in step("process_children").text()


def test_a_fork_that_fails_leaves_one_side() -> None:
    done = call("process_fork", plan="fork 1: EAGAIN")
    assert (35, True, ()) == (done.value, done.carry, done.children)


def test_each_side_can_be_stepped_through() -> None:
    parent, child = step("process_fork"), step("process_fork", process=2)
    assert "mov     x0, #0" not in parent.text()
    assert "mov     x0, #0" in child.text()
    assert 1 == child.steps[0].registers["x1"]
    with pytest.raises(KitError, match="process 3 did not come back"):
        step("process_fork", process=3)
    with pytest.raises(KitError, match="nothing was forked"):
        step("text_length", "x", process=2)


def test_a_child_that_ends_is_told_apart_from_one_that_returns() -> None:
    BENCH.take_free("leave", """func leave
        stp x29, x30, [sp, #-16]!
        bl process_fork
        cbnz x0, Lx
        mov x0, #7
        bl process_exit
    Lx: ldp x29, x30, [sp], #16
        ret""")
    (child,) = call("leave").children
    assert isinstance(child, Ended)
    assert "exit(7)" == child.said


def test_a_child_that_faults_is_no_fault_of_the_parent() -> None:
    BENCH.take_free("trip", """func trip
        stp x29, x30, [sp, #-16]!
        bl process_fork
        cbnz x0, Lx
        ldr x0, [x0]
    Lx: ldp x29, x30, [sp], #16
        ret""")
    done = call("trip")
    (child,) = done.children
    assert isinstance(child, Ended)
    assert "unmapped" in child.said
    assert 1002 == done.value


def test_forks_without_end_are_stopped() -> None:
    """EAGAIN, as from a kernel whose table of processes is full."""
    BENCH.take_free("bomb", "func bomb\nLx: sys fork\n b.cc Lx\n ret")
    done = call("bomb")
    assert PROCESSES_MAX == 1 + len(done.children)
    assert (35, True) == (done.value, done.carry)


def test_forks_that_are_tried_for_ever_end_the_processes() -> None:
    """Nobody looks at EAGAIN: each process is killed after a while, and soon."""
    BENCH.take_free("bomb", "func bomb\nLx: sys fork\n b Lx\n ret")
    with pytest.raises(KitError, match="forking, again and again"):
        call("bomb")


def test_a_child_that_never_ends_is_ended() -> None:
    BENCH.take_free("stay", """func stay
        stp x29, x30, [sp, #-16]!
        bl process_fork
        cbnz x0, Lx
    Ly: b Ly
    Lx: ldp x29, x30, [sp], #16
        ret""")
    (child,) = call("stay", limit=100_000).children
    assert isinstance(child, Ended)
    assert "still running" in child.said


def test_a_judge_survives_an_answer_that_forks() -> None:
    BENCH.take_free("larger", "func larger\n sys fork\n mov x0, #5\n ret")
    mark = check("larger")
    assert not mark.right
    assert "gave 5, not 0" in mark.message


def test_children_do_not_outlive_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the parent; the fixture looks for the child, which would run for minutes."""
    BENCH.take_free("stay", "func stay\n    sys fork\n    cbz x1, Lstay_parent\n"
                            "Lstay_loop:\n    b Lstay_loop\nLstay_parent:\n    ret\n")
    real = Machine.call

    def interrupted(machine: Machine, *arguments: Any, **more: Any) -> CallResult:
        real(machine, *arguments, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(Machine, "call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call("stay", limit=10**12)


def test_no_child_comes_back_from_where_nobody_expects_one() -> None:
    BENCH.take_free("peek", "func peek\n    ldrb w9, [x0]\n    sys fork\n    ret\n")
    assert "Returned after" in inspect("peek", b"a").text()


class _Slow:
    """The struct of the shared number, with time for others between reading and writing."""

    def __init__(self, struct: Struct) -> None:
        self.pack_into = struct.pack_into
        self._struct = struct

    def unpack_from(self, *arguments: Any) -> tuple[Any, ...]:
        found = self._struct.unpack_from(*arguments)
        time.sleep(0.02)
        return found


def test_processes_that_fork_at_the_same_time_get_different_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel, "_ORDINAL", _Slow(kernel._ORDINAL))
    BENCH.take_free("double", "func double\n    sys fork\n    sys fork\n    sys fork\n    ret\n")
    children = call("double").children
    assert 7 == len(children)
    assert all(isinstance(child, Child) for child in children), children
