"""http/condition against the five steps of RFC 9110 13.2.2, written down in Python."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.drivers.ranges import NOW, tag, with_file

PROGRAM = "ranges"
MTIME = NOW - 100
OURS = b"<ours>"            # stands for the tag of the file
TAGS = st.sampled_from([OURS, b"W/" + OURS, b'"x"', b"*", b'"x", ' + OURS, b"", b"bad, " + OURS])
DATES = {
    b"Sun, 06 Nov 1994 08:47:56 GMT": -1, b"Sun, 06 Nov 1994 08:47:57 GMT": 0,
    b"Sunday, 06-Nov-94 08:47:57 GMT": 0, b"Sun Nov  6 08:47:57 1994": 0,
    b"Sun, 06 Nov 1994 08:47:58 GMT": 1, b"Thu, 01 Jan 1900 00:00:00 GMT": -1,
    b"Fri, 31 Dec 9999 23:59:59 GMT": 1, b"yesterday": None, b"": None,
}
FIELDS = st.fixed_dictionaries({}, optional={
    b"If-Match": st.lists(TAGS, min_size=1, max_size=2),
    b"If-None-Match": st.lists(TAGS, min_size=1, max_size=2),
    b"If-Unmodified-Since": st.lists(st.sampled_from([*DATES]), min_size=1, max_size=2),
    b"If-Modified-Since": st.lists(st.sampled_from([*DATES]), min_size=1, max_size=2),
})


def holds(values: list[bytes], weak: bool, there: bool) -> bool:
    good = {b"*", OURS, b'"x", ' + OURS} | ({b"W/" + OURS} if weak else set())
    return there and any(value in good for value in values)


def date(values: list[bytes]) -> int | None:
    """Before, at, or after the last change; None for no date, and for two."""
    return DATES[values[0]] if len(values) == 1 else None


def model(fields: dict[bytes, list[bytes]], method: bytes, there: bool) -> int:
    reading = method in (b"GET", b"HEAD")
    if b"If-Match" in fields:
        if not holds(fields[b"If-Match"], False, there):
            return 412
    elif there and date(fields.get(b"If-Unmodified-Since", [])or [b""]) == -1:
        return 412
    if b"If-None-Match" in fields:
        if holds(fields[b"If-None-Match"], True, there):
            return 304 if reading else 412
    elif reading and there and date(fields.get(b"If-Modified-Since", []) or [b""]) in (0, 1):
        return 304
    return 0


@given(FIELDS, st.sampled_from([b"GET", b"HEAD", b"PUT", b"DELETE"]), st.booleans())
def test_the_steps_are_taken_in_the_order_of_the_rfc(asm, fields, method, there: bool) -> None:
    asm.reset()
    ours = tag(asm, with_file(asm, mtime=MTIME))
    lines = [name + b": " + value.replace(OURS, ours)
             for name, values in fields.items() for value in values]
    conn = with_file(asm, *lines, mtime=MTIME, first=method + b" / HTTP/1.1")
    result = asm.call("condition_check", conn.address, int(there))
    assert model(fields, method, there) == (result.value if result.carry else 0), lines


def test_a_file_from_before_1970_has_not_changed_since_then(asm: Asm) -> None:
    conn = with_file(asm, b"If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT", mtime=-5)
    result = asm.call("condition_check", conn.address, 1)
    assert (True, 304) == (result.carry, result.value)
    conn = with_file(asm, b"If-Modified-Since: Wed, 31 Dec 1969 23:59:59 GMT", mtime=-5)
    assert not asm.call("condition_check", conn.address, 1).carry
