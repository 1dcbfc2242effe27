"""Why Keystone does not work here: the causes that readers met, told apart.

keystone-engine 0.9.2 (2020) has wheels for x86-64 only.  Elsewhere pip builds it
from its sources, and that goes wrong in ways that pip does not report:

* they need CMake 3: CMake 4 refuses their policy settings;
* pip's build isolation hides a `cmake` that came from PyPI;
* their CMake files prefer a `python2.7`, and pyenv's shim of that name fails;
* their setup.py ignores a failed build on macOS, so that pip installs, and caches,
  the bindings without the library.
"""

from __future__ import annotations

import json
import re
from typing import Final

from ymawky_kit.doctor.finding import Finding, good, note, problem
from ymawky_kit.doctor.machine import Machine, Outcome

RELEASE: Final = "keystone-engine==0.9.2"
SUBJECT: Final = "keystone"

#: Loads Keystone and assembles `nop` in a process of its own; prints one line of JSON.
PROBE: Final = """
import json
answer = {}
try:
    import keystone
    answer["file"] = getattr(keystone, "__file__", None)
    assemble = keystone.Ks(keystone.KS_ARCH_ARM64, keystone.KS_MODE_LITTLE_ENDIAN).asm
    answer["code"] = bytes(assemble("nop")[0] or []).hex()
except BaseException as error:
    answer["error"] = type(error).__name__
    answer["message"] = str(error)
    answer["module"] = getattr(error, "name", None)
print("\\n" + json.dumps(answer))
"""
_NOP: Final = "1f2003d5"
_WHEELS: Final = {"x86_64", "AMD64", "i686"}
_LIBRARIES: Final = re.compile(r"(lib)?keystone\.(so|dylib|dll)(\.\d+)?$")


def check(machine: Machine) -> Finding:
    """Works, or the cause and its cure.  Never a problem alone: clang can take over."""
    outcome = machine.try_python(PROBE)
    answer = _answer(outcome)
    if answer is None:
        how = f"by signal {-outcome.status}" if outcome.status < 0 else f"({outcome.last_line})"
        return note(SUBJECT, f"loading it ends the process {how}", reinstall(machine))
    if answer.get("code") == _NOP:
        version = machine.installed("keystone-engine") or "of unknown version"
        return good(SUBJECT, f"{version}, turns `nop` into {_NOP}")
    if "code" in answer:
        return note(
            SUBJECT, f"turns `nop` into {answer['code'] or 'nothing'}, not {_NOP}",
            reinstall(machine),
        )
    return note(SUBJECT, *_cause(machine, answer))


def reinstall(machine: Machine) -> str:
    """The command that installs it afresh on this machine, past pip's cache."""
    install = f"{machine.python} -m pip install"
    afresh = f"--no-cache-dir --force-reinstall --no-deps {RELEASE}"
    if machine.processor in _WHEELS:
        return f"{install} {afresh}"
    # The folder comes first, so that the build finds the cmake that was just installed.
    rest = "$PATH" if _shimmed_python2(machine) is None else "/usr/bin:/bin:/usr/sbin:/sbin"
    return (
        f"{install} 'cmake<4' setuptools wheel && "
        f'env PATH="{machine.program_folder}:{rest}" {install} --no-build-isolation {afresh}'
    )


def _answer(outcome: Outcome) -> dict[str, str] | None:
    try:
        found = json.loads(outcome.last_line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and outcome.status == 0 else None


def _cause(machine: Machine, answer: dict[str, str]) -> tuple[str, str]:
    """(what is wrong, the command that mends it) for an import that failed."""
    kind, module = answer.get("error"), answer.get("module")
    if kind == "ModuleNotFoundError" and module == "keystone":
        return _not_installed(machine)
    if _is_openstack(machine, answer):
        return (
            "the package `keystone` is OpenStack's; the assembler is called keystone-engine",
            f"{machine.python} -m pip uninstall --yes keystone && {reinstall(machine)}",
        )
    files = machine.module_files("keystone")
    if files is not None and not any(_LIBRARIES.match(name) for name in files):
        return _without_library(machine)
    if module in ("distutils", "distutils.sysconfig"):
        text = (
            "its library is there but does not load, and then it asks for distutils, which "
            "Python 3.12 and later no longer have"
        )
        return text, reinstall(machine)
    return f"{kind}: {answer.get('message')}", reinstall(machine)


def _is_openstack(machine: Machine, answer: dict[str, str]) -> bool:
    files = machine.module_files("keystone")
    if files is not None and "keystone_const.py" in files:
        return False
    return machine.installed("keystone") is not None or answer.get("error") == "AttributeError"


def _not_installed(machine: Machine) -> tuple[str, str]:
    if machine.processor in _WHEELS:
        return "not installed", f"{machine.python} -m pip install {RELEASE}"
    return f"not installed; it has no wheel for {machine.processor}{_obstacle(machine)}", (
        _mend_build(machine)
    )


def _without_library(machine: Machine) -> tuple[str, str]:
    text = (
        "only its Python half is installed: its library was not built, pip did not notice, "
        f"and keeps the broken wheel in its cache{_obstacle(machine)}"
    )
    return text, _mend_build(machine)


def _obstacle(machine: Machine) -> str:
    """Why its sources would not build here, or an empty text."""
    if machine.processor in _WHEELS:
        return ""
    if machine.which("cc") is None:
        return ", and there is no C compiler to build it with"
    shim = _shimmed_python2(machine)
    if shim is not None:
        return f", and its build would pick {shim}, which is only pyenv's shim"
    cmake = machine.which("cmake")
    if cmake is None:
        return ", and there is no cmake to build it with"
    found = re.search(r"version (\d+)\.(\d+)", machine.run(cmake, "--version").output)
    if found is None:
        return f", and {cmake} does not run"
    if int(found[1]) >= 4:
        return f", and CMake {found[1]}.{found[2]} refuses its sources: they need CMake 3"
    return ""


def _mend_build(machine: Machine) -> str:
    if machine.processor not in _WHEELS and machine.which("cc") is None:
        return "xcode-select --install" if machine.system == "darwin" else (
            "apt install build-essential"
        )
    return reinstall(machine)


def _shimmed_python2(machine: Machine) -> str | None:
    """The path of a python2.7 that is only pyenv's shim and does not run."""
    found = machine.which("python2.7")
    if found is None or "/shims/" not in found:
        return None
    return found if machine.run(found, "--version").status != 0 else None


def without_any_encoder(finding: Finding) -> Finding:
    """The same finding, once it is known that clang cannot take over."""
    return problem(finding.subject, finding.text, finding.mend)
