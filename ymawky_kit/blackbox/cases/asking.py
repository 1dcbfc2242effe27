"""Words in which cases are written."""

from __future__ import annotations

from typing import Final

from ymawky_kit.blackbox.case import Expect, Matches, Send, Step, Talk, Want

#: What every server allows that reads requests; a later one may allow more.
ALLOWS: Final = Matches(rb"(?=.*\bGET\b)(?=.*\bHEAD\b)(?=.*\bOPTIONS\b)[A-Z, ]+",
                        "GET, HEAD and OPTIONS in it")
HOST: Final = b"Host: localhost\r\n"
#: The greeting of the first servers.
GREETING: Final = b"hello, client\n"
GREETED: Final = Want((200,), {"Content-Length": "14"}, body=GREETING)
SERVED: Final = Want((200,))


def request(target: str | bytes = "/", *fields: bytes, method: bytes = b"GET",
            version: bytes = b"HTTP/1.1", host: bytes = HOST) -> bytes:
    """A request as bytes; a field is a line without its end."""
    path = target.encode() if isinstance(target, str) else target
    return b"".join([method, b" ", path, b" ", version, b"\r\n", host,
                     *(field + b"\r\n" for field in fields), b"\r\n"])


def ask(sent: bytes | tuple[bytes, ...], want: Want, client: str = "client", *,
        pause: float = 0.005, more: bool = True) -> tuple[Step, ...]:
    """Send, and expect."""
    pieces = (sent,) if isinstance(sent, bytes) else sent
    return (Send(pieces, client, pause, more), Expect(want, client))


def talk(feature: str, name: str, sent: bytes | tuple[bytes, ...], want: Want, why: str,
         *files: str) -> Talk:
    """One client asks once."""
    return Talk(name, feature, why, ask(sent, want), files)


def bytewise(data: bytes) -> tuple[bytes, ...]:
    """Byte by byte."""
    return tuple(data[n:n + 1] for n in range(len(data)))
