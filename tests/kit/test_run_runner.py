"""Runners: start, watch, stop, and leave nothing behind."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from support.programs import start, write

from ymawky_kit import run as running
from ymawky_kit.emu.event import SyscallEvent
from ymawky_kit.emu.plan import Fault, FaultPlan
from ymawky_kit.run import EmulatedRunner, ExitStatus, NativeRunner, default_runner, runner, trace
from ymawky_kit.run.guest import Options
from ymawky_kit.source import KitError

_CAT = """
Lagain:
    mov     x0, #0
    addr    x1, buffer
    mov     x2, #4096
    call    3
    cbz     x0, Lend
    mov     x2, x0
    mov     x0, #1
    addr    x1, buffer
    call    4
    b       Lagain
Lend:
    exit    #0
.bss
buffer: .space 4096
"""

_SLEEP = """
    mov     x0, #1
    addr    x1, ready
    mov     x2, #6
    call    4
    mov     x0, #0
    call    111
.data
ready: .ascii "ready\\n"
"""

_FORK_AND_SLEEP = "    call 2\n" + _SLEEP


def alive(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.strip().startswith(b"Z")


def gone(pid: int, timeout: float = 3.0) -> bool:
    deadline = time.monotonic() + timeout
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_bytes_go_in_and_come_out(tmp_path: Path) -> None:
    data = os.urandom(300_000)
    with start(tmp_path, _CAT, stdin=data) as process:
        assert ExitStatus(0) == process.wait(10)
        assert data == process.output
        assert b"" == process.errors


def test_without_input_a_program_reads_the_end(tmp_path: Path) -> None:
    with start(tmp_path, _CAT) as process:
        assert ExitStatus(0) == process.wait(10)


def test_wait_for_gives_the_line(tmp_path: Path) -> None:
    with start(tmp_path, _SLEEP) as process:
        assert b"ready" == process.wait_for(b"ea")
        assert process.status is None


def test_wait_for_says_why_it_gave_up(tmp_path: Path) -> None:
    with start(tmp_path, "brk #1") as process, pytest.raises(KitError, match="ended without"):
        process.wait_for(b"ready")
    with start(tmp_path, _SLEEP) as process, pytest.raises(KitError, match=r"nothing for 0\.2 s"):
        process.wait_for(b"never", timeout=0.2)


def test_wait_with_a_limit_raises_and_the_program_runs_on(tmp_path: Path) -> None:
    with start(tmp_path, _SLEEP) as process:
        process.wait_for(b"ready")
        with pytest.raises(TimeoutError):
            process.wait(0.1)
        assert alive(process.pid)
        assert 15 == process.stop().signal
        assert not alive(process.pid)


def test_stop_kills_what_does_not_listen(tmp_path: Path) -> None:
    deaf = """
    mov     x0, #15
    addr    x1, action
    mov     x2, #0
    call    46
""" + _SLEEP + ".p2align 3\naction: .quad 1, 0, 0\n"
    with start(tmp_path, deaf) as process:
        process.wait_for(b"ready")
        assert 9 == process.stop(0.2).signal


def test_the_end_of_a_with_block_ends_the_children_too(tmp_path: Path) -> None:
    with start(tmp_path, _FORK_AND_SLEEP) as process:
        process.wait_for(b"ready\nready")
        group = subprocess.run(
            ["ps", "-o", "pid=", "-g", str(process.pid)], capture_output=True, text=True,
            check=False,
        ).stdout.split()
        assert 2 == len(group)
    assert all(gone(int(pid)) for pid in group)


def test_the_end_of_the_program_that_started_it_ends_it(tmp_path: Path) -> None:
    file = write(tmp_path, _FORK_AND_SLEEP)
    for ending in ("raise KeyboardInterrupt", "os._exit(0)", "os.kill(os.getpid(), 9)", "pass"):
        script = textwrap.dedent(f"""
            import os, pathlib, sys
            from ymawky_kit.run import EmulatedRunner
            process = EmulatedRunner().start(pathlib.Path({str(file)!r}))
            process.wait_for(b"ready\\nready")
            print(process.pid, flush=True)
            {ending}
        """)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False
        )
        pid = int(done.stdout)
        assert gone(pid), ending
        left = subprocess.run(["ps", "-o", "pid=", "-g", str(pid)], capture_output=True,
                              text=True, check=False).stdout.split()
        assert [] == [other for other in left if not gone(int(other))], ending


def test_a_forgotten_process_ends_with_its_last_reference(tmp_path: Path) -> None:
    process = start(tmp_path, _SLEEP)
    process.wait_for(b"ready")
    pid = process.pid
    del process
    assert gone(pid)


def test_death_by_signal_is_the_hosts_death_too(tmp_path: Path) -> None:
    file = write(tmp_path, "    mov x1, #64\n    ldr x0, [x1]\n")
    done = subprocess.run(EmulatedRunner().command(file), capture_output=True, check=False)
    assert -signal.SIGSEGV == done.returncode


def test_the_command_can_be_executed_in_place(tmp_path: Path) -> None:
    file = write(tmp_path, _CAT)
    done = subprocess.run(EmulatedRunner().command(file), input=b"abc", capture_output=True,
                          check=False)
    assert (0, b"abc") == (done.returncode, done.stdout)


def test_the_working_directory_and_its_modules_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "signal.py").write_text("raise SystemExit('wrong module')\n")
    (tmp_path / "ymawky_kit").mkdir()
    with start(tmp_path, _CAT, cwd=tmp_path, stdin=b"x", env={"PYTHONPATH": str(tmp_path)}) \
            as process:
        assert ExitStatus(0) == process.wait(10), process.errors


def test_descriptors_can_be_handed_over(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    text = "    mov x0, #3\n    mov x1, sp\n    mov x2, #0\n    call 4\n    exit x0\n"
    os.dup2(writing, 90)
    try:
        text = "    mov x0, #90\n    addr x1, start\n    mov x2, #4\n    call 4\n    exit x0\n"
        with start(tmp_path, text, pass_fds=[90]) as process:
            assert 4 == process.wait(10).code
        assert 4 == len(os.read(reading, 10))
    finally:
        for fd in (reading, writing, 90):
            os.close(fd)


def test_descriptors_of_the_emulator_are_invisible(tmp_path: Path) -> None:
    # Every number from 3 to 12000 is closed, although a trace is being written.
    text = """
    mov     x19, #3
Lagain:
    mov     x0, x19
    mov     x1, #1
    call    92
    b.cc    Lfound
    cmp     x0, #9
    expect  eq, 1
    add     x19, x19, #1
    mov     x9, #12000
    cmp     x19, x9
    b.lo    Lagain
    exit    #0
Lfound:
    exit    #2
"""
    with start(tmp_path, text, runner=EmulatedRunner(trace=True)) as process:
        assert 0 == process.wait(20).code, process.errors


def test_a_missing_program_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(KitError, match="no such file"):
        EmulatedRunner().start(tmp_path / "nothing")


def test_runners_have_names() -> None:
    assert "emulated" == runner("emulated").name
    with pytest.raises(KitError, match="no runner is called"):
        runner("imaginary")
    if platform.machine() == "arm64" and sys.platform == "darwin":
        assert "native" == default_runner().name
    else:
        assert "emulated" == default_runner().name
        with pytest.raises(KitError, match="cannot run the program natively"):
            runner("native")


def test_the_environment_chooses_the_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YMAWKY_RUNNER", "emulated")
    assert "emulated" == default_runner().name
    monkeypatch.setenv("YMAWKY_RUNNER", "imaginary")
    with pytest.raises(KitError):
        default_runner()


def test_a_native_command_is_the_program_itself(tmp_path: Path) -> None:
    assert [str(tmp_path / "p"), "a"] == NativeRunner().command(tmp_path / "p", ["a"])


def test_trace_hands_over_events_while_the_program_runs(tmp_path: Path) -> None:
    events: list[SyscallEvent] = []
    file = write(tmp_path, _CAT)
    status = trace(file, on_event=events.append, inherit=False, timeout=10)
    assert ExitStatus(0) == status
    assert ["read", "exit"] == [event.name for event in events]


def test_trace_has_a_limit(tmp_path: Path) -> None:
    file = write(tmp_path, _SLEEP)
    with pytest.raises(TimeoutError):
        trace(file, on_event=lambda event: None, inherit=False, timeout=0.5)


def test_options_survive_the_command_line() -> None:
    options = Options(
        "prog", ["--a", "b c"], trace=7, entries=True, cover=8,
        plan=FaultPlan([Fault("read", 2, 5)]).to_json(),
        slide=0x4000, strict=True, plain=True, quiet=True, name="n", token="x", without="LC_CTYPE",
    )
    assert options == Options.parse(options.words())
    with pytest.raises(ValueError, match="unknown option"):
        Options.parse(["--nonsense", "prog"])
    with pytest.raises(ValueError, match="no program"):
        Options.parse(["--strict"])


def test_a_plan_survives_the_command_line() -> None:
    plan = FaultPlan([Fault("write", 2, 35), Fault(None, 0, None, 7, 2)])
    assert plan.faults == FaultPlan.from_json(plan.to_json()).faults


def test_the_package_offers_what_it_says() -> None:
    for name in running.__all__:
        assert getattr(running, name)
