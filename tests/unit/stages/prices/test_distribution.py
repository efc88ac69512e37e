"""What the price was and may be: the step function, its evidence and the forecast's parts, each by hand."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipeline.config.files import load_plan
from pipeline.stages.prices.distribution import NAMES, Atoms, price_distributions, quantiles
from pipeline.tables.frames import to_frame, whole
from pipeline.tables.schemas import CANDIDATES, PRICE_HISTORY, schema

PLAN = load_plan().forecast
TODAY = dt.date(2026, 11, 22)
AS_OF = (TODAY - dt.date(1970, 1, 1)).days


def table(columns, rows):
    """Rows as a frame in the columns' types; what a row does not name is missing."""
    return to_frame(pa.Table.from_pylist(rows, schema=schema(columns)))


def history(*rows):
    """(row, days before the as-of day, price) as a price history."""
    told = [{"date": TODAY - dt.timedelta(days=ago), "price_cents": price} for _, ago, price in rows]
    return table(PRICE_HISTORY, told).assign(row=np.array([row for row, _, _ in rows], dtype=np.int64))


def prices(candidates, *rows):
    frame = table(CANDIDATES, [{"currency": "USD"} | facts for facts in candidates])
    return price_distributions(frame, history(*rows), AS_OF, PLAN)


def one(*rows, **facts):
    return prices([{"price_cents": 2999} | facts], *((0, ago, price) for ago, price in rows))


def cell(found, name):
    value, known = whole(found.frame, name)
    return int(value[0]) if known[0] else None


def told(found):
    """Days at each price of the last 90."""
    return dict(zip(found.facts.cents.tolist(), found.facts.weight.tolist(), strict=True))


def weight_at(atoms, *cents):
    return float(atoms.weight[np.isin(atoms.cents, cents)].sum())


def test_a_price_holds_until_the_next_row_and_the_as_of_day_is_not_counted():
    # 90 days back to 30 days back, then to the day before the as-of day.
    assert told(one((90, 2000), (30, 3000))) == {2000: 60, 3000: 30}


def test_a_price_of_the_as_of_day_has_been_in_force_for_no_day():
    assert told(one((10, 2000), (0, 3000))) == {2000: 10}


def test_a_price_older_than_the_window_is_carried_in_and_counts_for_the_window_only():
    assert told(one((400, 2000), (30, 3000))) == {2000: 60, 3000: 30}


def test_days_before_the_first_row_are_no_price():
    assert told(one((12, 2500))) == {2500: 12}


def test_a_gap_out_of_stock_is_no_price():
    assert told(one((50, 2000), (40, None), (10, 3000))) == {2000: 10, 3000: 10}


def test_rows_after_the_as_of_day_are_not_used():
    late, plain = one((90, 2000), (-1, 9000), (-30, 9999)), one((90, 2000))
    assert told(late) == told(plain)
    pd.testing.assert_frame_equal(late.frame, plain.frame)
    assert late.forecast.weight.tolist() == plain.forecast.weight.tolist()


def test_a_row_of_history_that_belongs_to_no_candidate_changes_nothing():
    assert told(prices([{"price_cents": 2999}], (0, 90, 2000), (-1, 40, 5))) == {2000: 90}


def test_the_median_of_ninety_days_is_where_half_of_the_days_are_reached():
    # 20 x 45 >= 10 x 90, so half of the days are enough for the lower price; with 44 they are not.
    assert cell(one((90, 2000), (45, 3000)), "price_p50_cents") == 2000
    assert cell(one((90, 2000), (46, 3000)), "price_p50_cents") == 3000


def test_quantiles_take_a_price_that_occurred_and_never_one_in_between():
    found = one((90, 1000), (80, 5000))
    # 10 of 90 days: 20 x 10 = 200 >= k x 90 for k = 1, 2
    assert [cell(found, f"price_{name}_cents") for name in NAMES] == [1000] * 2 + [5000] * 17


def test_the_gate_price_is_the_lower_of_the_price_and_the_median():
    assert cell(one((90, 2500)), "gate_price_cents") == 2500
    assert cell(one((90, 3500)), "gate_price_cents") == 2999


def test_a_spike_after_being_out_of_stock_does_not_raise_the_gate_price():
    assert cell(one((90, 2200), (20, None), (1, 3900), price_cents=3900), "gate_price_cents") == 2200


def test_evidence_is_history_where_a_price_was_in_force_within_ninety_days():
    assert one((1, 2000), avg90_price_cents=2100).frame["price_evidence"].tolist() == ["history"]


@pytest.mark.parametrize("rows", [(), ((0, 2000),), ((200, 2000), (100, None))], ids=["none", "today only", "long out of stock"])
def test_without_a_day_in_force_evidence_is_the_summary_and_without_averages_a_snapshot(rows):
    assert one(*rows, avg90_price_cents=2100).frame["price_evidence"].tolist() == ["summary"]
    assert one(*rows).frame["price_evidence"].tolist() == ["snapshot"]


def test_without_any_price_there_is_no_evidence_no_gate_price_and_no_forecast():
    found = one(price_cents=None)
    assert found.frame.drop(columns="price_evidence").isna().all(axis=None) and found.frame["price_evidence"].isna().all()
    assert len(found.facts.row) == len(found.forecast.row) == 0


def test_a_past_without_a_current_price_is_a_fact_and_no_forecast():
    found = one((90, 2000), price_cents=None)
    assert cell(found, "price_p50_cents") == 2000
    assert cell(found, "gate_price_cents") is None and cell(found, "price_forecast_p50_cents") is None


@pytest.mark.parametrize(
    ("rows", "facts"),
    [
        (((180, 2999),), {}),
        (((90, 2000), (40, 3500), (3, 2999)), {}),
        (((20, 2000), (10, None)), {}),
        ((), {"avg90_price_cents": 3100, "sd90_price_cents": 200}),
        ((), {}),
    ],
    ids=["constant", "moving", "gap", "summary", "snapshot"],
)
def test_the_weights_of_a_forecast_sum_to_one(rows, facts):
    assert one(*rows, **facts).forecast.weight.sum() == pytest.approx(1, abs=1e-12)


def test_a_constant_price_stays_where_it_is_but_for_what_other_products_teach():
    found = one((182, 2999))
    # 26 weekly looks are 25 intervals without a change. The prior is worth 14 days, two intervals, at 0.02 changes a day.
    changed = 2 * (1 - math.exp(-0.02 * 7)) / 27
    hazard = -math.log(1 - changed) / 7
    stays = sum(math.exp(-hazard * day) for day in range(1, 29)) / 28
    trust = 25 / 26
    kernel = (1 - stays) * (1 - trust)
    # Of 19 kernel ratios only the tenth is 1: the median of all changes.
    assert weight_at(found.forecast, 2999) == pytest.approx(1 - kernel * 18 / 19, abs=1e-12)
    assert {cell(found, f"price_forecast_{name}_cents") for name in NAMES} == {2999}


def test_a_price_that_changes_every_week_hardly_stays():
    weekly = one(*((7 * week, 2999 - 100 * (week % 2)) for week in range(26)))
    changed = (25 + 2 * (1 - math.exp(-0.02 * 7))) / 27
    hazard = -math.log(1 - changed) / 7
    stays = sum(math.exp(-hazard * day) for day in range(1, 29)) / 28
    # What does not stay goes where it has been: the exponential memory of the weeks at 28.99.
    remembered = [2 ** (-(7 * week - 7) / 60) - 2 ** (-7 * week / 60) for week in range(1, 26)]
    lower = sum(remembered[0::2]) / sum(remembered)
    assert weight_at(weekly.forecast, 2899) == pytest.approx((1 - stays) * 25 / 26 * lower, abs=1e-9)


def test_a_summary_whose_averages_agree_stays_for_87_percent_and_else_for_half():
    flat = one(avg30_price_cents=3000, avg90_price_cents=2999, sd90_price_cents=1000)
    moved = one(avg30_price_cents=2500, avg90_price_cents=2999, sd90_price_cents=1000)
    assert (flat.forecast.weight[0], moved.forecast.weight[0]) == (0.87, 0.50)
    assert flat.forecast.cents[0] == 2999


def test_a_summary_is_a_lognormal_whose_mean_is_the_average():
    # sigma^2 = ln(1 + (300 / 3000)^2); the median lies sigma^2 / 2 below the average.
    found = one(avg90_price_cents=3000, sd90_price_cents=300)
    assert cell(found, "price_p50_cents") == round(3000 * math.exp(-math.log(1.01) / 2))
    # The z of 0.025, the first of 19 middle quantiles, is -1.9379 (1 / 38 = 0.0263).
    assert found.facts.cents.min() == pytest.approx(3000 * math.exp(-math.log(1.01) / 2 - 1.9379 * math.sqrt(math.log(1.01))), abs=1)


def test_a_summary_without_a_deviation_takes_the_gap_between_price_and_average():
    gap = 1 - 2500 / 2999
    sigma = math.sqrt(math.log(1 + gap**2))
    found = one(avg90_price_cents=2500)
    assert found.facts.cents.max() == pytest.approx(2500 * math.exp(-(sigma**2) / 2 + 1.9379 * sigma), abs=1)


def test_a_snapshot_is_wide_around_the_price():
    found = one()
    assert cell(found, "price_p50_cents") == 2999
    assert found.facts.cents.min() == pytest.approx(2999 * math.exp(-1.9379 * 0.15), abs=1)


def test_thin_history_trusts_other_products_more_than_thick_history():
    thin, thick = one((7, 2999)), one((182, 2999))
    assert weight_at(thin.forecast, 2999) < weight_at(thick.forecast, 2999)


def test_candidates_do_not_mix():
    both = prices(
        [{"price_cents": 2999}, {"price_cents": 100}, {"price_cents": 5000}], (2, 90, 5000), (0, 90, 2000), (0, 30, 3000), (2, 20, 6000)
    )
    alone = one((90, 2000), (30, 3000))
    assert both.frame.iloc[[0]].equals(alone.frame)
    assert both.frame["price_evidence"].tolist() == ["history", "snapshot", "history"]


def test_no_candidates_are_no_error():
    empty = price_distributions(table(CANDIDATES, []), history(), AS_OF, PLAN)
    assert len(empty.frame) == len(empty.facts.row) == len(empty.forecast.row) == 0


def test_the_share_of_weight_is_of_a_candidate_s_own_atoms_and_missing_without_any():
    atoms = Atoms(np.array([0, 0, 2]), np.array([10, 20, 5]), np.array([3, 1, 7]))
    share = atoms.share(atoms.cents >= 10, 3)
    assert share[0] == 1 and np.isnan(share[1]) and share[2] == 0
    assert atoms.share(atoms.cents > 10, 3)[0] == 0.25


def test_quantiles_of_equal_weights_are_exact_at_every_level():
    atoms = Atoms(np.zeros(20, dtype=np.int64), np.arange(20, 0, -1), np.ones(20, dtype=np.int64))
    assert quantiles(atoms, 1)[0].tolist() == [list(range(1, 20))]
