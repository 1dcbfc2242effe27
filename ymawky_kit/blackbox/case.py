"""What a black-box case is: data, and words for it.  Nothing here runs anything.

A :class:`Talk` is a script for the clients of a server, who may take turns; a
:class:`Run` starts a program once, with arguments and files.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Final, Protocol

from ymawky_kit.blackbox.reply import Broken, Reply, read_reply, shown

# --- what a case finds in the folder ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class File:
    """A file; `modified` in seconds since 1970, now unless said otherwise."""

    data: bytes
    modified: int | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder without anything in it."""


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True, slots=True)
class Pipe:
    """A named pipe, which nobody ever opens for writing."""


Entry = File | Folder | Link | Pipe

# --- what must come back --------------------------------------------------------------------


class Check(Protocol):
    """A demand on the value of a field, with words for it."""

    words: str

    def __call__(self, value: bytes) -> bool: ...


class Matches:
    """The value has this form, all of it."""

    def __init__(self, pattern: bytes, words: str) -> None:
        self._pattern = re.compile(pattern)
        self.words = words

    def __call__(self, value: bytes) -> bool:
        return self._pattern.fullmatch(value) is not None


class Recent:
    """The value is a moment, in the one form that is sent, and not long ago."""

    words = "the time of day in GMT, such as 'Sun, 06 Nov 1994 08:49:37 GMT'"
    SECONDS: Final = 120

    def __call__(self, value: bytes) -> bool:
        text = value.decode("latin-1")
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except ValueError:
            return False
        same = email.utils.format_datetime(moment.astimezone(UTC), usegmt=True) == text
        return same and abs(moment.timestamp() - time.time()) < self.SECONDS


@dataclass(frozen=True, slots=True)
class Want:
    """What must come back over a connection until the server closes it.

    Without a status: nothing at all, and then the end.
    """

    status: tuple[int, ...] = ()
    fields: Mapping[str, str | Check] = field(default_factory=dict)
    absent: tuple[str, ...] = ()        # fields that must not be there
    body: bytes | None = None           # None: whatever it is
    holds: tuple[bytes, ...] = ()       # the body has these in it
    never: tuple[bytes, ...] = ()       # the whole reply has none of these in it
    head_only: bool = False             # the reply to HEAD
    may_reset: bool = False             # the connection may end with a reset
    interim: bytes = b""                # 100 Continue, in front of the reply

    def faults(self, raw: bytes, *, reset: bool = False) -> list[str]:
        """What is wrong with these bytes; `reset` says how they ended."""
        found = [f"{shown(word)} is in the reply" for word in self.never if word in raw]
        if reset and not self.may_reset:
            found.append("the connection was reset: the server closed it with bytes unread")
        if not self.status:
            return [*found, *([f"{len(raw)} bytes came"] if raw else [])]
        if not raw:
            return [*found, "the connection ended without a reply"]
        if not raw.startswith(self.interim):
            return [*found, f"{shown(self.interim)} is not in front of the reply"]
        raw = raw[len(self.interim):]
        try:
            reply = read_reply(raw, head_only=self.head_only)
        except Broken as error:
            return [*found, str(error)]
        return found + self._differences(reply)

    def _differences(self, reply: Reply) -> list[str]:
        found = []
        if reply.status not in self.status:
            found.append(f"the status is {reply.status}")
        for name, wanted in self.fields.items():
            value = reply.fields.get(name.lower().encode())
            if value is None:
                found.append(f"there is no field {name}")
            elif isinstance(wanted, str):
                if value != wanted.encode("latin-1"):
                    found.append(f"{name} is {shown(value)}")
            elif not wanted(value):
                found.append(f"{name} is {shown(value)}")
        found += [f"there is a field {name}" for name in self.absent
                  if name.lower().encode() in reply.fields]
        if self.body is not None and reply.body != self.body:
            found.append(f"the body is {shown(reply.body)}" if len(self.body) < 200
                         else _first_difference(reply.body, self.body))
        found += [f"{shown(part)} is not in the body" for part in self.holds
                  if part not in reply.body]
        return found

    def __str__(self) -> str:
        if not self.status:
            return "nothing, and then the end of the connection"
        parts = [shown(self.interim)] if self.interim else []
        parts.append("status " + " or ".join(map(str, self.status)))
        for name, wanted in self.fields.items():
            parts.append(f"{name}: {wanted}" if isinstance(wanted, str)
                         else f"{name} with {wanted.words}")
        parts += [f"no field {name}" for name in self.absent]
        if self.head_only:
            parts.append("no body, for it answers HEAD")
        elif self.body is not None:
            parts.append(f"the body {shown(self.body)}" if len(self.body) < 200
                         else f"a body of {len(self.body)} bytes")
        parts += [f"{shown(part)} in the body" for part in self.holds]
        parts += [f"{shown(part)} nowhere" for part in self.never]
        return ", ".join(parts)


def _first_difference(got: bytes, wanted: bytes) -> str:
    if len(got) != len(wanted):
        return f"the body has {len(got)} bytes"
    place = next(n for n, (one, other) in enumerate(zip(got, wanted, strict=True)) if one != other)
    return f"the body differs from its byte {place} on"


# --- what is done ------------------------------------------------------------------------------

#: Clients have names; most cases have this one only.
CLIENT: Final = "client"


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes, connecting first if need be; pieces one by one, with a pause between them."""

    pieces: tuple[bytes, ...]
    client: str = CLIENT
    pause: float = 0.005
    more: bool = True                   # False: that was all, the sending side is shut


@dataclass(frozen=True, slots=True)
class Expect:
    """Read until the server closes, and compare."""

    want: Want
    client: str = CLIENT
    within: float | None = None         # seconds, where waiting is what the case is about


@dataclass(frozen=True, slots=True)
class Take:
    """Read some bytes of the reply, and go on."""

    count: int
    client: str = CLIENT
    pause: float = 0.0                  # between two reads of at most 64 KiB


@dataclass(frozen=True, slots=True)
class Leave:
    """Close without reading the rest; with `reset`, as a client that crashed does."""

    client: str = CLIENT
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """The same request over new connections until the answer is as wanted."""

    data: bytes
    want: Want


@dataclass(frozen=True, slots=True)
class Signal:
    """Send a signal to the server, by its number in macOS."""

    number: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The server has ended by itself, with this exit status."""

    status: int


Step = Send | Expect | Take | Leave | Again | Signal | Ended

# --- cases ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Talk:
    """A case for a server."""

    name: str                           # a sentence that is true of a good server
    feature: str                        # of ymawky_kit/features.py
    why: str                            # who says so
    script: tuple[Step, ...]
    files: tuple[str, ...] = ()         # names in TREE that a server of files needs
    options: tuple[str, ...] = ()       # of the server's command line
    pages: Mapping[str, Entry] = field(default_factory=dict)    # passed with --errors

    @property
    def ends_it(self) -> bool:
        """The server shall end on the way."""
        return any(isinstance(step, Signal | Ended) for step in self.script)

    @property
    def needs_process(self) -> bool:
        """Only for a server that we have started ourselves."""
        return bool(self.options or self.pages) or self.ends_it


@dataclass(frozen=True, slots=True)
class Run:
    """A case for a program that ends by itself."""

    name: str
    feature: str
    why: str
    status: int
    output: bytes = b""
    errors: bytes | None = b""          # None: whatever it is
    arguments: tuple[str, ...] = ()
    stdin: bytes = b""
    files: tuple[str, ...] = ()         # names in TREE, here below the working directory


Case = Talk | Run
