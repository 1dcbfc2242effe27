// mask.s - signals that must wait
//
// Gives    signal_hold
// Needs    nothing
// Memory   none of its own
// Spec     sigprocmask(2)
// Tests    tests/asm/test_contracts.py, tests/http/test_writing.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// Bit n - 1 stands for signal n.
.equ HOLD_USER,             1 << (SIGHUP - 1) | 1 << (SIGINT - 1)
.equ HOLD_OTHERS,           1 << (SIGTERM - 1) | 1 << (SIGXFSZ - 1)

// signal_hold - let what would end this process wait, for good
//
// Those that ask for it, and the one that comes when a file grows too large:
// the call that writes then fails with EFBIG.
//
//   In     nothing
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  16: the set
//
//   x0 what to do   x1 set   x2 no old set wanted   x16 the number of the call
func signal_hold
    sub     sp, sp, #16
    movi32  w1, HOLD_USER | HOLD_OTHERS
    str     w1, [sp]
    mov     x0, #SIG_BLOCK
    mov     x1, sp
    mov     x2, #0
    sys     sigprocmask
    add     sp, sp, #16
    ret
