"""The page that says how the programs of the book grow: book/appendix/growth.md.

Every number is counted here, from the sources, from the linked program and from a run
in the kit's Darwin, and is the same on every machine and every day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ymawky_kit import chapters
from ymawky_kit.chapters import Program
from ymawky_kit.lab.snippets import Module
from ymawky_kit.lab.workbench import Program as Made
from ymawky_kit.lab.workbench import Workbench
from ymawky_kit.view.core import esc, tag

PAGE: Final = "book/appendix/growth.md"

#: What curl sends, and what it asks for.
HEAD: Final = (b"GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
               b"User-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n")
FILES: Final = {"1k.bin": bytes(1024)}
#: The plain run of a program that is no server: its arguments, and the files there are.
RUNS: Final[dict[str, tuple[tuple[str, ...], dict[str, bytes]]]] = {
    "cat": (("greeting",), {"greeting": b"hello, world\n"}),
    "total": (("40", "2"), {}),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process does: instructions of ours, and system calls."""

    instructions: int
    calls: int


@dataclass(frozen=True, slots=True)
class Measured:
    """All that the page says about one program."""

    program: Program
    changes: tuple[str, ...]        # "+ lib/text", "first/hello → first/cat", ...
    code_lines: int
    comment_lines: int
    functions: int
    instructions: int               # in the program
    data: int                       # bytes of constants and data in the file
    zeroed: int                     # bytes of memory that begin as zero
    size: int                       # of the file, in bytes
    server: bool
    run: Cost                       # of the plain run, or of the process that serves
    parent: Cost | None             # of the parent, from one accept to the next

    @property
    def label(self) -> str:
        numbers = [number for number in self.program.chapters if number != "00"]
        return " ".join([*numbers[:1], self.program.name])


def measure() -> list[Measured]:
    """Every program of chapters.toml, in order; builds and runs them."""
    bench = Workbench()             # whatever a reader changed elsewhere
    found = []
    before: Program | None = None
    for program in chapters.load().values():
        found.append(_measured(program, before, bench.build(program.name)))
        before = program
    return found


def _measured(program: Program, before: Program | None, made: Made) -> Measured:
    modules = [Module.read(name.replace("platform/", "platform/darwin/", 1))
               for name in program.modules]
    lines = [line.strip() for module in modules for line in module.text.splitlines()]
    comments = sum(line.startswith("//") for line in lines)
    sections = [section for segment in made.image.segments for section in segment.sections]
    code = sum(section.size for section in sections if section.name == "__text")
    inside = sum(len(section.data) for section in sections) - code
    server = "net/listener" in program.modules
    run, parent = _served(made) if server else (_ran(made), None)
    return Measured(
        program, tuple(changes(before, program)),
        sum(line != "" for line in lines) - comments, comments,
        sum(item.kind == "function" for module in modules for item in module.items),
        code // 4, inside, sum(s.size for s in sections) - inside - code, len(made.data),
        server, run, parent)


def changes(before: Program | None, now: Program) -> Iterable[str]:
    """What makes one list of modules from the one before; a swapped module keeps its place."""
    old = before.modules if before is not None else ()
    gone = [module for module in old if module not in now.modules]
    new = [module for module in now.modules if module not in old]
    if before is not None and now.after == before.name:
        for one in list(gone):
            two = now.modules[old.index(one)]
            if two in new:
                yield f"`{one}` → `{two}`"
                gone.remove(one)
                new.remove(two)
    yield from (f"− `{one}`" for one in gone)
    yield from (f"+ `{one}`" for one in new)


def _ran(made: Made) -> Cost:
    from ymawky_kit.lab.drive import trace

    words, files = RUNS.get(made.name, ((), {}))
    done = trace(made, *words, files=files)
    return Cost(done.instructions, len(done.calls))


def _served(made: Made) -> tuple[Cost, Cost | None]:
    """The process that serves, and its parent if that is another one."""
    from ymawky_kit.lab.watching import watch

    seen = watch(FILES, HEAD, made)
    lanes: dict[int, Cost] = {}
    for call in seen.calls:
        # The first line of a lane is a return: of the accept, or of the fork in the child.
        known = lanes.get(call.process, Cost(0, -1))
        lanes[call.process] = Cost(known.instructions + (call.instructions or 0), known.calls + 1)
    first, *others = (lanes[process] for process in sorted(lanes))
    return (others[0], first) if others else (first, None)


# -- the page --------------------------------------------------------------------------

_INTRO: Final = """\
# How the programs grow

Each chapter ends with a program, made from the one before by adding modules and putting some in
the place of others.
This page counts what that costs, from `answer` to the whole server.
`ymawky regen` makes it anew from the sources and from runs, and the tests fail when a number is
no longer true.
"""

_MODULES: Final = """\
## What is added

`+` is a module that is new, `−` one that is gone, and an arrow says which module takes the place
of which.
"""

_TEXT: Final = """\
## What there is to read

Lines of all modules of a program, without blank ones and without the shared files in `include/`
and `abi.inc`.
A line counts as a comment if it has nothing else on it.
"""

_BYTES: Final = """\
## What becomes of it

All numbers are bytes; an instruction has 4. The picture above shows how many there are.
Data are the constants and variables that stand in the file; zeroed memory is reserved and takes
no room there.
The file also holds a header, a signature, and what fills its segments up to whole pages of 16,384
bytes; that is why it grows in steps.
Variables that begin with a value need pages of their own; `total` has some.
"""

_RUNS: Final = """\
## What a plain run executes

All instructions of the program and all its system calls, from the first instruction to the `exit`.
"""

_SERVED: Final = """\
## What one GET executes

A client connects to a server that has just started, sends what `curl` sends, and reads the reply
to its end:

```
{head}
```

`1k.bin` has 1,024 bytes; before chapter 09 the answer is a greeting, whatever is asked.
The head is {size} bytes long, with the two at the end of each line and the empty line at the end.
Counted are our own instructions, not those of the kernel, up to and with the `svc` of the last
call.
A server of one process is counted from the return of one `accept` to the next, or to its end.
With a child for each connection, the parent is counted like that, and the child from the return
of `fork` to its `exit`.
"""


def markdown(measured: Sequence[Measured] | None = None) -> str:
    """The page's text, with a newline at its end."""
    found = measure() if measured is None else measured
    head = HEAD.decode().replace("\r\n", "\n").rstrip("\n")
    runs = [one for one in found if not one.server]
    servers = [one for one in found if one.server]
    parts = [
        _INTRO,
        "```{raw} html\n" + picture(found) + "\n```\n",
        _MODULES,
        _table(["Program", "Modules", "What changes"], "lrl",
               [[f"{', '.join(one.program.chapters)}<br>`{one.program.name}`",
                 str(len(one.program.modules)), "<br>".join(map(_together, one.changes))]
                for one in found]),
        _TEXT,
        _table(["Program", "Functions", "Code", "Comment"], "lrrr",
               [[f"`{one.program.name}`", _n(one.functions), _n(one.code_lines),
                 _n(one.comment_lines)] for one in found]),
        _BYTES,
        _table(["Program", "Code", "Data", "Zeroed", "File"], "lrrrr",
               [[f"`{one.program.name}`", _n(4 * one.instructions),
                 _n(one.data), _n(one.zeroed), _n(one.size)] for one in found]),
        _RUNS,
        _table(["Run", "Instructions", "System calls"], "lrr",
               [[f"`{' '.join([one.program.name, *RUNS.get(one.program.name, ((), {}))[0]])}`",
                 _n(one.run.instructions), _n(one.run.calls)] for one in runs]),
        "The file `greeting` holds `hello, world` and a newline.\n",
        _SERVED.format(head=head, size=len(HEAD)),
        _table(["Server", "Instructions", "in the parent", "System calls", "in the parent"],
               "lrrrr",
               [[f"`{one.program.name}`", _n(one.run.instructions),
                 _n(one.parent.instructions) if one.parent else "–", _n(one.run.calls),
                 _n(one.parent.calls) if one.parent else "–"] for one in servers]),
    ]
    return "\n".join(parts)


def _together(change: str) -> str:
    """A sign and its module on one line."""
    return change.replace("+ ", "+&nbsp;").replace("− ", "−&nbsp;")


def _n(number: int) -> str:
    return f"{number:,}"


def _table(heads: Sequence[str], sides: str, rows: Iterable[Sequence[str]]) -> str:
    rule = "|".join("---:" if side == "r" else "---" for side in sides)
    lines = [f"| {' | '.join(heads)} |", f"|{rule}|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


# -- the picture -----------------------------------------------------------------------

_WIDTH: Final = 420
_BAR_X: Final = 108
_BAR_MOST: Final = 240
_ROW: Final = 24


def picture(found: Sequence[Measured]) -> str:
    """Bars, one below the other, so that a phone can show them; colours are the theme's."""
    servers = [one for one in found if one.server]
    parts: list[str] = []
    y = _bars(parts, 0, "instructions in the program",
              [(one.label, one.instructions, None) for one in found])
    y = _bars(parts, y + 14, "instructions that one GET executes",
              [(one.label, one.run.instructions, one.parent.instructions if one.parent else 0)
               for one in servers])
    said = (f"Two rows of bars. Instructions in the program: {_spoken(found, 'instructions')}. "
            "Instructions that one GET executes, the parent's included: "
            + ", ".join(f"{one.program.name} {_n(one.run.instructions + _parent(one))}"
                        for one in servers) + ".")
    return tag("svg", "\n" + "\n".join(parts) + "\n", class_="idea",
               viewBox=f"0 0 {_WIDTH} {y}", role="img", aria_label=said)


def _parent(one: Measured) -> int:
    return one.parent.instructions if one.parent else 0


def _spoken(found: Sequence[Measured], field: str) -> str:
    return ", ".join(f"{one.program.name} {_n(getattr(one, field))}" for one in found)


def _bars(parts: list[str], top: int, title: str,
          rows: Sequence[tuple[str, int, int | None]]) -> int:
    """One row of bars in two parts; place and colour both tell them apart."""
    most = max(value + (more or 0) for _, value, more in rows)
    parts.append(_text(0, top + 16, title, "", weight="600"))
    legend = "left, grey: as in the program before; right, blue: more" if rows[0][2] is None else (
        "left, blue: the process that serves; right, grey: its parent")
    parts.append(_text(0, top + 33, legend, "dim", size=11))
    y, before = top + 42, 0
    for label, value, more in rows:
        old, new = (min(before, value), max(0, value - before)) if more is None else (more, value)
        wide = [max(1, round(part * _BAR_MOST / most)) if part else 0 for part in (old, new)]
        parts.append(_text(0, y + 15, label, ""))
        if more is None:
            _bar(parts, "box", _BAR_X, y, wide[0])
            _bar(parts, "hot", _BAR_X + wide[0], y, wide[1])
        else:
            _bar(parts, "hot", _BAR_X, y, wide[1])
            _bar(parts, "box", _BAR_X + wide[1], y, wide[0])
        shown = _n(value) if not more else f"{_n(value)} + {_n(more)}"
        parts.append(_text(_BAR_X + sum(wide) + 6, y + 15, shown, "dim"))
        y, before = y + _ROW, value
    return y


def _bar(parts: list[str], kind: str, x: int, y: int, width: int) -> None:
    if width:
        parts.append(f'<rect class="{kind}" x="{x}" y="{y + 3}" width="{width}" height="16"/>')


def _text(x: int, y: int, text: str, kind: str, *, size: int = 13, weight: str = "400") -> str:
    name = f' class="{kind}"' if kind else ""
    return (f'<text{name} x="{x}" y="{y}" font-size="{size}" font-weight="{weight}">'
            f"{esc(text)}</text>")
