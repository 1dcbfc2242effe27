"""The book's notebooks: `%load_ext ymawky_kit.lab`, and what their cells call.

    from ymawky_kit.lab import build, run, step

Programs and functions are built from src/asm with the changes that the notebook's
%%asm cells made.  Every result is one object with a text and an HTML form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ymawky_kit.lab.covering import coverage
    from ymawky_kit.lab.crowd import children, observe
    from ymawky_kit.lab.drive import call, step, trace
    from ymawky_kit.lab.exercise import check
    from ymawky_kit.lab.look import (
        build,
        card,
        doctor,
        dump,
        edit,
        encode,
        filemap,
        kernel_says,
        listing,
        module,
        show,
        sign,
        symbols,
        undo,
    )
    from ymawky_kit.lab.play import run, serve
    from ymawky_kit.lab.reading import inspect
    from ymawky_kit.lab.trying import tried
    from ymawky_kit.lab.watching import watch

__all__ = [
    "build", "call", "card", "check", "children", "coverage", "doctor", "dump", "edit", "encode",
    "filemap", "inspect", "kernel_says", "listing", "load_ipython_extension", "module", "observe",
    "run", "serve", "show", "sign", "step", "symbols", "trace", "tried", "undo", "watch",
]

_HOME = {
    "check": "exercise", "children": "crowd", "coverage": "covering", "call": "drive",
    "inspect": "reading", "observe": "crowd", "step": "drive", "trace": "drive", "run": "play",
    "serve": "play", "tried": "trying", "watch": "watching", "load_ipython_extension": "magics",
}


def __getattr__(name: str) -> Any:
    # Weave and the command line need none of the heavy parts: load them when asked for.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'look')}"), name)
