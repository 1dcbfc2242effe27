// request.s - the head of a request, line by line, as it arrives
//
// A head may come in one piece or byte by byte. A line is taken when it is
// complete, and no byte is looked at twice for its end; so both give the same
// result, and a slow client costs no more than a fast one.
//
// Gives    request_parse (slot: request)
// Needs    control_find method_find target_parse field_take char_class
// Memory   none of its own
// Spec     RFC 9112 2 (message), 3 (request line), 6.3 (framing)
// Tests    tests/asm/test_request.py, tests/http/test_request_line.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"
.include "request.inc"

// request_parse - read as much of a head as has arrived
//
//   In     x0 request, zeros at first   x1 bytes received   x2 how many
//   Out    C clear: x0 length of the head; the request is complete
//          C set:   x0 0, more bytes are needed; or status 400, 414, 421, 431,
//          501, 505
//   Clob   x1-x8 v0-v4
//   Frame  64: x29 x30, x19 x20, x21 x22, x23 x24
//
//   x19 request   x20 bytes   x21 end of them   x22 line   x23 cursor
//   x24 the last place where the line may end   x2 length of the line
//   x3 two bytes, or the state, or a status
func request_parse
    stp     x29, x30, [sp, #-64]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    mov     x19, x0
    mov     x20, x1
    add     x21, x1, x2
    ldp     x23, x22, [x19, #REQUEST_SCAN]
    add     x22, x22, x20
    add     x23, x23, x20

Lrequest_parse_begin:
    mov     x0, x19
    mov     x1, x20
    mov     x2, x22
    bl      request_limit
    mov     x24, x0
Lrequest_parse_line:
    mov     x0, x23
    mov     x1, x21
    mov     x2, x20
    bl      control_find
    mov     x23, x0
    b.cs    Lrequest_parse_partly
    cmp     x23, x24
    b.hi    Lrequest_parse_long
    add     x0, x23, #2
    cmp     x0, x21
    b.hi    Lrequest_parse_more     // half of a line end
    ldrh    w3, [x23]
    mov     w1, #'\r' | '\n' << 8   // nothing else ends a line
    cmp     w3, w1
    b.ne    Lrequest_parse_tab

    mov     x1, x22
    sub     x2, x23, x22
    mov     x22, x0
    mov     x23, x0
    mov     x0, x19
    ldr     w3, [x19, #REQUEST_STATE]
    cmp     w3, #STATE_FIELD
    b.ne    Lrequest_parse_open
    cbz     x2, Lrequest_parse_last
    bl      field_take
    b.cc    Lrequest_parse_line
Lrequest_parse_return:
    ldp     x23, x24, [sp, #48]
    ldp     x21, x22, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #64
    ret

Lrequest_parse_tab:                 // the one control that a line may hold
    and     w3, w3, #0xff
    cmp     w3, #'\t'
    b.ne    Lrequest_parse_bad
    add     x23, x23, #1
    b       Lrequest_parse_line
Lrequest_parse_open:
    bl      request_open
    b.cc    Lrequest_parse_begin
    b       Lrequest_parse_return
Lrequest_parse_last:
    bl      request_check
    b.cs    Lrequest_parse_return
    sub     x0, x22, x20            // C is still clear
    b       Lrequest_parse_return

Lrequest_parse_partly:
    cmp     x23, x24
    b.hi    Lrequest_parse_long
Lrequest_parse_more:
    sub     x0, x23, x20
    sub     x1, x22, x20
    stp     x0, x1, [x19, #REQUEST_SCAN]
    mov     x3, #0
    b       Lrequest_parse_refuse
Lrequest_parse_long:
    mov     x3, #414
    b       Lrequest_parse_refuse
Lrequest_parse_bad:
    mov     x3, #400
Lrequest_parse_refuse:
    mov     x0, x19
    mov     x1, x22
    mov     x2, x21
    bl      request_refuse
    b       Lrequest_parse_return

// request_limit - where must the line end at the latest?
//
//   In     x0 request   x1 bytes received   x2 line
//   Out    x0 that place
//   Clob   x3-x4
//   Frame  none (leaf)
//
//   x0 state, later the place   x3 limit of the line   x4 limit of the head
func request_limit
    ldr     w0, [x0, #REQUEST_STATE]
    mov     x3, #REQUEST_LINE_MAX_BYTES
    add     x3, x2, x3
    mov     x4, #HEAD_MAX_BYTES
    add     x4, x1, x4
    cmp     w0, #STATE_FIELD
    csel    x0, x4, x3, eq
    ret

// request_refuse - what to say to a line that is bad, too long or not all there
//
//   In     x0 request   x1 line   x2 end of what is there
//   x3 status 400, 414 for a line beyond its limit, 0 for half a line
//   Out    C set: x0 that status; fields beyond their limit are 431
//   Clob   x1-x4
//   Frame  16: x29 x30
//
//   x0 request, later the status   x2 end, later the length   x3 status
//   x4 state, later the status
func request_refuse
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    ldr     w4, [x0, #REQUEST_STATE]
    cmp     w4, #STATE_FIELD
    mov     x4, x3
    b.eq    Lrequest_refuse_field
    sub     x2, x2, x1
    bl      request_peek            // more may never come, nor be read
Lrequest_refuse_return:
    mov     x0, x4
    carry_set
    ldp     x29, x30, [sp], #16
    ret

Lrequest_refuse_field:
    cmp     x4, #414
    b.ne    Lrequest_refuse_return
    mov     x4, #431
    b       Lrequest_refuse_return

// request_peek - does a line that is cut off or broken begin with HEAD?
//
// It is never taken as a request line, but a refusal to HEAD has no body.
//
//   In     x0 request   x1 line   x2 bytes of it
//   Out    nothing; REQUEST_METHOD is set when it does
//   Clob   x1-x3
//   Frame  none (leaf)
//
//   x1 line, later the byte behind HEAD, or the method
//   x2 bytes, later the first four   x3 HEAD
func request_peek
    cmp     x2, #5
    b.lo    Lrequest_peek_return
    ldr     w2, [x1]
    ldrb    w1, [x1, #4]
    movi32  w3, 'H' | 'E' << 8 | 'A' << 16 | 'D' << 24
    cmp     w2, w3
    b.ne    Lrequest_peek_return
    cmp     w1, #' '
    b.ne    Lrequest_peek_return
    mov     w1, #METHOD_HEAD
    str     w1, [x0, #REQUEST_METHOD]
Lrequest_peek_return:
    ret

// request_open - take a line before the fields: a request line, or an empty one
//
//   In     x0 request   x1 line, a CR behind it   x2 its length without the CR
//   Out    C clear: REQUEST_STATE says what comes next
//          C set:   x0 status 400, 421, 505
//   Clob   x0-x8
//   Frame  none: leaves the rest to request_start
//
//   x0 request   x3 state
func request_open
    cbz     x2, Lrequest_open_empty
    mov     w3, #STATE_FIELD
    str     w3, [x0, #REQUEST_STATE]
    b       request_start
Lrequest_open_empty:
    ldr     w3, [x0, #REQUEST_STATE]
    cbnz    w3, Lrequest_open_bad   // one will do
    mov     w3, #STATE_LINE
    str     w3, [x0, #REQUEST_STATE]
    carry_clear
    ret
Lrequest_open_bad:
    mov     x0, #400
    carry_set
    ret

// request_start - take the request line: method, target, version
//
// The version is always eight bytes, so the line is read from both ends.
//
//   In     x0 request   x1 line, a CR behind it   x2 its length without the CR
//   Out    C clear: remembered
//          C set:   x0 status 400, 421, 505
//   Clob   x0-x8
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 request   x20 target   x21 end of the target   x3 byte   x4 its class
//   x5 char_class
func request_start
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x0
    mov     x20, x1

    subs    x2, x2, #9              // a space and the version
    b.ls    Lrequest_start_short
    add     x21, x1, x2
    addr    x5, char_class
Lrequest_start_method:              // the CR ends this at the latest
    ldrb    w3, [x20], #1
    ldrb    w4, [x5, x3]
    tbnz    w4, #CHAR_TOKEN, Lrequest_start_method
    cmp     w3, #' '
    b.ne    Lrequest_start_bad
    mov     x0, x1
    sub     x1, x20, x1
    subs    x1, x1, #1
    b.eq    Lrequest_start_bad      // no method
    bl      method_find
    str     w0, [x19, #REQUEST_METHOD]  // a refusal to HEAD has no body

    cmp     x20, x21
    b.hs    Lrequest_start_bad      // no target
    ldrb    w3, [x21]
    cmp     w3, #' '
    b.ne    Lrequest_start_bad
    add     x0, x21, #1
    bl      version_parse
    b.cs    Lrequest_start_return
    str     w0, [x19, #REQUEST_VERSION]
    mov     x0, x19
    mov     x1, x20
    sub     x2, x21, x20
    bl      target_parse
Lrequest_start_return:
    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

Lrequest_start_short:
    add     x2, x2, #9
    bl      request_peek
Lrequest_start_bad:
    mov     x0, #400
    carry_set
    b       Lrequest_start_return

// version_parse - HTTP/1.1, HTTP/1.0, or something else
//
// A minor version above 1 promises to understand all that 1.1 does.
//
//   In     x0 eight bytes
//   Out    C clear: x0 0 or 1, the minor version
//          C set:   x0 status 400, 505
//   Clob   x1-x3
//   Frame  none (leaf)
//
//   x0 minor version   x1 text as a word   x2 what to compare with
//   x3 the same, later the major version
func version_parse
    ldr     x1, [x0]
    addr    x2, version_names
    ldp     x3, x2, [x2]
    mov     x0, #1
    cmp     x1, x3
    b.eq    Lversion_parse_good     // nearly always
    eor     x2, x1, x2
    lsr     x0, x2, #56             // what differs from "HTTP/0.0": two digits
    lsr     x3, x2, #40
    and     x3, x3, #0xff
    and     x2, x2, #0xffff00ffffffffff
    lsl     x2, x2, #8              // and nothing else may
    cbnz    x2, Lversion_parse_bad
    cmp     x3, #9
    b.hi    Lversion_parse_bad
    cmp     x0, #9
    b.hi    Lversion_parse_bad
    cmp     x3, #1
    b.ne    Lversion_parse_other
    cmp     x0, #0
    cset    x0, ne
Lversion_parse_good:
    carry_clear
    ret

Lversion_parse_bad:
    mov     x0, #400
    carry_set
    ret
Lversion_parse_other:
    mov     x0, #505
    carry_set
    ret

// request_check - do the fields agree with each other and with the version?
//
//   In     x0 request
//   Out    C clear: they do
//          C set:   x0 status 400
//   Clob   x0-x2
//   Frame  none (leaf)
//
//   x1 flags   x2 minor version
func request_check
    ldr     w1, [x0, #REQUEST_FLAGS]
    ldr     w2, [x0, #REQUEST_VERSION]
    cbz     w2, Lrequest_check_old
    tbz     w1, #REQUEST_HAS_HOST, Lrequest_check_bad
    tbz     w1, #REQUEST_HAS_CODING, Lrequest_check_good
    tbnz    w1, #REQUEST_HAS_LENGTH, Lrequest_check_bad
Lrequest_check_good:
    carry_clear
    ret
Lrequest_check_old:                 // 1.0 knows no codings
    tbz     w1, #REQUEST_HAS_CODING, Lrequest_check_good
Lrequest_check_bad:
    mov     x0, #400
    carry_set
    ret

rodata
.p2align 3
version_names:
    .ascii  "HTTP/1.1"
    .ascii  "HTTP/0.0"
