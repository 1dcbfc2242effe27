"""Every function keeps its contract: it spoils what Clob names and nothing else.

A driver is a small function that calls the one it is named for; :class:`Asm` does
the checking.  A function without a driver fails the test, unless it never returns.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil
import pytest
import support.drivers.listings
import support.drivers.ranges
import support.drivers.writing  # noqa: F401 - for the drivers it adds
from support.contract import Asm, Contract, everything, program_with
from support.drivers import DRIVERS, driver
from support.layout import Connection, constants

from ymawky_kit import chapters
from ymawky_kit.darwin.errno import EIO
from ymawky_kit.emu.machine import CallFault
from ymawky_kit.emu.plan import Fault, FaultPlan

CONTRACTS = list(everything())
HTTP = constants("http.inc")
ABI = constants("abi.inc")

#: These end the process or serve for ever; tests/http and test_first.py run them whole.
NEVER_RETURN = {
    "platform/start": {"start"},
    "first/answer": {"start"},
    "platform/process": {"process_exit"},
    "platform/signal": {"signal_return", "signal_leave"},
    "serve/fork": {"serve_run", "child_run"},
    "serve/serial": {"serve_run"},
}

@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: f"{c.module}:{c.name}")
def test_the_function_keeps_its_contract(contract: Contract, tmp_path: Path) -> None:
    if contract.name in NEVER_RETURN.get(contract.module, set()):
        return
    special = f"{contract.module}:{contract.name}".replace("/", "_").replace(":", "__")
    drive = DRIVERS.get(special) or DRIVERS[contract.name]
    asm = Asm(program_with(contract.module))
    try:
        drive(asm, tmp_path)
        assert contract.name in asm.called, "the driver calls another function"
    finally:
        asm.close()


def test_every_driver_drives_a_function() -> None:
    names = {c.name for c in CONTRACTS}
    names |= {f"{c.module}:{c.name}".replace("/", "_").replace(":", "__") for c in CONTRACTS}
    assert set() == set(DRIVERS) - names


def test_functions_that_never_return_say_so() -> None:
    for contract in CONTRACTS:
        excused = contract.name in NEVER_RETURN.get(contract.module, set())
        if not contract.returns:
            assert excused, f"{contract.name} does not return, says its contract"


def test_the_harness_notices_a_broken_contract(tmp_path: Path) -> None:
    """Change one register, one stack byte, or sp: each is seen."""
    from ymawky_kit.source import Source

    text = chapters.asm_root().joinpath("lib/text.s").read_text()
    good = "    mov     x1, x0\nLtext_length_next:"
    assert good in text
    for extra, complaint in (
        ("    mov     x9, #1\n", "changed x9"),
        ("    mov     x19, #1\n", "changed x19"),
        ("    fmov    d7, x1\n", "changed v7"),
        ("    sub     sp, sp, #16\n", "moved sp"),
        ("    str     x1, [sp, #8]\n", "wrote over its caller"),
    ):
        changed = text.replace(good, good.replace("Ltext", extra + "Ltext", 1))
        asm = Asm("fork", overrides={"lib/text": Source("lib/text.s", changed)})
        try:
            with pytest.raises(AssertionError, match=complaint):
                asm.call("text_length", asm.text(b"hello"))
        finally:
            asm.close()


# --- lib ----------------------------------------------------------------------------------


@driver
def mem_copy(asm: Asm, _: Path) -> None:
    for size in (0, 1, 7, 15, 16, 17, 31, 32, 100):
        asm.call("mem_copy", asm.alloc(size), asm.alloc(bytes(size)), size)


@driver
def mem_clear(asm: Asm, _: Path) -> None:
    for size in (64, 192):
        asm.call("mem_clear", asm.alloc(size), size)


@driver
def control_find(asm: Asm, _: Path) -> None:
    for text in (b"", b"\n", b"x" * 15 + b"\r", b"x" * 40, b"\ty" * 20 + b"\x7f" + b"z" * 20):
        at = asm.alloc(text)
        asm.call("control_find", at, at + len(text), at)


@driver
def u64_parse(asm: Asm, _: Path) -> None:
    for text in (b"", b"0", b"x", b"18446744073709551615", b"18446744073709551616", b"9" * 30):
        asm.call("u64_parse", asm.alloc(text), len(text))


@driver
def u64_format(asm: Asm, _: Path) -> None:
    for value in (0, 9, 10, 2**64 - 1):
        asm.call("u64_format", value, asm.alloc(20) + 20)


@driver
def text_length(asm: Asm, _: Path) -> None:
    for text in (b"", b"abc"):
        asm.call("text_length", asm.text(text))


@driver
def text_equal(asm: Asm, _: Path) -> None:
    for one, two in ((b"", b""), (b"a", b"a"), (b"a", b"b"), (b"a", b"ab")):
        asm.call("text_equal", asm.text(one), asm.text(two))


@driver
def text_same(asm: Asm, _: Path) -> None:
    for one, two in ((b"", b""), (b"HoSt", b"host"), (b"host", b"hose")):
        asm.call("text_same", asm.alloc(one), asm.alloc(two), len(one))


@driver
def text_word(asm: Asm, _: Path) -> None:
    for text in (b"a", b"12345678"):
        asm.call("text_word", asm.alloc(text.ljust(8)), len(text))


@driver
def hex_pair(asm: Asm, _: Path) -> None:
    for text in (b"00", b"fF", b"0g", b"g0", b"%%"):
        asm.call("hex_pair", asm.alloc(text))


@driver
def date_write(asm: Asm, _: Path) -> None:
    for seconds in (0, 951782400, 253402300799):
        asm.call("date_write", asm.alloc(32), seconds)


@driver
def date_calendar(asm: Asm, _: Path) -> None:
    for days in (0, 58, 59, 60, 365, 2932896):
        asm.call("date_calendar", days)


@driver
def fd_write_all(asm: Asm, _: Path) -> None:
    reading, writing = os.pipe()
    try:
        asm.call("fd_write_all", writing, asm.alloc(b"hello"), 5)
        asm.call("fd_write_all", writing, asm.alloc(b""), 0)
        asm.call("fd_write_all", 99, asm.alloc(b"hello"), 5)
        assert b"hello" == os.read(reading, 100)
    finally:
        os.close(reading)
        os.close(writing)


@driver
def fd_read_some(asm: Asm, _: Path) -> None:
    _reads(asm, "fd_read_some")


@driver
def fd_read(asm: Asm, _: Path) -> None:
    _reads(asm, "fd_read")


def _reads(asm: Asm, name: str) -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"hello")
        buffer = asm.alloc(8)
        assert 5 == asm.call(name, reading, buffer, 8).value
        assert b"hello\0\0\0" == asm.peek(buffer, 8)
        asm.call(name, 99, buffer, 8)
    finally:
        os.close(reading)
        os.close(writing)


@driver
def text_write(asm: Asm, _: Path) -> None:
    asm.call("text_write", 99, asm.text(b"nobody reads this"))


@driver
def complain(asm: Asm, _: Path) -> None:
    asm.call("complain", asm.text(b"test"), asm.text(b"subject"), asm.text(b"reason"))


@driver
def complain_text(asm: Asm, _: Path) -> None:
    asm.call("complain_text", asm.random_word(), asm.text(b""))


@driver
def errno_text(asm: Asm, _: Path) -> None:
    for number in (1, 2, 63, 77, 255):
        asm.call("errno_text", number)


# --- platform -----------------------------------------------------------------------------


@driver
def fd_write(asm: Asm, _: Path) -> None:
    asm.call("fd_write", 99, asm.alloc(b"x"), 1)


@driver
def fd_close(asm: Asm, _: Path) -> None:
    asm.call("fd_close", os.open("/", os.O_RDONLY))
    asm.call("fd_close", 99)


@driver
def fd_stat(asm: Asm, tmp: Path) -> None:
    fd = os.open(tmp, os.O_RDONLY)
    try:
        asm.call("fd_stat", fd, asm.alloc(ABI["STAT_SIZEOF"]))
    finally:
        os.close(fd)


def _opens(asm: Asm, name: str, *arguments: int) -> None:
    result = asm.call(name, *arguments)
    if not result.carry:
        os.close(result.value)


@driver
def file_open(asm: Asm, tmp: Path) -> None:
    (tmp / "f").write_bytes(b"x")
    _opens(asm, "file_open", asm.text(bytes(tmp / "f")))
    _opens(asm, "file_open", asm.text(b"/there/is/no/such/file"))


@driver
def directory_open(asm: Asm, tmp: Path) -> None:
    _opens(asm, "directory_open", asm.text(bytes(tmp)))
    _opens(asm, "directory_open", asm.text(b"/there/is/no/such/directory"))


@driver
def file_open_below(asm: Asm, tmp: Path) -> None:
    _below(asm, tmp, "file_open_below")


@driver
def directory_open_below(asm: Asm, tmp: Path) -> None:
    _below(asm, tmp, "directory_open_below")


def _below(asm: Asm, tmp: Path, name: str) -> None:
    (tmp / "f").write_bytes(b"x")
    (tmp / "d").mkdir()
    fd = os.open(tmp, os.O_RDONLY)
    try:
        for path in (b"f", b"d", b"missing"):
            _opens(asm, name, fd, asm.text(path))
    finally:
        os.close(fd)


@driver
def socket_open(asm: Asm, _: Path) -> None:
    _opens(asm, "socket_open")


def _with_socket(asm: Asm, *names: str) -> None:
    with socket.socket() as one:
        for name in names:
            asm.call(name, one.fileno(), 0x0100007F, 0)
        asm.call(names[0], 99, 0, 0)


@driver
def socket_reuse(asm: Asm, _: Path) -> None:
    _with_socket(asm, "socket_reuse")


@driver
def socket_bind(asm: Asm, _: Path) -> None:
    _with_socket(asm, "socket_bind")


@driver
def socket_listen(asm: Asm, _: Path) -> None:
    _with_socket(asm, "socket_listen")


@driver
def socket_port(asm: Asm, _: Path) -> None:
    _with_socket(asm, "socket_port")


@driver
def socket_accept(asm: Asm, _: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, \
            socket.create_connection(server.getsockname()):
        _opens(asm, "socket_accept", server.fileno())
    asm.call("socket_accept", 99)


@driver
def socket_finish(asm: Asm, _: Path) -> None:
    one, two = socket.socketpair()
    with one, two:
        asm.call("socket_finish", one.fileno())
        asm.call("socket_finish", 99)


@driver
def socket_drain(asm: Asm, _: Path) -> None:
    one, two = socket.socketpair()
    with one, two:
        two.sendall(b"hello")
        buffer = asm.alloc(8)
        assert 5 == asm.call("socket_drain", one.fileno(), buffer, 8).value
        result = asm.call("socket_drain", one.fileno(), buffer, 8)
        assert (True, ABI["EAGAIN"]) == (result.carry, result.value)


def _replying(asm: Asm, tmp: Path, name: str, kinds: tuple[str, ...]) -> None:
    (tmp / "f").write_bytes(b"0123456789")
    file = os.open(tmp / "f", os.O_RDONLY)
    kind = constants("reply.inc")
    with socket.create_server(("127.0.0.1", 0)) as server, \
            socket.create_connection(server.getsockname()) as client:
        peer, _ = server.accept()
        with peer:
            for body in kinds:
                conn = Connection(asm)
                conn.reply["REPLY_HEAD"] = asm.alloc(b"head")
                conn.reply["REPLY_HEAD_LEN"] = 4
                conn.reply["REPLY_KIND"] = kind[body]
                if body != "BODY_NONE":
                    conn.reply["REPLY_LENGTH"] = 10
                conn.reply["REPLY_BODY"] = asm.alloc(b"0123456789")
                conn.reply["REPLY_FD"] = file
                size = asm.call(name, peer.fileno(), conn.reply.address).value
                assert b"head0123456789"[:size] == client.recv(100)
            assert asm.call(name, 99, conn.reply.address).carry
    os.close(file)


@driver
def reply_transmit(asm: Asm, tmp: Path) -> None:
    _replying(asm, tmp, "reply_transmit", ("BODY_NONE", "BODY_MEMORY", "BODY_FILE"))


@driver
def transmit_memory(asm: Asm, tmp: Path) -> None:
    _replying(asm, tmp, "transmit_memory", ("BODY_NONE", "BODY_MEMORY"))


@driver
def transmit_file(asm: Asm, tmp: Path) -> None:
    _replying(asm, tmp, "transmit_file", ("BODY_FILE",))


@driver
def clock_now(asm: Asm, _: Path) -> None:
    asm.call("clock_now")


@driver
def pause_briefly(asm: Asm, _: Path) -> None:
    asm.call("pause_briefly")


@driver
def process_children(asm: Asm, _: Path) -> None:
    count = asm.call("process_children").value
    assert len(psutil.Process().children()) == count


def _alone(asm: Asm, name: str, *arguments: int) -> None:
    """Call it in a process of its own: it changes signals, or forks."""
    asm.called.add(name)
    child = os.fork()
    if child == 0:
        try:
            result = asm.call(name, *arguments)
            if name == "process_fork" and result.value:
                os.waitpid(result.value, 0)
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@driver
def process_fork(asm: Asm, _: Path) -> None:
    _alone(asm, "process_fork")


@driver
def signal_ignore(asm: Asm, _: Path) -> None:
    for number in (13, 9):
        _alone(asm, "signal_ignore", number)


@driver
def signal_interrupt(asm: Asm, _: Path) -> None:
    for number in (14, 9):
        _alone(asm, "signal_interrupt", number)


@driver
def signal_hold(asm: Asm, _: Path) -> None:
    _alone(asm, "signal_hold")


@driver
def signal_exit(asm: Asm, _: Path) -> None:
    for number in (15, 9):
        _alone(asm, "signal_exit", number)


@driver
def signal_set(asm: Asm, _: Path) -> None:
    for number in (15, 9):
        _alone(asm, "signal_set", number, 1, 0)


@driver
def timer_start(asm: Asm, _: Path) -> None:
    _alone(asm, "timer_start", 3600, 1)


@driver
def guard_start(asm: Asm, _: Path) -> None:
    _alone(asm, "guard_start")


@driver
def guard_arm(asm: Asm, _: Path) -> None:
    _alone(asm, "guard_arm", 3600)


# --- http ---------------------------------------------------------------------------------


@driver
def method_find(asm: Asm, _: Path) -> None:
    for name in (b"GET", b"PATCH", b"get", b"PROPFIND", b"MUCHTOOLONG"):
        asm.call("method_find", asm.alloc(name + b" / HTTP/"), len(name))


def _lines(asm: Asm, name: str, *lines: bytes, behind: bytes = b"\r") -> None:
    for line in lines:
        asm.call(name, Connection(asm).request.address, asm.alloc(line + behind), len(line))


@driver
def field_take(asm: Asm, _: Path) -> None:
    _lines(asm, "field_take", b"Host: a", b"Content-Length: 5", b"Content-Length: x",
           b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"bad", b"X:" + b"v" * 50,
           b":", b"Host:", b"Hose: x", b"N" * 40 + b":")


def _kept(asm: Asm, name: str) -> None:
    for field, value in ((b"Host", b" a \t"), (b"hose", b"x"), (b"Content-Length", b"5"),
                         (b"transfer-encoding", b"x"), (b"Host", b"  ")):
        at = asm.alloc(field + value + b"\r")
        end = at + len(field + value)
        request = Connection(asm).request.address
        if name == "field_keep":
            asm.call(name, request, at, end, at + len(field), len(field))
        else:
            for number in (1, 2, 3):
                asm.call(name, request, at + len(field), end, 0, number)


@driver
def field_keep(asm: Asm, _: Path) -> None:
    _kept(asm, "field_keep")


@driver
def field_value(asm: Asm, _: Path) -> None:
    _kept(asm, "field_value")


@driver
def field_host(asm: Asm, _: Path) -> None:
    _lines(asm, "field_host", b"", b"a:80", b"a b")
    twice = Connection(asm).request.address
    asm.call("field_host", twice, asm.alloc(b"a\r"), 1)
    assert 400 == asm.call("field_host", twice, asm.alloc(b"a\r"), 1).value


@driver
def field_length(asm: Asm, _: Path) -> None:
    _lines(asm, "field_length", b"", b"12", b"9223372036854775808", b"-1")


@driver
def field_coding(asm: Asm, _: Path) -> None:
    _lines(asm, "field_coding", b"", b"Chunked", b"gzip", b"chunkee")


@driver
def target_parse(asm: Asm, _: Path) -> None:
    _lines(asm, "target_parse", b"", b"/", b"/a?b", b"*", b"**", b"http://a/b", b"https://a/",
           b"a:80", b"http://a", b"http://a?b", b"http://", b"/\x80", behind=b" ")
    for method in ("METHOD_OPTIONS", "METHOD_CONNECT"):
        conn = Connection(asm)
        conn.request["REQUEST_METHOD"] = HTTP[method]
        asm.call("target_parse", conn.request.address, asm.alloc(b"* "), 1)


@driver
def target_path(asm: Asm, _: Path) -> None:
    _lines(asm, "target_path", b"", b"/", b"/a?b", b"?b", b"/a b", b"/a?b c",
           behind=b" ")


@driver
def target_absolute(asm: Asm, _: Path) -> None:
    _lines(asm, "target_absolute", b"http://a/b", b"HTTP://a?b", b"http:///b", b"http://a b/",
           b"https://a/", b"ftp://a/", b"x", behind=b" ")


@driver
def target_scheme(asm: Asm, _: Path) -> None:
    scheme = asm.alloc(b"http://")
    for target in (b"http://", b"HTTP://a", b"x", b"https://a"):
        at = asm.alloc(target)
        asm.call("target_scheme", at, scheme, 7, at + len(target))


@driver
def host_check(asm: Asm, _: Path) -> None:
    for host in (b"", b"a", b"a:80", b"a:", b"a:8x", b"[::1]", b"[::1]:80", b"[]", b"[g]", b"[::1",
                 b"[::1]x", b"a@b", b":80"):
        asm.call("host_check", asm.alloc(host + b"\r"), len(host))


@driver
def request_parse(asm: Asm, _: Path) -> None:
    for head in (b"", b"G", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\nGET / HTTP/1.0\r\n\r\n",
                 b"bad\r\n", b"bare\n", b"\n", b"GET / HTTP/2.0\r\n", b"G" * 9000,
                 b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.0\r\n" + b"A: b\r\n" * 3000):
        asm.call("request_parse", Connection(asm).request.address, asm.alloc(head), len(head))


@driver
def request_limit(asm: Asm, _: Path) -> None:
    state = constants("request.inc")
    for which in ("STATE_FIRST", "STATE_FIELD"):
        conn = Connection(asm)
        conn.request["REQUEST_STATE"] = state[which]
        asm.call("request_limit", conn.request.address, 1000, 2000)


@driver
def request_refuse(asm: Asm, _: Path) -> None:
    state = constants("request.inc")
    for which, given, said in (
        ("STATE_FIRST", 414, 414), ("STATE_LINE", 0, 0), ("STATE_FIELD", 414, 431),
        ("STATE_FIELD", 400, 400), ("STATE_FIELD", 0, 0),
    ):
        request = Connection(asm).request
        request["REQUEST_STATE"] = state[which]
        line = asm.alloc(b"HEAD ")
        result = asm.call("request_refuse", request.address, line, line + 5, given)
        assert (True, said) == (result.carry, result.value)
        assert (which == "STATE_FIELD") == (request["REQUEST_METHOD"] == 0)


@driver
def request_peek(asm: Asm, _: Path) -> None:
    head = constants("http.inc")["METHOD_HEAD"]
    for line, method in ((b"HEAD ", head), (b"HEAD / HT", head), (b"HEAD", 0), (b"HEADS", 0),
                         (b"head /", 0), (b"GET / ", 0), (b"", 0)):
        request = Connection(asm).request
        asm.call("request_peek", request.address, asm.alloc(line), len(line))
        assert method == request["REQUEST_METHOD"], line


@driver
def request_open(asm: Asm, _: Path) -> None:
    _lines(asm, "request_open", b"", b"GET / HTTP/1.1", b"bad")
    again = Connection(asm).request.address
    assert not asm.call("request_open", again, asm.alloc(b"\r"), 0).carry
    assert 400 == asm.call("request_open", again, asm.alloc(b"\r"), 0).value


@driver
def request_start(asm: Asm, _: Path) -> None:
    _lines(asm, "request_start", b"GET / HTTP/1.1", b"GET /", b"GET  HTTP/1.1", b" / HTTP/1.1",
           b"GET / HTTP/3.0", b"G(T / HTTP/1.1", b"GET / HTTP/1.x", b"GET HTTP/1.1")


@driver
def version_parse(asm: Asm, _: Path) -> None:
    for version in (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.9", b"HTTP/2.0", b"http/1.1", b"HTTP/1:1",
                    b"HTTP/x.1", b"HTTP/1,1"):
        asm.call("version_parse", asm.alloc(version))


@driver
def request_check(asm: Asm, _: Path) -> None:
    for flags in range(8):
        for version in (0, 1):
            conn = Connection(asm)
            conn.request["REQUEST_FLAGS"] = flags
            conn.request["REQUEST_VERSION"] = version
            asm.call("request_check", conn.request.address)


@driver
def status_text(asm: Asm, _: Path) -> None:
    for status in (200, 404, 505, 299):
        asm.call("status_text", status)


@driver
def status_from_errno(asm: Asm, _: Path) -> None:
    for number in (2, 13, 24, 5, 200):
        asm.call("status_from_errno", number)


@driver
def mime_find(asm: Asm, _: Path) -> None:
    for path in (b"", b"a.html", b"a.HTML", b"a", b"d.x/a", b".png", b"a.tar.gz", b"a.ninechars"):
        asm.call("mime_find", asm.alloc(path + bytes(8)), len(path))


@driver
def extension_find(asm: Asm, _: Path) -> None:
    for path in (b"", b"a.html", b"a.", b"d.x/a", b"d/.png", b"a.ninechars"):
        asm.call("extension_find", asm.alloc(path), len(path))


def _head(asm: Asm) -> Connection:
    conn = Connection(asm)
    conn["CONN_NOW"] = 784111777
    asm.call("reply_begin", conn.address, 200)
    return conn


@driver
def reply_begin(asm: Asm, _: Path) -> None:
    for now in (0, 784111777):
        conn = Connection(asm)
        conn["CONN_NOW"] = now
        asm.call("reply_begin", conn.address, 404)


@driver
def reply_text(asm: Asm, _: Path) -> None:
    for size in (0, 1, 48):
        at = asm.alloc(48)
        assert at + size == asm.call("reply_text", at, asm.alloc(bytes(range(48))), size).value
        assert bytes(range(size)) == asm.peek(at, 48)[:size]


@driver
def reply_number(asm: Asm, _: Path) -> None:
    for value in (0, 2**64 - 1):
        asm.call("reply_number", asm.alloc(20), value)


@driver
def reply_end(asm: Asm, _: Path) -> None:
    conn = Connection(asm)
    asm.call("reply_end", conn.address, asm.call("reply_begin", conn.address, 200).value)
    assert conn.head.startswith(b"HTTP/1.1 200 OK\r\n")


@driver
def reply_advance(asm: Asm, _: Path) -> None:
    for sent in (0, 10, 200, 250):
        conn = _head(asm)
        conn.reply["REPLY_LENGTH"] = 1000
        asm.call("reply_advance", conn.reply.address, sent)


@driver
def reply_next(asm: Asm, _: Path) -> None:
    """Whatever stands there is called with the connection."""
    for function in ("options_plan", "delete_plan"):
        conn = Connection(asm)
        conn.reply["REPLY_NEXT"] = asm.address(function)
        asm.call("reply_next", conn.address)


@driver
def reply_drop(asm: Asm, tmp: Path) -> None:
    conn = _head(asm)
    conn.reply["REPLY_FD"] = os.open(tmp, os.O_RDONLY)
    asm.call("reply_drop", conn.address)
    assert -1 == conn.reply["REPLY_FD"]


@driver
def page_plan(asm: Asm, _: Path) -> None:
    for status in (400, 405, 503):
        asm.call("page_plan", _head(asm).address, status)


@driver
def page_build(asm: Asm, _: Path) -> None:
    asm.call("page_build", _head(asm).address, 404)


@driver
def page_finish(asm: Asm, _: Path) -> None:
    conn = Connection(asm)
    asm.call("page_finish", conn.address, asm.call("reply_begin", conn.address, 404).value)


@driver
def options_plan(asm: Asm, _: Path) -> None:
    asm.call("options_plan", Connection(asm).address)


@driver
def redirect_plan(asm: Asm, _: Path) -> None:
    conn = Connection(asm)
    conn.set_path(b"some where")
    asm.call("redirect_plan", conn.address)


@driver
def request_plan(asm: Asm, tmp: Path) -> None:
    _serve_from(asm, tmp)
    for method in range(10):
        conn = Connection(asm)
        conn.request["REQUEST_METHOD"] = method
        conn.request["REQUEST_PATH"] = asm.alloc(b"/d%20/../f")
        conn.request["REQUEST_PATH_LEN"] = 10
        asm.call("request_plan", conn.address)
        _drop(conn)
    for form in (1, 2):
        conn = Connection(asm)
        conn.request["REQUEST_METHOD"] = HTTP["METHOD_OPTIONS"]
        conn.request["REQUEST_TARGET"] = form
        asm.call("request_plan", conn.address)


# --- fs -----------------------------------------------------------------------------------


@driver
def path_resolve(asm: Asm, _: Path) -> None:
    for path in (b"/", b"/a/./b/../../..", b"/%41%zz", b"/%00", b"/a%2Fb", b"/" + b"x" * 2000):
        asm.call("path_resolve", asm.alloc(path), len(path), asm.alloc(1024), 1024)


def _serve_from(asm: Asm, tmp: Path) -> None:
    """A root with a file, a directory with an index, one without, a pipe, a link."""
    if not (tmp / "f").exists():
        (tmp / "f").write_bytes(b"x" * 1000)
        (tmp / "with").mkdir()
        (tmp / "with/index.html").write_bytes(b"<p>")
        (tmp / "without").mkdir()
        (tmp / "odd/index.html").mkdir(parents=True)
        (tmp / "link").symlink_to("f")
        os.mkfifo(tmp / "pipe")
        (tmp / "404.html").write_bytes(b"<p>none")
        (tmp / "405.html").mkdir()
    config = constants("config.inc")
    for name in ("CONFIG_ROOT_FD", "CONFIG_ERRORS_FD"):
        fd = os.open(tmp, os.O_RDONLY)
        asm.poke(asm.address("config") + config[name], fd.to_bytes(4, "little"))


def _drop(conn: Connection) -> None:
    if conn.reply["REPLY_FD"] >= 0:
        os.close(conn.reply["REPLY_FD"])


PATHS = ((b"f", False), (b"with", False), (b"with", True), (b"without", True), (b"", True),
         (b"odd", True), (b"link", False), (b"pipe", False), (b"missing", False), (b"f", True))


def _planning(asm: Asm, tmp: Path, name: str) -> None:
    _serve_from(asm, tmp)
    for path, slash in PATHS:
        conn = Connection(asm)
        conn["CONN_NOW"] = 784111777
        conn.set_path(path, slash)
        asm.call(name, conn.address)
        _drop(conn)


@driver
def get_plan(asm: Asm, tmp: Path) -> None:
    _planning(asm, tmp, "get_plan")


@driver
def stub_get_hello__get_plan(asm: Asm, _: Path) -> None:
    conn = Connection(asm)
    asm.call("get_plan", conn.address)
    assert b"hello, client\n" == conn.body


@driver
def index_plan(asm: Asm, tmp: Path) -> None:
    _planning(asm, tmp, "index_plan")


@driver
def listing_plan(asm: Asm, tmp: Path) -> None:
    _planning(asm, tmp, "listing_plan")


@driver
def file_look(asm: Asm, tmp: Path) -> None:
    _planning(asm, tmp, "file_look")


@driver
def file_plan(asm: Asm, tmp: Path) -> None:
    conn = Connection(asm)
    conn.set_path(b"a.html")
    conn.set_file(1000, 1)
    conn.reply["REPLY_FD"] = os.open(tmp, os.O_RDONLY)
    asm.call("file_plan", conn.address)
    _drop(conn)


@driver
def file_modified(asm: Asm, _: Path) -> None:
    for now, mtime in ((0, 1), (100, 1), (100, 200), (100, -1)):
        conn = Connection(asm)
        conn["CONN_NOW"] = now
        conn.set_file(1, mtime)
        asm.call("file_modified", asm.alloc(64), conn.address)


@driver
def page_open(asm: Asm, tmp: Path) -> None:
    for status in (404, 405, 406):
        conn = Connection(asm)
        if status == 404:
            asm.call("page_open", conn.address, status)
            _serve_from(asm, tmp)
        asm.call("page_open", conn.address, status)
        _drop(conn)


@driver
def segment_judge(asm: Asm, _: Path) -> None:
    for name in (b"", b"a", b".", b"..", b"...", b".~", b".a"):
        at = asm.alloc(b"one/two/" + name + b"//")
        asm.call("segment_judge", x11=at, x12=at + 8 + len(name), x14=at + 8)


@driver
def segment_back(asm: Asm, _: Path) -> None:
    at = asm.alloc(b"one/two/")
    for distance in (0, 4, 8):
        asm.call("segment_back", x11=at, x14=at + distance)


@driver
def path_encode(asm: Asm, _: Path) -> None:
    for path in (b"", b"a/b", b"a b%\xff"):
        asm.call("path_encode", asm.alloc(3 * len(path) + 1), asm.text(path))


@driver
def range_apply(asm: Asm, _: Path) -> None:
    asm.call("range_apply", Connection(asm).address)


@driver
def range_offer(asm: Asm, _: Path) -> None:
    asm.call("range_offer", asm.alloc(64), Connection(asm).address)


@driver
def put_plan(asm: Asm, _: Path) -> None:
    asm.call("put_plan", Connection(asm).address)


@driver
def body_receive(asm: Asm, _: Path) -> None:
    asm.call("body_receive", Connection(asm).address)


@driver
def delete_plan(asm: Asm, _: Path) -> None:
    asm.call("delete_plan", Connection(asm).address)


# --- net, serve, main ---------------------------------------------------------------------


@driver
def ipv4_parse(asm: Asm, _: Path) -> None:
    for text in (b"127.0.0.1", b"", b"1.2.3", b"1.2.3.256", b"1.2.3.4x", b"1.2.3.0004"):
        asm.call("ipv4_parse", asm.text(text))


@driver
def listener_open(asm: Asm, _: Path) -> None:
    _opens(asm, "listener_open", 0x0100007F, 0)
    asm.call("listener_open", 0x01010101, 0)


@driver
def connection_begin(asm: Asm, _: Path) -> None:
    asm.call("connection_begin", Connection(asm).address, 7)


def _connected(asm: Asm, name: str, sent: bytes) -> None:
    one, two = socket.socketpair()
    with one, two:
        two.sendall(sent)
        two.shutdown(socket.SHUT_WR)
        conn = Connection(asm, one.fileno())
        conn["CONN_NOW"] = 784111777
        asm.call("page_build", conn.address, 404)
        if name == "connection_serve":      # it sets a timer
            _alone(asm, name, conn.address)
        else:
            asm.call(name, conn.address)


@driver
def connection_serve(asm: Asm, _: Path) -> None:
    for sent in (b"", b"GET", b"bad\r\n", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
                 b"PUT / HTTP/1.1\r\nHost: a\r\n\r\n"):
        _connected(asm, "connection_serve", sent)


@driver
def connection_receive(asm: Asm, _: Path) -> None:
    for sent in (b"", b"GET", b"GET / HTTP/1.0\r\n\r\n"):
        _connected(asm, "connection_receive", sent)


@driver
def connection_send(asm: Asm, _: Path) -> None:
    _connected(asm, "connection_send", b"")
    asm.call("connection_send", Connection(asm, 99).address)


@driver
def connection_linger(asm: Asm, _: Path) -> None:
    _connected(asm, "connection_linger", b"left over")
    asm.call("connection_linger", Connection(asm, 99).address)


@driver
def connection_drain(asm: Asm, _: Path) -> None:
    _connected(asm, "connection_drain", b"left over")
    asm.call("connection_drain", Connection(asm, 99).address)


@driver
def connection_end(asm: Asm, tmp: Path) -> None:
    for with_file in (False, True):
        one, two = socket.socketpair()
        conn = Connection(asm, one.detach())
        if with_file:
            conn.reply["REPLY_FD"] = os.open(tmp, os.O_RDONLY)
        asm.call("connection_end", conn.address)
        two.close()


@driver
def connection_refuse(asm: Asm, _: Path) -> None:
    one, two = socket.socketpair()
    two.sendall(b"GET / HTTP/1.0\r\n\r\n")
    asm.call("connection_refuse", one.detach())
    assert two.recv(1000).startswith(b"HTTP/1.1 503 ")
    two.close()


@driver
def serve_once__serve_run(asm: Asm, _: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, \
            socket.create_connection(server.getsockname()) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        asm.call("serve_run", server.fileno())
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
    asm.call("serve_run", 99)


@driver
def options_parse(asm: Asm, _: Path) -> None:
    for words in ([], [b"--port", b"1"], [b"--port"], [b"--port", b"x"], [b"a", b"b"], [b"-x"],
                  [b"--no-listings"]):
        _options(asm, [b"ymawky", *words])


def _options(asm: Asm, words: list[bytes]) -> None:
    pointers = [asm.text(word) for word in words]
    table = b"".join(pointer.to_bytes(8, "little") for pointer in [*pointers, 0])
    asm.call("options_parse", asm.address("config"), asm.alloc(table))


@driver
def options_default(asm: Asm, _: Path) -> None:
    asm.call("options_default", asm.alloc(constants("config.inc")["CONFIG_SIZEOF"]))


@driver
def option_find(asm: Asm, _: Path) -> None:
    for name in (b"--port", b"--version", b"--nothing"):
        asm.call("option_find", asm.text(name))


@driver
def option_set(asm: Asm, _: Path) -> None:
    for name, value in ((b"--port", b"80"), (b"--port", b"65536"), (b"--errors", b"d"),
                        (b"--address", b"1.2.3.4"), (b"--address", b"1")):
        row = asm.call("option_find", asm.text(name)).value
        asm.call("option_set", asm.address("config"), row, asm.text(value))


@driver
def main_main__main(asm: Asm, _: Path) -> None:
    table = asm.text(b"ymawky"), asm.text(b"/there/is/no/such/directory"), 0
    words = asm.alloc(b"".join(word.to_bytes(8, "little") for word in table))
    assert 66 == asm.call("main", 2, words).value


@driver
def directories_open(asm: Asm, tmp: Path) -> None:
    for name in (bytes(tmp), b"/there/is/no/such/directory"):
        asm.call("options_default", asm.address("config"))
        offset = constants("config.inc")["CONFIG_ROOT"]
        asm.poke(asm.address("config") + offset, asm.text(name).to_bytes(8, "little"))
        asm.call("directories_open", asm.address("config"))


@driver
def announce(asm: Asm, _: Path) -> None:
    asm.call("options_default", asm.address("config"))
    asm.call("announce", asm.address("config"))


@driver
def place_write(asm: Asm, _: Path) -> None:
    asm.call("options_default", asm.address("config"))
    asm.call("place_write", asm.address("config"))
    assert b"127.0.0.1:8080\0" == asm.peek(asm.address("place"), 15)


# --- first --------------------------------------------------------------------------------


@driver
def main(asm: Asm, _: Path) -> None:
    words = asm.alloc(b"".join(word.to_bytes(8, "little") for word in (asm.text(b"p"), 0)))
    asm.call("main", 1, words)


@driver
def first_total__main(asm: Asm, _: Path) -> None:
    def words(*texts: bytes) -> int:
        table = asm.text(b"total"), *map(asm.text, texts), 0
        return asm.alloc(b"".join(word.to_bytes(8, "little") for word in table))

    for status, *texts in ((0,), (0, b"0"), (0, b"40", b"2"), (1, b"1", b"", b"2"), (1, b"two"),
                           (1, b"9" * 20), (1, b"18446744073709551615", b"1")):
        done = asm.call("main", 1 + len(texts), words(*texts))
        assert (status, bool(status)) == (done.value, done.carry)
    with asm.plan(FaultPlan([Fault("write", 1, error=EIO)])):
        lost = asm.call("main", 2, words(b"1"))
    assert (1, True) == (lost.value, lost.carry)


@driver
def cat_file(asm: Asm, tmp: Path) -> None:
    (tmp / "f").write_bytes(b"")
    asm.call("cat_file", asm.text(bytes(tmp / "f")))
    asm.call("cat_file", asm.text(bytes(tmp)))
    asm.call("cat_file", asm.text(b"/there/is/no/such/file"))


@driver
def cat_stdin(asm: Asm, _: Path) -> None:
    asm.call("cat_stdin")


@driver
def cat_copy(asm: Asm, tmp: Path) -> None:
    (tmp / "f").write_bytes(b"")
    fd = os.open(tmp / "f", os.O_RDONLY)
    asm.call("cat_copy", fd)
    os.close(fd)
    asm.call("cat_copy", 99)


def test_a_read_behind_the_end_of_the_input_crashes(tmp_path: Path) -> None:
    """The guard page that all these tests lean on."""
    asm = Asm("fork")
    try:
        with pytest.raises(CallFault):
            asm.call("text_length", asm.alloc(b"no NUL"))
    finally:
        asm.close()
