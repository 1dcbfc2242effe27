// range_ignore.s - placeholder: every reply is the whole file
//
// Gives    range_apply range_offer range_reply (slot: range)
// Needs    mem_copy reply_drop
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
//          C set:   x0 status of another reply: range_reply plans it
//   Clob   x1-x17 v0-v4
//   Frame  none (leaf)
//
//   x0 status
func range_apply
    mov     x0, #200
    carry_clear
    ret

// range_offer - write the fields about ranges and the version of the file
//
//   In     x0 cursor   x1 connection, REPLY_STATUS is set
//   Out    x0 cursor
//   Clob   x1-x9 v0-v4
//   Frame  none: leaves the rest to mem_copy
//
//   x1 text   x2 length
func range_offer
    addr    x1, range_none
    mov     x2, #range_none_len
    b       mem_copy

// range_reply - plan a reply that is neither the whole file nor one part of it
//
// Every reply of ours is the whole file, so nobody comes here yet.
//
//   In     x0 connection, REPLY_FD and CONN_STAT are set
//   x1 status that range_apply gave
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send; no file is open
//   Clob   x0-x17 v0-v4
//   Frame  32: x29 x30, x19
//
//   x19 status
func range_reply
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x1

    bl      reply_drop
    mov     x0, x19
    carry_set
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

rodata
string range_none, "Accept-Ranges: none\r\n"
