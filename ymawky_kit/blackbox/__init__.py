"""The black-box tests of the book: what a client may ask of a program, and what must come.

Cases are data (`case`, `cases/`); `play` follows their scripts, `suite` tries a program
or a running server with those that its features allow.
"""

from __future__ import annotations

from ymawky_kit.blackbox.case import Case, Run, Talk
from ymawky_kit.blackbox.cases import CASES, TREE
from ymawky_kit.blackbox.place import Placed
from ymawky_kit.blackbox.server import NotServing, Program, Remote, unfit
from ymawky_kit.blackbox.suite import SECONDS, Result, check_program, check_url, select

__all__ = [
    "CASES", "SECONDS", "TREE", "Case", "NotServing", "Placed", "Program", "Remote", "Result",
    "Run", "Talk", "check_program", "check_url", "select", "unfit",
]
