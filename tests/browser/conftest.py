"""One Chromium for the whole session, and the pages that the tests look at; skipped with a reason where there is no Chromium."""

from __future__ import annotations

import json
import shutil

import pytest

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WEEK = "2026-W47"


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """The system's Chromium with a fresh profile; nothing is downloaded."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        context = play.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")), executable_path=program, args=ARGUMENTS, headless=True
        )
        yield context.browser or context
        context.close()


@pytest.fixture
def open_page(browser):
    """Open a report in a context of its own; what it asks of the network and says in the console is kept."""
    opened = []

    def show(path, **options):
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        opened.append(context)
        page = context.new_page()
        page.requests, page.complaints = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(path.resolve().as_uri())
        return page

    yield show
    for context in opened:
        context.close()


@pytest.fixture(scope="session")
def sample(tmp_path_factory, root):
    """The run of the committed sample, in English, and its report in Chinese."""
    from pipeline.publish.documents import documents
    from pipeline.publish.view.run_view import RunFolder
    from pipeline.runs.week_run import Options, run_week

    folder = tmp_path_factory.mktemp("browser")
    run = run_week(Options(data=folder / "data", dump=root / "data" / "sample" / "dumps" / WEEK)).folder
    chinese = dict(documents(RunFolder(run, None, json.loads((run / "run.json").read_text(encoding="utf-8")), "zh")))
    (folder / "zh.html").write_bytes(chinese["report.html"])
    return {"en": run / "report.html", "zh": folder / "zh.html", "folder": run}


@pytest.fixture(scope="session")
def long_list(sample, tmp_path_factory):
    """A list of 5,000 rows: the sample's, each many times under a new id, with the price history of each."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from pipeline.publish.documents import documents
    from pipeline.publish.view.run_view import RunFolder

    folder = tmp_path_factory.mktemp("long") / "run"
    shutil.copytree(sample["folder"], folder)

    def many(table, rows):
        places = pa.array([place % table.num_rows for place in range(rows)])
        longer = table.take(places)
        names = pa.array([f"B0L{place:07d}" for place in range(rows)])
        return longer.set_column(longer.schema.get_field_index("product_id"), "product_id", names)

    listed = many(pq.read_table(folder / "shortlist.parquet"), 5000)
    ranks = pa.array(range(1, 5001))
    pq.write_table(listed.set_column(listed.schema.get_field_index("rank"), "rank", ranks), folder / "shortlist.parquet")
    shown = pq.read_table(folder / "shown.parquet")
    kept = shown.filter(pc.equal(shown["pick"], "list"))
    head = many(kept, 500)
    head = head.set_column(head.schema.get_field_index("rank"), "rank", ranks.slice(0, 500))
    pq.write_table(pa.concat_tables([head, shown.filter(pc.not_equal(shown["pick"], "list"))]), folder / "shown.parquet")
    series = pq.read_table(folder / "price_series.parquet")
    by_product = {row["product_id"]: row for row in series.to_pylist()}
    products = kept["product_id"].to_pylist()
    rows = [
        by_product.get(products[place % len(products)], series.to_pylist()[0]) | {"product_id": f"B0L{place:07d}"} for place in range(500)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=series.schema), folder / "price_series.parquet")
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    manifest["verdicts"]["shortlisted"] = 5000
    told = dict(documents(RunFolder(folder, None, manifest, "en")))
    (folder / "report.html").write_bytes(told["report.html"])
    (folder / "shortlist.xlsx").write_bytes(told["shortlist.xlsx"])
    return folder / "report.html"
