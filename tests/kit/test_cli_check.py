"""`ymawky check`: notebooks against what is stored in them, programs against their cases."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.requires import RIGHT_TO_SKIP, runs_natively

from ymawky_kit import chapters, cli, macho
from ymawky_kit.blackbox import Placed
from ymawky_kit.blackbox.case import File, Folder, Link, Pipe
from ymawky_kit.blackbox.server import loopback, unfit
from ymawky_kit.lab import notebook as nb
from ymawky_kit.lab.replay import replay
from ymawky_kit.paths import asm_root
from ymawky_kit.source import KitError, Source

Ymawky = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "YMAWKY_DEBUG", "YMAWKY_RUNNER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture
def ymawky(capsys: pytest.CaptureFixture[str]) -> Ymawky:
    """Runs a command in this process; gives (exit status, stdout, stderr)."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        status = cli.main([str(word) for word in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def program(folder: Path, name: str, **changes: str) -> Path:
    """A program of the book; `module__function="old -> new"` changes its text."""
    path = folder / "-".join([name, *(str(abs(hash(v)) % 10**6) for v in changes.values())])
    if not path.exists():
        overrides = {}
        for key, change in changes.items():
            module = key.replace("__", "/")
            old, new = change.split(" -> ")
            text = chapters.find(name).path(module, asm_root()).read_text()
            assert old in text
            overrides[module] = Source(module, text.replace(old, new, 1))
        macho.install(chapters.build(name, overrides=overrides).data, path)
    return path


def tiny(folder: Path, name: str, text: str) -> Path:
    """An executable of a few instructions."""
    from ymawky_kit.asm import assemble
    from ymawky_kit.link import link

    source = Source(name, f".text\n.globl start\nstart:\n {text}\n")
    image = link([assemble(source)], identifier=name)
    macho.install(macho.build(image), folder / name)
    return folder / name


def one_line(text: str) -> str:
    assert 1 == text.count("\n"), text
    assert text.startswith("ymawky: ")
    return text[:-1]


# --- --binary --------------------------------------------------------------------------

def test_a_good_server_passes_and_every_feature_is_counted(ymawky, folder):
    status, out, err = ymawky("check", "-c", "06", "--emulated", "--binary",
                              program(folder, "children"), "--only", "client")
    assert (0, "") == (status, err)
    assert "of 'children' (One process per connection)" in out
    count, passed = re.search(r"(\d+) cases: (\d+) passed, 0 failed\n$", out).groups()
    assert count == passed and int(count) > 10
    assert re.search(r"^serial +(\d) of \1$", out, re.M)


def test_a_program_that_was_just_built_is_tried(ymawky, tmp_path):
    assert 0 == ymawky("build", "-c", "02", "-o", "mine")[0]
    status, out, _ = ymawky("check", "-c", "02", "--binary", "./mine")
    assert 0 == status
    assert "8 cases: 8 passed, 0 failed" in out
    assert ["mine"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["answer", "hello", "total"])
def test_programs_that_are_no_servers_have_cases(ymawky, folder, name):
    status, out, _ = ymawky("check", "-c", name, "--binary", program(folder, name))
    assert 0 == status
    assert "0 failed" in out


def test_a_failed_case_shows_what_was_sent_what_came_what_was_wanted_why_and_the_calls(
        ymawky, folder):
    wrong = program(folder, "request", http__field="tbnz    w3, #REQUEST_HAS_HOST, L -> nop //")
    status, out, _ = ymawky("check", "-c", "07", "--emulated", "--binary", wrong,
                            "--only", "two hosts same")
    assert 1 == status
    assert "FAILED  request: two Hosts are bad, even the same\n" in out
    assert "  sent      GET / HTTP/1.1\\r\\n\n            Host: localhost\\r\\n\n" in out
    assert "  came back HTTP/1.1 200 OK\\r\\n\n" in out
    assert "  wrong     the status is 200\n" in out
    assert "  expected  status 400\n" in out
    assert "  because   RFC 9112 3.2: exactly one Host, and a good one\n" in out
    assert re.search(r'read\(5, "GET / HTTP/1.1', out)
    assert out.endswith("request    0 of 1\n1 case: 0 passed, 1 failed\n")


def test_a_program_that_prints_something_else_fails(ymawky, folder):
    wrong = program(folder, "hello", first__hello="hello, world -> hullo, world")
    status, out, _ = ymawky("check", "-c", "hello", "--emulated", "--binary", wrong)
    assert 1 == status
    assert "  wrong     standard output is 'hullo, world\\n'\n" in out
    assert 'write(1, "hullo, world\\n", 13) = 13' in out


def test_a_server_that_goes_wrong_often_is_shown_whole_ten_times_only(ymawky, folder):
    status, out, _ = ymawky("check", "-c", "07", "--binary", program(folder, "children"),
                            "--only", "request bad")
    assert 1 == status
    assert 10 == out.count("  because ")
    assert "of these only a line each" in out
    failed = int(re.search(r"(\d+) failed", out)[1])
    assert failed == len(re.findall(r"^FAILED", out, re.M)) > 20


def test_a_sequential_server_does_not_pass_for_one_of_several_clients(ymawky, folder):
    status, out, _ = ymawky("check", "-c", "06", "--emulated", "--binary",
                            program(folder, "serial"), "--only", "a slow keeps", "--seconds", "1")
    assert 1 == status
    assert "quick sends" in out and "no answer within 1 s" in out
    # The calls up to there: the server has read from the slow one, and from nobody else.
    assert ["GET / HTT"] == re.findall(r'  1  read\(5, "(.*?)"', out)
    assert "not while it waits" in out


def test_many_clients_that_do_the_same_are_told_of_once(ymawky, folder):
    status, out, _ = ymawky("check", "-c", "06", "--binary", program(folder, "serial"),
                            "--only", "twenty slow", "--seconds", "1")
    assert 1 == status
    assert "            client 1 to client 20 each send 20 bytes\n              GET / " in out


def test_a_server_that_crashes_is_started_again_for_the_next_case(ymawky, folder):
    wrong = program(folder, "serial", http__status="func status_text -> func status_text\n"
                    "    cmp     x0, #431\n    b.ne    1f\n    brk     #1\n1:")
    status, out, _ = ymawky("check", "-c", "05", "--emulated", "--binary", wrong)
    assert 1 == status
    assert "the server itself ended: killed by signal 5 SIGTRAP; it said: ymawky: killed" in out
    assert "31 cases: 29 passed, 2 failed" in out


def test_a_server_that_crashes_behind_a_case_is_noticed_at_the_next(ymawky, folder):
    wrong = program(folder, "serial", serve__serial="bl      connection_end -> "
                    "bl connection_end\n    brk #1")
    status, out, _ = ymawky("check", "-c", "05", "--emulated", "--binary", wrong,
                            "--only", "the reply")
    assert 1 == status
    # Or in the middle of it: the next client may come before the end.
    assert re.search(r"the server (had ended behind the case before|itself ended): "
                     r"killed by signal 5 SIGTRAP", out)


def test_a_server_that_hangs_on_one_case_is_given_up_there_and_not_elsewhere(ymawky, folder):
    wrong = program(folder, "serial", http__status="func status_text -> func status_text\n"
                    "1:  cmp     x0, #431\n    b.eq    1b\n")
    status, out, _ = ymawky("check", "-c", "05", "--emulated", "--binary", wrong,
                            "--seconds", "2")
    assert 1 == status
    assert 2 == out.count("  wrong     no answer within 2 s\n")
    assert "31 cases: 29 passed, 2 failed" in out


def test_a_server_that_never_answers_is_left_after_a_few_cases(ymawky, folder):
    wrong = program(folder, "serial", serve__connection="func connection_serve -> "
                    "func connection_serve\n1:  b   1b\n")
    status, out, _ = ymawky("check", "-c", "05", "--binary", wrong, "--seconds", "0.4")
    assert 1 == status
    assert "not tried: 26 cases, it kept a client waiting 5 times in a row" in out
    assert "31 cases: 0 passed, 5 failed, 26 not tried" in out


def test_a_server_that_ends_whatever_one_asks_is_left_after_a_few_cases(ymawky, folder):
    wrong = program(folder, "serial", serve__serial="func serve_run -> func serve_run\n"
                    "    mov     x0, #3\n    mov     x16, #1\n    svc     #0x80\n")
    status, out, _ = ymawky("check", "-c", "05", "--emulated", "--binary", wrong)
    assert 1 == status
    assert "the server itself ended: exit status 3" in out
    assert "not tried: 26 cases, the server itself ended in each of the first 5" in out
    assert "31 cases: 0 passed, 5 failed, 26 not tried" in out


@pytest.mark.parametrize(("text", "said"), [
    ("brk #1", "ended before it said where it serves: killed by signal 5 SIGTRAP"),
    ("mov x0, #3\n mov x16, #1\n svc #0x80", "where it serves: exit status 3"),
])
def test_a_program_that_ends_at_once_is_one_line(ymawky, tmp_path, text, said):
    status, out, err = ymawky("check", "-c", "05", "--emulated", "--binary",
                              tiny(tmp_path, "mine", text))
    assert 1 == status
    assert said in one_line(err)
    assert "FAILED" not in out


def test_a_program_that_never_says_where_it_serves_is_one_line(ymawky, tmp_path, monkeypatch):
    monkeypatch.setattr("ymawky_kit.blackbox.server.Program.__init__.__defaults__", (0.5,))
    status, _, err = ymawky("check", "-c", "05", "--emulated", "--binary",
                            tiny(tmp_path, "mine", "b start"))
    assert 1 == status
    assert "said nothing like http://127.0.0.1:8080/ on standard output for 0.5 s" in one_line(err)


def test_a_program_that_is_no_server_at_all_is_one_line(ymawky, folder):
    status, _, err = ymawky("check", "-c", "05", "--binary", program(folder, "hello"))
    assert 1 == status
    assert "ended before it said where it serves: exit status 0" in one_line(err)


def unsigned(folder: Path) -> bytes:
    data = bytearray(program(folder, "hello").read_bytes())
    at = data.rindex(b"\xfa\xde\x0c\xc0")
    return bytes(data[:at]) + bytes(len(data) - at)


@pytest.mark.parametrize(("make", "said"), [
    (lambda folder: b"", "no executable of macOS: the file has 0 bytes"),
    (lambda folder: b"\x7fELF" + bytes(100), "no executable of macOS: the file begins with"),
    (lambda folder: b"#!/bin/sh\nexit 0\n" * 9, "no executable of macOS"),
    (unsigned, "the signature says it has 0 bytes"),
], ids=["empty", "for Linux", "a script", "not signed"])
def test_what_macos_would_not_start_is_one_line(ymawky, tmp_path, folder, make, said):
    (tmp_path / "mine").write_bytes(make(folder))
    (tmp_path / "mine").chmod(0o755)
    status, out, err = ymawky("check", "-c", "02", "--binary", "./mine")
    assert (65, "") == (status, out)
    assert one_line(err).startswith("ymawky: mine would not start: ")
    assert said in err


def test_a_file_that_is_not_executable_is_one_line(ymawky, tmp_path, folder):
    shutil.copy(program(folder, "hello"), tmp_path / "mine")
    (tmp_path / "mine").chmod(0o644)
    status, _, err = ymawky("check", "-c", "02", "--binary", "mine")
    assert 65 == status
    assert one_line(err).endswith("it is not executable: chmod +x mine")


def test_a_file_that_is_not_there_is_one_line(ymawky):
    status, _, err = ymawky("check", "--binary", "gone")
    assert 66 == status
    assert "there is no file gone" in one_line(err)


def test_natively_the_kernel_has_the_last_word(tmp_path, folder):
    (tmp_path / "mine").write_bytes(unsigned(folder))
    (tmp_path / "mine").chmod(0o755)
    assert unfit(tmp_path / "mine", native=True) is None
    (tmp_path / "mine").write_bytes(b"#!/bin/sh\n" * 10)
    assert "no executable of macOS" in unfit(tmp_path / "mine", native=True)


def test_natively_the_calls_are_said_to_be_unknown(ymawky, folder):
    if not runs_natively():
        pytest.skip(f"{RIGHT_TO_SKIP}where programs run natively")
    _, out, _ = ymawky("check", "-c", "hello", "--native", "--binary", program(folder, "cat"))
    assert "  calls     not known, this machine's own kernel ran it" in out


@pytest.mark.parametrize(("number", "code"), [
    (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 130)])
def test_asked_to_end_it_leaves_nothing_behind(folder, tmp_path, number, code):
    slow = program(folder, "serial", serve__connection="func connection_serve -> "
                   "func connection_serve\n1:  b   1b\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "ymawky_kit", "check", "-c", "05", "--emulated", "--binary", slow],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0,
        env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        deadline = time.monotonic() + 20
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert list(tmp_path.iterdir())
        time.sleep(0.5)
        process.send_signal(number)
        assert code == process.wait(20)
    finally:
        process.kill()
        process.wait()
    assert [] == list(tmp_path.iterdir())


# --- --url -------------------------------------------------------------------------------

@pytest.fixture
def server(folder: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A running server of the book, and the folder it serves."""
    from ymawky_kit.run import EmulatedRunner

    root = tmp_path / "root"
    root.mkdir()
    with EmulatedRunner().start(program(folder, "fork"), ["--port", "0", str(root)]) as process:
        line = process.wait_for(b"http://", 20).decode()
        yield re.search(r"http://127\.0\.0\.1:\d+", line)[0], root


def test_a_running_server_is_tried_and_what_it_lacks_is_skipped_and_counted(ymawky, server):
    url, _ = server
    status, out, _ = ymawky("check", "--url", url, "--only", "files")
    assert 0 == status
    passed, skipped = re.search(r": (\d+) passed, 0 failed, (\d+) skipped", out).groups()
    assert int(passed) > 5 and int(skipped) > 50
    assert "needs files in its root: --root" in out


def test_with_its_root_a_server_gets_the_files_and_loses_them_again(ymawky, server):
    url, root = server
    (root / "mine.txt").write_text("mine")
    status, out, _ = ymawky("check", "--url", url, "--root", root, "--only", "files")
    assert 0 == status
    assert "needs files in its root" not in out
    assert "note:" not in out
    assert ["mine.txt"] == [path.name for path in root.iterdir()]


def test_a_root_that_the_server_does_not_serve_is_noticed(ymawky, server, tmp_path):
    url, _ = server
    other = tmp_path / "other"
    other.mkdir()
    status, out, _ = ymawky("check", "--url", url, "--root", other, "--only", "style.css")
    assert 1 == status
    assert (f"note: /style.css was just put into {other} and is not served: "
            "is that the folder of this server?") in out
    assert [] == list(other.iterdir())


def test_nothing_is_overwritten_in_a_root(ymawky, server):
    url, root = server
    (root / "1k.bin").write_text("mine")
    status, _, err = ymawky("check", "--url", url, "--root", root)
    assert 1 == status
    assert "has 1k.bin already, and nothing is overwritten" in one_line(err)
    assert {"1k.bin": "mine"} == {path.name: path.read_text() for path in root.iterdir()}


@pytest.mark.parametrize(("url", "said"), [
    ("http://example.com", "'example.com' is not this machine"),
    ("http://192.0.2.1:8080", "'192.0.2.1' is not this machine"),
    ("http://0.0.0.0", "'0.0.0.0' is not this machine"),
    ("http://127.0.0.1.example.com/", "is not this machine"),
    ("http://127.0.0.1@example.com/", "more than the address"),
    ("https://127.0.0.1", "no address of an HTTP server"),
    ("127.0.0.1:8080", "no address"),
    ("http://127.0.0.1:x", "no address"),
    ("http://127.0.0.1:8080/sub/", "more than the address"),
    ("http://127.0.0.1:0", "has no port"),
])
def test_only_servers_of_this_machine_are_tried(ymawky, url, said):
    status, out, err = ymawky("check", "--url", url)
    assert (1, "") == (status, out)
    assert said in one_line(err)


def test_addresses_of_this_machine():
    assert ("127.0.0.1", 8080) == loopback("http://127.0.0.1:8080/")
    assert ("127.0.0.1", 80) == loopback("http://localhost")
    assert ("::1", 81) == loopback("http://[::1]:81")
    assert ("127.9.9.9", 80) == loopback("http://127.9.9.9")


class Foreign(BaseHTTPRequestHandler):
    """Somebody else's server: Python's own, which greets everybody."""

    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "14")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"hello, client\n")

    def log_message(self, *_: object) -> None:
        pass


def test_somebody_elses_server_is_tried_and_its_calls_are_not_known(ymawky):
    with ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as foreign:
        thread = threading.Thread(target=foreign.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{foreign.server_port}"
            status, out, _ = ymawky("check", "-c", "06", "--url", url, "--only", "reply the")
        finally:
            foreign.shutdown()
            thread.join()
    assert 1 == status
    assert "FAILED  reply: the reply says what its body is\n" in out
    assert "  wrong     there is no field Content-Type\n" in out
    assert "  calls     not known, somebody else runs the server" in out


def test_a_server_that_never_closes_a_connection_is_left_after_a_few_cases(ymawky):
    class Kept(Foreign):
        protocol_version = "HTTP/1.1"
        timeout = 3

        def end_headers(self) -> None:
            self.close_connection = False
            super().end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Kept) as foreign:
        thread = threading.Thread(target=foreign.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{foreign.server_port}"
            status, out, _ = ymawky("check", "-c", "06", "--url", url, "--only", "reply",
                                    "--seconds", "0.5")
        finally:
            foreign.shutdown()
            thread.join()
    assert 1 == status
    assert "the connection is still open 0.5 s later" in out
    assert "it kept a client waiting 5 times in a row" in out


def test_a_server_that_is_not_there_is_one_line(ymawky):
    status, _, err = ymawky("check", "--url", "http://127.0.0.1:1")
    assert 66 == status
    assert "Connection refused (is the server running?)" in one_line(err)


def test_what_is_put_into_a_folder_goes_away_and_the_rest_stays(tmp_path):
    entries = {"a/b/one": File(b"1", 5), "empty": Folder(), "link": Link("a"), "pipe": Pipe()}
    (tmp_path / "kept").write_text("")
    with Placed(tmp_path, entries):
        assert 5 == (tmp_path / "a/b/one").stat().st_mtime
        assert (tmp_path / "pipe").is_fifo() and (tmp_path / "link").is_symlink()
        (tmp_path / "empty" / "new").write_text("somebody else's")
    assert {"kept", "empty"} == {path.name for path in tmp_path.iterdir()}


def test_what_took_the_place_of_a_file_stays(tmp_path):
    with Placed(tmp_path, {"one": File(b"1")}):
        (tmp_path / "other").write_text("2")
        (tmp_path / "other").replace(tmp_path / "one")
    assert "2" == (tmp_path / "one").read_text()


def test_a_name_that_is_taken_leaves_the_folder_as_it_is(tmp_path):
    (tmp_path / "two").symlink_to("nowhere")
    with pytest.raises(KitError, match="has two already"):
        Placed(tmp_path, {"one": File(b"1"), "two": File(b"2")})
    assert ["two"] == [path.name for path in tmp_path.iterdir()]


# --- --only, --list, wrong words --------------------------------------------------------

def test_list_shows_the_cases_under_their_features(ymawky):
    status, out, err = ymawky("check", "-c", "07", "--list")
    assert (0, "") == (status, err)
    assert "request: requests are read strictly, and refused with a reason\n" in out
    assert "  two Hosts are bad, even the same\n" in out
    assert "FAILED" not in out and "path:" not in out


def test_each_feature_is_listed_once(ymawky):
    _, out, _ = ymawky("check", "--list")
    heads = re.findall(r"^([a-z-]+): ", out, re.M)
    assert list(chapters.find(None).features) == sorted(
        heads, key=chapters.find(None).features.index)


def test_list_goes_with_only(ymawky):
    _, out, _ = ymawky("check", "-c", "07", "--list", "--only", "hosts same")
    assert out.endswith("  two Hosts are bad, even the same\n\n1 in all\n")


@pytest.mark.parametrize(("words", "said"), [
    (["--binary", "x", "--url", "http://127.0.0.1"], "exclude each other"),
    (["--root", "."], "--root goes with --url"),
    (["--native"], "--native goes with --binary"),
    (["--only", "x"], "--only goes with"),
    (["-c", "07", "--list", "--only", "no such"], "has all the words"),
    (["-c", "01", "--url", "http://127.0.0.1"], "is no server"),
    (["-c", "once", "--url", "http://127.0.0.1"], "ends after one client"),
    (["--seconds", "0"], "--seconds"),
])
def test_words_that_do_not_go_together_are_one_line(ymawky, words, said):
    status, out, err = ymawky("check", *words)
    assert (64, "") == (status, out)
    assert said in one_line(err)


def test_no_such_chapter_is_one_line(ymawky):
    for words in (["-c", "77"], ["-c", "77", "--list"], ["-c", "nosuch"]):
        status, _, err = ymawky("check", *words)
        assert 1 == status
        assert words[1] in one_line(err)


# --- notebooks ---------------------------------------------------------------------------

def write(path: Path, *cells: tuple[str, str]) -> Path:
    """A notebook of code cells, each with the text that is stored for it."""
    book = [{"cell_type": "markdown", "id": "ch09-head", "metadata": {},
             "source": ["# Nine\n", "\n", "## The part\n"]}]
    for number, (source, text) in enumerate(cells, 1):
        outputs = [{"output_type": "stream", "name": "stdout", "text": nb.lines(text)}]
        book.append({"cell_type": "code", "id": f"ch09-n{number}", "metadata": {},
                     "execution_count": number, "outputs": outputs if text else [],
                     "source": nb.lines(source)})
    path.write_text(nb.dumps({"cells": book, "metadata": {}, "nbformat": 4,
                              "nbformat_minor": 5}))
    return path


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of notebooks in place of the book's."""
    there = tmp_path / "notebooks"
    there.mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "nbval_sanitize.cfg").write_text("")
    monkeypatch.setattr(nb, "folder", lambda: there)
    return there


def test_a_notebook_of_the_book_shows_what_is_stored(ymawky):
    path = nb.paths()[1]
    before = path.read_bytes()
    status, out, err = ymawky("check", "--chapter", "1")
    assert (0, "") == (status, err)
    assert re.fullmatch(r"01-first-instructions: \d+ cells, all as stored\n", out)
    assert before == path.read_bytes()


def test_a_cell_that_shows_something_else_is_named_with_a_diff(ymawky, notebooks):
    path = write(notebooks / "09-x.ipynb", ("print(1)", "1\n"),
                 ("# two\nfor n in range(3):\n    print(n)", "0\n5\n2\n"), ("1 / 0", ""))
    before = path.read_bytes()
    status, out, err = ymawky("check")
    assert (1, "") == (status, err)
    assert out == (
        "09-x: 2 of 3 cells not as stored\n"
        "\n  cell [2] of 'The part'\n  # two\n     0\n    -5\n    +1\n     2\n"
        "\n  cell [3] of 'The part'\n  1 / 0\n    +ZeroDivisionError: division by zero\n"
        "\n  - is what is stored, + what the cell shows now\n")
    assert before == path.read_bytes()


def test_a_cell_that_never_ends_is_one_line_and_the_next_notebook_is_run(ymawky, notebooks):
    write(notebooks / "08-x.ipynb", ("while True: pass", ""), ("print(1)", "1\n"))
    write(notebooks / "09-x.ipynb", ("print(1)", "1\n"))
    status, out, err = ymawky("check", "--seconds", "1.5")
    assert 1 == status
    assert "ymawky: 08-x.ipynb: cell [1], 'while True: pass', did not end within 1.5 s" == one_line(
        err)
    assert "09-x: 1 cell, all as stored\n" == out


def test_a_cell_that_ends_the_kernel_is_one_line(ymawky, notebooks):
    write(notebooks / "09-x.ipynb", ("import os\nos._exit(3)", ""))
    status, _, err = ymawky("check", "-c", "9")
    assert 1 == status
    assert "cell [1], 'import os', ended the kernel" in one_line(err)


def test_ctrl_c_ends_a_notebook_without_a_traceback(ymawky, notebooks):
    write(notebooks / "09-x.ipynb", (
        "import os, signal, time\nos.kill(os.getppid(), signal.SIGINT)\ntime.sleep(30)", ""))
    try:
        status, _, err = ymawky("check", "--chapter", "09")
    finally:
        logging.getLogger("asyncio").setLevel(logging.NOTSET)
    assert 130 == status
    assert "Traceback" not in err


def test_without_jupyter_it_is_one_line(ymawky, notebooks, monkeypatch):
    write(notebooks / "09-x.ipynb", ("print(1)", "1\n"))
    monkeypatch.setitem(sys.modules, "nbclient", None)
    status, _, err = ymawky("check")
    assert 69 == status
    assert "the Python package 'nbclient' is not installed" in one_line(err)


def test_a_picture_that_differs_is_shown_by_what_lies_under_it(tmp_path):
    path = write(tmp_path / "09-x.ipynb", ("from IPython.display import HTML\nHTML('<p>new</p>')",
                                           ""))
    book = json.loads(path.read_text())
    book["cells"][1]["outputs"] = [{
        "output_type": "execute_result", "execution_count": 1, "metadata": {},
        "data": {"text/plain": ["<IPython.core.display.HTML object>"],
                 "text/html": ["<p>old</p>"]}}]
    path.write_text(nb.dumps(book))
    (found,) = replay(path, ())
    assert ("-<p>old</p>", "+<p>new</p>") == tuple(
        line for line in found.diff if line[0] in "+-")
