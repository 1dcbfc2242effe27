"""Registers before and after, with what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ymawky_kit.view.core import View, columns, esc, table, tag


def flags(nzcv: int) -> str:
    """The four flags of PSTATE bits 31 to 28: a letter when set, a dash when clear."""
    bits = (nzcv >> 28) & 15
    return "".join(letter if bits & (8 >> n) else "-" for n, letter in enumerate("NZCV"))


def value(number: int) -> str:
    """A register's value: decimal when it is a small number, else hexadecimal."""
    signed = number - (1 << 64) if number >> 63 else number
    if -10 < signed < 10:
        return str(signed)
    if -4096 <= signed <= 65535:
        return f"{signed} (0x{number:x})"
    return f"0x{number:x}"


class Registers(View):
    """Chosen registers, or those that changed; `nzcv` holds the flags in bits 31-28."""

    def __init__(self, before: Mapping[str, int], after: Mapping[str, int], *,
                 names: Sequence[str] | None = None, title: str = "") -> None:
        self.before = dict(before)
        self.after = dict(after)
        self.names = tuple(names) if names is not None else tuple(
            name for name in self.after if self.before.get(name) != self.after[name])
        self.title = title

    def rows(self) -> list[tuple[str, str, str, bool]]:
        """Name, value before, value after, whether it changed."""
        rows = []
        for name in self.names:
            show = flags if name == "nzcv" else value
            old, new = self.before.get(name), self.after.get(name)
            rows.append((
                "flags" if name == "nzcv" else name,
                "" if old is None else show(old),
                "" if new is None else show(new),
                old != new,
            ))
        return rows

    def text(self) -> str:
        lines = [self.title] if self.title else []
        body = [[name, old, "->" if moved else "  ", new if moved else "(the same)"]
                for name, old, new, moved in self.rows()]
        lines.extend("  " + line for line in columns(body))
        if not body:
            lines.append("  no register changed")
        return "\n".join(lines)

    def html(self) -> str:
        rows = [
            [tag("td", tag("code", esc(name))), tag("td", tag("code", esc(old))),
             tag("td", tag("code", esc(new)) + (" ◂ changed" if moved else ""),
                 class_="yk-changed" if moved else None)]
            for name, old, new, moved in self.rows()
        ]
        head = tag("p", esc(self.title), class_="yk-title") if self.title else ""
        return tag("div", head, table(["register", "before", "after"], rows), class_="yk")
