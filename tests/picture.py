"""Draws comments and check runs as GitHub shows them. Run by `make picture`.

docs/comment.png is the README's: the demo's comment. Every other shape is drawn into .cache/pictures, wide and as on a
phone, to be looked at.
"""

import html
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from analyzer import analyze
from bot.demo.run import NAME
from bot.demo.sample import make_repository
from bot.ids import Repo
from bot.repo_config import Problem, RepoConfig
from bot.report import Report, internal_error, render
from bot.source import LocalRepository
from tests.bot.openapi import Package, member
from tests.bot.rendered import page
from tests.bot.shapes import SHAPES, analysis

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "comment.png"
PICTURES = ROOT / ".cache" / "pictures"
STYLE = Package(
    "github-markdown-css",
    "5.9.0",
    "tmT5sY+zvg2302XLYEfH2mtkViIM1SWf2nvYoF5N1ZsO0V6B2qZTiw3GOzw4vpjLygK/KG35qRlPFweHqfzz5w==",
    "package/github-markdown-light.css",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars"
).split()
# Pixels of a comment on GitHub, and of a phone.
WIDE, PHONE = 860, 390
# What surrounds the Markdown on GitHub, as far as it matters.
FRAME = """
body { margin: 16px; background: #fff; display: flex; gap: 16px; align-items: start; zoom: SCALE }
.box { border: 1px solid #d1d9e0; border-radius: 6px; margin-bottom: 16px; overflow: hidden }
.head { font: 14px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; background: #f6f8fa;
  border-bottom: 1px solid #d1d9e0; padding: 8px 16px; color: #59636e }
.head b { color: #1f2328 } .markdown-body { padding: 16px; font-size: 14px }
"""
MISTAKE = Problem(3, "comment must be one of never, regressions, findings, always, not 'often'")


def main() -> int:
    """Draw them. Returns the exit code."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        print("no chromium here: install it, then run again", file=sys.stderr)  # noqa: T201 - a script's own word
        return 2
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _draw(browser, folder, OUT, _box("<b>winparity</b> commented now", _sample(folder).comment), [WIDE])
        for shape, report in _reports():
            _draw(browser, folder, PICTURES / f"{shape}.png", _boxes(report), [WIDE, PHONE])
            print(PICTURES / f"{shape}.png")  # noqa: T201 - a script's own word
    return 0


def _sample(folder: Path) -> Report:
    base, head = make_repository(folder / "berth.git")
    return render(analyze(*LocalRepository(folder / "berth.git").snapshots(base, head)), Repo(NAME))


def _reports() -> Iterator[tuple[str, Report]]:
    repo = Repo(NAME)
    for shape, known in SHAPES.items():
        yield shape, render(known, repo)
    yield "settings", render(analysis(), repo, config=RepoConfig(problems=(MISTAKE,)), edited=(MISTAKE,))
    yield "internal-error", internal_error("the-delivery")


def _boxes(report: Report) -> str:
    """The comment, and the check run below it: what it shows at the top, and its annotations as they stand in a file."""
    check = report.check
    remarks = "\n\n".join(f"{a.path}:{a.start_line} {a.level}: {a.title}\n{a.message}" for a in check.annotations[:9])
    return "".join(
        (
            _box("<b>winparity</b> commented now", report.comment),
            _box("<b>winparity</b> commented now, once it is resolved", report.resolved),
            _box(f"check run · {check.conclusion} · <b>{html.escape(check.title)}</b>", check.summary),
            _box("its text", check.text),
            f'<div class="box"><pre class="markdown-body" style="white-space: pre-wrap">{html.escape(remarks)}</pre></div>',
        )
    )


def _box(head: str, markdown: str | None) -> str:
    body = page(markdown) if markdown else "<p><em>nothing</em></p>"
    return f'<div class="box"><div class="head">{head}</div><div class="markdown-body">{body}</div></div>'


def _draw(browser: str, folder: Path, out: Path, body: str, widths: list[int]) -> None:
    """A picture as high as the page is; on the first of two looks the page says how high that is."""
    columns = "".join(f'<div style="width: {width}px; flex: none">{body}</div>' for width in widths)
    scale = 2 if len(widths) == 1 else 1
    style = member(STYLE).decode() + FRAME.replace("SCALE", str(scale))
    file = folder / "page.html"
    measure = "document.title = document.documentElement.scrollHeight"
    text = f'<meta charset="utf-8"><style>{style}</style>{columns}<script>{measure}</script>'
    file.write_text(text, encoding="utf-8")
    width = (sum(widths) + 16 * (len(widths) + 1) + 2) * scale
    command = [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}"]
    first = [*command, f"--window-size={width},400", "--dump-dom", file.as_uri()]
    dom = subprocess.run(first, check=True, capture_output=True, text=True, timeout=120).stdout
    height = min(int(re.findall(r"<title>(\d+)", dom)[0]) + 16, 16_000)
    second = [*command, f"--window-size={width},{height}", f"--screenshot={out}", file.as_uri()]
    subprocess.run(second, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    raise SystemExit(main())
