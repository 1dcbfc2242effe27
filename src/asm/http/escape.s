// escape.s - text that others have chosen, in a page of ours
//
// A name stands in a page twice: in a link, which path_encode writes, and as
// text, where HTML must not read it as its own. Whatever its bytes are, what
// comes out is text, and nothing else.
//
// Gives    name_plain html_write
// Needs    char_class
// Memory   none of its own
// Spec     RFC 3629 4 (UTF-8); HTML 13.1.4 (character references)
// Tests    tests/asm/test_escape.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"

// Bits of escape_class
.equ ESCAPE_TEXT,           0       // is not copied as it is into text
.equ ESCAPE_CONTROL,        1       // because it is a control character
.equ ESCAPE_HIGH,           2       // or part of a character beyond ASCII

// name_plain - can a name stand in a link and in text just as it is?
//
// No byte that stays as it is in a link means anything to HTML.
//
//   In     x0 name, ends with NUL
//   Out    C clear: it can
//          C set:   something in it must be encoded
//   Clob   x0-x3
//   Frame  none (leaf)
//
//   x0 cursor   x1 char_class   x2 byte   x3 its class
func name_plain
    addr    x1, char_class
Lname_plain_next:
    ldrb    w2, [x0], #1
    ldrb    w3, [x1, x2]
    tbnz    w3, #CHAR_PLAIN, Lname_plain_next
    cmp     w2, #1                  // sets C when this is not the NUL
    ret

// html_write - write a name as text of a page
//
// Bytes that are no character become U+FFFD, which says just that.
//
//   In     x0 cursor, one byte too many may be written
//   x1 name, ends with NUL
//   Out    x0 cursor, at most five bytes further for each byte of the name
//   C clear: it is written
//          C set:   and there is a control character in it
//   Clob   x1-x9
//   Frame  16: x29 x30
//
//   x0 cursor   x1 cursor in the name   x2 byte, or a length
//   x3 its class, or a digit   x6 escape_class   x7 ten, or U+FFFD
//   x8 classes of all   x9 what to write for a byte
func html_write
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    addr    x6, escape_class
    mov     x8, #0
Lhtml_write_next:
    ldrb    w2, [x1], #1
    ldrb    w3, [x6, x2]
    strb    w2, [x0], #1
    tbz     w3, #ESCAPE_TEXT, Lhtml_write_next
    sub     x0, x0, #1              // or something in its place
    tbnz    w3, #ESCAPE_HIGH, Lhtml_write_high
    cbz     w2, Lhtml_write_done
    orr     w8, w8, w3
    tbnz    w3, #ESCAPE_CONTROL, Lhtml_write_strange
    mov     w3, #'&' | '#' << 8     // &#38; and so on: two digits always
    strh    w3, [x0], #2
    mov     w7, #10
    udiv    w3, w2, w7
    msub    w2, w3, w7, w2
    add     w3, w3, #'0'
    add     w2, w2, #'0'
    strb    w3, [x0], #1
    strb    w2, [x0], #1
    mov     w2, #';'
    strb    w2, [x0], #1
    b       Lhtml_write_next

Lhtml_write_high:
    sub     x1, x1, #1
    bl      utf8_length
    b.cs    Lhtml_write_broken
Lhtml_write_copy:
    ldrb    w3, [x1], #1
    strb    w3, [x0], #1
    subs    x2, x2, #1
    b.ne    Lhtml_write_copy
    b       Lhtml_write_next
Lhtml_write_broken:
    add     x1, x1, #1
Lhtml_write_strange:
    mov     w9, #0xbfef             // U+FFFD is ef bf bd
    strh    w9, [x0], #2
    mov     w9, #0xbd
    strb    w9, [x0], #1
    b       Lhtml_write_next
Lhtml_write_done:
    lsr     w8, w8, #ESCAPE_CONTROL
    cmp     w8, #1                  // sets C when there was one
    ldp     x29, x30, [sp], #16
    ret

// utf8_length - how long is the character beyond ASCII that begins here?
//
// Only the shortest form of a character counts, and no half of a pair, nothing
// beyond U+10FFFF, and no control character: those from U+0080 to U+009F.
//
//   In     x1 bytes, the first is 0x80 or more; a NUL is somewhere behind it
//   Out    C clear: x2 length, 2 to 4
//          C set:   there is none
//   Clob   x3-x5
//   Frame  none (leaf)
//
//   x1 bytes   x2 length   x3 first byte   x4 value of the first two
//   x5 another byte
func utf8_length
    ldrb    w3, [x1]
    ldrb    w4, [x1, #1]
    eor     w4, w4, #0x80           // one that continues is 0 to 63 then
    cmp     w4, #63
    b.hi    Lutf8_length_none
    bfi     w4, w3, #6, #5
    mov     x2, #2
    sub     w5, w3, #0xc0
    cmp     w5, #0x1f
    b.hi    Lutf8_length_three
    cmp     w4, #0xa0
    b.lo    Lutf8_length_none
    carry_clear
    ret

Lutf8_length_three:
    cmp     w3, #0xe0
    b.lo    Lutf8_length_none       // it only continues
    ldrb    w5, [x1, #2]
    eor     w5, w5, #0x80
    cmp     w5, #63
    b.hi    Lutf8_length_none
    mov     x2, #3
    cmp     w3, #0xf0
    b.hs    Lutf8_length_four
    cmp     w4, #0x20               // U+0800
    b.lo    Lutf8_length_none
    lsr     w4, w4, #5
    cmp     w4, #0xd800 >> 11
    b.eq    Lutf8_length_none       // half of a pair
    carry_clear
    ret

Lutf8_length_four:
    cmp     w3, #0xf4
    b.hi    Lutf8_length_none
    ldrb    w5, [x1, #3]
    eor     w5, w5, #0x80
    cmp     w5, #63
    b.hi    Lutf8_length_none
    mov     x2, #4
    and     w4, w4, #0x1ff
    sub     w4, w4, #0x10           // U+10000
    cmp     w4, #0xff               // and U+10FFFF, above
    b.hi    Lutf8_length_none
    carry_clear
    ret

Lutf8_length_none:
    carry_set
    ret

rodata
escape_class:
    .byte   0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03  // 00
    .byte   0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03  // 08
    .byte   0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03  // 10
    .byte   0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03  // 18
    .byte   0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x01  // 20   !"#$%&'
    .byte   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00  // 28  ()*+,-./
    .byte   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00  // 30  01234567
    .byte   0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00  // 38  89:;<=>?
    .byte   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00  // 40  @ABCDEFG
    .byte   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00  // 48  HIJKLMNO
    .byte   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00  // 50  PQRSTUVW
    .byte   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00  // 58  XYZ[\]^_
    .byte   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00  // 60  `abcdefg
    .byte   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00  // 68  hijklmno
    .byte   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00  // 70  pqrstuvw
    .byte   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03  // 78  xyz{|}~.
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // 80
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // 88
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // 90
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // 98
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // a0
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // a8
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // b0
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // b8
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // c0
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // c8
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // d0
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // d8
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // e0
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // e8
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // f0
    .byte   0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05, 0x05  // f8
