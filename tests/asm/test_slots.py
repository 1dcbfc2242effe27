"""Slots: several modules, one promise, so that a program runs with any of them.

Which modules share a slot is said three times, in the table of src/asm/README.md,
in the swaps of chapters.toml and in the modules' headers; the three must agree.
All of them give the same symbols.  A function's summary, In, Out and Clob are the
promise, and the same in all: a caller may rely on them whichever module is linked,
and test_contracts.py holds each module to them.  Frame and the roles of registers
are a module's own business.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from support.contract import Contract, contracts, everything, modules, path_of

from ymawky_kit.paths import asm_root

#: What the modules of a slot must have in common.
PROMISE = {"summary": "summary", "takes": "In", "gives": "Out", "clobbers": "Clob"}


@dataclass(frozen=True)
class Slot:
    """One row of the table: its functions and the modules that give them."""

    name: str
    functions: frozenset[str]
    modules: tuple[str, ...]        # the placeholder first


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([\w/]+)`", cell)


def slots(text: str | None = None) -> list[Slot]:
    """The table of src/asm/README.md, or of another text."""
    text = text or (asm_root() / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Slots")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in table.splitlines() if line.startswith("|")][2:]
    assert rows, "the table is gone"
    return [Slot(name, frozenset(quoted(functions)), (*quoted(placeholder), *quoted(real)))
            for name, functions, placeholder, real in rows]


def header_gives(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """What a module's header says it gives, and of which slots."""
    found = re.search(r"^// Gives +(.*\n(?://  +.*\n)*)", path_of(module).read_text(), re.MULTILINE)
    assert found is not None, module
    names = re.findall(r"\w+", re.sub(r"\(.*?\)", "", found[1], flags=re.DOTALL))
    said = re.search(r"\(slots?: (.*?)\)", found[1])
    return frozenset(names), frozenset(re.split(r", *", said[1]) if said else ())


def swapped() -> list[set[str]]:
    """Modules that chapters.toml puts in each other's place, put together."""
    groups: list[set[str]] = []
    tables = tomllib.loads((asm_root() / "chapters.toml").read_text(encoding="utf-8"))
    for table in tables.values():
        for pair in table.get("swap", {}).items():
            touched = [group for group in groups if group & set(pair)]
            groups = [group for group in groups if group not in touched]
            groups.append(set(pair).union(*touched))
    return groups


def faults(slot: Slot, gives: Mapping[str, frozenset[str]],
           said: Mapping[str, Sequence[Contract]]) -> list[str]:
    """Where the modules of a slot do not promise the same."""
    found = []
    for module in slot.modules:
        if gives[module] != slot.functions:
            found.append(f"{module} gives {sorted(gives[module])}, "
                         f"the slot {slot.name} is {sorted(slot.functions)}")
    for function in sorted(slot.functions):
        mine = {module: contract for module in slot.modules for contract in said[module]
                if contract.name == function}
        found += [f"{module} has no {function}" for module in slot.modules if module not in mine]
        for field, line in PROMISE.items():
            texts = {" ".join(getattr(contract, field).split()) for contract in mine.values()}
            if len(texts) > 1:
                found.append(f"{function}: {line} differs in {', '.join(mine)}: {sorted(texts)}")
    return found


SLOTS = slots()


@pytest.mark.parametrize("slot", SLOTS, ids=lambda slot: slot.name)
def test_the_modules_of_a_slot_promise_the_same(slot: Slot) -> None:
    assert [] == faults(slot, {m: header_gives(m)[0] for m in slot.modules},
                        {m: contracts(m) for m in slot.modules})


def test_what_chapters_swap_is_a_slot_of_the_table() -> None:
    """The programs of the first chapters swap their `main`: a program is no slot."""
    rows = {frozenset(slot.modules) for slot in SLOTS if len(slot.modules) > 1}
    groups = {frozenset(group) for group in swapped()}
    programs = {group for group in groups
                if all(header_gives(module)[0] == {"main"} for module in group)}
    assert all(module.startswith("first/") for group in programs for module in group)
    assert rows == groups - programs


def test_the_headers_name_the_slots_of_the_table() -> None:
    """PUT and DELETE are one row: a module may fill several slots."""
    table = {module: frozenset(slot.name.split(", ")) for slot in SLOTS for module in slot.modules}
    headers = {module: header_gives(module)[1] for module in modules()}
    assert table == {module: names for module, names in headers.items() if names}


def test_a_function_in_several_modules_belongs_to_a_slot() -> None:
    places: dict[str, set[str]] = {}
    for contract in everything():
        places.setdefault(contract.name, set()).add(contract.module)
    shared = {name: found for name, found in places.items()
              if len(found) > 1 and name not in ("start", "main")}
    assert shared == {name: set(slot.modules) for slot in SLOTS if len(slot.modules) > 1
                      for name in slot.functions}


# -- each planted difference is found ----------------------------------------------------

GET = next(slot for slot in SLOTS if slot.name == "GET")


@pytest.mark.parametrize(("change", "said"), [
    (lambda c: replace(c, takes=f"{c.takes}   x7 more"), "get_plan: In differs"),
    (lambda c: replace(c, gives=c.gives.replace("C set", "C clear")), "get_plan: Out differs"),
    (lambda c: replace(c, clobbers="x0-x18"), "get_plan: Clob differs"),
    (lambda c: replace(c, clobbers="x0"), "get_plan: Clob differs"),
    (lambda c: replace(c, summary="something else"), "get_plan: summary differs"),
    (lambda c: replace(c, name="gte_plan"), "fs/file has no get_plan"),
])
def test_a_planted_difference_is_found(change: Callable[[Contract], Contract], said: str) -> None:
    known = {m: contracts(m) for m in GET.modules}
    gives = {m: header_gives(m)[0] for m in GET.modules}
    known["fs/file"] = tuple(change(c) if c.name == "get_plan" else c for c in known["fs/file"])
    assert any(text.startswith(said) for text in faults(GET, gives, known))


def test_a_symbol_that_only_one_module_gives_is_found() -> None:
    known = {m: contracts(m) for m in GET.modules}
    gives = {m: header_gives(m)[0] for m in GET.modules}
    gives["stub/get_hello"] |= {"get_more"}
    assert ["stub/get_hello gives ['get_more', 'get_plan'], the slot GET is ['get_plan']"] == (
        faults(GET, gives, known))


def test_frame_and_roles_are_a_modules_own() -> None:
    known = {m: contracts(m) for m in GET.modules}
    gives = {m: header_gives(m)[0] for m in GET.modules}
    known["fs/file"] = tuple(replace(c, frame="none (leaf)", roles="x0 all")
                             for c in known["fs/file"])
    assert [] == faults(GET, gives, known)
