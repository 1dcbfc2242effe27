"""tests/conftest.py itself: it must notice what it promises to notice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture
def session(tmp_path: Path):
    """Runs one small test file under a copy of our conftest; gives (status, output)."""
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "support").mkdir()
    for name in ("__init__.py", "leaks.py", "requires.py"):
        shutil.copy(TESTS / "support" / name, tmp_path / "support")

    def run(text: str, *options: str, **environment: str) -> tuple[int, str]:
        (tmp_path / "test_small.py").write_text(text)
        (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "xdist",
             *options],
            cwd=tmp_path,
            # Loading every plugin that is installed takes longer than all the rest.
            env={**os.environ, "YMAWKY_REQUIRE_ALL": "0", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                 **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=110,
            check=False,
        )
        return done.returncode, done.stdout

    return run


MISSING = """
from support import requires
requires.PROGRAMS["unheard-of"] = requires.Program("unheard-of", "apt install it", "brew it")

@requires.requires("unheard-of")
def test_marked():
    raise AssertionError("must not run")

def test_asking():
    requires.program("unheard-of")

def test_plain():
    pass
"""


SHY = """
import pytest
def test_shy():
    pytest.skip("did not feel like it")
def test_elsewhere():
    pytest.skip("only on Mars")
"""

UNTIDY = """
import socket, subprocess, sys, tempfile
kept = []
def test_leaves_a_process():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)  # abandoned"],
                     start_new_session=True)
def test_leaves_a_socket():
    kept.append(socket.create_server(("127.0.0.1", 0)))
def test_leaves_a_directory(tmp_path):
    tempfile.mkdtemp(prefix="forgotten-")
"""


def test_a_missing_program_is_named_with_its_remedy(session):
    status, output = session(MISSING)
    assert 0 == status, output
    assert "1 passed, 2 skipped" in output
    remedy = "brew it" if sys.platform == "darwin" else "apt install it"
    assert f"unheard-of: 2 tests skipped; {remedy}" in output
    assert "left behind" not in output


def test_where_everything_is_required_only_a_skip_that_says_only_is_left(session):
    status, output = session(MISSING + SHY, YMAWKY_REQUIRE_ALL="1")
    assert 1 == status
    assert "2 failed, 1 passed, 1 skipped, 1 error" in output
    assert "skipped where nothing may be skipped: needs unheard-of: install with" in output
    assert "skipped where nothing may be skipped: did not feel like it" in output


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_what_a_session_leaves_behind_fails_it(session, options):
    status, output = session(UNTIDY, *options)
    assert 1 == status, output
    assert "3 passed" in output
    assert "still runs" in output and "abandoned" in output
    assert "still listens on 127.0.0.1:" in output
    assert "left in the temporary directory: forgotten-" in output
