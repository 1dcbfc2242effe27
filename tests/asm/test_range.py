"""http/range: the value of Range and what comes of it, against a short model."""

from __future__ import annotations

import re
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.contract import Asm
from support.drivers.ranges import NOW, tag, with_file
from support.layout import constants

PROGRAM = "ranges"
PARTS = constants("parts.inc")
MAX = PARTS["PARTS_MAX"]
GAP = PARTS["PARTS_GAP_BYTES"]
LARGEST = 2**64 - 1
SPEC = re.compile(rb"(\d*)-(\d*)")
DATE = b"Sun, 06 Nov 1994 08:47:57 GMT"     # of a file that with_file makes


def model(value: bytes, size: int) -> list[tuple[int, int]] | None:
    """The parts as (first, behind the last), none when there is no such range."""
    specs = [spec.strip(b" \t") for spec in value[6:].split(b",")]
    specs = [spec for spec in specs if spec]
    found = [SPEC.fullmatch(spec) for spec in specs]
    if value[:6].lower() != b"bytes=" or not 0 < len(specs) <= MAX or not all(found):
        return None
    parts: list[tuple[int, int]] = []
    for first, last in (match.groups() for match in found if match):
        if not first and (not last or not size):
            return None
        start = min(int(first), LARGEST) if first else size - min(int(last), size)
        end = min(int(last), LARGEST) if first and last else LARGEST
        if end < start:
            return None
        end = min(end + 1, size)
        if start >= end:
            continue
        near = [p for p in parts if start <= p[1] + GAP and p[0] <= end + GAP]
        at = parts.index(near[0]) if near else len(parts)
        grown = (min([start, *(p[0] for p in near)]), max([end, *(p[1] for p in near)]))
        parts = [p for p in parts if p not in near]
        parts.insert(at, grown)
    return parts


def parsed(asm: Asm, value: bytes, size: int) -> list[tuple[int, int]] | None:
    asm.reset()
    at = asm.alloc(PARTS["PARTS_SIZEOF"])
    if asm.call("range_parse", asm.alloc(value + b"\r"), len(value), size, at).carry:
        return None
    count = struct.unpack("<Q", asm.peek(at, 8))[0]
    flat = struct.unpack(f"<{2 * count}Q", asm.peek(at + PARTS["PARTS_FIRST"], 16 * count))
    return list(zip(flat[::2], flat[1::2], strict=True))


NUMBERS = st.integers(0, 1200) | st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30])
SPECS = (st.tuples(NUMBERS, NUMBERS).map(lambda p: b"%d-%d" % (min(p), max(p)))
         | NUMBERS.map(lambda n: b"%d-" % n) | NUMBERS.map(lambda n: b"-%d" % n))
ODD = st.sampled_from([b"", b" ", b"-", b"5", b"9-8", b"a-b", b"1-2-3", b"1 -2", b"+1-2", b"-0",
                       b"0x1-2", b"00-007"])
SIZES = st.integers(0, 1100) | st.sampled_from([2**32, 2**32 + 5, 2**63 - 1])


@given(st.lists(SPECS, min_size=1, max_size=8), SIZES,
       st.sampled_from([b",", b", ", b" ,\t", b",,"]))
@example([b"0-0", b"300-300", b"600-600", b"0-1000"], 1100, b",")
@example([b"300-300", b"0-0", b"600-600", b"100-500"], 1100, b",")
def test_a_good_range_is_read_as_the_model_reads_it(asm, specs, size: int, comma: bytes) -> None:
    value = b"bytes=" + comma.join(specs)
    assert model(value, size) == parsed(asm, value, size), value


@given(st.lists(SPECS | ODD, max_size=5).map(b",".join), SIZES,
       st.sampled_from([b"bytes=", b"Bytes=", b"BYTES=", b"bytes", b"byte=", b"lines=", b"",
                        b"bytes =", b"bytes= "]))
def test_a_bad_range_is_none(asm: Asm, specs: bytes, size: int, unit: bytes) -> None:
    value = (unit + specs).rstrip(b" \t")
    assert model(value, size) == parsed(asm, value, size), value


@given(st.binary(max_size=12).map(lambda data: re.sub(rb"[\0-\x08\x0a-\x1f\x7f]", b"", data))
       .map(lambda data: data.strip(b" \t")), st.booleans())
def test_any_bytes_at_all(asm: Asm, data: bytes, unit: bool) -> None:
    value = b"bytes=" + data if unit else data
    assert model(value, 1000) == parsed(asm, value, 1000)


def test_any_piece_of_a_range_is_read_without_looking_beyond(asm: Asm) -> None:
    value = b"bytes=0-9, 500-\t,,-5 , 18446744073709551616-"
    for size in range(len(value) + 1):
        piece = value[:size].rstrip(b" \t")
        assert model(piece, 1000) == parsed(asm, piece, 1000), piece


def test_so_many_and_no_more(asm: Asm) -> None:
    specs = [b"%d-%d" % (n * 1000, n * 1000) for n in range(MAX + 1)]
    most = b"bytes=" + b",".join(specs[:MAX])
    assert [(n * 1000, n * 1000 + 1) for n in range(MAX)] == parsed(asm, most, 10**6)
    assert parsed(asm, b"bytes=" + b",".join(specs), 10**6) is None
    assert parsed(asm, b"bytes=" + b",".join([b"0-"] * (MAX + 1)), 10**6) is None


def test_the_parts_have_room_where_the_page_would_be(asm: Asm) -> None:
    assert PARTS["PARTS_FIRST"] + 16 * MAX == PARTS["PARTS_SIZEOF"]
    assert PARTS["PARTS_SIZEOF"] <= constants("conn.inc")["CONN_PAGE_SIZE"]


# --- what becomes of it -------------------------------------------------------------------


def applied(asm: Asm, *lines: bytes, size: int = 1000, mtime: int = NOW - 100,
            first: bytes = b"GET / HTTP/1.1") -> tuple[bool, int, int, int]:
    """Carry, status, and the part."""
    asm.reset()
    conn = with_file(asm, *lines, size=size, mtime=mtime, first=first)
    result = asm.call("range_apply", conn.address)
    return result.carry, result.value, conn.reply["REPLY_OFFSET"], conn.reply["REPLY_LENGTH"]


@pytest.mark.parametrize(("value", "want"), [
    (b"bytes=0-9", (False, 206, 0, 10)), (b"bytes=990-", (False, 206, 990, 10)),
    (b"bytes=-1", (False, 206, 999, 1)), (b"bytes=0-", (False, 206, 0, 1000)),
    (b"bytes=-5000", (False, 206, 0, 1000)), (b"bytes=0-9,5-19", (False, 206, 0, 20)),
    (b"bytes=0-0,-1", (True, 206, 0, 1000)), (b"bytes=1000-", (True, 416, 0, 1000)),
    (b"bytes=-0", (True, 416, 0, 1000)), (b"bytes=2000-,5-5", (False, 206, 5, 1)),
    (b"lines=0-9", (False, 200, 0, 1000)), (b"bytes=9-0", (False, 200, 0, 1000)),
])
def test_a_range_chooses_a_part(asm: Asm, value: bytes, want: tuple[bool, int, int, int]) -> None:
    assert want == applied(asm, b"Range: " + value)


def test_an_empty_file_has_an_end_but_no_first_byte(asm: Asm) -> None:
    assert (False, 200, 0, 0) == applied(asm, b"Range: bytes=-5", size=0)
    assert (True, 416, 0, 0) == applied(asm, b"Range: bytes=0-", size=0)


def test_a_range_is_for_get_only_and_there_is_one(asm: Asm) -> None:
    line = b"Range: bytes=0-9"
    assert (False, 200, 0, 1000) == applied(asm, line, first=b"HEAD / HTTP/1.1")
    assert (False, 200, 0, 1000) == applied(asm, line, line)
    assert (False, 206, 0, 10) == applied(asm, line, first=b"GET / HTTP/1.0")


def test_if_range_holds_the_tag_or_the_date_exactly(asm: Asm) -> None:
    ours = tag(asm, with_file(asm))
    whole, part = (False, 200, 0, 1000), (False, 206, 0, 10)
    line = b"Range: bytes=0-9"
    for value, want in (
        (ours, part), (b"W/" + ours, whole), (ours[:-1], whole), (ours + b", " + ours, whole),
        (b'"x"', whole), (b"*", whole), (b"", whole), (ours.upper(), whole), (DATE, part),
        (b"Sunday, 06-Nov-94 08:47:57 GMT", part), (b"Sun Nov  6 08:47:57 1994", part),
        (b"Sun, 06 Nov 1994 08:47:58 GMT", whole), (b"Sun, 06 Nov 1994 08:47:56 GMT", whole),
        (b"x", whole),
    ):
        assert want == applied(asm, line, b"If-Range: " + value), value
    assert whole == applied(asm, line, b"If-Range: " + ours, b"If-Range: " + DATE)
    assert whole == applied(asm, b"If-Range: " + ours)


def test_a_date_of_this_very_second_proves_nothing(asm: Asm) -> None:
    now = b"If-Range: Sun, 06 Nov 1994 08:49:37 GMT"
    before = b"If-Range: Sun, 06 Nov 1994 08:49:36 GMT"
    assert (False, 200, 0, 1000) == applied(asm, b"Range: bytes=0-9", now, mtime=NOW)
    assert (False, 206, 0, 10) == applied(asm, b"Range: bytes=0-9", before, mtime=NOW - 1)


def test_conditions_come_first(asm: Asm) -> None:
    line = b"Range: bytes=5000-"
    assert (True, 304) == applied(asm, line, b"If-None-Match: *")[:2]
    assert (True, 412) == applied(asm, line, b'If-Match: "x"')[:2]
    assert (True, 416) == applied(asm, line, b'If-None-Match: "x"')[:2]
    assert (True, 304) == applied(asm, b"If-Modified-Since: " + DATE)[:2]


# --- what it costs --------------------------------------------------------------------------


def cost(asm: Asm, *lines: bytes) -> int:
    asm.reset()
    return int(asm.call("range_apply", with_file(asm, *lines, size=10**6).address).instructions)


def test_who_asks_for_nothing_pays_nothing(asm: Asm) -> None:
    assert cost(asm) <= 6
    assert cost(asm, b"Range: bytes=0-9") <= 500
    assert cost(asm, b'If-None-Match: "' + b"0" * 48 + b'"') <= 1500
    assert cost(asm, b"If-Modified-Since: " + DATE) <= 1300


@pytest.mark.parametrize("lines", [
    [b"Range: bytes=" + b"," * 16000], [b"Range: bytes=" + b"9" * 16000],
    [b"Range: bytes=" + b"1-2," * 4000], [b"If-None-Match: " + b'"",' * 5000],
    [b"If-None-Match: " + (b'"' + b"x" * 48 + b'",') * 310], [b"If-None-Match:"] * 1000,
    [b"If-None-Match:x"] * 900 + [b"If-Match:*"], [b"If-Range:x", b"Range:" + b" " * 15000],
    [b"If-Modified-Since: " + b"x" * 16000],
])
def test_a_hostile_head_costs_what_its_length_does(asm: Asm, lines: list[bytes]) -> None:
    assert cost(asm, *lines) <= 25 * sum(len(line) + 2 for line in lines)


def test_the_parts_cost_what_their_number_does(asm: Asm) -> None:
    for count in (2, 8, 32):
        asm.reset()
        value = b",".join(b"%d-%d" % (n * 1000, n * 1000) for n in range(count))
        conn = with_file(asm, b"Range: bytes=" + value, size=10**6)
        total = asm.call("range_apply", conn.address).instructions
        total += asm.call("multipart_plan", conn.address).instructions
        while conn.reply["REPLY_NEXT"]:
            total += asm.call("multipart_next", conn.address).instructions
        assert total <= 1200 * count + 500
