// path.s - from the path of a URL to a path below the root
//
// Gives    path_resolve (slot: path)
// Needs    hex_pair char_class
// Memory   none of its own
// Spec     RFC 3986 2.1 (percent-encoding), 5.2.4 (dot segments)
// Tests    tests/asm/test_path.py, tests/http/test_path.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "http.inc"

// path_resolve - decode a path, once, and walk its segments
//
// Segments are copied one behind the other, each with a slash behind it, and
// are judged when they are complete: so %2e%2e is seen for what it is. An empty
// segment and "." are dropped; ".." takes back the segment before it, and
// nothing when there is none. The result begins and ends without a slash.
//
// Three kinds of names are treated as if they did not exist: with a slash in
// them (%2F), those that begin with ".~" (files that are still being written),
// and those that begin with two dots ("..namedfork" is the kernel's own).
//
//   In     x0 path, begins with a slash   x1 length   x2 buffer   x3 its size
//   Out    C clear: x0 length of the result, a NUL is behind it
//          x1 1 when the path named a directory, that is, ended with a slash
//          C set:   x0 status 400, 404
//   Clob   x1-x7 x9-x15
//   Frame  16: x29 x30
//
//   x9 cursor   x10 end   x11 buffer   x12 cursor in it
//   x13 its last two bytes   x14 start of the segment   x15 1 for a directory
//   x4 1 when a slash follows   x5 char_class
//   x6 as far as there is input, and room for it   x0 byte   x7 its class
//   x1 length of what is left   x2 the room
func path_resolve
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x9, x0
    add     x10, x0, x1
    mov     x11, x2
    mov     x12, x2
    add     x13, x2, x3
    sub     x13, x13, #2            // for a slash and for the NUL
    addr    x5, char_class

Lpath_resolve_segment:
    mov     x14, x12
Lpath_resolve_room:
    subs    x1, x10, x9
    mov     x4, #0
    b.eq    Lpath_resolve_judge     // the end
    subs    x2, x13, x12
    b.eq    Lpath_resolve_missing   // longer than any path there is
    cmp     x1, x2
    csel    x1, x1, x2, lo
    add     x6, x9, x1
Lpath_resolve_byte:
    ldrb    w0, [x9], #1
    ldrb    w7, [x5, x0]
    tbz     w7, #CHAR_NAME, Lpath_resolve_special
Lpath_resolve_decoded:
    strb    w0, [x12], #1
    cmp     x9, x6
    b.lo    Lpath_resolve_byte
    b       Lpath_resolve_room

Lpath_resolve_special:
    cmp     w0, #'/'
    mov     x4, #1
    b.eq    Lpath_resolve_judge
    cmp     w0, #'%'
    b.ne    Lpath_resolve_bad
    sub     x1, x10, x9
    cmp     x1, #2
    b.lo    Lpath_resolve_bad
    mov     x0, x9
    bl      hex_pair
    b.cs    Lpath_resolve_bad
    add     x9, x9, #2
    cmp     w0, #'/'
    b.eq    Lpath_resolve_missing
    cmp     w0, #' '
    b.lo    Lpath_resolve_bad       // a control character, NUL among them
    cmp     w0, #0x7f
    b.ne    Lpath_resolve_decoded
    b       Lpath_resolve_bad

Lpath_resolve_judge:
    bl      segment_judge
    b.cs    Lpath_resolve_missing
    cbnz    x4, Lpath_resolve_segment
Lpath_resolve_end:
    subs    x0, x12, x11
    b.eq    Lpath_resolve_root
    sub     x0, x0, #1              // the last slash
Lpath_resolve_root:
    strb    wzr, [x11, x0]
    mov     x1, x15
    carry_clear
Lpath_resolve_return:
    ldp     x29, x30, [sp], #16
    ret

Lpath_resolve_bad:
    mov     x0, #400
    carry_set
    b       Lpath_resolve_return
Lpath_resolve_missing:
    mov     x0, #404
    carry_set
    b       Lpath_resolve_return

// segment_judge - keep a segment, drop it, or refuse it
//
//   In     x11 first segment   x12 end of this one   x14 its start
//   Out    C clear: x12 place for the next one
//          x15 0 when this one, were it the last, would name a file
//          C set:   it is refused
//   Clob   x0-x2
//   Frame  none: leaves ".." to segment_back
//
//   x0 slash   x1 length of the segment   x2 a byte of it
func segment_judge
    mov     x15, #1
    subs    x1, x12, x14
    b.eq    Lsegment_judge_drop     // nothing between two slashes
    ldrb    w2, [x14]
    cmp     w2, #'.'
    b.eq    Lsegment_judge_dot
Lsegment_judge_keep:
    mov     w0, #'/'
    strb    w0, [x12], #1
    mov     x15, #0
    carry_clear
    ret

Lsegment_judge_dot:
    cmp     x1, #1
    b.eq    Lsegment_judge_drop     // "."
    ldrb    w2, [x14, #1]
    cmp     w2, #'~'
    b.eq    Lsegment_judge_refuse
    cmp     w2, #'.'
    b.ne    Lsegment_judge_keep
    cmp     x1, #2
    b.ne    Lsegment_judge_refuse
    b       segment_back            // ".."
Lsegment_judge_drop:
    mov     x12, x14
    carry_clear
    ret
Lsegment_judge_refuse:
    carry_set
    ret

// segment_back - take back the segment before, when there is one
//
//   In     x11 first segment   x14 start of the segment behind it
//   Out    C clear: x12 start of the segment, or of the first
//   Clob   x2
//   Frame  none (leaf)
//
//   x12 cursor   x2 byte
func segment_back
    mov     x12, x14
    cmp     x12, x11
    b.eq    Lsegment_back_return
    sub     x12, x12, #1            // over the slash between them
Lsegment_back_byte:
    cmp     x12, x11
    b.eq    Lsegment_back_return
    ldrb    w2, [x12, #-1]
    cmp     w2, #'/'
    b.eq    Lsegment_back_return
    sub     x12, x12, #1
    b       Lsegment_back_byte
Lsegment_back_return:
    carry_clear
    ret
