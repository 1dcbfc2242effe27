// listener.s - the socket that clients connect to
//
// Gives    listener_open
// Needs    socket_open socket_reuse socket_bind socket_listen fd_close
// Memory   none of its own
// Spec     bind(2), listen(2)
// Tests    tests/asm/test_contracts.py, tests/http/test_start.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// listener_open - listen at an address and a port
//
//   In     x0 address in network order   x1 port, 0 lets the kernel choose
//   Out    C clear: x0 fd
//          C set:   x0 errno of the first failure; nothing is open
//   Clob   x1-x17
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 fd   x20 address   x21 port, later errno
func listener_open
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x20, x0
    mov     x21, x1

    bl      socket_open
    b.cs    Llistener_open_return
    mov     x19, x0
    bl      socket_reuse
    b.cs    Llistener_open_close
    mov     x0, x19
    mov     x1, x20
    mov     x2, x21
    bl      socket_bind
    b.cs    Llistener_open_close
    mov     x0, x19
    bl      socket_listen
    b.cs    Llistener_open_close
    mov     x0, x19                 // C is still clear
Llistener_open_return:
    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

Llistener_open_close:
    mov     x21, x0
    mov     x0, x19
    bl      fd_close
    mov     x0, x21
    carry_set
    b       Llistener_open_return
