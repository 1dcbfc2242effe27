// target.s - the request target: which resource is meant
//
// Gives    target_parse host_check
// Needs    char_class text_same
// Memory   none of its own
// Spec     RFC 9112 3.2 (four forms), 3.3; RFC 3986 3.2.2 (host), 3.3 (path)
// Tests    tests/asm/test_request.py, tests/asm/test_field.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"
.include "request.inc"

// target_parse - find path and query of a request target
//
//   In     x0 request, its method is known   x1 target, a space behind it
//   x2 length in bytes
//   Out    C clear: remembered
//          C set:   x0 status 400, 421
//   Clob   x0-x8
//   Frame  none: leaves the rest to target_path or target_absolute
//
//   x0 request   x1 target   x2 length   x3 first byte, or the form   x4 method
func target_parse
    cbz     x2, Ltarget_parse_bad
    ldrb    w3, [x1]
    cmp     w3, #'/'
    b.ne    Ltarget_parse_other
    b       target_path
Ltarget_parse_other:
    ldr     w4, [x0, #REQUEST_METHOD]
    cmp     w4, #METHOD_CONNECT
    b.eq    Ltarget_parse_authority
    cmp     w3, #'*'
    b.eq    Ltarget_parse_asterisk
    b       target_absolute

Ltarget_parse_authority:            // CONNECT is refused whatever it asks for
    mov     w3, #TARGET_AUTHORITY
    str     w3, [x0, #REQUEST_TARGET]
    carry_clear
    ret
Ltarget_parse_asterisk:             // the server as a whole
    cmp     x2, #1
    b.ne    Ltarget_parse_bad
    cmp     w4, #METHOD_OPTIONS
    b.ne    Ltarget_parse_bad
    mov     w3, #TARGET_ASTERISK
    str     w3, [x0, #REQUEST_TARGET]
    carry_clear
    ret
Ltarget_parse_bad:
    mov     x0, #400
    carry_set
    ret

// target_path - find path and query, and check their bytes
//
//   In     x0 request   x1 text, a space behind it
//   x2 length in bytes, 0 means the path /
//   Out    C clear: remembered
//          C set:   x0 status 400
//   Clob   x0-x7
//   Frame  none (leaf)
//
//   x0 request   x1 text   x2 end   x3 byte   x4 its class, or the path /
//   x5 char_class   x6 cursor   x7 length
func target_path
    cbz     x2, Ltarget_path_root
    addr    x5, char_class
    mov     x6, x1
    add     x2, x1, x2
Ltarget_path_byte:                  // ends at the space behind the target
    ldrb    w3, [x6], #1
    ldrb    w4, [x5, x3]
    tbnz    w4, #CHAR_PATH, Ltarget_path_byte
    sub     x6, x6, #1
    subs    x7, x6, x1
    b.eq    Ltarget_path_none
    stp     x1, x7, [x0, #REQUEST_PATH]
Ltarget_path_query:
    cmp     x6, x2
    b.eq    Ltarget_path_done       // a path and nothing else
    cmp     w3, #'?'
    b.ne    Ltarget_path_bad
    sub     x7, x2, x6              // the query keeps its question mark
    stp     x6, x7, [x0, #REQUEST_QUERY]
Ltarget_path_query_byte:
    ldrb    w3, [x6], #1
    ldrb    w4, [x5, x3]
    tbnz    w4, #CHAR_QUERY, Ltarget_path_query_byte
    sub     x6, x6, #1
    cmp     x6, x2
    b.ne    Ltarget_path_bad
Ltarget_path_done:
    carry_clear
    ret

Ltarget_path_none:                  // http://host?query
    addr    x4, target_slash
    mov     x7, #1
    stp     x4, x7, [x0, #REQUEST_PATH]
    b       Ltarget_path_query
Ltarget_path_root:
    addr    x1, target_slash
    mov     x7, #1
    stp     x1, x7, [x0, #REQUEST_PATH]
    carry_clear
    ret
Ltarget_path_bad:
    mov     x0, #400
    carry_set
    ret

// target_absolute - http://host:port/path, as if to a proxy
//
// Every server must understand this form, and its host wins over the Host
// field. What is https belongs to a secured connection, which this is not: 421.
//
//   In     x0 request   x1 target, a space behind it   x2 length in bytes
//   Out    C clear: remembered
//          C set:   x0 status 400, 421
//   Clob   x0-x8
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 request   x20 authority   x21 end of the target
//   x6 end of the authority
func target_absolute
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x0
    mov     x20, x1
    add     x21, x1, x2

    mov     x0, x20
    addr    x1, target_http
    mov     x2, #target_http_len
    mov     x3, x21
    bl      target_scheme
    b.cs    Ltarget_absolute_other
    mov     x3, #target_http_len
    add     x20, x20, x3

    mov     x6, x20
Ltarget_absolute_authority:
    cmp     x6, x21
    b.eq    Ltarget_absolute_host
    ldrb    w3, [x6]
    cmp     w3, #'/'
    b.eq    Ltarget_absolute_host
    cmp     w3, #'?'
    b.eq    Ltarget_absolute_host
    add     x6, x6, #1
    b       Ltarget_absolute_authority
Ltarget_absolute_host:
    mov     x0, x20
    subs    x1, x6, x20
    b.eq    Ltarget_absolute_bad    // http:///path names no host
    ldrb    w3, [x20]
    cmp     w3, #':'
    b.eq    Ltarget_absolute_bad    // and neither does http://:80/path
    stp     x0, x1, [x19, #REQUEST_HOST]
    bl      host_check
    b.cs    Ltarget_absolute_return
    ldr     w3, [x19, #REQUEST_FLAGS]
    orr     w3, w3, #(1 << REQUEST_HAS_AUTHORITY)
    str     w3, [x19, #REQUEST_FLAGS]

    mov     x0, x19
    mov     x1, x6
    sub     x2, x21, x6
    bl      target_path
Ltarget_absolute_return:
    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

Ltarget_absolute_other:
    mov     x0, x20
    addr    x1, target_https
    mov     x2, #target_https_len
    mov     x3, x21
    bl      target_scheme
    b.cs    Ltarget_absolute_bad
    mov     x0, #421
    carry_set
    b       Ltarget_absolute_return
Ltarget_absolute_bad:
    mov     x0, #400
    carry_set
    b       Ltarget_absolute_return

// target_scheme - does the target begin with this scheme?
//
//   In     x0 target   x1 scheme in lower case   x2 its length
//   x3 end of the target
//   Out    C clear: it does
//          C set:   it does not
//   Clob   x0-x4
//   Frame  16: x29 x30
//
//   x0 target   x1 scheme   x2 length   x4 bytes there are
func target_scheme
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    sub     x4, x3, x0
    cmp     x2, x4                  // sets C when too short or all there is
    b.hs    Ltarget_scheme_return
    bl      text_same
Ltarget_scheme_return:
    ldp     x29, x30, [sp], #16
    ret

// host_check - is this a host, perhaps with a port?
//
// An empty host is allowed: Host has no value when a target names no host.
//
//   In     x0 text, with a byte behind it that is in no host: CR, blank, / or ?
//   x1 length in bytes
//   Out    C clear: it is
//          C set:   x0 status 400
//   Clob   x0-x5
//   Frame  none (leaf)
//
//   x0 cursor   x1 end   x2 byte   x3 its class, or its place in a range
//   x4 first byte behind the bracket, or digits left   x5 char_class
func host_check
    add     x1, x0, x1
    addr    x5, char_class
    ldrb    w2, [x0]
    cmp     w2, #'['
    b.eq    Lhost_check_literal
Lhost_check_name:
    ldrb    w2, [x0], #1
    ldrb    w3, [x5, x2]
    tbnz    w3, #CHAR_HOST, Lhost_check_name
Lhost_check_behind:
    sub     x0, x0, #1
    cmp     x0, x1
    b.eq    Lhost_check_good
    cmp     w2, #':'
    b.ne    Lhost_check_escape
    add     x0, x0, #1
Lhost_check_port:
    ldrb    w2, [x0], #1
    sub     w3, w2, #'0'
    cmp     w3, #9
    b.ls    Lhost_check_port
    sub     x0, x0, #1
    cmp     x0, x1
    b.ne    Lhost_check_bad
Lhost_check_good:
    carry_clear
    ret

Lhost_check_escape:                 // a percent sign and two digits
    cmp     w2, #'%'
    b.ne    Lhost_check_bad
    add     x0, x0, #1
    mov     x4, #2
Lhost_check_digit:
    ldrb    w2, [x0], #1
    sub     w3, w2, #'0'
    cmp     w3, #9
    b.ls    Lhost_check_next
    orr     w3, w2, #0x20
    sub     w3, w3, #'a'
    cmp     w3, #5
    b.hi    Lhost_check_bad
Lhost_check_next:
    subs    x4, x4, #1
    b.ne    Lhost_check_digit
    b       Lhost_check_name

Lhost_check_literal:                // [2001:db8::1], hexadecimal and : and .
    add     x0, x0, #1
    mov     x4, x0
Lhost_check_group:
    ldrb    w2, [x0], #1
    cmp     w2, #'.'
    b.eq    Lhost_check_group
    sub     w3, w2, #'0'
    cmp     w3, #10                 // 0 to 9, and the colon behind them
    b.ls    Lhost_check_group
    orr     w3, w2, #0x20
    sub     w3, w3, #'a'
    cmp     w3, #5
    b.ls    Lhost_check_group
    cmp     w2, #']'
    b.ne    Lhost_check_bad
    sub     x3, x0, #1
    cmp     x3, x4
    b.eq    Lhost_check_bad         // [] is empty
    ldrb    w2, [x0], #1
    cmp     w2, #'%'                // what follows is a port or nothing
    b.ne    Lhost_check_behind
Lhost_check_bad:
    mov     x0, #400
    carry_set
    ret

rodata
string target_slash, "/"
string target_http, "http://"
string target_https, "https://"
