// index.s - the HTML of a listing: top, rows, bottom
//
// Gives    listing_top listing_row listing_bottom
// Needs    mem_copy name_plain path_encode html_write size_write time_write
// Memory   none of its own
// Spec     HTML 13.1.2.4 (which end tags may be left out)
// Tests    tests/asm/test_listing.py, tests/http/test_listing.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "record.inc"
.include "row.inc"

// listing_top - write the page as far as the row of the parent
//
// The root has none.
//
//   In     x0 cursor   x1 path of the directory, ends with NUL   x2 its length
//   Out    x0 cursor
//   Clob   x1-x9 v0-v1
//   Frame  32: x29 x30, x19 x20
//
//   x19 path   x20 its length   x0 cursor
func listing_top
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x1
    mov     x20, x2

    addr    x1, page_begin
    mov     x2, #page_begin_len
    bl      mem_copy
    mov     x1, x19
    bl      listing_name
    addr    x1, page_style
    mov     x2, #page_style_len
    bl      mem_copy
    mov     x1, x19
    bl      listing_name
    addr    x1, page_table
    mov     x2, #page_table_len
    bl      mem_copy
    cbz     x20, Llisting_top_return
    addr    x1, page_parent
    mov     x2, #page_parent_len
    bl      mem_copy
Llisting_top_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// listing_name - write what the page is called: "Index of /path/"
//
//   In     x0 cursor   x1 path, ends with NUL
//   Out    x0 cursor
//   Clob   x1-x9 v0-v1
//   Frame  32: x29 x30, x19
//
//   x19 path   x0 cursor   x1 byte
func listing_name
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x1

    addr    x1, page_name
    mov     x2, #page_name_len
    bl      mem_copy
    ldrb    w1, [x19]
    cbz     w1, Llisting_name_return
    mov     x1, x19
    bl      html_write
    mov     w1, #'/'
    strb    w1, [x0], #1
Llisting_name_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// listing_row - write the row of an entry
//
// A name with a control character in it cannot be asked for, so it gets none.
//
//   In     x0 cursor   x1 row
//   Out    x0 cursor
//   Clob   x1-x10 v0-v1
//   Frame  48: x29 x30, x19 x20, x21 x22
//
//   x19 record   x20 name   x21 1 for a directory   x22 begin of the row
//   x0 cursor
func listing_row
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    mov     x22, x0
    ldr     x20, [x1, #ROW_TEXT]
    ldr     x19, [x1, #ROW_DATA]
    ldr     w21, [x19, #RECORD_KIND]
    sub     w21, w21, #VREG

    addr    x1, row_begin
    ldr     q0, [x1]
    str     q0, [x0], #16
    mov     w1, #'"'
    strb    w1, [x0], #1
    mov     x9, x0
    mov     x0, x20
    bl      name_plain
    b.cs    Llisting_row_encode
    sub     x8, x0, x20
    mov     x0, x9
    bl      row_plain
Llisting_row_size:
    cbnz    x21, Llisting_row_time
    ldr     x1, [x19, #RECORD_SIZE]
    bl      size_write
Llisting_row_time:
    movi32  w1, '<' | 't' << 8 | 'd' << 16 | '>' << 24
    str     w1, [x0], #4
    ldr     x1, [x19, #RECORD_MTIME]
    bl      time_write
    mov     w1, #'\n'
    strb    w1, [x0], #1
Llisting_row_return:
    ldp     x21, x22, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

Llisting_row_encode:
    mov     x0, x9
    bl      row_encoded
    b.cc    Llisting_row_size
    mov     x0, x22
    b       Llisting_row_return

// row_plain - write a name that needs no encoding: in the link, and as text
//
// It is copied sixteen bytes at a time; what is too much is written over.
//
//   In     x0 cursor, in the attribute   x20 name, sixteen bytes more can be
//   read   x8 its length with its NUL   x21 1 for a directory
//   Out    x0 cursor, in the cell of the size
//   Clob   x1-x2 x8 v0
//   Frame  none (leaf)
//
//   x0 cursor   x1 place in the name, or a piece of HTML   x2 slash
//   x8 length   v0 sixteen bytes
func row_plain
    sub     x8, x8, #1
    mov     w2, #'/'
    mov     x1, #0
Lrow_plain_link:
    ldr     q0, [x20, x1]
    str     q0, [x0, x1]
    add     x1, x1, #16
    cmp     x1, x8
    b.lo    Lrow_plain_link
    add     x0, x0, x8
    strb    w2, [x0]
    add     x0, x0, x21             // only a directory keeps the slash
    mov     w1, #'"' | '>' << 8
    strh    w1, [x0], #2
    mov     x1, #0
Lrow_plain_text:
    ldr     q0, [x20, x1]
    str     q0, [x0, x1]
    add     x1, x1, #16
    cmp     x1, x8
    b.lo    Lrow_plain_text
    add     x0, x0, x8
    strb    w2, [x0]
    add     x0, x0, x21
    addr    x1, row_end
    ldr     x1, [x1]
    str     x1, [x0], #8
    ret

// row_encoded - write a name that needs encoding: in the link, and as text
//
//   In     x0 cursor, in the attribute   x20 name   x21 1 for a directory
//   Out    x0 cursor, in the cell of the size
//   C clear: it is written
//          C set:   and there is a control character in it
//   Clob   x1-x9
//   Frame  16: x29 x30
//
//   x0 cursor   x1 name, or a piece of HTML
func row_encoded
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    mov     x1, x20
    bl      path_encode
    mov     w1, #'/'
    strb    w1, [x0]
    add     x0, x0, x21             // only a directory keeps the slash
    mov     w1, #'"' | '>' << 8
    strh    w1, [x0], #2
    mov     x1, x20
    bl      html_write
    mov     w1, #'/'
    strb    w1, [x0]
    add     x0, x0, x21             // the flags are still html_write's
    addr    x1, row_end
    ldr     x1, [x1]
    str     x1, [x0], #8

    ldp     x29, x30, [sp], #16
    ret

// listing_bottom - write the end of the page
//
//   In     x0 cursor   x1 1 when there are entries that it does not show
//   Out    x0 cursor
//   Clob   x1-x5 v0-v1
//   Frame  16: x29 x30
//
//   x5 whether there are   x0 cursor   x1 text   x2 its length
func listing_bottom
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x5, x1

    addr    x1, page_end
    mov     x2, #page_end_len
    bl      mem_copy
    cbz     x5, Llisting_bottom_return
    addr    x1, page_partial
    mov     x2, #page_partial_len
    bl      mem_copy
Llisting_bottom_return:
    ldp     x29, x30, [sp], #16
    ret

rodata
.p2align 4
row_begin:
    .ascii  "<tr><td><a href="
row_end:
    .ascii  "</a><td>"
string page_name, "Index of /"
page_table:
    .ascii  "</h1>\n"
    .ascii  "<table>\n"
    .ascii  "<thead><tr><th scope=\"col\">Name<th "
    .ascii  "scope=\"col\">Size<th scope=\"col\">Changed (UTC)\n"
    .ascii  "<tbody>\n"
.equ page_table_len, . - page_table
string page_parent, "<tr><td><a href=\"../\">../</a><td><td>\n"
string page_end, "</table>\n"
string page_partial, "<p>There is more here than this page can show.\n"
page_begin:
    .ascii  "<!doctype html>\n"
    .ascii  "<html lang=\"en\">\n"
    .ascii  "<meta charset=\"utf-8\">\n"
    .ascii  "<meta name=\"viewport\" content=\"width=device-width, "
    .ascii  "initial-scale=1\">\n"
    .ascii  "<title>"
.equ page_begin_len, . - page_begin
page_style:
    .ascii  "</title>\n"
    .ascii  "<style>\n"
    .ascii  ":root { color-scheme: light dark; --line: #8884; --dim: "
    .ascii  "#666; --link: #0a5db4 }\n"
    .ascii  "@media (prefers-color-scheme: dark) { :root { --dim: "
    .ascii  "#aaa; --link: #8ab8f0 } }\n"
    .ascii  "body { margin: 2rem auto; max-width: 54rem; padding: 0 "
    .ascii  "1rem;\n"
    .ascii  "  font: 1rem/1.5 system-ui, sans-serif }\n"
    .ascii  "h1 { font-size: 1.3rem; overflow-wrap: anywhere }\n"
    .ascii  "table { width: 100%; border-collapse: collapse }\n"
    .ascii  "th, td { padding: .3rem .8rem; text-align: left; "
    .ascii  "vertical-align: baseline; "
    .ascii  "border-bottom: 1px solid var(--line) }\n"
    .ascii  "th { font-weight: 600 }\n"
    .ascii  "td + td, th, p { color: var(--dim); font-size: .875rem }\n"
    .ascii  "td + td, th + th { text-align: right; white-space: "
    .ascii  "nowrap;\n"
    .ascii  "  font-variant-numeric: tabular-nums }\n"
    .ascii  "td:first-child { overflow-wrap: anywhere }\n"
    .ascii  "th:first-child, td:first-child { padding-left: 0 }\n"
    .ascii  "th:last-child, td:last-child { padding-right: 0 }\n"
    .ascii  "a { color: var(--link); text-decoration: none }\n"
    .ascii  "a:hover, a:focus { text-decoration: underline }\n"
    .ascii  "@media (max-width: 30rem) { th, td { padding: .3rem } }\n"
    .ascii  "</style>\n"
    .ascii  "<h1>"
.equ page_style_len, . - page_style
