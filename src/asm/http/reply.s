// reply.s - building the head of a reply
//
// Gives    reply_begin reply_text reply_number reply_date reply_end
//          reply_advance reply_drop
// Needs    mem_copy u64_format date_format status_text fd_close
// Memory   none of its own
// Spec     RFC 9112 4 (status line), RFC 9110 6.6.1 (Date), 10.2.4 (Server)
// Tests    tests/asm/test_reply.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"

.equ DATE_LEN,              29

// reply_begin - start the head: status line and the fields that are always there
//
// A server whose clock does not answer sends no Date.
//
//   In     x0 connection   x1 status
//   Out    nothing
//   Clob   x0-x10 v0
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 reply
func reply_begin
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    add     x20, x0, #CONN_REPLY

    str     w1, [x20, #REPLY_STATUS]
    add     x2, x19, #CONN_OUT
    mov     x3, #CONN_OUT_SIZE
    stp     x2, xzr, [x20, #REPLY_HEAD]
    str     x3, [x20, #REPLY_ROOM]
    str     wzr, [x20, #REPLY_OVERFLOW]

    mov     x0, x20
    addr    x1, reply_version
    mov     x2, #reply_version_len
    bl      reply_text
    ldr     w0, [x20, #REPLY_STATUS]
    bl      status_text
    mov     x2, x1
    mov     x1, x0
    mov     x0, x20
    bl      reply_text
    mov     x0, x20
    addr    x1, reply_always
    mov     x2, #reply_always_len
    bl      reply_text

    ldr     x1, [x19, #CONN_NOW]
    cbz     x1, Lreply_begin_return
    mov     x0, x20
    addr    x1, reply_date_name
    mov     x2, #reply_date_name_len
    bl      reply_text
    mov     x0, x20
    ldr     x1, [x19, #CONN_NOW]
    bl      reply_date
Lreply_begin_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// reply_text - add text to the head
//
// A text that does not fit is left out and remembered: reply_end reports it.
//
//   In     x0 reply   x1 text   x2 length in bytes
//   Out    nothing
//   Clob   x0-x5 v0
//   Frame  16: x29 x30
//
//   x0 reply, later the place to write to   x3 head   x4 bytes in the head
//   x5 bytes free
func reply_text
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    ldp     x3, x4, [x0, #REPLY_HEAD]
    ldr     x5, [x0, #REPLY_ROOM]
    subs    x5, x5, x2
    b.lo    Lreply_text_overflow
    str     x5, [x0, #REPLY_ROOM]
    add     x5, x4, x2
    str     x5, [x0, #REPLY_HEAD_LEN]
    add     x0, x3, x4
    bl      mem_copy
Lreply_text_return:
    ldp     x29, x30, [sp], #16
    ret

Lreply_text_overflow:
    mov     w3, #1
    str     w3, [x0, #REPLY_OVERFLOW]
    b       Lreply_text_return

// reply_number - add a decimal number to the head
//
//   In     x0 reply   x1 number
//   Out    nothing
//   Clob   x0-x6 v0
//   Frame  48: x29 x30, 32 bytes for the digits
//
//   x0 number, later reply   x1 end of the digits, later the digits
//   x2 their length   x6 reply
func reply_number
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    mov     x6, x0

    mov     x0, x1
    add     x1, sp, #48
    bl      u64_format
    mov     x2, x1
    mov     x1, x0
    mov     x0, x6
    bl      reply_text

    ldp     x29, x30, [sp], #48
    ret

// reply_date - add a date and the end of its line to the head
//
//   In     x0 reply   x1 seconds since 1970, up to the end of 9999
//   Out    nothing
//   Clob   x0-x10 v0
//   Frame  64: x29 x30, x19, 32 bytes for the date
//
//   x19 reply   x2 length of the line
func reply_date
    stp     x29, x30, [sp, #-64]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    mov     x0, x1
    add     x1, sp, #32
    bl      date_format
    mov     w2, #'\r' | '\n' << 8
    sturh   w2, [sp, #32 + DATE_LEN]
    mov     x0, x19
    add     x1, sp, #32
    mov     x2, #DATE_LEN + 2
    bl      reply_text

    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #64
    ret

// reply_end - end the head with its empty line
//
//   In     x0 reply
//   Out    C clear: the head is complete
//          C set:   x0 status 500, it did not fit
//   Clob   x0-x5 v0
//   Frame  32: x29 x30, x19
//
//   x19 reply
func reply_end
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    addr    x1, reply_empty_line
    mov     x2, #reply_empty_line_len
    bl      reply_text
    ldr     w0, [x19, #REPLY_OVERFLOW]
    cmp     w0, #1                  // C is set when it is 1
    mov     w0, #500
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// reply_advance - count bytes as sent, the head's first
//
//   In     x0 reply   x1 bytes sent, no more than there are
//   Out    x0 bytes left to send
//   Clob   x1-x5
//   Frame  none (leaf)
//
//   x1 bytes sent, later of the body   x2 head   x3 length of the head
//   x4 place in the body   x5 length of the body
func reply_advance
    ldp     x2, x3, [x0, #REPLY_HEAD]
    cmp     x1, x3
    csel    x4, x1, x3, lo          // so many of them belong to the head
    add     x2, x2, x4
    sub     x3, x3, x4
    sub     x1, x1, x4
    stp     x2, x3, [x0, #REPLY_HEAD]

    ldr     x2, [x0, #REPLY_BODY]
    add     x2, x2, x1
    str     x2, [x0, #REPLY_BODY]
    ldp     x4, x5, [x0, #REPLY_OFFSET]
    add     x4, x4, x1
    sub     x5, x5, x1
    stp     x4, x5, [x0, #REPLY_OFFSET]
    add     x0, x3, x5
    ret

// reply_drop - close the file of a reply that will not send it
//
//   In     x0 connection
//   Out    nothing
//   Clob   x0-x17
//   Frame  16: x29 x30
//
//   x0 connection, later the fd   x1 connection   x2 -1
func reply_drop
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    mov     x1, x0
    ldr     w0, [x1, #CONN_REPLY + REPLY_FD]
    mov     w2, #-1
    str     w2, [x1, #CONN_REPLY + REPLY_FD]
    bl      fd_close

    ldp     x29, x30, [sp], #16
    ret

rodata
string reply_version, "HTTP/1.1 "
string reply_always, "\r\nServer: ymawky\r\nConnection: close\r\n"
string reply_date_name, "Date: "
string reply_empty_line, "\r\n"
