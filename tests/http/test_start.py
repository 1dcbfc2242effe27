"""Starting and ending the executable: options, messages, exit codes."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest
from support.server import executable, serving

from ymawky_kit.run import EmulatedRunner


def run(folder: Path, *words: str) -> tuple[int | None, bytes, bytes]:
    """Exit code, standard output, standard error of a run that ends by itself."""
    with EmulatedRunner(strict=True).start(executable(None, folder), list(words)) as process:
        status = process.wait(20)
        return status.code, bytes(process.output), bytes(process.errors)


def test_help_lists_every_option(folder: Path) -> None:
    code, output, errors = run(folder, "--help")
    assert (0, b"") == (code, errors)
    for option in ("port", "address", "errors", "children", "head-seconds",
                   "no-listings", "writable", "body-max", "help", "version"):
        assert f"  --{option} ".encode() in output
    assert all(len(line) <= 80 for line in output.splitlines())


def test_version_is_one_line(folder: Path) -> None:
    assert (0, b"ymawky 0.1\n", b"") == run(folder, "--version")


@pytest.mark.parametrize(("words", "message"), [
    (["--prot", "80"], b"ymawky: --prot: no such option; --help lists them\n"),
    (["-p"], b"ymawky: -p: no such option; --help lists them\n"),
    (["--port"], b"ymawky: --port: needs a value\n"),
    (["--port", "x"], b"ymawky: --port: needs a number from 0 to 65535\n"),
    (["--port", "65536"], b"ymawky: --port: needs a number from 0 to 65535\n"),
    (["--port", ""], b"ymawky: --port: needs a number from 0 to 65535\n"),
    (["--port", "-1"], b"ymawky: --port: needs a number from 0 to 65535\n"),
    (["--address", "1.2.3"], b"ymawky: --address: needs an address such as 127.0.0.1\n"),
    (["--body-max", "1G"], b"ymawky: --body-max: needs a number from 0 to 4294967295\n"),
    (["--children", "0"], b"ymawky: --children: needs a number from 1 to 1000\n"),
    (["--head-seconds", "0"], b"ymawky: --head-seconds: needs a number from 1 to 3600\n"),
    ([".", "x"], b"ymawky: x: one directory is enough\n"),
])
def test_a_bad_option_is_one_line_and_64(folder: Path, words: list[str], message: bytes) -> None:
    assert (64, b"", message) == run(folder, *words)


def test_a_root_that_cannot_be_opened_is_one_line_and_66(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    gone, file = str(tmp_path / "gone"), str(tmp_path / "file")
    assert (66, b"", f"ymawky: {gone}: No such file or directory\n".encode()) == run(folder, gone)
    assert (66, b"", f"ymawky: {file}: Not a directory\n".encode()) == run(folder, file)
    assert (66, b"", f"ymawky: {gone}: No such file or directory\n".encode()) == run(
        folder, "--errors", gone, str(tmp_path))


def test_a_port_in_use_is_one_line_and_69(folder: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        want = f"ymawky: 127.0.0.1:{port}: Address already in use\n".encode()
        assert (69, b"", want) == run(folder, "--port", port, str(tmp_path))


def test_an_address_of_somebody_else_is_one_line_and_69(folder: Path, tmp_path: Path) -> None:
    want = b"ymawky: 192.0.2.1:0: Can't assign requested address\n"
    assert (69, b"", want) == run(folder, "--port", "0", "--address", "192.0.2.1", str(tmp_path))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(folder: Path, tree: Path, number: int) -> None:
    with serving(tree, folder) as server:
        process = server.process
        assert f"ymawky: serving {tree} at http://127.0.0.1:{server.port}/\n".encode() == bytes(
            process.output)
        process.send_signal(number)
        assert 0 == process.wait(10).code
        assert b"" == bytes(process.errors)


def test_a_request_in_flight_survives_the_end_of_the_parent(folder: Path, tree: Path) -> None:
    with serving(tree, folder) as server, server.connect() as client:
        client.sendall(b"GET /1k.bin HTTP/1.1\r\n")
        while not server.children():
            pass
        server.process.send_signal(signal.SIGTERM)
        assert 0 == server.process.wait(10).code
        client.sendall(b"Host: a\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


def test_every_address_of_the_machine_can_be_served(folder: Path, tree: Path) -> None:
    with serving(tree, folder, "--address", "0.0.0.0") as server:
        assert b" at http://0.0.0.0:" in bytes(server.process.output)
        assert 200 == server.status("/1k.bin")


@pytest.mark.parametrize("slide", [0x4000, 0xFFC000, 0x4000000])
def test_it_runs_wherever_the_kernel_puts_it(folder: Path, tree: Path, slide: int) -> None:
    with serving(tree, folder, slide=slide, strict=True) as server:
        assert bytes(range(256)) * 4 == server.get("/1k.bin").body
        assert 404 == server.status("/nosuch")
