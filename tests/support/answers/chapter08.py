"""Answers to the exercises of chapter 08."""

from __future__ import annotations

from support.answers import Wrong, change

ANOTHER_WAY = {
    "hex_digit": """func hex_digit
        cmp x0, #102
        b.hi Lz
        addr x1, digits
        ldrb w0, [x1, x0]
        cmp w0, #16
        b.hs Lz
        cmn xzr, xzr
        ret
    Lz: mov x0, #22
        cmp xzr, xzr
        ret
    rodata
    digits:
        .rept 48
        .byte 16
        .endr
        .byte 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 16, 16, 16, 16, 16, 16
        .byte 10, 11, 12, 13, 14, 15
        .rept 26
        .byte 16
        .endr
        .byte 10, 11, 12, 13, 14, 15""",
    "percent_decode": """func percent_decode
        stp x29, x30, [sp, #-64]!
        stp x19, x20, [sp, #16]
        stp x21, x22, [sp, #32]
        str x23, [sp, #48]
        mov x19, x0                 // text
        mov x20, x1                 // bytes left
        mov x21, x2                 // buffer
        mov x22, x3                 // its size
        mov x23, #0                 // bytes written
    Ln: cbz x20, Ld
        mov x4, #ERANGE
        cmp x23, x22
        b.hs Lz
        ldrb w0, [x19]
        mov x5, #1
        cmp w0, #37
        b.ne Ls
        mov x4, #EINVAL
        cmp x20, #3
        b.lo Lz
        add x0, x19, #1
        bl hex_pair
        mov x4, #EINVAL
        b.cs Lz
        mov x5, #3
    Ls: strb w0, [x21, x23]
        add x23, x23, #1
        add x19, x19, x5
        sub x20, x20, x5
        b Ln
    Ld: mov x4, x23
        cmn xzr, xzr
        b Lq
    Lz: cmp xzr, xzr
    Lq: mov x0, x4
        ldr x23, [sp, #48]
        ldp x21, x22, [sp, #32]
        ldp x19, x20, [sp, #16]
        ldp x29, x30, [sp], #64
        ret""",
    # A machine of four states: how many dots the segment has so far, or 3 for a name.
    "path_depth": """func path_depth
        mov x9, #0
        mov x10, #0
        add x11, x0, x1
    Ln: cmp x0, x11
        b.eq Le
        ldrb w1, [x0], #1
        cmp w1, #'/'
        b.eq Ls
        cmp x10, #3
        b.eq Ln
        cmp w1, #'.'
        b.ne Lm
        cmp x10, #2
        b.eq Lq
        add x10, x10, #1
        b Ln
    Lm: mov x10, #3
        b Ln
    Lq: mov x10, #3
        b Ln
    Le: mov x0, #0
    Ls: cmp x10, #3
        b.eq Lu
        cmp x10, #2
        b.ne Lt
        cbz x9, Lz
        sub x9, x9, #1
        b Lt
    Lu: add x9, x9, #1
    Lt: mov x10, #0
        cbnz x0, Ln
        mov x0, x9
        cmn xzr, xzr
        ret
    Lz: cmp xzr, xzr
        ret""",
    # From the front: a slash begins a name, a dot behind its first byte may be the last one.
    "last_extension": """func last_extension
        mov x2, #0                  // place
        mov x3, #0                  // start of the name
        mov x4, #0                  // behind the last dot, 0 for none
    Ln: cmp x2, x1
        b.hs Le
        ldrb w5, [x0, x2]
        add x2, x2, #1
        cmp w5, #'/'
        b.eq Ls
        cmp w5, #'.'
        b.ne Ln
        sub x6, x2, x3
        cmp x6, #1
        b.eq Ln
        mov x4, x2
        b Ln
    Ls: mov x3, x2
        mov x4, #0
        b Ln
    Le: cbz x4, Lz
        mov x0, x4
        subs x1, x1, x4
        b.eq Lz
        cmn xzr, xzr
        ret
    Lz: cmp xzr, xzr
        ret""",
}

WRONG: list[Wrong] = [
    ("hex_digit", "nothing done", lambda: "func hex_digit\n ret\n", "C clear, x0 = 0"),
    ("hex_digit", "no upper case", lambda: change("hex_digit",
     "    orr     w1, w0, #0x20           // lower case\n    sub     w1, w1, #'a'",
     "    sub     w1, w0, #'a'"), "upper-case letter lower"),
    ("hex_digit", "one letter too many", lambda: change("hex_digit", "cmp     w1, #5",
     "cmp     w1, #6"), "the letters end with f"),
    ("hex_digit", "letters from 0", lambda: change("hex_digit",
     "    add     w1, w1, #10\n", ""), "begins at 10"),
    ("hex_digit", "signed", lambda: change("hex_digit", "    b.ls    Lhex_digit_done",
     "    b.le    Lhex_digit_done"), "unsigned comparison"),
    ("hex_digit", "the carry of cmp", lambda: change("hex_digit", "    carry_clear\n",
     "    cmp     w0, w0\n"), "carry_clear or carry_set comes last"),
    ("hex_digit", "no reason", lambda: change("hex_digit", "    mov     x0, #EINVAL\n", ""),
     "22 (EINVAL)"),
    ("hex_digit", "x19 spoiled", lambda: "func hex_digit\n mov x19, x0\n ret\n", "changed x19"),
    ("percent_decode", "nothing done", lambda: "func percent_decode\n ret\n",
     "it should be C clear, x0 = 0"),
    ("percent_decode", "no room asked for", lambda: change("percent_decode",
     "    b.eq    Lpercent_decode_large\n", ""), "room for one byte more"),
    ("percent_decode", "room for what comes in", lambda: change("percent_decode",
     "Lpercent_decode_next:\n", "    cmp     x1, x3\n    b.hi    Lpercent_decode_large\n"
     "Lpercent_decode_next:\n"), "count what comes out"),
    ("percent_decode", "escape not counted", lambda: change("percent_decode",
     "    cmp     x1, #2\n    b.lo    Lpercent_decode_invalid\n", ""),
     "before you let hex_pair read two"),
    ("percent_decode", "bad digits let through", lambda: change("percent_decode",
     "    b.cs    Lpercent_decode_invalid\n", ""), "EINVAL"),
    ("percent_decode", "decoded twice", lambda: change("percent_decode",
     "    add     x9, x9, #2\n", "    add     x9, x9, #2\n    cmp     w0, #'%'\n"
     "    b.ne    Lpercent_decode_store\n    sub     x1, x10, x9\n    cmp     x1, #2\n"
     "    b.lo    Lagain\n    mov     x0, x9\n    bl      hex_pair\n    add     x9, x9, #2\n"
     "    b.cc    Lpercent_decode_store\n    sub     x9, x9, #2\nLagain:\n"
     "    mov     w0, #'%'\n"), "decode once"),
    ("percent_decode", "the digits stay", lambda: change("percent_decode",
     "    add     x9, x9, #2\n", ""), "it should be C clear, x0 = 1"),
    ("percent_decode", "no frame", lambda: change("percent_decode",
     "    stp     x29, x30, [sp, #-16]!\n    mov     x29, sp\n", "").replace(
     "    ldp     x29, x30, [sp], #16\n", ""), "did not return"),
    ("percent_decode", "gives the end", lambda: change("percent_decode",
     "    sub     x0, x12, x11\n", "    mov     x0, x12\n"), "start of the buffer"),
    ("percent_decode", "a NUL behind it", lambda: change("percent_decode",
     "    sub     x0, x12, x11\n", "    sub     x0, x12, x11\n    cmp     x12, x13\n"
     "    b.eq    Lfull\n    strb    wzr, [x12]\nLfull:\n"), "must stay as it was"),
    ("path_depth", "nothing done", lambda: "func path_depth\n ret\n", "C clear, x0 = 0"),
    ("path_depth", "dots not looked at", lambda: change("path_depth", "    cmp     w6, #'.'\n",
     "    cmp     w6, #0\n"), "a single . stays"),
    ("path_depth", "only the end counts", lambda: change("path_depth",
     "    b.lo    Lpath_depth_above\n", "").replace("    mov     x0, x9\n",
     "    mov     x0, x9\n    tbnz    x0, #63, Lpath_depth_above\n"), "for a moment"),
    ("path_depth", "three dots go up", lambda: change("path_depth",
     "    cmp     x5, #2\n    b.ne    Lpath_depth_name\n", ""), "only the two dots alone"),
    ("path_depth", "one dot is a name", lambda: change("path_depth",
     "    b.eq    Lpath_depth_next        // \".\"\n", "    b.eq    Lpath_depth_name\n"),
     "a single . stays"),
    ("path_depth", "nothing is a name", lambda: change("path_depth",
     "    cbz     x5, Lpath_depth_next\n", "    cbz     x5, Lpath_depth_name\n"),
     "it should be C clear, x0 = 0"),
    ("path_depth", "the last one forgotten", lambda: change("path_depth",
     "    cmp     x2, x1\n    b.eq    Lpath_depth_judge\n",
     "    cmp     x2, x1\n    b.eq    Lpath_depth_done\n"), "end of the path completes"),
    ("path_depth", "the carry of cmp", lambda: change("path_depth", "    carry_clear\n",
     "    cmp     x2, x1\n"), "carry_clear or carry_set comes last"),
    ("path_depth", "reads one byte too many", lambda: change("path_depth",
     "    cmp     x5, #1\n    b.eq    Lpath_depth_next        // \".\"\n", ""),
     "did not return: unmapped"),
    ("last_extension", "nothing done", lambda: "func last_extension\n ret\n", "it should be"),
    ("last_extension", "the folder's dot", lambda: change("last_extension",
     "    cmp     w4, #'/'\n    b.eq    Llast_extension_none\n    cmp     w4, #'.'",
     "    cmp     w4, #'.'"), "name of a folder"),
    ("last_extension", "the first dot", lambda: """func last_extension
        mov x3, x0
        add x2, x0, x1
    Ln: cmp x3, x2
        b.eq Lz
        ldrb w4, [x3], #1
        cmp w4, #'.'
        b.ne Ln
        subs x1, x2, x3
        b.eq Lz
        sub x0, x3, x0
        cmn xzr, xzr
        ret
    Lz: cmp xzr, xzr
        ret""", "the last one counts"),
    ("last_extension", "a profile", lambda: change("last_extension",
     "    cmp     x3, x0\n    b.eq    Llast_extension_none    // nothing in front of the dot\n"
     "    ldrb    w4, [x3, #-1]\n    cmp     w4, #'/'\n    b.eq    Llast_extension_none\n", ""),
     "only dot is its first byte"),
    ("last_extension", "nothing behind it", lambda: change("last_extension",
     "    b.eq    Llast_extension_none    // nothing behind it\n", ""),
     "nothing stands behind the dot"),
    ("last_extension", "with its dot", lambda: change("last_extension",
     "    add     x3, x3, #1\n    subs    x1, x2, x3\n",
     "    subs    x1, x2, x3\n"), "the dot itself"),
    ("last_extension", "gives the place", lambda: change("last_extension",
     "    sub     x0, x3, x0\n", "    mov     x0, x3\n"), "start of the path"),
    ("last_extension", "looks in front of the path", lambda: change("last_extension",
     "    cmp     x3, x0\n    b.eq    Llast_extension_none\n    ldrb    w4, [x3, #-1]!",
     "    ldrb    w4, [x3, #-1]!"), "did not return: unmapped"),
]
