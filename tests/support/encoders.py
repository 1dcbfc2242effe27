"""The two encoders, where they can be had."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ymawky_kit.asm import ClangEncoder, Encoder, KeystoneEncoder
from ymawky_kit.source import KitError

NAMES = ("keystone", "clang")


def encoder(name: str) -> Encoder:
    """An encoder by name; skips the test where it is not installed."""
    try:
        return KeystoneEncoder() if name == "keystone" else ClangEncoder()
    except KitError as error:
        pytest.skip(f"needs {name}: {error}")


class Nops:
    """Stands in where only the front-end is tested and Keystone is missing."""

    name = "nops"

    def encode(self, instructions: Sequence[str]) -> list[bytes | None]:
        return [b"\x1f\x20\x03\xd5" for _ in instructions]
