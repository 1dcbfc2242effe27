// range_ignore.s - placeholder: every reply is the whole file
//
// Gives    range_apply range_offer (slot: range)
// Needs    mem_copy
// Memory   none of its own
// Spec     RFC 9110 14.2: a server may ignore Range, 14.3 (Accept-Ranges)
// Tests    tests/asm/test_contracts.py, tests/http/test_models.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// range_apply - choose which part of a file to send
//
//   In     x0 connection, REPLY_OFFSET and REPLY_LENGTH name the whole file
//   Out    C clear: x0 status 200 or 206, and they name the part to send
//          C set:   x0 status of the error page to send instead
//   Clob   x1-x17 v0-v1
//   Frame  none (leaf)
//
//   x0 status
func range_apply
    mov     x0, #200
    carry_clear
    ret

// range_offer - write the field that says whether parts can be asked for
//
//   In     x0 cursor
//   Out    x0 cursor
//   Clob   x1-x4 v0-v1
//   Frame  none: leaves the rest to mem_copy
//
//   x1 text   x2 length
func range_offer
    addr    x1, range_none
    mov     x2, #range_none_len
    b       mem_copy

rodata
string range_none, "Accept-Ranges: none\r\n"
