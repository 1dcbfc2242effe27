"""The site that comes with the server, as curl, requests and a browser get it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from support import pages
from support.requires import program
from support.requires import requires as needs

TOP = Path(__file__).resolve().parents[2]
DOCROOT = TOP / "docroot"
FILES = sorted(
    path.relative_to(DOCROOT).as_posix() for path in DOCROOT.rglob("*") if path.is_file()
)
TYPES = {
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "script.js": "text/javascript; charset=utf-8",
    "media/bits.png": "image/png",
    "media/request.mp4": "video/mp4",
    "favicon.svg": "image/svg+xml",
    "files/planets.json": "application/json",
    "files/readme.txt": "text/plain; charset=utf-8",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the newest server, which serves docroot/; no slash at its end."""
    with served(tmp_path_factory.mktemp("server")) as address:
        yield address


@contextmanager
def served(folder: Path, *options: str) -> Iterator[str]:
    from ymawky_kit import chapters, macho
    from ymawky_kit.run import default_runner

    executable = folder / "ymawky"
    macho.install(chapters.build().data, executable)
    arguments = ["--port", "0", "--errors", str(DOCROOT / "errors"), *options, str(DOCROOT)]
    with default_runner().start(executable, arguments) as process:
        line = process.wait_for(b"http://", 20).decode()
        yield line[line.index("http://"):].rstrip("/\n")


def content(name: str) -> bytes:
    return (DOCROOT / name).read_bytes()


# --- curl ---------------------------------------------------------------------------

@needs("curl")
@pytest.mark.parametrize("name", TYPES)
def test_curl_gets_each_kind_of_file_byte_for_byte(site, tmp_path, name):
    target = tmp_path / "got"
    done = subprocess.run(
        [
            program("curl"), "--silent", "--show-error", "--fail", "--max-time", "20",
            "--output", target, "--write-out", "%{http_code} %{content_type}",
            f"{site}/{name}",
        ],
        check=True, capture_output=True, text=True,
    )
    assert f"200 {TYPES[name]}" == done.stdout
    assert content(name) == target.read_bytes()


@needs("curl")
def test_curl_sees_the_head_alone_where_it_asks_for_it(site):
    done = subprocess.run(
        [program("curl"), "--silent", "--head", "--max-time", "20", f"{site}/media/request.mp4"],
        check=True, capture_output=True, text=True,
    )
    head = done.stdout.splitlines()
    assert "HTTP/1.1 200 OK" == head[0]
    assert f"Content-Length: {len(content('media/request.mp4'))}" in head


# --- requests -------------------------------------------------------------------------

@pytest.mark.parametrize("name", FILES)
def test_requests_gets_every_file_of_the_site_byte_for_byte(site, name):
    reply = requests.get(f"{site}/{quote(name)}", timeout=20)
    assert 200 == reply.status_code
    assert content(name) == reply.content
    if name in TYPES:
        assert TYPES[name] == reply.headers["Content-Type"]


def test_requests_gets_the_first_page_for_the_root(site):
    assert content("index.html") == requests.get(f"{site}/", timeout=20).content


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/no-such-page", 404), ("BREW", "/", 501),
    ("DELETE", "/index.html", 405), ("GET", "/%00", 400),
])
def test_requests_gets_the_sites_own_error_pages(site, method, path, status):
    reply = requests.request(method, f"{site}{path}", timeout=20)
    assert status == reply.status_code
    assert content(f"errors/{status}.html") == reply.content


def test_requests_gets_the_sites_own_403_when_nothing_is_listed(tmp_path):
    with served(tmp_path, "--no-listings") as site:
        reply = requests.get(f"{site}/files/", timeout=20)
    assert (403, content("errors/403.html")) == (reply.status_code, reply.content)


# --- Chromium ---------------------------------------------------------------------------

@pytest.fixture(scope="module")
def browser():
    with pages.browser() as running:
        yield running


class Visit:
    """A tab that remembers what it loaded and what went wrong in it."""

    def __init__(self, context, address: str) -> None:
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.replies = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", lambda reply: self.replies.append(reply))
        self.page.goto(address, wait_until="load")

    def _console(self, message) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _failed(self, request) -> None:
        # A media element cuts a download short once it knows enough of the file.
        if request.resource_type != "media":
            self.complaints.append(f"{request.url}: {request.failure}")


@pytest.fixture
def visit(browser, site):
    """Opens a page of the site; options are those of a browser context."""
    contexts = []

    def open_page(path: str = "/", **options) -> Visit:
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(20_000)
        return Visit(contexts[-1], site + path)

    yield open_page
    for context in contexts:
        context.close()


@needs("chromium")
@pytest.mark.parametrize("path", ["/", "/about.html"])
def test_a_browser_shows_the_page_without_a_complaint(visit, site, path):
    visited = visit(path)
    if path == "/":
        visited.page.wait_for_selector("#reply .status")    # the script has asked for something
    assert [] == visited.complaints
    assert {200, 206} >= {reply.status for reply in visited.replies}
    elsewhere = [reply.url for reply in visited.replies if not reply.url.startswith(site)]
    assert [] == elsewhere


@needs("chromium")
def test_a_browser_gets_page_stylesheet_script_and_image_byte_for_byte(visit, site):
    visited = visit()
    bodies = {
        reply.url.removeprefix(site): reply.body()
        for reply in visited.replies
        if reply.request.method == "GET" and reply.request.resource_type != "media"
    }
    for path, name in {
        "/": "index.html", "/style.css": "style.css", "/script.js": "script.js",
        "/media/bits.png": "media/bits.png",
    }.items():
        assert content(name) == bodies[path], path


@needs("chromium")
def test_a_browser_gets_the_video_byte_for_byte(visit):
    visited = visit("/about.html")
    got = visited.page.evaluate(
        "async () => [...new Uint8Array(await (await fetch('/media/request.mp4')).arrayBuffer())]"
    )
    assert content("media/request.mp4") == bytes(got)


@needs("chromium")
def test_a_browser_applies_the_stylesheet_and_decodes_the_image(visit):
    page = visit().page
    font = page.evaluate("getComputedStyle(document.querySelector('.mark')).fontFamily")
    assert "Menlo" in font
    assert [1040, 760] == page.evaluate(
        "(({naturalWidth: w, naturalHeight: h}) => [w, h])(document.querySelector('figure img'))"
    )


@needs("chromium")
def test_a_browser_plays_the_video(visit):
    page = visit().page
    page.evaluate("document.querySelector('video').play()")
    page.wait_for_function("document.querySelector('video').currentTime > 0.5")
    state = page.evaluate(
        "(({videoWidth: w, videoHeight: h, duration: d, error: e}) => [w, h, d, e])"
        "(document.querySelector('video'))"
    )
    assert [960, 540, 8, None] == state


@needs("chromium")
def test_the_script_of_the_page_shows_a_reply_with_its_headers_and_bytes(visit):
    page = visit().page
    page.fill("input[name=path]", "/files/numbers.txt")
    page.click("button[type=submit]")
    page.wait_for_selector("#reply .hint:has-text('GET /files/numbers.txt')")
    text = page.inner_text("#reply")
    assert "200 OK" in text
    assert "content-length\t5000" in text
    assert "0000  30 30 30 31 0a" in text
    assert "5000 bytes in all" in text


@needs("chromium")
def test_a_page_that_is_not_there_shows_the_error_page(visit):
    visited = visit("/no/such/page")
    assert "404 Not found" == visited.page.title()
    assert 404 == visited.replies[0].status


@needs("chromium")
@pytest.mark.parametrize("path", ["/", "/about.html", "/errors/404.html"])
def test_no_page_is_wider_than_a_phone(visit, path):
    page = visit(path, viewport={"width": 400, "height": 800}).page
    assert 400 == page.evaluate("document.documentElement.scrollWidth")


@needs("chromium")
@pytest.mark.parametrize("path", ["/", "/about.html", "/errors/404.html"])
def test_every_page_has_a_light_and_a_dark_face_that_can_be_read(visit, path):
    script = "(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))"
    seen = {}
    for scheme in ("light", "dark"):
        ink, paper = visit(path, color_scheme=scheme).page.evaluate(script)
        seen[scheme] = paper
        assert contrast(ink, paper) >= 7
    assert seen["light"] != seen["dark"]


def contrast(one: str, other: str) -> float:
    """The contrast of two CSS colours `rgb(r, g, b)`, as WCAG 2 defines it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
