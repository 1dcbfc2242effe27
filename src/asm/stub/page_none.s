// page_none.s - placeholder: there are no error pages in files
//
// Gives    page_open (slot: error page)
// Needs    nothing
// Memory   none of its own
// Spec     none
// Tests    tests/asm/test_contracts.py, tests/http/test_models.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// page_open - open the page for a status, if there is one
//
//   In     x0 connection   x1 status, three digits
//   Out    C clear: REPLY_FD and CONN_STAT are set
//          C set:   x0 ENOENT, use the built-in page; no file is open
//   Clob   x0-x17
//   Frame  none (leaf)
//
//   x0 errno
func page_open
    mov     x0, #ENOENT
    carry_set
    ret
