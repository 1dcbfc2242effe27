// connection.s - one connection from its first byte to its last, with waiting
//
// Every serve model that gives a connection a process of its own, or its full
// attention, uses these.
//
// Gives    connection_begin connection_serve connection_linger connection_end
// Needs    mem_clear fd_read fd_close socket_finish reply_transmit clock_now
//          request_parse request_plan body_receive page_plan reply_advance
//          reply_next reply_drop guard_arm config
// Memory   none of its own
// Spec     RFC 9112 9 (connections), 9.6 (lingering close)
// Tests    tests/asm/test_connection.py, tests/http/test_robustness.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"
.include "config.inc"

.equ STALL_SECONDS_MAX,     30      // without a byte taken by the client

// connection_begin - get a struct conn ready for a new client
//
//   In     x0 connection, zeros or as connection_end left it
//   x1 fd of its socket
//   Out    nothing
//   Clob   x2
//   Frame  none (leaf)
//
//   x0 connection   x1 fd   x2 -1
func connection_begin
    str     w1, [x0, #CONN_FD]
    mov     w2, #-1
    str     w2, [x0, #CONN_REPLY + REPLY_FD]
    ret

// connection_serve - read one request and reply to it
//
//   In     x0 connection, as connection_begin leaves it
//   Out    nothing; whatever went wrong is this client's own affair
//   Clob   x0-x17 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 status of the page to send, 0 when there is a request
func connection_serve
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    mov     x20, #0

    addr    x1, config
    ldr     w0, [x1, #CONFIG_HEAD_SECONDS]
    bl      guard_arm
    mov     x0, x19
    bl      connection_receive
    b.cc    Lconnection_serve_clock
    cbz     x0, Lconnection_serve_return    // there is nobody to tell
    mov     x20, x0
Lconnection_serve_clock:
    bl      clock_now
    b.cs    Lconnection_serve_plan
    str     x0, [x19, #CONN_NOW]
Lconnection_serve_plan:
    cbnz    x20, Lconnection_serve_page
    mov     x0, x19
    bl      request_plan
    b.cc    Lconnection_serve_send
    cbnz    x0, Lconnection_serve_refuse
    mov     x0, x19
    bl      body_receive            // the reply depends on the body
    b.cc    Lconnection_serve_send
Lconnection_serve_refuse:
    mov     x20, x0
Lconnection_serve_page:
    mov     x0, x19
    mov     x1, x20
    bl      page_plan
Lconnection_serve_send:
    mov     x0, x19
    bl      connection_send
Lconnection_serve_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// connection_receive - read until the head of the request is complete
//
//   In     x0 connection
//   Out    C clear: CONN_REQUEST is complete
//          C set:   x0 status; 0 when the client has gone or never said a word
//   Clob   x1-x17 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 bytes received
func connection_receive
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    ldr     x20, [x19, #CONN_IN_LEN]

Lconnection_receive_more:
    ldr     w0, [x19, #CONN_FD]
    add     x1, x19, #CONN_IN
    add     x1, x1, x20
    mov     x2, #CONN_IN_SIZE       // there is room: a full one is 431
    sub     x2, x2, x20
    bl      fd_read
    b.cs    Lconnection_receive_failed
    cbz     x0, Lconnection_receive_end
    add     x20, x20, x0
    str     x20, [x19, #CONN_IN_LEN]
    add     x0, x19, #CONN_REQUEST
    add     x1, x19, #CONN_IN
    mov     x2, x20
    bl      request_parse
    b.cc    Lconnection_receive_return
    cbz     x0, Lconnection_receive_more
    carry_set
Lconnection_receive_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lconnection_receive_end:            // the client will send no more
    mov     x0, #400
    b       Lconnection_receive_partly
Lconnection_receive_failed:
    cmp     x0, #EINTR              // the deadline
    mov     x0, #408
    b.eq    Lconnection_receive_partly
    mov     x0, #0
Lconnection_receive_partly:
    cmp     x20, #0                 // not a byte: nothing to reply to
    csel    x0, x0, xzr, ne
    carry_set
    b       Lconnection_receive_return

// connection_send - send the reply, segment by segment; to HEAD, only the head
//
// A call that is cut short by the alarm and has sent nothing is a second in
// which the client took nothing.
//
//   In     x0 connection, the reply is complete
//   Out    C clear: all is sent
//          C set:   x0 errno; the client has gone or is too slow, or what is
//          missing cannot be had
//   Clob   x1-x17 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 seconds without progress   x1 REPLY_NEXT
func connection_send
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

    ldr     w1, [x19, #CONN_REQUEST + REQUEST_METHOD]
    cmp     w1, #METHOD_HEAD
    b.ne    Lconnection_send_more
    str     wzr, [x19, #CONN_REPLY + REPLY_KIND]    // BODY_NONE
    str     xzr, [x19, #CONN_REPLY + REPLY_LENGTH]
    str     xzr, [x19, #CONN_REPLY + REPLY_NEXT]
Lconnection_send_more:
    mov     x20, #0
Lconnection_send_again:
    ldr     w0, [x19, #CONN_FD]
    add     x1, x19, #CONN_REPLY
    bl      reply_transmit
    b.cs    Lconnection_send_failed
    mov     x1, x0
    add     x0, x19, #CONN_REPLY
    bl      reply_advance
    cbnz    x0, Lconnection_send_more
    ldr     x1, [x19, #CONN_REPLY + REPLY_NEXT]
    cbnz    x1, Lconnection_send_next
Lconnection_send_done:
    carry_clear
Lconnection_send_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lconnection_send_next:
    mov     x0, x19
    bl      reply_next
    b.cc    Lconnection_send_more
    cbz     x0, Lconnection_send_done
    b       Lconnection_send_return
Lconnection_send_failed:
    cmp     x0, #EINTR
    b.ne    Lconnection_send_error
    add     x20, x20, #1
    cmp     x20, #STALL_SECONDS_MAX
    b.lo    Lconnection_send_again
Lconnection_send_error:
    carry_set
    b       Lconnection_send_return

// connection_linger - let the client read what it was sent, before the close
//
// A close while bytes from the client are unread resets the connection, and a
// reset can destroy a reply on its way. So: say that we are done, and read
// until the client is too, or until the alarm.
//
//   In     x0 connection
//   Out    nothing
//   Clob   x0-x17
//   Frame  32: x29 x30, x19
//
//   x19 connection
func connection_linger
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    ldr     w0, [x19, #CONN_FD]
    bl      socket_finish
    b.cs    Lconnection_linger_return       // the connection is gone already
    ldr     w0, [x19, #CONN_FD]
    add     x1, x19, #CONN_IN
    mov     x2, #CONN_IN_SIZE
    bl      fd_read
    b.cs    Lconnection_linger_return
    cbnz    x0, Lconnection_linger_more
Lconnection_linger_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lconnection_linger_more:
    mov     x0, x19
    bl      connection_drain
    b       Lconnection_linger_return

// connection_drain - read on while the client sends, but not for ever
//
// The alarm ends only a read that waits. A client that sends without a pause
// never lets one wait, so the clock is asked as well: it has as long again as a
// head may take.
//
//   In     x0 connection
//   Out    nothing
//   Clob   x0-x17
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 the last second   x1 how many there are
func connection_drain
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

    bl      clock_now
    b.cs    Lconnection_drain_return        // no way to know when to stop
    addr    x1, config
    ldr     w1, [x1, #CONFIG_HEAD_SECONDS]
    add     x20, x0, x1
Lconnection_drain_read:
    ldr     w0, [x19, #CONN_FD]
    add     x1, x19, #CONN_IN
    mov     x2, #CONN_IN_SIZE
    bl      fd_read
    b.cs    Lconnection_drain_return
    cbz     x0, Lconnection_drain_return
    bl      clock_now
    b.cs    Lconnection_drain_return
    cmp     x0, x20
    b.ls    Lconnection_drain_read
Lconnection_drain_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// connection_end - close what a connection has open, and forget it
//
//   In     x0 connection
//   Out    nothing
//   Clob   x0-x17 v0-v1
//   Frame  32: x29 x30, x19
//
//   x19 connection   x1 file, or the function that frees what the reply holds
func connection_end
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    ldr     w1, [x19, #CONN_REPLY + REPLY_FD]
    tbnz    w1, #31, Lconnection_end_state
    bl      reply_drop
Lconnection_end_state:
    ldr     x1, [x19, #CONN_REPLY + REPLY_FREE]
    cbz     x1, Lconnection_end_socket
    mov     x0, x19
    blr     x1
Lconnection_end_socket:
    ldr     w0, [x19, #CONN_FD]
    bl      fd_close
    mov     x0, x19
    mov     x1, #CONN_CLEAR_SIZE
    bl      mem_clear

    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret
