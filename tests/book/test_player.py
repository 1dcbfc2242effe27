"""The trace player in a real browser: forward, back, keyboard, phone, no script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import pages

import ymawky_kit.view
from ymawky_kit.lab.drive import step
from ymawky_kit.lab.magics import BENCH, assets
from ymawky_kit.view.trace import Step, Trace

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STATIC = Path(ymawky_kit.view.__file__).parent / "static"

SUM = """func sum
    add     x1, x0, x1
    mov     x2, #0
Lnext:
    cmp     x0, x1
    b.hs    Ldone
    ldrb    w3, [x0], #1
    strb    w3, [x1, #-1]
    add     x2, x2, x3
    b       Lnext
Ldone:
    mov     x0, x2
    ret"""


def recording() -> Trace:
    BENCH.take_free("sum", SUM)
    return step("sum", b"\x05\x06\x1f", 3)


@pytest.fixture(scope="module")
def running() -> Iterator[Browser]:
    with pages.browser() as browser:
        yield browser


def state(shown: Page) -> list[str]:
    """All that the player shows, the sentence below it included."""
    texts: list[str] = shown.eval_on_selector_all(
        ".yk-state code, .yk-said, .yk-count", "nodes => nodes.map(n => n.textContent)")
    return [*texts, str(shown.locator("tr.yk-next").count())]


def registers(shown: Page) -> dict[str, str]:
    rows: list[list[str]] = shown.eval_on_selector_all(
        ".yk-state tr", "rows => rows.map(r => [...r.cells].map(c => c.textContent))")
    return {row[0]: row[1] for row in rows}


def test_to_the_end_and_back_gives_the_first_state_again(
    running: Browser, tmp_path: Path,
) -> None:
    trace = recording()
    with pages.page(running) as shown:
        shown.goto(pages.write(tmp_path, trace.html(), static=STATIC).as_uri())
        shown.wait_for_selector("yk-trace[data-ready]")
        first = state(shown)
        seen = [first]
        for _ in trace.steps:
            shown.click("button[aria-label^='one step forward']")
            seen.append(state(shown))
        assert f"{len(trace.steps)} of {len(trace.steps)}" in seen[-1]
        for expected in reversed(seen[:-1]):
            shown.click("button[aria-label^='one step back']")
            assert expected == state(shown)
        assert first == state(shown)


def test_each_step_shows_the_registers_that_the_emulator_had(
    running: Browser, tmp_path: Path,
) -> None:
    from ymawky_kit.view.registers import flags, value

    trace = recording()
    with pages.page(running) as shown:
        shown.goto(pages.write(tmp_path, trace.html(), static=STATIC).as_uri())
        shown.focus(".yk-player")
        for number in range(len(trace.steps) + 1):
            after = trace.state(number)
            expected = {("flags" if name == "nzcv" else name):
                        (flags(after[name]) if name == "nzcv" else value(after[name]))
                        for name in trace.names}
            assert expected == registers(shown)
            shown.keyboard.press("ArrowRight")


def test_memory_follows_the_stores_and_goes_back_with_them(
    running: Browser, tmp_path: Path,
) -> None:
    with pages.page(running) as shown:
        shown.goto(pages.write(tmp_path, recording().html(), static=STATIC).as_uri())
        watch = shown.locator(".yk-watch code")
        assert "05 06 1f" == watch.text_content()
        shown.focus(".yk-player")
        shown.keyboard.press("End")
        assert "05 06 06" == watch.text_content()
        shown.keyboard.press("Home")
        assert "05 06 1f" == watch.text_content()


def test_a_struct_is_shown_in_rows_and_what_a_step_wrote_is_marked(
    running: Browser, tmp_path: Path,
) -> None:
    memory = [("x0", 0x2000, bytes(range(40)))]
    trace = Trace([Step(0x1000, "str", writes=((0x2010, b"\xaa\xbb"),)), Step(0x1004, "ret")],
                  start={"x0": 0x2000}, memory=memory)
    with pages.page(running) as shown:
        shown.goto(pages.write(tmp_path, trace.html(), static=STATIC).as_uri())
        watch = shown.locator(".yk-rows code")
        rows = str(watch.text_content()).splitlines()
        assert [" 0  00 01", "16  10 11", "32  20 21"] == [row[:9] for row in rows]
        shown.focus(".yk-player")
        shown.keyboard.press("ArrowRight")
        assert "16  aa bb 12" == str(watch.text_content()).splitlines()[1][:12]
        assert ["aa", "bb"] == watch.locator(".yk-changed").all_text_contents()
        shown.keyboard.press("ArrowRight")
        assert [] == watch.locator(".yk-changed").all_text_contents()


def test_the_keyboard_steps_and_stays_within_the_recording(
    running: Browser, tmp_path: Path,
) -> None:
    trace = recording()
    end = len(trace.steps)
    with pages.page(running) as shown:
        shown.goto(pages.write(tmp_path, trace.html(), static=STATIC).as_uri())
        shown.evaluate("document.addEventListener('keydown', () => { window.leaked = true })")
        shown.keyboard.press("Tab")
        assert shown.evaluate("document.activeElement.className") == "yk-player"
        assert shown.locator(".yk-player[data-lm-suppress-shortcuts=true]").count() == 1
        shown.evaluate("window.leaked = false")
        for key, at in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", end),
                        ("ArrowRight", end), ("PageUp", max(0, end - 10)), ("Home", 0),
                        ("ArrowLeft", 0)):
            shown.keyboard.press(key)
            assert f"{at} of {end}" == shown.locator(".yk-count").text_content(), key
        assert not shown.evaluate("window.leaked === true"), "JupyterLab would move to a cell"


def test_a_phone_shows_all_of_it_without_scrolling_sideways(
    running: Browser, tmp_path: Path,
) -> None:
    with pages.page(running, width=400) as shown:
        shown.goto(pages.write(tmp_path, recording().html(), static=STATIC).as_uri())
        shown.wait_for_selector("yk-trace[data-ready]")
        assert 0 == pages.sideways(shown)
        for box in shown.locator(".yk-bar button").all():
            size = box.bounding_box()
            assert size is not None
            assert size["width"] >= 30 and size["height"] >= 30, "a finger must hit it"


def test_without_script_the_table_is_there_and_open(running: Browser, tmp_path: Path) -> None:
    trace = recording()
    with pages.page(running, script=False) as shown:
        shown.goto(pages.write(tmp_path, trace.html(), static=STATIC).as_uri())
        assert shown.locator("yk-trace table").is_visible()
        assert len(trace.steps) == shown.locator("yk-trace tbody tr").count()
        assert 0 == shown.locator(".yk-player").count()


def test_a_broken_recording_leaves_the_table(running: Browser, tmp_path: Path) -> None:
    html = recording().html().replace('{"title"', '{"title', 1)
    with pages.page(running) as shown:
        shown.goto(pages.write(tmp_path, html, static=STATIC).as_uri())
        assert shown.locator("yk-trace table").is_visible()
        assert 0 == shown.locator(".yk-player").count()


def test_the_player_begins_also_when_it_is_put_in_later(running: Browser, tmp_path: Path) -> None:
    """As JupyterLab does: the page is complete, then an output is set into it."""
    html = recording().html()
    with pages.page(running) as shown:
        shown.goto(pages.write(tmp_path, "<div id=here></div>", static=STATIC).as_uri())
        shown.evaluate("html => { document.getElementById('here').innerHTML = html }", html)
        shown.wait_for_selector("yk-trace[data-ready]")
        shown.evaluate("document.getElementById('here').append(document.querySelector('yk-trace'))")
        assert 1 == shown.locator(".yk-player").count(), "moved, not built twice"


def test_load_ext_brings_style_and_player_that_stay(running: Browser, tmp_path: Path) -> None:
    """JupyterLab evaluates an output's scripts, and takes the output away when out of sight."""
    found = re.fullmatch(r"<script data-ymawky>(.*)</script>", assets(), re.DOTALL)
    assert found is not None
    bare = tmp_path / "bare.html"
    bare.write_text(f"<!doctype html><meta charset=utf-8><body>{recording().html()}</body>")
    with pages.page(running) as shown:
        shown.goto(bare.as_uri())
        for _ in range(2):      # the cell is run twice
            shown.evaluate("code => { const s = document.createElement('script');"
                           "s.textContent = code; document.body.append(s); s.remove() }", found[1])
        shown.wait_for_selector("yk-trace[data-ready]")
        assert 1 == shown.locator("#yk-style").count()
        assert "flex" == shown.eval_on_selector(
            ".yk-bar", "bar => getComputedStyle(bar).display")


def test_print_shows_the_table(running: Browser, tmp_path: Path) -> None:
    with pages.page(running) as shown:
        shown.goto(pages.write(tmp_path, recording().html(), static=STATIC).as_uri())
        shown.wait_for_selector("yk-trace[data-ready]")
        shown.emulate_media(media="print")
        assert not shown.locator(".yk-player").is_visible()
        assert shown.locator("yk-trace details table").is_visible()


NASTY = "</script><img src=x onerror=alert(1)>&\"'"


def test_text_from_a_program_never_becomes_markup(running: Browser, tmp_path: Path) -> None:
    trace = Trace([Step(0x1000, NASTY, {"x0": 1}, ((0x2000, b"<b>"),), NASTY)],
                  start={"x0": 0}, labels={0x1000: NASTY}, memory=[(NASTY, 0x2000, b"<i>")],
                  title=NASTY, ending=NASTY)
    assert "<img" not in trace.html()
    with pages.page(running) as shown:
        shown.goto(pages.write(tmp_path, trace.html(), static=STATIC).as_uri())
        shown.focus(".yk-player")
        shown.keyboard.press("ArrowRight")
        assert 0 == shown.locator("img").count()
        assert NASTY in (shown.locator(".yk-said").text_content() or "")


def test_the_recording_is_small_and_replays_to_the_same_states() -> None:
    trace = recording()
    found = re.search(r'<script type="application/json">(.*?)</script>', trace.html())
    assert found is not None
    packed = json.loads(found[1])
    registers = dict(packed["start"])
    for number, taken in enumerate(packed["steps"], 1):
        registers.update(taken[1] if len(taken) > 1 else {})
        assert {n: f"{v:x}" for n, v in trace.state(number).items() if n in registers} == registers
    assert len(found[1]) < 60 * len(trace.steps) + 1500, "bytes"
