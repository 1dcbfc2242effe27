"""What an event loop costs: kevent, and requests a second on kept connections."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.emulator import loop, program, seconds
from bench.measure import Figure, best, timed
from ymawky_kit import macho
from ymawky_kit.asm import assemble
from ymawky_kit.link import link
from ymawky_kit.run import EmulatedRunner
from ymawky_kit.source import Source

_SOURCE = Path(__file__).with_name("event_loop.s")
_CALLS = 100_000
_REQUESTS = 20_000
_CONNECTIONS = 8
_SIZE = 1024
_ROUNDS = 3
_REQUEST = b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n"

# A pair of sockets with a byte to read, and a queue.
_PREPARE = """
    mov     x0, #1
    mov     x1, #1
    mov     x2, #0
    adrp    x3, pair@PAGE
    add     x3, x3, pair@PAGEOFF
    call    135
    adrp    x20, pair@PAGE
    add     x20, x20, pair@PAGEOFF
    ldr     w0, [x20]
    mov     x1, x20
    mov     x2, #1
    call    4
    ldr     w0, [x20, #4]
    str     x0, [x20, #16]
    call    362
    mov     x21, x0
"""

_KEVENT = """
    mov     x0, x21
    add     x1, x20, #16
    mov     x2, #1
    add     x3, x20, #64
    mov     x4, #8
    mov     x5, #0
    call    363
"""

_DATA = """
.data
.p2align 3
pair:   .quad   0, 0
        .quad   0
        .short  -1, 1
        .long   0
        .quad   0, 0
        .space  320
"""


def figures() -> Iterator[Figure]:
    """kevent by itself, then the loop around it."""
    with tempfile.TemporaryDirectory(prefix="ymawky-bench-") as name:
        folder = Path(name)
        start = seconds(folder, program("    mov x0, #0\n    call 1\n"))
        taken = seconds(folder, loop(_CALLS, _KEVENT, _PREPARE, _DATA)) - start
        yield Figure(
            "kevent with one change and one event", taken / _CALLS * 1e6, "µs", 15, at_most=True
        )
        rate, cost = _server(folder)
        yield Figure(
            f"GET 1 KB, event loop, emulated, {_CONNECTIONS} clients", rate, "requests/s", 10_000
        )
        yield Figure("the same, processor time of the server", cost * 1e6, "µs/request")


def _server(folder: Path) -> tuple[float, float]:
    """Requests a second by the clock, and processor seconds of the server for each."""
    (folder / "page").write_bytes(b"k" * _SIZE)
    file = folder / "event_loop"
    data = macho.build(link([assemble(Source.read(_SOURCE))], identifier="event_loop"))
    file.write_bytes(data)
    file.chmod(0o755)
    with subprocess.Popen(
        EmulatedRunner().command(file), stdout=subprocess.PIPE, cwd=folder
    ) as process:
        assert process.stdout is not None
        try:
            port = int.from_bytes(os.read(process.stdout.fileno(), 2), "big")
            _ask(port)                      # translation, imports
            before = _of(process.pid)
            rate = _REQUESTS / best(lambda: timed(lambda: _ask(port)), _ROUNDS)
            cost = (_of(process.pid) - before) / (_REQUESTS * _ROUNDS)
        finally:
            process.kill()
    return rate, cost


def _of(pid: int) -> float:
    """Processor seconds of a running process, 0 where the host has no /proc."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ask(port: int) -> None:
    """So many requests over kept connections, each connection with one under way."""
    clients = {
        client.fileno(): client
        for client in (
            socket.create_connection(("127.0.0.1", port)) for _ in range(_CONNECTIONS)
        )
    }
    poller = select.poll()
    waiting = dict.fromkeys(clients, 0)
    for fd, client in clients.items():
        poller.register(fd, select.POLLIN)
        client.send(_REQUEST)
    asked, answered = _CONNECTIONS, 0
    while answered < _REQUESTS:
        for fd, _ in poller.poll():
            data = clients[fd].recv(65536)
            if not data:
                raise RuntimeError("the server closed a connection")
            waiting[fd] += len(data)
            if waiting[fd] < _SIZE + 60:
                continue
            waiting[fd] = 0
            answered += 1
            if asked < _REQUESTS:
                asked += 1
                clients[fd].send(_REQUEST)
    for client in clients.values():
        client.close()
