"""The graders, graded: right answers pass, wrong ones fail for the reason they are wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ymawky_kit.lab.exercise import _FUNCTIONS, _PYTHON, check
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.source import KitError

SOLUTIONS = Path(__file__).resolve().parents[2] / "book" / "appendix" / "solutions.md"


def solutions() -> dict[str, str]:
    """Exercise -> the code of its answer in the appendix."""
    text = SOLUTIONS.read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        name = part.split("\n", 1)[0].strip()
        code = re.search(r"```\{code-block\} \w+\n(.*?)```", part, re.DOTALL)
        assert code is not None, name
        found[name] = code[1]
    return found


def python_answer(text: str, name: str) -> Callable[..., Any]:
    space: dict[str, Any] = {}
    exec(text, space)
    answer: Callable[..., Any] = space[name]
    return answer


@pytest.fixture(autouse=True)
def clean_bench() -> Iterator[None]:
    BENCH.free.clear()
    BENCH.changed.clear()
    yield
    BENCH.free.clear()


def test_every_exercise_has_a_solution_in_the_appendix() -> None:
    assert set(solutions()) == {*_FUNCTIONS, *_PYTHON}


@pytest.mark.parametrize("name", sorted(_FUNCTIONS))
def test_the_solution_of_the_appendix_passes(name: str) -> None:
    BENCH.take_free(name, solutions()[name])
    mark = check(name)
    assert mark.right, mark


@pytest.mark.parametrize("name", sorted(_PYTHON))
def test_the_python_solution_of_the_appendix_passes(name: str) -> None:
    mark = check(name, python_answer(solutions()[name], name))
    assert mark.right, mark


ANOTHER_WAY = {
    "larger": "func larger\n subs x2, x0, x1\n b.hs Lx\n mov x0, x1\nLx:\n ret\n",
    "string_length": """func string_length
        mov x9, #0
    Lx: ldrb w10, [x0, x9]
        cbz w10, Ly
        add x9, x9, #1
        b Lx
    Ly: mov x0, x9
        ret""",
    "count_ones": """func count_ones
        mov x1, #0
        mov x3, #64
    Lx: and x2, x0, #1
        add x1, x1, x2
        lsr x0, x0, #1
        subs x3, x3, #1
        b.ne Lx
        mov x0, x1
        ret""",
    "byte_find": """func byte_find
        mov x9, #0
    Lx: cmp x9, x1
        b.eq Lz
        ldrb w10, [x0, x9]
        cmp w10, w2
        b.eq Ly
        add x9, x9, #1
        b Lx
    Ly: mov x0, x9
        cmn xzr, xzr
    Lz: ret""",
    "text_put": """func text_put
        cmp x1, x3
        b.lo Lz
        mov x9, #0
    Lx: cmp x9, x3
        b.eq Ly
        ldrb w10, [x2, x9]
        strb w10, [x0, x9]
        add x9, x9, #1
        b Lx
    Ly: mov x0, x3
        carry_clear
        ret
    Lz: mov x0, #ERANGE
        carry_set
        ret""",
    "i64_parse": """func i64_parse
        stp x29, x30, [sp, #-16]!
        mov x9, #0
        cbz x1, Lx
        ldrb w10, [x0]
        cmp w10, #45
        cset x9, eq
        add x0, x0, x9
        sub x1, x1, x9
    Lx: bl u64_parse
        b.cs Ly
        cmp x9, #0
        cneg x11, x0, ne
        eor x12, x11, x9, lsl #63   // the sign must be the one that was asked for
        cbz x0, Lz
        tbnz x12, #63, Lbig
    Lz: mov x0, x11
        carry_clear
    Ly: ldp x29, x30, [sp], #16
        ret
    Lbig: mov x0, #ERANGE
        carry_set
        b Ly""",
}


@pytest.mark.parametrize("name", sorted(ANOTHER_WAY))
def test_another_right_answer_passes_too(name: str) -> None:
    BENCH.take_free(name, ANOTHER_WAY[name])
    mark = check(name)
    assert mark.right, mark


def change(name: str, old: str, new: str) -> str:
    text = solutions()[name]
    assert old in text, (name, old)
    return text.replace(old, new, 1)


WRONG: list[tuple[str, str, Callable[[], str], str]] = [
    ("larger", "nothing done", lambda: "func larger\n ret\n", "gave 0, not 1"),
    ("larger", "signed", lambda: change("larger", "hs", "ge"), "as signed numbers"),
    ("larger", "the smaller", lambda: change("larger", "hs", "lo"), "the smaller one"),
    ("larger", "half the bits", lambda: "func larger\n cmp w0, w1\n csel x0, x0, x1, hs\n ret\n",
     "not 0x100000000"),
    ("larger", "x19 spoiled", lambda: change("larger", "cmp ", "mov x19, x0\n cmp "),
     "changed x19"),
    ("larger", "sp moved", lambda: change("larger", "cmp ", "sub sp, sp, #16\n cmp "),
     "changed sp"),
    ("larger", "no ret", lambda: "func larger\n cmp x0, x1\n b larger\n", "still running"),
    ("larger", "falls off its end", lambda: "func larger\n cmp x0, x1\n brk #1\n",
     "did not return"),
    ("string_length", "counts the zero", lambda: change("string_length",
     "    sub     x0, x0, #1", "    //"), "one too many"),
    ("string_length", "gives the end", lambda: change("string_length",
     "    sub     x0, x1, x0\n", "    mov x0, x1\n"), "the start of the text"),
    ("string_length", "reads words", lambda: change("string_length", "ldrb    w2, [x1], #1",
     "ldr     w2, [x1], #1"), "did not return"),
    ("string_length", "stops at high bytes", lambda: change("string_length",
     "    cbnz    w2,", "    sxtb w2, w2\n    cmp w2, #0\n    b.gt   "), "not 3"),
    ("string_length", "x29 spoiled", lambda: change("string_length", "    mov     x1, x0",
     "    mov     x1, x0\n    mov x29, #1"), "changed x29"),
    ("count_ones", "lower half only", lambda: change("count_ones", "    mov     x1, #0",
     "    mov w0, w0\n    mov     x1, #0"), "use x registers"),
    ("count_ones", "one too few", lambda: change("count_ones", "    mov     x0, x1",
     "    sub     x0, x1, #1"), "count_ones(0) gave -1, not 0"),
    ("close_quietly", "no frame", lambda: "func close_quietly\n bl fd_close\n ret\n",
     "still running"),
    ("close_quietly", "EBADF passed on", lambda: change("close_quietly", "cmp     x0, #EBADF",
     "cmp     x0, #EINTR"), "C clear, x0 = 0"),
    ("close_quietly", "every error swallowed", lambda: change("close_quietly",
     "    b.eq    Lclose_quietly_fine", "    b       Lclose_quietly_fine"), "EIO"),
    ("close_quietly", "carry lost", lambda: change("close_quietly", "    carry_set\n", ""
     "    carry_clear\n"), "cmp changes C"),
    ("close_quietly", "nothing closed", lambda: "func close_quietly\n mov x0, #0\n"
     " carry_clear\n ret\n", "no system call"),
    ("fd_read_full", "one read only", lambda: change("fd_read_full",
     "    b       Lfd_read_full_next", "    b       Lfd_read_full_done"), "fewer bytes"),
    ("fd_read_full", "cursor stays", lambda: change("fd_read_full",
     "    add     x20, x20, x0", "    add     x22, x22, #0"), "C clear, x0 = 0"),
    ("fd_read_full", "always the same place", lambda: change("fd_read_full",
     "    mov     x1, x20", "    mov     x1, x22"), "the bytes in the buffer are not"),
    ("fd_read_full", "fd_read and no EINTR", lambda: change("fd_read_full", "fd_read_some",
     "fd_read"), "EINTR"),
    ("fd_read_full", "x22 not restored", lambda: change("fd_read_full",
     "    ldp     x21, x22, [sp, #32]", "    ldr     x21, [sp, #32]"), "changed x22"),
    ("fd_read_full", "error swallowed", lambda: change("fd_read_full",
     "    b.cs    Lfd_read_full_return", "    b.cs    Lfd_read_full_done"), "EIO"),
    ("greet", "fd_write", lambda: solutions()["greet"].replace("fd_write_all", "fd_write"),
     "write 1: short 3"),
    ("greet", "no newline", lambda: change("greet", '"\\n"', '""'), "printed b'hello, you'"),
    ("greet", "wrong status", lambda: change("greet", "    mov     x0, #0\n",
     "    mov     x0, #1\n"), "exit 0"),
    ("greet", "talks to nobody", lambda: change("greet", "    mov     x0, #2",
     "    mov     x0, #0"), "Without an argument"),
    ("byte_find", "nothing done", lambda: "func byte_find\n ret\n",
     "it should be C clear, x0 = 1"),
    ("byte_find", "always found", lambda: change("byte_find", "    carry_set", "    carry_clear"),
     "so C must be set"),
    ("byte_find", "carry of the comparison", lambda: change("byte_find", "    carry_clear\n",
     "    cmp     w4, w2\n"), "cmp changes C as well"),
    ("byte_find", "one too many", lambda: change("byte_find", "    sub     x0, x0, #1", "    //"),
     "the cursor has moved on"),
    ("byte_find", "gives the place", lambda: change("byte_find", "    sub     x0, x3, x0",
     "    mov     x0, x3"), "the start of the text must be taken away"),
    ("byte_find", "reads before it looks", lambda: "func byte_find\n mov x3, x0\n"
     " add x1, x0, x1\nLx:\n ldrb w4, [x3], #1\n cmp w4, w2\n b.eq Ly\n cmp x3, x1\n"
     " b.lo Lx\n carry_set\n ret\nLy:\n sub x0, x3, x0\n sub x0, x0, #1\n carry_clear\n"
     " ret\n", "did not return: unmapped"),
    ("byte_find", "one past the end", lambda: change("byte_find", "    b.hs", "    b.hi"),
     "did not return: unmapped"),
    ("byte_find", "the last one", lambda: "func byte_find\nLx:\n cbz x1, Ly\n sub x1, x1, #1\n"
     " ldrb w4, [x0, x1]\n cmp w4, w2\n b.ne Lx\n mov x0, x1\n carry_clear\n ret\nLy:\n"
     " carry_set\n ret\n", "stop at the first"),
    ("byte_find", "signed bytes", lambda: change("byte_find", "ldrb    w4", "ldrsb   w4"),
     "C must be clear"),
    ("byte_find", "x19 spoiled", lambda: change("byte_find", "    mov     x3, x0",
     "    mov     x3, x0\n    mov     x19, x0"), "changed x19"),
    ("text_put", "nothing done", lambda: "func text_put\n ret\n", "it should be C clear, x0 = 5"),
    ("text_put", "an exact fit refused", lambda: change("text_put", "    b.hi", "    b.hs"),
     "fits exactly"),
    ("text_put", "no check", lambda: change("text_put", "    b.hi    Ltext_put_large\n", ""),
     "compare length and size first"),
    ("text_put", "signed", lambda: change("text_put", "    b.hi", "    b.gt"),
     "unsigned and with all 64 bits"),
    ("text_put", "lower half", lambda: change("text_put", "    cmp     x3, x1",
     "    cmp     w3, w1"), "unsigned and with all 64 bits"),
    ("text_put", "as much as fits", lambda: change("text_put", "    mov     x0, #ERANGE",
     "    cbz     x1, Lq\n    ldrb    w4, [x2]\n    strb    w4, [x0]\nLq:\n"
     "    mov     x0, #ERANGE"), "look first, copy later"),
    ("text_put", "the end instead of the length", lambda: change("text_put",
     "    mov     x0, x19\n", ""), "the length was wanted"),
    ("text_put", "the carry of mem_copy", lambda: change("text_put", "    carry_clear\n",
     "    cmp     x0, x0\n"), "set C again before ret"),
    ("text_put", "x19 not restored", lambda: change("text_put", "    ldr     x19, [sp, #16]\n",
     ""), "changed x19"),
    ("text_put", "no frame", lambda: "func text_put\n mov x1, x2\n mov x2, x3\n bl mem_copy\n"
     " mov x0, x3\n carry_clear\n ret\n", "did not return"),
    ("text_put", "turned round", lambda: change("text_put", "    mov     x1, x2\n",
     "    mov     x1, x0\n    mov     x0, x2\n"), "the bytes in the buffer are not"),
    ("i64_parse", "nothing done", lambda: "func i64_parse\n ret\n", "it should be C clear"),
    ("i64_parse", "no sign", lambda: "func i64_parse\n b u64_parse\n", "b'-7'"),
    ("i64_parse", "the sign lost", lambda: change("i64_parse", "    neg     x0, x0\n", ""),
     "neg makes it negative"),
    ("i64_parse", "no limit", lambda: change("i64_parse", "    b.hi    Li64_parse_large\n", ""),
     "compare with the limit"),
    ("i64_parse", "the same limit for both", lambda: change("i64_parse",
     "    add     x2, x2, x19\n", ""), "one number more below zero"),
    ("i64_parse", "the carry of cmp", lambda: change("i64_parse", "    carry_clear\n",
     "    cmp     x19, #0\n"), "cmp changes C as well"),
    ("i64_parse", "looks before the length", lambda: change("i64_parse",
     "    cbz     x1, Li64_parse_digits   // u64_parse refuses an empty text\n", ""),
     "did not return: unmapped"),
    ("i64_parse", "two signs", lambda: change("i64_parse", "    sub     x1, x1, #1\n",
     "    sub     x1, x1, #1\n    cbz     x1, Li64_parse_digits\n    ldrb    w2, [x0]\n"
     "    cmp     w2, #'-'\n    b.ne    Li64_parse_digits\n    add     x0, x0, #1\n"
     "    sub     x1, x1, #1\n"), "only one -"),
    ("i64_parse", "x19 not restored", lambda: change("i64_parse",
     "    ldr     x19, [sp, #16]\n", ""), "changed x19"),
]


@pytest.mark.parametrize(("name", "what", "answer", "reason"), WRONG,
                         ids=[f"{name}: {what}" for name, what, _, _ in WRONG])
def test_a_wrong_answer_fails_for_its_own_reason(
    name: str, what: str, answer: Callable[[], str], reason: str,
) -> None:
    BENCH.take_free(name, answer())
    mark = check(name)
    assert not mark.right, what
    assert reason in mark.text()


WRONG_PYTHON: list[tuple[str, Callable[..., Any], str]] = [
    ("entry_address", lambda data: 0x1000, "counts from the start of __TEXT"),
    ("entry_address", lambda data: None, "gave None"),
    ("entry_address", lambda data: data[99999999], "IndexError"),
    ("adrp_word", lambda at, target, r: 0x90000000 | ((target >> 12) - (at >> 12)) << 5 | r,
     "not 0x"),
    ("adrp_word", lambda at, target, r: 0x90000000 | ((target >> 12) - (at >> 12) & 3) << 29
     | ((target >> 12) - (at >> 12) >> 2 & 0x7FFFF) << 5, "only the register"),
    ("broken_pages", lambda data: [], "changed it gave []"),
    ("broken_pages", lambda data: [0], "gave [0]"),
]


@pytest.mark.parametrize(("name", "answer", "reason"), WRONG_PYTHON)
def test_a_wrong_python_answer_fails_for_its_own_reason(
    name: str, answer: Callable[..., Any], reason: str,
) -> None:
    mark = check(name, answer)
    assert not mark.right
    assert reason in mark.text()


def test_a_last_page_that_is_too_long_is_told_apart() -> None:
    text = solutions()["broken_pages"].replace("min(4096 * (n + 1), signature)", "4096 * (n + 1)")
    mark = check("broken_pages", python_answer(text, "broken_pages"))
    assert not mark.right
    assert "the last page ends where the signature begins" in mark.text()


def test_an_exercise_that_does_not_exist_is_named() -> None:
    with pytest.raises(KitError, match="there is no exercise 'largest'"):
        check("largest")


def test_an_exercise_without_answer_says_which_cell_to_run() -> None:
    with pytest.raises(KitError, match="%%asm larger"):
        check("larger")
