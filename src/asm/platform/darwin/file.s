// file.s - files and descriptors: one function for each system call
//
// Gives    fd_read fd_write fd_close fd_stat
//          file_open file_open_below directory_open directory_open_below
// Needs    nothing
// Memory   none of its own
// Spec     read(2) write(2) close(2) fstat(2) open(2)
// Tests    tests/asm/test_contracts.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// fd_read - read what is there, up to a limit
//
//   In     x0 fd   x1 buffer   x2 size in bytes
//   Out    C clear: x0 bytes read, 0 at the end
//          C set:   x0 errno (EINTR: a signal came first)
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x16 the number of the call
func fd_read
    sys     read
    ret

// fd_write - write, perhaps only a part
//
//   In     x0 fd   x1 bytes   x2 length
//   Out    C clear: x0 bytes written
//          C set:   x0 errno (EINTR: a signal came first)
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x16 the number of the call
func fd_write
    sys     write
    ret

// fd_close - give a descriptor back
//
//   In     x0 fd
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x16 the number of the call
func fd_close
    sys     close
    ret

// file_open - open a file by its path, for reading
//
//   In     x0 path, ends with NUL
//   Out    C clear: x0 fd
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x1 flags   x16 the number of the call
func file_open
    movi32  w1, O_RDONLY | O_CLOEXEC
    sys     open
    ret

// fd_stat - find out what a descriptor stands for
//
//   In     x0 fd   x1 buffer of STAT_SIZEOF bytes
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x16 the number of the call
func fd_stat
    sys     fstat64
    ret

// file_open_below - open a file below a directory, for reading
//
// A symbolic link anywhere in the path is refused, and a pipe without a writer
// does not keep us waiting.
//
//   In     x0 fd of the directory   x1 path, ends with NUL
//   Out    C clear: x0 fd
//          C set:   x0 errno (ELOOP: a symbolic link)
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x2 flags   x16 the number of the call
func file_open_below
    movi32  w2, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW_ANY
    sys     openat
    ret

// directory_open - open a directory by its path
//
//   In     x0 path, ends with NUL
//   Out    C clear: x0 fd
//          C set:   x0 errno (ENOTDIR: something else)
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x1 flags   x16 the number of the call
func directory_open
    movi32  w1, O_RDONLY | O_DIRECTORY | O_CLOEXEC
    sys     open
    ret

// directory_open_below - open a directory below another
//
//   In     x0 fd of the directory   x1 path, ends with NUL
//   Out    C clear: x0 fd
//          C set:   x0 errno (ELOOP: a symbolic link, ENOTDIR: something else)
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x2 flags   x16 the number of the call
func directory_open_below
    movi32  w2, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW_ANY
    sys     openat
    ret
