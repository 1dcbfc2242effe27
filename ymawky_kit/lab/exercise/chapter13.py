"""Judges of chapter 13: names left behind, the size of a chunk, a file saved or not."""

from __future__ import annotations

import os
import random
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Final

from ymawky_kit.darwin import errno
from ymawky_kit.lab import drive
from ymawky_kit.lab.drive import Called, Plan
from ymawky_kit.lab.exercise.grading import CARRY_LAST, Hand, Judge, Wrong, outcome, trial
from ymawky_kit.source import KitError
from ymawky_kit.view.core import count

_AT_FDCWD: Final = -2
_TEMPORARY: Final = ".~new"
_KEPT: Final = (*(f"x{n}" for n in range(19, 30)), "sp")


# -- left_name ------------------------------------------------------------------------

_LEFT: Final = re.compile(rb"\.~[0-9]+-[0-9]+-[0-9]+")
_NAMES: Final = (
    b".~1-2-3", b".~51234-7-0", b".~0-0-0", b".~2147483647-2147483647-99", b"", b".", b".~",
    b".~1", b".~1-", b".~1-2", b".~1-2-", b".~1-2-3-", b".~1-2-3-4", b".~1-2-3 ", b".~1-2-3x",
    b".~-2-3", b".~1--3", b".~1-2-", b".~--", b"..1-2-3", b"~.1-2-3", b"1-2-3", b".~a-b-c",
    b".~1-2-3\0", b".~1_2_3", b".~1-2:3", b".~1-2/3", b".~1.2-3", b" .~1-2-3", b".~.~1-2-3",
    b".~1-2-3.txt", b"notes.txt", b".~new", b".1-2-3", b"~1-2-3", b"x~1-2-3", b".~\xb1-2-3")


def _left_name(name: str) -> str:
    chance = random.Random(131)
    names = list(_NAMES)
    for _ in range(200):
        made = ".~" + "-".join(str(chance.getrandbits(chance.randrange(1, 31))) for _ in range(3))
        spoilt = bytearray(made.encode())
        if chance.random() < 0.6:
            at = chance.randrange(len(spoilt))
            spoilt[at:at + chance.randrange(2)] = bytes(chance.choices(b"-.~0 /:a", k=1))
        names.append(bytes(spoilt))
    with trial(name) as hand:
        for text in names:
            result, _ = hand.ask(text, len(text))
            ours = _LEFT.fullmatch(text) is not None
            if result.carry == ours:
                raise Wrong(f"{text!r}: C {'set' if result.carry else 'clear'}; it "
                            + ("is one of those names." if ours else "is none of those names."),
                            _left_hint(text, ours))
        return f"{count(hand.asked, 'name')}, some of them nearly right."


def _left_hint(text: bytes, ours: bool) -> str:
    if ours:
        return f"step('left_name', {text!r}, {len(text)}) shows which byte is refused; {CARRY_LAST}"
    if re.match(rb"\.~[0-9]+-[0-9]+-[0-9]+", text):
        return "the third number must reach the end of the name"
    if re.fullmatch(rb"\.~[0-9]*(-[0-9]*){0,1}", text):
        return "three numbers: a name that ends sooner is none of ours"
    if re.fullmatch(rb"\.~[0-9]*-[0-9]*-[0-9]*", text):
        return "each number has one digit at least"
    if not text.startswith(b".~"):
        return "it must begin with .~"
    return "between two numbers stands a hyphen, and nothing else"


# -- hex_size -------------------------------------------------------------------------

_HEX: Final = re.compile(rb"[0-9A-Fa-f]+")


def _hex_size(name: str) -> str:
    chance = random.Random(132)
    texts = [b"0", b"5", b"a", b"F", b"10", b"ff", b"FF", b"2aF", b"", b"g", b"G", b"`", b"@",
             b":", b"/", b"x", b"-1", b"+1", b"0x10", b" 1", b"1 ", b"1\r", b"1;", b"\0", b"\x10",
             b"\x16", b"\xc1", b"1g", b"7fffffffffffffff", b"8000000000000000",
             b"ffffffffffffffff", b"FFFFFFFFFFFFFFFF", b"10000000000000000",
             b"10000000000000005", b"fffffffffffffffff", b"0" * 40 + b"5", b"0" * 17,
             b"0" * 30 + b"f" * 16, b"0" * 3 + b"1" + b"0" * 16]
    texts += [b"%x" % chance.getrandbits(chance.randrange(1, 70)) for _ in range(100)]
    texts += [b"%X" % chance.getrandbits(chance.randrange(1, 66)) for _ in range(60)]
    texts += [bytes([byte]) for byte in range(256)]
    with trial(name) as hand:
        for text in texts:
            _size_of(hand, text)
        return f"{count(hand.asked, 'text')}, each byte among them."


def _size_of(hand: Hand, text: bytes) -> None:
    result, _ = hand.ask(text, len(text))
    shown = drive.shown(hand.function, (text, len(text)))
    if not _HEX.fullmatch(text):
        wanted, carry = errno.EINVAL, True
    elif int(text, 16) >> 64:
        wanted, carry = errno.ERANGE, True
    else:
        wanted, carry = int(text, 16), False
    if (result.carry, result.value) == (carry, wanted):
        return
    should = f"C {'set' if carry else 'clear'}, x0 = "
    should += f"{wanted:#x}" if not carry else f"{wanted} ({errno.name(wanted)})"
    raise Wrong(f"{shown}: {outcome(result)}; it should be {should}.",
                _size_hint(text, wanted, carry, result.carry, result.value))


def _size_hint(text: bytes, wanted: int, carry: bool, got_carry: bool, got: int) -> str:
    if got == wanted and carry != got_carry:
        return CARRY_LAST
    if not text:
        return "a text without a digit is no number: look at the length first"
    if carry and wanted == errno.ERANGE:
        return "the first digit has been pushed out: look at the upper four bits before the shift"
    if carry:
        if len(text) == 1 and text[0] | 0x20 in b"0123456789abcdef":
            return ("orr makes other bytes to digits and letters, too: compare with 0 to 9 before "
                    "it, and with a to f after it")
        return "only 0 to 9, a to f and A to F are digits, from the first byte to the last"
    if got_carry and got == errno.ERANGE:
        return "zeros in front do not count, and 64 bits are sixteen digits"
    if got_carry:
        return "it is a number: both cases of the letters, and zeros in front"
    if got == (int(text, 10) if text.isdigit() else -1):
        return "a place is worth 16 here, not 10"
    if got > 1 << 34 and len(text) < 8:
        return "that is an address; a new number begins with mov x0, #0"
    return "value × 16 + digit; and a letter is worth ten more than its distance from a"


# -- file_save ------------------------------------------------------------------------

_FAULTS: Final[tuple[tuple[Plan, int], ...]] = (
    (None, 0), ("write 1: short 3", 0), ("write 1: EINTR", 0), ("fsync 1: EINTR", 0),
    (["fsync 1: EINTR", "fsync 2: EINTR"], 0), ("openat 1: EACCES", errno.EACCES),
    ("openat 1: ENOSPC", errno.ENOSPC), ("write 1: ENOSPC", errno.ENOSPC),
    (["write 1: short 2", "write 2: EIO"], errno.EIO), ("fsync 1: EIO", errno.EIO),
    (["fsync 1: EINTR", "fsync 2: EDQUOT"], errno.EDQUOT), ("renameat 1: EACCES", errno.EACCES),
    ("renameat 1: EROFS", errno.EROFS), (["fsync 1: EIO", "unlinkat 1: EPERM"], errno.EIO),
)


def _file_save(name: str) -> str:
    tried = 0
    for there in (None, b"the old version\n"):
        for plan, error in _FAULTS:
            _save(name, there, b"hello, world\n", plan, error)
            tried += 1
    for data in (b"", bytes(100_000)):
        _save(name, b"old\n", data, None, 0)
    with _home(None, b"mine\n"):
        done = _run(name, b"x", None, "There is a .~new already")
        if not done.carry or done.value != errno.EEXIST or \
                _content(_TEMPORARY) != repr(b"mine\n"):
            raise Wrong(f"There is a .~new already: {outcome(done)}, and in it is "
                        f"{_content(_TEMPORARY)}; it should be C set, x0 = 17 (EEXIST), and the "
                        "file as it was.",
                        "if file_create_below fails, nothing is ours: go straight to the end")
    return f"{count(tried + 3, 'time', 'times')}, with and without an old file; each call failed."


@contextmanager
def _home(old: bytes | None, left: bytes | None = None) -> Iterator[None]:
    """A folder of its own as current one, with an old file or a temporary one in it."""
    with tempfile.TemporaryDirectory(prefix="ymawky-") as name, chdir(name):
        for path, data in (("a.txt", old), (_TEMPORARY, left)):
            if data is not None:
                Path(path).write_bytes(data)
        yield


def _content(path: str) -> str:
    return repr(Path(path).read_bytes()[:40]) if os.path.lexists(path) else "no file"


def _run(name: str, data: bytes, plan: Plan, told: str) -> Called:
    try:
        done = drive.call(name, _AT_FDCWD, "a.txt", data, len(data), plan=plan, strict=True,
                          limit=200_000)
    except KitError as error:
        raise Wrong(f"{told}: {str(error).removeprefix('error: ').splitlines()[0]}.",
                    "a loop without an end, or a register that a call has spoiled") from None
    for register in _KEPT:
        if done.before[register] != done.registers[register]:
            raise Wrong(f"{told}: {name} changed {register}.",
                        "sp must come back as it was" if register == "sp" else
                        f"{register} belongs to the caller: save it first and restore it")
    return done


def _save(name: str, there: bytes | None, data: bytes, plan: Plan, error: int) -> None:
    told = "A new file" if there is None else "A new version"
    told += f" of {count(len(data), 'byte')}" if len(data) != 13 else ""
    told += f", with {' and '.join([plan] if isinstance(plan, str) else plan)}" if plan else ""
    with _home(there):
        done = _run(name, data, plan, told)
        now = _content("a.txt")
        made = Path("a.txt").read_bytes() if os.path.lexists("a.txt") else None
        mode = stat.S_IMODE(os.lstat("a.txt").st_mode) if made is not None else 0
        names = {path.name for path in Path().iterdir()}
    calls = [(call.text.split("(")[0], call.text, call.result) for call in done.calls]
    for name_called, text, _ in calls:
        if name_called in ("open", "openat") and _TEMPORARY not in text:
            raise Wrong(f"{told}: {text.split(', O_')[0]}, …) is called.",
                        "never open the name itself: make .~new")
    if done.carry and not error:
        raise Wrong(f"{told}: {outcome(done)}; it should be C clear.",
                    "an fsync that was interrupted is asked again"
                    if "EINTR" in str(plan) and done.value == errno.EINTR else _refused(done))
    _look_at_calls(told, calls, error)
    if error:
        if made != there:
            raise Wrong(f"{told}: C {'set' if done.carry else 'clear'}, and the name leads to "
                        f"{now}, not to what it had before.",
                        "a failure before the rename means no rename")
        if (done.carry, done.value) != (True, error):
            raise Wrong(f"{told}: {outcome(done)}; it should be C set, x0 = {error} "
                        f"({errno.name(error)}).",
                        "put the errno aside before you close and delete: they change x0 and C")
    else:
        if made != data:
            raise Wrong(f"{told}: the name leads to {now}, not to the bytes that were given.",
                        "all the bytes go into .~new, and file_rename_below gives it the name: "
                        "directory, old name, new name")
        if mode != 0o644 & ~_umask():
            raise Wrong(f"{told}: right, but with the permissions {mode:#o}.",
                        "0644 is 0x1a4: a number with # is decimal")
    if _TEMPORARY in names and "unlinkat" not in str(plan):
        raise Wrong(f"{told}: .~new is still there.",
                    "after a failure behind the first call, file_remove_below must run")


def _refused(done: Called) -> str:
    """The call that an answer should not have made like that, if there is one."""
    for call in done.calls:
        if call.failed and not call.forced:
            return (f"the kernel refused {call.text}: {call.result}; what was in its registers? "
                    "A call spoils x1 to x17, and changes x0")
    return CARRY_LAST


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _look_at_calls(told: str, calls: list[tuple[str, str, str]], error: int) -> None:
    """The order of the calls, and that what was opened is closed, once."""
    names = [name for name, _, _ in calls]
    fds = [result for name, _, result in calls if name == "openat" and result.isdigit()]
    for fd in fds:
        closed = sum(text == f"close({fd})" for _, text, _ in calls)
        if closed != 1:
            raise Wrong(f"{told}: the file that was made was closed {count(closed, 'time')}.",
                        "whatever happens, close it, and only once")
    if not error and fds:
        for name in ("fsync", "renameat"):
            if name not in names:
                raise Wrong(f"{told}: {name} was not called.",
                            "make, write, sync, rename: each of them is needed")
        last_write = max((n for n, name in enumerate(names) if name == "write"), default=0)
        if not last_write < max(n for n, name in enumerate(names) if name == "fsync") \
                < names.index("renameat"):
            raise Wrong(f"{told}: the order of the calls was {', '.join(names)}.",
                        "first all bytes, then fsync, then the rename: else a power cut leaves a "
                        "name that leads to nothing")


FUNCTIONS: Final[dict[str, Judge]] = {
    "left_name": _left_name,
    "hex_size": _hex_size,
    "file_save": _file_save,
}
