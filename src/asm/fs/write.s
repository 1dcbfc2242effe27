// write.s - the door to everything that changes files
//
// It is shut unless --writable was said.
//
// Gives    put_plan delete_plan methods_offer (slots: PUT, DELETE)
// Needs    upload_plan remove_plan mem_copy config
// Memory   none of its own
// Spec     RFC 9110 9.3.4 (PUT), 9.3.5 (DELETE), 10.2.1 (Allow), 15.5.6 (405)
// Tests    tests/asm/test_upload.py, tests/http/test_writing.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "config.inc"

// put_plan - plan the reply to PUT
//
//   In     x0 connection, CONN_PATH is set
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send instead; or 0, the body
//          must be there first
//   Clob   x0-x17 v0-v4
//   Frame  none: leaves the rest to upload_plan
//
//   x0 connection, later the status   x1 config, later 1 when it is allowed
func put_plan
    addr    x1, config
    ldr     w1, [x1, #CONFIG_WRITABLE]
    cbz     w1, Lput_plan_shut
    b       upload_plan
Lput_plan_shut:
    mov     x0, #405
    carry_set
    ret

// delete_plan - plan the reply to DELETE
//
//   In     x0 connection, CONN_PATH is set
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send instead
//   Clob   x0-x17 v0-v4
//   Frame  none: leaves the rest to remove_plan
//
//   x0 connection, later the status   x1 config, later 1 when it is allowed
func delete_plan
    addr    x1, config
    ldr     w1, [x1, #CONFIG_WRITABLE]
    cbz     w1, Ldelete_plan_shut
    b       remove_plan
Ldelete_plan_shut:
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
//   x1 text   x2 its length   x3 config, later 1 when changes are allowed
func methods_offer
    addr    x3, config
    ldr     w3, [x3, #CONFIG_WRITABLE]
    addr    x1, methods_reading
    mov     x2, #methods_reading_len
    cbz     w3, Lmethods_offer_copy
    addr    x1, methods_writing
    mov     x2, #methods_writing_len
Lmethods_offer_copy:
    b       mem_copy

rodata
string methods_reading, "Allow: GET, HEAD, OPTIONS\r\n"
string methods_writing, "Allow: GET, HEAD, OPTIONS, PUT, DELETE\r\n"
