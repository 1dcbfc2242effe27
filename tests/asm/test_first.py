"""The programs of the first chapters, run whole."""

from __future__ import annotations

import random
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


def total_model(words: list[str]) -> tuple[int, bytes, bytes]:
    """What `total` does, with Python's numbers."""
    total = 0
    for word in words:
        if not (word.isascii() and word.isdigit()):
            # Digits that already say "too large" are refused before what comes behind them.
            digits = word[:next(n for n, c in enumerate(word + "x") if c not in "0123456789")]
            large = digits != "" and int(digits) >= 1 << 64
            return 1, b"", complaint(word, "too large" if large else "not a number")
        total += int(word)
        if total >= 1 << 64:
            return 1, b"", complaint(word, "too large")
    return 0, b"%d\n" % total, b""


def complaint(word: str, reason: str) -> bytes:
    return f"total: {word}: {reason}\n".encode()


def some_words(chance: random.Random) -> list[str]:
    """Numbers of all sizes, and now and then what is none, or is just too large."""
    limit = 1 << 64
    words = [str(chance.getrandbits(chance.randrange(1, 63))) for _ in range(chance.randrange(6))]
    special = ["", "0", "00000000000000000000000007", "-1", "+1", " 1", "1 ", "1x", "0x10", "1:",
               "/9", "\u0661", str(limit - 1), str(limit), str(10 * limit), f"{limit}x", "9" * 300]
    for _ in range(chance.randrange(3)):
        words.insert(chance.randrange(len(words) + 1), chance.choice(special))
    return words


@pytest.mark.parametrize("seed", range(40))
def test_total_adds_as_python_does(seed: int, tmp_path: Path) -> None:
    words = some_words(random.Random(seed))
    assert total_model(words) == run("total", tmp_path, *words)


@pytest.mark.parametrize("words", [
    (), ("",), ("18446744073709551615",), ("18446744073709551616",),
    ("18446744073709551615", "0"), ("18446744073709551615", "1"), ("1", "18446744073709551615"),
    ("9223372036854775808", "9223372036854775807"), ("9223372036854775808", "9223372036854775808"),
])
def test_total_at_the_edge_of_64_bits(words: tuple[str, ...], tmp_path: Path) -> None:
    assert total_model(list(words)) == run("total", tmp_path, *words)


@pytest.mark.parametrize("plan", [
    (Fault("write", 0, short=1),), (Fault("write", 1, error=EINTR),),
    (Fault("write", 1, short=2), Fault("write", 2, error=EINTR)),
])
@pytest.mark.parametrize("words", [("123456789", "1"), ("one",)])
def test_total_says_it_whole_whatever_comes_between(
        words: tuple[str, ...], plan: tuple[Fault, ...], tmp_path: Path) -> None:
    assert total_model(list(words)) == run("total", tmp_path, *words, plan=plan)


@pytest.mark.parametrize("nth", range(1, 7))
@pytest.mark.parametrize("words", [("40", "2"), ("40", "two")])
def test_total_fails_when_any_line_of_it_is_lost(
        words: tuple[str, ...], nth: int, tmp_path: Path) -> None:
    """A sum is one write, a complaint six; a complaint's lost piece changes nothing else."""
    code, output, errors = run("total", tmp_path, *words, plan=(Fault("write", nth, error=EIO),))
    if words == ("40", "2"):
        assert ((1, b"") if nth == 1 else (0, b"42\n")) == (code, output)
        assert b"" == errors
    else:
        pieces = [b"total", b": ", b"two", b": ", b"not a number", b"\n"]
        pieces[nth - 1] = b""
        assert (1, b"", b"".join(pieces)) == (code, output, errors)


def test_every_errno_has_words(asm: Asm) -> None:
    for number in range(256):
        address = asm.call("errno_text", number).value
        text = asm.peek(address, 60).split(b"\0")[0]
        assert text[:1].isupper() and text.isascii() and len(text) > 5, number
