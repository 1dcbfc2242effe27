"""What the doctor can ask of a machine, and the answers of this one.

Every check asks a :class:`Machine` and nothing else, so a test can show the
doctor any machine it likes.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import os
import platform
import shlex
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

_PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its exit status (minus the signal's number if killed)."""

    status: int
    output: str         # stdout and stderr, mixed

    @property
    def last_line(self) -> str:
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1] if lines else ""


class Machine(Protocol):
    """The questions."""

    @property
    def version(self) -> tuple[int, int, int]:
        """Of Python."""

    @property
    def system(self) -> str:
        """As sys.platform: "darwin", "linux", "win32"."""

    @property
    def processor(self) -> str:
        """As platform.machine(): "arm64", "aarch64", "x86_64"."""

    @property
    def isolated(self) -> bool:
        """Whether this is a virtual or conda environment."""

    @property
    def python(self) -> str:
        """How a reader starts this Python, quoted for a shell."""

    @property
    def program_folder(self) -> str:
        """The folder of its programs, as a full path."""

    def which(self, name: str) -> str | None:
        """The path of a program, or None."""

    def run(self, *command: str) -> Outcome:
        """Run a command; a missing one has status 127."""

    def try_python(self, code: str) -> Outcome:
        """Run code in a Python of its own, which it may well kill."""

    def installed(self, distribution: str) -> str | None:
        """The version of an installed package, or None."""

    def module_files(self, module: str) -> frozenset[str] | None:
        """The names in a package's folder, or None where it cannot be found."""

    def refuses_port(self, port: int) -> str | None:
        """Why one cannot listen on 127.0.0.1:port, or None if one can."""

    def translated(self) -> bool:
        """Whether this is an Intel Python that Rosetta runs on Apple silicon."""


class Here:
    """This machine."""

    version = sys.version_info[:3]
    system = sys.platform
    processor = platform.machine()
    isolated = sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ

    @cached_property
    def python(self) -> str:
        return shlex.quote(_as_typed(Path(sys.executable)))

    @cached_property
    def program_folder(self) -> str:
        return str(Path(sys.executable).absolute().parent)

    def which(self, name: str) -> str | None:
        return shutil.which(name)

    def run(self, *command: str) -> Outcome:
        try:
            done = subprocess.run(
                command, check=False, text=True, errors="replace", timeout=_PATIENCE_SECONDS,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
        except subprocess.TimeoutExpired:
            return Outcome(124, f"no answer within {_PATIENCE_SECONDS:.0f} seconds")
        except OSError as error:
            return Outcome(127, str(error.strerror))
        return Outcome(done.returncode, done.stdout)

    def try_python(self, code: str) -> Outcome:
        return self.run(sys.executable, "-c", code)

    def installed(self, distribution: str) -> str | None:
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            return None

    def module_files(self, module: str) -> frozenset[str] | None:
        try:
            # Not importlib.util.find_spec: what was imported before is not what is there now.
            spec = importlib.machinery.PathFinder.find_spec(module)
        except (ImportError, ValueError):
            return None
        if spec is None or spec.origin is None:
            return None
        return frozenset(entry.name for entry in Path(spec.origin).parent.iterdir())

    def refuses_port(self, port: int) -> str | None:
        try:
            with socket.create_server(("127.0.0.1", port)):
                return None
        except OSError as error:
            return error.strerror or str(error)

    def translated(self) -> bool:
        if self.system != "darwin" or self.processor != "x86_64":
            return False
        return self.run("/usr/sbin/sysctl", "-n", "sysctl.proc_translated").output.strip() == "1"


def _as_typed(path: Path) -> str:
    """The path as short as a reader would type it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
