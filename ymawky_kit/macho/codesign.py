"""The ad-hoc signature: a hash of every 4 KiB of the file, at the end of the file.

Apple silicon runs no native code without one.  Nobody vouches for an ad-hoc
signature; it only proves that the file is as the linker left it.  This is the
kind that linkers make (no requirements, no entitlements), not a general tool.

::

    SuperBlob       magic, length, number of blobs
    index           type and place of each: one, the CodeDirectory
    CodeDirectory   flags, code limit, number of pages, ...
      identifier    "hello" NUL
      hashes        SHA-256 of page 0, page 1, ... up to the signature itself

Numbers in here are big-endian.  The header and the load commands are hashed
like all else, so the place and size of the signature must be final before the
first hash is taken: `size` says the size, `sign` does the work.

Source: XNU osfmk/kern/cs_blobs.h, bsd/kern/ubc_subr.c cs_validate_csblob.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from struct import Struct, error
from typing import ClassVar, Final, Self

from ymawky_kit.macho import constants as c
from ymawky_kit.macho.commands import PREFIX, Header, LinkeditData, SegmentCommand
from ymawky_kit.source import KitError

#: The signature hashes the file in pieces of this size, whatever pages memory has.
PAGE_LOG2: Final = 12
PAGE: Final = 1 << PAGE_LOG2
#: Of the signature in the file.
_ALIGN: Final = 16
_INDEX: Final = Struct(">II")


@dataclass(frozen=True, slots=True)
class CodeDirectory:
    """CS_CodeDirectory, version 0x20400; the hash over all of it is the program's identity."""

    LAYOUT: ClassVar[Struct] = Struct(">IIIIIIIIIBBBBIIIIQQQQ")

    flags: int
    identifier: str
    code_limit: int             # bytes of the file that the hashes cover
    exec_base: int              # of __TEXT, in the file
    exec_limit: int
    exec_flags: int
    hashes: tuple[bytes, ...]
    page_log2: int = PAGE_LOG2
    hash_type: int = c.CS_HASHTYPE_SHA256
    version: int = c.CS_SUPPORTSEXECSEG

    def pack(self) -> bytes:
        identifier = self.identifier.encode() + b"\0"
        hash_offset = self.LAYOUT.size + len(identifier)
        return self.LAYOUT.pack(
            c.CSMAGIC_CODEDIRECTORY, hash_offset + c.CS_SHA256_LEN * len(self.hashes),
            self.version, self.flags, hash_offset,
            self.LAYOUT.size,               # the identifier follows
            0,                              # no special slots: no Info.plist, no entitlements
            len(self.hashes), self.code_limit,
            c.CS_SHA256_LEN, self.hash_type,
            0,                              # not a part of macOS
            self.page_log2,
            0, 0, 0, 0,                     # spare, no scatter list, no team, spare
            0,                              # the 64-bit code limit is for files over 4 GiB
            self.exec_base, self.exec_limit, self.exec_flags,
        ) + identifier + b"".join(self.hashes)

    @classmethod
    def unpack(cls, blob: bytes) -> Self:
        """Take apart a version 0x20400 or later directory; raises struct.error or ValueError."""
        (magic, length, version, flags, hash_offset, identifier_offset, _special, count,
         code_limit, hash_size, hash_type, _platform, page_log2, _spare2, _scatter, _team,
         _spare3, code_limit_64, exec_base, exec_limit, exec_flags) = cls.LAYOUT.unpack_from(blob)
        if magic != c.CSMAGIC_CODEDIRECTORY:
            raise ValueError(f"magic {magic:#x} is not a CodeDirectory's")
        if hash_offset + count * hash_size > min(length, len(blob)):
            raise ValueError(f"{count} hashes do not fit into {length} bytes")
        identifier = blob[identifier_offset:length].split(b"\0", 1)[0]
        hashes = tuple(blob[start:start + hash_size] for start in range(
            hash_offset, hash_offset + count * hash_size, hash_size or 1))
        return cls(flags, identifier.decode("utf-8", "backslashreplace"),
                   code_limit_64 or code_limit, exec_base, exec_limit, exec_flags, hashes,
                   page_log2, hash_type, version)


@dataclass(frozen=True, slots=True)
class SuperBlob:
    """CS_SuperBlob: the envelope around one CodeDirectory."""

    LAYOUT: ClassVar[Struct] = Struct(">III")

    directory: bytes

    def pack(self) -> bytes:
        start = self.LAYOUT.size + _INDEX.size
        return (
            self.LAYOUT.pack(c.CSMAGIC_EMBEDDED_SIGNATURE, start + len(self.directory), 1)
            + _INDEX.pack(c.CSSLOT_CODEDIRECTORY, start)
            + self.directory
        )

    @classmethod
    def unpack(cls, blob: bytes) -> Self:
        """Find the CodeDirectory; raises struct.error or ValueError."""
        magic, _length, count = cls.LAYOUT.unpack_from(blob)
        if magic != c.CSMAGIC_EMBEDDED_SIGNATURE:
            raise ValueError(f"magic {magic:#x} is not a signature's")
        # A damaged count must not make us walk on for minutes.
        for entry in range(min(count, len(blob) // _INDEX.size)):
            slot, offset = _INDEX.unpack_from(blob, cls.LAYOUT.size + entry * _INDEX.size)
            if slot == c.CSSLOT_CODEDIRECTORY:
                _, length = _INDEX.unpack_from(blob, offset)
                return cls(blob[offset:offset + length])
        raise ValueError("no CodeDirectory in the signature")


def cdhash(directory: bytes) -> bytes:
    """The 20 bytes by which macOS knows a program: of the SHA-256 over its CodeDirectory."""
    return hashlib.sha256(directory).digest()[:c.CS_CDHASH_LEN]


def size(code_limit: int, identifier: str) -> int:
    """How many bytes the signature of a file takes that is `code_limit` bytes long without it."""
    pages = -(-code_limit // PAGE)
    return (SuperBlob.LAYOUT.size + _INDEX.size + CodeDirectory.LAYOUT.size
            + len(identifier.encode()) + 1 + pages * c.CS_SHA256_LEN)


def page_hashes(data: bytes, code_limit: int) -> tuple[bytes, ...]:
    """SHA-256 of every page; the last one ends at `code_limit` and is not padded."""
    whole = memoryview(data)[:code_limit]
    return tuple(hashlib.sha256(whole[start:start + PAGE]).digest()
                 for start in range(0, code_limit, PAGE))


def sign(data: bytes, identifier: str) -> bytes:
    """The file with an ad-hoc signature, in place of the one it may have.

    The signature becomes the end of __LINKEDIT and of the file, and gets its
    load command.  Raises :class:`KitError` for a file that is not a 64-bit
    Mach-O, has no __TEXT or __LINKEDIT, or has no room for the command, and for
    an identifier that is empty or holds a NUL.
    """
    if not identifier or "\0" in identifier:
        raise KitError.of("a signature needs an identifier: text without NUL",
                          hint="it is usually the name of the program")
    commands = _Commands.of(data)
    body = data
    if commands.signature is not None:
        old = LinkeditData.unpack(commands.signature)
        body = data[:old.offset]
    code_limit = -(-len(body) // _ALIGN) * _ALIGN
    body = body.ljust(code_limit, b"\0")
    length = size(code_limit, identifier)

    linkedit = commands.linkedit
    if linkedit.offset > code_limit:
        raise KitError.of(f"cannot sign: __LINKEDIT begins at {linkedit.offset:#x}, behind the"
                          f" end of the file at {code_limit:#x}")
    file_size = code_limit + length - linkedit.offset
    linkedit = replace(linkedit, file_size=file_size, vm_size=-(-file_size // c.PAGE) * c.PAGE)
    command = LinkeditData(c.LC_CODE_SIGNATURE, code_limit, length)
    body = commands.rewritten(body, linkedit, command)

    directory = CodeDirectory(
        flags=c.CS_ADHOC | c.CS_LINKER_SIGNED,
        identifier=identifier,
        code_limit=code_limit,
        exec_base=commands.text.offset,
        exec_limit=commands.text.file_size,
        exec_flags=c.CS_EXECSEG_MAIN_BINARY,
        hashes=page_hashes(body, code_limit),
    )
    return body + SuperBlob(directory.pack()).pack()


@dataclass(frozen=True, slots=True)
class _Commands:
    """The load commands of a file that is being signed."""

    header: Header
    all: tuple[bytes, ...]
    text: SegmentCommand
    linkedit: SegmentCommand
    signature: bytes | None     # the command, if there is one

    @classmethod
    def of(cls, data: bytes) -> Self:
        try:
            header = Header.unpack(data)
            found = tuple(_split(data, header))
            segments = {segment.name: segment for segment in (
                SegmentCommand.unpack(command) for command in found
                if PREFIX.unpack_from(command)[0] == c.LC_SEGMENT_64)}
            text, linkedit = segments["__TEXT"], segments["__LINKEDIT"]
        except KeyError as name:
            raise KitError.of(f"cannot sign: the file has no segment {name.args[0]}") from None
        except (error, ValueError) as problem:
            raise KitError.of(f"cannot sign: not a sound 64-bit Mach-O file ({problem})") from None
        signature = next((command for command in found
                          if PREFIX.unpack_from(command)[0] == c.LC_CODE_SIGNATURE), None)
        return cls(header, found, text, linkedit, signature)

    def rewritten(self, body: bytes, linkedit: SegmentCommand, last: LinkeditData) -> bytes:
        """`body` with the new __LINKEDIT command, and `last` behind all other commands."""
        packed = []
        for command in self.all:
            number, _ = PREFIX.unpack_from(command)
            if number == c.LC_CODE_SIGNATURE:
                continue
            is_linkedit = (number == c.LC_SEGMENT_64
                           and SegmentCommand.unpack(command).name == "__LINKEDIT")
            packed.append(linkedit.pack() if is_linkedit else command)
        packed.append(last.pack())
        commands = b"".join(packed)
        header = replace(self.header, command_count=len(packed), commands_size=len(commands))
        head = header.pack() + commands
        room = min((section.offset for section in self.text.sections if section.offset),
                   default=self.text.file_size)
        if len(head) > room:
            raise KitError.of(
                f"cannot sign: the load commands take {len(head)} bytes and there is room for"
                f" {room}", hint="use fewer sections")
        return head + body[len(head):]


def _split(data: bytes, header: Header) -> list[bytes]:
    """The load commands one by one."""
    found = []
    position = Header.LAYOUT.size
    end = position + header.commands_size
    for _ in range(header.command_count):
        _, length = PREFIX.unpack_from(data, position)
        if length < PREFIX.size or position + length > min(end, len(data)):
            raise ValueError(f"a load command of {length} bytes at {position:#x}")
        found.append(data[position:position + length])
        position += length
    return found
