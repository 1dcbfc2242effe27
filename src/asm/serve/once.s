// once.s - serve one connection and be done
//
// Gives    serve_run (slot: serve)
// Needs    socket_accept connection_begin connection_serve connection_end
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
//   Frame  16: x29 x30
//
//   x0 fd, later the connection   x1 fd
func serve_run
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    bl      socket_accept
    b.cs    Lserve_run_return
    mov     x1, x0
    addr    x0, conn
    bl      connection_begin
    addr    x0, conn
    bl      connection_serve
    addr    x0, conn
    bl      connection_end
    carry_clear
Lserve_run_return:
    cset    x0, cs
    ldp     x29, x30, [sp], #16
    ret

.bss
.p2align 4
conn:
    .skip   CONN_SIZEOF
