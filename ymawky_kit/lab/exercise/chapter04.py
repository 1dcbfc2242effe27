"""Judges of chapter 04: bytes, texts, numbers."""

from __future__ import annotations

import random
from typing import Final

from ymawky_kit.emu.machine import CallResult
from ymawky_kit.lab import drive
from ymawky_kit.lab.exercise.grading import CARRY_LAST, Judge, Wrong, outcome, trial
from ymawky_kit.view.core import count
from ymawky_kit.view.registers import value


def _byte_find(name: str) -> str:
    chance = random.Random(6)
    cases = [(b"hello", 101), (b"a", 97), (b"a", 98), (b"", 0), (b"\xff\x80\0", 0),
             (b"GET / HTTP/1.1", 32), (b"x" * 300 + b"y", 121), (b"\x80", 128),
             (b"a\0b", 98), (b"\0\0", 98)]
    cases += [(chance.randbytes(chance.randrange(30)), chance.randrange(256)) for _ in range(50)]
    cases += [(bytes(chance.choices(b"ab:", k=chance.randrange(9))), 58) for _ in range(100)]
    with trial(name) as hand:
        for text, byte in cases:
            result, (left,) = hand.ask(text, len(text), byte)
            told = drive.shown(name, (text, len(text), byte))
            if left != text:
                raise Wrong(f"{told} changed the text.", "it should only look: no store")
            place = text.find(byte)
            if result.carry != (place < 0):
                raise Wrong(f"{told}: {outcome(result)}; the byte is "
                            f"{'not ' if place < 0 else ''}there, so C must be "
                            f"{'set' if place < 0 else 'clear'}.",
                            "a NUL does not end this text, its length does"
                            if place > text.find(0) >= 0 else
                            CARRY_LAST)
            if place >= 0 and result.value != place:
                hint = ""
                if result.value == text.rfind(byte):
                    hint = "that is the last one; stop at the first"
                elif result.value == place + 1:
                    hint = "one too many: the cursor has moved on when the byte is compared"
                elif result.value > 1 << 32:
                    hint = "the start of the text must be taken away"
                raise Wrong(f"{told}: {outcome(result)}; it should be C clear, x0 = {place}.",
                            hint)
        return f"{count(hand.asked, 'text')}, nothing read behind them."


def _text_put(name: str) -> str:
    chance = random.Random(7)
    huge = (1 << 64) - 1
    cases = [(8, 8, b"hello"), (5, 5, b"hello"), (0, 0, b""), (4, 4, b"hello"),
             (6, 6, b"hello"), (0, 0, b"x"), (40, 20, b"y" * 25), (40, 20, b"y" * 20),
             (300, 300, b"z" * 300)]
    cases += [(size + chance.choice((0, 8)), size, chance.randbytes(chance.randrange(40)))
              for size in (chance.randrange(40) for _ in range(100))]
    lengths = [len(text) for _, _, text in cases]
    cases += [(8, 8, b"hello"), (8, 8, b"hello")]   # a length nobody can hold: refuse unread
    lengths += [huge, 1 << 63]
    with trial(name) as hand:
        for (room, size, text), length in zip(cases, lengths, strict=True):
            before = chance.randbytes(room)
            fits = length <= size
            try:
                result, (left, kept) = hand.ask(before, size, text, length)
            except Wrong as wrong:
                if fits or "unmapped" not in str(wrong):
                    raise
                raise Wrong(str(wrong), "this text does not fit: compare length and size first, "
                            "unsigned and with all 64 bits") from None
            told = f"A text of {count(length, 'byte')}, a buffer of {count(size, 'byte')}"
            if result.carry == fits or result.value != (length if fits else 34):
                hint = ""
                if not fits and not result.carry:
                    hint = "b.hi after cmp of length and size: both are unsigned, 64 bits"
                elif fits and length == size and result.carry and result.value == 34:
                    hint = "a text that fits exactly does fit"
                elif fits and result.carry:
                    hint = "mem_copy compares as well: set C again before ret"
                elif fits and left.startswith(text):
                    hint = "mem_copy leaves the end of the copy in x0; the length was wanted"
                raise Wrong(f"{told}: {outcome(result)}; it should be C "
                            + (f"clear, x0 = {length}." if fits else "set, x0 = 34 (ERANGE)."),
                            hint)
            if left != (text + before[length:] if fits else before):
                raise Wrong(
                    f"{told}: the answer is right, the bytes in the buffer are not.",
                    "copy the text to its beginning, and nothing behind it" if fits else
                    "it does not fit, so nothing may be written: look first, copy later")
            if kept != text:
                raise Wrong(f"{told}: the text itself was changed.",
                            "mem_copy takes the target in x0 and the source in x1")
        return f"{count(hand.asked, 'text')}, and not one byte outside a buffer."


def _i64_parse(name: str) -> str:
    chance = random.Random(8)
    edge = 1 << 63
    texts = [b"0", b"7", b"-7", b"-0", b"007", b"-007", b"", b"-", b"--1", b"+1", b"-1-", b"1-",
             b" 1", b"-x", b"-/", b":"]
    texts += [str(n).encode() for n in (
        edge - 1, -edge, edge, -edge - 1, edge + 1, 2 * edge - 1, 2 * edge, 1 - 2 * edge,
        -2 * edge, 10 * edge, -10 * edge)]
    texts += [str(chance.getrandbits(chance.randrange(66)) * chance.choice((1, -1))).encode()
              for _ in range(150)]
    with trial(name) as hand:
        for text in texts:
            result, _ = hand.ask(text, len(text))
            digits = text.removeprefix(b"-")
            number = int(text) if digits.isdigit() else None
            if number is None:
                expected = (True, 22)
            else:
                fits = -edge <= number < edge
                expected = (not fits, number % (1 << 64) if fits else 34)
            if (result.carry, result.value) != expected:
                wanted = f"C {'set' if expected[0] else 'clear'}, x0 = {value(expected[1])}"
                raise Wrong(f"{drive.shown(name, (text, len(text)))}: {outcome(result)}; "
                            f"it should be {wanted}.", _signed_hint(number, result))
        return f"{count(hand.asked, 'text')}, both ends of the range among them."


def _signed_hint(number: int | None, result: CallResult) -> str:
    """What a wrong answer to i64_parse hints at; `number` is None for what is no number."""
    edge = 1 << 63
    if number is None:
        return "" if result.carry else "only one -, in front, and at least one digit behind it"
    if number == -edge and result.carry:
        return "there is one number more below zero than above it"
    if not -edge <= number < edge and not result.carry:
        return "it fits in 64 bits without a sign, not with one: compare with the limit"
    if -edge <= number < 0 and result.value == -number and not result.carry:
        return "the sign is lost: neg makes it negative"
    if -edge <= number < edge and result.carry and result.value == 34:
        return "it does fit: the value has no sign yet, so compare with b.hi, not b.gt"
    if result.carry and result.value == number % (1 << 64):
        return CARRY_LAST
    return ""


FUNCTIONS: Final[dict[str, Judge]] = {
    "byte_find": _byte_find,
    "text_put": _text_put,
    "i64_parse": _i64_parse,
}
