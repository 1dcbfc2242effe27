"""The package: its versions in step, and a wheel that needs no checkout."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import urllib.request
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

TOP = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
DIRECT = [
    Requirement(text)
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in group
]


def pins(text: str, before: str = "") -> dict[str, str]:
    return dict(re.findall(rf"^{before}([\w.-]+)==([^\s;]+)", text, re.M))


LOCK = pins((TOP / "requirements.lock").read_text())
CONDA = pins((TOP / "environment.yml").read_text(), "      - ")


# --- versions ---------------------------------------------------------------

def test_the_lock_has_a_version_that_suits_for_each_requirement():
    wrong = [
        f"{need} but {LOCK.get(need.name)}"
        for need in DIRECT
        if need.name not in LOCK or not need.specifier.contains(LOCK[need.name])
    ]
    assert [] == wrong


def test_every_line_of_the_lock_names_one_exact_version():
    lines = (TOP / "requirements.lock").read_text().splitlines()
    loose = [
        line for line in lines
        if line and not line.startswith("#") and not re.match(r"[\w.-]+==[^\s;]+( ; .+)?$", line)
    ]
    assert [] == loose


def test_environment_yml_has_the_same_packages_at_the_same_versions():
    wanted = {need.name: LOCK[need.name] for need in DIRECT}
    assert wanted == CONDA


def test_environment_yml_brings_cmake_3_and_the_checkout():
    text = (TOP / "environment.yml").read_text()
    assert "cmake>=3.20,<4" in text
    assert "\n      - -e .\n" in text


def test_the_oldest_python_is_said_the_same_everywhere():
    assert ">=3.11" == PROJECT["requires-python"]
    assert "sys.version_info < (3, 11)" in (TOP / "Makefile").read_text()
    assert "Python 3.11 or newer" in (TOP / "README.md").read_text()


# --- the wheel ----------------------------------------------------------------

@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, built without a network."""
    folder = tmp_path_factory.mktemp("dist")
    for kind in ("wheel", "sdist"):
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)],
            cwd=TOP, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60,
        )
    return folder


def files_below(folder: Path) -> set[str]:
    """What git would keep of a folder."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".DS_Store"
    }


def test_the_wheel_carries_the_sources_the_site_and_nothing_of_the_tests(distributions):
    (wheel,) = distributions.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {f"ymawky_kit/_asm/{name}" for name in files_below(TOP / "src" / "asm")}
    site = {f"ymawky_kit/_docroot/{name}" for name in files_below(TOP / "docroot")}
    package = {f"ymawky_kit/{name}" for name in files_below(TOP / "ymawky_kit")}
    assert set() == (sources | site | package) - names
    rest = {name for name in names - sources - site - package if ".dist-info/" not in name}
    assert set() == rest


def test_the_sdist_builds_the_same_wheel(distributions, tmp_path):
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=unpacked, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60,
    )
    (again,) = tmp_path.glob("*.whl")
    (first,) = distributions.glob("*.whl")

    def contents(wheel: Path) -> dict[str, int]:
        return {entry.filename: entry.CRC for entry in zipfile.ZipFile(wheel).infolist()}

    assert contents(first) == contents(again)


@pytest.fixture(scope="module")
def installed(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment with the wheel, outside the checkout.

    Other packages come from this environment by a .pth file; .pth files in there,
    such as the one of the editable checkout, are not followed.
    """
    folder = tmp_path_factory.mktemp("outside") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (wheel,) = distributions.glob("*.whl")
    subprocess.run(
        [
            sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input",
            "--python", str(folder / "bin" / "python"),
            "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", str(wheel),
        ],
        check=True, timeout=60,
    )
    return folder / "bin"


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, and a home, far from the checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path


def test_the_installed_package_is_not_the_checkout(installed, outside):
    code = "import ymawky_kit, ymawky_kit.paths as p; print(p.checkout(), ymawky_kit.__file__)"
    done = subprocess.run(
        [installed / "python", "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith(f"None {installed.parent}")


@pytest.mark.parametrize("given", [True, False], ids=["DIR", "the site that comes with it"])
def test_the_wheel_serves_outside_the_checkout(installed, outside, given):
    site = outside / "site"
    site.mkdir()
    (site / "index.html").write_bytes(b"<p>from somewhere else\n")
    wanted = site if given else TOP / "docroot"
    process = subprocess.Popen(
        [installed / "ymawky", "serve", *([site] if given else []), "--port", "0"],
        stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        address = next(
            found.group(0) for line in process.stdout if (found := re.search(r"http://\S+", line))
        )
        with urllib.request.urlopen(address, timeout=20) as reply:
            assert (wanted / "index.html").read_bytes() == reply.read()
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    assert 0 == process.returncode
    assert "stopped" in rest


def test_the_wheel_tries_a_program_outside_the_checkout(installed, outside):
    for words, said in (
        (["build", "-c", "05", "-o", "mine"], "wrote mine"),
        (["check", "-c", "05", "--binary", "./mine", "--only", "greeting"], "0 failed"),
    ):
        done = subprocess.run([installed / "ymawky", *words], capture_output=True, text=True,
                              timeout=60, check=False)
        assert 0 == done.returncode, done.stderr
        assert said in done.stdout
    done = subprocess.run([installed / "ymawky", "check"], capture_output=True, text=True,
                          timeout=60, check=False)
    assert "ymawky: the notebooks are not here (run this in a checkout" in done.stderr
