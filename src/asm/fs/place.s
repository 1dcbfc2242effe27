// place.s - the directory that a path leads to, and what has the last name
//
// Whatever is changed is changed through the descriptor of its directory. That
// was opened without following a link, and the last name is never followed
// either; so nothing beyond the root can be reached, whoever moves directories
// meanwhile.
//
// Gives    place_look place_lock place_name
// Needs    directory_open_below file_stat_below fd_lock upload_drop config
// Memory   none of its own
// Spec     openat(2), fstatat(2), flock(2)
// Tests    tests/asm/test_upload.py, tests/http/test_writing.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "request.inc"
.include "reply.inc"
.include "upload.inc"
.include "conn.inc"
.include "config.inc"

// place_look - open the directory of CONN_PATH, and look at the last name
//
// From here on the connection holds something, and connection_end gives it back
// when nobody has done so before.
//
//   In     x0 connection, CONN_PATH is not the root
//   Out    C clear: x0 S_IF kind, 0 for nothing there; UPLOAD_FOLDER is open,
//          and CONN_STAT describes what is there
//          C set:   x0 errno; no directory is open
//   Clob   x1-x17
//   Frame  32: x29 x30, x19 x20
//
//   x19 connection   x20 errno   x1 what is held, or the function that frees it
func place_look
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

    bl      place_open
    b.cs    Lplace_look_return
    mov     w1, #HELD_FOLDER
    mov     w2, #-1
    str     w1, [x19, #CONN_UPLOAD + UPLOAD_HELD]
    stp     w0, w2, [x19, #CONN_UPLOAD + UPLOAD_FOLDER]     // and UPLOAD_FD
    addr    x1, upload_drop
    str     x1, [x19, #CONN_REPLY + REPLY_FREE]
    mov     x0, x19
    bl      place_kind
    b.cs    Lplace_look_failed
Lplace_look_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lplace_look_failed:
    mov     x20, x0
    mov     x0, x19
    bl      upload_drop
    mov     x0, x20
    carry_set
    b       Lplace_look_return

// place_lock - keep others from changing things here, and look once more
//
// Between a look and a change another process of ours might change what was
// looked at. The lock is on the directory, and ends when that is closed. Where
// there are no locks we go on without.
//
//   In     x0 connection, UPLOAD_FOLDER is open
//   Out    C clear: x0 S_IF kind, 0 for nothing there; CONN_STAT describes it
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  32: x29 x30, x19
//
//   x19 connection
func place_lock
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    ldr     w0, [x19, #CONN_UPLOAD + UPLOAD_FOLDER]
    bl      fd_lock
    mov     x0, x19
    bl      place_kind
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// place_kind - what has the last name in the open directory?
//
//   In     x0 connection, UPLOAD_FOLDER is open
//   Out    C clear: x0 S_IF kind, 0 for nothing there; CONN_STAT describes it
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  32: x29 x30, x19
//
//   x19 connection   x0 name, later the kind or errno
func place_kind
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    bl      place_name
    mov     x1, x0
    ldr     w0, [x19, #CONN_UPLOAD + UPLOAD_FOLDER]
    add     x2, x19, #CONN_STAT
    bl      file_stat_below
    b.cs    Lplace_kind_failed
    ldrh    w0, [x19, #CONN_STAT + STAT_MODE]
    and     w0, w0, #S_IFMT         // C is still clear
Lplace_kind_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lplace_kind_failed:
    cmp     x0, #ENOENT
    b.ne    Lplace_kind_error
    mov     x0, #0
    carry_clear
    b       Lplace_kind_return
Lplace_kind_error:
    carry_set
    b       Lplace_kind_return

// place_name - the last name of a path
//
//   In     x0 connection, CONN_PATH is not the root
//   Out    x0 its first byte
//   Clob   x1-x2
//   Frame  none (leaf)
//
//   x0 connection, later the cursor   x1 path   x2 its length, later a byte
func place_name
    add     x1, x0, #CONN_PATH
    ldr     x2, [x0, #CONN_PATH_LEN]
    add     x0, x1, x2
Lplace_name_byte:
    cmp     x0, x1
    b.eq    Lplace_name_return
    ldrb    w2, [x0, #-1]
    cmp     w2, #'/'
    b.eq    Lplace_name_return
    sub     x0, x0, #1
    b       Lplace_name_byte
Lplace_name_return:
    ret

// place_open - open the directory in front of the last name
//
// For the length of one system call there is a NUL in the place of the slash.
//
//   In     x0 connection, CONN_PATH is not the root
//   Out    C clear: x0 fd
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  32: x29 x30, x19 x20
//
//   x19 behind the path of the directory, 0 when that is the root
//   x20 connection   x0 last name, later the root   x1 path
func place_open
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x20, x0

    bl      place_name
    add     x1, x20, #CONN_PATH
    sub     x19, x0, #1
    cmp     x0, x1
    b.ne    Lplace_open_cut
    mov     x19, #0
    addr    x1, place_root
Lplace_open_call:
    addr    x0, config
    ldr     w0, [x0, #CONFIG_ROOT_FD]
    bl      directory_open_below
    cbz     x19, Lplace_open_return // leaves C alone, as what follows does
    mov     w1, #'/'
    strb    w1, [x19]
Lplace_open_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lplace_open_cut:
    strb    wzr, [x19]
    b       Lplace_open_call

rodata
place_root:
    .asciz  "."
