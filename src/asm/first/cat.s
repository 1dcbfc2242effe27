// cat.s - copy files, or standard input, to standard output
//
// Gives    main
// Needs    file_open fd_close fd_read_some fd_write_all
//          complain errno_text
// Memory   .bss: one buffer
// Spec     cat(1) without options
// Tests    tests/asm/test_first.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

.equ CAT_BUFFER_SIZE, 65536

// main - copy every file named; a bad one is reported, the others still copied
//
//   In     x0 argument count   x1 arguments, the program's name first
//   Out    C clear: x0 0, the exit status when all went well
//          C set:   x0 1, the exit status when anything failed
//   Clob   x1-x17
//   Frame  32: x29 x30, x19 x20
//
//   x19 cursor in the arguments   x20 exit status
func main
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    add     x19, x1, #8             // behind the program's own name
    mov     x20, #0

    ldr     x0, [x19]
    cbnz    x0, Lmain_file
    bl      cat_stdin               // no name at all
    cset    x20, cs
    b       Lmain_return

Lmain_file:
    bl      cat_file
    b.cc    Lmain_next
    mov     x20, #1                 // remember, and go on
Lmain_next:
    ldr     x0, [x19, #8]!
    cbnz    x0, Lmain_file
Lmain_return:
    mov     x0, x20
    cmp     x20, #1                 // C is set when the status is 1
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// cat_file - copy one file to standard output
//
//   In     x0 path, ends with NUL
//   Out    C clear: x0 0
//          C set:   x0 errno, already reported
//   Clob   x1-x17
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 path   x20 fd   x21 errno
func cat_file
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x0

    bl      file_open
    b.cs    Lcat_file_report
    mov     x20, x0
    bl      cat_copy
    b.cs    Lcat_file_close
    mov     x0, x20
    bl      fd_close
    b.cs    Lcat_file_report
Lcat_file_return:
    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

Lcat_file_close:
    mov     x21, x0                 // the first error is the one to report
    mov     x0, x20
    bl      fd_close
    mov     x0, x21
Lcat_file_report:
    mov     x21, x0
    bl      errno_text
    mov     x2, x0
    addr    x0, cat_name
    mov     x1, x19
    bl      complain
    mov     x0, x21
    carry_set
    b       Lcat_file_return

// cat_stdin - copy standard input to standard output
//
//   In     nothing
//   Out    C clear: x0 0
//          C set:   x0 errno, already reported
//   Clob   x1-x17
//   Frame  32: x29 x30, x19
//
//   x19 errno
func cat_stdin
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]

    mov     x0, #0                  // standard input
    bl      cat_copy
    b.cs    Lcat_stdin_report
Lcat_stdin_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lcat_stdin_report:
    mov     x19, x0
    bl      errno_text
    mov     x2, x0
    addr    x0, cat_name
    addr    x1, cat_stdin_name
    bl      complain
    mov     x0, x19
    carry_set
    b       Lcat_stdin_return

// cat_copy - copy an open file to standard output
//
//   In     x0 fd
//   Out    C clear: x0 0, the end was reached
//          C set:   x0 errno of the read or the write that failed
//   Clob   x1-x17
//   Frame  32: x29 x30, x19
//
//   x19 fd
func cat_copy
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

Lcat_copy_next:
    mov     x0, x19
    addr    x1, cat_buffer
    mov     x2, #CAT_BUFFER_SIZE
    bl      fd_read_some
    b.cs    Lcat_copy_return
    cbz     x0, Lcat_copy_return    // the end, and C is clear
    mov     x2, x0
    mov     x0, #1                  // standard output
    addr    x1, cat_buffer
    bl      fd_write_all
    b.cc    Lcat_copy_next
Lcat_copy_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

rodata
cat_name:
    .asciz  "cat"
cat_stdin_name:
    .asciz  "stdin"

.bss
.p2align 4
cat_buffer:
    .skip   CAT_BUFFER_SIZE
