"""Draw what docroot/ shows: the picture, the film, the favicon, the error pages.

    .venv/bin/python tools/make_docroot.py [picture] [film] [favicon] [errors]

The results are committed; this is how they came about.  It draws with the
system's Chromium, driven by playwright, and needs ffmpeg for the film.
"""

from __future__ import annotations

import html
import json
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

DOCROOT: Final = Path(__file__).resolve().parents[1] / "docroot"
MEDIA: Final = DOCROOT / "media"
CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
QUIET: Final = (
    "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-sandbox",
)

FRAMES_A_SECOND: Final = 25
SECONDS: Final = 8

#: The picture: a program that writes one line and leaves, as the book's `hello` does.
PROGRAM: Final = (
    (0xD2800020, "mov   x0, #1", "standard output"),
    (0xB0000001, "adrp  x1, greeting", "the page it is on"),
    (0x91000021, "add   x1, x1, greeting", "and where on it"),
    (0xD28001A2, "mov   x2, #13", "how many bytes"),
    (0xD2800090, "mov   x16, #4", "write"),
    (0xD4001001, "svc   #0x80", "through the door"),
    (0xD2800000, "mov   x0, #0", "all is well"),
    (0xD2800030, "mov   x16, #1", "exit"),
    (0xD4001001, "svc   #0x80", "and out"),
)

ERRORS: Final = {
    400: ("Bad request", "What arrived is not a request that HTTP allows."),
    403: ("Forbidden", "It is there, but it is not for reading."),
    404: ("Not found", "There is nothing at this address."),
    405: ("Method not allowed", "This can be read, but not with that method."),
    408: ("Too slow", "The request took too long to arrive."),
    409: ("Does not fit", "This cannot be done to what is here now."),
    411: ("How long is it?", "The request has a body, and must say how long that is."),
    412: ("Not what was meant", "What is here is not what the request was meant for."),
    413: ("Too large", "The server does not take a body of that size."),
    414: ("Address too long", "The server stopped reading an address without end."),
    415: ("Not as it is", "Files are kept as they are; this one was sent compressed."),
    416: ("Behind the end", "The file ends before the part that was asked for."),
    417: ("Too much expected", "The request expects what this server does not do."),
    421: ("Not this server", "This server does not speak for that address."),
    431: ("Headers too large", "More header than anybody needs; the server stopped reading."),
    500: ("Something failed here", "The fault is on this side. It is not yours."),
    501: ("Not implemented", "The server does not know this method."),
    503: ("Too busy", "All hands are taken. Please come back in a moment."),
    505: ("Version not supported", "This server speaks HTTP/1.0 and HTTP/1.1."),
    507: ("No room left", "There is no room for this. Nothing has changed."),
}


def main(parts: list[str]) -> None:
    for part in parts or ["picture", "film", "favicon", "errors"]:
        {"picture": picture, "film": film, "favicon": favicon, "errors": errors}[part]()


@contextmanager
def page(width: int, height: int) -> Iterator[Any]:
    """A blank page of that many pixels in the system's Chromium."""
    from playwright.sync_api import sync_playwright

    executable = next(path for name in CHROMIUM if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(QUIET))
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


# The picture

PICTURE_STYLE: Final = """
svg { display: block }
text { font: 17px 'DejaVu Sans Mono', monospace; fill: #e9e6df; white-space: pre }
.s { fill: #8b90a0; font-size: 14px }
.h { fill: #ff9a5c; font-size: 15px }
"""


def picture() -> None:
    cell, gap, top, left, line = 17, 3, 84, 24, 68
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="1040" height="760">',
        '<rect width="1040" height="760" fill="#15171c"/>',
        f"<style>{PICTURE_STYLE}</style>",
        f'<text class="h" x="{left}" y="44">bit 31</text>',
        f'<text class="h" x="{left + 31 * (cell + gap) + cell}" y="44" text-anchor="end">0</text>',
        '<text class="h" x="700" y="44">nine instructions, 288 bits</text>',
    ]
    for row, (word, text, meaning) in enumerate(PROGRAM):
        y = top + row * line
        door = text.startswith("svc")
        for bit in range(32):
            x = left + bit * (cell + gap)
            on = word >> (31 - bit) & 1
            colour = ("#ff9a5c" if door else "#e9e6df") if on else "#2b2f39"
            parts.append(
                f'<rect x="{x}" y="{y}" width="{cell}" height="{cell * 2}" rx="3" '
                f'fill="{colour}"/>'
            )
        parts.append(f'<text x="700" y="{y + 14}">{html.escape(text)}</text>')
        parts.append(f'<text class="s" x="700" y="{y + 34}">{word:08x}  {meaning}</text>')
    parts.append(
        f'<text class="s" x="{left}" y="{top + len(PROGRAM) * line + 26}">'
        "A row is one instruction, a bright square a 1. "
        "Orange: the two times it asks the kernel.</text></svg>"
    )
    with page(1040, 760) as view:
        view.set_content(f"<body style='margin:0'>{''.join(parts)}</body>")
        view.screenshot(path=MEDIA / "bits.png")


# The film

SCENE: Final = r"""
<body style="margin:0;background:#15171c"><canvas width=960 height=540></canvas><script>
const c = document.querySelector("canvas").getContext("2d");
const INK = "#e9e6df", SOFT = "#8b90a0", LINE = "#3a3f4b", HOT = "#ff9a5c", COOL = "#6fd3a4";
// when, who makes it, what
const CALLS = [[.6,0,"accept"],[1.3,0,"fork"],[2.0,1,"read"],[3.0,1,"open"],[3.6,1,"fstat"],
               [4.3,1,"write"],[5.0,1,"sendfile"],[6.5,1,"exit"],[7.0,0,"wait4"]];
const ease = (x) => { x = Math.min(1, Math.max(0, x)); return x * x * (3 - 2 * x); };
const between = (t, a, b) => ease((t - a) / (b - a));
function box(x, y, w, h, colour, width = 2) {
  c.strokeStyle = colour; c.lineWidth = width; c.beginPath();
  c.roundRect(x, y, w, h, 12); c.stroke();
}
function text(s, x, y, colour = INK, size = 20, align = "left") {
  c.fillStyle = colour; c.textAlign = align;
  c.font = size + "px 'DejaVu Sans Mono', monospace"; c.fillText(s, x, y);
}
function packet(t, a, b, x0, y0, x1, y1, colour, n, size) {
  for (let i = 0; i < n; i++) {
    const d = (b - a) / (n + 6), p = (t - a - i * d) / (d * 6);
    if (p <= 0 || p >= 1) continue;
    c.fillStyle = colour;
    const x = x0 + (x1 - x0) * ease(p), y = y0 + (y1 - y0) * ease(p);
    c.fillRect(x - size / 2, y - size / 2, size, size);
  }
}
function draw(t) {
  c.fillStyle = "#15171c"; c.fillRect(0, 0, 960, 540);
  // the browser
  box(40, 70, 240, 250, SOFT); text("browser", 160, 50, SOFT, 18, "center");
  c.fillStyle = LINE; c.fillRect(60, 90, 200, 22);
  text("127.0.0.1:8080/", 68, 107, INK, 15);
  const got = between(t, 5.6, 6.5);
  for (let row = 0; row < 7; row++) for (let col = 0; col < 10; col++)
    if ((row * 10 + col) / 70 < got) {
      c.fillStyle = (row * 7 + col * 3) % 5 < 2 ? HOT : (row + col) % 3 ? "#c9c4b8" : COOL;
      c.fillRect(62 + col * 20, 128 + row * 25, 17, 21);
    }
  // the server: parent, and the child that splits off
  text("ymawky", 480, 50, SOFT, 18, "center");
  const parentHot = (t > .6 && t < 2) || (t > 7 && t < 7.7);
  box(390, 70, 180, 92, parentHot ? HOT : SOFT); text("parent", 480, 122, INK, 20, "center");
  const born = between(t, 1.3, 1.9), gone = between(t, 6.6, 7.0);
  if (born > 0 && gone < 1) {
    c.globalAlpha = 1 - gone;
    const y = 70 + 158 * born;
    box(390, y, 180, 92, t < 6.6 ? HOT : SOFT); text("child", 480, y + 52, INK, 20, "center");
    c.globalAlpha = 1;
  }
  // the file
  box(690, 228, 220, 92, t > 3 && t < 6.5 ? COOL : SOFT);
  text("index.html", 800, 268, INK, 20, "center");
  text("on the disk", 800, 296, SOFT, 15, "center");
  // what travels
  packet(t, .1, 1.0, 282, 116, 388, 116, HOT, 1, 12);
  packet(t, 1.6, 2.7, 282, 270, 388, 274, INK, 14, 7);
  if (t > 1.5 && t < 2.9) text("GET / HTTP/1.1", 335, 350, INK, 15, "center");
  packet(t, 3.0, 4.0, 572, 262, 688, 262, COOL, 1, 12);
  packet(t, 3.5, 4.2, 688, 290, 572, 290, COOL, 1, 12);
  packet(t, 4.3, 5.2, 388, 290, 282, 286, INK, 8, 7);
  if (t > 4.3 && t < 5.4) text("HTTP/1.1 200 OK", 335, 350, INK, 15, "center");
  packet(t, 5.0, 6.3, 688, 274, 572, 274, COOL, 26, 8);
  packet(t, 5.2, 6.6, 388, 274, 282, 274, COOL, 26, 8);
  if (t > 5.4 && t < 6.8) text("the file itself", 335, 350, INK, 15, "center");
  // the calls, in their order
  c.fillStyle = LINE; c.fillRect(40, 430, 880, 2);
  text("system calls", 40, 402, SOFT, 15);
  CALLS.forEach(([when, who, name], i) => {
    if (t < when) return;
    const x = 62 + i * 102, hot = t - when < .6;
    c.fillStyle = hot ? HOT : who ? COOL : SOFT;
    c.beginPath(); c.arc(x, 431, hot ? 9 : 7, 0, 7); c.fill();
    text(name, x, 470, hot ? HOT : INK, 17, "center");
    text(who ? "child" : "parent", x, 494, SOFT, 13, "center");
  });
}
</script>
"""


def film() -> None:
    """H.264 with the index in front, so that it plays while it loads, in Safari too."""
    with tempfile.TemporaryDirectory(prefix="ymawky-film-") as folder:
        with page(960, 540) as view:
            view.set_content(SCENE)
            for number in range(FRAMES_A_SECOND * SECONDS):
                view.evaluate(f"draw({json.dumps(number / FRAMES_A_SECOND)})")
                view.screenshot(path=Path(folder, f"{number:04}.png"))
        poster = Path(folder, f"{int(6.2 * FRAMES_A_SECOND):04}.png")
        shutil.copyfile(poster, MEDIA / "request.png")
        subprocess.run(
            [
                "ffmpeg", "-loglevel", "error", "-y", "-framerate", str(FRAMES_A_SECOND),
                "-i", f"{folder}/%04d.png", "-c:v", "libx264", "-preset", "veryslow",
                "-crf", "26", "-pix_fmt", "yuv420p", "-g", "50", "-movflags", "+faststart",
                "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact",
                str(MEDIA / "request.mp4"),
            ],
            check=True,
        )


# The small things

def favicon() -> None:
    """favicon.ico, a PNG in the old container, for browsers that ask for it unasked."""
    with page(32, 32) as view:
        drawing = (DOCROOT / "favicon.svg").read_text()
        view.set_content(f"<body style='margin:0'>{drawing}</body>")
        picture = view.screenshot(omit_background=True)
    entry = struct.pack("<BBBBHHII", 32, 32, 0, 0, 1, 32, len(picture), 22)
    (DOCROOT / "favicon.ico").write_bytes(struct.pack("<HHH", 0, 1, 1) + entry + picture)


ERROR_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{status} {title}</title>
<style>
body {{ margin: 0; min-height: 100vh; display: grid; place-content: center; padding: 1.5rem;
  box-sizing: border-box; background: #faf8f4; color: #20222a;
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }}
strong {{ font: 700 clamp(4rem, 20vw, 8rem)/1 ui-monospace, Menlo, "DejaVu Sans Mono", monospace;
  color: #b4400b; display: block; letter-spacing: -.04em; }}
h1 {{ font-size: 1.6rem; margin: 1rem 0 .25rem; }}
p {{ margin: 0 0 1rem; color: #5b5f6b; max-width: 30rem; }}
a {{ color: #b4400b; }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #15171c; color: #e9e6df; }}
  p {{ color: #a2a6b1; }}
  strong, a {{ color: #ff9a5c; }}
}}
</style>
</head>
<body>
<main>
<strong>{status}</strong>
<h1>{title}</h1>
<p>{text}</p>
<p><a href="/">Back to the start</a></p>
</main>
</body>
</html>
"""


def errors() -> None:
    """One page per status; each stands alone, for it may appear at any address."""
    folder = DOCROOT / "errors"
    folder.mkdir(exist_ok=True)
    for status, (title, text) in ERRORS.items():
        (folder / f"{status}.html").write_text(
            ERROR_PAGE.format(status=status, title=title, text=text)
        )


if __name__ == "__main__":
    main(sys.argv[1:])
