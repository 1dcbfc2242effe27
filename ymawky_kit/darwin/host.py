"""What the host's kernel is asked, and how it differs between Linux and macOS.

Everything here speaks the host's numbers and raises OSError; the rows translate.
Linux offers more than :mod:`os` shows (openat2, renameat2, statx, getdents64), so
those are called through the C library.  Each has a portable way round beside it,
which an older kernel, a sandbox or a Mac takes.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sys
from collections.abc import Sequence
from functools import cache
from struct import Struct
from typing import Any, Final, NamedTuple

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.structs import STAT64

LINUX: Final = sys.platform.startswith("linux")
MACOS: Final = sys.platform == "darwin"

#: The host's AT_FDCWD.
AT_FDCWD: Final = -100 if LINUX else -2
AT_SYMLINK_NOFOLLOW: Final = 0x100 if LINUX else 0x20
#: A descriptor that only names a file; elsewhere an ordinary one for reading.
O_PATH: Final[int] = getattr(os, "O_PATH", os.O_RDONLY)

_libc: Final = ctypes.CDLL(None, use_errno=True)


def _function(name: str, *arguments: Any, result: Any = ctypes.c_int) -> Any:
    """A function of the C library, or None where it has none of that name."""
    try:
        found = getattr(_libc, name)
    except AttributeError:
        return None
    found.argtypes = arguments
    found.restype = result
    return found


def _failure() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


# --- open -------------------------------------------------------------------------------

#: Darwin's flag -> the host's, by name.  What the host lacks becomes 0.
_OPEN_FLAGS: Final = tuple(
    (ours, getattr(os, name, 0))
    for ours, name in (
        (abi.O_NONBLOCK, "O_NONBLOCK"),
        (abi.O_APPEND, "O_APPEND"),
        (abi.O_SYNC, "O_SYNC"),
        (abi.O_DSYNC, "O_DSYNC"),
        (abi.O_NOFOLLOW, "O_NOFOLLOW"),
        (abi.O_CREAT, "O_CREAT"),
        (abi.O_TRUNC, "O_TRUNC"),
        (abi.O_EXCL, "O_EXCL"),
        (abi.O_NOCTTY, "O_NOCTTY"),
        (abi.O_DIRECTORY, "O_DIRECTORY"),
        (abi.O_CLOEXEC, "O_CLOEXEC"),
    )
)
#: The flags that F_GETFL reports and F_SETFL may change.
_STATUS_FLAGS: Final = tuple(
    (ours, getattr(os, name, 0))
    for ours, name in (
        (abi.O_NONBLOCK, "O_NONBLOCK"),
        (abi.O_APPEND, "O_APPEND"),
        (abi.O_ASYNC, "O_ASYNC"),
        (abi.O_SYNC, "O_SYNC"),
        (abi.O_DSYNC, "O_DSYNC"),
    )
)


@cache
def open_flags(flags: int) -> int:
    """Darwin's open flags as the host's, without the lookup and lock flags."""
    result = flags & abi.O_ACCMODE      # 0, 1 and 2 mean the same everywhere
    for ours, theirs in _OPEN_FLAGS:
        if flags & ours:
            result |= theirs
    if flags & abi.O_SYMLINK:           # the link itself, as a name only
        result |= (O_PATH | os.O_NOFOLLOW) if LINUX else abi.O_SYMLINK
    if flags & abi.O_EXEC and LINUX:
        result |= O_PATH
    if MACOS:
        result |= flags & (abi.O_NOFOLLOW_ANY | abi.O_EVTONLY | abi.O_EXEC)
    return result


@cache
def status_flags_to_darwin(flags: int) -> int:
    """The host's F_GETFL as Darwin's."""
    result = flags & abi.O_ACCMODE
    for ours, theirs in _STATUS_FLAGS:
        if theirs and flags & theirs == theirs:
            result |= ours
    return result


@cache
def status_flags(flags: int) -> int:
    """Darwin's F_SETFL argument as the host's: only what may be changed."""
    result = 0
    for ours, theirs in _STATUS_FLAGS:
        if flags & ours:
            result |= theirs
    return result


#: On Apple silicon a variadic function takes its last arguments from the stack, where
#: ctypes does not put them: there os.open does the work.
_openat: Final = (
    _function("openat", ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint)
    if LINUX else None
)


def openat(directory: int, path: bytes, flags: int, mode: int = 0o600) -> int:
    """openat(2), not restarted after a signal; the descriptor is inheritable as asked."""
    if _openat is not None:
        fd: int = _openat(directory, path, flags, mode)
        if fd < 0:
            raise _failure()
        return fd
    fd = os.open(path, flags, mode, dir_fd=None if directory == AT_FDCWD else directory)
    if not flags & os.O_CLOEXEC:
        os.set_inheritable(fd, True)
    return fd


_syscall: Final = (
    _function(
        "syscall", ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t,
        result=ctypes.c_long,
    )
    if LINUX else None
)
_OPENAT2: Final = 437           # the same on every Linux
_OPEN_HOW: Final = Struct("<QQQ")
_RESOLVE_NO_SYMLINKS: Final = 0x04
_RESOLVE_BENEATH: Final = 0x08


class _Absent:
    """What this kernel has turned out not to have."""

    openat2 = _syscall is None
    statx = not LINUX
    renameat2 = not LINUX


absent: Final = _Absent()


def openat2(
    directory: int, path: bytes, flags: int, mode: int, *, no_symlinks: bool, beneath: bool
) -> int | None:
    """An open whose whole lookup is restricted; None when the kernel cannot do that.

    A link in the way is ELOOP, a way out of `directory` EXDEV.
    """
    if absent.openat2:
        return None
    resolve = _RESOLVE_NO_SYMLINKS * no_symlinks | _RESOLVE_BENEATH * beneath
    how = ctypes.create_string_buffer(
        _OPEN_HOW.pack(flags, mode if flags & os.O_CREAT else 0, resolve), _OPEN_HOW.size
    )
    for _ in range(64):
        assert _syscall is not None
        fd: int = _syscall(_OPENAT2, directory, path, how, _OPEN_HOW.size)
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        if number in (errno.ENOSYS, errno.EPERM) and not _openat2_works():
            absent.openat2 = True
            return None
        if number != errno.EAGAIN:      # EAGAIN: something was renamed during the lookup
            raise OSError(number, os.strerror(number))
    return None


@cache
def _openat2_works() -> bool:
    """Old kernels say ENOSYS, and some sandboxes EPERM, to every openat2."""
    assert _syscall is not None
    how = ctypes.create_string_buffer(_OPEN_HOW.pack(O_PATH | os.O_DIRECTORY, 0, 0))
    fd = _syscall(_OPENAT2, AT_FDCWD, b"/", how, _OPEN_HOW.size)
    if fd < 0:
        return False
    os.close(fd)
    return True


# --- stat -------------------------------------------------------------------------------


class Status(NamedTuple):
    """What a file is; times in (seconds, nanoseconds), devices as Darwin numbers them."""

    device: int
    mode: int
    links: int      # at most 65535
    inode: int
    uid: int
    gid: int
    special_device: int
    accessed: int
    accessed_ns: int
    modified: int
    modified_ns: int
    changed: int
    changed_ns: int
    born: int
    born_ns: int
    size: int
    blocks: int
    block_size: int


_STATX: Final = Struct("<IIQIIIHxxQQQQqIxxxxqIxxxxqIxxxxqIxxxxIIII")
_STATX_SIZE: Final = 256
_STATX_MASK: Final = 0x0FFF     # basic fields and the time of birth
_STATX_BTIME: Final = 0x0800
_AT_EMPTY_PATH: Final = 0x1000

#: Without argument types the call takes half as long; every argument is an int or bytes.
_statx: Final = getattr(_libc, "statx", None) if LINUX else None
_statx_buffer: Final = ctypes.create_string_buffer(_STATX_SIZE)
_statx_view: Final = memoryview(_statx_buffer).cast("B")
if _statx is None:
    absent.statx = True


def device_number(major: int, minor: int) -> int:
    """Darwin's dev_t: 8 bits of major, 24 of minor."""
    return (major & 0xFF) << 24 | minor & 0xFFFFFF


def _ask_statx(directory: int, path: bytes, follow: bool) -> bool:
    """Fill `_statx_buffer`; False when this kernel has no statx. Raises OSError."""
    if absent.statx:
        return False
    flags = (0 if path else _AT_EMPTY_PATH) | (0 if follow else AT_SYMLINK_NOFOLLOW)
    assert _statx is not None
    if _statx(directory, path, flags, _STATX_MASK, _statx_buffer) < 0:
        number = ctypes.get_errno()
        if number != errno.ENOSYS:
            raise OSError(number, os.strerror(number))
        absent.statx = True
        return False
    return True


def status(directory: int, path: bytes, *, follow: bool = True) -> Status:
    """fstatat(2); an empty path means `directory` itself, whatever kind of file it is."""
    if not _ask_statx(directory, path, follow):
        return _status_portable(directory, path, follow)
    (
        mask, block_size, _, links, uid, gid, mode, inode, size, blocks, _,
        accessed, accessed_ns, born, born_ns, changed, changed_ns, modified, modified_ns,
        rdev_major, rdev_minor, dev_major, dev_minor,
    ) = _STATX.unpack_from(_statx_view)
    if not mask & _STATX_BTIME:
        born, born_ns = min((modified, modified_ns), (changed, changed_ns))
    return Status(
        device_number(dev_major, dev_minor), mode, min(links, 0xFFFF), inode, uid, gid,
        device_number(rdev_major, rdev_minor),
        accessed, accessed_ns, modified, modified_ns, changed, changed_ns, born, born_ns,
        size, blocks, block_size,
    )


#: statx in the pieces that stat64 has too: times, owners and sizes are laid out alike.
_STATX_PIECES: Final = Struct("<I4s8xI8sH2x8s16s8x16s16s16s16sIIII")
_STAT64_PIECES: Final = Struct("<IHH8s8sI4x16s16s16s16s16s4s28x")


def stat64(directory: int, path: bytes, follow: bool = True) -> bytes:
    """`status` as Darwin's struct stat64, 144 bytes, in half the time."""
    if not _ask_statx(directory, path, follow):
        return STAT64.codec.pack(*_status_portable(directory, path, follow), 0, 0, 0, b"")
    (
        mask, block_size, links, owners, mode, inode, sizes, accessed, born, changed, modified,
        rdev_major, rdev_minor, dev_major, dev_minor,
    ) = _STATX_PIECES.unpack_from(_statx_view)
    if not mask & _STATX_BTIME:
        return STAT64.codec.pack(*status(directory, path, follow=follow), 0, 0, 0, b"")
    return _STAT64_PIECES.pack(
        dev_major << 24 & 0xFF000000 | dev_minor & 0xFFFFFF, mode,
        links if links < 0x10000 else 0xFFFF, inode, owners,
        rdev_major << 24 & 0xFF000000 | rdev_minor & 0xFFFFFF,
        accessed, modified, changed, born, sizes, block_size,
    )


def _status_portable(directory: int, path: bytes, follow: bool) -> Status:
    if not path:
        found = os.fstat(directory)
    else:
        where = None if directory == AT_FDCWD or path.startswith(b"/") else directory
        found = os.stat(path, dir_fd=where, follow_symlinks=follow)
    born_ns = getattr(found, "st_birthtime_ns", None)
    if born_ns is None:
        born = getattr(found, "st_birthtime", None)
        born_ns = (
            int(born * 1e9) if born is not None else min(found.st_mtime_ns, found.st_ctime_ns)
        )
    second = 1_000_000_000
    return Status(
        device_number(os.major(found.st_dev), os.minor(found.st_dev)), found.st_mode,
        min(found.st_nlink, 0xFFFF), found.st_ino, found.st_uid, found.st_gid,
        device_number(os.major(found.st_rdev), os.minor(found.st_rdev)),
        found.st_atime_ns // second, found.st_atime_ns % second,
        found.st_mtime_ns // second, found.st_mtime_ns % second,
        found.st_ctime_ns // second, found.st_ctime_ns % second,
        born_ns // second, born_ns % second,
        found.st_size, found.st_blocks, found.st_blksize,
    )


# --- rename -----------------------------------------------------------------------------

_RENAME_NOREPLACE: Final = 1
_RENAME_EXCHANGE: Final = 2
_rename_arguments: Final = (
    ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint
)
_renameat2: Final = _function("renameat2", *_rename_arguments) if LINUX else None
_renameatx: Final = _function("renameatx_np", *_rename_arguments) if MACOS else None
if _renameat2 is None:
    absent.renameat2 = True


def rename(
    old_directory: int, old: bytes, new_directory: int, new: bytes,
    *, exclusive: bool = False, swap: bool = False,
) -> None:
    """renameat(2); `exclusive` never replaces, `swap` exchanges two existing names.

    Raises OSError; ENOTSUP for a swap the host cannot do.
    """
    if not exclusive and not swap:
        os.rename(old, new, src_dir_fd=_dir_fd(old_directory), dst_dir_fd=_dir_fd(new_directory))
        return
    if _renameatx is not None:
        wanted = abi.RENAME_SWAP * swap | abi.RENAME_EXCL * exclusive
        if _renameatx(old_directory, old, new_directory, new, wanted) < 0:
            raise _failure()
        return
    if not absent.renameat2:
        assert _renameat2 is not None
        wanted = _RENAME_EXCHANGE * swap | _RENAME_NOREPLACE * exclusive
        if _renameat2(old_directory, old, new_directory, new, wanted) == 0:
            return
        number = ctypes.get_errno()
        if number not in (errno.ENOSYS, errno.EINVAL):
            raise OSError(number, os.strerror(number))
        # EINVAL: this file system has no such rename, or the names are wrong; the way
        # round below tells which.
    if swap:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    _rename_exclusive(old_directory, old, new_directory, new)


def _rename_exclusive(old_directory: int, old: bytes, new_directory: int, new: bytes) -> None:
    """A hard link never replaces; directories have none, so those are looked for first."""
    source, target = _dir_fd(old_directory), _dir_fd(new_directory)
    try:
        link(old_directory, old, new_directory, new, follow=False)
    except PermissionError:
        try:
            os.stat(new, dir_fd=target, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)
            return
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
    os.unlink(old, dir_fd=source)


def _dir_fd(directory: int) -> int | None:
    return None if directory == AT_FDCWD else directory


_linkat: Final = _function(
    "linkat", ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int
)
_AT_SYMLINK_FOLLOW: Final = 0x400 if LINUX else 0x40


def link(
    old_directory: int, old: bytes, new_directory: int, new: bytes, *, follow: bool
) -> None:
    """linkat(2); os.link does not follow a link although it says so."""
    flags = _AT_SYMLINK_FOLLOW if follow else 0
    if _linkat(old_directory, old, new_directory, new, flags) < 0:
        raise _failure()


# --- transfers that never sleep ---------------------------------------------------------

_RWF_NOWAIT: Final[int] = getattr(os, "RWF_NOWAIT", 0)
CAN_TRY: Final = bool(_RWF_NOWAIT) and LINUX


#: What try_read and try_write say when a file has no such mode.
CANNOT: Final = -1


def try_read(fd: int, views: Sequence[memoryview]) -> int | None:
    """Read what is there now; None when nothing is, CANNOT for a file that must be asked."""
    if not CAN_TRY:
        return CANNOT
    try:
        return os.preadv(fd, views, -1, _RWF_NOWAIT)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return CANNOT
        raise


def try_write(fd: int, views: Sequence[memoryview]) -> int | None:
    """Write what fits now; None when nothing does, CANNOT for a file that must be asked."""
    if not CAN_TRY:
        return CANNOT
    try:
        return os.pwritev(fd, views, -1, _RWF_NOWAIT)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return CANNOT
        raise


# --- directories ------------------------------------------------------------------------


class Entry(NamedTuple):
    """A name in a directory; `position` is where reading goes on behind it."""

    inode: int
    position: int
    kind: int       # DT_, the same numbers everywhere
    name: bytes


_DIRENT_LINUX: Final = Struct("<QqHB")
_getdents64: Final = (
    _function(
        "getdents64", ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, result=ctypes.c_ssize_t
    )
    if LINUX else None
)
_getdirentries64: Final = (
    _function(
        "__getdirentries64", ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t,
        ctypes.POINTER(ctypes.c_int64), result=ctypes.c_ssize_t,
    )
    if MACOS else None
)
_DIRENT_MACOS: Final = Struct("<QQHHB")

#: True when a descriptor's own offset is the position in its directory.
DIRECTORY_OFFSETS: Final = _getdents64 is not None or _getdirentries64 is not None


_DIRECTORY_SIZE: Final = 32768
_directory_buffer: Final = ctypes.create_string_buffer(_DIRECTORY_SIZE)
_directory_view: Final = memoryview(_directory_buffer).cast("B")


def read_directory(fd: int) -> list[Entry]:
    """The next entries, from the descriptor's offset; none at the end.

    Only where DIRECTORY_OFFSETS; elsewhere see `list_directory`.
    """
    buffer, size = _directory_buffer, _DIRECTORY_SIZE
    if _getdents64 is not None:
        used = _getdents64(fd, buffer, size)
    else:
        assert _getdirentries64 is not None
        used = _getdirentries64(fd, buffer, size, ctypes.byref(ctypes.c_int64()))
    if used < 0:
        raise _failure()
    data = bytes(_directory_view[:used])
    entries: list[Entry] = []
    at = 0
    while at < used:
        if _getdents64 is not None:
            inode, position, length, kind = _DIRENT_LINUX.unpack_from(data, at)
            name = data[at + 19:data.index(0, at + 19)]
        else:
            inode, position, length, name_length, kind = _DIRENT_MACOS.unpack_from(data, at)
            name = data[at + 21:at + 21 + name_length]
        entries.append(Entry(inode, position, kind, name))
        at += length
    return entries


def list_directory(fd: int) -> list[Entry]:
    """Every entry, "." and ".." first; positions count from 1.  Works on every host."""
    entries = [
        Entry(os.fstat(fd).st_ino, 1, abi.DT_DIR, b"."),
        Entry(os.stat("..", dir_fd=fd).st_ino, 2, abi.DT_DIR, b".."),
    ]
    with os.scandir(fd) as found:
        for position, item in enumerate(found, 3):
            if item.is_symlink():
                kind = abi.DT_LNK
            elif item.is_dir(follow_symlinks=False):
                kind = abi.DT_DIR
            elif item.is_file(follow_symlinks=False):
                kind = abi.DT_REG
            else:
                kind = item.stat(follow_symlinks=False).st_mode >> 12
            entries.append(Entry(item.inode(), position, kind, os.fsencode(item.name)))
    return entries


# --- odds and ends ----------------------------------------------------------------------


def descriptor_path(fd: int) -> bytes:
    """The path of an open file; ENOENT when it has none (any more)."""
    if MACOS:
        return fcntl.fcntl(fd, abi.F_GETPATH, bytes(abi.PATH_MAX)).partition(b"\0")[0]
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            found = os.readlink(os.fsencode(f"{folder}/{fd}"))
        except OSError:
            continue
        if found.startswith(b"/") and not found.endswith(b" (deleted)"):
            return found
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))


_fallocate: Final = (
    _function("fallocate", ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if LINUX else None
)
_FALLOC_FL_KEEP_SIZE: Final = 1
_FALLOC_FL_PUNCH_HOLE: Final = 2


def preallocate(fd: int, offset: int, length: int) -> None:
    """Reserve room for bytes behind the end of a file; its size stays."""
    if _fallocate is not None:
        if _fallocate(fd, _FALLOC_FL_KEEP_SIZE, offset, length) < 0:
            raise _failure()
        return
    if MACOS:
        store = Struct("<Iiqqq").pack(abi.F_ALLOCATEALL, abi.F_PEOFPOSMODE, 0, length, 0)
        fcntl.fcntl(fd, abi.F_PREALLOCATE, store)
        return
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def punch_hole(fd: int, offset: int, length: int) -> None:
    """Give the room of a range back; it reads as zeros from then on."""
    if _fallocate is not None:
        mode = _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE
        if _fallocate(fd, mode, offset, length) < 0:
            raise _failure()
        return
    if MACOS:
        fcntl.fcntl(fd, abi.F_PUNCHHOLE, Struct("<IIqq").pack(0, 0, offset, length))
        return
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def full_sync(fd: int) -> None:
    """F_FULLFSYNC: down to the medium, as far as the host can say that."""
    if MACOS:
        fcntl.fcntl(fd, abi.F_FULLFSYNC)
    else:
        os.fsync(fd)


_faccessat: Final = _function(
    "faccessat", ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_int
)


def access(
    directory: int, path: bytes, mode: int, *, effective: bool = False, follow: bool = True
) -> None:
    """faccessat(2); unlike os.access it says why not. Raises OSError."""
    flags = (0x200 if LINUX else abi.AT_EACCESS) * effective
    flags |= 0 if follow else AT_SYMLINK_NOFOLLOW
    if _faccessat(directory, path, mode, flags) < 0:
        raise _failure()


def change_mode(directory: int, path: bytes, mode: int, *, follow: bool = True) -> None:
    """fchmodat(2); ENOTSUP for the mode of a link on a host whose links have none."""
    where = _dir_fd(directory)
    if not follow and not MACOS:
        kind = os.stat(path, dir_fd=where, follow_symlinks=False).st_mode & abi.S_IFMT
        if kind == abi.S_IFLNK:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        follow = True
    os.chmod(path, mode, dir_fd=where, follow_symlinks=follow)
