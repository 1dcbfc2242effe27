"""Whole programs as their users meet them: run one, or serve with one and be its client.

On Apple silicon the operating system runs them, elsewhere the kit's Darwin does, and
what is shown is the same.
"""

from __future__ import annotations

import re
import select
import socket
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from ymawky_kit.darwin.abi import killed_by
from ymawky_kit.lab.drive import Files, Finished, finish, started
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.lab.workbench import Program
from ymawky_kit.source import KitError
from ymawky_kit.view.exchange import Exchange

if TYPE_CHECKING:
    from ymawky_kit.run import ExitStatus, Process, Runner

ANSWER_SECONDS: Final = 10.0
#: Until a server must have said that it serves.
START_SECONDS: Final = 10.0
#: Between two pieces of a request.
PAUSE_SECONDS: Final = 0.05


def _runner() -> Runner:
    from ymawky_kit.run import EmulatedRunner, default_runner

    chosen = default_runner()
    # The emulator's report of a crash would be text that a Mac does not print.
    return EmulatedRunner(report=False) if chosen.name == "emulated" else chosen


def run(program: Program | bytes, *args: str, stdin: bytes = b"",
        files: Files | None = None) -> Finished:
    """Run an executable to its end, in a folder of its own that holds `files`.

    A program that the system refuses to load ends with SIGKILL, as on a Mac.
    Raises :class:`KitError` when it has not ended after half a minute.
    """
    name = program.name if isinstance(program, Program) else "program"
    data = program.data if isinstance(program, Program) else program
    with started(_runner(), data, name, args, files, stdin) as process:
        status = finish(process, name)
        output, errors = process.output, process.errors
    return Finished(" ".join([name, *args]), *_ending(status), output,
                    b"" if status.signal else errors)


def _ending(status: ExitStatus) -> tuple[int, str]:
    if status.signal:
        return -status.signal, killed_by(status.signal)
    return status.code, f"exit status {status.code}"


def _how(status: ExitStatus) -> str:
    return f"was {killed_by(status.signal)}" if status.signal else f"has ended, {status}"


class Client:
    """One connection to a server, to speak on and to listen on; `close` it, or use a `with`.

    It ends with its site at the latest.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sent: list[bytes] = []
        self._received: list[bytes] = []
        self.finished = False       # we have said that we send no more
        self.ended = False          # and so has the server

    @property
    def sent(self) -> int:
        """Bytes sent so far."""
        return sum(map(len, self._sent))

    @property
    def received(self) -> int:
        """Bytes received so far."""
        return sum(map(len, self._received))

    def send(self, data: bytes) -> None:
        """Send these very bytes; a server that has hung up already does not matter."""
        self._sent.append(data)
        with suppress(ConnectionError):
            self._socket.sendall(data)

    def finish(self) -> None:
        """Say that nothing more will be sent; the reply can still come."""
        self.finished = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def answered(self, seconds: float = 0.3) -> bool:
        """Is there something to receive, or the end of the connection, within that time?"""
        return bool(select.select([self._socket], [], [], seconds)[0])

    def receive_some(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end of the connection."""
        data = b""
        while len(data) < size and not self.ended and (part := self._next(size - len(data))):
            data += part
        return data

    def receive(self) -> Exchange:
        """Read until the server closes; all that was sent and received on this connection.

        Raises :class:`KitError` when nothing comes for ten seconds.
        """
        while not self.ended and self._next(65536):
            pass
        return Exchange(b"".join(self._sent), b"".join(self._received))

    def _next(self, size: int) -> bytes:
        try:
            data = self._socket.recv(size)
        except TimeoutError:
            raise KitError.of(f"the server has sent nothing for {ANSWER_SECONDS:g} seconds",
                              hint="does it still wait for the rest of the request?") from None
        except ConnectionError:
            data = b""          # cut off, without a farewell: there is no more
        self._received.append(data)
        self.ended = not data
        return data

    def collect(self) -> None:
        """Take what has arrived, without waiting for more."""
        while self._socket.fileno() >= 0 and not self.ended and self.answered(0):
            self._next(65536)

    def close(self) -> None:
        """Hang up; a second time does nothing."""
        self.finished = True
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return "a client, connected to a server on this machine"


class Site:
    """A running server and the folder it serves; `stop` it, or use it in a `with`.

    `folder` is where its files are, for changing them while it runs.
    """

    def __init__(self, files: Files, program: Program, runner: Runner,
                 options: Sequence[str] = ()) -> None:
        self._stack = ExitStack()
        self._shown = " ".join([program.name, *options])
        place = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ymawky-")))
        self.folder = place / "home"
        try:
            self.process: Process = self._stack.enter_context(started(
                runner, program.data, program.name,
                ["--port", "0", "--address", "127.0.0.1", *options, "."], files, place=place))
            line = self._first_line()
            found = re.search(rb"http://127\.0\.0\.1:(\d+)/", line)
            if found is None:
                raise KitError.of(f"the server said {line!r} and not where it serves")
            self._port = int(found[1])
        except BaseException:
            self._stack.close()
            raise

    def _first_line(self) -> bytes:
        try:
            return self.process.wait_for(b"serving", START_SECONDS)
        except KitError as error:
            try:
                status = self.process.wait(0.5)
            except TimeoutError:
                raise error from None
            raise KitError.of(f"the server {_how(status)}, before it said where it serves",
                              hint=error.diagnostics[0].hint) from None

    def _client(self) -> Client:
        try:
            return Client(self._port)
        except ConnectionRefusedError:
            try:
                status = self.process.wait(0.5)
            except TimeoutError:
                raise KitError.of("the server still runs, and takes no connection") from None
            raise KitError.of(f"nobody is there: the server {_how(status)}") from None

    @property
    def url(self) -> str:
        """The address of the site; its port differs from run to run."""
        return f"http://127.0.0.1:{self._port}/"

    def connect(self) -> Client:
        """A new connection, which is closed with the site at the latest."""
        client = self._client()
        self._stack.callback(client.close)
        return client

    def send(self, request: bytes | Sequence[bytes]) -> Exchange:
        """Send these very bytes over a new connection and read until the server closes.

        A list of pieces is sent one after the other, with a pause in between in which
        the server can read.
        """
        pieces = [request] if isinstance(request, bytes) else list(request)
        with self._client() as client:
            for number, piece in enumerate(pieces):
                if number:
                    time.sleep(PAUSE_SECONDS)
                client.send(piece)
            return client.receive()

    def get(self, path: str = "/", method: str = "GET") -> Exchange:
        """One plain request."""
        return self.send(plain_request(path, method))

    def wait(self) -> Finished:
        """Wait until the server ends by itself, and say how it did.

        Raises :class:`KitError` when it still runs after half a minute.
        """
        status = finish(self.process, self._shown)
        output = self.process.output.replace(b":%d/" % self._port, b":(a port)/")
        return Finished(self._shown, *_ending(status), output,
                        b"" if status.signal else self.process.errors)

    def stop(self) -> None:
        """End the server and remove its folder; a second time does nothing."""
        self._stack.close()

    def __enter__(self) -> Site:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def __repr__(self) -> str:
        return "a server on this machine, waiting for requests"


def plain_request(path: str, method: str = "GET") -> bytes:
    """The request that `get` sends."""
    return (f"{method} {path} HTTP/1.1\r\nHost: example.org\r\n"
            "Connection: close\r\n\r\n").encode()


def serve(files: Files, program: str | Program | None = None,
          *options: str) -> Site:
    """Serve these files with the book's server, the newest one unless `program` says else.

    `options` go to the server as they are, such as "--head-seconds", "1"; it gets a free
    port of this machine in front of them, and its folder behind them.
    Raises :class:`KitError` when it ends before it serves, with what it complained about.
    """
    return Site(files, server_program(program), _runner(), options)


def server_program(program: str | Program | None) -> Program:
    """A built program, one by its name, or the book's newest server."""
    if isinstance(program, Program):
        return program
    if program is None:
        from ymawky_kit import chapters

        program = list(chapters.load())[-1]
    return BENCH.build(program)
