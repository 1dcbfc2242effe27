"""Kinds of operands: what may stand at one place of an instruction.

Each kind says yes, or how far from right an operand is and what it wanted.
It also writes the operand's final text and offers examples, from which the
tests make instructions to compare with LLVM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from ymawky_kit.asm.expression import Value, unknown
from ymawky_kit.asm.lexer import Mistake
from ymawky_kit.asm.operand import (
    CONDITIONS,
    Float,
    Immediate,
    Instruction,
    Memory,
    Modifier,
    Operand,
    Register,
    RegisterList,
    Word,
)
from ymawky_kit.asm.suggest import did_you_mean
from ymawky_kit.obj import RelocationKind


class Miss(NamedTuple):
    """Why an operand does not fit."""

    #: 0: another sort of operand; 1: the right sort, another variety; 2: only the value is wrong.
    closeness: int
    wanted: str             # what would fit, in words
    start: int
    end: int
    found: str = ""         # what stands there, in words
    hint: str | None = None


Distance = Callable[[Value], int | None]


@dataclass(slots=True)
class Context:
    """What is known about one instruction while its operands are looked at."""

    instruction: Instruction
    values: Sequence[Value]
    #: Bytes from the instruction to a place, None when only the linker will know.
    distance: Distance

    def number(self, slot: int, start: int, end: int) -> int | Miss:
        """The value in a slot, or a miss when it is an address.

        Raises Unknown for a symbol without a definition.
        """
        value = self.values[slot]
        place = value.place
        if place is None:
            return value.number
        hint = None
        if value.modifier is None:
            if place.section is None:
                raise unknown(place, self.instruction.expressions[slot])
            hint = "an address comes into a register with adrp and add, or with adr"
        return Miss(1, "a number", start, end, f"the address of '{place.name}'", hint)


class Kind:
    """One sort of operand."""

    wanted: str     # in words, for "must be …"

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        raise AssertionError("every kind says what fits")

    def text(self, operand: Operand, context: Context) -> str:
        """The operand for an encoder; only asked for when it fits."""
        return plain_text(operand, context)

    def examples(self, place: int) -> Sequence[str]:
        """Texts that fit at this place of an instruction, typical ones and limits."""
        raise AssertionError("every kind has examples")

    def counterexamples(self) -> Sequence[str]:
        """Texts that just do not fit."""
        return ()


def plain_text(operand: Operand, context: Context) -> str:
    """An operand written out with its numbers in place."""
    match operand:
        case Register():
            return operand.text + _index_text(operand.slot, context)
        case Immediate():
            return f"#{context.values[operand.slot].number}"
        case Float():
            return f"#{operand.text}"
        case Word():
            return operand.text
        case Modifier():
            if operand.slot is None:
                return operand.name
            return f"{operand.name} #{context.values[operand.slot].number}"
        case Memory():
            inside = ", ".join(
                (operand.base.text, *(plain_text(p, context) for p in operand.parts))
            )
            return f"[{inside}]{'!' if operand.writeback else ''}"
        case RegisterList():
            inside = ", ".join(r.text for r in operand.registers)
            return f"{{{inside}}}{_index_text(operand.slot, context)}"


def _index_text(slot: int | None, context: Context) -> str:
    return "" if slot is None else f"[{context.values[slot].number}]"


def describe(operand: Operand, context: Context | None = None) -> str:
    """An operand in words, as in "must be a number, not …"."""
    match operand:
        case Register():
            if operand.is_sp:
                return operand.text
            if operand.group == "v":
                return "an element of a vector register" if operand.slot is not None else (
                    "a vector register"
                )
            if operand.group in "xw":
                return f"a {_BITS[operand.group]}-bit register"
            return f"a {_BITS[operand.group]}-bit floating-point register"
        case Immediate():
            if context is not None:
                place = context.values[operand.slot].place
                if place is not None:
                    return f"the symbol '{place.name}'"
            return "a number"
        case Float():
            return "a floating-point number"
        case Word():
            return f"'{operand.text}'"
        case Modifier():
            return f"'{operand.name}'"
        case Memory():
            return "a memory operand"
        case RegisterList():
            return "a list of registers"


_BITS: Final = {"x": 64, "w": 32, "b": 8, "h": 16, "s": 32, "d": 64, "q": 128}


# --- registers -------------------------------------------------------------


@dataclass(frozen=True)
class RegisterKind(Kind):
    """A register of one group; with `or_sp`, number 31 is sp instead of zero."""

    group: str
    or_sp: bool = False

    @cached_property
    def wanted(self) -> str:  # type: ignore[override]
        if self.group in "xw":
            more = {"x": " or sp", "w": " or wsp"}[self.group] if self.or_sp else ""
            return f"a {_BITS[self.group]}-bit register ({self.group}0-{self.group}30){more}"
        return f"a register {self.group}0-{self.group}31"

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        if not isinstance(operand, Register):
            return Miss(0, self.wanted, operand.start, operand.end, describe(operand, context))
        if operand.group == self.group and not operand.arrangement:
            if operand.number != 31 or self.group not in "xw" or operand.is_sp == self.or_sp:
                return None
            found = operand.text
            hint = None
            if operand.is_sp:
                hint = "this instruction has no form with sp: copy it first, mov x9, sp"
            return Miss(1, self.wanted, operand.start, operand.end, found, hint)
        closeness = 1 if (operand.group in "xw") == (self.group in "xw") else 0
        return Miss(closeness, self.wanted, operand.start, operand.end, describe(operand))

    def examples(self, place: int) -> Sequence[str]:
        usual = f"{self.group}{place + 1}"
        if self.group not in "xw":
            return usual, f"{self.group}31"
        last = {"x": ("xzr", "sp"), "w": ("wzr", "wsp")}[self.group][self.or_sp]
        return usual, last, f"{self.group}30"

    def counterexamples(self) -> Sequence[str]:
        if self.group not in "xw":
            return ("x1", "#1")
        wrong = {"x": ("sp", "xzr", "w1"), "w": ("wsp", "wzr", "x1")}[self.group]
        return (wrong[1] if self.or_sp else wrong[0], wrong[2], "#1", "d0")


_VECTORS: Final = ("8b", "16b", "4h", "8h", "2s", "4s", "2d")


@dataclass(frozen=True)
class VectorKind(Kind):
    """A vector register of one of several shapes."""

    shapes: tuple[str, ...] = _VECTORS

    @cached_property
    def wanted(self) -> str:  # type: ignore[override]
        return "a vector register (" + ", ".join(f"v0.{s}" for s in self.shapes) + ")"

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        if not isinstance(operand, Register) or operand.group != "v":
            return Miss(0, self.wanted, operand.start, operand.end, describe(operand, context))
        if operand.arrangement in self.shapes and operand.slot is None:
            return None
        return Miss(1, self.wanted, operand.start, operand.end, f"'{operand.text}'")

    def examples(self, place: int) -> Sequence[str]:
        return [f"v{place + 1}.{shape}" for shape in self.shapes]


@dataclass(frozen=True)
class ElementKind(Kind):
    """One element of a vector register."""

    sizes: str = "bhsd"

    @cached_property
    def wanted(self) -> str:  # type: ignore[override]
        return "an element of a vector register (" + ", ".join(
            f"v0.{s}[0]" for s in self.sizes
        ) + ")"

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        if not isinstance(operand, Register) or operand.group != "v":
            return Miss(0, self.wanted, operand.start, operand.end, describe(operand, context))
        if operand.slot is None or operand.arrangement not in self.sizes:
            return Miss(1, self.wanted, operand.start, operand.end, f"'{operand.text}'")
        index = context.number(operand.slot, operand.start, operand.end)
        if isinstance(index, Miss):
            return index
        last = {"b": 15, "h": 7, "s": 3, "d": 1}[operand.arrangement]
        if not 0 <= index <= last:
            return Miss(2, f"0 to {last}", operand.start, operand.end, f"element {index}")
        return None

    def examples(self, place: int) -> Sequence[str]:
        last = {"b": 15, "h": 7, "s": 3, "d": 1}
        return [f"v{place + 1}.{s}[{last[s]}]" for s in self.sizes]

    def counterexamples(self) -> Sequence[str]:
        return [f"v1.{s}[{16 // {'b': 1, 'h': 2, 's': 4, 'd': 8}[s]}]" for s in self.sizes]


# --- numbers ---------------------------------------------------------------


class NumberKind(Kind):
    """An immediate; subclasses say which values there are."""

    #: In words, for "allowed are …".
    allowed: str = ""
    wanted = "a number"

    def fits(self, number: int, context: Context) -> bool:
        raise AssertionError("every kind of number knows its values")

    def describe_allowed(self, context: Context) -> str:
        return self.allowed

    def hint(self, number: int, context: Context) -> str | None:
        return None

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        if not isinstance(operand, Immediate):
            return Miss(0, self.wanted, operand.start, operand.end, describe(operand, context))
        number = context.number(operand.slot, operand.start, operand.end)
        if isinstance(number, Miss):
            return number
        if self.fits(number, context):
            return None
        return Miss(
            2, self.describe_allowed(context), operand.start, operand.end, self.shown(number),
            self.hint(number, context),
        )

    def shown(self, number: int) -> str:
        return str(number)


@dataclass(frozen=True)
class RangeKind(NumberKind):
    """Numbers from `low` to `high`, or only each `step`-th of them."""

    low: int
    high: int
    step: int = 1

    @cached_property
    def allowed(self) -> str:  # type: ignore[override]
        steps = f" in steps of {self.step}" if self.step > 1 else ""
        return f"{self.low} to {self.high}{steps}" if self.low != self.high else f"{self.low}"

    def fits(self, number: int, context: Context) -> bool:
        return self.low <= number <= self.high and number % self.step == 0

    def examples(self, place: int) -> Sequence[str]:
        middle = (self.low + self.high) // 2 // self.step * self.step
        return list(dict.fromkeys(f"#{n}" for n in (self.low, middle, self.high)))

    def counterexamples(self) -> Sequence[str]:
        wrong = [self.low - self.step, self.high + self.step]
        return [f"#{n}" for n in wrong]


class AddKind(NumberKind):
    """What add and sub take: 12 bits, perhaps shifted by 12."""

    allowed = "0 to 4095, and multiples of 4096 up to 16773120"

    def fits(self, number: int, context: Context) -> bool:
        number = abs(number)
        return number <= 4095 or (number & 4095 == 0 and number <= 4095 << 12)

    def hint(self, number: int, context: Context) -> str | None:
        return "put larger numbers into a register first"

    def examples(self, place: int) -> Sequence[str]:
        return "#16", "#0", "#4095", "#4096", "#16773120", "#-1", "#-4095", "#-4096"

    def counterexamples(self) -> Sequence[str]:
        return "#4097", "#16777216", "#-4097"


@dataclass(frozen=True)
class LogicalKind(NumberKind):
    """What and, orr, eor and tst take: a run of ones, repeated."""

    bits: int
    allowed = "runs of ones that repeat, such as 0xff, 0xf0 or 0x0f0f0f0f; neither 0 nor all ones"

    def fits(self, number: int, context: Context) -> bool:
        pattern = _unsigned(number, self.bits)
        return pattern is not None and is_bit_pattern(pattern, self.bits)

    def shown(self, number: int) -> str:
        return str(number) if abs(number) < 256 else hex(number)

    def text(self, operand: Operand, context: Context) -> str:
        return _unsigned_text(operand, context, self.bits)

    def examples(self, place: int) -> Sequence[str]:
        ones = (1 << self.bits) - 1
        return (
            "#255", "#1", f"#{1 << (self.bits - 1)}", f"#{ones ^ 1}",
            f"#{0x55555555_55555555 & ones}", "#-2", "#0xf0", f"#{ones >> 1}",
        )

    def counterexamples(self) -> Sequence[str]:
        return "#0", "#-1", "#5", f"#{1 << self.bits}"


@dataclass(frozen=True)
class WideKind(NumberKind):
    """What mov takes: 16 bits at a multiple of 16, the inverse of that, or a bit pattern."""

    bits: int
    allowed = ""    # the hint says more

    def fits(self, number: int, context: Context) -> bool:
        pattern = _unsigned(number, self.bits)
        if pattern is None:
            return False
        inverse = pattern ^ ((1 << self.bits) - 1)
        return (
            _is_one_chunk(pattern) or _is_one_chunk(inverse) or is_bit_pattern(pattern, self.bits)
        )

    def hint(self, number: int, context: Context) -> str | None:
        pattern = _unsigned(number, self.bits)
        if pattern is None:
            return f"a {'w' if self.bits == 32 else 'x'} register has {self.bits} bits"
        first = context.instruction.operands[0]
        name = first.text if isinstance(first, Register) else "x0"
        lines: list[str] = []
        for shift in range(0, self.bits, 16):
            chunk = pattern >> shift & 0xFFFF
            if chunk:
                move = "movk" if lines else "movz"
                lines.append(f"{move} {name}, #{chunk:#x}" + (f", lsl #{shift}" if shift else ""))
        return "one mov cannot make this number; write " + ", then ".join(lines)

    def shown(self, number: int) -> str:
        return str(number) if abs(number) < 256 else hex(number)

    def text(self, operand: Operand, context: Context) -> str:
        return _unsigned_text(operand, context, self.bits)

    def examples(self, place: int) -> Sequence[str]:
        ones = (1 << self.bits) - 1
        return (
            "#42", "#0", "#65535", "#65536", "#-1", "#-65536", f"#{ones}", "#0xffff0000",
            f"#{0x55555555_55555555 & ones}",
            f"#{1 << (self.bits - 1)}", f"#-{1 << (self.bits - 1)}",
        )

    def counterexamples(self) -> Sequence[str]:
        return ("#0x12345", f"#{(1 << self.bits)}")


def _unsigned(number: int, bits: int) -> int | None:
    """The number as `bits` bits without sign, or None when it has more."""
    if not -(1 << (bits - 1)) <= number < 1 << bits:
        return None
    return number & ((1 << bits) - 1)


def _unsigned_text(operand: Operand, context: Context, bits: int) -> str:
    assert isinstance(operand, Immediate)
    return f"#{context.values[operand.slot].number & ((1 << bits) - 1):#x}"


def _is_one_chunk(pattern: int) -> bool:
    return any(pattern & ~(0xFFFF << shift) == 0 for shift in (0, 16, 32, 48))


def is_bit_pattern(pattern: int, bits: int) -> bool:
    """Whether a number is a logical immediate of A64.

    That is a run of ones, rotated, in an element of 2, 4, 8, … bits that fills
    the register (Arm Architecture Reference Manual, DecodeBitMasks).
    """
    ones = (1 << bits) - 1
    if pattern in (0, ones):
        return False
    size = bits
    while size > 2:
        half = size // 2
        if pattern & ((1 << half) - 1) != pattern >> half & ((1 << half) - 1):
            break
        size = half
    element = pattern & ((1 << size) - 1)
    if element & 1:     # turn it so that the run does not cross the end
        element ^= (1 << size) - 1
    element //= element & -element
    return element & (element + 1) == 0


@dataclass(frozen=True)
class WidthKind(NumberKind):
    """The width of a bit field that begins at the operand before it."""

    bits: int

    def _most(self, context: Context) -> int:
        before = context.instruction.operands[-2]
        if isinstance(before, Immediate):
            value = context.values[before.slot]
            if value.place is None:
                return self.bits - value.number
        return self.bits

    def fits(self, number: int, context: Context) -> bool:
        return 1 <= number <= self._most(context)

    def describe_allowed(self, context: Context) -> str:
        return f"1 to {self._most(context)}"

    def hint(self, number: int, context: Context) -> str | None:
        return f"the field must end within the {self.bits} bits of the register"

    def examples(self, place: int) -> Sequence[str]:
        return ("#1",)

    def counterexamples(self) -> Sequence[str]:
        return "#0", f"#{self.bits + 1}"


class FloatKind(Kind):
    """What fmov takes: n/16 * 2**r, n 16 to 31, r -3 to 4."""

    wanted = "a floating-point number"

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        number: float
        if isinstance(operand, Float):
            number = float(operand.text)
        elif isinstance(operand, Immediate):
            whole = context.number(operand.slot, operand.start, operand.end)
            if isinstance(whole, Miss):
                return whole
            number = float(whole)
        else:
            return Miss(0, self.wanted, operand.start, operand.end, describe(operand, context))
        if any(abs(number) == n / 16 * 2.0**r for n in range(16, 32) for r in range(-3, 5)):
            return None
        return Miss(
            2, "n/16 times a power of two, n from 16 to 31, 0.125 to 31.0",
            operand.start, operand.end, str(number),
            "0.0 comes from the zero register: fmov d0, xzr" if number == 0 else None,
        )

    def text(self, operand: Operand, context: Context) -> str:
        if isinstance(operand, Immediate):
            return f"#{context.values[operand.slot].number}.0"
        return plain_text(operand, context)

    def examples(self, place: int) -> Sequence[str]:
        return "#1.0", "#2", "#-1.0", "#0.125", "#31.0", "#1.9375"

    def counterexamples(self) -> Sequence[str]:
        return "#0.1", "#32.0", "#0.0"


class FloatZeroKind(Kind):
    wanted = "the number 0.0"

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        if isinstance(operand, Float) and float(operand.text) == 0:
            return None
        return Miss(0, self.wanted, operand.start, operand.end, describe(operand, context))

    def text(self, operand: Operand, context: Context) -> str:
        return "#0.0"

    def examples(self, place: int) -> Sequence[str]:
        return ("#0.0",)

    def counterexamples(self) -> Sequence[str]:
        return ("#1.0",)


# --- shifts and names ------------------------------------------------------


@dataclass(frozen=True)
class ModifierKind(Kind):
    """A shift or an extension of the operand before it."""

    names: tuple[str, ...]
    amounts: tuple[int, ...]
    is_optional: bool = False       # the amount

    @cached_property
    def wanted(self) -> str:  # type: ignore[override]
        names = ", ".join(self.names[:-1]) + (" or " if len(self.names) > 1 else "")
        return f"{names}{self.names[-1]} with {self._amounts}"

    @cached_property
    def _amounts(self) -> str:
        if len(self.amounts) > 5:
            return f"{self.amounts[0]} to {self.amounts[-1]}"
        shown = [str(n) for n in self.amounts]
        return ", ".join(shown[:-1]) + (" or " if len(shown) > 1 else "") + shown[-1]

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        if not isinstance(operand, Modifier):
            return Miss(0, self.wanted, operand.start, operand.end, describe(operand, context))
        if operand.name not in self.names:
            return Miss(1, self.wanted, operand.start, operand.end, f"'{operand.name}'")
        if operand.slot is None:
            if self.is_optional and operand.name != "lsl":
                return None
            return Miss(
                1, f"'{operand.name}' with an amount", operand.start, operand.end,
                f"'{operand.name}' alone", f"as in {operand.name} #{self.amounts[-1]}",
            )
        amount = context.number(operand.slot, operand.start, operand.end)
        if isinstance(amount, Miss):
            return amount
        if amount not in self.amounts:
            return Miss(
                2, f"{operand.name} {self._amounts}", operand.start, operand.end,
                f"{operand.name} #{amount}",
            )
        return None

    def examples(self, place: int) -> Sequence[str]:
        made = [f"{name} #{n}" for name in self.names for n in {self.amounts[0], self.amounts[-1]}]
        if self.is_optional:
            made += [name for name in self.names if name != "lsl"]
        return sorted(made)

    def counterexamples(self) -> Sequence[str]:
        return f"{self.names[0]} #{self.amounts[-1] + 1}", f"{self.names[0]} #-1", "msl #8"


@dataclass(frozen=True)
class WordKind(Kind):
    """One of the names the architecture has at this place."""

    wanted: str
    words: tuple[str, ...]
    is_open: bool = False       # there are more than we list; the encoder knows them
    numbers: tuple[int, int] | None = None      # a number may stand instead

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        if isinstance(operand, Word):
            if operand.text in self.words or self.is_open:
                return None
            hint = did_you_mean(operand.text, self.words)
            return Miss(
                1, self.wanted, operand.start, operand.end, f"'{operand.text}'", hint
            )
        if isinstance(operand, Immediate):
            if self.numbers is not None and not operand.bare:
                number = context.number(operand.slot, operand.start, operand.end)
                if isinstance(number, Miss):
                    return number
                if self.numbers[0] <= number <= self.numbers[1]:
                    return None
                return Miss(
                    2, f"{self.numbers[0]} to {self.numbers[1]}",
                    operand.start, operand.end, str(number),
                )
            if operand.bare:
                hint = did_you_mean(operand.bare.lower(), self.words)
                return Miss(
                    1, self.wanted, operand.start, operand.end, f"'{operand.bare}'", hint
                )
        return Miss(0, self.wanted, operand.start, operand.end, describe(operand, context))

    def examples(self, place: int) -> Sequence[str]:
        made = list(self.words)
        if self.numbers is not None:
            made += [f"#{n}" for n in self.numbers]
        return made

    def counterexamples(self) -> Sequence[str]:
        made = ["x1"] if self.is_open else ["x1", "nonsense"]
        if self.numbers is not None:
            made += [f"#{self.numbers[1] + 1}", "#-1"]
        return made


# --- labels ----------------------------------------------------------------


@dataclass(frozen=True)
class LabelKind(Kind):
    """A place in the code, `bits` of distance in units of `unit` bytes."""

    bits: int
    unit: int
    relocation: RelocationKind | None = None
    wanted = "a label"

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        if not isinstance(operand, Immediate):
            hint = None
            if isinstance(operand, Register):
                hint = "a register cannot be a target here; br and blr jump to one"
            return Miss(
                0, self.wanted, operand.start, operand.end, describe(operand, context), hint
            )
        value = context.values[operand.slot]
        if value.modifier is not None:
            return Miss(
                1, "a label by itself", operand.start, operand.end, f"@{value.modifier}",
                f"@{value.modifier} belongs to "
                + ("adrp" if value.modifier == "PAGE" else "add, ldr and str"),
            )
        distance = context.distance(value)
        if distance is None:
            place_name = value.place.name if value.place is not None else ""
            if value.place is not None and value.place.section is None and (
                place_name.startswith("L") or place_name[0].isdigit()
            ):
                raise unknown(value.place, context.instruction.expressions[operand.slot])
            self._check_elsewhere(operand, value, context)
            return None
        limit = self.unit << (self.bits - 1)
        if distance % self.unit:
            raise Mistake(
                f"the distance to this place is {distance} bytes, not a multiple of {self.unit}",
                operand.start, operand.end,
                "instructions begin at multiples of 4; is there data before the label?",
            )
        if not -limit <= distance < limit:
            raise Mistake(
                f"too far: {distance:+d} bytes, and '{context.instruction.mnemonic}' "
                f"reaches {-limit} to {limit - self.unit}",
                operand.start, operand.end, self._advice(context.instruction.mnemonic),
            )
        return None

    def _check_elsewhere(self, operand: Immediate, value: Value, context: Context) -> None:
        if self.relocation is not None:
            return
        place = value.place
        assert place is not None
        mnemonic = context.instruction.mnemonic
        if place.section is None:
            raise Mistake(
                f"'{place.name}' is not defined in this module, and '{mnemonic}' "
                "cannot reach another one",
                operand.start, operand.end, self._advice(mnemonic),
            )
        raise Mistake(
            f"'{place.name}' is in another section, which '{mnemonic}' cannot reach",
            operand.start, operand.end, self._advice(mnemonic),
        )

    def _advice(self, mnemonic: str) -> str:
        if mnemonic in ("adr", "ldr", "ldrsw", "prfm"):
            return "use adrp with @PAGE, and add or ldr with @PAGEOFF"
        if mnemonic in ("b", "bl"):
            return "load the address and use br or blr"
        return "branch with the opposite condition around a plain b"

    def text(self, operand: Operand, context: Context) -> str:
        assert isinstance(operand, Immediate)
        distance = context.distance(context.values[operand.slot])
        return f"#{distance or 0}"

    def examples(self, place: int) -> Sequence[str]:
        limit = self.unit << (self.bits - 1)
        return f"#{self.unit * 2}", "#0", f"#{limit - self.unit}", f"#-{limit}"

    def counterexamples(self) -> Sequence[str]:
        limit = self.unit << (self.bits - 1)
        return (f"#{limit}", f"#-{limit + self.unit}")


class PageKind(Kind):
    """`symbol@PAGE`, for adrp."""

    wanted = "symbol@PAGE"

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        if isinstance(operand, Immediate):
            value = context.values[operand.slot]
            if value.modifier == "PAGE" and value.place is not None:
                return None
            if value.place is not None:
                name = value.place.name
                return Miss(
                    1, self.wanted, operand.start, operand.end,
                    f"'{operand_text(operand, context)}'", f"write {name}@PAGE",
                )
        return Miss(0, self.wanted, operand.start, operand.end, describe(operand, context))

    def text(self, operand: Operand, context: Context) -> str:
        return "#0"

    def examples(self, place: int) -> Sequence[str]:
        return ()


class PageOffsetKind(Kind):
    """`symbol@PAGEOFF`, the low 12 bits of an address."""

    wanted = "symbol@PAGEOFF"

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        if isinstance(operand, Immediate):
            value = context.values[operand.slot]
            if value.place is not None:
                if value.modifier == "PAGEOFF":
                    return None
                if value.place.section is None and value.modifier is None:
                    return Miss(0, self.wanted, operand.start, operand.end, "")
                return Miss(
                    1, self.wanted, operand.start, operand.end,
                    f"'{operand_text(operand, context)}'", f"write {value.place.name}@PAGEOFF",
                )
        return Miss(0, self.wanted, operand.start, operand.end, describe(operand, context))

    def text(self, operand: Operand, context: Context) -> str:
        return "#0"

    def examples(self, place: int) -> Sequence[str]:
        return ()


def operand_text(operand: Operand, context: Context) -> str:
    """An operand as the reader wrote it."""
    return context.instruction.text[operand.start:operand.end]


# --- memory ----------------------------------------------------------------


@dataclass(frozen=True)
class MemoryKind(Kind):
    """`[base]`, or with one more thing between the brackets, or with `!`."""

    parts: tuple[Kind, ...] = ()
    writeback: bool = False
    base: Kind = field(default_factory=lambda: RegisterKind("x", True))

    @cached_property
    def wanted(self) -> str:  # type: ignore[override]
        return "a memory operand such as [x1]"

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        if not isinstance(operand, Memory):
            return Miss(0, self.wanted, operand.start, operand.end, describe(operand, context))
        wrong = self.base.miss(operand.base, context, place)
        if wrong is not None:
            return Miss(1, wrong.wanted, wrong.start, wrong.end, wrong.found)
        if operand.writeback != self.writeback:
            where = operand.end - 1
            if operand.writeback:
                return Miss(1, "a memory operand without '!'", where, operand.end, "'!'")
            return Miss(1, "a memory operand with '!'", operand.start, operand.end)
        for kind, part in zip(self.parts, operand.parts, strict=False):
            wrong = kind.miss(part, context, place)
            if wrong is not None:
                return wrong._replace(closeness=max(1, wrong.closeness))
        if len(operand.parts) > len(self.parts):
            extra = operand.parts[len(self.parts)]
            return Miss(1, "']'", extra.start, extra.end, describe(extra, context))
        if len(operand.parts) < len(self.parts):
            return Miss(
                1, f"{self.parts[len(operand.parts)].wanted} behind the register",
                operand.start, operand.end, "",
            )
        return None

    def text(self, operand: Operand, context: Context) -> str:
        assert isinstance(operand, Memory)
        inside = [self.base.text(operand.base, context)]
        inside += (k.text(p, context) for k, p in zip(self.parts, operand.parts, strict=True))
        return f"[{', '.join(inside)}]{'!' if self.writeback else ''}"

    def examples(self, place: int) -> Sequence[str]:
        mark = "!" if self.writeback else ""
        if not self.parts:
            return f"[x9]{mark}", f"[sp]{mark}"
        made: list[str] = []
        choices = [kind.examples(9) for kind in self.parts]
        usual = [c[0] for c in choices if c]
        if len(usual) < len(choices):
            return ()
        for n, choice in enumerate(choices):
            for text in choice:
                made.append("[x9, " + ", ".join([*usual[:n], text, *usual[n + 1:]]) + f"]{mark}")
        made.append("[sp, " + ", ".join(usual) + f"]{mark}")
        return made

    def counterexamples(self) -> Sequence[str]:
        mark = "!" if self.writeback else ""
        made = [f"[w9]{mark}"]
        choices = [kind.examples(9) for kind in self.parts]
        if all(choices) and choices:
            usual = [c[0] for c in choices]
            made += (
                "[x9, " + ", ".join([*usual[:-1], text]) + f"]{mark}"
                for text in self.parts[-1].counterexamples()
            )
        return made


@dataclass(frozen=True)
class ListKind(Kind):
    """A list of vector registers."""

    wanted = "a list of vector registers such as {v0.16b}"

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        if isinstance(operand, RegisterList):
            return None
        return Miss(0, self.wanted, operand.start, operand.end, describe(operand, context))

    def examples(self, place: int) -> Sequence[str]:
        return ("{v1.16b}",)


class AnyKind(Kind):
    """Whatever the encoder accepts; only numbers must be numbers."""

    wanted = "another operand"

    def miss(self, operand: Operand, context: Context, place: int) -> Miss | None:
        inner: Sequence[Operand] = (
            (*operand.parts, operand.base) if isinstance(operand, Memory) else (operand,)
        )
        for part in inner:
            slot = None if isinstance(part, Float | Word | Memory) else part.slot
            if slot is not None:
                number = context.number(slot, part.start, part.end)
                if isinstance(number, Miss):
                    return number
        return None

    def examples(self, place: int) -> Sequence[str]:
        return ()


CONDITION: Final = WordKind("a condition (eq, ne, hs, lo, …)", CONDITIONS)
PLAIN_CONDITION: Final = WordKind("a condition (eq, ne, hs, lo, …)", CONDITIONS[:-2])
