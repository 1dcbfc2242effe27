"""`ymawky regen`: run the notebooks and store what they showed, and what programs cost.

The stored outputs are what readers of the published book see and what nbval
compares with, so the same sources must give the same bytes on every machine.
The patterns that nbval uses to hide what may vary (tests/nbval_sanitize.cfg) are
applied to what is stored as well.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ymawky_kit.lab import notebook as nb
from ymawky_kit.source import KitError

_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CELL_TIMEOUT_SECONDS: Final = 60
#: Notebooks that run at a time: each keeps a processor busy.
AT_A_TIME: Final = max(1, min(4, os.cpu_count() or 1))

Rules = tuple[tuple[re.Pattern[str], str], ...]


def load_rules(path: Path) -> Rules:
    """`regex: …` lines each followed by `replace: …`, as nbval reads them."""
    rules: list[tuple[re.Pattern[str], str]] = []
    pending: str | None = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("regex:"):
            pending = line.removeprefix("regex:").strip()
        elif line.startswith("replace:") and pending is not None:
            rules.append((re.compile(pending), line.removeprefix("replace:").strip()))
            pending = None
    return tuple(rules)


def sanitize(value: Any, rules: Rules) -> Any:
    """Every string inside `value` with the rules applied."""
    if isinstance(value, str):
        for pattern, new in rules:
            value = pattern.sub(new, value)
        return value
    if isinstance(value, list):
        return [sanitize(item, rules) for item in value]
    if isinstance(value, dict):
        return {key: sanitize(item, rules) for key, item in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class Regenerated:
    """One notebook: its file's text now, and as it is on disk."""

    path: Path
    text: str
    was: str

    @property
    def moved(self) -> bool:
        return self.text != self.was


async def execute(notebook: nb.Notebook, where: Path) -> nb.Notebook:
    """Run every cell in a fresh kernel; raises :class:`KitError` naming the cell that fails."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    node: Any = nbformat.reads(nb.dumps(notebook), as_version=4)  # type: ignore[no-untyped-call]
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None
    client = NotebookClient(
        node, timeout=CELL_TIMEOUT_SECONDS, kernel_name=nb.KERNEL["name"], record_timing=False,
        coalesce_streams=True, extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(where)}})
    try:
        await client.async_execute()
    except CellExecutionError as error:
        raise KitError.of(f"a cell raised {error.ename}: {error.evalue}",
                          hint="tag it raises-exception if that is what it shows") from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise KitError.of(f"a cell did not end: {error}") from None
    done: nb.Notebook = node
    return done


def tidy(done: nb.Notebook, rules: Rules) -> nb.Notebook:
    """What is stored: outputs sanitised, no times, no versions, text as lists of lines."""
    cells = []
    for cell in done["cells"]:
        kept: dict[str, Any] = {
            "cell_type": cell["cell_type"],
            "id": cell["id"],
            "metadata": {k: v for k, v in cell["metadata"].items() if k == "tags"},
            "source": nb.lines(nb.source(cell)),
        }
        if cell["cell_type"] == "code":
            kept["execution_count"] = cell["execution_count"]
            kept["outputs"] = [_output(output, rules) for output in cell["outputs"]]
        cells.append(kept)
    return {
        "cells": cells,
        "metadata": {"kernelspec": dict(nb.KERNEL), "language_info": dict(nb.LANGUAGE)},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _output(output: dict[str, Any], rules: Rules) -> dict[str, Any]:
    kept: dict[str, Any] = {"output_type": output["output_type"]}
    kind = output["output_type"]
    if kind == "stream":
        kept["name"] = output["name"]
        kept["text"] = nb.lines(sanitize(output["text"], rules))
    elif kind == "error":
        kept["ename"] = output["ename"]
        kept["evalue"] = sanitize(output["evalue"], rules)
        kept["traceback"] = [_ANSI.sub("", sanitize(line, rules)) for line in output["traceback"]]
    else:
        kept["data"] = {
            mime: nb.lines(sanitize(text, rules)) if isinstance(text, str)
            else sanitize(text, rules)
            for mime, text in sorted(output["data"].items())
        }
        kept["metadata"] = dict(output.get("metadata", {}))
        if kind == "execute_result":
            kept["execution_count"] = output["execution_count"]
    return kept


async def regenerate(path: Path, rules: Rules) -> Regenerated:
    """Run one notebook; raises :class:`KitError` when a cell or a rule fails."""
    import nbformat

    stored = nb.read(path)
    try:
        done = tidy(await execute(stored, path.parent), rules)
    except KitError as error:
        raise KitError.of(f"{path.name}: {error}") from None
    broken = nb.faults(path.name, done)
    if broken:
        raise KitError.of("\n".join(str(fault) for fault in broken))
    text = nb.dumps(done)
    nbformat.validate(nbformat.reads(text, as_version=4))  # type: ignore[no-untyped-call]
    return Regenerated(path, text, path.read_text(encoding="utf-8"))


async def _all(paths: Sequence[Path], rules: Rules,
               begin: Callable[[Path], None]) -> list[Regenerated]:
    """Run notebooks, some at a time; the first failure ends the others."""
    room = asyncio.Semaphore(AT_A_TIME)

    async def one(path: Path) -> Regenerated:
        async with room:
            begin(path)
            return await regenerate(path, rules)

    # The long ones first, so that none is left over at the end.
    tasks = {path: asyncio.create_task(one(path))
             for path in sorted(paths, key=lambda path: -path.stat().st_size)}
    try:
        await asyncio.gather(*tasks.values())
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    return [tasks[path].result() for path in paths]


def regen(chosen: Sequence[Path] = (), *, check: bool = False,
          pages: bool = True, progress: Callable[[Path], None] | None = None) -> list[str]:
    """Run the notebooks; returns one line for each whose stored outputs were not these.

    With `pages`, the page of measured numbers is made anew as well.  With `check`,
    nothing is written.
    """
    rules = load_rules(nb.folder().parent / "tests" / "nbval_sanitize.cfg")
    said = []
    for result in asyncio.run(_all(nb.paths(chosen), rules, progress or (lambda path: None))):
        if result.moved:
            said.append(f"{result.path.name}: stored outputs differ from what it shows now")
            if not check:
                result.path.write_text(result.text, encoding="utf-8")
    if pages:
        from ymawky_kit.lab import growth

        page = nb.folder().parent / growth.PAGE
        if progress is not None:
            progress(page)
        text = growth.markdown()
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            said.append(f"{page.name}: its numbers differ from what is measured now")
            if not check:
                page.write_text(text, encoding="utf-8")
    return said
