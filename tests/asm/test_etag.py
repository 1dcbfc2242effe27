"""http/etag: the tag of a file, and lists of tags against an expression."""

from __future__ import annotations

import re
import struct

from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.drivers.ranges import tag, with_file
from support.layout import constants

PROGRAM = "ranges"
ABI = constants("abi.inc")
CONN = constants("conn.inc")
TAG = re.compile(rb'[ \t,]*(W/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|\Z)')


@given(st.integers(0, 2**63 - 1), st.integers(-2**33, 2**33), st.integers(0, 999_999_999),
       st.integers(0, 2**64 - 1))
def test_a_tag_is_size_time_and_inode(asm, size: int, seconds: int, nano: int, inode: int) -> None:
    asm.reset()
    conn = with_file(asm, size=size, mtime=seconds)
    base = conn.address + CONN["CONN_STAT"]
    asm.poke(base + ABI["STAT_MTIMENSEC"], struct.pack("<q", nano))
    asm.poke(base + ABI["STAT_INO"], struct.pack("<Q", inode))
    time = ((seconds << 30) + nano) % 2**64
    assert f'"{size:016x}{time:016x}{inode:016x}"'.encode() == tag(asm, conn)


def listed(value: bytes, ours: bytes, weak: bool) -> bool:
    """The model: tags from the left, up to the first mistake."""
    at = 0
    while found := TAG.match(value, at):
        if found[2] == ours and (weak or not found[1]):
            return True
        at = found.end()
    return False


OURS = b'"' + b"0123456789abcdef" * 3 + b'"'
PIECES = st.sampled_from([
    OURS, b"W/" + OURS, b'"x"', b'W/"y"', b'""', b",", b", ", b" ", b"\t", b"w/" + OURS,
    OURS.upper(), OURS[:-1], OURS[1:], OURS[:-2] + b'"', b'"a,b"', b'"a b"', b"*", b"W/", b"W",
    b'"\x80\xff"', b'"\x7f"', b"x",
])


@given(st.lists(PIECES, max_size=7).map(b"".join), st.booleans())
def test_a_list_holds_our_tag_as_the_model_says(asm: Asm, value: bytes, weak: bool) -> None:
    asm.reset()
    result = asm.call("etag_listed", asm.alloc(value + b"\r"), len(value), asm.alloc(OURS),
                      int(weak))
    assert listed(value, OURS, weak) == (not result.carry), value


@given(st.lists(st.sampled_from([OURS, b"W/" + OURS, b'"x"', b'W/"a,b"']), min_size=1, max_size=5),
       st.sampled_from([b",", b", ", b" ,\t", b",,"]), st.booleans())
def test_a_proper_list_holds_what_it_holds(asm, tags, comma: bytes, weak: bool) -> None:
    asm.reset()
    value = comma.join(tags)
    result = asm.call("etag_listed", asm.alloc(value + b"\r"), len(value), asm.alloc(OURS),
                      int(weak))
    assert (OURS in tags or (weak and b"W/" + OURS in tags)) == (not result.carry)


def test_one_different_digit_anywhere_is_another_tag(asm: Asm) -> None:
    for at in range(1, 49):
        other = bytearray(OURS)
        other[at] ^= 1
        assert asm.call("etag_listed", asm.alloc(bytes(other) + b"\r"), 50, asm.alloc(OURS),
                        1).carry


def test_no_piece_of_a_tag_is_the_tag_and_none_is_read_beyond(asm: Asm) -> None:
    for size in range(50):
        assert asm.call("etag_listed", asm.alloc(OURS[:size] + b"\r"), size, asm.alloc(OURS),
                        1).carry
