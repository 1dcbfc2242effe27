"""The other things that are looked at, one function each."""

from __future__ import annotations

import re
from typing import Final

from ymawky_kit import paths
from ymawky_kit.doctor.finding import Finding, good, note, problem
from ymawky_kit.doctor.machine import Machine

OLDEST_PYTHON: Final = (3, 11)
OLDEST_UNICORN: Final = (2, 1, 4)       # earlier ones crash on Apple silicon
OLDEST_CAPSTONE: Final = (5, 0, 3)
PORT: Final = 8080

CLANG_PROBE: Final = """
from ymawky_kit.asm.encoder import ClangEncoder
encoder = ClangEncoder()
assert encoder.encode(["nop"]) == [bytes.fromhex("1f2003d5")]
print(" ".join(encoder._command[:1]))
"""

#: Two instructions at EL0: x0 = 42, then a jump to the end.
UNICORN_PROBE: Final = """
from unicorn import UC_ARCH_ARM64, UC_MODE_ARM, Uc
from unicorn.arm64_const import UC_ARM64_REG_X0
machine = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
machine.mem_map(0x4000, 0x4000)
machine.mem_write(0x4000, bytes.fromhex("400580d2" "1f2003d5"))
machine.emu_start(0x4000, 0x4008)
assert machine.reg_read(UC_ARM64_REG_X0) == 42
"""

CAPSTONE_PROBE: Final = """
from capstone import CS_ARCH_ARM64, CS_MODE_ARM, Cs
decoder = Cs(CS_ARCH_ARM64, CS_MODE_ARM)
assert [text for _, _, text, _ in decoder.disasm_lite(bytes.fromhex("1f2003d5"), 0)] == ["nop"]
"""

#: The whole way once: build the first program, run it, see its exit status.
ANSWER_PROBE: Final = """
import pathlib, tempfile
from ymawky_kit import chapters, macho
from ymawky_kit.run import default_runner
with tempfile.TemporaryDirectory(prefix="ymawky-") as folder:
    program = pathlib.Path(folder, "answer")
    macho.install(chapters.build("answer").data, program)
    status = default_runner().start(program).wait(30)
assert status.code == 42, f"it ended with {status}"
"""


def python(machine: Machine) -> Finding:
    version = ".".join(map(str, machine.version))
    if machine.system == "win32":
        return problem("python", "Windows itself is not supported, its Linux is", "wsl --install")
    if machine.version[:2] < OLDEST_PYTHON:
        newer = (
            "brew install python@3.12" if machine.system == "darwin" else "apt install python3"
        )
        return problem("python", f"{version}; the kit needs 3.11 or newer", newer)
    return good("python", version)


def environment(machine: Machine) -> Finding:
    if machine.isolated:
        return good("environment", "a virtual environment of its own")
    return note(
        "environment",
        "not a virtual environment: what is installed here is shared with other programs",
        "make serve" if paths.checkout() else f"{machine.python} -m venv .venv",
    )


def sources(machine: Machine) -> Finding:
    if (paths.asm_root() / "chapters.toml").is_file():
        where = "of this checkout" if paths.checkout() else "that came with the package"
        return good("sources", f"the assembly sources {where}")
    return problem(
        "sources", "the assembly sources are missing from this installation",
        f"{machine.python} -m pip install --force-reinstall --no-deps ymawky-kit",
    )


def clang(machine: Machine) -> Finding:
    outcome = machine.try_python(CLANG_PROBE)
    if outcome.status == 0:
        return good("clang", f"{outcome.last_line} assembles for Apple silicon")
    if machine.system == "darwin":
        return note("clang", "the command-line tools are not there", "xcode-select --install")
    return note(
        "clang", "no clang that assembles for Apple silicon",
        f"{machine.python} -m pip install ziglang",
    )


def unicorn(machine: Machine) -> Finding:
    finding = _package(machine, "unicorn", OLDEST_UNICORN, UNICORN_PROBE)
    if runs_natively(machine) and finding.mend is not None:
        # The server runs, but the traces that the book shows come from the emulator.
        return note(finding.subject, finding.text, finding.mend)
    return finding


def capstone(machine: Machine) -> Finding:
    return _package(machine, "capstone", OLDEST_CAPSTONE, CAPSTONE_PROBE)


def _package(machine: Machine, name: str, oldest: tuple[int, ...], probe: str) -> Finding:
    version = machine.installed(name)
    wanted = ".".join(map(str, oldest))
    install = f"{machine.python} -m pip install '{name}>={wanted}'"
    if version is None:
        return problem(name, "not installed", install)
    if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < oldest:
        return problem(name, f"{version} is too old, {wanted} is the first that works", install)
    outcome = machine.try_python(probe)
    if outcome.status != 0:
        how = f"signal {-outcome.status}" if outcome.status < 0 else outcome.last_line
        again = f"{machine.python} -m pip install --no-cache-dir --force-reinstall {name}"
        return problem(name, f"{version} is installed but fails: {how}", again)
    return good(name, version)


def runs_natively(machine: Machine) -> bool:
    return machine.system == "darwin" and (machine.processor == "arm64" or machine.translated())


def running(machine: Machine) -> Finding:
    if runs_natively(machine):
        python = ", though its Python is an Intel one" if machine.translated() else ""
        return good("programs run", f"natively: this is Apple silicon{python}")
    return good("programs run", f"emulated: this is {machine.system} on {machine.processor}")


def port(machine: Machine) -> Finding:
    reason = machine.refuses_port(PORT)
    if reason is None:
        return good("port", f"{PORT} is free")
    other = PORT + 1
    command = f"make serve PORT={other}" if paths.checkout() else f"ymawky serve --port {other}"
    return note("port", f"{PORT} cannot be used ({reason})", command)


def answer(machine: Machine) -> Finding:
    outcome = machine.try_python(ANSWER_PROBE)
    if outcome.status == 0:
        return good("the whole way", "built `answer`, ran it, and it answered 42")
    return problem("the whole way", f"`answer` could not be built and run: {outcome.last_line}")
