"""Dumps in the shapes of real exports, invented here: fee examples, order lines, Keepa with a supplier's list in Chinese."""

import csv
import glob
import json
import zipfile

import pandas as pd
import pytest

WEEK = "2026-W47"
# The worked examples of Amazon.com's referral fees (docs/fees.md): category, price, referral, refund fee, closing fee.
FEES = """
clothing_accessories 15.00 0.75 0.15 0
clothing_accessories 15.01 1.50 0.30 0
clothing_accessories 20.00 2.00 0.40 0
clothing_accessories 20.01 3.40 0.68 0
beauty_health_personal_care 10.00 0.80 0.16 0
beauty_health_personal_care 10.01 1.50 0.30 0
furniture 200.00 30.00 5.00 0
furniture 300.00 40.00 5.00 0
jewelry 250.00 50.00 5.00 0
jewelry 1000.00 87.50 5.00 0
electronics_accessories 100.00 15.00 3.00 0
electronics_accessories 150.00 19.00 3.80 0
home_kitchen 1.99 0.30 0.06 0
home_kitchen 2.00 0.30 0.06 0
clothing_accessories 5.00 0.30 0.06 0
grocery_gourmet 2.00 0.16 0.03 0
home_kitchen 20.00 3.00 0.60 0
home_kitchen 29.99 4.50 0.90 0
beauty_health_personal_care 10.49 1.57 0.31 0
lawn_mowers_snow_throwers 500.00 75.00 5.00 0
lawn_mowers_snow_throwers 500.01 40.00 5.00 0
watches 2000.00 255.00 5.00 0
fine_art 6000.00 605.00 5.00 0
books 10.00 1.50 0.30 1.80
""".strip().splitlines()


def decisions(result):
    return pd.read_parquet(result.folder / "decisions.parquet").set_index("product_id")


def test_all_worked_fee_examples_come_out_of_a_run_to_the_cent(make_dump, run):
    examples = [line.split() for line in FEES]
    rows = [
        {"product_id": f"B0FEE{i:05d}", "title": "Thing", "price": price, "currency": "USD", "fee_category": category}
        for i, (category, price, *_) in enumerate(examples)
    ]
    told = decisions(run(make_dump(WEEK, more={"candidates": rows, "offers": [], "price_history": []})))
    for i, (category, price, referral, refund, closing) in enumerate(examples):
        row = told.loc[f"B0FEE{i:05d}"]
        fees = (row["referral_fee"], row["refund_fee"], row["closing_fee"])
        assert fees == (float(referral), float(refund), float(closing)), (category, price)
    assert len(examples) == 24


def test_a_fee_category_without_a_line_takes_the_sources_own_rate_or_the_named_fallback_and_asks_for_a_review(make_dump, run):
    rows = [
        {"product_id": "B0STATED", "title": "a", "price": "20.00", "currency": "USD", "fee_category": "nonsense", "referral_rate": "0.12"},
        {"product_id": "B0FALLBACK", "title": "b", "price": "20.00", "currency": "USD", "fee_category": "nonsense", "referral_rate": ""},
    ]
    told = decisions(run(make_dump(WEEK, more={"candidates": rows, "offers": [], "price_history": []})))
    assert told["referral_fee"].to_dict() == {"B0STATED": 2.40, "B0FALLBACK": 3.00}
    assert all("fee_unknown" in [r["rule"] for r in reasons] for reasons in told["reasons"])


ORDERS = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
700001,10001,BLUE JAR,4,2011-09-01 10:00:00,2.50,15000.0,United Kingdom
700001,10001,BLUE JAR,4,2011-09-01 10:00:00,2.50,15000.0,United Kingdom
700002,10001,BLUE JAR,2,2011-09-02 10:00:00,2.50,15001.0,United Kingdom
700003,10001,BLUE JAR,1,2011-09-09 10:00:00,2.95,,France
700003,10002b,RED LID,1,2011-09-09 10:00:00,1.25,,France
700004,POST,POSTAGE,1,2011-09-09 10:00:00,18.00,,France
C700005,10001,BLUE JAR,-4,2011-09-12 10:00:00,2.50,15000.0,United Kingdom
C700006,10003,GREEN CUP,-1,2011-09-12 10:00:00,3.75,15002.0,United Kingdom
700007,10001,damaged,-3,2011-09-13 10:00:00,0.00,,United Kingdom
700008,10002B,RED LID,6,2011-09-13 10:00:00,0.00,,United Kingdom
C700009,M,Manual,-1,2011-09-13 10:00:00,5.00,15002.0,United Kingdom
"""


def test_order_lines_become_candidates_prices_and_counts_and_every_line_is_told(tmp_path, run):
    dump = tmp_path / "2011-W46"
    dump.mkdir()
    (dump / "2011-09.csv").write_text(ORDERS, encoding="utf-8")
    result = run(dump)
    entry = result.manifest["inputs"][0]
    assert (entry["lines"], entry["rows"], entry["exact_repeats"], entry["records_used"]) == (12, 11, 1, 6)
    assert entry["non_products"] == {"M": 1, "POST": 1, "no_price": 1, "stock_adjustment": 1}
    told = decisions(result)
    assert sorted(told.index) == ["10001", "10002B", "10003"]
    jar = told.loc["10001"]
    assert (jar["marketplace"], jar["currency"], jar["price"], jar["title"]) == ("UK", "GBP", 2.95, "BLUE JAR")
    assert (jar["own_sold_orders"], jar["own_returned_orders"], jar["own_sold_units"], jar["own_returned_units"]) == (3, 1, 7, 4)
    # The week's Sunday is 2011-11-20: orders before 2011-09-21 are mature; the return is matched to the sale of 2011-09-01.
    assert (jar["return_orders"], jar["return_evidence"]) == (3, "E4")
    assert jar["return_alpha"] == pytest.approx(0.08 * 20 + 0.8 * 1) and jar["return_beta"] == pytest.approx(0.92 * 20 + 0.8 * 2)
    cup = told.loc["10003"]
    assert cup["is_return_excess"] and cup["return_evidence"] == "E0"
    assert "returns_exceed_shipped" in [reason["rule"] for reason in cup["reasons"]]
    assert told["referral_fee"].isna().all()  # no fee schedule is in force in 2011
    assert set(told["verdict"]) == {"incomplete"} and all("fee_schedule" in missing for missing in told["missing"])


def told_in(path):
    """All text that a file of a run holds."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path).to_csv()
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:
            return "".join(book.read(name).decode() for name in book.namelist())
    return path.read_text(encoding="utf-8")


def test_no_customer_stands_in_anything_that_is_written(tmp_path, run):
    dump = tmp_path / "2011-W46"
    dump.mkdir()
    (dump / "2011-09.csv").write_text(ORDERS.replace("15001.0", "15001.0extra,") * 1 + "broken,15003.0\n", encoding="utf-8")
    result = run(dump, plan="[general]\nset_aside_share_max = 0.5\n")
    assert result.manifest["totals"]["set_aside"] == 2
    for path in result.folder.iterdir():
        text = told_in(path)
        assert "15001.0" not in text and "15003.0" not in text


KEEPA = """Locale,Title,Sales Rank: Current,Return Rate,Buy Box 🚚: Current,Buy Box 🚚: 90 days avg.,Buy Box: Standard Deviation 90 days,\
New: Current,Referral Fee %,Categories: Tree,ASIN,Product Codes: EAN,Brand,Package: Weight (g),
com,"Nestora Under-Shelf Basket, 4 Pack",8211,,29.99 -409,29.99 -409,1.20 -409,29.99 -409,0.15,\
"Home & Kitchen › Storage & Organization › Baskets, Bins & Containers",B0INV00001,2000000001012,Nestora,400,
com,Pawluma Dog Leash Wall Hook,,Low,,,,34.50 -409,0.15,Pet Supplies › Dogs › Leashes,B0INV00002,"2000000002026, 2000000002040",PAWLUMA,300,
com,Kritzli Radio Alarm,310455,,"1,034.95 -409",,,"1,034.95 -409",0.08,Electronics › Clocks › Clock Radios,B0INV00003,,Kritzli,,
com,Without a price,,,,,,,,Home & Kitchen › Storage & Organization,B0INV00004,,Nestora,,
,,,,,,,,,,,,,,
,,,,,,,,,,,,,,Exported on 2026-11-20 08:15 (UTC) by ✜ Keepa.com
"""
PRICE_LIST = """供应商,货号,商品名称,条码,采购价,币种,国内运费,发货时效,库存,平台,联系人,支持退货,有无跟踪
义乌甲厂,A-1,收纳篮 4个装,2000000001012,50.00,CNY,21.40,1-2,500,1688,王,是,是
义乌甲厂,A-2,牵引绳挂钩,2000000002040,40.00,CNY,10.00,1,500,1688,王,是,是
义乌甲厂,A-9,无人要,2000000009012,4.00,CNY,1.00,1,500,1688,王,是,是
"""


def test_a_keepa_export_with_a_chinese_price_list_becomes_a_list_with_everything_accounted_for(tmp_path, run):
    dump = tmp_path / WEEK
    dump.mkdir()
    (dump / "keepa.csv").write_text(KEEPA, encoding="utf-8")
    (dump / "报价.csv").write_text(PRICE_LIST, encoding="utf-8")
    rate = '[[exchange_rates]]\nfrom = "CNY"\nto = "USD"\ndate = 2026-11-16\nrate = 0.14\n'
    result = run(dump, plan=rate)
    keepa = next(entry for entry in result.manifest["inputs"] if entry["file"] == "keepa.csv")
    assert (keepa["lines"], keepa["rows"], keepa["non_records"]) == (7, 4, {"blank_record": 1, "watermark": 1})
    told = decisions(result)
    assert told["price"].to_dict() == pytest.approx({"B0INV00001": 29.99, "B0INV00002": 34.50, "B0INV00003": 1034.95, "B0INV00004": float("nan")},
                                                    nan_ok=True)  # fmt: skip
    assert told["price_evidence"].to_dict() | {"B0INV00004": None} == {
        "B0INV00001": "summary", "B0INV00002": "snapshot", "B0INV00003": "snapshot", "B0INV00004": None}  # fmt: skip
    basket = told.loc["B0INV00001"]
    assert (basket["unit_cost"], basket["freight"], basket["handling_days"], basket["matched_by"]) == (7.00, 3.00, 2, "gtin")
    assert told.loc["B0INV00002", "return_evidence"] == "E1"
    assert told.loc["B0INV00003", "verdict"] == "rejected" and told.loc["B0INV00003", "department"] == "electronics"
    assert list(told.loc["B0INV00004", "missing"]) == ["price", "offer"]
    unmatched = pd.read_parquet(result.folder / "unmatched_offers.parquet")
    assert unmatched[["supplier_sku", "unit_cost", "currency"]].values.tolist() == [["A-9", 4.0, "CNY"]]


def test_the_real_keepa_exports_are_read_to_the_last_row(real_data, tmp_path, run):
    dump = tmp_path / "2026-W04"
    dump.mkdir()
    for path in (real_data / "keepa").glob("*.csv"):
        (dump / path.name).write_bytes(path.read_bytes())
    result = run(dump)
    told = pd.read_parquet(result.folder / "decisions.parquet")
    assert result.manifest["totals"]["set_aside"] == 0
    assert told["marketplace"].value_counts().to_dict() == {"US": 4994, "DE": 1040}
    raw = {}
    for path in sorted(dump.iterdir()):
        with path.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                if row["ASIN"]:
                    cell = row["Buy Box 🚚: Current"] or row["Amazon: Current"] or row["New: Current"]
                    money, _, code = cell.partition(" ")
                    raw[row["ASIN"]] = (float(money.replace(",", "")), {"-409": "USD", "-C0A": "EUR"}[code]) if cell else None
    for product, price, currency in told[["product_id", "price", "currency"]].itertuples(index=False):
        assert (raw[product] is None) == pd.isna(price)
        if raw[product] is not None:
            assert (price, currency) == raw[product]
    clothes = told[told["category_path"].fillna("").str.startswith("Fashion > Jungen > Bekleidung")]
    assert len(clothes) > 70 and set(clothes["verdict"]) == {"rejected"} and set(clothes["department"]) == {"apparel"}
    assert set(told[told["category_path"].fillna("").str.startswith("Electronics")]["verdict"]) == {"rejected"}
    open_ = told[(told["verdict"] == "incomplete") & told["price"].notna()]
    assert open_["max_landed_cost"].notna().all() and all(list(missing) == ["offer"] for missing in open_["missing"])


def test_the_real_order_lines_agree_with_a_plain_reckoning(real_data, tmp_path, run):
    folder = real_data / "uci_online_retail" / "by-day"
    result = run(folder, week="2011-W46")
    assert result.manifest["totals"]["lines"] == result.manifest["totals"]["header"] + result.manifest["totals"]["rows"] == 144_854
    lines = pd.concat(pd.read_csv(path, dtype=str, keep_default_na=False) for path in sorted(glob.glob(str(folder / "*.csv"))))
    lines["code"] = lines["StockCode"].str.upper()
    lines = lines[lines["code"].str.fullmatch(r"\d{5}[A-Z]*|DCGS.*|PADS")].drop_duplicates().reset_index(drop=True)
    quantity, price, back = lines["Quantity"].astype(int), lines["UnitPrice"].astype(float), lines["InvoiceNo"].str.startswith("C")
    # A price that rounds to nothing (0.001) is no price.
    sold = lines[~back & (quantity > 0) & (price >= 0.005)].groupby("code")["InvoiceNo"].nunique()
    returned = lines[back & (quantity < 0)].groupby("code")["InvoiceNo"].nunique()
    plain = pd.DataFrame({"sold": sold, "returned": returned}).fillna(0).astype(int)
    told = decisions(result)
    assert sorted(told.index) == sorted(plain.index)
    assert told["own_sold_orders"].fillna(0).astype(int).to_dict() == plain["sold"].to_dict()
    assert told["own_returned_orders"].fillna(0).astype(int).to_dict() == plain["returned"].to_dict()
    units_sold = quantity[~back & (quantity > 0) & (price >= 0.005)].groupby(lines["code"]).sum()
    units_back = -quantity[back & (quantity < 0)].groupby(lines["code"]).sum()
    units = pd.DataFrame({"sold": units_sold, "back": units_back}).fillna(0)
    excess = set(plain[plain["returned"] > plain["sold"]].index) | set(units[units["back"] > units["sold"]].index)
    assert sorted(told[told["is_return_excess"].astype(bool)].index) == sorted(excess) and len(excess) > 0
    assert json.loads((result.folder / "run.json").read_text())["verdicts"]["shortlisted"] == 0
