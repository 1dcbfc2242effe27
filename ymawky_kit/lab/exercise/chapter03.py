"""Judges of chapter 03: the file."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from ymawky_kit import chapters
from ymawky_kit.lab.exercise.grading import PythonJudge, Wrong, answer_of, shown_number
from ymawky_kit.view.core import count


def _entry_address(function: Callable[..., Any]) -> str:
    programs = list(chapters.load())
    for name in programs:
        built = chapters.build(name)
        got = answer_of(function, built.data)
        if got != built.image.entry:
            raise Wrong(f"For {name} it gave {shown_number(got)}, not {built.image.entry:#x}.",
                        "the distance in the command counts from the start of __TEXT"
                        if got == built.image.entry - 0x100000000 else "")
    return f"The entry of {count(len(programs), 'program')}."


def _adrp_word(function: Callable[..., Any]) -> str:
    chance = random.Random(4)
    pairs = [(0x100001000, 0x100001128), (0x100001FFC, 0x100002000), (0x100002000, 0x100001FFF),
             (0x100004000, 0x100000000)]
    for _ in range(200):
        at = 0x100000000 + 4 * chance.randrange(1 << 20)
        pairs.append((at, at + chance.randrange(-(1 << 31), 1 << 31)))
    for at, target in pairs:
        register = chance.randrange(31)
        pages = (target >> 12) - (at >> 12)
        expected = 0x90000000 | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5 | register
        got = answer_of(function, at, target, register)
        if got != expected:
            hint = ""
            if pages < 0 and isinstance(got, int) and got > 0xFFFFFFFF:
                hint = "it has more than 32 bits: mask the fields of a negative distance"
            elif isinstance(got, int) and got & ~31 == expected & ~31:
                hint = "only the register is wrong"
            raise Wrong(f"At {at:#x}, target {target:#x}, x{register}: {shown_number(got)}, "
                        f"not {expected:#010x}.", hint)
    return f"{len(pairs)} distances, forwards and backwards."


def _broken_pages(function: Callable[..., Any]) -> str:
    chance = random.Random(5)
    tried = 0
    for name in ("answer", "hello", "cat"):
        whole = chapters.build(name).data
        signed = whole.rindex(bytes.fromhex("fade0cc0"))    # the SuperBlob's magic
        pages = -(-signed // 4096)
        for broken in ([], [0], [pages - 1], sorted(chance.sample(range(pages), 2)),
                       list(range(pages))):
            data = bytearray(whole)
            for page in broken:
                # Behind the header and commands of page 0, so that these can still be read.
                end = min(4096 * (page + 1), signed)
                data[end - 1 - chance.randrange(min(64, end - 4096 * page))] ^= 1 + \
                    chance.randrange(255)
            got = answer_of(function, bytes(data))
            tried += 1
            if got != broken:
                hint = ""
                if isinstance(got, list) and set(got) == {*broken, pages - 1} != set(broken):
                    hint = "the last page ends where the signature begins"
                raise Wrong(f"With pages {broken} of {name} changed it gave {got!r}.", hint)
    return f"{tried} files, whole and broken."


PYTHON: Final[dict[str, PythonJudge]] = {
    "entry_address": _entry_address,
    "adrp_word": _adrp_word,
    "broken_pages": _broken_pages,
}
