"""From URL to file: decoding, dot segments, and no way out of the root."""

from __future__ import annotations

import os

import pytest
from support.server import Server, serving


@pytest.mark.parametrize(("target", "body"), [
    ("/", b"<h1>the root</h1>\n"),
    ("/?x=1", b"<h1>the root</h1>\n"),
    ("/.", b"<h1>the root</h1>\n"),
    ("/./", b"<h1>the root</h1>\n"),
    ("/..", b"<h1>the root</h1>\n"),
    ("/../../../", b"<h1>the root</h1>\n"),
    ("//", b"<h1>the root</h1>\n"),
    ("/sub/..", b"<h1>the root</h1>\n"),
    ("/index.html", b"<h1>the root</h1>\n"),
    ("/../index.html", b"<h1>the root</h1>\n"),
    ("/%2e%2e/index.html", b"<h1>the root</h1>\n"),
    ("/sub/../index.html", b"<h1>the root</h1>\n"),
    ("/sub/%2E./index.html", b"<h1>the root</h1>\n"),
    ("/nosuch/../index.html", b"<h1>the root</h1>\n"),
    ("//sub///page.html", b"page\n"),
    ("/sub/", b"<h1>sub</h1>\n"),
    ("/sub/.", b"<h1>sub</h1>\n"),
    ("/sub/page.html?a=/../b", b"page\n"),
    ("/s%75b/page.html", b"page\n"),
    ("/a%20b.txt", b"blank\n"),
    ("/plus+sign.txt", b"plus\n"),
    ("/plus%2Bsign.txt", b"plus\n"),
    ("/per%25cent.txt", b"percent\n"),
    ("/gr%C3%BC%C3%9Fe.txt", "grüße\n".encode()),
    ("/%e7%8c%ab.html", b"cat\n"),
    ("/.hidden", b"hidden\n"),
    ("/1k.bin?", bytes(range(256)) * 4),
    ("/1k.bin?%zz", bytes(range(256)) * 4),
])
def test_a_path_leads_to_its_file(server: Server, target: str, body: bytes) -> None:
    reply = server.get(target)
    assert (200, body) == (reply.status, reply.body)


@pytest.mark.parametrize(("target", "status"), [
    ("/%00", 400), ("/1k.bin%00", 400), ("/%0a", 400), ("/%1f", 400), ("/%7f", 400), ("/%09", 400),
    ("/%", 400), ("/%4", 400), ("/%4g", 400), ("/%g4", 400), ("/%%41", 400), ("/%u0041", 400),
    ("/1k.bin%", 400), ("/a%2", 400),
    ("/per%2525cent.txt", 404),             # decoded once
    ("/sub%2Fpage.html", 404), ("/sub%2fpage.html", 404), ("/..%2f..%2fetc/passwd", 404),
    ("/nosuch", 404), ("/nosuch/", 404), ("/1k.bin/", 404), ("/1k.bin/x", 404),
    ("/sub/nosuch", 404),
    ("/..%5c..%5csecret.txt", 404), ("/....//secret.txt", 404),
    ("/.~upload-1", 404), ("/%2e~upload-1", 404), ("/.%7Eupload-1", 404),
    ("/sub/.~x/page.html", 404),
    ("/..strange", 404), ("/1k.bin/..namedfork/rsrc", 404), ("/...", 404),
    ("/" + "x" * 255, 404), ("/" + "x" * 256, 404), ("/" + "x" * 5000, 404),
    ("/" + "a/" * 3000, 404),
    ("/%ff%fe", 404),
])
def test_other_paths_are_refused(server: Server, target: str, status: int) -> None:
    assert status == server.status(target)


@pytest.mark.parametrize("target", [
    "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/sub/../../secret.txt",
    "/sub/%2e%2e/%2e%2e/secret.txt", "/.%2e/secret.txt", "//..//secret.txt", "/./../secret.txt",
    "/out.txt", "/%2e%2e%2fsecret.txt", "/..;/secret.txt", "/..\\secret.txt",
])
def test_nothing_outside_the_root_is_served(server: Server, target: str) -> None:
    reply = server.get(target)
    assert reply.status in (400, 403, 404)
    assert b"secret" not in reply.body


@pytest.mark.parametrize("target", ["/link.txt", "/out.txt", "/linkdir/page.html", "/linkdir/"])
def test_symbolic_links_are_refused_anywhere_in_a_path(server: Server, target: str) -> None:
    assert 403 == server.status(target)


@pytest.mark.parametrize(("target", "location"), [
    ("/sub", b"/sub/"),
    ("/sub?x=1&y", b"/sub/?x=1&y"),
    ("/bare", b"/bare/"),
    ("//sub", b"/sub/"),
    ("/./sub", b"/sub/"),
    ("/a%20dir?q", b"/a%20dir/?q"),
    ("/oddindex/index.html", b"/oddindex/index.html/"),
])
def test_a_directory_without_a_slash_moves(server: Server, target: str, location: bytes) -> None:
    reply = server.get(target)
    assert (301, location) == (reply.status, reply.headers[b"location"])


def test_a_redirect_never_names_another_host(server: Server, tree) -> None:
    """//evil/.. resolved is a path of ours; the address is made from that."""
    (tree / "evil.example").mkdir(exist_ok=True)
    for target in ("//evil.example", "//evil.example/.", "/.//evil.example"):
        reply = server.get(target)
        if reply.status == 301:
            assert b"/evil.example/" == reply.headers[b"location"]


def test_before_chapter_12_a_directory_without_an_index_is_not_shown(tree, folder) -> None:
    with serving(tree, folder, program="fork", strict=True) as old:
        for target in ("/bare/", "/oddindex/", "/a%20dir/"):
            assert 403 == old.status(target)


def test_pipes_are_refused_and_nobody_waits_for_them(server: Server) -> None:
    assert 403 == server.status("/pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="only as an ordinary user: root reads everything")
def test_a_file_without_permission_is_forbidden(server: Server) -> None:
    assert 403 == server.status("/locked.txt")
