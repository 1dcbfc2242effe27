"""Guest memory: mappings, access rights, and the same bytes for kernel and program."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ymawky_kit.emu.memory import BASE, EXECUTE, LIMIT, PAGE, READ, WRITE, BadAddress, Memory

HERE = BASE + 16 * PAGE
BOTH = READ | WRITE


@pytest.fixture
def memory():
    found = Memory(1 << 32)
    yield found
    found.close()


class Recorder:
    """Stands in for a processor: the pages it would know."""

    def __init__(self) -> None:
        self.pages: dict[int, tuple[int, int]] = {}
        self.forgotten: list[tuple[int, int]] = []

    def map_pages(self, address: int, size: int, protection: int, host: int) -> None:
        assert address not in self.pages
        self.pages[address] = (size, protection)

    def unmap_pages(self, address: int, size: int) -> None:
        assert size == self.pages.pop(address)[0]

    def forget_code(self, address: int, size: int) -> None:
        self.forgotten.append((address, size))


def test_fresh_pages_are_zero_and_hold_what_is_written(memory: Memory) -> None:
    memory.map(HERE, PAGE, BOTH)
    assert bytes(PAGE) == memory.read(HERE, PAGE)
    memory.write(HERE + 5, b"hello")
    assert b"\0hello\0" == memory.read(HERE + 4, 7)
    memory.put_u32(HERE, 0xFFFFFFFE)
    memory.put_u64(HERE + 8, -2)
    assert (0xFFFFFFFE, -2) == (memory.u32(HERE), memory.i32(HERE))
    assert ((1 << 64) - 2, -2) == (memory.u64(HERE + 8), memory.i64(HERE + 8))
    assert (0xFE, 0xFFFE) == (memory.u8(HERE), memory.u16(HERE))


@pytest.mark.parametrize(
    ("address", "size", "bad"),
    [
        (HERE - 1, 1, HERE - 1), (HERE - 1, 2, HERE - 1), (HERE + PAGE - 1, 2, HERE + PAGE),
        (HERE + PAGE, 1, HERE + PAGE), (0, 1, 0), (2 ** 64 - 1, 1, 2 ** 64 - 1),
        (HERE, 1 << 62, HERE + PAGE), (HERE, 2 ** 64 - 1, HERE + PAGE),
    ],
)
def test_an_address_outside_is_named(memory: Memory, address: int, size: int, bad: int) -> None:
    memory.map(HERE, PAGE, BOTH)
    with pytest.raises(BadAddress) as caught:
        memory.read(address, size)
    assert bad == caught.value.address


def test_nothing_can_be_asked_of_any_address(memory: Memory) -> None:
    assert b"" == memory.read(0, 0)
    memory.write(0x40, b"")


def test_neighbouring_mappings_are_one_buffer(memory: Memory) -> None:
    memory.map(HERE, PAGE, BOTH)
    memory.map(HERE + PAGE, PAGE, BOTH)
    memory.write(HERE + PAGE - 2, b"abcd")
    assert b"abcd" == memory.read(HERE + PAGE - 2, 4)
    memory.protect(HERE + PAGE, PAGE, READ)
    with pytest.raises(BadAddress) as caught:
        memory.write(HERE + PAGE - 2, b"efgh")
    assert HERE + PAGE == caught.value.address


def test_protection_is_checked_and_peek_and_poke_are_not_bound_by_it(memory: Memory) -> None:
    memory.map(HERE, PAGE, READ)
    with pytest.raises(BadAddress):
        memory.write(HERE, b"x")
    memory.poke(HERE, b"y")
    assert b"y" == memory.read(HERE, 1)
    memory.protect(HERE, PAGE, 0)
    with pytest.raises(BadAddress):
        memory.read(HERE, 1)
    assert b"y" == memory.peek(HERE, 1)
    with pytest.raises(BadAddress):
        memory.peek(HERE + PAGE, 1)


def test_a_view_is_the_guests_own_memory(memory: Memory) -> None:
    memory.map(HERE, PAGE, BOTH)
    memory.view(HERE, 4, write=True)[:] = b"view"
    assert b"view" == memory.read(HERE, 4)


def test_strings_end_at_nul_or_fault_or_limit(memory: Memory) -> None:
    memory.map(HERE, PAGE, BOTH)
    memory.write(HERE, b"abc\0")
    assert b"abc" == memory.cstring(HERE, 4)
    assert None is memory.cstring(HERE, 3)
    assert b"" == memory.cstring(HERE + 3, 10)
    memory.write(HERE + PAGE - 300, b"z" * 300)
    with pytest.raises(BadAddress):
        memory.cstring(HERE + PAGE - 300, 1000)
    assert None is memory.cstring(HERE + PAGE - 300, 300)
    memory.map(HERE + PAGE, PAGE, READ)
    assert 300 == len(memory.cstring(HERE + PAGE - 300, 1000) or b"")


def test_unmapping_the_middle_leaves_both_ends(memory: Memory) -> None:
    pages = Recorder()
    memory.attach(pages)
    memory.map(HERE, 4 * PAGE, BOTH, name="area")
    memory.write(HERE, b"left")
    memory.write(HERE + 3 * PAGE, b"right")
    memory.unmap(HERE + PAGE, PAGE)
    assert {HERE: (PAGE, BOTH), HERE + 2 * PAGE: (2 * PAGE, BOTH)} == pages.pages
    assert (b"left", b"right") == (memory.read(HERE, 4), memory.read(HERE + 3 * PAGE, 5))
    with pytest.raises(BadAddress):
        memory.read(HERE + PAGE, 1)
    memory.map(HERE + PAGE, PAGE, BOTH)
    assert bytes(4) == memory.read(HERE + PAGE, 4)
    memory.unmap(HERE, 4 * PAGE)
    assert {} == pages.pages
    memory.unmap(HERE, 4 * PAGE)        # a hole is fine


def test_mapping_over_something_replaces_it(memory: Memory) -> None:
    pages = Recorder()
    memory.attach(pages)
    memory.map(HERE, 3 * PAGE, BOTH)
    memory.write(HERE + PAGE, b"old")
    memory.map(HERE + PAGE, PAGE, READ)
    assert bytes(3) == memory.read(HERE + PAGE, 3)
    assert [BOTH, READ, BOTH] == [region.protection for region in memory.regions]


def test_protecting_the_middle_splits_and_tells_the_processor(memory: Memory) -> None:
    pages = Recorder()
    memory.attach(pages)
    memory.map(HERE, 3 * PAGE, BOTH)
    memory.write(HERE + PAGE, b"kept")
    memory.protect(HERE + PAGE, PAGE, READ)
    assert {HERE: (PAGE, BOTH), HERE + PAGE: (PAGE, READ), HERE + 2 * PAGE: (PAGE, BOTH)} \
        == pages.pages
    assert b"kept" == memory.read(HERE + PAGE, 4)


def test_writing_nothing_forgets_nothing(memory: Memory) -> None:
    pages = Recorder()
    memory.attach(pages)
    memory.map(HERE, PAGE, READ | EXECUTE)
    memory.map(HERE + PAGE, PAGE, BOTH)
    memory.read(HERE, 4)
    memory.write(HERE + PAGE, b"")
    memory.write(HERE + PAGE, b"data")
    memory.poke(HERE + PAGE, b"data")
    assert [] == pages.forgotten


def test_writing_to_code_makes_the_processor_forget_it(memory: Memory) -> None:
    pages = Recorder()
    memory.attach(pages)
    memory.map(HERE, PAGE, READ | EXECUTE)
    memory.poke(HERE + 8, b"1234")
    assert [(HERE + 8, 4)] == pages.forgotten


@pytest.mark.parametrize(
    ("address", "size"),
    [(0, PAGE), (BASE - PAGE, PAGE), (HERE + 1, PAGE), (BASE + (1 << 32), PAGE), (HERE, 0)],
)
def test_impossible_mappings_are_refused(memory: Memory, address: int, size: int) -> None:
    with pytest.raises(ValueError, match="cannot map"):
        memory.map(address, size, BOTH)


def test_find_gives_the_lowest_hole(memory: Memory) -> None:
    floor = BASE + (1 << 20)
    assert floor == memory.find(PAGE, floor)
    memory.map(floor, PAGE, BOTH)
    memory.map(floor + 2 * PAGE, PAGE, BOTH)
    assert floor + PAGE == memory.find(PAGE, floor)
    assert floor + 3 * PAGE == memory.find(2 * PAGE, floor)
    assert None is memory.find(1 << 33, floor)


def test_a_private_file_mapping_shows_the_file_and_keeps_stores(
    memory: Memory, tmp_path: Path
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"0123456789" * 2000)      # 20000 bytes: a page and a bit
    with file.open("r+b") as opened:
        memory.map(HERE, 3 * PAGE, BOTH, fd=opened.fileno())
    assert b"0123" == memory.read(HERE, 4)
    assert bytes(8) == memory.read(HERE + 20000, 8)
    memory.write(HERE, b"mine")
    assert b"0123" == file.read_bytes()[:4]
    # The third page is wholly behind the end: it is mapped, and a touch is a fault.
    with pytest.raises(BadAddress):
        memory.read(HERE + 2 * PAGE, 1)
    assert 3 == sum((r.end - r.start) // PAGE for r in memory.regions)


def test_a_shared_file_mapping_reaches_the_file(memory: Memory, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(bytes(PAGE))
    with file.open("r+b") as opened:
        memory.map(HERE, PAGE, BOTH, fd=opened.fileno(), shared=True)
    memory.write(HERE + 3, b"shared")
    assert b"shared" == file.read_bytes()[3:9]


def test_the_reservation_costs_nothing_and_can_be_given_back() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    if not Path("/proc/self/statm").exists():
        pytest.skip("only on Linux: reads /proc")
    before = resident()
    memories = [Memory() for _ in range(20)]
    assert LIMIT - BASE == memories[0].size
    assert resident() - before < 16 << 20
    for memory in memories:
        memory.close()
        memory.close()
