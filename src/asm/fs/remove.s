// remove.s - DELETE: a file loses its name
//
// Gives    remove_plan
// Needs    place_look place_lock place_name file_remove_below upload_drop
//          condition_check status_from_errno reply_begin reply_end
// Memory   none of its own
// Spec     RFC 9110 9.3.5 (DELETE)
// Tests    tests/asm/test_upload.py, tests/http/test_writing.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "upload.inc"
.include "conn.inc"

// remove_plan - take a file away, and plan the reply
//
// Whoever is just reading it goes on reading it: a file lives as long as
// somebody has it open.
//
//   In     x0 connection, CONN_PATH is set
//   Out    C clear: the reply is complete
//          C set:   x0 status of the error page to send instead
//   Clob   x0-x17 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 status   x0 kind of what is there
func remove_plan
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

    mov     x20, #409
    ldr     x1, [x19, #CONN_PATH_LEN]
    cbz     x1, Lremove_plan_refuse // the root
    bl      place_look
    b.cs    Lremove_plan_failed
    mov     x0, x19
    bl      place_lock
    b.cs    Lremove_plan_stuck
    mov     x1, x0
    mov     x0, x19
    bl      remove_file
    mov     x20, x0
    b.cs    Lremove_plan_drop
    mov     x0, x19
    bl      upload_drop
    mov     x0, x19
    mov     x1, #204
    bl      reply_begin
    mov     x1, x0
    mov     x0, x19
    bl      reply_end
    carry_clear
Lremove_plan_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lremove_plan_stuck:
    bl      status_from_errno
    mov     x20, x0
Lremove_plan_drop:
    mov     x0, x19
    bl      upload_drop
Lremove_plan_refuse:
    mov     x0, x20
    carry_set
    b       Lremove_plan_return
Lremove_plan_failed:
    bl      status_from_errno
    carry_set
    b       Lremove_plan_return

// remove_file - take a file away, if it is one
//
//   In     x0 connection, place_look has seen it
//   x1 S_IF kind, 0 for nothing there
//   Out    C clear: it has no name any more
//          C set:   x0 status 403, 404, 409, 412, 500
//   Clob   x0-x17 v0-v4
//   Frame  32: x29 x30, x19
//
//   x19 connection   x1 kind, later the name
func remove_file
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    cbz     w1, Lremove_file_missing
    cmp     w1, #S_IFDIR
    b.eq    Lremove_file_directory
    cmp     w1, #S_IFREG
    b.ne    Lremove_file_special
    ldr     w2, [x19, #CONN_PATH_SLASH]
    cbnz    w2, Lremove_file_missing        // "name/" is not the file
    mov     x1, #1
    bl      condition_check
    b.cs    Lremove_file_return
    mov     x0, x19
    bl      place_name
    mov     x1, x0
    ldr     w0, [x19, #CONN_UPLOAD + UPLOAD_FOLDER]
    bl      file_remove_below
    b.cs    Lremove_file_failed
Lremove_file_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lremove_file_missing:               // conditions do not matter then
    mov     x0, #404
    carry_set
    b       Lremove_file_return
Lremove_file_directory:
    mov     x0, #409
    carry_set
    b       Lremove_file_return
Lremove_file_special:               // a link, a pipe, a device
    mov     x0, #403
    carry_set
    b       Lremove_file_return
Lremove_file_failed:
    bl      status_from_errno
    carry_set
    b       Lremove_file_return
