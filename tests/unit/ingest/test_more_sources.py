"""Exports that sellers have beside the common ones: invented rows in exactly the shape of the real files."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from pipeline.errors import DumpError
from pipeline.ingest.dump import DumpFile, describe, list_dump, read_file
from pipeline.ingest.sources.schema import Source

HERE = Path(__file__).parent


def declared(context, **sources):
    return replace(context, declared={name.replace("_", "-"): facts for name, facts in sources.items()})


# -- Keepa ---------------------------------------------------------------------------------------------------------------


def test_keepa_with_all_176_columns(read):
    content = (HERE / "keepa_full.csv").read_bytes()
    got = read(content, "full.csv")
    assert len(content.split(b"\n", 1)[0].decode().replace('"New, ', "New").split(",")) > 170
    one, two, three = got.rows
    assert (one["price_cents"], one["avg90_price_cents"], one["sd90_price_cents"], one["currency"]) == (2499, 2540, 185, "EUR")
    assert (one["marketplace"], one["sales_rank"], one["monthly_sold"], one["listed_since"]) == ("DE", 850, 300, date(2025, 12, 1))
    assert (one["out_of_stock_share_90"], one["top_seller_share_90"], one["referral_rate"]) == (0.04, 0.61, 0.1501)
    assert (two["return_flag"], two["price_cents"], three["return_flag"], three["price_cents"]) == ("high", None, "low", 129900)
    assert (one["return_flag"], three["amazon_share_90"], three["is_hazmat"]) == (None, 0.97, True)
    assert got.report.non_records == {"watermark": 1} and got.report.exported_at == "2026-02-03 09:40" and got.aside == []


def test_keepa_in_german(read):
    got = read(
        "\ufeffLocale,ASIN,Titel,Marke,Verkaufsrang: Aktuell,Buy Box 🚚: Aktuell,Buy Box 🚚: Durchschnitt 90 Tage,Verpackung: Gewicht (g),"
        "Kategorien: Baum\n"
        'de,B0INV00001,"Nestora Korb, 4er",Nestora,812,"24,99 €","25,404 €",980,Küche › Ordnen\n'
        'de,B0INV00002,Pawluma Haken,,"50.211","€ 1.299,00",,"1.250",Haustier › Hunde\n'
    )
    assert [(r["price_cents"], r["sales_rank"], r["package_weight_g"], r["currency"]) for r in got.rows] == [
        (2499, 812, 980.0, "EUR"), (129900, 50211, 1250.0, "EUR")
    ]  # fmt: skip
    assert got.rows[0]["avg90_price_cents"] == 2540 and got.rows[0]["category_path"] == "Küche > Ordnen"


def test_keepa_in_japanese_is_of_japan_unless_the_plan_says_otherwise(read, context):
    content = (
        "ASIN,商品名,商品コード: EAN,売れ筋ランキング: 現在価格,Buy Box: 現在価格,Buy Box: 90 日平均,紹介料％,パッケージ: 重さ (g)\n"
        'B0INV00001,ネストラ 収納バスケット,2000000001012,"4,182","２,４８０","2,510",15.00%,980\nB0INV00002,リードフック,,,-,,,\n'
    )
    one, two = read(content).rows
    assert (one["marketplace"], one["currency"], one["price_cents"], one["avg90_price_cents"], one["referral_rate"]) == (
        "JP", "JPY", 2480, 2510, 0.15
    )  # fmt: skip
    assert two["price_cents"] is None
    assert read(content, plan=declared(context, keepa_ja={"marketplace": "US"})).rows[0]["price_cents"] == 248000


# -- research tools --------------------------------------------------------------------------------------------------------

SPRITE = "#,ASIN,品牌,商品标题,类目路径,大类目,大类BSR,小类BSR,月销量,月销售额({0}),子体销量,价格({0}),Prime价格({0}),Q&A数,评分数,月新增\n评分数,评分,上架时间,重量,重量,体积,体积,卖家数,父ASIN"
SPRITE_ROW = [
    1, "B0INV00001", "Nestora", "Nestora Basket", "Home & Kitchen:Baskets", "Home & Kitchen", 4182, 79, "1,449", 36210.51, 1162, 24.99, None,
    None, 426, 22, 4.5, "2024-08-22", "2.16 pounds", "980 g", None, None, 1, "B0INV000P1",
]  # fmt: skip


@pytest.mark.parametrize(("sign", "market", "code"), [("$", "US", "USD"), ("€", "DE", "EUR"), ("£", "UK", "GBP")])
def test_sellersprite_workbook_with_notes_a_line_end_in_a_header_and_doubled_names(read, context, sign, market, code):
    made = openpyxl.Workbook()
    made.active.title = "Search(kw)-1-DE-20250428"
    made.active.append(SPRITE.format(sign).split(","))
    made.active.append(SPRITE_ROW)
    made.create_sheet("Notes").append(["数据仅供参考"])
    out = io.BytesIO()
    made.save(out)
    plan = declared(context, sellersprite={"marketplace": market})
    (row,) = read(out.getvalue(), "Search(kw)-1-DE-20250428.xlsx", plan).rows
    assert (row["price_cents"], row["currency"], row["monthly_sold"], row["sales_rank"]) == (2499, code, 1162, 4182)
    assert (row["category_path"], row["listed_since"], row["parent_id"]) == ("Home & Kitchen > Baskets", date(2024, 8, 22), "B0INV000P1")
    text = "\n".join(
        ",".join(f'"{cell}"' if cell is not None else "" for cell in line) for line in (SPRITE.format(sign).split(","), SPRITE_ROW)
    )
    assert read("\ufeff" + text, "a.csv", plan).rows[0]["price_cents"] == 2499


def test_jungle_scouts_sidebar_tells_when_the_file_was_written(read):
    got = read(
        '\ufeff"Export time: 9/14/2026, 10:05:51 AM","","#","Product Name","Brand","Price","Mo. Sales","D. Sales","Mo. Revenue",'
        '"Date First Available","Net","Rating Number","Rating","Fees","Rank","Category","ASIN","Link"\n'
        '"Search Term: storage basket","","1","Nestora Basket","Nestora","$24.99","1162","38","$29038","12/16/2024","$13.35","426","4.5",'
        '"$11.64","4182","Home & Kitchen","B0INV00001","https://x"\n'
        '"Average Sales: 1,104","","2","Pawluma Hook","Generic","$6.49","...","...","...","...","$-1.23","5","","$7.72","","...","B0INV00002","x"\n'
        '"Average Price: $24.10","","","","","","","","","","","","","","","","",""\n'
    )
    assert got.report.exported_at == "9/14/2026, 10:05:51 AM" and got.report.non_records == {"side_note": 1}
    assert [(r["price_cents"], r["monthly_sold"], r["category_path"]) for r in got.rows] == [
        (2499, 1162, "Home & Kitchen"),
        (649, None, None),
    ]


def test_jungle_scouts_database(read):
    (row,) = read(
        "ASIN,Product Name,Brand,Price ($),Category,Rank,Est. Monthly Sales,Est. Monthly Revenue,LQS,Reviews,Rating,Sellers,Fees,Net,Weight\n"
        'B0INV00001,Basket,Nestora,24.99,Home & Kitchen,"4,182","1,162",29038,7,426,4.5,2,11.64,13.35,2.16 lb\n'
    ).rows
    assert (row["price_cents"], row["monthly_sold"], row["sales_rank"], row["offer_count"]) == (2499, 1162, 4182, 2)


XRAY = (
    "Display Order,Product Details,ASIN,Brand,Price  USD,ASIN Sales,Recent Purchases,Title Char. Count,BSR,Active Sellers,Ratings,"
    "Review Count,Review velocity,Category,Weight,Creation Date\n"
    '3.,Basket,B0INV00001,Nestora,"24,99",1\u00a0162,800,34,4\u00a0182,1,"4,5",1\u00a0426,22,Home & Kitchen,"2,16","Jul 9, 2024"\n'
)


def test_a_file_in_the_other_decimal_sign_says_what_to_declare_and_is_right_once_it_is_declared(read, context):
    got = read(XRAY)
    assert got.aside[0]["column"] == "Price  USD"
    assert got.aside[0]["message"].endswith("with decimal ',': declare `decimal` for helium10-xray in the plan if that is meant")
    (row,) = read(XRAY, plan=declared(context, helium10_xray={"decimal": ","})).rows
    assert (row["price_cents"], row["sales_rank"], row["rating"], row["rating_count"]) == (2499, 4182, 4.5, 1426)
    words = read(XRAY.replace('"24,99"', "see site"))
    assert "decimal" not in words.aside[0]["message"]


# -- Amazon's reports ------------------------------------------------------------------------------------------------------

ORDER_HEADER = (
    "amazon-order-id\tmerchant-order-id\tpurchase-date\tlast-updated-date\torder-status\tfulfillment-channel\tsales-channel\torder-channel\t"
    "ship-service-level\tproduct-name\tsku\tasin\titem-status\tquantity\tcurrency\titem-price\titem-tax\tshipping-price\tship-city\t"
    "ship-state\tship-postal-code\tship-country\n"
)


def order(number, status="Shipped", channel="Amazon.com", quantity="1", currency="USD", price="24.99", day="2026-06-03T09:12:44+00:00"):
    cells = [f"111-000000{number}-0000000", "", day, day, status, "Merchant", channel, "", "Standard", "Basket", "NS-104", "B0INV00001"]
    return "\t".join([*cells, "Unshipped", quantity, currency, price, "0.00", "", "Springfield", "IL", "62701", "US"]) + "\n"


def test_an_orders_report_tells_the_price_of_one_out_of_each_lines_total(read):
    lines = [
        order(1), order(2, quantity="3", price="74.97"), order(3, quantity="3", price="10.00"), order(4, "Cancelled", quantity="0", price=""),
        order(5, "Pending", price="", currency=""), order(6, channel="Non-Amazon US"), order(7, channel="Amazon.de", currency="EUR", price="9.90"),
        order(8, quantity="x"),
    ]  # fmt: skip
    got = read(ORDER_HEADER + "".join(lines), "orders.txt")
    assert [(r["quantity"], r["unit_price_cents"], r["currency"], r["marketplace"]) for r in got.rows] == [
        (1, 2499, "USD", "US"), (3, 2499, "USD", "US"), (3, 333, "USD", "US"), (1, 990, "EUR", "DE")
    ]  # fmt: skip
    assert got.rows[0]["ordered_at"] == datetime(2026, 6, 3, 9, 12, 44)
    assert got.report.non_products == {"no_units": 1, "no_price": 1, "other_channel": 1}
    assert [(r["column"], "Springfield" in r["raw"], "62701" in r["raw"]) for r in got.aside] == [("quantity", False, False)]


def test_two_forms_of_one_day_are_read_as_declared_or_refused(tmp_path, context):
    columns = {
        "order_id": {"headers": ["Order"], "kind": "id", "required": True}, "product_id": {"headers": ["ASIN"], "kind": "id", "filled": True},
        "ordered_at": {"headers": ["Day"], "kind": "timestamp", "formats": ["%m-%d-%y", "%m-%d-%Y"]},
        "quantity": {"headers": ["Qty"], "kind": "count"},
    }  # fmt: skip
    facts = {"name": "india", "title": "x", "table": "orders", "constants": {"marketplace": "US", "currency": "USD"}, "columns": columns}
    path = tmp_path / "o.csv"
    path.write_text("Order,ASIN,Day,Qty\n1,B0INV00001,04-30-22,1\n2,B0INV00001,04-12-2022,1\n3,B0INV00001,30-04-22,1\n")
    reading = read_file(DumpFile("o.csv", path), [Source.model_validate(facts)], context)
    tables = dict(reading.tables())
    assert tables["orders"]["ordered_at"].to_pylist() == [datetime(2022, 4, 30), datetime(2022, 4, 12)]
    assert tables["set_aside"]["line"].to_pylist() == [4]
    columns["ordered_at"]["formats"] = ["%m-%d-%y", "%d-%m-%y"]
    with pytest.raises(ValueError, match="read one cell as two days"):
        Source.model_validate(facts)


# -- suppliers -------------------------------------------------------------------------------------------------------------

LISTS = {
    "supplier-prices-tw": (
        "big5", "TWD", "商品編號,條碼,商品標題,採購價(新臺幣),運費(新臺幣),出貨天數\n",
        ["TW-1,2000000001012,功許蓋餐四,85.00,60.00,2\n", '"TW-2",2000000001029,"收納盒\n第二行",85-105,NT$30,1-3\n', "TW-3,,滿,７５．００,３５．００,1\n"],
        [(850000, 600000, 2), (1050000, 300000, 3), (750000, 350000, 1)],
    ),
    "supplier-prices-ja": (
        "cp932", "JPY", "商品コード,JAN,商品名,仕入価格,送料,発送日数\n",
        ["JP-1,2000000002019,ソ表能十予―ポ,480,350,2\n", 'JP-2,,"㈱髙①\n二行目",420～560,￥250,3\n', 'JP-3,,箱,"１,２５０",300,1\n'],
        [(4800000, 3500000, 2), (5600000, 2500000, 3), (12500000, 3000000, 1)],
    ),
    "supplier-prices-de": (
        "cp1252", "EUR", "Artikelnr.;EAN;Bezeichnung;EK netto;Versand;Lieferzeit (Tage)\n",
        ["DE-1;2000000003016;Näpfe, groß;4,20 €;4,90;2\n", 'DE-2;;"Körbe; 4er\nzweite Zeile";3,20–4,10 €;EUR 3,90;1-3\n', "DE-3;;Tür;1.299,00 €;59,00;6\n"],
        [(42000, 49000, 2), (41000, 39000, 3), (12990000, 590000, 6)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_price_lists_in_their_own_encoding_equal_their_utf_8_twins(read, context, name, newline):
    codec, currency, header, lines, wanted = LISTS[name]
    plan = replace(context, currencies={**context.currencies, "TWD": 2})
    text = (header + "".join(lines)).replace("\n", newline)
    own, twin = read(text.encode(codec), "acme.csv", plan), read(text, "acme.csv", plan)
    strip = ["byte_offset"]
    assert [{k: v for k, v in r.items() if k not in strip} for r in own.rows] == [
        {k: v for k, v in r.items() if k not in strip} for r in twin.rows
    ]
    ordered = sorted(own.rows, key=lambda r: r["line"])
    cost = "shipping_cost_e4" if name.endswith("de") else "freight_e4"
    assert [(r["unit_cost_e4"], r[cost], r["handling_days_max"]) for r in ordered] == wanted
    assert {r["currency"] for r in own.rows} == {currency} and {r["supplier_id"] for r in own.rows} == {"acme"}
    assert (own.report.encoding, own.report.source, own.aside) == (codec, name, [])


def test_price_lists_of_fabric_and_medusa(read, context):
    plan = declared(context, supplier_prices_en={"currency": "USD"})
    medusa = read(
        "variant_sku,supplier_sku,cost_price,quantity,lead_time_days\nNS-104,SUP-104,9.00,240,2\nPW-2,SUP-2,4.20,,3-5\n", plan=plan
    )
    assert [(r["supplier_sku"], r["unit_cost_e4"], r["handling_days_min"], r["handling_days_max"]) for r in medusa.rows] == [
        ("SUP-104", 90000, 2, 2), ("SUP-2", 42000, 3, 5)
    ]  # fmt: skip
    fabric = read("Supplier SKU,Base Cost,Shipping Cost,Minimum Advertised Price (MAP)\nNS-104,9.00,4.5,19.99\n", plan=plan)
    assert [(r["unit_cost_e4"], r["shipping_cost_e4"]) for r in fabric.rows] == [(90000, 45000)]


SHOPIFY = "Handle,Title,Body (HTML),Vendor,Variant SKU,Variant Grams,Variant Inventory Qty,Variant Price,Variant Barcode,Image Src{}\n"


def test_shopify_products_with_costs_are_offers_and_pictures_are_none(read, context):
    rows = (
        'basket,Basket,"<p>Foldable,\n<b>4</b></p>",Sample Supply,NS-104,980,120,9.90,2000000001012,https://x/1.jpg,9.00\n'
        "basket,,,,NS-102,500,3,5.90,,,\nbasket,,,,,,,,,https://x/2.jpg,\n"
    )
    got = read(SHOPIFY.format(",Cost per item") + rows, plan=declared(context, shopify_products={"currency": "USD"}))
    assert [(r["supplier_sku"], r["unit_cost_e4"], r["stock"], r["gtin"]) for r in got.rows] == [("NS-104", 90000, 120, "2000000001012")]
    assert got.report.non_products == {"no_cost": 1, "picture": 1} and got.aside == []
    with pytest.raises(DumpError, match="declare `currency` for shopify-products in the plan"):
        read(SHOPIFY.format(",Cost per item") + rows)
    with pytest.raises(DumpError, match="it holds what a shop asks, not what you pay"):
        read(SHOPIFY.format("") + "a,b,c,d,e,1,1,1,,\n")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "Title,Rev_Rate,Solde,Shipping,Price\nBasket,4.7,3000+ sold,-41%,MAD12.40\n"),
        ("a.csv", "product_id,product_title,app_sale_price,app_sale_price_currency,discount_rate\n1,Basket,4.5,USD,20%\n"),
        ("a.json", '{"products": [{"product_id": "1", "product_title": "Basket", "app_sale_price": "4.5"}]}'),
    ],
)
def test_aliexpress_is_refused_by_name(read, name, content):
    with pytest.raises(DumpError, match="a retailer may not be the direct source of an order"):
        read(content, name)


# -- prices of a shop, day by day --------------------------------------------------------------------------------------------

SHOP = 'brand,name,weight,price\nBOULDER,"Napkins, 200 ct",200 ct,$2.19\n,Paper Plates,,$3.75\nBOULDER,"Napkins, 200 ct",,$2.29\n'


def test_lines_without_an_id_are_told_apart_by_all_that_names_them_and_priced_on_their_folders_day(read):
    got = read(SHOP, "20251113/household.csv")
    assert [(r["product_id"], r["price_cents"], r["category_path"]) for r in got.rows] == [
        ("BOULDER|Napkins, 200 ct|200 ct", 219, "household"), ("|Paper Plates|", 375, "household"), ("BOULDER|Napkins, 200 ct|", 229, "household")
    ]  # fmt: skip
    assert [(r["product_id"], r["date"], r["price_cents"]) for r in got.history] == [
        (r["product_id"], date(2025, 11, 13), r["price_cents"]) for r in got.rows
    ]
    with pytest.raises(DumpError, match=r"its path does not say day"):
        read(SHOP, "latest/household.csv")
    with pytest.raises(DumpError, match="its path names no day"):
        read(SHOP, "20259913/household.csv")


def test_a_report_in_the_same_folder_is_left_out_and_told(read, tmp_path, sources, context):
    odd = "brand,name,weight,latest_date,latest_price,median_price_30d,pct_diff_vs_30d_median,direction,reason\na,b,c,2025-11-13,4.19,4.39,-4.56,x,y\n"
    got = read(odd, "20251113/price_anomalies_20251113.csv")
    assert (got.rows, got.aside, got.report.lines, got.report.non_records) == ([], [], 2, {"left_out": 1})
    assert got.report.warnings == ["price anomalies: a report over the prices of other files, not read as prices"]
    told = describe(DumpFile("x.csv", tmp_path / "20251113/price_anomalies_20251113.csv"), sources, context)
    assert (told.table, told.problem) == ("left out", None)


# -- real files --------------------------------------------------------------------------------------------------------------


def test_a_real_delivery_history_tells_who_was_late(real_data, sources, context):
    (path,) = (real_data / "supplier_deliveries").iterdir()
    rows = [row for _, table in read_file(DumpFile(path.name, path), sources, context).tables() for row in table.to_pylist()]
    days = [(row["delivered_date"] - row["promised_date"]).days for row in rows]
    assert (sum(d > 0 for d in days), sum(d < 0 for d in days), len(days)) == (57, 351, 3000)


def test_real_daily_prices_are_all_read_but_the_one_odd_file(real_data, sources, context):
    counts = {"candidates": 0, "price_history": 0, "set_aside": 0}
    left = []
    for file in list_dump(real_data / "aldi_daily_prices"):
        reading = read_file(file, sources, context)
        for name, table in reading.tables():
            counts[name] += table.num_rows
        left += [file.name] if reading.report.table == "left out" else []
    assert counts == {"candidates": 44_393, "price_history": 44_393, "set_aside": 0}
    assert left == ["20251113/price_anomalies_20251113.csv"]


# -- what stands over a table, and what is nearly one --------------------------------------------------------------------------

PRICES = "SKU;Title;Unit Cost (GBP)\nA-1;Basket;7.10\nA-2;Hook;3.05\n"


@pytest.mark.parametrize(
    ("titles", "lines", "blank"),
    [
        ("Acme Ltd, price list\n", 1, 0),
        ("Acme Ltd;;\n\n;Valid from July;\n\n", 2, 2),
        ('"Acme\nand Sons";;\n', 2, 0),
        ("\r\nAcme\r\n", 1, 1),
    ],
)
def test_titles_of_one_cell_over_a_table_are_counted_apart(read, titles, lines, blank):
    got = read(titles + PRICES, "acme.csv")
    assert [(r["supplier_sku"], r["unit_cost_e4"], r["line"]) for r in got.rows] == [
        ("A-1", 71000, lines + blank + 2), ("A-2", 30500, lines + blank + 3)
    ]  # fmt: skip
    assert (got.report.non_records, got.report.blank, got.report.header) == ({"preamble": lines}, blank, 1)


def test_titles_over_the_table_of_a_sheet(read):
    made = openpyxl.Workbook()
    for row in (["Acme Ltd"], [], [None, "Valid from July"], ["SKU", "Title", "Unit Cost (GBP)"], ["A-1", "Basket", 7.1]):
        made.active.append(row)
    out = io.BytesIO()
    made.save(out)
    got = read(out.getvalue(), "acme.xlsx")
    assert [(r["unit_cost_e4"], r["line"]) for r in got.rows] == [(71000, 5)]
    assert (got.report.non_records, got.report.blank, got.report.lines) == ({"preamble": 2}, 1, 5)


def test_two_cells_over_a_table_are_no_title(read):
    with pytest.raises(DumpError, match="no source knows this header"):
        read("Acme;price list;\n" + PRICES)


def test_a_near_miss_is_suggested_and_a_find_is_explained(tmp_path, sources, context):
    def told(content):
        (tmp_path / "x.csv").write_text(content)
        return describe(DumpFile("x.csv", tmp_path / "x.csv"), sources, context)

    assert "which wants title (the file has 'titel')" in str(told("product_id,titel,price,currency\n").problem)
    assert told("product_id,title,price,currency\n").recognised_by == ("product_id", "title", "price", "currency")
    assert told("ASIN,Title,Sales Rank: Current,Buy Box: Current\n").recognised_by == ("ASIN", "Sales Rank: Current")
