"""Looking at programs without running them: what the notebooks call."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Final

from ymawky_kit import chapters, macho
from ymawky_kit.asm import assemble
from ymawky_kit.doctor import Finding, State, examine
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.lab.snippets import Module
from ymawky_kit.lab.workbench import CELL, Program, listing_of, tidy
from ymawky_kit.obj import ObjectFile, PlacedLine
from ymawky_kit.source import KitError, Source
from ymawky_kit.view.core import View, columns, count, esc, table, tag
from ymawky_kit.view.encoding import EncodingCard
from ymawky_kit.view.filemap import FileMap, Mapped, Region
from ymawky_kit.view.listing import Dump, Listing, Mark, Row

_CODE: Final = "__text"


def build(name: str | None = None, *, swap: Mapping[str, str] | None = None) -> Program:
    """A program of the book, or of a `%%asm NAME` cell, with the reader's changes in it.

    Without a name: the book's newest server.  `swap` fills slots with the reader's own
    cells: {"serve/once": "mine"} takes the cell `%%asm mine` in place of that module.
    Raises :class:`KitError` for names there are not, and what the linker refuses.
    """
    return BENCH.build(name if name is not None else list(chapters.load())[-1], swap)


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
        data = program.bytes_at(line.address, line.size)
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
    branch = text.startswith(("b", "cb", "tb"))
    place = names.get(int(found[1], 16), "") if found and branch else ""
    return tidy(text), f"to {place}" if place else ""


def _address(program: Program, name: str) -> int:
    try:
        return program.image.address_of(name)
    except KeyError:
        raise KitError.of(f"{program.name} has no symbol '{name}'",
                          hint="symbols(program) lists them") from None


class SourceText(View):
    """A piece of src/asm, word for word."""

    def __init__(self, name: str, code: str) -> None:
        self.name = name
        self.code = code

    def text(self) -> str:
        return f"{self.name}\n{textwrap.indent(self.code, '  ', lambda line: True)}".rstrip()

    def html(self) -> str:
        return tag("div", tag("p", esc(self.name), class_="yk-title"),
                   tag("pre", tag("code", esc(self.code)), class_="yk-pre"), class_="yk")


def show(module: str, name: str) -> SourceText:
    """The text of one piece of src/asm, as the book has it."""
    return SourceText(f"{module} {name}", Module.read(module).item(name).text)


def edit(module: str, name: str, old: str, new: str) -> Listing:
    """Change a piece as a reader would in its cell: `old`, which must occur once, by `new`."""
    text = BENCH.edited(module, name)
    if text.count(old) != 1:
        raise KitError.of(f"{module} {name} holds that text {text.count(old)} times, not once",
                          hint="it has been changed already; undo() takes that back"
                          if old in show(module, name).code
                          else "take a longer or an exact piece of it")
    return BENCH.take_cell(module, name, text.replace(old, new))


def undo(module: str = "", name: str = "") -> None:
    """Take back every change to the book's sources, or those of a module or a piece.

    The magic `%reset_server` does the same and says what went back.
    """
    BENCH.take_back(module, name)


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
    parsed = macho.read(program.data)
    regions = [Region(r.name, r.start, r.end - r.start, _kind(r), r.meaning)
               for r in macho.regions(parsed)]
    segments = [Mapped(s.name, s.address, s.vm_size, s.offset, s.file_size, s.protection)
                for s in parsed.segments]
    return FileMap(regions, segments, title=f"{program.name}: {count(len(program.data), 'byte')}")


def _kind(region: macho.Region) -> str:
    """The colour of a region of the file."""
    if region.is_filler:
        return "empty"
    if region.name.startswith("__"):
        return "code" if region.name == _CODE else "data"
    return "link" if region.segment == "__LINKEDIT" else "header"


class Health(View):
    """Whether this machine has all that the book needs."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.problems = [f for f in findings if f.state is State.PROBLEM]

    def text(self) -> str:
        if not self.problems:
            return "This machine has all that the book needs."
        lines = []
        for finding in self.problems:
            lines.append(f"{finding.subject}: {finding.text}")
            if finding.mend:
                lines.append(f"  to mend it: {finding.mend}")
        return "\n".join(lines)

    def html(self) -> str:
        kind = "yk-bad" if self.problems else "yk-ok"
        return tag("div", tag("pre", esc(self.text()), class_="yk-pre"), class_=f"yk {kind}")


def doctor() -> Health:
    """Look for what would stop the book from running here; `ymawky doctor` says more."""
    return Health(list(examine()))
