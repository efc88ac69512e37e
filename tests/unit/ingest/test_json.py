"""JSON documents and JSON lines: each record is a line of the ledger, where it begins; what is no plain record costs only itself."""

from __future__ import annotations

import gzip
import json
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DumpError
from pipeline.ingest.containers import json_records
from pipeline.ingest.containers.json_documents import Decoder, cell_text, look_up
from pipeline.ingest.dump import DumpFile, describe, raw_records
from pipeline.ingest.rows.embedded_history import read_steps

# In the shape of an answer of Keepa's API. Minute 7,530,000 is 2025-04-26.
PRODUCT = {
    "asin": "B0INV00001", "domainId": 1, "title": "Nestora Under-Shelf Basket", "brand": "Nestora", "rootCategory": 1055398,
    "categoryTree": [{"catId": 1, "name": "Home & Kitchen"}, {"catId": 2, "name": "Baskets, Bins & Containers"}],
    "eanList": ["2000000001012"], "upcList": ["400000001012"], "packageLength": 284, "packageWidth": 188, "packageHeight": 79,
    "packageWeight": 980, "fbaFees": {"pickAndPackFee": 592}, "referralFeePercentage": 15.0, "returnRate": None, "monthlySold": 300,
    "csv": [
        None, [7530000, 2499, 7532000, -1, 7533000, 2599], None, [7530000, 4182, 7541200, 3990], None, None, None,
        [7530000, 2499, 0, 7533000, 2599, 499],
    ],
    "stats": {"current": [-1, 2599], "avg90": [-1, 2541], "outOfStockPercentage90": [100, 4]},
}  # fmt: skip


def product(**changes):
    return {**PRODUCT, **changes}


def answer(*products):
    return json.dumps({"timestamp": 7541200, "tokensLeft": 9, "products": list(products)}, ensure_ascii=False)


def test_a_keepa_product_gives_a_candidate_and_its_history(read):
    got = read(answer(product()), "product.json")
    (row,) = got.rows
    assert (row["product_id"], row["marketplace"], row["currency"], row["price_cents"], row["avg90_price_cents"]) == (
        "B0INV00001", "US", "USD", 2599, 2541
    )  # fmt: skip
    assert row["category_path"] == "Home & Kitchen > Baskets, Bins & Containers" and row["gtin"] == "2000000001012 400000001012"
    assert (row["out_of_stock_share_90"], row["referral_rate"], row["return_flag"], row["monthly_sold"]) == (0.04, 0.15, None, 300)
    assert (row["sales_rank"], row["package_weight_g"], row["package_length_mm"]) == (3990, 980.0, 284.0)
    # 2025-04-26 08:00, 2025-04-27 17:20 (out of stock), 2025-04-28 10:00
    assert [(step["date"], step["price_cents"], step["currency"], step["line"]) for step in got.history] == [
        (date(2025, 4, 26), 2499, "USD", 1), (date(2025, 4, 27), None, "USD", 1), (date(2025, 4, 28), 2599, "USD", 1)
    ]  # fmt: skip


def test_the_buy_box_with_shipping_goes_before_new_and_a_day_keeps_its_last_price(read):
    csv = [None] * 18 + [[7530000, 2000, 499, 7530060, 1900, 499, 7533000, -1, -1]]
    csv[1] = [7530000, 9999]
    got = read(answer(product(csv=csv, stats={"current": [-1] * 18 + [2399], "avg90": []})), "p.json")
    assert got.rows[0]["price_cents"] == 2399
    assert [(step["date"].day, step["price_cents"]) for step in got.history] == [(26, 2399), (28, None)]
    without = read(answer(product(stats=None, csv=[*csv[:-1], [7530000, 2000, 499]])), "p.json")
    assert without.rows[0]["price_cents"] == 2499


def test_yen_has_no_cents_and_every_marketplace_has_its_number(read):
    got = read(answer(product(domainId=5), product(domainId=2), product(domainId=3)), "p.json")
    assert [(row["marketplace"], row["currency"], row["price_cents"]) for row in got.rows] == [
        ("JP", "JPY", 2599), ("UK", "GBP", 2599), ("DE", "EUR", 2599)
    ]  # fmt: skip
    assert read(answer(product(domainId=7)), "p.json").aside[0]["column"] == "domainId"


@pytest.mark.parametrize("wrong", [[7530000], [7530000, "x"], [7532000, 2499, 7530000, 2599], [7530000, 2499.5], [[7530000, 2499]]])
def test_a_history_that_is_none_sets_its_record_aside_with_all_that_it_says(read, wrong):
    got = read(answer(product(csv=[None, wrong], asin="B0INV00002"), product()), "p.json")
    assert [row["product_id"] for row in got.rows] == ["B0INV00001"] and {step["product_id"] for step in got.history} == {"B0INV00001"}
    assert [row["line"] for row in got.aside] == [1]


CJ = [
    {"pid": "1000000000000000001", "productName": '["收纳篮","折叠收纳"]', "productNameEn": "Foldable Storage Basket", "productSku": "CJINV000001",
     "productWeight": "980.00", "categoryName": "Home > Baskets", "sellPrice": "8.39 -- 9.90", "listingCount": 10, "addMarkStatus": None},
    {"pid": "1000000000000000002", "productName": '["leash hook"]', "productNameEn": "Dog Leash Wall Hook", "productSku": "CJINV000002",
     "productWeight": "320", "categoryName": "Pet Supplies/Dogs", "sellPrice": "4.35"},
    {"id": "1000000000000000003", "nameEn": "Light-Up Gift Globe", "sku": "CJINV000003", "sellPrice": "15.20", "nowPrice": "13.90",
     "discountPrice": "", "warehouseInventoryNum": 420, "deliveryCycle": "3-5"},
]  # fmt: skip


@pytest.mark.parametrize(
    "form",
    [
        json.dumps,
        lambda rows: json.dumps(rows, indent=1, ensure_ascii=False),
        lambda rows: json.dumps({"code": 200, "result": True, "data": {"pageNum": 1, "list": rows, "total": 3}}),
        lambda rows: json.dumps({"data": {"content": [{"productList": rows[:1]}, {"productList": rows[1:]}]}}),
        lambda rows: "".join(json.dumps(row) + "\n" for row in rows),
        lambda rows: "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
    ],
)
def test_cj_products_old_and_new_in_every_wrapping(tmp_path, read, sources, context, form):
    text = form(CJ)
    got = read(text, "cj.json")
    assert [(row["supplier_sku"], row["unit_cost_e4"], row["stock"], row["title"]) for row in got.rows] == [
        ("CJINV000001", 99000, None, "Foldable Storage Basket"), ("CJINV000002", 43500, None, "Dog Leash Wall Hook"),
        ("CJINV000003", 152000, 420, "Light-Up Gift Globe"),
    ]  # fmt: skip
    assert [(row["line"], row["currency"], row["supplier_id"]) for row in got.rows] == [(n, "USD", "CJ") for n in (1, 2, 3)]
    for row, wanted in zip(got.rows, CJ, strict=True):
        found = Decoder().value(text.encode()[row["byte_offset"] :].decode())
        assert found.begin == 0 and found.value == json.loads(json.dumps(wanted), parse_int=str)
    source = next(source for source in sources if source.name == "cj-products")
    lines = raw_records(DumpFile("cj.json", tmp_path / "cj.json"), source, [row["byte_offset"] for row in got.rows], context)
    assert ["CJINV000001" in lines[0], "CJINV000003" in lines[2]] == [True, True]


def test_a_run_takes_candidates_and_history_out_of_one_json_file(make_dump, run):
    dump = make_dump("2026-W47", more={"candidates": [], "price_history": []})
    told = product(asin="B0EXAMPLE1", title="Bamboo drawer organizer, set of 4", brand="Generic")
    (dump / "products.json").write_text(answer(told, told, product(asin="B0INV00002")))
    entry = next(e for e in run(dump).manifest["inputs"] if e["file"] == "products.json")
    # The second telling of a product is one repeat; the history beside it is no line of the file.
    assert (entry["lines"], entry["rows"], entry["exact_repeats"], entry["records_used"]) == (3, 3, 1, 2)


def test_a_freight_quotation_is_refused_by_name(read):
    with pytest.raises(DumpError, match="freight quotation: it says no product"):
        read('[{"logisticName": "CJPacket", "logisticPrice": 4.15, "logisticAging": "2-5"}]', "freight.json")


CANDIDATE = {
    "product_id": "B0INV00001",
    "title": "Basket, 4\nnew",
    "price": 24.99,
    "currency": "USD",
    "monthly_sold": 3e2,
    "is_hazmat": False,
}


def test_canonical_records_may_be_json_too(read):
    csv = 'product_id,title,price,currency,monthly_sold,is_hazmat\nB0INV00001,"Basket, 4\nnew",24.99,USD,300,no\n'
    place = {"file", "line", "byte_offset"}
    wanted = [{k: v for k, v in row.items() if k not in place} for row in read(csv).rows]
    for name, content in (("a.json", json.dumps([CANDIDATE])), ("a.json.gz", gzip.compress(json.dumps([CANDIDATE]).encode()))):
        got = read(content, name)
        assert [{k: v for k, v in row.items() if k not in place} for row in got.rows] == wanted
        assert (got.report.lines, got.report.header, got.report.rows) == (1, 0, 1)
    with pytest.raises(DumpError, match="unknown column 'colour'"):
        read(json.dumps([CANDIDATE, {**CANDIDATE, "colour": "red"}]), "a.json")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('{"product_id": "B0INV00002", "title": "Hook", "title": "Hat", "price": 5, "currency": "USD"}', "json"),
        ('{"product_id": "B0INV00002", "title": {"en": "Hook"}, "price": 5, "currency": "USD"}', "json"),
        ('{"product_id": "B0INV00002", "title": "Hook", "price": NaN, "currency": "USD"}', "json"),
        ('{"product_id": "B0INV00002", "title": "Hook", "price": 5, "currency": "USD"', "json"),
        ('{"product_id": "B0INV00002", "title": "Hook", "price": 5, "currency": "USD"} x', "json"),
        ("[" * 100_000, "json"),
        ('["B0INV00002"]', "json"),
        ("{}", "json"),
        ('{"product_id": "B0INV00002", "title": "half \\ud83d", "price": 5, "currency": "USD"}', "encoding"),
        ('{"product_id": "B0INV00002", "title": "a\\u0000b", "price": 5, "currency": "USD"}', "control"),
        ('{"product_id": "B0INV00002", "title": "Hook", "price": 1e400, "currency": "USD"}', "value"),
        ('{"product_id": "B0INV00002", "title": "Hook", "price": "5,00", "currency": "USD"}', "value"),
        ('{"product_id": null, "title": "Hook", "price": 5, "currency": "USD"}', "value"),
    ],
)
def test_a_line_that_is_no_plain_record_costs_only_itself(read, line, kind):
    good = json.dumps(CANDIDATE)
    got = read(f"{good}\n{line}\n\n{good.replace('01', '03')}\n", "lines.jsonl")
    assert [row["line"] for row in got.rows] == [1, 4] and [(row["line"], row["kind"]) for row in got.aside] == [(2, kind)]
    assert (got.report.lines, got.report.blank) == (4, 1)
    assert got.aside[0]["byte_offset"] == len(good) + 1


def test_lines_that_are_not_utf_8_cost_themselves(read):
    good = json.dumps(CANDIDATE).encode() + b"\n"
    got = read(good * 2 + good.replace(b"Basket", b"B\xe4sket") + good.replace(b"01", b"02") * 2000, "lines.ndjson")
    assert [(row["line"], row["kind"]) for row in got.aside] == [(3, "encoding")] and len(got.rows) == 2002


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"[]", "no object in it"),
        (b"[1, 2]", "no object in it"),
        (b"[[[[[" * 30_000, "nested too deep"),
        (b'[{"product_id": "B0INV00001"}', "cut off at byte"),
        (b'[{"product_id": "B0INV00001"}] {}', "more behind its end"),
        (b'[{"product_id": "B0INV00001",}]', "no JSON at byte 29"),
        (b'[{"title": "K\xf6rbe"}]', "no UTF-8 at byte 13"),
        ("\ufeff[]".encode("utf-16-le"), "send it as UTF-8"),
        (json.dumps([{f"n{i}": 1 for i in range(1_001)}]).encode(), "more than 1,000 different names"),
        (b'[{"colour": "red", "mood": "good"}]', "no source knows this header"),
    ],
)
def test_a_document_that_is_not_whole_or_no_table_is_refused_in_one_line(read, content, said):
    with pytest.raises(DumpError, match=said) as told:
        read(content, "a.json")
    assert "\n" not in str(told.value)


def test_a_document_of_more_than_the_limit_is_sent_as_lines(read, monkeypatch):
    monkeypatch.setattr(json_records, "LARGEST_DOCUMENT", 1 << 20)
    with pytest.raises(DumpError, match="more than 1 MB; send it as JSON lines"):
        read(json.dumps([CANDIDATE] * 20_000), "a.json")


def test_a_document_cut_anywhere_is_refused_and_cut_lines_cost_one(read):
    document, lines = json.dumps([CANDIDATE] * 3), (json.dumps(CANDIDATE) + "\n") * 3
    for at in range(1, len(document), 23):
        with pytest.raises(DumpError):
            read(document[:at], "a.json")
    size = len(lines) // 3
    for at in (1, size // 2, size - 1, size, size + 1, size + 40, 2 * size - 2, 2 * size - 1, 2 * size, len(lines) - 2, len(lines) - 1):
        if at % size == 0 or at % size == size - 1:
            assert len(read(lines[:at], "a.jsonl").rows) == (at + 1) // size  # whole lines: only a manifest finds that
        else:
            with pytest.raises(DumpError, match=r"cut off|no object|fits"):
                read(lines[:at], "a.jsonl")


def test_check_tells_which_path_filled_what(tmp_path, sources, context):
    (tmp_path / "p.json").write_text(answer(product()))
    told = describe(DumpFile("p.json", tmp_path / "p.json"), sources, context)
    assert told.source == "keepa-api" and told.columns["category_path"] == "categoryTree.*.name"
    assert told.columns["price"] == "stats.current.0 | stats.current.1 | csv.1@2"
    assert "csv" in told.unused and "csv.1" not in told.unused


PLAIN = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=8
)


@given(VALUES)
def test_the_decoder_agrees_with_the_plain_one(value):
    text = json.dumps(value)
    assert json.loads(json.dumps(Decoder().value(text).value)) == json.loads(text, parse_int=str, parse_float=str)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "a.b", "c"]), VALUES, max_size=4),
    st.sampled_from(["a", "a.b", "a.0", "a.*.b", "c.1@2", "c.*"]),
)
def test_looking_up_and_showing_never_fails(record, path):
    found = Decoder().value(json.dumps(record)).value
    text = cell_text(look_up(found, path), ",")
    assert text is None or isinstance(text, str)


MINUTES = st.lists(st.tuples(st.integers(0, 200), st.integers(-2, 9999), st.integers(-1, 500)), max_size=12)


@given(st.lists(MINUTES, min_size=1, max_size=4), st.sampled_from([2, 3]))
def test_steps_agree_with_their_slow_twin(histories, stride):
    texts, wanted = [], []
    for row, steps in enumerate(histories):
        ordered = [(7_530_000 + 97 * minute, *rest) for minute, *rest in sorted(steps, key=lambda step: step[0])]
        texts.append("; ".join(str(number) for step in ordered for number in step[:stride]))
        by_day = {}
        for minute, price, shipping in ordered:
            day = date(2011, 1, 1) + timedelta(minutes=minute)
            by_day[day] = (price + max(shipping, 0) * (stride == 3)) if price > 0 or (price == 0 and stride == 3 and shipping > 0) else None
        if any(price is not None for price in by_day.values()):
            wanted += [(row, day, price) for day, price in by_day.items()]
    got, wrong = read_steps([texts], [stride])
    days = [date(1970, 1, 1) + timedelta(days=int(day)) for day in got.days]
    prices = [None if null else int(price) for price, null in zip(got.prices, got.null, strict=True)]
    assert list(zip(got.rows.tolist(), days, prices, strict=True)) == wanted and not np.any(wrong)
