"""The host's own event queue, as kqueue.py needs it: epoll, or kqueue on macOS.

A watcher knows host descriptors and says which are ready, in poll's event bits.  It
works through a descriptor of the emulator's, out of the guest's sight; the guest holds
another number of the same queue, so that it can poll and close it.
"""

from __future__ import annotations

import ctypes
import fcntl
import resource
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from ymawky_kit.darwin.errno import Errno
from ymawky_kit.darwin.host_socket import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, failure
from ymawky_kit.darwin.task import Task

#: How many descriptors above the ceiling the emulator may want.
_OWN: Final = 1024

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def roomy(task: Task) -> Iterator[None]:
    """While this lasts the host lets the emulator go beyond the guest's descriptor limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = task.files.ceiling + _OWN
    if soft >= wanted or soft == resource.RLIM_INFINITY:
        yield
        return
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def lifted(task: Task, fd: int) -> int:
    """A second number of an open file, where the guest has none; close-on-exec."""
    with roomy(task):
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, task.files.ceiling)


def own(task: Task, make: Callable[[], int]) -> int:
    """A descriptor of the emulator's, even when the guest has none left; close-on-exec."""
    with roomy(task):
        return task.files.claim(make())


if sys.platform == "linux":
    _create = _libc.epoll_create1

    def create() -> int:
        """A new host queue: its descriptor, the lowest free one; raises Errno."""
        fd = int(_create(select.EPOLL_CLOEXEC))
        if fd < 0:
            raise Errno(failure())
        return fd

    class Watcher:
        """An epoll instance; `fd` becomes its own and is closed with it."""

        def __init__(self, fd: int) -> None:
            self._queue = select.epoll.fromfd(fd)
            self._known: set[int] = set()
            self.fileno = fd
            #: (most events) -> [(descriptor, poll events)], without sleeping.
            self._poll = self._queue.poll

        def set(
            self, fd: int, *, write: bool = False, edge: bool = False, once: bool = False
        ) -> None:
            """Watch a descriptor, or watch it in another way, or again after `once`.

            Raises OSError: PermissionError for a file that is always ready.
            """
            events = POLLOUT if write else POLLIN | POLLRDHUP
            if edge:
                events |= select.EPOLLET
            if once:
                events |= select.EPOLLONESHOT
            if fd in self._known:
                self._queue.modify(fd, events)
            else:
                self._queue.register(fd, events)
                self._known.add(fd)

        def remove(self, fd: int) -> None:
            """Watch it no more; nothing happens when it is not watched."""
            if fd in self._known:
                self._known.discard(fd)
                with suppress(OSError):
                    self._queue.unregister(fd)

        def ready(self, most: int) -> list[tuple[int, int]]:
            """(descriptor, poll events) of what is ready, without sleeping."""
            return self._poll(0, most)

        def close(self) -> None:
            self._queue.close()

else:
    _create = _libc.kqueue

    def create() -> int:
        """A new host queue: its descriptor, the lowest free one; raises Errno."""
        fd = int(_create())
        if fd < 0:
            raise Errno(failure())
        return fd

    class Watcher:
        """A kqueue of the host; `fd` becomes its own and is closed with it."""

        def __init__(self, fd: int) -> None:
            self._queue = select.kqueue.fromfd(fd)
            self._known: dict[int, int] = {}
            self.fileno = fd

        def set(
            self, fd: int, *, write: bool = False, edge: bool = False, once: bool = False
        ) -> None:
            """Watch a descriptor, or watch it in another way, or again after `once`.

            Raises OSError.
            """
            self.remove(fd)
            kind = select.KQ_FILTER_WRITE if write else select.KQ_FILTER_READ
            flags = select.KQ_EV_ADD
            if edge:
                flags |= select.KQ_EV_CLEAR
            if once:
                flags |= select.KQ_EV_ONESHOT
            self._queue.control([select.kevent(fd, kind, flags)], 0, 0)
            self._known[fd] = kind

        def remove(self, fd: int) -> None:
            """Watch it no more; nothing happens when it is not watched."""
            kind = self._known.pop(fd, None)
            if kind is not None:
                with suppress(OSError):     # a one-shot that has fired is gone already
                    self._queue.control([select.kevent(fd, kind, select.KQ_EV_DELETE)], 0, 0)

        def ready(self, most: int) -> list[tuple[int, int]]:
            """(descriptor, poll events) of what is ready, without sleeping."""
            found = []
            for event in self._queue.control(None, most, 0):
                writes = event.filter == select.KQ_FILTER_WRITE
                bits = POLLOUT if writes else POLLIN
                if event.flags & select.KQ_EV_EOF:
                    bits |= POLLHUP
                    if event.fflags:
                        bits |= POLLERR
                found.append((int(event.ident), bits))
            return found

        def close(self) -> None:
            self._queue.close()
