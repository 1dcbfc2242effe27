// macros.s - macros, arguments and repetition
.macro func name
    .text
    .p2align 2
    .globl  \name
\name:
.endm
.macro string name, text:vararg
\name:
    .ascii  \text
    .equ    \name\()_len, . - \name
.endm
.macro movi32 rd, value
    movz    \rd, #((\value) & 0xffff)
    movk    \rd, #(((\value) >> 16) & 0xffff), lsl #16
.endm
.macro either which, a=1, b=2
    .if \which
    .byte \a
    .else
    .byte \b
    .endif
.endm
.macro needs value:req, more:vararg
    .byte \value
    .ifnb \more
    .byte \more
    .endif
.endm
.macro outer n
    .macro inner\n
    .byte \n
    .endm
    inner\n
    inner\n
.endm
.macro countdown n
    .byte \n
    .if \n
    countdown (\n - 1)
    .endif
.endm
.macro early n
    .byte 1
    .if \n == 0
    .exitm
    .endif
    .byte 2
.endm
.macro loop count
1:  nop
    .if \count > 1
    b.ne 1b
    .else
    cbz x0, 1f
    .endif
1:
.endm
func first
    movi32  x0, 0x12345678
    movi32 w9, (1 << 20) + 3
    loop 2
    loop 1
    ret
func second
    ret ; loop 5
string hello, "hi, \"you\"\r\n", "more; and // more"
.asciz "x"
either 1
either 0
either 1, 7
either 0, 7, 8
either 0, b=9
either which=1, a=(3 + 4)
needs 1
needs 1, 2, 3
outer 5
outer 6
countdown 3
early 0
early 1
.byte hello_len
.rept 3
.byte 1
.rept 2
.byte 2
.endr
.endr
.irp n, 1, 2, 3
.byte \n
.endr
.irpc c, 789
.byte \c
.endr
.irp r, x0, x1
.long 5
.endr
.purgem early
.macro early
.byte 99
.endm
early
