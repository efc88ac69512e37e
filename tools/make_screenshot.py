"""Make the README's picture: the report of the committed sample, as Chromium shows it.

    .venv/bin/python tools/make_screenshot.py            docs/report.png
    .venv/bin/python tools/make_screenshot.py zh         docs/report.zh.png

Needs Debian's `chromium` (or one on the PATH) and, for Chinese, a CJK font such as `fonts-noto-cjk`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from pipeline.runs.week_run import Options, run_week

ROOT = Path(__file__).resolve().parent.parent
WEEK = "2026-W47"
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def main() -> None:
    """Run the sample, open its report, and save a screenshot."""
    language = sys.argv[1] if len(sys.argv) > 1 else "en"
    target = ROOT / "docs" / ("report.png" if language == "en" else f"report.{language}.png")
    with tempfile.TemporaryDirectory() as held, sync_playwright() as play:
        dump = ROOT / "data" / "sample" / "dumps" / WEEK
        run = run_week(Options(data=Path(held) / "data", dump=dump, lang=language))
        assert run.folder is not None
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.goto((run.folder / "report.html").as_uri())
        page.evaluate("document.getElementById('files').remove()")  # the picture shows the list, not the table above it
        page.locator("#list tbody:visible button.o").nth(1).click()
        page.screenshot(path=target, clip={"x": 0, "y": 0, "width": 1200, "height": 1320}, full_page=True)
        browser.close()
    sys.stdout.write(f"wrote {target.relative_to(ROOT).as_posix()}, {target.stat().st_size / 1000:,.0f} kB\n")


if __name__ == "__main__":
    main()
