"""lib/sort against Python's own sort."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.drivers.listings import rows

PROGRAM = "listings"
MAX = 2**64 - 1
#: Bytes of a text, but for NUL; few of them, so that texts begin alike.
TEXTS = st.text("ab\x01\x7f\x80\xff", max_size=20).map(lambda text: text.encode("latin-1"))


def put_in_order(
    asm: Asm, entries: list[tuple[int, bytes, int]]
) -> tuple[list[tuple[int, int]], int]:
    """Key and data of the rows as rows_sort leaves them, and what that cost."""
    at = rows(asm, entries)
    size = 32 * len(entries)
    room = asm.alloc(size)
    done = asm.call("rows_sort", at, len(entries), room)
    assert done.value in (at, room)
    found = struct.iter_unpack("<4Q", asm.peek(done.value, size)) if size else ()
    return [(key, data) for key, _, _, data in found], done.instructions


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2, 2**63 - 1, 2**63, MAX]), TEXTS), max_size=40))
def test_rows_are_in_the_order_that_python_has(asm: Asm, entries) -> None:
    """By key, then by text; what is the same stays in its order, which `data` shows."""
    asm.reset()
    numbered = [(key, text, number) for number, (key, text) in enumerate(entries)]
    found, _ = put_in_order(asm, numbered)
    assert [(key, number) for key, _, number in sorted(numbered)] == found


@given(st.lists(st.integers(0, MAX), max_size=70, unique=True))
def test_keys_alone_decide_when_they_differ(asm: Asm, keys) -> None:
    """The texts stand the other way round, and nobody asks them."""
    asm.reset()
    entries = [(key, b"%020d" % (MAX - key), n) for n, key in enumerate(keys)]
    assert sorted(keys) == [key for key, _ in put_in_order(asm, entries)[0]]


def test_texts_of_every_length_around_eight_bytes(asm: Asm) -> None:
    """Where one ends, the other goes on: the shorter one comes first."""
    texts = [b"x" * size + tail for size in range(26) for tail in (b"", b"a", b"\xff")]
    random.Random(3).shuffle(texts)
    found, _ = put_in_order(asm, [(7, text, n) for n, text in enumerate(texts)])
    assert sorted(texts) == [texts[data] for _, data in found]


@pytest.mark.parametrize(("behind", "order"), [
    ((b"z", b"z"), [0, 1]), ((b"a", b"z"), [0, 1]), ((b"z", b"a"), [1, 0])])
def test_what_lies_behind_two_texts_decides_when_they_are_the_same(asm: Asm, behind, order) -> None:
    """So rows that are the same keep their order only if that is the same as well."""
    left, right = (asm.alloc(b"same\0" + one * 16) for one in behind)
    at = asm.alloc(struct.pack("<8Q", 1, left, 5, 0, 1, right, 5, 1))
    assert at == asm.call("rows_sort", at, 1, asm.alloc(32)).value
    result = asm.call("rows_sort", at, 2, asm.alloc(64))
    assert order == [row[3] for row in struct.iter_unpack("<4Q", asm.peek(result.value, 64))]


def test_what_lies_behind_two_texts_decides_nothing_when_they_differ(asm: Asm) -> None:
    noise = random.Random(5)
    texts = [b"photo%d" % n for n in range(120)]
    packed = b"".join(struct.pack("<4Q", 1, asm.alloc(text + b"\0" + noise.randbytes(7)),
                                  len(text) + 1, n) for n, text in enumerate(texts))
    found = asm.call("rows_sort", asm.alloc(packed), len(texts), asm.alloc(len(packed))).value
    order = [row[3] for row in struct.iter_unpack("<4Q", asm.peek(found, len(packed)))]
    assert sorted(texts) == [texts[n] for n in order]


def test_the_work_grows_like_n_log_n_whatever_the_order(asm: Asm) -> None:
    """Twelve instructions for each row and round, at most, and some for each pair of runs."""
    chance = random.Random(1)
    for count in (2, 31, 32, 33, 1000, 4096):
        rounds = (count - 1).bit_length()
        for keys in (range(count), range(count)[::-1], chance.sample(range(count), count),
                     [n ^ 1 for n in range(count)], [5] * count):
            asm.reset()
            text = asm.alloc(b"\0" * 16)
            at = asm.alloc(b"".join(struct.pack("<4Q", key, text, 1, 0) for key in keys))
            cost = asm.call("rows_sort", at, count, asm.alloc(32 * count)).instructions
            assert cost <= 20 * count * rounds + 60 * count, (count, cost)
