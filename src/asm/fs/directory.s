// directory.s - all entries of a directory, in order
//
// Gives    directory_list
// Needs    directory_read rows_sort
// Memory   none of its own
// Spec     none
// Tests    tests/asm/test_directory.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "record.inc"
.include "row.inc"
.include "listing.inc"

// directory_list - read a directory and put its entries in order
//
// Directories come first, and names go by their bytes.
//
//   In     x0 fd of the directory   x1 struct listing
//   Out    C clear: LISTING_NEXT, LISTING_END and LISTING_PARTIAL are set
//          C set:   x0 errno
//   Clob   x0-x17 v0-v1
//   Frame  32: x29 x30, x19
//
//   x19 listing   x0 records, later rows   x1 their end, later how many
//   x2 place for the rows, later for the sorter   x3 bytes that names share
func directory_list
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    mov     x19, x1

    add     x1, x19, #LISTING_RECORDS
    mov     x2, #LISTING_RECORDS_SIZE
    bl      directory_gather
    b.cs    Ldirectory_list_return
    str     w1, [x19, #LISTING_PARTIAL]
    mov     x1, x0
    add     x0, x19, #LISTING_RECORDS
    bl      names_share
    add     x2, x1, #ROW_SIZEOF - 1
    and     x2, x2, #-ROW_SIZEOF    // the rows begin behind the records
    bl      rows_make
    sub     x1, x2, x0
    str     x1, [x19, #LISTING_END]
    lsr     x1, x1, #5              // ROW_SIZEOF
    bl      rows_sort
    ldr     x1, [x19, #LISTING_END]
    add     x1, x0, x1
    stp     x0, x1, [x19, #LISTING_NEXT]
    carry_clear
Ldirectory_list_return:
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

// directory_gather - read until the directory ends, or the buffer
//
//   In     x0 fd of the directory   x1 buffer   x2 its size
//   Out    C clear: x0 end of the records   x1 1 when there was more, else 0
//          C set:   x0 errno
//   Clob   x2-x17
//   Frame  48: x29 x30, x19 x20, x21
//
//   x19 fd   x20 cursor   x21 end of the buffer   x0 records left
//   x1 length of a record
func directory_gather
    stp     x29, x30, [sp, #-48]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    str     x21, [sp, #32]
    mov     x19, x0
    mov     x20, x1
    add     x21, x1, x2

Ldirectory_gather_read:
    mov     x0, x19
    mov     x1, x20
    sub     x2, x21, x20
    bl      directory_read
    b.cs    Ldirectory_gather_failed
    cbz     x0, Ldirectory_gather_end
Ldirectory_gather_record:
    ldr     w1, [x20]               // RECORD_LENGTH
    add     x20, x20, x1
    subs    x0, x0, #1
    b.ne    Ldirectory_gather_record
    b       Ldirectory_gather_read
Ldirectory_gather_end:
    mov     x1, #0
Ldirectory_gather_done:
    mov     x0, x20
    carry_clear
Ldirectory_gather_return:
    ldr     x21, [sp, #32]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #48
    ret

Ldirectory_gather_failed:
    cmp     x0, #EINTR
    b.eq    Ldirectory_gather_read  // a signal came first: the same again
    mov     x1, #1
    cmp     x0, #ERANGE             // full
    b.eq    Ldirectory_gather_done
    carry_set
    b       Ldirectory_gather_return

// names_share - how many bytes do all names begin with?
//
// "photo-0001.jpg" and its thousand relatives are told apart by what comes
// behind "photo-0", so that is what the sorter should look at first.
//
//   In     x0 records   x1 their end
//   Out    x3 how many
//   Clob   x2 x4-x8
//   Frame  none (leaf)
//
//   x2 record   x3 how many   x4 first name   x5 name   x6 x7 eight bytes
//   x8 place in the names
func names_share
    mov     x3, #0
    mov     x2, x0
    cmp     x0, x1
    b.hs    Lnames_share_return
    ldpsw   x4, x3, [x0, #RECORD_NAME]
    add     x4, x4, x0
    add     x4, x4, #RECORD_NAME
Lnames_share_record:
    ldr     w5, [x2]                // RECORD_LENGTH
    add     x2, x2, x5
    cmp     x2, x1
    b.hs    Lnames_share_return
    ldrsw   x5, [x2, #RECORD_NAME]
    add     x5, x5, x2
    add     x5, x5, #RECORD_NAME
    mov     x8, #0
Lnames_share_word:
    ldr     x6, [x4, x8]
    ldr     x7, [x5, x8]
    eor     x6, x6, x7
    cbnz    x6, Lnames_share_differ
    add     x8, x8, #8
    cmp     x8, x3
    b.lo    Lnames_share_word
    b       Lnames_share_record
Lnames_share_differ:
    rbit    x6, x6                  // count the bits below the first one set
    clz     x6, x6
    add     x8, x8, x6, lsr #3
    cmp     x8, x3
    csel    x3, x8, x3, lo
    cbnz    x3, Lnames_share_record
Lnames_share_return:
    ret

// rows_make - make a row of each entry that a client can ask for
//
// That is a file or a directory. Symbolic links and the rest are refused, and
// so are names that begin with ".~" or "..", and names that are too long. The
// key is what comes behind the bytes that all names share, its first byte
// highest, and above it one bit that puts files behind directories.
//
//   In     x0 records   x1 their end   x2 place for the rows
//   x3 how many bytes all names share
//   Out    x0 the rows   x2 their end
//   Clob   x4-x8
//   Frame  none (leaf)
//
//   x0 record, later the rows   x2 cursor   x3 bytes shared
//   x4 kind, 0 for a directory and 1 for a file   x5 name   x6 its length
//   x7 its first byte, or the key   x8 the rows
func rows_make
    mov     x8, x2
Lrows_make_record:
    cmp     x0, x1
    b.hs    Lrows_make_done
    ldr     w4, [x0, #RECORD_KIND]
    sub     w4, w4, #VREG           // VDIR is the number behind it
    cmp     w4, #1
    b.hi    Lrows_make_next
    ldpsw   x5, x6, [x0, #RECORD_NAME]
    add     x5, x5, x0
    add     x5, x5, #RECORD_NAME
    cmp     x6, #RECORD_NAME_MAX
    b.hi    Lrows_make_next
    ldrb    w7, [x5]
    cmp     w7, #'.'
    b.eq    Lrows_make_dot
Lrows_make_keep:
    stp     x5, x6, [x2, #ROW_TEXT]
    ldr     x7, [x5, x3]
    rev     x7, x7
    lsr     x7, x7, #1
    eor     w4, w4, #1
    orr     x7, x7, x4, lsl #63
    str     x7, [x2, #ROW_KEY]
    str     x0, [x2, #ROW_DATA]
    add     x2, x2, #ROW_SIZEOF
Lrows_make_next:
    ldr     w4, [x0]                // RECORD_LENGTH
    add     x0, x0, x4
    b       Lrows_make_record
Lrows_make_done:
    mov     x0, x8
    ret

Lrows_make_dot:
    ldrb    w7, [x5, #1]
    cmp     w7, #'~'
    b.eq    Lrows_make_next
    cmp     w7, #'.'
    b.eq    Lrows_make_next
    b       Lrows_make_keep
