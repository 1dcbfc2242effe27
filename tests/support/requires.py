"""System programs that some tests need, and what happens when one is missing.

Mark a test, a class or a whole file::

    from support.requires import program, requires

    @requires("llvm-objdump")
    def test_objdump_reads_our_file(tmp_path): ...

or ask from inside a fixture or a test::

    linker = program("ld64.lld")

Where the program is missing the test is skipped with "needs NAME: install with …",
and the last lines of the run repeat it.  With ``YMAWKY_REQUIRE_ALL=1`` (what
``.ci/run`` sets) such a skip is a failure instead.
"""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

#: A skip with a reason that starts so is right everywhere, CI included.
RIGHT_TO_SKIP: Final = "only "

_LLVM_VERSIONS: Final = range(30, 12, -1)
_MAC_APPLICATIONS: Final = Path("/Applications")


@dataclass(frozen=True, slots=True)
class Program:
    """One program: the commands it may be called by, and how to install it."""

    name: str
    debian: str
    mac: str
    commands: tuple[str, ...] = ()      # other names of it, tried in order
    bundles: tuple[str, ...] = ()       # paths below /Applications
    llvm: bool = False                  # also NAME-14 and /usr/lib/llvm-14/bin/NAME
    only: str | None = None             # sys.platform of the one system that has it

    @property
    def install(self) -> str:
        return self.mac if sys.platform == "darwin" else self.debian

    def find(self) -> Path | None:
        """The program's path, or None."""
        for command in (self.name, *self.commands):
            found = shutil.which(command)
            if found is not None:
                return Path(found)
        candidates = [_MAC_APPLICATIONS / bundle for bundle in self.bundles]
        if self.llvm:
            for version in _LLVM_VERSIONS:
                candidates.append(Path(f"/usr/bin/{self.name}-{version}"))
                candidates.append(Path(f"/usr/lib/llvm-{version}/bin/{self.name}"))
            candidates.append(Path("/opt/homebrew/opt/llvm/bin", self.name))
            candidates.append(Path("/opt/homebrew/opt/lld/bin", self.name))
        return next((path for path in candidates if os.access(path, os.X_OK)), None)


def _llvm(name: str, package: str) -> Program:
    return Program(name, f"apt install {package}", f"brew install {package}", llvm=True)


def _mac(name: str) -> Program:
    return Program(name, "", "xcode-select --install", only="darwin")


PROGRAMS: Final[dict[str, Program]] = {
    entry.name: entry
    for entry in (
        Program(
            "chromium",
            "apt install chromium",
            "brew install --cask chromium",
            commands=("chromium-browser", "google-chrome", "google-chrome-stable"),
            bundles=(
                "Google Chrome.app/Contents/MacOS/Google Chrome",
                "Chromium.app/Contents/MacOS/Chromium",
            ),
        ),
        Program("ffmpeg", "apt install ffmpeg", "brew install ffmpeg"),
        Program("ffprobe", "apt install ffmpeg", "brew install ffmpeg"),
        Program("curl", "apt install curl", "brew install curl"),
        Program("wget", "apt install wget", "brew install wget"),
        Program("aria2c", "apt install aria2", "brew install aria2"),
        Program("git", "apt install git", "xcode-select --install"),
        Program("make", "apt install make", "xcode-select --install"),
        Program("wrk", "apt install wrk", "brew install wrk"),
        Program("qemu-aarch64", "apt install qemu-user", "apt install qemu-user", only="linux"),
        _llvm("clang", "clang"),
        _llvm("llvm-mc", "llvm"),
        _llvm("llvm-nm", "llvm"),
        _llvm("llvm-objdump", "llvm"),
        _llvm("llvm-otool", "llvm"),
        _llvm("llvm-readobj", "llvm"),
        _llvm("ld64.lld", "lld"),
        _mac("codesign"),
        _mac("otool"),
        _mac("xcrun"),
    )
}


def requires(*names: str) -> pytest.MarkDecorator:
    """A mark for tests that need every one of these programs."""
    for name in names:
        PROGRAMS[name]      # a name that is not listed is a mistake in the test
    return pytest.mark.requires(*names)


def program(name: str) -> Path:
    """Where a program is; skips the running test when this machine lacks it."""
    found = _find(name)
    if found is not None:
        return found
    pytest.skip(reason(name))


def reason(name: str) -> str:
    """What the skip says."""
    entry = PROGRAMS[name]
    if entry.only is not None and entry.only != sys.platform:
        return f"{RIGHT_TO_SKIP}on {'macOS' if entry.only == 'darwin' else 'Linux'}: {name}"
    return f"needs {name}: install with {entry.install}"


def runs_natively() -> bool:
    """Whether this machine's own kernel runs our executables."""
    return sys.platform == "darwin" and platform.machine() == "arm64"


def missing_programs(reasons: list[str]) -> dict[str, tuple[str, int]]:
    """Skip reasons to {program: (how to install it, tests skipped)}; others are ignored."""
    found: dict[str, tuple[str, int]] = {}
    for text in reasons:
        match = re.search(r"needs ([\w.+-]+): install with (.+)$", text)
        if match:
            name, install = match.groups()
            found[name] = (install, found.get(name, ("", 0))[1] + 1)
    return found


def all_required() -> bool:
    """Whether a skip for a missing program is a failure here."""
    return os.environ.get("YMAWKY_REQUIRE_ALL", "") not in ("", "0")


@functools.cache
def _find(name: str) -> Path | None:
    return PROGRAMS[name].find()
