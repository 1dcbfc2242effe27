"""Judges of chapter 09: pieces of a reply's head."""

from __future__ import annotations

import random
from typing import Final

from ymawky_kit.emu.memory import BadAddress
from ymawky_kit.lab import drive
from ymawky_kit.lab.exercise.grading import EDGES, Judge, Wrong, trial
from ymawky_kit.view.core import count
from ymawky_kit.view.registers import value


def _two_digits(name: str) -> str:
    with trial(name) as hand:
        for number in range(100):
            for room in (2, 5):         # the smallest there may be, and one with a neighbour
                result, (left,) = hand.ask(bytearray(b"." * room), number)
                told = drive.shown(name, (bytearray(room), number))
                right = b"%02d" % number + b"." * (room - 2)
                if left != right:
                    raise Wrong(f"{told} left {left!r}, not {right!r}.",
                                _digits_hint(number, left))
                end = result.before[0] + 2
                if result.value != end:
                    raise Wrong(f"{told} wrote the right bytes and gave {value(result.value)}, "
                                f"not {value(end)}.",
                                "x0 is the place behind the last byte written, as with mem_copy")
        return "0 to 99, always two bytes and none behind them."


def _digits_hint(number: int, left: bytes) -> str:
    if left[:2] == b"%02d" % number:
        return "only two bytes may be written: strb stores one, str w four"
    if left[:2] == (b"%02d" % number)[::-1]:
        return "the tens come first"
    if left[:2] == bytes([number // 10, number % 10]):
        return "a digit is not its character: add '0'"
    if left[:1] == b"%d" % number:
        return "numbers below ten need a zero in front"
    return ""


def _weekday(name: str) -> str:
    chance = random.Random(91)
    days = [3, *range(40), 19000, 2_932_896, 1 << 31, 1 << 32, (1 << 62) - 1]
    days += [chance.randrange(2_932_897) for _ in range(100)]
    days += [chance.getrandbits(62) for _ in range(50)]
    with trial(name) as hand:
        for day in days:
            right = (day + 4) % 7

            def guess(got: int, day: int = day, right: int = right) -> str:
                if day >> 32 and got == ((day & 0xFFFFFFFF) + 4) % 7:
                    return "it looks at the lower 32 bits only: use x registers, not w"
                if got == day % 7:
                    return "day 0 was no Sunday: 1 January 1970 was a Thursday, which is 4"
                if got == (right - 1) % 7 or (right == 0 and got == 7):
                    return "Sunday is 0, Monday 1 and Saturday 6"
                if got == (day + 4) // 7:
                    return "that is the number of weeks; msub gives what is left over"
                return ""

            hand.expect(right, day, guess=guess)
        return f"{count(hand.asked, 'day')}, from 1970 to far behind the year 9999."


def _length_field(name: str) -> str:
    chance = random.Random(92)
    numbers = [0, 9, 10, 1024, 10_485_760, *EDGES]
    numbers += [chance.getrandbits(chance.randrange(65)) for _ in range(100)]
    with trial(name) as hand:
        for number in numbers:
            right = b"Content-Length: %d\r\n" % number
            try:
                result, (left,) = hand.ask(bytearray(len(right)), number)
            except Wrong as wrong:
                if "unmapped" not in str(wrong):
                    raise
                raise Wrong(str(wrong), f"there is room for exactly {right!r}; did it write "
                            "more, or lose its cursor over a call?") from None
            told = drive.shown(name, (bytearray(len(right)), number))
            if left != right:
                raise Wrong(f"{told} left {left!r}, not {right!r}.", _line_hint(left, right))
            end = result.before[0] + len(right)
            if result.value != end:
                raise Wrong(f"{told} wrote the right line and gave {value(result.value)}, "
                            f"not {value(end)}.",
                            "x0 is the place behind the last byte written, as with mem_copy")
        return f"{count(hand.asked, 'number')} of up to 20 digits, not a byte too many."


def _line_hint(left: bytes, right: bytes) -> str:
    if not any(left):
        return "nothing was written"
    if left.rstrip(b"\0") == right[:-2]:
        return "the end of the line is missing: CR, then LF"
    if left.rstrip(b"\0") == right[:-2] + b"\n":
        return "a line ends with two bytes, CR and LF"
    if left.endswith(b"\n\r"):
        return "CR comes first"
    if left.startswith(b"Content-Length: "):
        return "u64_format gives the digits in x1 and x2, just where mem_copy wants them"
    return ""


_TYPES: Final = {b"html": b"text/html", b"css": b"text/css", b"png": b"image/png"}
_OTHER: Final = b"application/octet-stream"
_LONGEST: Final = 100


def _type_of(name: bytes) -> bytes:
    dot = name.rfind(b".")
    return _TYPES.get(name[dot + 1:].lower(), _OTHER) if dot > 0 else _OTHER


def _type_find(name: str) -> str:
    chance = random.Random(93)
    names = [b"index.html", b"style.css", b"bits.png", b"README", b"", b"a.txt", b"A.HTML",
             b"a.Css", b"html", b".html", b".css", b"a.b.png", b"a.png.b", b"a.", b"a.htm",
             b"a.htmlx", b"a.html.", b"a.pngpngpngpng", b"a.css~", b"\xff.png", b"a.\xe3ss"]
    names += [bytes(chance.choices(b"ab.", k=chance.randrange(6))) + b"." * chance.randrange(2)
              + chance.choice([*_TYPES, b"js", b"htm", b"pn"]) for _ in range(60)]
    names += [bytes(chance.choices(b"htmlcspngHPC.", k=chance.randrange(9))) for _ in range(100)]
    with trial(name) as hand:
        for file in names:
            result, (left, *_) = hand.ask(file + b"?" * 8, len(file))
            told = f"{name}({file!r}, {len(file)})"
            if left != file + b"?" * 8:
                raise Wrong(f"{told} changed the name.", "it should only look: no store")
            right, size = _type_of(file), result.after[1]
            if size > _LONGEST:
                raise Wrong(f"{told} gave a length of {value(size)}.",
                            "x0 is where the type begins, x1 how many bytes it has")
            try:
                got = hand.machine.memory.peek(result.value, size)
            except BadAddress:
                raise Wrong(f"{told}: at x0 = {value(result.value)} there is no memory.",
                            "x0 is where the type begins, x1 how many bytes it has") from None
            if got != right:
                raise Wrong(f"{told} gave {got!r}, not {right!r}.", _type_hint(file, got, right))
        return f"{count(hand.asked, 'name')}, in any case, with dots in all places."


def _type_hint(file: bytes, got: bytes, right: bytes) -> str:
    if got.startswith(right) or (right.startswith(got) and got):
        return "the type is right, its length is not"
    if right != _OTHER and file != file.lower():
        return "upper-case letters are meant as well"
    if right == _OTHER and file.rfind(b".") == 0:
        return "a name that begins with its only dot has no extension"
    if right == _OTHER and got in _TYPES.values():
        return "the whole extension must be the same, and only that of the last dot counts"
    return ""


FUNCTIONS: Final[dict[str, Judge]] = {
    "two_digits": _two_digits,
    "weekday": _weekday,
    "length_field": _length_field,
    "type_find": _type_find,
}
