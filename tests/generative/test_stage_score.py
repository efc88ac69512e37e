"""Laws of the score: each part is monotone in its fact, no row leans on its neighbours, and the list keeps its limits."""

from collections import Counter

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.files import load_plan
from pipeline.stages.score.score import PARTS, score, select
from pipeline.tables.frames import to_frame

PLAN = load_plan()
CENTS = st.one_of(st.none(), st.integers(-3000, 9000))
FACTS = st.fixed_dictionaries(
    {
        "price_cents": st.integers(1, 9000), "price_forecast_p50_cents": st.one_of(st.none(), st.integers(1, 9000)),
        "kept_profit_cents": CENTS, "net_profit_expected_cents": CENTS, "net_profit_p10_cents": CENTS,
        "expected_return_loss_cents": st.one_of(st.none(), st.integers(0, 3000)), "suppliers": st.integers(0, 9),
        "handling_days": st.one_of(st.none(), st.integers(0, 9)), "monthly_sold": st.one_of(st.none(), st.integers(0, 5000)),
        "late_probability": st.one_of(st.none(), st.floats(0, 1)),
    }
)  # fmt: skip
SCHEMA = pa.schema(
    [
        (name, pa.float64() if name == "late_probability" else pa.int64())
        for name in (
            "price_cents", "price_forecast_p50_cents", "kept_profit_cents", "net_profit_expected_cents", "net_profit_p10_cents",
            "expected_return_loss_cents", "suppliers", "handling_days", "monthly_sold", "late_probability",
        )
    ]
)  # fmt: skip


def scored(rows):
    return score(to_frame(pa.Table.from_pylist(rows, schema=SCHEMA)), PLAN.score)


@given(rows=st.lists(FACTS, min_size=1, max_size=8))
@settings(max_examples=60)
def test_parts_add_up_and_stay_within_their_weights_and_no_row_leans_on_its_neighbours(rows):
    found = scored(rows)
    assert (found["score"] - sum(found[f"score_{part}"] for part in PARTS)).abs().max() < 1e-6
    for part in PARTS:
        assert found[f"score_{part}"].between(0, getattr(PLAN.score, f"{part}_weight")).all()
    assert found["score_coverage"].between(0, 1).all()
    for at, row in enumerate(rows):
        pd.testing.assert_frame_equal(scored([row]), found.iloc[[at]].reset_index(drop=True))


# Fact, part, and whether more of it is better.
FACT_OF_PART = [
    ("kept_profit_cents", "margin", True), ("net_profit_p10_cents", "stability", True), ("net_profit_expected_cents", "stability", False),
    ("expected_return_loss_cents", "returns", False), ("handling_days", "supply", False), ("late_probability", "supply", False),
    ("suppliers", "supply", True), ("monthly_sold", "demand", True),
]  # fmt: skip


@pytest.mark.parametrize(("fact", "part", "more_is_better"), FACT_OF_PART)
@given(row=FACTS, values=st.lists(st.integers(1, 3000), min_size=2, max_size=6))
@settings(max_examples=25)
def test_each_part_is_monotone_in_its_fact_and_moves_the_score_alone(fact, part, more_is_better, row, values):
    known = {name: value if value is not None else 1 for name, value in row.items()}
    values = sorted(value / 3000 if fact == "late_probability" else value for value in values)
    found = scored([known | {fact: value} for value in values])
    points = found[f"score_{part}"]
    assert points.is_monotonic_increasing if more_is_better else points.is_monotonic_decreasing
    for other in set(PARTS) - {part}:
        assert found[f"score_{other}"].nunique() == 1


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "marketplace": st.sampled_from(["US", "DE"]),
            "score": st.sampled_from([10.0, 20.0, 30.0]),
            "parent_id": st.sampled_from([None, "X", "Y"]),
            "supplier_id": st.sampled_from([None, "S1", "S2", "S3"]),
            "brand_key": st.sampled_from([None, "acme", "best"]),
            "brand_state": st.sampled_from(["known", "unknown", "generic"]),
        }
    ),
    max_size=25,
)
LISTED = pa.schema([*((name, pa.string()) for name in ("marketplace", "product_id", "parent_id", "supplier_id", "brand_key", "brand_state")),
                    ("score", pa.float64())])  # fmt: skip


@given(facts=ROWS, top=st.integers(1, 12), dice=st.randoms(use_true_random=False))
@settings(max_examples=80)
def test_the_list_keeps_its_limits_fills_its_places_and_ignores_the_order_of_rows(facts, top, dice):
    rows = [row | {"product_id": f"P{place:02d}"} for place, row in enumerate(facts)]
    found = select(to_frame(pa.Table.from_pylist(rows, schema=LISTED)), PLAN.list, top)
    again = select(to_frame(pa.Table.from_pylist(dice.sample(rows, len(rows)), schema=LISTED)), PLAN.list, top)
    pd.testing.assert_frame_equal(found, again)
    told = found[["product_id", "rank", "displaced_by"]].astype(object)
    told = told.where(told.notna(), None).to_dict("records")
    by_product = {row["product_id"]: row for row in rows}
    order = sorted(rows, key=lambda row: (-row["score"], row["product_id"]))
    assert [entry["product_id"] for entry in told] == [row["product_id"] for row in order]

    def groups(row):
        yield "parent", (row["marketplace"], row["parent_id"]) if row["parent_id"] else None
        yield "supplier", row["supplier_id"]
        yield "brand", row["brand_key"] if row["brand_state"] in ("known", "unknown") else None

    limits = {"parent": 1, "supplier": max(1, top // 4), "brand": max(1, top // 10)}
    taken, listed = Counter(), 0
    for entry in told:
        own = [group for group in groups(by_product[entry["product_id"]]) if group[1]]
        is_full = [taken[group] >= limits[group[0]] for group in own]
        fits = listed < top and not any(is_full)
        assert (entry["rank"] == listed + 1) if fits else entry["rank"] is None
        assert (entry["displaced_by"] is not None) == (listed < top and any(is_full))
        if fits:
            taken.update(own)
            listed += 1
