"""Constants of the assembly's include files, and the structures they lay out."""

from __future__ import annotations

import re
import struct
from functools import cache

from support.contract import Asm
from ymawky_kit.paths import asm_root

_EQU = re.compile(r"^\.equ (\w+),\s*([^/]+?)\s*(?://.*)?$", re.MULTILINE)
_SIZED = re.compile(r"^\.equ (\w+),\s*\d+\s*//\s*(\d+)\s+\w", re.MULTILINE)


@cache
def constants(name: str) -> dict[str, int]:
    """The `.equ` lines of an include file: "conn.inc", "abi.inc"."""
    values: dict[str, int] = {}
    for key, expression in _EQU.findall(_text(name)):
        values[key] = int(eval(expression, {"__builtins__": {}}, dict(values)))
    return values


@cache
def fields(name: str) -> dict[str, tuple[int, int]]:
    """Offset and size of the fields of an include file whose comments give sizes."""
    values = constants(name)
    return {key: (values[key], int(size)) for key, size in _SIZED.findall(_text(name))}


def _text(name: str) -> str:
    folder = "platform/darwin" if name == "abi.inc" else "include"
    return (asm_root() / folder / name).read_text(encoding="utf-8")


_FORMATS = {1: "<B", 2: "<H", 4: "<i", 8: "<Q"}


class Record:
    """A structure in the guest's memory: `record["REQUEST_METHOD"]`."""

    def __init__(self, asm: Asm, name: str, address: int) -> None:
        self.asm = asm
        self.address = address
        self.layout = fields(name)

    def __getitem__(self, field: str) -> int:
        offset, size = self.layout[field]
        data = self.asm.peek(self.address + offset, size)
        return int(struct.unpack(_FORMATS[size], data)[0])

    def __setitem__(self, field: str, value: int) -> None:
        offset, size = self.layout[field]
        self.asm.poke(self.address + offset, struct.pack(_FORMATS[size], value))

    def text(self, field: str) -> bytes:
        """The text that a pointer and the length field behind it name."""
        length = self[f"{field}_LEN"]
        return self.asm.peek(self[field], length) if length else b""


class Connection(Record):
    """A struct conn with its request and reply, ready as connection_begin leaves it."""

    def __init__(self, asm: Asm, fd: int = -1) -> None:
        conn = constants("conn.inc")
        super().__init__(asm, "conn.inc", asm.alloc(conn["CONN_SIZEOF"], guard="end"))
        self.request = Record(asm, "request.inc", self.address + conn["CONN_REQUEST"])
        self.reply = Record(asm, "reply.inc", self.address + conn["CONN_REPLY"])
        self.upload = Record(asm, "upload.inc", self.address + conn["CONN_UPLOAD"])
        self.path_address = self.address + conn["CONN_PATH"]
        self["CONN_FD"] = fd
        self.reply["REPLY_FD"] = -1

    def set_path(self, path: bytes, slash: bool = False) -> None:
        self.asm.poke(self.path_address, path + b"\0")
        self["CONN_PATH_LEN"] = len(path)
        self["CONN_PATH_SLASH"] = int(slash)

    def set_file(self, size: int, mtime: int) -> None:
        """What fstat would have said."""
        base = self.address + constants("conn.inc")["CONN_STAT"]
        abi = constants("abi.inc")
        self.asm.poke(base + abi["STAT_SIZE"], struct.pack("<q", size))
        self.asm.poke(base + abi["STAT_MTIME"], struct.pack("<q", mtime))

    @property
    def head(self) -> bytes:
        return self.reply.text("REPLY_HEAD")

    @property
    def body(self) -> bytes:
        """A body in memory."""
        reply = self.reply
        return self.asm.peek(reply["REPLY_BODY"], reply["REPLY_LENGTH"])
