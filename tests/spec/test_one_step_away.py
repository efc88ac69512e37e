"""The row that must be shortlisted, and one step away from it, each step as a whole run over CSV files."""

import csv
import datetime as dt
from pathlib import Path

import pyarrow.parquet as pq
import pytest

WEEK = "2026-W47"
TABLE = Path(__file__).with_name("one_step_away.csv").read_text(encoding="utf-8")
CASES = list(csv.DictReader(TABLE.splitlines(), delimiter="|"))
CNY_PLAN = '[[exchange_rates]]\nfrom = "CNY"\nto = "USD"\ndate = 2026-11-16\nrate = 0.14\n'


def changed(text: str) -> dict[str, str]:
    """`a=1;b=` as a mapping."""
    return dict(part.split("=", 1) for part in text.split(";")) if text else {}


def decided(make_dump, run, case):
    dump = make_dump(WEEK, candidate=changed(case["candidate"]), offer=changed(case["offers"]), suppliers=int(case["suppliers"]))
    result = run(dump, plan=CNY_PLAN if case["plan"] == "cny" else None)
    rows = pq.read_table(result.folder / "decisions.parquet").to_pylist()
    assert len(rows) == 1
    return rows[0]


@pytest.mark.parametrize("case", CASES, ids=[case["what"] for case in CASES])
def test_each_step_alone_changes_the_verdict_as_the_table_says(make_dump, run, case):
    row = decided(make_dump, run, case)
    assert row["verdict"] == case["verdict"], row["reasons"]
    told = {(reason["rule"], reason["severity"]) for reason in row["reasons"]}
    if case["rule"]:
        assert (case["rule"], case["severity"]) in told
    rejecting = {rule for rule, severity in told if severity == "reject"}
    assert bool(rejecting) == (case["verdict"] == "rejected")


def case(what):
    return next(entry for entry in CASES if entry["what"] == what)


def test_the_row_itself_has_the_figures_that_a_person_reckons_by_hand(make_dump, run):
    row = decided(make_dump, run, case("the row itself"))
    assert row["referral_fee"] == 4.50  # 29.99 x 15 % = 4.4985
    assert row["landed_cost"] == 10.00
    assert row["landed_share"] == pytest.approx(10 / 29.99)
    assert row["gross_margin"] == pytest.approx((29.99 - 10.00 - 4.50) / 29.99)
    assert row["advertising_cost"] == 3.00
    assert row["net_profit"] + row["expected_return_loss"] == pytest.approx(12.49)  # a kept order before returns
    assert (row["return_alpha"], row["return_beta"]) == (pytest.approx(0.061 * 40 + 0.8 * 2), pytest.approx(0.939 * 40 + 0.8 * 58))
    assert row["return_rate"] == pytest.approx(0.0459, abs=5e-5)
    assert row["return_over_limit_probability"] == pytest.approx(0.14, abs=5e-3)
    # 4.04 / 88 of (29.99 - 4.50 + 6.00 return label + 0.90 refund fee) = 1.487
    assert row["expected_return_loss"] == 1.49
    assert row["supplier_id"] == "S1" and list(row["backup_suppliers"]) == ["S2"]
    assert row["rank"] == 1 and row["fee_schedule"] == "us-referral-2025"


def test_without_an_offer_the_most_it_may_cost_is_told(make_dump, run):
    row = decided(make_dump, run, case("no offer"))
    assert row["missing"] == ["offer"]
    # 40 % gross margin binds: 29.99 - 4.50 - 0.40 x 29.99 = 13.494
    assert row["max_landed_cost"] == 13.49
    assert row["max_purchase_cost"] == pytest.approx(13.49 - 4.50)  # less the assumed label of a 400 g parcel


def test_an_offer_in_yuan_costs_the_same_to_the_cent_of_the_rate(make_dump, run):
    row = decided(make_dump, run, case("offer in yuan with a dated rate"))
    assert row["unit_cost"] == 7.00  # 50.00 x 0.14
    assert row["freight"] == 3.00  # 21.43 x 0.14 = 3.0002
    # At 74.96 the goods cost 10.494, so 10.49; at 74.97 they would cost 10.4958, so 10.50: the most that may be paid.
    assert (row["supplier_currency"], row["max_purchase_cost_supplier"], row["max_purchase_cost_cny"]) == ("CNY", 74.96, 74.96)


@pytest.mark.parametrize(
    ("what", "missing"),
    [("no price", "price"), ("offer in yuan without a rate", "exchange_rate"), ("goods from abroad, duty open", "duty")],
)
def test_what_is_missing_is_named(make_dump, run, what, missing):
    assert decided(make_dump, run, case(what))["missing"] == [missing]


def test_a_candidate_skipped_last_week_is_not_listed_and_says_why(make_dump, run):
    dump = make_dump(WEEK)
    decisions = dump.parent.parent / "data" / "decisions.csv"
    decisions.parent.mkdir()
    decisions.write_text(f"product_id,decision,decided_on\nB0EXAMPLE1,skip,{dt.date(2026, 11, 12)}\n")
    row = pq.read_table(run(dump).folder / "decisions.parquet").to_pylist()[0]
    assert row["verdict"] == "passed" and row["rank"] is None
    assert row["reasons"][-1]["rule"] == "decision"
    assert row["hidden_by"] == "decision skip: hidden until 2027-02-04"  # twelve weeks


def test_unknown_brand_in_apparel_is_reviewed_by_category_and_rejected_by_the_return_risk_of_apparel(make_dump, run):
    path = "Clothing, Shoes & Jewelry > Women > Clothing > Dresses"
    dump = make_dump(WEEK, candidate={"brand": "Quillanta", "category_path": path, "sold_orders": "", "returned_orders": ""})
    row = pq.read_table(run(dump).folder / "decisions.parquet").to_pylist()[0]
    assert row["category_verdict"] == "review" and row["verdict"] == "rejected"
    assert [r["rule"] for r in row["reasons"] if r["severity"] == "reject"] == ["return_risk"]
