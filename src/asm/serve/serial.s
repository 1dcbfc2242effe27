// serial.s - serve one connection after the other
//
// Gives    serve_run (slot: serve)
// Needs    socket_accept connection_begin connection_serve connection_end
//          pause_briefly
// Memory   .bss: one struct conn
// Spec     none
// Tests    tests/http/test_models.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"

// serve_run - serve the clients that connect
//
//   In     x0 listening socket
//   Out    x0 exit status, if there is an end
//   Clob   x1-x17 v0-v4
//   Frame  32: x29 x30, x19
//
//   x19 listening socket
func serve_run
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

Lserve_run_next:
    mov     x0, x19
    bl      socket_accept
    b.cs    Lserve_run_failed
    mov     x1, x0
    addr    x0, conn
    bl      connection_begin
    addr    x0, conn
    bl      connection_serve
    addr    x0, conn
    bl      connection_end
    b       Lserve_run_next

Lserve_run_failed:                  // that client is lost, the next may not be
    bl      pause_briefly
    b       Lserve_run_next

.bss
.p2align 4
conn:
    .skip   CONN_SIZEOF
