"""The graders, graded: right answers pass, wrong ones fail for the reason they are wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.answers import another_ways, solutions, wrong_ones, wrong_python_ones

from ymawky_kit.lab.exercise import check, judges
from ymawky_kit.lab.magics import BENCH
from ymawky_kit.lab.notebook import paths, read
from ymawky_kit.lab.notebook import source as source_of
from ymawky_kit.source import KitError

FUNCTIONS, PYTHON = judges()


def python_answer(text: str, name: str) -> Callable[..., Any]:
    space: dict[str, Any] = {"check": check}     # a cell of the notebook calls it
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
    assert set(solutions()) == {*FUNCTIONS, *PYTHON}


def given(line: str) -> str:
    """The cell of the notebooks that has this line, which must be the only one."""
    cells = [source for path in paths() for cell in read(path)["cells"]
             if cell["cell_type"] == "code" and line in (source := source_of(cell)).splitlines()]
    assert len(cells) == 1, line
    return cells[0]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_exercise_as_given_fails(name: str) -> None:
    BENCH.take_free(name, given(f"%%asm {name}").partition("\n")[2])
    assert not check(name).right


@pytest.mark.parametrize("name", sorted(PYTHON))
def test_the_python_exercise_as_given_fails(name: str) -> None:
    assert not check(name, python_answer(given(f'check("{name}", {name})'), name)).right


def test_every_exercise_has_typical_wrong_answers() -> None:
    counted = Counter(row[0] for row in (*wrong_ones(), *wrong_python_ones()))
    assert {*FUNCTIONS, *PYTHON} == set(counted)
    assert all(counted[name] > 1 for name in counted)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_solution_of_the_appendix_passes(name: str) -> None:
    BENCH.take_free(name, solutions()[name])
    mark = check(name)
    assert mark.right, mark


@pytest.mark.parametrize("name", sorted(PYTHON))
def test_the_python_solution_of_the_appendix_passes(name: str) -> None:
    mark = check(name, python_answer(solutions()[name], name))
    assert mark.right, mark


@pytest.mark.parametrize("name", sorted(another_ways()))
def test_another_right_answer_passes_too(name: str) -> None:
    BENCH.take_free(name, another_ways()[name])
    mark = check(name)
    assert mark.right, mark


@pytest.mark.parametrize(("name", "what", "answer", "reason"), wrong_ones(),
                         ids=[f"{name}: {what}" for name, what, _, _ in wrong_ones()])
def test_a_wrong_answer_fails_for_its_own_reason(
    name: str, what: str, answer: Callable[[], str], reason: str,
) -> None:
    BENCH.take_free(name, answer())
    mark = check(name)
    assert not mark.right, what
    assert reason in mark.text()


@pytest.mark.parametrize(("name", "answer", "reason"), wrong_python_ones())
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
