"""Drivers for the modules of chapter 11."""

from __future__ import annotations

from pathlib import Path

from support.contract import Asm
from support.drivers import driver
from support.layout import Connection, constants

CONN = constants("conn.inc")


def with_head(asm: Asm, *lines: bytes, first: bytes = b"GET / HTTP/1.1") -> Connection:
    """A connection that has received a head; the flags are as request_parse leaves them."""
    conn = Connection(asm)
    head = b"\r\n".join([first, b"Host: a", *lines, b"", b""])
    asm.poke(conn.address + CONN["CONN_IN"], head)
    result = asm.call("request_parse", conn.request.address, conn.address + CONN["CONN_IN"],
                      len(head))
    assert (False, len(head)) == (result.carry, result.value), head
    return conn


@driver
def head_field(asm: Asm, _: Path) -> None:
    for lines in ((), (b"Range: a",), (b"range:\t ",), (b"Ranges: b", b"range:c", b"RANGE: d\t")):
        conn = with_head(asm, *lines)
        where = 0
        name = asm.alloc(b"range")
        while not (found := asm.call("head_field", conn.address, name, 5, where)).carry:
            where = found["x2"]
