"""Clients that follow the script of a case, byte by byte, and remember what happened."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal

from ymawky_kit.blackbox.case import Again, Ended, Expect, Leave, Send, Signal, Step, Take, Talk

Address = tuple[str, int]

_BLOCK: Final = 1 << 16
#: Between two tries of :class:`Again`.
_AGAIN_SECONDS: Final = 0.05


@dataclass(slots=True)
class Happened:
    """One thing that a client did or met."""

    client: str
    kind: Literal["sent", "came", "note"]
    data: bytes = b""
    note: str = ""


@dataclass(slots=True)
class Record:
    """What came of a script."""

    happened: list[Happened] = field(default_factory=list)
    wanted: str = ""                # in words, of the step that failed
    faults: list[str] = field(default_factory=list)
    cut: bool = False               # a connection broke off: the server may be ending
    stuck: bool = False             # it kept a client waiting, or the connection open
    ended: bool = False             # the server itself ended, and should not have

    @property
    def passed(self) -> bool:
        return not self.faults

    def sent(self, client: str, data: bytes) -> None:
        last = self.happened[-1] if self.happened else None
        if last is not None and (last.client, last.kind) == (client, "sent"):
            last.data += data
        else:
            self.happened.append(Happened(client, "sent", data))

    def note(self, client: str, text: str) -> None:
        self.happened.append(Happened(client, "note", note=text))

    def fail(self, wanted: str, *faults: str) -> None:
        self.wanted = wanted
        self.faults += faults


class _Stop(Exception):
    """The script cannot go on; the record says why."""


class Player:
    """Plays scripts against a server.

    `signal` and `ended` reach the process of the server; without them, a script that
    needs them must not be played.  `failed` is called when something is not as wanted,
    before the clients close their connections.
    """

    def __init__(self, address: Address, seconds: float,
                 signal: Callable[[int], None] | None = None,
                 ended: Callable[[float], int | str | None] | None = None,
                 failed: Callable[[], None] | None = None) -> None:
        self._address = address
        self._seconds = seconds
        self._signal = signal
        self._ended = ended
        self._failed = failed
        self._record = Record()
        self._clients: dict[str, _Client] = {}

    def play(self, case: Talk) -> Record:
        """Follow the script up to the first thing that is not as wanted."""
        self._record = Record()
        self._clients = {}
        try:
            for step in case.script:
                self._step(step)
        except _Stop:
            pass
        except OSError as error:
            self._record.fail("a connection", error.strerror or str(error))
        finally:
            if self._failed is not None and self._record.faults:
                self._failed()
            for client in self._clients.values():
                client.close()
        return self._record

    def _step(self, step: Step) -> None:
        match step:
            case Send():
                self._send(step)
            case Expect():
                self._expect(step)
            case Take():
                self._take(step)
            case Leave():
                with self._client(step.client) as client:
                    if step.reset:
                        client.reset_on_close()
                del self._clients[step.client]
                self._record.note(step.client, "resets the connection" if step.reset
                                  else "closes the connection")
            case Again():
                self._again(step)
            case Signal():
                assert self._signal is not None
                self._record.note("we", f"send the server signal {step.number}")
                self._signal(step.number)
            case Ended():
                self._has_ended(step)

    def _client(self, name: str) -> _Client:
        if name not in self._clients:
            try:
                self._clients[name] = _Client(self._address, self._seconds)
            except OSError as error:
                self._record.fail("a server that takes the connection",
                                  f"it does not: {error.strerror or error}")
                self._record.stuck = self._record.cut = True
                raise _Stop from None
        return self._clients[name]

    def _send(self, step: Send) -> None:
        client = self._client(step.client)
        for number, piece in enumerate(step.pieces):
            if number:
                time.sleep(step.pause)
            self._record.sent(step.client, piece)
            try:
                client.send(piece, self._seconds)
            except TimeoutError:
                self._record.stuck = True
                self._record.fail("a server that reads on",
                                  f"for {self._seconds:g} s it took no more of what is sent")
                raise _Stop from None
        if not step.more:
            client.finish()
            self._record.note(step.client, "has nothing more to send")

    def _expect(self, step: Expect) -> None:
        seconds = self._seconds if step.within is None else step.within
        client = self._client(step.client)
        complete = client.read_to_end(seconds)
        self._record.happened.append(Happened(step.client, "came", bytes(client.received)))
        faults = []
        if not complete:
            self._record.stuck = True
            faults.append(
                f"no answer within {seconds:g} s" if not client.received else
                f"the connection is still open {seconds:g} s later")
        if complete or client.received:
            faults += step.want.faults(bytes(client.received), reset=client.was_reset)
        self._record.cut |= complete and (client.was_reset or not client.received)
        if faults:
            self._fail(step.client, str(step.want), faults)
        client.close()
        del self._clients[step.client]

    def _take(self, step: Take) -> None:
        client = self._client(step.client)
        if not client.read(step.count, self._seconds, step.pause):
            self._record.happened.append(Happened(step.client, "came", bytes(client.received)))
            self._record.stuck = not client.ended
            self._record.cut = client.ended
            self._fail(step.client, f"at least {step.count} bytes",
                       [f"only {len(client.received)} came"])

    def _again(self, step: Again) -> None:
        until = time.monotonic() + self._seconds
        while True:
            with _Client(self._address, self._seconds) as client:
                with contextlib.suppress(TimeoutError):
                    client.send(step.data, self._seconds)
                client.read_to_end(self._seconds)
            faults = step.want.faults(bytes(client.received), reset=client.was_reset)
            if not faults:
                return
            if time.monotonic() > until:
                self._record.cut = True
                self._record.sent("another", step.data)
                self._record.happened.append(Happened("another", "came", bytes(client.received)))
                self._fail("another", str(step.want), faults)
            time.sleep(_AGAIN_SECONDS)

    def _has_ended(self, step: Ended) -> None:
        assert self._ended is not None
        status = self._ended(self._seconds)
        if status != step.status:
            self._record.stuck = True
            self._record.fail(
                f"the server ends with exit status {step.status}",
                f"it still runs {self._seconds:g} s later" if status is None
                else f"it ended with {status}")
            raise _Stop

    def _fail(self, client: str, wanted: str, faults: list[str]) -> None:
        several = len({h.client for h in self._record.happened}) > 1
        self._record.fail(f"for {client}: {wanted}" if several else wanted, *faults)
        raise _Stop


class _Client:
    """One connection."""

    def __init__(self, address: Address, seconds: float) -> None:
        self._socket = socket.create_connection(address, seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray()
        self.was_reset = False
        self.ended = False

    def send(self, data: bytes, seconds: float) -> None:
        """Send all of it, unless the server has gone: then its reply may still be there.

        Raises TimeoutError when the server takes nothing.
        """
        self._socket.settimeout(seconds)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ConnectionAbortedError):
            self._socket.sendall(data)

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def read_to_end(self, seconds: float) -> bool:
        """True when the server closed within so many seconds."""
        deadline = time.monotonic() + seconds
        while not self.ended and self._read_some(deadline, _BLOCK):
            pass
        return self.ended

    def read(self, count: int, seconds: float, pause: float) -> bool:
        """Read so many bytes; False when they do not come."""
        left = count
        while left and not self.ended:
            before = len(self.received)
            if not self._read_some(time.monotonic() + seconds, min(left, _BLOCK)):
                break
            left -= len(self.received) - before
            time.sleep(pause)
        return not left

    def _read_some(self, deadline: float, size: int) -> bool:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        self._socket.settimeout(left)
        try:
            block = self._socket.recv(size)
        except TimeoutError:
            return False
        except (ConnectionResetError, ConnectionAbortedError):
            self.was_reset, block = True, b""
        self.received += block
        self.ended = not block
        return True

    def reset_on_close(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()
