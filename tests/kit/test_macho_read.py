"""The reader and the report: what is in a file, for people."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from support.editing import LC_CODE_SIGNATURE, LC_DYLD_INFO_ONLY, Editor
from support.linking import error_of, full_binary, full_image, image

from ymawky_kit import macho
from ymawky_kit.macho.commands import (
    BuildVersion,
    EntryPoint,
    LoadDylib,
    LoadDylinker,
    OtherCommand,
    SegmentCommand,
)

DATA = full_binary()
REPORT = macho.report(DATA, "full")


def test_what_was_written_is_read_back() -> None:
    file = macho.read(DATA)
    linked = full_image()
    assert linked.rebases == file.rebases
    assert [s.name for segment in linked.segments for s in segment.sections] == [
        s.name for s in file.sections]
    entry, build = file.find(EntryPoint), file.find(BuildVersion)
    assert entry is not None and build is not None
    assert (0x1000, 0) == (entry.offset, entry.stack_size)
    assert (1, 0xB0000, 0xE0000) == (build.platform, build.minimum, build.sdk)
    library, loader = file.find(LoadDylib), file.find(LoadDylinker)
    assert library is not None and loader is not None
    assert ("/usr/lib/libSystem.B.dylib", "/usr/lib/dyld") == (library.path, loader.path)


def test_commands_pack_to_the_bytes_they_were_read_from() -> None:
    for placed in macho.read(DATA).commands:
        assert DATA[placed.offset:placed.offset + placed.size] == placed.command.pack()


def test_the_signature_of_an_unchanged_file_is_intact() -> None:
    signature = macho.read(DATA).signature
    assert signature is not None and signature.is_intact


def test_a_changed_byte_is_found_in_its_page() -> None:
    data = bytearray(DATA)
    data[0x1004] ^= 1
    signature = macho.read(bytes(data)).signature
    assert signature is not None
    assert [1] == [index for index, page in enumerate(signature.pages) if not page.matches]


def test_an_unknown_command_is_kept_as_it_is() -> None:
    edit = Editor(DATA)
    edit.append(b"\x77\0\0\0\x10\0\0\0somebyte")
    last = macho.read(bytes(edit.data)).commands[-1]
    assert OtherCommand(0x77, b"\x77\0\0\0\x10\0\0\0somebyte") == last.command
    assert "command 0x77" == last.name


@pytest.mark.parametrize(("data", "hint"), [
    (b"", "the file is empty"),
    (b"\x7fELF\2\1\1", "an ELF file"),
    (b"#!/bin/sh\n", "a script"),
    (b"\xca\xfe\xba\xbe" + bytes(28), "lipo -thin arm64"),
    (b"hello, world", "68 65 6c 6c"),
])
def test_what_is_no_program_is_named(data: bytes, hint: str) -> None:
    text = error_of(lambda: macho.read(data))
    assert "not a 64-bit Mach-O file" in text
    assert hint in text


@pytest.mark.parametrize("data", [
    DATA,
    macho.write(full_image()),
    macho.build(image(("start", ".globl start\n.p2align 2\nstart:\n    ret\n"))),
])
def test_the_map_names_every_byte_once(data: bytes) -> None:
    regions = macho.regions(macho.read(data))
    assert 0 == regions[0].start
    assert len(data) == regions[-1].end
    for one, two in pairwise(regions):
        assert one.end == two.start
    assert all(region.size > 0 and region.meaning for region in regions)
    assert [] == [region for region in regions if region.name == "(unknown)"]


def test_fillers_of_the_map_are_zeros() -> None:
    for region in macho.regions(macho.read(DATA)):
        if region.is_filler:
            assert not any(DATA[region.start:region.end])


def test_the_map_says_what_lies_where() -> None:
    names = {region.name: (region.start, region.size)
             for region in macho.regions(macho.read(DATA))}
    assert (0, 32) == names["header"]
    assert 32 == names["13 load commands"][0]
    assert (0x1000, 48) == names["__text"]
    assert 32 * 9 == names["page hashes"][1]


def test_bytes_that_nothing_describes_are_shown() -> None:
    edit = Editor(DATA)
    edit.data[0x3000] = 7
    regions = macho.regions(macho.read(bytes(edit.data)))
    assert ["(unknown)"] == [r.name for r in regions if r.start <= 0x3000 < r.end]


@pytest.mark.parametrize("line", [
    "full: Mach-O executable for macOS 11.0 and later, arm64, [0-9,]+ bytes",
    "  flags +0x200085  NOUNDEFS DYLDLINK TWOLEVEL PIE",
    r"   1  0x0068 +232  LC_SEGMENT_64 +__TEXT, r-x",
    r"  10  0x0368 +24  LC_MAIN +0x1000 into __TEXT",
    r"  0x0100000000 - 0x0100004000  r-x  __TEXT",
    r"  0x0100001000  exported  __text +start",
    r"  0x0100004000  private   __bss .*|  0x0100004020  private   __bss +buffer",
    r"  0x0100004000  holds 0x0100001020  answer",
    "  identifier  full",
    r"  flags       0x20002  ADHOC LINKER_SIGNED",
    r"  cdhash      [0-9a-f]{40}",
    r"    page   1  0x01000 - 0x02000  [0-9a-f]{16}\.\.\.  intact",
    "  nothing: the kernel and dyld of macOS 11 to 26 would start it",
])
def test_the_report_has_the_line(line: str) -> None:
    assert re.search(f"^{line}$", REPORT, re.MULTILINE), REPORT


def test_the_report_is_plain_text_of_readable_width() -> None:
    assert REPORT.isascii()
    assert 100 >= max(map(len, REPORT.splitlines()))
    assert all(line == line.rstrip() for line in REPORT.splitlines())


def test_the_report_says_who_would_refuse_a_damaged_file_and_why() -> None:
    data = bytearray(DATA)
    data[0x1004] ^= 1
    text = macho.report(bytes(data), "damaged")
    assert "it would not run:" in text
    assert "page 1 (from 0x1000) has changed since it was signed" in text
    assert "rule page-hash, kernel: XNU bsd/kern/ubc_subr.c cs_validate_hash" in text
    assert "CHANGED since it was signed" in text


def test_the_report_tells_complaints_of_tools_from_refusals() -> None:
    text = macho.report(DATA + b"more", "longer")
    assert "it would run, but tools would complain:" in text
    assert "it would not run" not in text


def test_the_report_on_an_unsigned_file_says_so() -> None:
    text = macho.report(macho.write(full_image()), "unsigned")
    assert "none that can be read" in text
    assert "the file has no LC_CODE_SIGNATURE: the process is killed before it starts" in text


def test_a_large_program_is_shortened_unless_everything_is_wanted() -> None:
    labels = "".join(f".globl f{index}\nf{index}:\n    .quad f{index}\n" for index in range(200))
    text = ".globl start\n.p2align 2\nstart:\n    ret\n.data\n.p2align 3\n" + labels
    data = macho.build(image(("start", text)))
    assert "  and 142 more" in macho.report(data, "large")
    assert "  and 184 more" in macho.report(data, "large")
    assert " f199" in macho.report(data, "large", everything=True)


def test_a_damaged_signature_is_not_read() -> None:
    edit = Editor(DATA)
    edit.put_big(edit.directory, 0)
    assert macho.read(bytes(edit.data)).signature is None
    edit = Editor(DATA)
    edit.put32(edit.command(LC_CODE_SIGNATURE) + 8, 1 << 30)
    assert macho.read(bytes(edit.data)).signature is None


def test_a_rebase_list_of_billions_is_not_followed() -> None:
    edit = Editor(DATA)
    at = edit.command(LC_DYLD_INFO_ONLY)
    edit.put(edit.u32(at + 8), b"\x11\x22\x00\x60\xff\xff\xff\x7f")
    assert () == macho.read(bytes(edit.data)).rebases
    assert "rebase-list" in {p.rule for p in macho.check(bytes(edit.data))}


def test_a_segment_reads_back_with_its_sections() -> None:
    packed = full_segment().pack()
    assert full_segment() == SegmentCommand.unpack(packed)


def full_segment() -> SegmentCommand:
    return macho.read(DATA).segments[2]
