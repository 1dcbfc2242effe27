"""The doctor, shown machines that readers had."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ymawky_kit import doctor
from ymawky_kit.doctor import Finding, Here, Outcome, State, checks, keystone

NOP = "1f2003d5"
BINDINGS = frozenset({"__init__.py", "keystone.py", "keystone_const.py", "arm64_const.py"})
SHIM = "/home/reader/.pyenv/shims/python2.7"
RELEASE = "keystone-engine==0.9.2"


@dataclass
class Simulated:
    """A machine made of answers; as given, one where everything works."""

    version: tuple[int, int, int] = (3, 12, 1)
    system: str = "linux"
    processor: str = "x86_64"
    isolated: bool = True
    python: str = ".venv/bin/python"
    program_folder: str = "/book/.venv/bin"
    programs: dict[str, Outcome] = field(default_factory=lambda: {
        "/usr/bin/cc": Outcome(0, "cc 15"),
        "/usr/bin/cmake": Outcome(0, "cmake version 3.31.10"),
    })
    packages: dict[str, str] = field(default_factory=lambda: {
        "keystone-engine": "0.9.2", "unicorn": "2.1.4", "capstone": "5.0.9",
    })
    files: frozenset[str] | None = BINDINGS | {"libkeystone.so"}
    probes: dict[str, Outcome] = field(default_factory=dict)
    port_refused: str | None = None
    rosetta: bool = False

    def which(self, name):
        return next((path for path in self.programs if path.endswith("/" + name)), None)

    def run(self, *command):
        return self.programs.get(command[0], Outcome(127, "No such file or directory"))

    def try_python(self, code):
        working = json.dumps({"file": "keystone/__init__.py", "code": NOP})
        return self.probes.get(code, Outcome(0, f"\n{working}\n"))

    def installed(self, distribution):
        return self.packages.get(distribution)

    def module_files(self, module):
        return self.files

    def refuses_port(self, port):
        return self.port_refused

    def translated(self):
        return self.rosetta


def refused(error: str, message: str = "", module: str | None = None) -> dict[str, Outcome]:
    answer = json.dumps({"error": error, "message": message, "module": module})
    return {keystone.PROBE: Outcome(0, "\n" + answer)}


def apple_silicon(**changes) -> Simulated:
    return Simulated(system="darwin", processor="arm64", **changes)


def absent(**changes) -> Simulated:
    """Apple silicon without Keystone."""
    probes = refused("ModuleNotFoundError", "No module named 'keystone'", "keystone")
    return apple_silicon(probes=probes, packages={}, files=None, **changes)


CC = {"/usr/bin/cc": Outcome(0, "Apple clang")}
CMAKE3 = {"/opt/cmake": Outcome(0, "cmake version 3.31.10")}
CMAKE4 = {"/opt/cmake": Outcome(0, "cmake version 4.4.4")}

# name: (the machine, what the text says, what the cure holds)
CAUSES = {
    "not installed where there is a wheel": (
        Simulated(probes=refused("ModuleNotFoundError", module="keystone"), files=None),
        "not installed", f".venv/bin/python -m pip install {RELEASE}",
    ),
    "not installed, no cmake": (
        absent(programs=CC), "no cmake", "'cmake<4'",
    ),
    "not installed, CMake 4": (
        absent(programs=CC | CMAKE4), "CMake 4.4 refuses", "'cmake<4'",
    ),
    "not installed, cmake does not run": (
        absent(programs=CC | {"/opt/cmake": Outcome(127, "")}), "does not run", "'cmake<4'",
    ),
    "not installed, no compiler on a Mac": (
        absent(programs={}), "no C compiler", "xcode-select --install",
    ),
    "not installed, CMake 3 is there": (
        absent(programs=CC | CMAKE3), "no wheel for arm64", "--no-build-isolation",
    ),
    "pyenv's python2.7 shim": (
        absent(programs=CC | CMAKE3 | {SHIM: Outcome(127, "pyenv: python2.7: not found")}),
        "only pyenv's shim", 'env PATH="/book/.venv/bin:/usr/bin:/bin:',
    ),
    "bindings without the library": (
        apple_silicon(
            probes=refused("ImportError", "ERROR: fail to load the dynamic library."),
            files=BINDINGS, programs=CC,
        ),
        "keeps the broken wheel in its cache", "--no-cache-dir --force-reinstall --no-deps",
    ),
    "bindings without the library under Python 3.12": (
        apple_silicon(
            probes=refused("ModuleNotFoundError", "No module named 'distutils'", "distutils"),
            files=BINDINGS, programs=CC | CMAKE3,
        ),
        "only its Python half", "--no-cache-dir",
    ),
    "a library that does not load under Python 3.12": (
        apple_silicon(
            probes=refused("ModuleNotFoundError", "No module named 'distutils'", "distutils"),
            files=BINDINGS | {"libkeystone.dylib"}, programs=CC | CMAKE3,
        ),
        "asks for distutils", "--force-reinstall",
    ),
    "OpenStack's keystone": (
        Simulated(
            probes=refused("AttributeError", "module 'keystone' has no attribute 'Ks'"),
            packages={"keystone": "27.0.0"}, files=frozenset({"__init__.py", "common"}),
        ),
        "OpenStack", "pip uninstall --yes keystone && ",
    ),
    "it kills the process": (
        Simulated(probes={keystone.PROBE: Outcome(-11, "")}),
        "by signal 11", "--force-reinstall",
    ),
    "wrong code": (
        Simulated(probes={keystone.PROBE: Outcome(0, json.dumps({"code": ""}))}),
        "turns `nop` into nothing", "--force-reinstall",
    ),
    "something unheard of": (
        Simulated(probes=refused("OSError", "wrong ELF class")),
        "OSError: wrong ELF class", "--force-reinstall",
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_each_cause_of_a_missing_keystone_is_told_with_one_command(name):
    machine, text, mend = CAUSES[name]
    finding = keystone.check(machine)
    assert State.NOTE is finding.state
    assert text in finding.text
    assert mend in finding.mend
    assert "\n" not in finding.mend


def test_every_cause_has_a_text_of_its_own():
    texts = {keystone.check(machine).text for machine, _, _ in CAUSES.values()}
    assert len(CAUSES) == len(texts)


@pytest.mark.parametrize("name", CAUSES)
def test_every_cure_is_a_command_that_a_shell_understands(name):
    machine, _, _ = CAUSES[name]
    command = keystone.check(machine).mend
    subprocess.run(["bash", "-n", "-c", command], check=True)


def state_of(machine: Simulated) -> dict[str, Finding]:
    return {finding.subject: finding for finding in doctor.examine(machine)}


def test_a_sound_machine_gets_nothing_but_good_words():
    findings = list(doctor.examine(Simulated()))
    assert [] == [f for f in findings if f.state is not State.GOOD]
    assert doctor.healthy(findings)


def test_the_book_runs_without_keystone_while_clang_is_there():
    machine = absent(programs=CC | CMAKE4)
    machine.packages |= {"unicorn": "2.1.4", "capstone": "5.0.9"}
    findings = state_of(machine)
    assert State.NOTE is findings["keystone"].state
    assert State.GOOD is findings["clang"].state
    assert doctor.healthy(list(findings.values()))


def test_it_does_not_run_without_any_encoder():
    machine = absent(programs={})
    machine.packages |= {"unicorn": "2.1.4", "capstone": "5.0.9"}
    machine.probes[checks.CLANG_PROBE] = Outcome(1, "KitError: no clang")
    findings = state_of(machine)
    assert State.PROBLEM is findings["keystone"].state
    assert "xcode-select --install" == findings["clang"].mend
    assert "the whole way" not in findings
    assert not doctor.healthy(list(findings.values()))


# name: (the machine, whose finding, its state, what the text says, what the cure holds)
OTHERS = {
    "an old Python": (
        Simulated(version=(3, 9, 6), system="darwin"), "python", State.PROBLEM,
        "3.9.6", "brew install python@3.12",
    ),
    "Windows": (
        Simulated(system="win32"), "python", State.PROBLEM, "Windows", "wsl --install",
    ),
    "no virtual environment": (
        Simulated(isolated=False), "environment", State.NOTE, "shared", "make serve",
    ),
    "no unicorn": (
        Simulated(packages={"capstone": "5.0.9"}), "unicorn", State.PROBLEM,
        "not installed", "pip install 'unicorn>=2.1.4'",
    ),
    "an old unicorn": (
        Simulated(packages={"capstone": "5.0.9", "unicorn": "2.0.1.post1"}), "unicorn",
        State.PROBLEM, "2.0.1.post1 is too old", "'unicorn>=2.1.4'",
    ),
    "a unicorn that crashes": (
        Simulated(probes={checks.UNICORN_PROBE: Outcome(-4, "")}), "unicorn",
        State.PROBLEM, "signal 4", "--force-reinstall unicorn",
    ),
    "a unicorn that crashes where programs run natively": (
        apple_silicon(probes={checks.UNICORN_PROBE: Outcome(-4, "")}), "unicorn",
        State.NOTE, "signal 4", "--force-reinstall unicorn",
    ),
    "no capstone": (
        Simulated(packages={"unicorn": "2.1.4"}), "capstone", State.PROBLEM,
        "not installed", "'capstone>=5.0.3'",
    ),
    "a taken port": (
        Simulated(port_refused="Address already in use"), "port", State.NOTE,
        "8080 cannot be used (Address already in use)", "make serve PORT=8081",
    ),
    "no clang on Linux": (
        Simulated(probes={checks.CLANG_PROBE: Outcome(1, "")}), "clang", State.NOTE,
        "no clang", "pip install ziglang",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_troubles_are_told_with_one_command(name):
    machine, subject, state, text, mend = OTHERS[name]
    finding = state_of(machine)[subject]
    assert state is finding.state
    assert text in finding.text
    assert mend in finding.mend


@pytest.mark.parametrize(("machine", "text"), [
    (Simulated(), "emulated: this is linux on x86_64"),
    (Simulated(processor="aarch64"), "emulated: this is linux on aarch64"),
    (Simulated(system="darwin"), "emulated: this is darwin on x86_64"),
    (apple_silicon(), "natively: this is Apple silicon"),
    (Simulated(system="darwin", rosetta=True), "natively: this is Apple silicon, though"),
])
def test_it_is_said_how_programs_run_here(machine, text):
    assert state_of(machine)["programs run"].text.startswith(text)


def test_a_program_that_cannot_be_built_and_run_is_a_problem():
    machine = Simulated(probes={checks.ANSWER_PROBE: Outcome(1, "KitError: it is broken\n")})
    finding = state_of(machine)["the whole way"]
    assert State.PROBLEM is finding.state
    assert "it is broken" in finding.text


# This very machine, with packages put in Keystone's way

@pytest.fixture
def shadow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder that this process and its children search before all others."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_bindings_whose_library_was_never_built_are_recognised(shadow):
    real = Here().module_files("keystone")
    if real is None:
        pytest.skip("only where Keystone is installed")
    import importlib.util

    folder = Path(importlib.util.find_spec("keystone").origin).parent
    shutil.copytree(folder, shadow / "keystone", ignore=shutil.ignore_patterns("lib*", "__py*"))
    # The bindings look in site-packages too, where this machine has the library.
    binding = shadow / "keystone" / "keystone.py"
    binding.write_text(binding.read_text().replace("'libkeystone", "'libnever-built"))
    finding = keystone.check(Here())
    assert State.NOTE is finding.state
    assert "only its Python half" in finding.text


def test_openstacks_package_of_that_name_is_recognised(shadow):
    (shadow / "keystone").mkdir()
    (shadow / "keystone" / "__init__.py").write_text("'''OpenStack Identity'''\n")
    assert "OpenStack" in keystone.check(Here()).text


def test_a_keystone_that_kills_the_process_does_not_kill_the_doctor(shadow):
    (shadow / "keystone.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert "by signal 11" in keystone.check(Here()).text


def test_a_taken_port_is_noticed_here(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert Here().refuses_port(port)
    assert Here().refuses_port(port) is None


def test_a_program_that_is_not_there_has_the_shells_status():
    assert 127 == Here().run("/no/such/program").status


def test_this_machine_can_be_asked_everything():
    here = Here()
    assert sys.version_info[:3] == here.version
    assert here.installed("no-such-package-anywhere") is None
    assert here.module_files("no_such_module_anywhere") is None
    assert 0 == here.try_python("print('hello')").status
