"""getattrlist and its bulk form: chosen attributes of files in one buffer.

getattrlistbulk reads a directory with sizes and dates in one call, which is what a
listing wants.  Source: XNU bsd/vfs/vfs_attrlist.c (vfs_attr_pack_internal,
attr_pack_common, attr_pack_file, getattrlistbulk).

A record is: u32 length; the set of returned attributes, 20 bytes; the attributes in
the order of their bits; then the names that references point to.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from struct import Struct
from typing import Final

from ymawky_kit.darwin import abi, host
from ymawky_kit.darwin.directory import Reader
from ymawky_kit.darwin.errno import EBADF, EINVAL, ENOTDIR, ERANGE, Errno
from ymawky_kit.darwin.path import place, translated
from ymawky_kit.darwin.structs import ATTRIBUTE_SET, ATTRLIST
from ymawky_kit.darwin.table import (
    ADDRESS,
    DIRFD,
    FD,
    OUTPUT,
    PARTIAL,
    PATH,
    SIZE,
    ULONG,
    table,
)
from ymawky_kit.darwin.task import Task

_U32: Final = Struct("<I")
_U64: Final = Struct("<Q")
_TIME: Final = Struct("<qq")
_REFERENCE: Final = Struct("<iI")       # offset from itself, length with the NUL

#: Bit -> size in bytes, in packing order.  ERROR comes first although its bit is high.
_COMMON: Final = {
    abi.ATTR_CMN_ERROR: 4, abi.ATTR_CMN_NAME: 8, abi.ATTR_CMN_DEVID: 4, abi.ATTR_CMN_FSID: 8,
    abi.ATTR_CMN_OBJTYPE: 4, abi.ATTR_CMN_OBJTAG: 4, abi.ATTR_CMN_OBJID: 8, 0x40: 8, 0x80: 8,
    0x100: 4, abi.ATTR_CMN_CRTIME: 16, abi.ATTR_CMN_MODTIME: 16, abi.ATTR_CMN_CHGTIME: 16,
    abi.ATTR_CMN_ACCTIME: 16, 0x2000: 16, 0x4000: 32, abi.ATTR_CMN_OWNERID: 4,
    abi.ATTR_CMN_GRPID: 4, abi.ATTR_CMN_ACCESSMASK: 4, abi.ATTR_CMN_FLAGS: 4, 0x8_0000: 4,
    0x10_0000: 4, 0x20_0000: 4, 0x40_0000: 8, 0x80_0000: 16, 0x100_0000: 16,
    abi.ATTR_CMN_FILEID: 8, 0x400_0000: 8, 0x800_0000: 8, 0x1000_0000: 16, 0x4000_0000: 4,
}
_DIRECTORY: Final = {0x1: 4, 0x2: 4, 0x4: 4, 0x8: 8, 0x10: 4, 0x20: 8}
_FILE: Final = {
    abi.ATTR_FILE_LINKCOUNT: 4, abi.ATTR_FILE_TOTALSIZE: 8, abi.ATTR_FILE_ALLOCSIZE: 8,
    abi.ATTR_FILE_IOBLOCKSIZE: 4, 0x10: 4, abi.ATTR_FILE_DEVTYPE: 4, 0x40: 4, 0x80: 4,
    0x100: 4, abi.ATTR_FILE_DATALENGTH: 8, abi.ATTR_FILE_DATAALLOCSIZE: 8, 0x1000: 8, 0x2000: 8,
}
_KNOWN_COMMON: Final = sum(_COMMON) | abi.ATTR_CMN_RETURNED_ATTRS

_BULK_REQUIRED: Final = abi.ATTR_CMN_NAME | abi.ATTR_CMN_RETURNED_ATTRS
_OPTIONS_REPORT_FULLSIZE: Final = 0x4

_TYPES: Final = {
    abi.S_IFREG: abi.VREG, abi.S_IFDIR: abi.VDIR, abi.S_IFBLK: abi.VBLK, abi.S_IFCHR: abi.VCHR,
    abi.S_IFLNK: abi.VLNK, abi.S_IFSOCK: abi.VSOCK, abi.S_IFIFO: abi.VFIFO,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """struct attrlist, checked."""

    common: int
    directory: int
    file: int
    returned: bool      # the record begins with what it holds
    invalid: bool       # FSOPT_PACK_INVAL_ATTRS: zeros for what is not known

    @classmethod
    def read(cls, task: Task, address: int, options: int, *, bulk: bool) -> Wanted:
        """From guest memory; raises Errno(EINVAL) for a list the kernel refuses."""
        count, _, common, volume, folder, file, fork = ATTRLIST.codec.unpack(
            task.memory.view(address, ATTRLIST.size)
        )
        if count != abi.ATTR_BIT_MAP_COUNT or volume or fork:
            raise Errno(EINVAL)
        if common & ~_KNOWN_COMMON or folder & ~sum(_DIRECTORY) or file & ~sum(_FILE):
            raise Errno(EINVAL)
        if bulk and common & _BULK_REQUIRED != _BULK_REQUIRED:
            raise Errno(EINVAL)
        return cls(
            common, folder, file,
            returned=bool(common & abi.ATTR_CMN_RETURNED_ATTRS),
            invalid=bool(options & abi.FSOPT_PACK_INVAL_ATTRS),
        )


_Getter = Callable[[host.Status], bytes]


def _times(seconds: str, nanoseconds: str) -> _Getter:
    both = attrgetter(seconds, nanoseconds)
    return lambda found: _TIME.pack(*both(found))


def _number(name: str, form: Struct = _U32) -> _Getter:
    one = attrgetter(name)
    return lambda found: form.pack(one(found))


#: How the host answers each attribute; what is not here it cannot.
_COMMON_VALUES: Final[dict[int, _Getter]] = {
    abi.ATTR_CMN_DEVID: _number("device"),
    abi.ATTR_CMN_FSID: _number("device", _U64),
    abi.ATTR_CMN_OBJTYPE: lambda found: _U32.pack(
        _TYPES.get(found.mode & abi.S_IFMT, abi.VNON)
    ),
    abi.ATTR_CMN_OBJID: _number("inode", _U64),
    abi.ATTR_CMN_CRTIME: _times("born", "born_ns"),
    abi.ATTR_CMN_MODTIME: _times("modified", "modified_ns"),
    abi.ATTR_CMN_CHGTIME: _times("changed", "changed_ns"),
    abi.ATTR_CMN_ACCTIME: _times("accessed", "accessed_ns"),
    abi.ATTR_CMN_OWNERID: _number("uid"),
    abi.ATTR_CMN_GRPID: _number("gid"),
    abi.ATTR_CMN_ACCESSMASK: _number("mode"),
    abi.ATTR_CMN_FLAGS: lambda _found: bytes(4),
    abi.ATTR_CMN_FILEID: _number("inode", _U64),
}
_DIRECTORY_VALUES: Final[dict[int, _Getter]] = {
    0x1: _number("links"),
    0x4: lambda _found: bytes(4),               # DIR_MNTSTATUS_MNTPOINT is not set
    0x10: _number("block_size"),
}
_FILE_VALUES: Final[dict[int, _Getter]] = {
    abi.ATTR_FILE_LINKCOUNT: _number("links"),
    abi.ATTR_FILE_TOTALSIZE: _number("size", _U64),
    abi.ATTR_FILE_ALLOCSIZE: lambda found: _U64.pack(found.blocks * 512),
    abi.ATTR_FILE_IOBLOCKSIZE: _number("block_size"),
    abi.ATTR_FILE_DEVTYPE: _number("special_device"),
    abi.ATTR_FILE_DATALENGTH: _number("size", _U64),
    abi.ATTR_FILE_DATAALLOCSIZE: lambda found: _U64.pack(found.blocks * 512),
}


@dataclass(frozen=True, slots=True)
class _Form:
    """The shape of every record of one request: what comes before and behind the name."""

    returned: bytes                         # the set of attributes, or nothing
    before: tuple[_Getter, ...]
    has_name: bool
    after: tuple[_Getter, ...]
    variable_at: int                        # where the name's bytes go


@cache
def _form(wanted: Wanted, is_directory: bool) -> _Form:
    """Raises Errno(EINVAL) for an attribute that is unknown and must be there."""
    groups = [(wanted.common, _COMMON, _COMMON_VALUES)]
    if is_directory:
        groups.append((wanted.directory, _DIRECTORY, _DIRECTORY_VALUES))
    else:
        groups.append((wanted.file, _FILE, _FILE_VALUES))
    # Without the set of returned attributes every one of them must be there; with it an
    # error is only told when there is one, unless zeros are asked for.
    zeros = wanted.invalid or not wanted.returned
    before: list[_Getter] = []
    after: list[_Getter] = []
    packed = [0, 0]
    has_name = False
    size = 4 + (ATTRIBUTE_SET.size if wanted.returned else 0)
    for index, (bits, sizes, values) in enumerate(groups):
        for bit, length in sizes.items():
            if not bits & bit:
                continue
            size += length
            if sizes is _COMMON and bit == abi.ATTR_CMN_NAME:
                has_name = True
                packed[0] |= bit
                continue
            getter = values.get(bit)
            if sizes is _COMMON and bit == abi.ATTR_CMN_ERROR and zeros:
                getter = _no_error
            if getter is not None:
                packed[index] |= bit
            elif wanted.invalid:
                getter = _zeros(length)
            elif not wanted.returned:
                raise Errno(EINVAL)
            else:
                continue
            (after if has_name else before).append(getter)
    returned = b""
    if wanted.returned:
        common = packed[0] | abi.ATTR_CMN_RETURNED_ATTRS
        folder, file = (packed[1], 0) if is_directory else (0, packed[1])
        returned = ATTRIBUTE_SET.codec.pack(common, 0, folder, file, 0)
    return _Form(returned, tuple(before), has_name, tuple(after), size)


def _no_error(_found: host.Status) -> bytes:
    return bytes(4)


def _zeros(length: int) -> _Getter:
    return lambda _found: bytes(length)


def pack(wanted: Wanted, found: host.Status, name: bytes) -> bytes:
    """One file's record; raises Errno(EINVAL) for what is unknown and must be there."""
    form = _form(wanted, found.mode & abi.S_IFMT == abi.S_IFDIR)
    data = form.returned + b"".join([getter(found) for getter in form.before])
    text = b""
    if form.has_name:
        data += _REFERENCE.pack(form.variable_at - 4 - len(data), len(name) + 1)
        text = name.ljust((len(name) + 4) & ~3, b"\0")
    data += b"".join([getter(found) for getter in form.after])
    data = data.ljust(form.variable_at - 4, b"\0") + text
    return _U32.pack(len(data) + 4) + data


_NOTE: Final = (
    "Attributes that the host's file system can answer: name, device, type, ids, times, owner, "
    "mode, link count, sizes. Volume and fork attributes are EINVAL."
)


@table.syscall(
    461, "getattrlistbulk", FD, ADDRESS, OUTPUT, SIZE, ULONG, support=PARTIAL, note=_NOTE,
)
def getattrlistbulk(
    task: Task, fd: int, attributes: int, address: int, size: int, options: int
) -> int:
    """Names and chosen attributes of a directory's files; the number of records, 0 at the end."""
    with translated():
        mode = os.fstat(fd).st_mode
        if mode & abi.S_IFMT != abi.S_IFDIR:
            raise Errno(ENOTDIR)
        wanted = Wanted.read(task, attributes, options, bulk=True)
        records = bytearray()
        count = 0
        full = False
        reader = Reader(task, fd)
        for entry in reader:
            if entry.name not in (b".", b".."):
                try:
                    found = host.status(fd, entry.name, follow=False)
                except FileNotFoundError:       # gone since the directory was read
                    reader.taken(entry)
                    continue
                record = pack(wanted, found, entry.name)
                if len(records) + len(record) > size:
                    full = True
                    break
                # Eight-byte steps, but the last one may go without.
                padding = min(-len(record) % 8, size - len(records) - len(record))
                if padding == -len(record) % 8:
                    record = _U32.pack(len(record) + padding) + record[4:] + bytes(padding)
                records += record
                count += 1
            reader.taken(entry)
        reader.close()
    if full and not count:
        raise Errno(ERANGE)
    task.memory.write(address, records)
    return count


def _reply(
    task: Task, wanted: Wanted, found: host.Status, name: bytes, address: int, size: int,
    options: int,
) -> int:
    """Copy out as much of the record as the buffer takes."""
    if size < 4:
        raise Errno(ERANGE)
    data = pack(wanted, found, name)
    if len(data) > size and not options & _OPTIONS_REPORT_FULLSIZE:
        data = _U32.pack(size) + data[4:]
    task.memory.write(address, data[:size])
    return 0


def _getattrlist(
    task: Task, fd: int, path: bytes, attributes: int, address: int, size: int, options: int
) -> int:
    wanted = Wanted.read(task, attributes, options, bulk=False)
    restricted = bool(options & abi.FSOPT_NOFOLLOW_ANY)
    follow = not options & (abi.FSOPT_NOFOLLOW | abi.FSOPT_NOFOLLOW_ANY)
    with place(fd, path, no_symlinks=restricted) as (start, name):
        found = host.status(start, name, follow=follow)
    last = path.rstrip(b"/").rpartition(b"/")[2] or b"/"
    return _reply(task, wanted, found, last, address, size, options)


@table.syscall(
    220, "getattrlist", PATH, ADDRESS, OUTPUT, SIZE, ULONG, support=PARTIAL, note=_NOTE,
)
def getattrlist(
    task: Task, path: bytes, attributes: int, address: int, size: int, options: int
) -> int:
    """Chosen attributes of a file in one buffer."""
    return _getattrlist(task, abi.AT_FDCWD, path, attributes, address, size, options)


@table.syscall(
    476, "getattrlistat", DIRFD, PATH, ADDRESS, OUTPUT, SIZE, ULONG, support=PARTIAL, note=_NOTE,
)
def getattrlistat(
    task: Task, fd: int, path: bytes, attributes: int, address: int, size: int, options: int
) -> int:
    """As getattrlist, from a directory."""
    return _getattrlist(task, fd, path, attributes, address, size, options)


@table.syscall(
    228, "fgetattrlist", FD, ADDRESS, OUTPUT, SIZE, ULONG, support=PARTIAL, note=_NOTE,
)
def fgetattrlist(
    task: Task, fd: int, attributes: int, address: int, size: int, options: int
) -> int:
    """Chosen attributes of an open file."""
    with translated():
        found = host.status(fd, b"", follow=False)
        if found.mode & abi.S_IFMT in (abi.S_IFSOCK, abi.S_IFIFO):
            raise Errno(EBADF)
        wanted = Wanted.read(task, attributes, options, bulk=False)
        name = b""
        if wanted.common & abi.ATTR_CMN_NAME:
            name = host.descriptor_path(fd).rpartition(b"/")[2]
    return _reply(task, wanted, found, name, address, size, options)
