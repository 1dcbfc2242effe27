// get_hello.s - placeholder: one greeting for everybody
//
// Gives    get_plan (slot: GET)
// Needs    reply_begin reply_end mem_copy
// Memory   none of its own
// Spec     RFC 9110 9.3.1 (GET)
// Tests    tests/asm/test_contracts.py, tests/http/test_models.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"

// get_plan - plan the reply to GET or HEAD
//
//   In     x0 connection, CONN_PATH is set
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send; no file is open
//   Clob   x0-x17 v0-v4
//   Frame  32: x29 x30, x19
//
//   x19 connection   x0 cursor
func get_plan
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    mov     x1, #200
    bl      reply_begin
    addr    x1, hello_fields
    mov     x2, #hello_fields_len
    bl      mem_copy
    mov     x1, x0
    mov     x0, x19
    bl      reply_end
    addr    x1, hello_body
    mov     x2, #hello_body_len
    mov     w3, #BODY_MEMORY
    str     x1, [x19, #CONN_REPLY + REPLY_BODY]
    str     x2, [x19, #CONN_REPLY + REPLY_LENGTH]
    str     w3, [x19, #CONN_REPLY + REPLY_KIND]

    carry_clear
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

rodata
string hello_fields, "Content-Type: text/plain\r\nContent-Length: 14\r\n"
string hello_body, "hello, client\n"
