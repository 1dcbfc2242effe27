"""Operands: read the text behind a mnemonic into a small tree.

The grammar is that of A64 and nothing more: registers, immediates, shifts,
memory operands, register lists, and the names some instructions know (`eq`,
`ish`, `cntvct_el0`).  Only what this reader understood is ever written out
again for an encoder, so no other text reaches one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ymawky_kit.asm import expression
from ymawky_kit.asm.expression import Cursor, Expression, Name, Number, unexpected
from ymawky_kit.asm.lexer import Mistake, Token, tokenize

# --- the tree --------------------------------------------------------------
#
# `slot` is the number of an expression in Instruction.expressions, so that one
# tree serves every use of the same text, whatever its symbols stand for.


@dataclass(frozen=True, slots=True)
class Register:
    """`group` is x w b h s d q or v; number 31 is the zero register or, if `is_sp`, sp."""

    group: str
    number: int
    start: int
    end: int
    is_sp: bool = False
    arrangement: str = ""       # 16b, 4s, … ; b, h, s, d for one element
    slot: int | None = None     # of the element's index

    @property
    def text(self) -> str:
        if self.number == 31 and self.group in "xw":
            name = {"x": ("xzr", "sp"), "w": ("wzr", "wsp")}[self.group][self.is_sp]
        else:
            name = f"{self.group}{self.number}"
        return f"{name}.{self.arrangement}" if self.arrangement else name


@dataclass(frozen=True, slots=True)
class Immediate:
    slot: int
    hashed: bool                # written with '#'
    start: int
    end: int
    bare: str = ""              # the symbol, when it is nothing but one


@dataclass(frozen=True, slots=True)
class Float:
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Word:
    """A name that belongs to the instruction, in lower case."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Modifier:
    """`lsl #3`, `uxtw`, …"""

    name: str
    slot: int | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Memory:
    """`[base]`, `[base, offset]`, `[base, index, shift]`, each perhaps with `!`."""

    base: Register
    parts: tuple[Operand, ...]  # what stands behind the base
    writeback: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RegisterList:
    registers: tuple[Register, ...]
    slot: int | None            # of the element's index
    start: int
    end: int


Operand = Register | Immediate | Float | Word | Modifier | Memory | RegisterList


@dataclass(frozen=True, slots=True, eq=False)
class Instruction:
    """One instruction as written; columns count from the start of its text."""

    text: str
    mnemonic: str               # lower case
    operands: tuple[Operand, ...]
    expressions: tuple[Expression, ...]

    @property
    def is_constant(self) -> bool:
        """Whether it means the same wherever it stands."""
        return all(isinstance(e, Number) for e in self.expressions)


# --- names -----------------------------------------------------------------

CONDITIONS: Final = (
    "eq", "ne", "cs", "hs", "cc", "lo", "mi", "pl", "vs", "vc",
    "hi", "ls", "ge", "lt", "gt", "le", "al", "nv",
)

_SHIFTS: Final = frozenset({
    "lsl", "lsr", "asr", "ror", "msl",
    "uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx",
})

_CONDITIONAL: Final = frozenset({
    "csel", "csinc", "csinv", "csneg", "cset", "csetm", "cinc", "cinv", "cneg",
    "ccmp", "ccmn", "fcsel", "fccmp", "fccmpe",
})

#: Mnemonics whose operands at these places may be names of the architecture.
_NAMED: Final = {
    "mrs": {1}, "msr": {0}, "dmb": {0}, "dsb": {0}, "isb": {0}, "prfm": {0}, "prfum": {0},
    "dc": {0}, "ic": {0}, "at": {0}, "tlbi": {0}, "bti": {0}, "psb": {0}, "tsb": {0},
    "sys": {1, 2}, "sysl": {2, 3},
}

_REGISTERS: Final = {
    **{f"{group}{n}": (group, n, False) for group in "xw" for n in range(31)},
    **{f"{group}{n}": (group, n, False) for group in "bhsdqv" for n in range(32)},
    "xzr": ("x", 31, False), "wzr": ("w", 31, False),
    "sp": ("x", 31, True), "wsp": ("w", 31, True),
    "fp": ("x", 29, False), "lr": ("x", 30, False),
}

_ARRANGEMENTS: Final = frozenset({
    "8b", "16b", "4h", "8h", "2s", "4s", "1d", "2d", "1q", "2h", "4b", "b", "h", "s", "d",
})


# --- reading ---------------------------------------------------------------

_OPERANDS_MAX: Final = 8


def is_register(name: str) -> bool:
    """Whether a name belongs to a register, so that no symbol can have it."""
    return name.lower() in _REGISTERS


#: For whoever names a register that is not there.
REGISTERS_HINT: Final = (
    "there are x0 to x30, xzr and sp, their lower halves w0 to w30, and "
    "b, h, s, d, q and v with 0 to 31"
)

_LIKE_A_REGISTER: Final = re.compile(
    r"[xwbhsdqv]\d+"
    r"|r\d+|[er][abcd]x|[er][sd]i|[er][sb]p",    # of ARM with 32 bits and of x86
    re.IGNORECASE,
)


def is_like_a_register(name: str) -> bool:
    """Whether a name looks like a register, of this processor or another, but is none."""
    return _LIKE_A_REGISTER.fullmatch(name) is not None and not is_register(name)


def read(text: str, mnemonic_length: int, mnemonic: str) -> Instruction:
    """Read one instruction whose `mnemonic` is known.

    Raises :class:`Mistake` with columns in `text`.
    """
    tokens = tokenize(text, mnemonic_length)
    return _Reader(text, mnemonic, tokens).instruction()


class _Reader:
    def __init__(self, text: str, mnemonic: str, tokens: Sequence[Token]) -> None:
        self._text = text
        self._mnemonic = mnemonic
        self._cursor = Cursor(tokens)
        self._expressions: list[Expression] = []

    def instruction(self) -> Instruction:
        cursor = self._cursor
        operands: list[Operand] = []
        if cursor.kind != "end":
            while True:
                operands.append(self._operand(len(operands)))
                comma = cursor.accept(",")
                if comma is None:
                    break
                if cursor.kind == "end":
                    raise Mistake("an operand is missing behind this comma", comma.start, comma.end)
                if len(operands) == _OPERANDS_MAX:
                    raise Mistake(
                        "no instruction has this many operands",
                        cursor.token.start, len(self._text.rstrip()),
                    )
            token = cursor.token
            if token.kind != "end":
                hint = "comments begin with // or ;" if token.kind == "#" else (
                    "operands are separated by commas"
                )
                raise Mistake(f"unexpected '{token.text}' here", token.start, token.end, hint)
        return Instruction(
            self._text, self._mnemonic, tuple(operands), tuple(self._expressions)
        )

    def _operand(self, place: int) -> Operand:
        token = self._cursor.token
        match token.kind:
            case "name":
                return self._named(place)
            case "[":
                return self._memory()
            case "{":
                return self._list()
            case ":":
                raise Mistake(
                    "':lo12:' and its like are for ELF", token.start, token.end,
                    "on macOS write symbol@PAGEOFF",
                )
            case "=":
                raise Mistake(
                    "'ldr register, =value' needs a literal pool, which we do not make",
                    token.start, token.end,
                    "use mov, movz and movk for numbers, adrp and add for addresses",
                )
            case _:
                return self._immediate()

    def _named(self, place: int) -> Operand:
        """A register, a shift, a name of the architecture, or an expression."""
        cursor = self._cursor
        token = cursor.token
        register = self._register()
        if register is not None:
            return register
        lowered = token.text.lower()
        follower = cursor.peek().kind
        if lowered in _SHIFTS and follower in ("#", "number", "end", ",", "]", "name", "("):
            cursor.next()
            slot = None
            if cursor.kind not in ("end", ",", "]"):
                cursor.accept("#")
                slot = self._slot(expression.read(cursor, "a shift amount"))
            return Modifier(lowered, slot, token.start, cursor.last_end)
        if follower in ("end", ","):
            if place in _NAMED.get(self._mnemonic, ()):
                cursor.next()
                return Word(lowered, token.start, token.end)
            if self._mnemonic in _CONDITIONAL and lowered in CONDITIONS:
                cursor.next()
                return Word(lowered, token.start, token.end)
        return self._immediate()

    def _register(self) -> Register | None:
        token = self._cursor.token
        name, dot, arrangement = token.text.lower().partition(".")
        found = _REGISTERS.get(name)
        if found is None:
            return None
        group, number, is_sp = found
        if not dot:
            self._cursor.next()
            return Register(group, number, token.start, token.end, is_sp)
        if group != "v" or arrangement not in _ARRANGEMENTS:
            raise Mistake(
                f"'{token.text}' is not a register", token.start, token.end,
                "vector registers are written v0.16b, v0.8h, v0.4s, v0.2d, "
                "and one element v0.b[3]",
            )
        self._cursor.next()
        slot = self._index()
        return Register(
            group, number, token.start, self._cursor.last_end, False, arrangement, slot
        )

    def _index(self) -> int | None:
        """`[3]` directly behind a vector register."""
        cursor = self._cursor
        bracket = cursor.accept("[")
        if bracket is None:
            return None
        slot = self._slot(expression.read(cursor, "an element number"))
        if not cursor.accept("]"):
            raise Mistake("this '[' is never closed", bracket.start, bracket.end)
        return slot

    def _immediate(self) -> Immediate | Float:
        cursor = self._cursor
        first = cursor.token
        hashed = cursor.accept("#") is not None
        sign = "-" if cursor.kind == "-" and cursor.peek().kind == "float" else ""
        if sign:
            cursor.next()
        number = cursor.accept("float")
        if number is not None:
            return Float(sign + number.text, first.start, number.end)
        tree = expression.read(cursor, "an operand" if not hashed else "a number or a symbol")
        bare = tree.name if isinstance(tree, Name) and not hashed else ""
        return Immediate(self._slot(tree), hashed, first.start, cursor.last_end, bare)

    def _memory(self) -> Memory:
        cursor = self._cursor
        bracket = cursor.next()
        token = cursor.token
        base = self._register() if token.kind == "name" else None
        if base is None:
            raise Mistake(
                "a memory operand begins with a register", token.start, max(token.end, token.start),
                "as in [x1] or [sp, #16]",
            )
        parts: list[Operand] = []
        while cursor.accept(","):
            if len(parts) == 2:
                raise Mistake(
                    "too much between the brackets", cursor.token.start, cursor.token.end,
                    "a memory operand is [base], [base, #offset] or [base, index, shift]",
                )
            if cursor.kind in ("[", "{"):
                raise Mistake(
                    f"'{cursor.kind}' cannot stand between brackets",
                    cursor.token.start, cursor.token.end,
                )
            parts.append(self._operand(-1))
        if not cursor.accept("]"):
            if cursor.kind == "end":
                raise Mistake("this '[' is never closed", bracket.start, bracket.end)
            raise unexpected(cursor.token, "',' or ']'")
        writeback = cursor.accept("!") is not None
        return Memory(base, tuple(parts), writeback, bracket.start, cursor.last_end)

    def _list(self) -> RegisterList:
        cursor = self._cursor
        brace = cursor.next()
        registers: list[Register] = []
        while True:
            token = cursor.token
            register = self._register() if token.kind == "name" else None
            if register is None or register.group != "v" or not register.arrangement:
                raise Mistake(
                    "a list holds vector registers", token.start, token.end,
                    "as in {v0.16b} or {v0.4s, v1.4s}",
                )
            if cursor.accept("-"):
                last_token = cursor.token
                last = self._register() if last_token.kind == "name" else None
                if last is None or last.arrangement != register.arrangement:
                    raise unexpected(last_token, f"a register such as v3.{register.arrangement}")
                count = (last.number - register.number) % 32 + 1
                registers += (
                    Register(
                        "v", (register.number + n) % 32, register.start, last.end,
                        False, register.arrangement,
                    )
                    for n in range(count)
                )
            else:
                registers.append(register)
            if not cursor.accept(","):
                break
        if not cursor.accept("}"):
            raise Mistake("this '{' is never closed", brace.start, brace.end)
        if len(registers) > 4 or len({r.arrangement for r in registers}) > 1 or any(
            (b.number - a.number) % 32 != 1
            for a, b in pairwise(registers)
        ):
            raise Mistake(
                "a list holds one to four registers of one shape that follow each other",
                brace.start, cursor.last_end, "as in {v0.16b, v1.16b}",
            )
        return RegisterList(tuple(registers), self._index(), brace.start, cursor.last_end)

    def _slot(self, tree: Expression) -> int:
        self._expressions.append(tree)
        return len(self._expressions) - 1
