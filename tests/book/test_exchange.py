"""The byte view of a request and its reply: every byte, at its place, and nothing that varies."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ymawky_kit.view.exchange import Exchange, varying

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def reply(date: bytes) -> bytes:
    return (b"HTTP/1.1 200 OK\r\nDate: " + date + b"\r\nContent-Length: 3\r\nLast-Modified: " + date
            + b"\r\n\r\nDate: no field\n\xff\0")


def rows(text: str) -> list[tuple[int, str, str]]:
    """Offset, hexadecimal and text of each row."""
    found = re.findall(r"^ +(\d+)  ((?:[0-9a-f·]{2} ?)+?)(?:  +(.*))?$", text, re.MULTILINE)
    return [(int(at), pairs.strip(), seen) for at, pairs, seen in found]


@given(st.binary(max_size=200))
def test_every_byte_of_a_request_stands_at_its_offset(data: bytes) -> None:
    text = Exchange(data, b"").bytes().text()
    at = 0
    for offset, pairs, _ in rows(text):
        assert at == offset
        piece = bytes.fromhex(pairs)
        assert data[at:at + len(piece)] == piece
        assert b"\n" not in piece[:-1], "a row ends where a line ends"
        at += len(piece)
    assert len(data) == at


def test_two_days_look_the_same() -> None:
    one = Exchange(REQUEST, reply(b"Sat, 21 Nov 2026 14:00:00 GMT")).bytes()
    other = Exchange(REQUEST, reply(b"Sun, 01 Jan 2027 00:59:59 GMT")).bytes()
    assert one.text() == other.text()
    assert one.html() == other.html()
    assert "2026" not in one.text()
    assert "32 30 32 36" not in one.text()
    hexadecimal = [pair for _, pairs, _ in rows(one.text()) for pair in pairs.split()]
    assert 2 * 29 == hexadecimal.count("··"), "as wide as what it hides"
    assert 2 * 29 == sum(seen.count("·") for _, _, seen in rows(one.text()))


def test_only_fields_of_the_head_are_masked() -> None:
    data = reply(b"x")
    masked = [data[part.start:part.stop] for part in varying(data)]
    assert [b"x", b"x"] == masked
    assert "Date: no field\\n" in Exchange(REQUEST, data).bytes().text()


def test_the_digits_of_a_tag_are_masked_wherever_they_stand() -> None:
    def exchange(digits: bytes, date: bytes) -> Exchange:
        asked = (b'If-Range: "' + digits + b'"\r\nIf-Modified-Since: ' + date + b"\r\n\r\n")
        return Exchange(REQUEST[:-2] + asked, (
            b'HTTP/1.1 206 Partial Content\r\nETag: "' + digits + b'"\r\nContent-Type: '
            b"multipart/byteranges; boundary=" + digits + b"\r\n\r\n\r\n--" + digits + b"--\r\n"))

    one = exchange(b"0123456789abcdef" * 3, b"Sat, 21 Nov 2026 14:00:00 GMT")
    other = exchange(b"fedcba9876543210" * 3, b"Sun, 01 Jan 2027 00:59:59 GMT")
    assert one.text() == other.text()
    assert one.html() == other.html()
    assert one.bytes(2000).text() == other.bytes(2000).text()
    assert 3 == one.text().count("(48 digits)")
    assert "\r" not in one.html(), "a page holds no CR"
    assert "0" * 49 in Exchange(REQUEST, b"HTTP/1.1 200 OK\r\n\r\n" + b"0" * 49).text()


def test_what_is_left_out_is_counted() -> None:
    shown = Exchange(REQUEST, b"x" * 1000).bytes(limit=40)
    assert "  … 960 more bytes" in shown.text().splitlines()
    assert "… 960 more bytes" in shown.html()
    assert 40 == sum(len(pairs.split()) for _, pairs, seen in rows(shown.text()) if "xx" in seen)
    assert "more byte" not in Exchange(REQUEST, b"x" * 40).bytes(limit=40).text()
    assert "tomorrow" not in shown.text(), "nothing is masked, so nothing is explained"


def test_line_ends_are_seen_and_markup_is_not_obeyed() -> None:
    shown = Exchange(REQUEST, b"HTTP/1.1 200 OK\r\n\r\n<b>&\t\x7f").bytes()
    assert [r"GET / HTTP/1.1\r\n", r"Host: a\r\n", r"\r\n"] == [
        seen for _, _, seen in rows(shown.text())][:3]
    assert "<b>&\\t." in shown.text()
    assert "&lt;b&gt;&amp;\\t." in shown.html()
