"""Calls that name a file: open, stat, rename, unlink and their relatives."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.guest import BASE, NOWHERE, Guest, without

from ymawky_kit.darwin import abi, opening
from ymawky_kit.darwin.structs import STAT, STAT64, STATFS64

AT = abi.AT_FDCWD


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest() as found:
        yield found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small tree: file, folder/inner, link -> file, way -> folder, dangling -> nothing."""
    (tmp_path / "file").write_bytes(b"0123456789")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inner").write_bytes(b"inner")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "way").symlink_to("folder")
    (tmp_path / "dangling").symlink_to("nothing")
    return tmp_path.resolve()


@pytest.fixture(params=["with openat2", "by hand"])
def walked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Restricted lookups twice: by the host's kernel, and a component at a time."""
    if request.param == "by hand":
        with without("openat2"):
            yield
    else:
        yield


# --- open -------------------------------------------------------------------------------


def test_open_gives_the_lowest_free_number(guest: Guest, root: Path) -> None:
    first, second = guest.open(root / "file"), guest.open(root / "file")
    guest.ok("close", first)
    assert first < second
    assert first == guest.open(root / "file")


def test_a_new_file_has_the_mode_less_umask_and_special_bits(guest: Guest, root: Path) -> None:
    before = guest.ok("umask", 0o027)
    try:
        guest.open(root / "new", abi.O_WRONLY | abi.O_CREAT, 0o7777)
        assert 0o750 == stat.S_IMODE((root / "new").stat().st_mode)
        guest.open(root / "folder" / "at", abi.O_WRONLY | abi.O_CREAT, 0o100_644)
        assert 0o640 == stat.S_IMODE((root / "folder" / "at").stat().st_mode)
    finally:
        assert 0o027 == guest.ok("umask", before)


def test_open_can_truncate_and_append(guest: Guest, root: Path) -> None:
    fd = guest.open(root / "file", abi.O_WRONLY | abi.O_APPEND)
    guest.ok("write", fd, guest.put(b"!"), 1)
    assert b"0123456789!" == (root / "file").read_bytes()
    guest.open(root / "file", abi.O_WRONLY | abi.O_TRUNC)
    assert b"" == (root / "file").read_bytes()


def test_close_on_exec_comes_only_when_asked_for(guest: Guest, root: Path) -> None:
    assert not os.get_inheritable(guest.open(root / "file", abi.O_CLOEXEC))
    assert os.get_inheritable(guest.open(root / "file"))


def test_close_on_fork_is_remembered_until_the_close(guest: Guest, root: Path) -> None:
    fd = guest.open(root / "file", abi.O_CLOFORK)
    assert {fd} == guest.task.files.close_on_fork
    assert 0 == guest.ok("fcntl", fd, abi.F_GETFD, 0)
    guest.ok("close", fd)
    assert set() == guest.task.files.close_on_fork


@pytest.mark.parametrize(
    ("name", "flags", "error"),
    [
        ("file", 3, "EINVAL"),
        ("file", abi.O_RDWR | abi.O_EXEC, "EINVAL"),
        ("file", abi.O_CREAT | abi.O_DIRECTORY, "EINVAL"),
        ("file", abi.O_NOFOLLOW | abi.O_NOFOLLOW_ANY, "EINVAL"),
        ("missing", 0, "ENOENT"),
        ("missing/deeper", abi.O_CREAT | abi.O_WRONLY, "ENOENT"),
        ("file/deeper", 0, "ENOTDIR"),
        ("file/", 0, "ENOTDIR"),
        ("file/", abi.O_CREAT | abi.O_WRONLY, "ENOTDIR"),
        ("missing/", abi.O_CREAT | abi.O_WRONLY, "ENOENT"),
        ("file", abi.O_CREAT | abi.O_EXCL | abi.O_WRONLY, "EEXIST"),
        ("dangling", abi.O_CREAT | abi.O_EXCL | abi.O_WRONLY, "EEXIST"),
        ("file", abi.O_DIRECTORY, "ENOTDIR"),
        ("folder", abi.O_WRONLY, "EISDIR"),
        ("folder", abi.O_RDWR, "EISDIR"),
        ("folder", abi.O_TRUNC, "EISDIR"),
        ("folder", abi.O_WRONLY | abi.O_CREAT, "EISDIR"),
        ("folder", abi.O_CREAT | abi.O_EXCL, "EEXIST"),
        ("link", abi.O_NOFOLLOW, "ELOOP"),
        ("dangling", abi.O_NOFOLLOW | abi.O_CREAT | abi.O_WRONLY, "ELOOP"),
        ("dangling", 0, "ENOENT"),
        ("x" * 256, 0, "ENAMETOOLONG"),
        ("file", 0, "ok"),
        ("folder", 0, "ok"),
        ("folder", abi.O_CREAT, "ok"),
        ("folder", abi.O_SEARCH, "ok"),
        ("folder/", 0, "ok"),
        ("link", 0, "ok"),
        ("file", abi.O_EXEC, "ok"),
        ("way/inner", abi.O_NOFOLLOW, "ok"),
        ("link", abi.O_SYMLINK, "ok"),
        ("file", abi.O_EVTONLY, "ok"),
    ],
)
def test_open_answers_as_darwin_does(
    guest: Guest, root: Path, name: str, flags: int, error: str
) -> None:
    assert error == guest.try_open(f"{root}/{name}", flags)


def test_creating_through_a_dangling_link_makes_its_target(guest: Guest, root: Path) -> None:
    guest.open(root / "dangling", abi.O_CREAT | abi.O_WRONLY)
    assert (root / "nothing").is_file()


def test_a_path_is_checked_before_it_is_looked_up(guest: Guest) -> None:
    assert "EFAULT" == guest.error("open", NOWHERE, 0, 0)
    assert "EFAULT" == guest.error("open", 0, 0, 0)
    assert "ENOENT" == guest.try_open("")
    assert "ENAMETOOLONG" == guest.try_open("/" * 1024)
    assert "ok" == guest.try_open("/" * 1023)


def test_opening_a_socket_is_eopnotsupp(guest: Guest, root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(root)      # a socket's path is short
        try:
            server.bind("sock")
        finally:
            os.chdir(here)
        assert "EOPNOTSUPP" == guest.try_open(root / "sock", abi.O_RDWR)


def test_a_link_opened_as_itself_can_be_read_back(guest: Guest, root: Path) -> None:
    fd = guest.open(root / "link", abi.O_SYMLINK)
    status = guest.room(144)
    guest.ok("fstat64", fd, status)
    assert abi.S_IFLNK == int(guest.read_struct(STAT64, status)["st_mode"]) & abi.S_IFMT
    room = guest.room(16)
    assert 4 == guest.ok("freadlink", fd, room, 16)
    assert b"file" == guest.get(room, 4)
    assert "EINVAL" == guest.error("freadlink", guest.open(root / "file"), room, 16)
    assert "EINVAL" == guest.error("freadlink", fd, room, 1 << 31)
    assert "EBADF" == guest.error("read", fd, room, 1)


@pytest.mark.usefixtures("walked")
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("file", "ok"), ("folder/inner", "ok"), ("folder/../file", "ok"), ("./file", "ok"),
        ("folder", "ok"), ("folder/", "ok"), ("missing", "ENOENT"), ("file/", "ENOTDIR"),
        ("link", "ELOOP"), ("way", "ELOOP"), ("way/", "ELOOP"), ("way/inner", "ELOOP"),
        ("way/../file", "ELOOP"), ("dangling", "ELOOP"), ("missing/deeper", "ENOENT"),
        ("file/deeper", "ENOTDIR"), ("..", "ok"), (".", "ok"),
    ],
)
def test_o_nofollow_any_meets_no_link(guest: Guest, root: Path, name: str, error: str) -> None:
    assert error == guest.try_open(f"{root}/{name}", abi.O_NOFOLLOW_ANY)
    folder = guest.open(root)
    found = guest.error("openat", folder, guest.text(name), abi.O_NOFOLLOW_ANY)
    assert error == found


@pytest.mark.usefixtures("walked")
def test_o_nofollow_any_creates_with_the_mode(guest: Guest, root: Path) -> None:
    flags = abi.O_NOFOLLOW_ANY | abi.O_CREAT | abi.O_EXCL | abi.O_WRONLY
    guest.open(root / "folder" / "made", flags, 0o4640)
    assert 0o640 == stat.S_IMODE((root / "folder" / "made").stat().st_mode)
    assert "EEXIST" == guest.try_open(root / "folder" / "made", flags)
    assert "ELOOP" == guest.try_open(root / "way" / "made2", flags)


@pytest.mark.usefixtures("walked")
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("inner", "ok"), ("../file", "EACCES"), ("..", "EACCES"), ("/etc/passwd", "EACCES"),
        ("out", "EACCES"), ("absolute", "EACCES"), ("near", "ok"), ("deep/../inner", "ok"),
        ("deep/../../file", "EACCES"), ("deep/up/inner", "ok"), ("deep/up/../file", "EACCES"),
        ("loop", "ELOOP"), ("missing", "ENOENT"), (".", "ok"),
    ],
)
def test_o_resolve_beneath_never_leaves(
    guest: Guest, root: Path, name: str, error: str
) -> None:
    folder = root / "folder"
    (folder / "deep").mkdir()
    (folder / "out").symlink_to("../file")
    (folder / "absolute").symlink_to(root / "folder" / "inner")
    (folder / "near").symlink_to("deep/../inner")
    (folder / "deep" / "up").symlink_to("..")
    (folder / "loop").symlink_to("loop")
    fd = guest.open(folder)
    assert error == guest.error("openat", fd, guest.text(name), abi.O_RESOLVE_BENEATH)


def test_openat_starts_at_its_directory(guest: Guest, root: Path) -> None:
    folder = guest.open(root / "folder")
    fd = guest.ok("openat", folder, guest.text("inner"), 0, 0)
    guest.opened.add(fd)
    assert 5 == guest.ok("read", fd, BASE + 4096, 10)
    assert "ENOTDIR" == guest.error("openat", fd, guest.text("inner"), 0, 0)
    assert "EBADF" == guest.error("openat", 200, guest.text("inner"), 0, 0)
    absolute = guest.ok("openat", 200, guest.text(root / "file"), 0, 0)
    guest.opened.add(absolute)
    here = guest.ok("openat", AT, guest.text("."), 0, 0)
    guest.opened.add(here)


def test_open_takes_a_lock_and_truncates_only_once_it_holds(guest: Guest, root: Path) -> None:
    with (root / "file").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        flags = abi.O_EXLOCK | abi.O_NONBLOCK | abi.O_RDWR | abi.O_TRUNC
        before = len(list(Path("/dev/fd").iterdir()))
        assert "EAGAIN" == guest.try_open(root / "file", flags)
        assert before == len(list(Path("/dev/fd").iterdir()))
        assert 10 == (root / "file").stat().st_size
        assert "ok" == guest.try_open(root / "file", abi.O_SHLOCK | abi.O_NONBLOCK)
        fcntl.flock(other, fcntl.LOCK_UN)
        guest.open(root / "file", flags)
        assert 0 == (root / "file").stat().st_size
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_open_dprotected_np_is_open(guest: Guest, root: Path) -> None:
    fd = guest.ok("open_dprotected_np", guest.text(root / "file"), abi.O_RDWR, 4, 0, 0)
    guest.opened.add(fd)
    assert abi.O_RDWR == guest.ok("fcntl", fd, abi.F_GETFL, 0)


def test_a_fifo_is_opened_without_waiting_when_asked(guest: Guest, root: Path) -> None:
    guest.ok("mkfifo", guest.text(root / "fifo"), 0o600)
    assert stat.S_ISFIFO((root / "fifo").stat().st_mode)
    assert "EEXIST" == guest.error("mkfifo", guest.text(root / "fifo"), 0o600)
    assert "ENXIO" == guest.try_open(root / "fifo", abi.O_WRONLY | abi.O_NONBLOCK)
    reader = guest.open(root / "fifo", abi.O_NONBLOCK)
    writer = guest.open(root / "fifo", abi.O_WRONLY | abi.O_NONBLOCK)
    assert 2 == guest.ok("write", writer, guest.put(b"hi"), 2)
    assert 2 == guest.ok("read", reader, BASE + 8192, 9)


def test_an_open_that_waits_for_a_fifo_gets_its_partner(guest: Guest, root: Path) -> None:
    os.mkfifo(root / "fifo")
    partner: list[int] = []
    thread = threading.Timer(
        0.03, lambda: partner.append(os.open(root / "fifo", os.O_WRONLY))
    )
    thread.start()
    guest.open(root / "fifo")
    thread.join()
    os.close(partner[0])


# --- stat -------------------------------------------------------------------------------


def test_stat64_says_what_the_host_says(guest: Guest, root: Path) -> None:
    os.utime(root / "file", ns=(1_000_000_007, 2_000_000_009))
    found = (root / "file").stat()
    room = guest.room(144)
    guest.memory.write(room, b"\xff" * 144)
    guest.ok("stat64", guest.text(root / "link"), room)
    status = guest.read_struct(STAT64, room)
    assert {
        "st_mode": found.st_mode, "st_nlink": 1, "st_ino": found.st_ino, "st_uid": found.st_uid,
        "st_gid": found.st_gid, "st_rdev": 0, "st_atime": 1, "st_atimensec": 7, "st_mtime": 2,
        "st_mtimensec": 9, "st_ctime": found.st_ctime_ns // 10**9,
        "st_ctimensec": found.st_ctime_ns % 10**9, "st_size": 10,
        "st_blocks": found.st_blocks, "st_blksize": found.st_blksize, "st_flags": 0, "st_gen": 0,
        "st_lspare": 0, "st_qspare": bytes(16),
    } == {name: value for name, value in status.items() if name not in BIRTH and name != "st_dev"}
    assert abs(int(status["st_birthtime"]) - time.time()) < 600
    major, minor = os.major(found.st_dev), os.minor(found.st_dev)
    assert (major & 0xFF) << 24 | minor == status["st_dev"]
    assert bytes(4) == guest.get(room + 28, 4)


BIRTH = ("st_birthtime", "st_birthtimensec")


def test_without_statx_the_same_comes_from_stat(guest: Guest, root: Path) -> None:
    name, first, second = guest.text(root / "file"), guest.room(144), guest.room(144)
    guest.ok("stat64", name, first)
    with without("statx"):
        guest.ok("stat64", name, second)
        guest.ok("fstat64", guest.open(root / "file"), guest.room(144))
    one, two = guest.read_struct(STAT64, first), guest.read_struct(STAT64, second)
    for field in BIRTH:
        one.pop(field), two.pop(field)
    assert one == two


def test_fstat64_and_lstat64_look_at_the_thing_itself(guest: Guest, root: Path) -> None:
    room = guest.room(144)
    guest.ok("lstat64", guest.text(root / "link"), room)
    assert abi.S_IFLNK == int(guest.read_struct(STAT64, room)["st_mode"]) & abi.S_IFMT
    guest.ok("fstat64", guest.open(root / "folder"), room)
    assert abi.S_IFDIR == int(guest.read_struct(STAT64, room)["st_mode"]) & abi.S_IFMT
    guest.ok("fstat64", guest.pipe()[0], room)
    assert abi.S_IFIFO == int(guest.read_struct(STAT64, room)["st_mode"]) & abi.S_IFMT
    guest.ok("stat64", guest.text("/dev/null"), room)
    status = guest.read_struct(STAT64, room)
    assert abi.S_IFCHR == int(status["st_mode"]) & abi.S_IFMT
    assert 0 != status["st_rdev"]


@pytest.mark.parametrize("name", ["stat64", "lstat64", "stat", "lstat"])
def test_stat_fails_as_a_lookup_does(guest: Guest, root: Path, name: str) -> None:
    room = guest.room(144)
    assert "ENOENT" == guest.error(name, guest.text(root / "missing"), room)
    assert "ENOTDIR" == guest.error(name, guest.text(root / "file" / "x"), room)
    assert "ENOTDIR" == guest.error(name, guest.text(f"{root}/file/"), room)
    assert "EFAULT" == guest.error(name, guest.text(root / "file"), NOWHERE)
    assert "ENOENT" == guest.error(name, guest.text(""), room)


@pytest.mark.parametrize("name", ["fstat64", "fstat"])
def test_fstat_of_nothing_is_ebadf(guest: Guest, name: str) -> None:
    assert "EBADF" == guest.error(name, 200, BASE)
    assert "EFAULT" == guest.error(name, 0, NOWHERE)


def test_the_old_form_of_stat_has_32_bit_inodes(guest: Guest, root: Path) -> None:
    room = guest.room(120)
    found = (root / "file").stat()
    for name, first in (
        ("stat", guest.text(root / "file")), ("lstat", guest.text(root / "file")),
        ("fstat", guest.open(root / "file")),
    ):
        guest.ok(name, first, room)
        status = guest.read_struct(STAT, room)
        assert (found.st_ino & 0xFFFFFFFF, found.st_mode, 10) == (
            status["st_ino"], status["st_mode"], status["st_size"]
        )
    guest.ok("fstatat", AT, guest.text(root / "link"), room, abi.AT_SYMLINK_NOFOLLOW)
    assert abi.S_IFLNK == int(guest.read_struct(STAT, room)["st_mode"]) & abi.S_IFMT


def test_fstatat64_knows_its_flags(guest: Guest, root: Path) -> None:
    room, folder = guest.room(144), guest.open(root)

    def kind(name: str, flags: int) -> int:
        guest.ok("fstatat64", folder, guest.text(name), room, flags)
        return int(guest.read_struct(STAT64, room)["st_mode"]) & abi.S_IFMT

    assert abi.S_IFREG == kind("link", 0)
    assert abi.S_IFLNK == kind("link", abi.AT_SYMLINK_NOFOLLOW)
    assert abi.S_IFLNK == kind("link", abi.AT_SYMLINK_NOFOLLOW_ANY)
    assert abi.S_IFREG == kind("folder/inner", abi.AT_SYMLINK_NOFOLLOW_ANY)
    assert abi.S_IFREG == kind("file", abi.AT_REALDEV)
    assert "ELOOP" == guest.error(
        "fstatat64", folder, guest.text("way/inner"), room, abi.AT_SYMLINK_NOFOLLOW_ANY
    )
    for flags in (abi.AT_REMOVEDIR, abi.AT_EACCESS, 0x1000):
        assert "EINVAL" == guest.error("fstatat64", folder, guest.text("file"), room, flags)
    fd = guest.open(root / "file")
    assert "ENOTDIR" == guest.error("fstatat64", fd, guest.text("file"), room, 0)
    guest.ok("fstatat64", fd, 0, room, abi.AT_FDONLY)
    assert 10 == guest.read_struct(STAT64, room)["st_size"]
    assert "ENOENT" == guest.error("fstatat64", folder, guest.text(""), room, 0)


# --- access, mode, owner ----------------------------------------------------------------


def test_access_says_why_not(guest: Guest, root: Path) -> None:
    assert "ok" == guest.error("access", guest.text(root / "file"), abi.R_OK | abi.W_OK)
    assert "ok" == guest.error("access", guest.text(root / "file"), abi.F_OK)
    assert "EACCES" == guest.error("access", guest.text(root / "file"), abi.X_OK)
    assert "ENOENT" == guest.error("access", guest.text(root / "dangling"), abi.F_OK)
    assert "EINVAL" == guest.error("access", guest.text(root / "file"), 8)
    folder = guest.open(root)
    assert "ok" == guest.error("faccessat", folder, guest.text("file"), abi.R_OK, abi.AT_EACCESS)
    assert "ok" == guest.error(
        "faccessat", folder, guest.text("dangling"), abi.F_OK, abi.AT_SYMLINK_NOFOLLOW
    )
    assert "ELOOP" == guest.error(
        "faccessat", folder, guest.text("way/inner"), abi.F_OK, abi.AT_SYMLINK_NOFOLLOW_ANY
    )
    assert "EINVAL" == guest.error("faccessat", folder, guest.text("file"), 0, abi.AT_REMOVEDIR)


def test_the_mode_can_be_changed(guest: Guest, root: Path) -> None:
    def mode() -> int:
        return stat.S_IMODE((root / "file").stat().st_mode)

    guest.ok("chmod", guest.text(root / "link"), 0o600)
    assert 0o600 == mode()
    guest.ok("fchmod", guest.open(root / "file"), 0o4711)
    assert 0o4711 == mode()
    folder = guest.open(root)
    guest.ok("fchmodat", folder, guest.text("file"), 0o640, abi.AT_SYMLINK_NOFOLLOW)
    assert 0o640 == mode()
    guest.ok("fchmodat", folder, guest.text("file"), 0o644, abi.AT_SYMLINK_NOFOLLOW_ANY)
    assert 0o644 == mode()
    assert "ELOOP" == guest.error(
        "fchmodat", folder, guest.text("way/inner"), 0, abi.AT_SYMLINK_NOFOLLOW_ANY
    )
    assert "EINVAL" == guest.error("fchmodat", folder, guest.text("file"), 0, abi.AT_REMOVEDIR)
    assert "EINVAL" == guest.error("fchmod", guest.pipe()[0], 0o600)
    assert "EBADF" == guest.error("fchmod", 200, 0o600)
    assert "ENOENT" == guest.error("chmod", guest.text(root / "missing"), 0o600)


def test_minus_one_leaves_an_owner_alone(guest: Guest, root: Path) -> None:
    before = (root / "file").stat()
    folder = guest.open(root)
    guest.ok("chown", guest.text(root / "file"), -1, -1)
    guest.ok("fchown", guest.open(root / "file"), before.st_uid, -1)
    guest.ok("fchownat", folder, guest.text("link"), -1, before.st_gid, abi.AT_SYMLINK_NOFOLLOW)
    after = (root / "file").stat()
    assert (before.st_uid, before.st_gid) == (after.st_uid, after.st_gid)
    assert "ENOENT" == guest.error("chown", guest.text(root / "missing"), -1, -1)
    assert "EINVAL" == guest.error("fchown", guest.pipe()[0], -1, -1)
    assert "EINVAL" == guest.error("fchownat", folder, guest.text("file"), -1, -1, 0x40)
    assert "ELOOP" == guest.error(
        "fchownat", folder, guest.text("way/inner"), -1, -1, abi.AT_SYMLINK_NOFOLLOW_ANY
    )


# --- names ------------------------------------------------------------------------------


def test_unlink_takes_names_and_no_directories(guest: Guest, root: Path) -> None:
    guest.ok("unlink", guest.text(root / "link"))
    assert (root / "file").exists()
    assert "EPERM" == guest.error("unlink", guest.text(root / "folder"))
    assert "ENOENT" == guest.error("unlink", guest.text(root / "missing"))
    assert "ENOTDIR" == guest.error("unlink", guest.text(f"{root}/file/"))
    assert (root / "folder" / "inner").exists()


def test_rmdir_takes_empty_directories(guest: Guest, root: Path) -> None:
    assert "ENOTEMPTY" == guest.error("rmdir", guest.text(root / "folder"))
    assert "ENOTDIR" == guest.error("rmdir", guest.text(root / "file"))
    assert "ENOTDIR" == guest.error("rmdir", guest.text(root / "way"))
    assert "EINVAL" == guest.error("rmdir", guest.text(f"{root}/folder/."))
    assert "ENOENT" == guest.error("rmdir", guest.text(root / "missing"))
    (root / "folder" / "inner").unlink()
    guest.ok("rmdir", guest.text(root / "folder"))
    assert not (root / "folder").exists()


def test_unlinkat_knows_its_flags(guest: Guest, root: Path) -> None:
    folder = guest.open(root)
    nofollow = abi.AT_SYMLINK_NOFOLLOW_ANY
    assert "EPERM" == guest.error("unlinkat", folder, guest.text("folder"), 0)
    assert "ENOTDIR" == guest.error("unlinkat", folder, guest.text("file"), abi.AT_REMOVEDIR)
    assert "ELOOP" == guest.error("unlinkat", folder, guest.text("way/inner"), nofollow)
    assert "ELOOP" == guest.error("unlinkat", folder, guest.text("way/"), nofollow)
    assert "EPERM" == guest.error("unlinkat", folder, guest.text("folder"), nofollow)
    assert "EINVAL" == guest.error("unlinkat", folder, guest.text("file"), 0x20)
    guest.ok("unlinkat", folder, guest.text("way"), nofollow)
    guest.ok("unlinkat", folder, guest.text("folder/inner"), nofollow)
    guest.ok("unlinkat", folder, guest.text("folder"), abi.AT_REMOVEDIR | nofollow)
    assert {"dangling", "file", "link"} == {path.name for path in root.iterdir()}


@pytest.mark.parametrize("name", ["rename", "renameat"])
def test_rename_replaces_and_checks_kinds(guest: Guest, root: Path, name: str) -> None:
    def rename(old: str, new: str) -> str:
        paths = guest.text(f"{root}/{old}"), guest.text(f"{root}/{new}")
        if name == "rename":
            return guest.error(name, *paths)
        return guest.error(name, AT, paths[0], AT, paths[1])

    (root / "other").write_bytes(b"other")
    (root / "empty").mkdir()
    assert "ok" == rename("other", "file")
    assert b"other" == (root / "file").read_bytes()
    assert "ENOENT" == rename("missing", "x")
    assert "EISDIR" == rename("file", "folder")
    assert "ENOTDIR" == rename("folder", "file")
    assert "ENOTEMPTY" == rename("empty", "folder")
    assert "ok" == rename("folder", "empty")
    assert "EINVAL" == rename("empty", "empty/inside")
    assert "ENOENT" == rename("file", "fresh/")
    assert "ok" == rename("file", "file")
    assert b"inner" == (root / "empty" / "inner").read_bytes()


@pytest.fixture(params=["with renameat2", "without"])
def renamed(request: pytest.FixtureRequest) -> Iterator[bool]:
    """An exclusive rename twice: by the host's kernel, and through a hard link."""
    if request.param == "without":
        with without("renameat2"):
            yield False
    else:
        yield True


def test_an_exclusive_rename_never_replaces(guest: Guest, root: Path, renamed: bool) -> None:
    def rename(old: str, new: str, flags: int) -> str:
        paths = guest.text(f"{root}/{old}"), guest.text(f"{root}/{new}")
        return guest.error("renameatx_np", AT, paths[0], AT, paths[1], flags)

    assert "EEXIST" == rename("file", "folder/inner", abi.RENAME_EXCL)
    assert "EEXIST" == rename("file", "dangling", abi.RENAME_EXCL)
    assert "EEXIST" == rename("folder", "way", abi.RENAME_EXCL)
    assert "ENOENT" == rename("missing", "x", abi.RENAME_EXCL)
    assert "ok" == rename("file", "moved", abi.RENAME_EXCL)
    assert "ok" == rename("folder", "moved folder", abi.RENAME_EXCL)
    assert "ok" == rename("dangling", "moved link", abi.RENAME_EXCL)
    assert {"moved", "moved folder", "moved link", "link", "way"} == {
        path.name for path in root.iterdir()
    }
    assert Path("nothing") == (root / "moved link").readlink()
    if not renamed:
        assert "ENOTSUP" == rename("moved", "link", abi.RENAME_SWAP)


def test_renameatx_np_swaps_and_refuses_links(guest: Guest, root: Path) -> None:
    def rename(old: str, new: str, flags: int) -> str:
        paths = guest.text(old), guest.text(new)
        return guest.error("renameatx_np", folder, paths[0], folder, paths[1], flags)

    folder = guest.open(root)
    assert "ok" == rename("file", "folder", abi.RENAME_SWAP)
    assert (root / "file").is_dir()
    assert (root / "folder").is_file()
    assert "ok" == rename("file", "folder", abi.RENAME_SWAP)
    assert "ENOENT" == rename("file", "missing", abi.RENAME_SWAP)
    assert "EINVAL" == rename("file", "x", abi.RENAME_SWAP | abi.RENAME_EXCL)
    assert "EINVAL" == rename("file", "x", 0x40)
    assert "ELOOP" == rename("way/inner", "x", abi.RENAME_NOFOLLOW_ANY)
    assert "ELOOP" == rename("file", "way/x", abi.RENAME_NOFOLLOW_ANY)
    assert "ok" == rename("link", "folder/moved", abi.RENAME_NOFOLLOW_ANY)
    assert (root / "folder" / "moved").is_symlink()
    assert "ok" == rename("file", "plain", abi.RENAME_SECLUDE)


def test_link_follows_and_linkat_as_told(guest: Guest, root: Path) -> None:
    folder = guest.open(root)
    guest.ok("link", guest.text(root / "link"), guest.text(root / "second"))
    assert 2 == (root / "file").stat().st_nlink
    guest.ok("linkat", folder, guest.text("link"), folder, guest.text("third"), 0)
    assert (root / "third").is_symlink()
    guest.ok(
        "linkat", folder, guest.text("link"), folder, guest.text("fourth"), abi.AT_SYMLINK_FOLLOW
    )
    assert 3 == (root / "file").stat().st_nlink
    assert "EEXIST" == guest.error("link", guest.text(root / "file"), guest.text(root / "second"))
    assert "EPERM" == guest.error("link", guest.text(root / "folder"), guest.text(root / "x"))
    assert "EINVAL" == guest.error(
        "linkat", folder, guest.text("file"), folder, guest.text("x"), abi.AT_REMOVEDIR
    )
    assert "ELOOP" == guest.error(
        "linkat", folder, guest.text("way/inner"), folder, guest.text("x"),
        abi.AT_SYMLINK_NOFOLLOW_ANY,
    )
    guest.ok(
        "linkat", folder, guest.text("folder/inner"), folder, guest.text("fifth"),
        abi.AT_SYMLINK_NOFOLLOW_ANY,
    )
    assert b"inner" == (root / "fifth").read_bytes()


def test_symbolic_links_are_made_and_read(guest: Guest, root: Path) -> None:
    folder, room = guest.open(root), guest.room(64)
    guest.ok("symlink", guest.text("somewhere"), guest.text(root / "new"))
    guest.ok("symlinkat", guest.text("else"), folder, guest.text("newer"))
    assert 9 == guest.ok("readlink", guest.text(root / "new"), room, 64)
    assert b"somewhere" == guest.get(room, 9)
    assert 4 == guest.ok("readlink", guest.text(root / "new"), room, 4)
    assert 4 == guest.ok("readlinkat", folder, guest.text("newer"), room, 64)
    assert b"else" == guest.get(room, 4)
    assert "EEXIST" == guest.error("symlink", guest.text("x"), guest.text(root / "new"))
    assert "EINVAL" == guest.error("readlink", guest.text(root / "file"), room, 64)
    assert "EINVAL" == guest.error("readlink", guest.text(root / "new"), room, 1 << 31)
    assert "EFAULT" == guest.error("readlink", guest.text(root / "new"), NOWHERE, 64)
    assert "ENOENT" == guest.error("readlinkat", folder, guest.text("missing"), room, 64)


def test_directories_are_made_with_the_mode_less_umask(guest: Guest, root: Path) -> None:
    before = guest.ok("umask", 0o022)
    try:
        guest.ok("mkdir", guest.text(root / "made"), 0o7777)
        guest.ok("mkdirat", guest.open(root), guest.text("made too/"), 0o700)
    finally:
        guest.ok("umask", before)
    assert 0o755 == stat.S_IMODE((root / "made").stat().st_mode)
    assert 0o700 == stat.S_IMODE((root / "made too").stat().st_mode)
    assert "EEXIST" == guest.error("mkdir", guest.text(root / "file"), 0o755)
    assert "EEXIST" == guest.error("mkdir", guest.text(root / "dangling"), 0o755)
    assert "ENOENT" == guest.error("mkdir", guest.text(root / "a" / "b"), 0o755)
    assert "ENOTDIR" == guest.error("mkdirat", guest.open(root / "file"), guest.text("x"), 0o755)


def test_truncate_goes_by_name(guest: Guest, root: Path) -> None:
    guest.ok("truncate", guest.text(root / "link"), 3)
    assert b"012" == (root / "file").read_bytes()
    assert "EISDIR" == guest.error("truncate", guest.text(root / "folder"), 3)
    assert "EINVAL" == guest.error("truncate", guest.text(root / "file"), -1)
    assert "ENOENT" == guest.error("truncate", guest.text(root / "missing"), 3)


def test_cloning_is_refused_as_on_another_volume(guest: Guest, root: Path) -> None:
    folder, name = guest.open(root), guest.text("file")
    assert "ENOTSUP" == guest.error("clonefileat", folder, name, folder, guest.text("x"), 0)
    assert "EEXIST" == guest.error("clonefileat", folder, name, folder, guest.text("link"), 0)
    assert "EINVAL" == guest.error("clonefileat", folder, name, folder, guest.text("x"), 0x100)
    assert "ENOENT" == guest.error("clonefileat", folder, guest.text("no"), folder, name, 0)
    fd = guest.open(root / "file")
    assert "ENOTSUP" == guest.error("fclonefileat", fd, folder, guest.text("x"), 0)
    assert "EEXIST" == guest.error("fclonefileat", fd, folder, name, 0)
    assert "EINVAL" == guest.error("fclonefileat", guest.pipe()[0], folder, guest.text("x"), 0)


# --- the process's place ----------------------------------------------------------------


def test_the_current_directory_moves(guest: Guest, root: Path) -> None:
    here = Path.cwd()
    try:
        guest.ok("chdir", guest.text(root / "way"))
        assert root / "folder" == Path.cwd()
        assert "ok" == guest.try_open("inner")
        guest.ok("fchdir", guest.open(root))
        assert root == Path.cwd()
        assert "ENOTDIR" == guest.error("chdir", guest.text("file"))
        assert "ENOENT" == guest.error("chdir", guest.text("missing"))
        assert "ENOTDIR" == guest.error("fchdir", guest.open("file"))
        assert "ENOTDIR" == guest.error("fchdir", guest.pipe()[0])
        assert "EBADF" == guest.error("fchdir", 200)
    finally:
        os.chdir(here)


def test_chroot_is_for_root(guest: Guest, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 501)
    assert "EPERM" == guest.error("chroot", guest.text(root))
    asked: list[bytes] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chroot", asked.append)
    guest.ok("chroot", guest.text(root))
    assert [os.fsencode(root)] == asked


@pytest.mark.parametrize("names", [("statfs64", "fstatfs64"), ("statfs", "fstatfs")])
def test_statfs_describes_the_file_system(
    guest: Guest, root: Path, names: tuple[str, str]
) -> None:
    by_name, by_descriptor = guest.room(2168), guest.room(2168)
    guest.ok(names[0], guest.text(root / "file"), by_name)
    guest.ok(names[1], guest.open(root / "file"), by_descriptor)
    first = guest.read_struct(STATFS64, by_name)
    second = guest.read_struct(STATFS64, by_descriptor)
    found = os.statvfs(root)
    assert (found.f_frsize, found.f_blocks, found.f_files) == (
        first["f_bsize"], first["f_blocks"], first["f_files"]
    )
    mounted = bytes(first["f_mntonname"]).rstrip(b"\0")
    assert os.path.ismount(mounted)
    assert root.is_relative_to(os.fsdecode(mounted))
    fixed = ("f_bsize", "f_iosize", "f_blocks", "f_fsid", "f_flags", "f_mntonname")
    assert [first[name] for name in fixed] == [second[name] for name in fixed]
    assert int(first["f_flags"]) & abi.MNT_LOCAL
    assert "ENOENT" == guest.error(names[0], guest.text(root / "missing"), by_name)
    assert "EBADF" == guest.error(names[1], 200, by_name)
    assert "ENOTSUP" == guest.error(names[1], guest.pipe()[0], by_name)


def test_a_plan_of_open_flags_is_made_once() -> None:
    assert opening._plan(abi.O_RDWR) is opening._plan(abi.O_RDWR)
