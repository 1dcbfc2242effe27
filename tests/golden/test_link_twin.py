"""The same program by other hands: ours must do exactly what its twin does."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path

import pytest
from support import twin
from support.linking import FULL

from ymawky_kit import chapters, macho
from ymawky_kit.run import EmulatedRunner, ExitStatus, Process

PROGRAMS = list(chapters.load())
SMALL = [name for name in PROGRAMS if "first/" in " ".join(chapters.find(name).modules)]
SERVERS = [name for name in PROGRAMS if name not in SMALL]

twins = pytest.mark.parametrize(
    ("assembler", "linker"), list(product(twin.ASSEMBLERS, twin.LINKERS)))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("twins")


def both(name: str, folder: Path, assembler: str, linker: str) -> tuple[Path, Path]:
    """Our program and its twin."""
    ours = folder / f"{name}.ours"
    macho.install(chapters.build(name).data, ours)
    return ours, twin.twin(name, folder, linker, assembler)


@twins
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_checker_accepts_what_other_linkers_make(
        name: str, assembler: str, linker: str, folder: Path) -> None:
    _, other = both(name, folder, assembler, linker)
    assert () == macho.check(other.read_bytes())


@pytest.mark.parametrize("sdk", ["11.0", "13.0", "15.4", "26.0"])
def test_the_checker_accepts_lld_for_every_sdk(sdk: str, folder: Path) -> None:
    objects = []
    for name, text in FULL:
        source = folder / f"{name.replace('/', '.')}.s"
        source.write_text(text)
        objects.append(twin.assemble(source, source.with_suffix(".o")))
    made = twin.link(objects, folder / f"full.{sdk}", "lld", sdk=sdk)
    assert () == macho.check(made.read_bytes())


@twins
@pytest.mark.parametrize("name", PROGRAMS)
def test_twins_have_functions_of_the_same_size(
        name: str, assembler: str, linker: str, folder: Path) -> None:
    ours, other = (_functions(path) for path in both(name, folder, assembler, linker))
    # Linkers differ in the order of modules, so a few neighbours are others.
    common = ours.keys() & other.keys()
    assert 0.6 * len(ours) - 1 <= len(common)
    for pair in common:
        assert (pair, ours[pair]) == (pair, other[pair])


def _functions(path: Path) -> dict[tuple[str, str], int]:
    """The distance of each exported function to the next, in bytes.

    Names in l are left out: zig takes them for private to the linker and drops them.
    """
    file = macho.read(path.read_bytes())
    text = next(index for index, s in enumerate(file.sections, 1) if s.name == "__text")
    places = sorted((s.address, s.name) for s in file.symbols
                    if s.section == text and s.is_global and not s.name.startswith(("_", "l")))
    return {(name, following): after - address
            for (address, name), (after, following) in pairwise(places)}


Run = tuple[ExitStatus, bytes, bytes, list[tuple[str, int | str | None, int]]]


def run(program: Path, *args: str, stdin: bytes = b"") -> Run:
    """How it ended, what it wrote, and each call with its result and instructions before it."""
    runner = EmulatedRunner(trace=True, strict=True)
    with runner.start(program, args, stdin=stdin) as process:
        status = process.wait(30)
        calls = [(event.name, event.error or event.result, event.instructions)
                 for event in process.trace()]
        return status, process.output, process.errors, calls


@twins
@pytest.mark.parametrize("name", SMALL)
def test_small_twins_make_the_same_calls_with_the_same_results(
        name: str, assembler: str, linker: str, folder: Path) -> None:
    ours, other = (run(path, stdin=b"some text\n")
                   for path in both(name, folder, assembler, linker))
    assert ours == other


REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /page.html HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /page.html HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /missing HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PUT /page.html HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/2.0\r\n\r\n",
    b"garbage\r\n\r\n",
]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "index.html").write_bytes(b"<h1>index</h1>\n")
    (tmp_path / "page.html").write_bytes(b"<p>page</p>\n" * 500)
    yield tmp_path


def replies(program: Path, root: Path) -> list[bytes]:
    """What a server answers to each request, dates blanked."""
    with EmulatedRunner().start(program, ["--port", "0", str(root)]) as process:
        port = _port(process)
        return [re.sub(rb"\r\nDate: [^\r]*", b"\r\nDate: -", _ask(port, request))
                for request in REQUESTS]


def _port(process: Process) -> int:
    line = process.wait_for(b"serving", 20)
    return int(re.search(rb":(\d+)/", line)[1])     # type: ignore[index]


def _ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        received = bytearray()
        while piece := connection.recv(65536):
            received += piece
    return bytes(received)


@twins
def test_the_server_answers_as_its_twin_does(
        assembler: str, linker: str, folder: Path, root: Path) -> None:
    ours, other = (replies(path, root) for path in both(PROGRAMS[-1], folder, assembler, linker))
    assert ours == other
    assert ours[1].startswith(b"HTTP/1.1 200 ")
