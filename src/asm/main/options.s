// options.s - the command line
//
// Gives    options_parse config
// Needs    text_equal text_length u64_parse ipv4_parse text_write complain
// Memory   .bss: struct config, the one thing that is global
// Spec     sysexits(3)
// Tests    tests/asm/test_options.py, tests/http/test_start.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "config.inc"

.equ EX_USAGE,              64      // the command line makes no sense

// One row an option: name and reason as distances from the table, what kind of
// value it takes, and where in struct config the value goes.
.equ OPTION_NAME,           0       // 4 bytes
.equ OPTION_REASON,         4       // 4 bytes: what a good value looks like
.equ OPTION_KIND,           8       // 2 bytes
.equ OPTION_FIELD,          10      // 2 bytes
.equ OPTION_MIN,            12      // 4 bytes
.equ OPTION_MAX,            16      // 4 bytes
.equ OPTION_SIZEOF,         20

.equ KIND_TEXT,             0
.equ KIND_NUMBER,           1
.equ KIND_ADDRESS,          2
.equ KIND_SAY,              3       // no value: print the reason and end
.equ KIND_FLAG,             4       // no value: the field becomes 1

// options_parse - read the command line into struct config
//
//   In     x0 config   x1 arguments, the program's name first, 0 last
//   Out    C clear: every field that an option decides is set
//          C set:   x0 exit status; all that is to be said has been said
//   Clob   x1-x17
//   Frame  48: x29 x30, x19 x20, x21 x22
//
//   x19 config   x20 cursor in the arguments   x21 row of the option
//   x22 directory to serve, 0 until it is named
func options_parse
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    mov     x19, x0
    mov     x20, x1
    mov     x22, #0
    bl      options_default

    ldr     x0, [x20]
    cbz     x0, Loptions_parse_done // not even a name
Loptions_parse_next:
    ldr     x0, [x20, #8]!
    cbz     x0, Loptions_parse_done
    ldrb    w1, [x0]
    cmp     w1, #'-'
    b.ne    Loptions_parse_root
    bl      option_find
    b.cs    Loptions_parse_unknown
    mov     x21, x0
    ldrh    w1, [x21, #OPTION_KIND]
    cmp     w1, #KIND_SAY
    b.eq    Loptions_parse_say
    b.hi    Loptions_parse_flag
    ldr     x2, [x20, #8]!
    cbz     x2, Loptions_parse_missing
    mov     x0, x19
    mov     x1, x21
    bl      option_set
    b.cc    Loptions_parse_next
    ldrsw   x2, [x21, #OPTION_REASON]
    addr    x1, option_rows
    add     x2, x1, x2
    ldr     x1, [x20, #-8]
    b       Loptions_parse_complain

Loptions_parse_flag:
    ldrh    w1, [x21, #OPTION_FIELD]
    mov     w2, #1
    str     w2, [x19, x1]
    b       Loptions_parse_next
Loptions_parse_root:
    cbnz    x22, Loptions_parse_two
    mov     x22, x0
    str     x0, [x19, #CONFIG_ROOT]
    b       Loptions_parse_next
Loptions_parse_done:
    carry_clear
Loptions_parse_return:
    ldp     x21, x22, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

Loptions_parse_say:
    ldrsw   x2, [x21, #OPTION_REASON]
    addr    x1, option_rows
    add     x1, x1, x2
    mov     x0, #1
    bl      text_write
    mov     x0, #0
    carry_set
    b       Loptions_parse_return
Loptions_parse_unknown:
    ldr     x1, [x20]
    addr    x2, reason_unknown
    b       Loptions_parse_complain
Loptions_parse_missing:
    ldr     x1, [x20, #-8]
    addr    x2, reason_missing
    b       Loptions_parse_complain
Loptions_parse_two:
    ldr     x1, [x20]
    addr    x2, reason_two
Loptions_parse_complain:
    addr    x0, option_program
    bl      complain
    mov     x0, #EX_USAGE
    carry_set
    b       Loptions_parse_return

// options_default - what holds when nothing is said
//
//   In     x0 config
//   Out    nothing
//   Clob   x1
//   Frame  none (leaf)
//
//   x0 config   x1 value
func options_default
    addr    x1, default_root
    str     x1, [x0, #CONFIG_ROOT]
    str     xzr, [x0, #CONFIG_ERRORS]
    addr    x1, default_address
    str     x1, [x0, #CONFIG_ADDRESS_TEXT]
    movi32  w1, 0x0100007f          // 127.0.0.1
    str     w1, [x0, #CONFIG_ADDRESS]
    mov     w1, #8080
    str     w1, [x0, #CONFIG_PORT]
    mov     w1, #256
    str     w1, [x0, #CONFIG_CHILDREN_MAX]
    mov     w1, #10
    str     w1, [x0, #CONFIG_HEAD_SECONDS]
    str     wzr, [x0, #CONFIG_NO_LISTINGS]
    str     wzr, [x0, #CONFIG_WRITABLE]
    mov     w1, #1 << 30
    str     w1, [x0, #CONFIG_BODY_MAX]
    ret

// option_find - the row of an option
//
//   In     x0 name, ends with NUL
//   Out    C clear: x0 row
//          C set:   x0 EINVAL, there is no such option
//   Clob   x1-x6
//   Frame  16: x29 x30
//
//   x4 name   x5 row   x6 rows left   x0, x1 names
func option_find
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x4, x0
    addr    x5, option_rows
    mov     x6, #OPTION_ROWS

Loption_find_row:
    mov     x0, x4
    ldrsw   x1, [x5, #OPTION_NAME]
    addr    x2, option_rows
    add     x1, x1, x2
    bl      text_equal
    b.cc    Loption_find_found
    add     x5, x5, #OPTION_SIZEOF
    sub     x6, x6, #1
    cbnz    x6, Loption_find_row
    mov     x0, #EINVAL
    carry_set
    b       Loption_find_return
Loption_find_found:
    mov     x0, x5
Loption_find_return:
    ldp     x29, x30, [sp], #16
    ret

// option_set - check the value of an option and keep it
//
//   In     x0 config   x1 row   x2 value, ends with NUL
//   Out    C clear: it is in its field
//          C set:   x0 EINVAL, not a good value
//   Clob   x0-x5
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 field in config   x20 row   x21 value
func option_set
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    ldrh    w3, [x1, #OPTION_FIELD]
    add     x19, x0, x3
    mov     x20, x1
    mov     x21, x2

    mov     x0, x21
    ldrh    w3, [x20, #OPTION_KIND]
    cmp     w3, #KIND_NUMBER
    b.eq    Loption_set_number
    b.hi    Loption_set_address
    str     x21, [x19]              // KIND_TEXT
    carry_clear
Loption_set_return:
    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

Loption_set_number:
    bl      text_length
    mov     x1, x0
    mov     x0, x21
    bl      u64_parse
    b.cs    Loption_set_bad
    ldp     w1, w2, [x20, #OPTION_MIN]
    cmp     x0, x1
    b.lo    Loption_set_bad
    cmp     x0, x2
    b.hi    Loption_set_bad
    str     w0, [x19]
    carry_clear
    b       Loption_set_return
Loption_set_address:
    bl      ipv4_parse
    b.cs    Loption_set_bad
    str     w0, [x19]
    str     x21, [x19, #CONFIG_ADDRESS_TEXT - CONFIG_ADDRESS]
    b       Loption_set_return
Loption_set_bad:
    mov     x0, #EINVAL
    carry_set
    b       Loption_set_return

rodata
option_program:
    .asciz  "ymawky"
default_root:
    .asciz  "."
default_address:
    .asciz  "127.0.0.1"

.p2align 3
option_rows:
    .long   name_port - option_rows, reason_port - option_rows
    .short  KIND_NUMBER, CONFIG_PORT
    .long   0, 65535
    .long   name_address - option_rows, reason_address - option_rows
    .short  KIND_ADDRESS, CONFIG_ADDRESS
    .long   0, 0
    .long   name_errors - option_rows, 0
    .short  KIND_TEXT, CONFIG_ERRORS
    .long   0, 0
    .long   name_children - option_rows, reason_children - option_rows
    .short  KIND_NUMBER, CONFIG_CHILDREN_MAX
    .long   1, 1000
    .long   name_seconds - option_rows, reason_seconds - option_rows
    .short  KIND_NUMBER, CONFIG_HEAD_SECONDS
    .long   1, 3600
    .long   name_listings - option_rows, 0
    .short  KIND_FLAG, CONFIG_NO_LISTINGS
    .long   0, 0
    .long   name_writable - option_rows, 0
    .short  KIND_FLAG, CONFIG_WRITABLE
    .long   0, 0
    .long   name_body - option_rows, reason_body - option_rows
    .short  KIND_NUMBER, CONFIG_BODY_MAX
    .long   0, 0xffffffff
    .long   name_help - option_rows, text_help - option_rows
    .short  KIND_SAY, 0
    .long   0, 0
    .long   name_version - option_rows, text_version - option_rows
    .short  KIND_SAY, 0
    .long   0, 0
.equ OPTION_ROWS, (. - option_rows) / OPTION_SIZEOF

name_port:
    .asciz  "--port"
name_address:
    .asciz  "--address"
name_errors:
    .asciz  "--errors"
name_children:
    .asciz  "--children"
name_seconds:
    .asciz  "--head-seconds"
name_listings:
    .asciz  "--no-listings"
name_writable:
    .asciz  "--writable"
name_body:
    .asciz  "--body-max"
name_help:
    .asciz  "--help"
name_version:
    .asciz  "--version"
reason_port:
    .asciz  "needs a number from 0 to 65535"
reason_address:
    .asciz  "needs an address such as 127.0.0.1"
reason_children:
    .asciz  "needs a number from 1 to 1000"
reason_seconds:
    .asciz  "needs a number from 1 to 3600"
reason_body:
    .asciz  "needs a number from 0 to 4294967295"
reason_unknown:
    .asciz  "no such option; --help lists them"
reason_missing:
    .asciz  "needs a value"
reason_two:
    .asciz  "one directory is enough"
text_version:
    .asciz  "ymawky 0.1\n"
text_help:
    .ascii  "usage: ymawky [options] [directory]\n"
    .ascii  "Serve the files of a directory (this one) over HTTP.\n"
    .ascii  "\n"
    .ascii  "  --port N           port to listen at (8080); 0 finds one\n"
    .ascii  "  --address A        address to listen at (127.0.0.1)\n"
    .ascii  "  --errors DIR       error pages: 404.html and so on\n"
    .ascii  "  --children N       connections at a time (256)\n"
    .ascii  "  --head-seconds N   time to send a request's head (10)\n"
    .ascii  "  --no-listings      do not show what is in a directory\n"
    .ascii  "  --writable         let clients PUT and DELETE files\n"
    .ascii  "  --body-max BYTES   largest body of a request (1073741824)\n"
    .ascii  "  --help             this text\n"
    .ascii  "  --version          the version\n"
    .asciz  ""

.bss
.p2align 4
.globl config
config:
    .skip   CONFIG_SIZEOF
