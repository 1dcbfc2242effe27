// redirect.s - 301: the same address with a slash behind it
//
// Gives    redirect_plan path_encode
// Needs    reply_begin mem_copy page_build page_finish char_class
// Memory   none of its own
// Spec     RFC 9110 15.4.2 (301), 10.2.2 (Location); RFC 3986 2.1, 2.3,
//          4.2 (no colon in front)
// Tests    tests/asm/test_path.py, tests/asm/test_reply.py,
//          tests/asm/test_escape.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"

// redirect_plan - send a client that asked for a directory to its real address
//
// The address is made from the resolved path, encoded anew. The target as the
// client wrote it might begin with two slashes and lead to another host.
//
//   In     x0 connection, CONN_PATH is not the root
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send instead
//   Clob   x0-x17 v0-v1
//   Frame  32: x29 x30, x19
//
//   x19 connection   x0 cursor
func redirect_plan
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    mov     x1, #301
    bl      page_build
    mov     x0, x19
    mov     x1, #301
    bl      reply_begin
    addr    x1, redirect_location
    mov     x2, #redirect_location_len
    bl      mem_copy
    add     x1, x19, #CONN_PATH
    bl      path_encode
    mov     w1, #'/'
    strb    w1, [x0], #1
    ldr     x1, [x19, #CONN_REQUEST + REQUEST_QUERY]
    ldr     x2, [x19, #CONN_REQUEST + REQUEST_QUERY_LEN]
    bl      mem_copy
    mov     w1, #'\r' | '\n' << 8
    strh    w1, [x0], #2
    mov     x1, x0
    mov     x0, x19
    bl      page_finish

    carry_clear
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// path_encode - write a path as part of a link, percent-encoded
//
// In an attribute of HTML, with quotes around it, it needs nothing more: what
// stays as it is means nothing there.
//
//   In     x0 cursor, one byte too many may be written
//   x1 path, ends with NUL
//   Out    x0 cursor, at most three bytes further for each byte of the path
//   Clob   x1-x5
//   Frame  none (leaf)
//
//   x0 cursor   x1 cursor in the path   x2 byte   x3 its class, or a digit
//   x4 char_class   x5 hexadecimal digits
func path_encode
    addr    x4, char_class
    addr    x5, redirect_digits
Lpath_encode_next:
    ldrb    w2, [x1], #1
    ldrb    w3, [x4, x2]
    strb    w2, [x0], #1
    tbnz    w3, #CHAR_PLAIN, Lpath_encode_next
    sub     x0, x0, #1              // or something in its place
    cbz     w2, Lpath_encode_done
    mov     w3, #'%'
    strb    w3, [x0], #1
    lsr     w3, w2, #4
    ldrb    w3, [x5, x3]
    strb    w3, [x0], #1
    and     w3, w2, #15
    ldrb    w3, [x5, x3]
    strb    w3, [x0], #1
    b       Lpath_encode_next
Lpath_encode_done:
    ret

rodata
string redirect_location, "Location: /"
string redirect_digits, "0123456789ABCDEF"
