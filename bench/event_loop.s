// event_loop.s - the smallest event loop: kevent, accept, read, sendfile
//
// One process serves the file "page" of its directory, which has 1,024 bytes, to any
// request on any number of kept connections.  Its first output is the port, two bytes in
// network order.  The benchmark and tests/kit/test_darwin_event_loop.py run it.
// SPDX-License-Identifier: MIT
//
//   x19 listener   x20 queue   x21 changes waiting   x22 event   x23 events left   x24 file

.macro call number
    mov     x16, #\number
    svc     #0x80
.endm
.macro addr register, symbol
    adrp    \register, \symbol@PAGE
    add     \register, \register, \symbol@PAGEOFF
.endm
.text
.p2align 2
.globl start
start:
    mov     x0, #2
    mov     x1, #1
    mov     x2, #0
    call    97                  // socket
    mov     x19, x0
    addr    x1, name
    mov     x2, #16
    call    104                 // bind
    mov     x0, x19
    mov     x1, #128
    call    106                 // listen
    mov     x0, x19
    mov     x1, #4
    mov     x2, #4
    call    92                  // O_NONBLOCK, which accept hands on
    mov     x0, x19
    addr    x1, name
    addr    x2, size
    call    32                  // getsockname
    addr    x0, path
    mov     x1, #0
    call    5                   // open
    mov     x24, x0
    call    362                 // kqueue
    mov     x20, x0
    mov     x0, #1
    addr    x1, name
    add     x1, x1, #2
    mov     x2, #2
    call    4                   // the port
    mov     x21, #0
    mov     x0, x19
    bl      watch
Lloop:
    mov     x0, x20
    addr    x1, changes
    mov     x2, x21
    addr    x3, events
    mov     x4, #64
    mov     x5, #0
    call    363
    b.cs    Lend
    mov     x21, #0
    mov     x23, x0
    addr    x22, events
Levent:
    cbz     x23, Lloop
    ldr     x0, [x22]
    cmp     x0, x19
    b.eq    Laccept
    addr    x1, buffer
    mov     x2, #4096
    call    3                   // read
    b.cs    Lclose
    cbz     x0, Lclose
    addr    x9, count
    str     xzr, [x9]
    mov     x0, x24
    ldr     x1, [x22]
    mov     x2, #0
    addr    x3, count
    addr    x4, hdtr
    mov     x5, #0
    call    337                 // sendfile
    b.cs    Lclose
Lnext:
    add     x22, x22, #32
    sub     x23, x23, #1
    b       Levent
Laccept:
    mov     x0, x19
    mov     x1, #0
    mov     x2, #0
    call    30
    b.cs    Lnext
    bl      watch
    cmp     x21, #64
    b.lo    Laccept
    b       Lnext
Lclose:
    ldr     x0, [x22]
    call    6
    b       Lnext
Lend:
    call    1
// Put {x0, EVFILT_READ, EV_ADD} behind the changes.
watch:
    addr    x9, changes
    add     x9, x9, x21, lsl #5
    str     x0, [x9]
    mov     w10, #0xffff
    movk    w10, #1, lsl #16
    str     w10, [x9, #8]
    str     wzr, [x9, #12]
    str     xzr, [x9, #16]
    str     xzr, [x9, #24]
    add     x21, x21, #1
    ret
.data
.p2align 3
name:   .byte 16, 2, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0
vector: .quad head, 60
hdtr:   .quad vector
        .quad 1
        .quad 0
        .quad 0
count:  .quad 0
size:   .long 16
head:   .ascii "HTTP/1.1 200 OK\r\nContent-Length: 1024\r\nContent-Type: a/b\r\n\r\n"
path:   .asciz "page"
.bss
.p2align 3
.globl events
events:  .space 2048
changes: .space 4096
buffer:  .space 4096
