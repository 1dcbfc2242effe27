// head.s - looking up a field in a head that is complete
//
// request_parse has checked every line, so there is not much left to go wrong:
// a name is a token with a colon right behind it, and CR LF ends each line.
//
// Gives    head_field head_alone
// Needs    nothing
// Memory   none of its own
// Spec     RFC 9110 5.1 (names), 5.3 (a field in several lines), 5.5 (values)
// Tests    tests/asm/test_head.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"

// head_field - find the next line of a field
//
// A list may be spread over several lines of the same name, so the search can
// go on where it ended. With bit 0x20 set, no byte of a token becomes a letter
// or a hyphen but that letter, in either case, or the hyphen itself.
//
//   In     x0 connection, its head is complete
//   x1 name in lower case, letters and hyphens   x2 its length, not 0
//   x3 0 at first, later what x2 was: where to go on
//   Out    C clear: x0 value, without the blanks around it   x1 its length
//          x2 where to go on
//          C set:   there is none, or no other
//   Clob   x0-x7
//   Frame  none (leaf)
//
//   x0 place in the name's letters, later the value   x1 name
//   x2 end of it, later of the line   x3 cursor   x4 byte   x5 line
//   x6 letter of the name   x7 name's place
func head_field
    add     x2, x1, x2
    cbnz    x3, Lhead_field_skip
    add     x3, x0, #CONN_IN
    ldrb    w4, [x3]
    cmp     w4, #'\r'
    b.ne    Lhead_field_skip        // the request line
    add     x3, x3, #2              // an empty line may stand before it
Lhead_field_skip:
    ldrb    w4, [x3], #1
    cmp     w4, #'\n'
    b.ne    Lhead_field_skip
    ldrb    w4, [x3]
    cmp     w4, #'\r'
    b.eq    Lhead_field_none        // the empty line at the end
    mov     x5, x3
    mov     x7, x1
Lhead_field_letter:                 // the colon ends this at the latest
    ldrb    w4, [x5], #1
    ldrb    w6, [x7], #1
    orr     w4, w4, #0x20
    cmp     w4, w6
    b.ne    Lhead_field_skip
    cmp     x7, x2
    b.ne    Lhead_field_letter
    ldrb    w4, [x5], #1
    cmp     w4, #':'
    b.ne    Lhead_field_skip

    mov     x0, x5
Lhead_field_left:
    ldrb    w4, [x0], #1            // the CR ends this at the latest
    cmp     w4, #' '
    b.eq    Lhead_field_left
    cmp     w4, #'\t'
    b.eq    Lhead_field_left
    sub     x0, x0, #1
    mov     x2, x0
Lhead_field_end:
    ldrb    w4, [x2], #1
    cmp     w4, #'\r'
    b.ne    Lhead_field_end
    sub     x2, x2, #1
    mov     x1, x2
Lhead_field_right:                  // the colon ends this at the latest
    ldrb    w4, [x1, #-1]!
    cmp     w4, #' '
    b.eq    Lhead_field_right
    cmp     w4, #'\t'
    b.eq    Lhead_field_right
    add     x1, x1, #1
    subs    x1, x1, x0
    csel    x1, x1, xzr, hi         // all blank: the colon is behind us
    carry_clear
    ret

Lhead_field_none:
    carry_set
    ret

// head_alone - find a field that may be there once
//
//   In     x0 connection, its head is complete
//   x1 name in lower case, letters and hyphens   x2 its length, not 0
//   Out    C clear: x0 value, without the blanks around it   x1 its length
//          C set:   it is not there, or more than once
//   Clob   x2-x12
//   Frame  16: x29 x30
//
//   x0 connection   x1 name   x2 its length   x3 where to go on
//   x8 connection   x9 name   x10 its length   x11 value   x12 its length
func head_alone
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x8, x0
    mov     x9, x1
    mov     x10, x2

    mov     x3, #0
    bl      head_field
    b.cs    Lhead_alone_return
    mov     x11, x0
    mov     x12, x1
    mov     x3, x2
    mov     x0, x8
    mov     x1, x9
    mov     x2, x10
    bl      head_field
    b.cc    Lhead_alone_twice
    mov     x0, x11
    mov     x1, x12
    carry_clear
Lhead_alone_return:
    ldp     x29, x30, [sp], #16
    ret

Lhead_alone_twice:
    carry_set
    b       Lhead_alone_return
