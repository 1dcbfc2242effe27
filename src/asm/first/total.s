// total.s - add up the numbers that are given as arguments
//
// Gives    main
// Needs    text_length u64_parse u64_format fd_write_all complain
// Memory   .data: room for the digits of the sum, and a newline
// Spec     none
// Tests    tests/asm/test_first.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// main - print the sum of all arguments, or complain about the first bad one
//
//   In     x0 argument count   x1 arguments, the program's name first
//   Out    C clear: x0 0, the exit status for a sum that was written
//          C set:   x0 1, the exit status for anything else
//   Clob   x1-x17
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 cursor in the arguments   x20 sum   x21 argument
func main
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x1
    mov     x20, #0

Lmain_next:
    ldr     x21, [x19, #8]!
    cbz     x21, Lmain_print        // behind the last argument
    mov     x0, x21
    bl      text_length
    mov     x1, x0
    mov     x0, x21
    bl      u64_parse
    b.cs    Lmain_refused
    adds    x20, x20, x0
    b.cs    Lmain_large             // the sum may be too large as well
    b       Lmain_next

Lmain_print:
    mov     x0, x20
    addr    x1, total_end
    bl      u64_format
    add     x2, x2, #1              // the newline stands there already
    mov     x0, #1                  // standard output
    bl      fd_write_all
    cset    x0, cs
Lmain_return:
    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

Lmain_refused:
    addr    x2, total_no_number
    cmp     x0, #EINVAL
    b.eq    Lmain_complain
Lmain_large:
    addr    x2, total_too_large
Lmain_complain:
    addr    x0, total_name
    mov     x1, x21
    bl      complain
    mov     x0, #1
    carry_set
    b       Lmain_return

rodata
total_name:
    .asciz  "total"
total_no_number:
    .asciz  "not a number"
total_too_large:
    .asciz  "too large"

.data
total_room:
    .skip   20                      // u64_format writes in front of the newline
total_end:
    .ascii  "\n"
