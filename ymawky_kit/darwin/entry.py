"""From a row of the table to one function that reads and writes the registers.

A call costs microseconds, and decoding arguments by looking at their kinds one by
one would be most of it.  So a row's kinds are joined to the source of a small
function, which Python compiles once, however many machines there are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

from ymawky_kit.darwin.table import Returns, Row
from ymawky_kit.emu.cpu import CALL_NZCV, CARRY

if TYPE_CHECKING:
    from ymawky_kit.darwin.task import Task

_MASK64: Final = 0xFFFF_FFFF_FFFF_FFFF


def compile_entry(row: Row, task: Task, first: int) -> Callable[[], None]:
    """One function that decodes the arguments, calls the row and writes the registers.

    `first` is 1 for an indirect call, whose arguments start at x1.
    """
    key = (row.number, first)
    cache: dict[tuple[int, int], Callable[[], None]] = task.state.setdefault("entries", {})
    found = cache.get(key)
    if found is not None:
        return found
    arguments = ["task", *(
        kind.code.format(x=f"call[{index}]") for index, kind in enumerate(row.kinds, first)
    )]
    lines = ["def entry():", f"    result = handler({', '.join(arguments)})"]
    if row.number < 0:
        # A Mach trap writes x0 only; flags and x1 stay.
        lines.append(f"    leave((result or 0) & {_MASK64:#x}, call[1], call[{CALL_NZCV}])")
    elif row.returns is Returns.PAIR:
        lines.append(
            f"    leave(result[0] & {_MASK64:#x}, result[1], "
            f"call[{CALL_NZCV}] & {~CARRY & _MASK64:#x})"
        )
    elif row.returns is not Returns.KEPT:
        mask = 0xFFFFFFFF if row.returns is Returns.UINT else _MASK64
        lines.append(
            f"    leave(result & {mask:#x} if result else 0, 0, "
            f"call[{CALL_NZCV}] & {~CARRY & _MASK64:#x})"
        )
    names: dict[str, Any] = {
        "handler": row.handler, "task": task, "memory": task.memory,
        "call": task.cpu.call, "leave": task.cpu.leave,
    }
    exec(_compiled("\n".join(lines), f"<entry of {row.name}>"), names)
    entry: Callable[[], None] = names["entry"]
    cache[key] = entry
    return entry


@lru_cache(maxsize=1 << 10)
def _compiled(source: str, name: str) -> CodeType:
    return compile(source, name, "exec")
