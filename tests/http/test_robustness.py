"""Clients that vanish, crowd or dawdle, and a kernel that says no."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.server import HOST, Server, parse, read_all, serving

from ymawky_kit.darwin import errno
from ymawky_kit.emu.plan import Fault

GOOD = b"GET /1k.bin HTTP/1.1\r\n" + HOST + b"\r\n"


def reset(client: socket.socket) -> None:
    """Close so that the other side gets a reset instead of an end."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.fixture(scope="module")
def patient(tree: Path, folder: Path) -> Iterator[Server]:
    """A server of its own for clients that misbehave; gives up on a head after 1 s."""
    with serving(tree, folder, "--head-seconds", "1") as running:
        yield running


def healthy(server: Server) -> None:
    """It still serves, and nothing is left of what went before."""
    reply = server.request(GOOD)
    assert (200, 1024) == (reply.status, len(reply.body))
    assert [] == server.settle()


def test_nothing_is_left_after_600_requests(patient: Server) -> None:
    """More than twice as many as a process may have descriptors, or the server children."""
    before = patient.descriptors()
    left = list(range(600))
    bad: list[object] = []

    def work() -> None:
        while left:
            try:
                number = left.pop()
            except IndexError:
                return
            target = b"/1k.bin" if number % 4 else b"/nosuch"
            reply = patient.raw(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            if not reply.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 404 ")):
                bad.append((number, reply[:60]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == bad
    healthy(patient)
    assert before == patient.descriptors()


def test_a_client_may_vanish_at_any_byte(patient: Server) -> None:
    before = patient.descriptors()
    for size in range(len(GOOD) + 1):
        for leave in (socket.socket.close, reset):
            client = patient.connect()
            client.sendall(GOOD[:size])
            leave(client)
    healthy(patient)
    assert before == patient.descriptors()


def test_a_client_may_vanish_while_it_reads(patient: Server) -> None:
    for taken in (0, 1, 1000, 100_000):
        for leave in (socket.socket.close, reset):
            client = patient.connect()
            client.sendall(GOOD.replace(b"1k", b"big"))
            got = 0
            while got < taken:
                got += len(client.recv(min(4096, taken - got)))
            leave(client)
    healthy(patient)


def test_a_head_that_comes_byte_by_byte_is_read(patient: Server) -> None:
    with patient.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GOOD:
            client.sendall(bytes([byte]))
            time.sleep(0.002)
        assert 200 == parse(read_all(client)).status


def test_half_a_head_and_then_the_end_is_a_bad_request(patient: Server) -> None:
    assert 400 == patient.request(GOOD[:-1], finish=True).status
    assert b"" == patient.raw(b"", finish=True)


def test_a_head_that_takes_too_long_is_answered_408(patient: Server) -> None:
    start = time.monotonic()
    assert 408 == patient.request(GOOD[:-2]).status
    assert 0.8 < time.monotonic() - start < 4


@pytest.mark.parametrize("sent", [b"HEAD / HT", b"\r\nHEAD /", b"HEAD "])
def test_a_head_request_that_stays_unfinished_is_refused_without_a_body(
    patient: Server, sent: bytes
) -> None:
    """RFC 9110 9.3.2: whatever is wrong with it, a reply to HEAD has no content."""
    for finish, status in ((True, 400), (False, 408)):
        reply = patient.request(sent, "HEAD", finish=finish)
        assert (status, b"") == (reply.status, reply.body)


def test_trickling_does_not_move_the_deadline(patient: Server) -> None:
    start = time.monotonic()
    with patient.connect() as client:
        try:
            while time.monotonic() - start < 6:
                client.sendall(b"X")
                time.sleep(0.1)
        except OSError:
            pass
        finally:
            assert time.monotonic() - start < 4


def test_a_client_that_never_says_a_word_is_left_without_one(patient: Server) -> None:
    assert b"" == patient.raw(b"")


def test_a_refusal_can_be_read_behind_a_large_body(patient: Server) -> None:
    body = b"x" * 5_000_000
    head = b"PUT /new HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert 405 == patient.request(head + body).status


def test_a_client_that_never_stops_sending_is_left(patient: Server) -> None:
    """No read ever waits for it, so the alarm alone would never end one."""
    chunk = b"x" * 65536
    start = time.monotonic()
    with patient.connect() as client, pytest.raises(OSError):
        client.sendall(GOOD)
        while time.monotonic() - start < 8:
            client.sendall(chunk)
    assert [] == patient.settle()


def test_a_slow_reader_gets_all_of_a_large_file(patient: Server, tree: Path) -> None:
    """The alarm that ends a slow head must not end a slow body."""
    with patient.connect() as client:
        client.sendall(GOOD.replace(b"1k", b"big"))
        data = bytearray()
        for _ in range(20):
            data += client.recv(50_000)
            time.sleep(0.12)
        data += read_all(client)
    assert (tree / "big.bin").read_bytes() == parse(bytes(data)).body


def test_one_client_too_many_is_told_to_come_back(tree: Path, folder: Path) -> None:
    with serving(tree, folder, "--children", "3") as server:
        idle = [server.connect() for _ in range(3)]
        for client in idle:
            client.sendall(b"GET")
        deadline = time.monotonic() + 5
        while len(server.children()) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        reply = server.request(GOOD)
        assert (503, b"5") == (reply.status, reply.headers[b"retry-after"])
        head = server.request(GOOD.replace(b"GET", b"HEAD"), "HEAD")
        assert (503, b"") == (head.status, head.body)
        for client in idle:
            client.close()
        assert [] == server.settle()
        for _ in range(10):
            healthy(server)


def test_the_server_never_has_zombies(tree: Path, folder: Path) -> None:
    with serving(tree, folder) as server:
        seen = []
        for _ in range(20):
            server.raw(GOOD)
            seen += [child for child in server.children() if is_zombie(child)]
        time.sleep(0.1)
        assert [] == [child for child in server.children() if is_zombie(child)]
        assert len(seen) <= 20


def is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


#: The calls of a child that serves one GET, in order.
CHILD_CALLS = ["close", "setitimer", "read", "gettimeofday", "openat", "fstat64", "sendfile",
               "shutdown", "read", "exit"]


@pytest.mark.parametrize("error", ["EIO", "EINTR", "ENOMEM", "EMFILE", "ECONNRESET"])
def test_any_call_of_a_child_may_fail(tree: Path, folder: Path, error: str) -> None:
    """The n-th child meets the error in its n-th call."""
    number = getattr(errno, error)
    count = len(CHILD_CALLS) - 1        # exit cannot fail
    # A fault of a child's own counts the calls that it makes itself; its fork is its parent's.
    plan = [Fault(nth=n + 1, error=number, process=n + 2) for n in range(count)]
    with serving(tree, folder, plan=plan) as server:
        before = server.descriptors()
        for name in CHILD_CALLS[:count]:
            raw = server.raw(GOOD)
            if raw:
                assert parse(raw).status in (200, 400, 403, 404, 408, 500, 503), name
        healthy(server)
        assert before == server.descriptors(before)


@pytest.mark.parametrize("error", ["EIO", "EINTR", "ENOMEM", "EAGAIN", "EMFILE", "ECONNABORTED"])
def test_any_call_of_the_parent_may_fail(tree: Path, folder: Path, error: str) -> None:
    number = getattr(errno, error)
    plan = [Fault(call, nth, number, process=1) for call, nth in
            (("accept", 2), ("accept", 3), ("fork", 3), ("fork", 5), ("close", 2))]
    with serving(tree, folder, plan=plan) as server:
        before = server.descriptors()
        for _ in range(8):
            raw = server.raw(GOOD)
            assert raw.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 503 ")), raw[:60]
        healthy(server)
        assert before == server.descriptors(before)


def test_the_calls_that_count_children_may_fail(tree: Path, folder: Path) -> None:
    plan = [Fault("getpid", 1, errno.EIO), Fault("proc_info", 1, errno.ENOMEM)]
    with serving(tree, folder, "--children", "1", plan=plan) as server:
        statuses = []
        for _ in range(5):
            statuses.append(server.request(GOOD).status)
            server.settle()
        assert [200, 503, 503, 200, 200] == statuses


# A sendfile that is cut shorter than the head would go on with the file all the same
# (XNU bsd/kern/uipc_syscalls.c sendfile); a new connection has room for every head.
@pytest.mark.parametrize("fault", [
    Fault("read", 0, short=1), Fault("writev", 0, short=7), Fault("sendfile", 0, short=500),
], ids=lambda fault: f"{fault.call}-{fault.short}")
def test_short_transfers_lose_nothing(tree: Path, folder: Path, fault: Fault) -> None:
    with serving(tree, folder, plan=[fault]) as server:
        for target in ("/1k.bin", "/nosuch"):
            reply = server.get(target)
            assert str(len(reply.body)).encode() == reply.headers[b"content-length"]
        assert bytes(range(256)) * 4 == server.get("/1k.bin").body


def test_a_server_without_a_clock_sends_no_date(tree: Path, folder: Path) -> None:
    with serving(tree, folder, plan=[Fault("gettimeofday", 0, errno.EIO)]) as server:
        reply = server.get("/1k.bin")
        assert (200, 1024) == (reply.status, len(reply.body))
        assert {b"date", b"last-modified"}.isdisjoint(reply.headers)
