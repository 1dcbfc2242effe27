"""Calls on names: access, mode, owner, links, rename, unlink, directories.

The host's file system answers; this module translates numbers and keeps Darwin's
rules where Linux has others (XNU bsd/vfs/vfs_syscalls.c, vfs_lookup.c, vfs_subr.c):
unlink of a directory is EPERM, link follows a link, a new name with a slash behind it
is ENOENT.  Case and Unicode normalisation of names are the host's.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from ymawky_kit.darwin import abi, host
from ymawky_kit.darwin.errno import (
    EEXIST,
    EFBIG,
    EINVAL,
    EISDIR,
    ENOENT,
    ENOTDIR,
    ENOTEMPTY,
    ENOTSUP,
    EPERM,
    Errno,
    from_host,
)
from ymawky_kit.darwin.path import (
    NOFOLLOW,
    check_flags,
    directory,
    kind_of,
    optional,
    place,
    translated,
    without_links,
)
from ymawky_kit.darwin.table import (
    DIRFD,
    FD,
    FLAGS,
    FULL,
    OCTAL,
    OFFSET,
    OUTPUT,
    PARTIAL,
    PATH,
    SIZE,
    TEXT,
    UINT,
    table,
)
from ymawky_kit.darwin.task import Task
from ymawky_kit.darwin.vnode import require_vnode

# --- access, mode, owner ----------------------------------------------------------------


def _access(fd: int, path: bytes, mode: int, flags: int) -> int:
    if mode & ~(abi.R_OK | abi.W_OK | abi.X_OK):
        raise Errno(EINVAL)
    with place(fd, path, no_symlinks=bool(flags & abi.AT_SYMLINK_NOFOLLOW_ANY)) as (start, name):
        host.access(
            start, name, mode,
            effective=bool(flags & abi.AT_EACCESS), follow=not flags & NOFOLLOW,
        )
    return 0


@table.syscall(33, "access", PATH, FLAGS("access"), support=FULL)
def access(_task: Task, path: bytes, mode: int) -> int:
    """May the real user read, write, execute? EACCES if not, EINVAL for other bits."""
    return _access(abi.AT_FDCWD, path, mode, 0)


@table.syscall(466, "faccessat", DIRFD, PATH, FLAGS("access"), FLAGS("at"), support=FULL)
def faccessat(_task: Task, fd: int, path: bytes, mode: int, flags: int) -> int:
    """As access, from a directory; AT_EACCESS asks for the effective user."""
    check_flags(flags, abi.AT_EACCESS | NOFOLLOW)
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
    check_flags(flags, NOFOLLOW)
    with place(fd, path, no_symlinks=bool(flags & abi.AT_SYMLINK_NOFOLLOW_ANY)) as (start, name):
        host.change_mode(start, name, mode & abi.ALLPERMS, follow=not flags & NOFOLLOW)
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
    check_flags(flags, NOFOLLOW)
    with place(fd, path, no_symlinks=bool(flags & abi.AT_SYMLINK_NOFOLLOW_ANY)) as (start, name):
        os.chown(
            name, _owner(uid), _owner(gid),
            dir_fd=optional(start), follow_symlinks=not flags & NOFOLLOW,
        )
    return 0


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
    check_flags(flags, abi.AT_SYMLINK_FOLLOW | abi.AT_SYMLINK_NOFOLLOW_ANY)
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
        os.symlink(target, name, dir_fd=optional(directory(fd)))
    return 0


def _readlink(task: Task, fd: int, path: bytes, address: int, size: int) -> int:
    if size > abi.INT_MAX:
        raise Errno(EINVAL)
    with translated():
        found = os.readlink(path, dir_fd=optional(directory(fd)))
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
            os.unlink(name, dir_fd=optional(start))
    except Errno as error:
        if error.number == EISDIR:
            raise Errno(EPERM) from None
        raise
    return 0


def _rmdir(fd: int, path: bytes, *, no_symlinks: bool = False) -> int:
    with place(fd, path, no_symlinks=no_symlinks) as (start, name):
        os.rmdir(name, dir_fd=optional(start))
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
    check_flags(flags, abi.AT_REMOVEDIR | abi.AT_SYMLINK_NOFOLLOW_ANY | _UNLINK_PRIVATE)
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
        elif number == ENOTDIR and new.endswith(b"/") and not kind_of(
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
    check_flags(
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
        os.mkdir(path, mode & abi.ACCESSPERMS, dir_fd=optional(directory(fd)))
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
    check_flags(flags, abi.CLONE_NOFOLLOW | abi.CLONE_NOOWNERCOPY | abi.CLONE_ACL | 0x8)
    if kind_of(directory(fd), name, follow=False):
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
