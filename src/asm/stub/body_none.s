// body_none.s - placeholder: no plan of ours asks for a body
//
// Gives    body_receive (slot: body)
// Needs    nothing
// Memory   none of its own
// Spec     RFC 9110 15.6.2 (501)
// Tests    tests/asm/test_contracts.py, tests/asm/test_connection.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// body_receive - take the body of a request, then plan the reply
//
//   In     x0 connection, request_plan has asked for the body
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send instead
//   Clob   x0-x17 v0-v4
//   Frame  none (leaf)
//
//   x0 status
func body_receive
    mov     x0, #501
    carry_set
    ret
