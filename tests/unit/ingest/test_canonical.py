"""Our own tables: natural units in, whole minor units out, nothing guessed."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from pipeline.errors import DumpError

HEAD = "product_id,title,price,currency"


def test_money_becomes_minor_units_of_its_own_currency(read):
    got = read(f"{HEAD},marketplace\nA,x,24.99,USD,US\nB,x,2480,JPY,JP\nC,x,5.5,GBP,GB\n")
    assert [(row["price_cents"], row["marketplace"]) for row in got.rows] == [(2499, "US"), (2480, "JP"), (550, "UK")]


@pytest.mark.parametrize(
    ("price", "currency", "kind"),
    [
        ("0", "USD", "value"),
        ("-1", "USD", "value"),
        ("24,99", "USD", "value"),
        ("1,299", "USD", "value"),
        ("24.999", "USD", "value"),
        ("1E3", "USD", "value"),
        ("nan", "USD", "value"),
        ("24.99", "XXX", "currency"),
        ("24.99", "", "currency"),
        ("€24.99", "USD", "currency"),
        ("24.5", "JPY", "value"),
    ],
)
def test_a_price_that_is_none_is_set_aside(read, price, currency, kind):
    got = read(f'{HEAD}\nA,x,"{price}",{currency}\n')
    assert (got.rows, [row["kind"] for row in got.aside]) == ([], [kind])


@pytest.mark.parametrize("price", ["24.99", "$24.99", "24.99 USD", "２４．９９", "24.9900", " 24.99 "])
def test_one_price_has_many_spellings(read, price):
    assert read(f"{HEAD}\nA,x,{price},USD\n").rows[0]["price_cents"] == 2499


def test_an_empty_price_is_missing(read):
    assert read(f"{HEAD}\nA,x,,USD\n").rows[0]["price_cents"] is None


def test_a_price_in_the_wrong_currency_for_its_marketplace_is_set_aside(read):
    got = read(f"{HEAD},marketplace\nA,x,5,EUR,US\n")
    assert [(row["kind"], row["column"]) for row in got.aside] == [("currency", "currency")]


def test_a_row_without_marketplace_is_of_the_only_one_of_its_currency(read):
    got = read(f"{HEAD},marketplace\nA,x,5,GBP,\nB,x,5,USD,\nC,x,5,EUR,\n")
    assert [(row["product_id"], row["marketplace"]) for row in got.rows] == [("A", "UK"), ("B", "US")]
    assert [row["kind"] for row in got.aside] == ["currency"]  # three marketplaces take euros, the plan's default does not


def test_words_that_look_missing_are_text(read):
    got = read(f"{HEAD},brand\nA,null,5,USD,NA\nB,nan,5,USD,None\nC,,5,USD,\n")
    assert [(row["title"], row["brand"]) for row in got.rows] == [("null", "NA"), ("nan", "None"), (None, None)]


def test_ids_and_codes_keep_their_leading_zeros(read):
    got = read(f"{HEAD},gtin\n0000000124,x,5,USD,00123456789012;4006381333931\n")
    assert (got.rows[0]["product_id"], got.rows[0]["gtin"]) == ("0000000124", "00123456789012 4006381333931")


def test_an_unknown_header_is_refused_with_the_nearest_known_one(read):
    with pytest.raises(DumpError, match="unknown column 'ratng' for canonical-candidates; did you mean 'rating'"):
        read(f"{HEAD},ratng\nA,x,5,USD,4\n")


def test_a_doubled_header_is_refused(read):
    with pytest.raises(DumpError, match="the column 'price' stands twice"):
        read("product_id,title,price,price,currency\nA,x,5,5,USD\n")


def test_a_file_of_no_source_is_refused_with_the_nearest_and_what_it_lacks(read):
    with pytest.raises(DumpError, match=r"odd\.csv: no source knows this header; nearest is canonical-candidates, which wants currency"):
        read("product_id,title,price,brand\nA,x,5,y\n", "odd.csv")


def test_history_takes_an_empty_price_as_out_of_stock(read):
    got = read("product_id,date,price,currency\nA,2026-01-05,24.99,USD\nA,2026-02-01,,USD\nA,05.02.2026,3,USD\n")
    assert [(row["date"], row["price_cents"]) for row in got.rows] == [(date(2026, 1, 5), 2499), (date(2026, 2, 1), None)]
    assert got.aside[0]["message"] == "a date as YYYY-MM-DD"


def test_costs_have_four_decimals_and_no_marketplace_stays_none(read):
    got = read("supplier_id,unit_cost,currency,gtin,freight,duty_included\nS1,3.125,USD,4006381333931,0,yes\nS2,1,EUR,,,no\n")
    assert [(row["unit_cost_e4"], row["freight_e4"], row["duty_included"]) for row in got.rows] == [
        (31250, 0, True),
        (10000, None, False),
    ]
    assert [row["marketplace"] for row in got.rows] == [None, None]


def test_a_returned_line_keeps_its_size_and_customers_are_only_keys(read):
    head = "order_id,product_id,ordered_at,quantity,unit_price,currency,customer_id,is_return\n"
    got = read(head + "1,A,2026-01-05T10:00:00+02:00,2,5,USD,jane@example.com,no\n2,A,2026-01-06,-2,5,USD,jane@example.com,yes\n")
    assert [(row["quantity"], row["is_return"]) for row in got.rows] == [(2, False), (2, True)]
    assert got.rows[0]["ordered_at"] == datetime(2026, 1, 5, 8)
    keys = {row["customer_key"] for row in got.rows}
    assert len(keys) == 1 and 0 <= keys.pop() < 2**63


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("1,A,2026-01-05,-2,5,USD,jane@example.com,no", "1,A,2026-01-05,-2,5,USD,***,no"),
        ('1,A,2026-01-05,2,"5,USD,jane@example.com,no', "*** (a line with personal cells that cannot be told apart)"),
        ("1,A,2026-01-05,2,5,USD,jane@example.com,no,9", "*** (a line with personal cells that cannot be told apart)"),
    ],
)
def test_personal_cells_never_stand_in_a_line_that_is_set_aside(read, line, shown):
    got = read("order_id,product_id,ordered_at,quantity,unit_price,currency,customer_id,is_return\n" + line + "\n")
    assert [row["raw"] for row in got.aside] == [shown]


@pytest.mark.parametrize(
    ("content", "table"),
    [
        ("supplier_id,supplier_sku,product_id\nS1,PW-2,A\n", "matches"),
        ("product_id,period_start,period_end,sold_orders,returned_orders\nA,2026-01-01,2026-02-01,10,1\n", "returns"),
        ("supplier_id,promised_date,shipped_date\nS1,2026-01-01,\n", "deliveries"),
        ("product_id,own_sku,listed_price\nA,X1,24.99\n", "listed"),
        ("product_id\nA\n", "listed"),
        ("product_id,decision,quoted_cost\nA,Skip,3.20\n", "decisions"),
    ],
)
def test_every_table_has_its_file(read, content, table):
    got = read(content)
    assert (got.report.table, got.report.rows, got.aside) == (table, 1, [])
