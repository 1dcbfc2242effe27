// io.s - reading and writing that keeps at it
//
// A system call may do less than it was asked for, or be cut short by a signal
// before it did anything. Both are normal; this is where they are dealt with.
//
// Gives    fd_write_all fd_read_some
// Needs    fd_read fd_write
// Memory   none of its own
// Spec     write(2), read(2)
// Tests    tests/asm/test_io.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// fd_write_all - write every byte, however many calls that takes
//
//   In     x0 fd   x1 bytes   x2 length
//   Out    C clear: x0 0
//          C set:   x0 errno; some of the bytes may be written
//   Clob   x1-x17
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 fd   x20 cursor   x21 bytes left
func fd_write_all
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x0
    mov     x20, x1
    mov     x21, x2

    carry_clear                     // nothing to write is a success
Lfd_write_all_next:
    cbz     x21, Lfd_write_all_done
    mov     x0, x19
    mov     x1, x20
    mov     x2, x21
    bl      fd_write
    b.cs    Lfd_write_all_failed
    add     x20, x20, x0            // a short write: go on behind it
    sub     x21, x21, x0            // leaves the flags alone, C stays clear
    b       Lfd_write_all_next
Lfd_write_all_done:
    mov     x0, #0
Lfd_write_all_return:
    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

Lfd_write_all_failed:
    cmp     x0, #EINTR
    b.ne    Lfd_write_all_error
    carry_clear                     // a signal came first: the same again
    b       Lfd_write_all_next
Lfd_write_all_error:
    carry_set
    b       Lfd_write_all_return

// fd_read_some - read at least one byte, unless the end is reached
//
//   In     x0 fd   x1 buffer   x2 size in bytes
//   Out    C clear: x0 bytes read, 0 at the end
//          C set:   x0 errno, never EINTR
//   Clob   x1-x17
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 fd   x20 buffer   x21 size
func fd_read_some
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x0
    mov     x20, x1
    mov     x21, x2

Lfd_read_some_again:
    mov     x0, x19
    mov     x1, x20
    mov     x2, x21
    bl      fd_read
    b.cc    Lfd_read_some_return
    cmp     x0, #EINTR
    b.eq    Lfd_read_some_again
    carry_set
Lfd_read_some_return:
    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret
