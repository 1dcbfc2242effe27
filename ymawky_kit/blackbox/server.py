"""Where cases are tried: a program that we start, or a server that runs already."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ymawky_kit.blackbox.case import Entry, Talk
from ymawky_kit.blackbox.place import Placed
from ymawky_kit.blackbox.play import Address, Player
from ymawky_kit.darwin.abi import killed_by
from ymawky_kit.run.runners import EmulatedRunner, Process, Runner
from ymawky_kit.source import KitError

if TYPE_CHECKING:
    from ymawky_kit.emu.event import SyscallEvent

#: How long a program may take until it says where it serves.
START_SECONDS: Final = 10.0
#: The line that a server begins with, on standard output.
_SERVING: Final = re.compile(rb"http://(?:127\.0\.0\.1|localhost):([0-9]{1,5})(?=[^0-9])")
#: What the kernel of a Mac takes as an executable: one of 64 bits, or one for several processors.
_NATIVE_MAGIC: Final = (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
#: The files of a site, below the folder of a case: beside it there is room for secrets.
_ROOT: Final = "site"


class NotServing(Exception):
    """The program did not come as far as to serve; the message says why."""


class Program:
    """A program under test, with the files of its cases in a folder of its own."""

    def __init__(self, path: Path, runner: Runner, tree: Mapping[str, Entry],
                 start_seconds: float = START_SECONDS) -> None:
        """`tree` holds every entry that a case may need, by its name below the root."""
        self.path = path
        self._runner = runner
        self._start_seconds = start_seconds
        self._running: dict[tuple[str, ...], Started] = {}
        self._pages: list[tuple[Path, Mapping[str, Entry]]] = []
        self._stack = ExitStack()
        try:
            # Without links in its own path: a server may refuse them.
            self.folder = Path(self._stack.enter_context(
                tempfile.TemporaryDirectory(prefix="ymawky-check-"))).resolve()
            self.root = self.folder / _ROOT
            self.root.mkdir()
            self._stack.enter_context(Placed(self.root, tree))
            self._stack.callback(self.stop)
        except BaseException:
            self._stack.close()
            raise

    @property
    def traces(self) -> bool:
        """Whether the calls of the program are known."""
        return isinstance(self._runner, EmulatedRunner) and self._runner.trace

    def start(self, arguments: Sequence[str], cwd: Path, stdin: bytes = b"") -> Process:
        """Start the program, whatever it is."""
        return self._runner.start(self.path, arguments, cwd=cwd, stdin=stdin)

    def server(self, case: Talk, *, new: bool = False) -> Started:
        """A server with the options of a case: one that runs already, unless it shall be new.

        Raises :class:`NotServing`.
        """
        options = case.options
        if case.pages:
            options = (*options, "--errors", str(self._folder_of(case.pages)))
        running = self._running.get(options)
        if running is not None and (new or running.process.status is not None):
            self.drop(running)
            running = None
        if running is None:
            words = ["--port", "0", "--address", "127.0.0.1", *options, str(self.root)]
            running = Started(self.start(words, self.folder), self._start_seconds)
            self._running[options] = running
        return running

    def drop(self, server: Started) -> None:
        """End a server; the next case gets a new one."""
        self._running = {options: other for options, other in self._running.items()
                         if other is not server}
        server.stop()

    def _folder_of(self, pages: Mapping[str, Entry]) -> Path:
        """A folder with these pages, the same one for the same pages."""
        for folder, there in self._pages:
            if there == pages:
                return folder
        folder = self.folder / f"pages{len(self._pages) + 1}"
        folder.mkdir()
        Placed(folder, pages)               # goes with the folder around it
        self._pages.append((folder, pages))
        return folder

    def stop(self) -> None:
        """End all servers."""
        while self._running:
            self._running.popitem()[1].stop()

    def close(self) -> None:
        """End all servers and remove the folder."""
        self._stack.close()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


class Started:
    """A running server, and where it serves."""

    def __init__(self, process: Process, seconds: float) -> None:
        """Raises :class:`NotServing`, when the process has been ended."""
        self.process = process
        self._seen = 0
        self._others: set[int] = set()      # processes of earlier cases
        self._said = 0
        self._noted: tuple[SyscallEvent, ...] = ()
        try:
            self.address = self._find(seconds)
        except BaseException:
            process.kill()
            raise

    def _find(self, seconds: float) -> Address:
        deadline = time.monotonic() + seconds
        while True:
            found = _SERVING.search(self.process.output)
            if found is not None and 0 < int(found[1]) < 1 << 16:
                return "127.0.0.1", int(found[1])
            ended = self.process.status is not None
            if ended:
                self.process.wait(1)                # what it said is here now
                if _SERVING.search(self.process.output) is None:
                    raise NotServing(f"ended before it said where it serves: {self.ending()}")
            elif time.monotonic() > deadline:
                raise NotServing(
                    f"said nothing like http://127.0.0.1:8080/ on standard output for "
                    f"{seconds:g} s" + self._instead())
            time.sleep(0.005)

    def _instead(self) -> str:
        said = (self.process.output + self.process.errors)[-200:]
        text = said.decode(errors="replace").strip()
        return f", but: {text.splitlines()[-1]}" if text else ""

    def ending(self, within: float = 0.0) -> str | None:
        """How it ended, with its first words to that; None when it still runs then."""
        deadline = time.monotonic() + within
        while (status := self.process.status) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if status is None:
            return None
        words = killed_by(status.signal) if status.signal else f"exit status {status.code}"
        said = self.errors().strip()
        return f"{words}; it said: {said.splitlines()[0]}" if said else words

    def player(self, seconds: float) -> Player:
        """Clients for it."""
        return Player(self.address, seconds, self.process.send_signal, self._wait, self._note)

    def _wait(self, seconds: float) -> int | str | None:
        try:
            status = self.process.wait(seconds)
        except TimeoutError:
            return None
        return (self.ending() or "a signal") if status.signal else status.code

    def mark(self) -> None:
        """From here on, `calls` and `errors` are those of the next case."""
        events = self.process.trace()
        self._seen = len(events)
        self._noted = ()
        self._others = {event.process for event in events} - {1}
        self._said = len(self.process.errors)

    def calls(self) -> tuple[SyscallEvent, ...]:
        """The calls from `mark` until something went wrong, when they are traced."""
        if not self._noted:
            self._note()
        return self._noted

    def _note(self) -> None:
        found = self.process.trace()
        for _ in range(10 if found else 0):     # those on their way get a moment
            time.sleep(0.03)
            before, found = found, self.process.trace()
            if len(before) == len(found):
                break
        self._noted = _behind_the_start(
            [e for e in found[self._seen:] if e.process not in self._others])

    def errors(self) -> str:
        """What it said on standard error since `mark`."""
        return self.process.errors[self._said:].decode(errors="replace")

    def stop(self) -> None:
        self.process.kill()


def _behind_the_start(calls: Sequence[SyscallEvent]) -> tuple[SyscallEvent, ...]:
    """Without what the first process did before its first client, if there was one.

    A server just started says its address, and then has a call or two to make.
    """
    first = next((n for n, one in enumerate(calls)
                  if one.process == 1 and one.name == "accept"), 0)
    return tuple(one for n, one in enumerate(calls) if n >= first or one.process != 1)


class Remote:
    """A server that somebody else has started, on this machine."""

    def __init__(self, url: str) -> None:
        """Raises :class:`KitError` for an address that is none, or not of this machine."""
        self.url = url
        self.address = loopback(url)

    def player(self, seconds: float) -> Player:
        return Player(self.address, seconds)

    def answers(self, seconds: float) -> str | None:
        """None when it takes a connection, else why not."""
        try:
            socket.create_connection(self.address, seconds).close()
        except OSError as error:
            return error.strerror or str(error)
        return None

    def has(self, name: str, seconds: float) -> bool:
        """Does it answer 200 when asked for this file of its root?"""
        client = HTTPConnection(*self.address, timeout=seconds)
        try:
            client.request("GET", f"/{name}")
            return client.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            client.close()


def loopback(url: str) -> Address:
    """Host and port of a URL of this machine; raises :class:`KitError` for any other."""
    example = "one such as http://127.0.0.1:8080"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise KitError.of(f"'{url}' is no address of a server", hint=example) from None
    if parts.scheme != "http" or not parts.hostname:
        raise KitError.of(f"'{url}' is no address of an HTTP server", hint=example)
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        raise KitError.of(f"'{url}' is more than the address of a server", hint=example)
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
    try:
        near = ipaddress.ip_address(host).is_loopback
    except ValueError:
        near = False
    if not near:
        raise KitError.of(
            f"'{parts.hostname}' is not this machine",
            hint="the cases are hard on a server; only 127.0.0.1, [::1] and localhost are tried")
    if port == 0:
        raise KitError.of(f"'{url}' has no port", hint=example)
    return host, port or 80


def unfit(path: Path, *, native: bool = False) -> str | None:
    """Why this file would not start here, in one line; None when nothing speaks against it.

    Natively only what is no executable of macOS at all is refused: there the kernel has
    the last word, also on programs that use what our own never do.
    """
    from ymawky_kit.macho import refusals

    if not os.access(path, os.X_OK):
        return f"it is not executable: chmod +x {path}"
    data = path.read_bytes()
    if native and data[:4] in _NATIVE_MAGIC:
        return None
    problems = refusals(data)
    if not problems:
        return None
    what = "it is no executable of macOS: " if problems[0].rule == "magic" else ""
    return f"{what}{problems[0].message}"
