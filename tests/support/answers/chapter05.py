"""Answers to the exercises of chapter 05."""

from __future__ import annotations

from support.answers import Wrong, change

ANOTHER_WAY = {
    "sockaddr_write": """func sockaddr_write
        mov x9, x0
        mov x0, #ERANGE
        cmp x1, #15
        b.ls Lz
        lsl w10, w3, #24
        and w11, w3, #0xff00
        lsl w11, w11, #8
        orr w10, w10, w11
        orr w10, w10, #2 << 8
        orr w10, w10, #16
        str w10, [x9], #4
        stp w2, wzr, [x9], #8
        str wzr, [x9]
        mov x0, #16
        carry_clear
        ret
    Lz: carry_set
        ret""",
    "sockaddr_port": """func sockaddr_port
        subs x1, x1, #16
        b.ne Lz
        ldr w9, [x0]
        rev w9, w9
        ubfx w10, w9, #16, #8
        and x0, x9, #0xffff
        subs w10, w10, #2
        b.ne Lz
        cmn xzr, xzr
        ret
    Lz: mov x0, #22
        carry_set
        ret""",
    "echo": """.equ ROOM, 100
    func serve_run
        stp x29, x30, [sp, #-16]!
        stp x19, x20, [sp, #-16]!
        stp x21, x22, [sp, #-16]!
        sub sp, sp, #112
        mov x19, x0
    Lx: mov x0, x19
        bl socket_accept
        b.cs Lz
        mov x20, x0
    Ly: mov x0, x20
        mov x1, sp
        mov x2, #ROOM
        bl fd_read
        b.cs Le
        cbz x0, Lc
        mov x21, x0
        mov x22, sp
    Lw: mov x0, x20
        mov x1, x22
        mov x2, x21
        bl fd_write
        b.cs Lf
        add x22, x22, x0
        subs x21, x21, x0
        b.ne Lw
        b Ly
    Le: cmp x0, #EINTR
        b.eq Ly
    Lc: mov x0, x20
        bl fd_close
        b Lx
    Lf: cmp x0, #EINTR
        b.eq Lw
        b Lc
    Lz: mov x0, #1
        add sp, sp, #112
        ldp x21, x22, [sp], #16
        ldp x19, x20, [sp], #16
        ldp x29, x30, [sp], #16
        ret""",
}

WRONG: list[Wrong] = [
    ("sockaddr_write", "low byte first",
     lambda: change("sockaddr_write", "    rev16   w3, w3\n", ""), "high byte must come first"),
    ("sockaddr_write", "swapped with rev",
     lambda: change("sockaddr_write", "rev16   w3, w3", "rev     w3, w3"), "the bytes are"),
    ("sockaddr_write", "the address turned round",
     lambda: change("sockaddr_write", "str     w2, [x0, #SOCKADDR_ADDRESS]",
                    "rev     w2, w2\n    str     w2, [x0, #SOCKADDR_ADDRESS]"),
     "in network order already"),
    ("sockaddr_write", "Linux's family",
     lambda: change("sockaddr_write", "#SOCKADDR_SIZEOF | AF_INET << 8", "#AF_INET"),
     "the first byte is 16"),
    ("sockaddr_write", "length and family changed over",
     lambda: change("sockaddr_write", "#SOCKADDR_SIZEOF | AF_INET << 8",
                    "#AF_INET | SOCKADDR_SIZEOF << 8"), "the length is the first byte"),
    ("sockaddr_write", "no zeros",
     lambda: change("sockaddr_write", "    str     xzr, [x0, #8]\n", ""),
     "last eight bytes are zeros"),
    ("sockaddr_write", "too much",
     lambda: change("sockaddr_write", "    str     xzr, [x0, #8]\n",
                    "    stp     xzr, xzr, [x0, #8]\n"), "did not return"),
    ("sockaddr_write", "exactly sixteen refused",
     lambda: change("sockaddr_write", "b.lo", "b.ls"), "sixteen bytes are enough"),
    ("sockaddr_write", "the comparison's C",
     lambda: change("sockaddr_write", "    carry_clear\n", ""), "C set"),
    ("sockaddr_write", "sizes with a sign",
     lambda: change("sockaddr_write", "b.lo", "b.lt"), "have no sign"),
    ("sockaddr_write", "half of the size",
     lambda: change("sockaddr_write", "cmp     x1", "cmp     w1"), "compare x1, not w1"),
    ("sockaddr_write", "sixteen and no more",
     lambda: change("sockaddr_write", "b.lo", "b.ne"), "may be larger than it must be"),
    ("sockaddr_write", "a byte in front",
     lambda: change("sockaddr_write", "    str     xzr, [x0, #8]\n",
                    "    str     xzr, [x0, #8]\n    strb    wzr, [x0, #-1]\n"),
     "in front of a buffer"),
    ("sockaddr_write", "no look at the size",
     lambda: change("sockaddr_write", "    b.lo    Lsockaddr_write_small\n", ""), "did not return"),
    ("sockaddr_write", "written before it looked",
     lambda: change("sockaddr_write", "    cmp ", "    cbz     x1, Lsockaddr_write_small\n"
                    "    strb    w3, [x0]\n    cmp "), "does not fit, and yet"),
    ("sockaddr_port", "low byte first",
     lambda: change("sockaddr_port", "    rev16   w0, w0\n", ""), "high byte comes first"),
    ("sockaddr_port", "Linux's family",
     lambda: change("sockaddr_port", "ldrb    w2, [x0, #SOCKADDR_FAMILY]", "ldrh    w2, [x0]"),
     "the family is one byte"),
    ("sockaddr_port", "no look at the number of bytes",
     lambda: change("sockaddr_port", "    b.ne    Lsockaddr_port_invalid\n    ldrb", "    ldrb"),
     "did not return"),
    ("sockaddr_port", "at least some bytes",
     lambda: change("sockaddr_port", "    cmp     x1, #SOCKADDR_SIZEOF\n"
                    "    b.ne    Lsockaddr_port_invalid\n    ldrb",
                    "    cmp     x1, #4\n    b.lo    Lsockaddr_port_invalid\n    ldrb"),
     "an IPv4 address has 16 bytes"),
    ("sockaddr_port", "every family",
     lambda: change("sockaddr_port", "    cmp     w2, #AF_INET\n    b.ne", "    cmp     w2, #77\n"
                    "    b.eq"), "another family has no IPv4 port"),
    ("sockaddr_port", "the comparison's C",
     lambda: change("sockaddr_port", "    carry_clear\n", ""), "cmp has left C set"),
    ("echo", "another name",
     lambda: change("echo", "func serve_run", "func echo_run"), "called serve_run"),
    ("echo", "more than there is room for",
     lambda: change("echo", ".skip   4096", ".skip   4000"), "into room for 4000"),
    ("echo", "a slip of the pen",
     lambda: change("echo", "bl      fd_read_some", "bl      fd_reed_some"),
     "did you mean 'fd_read_some'"),
    ("echo", "one client and no more",
     lambda: change("echo", "    b       Lserve_run_client\n", ""),
     "found nobody: the server has ended"),
    ("echo", "one piece and no more",
     lambda: change("echo", "    b.cc    Lserve_run_piece\n", ""), "go on until a read gives 0"),
    ("echo", "never closed",
     lambda: change("echo", "    mov     x0, x20\n    bl      fd_close\n", ""),
     "stays open"),
    ("echo", "the whole buffer",
     lambda: change("echo", "    mov     x2, x0\n    mov     x0, x20\n",
                    "    mov     x2, #4096\n    mov     x0, x20\n"), "send back what was read"),
    ("echo", "a short write is not noticed",
     lambda: change("echo", "bl      fd_write_all", "bl      fd_write"), "short write"),
    ("echo", "a signal ends it",
     lambda: change("echo", "bl      fd_read_some", "bl      fd_read"), "short write and signals"),
    ("echo", "one lost client ends it",
     lambda: change("echo", "    bl      fd_read_some\n    b.cs    Lserve_run_close",
                    "    bl      fd_read_some\n    b.cs    Lserve_run_failed"),
     "When the first read fails, client 2"),
    ("echo", "an accept that fails is not noticed",
     lambda: change("echo", "    b.cs    Lserve_run_failed\n", ""), "accept fails"),
    ("echo", "0 when accept fails",
     lambda: change("echo", "    mov     x0, #1\n", "    mov     x0, #0\n"), "gave back 0, not 1"),
    ("echo", "a register that is not its own",
     lambda: change("echo", "    ldp     x19, x20, [sp, #16]\n", ""), "changed x19"),
]
