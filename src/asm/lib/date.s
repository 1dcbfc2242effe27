// date.s - a moment as HTTP writes it: "Sun, 06 Nov 1994 08:49:37 GMT"
//
// Gives    date_write date_calendar date_pairs
// Needs    nothing
// Memory   none of its own
// Spec     RFC 9110 5.6.7 (IMF-fixdate); Gregorian calendar, no leap seconds
// Tests    tests/asm/test_date.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

.equ SECONDS_A_DAY,     86400
.equ DATE_LINE_BYTES,   31

// date_texts holds, behind seven names of days of 8 bytes each:
.equ DATE_CLOCK,        56          // the part behind the year, 16 bytes
.equ DATE_MONTHS,       72 - 12     // twelve names, 4 bytes each, from 3
.equ DATE_PAIRS,        120         // 00 to 99, 2 bytes each

.equ DAYS_IN_ERA,       146097      // four hundred years
.equ DAYS_TO_1970,      719468      // from 1 March of the year 0

// date_write - write a date and the end of its line, 31 bytes
//
//   In     x0 cursor   x1 seconds since 1970, up to the end of 9999
//   Out    x0 cursor
//   Clob   x1-x10
//   Frame  16: x29 x30
//
//   x0 days since 1970, later the day   x1 month   x2 year   x4 cursor
//   x5 a number of two digits   x6 what is left over   x7 digit pairs
//   x8 seconds of the day   x9 date_texts   x10 a text, or hundred or sixty
func date_write
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x4, x0
    movi32  w2, SECONDS_A_DAY
    udiv    x0, x1, x2
    msub    x8, x0, x2, x1

    add     x5, x0, #4              // the first of January 1970 was a Thursday
    mov     x6, #7
    udiv    x1, x5, x6
    msub    x5, x1, x6, x5
    addr    x9, date_texts
    ldr     x10, [x9, x5, lsl #3]
    str     x10, [x4]               // "Sun, dd "
    ldp     x5, x6, [x9, #DATE_CLOCK]
    stp     x5, x6, [x4, #16]       // " hh:mm:ss GMT", CR LF, one byte too many
    bl      date_calendar

    add     x7, x9, #DATE_PAIRS
    add     x9, x9, #DATE_MONTHS
    ldr     w10, [x9, x1, lsl #2]
    str     w10, [x4, #8]           // "Nov "
    ldrh    w5, [x7, x0, lsl #1]
    strh    w5, [x4, #5]
    mov     x10, #100
    udiv    x5, x2, x10
    msub    x6, x5, x10, x2
    ldrh    w5, [x7, x5, lsl #1]
    ldrh    w6, [x7, x6, lsl #1]
    strh    w5, [x4, #12]
    strh    w6, [x4, #14]

    mov     x10, #60
    udiv    x5, x8, x10
    msub    x6, x5, x10, x8         // seconds
    ldrh    w6, [x7, x6, lsl #1]
    strh    w6, [x4, #23]
    udiv    x8, x5, x10             // hours
    msub    x6, x8, x10, x5         // minutes
    ldrh    w6, [x7, x6, lsl #1]
    strh    w6, [x4, #20]
    ldrh    w5, [x7, x8, lsl #1]
    strh    w5, [x4, #17]

    add     x0, x4, #DATE_LINE_BYTES
    ldp     x29, x30, [sp], #16
    ret

// date_calendar - day, month and year of a day
//
// Four hundred years have 146097 days, so a century begins every 146097/4 days
// and, within it, a year every 1461/4. A year that begins in March has its leap
// day at the end, and its months begin about every 153/5 days: 2141/65536 of a
// month a day. Multiplying by 2939745/2^32 is dividing by 1461, remainder and
// all. No branch depends on the day, so a date costs the same all year round.
// After Neri and Schneider, "Euclidean affine functions and their
// application to calendar algorithms", 2022.
//
//   In     x0 days since 1970, up to the end of 9999
//   Out    x0 day, from 1   x1 month: 3 March, ... 12 December, 13 January,
//          14 February   x2 year
//   Clob   x3 x5-x7
//   Frame  none (leaf)
//
//   x0 days since 1 March of the year 0, times 4, plus 3   x1 month   x2 year
//   x3 a constant   x5 century   x6 day of the century, later year in it
//   x7 day of the year
func date_calendar
    movi32  w1, DAYS_TO_1970
    add     x0, x0, x1
    mov     x1, #3
    add     x0, x1, x0, lsl #2
    movi32  w3, DAYS_IN_ERA
    udiv    x5, x0, x3
    msub    x6, x5, x3, x0
    orr     x6, x6, #3              // again a day times 4, plus 3

    movi32  w3, 2939745
    mul     x6, x6, x3
    lsr     x2, x6, #32             // year of the century
    mov     w7, w6
    udiv    x7, x7, x3
    lsr     x7, x7, #2              // day of the year
    mov     x3, #100
    madd    x2, x5, x3, x2

    movi32  w3, 197913
    mov     x5, #2141
    madd    x6, x7, x5, x3
    lsr     x1, x6, #16
    and     x0, x6, #0xffff
    udiv    x0, x0, x5
    add     x0, x0, #1
    cmp     x1, #12
    cinc    x2, x2, hi              // January and February: the next year
    ret

rodata
.p2align 3
date_texts:                         // digits replace the small letters
    .ascii  "Sun, dd Mon, dd Tue, dd Wed, dd Thu, dd Fri, dd Sat, dd "
    .ascii  " hh:mm:ss GMT\r\n\0"
    .ascii  "Mar Apr May Jun Jul Aug Sep Oct Nov Dec Jan Feb "
.globl date_pairs
date_pairs:                         // 00 to 99, two bytes each
    .ascii  "0001020304050607080910111213141516171819"
    .ascii  "2021222324252627282930313233343536373839"
    .ascii  "4041424344454647484950515253545556575859"
    .ascii  "6061626364656667686970717273747576777879"
    .ascii  "8081828384858687888990919293949596979899"
