// mem.s - moving bytes and looking for them
//
// Gives    mem_copy mem_clear control_find
// Needs    nothing
// Memory   none of its own
// Spec     memcpy(3), bzero(3); RFC 9110 5.5 (which bytes a field may have)
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
//   In     x0 target   x1 length in bytes, a multiple of 32
//   Out    x0 first byte behind the zeros
//   Clob   x1
//   Frame  none (leaf)
//
//   x0 cursor   x1 bytes left
func mem_clear
    cbz     x1, Lmem_clear_done
Lmem_clear_next:
    stp     xzr, xzr, [x0], #16
    stp     xzr, xzr, [x0], #16
    subs    x1, x1, #32
    b.ne    Lmem_clear_next
Lmem_clear_done:
    ret

// control_find - look for the first control character
//
// Everything below the blank is one, but the tab; and so is DEL. In a line of HTTP
// that is the CR at its end, or a byte that must not be there.
//
//   In     x0 text   x1 length in bytes
//   Out    C clear: x0 its offset
//          C set:   x0 ENOENT, there is none
//   Clob   x1 x3-x4 v0-v5
//   Frame  none (leaf)
//
//   x0 text   x1 end   x3 cursor   x4 a byte, or where the sixteen match, four
//   bits each   v0 sixteen bytes   v1 blanks   v2 tabs   v3 DELs
//   v4 0xff in each byte that matches   v5 one test of them
func control_find
    mov     x3, x0
    add     x1, x0, x1
    movi    v1.16b, #0x20
    movi    v2.16b, #0x09
    movi    v3.16b, #0x7f
Lcontrol_find_sixteen:
    sub     x4, x1, x3
    cmp     x4, #16
    b.lo    Lcontrol_find_byte
    ldr     q0, [x3], #16
    cmhi    v4.16b, v1.16b, v0.16b  // below the blank
    cmeq    v5.16b, v0.16b, v2.16b
    bic     v4.16b, v4.16b, v5.16b  // but not the tab
    cmeq    v5.16b, v0.16b, v3.16b
    orr     v4.16b, v4.16b, v5.16b
    shrn    v4.8b, v4.8h, #4        // keep four bits of each: 64 in all
    fmov    x4, d4
    cbz     x4, Lcontrol_find_sixteen

    rbit    x4, x4                  // count the zeros below the first match
    clz     x4, x4
    sub     x3, x3, #16
    add     x3, x3, x4, lsr #2
    b       Lcontrol_find_found

Lcontrol_find_byte:
    cmp     x3, x1
    b.eq    Lcontrol_find_none
    ldrb    w4, [x3], #1
    cmp     w4, #0x7f
    b.eq    Lcontrol_find_here
    cmp     w4, #' '
    b.hs    Lcontrol_find_byte
    cmp     w4, #'\t'
    b.eq    Lcontrol_find_byte
Lcontrol_find_here:
    sub     x3, x3, #1
Lcontrol_find_found:
    sub     x0, x3, x0
    carry_clear
    ret
Lcontrol_find_none:
    mov     x0, #ENOENT
    carry_set
    ret
