"""Which operands an instruction takes, and its final text for an encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ymawky_kit.asm.expression import Value
from ymawky_kit.asm.lexer import Mistake
from ymawky_kit.asm.operand import (
    Float, Immediate, Instruction, Memory, Modifier, Operand, Register, RegisterList, Word,
)
from ymawky_kit.obj import RelocationKind

CONDS = "eq ne cs hs cc lo mi pl vs vc hi ls ge lt gt le al nv".split()
MNEMONICS: Final = frozenset(
    """adc adcs add adds adr adrp and ands asr asrv b bfc bfi bfm bfxil bic bics bl blr br brk
    cbnz cbz ccmn ccmp cinc cinv clrex cls clz cmn cmp cneg crc32b crc32h crc32w crc32x crc32cb
    crc32ch crc32cw crc32cx csel cset csetm csinc csinv csneg dc dmb dsb eon eor eret extr hint hlt
    hvc ic isb ldar ldarb ldarh ldaxp ldaxr ldaxrb ldaxrh ldnp ldp ldpsw ldr ldrb ldrh ldrsb ldrsh
    ldrsw ldtr ldur ldurb ldurh ldursb ldursh ldursw ldxp ldxr ldxrb ldxrh lsl lslv lsr lsrv madd
    mneg mov movi movk movn movz mrs msr msub mul mvn neg negs ngc ngcs nop orn orr prfm prfum rbit
    ret rev rev16 rev32 rev64 ror rorv sbc sbcs sbfiz sbfm sbfx sdiv sev sevl smaddl smnegl smsubl
    smulh smull stlr stlrb stlrh stlxp stlxr stlxrb stlxrh stnp stp str strb strh stur sturb sturh
    stxp stxr stxrb stxrh sub subs svc sxtb sxth sxtw tbnz tbz tst ubfiz ubfm ubfx udiv umaddl
    umnegl umsubl umulh umull uxtb uxth uxtw wfe wfi yield fmov fadd fsub fmul fdiv scvtf ucvtf
    fcvtzs fcvtzu fcmp ld1 st1 cmeq cmhi cmhs addv umaxv uminv shrn dup umov ins uaddlv cnt
    """.split()
) | {f"b.{c}" for c in CONDS}

#: Place of the label operand and how many bits of offset there are, in units of 4 bytes.
_BRANCHES: Final = {
    "b": (0, 26), "bl": (0, 26), "cbz": (1, 19), "cbnz": (1, 19), "tbz": (2, 14), "tbnz": (2, 14),
    **{f"b.{c}": (0, 19) for c in CONDS},
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """The text for an encoder, and the field left for the linker, if any."""

    text: str
    relocation: RelocationKind | None = None
    target: Value | None = None


Distance = Callable[[Value], int | None]


def check(instruction: Instruction, values: Sequence[Value], distance: Distance) -> Encoding:
    mnemonic = instruction.mnemonic
    relocation: RelocationKind | None = None
    target: Value | None = None
    label = _BRANCHES.get(mnemonic)
    if mnemonic in ("adr", "ldr", "ldrsw") and len(instruction.operands) == 2 and isinstance(
        instruction.operands[1], Immediate
    ):
        label = (1, 21 if mnemonic == "adr" else 19)
    texts: list[str] = []
    for place, operand in enumerate(instruction.operands):
        if label and place == label[0] and isinstance(operand, Immediate):
            value = values[operand.slot]
            offset = distance(value)
            if offset is None:
                if mnemonic not in ("b", "bl"):
                    name = value.place.name if value.place else "?"
                    raise Mistake(f"'{name}' is not defined here", operand.start, operand.end)
                relocation, target, offset = RelocationKind.BRANCH26, value, 0
            unit = 1 if mnemonic == "adr" else 4
            limit = unit << (label[1] - 1)
            if not -limit <= offset < limit or offset % unit:
                raise Mistake("out of range", operand.start, operand.end)
            texts.append(f"#{offset}")
            continue
        if mnemonic == "adrp" and place == 1 and isinstance(operand, Immediate):
            relocation, target = RelocationKind.PAGE21, values[operand.slot]
            texts.append("#0")
            continue
        inner = operand.parts if isinstance(operand, Memory) else (operand,)
        for part in inner:
            if isinstance(part, Immediate) and values[part.slot].modifier == "PAGEOFF":
                relocation, target = RelocationKind.PAGEOFF12, values[part.slot]
        texts.append(_text(operand, values))
    return Encoding(f"{mnemonic} {', '.join(texts)}".strip(), relocation, target)


def _text(operand: Operand, values: Sequence[Value]) -> str:
    match operand:
        case Register():
            return operand.text + _index(operand.slot, values)
        case Immediate():
            value = values[operand.slot]
            if value.modifier == "PAGEOFF":
                return "#0"
            if value.place is not None:
                raise Mistake(f"'{value.place.name}' is not a number", operand.start, operand.end)
            return f"#{value.number}"
        case Float() | Word():
            return operand.text if isinstance(operand, Word) else f"#{operand.text}"
        case Modifier():
            if operand.slot is None:
                return operand.name
            return f"{operand.name} #{values[operand.slot].number}"
        case Memory():
            inside = ", ".join((operand.base.text, *(_text(p, values) for p in operand.parts)))
            return f"[{inside}]{'!' if operand.writeback else ''}"
        case RegisterList():
            inside = ", ".join(r.text for r in operand.registers)
            return f"{{{inside}}}{_index(operand.slot, values)}"


def _index(slot: int | None, values: Sequence[Value]) -> str:
    return "" if slot is None else f"[{values[slot].number}]"


def canonical(name: str) -> str | None:
    """The mnemonic as the table knows it, or None when there is none of this name."""
    lowered = name.lower()
    if lowered in MNEMONICS:
        return lowered
    if lowered[:1] == "b" and f"b.{lowered[1:]}" in MNEMONICS:
        return f"b.{lowered[1:]}"
    return None


def refused(instruction: Instruction) -> Mistake:
    """The message for what an encoder refuses."""
    return Mistake(
        f"wrong operands for '{instruction.mnemonic}'", 0, len(instruction.text)
    )
