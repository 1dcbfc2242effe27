"""Write requirements.lock and the versions in environment.yml from pyproject.toml."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
LOCK = TOP / "requirements.lock"
ENVIRONMENT = TOP / "environment.yml"
HEADER = """\
# Every version the project is tested with, for all systems and Pythons at once.
# Written by `make lock`; pyproject.toml says what is needed, this says which one it is.
"""


def main() -> None:
    compiled = subprocess.run(
        [
            sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet",
            "--universal", "--python-version", "3.11", "--all-extras", "--upgrade",
            "--no-emit-index-url", "--no-annotate", "--no-header",
        ],
        cwd=TOP, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout
    LOCK.write_text(HEADER + compiled)
    pins = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", compiled, re.M))
    ENVIRONMENT.write_text(
        re.sub(
            r"^(      - )([\w-]+)==\S+",
            lambda match: f"{match[1]}{match[2]}=={pins[match[2]]}",
            ENVIRONMENT.read_text(),
            flags=re.M,
        )
    )


if __name__ == "__main__":
    main()
