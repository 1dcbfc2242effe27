// reply.s - the head of a reply, and how much of a reply has been sent
//
// A head is written from left to right: every function takes the place for its
// first byte in x0 and gives the place behind its last, as mem_copy does.
// CONN_OUT has room for the longest head there can be.
//
// Gives    reply_begin reply_text reply_number file_modified reply_end
//          reply_advance reply_next reply_drop
// Needs    mem_copy u64_format date_write status_text fd_close
// Memory   none of its own
// Spec     RFC 9112 4 (status line); RFC 9110 6.6.1 (Date), 10.2.4 (Server),
//          8.8.2 (Last-Modified)
// Tests    tests/asm/test_reply.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"

.equ REPLY_VERSION_BYTES,   9

// reply_begin - start the head: status line, and fields that are always there
//
// A server whose clock does not answer sends no Date.
//
//   In     x0 connection   x1 status
//   Out    x0 cursor
//   Clob   x1-x10 v0-v1
//   Frame  16: x29 x30
//
//   x0 cursor   x1 text   x2 its length   x5 name of the status   x6 its length
//   x7 connection, later the time
func reply_begin
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x7, x0

    str     w1, [x7, #CONN_REPLY + REPLY_STATUS]
    mov     x0, x1
    bl      status_text
    mov     x5, x0
    mov     x6, x1
    add     x0, x7, #CONN_OUT
    addr    x1, reply_version
    ldr     q0, [x1]
    str     q0, [x0], #REPLY_VERSION_BYTES  // and seven that do not count
    mov     x1, x5
    mov     x2, x6
    bl      reply_text
    addr    x1, reply_always
    mov     x2, #reply_always_len
    ldr     x7, [x7, #CONN_NOW]
    cbz     x7, Lreply_begin_no_clock
    bl      reply_text
    mov     x1, x7
    ldp     x29, x30, [sp], #16
    b       date_write

Lreply_begin_no_clock:
    sub     x2, x2, #6              // without "Date: "
    ldp     x29, x30, [sp], #16
    b       reply_text

// reply_text - write a short text
//
// It copies 48 bytes, which takes fewer instructions than finding out how many
// it must be; what comes next is written over those that are too many.
//
//   In     x0 cursor, with room for 48 bytes
//   x1 text; 48 bytes can be read there   x2 its length, at most 48
//   Out    x0 cursor
//   Clob   v0-v1
//   Frame  none (leaf)
//
//   x0 cursor   v0 v1 bytes on their way
func reply_text
    ldp     q0, q1, [x1]
    stp     q0, q1, [x0]
    ldr     q0, [x1, #32]
    str     q0, [x0, #32]
    add     x0, x0, x2
    ret

// reply_number - write a decimal number
//
//   In     x0 cursor   x1 number
//   Out    x0 cursor
//   Clob   x1-x6 v0-v1
//   Frame  48: x29 x30, 32 bytes for the digits
//
//   x0 number, later the cursor   x1 end of the digits, later the digits
//   x2 their length   x6 cursor
func reply_number
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    mov     x6, x0

    mov     x0, x1
    add     x1, sp, #48
    bl      u64_format
    mov     x0, x6
    bl      mem_copy

    ldp     x29, x30, [sp], #48
    ret

// file_modified - end the line before, and say when the file last changed
//
// Never a moment that has not come yet; so, without a clock, nothing.
//
//   In     x0 cursor   x1 connection
//   Out    x0 cursor
//   Clob   x1-x10 v0-v1
//   Frame  16: x29 x30
//
//   x5 connection, later the moment   x6 now
func file_modified
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x5, x1

    ldr     x6, [x5, #CONN_NOW]
    addr    x1, file_date
    mov     x2, #file_date_len
    cbz     x6, Lfile_modified_no_clock
    bl      reply_text
    ldr     x5, [x5, #CONN_STAT + STAT_MTIME]
    bic     x5, x5, x5, asr #63     // before 1970 counts as 1970
    cmp     x5, x6
    csel    x1, x5, x6, lo
    bl      date_write
Lfile_modified_return:
    ldp     x29, x30, [sp], #16
    ret

Lfile_modified_no_clock:
    mov     x2, #2                  // only the end of the line
    bl      reply_text
    b       Lfile_modified_return

// reply_end - end the head with its empty line
//
//   In     x0 connection   x1 cursor
//   Out    nothing; the head is complete
//   Clob   x0-x2
//   Frame  none (leaf)
//
//   x0 connection   x1 cursor, later the length
//   x2 end of the line, later the head
func reply_end
    mov     w2, #'\r' | '\n' << 8
    strh    w2, [x1], #2
    add     x2, x0, #CONN_OUT
    sub     x1, x1, x2
    stp     x2, x1, [x0, #CONN_REPLY + REPLY_HEAD]
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

// reply_next - put the next segment of a reply in the place of the one sent
//
//   In     x0 connection, REPLY_NEXT is not 0
//   Out    C clear: there is a segment to send
//          C set:   x0 0, there are no more; or errno, and the client must not
//          take what it has for the whole reply
//   Clob   x1-x17 v0-v4
//   Frame  none: leaves the rest to the function at REPLY_NEXT
//
//   x0 connection   x1 function
func reply_next
    ldr     x1, [x0, #CONN_REPLY + REPLY_NEXT]
    br      x1

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
reply_version:
    .ascii  "HTTP/1.1 "
string reply_always, "\r\nServer: ymawky\r\nConnection: close\r\nDate: "
string file_date, "\r\nLast-Modified: "
