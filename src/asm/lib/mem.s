// mem.s - moving bytes and looking for them
//
// Gives    mem_copy mem_clear mem_find
// Needs    nothing
// Memory   none of its own
// Spec     memcpy(3), bzero(3), memchr(3)
// Tests    tests/asm/test_mem.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// mem_copy - copy bytes to a place that does not overlap them
//
//   In     x0 target   x1 source   x2 length in bytes
//   Out    x0 first byte behind the copy
//   Clob   x1-x4 v0
//   Frame  none (leaf)
//
//   x0 cursor   x1 cursor in the source   x2 bytes left   x3 end of the source,
//   or the bytes on their way   x4 end of the target   v0 sixteen bytes
func mem_copy
    cmp     x2, #16
    b.lo    Lmem_copy_eight
    add     x3, x1, x2
    add     x4, x0, x2
Lmem_copy_sixteen:
    ldr     q0, [x1], #16
    str     q0, [x0], #16
    sub     x2, x2, #16
    cmp     x2, #16
    b.hs    Lmem_copy_sixteen
    ldur    q0, [x3, #-16]          // the last sixteen overlap those before
    stur    q0, [x4, #-16]
    mov     x0, x4
    ret

// Under sixteen bytes: the bits of the length say which pieces it is made of.
Lmem_copy_eight:
    tbz     x2, #3, Lmem_copy_four
    ldr     x3, [x1], #8
    str     x3, [x0], #8
Lmem_copy_four:
    tbz     x2, #2, Lmem_copy_two
    ldr     w3, [x1], #4
    str     w3, [x0], #4
Lmem_copy_two:
    tbz     x2, #1, Lmem_copy_one
    ldrh    w3, [x1], #2
    strh    w3, [x0], #2
Lmem_copy_one:
    tbz     x2, #0, Lmem_copy_done
    ldrb    w3, [x1]
    strb    w3, [x0], #1
Lmem_copy_done:
    ret

// mem_clear - fill with zeros
//
//   In     x0 target   x1 length in bytes, a multiple of 16
//   Out    x0 first byte behind the zeros
//   Clob   x1
//   Frame  none (leaf)
//
//   x0 cursor   x1 bytes left
func mem_clear
    cbz     x1, Lmem_clear_done
Lmem_clear_next:
    stp     xzr, xzr, [x0], #16
    subs    x1, x1, #16
    b.ne    Lmem_clear_next
Lmem_clear_done:
    ret

// mem_find - look for the first byte of a certain value
//
//   In     x0 bytes   x1 how many   x2 value
//   Out    C clear: x0 its offset
//          C set:   x0 ENOENT, there is none
//   Clob   x1-x4 v0-v1
//   Frame  none (leaf)
//
//   x0 bytes   x1 end   x2 value   x3 cursor   x4 a byte, or where the sixteen
//   match, four bits each   v0 sixteen bytes   v1 sixteen times the value
func mem_find
    mov     x3, x0
    add     x1, x0, x1
    dup     v1.16b, w2
Lmem_find_sixteen:
    sub     x4, x1, x3
    cmp     x4, #16
    b.lo    Lmem_find_tail
    ldr     q0, [x3], #16
    cmeq    v0.16b, v0.16b, v1.16b  // 0xff in each byte that matches
    shrn    v0.8b, v0.8h, #4        // keep four bits of each: 64 in all
    fmov    x4, d0
    cbz     x4, Lmem_find_sixteen

    rbit    x4, x4                  // count the zeros below the first match
    clz     x4, x4
    sub     x3, x3, #16
    add     x3, x3, x4, lsr #2
    b       Lmem_find_found

Lmem_find_tail:
    and     w2, w2, #0xff
Lmem_find_byte:
    cmp     x3, x1
    b.eq    Lmem_find_none
    ldrb    w4, [x3], #1
    cmp     w4, w2
    b.ne    Lmem_find_byte
    sub     x3, x3, #1
Lmem_find_found:
    sub     x0, x3, x0
    carry_clear
    ret
Lmem_find_none:
    mov     x0, #ENOENT
    carry_set
    ret
