// directory.s - what is in a directory, with kinds, sizes and dates
//
// Gives    directory_read
// Needs    nothing
// Memory   none of its own
// Spec     getattrlistbulk(2)
// Tests    tests/asm/test_directory.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

.equ DIRECTORY_NAMES,   ATTR_CMN_RETURNED_ATTRS | ATTR_CMN_NAME
.equ DIRECTORY_COMMON,  DIRECTORY_NAMES | ATTR_CMN_OBJTYPE | ATTR_CMN_MODTIME

// directory_read - read as many entries as a buffer takes, each one a record
//
// A value that the file system does not know is zeros, so that every field of a
// record has its place. The directory itself and its parent are not among them.
//
//   In     x0 fd of the directory   x1 buffer   x2 size in bytes
//   Out    C clear: x0 how many records, 0 at the end
//          C set:   x0 errno (ERANGE: no room for the next one)
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x1 struct attrlist   x2 buffer   x3 size   x4 options
//   x16 the number of the call
func directory_read
    mov     x3, x2
    mov     x2, x1
    addr    x1, directory_wanted
    mov     x4, #FSOPT_PACK_INVAL_ATTRS
    sys     getattrlistbulk
    ret

rodata
.p2align 2
directory_wanted:                   // struct attrlist
    .short  ATTR_BIT_MAP_COUNT, 0
    .long   DIRECTORY_COMMON
    .long   0, 0, ATTR_FILE_DATALENGTH, 0
