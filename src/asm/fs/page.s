// page.s - error pages from files: 404.html and so on
//
// Gives    page_open (slot: error page)
// Needs    file_open_below fd_stat reply_drop u64_format config
// Memory   none of its own
// Spec     none
// Tests    tests/http/test_errors.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"
.include "config.inc"

// page_open - open the page for a status, if there is one
//
//   In     x0 connection   x1 status, three digits
//   Out    C clear: REPLY_FD and CONN_STAT are set
//          C set:   x0 ENOENT, use the built-in page; no file is open
//   Clob   x0-x17
//   Frame  64: x29 x30, x19, 32 bytes for the name
//
//   x19 connection   x0 name, later a descriptor
func page_open
    stp     x29, x30, [sp, #-64]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    addr    x2, config
    ldr     w2, [x2, #CONFIG_ERRORS_FD]
    tbnz    w2, #31, Lpage_open_none        // no directory of pages
    addr    x2, page_suffix
    ldr     x2, [x2]
    str     x2, [sp, #56]                   // ".html", and a NUL
    mov     x0, x1
    add     x1, sp, #56
    bl      u64_format                      // and the status in front of it
    addr    x2, config
    ldr     w0, [x2, #CONFIG_ERRORS_FD]
    bl      file_open_below
    b.cs    Lpage_open_none

    str     w0, [x19, #CONN_REPLY + REPLY_FD]
    add     x1, x19, #CONN_STAT
    bl      fd_stat
    b.cs    Lpage_open_drop
    ldrh    w0, [x19, #CONN_STAT + STAT_MODE]
    and     w0, w0, #S_IFMT
    cmp     w0, #S_IFREG
    b.ne    Lpage_open_drop
    carry_clear
Lpage_open_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #64
    ret

Lpage_open_drop:
    mov     x0, x19
    bl      reply_drop
Lpage_open_none:
    mov     x0, #ENOENT
    carry_set
    b       Lpage_open_return

rodata
.p2align 3
page_suffix:
    .ascii  ".html\0\0\0"
