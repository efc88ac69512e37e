"""Keepa's exports in every form, with invented products."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from pipeline.errors import DumpError
from pipeline.ingest.dump import list_dump, read_file

SAVED = "Image,Title,Sales Rank: Current,Buy Box 🚚: Current,Amazon: Current,New: Current,Categories: Tree,ASIN,Product Codes: UPC,Product Codes: EAN,Brand,\n"
MARK = ",,,,,,,,,,,Exported on 2026-02-03 08:15 (UTC) by ✜ Keepa.com"


def test_a_spreadsheets_locale_code_names_the_currency(read):
    got = read(SAVED + 'x,Basket,8211,"1,234.95 -409",,,Home › Baskets,B0INV00001,,,Nestora,\n' + MARK)
    row = got.rows[0]
    assert (row["price_cents"], row["currency"], row["marketplace"]) == (123495, "USD", "US")
    assert row["category_path"] == "Home > Baskets"


def test_watermark_and_blank_rows_are_no_records_but_count(read):
    got = read(SAVED + "x,Basket,,5 -409,,,,B0INV00001,,,Nestora,\n" + ",,,,,,,,,,,\n" * 2 + MARK)
    assert got.report.non_records == {"blank_record": 2, "watermark": 1}
    assert (got.report.rows, got.report.lines, got.report.exported_at) == (1, 5, "2026-02-03 08:15")


def test_a_watermark_in_a_products_row_leaves_the_product(read):
    got = read(SAVED + "x,Basket,,5 -409,,,,B0INV00001,,,Nestora,Exported on 2026-02-03 08:15 (UTC) by ✜ Keepa.com\n")
    assert got.report.rows == 1 and got.report.non_records == {}


def test_a_row_with_values_but_no_asin_is_set_aside(read):
    got = read(SAVED + "x,Basket,,5 -409,,,,,,,Nestora,\n")
    assert [(row["column"], row["kind"]) for row in got.aside] == [("ASIN", "value")]


def test_a_row_without_any_price_is_in_the_one_currency_of_its_file(read, context):
    plan = replace(context, default_marketplace="DE")
    got = read(SAVED + "x,Basket,,,,,,B0INV00001,,,Nestora,\nx,Hook,,5 -409,,,,B0INV00002,,,Nestora,\n", plan=plan)
    assert [(row["marketplace"], row["price_cents"]) for row in got.rows] == [("US", None), ("US", 500)]


def test_the_price_is_the_first_of_buy_box_amazon_and_new(read):
    got = read(SAVED + "x,A,,,7 -409,8 -409,,B0INV00001,,,,\nx,B,,,,8 -409,,B0INV00002,,,,\nx,C,,-,7 -409,,,B0INV00003,,,,\n")
    assert [row["price_cents"] for row in got.rows] == [700, 800, 700]


def test_codes_of_several_columns_are_joined_as_text(read):
    got = read(SAVED + 'x,A,,,,,,B0INV00001,000000000208,"2000000002026, 2000000002040",,\n')
    assert got.rows[0]["gtin"] == "2000000002026 2000000002040 000000000208"


def test_a_code_that_a_spreadsheet_damaged_is_dropped_and_told(read):
    got = read(SAVED + "x,A,,,,,,B0INV00001,4.00000E+12,,,\n")
    assert got.rows[0]["gtin"] is None
    assert got.report.warnings == ["Product Codes: EAN: 1 cells not understood, taken as missing"]


@pytest.mark.parametrize(
    "name", ["Buy Box 🚚: Current", "Buy Box: Current", "Buy Box 💚: Current", "New, Buy Box: Current", "Buy Box - Current"]
)
def test_one_field_has_many_headers(read, name):
    got = read(f'"ASIN","{name}","Categories: Tree"\n"B0INV00001","1,299.00",""')
    assert got.rows[0]["price_cents"] == 129900


def test_the_native_form_has_a_mark_quotes_and_no_last_line_end(read):
    head = '\ufeff"Title","Sales Rank: Current","Buy Box 🚚: Current","ASIN"\n'
    got = read(head + '"Basket, ""big""","4182","24.99","B0INV00001"')
    assert (got.rows[0]["title"], got.rows[0]["price_cents"]) == ('Basket, "big"', 2499)
    for cut in ('"Basket","4182","24.99"', '"Basket","4182","24.99","B0INV0'):
        with pytest.raises(DumpError, match="cut off"):
            read(head + cut)


def test_the_locale_gives_marketplace_and_currency_and_a_wrong_code_is_set_aside(read):
    head = "Locale,Sales Rank: Current,Buy Box 🚚: Current,Return Rate,Listed since,Package: Weight (g),Is HazMat,Referral Fee %,ASIN,\n"
    got = read(head + "de,850,24.99 -C0A,High,45992,0,no,0.1501,B0INV00001,\nde,,24.99 -409,,,,,,B0INV00002,\n")
    row = got.rows[0]
    assert (row["marketplace"], row["currency"], row["price_cents"]) == ("DE", "EUR", 2499)
    assert (row["return_flag"], row["listed_since"], row["package_weight_g"]) == ("high", date(2025, 12, 1), None)
    assert (row["is_hazmat"], row["referral_rate"]) == (False, 0.1501)
    assert [(row["line"], row["kind"]) for row in got.aside] == [(3, "currency")]


def test_japanese_headers_give_whole_yen_and_percents(read, context):
    head = "ASIN,商品名,売れ筋ランキング: 現在価格,Buy Box: 現在価格,紹介料％\n"
    got = read(head + 'B0INV00001,バスケット,"4,182","２，４８０",15.00%', plan=replace(context, default_marketplace="JP"))
    row = got.rows[0]
    assert (row["price_cents"], row["currency"], row["sales_rank"], row["referral_rate"]) == (2480, "JPY", 4182, 0.15)


def test_spanish_headers_declare_the_decimal_comma(read):
    head = "Localización,ASIN,Título,Clasificación de Ventas: Actual,Caja de Compra: Actual,% de comisión de referencia\n"
    got = read(head + 'es,B0INV00001,Cesta,812,"€ 1.024,99",15 %\nes,B0INV00002,Globo,1,12.99,\n')
    assert (got.rows[0]["price_cents"], got.rows[0]["marketplace"], got.rows[0]["referral_rate"]) == (102499, "ES", 0.15)
    assert [row["column"] for row in got.aside] == ["Caja de Compra: Actual"]


def test_rewritten_exports_have_guards_signs_and_units(read):
    head = "Percent Down 90,Title,Categories - Tree,ASIN,Package Weight,Package Height,Sales Rank - Current,Buy Box - Current\n"
    got = read(head + '5%,Basket,Home > Baskets,"=""B0INV00001""",0.98 kg,3.1 cm,"1,204,310",$24.99\n')
    row = got.rows[0]
    assert (row["product_id"], row["price_cents"], row["package_weight_g"], row["package_height_mm"]) == (
        "B0INV00001",
        2499,
        980,
        31,
    )
    assert (row["source"], row["sales_rank"]) == ("keepa-rewritten", 1204310)


def test_a_price_pull_is_history_and_its_sentinel_is_no_price(read):
    head = "date,retail_price,discounted_price,rating,asin,marketplace,category\n"
    got = read(
        head + "2026-01-18,24.99,,4.5,B0INV00001,US,x\n2026-01-18,-0.01,-0.01,,B0INV00002,DE,x\n2026-01-18,24.80,,,B0INV00003,JP,x\n"
    )
    assert [(row["price_cents"], row["currency"]) for row in got.rows] == [(2499, "USD"), (None, "EUR"), (2480, "JPY")]


def test_the_real_files_give_4994_and_1040_products(real_data, sources, context):
    counts = {}
    for file in list_dump(real_data / "keepa"):
        reading = read_file(file, sources, context)
        chunks = list(reading.tables())
        assert {name for name, _ in chunks} == {"candidates"}
        currencies = {code for _, chunk in chunks for code in chunk["currency"].to_pylist()}
        counts[reading.report.rows] = (currencies, reading.report.non_records)
    assert counts == {
        4994: ({"USD"}, {"blank_record": 6, "watermark": 1}),
        1040: ({"EUR"}, {"watermark": 1}),
    }
