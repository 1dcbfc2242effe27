"""What a notebook does to the server's sources, followed from its cells without a kernel.

Of a cell's Python only what leads to a state is read: calls of `edit`, `undo`, `build`
and of what builds by name (`call`, `serve`, ...), their arguments from literals, from
names assigned earlier and from simple operations on text.  Arguments that cannot be
read so are an error: a state that depends on a run cannot be followed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ymawky_kit import macho
from ymawky_kit.lab import look
from ymawky_kit.lab import notebook as nb
from ymawky_kit.lab.magics import BENCH, reset_server, run_cell
from ymawky_kit.lab.workbench import Program
from ymawky_kit.source import KitError

UNKNOWN = object()
#: Calls that change the sources or build from them.
STATEFUL = frozenset({"edit", "undo", "build", "reset_server", "run_cell_magic"})
#: Calls that build a function, or a program, that they are given by name.
BUILDING = frozenset({"call", "step", "serve", "watch", "module"})
_TEXT_METHODS = frozenset({
    "replace", "index", "find", "strip", "rstrip", "lstrip", "join", "split", "splitlines",
    "partition", "rpartition", "encode", "format", "removeprefix", "removesuffix"})
#: Turns of a loop that only builds: a loop of hundreds calls the same function each time.
_MOST_TURNS = 8
_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b, ast.Sub: lambda a, b: a - b, ast.Mult: lambda a, b: a * b,
    ast.Mod: lambda a, b: a % b}


class Unreadable(Exception):
    """A state that cannot be followed from the text of the cells."""


@dataclass
class Followed:
    """What came of a notebook."""

    faults: list[str] = field(default_factory=list)     # "ch04-x: ..."
    states: int = 0                                     # cells and calls that changed the sources
    builds: int = 0                                     # programs made and checked


def follow(path: Path, notebook: nb.Notebook | None = None) -> Followed:
    """Go through a notebook's cells in order, on a workbench as new."""
    book = nb.read(path) if notebook is None else notebook
    done = Followed()
    BENCH.changed.clear()
    BENCH.free.clear()
    walker = _Walker(done)
    try:
        for cell in nb.code_cells(book):
            expected = "raises-exception" in cell.get("metadata", {}).get("tags", [])
            _one(cell["id"], nb.source(cell), expected, walker, done)
    finally:
        BENCH.changed.clear()
        BENCH.free.clear()
    return done


def _one(ident: str, text: str, expected: bool, walker: _Walker, done: Followed) -> None:
    try:
        if text.startswith("%%asm"):
            head, _, body = text.partition("\n")
            run_cell(head.removeprefix("%%asm").strip(), body)
            done.states += 1
            decides = True
        elif text.startswith("%%"):
            raise Unreadable(f"a cell of another magic: {text.splitlines()[0]}")
        else:
            tree = ast.parse(plain(text))
            decides = _decides(tree)
            walker.run(tree.body)
    except KitError as error:
        if not expected:
            done.faults.append(f"{ident}: {error}")
    except Unreadable as error:
        done.faults.append(f"{ident}: cannot be followed: {error}")
    else:
        # A tagged cell that also runs something may raise there: nbval looks at that.
        if expected and decides:
            done.faults.append(f"{ident}: is tagged raises-exception, but its state is good")


def plain(text: str) -> str:
    """A cell's text as Python: %reset_server becomes a call, other line magics nothing."""
    text = re.sub(r"^([ \t]*)%reset_server\b[ \t]*(.*?)[ \t]*$",
                  lambda found: f"{found[1]}reset_server({found[2]!r})", text, flags=re.MULTILINE)
    return re.sub(r"^([ \t]*)(?:%\w|!).*$", r"\1pass", text, flags=re.MULTILINE)


@cache                          # a function's body is looked at wherever it may be called
def _calls(node: ast.AST) -> frozenset[str]:
    """The names of all that is called in there, "?" for what has no name."""
    return frozenset(_called(inner) for inner in ast.walk(node) if isinstance(inner, ast.Call))


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute) and node.func.attr in STATEFUL:
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else "?"


def _decides(tree: ast.AST) -> bool:
    """Whether only state calls are made, so that only they can raise."""
    names = _calls(tree)
    return bool(names) and names <= STATEFUL


class _Walker:
    """Runs the part of Python that states are made of."""

    def __init__(self, done: Followed) -> None:
        self._done = done
        self._names: dict[str, Any] = {"reset_server": reset_server}
        self._functions: dict[str, ast.FunctionDef] = {}
        self._lab: set[str] = {"reset_server", "run_cell_magic"}
        self._depth = 0
        self._changing: dict[str, bool] = {}            # what _changes has found so far
        self._checked: dict[int, Program] = {}

    def run(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self._statement(statement)

    def _stateful(self, *nodes: ast.AST) -> bool:
        """Whether a state call, or a function that makes one, is in there."""
        wanted = (self._lab & STATEFUL) | {
            name for name, function in self._functions.items() if self._changes(function)}
        return any(name in wanted for node in nodes for name in _calls(node))

    def _changes(self, function: ast.FunctionDef) -> bool:
        if function.name not in self._changing:
            self._changing[function.name] = self._finds_changes(function)
        return self._changing[function.name]

    def _finds_changes(self, function: ast.FunctionDef) -> bool:
        others = set(self._functions) - {function.name}
        return any(name in self._lab & STATEFUL
                   or (name in others and self._functions[name].lineno < function.lineno
                       and self._changes(self._functions[name]))
                   for name in _calls(function))

    def _forget(self, *nodes: ast.AST) -> None:
        """What is assigned or changed in there is no longer known."""
        for node in nodes:
            for inner in ast.walk(node):
                match inner:
                    case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                        self._names[name] = UNKNOWN
                    case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                        self._names[name] = UNKNOWN
                    case ast.Call(func=ast.Attribute(value=ast.Name(id=name))):
                        if isinstance(self._names.get(name), list | dict | set | bytearray):
                            self._names[name] = UNKNOWN

    def _once(self, *body: ast.AST) -> None:
        """Run a body that only builds, as often as it may be run."""
        self._forget(*body)
        for node in body:
            if isinstance(node, ast.stmt):
                self._statement(node)
            elif isinstance(node, ast.expr):
                self.value(node)
        self._forget(*body)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.ImportFrom(module="ymawky_kit.lab"):
                for alias in node.names:
                    if alias.asname and alias.name in STATEFUL | BUILDING:
                        raise Unreadable(f"{alias.name} under another name")
                    self._lab.add(alias.name)
                self._changing.clear()
            case ast.Assign():
                found = self.value(node.value)
                for target in node.targets:
                    self._bind(target, found)
            case ast.For():
                self._loop(node.target, self.value(node.iter), node.body)
            case ast.With():
                for item in node.items:
                    self.value(item.context_expr)
                    if item.optional_vars is not None:
                        self._bind(item.optional_vars, UNKNOWN)
                self.run(node.body)
            case ast.If():
                decided = self.value(node.test)
                if decided is not UNKNOWN:
                    self.run(node.body if decided else node.orelse)
                elif self._stateful(*node.body, *node.orelse):
                    raise Unreadable("a state behind an if that only a run decides")
                else:
                    self._once(*node.body, *node.orelse)
            case ast.FunctionDef():
                self._functions[node.name] = node
                self._changing.clear()
            case ast.While() | ast.Try() | ast.ClassDef() | ast.AsyncFunctionDef() | ast.Match():
                if self._stateful(node):
                    raise Unreadable(f"a state inside {type(node).__name__}")
                self._forget(node)
            case _:
                if isinstance(node, ast.AugAssign | ast.AnnAssign):
                    self._forget(node)
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.value(child)

    def _loop(self, target: ast.expr, items: Any, body: Sequence[ast.AST]) -> None:
        if not isinstance(items, str | bytes | range | tuple | list | dict):
            if self._stateful(*body):
                raise Unreadable("a state in a loop over what only a run knows")
            self._bind(target, UNKNOWN)
            self._once(*body)
            return
        for item in items if self._stateful(*body) else list(items)[:_MOST_TURNS]:
            self._bind(target, item)
            for part in body:
                if isinstance(part, ast.stmt):
                    self._statement(part)
                elif isinstance(part, ast.expr):
                    self.value(part)

    def _bind(self, target: ast.expr, found: Any) -> None:
        if isinstance(target, ast.Name):
            self._names[target.id] = found
        elif isinstance(target, ast.Tuple | ast.List):
            several = found if isinstance(found, tuple | list) else [UNKNOWN] * len(target.elts)
            for name, one in zip(target.elts, several, strict=True):
                self._bind(name, one)
        else:
            self._forget(target)

    def value(self, node: ast.expr) -> Any:
        """What an expression is, UNKNOWN if it takes more than text to know; calls are made."""
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._names.get(node.id, UNKNOWN)
            case ast.Tuple() | ast.List():
                items = [self.value(item) for item in node.elts]
                return tuple(items) if isinstance(node, ast.Tuple) else items
            case ast.Dict():
                keys = [UNKNOWN if key is None else self.value(key) for key in node.keys]
                values = [self.value(item) for item in node.values]
                if any(key is UNKNOWN for key in keys):
                    return UNKNOWN
                return dict(zip(keys, values, strict=True))
            case ast.BinOp():
                left, right = self.value(node.left), self.value(node.right)
                operation = _OPERATIONS.get(type(node.op))
                if operation is None or not (_known(left) and _known(right)):
                    return UNKNOWN
                try:
                    return operation(left, right)
                except (TypeError, ValueError):
                    return UNKNOWN
            case ast.JoinedStr():
                parts = [self.value(part) for part in node.values]
                return "".join(parts) if all(isinstance(p, str) for p in parts) else UNKNOWN
            case ast.FormattedValue(conversion=-1, format_spec=None):
                return self.value(node.value)
            case ast.Subscript():
                whole = self.value(node.value)
                key = self._slice(node.slice)
                try:
                    return whole[key] if _known(whole) and _known(key) else UNKNOWN
                except (LookupError, TypeError):
                    return UNKNOWN
            case ast.Attribute():
                whole = self.value(node.value)
                if isinstance(whole, look.SourceText) and node.attr == "code":
                    return whole.code
                return UNKNOWN
            case ast.Call():
                return self._call(node)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                self._comprehension(node)
                return UNKNOWN
            case ast.Lambda():
                if self._stateful(node.body):
                    raise Unreadable("a state inside a lambda")
                return UNKNOWN
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)
        return UNKNOWN

    def _slice(self, node: ast.expr) -> Any:
        if not isinstance(node, ast.Slice):
            return self.value(node)
        parts = [None if part is None else self.value(part)
                 for part in (node.lower, node.upper, node.step)]
        return UNKNOWN if any(part is UNKNOWN for part in parts) else slice(*parts)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp
                       | ast.DictComp) -> None:
        inside = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        first = node.generators[0]
        items = self.value(first.iter)
        before = dict(self._names)              # its names are its own
        if len(node.generators) > 1 or first.ifs:
            items = UNKNOWN
            for generator in node.generators:
                self._forget(generator.target)
        self._loop(first.target, items, inside)
        self._names = before

    def _call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Attribute):
            whole = self.value(node.func.value)
        arguments = [self.value(one) for one in node.args]
        named = {one.arg: self.value(one.value) for one in node.keywords}
        if isinstance(node.func, ast.Attribute):
            if node.func.attr == "run_cell_magic":      # get_ipython()'s: a cell out of a text
                if named or not all(map(_known, arguments)) or arguments[0] != "asm":
                    raise Unreadable("a cell out of what only a run knows")
                run_cell(*arguments[1:])
                self._done.states += 1
                return UNKNOWN
            if (isinstance(whole, str | bytes) and node.func.attr in _TEXT_METHODS
                    and all(map(_known, (*arguments, *named.values())))):
                return getattr(whole, node.func.attr)(*arguments, **named)
            self._forget(node)                  # it may change the list it belongs to
            return UNKNOWN
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in self._functions:
            return self._own(self._functions[name], arguments, named)
        if name in self._lab:
            return self._made(name, arguments, named)
        if name == "range" and all(isinstance(one, int) for one in arguments):
            return range(*arguments)
        return UNKNOWN

    def _own(self, function: ast.FunctionDef, arguments: Sequence[Any],
             named: dict[str | None, Any]) -> Any:
        """A function that the notebook wrote and that makes states."""
        if self._depth == 10:
            if self._stateful(function):
                raise Unreadable(f"{function.name} calls itself")
            return UNKNOWN
        given = dict(self._names)
        defaults = function.args.defaults
        names = [one.arg for one in function.args.args]
        spread = [one.arg for one in (function.args.vararg, function.args.kwarg) if one]
        only = [one.arg for one in function.args.kwonlyargs]
        self._names.update(dict.fromkeys([*names, *only, *spread], UNKNOWN))
        for one, default in zip(only, function.args.kw_defaults, strict=True):
            self._names[one] = UNKNOWN if default is None else self.value(default)
        for one, default in zip(names[len(names) - len(defaults):], defaults, strict=True):
            self._names[one] = self.value(default)
        self._names.update(zip(names, arguments, strict=False))
        self._names.update({key: found for key, found in named.items() if key})
        self._depth += 1
        try:
            self.run(function.body)
        finally:
            self._depth -= 1
            self._names = given
        return UNKNOWN

    def _made(self, name: str, arguments: Sequence[Any], named: dict[str | None, Any]) -> Any:
        """Do what a state call does."""
        match name:
            case "edit" | "undo" | "build" | "reset_server" | "show" | "module":
                if not all(map(_known, (*arguments, *named.values()))):
                    raise Unreadable(f"{name}(...) with arguments that only a run knows")
                known = {key: found for key, found in named.items() if key}
                found: Any = {"edit": look.edit, "undo": look.undo, "build": look.build,
                              "reset_server": reset_server, "show": look.show,
                              "module": look.module}[name](*arguments, **known)
                self._done.states += name in ("edit", "undo", "reset_server")
                if isinstance(found, Program):
                    self._check(found)
                return found
            case "call" | "step" if arguments and isinstance(arguments[0], str):
                self._check(BENCH.build_around(arguments[0]))
            case "serve" | "watch":
                place = {"serve": 1, "watch": 2}[name]
                program = named.get("program", arguments[place] if len(arguments) > place else None)
                if program is None or isinstance(program, str):
                    self._check(look.build(program))
        return UNKNOWN

    def _check(self, program: Program) -> None:
        self._done.builds += 1
        if id(program) in self._checked:
            return
        self._checked[id(program)] = program
        problems = macho.check(program.data)
        if problems:
            raise KitError.of(f"{program.name} would not run: {problems[0].message}")


def _known(found: Any) -> bool:
    """Nothing in it is UNKNOWN."""
    if isinstance(found, dict):
        return all(_known(key) and _known(value) for key, value in found.items())
    if isinstance(found, tuple | list):
        return all(map(_known, found))
    return found is not UNKNOWN
