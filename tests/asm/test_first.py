"""The programs of the first chapters, run whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.contract import Asm
from support.server import executable

from ymawky_kit.darwin.errno import EINTR, EIO
from ymawky_kit.emu.plan import Fault, FaultPlan
from ymawky_kit.run import EmulatedRunner


def run(
    name: str, folder: Path, *words: str, stdin: bytes = b"", plan: tuple[Fault, ...] = ()
) -> tuple[int | None, bytes, bytes]:
    runner = EmulatedRunner(strict=True, plan=FaultPlan(plan).to_json() if plan else None)
    with runner.start(executable(name, folder), list(words), stdin=stdin) as process:
        status = process.wait(20)
        return status.code, bytes(process.output), bytes(process.errors)


def test_answer_ends_with_42(tmp_path: Path) -> None:
    assert (42, b"", b"") == run("answer", tmp_path)


@pytest.mark.parametrize("plan", [
    (), (Fault("write", 0, short=1),), (Fault("write", 1, error=EINTR),),
    (Fault("write", 1, short=5), Fault("write", 2, error=EINTR)),
])
def test_hello_says_hello_whatever_comes_between(tmp_path: Path, plan: tuple[Fault, ...]) -> None:
    assert (0, b"hello, world\n", b"") == run("hello", tmp_path, plan=plan)


def test_hello_fails_when_its_line_is_lost(tmp_path: Path) -> None:
    assert (1, b"", b"") == run("hello", tmp_path, plan=(Fault("write", 1, error=EIO),))


def test_cat_copies_standard_input(tmp_path: Path) -> None:
    data = bytes(range(256)) * 1000
    assert (0, data, b"") == run("cat", tmp_path, stdin=data)


def test_cat_copies_files_one_behind_the_other(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\n")
    (tmp_path / "b").write_bytes(b"x" * 200_000)
    names = [str(tmp_path / name) for name in "aba"]
    want = b"one\n" + b"x" * 200_000 + b"one\n"
    assert (0, want, b"") == run("cat", tmp_path, *names)


def test_cat_reports_what_it_cannot_read_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\n")
    gone, folder, good = (str(tmp_path / name) for name in ("gone", "", "a"))
    message = f"cat: {gone}: No such file or directory\ncat: {folder}: Is a directory\n"
    assert (1, b"one\n", message.encode()) == run("cat", tmp_path, gone, folder, good)


def test_cat_reports_a_write_that_fails(tmp_path: Path) -> None:
    code, output, errors = run("cat", tmp_path, stdin=b"x", plan=(Fault("write", 1, error=EIO),))
    assert (1, b"", b"cat: stdin: Input/output error\n") == (code, output, errors)


def test_every_errno_has_words(asm: Asm) -> None:
    for number in range(256):
        address = asm.call("errno_text", number).value
        text = asm.peek(address, 60).split(b"\0")[0]
        assert text[:1].isupper() and text.isascii() and len(text) > 5, number
