"""Results in words: for a failed case what was sent, what came, what was wanted, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from ymawky_kit.blackbox.case import Case
from ymawky_kit.blackbox.play import Happened
from ymawky_kit.blackbox.suite import Result
from ymawky_kit.features import FEATURES

_WIDTH: Final = 100
_MARGIN: Final = 12
_LINES_MAX: Final = 10
_EVENTS_MAX: Final = 24
_CALLS_MAX: Final = 30


def listing(cases: Iterable[Case]) -> list[str]:
    """All cases under the sentence of their feature."""
    chosen = list(cases)
    lines: list[str] = []
    for feature in dict.fromkeys(case.feature for case in chosen):
        lines += ["", f"{feature}: {FEATURES[feature]}"]
        lines += [f"  {case.name}" for case in chosen if case.feature == feature]
    return lines[1:]


def failure(result: Result, *, traced: str | None) -> list[str]:
    """A failed case.  `traced` says why there are no calls, None when there are."""
    record = result.record
    lines = [f"FAILED  {result.case.feature}: {result.case.name}"]
    lines += _happened(record.happened)
    for fault in record.faults:
        lines += _labelled("wrong", [fault])
    lines += _labelled("expected", [record.wanted])
    lines += _labelled("because", [result.case.why])
    said = [line for line in result.errors.splitlines() if line.strip()]
    if said:
        lines += _labelled("it said", _cut(said))
    if traced is not None:
        lines += _labelled("calls", [traced])
    elif result.calls:
        calls = [f"{event.process}  {event.text}" for event in result.calls]
        lines += _labelled("calls", _middle(calls, _CALLS_MAX))
        if record.stuck:
            lines += _labelled("", ["(a call shows when it has returned, not while it waits)"])
    else:
        lines += _labelled("calls", ["none"])
    return lines


def brief(result: Result) -> str:
    """A failed case in one line."""
    return f"FAILED  {result.case.feature}: {result.case.name}: {result.record.faults[0]}"


def summary(results: Sequence[Result]) -> list[str]:
    """A line for each feature, the skipped with their reasons, and the count."""
    lines = []
    width = max((len(result.case.feature) for result in results), default=0)
    for feature in dict.fromkeys(result.case.feature for result in results):
        those = [result for result in results if result.case.feature == feature]
        passed = sum(result.outcome == "passed" for result in those)
        lines.append(f"{feature:{width}}  {passed:3} of {len(those)}")
    for outcome in ("skipped", "not tried"):
        reasons = [result.reason for result in results if result.outcome == outcome]
        for reason in dict.fromkeys(reasons):
            lines.append(f"{outcome}: {_cases(reasons.count(reason))}, {reason}")
    counts = {outcome: sum(result.outcome == outcome for result in results)
              for outcome in ("passed", "failed", "skipped", "not tried")}
    rest = [f"{number} {outcome}" for outcome, number in counts.items() if number or
            outcome in ("passed", "failed")]
    lines.append(f"{_cases(len(results))}: {', '.join(rest)}")
    return lines


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"


def _happened(events: Sequence[Happened]) -> list[str]:
    """What the clients did and met, in order; long stories lose their middle."""
    several = len({event.client for event in events}) > 1
    groups: list[list[Happened]] = []       # of clients that do the same one after the other
    for event in events:
        same = groups and event.kind != "note" and (
            (event.kind, event.data) == (groups[-1][0].kind, groups[-1][0].data))
        if same:
            groups[-1].append(event)
        else:
            groups.append([event])
    blocks = [_block(group, several) for group in groups]
    left_out = len(blocks) - _EVENTS_MAX
    if left_out > 0:
        half = _EVENTS_MAX // 2
        blocks[half:half + left_out] = [_labelled("", [f"... {left_out} more steps"])]
    return [line for block in blocks for line in block]


def _block(group: Sequence[Happened], several: bool) -> list[str]:
    event = group[0]
    if event.kind == "note":
        return _labelled("", [f"{event.client} {event.note}" if several else event.note])
    text = _cut(_readable(event.data))
    if not several:
        return _labelled({"sent": "sent", "came": "came back"}[event.kind], text)
    who, verb = event.client, {"sent": "sends", "came": "gets"}[event.kind]
    if len(group) > 1:
        who, verb = f"{who} to {group[-1].client}", {"sent": "each send", "came": "each get"}[
            event.kind]
    lines = [f"{who} {verb} {_count(event.data)}"]
    return _labelled("", [*lines, *(f"  {line}" for line in text if event.data)])


def _count(data: bytes) -> str:
    return "nothing" if not data else "1 byte" if len(data) == 1 else f"{len(data)} bytes"


def _readable(data: bytes) -> list[str]:
    r"""Bytes line by line, with \r and \n shown where they are."""
    if not data:
        return ["nothing"]
    lines = []
    for line in re.findall(rb"[^\n]*\n|[^\n]+", data):
        text = ascii(line.decode("latin-1"))[1:-1]
        limit = _WIDTH - _MARGIN
        if len(text) > limit:
            text = f"{text[:limit - 40]} ... {text[-12:]}  ({len(line)} bytes)"
        lines.append(text)
    return lines


def _cut(lines: Sequence[str]) -> list[str]:
    return _middle(lines, _LINES_MAX)


def _middle(lines: Sequence[str], most: int) -> list[str]:
    if len(lines) <= most:
        return list(lines)
    half = most // 2
    return [*lines[:half], f"... {len(lines) - most} more lines", *lines[-(most - half):]]


def _labelled(label: str, text: Iterable[str]) -> list[str]:
    lines = []
    for line in text:
        lines.append(f"  {label:{_MARGIN - 2}}{line}".rstrip())
        label = ""
    return lines
