// etag.s - entity tags: the name of one version of a file
//
// Size, time of the last change in nanoseconds, and inode: a file that is
// written to, or replaced by another, gets another tag. So the tag is strong:
// two replies with the same one have the same bytes.
//
// Gives    etag_write etag_digits etag_end etag_listed
// Needs    mem_copy reply_end
// Memory   none of its own
// Spec     RFC 9110 8.8.3 (ETag), 8.8.3.2 (comparison), 5.6.1 (lists)
// Tests    tests/asm/test_etag.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"
.include "parts.inc"

// etag_write - write the tag of a file, ETAG_BYTES of it
//
//   In     x0 cursor   x1 connection, CONN_STAT describes the file
//   Out    x0 cursor
//   Clob   x2-x5 v0-v4
//   Frame  16: x29 x30
//
//   x0 cursor   x2 quote
func etag_write
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    mov     w2, #'"'
    strb    w2, [x0], #1
    bl      etag_digits
    mov     w2, #'"'
    strb    w2, [x0], #1

    ldp     x29, x30, [sp], #16
    ret

// etag_digits - write the digits of a tag, 48 bytes
//
// Three numbers at once: each byte is split into its two halves, the halves
// are put side by side, and a table turns them into letters.
//
//   In     x0 cursor   x1 connection, CONN_STAT describes the file
//   Out    x0 cursor
//   Clob   x2-x5 v0-v4
//   Frame  none (leaf)
//
//   x2 size, later the inode   x3 seconds, later nanoseconds   x4 nanoseconds
//   x5 letters   v0 size and time, later low halves, later the letters
//   v1 inode, later low halves   v2 high halves   v3 digits
//   v4 fifteen in each byte
func etag_digits
    ldp     x3, x4, [x1, #CONN_STAT + STAT_MTIME]   // and nanoseconds
    add     x3, x4, x3, lsl #30     // there are fewer than 2^30 of them
    ldr     x2, [x1, #CONN_STAT + STAT_SIZE]
    rev     x2, x2                  // the highest digit first
    rev     x3, x3
    fmov    d0, x2
    mov     v0.d[1], x3
    ldr     x2, [x1, #CONN_STAT + STAT_INO]
    rev     x2, x2
    fmov    d1, x2

    movi    v4.16b, #15
    ushr    v2.16b, v0.16b, #4
    and     v0.16b, v0.16b, v4.16b
    zip1    v3.16b, v2.16b, v0.16b  // sixteen digits of the size
    zip2    v2.16b, v2.16b, v0.16b  // of the time
    addr    x5, etag_letters
    ldr     q0, [x5]
    tbl     v3.16b, {v0.16b}, v3.16b
    tbl     v2.16b, {v0.16b}, v2.16b
    stp     q3, q2, [x0], #32
    ushr    v2.16b, v1.16b, #4
    and     v1.16b, v1.16b, v4.16b
    zip1    v3.16b, v2.16b, v1.16b  // and of the inode
    tbl     v3.16b, {v0.16b}, v3.16b
    str     q3, [x0], #16
    ret

// etag_end - write the field with the tag of a file, and end the head
//
//   In     x0 cursor   x1 connection, CONN_STAT describes the file
//   Out    nothing; the head is complete
//   Clob   x0-x6 v0-v4
//   Frame  16: x29 x30
//
//   x6 connection   x0 cursor   x1 text, or the cursor   x2 its length, or the
//   end of a line
func etag_end
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x6, x1

    addr    x1, etag_field
    mov     x2, #etag_field_len
    bl      mem_copy
    mov     x1, x6
    bl      etag_write
    mov     w2, #'\r' | '\n' << 8
    strh    w2, [x0], #2
    mov     x1, x0
    mov     x0, x6
    ldp     x29, x30, [sp], #16
    b       reply_end

// etag_listed - does a list of tags hold the one of our file?
//
// A tag may hold commas, so the list is read from quote to quote. What stands
// behind a mistake in it does not count.
//
//   In     x0 list, a CR or a blank behind it   x1 its length   x2 our tag
//   x3 1 when weak tags count too, else 0
//   Out    C clear: it does
//          C set:   it does not
//   Clob   x0-x8
//   Frame  none (leaf)
//
//   x0 cursor   x1 end   x2 our tag   x3 weak ones count   x4 byte   x5 tag
//   x6 its length   x7 cursor behind it   x8 the tag is weak, or our byte
func etag_listed
    add     x1, x0, x1
Letag_listed_next:
    cmp     x0, x1
    b.hs    Letag_listed_no
    ldrb    w4, [x0], #1
    cmp     w4, #','
    b.eq    Letag_listed_next
    cmp     w4, #' '
    b.eq    Letag_listed_next
    cmp     w4, #'\t'
    b.eq    Letag_listed_next
    mov     x8, #0
    cmp     w4, #'W'
    b.ne    Letag_listed_quote
    ldrb    w4, [x0], #1
    cmp     w4, #'/'
    b.ne    Letag_listed_no
    ldrb    w4, [x0], #1
    mov     x8, #1
Letag_listed_quote:
    cmp     w4, #'"'
    b.ne    Letag_listed_no
    sub     x5, x0, #1
Letag_listed_byte:                  // what is behind the list ends this
    ldrb    w4, [x0], #1
    cmp     w4, #0x7f
    b.eq    Letag_listed_no
    cmp     w4, #' '
    b.ls    Letag_listed_no
    cmp     w4, #'"'
    b.ne    Letag_listed_byte
    sub     x6, x0, x5

    mov     x7, x0                  // a comma or the end must follow
Letag_listed_behind:
    cmp     x7, x1
    b.hs    Letag_listed_compare
    ldrb    w4, [x7], #1
    cmp     w4, #' '
    b.eq    Letag_listed_behind
    cmp     w4, #'\t'
    b.eq    Letag_listed_behind
    cmp     w4, #','
    b.ne    Letag_listed_no
Letag_listed_compare:
    bic     x8, x8, x3
    cbnz    x8, Letag_listed_next
    cmp     x6, #ETAG_BYTES
    b.ne    Letag_listed_next
Letag_listed_same:
    sub     x6, x6, #1
    ldrb    w4, [x5, x6]
    ldrb    w8, [x2, x6]
    cmp     w4, w8
    b.ne    Letag_listed_next
    cbnz    x6, Letag_listed_same
    carry_clear
    ret

Letag_listed_no:
    carry_set
    ret

rodata
.p2align 4
etag_letters:
    .ascii  "0123456789abcdef"
string etag_field, "ETag: "
