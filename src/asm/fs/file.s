// file.s - GET and HEAD: find the file, describe it
//
// A file is opened first and looked at afterwards, through its descriptor: what
// was looked at is then what will be sent, whoever renames files meanwhile.
//
// Gives    get_plan (slot: GET)
// Needs    file_open_below fd_stat config
//          listing_plan range_apply range_offer range_reply redirect_plan
//          status_from_errno mime_find mem_copy
//          reply_begin reply_text reply_number file_modified reply_end
//          reply_drop
// Memory   none of its own
// Spec     RFC 9110 9.3.1 (GET), 8.3 (Content-Type)
// Tests    tests/asm/test_reply.py, tests/http/test_files.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "conn.inc"
.include "config.inc"

// get_plan - plan the reply to GET or HEAD
//
//   In     x0 connection, CONN_PATH is set
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send; no file is open
//   Clob   x0-x17 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 kind of file
func get_plan
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

    ldr     w1, [x19, #CONN_PATH_SLASH]
    cbnz    w1, Lget_plan_directory
    bl      file_look
    b.cs    Lget_plan_return
    cmp     w0, #S_IFREG
    b.ne    Lget_plan_not_file
    mov     x0, x19
    bl      file_plan
Lget_plan_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lget_plan_directory:
    bl      index_plan
    b       Lget_plan_return
Lget_plan_not_file:
    mov     w20, w0
    mov     x0, x19
    bl      reply_drop
    cmp     w20, #S_IFDIR
    b.ne    Lget_plan_special
    mov     x0, x19
    bl      redirect_plan
    b       Lget_plan_return
Lget_plan_special:                  // a pipe, a device, a socket
    mov     x0, #403
    carry_set
    b       Lget_plan_return

// index_plan - plan the reply for a directory: its index.html, or what is in it
//
//   In     x0 connection, CONN_PATH is set
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send; no file is open
//   Clob   x0-x17 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 length of the directory's path
func index_plan
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

    ldr     x20, [x19, #CONN_PATH_LEN]
    add     x0, x19, #CONN_PATH
    add     x0, x0, x20
    addr    x1, index_name
    mov     x2, #index_name_len
    cbnz    x20, Lindex_plan_name
    add     x1, x1, #1              // below the root itself: without the slash
    sub     x2, x2, #1
Lindex_plan_name:
    add     x3, x20, x2
    sub     x3, x3, #1              // its NUL does not count
    str     x3, [x19, #CONN_PATH_LEN]
    bl      mem_copy

    mov     x0, x19
    bl      file_look
    b.cs    Lindex_plan_missing
    cmp     w0, #S_IFREG
    b.ne    Lindex_plan_not_file
    mov     x0, x19
    bl      file_plan
Lindex_plan_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lindex_plan_not_file:
    mov     x0, x19
    bl      reply_drop
    mov     x0, #404
Lindex_plan_missing:
    cmp     x0, #404
    b.ne    Lindex_plan_failed
    str     x20, [x19, #CONN_PATH_LEN]
    add     x1, x19, #CONN_PATH
    strb    wzr, [x1, x20]
    mov     x0, x19
    bl      listing_plan
    b       Lindex_plan_return
Lindex_plan_failed:
    carry_set
    b       Lindex_plan_return

// file_look - open the file at CONN_PATH and find out what it is
//
//   In     x0 connection
//   Out    C clear: x0 S_IF kind; REPLY_FD and CONN_STAT are set
//          C set:   x0 status; no file is open
//   Clob   x1-x17
//   Frame  32: x29 x30, x19
//
//   x19 connection
func file_look
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    addr    x1, config
    ldr     w0, [x1, #CONFIG_ROOT_FD]
    add     x1, x19, #CONN_PATH
    bl      file_open_below
    b.cs    Lfile_look_failed
    str     w0, [x19, #CONN_REPLY + REPLY_FD]
    add     x1, x19, #CONN_STAT
    bl      fd_stat
    b.cs    Lfile_look_drop
    ldrh    w0, [x19, #CONN_STAT + STAT_MODE]
    and     w0, w0, #S_IFMT         // C is still clear
Lfile_look_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lfile_look_drop:
    mov     x0, x19
    bl      reply_drop
    mov     x0, #EIO
Lfile_look_failed:
    bl      status_from_errno
    carry_set
    b       Lfile_look_return

// file_plan - describe the open file in the head of a reply
//
//   In     x0 connection, REPLY_FD and CONN_STAT are set
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send; no file is open
//   Clob   x0-x17 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 cursor
func file_plan
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

    ldr     x1, [x19, #CONN_STAT + STAT_SIZE]
    add     x2, x19, #CONN_REPLY
    stp     xzr, x1, [x2, #REPLY_OFFSET]
    mov     w3, #BODY_FILE
    str     w3, [x2, #REPLY_KIND]
    bl      range_apply
    b.cs    Lfile_plan_other
    mov     x1, x0
    mov     x0, x19
    bl      reply_begin
    mov     x1, x19
    bl      range_offer
    addr    x1, file_type
    mov     x2, #file_type_len
    bl      reply_text
    mov     x20, x0

    add     x0, x19, #CONN_PATH
    ldr     x1, [x19, #CONN_PATH_LEN]
    bl      mime_find
    mov     x2, x1
    mov     x1, x0
    mov     x0, x20
    bl      mem_copy                // a type may be long
    addr    x1, file_length
    mov     x2, #file_length_len
    bl      reply_text
    ldr     x1, [x19, #CONN_REPLY + REPLY_LENGTH]
    bl      reply_number
    mov     x1, x19
    bl      file_modified
    mov     x1, x0
    mov     x0, x19
    bl      reply_end
    carry_clear
Lfile_plan_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lfile_plan_other:
    mov     x1, x0
    mov     x0, x19
    bl      range_reply
    b       Lfile_plan_return

rodata
string index_name, "/index.html\0"
string file_type, "X-Content-Type-Options: nosniff\r\nContent-Type: "
string file_length, "\r\nContent-Length: "
