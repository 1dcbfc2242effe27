"""Judges of chapter 12: hexadecimal digits, names in order, two runs, and chunks put together."""

from __future__ import annotations

import random
from heapq import merge
from struct import pack
from typing import Final

from ymawky_kit.darwin import errno
from ymawky_kit.emu.machine import CallResult
from ymawky_kit.lab import drive
from ymawky_kit.lab.exercise.grading import CARRY_LAST, EDGES, Hand, Judge, Wrong, outcome, trial
from ymawky_kit.view.core import count
from ymawky_kit.view.registers import value

_EMPTY: Final = 0xEE


def _hex_write(name: str) -> str:
    chance = random.Random(121)
    numbers = [0x1A, 9, 10, 15, 16, 0x100, 0xABCDEF0123456789, *EDGES]
    numbers += [chance.getrandbits(chance.randrange(1, 65)) for _ in range(200)]
    with trial(name) as hand:
        for number in numbers:
            expected = b"%x" % number
            room = bytes([_EMPTY]) * len(expected)
            shown = drive.shown(name, (bytearray(room), number))
            try:
                result, (made,) = hand.ask(room, number)
            except Wrong as wrong:
                if "did not return" in str(wrong):
                    wrong.hint = (f"{hex(number)} needs {count(len(expected), 'byte')}, and there "
                                  "is room for no more; or: " + wrong.hint)
                raise
            if made != expected:
                raise Wrong(f"{shown} left {made!r}, not {expected!r}.",
                            _digits_hint(number, made, expected, room))
            moved = result.value - _start(result)
            if moved != len(expected):
                left = f"has moved by {moved}" if abs(moved) < 100 else f"= {value(result.value)}"
                raise Wrong(f"{shown} wrote {expected!r}, but x0 {left}; it should have moved by "
                            f"{len(expected)}.", "x0 is the place behind the last digit")
        return f"{len(numbers)} numbers, each in a buffer without a byte to spare."


def _start(result: CallResult) -> int:
    """What x0 was before the call."""
    return int(result.before[0])


def _digits_hint(number: int, made: bytes, expected: bytes, room: bytes) -> str:
    if made == room:
        return "0 has one digit" if expected == b"0" else "nothing was written"
    if made == b"%d" % number:
        return "these are decimal digits: a hexadecimal one is four bits, or what % 16 leaves"
    if made == expected.upper():
        return "small letters: 'a', not 'A'"
    if made == expected[::-1]:
        return "the highest digit comes first; dividing by 16 gives the lowest one first"
    if set(made) & set(b":;<=>?@"):
        return "behind the 9 in ASCII stands a colon; ten is 'a'"
    if bytes([_EMPTY]) in made:
        return "how many digits does the number have?"
    if set(made) & set(b"bcdefghijklmnop") and len(made) == len(expected):
        return "ten is 'a': 'a' - 10 + 10"
    return ""


def _name_order(name: str) -> str:
    chance = random.Random(122)
    pairs = [(b"a", b"b"), (b"b", b"a"), (b"a", b"a"), (b"", b""), (b"", b"a"), (b"a", b""),
             (b"apple", b"Zebra"), (b"Zebra", b"apple"), (b"README", b"readme"), (b"ab", b"abc"),
             (b"abc", b"AB"), (b"[", b"{"), (b"@", b"`"), (b"Z", b"_"), (b"z", b"_"), (b"Z", b"["),
             (b"a", b"\xc3\xbc"), (b"\xff", b"a"), (b" ", b""), (b"A\x01", b"a"),
             (b"x" * 40 + b"A", b"X" * 40 + b"b")]
    for _ in range(250):
        first = bytes(chance.choices(b"abzAZ_[{@`\x7f\xff ", k=chance.randrange(6)))
        other = bytes(chance.choice([one, one ^ 0x20 if bytes([one]).isalpha() else one])
                      for one in first)
        if chance.randrange(2):
            at = chance.randrange(len(other) + 1)
            other = other[:at] + bytes(chance.choices(b"aAzZ_[", k=chance.randrange(3)))
        pairs.append((first, other))
    with trial(name) as hand:
        for first, other in pairs:
            left, right = first.lower(), other.lower()
            expected = 0 if left == right else 1 if left < right else 2
            try:
                result, kept = hand.ask(first + b"\0", other + b"\0")
            except Wrong as wrong:
                if "did not return" in str(wrong):
                    wrong.hint = ("the NUL ends a name, and nothing behind it may be read; or: "
                                  + wrong.hint)
                raise
            if result.value != expected:
                raise Wrong(f"{drive.shown(name, (first, other))} gave {value(result.value)}, "
                            f"not {expected}.", _order_hint(first, other, expected, result.value))
            if kept != [first + b"\0", other + b"\0"]:
                raise Wrong(f"{drive.shown(name, (first, other))}: right, but a name was changed.",
                            "make letters small in a register, not in memory")
        return f"{count(hand.asked, 'pair')} of names, as Python sorts them."


def _order_hint(first: bytes, other: bytes, expected: int, got: int) -> str:
    low, high = first.lower(), other.lower()
    if got > 2:
        return "0, 1 or 2, and in x0"
    if expected and (low.startswith(high) or high.startswith(low)):
        return "one name is the beginning of the other: its NUL is smaller than any letter"
    if got and got == 3 - expected and sorted([first, other]) == [first, other] == [low, high] \
            and max(first + other + b"\0") < 128:
        return "1 says that the first name comes first"
    if got == 0 and low != high and _bit_set(low) != _bit_set(high):
        return f"{expected} says that the {'first' if expected == 1 else 'second'} name comes first"
    if got == 0:
        return ("only A to Z have a small sister; other bytes that differ in the bit 0x20 are "
                "different")
    if expected == 0:
        return "A and a are the same here"
    if max(first + other) > 127:
        return "bytes are unsigned: 0xff is the highest, not -1"
    if set(first + other) & set(b"[\\]^_`{|}~@"):
        return "letters are compared as small ones, and all other bytes go by their number"
    return "A and a are the same here"


def _bit_set(name: bytes) -> bytes:
    return bytes(one | 0x20 for one in name)


def _row_bytes(rows: list[tuple[int, int]]) -> bytes:
    return b"".join(pack("<QQ", *row) for row in rows)


def _runs_merge(name: str) -> str:
    chance = random.Random(123)
    top = (1 << 64) - 1
    keys: list[tuple[list[int], list[int]]] = [
        ([1], [2]), ([2], [1]), ([1, 3], [2, 4]), ([], []), ([5], []), ([], [5]), ([1, 2], [3, 4]),
        ([3, 4], [1, 2]), ([7], [7]), ([7, 7], [7]), ([1, 1, 2], [1, 2, 2]), ([0, top], [1 << 63]),
        ([1 << 63], [0, top])]
    for _ in range(200):
        size = chance.choice([1, 3, 8, 64])
        few = chance.choice([range(5), range(1 << 20), [0, 1, 1 << 62, 1 << 63, top]])
        keys.append((sorted(chance.choices(few, k=chance.randrange(size + 1))),
                     sorted(chance.choices(few, k=chance.randrange(size + 1)))))
    with trial(name) as hand:
        for left, right in keys:
            _merged(hand, [(key, 1000 + n) for n, key in enumerate(left)],
                    [(key, 2000 + n) for n, key in enumerate(right)])
        return f"{count(hand.asked, 'pair')} of runs, with nothing to spare on any side."


def _merged(hand: Hand, left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    expected = sorted(left + right, key=lambda row: row[0])
    room = bytes([_EMPTY]) * (16 * len(expected))
    shown = f"keys {[key for key, _ in left][:6]} and {[key for key, _ in right][:6]}"
    try:
        result, (one, other, made) = hand.ask(_row_bytes(left), len(left), _row_bytes(right),
                                              len(right), room)
    except Wrong as wrong:
        if "did not return" in str(wrong):
            wrong.hint = (("one of the runs is empty: ask before you load; or: "
                           if not left or not right else
                           "is a run used up? ask after each row; or: ") + wrong.hint)
        raise
    if (one, other) != (_row_bytes(left), _row_bytes(right)):
        raise Wrong(f"{shown}: a run was changed.", "write to the place in x4 only")
    if made != _row_bytes(expected):
        raise Wrong(f"{shown}: what was written is not in order, or not all of it.",
                    _merge_hint(made, left, right, room))
    if result.value != len(expected):
        raise Wrong(f"{shown}: right, but x0 = {value(result.value)}, not {len(expected)}.",
                    "the number of rows, not of bytes" if result.value == 16 * len(expected) else
                    "that is an address: take the place away, and divide by 16"
                    if result.value > 1 << 32 else "how many rows are there in all?")


def _merge_hint(made: bytes, left: list[tuple[int, int]], right: list[tuple[int, int]],
                room: bytes) -> str:
    if made == room:
        return "nothing was written"
    if made == _row_bytes(sorted(right + left, key=lambda row: row[0])):
        return "of rows with the same key, those of the first run come first"
    if made[-16:] == room[-16:]:
        return "when one run is used up, the rest of the other one follows"
    if made == _row_bytes(list(merge(left, right, key=lambda row: row[0] & 0xFFFFFFFF))):
        return "a key has 64 bits: compare x registers, not w"
    signed = sorted(left + right, key=lambda row: row[0] - ((row[0] >> 63) << 64))
    if made[:16] == _row_bytes(signed)[:16]:
        return "keys are unsigned: hi and lo, not gt and lt"
    if sorted(made[n:n + 16] for n in range(0, len(made), 16)) != sorted(
            _row_bytes([row]) for row in left + right):
        return "every row is 16 bytes, its key and what belongs to it, and is there once"
    return "all rows are there, but not in order: compare the two in front anew for each row"


def joined(body: bytes) -> tuple[int, bytes]:
    """The model: -1 and the contents, or what x0 must be with C set."""
    text = b""
    while True:
        digits = 0
        while digits < len(body) and digits < 9 and body[digits] in b"0123456789abcdefABCDEF":
            digits += 1
        if digits > 8:
            return errno.EINVAL, b""
        rest = body[digits:]
        if not rest:
            return 0, b""
        if not digits:
            return errno.EINVAL, b""
        if not rest.startswith(b"\r\n"):
            return (0 if rest == b"\r" else errno.EINVAL), b""
        size = int(body[:digits], 16)
        rest = rest[2:]
        if len(rest) < size:
            return 0, b""
        text, rest = text + rest[:size], rest[size:]
        if not rest.startswith(b"\r\n"):
            return (0 if rest in (b"", b"\r") else errno.EINVAL), b""
        body = rest[2:]
        if not size:
            return -1, text


def _chunks_join(name: str) -> str:
    chance = random.Random(124)
    whole = b"5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n"
    bodies = [whole, b"0\r\n\r\n", b"1A\r\n" + b"x" * 26 + b"\r\n0\r\n\r\n",
              b"9\r\nninebytes\r\nf\r\nfifteen letters\r\n0\r\n\r\n",
              whole + b"HTTP/1.1 200", b"00000005\r\nhello\r\n000\r\n\r\n"]
    bodies += [whole[:size] for size in range(len(whole))]
    bodies += [b"\r\n\r\n", b"g\r\n", b"5\rx", b"5 \r\n", b"5\nhello", b"5\r\nhelloX\n",
               b"5\r\nhello\rX", b"000000005\r\nhello\r\n0\r\n\r\n", b"0\r\nX", b"0\r\n\rX",
               b"ffffffff\r\nabc", b"8000000\r\nx", b"@\r\n", b"G\r\n", b"/\r\n", b":\r\n",
               b"`\r\n", b"-1\r\n"]
    for _ in range(150):
        chunks = [b"%b\r\n%b\r\n" % (
            chance.choice([b"%x", b"%X", b"0%x"]) % size, chance.randbytes(size))
            for size in chance.choices([1, 2, 9, 10, 15, 16, 40, 171], k=chance.randrange(4))]
        last = chance.choice([b"0\r\n\r\n", b"000\r\n\r\n", b"0\r\n"])
        made = bytearray(b"".join(chunks) + last)
        if chance.randrange(2):
            made[chance.randrange(len(made))] = chance.choice(b"\r\n0aG \xff")
        bodies.append(bytes(made))
    with trial(name) as hand:
        for body in bodies:
            _join(hand, body)
        return f"{count(hand.asked, 'body', 'bodies')}: whole, cut at every place, and broken."


def _join(hand: Hand, body: bytes) -> None:
    shown = repr(body if len(body) < 60 else body[:57] + b"...")
    try:
        result, (left, made) = hand.ask(body, len(body), bytes([_EMPTY]) * len(body))
    except Wrong as wrong:
        if "did not return" in str(wrong):
            wrong.hint = (f"this body ends after {count(len(body), 'byte')}: compare with the end "
                          "before each load, and the length with what is left; or: " + wrong.hint)
        raise
    if left != body:
        raise Wrong(f"{shown}: the body was changed.", "write to the buffer in x2 only")
    right, text = joined(body)
    complete = right < 0
    wanted = (f"C clear, x0 = {len(text)}" if complete else
              "C set, x0 = 0 (not complete)" if not right else "C set, x0 = 22 (EINVAL)")
    if (result.carry, result.value) != (not complete, len(text) if complete else right):
        raise Wrong(f"{shown}: {outcome(result)}; it should be {wanted}.",
                    _join_hint(body, right, text, result))
    if complete and made[:len(text)] != text:
        raise Wrong(f"{shown}: it wrote {made[:len(text)]!r}, not {text!r}.",
                    "only the bytes of the chunks, one chunk behind the other")


def _join_hint(body: bytes, right: int, text: bytes, result: CallResult) -> str:
    got = result.value
    if right < 0:
        if got == len(text):
            return CARRY_LAST
        if got > 1 << 32:
            return "that is an address: the start of the buffer must be taken away"
        if b"A" in body[:8] or b"B" in body[:8] or b"F" in body[:8]:
            return "digits may be capital letters, too"
        if not result.carry and got > len(text):
            return "the lengths and line ends are not part of the contents"
        if result.carry and got == 0:
            return "each chunk has a length of its own: it begins at 0, and 1a is 26"
        if got == errno.EINVAL:
            return ("0 to 9 and a to f are digits, up to eight for each chunk; CR LF stands behind "
                    "them, and once more behind the bytes")
        return ""
    if not right:
        if not result.carry:
            return ("it is not complete before the last chunk and the CR LF behind it have come; "
                    "the end of the bytes is not the end of the body")
        if got == errno.EINVAL:
            return "so far nothing is wrong: more bytes may come, and then it is fine"
        return CARRY_LAST if got == 0 else "0 in x0 says that more bytes must come"
    if not result.carry or got == 0:
        if body[:1] not in b"0123456789abcdefABCDEF":
            return "a chunk begins with at least one digit, and only 0 to 9, a to f, A to F are"
        if body.startswith(b"000000005"):
            return "no more than eight digits"
        return "CR LF must stand behind the digits, and behind the bytes of every chunk"
    return "what x0 must be is the number EINVAL"


FUNCTIONS: Final[dict[str, Judge]] = {
    "hex_write": _hex_write,
    "name_order": _name_order,
    "runs_merge": _runs_merge,
    "chunks_join": _chunks_join,
}
