"""Judges of chapter 07: bytes with a class, a version, a quoted text, a field."""

from __future__ import annotations

import random
import re
from typing import Final

from ymawky_kit.emu.machine import CallResult
from ymawky_kit.lab import drive
from ymawky_kit.lab.exercise.grading import CARRY_LAST, Judge, Wrong, outcome, trial
from ymawky_kit.view.core import count
from ymawky_kit.view.registers import value

_TOKEN: Final = frozenset(b"!#$%&'*+-.^_`|~0123456789"
                          b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def _said(carry: bool, number: int | None = None) -> str:
    return f"C {'set' if carry else 'clear'}" + ("" if number is None else f", x0 = {number}")


def _only_looked(told: str, text: bytes, left: list[bytes]) -> None:
    if left[0] != text:
        raise Wrong(f"{told} changed the text.", "it should only look: no store")


def _is_token(name: str) -> str:
    with trial(name) as hand:
        for byte in range(256):
            expected = int(byte in _TOKEN)
            got = hand.value(byte)
            if got != expected:
                told = f"{name}({byte})" + (f", the byte {chr(byte)!r}," if byte < 128 else "")
                raise Wrong(f"{told} gave {value(got)}, not {expected}.", _token_hint(byte, got))
    return "all 256 bytes, 77 of them in a token."


def _token_hint(byte: int, got: int) -> str:
    if got == byte:
        return "that is the byte itself: the answer, 1 or 0, belongs in x0"
    if got > 1:
        return "1 or 0 was wanted: take the one bit out of its entry"
    if chr(byte) in ":@[`{/":
        return "it stands next to a range: is the comparison off by one?"
    if byte > 127:
        return "a token is plain ASCII: compare without a sign"
    if got == 0:
        return "fifteen characters are neither letters nor digits"
    return ""


def _minor_version(name: str) -> str:
    chance = random.Random(9)
    texts = [b"HTTP/1.%d" % n for n in range(10)]
    texts += [b"", b"H", b"HTTP/1.", b"HTTP/1.1 ", b"HTTP/1.10", b"HTTP/11.1", b"http/1.1",
              b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1:1", b"HTTP/1./", b"HTTP/1.:", b"HTTP 1.1",
              b"HTTQ/1.1", b"GTTP/1.1", b"HTTP/1,1", b"HTTP/\x311.", b"HTTP/1.\xb1", b"\0" * 8,
              b"HTTP/1.1" * 2]
    for _ in range(150):
        damaged = bytearray(b"HTTP/1.%d" % chance.randrange(10))
        damaged[chance.randrange(8)] = chance.choice(b"hHTP/1.029:,\xb1\0 ")
        texts.append(bytes(damaged))
    with trial(name) as hand:
        for text in texts:
            result, left = hand.ask(text, len(text))
            _only_looked(drive.shown(name, (text, len(text))), text, left)
            found = re.fullmatch(rb"HTTP/1\.([0-9])", text)
            told = f"{drive.shown(name, (text, len(text)))}: {outcome(result)}"
            if result.carry != (found is None):
                raise Wrong(f"{told}; it should be {_said(found is None)}.",
                            _version_hint(text, found is None))
            if found and result.value != int(found[1]):
                raise Wrong(f"{told}; it should be {_said(False, int(found[1]))}.",
                            "take '0' away: the digit is a character"
                            if result.value == found[1][0] else
                            "each of the ten digits is meant, not only 0 and 1"
                            if result.value == 1 else "")
        return f"{count(hand.asked, 'text')}, too short, too long and damaged ones among them."


def _version_hint(text: bytes, refused: bool) -> str:
    if not refused:
        return CARRY_LAST
    if len(text) != 8:
        return "exactly eight bytes: look at x1 before anything else"
    if text[7:8] in (b"/", b":") or text[7] > 127:
        return "the last byte must be a digit: one unsigned comparison after sub tells"
    return "each of the seven bytes in front of the digit must be right"


_QUOTED: Final = re.compile(rb'"(?:[\t !\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"')
_QUOTED_PART: Final = re.compile(
    rb'(?:"(?:[\t !\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*\\?)?')


def _quoted_length(name: str) -> str:
    chance = random.Random(10)
    long = b'"' + b"x" * 300
    texts = [b'""', b'"a"', b'"a" and more', b'"a\\"b"', b'"\\\\"', b'"\\\\\\""', b"", b'"',
             b'"abc', b'"a\\', b'"a\\"', b"abc", b"'a'", b' "a"', b'"a\nb"', b'"a\0"', b'"\x7f"',
             b'"\\\n"', b'"a\tb"', b'"\\\t"', b'"\xe9\xff"', b'"\\\x7f"', b'"\\\xff"', b"\\\"",
             long, long + b'"', b'"a\r', b'"]~"', b'"a"\n']
    for _ in range(200):
        body = bytes(chance.choices(b'ab"\\\t\n\x7f\xe9', weights=[9, 9, 3, 6, 2, 1, 1, 2],
                                    k=chance.randrange(9)))
        texts.append(chance.choice((b'"', b'"', b'"', b"")) + body)
    with trial(name) as hand:
        for text in texts:
            result, left = hand.ask(text, len(text))
            _only_looked(drive.shown(name, (text, len(text))), text, left)
            whole = _QUOTED.match(text)
            if whole:
                expected = (False, whole.end())
            else:
                expected = (True, 0 if _QUOTED_PART.fullmatch(text) else 400)
            if (result.carry, result.value) != expected:
                raise Wrong(f"{drive.shown(name, (text, len(text)))}: {outcome(result)}; "
                            f"it should be {_said(*expected)}.",
                            _quoted_hint(text, expected, result))
        return f"{count(hand.asked, 'text')}, whole, cut off and broken."


def _quoted_hint(text: bytes, expected: tuple[bool, int], result: CallResult) -> str:
    got = (result.carry, result.value)
    if expected[1] == result.value:
        return CARRY_LAST
    if expected[0] is False and got == (False, expected[1] - 1):
        return "one too few: both quotes count"
    if expected == (True, 0):
        return ("a backslash is the last byte: what it escapes has not come yet"
                if text.endswith(b"\\") else "nothing is wrong with it, but its end is missing")
    if b"\t" in text and got == (True, 400):
        return "the tab is the one control character that may stand there"
    if b"\\" in text and expected != (True, 400):
        return "behind a backslash a quote does not end the text, and a backslash escapes nothing"
    if expected == (True, 400) and re.search(rb"\\[\0-\x1f\x7f]", text):
        return "a backslash does not make a control character good"
    return ""


def _field_find(name: str) -> str:
    chance = random.Random(11)
    asked = [b"host", b"x", b"content-length", b"a~"]
    cases: list[tuple[bytes, bytes]] = [
        (b"Host: a\r\n\r\n", b"host"), (b"\r\n", b"host"), (b"HOST:a\r\n\r\n", b"host"),
        (b"Hostile: no\r\nHost: yes\r\n\r\n", b"host"), (b"X: host: no\r\n\r\n", b"host"),
        (b"Hos: no\r\n\r\n", b"host"), (b"My-Host: no\r\nhoSt:\t yes \t\r\n\r\n", b"host"),
        (b"Host:\r\n\r\n", b"host"), (b"Host: \t \r\n\r\n", b"host"),
        (b"Host: one\r\nHost: two\r\n\r\n", b"host"), (b"A^: no\r\nA~: yes\r\n\r\n", b"a~"),
        (b"X: a b\tc  \r\n\r\n", b"x"), (b"X: a\r\n\r\n", b"y"), (b"X:: a :\r\n\r\n", b"x"),
        (b"A: b\r\nContent-Length: 5\r\n\r\n", b"content-length"),
        (b"X: " + b"v" * 300 + b"\r\n\r\n", b"x"), (b"A: b\r\n\r\n", b"a-name-longer-than-all"),
    ]
    names = [b"Host", b"HOST", b"host", b"Hostile", b"X", b"x", b"Content-Length", b"a~", b"A^",
             b"Xx", b"Hos"]
    for _ in range(150):
        lines = [chance.choice(names) + b":" +
                 bytes(chance.choices(b" \tab:hx", k=chance.randrange(8)))
                 for _ in range(chance.randrange(4))]
        cases.append((b"".join(line + b"\r\n" for line in lines) + b"\r\n", chance.choice(asked)))
    with trial(name) as hand:
        for head, wanted in cases:
            result, left = hand.ask(head, len(head), wanted, len(wanted))
            told = drive.shown(name, (head, len(head), wanted, len(wanted)))
            if left != [head, wanted]:
                raise Wrong(f"{told} changed the text.", "it should only look: no store")
            _field_right(told, head, wanted, result)
        return f"{count(hand.asked, 'head')}, and not one byte read outside."


def _field_right(told: str, head: bytes, wanted: bytes, result: CallResult) -> None:
    """Raises Wrong unless the answer is the first field of that name."""
    spans = []
    at = 0
    for line in head.split(b"\r\n")[:-2]:
        title, _, rest = line.partition(b":")
        start = at + len(title) + 1 + len(rest) - len(rest.lstrip(b" \t"))
        spans.append((title, start, len(rest.strip(b" \t"))))
        at += len(line) + 2
    right = [(start, size) for title, start, size in spans if title.lower() == wanted]
    if not right:
        if not result.carry:
            raise Wrong(f"{told}: {outcome(result)}, x1 = {value(result['x1'])}; there is no such "
                        "field, so C must be set.", _name_hint(spans, wanted, result))
        return
    start, size = right[0]
    if result.carry:
        raise Wrong(f"{told}: {outcome(result)}; it should be C clear, x0 = {start}, x1 = {size}.",
                    "names have no letter case: text_same knows that"
                    if wanted not in head and result.value != start else
                    CARRY_LAST)
    if result["x1"] != size or (size and result.value != start):
        hint = _name_hint(spans, wanted, result)
        if result.value > 1 << 32:
            hint = "the start of the head must be taken away"
        elif (result.value, result["x1"]) in right:
            hint = "that is another one; stop at the first"
        elif result.value + result["x1"] > start + size or result.value < start:
            hint = hint or "blanks and tabs around the value do not count"
        raise Wrong(f"{told}: {outcome(result)}, x1 = {value(result['x1'])}; it should be "
                    f"C clear, x0 = {start}, x1 = {size}.", hint)


def _name_hint(spans: list[tuple[bytes, int, int]], wanted: bytes, result: CallResult) -> str:
    for title, start, _ in spans:
        if title.lower() == wanted or not 0 <= start - result.value <= len(title):
            continue
        if title.lower().startswith(wanted):
            return f"{title.decode()!r} only begins like it: the colon must stand right behind"
        if bytes(byte | 0x20 for byte in title) == bytes(byte | 0x20 for byte in wanted):
            return "^ and ~ differ in bit 0x20 and are no letters: text_same knows that"
    return ""


FUNCTIONS: Final[dict[str, Judge]] = {
    "is_token": _is_token, "minor_version": _minor_version, "quoted_length": _quoted_length,
    "field_find": _field_find,
}
