"""http/multipart: its segments put together are what the email package takes apart."""

from __future__ import annotations

import email.message
import email.parser
import email.policy

from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.drivers.ranges import tag, with_file
from support.layout import Connection, constants
from support.server import parse

PROGRAM = "ranges"
KIND = constants("reply.inc")


def file_bytes(first: int, size: int) -> bytes:
    """The same wherever one begins to read."""
    return bytes(n * 7 % 251 for n in range(first, first + size))


def sent(asm: Asm, conn: Connection) -> bytes:
    """What goes over the connection, segment by segment."""
    data = bytearray()
    while True:
        reply = conn.reply
        data += reply.text("REPLY_HEAD")
        if reply["REPLY_KIND"] == KIND["BODY_FILE"]:
            behind = len(data) > 0 and reply["REPLY_HEAD_LEN"] == 0
            assert behind or reply["REPLY_STATE"] == 0, "a head and a file, not in the first"
            data += file_bytes(reply["REPLY_OFFSET"], reply["REPLY_LENGTH"])
        else:
            assert 0 == reply["REPLY_LENGTH"]
        if not reply["REPLY_NEXT"]:
            return bytes(data)
        reply["REPLY_HEAD_LEN"] = 0
        assert not asm.call("multipart_next", conn.address).carry


def parts(raw: bytes) -> list[email.message.Message]:
    reply = parse(raw)
    assert 206 == reply.status
    assert b"content-range" not in reply.headers
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + reply.headers[b"content-type"] + b"\r\n\r\n" + reply.body)
    assert [] == message.defects
    assert message.is_multipart()
    return list(message.iter_parts())


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 40)), min_size=2, max_size=32,
                unique_by=lambda pair: pair[0]), st.sampled_from([b"a.txt", b"noextension"]))
def test_every_part_comes_with_its_place(asm: Asm, wanted, path: bytes) -> None:
    asm.reset()
    size = 61 * 200
    spans = [(200 * at, 200 * at + count) for at, count in wanted]
    value = b",".join(b"%d-%d" % (first, end - 1) for first, end in spans)
    conn = with_file(asm, b"Range: bytes=" + value, size=size)
    conn.set_path(path)
    assert (True, 206) == (lambda r: (r.carry, r.value))(asm.call("range_apply", conn.address))
    asm.call("multipart_plan", conn.address)
    raw = sent(asm, conn)
    found = parts(raw)
    type_ = {b"a.txt": "text/plain; charset=utf-8", b"noextension": "application/octet-stream"}
    for (first, end), part in zip(spans, found, strict=True):
        assert f"bytes {first}-{end - 1}/{size}" == part["Content-Range"]
        assert type_[path] == part["Content-Type"].replace('"', "")
        assert file_bytes(first, end - first) == part.get_payload(decode=True)


def test_the_boundary_is_the_digits_of_the_tag(asm: Asm) -> None:
    conn = with_file(asm, b"Range: bytes=0-0,-1")
    asm.call("range_apply", conn.address)
    asm.call("multipart_plan", conn.address)
    digits = tag(asm, conn).strip(b'"')
    reply = parse(sent(asm, conn))
    assert b"multipart/byteranges; boundary=" + digits == reply.headers[b"content-type"]
    assert b'"' + digits + b'"' == reply.headers[b"etag"]
    assert b"Sun, 06 Nov 1994 08:47:57 GMT" == reply.headers[b"last-modified"]
    assert reply.body.startswith(b"\r\n--" + digits + b"\r\n")
    assert reply.body.endswith(b"\r\n--" + digits + b"--\r\n")


def test_the_largest_numbers_fit(asm: Asm) -> None:
    size = 2**63 - 1
    conn = with_file(asm, b"Range: bytes=0-0,%d-" % (size - 3), size=size)
    asm.call("range_apply", conn.address)
    asm.call("multipart_plan", conn.address)
    raw = sent(asm, conn)
    assert b"Content-Range: bytes %d-%d/%d\r\n" % (size - 3, size - 1, size) in raw
