// multipart.s - several parts of a file in one reply
//
// Each part is preceded by lines that say which part it is, and a boundary
// stands between them. The boundary is the tag of the file: who writes a file
// cannot know it before, as it holds the nanosecond of the writing.
//
// The reply is a row of segments: its head with the lines of the first part,
// and that part; then the lines of a part and the part, in turn; and the last
// boundary.
//
// Gives    multipart_plan part_range parts_add
// Needs    etag_digits mime_find range_offer file_modified
//          reply_begin reply_number reply_end mem_copy
// Memory   none of its own
// Spec     RFC 9110 14.6 (multipart/byteranges), 15.3.7.2; RFC 2046 5.1.1
// Tests    tests/asm/test_multipart.py, tests/http/test_ranges.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"
.include "parts.inc"

// parts_add - add a part, as one with all those that it is near to
//
// No two parts in the list are near each other; so a part that is not near the
// new one is not near what the new one grows to. The order is that of the
// request, a grown part stands where the first of its pieces did.
//
//   In     x0 struct parts, fewer than PARTS_MAX   x1 first byte
//   x2 behind the last byte, below 2^63
//   Out    nothing
//   Clob   x1-x9
//   Frame  none (leaf)
//
//   x1 first   x2 end   x3 cursor   x4 cursor of what stays
//   x5 end of the list   x6 first of a part   x7 end of it
//   x8 place of the new part, 0 for none
//   x9 where a near part may begin at the latest
func parts_add
    ldr     x5, [x0, #PARTS_COUNT]
    add     x3, x0, #PARTS_FIRST
    add     x5, x3, x5, lsl #4
    mov     x4, x3
    mov     x8, #0
Lparts_add_next:
    cmp     x3, x5
    b.eq    Lparts_add_store
    ldp     x6, x7, [x3], #16
    add     x9, x7, #PARTS_GAP_BYTES
    cmp     x1, x9
    b.hi    Lparts_add_apart
    add     x9, x2, #PARTS_GAP_BYTES
    cmp     x6, x9
    b.hi    Lparts_add_apart
    cmp     x6, x1
    csel    x1, x6, x1, lo
    cmp     x7, x2
    csel    x2, x7, x2, hi
    cbnz    x8, Lparts_add_next
    mov     x8, x4
    add     x4, x4, #16
    b       Lparts_add_next
Lparts_add_apart:
    stp     x6, x7, [x4], #16
    b       Lparts_add_next

Lparts_add_store:
    cbnz    x8, Lparts_add_grown
    mov     x8, x4
    add     x4, x4, #16
Lparts_add_grown:
    stp     x1, x2, [x8]
    sub     x4, x4, x0
    lsr     x4, x4, #4              // the count in front is half a part
    str     x4, [x0, #PARTS_COUNT]
    ret

// multipart_plan - plan a reply with several parts
//
//   In     x0 connection, CONN_PARTS are two or more; REPLY_FD, CONN_STAT are
//   set
//   Out    nothing; the reply is complete
//   Clob   x0-x17 v0-v4
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 connection   x20 length of the body   x21 cursor
func multipart_plan
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x0

    bl      multipart_length
    mov     x20, x0
    mov     x0, x19
    mov     x1, #206
    bl      reply_begin
    mov     x1, x19
    bl      range_offer
    addr    x1, multipart_type
    mov     x2, #multipart_type_len
    bl      mem_copy
    mov     x1, x19
    bl      etag_digits
    addr    x1, multipart_size
    mov     x2, #multipart_size_len
    bl      mem_copy
    mov     x1, x20
    bl      reply_number
    mov     x1, x19
    bl      file_modified
    mov     x21, x0
    mov     x1, x0
    mov     x0, x19
    bl      reply_end

    add     x1, x21, #2             // behind the empty line
    mov     x0, x19
    mov     x2, #0
    bl      part_lines
    add     x1, x19, #CONN_OUT
    sub     x0, x0, x1
    str     x0, [x19, #CONN_REPLY + REPLY_HEAD_LEN]
    mov     x0, x19
    mov     x1, #0
    bl      part_body
    addr    x1, multipart_next
    str     x1, [x19, #CONN_REPLY + REPLY_NEXT]
    str     xzr, [x19, #CONN_REPLY + REPLY_STATE]

    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

// multipart_length - how long will the body be?
//
// The lines of every part are written to find out, in the place of the head.
//
//   In     x0 connection, CONN_PARTS are set
//   Out    x0 bytes
//   Clob   x1-x13 v0-v4
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 connection   x20 bytes so far   x21 number of the part
//   x0 cursor   x1 place, or first byte of a part   x2 number, or its end
func multipart_length
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x0
    mov     x20, #0
    mov     x21, #0

Lmultipart_length_part:
    mov     x0, x19
    add     x1, x19, #CONN_OUT
    mov     x2, x21
    bl      part_lines
    add     x1, x19, #CONN_OUT
    sub     x0, x0, x1
    add     x20, x20, x0
    add     x3, x19, #CONN_PARTS
    add     x3, x3, x21, lsl #4
    ldr     x1, [x3, #PARTS_FIRST]
    ldr     x2, [x3, #PARTS_FIRST + 8]
    sub     x1, x2, x1
    add     x20, x20, x1
    add     x21, x21, #1
    ldr     x1, [x19, #CONN_PARTS + PARTS_COUNT]
    cmp     x21, x1
    b.lo    Lmultipart_length_part
    add     x0, x20, #MULTIPART_LAST_BYTES

    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

// multipart_next - the next segment: the lines of a part, or the part itself
//
//   In     x0 connection, the first segment has been sent
//   Out    C clear: there is a segment to send
//   Clob   x0-x13 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 number of the part   x1 segments sent, or cursor
//   x2 how many parts, or number of the part
func multipart_next
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

    ldr     x1, [x19, #CONN_REPLY + REPLY_STATE]
    add     x1, x1, #1
    str     x1, [x19, #CONN_REPLY + REPLY_STATE]
    add     x20, x1, #1
    lsr     x20, x20, #1
    tbz     x1, #0, Lmultipart_next_body
    str     wzr, [x19, #CONN_REPLY + REPLY_KIND]    // BODY_NONE
    str     xzr, [x19, #CONN_REPLY + REPLY_LENGTH]
    add     x1, x19, #CONN_OUT
    ldr     x2, [x19, #CONN_PARTS + PARTS_COUNT]
    cmp     x20, x2
    b.eq    Lmultipart_next_last
    mov     x2, x20
    bl      part_lines
Lmultipart_next_head:
    add     x1, x19, #CONN_OUT
    sub     x0, x0, x1
    add     x2, x19, #CONN_REPLY
    stp     x1, x0, [x2, #REPLY_HEAD]
Lmultipart_next_good:
    carry_clear
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lmultipart_next_last:
    bl      multipart_last
    b       Lmultipart_next_head
Lmultipart_next_body:
    mov     x1, x20
    bl      part_body
    b       Lmultipart_next_good

// multipart_last - write what stands behind the last part
//
//   In     x0 connection   x1 cursor
//   Out    x0 cursor, MULTIPART_LAST_BYTES further; there is no next segment
//   Clob   x1-x5 v0-v4
//   Frame  16: x29 x30
//
//   x0 connection, later the cursor   x1 cursor, later the connection
//   x2 text   x3 connection
func multipart_last
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    str     xzr, [x0, #CONN_REPLY + REPLY_NEXT]
    mov     x3, x0
    mov     x0, x1
    mov     x1, x3
    movi32  w2, '\r' | '\n' << 8 | '-' << 16 | '-' << 24
    str     w2, [x0], #4
    bl      etag_digits
    movi32  w2, '-' | '-' << 8 | '\r' << 16 | '\n' << 24
    str     w2, [x0], #4

    ldp     x29, x30, [sp], #16
    ret

// part_lines - write the lines in front of a part
//
//   In     x0 connection   x1 cursor   x2 number of the part
//   Out    x0 cursor
//   Clob   x1-x13 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 cursor   x13 number of the part   x0 cursor, or a type
//   x1 text, or first byte   x2 its length, or behind the last   x3 size
func part_lines
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    mov     x13, x2

    mov     x0, x1
    movi32  w2, '\r' | '\n' << 8 | '-' << 16 | '-' << 24
    str     w2, [x0], #4
    mov     x1, x19
    bl      etag_digits
    addr    x1, part_type
    mov     x2, #part_type_len
    bl      mem_copy
    mov     x20, x0
    add     x0, x19, #CONN_PATH
    ldr     x1, [x19, #CONN_PATH_LEN]
    bl      mime_find
    mov     x2, x1
    mov     x1, x0
    mov     x0, x20
    bl      mem_copy
    mov     w2, #'\r' | '\n' << 8
    strh    w2, [x0], #2
    add     x3, x19, #CONN_PARTS
    add     x3, x3, x13, lsl #4
    ldr     x1, [x3, #PARTS_FIRST]
    ldr     x2, [x3, #PARTS_FIRST + 8]
    ldr     x3, [x19, #CONN_STAT + STAT_SIZE]
    bl      part_range
    mov     w2, #'\r' | '\n' << 8
    strh    w2, [x0], #2

    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// part_range - write the Content-Range of a part
//
//   In     x0 cursor   x1 first byte   x2 behind the last   x3 size of the file
//   Out    x0 cursor
//   Clob   x1-x9 v0-v1
//   Frame  16: x29 x30
//
//   x0 cursor   x7 first byte   x8 last   x9 size   x1 text, or a number
//   x2 its length, or bytes
func part_range
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x7, x1
    sub     x8, x2, #1
    mov     x9, x3

    addr    x1, part_content
    mov     x2, #part_content_len
    bl      mem_copy
    mov     x1, x7
    bl      reply_number
    mov     w2, #'-'
    strb    w2, [x0], #1
    mov     x1, x8
    bl      reply_number
    mov     w2, #'/'
    strb    w2, [x0], #1
    mov     x1, x9
    bl      reply_number
    mov     w2, #'\r' | '\n' << 8
    strh    w2, [x0], #2

    ldp     x29, x30, [sp], #16
    ret

// part_body - make a part the body of the segment
//
//   In     x0 connection   x1 number of the part
//   Out    nothing
//   Clob   x1-x3
//   Frame  none (leaf)
//
//   x1 part, later its first byte   x2 its end, later its length   x3 kind
func part_body
    add     x1, x0, x1, lsl #4
    add     x1, x1, #CONN_PARTS
    ldr     x2, [x1, #PARTS_FIRST + 8]
    ldr     x1, [x1, #PARTS_FIRST]
    sub     x2, x2, x1
    str     x1, [x0, #CONN_REPLY + REPLY_OFFSET]
    str     x2, [x0, #CONN_REPLY + REPLY_LENGTH]
    mov     w3, #BODY_FILE
    str     w3, [x0, #CONN_REPLY + REPLY_KIND]
    ret

rodata
multipart_type:
    .ascii  "X-Content-Type-Options: nosniff\r\n"
    .ascii  "Content-Type: multipart/byteranges; boundary="
.equ multipart_type_len, . - multipart_type
string multipart_size, "\r\nContent-Length: "
string part_type, "\r\nContent-Type: "
string part_content, "Content-Range: bytes "
