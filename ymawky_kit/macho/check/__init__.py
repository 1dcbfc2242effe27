"""Would macOS run this file?  The loader's side of the story.

Written from the sources of XNU and dyld and not from our writer: it imports
none of it and has its own offsets, so that a mistake there is seen here.  Each
rule names who refuses, and the file and function where that is decided.

Rules come in four stages, because the later ones rely on the earlier: whether
it is a Mach-O file at all, the header, the shape of each command, and what the
commands say together.  A stage that finds something is the last.
"""

from __future__ import annotations

from ymawky_kit.macho.check import commands, dyld, header, kernel, signature, tools
from ymawky_kit.macho.check.file import File
from ymawky_kit.macho.check.rule import Problem, Rule

__all__ = ["STAGES", "Problem", "Rule", "check", "refusals"]

#: All rules, stage by stage.
STAGES: tuple[tuple[Rule, ...], ...] = (
    header.FIRST.all,
    header.RULES.all,
    commands.RULES.all,
    (*kernel.RULES.all, *signature.RULES.all, *dyld.RULES.all, *tools.RULES.all),
)


def check(data: bytes) -> tuple[Problem, ...]:
    """Everything that is wrong with an executable for macOS 11 to 26; empty when nothing is.

    Any bytes will do: whatever they are, the answer is a list of problems.
    """
    file = File(data)
    for stage in STAGES:
        problems = tuple(problem for rule in stage for problem in rule.problems(file))
        if problems:
            return problems
    return ()


def refusals(data: bytes) -> tuple[Problem, ...]:
    """The problems for which the kernel or dyld would not run the file."""
    return tuple(problem for problem in check(data) if problem.refused_by != "tools")
