"""The site that comes with the server, as files: whole, linked, and from no other host."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest
from support.requires import program, requires

from ymawky_kit.paths import asm_root

TOP = Path(__file__).resolve().parents[2]
DOCROOT = TOP / "docroot"
PAGES = sorted(DOCROOT.rglob("*.html"))
#: Links that lead nowhere on purpose: to show what the server then says.
DELIBERATE = {"no-such-page", "files/"}


class Links(HTMLParser):
    """Every address a page names, and every id it has."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src", "poster"):
                self.addresses.append(value)
            if name == "id":
                self.ids.add(value)


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(DOCROOT).as_posix() for path in paths]


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_every_link_leads_somewhere_on_this_site(page):
    for address in Links(page).addresses:
        parts = urlsplit(address)
        assert ("", "") == (parts.scheme, parts.netloc), address
        if parts.path in DELIBERATE:
            continue
        base = DOCROOT if parts.path.startswith("/") else page.parent
        target = base / unquote(parts.path).lstrip("/") if parts.path else page
        if target.is_dir():
            target /= "index.html"
        assert target.is_file(), address
        if parts.fragment:
            assert parts.fragment in Links(target).ids, address


@pytest.mark.parametrize("name", ["style.css", "script.js", *names(PAGES)])
def test_nothing_is_loaded_from_another_host(name):
    text = (DOCROOT / name).read_text(encoding="utf-8")
    assert [] == re.findall(r"https?://|@import|url\(|//[a-z]+\.[a-z]+/", text)


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docroot", TOP / "tools/make_docroot.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_error_pages_are_what_the_generator_writes(tmp_path, monkeypatch):
    tool = generator()
    monkeypatch.setattr(tool, "DOCROOT", tmp_path)
    tool.main(["errors"])
    made = {path.name: path.read_bytes() for path in (tmp_path / "errors").iterdir()}
    kept = {path.name: path.read_bytes() for path in (DOCROOT / "errors").iterdir()}
    assert kept == made
    source = (asm_root() / "http/status.s").read_text(encoding="ascii")
    known = re.findall(r"^string status_([45]..),", source, re.MULTILINE)
    assert {f"{status}.html" for status in known} == set(made), "every error has its page"


def test_the_instructions_of_the_picture_are_what_the_assembler_makes_of_them():
    from ymawky_kit.asm import assemble
    from ymawky_kit.source import Source

    listed = generator().PROGRAM
    # Where the greeting lies is the linker's business: those two are shown linked.
    plain = [(word, text) for word, text, _ in listed if "greeting" not in text]
    made = assemble(Source("picture", "".join(f"{text}\n" for _, text in plain)))
    words = [word.to_bytes(4, "little") for word, _ in plain]
    assert b"".join(words) == made.sections[0].data
    assert 9 == len(listed)


def test_the_video_is_small_enough_to_be_in_a_repository():
    assert (DOCROOT / "media" / "request.mp4").stat().st_size <= 300_000


@requires("ffprobe")
def test_the_video_is_eight_seconds_of_what_every_browser_plays():
    done = subprocess.run(
        [
            program("ffprobe"), "-v", "error", "-of", "json", "-show_streams", "-show_format",
            DOCROOT / "media" / "request.mp4",
        ],
        check=True, capture_output=True, text=True,
    )
    found = json.loads(done.stdout)
    (stream,) = found["streams"]
    assert ("h264", "yuv420p", 960, 540) == (
        stream["codec_name"], stream["pix_fmt"], stream["width"], stream["height"]
    )
    assert 8 == float(found["format"]["duration"])


@requires("ffmpeg")
def test_every_frame_of_the_video_can_be_decoded():
    done = subprocess.run(
        [
            program("ffmpeg"), "-v", "error", "-xerror", "-i",
            DOCROOT / "media" / "request.mp4", "-f", "null", "-",
        ],
        check=True, capture_output=True, text=True, timeout=60,
    )
    assert "" == done.stderr


def test_the_video_begins_with_its_index_so_that_it_plays_while_it_loads():
    data = (DOCROOT / "media" / "request.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_numbers_are_where_the_readme_says():
    data = (DOCROOT / "files" / "numbers.txt").read_bytes()
    for line in (1, 2, 500, 1000):
        assert f"{line:04d}\n".encode() == data[5 * (line - 1):5 * line]
    assert 5000 == len(data)


def test_the_two_lists_of_planets_say_the_same():
    planets = json.loads((DOCROOT / "files" / "planets.json").read_text())
    head, *rows = (DOCROOT / "files" / "planets.csv").read_text().splitlines()
    assert [",".join(str(value) for value in planet.values()) for planet in planets] == rows
    assert ",".join(planets[0]) == head
