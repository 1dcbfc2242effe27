"""lib/date against email.utils and datetime."""

from __future__ import annotations

import datetime
import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm

LAST = 253402300799         # 31 December 9999, 23:59:59
EPOCH = datetime.date(1970, 1, 1)


def formatted(asm: Asm, seconds: int) -> str:
    asm.reset()
    at = asm.alloc(32)          # one byte more than it means to write
    assert at + 31 == asm.call("date_write", at, seconds).value
    line = asm.peek(at, 31).decode("ascii")
    assert line.endswith("\r\n")
    return line.removesuffix("\r\n")


@pytest.mark.parametrize("seconds", [
    0, 1, 59, 60, 86399, 86400, 951782399, 951782400, 951868800, 784111777, 2**31 - 1, 2**31, 2**32,
    4107542399, 4107542400, LAST,
])
def test_the_edges_of_the_calendar(asm: Asm, seconds: int) -> None:
    assert email.utils.formatdate(seconds, usegmt=True) == formatted(asm, seconds)


@given(st.integers(0, LAST))
def test_any_moment_is_written_as_email_utils_writes_it(asm: Asm, seconds: int) -> None:
    assert email.utils.formatdate(seconds, usegmt=True) == formatted(asm, seconds)


def test_every_day_of_four_hundred_years_and_some(asm: Asm) -> None:
    """The first and last of each month, for all months from 1970 to 2400."""
    for year in range(1970, 2401):
        for month in range(1, 13):
            first = datetime.date(year, month, 1)
            for day in (first, first - datetime.timedelta(1)):
                if day >= EPOCH:
                    result = asm.call("date_calendar", (day - EPOCH).days)
                    month_of_3 = day.month + 12 * (day.month < 3)       # 13 is January
                    assert (day.day, month_of_3, day.year) == (
                        result["x0"], result["x1"], result["x2"])


def test_a_date_costs_the_same_on_every_day(asm: Asm) -> None:
    """Else a request would cost more in January, and every stored count would be wrong then."""
    costs = set()
    at = asm.alloc(32)
    for month in range(1, 13):
        for year, day in ((1970, 1), (2024, 28), (2026, 11), (9999, 28)):
            seconds = int(datetime.datetime(year, month, day, 12, 34, 56,
                                            tzinfo=datetime.UTC).timestamp())
            costs.add(asm.call("date_write", at, seconds).instructions)
    assert 1 == len(costs), costs
