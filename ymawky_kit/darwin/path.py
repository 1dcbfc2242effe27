"""Names and how they are looked up: Darwin's rules on the host's file system.

The host's kernel does the ordinary lookup.  What this module adds are the two
restricted lookups of XNU's namei (bsd/vfs/vfs_lookup.c): one that meets no symbolic
link (O_NOFOLLOW_ANY: ELOOP) and one that never leaves its starting directory
(O_RESOLVE_BENEATH: EACCES).  Linux has openat2 for both; the walk below does the
same a component at a time where a host has not.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ymawky_kit.darwin import abi, host
from ymawky_kit.darwin.errno import EACCES, EINVAL, ELOOP, Errno, from_host


def directory(fd: int) -> int:
    """A directory argument as the host's: AT_FDCWD differs."""
    return host.AT_FDCWD if fd == abi.AT_FDCWD else fd


@contextmanager
def translated() -> Iterator[None]:
    """Inside, a host's OSError becomes Errno."""
    try:
        yield
    except OSError as error:
        raise Errno(from_host(error.errno)) from None


def open_restricted(
    start: int, path: bytes, flags: int, mode: int, *, no_symlinks: bool, beneath: bool
) -> int:
    """Open with the host's `flags` under a restricted lookup; `start` is a host's directory.

    Raises Errno: ELOOP for a link in the way, EACCES for a way out of `start`.
    """
    if beneath and path.startswith(b"/"):
        raise Errno(EACCES)
    try:
        fd = host.openat2(start, path, flags, mode, no_symlinks=no_symlinks, beneath=beneath)
        if fd is None:
            with _walk(start, path, no_symlinks=no_symlinks, beneath=beneath, follow=True) as found:
                folder, name = found
                fd = host.openat(folder, name, flags | os.O_NOFOLLOW, mode)
    except OSError as error:
        if error.errno == errno.EXDEV and beneath:
            raise Errno(EACCES) from None
        raise Errno(from_host(error.errno)) from None
    return fd


@contextmanager
def without_links(start: int, path: bytes) -> Iterator[tuple[int, bytes]]:
    """The directory that holds the last component, and that component's name.

    No component may be a link but the last, and that only without a slash behind it:
    the rule of unlinkat, renameatx_np and the other calls that act on the name itself.
    Raises Errno.  The directory is closed afterwards.
    """
    with translated(), _walk(start, path, no_symlinks=True, beneath=False, follow=False) as found:
        yield found


@contextmanager
def _walk(
    start: int, path: bytes, *, no_symlinks: bool, beneath: bool, follow: bool
) -> Iterator[tuple[int, bytes]]:
    """Look `path` up by hand: the directory and name of its last component.

    `follow` resolves a link in the last place too.  Raises OSError and Errno.
    """
    opened: list[int] = []      # from the start or root down to where we are
    try:
        base = start
        if path.startswith(b"/"):
            base = _enter(host.AT_FDCWD, b"/")
            opened.append(base)
        depth = 0               # components below the starting directory
        links = abi.MAXSYMLINKS if no_symlinks else 0
        parts = _components(path)
        while True:
            part = parts.pop(0)
            bare = part.rstrip(b"/")
            here = opened[-1] if opened else base
            last = not parts
            if bare == b"..":
                if beneath and depth < 1:
                    raise Errno(EACCES)
                if not last:
                    depth -= 1
                    opened.append(_enter(here, b".."))
                    continue
            elif bare == b"." and not last:
                continue
            if _is_link(here, part) and (not last or follow or part.endswith(b"/")):
                if links >= abi.MAXSYMLINKS:
                    raise Errno(ELOOP)
                links += 1
                target = os.readlink(bare, dir_fd=optional(here))
                if target.startswith(b"/"):
                    if beneath:
                        raise Errno(EACCES)
                    opened.append(_enter(host.AT_FDCWD, b"/"))
                    depth = 0
                if part.endswith(b"/") and not target.endswith(b"/"):
                    target += b"/"
                parts = _components(target) + parts
                continue
            if last:
                yield here, part
                return
            opened.append(_enter(here, part))
            depth += 1
    finally:
        for fd in opened:
            os.close(fd)


def _components(path: bytes) -> list[bytes]:
    """The names of a path; a slash at its end stays on the last one."""
    parts = [part for part in path.split(b"/") if part]
    if not parts:
        return [b"."]
    if path.endswith(b"/"):
        parts[-1] += b"/"
    return parts


def _enter(folder: int, name: bytes) -> int:
    flags = host.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return host.openat(folder, name, flags)


def _is_link(folder: int, name: bytes) -> bool:
    bare = name.rstrip(b"/")
    try:
        found = os.stat(bare, dir_fd=optional(folder), follow_symlinks=False)
    except OSError:
        return False            # the call itself will say what is wrong
    return stat.S_ISLNK(found.st_mode)


#: Flags of an *at call that act on a link itself.
NOFOLLOW: Final = abi.AT_SYMLINK_NOFOLLOW | abi.AT_SYMLINK_NOFOLLOW_ANY


def check_flags(flags: int, known: int) -> None:
    """Raise Errno(EINVAL) for a flag the call does not know."""
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


def kind_of(start: int, path: bytes, *, follow: bool) -> int:
    """The S_IFMT part of a file's mode; 0 when there is none."""
    try:
        return host.status(start, path, follow=follow).mode & abi.S_IFMT
    except OSError:
        return 0


def optional(start: int) -> int | None:
    """A host's directory as the `dir_fd` of :mod:`os`."""
    return None if start == host.AT_FDCWD else start
