"""Calls that name a file: open, stat, rename, unlink and their relatives.

The host's file system answers; this module translates numbers and keeps Darwin's
rules where Linux has others (bsd/vfs/vfs_syscalls.c, vfs_lookup.c, vfs_subr.c):
unlink of a directory is EPERM, opening a socket EOPNOTSUPP, O_CREAT on a directory
opens it, a new name with a slash behind it is ENOENT.  Case and Unicode
normalisation of names are the host's.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

from ymawky_kit.darwin import abi, host
from ymawky_kit.darwin.descriptor import lock_whole_file, require_vnode
from ymawky_kit.darwin.errno import (
    EEXIST,
    EFBIG,
    EINTR,
    EINVAL,
    EISDIR,
    ENOENT,
    ENOTDIR,
    ENOTEMPTY,
    ENOTSUP,
    ENXIO,
    EOPNOTSUPP,
    EPERM,
    Errno,
    from_host,
)
from ymawky_kit.darwin.limits import admit
from ymawky_kit.darwin.path import directory, open_restricted, translated, without_links
from ymawky_kit.darwin.structs import STAT, STATFS64
from ymawky_kit.darwin.table import (
    ADDRESS,
    DIRFD,
    EINTR_ALWAYS,
    FD,
    FLAGS,
    FULL,
    INT,
    OCTAL,
    OFFSET,
    OUTPUT,
    PARTIAL,
    PATH,
    SIZE,
    TEXT,
    UINT,
    Kind,
    table,
)
from ymawky_kit.darwin.task import Interrupted, Task

#: A path that may be NULL: fstatat64 with AT_FDONLY does not look at it.
_PATH_OR_NULL: Final = Kind("path", "task.path({x}) if {x} else b''", PATH.show)

#: Looks a path up for a call that acts on the last name itself.
_NOFOLLOW: Final = abi.AT_SYMLINK_NOFOLLOW | abi.AT_SYMLINK_NOFOLLOW_ANY


def _check_flags(flags: int, known: int) -> None:
    if flags & ~known:
        raise Errno(EINVAL)


@contextmanager
def place(fd: int, path: bytes, *, no_symlinks: bool) -> Iterator[tuple[int, bytes]]:
    """The host's directory and the name to give it; raises Errno, also for OSError inside."""
    if no_symlinks:
        with without_links(directory(fd), path) as found:
            yield found
    else:
        with translated():
            yield directory(fd), path


# --- open -------------------------------------------------------------------------------


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
    return new


def _open_again(
    task: Task, fd: int, path: bytes, flags: int, mode: int, number: int
) -> int:
    """Where Linux refuses with another number, or refuses what Darwin does."""
    if number in (EISDIR, ENXIO, ENOTDIR):
        start = directory(fd)
        bare = path.rstrip(b"/") or b"/"
        kind = _kind_of(start, bare, follow=not flags & (abi.O_NOFOLLOW | abi.O_SYMLINK))
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


def _kind_of(start: int, path: bytes, *, follow: bool) -> int:
    """The S_IFMT part of a file's mode; 0 when there is none."""
    try:
        return host.status(start, path, follow=follow).mode & abi.S_IFMT
    except OSError:
        return 0


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


# --- stat -------------------------------------------------------------------------------


def _stat64(task: Task, start: int, path: bytes, address: int, *, follow: bool = True) -> int:
    try:
        data = host.stat64(start, path, follow)
    except OSError as error:
        raise Errno(from_host(error.errno)) from None
    task.memory.write(address, data)
    return 0


def _stat_old(task: Task, start: int, path: bytes, address: int, *, follow: bool = True) -> int:
    with translated():
        found = host.status(start, path, follow=follow)
    data = STAT.codec.pack(
        found.device, found.inode & 0xFFFFFFFF, found.mode, found.links, found.uid, found.gid,
        found.special_device, found.accessed, found.accessed_ns, found.modified,
        found.modified_ns, found.changed, found.changed_ns, found.size, found.blocks,
        found.block_size, 0, 0, 0, b"",
    )
    task.memory.write(address, data)
    return 0


@table.syscall(338, "stat64", PATH, ADDRESS, support=FULL)
def stat64(task: Task, path: bytes, address: int) -> int:
    """What a file is, 144 bytes; links are followed."""
    return _stat64(task, host.AT_FDCWD, path, address)


@table.syscall(339, "fstat64", FD, ADDRESS, support=FULL)
def fstat64(task: Task, fd: int, address: int) -> int:
    """What an open file is, 144 bytes. EBADF."""
    return _stat64(task, fd, b"", address)


@table.syscall(340, "lstat64", PATH, ADDRESS, support=FULL)
def lstat64(task: Task, path: bytes, address: int) -> int:
    """What a name is, 144 bytes; a link itself."""
    return _stat64(task, host.AT_FDCWD, path, address, follow=False)


@table.syscall(188, "stat", PATH, ADDRESS, support=FULL)
def stat_(task: Task, path: bytes, address: int) -> int:
    """As stat64, the older form of 120 bytes with 32-bit inode numbers."""
    return _stat_old(task, host.AT_FDCWD, path, address)


@table.syscall(189, "fstat", FD, ADDRESS, support=FULL)
def fstat(task: Task, fd: int, address: int) -> int:
    """As fstat64, the older form of 120 bytes."""
    return _stat_old(task, fd, b"", address)


@table.syscall(190, "lstat", PATH, ADDRESS, support=FULL)
def lstat(task: Task, path: bytes, address: int) -> int:
    """As lstat64, the older form of 120 bytes."""
    return _stat_old(task, host.AT_FDCWD, path, address, follow=False)


_STATAT_FLAGS: Final = _NOFOLLOW | abi.AT_REALDEV | abi.AT_FDONLY
_Stat = Callable[..., int]


def _statat(task: Task, how: _Stat, fd: int, path: bytes, address: int, flags: int) -> int:
    _check_flags(flags, _STATAT_FLAGS)
    if flags & abi.AT_FDONLY:
        return how(task, fd, b"", address)
    if not path:
        raise Errno(ENOENT)
    with place(fd, path, no_symlinks=bool(flags & abi.AT_SYMLINK_NOFOLLOW_ANY)) as (start, name):
        return how(task, start, name, address, follow=not flags & _NOFOLLOW)


@table.syscall(470, "fstatat64", DIRFD, _PATH_OR_NULL, ADDRESS, FLAGS("at"), support=FULL)
def fstatat64(task: Task, fd: int, path: bytes, address: int, flags: int) -> int:
    """As stat64, from a directory; EINVAL for flags it does not know."""
    return _statat(task, _stat64, fd, path, address, flags)


@table.syscall(469, "fstatat", DIRFD, _PATH_OR_NULL, ADDRESS, FLAGS("at"), support=FULL)
def fstatat(task: Task, fd: int, path: bytes, address: int, flags: int) -> int:
    """As fstatat64, the older form of 120 bytes."""
    return _statat(task, _stat_old, fd, path, address, flags)


# --- access, mode, owner ----------------------------------------------------------------


def _access(fd: int, path: bytes, mode: int, flags: int) -> int:
    if mode & ~(abi.R_OK | abi.W_OK | abi.X_OK):
        raise Errno(EINVAL)
    with place(fd, path, no_symlinks=bool(flags & abi.AT_SYMLINK_NOFOLLOW_ANY)) as (start, name):
        host.access(
            start, name, mode,
            effective=bool(flags & abi.AT_EACCESS), follow=not flags & _NOFOLLOW,
        )
    return 0


@table.syscall(33, "access", PATH, FLAGS("access"), support=FULL)
def access(_task: Task, path: bytes, mode: int) -> int:
    """May the real user read, write, execute? EACCES if not, EINVAL for other bits."""
    return _access(abi.AT_FDCWD, path, mode, 0)


@table.syscall(466, "faccessat", DIRFD, PATH, FLAGS("access"), FLAGS("at"), support=FULL)
def faccessat(_task: Task, fd: int, path: bytes, mode: int, flags: int) -> int:
    """As access, from a directory; AT_EACCESS asks for the effective user."""
    _check_flags(flags, abi.AT_EACCESS | _NOFOLLOW)
    return _access(fd, path, mode, flags)


@table.syscall(15, "chmod", PATH, OCTAL, support=FULL)
def chmod(_task: Task, path: bytes, mode: int) -> int:
    """Set a file's mode."""
    with translated():
        host.change_mode(host.AT_FDCWD, path, mode & abi.ALLPERMS)
    return 0


@table.syscall(124, "fchmod", FD, OCTAL, support=FULL)
def fchmod(task: Task, fd: int, mode: int) -> int:
    """Set an open file's mode; EINVAL for a pipe."""
    require_vnode(task, fd, EINVAL)
    with translated():
        os.fchmod(fd, mode & abi.ALLPERMS)
    return 0


@table.syscall(
    467, "fchmodat", DIRFD, PATH, OCTAL, FLAGS("at"), support=PARTIAL,
    note="The mode of a symbolic link itself cannot be set where the host's links have none.",
)
def fchmodat(_task: Task, fd: int, path: bytes, mode: int, flags: int) -> int:
    """Set a mode, from a directory."""
    _check_flags(flags, _NOFOLLOW)
    with place(fd, path, no_symlinks=bool(flags & abi.AT_SYMLINK_NOFOLLOW_ANY)) as (start, name):
        host.change_mode(start, name, mode & abi.ALLPERMS, follow=not flags & _NOFOLLOW)
    return 0


def _owner(number: int) -> int:
    return -1 if number == 0xFFFFFFFF else number


@table.syscall(16, "chown", PATH, UINT, UINT, support=FULL)
def chown(_task: Task, path: bytes, uid: int, gid: int) -> int:
    """Set a file's owner and group; -1 leaves one alone. EPERM."""
    with translated():
        os.chown(path, _owner(uid), _owner(gid))
    return 0


@table.syscall(123, "fchown", FD, UINT, UINT, support=FULL)
def fchown(task: Task, fd: int, uid: int, gid: int) -> int:
    """Set an open file's owner and group; EINVAL for a pipe."""
    require_vnode(task, fd, EINVAL)
    with translated():
        os.fchown(fd, _owner(uid), _owner(gid))
    return 0


@table.syscall(468, "fchownat", DIRFD, PATH, UINT, UINT, FLAGS("at"), support=FULL)
def fchownat(_task: Task, fd: int, path: bytes, uid: int, gid: int, flags: int) -> int:
    """Set owner and group, from a directory."""
    _check_flags(flags, _NOFOLLOW)
    with place(fd, path, no_symlinks=bool(flags & abi.AT_SYMLINK_NOFOLLOW_ANY)) as (start, name):
        os.chown(
            name, _owner(uid), _owner(gid),
            dir_fd=_optional(start), follow_symlinks=not flags & _NOFOLLOW,
        )
    return 0


def _optional(start: int) -> int | None:
    return None if start == host.AT_FDCWD else start


# --- names ------------------------------------------------------------------------------


def _link(old_fd: int, old: bytes, new_fd: int, new: bytes, *, follow: bool) -> int:
    with translated():
        host.link(directory(old_fd), old, directory(new_fd), new, follow=follow)
    return 0


@table.syscall(9, "link", PATH, PATH, support=FULL)
def link(_task: Task, old: bytes, new: bytes) -> int:
    """A second name for a file; follows a link, unlike Linux. EPERM for a directory."""
    return _link(abi.AT_FDCWD, old, abi.AT_FDCWD, new, follow=True)


@table.syscall(471, "linkat", DIRFD, PATH, DIRFD, PATH, FLAGS("at"), support=FULL)
def linkat(_task: Task, old_fd: int, old: bytes, new_fd: int, new: bytes, flags: int) -> int:
    """A second name, from directories; follows with AT_SYMLINK_FOLLOW only."""
    _check_flags(flags, abi.AT_SYMLINK_FOLLOW | abi.AT_SYMLINK_NOFOLLOW_ANY)
    if flags & abi.AT_SYMLINK_NOFOLLOW_ANY:
        with without_links(directory(old_fd), old) as (start, name):
            return _link_name(start, name, directory(new_fd), new)
    return _link(old_fd, old, new_fd, new, follow=bool(flags & abi.AT_SYMLINK_FOLLOW))


def _link_name(start: int, name: bytes, target: int, new: bytes) -> int:
    with without_links(target, new) as (folder, new_name):
        host.link(start, name, folder, new_name, follow=False)
    return 0


@table.syscall(57, "symlink", TEXT, PATH, support=FULL)
def symlink(_task: Task, target: bytes, name: bytes) -> int:
    """Make a symbolic link. EEXIST."""
    with translated():
        os.symlink(target, name)
    return 0


@table.syscall(474, "symlinkat", TEXT, DIRFD, PATH, support=FULL)
def symlinkat(_task: Task, target: bytes, fd: int, name: bytes) -> int:
    """Make a symbolic link, from a directory."""
    with translated():
        os.symlink(target, name, dir_fd=_optional(directory(fd)))
    return 0


def _readlink(task: Task, fd: int, path: bytes, address: int, size: int) -> int:
    if size > abi.INT_MAX:
        raise Errno(EINVAL)
    with translated():
        found = os.readlink(path, dir_fd=_optional(directory(fd)))
    task.memory.write(address, found[:size])
    return min(len(found), size)


@table.syscall(58, "readlink", PATH, OUTPUT, SIZE, support=FULL)
def readlink(task: Task, path: bytes, address: int, size: int) -> int:
    """A link's target, without a NUL, cut to the buffer. EINVAL for no link."""
    return _readlink(task, abi.AT_FDCWD, path, address, size)


@table.syscall(473, "readlinkat", DIRFD, PATH, OUTPUT, SIZE, support=FULL)
def readlinkat(task: Task, fd: int, path: bytes, address: int, size: int) -> int:
    """As readlink, from a directory."""
    return _readlink(task, fd, path, address, size)


@table.syscall(
    551, "freadlink", FD, OUTPUT, SIZE, support=PARTIAL, since="13",
    note="Needs a host that can hold a link open (Linux); elsewhere EINVAL.",
)
def freadlink(task: Task, fd: int, address: int, size: int) -> int:
    """The target of a link that was opened with O_SYMLINK."""
    if size > abi.INT_MAX:
        raise Errno(EINVAL)
    with translated():
        if not stat.S_ISLNK(os.fstat(fd).st_mode):
            raise Errno(EINVAL)
        try:
            found = os.readlink(b"", dir_fd=fd)
        except FileNotFoundError:
            raise Errno(EINVAL) from None
    task.memory.write(address, found[:size])
    return min(len(found), size)


def _unlink(fd: int, path: bytes, *, no_symlinks: bool = False) -> int:
    try:
        with place(fd, path, no_symlinks=no_symlinks) as (start, name):
            os.unlink(name, dir_fd=_optional(start))
    except Errno as error:
        if error.number == EISDIR:
            raise Errno(EPERM) from None
        raise
    return 0


def _rmdir(fd: int, path: bytes, *, no_symlinks: bool = False) -> int:
    with place(fd, path, no_symlinks=no_symlinks) as (start, name):
        os.rmdir(name, dir_fd=_optional(start))
    return 0


@table.syscall(10, "unlink", PATH, support=FULL)
def unlink(_task: Task, path: bytes) -> int:
    """Take a name away; of a directory EPERM, where Linux says EISDIR."""
    return _unlink(abi.AT_FDCWD, path)


@table.syscall(137, "rmdir", PATH, support=FULL)
def rmdir(_task: Task, path: bytes) -> int:
    """Remove an empty directory; ENOTEMPTY, ENOTDIR, EINVAL for "."."""
    return _rmdir(abi.AT_FDCWD, path)


#: Private flags that unlinkat accepts: AT_REMOVEDIR_DATALESS, AT_SYSTEM_DISCARDED.
_UNLINK_PRIVATE: Final = 0x100 | 0x1000


@table.syscall(472, "unlinkat", DIRFD, PATH, FLAGS("at"), support=FULL)
def unlinkat(_task: Task, fd: int, path: bytes, flags: int) -> int:
    """As unlink, or with AT_REMOVEDIR as rmdir, from a directory."""
    _check_flags(flags, abi.AT_REMOVEDIR | abi.AT_SYMLINK_NOFOLLOW_ANY | _UNLINK_PRIVATE)
    remove = _rmdir if flags & (abi.AT_REMOVEDIR | 0x100) else _unlink
    return remove(fd, path, no_symlinks=bool(flags & abi.AT_SYMLINK_NOFOLLOW_ANY))


def _rename(
    old_fd: int, old: bytes, new_fd: int, new: bytes,
    *, exclusive: bool = False, swap: bool = False,
) -> int:
    source, target = directory(old_fd), directory(new_fd)
    try:
        host.rename(source, old, target, new, exclusive=exclusive, swap=swap)
    except OSError as error:
        number = from_host(error.errno)
        if number == EEXIST and not exclusive:      # XFS and others say so for "not empty"
            number = ENOTEMPTY
        elif number == ENOTDIR and new.endswith(b"/") and not _kind_of(
            target, new.rstrip(b"/") or b"/", follow=True
        ):
            number = ENOENT                         # lookup_validate_creation_path
        raise Errno(number) from None
    return 0


@table.syscall(128, "rename", PATH, PATH, support=FULL)
def rename(_task: Task, old: bytes, new: bytes) -> int:
    """Give a file another name, replacing; ENOTEMPTY, EISDIR, ENOTDIR, EXDEV."""
    return _rename(abi.AT_FDCWD, old, abi.AT_FDCWD, new)


@table.syscall(465, "renameat", DIRFD, PATH, DIRFD, PATH, support=FULL)
def renameat(_task: Task, old_fd: int, old: bytes, new_fd: int, new: bytes) -> int:
    """As rename, from directories."""
    return _rename(old_fd, old, new_fd, new)


@table.syscall(488, "renameatx_np", DIRFD, PATH, DIRFD, PATH, FLAGS("rename"), support=FULL)
def renameatx_np(
    _task: Task, old_fd: int, old: bytes, new_fd: int, new: bytes, flags: int
) -> int:
    """As renameat; RENAME_EXCL never replaces (EEXIST), RENAME_SWAP exchanges."""
    _check_flags(
        flags, abi.RENAME_SECLUDE | abi.RENAME_EXCL | abi.RENAME_SWAP | abi.RENAME_NOFOLLOW_ANY
    )
    exclusive, swap = bool(flags & abi.RENAME_EXCL), bool(flags & abi.RENAME_SWAP)
    if exclusive and swap:
        raise Errno(EINVAL)
    if not flags & abi.RENAME_NOFOLLOW_ANY:
        return _rename(old_fd, old, new_fd, new, exclusive=exclusive, swap=swap)
    with (
        without_links(directory(old_fd), old) as (source, old_name),
        without_links(directory(new_fd), new) as (target, new_name),
    ):
        return _rename(
            abi.AT_FDCWD if source == host.AT_FDCWD else source, old_name,
            abi.AT_FDCWD if target == host.AT_FDCWD else target, new_name,
            exclusive=exclusive, swap=swap,
        )


def _mkdir(fd: int, path: bytes, mode: int) -> int:
    with translated():
        os.mkdir(path, mode & abi.ACCESSPERMS, dir_fd=_optional(directory(fd)))
    return 0


@table.syscall(136, "mkdir", PATH, OCTAL, support=FULL)
def mkdir(_task: Task, path: bytes, mode: int) -> int:
    """Make a directory. EEXIST."""
    return _mkdir(abi.AT_FDCWD, path, mode)


@table.syscall(475, "mkdirat", DIRFD, PATH, OCTAL, support=FULL)
def mkdirat(_task: Task, fd: int, path: bytes, mode: int) -> int:
    """Make a directory, from a directory."""
    return _mkdir(fd, path, mode)


@table.syscall(132, "mkfifo", PATH, OCTAL, support=FULL)
def mkfifo(_task: Task, path: bytes, mode: int) -> int:
    """Make a named pipe. EEXIST."""
    with translated():
        os.mkfifo(path, mode & abi.ACCESSPERMS)
    return 0


@table.syscall(200, "truncate", PATH, OFFSET, support=FULL)
def truncate(task: Task, path: bytes, length: int) -> int:
    """Set a file's size; EISDIR, EINVAL."""
    if length < 0:
        raise Errno(EINVAL)
    try:
        os.truncate(path, length)
    except OSError as error:
        number = from_host(error.errno)
        if number == EFBIG:
            task.post_signal(abi.SIGXFSZ)
        raise Errno(number) from None
    return 0


def _clone(fd: int, name: bytes, flags: int) -> int:
    """Every check of the real call, and then its answer on a volume that cannot clone."""
    _check_flags(flags, abi.CLONE_NOFOLLOW | abi.CLONE_NOOWNERCOPY | abi.CLONE_ACL | 0x8)
    if _kind_of(directory(fd), name, follow=False):
        raise Errno(EEXIST)
    raise Errno(ENOTSUP)


@table.syscall(
    462, "clonefileat", DIRFD, PATH, DIRFD, PATH, FLAGS("clone"), support=PARTIAL,
    note="Answers as on a volume that is not APFS: ENOTSUP.",
)
def clonefileat(
    _task: Task, source_fd: int, source: bytes, fd: int, name: bytes, flags: int
) -> int:
    """Copy a file by sharing its blocks."""
    with translated():
        host.status(directory(source_fd), source, follow=not flags & abi.CLONE_NOFOLLOW)
    return _clone(fd, name, flags)


@table.syscall(
    517, "fclonefileat", FD, DIRFD, PATH, FLAGS("clone"), support=PARTIAL,
    note="Answers as on a volume that is not APFS: ENOTSUP.",
)
def fclonefileat(task: Task, source: int, fd: int, name: bytes, flags: int) -> int:
    """Copy an open file by sharing its blocks."""
    require_vnode(task, source, EINVAL)
    return _clone(fd, name, flags)


# --- the process's place ----------------------------------------------------------------


@table.syscall(12, "chdir", PATH, support=FULL)
def chdir(_task: Task, path: bytes) -> int:
    """Change the current directory. ENOTDIR."""
    with translated():
        os.chdir(path)
    return 0


@table.syscall(13, "fchdir", FD, support=FULL)
def fchdir(task: Task, fd: int) -> int:
    """Change the current directory to an open one. ENOTDIR."""
    require_vnode(task, fd, ENOTDIR)
    with translated():
        os.fchdir(fd)
    return 0


@table.syscall(61, "chroot", PATH, support=FULL)
def chroot(_task: Task, path: bytes) -> int:
    """Change the root directory; for root only, and the current directory stays."""
    if os.geteuid() != 0:
        raise Errno(EPERM)
    with translated():
        os.chroot(path)
    return 0


@table.syscall(60, "umask", OCTAL, support=FULL)
def umask(_task: Task, mask: int) -> int:
    """Set the mask of modes and return the old one."""
    return os.umask(mask & abi.ACCESSPERMS)


# --- statfs -----------------------------------------------------------------------------


def _mount_point(path: str) -> str:
    """The directory where the file system of `path` is mounted."""
    path = os.path.realpath(path)
    device = os.lstat(path).st_dev
    while path != "/":
        above = os.path.dirname(path)
        if os.lstat(above).st_dev != device:
            break
        path = above
    return path


def _statfs(task: Task, found: os.statvfs_result, path: str, address: int) -> int:
    flags = abi.MNT_LOCAL
    if found.f_flag & os.ST_RDONLY:
        flags |= abi.MNT_RDONLY
    if found.f_flag & os.ST_NOSUID:
        flags |= abi.MNT_NOSUID
    if found.f_flag & getattr(os, "ST_NOEXEC", 0):
        flags |= abi.MNT_NOEXEC
    mounted = os.fsencode(_mount_point(path)) if path else b""
    task.memory.write(address, STATFS64.pack(
        f_bsize=found.f_frsize, f_iosize=found.f_bsize, f_blocks=found.f_blocks,
        f_bfree=found.f_bfree, f_bavail=found.f_bavail, f_files=found.f_files,
        f_ffree=found.f_ffree, f_fsid=found.f_fsid & 0xFFFF_FFFF_FFFF_FFFF,
        f_flags=flags, f_fstypename=b"host", f_mntonname=mounted[:1023],
    ))
    return 0


_STATFS_NOTE: Final = (
    "Sizes, flags and mount point are the host's; the type is called \"host\" and the "
    "device has no name."
)


def _statfs_path(task: Task, path: bytes, address: int) -> int:
    with translated():
        return _statfs(task, os.statvfs(path), os.fsdecode(path), address)


def _statfs_descriptor(task: Task, fd: int, address: int) -> int:
    require_vnode(task, fd)
    with translated():
        try:
            path = os.fsdecode(host.descriptor_path(fd))
        except FileNotFoundError:
            path = ""
        return _statfs(task, os.fstatvfs(fd), path, address)


@table.syscall(345, "statfs64", PATH, ADDRESS, support=PARTIAL, note=_STATFS_NOTE)
def statfs64(task: Task, path: bytes, address: int) -> int:
    """What a file system is, 2168 bytes."""
    return _statfs_path(task, path, address)


@table.syscall(346, "fstatfs64", FD, ADDRESS, support=PARTIAL, note=_STATFS_NOTE)
def fstatfs64(task: Task, fd: int, address: int) -> int:
    """What the file system of an open file is, 2168 bytes."""
    return _statfs_descriptor(task, fd, address)


@table.syscall(157, "statfs", PATH, ADDRESS, support=PARTIAL, note=_STATFS_NOTE)
def statfs(task: Task, path: bytes, address: int) -> int:
    """The same as statfs64 on arm64."""
    return _statfs_path(task, path, address)


@table.syscall(158, "fstatfs", FD, ADDRESS, support=PARTIAL, note=_STATFS_NOTE)
def fstatfs(task: Task, fd: int, address: int) -> int:
    """The same as fstatfs64 on arm64."""
    return _statfs_descriptor(task, fd, address)
