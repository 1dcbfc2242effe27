"""`check`: does the reader's answer to an exercise hold?

A judge calls the answer with many inputs and compares with one line of Python, so
every right answer passes, however it is written.  A function is also held to the
contract of the book: x19 to x29 and sp come back as they were, and nothing is read
or written outside what was given.  The first thing that is wrong is said, with the
input that shows it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from ymawky_kit import chapters
from ymawky_kit.emu.cpu import REGISTER_NAMES
from ymawky_kit.emu.machine import CallFault, CallResult, Machine
from ymawky_kit.lab import drive
from ymawky_kit.lab.drive import Argument, Plan
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.source import KitError
from ymawky_kit.view.core import View, count, esc, tag
from ymawky_kit.view.registers import value

_KEPT: Final = tuple(f"x{n}" for n in range(19, 30))
_CALL_LIMIT: Final = 200_000


class Wrong(Exception):
    """An answer that does not hold; `hint` says where to look."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Mark(View):
    """The result of a check."""

    def __init__(self, name: str, right: bool, message: str, hint: str = "") -> None:
        self.name = name
        self.right = right
        self.message = message
        self.hint = hint

    def text(self) -> str:
        head = f"{self.name}: {'right' if self.right else 'not yet'}. {self.message}"
        return f"{head}\nhint: {self.hint}" if self.hint else head

    def html(self) -> str:
        sign = "✓ right. " if self.right else "not yet. "
        parts = [tag("p", tag("code", esc(self.name)), ": ", tag("b", sign), esc(self.message),
                     class_="yk-ok" if self.right else "yk-bad")]
        if self.hint:
            parts.append(tag("p", esc(f"hint: {self.hint}"), class_="yk-note"))
        return tag("div", *parts, class_="yk")


class Hand:
    """Calls one function again and again, each time in the same fresh machine."""

    def __init__(self, function: str, machine: Machine) -> None:
        self.function = function
        self.machine = machine
        self.clean = machine.snapshot()
        self.asked = 0

    def ask(self, *arguments: Argument) -> tuple[CallResult, list[bytes]]:
        """The result and what the buffers hold afterwards; raises Wrong for a broken contract."""
        machine = self.machine
        machine.restore(self.clean)
        self.asked += 1
        shown = drive.shown(self.function, arguments)
        numbers: list[int] = []
        blocks: list[tuple[int, int]] = []
        for argument in arguments:
            if isinstance(argument, int):
                numbers.append(argument)
            else:
                data = drive.as_bytes(argument)
                address = machine.alloc(data, guard="end")
                numbers.append(address)
                blocks.append((address, len(data)))
        try:
            result = machine.call(self.function, *numbers, limit=_CALL_LIMIT)
        except CallFault as fault:
            raise Wrong(f"{shown} did not return: {fault}.",
                        f"watch it: step({_again(self.function, arguments)})") from None
        for name in (*_KEPT, "sp"):
            n = REGISTER_NAMES.index(name)
            if result.before[n] != result.after[n]:
                raise Wrong(
                    f"{shown} changed {name} from {value(result.before[n])} "
                    f"to {value(result.after[n])}.",
                    "sp must come back as it was: what the frame takes, it gives back"
                    if name == "sp" else
                    f"{name} belongs to the caller: save it first and restore it, "
                    "or use x9 to x15")
        return result, [machine.memory.peek(address, size) for address, size in blocks]

    def value(self, *arguments: Argument) -> int:
        return self.ask(*arguments)[0].value

    def expect(self, expected: int, *arguments: Argument,
               guess: Callable[[int], str] = lambda got: "") -> None:
        """x0 must be `expected`; `guess` may say what a wrong value hints at."""
        got = self.value(*arguments)
        if got != expected:
            raise Wrong(f"{drive.shown(self.function, arguments)} gave {value(got)}, "
                        f"not {value(expected)}.",
                        guess(got) or f"watch it: step({_again(self.function, arguments)})")


def _again(function: str, arguments: Sequence[Argument]) -> str:
    shown = (repr(a) if not isinstance(a, int) else str(a) for a in arguments)
    return ", ".join([repr(function), *shown])


@contextmanager
def _hand(function: str, plan: Plan = None, stdin: bytes = b"") -> Iterator[Hand]:
    program = BENCH.build_around(function)
    with drive.streams(stdin) as files, \
            drive.boot_program(program, [], files, plan, strict=True) as machine:
        yield Hand(function, machine)


# -- the judges: each returns a sentence, or raises Wrong ------------------------------

_EDGES: Final = (0, 1, 2, 41, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1,
                 1 << 63, (1 << 64) - 2, (1 << 64) - 1)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _larger(name: str) -> str:
    chance = random.Random(1)
    pairs = [(a, b) for a in _EDGES for b in _EDGES]
    pairs += [(chance.getrandbits(64), chance.getrandbits(64)) for _ in range(200)]
    with _hand(name) as hand:
        for a, b in pairs:
            expected = max(a, b)

            def guess(got: int, a: int = a, b: int = b) -> str:
                if got == max(a, b, key=_signed):
                    return ("it compares as signed numbers (gt, ge, lt, le); "
                            "hs, hi, lo and ls compare unsigned ones")
                return "it gives the smaller one" if got == min(a, b) else ""

            hand.expect(expected, a, b, guess=guess)
        return f"{count(hand.asked, 'pair')} of numbers, all registers kept."


def _string_length(name: str) -> str:
    chance = random.Random(2)
    texts = [b"", b"a", b"hello", b"\xff\x80\x01", b"x" * 255, b"x" * 256, b"x" * 4097]
    texts += [bytes(chance.randrange(1, 256) for _ in range(chance.randrange(64)))
              for _ in range(100)]
    with _hand(name) as hand:
        for text in texts:
            def guess(got: int, text: bytes = text) -> str:
                if got == len(text) + 1:
                    return "one too many: the zero byte itself does not count"
                return "the start of the text must be taken away" if got > 1 << 32 else ""

            hand.expect(len(text), text + b"\0", guess=guess)
        return f"{count(hand.asked, 'text')} of up to 4,097 bytes, nothing read behind them."


def _count_ones(name: str) -> str:
    chance = random.Random(3)
    numbers = [*_EDGES, *(chance.getrandbits(64) for _ in range(200)),
               *(1 << n for n in range(64))]
    longest = 0
    with _hand(name) as hand:
        for number in numbers:
            def guess(got: int, number: int = number) -> str:
                return ("it looks at the lower 32 bits only: use x registers, not w"
                        if got == (number & 0xFFFFFFFF).bit_count() else "")

            hand.expect(number.bit_count(), number, guess=guess)
            longest = max(longest, hand.ask(number)[0].instructions)
        return f"{len(numbers)} numbers; the longest took {count(longest, 'instruction')}."


def _outcome(result: CallResult) -> str:
    return f"C {'set' if result.carry else 'clear'}, x0 = {value(result.value)}"


def _close_quietly(name: str) -> str:
    cases: list[tuple[Plan, bool, int, str]] = [
        (None, False, 0, "descriptor 77 is not open (EBADF)"),
        ("close 1: EIO", True, 5, "close fails with EIO"),
        ("close 1: EINTR", True, 4, "close fails with EINTR"),
        ("close 1: EBADF", False, 0, "close fails with EBADF"),
    ]
    for plan, carry, number, what in cases:
        with _hand(name, plan) as hand:
            result, _ = hand.ask(77 if plan is None else 0)
            if result.syscalls == 0:
                raise Wrong(f"When {what}: it made no system call at all.",
                            "bl fd_close, and look at its answer")
            if (result.carry, result.value) != (carry, number):
                raise Wrong(f"When {what}: {_outcome(result)}; it should be "
                            f"C {'set' if carry else 'clear'}, x0 = {number}.",
                            "cmp changes C as well: set or clear it as the last thing"
                            if result.carry != carry else "")
            if result.syscalls != 1:
                raise Wrong(f"When {what}, {count(result.syscalls, 'system call')} were made "
                            "instead of one.", "call fd_close once and look at its answer")
    with _hand(name) as hand:
        result, _ = hand.ask(0)
        if result.carry or result.value or result.syscalls != 1:
            raise Wrong(f"Closing an open descriptor: {_outcome(result)}, "
                        f"{count(result.syscalls, 'system call')}.",
                        "it should make one call, and leave C clear and x0 = 0")
    return f"{len(cases) + 1} outcomes of close, each passed on as it should be."


def _fd_read_full(name: str) -> str:
    data = bytes(range(256)) * 3
    plans: list[Plan] = [
        None, "read 1: short 7", "read 1: EINTR", ["read 1: EINTR", "read 2: short 1"],
        ["read 1: short 3", "read 2: EINTR", "read 3: EINTR", "read 4: short 100"],
    ]
    tried = 0
    for plan in plans:
        for size in (0, 1, 100, 767, 768, 769, 2000):
            with _hand(name, plan, data) as hand:
                result, (left,) = hand.ask(0, bytes(size), size)
                tried += 1
            expected = min(size, len(data))
            trouble = f" with {plan}" if plan else ""
            shown = f"{count(size, 'byte')} wanted, {len(data)} there{trouble}"
            if size and result.syscalls == 0:
                raise Wrong(f"{shown}: it made no system call at all.",
                            "bl fd_read_some, until enough is there")
            if result.carry or result.value != expected:
                raise Wrong(f"{shown}: {_outcome(result)}; it should be C clear, x0 = {expected}.",
                            "C is set: which instruction before ret changed it?"
                            if result.carry and result.value == expected else
                            "a read may give fewer bytes than asked for: go on behind them")
            if left[:expected] != data[:expected]:
                raise Wrong(f"{shown}: the number is right, the bytes in the buffer are not.",
                            "after a short read the next one must begin behind its bytes")
    with _hand(name, ["read 1: short 7", "read 2: EIO"], data) as hand:
        result, _ = hand.ask(0, bytes(100), 100)
        if not result.carry or result.value != 5:
            raise Wrong(f"When the second read fails with EIO: {_outcome(result)}; "
                        "it should be C set, x0 = 5.", "pass the error on as it came")
    return f"{count(tried + 1, 'run')}, with short reads, signals and an error."


def _greet(name: str) -> str:
    program = BENCH.build(name)
    for word in ("you", "", "A" * 500, "two words"):
        for plan in (None, "write 1: short 3", "write 2: EINTR"):
            done = drive.trace(program, word, plan=plan)
            expected = b"hello, " + word.encode() + b"\n"
            if done.output != expected:
                trouble = f" ({plan})" if plan else ""
                raise Wrong(f"greet {word!r}{trouble} printed {done.output[:60]!r}, "
                            f"not {expected[:60]!r}.",
                            "fd_write_all survives short writes, fd_write does not"
                            if plan else "")
            if done.status != "exit 0":
                raise Wrong(f"greet {word!r} ended with {done.status}, not exit 0.",
                            "what main leaves in x0 is the exit status")
    done = drive.trace(program)
    if done.output or done.status != "exit 2":
        raise Wrong(f"Without an argument it printed {done.output!r} and ended with "
                    f"{done.status}; it should print nothing and end with exit 2.",
                    "x0 is 1 then: the program's own name counts")
    return "13 runs, with short writes and signals."


def _byte_find(name: str) -> str:
    chance = random.Random(6)
    cases = [(b"hello", 101), (b"a", 97), (b"a", 98), (b"", 0), (b"\xff\x80\0", 0),
             (b"GET / HTTP/1.1", 32), (b"x" * 300 + b"y", 121), (b"\x80", 128)]
    cases += [(chance.randbytes(chance.randrange(30)), chance.randrange(256)) for _ in range(50)]
    cases += [(bytes(chance.choices(b"ab:", k=chance.randrange(9))), 58) for _ in range(100)]
    with _hand(name) as hand:
        for text, byte in cases:
            result, (left,) = hand.ask(text, len(text), byte)
            told = drive.shown(name, (text, len(text), byte))
            if left != text:
                raise Wrong(f"{told} changed the text.", "it should only look: no store")
            place = text.find(byte)
            if result.carry != (place < 0):
                raise Wrong(f"{told}: {_outcome(result)}; the byte is "
                            f"{'not ' if place < 0 else ''}there, so C must be "
                            f"{'set' if place < 0 else 'clear'}.",
                            "cmp changes C as well: carry_clear or carry_set comes last")
            if place >= 0 and result.value != place:
                hint = ""
                if result.value == text.rfind(byte):
                    hint = "that is the last one; stop at the first"
                elif result.value == place + 1:
                    hint = "one too many: the cursor has moved on when the byte is compared"
                elif result.value > 1 << 32:
                    hint = "the start of the text must be taken away"
                raise Wrong(f"{told}: {_outcome(result)}; it should be C clear, x0 = {place}.",
                            hint)
        return f"{count(hand.asked, 'text')}, nothing read behind them."


def _text_put(name: str) -> str:
    chance = random.Random(7)
    huge = (1 << 64) - 1
    cases = [(8, 8, b"hello"), (5, 5, b"hello"), (0, 0, b""), (4, 4, b"hello"),
             (6, 6, b"hello"), (0, 0, b"x"), (40, 20, b"y" * 25), (40, 20, b"y" * 20),
             (300, 300, b"z" * 300)]
    cases += [(size + chance.choice((0, 8)), size, chance.randbytes(chance.randrange(40)))
              for size in (chance.randrange(40) for _ in range(100))]
    lengths = [len(text) for _, _, text in cases]
    cases += [(8, 8, b"hello"), (8, 8, b"hello")]   # a length nobody can hold: refuse unread
    lengths += [huge, 1 << 63]
    with _hand(name) as hand:
        for (room, size, text), length in zip(cases, lengths, strict=True):
            before = chance.randbytes(room)
            fits = length <= size
            try:
                result, (left, kept) = hand.ask(before, size, text, length)
            except Wrong as wrong:
                if fits or "unmapped" not in str(wrong):
                    raise
                raise Wrong(str(wrong), "this text does not fit: compare length and size first, "
                            "unsigned and with all 64 bits") from None
            told = f"A text of {count(length, 'byte')}, a buffer of {count(size, 'byte')}"
            if result.carry == fits or result.value != (length if fits else 34):
                hint = ""
                if not fits and not result.carry:
                    hint = "b.hi after cmp of length and size: both are unsigned, 64 bits"
                elif fits and length == size and result.carry and result.value == 34:
                    hint = "a text that fits exactly does fit"
                elif fits and result.carry:
                    hint = "mem_copy compares as well: set C again before ret"
                elif fits and left.startswith(text):
                    hint = "mem_copy leaves the end of the copy in x0; the length was wanted"
                raise Wrong(f"{told}: {_outcome(result)}; it should be C "
                            + (f"clear, x0 = {length}." if fits else "set, x0 = 34 (ERANGE)."),
                            hint)
            if left != (text + before[length:] if fits else before):
                raise Wrong(
                    f"{told}: the answer is right, the bytes in the buffer are not.",
                    "copy the text to its beginning, and nothing behind it" if fits else
                    "it does not fit, so nothing may be written: look first, copy later")
            if kept != text:
                raise Wrong(f"{told}: the text itself was changed.",
                            "mem_copy takes the target in x0 and the source in x1")
        return f"{count(hand.asked, 'text')}, and not one byte outside a buffer."


def _i64_parse(name: str) -> str:
    chance = random.Random(8)
    edge = 1 << 63
    texts = [b"0", b"7", b"-7", b"-0", b"007", b"-007", b"", b"-", b"--1", b"+1", b"-1-", b"1-",
             b" 1", b"-x", b"-/", b":"]
    texts += [str(n).encode() for n in (
        edge - 1, -edge, edge, -edge - 1, edge + 1, 2 * edge - 1, 2 * edge, 1 - 2 * edge,
        -2 * edge, 10 * edge, -10 * edge)]
    texts += [str(chance.getrandbits(chance.randrange(66)) * chance.choice((1, -1))).encode()
              for _ in range(150)]
    with _hand(name) as hand:
        for text in texts:
            result, _ = hand.ask(text, len(text))
            digits = text.removeprefix(b"-")
            number = int(text) if digits.isdigit() else None
            if number is None:
                expected = (True, 22)
            else:
                fits = -edge <= number < edge
                expected = (not fits, number % (1 << 64) if fits else 34)
            if (result.carry, result.value) != expected:
                wanted = f"C {'set' if expected[0] else 'clear'}, x0 = {value(expected[1])}"
                raise Wrong(f"{drive.shown(name, (text, len(text)))}: {_outcome(result)}; "
                            f"it should be {wanted}.", _signed_hint(number, result))
        return f"{count(hand.asked, 'text')}, both ends of the range among them."


def _signed_hint(number: int | None, result: CallResult) -> str:
    """What a wrong answer to i64_parse hints at; `number` is None for what is no number."""
    edge = 1 << 63
    if number is None:
        return "" if result.carry else "only one -, in front, and at least one digit behind it"
    if number == -edge and result.carry:
        return "there is one number more below zero than above it"
    if not -edge <= number < edge and not result.carry:
        return "it fits in 64 bits without a sign, not with one: compare with the limit"
    if -edge <= number < 0 and result.value == -number and not result.carry:
        return "the sign is lost: neg makes it negative"
    if result.carry and result.value == number % (1 << 64):
        return "cmp changes C as well: set or clear it as the last thing"
    return ""


def _answer(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a Python answer; an exception in it is a wrong answer."""
    try:
        return function(*arguments)
    except Exception as error:
        raise Wrong(f"It raised {type(error).__name__}: {error}") from None


def _entry_address(function: Callable[..., Any]) -> str:
    programs = list(chapters.load())
    for name in programs:
        built = chapters.build(name)
        got = _answer(function, built.data)
        if got != built.image.entry:
            raise Wrong(f"For {name} it gave {_number(got)}, not {built.image.entry:#x}.",
                        "the distance in the command counts from the start of __TEXT"
                        if got == built.image.entry - 0x100000000 else "")
    return f"The entry of {count(len(programs), 'program')}."


def _number(got: Any) -> str:
    return hex(got) if isinstance(got, int) else repr(got)


def _adrp_word(function: Callable[..., Any]) -> str:
    chance = random.Random(4)
    pairs = [(0x100001000, 0x100001128), (0x100001FFC, 0x100002000), (0x100002000, 0x100001FFF),
             (0x100004000, 0x100000000)]
    for _ in range(200):
        at = 0x100000000 + 4 * chance.randrange(1 << 20)
        pairs.append((at, at + chance.randrange(-(1 << 31), 1 << 31)))
    for at, target in pairs:
        register = chance.randrange(31)
        pages = (target >> 12) - (at >> 12)
        expected = 0x90000000 | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5 | register
        got = _answer(function, at, target, register)
        if got != expected:
            hint = ""
            if pages < 0 and isinstance(got, int) and got > 0xFFFFFFFF:
                hint = "it has more than 32 bits: mask the fields of a negative distance"
            elif isinstance(got, int) and got & ~31 == expected & ~31:
                hint = "only the register is wrong"
            raise Wrong(f"At {at:#x}, target {target:#x}, x{register}: {_number(got)}, "
                        f"not {expected:#010x}.", hint)
    return f"{len(pairs)} distances, forwards and backwards."


def _broken_pages(function: Callable[..., Any]) -> str:
    chance = random.Random(5)
    tried = 0
    for name in ("answer", "hello", "cat"):
        whole = chapters.build(name).data
        signed = whole.rindex(bytes.fromhex("fade0cc0"))    # the SuperBlob's magic
        pages = -(-signed // 4096)
        for broken in ([], [0], [pages - 1], sorted(chance.sample(range(pages), 2)),
                       list(range(pages))):
            data = bytearray(whole)
            for page in broken:
                # Behind the header and commands of page 0, so that these can still be read.
                end = min(4096 * (page + 1), signed)
                data[end - 1 - chance.randrange(min(64, end - 4096 * page))] ^= 1 + \
                    chance.randrange(255)
            got = _answer(function, bytes(data))
            tried += 1
            if got != broken:
                hint = ""
                if isinstance(got, list) and set(got) == {*broken, pages - 1} != set(broken):
                    hint = "the last page ends where the signature begins"
                raise Wrong(f"With pages {broken} of {name} changed it gave {got!r}.", hint)
    return f"{tried} files, whole and broken."


_FUNCTIONS: Final[dict[str, Callable[[str], str]]] = {
    "larger": _larger, "string_length": _string_length, "count_ones": _count_ones,
    "close_quietly": _close_quietly, "fd_read_full": _fd_read_full, "greet": _greet,
    "byte_find": _byte_find, "text_put": _text_put, "i64_parse": _i64_parse,
}
_PYTHON: Final[dict[str, Callable[[Callable[..., Any]], str]]] = {
    "entry_address": _entry_address, "adrp_word": _adrp_word, "broken_pages": _broken_pages,
}


def check(name: str, answer: Callable[..., Any] | None = None) -> Mark:
    """Check the answer to an exercise: the cell `%%asm name`, or a Python function.

    Raises :class:`KitError` when there is no such exercise or no answer to it yet.
    """
    try:
        if name in _PYTHON:
            if answer is None:
                raise KitError.of(f"check('{name}') needs your function as well",
                                  hint=f"check('{name}', {name})")
            return Mark(name, True, _PYTHON[name](answer))
        if name not in _FUNCTIONS:
            raise KitError.of(f"there is no exercise '{name}'",
                              hint=f"there are: {', '.join([*_FUNCTIONS, *_PYTHON])}")
        if name not in BENCH.free:
            raise KitError.of(f"there is no answer to '{name}' yet",
                              hint=f"run the cell that begins with %%asm {name}")
        return Mark(name, True, _FUNCTIONS[name](name))
    except Wrong as wrong:
        return Mark(name, False, str(wrong), wrong.hint)

