// clock.s - the time of day, and waiting
//
// Gives    clock_now pause_briefly
// Needs    nothing
// Memory   none of its own
// Spec     gettimeofday(2), poll(2)
// Tests    tests/asm/test_contracts.py, tests/http/test_robustness.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

.equ PAUSE_MILLISECONDS,    100

// clock_now - what time is it?
//
//   In     nothing
//   Out    C clear: x0 seconds since 1970
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  16: timeval
//
//   x0 timeval   x1 no time zone   x2 no machine time
//   x16 the number of the call
func clock_now
    sub     sp, sp, #16
    mov     x0, sp
    mov     x1, #0
    mov     x2, #0
    sys     gettimeofday
    b.cs    Lclock_now_return
    ldr     x0, [sp]
Lclock_now_return:
    add     sp, sp, #16
    ret

// pause_briefly - wait until something may have changed for the better
//
//   In     nothing
//   Out    nothing
//   Clob   x0-x17
//   Frame  none (leaf)
//
//   x0 no descriptors   x1 how many   x2 milliseconds
//   x16 the number of the call
func pause_briefly
    mov     x0, #0
    mov     x1, #0
    mov     x2, #PAUSE_MILLISECONDS
    sys     poll
    ret
