// sort.s - putting rows in order
//
// Gives    rows_sort
// Needs    nothing
// Memory   none of its own
// Spec     none
// Tests    tests/asm/test_sort.py
// SPDX-License-Identifier: MIT

.include "macros.inc"
.include "row.inc"

// rows_sort - put rows in order, by key and then by text
//
// Each row is in order by itself. Merge neighbours: runs of two are in order.
// Merge those: runs of four. So n rows take log n rounds of n steps, and
// whatever the rows are, never more. Rows of the same key and text keep their
// order, unless what lies behind the two texts differs: see rows_merge.
//
//   In     x0 rows   x1 how many   x2 room for as many
//   Out    x0 the rows in order: there, or in the room
//   Clob   x1-x15 v0-v1
//   Frame  16: x29 x30
//
//   x0 rows   x1 size of all   x2 room   x8 left run   x9 size of a run
//   x10 place in the room   x11 end of the rows   x12 middle   x13 end of both
func rows_sort
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    lsl     x1, x1, #5              // ROW_SIZEOF
    mov     x9, #ROW_SIZEOF

Lrows_sort_round:
    cmp     x9, x1
    b.hs    Lrows_sort_done         // one run is all
    mov     x8, x0
    mov     x10, x2
    add     x11, x0, x1
Lrows_sort_pair:
    add     x12, x8, x9
    cmp     x12, x11
    csel    x12, x12, x11, lo
    add     x13, x12, x9
    cmp     x13, x11
    csel    x13, x13, x11, lo
    bl      rows_merge
    mov     x8, x13
    cmp     x8, x11
    b.lo    Lrows_sort_pair
    mov     x8, x0                  // the room becomes the rows
    mov     x0, x2
    mov     x2, x8
    lsl     x9, x9, #1
    b       Lrows_sort_round
Lrows_sort_done:
    ldp     x29, x30, [sp], #16
    ret

// rows_merge - put two runs that are in order together
//
// Texts that begin with the same eight bytes are compared eight at a time. They
// may be read up to seven bytes behind their end. These decide nothing between
// texts that differ, which do so before, or where one of them ends; between
// texts that are the same they do. When all agrees, the left row comes first.
//
//   In     x8 left run   x12 its end, where the right one begins
//   x13 end of that   x10 place for the result
//   Out    x10 end of the result
//   Clob   x3-x8 x14-x15 v0-v1
//   Frame  none (leaf)
//
//   x8 left row   x14 right row   x4 key of the left   x5 key of the right
//   x6 text of the left   x7 text of the right   x15 end of the left
//   x3 eight bytes   v0 v1 a row on its way
func rows_merge
    mov     x14, x12
    cmp     x14, x13
    b.eq    Lrows_merge_rest_left
    ldr     x4, [x8]
    ldr     x5, [x14]
Lrows_merge_next:
    cmp     x4, x5
    b.hi    Lrows_merge_right
    b.eq    Lrows_merge_same_key
Lrows_merge_left:
    ldp     q0, q1, [x8], #ROW_SIZEOF
    stp     q0, q1, [x10], #ROW_SIZEOF
    ldr     x4, [x8]                // not used behind the last one
    cmp     x8, x12
    b.ne    Lrows_merge_next
Lrows_merge_rest_right:
    ldp     q0, q1, [x14], #ROW_SIZEOF
    stp     q0, q1, [x10], #ROW_SIZEOF
    cmp     x14, x13
    b.ne    Lrows_merge_rest_right
    ret

Lrows_merge_right:
    ldp     q0, q1, [x14], #ROW_SIZEOF
    stp     q0, q1, [x10], #ROW_SIZEOF
    cmp     x14, x13
    b.eq    Lrows_merge_rest_left
    ldr     x5, [x14]
    b       Lrows_merge_next
Lrows_merge_rest_left:
    ldp     q0, q1, [x8], #ROW_SIZEOF
    stp     q0, q1, [x10], #ROW_SIZEOF
    cmp     x8, x12
    b.ne    Lrows_merge_rest_left
    ret

Lrows_merge_same_key:
    ldp     x6, x15, [x8, #ROW_TEXT]
    ldr     x7, [x14, #ROW_TEXT]
    add     x15, x6, x15
Lrows_merge_word:
    cmp     x6, x15
    b.hs    Lrows_merge_same        // all of it, and so all of the right one
    ldr     x4, [x6], #8
    ldr     x3, [x7], #8
    cmp     x4, x3
    b.eq    Lrows_merge_word
    rev     x4, x4                  // the first byte decides before the second
    rev     x3, x3
    cmp     x4, x3
    ldr     x4, [x8]
    b.hi    Lrows_merge_right
    b       Lrows_merge_left
Lrows_merge_same:
    ldr     x4, [x8]
    b       Lrows_merge_left
