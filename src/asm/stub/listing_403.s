// listing_403.s - placeholder: what is in a directory is not shown
//
// Gives    listing_plan (slot: directory)
// Needs    directory_open_below fd_close status_from_errno config
// Memory   none of its own
// Spec     RFC 9110 15.5.4 (403)
// Tests    tests/asm/test_contracts.py, tests/http/test_models.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"
.include "config.inc"

// listing_plan - plan the reply for a directory without index.html
//
//   In     x0 connection, CONN_PATH names the directory, if there is one
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send; no file is open
//   Clob   x0-x17 v0-v1
//   Frame  16: x29 x30
//
//   x0 connection, later a descriptor   x1 path   x2 its length
func listing_plan
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    ldr     x2, [x0, #CONN_PATH_LEN]
    cbz     x2, Llisting_plan_forbidden     // the root is always there
    add     x1, x0, #CONN_PATH
    addr    x0, config
    ldr     w0, [x0, #CONFIG_ROOT_FD]
    bl      directory_open_below
    b.cs    Llisting_plan_missing
    bl      fd_close
Llisting_plan_forbidden:
    mov     x0, #403
Llisting_plan_return:
    carry_set
    ldp     x29, x30, [sp], #16
    ret

Llisting_plan_missing:
    bl      status_from_errno
    b       Llisting_plan_return
