"""`ymawky check`: run a chapter's notebook anew and compare with what is stored in it.

The file is only read.  Cells are compared by what they show: text, pictures and
tables, and the name and the message of an error, not its traceback.
"""

from __future__ import annotations

import difflib
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

from ymawky_kit.lab import notebook as nb
from ymawky_kit.lab.regen import CELL_TIMEOUT_SECONDS, Rules, tidy
from ymawky_kit.source import KitError

_LIMIT: Final = "CellOutOfTime"
_DIFF_MAX: Final = 24
_WIDTH: Final = 110


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell that shows something else than what is stored."""

    number: int         # of the cell, as Jupyter counts: [12]
    heading: str        # above it
    first: str          # its first line
    diff: tuple[str, ...]


def replay(path: Path, rules: Rules, *, seconds: float = CELL_TIMEOUT_SECONDS,
           progress: Callable[[int], None] | None = None) -> list[Difference]:
    """Run a notebook in a fresh kernel; what is not as stored, cell by cell.

    Raises :class:`KitError` for a cell that does not end and for a kernel that dies,
    naming the cell.
    """
    import nbformat

    stored = nb.read(path)
    fresh = tidy(_run(path, stored, seconds, progress), rules)
    kept = tidy(nbformat.reads(nb.dumps(stored), as_version=4), rules)  # type: ignore[no-untyped-call]
    found = []
    number, heading = 0, ""
    for before, after in zip(kept["cells"], fresh["cells"], strict=True):
        if before["cell_type"] == "markdown":
            heading = _heading(nb.source(before)) or heading
        if before["cell_type"] != "code":
            continue
        number += 1
        diff = _compare(before["outputs"], after["outputs"])
        if diff:
            found.append(Difference(number, heading, first_line(nb.source(before)), diff))
    return found


def first_line(source: str) -> str:
    """The first line of a cell that says something, shortened."""
    line = next((line.strip() for line in source.splitlines() if line.strip()), "")
    return line if len(line) <= 70 else f"{line[:67]}..."


def _run(path: Path, stored: nb.Notebook, seconds: float,
         progress: Callable[[int], None] | None) -> nb.Notebook:
    import nbformat
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError

    node: Any = nbformat.reads(nb.dumps(stored), as_version=4)  # type: ignore[no-untyped-call]
    late: list[int] = []

    def look(cell: Any, cell_index: int, execute_reply: Any) -> None:
        if execute_reply["content"].get("ename") == _LIMIT:
            late.append(cell_index)

    client = NotebookClient(
        node, timeout_func=lambda cell: seconds, kernel_name=nb.KERNEL["name"], record_timing=False,
        coalesce_streams=True, allow_errors=True, extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}}, on_cell_executed=look,
        # A cell that is interrupted still tidies up behind itself.
        interrupt_on_timeout=True,
        error_on_timeout={"ename": _LIMIT, "evalue": "", "traceback": []},
    )
    number = 0
    try:
        # On Ctrl-C the kernel and the client's tasks would both say how they were cut off.
        with TemporaryFile() as said, _told(said), client.setup_kernel(stderr=said):
            for index, cell in enumerate(node.cells):
                if cell.cell_type != "code":
                    continue
                cell.outputs, cell.execution_count = [], None
                number += 1
                if progress is not None:
                    progress(number)
                if cell.source.strip():
                    client.execute_cell(cell, index)
                if late:
                    raise _stopped(path, stored, number, f"did not end within {seconds:g} s")
    except KeyboardInterrupt:
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        raise
    except DeadKernelError:
        raise _stopped(path, stored, number, "ended the kernel itself") from None
    except NoSuchKernel:
        raise KitError.of("Jupyter has no kernel for Python",
                          hint="pip install -e '.[lab]'; ymawky doctor looks further") from None
    done: nb.Notebook = node
    return done


@contextmanager
def _told(said: IO[bytes]) -> Iterator[None]:
    """What a kernel said on standard error is shown when it ends, unless it was told to."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException:
        said.seek(0)
        sys.stderr.write(said.read().decode(errors="replace"))
        raise


def _stopped(path: Path, stored: nb.Notebook, number: int, what: str) -> KitError:
    cell = list(nb.code_cells(stored))[number - 1]
    return KitError.of(f"{path.name}: cell [{number}], '{first_line(nb.source(cell))}', {what}")


def _heading(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("#")]
    return lines[-1].lstrip("#").strip() if lines else ""


def _compare(stored: list[Any], fresh: list[Any]) -> tuple[str, ...]:
    """A short diff: of the text that one sees, or else of what lies under a picture."""
    before, after = list(_text(stored)), list(_text(fresh))
    if before == after:
        before, after = list(_rich(stored)), list(_rich(fresh))
    lines = [line for line in difflib.unified_diff(before, after, lineterm="", n=1)
             if not line.startswith(("---", "+++", "@@"))]
    shown = [line if len(line) <= _WIDTH else f"{line[:_WIDTH - 3]}..." for line in lines]
    if len(shown) > _DIFF_MAX:
        shown = [*shown[:_DIFF_MAX], f"... {len(shown) - _DIFF_MAX} more lines"]
    return tuple(shown)


def _text(outputs: list[Any]) -> Iterator[str]:
    for output in outputs:
        match output["output_type"]:
            case "stream":
                yield from "".join(output["text"]).splitlines()
            case "error":
                yield from f"{output['ename']}: {output['evalue']}".splitlines()
            case _:
                yield from "".join(output["data"].get("text/plain", ())).splitlines()


def _rich(outputs: list[Any]) -> Iterator[str]:
    for output in outputs:
        for kind, value in sorted(output.get("data", {}).items()):
            text = "".join(value) if isinstance(value, list) else str(value)
            yield f"[{kind}]"
            yield from text.replace("><", ">\n<").splitlines()
        if output["output_type"] == "stream":
            yield f"[{output['name']}]"
