"""lib/date_parse against datetime and email.utils, in the three forms of a date."""

from __future__ import annotations

import datetime
import email.utils
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm

PROGRAM = "ranges"
UTC = datetime.UTC
LAST = 253402300799         # 31 December 9999, 23:59:59
NOW = 1_795_000_000         # in 2026
EINVAL = 22


def parsed(asm: Asm, text: str | bytes, now: int = NOW) -> int | None:
    data = text if isinstance(text, bytes) else text.encode("latin-1")
    asm.reset()
    result = asm.call("date_parse", asm.alloc(data + b"\r"), len(data), now)
    if result.carry:
        assert EINVAL == result.value
        return None
    return result.value - (result.value >> 63 << 64)


def written(moment: datetime.datetime, form: str) -> str:
    """strftime's %Y has no leading zeros for years before 1000."""
    return moment.strftime(form.replace("%Y", f"{moment.year:04}"))


FORMS = ("%a, %d %b %Y %H:%M:%S GMT", "%a %b {day} %H:%M:%S %Y")
MOMENTS = st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59))


@given(st.integers(0, LAST))
def test_what_email_utils_writes_is_read_back(asm: Asm, seconds: int) -> None:
    assert seconds == parsed(asm, email.utils.formatdate(seconds, usegmt=True))


@given(MOMENTS, st.sampled_from(FORMS))
def test_any_moment_of_ten_thousand_years_but_one(asm: Asm, moment, form: str) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    text = written(moment, form.replace("{day}", f"{moment.day:2}"))
    assert (moment - datetime.datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() == parsed(asm, text)


@given(MOMENTS, st.integers(0, LAST))
def test_two_digits_are_the_last_such_year_up_to_fifty_ahead(asm: Asm, moment, now: int) -> None:
    limit = datetime.datetime(1970, 1, 1).year + 50 if now == 0 else (
        datetime.datetime.fromtimestamp(now, UTC).year + 50)
    year = next(y for y in range(limit, limit - 100, -1) if y % 100 == moment.year % 100)
    if not 1 <= year <= 9999:
        return
    try:
        moment = moment.replace(year=year, microsecond=0, tzinfo=UTC)
    except ValueError:          # the 29th of February is not in that year
        return
    text = moment.strftime("%A, %d-%b-%y %H:%M:%S GMT")
    assert (moment - datetime.datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() == parsed(
        asm, text, now)


def test_the_first_and_last_day_of_every_month(asm: Asm) -> None:
    """And that there is none behind the last."""
    for year in (1, 4, 1600, 1700, 1900, 1969, 1970, 1972, 2000, 2023, 2024, 2100, 2400, 9999):
        for month in range(1, 13):
            first = datetime.date(year, month, 1)
            following = datetime.date(year + month // 12, month % 12 + 1, 1) if (
                (year, month) != (9999, 12)) else None
            count = (following - first).days if following else 31
            name = first.strftime("%b")
            for day in (0, 1, count, count + 1):
                text = f"Sun, {day:02} {name} {year:04} 00:00:00 GMT"
                want = None
                if 1 <= day <= count:
                    days = (datetime.date(year, month, day) - datetime.date(1970, 1, 1)).days
                    want = days * 86400
                assert want == parsed(asm, text), text


@pytest.mark.parametrize("text", [
    "", " ", "S", "Sun", "Sun,", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
    " Sun, 06 Nov 1994 08:49:37 GMT", "sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 gmt",
    "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 +0000",
    "Sun, 6 Nov 1994 08:49:37 GMT", "Sun,  6 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 94 08:49:37 GMT", "Sunday, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sun Nov 6 08:49:37 1994", "Sun Nov  6 08:49:37 1994 GMT", "Sun Nov  6 08:49:37 94",
    "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 29 Feb 1900 00:00:00 GMT",
    "Sun, 06 Nov 19 94 08:49:37 GMT", "784111777", "Sun, 06 Nov 1994 8:49:37 GMT",
    "Sxn, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:3\u00b2 GMT",
])
def test_what_is_no_date(asm: Asm, text: str) -> None:
    assert parsed(asm, text) is None


def test_a_leap_second_is_the_next_one(asm: Asm) -> None:
    assert 1483228800 == parsed(asm, "Sat, 31 Dec 2016 23:59:60 GMT")


def test_the_name_of_the_day_need_not_fit(asm: Asm) -> None:
    """RFC 9110 has no word on it, and the rest of the date says it all."""
    for name in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"):
        assert 784111777 == parsed(asm, f"{name}, 06 Nov 1994 08:49:37 GMT")


SHAPE = re.compile(
    rb"(Sun|Mon|Tue|Wed|Thu|Fri|Sat), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    rb" \d{4} \d\d:\d\d:\d\d GMT"
    rb"|(Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday), "
    rb"\d\d-(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-\d\d \d\d:\d\d:\d\d GMT"
    rb"|(Sun|Mon|Tue|Wed|Thu|Fri|Sat) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    rb" [ \d]\d \d\d:\d\d:\d\d \d{4}")
GOOD = (b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994")


@given(st.sampled_from(GOOD), st.integers(0, 32), st.integers(32, 255))
def test_one_wrong_byte_anywhere_is_noticed(asm: Asm, text: bytes, at: int, byte: int) -> None:
    """Whatever is taken has the shape of a date."""
    changed = bytearray(text)
    changed[at % len(text)] = byte
    if parsed(asm, bytes(changed)) is not None:
        assert SHAPE.fullmatch(changed), changed


@pytest.mark.parametrize("text", GOOD)
def test_no_piece_of_a_date_is_a_date_and_none_is_read_beyond(asm: Asm, text: bytes) -> None:
    """The text ends with the CR, and the page behind it is not mapped."""
    for size in range(len(text)):
        assert parsed(asm, text[:size]) is None
    assert 784111777 == parsed(asm, text)
