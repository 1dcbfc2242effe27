"""Resource limits of a guest process, and the descriptor limit that others ask for.

The numbers a fresh macOS process has are the start.  In a process of the guest's own
those that a host's kernel enforces are also set there; inside a notebook or a test they
are kept here only.  Source: XNU bsd/kern/kern_resource.c (dosetrlimit).
"""

from __future__ import annotations

import os
import resource
from typing import Final

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.errno import EINVAL, EMFILE, EPERM, Errno
from ymawky_kit.darwin.task import Task

Limit = tuple[int, int]     # soft, hard

_UNLIMITED: Final = (abi.RLIM_INFINITY, abi.RLIM_INFINITY)
_PAGE: Final = abi.PAGE_SIZE
_FRESH: Final[dict[int, Limit]] = {
    abi.RLIMIT_STACK: (0x80_0000 - _PAGE, 0x400_0000 - _PAGE),
    abi.RLIMIT_CORE: (0, abi.RLIM_INFINITY),
    abi.RLIMIT_NPROC: (2784, 4176),
    abi.RLIMIT_NOFILE: (abi.NOFILE_SOFT, abi.RLIM_INFINITY),
}
#: Limits the host's kernel keeps for us.
_HOST: Final = {
    abi.RLIMIT_CPU: resource.RLIMIT_CPU,
    abi.RLIMIT_FSIZE: resource.RLIMIT_FSIZE,
    abi.RLIMIT_CORE: resource.RLIMIT_CORE,
    abi.RLIMIT_NOFILE: resource.RLIMIT_NOFILE,
}


def get(task: Task, which: int) -> Limit:
    """Soft and hard limit; raises Errno(EINVAL) for an unknown resource."""
    which &= ~abi.RLIMIT_POSIX_FLAG
    if not 0 <= which < abi.RLIM_NLIMITS:
        raise Errno(EINVAL)
    return task.limits.get(which) or _FRESH.get(which, _UNLIMITED)


def change(task: Task, which: int, soft: int, hard: int) -> None:
    """setrlimit; raises Errno: EINVAL for soft over hard, EPERM for raising the hard one."""
    which &= ~abi.RLIMIT_POSIX_FLAG
    _, old_hard = get(task, which)
    if soft > hard:
        raise Errno(EINVAL)
    if max(soft, hard) > old_hard and os.geteuid() != 0:
        raise Errno(EPERM)
    if task.owns_process and which in _HOST:
        _tell_host(task, _HOST[which], soft)
    task.limits[which] = (soft, hard)


def _tell_host(task: Task, which: int, soft: int) -> None:
    """Set the host's soft limit as near as it goes; its hard one stays the emulator's."""
    _, ceiling = resource.getrlimit(which)
    wanted = resource.RLIM_INFINITY if soft >= abi.RLIM_INFINITY else soft
    if which == resource.RLIMIT_NOFILE:
        # Descriptors above belong to the emulator.
        wanted = task.files.ceiling if wanted < 0 else min(wanted, task.files.ceiling)
    if ceiling != resource.RLIM_INFINITY and (wanted < 0 or wanted > ceiling):
        wanted = ceiling
    resource.setrlimit(which, (wanted, ceiling))


def descriptors(task: Task) -> int:
    """The soft RLIMIT_NOFILE: the first descriptor number there is not."""
    limit = task.limits.get(abi.RLIMIT_NOFILE)
    return abi.NOFILE_SOFT if limit is None else limit[0]


def admit(task: Task, fd: int) -> int:
    """A descriptor the host has just made; closed again and EMFILE beyond the guest's limit."""
    if fd >= descriptors(task):
        os.close(fd)
        raise Errno(EMFILE)
    return fd
