"""http/mime against Python's table and the registry."""

from __future__ import annotations

import mimetypes
import re

from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm, path_of

UNKNOWN = b"application/octet-stream"
#: Where the registry says something else than Python does, or Python says nothing.
OURS = {
    "js": "text/javascript", "mjs": "text/javascript", "ico": "image/x-icon", "md": "text/markdown",
    "xml": "application/xml", "xsl": "application/xml", "rtf": "application/rtf",
    "ts": "video/mp2t", "wav": "audio/wav", "aac": "audio/aac", "bmp": "image/bmp",
    "m4a": "audio/mp4", "oga": "audio/ogg", "ogg": "audio/ogg", "opus": "audio/ogg",
    "o": UNKNOWN.decode(), "py": "text/plain", "sh": "text/plain", "c": "text/plain",
    "h": "text/plain", "s": "text/plain",
    "gz": "application/gzip", "bz2": "application/x-bzip2", "xz": "application/x-xz",
    "tgz": "application/gzip", "m4v": "video/mp4", "jar": "application/java-archive",
    "midi": "audio/midi", "mid": "audio/midi", "otf": "font/otf", "ttf": "font/ttf",
    "xsd": "application/xml", "exe": UNKNOWN.decode(), "rar": "application/vnd.rar",
    "weba": "audio/webm", "map": "application/json", "atom": "application/atom+xml",
    "rss": "application/rss+xml", "toml": "text/plain", "yaml": "text/yaml", "yml": "text/yaml",
    "dmg": "application/x-apple-diskimage", "iso": UNKNOWN.decode(), "log": "text/plain",
    "conf": "text/plain", "ini": "text/plain", "inc": "text/plain", "m3u8":
    "application/vnd.apple.mpegurl", "flac": "audio/flac", "mkv": "video/x-matroska",
}


def find(asm: Asm, path: bytes) -> bytes:
    asm.reset()
    result = asm.call("mime_find", asm.alloc(path + bytes(8)), len(path))
    return asm.peek(result.value, result["x1"])


def rows() -> dict[str, str]:
    """Extension and label of the type, as the source has them."""
    text = path_of("http/mime").read_text()
    return {key.strip(): label for key, label in
            re.findall(r'\.ascii  "([^"]{8})"\n    \.long   (\w+) - mime_rows', text)}


def test_there_are_more_types_than_sixty() -> None:
    assert len(rows()) >= 60


def test_every_extension_leads_to_the_registered_type(asm: Asm) -> None:
    wrong = {}
    for extension in rows():
        got = find(asm, f"a.{extension}".encode()).decode().split(";")[0]
        want = OURS.get(extension) or mimetypes.guess_type(f"a.{extension}")[0]
        if want is not None and want != got:
            wrong[extension] = (want, got)
    assert {} == wrong


def test_every_row_stands_under_its_first_letter(asm: Asm) -> None:
    """Else it would never be found."""
    for extension, label in rows().items():
        got = find(asm, f"dir.x/name.more.{extension}".encode())
        assert label == "mime_app_octet_stream" or got != UNKNOWN, extension


def test_text_says_its_character_set(asm: Asm) -> None:
    for extension in rows():
        got = find(asm, f"a.{extension}".encode())
        assert got.startswith(b"text/") == got.endswith(b"; charset=utf-8")


def test_case_does_not_count(asm: Asm) -> None:
    for name in (b"a.HTML", b"a.Html", b"a.hTmL"):
        assert b"text/html; charset=utf-8" == find(asm, name)


def test_names_without_an_extension_have_no_type(asm: Asm) -> None:
    for name in (b"", b"html", b".html", b"d/.html", b"d.html/a", b"a.", b"a.html.", b"a.htmlhtmlh",
                 b"a.ht ml", b"a.\xe9", b"a.@IF", b"a.{", b"a.htm/"):
        assert UNKNOWN == find(asm, name), name


@given(st.binary(max_size=30))
def test_no_name_is_too_strange(asm: Asm, name: bytes) -> None:
    assert find(asm, name).count(b"/") == 1
