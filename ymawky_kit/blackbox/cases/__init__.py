"""All cases of the book, feature by feature."""

from __future__ import annotations

from typing import Final

from ymawky_kit.blackbox.case import Case
from ymawky_kit.blackbox.cases import (
    files,
    listings,
    programs,
    ranges,
    requests,
    serving,
    writing,
)
from ymawky_kit.blackbox.cases.tree import TREE

__all__ = ["CASES", "TREE"]

CASES: Final[tuple[Case, ...]] = (
    *programs.CASES, *serving.CASES, *requests.CASES, *files.CASES, *ranges.CASES,
    *listings.CASES, *writing.CASES,
)
