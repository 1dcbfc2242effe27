"""lib/mem against bytes of Python."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm


@given(data=st.binary(max_size=200), before=st.integers(0, 15))
def test_mem_copy_copies_and_touches_nothing_else(asm: Asm, data: bytes, before: int) -> None:
    asm.reset()
    target = asm.alloc(b"\xee" * (before + len(data) + 1))
    result = asm.call("mem_copy", target + before, asm.alloc(data), len(data))
    assert target + before + len(data) == result.value
    assert b"\xee" * before + data + b"\xee" == asm.peek(target, before + len(data) + 1)


def test_mem_copy_takes_every_length(asm: Asm) -> None:
    data = bytes(range(1, 81))
    for size in range(81):
        asm.reset()
        target = asm.alloc(size)
        asm.call("mem_copy", target, asm.alloc(data[:size]), size)
        assert data[:size] == asm.peek(target, size)


def test_mem_clear_clears_and_touches_nothing_else(asm: Asm) -> None:
    for size in (64, 128, 192):
        at = asm.alloc(b"\xee" * (size + 32))
        assert at + 16 + size == asm.call("mem_clear", at + 16, size).value
        assert b"\xee" * 16 + bytes(size) + b"\xee" * 16 == asm.peek(at, size + 32)


def first_control(text: bytes) -> int | None:
    return next((n for n, c in enumerate(text) if c < 32 or c == 127), None)


@given(st.binary(max_size=100) | st.text("ab \t\x7f\r\xe9", max_size=100).map(str.encode),
       st.binary(max_size=20))
def test_control_find_finds_what_python_finds(asm: Asm, text: bytes, before: bytes) -> None:
    """Whatever stands before the text, and may be read, does not count."""
    asm.reset()
    at = asm.alloc(before + text) + len(before)
    result = asm.call("control_find", at, at + len(text), at - len(before))
    place = first_control(text)
    assert (place is None, len(text) if place is None else place) == (
        result.carry, result.value - at)


def test_control_find_sees_every_byte_at_every_place(asm: Asm) -> None:
    for code in range(256):
        for place in (0, 7, 15, 16, 30, 33):
            asm.reset()
            text = bytearray(b"x" * 34)
            text[place] = code
            at = asm.alloc(bytes(text))
            result = asm.call("control_find", at, at + 34, at)
            want = first_control(bytes(text))
            assert (34 if want is None else want) == result.value - at


def test_control_find_at_every_length_behind_any_bytes(asm: Asm) -> None:
    for before in (b"", b"\r" * 5, b"\r" * 16, b"x" * 40):
        for size in range(18):
            for place in (*range(size), None):
                asm.reset()
                text = bytearray(b"x" * size)
                if place is not None:
                    text[place] = 13
                start = asm.alloc(before + bytes(text))
                at = start + len(before)
                result = asm.call("control_find", at, at + size, start)
                want = (True, at + size) if place is None else (False, at + place)
                assert want == (result.carry, result.value)
