"""Check one instruction against the table, and write its final text.

The message for a wrong instruction is made from the form that comes closest:
the one whose operands fit furthest from the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from ymawky_kit.asm.expression import Name, Value
from ymawky_kit.asm.forms import Form, forms_of, rows
from ymawky_kit.asm.kinds import (
    AddKind,
    AnyKind,
    Context,
    Distance,
    LabelKind,
    MemoryKind,
    Miss,
    PageKind,
    PageOffsetKind,
    plain_text,
)
from ymawky_kit.asm.lexer import Mistake
from ymawky_kit.asm.operand import (
    REGISTERS_HINT,
    Immediate,
    Instruction,
    Memory,
    Operand,
    Register,
    Word,
    is_like_a_register,
)
from ymawky_kit.obj import RelocationKind


@dataclass(frozen=True, slots=True)
class Encoding:
    """The text for an encoder, and the field left to the linker, if any."""

    text: str
    relocation: RelocationKind | None = None
    target: Value | None = None


@cache
def mnemonics() -> frozenset[str]:
    """All names of instructions."""
    return frozenset(rows())


@cache
def canonical(name: str) -> str | None:
    """The mnemonic as the table has it, or None when there is none of this name.

    `beq` is another way to write `b.eq`.
    """
    lowered = name.lower()
    known = rows()
    if lowered in known:
        return lowered
    if lowered[:1] == "b" and f"b.{lowered[1:]}" in known:
        return f"b.{lowered[1:]}"
    return None


def check(instruction: Instruction, values: Sequence[Value], distance: Distance) -> Encoding:
    """Find the form that fits.

    `values` belong to the instruction's expressions; `distance` says how far a
    value is from the instruction.  Raises :class:`Mistake` when no form fits
    and Unknown when a symbol that is needed has no definition.
    """
    context = Context(instruction, values, distance)
    misses: list[tuple[int, Miss]] = []
    forms = forms_of(instruction.mnemonic)
    operands = instruction.operands
    for form in forms:
        if len(form) == 1 and isinstance(form[0], AnyKind):
            return _check_any(form[0], context)
        if len(form) != len(operands):
            continue
        for place, (kind, operand) in enumerate(zip(form, operands, strict=True)):
            miss = kind.miss(operand, context, place)
            if miss is not None:
                misses.append((place, miss))
                break
        else:
            _check_registers(instruction)
            return _encoding(form, context)
    raise _wrong_operands(instruction, forms, misses) if misses else _wrong_count(
        instruction, forms
    )


def _check_any(kind: AnyKind, context: Context) -> Encoding:
    instruction = context.instruction
    for place, operand in enumerate(instruction.operands):
        miss = kind.miss(operand, context, place)
        if miss is not None:
            raise _wrong_operands(instruction, (), [(place, miss)])
    texts = (plain_text(operand, context) for operand in instruction.operands)
    return Encoding(f"{instruction.mnemonic} {', '.join(texts)}".rstrip())


def _encoding(form: Form, context: Context) -> Encoding:
    instruction = context.instruction
    mnemonic = instruction.mnemonic
    texts: list[str] = []
    relocation: RelocationKind | None = None
    target: Value | None = None
    for kind, operand in zip(form, instruction.operands, strict=True):
        found = _relocation(kind, operand, context)
        if found is not None:
            relocation, target = found
        if isinstance(kind, AddKind):
            text, mnemonic = _positive(mnemonic, operand, context)
        else:
            text = kind.text(operand, context)
        texts.append(text)
    return Encoding(f"{mnemonic} {', '.join(texts)}".rstrip(), relocation, target)


def _relocation(
    kind: object, operand: Operand, context: Context
) -> tuple[RelocationKind, Value] | None:
    """What an operand leaves to the linker."""
    if isinstance(kind, MemoryKind) and isinstance(operand, Memory):
        for inner, part in zip(kind.parts, operand.parts, strict=True):
            found = _relocation(inner, part, context)
            if found is not None:
                return found
        return None
    if not isinstance(operand, Immediate):
        return None
    value = context.values[operand.slot]
    if isinstance(kind, PageKind):
        return RelocationKind.PAGE21, value
    if isinstance(kind, PageOffsetKind):
        return RelocationKind.PAGEOFF12, value
    if (
        isinstance(kind, LabelKind)
        and kind.relocation is not None
        and context.distance(value) is None
    ):
        return kind.relocation, value
    return None


_OPPOSITE: Final = {
    "add": "sub", "sub": "add", "adds": "subs", "subs": "adds", "cmp": "cmn", "cmn": "cmp",
}


def _positive(mnemonic: str, operand: Operand, context: Context) -> tuple[str, str]:
    """`add x0, x0, #-8` is `sub x0, x0, #8`."""
    assert isinstance(operand, Immediate)
    number = context.values[operand.slot].number
    if number < 0:
        return f"#{-number}", _OPPOSITE[mnemonic]
    return f"#{number}", mnemonic


def _check_registers(instruction: Instruction) -> None:
    """Refuse loads and stores whose registers make the result unpredictable."""
    operands = instruction.operands
    memory = next((o for o in operands if isinstance(o, Memory)), None)
    if memory is None:
        return
    mnemonic = instruction.mnemonic
    position = operands.index(memory)
    transferred = [o for o in operands[:position] if isinstance(o, Register)]
    has_writeback = memory.writeback or position + 1 < len(operands)
    if has_writeback:
        for register in transferred:
            if register.group in "xw" and register.number == memory.base.number != 31:
                raise Mistake(
                    f"'{register.text}' is both moved and changed as the address",
                    register.start, register.end,
                    "what happens then is not defined; use another register",
                )
    if mnemonic in ("ldp", "ldpsw", "ldnp", "ldxp", "ldaxp") and len(transferred) == 2:
        first, second = transferred
        if first.number == second.number:
            raise Mistake(
                "both halves go to the same register", second.start, second.end,
                "what happens then is not defined; use two registers",
            )
    if mnemonic.startswith(("stx", "stlx")):
        status, *rest = transferred
        for register in (*rest, memory.base):
            if register.number == status.number and not register.is_sp:
                raise Mistake(
                    f"'{status.text}' receives the outcome and is used besides",
                    status.start, status.end,
                    "what happens then is not defined; use another register",
                )


# --- messages --------------------------------------------------------------


def _wrong_operands(
    instruction: Instruction, forms: Sequence[Form], misses: Sequence[tuple[int, Miss]]
) -> Mistake:
    furthest = max((place, miss.closeness) for place, miss in misses)
    place, closeness = furthest
    best = [miss for at, miss in misses if (at, miss.closeness) == furthest]
    # Where forms disagree within one operand, the part furthest right is the problem.
    last = max(miss.start for miss in best)
    best = [miss for miss in best if miss.start == last]
    start, end = best[0].start, best[0].end
    # A kind that has advice knows best what is wrong.
    best = [miss for miss in best if miss.hint] or best
    wanted = list(dict.fromkeys(miss.wanted for miss in best))
    hint = next((miss.hint for miss in best if miss.hint), None)
    name = f"operand {place + 1} of '{instruction.mnemonic}'"
    if closeness == 2:
        allowed = "; or ".join(wanted)
        message = f"{best[0].found} is not possible for {name}"
        advice = [f"allowed are {allowed}" if allowed else None, hint]
        return Mistake(message, start, end, "; ".join(a for a in advice if a) or None)
    found = best[0].found
    message = f"{name} must be {_either(wanted)}" + (f", not {found}" if found else "")
    if hint is None and _names_a_strange_register(instruction, place):
        hint = REGISTERS_HINT
    return Mistake(message, start, end, hint)


def _names_a_strange_register(instruction: Instruction, place: int) -> bool:
    operand = instruction.operands[place]
    if not isinstance(operand, Immediate):
        return False
    tree = instruction.expressions[operand.slot]
    return isinstance(tree, Name) and is_like_a_register(tree.name)


def _either(wanted: Sequence[str]) -> str:
    """Several wishes in one phrase, those left out that another one covers."""
    wanted = [w for w in wanted if f"{w} or sp" not in wanted and f"{w} or wsp" not in wanted]
    if {w.partition(" (")[0] for w in wanted} == {"a 64-bit register", "a 32-bit register"}:
        return "a register x0-x30 or w0-w30"
    if len(wanted) > 2 and all("register" in w for w in wanted):
        return "a register"
    if len(wanted) > 3:
        wanted = [*wanted[:3], "something else it allows"]
    return ", ".join(wanted[:-1]) + (" or " if len(wanted) > 1 else "") + wanted[-1]


def _wrong_count(instruction: Instruction, forms: Sequence[Form]) -> Mistake:
    counts = sorted({len(form) for form in forms})
    found = len(instruction.operands)
    shown = " or ".join(str(n) if n else "no" for n in counts[:3])
    if len(counts) > 3:
        shown = f"{counts[0]} to {counts[-1]}"
    noun = "operand" if counts == [1] or counts == [0, 1] else "operands"
    message = f"'{instruction.mnemonic}' takes {shown} {noun}, not {found or 'none'}"
    example = example_of(instruction.mnemonic)
    hint = f"as in {example}" if example else None
    if found > counts[-1]:
        extra = instruction.operands[counts[-1]]
        return Mistake(message, extra.start, instruction.operands[-1].end, hint)
    return Mistake(message, 0, len(instruction.text), hint)


def example_of(mnemonic: str) -> str | None:
    """A correct use of an instruction."""
    for form in forms_of(mnemonic):
        texts = [kind.examples(place) for place, kind in enumerate(form)]
        if form and all(texts):
            return f"{mnemonic} {', '.join(t[0] for t in texts)}"
    return None


def refused(instruction: Instruction) -> Mistake:
    """The message for an instruction whose shapes do not go together."""
    for operand in instruction.operands:
        if isinstance(operand, Word):
            return Mistake(
                f"'{instruction.mnemonic}' does not know '{operand.text}'",
                operand.start, operand.end,
            )
    has_vectors = any(isinstance(o, Register) and o.group == "v" for o in instruction.operands)
    return Mistake(
        f"'{instruction.mnemonic}' does not take these operands together",
        0, len(instruction.text),
        "the shapes of the vectors must go together, as in v0.16b, v1.16b" if has_vectors else None,
    )
