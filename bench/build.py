"""What building the server costs, from text to a signed executable."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from bench.measure import Figure, best, timed
from ymawky_kit import chapters, macho
from ymawky_kit.link import link
from ymawky_kit.paths import asm_root

#: In a process of its own: the import of the kit, then the first build.
_COLD = """
import time
began = time.perf_counter()
from ymawky_kit import chapters
imported = time.perf_counter()
chapters.build()
print(imported - began, time.perf_counter() - imported)
"""


def figures() -> Iterator[Figure]:
    """Everything about building the newest server."""
    cold = [_cold() for _ in range(3)]
    yield Figure("import of the kit for a build", min(c[0] for c in cold) * 1e3, "ms", 300,
                 at_most=True)
    yield Figure("assemble, link and sign the server, cold", min(c[1] for c in cold) * 1e3, "ms",
                 500, at_most=True, peer=_peer())
    built = chapters.build()
    yield Figure("the same again, nothing changed", best(lambda: timed(chapters.build)) * 1e3,
                 "ms", 100, at_most=True)
    again = best(lambda: timed(lambda: link(built.objects, identifier="bench")))
    yield Figure("  of which linking", again * 1e3, "ms")
    yield Figure("  of which writing and signing",
                 best(lambda: timed(lambda: macho.build(built.image))) * 1e3, "ms")


def _cold() -> tuple[float, float]:
    """Seconds of the import and of the first build."""
    done = subprocess.run([sys.executable, "-c", _COLD], capture_output=True, text=True,
                          check=True)
    imported, built = done.stdout.split()
    return float(imported), float(built)


def _peer() -> str:
    """The same modules by ziglang's clang, one process each, and its linker."""
    if find_spec("ziglang") is None:
        return ""
    with tempfile.TemporaryDirectory(prefix="ymawky-bench-") as name:
        folder = Path(name)
        environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": name, "ZIG_LOCAL_CACHE_DIR": name}
        zig = [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-macos.11.0", "-g0",
               "-nostdlib", *(f"-I{path}" for path in chapters.include_paths())]

        def build() -> None:
            objects = []
            program = chapters.find(None)
            for module in program.modules:
                objects.append(str(folder / f"{module.replace('/', '.')}.o"))
                subprocess.run([*zig, "-c", "-o", objects[-1],
                                str(program.path(module, asm_root()))],
                               env=environment, check=True)
            subprocess.run([*zig, "-lSystem", f"-Wl,-e,{program.entry}", "-o",
                            str(folder / "server"), *objects], env=environment, check=True)

        return f"clang and linker of zig: {timed(build) * 1e3:,.0f} ms"
