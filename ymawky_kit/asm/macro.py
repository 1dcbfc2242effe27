"""Macros and repeated blocks: text in, lines out.

A macro's body is kept as written.  Using it puts the arguments in place of
`\\name`, drops `\\()`, and hands back lines that still know where each of
their characters was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ymawky_kit.asm.lexer import Expansion, Mistake, Piece, SourceLine, Token, tokenize
from ymawky_kit.asm.suggest import did_you_mean
from ymawky_kit.source import Note, Span


class Argument(NamedTuple):
    """What the user of a macro wrote for one parameter."""

    text: str
    pieces: tuple[Piece, ...]   # columns count from the start of `text`


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    required: bool = False
    takes_rest: bool = False            # :vararg
    default: Argument | None = None


@dataclass(frozen=True, slots=True)
class Macro:
    name: str
    parameters: tuple[Parameter, ...]
    body: tuple[SourceLine, ...]
    span: Span


_PARAMETERS_MAX: Final = 64


def parse_header(line: SourceLine, start: int) -> tuple[str, tuple[Parameter, ...], int, int]:
    """Read what follows `.macro`: the name, the parameters, and the name's columns."""
    tokens = tokenize(line.text, start)
    name = tokens[0]
    if name.kind != "name":
        raise Mistake("a macro needs a name", name.start, name.end)
    parameters: list[Parameter] = []
    position = 1
    if tokens[position].kind == ",":
        position += 1
    while tokens[position].kind != "end":
        token = tokens[position]
        if token.kind != "name":
            raise Mistake("expected the name of a parameter", token.start, token.end)
        if any(p.name == token.text for p in parameters):
            raise Mistake(f"parameter '{token.text}' appears twice", token.start, token.end)
        if parameters and parameters[-1].takes_rest:
            raise Mistake(
                f"nothing may follow '{parameters[-1].name}:vararg'", token.start, token.end,
                "it takes the rest of the line",
            )
        if len(parameters) == _PARAMETERS_MAX:
            raise Mistake("a macro with this many parameters", token.start, token.end)
        position += 1
        required = takes_rest = False
        if tokens[position].kind == ":":
            qualifier = tokens[position + 1]
            if qualifier.text not in ("req", "vararg"):
                raise Mistake(
                    "a parameter may be marked :req or :vararg", qualifier.start, qualifier.end
                )
            required, takes_rest = qualifier.text == "req", qualifier.text == "vararg"
            position += 2
        default = None
        if tokens[position].kind == "=":
            first = tokens[position + 1]
            position += 1
            depth = 0
            while tokens[position].kind != "end" and (depth or tokens[position].kind != ","):
                depth += {"(": 1, ")": -1}.get(tokens[position].kind, 0)
                position += 1
            default = _argument(line, first.start, tokens[position - 1].end)
        parameters.append(Parameter(token.text, required, takes_rest, default))
        if tokens[position].kind == ",":
            position += 1
    return name.text, tuple(parameters), name.start, name.end


def parse_arguments(
    macro: Macro, line: SourceLine, start: int, end: int, name_start: int
) -> dict[str, Argument]:
    """Give each parameter the text that the use of a macro has for it.

    `start` to `end` are the columns behind the macro's name.  Commas separate
    arguments, except between parentheses; `name=value` may stand in any order.
    A quoted argument loses its quotes unless it is `:vararg`, as on Darwin.
    """
    tokens = tokenize(line.text[:end], start)
    given: dict[str, Argument] = {}
    position, number = 0, 0
    while tokens[position].kind != "end":
        first = tokens[position]
        parameter = _parameter(macro, tokens, position, number)
        if parameter is None:
            count = len(macro.parameters)
            takes = {0: "no argument", 1: "one argument"}.get(count, f"{count} arguments")
            raise Mistake(
                f"too many arguments: '{macro.name}' takes {takes}",
                first.start, tokens[-1].start if tokens[-1].start > first.start else first.end,
                _usage(macro), (Note("it is defined here", macro.span),),
            )
        if tokens[position].kind == "name" and tokens[position + 1].kind == "=" and (
            tokens[position].text == parameter.name
        ):
            position += 2
            first = tokens[position]
        if parameter.name in given:
            raise Mistake(
                f"'{parameter.name}' is given twice", first.start, first.end, _usage(macro)
            )
        if parameter.takes_rest:
            stop = len(line.text[:tokens[-1].start].rstrip())
            given[parameter.name] = _argument(line, first.start, max(stop, first.start))
            break
        depth = 0
        beginning = position
        while tokens[position].kind != "end" and (depth or tokens[position].kind != ","):
            depth += {"(": 1, ")": -1}.get(tokens[position].kind, 0)
            position += 1
        if position > beginning:
            given[parameter.name] = _without_quotes(line, tokens[beginning:position])
        if tokens[position].kind == ",":
            position += 1
        number += 1
    for parameter in macro.parameters:
        if parameter.name in given and given[parameter.name].text:
            continue
        if parameter.required:
            raise Mistake(
                f"'{macro.name}' needs a value for '{parameter.name}'",
                name_start, max(end, name_start + 1), _usage(macro),
                (Note("it is defined here", macro.span),),
            )
        given[parameter.name] = parameter.default or Argument("", ())
    return given


def _parameter(
    macro: Macro, tokens: Sequence[Token], position: int, number: int
) -> Parameter | None:
    """The parameter that the argument at a place among the tokens is for."""
    token = tokens[position]
    if token.kind == "name" and tokens[position + 1].kind == "=":
        for parameter in macro.parameters:
            if parameter.name == token.text:
                return parameter
        raise Mistake(
            f"'{macro.name}' has no parameter '{token.text}'", token.start, token.end,
            did_you_mean(token.text, (p.name for p in macro.parameters)) or _usage(macro),
        )
    return macro.parameters[number] if number < len(macro.parameters) else None


def _usage(macro: Macro) -> str:
    names = ", ".join(p.name for p in macro.parameters)
    return f"use it as: {macro.name} {names}".rstrip()


def _argument(line: SourceLine, start: int, end: int) -> Argument:
    pieces = tuple(
        Piece(p.start - start, p.end - start, p.source, p.offset, True)
        for p in line.slice(start, end)
    )
    return Argument(line.text[start:end], pieces)


def _without_quotes(line: SourceLine, tokens: Sequence[Token]) -> Argument:
    start, end = tokens[0].start, tokens[-1].end
    if len(tokens) == 1 and tokens[0].kind == "string":
        return _argument(line, start + 1, end - 1)
    return _argument(line, start, end)


# --- expansion -------------------------------------------------------------

#: In a body: a parameter, `\()` that parts it from what follows, the counter `\@`.
_PLACE: Final = re.compile(
    r"\\(?:(?P<name>[A-Za-z_$][\w$]*)|(?P<glue>\(\))|(?P<count>@))", re.ASCII
)


class _Builder:
    """A line that grows piece by piece."""

    __slots__ = ("_pieces", "_texts", "length")

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._pieces: list[Piece] = []
        self.length = 0

    def add(self, text: str, pieces: Iterable[Piece], origin: int = 0) -> None:
        """Add text whose pieces count their columns from `origin`."""
        shift = self.length - origin
        self._pieces += [
            Piece(p.start + shift, p.end + shift, p.source, p.offset, p.is_argument)
            for p in pieces
        ]
        self._texts.append(text)
        self.length += len(text)

    def line(self, body: SourceLine, expansion: Expansion) -> SourceLine:
        return SourceLine(
            "".join(self._texts), body.source, body.offset, tuple(self._pieces), expansion
        )


def expand(
    body: Sequence[SourceLine],
    arguments: Mapping[str, Argument],
    expansion: Expansion,
    count: int,
    length_max: int,
) -> list[SourceLine] | None:
    r"""The lines of a body with the arguments in place; `count` is what `\@` stands for.

    A `\name` that is no parameter stays as it is, so that a macro inside this
    one can have it.  None when the text grows beyond `length_max` characters.
    """
    lines: list[SourceLine] = []
    total = 0
    for line in body:
        built = _Builder()
        position = 0
        if "\\" in line.text:
            for match in _PLACE.finditer(line.text):
                argument = _NOTHING
                if match["name"]:
                    found = arguments.get(match["name"])
                    if found is None:
                        continue
                    argument = found
                elif match["count"]:
                    argument = Argument(str(count), ())
                before = line.slice(position, match.start())
                built.add(line.text[position:match.start()], before, position)
                built.add(argument.text, argument.pieces)
                position = match.end()
        built.add(line.text[position:], line.slice(position, len(line.text)), position)
        total += built.length + 1
        if total > length_max:
            return None
        lines.append(built.line(line, expansion))
    return lines


_NOTHING: Final = Argument("", ())
