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
//   x0 cursor   x1 cursor in the source   x2 bytes left
//   x3 end of the source, or the bytes on their way   x4 end of the target
//   v0 sixteen bytes
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
// end, a tab, or something that must not be there.
//
//   In     x0 text   x1 end of the text
//   Out    C clear: x0 place of the control character
//          C set:   x0 end of the text, there is none
//   Clob   x3 v0-v4
//   Frame  none (leaf)
//
//   x0 cursor   x1 end   x3 a byte, or where the sixteen match, four bits each
//   v0 sixteen bytes   v1 blanks   v2 DELs   v3 0xff in each byte that matches
//   v4 one test of them
func control_find
    movi    v1.16b, #0x20
    movi    v2.16b, #0x7f
Lcontrol_find_sixteen:
    sub     x3, x1, x0
    cmp     x3, #16
    b.lo    Lcontrol_find_byte
    ldr     q0, [x0], #16
    cmhi    v3.16b, v1.16b, v0.16b  // below the blank
    cmeq    v4.16b, v2.16b, v0.16b
    orr     v3.16b, v3.16b, v4.16b
    shrn    v3.8b, v3.8h, #4        // keep four bits of each: 64 in all
    fmov    x3, d3
    cbz     x3, Lcontrol_find_sixteen

    rbit    x3, x3                  // count the zeros below the first match
    clz     x3, x3
    sub     x0, x0, #16
    add     x0, x0, x3, lsr #2
    carry_clear
    ret

Lcontrol_find_byte:
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
