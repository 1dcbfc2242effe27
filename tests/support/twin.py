"""The same program by other hands: linked by lld or zig, assembled by LLVM or by the kit.

With the kit's own object files the linker is all that differs; with LLVM's no line of
ours is in the twin but the list of modules in chapters.toml.  What both twins do must
be the same; where they differ, our assembler, linker, writer or signer is wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from support.requires import program
from ymawky_kit import chapters, macho
from ymawky_kit.paths import asm_root

LINKERS: Final = ("lld", "zig")
ASSEMBLERS: Final = ("kit", "zig")      # and "clang", the system's
#: Enough of Apple's stub library for a linker that is asked for no symbol of it.
_LIBSYSTEM: Final = """\
--- !tapi-tbd
tbd-version: 4
targets: [ arm64-macos ]
install-name: '/usr/lib/libSystem.B.dylib'
current-version: 1351
exports:
  - targets: [ arm64-macos ]
    symbols: [ dyld_stub_binder ]
...
"""


def twin(name: str | None, folder: Path, linker: str = "lld", assembler: str = "zig") -> Path:
    """Build a program of chapters.toml in `folder`; returns the executable."""
    found = chapters.find(name)
    target = folder / f"{found.name}.{assembler}.{linker}"
    if target.exists():
        return target
    if assembler == "kit":
        objects = []
        for module in chapters.build(found.name).objects:
            objects.append(folder / f"{module.name.replace('/', '.')}.kit.o")
            objects[-1].write_bytes(macho.write_object(module))
    else:
        objects = [assemble(found.path(module, asm_root()),
                            folder / f"{module.replace('/', '.')}.{assembler}.o", assembler)
                   for module in found.modules]
    return link(objects, target, linker, entry=found.entry)


def assemble(source: Path, target: Path, assembler: str = "zig") -> Path:
    """One object file by LLVM's assembler; made once in a folder."""
    if target.exists():
        return target
    include = [f"-I{path}" for path in chapters.include_paths()]
    if assembler == "zig":
        command = [*zig("cc"), "-target", "aarch64-macos.11.0"]
    else:
        command = [str(program("clang")), "-target", "arm64-apple-macos11"]
    _run([*command, "-g0", "-c", *include, "-o", str(target), str(source)], target.parent)
    return target


def link(objects: list[Path], target: Path, linker: str = "lld", *, entry: str = "start",
         sdk: str = "14.0") -> Path:
    """An executable by a linker that is not ours, signed ad hoc."""
    names = [str(path) for path in objects]
    if linker == "lld":
        library = target.parent / "libSystem.tbd"
        library.write_text(_LIBSYSTEM)
        command = [str(program("ld64.lld")), "-arch", "arm64", "-platform_version", "macos",
                   "11.0", sdk, "-adhoc_codesign", "-e", entry, "-o", str(target), *names,
                   str(library)]
    else:
        command = [*zig("cc"), "-target", "aarch64-macos.11.0", "-nostdlib", "-lSystem",
                   f"-Wl,-e,{entry}", "-o", str(target), *names]
    _run(command, target.parent)
    return target


def zig(tool: str) -> list[str]:
    """The command of a tool of ziglang; skips the test where it is not installed."""
    pytest.importorskip("ziglang", reason="needs ziglang: pip install ziglang")
    return [sys.executable, "-m", "ziglang", tool]


def _run(command: list[str], folder: Path) -> None:
    cache = str(folder / "zig-cache")
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False,
                          timeout=100)
    shown = "\n".join(done.stderr.splitlines()[:6])
    assert 0 == done.returncode, f"{command[0]} for {command[-2]}: {shown}"
