"""A headless browser for tests of pages, and what every page of ours must obey."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support import requires

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: Nothing of the browser's own may go out, and no profile of the user's is touched:
#: Playwright gives each launch a profile folder of its own.
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


@contextmanager
def browser() -> Iterator[Browser]:
    """The system's Chromium; skips the test where there is none."""
    from playwright.sync_api import sync_playwright

    program = requires.program("chromium")
    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=str(program), args=FLAGS)
        try:
            yield running
        finally:
            running.close()


@contextmanager
def page(running: Browser, *, width: int = 1280, dark: bool = False,
         script: bool = True) -> Iterator[Page]:
    """A fresh page that fails the test when its own script does."""
    context = running.new_context(viewport={"width": width, "height": 900},
                                  java_script_enabled=script)
    try:
        if dark:
            context.add_init_script(
                "localStorage.setItem('mode', 'dark'); localStorage.setItem('theme', 'dark')")
        fresh = context.new_page()
        errors: list[str] = []
        fresh.on("pageerror", lambda error: errors.append(str(error)))
        yield fresh
        assert [] == errors
    finally:
        context.close()


def sideways(shown: Page) -> int:
    """How many pixels the page is wider than its window."""
    return int(shown.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def write(folder: Path, *parts: str, static: Path) -> Path:
    """A page of views with the kit's style and player, to be opened from its file."""
    head = (f'<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f'<link rel="stylesheet" href="{(static / "yk.css").as_uri()}">'
            f'<script src="{(static / "yk-trace.js").as_uri()}"></script>')
    path = folder / "page.html"
    path.write_text(f"<!doctype html><html lang=en><head>{head}<title>t</title></head>"
                    f"<body>{''.join(parts)}</body></html>", encoding="utf-8")
    return path
