"""Supplier price lists and order lines of a shop, with invented rows."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import DumpError
from pipeline.ingest.dump import list_dump, read_file

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "uci_online_retail" / "by-day"
SHOP = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
TAIL = "2011-09-08 08:56:00,4.95,15298.0,United Kingdom"


def test_a_wholesale_list_takes_the_unit_price_never_the_case_price(read):
    head = "SKU,Manufacturer,Title,Category,Barcode,Case Size,Units Available,Unit Price (GBP),Case Price (GBP)\n"
    got = read(head + '00123,Nestora,"Basket, 4 Pack",Home,2000000001012,6,240,7.10,42.60\n', "lists/Acme Ltd.csv")
    row = got.rows[0]
    assert (row["unit_cost_e4"], row["currency"], row["supplier_sku"], row["stock"]) == (71000, "GBP", "00123", 240)
    assert row["supplier_id"] == "Acme Ltd"


def test_a_list_with_only_a_case_price_is_refused(read):
    with pytest.raises(DumpError, match="no source knows this header"):
        read("SKU,Barcode,Case Price (GBP)\nA,2000000001012,42.60\n")


def test_a_list_that_says_no_currency_is_refused_until_the_plan_does(read, context):
    content = "ASIN,Cost,Lead Time,Supplier\nB0INV00001,4.20,1-3 days,S1\n"
    with pytest.raises(DumpError, match="no column says the currency; declare `currency` for supplier-prices-en"):
        read(content)
    got = read(content, plan=replace(context, declared={"supplier-prices-en": {"currency": "USD"}}))
    row = got.rows[0]
    assert (row["unit_cost_e4"], row["currency"], row["supplier_id"]) == (42000, "USD", "S1")
    assert (row["handling_days_min"], row["handling_days_max"]) == (1, 3)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_chinese_list_is_in_yuan_and_may_be_gb18030(read, codec):
    head = "供应商,货号,商品名称,采购价,国内运费,发货时效,库存,起订量,条码,平台,联系方式,支持退货,有无跟踪\n"
    line = '义乌甲,CN-1,"收纳篮，折叠","¥1,018.50",4,1-3天,320,2,2000000001012,1688,微信 abc,是,有\n'
    got = read((head + line + line.replace("1-3天", "48小时")).encode(codec))
    row = got.rows[0]
    assert (row["unit_cost_e4"], row["currency"], row["freight_e4"]) == (10185000, "CNY", 40000)
    assert (row["supplier_id"], row["title"], row["accepts_returns"], row["has_tracking"]) == (
        "义乌甲",
        "收纳篮，折叠",
        True,
        True,
    )
    assert [(r["handling_days_min"], r["handling_days_max"]) for r in got.rows] == [(1, 3), (2, 2)]


def test_order_lines_tell_sales_returns_and_what_is_no_product(read):
    lines = [
        f"536365,84997b,BOX,4,{TAIL}",
        f"C536366,84997B,BOX,-1,{TAIL}",
        f"536367,POST,POSTAGE,1,{TAIL}",
        f"536368,PADS,PADS,1,{TAIL}",
        f"536369,22423,damaged,-10,{TAIL}",
        "536370,22423,STAND,2,2011-09-08 08:56:00,0,,United Kingdom",
    ]
    got = read(SHOP + "\n".join(lines) + "\n")
    assert [(row["product_id"], row["quantity"], row["is_return"]) for row in got.rows] == [
        ("84997B", 4, False),
        ("84997B", 1, True),
        ("PADS", 1, False),
    ]
    assert {row["currency"] for row in got.rows} == {"GBP"} and {row["marketplace"] for row in got.rows} == {"UK"}
    assert got.report.non_products == {"POST": 1, "stock_adjustment": 1, "no_price": 1}
    assert got.report.rows == 6


@pytest.mark.skipif(not REAL.is_dir(), reason="the real order lines are not on this machine (../shared/data/uci_online_retail)")
def test_every_real_order_line_is_accounted_for_as_a_plain_reader_counts_it(sources, context):
    rows, plain, returned, plain_returned = 0, 0, Counter(), Counter()
    products = set()
    for file in list_dump(REAL):
        reading = read_file(file, sources, context)
        for name, chunk in reading.tables():
            assert name == "orders"
            part = chunk.select(["product_id", "is_return", "quantity"]).to_pylist()
            returned.update({row["product_id"]: 0 for row in part})
            for row in part:
                products.add(row["product_id"])
                returned[row["product_id"]] += row["quantity"] * row["is_return"]
        reading.report.check_ledger()
        rows += reading.report.rows
        with file.path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                plain += 1
                if row["InvoiceNo"].startswith("C"):
                    plain_returned[row["StockCode"].upper()] += -int(row["Quantity"])
    assert rows == plain == 144_794
    assert {code: count for code, count in returned.items() if count} == {
        code: count for code, count in plain_returned.items() if code in products
    }
