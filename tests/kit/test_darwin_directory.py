"""getdirentries64 and the attribute calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from struct import unpack_from

import pytest
from support.guest import BASE, NOWHERE, Guest

from ymawky_kit.darwin import abi, host
from ymawky_kit.darwin.structs import ATTRIBUTE_SET, ATTRLIST, DIRENT

KINDS = {abi.DT_REG: "file", abi.DT_DIR: "directory", abi.DT_LNK: "link", abi.DT_FIFO: "fifo"}


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest() as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Names of every length of padding, of every kind that needs no privilege."""
    for length in range(1, 12):
        (tmp_path / ("n" * length)).write_bytes(b"x" * length)
    (tmp_path / "ünïcode").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / ("long" * 63)).touch()
    return tmp_path


@pytest.fixture(params=["by offset", "by listing"])
def hosted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Directories as this host reads them, and the way that works on any."""
    if request.param == "by listing":
        monkeypatch.setattr(host, "DIRECTORY_OFFSETS", False)
    return str(request.param)


Entry = tuple[str, int, int, int]      # name, kind, inode, position behind it


def records(data: bytes) -> list[Entry]:
    """Parse the stream, checking every record's own arithmetic."""
    found: list[Entry] = []
    at = 0
    while at < len(data):
        inode, position, length, name_length, kind = DIRENT.codec.unpack_from(data, at)
        assert (name_length + 32) & ~7 == length
        assert b"\0" == data[at + 21 + name_length:at + 22 + name_length]
        assert b"" == data[at + 21 + name_length:at + length].strip(b"\0")
        found.append((os.fsdecode(data[at + 21:at + 21 + name_length]), kind, inode, position))
        at += length
    assert at == len(data)
    return found


def read_all(guest: Guest, fd: int, size: int) -> tuple[list[Entry], list[int]]:
    """Every entry, and the position that each call reported."""
    room, position = guest.room(size), guest.room(8)
    found: list[Entry] = []
    positions: list[int] = []
    while used := guest.ok("getdirentries64", fd, room, size, position):
        found += records(guest.get(room, used))
        positions.append(guest.memory.u64(position))
    return found, positions


@pytest.mark.usefixtures("hosted")
@pytest.mark.parametrize("size", [300, 512, 1023, 1024, 2048, 65536])
def test_every_entry_comes_once_whatever_the_buffer(
    guest: Guest, folder: Path, size: int
) -> None:
    found, positions = read_all(guest, guest.open(folder), size)
    names = [name for name, *_ in found]
    assert sorted([".", "..", *(path.name for path in folder.iterdir())]) == sorted(names)
    assert len(positions) == len(set(positions))
    assert 0 == positions[0]


@pytest.mark.usefixtures("hosted")
def test_an_entry_tells_kind_and_inode(guest: Guest, folder: Path) -> None:
    found = {name: (kind, inode) for name, kind, inode, _ in read_all(
        guest, guest.open(folder), 65536
    )[0]}
    assert (abi.DT_DIR, folder.stat().st_ino) == found["."]
    assert (abi.DT_DIR, folder.parent.stat().st_ino) == found[".."]
    assert (abi.DT_REG, (folder / "n").stat().st_ino) == found["n"]
    assert (abi.DT_LNK, (folder / "link").lstat().st_ino) == found["link"]
    assert abi.DT_FIFO == found["fifo"][0]
    assert abi.DT_DIR == found["ünïcode"][0]


@pytest.mark.usefixtures("hosted")
def test_the_last_four_bytes_of_a_large_buffer_say_end(guest: Guest, folder: Path) -> None:
    for number in range(40):
        (folder / f"more {number}").touch()
    fd, room, position = guest.open(folder), guest.room(4096), guest.room(8)
    guest.memory.write(room, b"\xee" * 4096)
    used = guest.ok("getdirentries64", fd, room, 1024, position)
    flags = guest.memory.u32(room + 1020)
    assert used <= 1020
    assert 0 == flags
    assert b"\xee" == guest.get(room + 1024, 1)
    for _ in range(20):
        guest.ok("getdirentries64", fd, room, 1024, position)
        if guest.memory.u32(room + 1020) & abi.GETDIRENTRIES64_EOF:
            break
    assert abi.GETDIRENTRIES64_EOF == guest.memory.u32(room + 1020)
    assert 0 == guest.ok("getdirentries64", fd, room, 1024, position)


def test_a_small_buffer_has_no_flags(guest: Guest, folder: Path) -> None:
    fd, room, position = guest.open(folder), guest.room(1024), guest.room(8)
    guest.memory.write(room, b"\xee" * 1024)
    used = guest.ok("getdirentries64", fd, room, 1023, position)
    assert b"\xee" * (1024 - used) == guest.get(room + used, 1024 - used)


def test_reading_can_start_again_at_a_reported_place(guest: Guest, folder: Path) -> None:
    fd = guest.open(folder)
    room, position = guest.room(1024), guest.room(8)
    first = records(guest.get(room, guest.ok("getdirentries64", fd, room, 300, position)))
    second = records(guest.get(room, guest.ok("getdirentries64", fd, room, 300, position)))
    place = guest.memory.u64(position)
    guest.ok("lseek", fd, place, abi.SEEK_SET)
    again = records(guest.get(room, guest.ok("getdirentries64", fd, room, 300, position)))
    assert second == again
    guest.ok("lseek", fd, first[0][3], abi.SEEK_SET)
    rest = records(guest.get(room, guest.ok("getdirentries64", fd, room, 300, position)))
    assert first[1] == rest[0]
    guest.ok("lseek", fd, 0, abi.SEEK_SET)
    assert first == records(
        guest.get(room, guest.ok("getdirentries64", fd, room, 300, position))
    )


def test_names_stay_found_while_others_are_removed(guest: Guest, tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}").touch()
    fd, room, position = guest.open(tmp_path), guest.room(2048), guest.room(8)
    seen: list[str] = []
    while used := guest.ok("getdirentries64", fd, room, 2048, position):
        names = [n for n, *_ in records(guest.get(room, used)) if n not in (".", "..")]
        seen += names
        for name in names:
            (tmp_path / name).unlink()
    assert [f"{number:03}" for number in range(300)] == sorted(seen)


@pytest.mark.usefixtures("hosted")
def test_getdirentries64_refuses_what_is_no_directory(guest: Guest, folder: Path) -> None:
    position = guest.room(8)
    file = guest.open(folder / "n")
    assert "EINVAL" == guest.error("getdirentries64", file, BASE, 1024, position)
    assert "EBADF" == guest.error("getdirentries64", 200, BASE, 1024, position)
    fd = guest.open(folder)
    assert "EINVAL" == guest.error("getdirentries64", fd, BASE, 8, position)
    assert "EFAULT" == guest.error("getdirentries64", guest.open(folder), NOWHERE, 1024, position)
    assert "EFAULT" == guest.error("getdirentries64", guest.open(folder), BASE, 1024, NOWHERE)


def test_a_pipe_is_no_directory(guest: Guest) -> None:
    assert "EINVAL" == guest.error("getdirentries64", guest.pipe()[0], BASE, 1024, BASE)


# --- attributes -------------------------------------------------------------------------

RETURNED = abi.ATTR_CMN_RETURNED_ATTRS
LISTING = RETURNED | abi.ATTR_CMN_NAME | abi.ATTR_CMN_OBJTYPE | abi.ATTR_CMN_MODTIME


def attributes(guest: Guest, **bits: int) -> int:
    return guest.struct(ATTRLIST, **{"bitmapcount": abi.ATTR_BIT_MAP_COUNT, **bits})


def bulk(guest: Guest, fd: int, wanted: int, size: int = 65536, options: int = 0) -> list[bytes]:
    """Every record of a directory."""
    room = guest.room(size)
    found: list[bytes] = []
    while count := guest.ok("getattrlistbulk", fd, wanted, room, size, options):
        at = room
        for _ in range(count):
            length = guest.memory.u32(at)
            assert 0 == length % 4
            found.append(guest.get(at, length))
            at += length
        assert at <= room + size
    return found


def name_of(record: bytes, at: int) -> str:
    offset, length = unpack_from("<iI", record, at)
    assert 0 == record[at + offset + length - 1]
    return os.fsdecode(record[at + offset:at + offset + length - 1])


@pytest.mark.usefixtures("hosted")
@pytest.mark.parametrize("size", [400, 1000, 65536])
def test_a_listing_takes_names_kinds_times_and_sizes_in_one_call(
    guest: Guest, folder: Path, size: int
) -> None:
    wanted = attributes(guest, commonattr=LISTING, fileattr=abi.ATTR_FILE_DATALENGTH)
    found: dict[str, tuple[int, int, int | None]] = {}
    for record in bulk(guest, guest.open(folder), wanted, size):
        common, volume, directory, file, fork = ATTRIBUTE_SET.codec.unpack_from(record, 4)
        assert (LISTING, 0, 0, 0) == (common, volume, directory, fork)
        kind, seconds, nanoseconds = unpack_from("<Iqq", record, 32)
        length = unpack_from("<Q", record, 52)[0] if file else None
        found[name_of(record, 24)] = (kind, seconds * 10**9 + nanoseconds, length)
    expected: dict[str, tuple[int, int, int | None]] = {}
    types = {0o100000: abi.VREG, 0o040000: abi.VDIR, 0o120000: abi.VLNK, 0o010000: abi.VFIFO}
    for path in folder.iterdir():
        status = path.lstat()
        kind = types[status.st_mode & 0o170000]
        size_ = None if kind == abi.VDIR else status.st_size
        expected[path.name] = (kind, status.st_mtime_ns, size_)
    assert expected == found


def test_attributes_come_in_the_order_of_their_bits(guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"12345")
    status = (tmp_path / "one").stat()
    common = (
        RETURNED | abi.ATTR_CMN_NAME | abi.ATTR_CMN_DEVID | abi.ATTR_CMN_OBJTYPE
        | abi.ATTR_CMN_OBJID | abi.ATTR_CMN_OWNERID | abi.ATTR_CMN_GRPID
        | abi.ATTR_CMN_ACCESSMASK | abi.ATTR_CMN_FLAGS | abi.ATTR_CMN_FILEID
    )
    file = abi.ATTR_FILE_LINKCOUNT | abi.ATTR_FILE_TOTALSIZE | abi.ATTR_FILE_DATALENGTH
    wanted = attributes(guest, commonattr=common, fileattr=file)
    (record,) = bulk(guest, guest.open(tmp_path), wanted)
    device = os.major(status.st_dev) << 24 | os.minor(status.st_dev)
    assert (
        device, abi.VREG, status.st_ino, status.st_uid, status.st_gid, status.st_mode, 0,
        status.st_ino, 1, 5, 5,
    ) == unpack_from("<IIQIIIIQIQQ", record, 32)
    assert "one" == name_of(record, 24)
    assert 0 == len(record) % 8


def test_directories_answer_directory_attributes(guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    wanted = attributes(
        guest, commonattr=RETURNED | abi.ATTR_CMN_NAME, dirattr=0x1,
        fileattr=abi.ATTR_FILE_DATALENGTH,
    )
    (record,) = bulk(guest, guest.open(tmp_path), wanted)
    assert (RETURNED | abi.ATTR_CMN_NAME, 0, 1, 0, 0) == ATTRIBUTE_SET.codec.unpack_from(record, 4)
    assert (tmp_path / "sub").stat().st_nlink == unpack_from("<I", record, 32)[0]


def test_packing_invalid_attributes_leaves_zeros_in_their_place(
    guest: Guest, tmp_path: Path
) -> None:
    (tmp_path / "one").write_bytes(b"12345")
    common = RETURNED | abi.ATTR_CMN_ERROR | abi.ATTR_CMN_NAME | abi.ATTR_CMN_OBJTAG | (
        abi.ATTR_CMN_OBJTYPE
    )
    wanted = attributes(guest, commonattr=common)
    (record,) = bulk(guest, guest.open(tmp_path), wanted, options=abi.FSOPT_PACK_INVAL_ATTRS)
    returned = ATTRIBUTE_SET.codec.unpack_from(record, 4)[0]
    assert common & ~abi.ATTR_CMN_OBJTAG == returned
    error, _, _, kind, tag = unpack_from("<IiIII", record, 24)
    assert (0, abi.VREG, 0) == (error, kind, tag)
    assert "one" == name_of(record, 28)


def test_getattrlistbulk_refuses_bad_requests(guest: Guest, folder: Path) -> None:
    room, fd = guest.room(4096), guest.open(folder)
    good = attributes(guest, commonattr=LISTING)

    def ask(fd: int, wanted: int, size: int = 4096) -> str:
        return guest.error("getattrlistbulk", fd, wanted, room, size, 0)

    assert "EINVAL" == ask(fd, attributes(guest, commonattr=RETURNED))
    assert "EINVAL" == ask(fd, attributes(guest, commonattr=abi.ATTR_CMN_NAME))
    assert "EINVAL" == ask(fd, attributes(guest, commonattr=LISTING, volattr=1))
    assert "EINVAL" == ask(fd, attributes(guest, commonattr=LISTING, bitmapcount=4))
    assert "EINVAL" == ask(fd, attributes(guest, commonattr=LISTING, fileattr=0x8000_0000))
    assert "ENOTDIR" == ask(guest.open(folder / "n"), good)
    assert "EBADF" == ask(200, good)
    assert "ERANGE" == ask(fd, good, 40)
    assert "EFAULT" == ask(fd, NOWHERE)
    assert "ok" == ask(fd, good)


@pytest.mark.usefixtures("hosted")
def test_an_empty_directory_has_no_records(guest: Guest, tmp_path: Path) -> None:
    wanted = attributes(guest, commonattr=LISTING)
    assert [] == bulk(guest, guest.open(tmp_path), wanted)


def test_getattrlist_answers_for_one_file(guest: Guest, folder: Path) -> None:
    room, fd = guest.room(256), guest.open(folder)
    wanted = attributes(
        guest, commonattr=abi.ATTR_CMN_NAME | abi.ATTR_CMN_OBJTYPE,
        fileattr=abi.ATTR_FILE_DATALENGTH,
    )
    for name, first in (
        ("getattrlist", (guest.text(folder / "nnn"),)),
        ("getattrlistat", (fd, guest.text("nnn"))),
        ("fgetattrlist", (guest.open(folder / "nnn"),)),
    ):
        guest.ok(name, *first, wanted, room, 256, 0)
        record = guest.get(room, guest.memory.u32(room))
        assert ("nnn", abi.VREG, 3) == (name_of(record, 4), *unpack_from("<IQ", record, 12))


def test_getattrlist_follows_links_unless_told(guest: Guest, folder: Path) -> None:
    (folder / "good").symlink_to("nn")
    room = guest.room(64)
    wanted = attributes(guest, commonattr=abi.ATTR_CMN_OBJTYPE)
    kinds = []
    for options in (0, abi.FSOPT_NOFOLLOW, abi.FSOPT_NOFOLLOW_ANY):
        guest.ok("getattrlist", guest.text(folder / "good"), wanted, room, 64, options)
        kinds.append(guest.memory.u32(room + 4))
    assert [abi.VREG, abi.VLNK, abi.VLNK] == kinds
    assert "ENOENT" == guest.error(
        "getattrlist", guest.text(folder / "link"), wanted, room, 64, 0
    )


def test_getattrlist_cuts_to_the_buffer(guest: Guest, folder: Path) -> None:
    room = guest.put(b"\xee" * 64)
    wanted = attributes(guest, commonattr=abi.ATTR_CMN_OBJTYPE | abi.ATTR_CMN_FILEID)
    path = guest.text(folder / "n")
    guest.ok("getattrlist", path, wanted, room, 8, 0)
    assert (8, abi.VREG, 0xEEEEEEEE) == unpack_from("<III", guest.get(room, 12))
    guest.ok("getattrlist", path, wanted, room, 8, 4)
    assert 16 == guest.memory.u32(room)
    assert "ERANGE" == guest.error("getattrlist", path, wanted, room, 3, 0)
    assert "EINVAL" == guest.error(
        "getattrlist", path, attributes(guest, commonattr=abi.ATTR_CMN_OBJTAG), room, 64, 0
    )
    assert "EINVAL" == guest.error(
        "fgetattrlist", guest.open(folder / "n"), attributes(guest, forkattr=1), room, 64, 0
    )
    assert "EBADF" == guest.error("fgetattrlist", guest.pipe()[0], wanted, room, 64, 0)
