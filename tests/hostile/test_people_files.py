"""Forty hostile titles come out as text in the report and in the workbook, and unchanged in Parquet."""

import csv
import io
import warnings
from html.parser import HTMLParser

import openpyxl
import pyarrow.parquet as pq
import pytest

from pipeline.publish.text.formatting import TITLE_MOST, readable

WEEK = "2026-W47"
TITLES = [
    "=cmd|' /C calc'!A0", "\t=1+1", "＝1+1", "+1+1", "-1+1", "@SUM(1)", "=HYPERLINK(\"http://x.invalid\")", "<script>alert(1)</script>",
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "' onmouseover='alert(1)",
    "<!-- ", "]]>", "&lt;b&gt;", "{{7*7}}", "{% raw %}", "${7*7}", "#{7*7}", "{0.__class__}", "%s%n", "javascript:alert(1)",
    "\u202eesrever", "\u2066isolated", "\u200bzero width", "\x1b[31mred", "\x1b]0;title\x07", "bell\x07", "back\x08space", "\x9b31m",
    "emoji 👩\u200d👩\u200d👧 🐾", "𠜎𠜱𠝹", "a\u0301\u0301\u0301", "\ufeffbom", "\ufffe", "\u2028line\u2029", "_x0041_", "http://x.invalid/",
    "x" * 1_000_000, "竹制抽屉收纳盒",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from pipeline.runs.week_run import Options, run_week

    base = tmp_path_factory.mktemp("hostile")
    dump = base / WEEK
    dump.mkdir()
    with (dump / "candidates.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["product_id", "title", "price", "currency", "brand", "category_path", "monthly_sold"])
        for place, title in enumerate(TITLES):
            writer.writerow([f"B0HOSTILE{place:02d}", title, "29.99", "USD", "Generic", "Home & Kitchen > Storage", "300"])
    (base / "plan.toml").write_text("[general]\nset_aside_share_max = 1.0\n", encoding="utf-8")
    return run_week(Options(data=base / "data", dump=dump, plan=base / "plan.toml")).folder


class Seen(HTMLParser):
    """The elements with their attributes, and all text."""

    def __init__(self):
        super().__init__()
        self.tags, self.names, self.text = [], set(), []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.names |= {name for name, _ in attributes}

    def handle_data(self, data):
        self.text.append(data)


def test_they_are_unchanged_in_parquet(folder):
    told = {
        row["product_id"]: row["title"] for row in pq.read_table(folder / "decisions.parquet", columns=["product_id", "title"]).to_pylist()
    }
    aside = {row["line"] for row in pq.read_table(folder / "set_aside.parquet").to_pylist()}
    assert len(TITLES) == 40 and len(told) >= 38
    for place, title in enumerate(TITLES):
        if f"B0HOSTILE{place:02d}" in told:
            assert told[f"B0HOSTILE{place:02d}"] == title.strip()
    assert len(told) == 40 or aside


def test_they_are_text_in_the_report(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    seen = Seen()
    seen.feed(page)
    assert seen.tags.count("script") == 1 and "img" not in seen.tags
    assert not {name for name in seen.names if name.startswith("on")} and len(page) < 1_000_000
    text = "".join(seen.text)
    shown = {row["title"] for row in pq.read_table(folder / "shown.parquet").to_pylist()}
    assert len(shown) >= 38
    for title in shown:
        assert readable(title, 90).strip() in text or readable(title, TITLE_MOST).strip() in text, ascii(title[:60])
    assert not any(c in page for c in "\x00\x07\x08\x1b\x9b\u202e\u2066\u2028")


def test_they_are_text_in_the_workbook(folder):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*xtension is not supported")
        book = openpyxl.load_workbook(io.BytesIO((folder / "shortlist.xlsx").read_bytes()))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert all(cell.data_type != "f" for cell in cells)
    values = {cell.value for cell in cells if isinstance(cell.value, str)}
    assert {"=cmd|' /C calc'!A0", "=1+1", "＝1+1", "<script>alert(1)</script>", "{{7*7}}", "竹制抽屉收纳盒"} <= values
    assert max(len(value) for value in values) <= 32_767
    links = [cell.hyperlink.target for cell in cells if cell.hyperlink]
    assert links and all(link.startswith("https://www.amazon.com/dp/B0HOSTILE") for link in links)
