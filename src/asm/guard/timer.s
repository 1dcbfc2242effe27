// timer.s - deadlines: an alarm that cuts a waiting call short
//
// Gives    guard_start guard_arm (slot: guard)
// Needs    signal_interrupt timer_start
// Memory   none of its own
// Spec     setitimer(2), sigaction(2)
// Tests    tests/http/test_robustness.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// guard_start - get ready, once, before the first connection
//
//   In     nothing
//   Out    nothing
//   Clob   x0-x17
//   Frame  16: x29 x30
//
//   x0 signal
func guard_start
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x0, #SIGALRM
    bl      signal_interrupt
    ldp     x29, x30, [sp], #16
    ret

// guard_arm - give the client of this process so much time
//
// When the time is over, a read or write that is waiting ends with EINTR, and
// so does one every second from then on.
//
// The repetition matters: an alarm that comes just before the call begins to
// wait would otherwise be lost.
//
//   In     x0 seconds
//   Out    nothing
//   Clob   x0-x17
//   Frame  none: leaves the rest to timer_start
//
//   x0 seconds   x1 seconds between alarms
func guard_arm
    mov     x1, #1
    b       timer_start
