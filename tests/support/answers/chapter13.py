"""Answers to the exercises of chapter 13."""

from __future__ import annotations

from support.answers import Wrong, change

ANOTHER_WAY = {
    # From the end to the front: three numbers, each behind a hyphen, the first behind ".~".
    "left_name": """func left_name
        mov x9, #0                  // numbers seen
        mov x10, x1
    Ln: mov x11, x10                // end of this number
    Ld: cbz x10, Lz
        sub x12, x10, #1
        ldrb w3, [x0, x12]
        sub w4, w3, #'0'
        cmp w4, #9
        b.hi Le
        mov x10, x12
        b Ld
    Le: cmp x10, x11
        b.eq Lz
        add x9, x9, #1
        cmp x9, #3
        b.eq Lf
        cmp w3, #'-'
        b.ne Lz
        mov x10, x12
        b Ln
    Lf: cmp x10, #2
        b.ne Lz
        ldrb w3, [x0]
        ldrb w4, [x0, #1]
        cmp w3, #'.'
        b.ne Lz
        cmp w4, #'~'
        b.ne Lz
        cmn xzr, xzr
        ret
    Lz: cmp xzr, xzr
        ret""",
    # A table of digits, and a count of those behind the zeros.
    "hex_size": """func hex_size
        mov x9, x0
        mov x10, #0
        mov x11, #0                 // digits that count
        cbz x1, Li
    Ln: ldrb w3, [x9], #1
        addr x5, digits
        mov x4, #0
    Ls: ldrb w6, [x5, x4]
        cmp w6, w3
        b.eq Lf
        add x4, x4, #1
        cmp x4, #32
        b.lo Ls
    Li: mov x0, #EINVAL
        cmp xzr, xzr
        ret
    Lf: and x4, x4, #15
        orr x6, x10, x4
        cbz x6, Lz
        add x11, x11, #1
    Lz: lsl x10, x10, #4
        orr x10, x10, x4
        sub x1, x1, #1
        cbnz x1, Ln
        mov x0, x10
        cmp x11, #16
        b.hi Lv
        cmn xzr, xzr
        ret
    Lv: mov x0, #ERANGE
        cmp xzr, xzr
        ret
    rodata
    digits: .ascii "0123456789abcdef0123456789ABCDEF\"""",
    # Closed before the rename, and everything that fails in one place.
    "file_save": """func file_save
        stp x29, x30, [sp, #-64]!
        mov x29, sp
        stp x19, x20, [sp, #16]
        stp x21, x22, [sp, #32]
        stp x23, x24, [sp, #48]
        mov x19, x0
        mov x20, x1
        mov x21, x2
        mov x22, x3
        addr x1, name
        mov x2, #420
        bl file_create_below
        b.cs Lx
        mov x23, x0
        mov x24, #0
        mov x1, x21
        mov x2, x22
        bl fd_write_all
        csel x24, x0, x24, cs
        cbnz x24, Lc
    Ls: mov x0, x23
        bl fd_sync
        csel x24, x0, xzr, cs
        cmp x24, #EINTR
        b.eq Ls
    Lc: mov x0, x23
        bl fd_close
        cbnz x24, Lu
        mov x0, x19
        addr x1, name
        mov x2, x20
        bl file_rename_below
        csel x24, x0, xzr, cs
        cbz x24, Ld
    Lu: mov x0, x19
        addr x1, name
        bl file_remove_below
    Ld: mov x0, x24
        cmp x24, #1
    Lx: ldp x23, x24, [sp, #48]
        ldp x21, x22, [sp, #32]
        ldp x19, x20, [sp, #16]
        ldp x29, x30, [sp], #64
        ret
    rodata
    name: .asciz ".~new\"""",
}

_SYNC = """Lfile_save_sync:
    mov     x0, x23
    bl      fd_sync
    b.cs    Lfile_save_cut
"""
_RENAME = """    mov     x0, x19
    addr    x1, file_save_name
    mov     x2, x20
    bl      file_rename_below
    b.cs    Lfile_save_failed
"""

WRONG: list[Wrong] = [
    ("left_name", "nothing done", lambda: "func left_name\n ret\n", "it must begin with .~"),
    ("left_name", "only the beginning", lambda: """func left_name
        cmp x1, #2
        b.lo Lz
        ldrh w2, [x0]
        mov w3, #'.' | '~' << 8
        cmp w2, w3
        b.ne Lz
        cmn xzr, xzr
        ret
    Lz: cmp xzr, xzr
        ret""", "a name that ends sooner is none of ours"),
    ("left_name", "no length asked for", lambda: change("left_name",
     "    cmp     x2, #2\n    b.lo    Lleft_name_no\n", ""), "did not return"),
    ("left_name", "empty numbers", lambda: change("left_name",
     "    cmp     x0, x5                  // no digit in front of it\n"
     "    b.eq    Lleft_name_no\n", ""), "each number has one digit at least"),
    ("left_name", "a third number without a digit", lambda: change("left_name",
     "    cmp     x0, x5                  // which has a digit\n    b.eq    Lleft_name_no\n", ""),
     "each number has one digit at least"),
    ("left_name", "two numbers are enough", lambda: change("left_name",
     "    cmp     x4, #1                  // in the third number\n    b.ne    Lleft_name_no\n", ""),
     "three numbers"),
    ("left_name", "four numbers", lambda: change("left_name", "    mov     x4, #3\n",
     "    mov     x4, #4\n"), "it is one of those names"),
    ("left_name", "nine is no digit", lambda: change("left_name", "    cmp     w3, #9\n",
     "    cmp     w3, #8\n"), "shows which byte is refused"),
    ("left_name", "any byte for a hyphen", lambda: change("left_name",
     "    cmp     w2, #'-'\n    b.ne    Lleft_name_no\n", ""), "a hyphen, and nothing else"),
    ("left_name", "what stands behind does not matter", lambda: change("left_name",
     "    cbnz    x4, Lleft_name_number\n",
     "    cbnz    x4, Lleft_name_number\n    carry_clear\n    ret\n").replace(
     "    cmp     w2, #'-'\n    b.ne    Lleft_name_no\n",
     "    cmp     x4, #1\n    b.eq    Lok\n    cmp     w2, #'-'\n    b.ne    Lleft_name_no\n"
     "Lok:\n"), "must reach the end of the name"),
    ("left_name", "the carry of cmp", lambda: change("left_name", "    carry_clear\n", ""),
     "carry_clear or carry_set comes last"),
    ("hex_size", "nothing done", lambda: "func hex_size\n ret\n", "a new number begins with"),
    ("hex_size", "in tens", lambda: change("hex_size", "    add     x0, x4, x0, lsl #4\n",
     "    mov     x6, #10\n    madd    x0, x0, x6, x4\n"), "worth 16 here, not 10"),
    ("hex_size", "a letter is worth its distance", lambda: change("hex_size",
     "    add     w4, w3, #10\n", "    mov     w4, w3\n"), "ten more than its distance"),
    ("hex_size", "small letters only", lambda: change("hex_size",
     "    orr     w3, w3, #0x20           // lower case\n", ""), "both cases of the letters"),
    ("hex_size", "lower case before the digits", lambda: change("hex_size",
     "    orr     w3, w3, #0x20           // lower case\n", "").replace(
     "    sub     w4, w3, #'0'\n", "    orr     w3, w3, #0x20\n    sub     w4, w3, #'0'\n"),
     "orr makes other bytes"),
    ("hex_size", "the alphabet", lambda: change("hex_size", "    cmp     w3, #5\n",
     "    cmp     w3, #25\n"), "are digits, from the first byte to the last"),
    ("hex_size", "no overflow seen", lambda: change("hex_size",
     "    cbnz    x5, Lhex_size_large\n", ""), "the first digit has been pushed out"),
    ("hex_size", "eight bits kept free", lambda: change("hex_size", "    lsr     x5, x0, #60 ",
     "    lsr     x5, x0, #56 "), "64 bits are sixteen digits"),
    ("hex_size", "sixteen places at most", lambda: change("hex_size",
     "    cbz     x1, Lhex_size_invalid\n",
     "    cbz     x1, Lhex_size_invalid\n    cmp     x1, #16\n    b.hi    Lhex_size_large\n"),
     "zeros in front do not count"),
    ("hex_size", "the empty text", lambda: change("hex_size",
     "    cbz     x1, Lhex_size_invalid\n", ""), "did not return"),
    ("hex_size", "stops at the first wrong byte", lambda: change("hex_size",
     "Lhex_size_invalid:\n    mov     x0, #EINVAL\n    carry_set\n",
     "Lhex_size_invalid:\n    carry_clear\n"), "look at the length first"),
    ("hex_size", "the carry of cmp", lambda: change("hex_size", "    carry_clear\n", ""),
     "carry_clear or carry_set comes last"),
    ("file_save", "nothing done", lambda: "func file_save\n ret\n",
     "all the bytes go into .~new"),
    ("file_save", "into the file itself", lambda: change("file_save",
     "    addr    x1, file_save_name\n    mov     x2, #0x1a4 ", "    mov     x2, #0x1a4 "),
     "never open the name itself"),
    ("file_save", "no fsync", lambda: change("file_save", _SYNC,
     "Lfile_save_sync:\n"), "fsync was not called"),
    ("file_save", "renamed before the sync", lambda: change("file_save", _SYNC + _RENAME,
     _RENAME + _SYNC), "a power cut leaves a name"),
    ("file_save", "the names the wrong way round", lambda: change("file_save",
     "    addr    x1, file_save_name\n    mov     x2, x20\n",
     "    addr    x2, file_save_name\n    mov     x1, x20\n"), "the kernel refused renameat"),
    ("file_save", "closed before the sync", lambda: change("file_save",
     "Lfile_save_sync:\n", "    mov     x0, x23\n    bl      fd_close\nLfile_save_sync:\n"),
     "the kernel refused fsync"),
    ("file_save", "fsync is not asked again", lambda: change("file_save",
     "    cmp     x0, #EINTR\n    b.eq    Lfile_save_sync\n", ""),
     "an fsync that was interrupted"),
    ("file_save", "what fsync says does not matter", lambda: change("file_save",
     "    b.cs    Lfile_save_cut\n", ""), "a failure before the rename means no rename"),
    ("file_save", "what write says does not matter", lambda: change("file_save",
     "    bl      fd_write_all\n    b.cs    Lfile_save_failed\n", "    bl      fd_write_all\n"),
     "a failure before the rename means no rename"),
    ("file_save", "one write", lambda: change("file_save", "fd_write_all", "fd_write"),
     "all the bytes go into .~new"),
    ("file_save", "the temporary file stays", lambda: change("file_save",
     "    bl      file_remove_below\n", ""), ".~new is still there"),
    ("file_save", "somebody else's is deleted", lambda: change("file_save",
     "    b.cs    Lfile_save_return       // nothing is ours yet\n", "    b.cs    Lgone\n")
     .replace("rodata\n", "Lgone:\n    mov     x24, x0\n    mov     x0, x19\n"
              "    addr    x1, file_save_name\n    bl      file_remove_below\n"
              "    mov     x0, x24\n    carry_set\n    b       Lfile_save_return\n\nrodata\n"),
     "nothing is ours"),
    ("file_save", "never closed", lambda: change("file_save",
     "    mov     x0, x23\n    bl      fd_close\n    carry_clear\n", "    carry_clear\n"),
     "closed 0 times"),
    ("file_save", "not closed when it fails", lambda: change("file_save",
     "    mov     x0, x23\n    bl      fd_close\n    mov     x0, x19\n", "    mov     x0, x19\n"),
     "closed 0 times"),
    ("file_save", "the errno of the last call", lambda: change("file_save",
     "    mov     x0, x24\n    carry_set\n", "    carry_set\n"), "put the errno aside"),
    ("file_save", "decimal permissions", lambda: change("file_save", "#0x1a4 ", "#644 "),
     "a number with # is decimal"),
    ("file_save", "x24 spoiled", lambda: change("file_save",
     "    ldp     x23, x24, [sp, #48]\n", "    ldr     x23, [sp, #48]\n"), "belongs to the caller"),
    ("file_save", "another temporary name", lambda: change("file_save", '".~new"', '".~temp"'),
     "make .~new"),
]
