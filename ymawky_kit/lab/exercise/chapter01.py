"""Judges of chapter 01: registers, loops, memory."""

from __future__ import annotations

import random
from typing import Final

from ymawky_kit.lab.exercise.grading import EDGES, Judge, trial
from ymawky_kit.view.core import count


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _larger(name: str) -> str:
    chance = random.Random(1)
    pairs = [(a, b) for a in EDGES for b in EDGES]
    pairs += [(chance.getrandbits(64), chance.getrandbits(64)) for _ in range(200)]
    with trial(name) as hand:
        for a, b in pairs:
            expected = max(a, b)

            def guess(got: int, a: int = a, b: int = b) -> str:
                if got == max(a, b, key=_signed):
                    return ("it compares as signed numbers (gt, ge, lt, le); "
                            "hs, hi, lo and ls compare unsigned ones")
                return "it gives the smaller one" if got == min(a, b) else ""

            hand.expect(expected, a, b, guess=guess)
        return f"{count(hand.asked, 'pair')} of numbers, all registers kept."


def _string_length(name: str) -> str:
    chance = random.Random(2)
    texts = [b"", b"a", b"hello", b"\xff\x80\x01", b"x" * 255, b"x" * 256, b"x" * 4097]
    texts += [bytes(chance.randrange(1, 256) for _ in range(chance.randrange(64)))
              for _ in range(100)]
    with trial(name) as hand:
        for text in texts:
            def guess(got: int, text: bytes = text) -> str:
                if got == len(text) + 1:
                    return "one too many: the zero byte itself does not count"
                return "the start of the text must be taken away" if got > 1 << 32 else ""

            hand.expect(len(text), text + b"\0", guess=guess)
        return f"{count(hand.asked, 'text')} of up to 4,097 bytes, nothing read behind them."


def _count_ones(name: str) -> str:
    chance = random.Random(3)
    numbers = [*EDGES, *(chance.getrandbits(64) for _ in range(200)),
               *(1 << n for n in range(64))]
    longest = 0
    with trial(name) as hand:
        for number in numbers:
            def guess(got: int, number: int = number) -> str:
                return ("it looks at the lower 32 bits only: use x registers, not w"
                        if got == (number & 0xFFFFFFFF).bit_count() else "")

            hand.expect(number.bit_count(), number, guess=guess)
            longest = max(longest, hand.ask(number)[0].instructions)
        return f"{len(numbers)} numbers; the longest took {count(longest, 'instruction')}."


FUNCTIONS: Final[dict[str, Judge]] = {
    "larger": _larger,
    "string_length": _string_length,
    "count_ones": _count_ones,
}
