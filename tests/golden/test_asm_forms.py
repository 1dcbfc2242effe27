"""Several thousand instructions: the kit takes what LLVM takes, and makes its bytes."""

from __future__ import annotations

import re

import pytest
from support import encoders, forms, llvm_as

from ymawky_kit.asm import Encoder

TEXTS = (*forms.instructions(), *forms.VECTORS)

#: What one LLVM or another takes and the kit does not, and why that is well.
ONLY_LLVM = {
    r"fmov [sd]1, #0\.0": "an alias for another form; our hint names that",
    r"\w+ .*#(-1|4096), lsl #0": "a shift that does nothing, behind a number that was shifted",
    r"(adds|subs|cmp|cmn) x1, (x2, )?w\d, lsl #0": "a 32-bit register with a 64-bit shift",
    r"mov w1, #4294967296": "LLVM drops bit 32 without a word",
    r"[su]cvtf [sd]1, [wx]2, #(0|33|65)": "LLVM wraps the number without a word",
    r"prfm pldl1keep, \[x9, #(-8|1)\]": "another name for prfum since LLVM 15",
}


@pytest.fixture(scope="module", params=llvm_as.NAMES)
def by_llvm(request: pytest.FixtureRequest) -> dict[str, bytes | None]:
    return dict(zip(TEXTS, llvm_as.encodings(request.param, TEXTS), strict=True))


def only_llvm(text: str) -> bool:
    return any(re.fullmatch(pattern, text) for pattern in ONLY_LLVM)


def kit_codes(encoder: Encoder) -> dict[str, bytes | None]:
    finals = {text: forms.final_text(text) for text in TEXTS}
    wanted = [final for final in finals.values() if final is not None]
    codes = dict(zip(wanted, encoder.encode(wanted), strict=True))
    return {text: codes[final] if final is not None else None for text, final in finals.items()}


@pytest.fixture(scope="module", params=encoders.NAMES)
def by_kit(request: pytest.FixtureRequest) -> dict[str, bytes | None]:
    return kit_codes(encoders.encoder(request.param))


def test_there_are_thousands_of_instructions_right_and_wrong(by_kit):
    right = sum(code is not None for code in by_kit.values())
    assert right > 3000
    assert len(by_kit) - right > 2000


def test_every_instruction_has_the_bytes_that_llvm_gives_it(by_kit, by_llvm):
    wrong = {
        text: (theirs and theirs.hex(), by_kit[text] and by_kit[text].hex())
        for text, theirs in by_llvm.items()
        if theirs != by_kit[text] and not only_llvm(text)
    }
    assert {} == wrong


def test_each_exception_is_still_one(by_kit):
    """The kit refuses all of them, so none can hide a wrong encoding."""
    assert all(by_kit[text] is None for text in TEXTS if only_llvm(text))
    for pattern in ONLY_LLVM:
        assert any(re.fullmatch(pattern, text) for text in TEXTS), pattern
