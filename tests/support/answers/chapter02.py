"""Answers to the exercises of chapter 02."""

from __future__ import annotations

from support.answers import Wrong, change, solutions

WRONG: list[Wrong] = [
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
]
