"""http/head against a short model: every line of a name, in turn."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.drivers.ranges import with_head
from support.layout import constants

PROGRAM = "ranges"
FLAGS = constants("request.inc")
NOTED = {
    b"range": "REQUEST_HAS_RANGE", b"if-range": "REQUEST_HAS_IF_RANGE",
    b"if-match": "REQUEST_HAS_IF_MATCH", b"if-none-match": "REQUEST_HAS_IF_NONE_MATCH",
    b"if-modified-since": "REQUEST_HAS_IF_MODIFIED",
    b"if-unmodified-since": "REQUEST_HAS_IF_UNMODIFIED",
}


def found(asm: Asm, conn, name: bytes) -> list[bytes]:
    values = []
    where, at = 0, asm.alloc(name)
    while not (result := asm.call("head_field", conn.address, at, len(name), where)).carry:
        values.append(asm.peek(result.value, result["x1"]) if result["x1"] else b"")
        where = result["x2"]
    return values


NAMES = st.sampled_from([b"range", b"Range", b"RANGE", b"ranges", b"rang", b"x-range", b"Expect",
                         b"expecT", b"\x7ex", b"Dange"])
VALUES = st.text("ab:, \t\"\x80", max_size=8).map(lambda text: text.encode("latin-1"))


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6), st.booleans())
def test_every_line_of_the_name_is_found_in_order(asm, lines, empty_first: bool) -> None:
    asm.reset()
    names = [re.sub(rb"[^!-~]", b"", name) for name, _ in lines]
    lines = [name + b":" + value for name, (_, value) in zip(names, lines, strict=True)]
    first = b"\r\nGET /range: HTTP/1.1" if empty_first else b"GET /range: HTTP/1.1"
    conn = with_head(asm, *lines, first=first)
    for name in (b"range", b"expect", b"nothing"):
        assert [line.split(b":", 1)[1].strip(b" \t") for line in lines
                if line.split(b":")[0].lower() == name] == found(asm, conn, name)


def test_what_stands_behind_the_head_is_no_field(asm: Asm) -> None:
    conn = with_head(asm, b"Range: in")
    at = conn.address + constants("conn.inc")["CONN_IN"]
    end = asm.peek(at, 200).index(b"\r\n\r\n") + 4
    asm.poke(at + end, b"Range: out\r\n\r\n")
    assert [b"in"] == found(asm, conn, b"range")


@pytest.mark.parametrize("name", NOTED)
def test_that_it_is_there_is_remembered_whatever_its_value(asm: Asm, name: bytes) -> None:
    bit = 1 << FLAGS[NOTED[name]]
    host = 1 << FLAGS["REQUEST_HAS_HOST"]
    for line in (name + b":", name.upper() + b": x", name.title() + b":\t,,"):
        assert host | bit == with_head(asm, line).request["REQUEST_FLAGS"]
    for near in (name + b"s", b"x" + name, name[:-1], name.replace(b"-", b"_") + b"1"):
        assert host == with_head(asm, near + b": x").request["REQUEST_FLAGS"]


def test_all_of_them_together_and_twice(asm: Asm) -> None:
    lines = [name + b": 1" for name in NOTED] * 2
    want = sum(1 << FLAGS[name] for name in (*NOTED.values(), "REQUEST_HAS_HOST"))
    assert want == with_head(asm, *lines).request["REQUEST_FLAGS"]
