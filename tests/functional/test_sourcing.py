"""`shortlist sourcing`: who is on the worklist, in which order, and the same rows in every form."""

import csv
import datetime as dt
import io
import json

import openpyxl
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pipeline import cli
from pipeline.errors import PlanError

NAMES = ("B0BEST", "B0MORE", "B0UNSOLD", "B0QUOTED", "B0CHEAP", "B0HIDDEN", "B0TOYS")


@pytest.fixture
def data(make_dump, run, tmp_path):
    """A week of products without an offer, but for one."""
    base = {
        "title": "Bamboo drawer organizer", "brand": "Generic", "currency": "USD", "price": "29.99", "package_weight_g": "400",
        "category_path": "Home & Kitchen > Storage & Organization > Drawer Organizers",
    }  # fmt: skip
    told = {
        "B0BEST": {"monthly_sold": "400", "title": "=cmd|' /C calc'!A0"},
        "B0MORE": {"monthly_sold": "300"},
        "B0UNSOLD": {"monthly_sold": ""},
        "B0QUOTED": {"monthly_sold": "900"},
        "B0CHEAP": {"monthly_sold": "900", "price": "19.99"},  # out of the band: rejected
        "B0HIDDEN": {"monthly_sold": "900"},
        "B0TOYS": {"monthly_sold": "900", "category_path": "Electronics > Headphones"},
    }
    rows = [{"product_id": name, "monthly_sold": "", **base, **told[name]} for name in NAMES]
    offer = {
        "supplier_id": "S1", "product_id": "B0QUOTED", "unit_cost": "7.00", "currency": "USD", "freight": "3.00", "freight_to": "buyer",
        "duty_included": "yes", "platform": "cj", "handling_days_max": "1", "has_tracking": "yes", "quoted_at": "2026-11-18",
    }  # fmt: skip
    history = [{"product_id": n, "date": "2026-11-01", "price": told[n].get("price", "29.99"), "currency": "USD"} for n in NAMES]
    dump = make_dump(more={"candidates": rows, "offers": [offer], "price_history": history})
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "decisions.csv").write_text(f"product_id,decision,decided_on\nB0HIDDEN,skip,{dt.date(2026, 11, 12)}\n")
    rate = '[[exchange_rates]]\nfrom = "CNY"\nto = "USD"\ndate = 2026-11-16\nrate = 0.14\n'
    run(dump, plan=rate)
    return folder


def sourcing(data, *words):
    answer = CliRunner().invoke(cli.shortlist, ["sourcing", "--data", str(data), *map(str, words)], catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.output


def test_the_worklist_holds_what_lacks_an_offer_alone_best_first_in_every_form(data, tmp_path):
    told = json.loads(sourcing(data, "--json"))
    assert told["week"] == "2026-W47"
    rows = told["sourcing"]
    assert [(row["place"], row["product_id"]) for row in rows] == [(1, "B0BEST"), (2, "B0MORE"), (3, "B0UNSOLD")]
    best = rows[0]
    # 40 % gross margin binds: 29.99 - 4.50 - 0.40 x 29.99 = 13.494; less the label of 4.50 that a light parcel is taken to cost
    assert (best["max_landed_cost"], best["max_purchase_cost"]) == (13.49, 8.99)
    assert best["max_purchase_cost_cny"] == 64.24  # x 0.14 = 8.9936, so 8.99; 64.25 would be 8.995, so 9.00
    # At 35 % of 29.99, 10.50: 29.99 - 4.50 - 3.00 - 10.50 = 11.99 before the return loss of 0.061 x 32.39 = 1.98
    assert best["sourcing_profit"] == pytest.approx(11.99 - 1.98)

    lines = list(csv.DictReader(io.StringIO(sourcing(data, "--csv"))))
    assert [line["product_id"] for line in lines] == [row["product_id"] for row in rows]
    assert lines[0]["title"] == "'=cmd|' /C calc'!A0" and lines[0]["max_purchase_cost"] == "8.99" and lines[2]["monthly_sold"] == ""

    for name in ("list.csv", "list.xlsx", "list.json"):
        assert "3 candidates of 2026-W47" in sourcing(data, "--out", tmp_path / name)
    assert json.loads((tmp_path / "list.json").read_text(encoding="utf-8"))["sourcing"] == rows
    sheet = openpyxl.load_workbook(tmp_path / "list.xlsx")["sourcing"]
    cells = [[cell.value for cell in line] for line in sheet.iter_rows()]
    assert cells[0][:2] == ["place", "product id"] and cells[1][:4] == [1, "B0BEST", "US", "=cmd|' /C calc'!A0"]
    assert sheet["D2"].data_type == "s" and cells[1][6:9] == [8.99, 64.24, 13.49]

    table = sourcing(data, "--top", "2").splitlines()
    assert len(table) == 4 and table[1].split()[:5] == ["1", "B0BEST", "8.99", "64.24", "13.49"]

    decided = {row["product_id"]: row for row in pq.read_table(data / "shortlists" / "2026-W47" / "decisions.parquet").to_pylist()}
    assert decided["B0QUOTED"]["max_purchase_cost"] == 10.49 and decided["B0CHEAP"]["verdict"] == "rejected"


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ("", "no exchange rate CNY to USD on or before the week's Sunday"),
        ('[[exchange_rates]]\nfrom = "CNY"\nto = "USD"\ndate = 2026-10-01\nrate = 0.14\n', "is older than 30 days"),
    ],
)
def test_a_missing_or_old_exchange_rate_warns_or_refuses_the_run_as_the_plan_says(make_dump, run, tmp_path, rates, words):
    dump = make_dump(offer={"unit_cost": "50.00", "freight": "21.43", "currency": "CNY"})
    told = run(dump, plan=rates, dry_run=True).manifest["warnings"]
    assert any(words in text and "(1 offers)" in text for text in told)
    with pytest.raises(PlanError, match=f"plan refused: .*{words}"):
        run(dump, plan='[exchange]\nmissing_rate = "refuse"\nold_rate = "refuse"\n' + rates)
    assert not (tmp_path / "data" / "shortlists").exists()


def test_an_ending_that_says_no_form_is_a_wrong_use(data, tmp_path):
    answer = CliRunner().invoke(cli.shortlist, ["sourcing", "--data", str(data), "--out", str(tmp_path / "list.ods")])
    assert answer.exit_code == 2 and "the ending must be one of .csv, .xlsx, .json" in answer.output
