"""Merging candidates: the order of rows never matters, every row is accounted for, and the price is the lowest known."""

import pandas as pd
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.records.candidates import one_row_per_product
from pipeline.tables.frames import to_frame
from pipeline.tables.schemas import CANDIDATES, ORIGIN, schema

FACTS = st.fixed_dictionaries(
    {
        "marketplace": st.sampled_from(["US", "DE"]),
        "product_id": st.sampled_from(["P", "Q"]),
        "file": st.sampled_from(["a.csv", "b.csv", "c.csv"]),
        "price_cents": st.sampled_from([None, 1900, 2000]),
        "title": st.sampled_from([None, "One", "Two"]),
        "brand": st.sampled_from([None, "Acme"]),
        "is_hazmat": st.sampled_from([None, True, False]),
        "package_weight_g": st.sampled_from([None, 0.5, 400.0]),
    }
)
ROWS = st.lists(FACTS, min_size=1, max_size=10)
KEYS = ["marketplace", "product_id"]


def rows_of(facts):
    return [row | {"currency": "USD", "source": "s", "line": place + 2, "byte_offset": 50 * place} for place, row in enumerate(facts)]


def merged(rows):
    return one_row_per_product(to_frame(pa.Table.from_pylist(rows, schema=schema(CANDIDATES + ORIGIN))))


@given(facts=ROWS, dice=st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_order_of_rows_never_matters(facts, dice):
    rows = rows_of(facts)
    one, other = merged(rows), merged(dice.sample(rows, len(rows)))
    pd.testing.assert_frame_equal(one.candidates, other.candidates)
    pd.testing.assert_frame_equal(one.conflicts, other.conflicts)
    assert one.repeats == other.repeats


@given(facts=ROWS)
@settings(max_examples=25)
def test_every_row_is_kept_repeated_set_aside_or_merged_across_files(facts):
    found = merged(rows_of(facts))
    keys = {(row["marketplace"], row["product_id"]) for row in facts}
    places = {(row["marketplace"], row["product_id"], row["file"]) for row in facts}
    distinct = {frozenset(row.items()) for row in facts}
    assert set(zip(found.candidates["marketplace"], found.candidates["product_id"], strict=True)) == keys
    assert len(found.candidates) == len(keys)
    assert sum(found.repeats.values()) == len(facts) - len(distinct)
    assert len(found.conflicts) == len(distinct) - len(places)


@given(facts=ROWS)
@settings(max_examples=25)
def test_the_price_is_the_lowest_of_all_rows_and_no_known_fact_of_a_kept_row_is_lost(facts):
    found = merged(rows_of(facts))
    # A row set aside may stand in its file several times: what it says is what was set aside.
    aside = [facts[line - 2] for line in found.conflicts["line"]]
    kept = [row for row in facts if row not in aside]
    for record in found.candidates.to_dict("records"):
        own = [row for row in facts if all(row[key] == record[key] for key in KEYS)]
        prices = [row["price_cents"] for row in own if row["price_cents"] is not None]
        assert (record["price_cents"] == min(prices)) if prices else pd.isna(record["price_cents"])
        for name in ("title", "brand", "is_hazmat", "package_weight_g"):
            said = {row[name] for row in kept if all(row[key] == record[key] for key in KEYS)} - {None}
            assert (record[name] in said) if said else pd.isna(record[name])
