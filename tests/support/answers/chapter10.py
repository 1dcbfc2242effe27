"""Answers to the exercises of chapter 10."""

from __future__ import annotations

from support.answers import Wrong, change

ANOTHER_WAY = {
    # A byte for each errno up to 62, and 's' beyond.
    "errno_kind": """func errno_kind
        mov x9, #'s'
        cmp x0, #62
        b.hi Ld
        mov x9, #'c'
        mov x1, #1
        lsl x1, x1, x0
        addr x2, masks
        ldp x3, x4, [x2]
        tst x1, x3
        b.ne Ld
        mov x9, #'t'
        tst x1, x4
        b.ne Ld
        mov x9, #'s'
    Ld: mov x0, x9
        ret
    rodata
    .p2align 3
    masks:
        .quad 1 << ENOENT | 1 << ENOTDIR | 1 << EACCES | 1 << EPERM | 1 << ELOOP
        .quad 1 << EMFILE | 1 << ENFILE | 1 << ENOMEM | 1 << EAGAIN""",
    # A base and a length that is halved, without a branch back to the middle.
    "row_find": """func row_find
        mov x9, #0
        cbz x2, Lz
    Ln: cmp x2, #1
        b.ls Le
        lsr x3, x2, #1
        add x4, x9, x3
        lsl x5, x4, #2
        ldrh w6, [x1, x5]
        cmp w6, w0
        csel x9, x4, x9, ls
        sub x2, x2, x3
        b Ln
    Le: lsl x5, x9, #2
        ldrh w6, [x1, x5]
        cmp w6, w0
        b.ne Lz
        mov x0, x9
        cmn xzr, xzr
        ret
    Lz: mov x0, #2
        cmp xzr, xzr
        ret""",
    # By comparing, with the length of each replacement, and all room asked for at once.
    "html_escape": """func html_escape
        mov x9, #0                  // bytes written
        mov x10, #0                 // place in the text
    Ln: cmp x10, x1
        b.eq Ld
        ldrb w4, [x0, x10]
        add x10, x10, #1
        mov x6, #1
        cmp w4, #'&'
        b.eq La
        cmp w4, #'<'
        b.eq Lb
        cmp w4, #'>'
        b.eq Lc
        cmp w4, #'"'
        b.eq Lq
        cmp w4, #39
        b.eq Lp
        b Lw
    La: addr x5, amp
        mov x6, #5
        b Ll
    Lb: addr x5, lt
        mov x6, #4
        b Ll
    Lc: addr x5, gt
        mov x6, #4
        b Ll
    Lq: addr x5, quot
        mov x6, #6
        b Ll
    Lp: addr x5, apos
        mov x6, #5
    Ll: ldr x4, [x5]
    Lw: sub x7, x3, x9
        cmp x6, x7
        b.hi Lz
    Ls: strb w4, [x2, x9]
        add x9, x9, #1
        lsr x4, x4, #8
        sub x6, x6, #1
        cbnz x6, Ls
        b Ln
    Ld: mov x0, x9
        cmn xzr, xzr
        ret
    Lz: mov x0, #ERANGE
        cmp xzr, xzr
        ret
    rodata
    .p2align 3
    amp: .ascii "&amp;\\0\\0\\0"
    lt: .ascii "&lt;\\0\\0\\0\\0"
    gt: .ascii "&gt;\\0\\0\\0\\0"
    quot: .ascii "&quot;\\0\\0"
    apos: .ascii "&#39;\\0\\0\\0\"""",
}

WRONG: list[Wrong] = [
    ("errno_kind", "nothing done", lambda: "func errno_kind\n ret\n", "one of those that the text"),
    ("errno_kind", "capitals", lambda: change("errno_kind", "'c'", "'C'"), "small letters"),
    ("errno_kind", "0 is in the table", lambda: change("errno_kind", "    cbz     w2, Lerrno",
     "    cbz     w0, Lerrno"), "belongs to the server"),
    ("errno_kind", "one left out", lambda: change("errno_kind", "    .short  ELOOP, 'c'\n", ""),
     "ELOOP is one of those"),
    ("errno_kind", "everything temporary", lambda: change("errno_kind", "    .short  0, 's'",
     "    .short  0, 't'"), "belongs to the server"),
    ("errno_kind", "one too many", lambda: change("errno_kind", "    .short  EAGAIN, 't'\n",
     "    .short  EAGAIN, 't'\n    .short  EIO, 's'\n    .short  EINVAL, 'c'\n"),
     "everything else is 's'"),
    ("errno_kind", "the whole row", lambda: change("errno_kind", "    ldrh    w0, [x1, #-2]",
     "    ldr     w0, [x1, #-4]"), "a letter is one byte"),
    ("errno_kind", "x20 spoiled", lambda: change("errno_kind", "    ret\n",
     "    mov     x20, x1\n    ret\n"), "changed x20"),
    ("row_find", "nothing done", lambda: "func row_find\n ret\n", "it should be"),
    ("row_find", "from row to row", lambda: """func row_find
        mov x3, #0
    Ln: cmp x3, x2
        b.hs Lz
        add x6, x1, x3, lsl #2
        ldrh w6, [x6]
        cmp w6, w0
        b.eq Lf
        add x3, x3, #1
        b Ln
    Lf: mov x0, x3
        cmn xzr, xzr
        ret
    Lz: mov x0, #ENOENT
        cmp xzr, xzr
        ret""", "throw half of the table away"),
    ("row_find", "no plus one", lambda: change("row_find", "    add     x3, x5, #1",
     "    mov     x3, x5"), "did not return"),
    ("row_find", "the empty table", lambda: change("row_find", "    b.hs    Lrow_find_none\n", ""),
     "did not return"),
    ("row_find", "the last row", lambda: change("row_find", "    mov     x4, x2\n",
     "    subs    x4, x2, #1\n    csel    x4, x4, xzr, hs\n"), "looked at as well"),
    ("row_find", "signed", lambda: change("row_find", "    ldrh    w6", "    ldrsh   w6").replace(
     "    b.lo    Lrow_find_upper", "    b.lt    Lrow_find_upper"), "unsigned"),
    ("row_find", "four bytes loaded", lambda: change("row_find", "    ldrh    w6",
     "    ldr     w6"), "loaded with ldrh"),
    ("row_find", "rows of two bytes", lambda: change("row_find", "x5, lsl #2 ", "x5, lsl #1 "),
     "a row has 4 bytes"),
    ("row_find", "an upper bound below 0", lambda: change("row_find", "    mov     x4, x2\n",
     "    sub     x4, x2, #1\n").replace("    b.hs    Lrow_find_none", "    b.hi    Lrow_find_none")
     .replace("    mov     x4, x5 ", "    sub     x4, x5, #1 "), "0 - 1 without a sign"),
    ("row_find", "gives the status", lambda: change("row_find", "    mov     x0, x5\n",
     "    mov     x0, x6\n"), "that is the status"),
    ("row_find", "gives the place", lambda: change("row_find", "    mov     x0, x5\n",
     "    add     x0, x1, x5, lsl #2\n"), "that is an address"),
    ("row_find", "gives the distance", lambda: change("row_find", "    mov     x0, x5\n",
     "    lsl     x0, x5, #2\n"), "distance in bytes"),
    ("row_find", "the carry of cmp", lambda: change("row_find", "    carry_clear\n", ""),
     "carry_clear or carry_set comes last"),
    ("html_escape", "nothing done", lambda: "func html_escape\n ret\n", "C clear, x0 = 0"),
    ("html_escape", "no room asked for", lambda: change("html_escape",
     "    b.eq    Lhtml_escape_large\n", ""), "did not return"),
    ("html_escape", "room for what goes in", lambda: change("html_escape",
     "    b.eq    Lhtml_escape_large\n", "").replace("Lhtml_escape_next:\n",
     "    cmp     x1, x3\n    b.hi    Lhtml_escape_large\nLhtml_escape_next:\n", 1),
     "did not return"),
    ("html_escape", "no apostrophe", lambda: change("html_escape", "    .quad   '\\''\n",
     "    .quad   300\n"), "becomes &#39;"),
    ("html_escape", "hexadecimal", lambda: change("html_escape", "&#39;\\0\\0\\0",
     "&#x27;\\0\\0"), "it wrote b'&#x27;'"),
    ("html_escape", "& stays", lambda: change("html_escape", "    .quad   '&'\n",
     "    .quad   300\n"), "& itself must be replaced"),
    ("html_escape", "a NUL ends it", lambda: change("html_escape", "    ldrb    w4, [x9], #1\n",
     "    ldrb    w4, [x9], #1\n    cbz     w4, Lhtml_escape_done\n"), "a NUL is a byte like"),
    ("html_escape", "the length of the text", lambda: change("html_escape",
     "    sub     x0, x12, x2\n", "    mov     x0, x1\n"), "what was written, not of the text"),
    ("html_escape", "eight bytes at once", lambda: change("html_escape",
     "    strb    w4, [x12], #1\n    lsr     x4, x4, #8\n    cbnz    x4, Lhtml_escape_plain\n",
     "    sub     x14, x13, x12\n    cmp     x14, #8\n    b.lo    Lbytes\n    str     x4, [x12]\n"
     "Lskip:\n    add     x12, x12, #1\n    lsr     x4, x4, #8\n    cbnz    x4, Lskip\n"
     "    b       Lhtml_escape_next\nLbytes:\n    cmp     x12, x13\n"
     "    b.eq    Lhtml_escape_large\n    strb    w4, [x12], #1\n    lsr     x4, x4, #8\n"
     "    cbnz    x4, Lbytes\n"), "a store of 8 bytes is not"),
    ("html_escape", "gives the end", lambda: change("html_escape", "    sub     x0, x12, x2\n",
     "    mov     x0, x12\n"), "start of the buffer"),
    ("html_escape", "one byte kept free", lambda: change("html_escape",
     "    add     x13, x2, x3             // end of the buffer\n",
     "    add     x13, x2, x3\n    cmp     x3, #0\n    cset    x5, ne\n    sub     x13, x13, x5\n"),
     "a full buffer is no error"),
    ("html_escape", "the carry of cmp", lambda: change("html_escape", "    carry_clear\n", ""),
     "carry_clear or carry_set comes last"),
]
