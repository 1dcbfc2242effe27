"""Encoding cards: the 32 bits of one instruction, field by field.

The formats are those of the Arm Architecture Reference Manual (DDI 0487),
chapter C4, as far as the book's sources use them.  The tests rebuild each word
from its fields and compare every operand a card names with Capstone's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ymawky_kit.source import KitError
from ymawky_kit.view.core import View, columns, esc, table, tag
from ymawky_kit.view.listing import code

CONDITIONS: Final = ("eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc",
                     "hi", "ls", "ge", "lt", "gt", "le", "al", "nv")
_SHIFTS: Final = ("lsl", "lsr", "asr", "ror")
_EXTENDS: Final = ("uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx")


@dataclass(frozen=True, slots=True)
class Field:
    """Some neighbouring bits: `high` down to `low`, their value, and what it means."""

    name: str
    high: int
    low: int
    value: int
    meaning: str

    @property
    def width(self) -> int:
        return self.high - self.low + 1

    @property
    def bits(self) -> str:
        return f"{self.value:0{self.width}b}"


@dataclass(frozen=True, slots=True)
class Format:
    """One class of encodings: fixed bits and named fields, from bit 31 down."""

    title: str
    layout: str         # "sf:1 opc:2 =100101 hw:2 imm16:16 Rd:5"
    explain: Callable[[dict[str, int]], dict[str, str]]

    def parts(self) -> list[tuple[str, int, int | None]]:
        """(name, width, fixed value or None) from the top bit down."""
        found: list[tuple[str, int, int | None]] = []
        for part in self.layout.split():
            if part.startswith("="):
                found.append(("fixed", len(part) - 1, int(part[1:], 2)))
            else:
                name, width = part.split(":")
                found.append((name, int(width), None))
        return found

    def matches(self, word: int) -> bool:
        at = 32
        for _, width, fixed in self.parts():
            at -= width
            if fixed is not None and (word >> at) & ((1 << width) - 1) != fixed:
                return False
        return True

    def fields(self, word: int) -> tuple[Field, ...]:
        values: dict[str, int] = {}
        spans: list[tuple[str, int, int, int | None]] = []
        at = 32
        for name, width, fixed in self.parts():
            at -= width
            value = (word >> at) & ((1 << width) - 1)
            if fixed is None:
                values[name] = value
            spans.append((name, at + width - 1, at, fixed))
        meanings = self.explain(values)
        return tuple(
            Field(name, high, low, (word >> low) & ((1 << (high - low + 1)) - 1),
                  "says which kind of instruction this is" if fixed is not None
                  else meanings.get(name, ""))
            for name, high, low, fixed in spans
        )


def signed(value: int, width: int) -> int:
    """A two's complement field as a number."""
    return value - (1 << width) if value >> (width - 1) else value


def bitmask(n: int, imms: int, immr: int, size: int) -> int | None:
    """The immediate of and/orr/eor/ands (DecodeBitMasks); None when reserved."""
    length = ((n << 6) | (~imms & 0x3F)).bit_length() - 1
    if length < 1 or (size == 32 and n):
        return None
    element = 1 << length
    ones, turn = imms & (element - 1), immr & (element - 1)
    if ones == element - 1:
        return None
    pattern = (1 << (ones + 1)) - 1
    pattern = ((pattern >> turn) | (pattern << (element - turn))) & ((1 << element) - 1)
    whole = 0
    for at in range(0, size, element):
        whole |= pattern << at
    return whole


def _x(number: int, sf: int = 1, *, sp: bool = False) -> str:
    if number == 31:
        return ("sp" if sf else "wsp") if sp else ("xzr" if sf else "wzr")
    return f"{'x' if sf else 'w'}{number}"


def _sf(f: dict[str, int]) -> str:
    return "64-bit registers (x)" if f["sf"] else "32-bit registers (w)"


def _move_wide(f: dict[str, int]) -> dict[str, str]:
    return {
        "sf": _sf(f),
        "opc": {0: "movn: write the inverse", 2: "movz: set all other bits to 0",
                3: "movk: keep all other bits"}.get(f["opc"], "reserved"),
        "hw": f"shift the number left by {16 * f['hw']}",
        "imm16": f"the number {f['imm16']}",
        "Rd": f"into {_x(f['Rd'], f['sf'])}",
    }


def _add_immediate(f: dict[str, int]) -> dict[str, str]:
    return {
        "sf": _sf(f),
        "op": "subtract" if f["op"] else "add",
        "S": "set the flags" if f["S"] else "leave the flags alone",
        "sh": "number shifted left by 12" if f["sh"] else "number as it is",
        "imm12": f"the number {f['imm12']}",
        "Rn": f"from {_x(f['Rn'], f['sf'], sp=True)}",
        "Rd": f"into {_x(f['Rd'], f['sf'], sp=not f['S'])}",
    }


_LOGIC: Final = ("and", "orr", "eor", "ands")


def _logical_immediate(f: dict[str, int]) -> dict[str, str]:
    mask = bitmask(f["N"], f["imms"], f["immr"], 64 if f["sf"] else 32)
    shown = "reserved" if mask is None else f"the mask 0x{mask:x}"
    return {
        "sf": _sf(f),
        "opc": _LOGIC[f["opc"]],
        "N": "with imms: how long the repeated pattern is",
        "immr": f"turn the pattern right by {f['immr']}",
        "imms": f"how many ones: {shown}",
        "Rn": f"from {_x(f['Rn'], f['sf'])}",
        "Rd": f"into {_x(f['Rd'], f['sf'], sp=f['opc'] != 3)}",
    }


def _bitfield(f: dict[str, int]) -> dict[str, str]:
    return {
        "sf": _sf(f),
        "opc": ("sbfm: copy bits, repeat the sign", "bfm: copy bits, keep the rest",
                "ubfm: copy bits, zero the rest", "reserved")[f["opc"]],
        "N": "equals sf",
        "immr": f"turn right by {f['immr']}",
        "imms": f"up to bit {f['imms']}",
        "Rn": f"from {_x(f['Rn'], f['sf'])}",
        "Rd": f"into {_x(f['Rd'], f['sf'])}",
    }


def _pc_relative(f: dict[str, int]) -> dict[str, str]:
    away = signed(f["immhi"] << 2 | f["immlo"], 21)
    what = f"{away} pages of 4096 bytes away" if f["op"] else f"{away} bytes away"
    return {
        "op": "adrp: a page" if f["op"] else "adr: a byte",
        "immlo": "the two low bits of the distance",
        "immhi": f"the other 19 bits: {what}",
        "Rd": f"into {_x(f['Rd'])}",
    }


def _logical_shifted(f: dict[str, int]) -> dict[str, str]:
    return {
        "sf": _sf(f),
        "opc": _LOGIC[f["opc"]],
        "shift": _SHIFTS[f["shift"]],
        "N": "invert the second operand" if f["N"] else "second operand as it is",
        "Rm": f"second operand {_x(f['Rm'], f['sf'])}",
        "imm6": f"shifted by {f['imm6']}",
        "Rn": f"first operand {_x(f['Rn'], f['sf'])}",
        "Rd": f"into {_x(f['Rd'], f['sf'])}",
    }


def _add_shifted(f: dict[str, int]) -> dict[str, str]:
    return {
        "sf": _sf(f),
        "op": "subtract" if f["op"] else "add",
        "S": "set the flags" if f["S"] else "leave the flags alone",
        "shift": _SHIFTS[f["shift"]] if f["shift"] < 3 else "reserved",
        "Rm": f"second operand {_x(f['Rm'], f['sf'])}",
        "imm6": f"shifted by {f['imm6']}",
        "Rn": f"first operand {_x(f['Rn'], f['sf'])}",
        "Rd": f"into {_x(f['Rd'], f['sf'])}",
    }


def _add_extended(f: dict[str, int]) -> dict[str, str]:
    wide = f["sf"] and f["option"] & 3 == 3
    return {
        "sf": _sf(f),
        "op": "subtract" if f["op"] else "add",
        "S": "set the flags" if f["S"] else "leave the flags alone",
        "Rm": f"second operand {_x(f['Rm'], int(wide))}",
        "option": f"{_EXTENDS[f['option']]}: how it is widened",
        "imm3": f"then shifted left by {f['imm3']}",
        "Rn": f"first operand {_x(f['Rn'], f['sf'], sp=True)}",
        "Rd": f"into {_x(f['Rd'], f['sf'], sp=not f['S'])}",
    }


def _add_carry(f: dict[str, int]) -> dict[str, str]:
    return {
        "sf": _sf(f),
        "op": "subtract, with borrow" if f["op"] else "add, with carry",
        "S": "set the flags" if f["S"] else "leave the flags alone",
        "Rm": f"second operand {_x(f['Rm'], f['sf'])}",
        "Rn": f"first operand {_x(f['Rn'], f['sf'])}",
        "Rd": f"into {_x(f['Rd'], f['sf'])}",
    }


def _select(f: dict[str, int]) -> dict[str, str]:
    kinds = {(0, 0): "csel", (0, 1): "csinc: plus one", (1, 0): "csinv: inverted",
             (1, 1): "csneg: negated"}
    kind = kinds.get((f["op"], f["op2"]), "reserved")
    return {
        "sf": _sf(f),
        "op": kind,
        "S": "always 0",
        "Rm": f"otherwise from {_x(f['Rm'], f['sf'])}",
        "cond": f"if {CONDITIONS[f['cond']]}",
        "op2": "with op: which of the four",
        "Rn": f"then from {_x(f['Rn'], f['sf'])}",
        "Rd": f"into {_x(f['Rd'], f['sf'])}",
    }


def _compare_if(f: dict[str, int]) -> dict[str, str]:
    number = "" if f["i"] else _x(f["imm5"], f["sf"])
    shown = "".join(c if f["nzcv"] & (8 >> n) else "-" for n, c in enumerate("NZCV"))
    return {
        "sf": _sf(f),
        "op": "ccmp: subtract" if f["op"] else "ccmn: add",
        "imm5": f"compare with the number {f['imm5']}" if f["i"] else f"compare with {number}",
        "cond": f"only if {CONDITIONS[f['cond']]}",
        "i": "a number" if f["i"] else "a register",
        "Rn": f"compare {_x(f['Rn'], f['sf'])}",
        "nzcv": f"else set the flags to {shown} ({f['nzcv']})",
    }


def _two_source(f: dict[str, int]) -> dict[str, str]:
    names = {2: "udiv", 3: "sdiv", 8: "lsl", 9: "lsr", 10: "asr", 11: "ror"}
    if f["opcode"] not in names:    # checksums, whose registers have other sizes
        return {"sf": _sf(f), "opcode": "another operation"}
    return {
        "sf": _sf(f),
        "Rm": f"second operand {_x(f['Rm'], f['sf'])}",
        "opcode": names[f["opcode"]],
        "Rn": f"first operand {_x(f['Rn'], f['sf'])}",
        "Rd": f"into {_x(f['Rd'], f['sf'])}",
    }


def _one_source(f: dict[str, int]) -> dict[str, str]:
    names = {0: "rbit", 1: "rev16", 2: "rev32" if f["sf"] else "rev", 3: "rev", 4: "clz",
             5: "cls"}
    return {
        "sf": _sf(f),
        "opcode": names.get(f["opcode"], "another operation"),
        "Rn": f"from {_x(f['Rn'], f['sf'])}",
        "Rd": f"into {_x(f['Rd'], f['sf'])}",
    }


def _three_source(f: dict[str, int]) -> dict[str, str]:
    long = f["op31"] in (1, 5)      # smaddl and umaddl multiply 32-bit registers
    kinds = {(0, 0): "madd: multiply and add", (0, 1): "msub: multiply and subtract",
             (1, 0): "smaddl", (1, 1): "smsubl", (2, 0): "smulh: the high half",
             (5, 0): "umaddl", (5, 1): "umsubl", (6, 0): "umulh: the high half, unsigned"}
    small = 0 if long else f["sf"]
    return {
        "sf": _sf(f),
        "op31": kinds.get((f["op31"], f["o0"]), "reserved"),
        "Rm": f"times {_x(f['Rm'], small)}",
        "o0": "subtract" if f["o0"] else "add",
        "Ra": "not used" if f["op31"] in (2, 6) else f"plus or minus {_x(f['Ra'], f['sf'])}",
        "Rn": f"first factor {_x(f['Rn'], small)}",
        "Rd": f"into {_x(f['Rd'], f['sf'])}",
    }


def _away(value: int, width: int) -> str:
    distance = signed(value, width)
    return f"{distance} instructions away: {distance * 4} bytes"


def _branch(f: dict[str, int]) -> dict[str, str]:
    return {"op": "bl: remember the way back in x30" if f["op"] else "b: just go",
            "imm26": _away(f["imm26"], 26)}


def _compare_branch(f: dict[str, int]) -> dict[str, str]:
    return {"sf": _sf(f), "op": "cbnz: if not zero" if f["op"] else "cbz: if zero",
            "imm19": _away(f["imm19"], 19), "Rt": f"look at {_x(f['Rt'], f['sf'])}"}


def _test_branch(f: dict[str, int]) -> dict[str, str]:
    bit = f["b5"] << 5 | f["b40"]
    return {"b5": "the top bit of the bit's number",
            "op": "tbnz: if it is 1" if f["op"] else "tbz: if it is 0",
            "b40": f"look at bit {bit}", "imm14": _away(f["imm14"], 14),
            "Rt": f"of {_x(f['Rt'], f['b5'])}"}


def _branch_if(f: dict[str, int]) -> dict[str, str]:
    return {"imm19": _away(f["imm19"], 19), "cond": f"if {CONDITIONS[f['cond']]}"}


def _branch_register(f: dict[str, int]) -> dict[str, str]:
    return {"opc": {0: "br: just go", 1: "blr: remember the way back", 2: "ret: go back"}.get(
        f["opc"], "another branch"), "Rn": f"to the address in {_x(f['Rn'])}"}


def _exception(f: dict[str, int]) -> dict[str, str]:
    kinds = {(0, 1): "svc: call the kernel", (1, 0): "brk: a breakpoint"}
    return {"opc": kinds.get((f["opc"], f["LL"]), "another exception"),
            "imm16": f"the number 0x{f['imm16']:x}, which macOS does not look at"
            if (f["opc"], f["LL"]) == (0, 1) else f"the number 0x{f['imm16']:x}",
            "LL": "with opc: which exception"}


def _hint(f: dict[str, int]) -> dict[str, str]:
    number = f["CRm"] << 3 | f["op2"]
    names = {0: "nop: do nothing", 25: "paciasp", 34: "bti c"}
    return {"CRm": f"hint number {number}", "op2": names.get(number, "another hint")}


def _access(size: int, vector: int, opc: int) -> tuple[str, int, int] | None:
    """Name, bytes moved, 64-bit register or not; None for vector registers and prefetch."""
    if vector or (size == 3 and opc > 1) or (size == 2 and opc == 3):
        return None
    move = 1 << size
    if opc == 0:
        return "store", move, int(size == 3)
    if opc == 1:
        return "load", move, int(size == 3)
    return "load, repeat the sign", move, int(opc == 2)


def _memory(f: dict[str, int]) -> tuple[dict[str, str], int]:
    kind = _access(f["size"], f["V"], f["opc"])
    if kind is None:
        return {"size": "vector register or prefetch", "V": "vector registers"
                if f["V"] else "general registers", "opc": "which", "Rt": f"register {f['Rt']}"
                }, 1 << f["size"]
    name, move, sf = kind
    return {
        "size": f"{move} byte{'s' if move > 1 else ''}",
        "V": "general registers, not vector ones",
        "opc": name,
        "Rn": f"address in {_x(f['Rn'], sp=True)}",
        "Rt": f"{'from' if name == 'store' else 'into'} {_x(f['Rt'], sf)}",
    }, move


def _memory_scaled(f: dict[str, int]) -> dict[str, str]:
    said, move = _memory(f)
    said["imm12"] = f"plus {f['imm12']} × {move} = {f['imm12'] * move}"
    return said


def _memory_moving(f: dict[str, int]) -> dict[str, str]:
    said, _ = _memory(f)
    said["imm9"] = f"distance {signed(f['imm9'], 9)}"
    said["mode"] = ("address plus distance", "then add the distance to the address register",
                    "unprivileged", "first add the distance to the address register")[f["mode"]]
    return said


def _memory_register(f: dict[str, int]) -> dict[str, str]:
    said, move = _memory(f)
    wide = f["option"] & 1
    said["Rm"] = f"plus {_x(f['Rm'], wide)}"
    said["option"] = {2: "uxtw: 32 bits, zero-extended", 3: "lsl: all 64 bits",
                      6: "sxtw: 32 bits, sign-extended", 7: "sxtx"}.get(f["option"], "reserved")
    said["S"] = f"times {move}" if f["S"] else "as it is"
    return said


def _pair(f: dict[str, int]) -> dict[str, str]:
    sf = int(f["opc"] != 0)         # ldpsw fills 64-bit registers
    move = 8 if f["opc"] == 2 else 4
    distance = signed(f["imm7"], 7)
    if f["V"]:
        return {"opc": "vector registers", "V": "vector registers",
                "Rn": f"address in {_x(f['Rn'], sp=True)}"}
    return {
        "opc": f"two registers of {move} bytes" if f["opc"] != 1 else "two signed words",
        "V": "general registers, not vector ones",
        "mode": {0: "no-allocate", 1: "then add the distance to the address register",
                 2: "address plus distance", 3: "first add the distance to the address register"
                 }[f["mode"]],
        "L": "load" if f["L"] else "store",
        "imm7": f"distance {distance} × {move} = {distance * move}",
        "Rt2": f"second register {_x(f['Rt2'], sf)}",
        "Rn": f"address in {_x(f['Rn'], sp=True)}",
        "Rt": f"first register {_x(f['Rt'], sf)}",
    }


def _literal(f: dict[str, int]) -> dict[str, str]:
    return {"opc": ("4 bytes", "8 bytes", "4 bytes, sign repeated", "prefetch")[f["opc"]],
            "V": "vector registers" if f["V"] else "general registers",
            "imm19": _away(f["imm19"], 19), "Rt": f"into {_x(f['Rt'], int(f['opc'] != 0))}"}


def _structure(f: dict[str, int]) -> dict[str, str]:
    return {
        "Q": "16 bytes a register" if f["Q"] else "8 bytes a register",
        "opcode": "load or store, how many registers, how they are filled",
        "Rn": f"address in {_x(f['Rn'], sp=True)}",
        "Rt": f"first register v{f['Rt']}",
    }


def _vector(f: dict[str, int]) -> dict[str, str]:
    return {
        "top": "which kind of vector, how long",
        "opcode": "which operation on many numbers at once",
        "Rn": f"from register number {f['Rn']}",
        "Rd": f"into register number {f['Rd']}",
    }


FORMATS: Final = (
    Format("hint", "=11010101000000110010 CRm:4 op2:3 =11111", _hint),
    Format("move wide (a number into a register)",
           "sf:1 opc:2 =100101 hw:2 imm16:16 Rd:5", _move_wide),
    Format("add or subtract a number",
           "sf:1 op:1 S:1 =100010 sh:1 imm12:12 Rn:5 Rd:5", _add_immediate),
    Format("logic with a mask",
           "sf:1 opc:2 =100100 N:1 immr:6 imms:6 Rn:5 Rd:5", _logical_immediate),
    Format("bit field", "sf:1 opc:2 =100110 N:1 immr:6 imms:6 Rn:5 Rd:5", _bitfield),
    Format("address relative to pc", "op:1 immlo:2 =10000 immhi:19 Rd:5", _pc_relative),
    Format("logic with a register",
           "sf:1 opc:2 =01010 shift:2 N:1 Rm:5 imm6:6 Rn:5 Rd:5", _logical_shifted),
    Format("add or subtract a register",
           "sf:1 op:1 S:1 =01011 shift:2 =0 Rm:5 imm6:6 Rn:5 Rd:5", _add_shifted),
    Format("add or subtract a register, widened",
           "sf:1 op:1 S:1 =01011001 Rm:5 option:3 imm3:3 Rn:5 Rd:5", _add_extended),
    Format("add or subtract with carry",
           "sf:1 op:1 S:1 =11010000 Rm:5 =000000 Rn:5 Rd:5", _add_carry),
    Format("conditional select",
           "sf:1 op:1 S:1 =11010100 Rm:5 cond:4 op2:2 Rn:5 Rd:5", _select),
    Format("conditional compare",
           "sf:1 op:1 =111010010 imm5:5 cond:4 i:1 =0 Rn:5 =0 nzcv:4", _compare_if),
    Format("two operands", "sf:1 =0011010110 Rm:5 opcode:6 Rn:5 Rd:5", _two_source),
    Format("one operand", "sf:1 =101101011000000 opcode:6 Rn:5 Rd:5", _one_source),
    Format("multiply", "sf:1 =0011011 op31:3 Rm:5 o0:1 Ra:5 Rn:5 Rd:5", _three_source),
    Format("branch", "op:1 =00101 imm26:26", _branch),
    Format("branch if a register is zero", "sf:1 =011010 op:1 imm19:19 Rt:5", _compare_branch),
    Format("branch if a bit is set", "b5:1 =011011 op:1 b40:5 imm14:14 Rt:5", _test_branch),
    Format("branch on flags", "=01010100 imm19:19 =0 cond:4", _branch_if),
    Format("branch to a register", "=1101011 opc:4 =11111000000 Rn:5 =00000", _branch_register),
    Format("exception", "=11010100 opc:3 imm16:16 =000 LL:2", _exception),
    Format("load or store, number of units away",
           "size:2 =111 V:1 =01 opc:2 imm12:12 Rn:5 Rt:5", _memory_scaled),
    Format("load or store, register away",
           "size:2 =111 V:1 =00 opc:2 =1 Rm:5 option:3 S:1 =10 Rn:5 Rt:5", _memory_register),
    Format("load or store, bytes away",
           "size:2 =111 V:1 =00 opc:2 =0 imm9:9 mode:2 Rn:5 Rt:5", _memory_moving),
    Format("load or store two", "opc:2 =101 V:1 =0 mode:2 L:1 imm7:7 Rt2:5 Rn:5 Rt:5", _pair),
    Format("load from nearby code", "opc:2 =011 V:1 =00 imm19:19 Rt:5", _literal),
    # Vectors: the book uses a handful, and explains them where it does.
    Format("vector operation", "top:3 =0111 opcode:15 Rn:5 Rd:5", _vector),
    Format("vector or floating-point operation", "top:3 =1111 opcode:15 Rn:5 Rd:5", _vector),
    Format("load or store of whole vectors", "=0 Q:1 =0011 opcode:16 Rn:5 Rt:5", _structure),
)


class EncodingCard(View):
    """The bits of one instruction; raises :class:`KitError` for a word it cannot explain."""

    def __init__(self, word: int, text: str) -> None:
        form = next((f for f in FORMATS if f.matches(word)), None)
        if form is None:
            raise KitError.of(f"there is no encoding card for 0x{word:08x} ({text})",
                              hint="cards exist for the instructions that the book uses")
        self.word = word
        self.instruction = text
        self.title = form.title
        self.fields = form.fields(word)

    def _heading(self) -> str:
        little = self.word.to_bytes(4, "little").hex(" ")
        return f"{self.instruction}   =   0x{self.word:08x}   (in memory: {little})"

    def text(self) -> str:
        lines = [self._heading(), self.title, "  " + " ".join(f.bits for f in self.fields)]
        rows = [[f"{f.high}-{f.low}" if f.high != f.low else f"{f.high}", f.name, f.bits,
                 f.meaning] for f in self.fields]
        return "\n".join([*lines, *("  " + line for line in columns(rows))])

    def html(self) -> str:
        boxes = []
        for n, f in enumerate(self.fields):
            kind = "yk-fixed" if f.name == "fixed" else f"yk-m{n % 6}"
            boxes.append(tag("span", tag("b", f.bits), tag("small", esc(f.name)),
                             class_=f"yk-field {kind}"))
        rows = [[
            tag("td", esc(f"{f.high}–{f.low}" if f.high != f.low else f.high)),
            tag("td", tag("code", esc(f.name))), tag("td", tag("code", f.bits)),
            tag("td", esc(f.meaning)),
        ] for f in self.fields]
        little = self.word.to_bytes(4, "little").hex(" ")
        return tag(
            "div",
            tag("p", code(self.instruction), " = ", tag("code", f"0x{self.word:08x}"),
                ", in memory ", tag("code", little), class_="yk-title"),
            tag("div", *boxes, class_="yk-bits", role="img",
                aria_label=" ".join(f.bits for f in self.fields)),
            table(["bits", "field", "value", "what it means"], rows, caption=self.title),
            class_="yk yk-card",
        )


def explain(data: bytes) -> str | None:
    """The fields of the instruction that these 4 bytes are, as text; None if they are none."""
    if len(data) != 4:
        return None
    word = int.from_bytes(data, "little")
    form = next((f for f in FORMATS if f.matches(word)), None)
    if form is None:
        return None
    rows = [[f.bits, f.name, "" if f.name == "fixed" else f.meaning] for f in form.fields(word)]
    return "\n".join([form.title, *columns(rows)])
