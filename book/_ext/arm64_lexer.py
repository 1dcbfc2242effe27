"""Sphinx extension: colour the book's assembly, in code blocks and in %%asm cells.

The second lexer takes the name `ipython3`, because that is what every code cell
of a notebook asks for; it hands the body of a %%asm cell to the assembly lexer
and everything else to IPython's own.
"""

from __future__ import annotations

from typing import Any

from ymawky_kit.view.lexer import Arm64Lexer, CellLexer


def setup(app: Any) -> dict[str, Any]:
    app.add_lexer("arm64", Arm64Lexer)
    app.add_lexer("ipython3", CellLexer)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
