"""http/chars against the sets of the RFCs, written down a second time."""

from __future__ import annotations

from support.contract import Asm
from support.layout import constants

ALNUM = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
VISIBLE = set(range(0x21, 0x7F))
CLASSES = {
    "CHAR_TOKEN": ALNUM | set(b"!#$%&'*+-.^_`|~"),
    "CHAR_PATH": VISIBLE - set(b'"#<>?\\'),
    "CHAR_QUERY": VISIBLE - set(b'"#<>'),
    "CHAR_HOST": ALNUM | set(b"-._~!$&'()*+,;="),
    "CHAR_VALUE": {9, 32} | VISIBLE | set(range(0x80, 0x100)),
    "CHAR_PLAIN": ALNUM | set(b"-._~!$()*+,=@/"),
    "CHAR_NAME": VISIBLE - set(b'"#<>?\\%/'),
}


def test_every_byte_is_in_the_classes_it_should_be(asm: Asm) -> None:
    table = asm.peek(asm.address("char_class"), 256)
    bits = {name: bit for name, bit in constants("http.inc").items() if name.startswith("CHAR_")}
    assert set(CLASSES) == set(bits)
    for name, members in CLASSES.items():
        assert members == {code for code in range(256) if table[code] >> bits[name] & 1}, name


def test_what_is_plain_may_stand_in_a_path() -> None:
    """Else a redirect would lead to an address that the server refuses."""
    assert CLASSES["CHAR_PLAIN"] <= CLASSES["CHAR_PATH"]


def test_what_is_plain_means_nothing_to_html() -> None:
    """Links of listings stand in attributes, and in the text of pages as they are."""
    assert not CLASSES["CHAR_PLAIN"] & set(b"<>&\"'`;")
