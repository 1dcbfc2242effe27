"""No source of any kind crashes, hangs or kills the assembler.

Thousands of sources are made from a fixed seed: our own modules with bytes
and lines changed, and lines grown from a small grammar that knows every
directive and mnemonic.  Each ends in an object file or in a KitError whose
diagnostics all say where; a sample of the accepted ones has LLVM's bytes.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import encoders, forms, llvm_as

from ymawky_kit.asm import Encoder, KeystoneEncoder, assemble
from ymawky_kit.asm.directive import CONDITIONAL, DIRECTIVES
from ymawky_kit.asm.forms import rows
from ymawky_kit.obj import ObjectFile
from ymawky_kit.paths import asm_root
from ymawky_kit.source import KitError, Source

SEED = 8080
#: All of them in CI; elsewhere the first third, which takes a minute less.
ALL = bool(os.environ.get("CI"))
MUTATED = 6_000 if ALL else 2_000
GROWN = 15_000 if ALL else 5_000
SECONDS_EACH = 5
SAMPLE = 120

ROOT = asm_root()
CORPUS = Path(__file__).parents[1] / "golden" / "asm"
INCLUDE = [ROOT / "include", ROOT / "platform" / "darwin"]


try:
    ENCODER: Encoder = KeystoneEncoder()
except KitError:    # one clang a source would take an hour; the front-end is what is tested
    ENCODER = encoders.Nops()


class TooSlow(Exception):
    pass


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise TooSlow in the middle of whatever takes too long."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def attempt(text: str) -> ObjectFile | None:
    """Assemble a source; None when it is refused as it should be."""
    try:
        with time_limit(SECONDS_EACH):
            return assemble(Source("fuzz.s", text), include=INCLUDE, encoder=ENCODER)
    except KitError as error:
        assert error.diagnostics
        for diagnostic in error.diagnostics:
            assert diagnostic.span is not None, (diagnostic.message, text)
            assert diagnostic.message
            span = diagnostic.span
            assert 0 <= span.start <= span.end <= len(span.source.text), (diagnostic, text)
        assert str(error).encode("utf-8"), "it can be printed"
        return None
    except TooSlow:
        raise AssertionError(f"too slow: {text[:2000]!r}") from None
    except Exception as error:
        raise AssertionError(f"{error!r} for {text[:2000]!r}") from error


# --- sources changed at random ---------------------------------------------

PIECES = (
    "\n", "\0", '"', "'", "\\", "/*", "*/", "//", ";", "#", "@PAGE", "@", "%%", "(", ")", "[", "]",
    "{", "}", ",", "!", "=", ":", ".", "..", "-", "+", "<<", ">>", "\t", "\r\n", "é",
    "\N{GRINNING FACE}",
    "\ufeff", "\u2028", "0x", "0b", "99999999999999999999", "1b", "1f", "-1", ".macro", ".endm",
    ".if 1", ".endif", ".rept 3", ".endr", ".include", "\\()", "\\name", "\\@", "x0", "w31", "sp",
    "lsl #3", "v0.16b", ".text", ".bss", "L1:", "nop", "$0", "\x7f", "\ud800",
)


def mutate(chance: random.Random, text: str) -> str:
    """A few random changes to a window of a source."""
    lines = text.split("\n")
    start = chance.randrange(len(lines))
    window = "\n".join(lines[start:start + chance.randint(1, 25)])
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(window))
        match chance.randrange(6):
            case 0:
                window = window[:at] + window[at + chance.randint(1, 8):]
            case 1:
                window = window[:at] + chance.choice(PIECES) + window[at:]
            case 2:
                window = window[:at] + chr(chance.randrange(256)) + window[at + 1:]
            case 3:
                end = min(len(window), at + chance.randint(1, 20))
                to = chance.randint(0, len(window))
                window = window[:to] + window[at:end] + window[to:]
            case 4:
                some = window.split("\n")
                chance.shuffle(some)
                window = "\n".join(some)
            case _:
                other = chance.choice(lines)
                window = window[:at] + other + window[at:]
    head = '.include "macros.inc"\n.include "abi.inc"\n' if chance.random() < 0.3 else ""
    return head + window


# --- sources grown from a grammar ------------------------------------------


class Grower:
    """Random programs that are nearly right."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.mnemonics = sorted(rows())
        self.directives = sorted({*DIRECTIVES, *CONDITIONAL})
        self.instructions = forms.instructions()

    def source(self) -> str:
        return "\n".join(self.line() for _ in range(self.chance.randint(1, 12)))

    def line(self) -> str:
        pick = self.chance.choice
        match self.chance.randrange(12):
            case 0 | 1 | 2:
                return "    " + pick(self.instructions)
            case 3 | 4:
                operands = ", ".join(self.operand() for _ in range(self.chance.randint(0, 5)))
                return f"    {pick(self.mnemonics)} {operands}"
            case 5 | 6:
                arguments = ", ".join(self.operand() for _ in range(self.chance.randint(0, 4)))
                return f"{pick(self.directives)} {arguments}"
            case 7:
                return f"{self.name()}:"
            case 8:
                return f".equ {self.name()}, {self.expression()}"
            case 9:
                return pick((
                    ".macro m a, b=2, c:vararg", ".macro n x:req", ".endm", ".rept 3", ".endr",
                    ".irp q, 1, 2", ".if 1", ".else", ".elseif 0", ".endif", "m 1, 2, 3", "n 5",
                    "    mov x0, #\\a", ".byte \\b, \\c", "m \\x", ".exitm", ".purgem m",
                    ".ifdef foo", '.include "macros.inc"', ".rept 70000", "func f\\@", "1:",
                ))
            case 10:
                return f"{pick(('.byte', '.short', '.long', '.quad'))} {self.expression()}"
            case _:
                return f'{pick((".ascii", ".asciz"))} "{self.text()}"'

    def operand(self) -> str:
        pick = self.chance.choice
        match self.chance.randrange(9):
            case 0 | 1:
                return self.register()
            case 2 | 3:
                return f"#{self.expression()}"
            case 4:
                return self.expression()
            case 5:
                inside = ", ".join(self.operand() for _ in range(self.chance.randint(0, 2)))
                return f"[{self.register()}{', ' if inside else ''}{inside}]{pick(('', '!'))}"
            case 6:
                shift = pick(("lsl", "uxtw", "sxtx", "asr", "msl"))
                return f"{shift} #{self.chance.randint(-1, 65)}"
            case 7:
                return pick(("eq", "al", "ish", "nzcv", "pldl1keep", "{v0.16b}", '"text"', "1.0",
                             "#0.5", "__TEXT", "__const", "{v1.4s-v3.4s}", "v3.s[2]", "=5",
                             ":lo12:a"))
            case _:
                return f"{self.name()}{pick(('@PAGE', '@PAGEOFF', '@GOTPAGE', '+4', ''))}"

    def register(self) -> str:
        group = self.chance.choice("xwxwxwbhsdqv")
        number = self.chance.randint(0, 33)
        return self.chance.choice(("sp", "wsp", "xzr", "wzr", f"{group}{number}"))

    def name(self) -> str:
        return self.chance.choice(("foo", "bar", "Lone", "Ltwo", "start", "1f", "1b", ".", "x1"))

    def expression(self, depth: int = 0) -> str:
        if depth > 3 or self.chance.random() < 0.4:
            return self.chance.choice((
                "0", "1", "42", "0x1000", "-1", "0xffffffffffffffff", "4095", "'a'", self.name(),
                str(self.chance.randint(-(1 << 40), 1 << 40)), str(self.chance.randint(-300, 300)),
            ))
        operator = self.chance.choice(
            ("+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^", "==", "<", "&&", "||")
        )
        left, right = self.expression(depth + 1), self.expression(depth + 1)
        return self.chance.choice(
            (f"{left} {operator} {right}", f"({left}{operator}{right})", f"-{left}")
        )

    def text(self) -> str:
        return "".join(
            self.chance.choice(
                ("a", "b", ";", "//", "\\n", "\\x41", "\\101", "\\q", '\\"', "é", "\\")
            )
            for _ in range(self.chance.randint(0, 6))
        )


def test_no_changed_source_breaks_the_assembler():
    chance = random.Random(SEED)
    texts = [path.read_text() for path in sorted(ROOT.rglob("*.s"))]
    texts += [path.read_text() for path in sorted(ROOT.rglob("*.inc"))]
    texts += 5 * [path.read_text() for path in sorted(CORPUS.glob("*.s"))]
    for _ in range(MUTATED):
        attempt(mutate(chance, chance.choice(texts)))


@pytest.fixture(scope="module")
def accepted() -> list[str]:
    """What the assembler took of the grown sources."""
    grower = Grower(random.Random(SEED + 1))
    sources = [grower.source() for _ in range(GROWN)]
    return [text for text in sources if attempt(text) is not None]


def test_no_grown_source_breaks_the_assembler(accepted):
    assert len(accepted) > GROWN // 50, "the grammar should make right programs too"


def test_llvm_makes_the_same_of_a_sample_of_them(accepted, tmp_path):
    encoders.encoder("keystone")
    sample = random.Random(SEED + 2).sample(accepted, SAMPLE)
    sources = {f"s{number}": text + "\n" for number, text in enumerate(sample)}
    theirs = llvm_as.objects("clang", sources, tmp_path, INCLUDE, may_refuse=True)
    assert len(theirs) > SAMPLE // 4, "LLVM should take many of them"
    wrong = {}
    for key, object_file in theirs.items():
        ours = assemble(Source("fuzz.s", sources[key]), include=INCLUDE)
        found = llvm_as.differences(object_file, llvm_as.comparable(ours))
        if found:
            wrong[sources[key]] = found
    assert {} == wrong
