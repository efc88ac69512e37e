"""The return rate: the check table with its discount, the badge, counts that cannot be, and what no evidence means."""

import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import beta

from pipeline.config.files import load_plan
from pipeline.stages.returns.posterior import return_risk
from pipeline.tables.frames import to_frame
from pipeline.tables.schemas import CANDIDATES, schema

PLAN = load_plan().returns
OWN = ["mature_orders", "mature_returned", "own_sold_orders", "own_orders_back"]
UNITS = {"own_sold_units": pd.NA, "own_returned_units": pd.NA}
MEAN, ORDERS = 0.061, 40  # the prior of home and kitchen


def risk(*rows, own=()):
    """Return risk of rows; `own` holds (mature orders, of them back, all orders, of them back) of each row."""
    told = [{"currency": "USD"} | row for row in rows]
    frame = to_frame(
        pa.Table.from_pylist([{k: v for k, v in row.items() if k != "return_class"} for row in told], schema=schema(CANDIDATES))
    )
    frame["return_class"] = pd.array([row.get("return_class", "home_kitchen") for row in told], dtype="str")
    counts = pd.DataFrame(
        {name: pd.array([entry[at] for entry in own] or [pd.NA] * len(rows), "Int64") for at, name in enumerate(OWN)}
    ).assign(**UNITS)
    return return_risk(frame, counts, PLAN)


def posterior(row):
    return row["return_alpha"], row["return_beta"]


def expected(returned, sold, mean=MEAN, orders=ORDERS, discount=0.8):
    return pytest.approx((mean * orders + discount * returned, (1 - mean) * orders + discount * (sold - returned)), abs=1e-9)


# docs/returns.md section 4, with the discount of 0.8: evidence, mean in percent, P(rate > 7 %).
CHECKS = [
    ("no evidence", {}, 0, 0, 6.1, 0.34),
    ("0 of 25", {"sold_orders": 25, "returned_orders": 0}, 0, 25, 4.1, 0.125),
    ("1 of 13", {"sold_orders": 13, "returned_orders": 1}, 1, 13, 6.4, 0.37),
    ("58 of 989", {"sold_orders": 989, "returned_orders": 58}, 58, 989, 5.9, 0.09),
    ("2 of 60", {"sold_orders": 60, "returned_orders": 2}, 2, 60, 4.6, 0.14),
]


@pytest.mark.parametrize(("what", "facts", "returned", "sold", "mean", "over"), CHECKS, ids=[check[0] for check in CHECKS])
def test_the_check_table_is_met_with_evidence_discounted(what, facts, returned, sold, mean, over):
    found = risk(facts).iloc[0]
    a, b = MEAN * ORDERS + 0.8 * returned, (1 - MEAN) * ORDERS + 0.8 * (sold - returned)
    assert posterior(found) == pytest.approx((a, b), abs=1e-9)
    assert found["return_rate_mean"] == pytest.approx(a / (a + b))
    assert found["return_rate_mean"] == pytest.approx(mean / 100, abs=5e-4)
    assert found["return_rate_low"] == pytest.approx(beta(a, b).ppf(0.05))
    assert found["return_rate_high"] == pytest.approx(beta(a, b).ppf(0.95))
    assert found["return_over_limit_probability"] == pytest.approx(beta(a, b).sf(0.07))
    assert found["return_over_limit_probability"] == pytest.approx(over, abs=5e-3)


def test_the_row_that_must_be_shortlisted_has_the_posterior_of_the_rules_page():
    assert posterior(risk({"sold_orders": 60, "returned_orders": 2}).iloc[0]) == pytest.approx((4.04, 83.96), abs=1e-9)


def test_a_stated_rate_without_a_count_is_worth_twenty_orders_and_is_not_discounted():
    found = risk({"return_rate": 0.05}).iloc[0]
    assert posterior(found) == pytest.approx((2.44 + 0.05 * 20, 37.56 + 0.95 * 20), abs=1e-9)
    assert found["return_rate_mean"] == pytest.approx(0.057, abs=5e-4)
    assert (found["return_evidence"], found["return_orders"]) == ("E2", 0)


def test_no_evidence_gives_the_prior_of_its_class_exactly():
    classes = sorted(PLAN.priors)
    found = risk(*({"return_class": name} for name in classes))
    for row, name in enumerate(classes):
        prior = PLAN.priors[name]
        assert posterior(found.iloc[row]) == (prior.mean * prior.orders, (1 - prior.mean) * prior.orders)
    assert set(found["return_evidence"]) == {"E0"} and found["return_orders"].tolist() == [0] * len(classes)


@pytest.mark.parametrize("unknown", [None, "umbrellas"])
def test_a_class_without_its_own_prior_takes_that_of_everything_else(unknown):
    assert posterior(risk({"return_class": unknown}).iloc[0]) == expected(0, 0, mean=0.08, orders=20)


@pytest.mark.parametrize(("badge", "factor"), [("low", 0.6), ("high", 1.6)])
def test_a_badge_moves_the_mean_and_not_the_strength(badge, factor):
    found = risk({"return_flag": badge}).iloc[0]
    assert posterior(found) == expected(0, 0, mean=MEAN * factor)
    assert found["return_prior_mean"] == pytest.approx(MEAN * factor)
    assert found["return_evidence"] == "E1"


def test_a_blank_badge_changes_nothing():
    pd.testing.assert_frame_equal(risk({"return_flag": None}), risk({}))


def test_a_badge_moves_the_prior_under_counted_evidence_too():
    found = risk({"return_flag": "high", "sold_orders": 50, "returned_orders": 4}).iloc[0]
    assert posterior(found) == expected(4, 50, mean=MEAN * 1.6)
    assert found["return_evidence"] == "E3"


@pytest.mark.parametrize("kind", ["orders", "units"])
def test_more_returned_than_sold_is_not_used_and_told(kind):
    found = risk({f"sold_{kind}": 10, f"returned_{kind}": 11}).iloc[0]
    assert posterior(found) == expected(0, 0)
    assert bool(found["is_return_excess"]) and found["return_evidence"] == "E0"


def test_as_many_returned_as_sold_is_used():
    found = risk({"sold_orders": 10, "returned_orders": 10}).iloc[0]
    assert posterior(found) == expected(10, 10)
    assert not found["is_return_excess"]


def test_own_records_with_more_back_than_ever_sold_are_not_used_though_the_mature_part_looks_right():
    found = risk({}, own=[(30, 2, 40, 41)]).iloc[0]
    assert posterior(found) == expected(0, 0)
    assert bool(found["is_return_excess"])


def test_mature_orders_count_and_younger_ones_do_not():
    found = risk({}, own=[(50, 3, 90, 4)]).iloc[0]
    assert posterior(found) == expected(3, 50)
    assert (found["return_evidence"], found["return_orders"]) == ("E4", 50)


def test_only_young_orders_are_no_evidence():
    found = risk({}, own=[(0, 0, 90, 4)]).iloc[0]
    assert posterior(found) == expected(0, 0)
    assert (found["return_evidence"], found["return_orders"]) == ("E0", 0)


def test_own_records_stand_before_a_tool_s_orders_and_these_before_its_units_and_a_rate():
    facts = {"sold_orders": 70, "returned_orders": 7, "sold_units": 500, "returned_units": 1, "return_rate": 0.5}
    assert posterior(risk(facts, own=[(50, 3, 50, 3)]).iloc[0]) == expected(3, 50)
    assert posterior(risk(facts).iloc[0]) == expected(7, 70)
    assert posterior(risk(facts | {"sold_orders": None}).iloc[0]) == expected(1, 500)


@pytest.mark.parametrize("half", [{"sold_orders": 50}, {"returned_orders": 5}, {"sold_orders": 0, "returned_orders": 0}])
def test_half_a_count_or_none_sold_is_no_count(half):
    found = risk(half).iloc[0]
    assert posterior(found) == expected(0, 0)
    assert found["return_evidence"] == "E0" and not found["is_return_excess"]


def test_a_prior_and_a_badge_never_make_a_certain_return():
    plan = PLAN.model_copy(update={"priors": PLAN.priors | {"other": PLAN.priors["other"].model_copy(update={"mean": 0.9})}})
    frame = to_frame(pa.Table.from_pylist([{"return_flag": "high"}], schema=schema(CANDIDATES))).assign(
        return_class=pd.array([None], "str")
    )
    found = return_risk(frame, pd.DataFrame({name: pd.array([pd.NA], "Int64") for name in OWN}).assign(**UNITS), plan).iloc[0]
    # 0.9 x 1.6 is no rate: held at 0.95, still worth 20 orders
    assert posterior(found) == pytest.approx((19, 1))


def test_no_rows_are_no_error():
    assert len(risk()) == 0
