"""http/field and the hosts of http/target, against expressions of the RFCs."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.layout import Connection

LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\0-\x08\x0a-\x1f\x7f]*", re.DOTALL)
HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
)


def take(asm: Asm, line: bytes) -> tuple[bool, int]:
    conn = Connection(asm)
    result = asm.call("field_take", conn.request.address, asm.alloc(line + b"\r"), len(line))
    return result.carry, result.value


@given(st.binary(max_size=20).map(lambda data: re.sub(rb"[\0-\x08\x0a-\x1f\x7f]", b"", data))
       | st.text("aZ-:( \t", max_size=10).map(str.encode))
def test_a_line_is_taken_when_the_grammar_has_it(asm: Asm, line: bytes) -> None:
    asm.reset()
    carry, value = take(asm, line)
    assert (LINE.fullmatch(line) is None) == carry
    assert not carry or value == 400


@given(st.text("a.:[]0fg@/- %", max_size=12).map(str.encode) | st.binary(max_size=10))
def test_host_is_what_the_grammar_says(asm: Asm, host: bytes) -> None:
    asm.reset()
    host = re.sub(rb"[\0-\x1f\x7f]", b"", host)
    result = asm.call("host_check", asm.alloc(host + b"\r"), len(host))
    assert (HOST.fullmatch(host) is None) == result.carry, host


def test_a_port_must_not_run_into_what_stands_behind(asm: Asm) -> None:
    """host_check is told where the host ends; digits behind it are another's."""
    for text, size in ((b"a:80 ", 4), (b"a/", 1), (b"a?", 1), (b"[::1] ", 5)):
        assert not asm.call("host_check", asm.alloc(text), size).carry


@given(st.sampled_from([b"host", b"content-length", b"transfer-encoding"]), st.randoms(),
       st.integers(0, 16), st.sampled_from(b"!^_`~-@[x"))
def test_names_are_compared_whole_and_without_case(
    asm: Asm, name: bytes, random, at: int, other: int
) -> None:
    asm.reset()
    mixed = bytes(random.choice([c, ord(chr(c).upper())]) for c in name)
    bad = b": a b, \xff"            # no host, no length and no coding
    assert take(asm, mixed + bad)[0]
    wrong = bytearray(mixed)
    at %= len(name)
    if wrong[at] | 0x20 != other | 0x20 and other not in b"@[":
        wrong[at] = other
        assert not take(asm, bytes(wrong) + bad)[0], wrong
    assert not take(asm, mixed + b"s" + bad)[0]
    assert not take(asm, b"x" + mixed + bad)[0]


def test_only_letters_of_two_cases_are_the_same(asm: Asm) -> None:
    r"""Content\rLength, a classic: in a token | 0x20 makes only letters equal."""
    for code in range(0x21, 0x7F):
        name = b"Content" + bytes([code]) + b"Length"
        carry, _ = take(asm, name + b": x")
        token = LINE.fullmatch(name + b":") is not None
        assert (code == ord("-") or not token) == carry, name
