// redirect.s - 301: the same address with a slash behind it
//
// Gives    redirect_plan reply_path
// Needs    reply_begin reply_text page_build page_finish char_class
// Memory   none of its own
// Spec     RFC 9110 15.4.2 (301), 10.2.2 (Location); RFC 3986 2.1
// Tests    tests/asm/test_redirect.py, tests/http/test_files.py
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
//          C set:   x0 status 500
//   Clob   x0-x17 v0
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 reply
func redirect_plan
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    add     x20, x0, #CONN_REPLY

    mov     x1, #301
    bl      reply_begin
    mov     x0, x20
    addr    x1, redirect_location
    mov     x2, #redirect_location_len
    bl      reply_text
    mov     x0, x20
    add     x1, x19, #CONN_PATH
    ldr     x2, [x19, #CONN_PATH_LEN]
    bl      reply_path
    mov     x0, x20
    addr    x1, redirect_slash
    mov     x2, #redirect_slash_len
    bl      reply_text
    mov     x0, x20
    ldp     x1, x2, [x19, #CONN_REQUEST + REQUEST_QUERY]
    bl      reply_text
    mov     x0, x20
    addr    x1, redirect_end
    mov     x2, #redirect_end_len
    bl      reply_text

    mov     x0, x19
    mov     x1, #301
    bl      page_build
    mov     x0, x19
    bl      page_finish
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// reply_path - add a path to the head, percent-encoded
//
//   In     x0 reply   x1 path   x2 length in bytes
//   Out    nothing
//   Clob   x0-x8 v0
//   Frame  64: x29 x30, x19 x20, x21 x22, 16 bytes for one character
//
//   x19 reply   x20 cursor   x21 end   x22 hexadecimal digits
//   x3 byte   x4 its class, later a digit   x5 char_class
func reply_path
    stp     x29, x30, [sp, #-64]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    mov     x19, x0
    mov     x20, x1
    add     x21, x1, x2
    addr    x22, redirect_digits

Lreply_path_next:
    cmp     x20, x21
    b.hs    Lreply_path_done
    mov     x1, x20
    mov     x2, #1
    ldrb    w3, [x20], #1
    addr    x5, char_class
    ldrb    w4, [x5, x3]
    tbnz    w4, #CHAR_PLAIN, Lreply_path_add
    mov     w4, #'%'
    strb    w4, [sp, #48]
    lsr     w4, w3, #4
    ldrb    w4, [x22, x4]
    strb    w4, [sp, #49]
    and     w4, w3, #15
    ldrb    w4, [x22, x4]
    strb    w4, [sp, #50]
    add     x1, sp, #48
    mov     x2, #3
Lreply_path_add:
    mov     x0, x19
    bl      reply_text
    b       Lreply_path_next

Lreply_path_done:
    ldp     x21, x22, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #64
    ret

rodata
string redirect_location, "Location: /"
string redirect_slash, "/"
string redirect_end, "\r\n"
string redirect_digits, "0123456789ABCDEF"
