// method.s - request methods
//
// Gives    method_find
// Needs    text_word
// Memory   none of its own
// Spec     RFC 9110 9.1; RFC 5789 (PATCH)
// Tests    tests/asm/test_method.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"

// method_find - which method a name means; case counts
//
//   In     x0 name; eight bytes can be read there   x1 length in bytes, not 0
//   Out    x0 METHOD_ number, METHOD_UNKNOWN for a name not in the table
//   Clob   x1-x3
//   Frame  16: x29 x30
//
//   x0 name as one word, later the number   x1 length, later a row
//   x2 method of the row   x3 word of the row
func method_find
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    cmp     x1, #8                  // no method we know is longer
    b.hi    Lmethod_find_none
    bl      text_word
    addr    x1, method_names
    mov     x2, #METHOD_GET
Lmethod_find_row:
    ldr     x3, [x1], #8
    cmp     x3, x0
    b.eq    Lmethod_find_return
    add     x2, x2, #1
    cmp     x2, #METHOD_PATCH
    b.ls    Lmethod_find_row
Lmethod_find_none:
    mov     x2, #METHOD_UNKNOWN
Lmethod_find_return:
    mov     x0, x2
    ldp     x29, x30, [sp], #16
    ret

rodata
.p2align 3
method_names:
    .ascii  "GET\0\0\0\0\0"
    .ascii  "HEAD\0\0\0\0"
    .ascii  "OPTIONS\0"
    .ascii  "POST\0\0\0\0"
    .ascii  "PUT\0\0\0\0\0"
    .ascii  "DELETE\0\0"
    .ascii  "CONNECT\0"
    .ascii  "TRACE\0\0\0"
    .ascii  "PATCH\0\0\0"
