// field.s - field lines: their grammar, and the fields that we act on
//
// Gives    field_take
// Needs    char_class text_same u64_parse host_check
// Memory   none of its own
// Spec     RFC 9110 5 (fields), 7.2 (Host), 8.6 (Content-Length), 13 (If-),
//          14.2 (Range); RFC 9112 5 (field syntax), 6 (framing)
// Tests    tests/asm/test_field.py, tests/http/test_fields.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"
.include "request.inc"

// Fields that we act on; every other one is checked and ignored.
.equ FIELD_HOST,            1
.equ FIELD_CONTENT_LENGTH,  2
.equ FIELD_CODING,          3
// Of those with a larger number, only that they are there is remembered: the
// number is that of a bit in REQUEST_FLAGS.

// A bit for each length that a name in field_rows has.
.equ FIELD_FRAMING_LENGTHS, 1 << 4 | 1 << 14 | 1 << 17
.equ FIELD_NOTED_LENGTHS,   1 << 5 | 1 << 8 | 1 << 13 | 1 << 17 | 1 << 19
.equ FIELD_LENGTHS,         FIELD_FRAMING_LENGTHS | FIELD_NOTED_LENGTHS

// field_take - check one field line and remember what it says
//
// The bytes of the value have been checked: request_parse found no control
// characters in the line. The CR at its end stops the loop over the name.
//
//   In     x0 request   x1 line, a CR behind it   x2 its length without the CR
//   Out    C clear: the line is good
//          C set:   x0 status 400, 501
//   Clob   x0-x8
//   Frame  none: leaves the rest to field_keep
//
//   x0 request   x1 name   x2 end of the line   x3 cursor
//   x4 length of the name   x5 char_class, later FIELD_LENGTHS   x6 byte
//   x7 its class
func field_take
    addr    x5, char_class
    mov     x3, x1
Lfield_take_name:
    ldrb    w6, [x3], #1
    ldrb    w7, [x5, x6]
    tbnz    w7, #CHAR_TOKEN, Lfield_take_name
    cmp     w6, #':'                // right behind the name, or not at all
    b.ne    Lfield_take_bad
    sub     x4, x3, x1
    subs    x4, x4, #1
    b.eq    Lfield_take_bad         // an empty name

    movi32  w5, FIELD_LENGTHS       // most names are as long as none of ours
    lsr     w5, w5, w4              // (36 counts as 4; field_keep sees it)
    tbz     w5, #0, Lfield_take_other
    add     x2, x1, x2
    b       field_keep
Lfield_take_other:
    carry_clear
    ret
Lfield_take_bad:
    mov     x0, #400
    carry_set
    ret

// field_keep - is this a field that we act on? Then act on it
//
// Names are compared whole: "Host-Override" is not "Host". The first four
// letters in one go, the others one by one. With bit 0x20 set, no byte of a
// token becomes a letter or a hyphen but that letter, in either case, or the
// hyphen itself; and our names are made of nothing else.
//
//   In     x0 request   x1 name   x2 end of the line
//   x3 first byte of the value   x4 length of the name
//   Out    C clear: the line is good
//          C set:   x0 status 400, 501
//   Clob   x0-x8
//   Frame  none: leaves the rest to the function for that field
//
//   x0 request   x1 name, later the value   x2 end   x3 value
//   x4 length of the name, later FIELD_ number   x5 row
//   x6 bytes compared, later the flags
//   x7 length, or letters, of the row's name, later a flag
//   x8 letters of the name
func field_keep
    addr    x5, field_rows
Lfield_keep_row:
    ldrb    w7, [x5], #1
    cbz     w7, Lfield_keep_other   // the end of the table
    cmp     x7, x4
    b.ne    Lfield_keep_next
    ldr     w7, [x5]
    ldr     w8, [x1]
    orr     w8, w8, #0x20202020     // lower case
    cmp     w7, w8
    b.ne    Lfield_keep_differs
    mov     x6, #4
Lfield_keep_letter:
    cmp     x6, x4
    b.eq    Lfield_keep_found
    ldrb    w7, [x5, x6]
    ldrb    w8, [x1, x6]
    add     x6, x6, #1
    orr     w8, w8, #0x20
    cmp     w7, w8
    b.eq    Lfield_keep_letter
Lfield_keep_differs:
    mov     x7, x4
Lfield_keep_next:
    add     x5, x5, x7              // over the name and its FIELD_ number
    add     x5, x5, #1
    b       Lfield_keep_row

Lfield_keep_found:
    ldrb    w4, [x5, x6]
    mov     x1, x3
    cmp     w4, #FIELD_CODING
    b.hi    Lfield_keep_note
    b       field_value
Lfield_keep_note:                   // its value waits in the head
    ldr     w6, [x0, #REQUEST_FLAGS]
    mov     w7, #1
    lsl     w7, w7, w4
    orr     w6, w6, w7
    str     w6, [x0, #REQUEST_FLAGS]
Lfield_keep_other:
    carry_clear
    ret

// field_value - take the value of a field that we act on
//
//   In     x0 request   x1 first byte of the value, a CR behind it
//   x2 end of the line   x4 FIELD_ number
//   Out    C clear: the line is good
//          C set:   x0 status 400, 501
//   Clob   x0-x6
//   Frame  none: leaves the rest to the function for that field
//
//   x0 request   x1 value   x2 end, later its length   x3 byte
//   x4 FIELD_ number
func field_value
Lfield_value_left:                  // blanks and tabs around it do not count
    ldrb    w3, [x1], #1            // the CR ends this at the latest
    cmp     w3, #' '
    b.eq    Lfield_value_left
    cmp     w3, #'\t'
    b.eq    Lfield_value_left
    sub     x1, x1, #1
    cmp     x1, x2
    b.eq    Lfield_value_cut
Lfield_value_right:
    ldrb    w3, [x2, #-1]!
    cmp     w3, #' '
    b.eq    Lfield_value_right
    cmp     w3, #'\t'
    b.eq    Lfield_value_right
    add     x2, x2, #1
Lfield_value_cut:
    sub     x2, x2, x1
    cmp     w4, #FIELD_CONTENT_LENGTH
    b.eq    Lfield_value_length
    b.hi    Lfield_value_coding
    b       field_host
Lfield_value_length:
    b       field_length
Lfield_value_coding:
    b       field_coding

// field_host - Host: once, and nothing but a host and a port
//
//   In     x0 request   x1 value, a CR or a blank behind it   x2 its length
//   Out    C clear: remembered
//          C set:   x0 status 400
//   Clob   x0-x5
//   Frame  none: leaves the rest to host_check
//
//   x0 request, later the value   x1 value, later its length   x3 flags
//   x4 flags with one more
func field_host
    ldr     w3, [x0, #REQUEST_FLAGS]
    tbnz    w3, #REQUEST_HAS_HOST, Lfield_host_twice
    orr     w4, w3, #(1 << REQUEST_HAS_HOST)
    str     w4, [x0, #REQUEST_FLAGS]
    tbnz    w3, #REQUEST_HAS_AUTHORITY, Lfield_host_check
    str     x1, [x0, #REQUEST_HOST]
    str     x2, [x0, #REQUEST_HOST_LEN]
Lfield_host_check:
    mov     x0, x1
    mov     x1, x2
    b       host_check
Lfield_host_twice:
    mov     x0, #400
    carry_set
    ret

// field_length - Content-Length: once, digits only, in 63 bits
//
//   In     x0 request   x1 value   x2 its length
//   Out    C clear: remembered
//          C set:   x0 status 400
//   Clob   x0-x6
//   Frame  16: x29 x30
//
//   x0 value   x1 length   x3 flags   x6 request
func field_length
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x6, x0

    ldr     w3, [x6, #REQUEST_FLAGS]
    tbnz    w3, #REQUEST_HAS_LENGTH, Lfield_length_bad
    orr     w3, w3, #(1 << REQUEST_HAS_LENGTH)
    str     w3, [x6, #REQUEST_FLAGS]
    mov     x0, x1
    mov     x1, x2
    bl      u64_parse
    b.cs    Lfield_length_bad
    tbnz    x0, #63, Lfield_length_bad
    str     x0, [x6, #REQUEST_LENGTH]   // C is still clear
Lfield_length_return:
    ldp     x29, x30, [sp], #16
    ret

Lfield_length_bad:
    mov     x0, #400
    carry_set
    b       Lfield_length_return

// field_coding - Transfer-Encoding: once, and "chunked" is all we know
//
//   In     x0 request   x1 value   x2 its length
//   Out    C clear: remembered
//          C set:   x0 status 400 (twice), 501 (another coding)
//   Clob   x0-x4
//   Frame  16: x29 x30
//
//   x0 value   x1 the one we know   x2 length   x3 flags, later its length
func field_coding
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    ldr     w3, [x0, #REQUEST_FLAGS]
    tbnz    w3, #REQUEST_HAS_CODING, Lfield_coding_twice
    orr     w3, w3, #(1 << REQUEST_HAS_CODING)
    str     w3, [x0, #REQUEST_FLAGS]
    mov     x0, x1
    addr    x1, coding_chunked
    mov     x3, #coding_chunked_len
    cmp     x2, x3
    b.ne    Lfield_coding_unknown
    bl      text_same
    b.cs    Lfield_coding_unknown
Lfield_coding_return:
    ldp     x29, x30, [sp], #16
    ret

Lfield_coding_twice:
    mov     x0, #400
    carry_set
    b       Lfield_coding_return
Lfield_coding_unknown:
    mov     x0, #501
    carry_set
    b       Lfield_coding_return

rodata
string coding_chunked, "chunked"

// length of a name (4 at least), the name in lower case, FIELD_ number; 0 ends
// it
field_rows:
    .byte   4
    .ascii  "host"
    .byte   FIELD_HOST
    .byte   14
    .ascii  "content-length"
    .byte   FIELD_CONTENT_LENGTH
    .byte   17
    .ascii  "transfer-encoding"
    .byte   FIELD_CODING
    .byte   5
    .ascii  "range"
    .byte   REQUEST_HAS_RANGE
    .byte   8
    .ascii  "if-range"
    .byte   REQUEST_HAS_IF_RANGE
    .byte   8
    .ascii  "if-match"
    .byte   REQUEST_HAS_IF_MATCH
    .byte   13
    .ascii  "if-none-match"
    .byte   REQUEST_HAS_IF_NONE_MATCH
    .byte   17
    .ascii  "if-modified-since"
    .byte   REQUEST_HAS_IF_MODIFIED
    .byte   19
    .ascii  "if-unmodified-since"
    .byte   REQUEST_HAS_IF_UNMODIFIED
    .byte   0
