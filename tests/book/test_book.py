"""The built book: no warning, no other host, readable on a phone, in the dark, without script."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import pages

from ymawky_kit.lab import notebook as nb

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["book/intro", *(f"notebooks/{path.stem}" for path in nb.paths()),
         *sorted(f"book/appendix/{path.stem}" for path in (ROOT / "book/appendix").glob("*.md"))]


@pytest.fixture(scope="session")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book, built as `ymawky book` builds it but somewhere else."""
    out = tmp_path_factory.mktemp("book")
    command = [
        sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build",
        str(ROOT), "--config", str(ROOT / "book" / "_config.yml"), "--toc",
        str(ROOT / "book" / "_toc.yml"), "--path-output", str(out), "-W", "--keep-going", "--all",
    ]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert 0 == done.returncode, done.stdout[-3000:] + done.stderr[-3000:]
    return out / "_build" / "html"


@pytest.fixture(scope="module")
def running() -> Iterator[Browser]:
    with pages.browser() as browser:
        yield browser


def test_every_notebook_and_appendix_is_in_the_table_of_contents() -> None:
    toc = (ROOT / "book" / "_toc.yml").read_text()
    for path in [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "book/appendix").glob("*.md")]:
        assert path.relative_to(ROOT).with_suffix("").as_posix() in toc


def test_no_page_names_another_host_as_a_source(html: Path) -> None:
    for path in html.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        found = re.findall(
            r'<(?:script|link|img|iframe|source|video)\b[^>]*(?:src|href)="(?:https?:)?//[^"]*"',
            text)
        assert [] == found, path.name
        assert "thebe-" not in text or "unpkg.com" not in text, path.name


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_nobody_else_and_fits_a_phone(
    html: Path, running: Browser, name: str,
) -> None:
    """Light at full width, then dark on a phone: one page object each."""
    for width, dark in ((1280, False), (400, True)):
        with pages.page(running, width=width, dark=dark) as shown:
            asked: list[str] = []
            shown.on("request", lambda request, asked=asked: asked.append(request.url))
            shown.goto((html / f"{name}.html").as_uri())
            shown.wait_for_load_state("networkidle")
            strange = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
            assert [] == strange
            assert 0 == pages.sideways(shown), f"{width} pixels wide"
            assert ("dark" if dark else "light") == shown.evaluate(
                "document.documentElement.dataset.theme")
            players = shown.locator("yk-trace").count()
            assert players == shown.locator("yk-trace[data-ready]").count()


def test_without_script_every_recording_is_a_table(html: Path, running: Browser) -> None:
    with pages.page(running, script=False) as shown:
        shown.goto((html / "notebooks/01-first-instructions.html").as_uri())
        players = shown.locator("yk-trace").count()
        assert players >= 4
        for n in range(players):
            assert shown.locator("yk-trace").nth(n).locator("table").is_visible()


def test_the_books_own_server_serves_the_book(
    html: Path, running: Browser, tmp_path: Path,
) -> None:
    from ymawky_kit import chapters, macho
    from ymawky_kit.run import default_runner

    program = tmp_path / "ymawky"
    macho.install(chapters.build().data, program)
    arguments = ["--port", "0", "--address", "127.0.0.1", str(html)]
    with default_runner().start(program, arguments) as server, pages.page(running) as shown:
        line = server.wait_for(b"http://").decode()
        address = line[line.index("http://"):].strip()
        failed: list[str] = []
        shown.on("response", lambda reply: failed.append(f"{reply.status} {reply.url}")
                 if reply.status >= 400 else None)
        shown.on("request", lambda asked: failed.append(asked.url)
                 if not asked.url.startswith((address, "data:", "blob:")) else None)
        for name in ("index", "notebooks/01-first-instructions"):
            shown.goto(f"{address}{name}.html")
            shown.wait_for_load_state("networkidle")
        shown.wait_for_selector("yk-trace[data-ready]")
        shown.goto(f"{address}search.html?q=zombies")
        shown.wait_for_selector("#search-results p.context")
        shown.wait_for_load_state("networkidle")
        assert "One child per connection" in shown.locator("#search-results").inner_text()
        assert [] == failed


def test_outputs_have_no_light_box_in_the_dark(html: Path, running: Browser) -> None:
    with pages.page(running, dark=True) as shown:
        shown.goto((html / "notebooks/03-from-text-to-mach-o.html").as_uri())
        colours = shown.eval_on_selector_all(
            "div.cell_output .text_html", "n => n.map(e => getComputedStyle(e).backgroundColor)")
        assert colours
        assert {"rgba(0, 0, 0, 0)"} == set(colours)


def test_assembly_cells_are_coloured_as_assembly(html: Path) -> None:
    text = (html / "notebooks/01-first-instructions.html").read_text(encoding="utf-8")
    assert '<span class="nf">distance</span>' in text
    assert '<span class="nb">x0</span>' in text
    assert not re.search(r'<span class="err">', text)


def test_what_the_book_shows_is_what_is_stored(html: Path) -> None:
    """The text of every stored HTML output is in its page, unchanged."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        page = (html / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        shown = 0
        for cell in nb.code_cells(nb.read(path)):
            if "remove-output" in cell["metadata"].get("tags", []):
                continue
            for output in cell["outputs"]:
                stored = "".join(output.get("data", {}).get("text/html", []))
                if stored:
                    assert stored in page, cell["id"]
                    shown += 1
        assert shown > 5, path.name


def test_notebooks_can_be_downloaded_and_searched(html: Path) -> None:
    for path in nb.paths():
        assert path.read_bytes() == (html / "_sources/notebooks" / path.name).read_bytes()
    assert "kernel" in (html / "searchindex.js").read_text(encoding="utf-8")


def test_the_same_sources_give_the_same_pages(html: Path) -> None:
    for path in html.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert str(ROOT) not in text, f"{path.name} holds a path of this machine"
        assert "Last updated" not in text, path.name
