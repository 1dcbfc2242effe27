"""Parts of files, on the wire: as raw bytes, and as the programs get them that live on them."""

from __future__ import annotations

import email.parser
import email.policy
import errno
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.requires import program
from support.requires import requires as needs
from support.server import Reply, Server, by_process, parse, serving

from ymawky_kit.emu.plan import Fault

FILE = bytes(range(256)) * 4        # 1k.bin of the tree
GIB = 1 << 30


def ranged(server: Server, value: str, *fields: bytes, target: str = "/1k.bin") -> Reply:
    return server.get(target, b"Range: bytes=" + value.encode(), *fields)


def parts(reply: Reply) -> list[tuple[str, bytes]]:
    """Content-Range and bytes of each part, as the email package reads them."""
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + reply.headers[b"content-type"] + b"\r\n\r\n" + reply.body)
    assert [] == message.defects
    return [(part["Content-Range"], part.get_payload(decode=True))
            for part in message.iter_parts()]


@pytest.mark.parametrize(("value", "first", "end"), [
    ("0-0", 0, 1), ("0-9", 0, 10), ("1000-", 1000, 1024), ("-1", 1023, 1024), ("0-", 0, 1024),
    ("-5000", 0, 1024), ("1023-9999", 1023, 1024), ("0-1023", 0, 1024),
    ("5-99999999999999999999999999", 5, 1024), ("-99999999999999999999999999", 0, 1024),
    (" 5-9 ,", 5, 10), ("5-9,2000-", 5, 10), ("0-9,10-19", 0, 20), ("10-19,0-9", 0, 20),
])
def test_a_part_is_those_bytes_and_says_which(server, value, first: int, end: int) -> None:
    reply = ranged(server, value)
    assert (206, b"Partial Content", FILE[first:end]) == (reply.status, reply.reason, reply.body)
    assert b"bytes %d-%d/1024" % (first, end - 1) == reply.headers[b"content-range"]
    assert b"bytes" == reply.headers[b"accept-ranges"]
    whole = server.get("/1k.bin")
    assert 200 == whole.status and b"content-range" not in whole.headers
    for name in (b"etag", b"last-modified", b"content-type"):
        assert whole.headers[name] == reply.headers[name]


@pytest.mark.parametrize("value", ["1024-", "-0", "1024-,99999999999999999999999-", "5000-6000"])
def test_416_says_how_large_the_file_is(server: Server, value: str) -> None:
    reply = ranged(server, value)
    assert (416, b"bytes */1024") == (reply.status, reply.headers[b"content-range"])
    assert b"416 Range Not Satisfiable" in reply.body


def test_416_may_be_a_page_of_ones_own(tree: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "416.html").write_bytes(b"mine")
    with serving(tree, folder, "--errors", str(tmp_path)) as server:
        reply = ranged(server, "1024-")
        assert (416, b"mine", b"bytes */1024", b"4") == (
            reply.status, reply.body, reply.headers[b"content-range"],
            reply.headers[b"content-length"])


@pytest.mark.parametrize("line", [
    b"Range: lines=0-9", b"Range: bytes", b"Range: bytes=", b"Range: bytes=9-0", b"Range: 0-9",
    b"Range: bytes=0-9;1-2", b"Range: bytes 0-9", b"Range: bytes=abc", b"Range:",
    b"Range: bytes=,,,", b"Range: bytes=0-9\r\nRange: bytes=0-9", b"If-Range: x",
    b"Range: bytes=" + b",".join(b"%d-%d" % (n * 9, n * 9) for n in range(33)),
])
def test_what_is_not_understood_is_no_range(server: Server, line: bytes) -> None:
    reply = server.get("/1k.bin", line)
    assert (200, FILE) == (reply.status, reply.body)


def test_head_has_no_ranges(server: Server) -> None:
    """RFC 9110 14.2: a range is for GET, and ignored otherwise."""
    for line in (b"Range: bytes=0-9", b"Range: bytes=5000-", b"Range: bytes=0-0,-1"):
        reply = server.get("/1k.bin", line, method="HEAD")
        assert (200, b"1024") == (reply.status, reply.headers[b"content-length"])
        assert b"content-range" not in reply.headers


def test_an_empty_file_has_no_part(server: Server) -> None:
    assert 416 == ranged(server, "0-", target="/empty.txt").status
    reply = ranged(server, "-5", target="/empty.txt")
    assert (200, b"") == (reply.status, reply.body)


def test_several_parts_come_in_the_order_of_the_request(server: Server, tree: Path) -> None:
    data = (tree / "big.bin").read_bytes()
    size = len(data)
    spans = [(2_000_000, 2_500_000), (0, 1), (size - 7, size), (1000, 1300)]
    value = ", ".join(f"{first}-{end - 1}" for first, end in spans)
    reply = ranged(server, value, target="/big.bin")
    assert 206 == reply.status
    assert b"content-range" not in reply.headers
    assert [(f"bytes {first}-{end - 1}/{size}", data[first:end])
            for first, end in spans] == parts(reply)


def test_who_asks_for_too_much_gets_no_more_than_the_file(server: Server, tree: Path) -> None:
    """Parts that overlap are one; so no request makes us send the same bytes twice."""
    size = (tree / "big.bin").stat().st_size
    reply = ranged(server, ",".join(["0-"] * 32), target="/big.bin")
    assert (206, size) == (reply.status, len(reply.body))
    reply = ranged(server, ",".join(["0-"] * 33), target="/big.bin")
    assert (200, size) == (reply.status, len(reply.body))
    reply = ranged(server, ",".join(f"{n * 200}-{n * 200}" for n in range(32)), target="/big.bin")
    assert 32 == len(parts(reply))
    assert len(reply.body) < 32 * 250


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 2_999_999), st.integers(1, 400_000)), min_size=1,
                max_size=8))
def test_any_parts_put_together_are_what_was_asked_for(server, tree, wanted) -> None:
    data = (tree / "big.bin").read_bytes()
    value = ",".join(f"{at}-{at + count - 1}" for at, count in wanted)
    reply = ranged(server, value, target="/big.bin")
    assert 206 == reply.status
    found = {}
    if b"content-range" in reply.headers:
        answers = [(reply.headers[b"content-range"].decode(), reply.body)]
    else:
        answers = parts(reply)
    for place, content in answers:
        first, _, last = place.removeprefix("bytes ").partition("/")[0].partition("-")
        assert data[int(first):int(last) + 1] == content
        found[int(first)] = int(last) + 1
    for at, count in wanted:
        assert any(first <= at and min(at + count, len(data)) <= end
                   for first, end in found.items())


def test_if_range_is_for_who_has_a_part_of_this_very_file(server: Server, tree: Path) -> None:
    headers = server.get("/big.bin").headers
    for value, status in (
        (headers[b"etag"], 206), (b"W/" + headers[b"etag"], 200), (b'"x"', 200),
        (b"Sun, 06 Nov 1994 08:49:37 GMT", 200),
    ):
        assert status == ranged(server, "0-9", b"If-Range: " + value, target="/big.bin").status
    os.utime(tree / "noextension", (784111777, 784111777))
    for date in (b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"):
        assert 206 == ranged(server, "0-1", b"If-Range: " + date, target="/noextension").status


def test_a_range_that_dribbles_in_says_the_same(server: Server) -> None:
    sent = b"GET /1k.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1,1000-\r\n\r\n"
    with server.connect() as client:
        for byte in sent:
            client.sendall(bytes([byte]))
        assert client.recv(100).startswith(b"HTTP/1.1 206 Partial Content\r\n")


def test_who_reads_slowly_gets_all_parts(server: Server, tree: Path) -> None:
    """With little room on the way, every segment is sent in pieces."""
    data = (tree / "big.bin").read_bytes()
    sent = b"GET /big.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=0-999999,1500000-1500000,-900000\r\n"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", server.port))
        client.sendall(sent + b"\r\n")
        got = bytearray()
        while block := client.recv(50_000):
            got += block
    assert [data[:1_000_000], data[1_500_000:1_500_001], data[-900_000:]] == [
        content for _, content in parts(parse(bytes(got)))]


def test_a_file_that_shrinks_meanwhile_ends_the_connection(server: Server, tree: Path) -> None:
    path = tree / "shrinking.bin"
    path.write_bytes(bytes(8_000_000))
    with server.connect() as client:
        client.sendall(b"GET /shrinking.bin HTTP/1.1\r\nHost: a\r\n"
                       b"Range: bytes=0-5999999,7000000-\r\n\r\n")
        got = client.recv(1000)
        os.truncate(path, 6_500_000)
        while block := client.recv(1 << 20):
            got += block
    head, _, body = got.partition(b"\r\n\r\n")
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    assert 6_000_000 < len(body) < length       # cut short, and the client can tell
    assert not body.endswith(b"--\r\n")
    path.unlink()


# --- calls that fail ------------------------------------------------------------------------

THREE = b"GET /big.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=0-99999,1000000-1000009,-5000\r\n\r\n"
#: What a child calls for it; a segment is one call each, when nothing is in the way.
CALLS = ["close", "setitimer", "read", "gettimeofday", "openat", "fstat64", "sendfile", "writev",
         "sendfile", "writev", "sendfile", "writev", "shutdown", "read", "exit"]


def three(tree: Path) -> list[bytes]:
    data = (tree / "big.bin").read_bytes()
    return [data[:100_000], data[1_000_000:1_000_010], data[-5000:]]


def test_a_part_takes_two_calls(tree: Path, folder: Path) -> None:
    with serving(tree, folder, trace=True) as server:
        assert three(tree) == [content for _, content in parts(server.request(THREE))]
        assert [] == server.settle()
        (child,) = (events for process, events in by_process(server.process.trace()).items()
                    if process != 1)
    assert CALLS == [event.name for event in child[1:]]


# 900 bytes are more than the head: see test_robustness.py.
@pytest.mark.parametrize("fault", [
    Fault("read", 0, short=1), Fault("writev", 0, short=7), Fault("sendfile", 0, short=900),
], ids=lambda fault: f"{fault.call}-{fault.short}")
def test_short_transfers_lose_nothing(tree: Path, folder: Path, fault: Fault) -> None:
    with serving(tree, folder, plan=[fault]) as server:
        assert three(tree) == [content for _, content in parts(server.request(THREE))]


@pytest.mark.parametrize("error", ["EIO", "EINTR", "ENOMEM", "ECONNRESET"])
def test_any_call_may_fail_and_nobody_takes_a_piece_for_the_whole(
    tree: Path, folder: Path, error: str
) -> None:
    """The n-th child meets the error in its n-th call."""
    count = len(CALLS) - 1
    plan = [Fault(nth=n + 1, error=getattr(errno, error), process=n + 2) for n in range(count)]
    cut = []
    with serving(tree, folder, plan=plan) as server:
        before = server.descriptors()
        for name in CALLS[:count]:
            head, _, body = server.raw(THREE).partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 206 "):
                continue
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            if len(body) == length:
                reply = parse(head + b"\r\n\r\n" + body)
                assert three(tree) == [content for _, content in parts(reply)]
            else:
                cut.append(name)
        assert 200 == server.get("/1k.bin").status
        assert before == server.descriptors(before)
    # EINTR is no failure; any other in a segment behind the first cuts the reply.
    assert ([] if error == "EINTR" else CALLS[7:12]) == cut


# --- files that are larger than 32 bits ---------------------------------------------------

@pytest.fixture(scope="module")
def sparse(tree: Path) -> Iterator[int]:
    """5 GiB and a bit, of which a few bytes are on the disk; its size."""
    size = 5 * GIB + 77
    path = tree / "sparse.bin"
    with path.open("wb") as file:
        file.truncate(size)
        for at in (0, 2 * GIB, 4 * GIB - 1, 4 * GIB, size - 4):
            file.seek(at)
            file.write(b"mark")
    yield size
    path.unlink()


def test_parts_of_a_file_over_4_gib(server: Server, sparse: int) -> None:
    for first, end, want in (
        (4 * GIB - 1, 4 * GIB + 4, b"mmark"), (2 * GIB, 2 * GIB + 6, b"mark\0\0"),
        (sparse - 6, sparse, b"\0\0mark"), (4 * GIB + 100, 4 * GIB + 105, bytes(5)),
    ):
        reply = ranged(server, f"{first}-{end - 1}", target="/sparse.bin")
        assert (206, want) == (reply.status, reply.body)
        assert b"bytes %d-%d/%d" % (first, end - 1, sparse) == reply.headers[b"content-range"]
    assert b"mark" == ranged(server, "-4", target="/sparse.bin").body
    assert 416 == ranged(server, f"{sparse}-", target="/sparse.bin").status
    head = server.get("/sparse.bin", method="HEAD")
    assert b"%d" % sparse == head.headers[b"content-length"]


def test_several_parts_of_a_file_over_4_gib(server: Server, sparse: int) -> None:
    reply = ranged(server, f"{4 * GIB}-{4 * GIB + 3},0-3,-4", target="/sparse.bin")
    assert [(f"bytes {at}-{at + 3}/{sparse}", b"mark")
            for at in (4 * GIB, 0, sparse - 4)] == parts(reply)


# --- programs -----------------------------------------------------------------------------

@contextmanager
def cutting(port: int, pieces: list[int]) -> Iterator[tuple[int, list[bytes]]]:
    """A relay that cuts each of its first connections after so many bytes; its port.

    And the heads of the requests that went through it.
    """
    heads: list[bytes] = []
    budget = list(pieces)
    threads: list[threading.Thread] = []
    ended = threading.Event()

    def carry(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", port), timeout=20) as server:
            head = b""
            while b"\r\n\r\n" not in head and (block := client.recv(4096)):
                head += block
            heads.append(head)
            left = budget.pop(0) if budget else 1 << 62
            try:
                server.sendall(head)
                while left > 0 and (block := server.recv(min(left, 1 << 16))):
                    client.sendall(block)
                    left -= len(block)
            except OSError:
                return          # the client has what it wants

    def take(relay: socket.socket) -> None:
        while not ended.is_set():
            try:
                client, _ = relay.accept()
            except TimeoutError:
                continue
            client.settimeout(20)
            threads.append(threading.Thread(target=carry, args=(client,)))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as relay:
        relay.settimeout(0.1)
        accepting = threading.Thread(target=take, args=(relay,))
        accepting.start()
        try:
            yield relay.getsockname()[1], heads
        finally:
            ended.set()
            accepting.join()
            for thread in threads:
                thread.join()


@needs("curl")
def test_curl_gets_a_part(server: Server, tree: Path) -> None:
    for value, want in (("0-9", FILE[:10]), ("-5", FILE[-5:]), ("1000-", FILE[1000:])):
        done = subprocess.run(
            [program("curl"), "-sSf", "--max-time", "20", "-r", value,
             f"http://127.0.0.1:{server.port}/1k.bin"], check=True, capture_output=True)
        assert want == done.stdout


@needs("curl")
def test_curl_goes_on_with_what_it_has(server: Server, tree: Path, tmp_path: Path) -> None:
    data = (tree / "big.bin").read_bytes()
    got = tmp_path / "got"
    got.write_bytes(data[:1_234_567])
    done = subprocess.run(
        [program("curl"), "-sSf", "--max-time", "20", "-C", "-", "-o", got, "-w", "%{http_code}",
         f"http://127.0.0.1:{server.port}/big.bin"], check=True, capture_output=True)
    assert (b"206", data) == (done.stdout, got.read_bytes())


@needs("wget")
def test_wget_finishes_a_download_that_is_cut_again_and_again(
    server: Server, tree: Path, tmp_path: Path
) -> None:
    cuts = [700_000, 400_000, 300, 900_000]
    with cutting(server.port, cuts) as (port, heads):
        subprocess.run(
            [program("wget"), "-q", "-c", "--tries=10", "--waitretry=0", "--timeout=20",
             f"http://127.0.0.1:{port}/big.bin"],
            cwd=tmp_path, check=True, timeout=60)
    assert (tree / "big.bin").read_bytes() == (tmp_path / "big.bin").read_bytes()
    assert len(cuts) + 1 == len(heads)
    assert [False, True, True] == [b"Range: bytes=" in head for head in heads[:3]]


@needs("aria2c")
def test_aria2_loads_with_eight_connections(server: Server, tree: Path, tmp_path: Path) -> None:
    path = tree / "large.bin"
    path.write_bytes(os.urandom(12 << 20))
    cuts = [600_000, 1 << 20, 5000]
    try:
        with cutting(server.port, cuts) as (port, heads):
            subprocess.run(
                [program("aria2c"), "-q", "--no-conf", "-x8", "-s8", "-k1M", "--retry-wait=0",
                 "-m", "20", "--allow-overwrite=true", "-d", str(tmp_path),
                 f"http://127.0.0.1:{port}/large.bin"], check=True, timeout=90)
        assert path.read_bytes() == (tmp_path / "large.bin").read_bytes()
        assert 8 <= len([head for head in heads if b"Range: bytes=" in head])
    finally:
        path.unlink()
