"""http/method against a list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.layout import constants

METHODS = [b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT", b"DELETE", b"CONNECT", b"TRACE", b"PATCH"]


def find(asm: Asm, name: bytes) -> int:
    asm.reset()
    return asm.call("method_find", asm.alloc(name + b" / HTTP/1.1"), len(name)).value


def test_every_method_has_its_number(asm: Asm) -> None:
    for name in METHODS:
        assert constants("http.inc")["METHOD_" + name.decode()] == find(asm, name)


def test_names_that_are_nearly_a_method_are_none(asm: Asm) -> None:
    for name in METHODS:
        for other in (name.lower(), name[:-1], name + b"S", b"X" + name, name[:-1] + b"_"):
            assert 0 == find(asm, other), other


@given(st.binary(min_size=1, max_size=20))
def test_any_other_name_is_unknown(asm: Asm, name: bytes) -> None:
    number = find(asm, name)
    assert (METHODS.index(name) + 1 if name in METHODS else 0) == number
