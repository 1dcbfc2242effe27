"""Whole programs as their users meet them: run one, or serve with one and be its client.

On Apple silicon the operating system runs them, elsewhere the kit's Darwin does, and
what is shown is the same.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Final

from ymawky_kit.lab.drive import Finished, finish, started, timeline_call
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.lab.workbench import Program
from ymawky_kit.source import KitError
from ymawky_kit.view.core import View, count, esc, tag
from ymawky_kit.view.timeline import Call, Timeline

if TYPE_CHECKING:
    from ymawky_kit.emu.event import SyscallEvent
    from ymawky_kit.run import ExitStatus, Process, Runner

ANSWER_SECONDS: Final = 10.0
_SIGNALS: Final = {4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 9: "SIGKILL", 10: "SIGBUS",
                   11: "SIGSEGV", 12: "SIGSYS", 13: "SIGPIPE", 15: "SIGTERM"}
#: Fields of a reply that differ from day to day or from copy to copy.
_VARYING: Final = re.compile(
    rb"^((?:Date|Last-Modified|ETag): )[^\r\n]*", re.IGNORECASE | re.MULTILINE)


def _runner() -> Runner:
    from ymawky_kit.run import EmulatedRunner, default_runner

    chosen = default_runner()
    # The emulator's report of a crash would be text that a Mac does not print.
    return EmulatedRunner(report=False) if chosen.name == "emulated" else chosen


def run(program: Program | bytes, *args: str, stdin: bytes = b"",
        files: Mapping[str, bytes] | None = None) -> Finished:
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
        name = _SIGNALS.get(status.signal, "")
        return -status.signal, f"killed by signal {status.signal} {name}".rstrip()
    return status.code, f"exit status {status.code}"


class Exchange(View):
    """A request and its reply.  `reply` is what came back, `status` its three digits."""

    def __init__(self, request: bytes, reply: bytes) -> None:
        self.request = request
        self.reply = reply

    @property
    def status(self) -> int:
        found = re.match(rb"HTTP/1\.\d (\d{3})", self.reply)
        return int(found[1]) if found else 0

    @property
    def head(self) -> bytes:
        return self.reply.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.reply.partition(b"\r\n\r\n")[2]

    def _sides(self) -> tuple[list[str], list[str], str]:
        asked = _lines(self.request)
        head = _VARYING.sub(rb"\1(today's)", self.head)
        body = self.body[:2000].decode("utf-8", "backslashreplace")
        return asked, _lines(head), body

    def text(self) -> str:
        asked, head, body = self._sides()
        lines = [f"> {line}".rstrip() for line in asked]
        lines += [f"< {line}".rstrip() for line in [*head, ""]]
        lines += [f"  {line}".rstrip() for line in body.splitlines()]
        return "\n".join(lines)

    def html(self) -> str:
        asked, head, body = self._sides()
        return tag(
            "div", tag("p", "the client asks", class_="yk-lane"),
            tag("pre", esc("\n".join(asked)), class_="yk-pre"),
            tag("p", esc(f"the server answers, {count(len(self.reply), 'byte')}"),
                class_="yk-lane"),
            tag("pre", tag("b", esc("\n".join(head))) + esc("\n\n" + body), class_="yk-pre"),
            class_="yk")


def _lines(data: bytes) -> list[str]:
    return data.decode("latin-1").rstrip("\r\n").split("\r\n")


class Site:
    """A running server and the folder it serves; `stop` it, or use it in a `with`."""

    def __init__(self, files: Mapping[str, bytes], program: Program, runner: Runner) -> None:
        self._stack = ExitStack()
        try:
            self._process: Process = self._stack.enter_context(started(
                runner, program.data, program.name,
                ["--port", "0", "--address", "127.0.0.1", "."], files))
            line = self._process.wait_for(b"serving")
            found = re.search(rb"http://127\.0\.0\.1:(\d+)/", line)
            if found is None:
                raise KitError.of(f"the server said {line!r} and not where it serves")
            self._port = int(found[1])
        except BaseException:
            self._stack.close()
            raise

    @property
    def url(self) -> str:
        """The address of the site; its port differs from run to run."""
        return f"http://127.0.0.1:{self._port}/"

    def send(self, request: bytes) -> Exchange:
        """Send these very bytes over a new connection and read until the server closes."""
        with socket.create_connection(("127.0.0.1", self._port), ANSWER_SECONDS) as client:
            client.sendall(request)
            parts = []
            while part := client.recv(65536):
                parts.append(part)
        return Exchange(request, b"".join(parts))

    def get(self, path: str = "/", method: str = "GET") -> Exchange:
        """One plain request."""
        return self.send(f"{method} {path} HTTP/1.1\r\nHost: example.org\r\n"
                         "Connection: close\r\n\r\n".encode())

    def calls(self) -> tuple[SyscallEvent, ...]:
        """The calls so far, of a server whose runner traces.

        Waits until every child has ended: its last calls come after the client saw
        the end of the reply.
        """
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            events = self._process.trace()
            children = {e.process for e in events if e.process > 1}
            ended = {e.process for e in events if e.name == "exit"}
            if children <= ended or time.monotonic() > deadline:
                return events
            time.sleep(0.01)

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


def serve(files: Mapping[str, bytes], program: str | Program | None = None) -> Site:
    """Serve these files with the book's server, the newest one unless `program` says else."""
    return Site(files, _server(program), _runner())


def _server(program: str | Program | None) -> Program:
    if isinstance(program, Program):
        return program
    if program is None:
        from ymawky_kit import chapters

        program = list(chapters.load())[-1]
    return BENCH.build(program)


def watch(files: Mapping[str, bytes], path: str = "/",
          program: str | Program | None = None) -> Timeline:
    """The system calls that one request costs, from the kit's Darwin.

    With a process for each connection these are all calls of that process; else the
    calls from one accept to the next.
    """
    from ymawky_kit.run import EmulatedRunner

    built = _server(program)
    runner = EmulatedRunner(report=False, trace=True)
    with Site(files, built, runner) as site:
        site.get(path)
        events = site.calls()
    children = sorted({e.process for e in events if e.process > 1})
    if children:
        lane = [e for e in events if e.process == children[0]]
    else:
        first = next(n for n, e in enumerate(events) if e.name == "accept")
        lane = [e for n, e in enumerate(events)
                if n >= first and (n == first or e.name != "accept")]
    calls = [_first(timeline_call(e)) for e in lane]
    total = sum(e.instructions for e in lane)
    return Timeline(calls, title=f"GET {path}", ending=f"{count(len(calls), 'system call')}, "
                    f"{count(total, 'instruction')}")


def _first(call: Call) -> Call:
    """The same call as process 1, so that a single lane needs no name."""
    return Call(1, call.text, call.result, call.failed, call.forced, call.instructions)
