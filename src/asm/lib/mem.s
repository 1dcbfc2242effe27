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
// The last piece of a copy is as large as the others, and overlaps the one
// before.
//
//   In     x0 target   x1 source   x2 length in bytes
//   Out    x0 first byte behind the copy
//   Clob   x1-x4 v0-v1
//   Frame  none (leaf)
//
//   x0 cursor   x1 cursor in the source   x2 bytes left
//   x3 end of the source, or the bytes on their way   x4 end of the target
//   v0 v1 thirty-two bytes
func mem_copy
    cmp     x2, #16
    b.lo    Lmem_copy_eight
    add     x3, x1, x2
    add     x4, x0, x2
    cmp     x2, #32
    b.lo    Lmem_copy_sixteen
Lmem_copy_next:
    ldp     q0, q1, [x1], #32
    stp     q0, q1, [x0], #32
    sub     x2, x2, #32
    cmp     x2, #32
    b.hs    Lmem_copy_next
    ldp     q0, q1, [x3, #-32]
    stp     q0, q1, [x4, #-32]
    mov     x0, x4
    ret
Lmem_copy_sixteen:
    ldr     q0, [x1]
    ldur    q1, [x3, #-16]
    str     q0, [x0]
    stur    q1, [x4, #-16]
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
//   In     x0 target   x1 length in bytes, a multiple of 64, not 0
//   Out    x0 first byte behind the zeros
//   Clob   x1 v0
//   Frame  none (leaf)
//
//   x0 cursor   x1 bytes left   v0 sixteen zeros
func mem_clear
    movi    v0.16b, #0
Lmem_clear_next:
    stp     q0, q0, [x0], #32
    stp     q0, q0, [x0], #32
    subs    x1, x1, #64
    b.ne    Lmem_clear_next
    ret

// control_find - look for the first control character
//
// That is a byte below the blank, or DEL. In a line of HTTP it is the CR at its
// end, a tab, or something that must not be there. Fewer than sixteen bytes are
// looked at together with some that stand before them.
//
//   In     x0 text   x1 end of the text
//   x2 first byte that can be read, no later than the text
//   Out    C clear: x0 place of the control character
//          C set:   x0 end of the text, there is none
//   Clob   x3-x4 v0-v4
//   Frame  none (leaf)
//
//   x0 cursor   x1 end
//   x3 bytes left, or a byte, or where sixteen match, four bits each
//   x4 the last sixteen, or the bits that are not of the text
//   v0 sixteen bytes   v1 blanks   v2 DELs   v3 0xff in each byte that matches
//   v4 one test of them
func control_find
    movi    v1.16b, #0x20
    movi    v2.16b, #0x7f
Lcontrol_find_sixteen:
    sub     x3, x1, x0
    cmp     x3, #16
    b.lo    Lcontrol_find_fewer
    ldr     q0, [x0], #16
    cmhi    v3.16b, v1.16b, v0.16b  // below the blank
    cmeq    v4.16b, v2.16b, v0.16b
    orr     v3.16b, v3.16b, v4.16b
    shrn    v3.8b, v3.8h, #4        // keep four bits of each: 64 in all
    fmov    x3, d3
    cbz     x3, Lcontrol_find_sixteen
    sub     x0, x0, #16
Lcontrol_find_first:
    rbit    x3, x3                  // count the zeros below the first match
    clz     x3, x3
    add     x0, x0, x3, lsr #2
    carry_clear
    ret

Lcontrol_find_fewer:
    sub     x4, x1, #16
    cmp     x4, x2
    b.lo    Lcontrol_find_byte
    cbz     x3, Lcontrol_find_none  // C is set, as it should be
    ldr     q0, [x4]
    cmhi    v3.16b, v1.16b, v0.16b
    cmeq    v4.16b, v2.16b, v0.16b
    orr     v3.16b, v3.16b, v4.16b
    shrn    v3.8b, v3.8h, #4
    neg     x4, x3, lsl #2          // shifts count modulo 64
    fmov    x3, d3
    lsr     x3, x3, x4              // without what stands before the text
    cbnz    x3, Lcontrol_find_first
    mov     x0, x1
    carry_set
    ret

Lcontrol_find_byte:                 // nothing much before them: one by one
    cmp     x0, x1                  // C is set at the end
    b.eq    Lcontrol_find_none
    ldrb    w3, [x0], #1
    cmp     w3, #0x7f
    b.eq    Lcontrol_find_here
    cmp     w3, #' '
    b.hs    Lcontrol_find_byte
Lcontrol_find_here:
    sub     x0, x0, #1
    carry_clear
Lcontrol_find_none:
    ret
