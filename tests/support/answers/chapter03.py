"""Answers to the exercises of chapter 03."""

from __future__ import annotations

from support.answers import WrongPython

WRONG_PYTHON: list[WrongPython] = [
    ("entry_address", lambda data: 0x1000, "counts from the start of __TEXT"),
    ("entry_address", lambda data: None, "gave None"),
    ("entry_address", lambda data: data[99999999], "IndexError"),
    ("adrp_word", lambda at, target, r: 0x90000000 | ((target >> 12) - (at >> 12)) << 5 | r,
     "not 0x"),
    ("adrp_word", lambda at, target, r: 0x90000000 | ((target >> 12) - (at >> 12) & 3) << 29
     | ((target >> 12) - (at >> 12) >> 2 & 0x7FFFF) << 5, "only the register"),
    ("broken_pages", lambda data: [], "changed it gave []"),
    ("broken_pages", lambda data: [0], "gave [0]"),
]
