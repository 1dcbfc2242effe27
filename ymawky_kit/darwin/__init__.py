"""An emulated Darwin kernel: what macOS programs for arm64 ask for, on any Unix.

Read in this order: table (what a row is), task (what a row works on), kernel and entry
(from `svc` to a row and back), delivery and frame (signals), program (exec), startup
(all of it put together); then any module of rows, process or opening say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ymawky_kit.darwin.startup import boot as boot

__all__ = ["boot"]


def __getattr__(name: str) -> Any:
    # Unicorn takes a while to load: only who boots a machine pays for it.
    if name == "boot":
        from ymawky_kit.darwin.startup import boot

        return boot
    raise AttributeError(name)
