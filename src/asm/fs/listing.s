// listing.s - a page that shows what is in a directory
//
// The directory is read and put in order before a byte is sent: what can go
// wrong goes wrong then, and the client is told with a status. The page is made
// and sent part by part, so its size does not matter.
//
// Gives    listing_plan (slot: directory)
// Needs    directory_open_below directory_list fd_close memory_map memory_unmap
//          status_from_errno mem_copy reply_begin reply_end chunk_frame
//          chunk_end listing_top listing_row listing_bottom config
// Memory   mapped, for as long as the reply takes
// Spec     RFC 9112 6.3 (length of a body), 7.1 (chunked)
// Tests    tests/asm/test_listing.py, tests/http/test_listing.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"
.include "config.inc"
.include "row.inc"
.include "listing.inc"
.include "record.inc"

// A part begins where the length of its chunk has room in front of it, and ends
// in time for the longest row, the end of the page and that of the chunks.
.equ PART_BEGIN,            LISTING_OUT + 32
.equ ROW_ROOM,              8 * RECORD_NAME_MAX + 256
.equ PART_LIMIT,            LISTING_OUT + LISTING_OUT_SIZE - ROW_ROOM - 512

// listing_plan - plan the reply for a directory without index.html
//
//   In     x0 connection, CONN_PATH names the directory, if there is one
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send; no file is open
//   Clob   x0-x17 v0-v1
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 connection   x20 fd, later the status   x21 listing
func listing_plan
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x0

    bl      listing_open
    b.cs    Llisting_plan_failed
    mov     x20, x0
    movi32  w0, LISTING_SIZEOF
    bl      memory_map
    b.cs    Llisting_plan_close
    mov     x21, x0
    mov     x0, x20
    mov     x1, x21
    bl      directory_list
    b.cs    Llisting_plan_unmap
    mov     x0, x20
    bl      fd_close
    mov     x0, x19
    mov     x1, x21
    bl      listing_begin
    carry_clear
Llisting_plan_return:
    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

Llisting_plan_unmap:                // x21 is no longer needed: keep the errno
    mov     x2, x21
    mov     x21, x0
    mov     x0, x2
    movi32  w1, LISTING_SIZEOF
    bl      memory_unmap
    mov     x0, x21
Llisting_plan_close:
    mov     x21, x0
    mov     x0, x20
    bl      fd_close
    mov     x0, x21
Llisting_plan_failed:
    bl      status_from_errno
    carry_set
    b       Llisting_plan_return

// listing_open - open the directory, if it may be shown
//
//   In     x0 connection
//   Out    C clear: x0 fd
//          C set:   x0 errno (EACCES: directories are not to be shown)
//   Clob   x1-x17
//   Frame  16: x29 x30
//
//   x0 fd of the root, later that of the directory   x1 path   x2 its length
func listing_open
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    ldr     x2, [x0, #CONN_PATH_LEN]
    add     x1, x0, #CONN_PATH
    cbnz    x2, Llisting_open_path
    addr    x1, listing_root        // anew: a place to read from is shared
Llisting_open_path:
    addr    x2, config
    ldr     w0, [x2, #CONFIG_ROOT_FD]
    bl      directory_open_below
    b.cs    Llisting_open_return
    addr    x2, config
    ldr     w2, [x2, #CONFIG_NO_LISTINGS]
    cbnz    w2, Llisting_open_refused
Llisting_open_return:
    ldp     x29, x30, [sp], #16
    ret

Llisting_open_refused:
    bl      fd_close
    mov     x0, #EACCES
    carry_set
    b       Llisting_open_return

// listing_begin - write the head of the reply, and the first part of the page
//
//   In     x0 connection   x1 listing
//   Out    nothing; the reply is complete, or its first segment
//   Clob   x0-x17 v0-v1
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 listing   x0 cursor
func listing_begin
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    mov     x20, x1

    addr    x2, listing_free
    stp     x2, x20, [x19, #CONN_REPLY + REPLY_FREE]
    mov     x1, #200
    bl      reply_begin
    addr    x1, listing_fields
    mov     x2, #listing_fields_len
    bl      mem_copy
    ldr     w1, [x19, #CONN_REQUEST + REQUEST_VERSION]
    str     w1, [x20, #LISTING_CHUNKED]
    cbz     w1, Llisting_begin_page // 1.0: its end is that of the connection
    addr    x1, listing_chunked
    mov     x2, #listing_chunked_len
    bl      mem_copy
Llisting_begin_page:
    mov     x1, x0
    mov     x0, x19
    bl      reply_end
    add     x0, x20, #PART_BEGIN
    add     x1, x19, #CONN_PATH
    ldr     x2, [x19, #CONN_PATH_LEN]
    bl      listing_top
    mov     x1, x0
    mov     x0, x19
    bl      listing_fill

    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// listing_next - make the next part of the page (a function for REPLY_NEXT)
//
//   In     x0 connection
//   Out    C clear: there is a segment to send
//          C set:   never
//   Clob   x0-x17 v0-v1
//   Frame  16: x29 x30
//
//   x0 connection   x1 place for the part
func listing_next
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    ldr     x1, [x0, #CONN_REPLY + REPLY_STATE]
    add     x1, x1, #PART_BEGIN
    bl      listing_fill
    carry_clear
    ldp     x29, x30, [sp], #16
    ret

// listing_fill - write rows until the part is full or the page is complete
//
//   In     x0 connection   x1 cursor in the part
//   Out    nothing; the part is the body of the segment
//   Clob   x0-x17 v0-v1
//   Frame  48: x29 x30, x19 x20, x21 x22
//
//   x19 connection   x20 listing   x21 row   x22 last place for one to begin
//   x0 cursor, later the begin of the part   x1 row, later the end of the part
//   x2 end of the rows, or REPLY_NEXT   x3 kind of body
func listing_fill
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    mov     x19, x0
    ldr     x20, [x19, #CONN_REPLY + REPLY_STATE]
    movi32  w22, PART_LIMIT
    add     x22, x20, x22
    ldr     x21, [x20, #LISTING_NEXT]
    mov     x0, x1

Llisting_fill_row:
    ldr     x2, [x20, #LISTING_END]
    cmp     x21, x2
    b.hs    Llisting_fill_last
    cmp     x0, x22
    b.hi    Llisting_fill_full
    mov     x1, x21
    bl      listing_row
    add     x21, x21, #ROW_SIZEOF
    b       Llisting_fill_row
Llisting_fill_last:
    ldr     w1, [x20, #LISTING_PARTIAL]
    bl      listing_bottom
    mov     x2, #0
    b       Llisting_fill_frame
Llisting_fill_full:
    addr    x2, listing_next
Llisting_fill_frame:
    str     x21, [x20, #LISTING_NEXT]
    str     x2, [x19, #CONN_REPLY + REPLY_NEXT]
    mov     x1, x0
    add     x0, x20, #PART_BEGIN
    ldr     w3, [x20, #LISTING_CHUNKED]
    cbz     w3, Llisting_fill_body
    bl      listing_frame
Llisting_fill_body:
    mov     w3, #BODY_MEMORY
    str     w3, [x19, #CONN_REPLY + REPLY_KIND]
    str     x0, [x19, #CONN_REPLY + REPLY_BODY]
    sub     x1, x1, x0
    str     x1, [x19, #CONN_REPLY + REPLY_LENGTH]

    ldp     x21, x22, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

// listing_frame - make a chunk of a part, and behind the last the end of all
//
//   In     x0 part   x1 its end   x2 0 when it is the last
//   Out    x0 chunk   x1 its end
//   Clob   x2-x5
//   Frame  16: x29 x30
//
//   x0 chunk, or a cursor   x5 1 for the last, later the chunk
func listing_frame
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x5, x2
    bl      chunk_frame
    cbnz    x5, Llisting_frame_return
    mov     x5, x0
    mov     x0, x1
    bl      chunk_end
    mov     x1, x0
    mov     x0, x5
Llisting_frame_return:
    ldp     x29, x30, [sp], #16
    ret

// listing_free - give the memory back (a function for REPLY_FREE)
//
//   In     x0 connection
//   Out    nothing
//   Clob   x0-x17
//   Frame  none: leaves the rest to memory_unmap
//
//   x0 listing   x1 its size
func listing_free
    ldr     x0, [x0, #CONN_REPLY + REPLY_STATE]
    movi32  w1, LISTING_SIZEOF
    b       memory_unmap

rodata
listing_root:
    .asciz  "."
listing_fields:
    .ascii  "X-Content-Type-Options: nosniff\r\n"
    .ascii  "Content-Security-Policy: default-src 'none'; img-src 'self'; "
    .ascii  "style-src 'unsafe-inline'\r\n"
    .ascii  "Content-Type: text/html; charset=utf-8\r\n"
.equ listing_fields_len, . - listing_fields
string listing_chunked, "Transfer-Encoding: chunked\r\n"
