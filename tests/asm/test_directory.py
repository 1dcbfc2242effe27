"""platform/directory and fs/directory: what is in a folder, in order."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.drivers.listings import (
    ABI,
    LISTING,
    RECORD,
    ROW,
    SLACK,
    Listing,
    fill,
    opened,
    record,
    records,
)

from ymawky_kit.darwin.errno import EACCES, EINTR, EIO, ENOENT, ERANGE
from ymawky_kit.emu.plan import Fault, FaultPlan

PROGRAM = "listings"
VREG, VDIR, VLNK = ABI["VREG"], ABI["VDIR"], 5
NAMES = st.text("ab.~\x01\xe9 ", min_size=1, max_size=24).map(
    lambda text: text.encode("latin-1")).filter(lambda name: name not in (b".", b".."))


def taken_apart(data: bytes) -> list[tuple[bytes, int, int, int]]:
    """Name, kind, moment and size of each record."""
    found = []
    while data:
        length, = struct.unpack_from("<I", data)
        offset, size = struct.unpack_from("<iI", data, RECORD["RECORD_NAME"])
        start = RECORD["RECORD_NAME"] + offset
        kind, = struct.unpack_from("<I", data, RECORD["RECORD_KIND"])
        moment, = struct.unpack_from("<q", data, RECORD["RECORD_MTIME"])
        length_of = struct.unpack_from("<Q", data, RECORD["RECORD_SIZE"])[0] if kind == VREG else 0
        name = data[start:start + size]
        assert name.endswith(b"\0")
        found.append((name[:-1], kind, moment, length_of))
        data = data[length:]
    return found


def test_a_record_has_its_fields_where_we_say(asm: Asm, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("file")
    os.utime(tmp_path / "file", (784111777, 784111777))
    os.utime(tmp_path / "folder", (-5, -5))
    os.utime(tmp_path / "link", (7, 7), follow_symlinks=False)
    buffer = asm.alloc(2000)
    with opened(asm, tmp_path) as fd:
        assert 3 == asm.call("directory_read", fd, buffer, 2000).value
    length = 0
    for _ in range(3):
        length += struct.unpack("<I", asm.peek(buffer + length, 4))[0]
    assert [(b"file", VREG, 784111777, 5), (b"folder", VDIR, -5, 0), (b"link", VLNK, 7, 0)] == (
        sorted(taken_apart(asm.peek(buffer, length))))


def test_the_records_of_the_tests_are_like_the_kernels(asm: Asm, tmp_path: Path) -> None:
    """So that what is tested with ours holds for real ones."""
    (tmp_path / "name").write_bytes(b"12345")
    os.utime(tmp_path / "name", (9, 9))
    buffer = asm.alloc(1000)
    with opened(asm, tmp_path) as fd:
        asm.call("directory_read", fd, buffer, 1000)
    mine = record(b"name", VREG, 5, 9)
    assert taken_apart(mine) == taken_apart(asm.peek(buffer, len(mine)))


@pytest.mark.parametrize("size", [100, 150, 200, 1000, 100_000])
def test_a_folder_is_read_however_small_the_pieces(asm: Asm, tmp_path: Path, size: int) -> None:
    """Each call gets the room that is left: short ones are made by the kernel's plan."""
    names = [f"entry-{n}" for n in range(30)]
    fill(tmp_path, names)
    buffer = asm.alloc(size)
    with opened(asm, tmp_path) as fd:
        done = asm.call("directory_gather", fd, buffer, size)
    found = [name.decode() for name, *_ in taken_apart(asm.peek(buffer, done.value - buffer))]
    assert (False, len(found) < 30) == (done.carry, bool(done["x1"]))
    assert len(set(found)) == len(found)
    assert set(found) <= set(names)
    assert len(found) >= min(30, size // 80)


def test_a_folder_that_just_fits_is_not_partial(asm: Asm, tmp_path: Path) -> None:
    fill(tmp_path, ["a", "b", "c"])
    with opened(asm, tmp_path) as fd:
        buffer = asm.alloc(1000)
        size = asm.call("directory_gather", fd, buffer, 1000).value - buffer
        for room, partial in ((size, 0), (size - 8, 1)):
            os.lseek(fd, 0, os.SEEK_SET)
            buffer = asm.alloc(room)
            again = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
            assert partial == asm.call("directory_gather", again, buffer, room)["x1"]
            os.close(again)


@pytest.mark.parametrize("error", [EIO, EACCES, ENOENT])
@pytest.mark.parametrize("number", [1, 2])
def test_an_error_while_reading_is_told(
    asm: Asm, tmp_path: Path, error: int, number: int
) -> None:
    with opened(asm, fill(tmp_path)) as fd, asm.plan(
            FaultPlan([Fault("getattrlistbulk", number, error=error)])):
        result = asm.call("directory_list", fd, Listing(asm).address)
    assert (True, error) == (result.carry, result.value)


def test_a_signal_in_between_changes_nothing(asm: Asm, tmp_path: Path) -> None:
    listing = Listing(asm)
    with opened(asm, fill(tmp_path)) as fd, asm.plan(FaultPlan(
            [Fault("getattrlistbulk", n, error=EINTR) for n in (1, 2, 4)])):
        assert not asm.call("directory_list", fd, listing.address).carry
    assert [b"sub", b"a&b.txt", b"b.txt"] == listed(asm, listing)


def test_a_full_buffer_is_no_error(asm: Asm, tmp_path: Path) -> None:
    listing = Listing(asm)
    with opened(asm, fill(tmp_path)) as fd, asm.plan(
            FaultPlan([Fault("getattrlistbulk", 2, error=ERANGE)])):
        assert not asm.call("directory_list", fd, listing.address).carry
    assert 1 == listing["LISTING_PARTIAL"]
    assert 3 == len(listed(asm, listing))


def listed(asm: Asm, listing: Listing) -> list[bytes]:
    """The names of the rows of a listing."""
    return names_of(asm, listing["LISTING_NEXT"], listing["LISTING_END"])


def names_of(asm: Asm, start: int, end: int) -> list[bytes]:
    return [asm.peek(text, length)[:-1]
            for _, text, length, _ in struct.iter_unpack("<4Q", asm.peek(start, end - start))]


@given(st.lists(st.tuples(NAMES, st.sampled_from([VREG, VDIR, VLNK, 0, 7])),
                unique_by=lambda entry: entry[0], max_size=20),
       st.sampled_from([b"", b"photo-", b"photograph-of-"]))
def test_rows_are_files_and_folders_that_can_be_asked_for(asm: Asm, entries, prefix) -> None:
    """And sorted by them, folders come first and names go by their bytes."""
    asm.reset()
    entries = [(prefix + name, kind) for name, kind in entries]
    at, end = records(asm, *(record(name, kind) for name, kind in entries))
    shared = asm.call("names_share", at, end)["x3"]
    common = 0
    for bytes_there in zip(*(name for name, _ in entries), strict=False):
        if len(set(bytes_there)) > 1:
            break
        common += 1
    assert shared == common + (len(entries) == 1)       # of one name, its NUL as well
    place = asm.alloc(ROW["ROW_SIZEOF"] * len(entries))
    done = asm.call("rows_make", at, end, place, shared)
    want = [(kind == VREG, name) for name, kind in entries
            if kind in (VREG, VDIR) and not name.startswith((b".~", b".."))]
    count = (done["x2"] - place) // ROW["ROW_SIZEOF"]
    assert [name for _, name in want] == names_of(asm, place, done["x2"])
    room = asm.alloc(ROW["ROW_SIZEOF"] * count)
    start = asm.call("rows_sort", place, count, room).value
    assert [name for _, name in sorted(want)] == names_of(
        asm, start, start + ROW["ROW_SIZEOF"] * count)


def test_a_name_that_is_longer_than_any_path_is_left_out(asm: Asm) -> None:
    longest = RECORD["RECORD_NAME_MAX"] - 1
    for size, kept in ((longest, 1), (longest + 1, 0)):
        at, end = records(asm, record(b"n" * size))
        place = asm.alloc(ROW["ROW_SIZEOF"])
        done = asm.call("rows_make", at, end, place, 0)
        assert kept == (done["x2"] - place) // ROW["ROW_SIZEOF"]


def test_the_memory_of_a_listing_holds_its_parts() -> None:
    """The smallest record there is, a folder with a name of one byte, takes 56 bytes."""
    smallest = len(record(b"x", VDIR))
    assert smallest == 56
    assert LISTING["LISTING_OUT"] + LISTING["LISTING_OUT_SIZE"] == LISTING["LISTING_RECORDS"]
    most = LISTING["LISTING_RECORDS_SIZE"] // smallest
    ends = LISTING["LISTING_RECORDS"] + LISTING["LISTING_RECORDS_SIZE"]
    assert ends + 2 * most * ROW["ROW_SIZEOF"] + SLACK <= LISTING["LISTING_SIZEOF"]
