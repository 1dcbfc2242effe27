"""Answers to the exercises of chapter 11."""

from __future__ import annotations

from support.answers import Wrong, change

ANOTHER_WAY = {
    # The end first, then a difference that may borrow.
    "part_length": """func part_length
        cmp x1, x0
        b.lo Lz
        subs x9, x2, #1
        b.lo Lz
        cmp x1, x9
        csel x1, x1, x9, lo
        subs x0, x1, x0
        b.lo Lz
        add x0, x0, #1
        ret
    Lz: mov x0, #0
        ret""",
    # With an end of the list, and conditional moves for all of it.
    "gap_find": """func gap_find
        add x9, x0, x1, lsl #4
        mov x10, #0
    Ln: cmp x0, x9
        b.eq Lt
        ldr x11, [x0]
        cmp x11, x10
        b.hi Lg
        ldr x12, [x0, #8]
        cmp x12, x10
        csel x10, x12, x10, hs
        add x0, x0, #16
        b Ln
    Lt: mov x11, x2
    Lg: mov x0, x10
        mov x1, x11
        cmp x10, x11                // C clear exactly if there is something between them
        ret""",
    # From the end to the beginning, the prefixes found by the last byte compared.
    "tags_match": """func tags_match
        mov x9, x0
        mov x10, x2
        ldrb w11, [x0]
        ldrb w12, [x2]
        cmp w11, #0x22
        cset x11, ne
        cmp w12, #0x22
        cset x12, ne
        orr x13, x11, x12
        bic x13, x13, x4
        cbnz x13, Lz
        add x9, x9, x11, lsl #1
        sub x1, x1, x11, lsl #1
        add x10, x10, x12, lsl #1
        sub x3, x3, x12, lsl #1
        cmp x1, x3
        b.ne Lz
    Ln: cbz x1, Ly
        sub x1, x1, #1
        ldrb w11, [x9, x1]
        ldrb w12, [x10, x1]
        cmp w11, w12
        b.eq Ln
    Lz: cmp xzr, xzr
        ret
    Ly: cmn xzr, xzr
        ret""",
    # A loop over the three numbers, each with the byte that must stand behind it.
    "content_range": """func content_range
        stp x29, x30, [sp, #-64]!
        mov x29, sp
        stp x19, x20, [sp, #16]
        stp x21, x22, [sp, #32]
        str x23, [sp, #48]
        add x19, x0, #6
        add x20, x0, x1
        mov x21, x2
        addr x22, ends
        addr x1, unit
        mov x2, #6
        bl text_same
        b.cs Lq
        mov x23, #0
    Ln: mov x0, x19
        bl position_take
        b.cs Lq
        str x1, [x21, x23, lsl #3]
        ldrb w3, [x0], #1
        ldrb w4, [x22, x23]
        cmp w3, w4
        b.ne Lz
        mov x19, x0
        add x23, x23, #1
        cmp x23, #3
        b.ne Ln
        sub x0, x0, #1
        cmp x0, x20
        b.ne Lz
        ldp x0, x1, [x21]
        ldr x2, [x21, #16]
        cmp x2, #0
        b.lt Lz
        cmp x1, x2
        b.hs Lz
        cmp x0, x1
        b.hi Lz
        add x1, x1, #1
        str x1, [x21, #8]
        cmn xzr, xzr
    Lq: ldr x23, [sp, #48]
        ldp x21, x22, [sp, #32]
        ldp x19, x20, [sp, #16]
        ldp x29, x30, [sp], #64
        ret
    Lz: cmp xzr, xzr
        b Lq
    rodata
    unit: .ascii "bytes "
    ends: .ascii "-/\\r\"""",
}

WRONG: list[Wrong] = [
    ("part_length", "nothing done", lambda: "func part_length\n ret\n", "gave 0, not 1"),
    ("part_length", "the last byte left out", lambda: change("part_length",
     "    cinc    x1, x1, lo              // the byte behind the last,\n", ""),
     "the last byte belongs to the part"),
    ("part_length", "not clipped", lambda: change("part_length",
     "    csel    x1, x1, x2, lo          // or the end of the file\n", "").replace(
     "    cinc    x1, x1, lo", "    add     x1, x1, #1"), "the file ends before the range does"),
    ("part_length", "one too many at the end", lambda: change("part_length",
     "    cinc    x1, x1, lo              // the byte behind the last,\n"
     "    csel    x1, x1, x2, lo          // or the end of the file\n",
     "    csel    x1, x1, x2, lo\n    add     x1, x1, #1\n"),
     "at the end of the file there is no byte behind the last"),
    ("part_length", "first > last", lambda: change("part_length",
     "    cmp     x0, x1\n    b.hi    Lpart_length_none\n", ""),
     "stands in front of its first has no bytes"),
    ("part_length", "behind the file", lambda: change("part_length",
     "    cmp     x0, x2\n    b.hs    Lpart_length_none\n", ""), "nothing of this range is in the"),
    ("part_length", "added before it is compared", lambda: """func part_length
        cmp x0, x1
        b.hi Lz
        add x1, x1, #1
        cmp x1, x2
        csel x1, x1, x2, lo
        subs x0, x1, x0
        b.lo Lz
        ret
    Lz: mov x0, #0
        ret""", "plus one is 0 in a register"),
    ("part_length", "with sign", lambda: change("part_length", "b.hi", "b.gt").replace(
     "b.hs", "b.ge"), "without a sign"),
    ("part_length", "w registers", lambda: """func part_length
        cmp w0, w1
        b.hi Lz
        cmp w0, w2
        b.hs Lz
        cmp w1, w2
        cinc w1, w1, lo
        csel w1, w1, w2, lo
        sub w0, w1, w0
        ret
    Lz: mov x0, #0
        ret""", "not yet"),
    ("part_length", "x19 spoiled", lambda: change("part_length", "    sub     x0, x1, x0\n",
     "    sub     x19, x1, x0\n    mov     x0, x19\n"), "changed x19"),
    ("gap_find", "nothing done", lambda: "func gap_find\n ret\n", "it should be C"),
    ("gap_find", "no rest", lambda: change("gap_find", "    cbz     x1, Lgap_find_rest",
     "    cbz     x1, Lgap_find_none"), "there may be a gap up to the size"),
    ("gap_find", "no pairs", lambda: change("gap_find", "    mov     x4, #0  ",
     "    cbz     x1, Lgap_find_none\n    mov     x4, #0  "), "or without any"),
    ("gap_find", "the end, not the larger one", lambda: change("gap_find",
     "    csel    x4, x6, x4, hi          // a pair may lie within another\n",
     "    mov     x4, x6\n"), "keep the larger of the two ends"),
    ("gap_find", "touching pairs", lambda: change("gap_find", "    b.hi    Lgap_find_found",
     "    b.hs    Lgap_find_found"), "two pairs that touch have no gap"),
    ("gap_find", "a whole file has a gap", lambda: change("gap_find",
     "    b.hs    Lgap_find_none", "    b.hi    Lgap_find_none"), "nothing is missing"),
    ("gap_find", "the end of the pair", lambda: change("gap_find", "    mov     x1, x5\n",
     "    mov     x1, x6\n"), "x1 is where the gap ends"),
    ("gap_find", "pairs of eight bytes", lambda: change("gap_find", "[x0], #16", "[x0], #8"),
     "it should be C"),
    ("gap_find", "the carry of cmp", lambda: change("gap_find",
     "    mov     x1, x5\n    carry_clear\n", "    mov     x1, x5\n"), "carry_clear or carry_set"),
    ("tags_match", "nothing done", lambda: "func tags_match\n ret\n", "it should be C"),
    ("tags_match", "a weak one with itself", lambda: change("tags_match",
     "    cbz     x4, Ltags_match_no\n", "").replace("    cbz     x4, Ltags_match_no\n", ""),
     "not even itself"),
    ("tags_match", "only the first is looked at", lambda: change("tags_match",
     "    ldrb    w5, [x2]\n", "    mov     w5, #0\n"), "which of them is weak"),
    ("tags_match", "as they stand", lambda: change("tags_match", "    ldrb    w5, [x0]\n",
     "    b       Ltags_match_length\n    ldrb    w5, [x0]\n"), "which of them is weak"),
    ("tags_match", "the shorter length", lambda: change("tags_match",
     "    cmp     x1, x3\n    b.ne    Ltags_match_no\n",
     "    cmp     x1, x3\n    csel    x1, x1, x3, lo\n    sub     x1, x1, #1\n"),
     "not the same length"),
    ("tags_match", "case", lambda: change("tags_match", "    cmp     w5, w6\n",
     "    orr     w5, w5, #0x20\n    orr     w6, w6, #0x20\n    cmp     w5, w6\n"), "case counts"),
    ("tags_match", "the last byte only", lambda: change("tags_match",
     "    b.ne    Ltags_match_byte\n", ""), "every byte counts"),
    ("tags_match", "the carry of cmp", lambda: change("tags_match", "    carry_clear\n", ""),
     "carry_clear or carry_set comes last"),
    ("tags_match", "weak if there is a W anywhere", lambda: change("tags_match",
     "    b.ne    Ltags_match_no\n    subs ", "    b.ne    Ltags_match_no\n"
     "    cmp     w5, #'W'\n    b.eq    Ltags_match_no\n    subs "), "a letter like any other"),
    ("tags_match", "the length is not shortened", lambda: change("tags_match",
     "    sub     x1, x1, #2\n", "").replace("    sub     x3, x3, #2\n", ""),
     "which of them is weak"),
    ("content_range", "nothing done", lambda: "func content_range\n ret\n", "not yet"),
    ("content_range", "no frame", lambda: change("content_range",
     "    stp     x29, x30, [sp, #-16]!\n    mov     x29, sp\n", "").replace(
     "    ldp     x29, x30, [sp], #16\n", ""), "did not return"),
    ("content_range", "the last, not the one behind", lambda: change("content_range",
     "    add     x13, x13, #1\n", ""), "the byte behind the last one"),
    ("content_range", "any byte between them", lambda: change("content_range",
     "    cmp     w3, #'/'\n    b.ne    Lcontent_range_bad\n", "    cmp     w3, #'\\r'\n"
     "    b.eq    Lcontent_range_bad\n"), "with - and / between them"),
    ("content_range", "the end not looked at", lambda: change("content_range",
     "    cmp     x0, x10\n    b.ne    Lcontent_range_bad\n", ""), "stands behind the size"),
    ("content_range", "last in the file", lambda: change("content_range",
     "    cmp     x13, x1\n    b.hs    Lcontent_range_bad\n", ""), "the last byte must be in the"),
    ("content_range", "last = size", lambda: change("content_range",
     "    cmp     x13, x1\n    b.hs    Lcontent_range_bad\n",
     "    cmp     x13, x1\n    b.hi    Lcontent_range_bad\n"), "the last byte must be in the"),
    ("content_range", "first > last", lambda: change("content_range",
     "    cmp     x12, x13\n    b.hi    Lcontent_range_bad\n", ""),
     "the first byte must not be behind"),
    ("content_range", "a single byte refused", lambda: change("content_range",
     "    b.hi    Lcontent_range_bad\n", "    b.hs    Lcontent_range_bad\n"), "not yet"),
    ("content_range", "a size of any kind", lambda: change("content_range",
     "    tbnz    x1, #63, Lcontent_range_bad\n", ""), "not below 2^63"),
    ("content_range", "no size", lambda: change("content_range",
     "    bl      position_take\n    b.cs    Lcontent_range_return\n    cmp     x0, x10\n",
     "    bl      position_take\n    b.cc    Lcontent_range_size\n    mov     x1, #5000\n"
     "    ldrb    w3, [x0], #1\nLcontent_range_size:\n    cmp     x0, x10\n"),
     "the size must be there"),
    ("content_range", "- and / not looked at", lambda: change("content_range",
     "    cmp     w3, #'-'\n    b.ne    Lcontent_range_bad\n", ""), "with - and / between them"),
    ("content_range", "the word not looked at", lambda: change("content_range",
     "    bl      text_same               // the CR of a shorter value ends this\n"
     "    b.cs    Lcontent_range_return\n", ""), "the word bytes and one blank"),
    ("content_range", "no last byte", lambda: change("content_range",
     "    bl      position_take\n    b.cs    Lcontent_range_return\n    mov     x13, x1  ",
     "    bl      position_take\n    mov     x13, x1  "), "at least one digit in each"),
    ("content_range", "only small letters", lambda: change("content_range",
     "    addr    x1, content_unit\n    mov     x2, #content_unit_len\n"
     "    bl      text_same               // the CR of a shorter value ends this\n"
     "    b.cs    Lcontent_range_return\n", "    ldrb    w3, [x0]\n    cmp     w3, #'b'\n"
     "    b.ne    Lcontent_range_bad\n    ldrb    w3, [x0, #5]\n    cmp     w3, #' '\n"
     "    b.ne    Lcontent_range_bad\n    ldr     w3, [x0]\n    movi32  w4, 0x65747962\n"
     "    cmp     w3, w4\n    b.ne    Lcontent_range_bad\n    ldrb    w3, [x0, #4]\n"
     "    cmp     w3, #'s'\n    b.ne    Lcontent_range_bad\n"), "in any case"),
    ("content_range", "24 bytes and one", lambda: change("content_range",
     "    str     x1, [x11, #16]\n", "    stp     x1, xzr, [x11, #16]\n"), "did not return"),
]
