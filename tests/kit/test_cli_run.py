"""The commands that run programs: run, trace, serve."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.requires import RIGHT_TO_SKIP, runs_natively
from support.requires import requires as needs

TOP = Path(__file__).resolve().parents[2]
YMAWKY = (sys.executable, "-m", "ymawky_kit")
PATIENCE = 30

Ymawky = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `answer`, `hello`, `cat`, and programs that end badly."""
    from ymawky_kit import chapters, macho
    from ymawky_kit.asm import assemble
    from ymawky_kit.link import link
    from ymawky_kit.source import Source

    folder = tmp_path_factory.mktemp("programs")
    for name in ("answer", "hello", "cat"):
        macho.install(chapters.build(name).data, folder / name)
    for name, text in {
        "trap": "brk #1",
        "wild": "mov x0, #0\n str x0, [x0]",
        "stop": "mov x0, #0\n mov x16, #20\n svc #0x80\n mov x1, #15\n mov x16, #37\n svc #0x80",
    }.items():
        source = Source(name, f".text\n.globl start\nstart:\n {text}\n b start\n")
        image = link([assemble(source)], identifier=name)
        macho.install(macho.build(image), folder / name)
    return folder


@pytest.fixture
def ymawky(programs: Path) -> Ymawky:
    """Runs a command in the folder of the programs."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*YMAWKY, *arguments], text=True, timeout=PATIENCE, check=False,
            **{"cwd": programs, "capture_output": True, "stdin": subprocess.DEVNULL, **options},
        )

    return run


# --- run ----------------------------------------------------------------------------

def test_run_ends_with_the_programs_own_exit_status(ymawky):
    done = ymawky("run", "answer")
    assert (42, "", "") == (done.returncode, done.stdout, done.stderr)


def test_run_lets_the_program_write(ymawky):
    done = ymawky("run", "hello")
    assert (0, "hello, world\n") == (done.returncode, done.stdout)


def test_run_lets_the_program_read_and_hands_on_its_arguments(ymawky, programs):
    (programs / "--text").write_text("from a file whose name is like an option\n")
    done = ymawky("run", "cat", "--text")
    assert (0, "from a file whose name is like an option\n") == (done.returncode, done.stdout)
    done = ymawky("run", "cat", stdin=None, input="from standard input\n")
    assert "from standard input\n" == done.stdout


@pytest.mark.parametrize(("program", "number"), [
    ("trap", signal.SIGTRAP), ("wild", signal.SIGSEGV), ("stop", signal.SIGTERM),
])
def test_run_of_a_program_that_a_signal_ends_has_the_shells_status(programs, program, number):
    command = f"{sys.executable} -m ymawky_kit run {program} 2>/dev/null; echo $?"
    done = subprocess.run(
        ["bash", "-c", command], cwd=programs, capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )
    assert str(128 + number) == done.stdout.strip()


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\necho no\n", b"\xcf\xfa\xed\xfe" + bytes(999)])
def test_run_of_what_is_no_executable_says_so_without_a_traceback(ymawky, tmp_path, data):
    (tmp_path / "other").write_bytes(data)
    (tmp_path / "other").chmod(0o755)
    done = ymawky("run", str(tmp_path / "other"))
    assert 0 != done.returncode
    assert "ymawky: " in done.stderr
    assert "Traceback" not in done.stderr


def test_run_natively_where_that_is_impossible_is_one_line(ymawky):
    if runs_natively():
        pytest.skip(f"{RIGHT_TO_SKIP}where programs run emulated")
    done = ymawky("run", "--native", "answer")
    assert 1 == done.returncode
    assert 1 == done.stderr.count("\n")
    assert done.stderr.startswith("ymawky: ")


# --- trace --------------------------------------------------------------------------

def test_trace_shows_each_call_and_how_it_ends(ymawky):
    done = ymawky("trace", "hello")
    assert 0 == done.returncode
    assert "hello, world\n" == done.stdout
    lines = done.stderr.splitlines()
    assert '1  write(1, "hello, world\\n", 13) = 13' in lines
    assert "1  exit(0)" in lines
    assert "-- exit 0" == lines[-1]


def test_trace_into_a_file_leaves_stderr_to_the_program(ymawky, tmp_path):
    target = tmp_path / "calls"
    done = ymawky("trace", "-o", str(target), "answer")
    assert (42, "", "") == (done.returncode, done.stdout, done.stderr)
    assert ["1  exit(42)", "-- exit 42"] == target.read_text().splitlines()


def test_trace_of_a_program_that_a_signal_ends(ymawky):
    done = ymawky("trace", "stop")
    assert 128 + signal.SIGTERM == done.returncode
    assert "-- killed by signal 15" == done.stderr.splitlines()[-1]


# --- serve --------------------------------------------------------------------------

class Served:
    """`ymawky serve` in its own process group, as a shell starts it."""

    def __init__(self, *arguments: str, cwd: Path = TOP) -> None:
        self.process = subprocess.Popen(
            [*YMAWKY, "serve", "--port", "0", *arguments], text=True, bufsize=1,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            process_group=0, cwd=cwd,
        )
        self.lines: list[str] = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            found = re.search(r"http://[\d.]+:(\d+)/", line)
            if found:
                self.address, self.port = found.group(0), int(found.group(1))
                break
        else:
            raise AssertionError(f"no address: {self.lines} {self.process.stderr.read()}")

    def end(self, number: int = signal.SIGINT) -> tuple[int, list[str], str]:
        """Send a signal to the command alone; (status, all lines of stdout, stderr)."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, [*self.lines, *out.splitlines()], err


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*arguments: str, cwd: Path = TOP) -> Served:
        started.append(Served(*arguments, cwd=cwd))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def fetch(address: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_serve_says_what_it_does_serves_and_stops_cleanly(serve):
    served = serve()
    assert (200, (TOP / "docroot" / "index.html").read_bytes()) == fetch(served.address)
    status, lines, err = served.end()
    assert (0, "") == (status, err)
    assert re.fullmatch(
        r"assembled \d+ modules, linked and signed \w+ in \d\.\d\d s", lines[0]
    ), lines
    assert re.fullmatch(r"wrote build/ymawky \([\d.]+ KB\)", lines[1]), lines
    assert lines[2].startswith("running it ") and lines[2].endswith("Ctrl-C stops it")
    assert f"ymawky: serving docroot at {served.address}" == lines[3]
    assert ["stopped"] == lines[4:]


def test_serve_brings_the_error_pages_of_its_own_site(serve):
    served = serve()
    page = (TOP / "docroot" / "errors" / "404.html").read_bytes()
    assert (404, page) == fetch(served.address + "no-such-page")


def test_serve_takes_error_pages_from_the_folder_named(serve, tmp_path):
    (tmp_path / "errors").mkdir()
    (tmp_path / "errors" / "404.html").write_text("mine")
    served = serve("--errors", str(tmp_path / "errors"), str(tmp_path))
    assert (404, b"mine") == fetch(served.address + "no-such-page")


def test_serve_of_another_folder_does_not_use_our_error_pages(serve, tmp_path):
    (tmp_path / "index.html").write_bytes(b"other\n")
    served = serve(str(tmp_path))
    assert (200, b"other\n") == fetch(served.address)
    status, body = fetch(served.address + "no-such-page")
    assert 404 == status
    assert body != (TOP / "docroot" / "errors" / "404.html").read_bytes()


def test_serve_of_a_folder_whose_name_is_like_an_option(serve, tmp_path):
    (tmp_path / "--port").mkdir()
    (tmp_path / "--port" / "index.html").write_bytes(b"odd\n")
    served = serve("--", "--port", cwd=tmp_path)
    assert (200, b"odd\n") == fetch(served.address)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_serve_ends_on_each_signal_and_frees_its_port(serve, number):
    served = serve()
    status, _, err = served.end(number)
    assert (0, "") == (status, err)
    with socket.create_server(("127.0.0.1", served.port)):
        pass


def test_serve_killed_outright_leaves_no_server_behind(serve):
    served = serve()
    served.process.kill()
    served.process.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with socket.create_server(("127.0.0.1", served.port)):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the port is still taken")


def test_serve_on_a_port_in_use_is_one_line_and_a_status(ymawky):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = ymawky("serve", "--port", str(port), cwd=TOP)
    assert 69 == done.returncode
    assert 1 == done.stderr.count("\n"), done.stderr
    assert done.stderr.startswith("ymawky: ")
    assert str(port) in done.stderr
    assert "stopped" not in done.stdout


def test_serve_on_an_address_that_is_none_is_one_line_and_a_status(ymawky):
    done = ymawky("serve", "--port", "0", "--address", "300.1.1.1", cwd=TOP)
    assert 64 == done.returncode
    assert 1 == done.stderr.count("\n"), done.stderr


@pytest.mark.parametrize("arguments", [["nowhere"], ["README.md"], [".", "--errors", "nowhere"]])
def test_serve_of_what_is_no_folder_is_one_line_and_status_66(ymawky, arguments):
    done = ymawky("serve", *arguments, cwd=TOP)
    assert (66, "") == (done.returncode, done.stdout)
    assert 1 == done.stderr.count("\n")
    assert done.stderr.startswith("ymawky: ")


def test_serve_passes_on_every_option_of_the_executable(ymawky, tmp_path):
    ymawky("build", "-o", str(tmp_path / "ymawky"))
    own = ymawky("run", str(tmp_path / "ymawky"), "--help").stdout
    options = set(re.findall(r"^  (--[\w-]+) ", own, re.M)) - {"--help", "--version"}
    assert {"--port", "--address", "--errors"} <= options
    assert options <= set(re.findall(r"--[\w-]+", ymawky("serve", "--help").stdout))


def test_serve_lets_the_executable_judge_what_it_passes_on(ymawky):
    done = ymawky("serve", "--port", "0", "--children", "many", cwd=TOP)
    assert 64 == done.returncode
    assert 1 == done.stderr.count("\n"), done.stderr
    assert "--children" in done.stderr


def test_serve_of_a_program_that_is_no_server_says_how_to_run_it(ymawky):
    done = ymawky("serve", "-c", "hello", cwd=TOP)
    assert 64 == done.returncode
    assert "ymawky run hello" in done.stderr


def test_a_server_can_be_traced(programs, tmp_path):
    """Each request shows up while the server runs; Ctrl-C ends it in its own way."""
    from ymawky_kit import chapters, macho

    macho.install(chapters.build().data, tmp_path / "ymawky")
    calls = tmp_path / "calls"
    process = subprocess.Popen(
        [*YMAWKY, "trace", "-o", str(calls), "ymawky", "--port", "0", str(TOP / "docroot")],
        cwd=tmp_path, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
    )
    try:
        address = re.search(r"http://\S+", process.stdout.readline()).group(0)
        assert 200 == fetch(address)[0]
        deadline = time.monotonic() + PATIENCE
        while "GET / HTTP/1.1" not in calls.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert 0 == process.returncode
    names = re.findall(r"^\d+  (\w+)\(", calls.read_text(), re.M)
    for name in ("socket", "bind", "listen", "accept", "exit"):
        assert any(found.startswith(name) for found in names), name
    assert "-- exit 0" == calls.read_text().splitlines()[-1]


# --- make serve -----------------------------------------------------------------------

def set_up_by_make() -> bool:
    """Whether `make` needs no network here: it has set up this very environment."""
    return any((TOP / ".venv").glob("ready-*"))


#: Makes the terminal on stdin its own, as a login does, and becomes the rest of the line.
OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


@pytest.mark.skipif(not set_up_by_make(), reason="only after `make` has set up .venv")
def test_ctrl_c_in_a_terminal_stops_make_serve_with_status_0(tmp_path):
    (tmp_path / "index.html").write_bytes(b"by make\n")
    master, slave = os.openpty()
    with os.fdopen(slave) as side:
        process = subprocess.Popen(
            [sys.executable, "-c", OWN_TERMINAL, "make", "serve", "PORT=0", f"DIR={tmp_path}"],
            cwd=TOP, stdin=side, stdout=side, stderr=side, start_new_session=True,
            env={key: value for key, value in os.environ.items() if "MAKE" not in key},
        )
    said = b""
    try:
        while (found := re.search(rb"http://[\d.:]+/", said)) is None:
            said += os.read(master, 4096)
        assert (200, b"by make\n") == fetch(found.group(0).decode())
        os.write(master, b"\x03")
        with contextlib.suppress(OSError):      # Linux says EIO once nobody has it open
            while data := os.read(master, 4096):
                said += data
        status = process.wait(PATIENCE)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(master)
    assert 0 == status, said.decode()
    assert b"stopped" in said
    assert b"***" not in said


# --- without Keystone -------------------------------------------------------------------

@needs("clang")
def test_without_keystone_the_same_executable_is_built_by_clang(ymawky, tmp_path):
    (tmp_path / "keystone.py").write_text("raise ImportError('not on this machine')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = ymawky("build", "-o", str(tmp_path / "by-clang"), env=environment)
    assert (0, "") == (done.returncode, done.stderr)
    assert 0 == ymawky("build", "-o", str(tmp_path / "by-default")).returncode
    assert (tmp_path / "by-default").read_bytes() == (tmp_path / "by-clang").read_bytes()
    done = ymawky("run", str(tmp_path / "by-clang"), "--version", env=environment)
    assert 0 == done.returncode
