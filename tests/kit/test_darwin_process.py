"""Processes as XNU runs them: fork, wait, exec, exit, groups, lists of processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from struct import unpack_from

import pytest
from support.programs import boot, finish, program, run, start, system_call, write

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.process import status_from_host
from ymawky_kit.emu.plan import Fault

_FORK = """
    call    2
    cbnz    x1, Lchild
"""
_WAIT = """
    mov     x0, #-1
    addr    x1, status
    mov     x2, #0
    mov     x3, #0
    call    7
"""
_STATUS = ".data\n.p2align 3\nstatus: .quad -1\n"


def test_exit_gives_the_low_eight_bits(tmp_path: Path) -> None:
    assert 0x2A == run(tmp_path, "movz x0, #0x12a\n    call 1\n").code


def test_returning_from_the_first_function_exits_with_x0(tmp_path: Path) -> None:
    assert 9 == run(tmp_path, "mov x0, #9\n    ret\n").code


def test_the_child_sees_x1_set_and_its_own_pid(tmp_path: Path) -> None:
    # The child compares x0 with getpid, the parent with what wait4 returns.
    text = """
    mov     x1, #77
    call    2
    b.cs    Lbad
    cbnz    x1, Lchild
    mov     x19, x0
""" + _WAIT + """
    cmp     x0, x19
    expect  eq, 2
    addr    x1, status
    ldr     w0, [x1]
    lsr     w0, w0, #8
    exit    x0
Lchild:
    cmp     x1, #1
    expect  eq, 3
    mov     x19, x0
    call    20
    cmp     x0, x19
    expect  eq, 4
    exit    #55
Lbad:
    exit    #1
""" + _STATUS
    assert 55 == run(tmp_path, text).code


def test_memory_is_private_after_fork(tmp_path: Path) -> None:
    text = _FORK + _WAIT + """
    addr    x1, value
    ldr     x0, [x1]
    call    1
Lchild:
    addr    x1, value
    mov     x2, #99
    str     x2, [x1]
    exit    #0
""" + _STATUS + "value: .quad 5\n"
    assert 5 == run(tmp_path, text).code


def test_wait4_reports_a_signal_in_darwins_numbers(tmp_path: Path) -> None:
    # SIGBUS is 10 here and 7 on Linux.
    text = _FORK + _WAIT + """
    addr    x1, status
    ldr     w0, [x1]
    call    1
Lchild:
    call    20
    mov     x1, #10
    mov     x2, #1
    call    37
    exit    #0
""" + _STATUS
    assert 10 == run(tmp_path, text).code & 0x7F


def test_wait4_knows_no_child_and_odd_options() -> None:
    with boot() as machine:
        assert "ECHILD" == system_call(machine, 7, 2 ** 31 - 2, 0, 0, 0)
        assert "EINVAL" == system_call(machine, 7, -1, 0, 0x40, 0)
        assert "EINVAL" == system_call(machine, 7, -2 ** 31, 0, 0, 0)


def test_wait4_without_hanging_returns_0_while_the_child_runs(tmp_path: Path) -> None:
    text = """
    call    42
    mov     x19, x0
    mov     x20, x1
""" + _FORK + """
    mov     x0, #-1
    mov     x1, #0
    mov     x2, #1
    mov     x3, #0
    call    7
    cmp     x0, #0
    expect  eq, 2
    mov     x0, x20
    call    6
""" + _WAIT + """
    cmp     x0, #1
    expect  gt, 3
    exit    #0
Lchild:
    mov     x0, x20
    call    6
    mov     x0, x19
    addr    x1, status
    mov     x2, #1
    call    3
    exit    #0
""" + _STATUS
    assert 0 == run(tmp_path, text).code


def test_wait4_fills_rusage(tmp_path: Path) -> None:
    text = _FORK + """
    mov     x0, #-1
    mov     x1, #0
    mov     x2, #0
    addr    x3, usage
    call    7
    mov     x0, #1
    addr    x1, usage
    mov     x2, #152
    call    4
    exit    #0
Lchild:
    movz    x1, #0x400, lsl #16
Lspin:
    subs    x1, x1, #1
    b.ne    Lspin
    exit    #0
.data
.p2align 3
usage: .space 144
    .quad 0x1122334455667788
"""
    done = run(tmp_path, text)
    seconds, micros = unpack_from("<qi", done.output)
    assert 0 <= seconds < 10
    assert 0 < seconds * 1_000_000 + micros
    assert 0x1122334455667788 == unpack_from("<Q", done.output, 144)[0]


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        (0, 0), (3 << 8, 3 << 8), (9, 9), (0xFFFF, 0x137F),
        (int(signal.SIGUSR1), abi.SIGUSR1), (int(signal.SIGBUS), abi.SIGBUS),
        (int(signal.SIGSTOP) << 8 | 0x7F, abi.SIGSTOP << 8 | 0x7F),
        (int(signal.SIGSEGV) | 0x80, abi.SIGSEGV | 0x80),
    ],
)
def test_wait_status_is_translated(host: int, ours: int) -> None:
    assert ours == status_from_host(host)


# --- automatic reaping ------------------------------------------------------------------------

_SIGCHLD_ACTION = """
    mov     x0, #20
    addr    x1, action
    mov     x2, #0
    call    46
"""


def test_ignoring_sigchld_leaves_nothing_to_wait_for(tmp_path: Path) -> None:
    text = _SIGCHLD_ACTION + _FORK + _WAIT + """
    expect  cs, 2
    call    1                       // x0 is the error
Lchild:
    exit    #0
""" + _STATUS + "action: .quad 1, 0\n    .long 0, 0\n"
    assert 10 == run(tmp_path, text).code


def test_a_forked_child_has_ordinary_children_although_sigchld_is_ignored(tmp_path: Path) -> None:
    # The child of the ignoring parent forks itself and can wait for its own child.
    text = _SIGCHLD_ACTION + """
    call    42
    mov     x20, x0
    mov     x21, x1
""" + _FORK + """
    mov     x0, x20
    addr    x1, status
    mov     x2, #1
    call    3
    addr    x1, status
    ldrb    w0, [x1]
    exit    x0
Lchild:
    call    2
    cbnz    x1, Lgrandchild
""" + _WAIT + """
    expect  cc, 3
    mov     x0, x21
    addr    x1, status
    add     x1, x1, #1
    mov     x2, #1
    call    4
    exit    #0
Lgrandchild:
    exit    #66
""" + _STATUS + "action: .quad 1, 0\n    .long 0, 0\n"
    assert 66 == run(tmp_path, text).code


def test_sa_nocldwait_posts_no_sigchld(tmp_path: Path) -> None:
    text = _SIGCHLD_ACTION + _FORK + _WAIT + """
    cmp     x0, #10
    expect  eq, 2
    exit    #0
Lchild:
    exit    #0
tramp:
    exit    #3
handler:
""" + _STATUS + f"action: .quad handler, tramp\n    .long 0, {abi.SA_NOCLDWAIT}\n"
    assert 0 == run(tmp_path, text).code


def test_sigchld_tells_who_and_how(tmp_path: Path) -> None:
    # Blocked until the parent sleeps, so that it comes neither too early nor unseen.
    block = "    mov x0, #1\n    addr x1, block\n    mov x2, #0\n    call 48\n"
    text = _SIGCHLD_ACTION + block + _FORK + """
    mov     x19, x0
    mov     x0, #0
    call    111
    exit    #1
Lchild:
    exit    #7
tramp:
    ldr     w0, [x3, #12]
    cmp     w0, w19
    expect  eq, 2
    ldr     w0, [x3, #8]
    cmp     w0, #1                  // CLD_EXITED
    expect  eq, 3
    ldr     w0, [x3, #20]
    exit    x0
handler:
""" + _STATUS + (
        f"action: .quad handler, tramp\n    .long 0, {abi.SA_SIGINFO}\nblock: .long 1 << 19\n"
    )
    assert 7 == run(tmp_path, text).code


def test_wait4_sleeps_through_children_with_a_handler_installed(tmp_path: Path) -> None:
    # Another signal has a handler, so the sleeping wait is the interruptible kind.
    text = """
    mov     x0, #30
    addr    x1, action
    mov     x2, #0
    call    46
""" + _FORK + _WAIT + """
    expect  cc, 2
    addr    x1, status
    ldr     w0, [x1]
    lsr     w0, w0, #8
    exit    x0
Lchild:
    movz    x1, #0x200, lsl #16
Lspin:
    subs    x1, x1, #1
    b.ne    Lspin
    exit    #44
tramp:
handler:
    exit    #3
""" + _STATUS + "action: .quad handler, tramp\n    .long 0, 0\n"
    assert 44 == run(tmp_path, text).code


def test_itimers_and_pending_signals_are_not_inherited(tmp_path: Path) -> None:
    text = """
    mov     x0, #0
    addr    x1, timer
    mov     x2, #0
    call    83
""" + _FORK + _WAIT + """
    addr    x1, status
    ldr     w0, [x1]
    lsr     w0, w0, #8
    exit    x0
Lchild:
    mov     x0, #0
    addr    x1, timer
    call    86
    addr    x1, timer
    ldr     x0, [x1, #16]
    ldr     w2, [x1, #24]
    orr     x0, x0, x2
    cmp     x0, #0
    cset    x0, ne
    call    1
""" + _STATUS + "timer: .quad 0, 0, 50, 0\n"
    assert 0 == run(tmp_path, text).code


# --- kill -------------------------------------------------------------------------------------

def test_kill_checks_its_arguments() -> None:
    with boot() as machine:
        assert "EINVAL" == system_call(machine, 37, os.getpid(), 32, 1)
        assert "EINVAL" == system_call(machine, 37, os.getpid(), -1, 1)
        assert "ESRCH" == system_call(machine, 37, 2 ** 31 - 2, 0, 1)
        assert 0 == system_call(machine, 37, os.getpid(), 0, 1)


def test_kill_of_a_zombie_succeeds(tmp_path: Path) -> None:
    text = """
    call    42
    mov     x19, x0
    mov     x20, x1
""" + _FORK + """
    mov     x21, x0
    mov     x0, x20
    call    6
    mov     x0, x19                 // end of file: the child is gone
    addr    x1, status
    mov     x2, #1
    call    3
Lagain:
    mov     x0, x21
    mov     x1, #0
    mov     x2, #1
    call    37
    expect  cc, 2
    exit    #0
Lchild:
    exit    #0
""" + _STATUS
    assert 0 == run(tmp_path, text).code


# --- exec -------------------------------------------------------------------------------------

_EXEC = """
    addr    x0, path
    addr    x1, argv
    addr    x2, envp
    call    59
    call    1                       // x0 is the error
.data
.p2align 3
argv: .quad word0, word1, 0
envp: .quad variable, 0
path: .asciz "{path}"
word0: .asciz "zero"
word1: .asciz "one"
variable: .asciz "COLOUR=green"
"""


def executable(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o755)
    return path


def test_exec_runs_a_script_with_its_arguments_and_environment(tmp_path: Path) -> None:
    script = executable(tmp_path / "s", '#!/bin/sh -e\necho "$0 $1 $COLOUR $#"\n')
    done = run(tmp_path, _EXEC.format(path=script))
    assert f"{script} one green 1\n".encode() == done.output


def test_a_scripts_first_line_is_split_at_blanks_and_ends_at_a_hash(tmp_path: Path) -> None:
    shower = executable(tmp_path / "show", program("""
    mov     x19, x1
    mov     x20, x0
Lnext:
    ldr     x1, [x19], #8
    cbz     x1, Lend
    mov     x2, #0
Llength:
    ldrb    w3, [x1, x2]
    add     x2, x2, #1
    cbnz    w3, Llength
    mov     x0, #1
    call    4
    b       Lnext
Lend:
    exit    x20
"""))
    script = executable(tmp_path / "s", f"#! {shower} -a  -b # and so on\n")
    done = run(tmp_path, _EXEC.format(path=script))
    words = [str(shower).encode(), b"-a", b"-b", str(script).encode(), b"one"]
    assert words == done.output.rstrip(b"\0").split(b"\0")
    assert len(words) == done.code


def test_exec_of_another_macos_program_replaces_this_one(tmp_path: Path) -> None:
    other = write(tmp_path, """
    ldr     x1, [x2]                // envp[0]
    mov     x0, #1
    mov     x2, #12
    call    4
    exit    #21
""", "other")
    done = run(tmp_path, _EXEC.format(path=other))
    assert (21, b"COLOUR=green") == (done.code, done.output)


def test_exec_keeps_the_mask_and_ignored_signals_and_drops_handlers(tmp_path: Path) -> None:
    other = write(tmp_path, """
    mov     x0, #3
    mov     x1, #0
    addr    x2, out
    call    48
    mov     x0, #15
    mov     x1, #0
    addr    x2, out
    add     x2, x2, #8
    call    46
    mov     x0, #30
    mov     x1, #0
    addr    x2, out
    add     x2, x2, #24
    call    46
    mov     x0, #1
    addr    x1, out
    mov     x2, #40
    call    4
    exit    #0
.bss
.p2align 3
out: .space 40
""", "other")
    first = """
    mov     x0, #15
    addr    x1, ignore
    mov     x2, #0
    call    46
    mov     x0, #30
    addr    x1, catch
    mov     x2, #0
    call    46
    mov     x0, #3
    addr    x1, block
    mov     x2, #0
    call    48
""" + _EXEC.format(path=other) + """
.p2align 3
ignore: .quad 1, 0, 0
catch: .quad path, path, 0
block: .long 0x40
"""
    done = run(tmp_path, first)
    assert 0x40 == unpack_from("<I", done.output)[0]
    assert abi.SIG_IGN == unpack_from("<Q", done.output, 8)[0]
    assert abi.SIG_DFL == unpack_from("<Q", done.output, 24)[0]


@pytest.mark.parametrize(
    "action", ["1, 0\n    .long 0, 0", f"path, path\n    .long 0, {abi.SA_NOCLDWAIT}"]
)
def test_children_leave_zombies_again_after_exec(tmp_path: Path, action: str) -> None:
    # The flag lives on the process, which exec makes anew; SIG_IGN itself stays.
    other = write(tmp_path, _FORK + """
    mov     x19, x0
""" + _WAIT + """
    expect  cc, 2
    cmp     x0, x19
    expect  eq, 3
    addr    x1, status
    ldrb    w0, [x1, #1]
    exit    x0
Lchild:
    exit    #44
""" + _STATUS, "other")
    ignoring = _SIGCHLD_ACTION + _EXEC.format(path=other) + f".p2align 3\naction: .quad {action}\n"
    assert 44 == run(tmp_path, ignoring).code


def test_a_program_of_the_host_can_wait_although_sigchld_was_ignored(tmp_path: Path) -> None:
    script = executable(tmp_path / "s", f"""#!{sys.executable}
import os
pid = os.fork()
if not pid:
    os._exit(44)
os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""")
    ignoring = _SIGCHLD_ACTION + _EXEC.format(path=script) + """
.p2align 3
action: .quad 1, 0
    .long 0, 0
"""
    assert 44 == run(tmp_path, ignoring).code


def test_a_program_of_the_host_has_the_streams_its_starter_captured(tmp_path: Path) -> None:
    script = executable(tmp_path / "s", "#!/bin/sh\necho out\necho err >&2\n")
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as first, err.open("wb") as second, boot(
        _FORK + _WAIT + "    exit #0\nLchild:\n" + _EXEC.format(path=script) + _STATUS,
        streams={1: first.fileno(), 2: second.fileno()},
    ) as machine:
        assert 0 == machine.run().code
    assert (b"out\n", b"err\n") == (out.read_bytes(), err.read_bytes())


def test_a_program_of_the_host_gets_ordinary_signals_and_descriptors(tmp_path: Path) -> None:
    script = executable(
        tmp_path / "s",
        "#!/bin/sh\ngrep -E 'SigIgn|SigBlk' /proc/self/status\nls /proc/self/fd\n",
    )
    if not Path("/proc/self").is_dir():
        pytest.skip("only on Linux: reads /proc")
    done = run(tmp_path, _EXEC.format(path=script))
    lines = done.output.decode().split()
    assert 0 == int(lines[1], 16)       # SigBlk
    # SIGPIPE and SIGXFSZ, which Python ignores, are again as usual; what was ignored before
    # Python stays so, as SIGINT in the background.  32 and 33 are glibc's own affair.
    own = re.search(r"^SigIgn:\s*(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert own is not None
    usual = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1
    everything = (1 << 31) - 1
    assert int(own[1], 16) & everything & ~usual == int(lines[3], 16) & everything
    assert ["0", "1", "2", "3"] == lines[4:]       # 3 is ls reading the directory


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda p: None, "ENOENT"),
        (lambda p: p.write_bytes(b"#!/bin/sh\n"), "EACCES"),            # not executable
        (lambda p: p.mkdir(), "EACCES"),
        (lambda p: executable(p, b""), "ENOEXEC"),
        (lambda p: executable(p, b"just text\n"), "ENOEXEC"),
        (lambda p: executable(p, b"#!/nonexistent/interpreter\n"), "ENOENT"),
    ],
)
def test_exec_returns_early_errors(tmp_path: Path, make, error: str) -> None:
    from ymawky_kit.darwin import errno

    target = tmp_path / "target"
    make(target)
    assert getattr(errno, error) == run(tmp_path, _EXEC.format(path=target)).code


def test_an_interpreter_that_is_a_script_is_refused(tmp_path: Path) -> None:
    inner = executable(tmp_path / "inner", "#!/bin/sh\n")
    outer = executable(tmp_path / "outer", f"#!{inner}\n")
    assert 8 == run(tmp_path, _EXEC.format(path=outer)).code


def test_a_program_that_macos_refuses_is_killed_by_exec(tmp_path: Path) -> None:
    damaged = bytearray(program("exit #0"))
    damaged[0x1000] ^= 1                    # its page no longer matches the signature
    target = executable(tmp_path / "target", bytes(damaged))
    done = run(tmp_path, _EXEC.format(path=target))
    assert 9 == done.signal
    assert "signature" in done.errors or "hash" in done.errors


# --- lists ------------------------------------------------------------------------------------

def test_proc_info_counts_children_and_zombies(tmp_path: Path) -> None:
    count = """
    call    20
    mov     x2, x0
    mov     x0, #1
    mov     x1, #6
    mov     x3, #0
    addr    x4, pids
    mov     x5, #{size}
    call    336
"""
    text = _FORK + count.format(size=64) + "    mov x19, x0\n" + _FORK + count.format(size=64) + """
    add     x19, x19, x0
""" + count.format(size=4) + """
    add     x0, x19, x0
    call    1
Lchild:
    exit    #0
.bss
.p2align 3
pids: .space 64
"""
    assert 4 + 8 + 4 == run(tmp_path, text).code


def test_proc_info_checks_its_arguments() -> None:
    with boot() as machine:
        buffer = machine.alloc(64)
        assert "EINVAL" == system_call(machine, 336, 99, 6, 1, 0, buffer, 64)
        assert "EINVAL" == system_call(machine, 336, 1, 99, 1, 0, buffer, 64)
        assert "ENOMEM" == system_call(machine, 336, 1, 1, 0, 0, buffer, 3)
        size = system_call(machine, 336, 1, 1, 0, 0, 0, 0)
        assert isinstance(size, int) and size >= 21 * 4


def test_groups_and_sessions(tmp_path: Path) -> None:
    text = """
    call    147
    expect  cs, 1                   // the runner made it a leader already: EPERM
    cmp     x0, #1
    expect  eq, 2
""" + _FORK + _WAIT + """
    addr    x1, status
    ldr     w0, [x1]
    lsr     w0, w0, #8
    exit    x0
Lchild:
    mov     x19, x0
    call    81
    cmp     x0, x19
    expect  ne, 3
    mov     x0, #0
    mov     x1, #0
    call    82
    expect  cc, 4
    call    81
    cmp     x0, x19
    expect  eq, 5
    mov     x0, #0
    call    310
    expect  cc, 6
    mov     x0, #0
    mov     x1, #-1
    call    82
    expect  cs, 7
    mov     x0, #0
    call    151
    cmp     x0, x19
    expect  eq, 8
    exit    #0
""" + _STATUS
    assert 0 == run(tmp_path, text).code


def test_nanosleep_ends_with_etimedout(tmp_path: Path) -> None:
    text = """
    mov     x0, #0
    mov     x1, #0
    mov     x2, #1
    mov     x3, #1
    mov     x4, #0
    movz    x5, #0x4c4, lsl #16      // 80 ms
    call    334
    expect  cs, 1
    exit    x0
"""
    began = time.monotonic()
    assert 60 == run(tmp_path, text).code
    assert time.monotonic() - began >= 0.08


def test_fork_can_be_made_to_fail(tmp_path: Path) -> None:
    text = _FORK + "    expect cs, 1\n    exit x0\nLchild:\n    exit #2\n"
    assert 35 == run(tmp_path, text, plan=[Fault("fork", error=35)]).code


def test_no_process_outlives_the_runner(tmp_path: Path) -> None:
    # The child leaves the group and sleeps for ever; stopping the parent ends it too.
    text = _FORK + """
    addr    x1, status
    str     w0, [x1]
    mov     x0, #1
    mov     x2, #8
    call    4
    mov     x0, #0
    call    111
Lchild:
    call    147
    mov     x0, #0
    call    111
""" + _STATUS
    process = start(tmp_path, text)
    while len(process.output) < 8:
        time.sleep(0.005)
    child = unpack_from("<I", process.output)[0]
    process.stop(1.0)
    deadline = time.monotonic() + 2
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.strip().startswith(b"Z")


def test_a_forked_child_may_outlive_its_parent_and_is_adopted(tmp_path: Path) -> None:
    text = """
    call    42
    mov     x20, x1
""" + _FORK + """
    exit    #0
Lchild:
Lagain:
    call    39
    cmp     x0, x19
    mov     x0, #1
    addr    x1, status
    mov     x2, #1
    call    4
    exit    #0
""" + _STATUS
    with start(tmp_path, text) as process:
        done = finish(process)
        assert 0 == done.code
        deadline = time.monotonic() + 2
        while not process.output and time.monotonic() < deadline:
            time.sleep(0.01)
        assert 1 == len(process.output)


def test_stopping_and_continuing_are_told_to_the_parent(tmp_path: Path) -> None:
    text = """
    call    2
    cbnz    x1, Lchild
    mov     x21, x0
    bl      wait_for_change         // SIGSTOP is 17
    movz    w9, #0x117f
    cmp     w0, w9
    expect  eq, 1
    mov     x0, x21
    mov     x1, #19
    mov     x2, #1
    call    37
    bl      wait_for_change
    movz    w9, #0x137f
    cmp     w0, w9
    expect  eq, 2
    mov     x0, x21
    mov     x1, #9
    mov     x2, #1
    call    37
    bl      wait_for_change
    cmp     w0, #9
    expect  eq, 3
    exit    #0
wait_for_change:
    mov     x0, x21
    addr    x1, status
    mov     x2, #0x12               // WUNTRACED, WCONTINUED
    mov     x3, #0
    call    7
    addr    x1, status
    ldr     w0, [x1]
    ret
Lchild:
    call    20
    mov     x1, #17
    mov     x2, #1
    call    37
Lforever:
    b       Lforever
""" + _STATUS
    assert 0 == run(tmp_path, text).code


def test_kill_of_everybody_stays_in_the_run(tmp_path: Path) -> None:
    # A bystander lives on; the caller's own child does not.
    bystander = subprocess.Popen(["sleep", "30"])
    try:
        text = _FORK + """
    mov     x0, #-1
    mov     x1, #15
    mov     x2, #0                  // not the caller itself
    call    37
    expect  cc, 1
""" + _WAIT + """
    addr    x1, status
    ldr     w0, [x1]
    exit    x0
Lchild:
    mov     x0, #0
    call    111
""" + _STATUS
        assert 15 == run(tmp_path, text).code
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
