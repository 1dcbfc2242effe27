// message.s - lines for people: what is going on, and what went wrong
//
// Gives    text_write complain errno_text
// Needs    fd_write_all text_length
// Memory   none of its own
// Spec     strerror(3), perror(3)
// Tests    tests/asm/test_first.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// complain - write "program: subject: reason" as a line to standard error
//
//   In     x0 program   x1 subject   x2 reason; all end with NUL
//   Out    nothing; a line that cannot be written is lost
//   Clob   x0-x17
//   Frame  32: x29 x30, x19 x20
//
//   x19 subject   x20 reason
func complain
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x1
    mov     x20, x2

    mov     x1, x0
    bl      complain_text
    addr    x1, complain_colon
    bl      complain_text
    mov     x1, x19
    bl      complain_text
    addr    x1, complain_colon
    bl      complain_text
    mov     x1, x20
    bl      complain_text
    addr    x1, complain_newline
    bl      complain_text

    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// complain_text - write a text to standard error
//
//   In     x1 text, ends with NUL
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  16: x29 x30
//
//   x0 fd   x1 text
func complain_text
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x0, #2
    bl      text_write
    ldp     x29, x30, [sp], #16
    ret

// text_write - write a text that ends with NUL
//
//   In     x0 fd   x1 text
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  32: x29 x30, x19 x20
//
//   x19 fd   x20 text
func text_write
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    mov     x20, x1

    mov     x0, x20
    bl      text_length
    mov     x2, x0
    mov     x1, x20
    mov     x0, x19
    bl      fd_write_all

    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// errno_text - the words for an error number
//
//   In     x0 errno
//   Out    x0 text, ends with NUL
//   Clob   x1-x3
//   Frame  none (leaf)
//
//   x0 errno, later the text   x1 row   x2 errno of the row   x3 offset
func errno_text
    addr    x1, errno_rows
Lerrno_text_row:
    ldp     w2, w3, [x1], #8
    cbz     w2, Lerrno_text_found   // the last row fits everything
    cmp     w2, w0
    b.ne    Lerrno_text_row
Lerrno_text_found:
    addr    x0, errno_rows
    add     x0, x0, w3, sxtw
    ret

rodata
complain_colon:
    .asciz  ": "
complain_newline:
    .asciz  "\n"

// errno, distance of its text from the table
.p2align 2
errno_rows:
    .long   EPERM,         errno_perm - errno_rows
    .long   ENOENT,        errno_noent - errno_rows
    .long   EACCES,        errno_acces - errno_rows
    .long   ENOTDIR,       errno_notdir - errno_rows
    .long   EISDIR,        errno_isdir - errno_rows
    .long   EINVAL,        errno_inval - errno_rows
    .long   EMFILE,        errno_mfile - errno_rows
    .long   EADDRINUSE,    errno_addrinuse - errno_rows
    .long   EADDRNOTAVAIL, errno_addrnotavail - errno_rows
    .long   ELOOP,         errno_loop - errno_rows
    .long   ENAMETOOLONG,  errno_nametoolong - errno_rows
    .long   0,             errno_other - errno_rows
errno_perm:
    .asciz  "Operation not permitted"
errno_noent:
    .asciz  "No such file or directory"
errno_acces:
    .asciz  "Permission denied"
errno_notdir:
    .asciz  "Not a directory"
errno_isdir:
    .asciz  "Is a directory"
errno_inval:
    .asciz  "Invalid argument"
errno_mfile:
    .asciz  "Too many open files"
errno_addrinuse:
    .asciz  "Address already in use"
errno_addrnotavail:
    .asciz  "Can't assign requested address"
errno_loop:
    .asciz  "Too many levels of symbolic links"
errno_nametoolong:
    .asciz  "File name too long"
errno_other:
    .asciz  "Input/output error"
