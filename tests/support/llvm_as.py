"""LLVM's assembler as a second opinion: many sources in few processes.

`assemblers()` are the clangs at hand; `objects(...)` assembles sources with one
of them and reads the Mach-O objects with a reader of its own, which shares no
code with the kit.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from support.requires import program
from ymawky_kit.obj import ObjectFile

_ZIG = "zig"
_TARGET = ("-target", "arm64-apple-macos11", "-mcpu=apple-m1")


def clang(name: str) -> list[str]:
    """The command of the assembler called `name`: "clang" (the system's) or "zig"."""
    if name == _ZIG:
        pytest.importorskip("ziglang", reason="needs ziglang: pip install ziglang")
        return [sys.executable, "-m", "ziglang", "clang", *_TARGET]
    return [str(program("clang")), *_TARGET]


NAMES = ("clang", _ZIG)


@dataclass(frozen=True)
class Fixup:
    """A relocation in comparable form.

    `target` is (segment, section, offset) for what the object defines, else a name.
    """

    offset: int
    kind: int
    target: tuple[str, str, int] | str


@dataclass(frozen=True)
class Content:
    """One section of an object: bytes with all relocated pointers zeroed."""

    data: bytes
    size: int
    fixups: tuple[Fixup, ...]


@dataclass(frozen=True)
class Object:
    sections: Mapping[tuple[str, str], Content]
    #: name -> (segment, section, offset) or the number, and whether it is global
    symbols: Mapping[str, tuple[tuple[str, str, int] | int, bool]]


def objects(
    name: str,
    sources: Mapping[str, str],
    folder: Path,
    include: Sequence[Path] = (),
    *,
    may_refuse: bool = False,
) -> dict[str, Object]:
    """Assemble named sources in one process.

    Fails the test when one is refused, or leaves that one out if it may be.
    """
    if not sources:
        return {}
    for key, text in sources.items():
        (folder / f"{key}.s").write_text(text, encoding="utf-8")
    flags = [f"-I{path}" for path in include]
    done = subprocess.run(
        [*clang(name), *flags, "-c", *(f"{key}.s" for key in sources)],
        cwd=folder, capture_output=True, text=True,
    )
    assert may_refuse or done.returncode == 0, done.stderr
    made = {key: folder / f"{key}.o" for key in sources}
    return {key: read(path.read_bytes()) for key, path in made.items() if path.exists()}


@cache
def encodings(name: str, instructions: tuple[str, ...]) -> list[bytes | None]:
    """Four bytes for each instruction, None for one that is refused.

    The refused ones are found by their line numbers and left out of a second run.
    """
    accepted = dict(enumerate(instructions))
    for _ in range(4):
        text = "".join(f"{i}\n" for i in accepted.values())
        done, made = _assembled(name, text)
        if done.returncode == 0:
            data = read(made).sections["__TEXT", "__text"].data
            assert len(data) == 4 * len(accepted)
            codes: list[bytes | None] = [None] * len(instructions)
            for place, number in enumerate(accepted):
                codes[number] = data[4 * place:4 * place + 4]
            return codes
        messages = done.stderr
        wrong = {int(n) - 1 for n in re.findall(r"<stdin>:(\d+):\d+: error", messages)}
        assert wrong, messages
        accepted = {
            number: text for place, (number, text) in enumerate(accepted.items())
            if place not in wrong
        }
    raise AssertionError("the assembler keeps finding new mistakes")


def _assembled(name: str, text: str) -> tuple[subprocess.CompletedProcess[str], bytes]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "a.o"
        done = subprocess.run(
            [*clang(name), "-x", "assembler", "-c", "-o", str(target), "-"],
            input=text, capture_output=True, text=True,
        )
        return done, target.read_bytes() if done.returncode == 0 else b""


# --- comparing with ours ---------------------------------------------------


def comparable(module: ObjectFile) -> Object:
    """Our object file in the form that llvm_as reads others into."""
    keys = [(s.segment, s.name) for s in module.sections]
    symbols = {
        s.name: (
            (*keys[s.section], s.value) if s.section is not None else s.value & (1 << 64) - 1,
            s.is_global,
        )
        for s in module.symbols
        if not s.name.startswith("ltmp")
    }
    places = {s.name: s for s in module.symbols}
    contents = {}
    for key, section in zip(keys, module.sections, strict=True):
        fixups = []
        for r in section.relocations:
            target: tuple[str, str, int] | str
            symbol = places.get(r.symbol)
            if symbol is None:
                target = f"{r.symbol}+{r.addend}" if r.addend else r.symbol
            else:
                assert symbol.section is not None
                target = (*keys[symbol.section], symbol.value + r.addend)
            fixups.append(Fixup(r.offset, int(r.kind), target))
        fixups.sort(key=lambda f: f.offset)
        contents[key] = Content(section.data, section.size, tuple(fixups))
    return Object(contents, symbols)


def differences(theirs: Object, ours: Object) -> list[str]:
    """What is not the same in two objects, one line each."""
    found = []
    empty = Content(b"", 0, ())
    for key in {*theirs.sections, *ours.sections}:
        a, b = theirs.sections.get(key, empty), ours.sections.get(key, empty)
        if a.size != b.size:
            found.append(f"{key}: size {a.size} and {b.size}")
        elif a.data != b.data:
            at = next(i for i, (x, y) in enumerate(zip(a.data, b.data, strict=False)) if x != y)
            at &= ~3
            found.append(
                f"{key}: at {at:#x} {a.data[at:at + 8].hex()} and {b.data[at:at + 8].hex()}"
            )
        if a.fixups != b.fixups:
            found += [f"{key}: {f}" for f in {*a.fixups} ^ {*b.fixups}]
    found += [
        f"symbol {name}: {theirs.symbols.get(name)} and {ours.symbols.get(name)}"
        for name in {*theirs.symbols, *ours.symbols}
        if theirs.symbols.get(name) != ours.symbols.get(name)
    ]
    return found


# --- reading MH_OBJECT files (mach-o/loader.h, nlist.h, reloc.h) -----------


def read(data: bytes) -> Object:
    """Read an object file."""
    sections: list[tuple[str, str, int, int, int, int, int, int]] = []
    symbols: list[tuple[str, int, int, int]] = []
    count = struct.unpack_from("<I", data, 16)[0]
    position = 32
    for _ in range(count):
        command, size = struct.unpack_from("<II", data, position)
        if command == 0x19:
            for n in range(struct.unpack_from("<I", data, position + 64)[0]):
                at = position + 72 + 80 * n
                name, segment, address, length, offset, _, relocations, number, flags = (
                    struct.unpack_from("<16s16sQQIIIII", data, at)
                )
                sections.append((
                    segment.rstrip(b"\0").decode(), name.rstrip(b"\0").decode(),
                    address, length, offset, relocations, number, flags,
                ))
        elif command == 2:
            table, number, strings, _ = struct.unpack_from("<IIII", data, position + 8)
            for n in range(number):
                start, kind, section, _, value = struct.unpack_from("<IBBHQ", data, table + 16 * n)
                end = data.index(b"\0", strings + start)
                symbols.append((data[strings + start:end].decode(), kind, section, value))
        position += size

    def place(address: int, section: int) -> tuple[str, str, int]:
        segment, name, start, *_ = sections[section - 1]
        return segment, name, address - start

    def target(symbol: int, addend: int) -> tuple[str, str, int] | str:
        name, kind, section, value = symbols[symbol]
        if kind & 0x0E == 0x0E:
            return place(value + addend, section)
        return f"{name}+{addend}" if addend else name

    contents: dict[tuple[str, str], Content] = {}
    for segment, name, _, length, offset, relocations, number, flags in sections:
        body = bytearray(b"" if flags & 0xFF == 1 else data[offset:offset + length])
        fixups: list[Fixup] = []
        addend = 0
        minus: int | None = None
        for n in range(number):
            at, word = struct.unpack_from("<iI", data, relocations + 8 * n)
            symbol, kind, log = word & 0xFFFFFF, word >> 28, word >> 25 & 3
            if kind == 10:      # ADDEND belongs to the entry behind it
                addend = symbol - (1 << 24) if symbol >> 23 else symbol
                continue
            if kind == 1:       # SUBTRACTOR belongs to the UNSIGNED behind it
                minus = symbols[symbol][3]
                continue
            if kind == 0:
                inside = int.from_bytes(body[at:at + (1 << log)], "little", signed=True)
                if minus is not None:
                    value = symbols[symbol][3] - minus + inside
                    body[at:at + (1 << log)] = value.to_bytes(1 << log, "little", signed=True)
                    minus = None
                    continue
                body[at:at + (1 << log)] = bytes(1 << log)
                addend = inside
                if not word >> 27 & 1:      # in place: the address in the object
                    home = next(
                        i for i, s in enumerate(sections, 1) if s[2] <= inside <= s[2] + s[3]
                    )
                    fixups.append(Fixup(at, kind, place(inside, home)))
                    addend = 0
                    continue
            fixups.append(Fixup(at, kind, target(symbol, addend)))
            addend = 0
        fixups.sort(key=lambda f: f.offset)
        contents[segment, name] = Content(bytes(body), length, tuple(fixups))
    named = {
        name: (place(value, section) if kind & 0x0E == 0x0E else value, bool(kind & 1))
        for name, kind, section, value in symbols
        if kind & 0x0E and not name.startswith("ltmp")
    }
    return Object(contents, named)
