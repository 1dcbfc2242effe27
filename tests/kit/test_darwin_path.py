"""Restricted lookups by hand agree with the host kernel's own, on random trees and paths."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.guest import without

from ymawky_kit.darwin import host
from ymawky_kit.darwin.errno import Errno
from ymawky_kit.darwin.path import open_restricted, without_links

NAMES = ("a", "b", "c", "d")

pytestmark = pytest.mark.skipif(
    not host.LINUX or host.absent.openat2, reason="only where the kernel has openat2"
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files, folders and links of every kind, three levels deep, from a fixed seed."""
    root = tmp_path_factory.mktemp("tree").resolve() / "start"
    draw = random.Random(7)
    targets = ("a", "../b", "c/d", ".", "..", "../..", "missing", "a/", str(root / "b"), "d")

    def fill(folder: Path, depth: int) -> None:
        folder.mkdir()
        for name in NAMES:
            what = draw.random()
            if what < 0.4 and depth < 3:
                fill(folder / name, depth + 1)
            elif what < 0.6:
                (folder / name).write_bytes(name.encode())
            elif what < 0.9:
                (folder / name).symlink_to(draw.choice(targets))

    fill(root, 0)
    (root / "a").mkdir(exist_ok=True) if not (root / "a").is_symlink() else None
    return root


PATHS = st.builds(
    lambda parts, end, double: ("//" if double else "/").join(parts) + end,
    st.lists(st.sampled_from((*NAMES, *NAMES, ".", "..")), min_size=1, max_size=6),
    st.sampled_from(("", "", "/")),
    st.booleans(),
)


def outcome(start: int, path: bytes, flags: int, *, links: bool, beneath: bool) -> object:
    """The file that was opened, or the number of the error."""
    try:
        fd = open_restricted(start, path, flags, 0, no_symlinks=links, beneath=beneath)
    except Errno as error:
        return error.name
    try:
        found = os.fstat(fd)
    finally:
        os.close(fd)
    return found.st_dev, found.st_ino


@settings(max_examples=400)
@given(path=PATHS, mode=st.sampled_from(((True, False), (False, True), (True, True))),
       directory=st.booleans())
def test_the_walk_by_hand_finds_what_openat2_finds(
    tree: Path, path: str, mode: tuple[bool, bool], directory: bool
) -> None:
    links, beneath = mode
    flags = os.O_RDONLY | os.O_CLOEXEC | (os.O_DIRECTORY if directory else 0)
    start = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    try:
        name = os.fsencode(path)
        by_kernel = outcome(start, name, flags, links=links, beneath=beneath)
        with without("openat2"):
            by_hand = outcome(start, name, flags, links=links, beneath=beneath)
    finally:
        os.close(start)
    assert by_kernel == by_hand


@settings(max_examples=200)
@given(path=PATHS)
def test_the_place_of_a_name_holds_that_name(tree: Path, path: str) -> None:
    """What lstat finds through the place is what it finds through the path, or ELOOP is right."""
    start = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    name = os.fsencode(path)
    try:
        try:
            with without_links(start, name) as (folder, last):
                found: object = os.stat(last, dir_fd=folder, follow_symlinks=False).st_ino
        except Errno as error:
            found = error.name
        direct: object
        try:
            direct = os.stat(name, dir_fd=start, follow_symlinks=False).st_ino
        except OSError as error:
            direct = host.errno.errorcode[error.errno]
    finally:
        os.close(start)
    if found == "ELOOP":
        parts = [part for part in path.split("/") if part]
        shown = Path(tree)
        looked = []
        for part in parts if path.endswith("/") else parts[:-1]:
            shown = shown / part
            looked.append(shown.is_symlink())
        assert any(looked)
    else:
        assert direct == found


def test_no_descriptor_is_left_open(tree: Path) -> None:
    before = sorted(path.name for path in Path("/dev/fd").iterdir())
    start = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    with without("openat2"):
        for path in (b"a/b/c/d", b"a/../b/../c", b"missing/x", b"a/b/../../../..", b"/etc/passwd"):
            for links, beneath in ((True, False), (False, True)):
                outcome(start, path, os.O_RDONLY, links=links, beneath=beneath)
    os.close(start)
    assert before == sorted(path.name for path in Path("/dev/fd").iterdir())
