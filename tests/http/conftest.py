"""A small tree to serve, and one server for the tests that do it no harm."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.server import Server, serving

FILE = bytes(range(256)) * 4        # 1 KiB


def make_tree(top: Path) -> Path:
    """A root with everything a request may meet, and secrets beside it."""
    root = top / "root"
    root.mkdir()
    (root / "index.html").write_bytes(b"<h1>the root</h1>\n")
    (root / "1k.bin").write_bytes(FILE)
    (root / "empty.txt").write_bytes(b"")
    (root / "big.bin").write_bytes(os.urandom(3_000_000))
    (root / "a b.txt").write_bytes(b"blank\n")
    (root / "plus+sign.txt").write_bytes(b"plus\n")
    (root / "per%cent.txt").write_bytes(b"percent\n")
    (root / "gr\u00fc\u00dfe.txt").write_bytes("gr\u00fc\u00dfe\n".encode())
    (root / "\u732b.html").write_bytes(b"cat\n")
    (root / ".hidden").write_bytes(b"hidden\n")
    (root / ".~upload-1").write_bytes(b"half written\n")
    (root / "..strange").write_bytes(b"strange\n")
    (root / "noextension").write_bytes(b"none\n")
    (root / "UPPER.HTML").write_bytes(b"upper\n")
    (root / "sub").mkdir()
    (root / "sub/index.html").write_bytes(b"<h1>sub</h1>\n")
    (root / "sub/page.html").write_bytes(b"page\n")
    (root / "bare").mkdir()
    (root / "bare/file.txt").write_bytes(b"file\n")
    (root / "a dir").mkdir()
    (root / "oddindex/index.html").mkdir(parents=True)
    (root / "locked.txt").write_bytes(b"locked\n")
    (root / "locked.txt").chmod(0)
    os.mkfifo(root / "pipe")
    (top / "secret.txt").write_bytes(b"secret\n")
    (root / "link.txt").symlink_to("1k.bin")
    (root / "out.txt").symlink_to("../secret.txt")
    (root / "linkdir").symlink_to("sub")
    return root


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="session")
def server(tree: Path, folder: Path) -> Iterator[Server]:
    """The whole server; strict, so that a register kept by luck shows."""
    with serving(tree, folder, strict=True) as running:
        yield running
