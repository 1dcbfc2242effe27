"""tools/: the set-up that `make` runs, and the summary of `make test`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

TOP = Path(__file__).resolve().parents[2]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tools_{name}", TOP / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# --- setup ----------------------------------------------------------------------------

class Checkout:
    """The little of a checkout that set-up looks at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tools").mkdir()
        shutil.copy(TOP / "tools" / "setup.py", folder / "tools")
        for name in ("pyproject.toml", "requirements.lock", "Makefile"):
            shutil.copy(TOP / name, folder)

    def run(self, *command: str) -> tuple[int, str]:
        done = subprocess.run(
            command, cwd=self.folder, text=True, check=False, timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            # The make that runs these tests would make the one in them a sub-make.
            env={key: value for key, value in os.environ.items() if "MAKE" not in key},
        )
        return done.returncode, done.stdout

    def setup(self, *words: str) -> tuple[int, str]:
        return self.run(sys.executable, "tools/setup.py", *words)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def environment_is_there(checkout: Checkout) -> Path:
    """The folder .venv, with a Python that runs and a pip that reaches no index."""
    venv = checkout.folder / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").write_text(
        "#!/bin/sh\n"
        'if [ "$1" = -c ]; then exec ' + sys.executable + ' "$@"; fi\n'
        "echo 'ERROR: Could not find a version that satisfies the requirement hatchling'\n"
        "echo 'ERROR: No matching distribution found for hatchling'\n"
        "exit 1\n"
    )
    (venv / "bin" / "python").chmod(0o755)
    return venv


def stamp(checkout: Checkout) -> str:
    code = "import sys; sys.path.insert(0, 'tools'); import setup; print(setup.fingerprint())"
    return checkout.run(sys.executable, "-c", code)[1].strip()


def test_set_up_says_in_one_line_that_there_is_no_index(checkout, environment_is_there):
    status, output = checkout.setup("serve")
    assert 1 == status
    assert "setup: could not install: the package index cannot be reached" in (
        output.splitlines()[-1]
    )
    assert "Traceback" not in output


def test_set_up_does_nothing_where_nothing_has_changed(checkout, environment_is_there):
    (environment_is_there / "ready-serve").write_text(stamp(checkout))
    assert (0, "") == checkout.setup("serve")


def test_what_is_ready_for_all_is_ready_to_serve_but_not_the_other_way(
    checkout, environment_is_there
):
    (environment_is_there / "ready-all").write_text(stamp(checkout))
    assert (0, "") == checkout.setup("serve")
    (environment_is_there / "ready-all").rename(environment_is_there / "ready-serve")
    assert 1 == checkout.setup("all")[0]        # it tries to install, and there is no index


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.lock"])
def test_set_up_runs_again_when_what_is_needed_changes(checkout, environment_is_there, name):
    (environment_is_there / "ready-all").write_text(stamp(checkout))
    with (checkout.folder / name).open("a") as file:
        file.write("\n# changed\n")
    status, output = checkout.setup("all")
    assert 1 == status
    assert "setup: installing" in output


def test_set_up_runs_again_in_a_checkout_that_was_moved(checkout, environment_is_there, tmp_path):
    (environment_is_there / "ready-all").write_text(stamp(checkout))
    moved = tmp_path / "moved"
    moved.mkdir()
    for entry in list(checkout.folder.iterdir()):
        if entry != moved:
            entry.rename(moved / entry.name)
    checkout.folder = moved
    assert 1 == checkout.setup("all")[0]


def test_set_up_of_nonsense_is_one_line(checkout):
    assert (1, "setup: usage: setup.py serve|all\n") == checkout.setup("everything")


def test_make_says_in_one_line_that_there_is_no_python(checkout):
    status, output = checkout.run("make", "serve", "PYTHONS=no-such-python /bin/false")
    assert 0 != status
    first, second = output.splitlines()
    assert first.startswith("setup: needs Python 3.11 or newer and found none; install it")
    assert second.startswith("make: ***")


def test_make_alone_says_what_there_is(checkout):
    status, output = checkout.run("make")
    assert 0 == status
    for target in ("serve", "test", "lab", "book", "bench", "clean"):
        assert f"make {target} " in output


def test_the_path_for_building_keystone_has_no_shims(monkeypatch):
    setup = load("setup")
    monkeypatch.setenv("PATH", "/home/reader/.pyenv/shims:/usr/bin:/bin")
    assert f"{TOP}/.venv/bin:/usr/bin:/bin" == setup.build_path()


# --- check ----------------------------------------------------------------------------

@pytest.mark.parametrize(("line", "counts"), [
    ("12 passed in 0.34s", {"passed": 12}),
    ("===== 1 failed, 12 passed, 3 skipped in 61.20s (0:01:01) =====",
     {"failed": 1, "passed": 12, "skipped": 3}),
    ("2 failed, 1 passed, 1 error in 1.00s", {"failed": 3, "passed": 1}),
    ("1 passed, 2 warnings, 3 errors in 1.00s", {"failed": 3, "passed": 1, "warnings": 2}),
    ("no tests ran in 0.01s", {}),
    ("Killed", {}),
])
def test_the_summary_counts_what_pytest_counted(line, counts):
    check = load("check")
    assert Counter(counts) == check.counts(f"......\n1 passed in spirit\n{line}\n")


def test_the_summary_repeats_which_programs_are_missing():
    check = load("check")
    output = (
        "..s\n====== programs this machine lacks ======\n"
        "chromium: 3 tests skipped; apt install chromium\n"
        "ffmpeg: 1 test skipped; apt install ffmpeg\n"
        "9 passed, 4 skipped in 1.00s\n"
    )
    assert [
        "chromium: 3 tests skipped; apt install chromium",
        "ffmpeg: 1 test skipped; apt install ffmpeg",
    ] == list(check.missing_programs(output))


def test_one_step_that_fails_fails_the_whole_and_the_others_still_run(monkeypatch, capfd):
    check = load("check")
    python = (sys.executable, "-c")
    monkeypatch.setattr(check, "STEPS", (
        check.Step("bad", (*python, "print('what went wrong'); raise SystemExit(3)")),
        check.Step("good", (*python, "print('not shown')")),
        check.Step("tests", (*python, "print('7 passed, 2 skipped in 0.10s')"), shown=True),
        check.Step("crash", (*python, "raise SystemExit(1)"), shown=True),
    ))
    assert 1 == check.main([])
    output = capfd.readouterr().out
    assert "what went wrong" in output
    assert "not shown" not in output
    assert "\nfailed: bad, crash\n" in output
    assert output.endswith("\ntotal: 7 passed, 1 failed, 2 skipped\n")


def test_a_step_that_does_not_exist_is_one_line_and_status_64(capfd):
    check = load("check")
    assert 64 == check.main(["tset"])
    assert 1 == capfd.readouterr().err.count("\n")
