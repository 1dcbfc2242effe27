// request_any.s - placeholder: whatever is asked, it is GET /
//
// Gives    request_parse (slot: request)
// Needs    nothing
// Memory   none of its own
// Spec     RFC 9112 2.1: the empty line ends a head
// Tests    tests/asm/test_contracts.py, tests/http/test_models.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"
.include "request.inc"

// request_parse - read as much of a head as has arrived
//
//   In     x0 request, zeros at first   x1 bytes received   x2 how many
//   Out    C clear: x0 length of the head; the request is complete
//          C set:   x0 0, more bytes are needed; or status 400, 414, 421, 431,
//          501, 505
//   Clob   x1-x8 v0-v4
//   Frame  none (leaf)
//
//   x0 request   x1 bytes   x2 how many   x3 offset
//   x4 end of a head, as a word   x5 four bytes   x6 offset behind them
func request_parse
    ldr     x3, [x0, #REQUEST_SCAN]
    movi32  w4, 0x0a0d0a0d          // CR LF CR LF
Lrequest_parse_next:
    add     x6, x3, #4
    cmp     x6, x2
    b.hi    Lrequest_parse_more
    ldr     w5, [x1, x3]
    cmp     w5, w4
    b.eq    Lrequest_parse_done
    add     x3, x3, #1
    b       Lrequest_parse_next

Lrequest_parse_done:
    mov     w5, #METHOD_GET
    str     w5, [x0, #REQUEST_METHOD]
    addr    x4, request_any_path
    mov     x5, #request_any_path_len
    stp     x4, x5, [x0, #REQUEST_PATH]
    mov     x0, x6
    carry_clear
    ret
Lrequest_parse_more:
    str     x3, [x0, #REQUEST_SCAN]
    mov     x0, #0
    mov     x4, #HEAD_MAX_BYTES
    cmp     x2, x4
    b.lo    Lrequest_parse_return
    mov     x0, #431
Lrequest_parse_return:
    carry_set
    ret

rodata
string request_any_path, "/"
