// address.s - Internet addresses as text
//
// Gives    ipv4_parse
// Needs    nothing
// Memory   none of its own
// Spec     inet_pton(3): four decimal numbers and nothing else
// Tests    tests/asm/test_options.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// ipv4_parse - read "127.0.0.1"
//
//   In     x0 text, ends with NUL
//   Out    C clear: x0 address, first number lowest: network order in memory
//          C set:   x0 EINVAL
//   Clob   x1-x5
//   Frame  none (leaf)
//
//   x0 cursor, later the address   x1 address   x2 byte   x3 number
//   x4 numbers left   x5 digits of the number
func ipv4_parse
    mov     w1, #0
    mov     w4, #4
Lipv4_parse_number:
    mov     w3, #0
    mov     w5, #0
Lipv4_parse_digit:
    ldrb    w2, [x0], #1
    sub     w2, w2, #'0'
    cmp     w2, #9
    b.hi    Lipv4_parse_behind
    add     w3, w3, w3, lsl #2      // number * 10 + digit
    add     w3, w2, w3, lsl #1
    add     w5, w5, #1
    cmp     w5, #3
    b.ls    Lipv4_parse_digit
    b       Lipv4_parse_invalid
Lipv4_parse_behind:
    cbz     w5, Lipv4_parse_invalid
    cmp     w3, #255
    b.hi    Lipv4_parse_invalid
    lsl     w3, w3, #24             // the first number ends up lowest
    orr     w1, w3, w1, lsr #8
    sub     w4, w4, #1
    cbz     w4, Lipv4_parse_last
    cmn     w2, #('0' - '.')        // a dot, with '0' taken away
    b.eq    Lipv4_parse_number
    b       Lipv4_parse_invalid
Lipv4_parse_last:
    cmn     w2, #'0'                // a NUL, with '0' taken away
    b.ne    Lipv4_parse_invalid
    mov     w0, w1
    carry_clear
    ret
Lipv4_parse_invalid:
    mov     x0, #EINVAL
    carry_set
    ret
