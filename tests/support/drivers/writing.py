"""Drivers for the functions that take bodies and change files: see test_contracts.py."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.contract import Asm
from support.drivers import driver
from support.layout import Connection, constants

HTTP = constants("http.inc")
UPLOAD = constants("upload.inc")
CONFIG = constants("config.inc")
REQUEST = constants("request.inc")


def configure(asm: Asm, **values: int) -> None:
    """Set fields of four bytes: `configure(asm, BODY_MAX=5)`."""
    for name, value in values.items():
        asm.poke(asm.address("config") + CONFIG[f"CONFIG_{name}"], struct.pack("<I", value))


def arrived(asm: Asm, fields: bytes = b"", body: bytes = b"", fd: int = 7) -> Connection:
    """A connection with a request to PUT that has been parsed, and what came behind it."""
    conn = Connection(asm, fd)
    head = b"PUT /a/new HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"
    start = conn.address + constants("conn.inc")["CONN_IN"]
    asm.poke(start, head + body)
    conn["CONN_IN_LEN"] = len(head + body)
    result = asm.call("request_parse", conn.request.address, start, len(head + body))
    assert (False, len(head)) == (result.carry, result.value)
    return conn


@contextmanager
def folder(asm: Asm, tmp: Path) -> Iterator[int]:
    """Serve from `tmp`, which is filled."""
    if not (tmp / "d").exists():
        (tmp / "f").write_bytes(b"old\n")
        (tmp / "d").mkdir()
        (tmp / "d/f").write_bytes(b"older\n")
        (tmp / "link").symlink_to("f")
        (tmp / "linked").symlink_to("d")
        os.mkfifo(tmp / "pipe")
    fd = os.open(tmp, os.O_RDONLY)
    configure(asm, ROOT_FD=fd, WRITABLE=1, BODY_MAX=1000, HEAD_SECONDS=3)
    try:
        yield fd
    finally:
        os.close(fd)


PATHS = ((b"new", False), (b"f", False), (b"f", True), (b"d", False), (b"d/f", False),
         (b"d/new", False), (b"no/new", False), (b"f/new", False), (b"link", False),
         (b"linked/new", False), (b"pipe", False), (b"x" * 300, False))


def held(conn: Connection) -> None:
    """Close what an upload holds, as upload_drop would."""
    if conn.upload["UPLOAD_HELD"]:
        os.close(conn.upload["UPLOAD_FOLDER"])
        if conn.upload["UPLOAD_FD"] >= 0:
            os.close(conn.upload["UPLOAD_FD"])


def everywhere(asm: Asm, tmp: Path, name: str, fields: bytes = b"") -> None:
    """Call a plan for each of the paths."""
    with folder(asm, tmp):
        for path, slash in PATHS:
            conn = arrived(asm, fields)
            conn.set_path(path, slash)
            asm.call(name, conn.address)
            held(conn)


# --- platform -----------------------------------------------------------------------------


@driver
def file_create_below(asm: Asm, tmp: Path) -> None:
    with folder(asm, tmp) as fd:
        made = asm.call("file_create_below", fd, asm.text(b"made"), 0o600).value
        assert 0o600 == (tmp / "made").stat().st_mode & 0o777
        os.close(made)
        for name, error in ((b"made", 17), (b"link", 17), (b"linked/x", 62)):
            result = asm.call("file_create_below", fd, asm.text(name), 0o600)
            assert (True, error) == (result.carry, result.value)


@driver
def file_stat_below(asm: Asm, tmp: Path) -> None:
    with folder(asm, tmp) as fd:
        for name in (b"f", b"link", b"missing"):
            asm.call("file_stat_below", fd, asm.text(name), asm.alloc(144))


@driver
def file_rename_below(asm: Asm, tmp: Path) -> None:
    with folder(asm, tmp) as fd:
        (tmp / "one").write_bytes(b"one")
        for old, new in ((b"one", b"f"), (b"one", b"f"), (b"f", b"d")):
            asm.call("file_rename_below", fd, asm.text(old), asm.text(new))
        assert b"one" == (tmp / "f").read_bytes()


@driver
def file_remove_below(asm: Asm, tmp: Path) -> None:
    with folder(asm, tmp) as fd:
        for name in (b"link", b"link", b"d"):
            asm.call("file_remove_below", fd, asm.text(name))
        assert (tmp / "f").exists() and not (tmp / "link").is_symlink()


@driver
def fd_sync(asm: Asm, tmp: Path) -> None:
    with folder(asm, tmp) as fd:
        assert not asm.call("fd_sync", fd).carry
        assert asm.call("fd_sync", 99).carry


@driver
def process_number(asm: Asm, _: Path) -> None:
    assert os.getpid() == asm.call("process_number").value


# --- http/body ----------------------------------------------------------------------------


@driver
def body_begin(asm: Asm, _: Path) -> None:
    for fields, body in ((b"", b""), (b"Content-Length: 5\r\n", b"hel"),
                         (b"Transfer-Encoding: chunked\r\n", b"1\r\n")):
        result = asm.call("body_begin", arrived(asm, fields, body).address)
        assert body == asm.peek(result.value, len(body))


def taking(asm: Asm, state: str, *, left: int = 0, line: int = 0) -> Connection:
    conn = Connection(asm)
    conn.upload["UPLOAD_STATE"] = UPLOAD[state]
    conn.upload["UPLOAD_LEFT"] = left
    conn.upload["UPLOAD_LINE"] = line
    return conn


STATES = [name for name in UPLOAD if name.startswith("TAKE_")]
AROUND = [name for name in STATES if name not in ("TAKE_PLAIN", "TAKE_DATA", "TAKE_END")]


@driver
def body_take(asm: Asm, _: Path) -> None:
    reading, writing = os.pipe()
    configure(asm, BODY_MAX=1000)
    try:
        for state in STATES:
            for piece in (b"", b"5", b"\r", b"\n", b"0\r\n\r\n", b"2\r\nhi\r\n0\r\nA: b\r\n\r\n"):
                for fd in (writing, 99):
                    conn = taking(asm, state, left=2)
                    conn.upload["UPLOAD_FD"] = fd
                    asm.call("body_take", conn.address, asm.alloc(piece), len(piece))
    finally:
        os.close(reading)
        os.close(writing)


@driver
def chunk_take(asm: Asm, _: Path) -> None:
    for state in AROUND:
        for byte in b"0aG;\r\n\t \x00\x7f\x80":
            for left in (0, 1, 1 << 60):
                asm.call("chunk_take", taking(asm, state, left=left).address, byte)


def _one(asm: Asm, name: str, *states: str) -> None:
    for state in states:
        for byte in b"0aFg;\r\n\t \x00\x7f\x80":
            for left, line in ((0, 0), (1 << 60, 8192)):
                conn = taking(asm, state, left=left, line=line)
                asm.call(name, conn.address, byte, UPLOAD[state])


@driver
def chunk_size(asm: Asm, _: Path) -> None:
    _one(asm, "chunk_size", "TAKE_SIZE", "TAKE_DIGIT")


@driver
def chunk_line(asm: Asm, _: Path) -> None:
    _one(asm, "chunk_line", "TAKE_DIGIT", "TAKE_BLANK", "TAKE_EXTENSION")


@driver
def chunk_count(asm: Asm, _: Path) -> None:
    _one(asm, "chunk_count", "TAKE_DIGIT")


@driver
def chunk_open(asm: Asm, _: Path) -> None:
    configure(asm, BODY_MAX=1000)
    for left in (0, 1000, 1001):
        asm.call("chunk_open", taking(asm, "TAKE_SIZE_LF", left=left).address)


@driver
def trailer_take(asm: Asm, _: Path) -> None:
    _one(asm, "trailer_take", "TAKE_TRAILER", "TAKE_FIELD")


# --- fs -----------------------------------------------------------------------------------


@driver
def place_look(asm: Asm, tmp: Path) -> None:
    everywhere(asm, tmp, "place_look")


@driver
def place_lock(asm: Asm, tmp: Path) -> None:
    _looking(asm, tmp, "place_lock")


@driver
def place_kind(asm: Asm, tmp: Path) -> None:
    _looking(asm, tmp, "place_kind")


def _looking(asm: Asm, tmp: Path, name: str) -> None:
    with folder(asm, tmp):
        for path, kind in ((b"f", 0x8000), (b"d/new", 0), (b"link", 0xA000)):
            conn = Connection(asm)
            conn.set_path(path)
            asm.call("place_look", conn.address)
            result = asm.call(name, conn.address)
            assert (False, kind) == (result.carry, result.value)
            held(conn)
        conn.set_path(b"x" * 300)
        assert asm.call(name, conn.address).carry


@driver
def fd_lock(asm: Asm, tmp: Path) -> None:
    with folder(asm, tmp) as fd:
        assert not asm.call("fd_lock", fd).carry
        assert asm.call("fd_lock", 99).carry


@driver
def place_name(asm: Asm, _: Path) -> None:
    for path, name in ((b"a", b"a"), (b"a/b", b"b"), (b"a/b.c/d.e", b"d.e")):
        conn = Connection(asm)
        conn.set_path(path)
        result = asm.call("place_name", conn.address)
        assert name == asm.peek(result.value, len(name))


@driver
def place_open(asm: Asm, tmp: Path) -> None:
    with folder(asm, tmp):
        for path in (b"f", b"d/f", b"no/f", b"linked/f"):
            conn = Connection(asm)
            conn.set_path(path)
            result = asm.call("place_open", conn.address)
            assert path == asm.peek(conn.path_address, len(path))
            if not result.carry:
                os.close(result.value)


@driver
def upload_plan(asm: Asm, tmp: Path) -> None:
    everywhere(asm, tmp, "upload_plan", b"Content-Length: 5\r\n")
    everywhere(asm, tmp, "upload_plan")


@driver
def upload_length(asm: Asm, _: Path) -> None:
    configure(asm, BODY_MAX=1000)
    for fields, status in ((b"", 411), (b"Content-Length: 1000\r\n", None),
                           (b"Content-Length: 1001\r\n", 413),
                           (b"Transfer-Encoding: chunked\r\n", None)):
        result = asm.call("upload_length", arrived(asm, fields).address)
        assert (status is not None) == result.carry
        assert status in (None, result.value)


FIELDS = ((b"", None), (b"Expect: 100-continue\r\n", None), (b"expect:100-Continue \r\n", None),
          (b"Expect: 200-ok\r\n", 417), (b"Expect: 100-continue\r\nExpect: x\r\n", 417),
          (b"Expect:\r\n", 417), (b"Expectation: x\r\n", None))
MORE_FIELDS = ((b"Content-Range: bytes 0-1/2\r\n", 400), (b"Content-Encoding: gzip\r\n", 415),
               (b"content-range:\r\n", 400), (b"Content-Ranges: x\r\n", None))


def _fields(asm: Asm, name: str, cases: tuple[tuple[bytes, int | None], ...]) -> None:
    for fields, status in cases:
        conn = arrived(asm, fields)
        result = asm.call(name, conn.address)
        assert (status is not None) == result.carry, fields
        assert status in (None, result.value), fields
        if status is None:
            assert (b"100" in fields) == conn.upload["UPLOAD_EXPECTS"], fields


@driver
def upload_fields(asm: Asm, _: Path) -> None:
    _fields(asm, "upload_fields", FIELDS + MORE_FIELDS)


@driver
def upload_expect(asm: Asm, _: Path) -> None:
    _fields(asm, "upload_expect", FIELDS)
    old = arrived(asm, b"Expect: what you like\r\n")
    old.request["REQUEST_VERSION"] = 0
    assert not asm.call("upload_expect", old.address).carry
    assert 0 == old.upload["UPLOAD_EXPECTS"]


@driver
def upload_over(asm: Asm, _: Path) -> None:
    for kind, status in ((0, None), (0x8000, None), (0x4000, 409), (0xA000, 403), (0x1000, 403)):
        result = asm.call("upload_over", Connection(asm).address, kind)
        assert (status is not None) == result.carry
        assert status in (None, result.value)


def _uploading(asm: Asm, tmp: Path, name: str, *, made: bool = True) -> None:
    with folder(asm, tmp):
        for path in (b"new", b"d/f", b"d"):
            conn = arrived(asm, b"Content-Length: 5\r\n")
            conn.set_path(path)
            asm.call("place_look", conn.address)
            conn.upload["UPLOAD_MODE"] = 0o644
            if made:
                assert not asm.call("upload_open", conn.address).carry
            asm.call(name, conn.address)
            held(conn)


@driver
def upload_open(asm: Asm, tmp: Path) -> None:
    _uploading(asm, tmp, "upload_open", made=False)


@driver
def upload_name(asm: Asm, _: Path) -> None:
    conn = Connection(asm, 7)
    asm.call("upload_name", conn.address, 12345, 3)
    place = conn.address + constants("conn.inc")["CONN_NAME"]
    assert b".~12345-7-3\0" == asm.peek(place, 12)


@driver
def upload_finish(asm: Asm, tmp: Path) -> None:
    _uploading(asm, tmp, "upload_finish")
    assert b"" == (tmp / "new").read_bytes() == (tmp / "d/f").read_bytes()
    _none_left(tmp)


@driver
def upload_reply(asm: Asm, _: Path) -> None:
    for replaces, line in ((0, b"HTTP/1.1 201 Created\r\n"), (1, b"HTTP/1.1 204 No Content\r\n")):
        conn = Connection(asm)
        conn.upload["UPLOAD_REPLACES"] = replaces
        asm.call("upload_reply", conn.address)
        assert conn.head.startswith(line)
        assert (b"Content-Length" in conn.head) != bool(replaces)


@driver
def upload_drop(asm: Asm, tmp: Path) -> None:
    _uploading(asm, tmp, "upload_drop")
    _uploading(asm, tmp, "upload_drop", made=False)
    _none_left(tmp)
    asm.call("upload_drop", Connection(asm).address)


def _none_left(tmp: Path) -> None:
    assert [] == [name for name in tmp.rglob("*") if name.name.startswith(".~")]


@driver
def remove_plan(asm: Asm, tmp: Path) -> None:
    everywhere(asm, tmp, "remove_plan")
    with folder(asm, tmp):
        assert 409 == asm.call("remove_plan", Connection(asm).address).value
    assert (tmp / "link").is_symlink() and not (tmp / "d/f").exists()


@driver
def remove_file(asm: Asm, tmp: Path) -> None:
    with folder(asm, tmp):
        for path, slash in PATHS:
            conn = arrived(asm)
            conn.set_path(path, slash)
            look = asm.call("place_look", conn.address)
            if not look.carry:
                asm.call("remove_file", conn.address, look.value)
            held(conn)


@driver
def fs_write__put_plan(asm: Asm, tmp: Path) -> None:
    assert 405 == asm.call("put_plan", arrived(asm).address).value
    everywhere(asm, tmp, "put_plan", b"Content-Length: 5\r\n")


@driver
def fs_write__delete_plan(asm: Asm, tmp: Path) -> None:
    assert 405 == asm.call("delete_plan", arrived(asm).address).value
    everywhere(asm, tmp, "delete_plan")


@driver
def methods_offer(asm: Asm, _: Path) -> None:
    asm.call("methods_offer", asm.alloc(64))


@driver
def fs_write__methods_offer(asm: Asm, _: Path) -> None:
    for writable, line in ((0, b"Allow: GET, HEAD, OPTIONS\r\n"),
                           (1, b"Allow: GET, HEAD, OPTIONS, PUT, DELETE\r\n")):
        configure(asm, WRITABLE=writable)
        place = asm.alloc(64)
        assert place + len(line) == asm.call("methods_offer", place).value
        assert line == asm.peek(place, len(line))


# --- serve --------------------------------------------------------------------------------


def _bodies(asm: Asm, tmp: Path, name: str) -> None:
    for fields, sent in ((b"Content-Length: 5\r\n", b"hello"), (b"Content-Length: 5\r\n", b"he"),
                         (b"Content-Length: 5\r\nExpect: 100-continue\r\n", b"hello"),
                         (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
                         (b"Transfer-Encoding: chunked\r\n", b"x"),
                         (b"Content-Length: 0\r\n", b"")):
        ours, theirs = socket.socketpair()
        with ours, theirs, folder(asm, tmp):
            theirs.sendall(sent)
            theirs.shutdown(socket.SHUT_WR)
            conn = arrived(asm, fields, fd=ours.fileno())
            conn.set_path(b"d/new")
            asm.call("upload_plan", conn.address)
            if name == "body_read":
                asm.call("upload_open", conn.address)
            asm.call(name, conn.address)
            if name == "body_read":
                asm.call("upload_drop", conn.address)
    _none_left(tmp)


@driver
def body_read(asm: Asm, tmp: Path) -> None:
    _bodies(asm, tmp, "body_read")


@driver
def serve_body__body_receive(asm: Asm, tmp: Path) -> None:
    child = os.fork()           # it holds signals back
    if child == 0:
        code = 1
        try:
            _bodies(asm, tmp, "body_receive")
            code = 0
        finally:
            os._exit(code)
    asm.called.add("body_receive")
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert b"" == (tmp / "d/new").read_bytes()
