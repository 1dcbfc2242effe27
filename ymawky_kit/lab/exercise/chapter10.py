"""Judges of chapter 10: a table of errnos, a binary search, and text made harmless."""

from __future__ import annotations

import html
import random
from struct import pack
from typing import Final

from ymawky_kit.darwin import errno
from ymawky_kit.lab import drive
from ymawky_kit.lab.exercise.grading import CARRY_LAST, Hand, Judge, Wrong, outcome, trial
from ymawky_kit.view.core import count

_ERANGE: Final = 34
_CLIENT: Final = ("ENOENT", "ENOTDIR", "EACCES", "EPERM", "ELOOP")
_FOR_A_TIME: Final = ("EMFILE", "ENFILE", "ENOMEM", "EAGAIN")
_KINDS: Final = {getattr(errno, name): kind for names, kind in
                 ((_CLIENT, "c"), (_FOR_A_TIME, "t")) for name in names}
_ROWS_MAX: Final = 4096
_STEPS_MAX: Final = 400


def _errno_kind(name: str) -> str:
    with trial(name) as hand:
        for number in (errno.ENOENT, errno.EMFILE, *range(300)):
            expected = _KINDS.get(number, "s")
            got = hand.value(number)
            if got == ord(expected):
                continue
            word = errno.name(number) if 0 < number <= 106 else "no errno"
            given = repr(chr(got)) if 32 < got < 127 else str(got)
            hint = ""
            if got == ord(expected.upper()):
                hint = "small letters"
            elif 255 < got:
                hint = "a letter is one byte: ldrh loads what .short has put there"
            elif number == 0 or number > 106:
                hint = "whatever is in no row belongs to the server"
            elif expected == "s" and got in b"ct":
                hint = "only the errnos of the text; everything else is 's'"
            elif expected in "ct":
                hint = f"{word} is one of those that the text names"
            raise Wrong(f"{drive.shown(name, (number,))}, {word}: {given}, not {expected!r}.", hint)
        return "300 numbers, the nine of the text among them."


def _table(statuses: list[int], chance: random.Random) -> bytes:
    return b"".join(pack("<HH", status, chance.randrange(1 << 16)) for status in statuses)


def _row_find(name: str) -> str:
    chance = random.Random(101)
    book = [200, 201, 204, 206, 301, 304, 400, 403, 404, 405, 408, 409, 411, 412, 413, 414, 415,
            416, 417, 421, 431, 500, 501, 503, 505, 507]
    asked: list[tuple[list[int], int]] = [(book, status) for status in range(195, 512)]
    asked += [([], 404), ([404], 404), ([404], 403), ([404], 405), ([404], 0), ([404], 0xFFFF),
              ([0, 0xFFFF], 0xFFFF), ([0, 0xFFFF], 0), ([0, 0xFFFF], 1), ([0x8000, 0xFFFF], 0x8000)]
    for _ in range(200):
        some = sorted(chance.sample(range(1 << 16), chance.randrange(1, 40)))
        wanted = chance.choice([*some, chance.randrange(1 << 16)])
        asked.append((some, wanted))
    large = sorted(chance.sample(range(1 << 16), _ROWS_MAX))
    asked += [(large, large[n]) for n in (0, 1, 2047, 2048, 4094, 4095)]
    asked += [(large, wanted) for wanted in (0, 0xFFFF, large[7] + 1)]
    worst = 0
    with trial(name) as hand:
        for statuses, wanted in asked:
            table = _table(statuses, chance)
            try:
                result, (left,) = hand.ask(wanted, table, len(statuses))
            except Wrong as wrong:
                if "did not return" in str(wrong):
                    wrong.hint = ("does each round leave fewer rows? 0 - 1 without a sign is the "
                                  "largest number there is; or: " + wrong.hint)
                raise
            shown = f"{wanted} in {statuses}" if len(statuses) < 4 else \
                f"{wanted} in {len(statuses):,} rows from {statuses[0]} to {statuses[-1]}"
            if left != table:
                raise Wrong(f"{shown}: the table was changed.", "it should only look: no store")
            there = wanted in statuses
            expected = statuses.index(wanted) if there else errno.ENOENT
            if result.carry == there or result.value != expected:
                raise Wrong(f"{shown}: {outcome(result)}; it should be "
                            + (f"C clear, x0 = {expected}." if there
                               else "C set, x0 = 2 (ENOENT)."),
                            _row_hint(wanted, expected if there else None, result.carry,
                                      result.value))
            worst = max(worst, result.instructions)
            if result.instructions > _STEPS_MAX:
                raise Wrong(f"{shown}: right, but {result.instructions:,} instructions; no more "
                            f"than {_STEPS_MAX} are allowed.",
                            "look at the row in the middle, and throw half of the table away")
        return f"{count(hand.asked, 'search', 'searches')}, at most {worst} instructions."


def _row_hint(wanted: int, row: int | None, carry: bool, got: int) -> str:
    if got == (errno.ENOENT if row is None else row):
        return CARRY_LAST
    if row is None:
        return ""
    if carry:
        return ("a row has 4 bytes: is its status loaded with ldrh, is the last row that is left "
                "looked at as well, and is the comparison unsigned?")
    if got > 1 << 32:
        return "that is an address: give the number of the row"
    if got == row * 4:
        return "that is a distance in bytes: give the number of the row"
    if got == wanted:
        return "that is the status: give the number of its row"
    return "another status is in that row: a row has 4 bytes, and its status is the first two"


def _html_escape(name: str) -> str:
    chance = random.Random(102)
    texts = [b"", b"a", b"&", b"<", b">", b'"', b"'", b"/nosuch", b"<script>alert(1)</script>",
             b"&amp;", b"&&&&", b"a&b<c>d\"e'f", b"\0", b"\xff\x80", bytes(range(256)),
             b"x" * 300, b"<" * 300]
    texts += [bytes(chance.choices(b"ab&<>\"'/", k=chance.randrange(12))) for _ in range(80)]
    texts += [chance.randbytes(chance.randrange(40)) for _ in range(40)]
    with trial(name) as hand:
        for text in texts:
            expected = html.escape(text.decode("latin-1")).replace("&#x27;", "&#39;").encode(
                "latin-1")
            size = len(expected)
            for room in (size + 3, size, size - 1, size // 2, len(text), 0):
                if room >= 0:
                    _escaped(hand, text, expected, room)
        return f"{count(hand.asked, 'text and buffer', 'texts and buffers')}, nothing outside them."


def _escaped(hand: Hand, text: bytes, expected: bytes, room: int) -> None:
    buffer = bytes([0xEE]) * room
    result, (left, made) = hand.ask(text, len(text), buffer, room)
    shown = f"{text if len(text) < 30 else text[:27] + b'...'!r} into {count(room, 'byte')}"
    if left != text:
        raise Wrong(f"{shown}: the text was changed.", "write to the buffer in x2 only")
    fits = len(expected) <= room
    wanted = f"C clear, x0 = {len(expected)}" if fits else f"C set, x0 = {_ERANGE} (ERANGE)"
    right = len(expected) if fits else _ERANGE
    if fits and not result.carry and result.value <= room:
        _same(shown, text, made[:len(expected) if made.startswith(expected) else result.value],
              expected)
    if result.carry == fits or result.value != right:
        hint = ""
        if result.value == right:
            hint = CARRY_LAST
        elif result.value > 1 << 32:
            hint = "that is an address; the start of the buffer must be taken away from its end"
        elif fits and result.carry:
            hint = "it fits exactly: a full buffer is no error" if room == len(expected) else ""
        elif not fits and not result.carry:
            hint = "count what comes out, not what goes in: one < becomes four bytes"
        elif fits and result.value == len(text):
            hint = "the length of what was written, not of the text"
        raise Wrong(f"{shown}: {outcome(result)}; it should be {wanted}.", hint)
    if not fits:
        return
    if made[len(expected):] != buffer[len(expected):]:
        raise Wrong(f"{shown}: right, but bytes behind the result were written.",
                    "a load of 8 bytes is fine, a store of 8 bytes is not")


def _same(shown: str, text: bytes, got: bytes, expected: bytes) -> None:
    """What was written, byte by byte; raises Wrong where it is not what it should be."""
    if got == expected:
        return
    hint = ""
    if b"&" in text and b"&amp;" not in got:
        hint = "& itself must be replaced as well"
    elif got.count(b"&amp;") > text.count(b"&"):
        hint = "a byte that you have written must not be replaced again"
    elif b"'" in text and b"&#39;" not in got:
        hint = "an apostrophe, the character 39, becomes &#39;"
    elif b"\0" in text and got == expected.partition(b"\0")[0]:
        hint = "a NUL is a byte like others: x1 says where the text ends"
    at = next((n for n, pair in enumerate(zip(got, expected, strict=False))
               if pair[0] != pair[1]), min(len(got), len(expected)))
    raise Wrong(f"{shown}: it wrote {got[:40]!r}, which is wrong from byte {at} on; "
                f"it should be {expected[:40]!r}.", hint)


FUNCTIONS: Final[dict[str, Judge]] = {
    "errno_kind": _errno_kind,
    "row_find": _row_find,
    "html_escape": _html_escape,
}
