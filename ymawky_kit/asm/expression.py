"""Expressions: read them, then compute them.

Precedence is that of LLVM's assembler for Mach-O, which is not C's: `|`, `^`
and `&` share one level, below the comparisons.  Numbers are 64 bits wide and
wrap around; a comparison that holds gives -1; `>>` fills with zeros.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ymawky_kit.asm.lexer import Mistake, SourceLine, Token, character_value, number_value

#: From loosest to tightest; every operator groups from the left.
PRECEDENCE: Final = {
    "||": 1, "&&": 1,
    "|": 2, "^": 2, "&": 2,
    "==": 3, "!=": 3, "<>": 3, "<": 3, "<=": 3, ">": 3, ">=": 3,
    "<<": 4, ">>": 4,
    "+": 5, "-": 5,
    "*": 6, "/": 6, "%": 6,
}

#: Limits that keep the recursion of reader and evaluator far from Python's own.
_OPERATORS_MAX: Final = 200
_DEPTH_MAX: Final = 40


# --- the tree --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    value: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name:
    """A symbol, `.` (the current place), or a numeric label such as `1b`."""

    name: str
    start: int
    end: int
    modifier: str | None = None     # PAGE, PAGEOFF


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: Expression
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Expression
    right: Expression
    start: int
    end: int


Expression = Number | Name | Unary | Binary


# --- reading ---------------------------------------------------------------


class Cursor:
    """A place in a list of tokens."""

    __slots__ = ("_tokens", "position")

    def __init__(self, tokens: Sequence[Token], position: int = 0) -> None:
        self._tokens = tokens
        self.position = position

    @property
    def token(self) -> Token:
        return self._tokens[self.position]

    @property
    def kind(self) -> str:
        return self._tokens[self.position].kind

    @property
    def last_end(self) -> int:
        """The column behind the token read last."""
        if self.position == 0:
            return self._tokens[0].start
        return self._tokens[self.position - 1].end

    def peek(self, ahead: int = 1) -> Token:
        return self._tokens[min(self.position + ahead, len(self._tokens) - 1)]

    def next(self) -> Token:
        token = self._tokens[self.position]
        if token.kind != "end":
            self.position += 1
        return token

    def accept(self, kind: str) -> Token | None:
        """The token at hand if it is of this kind, and go on; else None."""
        token = self._tokens[self.position]
        if token.kind != kind:
            return None
        if kind != "end":
            self.position += 1
        return token

    def expect(self, kind: str, what: str) -> Token:
        token = self.accept(kind)
        if token is None:
            raise unexpected(self.token, what)
        return token

    def expect_end(self, hint: str | None = None) -> None:
        """Raise :class:`Mistake` unless the statement ends here."""
        token = self.token
        if token.kind != "end":
            end = max(t.end for t in self._tokens)
            raise Mistake("unexpected text behind the statement", token.start, end, hint)


def unexpected(token: Token, what: str) -> Mistake:
    """`what` was needed and something else stands there."""
    if token.kind == "end":
        return Mistake(f"{what} is missing here", token.start, token.start)
    return Mistake(f"expected {what}, found '{token.text}'", token.start, token.end)


def read(cursor: Cursor, what: str = "a number or a symbol") -> Expression:
    """Read one expression; `what` names it in messages.  Raises :class:`Mistake`."""
    return _Reader(cursor, what).binary(0, 0)


class _Reader:
    __slots__ = ("_cursor", "_operators", "_what")

    def __init__(self, cursor: Cursor, what: str) -> None:
        self._cursor = cursor
        self._what = what
        self._operators = 0

    def binary(self, loosest: int, depth: int) -> Expression:
        left = self.primary(depth)
        while True:
            token = self._cursor.token
            precedence = PRECEDENCE.get(token.kind)
            if precedence is None or precedence <= loosest:
                return left
            self._cursor.next()
            self._operators += 1
            if self._operators > _OPERATORS_MAX:
                raise Mistake(
                    f"this expression has more than {_OPERATORS_MAX} operators",
                    token.start, token.end, "give parts of it names with .equ",
                )
            right = self.binary(precedence, depth + 1)
            left = _folded(Binary(token.kind, left, right, _start(left), right.end))

    def primary(self, depth: int) -> Expression:
        cursor = self._cursor
        token = cursor.token
        if depth > _DEPTH_MAX:
            raise Mistake(
                f"this expression is nested more than {_DEPTH_MAX} deep", token.start, token.end
            )
        match token.kind:
            case "number":
                cursor.next()
                if token.text[-1] in "bf" and token.text[:-1].isdigit() and token.text[0] != "0":
                    return Name(token.text, token.start, token.end)
                if token.text in ("0b", "0f"):
                    return Name(token.text, token.start, token.end)
                return Number(_wrap(number_value(token)), token.start, token.end)
            case "char":
                cursor.next()
                return Number(character_value(token), token.start, token.end)
            case "name":
                cursor.next()
                return _name(token)
            case "-" | "+" | "~" | "!":
                cursor.next()
                operand = self.primary(depth + 1)
                return _folded(Unary(token.kind, operand, token.start, operand.end))
            case "(":
                cursor.next()
                inner = self.binary(0, depth + 1)
                if not cursor.accept(")"):
                    raise Mistake("this '(' is never closed", token.start, token.end)
                return inner
            case "string":
                raise Mistake(
                    f"expected {self._what}, found a string", token.start, token.end,
                    "one character goes between single quotes: 'x'",
                )
            case _:
                raise unexpected(token, self._what)


def _start(tree: Expression) -> int:
    return tree.start


_MODIFIERS: Final = {"PAGE", "PAGEOFF"}
_FOREIGN_MODIFIERS: Final = {
    "GOTPAGE", "GOTPAGEOFF", "TLVPPAGE", "TLVPPAGEOFF", "GOT", "TLVP", "PLT",
}


def _name(token: Token) -> Name:
    name, at, modifier = token.text.partition("@")
    if not at:
        return Name(name, token.start, token.end)
    column = token.start + len(name)
    upper = modifier.upper()
    if not name:
        raise Mistake("'@' must follow a symbol", column, token.end, "as in msg@PAGE")
    if upper in _MODIFIERS:
        return Name(name, token.start, token.end, upper)
    if upper in _FOREIGN_MODIFIERS:
        raise Mistake(
            f"@{modifier} is for symbols of other libraries, which our programs do not have",
            column, token.end, "use @PAGE and @PAGEOFF",
        )
    raise Mistake(
        f"unknown modifier '@{modifier}'", column, token.end, "known are @PAGE and @PAGEOFF"
    )


# --- computing -------------------------------------------------------------


class Place(Protocol):
    """Where a symbol is defined; two of them in one section have a distance."""

    name: str
    section: int | None     # index, None while undefined
    value: int              # offset in the section


@dataclass(frozen=True, slots=True)
class Value:
    """A number, or a place and a number of bytes behind it."""

    number: int
    place: Place | None = None
    modifier: str | None = None


class Unknown(Exception):  # no error by itself: the value may be known later
    """The expression computes with a symbol that is not defined yet."""

    def __init__(self, name: str, start: int, end: int) -> None:
        super().__init__(name)
        self.name = name
        self.start = start
        self.end = end
        self.line: SourceLine | None = None     # when it is not the line at hand

    def moved(self, columns: int) -> Unknown:
        """The same, seen from a text that starts `columns` further left."""
        if self.line is None:
            self.start += columns
            self.end += columns
        return self


class Scope(Protocol):
    """Gives names their values."""

    def look_up(self, name: Name) -> Value:
        """Raises :class:`Unknown` or :class:`Mistake`."""
        ...


def evaluate(tree: Expression, scope: Scope) -> Value:
    """Compute an expression.

    Raises :class:`Unknown` when a symbol has no value yet and
    :class:`Mistake` when what is asked for cannot be computed at all.
    """
    match tree:
        case Number():
            return Value(tree.value)
        case Name():
            return scope.look_up(tree)
        case Unary():
            operand = evaluate(tree.operand, scope)
            if operand.place is not None:
                if tree.operator == "+":
                    return operand
                _need_definition(tree, operand)
                raise _not_a_number(tree, tree.operator, operand)
            return Value(_unary(tree.operator, operand.number))
        case Binary():
            # `a + b + c …` leans to the left; follow it without recursion.
            waiting = [tree]
            while isinstance(waiting[-1].left, Binary):
                waiting.append(waiting[-1].left)
            value = evaluate(waiting[-1].left, scope)
            for binary in reversed(waiting):
                value = _binary(binary, value, evaluate(binary.right, scope))
            return value


def _binary(tree: Binary, left: Value, right: Value) -> Value:
    operator = tree.operator
    if left.place is None and right.place is None:
        return Value(_compute(tree, left.number, right.number))
    if operator == "+" and (left.place is None or right.place is None):
        return Value(
            _wrap(left.number + right.number),
            left.place or right.place,
            left.modifier or right.modifier,
        )
    if operator == "-" and right.place is None:
        return Value(_wrap(left.number - right.number), left.place, left.modifier)
    _need_definition(tree, left, right)
    if left.place is not None and right.place is not None and not (left.modifier or right.modifier):
        distance = distance_between(left.place, right.place)
        if distance is not None:
            if operator == "-":
                return Value(_wrap(left.number - right.number + distance))
            if PRECEDENCE[operator] == 3:
                return Value(_compute(tree, left.number + distance, right.number))
        elif operator == "-":
            raise Mistake(
                f"the distance from '{right.place.name}' to '{left.place.name}' is not known: "
                "they are in different sections",
                tree.start, tree.end,
                "a difference needs two labels of one section of one module",
            )
    raise _not_a_number(tree, operator, left if left.place is not None else right)


def distance_between(place: Place, origin: Place) -> int | None:
    """Bytes from `origin` to `place`, or None when only the linker knows."""
    if place.section is None or place.section != origin.section:
        return 0 if place is origin else None
    return place.value - origin.value


def _need_definition(tree: Unary | Binary, *values: Value) -> None:
    """Raise :class:`Unknown` when one of the values is a symbol without a place."""
    for value in values:
        place = value.place
        if place is not None and place.section is None:
            raise unknown(place, tree)


def unknown(place: Place, tree: Expression) -> Unknown:
    """The complaint that a place is not defined, at its name in an expression."""
    name = place.name.partition(":")[0]     # of a numeric label: `1:3` is the third `1:`
    where = next(
        (n for n in names(tree) if n.name in (place.name, f"{name}f", f"{name}b")), tree
    )
    return Unknown(place.name, where.start, where.end)


def names(tree: Expression) -> Iterator[Name]:
    """The names in an expression, from left to right."""
    waiting = [tree]
    while waiting:
        match waiting.pop():
            case Name() as name:
                yield name
            case Unary() as unary:
                waiting.append(unary.operand)
            case Binary() as binary:
                waiting += (binary.right, binary.left)
            case _:
                pass


def _not_a_number(tree: Unary | Binary, operator: str, value: Value) -> Mistake:
    name = value.place.name if value.place is not None else "this"
    return Mistake(
        f"'{operator}' needs numbers, and '{name}' is an address",
        tree.start, tree.end,
        "an address is known only after linking: it can be moved by a number with + and -, "
        "and subtracted from another of its section",
    )


def _folded(tree: Unary | Binary) -> Expression:
    """The tree, or its number when all of it is known."""
    if isinstance(tree, Unary):
        if isinstance(tree.operand, Number):
            return Number(_unary(tree.operator, tree.operand.value), tree.start, tree.end)
    elif isinstance(tree.left, Number) and isinstance(tree.right, Number):
        value = _compute(tree, tree.left.value, tree.right.value)
        return Number(value, tree.start, tree.end)
    return tree


def _unary(operator: str, value: int) -> int:
    match operator:
        case "-":
            return _wrap(-value)
        case "~":
            return ~value
        case "!":
            return int(value == 0)
        case _:
            return value


def _compute(tree: Binary, left: int, right: int) -> int:
    match tree.operator:
        case "+":
            return _wrap(left + right)
        case "-":
            return _wrap(left - right)
        case "*":
            return _wrap(left * right)
        case "/" | "%":
            if right == 0:
                raise Mistake("division by zero", tree.start, tree.end)
            quotient = abs(left) // abs(right)
            if (left < 0) != (right < 0):
                quotient = -quotient
            return _wrap(quotient if tree.operator == "/" else left - quotient * right)
        case "<<" | ">>":
            if not 0 <= right <= 63:
                raise Mistake(
                    f"a shift by {right} is not possible", tree.right.start, tree.right.end,
                    "numbers have 64 bits: shift by 0 to 63",
                )
            return _wrap(left << right) if tree.operator == "<<" else _wrap((left & _MASK) >> right)
        case "&":
            return left & right
        case "|":
            return left | right
        case "^":
            return left ^ right
        case "&&":
            return int(left != 0 and right != 0)
        case "||":
            return int(left != 0 or right != 0)
        case "==":
            return -(left == right)
        case "!=" | "<>":
            return -(left != right)
        case "<":
            return -(left < right)
        case "<=":
            return -(left <= right)
        case ">":
            return -(left > right)
        case _:
            return -(left >= right)


_MASK: Final = (1 << 64) - 1


def _wrap(value: int) -> int:
    """The 64-bit two's complement number that `value` becomes."""
    return ((value + (1 << 63)) & _MASK) - (1 << 63)
