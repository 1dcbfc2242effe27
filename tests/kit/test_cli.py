"""The command line: what it prints, and how it ends. Commands that run programs: test_cli_run."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ymawky_kit import chapters, cli, doctor
from ymawky_kit.cli import failure
from ymawky_kit.doctor import Finding, State
from ymawky_kit.source import Diagnostic, KitError

HEAVY = ("keystone", "unicorn", "capstone", "rich", "IPython", "nbformat", "ymawky_kit.asm")
ASM = Path(__file__).resolve().parents[2] / "src" / "asm"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test works in an empty folder, with no wish about colours or debugging."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "YMAWKY_DEBUG", "YMAWKY_ENCODER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ymawky(capsys: pytest.CaptureFixture[str]):
    """Runs a command in this process; gives (exit status, stdout, stderr)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return run


def one_line(text: str) -> str:
    """The text without its newline; there is exactly one."""
    assert 1 == text.count("\n"), text
    assert text.endswith("\n")
    return text[:-1]


# --- as a whole -------------------------------------------------------------------

COMMANDS = sorted(cli.ymawky.commands)


def test_all_commands_are_there():
    wanted = "build serve run asm inspect trace doctor weave regen book"
    assert set(wanted.split()) <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_teaches_with_an_example(ymawky, command):
    status, out, err = ymawky(command, "--help")
    assert (0, "") == (status, err)
    assert "Examples:" in out
    assert f"ymawky {command}" in out.partition("Examples:")[2]
    assert max(map(len, out.splitlines())) <= 100


def test_help_of_the_whole_names_every_command(ymawky):
    status, out, _ = ymawky("--help")
    assert 0 == status
    for command in COMMANDS:
        assert f"  {command} " in out
    assert "..." not in out.partition("Commands:")[2]     # every short help fits


def test_no_command_at_all_shows_the_help_as_an_error(ymawky):
    status, out, err = ymawky()
    assert (64, "") == (status, out)
    assert "Usage: ymawky" in err


def test_version(ymawky):
    status, out, _ = ymawky("--version")
    assert 0 == status
    assert out.startswith("ymawky-kit, version ")


@pytest.mark.parametrize("arguments", [
    ("bild",), ("build", "--chaptre", "1"), ("build", "-o"), ("serve", "--port", "http"),
    ("serve", "--port", "65536"), ("serve", "a", "b"), ("asm",), ("inspect",), ("run",), ("trace",),
    ("weave", "--chekc"), ("weave", "no-such.ipynb"), ("serve", "--port", "-1"),
    ("asm", "-I"), ("run", "--emulatd", "x"), ("trace", "--outptu", "y", "x"),
], ids=" ".join)
def test_a_wrong_command_line_is_one_line_and_status_64(ymawky, arguments):
    status, out, err = ymawky(*arguments)
    assert (64, "") == (status, out)
    assert one_line(err).startswith("ymawky: ")
    assert " --help)" in err
    assert ". (see" not in err


@pytest.mark.parametrize("arguments", [("asm", "-I"), ("run", "--emulatd", "x"), ("trace", "-o")])
def test_a_wrong_command_line_points_to_the_help_of_its_command(ymawky, arguments):
    _, _, err = ymawky(*arguments)
    assert err.endswith(f"(see: ymawky {arguments[0]} --help)\n")


def test_a_misspelt_option_is_answered_with_the_right_one(ymawky):
    _, _, err = ymawky("build", "--chaptre", "1")
    assert "--chapter" in err


def test_the_command_line_loads_fast_and_nothing_heavy():
    code = (
        "import sys, time; began = time.process_time(); import ymawky_kit.cli; "
        "print(time.process_time() - began); print(*sys.modules)"
    )
    seconds = []
    for _ in range(3):
        out = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout
        took, loaded = out.split("\n")[:2]
        seconds.append(float(took))
        assert not set(HEAVY) & set(loaded.split())
    assert min(seconds) <= 0.3


# --- asm ----------------------------------------------------------------------------

HELLO = """\
.text
.globl start
start:
    mov x0, #42     // the answer
    b   Lout
Lout:
    svc #0x80
.data
word: .quad start
.bss
room: .space 16
"""


def test_asm_lists_addresses_bytes_labels_and_text(ymawky):
    Path("hello.s").write_text(HELLO)
    status, out, err = ymawky("asm", "hello.s")
    assert (0, "") == (status, err)
    lines = out.splitlines()
    assert lines[0].startswith("__TEXT,__text: 12 bytes")
    assert "start:" in lines and "Lout:" in lines
    listed = [line.split() for line in lines]
    assert ["0", "40", "05", "80", "d2", "mov", "x0,", "#42"] in listed
    assert any(line[:5] == ["8", "01", "10", "00", "d4"] for line in listed)
    assert any("UNSIGNED start" in line for line in lines)
    assert any("16 bytes of zeros" in line for line in lines)


def test_asm_of_a_wrong_mnemonic_shows_a_caret_and_a_hint(ymawky):
    Path("wrong.s").write_text(".text\n    movv x0, #1\n")
    status, out, err = ymawky("asm", "wrong.s")
    assert (65, "") == (status, out)
    assert [
        "wrong.s:2:5: error: unknown mnemonic 'movv'",
        "    movv x0, #1",
        "    ^~~~",
        "hint: did you mean 'mov'?",
    ] == err.splitlines()


def test_asm_reads_standard_input(ymawky, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"ret\r\n")))
    status, out, _ = ymawky("asm", "-")
    assert 0 == status
    assert "c0 03 5f d6" in out


def test_asm_reads_standard_input_as_utf_8_whatever_the_locale_says(ymawky, monkeypatch):
    text = io.TextIOWrapper(io.BytesIO("ret // caf\u00e9\n".encode()), encoding="ascii")
    monkeypatch.setattr(sys, "stdin", text)
    status, out, err = ymawky("asm", "-")
    assert (0, "") == (status, err)
    assert "c0 03 5f d6" in out


def test_asm_of_standard_input_that_is_no_text_is_one_line(ymawky, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"mov \xff")))
    status, out, err = ymawky("asm", "-")
    assert (1, "") == (status, out)
    assert one_line(err).startswith("ymawky: standard input: not UTF-8 text (byte 4)")


def test_asm_reads_a_file_that_begins_with_a_byte_order_mark(ymawky):
    Path("notepad.s").write_bytes(b"\xef\xbb\xbfret\r\n")
    status, out, err = ymawky("asm", "notepad.s")
    assert (0, "") == (status, err)
    assert "c0 03 5f d6" in out


def test_asm_finds_files_beside_the_source_and_in_the_folders_named(ymawky, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "near.inc").write_text(".equ ONE, 1\n")
    (tmp_path / "b" / "far.inc").write_text(".equ TWO, 2\n")
    (tmp_path / "a" / "x.s").write_text(
        '.include "near.inc"\n.include "far.inc"\n    mov x0, #(ONE + TWO)\n'
    )
    status, out, err = ymawky("asm", "a/x.s", "-I", "b")
    assert (0, "") == (status, err)
    assert "60 00 80 d2" in out


def test_asm_shortens_a_line_that_would_make_all_others_as_wide(ymawky):
    Path("wide.s").write_text(".byte " + "1," * 5000 + "1\n")
    status, out, _ = ymawky("asm", "wide.s")
    assert 0 == status
    assert 2 + 5001 // 8 == len(out.splitlines())
    assert max(map(len, out.splitlines())) < 160


def test_asm_of_a_file_that_is_empty_says_so(ymawky):
    Path("empty.s").write_text("// nothing\n")
    assert (0, "nothing to assemble in it\n", "") == ymawky("asm", "empty.s")


def test_asm_lists_every_module_of_the_server(ymawky):
    for path in sorted(ASM.rglob("*.s")):
        status, out, err = ymawky("asm", str(path))
        assert (0, "") == (status, err), path
        assert out


@pytest.mark.parametrize("command", ["asm", "inspect", "run", "trace"])
def test_a_missing_file_is_one_line_and_status_66(ymawky, command):
    status, out, err = ymawky(command, "nowhere")
    assert (66, "") == (status, out)
    assert one_line(err).startswith("ymawky: there is no file nowhere")


@pytest.mark.parametrize("command", ["asm", "inspect", "run", "trace"])
def test_a_directory_instead_of_a_file_is_one_line_and_status_66(ymawky, command):
    status, out, err = ymawky(command, ".")
    assert (66, "") == (status, out)
    assert "ymawky: . is a directory, not a file" == one_line(err)


def test_asm_of_a_file_that_is_no_text_is_one_line(ymawky):
    Path("binary.s").write_bytes(b"\xff\xfe\0")
    status, out, err = ymawky("asm", "binary.s")
    assert (1, "") == (status, out)
    assert "not UTF-8" in one_line(err)


# --- build --------------------------------------------------------------------------

def test_build_writes_the_server_and_says_what_it_did(ymawky):
    status, out, err = ymawky("build")
    assert (0, "") == (status, err)
    assert "assembled " in out and "linked and signed" in out
    assert "wrote ymawky (" in out
    assert os.access("ymawky", os.X_OK)


def test_build_gives_the_same_bytes_every_time(ymawky):
    assert 0 == ymawky("build", "-o", "one")[0]
    assert 0 == ymawky("build", "-o", "two")[0]
    assert Path("one").read_bytes() == Path("two").read_bytes()


@pytest.mark.parametrize("chapter", ["1", "01", "answer"])
def test_build_takes_a_chapter_by_number_or_name(ymawky, chapter):
    status, out, _ = ymawky("build", "--chapter", chapter)
    assert 0 == status
    assert "assembled 1 module, linked and signed answer" in out
    assert Path("answer").is_file()


@pytest.mark.parametrize("number", range(11))
def test_every_chapter_builds_by_its_number(ymawky, number):
    status, out, _ = ymawky("build", "--chapter", f"{number:02}")
    name = chapters.find(str(number)).name
    assert 0 == status
    assert f"linked and signed {name} in" in out
    assert os.access(name, os.X_OK)


def test_build_of_an_unknown_chapter_is_one_line_with_a_hint(ymawky):
    status, out, err = ymawky("build", "-c", "anwser")
    assert (1, "") == (status, out)
    assert "ymawky: there is no program or chapter 'anwser' (did you mean 'answer'?)" == (
        one_line(err)
    )


@pytest.mark.parametrize("output", [".", "no/such/folder/x", "/dev/null/x"])
def test_build_where_it_cannot_write_is_one_line_and_status_73(ymawky, output):
    status, _, err = ymawky("build", "-c", "answer", "-o", output)
    assert 73 == status
    assert output in one_line(err)


@pytest.mark.parametrize("linked", [False, True])
def test_build_leaves_a_device_or_a_pipe_as_it_is(ymawky, linked):
    os.mkfifo("pipe")
    Path("link").symlink_to("pipe")
    output = "link" if linked else "pipe"
    status, _, err = ymawky("build", "-c", "answer", "-o", output)
    assert 73 == status
    assert f"ymawky: {output} is a device or a pipe, and no file to replace" == one_line(err)
    assert Path("pipe").is_fifo()
    assert Path("link").is_symlink()


# --- inspect --------------------------------------------------------------------------

def test_inspect_finds_nothing_wrong_with_what_build_wrote(ymawky):
    ymawky("build", "-c", "answer")
    status, out, err = ymawky("inspect", "answer")
    assert (0, "") == (status, err)
    for heading in ("Header", "Load commands", "Symbols", "__TEXT", "signature"):
        assert heading in out


@pytest.mark.parametrize("program", chapters.load())
def test_inspect_says_that_nothing_is_wrong_with_any_chapters_binary(ymawky, program):
    assert 0 == ymawky("build", "-c", program, "-o", "it")[0]
    status, out, err = ymawky("inspect", "it")
    assert (0, "") == (status, err), out


def test_inspect_of_a_damaged_file_says_who_refuses_it_and_ends_with_1(ymawky):
    ymawky("build", "-c", "answer")
    data = bytearray(Path("answer").read_bytes())
    data[0x1000] ^= 1       # one bit of the code: a page hash no longer fits
    Path("damaged").write_bytes(data)
    status, out, _ = ymawky("inspect", "damaged")
    assert 1 == status
    assert "kernel" in out


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"#!/bin/sh\n" * 99])
def test_inspect_of_anything_else_is_no_traceback(ymawky, data):
    Path("other").write_bytes(data)
    status, out, err = ymawky("inspect", "other")
    assert 1 == status
    assert "Traceback" not in out + err
    assert out or err


def test_inspect_of_every_truncation_is_no_traceback(ymawky):
    ymawky("build", "-c", "answer")
    data = Path("answer").read_bytes()
    for size in (*range(0, 1024, 32), 0x1000, 0x4000, len(data) - 1):
        Path("short").write_bytes(data[:size])
        status, _, _ = ymawky("inspect", "short")
        assert 1 == status, size


def test_inspect_does_not_fill_the_memory_with_a_file_that_is_huge(ymawky):
    with Path("huge").open("wb") as file:
        file.truncate(1 << 40)
    status, out, err = ymawky("inspect", "huge")
    assert (65, "") == (status, out)
    assert "ymawky: huge is larger than 256 MiB" == one_line(err)


# --- doctor -------------------------------------------------------------------------

def show(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: iter(findings))


def test_doctor_ends_with_0_while_the_book_runs(ymawky, monkeypatch):
    show(monkeypatch, Finding("a", State.GOOD, "fine"), Finding("b", State.NOTE, "hm", "do it"))
    status, out, err = ymawky("doctor")
    assert (0, "") == (status, err)
    assert "mend: do it" in out
    assert "\x1b" not in out
    assert out.endswith("The book runs here.\n")


def test_doctor_ends_with_1_on_a_problem(ymawky, monkeypatch):
    show(monkeypatch, Finding("a", State.PROBLEM, "broken", "mend it so"))
    status, out, _ = ymawky("doctor")
    assert 1 == status
    assert "mend: mend it so" in out


# --- the author's commands ------------------------------------------------------------

@pytest.mark.parametrize(("said", "options", "status"), [
    ([], ["--check"], 0), ([], [], 0), (["x.ipynb: differs"], ["--check"], 1),
    (["x.ipynb: differs"], [], 0),
])
@pytest.mark.parametrize("command", ["weave", "regen"])
def test_weave_and_regen_end_with_1_only_where_a_check_found_something(
    ymawky, monkeypatch, command, said, options, status
):
    asked = []

    def pretend(chosen, *, check, pages=True, progress=None):
        assert pages, "no notebook is named: the page is made anew as well"
        asked.append(check)
        return said

    monkeypatch.setattr(f"ymawky_kit.lab.{command}.{command}", pretend)
    got, out, _ = ymawky(command, *options)
    assert status == got
    assert [bool(options)] == asked
    assert all(line in out for line in said)


@pytest.mark.parametrize("command", ["book", "weave", "regen"])
def test_the_authors_commands_outside_a_checkout_are_one_line(ymawky, monkeypatch, command):
    monkeypatch.setattr("ymawky_kit.paths.checkout", lambda: None)
    monkeypatch.setattr("ymawky_kit.lab.notebook.checkout", lambda: None)
    status, out, err = ymawky(command)
    assert status in (1, 69)
    assert "" == out
    assert "in a checkout of ymawky" in one_line(err)


# --- how failures end ---------------------------------------------------------------

def ending(error: BaseException) -> int:
    """The exit status of a command that raises this."""

    @click.command()
    def fail() -> None:
        raise error

    return failure.guarded(fail, [])


@pytest.mark.parametrize(("error", "status", "line"), [
    (KitError.of("it is so", hint="do that"), 1, "ymawky: it is so (do that)"),
    (FileNotFoundError(2, "No such file or directory", "x"), 66,
     "ymawky: x: No such file or directory"),
    (PermissionError(13, "Permission denied", "x"), 73, "ymawky: x: Permission denied"),
    (ModuleNotFoundError(name="nbclient"), 69,
     "ymawky: the Python package 'nbclient' is not installed (ymawky doctor looks further)"),
    (ZeroDivisionError("oh\nno"), 70,
     "ymawky: internal error: ZeroDivisionError: oh no (YMAWKY_DEBUG=1 shows where)"),
    (RecursionError("deep"), 70,
     "ymawky: internal error: RecursionError: deep (YMAWKY_DEBUG=1 shows where)"),
])
def test_every_failure_is_one_line_and_a_status(capsys, error, status, line):
    assert status == ending(error)
    assert line == one_line(capsys.readouterr().err)


def test_an_interrupt_ends_with_130_and_no_word(capsys):
    assert 130 == ending(KeyboardInterrupt())
    assert ("", "") == capsys.readouterr()


def test_several_errors_of_a_source_are_all_shown(capsys):
    several = KitError(Diagnostic("one"), Diagnostic("two"))
    assert 1 == ending(several)
    assert "error: one\n\nerror: two\n" == capsys.readouterr().err


def test_a_traceback_is_shown_only_on_request(capsys, monkeypatch):
    monkeypatch.setenv("YMAWKY_DEBUG", "1")
    assert 70 == ending(ZeroDivisionError())
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_who_stops_reading_gets_no_complaint():
    command = f"{sys.executable} -m ymawky_kit asm {ASM / 'first' / 'hello.s'}"
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"],
        check=False, capture_output=True, text=True, timeout=60,
    )
    assert "" == done.stderr
    assert done.returncode in (0, 141)


@pytest.mark.parametrize(("line", "status"), [
    ("build -c answer >&-", 0), ("inspect nowhere 2>&-", 66), ("asm - <&-", 0),
    ("asm nowhere <&- >&- 2>&-", 66), ("--help >&-", 0),
])
def test_a_closed_stream_is_no_error_of_ours(line, status):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m ymawky_kit {line}"],
        check=False, capture_output=True, text=True, timeout=60,
    )
    assert (status, "") == (done.returncode, done.stderr)


# --- colours --------------------------------------------------------------------------

def on_a_terminal(*arguments: str, **environment: str) -> str:
    """What a command prints to a terminal."""
    master, slave = os.openpty()
    with os.fdopen(slave, "wb") as terminal:
        subprocess.run(
            [sys.executable, "-c", DOCTOR_OF_ONE, *arguments], stdout=terminal, check=True,
            stdin=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm", **environment},
            timeout=60,
        )
        text = os.read(master, 65536)
    os.close(master)
    return text.decode()


DOCTOR_OF_ONE = """
from ymawky_kit import chapters, cli, doctor
doctor.examine = lambda: iter([doctor.Finding("a", doctor.State.GOOD, "fine")])
raise SystemExit(cli.main(["doctor"]))
"""


def test_colours_appear_on_a_terminal():
    assert "\x1b[32m" in on_a_terminal()


def test_no_color_is_respected():
    assert "\x1b" not in on_a_terminal(NO_COLOR="1")
