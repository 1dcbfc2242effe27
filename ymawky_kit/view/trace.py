"""The trace player's data: a recorded run, one step an instruction.

The HTML is a custom element with the recording inside as JSON, and a plain table
of the first steps for a page without script.  `static/yk-trace.js` plays it; no
markup depends on that file, so changing the player changes no stored output.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ymawky_kit.view.core import View, columns, count, esc, table, tag
from ymawky_kit.view.listing import code
from ymawky_kit.view.registers import flags, value

#: Steps in the fallback table and in the text form; the player has them all.
TABLE_STEPS: Final = 64


@dataclass(frozen=True, slots=True)
class Step:
    """What one instruction did.

    address    of the instruction
    text       of the instruction
    registers  those it changed, with new values; `nzcv` holds the flags (bits 31-28)
    writes     memory it wrote: (address, bytes)
    note       what the kernel did, for `svc`
    """

    address: int
    text: str
    registers: Mapping[str, int] = field(default_factory=dict)
    writes: tuple[tuple[int, bytes], ...] = ()
    note: str = ""


class Trace(View):
    """A recording that starts with `start` in the registers.

    `names` are the registers shown; `labels` name addresses; `memory` are runs of
    bytes to watch, as they were before the first step.  `folded`, a page shows the
    title, which opens.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        *,
        start: Mapping[str, int],
        names: Sequence[str] | None = None,
        labels: Mapping[int, str] | None = None,
        memory: Sequence[tuple[str, int, bytes]] = (),
        title: str = "",
        ending: str = "",
        folded: bool = False,
    ) -> None:
        self.steps = tuple(steps)
        self.start = dict(start)
        used = {name for step in self.steps for name in step.registers if name != "pc"}
        self.names = tuple(names) if names is not None else tuple(
            name for name in self.start if name in used)
        self.labels = dict(labels or {})
        self.memory = tuple(memory)
        self.title = title
        self.ending = ending
        self.folded = folded

    def state(self, step: int) -> dict[str, int]:
        """The registers after the first `step` steps."""
        registers = dict(self.start)
        for done in self.steps[:step]:
            registers.update(done.registers)
        return registers

    def _effects(self, step: Step) -> list[str]:
        said = [
            f"flags = {flags(new)}" if name == "nzcv" else f"{name} = {value(new)}"
            for name, new in step.registers.items() if name in self.names
        ]
        said.extend(f"[{address:x}] = {data.hex(' ')}" for address, data in step.writes)
        if step.note:
            said.append(step.note)
        return said

    def text(self) -> str:
        lines = [self.title] if self.title else []
        rows = []
        for number, step in enumerate(self.steps[:TABLE_STEPS], 1):
            label = self.labels.get(step.address, "")
            rows.append([str(number), f"{step.address:x}", f"{label}:" if label else "",
                         step.text, ", ".join(self._effects(step))])
        lines.extend("  " + line for line in columns(rows, right=frozenset({0})))
        if len(self.steps) > TABLE_STEPS:
            lines.append(f"  … {count(len(self.steps) - TABLE_STEPS, 'more step')}")
        if self.ending:
            lines.append(self.ending)
        return "\n".join(lines)

    def recording(self) -> dict[str, object]:
        """The JSON of the player: the listing once, then only what changes.

        listing: [address, text, label]; step: [row, {register: hex}, [[address, hex]], note].
        Numbers wider than 53 bits would not survive JavaScript, hence hexadecimal text.
        """
        places = sorted({(step.address, step.text) for step in self.steps})
        row_of = {place: row for row, place in enumerate(places)}
        steps: list[list[object]] = []
        for step in self.steps:
            row: list[object] = [row_of[step.address, step.text]]
            moved = {n: f"{v:x}" for n, v in step.registers.items() if n in self.names}
            writes = [[f"{a:x}", d.hex()] for a, d in step.writes]
            rest: list[object] = [moved, writes, step.note]
            while rest and not rest[-1]:
                rest.pop()
            steps.append(row + rest)
        return {
            "title": self.title,
            "ending": self.ending,
            "listing": [[f"{a:x}", t, self.labels.get(a, "")] for a, t in places],
            "start": {name: f"{self.start.get(name, 0):x}" for name in self.names},
            "memory": [[name, f"{address:x}", data.hex()] for name, address, data in self.memory],
            "steps": steps,
        }

    def html(self) -> str:
        # "<" cannot end the script element early once it is written as an escape.
        packed = json.dumps(self.recording(), separators=(",", ":"), ensure_ascii=True)
        packed = packed.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        rows = [[
            tag("td", str(number)),
            tag("td", tag("code", f"{step.address:x}")),
            tag("td", code(step.text)),
            tag("td", esc(", ".join(self._effects(step)))),
        ] for number, step in enumerate(self.steps[:TABLE_STEPS], 1)]
        if len(self.steps) > TABLE_STEPS:
            more = count(len(self.steps) - TABLE_STEPS, "more step")
            rows.append([tag("td", esc("… " + more), colspan=4)])
        fallback = tag(
            "details",
            tag("summary", esc(f"{self.title or 'Recording'}: {count(len(self.steps), 'step')}")),
            table(["step", "address", "instruction", "what changed"], rows),
            tag("p", esc(self.ending)) if self.ending else "",
            open=True,
        )
        player = tag("yk-trace", tag("script", packed, type="application/json"), fallback,
                     class_="yk")
        if not self.folded:
            return player
        said = f"{self.title or 'Recording'}: {count(len(self.steps), 'step')}"
        return tag("div", tag("details", tag("summary", esc(said), class_="yk-title"), player,
                              class_="yk-fold"), class_="yk")
