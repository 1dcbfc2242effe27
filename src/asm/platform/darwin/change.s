// change.s - changing what is in a directory: one function for each system call
//
// Gives    file_create_below file_stat_below file_rename_below
//          file_remove_below fd_sync fd_lock process_number
// Needs    nothing
// Memory   none of its own
// Spec     open(2) fstatat(2) renameat(2) unlinkat(2) fsync(2) flock(2)
//          getpid(2)
// Tests    tests/asm/test_contracts.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

// file_create_below - make a file in a directory, for writing
//
// O_EXCL: never a file that is there already, and no link by that name.
//
//   In     x0 fd of the directory   x1 name, ends with NUL   x2 permissions
//   Out    C clear: x0 fd
//          C set:   x0 errno (EEXIST: the name is taken)
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x2 permissions, later flags   x3 permissions   x16 the number of the call
func file_create_below
    mov     x3, x2
    movi32  w2, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW_ANY
    sys     openat
    ret

// file_stat_below - find out what a name in a directory stands for
//
// Of a symbolic link we get the link itself.
//
//   In     x0 fd of the directory   x1 name, ends with NUL
//   x2 buffer of STAT_SIZEOF bytes
//   Out    C clear: x0 0
//          C set:   x0 errno (ENOENT: nothing)
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x3 flags   x16 the number of the call
func file_stat_below
    mov     x3, #AT_SYMLINK_NOFOLLOW
    sys     fstatat64
    ret

// file_rename_below - give a file in a directory another name
//
// Whoever opens the new name gets the file that had it before, or this one, and
// never anything between.
//
//   In     x0 fd of the directory   x1 name   x2 new name; both end with NUL
//   Out    C clear: x0 0; a file that had the new name has it no more
//          C set:   x0 errno (EISDIR: the new name is a directory's)
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x2 new name, later the directory   x3 new name
//   x16 the number of the call
func file_rename_below
    mov     x3, x2
    mov     x2, x0
    sys     renameat
    ret

// file_remove_below - take a name out of a directory
//
// Of a symbolic link it takes the link.
//
//   In     x0 fd of the directory   x1 name, ends with NUL
//   Out    C clear: x0 0
//          C set:   x0 errno (ENOENT: nothing there, EPERM: a directory)
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x2 flags   x16 the number of the call
func file_remove_below
    mov     x2, #0
    sys     unlinkat
    ret

// fd_sync - hand what was written over to the drive
//
//   In     x0 fd
//   Out    C clear: x0 0
//          C set:   x0 errno (EINTR: a signal came first)
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x16 the number of the call
func fd_sync
    sys     fsync
    ret

// fd_lock - be the only one who has locked what a descriptor stands for
//
// It waits for its turn. The lock ends when the descriptor is closed, at the
// latest with the process.
//
//   In     x0 fd
//   Out    C clear: x0 0
//          C set:   x0 errno (EINTR: a signal came first)
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x1 what to do   x16 the number of the call
func fd_lock
    mov     x1, #LOCK_EX
    sys     flock
    ret

// process_number - which process are we?
//
//   In     nothing
//   Out    x0 its number
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x16 the number of the call
func process_number
    sys     getpid
    ret
