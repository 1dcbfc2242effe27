// field.s - field lines: their grammar, and the fields that we act on
//
// Gives    field_take
// Needs    char_class text_same u64_parse host_check
// Memory   none of its own
// Spec     RFC 9110 5 (fields), 7.2 (Host), 8.6 (Content-Length);
//          RFC 9112 5 (field syntax), 6 (framing)
// Tests    tests/asm/test_field.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"
.include "request.inc"

// Fields that we act on; every other one is checked and ignored.
.equ FIELD_HOST,            1
.equ FIELD_CONTENT_LENGTH,  2
.equ FIELD_CODING,          3

// A bit for each length that a name in field_rows has.
.equ FIELD_LENGTHS,         1 << 4 | 1 << 14 | 1 << 17

// field_take - check one field line and remember what it says
//
// The bytes of the value have been checked: request_parse found no control
// characters in the line. The CR at its end stops the loop over the name.
//
//   In     x0 request   x1 line, a CR behind it   x2 its length without the CR
//   Out    C clear: the line is good
//          C set:   x0 status 400, 431, 501
//   Clob   x0-x8
//   Frame  16: x29 x30
//
//   x0 request   x1 name   x2 end of the line   x3 cursor   x4 length of the name
//   x5 char_class, later FIELD_LENGTHS   x6 byte   x7 its class
func field_take
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    ldr     w3, [x0, #REQUEST_FIELDS]
    add     w3, w3, #1
    str     w3, [x0, #REQUEST_FIELDS]
    cmp     w3, #FIELDS_MAX
    b.hi    Lfield_take_many

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

    cmp     x4, #31
    b.hi    Lfield_take_good
    movi32  w5, FIELD_LENGTHS       // most names are as long as none of ours
    lsr     w5, w5, w4
    tbz     w5, #0, Lfield_take_good
    add     x2, x1, x2
    bl      field_keep
Lfield_take_return:
    ldp     x29, x30, [sp], #16
    ret

Lfield_take_good:
    carry_clear
    b       Lfield_take_return
Lfield_take_many:
    mov     x0, #431
    carry_set
    b       Lfield_take_return
Lfield_take_bad:
    mov     x0, #400
    carry_set
    b       Lfield_take_return

// field_keep - is this a field that we act on? Then act on it
//
// Names are compared whole: "Host-Override" is not "Host".
//
//   In     x0 request   x1 name   x2 end of the line   x3 first byte of the value
//   x4 length of the name, not 0
//   Out    C clear: the line is good
//          C set:   x0 status 400, 501
//   Clob   x0-x8
//   Frame  64: x29 x30, x19 x20, x21 x22, x23
//
//   x19 request   x20 name   x21 end   x22 value   x23 length of the name
//   x5 row   x2 length of the row's name   x3 FIELD_ number
func field_keep
    stp     x29, x30, [sp, #-64]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    str     x23, [sp, #48]
    mov     x19, x0
    mov     x20, x1
    mov     x21, x2
    mov     x22, x3
    mov     x23, x4

    addr    x5, field_rows
Lfield_keep_row:
    ldrb    w2, [x5]
    cbz     w2, Lfield_keep_other   // the end of the table
    cmp     x2, x23
    b.ne    Lfield_keep_next
    mov     x0, x20
    add     x1, x5, #2
    bl      text_same
    b.cc    Lfield_keep_found
    ldrb    w2, [x5]
Lfield_keep_next:
    add     x5, x5, x2
    add     x5, x5, #2
    b       Lfield_keep_row

Lfield_keep_found:
    mov     x0, x22
    mov     x1, x21
    bl      value_trim
    mov     x2, x1
    mov     x1, x0
    mov     x0, x19
    ldrb    w3, [x5, #1]
    cmp     w3, #FIELD_CONTENT_LENGTH
    b.eq    Lfield_keep_length
    b.hi    Lfield_keep_coding
    bl      field_host
    b       Lfield_keep_return
Lfield_keep_length:
    bl      field_length
    b       Lfield_keep_return
Lfield_keep_coding:
    bl      field_coding
    b       Lfield_keep_return

Lfield_keep_other:
    carry_clear
Lfield_keep_return:
    ldr     x23, [sp, #48]
    ldp     x21, x22, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #64
    ret

// value_trim - cut off the blanks and tabs around a value
//
//   In     x0 first byte   x1 end
//   Out    x0 first byte   x1 length
//   Clob   x2
//   Frame  none (leaf)
//
//   x0 first byte   x1 end, later the length   x2 byte
func value_trim
Lvalue_trim_left:
    cmp     x0, x1
    b.eq    Lvalue_trim_done
    ldrb    w2, [x0], #1
    cmp     w2, #' '
    b.eq    Lvalue_trim_left
    cmp     w2, #'\t'
    b.eq    Lvalue_trim_left
    sub     x0, x0, #1
Lvalue_trim_right:                  // ends at the byte that is not blank
    ldrb    w2, [x1, #-1]!
    cmp     w2, #' '
    b.eq    Lvalue_trim_right
    cmp     w2, #'\t'
    b.eq    Lvalue_trim_right
    add     x1, x1, #1
Lvalue_trim_done:
    sub     x1, x1, x0
    ret

// field_host - Host: once, and nothing but a host and a port
//
//   In     x0 request   x1 value, a CR or a blank behind it   x2 its length
//   Out    C clear: remembered
//          C set:   x0 status 400
//   Clob   x0-x5
//   Frame  16: x29 x30
//
//   x0 request, later the value   x1 value, later its length   x3 flags
func field_host
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    ldr     w3, [x0, #REQUEST_FLAGS]
    tbnz    w3, #REQUEST_HAS_HOST, Lfield_host_twice
    orr     w4, w3, #(1 << REQUEST_HAS_HOST)
    str     w4, [x0, #REQUEST_FLAGS]
    tbnz    w3, #REQUEST_HAS_AUTHORITY, Lfield_host_check
    stp     x1, x2, [x0, #REQUEST_HOST]
Lfield_host_check:
    mov     x0, x1
    mov     x1, x2
    bl      host_check
Lfield_host_return:
    ldp     x29, x30, [sp], #16
    ret

Lfield_host_twice:
    mov     x0, #400
    carry_set
    b       Lfield_host_return

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

// length of the name, FIELD_ number, name in lower case; 0 ends the table
field_rows:
    .byte   4, FIELD_HOST
    .ascii  "host"
    .byte   14, FIELD_CONTENT_LENGTH
    .ascii  "content-length"
    .byte   17, FIELD_CODING
    .ascii  "transfer-encoding"
    .byte   0
