// text.s - looking at text
//
// Gives    text_length
// Needs    nothing
// Memory   none of its own
// Spec     none
// Tests    tests/asm/test_text.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// text_length - count the bytes in front of the NUL
//
//   In     x0 text, ends with NUL
//   Out    x0 length in bytes, C clear
//   Clob   x1-x2
//   Frame  none (leaf)
//
//   x1 cursor   x2 byte
func text_length
    mov     x1, x0
Ltext_length_next:
    ldrb    w2, [x1], #1
    cbnz    w2, Ltext_length_next
    sub     x0, x1, x0
    sub     x0, x0, #1              // the NUL does not count
    carry_clear
    ret
