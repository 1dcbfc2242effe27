// body.s - the body of a request, as it arrives
//
// A body comes in pieces of any length. body_take is handed each of them,
// writes what belongs to the body, and keeps in struct upload what it must know
// for the next: so the result is the same however a body is cut, and a body of
// any length needs no memory.
//
// Gives    body_begin body_take
// Needs    fd_write_all status_from_errno config
// Memory   none of its own
// Spec     RFC 9112 6.3 (length of a body), 7.1 (chunked)
// Tests    tests/asm/test_body.py, tests/http/test_writing.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"
.include "request.inc"
.include "reply.inc"
.include "upload.inc"
.include "conn.inc"
.include "config.inc"

// body_begin - see how the body will come, and what of it is there already
//
//   In     x0 connection, its head is complete
//   Out    x0 bytes of the body that have arrived   x1 how many
//   Clob   x2-x4
//   Frame  none (leaf)
//
//   x0 connection, later the bytes   x1 cursor, later how many
//   x2 four bytes, or the flags   x3 CR LF CR LF, or the length
//   x4 end of what has arrived
func body_begin
    ldr     x4, [x0, #CONN_IN_LEN]
    add     x1, x0, #CONN_IN
    add     x4, x4, x1
    movi32  w3, 0x0a0d0a0d          // the first in a head is its end
Lbody_begin_search:
    ldr     w2, [x1], #1
    cmp     w2, w3
    b.ne    Lbody_begin_search
    add     x1, x1, #3

    stp     xzr, xzr, [x0, #CONN_UPLOAD + UPLOAD_LEFT]      // and UPLOAD_SIZE
    str     wzr, [x0, #CONN_UPLOAD + UPLOAD_LINE]
    ldr     w2, [x0, #CONN_REQUEST + REQUEST_FLAGS]
    tbnz    w2, #REQUEST_HAS_CODING, Lbody_begin_chunks
    ldr     x3, [x0, #CONN_REQUEST + REQUEST_LENGTH]
    str     x3, [x0, #CONN_UPLOAD + UPLOAD_LEFT]
    mov     w2, #TAKE_PLAIN
Lbody_begin_return:
    str     w2, [x0, #CONN_UPLOAD + UPLOAD_STATE]
    mov     x0, x1
    sub     x1, x4, x1
    ret

Lbody_begin_chunks:
    mov     w2, #TAKE_SIZE
    b       Lbody_begin_return

// body_take - take the next bytes of a body
//
//   In     x0 connection, body_begin has seen it   x1 bytes   x2 how many
//   Out    C clear: x0 bytes used; the body is complete
//          C set:   x0 0, more bytes are needed; or status 400, 403, 413, 431,
//          500, 503, 507
//   Clob   x1-x17
//   Frame  64: x29 x30, x19 x20, x21 x22, x23
//
//   x19 connection   x20 bytes   x21 cursor   x22 end   x23 length of a piece
func body_take
    stp     x29, x30, [sp, #-64]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    str     x23, [sp, #48]
    mov     x19, x0
    mov     x20, x1
    mov     x21, x1
    add     x22, x1, x2

Lbody_take_next:
    ldr     w0, [x19, #CONN_UPLOAD + UPLOAD_STATE]
    cmp     w0, #TAKE_DATA
    b.ls    Lbody_take_piece
    cmp     w0, #TAKE_END
    b.eq    Lbody_take_done
    cmp     x21, x22
    b.eq    Lbody_take_more
    mov     x0, x19
    ldrb    w1, [x21], #1
    bl      chunk_take
    b.cc    Lbody_take_next
Lbody_take_return:
    ldr     x23, [sp, #48]
    ldp     x21, x22, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #64
    ret

Lbody_take_piece:
    ldr     x3, [x19, #CONN_UPLOAD + UPLOAD_LEFT]
    cbz     x3, Lbody_take_whole
    subs    x23, x22, x21
    b.eq    Lbody_take_more
    cmp     x23, x3
    csel    x23, x23, x3, lo
    ldr     w0, [x19, #CONN_UPLOAD + UPLOAD_FD]
    mov     x1, x21
    mov     x2, x23
    bl      fd_write_all
    b.cs    Lbody_take_failed
    add     x21, x21, x23
    ldr     x3, [x19, #CONN_UPLOAD + UPLOAD_LEFT]
    sub     x3, x3, x23
    str     x3, [x19, #CONN_UPLOAD + UPLOAD_LEFT]
    b       Lbody_take_next
Lbody_take_whole:
    cbz     w0, Lbody_take_done     // TAKE_PLAIN
    mov     w0, #TAKE_DATA_CR
    str     w0, [x19, #CONN_UPLOAD + UPLOAD_STATE]
    b       Lbody_take_next
Lbody_take_done:
    sub     x0, x21, x20
    carry_clear
    b       Lbody_take_return

Lbody_take_failed:
    bl      status_from_errno
    b       Lbody_take_refuse
Lbody_take_more:
    mov     x0, #0
Lbody_take_refuse:
    carry_set
    b       Lbody_take_return

// chunk_take - take one byte of what stands around the bytes of chunks
//
// A line ends with CR LF, and there is no byte too many or too few: where two
// readers of the same bytes disagree about that, one of them can be made to
// take a part of a body for a request.
//
//   In     x0 connection   x1 byte
//   Out    C clear: UPLOAD_STATE says what comes next
//          C set:   x0 status 400, 413, 431
//   Clob   x0-x6
//   Frame  none: leaves the rest to chunk_size, chunk_line or chunk_open
//
//   x2 state   x3 the byte there must be   x4 the state behind it
func chunk_take
    ldr     w2, [x0, #CONN_UPLOAD + UPLOAD_STATE]
    cmp     w2, #TAKE_DIGIT
    b.ls    Lchunk_take_size
    cmp     w2, #TAKE_EXTENSION
    b.ls    Lchunk_take_line
    cmp     w2, #TAKE_SIZE_LF
    b.eq    Lchunk_take_end
    cmp     w2, #TAKE_DATA_LF
    b.ls    Lchunk_take_exactly
    cmp     w2, #TAKE_FIELD
    b.hi    Lchunk_take_exactly
    b       trailer_take
Lchunk_take_size:
    b       chunk_size
Lchunk_take_line:
    b       chunk_line

Lchunk_take_exactly:
    mov     w3, #'\n'
    add     w4, w2, #1
    cmp     w2, #TAKE_DATA_CR
    b.eq    Lchunk_take_cr
    cmp     w2, #TAKE_LAST_LF
    b.eq    Lchunk_take_compare     // TAKE_END comes next
    mov     w4, #TAKE_TRAILER
    cmp     w2, #TAKE_FIELD_LF
    b.eq    Lchunk_take_compare
    mov     w4, #TAKE_SIZE
Lchunk_take_compare:
    cmp     w1, w3
    b.ne    Lchunk_take_bad
    str     w4, [x0, #CONN_UPLOAD + UPLOAD_STATE]
    carry_clear
    ret
Lchunk_take_cr:
    mov     w3, #'\r'
    b       Lchunk_take_compare
Lchunk_take_end:
    cmp     w1, #'\n'
    b.ne    Lchunk_take_bad
    b       chunk_open
Lchunk_take_bad:
    mov     x0, #400
    carry_set
    ret

// chunk_size - take a digit of a chunk's size, or what stands behind the last
//
//   In     x0 connection   x1 byte   x2 state, TAKE_SIZE or TAKE_DIGIT
//   Out    C clear: UPLOAD_STATE says what comes next
//          C set:   x0 status 400, 413
//   Clob   x0-x6
//   Frame  none: leaves the byte behind the last digit to chunk_line
//
//   x3 digit   x4 size so far   x5 letter from 'a' on   x6 what must be zero
func chunk_size
    sub     w3, w1, #'0'
    cmp     w3, #9
    b.ls    Lchunk_size_digit
    orr     w5, w1, #0x20           // lower case
    sub     w5, w5, #'a'
    cmp     w5, #5
    add     w3, w5, #10
    b.ls    Lchunk_size_digit
    cmp     w2, #TAKE_SIZE
    b.eq    Lchunk_size_bad         // no digit at all
    b       chunk_line
Lchunk_size_digit:
    ldr     x4, [x0, #CONN_UPLOAD + UPLOAD_LEFT]
    lsr     x6, x4, #56
    cbnz    x6, Lchunk_size_large
    add     x4, x3, x4, lsl #4
    str     x4, [x0, #CONN_UPLOAD + UPLOAD_LEFT]
    mov     w2, #TAKE_DIGIT
    str     w2, [x0, #CONN_UPLOAD + UPLOAD_STATE]
    b       chunk_count
Lchunk_size_large:
    mov     x0, #413
    carry_set
    ret
Lchunk_size_bad:
    mov     x0, #400
    carry_set
    ret

// chunk_line - take a byte behind the size of a chunk
//
// Extensions are skipped: nobody knows one. Blanks may stand before the
// semicolon of one, and nowhere else.
//
//   In     x0 connection   x1 byte
//   x2 state, TAKE_DIGIT, TAKE_BLANK or TAKE_EXTENSION
//   Out    C clear: UPLOAD_STATE says what comes next
//          C set:   x0 status 400
//   Clob   x0-x4
//   Frame  none: leaves the rest to chunk_count
//
//   x3 the state that comes next
func chunk_line
    mov     w3, #TAKE_SIZE_LF
    cmp     w1, #'\r'
    b.eq    Lchunk_line_end
    cmp     w2, #TAKE_EXTENSION
    mov     w3, #TAKE_EXTENSION
    b.eq    Lchunk_line_text
    cmp     w1, #';'
    b.eq    Lchunk_line_next
    mov     w3, #TAKE_BLANK
    cmp     w1, #' '
    b.eq    Lchunk_line_next
    cmp     w1, #'\t'
    b.eq    Lchunk_line_next
Lchunk_line_bad:
    mov     x0, #400
    carry_set
    ret

Lchunk_line_text:
    cmp     w1, #'\t'
    b.eq    Lchunk_line_next
    cmp     w1, #' '
    b.lo    Lchunk_line_bad
    cmp     w1, #0x7f
    b.eq    Lchunk_line_bad
    b       Lchunk_line_next
Lchunk_line_end:
    cmp     w2, #TAKE_BLANK         // blanks, and then no extension
    b.eq    Lchunk_line_bad
Lchunk_line_next:
    str     w3, [x0, #CONN_UPLOAD + UPLOAD_STATE]
    b       chunk_count

// chunk_count - count a byte of a chunk's line
//
//   In     x0 connection
//   Out    C clear: there may be more
//          C set:   x0 status 400
//   Clob   x0 x3-x4
//   Frame  none (leaf)
//
//   x3 bytes   x4 limit
func chunk_count
    ldr     w3, [x0, #CONN_UPLOAD + UPLOAD_LINE]
    add     w3, w3, #1
    str     w3, [x0, #CONN_UPLOAD + UPLOAD_LINE]
    mov     w4, #CHUNK_LINE_MAX_BYTES
    cmp     w3, w4
    b.hi    Lchunk_count_long
    carry_clear
    ret
Lchunk_count_long:
    mov     x0, #400                // RFC 9112 7.1.1 leaves open which
    carry_set
    ret

// chunk_open - the line of a chunk is complete: its bytes follow, or trailers
//
//   In     x0 connection
//   Out    C clear: UPLOAD_STATE says what comes next
//          C set:   x0 status 413
//   Clob   x0-x4
//   Frame  none (leaf)
//
//   x1 size of the chunk   x2 bytes of all chunks, later the state
//   x3 config   x4 limit
func chunk_open
    str     wzr, [x0, #CONN_UPLOAD + UPLOAD_LINE]
    ldp     x1, x2, [x0, #CONN_UPLOAD + UPLOAD_LEFT]
    cbz     x1, Lchunk_open_last
    addr    x3, config
    ldr     w4, [x3, #CONFIG_BODY_MAX]
    add     x2, x2, x1              // far from 64 bits
    cmp     x2, x4
    b.hi    Lchunk_open_large
    str     x2, [x0, #CONN_UPLOAD + UPLOAD_SIZE]
    mov     w2, #TAKE_DATA
Lchunk_open_next:
    str     w2, [x0, #CONN_UPLOAD + UPLOAD_STATE]
    carry_clear
    ret

Lchunk_open_last:
    mov     w2, #TAKE_TRAILER
    b       Lchunk_open_next
Lchunk_open_large:
    mov     x0, #413
    carry_set
    ret

// trailer_take - take a byte of the fields behind the last chunk
//
// They are skipped: RFC 9110 6.5.1 lets a server use only trailers that it
// knows, and there are none.
//
//   In     x0 connection   x1 byte   x2 state, TAKE_TRAILER or TAKE_FIELD
//   Out    C clear: UPLOAD_STATE says what comes next
//          C set:   x0 status 400, 431
//   Clob   x0 x3-x4
//   Frame  none (leaf)
//
//   x3 the state that comes next, later bytes   x4 limit
func trailer_take
    cmp     w2, #TAKE_TRAILER
    mov     w3, #TAKE_LAST_LF
    mov     w4, #TAKE_FIELD_LF
    csel    w3, w3, w4, eq
    cmp     w1, #'\r'
    b.eq    Ltrailer_take_next
    mov     w3, #TAKE_FIELD
    cmp     w1, #'\t'
    b.eq    Ltrailer_take_next
    cmp     w1, #' '
    b.lo    Ltrailer_take_bad
    cmp     w1, #0x7f
    b.eq    Ltrailer_take_bad
Ltrailer_take_next:
    str     w3, [x0, #CONN_UPLOAD + UPLOAD_STATE]
    ldr     w3, [x0, #CONN_UPLOAD + UPLOAD_LINE]
    add     w3, w3, #1
    str     w3, [x0, #CONN_UPLOAD + UPLOAD_LINE]
    mov     w4, #TRAILER_MAX_BYTES
    cmp     w3, w4
    b.hi    Ltrailer_take_long
    carry_clear
    ret

Ltrailer_take_bad:
    mov     x0, #400
    carry_set
    ret
Ltrailer_take_long:
    mov     x0, #431
    carry_set
    ret
