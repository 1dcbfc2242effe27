"""`inspect`: who reads which byte, the same on every run and true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest

from ymawky_kit.lab import call, inspect
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.source import KitError
from ymawky_kit.view.reads import Reader, Reads

HEAD = b"GET /a HTTP/1.1\r\nHost: me\r\nX: " + b"v" * 40 + b"\r\n\r\n"


@pytest.fixture(autouse=True)
def clean_bench() -> Iterator[None]:
    BENCH.free.clear()
    BENCH.changed.clear()
    yield
    BENCH.free.clear()
    BENCH.changed.clear()


def own(body: str) -> None:
    BENCH.take_free("mine", f"func mine\n{body}\n    ret\n")


def test_each_byte_knows_the_loads_that_took_it_in_their_order() -> None:
    own("    ldrb w2, [x0, #1]\n    ldrh w3, [x0]\n    ldrb w2, [x0, #1]")
    reads = inspect("mine", b"abc", 3)
    assert [("mine+0x4",), ("mine", "mine+0x4", "mine+0x8"), ()] == [reads.of(n) for n in range(3)]


@pytest.mark.parametrize(("load", "size"), [
    ("ldrb w2, [x0]", 1), ("ldrh w2, [x0]", 2), ("ldr w2, [x0]", 4), ("ldr x2, [x0]", 8),
    ("ldp x2, x3, [x0]", 16), ("ldr q0, [x0]", 16), ("ldp q0, q1, [x0]", 32),
    ("ldurb w2, [x0, #0]", 1),
])
def test_a_load_reads_as_many_bytes_as_it_is_wide(load: str, size: int) -> None:
    own(f"    {load}")
    reads = inspect("mine", bytes(40))
    assert [bool(reads.of(n)) for n in range(40)] == [n < size for n in range(40)]


def test_a_load_that_only_overlaps_counts_for_the_bytes_it_took() -> None:
    own("    ldr x2, [x0, #-4]")
    reads = inspect("mine", b"x" * 8)
    assert [True] * 4 + [False] * 4 == [bool(reads.of(n)) for n in range(8)]


def test_stores_and_other_memory_are_not_reads() -> None:
    own("    strb w1, [x0]\n    ldrb w2, [x1]")
    reads = inspect("mine", b"ab", bytearray(4))
    assert () == reads.of(0) == reads.of(1) == reads.readers


def test_the_functions_that_are_called_count_and_the_answer_is_that_of_call() -> None:
    reads = inspect("request_parse", bytearray(96), HEAD, len(HEAD))
    done = call("request_parse", bytearray(96), HEAD, len(HEAD))
    assert reads.ending == f"Returned after {done.instructions} instructions."
    at = HEAD.index(b"me")
    assert any(place.startswith("host_check") for place in reads.of(at))
    assert all(place.startswith("control_find") for place in reads.of(HEAD.index(b"vvvv") + 8))
    assert all(reads.of(n) for n in range(len(HEAD)))


def test_the_same_text_each_time() -> None:
    first = inspect("request_parse", bytearray(96), HEAD, len(HEAD))
    assert first.text() == inspect("request_parse", bytearray(96), HEAD, len(HEAD)).text()
    assert first.html() == inspect("request_parse", bytearray(96), HEAD, len(HEAD)).html()


def test_text_and_page_say_the_same() -> None:
    shown = inspect("request_parse", bytearray(96), HEAD, len(HEAD))
    words = re.sub(r"<[^>]*>", " ", shown.html())
    for reader in shown.readers:
        assert reader.place in shown.text()
        assert reader.place in unescape(words)
        assert reader.text in unescape(words)


def test_markup_in_the_text_stays_text() -> None:
    shown = Reads("f(b'<b>')", b"<b>&", [Reader("f", "ldrb w0, [x0]")], [[1]] * 4, "done")
    assert "<b>" not in shown.html()
    assert "&lt;b&gt;&amp;" in shown.html()


def test_bytes_that_nobody_read_are_counted_and_named() -> None:
    shown = Reads("f", b"ab", [Reader("f", "ldrb w0, [x0]")], [[1], []], "done")
    assert "1 instruction read 1 of 2 bytes" in shown.text()
    assert re.search(r"1 +'b' +nobody", shown.text())


def test_it_needs_bytes_and_a_function_that_returns() -> None:
    with pytest.raises(KitError, match="needs some bytes"):
        inspect("u64_parse", 1, 2)
    own("Lx:\n    b Lx")
    with pytest.raises(KitError, match="did not return"):
        inspect("mine", b"a")
    own("    ldrb w2, [x0, #1]")
    with pytest.raises(KitError, match="did not return"):
        inspect("mine", b"a")
