"""PUT and DELETE, whole: real clients, clients that vanish, a kernel that says no."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import h11
import psutil
import pytest
import requests as http
from support.requires import program, requires
from support.server import Reply, Server, by_process, parse, read_all, serving

from ymawky_kit.darwin import errno
from ymawky_kit.emu.plan import Fault

BODY = random.Random(13).randbytes(300_000)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path / "root"
    (top / "sub").mkdir(parents=True)
    (top / "old.txt").write_bytes(b"the old version\n")
    return top


@pytest.fixture
def server(root: Path, folder: Path) -> Iterator[Server]:
    with serving(root, folder, "--writable", "--head-seconds", "1", program="writing",
                 strict=True) as running:
        yield running


def head(target: str, *fields: bytes, method: bytes = b"PUT") -> bytes:
    return b"\r\n".join([method + b" " + target.encode() + b" HTTP/1.1", b"Host: a", *fields,
                         b"", b""])


def whole(target: str, body: bytes, *fields: bytes) -> bytes:
    return head(target, b"Content-Length: %d" % len(body), *fields) + body


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[n:n + size] for n in range(0, len(body), size)]
    return b"".join(b"%x;n=%d\r\n%s\r\n" % (len(p), n, p) for n, p in enumerate(pieces)) + (
        b"0\r\nDigest: none\r\n\r\n")


def names(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def untouched(root: Path) -> None:
    assert {"sub", "old.txt"} == names(root)
    assert b"the old version\n" == (root / "old.txt").read_bytes()


def settled(server: Server) -> None:
    assert [] == server.settle(10)


# --- clients ------------------------------------------------------------------------------


@requires("curl")
@pytest.mark.parametrize("more", [
    [], ["-H", "Expect: 100-continue"], ["-H", "Transfer-Encoding: chunked"], ["--http1.0"],
    ["-H", "Expect:"],
])
def test_curl_uploads(server: Server, root: Path, tmp_path: Path, more: list[str]) -> None:
    curl = program("curl")
    source = tmp_path / "source.bin"
    source.write_bytes(BODY)
    for status in ("201", "204"):
        done = subprocess.run(
            [curl, "-sS", *more, "-o", tmp_path / "reply", "-w", "%{http_code}", "-T", source,
             f"http://127.0.0.1:{server.port}/sub/up.bin"],
            capture_output=True, text=True, timeout=30, check=True)
        assert status == done.stdout
    assert BODY == (root / "sub/up.bin").read_bytes()
    gone = subprocess.run(
        [curl, "-sS", "-X", "DELETE", "-w", "%{http_code}",
         f"http://127.0.0.1:{server.port}/sub/up.bin"],
        capture_output=True, text=True, timeout=30, check=True)
    assert "204" == gone.stdout
    untouched(root)


@requires("curl")
def test_curl_reads_what_it_writes_from_a_pipe(server: Server, root: Path) -> None:
    """Of unknown length: chunks."""
    curl = program("curl")
    done = subprocess.run(
        [curl, "-sS", "-w", "%{http_code}", "-T", "-", f"http://127.0.0.1:{server.port}/pipe"],
        input=BODY, capture_output=True, timeout=30, check=True)
    assert b"201" == done.stdout
    assert BODY == (root / "pipe").read_bytes()


def test_requests_uploads_and_deletes(server: Server, root: Path) -> None:
    url = f"http://127.0.0.1:{server.port}/gr%C3%BC%C3%9Fe.bin"

    def pieces() -> Iterator[bytes]:
        for at in range(0, len(BODY), 7777):
            yield BODY[at:at + 7777]

    assert 201 == http.put(url, data=BODY, timeout=10).status_code
    assert BODY == http.get(url, timeout=10).content
    assert 204 == http.put(url, data=pieces(), timeout=10).status_code
    assert BODY == (root / "gr\u00fc\u00dfe.bin").read_bytes()
    assert 204 == http.delete(url, timeout=10).status_code
    assert 404 == http.delete(url, timeout=10).status_code
    assert "GET, HEAD, OPTIONS, PUT, DELETE" == http.options(url, timeout=10).headers["Allow"]


def test_h11_waits_for_its_word(server: Server, root: Path) -> None:
    client = h11.Connection(our_role=h11.CLIENT)
    with server.connect() as connection:
        connection.sendall(client.send(h11.Request(
            method="PUT", target="/new", headers=[
                ("Host", "a"), ("Content-Length", "5"), ("Expect", "100-continue")])) or b"")
        client.receive_data(connection.recv(1000))
        assert isinstance(client.next_event(), h11.InformationalResponse)
        connection.sendall(client.send(h11.Data(data=b"hello")) or b"")
        client.receive_data(read_all(connection))
        reply = client.next_event()
        assert isinstance(reply, h11.Response) and 201 == reply.status_code
    assert b"hello" == (root / "new").read_bytes()


def test_a_word_is_given_only_where_the_body_is_wanted(server: Server, root: Path) -> None:
    """And not when the body is on its way already, nor to 1.0, nor for nothing."""
    expect = b"Expect: 100-continue"
    for target, fields, status in (
        ("/sub", (b"Content-Length: 5",), 409), ("/no/new", (b"Content-Length: 5",), 409),
        ("/new", (), 411), ("/new", (b"Content-Length: 9999999999",), 413),
        ("/new", (b"Content-Length: 5", b"Content-Range: bytes 0-4/9"), 400),
        ("/new", (b"Content-Length: 5", b"Expect: 100-continue, more"), 417),
    ):
        reply = server.request(head(target, expect, *fields), "PUT")
        assert status == reply.status
    assert 201 == server.request(whole("/new", b"hello", expect), "PUT").status
    assert 204 == server.request(whole("/new", b"", expect), "PUT").status
    old = whole("/new", b"hello", expect).replace(b"HTTP/1.1", b"HTTP/1.0")
    with server.connect() as client:
        client.sendall(old[:-5])
        time.sleep(0.1)
        client.sendall(old[-5:])
        assert 204 == parse(read_all(client), "PUT").status
    assert 405 == server.request(head("/new", expect, method=b"POST"), "POST").status
    (root / "new").unlink()
    untouched(root)


# --- limits -------------------------------------------------------------------------------


def test_limits_hold_before_and_while_the_body_comes(root: Path, folder: Path) -> None:
    with serving(root, folder, "--writable", "--body-max", "1000", program="writing") as server:
        start = time.monotonic()
        assert 413 == server.request(head("/new", b"Content-Length: 1001"), "PUT").status
        assert 413 == server.request(
            head("/new", b"Transfer-Encoding: chunked") + b"3e9\r\n", "PUT").status
        assert 413 == server.request(
            head("/new", b"Transfer-Encoding: chunked") + chunked(b"x" * 1001, 100), "PUT").status
        assert time.monotonic() - start < 5, "none waited for more"
        untouched(root)
        assert 201 == server.request(whole("/new", b"x" * 1000), "PUT").status
        assert 204 == server.request(
            head("/new", b"Transfer-Encoding: chunked") + chunked(b"y" * 1000, 100), "PUT").status
        assert b"y" * 1000 == (root / "new").read_bytes()


def test_a_refusal_is_read_while_the_body_still_comes(server: Server, root: Path) -> None:
    body = b"x" * 3_000_000
    assert 409 == server.request(whole("/sub", body), "PUT").status
    assert 409 == server.request(whole("/no/new", body), "PUT").status
    untouched(root)


def test_names_that_are_too_long(server: Server, root: Path) -> None:
    statuses = [server.request(whole("/" + name, b"x"), "PUT").status
                for name in ("n" * 255, "n" * 256, "n/" * 600 + "n", "n" * 9000)]
    assert [201, 404, 404, 414] == statuses
    (root / ("n" * 255)).unlink()
    untouched(root)


def test_a_directory_that_may_not_be_written_to(server: Server, root: Path) -> None:
    (root / "sub").chmod(0o555)
    try:
        # Root may write everywhere; what EACCES becomes, test_upload.py asks as well.
        status = server.request(whole("/sub/new", b"x"), "PUT").status
        assert (201 if os.geteuid() == 0 else 403) == status
    finally:
        (root / "sub").chmod(0o755)


# --- whole versions, or none --------------------------------------------------------------


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_a_client_may_vanish_at_any_byte(server: Server, root: Path, coding: str) -> None:
    body = b"a new version that never arrives in full\n"
    sent = whole("/old.txt", body) if coding == "length" else (
        head("/old.txt", b"Transfer-Encoding: chunked") + chunked(body, 15))
    for size in range(0, len(sent), 3):
        for leave in (socket.socket.close, reset):
            client = server.connect()
            client.sendall(sent[:size])
            leave(client)
    settled(server)
    untouched(root)


def test_half_a_body_and_then_the_end_is_a_bad_request(server: Server, root: Path) -> None:
    for sent in (whole("/old.txt", b"hello")[:-1],
                 head("/old.txt", b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n"):
        assert 400 == server.request(sent, "PUT", finish=True).status
    untouched(root)


def test_a_body_that_stops_coming_is_given_up(server: Server, root: Path) -> None:
    start = time.monotonic()
    assert 408 == server.request(whole("/old.txt", b"hello")[:-1], "PUT").status
    assert 0.8 < time.monotonic() - start < 5
    settled(server)
    untouched(root)


def test_a_body_that_keeps_coming_is_not(server: Server, root: Path) -> None:
    """Twice as long as a head may take."""
    with server.connect() as client:
        client.sendall(head("/new", b"Content-Length: 20"))
        for _ in range(20):
            client.sendall(b"x")
            time.sleep(0.12)
        assert 201 == parse(read_all(client), "PUT").status


def test_nobody_sees_half_a_file(server: Server, root: Path) -> None:
    """While a new version comes, the old one is served; then, at once, the new one."""
    with server.connect() as client:
        client.sendall(whole("/old.txt", BODY)[:100_000])
        time.sleep(0.1)
        assert b"the old version\n" == server.get("/old.txt").body
        (left,) = {path.name for path in root.glob(".~*")}
        assert 404 == server.status(f"/{left}")
        client.sendall(whole("/old.txt", BODY)[100_000:])
        assert 204 == parse(read_all(client), "PUT").status
    assert BODY == server.get("/old.txt").body
    assert {"sub", "old.txt"} == names(root)


def test_concurrent_uploads_leave_one_whole_version(server: Server, root: Path) -> None:
    versions = [bytes([65 + n]) * (150_000 + n) for n in range(8)]
    statuses: list[int] = []
    seen: list[bytes] = []
    stop = threading.Event()

    def write(body: bytes) -> None:
        for number in range(3):
            sent = whole("/busy", body) if number % 2 else (
                head("/busy", b"Transfer-Encoding: chunked") + chunked(body, 9999))
            statuses.append(server.request(sent, "PUT").status)

    def read() -> None:
        while not stop.is_set():
            with contextlib.suppress(FileNotFoundError):
                seen.append((root / "busy").read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    threads = [threading.Thread(target=write, args=(body,)) for body in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    reader.join()
    settled(server)
    assert {201, 204} == set(statuses)
    assert seen and set(seen) <= set(versions)
    assert (root / "busy").read_bytes() in versions
    assert {"sub", "old.txt", "busy"} == names(root)


def test_who_reads_a_file_reads_it_to_its_end(server: Server, root: Path) -> None:
    """Replaced or deleted meanwhile: what was opened lives on."""
    (root / "big").write_bytes(BODY * 10)
    with server.connect() as client:
        client.sendall(head("/big", method=b"GET"))
        data = client.recv(1000)
        assert 204 == server.request(whole("/big", b"new"), "PUT").status
        assert 204 == server.request(head("/big", method=b"DELETE"), "DELETE").status
        assert BODY * 10 == parse(data + read_all(client)).body


@pytest.mark.parametrize("number", [15, 2, 1])
def test_a_child_that_is_asked_to_end_finishes_first(server: Server, root: Path,
                                                     number: int) -> None:
    """SIGTERM, SIGINT and SIGHUP wait until the body is there, or the client has gone."""
    for goes_on in (True, False):
        with server.connect() as client:
            client.sendall(whole("/new", b"hello")[:-1])
            (child,) = waiting(server, root)
            child.send_signal(number)
            time.sleep(0.05)
            if goes_on:
                client.sendall(b"o")
                assert 201 == parse(read_all(client), "PUT").status
                assert b"hello" == (root / "new").read_bytes()
                (root / "new").unlink()
        settled(server)
        untouched(root)


def waiting(server: Server, root: Path) -> list[psutil.Process]:
    """The children, once one of them has made its temporary file."""
    deadline = time.monotonic() + 5
    while not list(root.glob(".~*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    return server.children()


def test_a_server_that_ends_lets_uploads_finish(root: Path, folder: Path) -> None:
    with serving(root, folder, "--writable", program="writing") as server, \
            server.connect() as client:
        client.sendall(whole("/new", b"hello")[:-1])
        assert waiting(server, root)
        os.kill(server.pid, 15)
        assert 0 == server.process.wait(10).code
        client.sendall(b"o")
        assert 201 == parse(read_all(client), "PUT").status
    assert b"hello" == (root / "new").read_bytes()


def test_what_a_killed_child_leaves_is_never_served(server: Server, root: Path) -> None:
    """Nothing can be done against SIGKILL; the old file is whole all the same."""
    with server.connect() as client:
        client.sendall(whole("/old.txt", b"hello")[:-1])
        (child,) = waiting(server, root)
        child.kill()
        settled(server)
    (left,) = root.glob(".~*")
    assert 404 == server.status(f"/{left.name}")
    assert 404 == server.request(head(f"/{left.name}", method=b"DELETE"), "DELETE").status
    assert 204 == server.request(whole("/old.txt", b"newer"), "PUT").status
    left.unlink()


#: The calls of a child that takes one body, in order.
CHILD_CALLS = ["close", "setitimer", "read", "gettimeofday", "openat", "fstatat64", "sigprocmask",
               "getpid", "openat", "write", "fsync", "flock", "fstatat64", "fstat64", "renameat",
               "close", "close", "writev", "shutdown", "read", "exit"]


def test_a_put_makes_these_calls(root: Path, folder: Path) -> None:
    """One fsync: what the file holds is handed to the drive before it gets its name."""
    with serving(root, folder, "--writable", program="writing", trace=True) as server:
        for status in (201, 204):
            assert status == server.request(whole("/new", b"hello"), "PUT").status
            settled(server)
        calls = by_process(server.process.trace())
    for child in (2, 3):
        events = calls[child][1:]
        assert CHILD_CALLS == [event.name for event in events]
        assert sum(event.instructions for event in events) <= 2800


@pytest.mark.parametrize("error", ["EIO", "EINTR", "ENOSPC", "EDQUOT", "EACCES", "EMFILE"])
def test_any_call_of_a_child_may_fail(root: Path, folder: Path, error: str) -> None:
    """The n-th child meets the error in its n-th call: a whole version, and no other file."""
    number = getattr(errno, error)
    count = len(CHILD_CALLS) - 1
    plan = [Fault(nth=n + 1, error=number, process=n + 2) for n in range(count)]
    statuses = {}
    with serving(root, folder, "--writable", program="writing", plan=plan) as server:
        before = server.descriptors()
        for nth, name in enumerate(CHILD_CALLS[:count]):
            (root / "old.txt").write_bytes(b"the old version\n")
            raw = server.raw(whole("/old.txt", b"hello"))
            settled(server)
            assert {"sub", "old.txt"} == names(root), name
            found = (root / "old.txt").read_bytes()
            assert found in (b"hello", b"the old version\n"), name
            if raw:
                status = statuses[nth] = parse(raw, "PUT").status
                assert (found == b"hello") == (status in (201, 204)), name
        assert before == server.descriptors(before)
        assert 204 == server.request(whole("/old.txt", b"again"), "PUT").status
    if error in ("ENOSPC", "EDQUOT"):
        assert [507, 507, 507] == [statuses[CHILD_CALLS.index(name)]
                                   for name in ("write", "fsync", "renameat")]
        assert 204 == statuses[CHILD_CALLS.index("flock")], "only less strict"


@pytest.mark.parametrize("fault", [
    Fault("read", 0, short=1), Fault("write", 0, short=1), Fault("writev", 0, short=7),
], ids=lambda fault: f"{fault.call}-{fault.short}")
def test_short_transfers_lose_nothing(root: Path, folder: Path, fault: Fault) -> None:
    body = BODY[:3000]
    with serving(root, folder, "--writable", program="writing", plan=[fault]) as server:
        assert 201 == server.request(whole("/one", body), "PUT").status
        sent = head("/two", b"Transfer-Encoding: chunked") + chunked(body, 700)
        assert 201 == server.request(sent, "PUT").status
    assert body == (root / "one").read_bytes() == (root / "two").read_bytes()


# --- conditions ---------------------------------------------------------------------------


def test_a_put_says_the_tag_that_a_get_says(server: Server, root: Path) -> None:
    tags = [server.request(whole("/new", body), "PUT").headers[b"etag"]
            for body in (b"hello", b"hello")]
    assert tags[0] != tags[1], "another version, the same bytes"
    assert tags[1] == server.get("/new").headers[b"etag"]


def test_conditions_protect_what_is_there(server: Server, root: Path) -> None:
    tag = server.get("/old.txt").headers[b"etag"]
    since = server.get("/old.txt").headers[b"last-modified"]
    refused = [
        whole("/old.txt", b"x", b'If-Match: "other"'), whole("/new", b"x", b"If-Match: *"),
        whole("/old.txt", b"x", b"If-None-Match: *"),
        whole("/old.txt", b"x", b"If-Match: W/" + tag),
        whole("/old.txt", b"x", b"If-None-Match: " + tag),
        whole("/old.txt", b"x", b"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"),
        head("/old.txt", b'If-Match: "other"', method=b"DELETE"),
        head("/old.txt", b"If-None-Match: *", method=b"DELETE"),
    ]
    for sent in refused:
        assert 412 == server.request(sent).status, sent
    # Without the condition it would not have been 2xx either: RFC 9110 13.2.1.
    assert 404 == server.request(head("/new", b"If-Match: *", method=b"DELETE")).status
    assert 409 == server.request(whole("/sub", b"x", b"If-Match: *")).status
    untouched(root)
    wait = head("/old.txt", b"Content-Length: 1", b'If-Match: "x"', b"Expect: 100-continue")
    assert 412 == server.request(wait).status, "before the body, and without asking for it"
    for sent, status in (
        (whole("/new", b"x", b"If-None-Match: *"), 201), (whole("/new", b"y", b"If-Match: *"), 204),
        (whole("/old.txt", b"z", b"If-Match: " + tag, b"If-Unmodified-Since: " + since), 204),
        (head("/new", b"If-Match: *", method=b"DELETE"), 204),
    ):
        assert status == server.request(sent).status, sent


def test_a_condition_still_holds_when_the_body_is_there(server: Server, root: Path) -> None:
    """An upload takes its time; what counts is the moment of the change."""
    for field, other in ((b"If-Match: " + server.get("/old.txt").headers[b"etag"], "/old.txt"),
                         (b"If-None-Match: *", "/new")):
        slow = whole(other, b"slow", field)
        with server.connect() as client:
            client.sendall(slow[:-1])
            waiting(server, root)
            assert server.request(whole(other, b"quick"), "PUT").status in (201, 204)
            client.sendall(slow[-1:])
            assert 412 == parse(read_all(client), "PUT").status
        assert b"quick" == (root / other[1:]).read_bytes()
    assert {"sub", "old.txt", "new"} == names(root)


def test_of_many_who_want_to_be_first_one_is(server: Server, root: Path) -> None:
    for number in range(5):
        clients = [server.connect() for _ in range(6)]
        sent = [whole(f"/first{number}", b"%d" % n * 50, b"If-None-Match: *") for n in range(6)]
        for client, data in zip(clients, sent, strict=True):
            client.sendall(data[:-1])
        for client, data in zip(clients, sent, strict=True):
            client.sendall(data[-1:])
        replies = [parse(read_all(client), "PUT").status for client in clients]
        for client in clients:
            client.close()
        assert [201, *[412] * 5] == sorted(replies)
        winner = replies.index(201)
        assert b"%d" % winner * 50 == (root / f"first{number}").read_bytes()


# --- smuggling ----------------------------------------------------------------------------

SMUGGLED = b"DELETE /old.txt HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("fields", [
    (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    (b"Content-Length: 5", b"Content-Length: 6"), (b"Content-Length: 5, 5",),
    (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding: chunked, identity",), (b"Transfer-Encoding: xchunked",),
    (b"Transfer-Encoding : chunked",), (b"Transfer-Encoding:\x0bchunked",),
    (b"Content-Length: +5",), (b"Content-Length: 0x5",), (b"Content-Length: 5 5",),
    (b"Content-Length : 5",), (b"Content-Length: 18446744073709551621",),
], ids=lambda fields: b"|".join(fields).decode("latin-1"))
def test_a_body_of_doubtful_length_is_not_taken(server: Server, root: Path, fields) -> None:
    raw = server.raw(head("/new", *fields) + b"0\r\n\r\n" + SMUGGLED)
    assert parse(raw, "PUT").status in (400, 501)
    untouched(root)


def test_what_stands_behind_a_body_is_never_a_request(server: Server, root: Path) -> None:
    for sent in (whole("/new", b"hello"), head("/new", b"Content-Length: 0"),
                 head("/new", b"Transfer-Encoding: chunked") + b"0\r\n\r\n"):
        reply: Reply = parse(server.raw(sent + SMUGGLED), "PUT")
        assert reply.status in (201, 204)
        assert b"close" == reply.headers[b"connection"]
    (root / "new").unlink()
    untouched(root)


def test_a_delete_with_a_body_is_a_delete(server: Server, root: Path) -> None:
    (root / "x").write_bytes(b"x")
    sent = head("/x", b"Content-Length: %d" % len(SMUGGLED), method=b"DELETE") + SMUGGLED
    assert 204 == server.request(sent, "DELETE").status
    untouched(root)


def test_memory_does_not_grow_with_the_body(server: Server, root: Path) -> None:
    """A child that has taken 64 MiB is hardly larger than one that has taken 64 KiB."""
    sizes = []
    block = b"x" * 65536
    for blocks in (1, 1024):
        with server.connect() as client:
            client.sendall(head("/new", b"Content-Length: %d" % (blocks * len(block) + 1)))
            for _ in range(blocks):
                client.sendall(block)
            deadline = time.monotonic() + 20
            while (sum(path.stat().st_size for path in root.glob(".~*")) < blocks * len(block)
                   and time.monotonic() < deadline):
                time.sleep(0.01)
            (child,) = server.children()
            sizes.append(child.memory_full_info().uss)
            client.sendall(b"x")
            assert parse(read_all(client), "PUT").status in (201, 204)
        settled(server)
    assert sizes[1] - sizes[0] < 2_000_000, sizes


