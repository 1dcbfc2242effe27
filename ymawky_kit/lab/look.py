"""Looking at programs without running them: what the notebooks call."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Final

from ymawky_kit import macho
from ymawky_kit.asm import assemble
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.lab.snippets import Module
from ymawky_kit.lab.workbench import CELL, Program, listing_of, tidy
from ymawky_kit.obj import Image, ObjectFile, PlacedLine
from ymawky_kit.source import KitError, Source
from ymawky_kit.view.core import View, columns, count, esc, table, tag
from ymawky_kit.view.encoding import EncodingCard
from ymawky_kit.view.filemap import FileMap, Mapped, Region
from ymawky_kit.view.listing import Dump, Listing, Mark, Row

#: What the load commands of our files are called; the numbers are <mach-o/loader.h>'s.
_CODE: Final = "__text"


def build(name: str) -> Program:
    """A program of the book, or of a `%%asm NAME` cell, with the reader's changes in it."""
    return BENCH.build(name)


def encode(text: str) -> bytes:
    """The bytes of one or more instructions; raises :class:`KitError` that points into `text`."""
    made = assemble(Source(CELL, text + "\n"), name=CELL)
    return b"".join(section.data for section in made.sections)


def card(instruction: str | int, text: str | None = None) -> EncodingCard:
    """The bits of one instruction, given as text or as a number of 32 bits."""
    if isinstance(instruction, int):
        from ymawky_kit.emu.disassembler import disassemble

        word = instruction
        shown = text or disassemble(word.to_bytes(4, "little"), 0) or f"0x{word:08x}"
    else:
        data = encode(instruction)
        if len(data) != 4:
            raise KitError.of(f"a card shows one instruction, this is {len(data) // 4}")
        word = int.from_bytes(data, "little")
        shown = text or instruction
    return EncodingCard(word, " ".join(shown.split()))


def listing(what: Program | str, name: str | None = None) -> Listing:
    """Code with its addresses and bytes.

    A program, or one function of it; a module as the assembler leaves it; or the
    text of some instructions.
    """
    if isinstance(what, Program):
        return _linked(what, name)
    if "/" in what and "\n" not in what:
        made = BENCH.assemble_module(what)
        return listing_of(made, name)
    text = textwrap.dedent(what).strip("\n")
    made = assemble(Source(CELL, text + "\n"), name=CELL)
    return listing_of(made, None)


def _linked(program: Program, name: str | None) -> Listing:
    names = {symbol.address: symbol.name for symbol in reversed(program.image.symbols)}
    lines: Sequence[PlacedLine] = program.image.lines
    if name is not None:
        first = _address(program, name)
        later = [s.address for s in program.image.symbols
                 if s.address > first and not s.name.startswith("L")]
        end = min(later, default=first + (1 << 30))
        lines = [line for line in lines if first <= line.address < end]
    rows = []
    for line in lines:
        data = _bytes_at(program.image, line.address, line.size)
        text, note = tidy(line.text), ""
        if line.is_code:
            text, note = _disassembled(data, line.address, names)
        rows.append(Row(line.address, data, text, names.get(line.address, ""), note))
    return Listing(rows, title=f"{program.name} {name}" if name else program.name)


_TARGET: Final = re.compile(r"#(0x[0-9a-f]+)$")


def _disassembled(data: bytes, address: int, names: dict[int, str]) -> tuple[str, str]:
    """What the processor sees, and the name of the place that a branch goes to."""
    from ymawky_kit.emu.disassembler import disassemble

    text = disassemble(data, address)
    found = _TARGET.search(text)
    place = names.get(int(found[1], 16), "") if found and int(found[1], 16) > 0xFFFF else ""
    return tidy(text), f"to {place}" if place else ""


def _address(program: Program, name: str) -> int:
    try:
        return program.image.address_of(name)
    except KeyError:
        raise KitError.of(f"{program.name} has no symbol '{name}'",
                          hint="symbols(program) lists them") from None


def _bytes_at(image: Image, address: int, size: int) -> bytes:
    for segment in image.segments:
        for section in segment.sections:
            at = address - section.address
            if 0 <= at < section.size:
                return section.data[at:at + size]
    return b""


class Source_(View):  # noqa: N801 - `Source` is taken by the assembler's input
    """A piece of src/asm, word for word."""

    def __init__(self, name: str, code: str) -> None:
        self.name = name
        self.code = code

    def text(self) -> str:
        return f"{self.name}\n{textwrap.indent(self.code, '  ', lambda line: True)}".rstrip()

    def html(self) -> str:
        return tag("div", tag("p", esc(self.name), class_="yk-title"),
                   tag("pre", tag("code", esc(self.code)), class_="yk-pre"), class_="yk")


def show(module: str, name: str) -> Source_:
    """The text of one piece of src/asm, as the book has it."""
    return Source_(f"{module} {name}", Module.read(module).item(name).text)


def edit(module: str, name: str, old: str, new: str) -> Listing:
    """Change a piece as a reader would in its cell: `old`, which must occur once, by `new`."""
    text = BENCH.changed.get(module, {}).get(name) or Module.read(module).item(name).text
    if text.count(old) != 1:
        raise KitError.of(f"{module} {name} holds that text {text.count(old)} times, not once",
                          hint="take a longer or an exact piece of it")
    return BENCH.take_cell(module, name, text.replace(old, new))


def undo() -> None:
    """Take back every change to the book's sources."""
    BENCH.changed.clear()


class Gaps(View):
    """An object: its sections, its symbols, and what the linker is to fill in."""

    def __init__(self, made: ObjectFile) -> None:
        self.made = made

    def _tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        made = self.made
        sections = [[f"{s.segment},{s.name}", count(s.size, "byte")] for s in made.sections]
        # Constants (.equ) are used up by now: the linker has nothing to do with them.
        own = [[s.name, f"{made.sections[s.section].name}+{s.value:#x}",
                "for all" if s.is_global else "private"]
               for s in made.symbols if s.section is not None]
        gaps = [[f"{s.name}+{r.offset:#x}", r.kind.name, r.symbol,
                 f"+{r.addend}" if r.addend else ""]
                for s in made.sections for r in s.relocations]
        return [("sections", ["section", "size"], sections),
                ("symbols", ["symbol", "where", "seen"], own),
                ("relocations: gaps for the linker", ["where", "kind", "symbol", "plus"], gaps)]

    def text(self) -> str:
        lines = [f"object of {self.made.name}"]
        for title, _, rows in self._tables():
            lines.append(f"{title}:" if rows else f"{title}: none")
            lines.extend("  " + line for line in columns(rows))
        return "\n".join(lines)

    def html(self) -> str:
        parts = [tag("p", esc(f"object of {self.made.name}"), class_="yk-title")]
        for title, heads, rows in self._tables():
            cells = [[tag("td", tag("code", esc(cell))) for cell in row] for row in rows]
            parts.append(table(heads, cells, caption=title) if rows
                         else tag("p", esc(f"{title}: none")))
        return tag("div", *parts, class_="yk")


def module(name: str) -> Gaps:
    """What the assembler makes of a module of src/asm."""
    return Gaps(BENCH.assemble_module(name))


class Symbols(View):
    """The names of a program, by address."""

    def __init__(self, program: Program) -> None:
        seen: set[tuple[int, str]] = set()
        self.rows: list[list[str]] = []
        for symbol in sorted(program.image.symbols, key=lambda s: (s.address, s.name)):
            if symbol.is_label or (symbol.address, symbol.name) in seen:
                continue
            seen.add((symbol.address, symbol.name))
            self.rows.append([f"0x{symbol.address:x}", symbol.name, symbol.module])

    def text(self) -> str:
        return "\n".join(columns(self.rows))

    def html(self) -> str:
        cells = [[tag("td", tag("code", esc(c))) for c in row] for row in self.rows]
        return tag("div", table(["address", "symbol", "module"], cells), class_="yk")


def symbols(program: Program) -> Symbols:
    """Every symbol of a program with its address and the module it came from."""
    return Symbols(program)


def dump(what: Program | bytes, start: int, size: int, *, names: Sequence[str] = (),
         width: int = 4) -> Dump:
    """`size` bytes of a file from `start` on; `names` are those of fields of `width` bytes."""
    data = what.data if isinstance(what, Program) else what
    marks = [Mark(n * width, width, name) for n, name in enumerate(names)]
    return Dump(data[start:start + size], address=start, marks=marks)


def sign(data: bytes, identifier: str) -> bytes:
    """The file with an ad-hoc signature in place of the one it may have."""
    return macho.codesign.sign(data, identifier)


class Verdict(View):
    """What macOS would say about a file."""

    def __init__(self, problems: Sequence[macho.Problem]) -> None:
        self.problems = tuple(problems)

    def text(self) -> str:
        if not self.problems:
            return "nothing to complain about: the kernel and dyld would run it"
        lines = []
        for problem in self.problems:
            lines.append(f"refused by {problem.refused_by}: {problem.message}")
            lines.append(f"  rule {problem.rule}, decided in {problem.source}")
        return "\n".join(lines)

    def html(self) -> str:
        if not self.problems:
            return tag("div", tag("p", esc(self.text()), class_="yk-ok"), class_="yk")
        parts = [tag("p", tag("b", esc(f"refused by {p.refused_by}: ")), esc(p.message),
                     "<br>", tag("small", esc(f"rule {p.rule}, decided in {p.source}")),
                     class_="yk-bad") for p in self.problems]
        return tag("div", *parts, class_="yk")


def kernel_says(what: Program | bytes) -> Verdict:
    """The verdict of the kit's checker, written from the sources of XNU and dyld."""
    return Verdict(macho.check(what.data if isinstance(what, Program) else what))


def filemap(program: Program) -> FileMap:
    """The map of a program's file, read back from its bytes."""
    from struct import unpack_from

    data = program.data
    ncmds, commands_size = unpack_from("<2I", data, 16)
    found = [Region("header", 0, 32, "header", "what kind of file this is"),
             Region("load commands", 32, commands_size, "header",
                    f"{ncmds} orders for the kernel and dyld")]
    segments: list[Mapped] = []
    position = 32
    for _ in range(ncmds):
        command, size = unpack_from("<2I", data, position)
        if command == 0x19:
            name = _name(data, position + 8)
            address, vm_size, offset, file_size = unpack_from("<4Q", data, position + 24)
            (protection, nsects) = unpack_from("<2I", data, position + 60)
            segments.append(Mapped(name, address, vm_size, offset, file_size, protection))
            for n in range(nsects):
                at = position + 72 + 80 * n
                (section_size,) = unpack_from("<Q", data, at + 40)
                (section_offset,) = unpack_from("<I", data, at + 48)
                if section_offset and section_size:
                    section = _name(data, at)
                    kind = "code" if section == _CODE else "data"
                    found.append(Region(section, section_offset, section_size, kind,
                                        _SECTIONS.get(section, "")))
        elif command in _BLOBS:
            for field, name, note, unit in _BLOBS[command]:
                offset, length = unpack_from("<2I", data, position + field)
                if length:
                    found.append(Region(name, offset, length * unit, "link", note))
        position += size
    return FileMap(_without_gaps(found, len(data)), segments,
                   title=f"{program.name}: {count(len(data), 'byte')}")


_SECTIONS: Final = {"__text": "the instructions", "__const": "text and tables that never change",
                    "__data": "variables"}
#: command -> (place of its offset and length fields, name, note, bytes a unit)
_BLOBS: Final = {
    0x80000022: [(8, "fix-ups", "pointers that dyld must move", 1)],
    0x2: [(8, "symbols", "16 bytes each", 16), (16, "names", "of the symbols", 1)],
    0x1D: [(8, "signature", "a SHA-256 of every page", 1)],
    0x26: [(8, "function starts", "for debuggers", 1)],
}


def _name(data: bytes, at: int) -> str:
    return data[at:at + 16].split(b"\0")[0].decode("ascii", "replace")


def _without_gaps(regions: list[Region], size: int) -> list[Region]:
    """The regions in order, the bytes between them as regions of their own."""
    whole: list[Region] = []
    at = 0
    for region in sorted(regions, key=lambda r: r.offset):
        if region.offset > at:
            whole.append(Region("zeros", at, region.offset - at, "empty",
                                "up to the next border"))
        whole.append(region)
        at = region.offset + region.size
    if at < size:
        whole.append(Region("zeros", at, size - at, "empty", "up to the next border"))
    return whole
