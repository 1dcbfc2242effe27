"""What traces show of the arguments of socket and event calls.

A kind sees one register; where the meaning depends on another (an option's name on its
level, an array on its length) it looks at the registers of the call itself.
"""

from __future__ import annotations

import socket as host
import struct
from collections.abc import Callable
from typing import Final

from ymawky_kit.darwin import abi
from ymawky_kit.darwin.table import Kind, quoted
from ymawky_kit.darwin.task import Task
from ymawky_kit.emu.memory import BadAddress

#: Entries of an array that a trace shows.
_SHOWN: Final = 4
_POLLFD: Final = struct.Struct("<ihh")
_KEVENT: Final = struct.Struct("<QhHIqQ")
_POLL: Final = abi.VOCABULARIES["poll"]
_FILTER: Final = abi.VOCABULARIES["evfilt"]
_FLAGS: Final = abi.VOCABULARIES["ev"]
_OPTIONS: Final = {
    abi.SOL_SOCKET: abi.VOCABULARIES["so"], abi.IPPROTO_TCP: abi.VOCABULARIES["tcp"],
    abi.IPPROTO_IP: abi.VOCABULARIES["ip"], abi.IPPROTO_IPV6: abi.VOCABULARIES["ipv6"],
}


def address_text(data: bytes) -> str:
    """A socket address of Darwin: `127.0.0.1:8080`, `[::1]:8080`, `"path"`, or its bytes."""
    family = data[1] if len(data) > 1 else -1
    if family in (abi.AF_INET, abi.AF_UNSPEC) and len(data) == 16:
        return f"{host.inet_ntoa(data[4:8])}:{int.from_bytes(data[2:4], 'big')}"
    if family == abi.AF_INET6 and len(data) == 28:
        port = int.from_bytes(data[2:4], "big")
        return f"[{host.inet_ntop(host.AF_INET6, data[8:24])}]:{port}"
    if family == abi.AF_UNIX:
        return quoted(data[2:].split(b"\0", 1)[0], 104)
    return quoted(data, 32)


def _pointer(show: Callable[[Task, int], str]) -> Callable[[Task, int], str]:
    """Show what is at an address, or the address when nothing can be read there."""

    def safe(task: Task, x: int) -> str:
        if not x:
            return "NULL"
        try:
            return show(task, x)
        except BadAddress:
            return hex(x)

    return safe


def SOCKADDR(length: int) -> Kind:  # noqa: N802 - reads as the kinds do
    """An address whose size is argument number `length` of the call."""

    def show(task: Task, x: int) -> str:
        size = task.cpu.call[length] & 0xFFFFFFFF
        return address_text(task.memory.read(x, min(size, 255)))

    return Kind("sockaddr", "{x}", _pointer(show))


def _option(task: Task, x: int) -> str:
    names = _OPTIONS.get(task.cpu.call[1] & 0xFFFFFFFF)
    value = x & 0xFFFFFFFF
    return names(value) if names is not None else str(value)


def _pollfds(task: Task, x: int) -> str:
    count = task.cpu.call[1] & 0xFFFFFFFF
    data = task.memory.read(x, _POLLFD.size * min(count, _SHOWN))
    entries = [f"{{{fd}, {_POLL(events)}}}" for fd, events, _ in _POLLFD.iter_unpack(data)]
    return _array(entries, count)


def _changes(size: int) -> Callable[[Task, int], str]:
    def show(task: Task, x: int) -> str:
        count = task.cpu.call[2] & 0xFFFFFFFF
        entries = []
        for index in range(min(count, _SHOWN)):
            ident, kind, flags, _, _, _ = _KEVENT.unpack(
                task.memory.read(x + index * size, _KEVENT.size)
            )
            entries.append(f"{{{ident}, {_FILTER(kind)}, {_FLAGS(flags)}}}")
        return _array(entries, count)

    return show


def _array(entries: list[str], count: int) -> str:
    return "[" + ", ".join(entries) + (", ...]" if count > len(entries) else "]")


#: An option's number; its name depends on the level before it.
OPTION: Final = Kind("option", "(({x} & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000", _option)
#: The array of poll, as long as the next argument says.
POLLFDS: Final = Kind("pollfds", "{x}", _pointer(_pollfds))
#: The changes of kevent and of kevent64.
CHANGES: Final = Kind("changes", "{x}", _pointer(_changes(32)))
CHANGES64: Final = Kind("changes64", "{x}", _pointer(_changes(48)))
