"""The programs of the first chapters, which end by themselves."""

from __future__ import annotations

from typing import Final

from ymawky_kit.blackbox.case import Run

_LARGEST: Final = (1 << 64) - 1
_BYTES: Final = bytes(range(256)) * 1000

CASES: Final = (
    Run("the exit status is 42", "answer", "exit(2): the kernel hands it to the shell", 42),
    Run("arguments do not change the answer", "answer", "chapter 01: nothing is read", 42,
        arguments=("1", "2")),

    Run("hello goes to standard output, with a newline", "hello",
        "chapter 02: one write of 13 bytes", 0, b"hello, world\n"),
    Run("arguments do not change the greeting", "hello", "chapter 02: nothing is read", 0,
        b"hello, world\n", arguments=("--help",)),

    Run("a file is copied to standard output", "cat", "cat(1)", 0, b"one\n",
        arguments=("one.txt",), files=("one.txt",)),
    Run("files are copied one behind the other, also twice the same", "cat", "cat(1)", 0,
        b"one\nblank\none\n", arguments=("one.txt", "a b.txt", "one.txt"),
        files=("one.txt", "a b.txt")),
    Run("every byte is copied as it is", "cat", "cat(1): files are bytes, not lines of text",
        0, bytes(range(256)) * 4, arguments=("1k.bin",), files=("1k.bin",)),
    Run("an empty file adds nothing", "cat", "cat(1)", 0, b"one\n",
        arguments=("empty.txt", "one.txt"), files=("empty.txt", "one.txt")),
    Run("without arguments standard input is copied", "cat", "cat(1)", 0, b"typed\n",
        stdin=b"typed\n"),
    Run("much is copied as well as little", "cat",
        "chapter 02: read and write may do less than they are asked for", 0, _BYTES,
        stdin=_BYTES),
    Run("a file that is not there is reported, and the others are copied", "cat",
        "cat(1): exit status 1 if anything failed; messages go to standard error", 1,
        b"one\n", b"cat: gone.txt: No such file or directory\n",
        ("gone.txt", "one.txt"), files=("one.txt",)),
    Run("a folder is reported", "cat", "read(2): EISDIR", 1, b"",
        b"cat: bare: Is a directory\n", ("bare",), files=("bare",)),

    Run("two numbers are added", "total", "chapter 04", 0, b"42\n", arguments=("40", "2")),
    Run("nothing adds up to 0", "total", "chapter 04", 0, b"0\n"),
    Run("one number is its own sum", "total", "chapter 04", 0, b"7\n", arguments=("7",)),
    Run("zeros in front count nothing", "total", "chapter 04", 0, b"10\n",
        arguments=("0000000000000000000000000000010",)),
    Run("the largest number of 64 bits is added", "total", "chapter 04", 0,
        b"%d\n" % _LARGEST, arguments=(str(_LARGEST - 1), "1")),
    Run("a sum beyond 64 bits is refused", "total",
        "chapter 04: adds sets the carry flag, and somebody must look", 1, b"",
        b"total: 1: too large\n", (str(_LARGEST), "1")),
    Run("a number beyond 64 bits is refused", "total",
        "chapter 04: 2 to the power of 64 has twenty digits, as many as the largest that fits",
        1, b"", b"total: %d: too large\n" % (_LARGEST + 1), (str(_LARGEST + 1),)),
    Run("a word is refused", "total", "chapter 04", 1, b"", b"total: two: not a number\n",
        ("1", "two")),
    Run("a sign is refused", "total", "chapter 04: only digits are digits", 1, b"",
        b"total: -1: not a number\n", ("-1",)),
    Run("a digit from another alphabet is refused", "total",
        "chapter 04: an argument is bytes, and these are not '0' to '9'", 1, b"",
        "total: ٣: not a number\n".encode(), ("٣",)),
    Run("a number with a blank in it is refused", "total", "chapter 04", 1, b"",
        b"total: 1 2: not a number\n", ("1 2",)),
    Run("an empty argument is refused", "total", "chapter 04: no digit is no number", 1, b"",
        b"total: : not a number\n", ("",)),
)
