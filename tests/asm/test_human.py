"""lib/human against one-line models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm

PROGRAM = "listings"
UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
YEAR_10000 = 253402300800


def size_model(size: int) -> str:
    power = (len(str(size)) - 1) // 3
    whole, rest = divmod(size, 1000**power)
    return f"{whole}.{rest * 10 // 1000**power} {UNITS[power]}" if power else f"{size} B"


def written(asm: Asm, function: str, value: int, room: int) -> str:
    at = asm.alloc(room)
    end = asm.call(function, at, value % 2**64).value
    return asm.peek(at, end - at).decode()


@given(st.integers(0, 64).flatmap(lambda bits: st.integers(0, 2**bits - 1)))
def test_any_size_is_written_as_the_model_has_it(asm: Asm, size: int) -> None:
    asm.reset()
    text = written(asm, "size_write", size, 16)
    assert size_model(size) == text
    assert len(text) <= 8


@pytest.mark.parametrize(("size", "text"), [
    (0, "0 B"), (9, "9 B"), (10, "10 B"), (999, "999 B"), (1000, "1.0 kB"), (1999, "1.9 kB"),
    (100_999, "100.9 kB"), (999_999, "999.9 kB"), (10**6, "1.0 MB"), (2**64 - 1, "18.4 EB"),
])
def test_sizes_at_the_edges(asm: Asm, size: int, text: str) -> None:
    assert text == written(asm, "size_write", size, 16)


@given(st.integers(0, YEAR_10000 - 1))
def test_any_moment_is_written_as_datetime_has_it(asm: Asm, seconds: int) -> None:
    asm.reset()
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert f"{moment:%Y-%m-%d %H:%M}".rjust(16, "0") == written(asm, "time_write", seconds, 16)


@pytest.mark.parametrize(("seconds", "text"), [
    (-1, "1970-01-01 00:00"), (-(2**63), "1970-01-01 00:00"), (0, "1970-01-01 00:00"),
    (951782399, "2000-02-28 23:59"), (951782400, "2000-02-29 00:00"),
    (YEAR_10000 - 1, "9999-12-31 23:59"), (YEAR_10000, "9999-12-31 00:00"),
])
def test_moments_at_the_edges(asm: Asm, seconds: int, text: str) -> None:
    assert text == written(asm, "time_write", seconds, 16)
