"""The instructions we know and the operands each may have.

One line a group of mnemonics: names, then forms separated by `|`, each a row
of operand kinds.  The notation:

    X W            a 64-bit or 32-bit register, number 31 being zero
    Xs Ws          the same, number 31 being sp
    R Rs           a form each with X and W in all these places
    B H S D Q      a scalar floating-point register;  F: a form each with S and D
    V  V.16b,8b    a vector register of any, or of these shapes;  VF: of 2s, 4s or 2d
    E  E.bh        an element of a vector register
    {}             a list of vector registers
    #1..8  #0..504/8                  numbers, and each 8th of them
    #add #logic #wide #amount #width #float #zero       special sets of numbers
    shift rotate lsl(0,12) extX extW ext                shifts and extensions
    extX?          the same, or nothing
    [Xs] [Xs,#0..63] [Xs,#0..63]!     memory;  [n] stands for all ways to
                                      address n bytes
    cond label26 label19 label14 adr page pageoff …     names and places
    *              any operands that the encoder takes

Sources: Arm Architecture Reference Manual, C6 and C7; every row is compared
with LLVM in the tests.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from ymawky_kit.asm.kinds import (
    CONDITION,
    PLAIN_CONDITION,
    AddKind,
    AnyKind,
    ElementKind,
    FloatKind,
    FloatZeroKind,
    Kind,
    LabelKind,
    ListKind,
    LogicalKind,
    MemoryKind,
    ModifierKind,
    PageKind,
    PageOffsetKind,
    RangeKind,
    RegisterKind,
    VectorKind,
    WideKind,
    WidthKind,
    WordKind,
)
from ymawky_kit.asm.operand import CONDITIONS
from ymawky_kit.obj import RelocationKind

Form = tuple[Kind, ...]

_TABLE: Final = """
# --- arithmetic
add sub:           Rs Rs #add | Rs Rs #0..4095 lsl(0,12) | X Xs pageoff | R R R | R R R shift
                   | Xs Xs X extX? | Xs Xs W extW | Ws Ws W ext?
adds subs:         R Rs #add | R Rs #0..4095 lsl(0,12) | R R R | R R R shift
                   | X Xs X extX? | X Xs W extW | W Ws W ext?
cmp cmn:           Rs #add | Rs #0..4095 lsl(0,12) | R R | R R shift
                   | Xs X extX? | Xs W extW | Ws W ext?
neg negs:          R R | R R shift
adc adcs sbc sbcs: R R R
ngc ngcs:          R R
madd msub:         R R R R
mul mneg:          R R R
smaddl smsubl umaddl umsubl:    X W W X
smull umull smnegl umnegl:      X W W
smulh umulh:       X X X
sdiv udiv:         R R R
# --- bits
and orr eor:       Rs R #logic | R R R | R R R rotate
ands:              R R #logic | R R R | R R R rotate
tst:               R #logic | R R | R R rotate
bic eon orn:       Rs R #logic | R R R | R R R rotate
bics:              R R #logic | R R R | R R R rotate
mvn:               R R | R R rotate
lsl lsr asr ror:   R R R | R R #amount
lslv lsrv asrv rorv:            R R R
extr:              R R R #amount
bfi bfxil sbfiz sbfx ubfiz ubfx:  R R #amount #width
bfc:               R #amount #width
bfm sbfm ubfm:     R R #amount #amount
cls clz rbit rev16 rev:         R R
rev32:             X X
sxtb sxth:         R W | X X
sxtw uxtw:         X W | X X
uxtb uxth:         R W
crc32b crc32h crc32w crc32cb crc32ch crc32cw:   W W W
crc32x crc32cx:    W W X
# --- moves
mov:               R R | Rs Rs | R #wide | Rs #logic
movz movn movk:    R #0..65535 | X #0..65535 lsl(0,16,32,48) | W #0..65535 lsl(0,16)
# --- conditions
csel csinc csinv csneg:         R R R cond
cset csetm:        R plaincond
cinc cinv cneg:    R R plaincond
ccmp ccmn:         R R #0..15 cond | R #0..31 #0..15 cond
# --- branches
b bl:              label26
bcond:             label19
cbz cbnz:          R label19
tbz tbnz:          X #0..63 label14 | W #0..31 label14
br blr:            X
ret:               | X
eret nop yield wfe wfi sev sevl:
adr:               X adr
adrp:              X page
# --- system
svc hvc smc brk hlt:            #0..65535
hint:              #0..127
clrex:             | #0..15
dmb dsb:           barrier
isb:               | isbarrier
mrs:               X system
msr:               system X | pstate #0..15
ic:                icall | icone X
dc:                dcop X
at:                atop X
tlbi:              tlball | tlbone X
csdb esb xpaclri pacia1716 pacib1716 autia1716 autib1716 paciaz paciasp pacibz pacibsp
autiaz autiasp autibz autibsp dgh:
bti:               | btitarget
# --- loads and stores
ldr:               X [8] | W [4] | Q [16] | D [8] | S [4] | H [2] | B [1]
                   | X label19 | W label19 | Q label19 | D label19 | S label19
str:               X [8] | W [4] | Q [16] | D [8] | S [4] | H [2] | B [1]
ldrb strb:         W [1]
ldrh strh:         W [2]
ldrsb:             R [1]
ldrsh:             R [2]
ldrsw:             X [4] | X label19
ldur stur:         R [Xs] | R [Xs,#-256..255] | Q [Xs] | Q [Xs,#-256..255]
                   | D [Xs] | D [Xs,#-256..255] | S [Xs] | S [Xs,#-256..255]
                   | H [Xs] | H [Xs,#-256..255] | B [Xs] | B [Xs,#-256..255]
ldurb sturb ldurh sturh:        W [Xs] | W [Xs,#-256..255]
ldursb ldursh:     R [Xs] | R [Xs,#-256..255]
ldursw:            X [Xs] | X [Xs,#-256..255]
ldtr sttr:         R [Xs] | R [Xs,#-256..255]
ldtrb sttrb ldtrh sttrh:        W [Xs] | W [Xs,#-256..255]
ldtrsb ldtrsh:     R [Xs] | R [Xs,#-256..255]
ldtrsw:            X [Xs] | X [Xs,#-256..255]
ldp stp:           X X [2x8] | W W [2x4] | Q Q [2x16] | D D [2x8] | S S [2x4]
ldpsw:             X X [2x4]
ldnp stnp:         X X [Xs] | X X [Xs,#-512..504/8] | W W [Xs] | W W [Xs,#-256..252/4]
                   | Q Q [Xs] | Q Q [Xs,#-1024..1008/16] | D D [Xs,#-512..504/8]
                   | S S [Xs,#-256..252/4]
ldar stlr ldxr ldaxr:           R [Xs]
ldarb stlrb ldarh stlrh ldxrb ldaxrb ldxrh ldaxrh:      W [Xs]
stxr stlxr:        W R [Xs]
stxrb stlxrb stxrh stlxrh:      W W [Xs]
ldxp ldaxp:        R R [Xs]
stxp stlxp:        W R R [Xs]
prfm:              prefetch [Xs] | prefetch [Xs,#0..32760/8] | prefetch [Xs,X]
                   | prefetch [Xs,X,lsl(0,3)] | prefetch label19
prfum:             prefetch [Xs] | prefetch [Xs,#-256..255]
# --- floating point
fmov:              F F | S W | W S | D X | X D | F #float | VF #float | E.d X | X E.d
fadd fsub fmul fdiv fmax fmin fmaxnm fminnm fabd:       F F F | VF VF VF
fnmul:             F F F
fmadd fmsub fnmadd fnmsub:      F F F F
fabs fneg fsqrt frinta frinti frintm frintn frintp frintx frintz:       F F | VF VF
fcmp fcmpe:        F F | F #zero
fccmp fccmpe:      F F #0..15 cond
fcsel:             F F F cond
fcvt:              S D | D S | H S | S H | H D | D H
fcvtas fcvtau fcvtms fcvtmu fcvtns fcvtnu fcvtps fcvtpu:  R F | F F
fcvtzs fcvtzu:     R F | F F | X F #1..64 | W F #1..32 | S S #1..32 | D D #1..64
scvtf ucvtf:       F R | F F | F X #1..64 | F W #1..32 | S S #1..32 | D D #1..64
# --- vectors: shapes are left to the encoder
abs addhn addhn2 addp addv bif bit bsl cmeq cmge cmgt cmhi cmhs cmle cmlo cmls cmlt cmtst cnt
dup ext faddp fcmeq fcmge fcmgt fmla fmls ins ld1 ld1r ld2 ld2r ld3 ld3r ld4 ld4r mla mls movi
mvni not pmul pmull pmull2 raddhn raddhn2 rev64 rshrn rshrn2 saba sabal sabal2 sabd sabdl sabdl2
sadalp saddl saddl2 saddlp saddlv saddw saddw2 shadd shl shll shll2 shrn shrn2 shsub sli smax
smaxp smaxv smin sminp sminv smlal smlal2 smlsl smlsl2 smov sqadd sqsub sqxtn sqxtn2 sqxtun
sqxtun2 sri srshl srshr srsra sshl sshll sshll2 sshr ssra ssubl ssubl2 ssubw ssubw2 st1 st2 st3
st4 subhn subhn2 sxtl sxtl2 tbl tbx trn1 trn2 uaba uabal uabal2 uabd uabdl uabdl2 uadalp uaddl
uaddl2 uaddlp uaddlv uaddw uaddw2 uhadd uhsub umax umaxp umaxv umin uminp uminv umlal umlal2
umlsl umlsl2 umov uqadd uqsub uqxtn uqxtn2 urhadd urshl urshr ursra ushl ushll ushll2 ushr usra
usubl usubl2 usubw usubw2 uxtl uxtl2 uzp1 uzp2 xtn xtn2 zip1 zip2:      *
# --- names that have vector forms too
add sub and orr eor bic orn mul:       V V V
smull umull: V V V
neg mvn cls clz rbit rev16 rev32: V V
mov:               V V | E R | X E | W E | E E | B E | H E | S E | D E
"""

_PREFETCH: Final = tuple(
    f"{what}{level}{policy}"
    for what in ("pld", "pli", "pst") for level in ("l1", "l2", "l3") for policy in ("keep", "strm")
)

_WORDS: Final[dict[str, Kind]] = {
    "cond": CONDITION,
    "plaincond": PLAIN_CONDITION,
    "barrier": WordKind(
        "a barrier (ish, ishld, ishst, sy, …)",
        ("ish", "ishld", "ishst", "nsh", "nshld", "nshst", "osh", "oshld", "oshst",
         "sy", "ld", "st"),
        numbers=(0, 15),
    ),
    "isbarrier": WordKind("sy", ("sy",), numbers=(0, 15)),
    "system": WordKind(
        "a system register such as tpidrro_el0",
        ("nzcv", "fpcr", "fpsr", "tpidr_el0", "tpidrro_el0", "cntvct_el0", "cntfrq_el0"),
        is_open=True,
    ),
    "pstate": WordKind("daifset, daifclr or spsel", ("daifset", "daifclr", "spsel")),
    "icall": WordKind("iallu or ialluis", ("iallu", "ialluis")),
    "icone": WordKind("ivau", ("ivau",)),
    "dcop": WordKind(
        "a data cache operation such as cvau",
        ("zva", "cvac", "cvau", "civac", "ivac", "isw", "csw", "cisw"),
    ),
    "atop": WordKind("an address translation such as s1e0r", ("s1e0r", "s1e0w", "s1e1r", "s1e1w")),
    "tlball": WordKind("vmalle1 or vmalle1is", ("vmalle1", "vmalle1is")),
    "tlbone": WordKind("vae1 or vae1is", ("vae1", "vae1is", "aside1", "aside1is")),
    "btitarget": WordKind("c, j or jc", ("c", "j", "jc")),
    "prefetch": WordKind("a prefetch such as pldl1keep", _PREFETCH, numbers=(0, 31)),
    "label26": LabelKind(26, 4, RelocationKind.BRANCH26),
    "label19": LabelKind(19, 4),
    "label14": LabelKind(14, 4),
    "adr": LabelKind(21, 1),
    "page": PageKind(),
    "pageoff": PageOffsetKind(),
    "#add": AddKind(),
    "#float": FloatKind(),
    "#zero": FloatZeroKind(),
    "{}": ListKind(),
    "V": VectorKind(), "VF": VectorKind(("2s", "4s", "2d")),
    "E": ElementKind(),
    "X": RegisterKind("x"), "Xs": RegisterKind("x", True),
    "W": RegisterKind("w"), "Ws": RegisterKind("w", True),
    "B": RegisterKind("b"), "H": RegisterKind("h"), "S": RegisterKind("s"),
    "D": RegisterKind("d"), "Q": RegisterKind("q"),
    "extX": ModifierKind(("uxtx", "sxtx", "lsl"), (0, 1, 2, 3, 4), True),
    "extW": ModifierKind(("uxtb", "uxth", "uxtw", "sxtb", "sxth", "sxtw"), (0, 1, 2, 3, 4), True),
    "ext": ModifierKind(
        ("uxtb", "uxth", "uxtw", "sxtb", "sxth", "sxtw", "lsl"), (0, 1, 2, 3, 4), True
    ),
}

_SIZED: Final = {"#logic", "#wide", "#amount", "#width", "shift", "rotate"}


@cache
def rows() -> dict[str, tuple[str, ...]]:
    """Each mnemonic with the texts of its forms, in the table's order."""
    table: dict[str, list[str]] = {}
    text = re.sub(r"^#.*\n", "", _TABLE.lstrip("\n"), flags=re.MULTILINE)
    for row in re.finditer(r"^(\S[^:]*):(.*(?:\n .*)*)", text, re.MULTILINE):
        forms = [form.strip() for form in row.group(2).split("|")]
        for name in row.group(1).split():
            table.setdefault(name, []).extend(forms)
    conditional = table.pop("bcond")
    table.update((f"b.{condition}", conditional) for condition in CONDITIONS)
    return {name: tuple(forms) for name, forms in table.items()}


@cache
def forms_of(mnemonic: str) -> tuple[Form, ...]:
    """The operand kinds of each form of an instruction."""
    made: dict[Form, None] = {}
    for text in rows()[mnemonic]:
        for variant in _variants(text):
            made[tuple(_kind(word, variant) for word in variant.split())] = None
    return tuple(made)


def _variants(text: str) -> list[str]:
    """A form with its short notations written out."""
    for short, longer in (("R", "XW"), ("F", "SD")):
        if re.search(rf"\b{short}s?\b", text):
            return [
                v for one in longer for v in _variants(re.sub(rf"\b{short}(?=s?\b)", one, text))
            ]
    if "?" in text:
        words = text.split()
        assert words[-1].endswith("?"), text
        return [*_variants(" ".join(words[:-1])), *_variants(text.replace("?", ""))]
    address = re.search(r"\[(2x)?(\d+)\]", text)
    if address is not None:
        size = int(address.group(2))
        ways = _pair_ways(size) if address.group(1) else _single_ways(size)
        return [text.replace(address.group(), way) for way in ways]
    return [text]


def _single_ways(size: int) -> list[str]:
    """All ways to address one item of `size` bytes."""
    shift = size.bit_length() - 1
    return [
        "[Xs]",
        f"[Xs,#0..{4095 * size}/{size}]",
        "[Xs,pageoff]",
        "[Xs,#-256..255]",
        "[Xs,#-256..255]!",
        "[Xs] #-256..255",
        "[Xs,X]",
        f"[Xs,X,lsl(0,{shift})]" if shift else "[Xs,X,lsl(0)]",
        f"[Xs,W,ext(uxtw+sxtw,0,{shift})]",
        f"[Xs,X,ext(sxtx,0,{shift})]",
    ]


def _pair_ways(size: int) -> list[str]:
    offsets = f"#{-64 * size}..{63 * size}/{size}"
    return ["[Xs]", f"[Xs,{offsets}]", f"[Xs,{offsets}]!", f"[Xs] {offsets}"]


def _kind(word: str, form: str) -> Kind:
    """The kind that one word of a form stands for."""
    if word in _SIZED:
        return _sized_kind(word, 32 if form.split()[0] in ("W", "Ws") else 64)
    if word in _WORDS:
        return _WORDS[word]
    if word == "*":
        return _ANY
    if word[0] == "[":
        inside, _, mark = word[1:].rpartition("]")
        base, *parts = re.split(r",(?![^(]*\))", inside)
        assert base == "Xs", word
        return MemoryKind(tuple(_kind(part, form) for part in parts), mark == "!")
    match = re.fullmatch(r"#(-?\d+)\.\.(-?\d+)(?:/(\d+))?", word)
    if match is not None:
        return RangeKind(int(match[1]), int(match[2]), int(match[3] or 1))
    match = re.fullmatch(r"lsl\(([\d,]+)\)", word)
    if match is not None:
        return ModifierKind(("lsl",), tuple(dict.fromkeys(int(n) for n in match[1].split(","))))
    match = re.fullmatch(r"ext\(([a-z+]+),([\d,]+)\)", word)
    if match is not None:
        amounts = tuple(dict.fromkeys(int(n) for n in match[2].split(",")))
        return ModifierKind(tuple(match[1].split("+")), amounts, True)
    match = re.fullmatch(r"V\.([\w,]+)", word)
    if match is not None:
        return VectorKind(tuple(match[1].split(",")))
    match = re.fullmatch(r"E\.(\w+)", word)
    assert match is not None, word
    return ElementKind(match[1])


_ANY: Final = AnyKind()


def _sized_kind(word: str, bits: int) -> Kind:
    """Kinds that depend on how wide the registers of the form are."""
    amounts = tuple(range(bits))
    match word:
        case "#logic":
            return LogicalKind(bits)
        case "#wide":
            return WideKind(bits)
        case "#amount":
            return RangeKind(0, bits - 1)
        case "#width":
            return WidthKind(bits)
        case "shift":
            return ModifierKind(("lsl", "lsr", "asr"), amounts)
        case _:
            return ModifierKind(("lsl", "lsr", "asr", "ror"), amounts)
