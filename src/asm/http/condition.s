// condition.s - requests that are meant only under a condition
//
// Gives    condition_check condition_date
// Needs    head_field head_alone etag_write etag_listed date_parse
// Memory   none of its own
// Spec     RFC 9110 13.1 (conditions), 13.2.2 (which of them comes first)
// Tests    tests/asm/test_condition.py, tests/http/test_conditions.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"
.include "parts.inc"

.equ CONDITIONS_FIRST,  REQUEST_HAS_IF_MATCH    // four bits from here on
.equ CONDITIONS_MASK,   0xf << CONDITIONS_FIRST

// What condition_since says
.equ SINCE_UNKNOWN,     0
.equ SINCE_SAME,        1
.equ SINCE_CHANGED,     2

// condition_check - may the request be carried out as things are?
//
// CONN_OUT holds our tag meanwhile: nothing of a reply has been written yet.
//
//   In     x0 connection, its head is complete
//   x1 1 when CONN_STAT describes what is there, 0 when nothing is
//   Out    C clear: it may
//          C set:   x0 status 304, 412
//   Clob   x0-x13 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 flags   x0 status   x1 something is there, or a name
//   x2 its length, or method   x3 weak tags count
func condition_check
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    ldr     w20, [x0, #CONN_REQUEST + REQUEST_FLAGS]
    ands    w20, w20, #CONDITIONS_MASK
    b.eq    Lcondition_check_good   // nearly always

    add     x0, x19, #CONN_OUT
    strb    wzr, [x0]               // no tag: nothing is there
    cbz     x1, Lcondition_check_match
    mov     x1, x19
    bl      etag_write
Lcondition_check_match:
    tbz     w20, #REQUEST_HAS_IF_MATCH, Lcondition_check_unmodified
    mov     x0, x19
    addr    x1, condition_match
    mov     x2, #condition_match_len
    mov     x3, #0
    bl      condition_tags
    b.cs    Lcondition_check_failed
    b       Lcondition_check_none
Lcondition_check_unmodified:
    tbz     w20, #REQUEST_HAS_IF_UNMODIFIED, Lcondition_check_none
    mov     x0, x19
    addr    x1, condition_unmodified
    mov     x2, #condition_unmodified_len
    bl      condition_since
    cmp     x0, #SINCE_CHANGED
    b.eq    Lcondition_check_failed

Lcondition_check_none:
    tbz     w20, #REQUEST_HAS_IF_NONE_MATCH, Lcondition_check_modified
    mov     x0, x19
    addr    x1, condition_none
    mov     x2, #condition_none_len
    mov     x3, #1
    bl      condition_tags
    b.cs    Lcondition_check_good
    ldr     w2, [x19, #CONN_REQUEST + REQUEST_METHOD]
    cmp     w2, #METHOD_HEAD
    b.hi    Lcondition_check_failed
Lcondition_check_same:              // the client has it already
    mov     x0, #304
    b       Lcondition_check_refuse
Lcondition_check_modified:
    tbz     w20, #REQUEST_HAS_IF_MODIFIED, Lcondition_check_good
    ldr     w2, [x19, #CONN_REQUEST + REQUEST_METHOD]
    cmp     w2, #METHOD_HEAD
    b.hi    Lcondition_check_good   // it is for GET and HEAD only
    mov     x0, x19
    addr    x1, condition_modified
    mov     x2, #condition_modified_len
    bl      condition_since
    cmp     x0, #SINCE_SAME
    b.eq    Lcondition_check_same
Lcondition_check_good:
    carry_clear
Lcondition_check_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lcondition_check_failed:
    mov     x0, #412
Lcondition_check_refuse:
    carry_set
    b       Lcondition_check_return

// condition_tags - do the lines of a field hold our tag, or a star?
//
// A star stands for whatever is there.
//
//   In     x0 connection, CONN_OUT holds our tag; its first byte is 0 when
//   nothing is there
//   x1 name of the field in lower case   x2 its length
//   x3 1 when weak tags count too, else 0
//   Out    C clear: they do
//          C set:   they do not
//   Clob   x0-x13
//   Frame  16: x29 x30
//
//   x9 connection   x10 name   x11 its length   x12 weak tags count
//   x13 where to go on   x0 value   x1 its length   x2 our tag   x4 byte
func condition_tags
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x9, x0
    mov     x10, x1
    mov     x11, x2
    mov     x12, x3
    mov     x13, #0

    ldrb    w4, [x9, #CONN_OUT]
    cbz     w4, Lcondition_tags_nothing
Lcondition_tags_line:
    mov     x0, x9
    mov     x1, x10
    mov     x2, x11
    mov     x3, x13
    bl      head_field
    b.cs    Lcondition_tags_return
    mov     x13, x2
    cmp     x1, #1
    b.ne    Lcondition_tags_list
    ldrb    w4, [x0]
    cmp     w4, #'*'
    b.eq    Lcondition_tags_star
Lcondition_tags_list:
    add     x2, x9, #CONN_OUT
    mov     x3, x12
    bl      etag_listed
    b.cs    Lcondition_tags_line
Lcondition_tags_return:
    ldp     x29, x30, [sp], #16
    ret

Lcondition_tags_star:
    carry_clear
    b       Lcondition_tags_return
Lcondition_tags_nothing:
    carry_set
    b       Lcondition_tags_return

// condition_since - has the file changed since the date in a field?
//
//   In     x0 connection, CONN_OUT begins with 0 when nothing is there
//   x1 name of the field in lower case   x2 its length
//   Out    x0 SINCE_CHANGED, SINCE_SAME; SINCE_UNKNOWN when there is no file,
//          or no date in the field
//   Clob   x1-x12
//   Frame  32: x29 x30, x19
//
//   x19 connection   x0 date   x1 time of the last change   x2 byte
func condition_since
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    bl      condition_date
    b.cs    Lcondition_since_unknown
    ldrb    w2, [x19, #CONN_OUT]
    cbz     w2, Lcondition_since_unknown
    ldr     x1, [x19, #CONN_STAT + STAT_MTIME]
    bic     x1, x1, x1, asr #63     // before 1970 counts as 1970
    cmp     x1, x0
    mov     x0, #SINCE_SAME
    b.le    Lcondition_since_return
    mov     x0, #SINCE_CHANGED
Lcondition_since_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lcondition_since_unknown:
    mov     x0, #SINCE_UNKNOWN
    b       Lcondition_since_return

// condition_date - the date in a field that may be there once
//
//   In     x0 connection   x1 name of the field in lower case   x2 its length
//   Out    C clear: x0 seconds since 1970
//          C set:   x0 EINVAL, it is no date, or there twice or not at all
//   Clob   x1-x12
//   Frame  32: x29 x30, x19
//
//   x19 connection   x0 value   x1 its length   x2 now
func condition_date
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    bl      head_alone
    b.cs    Lcondition_date_none
    ldr     x2, [x19, #CONN_NOW]
    bl      date_parse
Lcondition_date_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lcondition_date_none:
    mov     x0, #EINVAL
    carry_set
    b       Lcondition_date_return

rodata
string condition_match, "if-match"
string condition_none, "if-none-match"
string condition_modified, "if-modified-since"
string condition_unmodified, "if-unmodified-since"
