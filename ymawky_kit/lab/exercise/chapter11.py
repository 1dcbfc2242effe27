"""Judges of chapter 11: the length of a part, a gap, two tags, and the client's side."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import partial
from struct import pack, unpack
from typing import Final

from ymawky_kit.lab.exercise.grading import CARRY_LAST, EDGES, Hand, Judge, Wrong, outcome, trial
from ymawky_kit.view.core import count
from ymawky_kit.view.registers import value

_LARGEST: Final = 2**64 - 1
_SIZE_MAX: Final = 2**63 - 1


def _part_length(name: str) -> str:
    chance = random.Random(111)
    asked = [(0, 0, 1), (0, 499, 1000), (500, 999, 1000), (999, 999, 1000), (0, 999, 1000),
             (500, 5000, 1000), (500, 1000, 1000), (999, 1000, 1000), (1000, 1000, 1000),
             (1000, 2000, 1000), (9, 0, 1000), (1, 0, 1000), (0, 0, 0), (0, 9, 0),
             (5, 2**63, 1000), (0, _LARGEST, 1000), (5, _LARGEST - 1, 1000), (0, _LARGEST, 0),
             (_LARGEST, _LARGEST, 1000), (_LARGEST, 0, 1000), (2**63, 5, 1000),
             (0, _LARGEST, _SIZE_MAX), (0, 2**32, _SIZE_MAX), (2**32 + 1, 2**33, 2**33),
             (5, 2**32 + 5, 2**40), (2**32, 5, 2**40)]
    asked += [(chance.randrange(1200), chance.randrange(1200), chance.randrange(1200))
              for _ in range(150)]
    asked += [(chance.choice(EDGES), chance.choice(EDGES), min(chance.choice(EDGES), _SIZE_MAX))
              for _ in range(80)]
    with trial(name) as hand:
        for first, last, size in asked:
            hand.expect(_length(first, last, size), first, last, size,
                        guess=partial(_length_hint, first, last, size))
        return f"{count(hand.asked, 'part')}, up to the largest number there is."


def _length(first: int, last: int, size: int) -> int:
    return max(min(last + 1, size) - first, 0) if first <= last else 0


def _length_hint(first: int, last: int, size: int, got: int) -> str:
    right = _length(first, last, size)
    if first > last:
        return "a range whose last byte stands in front of its first has no bytes"
    if first >= size:
        return "nothing of this range is in the file"
    if last == _LARGEST and got in (0, (0 - first) % 2**64):
        return "2^64 - 1 plus one is 0 in a register: compare before you add"
    if last >= 2**63 and got == 0:
        return "the comparisons are without a sign: hi, hs, lo, ls"
    if got == right + 1 and last >= size:
        return "at the end of the file there is no byte behind the last"
    if last >= size and got == (last + 1 - first) % 2**64:
        return "the file ends before the range does"
    if got == right - 1:
        return "the last byte belongs to the part"
    return ""


def _gap_find(name: str) -> str:
    chance = random.Random(112)
    asked: list[tuple[list[tuple[int, int]], int]] = [
        ([], 0), ([], 1), ([], 1000), ([(0, 1000)], 1000), ([(0, 500)], 1000),
        ([(500, 1000)], 1000), ([(0, 500), (500, 1000)], 1000), ([(0, 500), (501, 1000)], 1000),
        ([(0, 900), (100, 200), (300, 1000)], 1000), ([(0, 900), (100, 200)], 1000),
        ([(0, 900), (100, 200), (950, 1000)], 1000),
        ([(0, 10), (20, 30), (40, 1000)], 1000), ([(0, 2**40), (2**40 + 1, 2**62)], 2**62),
        ([(0, 1), (1, 2**32)], 2**32 + 1), ([(0, 600), (0, 100), (0, 1000)], 1000)]
    for _ in range(150):
        size = chance.randrange(1, 100)
        firsts = [chance.randrange(size) for _ in range(chance.randrange(6))]
        pairs = [(first, chance.randrange(first + 1, size + 1)) for first in firsts]
        if chance.random() < 0.5:
            pairs = [*pairs, (0, chance.randrange(1, size + 1))]
        asked.append((sorted(pairs, key=lambda pair: pair[0]), size))
    with trial(name) as hand:
        for pairs, size in asked:
            _gap(hand, pairs, size)
        return f"{count(hand.asked, 'list')}, with and without a gap."


def _gap(hand: Hand, pairs: Sequence[tuple[int, int]], size: int) -> None:
    data = b"".join(pack("<QQ", *pair) for pair in pairs)
    result, (left,) = hand.ask(data, len(pairs), size)
    shown = f"{list(pairs) if pairs else 'no pairs'} of {count(size, 'byte')}"
    if left != data:
        raise Wrong(f"{shown}: the list was changed.", "it should only look: no store")
    have = 0
    gap: tuple[int, int] | None = None
    for first, end in pairs:
        if first > have:
            gap = have, first
            break
        have = max(have, end)
    if gap is None and have < size:
        gap = have, size
    got = result.value, result.after[1]
    if gap is None:
        if not result.carry:
            raise Wrong(f"{shown}: {outcome(result)}; nothing is missing, so it should be C set.",
                        CARRY_LAST if got[0] == size else
                        "two pairs that touch have no gap between them" if got[0] == got[1]
                        else _nested(pairs, got[0]))
        return
    wanted = f"C clear, x0 = {value(gap[0])} and x1 = {value(gap[1])}"
    if result.carry:
        raise Wrong(f"{shown}: C set; it should be {wanted}.",
                    CARRY_LAST if got == gap else
                    "behind the last pair, or without any, there may be a gap up to the size"
                    if gap[1] == size else "")
    if got != gap:
        hint = _nested(pairs, got[0])
        if got[0] == gap[0]:
            hint = "x1 is where the gap ends: at the next pair, or at the end of the file"
        elif got[0] == got[1]:
            hint = "two pairs that touch have no gap between them"
        raise Wrong(f"{shown}: {outcome(result)}, x1 = {value(got[1])}; it should be {wanted}.",
                    hint)


def _nested(pairs: Sequence[tuple[int, int]], got: int) -> str:
    inner = {end for n, (_, end) in enumerate(pairs) if any(end < e for _, e in pairs[:n])}
    return ("a pair may lie within one before it: keep the larger of the two ends"
            if got in inner else "")


_TEXTS: Final = (b"1", b"2", b"", b"W/", b"12", b"a,b", b"A,b", b"W", b"/", b"\x80\xff", b"1W/",
                 b"0123456789abcdef" * 3, b"0123456789abcdef" * 2 + b"0123456789abcdeF")


def _tags_match(name: str) -> str:
    chance = random.Random(113)
    tags = [prefix + b'"' + text + b'"' for text in _TEXTS for prefix in (b"", b"W/")]
    asked = [(one, other) for one in tags[:12] for other in tags[:12]]
    asked += [(tag, tag) for tag in tags]
    asked += [(chance.choice(tags), chance.choice(tags)) for _ in range(60)]
    with trial(name) as hand:
        for one, other in asked:
            for weak in (0, 1):
                _matched(hand, one, other, weak)
        return f"{count(hand.asked, 'comparison')}, strong and weak."


def _matched(hand: Hand, one: bytes, other: bytes, weak: int) -> None:
    result, left = hand.ask(one, len(one), other, len(other), weak)
    how = "weak" if weak else "strong"
    shown = f"{one.decode('latin-1')} and {other.decode('latin-1')}, {how} comparison"
    if left != [one, other]:
        raise Wrong(f"{shown}: a tag was changed.", "it should only look: no store")
    bare = [tag.removeprefix(b"W/") for tag in (one, other)]
    marked = [tag != text for tag, text in zip((one, other), bare, strict=True)]
    match = bare[0] == bare[1] and (bool(weak) or not any(marked))
    if result.carry != match:
        return
    hint = ""
    if match:
        if any(marked):
            hint = "in the weak comparison it does not matter which of them is weak"
        elif b"W" in one:
            hint = "between the quotes W is a letter like any other"
        elif one == other:
            hint = CARRY_LAST
    elif bare[0] == bare[1]:
        hint = "in the strong comparison a weak tag is like no other, not even itself"
    elif bare[0].lower() == bare[1].lower():
        hint = "case counts"
    elif len(bare[0]) != len(bare[1]):
        hint = "they have not the same length"
    else:
        hint = "every byte counts, from the first to the last"
    raise Wrong(f"{shown}: C {'set' if result.carry else 'clear'}; it should be "
                f"C {'clear' if match else 'set'}.", hint)


_CONTENT: Final = re.compile(rb"[bB][yY][tT][eE][sS] (\d+)-(\d+)/(\d+)")


def _content_range(name: str) -> str:
    chance = random.Random(114)
    texts = [b"bytes 0-0/1", b"bytes 5-9/1000", b"bytes 0-999/1000", b"BYTES 1-2/3",
             b"Bytes 00-007/0010", b"bytes 999-999/1000",
             b"bytes 4294967296-4294967300/9223372036854775807", b"bytes 10-9/1000",
             b"bytes 5-1000/1000", b"bytes 5-2000/1000", b"bytes 1000-1000/1000", b"bytes 0-0/0",
             b"bytes */1000", b"bytes 5-9/*", b"bytes -9/1000", b"bytes 0-/1000",
             b"bytes 5-/1000", b"bytes 5-9/", b"5-9/1000", b"lines 5-9/1000", b"bytes=5-9/1000",
             b"bytes  5-9/1000", b" bytes 5-9/1000", b"bytes 5-9/1000 ", b"bytes 5-9/1000x",
             b"bytes 5 -9/1000", b"bytes 5/9-1000", b"bytes 5-9-1000", b"bytes 5.9/1000",
             b"bytes +5-9/1000", b"bytes 5-9/1000/1000",
             b"bytes 5-9/9223372036854775808", b"bytes 5-9/18446744073709551616",
             b"bytes 18446744073709551616-18446744073709551617/18446744073709551618",
             b"bytes 5-18446744073709551616/1000", b"bytes 5-18446744073709551625/1000",
             b"bytes 18446744073709551621-9/1000", b"bytes 0x5-9/1000", b"bytes a-b/c",
             b"bytes 5-9", b"bytes 5", b"bytes ", b"bytes", b"byte", b""]
    for _ in range(120):
        first, last, size = sorted(chance.randrange(2000) for _ in range(3))
        text = b"bytes %d-%d/%d" % (first, last, size + 1)
        if chance.random() < 0.4:
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice([b"", b"-", b"/", b" ", b"9", b":"]) + text[at + 1:]
        texts.append(text)
    with trial(name) as hand:
        for text in texts:
            _content(hand, text)
        return f"{count(hand.asked, 'value')} of Content-Range."


def _content(hand: Hand, text: bytes) -> None:
    room = bytearray([0xEE]) * 24
    result, (left, made) = hand.ask(text + b"\r", len(text), room)
    shown = repr(text)[1:]
    if left != text + b"\r":
        raise Wrong(f"{shown}: the text was changed.", "write to the buffer in x2 only")
    match = _CONTENT.fullmatch(text)
    right: tuple[int, int, int] | None = None
    if match is not None:
        first, last, size = map(int, match.groups())
        if first <= last < size <= _SIZE_MAX:
            right = first, last + 1, size
    if right is None:
        if not result.carry:
            raise Wrong(f"{shown}: C clear; it should be C set.", _content_hint(text, match))
        return
    if result.carry:
        raise Wrong(f"{shown}: C set; it should be C clear.", _refused_hint(text, right))
    got = unpack("<QQQ", made)
    if got != right:
        hint = ""
        if got == (right[0], right[1] - 1, right[2]):
            hint = "the second number is the byte behind the last one"
        elif made == room:
            hint = "nothing was written"
        raise Wrong(f"{shown}: the buffer holds {', '.join(map(value, got))}; it should hold "
                    f"{', '.join(map(value, right))}.", hint)


def _refused_hint(text: bytes, right: tuple[int, int, int]) -> str:
    if not text.startswith(b"bytes "):
        return "the word bytes may be in any case: text_same sees to that"
    if right[1] == right[2]:
        return "the last byte of the file may be the last of the part"
    if right[0] + 1 == right[1]:
        return "a part may be a single byte"
    return CARRY_LAST


def _content_hint(text: bytes, match: re.Match[bytes] | None) -> str:
    if match is not None:
        first, last, size = map(int, match.groups())
        if size > _SIZE_MAX:
            return "that size is not below 2^63"
        if last < first:
            return "the first byte must not be behind the last"
        if last >= size:
            return "the last byte must be in the file: lower than the size"
    if len(text) < 11:
        return "it is not even as long as bytes 0-0/1"
    if re.match(rb"(?i)bytes \d+-\d+/\d+", text):
        return "something stands behind the size"
    if re.match(rb"(?i)bytes \d+-\d+/", text):
        return "the size must be there, as a number: position_take sets C when there is no digit"
    if re.match(rb"(?i)bytes \d*[-/ ]?\d*", text) and text[:6].lower() == b"bytes ":
        return "three numbers, with - and / between them, and at least one digit in each"
    return "it begins with the word bytes and one blank"


FUNCTIONS: Final[dict[str, Judge]] = {
    "part_length": _part_length,
    "gap_find": _gap_find,
    "tags_match": _tags_match,
    "content_range": _content_range,
}
