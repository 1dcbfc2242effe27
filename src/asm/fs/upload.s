// upload.s - PUT: the body becomes a file, or nothing changes
//
// The bytes go into a file of another name in the same directory. When all are
// there, and the drive has them, that file is given the name of the path. Until
// then the old file is what everybody sees; from then on the new one is.
//
// Names that begin with ".~" are never served (fs/path), so what a server may
// leave behind when it is killed is never seen either.
//
// Gives    upload_plan upload_open upload_finish upload_drop
// Needs    place_look place_lock place_name file_create_below file_rename_below
//          file_remove_below fd_sync fd_stat fd_close process_number
//          condition_check etag_end head_field text_same status_from_errno
//          mem_copy reply_number reply_begin config
// Memory   none of its own
// Spec     RFC 9110 9.3.4 (PUT), 10.1.1 (Expect), 14.5 (Content-Range)
// Tests    tests/asm/test_upload.py, tests/http/test_writing.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"
.include "request.inc"
.include "reply.inc"
.include "upload.inc"
.include "conn.inc"
.include "config.inc"

.equ UPLOAD_TRIES,          100     // names, if files are left from before
.equ UPLOAD_MODE_NEW,       0x1a4   // 0644: all may read, the owner may write

// upload_plan - may this body come, and where would it go?
//
// A missing directory is 409 and not 404: there is never anything at the
// address of a new file, and that is not what is wrong.
//
//   In     x0 connection, CONN_PATH is set
//   Out    C set:   x0 0, the body must be there first; or status of the error
//          page to send instead
//   Clob   x1-x17 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 status   x0 kind of what is there
func upload_plan
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

    bl      upload_length
    b.cs    Lupload_plan_return
    mov     x0, x19
    bl      upload_fields
    b.cs    Lupload_plan_return
    ldr     w1, [x19, #CONN_PATH_SLASH]
    cbnz    w1, Lupload_plan_directory
    mov     x0, x19
    bl      place_look
    b.cs    Lupload_plan_nowhere
    mov     x1, x0
    mov     x0, x19
    bl      upload_over
    b.cs    Lupload_plan_drop
    mov     x0, #0
    carry_set
Lupload_plan_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lupload_plan_drop:
    mov     x20, x0
    mov     x0, x19
    bl      upload_drop
    mov     x0, x20
    carry_set
    b       Lupload_plan_return
Lupload_plan_nowhere:
    cmp     x0, #ENOENT
    b.eq    Lupload_plan_directory
    cmp     x0, #ENOTDIR
    b.eq    Lupload_plan_directory
    bl      status_from_errno
    carry_set
    b       Lupload_plan_return
Lupload_plan_directory:
    mov     x0, #409
    carry_set
    b       Lupload_plan_return

// upload_length - is the length of the body known, and not too large?
//
//   In     x0 connection
//   Out    C clear: it is, or chunks will come
//          C set:   x0 status 411, 413
//   Clob   x0-x3
//   Frame  none (leaf)
//
//   x1 flags   x2 length   x3 config, later the limit
func upload_length
    ldr     w1, [x0, #CONN_REQUEST + REQUEST_FLAGS]
    tbnz    w1, #REQUEST_HAS_CODING, Lupload_length_good
    tbz     w1, #REQUEST_HAS_LENGTH, Lupload_length_none
    ldr     x2, [x0, #CONN_REQUEST + REQUEST_LENGTH]
    addr    x3, config
    ldr     w3, [x3, #CONFIG_BODY_MAX]
    cmp     x2, x3
    b.hi    Lupload_length_large
Lupload_length_good:
    carry_clear
    ret

Lupload_length_none:
    mov     x0, #411
    carry_set
    ret
Lupload_length_large:
    mov     x0, #413
    carry_set
    ret

// upload_fields - do the fields ask for something that PUT does not do here?
//
// A part of a file is refused: taken for the whole, it would destroy the rest.
// So is a compressed body, because GET could not say that it is compressed.
//
//   In     x0 connection
//   Out    C clear: they do not
//          C set:   x0 status 400, 415, 417
//   Clob   x0-x7
//   Frame  32: x29 x30, x19
//
//   x19 connection   x1 name   x2 its length   x3 where to search
func upload_fields
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    addr    x1, field_content_range
    mov     x2, #field_content_range_len
    mov     x3, #0
    bl      head_field
    b.cc    Lupload_fields_part
    mov     x0, x19
    addr    x1, field_content_encoding
    mov     x2, #field_content_encoding_len
    mov     x3, #0
    bl      head_field
    b.cc    Lupload_fields_coded
    mov     x0, x19
    bl      upload_expect
Lupload_fields_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lupload_fields_part:
    mov     x0, #400
    carry_set
    b       Lupload_fields_return
Lupload_fields_coded:
    mov     x0, #415
    carry_set
    b       Lupload_fields_return

// upload_expect - does the client wait for a word before it sends the body?
//
//   In     x0 connection
//   Out    C clear: UPLOAD_EXPECTS says so
//          C set:   x0 status 417, it expects something else
//   Clob   x0-x7
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 where to go on   x0 value   x1 its length
//   x2 length of the one we know
func upload_expect
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    mov     x20, #0

    str     wzr, [x19, #CONN_UPLOAD + UPLOAD_EXPECTS]
    ldr     w1, [x19, #CONN_REQUEST + REQUEST_VERSION]
    cbz     w1, Lupload_expect_done // 1.0 knows no 100
Lupload_expect_line:
    mov     x0, x19
    addr    x1, field_expect
    mov     x2, #field_expect_len
    mov     x3, x20
    bl      head_field
    b.cs    Lupload_expect_done
    mov     x20, x2
    mov     x2, #expect_continue_len
    cmp     x1, x2
    b.ne    Lupload_expect_other
    addr    x1, expect_continue
    bl      text_same
    b.cs    Lupload_expect_other
    mov     w1, #1
    str     w1, [x19, #CONN_UPLOAD + UPLOAD_EXPECTS]
    b       Lupload_expect_line
Lupload_expect_done:
    carry_clear
Lupload_expect_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lupload_expect_other:
    mov     x0, #417
    carry_set
    b       Lupload_expect_return

// upload_over - may what is there be replaced?
//
// A file that is replaced hands its permissions down.
//
//   In     x0 connection, place_look has seen it
//   x1 S_IF kind, 0 for nothing there
//   Out    C clear: it may; UPLOAD_REPLACES and UPLOAD_MODE are set
//          C set:   x0 status 403, 409, 412
//   Clob   x0-x13 v0-v4
//   Frame  none: leaves the rest to condition_check
//
//   x0 connection   x1 kind, later 1 when there is a file   x2 its permissions
func upload_over
    mov     w2, #UPLOAD_MODE_NEW
    cbz     w1, Lupload_over_keep
    cmp     w1, #S_IFDIR
    b.eq    Lupload_over_directory
    cmp     w1, #S_IFREG
    b.ne    Lupload_over_special
    mov     w1, #1
    ldrh    w2, [x0, #CONN_STAT + STAT_MODE]
    and     w2, w2, #ACCESSPERMS
Lupload_over_keep:
    stp     w1, w2, [x0, #CONN_UPLOAD + UPLOAD_REPLACES]    // and UPLOAD_MODE
    b       condition_check

Lupload_over_directory:
    mov     x0, #409
    carry_set
    ret
Lupload_over_special:               // a link, a pipe, a device
    mov     x0, #403
    carry_set
    ret

// upload_open - make the temporary file
//
// Its name has the number of the process and that of the connection's
// descriptor in it, so no two uploads want the same one.
//
//   In     x0 connection, upload_plan has asked for the body
//   Out    C clear: UPLOAD_FD takes the body
//          C set:   x0 status 403, 404, 500, 503, 507
//   Clob   x1-x17 v0-v1
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 connection   x20 number of the process   x21 names tried
func upload_open
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x0
    mov     x21, #0
    bl      process_number
    mov     x20, x0

Lupload_open_next:
    mov     x0, x19
    mov     x1, x20
    mov     x2, x21
    bl      upload_name
    ldr     w0, [x19, #CONN_UPLOAD + UPLOAD_FOLDER]
    add     x1, x19, #CONN_NAME
    ldr     w2, [x19, #CONN_UPLOAD + UPLOAD_MODE]
    bl      file_create_below
    b.cs    Lupload_open_failed
    mov     w1, #HELD_FILE
    str     w1, [x19, #CONN_UPLOAD + UPLOAD_HELD]
    str     w0, [x19, #CONN_UPLOAD + UPLOAD_FD]     // C is still clear
Lupload_open_return:
    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

Lupload_open_failed:
    cmp     x0, #EEXIST
    b.ne    Lupload_open_refuse
    add     x21, x21, #1
    cmp     x21, #UPLOAD_TRIES
    b.lo    Lupload_open_next
Lupload_open_refuse:
    bl      status_from_errno
    carry_set
    b       Lupload_open_return

// upload_name - write the name of a temporary file to CONN_NAME
//
//   In     x0 connection   x1 number of the process   x2 names tried
//   Out    nothing
//   Clob   x0-x6 v0-v1
//   Frame  32: x29 x30, x19 x20
//
//   x19 fd of the connection   x20 names tried   x0 cursor
func upload_name
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    ldr     w19, [x0, #CONN_FD]
    mov     x20, x2

    add     x0, x0, #CONN_NAME
    mov     w2, #'.' | '~' << 8
    strh    w2, [x0], #2
    bl      reply_number
    mov     w2, #'-'
    strb    w2, [x0], #1
    mov     x1, x19
    bl      reply_number
    mov     w2, #'-'
    strb    w2, [x0], #1
    mov     x1, x20
    bl      reply_number
    strb    wzr, [x0]

    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// upload_finish - the body is complete: give it its name, and say so
//
// First the drive gets the bytes, then the file its name. A computer that stops
// between the two has the old file still.
//
//   In     x0 connection
//   Out    C clear: the reply is complete
//          C set:   x0 status 403, 404, 409, 412, 413, 500, 503, 507; nothing
//          has changed
//   Clob   x1-x17 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 status
func upload_finish
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

Lupload_finish_sync:
    ldr     w0, [x19, #CONN_UPLOAD + UPLOAD_FD]
    bl      fd_sync
    b.cs    Lupload_finish_cut
    mov     x0, x19
    bl      place_lock
    b.cs    Lupload_finish_failed
    mov     x1, x0
    mov     x0, x19
    bl      upload_over             // things may have changed meanwhile
    b.cs    Lupload_finish_refuse
    ldr     w0, [x19, #CONN_UPLOAD + UPLOAD_FD]
    add     x1, x19, #CONN_STAT
    bl      fd_stat
    b.cs    Lupload_finish_failed
    mov     x0, x19
    bl      place_name
    mov     x2, x0
    ldr     w0, [x19, #CONN_UPLOAD + UPLOAD_FOLDER]
    add     x1, x19, #CONN_NAME
    bl      file_rename_below
    b.cs    Lupload_finish_failed
    mov     w1, #HELD_FOLDER        // the name is gone
    str     w1, [x19, #CONN_UPLOAD + UPLOAD_HELD]
    mov     x0, x19
    bl      upload_drop
    mov     x0, x19
    bl      upload_reply
    carry_clear
Lupload_finish_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lupload_finish_cut:
    cmp     x0, #EINTR              // the alarm; the drive is only slow
    b.eq    Lupload_finish_sync
Lupload_finish_failed:
    bl      status_from_errno
Lupload_finish_refuse:
    mov     x20, x0
    mov     x0, x19
    bl      upload_drop
    mov     x0, x20
    carry_set
    b       Lupload_finish_return

// upload_reply - plan the reply: 201 for a new file, 204 for a new version
//
// With the tag of the new version, which is what was sent, byte for byte.
//
//   In     x0 connection, CONN_STAT describes the new file
//   Out    nothing; the reply is complete
//   Clob   x0-x10 v0-v4
//   Frame  32: x29 x30, x19
//
//   x19 connection   x0 cursor
func upload_reply
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    mov     x1, #204
    ldr     w2, [x19, #CONN_UPLOAD + UPLOAD_REPLACES]
    cbnz    w2, Lupload_reply_begin
    mov     x1, #201
Lupload_reply_begin:
    bl      reply_begin
    ldr     w2, [x19, #CONN_UPLOAD + UPLOAD_REPLACES]
    cbnz    w2, Lupload_reply_tag   // 204 never has a body, and so no length
    addr    x1, upload_empty
    mov     x2, #upload_empty_len
    bl      mem_copy
Lupload_reply_tag:
    mov     x1, x19
    bl      etag_end

    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// upload_drop - give back what an upload holds, the temporary file too
//
//   In     x0 connection
//   Out    nothing; UPLOAD_HELD is HELD_NOTHING
//   Clob   x0-x17
//   Frame  32: x29 x30, x19
//
//   x19 connection   x1 what is held
func upload_drop
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    ldr     w1, [x19, #CONN_UPLOAD + UPLOAD_HELD]
    cbz     w1, Lupload_drop_return
    cmp     w1, #HELD_FILE
    b.ne    Lupload_drop_close
    ldr     w0, [x19, #CONN_UPLOAD + UPLOAD_FOLDER]
    add     x1, x19, #CONN_NAME
    bl      file_remove_below
Lupload_drop_close:
    ldr     w0, [x19, #CONN_UPLOAD + UPLOAD_FD]
    tbnz    w0, #31, Lupload_drop_folder
    bl      fd_close
Lupload_drop_folder:
    ldr     w0, [x19, #CONN_UPLOAD + UPLOAD_FOLDER]
    bl      fd_close
    str     wzr, [x19, #CONN_UPLOAD + UPLOAD_HELD]
Lupload_drop_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

rodata
string field_content_range, "content-range"
string field_content_encoding, "content-encoding"
string field_expect, "expect"
string expect_continue, "100-continue"
string upload_empty, "Content-Length: 0\r\n"
