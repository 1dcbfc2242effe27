// fork.s - a process of its own for each connection
//
// Children leave no zombies, because SIGCHLD is ignored; so nobody tells us
// when one ends. We count those we start, and only when that many could be too
// many do we ask the kernel how many there really are.
//
// Gives    serve_run (slot: serve)
// Needs    signal_ignore socket_accept process_fork process_exit
//          process_children fd_close pause_briefly config connection_refuse
//          connection_begin connection_serve connection_linger
// Memory   .bss: one struct conn, which each child has for itself
// Spec     fork(2); RFC 9110 15.6.4 (503)
// Tests    tests/http/test_robustness.py, tests/http/test_models.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"
.include "config.inc"

// serve_run - serve the clients that connect
//
//   In     x0 listening socket
//   Out    x0 exit status, if there is an end
//   Clob   x1-x17 v0-v4
//   Frame  48: x29 x30, x19 x20, x21 x22
//
//   x19 listening socket   x20 connection   x21 children, at most
//   x22 children allowed
func serve_run
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    mov     x19, x0
    mov     x21, #0
    addr    x22, config
    ldr     w22, [x22, #CONFIG_CHILDREN_MAX]
    mov     x0, #SIGCHLD
    bl      signal_ignore

Lserve_run_next:
    mov     x0, x19
    bl      socket_accept
    b.cs    Lserve_run_failed
    mov     x20, x0
    cmp     x21, x22
    b.hs    Lserve_run_count
Lserve_run_fork:
    bl      process_fork
    b.cs    Lserve_run_refuse
    cbz     x0, Lserve_run_child
    add     x21, x21, #1
    mov     x0, x20
    bl      fd_close
    b       Lserve_run_next

Lserve_run_child:
    mov     x0, x19
    bl      fd_close
    mov     x0, x20
    bl      child_run

Lserve_run_count:
    bl      process_children
    b.cs    Lserve_run_refuse
    mov     x21, x0
    cmp     x21, x22
    b.lo    Lserve_run_fork
Lserve_run_refuse:
    mov     x0, x20
    bl      connection_refuse
    b       Lserve_run_next

Lserve_run_failed:                  // that client is lost, the next may not be
    cmp     x0, #EINTR
    b.eq    Lserve_run_next
    cmp     x0, #ECONNABORTED
    b.eq    Lserve_run_next
    bl      pause_briefly           // short of descriptors or of memory
    b       Lserve_run_next

// child_run - the whole life of a child: one connection
//
// The end of the process closes what is open.
//
//   In     x0 fd of the connection
//   Out    does not return
//   Clob   all
//   Frame  none: nobody needs ours
//
//   x19 connection
func child_run
    mov     x1, x0
    addr    x19, conn
    mov     x0, x19
    bl      connection_begin
    mov     x0, x19
    bl      connection_serve
    mov     x0, x19
    bl      connection_linger
    mov     x0, #0
    bl      process_exit

.bss
.p2align 4
conn:
    .skip   CONN_SIZEOF
