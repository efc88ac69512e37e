"""The category gate on any text at all: every row gets a whole answer, and only its own cells make it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.stages.categories.gate import COLUMNS, DEPARTMENTS, RETURN_CLASSES, SEVERITY, CategoryPolicy, classify, compile_rules

FOLDER = Path(__file__).resolve().parents[4] / "configs" / "categories"
TABLES = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.toml")}
RULES = compile_rules(TABLES)
POLICY = CategoryPolicy()
FEES = frozenset(TABLES["fees"]["categories"])
BRAND_STATES = {"known", "unknown", "generic", "missing"}

# Any character but lone surrogates, which no file in UTF-8 can hold.
anything = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
# Near the grammar of a listing, so that separators, entities, marks and rule words meet in odd orders.
PIECES = [
    *(">", "›", "»", "＞", "&gt;", "&", "&#", "&#0;", "&#x110000;", "&#99999999;", "/", ",", "...", "(", "（"),
    *("[", "【", "-", "'", "ß", "ﬁ", "²", "٣", "😀", "👩‍👩‍👧", "שלום", "مرحبا", "ﷺ", "ガ", "ｶﾞ"),
    *(" > ", " ", "\n", "\t", "\0", "\ufeff", "\u200b", "\u202e", "\u2066", "\u00ad", "\u0301", "\u3099", "\u0130"),
    *("Electronics", "Home & Kitchen", "Clothing, Shoes & Jewelry", "Pet Supplies", "Handmade", "All Departments", "Food Storage"),
    *("Dog Food", "Shoes", "Tires", "Vitamins", "Nike", "Generic", "Brand:", "for", "by", "LEGO", "usb", "t-shirt", "5000mAh", "NA"),
]
odd = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
cell = st.one_of(st.none(), anything, odd)


def frame(*rows: tuple[str | None, str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["title", "brand", "category_path"], dtype="str")


def check(got: pd.DataFrame) -> None:
    assert list(got.columns) == list(COLUMNS)
    assert not got.isna().any().any()
    assert set(got["department"]) <= set(DEPARTMENTS)
    assert set(got["brand_state"]) <= BRAND_STATES
    assert set(got["category_verdict"]) <= set(SEVERITY)
    assert set(got["return_class"]) <= RETURN_CLASSES
    assert set(got["fee_category"]) <= FEES
    assert got["category_reason"].str.len().gt(0).all()
    assert got["fee_category_assumed"].dtype == bool
    # A known or an unknown brand has a name, the two other states have none.
    assert (got["brand_key"].eq("") == got["brand_state"].isin(["generic", "missing"])).all()


Cells = tuple[str | None, str | None, str | None]


@given(rows=st.lists(st.tuples(cell, cell, cell), min_size=1, max_size=12), alone=st.integers(0, 11))
@example(rows=[("a\0b", "x\0y", "Home & Kitchen > a\0"), ("a\0c", "x\0z", "Home & Kitchen > b\0")], alone=0)
@example(rows=[("a\0b", "x\0y", "Home & Kitchen > a\0"), ("a\0c", "x\0z", "Home & Kitchen > b\0")], alone=1)
@example(rows=[(" ", "\u200b", "\ufeff"), ("\u3000", "\u00ad", " › ")], alone=0)
@settings(max_examples=150, deadline=None)
def test_every_row_gets_a_whole_answer_whatever_its_cells_hold(rows: list[Cells], alone: int) -> None:
    got = classify(frame(*rows), RULES, POLICY)
    check(got)
    # One row by itself is enough to see its neighbours' hand in it: another one each time.
    row = alone % len(rows)
    assert classify(frame(rows[row]), RULES, POLICY).iloc[0].to_dict() == got.iloc[row].to_dict()


LONG = [
    *("a", "\0", "😀", "ガ", "\u0301", "\u202e", "nike ", "usb ", "for nike ", "milk cup ", "chocolate candle ", "Brand: ", "Inc ", "("),
    *("Food Storage > ", "Dog Food > ", "Electronics > ", "All Departments > ", "&gt;", "& ", "&#", "&#9"),
]


@pytest.mark.parametrize("piece", LONG)
def test_a_hundred_kilobytes_in_a_cell_are_read_in_one_go(piece: str) -> None:
    # A rule that looked at each pair of words or segments would take minutes here.
    long = piece * (100_000 // len(piece))
    rows = [
        (long, "Generic", "Home & Kitchen"),
        ("tray", long, "Shoes"),
        ("tray", "Generic", long),
        (long, long, f"Home & Kitchen > {long}"),
    ]
    check(classify(frame(*rows), RULES, POLICY))


def test_a_character_code_of_thousands_of_digits_is_text_and_no_error() -> None:
    got = classify(frame(("tray", "Generic", f"Home & Kitchen > &#{'9' * 5000};")), RULES, POLICY)
    assert got["category_verdict"][0] == "pass"
