"""What a client reads when something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.server import Server, serving


@pytest.mark.parametrize(("sent", "status", "reason"), [
    (b"GET /% HTTP/1.1\r\nHost: a\r\n\r\n", 400, b"Bad Request"),
    (b"GET /pipe HTTP/1.1\r\nHost: a\r\n\r\n", 403, b"Forbidden"),
    (b"GET /nosuch HTTP/1.1\r\nHost: a\r\n\r\n", 404, b"Not Found"),
    (b"PUT / HTTP/1.1\r\nHost: a\r\n\r\n", 405, b"Method Not Allowed"),
    (b"GET /" + b"x" * 9000, 414, b"URI Too Long"),
    (b"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 421, b"Misdirected Request"),
    (b"GET / HTTP/1.1\r\nX: " + b"x" * 17000, 431, b"Request Header Fields Too Large"),
    (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501, b"Not Implemented"),
    (b"GET / HTTP/9.9\r\n\r\n", 505, b"HTTP Version Not Supported"),
])
def test_every_refusal_has_a_page(server: Server, sent: bytes, status: int, reason: bytes) -> None:
    reply = server.request(sent)
    assert (status, reason) == (reply.status, reply.reason)
    assert b"text/html; charset=utf-8" == reply.headers[b"content-type"]
    assert b"%d %s" % (status, reason) in reply.body
    assert reply.body.startswith(b"<!doctype html>") and reply.body.endswith(b"</html>\n")


def test_pages_come_from_the_error_directory_when_they_are_there(
    tree: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "404.html").write_bytes(b"<p>my own\n")
    (tmp_path / "403.html").mkdir()
    (tmp_path / "400.html").symlink_to("404.html")
    with serving(tree, folder, "--errors", str(tmp_path)) as server:
        own = server.get("/nosuch")
        assert (404, b"<p>my own\n") == (own.status, own.body)
        assert b"text/html; charset=utf-8" == own.headers[b"content-type"]
        head = server.get("/nosuch", method="HEAD")
        assert (404, b"", b"10") == (head.status, head.body, head.headers[b"content-length"])
        for target, status in (("/pipe", 403), ("/%", 400), ("/1k.bin", 200)):
            assert status == server.status(target)
        assert b"403 Forbidden" in server.get("/pipe").body     # a directory is no page
        assert b"400 Bad" in server.get("/%").body              # neither is a link


def test_an_empty_error_page_is_an_empty_body(tree: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "404.html").write_bytes(b"")
    with serving(tree, folder, "--errors", str(tmp_path)) as server:
        reply = server.get("/nosuch")
        assert (404, b"", b"0") == (reply.status, reply.body, reply.headers[b"content-length"])
