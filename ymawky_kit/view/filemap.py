"""The map of a file: which bytes are what, and where they land in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ymawky_kit.view.core import View, columns, count, esc, grouped, table, tag

_WIDTH: Final = 440         # of the drawing; it also fits a phone
_LEFT: Final = (64, 214)    # x of the file's column
_RIGHT: Final = (272, 422)  # x of the memory's column


@dataclass(frozen=True, slots=True)
class Region:
    """Neighbouring bytes of the file: kind is one of header, code, data, link, empty."""

    name: str
    offset: int
    size: int
    kind: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A segment: where its bytes are in the file, and where in memory."""

    name: str
    address: int
    vm_size: int
    offset: int
    file_size: int
    protection: int     # 1 read, 2 write, 4 execute

    @property
    def allowed(self) -> str:
        return "".join(c if self.protection & bit else "-"
                       for c, bit in (("r", 1), ("w", 2), ("x", 4)))


class FileMap(View):
    """Regions in file order, covering the file without gap, and the segments over them."""

    def __init__(self, regions: Sequence[Region], segments: Sequence[Mapped], *,
                 title: str = "") -> None:
        self.regions = tuple(regions)
        self.segments = tuple(segments)
        self.title = title

    @property
    def size(self) -> int:
        return sum(region.size for region in self.regions)

    def text(self) -> str:
        lines = [self.title] if self.title else []
        rows = [["offset", "bytes", "what", ""]]
        rows += [[f"0x{r.offset:05x}", grouped(r.size), r.name, r.note] for r in self.regions]
        lines.extend("  " + line for line in columns(rows, right=frozenset({1})))
        rows = [["segment", "address", "in memory", "in the file", "may"]]
        rows += [[s.name, f"0x{s.address:09x}", grouped(s.vm_size), grouped(s.file_size),
                  s.allowed] for s in self.segments]
        lines.append("")
        lines.extend("  " + line for line in columns(rows, right=frozenset({2, 3})))
        return "\n".join(lines)

    def html(self) -> str:
        rows = [[
            tag("td", tag("code", f"0x{r.offset:05x}"), class_="yk-address"),
            tag("td", grouped(r.size), class_="yk-number"),
            tag("td", esc(r.name)),
            tag("td", esc(r.note), class_="yk-note"),
        ] for r in self.regions]
        head = tag("p", esc(self.title), class_="yk-title") if self.title else ""
        return tag("div", head, self.svg(),
                   table(["offset", "bytes", "what", ""], rows), class_="yk yk-map")

    def svg(self) -> str:
        """File on the left, memory on the right; heights grow with the logarithm of size."""
        top, at = 34, 34
        spots: list[tuple[Region, int, int]] = []
        for region in self.regions:
            height = 20 + round(3 * math.log2(1 + region.size / 64))
            spots.append((region, at, height))
            at += height
        bottom = at
        parts = [
            _label(_LEFT[0], 20, "the file", "yk-s-head"),
            _label(_RIGHT[0], 20, "memory", "yk-s-head"),
        ]
        for region, y, height in spots:
            parts.append(_box(_LEFT, y, height, f"yk-s-{region.kind}"))
            parts.append(_label(_LEFT[0] - 6, y + 12, f"{region.offset:x}", "yk-s-small", "end"))
            parts.append(_label(_LEFT[0] + 8, y + height // 2 + 4, region.name, "yk-s-text"))
        for n, segment in enumerate(self.segments):
            inside = [(y, height) for region, y, height in spots
                      if segment.file_size and segment.offset <= region.offset
                      < segment.offset + segment.file_size]
            y0 = inside[0][0] if inside else top
            y1 = inside[-1][0] + inside[-1][1] if inside else top
            # Each segment gets a slot of its own on the right, in order of address.
            slot = (bottom - top) / len(self.segments)
            m0, m1 = round(top + n * slot + 3), round(top + (n + 1) * slot - 3)
            if inside:
                points = f"{_LEFT[1]},{y0} {_RIGHT[0]},{m0} {_RIGHT[0]},{m1} {_LEFT[1]},{y1}"
                parts.append(f'<polygon points="{points}" class="yk-s-join" fill="currentColor"'
                             ' fill-opacity="0.08"/>')
            parts.append(_box(_RIGHT, m0, m1 - m0, "yk-s-memory"))
            middle = (m0 + m1) // 2
            parts.append(_label(_RIGHT[0] + 8, middle - 10, segment.name, "yk-s-text"))
            parts.append(_label(_RIGHT[0] + 8, middle + 4, f"0x{segment.address:x}", "yk-s-small"))
            parts.append(_label(_RIGHT[0] + 8, middle + 18,
                                f"{_size(segment.vm_size)}  {segment.allowed}", "yk-s-small"))
        height = bottom + 10
        said = f"Map of a file of {count(self.size, 'byte')} and of the memory it becomes"
        return (f'<svg class="yk-svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
                f'height="{height}" role="img" aria-label="{esc(said)}" '
                f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>')


def _size(number: int) -> str:
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if number >= unit and number % unit == 0:
            return f"{number // unit} {name}"
    return f"{number} bytes"


def _box(span: tuple[int, int], y: int, height: int, kind: str) -> str:
    return (f'<rect x="{span[0]}" y="{y}" width="{span[1] - span[0]}" height="{height}" '
            f'class="{kind}" fill="currentColor" fill-opacity="0.06" stroke="currentColor"/>')


def _label(x: int, y: int, text: str, kind: str, anchor: str = "start") -> str:
    size = {"yk-s-small": 10, "yk-s-head": 13}.get(kind, 12)
    return (f'<text x="{x}" y="{y}" class="{kind}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="currentColor">{esc(text)}</text>')
