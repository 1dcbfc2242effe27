// socket.s - sockets: one function for each system call
//
// Gives    socket_open socket_reuse socket_bind socket_listen socket_accept
//          socket_port socket_finish socket_drain reply_transmit
// Needs    nothing
// Memory   none of its own
// Spec     socket(2) and its relatives, sendfile(2), writev(2)
// Tests    tests/asm/test_contracts.py, tests/http/
// SPDX-License-Identifier: MIT

.include "abi.inc"
.include "macros.inc"
.include "reply.inc"

// socket_open - make a TCP socket
//
//   In     nothing
//   Out    C clear: x0 fd
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x0 family   x1 type   x2 protocol   x16 the number of the call
func socket_open
    mov     x0, #AF_INET
    mov     x1, #SOCK_STREAM
    mov     x2, #0
    sys     socket
    ret

// socket_reuse - let a port be taken again right after a server has ended
//
//   In     x0 fd
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  16: 4 bytes for the value
//
//   x1 level   x2 option   x3 value   x4 its size   x16 the number of the call
func socket_reuse
    sub     sp, sp, #16
    mov     w3, #1
    str     w3, [sp]
    mov     x1, #SOL_SOCKET
    mov     x2, #SO_REUSEADDR
    mov     x3, sp
    mov     x4, #4
    sys     setsockopt
    add     sp, sp, #16
    ret

// socket_bind - give a socket its address
//
//   In     x0 fd   x1 address in network order   x2 port
//   Out    C clear: x0 0
//          C set:   x0 errno (EADDRINUSE, EADDRNOTAVAIL, EACCES)
//   Clob   x1-x17
//   Frame  16: a sockaddr
//
//   x1 address   x2 port, later the sockaddr's size   x3 length and family
//   x16 the number of the call
func socket_bind
    sub     sp, sp, #16
    mov     w3, #SOCKADDR_SIZEOF | AF_INET << 8
    strh    w3, [sp, #SOCKADDR_LENGTH]
    rev16   w2, w2                  // ports are sent high byte first
    strh    w2, [sp, #SOCKADDR_PORT]
    str     w1, [sp, #SOCKADDR_ADDRESS]
    str     xzr, [sp, #8]
    mov     x1, sp
    mov     x2, #SOCKADDR_SIZEOF
    sys     bind
    add     sp, sp, #16
    ret

// socket_listen - let clients connect
//
//   In     x0 fd
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x1 connections that may wait   x16 the number of the call
func socket_listen
    mov     x1, #128                // kern.ipc.somaxconn, as it comes
    sys     listen
    ret

// socket_accept - wait for a client
//
//   In     x0 fd of the listening socket
//   Out    C clear: x0 fd of the connection
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x1 no address wanted   x2 no size   x16 the number of the call
func socket_accept
    mov     x1, #0
    mov     x2, #0
    sys     accept
    ret

// socket_port - which port did the kernel choose?
//
//   In     x0 fd
//   Out    C clear: x0 port
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  32: a sockaddr, 4 bytes for its size
//
//   x1 sockaddr   x2 its size   x16 the number of the call
func socket_port
    sub     sp, sp, #32
    mov     w2, #SOCKADDR_SIZEOF
    str     w2, [sp, #16]
    mov     x1, sp
    add     x2, sp, #16
    sys     getsockname
    b.cs    Lsocket_port_return
    ldrh    w0, [sp, #SOCKADDR_PORT]
    rev16   w0, w0                  // C is still clear
Lsocket_port_return:
    add     sp, sp, #32
    ret

// socket_finish - say that nothing more will be sent
//
//   In     x0 fd
//   Out    C clear: x0 0
//          C set:   x0 errno
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x1 direction   x16 the number of the call
func socket_finish
    mov     x1, #SHUT_WR
    sys     shutdown
    ret

// socket_drain - take what has arrived, without waiting
//
//   In     x0 fd   x1 buffer   x2 its size
//   Out    C clear: x0 bytes taken, 0 at the end
//          C set:   x0 errno (EAGAIN: nothing there)
//   Clob   x1-x17
//   Frame  none (leaf)
//
//   x3 flags   x4 no address wanted   x5 no size   x16 the number of the call
func socket_drain
    mov     x3, #MSG_DONTWAIT
    mov     x4, #0
    mov     x5, #0
    sys     recvfrom
    ret

// reply_transmit - send as much of a reply as one system call takes
//
//   In     x0 fd of the connection   x1 reply, something of it is left to send
//   Out    C clear: x0 bytes sent, of head and body together
//          C set:   x0 errno, and nothing was sent
//   Clob   x1-x17
//   Frame  16: x29 x30
//
//   x0 fd   x1 reply   x2 where the body is, later its length
func reply_transmit
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp

    ldr     w2, [x1, #REPLY_KIND]
    cmp     w2, #BODY_FILE
    b.ne    Lreply_transmit_memory
    ldr     x2, [x1, #REPLY_LENGTH]
    cbz     x2, Lreply_transmit_memory      // only the head is left
    bl      transmit_file
    b       Lreply_transmit_return
Lreply_transmit_memory:
    bl      transmit_memory
Lreply_transmit_return:
    ldp     x29, x30, [sp], #16
    ret

// transmit_memory - send head and body from memory
//
//   In     x0 fd of the connection   x1 reply
//   Out    C clear: x0 bytes sent
//          C set:   x0 errno, and nothing was sent
//   Clob   x1-x17
//   Frame  32: two iovecs
//
//   x1 reply, later the iovecs   x2 first byte, later how many iovecs
//   x3 length   x16 the number of the call
func transmit_memory
    sub     sp, sp, #32
    ldp     x2, x3, [x1, #REPLY_HEAD]
    stp     x2, x3, [sp]
    ldr     x2, [x1, #REPLY_BODY]
    ldr     x3, [x1, #REPLY_LENGTH]
    stp     x2, x3, [sp, #IOVEC_SIZEOF]
    mov     x1, sp
    mov     x2, #2
    sys     writev
    add     sp, sp, #32
    ret

// transmit_file - send what is left of the head, and the body from its file
//
// sendfile takes both. It reports through memory how much it sent, also when it
// was cut short; and its result is 0, never a count. Were there room for only a
// part of the head, it would go on with the file nevertheless: so the head goes
// this way only on a connection on which nothing is waiting to be sent.
//
//   In     x0 fd of the connection   x1 reply, its body is not empty
//   Out    C clear: x0 bytes sent
//          C set:   x0 errno, and nothing was sent (EIO: the file has shrunk)
//   Clob   x1-x17
//   Frame  64: sf_hdtr, iovec, length
//
//   x0 file   x1 connection   x2 offset   x3 length   x4 sf_hdtr   x5 flags
//   x6 head   x7 its length   x8 reply   x16 the number of the call
func transmit_file
    sub     sp, sp, #64
    mov     x8, x1
    mov     x1, x0
    ldr     w0, [x8, #REPLY_FD]
    ldp     x2, x3, [x8, #REPLY_OFFSET]
    ldp     x6, x7, [x8, #REPLY_HEAD]
    stp     x6, x7, [sp, #32]
    add     x3, x3, x7              // the limit counts the head as well
    str     x3, [sp, #48]
    mov     x4, #0
    cbz     x7, Ltransmit_file_send
    add     x6, sp, #32
    mov     x7, #1
    stp     x6, x7, [sp]            // one header
    stp     xzr, xzr, [sp, #16]     // no trailer
    mov     x4, sp
Ltransmit_file_send:
    add     x3, sp, #48
    mov     x5, #0
    sys     sendfile
    ldr     x3, [sp, #48]
    add     sp, sp, #64
    b.cs    Ltransmit_file_short
    cbz     x3, Ltransmit_file_shrunk
    mov     x0, x3
    ret

Ltransmit_file_short:               // what was sent counts, whatever went wrong
    cbz     x3, Ltransmit_file_failed
    mov     x0, x3
    carry_clear
    ret
Ltransmit_file_shrunk:
    mov     x0, #EIO
    carry_set
Ltransmit_file_failed:
    ret
