"""Drivers for the modules of chapter 11."""

from __future__ import annotations

import os
from pathlib import Path

from support.contract import Asm
from support.drivers import driver
from support.layout import Connection, constants

CONN = constants("conn.inc")


def with_head(asm: Asm, *lines: bytes, first: bytes = b"GET / HTTP/1.1") -> Connection:
    """A connection that has received a head; the flags are as request_parse leaves them."""
    conn = Connection(asm)
    head = b"\r\n".join([first, b"Host: a", *lines, b"", b""])
    asm.poke(conn.address + CONN["CONN_IN"], head)
    result = asm.call("request_parse", conn.request.address, conn.address + CONN["CONN_IN"],
                      len(head))
    assert (False, len(head)) == (result.carry, result.value), head
    return conn


@driver
def head_field(asm: Asm, _: Path) -> None:
    for lines in ((), (b"Range: a",), (b"range:\t ",), (b"Ranges: b", b"range:c", b"RANGE: d\t")):
        conn = with_head(asm, *lines)
        where = 0
        name = asm.alloc(b"range")
        while not (found := asm.call("head_field", conn.address, name, 5, where)).carry:
            where = found["x2"]


@driver
def head_alone(asm: Asm, _: Path) -> None:
    for lines in ((), (b"Range: a",), (b"Range: b", b"range:c")):
        conn = with_head(asm, *lines)
        found = asm.call("head_alone", conn.address, asm.alloc(b"range"), 5)
        assert found.carry == (len(lines) != 1)


NOW = 784111777
DATES = (b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT",
         b"Sun Nov  6 08:49:37 1994")
BAD_DATES = (b"", b"Sun", b"Sun, 31 Feb 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 24:00:00 GMT",
             b"Sun, 06 Nov 1994 08:60:37 GMT", b"Sun, 06 Nov 1994 08:49:61 GMT",
             b"Sun, 06 Nox 1994 08:49:37 GMT", b"Sun, 06 Nov 199x 08:49:37 GMT")


def with_file(asm: Asm, *lines: bytes, size: int = 1000, mtime: int = NOW - 100,
              first: bytes = b"GET / HTTP/1.1") -> Connection:
    """A connection that is about to plan the reply to a GET of a file."""
    conn = with_head(asm, *lines, first=first)
    conn["CONN_NOW"] = NOW
    conn.set_path(b"a.txt")
    conn.set_file(size, mtime)
    conn.reply["REPLY_LENGTH"] = size
    return conn


def tag(asm: Asm, conn: Connection) -> bytes:
    at = asm.alloc(50)
    asm.call("etag_write", at, conn.address)
    return asm.peek(at, 50)


def _text(asm: Asm, text: bytes) -> tuple[int, int]:
    return asm.alloc(text + b"\r"), len(text)


@driver
def date_parse(asm: Asm, _: Path) -> None:
    for text in (*DATES, *BAD_DATES):
        asm.call("date_parse", *_text(asm, text), NOW)


@driver
def date_match(asm: Asm, _: Path) -> None:
    for pattern in (b"a, d b qy h:m:s GMT", b"l, d-b-y h:m:s GMT", b"a b e h:m:s qy"):
        for text in DATES + BAD_DATES:
            at, size = _text(asm, text)
            asm.call("date_match", at, at + size, asm.text(pattern), asm.alloc(32))


@driver
def date_name(asm: Asm, _: Path) -> None:
    names = asm.alloc(b"one\0two\0\0")
    for text in (b"one", b"two", b"three"):
        asm.call("date_name", asm.alloc(text + b"\r"), x7=names)


@driver
def date_join(asm: Asm, _: Path) -> None:
    for text in (*DATES, *BAD_DATES[2:6]):
        parts = asm.alloc(32)
        at, size = _text(asm, text)
        for pattern in (b"a, d b qy h:m:s GMT", b"l, d-b-y h:m:s GMT", b"a b e h:m:s qy"):
            if not asm.call("date_match", at, at + size, asm.text(pattern), parts).carry:
                break
        asm.call("date_join", parts, NOW)


@driver
def date_century(asm: Asm, _: Path) -> None:
    for digits in (0, 44, 45, 99):
        asm.call("date_century", NOW, digits)


@driver
def month_days(asm: Asm, _: Path) -> None:
    for month in range(12):
        for year in (0, 1900, 1999, 2000, 2024):
            asm.call("month_days", asm.random_word(), month, year)


@driver
def date_days_since(asm: Asm, _: Path) -> None:
    for day, month, year in ((1, 0, 0), (1, 0, 1970), (31, 11, 9999)):
        asm.call("date_days_since", day, month, year)


@driver
def etag_write(asm: Asm, _: Path) -> None:
    asm.call("etag_write", asm.alloc(50), with_file(asm).address)


@driver
def etag_digits(asm: Asm, _: Path) -> None:
    asm.call("etag_digits", asm.alloc(48), with_file(asm).address)


@driver
def etag_end(asm: Asm, _: Path) -> None:
    conn = with_file(asm)
    out = conn.address + constants("conn.inc")["CONN_OUT"]
    asm.call("etag_end", out, conn.address)
    assert b"ETag: " + tag(asm, conn) + b"\r\n\r\n" == conn.head


@driver
def etag_listed(asm: Asm, _: Path) -> None:
    ours = tag(asm, with_file(asm))
    for text in (b"", ours, b"W/" + ours, b"W" + ours, b'"a", ' + ours, b'"a" ' + ours, b'"',
                 b'"\x7f"', b'" "', b'"a",', b"x", ours.upper(), b'"a"\t'):
        for weak in (0, 1):
            asm.call("etag_listed", *_text(asm, text), asm.alloc(ours), weak)


def conditions(asm: Asm) -> list[tuple[bytes, ...]]:
    ours = tag(asm, with_file(asm))
    sets: list[tuple[bytes, ...]] = [(), (b"If-Match: *", b"If-None-Match: *")]
    for name in (b"If-Match: ", b"If-None-Match: "):
        sets += [(name + value,) for value in (ours, b"W/" + ours, b'"x"', b"*", b"")]
        sets.append((name + b'"x"', name + ours))
    for name in (b"If-Modified-Since: ", b"If-Unmodified-Since: "):
        sets += [(name + value,) for value in (DATES[0], b"Sat, 05 Nov 1994 08:49:37 GMT", b"x")]
        sets.append((name + DATES[0], name + DATES[0]))
    return sets


@driver
def condition_check(asm: Asm, _: Path) -> None:
    for lines in conditions(asm):
        for first in (b"GET / HTTP/1.1", b"HEAD / HTTP/1.1", b"PUT / HTTP/1.1"):
            for there in (0, 1):
                asm.call("condition_check", with_file(asm, *lines, first=first).address, there)


@driver
def condition_tags(asm: Asm, _: Path) -> None:
    for lines in conditions(asm):
        for there in (b"\0", tag(asm, with_file(asm))):
            conn = with_file(asm, *lines)
            asm.poke(conn.address + CONN["CONN_OUT"], there)
            asm.call("condition_tags", conn.address, *_text(asm, b"if-match"), 0)


def _dated(asm: Asm, name: str) -> None:
    for lines in conditions(asm):
        conn = with_file(asm, *lines)
        asm.poke(conn.address + CONN["CONN_OUT"], tag(asm, conn))
        asm.call(name, conn.address, *_text(asm, b"if-modified-since"))


@driver
def condition_since(asm: Asm, _: Path) -> None:
    _dated(asm, "condition_since")


@driver
def condition_date(asm: Asm, _: Path) -> None:
    _dated(asm, "condition_date")


RANGES = (b"bytes=0-9", b"bytes=0-9,500-509", b"bytes=-5", b"bytes=5-", b"bytes=2000-", b"bytes=",
          b"bytes=x", b"lines=1-2", b"bytes=9-8", b"bytes= , 1-2 ,", b"bytes=-",
          b"bytes=0-" + b"9" * 30, b"bytes=" + b",".join([b"1-1"] * 40), b"b")


def ranged(asm: Asm) -> list[Connection]:
    conns = [with_file(asm, b"Range: " + value) for value in RANGES]
    conns += [with_file(asm, b"Range: bytes=0-1", *lines) for lines in conditions(asm)]
    for value in (tag(asm, with_file(asm)), b'W/"x"', b'"x"', DATES[0], b"x"):
        conns.append(with_file(asm, b"Range: bytes=0-1", b"If-Range: " + value))
        conns.append(with_file(asm, b"Range: bytes=0-1", b"If-Range: " + value, mtime=NOW))
    conns += [with_file(asm, b"Range: bytes=0-1", b"Range: bytes=0-1"),
              with_file(asm, b"Range: bytes=0-1", first=b"HEAD / HTTP/1.1"),
              with_file(asm, b"If-Range: x"), with_file(asm, b"Range: bytes=-5", size=0)]
    return conns


@driver
def http_range__range_apply(asm: Asm, _: Path) -> None:
    for conn in [with_file(asm), *ranged(asm)]:
        asm.call("range_apply", conn.address)


@driver
def range_judge(asm: Asm, _: Path) -> None:
    for conn in ranged(asm):
        asm.call("range_judge", conn.address)


@driver
def range_current(asm: Asm, _: Path) -> None:
    for conn in ranged(asm):
        asm.call("range_current", conn.address)


@driver
def range_parse(asm: Asm, _: Path) -> None:
    for value in RANGES:
        for size in (0, 1000):
            asm.call("range_parse", *_text(asm, value), size, asm.alloc(520))


@driver
def range_spec(asm: Asm, _: Path) -> None:
    for text in (b"0-9", b"5-", b"-5", b"-", b"x", b"9-8", b"1", b"2000-3000", b"-5000"):
        for size in (0, 1000):
            asm.call("range_spec", asm.alloc(text + b"\r"), size)


@driver
def position_take(asm: Asm, _: Path) -> None:
    for text in (b"", b"0", b"18446744073709551615", b"18446744073709551616", b"9" * 40):
        asm.call("position_take", asm.alloc(text + b"-"))


@driver
def http_range__range_offer(asm: Asm, _: Path) -> None:
    for status, lines in ((200, ()), (206, (b"Range: bytes=0-9",)),
                          (206, (b"Range: bytes=0-9,500-509",))):
        conn = with_file(asm, *lines)
        asm.call("range_apply", conn.address)
        conn.reply["REPLY_STATUS"] = status
        asm.call("range_offer", asm.alloc(200), conn.address)


def _other(asm: Asm, tmp: Path, name: str, status: int, *arguments: int) -> None:
    (tmp / "f").write_bytes(bytes(1000))
    conn = with_file(asm, b"Range: bytes=0-9,500-509,900-")
    asm.call("range_apply", conn.address)
    conn.reply["REPLY_FD"] = os.open(tmp / "f", os.O_RDONLY)
    asm.call(name, conn.address, *arguments)
    if status == 206:
        os.close(conn.reply["REPLY_FD"])


@driver
def http_range__range_reply(asm: Asm, tmp: Path) -> None:
    for status in (206, 304, 412, 416):
        _other(asm, tmp, "range_reply", status, status)


@driver
def stub_range_ignore__range_reply(asm: Asm, tmp: Path) -> None:
    conn = Connection(asm)
    conn.reply["REPLY_FD"] = os.open(tmp, os.O_RDONLY)
    result = asm.call("range_reply", conn.address, 416)
    assert (True, 416, -1) == (result.carry, result.value, conn.reply["REPLY_FD"])


@driver
def range_unchanged(asm: Asm, tmp: Path) -> None:
    _other(asm, tmp, "range_unchanged", 206)


@driver
def range_missed(asm: Asm, tmp: Path) -> None:
    _other(asm, tmp, "range_missed", 206)


@driver
def parts_add(asm: Asm, _: Path) -> None:
    parts = asm.alloc(520)
    for first, end in ((0, 10), (500, 510), (300, 310), (100, 450), (0, 1000)):
        asm.call("parts_add", parts, first, end)


@driver
def multipart_plan(asm: Asm, tmp: Path) -> None:
    _other(asm, tmp, "multipart_plan", 206)


@driver
def multipart_length(asm: Asm, tmp: Path) -> None:
    _other(asm, tmp, "multipart_length", 206)


@driver
def multipart_next(asm: Asm, _: Path) -> None:
    conn = with_file(asm, b"Range: bytes=0-9,500-509,900-")
    asm.call("range_apply", conn.address)
    asm.call("multipart_plan", conn.address)
    while conn.reply["REPLY_NEXT"]:
        asm.call("multipart_next", conn.address)


@driver
def multipart_last(asm: Asm, _: Path) -> None:
    asm.call("multipart_last", with_file(asm).address, asm.alloc(56))


@driver
def part_lines(asm: Asm, tmp: Path) -> None:
    conn = with_file(asm, b"Range: bytes=0-9,500-509,900-")
    asm.call("range_apply", conn.address)
    for number in range(3):
        asm.call("part_lines", conn.address, asm.alloc(300), number)


@driver
def part_range(asm: Asm, _: Path) -> None:
    asm.call("part_range", asm.alloc(200), 0, 2**62, 2**63 - 1)


@driver
def part_body(asm: Asm, _: Path) -> None:
    conn = with_file(asm, b"Range: bytes=0-9,500-509,900-")
    asm.call("range_apply", conn.address)
    asm.call("part_body", conn.address, 2)
    assert (900, 100) == (conn.reply["REPLY_OFFSET"], conn.reply["REPLY_LENGTH"])
