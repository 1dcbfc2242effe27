// process.s - making processes and counting them
//
// Gives    process_fork process_exit process_children
// Needs    nothing
// Memory   .bss: a list of process numbers
// Spec     fork(2), exit(2); proc_info as proc_listpids(3) calls it
// Tests    tests/asm/test_contracts.py, tests/http/test_robustness.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

.equ PIDS_MAX,              1024

// process_fork - become two processes
//
// In the child macOS gives its own number in x0; x1 tells the two apart.
//
//   In     nothing
//   Out    C clear: x0 0 in the child, the child's number in the parent
//          C set:   x0 errno, there is no child
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x1 1 in the child   x16 the number of the call
func process_fork
    sys     fork
    b.cs    Lprocess_fork_return
    cbz     x1, Lprocess_fork_return
    mov     x0, #0                  // C is still clear
Lprocess_fork_return:
    ret

// process_exit - end this process
//
//   In     x0 exit status
//   Out    does not return
//   Clob   all
//   Frame  none
//
//   x16 the number of the call
func process_exit
    sys     exit

// process_children - count our children, zombies included
//
//   In     nothing
//   Out    C clear: x0 how many, PIDS_MAX at most
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x0 what to list   x1 of which processes   x2 our number   x3 nothing
//   x4 list   x5 its size   x16 the number of the call
func process_children
    sys     getpid
    b.cs    Lprocess_children_return
    mov     x2, x0
    mov     x0, #PROC_INFO_CALL_LISTPIDS
    mov     x1, #PROC_PPID_ONLY
    mov     x3, #0
    addr    x4, process_pids
    mov     x5, #PIDS_MAX * 4
    sys     proc_info
    b.cs    Lprocess_children_return
    lsr     x0, x0, #2              // four bytes a process; C is still clear
Lprocess_children_return:
    ret

.bss
.p2align 2
process_pids:
    .skip   PIDS_MAX * 4
