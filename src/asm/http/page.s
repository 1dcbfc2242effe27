// page.s - replies that are made from a status: error pages, OPTIONS
//
// Gives    page_plan page_build page_finish options_plan
// Needs    reply_begin reply_number reply_end status_text mem_copy page_open
//          methods_offer
// Memory   none of its own
// Spec     RFC 9110 15 (statuses), 9.3.7 (OPTIONS), 10.2.3 (Retry-After)
// Tests    tests/asm/test_reply.py, tests/http/test_errors.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"

// page_plan - plan the page for a status: one from a file, else a built-in one
//
//   In     x0 connection   x1 status
//   Out    nothing; the reply is complete
//   Clob   x0-x17 v0-v1
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 status   x0 cursor
func page_plan
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    mov     x20, x1

    bl      page_open
    b.cs    Lpage_plan_built_in
    ldr     x1, [x19, #CONN_STAT + STAT_SIZE]
    add     x0, x19, #CONN_REPLY
    stp     xzr, x1, [x0, #REPLY_OFFSET]
    mov     w2, #BODY_FILE
    str     w2, [x0, #REPLY_KIND]
Lpage_plan_head:
    mov     x0, x19
    mov     x1, x20
    bl      reply_begin
    cmp     w20, #405
    b.eq    Lpage_plan_allow
    cmp     w20, #503
    b.eq    Lpage_plan_retry
Lpage_plan_finish:
    mov     x1, x0
    mov     x0, x19
    bl      page_finish
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lpage_plan_built_in:
    mov     x0, x19
    mov     x1, x20
    bl      page_build
    b       Lpage_plan_head
Lpage_plan_allow:
    bl      methods_offer
    b       Lpage_plan_finish
Lpage_plan_retry:
    addr    x1, page_retry
    mov     x2, #page_retry_len
    bl      mem_copy
    b       Lpage_plan_finish

// page_build - write the built-in page for a status
//
//   In     x0 connection   x1 status
//   Out    nothing; the page is the body of the reply
//   Clob   x0-x8 v0-v1
//   Frame  48: x29 x30, x19 x20, x21
//
//   x0 cursor   x19 connection   x20 name of the status   x21 its length
//   x7 sentence   x8 its length
func page_build
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x0
    mov     x0, x1
    bl      status_text
    mov     x20, x0
    mov     x21, x1
    mov     x7, x2
    mov     x8, x3

    add     x0, x19, #CONN_PAGE
    addr    x1, page_title
    mov     x2, #page_title_len
    bl      mem_copy
    mov     x1, x20
    mov     x2, x21
    bl      mem_copy
    addr    x1, page_heading
    mov     x2, #page_heading_len
    bl      mem_copy
    mov     x1, x20
    mov     x2, x21
    bl      mem_copy
    addr    x1, page_sentence
    mov     x2, #page_sentence_len
    bl      mem_copy
    mov     x1, x7
    mov     x2, x8
    bl      mem_copy
    addr    x1, page_last
    mov     x2, #page_last_len
    bl      mem_copy

    add     x1, x19, #CONN_PAGE
    sub     x0, x0, x1
    mov     w2, #BODY_MEMORY
    str     w2, [x19, #CONN_REPLY + REPLY_KIND]
    str     x1, [x19, #CONN_REPLY + REPLY_BODY]
    str     x0, [x19, #CONN_REPLY + REPLY_LENGTH]
    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

// page_finish - describe the page that is the body, and end the head
//
//   In     x0 connection   x1 cursor
//   Out    nothing; the reply is complete
//   Clob   x0-x6 v0-v1
//   Frame  32: x29 x30, x19
//
//   x19 connection   x0 cursor
func page_finish
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    mov     x0, x1
    addr    x1, page_type
    mov     x2, #page_type_len
    bl      mem_copy
    ldr     x1, [x19, #CONN_REPLY + REPLY_LENGTH]
    bl      reply_number
    addr    x1, page_line_end
    mov     x2, #page_line_end_len
    bl      mem_copy
    mov     x1, x0
    mov     x0, x19
    bl      reply_end

    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// options_plan - plan the reply to OPTIONS: what can be done here
//
//   In     x0 connection
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send instead
//   Clob   x0-x17 v0-v1
//   Frame  32: x29 x30, x19
//
//   x19 connection   x0 cursor
func options_plan
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    mov     x1, #200
    bl      reply_begin
    bl      methods_offer
    addr    x1, page_empty
    mov     x2, #page_empty_len
    bl      mem_copy
    mov     x1, x0
    mov     x0, x19
    bl      reply_end

    carry_clear
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

rodata
page_title:
    .ascii  "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    .ascii  "<title>"
.equ page_title_len, . - page_title
string page_heading, "</title>\n<h1>"
string page_sentence, "</h1>\n<p>"
string page_last, "</p>\n</html>\n"
page_type:
    .ascii  "X-Content-Type-Options: nosniff\r\n"
    .ascii  "Content-Type: text/html; charset=utf-8\r\n"
    .ascii  "Content-Length: "
.equ page_type_len, . - page_type
string page_retry, "Retry-After: 5\r\n"
string page_empty, "Content-Length: 0\r\n"
string page_line_end, "\r\n"
