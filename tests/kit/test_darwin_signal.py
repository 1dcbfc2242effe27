"""Signals and timers as XNU delivers them, seen by programs in assembly."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from struct import unpack_from

import pytest
from support.programs import Finished, boot, finish, run, start, system_call

from ymawky_kit.darwin import abi, host_signal
from ymawky_kit.darwin.kernel import Kernel
from ymawky_kit.emu.machine import CallFault
from ymawky_kit.emu.memory import BadAddress
from ymawky_kit.run import EmulatedRunner

# sigaction(number, &action, 0) for `action` in .data.
_SIGACTION = """
    mov     x0, #{number}
    addr    x1, action
    mov     x2, #0
    call    46
    expect  cc, 90
"""

# struct __sigaction with the handler `handler` and the trampoline `tramp`.
_ACTION = """
.data
.p2align 3
action:
    .quad   handler, tramp
    .long   {mask}, {flags}
"""

_KILL_SELF = """
    call    20
    mov     x1, #{number}
    mov     x2, #1
    call    37
"""

# A trampoline as libc's: call the handler, then sigreturn with what the kernel gave.
_TRAMPOLINE = """
tramp:
    mov     x19, x4
    mov     x20, x1
    mov     x21, x5
    mov     x9, x0
    mov     x0, x2
    blr     x9
    mov     x0, x19
    mov     x1, x20
    mov     x2, x21
    call    184
    exit    #99
"""


def handled(
    number: int, before: str = "", after: str = "", handler: str = "", *, mask: int = 0,
    flags: int = 0, data: str = "",
) -> str:
    """A program that handles a signal with a libc-like trampoline."""
    return (
        _SIGACTION.format(number=number) + before + _KILL_SELF.format(number=number) + after
        + _TRAMPOLINE + "handler:\n" + handler + "    ret\n"
        + _ACTION.format(mask=mask, flags=flags) + data
    )


def test_a_handler_runs_and_the_program_goes_on(tmp_path: Path) -> None:
    text = handled(
        30, after="    addr x1, count\n    ldr x0, [x1]\n    call 1\n",
        handler="    addr x1, count\n    add x0, x0, #10\n    str x0, [x1]\n",
        data="count: .quad 0\n",
    )
    assert 40 == run(tmp_path, text).code


def test_the_trampoline_receives_what_the_kernel_gives_it(tmp_path: Path) -> None:
    # x0 handler, x1 style, x2 signal, x3 siginfo, x4 ucontext, x5 token; flags clear.
    text = _SIGACTION.format(number=30) + """
    cmp     xzr, xzr
    mov     x29, #0x1234
    mov     x28, sp
""" + _KILL_SELF.format(number=30) + """
    exit    #98
tramp:
    mrs     x10, nzcv
    addr    x11, seen
    stp     x0, x1, [x11]
    stp     x2, x3, [x11, #16]
    stp     x4, x5, [x11, #32]
    mov     x12, sp
    stp     x12, x10, [x11, #48]
    stp     x28, x29, [x11, #64]
    mov     x0, #1
    addr    x1, seen
    mov     x2, #80
    call    4
    mov     x0, #1
    mov     x1, sp
    mov     x2, #976
    call    4
    exit    #0
handler:
""" + _ACTION.format(mask=0, flags=0x40) + "seen: .space 80\n"
    done = run(tmp_path, text)
    assert 0 == done.code
    words = unpack_from("<10Q", done.output)
    handler, style, number, info, context, _token, sp, flags, old_sp, x29 = words
    assert (30, 30) == (style, number)
    assert handler > 0x1_0000_0000
    assert 0 == sp % 16
    assert (old_sp - 128 - 976) & ~15 == sp
    assert sp == info
    assert sp + 104 == context
    assert 0 == flags
    assert 0x1234 == x29
    frame = done.output[80:]
    signo, error, _code = unpack_from("<iii", frame)
    assert (30, 0) == (signo, error)
    size, machine = unpack_from("<QQ", frame, 104 + 40)
    assert (816, sp + 160) == (size, machine)
    general = unpack_from("<33Q", frame, 160 + 16)
    assert 0x1234 == general[29]
    assert old_sp == general[31]
    # si_addr is the interrupted pc, right behind the svc of kill.
    assert general[32] == unpack_from("<Q", frame, 24)[0]


def test_every_register_survives_a_handler(tmp_path: Path) -> None:
    fill = "".join(f"    mov x{n}, #{100 + n}\n" for n in range(3, 16))
    fill += "    movi v5.16b, #7\n    cmp xzr, xzr\n"
    check = "    cset x17, cs\n    cmp x17, #0\n    expect eq, 50\n"   # kill cleared carry
    check += "".join(f"    cmp x{n}, #{100 + n}\n    expect eq, {n}\n" for n in range(3, 16))
    check += "    umov w0, v5.b[3]\n    cmp w0, #7\n    expect eq, 60\n    exit #0\n"
    spoil = "".join(f"    mov x{n}, #0\n" for n in range(3, 16)) + "    movi v5.16b, #9\n"
    assert 0 == run(tmp_path, handled(31, before=fill, after=check, handler=spoil)).code


def test_a_program_may_live_in_its_trampoline(tmp_path: Path) -> None:
    text = _SIGACTION.format(number=14) + _KILL_SELF.format(number=14) + """
    exit    #1
tramp:
    exit    x2
handler:
""" + _ACTION.format(mask=0, flags=0)
    assert 14 == run(tmp_path, text).code


def test_a_signal_is_blocked_while_its_handler_runs(tmp_path: Path) -> None:
    # The handler sends itself the signal again; it must run twice, not nested.
    handler = """
    addr    x1, depth
    ldr     x0, [x1]
    cbnz    x0, Lnested
    ldr     x2, [x1, #8]
    add     x2, x2, #1
    str     x2, [x1, #8]
    cmp     x2, #2
    b.eq    Lhandler_done
    mov     x0, #1
    str     x0, [x1]
    mov     x22, x30
    call    20
    mov     x1, #30
    mov     x2, #1
    call    37
    mov     x30, x22
    addr    x1, depth
    str     xzr, [x1]
Lhandler_done:
    ret
Lnested:
    exit    #77
"""
    after = "    addr x1, depth\n    ldr x0, [x1, #8]\n    call 1\n"
    text = handled(30, after=after, handler=handler, data="depth: .quad 0, 0\n")
    assert 2 == run(tmp_path, text).code


def test_leaving_a_handler_by_a_branch_keeps_the_signal_blocked(tmp_path: Path) -> None:
    text = _SIGACTION.format(number=30) + _KILL_SELF.format(number=30) + """
    exit    #1
tramp:
    mov     x0, #3
    mov     x1, #0
    addr    x2, mask
    call    48
    addr    x1, mask
    ldr     w0, [x1]
    lsr     w0, w0, #29             // bit 29 is signal 30
    exit    x0
handler:
""" + _ACTION.format(mask=0, flags=0) + "mask: .long 0\n"
    assert 1 == run(tmp_path, text).code


def test_sa_nodefer_and_sa_resethand_mean_what_they_say(tmp_path: Path) -> None:
    # NODEFER: the mask stays 0. RESETHAND: the second signal finds the default and kills.
    text = handled(
        30, flags=abi.SA_NODEFER | abi.SA_RESETHAND,
        handler="    mov x0, #3\n    mov x1, #0\n    addr x2, mask\n    call 48\n"
                "    addr x1, mask\n    ldr w0, [x1]\n    cbz w0, Lfree\n    exit #5\nLfree:\n",
        after=_KILL_SELF.format(number=30) + "    exit #6\n", data="mask: .long 0\n",
    )
    assert 30 == run(tmp_path, text).signal


def test_sigaction_reads_24_bytes_and_writes_16() -> None:
    with boot() as machine:
        new = machine.alloc(
            (0x100000000).to_bytes(8, "little") + (0x200000000).to_bytes(8, "little")
            + (0xFF).to_bytes(4, "little") + (0x46).to_bytes(4, "little")
        )
        old = machine.alloc(b"\xaa" * 16)
        assert 0 == system_call(machine, 46, 30, new, 0)
        assert 0 == system_call(machine, 46, 30, 0, old)
        handler, mask, flags = unpack_from("<QII", machine.memory.read(old, 16))
        assert (0x100000000, 0xFF, 0x46) == (handler, mask, flags)


@pytest.mark.parametrize("number", [0, -1, 9, 17, 32, 99])
def test_sigaction_refuses_what_cannot_be_caught(number: int) -> None:
    with boot() as machine:
        assert "EINVAL" == system_call(machine, 46, number, 0, 0)


def test_sigaction_reports_bad_pointers() -> None:
    with boot() as machine:
        assert "EFAULT" == system_call(machine, 46, 30, 8, 0)
        assert "EFAULT" == system_call(machine, 46, 30, 0, 8)


def test_sigprocmask_has_darwins_numbers_for_how() -> None:
    with boot() as machine:
        mask = machine.alloc((0b110).to_bytes(4, "little"))
        old = machine.alloc(4)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        try:
            assert 0 == system_call(machine, 48, 1, mask, 0)
            assert 0 == system_call(machine, 48, 99, 0, old)    # how is ignored without a set
            assert 0b110 == machine.memory.u32(old)
            machine.memory.put_u32(mask, 0b100)
            assert 0 == system_call(machine, 48, 2, mask, old)
            assert 0 == system_call(machine, 48, 3, 0, old)
            assert 0b010 == machine.memory.u32(old)
            machine.memory.put_u32(mask, 0b1000)
            assert 0 == system_call(machine, 48, 3, mask, mask)     # one word, in and out
            assert 0b010 == machine.memory.u32(mask)
            assert 0 == system_call(machine, 48, 3, 0, old)
            assert 0b1000 == machine.memory.u32(old)
            machine.memory.put_u32(old, 77)
            assert "EINVAL" == system_call(machine, 48, 0, mask, old)
            assert 77 == machine.memory.u32(old)
            assert "EFAULT" == system_call(machine, 48, 1, 16, 0)
            # KILL and STOP cannot be blocked.
            machine.memory.put_u32(mask, 0xFFFFFFFF)
            assert 0 == system_call(machine, 48, 3, mask, 0)
            assert 0 == system_call(machine, 48, 3, 0, old)
            assert 0xFFFFFFFF & ~(1 << 8 | 1 << 16) == machine.memory.u32(old)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_a_blocked_signal_waits_and_shows_in_sigpending(tmp_path: Path) -> None:
    before = """
    mov     x0, #1
    addr    x1, block
    mov     x2, #0
    call    48
"""
    after = """
    addr    x0, pending
    call    52
    addr    x1, count
    ldr     x0, [x1]
    cmp     x0, #0
    expect  eq, 2
    ldr     w0, [x1, #12]
    tst     w0, #0x20000000
    expect  ne, 3
    mov     x0, #2
    addr    x1, block
    mov     x2, #0
    call    48
    addr    x1, count
    ldr     x0, [x1]
    cmp     x0, #1
    expect  eq, 4
    exit    #0
"""
    handler = "    addr x1, count\n    ldr x0, [x1]\n    add x0, x0, #1\n    str x0, [x1]\n"
    data = "count: .quad 0\nblock: .long 0x20000000\npending: .long 0\n"
    done = run(tmp_path, handled(30, before=before, after=after, handler=handler, data=data))
    assert 0 == done.code, done


def test_the_default_action_kills_and_the_status_says_so(tmp_path: Path) -> None:
    assert 15 == run(tmp_path, _KILL_SELF.format(number=15) + "exit #0").signal
    assert 30 == run(tmp_path, _KILL_SELF.format(number=30) + "exit #0").signal


@pytest.mark.parametrize("number", [16, 19, 20, 23, 28, 29])
def test_some_signals_are_ignored_by_default(tmp_path: Path, number: int) -> None:
    assert 7 == run(tmp_path, _KILL_SELF.format(number=number) + "exit #7").code


def test_an_ignored_signal_does_nothing(tmp_path: Path) -> None:
    text = (
        _SIGACTION.format(number=15) + _KILL_SELF.format(number=15)
        + "exit #3\n.data\n.p2align 3\naction: .quad 1, 0\n.long 0, 0\n"
    )
    assert 3 == run(tmp_path, text).code


_WAIT_IN_READ = """
    mov     x0, #1
    addr    x1, ready
    mov     x2, #1
    call    4
    mov     x0, #0
    addr    x1, buffer
    mov     x2, #16
    call    3
"""


def interrupted_read(
    tmp_path: Path, flags: int, after: str, runner: EmulatedRunner | None = None
) -> Finished:
    text = (
        _SIGACTION.format(number=30) + _WAIT_IN_READ + after + _TRAMPOLINE
        + "handler:\n    ret\n" + _ACTION.format(mask=0, flags=flags)
        + 'ready: .ascii "!\\n"\n.bss\nbuffer: .space 16\n'
    )
    inside, outside = os.pipe()
    try:
        with start(tmp_path, text, stdin=inside, runner=runner) as process:
            while b"!" not in process.output:
                time.sleep(0.005)
            time.sleep(0.05)
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.05)
            os.write(outside, b"abc")
            return finish(process)
    finally:
        os.close(inside)
        os.close(outside)


def test_read_is_interrupted_without_sa_restart(tmp_path: Path) -> None:
    done = interrupted_read(tmp_path, 0, "    expect cs, 1\n    exit x0\n")
    assert abi_errno("EINTR") == done.code, done


def test_read_goes_on_with_sa_restart(tmp_path: Path) -> None:
    done = interrupted_read(tmp_path, abi.SA_RESTART, "    expect cc, 1\n    exit x0\n")
    assert 3 == done.code, done


def test_hosts_without_our_machine_code_deliver_signals_too(tmp_path: Path) -> None:
    plain = EmulatedRunner(machine_code=False)
    done = interrupted_read(tmp_path, 0, "    expect cs, 1\n    exit x0\n", plain)
    assert abi_errno("EINTR") == done.code, done
    done = interrupted_read(tmp_path, abi.SA_RESTART, "    expect cc, 1\n    exit x0\n", plain)
    assert 3 == done.code, done


def abi_errno(name: str) -> int:
    from ymawky_kit.darwin import errno

    return int(getattr(errno, name))


def test_a_signal_before_the_sleep_is_not_lost(tmp_path: Path) -> None:
    # The signal is pending when read begins to sleep: sent while blocked, then freed by
    # sigsuspend's mask, which is put back afterwards.
    text = (
        _SIGACTION.format(number=30)
        + "    mov x0, #3\n    addr x1, block\n    mov x2, #0\n    call 48\n"
        + _KILL_SELF.format(number=30)
        + """
    mov     x0, #0
    call    111
    expect  cs, 1
    cmp     x0, #4
    expect  eq, 2
    addr    x1, count
    ldr     x0, [x1]
    cmp     x0, #1
    expect  eq, 3
    mov     x0, #3
    mov     x1, #0
    addr    x2, pending
    call    48
    addr    x1, pending
    ldr     w0, [x1]
    lsr     w0, w0, #29
    exit    x0
"""
        + _TRAMPOLINE
        + "handler:\n    addr x1, count\n    ldr x0, [x1]\n    add x0, x0, #1\n"
          "    str x0, [x1]\n    ret\n"
        + _ACTION.format(mask=0, flags=0)
        + "count: .quad 0\nblock: .long 0x20000000\npending: .long 0\n"
    )
    assert 1 == run(tmp_path, text).code


def test_a_loop_without_calls_is_interrupted(tmp_path: Path) -> None:
    text = _SIGACTION.format(number=14) + """
    mov     x0, #0
    addr    x1, timer
    mov     x2, #0
    call    83
    expect  cc, 91
Lforever:
    add     x19, x19, #1
    b       Lforever
tramp:
    exit    #14
handler:
""" + _ACTION.format(mask=0, flags=0) + "timer: .quad 0, 0, 0\n .long 20000, 0\n"
    assert 14 == run(tmp_path, text).code


def test_a_periodic_timer_fires_again_and_again(tmp_path: Path) -> None:
    text = _SIGACTION.format(number=14) + """
    mov     x0, #0
    addr    x1, timer
    mov     x2, #0
    call    83
    addr    x19, count
Lwait:
    mov     x0, #0
    call    111
    ldr     x0, [x19]
    cmp     x0, #5
    b.lo    Lwait
    exit    x0
""" + _TRAMPOLINE + """
handler:
    addr    x1, count
    ldr     x0, [x1]
    add     x0, x0, #1
    str     x0, [x1]
    ret
""" + _ACTION.format(mask=0, flags=0) + """
timer: .quad 0
    .long 5000, 0
    .quad 0
    .long 5000, 0
count: .quad 0
"""
    assert 5 == run(tmp_path, text).code


@pytest.mark.parametrize(
    ("which", "seconds", "micros"),
    [(3, 1, 0), (-1, 1, 0), (0, -1, 0), (0, 100_000_001, 0), (0, 0, 1_000_000), (0, 0, -1)],
)
def test_setitimer_refuses_bad_times(which: int, seconds: int, micros: int) -> None:
    with boot() as machine:
        value = seconds.to_bytes(8, "little", signed=True) + micros.to_bytes(
            4, "little", signed=True
        ) + bytes(4)
        assert "EINVAL" == system_call(machine, 83, which, machine.alloc(bytes(16) + value), 0)


def test_setitimer_without_a_new_value_only_reads() -> None:
    with boot() as machine:
        out = machine.alloc(b"\xff" * 32)
        assert 0 == system_call(machine, 83, 1, 0, out)
        assert bytes(32) == machine.memory.read(out, 32)
        assert "EFAULT" == system_call(machine, 86, 0, 8)
        assert "EINVAL" == system_call(machine, 86, 3, out)


def test_a_timer_ends_with_the_machine_that_set_it() -> None:
    """Else the alarm comes later, and kills whoever had called a function that sets one."""
    before = signal.setitimer(signal.ITIMER_REAL, 1000, 7)
    try:
        for own in ((1000, 7), (0, 0)):
            signal.setitimer(signal.ITIMER_REAL, *own)
            with boot() as machine:
                for seconds in (30, 60):
                    timer = bytes(16) + seconds.to_bytes(16, "little")
                    assert 0 == system_call(machine, 83, 0, machine.alloc(timer), 0)
                assert 50 < signal.getitimer(signal.ITIMER_REAL)[0] <= 60
            left, every = signal.getitimer(signal.ITIMER_REAL)
            assert (round(left), every) == own
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)


@pytest.mark.parametrize("blocked", [False, True])
def test_a_timer_that_runs_out_ends_the_guest_and_not_the_program_around_it(blocked: bool) -> None:
    """A function that only sets a timer, called in a notebook, would kill the notebook."""
    with boot("spin: b spin") as machine:
        if blocked:
            mask = machine.alloc((1 << abi.SIGALRM - 1).to_bytes(4, "little"))
            assert 0 == system_call(machine, 48, 1, mask, 0)
        timer = bytes(16) + (0).to_bytes(8, "little") + (1000).to_bytes(8, "little")
        assert 0 == system_call(machine, 83, 0, machine.alloc(timer), 0)
        if blocked:
            while signal.getitimer(signal.ITIMER_REAL)[0]:
                time.sleep(0.001)
        else:
            with pytest.raises(CallFault, match="killed by signal 14"):
                machine.call("spin")
    assert set() == signal.sigpending()
    assert signal.SIGALRM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_wait_for_a_child_leaves_no_handler_behind() -> None:
    """It would write into memory of a machine that is gone, at the next child's end."""
    text = """
    exit    #0
spawn:
    call    2
    cbnz    x1, Lchild
    mov     x0, #-1
    mov     x1, #0
    mov     x2, #0
    mov     x3, #0
    call    7
    ret
Lchild:
    exit    #3
""" + _TRAMPOLINE + "handler: ret" + _ACTION.format(mask=0, flags=0)
    with boot(text) as machine:
        assert 0 == system_call(machine, 46, abi.SIGTERM, machine.address("action"), 0)
        try:
            machine.call("spawn")
        finally:
            if isinstance(machine.kernel, Kernel) and machine.kernel.forked:
                os._exit(1)
    before = host_signal.set_action(signal.SIGCHLD, host_signal.DEFAULT)
    assert host_signal.DEFAULT == before


def test_a_handler_can_run_on_another_stack(tmp_path: Path) -> None:
    text = """
    addr    x0, stack
    mov     x1, #0
    call    53
    expect  cc, 91
""" + _SIGACTION.format(number=30) + _KILL_SELF.format(number=30) + """
    exit    #1
tramp:
    addr    x9, area
    mov     x10, sp
    cmp     x10, x9
    expect  hs, 2
    add     x9, x9, #16384
    cmp     x10, x9
    expect  lo, 3
    ldr     w0, [x4]                // uc_onstack: not on it before
    cmp     w0, #0
    expect  eq, 4
    mov     x0, #0
    addr    x1, stack
    call    53
    addr    x1, stack
    ldr     w0, [x1, #16]
    exit    x0                      // SS_ONSTACK
handler:
""" + _ACTION.format(mask=0, flags=abi.SA_ONSTACK) + """
stack: .quad area, 16384, 0
.bss
.p2align 4
area: .space 16384
"""
    assert abi.SS_ONSTACK == run(tmp_path, text).code


def test_sigaltstack_refuses_small_stacks_and_odd_flags() -> None:
    with boot() as machine:
        def stack(size: int, flags: int) -> int:
            return machine.alloc(
                (0x300000000).to_bytes(8, "little") + size.to_bytes(8, "little")
                + flags.to_bytes(8, "little")
            )

        assert "ENOMEM" == system_call(machine, 53, stack(8191, 0), 0)
        assert "EINVAL" == system_call(machine, 53, stack(16384, 1), 0)
        assert 0 == system_call(machine, 53, stack(8192, 0), 0)
        out = machine.alloc(24)
        assert 0 == system_call(machine, 53, 0, out)
        assert 8192 == machine.memory.u64(out + 8)


def test_sigreturn_checks_its_context() -> None:
    with boot() as machine:
        assert "EFAULT" == system_call(machine, 184, 64, 1, 0)
        bad = machine.alloc(56)
        assert "EINVAL" == system_call(machine, 184, bad, 1, 0)     # uc_mcsize is not 816


def test_two_styles_of_sigreturn_only_set_the_stack_flag() -> None:
    with boot() as machine:
        old = machine.alloc(24)
        for style, flags in ((0x40000000, abi.SS_ONSTACK), (0x80000000, 0)):
            assert 0 == system_call(machine, 184, 7, style, 0)
            assert 0 == system_call(machine, 53, 0, old)
            assert abi.SS_DISABLE | flags == machine.memory.u32(old + 16)


def test_a_handler_with_no_stack_kills(tmp_path: Path) -> None:
    text = handled(30, before="    mov sp, x0\n    mov x9, #64\n    mov sp, x9\n",
                   after="exit #0\n")
    assert 4 == run(tmp_path, text).signal


def test_a_fault_can_be_caught_and_tells_its_address(tmp_path: Path) -> None:
    text = _SIGACTION.format(number=11) + """
    mov     x9, #0x40
    ldr     x0, [x9]
    exit    #1
tramp:
    cmp     x2, #11
    expect  eq, 2
    ldr     x0, [x3, #24]           // si_addr
    cmp     x0, #0x40
    expect  eq, 3
    ldr     x0, [x4, #104 - 48]     // mcontext starts 56 behind the ucontext: far
    cmp     x0, #0x40
    expect  eq, 4
    ldr     w0, [x3, #8]
    exit    x0                      // SEGV_MAPERR
handler:
""" + _ACTION.format(mask=0, flags=0x40)
    assert 1 == run(tmp_path, text).code


def test_a_blocked_fault_kills(tmp_path: Path) -> None:
    text = (
        _SIGACTION.format(number=11)
        + "    mov x0, #3\n    addr x1, block\n    mov x2, #0\n    call 48\n"
        + "    mov x9, #0x40\n    ldr x0, [x9]\n    exit #1\ntramp:\n    exit #2\nhandler:\n"
        + _ACTION.format(mask=0, flags=0) + "block: .long 0x400\n"
    )
    assert 11 == run(tmp_path, text).signal


def test_a_restart_backs_up_to_the_svc_with_every_register_intact(tmp_path: Path) -> None:
    # The handler looks at the saved pc and x16, x0: the call has not happened yet.
    text = _SIGACTION.format(number=30) + _WAIT_IN_READ + """
    exit    #1
tramp:
    add     x9, x4, #56
    ldr     x0, [x9, #16]
    cmp     x0, #0
    expect  eq, 2
    ldr     x0, [x9, #16 + 8 * 16]
    cmp     x0, #3
    expect  eq, 3
    ldr     x0, [x9, #16 + 8 * 32]
    ldr     w1, [x0]
    movz    w2, #0x1001
    movk    w2, #0xd400, lsl #16
    cmp     w1, w2
    expect  eq, 4
    exit    #42
handler:
""" + _ACTION.format(mask=0, flags=abi.SA_RESTART) + (
        'ready: .ascii "!\\n"\n.bss\nbuffer: .space 16\n'
    )
    inside, outside = os.pipe()
    try:
        with start(tmp_path, text, stdin=inside) as process:
            while b"!" not in process.output:
                time.sleep(0.005)
            time.sleep(0.05)
            process.send_signal(signal.SIGUSR1)
            assert 42 == process.wait(5).code, process.errors
    finally:
        os.close(inside)
        os.close(outside)


def test_guest_memory_checks_reach_the_caller() -> None:
    with boot() as machine, pytest.raises(BadAddress):
        machine.memory.read(0x1000, 1)


def test_a_storm_of_signals_loses_no_call_and_no_register(tmp_path: Path) -> None:
    # A timer of 300 microseconds interrupts a loop of 16,000 calls: every write
    # is whole or restarted, every register stays, the handlers really ran.
    text = _SIGACTION.format(number=14) + """
    call    42
    mov     x21, x0
    mov     x22, x1
    mov     x0, #0
    addr    x1, timer
    mov     x2, #0
    call    83
    movz    x19, #8000
    movz    x23, #0x5a5a
    movi    v9.16b, #3
Lagain:
    mov     x0, x22
    addr    x1, count
    mov     x2, #1
    mov     x24, #0x24
    call    4
    expect  cc, 2
    cmp     x0, #1
    expect  eq, 3
    mov     x0, x21
    addr    x1, buffer
    mov     x2, #1
    call    3
    expect  cc, 4
    cmp     x0, #1
    expect  eq, 5
    movz    x9, #0x5a5a
    cmp     x23, x9
    expect  eq, 6
    cmp     x24, #0x24
    expect  eq, 7
    umov    w9, v9.b[15]
    cmp     w9, #3
    expect  eq, 8
    subs    x19, x19, #1
    b.ne    Lagain
    addr    x1, count
    ldr     x0, [x1]
    cmp     x0, #20
    expect  hi, 9
    exit    #0
tramp:
    addr    x9, count
    ldr     x10, [x9]
    add     x10, x10, #1
    str     x10, [x9]
    movi    v9.16b, #0
    mov     x23, #0
    mov     x24, #0
    mov     x0, x4
    mov     x2, x5
    call    184
handler:
""" + _ACTION.format(mask=0, flags=abi.SA_RESTART) + """
timer: .quad 0
    .long 300, 0
    .quad 0
    .long 300, 0
count: .quad 0
.bss
buffer: .space 8
"""
    done = run(tmp_path, text)
    assert 0 == done.code, done


def test_the_stack_ends_where_macos_ends_it(tmp_path: Path) -> None:
    # Recursion without end: SIGSEGV on the page below 8 MiB less one page.
    text = "Ldeeper:\n    stp x29, x30, [sp, #-16]!\n    bl Ldeeper\n"
    done = run(tmp_path, text)
    assert abi.SIGSEGV == done.signal
    assert "no memory at 0x16f603ff0 while storing" in done.errors


def test_a_handler_may_fork_and_both_return_from_it(tmp_path: Path) -> None:
    text = handled(
        30,
        handler="""
    mov     x22, x30
    call    2
    mov     x23, x1
    mov     x30, x22
""",
        after="""
    cbnz    x23, Lchild
    mov     x0, #-1
    addr    x1, status
    mov     x2, #0
    mov     x3, #0
    call    7
    addr    x1, status
    ldr     w0, [x1]
    lsr     w0, w0, #8
    exit    x0
Lchild:
    exit    #33
""",
        data="status: .quad 0\n",
    )
    # sigreturn brings back every register, x23 too: leave the answer in memory instead.
    text = text.replace("    mov     x23, x1\n", "    addr x9, answer\n    str x1, [x9]\n")
    text = text.replace("    cbnz    x23, Lchild\n",
                        "    addr x9, answer\n    ldr x9, [x9]\n    cbnz x9, Lchild\n")
    assert 33 == run(tmp_path, text + "answer: .quad 0\n").code
