"""Run programs: natively on Apple silicon, under the emulated Darwin elsewhere."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ymawky_kit.emu.exit import ExitStatus

if TYPE_CHECKING:
    from ymawky_kit.run.runners import (
        EmulatedRunner,
        NativeRunner,
        Process,
        Runner,
        default_runner,
        runner,
    )
    from ymawky_kit.run.tracing import trace

__all__ = [
    "EmulatedRunner", "ExitStatus", "NativeRunner", "Process", "Runner", "default_runner",
    "runner", "trace",
]


def __getattr__(name: str) -> Any:
    # The emulated process imports this package too, and needs none of the rest.
    if name == "trace":
        return import_module("ymawky_kit.run.tracing").trace
    if name in __all__:
        return getattr(import_module("ymawky_kit.run.runners"), name)
    raise AttributeError(name)
