// labels.s - labels, branches and relocations
    .globl  start
start:
    b       1f
1:  b       1b
    cbz     x0, 1f
1:  tbnz    w1, #3, 2f
    tbz     x1, #40, 1b
2: b.ne 2b
    beq     2b
    b       start
    bl      start
    bl      away
    b       away + 8
    b       #8
    b       . + 8
    b       . - 4
    cbnz    w3, Lhere + 4
Lhere: nop
    nop
    adr     x0, Lhere
    adr     x1, Ltext
    adr     x2, . + 4
    ldr     x3, Lpool
    ldr     w4, Lpool + 4
    ldr     d5, Lpool
    ldrsw   x6, Lpool
    adrp    x7, start@PAGE
    add     x7, x7, start@PAGEOFF
    adrp    x8, away@PAGE+16
    ldr     x8, [x8, away@PAGEOFF+16]
    adrp    x9, Lconst@PAGE
    ldrb    w9, [x9, Lconst@PAGEOFF]
    adrp    x10, Lconst2@PAGE
    add     x10, x10, Lconst2@PAGEOFF
    str     w10, [x11, data@PAGEOFF + 4]
    ldr     q0, [x11, data@PAGEOFF]
    strh    w1, [sp, data@pageoff]
    prfm    pldl1keep, Lpool
a: b: c: nop
under_score: $dollar: dot.ted: nop
    .p2align 3
Lpool: .quad start, Lhere, Ltext + 1
Ltext: .ascii "text"
    nop %% nop %% ret
# a line that a preprocessor left
    MOV     X0, X1
    Add     x0 , x1 , #1
    ldr     x0, [ x1 , # 8 ]
    mov x0, 5
    sub sp, sp, 16
    ldp fp, lr, [sp], 16
    .const
Lconst: .byte 1
Lconst2: .byte 2
named: .byte 3
Lconst3: .byte 4
    .data
    .p2align 4
data: .quad Lconst, Lconst3, named, Lconst3 - 1
