"""`ymawky doctor`."""

from __future__ import annotations

import click

from ymawky_kit.cli.console import say
from ymawky_kit.cli.failure import FOUND, Ended

_COLOURS = {"ok": "green", "note": "yellow", "problem": "red"}


@click.command(short_help="What works here, and how to mend what does not.", epilog="""\b
Examples:
  ymawky doctor && make serve
""")
def doctor() -> None:
    """Say what works on this machine, and the one command that mends what does not.

    A note is something the book can do without.  The exit status is 0 if the
    book runs here, 1 if it does not.
    """
    from ymawky_kit.doctor import examine, healthy

    findings = []
    for finding in examine():
        findings.append(finding)
        state = click.style(f"{finding.state.value:8}", fg=_COLOURS[finding.state.value])
        say(f"{state} {finding.subject:15} {finding.text}")
        if finding.mend is not None:
            say(f"{'':8} {'':15} mend: {click.style(finding.mend, bold=True)}")
    say("")
    if not healthy(findings):
        say("The book does not run here yet.")
        raise Ended(FOUND)
    say("The book runs here.")
