"""Run a command so that Ctrl-C reaches it, and not the make that started it.

    python tools/foreground.py COMMAND [ARGUMENTS]

make dies of the interrupt that Ctrl-C sends to all its group, whatever the
command's own exit status is.  So the command gets a process group of its own and
the terminal for as long as it runs; it stops cleanly, and make sees its status 0.
Without a terminal, or in the background, the command simply replaces this process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def main(command: list[str]) -> int:
    terminal = _terminal()
    if terminal is None:
        os.execvp(command[0], command)
    own = os.getpgrp()
    # A background group that touches the terminal would be stopped.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal, os.getpgrp())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(command[0], command)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)    # both sides do it, whoever comes first

    def forward(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, number)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, forward)
    try:
        return _wait(child, own, terminal)
    finally:
        with contextlib.suppress(OSError):
            os.tcsetpgrp(terminal, own)


def _terminal() -> int | None:
    """The terminal on stdin, if this process is in its foreground."""
    try:
        return 0 if os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp() else None
    except OSError:
        return None


def _wait(child: int, own: int, terminal: int) -> int:
    """The command's exit status; Ctrl-Z suspends make and command together."""
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        os.tcsetpgrp(terminal, own)
        os.killpg(own, signal.SIGTSTP)
        os.tcsetpgrp(terminal, child)
        os.killpg(child, signal.SIGCONT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
