// start.s - where macOS enters the program
//
// Gives    start
// Needs    main
// Memory   none of its own
// Spec     LC_MAIN: dyld calls the entry point like a C main
// Tests    tests/asm/test_first.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// start - run main and end the process with its result
//
//   In     x0 argument count   x1 arguments   x2 environment   x3 Apple's own
//   Out    does not return
//   Clob   all
//   Frame  none: nobody needs ours
//
//   x0 argument count, then the exit status
func start
    bl      main
    sys     exit
