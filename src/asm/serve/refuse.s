// refuse.s - what a client is told when there is nobody to serve it
//
// Gives    connection_refuse
// Needs    fd_write socket_finish socket_drain fd_close
// Memory   .bss: room for what the client has sent
// Spec     RFC 9110 15.6.4 (503), 10.2.3 (Retry-After)
// Tests    tests/http/test_robustness.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

.equ REFUSE_BUFFER_SIZE,    16384

// connection_refuse - reply 503 without waiting for anything, and close
//
// The reply has no body, so it is right for every method. A new connection has
// room for it. What has arrived is read, or the close would become a reset.
//
//   In     x0 fd of the connection
//   Out    nothing
//   Clob   x0-x17
//   Frame  32: x29 x30, x19
//
//   x19 fd
func connection_refuse
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    addr    x1, refuse_reply
    mov     x2, #refuse_reply_len
    bl      fd_write
    mov     x0, x19
    bl      socket_finish
    mov     x0, x19
    addr    x1, refuse_buffer
    mov     x2, #REFUSE_BUFFER_SIZE
    bl      socket_drain
    mov     x0, x19
    bl      fd_close

    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

rodata
refuse_reply:
    .ascii  "HTTP/1.1 503 Service Unavailable\r\n"
    .ascii  "Server: ymawky\r\n"
    .ascii  "Connection: close\r\n"
    .ascii  "Retry-After: 5\r\n"
    .ascii  "Content-Length: 0\r\n"
    .ascii  "\r\n"
.equ refuse_reply_len, . - refuse_reply

.bss
.p2align 4
refuse_buffer:
    .skip   REFUSE_BUFFER_SIZE
