"""Answers to the exercises of chapter 06."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.answers import Wrong, WrongPython, change

ANOTHER_WAY = {
    "brood": """func brood
        stp x29, x30, [sp, #-32]!
        stp x27, x28, [sp, #16]
        mov x27, x0
        mov x28, #0
    Lx: cmp x28, x27
        b.hs Lparent
        add x28, x28, #1
        sys fork
        b.cs Lout
        cbz x1, Lx
        mov x0, x28
        carry_clear
        b Lout
    Lparent: mov x0, #0
        carry_clear
    Lout: ldp x27, x28, [sp, #16]
        ldp x29, x30, [sp], #32
        ret""",
    "reap_all": """func reap_all
        stp x29, x30, [sp, #-32]!
        stp x19, x20, [sp, #16]
        mov x19, #-1
    Lx: add x19, x19, #1
        mov x0, #-1
        sub x1, sp, #64
        mov x2, #1
        mov x3, #0
        mov x16, #7
        svc #0x80
        b.cs Ly
        cbnz x0, Lx
    Ldone: mov x0, x19
        carry_clear
    Lout: ldp x19, x20, [sp, #16]
        ldp x29, x30, [sp], #32
        ret
    Ly: subs x20, x0, #10
        b.eq Ldone
        carry_set
        b Lout""",
}

WRONG: list[Wrong] = [
    ("brood", "nothing done", lambda: "func brood\n ret\n", "made 0 children; there should be 2"),
    ("brood", "children go on", lambda: change("brood", "    cbz     x0, Lbrood_child\n", ""),
     "a child must leave the loop"),
    ("brood", "x0 tested, x1 not", lambda: change("brood", "    bl      process_fork",
     "    sys     fork"), "a child must leave the loop"),
    ("brood", "counted in x9", lambda: change("brood", "    add     x20, x20, #1",
     "    add     x9, x9, #1").replace("x0, x20", "x0, x9").replace("x20, x19", "x9, x19")
     .replace("x20, #0", "x9, #0"), "a system call may change every register up to x17"),
    ("brood", "all children alike", lambda: change("brood", "    mov     x0, x20\n", ""),
     "which child is it?"),
    ("brood", "counted from 0", lambda: change("brood", "    mov     x0, x20\n",
     "    sub     x0, x20, #1\n"), "in child 1; it should be C clear, x0 = 1"),
    ("brood", "the parent gives a number", lambda: change("brood", "    mov     x0, #0\n", ""),
     "the parent"),
    ("brood", "x19 lost in the child", lambda: change("brood", "    mov     x0, x20\n",
     "    mov     x0, x20\n    mov     x21, #0\n"), "child 1 came back with another x21"),
    ("brood", "an error swallowed", lambda: change("brood", "    b.cs    Lbrood_return\n",
     "    b.cs    Lbrood_parent\n"), "fork 1: EAGAIN"),
    ("brood", "goes on after an error", lambda: change("brood", "    b.cs    Lbrood_return\n",
     "    b.cs    Lbrood_next\n"), "fork 1: EAGAIN"),
    ("brood", "0 is one too", lambda: change("brood", "    b.hs    Lbrood_parent\n", "")
     .replace("    b       Lbrood_next", "    cmp     x20, x19\n    b.lo    Lbrood_next\n"
              "    b       Lbrood_parent"), "look before the first fork"),
    ("brood", "forks for ever", lambda: "func brood\nLx: sys fork\n b Lx\n ret\n",
     "forks again and again"),
    ("brood", "the child ends", lambda: change("brood", "    mov     x0, x20\n",
     "    mov     x0, x20\n    bl      process_exit\n"), "did not come back: exit(1)"),
    ("reap_all", "nothing done", lambda: "func reap_all\n mov x0, #1\n carry_clear\n ret\n",
     "no wait4 at all"),
    ("reap_all", "it waits", lambda: change("reap_all", "    mov     x2, #WNOHANG",
     "    mov     x2, #0"), "without WNOHANG"),
    ("reap_all", "only one", lambda: change("reap_all", "    b       Lreap_all_next",
     "    b       Lreap_all_done"), "3 ended, 0 alive"),
    ("reap_all", "ECHILD is an error", lambda: change("reap_all",
     "    b.eq    Lreap_all_done\n", ""), "there are no more children"),
    ("reap_all", "every error is the end", lambda: change("reap_all",
     "    b.eq    Lreap_all_done\n", "    b       Lreap_all_done\n"), "pass every other error on"),
    ("reap_all", "counted in x9", lambda: change("reap_all", "    add     x19, x19, #1",
     "    add     x9, x9, #1").replace("x0, x19", "x0, x9"), "count in x19 or higher"),
    ("reap_all", "other errors with C clear", lambda: change("reap_all",
     "    b.eq    Lreap_all_done\n    carry_set\n", "    b.eq    Lreap_all_done\n"),
     "pass every other error on"),
    ("reap_all", "arguments only once", lambda: change("reap_all", "Lreap_all_next:\n", "")
     .replace("    sys     wait4", "Lreap_all_next:\n    sys     wait4"),
     "put the four arguments in place"),
    ("reap_all", "one group only", lambda: change("reap_all", "    mov     x0, #-1",
     "    mov     x0, #0"), "any child is -1"),
    ("reap_all", "an address that is none", lambda: change("reap_all", "    mov     x1, #0 ",
     "    mov     x1, #8 "), "14 is EFAULT"),
    ("reap_all", "x19 not restored", lambda: change("reap_all",
     "    ldr     x19, [sp, #16]\n", ""), "another x19"),
]


def _python(text: str) -> Callable[..., Any]:
    space: dict[str, Any] = {}
    exec(text, space)
    answer: Callable[..., Any] = space["open_descriptors"]
    return answer


def _open(old: str, new: str) -> Callable[..., Any]:
    return _python(change("open_descriptors", old, new))


WRONG_PYTHON: list[WrongPython] = [
    ("open_descriptors", lambda start, events: {}, "Before any call"),
    ("open_descriptors", lambda start, events: set(start), "a dict"),
    ("open_descriptors", lambda start, events: {1: list(start)}, "a set for each process"),
    ("open_descriptors", _open("set(open_in[process])", "open_in[process]"),
     "the child's set must be a copy"),
    ("open_descriptors", _open("set(open_in[process])", "set()"), "must be a copy"),
    ("open_descriptors", _open("del open_in[process]", "pass"), "has nothing open"),
    ("open_descriptors", _open("set(start)", "start"), "begin with a copy"),
]
