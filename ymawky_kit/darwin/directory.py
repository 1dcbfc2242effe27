"""getdirentries64: a directory as a stream of records.

Source: XNU bsd/vfs/vfs_syscalls.c (getdirentries_common, getdirentries64),
vfs_subr.c (vnode_readdir64).  The descriptor's own offset is the position, so it
survives fork and dup and may be set back with lseek.  The order of names is the
host's.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Final

from ymawky_kit.darwin import abi, host
from ymawky_kit.darwin.errno import EINVAL, Errno, from_host
from ymawky_kit.darwin.structs import DIRENT
from ymawky_kit.darwin.table import ADDRESS, FD, FULL, OUTPUT, SIZE, SSIZE, table
from ymawky_kit.darwin.task import Task

#: GETDIRENTRIES_MAXBUFSIZE.
_LARGEST: Final = 128 * 1024 * 1024
_HEAD: Final = DIRENT.size


def record_length(name: bytes) -> int:
    """d_reclen: the head, the name and a NUL, in whole 8 bytes, as XNU's converter rounds."""
    return (len(name) + 32) & ~7


class Reader:
    """The entries of an open directory from its position on.

    `taken` moves the position behind an entry; what was read and not taken will be
    read again.  Raises OSError.
    """

    def __init__(self, task: Task, fd: int) -> None:
        self._fd = fd
        self._listing: list[host.Entry] = []
        self._notes: dict[str, int] = {}
        if host.DIRECTORY_OFFSETS:
            self.start = os.lseek(fd, 0, os.SEEK_CUR)
        else:
            # No offset on this host: the position hangs on the description.
            self._notes = task.files.describe(fd).extra
            self._listing = host.list_directory(fd)
            self.start = self._notes.get("directory position", 0)
        self.position = self.start
        self._read_to = self.start

    def __iter__(self) -> Iterator[host.Entry]:
        if not host.DIRECTORY_OFFSETS:
            yield from self._listing[self.start:]
            return
        while entries := host.read_directory(self._fd):
            self._read_to = entries[-1].position
            yield from entries

    def taken(self, entry: host.Entry) -> None:
        self.position = entry.position

    def close(self) -> None:
        """Leave the descriptor behind the last entry taken."""
        if not host.DIRECTORY_OFFSETS:
            self._notes["directory position"] = self.position
        elif self._read_to != self.position:
            os.lseek(self._fd, self.position, os.SEEK_SET)


@table.syscall(344, "getdirentries64", FD, OUTPUT, SIZE, ADDRESS, support=FULL, returns=SSIZE)
def getdirentries64(task: Task, fd: int, address: int, size: int, position: int) -> int:
    """The next entries of a directory, 0 at its end; EINVAL for anything else.

    A buffer of 1024 bytes or more gives its last four to flags, of which bit 0 says
    that this call has reached the end.
    """
    room = size - 4 if size >= abi.GETDIRENTRIES64_EXTENDED_BUFSIZE else size
    limit = min(room, _LARGEST)
    records = bytearray()
    full = False
    try:
        reader = Reader(task, fd)
        for entry in reader:
            length = record_length(entry.name)
            if len(records) + length > limit:
                full = True
                break
            records += DIRENT.codec.pack(
                entry.inode, entry.position & 0xFFFF_FFFF_FFFF_FFFF, length, len(entry.name),
                entry.kind,
            )
            records += entry.name.ljust(length - _HEAD, b"\0")
            reader.taken(entry)
        reader.close()
    except OSError as error:
        number = error.errno
        raise Errno(EINVAL if number in (errno.ENOTDIR, errno.ESPIPE) else from_host(number)) \
            from None
    if full and not records:
        raise Errno(EINVAL)
    task.memory.write(address, records)
    task.memory.put_u64(position, reader.start)
    if size >= abi.GETDIRENTRIES64_EXTENDED_BUFSIZE:
        task.memory.put_u32(address + room, 0 if full else abi.GETDIRENTRIES64_EOF)
    return len(records)
