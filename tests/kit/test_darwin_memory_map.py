"""mmap, munmap, mprotect and advice, in pages of 16 KiB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.guest import BASE, NOWHERE, Guest

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.clock import map_commpage
from ymawky_kit.emu.memory import BadAddress

PAGE = abi.PAGE_SIZE
RW = abi.PROT_READ | abi.PROT_WRITE
RX = abi.PROT_READ | abi.PROT_EXEC
ANON = abi.MAP_ANON | abi.MAP_PRIVATE


@pytest.fixture
def guest() -> Iterator[Guest]:
    with Guest() as found:
        yield found


def anonymous(guest: Guest, length: int, protection: int = RW, flags: int = ANON) -> int:
    return guest.ok("mmap", 0, length, protection, flags, -1, 0)


def test_anonymous_memory_is_zero_and_whole_pages(guest: Guest) -> None:
    address = anonymous(guest, 100)
    assert 0 == address % PAGE
    assert bytes(PAGE) == guest.get(address, PAGE)
    guest.memory.write(address + PAGE - 1, b"x")
    with pytest.raises(BadAddress):
        guest.memory.read(address + PAGE, 1)


def test_two_mappings_do_not_overlap(guest: Guest) -> None:
    first, second = anonymous(guest, PAGE * 2), anonymous(guest, PAGE)
    assert second >= first + PAGE * 2 or second + PAGE <= first


def test_a_hint_is_taken_when_free_and_passed_over_when_not(guest: Guest) -> None:
    hint = 0x5_0000_0000
    assert hint == guest.ok("mmap", hint, PAGE, RW, ANON, -1, 0)
    second = guest.ok("mmap", hint, PAGE, RW, ANON, -1, 0)
    assert hint + PAGE == second
    assert 0 < guest.ok("mmap", 1 << 60, PAGE, RW, ANON, -1, 0)


def test_a_fixed_mapping_replaces(guest: Guest) -> None:
    address = anonymous(guest, PAGE * 2)
    guest.memory.write(address, b"old")
    assert address == guest.ok("mmap", address, PAGE, RW, ANON | abi.MAP_FIXED, -1, 0)
    assert bytes(3) == guest.get(address, 3)
    assert "EINVAL" == guest.error("mmap", address + 4096, PAGE, RW, ANON | abi.MAP_FIXED, -1, 0)
    assert "ENOMEM" == guest.error("mmap", 0, PAGE, RW, ANON | abi.MAP_FIXED, -1, 0)


def test_a_file_is_mapped_with_zeros_behind_its_end(guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"0123456789")
    fd = guest.open(tmp_path / "data")
    address = guest.ok("mmap", 0, 3 * PAGE, abi.PROT_READ, abi.MAP_PRIVATE, fd, 0)
    assert b"0123456789" + bytes(PAGE - 10) == guest.get(address, PAGE)
    with pytest.raises(BadAddress):     # pages wholly behind the end: a bus error
        guest.memory.read(address + PAGE, 1)
    guest.ok("close", fd)
    assert b"012" == guest.get(address, 3)


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, PAGE - 1, PAGE, PAGE + 1])
def test_the_last_page_of_a_file_is_all_there(guest: Guest, tmp_path: Path, size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    (tmp_path / "data").write_bytes(data)
    fd = guest.open(tmp_path / "data", abi.O_RDWR)
    pages = -(-size // PAGE) * PAGE
    for flags in (abi.MAP_PRIVATE, abi.MAP_SHARED):
        address = guest.ok("mmap", 0, size, RW, flags, fd, 0)
        assert data + bytes(pages - size) == guest.get(address, pages)
        guest.memory.write(address + pages - 1, b"!")
    assert size == (tmp_path / "data").stat().st_size


def test_shared_stores_reach_the_file_and_private_ones_do_not(
    guest: Guest, tmp_path: Path
) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"0123456789")
    fd = guest.open(path, abi.O_RDWR)
    private = guest.ok("mmap", 0, 10, RW, abi.MAP_PRIVATE, fd, 0)
    guest.memory.write(private, b"private")
    assert b"0123456789" == path.read_bytes()
    shared = guest.ok("mmap", 0, 10, RW, abi.MAP_SHARED, fd, 0)
    guest.memory.write(shared, b"shared")
    assert 0 == guest.ok("msync", shared, 10, abi.MS_SYNC)
    assert b"shared6789" == path.read_bytes()


def test_an_offset_is_in_pages_or_tolerated(guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(PAGE) + b"second page")
    fd = guest.open(tmp_path / "data")
    address = guest.ok("mmap", 0, 11, abi.PROT_READ, abi.MAP_PRIVATE, fd, PAGE)
    assert b"second page" == guest.get(address, 11)
    inside = guest.ok("mmap", 0, 4, abi.PROT_READ, abi.MAP_PRIVATE, fd, PAGE + 7)
    assert 7 == inside % PAGE
    assert b"page" == guest.get(inside, 4)
    strict = abi.MAP_PRIVATE | abi.MAP_UNIX03
    assert "EINVAL" == guest.error("mmap", 0, 4, abi.PROT_READ, strict, fd, PAGE + 7)
    assert "EINVAL" == guest.error("mmap", 0, 4, abi.PROT_READ, abi.MAP_PRIVATE, fd, -PAGE)


def test_a_length_of_zero_is_zero_unless_strict(guest: Guest) -> None:
    assert 0 == guest.ok("mmap", 0, 0, RW, ANON, -1, 0)
    assert "EINVAL" == guest.error("mmap", 0, 0, RW, ANON | abi.MAP_UNIX03, -1, 0)


@pytest.mark.parametrize(
    ("protection", "flags", "fd", "error"),
    [
        (RW | abi.PROT_EXEC, ANON, -1, "EACCES"),
        (abi.PROT_WRITE | abi.PROT_EXEC, ANON, -1, "EACCES"),
        (RW | abi.PROT_EXEC, ANON | abi.MAP_JIT, -1, "ok"),
        (RW, ANON | abi.MAP_JIT | abi.MAP_FIXED, -1, "EINVAL"),
        (RW, abi.MAP_ANON | abi.MAP_SHARED | abi.MAP_JIT, -1, "EINVAL"),
        (RW, ANON | 0x10_0000, -1, "EINVAL"),
        (8, ANON, -1, "EINVAL"),
        (RW, ANON, 0, "ok"),
        (RW, ANON, 0x0500_0000, "ok"),
        (RW, ANON, 0x10, "EINVAL"),
        (RW, abi.MAP_ANON | abi.MAP_UNIX03, -1, "EINVAL"),
        (RW, abi.MAP_ANON, -1, "ok"),
        (RW, abi.MAP_PRIVATE, -1, "EBADF"),
        (RW, abi.MAP_PRIVATE, 200, "EBADF"),
        (RW, ANON | abi.MAP_RESILIENT_MEDIA, -1, "EINVAL"),
        (RX, abi.MAP_PRIVATE | abi.MAP_RESILIENT_CODESIGN, 0, "EPERM"),
        (RW, ANON | abi.MAP_TRANSLATED_ALLOW_EXECUTE, -1, "EINVAL"),
        (abi.PROT_READ, ANON | abi.MAP_TPRO, -1, "EPERM"),
        (RW, ANON | abi.MAP_NORESERVE | abi.MAP_NOCACHE | abi.MAP_RENAME, -1, "ok"),
    ],
)
def test_mmap_checks_its_flags(
    guest: Guest, protection: int, flags: int, fd: int, error: str
) -> None:
    assert error == guest.error("mmap", 0, PAGE, protection, flags, fd, 0)


def test_mmap_checks_the_kind_and_the_access_of_a_file(guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"data")

    def ask(fd: int, protection: int = abi.PROT_READ, flags: int = abi.MAP_PRIVATE) -> str:
        return guest.error("mmap", 0, PAGE, protection, flags, fd, 0)

    readable = guest.open(tmp_path / "data")
    assert "EACCES" == ask(readable, RW, abi.MAP_SHARED)
    assert "ok" == ask(readable, RW)
    assert "EACCES" == ask(guest.open(tmp_path / "data", abi.O_WRONLY))
    assert "EINVAL" == ask(guest.pipe()[0])
    assert "EINVAL" == ask(guest.open(tmp_path))
    assert "ENODEV" == ask(guest.open("/dev/zero"))


def test_too_much_memory_is_enomem(guest: Guest) -> None:
    assert "ENOMEM" == guest.error("mmap", 0, 1 << 44, RW, ANON, -1, 0)
    assert "EINVAL" == guest.error("mmap", 0, (1 << 64) - 1, RW, ANON, -1, 0)


def test_munmap_takes_pages_away_and_holes_are_fine(guest: Guest) -> None:
    address = anonymous(guest, PAGE * 3)
    guest.ok("munmap", address + PAGE, PAGE)
    guest.memory.write(address, b"x")
    guest.memory.write(address + 2 * PAGE, b"x")
    with pytest.raises(BadAddress):
        guest.memory.read(address + PAGE, 1)
    guest.ok("munmap", address, 3 * PAGE)
    guest.ok("munmap", NOWHERE, PAGE)
    assert "EINVAL" == guest.error("munmap", address + 4096, PAGE)
    assert "EINVAL" == guest.error("munmap", address, 0)
    assert "EINVAL" == guest.error("munmap", address, (1 << 64) - PAGE)


def test_the_commpage_stays(guest: Guest) -> None:
    map_commpage(guest.memory)
    address = abi.COMMPAGE_READ_WRITE
    assert "EINVAL" == guest.error("munmap", address, PAGE)
    assert "ENOMEM" == guest.error("mmap", address, PAGE, RW, ANON | abi.MAP_FIXED, -1, 0)
    assert "EACCES" == guest.error("mprotect", address, PAGE, RW)


def test_mprotect_changes_what_may_be_done(guest: Guest) -> None:
    address = anonymous(guest, PAGE * 2)
    guest.ok("mprotect", address, 1, abi.PROT_READ)
    with pytest.raises(BadAddress):
        guest.memory.write(address + PAGE - 1, b"x")
    guest.memory.write(address + PAGE, b"x")
    guest.ok("mprotect", address, PAGE, abi.PROT_WRITE)
    assert b"\0" == guest.get(address, 1)       # writing implies reading
    guest.ok("mprotect", address, PAGE, 0)
    with pytest.raises(BadAddress):
        guest.memory.read(address, 1)


def test_mprotect_refuses_holes_and_more_than_the_mapping_allows(
    guest: Guest, tmp_path: Path
) -> None:
    address = anonymous(guest, PAGE)
    assert "ENOMEM" == guest.error("mprotect", address, PAGE * 64, abi.PROT_READ)
    assert "ENOMEM" == guest.error("mprotect", NOWHERE, PAGE, abi.PROT_READ)
    assert "EINVAL" == guest.error("mprotect", address + 1, PAGE, abi.PROT_READ)
    assert "EINVAL" == guest.error("mprotect", address, PAGE, 8)
    assert "EACCES" == guest.error("mprotect", address, PAGE, RW | abi.PROT_EXEC)
    assert "EACCES" == guest.error("mprotect", BASE, PAGE, RX)      # maxprot is rw-
    assert "ok" == guest.error("mprotect", address, PAGE, RX)
    regions = guest.memory.regions
    assert "ok" == guest.error("mprotect", address, 0, RW)
    assert regions == guest.memory.regions
    (tmp_path / "data").write_bytes(b"data")
    fd = guest.open(tmp_path / "data")
    shared = guest.ok("mmap", 0, 4, abi.PROT_READ, abi.MAP_SHARED, fd, 0)
    assert "EACCES" == guest.error("mprotect", shared, PAGE, RW)


def test_advice_is_checked_and_madv_zero_zeroes(guest: Guest) -> None:
    address = anonymous(guest, PAGE * 2)
    guest.memory.write(address, b"dirt")
    for advice in (abi.MADV_NORMAL, abi.MADV_WILLNEED, abi.MADV_DONTNEED, abi.MADV_FREE):
        assert 0 == guest.ok("madvise", address, PAGE, advice)
    assert b"dirt" == guest.get(address, 4)
    guest.ok("madvise", address, PAGE, abi.MADV_ZERO)
    assert bytes(4) == guest.get(address, 4)
    assert "EINVAL" == guest.error("madvise", address, PAGE, 99)
    assert "ENOTSUP" == guest.error("madvise", address, PAGE, abi.MADV_PAGEOUT)
    assert "EINVAL" == guest.error("madvise", NOWHERE, PAGE, abi.MADV_NORMAL)
    guest.ok("mprotect", address, PAGE, abi.PROT_READ)
    assert "EPERM" == guest.error("madvise", address, PAGE, abi.MADV_ZERO)


def test_msync_refuses_holes_and_contradictions(guest: Guest) -> None:
    address = anonymous(guest, PAGE)
    assert 0 == guest.ok("msync", address, PAGE, abi.MS_ASYNC)
    assert "EINVAL" == guest.error("msync", address, PAGE, abi.MS_SYNC | abi.MS_ASYNC)
    assert "ENOMEM" == guest.error("msync", NOWHERE, PAGE, abi.MS_SYNC)


def test_mincore_knows_mapped_pages(guest: Guest) -> None:
    address = anonymous(guest, PAGE * 3)
    guest.ok("munmap", address + PAGE, PAGE)
    vector = guest.put(b"\xee" * 4)
    guest.ok("mincore", address, 3 * PAGE, vector)
    assert b"\1\0\1\xee" == guest.get(vector, 4)
    assert "EFAULT" == guest.error("mincore", address, PAGE, NOWHERE)
    assert "EFAULT" == guest.error("mincore", address, 1 << 62, vector)
