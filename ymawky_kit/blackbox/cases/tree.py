"""The files of all cases, by their names below the root of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ymawky_kit.blackbox.case import Entry, File, Folder, Link, Pipe

BYTES: Final = bytes(range(256)) * 4
BIG: Final = bytes(n % 251 for n in range(4096)) * 512      # 2 MiB; no block is like the next
SECRET: Final = b"nobody may read this\n"
ROOT: Final = b"<h1>the root</h1>\n"
SUB: Final = b"<h1>sub</h1>\n"

TREE: Final[Mapping[str, Entry]] = {
    "index.html": File(ROOT),
    "1k.bin": File(BYTES),
    "big.bin": File(BIG),
    "empty.txt": File(b""),
    "one.txt": File(b"one\n"),
    "a b.txt": File(b"blank\n"),
    "plus+sign.txt": File(b"plus\n"),
    "per%cent.txt": File(b"percent\n"),
    "gr\u00fc\u00dfe.txt": File("gr\u00fc\u00dfe\n".encode()),
    ".hidden": File(b"hidden\n"),
    ".~half": File(SECRET),
    "..strange": File(SECRET),
    "noextension": File(b"none\n"),
    "UPPER.HTML": File(b"upper\n"),
    "style.css": File(b"p { color: red }\n"),
    "script.js": File(b"1\n"),
    "data.json": File(b"{}\n"),
    "picture.png": File(b"\x89PNG\r\n\x1a\n"),
    "picture.svg": File(b"<svg/>\n"),
    "old.txt": File(b"old\n", modified=784111777),
    "future.txt": File(b"future\n", modified=4102444800),
    "sub/index.html": File(SUB),
    "sub/page.html": File(b"page\n"),
    "bare": Folder(),
    "a dir": Folder(),
    "oddindex/index.html": Folder(),
    "listed/b.txt": File(b"b\n"),
    "listed/a&b <i>.txt": File(b"a\n"),
    "listed/folder/inside.txt": File(b"inside\n"),
    "listed/.~half": File(SECRET),
    "listed/link.txt": Link("b.txt"),
    "pipe": Pipe(),
    "link.txt": Link("1k.bin"),
    "out.txt": Link("../secret.txt"),
    "linkdir": Link("sub"),
    "../secret.txt": File(SECRET),
}
