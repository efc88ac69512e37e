"""The same goods: product codes with their check digit, pack counts in titles, and which offer is for which product."""

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stages.offers.identity import gtin14, gtins_invalid, pack_count, packs_differ
from pipeline.stages.offers.matching import match_offers, product_codes
from pipeline.tables.frames import to_frame
from pipeline.tables.schemas import CANDIDATES, MATCHES, OFFERS, ORIGIN, schema

UPC, EAN13, EAN8 = "036000291452", "4006381333931", "96385074"  # the examples of the GS1 pages


def test_a_code_of_each_length_is_the_same_code_when_padded_to_fourteen_digits():
    assert gtin14(UPC) == gtin14("0" + UPC) == gtin14("00" + UPC) == "00036000291452"
    assert gtin14(EAN13) == gtin14("0" + EAN13) == "04006381333931"
    assert gtin14(EAN8) == "00000096385074"


@given(body=st.text("0123456789", min_size=7, max_size=13).filter(lambda text: len(text) in (7, 11, 12, 13) and int(text)))
def test_exactly_one_check_digit_makes_a_code(body):
    # GS1: from the right, the digits before the check digit weigh 3, 1, 3, ...
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    valid = [digit for digit in "0123456789" if gtin14(body + digit) is not None]
    assert valid == [str(-total % 10)]


@pytest.mark.parametrize("code", ["", "0", "1234567", "036000291453", "03600029145", "00000000", "00000000000000", "4006381333931 ", "400638133393X",
                                  "４００６３８１３３３９３１", "04006381333931000", "-4006381333931"])  # fmt: skip
def test_a_wrong_length_check_digit_or_sign_is_no_code(code):
    assert gtin14(code) is None


def test_a_cell_is_invalid_when_one_of_its_codes_is_and_unknown_when_it_is_empty():
    cells = pd.Series([UPC, f"{UPC} {EAN13}", f"{UPC} 123", None, "123"], dtype="str")
    found = gtins_invalid(cells)
    assert found.isna().tolist() == [False, False, False, True, False]
    assert found.fillna(False).tolist() == [False, False, True, False, True]


def test_the_index_of_cells_is_kept_and_no_cells_are_no_error():
    assert gtins_invalid(pd.Series([UPC, None], index=[7, 9], dtype="str")).index.tolist() == [7, 9]
    assert len(gtins_invalid(pd.Series([], dtype="str"))) == 0


@pytest.mark.parametrize(
    ("title", "count"),
    [
        ("Bamboo drawer organizer, set of 4", 4),
        ("Storage Bins (Pack of 12)", 12),
        ("Storage Bins 12 Pack", 12),
        ("Bins, 3-Pack", 3),
        ("Hooks 20 pcs", 20),
        ("Hooks 20pcs white", 20),
        ("Wipes 100 Count", 100),
        ("4 Piece Set", 4),
        ("Bundle of 2", 2),
        ("Box of 50 clips", 50),
        ("Set x 6", 6),
        ("Aufbewahrungsbox 4er-Set", 4),
        ("Aufbewahrungsbox 4er Set grau", 4),
        ("Haken, 6 Stück", 6),
        ("Besteckset 24-teilig", 24),
        ("收纳盒 5件套", 5),
        ("挂钩10个装", 10),
        ("毛巾 3枚", 3),
        ("収納ボックス 2個セット", 2),
        ("タオル 10枚入り", 10),
        ("ペン １２本組", 12),
        ("Drawer organizer", None),
        ("24 cm drawer organizer", None),
        ("Model 2024", None),
        ("Set of 0", None),
        ("Set of 1000", None),
    ],
)
def test_a_title_says_how_many_pieces_it_means(title, count):
    assert pack_count(title) == count


@pytest.mark.parametrize("title", ["输入1200個", "Clips 1,200 pcs"])
def test_a_number_too_long_to_be_a_pack_is_not_cut_to_its_last_digits(title):
    assert pack_count(title) is None


def differ(title, offer, times=None):
    columns = (pd.Series([text], dtype="str") for text in (title, offer))
    return bool(packs_differ(*columns, pd.Series([times], dtype="Int64")).iloc[0])


@pytest.mark.parametrize(
    ("title", "offer", "times", "differs"),
    [
        ("set of 4", "set of 4", None, False),
        ("set of 4", "set of 2", None, True),
        ("set of 4", "set of 2", 2, False),
        ("set of 4", "4个装", None, False),
        ("set of 4", "set of 4", 2, True),
        ("set of 4", "drawer organizer", None, False),
        ("drawer organizer", "set of 4", None, False),
        ("set of 4", None, 4, False),
    ],
)
def test_packs_differ_only_where_both_titles_say_a_count(title, offer, times, differs):
    assert differ(title, offer, times) is differs


def table(columns, *rows):
    return to_frame(pa.Table.from_pylist(list(rows), schema=schema(columns)))


def offer(sku=None, **facts):
    return {"supplier_id": "S1", "supplier_sku": sku, "unit_cost_e4": 70_000, "currency": "USD", "source": "s", "file": "o.csv"} | facts


def match(sku, product, **facts):
    return {"supplier_id": "S1", "supplier_sku": sku, "product_id": product} | facts


def matched(*offers, matches=(), candidates=()):
    codes = product_codes(table(CANDIDATES, *({"marketplace": "US"} | row for row in candidates)))
    found, rest = match_offers(table(OFFERS + ORIGIN, *offers), table(MATCHES, *matches), codes)
    keys = [tuple(None if pd.isna(value) else value for value in row) for row in zip(
        found["supplier_id"], found["product_id"], found["marketplace"], found["matched_by"], strict=True)]  # fmt: skip
    return keys, rest


def test_an_offer_that_names_a_product_is_for_it_even_when_its_code_says_otherwise():
    keys, rest = matched(offer(product_id="P", gtin=UPC), candidates=[{"product_id": "Q", "gtin": UPC}])
    assert keys == [("S1", "P", None, "product_id")] and len(rest) == 0


def test_an_article_number_is_looked_up_in_the_seller_s_matches_of_the_same_supplier():
    offers = [offer("A"), offer("A", supplier_id="S2")]
    keys, rest = matched(*offers, matches=[match("A", "P", marketplace="US")])
    assert keys == [("S1", "P", "US", "sku")] and rest["supplier_id"].tolist() == ["S2"]


def test_one_article_may_serve_several_products():
    keys, _ = matched(offer("A"), matches=[match("A", "P"), match("A", "Q"), match("A", "P")])
    assert sorted(key[1] for key in keys) == ["P", "Q"]


def test_a_match_tells_how_many_make_one_unless_the_offer_says_so_itself():
    matches = table(MATCHES, match("A", "P", pack_quantity=4), match("B", "P", pack_quantity=4))
    found, _ = match_offers(table(OFFERS + ORIGIN, offer("A"), offer("B", pack_quantity=2)), matches, product_codes(table(CANDIDATES)))
    assert found.set_index("supplier_sku")["pack_quantity"].to_dict() == {"A": 4, "B": 2}


def test_a_match_for_another_marketplace_is_none():
    keys, rest = matched(offer("A", marketplace="DE"), matches=[match("A", "P", marketplace="US")])
    assert keys == [] and len(rest) == 1


def test_a_code_matches_in_every_length_and_names_the_marketplace():
    keys, _ = matched(offer(gtin="0" + UPC), candidates=[{"product_id": "P", "gtin": UPC}, {"product_id": "Q", "gtin": EAN13}])
    assert keys == [("S1", "P", "US", "gtin")]


def test_an_offer_with_several_codes_is_for_a_product_once():
    keys, _ = matched(offer(gtin=f"{UPC} 0{UPC} {EAN13}"), candidates=[{"product_id": "P", "gtin": f"{UPC} {EAN13}"}])
    assert keys == [("S1", "P", "US", "gtin")]


def test_a_code_that_two_listings_share_is_an_offer_for_both():
    candidates = [{"product_id": "P", "gtin": UPC}, {"product_id": "Q", "gtin": UPC}, {"product_id": "P", "gtin": UPC, "marketplace": "DE"}]
    keys, _ = matched(offer(gtin=UPC), offer(gtin=UPC, marketplace="DE", supplier_id="S2"), candidates=candidates)
    assert sorted(keys) == [("S1", "P", "DE", "gtin"), ("S1", "P", "US", "gtin"), ("S1", "Q", "US", "gtin"), ("S2", "P", "DE", "gtin")]


def test_the_seller_s_own_match_stands_before_a_code():
    keys, _ = matched(offer("A", gtin=UPC), matches=[match("A", "P")], candidates=[{"product_id": "Q", "gtin": UPC}])
    assert [key[1:] for key in keys] == [("P", None, "sku")]


def test_two_equal_invalid_codes_match_nothing():
    wrong = UPC[:-1] + "3"
    keys, rest = matched(offer(gtin=wrong), candidates=[{"product_id": "P", "gtin": wrong}])
    assert keys == [] and rest["gtin"].tolist() == [wrong]


def test_what_no_product_takes_is_kept_as_it_came():
    offers = [offer("unknown", line=9), offer(line=4), offer(gtin=EAN8, line=7), offer(product_id="P", line=5)]
    keys, rest = matched(*offers, matches=[match("A", "P")], candidates=[{"product_id": "P", "gtin": UPC}])
    assert len(keys) == 1
    assert rest["line"].tolist() == [9, 4, 7] and rest["unit_cost_e4"].tolist() == [70_000] * 3


def test_every_offer_is_matched_or_kept_and_never_both():
    offers = [offer("A", line=1), offer(gtin=UPC, line=2), offer(product_id="P", line=3), offer("Z", gtin=EAN13, line=4)]
    matches, codes = (
        table(MATCHES, match("A", "P"), match("A", "Q")),
        product_codes(table(CANDIDATES, {"product_id": "P", "gtin": UPC, "marketplace": "US"})),
    )
    found, rest = match_offers(table(OFFERS + ORIGIN, *offers), matches, codes)
    assert set(found["line"]) == {1, 2, 3} and set(rest["line"]) == {4}
    assert found["matched_by"].tolist() == ["product_id", "sku", "sku", "gtin"]


def test_no_offers_are_no_error():
    keys, rest = matched()
    assert keys == [] and len(rest) == 0
