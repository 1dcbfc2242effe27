"""fcntl and ioctl: one small function a command.

Source: XNU bsd/kern/kern_descrip.c (sys_fcntl_nocancel), sys_generic.c (ioctl).
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
import termios
from collections.abc import Callable
from struct import Struct
from typing import Final

from ymawky_kit.darwin import abi, host, limits
from ymawky_kit.darwin.abi import INT_MAX
from ymawky_kit.darwin.descriptor import duplicate, set_length
from ymawky_kit.darwin.errno import (
    EACCES,
    EBADF,
    EINVAL,
    ENOTTY,
    Errno,
    from_host,
)
from ymawky_kit.darwin.lock import range_lock
from ymawky_kit.darwin.path import translated
from ymawky_kit.darwin.structs import FPUNCHHOLE, FSTORE
from ymawky_kit.darwin.table import (
    ADDRESS,
    COMMAND,
    ENUM,
    FD,
    PARTIAL,
    RESTART,
    ULONG,
    table,
)
from ymawky_kit.darwin.task import Task
from ymawky_kit.darwin.vnode import must_be_open, require_vnode

_I32: Final = Struct("<i")
_I64: Final = Struct("<q")


# --- fcntl ------------------------------------------------------------------------------


def _signed(argument: int) -> int:
    return ((argument & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


def _duplicate_from(task: Task, fd: int, command: int, argument: int) -> int:
    lowest = _signed(argument)
    if not 0 <= lowest < limits.descriptors(task):
        raise Errno(EINVAL)
    return duplicate(task, fd, lowest, close_on_exec=command == abi.F_DUPFD_CLOEXEC)


def _get_descriptor_flags(task: Task, fd: int, _command: int, _argument: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


def _set_descriptor_flags(task: Task, fd: int, _command: int, argument: int) -> int:
    fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC if argument & abi.FD_CLOEXEC else 0)
    return 0


def _get_status_flags(task: Task, fd: int, _command: int, _argument: int) -> int:
    return host.status_flags_to_darwin(fcntl.fcntl(fd, fcntl.F_GETFL))


def _set_status_flags(task: Task, fd: int, _command: int, argument: int) -> int:
    fcntl.fcntl(fd, fcntl.F_SETFL, host.status_flags(argument & 0xFFFFFFFF))
    return 0


def _get_owner(task: Task, fd: int, _command: int, _argument: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_GETOWN)


def _set_owner(task: Task, fd: int, _command: int, argument: int) -> int:
    fcntl.fcntl(fd, fcntl.F_SETOWN, _signed(argument))
    return 0


def _get_no_sigpipe(task: Task, fd: int, _command: int, _argument: int) -> int:
    description = task.files.get(fd)
    return int(description is not None and description.no_sigpipe)


def _set_no_sigpipe(task: Task, fd: int, _command: int, argument: int) -> int:
    task.files.describe(fd).no_sigpipe = bool(argument & 0xFFFFFFFF)
    return 0


def _accepted(task: Task, fd: int, _command: int, _argument: int) -> int:
    """Advice about caching: nothing a program could see."""
    require_vnode(task, fd, EBADF)
    return 0


def _path_of(task: Task, fd: int, _command: int, argument: int) -> int:
    require_vnode(task, fd, EBADF)
    task.memory.write(argument, host.descriptor_path(fd)[:abi.PATH_MAX - 1] + b"\0")
    return 0


def _full_sync(task: Task, fd: int, command: int, _argument: int) -> int:
    require_vnode(task, fd, EBADF)
    if command == abi.F_FULLFSYNC:
        host.full_sync(fd)
    else:
        os.fsync(fd)
    return 0


def _require_writable(fd: int) -> None:
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise Errno(EBADF)


def _preallocate(task: Task, fd: int, _command: int, argument: int) -> int:
    require_vnode(task, fd, EBADF)
    _require_writable(fd)
    flags, mode, offset, length, _ = FSTORE.codec.unpack(task.memory.view(argument, FSTORE.size))
    if mode == abi.F_PEOFPOSMODE:
        if offset != 0:
            raise Errno(EINVAL)
    elif mode != abi.F_VOLPOSMODE or offset <= 0:
        raise Errno(EINVAL)
    allocated = 0
    try:
        if length > 0:
            host.preallocate(fd, os.fstat(fd).st_size, length)
            allocated = length
    finally:
        task.memory.write(argument, FSTORE.codec.pack(flags, mode, offset, length, allocated))
    return 0


def _punch_hole(task: Task, fd: int, _command: int, argument: int) -> int:
    require_vnode(task, fd, EBADF)
    flags, reserved, offset, length = FPUNCHHOLE.codec.unpack(
        task.memory.view(argument, FPUNCHHOLE.size)
    )
    if flags or reserved or offset < 0 or length < 0:
        raise Errno(EINVAL)
    _require_writable(fd)
    if length:
        host.punch_hole(fd, offset, length)
    return 0


def _set_size(task: Task, fd: int, _command: int, argument: int) -> int:
    require_vnode(task, fd, EBADF)
    _require_writable(fd)
    if os.geteuid() != 0:
        raise Errno(EACCES)
    (size,) = _I64.unpack(task.memory.view(argument, 8))
    return set_length(task, fd, size)


_COMMANDS: Final[dict[int, Callable[[Task, int, int, int], int]]] = {
    abi.F_DUPFD: _duplicate_from,
    abi.F_DUPFD_CLOEXEC: _duplicate_from,
    abi.F_GETFD: _get_descriptor_flags,
    abi.F_SETFD: _set_descriptor_flags,
    abi.F_GETFL: _get_status_flags,
    abi.F_SETFL: _set_status_flags,
    abi.F_GETOWN: _get_owner,
    abi.F_SETOWN: _set_owner,
    abi.F_GETLK: range_lock,
    abi.F_SETLK: range_lock,
    abi.F_SETLKW: range_lock,
    abi.F_SETLKWTIMEOUT: range_lock,
    abi.F_OFD_GETLK: range_lock,
    abi.F_OFD_SETLK: range_lock,
    abi.F_OFD_SETLKW: range_lock,
    abi.F_FLUSH_DATA: _accepted,
    abi.F_RDADVISE: _accepted,
    abi.F_RDAHEAD: _accepted,
    abi.F_NOCACHE: _accepted,
    abi.F_PREALLOCATE: _preallocate,
    abi.F_PUNCHHOLE: _punch_hole,
    abi.F_SETSIZE: _set_size,
    abi.F_GETPATH: _path_of,
    abi.F_GETPATH_NOFIRMLINK: _path_of,
    abi.F_FULLFSYNC: _full_sync,
    abi.F_BARRIERFSYNC: _full_sync,
    abi.F_SETNOSIGPIPE: _set_no_sigpipe,
    abi.F_GETNOSIGPIPE: _get_no_sigpipe,
}


@table.syscall(
    92, "fcntl", FD, ENUM("fcntl"), ULONG,
    support=PARTIAL, nocancel=406, on_signal=RESTART,
    note="The commands of <sys/fcntl.h> that public programs use; others are ENOTTY. "
    "F_GETFL does not show the kernel's own bits (written, was locked). "
    "F_SETFL changes O_SYNC and O_DSYNC only where the host can. "
    "A waiting F_SETLKW of a program with signal handlers does not notice a deadlock.",
)
def fcntl_(task: Task, fd: int, command: int, argument: int) -> int:
    """Copies, flags, record locks, paths and room of a descriptor; unknown ones ENOTTY."""
    action = _COMMANDS.get(command)
    try:
        if action is None:
            fcntl.fcntl(fd, fcntl.F_GETFD)
            raise Errno(ENOTTY)
        if action is _get_no_sigpipe or action is _set_no_sigpipe:
            fcntl.fcntl(fd, fcntl.F_GETFD)
        return action(task, fd, command, argument)
    except OSError as error:
        raise Errno(from_host(error.errno)) from None


# --- ioctl ------------------------------------------------------------------------------


def _bytes_waiting(fd: int) -> int:
    """FIONREAD: what a read could take now; for a file, what is left of it."""
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        return max(0, min(found.st_size - os.lseek(fd, 0, os.SEEK_CUR), INT_MAX))
    waiting: bytes = fcntl.ioctl(fd, termios.FIONREAD, bytes(4))
    return int.from_bytes(waiting, sys.byteorder)


@table.syscall(
    54, "ioctl", FD, COMMAND("ioctl"), ADDRESS,
    support=PARTIAL,
    note="FIOCLEX, FIONCLEX, FIONREAD, FIONBIO, FIOASYNC, SIOCATMARK and TIOCGWINSZ; "
    "every other request is ENOTTY. FIOASYNC is accepted and sends no SIGIO.",
)
def ioctl(task: Task, fd: int, request: int, argument: int) -> int:
    """FIONREAD, FIONBIO, FIOCLEX and a few more; ENOTTY for others."""
    with translated():
        if request == abi.FIOCLEX or request == abi.FIONCLEX:
            os.set_inheritable(fd, request == abi.FIONCLEX)
        elif request == abi.FIONBIO:
            os.set_blocking(fd, not task.memory.i32(argument))
        elif request == abi.FIONREAD:
            task.memory.write(argument, _I32.pack(_bytes_waiting(fd)))
        elif request == abi.FIOASYNC:
            must_be_open(fd)
            task.memory.i32(argument)
        elif request == abi.SIOCATMARK:
            description = task.files.get(fd)
            if description is None or description.kind != "socket":
                must_be_open(fd)
                raise Errno(ENOTTY)
            found = fcntl.ioctl(fd, 0x8905 if host.LINUX else abi.SIOCATMARK, bytes(4))
            task.memory.write(argument, found)
        elif request == abi.TIOCGWINSZ:
            task.memory.write(argument, fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
        else:
            must_be_open(fd)
            raise Errno(ENOTTY)
    return 0
