"""Answers to the exercises of chapter 01."""

from __future__ import annotations

from support.answers import Wrong, change

ANOTHER_WAY = {
    "larger": "func larger\n subs x2, x0, x1\n b.hs Lx\n mov x0, x1\nLx:\n ret\n",
    "string_length": """func string_length
        mov x9, #0
    Lx: ldrb w10, [x0, x9]
        cbz w10, Ly
        add x9, x9, #1
        b Lx
    Ly: mov x0, x9
        ret""",
    "count_ones": """func count_ones
        mov x1, #0
        mov x3, #64
    Lx: and x2, x0, #1
        add x1, x1, x2
        lsr x0, x0, #1
        subs x3, x3, #1
        b.ne Lx
        mov x0, x1
        ret""",
}

WRONG: list[Wrong] = [
    ("larger", "nothing done", lambda: "func larger\n ret\n", "gave 0, not 1"),
    ("larger", "signed", lambda: change("larger", "hs", "ge"), "as signed numbers"),
    ("larger", "the smaller", lambda: change("larger", "hs", "lo"), "the smaller one"),
    ("larger", "half the bits", lambda: "func larger\n cmp w0, w1\n csel x0, x0, x1, hs\n ret\n",
     "not 0x100000000"),
    ("larger", "x19 spoiled", lambda: change("larger", "cmp ", "mov x19, x0\n cmp "),
     "changed x19"),
    ("larger", "sp moved", lambda: change("larger", "cmp ", "sub sp, sp, #16\n cmp "),
     "changed sp"),
    ("larger", "no ret", lambda: "func larger\n cmp x0, x1\n b larger\n", "still running"),
    ("larger", "falls off its end", lambda: "func larger\n cmp x0, x1\n brk #1\n",
     "did not return"),
    ("string_length", "counts the zero", lambda: change("string_length",
     "    sub     x0, x0, #1", "    //"), "one too many"),
    ("string_length", "gives the end", lambda: change("string_length",
     "    sub     x0, x1, x0\n", "    mov x0, x1\n"), "the start of the text"),
    ("string_length", "reads words", lambda: change("string_length", "ldrb    w2, [x1], #1",
     "ldr     w2, [x1], #1"), "did not return"),
    ("string_length", "stops at high bytes", lambda: change("string_length",
     "    cbnz    w2,", "    sxtb w2, w2\n    cmp w2, #0\n    b.gt   "), "not 3"),
    ("string_length", "x29 spoiled", lambda: change("string_length", "    mov     x1, x0",
     "    mov     x1, x0\n    mov x29, #1"), "changed x29"),
    ("count_ones", "lower half only", lambda: change("count_ones", "    mov     x1, #0",
     "    mov w0, w0\n    mov     x1, #0"), "use x registers"),
    ("count_ones", "one too few", lambda: change("count_ones", "    mov     x0, x1",
     "    sub     x0, x1, #1"), "count_ones(0) gave -1, not 0"),
]
