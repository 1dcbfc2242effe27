// path_index.s - placeholder: every path leads to index.html
//
// Gives    path_resolve (slot: path)
// Needs    nothing
// Memory   none of its own
// Spec     none
// Tests    tests/asm/test_contracts.py, tests/http/test_models.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// path_resolve - decode a path, once, and walk its segments
//
//   In     x0 path, begins with a slash   x1 length   x2 buffer   x3 its size
//   Out    C clear: x0 length of the result, a NUL is behind it
//          x1 1 when the path named a directory, that is, ended with a slash
//          C set:   x0 status 400, 404
//   Clob   x1-x7 x9-x15
//   Frame  none (leaf)
//
//   x0 length   x1 1   x2 buffer
func path_resolve
    strb    wzr, [x2]               // the root itself, so its index.html
    mov     x0, #0
    mov     x1, #1
    carry_clear
    ret
