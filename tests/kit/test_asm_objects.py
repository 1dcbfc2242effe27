"""What an assembled module holds: sections, symbols, relocations, lines, labels."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from support import encoders

from ymawky_kit.asm import (
    assemble,
    assemble_all,
    default_encoder,
    encoder,
)
from ymawky_kit.obj import Relocation, RelocationKind
from ymawky_kit.source import KitError, Source


def made(text: str, **options):
    return assemble(Source("a.s", text), **options)


def code(text: str) -> str:
    return made(text).sections[0].data.hex()


def test_nop_is_four_bytes():
    assert "1f2003d5" == code("nop")


def test_an_empty_source_is_an_empty_module():
    module = made("")
    assert (b"", (), ()) == (module.sections[0].data, module.symbols, module.lines)


def test_sections_carry_segment_alignment_and_flags():
    module = made("nop\n.data\n.p2align 3\n.quad 1\n.bss\n.space 5\n.cstring\n.asciz \"a\"\n")
    assert [
        ("__TEXT", "__text", 2, 4, 0x80000400),
        ("__DATA", "__data", 3, 8, 0),
        ("__DATA", "__bss", 0, 5, 1),
        ("__TEXT", "__cstring", 0, 2, 2),
    ] == [(s.segment, s.name, s.align, s.size, s.flags) for s in module.sections]
    assert b"" == module.sections[2].data
    assert module.sections[2].zero_fill


def test_symbols_are_global_local_or_numbers_and_labels_are_apart():
    module = made(".globl start\nstart: nop\nhelper: nop\nLloop: nop\n.equ SIZE, 24\n")
    assert {"start": (0, 0, True), "helper": (0, 4, False), "SIZE": (None, 24, False)} == {
        s.name: (s.section, s.value, s.is_global) for s in module.symbols
    }
    assert [("Lloop", 8)] == [(s.name, s.value) for s in module.labels]


def test_relocations_name_symbol_and_addend():
    module = made(
        "bl away\nadrp x0, msg@PAGE+8\nadd x0, x0, msg@PAGEOFF+8\nb away-4\n"
        ".data\nmsg: .quad away+16\n"
    )
    kinds = RelocationKind
    assert [
        Relocation(0, kinds.BRANCH26, "away"),
        Relocation(4, kinds.PAGE21, "msg", 8),
        Relocation(8, kinds.PAGEOFF12, "msg", 8),
        Relocation(12, kinds.BRANCH26, "away", -4),
    ] == [
        Relocation(r.offset, r.kind, r.symbol, r.addend, r.size)
        for r in module.sections[0].relocations
    ]
    (pointer,) = module.sections[1].relocations
    assert (kinds.UNSIGNED, "away", 16, 8) == (
        pointer.kind, pointer.symbol, pointer.addend, pointer.size
    )
    assert all(r.span is not None for s in module.sections for r in s.relocations)


def test_a_relocation_to_a_local_label_uses_the_symbol_before_it():
    module = made("adrp x0, Ltwo@PAGE\n.const\none: .byte 1\nLtwo: .byte 2\n")
    (relocation,) = module.sections[0].relocations
    assert ("one", 1) == (relocation.symbol, relocation.addend)
    module = made("adrp x0, Ltwo@PAGE\n.const\n.byte 1\nLtwo: .byte 2\n")
    (relocation,) = module.sections[0].relocations
    (anchor,) = (s for s in module.symbols if s.name == relocation.symbol)
    assert (1, 0, 1) == (anchor.section, anchor.value, relocation.addend)


def test_branches_inside_a_section_need_no_relocation():
    module = made("start: bl start\ncbz x0, Lend\nLend: ret\n")
    assert () == module.sections[0].relocations


def test_lines_say_which_text_made_which_bytes():
    module = made("start:  mov x0, #1 // one\n    .ascii \"ab\", \"cd\"\n    nop\n")
    assert [
        (0, 4, "mov x0, #1", True, "a.s:1:9"),
        (4, 4, '.ascii "ab", "cd"', False, "a.s:2:5"),
        (8, 4, "nop", True, "a.s:3:5"),
    ] == [(li.offset, li.size, li.text, li.is_code, li.span.where) for li in module.lines]
    assert "mov x0, #1" == module.lines[0].span.text


def test_lines_of_a_macro_point_at_its_use_and_show_what_it_became():
    module = made(".equ SYS_read, 3\n.macro sys name\nmov x16, #SYS_\\name\nsvc #0x80\n.endm\n"
                  "    sys read\n")
    assert [("mov x16, #0x3", "a.s:6:5"), ("svc #128", "a.s:6:5")] == [
        (li.text, li.span.where) for li in module.lines
    ]
    assert "sys read" == module.lines[0].span.text


def test_a_module_may_come_in_fragments():
    parts = [Source("head", ".macro one\n"), Source("cell", "nop\n.endm\n"), Source("tail", "one")]
    module = assemble(parts, name="lib/one")
    assert "lib/one" == module.name
    assert "1f2003d5" == module.sections[0].data.hex()
    assert "tail" == module.lines[0].span.source.name


def test_the_same_source_gives_the_same_object():
    text = "start: adr x0, L1\nL1: .asciz \"x\"\n"
    assert made(text).sections == made(text).sections


def test_several_modules_go_through_one_call_of_the_encoder():
    class Counting:
        name = "counting"
        calls = 0

        def encode(self, instructions):
            Counting.calls += 1
            return [b"\x1f\x20\x03\xd5" for _ in instructions]

    modules = [(f"m{n}", [Source(f"m{n}.s", "nop\nret\n")]) for n in range(5)]
    assert 5 == len(assemble_all(modules, encoder=Counting()))
    assert 1 == Counting.calls


def test_an_include_is_found_in_the_first_folder_that_has_it(tmp_path):
    for name, value in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.inc").write_text(f".equ X, {value}\n")
    text = '.include "x.inc"\n.byte X\n'
    assert b"\1" == made(text, include=[tmp_path / "one", tmp_path / "two"]).sections[0].data
    assert b"\2" == made(text, include=[tmp_path / "two", tmp_path / "one"]).sections[0].data


def test_an_include_that_changed_is_read_again(tmp_path):
    file = tmp_path / "x.inc"
    file.write_text(".byte 1\n")
    text = '.include "x.inc"\n'
    assert b"\1" == made(text, include=[tmp_path]).sections[0].data
    file.write_text(".byte 22\n")
    assert b"\x16" == made(text, include=[tmp_path]).sections[0].data


@pytest.mark.parametrize("name", encoders.NAMES)
def test_an_encoder_refuses_with_none_and_goes_on(name):
    codes = encoders.encoder(name).encode(["nop", "mrs x0, nonsense_el0", "ret", "dc zva, x3"])
    assert ["1f2003d5", None, "c0035fd6", "23740bd5"] == [c and c.hex() for c in codes]


def test_many_instructions_at_once_are_what_they_are_one_by_one():
    texts = [f"ldr x{n % 31}, [x{n % 7}, #{8 * n}]" for n in range(300)]
    texts[70:70] = ["mrs x0, nonsense_el0", "b #-8", "psb csync", "cbz x1, #16"]
    texts += ["adr x0, #12", "ldr x3, #8", "tbnz x1, #3, #-4", "bic x1, x2, x3", "bl #0"]
    made = encoder.KeystoneEncoder().encode(texts)
    single = encoder.KeystoneEncoder()
    assert made == [single.encode([text])[0] for text in texts]
    assert [70] == [n for n, code in enumerate(made) if code is None]


@pytest.mark.parametrize("name", encoders.NAMES)
def test_wrong_instructions_have_the_same_message_from_both_encoders(name):
    with pytest.raises(KitError, match="'mrs' does not know 'nonsense_el0'"):
        made("mrs x0, nonsense_el0\n", encoder=encoders.encoder(name))


@pytest.fixture
def no_wish(monkeypatch):
    """The choice of an encoder is open again, before and after."""
    monkeypatch.delenv("YMAWKY_ENCODER", raising=False)
    default_encoder.cache_clear()
    yield
    default_encoder.cache_clear()


def test_the_default_encoder_is_keystone_where_it_works(no_wish):
    encoders.encoder("keystone")
    assert "keystone" == default_encoder().name


def test_without_keystone_the_default_encoder_is_clang(no_wish, monkeypatch):
    monkeypatch.setitem(sys.modules, "keystone", None)
    assert "clang" == default_encoder().name


def test_without_both_the_error_says_how_to_mend_it(no_wish, monkeypatch):
    monkeypatch.setitem(sys.modules, "keystone", None)
    monkeypatch.setattr(encoder, "_find_clang", lambda: None)
    with pytest.raises(KitError, match="pip install ziglang"):
        default_encoder()


def test_a_wish_for_an_encoder_is_heard(no_wish, monkeypatch):
    monkeypatch.setenv("YMAWKY_ENCODER", "clang")
    assert "clang" == default_encoder().name
    default_encoder.cache_clear()
    monkeypatch.setenv("YMAWKY_ENCODER", "tcc")
    with pytest.raises(KitError, match="YMAWKY_ENCODER is 'tcc'"):
        default_encoder()


def test_importing_the_assembler_loads_no_encoder():
    script = "import sys, ymawky_kit.asm; print('keystone' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ("False\n", "") == (done.stdout, done.stderr)


def test_a_thousand_forward_names_are_no_trouble():
    count = 1000
    lines = [f".equ n{i}, n{i + 1} + 1" for i in range(count)]
    module = made("\n".join(lines) + f"\n.equ n{count}, 0\n.quad n0\n")
    assert count == int.from_bytes(module.sections[0].data, "little")


def test_a_long_expression_is_refused_and_a_long_line_is_fine():
    with pytest.raises(KitError, match="more than 200 operators"):
        made(".quad a" + " + a" * 5000 + "\n")
    with pytest.raises(KitError, match="nested more than 40 deep"):
        made(".quad " + "(" * 5000 + "1" + ")" * 5000 + "\n")
    with pytest.raises(KitError, match="nested more than 40 deep"):
        made(".quad " + "-" * 5000 + "1\n")
    assert 20_000 == len(made(".byte " + ", ".join(["1"] * 20_000)).sections[0].data)


def test_many_statements_on_one_line_are_read_in_time():
    assert 200_000 == len(made("nop %%" * 50_000).sections[0].data)


def test_names_deferred_through_names_are_refused_when_too_deep():
    lines = [f".equ n{i}, -n{i + 1}" for i in range(50)]
    with pytest.raises(KitError, match="through too many others"):
        made("\n".join(lines) + "\n.equ n50, 0\n")


@pytest.mark.parametrize(
    "text",
    [
        ".rept 100000\n.rept 100000\nnop\n.endr\n.endr\n",
        ".macro a n\n.rept 1000\na \\n\n.endr\n.endm\na 1\n",
        ".macro a n\na \\n \\n, \\n\n.endm\na 1\n",
        ".macro a n:vararg\na \\n \\n\n.endm\na 1111111111111111\n",
        ".space 0x7fffffffffffffff\n",
        ".fill 0x7fffffff, 8, 1\n",
        ".bss\n.space 0x7fffffffffffffff\n",
        ".if 1\n" * 5000,
        ".macro a\n" * 5000,
        ".rept 1\n" * 5000,
        ".irpc x, " + "a" * 300_000 + "\n.byte 1\n.endr\n",
        "[" * 100_000,
        "ldr x0, " + "[" * 100_000,
        "a:" * 50_000,
        '"' + "\\" * 100_001,
        "/*" * 50_000,
        ".quad 9" + "9" * 100_000,
        ".equ a, b\n.equ b, c\n.equ c, a\n.quad a\n",
        "a = b\nb = a\nmov x0, #a\n",
    ],
)
def test_greedy_sources_are_refused_in_time(text):
    start = time.process_time()
    with pytest.raises(KitError):
        made(text)
    assert time.process_time() - start < 5
