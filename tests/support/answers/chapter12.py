"""Answers to the exercises of chapter 12."""

from __future__ import annotations

from support.answers import Wrong, change

ANOTHER_WAY = {
    # From the left: zeros are skipped until something else comes.
    "hex_write": """func hex_write
        mov x2, #64
    Lskip:
        sub x2, x2, #4
        cbz x2, Lnext
        lsr x3, x1, x2
        cbz x3, Lskip
    Lnext:
        lsr x3, x1, x2
        and x3, x3, #15
        addr x4, digits
        ldrb w3, [x4, x3]
        strb w3, [x0], #1
        sub x2, x2, #4
        tbz x2, #63, Lnext
        ret
    rodata
    digits: .ascii "0123456789abcdef\"""",
    # A table of 256 bytes is not needed: the difference of the bytes decides what to ask.
    "name_order": """func name_order
        mov x5, #0
    Ln: ldrb w2, [x0, x5]
        ldrb w3, [x1, x5]
        add x5, x5, #1
        sub w4, w2, #'A'
        cmp w4, #25
        b.hi La
        orr w2, w2, #0x20
    La: sub w4, w3, #'A'
        cmp w4, #25
        b.hi Lb
        orr w3, w3, #0x20
    Lb: cmp w2, w3
        b.lo Lfirst
        b.hi Lsecond
        cbnz w2, Ln
        mov x0, #0
        ret
    Lfirst:
        mov x0, #1
        ret
    Lsecond:
        mov x0, #2
        ret""",
    # Counts instead of ends, and the rests in loops of their own.
    "runs_merge": """func runs_merge
        mov x9, #0
    Ln: cbz x1, Lrest
        cbz x3, Lrest
        ldp x5, x6, [x0]
        ldp x7, x8, [x2]
        cmp x7, x5
        b.lo Lright
        stp x5, x6, [x4], #16
        add x0, x0, #16
        sub x1, x1, #1
        add x9, x9, #1
        b Ln
    Lright: stp x7, x8, [x4], #16
        add x2, x2, #16
        sub x3, x3, #1
        add x9, x9, #1
        b Ln
    Lrest:
        cbz x1, Lother
        ldp x5, x6, [x0], #16
        stp x5, x6, [x4], #16
        sub x1, x1, #1
        add x9, x9, #1
        b Lrest
    Lother:
        cbz x3, Ldone
        ldp x5, x6, [x2], #16
        stp x5, x6, [x4], #16
        sub x3, x3, #1
        add x9, x9, #1
        b Lother
    Ldone:
        mov x0, x9
        ret""",
    # A function for "the next byte", and mem_copy for the contents.
    "chunks_join": """func chunks_join
        stp x29, x30, [sp, #-64]!
        mov x29, sp
        stp x19, x20, [sp, #16]
        stp x21, x22, [sp, #32]
        stp x23, x24, [sp, #48]
        mov x19, x0
        add x20, x0, x1
        mov x21, x2
        mov x22, x2
    Lchunk:
        mov x23, #0
        mov x24, #0
    Ldigit:
        bl chunks_byte
        b.cs Lmore
        cmp w0, #13
        b.eq Lcr
        sub w1, w0, #48
        cmp w1, #10
        b.lo Lok
        orr w0, w0, #0x20
        sub w1, w0, #'a'
        cmp w1, #6
        b.hs Lbad
        add w1, w1, #10
    Lok:
        lsl x23, x23, #4
        add x23, x23, x1
        add x24, x24, #1
        cmp x24, #9
        b.eq Lbad
        b Ldigit
    Lcr:
        cbz x24, Lbad
        bl chunks_byte
        b.cs Lmore
        cmp w0, #10
        b.ne Lbad
        sub x2, x20, x19
        cmp x23, x2
        b.hi Lmore
        mov x0, x22
        mov x1, x19
        mov x2, x23
        bl mem_copy
        add x22, x22, x23
        add x19, x19, x23
        bl chunks_byte
        b.cs Lmore
        cmp w0, #13
        b.ne Lbad
        bl chunks_byte
        b.cs Lmore
        cmp w0, #10
        b.ne Lbad
        cbnz x23, Lchunk
        sub x0, x22, x21
        cmn xzr, xzr
        b Lreturn
    Lmore:
        mov x0, #0
        cmp xzr, xzr
        b Lreturn
    Lbad:
        mov x0, #EINVAL
        cmp xzr, xzr
    Lreturn:
        ldp x23, x24, [sp, #48]
        ldp x21, x22, [sp, #32]
        ldp x19, x20, [sp, #16]
        ldp x29, x30, [sp], #64
        ret
    func chunks_byte
        cmp x19, x20
        b.hs Lnone
        ldrb w0, [x19], #1
        cmn xzr, xzr
        ret
    Lnone:
        cmp xzr, xzr
        ret""",
}

_END = """    cmp     w4, #'\\r'
    b.ne    Lchunks_join_bad
    cmp     x0, x1
    b.eq    Lchunks_join_more
    ldrb    w4, [x0], #1
    cmp     w4, #'\\n'
    b.ne    Lchunks_join_bad
    cbnz    x6"""

WRONG: list[Wrong] = [
    ("hex_write", "nothing done", lambda: "func hex_write\n ret\n", "nothing was written"),
    ("hex_write", "capitals", lambda: change("hex_write", "#'a' - 10", "#'A' - 10"),
     "small letters"),
    ("hex_write", "no letters", lambda: change("hex_write", "    csel    w4, w5, w4, hs\n", ""),
     "stands a colon"),
    ("hex_write", "ten is a colon", lambda: change("hex_write", "csel    w4, w5, w4, hs",
     "csel    w4, w5, w4, hi"), "stands a colon"),
    ("hex_write", "ten is k", lambda: change("hex_write", "#'a' - 10", "#'a'"), "ten is 'a'"),
    ("hex_write", "always sixteen digits", lambda: change("hex_write",
     "    orr     x2, x1, #1\n    clz     x2, x2\n", "    mov     x2, #3\n").replace(
     "    cbnz    x1, Lhex_write_digit\n",
     "    cmp     x3, x9\n    b.ne    Lhex_write_digit\n").replace(
     "    mov     x3, #67\n", "    mov     x9, x0\n    mov     x3, #67\n"),
     "room for no more"),
    ("hex_write", "turned round", lambda: """func hex_write
    Ln: and x4, x1, #15
        add w5, w4, #'a' - 10
        cmp x4, #10
        add w4, w4, #'0'
        csel w4, w5, w4, hs
        strb w4, [x0], #1
        lsr x1, x1, #4
        cbnz x1, Ln
        ret""", "the highest digit comes first"),
    ("hex_write", "nothing for 0", lambda: change("hex_write", "    orr     x2, x1, #1\n",
     "    cbz     x1, Lhex_write_none\n    orr     x2, x1, #1\n").replace("    ret\n",
     "Lhex_write_none:\n    ret\n"), "0 has one digit"),
    ("hex_write", "gives the beginning", lambda: change("hex_write", "    mov     x3, x0\n",
     "    mov     x3, x0\n    sub     x0, x0, x2, lsr #2\n"), "behind the last digit"),
    ("hex_write", "gives how many", lambda: change("hex_write", "    ret\n",
     "    mov     x0, #2\n    ret\n"), "but x0 = 2; it should"),
    ("hex_write", "decimal digits", lambda: """func hex_write
        mov x2, #10
        udiv x3, x1, x2
        msub x4, x3, x2, x1
        add w3, w3, #'0'
        add w4, w4, #'0'
        strb w3, [x0], #1
        strb w4, [x0], #1
        ret""", "decimal digits"),
    ("hex_write", "x19 spoiled", lambda: change("hex_write", "    ret\n",
     "    mov     x19, x3\n    ret\n"), "changed x19"),
    ("name_order", "nothing done", lambda: "func name_order\n ret\n", "0, 1 or 2"),
    ("name_order", "with their case", lambda: change("name_order",
     "    csel    w2, w5, w2, lo\n", "").replace("    csel    w3, w5, w3, lo\n", ""),
     "A and a are the same here"),
    ("name_order", "the bit for all", lambda: change("name_order", """    sub     w4, w2, #'A'
    add     w5, w2, #32
    cmp     w4, #26
    csel    w2, w5, w2, lo
""", "    cbz     w2, Lname_order_nul\n    orr     w2, w2, #0x20\nLname_order_nul:\n").replace(
     """    sub     w4, w3, #'A'
    add     w5, w3, #32
    cmp     w4, #26
    csel    w3, w5, w3, lo
""", "    cbz     w3, Lname_order_nil\n    orr     w3, w3, #0x20\nLname_order_nil:\n"),
     "only A to Z have"),
    ("name_order", "all as capitals", lambda: change("name_order", "#'A'", "#'a'").replace(
     "#'A'", "#'a'").replace("w2, #32", "w2, #-32").replace("w3, #32", "w3, #-32").replace(
     "add     w5, w2, #-32", "sub     w5, w2, #32").replace(
     "add     w5, w3, #-32", "sub     w5, w3, #32"), "compared as small ones"),
    ("name_order", "signed", lambda: change("name_order", "ldrb    w2", "ldrsb   w2").replace(
     "ldrb    w3", "ldrsb   w3").replace("x0, x0, x1, lo", "x0, x0, x1, lt"),
     "bytes are unsigned"),
    ("name_order", "past the NUL", lambda: change("name_order",
     "    cbnz    w2, Lname_order_next\n", "    b       Lname_order_next\n"), "did not return"),
    ("name_order", "the beginning is the same", lambda: change("name_order",
     "    cmp     w2, w3\n", "    cbz     w2, Lname_order_same\n    cbz     w3, Lname_order_same\n"
     "    cmp     w2, w3\n").replace("    mov     x0, #0\n",
     "Lname_order_same:\n    mov     x0, #0\n"), "beginning of the other"),
    ("name_order", "the other way round", lambda: change("name_order", "x0, x0, x1, lo",
     "x0, x0, x1, hi"), "1 says that the first name comes first"),
    ("name_order", "0 for the second", lambda: change("name_order", "x1, #2", "x1, #0"),
     "2 says that the second name comes first"),
    ("name_order", "the NUL as the highest", lambda: change("name_order",
     "    cmp     w2, w3\n", "    sub     w4, w2, #1\n    sub     w5, w3, #1\n"
     "    cmp     w4, w5\n"), "smaller than any letter"),
    ("name_order", "one letter too few", lambda: change("name_order", "#26", "#25"),
     "A and a are the same here"),
    ("runs_merge", "nothing done", lambda: "func runs_merge\n ret\n", "nothing was written"),
    ("runs_merge", "not stable", lambda: change("runs_merge", "b.hi    Lruns_merge_take",
     "b.hs    Lruns_merge_take"), "those of the first run come first"),
    ("runs_merge", "signed", lambda: change("runs_merge", "b.hi    Lruns_merge_take",
     "b.gt    Lruns_merge_take"), "keys are unsigned"),
    ("runs_merge", "half of each key", lambda: change("runs_merge", "cmp     x5, x6",
     "cmp     w5, w6"), "64 bits"),
    ("runs_merge", "the rest is left out", lambda: change("runs_merge",
     "    b.eq    Lruns_merge_second      // used up\n", "    b.eq    Lruns_merge_done\n"),
     "the rest of the other one follows"),
    ("runs_merge", "an empty run", lambda: change("runs_merge", "    cmp     x2, x3\n"
     "    b.eq    Lruns_merge_first\n", ""), "used up"),
    ("runs_merge", "keys alone", lambda: change("runs_merge", "    ldr     q0, [x0], #16\n"
     "    str     q0, [x4], #16\n", "    ldr     x5, [x0], #16\n    str     x5, [x4], #16\n"),
     "its key and what belongs to it"),
    ("runs_merge", "one behind the other", lambda: change("runs_merge",
     "    b.hi    Lruns_merge_take        // only a lower key overtakes\n", ""),
     "not in order"),
    ("runs_merge", "bytes are counted", lambda: change("runs_merge", "    mov     x0, x7\n",
     "    lsl     x0, x7, #4\n"), "not of bytes"),
    ("runs_merge", "gives the end", lambda: change("runs_merge", "    mov     x0, x7\n",
     "    mov     x0, x4\n"), "that is an address"),
    ("runs_merge", "x20 spoiled", lambda: change("runs_merge", "    mov     x0, x7\n",
     "    mov     x0, x7\n    mov     x20, x4\n"), "changed x20"),
    ("chunks_join", "nothing done", lambda: "func chunks_join\n ret\n", "that is an address"),
    ("chunks_join", "no capitals", lambda: change("chunks_join", "    orr     w5, w4, #0x20\n",
     "    mov     w5, w4\n"), "capital letters"),
    ("chunks_join", "no f", lambda: change("chunks_join", "#5", "#4"),
     "0 to 9 and a to f are digits"),
    ("chunks_join", "400", lambda: change("chunks_join", "#EINVAL", "#400"),
     "is the number EINVAL"),
    ("chunks_join", "the end of the bytes will do", lambda: change("chunks_join",
     "Lchunks_join_more:\n    mov     x0, #0\n    carry_set\n",
     "Lchunks_join_more:\n    sub     x0, x3, x2\n    carry_clear\n"),
     "the end of the bytes is not the end of the body"),
    ("chunks_join", "cut is broken", lambda: change("chunks_join",
     "Lchunks_join_more:\n    mov     x0, #0\n", "Lchunks_join_more:\n    mov     x0, #EINVAL\n"),
     "more bytes may come"),
    ("chunks_join", "any line end", lambda: change("chunks_join", _END,
     _END.replace("    b.ne    Lchunks_join_bad\n", "")), "CR LF must stand"),
    ("chunks_join", "no line end behind the last", lambda: change("chunks_join",
     "    sub     x5, x1, x0              // what is left of the body\n",
     "    cbz     x6, Lchunks_join_done\n    sub     x5, x1, x0\n").replace(
     "    sub     x0, x3, x2\n", "Lchunks_join_done:\n    sub     x0, x3, x2\n"),
     "before the last chunk and the CR LF behind it"),
    ("chunks_join", "no digits", lambda: change("chunks_join",
     "    cbz     x7, Lchunks_join_bad\n", ""), "at least one digit"),
    ("chunks_join", "nine digits", lambda: change("chunks_join",
     "    cmp     x7, #8\n", "    cmp     x7, #15\n"), "no more than eight digits"),
    ("chunks_join", "the length is believed", lambda: change("chunks_join",
     "    cmp     x5, x6\n    b.lo    Lchunks_join_more\n", ""), "the length with what is left"),
    ("chunks_join", "reads before it asks", lambda: change("chunks_join",
     "    cmp     x0, x1\n    b.eq    Lchunks_join_more\n    ldrb    w4, [x0]\n",
     "    ldrb    w4, [x0]\n"), "before each load"),
    ("chunks_join", "gives the end", lambda: change("chunks_join", "    sub     x0, x3, x2\n",
     "    mov     x0, x3\n"), "that is an address"),
    ("chunks_join", "the carry of cmp", lambda: change("chunks_join",
     "    carry_clear\n", "    cmp     x0, x0\n"), "carry_clear or carry_set comes last"),
]
