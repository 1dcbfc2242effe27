"""http/request: heads in one piece, byte by byte, and against h11."""

from __future__ import annotations

from dataclasses import dataclass

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.contract import Asm
from support.layout import Connection, constants

HTTP = constants("http.inc")
FLAGS = constants("request.inc")
MORE = (True, 0)


@dataclass(frozen=True)
class Parsed:
    """What request_parse said in the end, and what it left in struct request."""

    carry: bool
    value: int
    method: int = 0
    version: int = 0
    form: int = 0
    path: bytes = b""
    query: bytes = b""
    host: bytes = b""
    flags: int = 0
    length: int = 0


def read(asm: Asm, head: bytes, *cuts: int) -> Parsed:
    """Feed a head up to each of the cuts, then whole; stop at the first verdict."""
    asm.reset()
    conn = Connection(asm)
    at = asm.alloc(head)
    for size in (*cuts, len(head)):
        # Only so many bytes have arrived: the rest is not there to be seen.
        arrived = asm.alloc(head[:size]) if size < len(head) else at
        before = bytes(asm.peek(conn.request.address, FLAGS["REQUEST_SIZEOF"]))
        result = asm.call("request_parse", conn.request.address, arrived, size)
        if (result.carry, result.value) != MORE:
            break
        del before
    request = conn.request
    if result.carry:
        return Parsed(True, result.value)
    return Parsed(
        False, result.value, request["REQUEST_METHOD"], request["REQUEST_VERSION"],
        request["REQUEST_TARGET"], request.text("REQUEST_PATH"), request.text("REQUEST_QUERY"),
        request.text("REQUEST_HOST"), request["REQUEST_FLAGS"], request["REQUEST_LENGTH"],
    )


GOOD = (
    b"GET /a/b?c=d HTTP/1.1\r\nHost: example.com:80\r\nContent-Length: 12\r\n"
    b"X-Long: " + b"v" * 40 + b"\r\n\r\n"
)


def test_a_good_head_is_understood(asm: Asm) -> None:
    flags = 1 << FLAGS["REQUEST_HAS_HOST"] | 1 << FLAGS["REQUEST_HAS_LENGTH"]
    want = Parsed(False, len(GOOD), HTTP["METHOD_GET"], 1, 0, b"/a/b", b"?c=d", b"example.com:80",
                  flags, 12)
    assert want == read(asm, GOOD)


def test_what_stands_behind_a_head_is_left_alone(asm: Asm) -> None:
    assert len(GOOD) == read(asm, GOOD + b"GET / HTTP/1.1\r\nbroken").value


@pytest.mark.parametrize(("target", "path", "query", "host"), [
    (b"/", b"/", b"", b"h"),
    (b"/?", b"/", b"?", b"h"),
    (b"/a?b?c", b"/a", b"?b?c", b"h"),
    (b"http://other", b"/", b"", b"other"),
    (b"http://other?q", b"/", b"?q", b"other"),
    (b"HtTp://other:1/x?y", b"/x", b"?y", b"other:1"),
    (b"http://[::1]/", b"/", b"", b"[::1]"),
])
def test_the_parts_of_a_target(asm: Asm, target: bytes, path: bytes, query: bytes, host: bytes
                               ) -> None:
    got = read(asm, b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (False, path, query, host) == (got.carry, got.path, got.query, got.host)


def test_the_host_of_the_target_wins_wherever_host_stands(asm: Asm) -> None:
    got = read(asm, b"GET http://t/ HTTP/1.1\r\nHost: f\r\n\r\n")
    assert (b"t", 0b1001) == (got.host, got.flags)


HEADS = [
    GOOD,
    b"\r\n" + GOOD,
    b"\r\n\r\n" + GOOD,
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\rx",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost:\ta\r\nX: \t\tb\tc\t\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/2.0\r\n\r\n",
    b"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
]


@pytest.mark.parametrize("head", HEADS)
def test_byte_by_byte_gives_the_same(asm: Asm, head: bytes) -> None:
    assert read(asm, head) == read(asm, head, *range(len(head)))


def cut(head: bytes, places: list[int]) -> list[int]:
    return sorted(place % (len(head) + 1) for place in places)


@given(st.sampled_from(HEADS), st.lists(st.integers(0, 1000), max_size=5), st.data())
def test_any_pieces_of_any_damaged_head_give_the_same(
    asm: Asm, head: bytes, places: list[int], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(head) - 1))
    damaged = head[:at] + data.draw(st.binary(max_size=2)) + head[at + 1:]
    assert read(asm, damaged) == read(asm, damaged, *cut(damaged, places))


@pytest.mark.parametrize(("line", "behind", "status"), [
    (8190, b"", 0), (8191, b"", 414), (9000, b"\r\n", 414), (9000, b"\0", 414),
])
def test_the_limit_of_the_request_line(asm: Asm, line: int, behind: bytes, status: int) -> None:
    head = b"GET /".ljust(line, b"x") + behind
    for pieces in ((), (1, 5000, 8189, 8190), range(8180, len(head))):
        assert Parsed(True, status) == read(asm, head, *pieces)


def test_the_limit_of_the_head_is_the_same_in_any_pieces(asm: Asm) -> None:
    start = b"GET / HTTP/1.0\r\nX: "
    for fill, good in ((16384 - len(start) - 4, True), (16385 - len(start) - 4, False)):
        head = start + b"y" * fill + b"\r\n\r\n"
        got = read(asm, head)
        assert (len(head) if good else 431) == got.value
        assert got == read(asm, head, *range(16370, len(head)))


# --- a second opinion ---------------------------------------------------------------------

TOKENS = st.text("aZ09!-_.", min_size=1, max_size=8)
VALUES = st.text("aZ09 \t:,;=\"\u00e9", max_size=20)


@given(
    st.sampled_from(["GET", "HEAD", "PUT", "OPTIONS"]),
    st.text("abc/._-%20?&=", max_size=20),
    st.lists(st.tuples(TOKENS, VALUES), max_size=5),
)
@example("GET", "", [("a", " \t ")])
def test_h11_understands_the_same(
    asm: Asm, method: str, target: str, fields: list[tuple[str, str]]
) -> None:
    head = f"{method} /{target} HTTP/1.1\r\nHost: here\r\n"
    head += "".join(f"{name}:{value}\r\n" for name, value in fields) + "\r\n"
    data = head.encode("latin-1")
    server = h11.Connection(our_role=h11.SERVER)
    server.receive_data(data)
    try:
        event = server.next_event()
    except h11.RemoteProtocolError:
        event = None
    got = read(asm, data)
    if isinstance(event, h11.Request):
        path, mark, query = event.target.decode().partition("?")
        assert (False, len(data), path.encode(), (mark + query).encode()) == (
            got.carry, got.value, got.path, got.query)
        assert HTTP[f"METHOD_{method}"] == got.method
    else:
        assert got.carry
        assert 400 == got.value


@given(
    st.sampled_from(HEADS),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 2), st.sampled_from(
        [b"", b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b"a", b"/", b"1", b"\x80"])),
        max_size=3),
)
@example(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", [])
def test_whatever_we_understand_h11_understands_in_the_same_way(
    asm: Asm, head: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    """We may be stricter than others, never kinder: that is what smuggling needs."""
    data = head
    for at, gone, new in changes:
        at %= len(head)
        data = data[:at] + new + data[at + gone:]
    got = read(asm, data)
    if got.carry:
        return
    server = h11.Connection(our_role=h11.SERVER)
    # h11 does not pass over the one empty line of RFC 9112 2.2.
    server.receive_data(data.removeprefix(b"\r\n"))
    event = server.next_event()
    assert isinstance(event, h11.Request), data
    fields: dict[bytes, bytes] = dict(event.headers)
    flags = {name: bool(got.flags >> FLAGS[f"REQUEST_HAS_{name}"] & 1)
             for name in ("HOST", "LENGTH", "CODING", "AUTHORITY")}
    assert flags["HOST"] == (b"host" in fields)
    assert flags["LENGTH"] == (b"content-length" in fields)
    assert flags["CODING"] == (b"transfer-encoding" in fields)
    assert got.length == int(fields.get(b"content-length", b"0"))
    if flags["HOST"] and not flags["AUTHORITY"]:
        assert got.host == fields[b"host"]
    if not flags["AUTHORITY"] and got.form == 0:
        assert got.path + got.query == event.target
    assert got.version == int(event.http_version != b"1.0")
    method = event.method.decode()
    assert got.method == HTTP.get(f"METHOD_{method}", HTTP["METHOD_UNKNOWN"])


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(asm: Asm, data: bytes) -> None:
    got = read(asm, data)
    assert not got.carry or got.value in (0, 400, 414, 421, 431, 501, 505)
