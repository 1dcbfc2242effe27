// method_405.s - placeholder: nothing can be written
//
// Gives    put_plan delete_plan methods_offer (slots: PUT, DELETE)
// Needs    mem_copy
// Memory   none of its own
// Spec     RFC 9110 10.2.1 (Allow), 15.5.6 (405)
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
//   Clob   x0-x17 v0-v4
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
//   Clob   x0-x17 v0-v4
//   Frame  none (leaf)
//
//   x0 status
func delete_plan
    mov     x0, #405
    carry_set
    ret

// methods_offer - write the field that says what can be done here
//
//   In     x0 cursor
//   Out    x0 cursor
//   Clob   x1-x4 v0-v1
//   Frame  none: leaves the rest to mem_copy
//
//   x1 text   x2 its length
func methods_offer
    addr    x1, methods_reading
    mov     x2, #methods_reading_len
    b       mem_copy

rodata
string methods_reading, "Allow: GET, HEAD, OPTIONS\r\n"
