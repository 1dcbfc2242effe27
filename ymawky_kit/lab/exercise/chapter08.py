"""Judges of chapter 08: escapes, bounded buffers, and the shape of a path."""

from __future__ import annotations

import random
import re
from typing import Final

from ymawky_kit.emu.machine import CallResult
from ymawky_kit.lab import drive
from ymawky_kit.lab.exercise.grading import CARRY_LAST, Hand, Judge, Wrong, outcome, trial
from ymawky_kit.view.core import count

_EINVAL: Final = 22
_ERANGE: Final = 34


def _hex_digit(name: str) -> str:
    with trial(name) as hand:
        for byte in (*b"0", *range(256)):
            result, _ = hand.ask(byte)
            digit = chr(byte) in "0123456789abcdefABCDEF"
            expected = int(chr(byte), 16) if digit else _EINVAL
            told = f"{drive.shown(name, (byte,))}, {chr(byte)!r}" if 32 < byte < 127 else \
                drive.shown(name, (byte,))
            if result.carry == digit:
                raise Wrong(f"{told}: {outcome(result)}; it is {'a' if digit else 'no'} digit, so "
                            f"C must be {'clear' if digit else 'set'}.",
                            _digit_hint(byte, digit, result.value))
            if result.value != expected:
                raise Wrong(f"{told}: {outcome(result)}; it should be "
                            + (f"C clear, x0 = {expected}." if digit
                               else f"C set, x0 = {_EINVAL} (EINVAL)."),
                            "the value of a letter begins at 10"
                            if digit and result.value == expected - 10 else "")
        return "All 256 bytes, upper and lower case."


def _digit_hint(byte: int, digit: bool, got: int) -> str:
    if digit:
        right = int(chr(byte), 16)
        if got == right:
            return CARRY_LAST
        return "orr with 0x20 makes an upper-case letter lower" if chr(byte) in "ABCDEF" else ""
    if chr(byte) in "gG":
        return "the letters end with f: six of them, 0 to 5 after taking away 'a'"
    if byte == ord("@") or byte == ord("`"):
        return "the letters begin with a"
    if got != byte and (byte < ord("0") or byte >= 0x80 or chr(byte) == ":"):
        return "one unsigned comparison refuses both sides: b.ls and b.hi, not b.le and b.gt"
    return ""


def _decode(text: bytes) -> bytes | None:
    if re.search(rb"%(?![0-9a-fA-F]{2})", text):
        return None
    return re.sub(rb"%(..)", lambda found: bytes.fromhex(found[1].decode()), text)


def _percent_decode(name: str) -> str:
    chance = random.Random(9)
    texts = [b"", b"a", b"hello", b"%41", b"a%20b", b"%2e%2E", b"%2525", b"%00", b"%ff%FF", b"%",
             b"a%", b"%4", b"a%4", b"%g0", b"%0g", b"%%41", b"%4%41", b"x" * 70, b"%7e" * 30,
             b"+", b"\x80\xff"]
    pieces = [b"a", b"xyz", b"%41", b"%2F", b"%c3%bC", b"%25", b"%00", b"/", b"."]
    texts += [b"".join(chance.choices(pieces, k=chance.randrange(9))) for _ in range(80)]
    texts += [b"".join(chance.choices([*pieces, b"%", b"%a", b"%x1"], k=4)) for _ in range(30)]
    with trial(name) as hand:
        for text in texts:
            whole = _decode(text)
            fit = len(text) if whole is None else len(whole)
            for size in (fit, fit + 3, max(fit - 1, 0), 0):
                _decode_once(hand, text, whole, size)
        return f"{count(hand.asked, 'text')}, in buffers that fit, and that do not."


def _decode_once(hand: Hand, text: bytes, whole: bytes | None, size: int) -> None:
    before = bytes(0x55 ^ n & 3 for n in range(size))
    told = f"{text!r} into {count(size, 'byte')}"
    try:
        result, (kept, left) = hand.ask(text, len(text), before, size)
    except Wrong as wrong:
        if "unmapped" not in str(wrong):
            raise
        cut = re.search(rb"%.?\Z", text, re.DOTALL)
        hint = ("look how many bytes are left before you let hex_pair read two" if cut else
                "before each store, ask whether there is room for one byte more")
        raise Wrong(f"{told}: {wrong}", hint) from None
    if kept != text:
        raise Wrong(f"{told}: the text itself was changed.", "x2 is the buffer, x0 the text")
    reasons = set()
    if whole is None:
        reasons.add(_EINVAL)
        # How much of it comes before the bad escape does not matter for the answer.
        if size < len(text):
            reasons.add(_ERANGE)
    elif len(whole) > size:
        reasons.add(_ERANGE)
    if reasons:
        wanted = " or ".join("EINVAL" if r == _EINVAL else "ERANGE" for r in sorted(reasons))
        if not result.carry or result.value not in reasons:
            raise Wrong(f"{told}: {outcome(result)}; it should be C set, x0 = {wanted}.",
                        "" if result.carry else
                        "a % needs two digits behind it" if whole is None else
                        "the result does not fit: C set")
        return
    assert whole is not None
    if result.carry or result.value != len(whole):
        raise Wrong(f"{told}: {outcome(result)}; it should be C clear, x0 = {len(whole)}.",
                    _decode_hint(result, text, whole, size))
    if left != whole + before[len(whole):]:
        raise Wrong(f"{told}: the length is right, the bytes are not: {left!r}.",
                    "what stands behind the result must stay as it was"
                    if left.startswith(whole) else "")


def _decode_hint(result: CallResult, text: bytes, whole: bytes, size: int) -> str:
    if result.carry and result.value == _ERANGE and len(whole) == size:
        return "a result that fits exactly does fit: count what comes out, not what goes in"
    if result.carry and result.value == len(whole):
        return CARRY_LAST
    twice = _decode(whole)
    if not result.carry and (result.value == len(twice or b"") != len(whole)) and b"%25" in text:
        return "decode once: a % that came out of %25 is a byte like any other"
    if result.value > 1 << 32:
        return "the start of the buffer must be taken away"
    return ""


def _depth(path: bytes) -> int | None:
    depth = 0
    for segment in path.split(b"/"):
        depth += -1 if segment == b".." else segment not in (b"", b".")
        if depth < 0:
            return None
    return depth


def _path_depth(name: str) -> str:
    chance = random.Random(10)
    paths = [b"/", b"/a", b"/a/", b"/a/b", b"//", b"/.", b"/a/.", b"/..", b"/a/..", b"/a/../",
             b"/a/../..", b"/a/b/../c", b"/a/../../b", b"/../a", b"/...", b"/..a", b"/.a", b"/a.",
             b"/a..", b"/a/.../..", b"/../", b"/a/b/c/../../..", b"/a/b/c/../../../..",
             b"/" + b"a/" * 300, b"/" + b"a/" * 300 + b"../" * 300, b"/xy/..", b"/./..", b"/.b/.."]
    pieces = [b"a", b"bc", b".", b"..", b"..", b"...", b".x", b"x.", b""]
    paths += [b"/" + b"/".join(chance.choices(pieces, k=chance.randrange(1, 9)))
              for _ in range(200)]
    with trial(name) as hand:
        for path in paths:
            result, (left,) = hand.ask(path, len(path))
            told = drive.shown(name, (path, len(path)))
            if left != path:
                raise Wrong(f"{told} changed the path.", "it should only look: no store")
            expected = _depth(path)
            if result.carry != (expected is None):
                raise Wrong(
                    f"{told}: {outcome(result)}; it is "
                    + ("above the root, so C must be set." if expected is None
                       else f"never above the root, so C must be clear, x0 = {expected}."),
                    _depth_hint(path, expected, result))
            if expected is not None and result.value != expected:
                raise Wrong(f"{told}: {outcome(result)}; it should be C clear, x0 = {expected}.",
                            _depth_hint(path, expected, result))
        return f"{count(hand.asked, 'path')}, up to 300 deep."


def _depth_hint(path: bytes, expected: int | None, result: CallResult) -> str:
    segments = path.split(b"/")
    if expected is None:
        total = sum(-1 if s == b".." else s not in (b"", b".") for s in segments)
        if not result.carry and result.value == total:
            return "it came back, but for a moment it was above: look at every .."
        if segments[-1] == b"..":
            return "the end of the path completes a segment as well"
        return ""
    if result.carry and result.value == expected:
        return CARRY_LAST
    counted = sum(s != b".." for s in segments if s) - segments.count(b"..")
    if b"." in segments and result.value == counted:
        return "a single . stays where it is"
    if any(s.startswith(b"..") and len(s) > 2 for s in segments):
        return "only the two dots alone go up: look at the length of the segment first"
    if segments[-1] and result.value != expected and _depth(path.rpartition(b"/")[0]) == \
            result.value:
        return "the end of the path completes a segment as well"
    if result.value > 1 << 32:
        return "that is an address: count the depth in a register of its own"
    if b"" in segments[1:]:
        return "between two slashes in a row there is no name"
    return ""


def _extension(path: bytes) -> tuple[int, int] | None:
    start = path.rfind(b"/") + 1
    dot = path.rfind(b".")
    if dot <= start or dot == len(path) - 1:
        return None
    return dot + 1, len(path) - dot - 1


def _last_extension(name: str) -> str:
    chance = random.Random(11)
    paths = [b"index.html", b"site/logs.tar.gz", b"a", b"", b".", b"..", b".profile", b"a.",
             b"a/.profile", b"a.b/c", b"a.b/", b"a/b.", b"a.b", b"/a.b", b"/.b", b"x..y", b"..y",
             b"a/..y", b"/", b"a.b.", b"x" * 300 + b".y", b"x." + b"y" * 300, b".a.b", b"a/.a.b"]
    paths += [bytes(chance.choices(b"ab./", k=chance.randrange(9))) for _ in range(250)]
    with trial(name) as hand:
        for path in paths:
            result, (left,) = hand.ask(path, len(path))
            told = drive.shown(name, (path, len(path)))
            if left != path:
                raise Wrong(f"{told} changed the path.", "it should only look: no store")
            expected = _extension(path)
            got = None if result.carry else (result.value, result["x1"])
            if got == expected:
                continue
            shown = f"{outcome(result)}" + ("" if result.carry else f", x1 = {result['x1']}")
            wanted = ("C set" if expected is None
                      else f"C clear, x0 = {expected[0]}, x1 = {expected[1]}")
            raise Wrong(f"{told}: {shown}; it should be {wanted}.",
                        _extension_hint(path, expected, got))
        return f"{count(hand.asked, 'path')}, nothing read outside them."


def _extension_hint(path: bytes, expected: tuple[int, int] | None,
                    got: tuple[int, int] | None) -> str:
    last = path.rpartition(b"/")[2]
    if expected is None and got is not None:
        if b"." not in last and b"." in path:
            return "that dot is in the name of a folder: a slash ends the search"
        if last.endswith(b"."):
            return "nothing stands behind the dot"
        if last.startswith(b"."):
            return "a name whose only dot is its first byte has no extension"
        return CARRY_LAST
    if expected is not None and got is not None:
        if got[0] == expected[0] - 1:
            return "the dot itself does not belong to it"
        if got[0] == path.find(b".") + 1 != expected[0]:
            return "that is the first dot; the last one counts"
        if got[0] > 1 << 32:
            return "the start of the path must be taken away"
    if expected is not None and got is None:
        return CARRY_LAST
    return ""


FUNCTIONS: Final[dict[str, Judge]] = {
    "hex_digit": _hex_digit,
    "percent_decode": _percent_decode,
    "path_depth": _path_depth,
    "last_extension": _last_extension,
}
