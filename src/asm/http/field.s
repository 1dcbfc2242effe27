// field.s - field lines: their grammar, and the fields that we act on
//
// Gives    field_take field_split field_find value_check
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
.equ FIELD_OTHER,           0
.equ FIELD_HOST,            1
.equ FIELD_CONTENT_LENGTH,  2
.equ FIELD_CODING,          3

// field_take - check one field line and remember what it says
//
//   In     x0 request   x1 line   x2 its length without CR LF
//   Out    C clear: the line is good
//          C set:   x0 status 400, 431, 501
//   Clob   x0-x6 v0-v3
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 request   x20 value   x21 length of the value
func field_take
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x0

    ldr     w3, [x19, #REQUEST_FIELDS]
    add     w3, w3, #1
    str     w3, [x19, #REQUEST_FIELDS]
    cmp     w3, #FIELDS_MAX
    b.hi    Lfield_take_many

    mov     x0, x1
    mov     x1, x2
    mov     x21, x0                 // the line, until its value is known
    bl      field_split
    b.cs    Lfield_take_return
    mov     x20, x1
    mov     x1, x0
    mov     x0, x21
    mov     x21, x2
    bl      field_find
    cbz     x0, Lfield_take_good    // FIELD_OTHER
    mov     x3, x0
    mov     x0, x19
    mov     x1, x20
    mov     x2, x21
    cmp     x3, #FIELD_CONTENT_LENGTH
    b.eq    Lfield_take_length
    b.hi    Lfield_take_coding
    bl      field_host
    b       Lfield_take_return
Lfield_take_length:
    bl      field_length
    b       Lfield_take_return
Lfield_take_coding:
    bl      field_coding
    b       Lfield_take_return

Lfield_take_many:
    mov     x0, #431
    carry_set
    b       Lfield_take_return
Lfield_take_good:
    carry_clear
Lfield_take_return:
    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

// field_split - find name and value of a field line and check their bytes
//
//   In     x0 line   x1 its length without CR LF
//   Out    C clear: x0 length of the name   x1 value   x2 its length,
//          blanks around it cut off
//          C set:   x0 status 400
//   Clob   x3-x6 v0-v3
//   Frame  32: x29 x30, x19
//
//   x0 line   x1 cursor, later the value   x2 end, later the value's length
//   x3 byte   x4 its class, later what value_check uses   x5 char_class
//   x6 line   x19 length of the name
func field_split
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x6, x0
    add     x2, x0, x1
    mov     x1, x0

    addr    x5, char_class
Lfield_split_name:
    cmp     x1, x2
    b.eq    Lfield_split_bad        // no colon
    ldrb    w3, [x1], #1
    ldrb    w4, [x5, x3]
    tbnz    w4, #CHAR_TOKEN, Lfield_split_name
    cmp     w3, #':'                // right behind the name, or not at all
    b.ne    Lfield_split_bad
    sub     x19, x1, x6
    subs    x19, x19, #1
    b.eq    Lfield_split_bad        // an empty name

Lfield_split_left:
    cmp     x1, x2
    b.eq    Lfield_split_cut
    ldrb    w3, [x1], #1
    cmp     w3, #' '
    b.eq    Lfield_split_left
    cmp     w3, #'\t'
    b.eq    Lfield_split_left
    sub     x1, x1, #1
Lfield_split_right:                 // ends at the byte that is not blank
    ldrb    w3, [x2, #-1]!
    cmp     w3, #' '
    b.eq    Lfield_split_right
    cmp     w3, #'\t'
    b.eq    Lfield_split_right
    add     x2, x2, #1
Lfield_split_cut:
    sub     x2, x2, x1

    mov     x0, x1
    mov     x6, x2
    mov     x1, x2
    bl      value_check
    b.cs    Lfield_split_return
    mov     x1, x0
    mov     x2, x6
    mov     x0, x19
Lfield_split_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lfield_split_bad:
    mov     x0, #400
    carry_set
    b       Lfield_split_return

// value_check - may these bytes be a field value?
//
// Everything from the blank up may, but DEL; below it, only the tab. Long values
// are checked sixteen bytes at a time, the last sixteen overlapping.
//
//   In     x0 value   x1 length in bytes
//   Out    C clear: x0 the value
//          C set:   x0 status 400
//   Clob   x1-x5 v0-v3
//   Frame  none (leaf)
//
//   x1 bytes left   x2 cursor   x3 end, or a byte   x4 its class, or what is bad
//   x5 char_class   v0 sixteen bytes   v1 a byte to compare with
//   v2 0xff in each bad byte   v3 0xff in each byte to add or take away
func value_check
    mov     x2, x0
    cmp     x1, #16
    b.lo    Lvalue_check_short
    add     x3, x0, x1
Lvalue_check_sixteen:
    ldr     q0, [x2], #16
Lvalue_check_last:
    movi    v1.16b, #0x20
    cmhi    v2.16b, v1.16b, v0.16b  // below the blank
    movi    v1.16b, #0x09
    cmeq    v3.16b, v0.16b, v1.16b
    bic     v2.16b, v2.16b, v3.16b  // but not the tab
    movi    v1.16b, #0x7f
    cmeq    v3.16b, v0.16b, v1.16b
    orr     v2.16b, v2.16b, v3.16b
    umaxv   b2, v2.16b
    fmov    w4, s2
    cbnz    w4, Lvalue_check_bad
    subs    x1, x1, #16
    b.ls    Lvalue_check_good
    cmp     x1, #16
    b.hs    Lvalue_check_sixteen
    ldur    q0, [x3, #-16]
    mov     x1, #16                 // these are the last
    b       Lvalue_check_last

Lvalue_check_short:
    addr    x5, char_class
Lvalue_check_byte:
    cbz     x1, Lvalue_check_good
    ldrb    w3, [x2], #1
    ldrb    w4, [x5, x3]
    sub     x1, x1, #1
    tbnz    w4, #CHAR_VALUE, Lvalue_check_byte
Lvalue_check_bad:
    mov     x0, #400
    carry_set
    ret
Lvalue_check_good:
    carry_clear
    ret

// field_find - is this the name of a field that we act on?
//
// Names are compared whole: "Host-Override" is not "Host".
//
//   In     x0 name   x1 length in bytes, not 0
//   Out    x0 FIELD_ number
//   Clob   x1-x6
//   Frame  16: x29 x30
//
//   x0 name   x1 length, later the row's name   x2 length of the row's name
//   x5 row   x6 name
func field_find
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    addr    x5, field_rows
    mov     x6, x0

Lfield_find_row:
    ldrb    w2, [x5]
    cmp     x2, x1
    b.eq    Lfield_find_same_length
Lfield_find_next:
    add     x5, x5, x2
    add     x5, x5, #2
    cbnz    w2, Lfield_find_row
    mov     x0, #FIELD_OTHER        // that was the end of the table
    b       Lfield_find_return
Lfield_find_same_length:
    mov     x0, x6
    add     x1, x5, #2
    bl      text_same
    ldrb    w0, [x5, #1]
    b.cc    Lfield_find_return
    ldrb    w2, [x5]
    mov     x1, x2
    b       Lfield_find_next
Lfield_find_return:
    ldp     x29, x30, [sp], #16
    ret

// field_host - Host: once, and nothing but a host and a port
//
//   In     x0 request   x1 value   x2 its length
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
