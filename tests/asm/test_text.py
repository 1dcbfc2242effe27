"""lib/text against bytes of Python."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm

CASES = st.text("aAzZ@[`{k-\xe9", max_size=12).map(lambda text: text.encode("latin-1"))


@given(st.binary(max_size=60).map(lambda data: data.replace(b"\0", b"")))
def test_text_length_is_strlen(asm: Asm, text: bytes) -> None:
    asm.reset()
    assert len(text) == asm.call("text_length", asm.text(text)).value


@given(st.text("ab", max_size=4), st.text("ab", max_size=4))
def test_text_equal_is_equality(asm: Asm, one: str, two: str) -> None:
    asm.reset()
    result = asm.call("text_equal", asm.text(one.encode()), asm.text(two.encode()))
    assert (one == two) != result.carry


@given(CASES, st.randoms())
def test_text_same_ignores_the_case_of_letters_only(asm: Asm, text: bytes, random) -> None:
    asm.reset()
    other = bytes(random.choice([c, c ^ 0x20]) for c in text)
    low = text.lower()
    result = asm.call("text_same", asm.alloc(other), asm.alloc(low), len(text))
    assert (other.lower() == low) != result.carry


def test_text_same_compares_every_pair_of_bytes_rightly(asm: Asm) -> None:
    for low in b"az-@`{[kK0\xe9\xc9":
        if bytes([low]).isupper():
            continue
        for code in range(256):
            asm.reset()
            result = asm.call("text_same", asm.alloc(bytes([code])), asm.alloc(bytes([low])), 1)
            assert (bytes([code]).lower() == bytes([low])) != result.carry, (code, low)


@given(st.binary(min_size=8, max_size=8), st.integers(1, 8))
def test_text_word_is_the_first_bytes_as_a_number(asm: Asm, text: bytes, size: int) -> None:
    asm.reset()
    result = asm.call("text_word", asm.alloc(text), size)
    assert int.from_bytes(text[:size], "little") == result.value


@given(st.binary(min_size=2, max_size=2) | st.text("0189abfgABFG/:@`", min_size=2,
                                                   max_size=2).map(str.encode))
def test_hex_pair_reads_two_digits_or_none(asm: Asm, pair: bytes) -> None:
    asm.reset()
    result = asm.call("hex_pair", asm.alloc(pair))
    good = all(c in b"0123456789abcdefABCDEF" for c in pair)
    assert (not good, int(pair, 16) if good else 22) == (result.carry, result.value)
