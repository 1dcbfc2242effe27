// hello.s - greet the world
//
// Gives    main
// Needs    fd_write_all
// Memory   none of its own
// Spec     none
// Tests    tests/asm/test_first.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// main - write one line to standard output
//
//   In     x0 argument count   x1 arguments
//   Out    C clear: x0 0, the exit status for a line that was written
//          C set:   x0 1, the exit status for one that was not
//   Clob   x1-x17
//   Frame  16: x29 x30
//
//   x0 fd   x1 text   x2 length
func main
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    mov     x0, #1                  // standard output
    addr    x1, greeting
    mov     x2, #greeting_len
    bl      fd_write_all
    cset    x0, cs

    ldp     x29, x30, [sp], #16
    ret

rodata
string greeting, "hello, world\n"
