// plan.s - which plan answers a request
//
// Gives    request_plan
// Needs    path_resolve get_plan put_plan delete_plan options_plan
// Memory   none of its own
// Spec     RFC 9110 9 (methods), 15.5.6 (405), 15.6.2 (501)
// Tests    tests/asm/test_contracts.py, tests/http/
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"

// request_plan - find out what to reply to a complete request
//
//   In     x0 connection
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send instead; or 0, the body
//          must be there first
//   Clob   x0-x17 v0-v4
//   Frame  32: x29 x30, x19
//
//   x19 connection   x1 method   x2 form of the target
func request_plan
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    ldr     w1, [x19, #CONN_REQUEST + REQUEST_METHOD]
    cbz     w1, Lrequest_plan_unknown
    ldr     w2, [x19, #CONN_REQUEST + REQUEST_TARGET]
    cbnz    w2, Lrequest_plan_no_path
    ldp     x0, x1, [x19, #CONN_REQUEST + REQUEST_PATH]
    add     x2, x19, #CONN_PATH
    mov     x3, #CONN_PATH_SIZE - CONN_PATH_SPARE
    bl      path_resolve
    b.cs    Lrequest_plan_return
    str     x0, [x19, #CONN_PATH_LEN]
    str     w1, [x19, #CONN_PATH_SLASH]

    mov     x0, x19
    ldr     w1, [x19, #CONN_REQUEST + REQUEST_METHOD]
    cmp     w1, #METHOD_OPTIONS
    b.eq    Lrequest_plan_options
    b.hi    Lrequest_plan_other
    bl      get_plan                // GET and HEAD
    b       Lrequest_plan_return
Lrequest_plan_other:
    cmp     w1, #METHOD_PUT
    b.eq    Lrequest_plan_put
    cmp     w1, #METHOD_DELETE
    b.ne    Lrequest_plan_refused
    bl      delete_plan
    b       Lrequest_plan_return
Lrequest_plan_put:
    bl      put_plan
    b       Lrequest_plan_return
Lrequest_plan_options:
    bl      options_plan
    b       Lrequest_plan_return

Lrequest_plan_no_path:              // OPTIONS * or CONNECT host:port
    mov     x0, x19
    cmp     w1, #METHOD_OPTIONS
    b.eq    Lrequest_plan_options
Lrequest_plan_refused:
    mov     x0, #405
    carry_set
    b       Lrequest_plan_return
Lrequest_plan_unknown:
    mov     x0, #501
    carry_set
Lrequest_plan_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret
