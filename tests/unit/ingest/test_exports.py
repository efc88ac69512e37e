"""Supplier price lists and order lines of a shop, with invented rows."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace

import pytest

from pipeline.errors import DumpError
from pipeline.ingest.dump import list_dump, read_file

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


@pytest.mark.parametrize(
    ("cell", "cost"),
    [("$0.99 - $3.50", 35000), ("0.99-3.50", 35000), ("4.20 to 5", 50000), ("3.50", 35000), ("$1,050.25 – 1,060", 10600000)],
)
def test_of_a_range_of_costs_the_upper_end_is_taken(read, cell, cost):
    got = read(f'Supplier,SKU,Base Cost,Currency,Stock\nS1,NS-104,"{cell}",USD,"1,000+"\n')
    assert (got.rows[0]["unit_cost_e4"], got.rows[0]["stock"]) == (cost, 1000)


@pytest.mark.parametrize("cell", ["3.50 - 0.99", "$0.99 - €3.50", "0.99 - 3.50 - 4", "0.99 -", "- 3.50 - 4"])
def test_what_is_no_range_of_costs_is_set_aside(read, cell):
    got = read(f'Supplier,SKU,Base Cost,Currency\nS1,NS-104,"{cell}",USD\nS1,NS-105,2,USD\n')
    assert [row["column"] for row in got.aside] == ["Base Cost"]


def test_a_price_is_no_range(read):
    got = read("product_id,title,price,currency\nB0INV00001,Basket,0.99 - 3.50,USD\n")
    assert [(row["column"], row["kind"]) for row in got.aside] == [("price", "value")]


def test_a_dropship_list_in_lower_case_names_is_an_offer(read, context):
    content = "variant_sku,supplier_sku,cost_price,quantity,lead_time_days\nNS-104,SUP-104,9.00,240,2\nPW-2,SUP-2,4.20,,3-5\n"
    got = read(content, plan=replace(context, declared={"supplier-prices-en": {"currency": "USD"}}))
    assert [(r["supplier_sku"], r["unit_cost_e4"], r["stock"], r["handling_days_max"]) for r in got.rows] == [
        ("SUP-104", 90000, 240, 2),
        ("SUP-2", 42000, None, 5),
    ]


def test_more_chinese_names_and_a_range_in_yuan(read):
    head = "供应商名称,产品编号,产品标题,代发价(元),快递费,发货天数,可售库存,国际条码\n"
    got = read((head + "义乌甲,CN-1,收纳篮,¥12.5~15.8,3-4,1-2天,1000+,4.00000E+12\n").encode("gb18030"))
    row = got.rows[0]
    assert (row["unit_cost_e4"], row["freight_e4"], row["handling_days_max"], row["stock"]) == (158000, 40000, 2, 1000)
    assert row["gtin"] is None and got.report.warnings == ["国际条码: 1 cells not understood, taken as missing"]


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("pid,productName,productNameEn,productSku,productWeight,sellPrice", "1,收纳篮,Basket,CJINV1,980.00,8.39 -- 9.90"),
        ("id,nameEn,sku,sellPrice,warehouseInventoryNum,deliveryCycle", "3,Basket,CJINV1,9.90,420,3-5"),
    ],
)
def test_cj_products_are_offers_in_dollars_at_the_upper_price(read, head, line):
    row = read(f"{head}\n{line}\n").rows[0]
    assert (row["supplier_id"], row["supplier_sku"], row["unit_cost_e4"], row["currency"]) == ("CJ", "CJINV1", 99000, "USD")
    assert (row["title"], row["source"]) == ("Basket", "cj-products")


def test_an_id_that_a_spreadsheet_damaged_is_missing_and_told(read):
    got = read("Supplier,SKU,Base Cost,Currency\nS1,4.00000E+12,2,USD\n")
    assert got.rows[0]["supplier_sku"] is None and got.report.warnings == ["SKU: 1 cells not understood, taken as missing"]


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


def test_every_real_order_line_is_accounted_for_as_a_plain_reader_counts_it(real_data, sources, context):
    rows, plain, returned, plain_returned = 0, 0, Counter(), Counter()
    products = set()
    for file in list_dump(real_data / "uci_online_retail" / "by-day"):
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
