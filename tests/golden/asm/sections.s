// sections.s - sections of all kinds, alignment and zero fill
    nop
    .byte 1
    .p2align 2
    nop
    .p2align 4
    ret
.section __TEXT,__const
.byte 1
.p2align 3
table: .quad 1
.const
.byte 2
.cstring
hi: .asciz "hi"
.section __DATA,__mine
.quad table
.section __TEXT,__code,regular,pure_instructions
    nop
    b.eq Lcode
    .p2align 3
Lcode:
    ret
.section __TEXT,__strings,cstring_literals
.asciz "abc"
.data
.quad hi
.bss
.p2align 4
buffer: .space 100
other: .zero 4
.zerofill __DATA,__bss,filled,8,3
.lcomm common,16,4
.text
    adrp    x0, buffer@PAGE
    add     x0, x0, buffer@PAGEOFF
    adrp    x1, filled@PAGE
    ldr     x1, [x1, filled@PAGEOFF]
    .globl buffer, table
    .const_data
    .byte 4
    .static_const
    .byte 5
