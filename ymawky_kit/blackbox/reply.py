"""A strict little reader of HTTP replies: one whole reply, and nothing behind it.

Written from RFC 9112 2.1, 4, 5 and 7.1, RFC 9110 8.6; what a browser would let pass is
an error here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: status-line of RFC 9112 4; the text behind the status may be empty, its space not.
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2}) ([\t \x21-\x7e\x80-\xff]*)")
#: field-line of RFC 9112 5, with the field-vchar of RFC 9110 5.5.
_FIELD: Final = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x21-\x7e\x80-\xff \t]*)")
#: chunk-size and chunk-ext of RFC 9112 7.1, 7.1.1.
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t \x21-\x7e\x80-\xff]*)?")
#: Statuses whose replies never have a body, RFC 9110 6.4.1.
_NO_BODY: Final = (204, 304)


class Broken(Exception):
    """The bytes are not one whole reply; the message says what is wrong with them."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply.  Names of fields are in lower case."""

    status: int
    reason: bytes
    fields: Mapping[bytes, bytes]
    body: bytes


def read_reply(raw: bytes, *, head_only: bool = False) -> Reply:
    """All that a server sent until it closed, as one reply; `head_only` for a reply to HEAD.

    Raises :class:`Broken`.
    """
    head, end, rest = raw.partition(b"\r\n\r\n")
    if not end:
        raise Broken("the head of the reply never ends: there is no empty line (CR LF CR LF)")
    first, *lines = head.split(b"\r\n")
    found = _STATUS_LINE.fullmatch(first)
    if found is None:
        raise Broken(f"{shown(first)} is no status line such as 'HTTP/1.1 200 OK'")
    status = int(found[1])
    fields = _fields(lines)
    length = _length(fields)
    chunked = b"transfer-encoding" in fields
    if chunked and fields[b"transfer-encoding"].lower() != b"chunked":
        raise Broken("the reply has a Transfer-Encoding that is not 'chunked'")
    if chunked and length is not None:
        raise Broken("the reply has a Content-Length, and a Transfer-Encoding beside it")
    if head_only or status in _NO_BODY:
        if rest:
            raise Broken(f"{_bytes(len(rest))} behind the head of a reply that has no body")
    elif chunked:
        rest = _unchunked(rest)
    elif length is not None and len(rest) < length:
        raise Broken(f"the body ends after {len(rest)} of {_bytes(length)}")
    elif length is not None and len(rest) > length:
        raise Broken(f"{_bytes(len(rest) - length)} behind the body, which has {length}: "
                     f"{shown(rest[length:][:40])}")
    return Reply(status, found[2], fields, rest)


def _fields(lines: list[bytes]) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for line in lines:
        found = _FIELD.fullmatch(line)
        if found is None:
            raise Broken(f"{shown(line)} is no field line such as 'Name: value'")
        name = found[1].lower()
        if name in fields:
            raise Broken(f"the field {found[1].decode()} is there twice")
        fields[name] = found[2].rstrip(b" \t")
    return fields


def _unchunked(rest: bytes) -> bytes:
    """The bytes of the chunks, which must end with the reply; fields behind them are none."""
    body = bytearray()
    while True:
        line, end, rest = rest.partition(b"\r\n")
        found = _CHUNK.fullmatch(line)
        if not end or found is None:
            raise Broken(f"behind {_bytes(len(body))} of the body there is no length of a chunk, "
                         f"but {shown(line[:40])}")
        size = int(found[1], 16)
        if len(rest) < size + 2:
            raise Broken(f"the reply ends in a chunk of {_bytes(size)}")
        if rest[size:size + 2] != b"\r\n":
            raise Broken(f"a chunk of {_bytes(size)} does not end with CR LF")
        body += rest[:size]
        rest = rest[size + 2:]
        if not size:
            break
    if rest:
        raise Broken(f"{_bytes(len(rest))} behind the last chunk: {shown(rest[:40])}")
    return bytes(body)


def _length(fields: Mapping[bytes, bytes]) -> int | None:
    text = fields.get(b"content-length")
    if text is None:
        return None
    if not re.fullmatch(rb"[0-9]{1,18}", text):
        raise Broken(f"Content-Length: {shown(text)} is no number")
    return int(text)


def shown(data: bytes) -> str:
    """Bytes as one line of text, in quotes, shortened in the middle."""
    text = ascii(data.decode("latin-1"))
    if len(text) > 120:
        text = f"{text[:80]} ... {text[-20:]}"
    return text


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"
