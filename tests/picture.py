"""Draws docs/comment.png, the README's picture: the demo's comment as GitHub shows it. Run by `make picture`."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

from analyzer import analyze
from bot.demo.run import NAME
from bot.demo.sample import make_repository
from bot.ids import Repo
from bot.report import render
from bot.source import LocalRepository

OUT = Path(__file__).parents[1] / "docs" / "comment.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --force-device-scale-factor=2"
).split()
# GitHub's look, as far as a comment needs it.
STYLE = """
body { margin: 16px; background: #fff; color: #1f2328; width: 860px;
  font: 14px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif }
.box { border: 1px solid #d1d9e0; border-radius: 6px }
.head { background: #f6f8fa; border-bottom: 1px solid #d1d9e0; padding: 8px 16px; color: #59636e;
  border-radius: 6px 6px 0 0 }
.head b { color: #1f2328 }
.tag { border: 1px solid #d1d9e0; border-radius: 2em; padding: 0 6px; font-size: 12px; margin-left: 4px }
.body { padding: 16px } h3 { font-size: 1.25em; margin: 0 0 16px; font-weight: 600 }
code { background: #818b981f; border-radius: 6px; padding: .2em .4em; font: 85% ui-monospace, "DejaVu Sans Mono", monospace }
a { color: #0969da; text-decoration: none } ul { padding-left: 2em; margin: 0 0 16px } li + li { margin-top: .25em }
p { margin: 0 0 16px } sub { font-size: 12px; color: #59636e } summary { cursor: pointer } details { margin-bottom: 16px }
"""


def main() -> int:
    """Draw it. Returns the exit code."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        print("no chromium here: install it, then run again", file=sys.stderr)  # noqa: T201 - a script's own word
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base, head = make_repository(folder / "berth.git")
        analysis = analyze(*LocalRepository(folder / "berth.git").snapshots(base, head))
        body = render(analysis, Repo(NAME)).comment or ""
        shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
        page = folder / "comment.html"
        page.write_text(
            f'<meta charset="utf-8"><style>{STYLE}</style><div class="box"><div class="head"><b>winparity</b>'
            f'<span class="tag">bot</span> commented now</div><div class="body">{shown}</div></div>',
            encoding="utf-8",
        )
        OUT.parent.mkdir(exist_ok=True)
        command = [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=900,560"]
        subprocess.run([*command, f"--screenshot={OUT}", page.as_uri()], check=True, capture_output=True, timeout=120)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
