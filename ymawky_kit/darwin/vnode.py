"""What a descriptor names: a file with a place in a file system, or something else.

Darwin calls the former a vnode, and many calls take nothing else (XNU
bsd/kern/kern_descrip.c, fp_getfvp).
"""

from __future__ import annotations

import fcntl
import os
import stat

from ymawky_kit.darwin.errno import (
    ENOTSUP,
    Errno,
)
from ymawky_kit.darwin.path import translated
from ymawky_kit.darwin.task import Task


def is_vnode(task: Task, fd: int) -> bool:
    """True for what has a name in a file system; False for sockets, pipes, kqueues.

    Raises Errno(EBADF).
    """
    description = task.files.get(fd)
    if description is not None and description.kind in ("socket", "kqueue", "pipe"):
        return False
    with translated():
        mode = os.fstat(fd).st_mode
    return not stat.S_ISSOCK(mode)


def require_vnode(task: Task, fd: int, number: int = ENOTSUP) -> None:
    """Raise Errno(`number`) for a descriptor without a file behind it."""
    if not is_vnode(task, fd):
        raise Errno(number)


def must_be_open(fd: int) -> None:
    """EBADF comes before EFAULT."""
    with translated():
        fcntl.fcntl(fd, fcntl.F_GETFD)
