// chunk.s - the chunks of a body whose length nobody knows in advance
//
// Gives    chunk_frame chunk_end
// Needs    nothing
// Memory   none of its own
// Spec     RFC 9112 7.1 (chunked)
// Tests    tests/asm/test_chunk.py
// SPDX-License-Identifier: MIT

.include "macros.inc"

// chunk_frame - make a chunk of bytes: their length before them, CR LF behind
//
//   In     x0 bytes, with 18 free ones in front   x1 their end, not the same
//   Out    x0 first byte of the chunk   x1 its end
//   Clob   x2-x4
//   Frame  none (leaf)
//
//   x0 cursor, going back   x1 end   x2 length   x3 digit, or CR LF
//   x4 the digit as a letter
func chunk_frame
    sub     x2, x1, x0
    mov     w3, #'\r' | '\n' << 8
    strh    w3, [x1], #2
    strh    w3, [x0, #-2]!
Lchunk_frame_digit:
    and     x3, x2, #15
    add     w4, w3, #'a' - 10
    cmp     w3, #10
    add     w3, w3, #'0'
    csel    w3, w4, w3, hs
    strb    w3, [x0, #-1]!
    lsr     x2, x2, #4
    cbnz    x2, Lchunk_frame_digit
    ret

// chunk_end - write the chunk of no bytes, which is the last
//
//   In     x0 cursor
//   Out    x0 cursor
//   Clob   x1
//   Frame  none (leaf)
//
//   x1 four bytes, or one
func chunk_end
    movi32  w1, '0' | '\r' << 8 | '\n' << 16 | '\r' << 24
    str     w1, [x0], #4
    mov     w1, #'\n'
    strb    w1, [x0], #1
    ret
