// body.s - read the body of a request, with waiting
//
// For the serve models that give a connection a process of its own.
//
// Gives    body_receive (slot: body)
// Needs    body_begin body_take upload_open upload_finish upload_drop
//          signal_hold fd_read fd_write_all config
// Memory   .bss: room for a piece of the body
// Spec     RFC 9110 10.1.1 (100-continue), 15.5.9 (408)
// Tests    tests/asm/test_body.py, tests/http/test_writing.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "upload.inc"
.include "conn.inc"
.include "config.inc"

.equ BODY_BUFFER_SIZE,      65536

// body_receive - take the body of a request, then plan the reply
//
// From here on this process does not end when it is asked to: it finishes what
// it has begun, or gives up at the deadline, and leaves nothing behind. Only
// against SIGKILL nothing can be done.
//
//   In     x0 connection, request_plan has asked for the body
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send instead
//   Clob   x0-x17 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 status
func body_receive
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

    bl      signal_hold
    mov     x0, x19
    bl      upload_open
    b.cs    Lbody_receive_drop
    mov     x0, x19
    bl      body_read
    b.cs    Lbody_receive_drop
    mov     x0, x19
    bl      upload_finish
Lbody_receive_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lbody_receive_drop:
    mov     x20, x0
    mov     x0, x19
    bl      upload_drop
    mov     x0, x20
    carry_set
    b       Lbody_receive_return

// body_read - read until the body is complete
//
// The alarm comes once a second. When it has cut short more reads in a row than
// a head may take seconds, the client has sent nothing for that long.
//
//   In     x0 connection, UPLOAD_FD takes the body
//   Out    C clear: it is complete
//          C set:   x0 status 400, 403, 408, 413, 431, 500, 503, 507
//   Clob   x0-x17
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 bytes that are there, later seconds without one
//   x1 bytes   x2 how many
func body_read
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

    bl      body_begin
    mov     x20, x1
    mov     x2, x1
    mov     x1, x0
    mov     x0, x19
    bl      body_take
    b.cc    Lbody_read_return
    cbnz    x0, Lbody_read_refuse
    cbnz    x20, Lbody_read_more    // it comes without a word of ours
    ldr     w0, [x19, #CONN_UPLOAD + UPLOAD_EXPECTS]
    cbnz    w0, Lbody_read_greet
Lbody_read_more:
    mov     x20, #0
Lbody_read_again:
    ldr     w0, [x19, #CONN_FD]
    addr    x1, body_buffer
    mov     x2, #BODY_BUFFER_SIZE
    bl      fd_read
    b.cs    Lbody_read_failed
    cbz     x0, Lbody_read_end
    mov     x2, x0
    addr    x1, body_buffer
    mov     x0, x19
    bl      body_take
    b.cc    Lbody_read_return
    cbz     x0, Lbody_read_more
Lbody_read_refuse:
    carry_set
Lbody_read_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lbody_read_greet:
    ldr     w0, [x19, #CONN_FD]
    addr    x1, body_continue
    mov     x2, #body_continue_len
    bl      fd_write_all
    b.cc    Lbody_read_more
Lbody_read_end:                     // the client has gone, or says no more
    mov     x0, #400
    b       Lbody_read_refuse
Lbody_read_failed:
    cmp     x0, #EINTR
    b.ne    Lbody_read_end
    add     x20, x20, #1
    addr    x1, config
    ldr     w1, [x1, #CONFIG_HEAD_SECONDS]
    cmp     x20, x1
    b.ls    Lbody_read_again
    mov     x0, #408
    b       Lbody_read_refuse

rodata
string body_continue, "HTTP/1.1 100 Continue\r\n\r\n"

.bss
.p2align 4
body_buffer:
    .skip   BODY_BUFFER_SIZE
