"""The programs of the book: from `chapters.toml` to a finished executable.

::

    [fork]
    title   = "One process per connection"
    chapter = "06"                                  # several share it: ["02", "03"]
    after   = "serial"                              # begin with that program's modules
    swap    = { "serve/serial" = "serve/fork" }     # take another module for a slot
    add     = ["platform/process"]

`features` names what a program can do beyond the one it comes after (features.py
lists them), `without` what it can no longer do: `ymawky check` goes by them.
The other keys are `modules` (the whole list, in place of `after`), `drop`, `entry`
(the symbol where the program begins, `start` unless said otherwise) and `identifier`
(its name in the signature, that of the table unless said otherwise); the last two
are taken over from the program it comes after.
Module "platform/x" is the file platform/darwin/x.s, any other "a/b" is a/b.s.

Modules are assembled once: a later build in the same process assembles only
those whose text, or an include file, has changed since.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ymawky_kit import macho
from ymawky_kit.features import FEATURES
from ymawky_kit.link import link
from ymawky_kit.link.resolve import nearest
from ymawky_kit.obj import Image, ObjectFile
from ymawky_kit.paths import asm_root
from ymawky_kit.source import Diagnostic, KitError, Source, Span

if TYPE_CHECKING:
    from ymawky_kit.asm import Encoder

_FILE: Final = "chapters.toml"
_ENTRY: Final = "start"
_PLATFORM: Final = "darwin"
_MOST_ERRORS: Final = 20
#: Assembled modules that are kept; the whole server is some 40.
_CACHE_SIZE: Final = 400


@dataclass(frozen=True, slots=True)
class Program:
    """One table of chapters.toml, with its module list worked out."""

    name: str
    title: str
    chapters: tuple[str, ...]       # that have it as theirs: "06", perhaps none
    modules: tuple[str, ...]        # in the order in which they are linked
    entry: str
    identifier: str                 # in the signature
    after: str | None               # the program it was made from
    span: Span                      # of the table's name
    features: tuple[str, ...] = ()  # what it can do, names of features.py

    def path(self, module: str, root: Path) -> Path:
        """The file of one of its modules."""
        return root / _file_of(module)


@dataclass(frozen=True, slots=True)
class Built:
    """A finished program and what it was made of."""

    program: Program
    image: Image
    data: bytes                     # the signed executable
    objects: tuple[ObjectFile, ...]


def load(root: Path | None = None) -> dict[str, Program]:
    """All programs, in the order of the file; `root` is src/asm unless given.

    Raises :class:`KitError` for a file that is missing or wrong, with its line.
    """
    return _Table(Source.read((root or asm_root()) / _FILE, _FILE)).programs()


def find(name: str | None, root: Path | None = None) -> Program:
    """A program by its name, by a chapter number (its main program), or the last one.

    The main program of a chapter is the last in the file with that number.
    Raises :class:`KitError` when there is none.
    """
    programs = load(root)
    if name is None:
        return list(programs.values())[-1]
    if name in programs:
        return programs[name]
    number = name.zfill(2)
    for program in reversed(programs.values()):
        if number in program.chapters:
            return program
    near = nearest(name, programs)
    chapters = sorted({number for program in programs.values() for number in program.chapters})
    raise KitError.of(
        f"there is no program or chapter '{name}'",
        hint=f"did you mean '{near}'?" if near
        else f"programs: {', '.join(programs)}; chapters: {', '.join(chapters)}",
    )


def build(
    name: str | None = None,
    *,
    overrides: Mapping[str, Source | Sequence[Source]] | None = None,
    encoder: Encoder | None = None,
    root: Path | None = None,
) -> Built:
    """Assemble, link and sign a program; `name` as in :func:`find`.

    `overrides` replaces the text of modules, as a changed cell of a notebook does.
    Raises :class:`KitError` with all that is wrong in all modules.
    """
    root = root or asm_root()
    program = find(name, root)
    replaced = overrides or {}
    for module in replaced:
        if module not in program.modules:
            near = nearest(module, program.modules)
            raise KitError.of(f"program '{program.name}' has no module '{module}'",
                              hint=f"did you mean '{near}'?" if near else
                              f"its modules: {', '.join(program.modules)}")
    objects = _assemble(program, replaced, encoder, root)
    image = link(objects, identifier=program.identifier, entry=program.entry,
                 elsewhere=lambda name: _module_that_defines(name, root))
    return Built(program, image, macho.build(image), objects)


def include_paths(root: Path | None = None) -> tuple[Path, ...]:
    """Where modules find their .inc files."""
    root = root or asm_root()
    return (root / "include", root / "platform" / _PLATFORM)


def _assemble(program: Program, replaced: Mapping[str, Source | Sequence[Source]],
              encoder: Encoder | None, root: Path) -> tuple[ObjectFile, ...]:
    """The object files of a program, in order; only what is new goes to the assembler."""
    modules: dict[str, tuple[Source, ...]] = {}
    missing: list[Diagnostic] = []
    for module in program.modules:
        given = replaced.get(module)
        try:
            if given is None:
                modules[module] = (_read(program, module, root),)
            else:
                modules[module] = (given,) if isinstance(given, Source) else tuple(given)
        except KitError as error:
            missing += error.diagnostics
    if missing:
        raise KitError(*missing[:_MOST_ERRORS])
    return _Cache(include_paths(root), encoder).objects(modules)


def _read(program: Program, module: str, root: Path) -> Source:
    name = _file_of(module)
    path = root / name
    if not path.is_file():
        near = nearest(module, _modules_on_disk(root))
        raise KitError.of(
            f"program '{program.name}' lists module '{module}', but there is no file {name}",
            _find_string(program.span.source, module, program.span.start),
            hint=f"did you mean '{near}'?" if near else None,
        )
    return Source.read(path, name)


def _file_of(module: str) -> str:
    folder, slash, rest = module.partition("/")
    if folder == "platform" and slash:
        return f"platform/{_PLATFORM}/{rest}.s"
    return f"{module}.s"


def _module_that_defines(symbol: str, root: Path) -> str | None:
    """The module on disk that exports a symbol, to name it in a hint."""
    exports = re.compile(rf"^\s*(func|\.globl)\s+{re.escape(symbol)}\s*(//.*)?$", re.M)
    for module in sorted(_modules_on_disk(root)):
        text = (root / _file_of(module)).read_text(encoding="utf-8", errors="replace")
        if exports.search(text):
            return module
    return None


def _modules_on_disk(root: Path) -> list[str]:
    """All modules there are, those for other kernels left out."""
    found = []
    for path in root.rglob("*.s"):
        name = path.relative_to(root).with_suffix("").as_posix()
        folder, _, rest = name.partition("/")
        if folder != "platform":
            found.append(name)
        elif rest.startswith(f"{_PLATFORM}/"):
            found.append(f"platform/{rest.removeprefix(_PLATFORM + '/')}")
    return found


# --- what was assembled before -------------------------------------------------------

_assembled: OrderedDict[tuple[object, ...], ObjectFile] = OrderedDict()


class _Cache:
    """Assembled modules by all that they are made from: text, include files, encoder."""

    def __init__(self, include: Sequence[Path], encoder: Encoder | None) -> None:
        self._include = include
        self._encoder = encoder
        digest = hashlib.sha256()
        for folder in include:
            for path in sorted(folder.glob("*.inc")):
                data = path.read_bytes()
                digest.update(f"{path.name}\0{len(data)}\0".encode() + data)
        self._digest = digest.digest()

    def objects(self, modules: Mapping[str, tuple[Source, ...]]) -> tuple[ObjectFile, ...]:
        """The object file of each module, assembled now or before."""
        keys = {name: self._key(name, sources) for name, sources in modules.items()}
        new = [(name, sources) for name, sources in modules.items()
               if keys[name] not in _assembled]
        if new:
            # The assembler is loaded when it is first needed: it brings Keystone along.
            from ymawky_kit.asm import assemble_all

            made = assemble_all(new, include=self._include, encoder=self._encoder)
            for (name, _), module in zip(new, made, strict=True):
                _assembled[keys[name]] = module
        found = tuple(_assembled[key] for key in keys.values())
        for key in keys.values():
            _assembled.move_to_end(key)
        while len(_assembled) > _CACHE_SIZE:
            _assembled.popitem(last=False)
        return found

    def _key(self, name: str, sources: Sequence[Source]) -> tuple[object, ...]:
        return (name, type(self._encoder).__qualname__, self._digest,
                tuple((source.name, source.text) for source in sources))


# --- chapters.toml -------------------------------------------------------------------

_KEYS: Final[dict[str, str]] = {
    "title": "text",
    "chapter": "text or a list of text",
    "after": "text",
    "entry": "text",
    "identifier": "text",
    "modules": "a list of text",
    "add": "a list of text",
    "drop": "a list of text",
    "swap": "a table of text",
    "features": "a list of text",
    "without": "a list of text",
}
#: What a key looks like, where its kind alone does not say it.
_EXAMPLES: Final[dict[str, str]] = {
    "chapter": 'chapter = "06", or for a program that chapters share: ["02", "03"]',
}


class _Table:
    """The file as tomllib reads it, with a way back to its lines."""

    def __init__(self, source: Source) -> None:
        self._source = source
        try:
            self._tables = tomllib.loads(source.text)
        except tomllib.TOMLDecodeError as error:
            raise self._syntax(error) from None
        self._programs: dict[str, Program] = {}

    def programs(self) -> dict[str, Program]:
        if not self._tables:
            raise KitError.of(f"{self._source.name} lists no program",
                              hint="a program is a table: [hello]")
        for name in self._tables:
            self._program(name, ())
        # In the order of the file, whatever the order in which they needed each other.
        return {name: self._programs[name] for name in self._tables}

    def _program(self, name: str, path: tuple[str, ...]) -> Program:
        """One program; `path` holds those that are waiting for it."""
        if name in self._programs:
            return self._programs[name]
        if name in path:
            circle = " -> ".join((*path[path.index(name):], name))
            raise self._error(name, f"programs that come after each other: {circle}", "after",
                              hint="one of them needs its own list of modules")
        table = self._checked(name)
        after = table.get("after")
        entry, identifier = _ENTRY, name
        features: list[str] = []
        if after is None:
            modules = list(table.get("modules", ()))
            if not modules:
                raise self._error(name, f"program '{name}' has neither 'modules' nor 'after'")
            if "swap" in table or "drop" in table:
                raise self._error(name, f"program '{name}' changes a program without naming it",
                                  "swap" if "swap" in table else "drop",
                                  hint='say which: after = "..."')
        elif "modules" in table:
            raise self._error(name, f"program '{name}' has both 'modules' and 'after'", "modules",
                              hint="with 'after', say what changes: swap, add, drop")
        elif after not in self._tables:
            near = nearest(after, self._tables)
            raise self._error(name, f"there is no program '{after}' to come after", after,
                              hint=f"did you mean '{near}'?" if near else None)
        else:
            before = self._program(after, (*path, name))
            modules, entry = list(before.modules), before.entry
            features = list(before.features)
            if before.identifier != before.name:
                identifier = before.identifier
        self._change(name, table, modules)
        self._change_features(name, table, features)
        program = Program(
            name, table["title"], _chapters_of(table), tuple(modules),
            table.get("entry", entry), table.get("identifier", identifier), after,
            self._span(name), tuple(features),
        )
        self._programs[name] = program
        return program

    def _change(self, name: str, table: Mapping[str, Any], modules: list[str]) -> None:
        """Apply swap, drop and add to the list."""
        for old, new in table.get("swap", {}).items():
            self._must_have(name, modules, old)
            modules[modules.index(old)] = new
        for old in table.get("drop", ()):
            self._must_have(name, modules, old)
            modules.remove(old)
        modules += table.get("add", ())
        for module in modules:
            if modules.count(module) > 1:
                raise self._error(name, f"program '{name}' has module '{module}' twice", module)

    def _change_features(self, name: str, table: Mapping[str, Any], features: list[str]) -> None:
        """Apply without and features to the list."""
        for feature in (*table.get("without", ()), *table.get("features", ())):
            if feature not in FEATURES:
                near = nearest(feature, FEATURES)
                raise self._error(name, f"there is no feature '{feature}'", feature,
                                  hint=f"did you mean '{near}'?" if near
                                  else f"the features are {', '.join(FEATURES)}")
        for feature in table.get("without", ()):
            if feature not in features:
                raise self._error(
                    name, f"program '{name}' loses feature '{feature}', which it does not have",
                    feature, hint=f"at this point it has: {', '.join(features) or 'none'}")
            features.remove(feature)
        features += table.get("features", ())
        for feature in features:
            if features.count(feature) > 1:
                raise self._error(name, f"program '{name}' has feature '{feature}' twice", feature)

    def _must_have(self, name: str, modules: Sequence[str], module: str) -> None:
        if module not in modules:
            near = nearest(module, modules)
            raise self._error(
                name, f"program '{name}' changes module '{module}', which it does not have",
                module, hint=f"did you mean '{near}'?" if near
                else f"at this point it has: {', '.join(modules)}")

    def _checked(self, name: str) -> Mapping[str, Any]:
        """The table of a program; raises when a key is unknown or of the wrong type."""
        table = self._tables[name]
        if not isinstance(table, dict):
            raise self._error(name, f"'{name}' is not a table", name,
                              hint=f"a program is a table: [{name}]")
        for key, value in table.items():
            if key not in _KEYS:
                near = nearest(key, _KEYS)
                raise self._error(name, f"program '{name}' has an unknown key '{key}'", key,
                                  hint=f"did you mean '{near}'?" if near
                                  else f"the keys are {', '.join(_KEYS)}")
            if not _is(value, _KEYS[key]):
                raise self._error(name, f"'{key}' of program '{name}' is not {_KEYS[key]}", key,
                                  hint=_EXAMPLES.get(key))
        if "title" not in table:
            raise self._error(name, f"program '{name}' has no title")
        numbers = _chapters_of(table)
        for number in numbers:
            if not re.fullmatch(r"[0-9]{2}", number):
                raise self._error(name, f"'{number}' is not the number of a chapter", number,
                                  hint='a chapter has two digits: "06"')
            if numbers.count(number) > 1:
                raise self._error(name, f"program '{name}' names chapter '{number}' twice", number)
        for module in _named_modules(table):
            if not re.fullmatch(r"[a-z0-9_]+(/[a-z0-9_]+)*", module):
                raise self._error(name, f"'{module}' is not the name of a module", module,
                                  hint="a module is a path without its ending: lib/number")
        return table

    def _error(self, name: str, message: str, at: str | None = None,
               hint: str | None = None) -> KitError:
        """An error in a table, pointing at a key or string in it, else at its name."""
        span = self._span(name)
        return KitError.of(message, _find_string(self._source, at, span.start) if at else span,
                           hint=hint)

    def _span(self, name: str) -> Span:
        quoted = re.escape(name)
        found = re.search(rf"^\s*\[?\s*[\"']?({quoted})[\"']?\s*[\].=]", self._source.text, re.M)
        if found is None:
            return self._source.span(0, 0)
        return self._source.span(found.start(1), found.end(1))

    def _syntax(self, error: tomllib.TOMLDecodeError) -> KitError:
        """tomllib says the place in its text: "... (at line 3, column 7)"."""
        message = str(error)
        found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
        if found is None:
            return KitError.of(f"{self._source.name}: {message}")
        if found[1] is None:
            start = len(self._source.text.rstrip())
            start = max(0, start - 1)
        else:
            line = min(int(found[1]), self._source.line_count)
            start = self._source.line_start(line) + int(found[2]) - 1
        return KitError.of(message[:found.start()], self._source.span(start, start + 1),
                           hint="the file is TOML: https://toml.io")


def _find_string(source: Source, text: str, start: int) -> Span:
    """Where a key or string stands in the table that begins at `start`, else the table's name."""
    following = re.compile(r"^\s*\[", re.M).search(source.text, start)
    end = following.start() if following else len(source.text)
    found = re.compile(rf"(?<![\w/]){re.escape(text)}(?![\w/])").search(
        source.text, source.text.find("\n", start) + 1, end)
    if found is None:
        return source.span(start, start + 1)
    return source.span(found.start(), found.end())


def _is(value: object, kind: str) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "text or a list of text":
            return _is(value, "text") or _is(value, "a list of text")
        case "a list of text":
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _chapters_of(table: Mapping[str, Any]) -> tuple[str, ...]:
    """One number, a list of them, or none."""
    given = table.get("chapter", ())
    return (given,) if isinstance(given, str) else tuple(given)


def _named_modules(table: Mapping[str, Any]) -> Iterable[str]:
    yield from table.get("modules", ())
    yield from table.get("add", ())
    yield from table.get("drop", ())
    for old, new in table.get("swap", {}).items():
        yield old
        yield new
