"""Where the assembly sources and the site are, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent


def asm_root() -> Path:
    """The folder that holds chapters.toml: src/asm of the checkout, or the wheel's copy."""
    carried = _PACKAGE / "_asm"
    return carried if carried.is_dir() else _PACKAGE.parent / "src" / "asm"


def checkout() -> Path | None:
    """The top of the checkout this package runs from, or None for an installed wheel."""
    top = _PACKAGE.parent
    return top if (top / "src" / "asm").is_dir() else None


def docroot() -> Path:
    """The site that is served unless another is named: the checkout's, or the wheel's copy."""
    carried = _PACKAGE / "_docroot"
    return carried if carried.is_dir() else _PACKAGE.parent / "docroot"
