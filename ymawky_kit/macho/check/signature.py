"""Stage three, the signature: its shape, and the hash of every page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ymawky_kit.macho.check.file import File
from ymawky_kit.macho.check.rule import Rules

RULES: Final = Rules()

LC_CODE_SIGNATURE: Final = 0x1D
_BLOB: Final = "XNU bsd/kern/ubc_subr.c cs_validate_csblob"
_DIRECTORY: Final = "XNU bsd/kern/ubc_subr.c cs_validate_codedirectory"
_PAGES: Final = "XNU bsd/kern/ubc_subr.c cs_validate_hash"
_AMFI: Final = "AMFI (closed): macOS 11 release notes, code signing on Apple silicon"

_SUPERBLOB_MAGIC: Final = 0xFADE0CC0
_DIRECTORY_MAGIC: Final = 0xFADE0C02
#: The size of the newest CS_CodeDirectory; the kernel wants as many bytes even of an old one.
_SMALLEST_DIRECTORY: Final = 108
_CMS_SLOT: Final = 0x10000
_ADHOC: Final = 0x2
#: hash type -> (size in the directory, rank, name for hashlib)
_HASHES: Final = {1: (20, 1, "sha1"), 3: (20, 2, "sha256"), 2: (32, 3, "sha256"),
                  4: (48, 4, "sha384")}


class _BrokenError(Exception):
    """Found while walking the signature: which rule, and how it is broken."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


@dataclass(frozen=True, slots=True)
class Directory:
    """The CodeDirectory that the kernel would go by."""

    start: int          # in the file
    length: int
    flags: int
    code_limit: int
    page: int           # bytes
    hash_name: str
    hash_size: int
    hashes: int         # place of the first one in the file
    count: int
    exec_base: int
    exec_limit: int
    has_exec: bool
    has_cms: bool       # a certificate's signature stands beside it


def _big(file: File, offset: int, size: int = 4) -> int:
    """A big-endian number, as all of them in a signature."""
    return int.from_bytes(file.data[offset:offset + size], "big")


def directory(file: File) -> Directory | None:
    """The CodeDirectory, or None when the file has no sound signature."""
    found = _walk(file)
    return found if isinstance(found, Directory) else None


@lru_cache(maxsize=4)
def _walk(file: File) -> Directory | _BrokenError | None:
    """The CodeDirectory, what is wrong with the signature, or None when there is none."""
    command = file.first(LC_CODE_SIGNATURE)
    if command is None:
        return None
    start, size = command.u32(8), command.u32(12)
    try:
        if start + size > file.size:
            raise _BrokenError("signature-in-file",
                                f"the signature ends at {start + size}, the file at {file.size}")
        return _superblob(file, start, size)
    except _BrokenError as bad:
        return bad


def _superblob(file: File, start: int, size: int) -> Directory:
    magic, length = _big(file, start), _big(file, start + 4)
    if size < 8 or length > size or length < 8:
        raise _BrokenError("superblob", f"the signature says it has {length} bytes of {size}")
    if magic == _DIRECTORY_MAGIC:
        return _directory(file, start, length, has_cms=False)
    if magic != _SUPERBLOB_MAGIC:
        raise _BrokenError("superblob", f"the signature begins with {magic:#x}, not 0xfade0cc0")
    count = _big(file, start + 8)
    if length < 12 or (length - 12) // 8 < count:
        raise _BrokenError("superblob", f"{count} blobs do not fit into {length} bytes")
    best: Directory | None = None
    ranks: set[str] = set()
    slots = {_big(file, start + 12 + 8 * index) for index in range(count)}
    for index in range(count):
        slot = _big(file, start + 12 + 8 * index)
        offset = _big(file, start + 16 + 8 * index)
        blob_length = _big(file, start + offset + 4)
        if offset + 8 > length or not 8 <= blob_length <= length - offset:
            raise _BrokenError(
                "superblob", f"blob {index} has {blob_length} bytes from {offset} on, of {length}")
        if slot == 0 or 0x1000 <= slot < 0x1005:
            candidate = _directory(file, start + offset, blob_length, _CMS_SLOT in slots)
            key = f"{candidate.hash_name}/{candidate.hash_size}"
            if key in ranks:
                raise _BrokenError("code-directory-once",
                                    f"two CodeDirectories have the hash {candidate.hash_name}")
            ranks.add(key)
            if best is None or _rank(candidate) > _rank(best):
                best = candidate
    if best is None:
        raise _BrokenError("code-directory", "the signature has no CodeDirectory")
    return best


def _rank(found: Directory) -> int:
    return next(rank for size, rank, name in _HASHES.values()
                if (size, name) == (found.hash_size, found.hash_name))


def _directory(file: File, start: int, length: int, has_cms: bool) -> Directory:
    if length < _SMALLEST_DIRECTORY:
        raise _BrokenError("code-directory", f"the CodeDirectory has {length} bytes of at least"
                            f" {_SMALLEST_DIRECTORY}")
    if _big(file, start) != _DIRECTORY_MAGIC:
        raise _BrokenError("code-directory", f"the CodeDirectory begins with"
                            f" {_big(file, start):#x}, not 0xfade0c02")
    version = _big(file, start + 8)
    hash_offset, ident_offset = _big(file, start + 16), _big(file, start + 20)
    special, count, code_limit = (_big(file, start + at) for at in (24, 28, 32))
    hash_size, hash_type, page_log2 = (file.number(start + at, 1) for at in (36, 37, 39))
    if page_log2 not in (12, 14):
        raise _BrokenError("hash-page", f"pages of 2^{page_log2} bytes are hashed, not 4 or 16 K")
    if hash_type not in _HASHES:
        raise _BrokenError("hash-type", f"hash type {hash_type} is unknown")
    size, _, name = _HASHES[hash_type]
    if hash_size != size:
        raise _BrokenError("hash-type", f"hashes of type {hash_type} have {size} bytes,"
                            f" not {hash_size}")
    if hash_offset > length or hash_offset // size < special or \
            (length - hash_offset) // size < count:
        raise _BrokenError("hash-room", f"{special} + {count} hashes at {hash_offset} do not fit"
                            f" into {length} bytes")
    names = [("identifier", ident_offset)]
    if version >= 0x20200:
        names.append(("team", _big(file, start + 48)))
    for what, offset in names:
        if offset and b"\0" not in file.data[start + offset:start + length]:
            raise _BrokenError("identifier", f"the {what} does not end inside the CodeDirectory")
    if version >= 0x20300 and _big(file, start + 56, 8):
        code_limit = _big(file, start + 56, 8)
    return Directory(
        start, length, _big(file, start + 12), code_limit, 1 << page_log2, name, size,
        start + hash_offset, count, _big(file, start + 64, 8), _big(file, start + 72, 8),
        version >= 0x20400, has_cms,
    )


def _broken(file: File, rule: str) -> Iterator[str]:
    found = _walk(file)
    if isinstance(found, _BrokenError) and found.rule == rule:
        yield found.message


@RULES.add("signed", "kernel", _AMFI)
def signed(file: File) -> Iterator[str]:
    """Code for Apple silicon is signed, at least ad hoc."""
    if file.first(LC_CODE_SIGNATURE) is None:
        yield "the file has no LC_CODE_SIGNATURE: the process is killed before it starts"


@RULES.add("signed-once", "dyld", "dyld-852 src/ImageLoaderMachO.cpp sniffLoadCommands")
def signed_once(file: File) -> Iterator[str]:
    """There is one signature."""
    count = len(file.of_kind(LC_CODE_SIGNATURE))
    if count > 1:
        yield f"there are {count} LC_CODE_SIGNATURE commands"


@RULES.add("signature-in-file", "kernel", "XNU bsd/kern/mach_loader.c load_code_signature")
def signature_in_file(file: File) -> Iterator[str]:
    """The signature lies inside the file."""
    yield from _broken(file, "signature-in-file")


@RULES.add("superblob", "kernel", _BLOB)
def superblob(file: File) -> Iterator[str]:
    """The signature is an envelope whose parts lie inside it."""
    yield from _broken(file, "superblob")


@RULES.add("code-directory", "kernel", _DIRECTORY)
def code_directory(file: File) -> Iterator[str]:
    """The signature has a CodeDirectory of full size."""
    yield from _broken(file, "code-directory")


@RULES.add("code-directory-once", "kernel", _BLOB)
def code_directory_once(file: File) -> Iterator[str]:
    """No two CodeDirectories use the same kind of hash."""
    yield from _broken(file, "code-directory-once")


@RULES.add("hash-page", "kernel", _DIRECTORY)
def hash_page(file: File) -> Iterator[str]:
    """The file is hashed in pieces of 4 or 16 KiB."""
    yield from _broken(file, "hash-page")


@RULES.add("hash-type", "kernel", _DIRECTORY)
def hash_type(file: File) -> Iterator[str]:
    """The kind of hash is known, and its size right."""
    yield from _broken(file, "hash-type")


@RULES.add("hash-room", "kernel", _DIRECTORY)
def hash_room(file: File) -> Iterator[str]:
    """All hashes lie inside the CodeDirectory."""
    yield from _broken(file, "hash-room")


@RULES.add("identifier", "kernel", _DIRECTORY)
def identifier(file: File) -> Iterator[str]:
    """The names in the CodeDirectory end with a NUL inside it."""
    yield from _broken(file, "identifier")


@RULES.add("hash-count", "kernel", _PAGES)
def hash_count(file: File) -> Iterator[str]:
    """There is a hash for every page up to the code limit."""
    found = directory(file)
    if found is not None and found.count != -(-found.code_limit // found.page):
        yield f"{found.count} hashes for {found.code_limit} bytes in pages of {found.page}"


@RULES.add("page-hash", "kernel", _PAGES)
def page_hash(file: File) -> Iterator[str]:
    """Every page is as it was when it was signed."""
    found = directory(file)
    if found is None:
        return
    end = min(found.code_limit, file.size)
    for index in range(min(found.count, -(-end // found.page))):
        start = index * found.page
        page = file.data[start:min(start + found.page, end)]
        real = hashlib.new(found.hash_name, page).digest()[:found.hash_size]
        at = found.hashes + index * found.hash_size
        if real != file.data[at:at + found.hash_size]:
            yield f"page {index} (from {start:#x}) has changed since it was signed"


@RULES.add("code-limit", "kernel", _PAGES)
def code_limit(file: File) -> Iterator[str]:
    """The hashes cover whatever is executed, in full pages, and nothing outside the file."""
    found = directory(file)
    if found is None:
        return
    if found.code_limit > file.size:
        yield f"the hashes cover {found.code_limit} bytes, and the file has {file.size}"
    covered = found.code_limit // found.page * found.page
    for segment in file.segments:
        if segment.protection & 4 and segment.end > covered:
            yield f"{segment} is executable up to {segment.end:#x} and hashed up to {covered:#x}"


@RULES.add("ad-hoc", "kernel", _AMFI)
def ad_hoc(file: File) -> Iterator[str]:
    """A signature that no certificate vouches for says so."""
    found = directory(file)
    if found is not None and not found.flags & _ADHOC and not found.has_cms:
        yield f"the flags {found.flags:#x} lack 0x2 (ad hoc), and no certificate is there"


@RULES.add("signature-covers", "tools", "codesign --verify --strict")
def signature_covers(file: File) -> Iterator[str]:
    """The hashes cover everything up to the signature."""
    found, command = directory(file), file.first(LC_CODE_SIGNATURE)
    if found is not None and command is not None and found.code_limit != command.u32(8):
        yield f"the hashes cover {found.code_limit} bytes, the signature begins at {command.u32(8)}"


@RULES.add("signature-last", "tools", "codesign --verify --strict")
def signature_last(file: File) -> Iterator[str]:
    """The signature is the end of the file."""
    command = file.first(LC_CODE_SIGNATURE)
    if command is not None and command.u32(8) + command.u32(12) < file.size:
        yield f"{file.size - command.u32(8) - command.u32(12)} bytes follow the signature"


@RULES.add("exec-segment", "tools", "XNU osfmk/kern/cs_blobs.h CS_CodeDirectory (execSegLimit)")
def exec_segment(file: File) -> Iterator[str]:
    """The signature knows where the executable segment lies."""
    found, text = directory(file), file.segment(b"__TEXT")
    if found is not None and found.has_exec and text is not None and \
            (found.exec_base, found.exec_limit) != (text.offset, text.file_size):
        yield (f"the signature says __TEXT is at {found.exec_base}+{found.exec_limit},"
               f" it is at {text.offset}+{text.file_size}")
