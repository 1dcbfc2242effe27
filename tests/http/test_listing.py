"""Listings over a network: raw, h11, curl, and what it costs."""

from __future__ import annotations

import html
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from support import pages, requires
from support.server import HOST, Server, by_process, parse, serving

from ymawky_kit.darwin.errno import EACCES, EINTR, EIO, ENOENT, EPIPE, ERANGE
from ymawky_kit.emu.plan import Fault

PROGRAM = "listings"
ROW = re.compile(rb'<tr><td><a href="([^"]*)">([^<]*)</a><td>([^<]*)<td>([^<]*)\n')
#: Names that would like to be more than names.
NAMES = [
    "plain.txt", "two words.txt", "a&b", "&copy", "&lt;", '"quoted"', "it's", "<b>bold",
    "<script>alert(1)<", "100%", "%41", "what?", "a#b", "a:b", "javascript:alert(1)", "back\\slash",
    "semi;colon", "gr\u00fc\u00dfe.txt", "\u732b", "\U0001f600", "\u202etxt.exe", ".hidden",
    "~tilde", "[x]", "{x}", "`x`", "^", "|", "$(x)", "*", "+", "=", "@", ",", "!", "-",
    "UPPER", "x" * 255,
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("listed")
    for name in NAMES:
        (top / name).write_bytes(b"it is " + name.encode())
    for name in ("z folder", "a&folder", "index.html.d"):
        (top / name).mkdir()
    (top / "with index").mkdir()
    (top / "with index/index.html").write_bytes(b"mine\n")
    (top / "z folder/inside").write_bytes(b"")
    (top / ".~upload").write_bytes(b"half")
    (top / "..strange").write_bytes(b"strange")
    (top / "a\nb").write_bytes(b"never asked for")
    (top / "del\x7f").write_bytes(b"never asked for")
    (top / "link").symlink_to("plain.txt")
    os.mkfifo(top / "pipe")
    return top


@pytest.fixture(scope="module")
def listed(root: Path, folder: Path) -> Iterator[Server]:
    with serving(root, folder, program=PROGRAM, strict=True) as running:
        yield running


def rows(body: bytes) -> list[tuple[bytes, bytes, bytes, bytes]]:
    return ROW.findall(body.partition(b"<tbody>\n")[2])


def test_every_name_is_there_once_folders_first_and_the_rest_is_not(listed: Server) -> None:
    folders = sorted(["z folder", "a&folder", "index.html.d", "with index"], key=os.fsencode)
    want = [name + "/" for name in folders] + sorted(NAMES, key=os.fsencode)
    assert want == [html.unescape(row[1].decode()) for row in rows(listed.get("/").body)]


def test_every_link_leads_to_what_it_names(listed: Server) -> None:
    for link, _, _, _ in rows(listed.get("/").body):
        reply = listed.get(b"/" + link)
        name = unquote_to_bytes(link)
        assert 200 == reply.status, name
        if not name.endswith(b"/"):
            assert b"it is " + name == reply.body


def test_sizes_and_moments_are_those_of_the_files(listed: Server, root: Path) -> None:
    os.utime(root / "plain.txt", (784111777, 784111777))
    found = {row[0]: row[2:] for row in rows(listed.get("/").body)}
    assert (b"15 B", b"1994-11-06 08:49") == found[b"plain.txt"]
    assert b"" == found[b"z%20folder/"][0]


def test_a_folder_without_a_slash_moves_and_keeps_its_query(listed: Server) -> None:
    reply = listed.get("/z%20folder?a=b/../c")
    assert (301, b"/z%20folder/?a=b/../c") == (reply.status, reply.headers[b"location"])


def test_index_html_comes_before_a_listing(listed: Server) -> None:
    assert b"mine\n" == listed.get("/with%20index/").body


def test_a_listing_below_the_root_leads_back(listed: Server) -> None:
    body = listed.get("/z%20folder/?a=b").body
    assert [(b"../", b"../"), (b"inside", b"inside")] == [row[:2] for row in rows(body)]
    assert b"Index of /z folder/" in body
    assert b"../" not in [row[0] for row in rows(listed.get("/").body)]


def test_the_head_of_a_listing(listed: Server) -> None:
    headers = listed.get("/").headers
    assert {
        b"server", b"connection", b"date", b"x-content-type-options", b"content-type",
        b"content-security-policy", b"transfer-encoding",
    } == set(headers)
    assert b"text/html; charset=utf-8" == headers[b"content-type"]
    assert b"chunked" == headers[b"transfer-encoding"]


def test_head_is_get_without_the_body_here_too(listed: Server) -> None:
    for target in ("/", "/z%20folder/", "/gone/", "/with%20index/"):
        get, head = listed.get(target), listed.get(target, method="HEAD")
        assert (get.status, b"") == (head.status, head.body)
        same = {name: value for name, value in get.headers.items() if name != b"date"}
        assert same == {name: value for name, value in head.headers.items() if name != b"date"}
        assert head.raw.endswith(b"\r\n\r\n")


def test_http_1_0_gets_no_chunks(listed: Server) -> None:
    old = listed.request(b"GET / HTTP/1.0\r\n\r\n")
    assert not {b"transfer-encoding", b"content-length"} & set(old.headers)
    assert listed.get("/").body == old.body
    head = listed.request(b"HEAD / HTTP/1.0\r\n\r\n", "HEAD")
    assert (200, b"") == (head.status, head.body)


def test_what_is_no_folder_is_as_it_was(listed: Server) -> None:
    for target, status in (("/gone/", 404), ("/plain.txt/", 404), ("/link/", 403), ("/link", 403),
                           ("/pipe", 403), ("/.~upload", 404)):
        assert status == listed.status(target), target


def test_no_listings_means_403(root: Path, folder: Path) -> None:
    with serving(root, folder, "--no-listings", program=PROGRAM, strict=True) as server:
        got = {path: server.status(path) for path in
               ("/", "/z%20folder/", "/with%20index/", "/gone/", "/plain.txt")}
        assert {"/": 403, "/z%20folder/": 403, "/with%20index/": 200, "/gone/": 404,
                "/plain.txt": 200} == got


def test_curl_reads_both_kinds(listed: Server) -> None:
    bodies = [
        subprocess.run([requires.program("curl"), "-sS", "--fail", option, f"http://127.0.0.1:{listed.port}/"],
                       capture_output=True, check=True, timeout=20).stdout
        for option in ("--http1.1", "--http1.0")
    ]
    assert bodies[0] == bodies[1] == listed.get("/").body


@pytest.mark.parametrize(("width", "dark"), [(1000, False), (1000, True), (400, False)])
def test_chromium_shows_a_listing(
    listed: Server, root: Path, width: int, dark: bool
) -> None:
    """Every name as it is, nothing of it as HTML, nothing sideways, in light and dark."""
    with pages.browser() as running:
        context = running.new_context(viewport={"width": width, "height": 700},
                                      color_scheme="dark" if dark else "light")
        page = context.new_page()
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        page.goto(f"http://127.0.0.1:{listed.port}/")
        assert "Index of /" == page.title()
        texts = page.eval_on_selector_all("td a", "all => all.map(one => one.textContent)")
        folders = sorted(["z folder/", "a&folder/", "index.html.d/", "with index/"])
        assert folders + sorted(NAMES, key=os.fsencode) == texts
        assert 0 == page.eval_on_selector_all("script, b, img", "all => all.length")
        assert 0 == pages.sideways(page)
        light = sum(map(int, re.findall(r"\d+", page.evaluate(
            "getComputedStyle(document.querySelector('td a')).color"))))
        assert dark == (light > 384)
        page.click("text=a&folder/")
        assert "Index of /a&folder/" == page.title()
        page.click("text=../")
        links = page.eval_on_selector_all("td a", "all => all.map(one => one.href)")
        assert f"http://127.0.0.1:{listed.port}/%3Cb%3Ebold" in links
        assert [] == dialogs
        context.close()


def test_chromium_and_curl_notice_a_listing_that_is_cut(tmp_path: Path, folder: Path) -> None:
    for n in range(2000):
        os.close(os.open(tmp_path / f"some-entry-{n:05}", os.O_CREAT, 0o644))
    with serving(tmp_path, folder, program=PROGRAM,
                 plan=[Fault("writev", 2, error=EPIPE)]) as server:
        address = f"http://127.0.0.1:{server.port}/"
        done = subprocess.run([requires.program("curl"), "-sS", address], capture_output=True,
                              timeout=20, check=False)
        assert 18 == done.returncode, done.stderr       # CURLE_PARTIAL_FILE
        with pages.browser() as running:
            page = running.new_page()
            with page.expect_event("requestfailed") as failed:
                page.goto(address, wait_until="commit")
            assert "net::ERR_INCOMPLETE_CHUNKED_ENCODING" == failed.value.failure


def test_names_that_are_no_text_are_shown_and_can_be_had(tmp_path: Path, folder: Path) -> None:
    """Such names exist where the host's file system takes any bytes."""
    name = b"\xff\xfe-\xc3(.txt"
    (tmp_path / os.fsdecode(name)).write_bytes(b"odd")
    with serving(tmp_path, folder, program=PROGRAM, strict=True) as server:
        (link, text, _, _), = rows(server.get("/").body)
        assert "\ufffd\ufffd-\ufffd(.txt" == text.decode()
        assert b"odd" == server.get(b"/" + link).body


def test_ten_thousand_entries_come_in_parts(tmp_path: Path, folder: Path) -> None:
    for n in range(10_000):
        os.close(os.open(tmp_path / f"e{n * 7919 % 10007:05}", os.O_CREAT, 0o644))
    with serving(tmp_path, folder, program=PROGRAM, trace=True) as server:
        found = [row[0] for row in rows(server.get("/").body)]
        assert sorted(bytes(path.name, "ascii") for path in tmp_path.iterdir()) == found
        assert [] == server.settle()
        calls = by_process(server.process.trace())[2][1:]
    assert sum(event.instructions for event in calls) < 5_000_000
    assert len(calls) < 40


@pytest.mark.parametrize(("pattern", "limit"), [
    ("%03d.txt", 40_000), ("file-%03d.txt", 40_000), ("IMG_20260101_%03d.jpg", 40_000),
    ("%03d with blanks.html", 55_000),
])
def test_a_hundred_entries_stay_within_their_budget(
    tmp_path: Path, folder: Path, pattern: str, limit: int
) -> None:
    for n in range(100):
        (tmp_path / (pattern % n)).write_bytes(b"x" * n * 37)
    with serving(tmp_path, folder, program=PROGRAM, trace=True) as server:
        for _ in range(2):
            assert 100 == len(rows(server.get("/").body))
            assert [] == server.settle()
        child = by_process(server.process.trace())[3][1:]
    cost = sum(event.instructions for event in child)
    assert cost <= limit, f"{cost} instructions"
    assert len(child) <= 20, [event.name for event in child]


def test_a_client_that_takes_little_gets_it_all(tmp_path: Path, folder: Path) -> None:
    """Short writes, and signals between them, in every segment."""
    for n in range(2000):
        os.close(os.open(tmp_path / f"some-entry-{n:05}", os.O_CREAT, 0o644))
    faults = [Fault("writev", n, short=700 + 13 * n) if n % 3 else
              Fault("writev", n, error=EINTR) for n in range(1, 300)]
    with serving(tmp_path, folder, program=PROGRAM, plan=faults) as server:
        assert 2000 == len(rows(server.get("/").body))


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
def test_a_listing_that_is_cut_lacks_its_end(tmp_path: Path, folder: Path, version: bytes) -> None:
    for n in range(2000):
        os.close(os.open(tmp_path / f"some-entry-{n:05}", os.O_CREAT, 0o644))
    with serving(tmp_path, folder, program=PROGRAM,
                 plan=[Fault("writev", 2, error=EPIPE)]) as server:
        raw = server.raw(b"GET / " + version + b"\r\n" + HOST + b"\r\n")
        assert [] == server.settle()
    assert 10_000 < len(raw) < 70_000
    assert not raw.endswith(b"0\r\n\r\n")
    assert b"</table>" not in raw
    if version == b"HTTP/1.1":
        import h11

        with pytest.raises((h11.RemoteProtocolError, AssertionError)):
            parse(raw)


@pytest.mark.parametrize(("call", "number", "error", "status"), [
    ("openat", 2, EACCES, 403), ("openat", 2, ENOENT, 404), ("mmap", 1, 12, 503),
    ("getattrlistbulk", 1, EIO, 500), ("getattrlistbulk", 2, EIO, 500),
    ("getattrlistbulk", 2, ENOENT, 404), ("getattrlistbulk", 1, EINTR, 200),
    ("getattrlistbulk", 2, ERANGE, 200), ("close", 3, EIO, 200), ("gettimeofday", 1, EIO, 200),
    ("setitimer", 1, EIO, 200),
])
def test_whatever_fails_before_the_first_byte_is_a_status(
    root: Path, folder: Path, call: str, number: int, error: int, status: int
) -> None:
    """And the next client is served as if nothing had been."""
    with serving(root, folder, program=PROGRAM,
                 plan=[Fault(call, number, error=error)]) as server:
        before = server.descriptors()
        # Calls are counted in each process anew, so every client meets the fault.
        for _ in range(2):
            reply = server.get("/")
            assert status == reply.status
            # A full buffer is the one error that is told in the page.
            assert (error == ERANGE) == (b"There is more here" in reply.body)
        assert [] == server.settle()
        assert before == server.descriptors(before)


def test_every_call_of_a_child_may_fail_and_nobody_is_hurt(root: Path, folder: Path) -> None:
    """The reply is whole, or a status, or nothing; and the server stays as it was."""
    names = ("close", "setitimer", "read", "gettimeofday", "openat", "mmap", "getattrlistbulk",
             "writev", "shutdown", "munmap")
    for name in names:
        for number in (1, 2, 3):
            with serving(root, folder, program=PROGRAM,
                         plan=[Fault(name, number, error=EIO)]) as server:
                before = server.descriptors()
                raw = server.raw(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
                assert [] == server.settle(), (name, number)
                assert before == server.descriptors(before), (name, number)
                if raw:
                    assert parse(raw).status in (200, 404, 500), (name, number)


def test_a_folder_that_changes_meanwhile_is_listed_as_it_was_read(
    tmp_path: Path, folder: Path
) -> None:
    """What was read is sent, whatever becomes of the folder."""
    for n in range(3000):
        os.close(os.open(tmp_path / f"some-entry-{n:05}", os.O_CREAT, 0o644))
    with serving(tmp_path, folder, program=PROGRAM) as server, server.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        data = client.recv(100)
        for n in range(0, 3000, 2):
            (tmp_path / f"some-entry-{n:05}").unlink()
        while block := client.recv(1 << 16):
            data += block
    assert 3000 == len(rows(parse(data).body))
