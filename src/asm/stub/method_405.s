// method_405.s - placeholder: nothing can be written
//
// Gives    put_plan delete_plan (slots: PUT, DELETE)
// Needs    nothing
// Memory   none of its own
// Spec     RFC 9110 15.5.6 (405)
// Tests    tests/asm/test_contracts.py, tests/http/test_models.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// put_plan - plan the reply to PUT
//
//   In     x0 connection, CONN_PATH is set
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send instead; or 0, the body
//          must be there first
//   Clob   x0-x17 v0-v1
//   Frame  none (leaf)
//
//   x0 status
func put_plan
    mov     x0, #405
    carry_set
    ret

// delete_plan - plan the reply to DELETE
//
//   In     x0 connection, CONN_PATH is set
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send instead
//   Clob   x0-x17 v0-v1
//   Frame  none (leaf)
//
//   x0 status
func delete_plan
    mov     x0, #405
    carry_set
    ret
