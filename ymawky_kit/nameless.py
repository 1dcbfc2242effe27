"""Files without a name: nothing is left behind, however a process ends."""

from __future__ import annotations

import fcntl
import os


def nameless(*, append: bool = False) -> int:
    """The descriptor of a new file to read and to write, in memory where the system has such.

    With `append` every write goes to the end, also when several processes write.
    """
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("ymawky")          # closed on exec
    else:
        import tempfile
        from pathlib import Path

        fd, name = tempfile.mkstemp(prefix="ymawky-")
        Path(name).unlink()
    if append:
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_APPEND)
    return fd
