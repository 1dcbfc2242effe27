// number.s - integers as decimal text, both ways
//
// Gives    u64_parse u64_format
// Needs    nothing
// Memory   none of its own
// Spec     RFC 9110 8.6 (Content-Length), 14.1.1 (ranges)
// Tests    tests/asm/test_number.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// u64_parse - read a decimal number that fills the whole span
//
//   In     x0 text   x1 length in bytes
//   Out    C clear: x0 value
//          C set:   x0 EINVAL (empty, or not all digits), ERANGE (over 64 bits)
//   Clob   x1-x5
//   Frame  none (leaf)
//
//   x1 end   x2 cursor   x3 digit   x4 ten   x5 high half of the product
func u64_parse
    cbz     x1, Lu64_parse_invalid
    mov     x2, x0
    add     x1, x0, x1
    mov     x0, #0
    mov     x4, #10
Lu64_parse_digit:
    ldrb    w3, [x2], #1
    sub     w3, w3, #'0'
    cmp     w3, #9                  // one unsigned test rejects both sides
    b.hi    Lu64_parse_invalid
    umulh   x5, x0, x4              // value * 10 must fit in 64 bits
    cbnz    x5, Lu64_parse_overflow
    mul     x0, x0, x4
    adds    x0, x0, x3              // and so must adding the digit
    b.cs    Lu64_parse_overflow
    cmp     x2, x1
    b.lo    Lu64_parse_digit
    carry_clear
    ret

Lu64_parse_invalid:
    mov     x0, #EINVAL
    carry_set
    ret
Lu64_parse_overflow:
    mov     x0, #ERANGE
    carry_set
    ret

// u64_format - write a number so that it ends at a given place
//
// The digits come out last first, so the text grows backwards from its end.
//
//   In     x0 value   x1 end of a buffer with room for 20 bytes in front of it
//   Out    x1 first digit   x2 length in bytes
//   Clob   x0 x3-x5
//   Frame  none (leaf)
//
//   x0 value   x1 cursor   x2 ten   x3 quotient   x4 digit   x5 end
func u64_format
    mov     x5, x1
    mov     x2, #10
Lu64_format_digit:
    udiv    x3, x0, x2
    msub    x4, x3, x2, x0          // what is left over is the last digit
    add     w4, w4, #'0'
    strb    w4, [x1, #-1]!
    mov     x0, x3
    cbnz    x0, Lu64_format_digit
    sub     x2, x5, x1
    ret
