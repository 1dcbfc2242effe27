"""fs/upload, fs/remove: whatever goes wrong, the old file is whole and nothing is left."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.contract import Asm
from support.drivers.writing import PATHS, arrived, configure, folder
from support.layout import Connection

from ymawky_kit.darwin import errno
from ymawky_kit.emu.plan import Fault, FaultPlan

LENGTH = b"Content-Length: 5\r\n"


@pytest.fixture(scope="module")
def writing() -> Iterator[Asm]:
    machine = Asm("writing")
    yield machine
    machine.close()


@pytest.fixture(autouse=True)
def _fresh_writing(writing: Asm) -> None:
    writing.reset()


def at(asm: Asm, path: bytes, slash: bool = False, fields: bytes = LENGTH) -> Connection:
    conn = arrived(asm, fields)
    conn.set_path(path, slash)
    return conn


def tree(top: Path) -> dict[str, bytes]:
    return {str(path.relative_to(top)): path.read_bytes() for path in sorted(top.rglob("*"))
            if path.is_file() and not path.is_symlink()}


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


WANT = {b"new": 0, b"f": 0, b"d": 409, b"d/f": 0, b"d/new": 0, b"no/new": 409, b"f/new": 409,
        b"link": 403, b"linked/new": 403, b"pipe": 403, b"x" * 300: 404}


@pytest.mark.parametrize(("path", "slash"), PATHS)
def test_where_a_body_may_go(writing: Asm, tmp_path: Path, path: bytes, slash: bool) -> None:
    with folder(writing, tmp_path):
        conn = at(writing, path, slash)
        result = writing.call("upload_plan", conn.address)
        assert (True, 409 if slash else WANT[path]) == (result.carry, result.value)
        assert bool(conn.upload["UPLOAD_HELD"]) == (result.value == 0)
        writing.call("upload_drop", conn.address)


def test_without_writable_there_is_only_reading(writing: Asm, tmp_path: Path) -> None:
    with folder(writing, tmp_path):
        configure(writing, WRITABLE=0)
        for name in ("put_plan", "delete_plan"):
            result = writing.call(name, at(writing, b"f").address)
            assert (True, 405, 0) == (result.carry, result.value, result.syscalls)
    assert (tmp_path / "f").exists()


def put(asm: Asm, path: bytes, body: bytes = b"hello") -> int:
    """Plan, open, take and finish, as serve/body does; the status of the reply."""
    conn = at(asm, path)
    result = asm.call("upload_plan", conn.address)
    if result.value:
        return result.value
    result = asm.call("upload_open", conn.address)
    if not result.carry:
        asm.call("body_begin", conn.address)
        result = asm.call("body_take", conn.address, asm.alloc(body), len(body))
    if not result.carry:
        result = asm.call("upload_finish", conn.address)
    if result.carry:
        asm.call("upload_drop", conn.address)
        return result.value
    return int(conn.reply["REPLY_STATUS"])


@pytest.mark.parametrize("started", [False, True])
def test_a_connection_that_ends_in_the_middle_leaves_nothing(
    writing: Asm, tmp_path: Path, started: bool
) -> None:
    """Whoever serves it: an event loop has no way out of a function to put it on."""
    one, two = socket.socketpair()
    with two, folder(writing, tmp_path):
        before = descriptors()
        conn = arrived(writing, LENGTH, fd=one.detach())
        conn.set_path(b"d/new")
        assert 0 == writing.call("upload_plan", conn.address).value
        if started:
            assert not writing.call("upload_open", conn.address).carry
            writing.call("body_begin", conn.address)
            writing.call("body_take", conn.address, writing.alloc(b"he"), 2)
            assert b"he" in tree(tmp_path).values()
        writing.call("connection_end", conn.address)
        assert before - 1 == descriptors()
    assert {"d/f": b"older\n", "f": b"old\n"} == tree(tmp_path)


def test_a_new_file_is_201_and_a_new_version_204(writing: Asm, tmp_path: Path) -> None:
    with folder(writing, tmp_path):
        assert [201, 204, 204] == [put(writing, b"new"), put(writing, b"new", b"other"),
                                   put(writing, b"d/f")]
    assert {"d/f": b"hello", "f": b"old\n", "new": b"other"} == tree(tmp_path)


def test_a_replaced_file_hands_its_permissions_down(writing: Asm, tmp_path: Path) -> None:
    with folder(writing, tmp_path):
        for mode in (0o600, 0o640, 0o755, 0o400):
            (tmp_path / "f").chmod(mode)
            assert 204 == put(writing, b"f")
            assert mode == (tmp_path / "f").stat().st_mode & 0o7777
        (tmp_path / "f").chmod(0o4755)
        put(writing, b"f")
        assert 0o755 == (tmp_path / "f").stat().st_mode & 0o7777, "nothing runs as its owner"


def test_a_second_name_of_a_file_keeps_the_old_version(writing: Asm, tmp_path: Path) -> None:
    """A new file takes the name; the old one is not written over."""
    with folder(writing, tmp_path):
        os.link(tmp_path / "f", tmp_path / "second")
        put(writing, b"f")
    assert (b"hello", b"old\n") == ((tmp_path / "f").read_bytes(),
                                    (tmp_path / "second").read_bytes())


def test_names_left_from_before_are_stepped_over(writing: Asm, tmp_path: Path) -> None:
    with folder(writing, tmp_path):
        for number in range(99):
            (tmp_path / f".~{os.getpid()}-7-{number}").write_bytes(b"left")
        assert 201 == put(writing, b"new")
        (tmp_path / f".~{os.getpid()}-7-99").symlink_to("f")
        assert 500 == put(writing, b"newer")
        assert b"old\n" == (tmp_path / "f").read_bytes()


CALLS = ["openat", "fstatat64", "openat", "write", "fsync", "flock", "fstatat64", "fstat64",
         "renameat", "close", "close"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EACCES,
                                    errno.ENOMEM, errno.EROFS, errno.EINTR, errno.ENOENT])
@pytest.mark.parametrize("path", [b"new", b"d/f"])
def test_any_call_of_a_put_may_fail(writing: Asm, tmp_path: Path, path: bytes,
                                    number: int) -> None:
    """Before the file has its name: the old one is whole, no other is left. Behind: it is new."""
    statuses = {errno.EIO: 500, errno.ENOSPC: 507, errno.EDQUOT: 507, errno.EACCES: 403,
                errno.ENOMEM: 503, errno.EROFS: 403, errno.EINTR: 500, errno.ENOENT: 404}
    for nth, call in enumerate(CALLS):
        top = tmp_path / str(nth)
        top.mkdir()
        writing.reset()
        with folder(writing, top):
            before = tree(top)
            plan = FaultPlan([Fault(call, CALLS[:nth].count(call) + 1, error=number)])
            with writing.plan(plan):
                status = put(writing, path)
        after = tree(top)
        fine = call in ("close", "flock") or (
            number == errno.EINTR and call in ("write", "fsync"))
        if fine or (number == errno.ENOENT and call == "fstatat64"):    # that: nothing there
            assert before | {path.decode(): b"hello"} == after, call
            last = call == "fstatat64" and nth > CALLS.index("fstatat64")   # the look that counts
            assert status == (201 if path == b"new" or last else 204), call
        else:
            assert before == after, call
            assert status == (409 if number == errno.ENOENT and nth == 0 else statuses[number])


def test_a_directory_that_appears_meanwhile_is_in_the_way(writing: Asm, tmp_path: Path) -> None:
    with folder(writing, tmp_path):
        conn = at(writing, b"late")
        writing.call("upload_plan", conn.address)
        writing.call("upload_open", conn.address)
        (tmp_path / "late").mkdir()
        assert 409 == writing.call("upload_finish", conn.address).value
        assert [] == list(tmp_path.glob(".~*"))
        assert (tmp_path / "late").is_dir()


def test_a_directory_that_is_moved_meanwhile_takes_its_file_along(
    writing: Asm, tmp_path: Path
) -> None:
    """The descriptor stands for the directory, whatever its name: no way out by a link."""
    (tmp_path / "root").mkdir()
    with folder(writing, tmp_path / "root"):
        conn = at(writing, b"d/new")
        writing.call("upload_plan", conn.address)
        (tmp_path / "root/d").rename(tmp_path / "root/moved")
        (tmp_path / "root/d").symlink_to("..")
        writing.call("upload_open", conn.address)
        assert not writing.call("upload_finish", conn.address).carry
    assert (tmp_path / "root/moved/new").exists() and not (tmp_path / "new").exists()


@pytest.mark.parametrize(("path", "slash", "status"), [
    (b"f", False, 204), (b"d/f", False, 204), (b"f", True, 404), (b"new", False, 404),
    (b"no/new", False, 404), (b"f/new", False, 404), (b"d", False, 409), (b"d", True, 409),
    (b"link", False, 403), (b"linked/f", False, 403), (b"pipe", False, 403),
    (b"x" * 300, False, 404),
])
def test_what_may_be_deleted(writing: Asm, tmp_path: Path, path: bytes, slash: bool,
                             status: int) -> None:
    with folder(writing, tmp_path):
        before = sorted(str(name) for name in tmp_path.rglob("*"))
        conn = at(writing, path, slash)
        result = writing.call("delete_plan", conn.address)
        got = result.value if result.carry else conn.reply["REPLY_STATUS"]
        assert status == got
        gone = {str(tmp_path / path.decode())} if status == 204 else set()
        assert [n for n in before if n not in gone] == sorted(map(str, tmp_path.rglob("*")))
        assert 0 == conn.upload["UPLOAD_HELD"]


@pytest.mark.parametrize(("call", "nth"), [("openat", 1), ("fstatat64", 2), ("unlinkat", 1)])
@pytest.mark.parametrize(("number", "status"), [
    (errno.EIO, 500), (errno.EACCES, 403), (errno.EROFS, 403), (errno.ENOENT, 404),
])
def test_any_call_of_a_delete_may_fail(writing: Asm, tmp_path: Path, call: str, nth: int,
                                       number: int, status: int) -> None:
    with folder(writing, tmp_path), writing.plan(FaultPlan([Fault(call, nth, error=number)])):
        conn = at(writing, b"f")
        result = writing.call("delete_plan", conn.address)
        assert (True, status) == (result.carry, result.value)
        assert 0 == conn.upload["UPLOAD_HELD"]
    assert (tmp_path / "f").exists()
