// human.s - sizes and moments as people like to read them
//
// Gives    size_write time_write
// Needs    date_calendar date_pairs
// Memory   none of its own
// Spec     ISO 8601 (order of the date), SI prefixes: 1 kB is 1000 B
// Tests    tests/asm/test_human.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

.equ SECONDS_A_DAY,     86400
.equ LAST_DAY,          2932896     // 31 December 9999, in days since 1970

// size_write - write a size: "999 B", "1.2 kB", "18.4 EB"
//
// What is left over is cut off, not rounded: 1999 bytes are 1.9 kB.
//
//   In     x0 cursor, four bytes and more can be written   x1 size in bytes
//   Out    x0 cursor, at most 8 bytes further
//   Clob   x1-x7
//   Frame  none (leaf)
//
//   x0 cursor   x1 number, 0 to 999   x2 thousand, later ten   x3 quotient
//   x4 what is left over of it   x5 unit   x6 tens   x7 hundreds
func size_write
    addr    x5, size_units
    mov     x2, #1000
Lsize_write_thousand:
    cmp     x1, x2
    b.lo    Lsize_write_number
    udiv    x3, x1, x2
    msub    x4, x3, x2, x1
    mov     x1, x3
    add     x5, x5, #4
    b       Lsize_write_thousand

Lsize_write_number:
    mov     x2, #10
    udiv    x6, x1, x2
    msub    x1, x6, x2, x1
    cbz     x6, Lsize_write_ones
    udiv    x7, x6, x2
    msub    x6, x7, x2, x6
    cbz     x7, Lsize_write_tens
    add     w7, w7, #'0'
    strb    w7, [x0], #1
Lsize_write_tens:
    add     w6, w6, #'0'
    strb    w6, [x0], #1
Lsize_write_ones:
    add     w1, w1, #'0'
    strb    w1, [x0], #1
    ldr     w1, [x5]                // the unit
    lsr     w3, w1, #16
    cbz     w3, Lsize_write_bytes
    mov     x2, #100
    udiv    x4, x4, x2              // a tenth of the unit
    mov     w3, #'.' | '0' << 8
    add     w3, w3, w4, lsl #8
    strh    w3, [x0], #2
    str     w1, [x0], #3
    ret
Lsize_write_bytes:
    strh    w1, [x0], #2
    ret

// time_write - write a moment: "2026-11-21 15:04", 16 bytes
//
//   In     x0 cursor   x1 seconds since 1970; a moment before counts as 1970,
//          one after 9999 as the last day
//   Out    x0 cursor
//   Clob   x1-x10
//   Frame  16: x29 x30
//
//   x0 days since 1970, later the day   x1 month   x2 year   x4 cursor
//   x5 x6 numbers of two digits   x8 seconds of the day   x9 digit pairs
//   x10 a hundred or sixty, or the template
func time_write
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x4, x0
    bic     x1, x1, x1, asr #63
    movi32  w2, SECONDS_A_DAY
    udiv    x0, x1, x2
    msub    x8, x0, x2, x1
    movi32  w3, LAST_DAY
    cmp     x0, x3
    csel    x0, x0, x3, lo
    bl      date_calendar

    addr    x10, time_template
    ldp     x5, x6, [x10]
    stp     x5, x6, [x4]
    addr    x9, date_pairs
    mov     x10, #100
    udiv    x5, x2, x10
    msub    x6, x5, x10, x2
    ldrh    w5, [x9, x5, lsl #1]
    ldrh    w6, [x9, x6, lsl #1]
    strh    w5, [x4]
    strh    w6, [x4, #2]
    sub     x5, x1, #12             // 13 and 14 are January and February
    cmp     x1, #12
    csel    x1, x5, x1, hi
    ldrh    w5, [x9, x1, lsl #1]
    ldrh    w6, [x9, x0, lsl #1]
    strh    w5, [x4, #5]
    strh    w6, [x4, #8]
    mov     x10, #60
    udiv    x5, x8, x10             // minutes of the day
    udiv    x6, x5, x10
    msub    x5, x6, x10, x5
    ldrh    w6, [x9, x6, lsl #1]
    ldrh    w5, [x9, x5, lsl #1]
    strh    w6, [x4, #11]
    strh    w5, [x4, #14]

    add     x0, x4, #16
    ldp     x29, x30, [sp], #16
    ret

rodata
.p2align 3
time_template:
    .ascii  "yyyy-mm-dd hh:mm"
size_units:                         // four bytes each
    .ascii  " B\0\0 kB\0 MB\0 GB\0 TB\0 PB\0 EB\0"
