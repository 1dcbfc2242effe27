"""Answers to the exercises of chapter 09."""

from __future__ import annotations

from support.answers import Wrong, change

ANOTHER_WAY = {
    "two_digits": """func two_digits
        mov w9, #'0'
    Lx: cmp x1, #10
        b.lo Ly
        sub x1, x1, #10
        add w9, w9, #1
        b Lx
    Ly: add w1, w1, #'0'
        orr w9, w9, w1, lsl #8
        strh w9, [x0], #2
        ret""",
    "weekday": """func weekday
        mov x9, #7
        udiv x10, x0, x9
        msub x0, x10, x9, x0
        add x0, x0, #4
        cmp x0, #7
        b.lo Lx
        sub x0, x0, #7
    Lx: ret""",
    "length_field": """func length_field
        stp x29, x30, [sp, #-48]!
        mov x6, x0
        mov x0, x1
        add x1, sp, #46
        mov w3, #0x0a0d
        strh w3, [x1]
        bl u64_format
        add x7, x2, #2
        mov x8, x1
        mov x0, x6
        adr x1, Lname
        mov x2, #16
        bl mem_copy
        mov x1, x8
        mov x2, x7
        bl mem_copy
        ldp x29, x30, [sp], #48
        ret
    Lname: .ascii "Content-Length: "
    """,
    "type_find": """func type_find
        add x2, x0, x1
    Lx: cmp x2, x0
        b.eq Lother
        ldrb w3, [x2, #-1]!
        cmp w3, #'.'
        b.ne Lx
        cmp x2, x0
        b.eq Lother
        add x3, x0, x1
        sub x3, x3, x2
        ldr x4, [x2]
        orr x4, x4, #0x2020202020202020
        cmp x3, #4
        b.eq Lthree
        cmp x3, #5
        b.ne Lother
        and x4, x4, #0xffffffffff
        ldr x5, Lhtml
        cmp x4, x5
        b.ne Lother
        adr x0, Lhtml_type
        mov x1, #9
        ret
    Lthree:
        ldr w5, Lcss
        cmp w4, w5
        b.eq Lis_css
        ldr w5, Lpng
        cmp w4, w5
        b.ne Lother
        adr x0, Lpng_type
        mov x1, #9
        ret
    Lis_css:
        adr x0, Lcss_type
        mov x1, #8
        ret
    Lother:
        adr x0, Lother_type
        mov x1, #24
        ret
    .p2align 3
    Lhtml: .ascii ".html\\0\\0\\0"
    Lcss: .ascii ".css"
    Lpng: .ascii ".png"
    Lhtml_type: .ascii "text/html"
    Lcss_type: .ascii "text/css"
    Lpng_type: .ascii "image/png"
    Lother_type: .ascii "application/octet-stream"
    """,
}

WRONG: list[Wrong] = [
    ("two_digits", "nothing done", lambda: "func two_digits\n ret\n", "left b'..', not b'00'"),
    ("two_digits", "turned round", lambda: change("two_digits", "strb    w3, [x0], #1\n"
     "    strb    w1,", "strb    w1, [x0], #1\n    strb    w3,"), "the tens come first"),
    ("two_digits", "no characters", lambda: change("two_digits", "    add     w3, w3, #'0'\n"
     "    add     w1, w1, #'0'\n", ""), "add '0'"),
    ("two_digits", "no zero in front", lambda: change("two_digits", "    strb    w3, [x0], #1\n",
     "    cmp     w3, #'0'\n    b.eq    Lq\n    strb    w3, [x0], #1\nLq:\n"),
     "a zero in front"),
    ("two_digits", "gives its start", lambda: change("two_digits", "    strb    w3, [x0], #1\n"
     "    strb    w1, [x0], #1", "    strb    w3, [x0]\n    strb    w1, [x0, #1]"),
     "the place behind the last byte"),
    ("two_digits", "four bytes", lambda: change("two_digits", "    strb    w1, [x0], #1",
     "    str     w1, [x0], #1"), "did not return: unmapped"),
    ("two_digits", "a byte in front", lambda: change("two_digits", "    mov     x2, #10",
     "    strb    wzr, [x0, #-1]\n    mov     x2, #10"), "wrote in front of a buffer"),
    ("two_digits", "x20 spoiled", lambda: change("two_digits", "    mov     x2, #10",
     "    mov     x20, x1\n    mov     x2, #10"), "changed x20"),
    ("weekday", "nothing done", lambda: "func weekday\n ret\n", "gave 3, not 0"),
    ("weekday", "begins on a Sunday", lambda: change("weekday", "    add     x0, x0, #4 ",
     "    //"), "was a Thursday"),
    ("weekday", "Monday is 0", lambda: change("weekday", "    add     x0, x0, #4 ",
     "    add     x0, x0, #3 "), "Sunday is 0"),
    ("weekday", "weeks", lambda: change("weekday", "    msub    x0, x2, x1, x0",
     "    mov     x0, x2"), "the number of weeks"),
    ("weekday", "half the bits", lambda: change("weekday", "    add     x0, x0, #4 ",
     "    mov     w0, w0\n    add     x0, x0, #4 "), "use x registers"),
    ("weekday", "sp moved", lambda: change("weekday", "    mov     x1, #7",
     "    sub     sp, sp, #16\n    mov     x1, #7"), "changed sp"),
    ("length_field", "nothing done", lambda: "func length_field\n ret\n", "nothing was written"),
    ("length_field", "no end of line", lambda: change("length_field",
     "    strh    w1, [x0], #2\n", ""), "the end of the line is missing"),
    ("length_field", "turned round", lambda: change("length_field", "'\\r' | '\\n' << 8",
     "'\\n' | '\\r' << 8"), "CR comes first"),
    ("length_field", "only LF", lambda: change("length_field", "    mov     w1, #'\\r' | '\\n' << 8"
     "\n    strh    w1, [x0], #2", "    mov     w1, #'\\n'\n    strb    w1, [x0], #1"),
     "two bytes, CR and LF"),
    ("length_field", "no digits", lambda: change("length_field", "    mov     x0, x20\n"
     "    bl      mem_copy\n", "    mov     x0, x20\n"), "just where mem_copy wants them"),
    ("length_field", "gives its start", lambda: change("length_field",
     "    strh    w1, [x0], #2\n", "    strh    w1, [x0]\n"), "the place behind the last byte"),
    ("length_field", "cursor lost", lambda: change("length_field", "    mov     x0, x20\n", ""),
     "lose its cursor"),
    ("length_field", "one byte more", lambda: change("length_field",
     "    strh    w1, [x0], #2\n", "    strh    w1, [x0], #2\n    strb    wzr, [x0]\n"),
     "did it write more"),
    ("length_field", "x20 not restored", lambda: change("length_field",
     "    ldp     x19, x20, [sp, #16]\n", "    ldr     x19, [sp, #16]\n"), "changed x20"),
    ("type_find", "nothing done", lambda: "func type_find\n ret\n", "not b'text/html'"),
    ("type_find", "case counts", lambda: change("type_find",
     "    orr     x0, x0, #0x2020202020202020\n", "    lsl     x1, x1, #0\n").replace(
     '"html    "', '"html\\0\\0\\0\\0"').replace('"css     "', '"css\\0\\0\\0\\0\\0"').replace(
     '"png     "', '"png\\0\\0\\0\\0\\0"'), "upper-case letters"),
    ("type_find", "everything is a page", lambda: change("type_find", "    b.ne    Ltype_find_row",
     "    nop"), "not b'text/css'"),
    ("type_find", "one byte short", lambda: change("type_find", "    ldr     w1, [x3, #-4]",
     "    ldr     w1, [x3, #-4]\n    sub     x1, x1, #1"), "its length is not"),
    ("type_find", "length forgotten", lambda: change("type_find", "    ldr     w1, [x3, #-4]",
     "    mov     x1, #-1"), "gave a length of"),
    ("type_find", "a distance, not an address", lambda: change("type_find",
     "    add     x0, x2, x0\n", ""), "there is no memory"),
    ("type_find", "no frame", lambda: change("type_find",
     "    stp     x29, x30, [sp, #-16]!\n    mov     x29, sp\n", "").replace(
     "    ldp     x29, x30, [sp], #16\n", ""), "did not return"),
]
