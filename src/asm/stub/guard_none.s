// guard_none.s - placeholder: clients may take as long as they like
//
// Gives    guard_start guard_arm (slot: guard)
// Needs    nothing
// Memory   none of its own
// Spec     none
// Tests    tests/asm/test_contracts.py, tests/http/test_models.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// guard_start - get ready, once, before the first connection
//
//   In     nothing
//   Out    nothing
//   Clob   x0-x17
//   Frame  none (leaf)
//
//   none
func guard_start
    ret

// guard_arm - give the client of this process so much time
//
// When the time is over, a read or write that is waiting ends with EINTR, and
// so does one every second from then on.
//
//   In     x0 seconds
//   Out    nothing
//   Clob   x0-x17
//   Frame  none (leaf)
//
//   none
func guard_arm
    ret
