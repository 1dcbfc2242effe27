"""The nearest known word to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word a reader most likely meant, or None when nothing is close.

    Close means: at most one change in three letters, where a change is one
    letter added, dropped, replaced, or swapped with its neighbour.
    """
    limit = max(1, len(word) // 3)
    best: tuple[int, str] | None = None
    lowered = word.lower()
    for candidate in known:
        if candidate == word or abs(len(candidate) - len(word)) > limit:
            continue
        distance = edit_distance(lowered, candidate.lower(), limit)
        if distance <= limit and (best is None or (distance, candidate) < best):
            best = distance, candidate
    return best[1] if best else None


def edit_distance(a: str, b: str, limit: int) -> int:
    """Changes that turn `a` into `b`, or any number above `limit` once it is passed."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, start=1):
        before, previous, row = row, before, [i]
        for j, other in enumerate(b, start=1):
            cost = min(
                before[j] + 1,
                row[j - 1] + 1,
                before[j - 1] + (letter != other),
            )
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, previous[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return row[-1]


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean 'mov'?`, or None."""
    found = nearest(word, known)
    return f"did you mean '{found}'?" if found else None
