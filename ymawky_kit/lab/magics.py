"""`%load_ext ymawky_kit.lab`: the %%asm cells, errors without tracebacks, the player."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.display import HTML, display

from ymawky_kit.lab.weave import Place, place
from ymawky_kit.lab.workbench import Restored, Workbench
from ymawky_kit.source import KitError
from ymawky_kit.view.listing import Listing

_STATIC: Final = Path(__file__).resolve().parent.parent / "view" / "static"

#: The one workbench of this kernel.
BENCH: Final = Workbench()


@magics_class
class LabMagics(Magics):
    """The magics of the book."""

    @cell_magic
    def asm(self, line: str, cell: str) -> Listing:
        """%%asm MODULE [NAME]  or  %%asm NAME [PROGRAM]

        Assemble the cell.  MODULE NAME is a function or data of a module of src/asm,
        MODULE alone the whole module, a NAME without a slash your own program.
        """
        return run_cell(line, cell)

    @line_magic
    def reset_server(self, line: str) -> Restored:
        """%reset_server  or  %reset_server MODULE [NAME]

        Give up your changes to the server, all or those of a module or a function,
        and go back to the book's text.  Your own cells (%%asm NAME) stay.
        """
        return reset_server(line)


def reset_server(line: str) -> Restored:
    """What %reset_server does; raises :class:`KitError` for what src/asm does not have."""
    words = line.split()
    if len(words) > 2:
        raise KitError.of(f"%reset_server takes a module and a name, not {len(words)} words",
                          hint="write it like: %reset_server lib/io fd_write_all")
    return BENCH.take_back(*words)


def run_cell(line: str, body: str) -> Listing:
    """What an %%asm cell does; raises :class:`KitError` with spans into the cell."""
    where: Place | None = place(f"%%asm {line}\n")
    if where is None:
        raise KitError.of("%%asm needs a name",
                          hint="%%asm MODULE FUNCTION, as in: %%asm lib/io fd_write_all")
    if where.module:
        return BENCH.take_cell(where.module, where.name, body)
    return BENCH.take_free(where.name, body, where.base)


def assets() -> str:
    """Style and player as one script, for a page that has neither.

    The style goes into the page's head: JupyterLab takes outputs that are scrolled
    out of sight off the page, and a style in an output would go with them.
    """
    style = (_STATIC / "yk.css").read_text(encoding="utf-8")
    script = (_STATIC / "yk-trace.js").read_text(encoding="utf-8")
    # An end tag in them, be it in a comment, would end the script element.
    assert "</" not in style and "</" not in script
    return (
        "<script data-ymawky>(() => {"
        "const style = document.getElementById('yk-style') || document.createElement('style');"
        f"style.id = 'yk-style'; style.textContent = {json.dumps(style)};"
        "document.head.append(style);"
        f"}})();\n{script}</script>")


def show_error(shell: Any, kind: type[BaseException], error: BaseException,
               _traceback: object, tb_offset: object = None) -> list[str]:
    """A reader's error is its message; the kit's own lines would only hide it."""
    lines = [f"{kind.__name__}:", *str(error).splitlines()]
    shown = ["\n".join(lines)]
    shell._showtraceback(kind, error, shown)
    return shown


def load_ipython_extension(shell: Any) -> None:
    """Called by %load_ext ymawky_kit.lab."""
    shell.register_magics(LabMagics)
    shell.set_custom_exc((KitError,), show_error)
    if not (shell.has_trait("kernel") and shell.kernel is not None):
        return

    def again(info: Any) -> None:
        # IPython does nothing for an extension that is loaded, but the page may be new.
        if "%load_ext ymawky_kit.lab" in (info.raw_cell or ""):
            _bring()

    shell.events.register("pre_run_cell", again)
    _bring()


def _bring() -> None:
    display(HTML(assets()))  # type: ignore[no-untyped-call]
