"""http/reply, http/page, http/redirect and the plans, without a network."""

from __future__ import annotations

import os
from pathlib import Path

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.layout import Connection, constants
from support.server import parse

HTTP = constants("http.inc")
KIND = constants("reply.inc")
NOW = 784111777
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"


def connection(asm: Asm, now: int = NOW) -> Connection:
    conn = Connection(asm)
    conn["CONN_NOW"] = now
    return conn


@pytest.mark.parametrize("status", [400, 403, 404, 405, 408, 414, 421, 431, 500, 501, 503, 505])
def test_a_page_is_a_complete_reply(asm: Asm, status: int) -> None:
    conn = connection(asm)
    asm.call("page_plan", conn.address, status)
    reply = parse(conn.head + conn.body)
    assert (status, DATE) == (reply.status, reply.headers[b"date"])
    assert len(conn.body) <= constants("conn.inc")["CONN_PAGE_SIZE"]
    assert (status == 405) == (b"allow" in reply.headers)
    assert (status == 503) == (b"retry-after" in reply.headers)
    assert KIND["BODY_MEMORY"] == conn.reply["REPLY_KIND"]


def test_without_a_clock_there_is_no_date(asm: Asm) -> None:
    conn = connection(asm, now=0)
    asm.call("page_plan", conn.address, 404)
    reply = parse(conn.head + conn.body)
    assert b"date" not in reply.headers


@given(st.binary(min_size=1, max_size=1000), st.binary(max_size=100))
def test_any_path_fits_in_a_redirect(asm: Asm, path: bytes, query: bytes) -> None:
    asm.reset()
    conn = connection(asm)
    conn.set_path(path)
    safe = bytes(c for c in query if 0x21 <= c < 0x7F)
    conn.request["REQUEST_QUERY"] = asm.alloc(b"?" + safe)
    conn.request["REQUEST_QUERY_LEN"] = len(safe) + 1
    asm.call("redirect_plan", conn.address)
    reply = parse(conn.head + conn.body)
    assert reply.status == 301
    location = reply.headers[b"location"]
    assert location.startswith(b"/") and location.endswith(b"/?" + safe)


def test_the_longest_redirect_there_can_be(asm: Asm) -> None:
    conn = connection(asm)
    size = constants("conn.inc")["CONN_PATH_SIZE"] - constants("conn.inc")["CONN_PATH_SPARE"] - 2
    conn.set_path(b"\xff" * size)
    query = b"?" + b"q" * (HTTP["REQUEST_LINE_MAX_BYTES"] - 20)
    conn.request["REQUEST_QUERY"] = asm.alloc(query)
    conn.request["REQUEST_QUERY_LEN"] = len(query)
    asm.call("redirect_plan", conn.address)
    assert len(conn.head) <= constants("conn.inc")["CONN_OUT_SIZE"]
    assert b"Location: /" + b"%FF" * size + b"/" + query + b"\r\n" in conn.head


@given(st.integers(0, 300), st.integers(0, 2000), st.data())
def test_counting_what_was_sent(asm: Asm, head: int, body: int, data: st.DataObject) -> None:
    """However it is cut: the rest of the head, then of the body, then nothing."""
    asm.reset()
    conn = connection(asm)
    conn.reply["REPLY_HEAD"] = 1000
    conn.reply["REPLY_HEAD_LEN"] = head
    conn.reply["REPLY_BODY"] = 5000
    conn.reply["REPLY_LENGTH"] = body
    sent = 0
    while sent < head + body:
        step = data.draw(st.integers(1, head + body - sent))
        sent += step
        left = asm.call("reply_advance", conn.reply.address, step).value
        assert head + body - sent == left
        of_head, of_body = min(sent, head), max(0, sent - head)
        assert (1000 + of_head, head - of_head, 5000 + of_body, of_body, body - of_body) == (
            conn.reply["REPLY_HEAD"], conn.reply["REPLY_HEAD_LEN"], conn.reply["REPLY_BODY"],
            conn.reply["REPLY_OFFSET"], conn.reply["REPLY_LENGTH"])


@given(st.integers(0, 2**63 - 1), st.integers(-(2**40), 2**40), st.integers(1, 2**35))
def test_a_file_is_described_truly(asm: Asm, size: int, mtime: int, now: int) -> None:
    asm.reset()
    conn = connection(asm, now)
    conn.set_path(b"dir/a.css")
    conn.set_file(size, mtime)
    result = asm.call("file_plan", conn.address)
    assert not result.carry
    client = h11.Connection(our_role=h11.CLIENT)
    client.send(h11.Request(method="HEAD", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(conn.head)
    response = client.next_event()
    headers = dict(response.headers)
    assert (200, str(size).encode(), b"text/css; charset=utf-8") == (
        response.status_code, headers[b"content-length"], headers[b"content-type"])
    from email.utils import formatdate

    assert formatdate(min(max(mtime, 0), now), usegmt=True).encode() == headers[b"last-modified"]
    assert formatdate(now, usegmt=True).encode() == headers[b"date"]
    assert (KIND["BODY_FILE"], 0, size) == (
        conn.reply["REPLY_KIND"], conn.reply["REPLY_OFFSET"], conn.reply["REPLY_LENGTH"])


def open_now() -> set[str]:
    """Numbers of what this process has open, but for the look itself."""
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def serve(asm: Asm, root: Path) -> None:
    fd = os.open(root, os.O_RDONLY)
    config = constants("config.inc")
    asm.poke(asm.address("config") + config["CONFIG_ROOT_FD"], fd.to_bytes(4, "little"))
    asm.poke(asm.address("config") + config["CONFIG_ERRORS_FD"], b"\xff" * 4)


def test_no_plan_leaves_a_file_open_that_it_does_not_send(asm: Asm, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "d").mkdir()
    (tmp_path / "odd/index.html").mkdir(parents=True)
    os.mkfifo(tmp_path / "pipe")
    serve(asm, tmp_path)
    for path, slash, status in (
        (b"f", False, 0), (b"d", False, 0), (b"d", True, 403), (b"odd", True, 403),
        (b"pipe", False, 403), (b"gone", False, 404), (b"gone", True, 404), (b"f", True, 404),
    ):
        before = open_now()
        conn = connection(asm)
        conn.set_path(path, slash)
        result = asm.call("get_plan", conn.address)
        assert (status != 0, status or result.value) == (result.carry, result.value), path
        fd = conn.reply["REPLY_FD"]
        assert (path == b"f" and not slash) == (fd >= 0)
        if fd >= 0:
            os.close(fd)
        assert before == open_now(), path


@pytest.mark.parametrize(("call", "path", "slash"), [
    ("openat", b"f", False), ("fstat64", b"f", False), ("openat", b"d", True),
    ("fstat64", b"d", False), ("close", b"d", False),
])
def test_a_plan_whose_call_fails_leaves_nothing_open(
    asm: Asm, tmp_path: Path, call: str, path: bytes, slash: bool
) -> None:
    from ymawky_kit.darwin.errno import EIO
    from ymawky_kit.emu.plan import Fault, FaultPlan

    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "d").mkdir()
    serve(asm, tmp_path)
    before = open_now()
    conn = connection(asm)
    conn.set_path(path, slash)
    with asm.plan(FaultPlan([Fault(call, 1, error=EIO)])):
        result = asm.call("get_plan", conn.address)
    assert result.value in (500, 403) if result.carry else call == "close"
    assert -1 == conn.reply["REPLY_FD"]
    assert before == open_now()
