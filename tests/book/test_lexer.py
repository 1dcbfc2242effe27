"""Colours of the book's assembly: every file of src/asm, and %%asm cells."""

from __future__ import annotations

import pytest
from pygments.token import Comment, Error, Keyword, Name, Number, String, Token

from ymawky_kit.lab.snippets import Module, module_names
from ymawky_kit.view.lexer import Arm64Lexer, CellLexer


def tokens(text: str) -> list[tuple[object, str]]:
    return [(kind, value) for kind, value in Arm64Lexer().get_tokens(text) if value.strip()]


@pytest.mark.parametrize("name", module_names())
def test_every_module_is_coloured_without_an_error_and_without_loss(name: str) -> None:
    text = Module.read(name).text
    found = list(Arm64Lexer().get_tokens(text))
    assert text == "".join(value for _, value in found)
    assert [] == [value for kind, value in found if kind in Error]
    plain = {value for kind, value in found if kind is Token.Text and value.strip()}
    assert not plain, f"not known to the lexer: {sorted(plain)[:5]}"


def test_a_number_with_its_hash_is_one_piece() -> None:
    assert [(Keyword, "svc"), (Number.Hex, "#0x80")] == tokens("    svc #0x80")


def test_registers_labels_strings_and_comments_are_told_apart() -> None:
    assert [(Name.Label, "Lx"), (Token.Punctuation, ":")] == tokens("Lx:")
    assert (Name.Builtin, "x0") in tokens("    ldr x0, [sp, #16]!  // why")
    assert (Comment.Single, "// why") in tokens("    ldr x0, [sp, #16]!  // why")
    assert (String, '"a, // b"') in tokens('string s, "a, // b"')
    assert (Name.Decorator, "@PAGE") in tokens("    adrp x0, name@PAGE")
    assert (Keyword.Declaration, "sys") in tokens("    sys write")


def test_a_cell_with_the_magic_is_assembly_and_any_other_is_python() -> None:
    asm = list(CellLexer().get_tokens("%%asm lib/io f\nfunc f\n    mov x0, #1\n"))
    assert (Name.Function, "f") in asm
    assert (Number.Integer, "#1") in asm
    python = list(CellLexer().get_tokens("x = 1  # one\n"))
    assert any(kind in Comment for kind, _ in python)
    assert "%%asm lib/io f\nfunc f\n    mov x0, #1\n" == "".join(v for _, v in asm)
