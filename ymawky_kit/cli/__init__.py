"""The command `ymawky`: thin commands over the kit.

Everything heavy (Keystone, Unicorn, IPython) is imported inside the commands, so
that `ymawky --help` answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from ymawky_kit.cli import asm, author, build, check, doctor, failure, inspect, run, serve

_EXAMPLES = """\b
Examples:
  ymawky serve                  build the server, serve the site that comes with it
  ymawky build -o ymawky        only build it: a macOS executable
  ymawky inspect ymawky         what is in that file, and what the kernel would say
  ymawky trace ymawky --help    which system calls it makes
  ymawky check -c 07 --binary x try a server of your own with the cases of chapter 07
  ymawky doctor                 what is missing here, and how to mend it
"""


@click.group(
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="ymawky-kit", prog_name="ymawky-kit")
def ymawky() -> None:
    """The workshop of ymawky, the book: a web server in ARM64 assembly.

    It assembles, links and signs macOS executables for Apple silicon, and runs
    them: natively on such a Mac, in an emulated Darwin on any other machine.
    """


for command in (
    build.build, serve.serve, run.run, run.trace, check.check, asm.asm, inspect.inspect,
    doctor.doctor, author.weave, author.regen, author.book,
):
    ymawky.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status, and prints one line for a user's error."""
    return failure.guarded(ymawky, arguments)
