"""Random programs of several modules: linked by us and by lld they compute the same number.

Each program walks over all that a linker resolves: calls between modules, addresses of
private and exported data, addends, pointers to data and code, zero-fill, alignment.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support import twin
from support.linking import module
from support.requires import requires

from ymawky_kit import macho
from ymawky_kit.darwin import boot
from ymawky_kit.link import link
from ymawky_kit.obj import ObjectFile

LOADS = {1: "ldrb w9", 2: "ldrh w9", 4: "ldr w9", 8: "ldr x9"}
DIRECTIVES = {1: ".byte", 2: ".short", 4: ".long", 8: ".quad"}


class Writer:
    """Writes one module after the other; what was exported may be used by all."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = self.random.randint(2, 5)
        self.names = [f"value_{index}" for index in range(self.random.randint(3, 12))]
        self.sizes = {name: self.random.choice([1, 2, 4, 8]) for name in self.names}
        self.homes = {name: self.random.randrange(self.count) for name in self.names}

    def modules(self) -> list[tuple[str, str]]:
        return [(f"m{index}", self.module(index)) for index in range(self.count)]

    def module(self, index: int) -> str:
        """A function that adds up values, calls the next module, and the data it owns."""
        name = "start" if index == 0 else f"f{index}"
        code = [f".globl {name}", ".p2align 2", f"{name}:",
                "    stp x29, x30, [sp, #-32]!", "    str x19, [sp, #16]",
                f"    mov x19, #{self.random.randrange(1000)}"]
        for value in self.random.sample(self.names, self.random.randint(1, len(self.names))):
            code += self.use(value)
        code += self.use_private(index)
        if index + 1 < self.count:
            code += [f"    bl f{index + 1}", "    add x19, x19, x0"]
        code += ["    mov x0, x19", "    ldr x19, [sp, #16]", "    ldp x29, x30, [sp], #32",
                 "    ret"]
        return "\n".join(code + self.data(index)) + "\n"

    def use(self, name: str) -> list[str]:
        """Load the second element of an exported array."""
        size = self.sizes[name]
        if self.random.random() < 0.5:
            return [f"    adrp x8, {name}@PAGE + {size}",
                    f"    {LOADS[size]}, [x8, {name}@PAGEOFF + {size}]", "    add x19, x19, x9"]
        return [f"    adrp x8, {name}@PAGE", f"    add x8, x8, {name}@PAGEOFF",
                f"    {LOADS[size]}, [x8, #{size}]", "    add x19, x19, x9"]

    def use_private(self, index: int) -> list[str]:
        """Through a pointer to a private label, a pointer to code, and zero-fill."""
        return [
            "    adrp x8, pointers@PAGE", "    add x8, x8, pointers@PAGEOFF",
            "    ldr x9, [x8]", "    ldr x9, [x9]", "    add x19, x19, x9",
            "    ldr x9, [x8, #8]", "    blr x9", "    add x19, x19, x0",
            "    ldr x9, [x8, #16]", "    ldrb w9, [x9]", "    add x19, x19, x9",
            "    adrp x8, room@PAGE", "    ldr x9, [x8, room@PAGEOFF]", "    add x9, x9, x19",
            "    str x9, [x8, room@PAGEOFF]", "    ldr x9, [x8, room@PAGEOFF]",
            "    add x19, x19, x9",
        ]

    def data(self, index: int) -> list[str]:
        number = self.random.randrange(1 << 30)
        lines = ["helper:", f"    mov x0, #{self.random.randrange(60000)}", "    ret",
                 ".data", f"    .space {self.random.randrange(40)}, 1", ".p2align 3",
                 "pointers:", "    .quad secret + 8, helper, text + 1",
                 "secret:", f"    .quad 0, {number}"]
        for name in [name for name in self.names if self.homes[name] == index]:
            size = self.sizes[name]
            first, second = (self.random.randrange(1 << 8 * size) for _ in range(2))
            lines += [self.random.choice([".data", ".section __TEXT,__const"]),
                      f".p2align {size.bit_length() - 1 + self.random.randrange(3)}",
                      f".globl {name}", f"{name}:", f"    {DIRECTIVES[size]} {first}, {second}"]
        return [*lines, ".section __TEXT,__const", "text:", f'    .ascii "a{index}"',
                ".section __DATA,__bss", ".p2align 3", "room:",
                f"    .space {8 * self.random.randint(1, 5000)}"]


def result(data: bytes) -> int:
    return boot(data, slide=0x8000).call("start").value


@requires("ld64.lld")
@pytest.mark.parametrize("seed", range(20))
def test_a_random_program_computes_what_its_twin_does(seed: int, tmp_path: Path) -> None:
    objects: list[ObjectFile] = [module(*text) for text in Writer(seed).modules()]
    paths = []
    for made in objects:
        paths.append(tmp_path / f"{made.name}.o")
        paths[-1].write_bytes(macho.write_object(made))
    other = twin.link(paths, tmp_path / "twin").read_bytes()
    ours = macho.build(link(objects, identifier="random"))
    assert () == macho.check(ours) == macho.check(other)
    assert result(other) == result(ours)
