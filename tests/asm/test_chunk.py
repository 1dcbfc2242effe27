"""http/chunk, read back by h11."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.server import parse

PROGRAM = "listings"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@given(st.lists(st.binary(min_size=1, max_size=300) | st.integers(1, 70_000).map(bytes),
                max_size=4))
def test_chunks_carry_their_bytes(asm: Asm, parts: list[bytes]) -> None:
    asm.reset()
    body = b""
    for part in parts:
        at = asm.alloc(bytes(18) + part + bytes(2)) + 18
        done = asm.call("chunk_frame", at, at + len(part))
        chunk = asm.peek(done.value, done["x1"] - done.value)
        assert b"%x\r\n%b\r\n" % (len(part), part) == chunk
        body += chunk
    last = asm.alloc(5)
    end = asm.call("chunk_end", last).value
    assert b"".join(parts) == parse(HEAD + body + asm.peek(last, end - last)).body


def test_the_longest_length_there_is_has_room(asm: Asm) -> None:
    """Sixteen digits and CR LF: the bytes themselves are never touched."""
    at = asm.alloc(64) + 32
    done = asm.call("chunk_frame", at, at - 1)          # a length of 2**64 - 1
    assert at - 18 == done.value
    assert b"f" * 16 + b"\r" == asm.peek(done.value, 17)
