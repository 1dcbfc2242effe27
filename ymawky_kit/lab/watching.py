"""Watch one request, or a few clients at once: every system call of the server, in lanes.

Always the kit's Darwin, on a Mac too.  The result must be the same every time, so
nothing here depends on how fast a process runs: a client does its next step only when
every process of the server waits, which the trace tells (see TraceSink's `entries`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ymawky_kit import chapters
from ymawky_kit.darwin.abi import killed_by
from ymawky_kit.lab.covering import noting
from ymawky_kit.lab.drive import Files, Plan, parse_plan, timeline_call
from ymawky_kit.lab.play import (
    ANSWER_SECONDS,
    Client,
    Site,
    plain_request,
    server_program,
)
from ymawky_kit.lab.workbench import Program
from ymawky_kit.source import KitError
from ymawky_kit.view.core import count
from ymawky_kit.view.exchange import Exchange
from ymawky_kit.view.timeline import Call, Timeline

if TYPE_CHECKING:
    from ymawky_kit.emu.event import SyscallEvent

#: A path, the very bytes, or pieces of them that are sent one after the other.
Request = str | bytes | Sequence[bytes]

_LOOK_SECONDS: Final = 0.002
#: Lines of trace after which a server is taken to be in a loop; a request needs some ten.
CALLS_MAX: Final = 20_000
_ENDS: Final = ("exit", "killed")


class Watched(Timeline):
    """The system calls of a request, one lane a process, and what the client saw.

    exchange        the request and its reply; `exchanges` holds one for each client
    calls           every line shown, as Call(process, text, result, …)
    instructions    user instructions from the return of accept, to the svc of the next
                    accept or to the end of the server; those of all children included,
                    from the return of fork to the svc of exit
    system_calls    how many of them were svc, counted in the same places: the accept that
                    the client ended was made before it came, and fork returns twice
    """

    def __init__(self, calls: Sequence[Call], *, title: str, exchanges: Sequence[Exchange],
                 system_calls: int, names: dict[int, str]) -> None:
        self.exchanges = tuple(exchanges)
        self.instructions = sum(call.instructions or 0 for call in calls)
        self.system_calls = system_calls
        parts = []
        for process, name in names.items():
            own = sum(call.instructions or 0 for call in calls if call.process == process)
            parts.append(f"{own:,} in {name}")
        total = count(self.instructions, "instruction")
        ending = f"{count(system_calls, 'system call')}, {total}"
        super().__init__(calls, title=title, names=names,
                         ending=f"{ending}: {', '.join(parts)}" if parts else ending)

    @property
    def exchange(self) -> Exchange:
        """The request of the first client, and its reply."""
        return self.exchanges[0]


def watch(files: Files, request: Request = "/",
          program: str | Program | None = None, plan: Plan = None,
          options: Sequence[str] = (), *, requests: Sequence[Request] | None = None,
          patience: float = 0.0) -> Watched:
    """The system calls that a request costs, from the kit's Darwin.

    `request` is a path, the very bytes, or a list of pieces, each sent when the server
    has read the one before.  `plan` makes calls of the server fail or do less, counted
    from its start, see `parse_plan`.  `requests`, in place of `request`, is for several
    clients: all connect, then the first sends and waits for its reply, then the second.

    The lane of the parent (or of the only process) goes from one accept to the next;
    that of a child, from fork to exit.  A client whose request is not complete hangs up
    as soon as the server has nothing to do but wait for more, or, with `patience`, after
    so many seconds.  Raises :class:`KitError` when the server does not come to rest in
    ten seconds, or ends before it accepts anybody.
    """
    from ymawky_kit.emu.plan import FaultPlan
    from ymawky_kit.run import EmulatedRunner

    wanted = [request] if requests is None else list(requests)
    if not wanted:
        raise KitError.of("there is no request to watch")
    if isinstance(request, str) and request in chapters.load():
        raise KitError.of(f"'{request}' is a program, and no request",
                          hint=f"write it like: watch(files, program='{request}')")
    faults = parse_plan(plan)
    built = server_program(program)
    with noting(built) as cover:
        runner = EmulatedRunner(report=False, trace=True, entries=True, cover=cover,
                                plan=FaultPlan(faults).to_json() if faults else None)
        with Site(files, built, runner, options) as site:
            clients = [site.connect() for _ in wanted]
            log = _Log(site, clients)
            exchanges = [_talk(client, _pieces(one), log, patience)
                         for client, one in zip(clients, wanted, strict=True)]
            events = log.events()
    return _timeline(events, ", ".join(_title(one) for one in wanted), exchanges)


def _pieces(request: Request) -> list[bytes]:
    if isinstance(request, str):
        return [plain_request(request)]
    return [request] if isinstance(request, bytes) else list(request)


def _title(request: Request) -> str:
    if isinstance(request, str):
        return f"GET {request}"
    pieces = _pieces(request)
    whole = b"".join(pieces)
    if not whole:
        return "a client that says nothing"
    line = whole.split(b"\r\n")[0].decode("latin-1")
    shown = line if len(line) <= 60 else f"{line[:57]}…"
    return shown if len(pieces) == 1 else f"{shown}, in {len(pieces)} pieces"


def _talk(client: Client, pieces: Sequence[bytes], log: _Log, patience: float) -> Exchange:
    """One client's side: a piece whenever the server waits, then the reply, then good-bye."""
    for piece in pieces:
        client.send(piece)
        log.until_idle()
    if patience and not client.received:
        client.answered(patience)
        log.until_idle()
    if not client.ended:
        client.finish()             # the server waits for more, and no more will come
        log.until_idle()
    reply = client.receive()
    client.close()
    log.until_idle()
    return reply


class _Log:
    """The server's trace, and whether all its processes wait for us."""

    def __init__(self, site: Site, clients: Sequence[Client]) -> None:
        self._site = site
        self._clients = tuple(clients)
        self.until_idle()

    def events(self) -> tuple[SyscallEvent, ...]:
        return self._site.process.trace()

    def until_idle(self) -> None:
        """Wait until the server can do nothing without us, and take what it has sent.

        Raises :class:`KitError` when that takes longer than ten seconds.
        """
        deadline = time.monotonic() + ANSWER_SECONDS
        while not self._idle(events := self.events()):
            if len(events) > CALLS_MAX or time.monotonic() > deadline:
                raise KitError.of("the server does not come to rest, after "
                                  f"{count(sum(not e.entered for e in events), 'system call')}",
                                  hint="is there a loop that never ends?")
            for client in self._clients:
                client.collect()
            time.sleep(_LOOK_SECONDS)
        for client in self._clients:
            client.collect()

    def _idle(self, events: Sequence[SyscallEvent]) -> bool:
        over = self._site.process.status is not None
        lanes = _lanes(events)
        forks = [e for e in lanes.get(1, []) if e.name == "fork" and e.result]
        children = range(2, 2 + len(forks))
        if not over and not self._waits(lanes.get(1, []), _accepted(lanes.get(1, []))):
            return False
        return all(self._waits(lanes.get(child, []), _served_by(child, lanes[1]))
                   for child in children)

    def _waits(self, lane: Sequence[SyscallEvent], accepts: Sequence[SyscallEvent]) -> bool:
        """Is the last thing in a lane its end, or a call that only a client can end?"""
        if not lane:
            return False
        last = lane[-1]
        if last.name in _ENDS:
            return True
        if not last.entered:
            return False
        if last.name == "accept":
            return len(accepts) >= len(self._clients)
        if last.name != "read" or not accepts or last.arguments[0] != str(accepts[-1].result):
            return False
        client = self._clients[len(accepts) - 1]
        since = lane[lane.index(accepts[-1]):] if accepts[-1] in lane else lane
        got = sum(e.result or 0 for e in since if e.name == "read" and not e.entered
                  and e.arguments[0] == last.arguments[0])
        return got >= client.sent and not client.finished


def _lanes(events: Sequence[SyscallEvent]) -> dict[int, list[SyscallEvent]]:
    found: dict[int, list[SyscallEvent]] = {}
    for event in events:
        found.setdefault(event.process, []).append(event)
    return found


def _accepted(lane: Sequence[SyscallEvent]) -> list[SyscallEvent]:
    """The accepts that brought a client."""
    return [e for e in lane if e.name == "accept" and e.result is not None]


def _served_by(child: int, parent: Sequence[SyscallEvent]) -> list[SyscallEvent]:
    """The accepts up to the one whose client a child got: children are numbered by forks."""
    forks = [n for n, e in enumerate(parent) if e.name == "fork" and e.result]
    return _accepted(parent[:forks[child - 2]])


def _timeline(events: Sequence[SyscallEvent], title: str,
              exchanges: Sequence[Exchange]) -> Watched:
    lanes = _lanes(events)
    first = next((n for n, e in enumerate(lanes[1]) if e.name == "accept" and not e.entered),
                 None)
    if first is None:
        raise KitError.of("the server ended before it accepted anybody")
    lanes[1] = lanes[1][first:]
    calls: list[Call] = []
    made = 0
    for process in sorted(lanes):
        lane = lanes[process]
        shown = [_call(e) for e in lane if not e.entered or e.name == "killed"]
        # What led to the first accept is the start of the server; a child begins at fork.
        shown[0] = replace(shown[0], instructions=None)
        if lane[-1].entered and lane[-1].name != "killed":
            shown.append(replace(_call(lane[-1]), note="waits"))
        made += len(shown) - 1 - (lane[-1].name == "killed")
        calls += shown
    children = sorted(lanes)[1:]
    names = {}
    if children:
        names = {1: "the parent"}
        names |= {child: "the child" if len(children) == 1 else f"child {child - 1}"
                  for child in children}
    return Watched(calls, title=title, exchanges=exchanges, system_calls=made, names=names)


def _call(event: SyscallEvent) -> Call:
    if event.name == "killed":
        return Call(event.process, killed_by(event.number), "", failed=True,
                    instructions=event.instructions)
    return timeline_call(event)
