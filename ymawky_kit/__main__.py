"""`python -m ymawky_kit` is the command `ymawky`."""

from __future__ import annotations

import sys

from ymawky_kit.cli import main

sys.exit(main())
