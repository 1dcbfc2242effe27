"""A video in a real browser: it seeks, and what it shows is what stands there.

The video is made for it: its brightness is the time, and noise makes it so large that a
browser does not load all of it.  That it seeks is proven by the parts it asked for,
by the time it shows, and by the pixels.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import pages
from support.requires import program
from support.requires import requires as needs
from support.server import serving

TOP = Path(__file__).resolve().parents[2]
SECONDS = 60
#: Brightness of the first moment, and how much it grows in a second.
DARK, STEP = 60, 2
PAGE = b"""<!doctype html><meta charset=utf-8><title>video</title>
<video preload=metadata muted width=320 height=180 src=/long.mp4></video>
"""
BRIGHTNESS = """() => {
  const video = document.querySelector("video"), canvas = document.createElement("canvas");
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  const pen = canvas.getContext("2d");
  pen.drawImage(video, 0, 0);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 0;
  for (let at = 0; at < pixels.length; at += 4) sum += pixels[at + 1];
  return sum / (pixels.length / 4);
}"""
SEEK = """time => new Promise((done, failed) => {
  const video = document.querySelector("video");
  video.addEventListener("seeked", () => done(video.currentTime), {once: true});
  video.addEventListener("error", () => failed(video.error.message), {once: true});
  video.currentTime = time;
})"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("video")
    (root / "index.html").write_bytes(PAGE)
    picture = f"geq=lum='{DARK}+{STEP}*T':cb=128:cr=128,noise=alls=40:allf=t"
    subprocess.run(
        [program("ffmpeg"), "-v", "error", "-f", "lavfi", "-i",
         f"color=gray:size=320x180:rate=10:duration={SECONDS},{picture}", "-c:v", "libx264",
         "-preset", "ultrafast", "-qp", "8", "-g", "10", "-pix_fmt", "yuv420p", "-movflags",
         "+faststart", root / "long.mp4"], check=True, timeout=120)
    assert (root / "long.mp4").stat().st_size > 20_000_000
    return root


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with pages.browser() as running:
        yield running


@needs("chromium", "ffmpeg")
def test_a_browser_seeks_in_a_long_video(site: Path, folder: Path, browser) -> None:
    size = (site / "long.mp4").stat().st_size
    with serving(site, folder) as server, pages.page(browser) as page:
        replies = []
        page.on("response", lambda reply: replies.append(reply))
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.wait_for_function("document.querySelector('video').readyState >= 1")
        assert SECONDS == round(page.evaluate("document.querySelector('video').duration"))
        starts = []
        for time in (50, 10, 58, 30):
            assert time == page.evaluate(SEEK, time)
            shown = (page.evaluate(BRIGHTNESS) * 219 / 255 + 16 - DARK) / STEP
            assert abs(shown - time) < 1.5, f"at {time} s it shows what stands at {shown:.1f} s"
        for reply in replies:
            if reply.url.endswith("/long.mp4"):
                assert 206 == reply.status
                found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", reply.headers["content-range"])
                assert found is not None and size == int(found[3])
                starts.append(int(found[1]))
        # It began at the beginning, and went on far behind it: near 50 and 58 of 60 seconds.
        assert 0 == starts[0]
        assert any(start > size * 0.7 for start in starts), starts
        assert any(start > size * 0.9 for start in starts), starts


@needs("chromium", "ffmpeg")
def test_before_chapter_11_it_cannot(site: Path, folder: Path, browser) -> None:
    """The same page from a server without ranges: a test that could not fail is none."""
    with serving(site, folder, program="fork") as server, pages.page(browser) as page:
        replies = []
        page.on("response", lambda reply: replies.append(reply))
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.wait_for_function("document.querySelector('video').readyState >= 1")
        page.evaluate("document.querySelector('video').currentTime = 50")
        page.wait_for_timeout(1000)
        assert {200} == {reply.status for reply in replies if reply.url.endswith("/long.mp4")}
        ready = page.evaluate("(({readyState: r, currentTime: t, seeking: s}) => [r, t, s])"
                              "(document.querySelector('video'))")
        assert ready[1] != 50 or ready[2], "it has got there without a range"


@needs("chromium")
def test_a_browser_seeks_in_the_video_of_the_site(folder: Path, browser) -> None:
    with serving(TOP / "docroot", folder) as server, pages.page(browser) as page:
        replies = []
        page.on("response", lambda reply: replies.append(reply))
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.evaluate("(v => { v.preload = 'auto'; v.load(); })(document.querySelector('video'))")
        page.wait_for_function("document.querySelector('video').readyState >= 1")
        for time in (6.5, 1.25):
            assert time == page.evaluate(SEEK, time)
        media = [reply for reply in replies if reply.url.endswith(".mp4")]
        assert {206} == {reply.status for reply in media}
