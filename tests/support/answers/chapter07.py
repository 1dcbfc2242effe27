"""Answers to the exercises of chapter 07."""

from __future__ import annotations

from support.answers import Wrong, change

ANOTHER_WAY = {
    "is_token": """func is_token
        sub w1, w0, #48
        cmp w1, #9
        b.ls Ly
        orr w1, w0, #0x20
        sub w1, w1, #97
        cmp w1, #25
        b.ls Ly
        addr x2, others
        mov x3, #15
    Lx: ldrb w1, [x2], #1
        cmp w1, w0
        b.eq Ly
        subs x3, x3, #1
        b.ne Lx
        mov x0, #0
        ret
    Ly: mov x0, #1
        ret
    rodata
    others:
        .ascii "!#$%&'*+-.^_`|~"
        """,
    "minor_version": """func minor_version
        mov x9, #0
        addr x10, known
        cmp x1, #8
        b.ne Lz
    Lx: ldrb w11, [x0, x9]
        ldrb w12, [x10, x9]
        cmp w11, w12
        b.ne Lz
        add x9, x9, #1
        cmp x9, #7
        b.lo Lx
        ldrb w0, [x0, #7]
        sub w0, w0, #48
        cmp w0, #10
        ret                             // C is set from 10 on
    Lz: carry_set
        ret
    rodata
    known:
        .ascii "HTTP/1."
        """,
    "quoted_length": """func quoted_length
        mov x9, #0                      // place
        mov x10, #0                     // state: 0 in front, 1 inside, 2 escaped
    Lx: cmp x9, x1
        b.eq Lmore
        ldrb w11, [x0, x9]
        add x9, x9, #1
        cbnz x10, Lin
        mov x10, #1
        cmp w11, #34
        b.eq Lx
        b Lbad
    Lin: cmp w11, #9
        b.eq Lgood
        cmp w11, #32
        b.lo Lbad
        cmp w11, #127
        b.eq Lbad
        cmp x10, #2
        b.eq Lgood
        cmp w11, #34
        b.eq Ldone
        cmp w11, #92
        b.ne Lgood
        mov x10, #2
        b Lx
    Lgood: mov x10, #1
        b Lx
    Lmore: mov x0, #0
        carry_set
        ret
    Lbad: mov x0, #400
        carry_set
        ret
    Ldone: mov x0, x9
        carry_clear
        ret""",
    "field_find": """func field_find
        add x9, x0, x1                  // end
        mov x10, x0                     // line
    Lline: cmp x10, x9
        b.hs Lnone
        mov x11, #0
    Lname: ldrb w12, [x10, x11]
        cmp x11, x3
        b.eq Lcolon
        ldrb w13, [x2, x11]
        sub w14, w12, #65
        cmp w14, #25
        b.hi Lplain
        add w12, w12, #32
    Lplain: cmp w12, w13
        b.ne Lskip
        add x11, x11, #1
        b Lname
    Lcolon: cmp w12, #58
        b.eq Lvalue
    Lskip: ldrb w12, [x10], #1
        cmp w12, #10
        b.ne Lskip
        b Lline
    Lvalue: add x11, x10, x11
    Lleft: add x11, x11, #1
        ldrb w12, [x11]
        cmp w12, #32
        b.eq Lleft
        cmp w12, #9
        b.eq Lleft
        mov x12, x11                    // behind the last byte that is no blank
        mov x13, x11
    Lbyte: ldrb w14, [x13], #1
        cmp w14, #13
        b.eq Lout
        cmp w14, #32
        b.eq Lbyte
        cmp w14, #9
        b.eq Lbyte
        mov x12, x13
        b Lbyte
    Lout: sub x1, x12, x11
        sub x0, x11, x0
        carry_clear
        ret
    Lnone: carry_set
        ret""",
}

WRONG: list[Wrong] = [
    ("is_token", "nothing done", lambda: "func is_token\n ret\n", "gave 1, not 0"),
    ("is_token", "the whole entry", lambda: change("is_token", "    and     w0, w0, #1 ", "    //"),
     "take the one bit out"),
    ("is_token", "another bit", lambda: change("is_token", "    and     w0, w0, #1 ",
     "    ubfx    w0, w0, #1, #1 //"), "'#'"),
    ("is_token", "letters and digits only", lambda: "func is_token\n sub w1, w0, #48\n cmp w1, #9\n"
     " b.ls Ly\n orr w1, w0, #0x20\n sub w1, w1, #97\n cmp w1, #25\n b.ls Ly\n mov x0, #0\n ret\n"
     "Ly:\n mov x0, #1\n ret\n", "fifteen characters"),
    ("is_token", "a range too long", lambda: "func is_token\n sub w1, w0, #48\n cmp w1, #10\n"
     " b.ls Ly\n addr x1, char_class\n ldrb w0, [x1, x0]\n and w0, w0, #1\n ret\n"
     "Ly:\n mov x0, #1\n ret\n", "off by one"),
    ("is_token", "signed", lambda: "func is_token\n sxtb x2, w0\n cmp x2, #33\n b.lt Ly\n"
     " addr x1, char_class\n ldrb w0, [x1, x0]\n and w0, w0, #1\n ret\nLy:\n"
     " cmp w0, #128\n cset x0, hs\n ret\n", "a token is plain ASCII"),
    ("is_token", "x19 spoiled", lambda: change("is_token", "    ret", "    mov x19, x0\n    ret"),
     "changed x19"),
    ("is_token", "the carry", lambda: "func is_token\n addr x1, char_class\n ldrb w2, [x1, x0]\n"
     " tbz w2, #0, Ln\n carry_clear\n ret\nLn:\n carry_set\n ret\n", "the byte itself"),
    ("is_token", "x18 used", lambda: change("is_token", "    ret", "    mov     x18, x0\n    ret"),
     "belongs to the system"),
    ("is_token", "no room on the stack", lambda: "func is_token\n str x0, [sp, #8]\n"
     " addr x1, char_class\n ldrb w0, [x1, x0]\n and w0, w0, #1\n ret\n",
     "wrote above sp"),
    ("is_token", "half a frame", lambda: "func is_token\n sub sp, sp, #8\n str x0, [sp]\n"
     " ldr x0, [sp]\n add sp, sp, #8\n addr x1, char_class\n ldrb w0, [x1, x0]\n"
     " and w0, w0, #1\n ret\n", "a multiple of 16"),

    ("minor_version", "nothing done", lambda: "func minor_version\n ret\n", "x0 = 0"),
    ("minor_version", "no look at the length", lambda: change(
        "minor_version", "    b.ne    Lminor_version_no\n    ldr ", "    ldr "), "did not return"),
    ("minor_version", "as much as it needs", lambda: change(
        "minor_version", "    b.ne    Lminor_version_no\n    ldr ",
        "    b.lo    Lminor_version_no\n    ldr "), "exactly eight bytes"),
    ("minor_version", "the character", lambda: change(
        "minor_version", "    sub     x0, x0, #'0'\n    cmp     x0, #9",
        "    sub     x4, x0, #'0'\n    cmp     x4, #9"), "the digit is a character"),
    ("minor_version", "any last byte", lambda: change(
        "minor_version", "    b.hi    Lminor_version_no\n", ""), "must be a digit"),
    ("minor_version", "signed", lambda: change(
        "minor_version", "    b.hi", "    b.gt"), "must be a digit"),
    ("minor_version", "one byte not compared", lambda: change(
        "minor_version", "    lsl     x2, x2, #8 ", "    lsl     x2, x2, #16 //"),
     "each of the seven bytes"),
    ("minor_version", "the carry of the comparison", lambda: change(
        "minor_version", "    carry_clear\n", "    cmp     x0, #0\n"), "cmp changes C as well"),

    ("minor_version", "no frame for x30", lambda: "func minor_version\n mov x9, x0\n cmp x1, #8\n"
     " b.ne Lz\n bl version_parse\n b.cs Lz\n ldrb w0, [x9, #7]\n sub w0, w0, #48\n"
     " carry_clear\n ret\nLz:\n carry_set\n ret\n", "a bl without a frame"),
    ("minor_version", "0 or 1", lambda: "func minor_version\n cmp x1, #8\n b.ne Lz\n"
     " b version_parse\nLz:\n carry_set\n ret\n", "each of the ten digits"),
    ("minor_version", "the text changed", lambda: change(
        "minor_version", "    carry_clear\n", "    strb    wzr, [x9]\n    carry_clear\n").replace(
        "func minor_version\n", "func minor_version\n    mov     x9, x0\n"), "changed the text"),
    ("minor_version", "a byte in front", lambda: change(
        "minor_version", "func minor_version\n",
        "func minor_version\n    strb    wzr, [x0, #-1]\n"), "wrote in front of a buffer"),

    ("quoted_length", "nothing done", lambda: "func quoted_length\n ret\n",
     "it should be C clear, x0 = 2"),
    ("quoted_length", "without its last quote", lambda: change(
        "quoted_length", "    sub     x0, x2, x0", "    sub     x0, x2, x0\n    sub x0, x0, #1"),
     "both quotes count"),
    ("quoted_length", "no escapes", lambda: change(
        "quoted_length", "    b.ne    Lquoted_length_check", "    b       Lquoted_length_check"),
     "behind a backslash"),
    ("quoted_length", "half an escape is whole", lambda: change(
        "quoted_length", "    b.ne    Lquoted_length_check\n    cmp     x2, x1\n"
        "    b.hs    Lquoted_length_more\n", "    b.ne    Lquoted_length_check\n"),
     "did not return: unmapped"),
    ("quoted_length", "half an escape is wrong", lambda: change(
        "quoted_length", "    b.ne    Lquoted_length_check\n    cmp     x2, x1\n"
        "    b.hs    Lquoted_length_more\n", "    b.ne    Lquoted_length_check\n"
        "    cmp     x2, x1\n    b.hs    Lquoted_length_bad\n"), "has not come yet"),
    ("quoted_length", "anything may be escaped", lambda: change(
        "quoted_length", "    ldrb    w3, [x2], #1\nLquoted_length_check:",
        "    add     x2, x2, #1\n    b       Lquoted_length_inside\nLquoted_length_check:"),
     "does not make a control character good"),
    ("quoted_length", "no tab", lambda: change(
        "quoted_length", "    cmp     w3, #'\\t'\n    b.eq    Lquoted_length_inside\n", ""),
     "the tab is the one control"),
    ("quoted_length", "DEL passes", lambda: change(
        "quoted_length", "    cmp     w3, #0x7f\n    b.eq    Lquoted_length_bad\n", ""),
     r"b'\"\x7f\"'".replace("\\\"", '"')),
    ("quoted_length", "cut off is wrong", lambda: change(
        "quoted_length", "Lquoted_length_more:\n    mov     x0, #0",
        "Lquoted_length_more:\n    mov     x0, #400"), "its end is missing"),
    ("quoted_length", "only ASCII", lambda: change(
        "quoted_length", "    b.hs    Lquoted_length_inside\nLquoted_length_bad",
        "    b.lo    Lquoted_length_bad\n    tbz     w3, #7, Lquoted_length_inside\n"
        "Lquoted_length_bad"), "xe9"),
    ("quoted_length", "the carry of the comparison", lambda: change(
        "quoted_length", "    carry_clear\n", "    cmp     x0, x0\n"), "cmp changes C as well"),

    ("quoted_length", "the text changed", lambda: change(
        "quoted_length", "    carry_clear\n", "    strb    wzr, [x2, #-1]\n    carry_clear\n"),
     "changed the text"),

    ("field_find", "nothing done", lambda: "func field_find\n ret\n", "it should be C clear"),
    ("field_find", "no colon", lambda: change(
        "field_find", "    cmp     w4, #':'\n    b.ne    Lfield_find_next\n", ""),
     "only begins like it"),
    ("field_find", "exact letters", lambda: change(
        "field_find", "    bl      text_same\n    b.cc ", "    cbz     x2, Lfield_find_next\nLq:\n"
        "    ldrb    w3, [x0], #1\n    ldrb    w4, [x1], #1\n    cmp     w3, w4\n"
        "    b.ne    Lfield_find_next\n    subs    x2, x2, #1\n    b.ne    Lq\n    b    "),
     "names have no letter case"),
    ("field_find", "bit 0x20 of everything", lambda: change(
        "field_find", "    bl      text_same\n    b.cc ", "    cbz     x2, Lfield_find_next\nLq:\n"
        "    ldrb    w3, [x0], #1\n    ldrb    w4, [x1], #1\n    orr     w3, w3, #0x20\n"
        "    orr     w4, w4, #0x20\n    cmp     w3, w4\n"
        "    b.ne    Lfield_find_next\n    subs    x2, x2, #1\n    b.ne    Lq\n    b    "),
     "are no letters"),
    ("field_find", "blanks in front", lambda: change(
        "field_find", "    b.eq    Lfield_find_left\n    cmp     w4, #'\\t'\n"
        "    b.eq    Lfield_find_left\n", "    nop\n"), "blanks and tabs"),
    ("field_find", "tabs behind", lambda: change(
        "field_find", "    cmp     w4, #'\\t'\n    b.eq    Lfield_find_right\n", ""),
     "blanks and tabs"),
    ("field_find", "the address", lambda: change(
        "field_find", "    sub     x0, x0, x19\n", ""), "the start of the head"),
    ("field_find", "the last one", lambda: change(
        "field_find", "    b.cc    Lfield_find_found\n", "    b.cs    Lfield_find_next\n"
        "    mov     x10, x20\n    mov     x11, x24\n").replace(
        "    mov     x23, x3\n", "    mov     x23, x3\n    mov     x10, #0\n").replace(
        "Lfield_find_none:\n", "Lfield_find_none:\n    mov     x20, x10\n    mov     x24, x11\n"
        "    cbnz    x10, Lfield_find_found\n"), "stop at the first"),
    ("field_find", "the carry of the comparison", lambda: change(
        "field_find", "    carry_clear\n", "    cmp     x0, #0\n"), "cmp changes C as well"),
    ("field_find", "past the end", lambda: change(
        "field_find", "    cmp     x20, x21\n    b.hs    Lfield_find_none\n",
        "    cmp     x20, x21\n    b.hi    Lfield_find_none\n"), "did not return: unmapped"),
    ("field_find", "x24 not restored", lambda: change(
        "field_find", "    ldp     x23, x24, [sp, #48]", "    ldr     x23, [sp, #48]"),
     "changed x24"),
]
