"""http/body: what belongs to a body, however it is cut, against a model in Python."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.drivers.writing import arrived, configure
from support.layout import Connection, constants

from ymawky_kit.darwin import errno
from ymawky_kit.emu.plan import Fault, FaultPlan

HTTP = constants("http.inc")
LIMIT = 40
CHUNKED = b"Transfer-Encoding: chunked\r\n"

#: What became of the bytes: how many were used at the end; 0 for "more"; or a status.
Outcome = tuple[str, int]


@pytest.fixture(scope="module")
def writing() -> Iterator[Asm]:
    machine = Asm("writing")
    yield machine
    machine.close()


class Sink:
    """A file for the plain bytes."""

    def __init__(self, asm: Asm, path: Path, fields: bytes) -> None:
        asm.reset()
        configure(asm, BODY_MAX=LIMIT)
        self.asm = asm
        self.path = path
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.conn: Connection = arrived(asm, fields)
        asm.call("body_begin", self.conn.address)
        self.conn.upload["UPLOAD_FD"] = self.fd

    def take(self, *pieces: bytes) -> Outcome:
        """The outcome of the pieces up to the first that ends it."""
        used = 0
        for piece in pieces:
            result = self.asm.call(
                "body_take", self.conn.address, self.asm.alloc(piece), len(piece))
            if not result.carry:
                return "done", used + result.value
            if result.value:
                return "refused", result.value
            used += len(piece)
        return "more", 0

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    @property
    def body(self) -> bytes:
        return self.path.read_bytes()


TEXT = rb"[\t\x20-\x7e\x80-\xff]"
SIZE_LINE = re.compile(rb"[0-9A-Fa-f]+(?:[ \t]*;" + TEXT + rb"*)?\r\n")
SIZE_LINE_BEGUN = re.compile(rb"(?:[0-9A-Fa-f]*|[0-9A-Fa-f]+[ \t]*(?:;" + TEXT + rb"*)?|"
                             rb"[0-9A-Fa-f]+(?:[ \t]*;" + TEXT + rb"*)?\r)")
FIELD = re.compile(TEXT + rb"+\r\n")
FIELD_BEGUN = re.compile(TEXT + rb"*\r?")


def model(data: bytes, limit: int = LIMIT) -> tuple[Outcome, bytes]:
    """RFC 9112 7.1, by regular expressions over what has not been read yet."""
    body, at = b"", 0
    while True:
        rest = data[at:]
        digits = re.match(rb"[0-9A-Fa-f]*", rest)
        assert digits is not None
        if digits[0] and int(digits[0], 16) >> 60:
            return ("refused", 413), body
        line = SIZE_LINE.match(rest)
        if line is None:
            begun = SIZE_LINE_BEGUN.fullmatch(rest)
            return (("more", 0) if begun else ("refused", 400)), body
        at += line.end()
        size = int(digits[0], 16)
        if size == 0:
            break
        if len(body) + size > limit:
            return ("refused", 413), body
        body += data[at:at + size]
        at += size
        end = data[at:at + 2]
        if end != b"\r\n":
            return (("more", 0) if b"\r\n".startswith(end) else ("refused", 400)), body
        at += 2
    while not data.startswith(b"\r\n", at):
        line = FIELD.match(data, at)
        if line is None:
            begun = FIELD_BEGUN.fullmatch(data, at)
            return (("more", 0) if begun else ("refused", 400)), body
        at = line.end()
    return ("done", at + 2), body


EXTENSIONS = st.sampled_from([b"", b";a", b" ;a=b", b'\t; q="x y;\\"" ;r', b";", b"; \xff\t"])
PIECES = st.lists(st.tuples(st.binary(min_size=1, max_size=12), EXTENSIONS, st.booleans()),
                  max_size=5)
TRAILERS = st.lists(st.sampled_from([b"X: y", b"Content-Length: 5", b"Host: other", b"\ta"]),
                    max_size=3)


def encoded(pieces: list[tuple[bytes, bytes, bool]], trailers: list[bytes]) -> bytes:
    data = b""
    for piece, extension, long in pieces:
        size = b"%08X" % len(piece) if long else b"%x" % len(piece)
        data += size + extension + b"\r\n" + piece + b"\r\n"
    return data + b"0\r\n" + b"".join(line + b"\r\n" for line in trailers) + b"\r\n"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[one:other] for one, other in itertools.pairwise(marks)]


CUTS = st.lists(st.integers(0, 400), max_size=6)


@given(PIECES, TRAILERS, st.binary(max_size=5), CUTS)
def test_chunks_become_the_bytes_they_hold(writing: Asm, tmp_path_factory, pieces, trailers,
                                           behind, cuts) -> None:
    """Extensions and trailers are skipped, and what is behind the end is not touched."""
    data, whole = encoded(pieces, trailers), b"".join(piece for piece, _, _ in pieces)
    with Sink(writing, tmp_path_factory.getbasetemp() / "chunks", CHUNKED) as sink:
        outcome = sink.take(*cut(data + behind, cuts))
        if len(whole) > LIMIT:
            assert ("refused", 413) == outcome
        else:
            assert (("done", len(data)), whole) == (outcome, sink.body)
            assert (outcome, whole) == model(data + behind)


@given(PIECES, TRAILERS)
def test_h11_reads_the_same_chunks(writing: Asm, tmp_path_factory, pieces, trailers) -> None:
    whole = b"".join(piece for piece, _, _ in pieces)
    server = h11.Connection(our_role=h11.SERVER)
    # h11 has no blanks before an extension, and checks the fields behind.
    plain = [(piece, extension if extension in (b"", b";a") else b"", long)
             for piece, extension, long in pieces]
    data = encoded(plain, [line for line in trailers if line == b"X: y"])
    server.receive_data(b"PUT / HTTP/1.1\r\nHost: a\r\n" + CHUNKED + b"\r\n" + data)
    assert isinstance(server.next_event(), h11.Request)
    theirs = b""
    while isinstance(event := server.next_event(), h11.Data):
        theirs += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert whole == theirs
    if len(whole) <= LIMIT:
        with Sink(writing, tmp_path_factory.getbasetemp() / "h11", CHUNKED) as sink:
            assert ("done", len(data)) == sink.take(data)
            assert theirs == sink.body


SOUP = st.lists(st.sampled_from([b"0", b"1", b"2", b"a", b"\r\n", b"\r", b"\n", b";", b" ", b"\t",
                                 b"x", b"\x00", b"\x7f", b"2\r\nhi\r\n", b"0\r\n", b"1\r\nz\r\n",
                                 b"28\r\n", b"29\r\n", b"X: y\r\n", b"F" * 15, b"-", b"+", b"0x"]),
                max_size=9).map(b"".join)


@given(SOUP, CUTS)
def test_a_soup_of_chunks_is_what_the_model_says(writing: Asm, tmp_path_factory, data,
                                                 cuts) -> None:
    path = tmp_path_factory.getbasetemp() / "soup"
    outcome, body = model(data)
    for pieces in ([data], cut(data, cuts), [data[n:n + 1] for n in range(len(data))]):
        with Sink(writing, path, CHUNKED) as sink:
            assert outcome == sink.take(*pieces)
            assert body == sink.body


@given(st.binary(max_size=30), st.integers(0, 30), CUTS)
def test_a_body_with_a_length_is_that_many_bytes(writing: Asm, tmp_path_factory, data, length,
                                                 cuts) -> None:
    fields = b"Content-Length: %d\r\n" % length
    with Sink(writing, tmp_path_factory.getbasetemp() / "plain", fields) as sink:
        outcome = sink.take(*cut(data, cuts))
        assert (("done", length) if len(data) >= length else ("more", 0)) == outcome
        assert data[:length] == sink.body


@pytest.mark.parametrize(("data", "outcome"), [
    (b"5\nhello\r\n0\r\n\r\n", ("refused", 400)),           # a bare LF ends nothing
    (b"5;x\nhello\r\n0\r\n\r\n", ("refused", 400)),         # in an extension neither
    (b"5\r\nhello0\r\n\r\n", ("refused", 400)),             # a byte too few behind the chunk
    (b"5\r\nhello!\r\n0\r\n\r\n", ("refused", 400)),        # a byte too many
    (b"-5\r\nhello\r\n", ("refused", 400)), (b"+5\r\n", ("refused", 400)),
    (b"0x5\r\nhello\r\n", ("refused", 400)), (b"5 \r\nhello\r\n", ("refused", 400)),
    (b" 5\r\nhello\r\n", ("refused", 400)), (b"\r\n", ("refused", 400)),
    (b";a\r\n", ("refused", 400)), (b"5\r\r\n", ("refused", 400)),
    (b"0\r\n\n", ("refused", 400)), (b"0\r\nX: y\n\r\n", ("refused", 400)),
    (b"0\r\n\r\r\n", ("refused", 400)), (b"0\r\nA\0: b\r\n\r\n", ("refused", 400)),
    (b"10000000000000005\r\nhello\r\n", ("refused", 413)),  # 5, if the top were lost
    (b"FFFFFFFFFFFFFFFF\r\n", ("refused", 413)),
    (b"0000000000000000000005\r\nhello\r\n0\r\n\r\n", ("done", 36)),
    (b"28\r\n" + b"x" * 40 + b"\r\n1\r\n", ("refused", 413)),
])
def test_smuggling_by_chunks_is_refused(writing: Asm, tmp_path: Path, data, outcome) -> None:
    with Sink(writing, tmp_path / "body", CHUNKED) as sink:
        assert outcome == sink.take(data)
    with Sink(writing, tmp_path / "body", CHUNKED) as sink:
        assert outcome == sink.take(*(data[n:n + 1] for n in range(len(data))))


def test_the_lines_around_chunks_have_limits(writing: Asm, tmp_path: Path) -> None:
    """Each chunk has its own; all trailers share one."""
    most = b"1;" + b"e" * (HTTP["CHUNK_LINE_MAX_BYTES"] - 3)    # and the CR
    trailer = b"0\r\n" + b"t" * (HTTP["TRAILER_MAX_BYTES"] - 2) + b"\r\n\r\n"
    for data, outcome in (
        ((most + b"\r\nx\r\n") * 3 + b"0\r\n\r\n", ("done", 3 * len(most) + 15 + 5)),
        (most + b"e\r\nx\r\n0\r\n\r\n", ("refused", 400)),
        (trailer, ("done", len(trailer))),
        (trailer.replace(b"t\r", b"tt\r"), ("refused", 431)),
        (b"0\r\n" + b"t\r\n" * HTTP["TRAILER_MAX_BYTES"], ("refused", 431)),
    ):
        with Sink(writing, tmp_path / "body", CHUNKED) as sink:
            assert outcome == sink.take(data)


@pytest.mark.parametrize(("error", "status"), [
    (errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 500), (errno.EFBIG, 413),
])
def test_a_drive_that_is_full_or_broken_is_said(writing: Asm, tmp_path: Path, error: int,
                                                status: int) -> None:
    for fields, data in ((b"Content-Length: 5\r\n", b"hello"), (CHUNKED, b"5\r\nhello\r\n")):
        with Sink(writing, tmp_path / "body", fields) as sink, \
                writing.plan(FaultPlan([Fault("write", 1, error=error)])):
            assert ("refused", status) == sink.take(data)


def test_short_writes_lose_nothing(writing: Asm, tmp_path: Path) -> None:
    shorts = [Fault("write", n, short=1) if n % 3 else Fault("write", n, error=errno.EINTR)
              for n in range(1, 100)]
    with Sink(writing, tmp_path / "body", b"Content-Length: 30\r\n") as sink, \
            writing.plan(FaultPlan(shorts)):
        assert ("done", 30) == sink.take(bytes(range(30)))
        assert bytes(range(30)) == sink.body


def test_what_came_with_the_head_is_found(writing: Asm) -> None:
    """Behind the first empty line that ends a head, whatever the body holds."""
    for fields, body in ((b"", b""), (b"Content-Length: 9\r\n", b"\r\n\r\n\r\n\r\nx"),
                         (b"A: " + b"b" * 8000 + b"\r\n", b"x" * 4000)):
        writing.reset()
        conn = arrived(writing, fields, body)
        result = writing.call("body_begin", conn.address)
        assert (len(body), body) == (result["x1"], writing.peek(result.value, len(body)))
