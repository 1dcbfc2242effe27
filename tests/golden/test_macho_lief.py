"""Our files as LIEF reads them, which shares no line with our writer or reader."""

from __future__ import annotations

import lief
import pytest
from support.linking import full_binary, full_image

from ymawky_kit import chapters, macho
from ymawky_kit.obj import Image

DATA = full_binary()
IMAGE = full_image()


def parse(data: bytes) -> lief.MachO.Binary:
    fat = lief.MachO.parse(list(data))
    assert fat is not None
    return fat.at(0)


@pytest.fixture(scope="module")
def binary() -> lief.MachO.Binary:
    return parse(DATA)


def test_lief_finds_the_layout_sound(binary: lief.MachO.Binary) -> None:
    assert (True, "") == lief.MachO.check_layout(binary)


def test_lief_reads_the_header(binary: lief.MachO.Binary) -> None:
    flags = lief.MachO.Header.FLAGS
    assert lief.MachO.Header.CPU_TYPE.ARM64 == binary.header.cpu_type
    assert lief.MachO.Header.FILE_TYPE.EXECUTE == binary.header.file_type
    assert {flags.NOUNDEFS, flags.DYLDLINK, flags.TWOLEVEL, flags.PIE} == set(
        binary.header.flags_list)


def test_lief_reads_every_command(binary: lief.MachO.Binary) -> None:
    kinds = lief.MachO.LoadCommand.TYPE
    assert [
        kinds.SEGMENT_64, kinds.SEGMENT_64, kinds.SEGMENT_64, kinds.SEGMENT_64,
        kinds.DYLD_INFO_ONLY, kinds.SYMTAB, kinds.DYSYMTAB, kinds.LOAD_DYLINKER, kinds.UUID,
        kinds.BUILD_VERSION, kinds.MAIN, kinds.LOAD_DYLIB, kinds.CODE_SIGNATURE,
    ] == [command.command for command in binary.commands]


def test_lief_reads_the_segments(binary: lief.MachO.Binary) -> None:
    expected = [(s.name, s.address, s.vm_size, s.offset, s.file_size, s.protection, s.protection)
                for s in IMAGE.segments]
    found = [(s.name, s.virtual_address, s.virtual_size, s.file_offset, s.file_size,
              s.init_protection, s.max_protection) for s in binary.segments]
    assert expected == found[:-1]
    assert ("__LINKEDIT", 0x100008000, 0x4000, 0x8000, len(DATA) - 0x8000, 1, 1) == found[-1]


def test_lief_reads_the_sections_and_their_bytes(binary: lief.MachO.Binary) -> None:
    expected = [(s.segment, s.name, s.address, s.size, s.offset, s.align)
                for segment in IMAGE.segments for s in segment.sections]
    assert expected == [(s.segment_name, s.name, s.virtual_address, s.size, s.offset, s.alignment)
                        for s in binary.sections]
    contents = {s.name: bytes(s.content) for s in binary.sections if s.offset}
    for segment in IMAGE.segments:
        for section in segment.sections:
            if not section.zero_fill:
                assert section.data == contents[section.name]


def test_lief_reads_the_symbols(binary: lief.MachO.Binary) -> None:
    expected = {(s.name, s.address, s.section, s.is_global)
                for s in IMAGE.symbols if not s.is_label}
    expected.add(("__mh_execute_header", 0x100000000, 1, True))
    assert expected == {(s.name, s.value, s.numberof_sections, bool(s.raw_type & 1))
                        for s in binary.symbols}


def test_lief_finds_the_entry(binary: lief.MachO.Binary) -> None:
    assert IMAGE.entry == binary.entrypoint


def test_lief_follows_the_rebase_list(binary: lief.MachO.Binary) -> None:
    assert list(IMAGE.rebases) == [fix.address for fix in binary.relocations]


def test_lief_reads_version_library_and_loader(binary: lief.MachO.Binary) -> None:
    build = binary.build_version
    assert build is not None
    assert ([11, 0, 0], [14, 0, 0]) == (list(build.minos), list(build.sdk))
    assert lief.MachO.BuildVersion.PLATFORMS.MACOS == build.platform
    assert ["/usr/lib/libSystem.B.dylib"] == [library.name for library in binary.libraries]
    assert binary.dylinker is not None
    assert "/usr/lib/dyld" == binary.dylinker.name


def test_lief_finds_the_signature_at_the_end(binary: lief.MachO.Binary) -> None:
    signature = binary.code_signature
    assert signature is not None
    assert len(DATA) == signature.data_offset + signature.data_size
    assert b"\xfa\xde\x0c\xc0" == bytes(signature.content[:4])


@pytest.mark.parametrize("name", chapters.load())
def test_lief_finds_every_program_of_the_book_sound(name: str) -> None:
    built = chapters.build(name)
    binary = parse(built.data)
    assert (True, "") == lief.MachO.check_layout(binary)
    assert built.image.entry == binary.entrypoint
    assert _symbols(built.image) == {s.name: s.value for s in binary.symbols
                                     if bool(s.raw_type & 1)}
    assert () == macho.check(built.data)


def _symbols(image: Image) -> dict[str, int]:
    exported = {s.name: s.address for s in image.symbols if s.is_global}
    return {"__mh_execute_header": 0x100000000, **exported}
