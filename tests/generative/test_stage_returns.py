"""Laws of the return rate: more that came back never looks better, and no candidate leans on its neighbours."""

import pandas as pd
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from pipeline.config.files import load_plan
from pipeline.stages.returns.posterior import return_risk
from pipeline.tables.frames import to_frame
from pipeline.tables.schemas import CANDIDATES, schema

PLAN = load_plan().returns
OWN = ["mature_orders", "mature_returned", "own_sold_orders", "own_orders_back"]
COUNTS = ["sold_orders", "returned_orders", "sold_units", "returned_units"]
MAYBE = st.one_of(st.none(), st.integers(0, 60))
ROWS = st.fixed_dictionaries(
    dict.fromkeys(COUNTS + OWN, MAYBE)
    | {
        "return_class": st.sampled_from([*PLAN.priors, None]),
        "return_flag": st.sampled_from(["low", "high", None]),
        "return_rate": st.one_of(st.none(), st.floats(0, 1)),
    }
)


def risk(rows):
    facts = [{name: row[name] for name in (*COUNTS, "return_flag", "return_rate")} for row in rows]
    frame = to_frame(pa.Table.from_pylist(facts, schema=schema(CANDIDATES)))
    frame["return_class"] = pd.array([row["return_class"] for row in rows], dtype="str")
    own = pd.DataFrame({name: pd.array([row[name] for row in rows], dtype="Int64") for name in OWN})
    own = own.assign(own_sold_units=pd.NA, own_returned_units=pd.NA)
    return return_risk(frame, own, PLAN)


def twin(row):
    """One row as a person would reckon it: (alpha, beta, excess)."""
    prior = PLAN.priors.get(row["return_class"], PLAN.priors["other"])
    mean = min(prior.mean * {"low": 0.6, "high": 1.6}.get(row["return_flag"], 1), 0.95)
    a, b = mean * prior.orders, (1 - mean) * prior.orders
    excess = False
    used = None
    sources = [OWN, ["sold_orders", "returned_orders"] * 2, ["sold_units", "returned_units"] * 2]
    for names in sources:
        sold, back, all_sold, all_back = (row[name] for name in names)
        wrong = any(None not in pair and pair[1] > pair[0] for pair in ((sold, back), (all_sold, all_back)))
        excess |= wrong
        if used is None and not wrong and sold and back is not None:
            used = (sold, back)
    if used:
        return a + 0.8 * used[1], b + 0.8 * (used[0] - used[1]), excess
    if row["return_rate"] is not None:
        return a + 20 * row["return_rate"], b + 20 * (1 - row["return_rate"]), excess
    return a, b, excess


@given(rows=st.lists(ROWS, min_size=1, max_size=8))
@settings(max_examples=120)
def test_every_row_has_the_posterior_that_a_person_would_reckon(rows):
    found = risk(rows)
    for at, row in enumerate(rows):
        a, b, excess = twin(row)
        assert abs(found["return_alpha"][at] - a) < 1e-9 and abs(found["return_beta"][at] - b) < 1e-9
        assert bool(found["is_return_excess"][at]) == excess
        assert abs(found["return_over_limit_probability"][at] - beta.sf(PLAN.rate_max, a, b)) < 1e-9
        assert 0 <= found["return_rate_low"][at] <= found["return_rate_high"][at] <= 1


@given(row=ROWS, sold=st.integers(1, 80), name=st.sampled_from(["orders", "units", "own"]))
@settings(max_examples=80)
def test_more_returns_of_as_many_sold_never_lower_the_rate(row, sold, name):
    empty = row | dict.fromkeys(COUNTS + OWN)
    keys = OWN[:2] if name == "own" else [f"sold_{name}", f"returned_{name}"]
    found = risk([empty | {keys[0]: sold, keys[1]: back} for back in range(sold + 1)])
    for column in ("return_rate_mean", "return_rate_low", "return_rate_high", "return_over_limit_probability"):
        assert found[column].is_monotonic_increasing
    assert found["return_rate_mean"].is_unique


@given(rows=st.lists(ROWS, min_size=2, max_size=6))
@settings(max_examples=30)
def test_a_row_alone_has_the_same_rate_as_among_others(rows):
    together = risk(rows)
    for at, row in enumerate(rows):
        pd.testing.assert_frame_equal(risk([row]), together.iloc[[at]].reset_index(drop=True))
