"""lib/number against int and str."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm

EINVAL, ERANGE = 22, 34


def parse(asm: Asm, text: bytes) -> tuple[bool, int]:
    asm.reset()
    result = asm.call("u64_parse", asm.alloc(text), len(text))
    return result.carry, result.value


@pytest.mark.parametrize(("text", "want"), [
    (b"0", (False, 0)), (b"7", (False, 7)), (b"007", (False, 7)),
    (b"18446744073709551615", (False, 2**64 - 1)), (b"18446744073709551616", (True, ERANGE)),
    (b"99999999999999999999", (True, ERANGE)), (b"184467440737095516150", (True, ERANGE)),
    (b"", (True, EINVAL)), (b" 1", (True, EINVAL)), (b"1 ", (True, EINVAL)),
    (b"-1", (True, EINVAL)), (b"+1", (True, EINVAL)), (b"1e3", (True, EINVAL)),
    (b"/", (True, EINVAL)), (b":", (True, EINVAL)), (b"1\0", (True, EINVAL)),
])
def test_the_edges_of_numbers(asm: Asm, text: bytes, want: tuple[bool, int]) -> None:
    assert want == parse(asm, text)


@given(st.integers(0, 2**64 - 1))
def test_what_is_formatted_can_be_parsed(asm: Asm, value: int) -> None:
    asm.reset()
    end = asm.alloc(20) + 20
    result = asm.call("u64_format", value, end)
    text = asm.peek(result["x1"], result["x2"])
    assert (str(value).encode(), end) == (text, result["x1"] + result["x2"])
    assert (False, value) == parse(asm, text)


@given(st.text("0123456789/:", min_size=1, max_size=25))
def test_digits_are_read_as_python_reads_them(asm: Asm, text: str) -> None:
    carry, value = parse(asm, text.encode())
    if not carry:
        assert int(text) == value
    elif value == ERANGE:
        assert int("".join(c for c in text if c.isdigit())) >= 2**64
    else:
        assert not text.isdigit()
