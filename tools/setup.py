"""Make `.venv` ready: create it, install into it, check that something can assemble.

    python3 tools/setup.py serve     what `make serve` needs: five packages
    python3 tools/setup.py all       also JupyterLab, the book and the tests

A second run sees by a stamp in `.venv` that nothing has changed and ends at once.
The versions are those of requirements.lock.  Only the standard library is used.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).resolve().parents[1]
VENV: Final = TOP / ".venv"
PYTHON: Final = str(VENV / "bin" / "python")
LOCK: Final = TOP / "requirements.lock"
EXTRAS: Final = {"serve": "", "all": "[lab,book,test]"}
CONTENTS: Final = {
    "serve": "the kit",
    "all": "the kit, JupyterLab, the book and the tests",
}
KEYSTONE_LOG: Final = VENV / "keystone-build.log"

_WORKING_VENV: Final = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
_KEYSTONE_WORKS: Final = "import keystone as k; k.Ks(k.KS_ARCH_ARM64, 0).asm('nop')"
_CAN_ASSEMBLE: Final = "from ymawky_kit.asm import default_encoder; default_encoder()"


class SetupError(Exception):
    """One line that says what is wrong and what to do."""


def main() -> None:
    level = sys.argv[1] if len(sys.argv) == 2 else ""
    if level not in EXTRAS:
        raise SetupError("usage: setup.py serve|all")
    stamp = fingerprint()
    if ready(level, stamp):
        return
    with (TOP / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)    # two makes at once: the second one waits
        if not ready(level, stamp):
            create()
            install(level)
            provide_encoder(level)
            stamp_path(level).write_text(stamp)
            say("ready")


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def fingerprint() -> str:
    """Changes whenever what is to be installed changes."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "requirements.lock", "tools/setup.py"):
        digest.update((TOP / name).read_bytes() + b"\0")
    digest.update(bytes(TOP))   # a moved checkout is a new one: .venv holds absolute paths
    return digest.hexdigest()


def stamp_path(level: str) -> Path:
    return VENV / f"ready-{level}"


def ready(level: str, stamp: str) -> bool:
    enough = ("all",) if level == "all" else ("serve", "all")
    try_stamps = [path for name in enough if (path := stamp_path(name)).is_file()]
    return any(path.read_text() == stamp for path in try_stamps) and runs(PYTHON, "-c", "")


def runs(*command: str) -> bool:
    """Whether a command can be started and succeeds; its output is not shown."""
    try:
        done = subprocess.run(
            command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError:
        return False
    return done.returncode == 0


def create() -> None:
    """A virtual environment, unless a working one is there already."""
    if runs(PYTHON, "-c", _WORKING_VENV):
        return
    version = platform.python_version()
    if not runs(sys.executable, "-c", "import ensurepip, venv"):
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        raise SetupError(f"Python {version} lacks its venv module; mend: apt install {package}")
    say(f"creating .venv with Python {version}")
    made = captured(sys.executable, "-m", "venv", "--clear", str(VENV))
    if made.returncode:
        raise SetupError(f"could not create .venv: {last_line(made.stdout)}")


def install(level: str) -> None:
    say(f"installing {CONTENTS[level]} into .venv (only this once)")
    pip("hatchling")                # the build backend, at the version of the lock
    pip("--no-build-isolation", "-e", f"{TOP}{EXTRAS[level]}")


def pip(*arguments: str) -> None:
    """pip install with the locked versions; its output is shown only if it fails."""
    done = captured(*pip_command("--constraint", str(LOCK), *arguments))
    if done.returncode:
        sys.stdout.write(done.stdout)
        offline = re.search("No matching distribution|NewConnectionError|resolution", done.stdout)
        reason = "the package index cannot be reached" if offline else last_line(done.stdout)
        raise SetupError(f"could not install: {reason}; mend that and run the same command again")


def pip_command(*arguments: str) -> list[str]:
    return [
        PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input",
        "install", "--quiet", *arguments,
    ]


def captured(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )


def provide_encoder(level: str) -> None:
    """Keystone where it has a wheel; elsewhere clang's encoder, and Keystone if it builds.

    Keystone 0.9.2 has no wheel for ARM hosts and its sources need CMake 3, which
    pip's build isolation would hide.  That it cannot be built is no failure:
    clang, Apple's or the one in ziglang, encodes the same bytes.
    """
    assembles = runs(PYTHON, "-c", _CAN_ASSEMBLE)
    if runs(PYTHON, "-c", _KEYSTONE_WORKS) or (assembles and level == "serve"):
        return
    if build_keystone() or assembles:
        return
    say("no assembler found here: installing ziglang, which brings a clang")
    pip("ziglang")
    if not runs(PYTHON, "-c", _CAN_ASSEMBLE):
        raise SetupError("nothing here can assemble; see: .venv/bin/ymawky doctor")


def build_keystone() -> bool:
    """Try the one route that works on ARM hosts; whether Keystone works afterwards."""
    if shutil.which("cc") is None or shutil.which("make") is None:
        return False
    say("building Keystone from its sources, up to three minutes (clang serves if that fails)")
    pinned = re.search(r"^keystone-engine==[\w.]+", LOCK.read_text(), re.MULTILINE)
    assert pinned is not None
    steps = (
        ("cmake<4", "setuptools", "wheel"),
        ("--no-build-isolation", "--no-cache-dir", "--no-deps", pinned.group(0)),
    )
    with KEYSTONE_LOG.open("w") as log:
        for arguments in steps:
            done = subprocess.run(
                pip_command(*arguments), check=False, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "PATH": build_path()},
            )
            if done.returncode:
                break
    works = runs(PYTHON, "-c", _KEYSTONE_WORKS)
    if not works:
        say("Keystone was not built; .venv/bin/ymawky doctor says why and what mends it")
    return works


def build_path() -> str:
    """PATH with .venv first, and without pyenv's shims: CMake would pick its python2.7."""
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    kept = [entry for entry in entries if not entry.rstrip("/").endswith("/shims")]
    return os.pathsep.join([str(VENV / "bin"), *kept])


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"setup: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
