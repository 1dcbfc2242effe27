"""A kqueue's notes, and what a filter does with them.

Source: XNU bsd/sys/event_private.h (struct knote), bsd/kern/kern_event.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ymawky_kit.darwin.endpoint import Socket
from ymawky_kit.darwin.errno import EINVAL, Errno

if TYPE_CHECKING:
    from ymawky_kit.darwin.event_queue import Queue

#: What the guest is given: ident, filter, flags, fflags, data, udata, ext[0], ext[1].
Event = tuple[int, int, int, int, int, int, int, int]
#: ident and filter in one number; with EV_UDATA_SPECIFIC the udata beside it.
Key = int | tuple[int, int]


class Note:
    """A knote: what was asked for, and what has happened."""

    __slots__ = (
        "active", "asked", "count", "data", "deadline", "disabled", "edge", "ext", "fflags",
        "file", "filter", "flags", "handle", "ident", "interval", "key", "serial", "state",
        "udata",
    )

    def __init__(
        self, key: Key, ident: int, kind: int, flags: int, fflags: int, data: int, udata: int,
        ext: tuple[int, int],
    ) -> None:
        self.key = key
        self.ident = ident
        self.filter = kind
        self.flags = flags      # of the first EV_ADD, for good
        self.asked = fflags     # kn_sfflags: what the program wants to hear of
        self.fflags = 0         # kn_fflags: what it is told
        self.data = data
        self.udata = udata
        self.ext = ext
        self.disabled = False
        self.active = False     # software notes: waits in Queue.active
        self.count = 0          # signals seen, or a child's wait status
        self.deadline = 0       # timers: ns of the monotonic clock
        self.interval = 0
        self.serial = 0         # which entry of the heap is this timer's
        self.handle = -1        # host descriptor: the file's, or a pidfd
        self.state: Socket | None = None
        self.file = False       # a regular file: no host queue can watch it
        self.edge = False       # watched for changes only, as nothing is ready yet


class Filter:
    """attach: a new note; touch: a change to one; process: report, or say nothing."""

    def attach(self, queue: Queue, note: Note) -> None:
        raise Errno(EINVAL)

    def touch(self, queue: Queue, note: Note, fflags: int, data: int) -> None:
        note.asked = fflags
        note.data = data

    def process(self, queue: Queue, note: Note, found: list[Event]) -> None:
        queue.give(note, note.data, found)


#: The filters by EVFILT_ number; event_filter.py fills it.
FILTERS: Final[dict[int, Filter]] = {}
