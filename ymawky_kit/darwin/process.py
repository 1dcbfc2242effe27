"""Processes: fork, exit, wait, exec, kill, groups and sessions.

Source: XNU bsd/kern/kern_fork.c, kern_exit.c, kern_exec.c, kern_sig.c, kern_prot.c.
"""

from __future__ import annotations

import os
from contextlib import suppress
from resource import struct_rusage
from typing import TYPE_CHECKING

from ymawky_kit.darwin import abi, host_signal
from ymawky_kit.darwin.errno import (
    E2BIG,
    ECHILD,
    EINVAL,
    ENOMEM,
    ESRCH,
    ETIMEDOUT,
    Errno,
)
from ymawky_kit.darwin.host_process import descendants, host_processes
from ymawky_kit.darwin.program import replace_program
from ymawky_kit.darwin.sysinfo import pack_rusage
from ymawky_kit.darwin.table import (
    ADDRESS,
    FLAGS,
    FULL,
    INT,
    KEPT,
    OFFSET,
    PAIR,
    PARTIAL,
    PATH,
    RESTART,
    SIGNAL,
    UINT,
    table,
)

if TYPE_CHECKING:
    from ymawky_kit.darwin.task import Task


@table.syscall(1, "exit", INT, support=FULL, returns=KEPT)
def exit_(task: Task, status: int) -> None:
    """End the process; the parent sees the low 8 bits."""
    task.kernel.exit(status)


@table.syscall(2, "fork", support=FULL, returns=PAIR)
def fork(task: Task) -> tuple[int, int]:
    """A copy of the process: x1 is 0 in the parent, 1 in the child."""
    return task.kernel.fork()


@table.syscall(20, "getpid", support=FULL)
def getpid(_task: Task) -> int:
    """The process's number."""
    return os.getpid()


@table.syscall(39, "getppid", support=FULL)
def getppid(_task: Task) -> int:
    """The parent's number; 1 once it is gone."""
    return os.getppid()


@table.syscall(81, "getpgrp", support=FULL)
def getpgrp(_task: Task) -> int:
    """The process group."""
    return os.getpgrp()


@table.syscall(151, "getpgid", INT, support=FULL)
def getpgid(_task: Task, pid: int) -> int:
    """The group of a process; ESRCH."""
    return os.getpgid(_process(pid))


@table.syscall(82, "setpgid", INT, INT, support=FULL)
def setpgid(_task: Task, pid: int, group: int) -> None:
    """Put a process into a group; EINVAL, EPERM, ESRCH, EACCES."""
    if group < 0:
        raise Errno(EINVAL)
    os.setpgid(_process(pid), group)


@table.syscall(147, "setsid", support=FULL)
def setsid(_task: Task) -> int:
    """A new session; EPERM for a group leader."""
    os.setsid()
    return os.getpid()


@table.syscall(310, "getsid", INT, support=FULL)
def getsid(_task: Task, pid: int) -> int:
    """The session of a process; ESRCH."""
    return os.getsid(_process(pid))


def _process(pid: int) -> int:
    if pid < 0:
        raise Errno(ESRCH)
    return pid


# --- waiting ----------------------------------------------------------------------------------

_WAIT_OPTIONS = (
    (abi.WNOHANG, os.WNOHANG), (abi.WUNTRACED, os.WUNTRACED), (abi.WCONTINUED, os.WCONTINUED),
)


def status_from_host(status: int) -> int:
    """A host's wait status as Darwin writes it."""
    if os.WIFCONTINUED(status):
        return 0x7F | abi.SIGCONT << 8
    if os.WIFSTOPPED(status):
        stopped = os.WSTOPSIG(status)
        return 0x7F | host_signal.FROM_HOST.get(stopped, abi.SIGSTOP) << 8
    if os.WIFSIGNALED(status):
        killed = os.WTERMSIG(status)
        return host_signal.FROM_HOST.get(killed, abi.SIGKILL) | (0x80 if status & 0x80 else 0)
    return os.WEXITSTATUS(status) << 8


@table.syscall(
    7, "wait4", INT, ADDRESS, FLAGS("wait"), ADDRESS,
    support=FULL, nocancel=400, on_signal=RESTART,
)
def wait4(task: Task, pid: int, status: int, options: int, usage: int) -> int:
    """Collect a child; ECHILD when there is none, EINVAL for unknown options."""
    if options & ~(abi.WNOHANG | abi.WUNTRACED | abi.WCONTINUED) or pid == abi.INT_MIN:
        raise Errno(EINVAL)
    host = 0
    for ours, theirs in _WAIT_OPTIONS:
        if options & ours:
            host |= theirs
    found, code, times = _wait(task, pid, host)
    if not found:
        return 0
    if status:
        task.memory.put_u32(status, status_from_host(code))
    if usage:
        task.memory.write(usage, pack_rusage(times))
    return found


def _wait(task: Task, pid: int, options: int) -> tuple[int, int, struct_rusage]:
    signals = task.signals
    if options & os.WNOHANG or not signals.armed:
        return _host_wait(pid, options)
    # Look, then sleep, with signals held: what comes in between ends the sleep.
    signals.watch_children()
    signals.hold()
    try:
        while True:
            found = _host_wait(pid, options | os.WNOHANG)
            if found[0]:
                return found
            signals.sleep_for_child()
    finally:
        signals.let_go()
        signals.unwatch_children()


def _host_wait(pid: int, options: int) -> tuple[int, int, struct_rusage]:
    try:
        return os.wait4(pid, options)
    except ChildProcessError:
        raise Errno(ECHILD) from None


# --- signals to processes ---------------------------------------------------------------------

@table.syscall(37, "kill", INT, SIGNAL, INT, support=PARTIAL,
               note="-1 means the processes of the same run")
def kill(task: Task, pid: int, number: int, posix: int) -> None:
    """Send a signal; EINVAL for no such signal, ESRCH, EPERM."""
    if not 0 <= number < abi.NSIG:
        raise Errno(EINVAL)
    alone = not (task.owns_process or task.kernel.forked)
    if pid == os.getpid() or (alone and pid in (0, -1)):
        if number:
            task.post_signal(number)
        return
    # EMT and INFO do not exist on every host, so nobody can wait for them there.
    host = host_signal.TO_HOST.get(number, 0)
    if pid != -1:
        os.kill(pid, host)
        return
    # Everybody, but only of our own run: the host's other processes are none of ours.
    found = False
    first = task.kernel.first_process
    for other in (first, *descendants(first)):
        if other != os.getpid():
            with suppress(ProcessLookupError):
                os.kill(other, host)
                found = True
    if posix:       # without it, the caller itself is left out
        task.post_signal(number)
    elif not found:
        raise Errno(ESRCH)


@table.syscall(328, "__pthread_kill", UINT, SIGNAL, support=FULL)
def pthread_kill(task: Task, _port: int, number: int) -> None:
    """Send a signal to the only thread there is; EINVAL."""
    if not 0 <= number < abi.NSIG:
        raise Errno(EINVAL)
    if number:
        task.post_signal(number)


@table.syscall(334, "__semwait_signal", INT, INT, INT, INT, OFFSET, INT, support=PARTIAL,
               nocancel=423, note="only as nanosleep uses it: no semaphores")
def semwait_signal(
    task: Task, _condition: int, _mutex: int, timeout: int, relative: int, seconds: int, nanos: int
) -> None:
    """Sleep; ETIMEDOUT at the end of it, EINTR for a signal."""
    if not timeout:
        task.sleep(None)
        raise Errno(EINVAL)
    if seconds < 0 or not 0 <= nanos < 1_000_000_000:
        raise Errno(EINVAL)
    wanted = seconds + nanos / 1e9
    if not relative:
        import time

        wanted = max(0.0, wanted - time.time())
    task.sleep(wanted)
    raise Errno(ETIMEDOUT)


# --- a new program ----------------------------------------------------------------------------

@table.syscall(59, "execve", PATH, ADDRESS, ADDRESS, support=FULL, returns=KEPT)
def execve(task: Task, path: bytes, argv: int, envp: int) -> None:
    """Replace the program: a Mach-O of ours, or anything the host runs.

    ENOENT, EACCES, ENOEXEC, E2BIG and EFAULT come back; a file that looks right and
    cannot be loaded kills the process (XNU exec_mach_imgact).
    """
    arguments = _strings(task, argv)
    environment = _strings(task, envp) if envp else []
    replace_program(task, path, arguments, environment)


def _strings(task: Task, address: int) -> list[bytes]:
    found: list[bytes] = []
    used = 0
    while True:
        pointer = task.memory.u64(address)
        if not pointer:
            return found
        text = task.memory.cstring(pointer, abi.ARG_MAX)
        if text is None or (used := used + len(text) + 9) > abi.ARG_MAX:
            raise Errno(E2BIG)
        found.append(text)
        address += 8


# --- information ------------------------------------------------------------------------------

_PROC_LISTPIDS = 1
_ALL_PIDS, _OF_GROUP, _OF_USER, _OF_PARENT = 1, 2, 4, 6


@table.syscall(336, "proc_info", INT, INT, UINT, OFFSET, ADDRESS, INT, support=PARTIAL,
               note="PROC_INFO_CALL_LISTPIDS of all, of a group, of a user and of a parent")
def proc_info(
    task: Task, call: int, kind: int, flavor: int, _argument: int, buffer: int, size: int
) -> int:
    """List process numbers: bytes written, 4 a process, zombies included; EINVAL, ENOMEM."""
    if call != _PROC_LISTPIDS:
        raise Errno(EINVAL)
    pids = _list(kind, flavor)
    if not buffer:
        return (len(_list(_ALL_PIDS, 0)) + 20) * 4
    if size < 4:
        raise Errno(ENOMEM)
    fitting = pids[:size // 4]
    task.memory.write(buffer, b"".join(pid.to_bytes(4, "little") for pid in fitting))
    return 4 * len(fitting)


def _list(kind: int, value: int) -> list[int]:
    field = {_ALL_PIDS: None, _OF_GROUP: 2, _OF_USER: 3, _OF_PARENT: 1}
    if kind not in field:
        raise Errno(EINVAL)
    index = field[kind]
    return [
        process[0] for process in host_processes() if index is None or process[index] == value
    ]


@table.syscall(521, "abort_with_payload", UINT, OFFSET, ADDRESS, UINT, ADDRESS, OFFSET,
               support=PARTIAL, returns=KEPT, note="the reason is not kept")
def abort_with_payload(
    task: Task, _space: int, _code: int, _payload: int, _size: int, _reason: int, _flags: int
) -> None:
    """End the process with SIGABRT."""
    from ymawky_kit.darwin.task import ProcessEnd

    end = ProcessEnd(signal=abi.SIGABRT)
    task.kernel.ended(end)
    raise end
