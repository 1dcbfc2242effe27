"""An event loop in assembly: one process, many connections, kevent and sendfile."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.programs import write

from ymawky_kit.run import EmulatedRunner

# x19 listener   x20 queue   x21 changes waiting   x22 event   x23 events left   x24 file
SERVER = """
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
head:   .ascii "HTTP/1.1 200 OK\\r\\nContent-Length: 1024\\r\\nContent-Type: a/b\\r\\n\\r\\n"
path:   .asciz "page"
.bss
.p2align 3
.globl events
events:  .space 2048
changes: .space 4096
buffer:  .space 4096
"""

PAGE = bytes(range(256)) * 4


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    (tmp_path / "page").write_bytes(PAGE)
    path = write(tmp_path, SERVER)
    process = subprocess.Popen(
        EmulatedRunner().command(path), stdout=subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdout is not None
    try:
        yield process, int.from_bytes(os.read(process.stdout.fileno(), 2), "big")
    finally:
        process.kill()
        process.communicate()


def ask(client: socket.socket) -> bytes:
    """One request; gives the body."""
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    data = b""
    while len(data) < 60 + len(PAGE):
        part = client.recv(1 << 16)
        assert part, data
        data += part
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    return data[60:]


def test_an_event_loop_serves_kept_connections(server) -> None:
    process, port = server
    clients = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(50)]
    try:
        for _ in range(4):
            for client in clients:
                assert PAGE == ask(client)
    finally:
        for client in clients:
            client.close()
    assert process.poll() is None


def test_an_event_loop_keeps_no_descriptor(server) -> None:
    process, port = server
    folder = Path(f"/proc/{process.pid}/fd")
    if not folder.is_dir():
        pytest.skip("only where the host shows a process's descriptors")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        ask(client)
        before = len(list(folder.iterdir()))
        for _ in range(500):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as other:
                assert PAGE == ask(other)
        ask(client)
        ask(client)
        assert len(list(folder.iterdir())) <= before + 1
