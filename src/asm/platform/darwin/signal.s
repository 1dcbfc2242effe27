// signal.s - what to do when a signal comes, and the timer that sends one
//
// macOS enters the program at sa_tramp, not at sa_handler. In C that is a
// routine of the library, which calls the handler and returns to the kernel.
// Here it is the handler itself.
//
// Gives    signal_ignore signal_interrupt signal_exit timer_start
// Needs    nothing
// Memory   none of its own
// Spec     sigaction(2), setitimer(2); XNU bsd/dev/arm/unix_signal.c
// Tests    tests/asm/test_contracts.py, tests/http/test_start.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// signal_ignore - let nothing happen; for SIGCHLD: let children leave no zombie
//
//   In     x0 signal
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  16: x29 x30
//
//   x0 signal   x1 handler   x2 trampoline
func signal_ignore
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x1, #SIG_IGN
    mov     x2, #0
    bl      signal_set
    ldp     x29, x30, [sp], #16
    ret

// signal_interrupt - let a waiting call end with EINTR, and nothing else
//
//   In     x0 signal
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  16: x29 x30
//
//   x0 signal   x1 handler   x2 trampoline
func signal_interrupt
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    addr    x2, signal_return
    mov     x1, x2
    bl      signal_set
    ldp     x29, x30, [sp], #16
    ret

// signal_exit - let the process end, with status 0
//
//   In     x0 signal
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  16: x29 x30
//
//   x0 signal   x1 handler   x2 trampoline
func signal_exit
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    addr    x2, signal_leave
    mov     x1, x2
    bl      signal_set
    ldp     x29, x30, [sp], #16
    ret

// signal_set - say where a signal leads
//
// SA_RESTART is not among the flags, so that waiting calls end with EINTR.
//
//   In     x0 signal   x1 handler   x2 trampoline
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  32: struct __sigaction
//
//   x1 handler, later the struct   x2 trampoline, later no struct
//   x16 the number of the call
func signal_set
    sub     sp, sp, #32
    stp     x1, x2, [sp]
    str     xzr, [sp, #SIGACTION_MASK]      // and no flags
    mov     x1, sp
    mov     x2, #0
    sys     sigaction
    add     sp, sp, #32
    ret

// signal_return - go back to where the signal came
//
//   In     x1 style   x4 context   x5 token, as the kernel gives them
//   Out    does not return here
//   Clob   nothing of the interrupted program
//   Frame  none; sp is the kernel's frame
//
//   x0 context   x1 style   x2 token   x16 the number of the call
func signal_return
    mov     x0, x4
    mov     x2, x5
    sys     sigreturn

// signal_leave - end the process with status 0
//
//   In     nothing
//   Out    does not return
//   Clob   all
//   Frame  none
//
//   x0 exit status   x16 the number of the call
func signal_leave
    mov     x0, #0
    sys     exit

// timer_start - send SIGALRM after a while, and again and again
//
//   In     x0 seconds to the first   x1 seconds between the others
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  32: itimerval
//
//   x0 seconds, later the timer   x1 seconds, later the itimerval
//   x2 no old value wanted   x16 the number of the call
func timer_start
    sub     sp, sp, #32
    stp     x1, xzr, [sp, #ITIMERVAL_INTERVAL]
    stp     x0, xzr, [sp, #ITIMERVAL_VALUE]
    mov     x0, #ITIMER_REAL
    mov     x1, sp
    mov     x2, #0
    sys     setitimer
    add     sp, sp, #32
    ret
