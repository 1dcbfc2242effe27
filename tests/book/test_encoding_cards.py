"""Encoding cards against Capstone: every operand a card names is the one Capstone names."""

from __future__ import annotations

import random
import re

import pytest
from capstone import CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, Cs

from ymawky_kit import chapters
from ymawky_kit.source import KitError
from ymawky_kit.view.encoding import FORMATS, EncodingCard, Format, bitmask

ENGINE = Cs(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN)
#: Registers that Capstone leaves out because an alias implies them (mov, cmp, ret, …).
SILENT = {"xzr", "wzr", "x30"}
REGISTER = re.compile(r"\b(?:[xw](?:[12]?\d|30|zr)|w?sp)\b")
#: Vector registers, prefetches: the book uses none of them.
BEYOND = re.compile(r"\b[bhsdqv]\d+\b|prf")


def capstone(word: int) -> str | None:
    for found in ENGINE.disasm(word.to_bytes(4, "little"), 0):
        return f"{found.mnemonic} {found.op_str}".strip()
    return None


def words_of(form: Format, how_many: int = 150) -> list[int]:
    """Random words of a format that Capstone takes for instructions, the same every time."""
    chance = random.Random(form.title)
    found: list[int] = []
    for _ in range(how_many * 40):
        word = 0
        for _, width, fixed in form.parts():
            word = word << width | (fixed if fixed is not None else chance.getrandbits(width))
        first = next(f for f in FORMATS if f.matches(word))
        if first is form and capstone(word) is not None:
            found.append(word)
        if len(found) == how_many:
            break
    return found


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.title)
def test_a_format_has_32_bits_and_gives_back_the_word(form: Format) -> None:
    assert 32 == sum(width for _, width, _ in form.parts())
    for word in words_of(form, 20):
        rebuilt = 0
        for field in form.fields(word):
            rebuilt = rebuilt << field.width | field.value
        assert word == rebuilt


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.title)
def test_the_registers_of_a_card_are_capstones(form: Format) -> None:
    words = words_of(form)
    assert words, "no word of this format was tried"
    for word in words:
        text = capstone(word)
        assert text is not None
        if BEYOND.search(text):
            continue
        card = EncodingCard(word, text)
        if "another operation" in card.text():
            continue
        said = {name for f in card.fields for name in REGISTER.findall(f.meaning)
                if not f.meaning.startswith(("64-bit", "32-bit"))}
        shown = set(REGISTER.findall(text.split(" ", 1)[1] if " " in text else ""))
        assert shown <= said, (text, said)
        wide = {name.replace("w", "x") for name in shown}
        extra = {n for n in said - shown - SILENT if n.replace("w", "x") not in wide}
        assert not extra, (text, said)


def numbers(text: str) -> set[int]:
    return {int(n, 0) for n in re.findall(r"#(-?(?:0x[0-9a-f]+|\d+))", text)}


@pytest.mark.parametrize(("title", "field", "pattern"), [
    ("move wide (a number into a register)", "imm16", r"number (\d+)"),
    ("add or subtract a number", "imm12", r"number (\d+)"),
    ("load or store, number of units away", "imm12", r"= (\d+)"),
    ("load or store, bytes away", "imm9", r"distance (-?\d+)"),
    ("load or store two", "imm7", r"= (-?\d+)"),
    ("branch on flags", "imm19", r": (-?\d+) bytes"),
    ("branch if a register is zero", "imm19", r": (-?\d+) bytes"),
    ("branch", "imm26", r": (-?\d+) bytes"),
    ("exception", "imm16", r"number (0x[0-9a-f]+)"),
    ("conditional compare", "nzcv", r"\((\d+)\)"),
])
def test_the_numbers_of_a_card_are_capstones(title: str, field: str, pattern: str) -> None:
    form = next(f for f in FORMATS if f.title == title)
    tried = 0
    for word in words_of(form):
        text = capstone(word)
        assert text is not None
        if BEYOND.search(text):
            continue
        card = EncodingCard(word, text)
        found = re.search(pattern, next(f.meaning for f in card.fields if f.name == field))
        if found is None or text.startswith(("mov ", "prf")):
            continue        # mov prints the shifted or inverted number
        value = int(found[1], 0)
        known = {n & 0xFFFFFFFFFFFFFFFF for n in numbers(text)}
        if not known and value == 0:
            continue        # [x0] is [x0, #0]
        assert value & 0xFFFFFFFFFFFFFFFF in known, (text, value)
        tried += 1
    assert tried > 5


def test_the_mask_of_a_logical_immediate_is_capstones() -> None:
    form = next(f for f in FORMATS if f.title == "logic with a mask")
    for word in words_of(form, 300):
        text = capstone(word)
        assert text is not None
        mask = bitmask(word >> 22 & 1, word >> 10 & 63, word >> 16 & 63, 64 if word >> 31 else 32)
        assert mask is not None
        limit = (1 << (64 if word >> 31 else 32)) - 1
        assert mask in {n & limit for n in numbers(text)}, text


def test_every_instruction_of_every_program_has_a_card() -> None:
    seen: set[int] = set()
    for name in chapters.load():
        built = chapters.build(name)
        for segment in built.image.segments:
            for section in segment.sections:
                if section.name == "__text":
                    data = section.data
                    seen |= {int.from_bytes(data[n:n + 4], "little")
                             for n in range(0, len(data), 4)}
    for word in sorted(seen):
        EncodingCard(word, capstone(word) or "")
    assert len(seen) > 30


def test_a_word_that_is_no_instruction_is_refused_with_a_hint() -> None:
    with pytest.raises(KitError, match="no encoding card for 0x00000000"):
        EncodingCard(0, "udf #0")
