"""Answers to the exercises of chapter 04."""

from __future__ import annotations

from support.answers import Wrong, change

ANOTHER_WAY = {
    "byte_find": """func byte_find
        mov x9, #0
    Lx: cmp x9, x1
        b.eq Lz
        ldrb w10, [x0, x9]
        cmp w10, w2
        b.eq Ly
        add x9, x9, #1
        b Lx
    Ly: mov x0, x9
        cmn xzr, xzr
    Lz: ret""",
    "text_put": """func text_put
        cmp x1, x3
        b.lo Lz
        mov x9, #0
    Lx: cmp x9, x3
        b.eq Ly
        ldrb w10, [x2, x9]
        strb w10, [x0, x9]
        add x9, x9, #1
        b Lx
    Ly: mov x0, x3
        carry_clear
        ret
    Lz: mov x0, #ERANGE
        carry_set
        ret""",
    "i64_parse": """func i64_parse
        stp x29, x30, [sp, #-16]!
        mov x9, #0
        cbz x1, Lx
        ldrb w10, [x0]
        cmp w10, #45
        cset x9, eq
        add x0, x0, x9
        sub x1, x1, x9
    Lx: bl u64_parse
        b.cs Ly
        cmp x9, #0
        cneg x11, x0, ne
        eor x12, x11, x9, lsl #63   // the sign must be the one that was asked for
        cbz x0, Lz
        tbnz x12, #63, Lbig
    Lz: mov x0, x11
        carry_clear
    Ly: ldp x29, x30, [sp], #16
        ret
    Lbig: mov x0, #ERANGE
        carry_set
        b Ly""",
}

WRONG: list[Wrong] = [
    ("byte_find", "nothing done", lambda: "func byte_find\n ret\n",
     "it should be C clear, x0 = 1"),
    ("byte_find", "always found", lambda: change("byte_find", "    carry_set", "    carry_clear"),
     "so C must be set"),
    ("byte_find", "carry of the comparison", lambda: change("byte_find", "    carry_clear\n",
     "    cmp     w4, w2\n"), "cmp changes C as well"),
    ("byte_find", "one too many", lambda: change("byte_find", "    sub     x0, x0, #1", "    //"),
     "the cursor has moved on"),
    ("byte_find", "gives the place", lambda: change("byte_find", "    sub     x0, x3, x0",
     "    mov     x0, x3"), "the start of the text must be taken away"),
    ("byte_find", "reads before it looks", lambda: "func byte_find\n mov x3, x0\n"
     " add x1, x0, x1\nLx:\n ldrb w4, [x3], #1\n cmp w4, w2\n b.eq Ly\n cmp x3, x1\n"
     " b.lo Lx\n carry_set\n ret\nLy:\n sub x0, x3, x0\n sub x0, x0, #1\n carry_clear\n"
     " ret\n", "did not return: unmapped"),
    ("byte_find", "one past the end", lambda: change("byte_find", "    b.hs", "    b.hi"),
     "did not return: unmapped"),
    ("byte_find", "the last one", lambda: "func byte_find\nLx:\n cbz x1, Ly\n sub x1, x1, #1\n"
     " ldrb w4, [x0, x1]\n cmp w4, w2\n b.ne Lx\n mov x0, x1\n carry_clear\n ret\nLy:\n"
     " carry_set\n ret\n", "stop at the first"),
    ("byte_find", "signed bytes", lambda: change("byte_find", "ldrb    w4", "ldrsb   w4"),
     "C must be clear"),
    ("byte_find", "a NUL ends it", lambda: change("byte_find", "    b.ne    Lbyte_find_next\n",
     "    b.eq    Lq\n    cbz     w4, Lbyte_find_none\n    b       Lbyte_find_next\nLq:\n"),
     "a NUL does not end this text"),
    ("byte_find", "above its stack", lambda: change("byte_find", "    mov     x3, x0",
     "    str     x0, [sp, #8]\n    mov     x3, x0"), "wrote above sp"),
    ("byte_find", "Apple's register", lambda: change("byte_find", "    mov     x3, x0",
     "    mov     x18, x0\n    mov     x3, x18"), "x18, which belongs to the system"),
    ("byte_find", "x19 spoiled", lambda: change("byte_find", "    mov     x3, x0",
     "    mov     x3, x0\n    mov     x19, x0"), "changed x19"),
    ("text_put", "nothing done", lambda: "func text_put\n ret\n", "it should be C clear, x0 = 5"),
    ("text_put", "an exact fit refused", lambda: change("text_put", "    b.hi", "    b.hs"),
     "fits exactly"),
    ("text_put", "no check", lambda: change("text_put", "    b.hi    Ltext_put_large\n", ""),
     "compare length and size first"),
    ("text_put", "signed", lambda: change("text_put", "    b.hi", "    b.gt"),
     "unsigned and with all 64 bits"),
    ("text_put", "lower half", lambda: change("text_put", "    cmp     x3, x1",
     "    cmp     w3, w1"), "unsigned and with all 64 bits"),
    ("text_put", "as much as fits", lambda: change("text_put", "    mov     x0, #ERANGE",
     "    cbz     x1, Lq\n    ldrb    w4, [x2]\n    strb    w4, [x0]\nLq:\n"
     "    mov     x0, #ERANGE"), "look first, copy later"),
    ("text_put", "the end instead of the length", lambda: change("text_put",
     "    mov     x0, x19\n", ""), "the length was wanted"),
    ("text_put", "the carry of mem_copy", lambda: change("text_put", "    carry_clear\n",
     "    cmp     x0, x0\n"), "set C again before ret"),
    ("text_put", "x19 not restored", lambda: change("text_put", "    ldr     x19, [sp, #16]\n",
     ""), "changed x19"),
    ("text_put", "no frame", lambda: "func text_put\n mov x1, x2\n mov x2, x3\n bl mem_copy\n"
     " mov x0, x3\n carry_clear\n ret\n", "did not return"),
    ("text_put", "turned round", lambda: change("text_put", "    mov     x1, x2\n",
     "    mov     x1, x0\n    mov     x0, x2\n"), "the bytes in the buffer are not"),
    ("i64_parse", "nothing done", lambda: "func i64_parse\n ret\n", "it should be C clear"),
    ("i64_parse", "no sign", lambda: "func i64_parse\n b u64_parse\n", "b'-7'"),
    ("i64_parse", "the sign lost", lambda: change("i64_parse", "    neg     x0, x0\n", ""),
     "neg makes it negative"),
    ("i64_parse", "no limit", lambda: change("i64_parse", "    b.hi    Li64_parse_large\n", ""),
     "compare with the limit"),
    ("i64_parse", "the same limit for both", lambda: change("i64_parse",
     "    add     x2, x2, x19\n", ""), "one number more below zero"),
    ("i64_parse", "the carry of cmp", lambda: change("i64_parse", "    carry_clear\n",
     "    cmp     x19, #0\n"), "cmp changes C as well"),
    ("i64_parse", "looks before the length", lambda: change("i64_parse",
     "    cbz     x1, Li64_parse_digits   // u64_parse refuses an empty text\n", ""),
     "did not return: unmapped"),
    ("i64_parse", "two signs", lambda: change("i64_parse", "    sub     x1, x1, #1\n",
     "    sub     x1, x1, #1\n    cbz     x1, Li64_parse_digits\n    ldrb    w2, [x0]\n"
     "    cmp     w2, #'-'\n    b.ne    Li64_parse_digits\n    add     x0, x0, #1\n"
     "    sub     x1, x1, #1\n"), "only one -"),
    ("i64_parse", "a limit with a sign", lambda: change("i64_parse", "    b.hi    Li64",
     "    b.gt    Li64"), "compare with b.hi"),
    ("i64_parse", "x19 not restored", lambda: change("i64_parse",
     "    ldr     x19, [sp, #16]\n", ""), "changed x19"),
]
