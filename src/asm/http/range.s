// range.s - which part of a file to send, and whether to send any of it
//
// Gives    range_apply range_offer range_reply (slot: range)
// Needs    condition_check condition_date head_alone etag_write etag_digits
//          etag_end etag_listed multipart_plan part_range parts_add mem_copy
//          text_same reply_begin reply_number reply_end reply_drop page_plan
// Memory   none of its own
// Spec     RFC 9110 14 (ranges), 13.1.5 (If-Range), 15.4.5 (304), 15.5.17 (416)
// Tests    tests/asm/test_range.py, tests/http/test_ranges.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"
.include "parts.inc"

// Range and all conditions are six bits side by side.
.equ RANGE_ASKED,       0x3f << REQUEST_HAS_RANGE

// range_apply - choose which part of a file to send
//
//   In     x0 connection, REPLY_OFFSET and REPLY_LENGTH name the whole file
//   Out    C clear: x0 status 200 or 206, and they name the part to send
//          C set:   x0 status of another reply: range_reply plans it
//   Clob   x1-x17 v0-v4
//   Frame  none: leaves the rest to range_judge
//
//   x0 connection, later the status   x1 flags
func range_apply
    ldr     w1, [x0, #CONN_REQUEST + REQUEST_FLAGS]
    tst     w1, #RANGE_ASKED
    b.ne    Lrange_apply_asked
    mov     x0, #200
    carry_clear
    ret
Lrange_apply_asked:
    b       range_judge

// range_judge - look at the conditions, then at the range
//
// A range is for GET only, and only one line of it is understood. A range that
// we do not understand is as good as none.
//
//   In     x0 connection, REPLY_OFFSET and REPLY_LENGTH name the whole file
//   Out    C clear: x0 status 200 or 206, and they name the part to send
//          C set:   x0 status 206 (several parts), 304, 412, 416
//   Clob   x1-x13 v0-v4
//   Frame  32: x29 x30, x19
//
//   x19 connection   x0 value of Range, or status
//   x1 its length, or method, or a name, or how many parts, or first byte
//   x2 length of the name, or of the file, or of the part   x3 parts
func range_judge
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    mov     x1, #1
    bl      condition_check
    b.cs    Lrange_judge_return
    ldr     w1, [x19, #CONN_REQUEST + REQUEST_METHOD]
    cmp     w1, #METHOD_GET
    b.ne    Lrange_judge_whole
    mov     x0, x19
    bl      range_current
    b.cs    Lrange_judge_whole

    mov     x0, x19
    addr    x1, range_name
    mov     x2, #range_name_len
    bl      head_alone
    b.cs    Lrange_judge_whole
    ldr     x2, [x19, #CONN_REPLY + REPLY_LENGTH]
    add     x3, x19, #CONN_PARTS
    bl      range_parse
    b.cs    Lrange_judge_whole

    ldr     x1, [x19, #CONN_PARTS + PARTS_COUNT]
    mov     x0, #416
    subs    x1, x1, #1
    b.lo    Lrange_judge_other      // nothing of it is in the file
    mov     x0, #206
    b.hi    Lrange_judge_other
    ldr     x1, [x19, #CONN_PARTS + PARTS_FIRST]
    ldr     x2, [x19, #CONN_PARTS + PARTS_FIRST + 8]
    sub     x2, x2, x1
    str     x1, [x19, #CONN_REPLY + REPLY_OFFSET]
    str     x2, [x19, #CONN_REPLY + REPLY_LENGTH]
Lrange_judge_good:
    carry_clear
Lrange_judge_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lrange_judge_whole:
    mov     x0, #200
    b       Lrange_judge_good
Lrange_judge_other:
    carry_set
    b       Lrange_judge_return

// range_current - is the file the one that the client has a part of?
//
// If-Range holds our tag, and no weak one, or the time of the last change. The
// file may have changed twice within a second: so that one must be over.
//
//   In     x0 connection
//   Out    C clear: it is, or the client has not asked
//          C set:   it is not
//   Clob   x0-x13 v0-v4
//   Frame  32: x29 x30, x19
//
//   x19 connection   x0 value, later a date, later now
//   x1 its length, or the file's time   x2 our tag
//   x3 weak tags count   x4 byte   x9 value
func range_current
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    ldr     w1, [x19, #CONN_REQUEST + REQUEST_FLAGS]
    tbz     w1, #REQUEST_HAS_IF_RANGE, Lrange_current_yes
    addr    x1, range_if
    mov     x2, #range_if_len
    bl      head_alone
    b.cs    Lrange_current_return
    ldrb    w4, [x0]
    cmp     w4, #'"'
    b.ne    Lrange_current_date
    cmp     x1, #ETAG_BYTES         // one tag alone
    b.ne    Lrange_current_no
    mov     x9, x0
    add     x0, x19, #CONN_OUT
    mov     x1, x19
    bl      etag_write
    mov     x0, x9
    mov     x1, #ETAG_BYTES
    add     x2, x19, #CONN_OUT
    mov     x3, #0
    bl      etag_listed
    b       Lrange_current_return
Lrange_current_date:
    mov     x0, x19
    addr    x1, range_if
    mov     x2, #range_if_len
    bl      condition_date
    b.cs    Lrange_current_return
    ldr     x1, [x19, #CONN_STAT + STAT_MTIME]
    bic     x1, x1, x1, asr #63     // before 1970 counts as 1970
    cmp     x0, x1
    b.ne    Lrange_current_no
    ldr     x0, [x19, #CONN_NOW]
    cmp     x1, x0                  // C is set when it is now, or later
    b       Lrange_current_return
Lrange_current_yes:
    carry_clear
Lrange_current_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lrange_current_no:
    carry_set
    b       Lrange_current_return

// range_parse - read the value of Range
//
//   In     x0 value, a CR or a blank behind it   x1 its length
//   x2 size of the file, below 2^63   x3 struct parts
//   Out    C clear: the parts are those in the file; perhaps there are none
//          C set:   not understood, or too much to ask: no range at all
//   Clob   x0-x11
//   Frame  64: x29 x30, x19 x20, x21 x22, x23
//
//   x19 cursor   x20 end   x21 size   x22 parts   x23 how many were asked for
//   x0 x1 x2 arguments   x4 byte
func range_parse
    stp     x29, x30, [sp, #-64]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    str     x23, [sp, #48]
    mov     x21, x2
    mov     x22, x3
    mov     x2, #range_unit_len
    add     x19, x0, x2
    add     x20, x0, x1
    mov     x23, #0
    str     xzr, [x22, #PARTS_COUNT]

    cmp     x19, x20
    b.hi    Lrange_parse_bad
    addr    x1, range_unit
    bl      text_same
    b.cs    Lrange_parse_return
Lrange_parse_next:                  // blanks and commas between them
    cmp     x19, x20
    b.hs    Lrange_parse_end
    ldrb    w4, [x19], #1
    cmp     w4, #','
    b.eq    Lrange_parse_next
    cmp     w4, #' '
    b.eq    Lrange_parse_next
    cmp     w4, #'\t'
    b.eq    Lrange_parse_next

    add     x23, x23, #1
    cmp     x23, #PARTS_MAX
    b.hi    Lrange_parse_bad
    sub     x0, x19, #1
    mov     x1, x21
    bl      range_spec
    b.cs    Lrange_parse_return
    mov     x19, x0
    cmp     x1, x2
    b.hs    Lrange_parse_behind     // it is not in the file
    mov     x0, x22
    bl      parts_add
Lrange_parse_behind:                // a comma or the end must follow
    cmp     x19, x20
    b.hs    Lrange_parse_end
    ldrb    w4, [x19], #1
    cmp     w4, #' '
    b.eq    Lrange_parse_behind
    cmp     w4, #'\t'
    b.eq    Lrange_parse_behind
    cmp     w4, #','
    b.eq    Lrange_parse_next
Lrange_parse_bad:
    carry_set
    b       Lrange_parse_return
Lrange_parse_end:
    cbz     x23, Lrange_parse_bad   // nothing but commas
    carry_clear
Lrange_parse_return:
    ldr     x23, [sp, #48]
    ldp     x21, x22, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #64
    ret

// range_spec - read one range: first-last, first-, or -how-many
//
//   In     x0 text, something that is not a digit behind it
//   x1 size of the file
//   Out    C clear: x0 behind it   x1 first byte
//          x2 behind the last, cut off at the end of the file; not above x1
//          when there is nothing
//          C set:   it is none, or asks for the end of an empty file
//   Clob   x3-x9
//   Frame  16: x29 x30
//
//   x6 size   x7 first   x8 text   x0 cursor   x1 number   x2 end   x9 byte
func range_spec
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x6, x1
    ldrb    w9, [x0]
    cmp     w9, #'-'
    b.eq    Lrange_spec_suffix

    bl      position_take
    b.cs    Lrange_spec_return
    mov     x7, x1
    ldrb    w9, [x0], #1
    cmp     w9, #'-'
    b.ne    Lrange_spec_bad
    bl      position_take
    mov     x2, x6
    b.cs    Lrange_spec_found       // first-: to the end
    cmp     x1, x7
    b.lo    Lrange_spec_bad
    cmp     x1, x6
    cinc    x2, x1, lo
    csel    x2, x2, x6, lo
Lrange_spec_found:
    mov     x1, x7
    carry_clear
Lrange_spec_return:
    ldp     x29, x30, [sp], #16
    ret

Lrange_spec_suffix:
    add     x0, x0, #1
    bl      position_take
    b.cs    Lrange_spec_return
    mov     x2, x6
    cmp     x1, x6
    csel    x1, x1, x6, lo          // no more than there is
    sub     x7, x6, x1
    cbnz    x6, Lrange_spec_found
Lrange_spec_bad:
    carry_set
    b       Lrange_spec_return

// position_take - read the digits of a position in a file
//
//   In     x0 text, something that is not a digit behind it
//   Out    C clear: x0 behind the digits   x1 number, at most 2^64 - 1
//          C set:   no digit; x0 as it was
//   Clob   x1-x5
//   Frame  none (leaf)
//
//   x0 cursor   x1 number   x2 text   x3 digit   x4 ten
//   x5 high half of the product
func position_take
    mov     x2, x0
    mov     x1, #0
    mov     x4, #10
Lposition_take_digit:
    ldrb    w3, [x0], #1
    sub     w3, w3, #'0'
    cmp     w3, #9
    b.hi    Lposition_take_end
    umulh   x5, x1, x4
    cbnz    x5, Lposition_take_large
    mul     x1, x1, x4
    adds    x1, x1, x3
    b.cc    Lposition_take_digit
Lposition_take_large:
    mov     x1, #-1                 // and so it stays
    b       Lposition_take_digit
Lposition_take_end:
    sub     x0, x0, #1
    cmp     x2, x0                  // C is set when there was none
    ret

// range_offer - write the fields about ranges and the version of the file
//
//   In     x0 cursor   x1 connection, REPLY_STATUS is set
//   Out    x0 cursor
//   Clob   x1-x9 v0-v4
//   Frame  16: x29 x30
//
//   x0 cursor   x1 connection, or first byte   x2 behind the last
//   x3 size   x4 text, its length, status, how many parts
//   x5 end of the tag's line
//   v0 v1 text
func range_offer
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    addr    x4, range_bytes
    ldp     q0, q1, [x4]
    stp     q0, q1, [x0]            // a few bytes more than count
    mov     x4, #range_bytes_len
    add     x0, x0, x4
    bl      etag_digits
    movi32  w5, '"' | '\r' << 8 | '\n' << 16
    str     w5, [x0], #3
    ldr     w4, [x1, #CONN_REPLY + REPLY_STATUS]
    cmp     w4, #206
    b.eq    Lrange_offer_part
Lrange_offer_return:
    ldp     x29, x30, [sp], #16
    ret

Lrange_offer_part:
    ldr     x4, [x1, #CONN_PARTS + PARTS_COUNT]
    cmp     x4, #1                  // several name themselves
    b.ne    Lrange_offer_return
    ldr     x3, [x1, #CONN_STAT + STAT_SIZE]
    ldr     x2, [x1, #CONN_PARTS + PARTS_FIRST + 8]
    ldr     x1, [x1, #CONN_PARTS + PARTS_FIRST]
    bl      part_range
    b       Lrange_offer_return

// range_reply - plan a reply that is neither the whole file nor one part of it
//
//   In     x0 connection, REPLY_FD and CONN_STAT are set
//   x1 status that range_apply gave
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send; no file is open
//   Clob   x0-x17 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 status   x0 connection, or cursor
func range_reply
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    mov     x20, x1

    cmp     x20, #206
    b.eq    Lrange_reply_parts
    bl      reply_drop
    mov     x0, x19
    cmp     x20, #304
    b.eq    Lrange_reply_same
    cmp     x20, #416
    b.eq    Lrange_reply_none
    mov     x0, x20
    carry_set
Lrange_reply_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lrange_reply_parts:
    bl      multipart_plan
    b       Lrange_reply_done
Lrange_reply_same:
    bl      range_unchanged
    b       Lrange_reply_done
Lrange_reply_none:
    bl      range_missed
Lrange_reply_done:
    carry_clear
    b       Lrange_reply_return

// range_unchanged - plan a 304: the client has the file already
//
//   In     x0 connection, CONN_STAT describes the file
//   Out    nothing; the reply is complete
//   Clob   x0-x10 v0-v4
//   Frame  32: x29 x30, x19
//
//   x19 connection   x0 cursor
func range_unchanged
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    str     wzr, [x19, #CONN_REPLY + REPLY_KIND]    // BODY_NONE
    str     xzr, [x19, #CONN_REPLY + REPLY_LENGTH]
    mov     x1, #304
    bl      reply_begin
    mov     x1, x19
    bl      etag_end

    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// range_missed - plan a 416: a page that says how large the file is
//
//   In     x0 connection, CONN_STAT describes the file
//   Out    nothing; the reply is complete
//   Clob   x0-x17 v0-v1
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 size   x0 cursor   x1 text, or the cursor
//   x2 its length, or the end of a line
func range_missed
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

    ldr     x20, [x19, #CONN_STAT + STAT_SIZE]
    mov     x1, #416
    bl      page_plan
    ldp     x0, x1, [x19, #CONN_REPLY + REPLY_HEAD]
    add     x0, x0, x1
    sub     x0, x0, #2              // in front of the empty line
    addr    x1, range_star
    mov     x2, #range_star_len
    bl      mem_copy
    mov     x1, x20
    bl      reply_number
    mov     w2, #'\r' | '\n' << 8
    strh    w2, [x0], #2
    mov     x1, x0
    mov     x0, x19
    bl      reply_end

    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

rodata
string range_name, "range"
string range_if, "if-range"
string range_unit, "bytes="
string range_star, "Content-Range: bytes */"
string range_bytes, "Accept-Ranges: bytes\r\nETag: \""
    .skip   3                       // it is copied as 32 bytes
