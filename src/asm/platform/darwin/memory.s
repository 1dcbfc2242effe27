// memory.s - memory from the kernel: one function for each system call
//
// Gives    memory_map memory_unmap
// Needs    nothing
// Memory   none of its own
// Spec     mmap(2), munmap(2)
// Tests    tests/asm/test_contracts.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// memory_map - get memory, all zeros
//
//   In     x0 size in bytes
//   Out    C clear: x0 address, the beginning of a page
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x0 wherever there is room   x1 size   x2 protection   x3 flags
//   x4 no file   x5 no offset   x16 the number of the call
func memory_map
    mov     x1, x0
    mov     x0, #0
    mov     x2, #PROT_READ | PROT_WRITE
    movi32  w3, MAP_PRIVATE | MAP_ANON
    mov     x4, #-1
    mov     x5, #0
    sys     mmap
    ret

// memory_unmap - give memory back
//
//   In     x0 address   x1 size in bytes
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x16 the number of the call
func memory_unmap
    sys     munmap
    ret
