"""Instructions made from the assembler's table: typical ones, limits, and just beyond."""

from __future__ import annotations

from functools import cache

from ymawky_kit.asm import forms, isa, operand
from ymawky_kit.asm.expression import Number, Unknown, Value
from ymawky_kit.asm.lexer import Mistake


@cache
def instructions() -> tuple[str, ...]:
    """Each form with each example in turn, then with each counterexample."""
    made: dict[str, None] = {}
    for mnemonic in forms.rows():
        for form in forms.forms_of(mnemonic):
            examples = [kind.examples(place) for place, kind in enumerate(form)]
            if not all(examples):
                continue
            usual = [e[0] for e in examples]
            made[f"{mnemonic} {', '.join(usual)}".rstrip()] = None
            for place, kind in enumerate(form):
                for text in (*examples[place], *kind.counterexamples()):
                    changed = [*usual[:place], text, *usual[place + 1:]]
                    made[f"{mnemonic} {', '.join(changed)}"] = None
    return tuple(made)


#: What server and book may use of the instructions whose shapes only encoders check.
VECTORS = """
ld1 {v0.16b}, [x0]
ld1 {v0.16b, v1.16b}, [x0], #32
ld1 {v0.16b-v3.16b}, [x0], #64
ld1 {v0.b}[3], [x0]
ld1 {v0.16b}, [x0], x1
ld1r {v0.16b}, [x0]
ld2 {v0.8h, v1.8h}, [sp]
ld4 {v30.4s, v31.4s, v0.4s, v1.4s}, [x0]
st1 {v0.16b}, [x0]
st1 {v0.8b, v1.8b}, [x0], #16
st1 {v0.d}[1], [x0], #8
cmeq v0.16b, v1.16b, #0
cmeq v0.16b, v1.16b, v2.16b
cmhi v0.16b, v1.16b, v2.16b
cmhs v0.16b, v1.16b, v2.16b
cmgt v0.16b, v1.16b, #0
cmtst v0.16b, v1.16b, v2.16b
addv b0, v1.16b
addp v0.16b, v1.16b, v2.16b
addp d0, v1.2d
umaxv b0, v1.16b
uminv b0, v1.16b
umaxp v0.16b, v1.16b, v2.16b
uminp v0.16b, v1.16b, v2.16b
umax v0.16b, v1.16b, v2.16b
umin v0.16b, v1.16b, v2.16b
uaddlv h0, v1.8b
uaddlp v0.8h, v1.16b
cnt v0.8b, v1.8b
shrn v0.8b, v1.8h, #4
shl v0.16b, v1.16b, #7
ushr v0.16b, v1.16b, #4
sshr v0.4s, v1.4s, #32
ushll v0.8h, v1.8b, #0
ushll2 v0.8h, v1.16b, #3
uxtl v0.8h, v1.8b
sxtl2 v0.8h, v1.16b
xtn v0.8b, v1.8h
xtn2 v0.16b, v1.8h
dup v0.16b, w1
dup v0.8h, v1.h[2]
dup v0.2d, x3
dup d0, v1.d[1]
umov w0, v1.b[3]
umov x0, v1.d[1]
smov x0, v1.b[3]
ins v0.b[3], w1
ins v0.b[3], v1.b[2]
movi v0.16b, #255
movi v0.4s, #1, lsl #8
movi v0.4s, #1, msl #8
movi v0.2d, #0
movi d0, #0
mvni v0.4s, #1
not v0.16b, v1.16b
bsl v0.16b, v1.16b, v2.16b
bit v0.16b, v1.16b, v2.16b
bif v0.16b, v1.16b, v2.16b
tbl v0.16b, {v1.16b}, v2.16b
tbl v0.16b, {v1.16b, v2.16b}, v3.16b
tbx v0.8b, {v1.16b}, v2.8b
ext v0.16b, v1.16b, v2.16b, #3
zip1 v0.16b, v1.16b, v2.16b
uzp2 v0.4s, v1.4s, v2.4s
trn1 v0.2d, v1.2d, v2.2d
rev64 v0.16b, v1.16b
pmull v0.8h, v1.8b, v2.8b
mla v0.4s, v1.4s, v2.4s
mls v0.4s, v1.4s, v2.s[1]
sqadd v0.16b, v1.16b, v2.16b
uqsub v0.16b, v1.16b, v2.16b
fmla v0.4s, v1.4s, v2.4s
fcmeq v0.4s, v1.4s, #0.0
fmov v0.4s, #1.0
add v0.16b, v1.8b, v2.16b
shl v0.16b, v1.16b, #8
movi v0.16b, #256
dup v0.2d, w3
ld1 {v0.16b}, [w0]
""".strip().splitlines()


def final_text(instruction: str) -> str | None:
    """What the kit gives an encoder for an instruction, None when it refuses it."""
    name = instruction.split(" ")[0]
    mnemonic = isa.canonical(name)
    assert mnemonic is not None, instruction
    try:
        parsed = operand.read(instruction, len(name), mnemonic)
        values = [Value(e.value) for e in parsed.expressions if isinstance(e, Number)]
        if len(values) < len(parsed.expressions):
            return None     # a symbol, and there are none here
        return isa.check(parsed, values, lambda value: value.number).text
    except (Mistake, Unknown):
        return None
