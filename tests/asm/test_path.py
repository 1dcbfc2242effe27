"""fs/path and http/redirect against models in Python."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.contract import Asm
from support.layout import constants

ROOM = constants("conn.inc")["CONN_PATH_SIZE"] - constants("conn.inc")["CONN_PATH_SPARE"]


def resolve(asm: Asm, path: bytes, room: int = ROOM) -> tuple[int, bytes, bool]:
    """Status (0 for none), the path below the root, whether it names a directory."""
    asm.reset()
    buffer = asm.alloc(b"\xee" * room)
    result = asm.call("path_resolve", asm.alloc(path), len(path), buffer, room)
    if result.carry:
        return result.value, b"", False
    assert b"\0" == asm.peek(buffer + result.value, 1)
    return 0, asm.peek(buffer, result.value), bool(result["x1"])


def model(path: bytes) -> tuple[int, bytes, bool]:
    """The same in the order of the rules: escapes, then segments, then names."""
    status = 0
    kept: list[bytes] = []
    segments = path[1:].split(b"/")
    for segment in segments:
        # What comes first in the path decides, so each segment is judged in order.
        for piece in re.findall(rb"%..?|%|[^%]", segment, re.DOTALL):
            if piece.startswith(b"%"):
                if not re.fullmatch(rb"%[0-9A-Fa-f]{2}", piece):
                    return 400, b"", False
                code = int(piece[1:], 16)
                if code < 32 or code == 127:
                    return 400, b"", False
                if code == 0x2F:
                    return 404, b"", False
            elif piece[0] not in NAME:
                return 400, b"", False
        name = unquote_to_bytes(segment)
        if name == b"..":
            kept = kept[:-1]
        elif name.startswith((b"..", b".~")):
            return 404, b"", False
        elif name not in (b"", b"."):
            kept.append(name)
    last = unquote_to_bytes(segments[-1])
    return status, b"/".join(kept), last in (b"", b".", b"..")


NAME = set(range(0x21, 0x7F)) - set(b'"#<>?\\%/')
PIECES = st.sampled_from([
    "a", "b.c", ".", "..", "...", "/", "//", "%2e", "%2E", "%2f", "%41", "%e7%8c%ab", "%00", "%",
    "%7", "%zz", "~", ".~", "x" * 60, "%20", "%25", "|", "[", " ",
])


@given(st.lists(PIECES, max_size=12).map("".join))
def test_any_path_resolves_as_the_model_does(asm: Asm, path: str) -> None:
    data = b"/" + path.encode()
    assert model(data) == resolve(asm, data)


@given(st.binary(max_size=40))
def test_any_bytes_resolve_as_the_model_does(asm: Asm, data: bytes) -> None:
    path = b"/" + data
    assert model(path) == resolve(asm, path)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_result_leads_up_or_begins_at_the_top(asm: Asm, path: str) -> None:
    status, below, _ = resolve(asm, b"/" + path.encode())
    if status == 0:
        assert not below.startswith(b"/") and not below.endswith(b"/")
        assert {b".", b"..", b""}.isdisjoint(below.split(b"/")) or below == b""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with something to lose around it, and links that lead there."""
    top = tmp_path_factory.mktemp("site").resolve()
    for folder in ("root/a/b", "root/b", "root-old"):
        (top / folder).mkdir(parents=True)
    for name in ("root/file", "root/a/file", "root/%2e%2e", "secret", "root-old/secret"):
        (top / name).write_text(name)
    (top / "root" / "up").symlink_to("..")
    (top / "root" / "a" / "out").symlink_to("../../secret")
    (top / "root" / "b" / "in").symlink_to("../a")
    return top / "root"


NAMES = st.sampled_from(["a", "b", "file", "up", "out", "in", "secret", "root-old", "..", ".", "",
                         "%2e%2e", "%252e%252e", ".%2E", "%2F", "..%2fsecret", "x%00", "f%69le"])
ELOOP = constants("abi.inc")["ELOOP"]


@given(st.lists(NAMES, min_size=1, max_size=8).map("/".join))
def test_what_resolves_and_opens_lies_in_the_root(asm: Asm, site: Path, path: str) -> None:
    """Only a link makes realpath leave, and such a path is never opened."""
    status, below, _ = resolve(asm, b"/" + path.encode())
    if status or not below:
        return
    names = below.decode().split("/")
    linked = any((site / Path(*names[:n + 1])).is_symlink() for n in range(len(names)))
    inside = Path(os.path.realpath(site / Path(*names))).is_relative_to(site)
    assert inside or linked
    root = asm.call("directory_open", asm.alloc(os.fsencode(site) + b"\0")).value
    opened = asm.call("file_open_below", root, asm.alloc(below + b"\0"))
    if not opened.carry:
        asm.call("fd_close", opened.value)
    asm.call("fd_close", root)
    exists = os.path.lexists(site / Path(*names))
    assert opened.carry == (linked or not exists)
    if linked:
        assert ELOOP == opened.value


@pytest.mark.parametrize("size", [10, 11, 30])
def test_a_result_just_fits_or_is_not_found(asm: Asm, size: int) -> None:
    """Two bytes are for a slash and the NUL."""
    assert (0, b"x" * (size - 2), False) == resolve(asm, b"/" + b"x" * (size - 2), size)
    assert (404, b"", False) == resolve(asm, b"/" + b"x" * (size - 1), size)
    assert (0, b"y", False) == resolve(asm, b"/" + b"x" * (size - 6) + b"/../y", size)
    escaped = b"/" + b"%78" * (size - 2)
    assert (0, b"x" * (size - 2), False) == resolve(asm, escaped, size)


@given(st.binary(max_size=60).map(lambda path: path.replace(b"\0", b"")))
def test_an_encoded_path_is_what_quote_makes(asm: Asm, path: bytes) -> None:
    asm.reset()
    room = asm.alloc(3 * len(path) + 1)
    end = asm.call("path_encode", room, asm.text(path)).value
    want = quote(path, safe="-._~!$()*+,=@/").encode()
    assert want == asm.peek(room, end - room)


@given(st.lists(st.sampled_from([b"a", b"b c", b"%", b"\xc3\xa4", b"d:e"]), min_size=1, max_size=4))
def test_a_redirect_leads_to_the_same_path(asm: Asm, names: list[bytes]) -> None:
    path = b"/".join(names)
    asm.reset()
    room = asm.alloc(3 * len(path) + 1)
    end = asm.call("path_encode", room, asm.text(path)).value
    encoded = asm.peek(room, end - room)
    assert (0, path, True) == resolve(asm, b"/" + encoded + b"/")
