"""The signer: an ad-hoc signature over every page."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.editing import LC_CODE_SIGNATURE, LC_SEGMENT_64, LINKEDIT, Editor
from support.linking import error_of, full_image

from ymawky_kit import macho
from ymawky_kit.macho import codesign
from ymawky_kit.macho.reader import Signature

PLAIN = macho.write(full_image())
SIGNED = codesign.sign(PLAIN, "full")


def signature(data: bytes) -> Signature:
    found = macho.read(data).signature
    assert found is not None
    return found


def test_the_signature_is_ad_hoc_and_made_by_a_linker() -> None:
    directory = signature(SIGNED).directory
    assert (0x20002, "full", 12, 2, 0x20400) == (
        directory.flags, directory.identifier, directory.page_log2, directory.hash_type,
        directory.version)


def test_every_4_kib_before_the_signature_has_its_hash() -> None:
    found = signature(SIGNED)
    start = found.offset
    assert start == found.directory.code_limit
    assert [hashlib.sha256(SIGNED[at:min(at + 4096, start)]).digest()
            for at in range(0, start, 4096)] == list(found.directory.hashes)


def test_the_signature_knows_the_executable_segment() -> None:
    directory = signature(SIGNED).directory
    assert (0, 0x4000, 1) == (directory.exec_base, directory.exec_limit, directory.exec_flags)


def test_the_signature_ends_the_file_and_linkedit() -> None:
    edit = Editor(SIGNED)
    place = edit.command(LC_CODE_SIGNATURE)
    assert len(SIGNED) == edit.u32(place + 8) + edit.u32(place + 12)
    linkedit = edit.command(LC_SEGMENT_64, LINKEDIT)
    assert len(SIGNED) == edit.u64(linkedit + 40) + edit.u64(linkedit + 48)
    assert 0 == edit.u32(place + 8) % 16


def test_the_cdhash_is_the_hash_of_the_code_directory() -> None:
    found = signature(SIGNED)
    length = int.from_bytes(SIGNED[found.offset + 24:found.offset + 28], "big")
    directory = SIGNED[found.offset + 20:found.offset + 20 + length]
    assert hashlib.sha256(directory).digest()[:20] == found.cdhash


def test_signing_changes_nothing_but_commands_and_end() -> None:
    commands_end = 32 + int.from_bytes(SIGNED[20:24], "little")
    assert PLAIN[commands_end:] == SIGNED[commands_end:len(PLAIN)]


def test_signing_again_gives_the_same_bytes() -> None:
    assert SIGNED == codesign.sign(SIGNED, "full")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
               min_size=1, max_size=70))
def test_any_identifier_gives_a_sound_signature(identifier: str) -> None:
    data = codesign.sign(SIGNED, identifier)
    assert () == macho.check(data)
    assert identifier == signature(data).directory.identifier
    assert len(data) == len(SIGNED) + len(identifier.encode()) - len("full")


def test_the_size_is_known_before_signing() -> None:
    found = signature(SIGNED)
    assert found.size == codesign.size(found.offset, "full")


@pytest.mark.parametrize("identifier", ["", "a\0b"])
def test_an_identifier_that_no_signature_can_hold_is_an_error(identifier: str) -> None:
    assert "needs an identifier" in error_of(lambda: codesign.sign(PLAIN, identifier))


@pytest.mark.parametrize(("data", "message"), [
    (b"", "not a sound 64-bit Mach-O"),
    (b"\x7fELF" + bytes(60), "not a sound 64-bit Mach-O"),
    (PLAIN[:40], "not a sound 64-bit Mach-O"),
    (PLAIN.replace(b"__LINKEDIT", b"__LINKEDOT"), "has no segment __LINKEDIT"),
])
def test_what_cannot_be_signed_is_an_error(data: bytes, message: str) -> None:
    assert message in error_of(lambda: codesign.sign(data, "x"))


def test_a_file_without_room_for_the_command_is_not_signed() -> None:
    edit = Editor(PLAIN)
    text = edit.section(1, 0)
    edit.put32(text + 48, 32 + edit.u32(20) + 8)
    assert "room for" in error_of(lambda: codesign.sign(bytes(edit.data), "x"))


@given(st.integers(0, len(PLAIN) - 1), st.integers(0, 255))
@example(610, 1)        # __LINKEDIT far behind the end of the file
def test_signing_a_damaged_file_signs_it_or_says_why_not(at: int, value: int) -> None:
    data = bytearray(PLAIN)
    data[at] = value
    try:
        codesign.sign(bytes(data), "x")
    except macho.reader.KitError as error:
        assert "cannot sign" in str(error)


def test_an_installed_program_may_be_run_by_all(tmp_path: Path) -> None:
    path = tmp_path / "program"
    macho.install(SIGNED, path)
    assert SIGNED == path.read_bytes()
    assert 0o755 == stat.S_IMODE(path.stat().st_mode)


def test_installing_replaces_the_file_and_never_writes_into_it(tmp_path: Path) -> None:
    path = tmp_path / "program"
    macho.install(b"old", path)
    with path.open("rb") as running:
        macho.install(SIGNED, path)
        assert b"old" == running.read()
    assert ["program"] == [entry.name for entry in tmp_path.iterdir()]


def test_a_folder_that_is_missing_or_in_the_way_is_an_error(tmp_path: Path) -> None:
    assert "cannot write" in error_of(lambda: macho.install(b"x", tmp_path / "no" / "program"))
    assert "is a folder" in error_of(lambda: macho.install(b"x", tmp_path))
    assert [] == list(tmp_path.iterdir())
