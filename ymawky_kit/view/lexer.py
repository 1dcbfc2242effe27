"""Pygments lexers for the dialect that the book's assembly is written in.

Pygments' own `gas` lexer splits `#0x80` and reports `1:` as an error, and shows
an assembly cell of a notebook as Python.  These two do neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from pygments.lexer import Lexer, RegexLexer, bygroups
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
    _TokenType,
)

try:
    from ipython_pygments_lexers import IPython3Lexer  # type: ignore[import-untyped]
except ModuleNotFoundError:     # before IPython 9 they were a part of it
    from IPython.lib.lexers import IPython3Lexer

#: The macros of include/macros.inc and of the platform files.
MACROS = ("func", "carry_clear", "carry_set", "string", "movi32", "sys", "addr", "rodata")

_REGISTER = r"(?:[xw](?:[12]?\d|30|zr)|sp|wsp|lr|fp|pc|[qdshbv](?:[12]?\d|3[01])(?:\.\w+)?)\b"


class Arm64Lexer(RegexLexer):  # type: ignore[misc]  # Pygments has no types
    """AArch64 assembly as Apple's `as` takes it."""

    name = "ARM64 assembly"
    aliases: ClassVar[list[str]] = ["arm64"]
    filenames: ClassVar[list[str]] = ["*.s", "*.inc"]
    flags = re.MULTILINE

    tokens: ClassVar[dict[str, Any]] = {
        "root": [
            (r"[ \t]+", Text),
            (r"\n", Text),
            (r"//.*$", Comment.Single),
            (r"/\*[\s\S]*?\*/", Comment.Multiline),
            (r"([A-Za-z_.$][\w.$]*|\d+)(:)", bygroups(Name.Label, Punctuation)),
            (r"(func)([ \t]+)([\w.$]+)", bygroups(Keyword.Declaration, Text, Name.Function)),
            (r"(\.macro)([ \t]+)([\w.$]+)",
             bygroups(Keyword.Pseudo, Text, Name.Function), "operands"),
            (r"(sys)([ \t]+)(\w+)", bygroups(Keyword.Declaration, Text, Name.Constant)),
            (r"\.[A-Za-z_]\w*", Keyword.Pseudo, "operands"),
            (r"(?:" + "|".join(MACROS) + r")\b", Keyword.Declaration, "operands"),
            (r"(b)(\.)([a-z]{2})", bygroups(Keyword, Keyword, Keyword), "operands"),
            (r"\\?[A-Za-z]\w*", Keyword, "operands"),
            (r".", Text),
        ],
        "operands": [
            (r"\n", Text, "#pop"),
            (r"[ \t]+", Text),
            (r"//.*$", Comment.Single),
            (r'"(?:\\.|[^"\\\n])*"', String),
            (r"#?-?0[xX][0-9a-fA-F]+", Number.Hex),
            (r"#?-?0[bB][01]+", Number.Bin),
            (r"#?-?\d+[fb]?\b", Number.Integer),
            (r"#?'(?:\\.|[^'\\\n])'?", String.Char),
            (_REGISTER, Name.Builtin),
            (r"@(?:PAGEOFF|PAGE|GOTPAGEOFF|GOTPAGE)\b", Name.Decorator),
            (r"\\[\w@()]+", Name.Variable),
            (r"(?:lsl|lsr|asr|ror|[us]xt[bhwx]|eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)\b",
             Keyword),
            (r"[A-Z][A-Z0-9_]+\b", Name.Constant),
            (r"[A-Za-z_.$][\w.$]*", Name),
            (r"[#+\-*/%&|^~!<>=]", Operator),
            (r"[\[\]{}(),:]", Punctuation),
            (r".", Text),
        ],
    }


class CellLexer(Lexer):  # type: ignore[misc]  # Pygments has no types
    """A notebook's code cell: %%asm cells as assembly, all others as IPython."""

    name = "IPython with %%asm"
    aliases: ClassVar[list[str]] = ["ipython3"]

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, _TokenType, str]]:
        magic = re.match(r"\s*(%%asm)\b([^\n]*)(?:\n|\Z)", text)
        if magic is None:
            yield from IPython3Lexer().get_tokens_unprocessed(text)
            return
        if magic.start(1):
            yield 0, Text, text[: magic.start(1)]
        yield magic.start(1), Operator, magic.group(1)
        yield magic.start(2), Name.Label, text[magic.start(2): magic.end()]
        for at, kind, value in Arm64Lexer().get_tokens_unprocessed(text[magic.end():]):
            yield magic.end() + at, kind, value
