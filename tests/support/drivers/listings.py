"""Drivers for the modules of chapter 12, and what their tests share."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.contract import Asm
from support.drivers import driver
from support.layout import Connection, Record, constants

ABI = constants("abi.inc")
CONFIG = constants("config.inc")
LISTING = constants("listing.inc")
RECORD = constants("record.inc")
ROW = constants("row.inc")
#: Functions may read, and write, some bytes more than they use.
SLACK = 64


def slack(asm: Asm, text: bytes) -> int:
    """A text with its NUL, and memory behind it."""
    return asm.alloc(text + b"\0" + b"\xa5" * SLACK)


def rows(asm: Asm, entries: Sequence[tuple[int, bytes, int]]) -> int:
    """Rows of key, text and data."""
    return asm.alloc(b"".join(
        struct.pack("<4Q", key, slack(asm, text), len(text) + 1, data)
        for key, text, data in entries
    ))


def record(name: bytes, kind: int = ABI["VREG"], size: int = 0, mtime: int = 0) -> bytes:
    """What directory_read writes about an entry."""
    fixed = 60 if kind != ABI["VDIR"] else 52
    data = bytearray(fixed)
    struct.pack_into("<iI", data, RECORD["RECORD_NAME"], fixed - RECORD["RECORD_NAME"],
                     len(name) + 1)
    struct.pack_into("<I", data, RECORD["RECORD_KIND"], kind)
    struct.pack_into("<q", data, RECORD["RECORD_MTIME"], mtime)
    if fixed == 60:
        struct.pack_into("<Q", data, RECORD["RECORD_SIZE"], size)
    data += name + bytes(4 - len(name) % 4)
    data += bytes(-len(data) % 8)
    struct.pack_into("<I", data, RECORD["RECORD_LENGTH"], len(data))
    return bytes(data)


def records(asm: Asm, *all_of_them: bytes) -> tuple[int, int]:
    """Where they are, and their end."""
    data = b"".join(all_of_them)
    at = asm.alloc(data + b"\xa5" * SLACK)
    return at, at + len(data)


def row_of(asm: Asm, one: bytes) -> int:
    """A row for a record."""
    at, _ = records(asm, one)
    offset, size = struct.unpack_from("<iI", one, RECORD["RECORD_NAME"])
    return asm.alloc(struct.pack("<4Q", 0, at + RECORD["RECORD_NAME"] + offset, size, at))


@contextmanager
def opened(asm: Asm, folder: Path, *, listings: bool = True) -> Iterator[int]:
    """A folder to serve: its descriptor, in struct config as well."""
    fd = os.open(folder, os.O_RDONLY)
    config = asm.address("config")
    asm.poke(config + CONFIG["CONFIG_ROOT_FD"], fd.to_bytes(4, "little"))
    asm.poke(config + CONFIG["CONFIG_ERRORS_FD"], b"\xff" * 4)
    asm.poke(config + CONFIG["CONFIG_NO_LISTINGS"], bytes([not listings, 0, 0, 0]))
    try:
        yield fd
    finally:
        os.close(fd)


def fill(folder: Path, names: Sequence[str] = ("b.txt", "a&b.txt", ".~half", "sub/")) -> Path:
    """Some entries in a folder; a name with a slash behind it is a folder."""
    for name in names:
        if name.endswith("/"):
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(b"x" * len(name))
    return folder


class Listing(Record):
    """Memory for a listing."""

    def __init__(self, asm: Asm) -> None:
        super().__init__(asm, "listing.inc", asm.alloc(LISTING["LISTING_SIZEOF"]))


def prepared(asm: Asm, folder: Path, *, version: int = 1) -> tuple[Connection, Listing]:
    """A connection that asked for a folder, and the folder in memory, in order."""
    conn, listing = Connection(asm), Listing(asm)
    conn.set_path(b"a<b")
    conn.request["REQUEST_VERSION"] = version
    conn["CONN_NOW"] = 784111777
    with opened(asm, folder) as fd:
        assert not asm.call("directory_list", fd, listing.address).carry
    return conn, listing


@driver
def memory_map(asm: Asm, _: Path) -> None:
    done = asm.call("memory_map", 100_000)
    assert bytes(100_000) == asm.peek(done.value, 100_000)
    assert asm.call("memory_map", 1 << 62).carry
    assert not asm.call("memory_unmap", done.value, 100_000).carry


@driver
def memory_unmap(asm: Asm, tmp: Path) -> None:
    memory_map(asm, tmp)
    assert asm.call("memory_unmap", 1, 5).carry


@driver
def directory_read(asm: Asm, tmp: Path) -> None:
    fd = os.open(fill(tmp), os.O_RDONLY)
    try:
        assert 4 == asm.call("directory_read", fd, asm.alloc(1000), 1000).value
        assert 0 == asm.call("directory_read", fd, asm.alloc(1000), 1000).value
        os.lseek(fd, 0, os.SEEK_SET)
    finally:
        os.close(fd)
    assert asm.call("directory_read", 99, asm.alloc(1000), 1000).carry


@driver
def rows_sort(asm: Asm, _: Path) -> None:
    for count in (0, 1, 2, 3, 7):
        entries = [(n % 3, b"text%d" % (9 - n), n) for n in range(count)]
        asm.call("rows_sort", rows(asm, entries), count, asm.alloc(32 * count))


@driver
def rows_merge(asm: Asm, _: Path) -> None:
    entries = [(1, b"commonbegin1", 0), (3, b"b", 1), (1, b"commonbegin", 2), (2, b"d", 3)]
    for middle, end in ((2, 4), (4, 4), (1, 2), (1, 3)):
        at = rows(asm, entries)
        asm.call("rows_merge", x8=at, x12=at + 32 * middle, x13=at + 32 * end,
                 x10=asm.alloc(32 * end))


@driver
def size_write(asm: Asm, _: Path) -> None:
    for size in (0, 9, 10, 999, 1000, 123_456, 2**64 - 1):
        asm.call("size_write", asm.alloc(12), size)


@driver
def time_write(asm: Asm, _: Path) -> None:
    for seconds in (0, 951782400, 2**63 - 1, 2**64 - 1):
        asm.call("time_write", asm.alloc(16), seconds)


@driver
def name_plain(asm: Asm, _: Path) -> None:
    for name in (b"", b"a.txt", b"a b", b"\xff"):
        asm.call("name_plain", asm.text(name))


@driver
def html_write(asm: Asm, _: Path) -> None:
    for name in (b"", b"a.txt", b"<b>&\xff\n", "grün".encode()):
        asm.call("html_write", asm.alloc(5 * len(name) + 1), asm.text(name))


@driver
def utf8_length(asm: Asm, _: Path) -> None:
    for text in ("ü", "€", "😀"):
        asm.call("utf8_length", 0, asm.text(text.encode()))
        asm.call("utf8_length", 0, asm.text(text.encode()[:-1]))


@driver
def chunk_frame(asm: Asm, _: Path) -> None:
    for size in (1, 10, 65000):
        at = asm.alloc(18 + size + 2) + 18
        asm.call("chunk_frame", at, at + size)


@driver
def chunk_end(asm: Asm, _: Path) -> None:
    at = asm.alloc(5)
    assert at + 5 == asm.call("chunk_end", at).value
    assert b"0\r\n\r\n" == asm.peek(at, 5)


@driver
def directory_list(asm: Asm, tmp: Path) -> None:
    prepared(asm, fill(tmp))
    assert asm.call("directory_list", 99, Listing(asm).address).carry


@driver
def directory_gather(asm: Asm, tmp: Path) -> None:
    fill(tmp)
    for size in (60, 150, 1000):
        with opened(asm, tmp) as fd:
            asm.call("directory_gather", fd, asm.alloc(size), size)
    assert asm.call("directory_gather", 99, asm.alloc(100), 100).carry


@driver
def names_share(asm: Asm, _: Path) -> None:
    for names in ((), (b"a",), (b"photo-1", b"photo-2"), (b"photograph-1", b"photograph-2", b"x")):
        asm.call("names_share", *records(asm, *map(record, names)))


@driver
def rows_make(asm: Asm, _: Path) -> None:
    all_of_them = [record(b"file"), record(b"folder", ABI["VDIR"]), record(b"link", 5),
                   record(b".~half"), record(b"..x"), record(b".x"), record(b"x" * 1500)]
    at, end = records(asm, *all_of_them)
    asm.call("rows_make", at, end, asm.alloc(32 * len(all_of_them)), 0)


@driver
def fs_listing__listing_plan(asm: Asm, tmp: Path) -> None:
    (tmp / "d").mkdir()
    with opened(asm, tmp):
        for path in (b"", b"d", b"gone"):
            conn = Connection(asm)
            conn.set_path(path)
            if not asm.call("listing_plan", conn.address).carry:
                asm.call("listing_free", conn.address)


@driver
def listing_open(asm: Asm, tmp: Path) -> None:
    for allowed in (True, False):
        with opened(asm, tmp, listings=allowed):
            for path in (b"", b"gone"):
                conn = Connection(asm)
                conn.set_path(path)
                done = asm.call("listing_open", conn.address)
                if not done.carry:
                    os.close(done.value)


@driver
def listing_begin(asm: Asm, tmp: Path) -> None:
    for version in (0, 1):
        conn, listing = prepared(asm, tmp, version=version)
        asm.call("listing_begin", conn.address, listing.address)


def _begun(asm: Asm, tmp: Path) -> tuple[Connection, Listing]:
    conn, listing = prepared(asm, fill(tmp))
    conn.reply["REPLY_STATE"] = listing.address
    return conn, listing


@driver
def listing_next(asm: Asm, tmp: Path) -> None:
    conn, _ = _begun(asm, tmp)
    assert not asm.call("listing_next", conn.address).carry


@driver
def listing_fill(asm: Asm, tmp: Path) -> None:
    conn, listing = _begun(asm, tmp)
    out = listing.address + LISTING["LISTING_OUT"]
    asm.call("listing_fill", conn.address, out + 50)
    asm.call("listing_fill", conn.address, out + 50)


@driver
def listing_frame(asm: Asm, _: Path) -> None:
    for more in (0, 1):
        at = asm.alloc(50) + 18
        asm.call("listing_frame", at, at + 5, more)


@driver
def listing_free(asm: Asm, _: Path) -> None:
    conn = Connection(asm)
    conn.reply["REPLY_STATE"] = asm.call("memory_map", LISTING["LISTING_SIZEOF"]).value
    assert not asm.call("listing_free", conn.address).carry


@driver
def listing_top(asm: Asm, _: Path) -> None:
    for path in (b"", b"a&b/c"):
        asm.call("listing_top", asm.alloc(5000), asm.text(path), len(path))


@driver
def listing_name(asm: Asm, _: Path) -> None:
    for path in (b"", b"a&b/c"):
        asm.call("listing_name", asm.alloc(100), asm.text(path))


@driver
def listing_row(asm: Asm, _: Path) -> None:
    for name in (b"a", b"name-of-17-bytes-", b"a b", b"a\nb"):
        for kind in (ABI["VREG"], ABI["VDIR"]):
            asm.call("listing_row", asm.alloc(300), row_of(asm, record(name, kind, 1234)))


@driver
def row_plain(asm: Asm, _: Path) -> None:
    for name in (b"a", b"name-of-17-bytes-"):
        asm.call("row_plain", asm.alloc(100), x20=slack(asm, name), x8=len(name) + 1, x21=1)


@driver
def row_encoded(asm: Asm, _: Path) -> None:
    for name in (b"a b", b"a\nb"):
        asm.call("row_encoded", asm.alloc(100), x20=asm.text(name), x21=0)


@driver
def listing_bottom(asm: Asm, _: Path) -> None:
    for partial in (0, 1):
        asm.call("listing_bottom", asm.alloc(200), partial)
