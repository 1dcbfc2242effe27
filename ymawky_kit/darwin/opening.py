"""open and openat.

The host opens; this module translates the flags and keeps Darwin's rules where Linux
has others (XNU bsd/vfs/vfs_vnops.c vn_open_auth, vfs_subr.c vn_authorize_open_existing,
vfs_lookup.c): a socket is EOPNOTSUPP, O_CREAT on a directory opens it, a new name with a
slash behind it is ENOENT.  A FIFO without a partner is slept for in the host's own open.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from functools import cache

from ymawky_kit.darwin import abi, host
from ymawky_kit.darwin.errno import (
    EEXIST,
    EINTR,
    EINVAL,
    EISDIR,
    ENOENT,
    ENOTDIR,
    ENXIO,
    EOPNOTSUPP,
    Errno,
    from_host,
)
from ymawky_kit.darwin.limits import admit
from ymawky_kit.darwin.lock import lock_whole_file
from ymawky_kit.darwin.path import directory, kind_of, open_restricted, translated
from ymawky_kit.darwin.table import (
    DIRFD,
    EINTR_ALWAYS,
    FLAGS,
    FULL,
    INT,
    OCTAL,
    PARTIAL,
    PATH,
    table,
)
from ymawky_kit.darwin.task import Interrupted, Task


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one combination of open flags asks for."""

    flags: int              # the host's
    restricted: bool        # no links, or beneath the directory
    no_symlinks: bool
    beneath: bool
    lock: int               # 0, LOCK_SH, LOCK_EX
    truncate: bool          # only once the lock is held
    close_on_fork: bool


@cache
def _plan(flags: int) -> _Plan:
    """Raises Errno(EINVAL) for flags that exclude each other."""
    mode = flags & abi.O_ACCMODE
    if mode == abi.O_ACCMODE or (mode and flags & abi.O_EXEC):
        raise Errno(EINVAL)
    if flags & abi.O_CREAT and flags & abi.O_DIRECTORY:
        raise Errno(EINVAL)
    if flags & abi.O_NOFOLLOW and flags & abi.O_NOFOLLOW_ANY:
        raise Errno(EINVAL)
    lock = 0
    if flags & abi.O_EXLOCK:
        lock = fcntl.LOCK_EX
    elif flags & abi.O_SHLOCK:
        lock = fcntl.LOCK_SH
    truncate = bool(lock and flags & abi.O_TRUNC)
    no_symlinks = bool(flags & abi.O_NOFOLLOW_ANY)
    beneath = bool(flags & abi.O_RESOLVE_BENEATH)
    return _Plan(
        flags=host.open_flags(flags & ~abi.O_TRUNC if truncate else flags),
        # A Mac host knows O_NOFOLLOW_ANY itself.
        restricted=(no_symlinks and not host.MACOS) or beneath,
        no_symlinks=no_symlinks,
        beneath=beneath,
        lock=lock,
        truncate=truncate,
        close_on_fork=bool(flags & abi.O_CLOFORK),
    )


def _open(task: Task, fd: int, path: bytes, flags: int, mode: int) -> int:
    plan = _plan(flags)
    start = host.AT_FDCWD if fd == abi.AT_FDCWD else fd
    # The umask is the process's own; set-id and sticky bits are stripped.
    mode &= abi.ACCESSPERMS
    try:
        if plan.restricted:
            new = open_restricted(
                start, path, plan.flags, mode,
                no_symlinks=plan.no_symlinks, beneath=plan.beneath,
            )
        else:
            new = host.openat(start, path, plan.flags, mode)
    except OSError as error:
        number = from_host(error.errno)
        if number == EINTR:
            raise Interrupted from None
        return _open_again(task, fd, path, flags, mode, number)
    except Errno as error:
        return _open_again(task, fd, path, flags, mode, error.number)
    admit(task, new)
    if plan.lock:
        _lock_opened(task, new, plan.lock, wait=not flags & abi.O_NONBLOCK, empty=plan.truncate)
    if plan.close_on_fork:
        task.files.close_on_fork.add(new)
    return task.files.given(new)


def _open_again(
    task: Task, fd: int, path: bytes, flags: int, mode: int, number: int
) -> int:
    """Where Linux refuses with another number, or refuses what Darwin does."""
    if number in (EISDIR, ENXIO, ENOTDIR):
        start = directory(fd)
        bare = path.rstrip(b"/") or b"/"
        kind = kind_of(start, bare, follow=not flags & (abi.O_NOFOLLOW | abi.O_SYMLINK))
        if number == ENXIO and kind == abi.S_IFSOCK:
            raise Errno(EOPNOTSUPP)
        if number == ENOTDIR and kind == abi.S_IFLNK and flags & abi.O_NOFOLLOW:
            raise Errno(ENOTDIR)        # O_DIRECTORY is looked at before O_NOFOLLOW
        if flags & abi.O_CREAT and number in (EISDIR, ENOTDIR):
            writes = flags & abi.O_ACCMODE or flags & abi.O_TRUNC
            if kind == abi.S_IFDIR and not writes and not flags & abi.O_EXCL:
                return _open(task, fd, path, flags & ~abi.O_CREAT, mode)
            if kind == 0 and path.endswith(b"/"):
                raise Errno(ENOENT)     # lookup_validate_creation_path
            if kind not in (0, abi.S_IFDIR) and path.endswith(b"/"):
                raise Errno(EEXIST if flags & abi.O_EXCL else ENOTDIR)
    raise Errno(number)


def _lock_opened(task: Task, fd: int, lock: int, *, wait: bool, empty: bool) -> None:
    try:
        lock_whole_file(task, fd, lock, wait=wait)
        if empty:
            with translated():
                os.ftruncate(fd, 0)
    except BaseException:
        os.close(fd)
        raise


@table.syscall(
    5, "open", PATH, FLAGS("open"), OCTAL,
    support=FULL, nocancel=398, on_signal=EINTR_ALWAYS,
)
def open_(task: Task, path: bytes, flags: int, mode: int) -> int:
    """Open or make a file; ELOOP under O_NOFOLLOW and O_NOFOLLOW_ANY, EISDIR, ENOTDIR, EEXIST."""
    return _open(task, abi.AT_FDCWD, path, flags, mode)


@table.syscall(
    463, "openat", DIRFD, PATH, FLAGS("open"), OCTAL,
    support=FULL, nocancel=464, on_signal=EINTR_ALWAYS,
)
def openat(task: Task, fd: int, path: bytes, flags: int, mode: int) -> int:
    """As open, from a directory's descriptor; EACCES for a way out of O_RESOLVE_BENEATH."""
    return _open(task, fd, path, flags, mode)


@table.syscall(
    216, "open_dprotected_np", PATH, FLAGS("open"), INT, INT, OCTAL,
    support=PARTIAL, on_signal=EINTR_ALWAYS,
    note="As open: there are no protection classes.",
)
def open_dprotected_np(
    task: Task, path: bytes, flags: int, _class: int, _dpflags: int, mode: int
) -> int:
    """As open, with a protection class."""
    return _open(task, abi.AT_FDCWD, path, flags, mode)
