// main.s - start-up, step by step
//
// Gives    main
// Needs    options_parse directory_open signal_ignore signal_exit guard_start
//          listener_open socket_port serve_run text_write complain errno_text
//          text_length mem_copy u64_format config
// Memory   .bss: "address:port"
// Spec     sysexits(3)
// Tests    tests/http/test_start.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "config.inc"

.equ EX_NOINPUT,            66      // a directory that cannot be opened
.equ EX_UNAVAILABLE,        69      // an address that cannot be had

// main - get everything ready, say so, and serve
//
//   In     x0 argument count   x1 arguments, the program's name first
//   Out    x0 exit status
//   Clob   x1-x17 v0-v4
//   Frame  32: x29 x30, x19 x20
//
//   x19 config   x20 listening socket
func main
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    addr    x19, config

    mov     x0, x19
    bl      options_parse
    b.cs    Lmain_return
    mov     x0, x19
    bl      directories_open
    b.cs    Lmain_return
    mov     x0, #SIGPIPE            // a client that is gone: write says EPIPE
    bl      signal_ignore
    mov     x0, #SIGTERM
    bl      signal_exit
    mov     x0, #SIGINT
    bl      signal_exit
    bl      guard_start

    ldr     w0, [x19, #CONFIG_ADDRESS]
    ldr     w1, [x19, #CONFIG_PORT]
    bl      listener_open
    b.cs    Lmain_no_listener
    mov     x20, x0
    bl      socket_port
    b.cs    Lmain_no_listener
    str     w0, [x19, #CONFIG_PORT]
    mov     x0, x19
    bl      announce
    mov     x0, x20
    bl      serve_run
Lmain_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Lmain_no_listener:
    mov     x20, x0
    mov     x0, x19
    bl      place_write
    mov     x0, x20
    bl      errno_text
    mov     x2, x0
    addr    x1, place
    addr    x0, program_name
    bl      complain
    mov     x0, #EX_UNAVAILABLE
    b       Lmain_return

// directories_open - open the directory to serve, and that with error pages
//
//   In     x0 config
//   Out    C clear: CONFIG_ROOT_FD and CONFIG_ERRORS_FD are set
//          C set:   x0 exit status; the reason is on standard error
//   Clob   x1-x17
//   Frame  32: x29 x30, x19 x20
//
//   x19 config   x20 name of the directory
func directories_open
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0

    ldr     x20, [x19, #CONFIG_ROOT]
    mov     x0, x20
    bl      directory_open
    b.cs    Ldirectories_open_failed
    str     w0, [x19, #CONFIG_ROOT_FD]
    mov     w0, #-1
    str     w0, [x19, #CONFIG_ERRORS_FD]
    ldr     x20, [x19, #CONFIG_ERRORS]
    cbz     x20, Ldirectories_open_done
    mov     x0, x20
    bl      directory_open
    b.cs    Ldirectories_open_failed
    str     w0, [x19, #CONFIG_ERRORS_FD]
Ldirectories_open_done:
    carry_clear
Ldirectories_open_return:
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

Ldirectories_open_failed:
    bl      errno_text
    mov     x2, x0
    mov     x1, x20
    addr    x0, program_name
    bl      complain
    mov     x0, #EX_NOINPUT
    carry_set
    b       Ldirectories_open_return

// announce - say on standard output that clients can come
//
//   In     x0 config
//   Out    nothing
//   Clob   x0-x17 v0-v1
//   Frame  32: x29 x30, x19
//
//   x19 config
func announce
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x0

    bl      place_write
    mov     x0, #1
    addr    x1, announce_serving
    bl      text_write
    mov     x0, #1
    ldr     x1, [x19, #CONFIG_ROOT]
    bl      text_write
    mov     x0, #1
    addr    x1, announce_at
    bl      text_write
    mov     x0, #1
    addr    x1, place
    bl      text_write
    mov     x0, #1
    addr    x1, announce_end
    bl      text_write

    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// place_write - write "address:port" to where announce and complain find it
//
//   In     x0 config
//   Out    nothing
//   Clob   x0-x6 v0-v1
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 config   x20 address   x21 cursor
func place_write
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x0

    ldr     x20, [x19, #CONFIG_ADDRESS_TEXT]
    mov     x0, x20
    bl      text_length
    mov     x2, x0
    mov     x1, x20
    addr    x0, place
    bl      mem_copy
    mov     w1, #':'
    strb    w1, [x0], #1
    mov     x21, x0

    ldr     w0, [x19, #CONFIG_PORT]
    addr    x1, place_end
    bl      u64_format
    mov     x0, x21
    bl      mem_copy
    strb    wzr, [x0]

    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

rodata
program_name:
    .asciz  "ymawky"
announce_serving:
    .asciz  "ymawky: serving "
announce_at:
    .asciz  " at http://"
announce_end:
    .asciz  "/\n"

.bss
.p2align 3
place:                              // 15 bytes, a colon, 5 digits, a NUL
    .skip   32
place_digits:
    .skip   24
place_end:
    .skip   8
