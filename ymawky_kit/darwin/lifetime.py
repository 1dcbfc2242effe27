"""A guest that is a host process of its own: how it begins, speaks and ends."""

from __future__ import annotations

import os
import resource
import signal
from typing import TYPE_CHECKING

from ymawky_kit.darwin import abi, host_signal
from ymawky_kit.emu.exit import ProcessEnd

if TYPE_CHECKING:
    from ymawky_kit.darwin.kernel import Kernel
    from ymawky_kit.darwin.trace import TraceSink


def take_over(kernel: Kernel, trace: TraceSink | None) -> None:
    """Make this host process the guest's own: limits, signals and descriptors are its."""
    task = kernel.task
    task.owns_process = True
    kernel.signals.alone = True
    files = task.files
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < files.ceiling + 64:
        files.ceiling = hard - 64       # a small host: ours are the last 64
    if trace is not None:
        trace.move(files.claim)
    task.limits[abi.RLIMIT_NOFILE] = (abi.NOFILE_SOFT, abi.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(abi.NOFILE_SOFT, soft), hard))
    files.hidden = frozenset()
    # Python ignores SIGPIPE and SIGXFSZ; the first we keep.
    for number, host in host_signal.TO_HOST.items():
        if number != abi.SIGPIPE and signal.getsignal(host) is signal.SIG_IGN \
                and number not in (abi.SIGXFSZ,):
            kernel.signals.inherit_ignored(number)
            if number == abi.SIGCHLD:
                # Still ignored after exec, but no longer reaping by itself.
                host_signal.set_action(host, host_signal.DEFAULT)
    kernel.signals.mask = host_signal.current_mask()


def say(text: str, fd: int = 2) -> None:
    """Lines of our own on standard error, in one write."""
    data = "".join(f"ymawky: {line}\n" for line in text.splitlines()).encode()
    try:
        os.write(fd, data)
    except OSError:
        return      # the guest has closed it: nobody is listening


def finish(end: ProcessEnd) -> None:
    """End this host process as the guest ended; does not return."""
    if end.signal:
        host = host_signal.TO_HOST.get(end.signal, int(signal.SIGKILL))
        try:
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
        except (ValueError, OSError):
            pass        # a core file more is no harm
        host_signal.set_action(host, host_signal.DEFAULT)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [host])
        os.kill(os.getpid(), host)
        os._exit(128 + end.signal)
    os._exit(end.status)
