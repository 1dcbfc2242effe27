"""The checker: it accepts what is right, and each rule refuses the file that breaks just it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.editing import (
    ADDRESS,
    BIG,
    COUNT,
    DATA,
    FILE_SIZE,
    FLAGS,
    LC_BUILD_VERSION,
    LC_CODE_SIGNATURE,
    LC_DYLD_INFO_ONLY,
    LC_DYSYMTAB,
    LC_LOAD_DYLIB,
    LC_LOAD_DYLINKER,
    LC_MAIN,
    LC_SEGMENT_64,
    LC_SYMTAB,
    LC_UUID,
    LINKEDIT,
    MAX,
    OFFSET,
    PAGEZERO,
    PROTECTION,
    TEXT,
    VM_SIZE,
    Editor,
)
from support.linking import full_binary, image

from ymawky_kit import macho
from ymawky_kit.macho.check import STAGES

GOOD = full_binary()
RULES = {rule.name: rule for stage in STAGES for rule in stage}
Damage = Callable[[Editor], None]

SDK_26 = 0x1A0000


def sdk(edit: Editor, value: int = SDK_26) -> None:
    edit.put32(edit.command(LC_BUILD_VERSION) + 16, value)


def segment64(segment: int, field: int, value: int) -> Damage:
    return lambda edit: edit.put64(edit.segment(segment) + field, value)


def segment32(segment: int, field: int, value: int, sdk_value: int | None = None) -> Damage:
    def damage(edit: Editor) -> None:
        edit.put32(edit.segment(segment) + field, value)
        if sdk_value is not None:
            sdk(edit, sdk_value)
    return damage


def field32(kind: int, at: int, value: int) -> Damage:
    return lambda edit: edit.put32(edit.command(kind) + at, value)


def field64(kind: int, at: int, value: int) -> Damage:
    return lambda edit: edit.put64(edit.command(kind) + at, value)


def header32(at: int, value: int) -> Damage:
    return lambda edit: edit.put32(at, value)


def again(kind: int) -> Damage:
    """A second copy of a load command."""
    def damage(edit: Editor) -> None:
        at = edit.command(kind)
        edit.append(bytes(edit.data[at:at + edit.u32(at + 4)]))
    return damage


def without(kind: int, sdk_value: int | None = None) -> Damage:
    def damage(edit: Editor) -> None:
        edit.remove(kind)
        if sdk_value is not None:
            sdk(edit, sdk_value)
    return damage


def longer(kind: int, by: int = 8) -> Damage:
    return lambda edit: edit.resize(kind, by)


def append(command: bytes, sdk_value: int | None = None) -> Damage:
    def damage(edit: Editor) -> None:
        edit.append(command)
        if sdk_value is not None:
            sdk(edit, sdk_value)
    return damage


def section32(segment: int, index: int, at: int, value: int) -> Damage:
    return lambda edit: edit.put32(edit.section(segment, index) + at, value)


def section64(segment: int, index: int, at: int, value: int) -> Damage:
    return lambda edit: edit.put64(edit.section(segment, index) + at, value)


def directory32(at: int, value: int) -> Damage:
    return lambda edit: edit.put_big(edit.directory + at, value)


def directory8(at: int, value: int) -> Damage:
    def damage(edit: Editor) -> None:
        edit.data[edit.directory + at] = value
    return damage


def superblob32(at: int, value: int) -> Damage:
    return lambda edit: edit.put_big(edit.signature + at, value)


def rebase(*stream: int) -> Damage:
    """Another rebase list, in place of the 8 bytes of ours."""
    def damage(edit: Editor) -> None:
        at = edit.u32(edit.command(LC_DYLD_INFO_ONLY) + 8)
        edit.put(at, bytes(stream))
    return damage


def read_only_twice(edit: Editor) -> None:
    for segment in (TEXT, DATA):
        edit.put32(edit.segment(segment) + FLAGS, 0x10)


def second_directory(edit: Editor) -> None:
    """List the CodeDirectory a second time, as an alternate one; moves everything by 8."""
    start = edit.signature
    old = bytes(edit.data[start + 20:])
    length = BIG.unpack_from(edit.data, start + 4)[0]
    edit.put(start, pack(">7I", 0xFADE0CC0, length + 8, 2, 0, 28, 0x1000, 28))
    edit.data[start + 28:] = old
    edit.put32(edit.command(LC_CODE_SIGNATURE) + 12, length + 8)
    edit.put64(edit.segment(LINKEDIT) + FILE_SIZE,
               edit.u64(edit.segment(LINKEDIT) + FILE_SIZE) + 8)


def fewer_hashes(edit: Editor) -> None:
    edit.put_big(edit.directory + 28, BIG.unpack_from(edit.data, edit.directory + 28)[0] - 1)


def swap_data_and_text(edit: Editor) -> None:
    """List __DATA before __TEXT."""
    one, two = edit.segment(TEXT), edit.segment(DATA)
    end = edit.segment(LINKEDIT)
    text, data = bytes(edit.data[one:two]), bytes(edit.data[two:end])
    edit.put(one, data + text)
    sdk(edit)


def linkedit_first(edit: Editor) -> None:
    """A segment of no size behind __LINKEDIT in the file."""
    edit.append(pack("<II16sQQQQIIII", LC_SEGMENT_64, 72, b"__LATE", 0x100010000, 0x4000,
                     0xC000, 0, 3, 3, 0, 0))
    edit.data += bytes(0xC000 - len(edit.data))


def half_hashed(edit: Editor) -> None:
    """Hashes that end within the code."""
    edit.put_big(edit.directory + 32, 0x3800)
    edit.put_big(edit.directory + 28, 4)


def no_symbols(edit: Editor) -> None:
    """Forget the symbols, but leave their bytes."""
    edit.put32(edit.command(LC_SYMTAB) + 12, 0)
    for at in range(8, 32, 4):
        edit.put32(edit.command(LC_DYSYMTAB) + at, 0)


def many_segments(edit: Editor) -> None:
    """Far more segments than there is room for, over the code."""
    for _ in range(256):
        edit.append(pack("<II16sQQQQIIII", LC_SEGMENT_64, 72, b"", *[0] * 8))


def dirty_zero_fill(edit: Editor) -> None:
    edit.data[0x4020] = 1


def appended(edit: Editor) -> None:
    edit.data += b"more"


def cut(size: int) -> Damage:
    def damage(edit: Editor) -> None:
        del edit.data[size:]
    return damage


LIBRARY = (pack("<6I", LC_LOAD_DYLIB, 56, 24, 2, 0, 0)
           + b"/usr/lib/libSystem.B.dylib".ljust(32, b"\0"))
RPATH = pack("<3I", 0x8000001C, 24, 12) + b"/usr/lib\0\0\0\0"

#: rule -> (how to break it, which other rules that breaks too)
DAMAGE: dict[str, tuple[Damage, set[str]]] = {
    # stage one
    "magic": (header32(0, 0xFEEDFACE), set()),
    "file-type": (header32(12, 6), set()),
    "cpu": (header32(8, 2), set()),
    "commands-in-file": (header32(20, 1 << 20), {"first-page"}),
    "first-page": (cut(0x3000), set()),
    "command-size": (lambda edit: edit.put32(36, 0), set()),
    # stage two
    "segment-count": (many_segments, set()),
    "segment-32": (append(pack("<II16s8I", 1, 56, b"__OLD", *[0] * 8)), set()),
    "segment-size": (segment32(TEXT, COUNT, 9), set()),
    "segment-exact-size": (segment32(TEXT, COUNT, 1), set()),
    "fixed-size": (longer(LC_UUID), set()),
    "build-version-size": (longer(LC_BUILD_VERSION), set()),
    "library-name": (field32(LC_LOAD_DYLIB, 8, 200), set()),
    "dylinker-name": (field32(LC_LOAD_DYLINKER, 8, 32), set()),
    "unknown-required": (append(pack("<4I", 0x80000099, 16, 0, 0)), set()),
    # the kernel
    "dynamic": (header32(24, 0x200081), set()),
    "pie": (header32(24, 0x85), set()),
    "header-segment": (segment32(TEXT, PROTECTION, 1, 0x0A0E00), {"entry"}),
    "segment-offset": (segment64(LINKEDIT, OFFSET, 0x8008),
                       {"segment-in-file", "fix-up-lists", "linkedit-parts"}),
    "segment-in-file": (segment64(LINKEDIT, FILE_SIZE, 0x1000), set()),
    "segment-address": (segment64(LINKEDIT, ADDRESS, 0x100008800), set()),
    "segment-wraps": (segment64(LINKEDIT, VM_SIZE, 1 << 48), set()),
    "segment-overlap": (segment64(LINKEDIT, ADDRESS, 0x100004000), {"no-overlap"}),
    "page-zero": (segment64(PAGEZERO, VM_SIZE, 0x4000), set()),
    "read-only-once": (read_only_twice, set()),
    "write-execute": (segment32(DATA, PROTECTION, 7), {"max-protection", "rebase-place"}),
    "max-protection": (segment32(DATA, MAX, 1), set()),
    "dylinker": (lambda edit: edit.put(edit.command(LC_LOAD_DYLINKER) + 12, b"/usr/lib/dylx"),
                 set()),
    "entry-command": (without(LC_MAIN), set()),
    "stack-size": (field64(LC_MAIN, 16, 1 << 63), set()),
    "platform-once": (again(LC_BUILD_VERSION), set()),
    "platform": (field32(LC_BUILD_VERSION, 8, 2), set()),
    # the signature
    "signed": (without(LC_CODE_SIGNATURE), set()),
    "signed-once": (again(LC_CODE_SIGNATURE), {"linkedit-parts"}),
    "signature-in-file": (field32(LC_CODE_SIGNATURE, 12, 1 << 20), {"linkedit-parts"}),
    "superblob": (superblob32(4, 1 << 20), set()),
    "code-directory": (directory32(0, 0xFADE0C01), set()),
    "code-directory-once": (second_directory, set()),
    "hash-page": (directory8(39, 13), set()),
    "hash-type": (directory8(37, 9), set()),
    "hash-room": (directory32(28, 1 << 30), set()),
    "identifier": (directory32(20, 1 << 20), set()),
    "hash-count": (fewer_hashes, set()),
    "page-hash": (lambda edit: edit.put32(0x1004, 0xD503201F), set()),
    "code-limit": (half_hashed, {"signature-covers"}),
    "ad-hoc": (directory32(12, 0x20000), set()),
    "signature-covers": (lambda edit: edit.put_big(
        edit.directory + 32, BIG.unpack_from(edit.data, edit.directory + 32)[0] - 16), set()),
    "signature-last": (appended, set()),
    "exec-segment": (lambda edit: edit.put_big(edit.directory + 76, 0x8000), set()),
    # dyld
    "linkedit": (lambda edit: edit.put(edit.segment(LINKEDIT) + 8, b"__LINKEDOT"), set()),
    "linkedit-last": (linkedit_first, {"signature-last"}),
    "text": (lambda edit: edit.put(edit.segment(TEXT) + 8, b"__TEXX\0\0"), set()),
    "text-protection": (segment32(TEXT, PROTECTION, 1), {"header-segment", "entry"}),
    "code-fills-segment": (segment64(TEXT, FILE_SIZE, 0x3000), {"exec-segment"}),
    "file-fits-memory": (segment64(DATA, FILE_SIZE, 0x4001), {"no-overlap"}),
    "no-access-no-contents": (segment64(PAGEZERO, FILE_SIZE, 0x1000),
                              {"header-segment", "page-zero", "no-overlap", "symbols"}),
    "protection-bits": (segment32(DATA, MAX, 0x0B), set()),
    "readable": (segment32(DATA, PROTECTION, 2), set()),
    "data-protection": (segment32(DATA, PROTECTION, 1, SDK_26), {"rebase-place"}),
    "data-const-read-only": (
        lambda edit: (edit.put(edit.segment(DATA) + 8, b"__DATA_CONST"), sdk(edit))[0], set()),
    "section-in-segment": (section64(DATA, 1, 40, 0x10000), set()),
    "section-in-file-part": (section32(DATA, 1, 48, 0x7FF8), set()),
    "no-overlap": (segment64(DATA, FILE_SIZE, 0x4010), {"file-fits-memory"}),
    "segment-order": (swap_data_and_text, {"symbols", "rebase-place", "pointers"}),
    "segment-names": (
        lambda edit: (edit.put(edit.segment(DATA) + 8, b"__PAGEZERO"), sdk(edit))[0], set()),
    "library": (without(LC_LOAD_DYLIB, 0x0F0400), set()),
    "library-once": (append(LIBRARY, SDK_26), set()),
    "rpath-once": (lambda edit: (edit.append(RPATH), edit.append(RPATH), sdk(edit))[0], set()),
    "no-library-id": (append(pack("<6I", 0xD, 32, 24, 0, 0, 0) + b"x" + bytes(7)), set()),
    "uuid": (without(LC_UUID, SDK_26), set()),
    "linkedit-command-once": (again(LC_UUID), set()),
    "symbol-commands": (without(LC_DYSYMTAB), set()),
    "symbol-table": (field32(LC_SYMTAB, 16, 0x8000), {"linkedit-parts", "linkedit-gaps"}),
    "symbol-ranges": (field32(LC_DYSYMTAB, 20, 500), {"symbol-groups"}),
    "indirect-symbols": (lambda edit: (
        edit.put32(edit.command(LC_DYSYMTAB) + 56, 0x4000),
        edit.put32(edit.command(LC_DYSYMTAB) + 60, 1))[0], {"linkedit-parts"}),
    "fix-up-lists": (field32(LC_DYLD_INFO_ONLY, 8, 0x7FF8),
                     {"linkedit-parts"}),
    "one-fix-up-format": (append(pack("<4I", 0x80000034, 16, 0x8000, 0)), set()),
    "rebase-list": (rebase(0xF0), set()),
    "rebase-place": (rebase(0x11, 0x21, 0, 0x51, 0), {"pointers"}),
    "entry": (field64(LC_MAIN, 8, 0x4000), set()),
    "lc-main": (lambda edit: (edit.remove(LC_MAIN), edit.append(pack("<4I", 5, 16, 0, 0)))[0],
                set()),
    # tools
    "linkedit-parts": (field32(LC_SYMTAB, 20, 0x100), set()),
    "linkedit-gaps": (no_symbols, set()),
    "classic-fix-ups": (field32(LC_DYSYMTAB, 76, 1), set()),
    "old-tables": (field32(LC_DYSYMTAB, 32, 0x8000), set()),
    "linkedit-alignment": (append(pack("<4I", 0x26, 16, 0x8001, 1)), {"linkedit-parts"}),
    "symbol-groups": (field32(LC_DYSYMTAB, 12, 0), set()),
    "symbols": (lambda edit: edit.put(edit.u32(edit.command(LC_SYMTAB) + 8) + 5, b"\x09"), set()),
    "section-place": (section32(TEXT, 1, 48, 0x1080), set()),
    "section-alignment": (section32(TEXT, 1, 52, 12), set()),
    "section-overlap": (section64(TEXT, 0, 40, 0x100), set()),
    "zero-fill-is-zero": (dirty_zero_fill, set()),
    "pointers": (lambda edit: edit.put64(0x4000, 77), set()),
}
#: Where the damage leaves nothing to sign, or is the signature.
NOT_SIGNED_AGAIN = {
    "magic", "commands-in-file", "first-page", "command-size", "signed", "signature-in-file",
    "superblob", "code-directory", "hash-page", "hash-room", "page-hash",
}


def broken(data: bytes) -> set[str]:
    return {problem.rule for problem in macho.check(data)}


def damaged(damage: Damage, rehash: bool = True) -> bytes:
    edit = Editor(GOOD)
    damage(edit)
    if rehash:
        edit.rehash()
    return bytes(edit.data)


def test_a_good_file_breaks_no_rule() -> None:
    assert () == macho.check(GOOD)


def test_a_program_of_one_instruction_breaks_no_rule() -> None:
    tiny = macho.build(image(("start", ".globl start\n.p2align 2\nstart:\n    ret\n")))
    assert () == macho.check(tiny)


@pytest.mark.parametrize("minor", range(0x0B0000, 0x1B0000, 0x010000))
def test_a_good_file_breaks_no_rule_whatever_sdk_it_names(minor: int) -> None:
    assert set() == broken(damaged(lambda edit: sdk(edit, minor)))


def test_every_rule_has_a_way_to_break_it() -> None:
    assert RULES.keys() == DAMAGE.keys()


@pytest.mark.parametrize("name", DAMAGE)
def test_breaking_a_rule_is_seen_and_nothing_else(name: str) -> None:
    damage, others = DAMAGE[name]
    assert {name} | others == broken(damaged(damage, name not in NOT_SIGNED_AGAIN))


@pytest.mark.parametrize("name", RULES)
def test_every_rule_says_what_it_wants_and_who_wants_it(name: str) -> None:
    rule = RULES[name]
    assert rule.meaning.endswith(".")
    assert rule.refused_by in ("kernel", "dyld", "tools")
    assert rule.source


def test_a_problem_reads_as_a_sentence_with_its_source() -> None:
    [problem] = macho.check(damaged(header32(24, 0x85)))
    assert ("the flags 0x85 lack 0x200000 (MH_PIE) "
            "[pie; kernel: XNU bsd/kern/mach_loader.c parse_machfile]") == str(problem)


def test_complaints_of_tools_are_no_refusals() -> None:
    assert () == macho.refusals(damaged(appended))
    assert ("pie",) == tuple(p.rule for p in macho.refusals(damaged(header32(24, 0x85))))


@given(st.integers(0, Editor(GOOD).signature - 1), st.integers(1, 255))
def test_any_changed_byte_before_the_signature_is_refused(at: int, difference: int) -> None:
    data = bytearray(GOOD)
    data[at] ^= difference
    assert () != macho.refusals(bytes(data))


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=8),
       st.integers(0, len(GOOD)))
def test_no_damage_crashes_checker_or_reader(changes: list[tuple[int, int]], size: int) -> None:
    data = bytearray(GOOD)
    for at, value in changes:
        data[at] = value
    for piece in (bytes(data), bytes(data[:size])):
        macho.check(piece)
        try:
            macho.report(piece, "damaged")
        except macho.reader.KitError:
            assert piece[:4] != GOOD[:4] or len(piece) < 32


@given(st.data())
def test_no_damage_to_the_commands_crashes_checker_or_reader(data: st.DataObject) -> None:
    edit = Editor(GOOD)
    end = 32 + edit.u32(20)
    for _ in range(data.draw(st.integers(1, 4))):
        at = 4 * data.draw(st.integers(0, end // 4 - 1))
        edit.put32(at, data.draw(st.sampled_from(
            [0, 1, 7, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x4000, edit.u32(at) ^ 1])
            | st.integers(0, 0xFFFFFFFF)))
    macho.check(bytes(edit.data))
    try:
        macho.report(bytes(edit.data), "damaged", everything=True)
    except macho.reader.KitError:
        assert 0xFEEDFACF != edit.u32(0)


@given(st.binary(max_size=400))
def test_no_signature_of_random_bytes_crashes_the_checker(noise: bytes) -> None:
    edit = Editor(GOOD)
    edit.put(edit.signature, noise)
    assert () != macho.check(bytes(edit.data)) or edit.data == GOOD
    macho.report(bytes(edit.data), "damaged")


@given(st.binary(max_size=24))
def test_no_rebase_list_crashes_checker_or_reader(stream: bytes) -> None:
    edit = Editor(GOOD)
    at = edit.command(LC_DYLD_INFO_ONLY)
    edit.put(edit.u32(at + 8), stream)
    edit.put32(at + 12, len(stream))
    macho.check(bytes(edit.data))
    macho.read(bytes(edit.data))


@given(st.binary(max_size=200))
def test_random_bytes_are_no_program(noise: bytes) -> None:
    assert () != macho.check(noise)


def test_the_checker_shares_no_line_with_those_it_judges() -> None:
    folder = Path(macho.check.__code__.co_filename).parent
    allowed = "ymawky_kit.macho.check"
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not node.module.startswith("ymawky_kit") or node.module.startswith(allowed)
            if isinstance(node, ast.Import):
                assert not any(name.name.startswith("ymawky_kit") for name in node.names)


@pytest.mark.parametrize("data", [b"", b"MZ", b"\x7fELF" + bytes(100), b"plain text" * 10])
def test_of_what_is_no_mach_o_file_there_is_one_thing_to_say(data: bytes) -> None:
    assert ["magic"] == [problem.rule for problem in macho.check(data)]
