// text.s - comparing text and taking it apart
//
// Gives    text_length text_equal text_same text_word hex_pair
// Needs    nothing
// Memory   none of its own
// Spec     RFC 3986 2.1 (percent-encoding)
// Tests    tests/asm/test_text.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// text_length - count the bytes in front of the NUL
//
//   In     x0 text, ends with NUL
//   Out    x0 length in bytes
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
    ret

// text_equal - compare two texts that end with NUL
//
//   In     x0 text   x1 text
//   Out    C clear: they are the same
//          C set:   they differ
//   Clob   x0-x3
//   Frame  none (leaf)
//
//   x0 cursor   x1 cursor   x2 byte   x3 byte
func text_equal
Ltext_equal_next:
    ldrb    w2, [x0], #1
    ldrb    w3, [x1], #1
    cmp     w2, w3
    b.ne    Ltext_equal_no
    cbnz    w2, Ltext_equal_next
    carry_clear
    ret
Ltext_equal_no:
    carry_set
    ret

// text_same - compare a text with a lower-case one, letter case ignored
//
//   In     x0 text   x1 lower-case text   x2 length of both in bytes
//   Out    C clear: they are the same
//          C set:   they differ
//   Clob   x0-x4
//   Frame  none (leaf)
//
//   x0 cursor   x1 cursor   x2 bytes left   x3 byte   x4 byte to match
func text_same
    cbz     x2, Ltext_same_yes
Ltext_same_next:
    ldrb    w3, [x0], #1
    ldrb    w4, [x1], #1
    cmp     w3, w4
    b.ne    Ltext_same_case
Ltext_same_so_far:
    sub     x2, x2, #1
    cbnz    x2, Ltext_same_next
Ltext_same_yes:
    carry_clear
    ret

Ltext_same_case:                    // only letters have a case
    sub     w4, w4, #'a'
    cmp     w4, #25
    b.hi    Ltext_same_no
    sub     w3, w3, #'A'
    cmp     w3, w4
    b.eq    Ltext_same_so_far
Ltext_same_no:
    carry_set
    ret

// text_word - pack a text of up to eight bytes into one register
//
// Two short texts are compared with one instruction then.
//
//   In     x0 text; eight bytes can be read there   x1 length in bytes, 1 to 8
//   Out    x0 the bytes, the first one lowest; zeros above the last
//   Clob   x1
//   Frame  none (leaf)
//
//   x0 text, later the word   x1 length, later the bits that are too many
func text_word
    ldr     x0, [x0]
    neg     x1, x1, lsl #3          // shifts count modulo 64
    lsl     x0, x0, x1
    lsr     x0, x0, x1
    ret

// hex_pair - read two hexadecimal digits
//
//   In     x0 the two bytes
//   Out    C clear: x0 value, 0 to 255
//          C set:   x0 EINVAL, not two digits
//   Clob   x1-x3
//   Frame  none (leaf)
//
//   x0 text, later the value   x1 digit   x2 letter   x3 first digit's value
func hex_pair
    ldrb    w1, [x0]
    sub     w3, w1, #'0'
    cmp     w3, #9
    b.ls    Lhex_pair_second
    orr     w2, w1, #0x20           // lower case
    sub     w3, w2, #'a'
    cmp     w3, #5
    b.hi    Lhex_pair_invalid
    add     w3, w3, #10
Lhex_pair_second:
    ldrb    w1, [x0, #1]
    sub     w0, w1, #'0'
    cmp     w0, #9
    b.ls    Lhex_pair_done
    orr     w2, w1, #0x20
    sub     w0, w2, #'a'
    cmp     w0, #5
    b.hi    Lhex_pair_invalid
    add     w0, w0, #10
Lhex_pair_done:
    orr     w0, w0, w3, lsl #4
    carry_clear
    ret
Lhex_pair_invalid:
    mov     x0, #EINVAL
    carry_set
    ret
