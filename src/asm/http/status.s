// status.s - status codes: their words, and which one an errno becomes
//
// Gives    status_text status_from_errno
// Needs    nothing
// Memory   none of its own
// Spec     RFC 9110 15; RFC 6585 (431); RFC 4918 11.5 (507)
// Tests    tests/asm/test_status.py
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"

.equ STATUS_ROW_SIZE,       16

// status_text - what a status is called, and one sentence about it
//
//   In     x0 status, not 0
//   Out    x0 code and name, as in "200 OK"   x1 length   x2 sentence
//   x3 length of the sentence; those of 500 for a status not in the table
//   Clob   x4
//   Frame  none (leaf)
//
//   x0 status, later its text   x2 row   x4 status of the row, later the table
func status_text
    addr    x2, status_rows
Lstatus_text_row:
    ldrh    w4, [x2], #STATUS_ROW_SIZE
    cmp     w4, w0
    b.eq    Lstatus_text_found
    cbnz    w4, Lstatus_text_row
    mov     x0, #500
    addr    x2, status_rows
    b       Lstatus_text_row
Lstatus_text_found:
    addr    x4, status_rows
    ldrh    w1, [x2, #2 - STATUS_ROW_SIZE]
    ldrh    w3, [x2, #4 - STATUS_ROW_SIZE]
    ldrsw   x0, [x2, #8 - STATUS_ROW_SIZE]
    ldrsw   x2, [x2, #12 - STATUS_ROW_SIZE]
    add     x0, x4, x0
    add     x2, x4, x2
    ret

// status_from_errno - what to tell a client when a file could not be had
//
//   In     x0 errno
//   Out    x0 status 403, 404, 409, 413, 500, 503, 507
//   Clob   x1-x2
//   Frame  none (leaf)
//
//   x0 errno, later the status   x1 row   x2 errno of the row
func status_from_errno
    addr    x1, errno_statuses
Lstatus_from_errno_row:
    ldrh    w2, [x1], #4
    cbz     w2, Lstatus_from_errno_found    // the last row fits everything
    cmp     w2, w0
    b.ne    Lstatus_from_errno_row
Lstatus_from_errno_found:
    ldrh    w0, [x1, #-2]
    ret

rodata
string status_200, "200 OK"
string why_200, ""
string status_201, "201 Created"
string why_201, ""
string status_204, "204 No Content"
string why_204, ""
string status_206, "206 Partial Content"
string why_206, ""
string status_301, "301 Moved Permanently"
string why_301, "This address has a slash at its end."
string status_304, "304 Not Modified"
string why_304, ""
string status_400, "400 Bad Request"
string why_400, "The server could not make sense of the request."
string status_403, "403 Forbidden"
string why_403, "This is here, but not for you to see."
string status_404, "404 Not Found"
string why_404, "There is nothing at this address."
string status_405, "405 Method Not Allowed"
string why_405, "This cannot be done to what is at this address."
string status_408, "408 Request Timeout"
string why_408, "The request took too long to arrive."
string status_409, "409 Conflict"
string why_409, "This does not fit what is at this address."
string status_411, "411 Length Required"
string why_411, "The request must say how long its body is."
string status_412, "412 Precondition Failed"
string why_412, "What is at this address is not what the request was meant for."
string status_413, "413 Content Too Large"
string why_413, "The body of the request is larger than the server takes."
string status_414, "414 URI Too Long"
string why_414, "The address is longer than the server reads."
string status_415, "415 Unsupported Media Type"
string why_415, "The server keeps files only as they are, not compressed."
string status_416, "416 Range Not Satisfiable"
string why_416, "The file ends before the part that was asked for."
string status_417, "417 Expectation Failed"
string why_417, "The server cannot do what the request expects."
string status_421, "421 Misdirected Request"
string why_421, "This server does not speak for that address."
string status_431, "431 Request Header Fields Too Large"
string why_431, "The head of the request is larger than the server reads."
string status_500, "500 Internal Server Error"
string why_500, "Something went wrong inside the server."
string status_501, "501 Not Implemented"
string why_501, "The server does not know how to do that."
string status_503, "503 Service Unavailable"
string why_503, "The server has too much to do. Try again in a moment."
string status_505, "505 HTTP Version Not Supported"
string why_505, "The server speaks HTTP/1.1."
string status_507, "507 Insufficient Storage"
string why_507, "There is no room left for this."

// code, length of the name, length of the sentence; distances from the table
.p2align 2
status_rows:
    .short  200, status_200_len, why_200_len, 0
    .long   status_200 - status_rows, why_200 - status_rows
    .short  201, status_201_len, why_201_len, 0
    .long   status_201 - status_rows, why_201 - status_rows
    .short  204, status_204_len, why_204_len, 0
    .long   status_204 - status_rows, why_204 - status_rows
    .short  206, status_206_len, why_206_len, 0
    .long   status_206 - status_rows, why_206 - status_rows
    .short  301, status_301_len, why_301_len, 0
    .long   status_301 - status_rows, why_301 - status_rows
    .short  304, status_304_len, why_304_len, 0
    .long   status_304 - status_rows, why_304 - status_rows
    .short  400, status_400_len, why_400_len, 0
    .long   status_400 - status_rows, why_400 - status_rows
    .short  403, status_403_len, why_403_len, 0
    .long   status_403 - status_rows, why_403 - status_rows
    .short  404, status_404_len, why_404_len, 0
    .long   status_404 - status_rows, why_404 - status_rows
    .short  405, status_405_len, why_405_len, 0
    .long   status_405 - status_rows, why_405 - status_rows
    .short  408, status_408_len, why_408_len, 0
    .long   status_408 - status_rows, why_408 - status_rows
    .short  409, status_409_len, why_409_len, 0
    .long   status_409 - status_rows, why_409 - status_rows
    .short  411, status_411_len, why_411_len, 0
    .long   status_411 - status_rows, why_411 - status_rows
    .short  412, status_412_len, why_412_len, 0
    .long   status_412 - status_rows, why_412 - status_rows
    .short  413, status_413_len, why_413_len, 0
    .long   status_413 - status_rows, why_413 - status_rows
    .short  414, status_414_len, why_414_len, 0
    .long   status_414 - status_rows, why_414 - status_rows
    .short  415, status_415_len, why_415_len, 0
    .long   status_415 - status_rows, why_415 - status_rows
    .short  416, status_416_len, why_416_len, 0
    .long   status_416 - status_rows, why_416 - status_rows
    .short  417, status_417_len, why_417_len, 0
    .long   status_417 - status_rows, why_417 - status_rows
    .short  421, status_421_len, why_421_len, 0
    .long   status_421 - status_rows, why_421 - status_rows
    .short  431, status_431_len, why_431_len, 0
    .long   status_431 - status_rows, why_431 - status_rows
    .short  500, status_500_len, why_500_len, 0
    .long   status_500 - status_rows, why_500 - status_rows
    .short  501, status_501_len, why_501_len, 0
    .long   status_501 - status_rows, why_501 - status_rows
    .short  503, status_503_len, why_503_len, 0
    .long   status_503 - status_rows, why_503 - status_rows
    .short  505, status_505_len, why_505_len, 0
    .long   status_505 - status_rows, why_505 - status_rows
    .short  507, status_507_len, why_507_len, 0
    .long   status_507 - status_rows, why_507 - status_rows
    .short  0, 0, 0, 0
    .long   0, 0

// errno, status
errno_statuses:
    .short  ENOENT, 404
    .short  ENOTDIR, 404
    .short  ENAMETOOLONG, 404
    .short  EILSEQ, 404             // not a name on this volume
    .short  EACCES, 403
    .short  EPERM, 403
    .short  ELOOP, 403              // a symbolic link somewhere in the path
    .short  EOPNOTSUPP, 403         // a socket
    .short  ENXIO, 403              // a device without a driver
    .short  EMFILE, 503
    .short  ENFILE, 503
    .short  ENOMEM, 503
    .short  ENOSPC, 507
    .short  EDQUOT, 507
    .short  EROFS, 403              // a volume that cannot be written to
    .short  EISDIR, 409             // a directory where a file should go
    .short  EFBIG, 413              // larger than any file on this volume
    .short  0, 500
