"""What a file or a file system is: the stat family and statfs.

Source: XNU bsd/vfs/vfs_syscalls.c (fstatat_internal), bsd/sys/stat.h, bsd/sys/mount.h.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from ymawky_kit.darwin import abi, host
from ymawky_kit.darwin.errno import (
    ENOENT,
    Errno,
    from_host,
)
from ymawky_kit.darwin.path import NOFOLLOW, check_flags, place, translated
from ymawky_kit.darwin.structs import STAT, STATFS64
from ymawky_kit.darwin.table import (
    ADDRESS,
    DIRFD,
    FD,
    FLAGS,
    FULL,
    PARTIAL,
    PATH,
    Kind,
    table,
)
from ymawky_kit.darwin.task import Task
from ymawky_kit.darwin.vnode import require_vnode

#: A path that may be NULL: fstatat64 with AT_FDONLY does not look at it.
_PATH_OR_NULL: Final = Kind("path", "task.path({x}) if {x} else b''", PATH.show)


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


_STATAT_FLAGS: Final = NOFOLLOW | abi.AT_REALDEV | abi.AT_FDONLY
_Stat = Callable[..., int]


def _statat(task: Task, how: _Stat, fd: int, path: bytes, address: int, flags: int) -> int:
    check_flags(flags, _STATAT_FLAGS)
    if flags & abi.AT_FDONLY:
        return how(task, fd, b"", address)
    if not path:
        raise Errno(ENOENT)
    with place(fd, path, no_symlinks=bool(flags & abi.AT_SYMLINK_NOFOLLOW_ANY)) as (start, name):
        return how(task, start, name, address, follow=not flags & NOFOLLOW)


@table.syscall(470, "fstatat64", DIRFD, _PATH_OR_NULL, ADDRESS, FLAGS("at"), support=FULL)
def fstatat64(task: Task, fd: int, path: bytes, address: int, flags: int) -> int:
    """As stat64, from a directory; EINVAL for flags it does not know."""
    return _statat(task, _stat64, fd, path, address, flags)


@table.syscall(469, "fstatat", DIRFD, _PATH_OR_NULL, ADDRESS, FLAGS("at"), support=FULL)
def fstatat(task: Task, fd: int, path: bytes, address: int, flags: int) -> int:
    """As fstatat64, the older form of 120 bytes."""
    return _statat(task, _stat_old, fd, path, address, flags)


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
