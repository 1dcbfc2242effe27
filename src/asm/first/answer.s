// answer.s - the smallest program: it ends with the answer
//
// Gives    start
// Needs    nothing
// Memory   none of its own
// Spec     exit(2)
// Tests    tests/asm/test_first.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// start - end the process with status 42
//
//   In     nothing
//   Out    does not return
//   Clob   all
//   Frame  none
//
//   x0 exit status   x16 the number of the call
func start
    mov     x0, #42
    sys     exit
