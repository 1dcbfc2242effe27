"""Encoders: one finished instruction of text in, four bytes out.

An encoder sees only text that :mod:`ymawky_kit.asm.isa` wrote from operands it
had checked: one instruction, no symbols, no comments, branch targets as the
distance from the instruction.  Keystone 0.9.2 silently drops, wrongly encodes,
hangs on or dies of much else (`|`, `.data`, `msg@PAGEOFF`, a comment on the last
line, a branch out of range), so nothing else may reach it.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, Protocol

from ymawky_kit.source import Diagnostic, KitError

_NOP: Final = bytes.fromhex("1f2003d5")


class Encoder(Protocol):
    """Turns instructions into machine code."""

    name: str

    def encode(self, instructions: Sequence[str]) -> list[bytes | None]:
        """Four bytes for each instruction, in order; None for one that is refused."""
        ...


# --- Keystone --------------------------------------------------------------


#: Names younger than Keystone 0.9.2, for numbers in the hint space of the architecture.
_HINTS: Final = {
    "esb": 16, "psb csync": 17, "tsb csync": 18, "csdb": 20,
    "xpaclri": 7, "pacia1716": 8, "pacib1716": 10, "autia1716": 12, "autib1716": 14,
    "paciaz": 24, "paciasp": 25, "pacibz": 26, "pacibsp": 27,
    "autiaz": 28, "autiasp": 29, "autibz": 30, "autibsp": 31,
    "bti": 32, "bti c": 34, "bti j": 36, "bti jc": 38, "dgh": 6,
}


#: Instructions that name a place: how far away that is depends on their own place, which is 0
#: only for the first of several.
_RELATIVE: Final = re.compile(r"(b|bl|b\.\w+|cbn?z|tbn?z|adrp?|(ld|prf)\w+ [^\[]*$)\b")
#: How many instructions go to Keystone at a time.
_TOGETHER: Final = 64


def _spelled(text: str) -> str:
    """An instruction in words that Keystone knows."""
    return f"hint #{_HINTS[text]}" if text in _HINTS else text


class KeystoneEncoder:
    """Keystone, each text only once in a process.

    Raises :class:`KitError` when Keystone is missing or does not work.
    """

    name = "keystone"

    def __init__(self) -> None:
        try:
            from keystone import KS_ARCH_ARM64, KS_MODE_LITTLE_ENDIAN, Ks, KsError
        except Exception as error:  # ImportError, and whatever a broken install raises
            raise KitError.of(
                f"Keystone cannot be loaded: {error}", hint="`ymawky doctor` says how to mend it"
            ) from None
        self._error = KsError
        try:
            self._ks = Ks(KS_ARCH_ARM64, KS_MODE_LITTLE_ENDIAN)
        except KsError as error:
            raise KitError.of(
                f"Keystone does not start: {error}", hint="`ymawky doctor` says how to mend it"
            ) from None
        self._known: dict[str, bytes | None] = {}
        if self.encode(["nop"]) != [_NOP]:
            raise KitError.of(
                "Keystone loads but cannot assemble `nop`",
                hint="`ymawky doctor` says how to mend it",
            )

    def encode(self, instructions: Sequence[str]) -> list[bytes | None]:
        known = self._known
        new = [text for text in dict.fromkeys(instructions) if text not in known]
        together = [text for text in new if not _RELATIVE.match(text)]
        for start in range(0, len(together), _TOGETHER):
            self._encode_together(together[start:start + _TOGETHER])
        for text in new:
            if text not in known:
                known[text] = self._encode(text)
        return [known[text] for text in instructions]

    def _encode_together(self, texts: Sequence[str]) -> None:
        """Encode several with one call, which takes little longer than one alone.

        Nothing is learned when one of them is refused.
        """
        try:
            code, _ = self._ks.asm("\n".join(map(_spelled, texts)), 0, as_bytes=True)
        except self._error:
            return
        if code is not None and len(code) == 4 * len(texts):
            self._known.update((text, code[4 * i:4 * i + 4]) for i, text in enumerate(texts))

    def _encode(self, text: str) -> bytes | None:
        try:
            code, _ = self._ks.asm(_spelled(text), 0, as_bytes=True)
        except self._error:
            return None
        # Keystone's way of giving up without an error is to return nothing.
        return code if code is not None and len(code) == 4 else None


# --- clang -----------------------------------------------------------------


_LINE: Final = "<stdin>:"
_TIMEOUT_SECONDS: Final = 60


class ClangEncoder:
    """Clang as an assembler: all instructions that are new in one process.

    `command` is how to start it: ["clang"], or ["python", "-m", "ziglang", "cc"].
    Without one the first that works is taken.  Raises :class:`KitError` when
    there is none, or when it does not do what clang does.
    """

    name = "clang"

    def __init__(self, command: Sequence[str] | None = None) -> None:
        found = list(command) if command is not None else _find_clang()
        if found is None:
            raise KitError.of(
                "no clang that assembles for Apple silicon was found",
                hint="on a Mac: xcode-select --install; elsewhere: pip install ziglang",
            )
        self._command = [*found, *_target(found)]
        self._known: dict[str, bytes | None] = {}
        if self.encode(["nop"]) != [_NOP]:
            raise KitError.of(f"{found[0]} cannot assemble `nop` for Apple silicon")

    def encode(self, instructions: Sequence[str]) -> list[bytes | None]:
        wanted = list(dict.fromkeys(t for t in instructions if t not in self._known))
        while wanted:
            refused = self._assemble(wanted)
            for line in refused:
                self._known[wanted[line]] = None
            if not refused:
                break
            wanted = [t for i, t in enumerate(wanted) if i not in refused]
        return [self._known[text] for text in instructions]

    def _assemble(self, texts: list[str]) -> set[int]:
        """Encode all of `texts`, or return the numbers of those that are wrong."""
        import tempfile

        with tempfile.TemporaryDirectory(prefix="ymawky-") as folder:
            target = os.path.join(folder, "a.o")  # noqa: PTH118 - text for a command line
            try:
                done = subprocess.run(
                    [*self._command, "-x", "assembler", "-c", "-o", target, "-"],
                    input="".join(f"{t}\n" for t in texts),
                    capture_output=True,
                    encoding="utf-8",
                    timeout=_TIMEOUT_SECONDS,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise KitError.of(f"{self._command[0]} failed: {error}") from None
            if done.returncode == 0:
                with open(target, "rb") as file:  # noqa: PTH123
                    code = _text_section(file.read())
                if len(code) != 4 * len(texts):
                    raise KitError.of(f"{self._command[0]} made no plain sequence of instructions")
                for i, text in enumerate(texts):
                    self._known[text] = code[4 * i:4 * i + 4]
                return set()
        refused = set(_refused_lines(done.stderr))
        if not refused:
            raise KitError.of(f"{self._command[0]} failed:\n{done.stderr.strip()[:2000]}")
        return refused


def _refused_lines(messages: str) -> Iterator[int]:
    """0-based numbers of the lines that clang complains about."""
    for line in messages.splitlines():
        if line.startswith(_LINE) and ": error:" in line:
            number = line[len(_LINE):].partition(":")[0]
            if number.isdigit():
                yield int(number) - 1


def _find_clang() -> list[str] | None:
    """The command-line tools' clang on a Mac, ziglang's anywhere, else any clang."""
    candidates: list[list[str]] = []
    if sys.platform == "darwin" and os.path.exists("/usr/bin/clang"):  # noqa: PTH110
        # Without the command-line tools this is a stub that opens a window; ask first.
        asked = subprocess.run(["/usr/bin/xcode-select", "-p"], capture_output=True)
        if asked.returncode == 0:
            candidates.append(["/usr/bin/clang"])
    if shutil.which("clang") and sys.platform != "darwin":
        candidates.append(["clang"])
    from importlib.util import find_spec

    if find_spec("ziglang") is not None:
        candidates.append([sys.executable, "-m", "ziglang", "cc"])
    if shutil.which("zig"):
        candidates.append(["zig", "cc"])
    for command in candidates:
        try:
            ClangEncoder(command)
        except KitError:
            continue
        return command
    return None


def _target(command: Sequence[str]) -> list[str]:
    if command[-1] == "cc":     # zig has its own names for targets and processors
        return ["-target", "aarch64-macos", "-mcpu=apple_m1"]
    return ["-target", "arm64-apple-macos11", "-mcpu=apple-m1"]


def _text_section(data: bytes) -> bytes:
    """The bytes of __TEXT,__text of a 64-bit Mach-O object file (<mach-o/loader.h>)."""
    magic, _, _, _, count, _, _, _ = struct.unpack_from("<8I", data)
    if magic != 0xFEEDFACF:
        return b""
    position = 32
    for _ in range(count):
        command, size = struct.unpack_from("<2I", data, position)
        if command == 0x19:     # LC_SEGMENT_64
            (sections,) = struct.unpack_from("<I", data, position + 64)
            for i in range(sections):
                name, _, _, length, offset = struct.unpack_from(
                    "<16s16sQQI", data, position + 72 + 80 * i
                )
                if name.rstrip(b"\0") == b"__text":
                    return data[offset:offset + length]
        position += size
    return b""


# --- which one -------------------------------------------------------------


@cache
def default_encoder() -> Encoder:
    """Keystone when it truly works, else clang.

    YMAWKY_ENCODER=keystone or =clang decides otherwise.  Raises
    :class:`KitError` with the command that mends it when neither works.
    """
    wish = os.environ.get("YMAWKY_ENCODER", "")
    if wish == "clang":
        return ClangEncoder()
    if wish == "keystone":
        return KeystoneEncoder()
    if wish:
        raise KitError.of(
            f"YMAWKY_ENCODER is '{wish}'", hint="it may be keystone or clang, or not set"
        )
    problems: list[Diagnostic] = []
    for make in (KeystoneEncoder, ClangEncoder):
        try:
            return make()
        except KitError as error:
            problems += error.diagnostics
    raise KitError(
        Diagnostic(
            "nothing here turns instructions into bytes: " + "; ".join(p.message for p in problems),
            hint="`pip install ziglang` is the quickest cure; `ymawky doctor` knows the others",
        )
    )
