// date_parse.s - a moment from text, in the three forms that HTTP has had
//
// A date is matched against one pattern after the other. In a pattern, a small
// letter stands for a part of the date, anything else for itself:
//
//   a  name of a day, short       l  name of a day, long    b  name of a month
//   d  day of the month           e  the same, a blank may be its first digit
//   q  first two digits of the year                         y  last two
//   h  hour                       m  minute                 s  second
//
// Every number has two digits, so every part fits in a byte. Where the parts
// go, a letter's low five bits say the place of its byte.
//
// Gives    date_parse
// Needs    date_calendar
// Memory   none of its own
// Spec     RFC 9110 5.6.7: IMF-fixdate, rfc850-date, asctime-date
// Tests    tests/asm/test_date_parse.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

.equ SECONDS_A_DAY,     86400
.equ DAYS_TO_1970,      719468      // from 1 March of the year 0
.equ DAYS_IN_ERA,       146097      // four hundred years
.equ YEARS_AHEAD_MAX,   50          // of a year that has two digits

// Places of the parts
.equ PART_MONTH,        2           // b: 0 to 11
.equ PART_DAY,          4           // d, and e
.equ PART_HOUR,         8           // h
.equ PART_MINUTE,       13          // m
.equ PART_CENTURY,      17          // q
.equ PART_SECOND,       19          // s
.equ PART_YEAR,         25          // y
.equ CENTURY_UNKNOWN,   0xff

// date_parse - read a date in any of the three forms
//
//   In     x0 text, a CR or a blank behind it   x1 its length
//   x2 now, for years of two digits: those are at most 50 years ahead
//   Out    C clear: x0 seconds since 1970, below 0 before
//          C set:   x0 EINVAL
//   Clob   x1-x10
//   Frame  80: x29 x30, x19 x20, x21 x22, 32 bytes for the parts
//
//   x19 text   x20 end   x21 pattern   x22 now   x3 parts, or a byte
func date_parse
    stp     x29, x30, [sp, #-80]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    mov     x19, x0
    add     x20, x0, x1
    mov     x22, x2
    addr    x21, date_patterns

Ldate_parse_pattern:
    ldrb    w3, [x21]
    cbz     w3, Ldate_parse_none
    mov     x0, x19
    mov     x1, x20
    mov     x2, x21
    add     x3, sp, #48
    bl      date_match
    b.cc    Ldate_parse_matched
Ldate_parse_skip:
    ldrb    w3, [x21], #1
    cbnz    w3, Ldate_parse_skip
    b       Ldate_parse_pattern
Ldate_parse_matched:
    add     x0, sp, #48
    mov     x1, x22
    bl      date_join
Ldate_parse_return:
    ldp     x21, x22, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #80
    ret

Ldate_parse_none:
    mov     x0, #EINVAL
    carry_set
    b       Ldate_parse_return

// date_match - does a text follow a pattern? Then take its parts
//
//   In     x0 text, a CR or a blank behind it   x1 its end   x2 pattern
//   x3 parts: 32 bytes
//   Out    C clear: it does, and the parts are there
//          C set:   it does not
//   Clob   x0-x10
//   Frame  16: x29 x30
//
//   x0 cursor   x1 end   x2 cursor in the pattern   x3 parts
//   x4 letter of the pattern   x5 byte, later the number   x6 second digit
//   x7 ten, or names   x8 number of a name
func date_match
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     w5, #CENTURY_UNKNOWN
    strb    w5, [x3, #PART_CENTURY]

Ldate_match_next:
    ldrb    w4, [x2], #1
    cbz     w4, Ldate_match_end
    addr    x7, date_months
    cmp     w4, #'b'
    b.eq    Ldate_match_name
    addr    x7, date_days
    cmp     w4, #'a'
    b.eq    Ldate_match_name
    addr    x7, date_days_long
    cmp     w4, #'l'
    b.eq    Ldate_match_name
    ldrb    w5, [x0], #1
    cmp     w4, #'a'
    b.lo    Ldate_match_itself

    cmp     w4, #'e'                // two digits
    b.ne    Ldate_match_digits
    mov     w4, #'d'
    cmp     w5, #' '
    mov     w7, #'0'
    csel    w5, w7, w5, eq
Ldate_match_digits:
    sub     w5, w5, #'0'
    cmp     w5, #9
    b.hi    Ldate_match_no
    ldrb    w6, [x0], #1
    sub     w6, w6, #'0'
    cmp     w6, #9
    b.hi    Ldate_match_no
    mov     w7, #10
    madd    w8, w5, w7, w6
Ldate_match_part:
    and     w4, w4, #31
    strb    w8, [x3, x4]
    b       Ldate_match_next
Ldate_match_name:
    bl      date_name
    b.cc    Ldate_match_part
    b       Ldate_match_return
Ldate_match_itself:
    cmp     w4, w5
    b.eq    Ldate_match_next
Ldate_match_no:
    carry_set
    b       Ldate_match_return
Ldate_match_end:
    cmp     x0, x1
    b.ne    Ldate_match_no
    carry_clear
Ldate_match_return:
    ldp     x29, x30, [sp], #16
    ret

// date_name - which of some names does a text begin with?
//
//   In     x0 text   x7 names; a NUL behind each, another behind the last
//   Out    C clear: x0 behind the name   x8 its number, from 0
//          C set:   none of them
//   Clob   x5-x7 x9
//   Frame  none (leaf)
//
//   x5 cursor in the text   x6 byte of it   x7 cursor in the names
//   x8 number   x9 byte of the name
func date_name
    mov     x8, #0
Ldate_name_try:
    mov     x5, x0
Ldate_name_letter:
    ldrb    w9, [x7], #1
    cbz     w9, Ldate_name_found
    ldrb    w6, [x5], #1
    cmp     w6, w9
    b.eq    Ldate_name_letter
Ldate_name_skip:
    ldrb    w9, [x7], #1
    cbnz    w9, Ldate_name_skip
    add     x8, x8, #1
    ldrb    w9, [x7]
    cbnz    w9, Ldate_name_try
    carry_set
    ret
Ldate_name_found:
    mov     x0, x5
    carry_clear
    ret

// date_join - seconds from the parts of a date, if there is such a day
//
//   In     x0 parts   x1 now
//   Out    C clear: x0 seconds since 1970, below 0 before
//          C set:   x0 EINVAL
//   Clob   x1-x10
//   Frame  16: x29 x30
//
//   x9 parts, later a constant   x10 seconds of the day   x0 day   x1 month
//   x2 year   x3 century, or limit of the day   x4 part of the clock
//   x5 sixty
func date_join
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x9, x0

    mov     w5, #60
    ldrb    w10, [x9, #PART_HOUR]
    cmp     w10, #23
    b.hi    Ldate_join_bad
    ldrb    w4, [x9, #PART_MINUTE]
    cmp     w4, #59
    b.hi    Ldate_join_bad
    madd    w10, w10, w5, w4
    ldrb    w4, [x9, #PART_SECOND]
    cmp     w4, #60                 // a leap second counts as the next one
    b.hi    Ldate_join_bad
    madd    w10, w10, w5, w4

    ldrb    w2, [x9, #PART_YEAR]
    ldrb    w3, [x9, #PART_CENTURY]
    cmp     w3, #CENTURY_UNKNOWN
    b.eq    Ldate_join_century
    mov     w4, #100
    madd    w2, w3, w4, w2
Ldate_join_day:
    ldrb    w1, [x9, #PART_MONTH]
    bl      month_days
    ldrb    w0, [x9, #PART_DAY]
    sub     w4, w0, #1
    cmp     w4, w3
    b.hs    Ldate_join_bad
    bl      date_days_since
    movi32  w9, SECONDS_A_DAY
    madd    x0, x0, x9, x10
    carry_clear
Ldate_join_return:
    ldp     x29, x30, [sp], #16
    ret

Ldate_join_century:
    mov     x0, x1
    mov     x1, x2
    bl      date_century
    b       Ldate_join_day
Ldate_join_bad:
    mov     x0, #EINVAL
    carry_set
    b       Ldate_join_return

// date_century - the year that two digits mean
//
// The last one with these digits that is not more than fifty years ahead.
//
//   In     x0 now, seconds since 1970   x1 two digits
//   Out    x2 year
//   Clob   x0-x1 x3-x7
//   Frame  16: x29 x30
//
//   x4 two digits   x2 limit, later the year   x0 a constant, later how far the
//   limit is from a year with these digits   x1 hundred
func date_century
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x4, x1

    movi32  w1, SECONDS_A_DAY
    udiv    x0, x0, x1
    bl      date_calendar
    add     x2, x2, #YEARS_AHEAD_MAX
    sub     x0, x2, x4
    mov     x1, #100
    udiv    x3, x0, x1
    msub    x0, x3, x1, x0
    sub     x2, x2, x0

    ldp     x29, x30, [sp], #16
    ret

// month_days - how many days a month has
//
//   In     x1 month, 0 to 11   x2 year
//   Out    x3 days
//   Clob   x4-x5
//   Frame  none (leaf)
//
//   x3 table, later the days   x4 hundred, later a remainder
//   x5 the year's low bits that must be 0
func month_days
    addr    x3, date_month_days
    ldrb    w3, [x3, x1]
    cmp     w1, #1
    b.ne    Lmonth_days_return
    mov     w4, #100                // a leap year divides by 4; one that ends
    udiv    w5, w2, w4              // with two zeros, by 400, which is by 16
    msub    w4, w5, w4, w2
    cmp     w4, #0
    mov     w4, #3
    mov     w5, #15
    csel    w4, w5, w4, eq
    tst     w2, w4
    cinc    w3, w3, eq
Lmonth_days_return:
    ret

// date_days_since - days from 1970 to a day
//
// The year begins in March here, so that its leap day is its last; and four
// hundred years later, so that no number is below 0 on the way.
//
//   In     x0 day, from 1   x1 month, 0 to 11   x2 year
//   Out    x0 days, below 0 before 1970
//   Clob   x1-x6
//   Frame  none (leaf)
//
//   x0 day, later days   x1 month, from March   x2 year   x3 a constant
//   x4 a constant   x5 quotient   x6 days before the year
func date_days_since
    add     x2, x2, #400
    cmp     x1, #2
    b.hs    Ldate_days_since_march
    sub     x2, x2, #1
    add     x1, x1, #12
Ldate_days_since_march:
    sub     x1, x1, #2
    mov     x3, #153
    mul     x1, x1, x3
    add     x1, x1, #2
    mov     x3, #5
    udiv    x1, x1, x3              // days of the months before
    add     x0, x0, x1
    sub     x0, x0, #1

    mov     x3, #365
    mul     x6, x2, x3
    add     x6, x6, x2, lsr #2
    mov     x4, #100
    udiv    x5, x2, x4
    sub     x6, x6, x5
    add     x6, x6, x5, lsr #2
    add     x0, x0, x6
    movi32  w3, DAYS_IN_ERA + DAYS_TO_1970
    sub     x0, x0, x3
    ret

rodata
date_patterns:
    .ascii  "a, d b qy h:m:s GMT\0"
    .ascii  "l, d-b-y h:m:s GMT\0"
    .ascii  "a b e h:m:s qy\0"
    .ascii  "\0"
date_days:
    .ascii  "Sun\0Mon\0Tue\0Wed\0Thu\0Fri\0Sat\0\0"
date_days_long:
    .ascii  "Sunday\0Monday\0Tuesday\0Wednesday\0Thursday\0Friday\0"
    .ascii  "Saturday\0\0"
date_months:
    .ascii  "Jan\0Feb\0Mar\0Apr\0May\0Jun\0Jul\0Aug\0Sep\0Oct\0Nov\0Dec\0\0"
date_month_days:
    .byte   31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
