"""A week knows the observations of earlier weeks, and none of later ones."""

import datetime as dt
import json
import shutil

import pandas as pd
import pyarrow.parquet as pq

from pipeline.runs.week_run import Options, run_week

PRODUCT = "B0EXAMPLE1"
SOLD = dt.date(2026, 6, 1)


def orders(first, count, back=0):
    """Sales numbered from `first`, the first `back` of them come back."""
    sale = {"product_id": PRODUCT, "unit_price": "29.99", "currency": "USD", "quantity": "1"}
    rows = [sale | {"order_id": f"o{n}", "ordered_at": SOLD.isoformat(), "is_return": ""} for n in range(first, first + count)]
    return rows + [
        sale | {"order_id": f"r{n}", "ordered_at": "2026-06-20", "is_return": "yes", "returned_order_id": f"o{n}"}
        for n in range(first, first + back)
    ]


def deliveries(first, count, late):
    days = [SOLD + dt.timedelta(days=n) for n in range(first, first + count)]
    return [
        {"supplier_id": "S1", "promised_date": day.isoformat(), "shipped_date": (day + dt.timedelta(days=n < late)).isoformat()}
        for n, day in enumerate(days)
    ]


def facts(result):
    return pd.read_parquet(result.folder / "decisions.parquet").set_index("product_id").loc[PRODUCT]


def with_columns(rows):
    names = {name: "" for row in rows for name in row}
    return [names | row for row in rows]


def dump(make_dump, week, **more):
    return make_dump(week, candidate={"sold_orders": "", "returned_orders": ""}, more={k: with_columns(v) for k, v in more.items()})


def test_orders_and_deliveries_of_earlier_dumps_still_count_and_not_twice(make_dump, run):
    run(dump(make_dump, "2026-W45", orders=orders(0, 30, 3), deliveries=deliveries(0, 20, 2)))
    middle = run(dump(make_dump, "2026-W46", orders=orders(25, 15, 0), deliveries=deliveries(10, 20, 0)))
    last = run(dump(make_dump, "2026-W47"))
    # Orders o0..o29 and o25..o39 are 40, three came back; deliveries on days 0..19 and 10..29, the two late ones on the first days.
    for told in (facts(middle), facts(last)):
        assert (told["own_sold_orders"], told["own_returned_orders"], told["return_orders"], told["return_evidence"]) == (40, 3, 40, "E4")
        assert (told["deliveries"], told["late_deliveries"]) == (30, 2)


def test_a_week_knows_nothing_of_the_weeks_after_it(make_dump, run):
    run(dump(make_dump, "2026-W47", orders=orders(0, 30, 3)))
    told = facts(run(dump(make_dump, "2026-W46")))
    assert pd.isna(told["own_sold_orders"]) and told["return_evidence"] == "E0"


def test_a_dump_sent_again_replaces_its_own_week_and_no_other(make_dump, run, tmp_path):
    run(dump(make_dump, "2026-W45", orders=orders(0, 30)))
    run(dump(make_dump, "2026-W46", orders=orders(100, 7)))
    shutil.rmtree(tmp_path / "dumps" / "2026-W46")
    run(dump(make_dump, "2026-W46", orders=orders(200, 2)))
    assert facts(run(dump(make_dump, "2026-W47")))["own_sold_orders"] == 32
    manifest = json.loads((tmp_path / "data" / "store" / "weeks" / "manifest.json").read_text())
    assert {week: facts["as_of"] for week, facts in manifest["weeks"].items()} == {
        "2026-W45": "2026-11-08", "2026-W46": "2026-11-15", "2026-W47": "2026-11-22",
    }  # fmt: skip
    assert len(manifest["runs"]) == 3


def test_prices_of_two_marketplaces_are_kept_side_by_side(make_dump, run, tmp_path):
    def history(market, currency, price):
        days = [dt.date(2026, 10, 1) + dt.timedelta(days=n) for n in range(3)]
        return [
            {"product_id": PRODUCT, "date": day.isoformat(), "price": price, "currency": currency, "marketplace": market} for day in days
        ]

    told = [*history("US", "USD", "29.99"), *history("JP", "JPY", "2980"), *history("DE", "EUR", "31.50")]
    run(
        dump(make_dump, "2026-W46", price_history=[*told, *history("US", "EUR", "1.00")[:1], *told[:2]]),
        plan="[general]\nset_aside_share_max = 0.5\n",
    )
    kept = next((tmp_path / "data" / "store" / "weeks").glob("2026-W46.*"))
    files = {path.stem: pq.read_table(path) for path in kept.glob("prices-*.parquet")}
    assert {name: table["cents"].to_pylist() for name, table in files.items()} == {
        "prices-US": [2999] * 3, "prices-JP": [2980] * 3, "prices-DE": [3150] * 3,
    }  # fmt: skip
    assert files["prices-JP"].schema.metadata[b"currency"] == b"JPY"
    # The price in a wrong currency stands in the ledger of the week.
    aside = pq.read_table(kept / "set_aside.parquet").to_pylist()
    assert [(row["file"], row["line"], row["kind"]) for row in aside] == [("price_history.csv", 11, "currency")]
    ledger = json.loads((kept / "ledger.json").read_text())["2026-W46"]
    assert [(entry["file"], entry["exact_repeats"]) for entry in ledger] == [("price_history.csv", 2)]


def test_prices_of_an_earlier_version_are_told_of_in_one_line(make_dump, tmp_path):
    old = tmp_path / "data" / "store" / "history"
    old.mkdir(parents=True)
    (old / "2026-W40.parquet").write_bytes(b"PAR1")
    said = []
    run_week(Options(data=tmp_path / "data", dump=make_dump(), workers=1), said.append)
    assert [line for line in said if "earlier version" in line] == [
        f"{old}: prices of an earlier version, not read; run the old weeks again to keep them, then remove it"
    ]
    assert (old / "2026-W40.parquet").exists()
