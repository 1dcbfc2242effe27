"""http/escape: no name breaks out of its place, and every name is read back."""

from __future__ import annotations

import html
from html.parser import HTMLParser
from urllib.parse import unquote_to_bytes, urljoin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.contract import Asm

PROGRAM = "listings"
#: Anything a file system may hold: bytes but for NUL and the slash.
NAMES = st.binary(min_size=1, max_size=60).map(
    lambda name: name.replace(b"\0", b"&").replace(b"/", b"\n")
) | st.text("<>\"'&;#ab%:?\\\u00e9\u202e\U0001f600 ", min_size=1, max_size=30).map(str.encode)
BREAKERS = [
    b"<script>alert(1)<script>", b'"><img src=x onerror=alert(1)>', b"' onmouseover='x",
    b"&lt;b&gt;", b"&amp", b"&copy", b"]]>", b"<!--", b"--><table>", b"javascript:alert(1)",
    b"a\nb", b"a\r\n\r\nb", b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"gr\xc3\xbc\xc3\x9fe",
    b"\xf0\x9f\x98\x80", b"\xe2\x80\xaetxt.exe", b"100%", b"%2e%2e", b"a?b#c", b"C:\\x", b"a b",
    b"\x7f", b"\x1b[31m", b"{{7*7}}", b"`x`",
]
NAMES_AND_BREAKERS = NAMES | st.sampled_from(BREAKERS)


def link(asm: Asm, name: bytes) -> bytes:
    at = asm.alloc(3 * len(name) + 1)
    return asm.peek(at, asm.call("path_encode", at, asm.text(name)).value - at)


def text(asm: Asm, name: bytes) -> tuple[bytes, bool]:
    at = asm.alloc(5 * len(name) + 1)
    done = asm.call("html_write", at, asm.text(name))
    return asm.peek(at, done.value - at), done.carry


def decoded(name: bytes) -> str:
    """What a page shows for bytes: one U+FFFD for each byte that is no part of a character."""
    shown, rest = "", name
    while rest:
        for size in range(1, 5):
            try:
                one = rest[:size].decode()
            except UnicodeDecodeError:
                continue
            if one < " " or "\x7f" <= one < "\xa0":
                one = "\ufffd" * len(one.encode())
            break
        else:
            one, size = "\ufffd", 1
        shown += one
        rest = rest[size:]
    return shown


@given(NAMES_AND_BREAKERS)
@example(bytes(n for n in range(1, 256) if n != 47))
def test_a_link_leads_to_the_name_and_nowhere_else(asm: Asm, name: bytes) -> None:
    asm.reset()
    found = link(asm, name)
    allowed = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                  b"-._~!$()*+,=@%")
    assert set(found) <= allowed        # nothing of HTML, no colon, no query, no fragment
    assert name == unquote_to_bytes(found)
    if name not in (b".", b".."):
        joined = urljoin("http://host/a/b/", html.unescape(found.decode()))
        assert b"http://host/a/b/" + name == unquote_to_bytes(joined)


@given(NAMES_AND_BREAKERS)
@example(bytes(n for n in range(1, 256) if n != 47))
def test_text_shows_the_name_and_is_nothing_else(asm: Asm, name: bytes) -> None:
    asm.reset()
    found, strange = text(asm, name)
    assert not set(found) & set(b"<>\"'")
    assert decoded(name) == html.unescape(found.decode())
    assert strange == any(byte < 32 or byte == 127 for byte in name)


class Page(HTMLParser):
    """The links of a page, and the text in them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[tuple[str, str]] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert ["href"] == [name for name, _ in attributes]
        self.seen.append((attributes[0][1] or "", ""))

    def handle_data(self, data: str) -> None:
        self.seen[-1] = (self.seen[-1][0], self.seen[-1][1] + data)


@given(NAMES_AND_BREAKERS)
def test_a_parser_of_html_sees_one_link_with_one_text(asm: Asm, name: bytes) -> None:
    asm.reset()
    page = Page()
    page.feed(f'<a href="{link(asm, name).decode()}">{text(asm, name)[0].decode()}</a>')
    page.close()
    assert ["a"] == page.tags
    assert [(link(asm, name).decode(), decoded(name))] == page.seen


@given(NAMES_AND_BREAKERS)
def test_a_plain_name_is_one_that_both_leave_alone(asm: Asm, name: bytes) -> None:
    asm.reset()
    done = asm.call("name_plain", at := asm.text(name))
    if not done.carry:
        assert at + len(name) + 1 == done.value
    assert done.carry == (name != link(asm, name) or name != text(asm, name)[0])


@given(st.binary(min_size=1, max_size=40))
def test_text_is_always_utf_8_and_never_cut(asm: Asm, name: bytes) -> None:
    """Python's decoder is the judge of what UTF-8 is."""
    asm.reset()
    name = name.replace(b"\0", b"\x80")
    assert decoded(name) == html.unescape(text(asm, name)[0].decode("utf-8", "strict"))


@pytest.mark.parametrize("point", [
    0xA0, 0x7FF, 0x800, 0xFFF, 0x1000, 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x3FFFF, 0x40000,
    0xFFFFF, 0x100000, 0x10FFFF,
])
def test_characters_at_the_edges_are_characters(asm: Asm, point: int) -> None:
    name = chr(point).encode()
    assert (name, False) == text(asm, name)
    assert len(name) == asm.call("utf8_length", 0, asm.text(name))["x2"]
    for cut in range(1, len(name)):
        assert "\ufffd" * cut == text(asm, name[:cut])[0].decode()


@pytest.mark.parametrize("bad", [
    "80", "bf", "c080", "c1bf", "c280", "c29f", "e09fbf", "eda080", "edbfbf", "f08fbfbf",
    "f4908080", "f5808080", "f8888080", "ff", "e28228", "f09f98", "c2c2",
])
def test_what_is_no_character_is_marked_byte_by_byte(asm: Asm, bad: str) -> None:
    name = bytes.fromhex(bad)
    shown = text(asm, name)[0].decode()
    assert decoded(name) == html.unescape(shown)
    assert shown.startswith("\ufffd")


def test_the_table_says_what_text_needs(asm: Asm) -> None:
    """Against the sets written down a second time; bits 0 to 2 are TEXT, CONTROL and HIGH."""
    table = asm.peek(asm.address("escape_class"), 256)
    for byte in range(256):
        control = byte < 32 or byte == 127
        high = byte >= 128
        text = control or high or byte in b"<>&\"'"
        assert text | control << 1 | high << 2 == table[byte], byte
