"""Price facts against a twin that walks day by day, and what must not matter: order, units, how often a price was written down."""

import datetime as dt
from collections import defaultdict

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.files import load_plan
from pipeline.stages.prices.distribution import NAMES, Atoms, price_distributions, quantiles
from pipeline.tables.frames import to_frame, whole
from pipeline.tables.schemas import CANDIDATES, PRICE_HISTORY, schema

PLAN = load_plan().forecast
TODAY = dt.date(2026, 11, 22)
AS_OF = (TODAY - dt.date(1970, 1, 1)).days
CENTS = st.one_of(st.none(), st.sampled_from([1999, 2499, 2999]), st.integers(1, 9000))
# For each candidate: days before the as-of day (below zero: after it) -> price.
WORLDS = st.lists(st.dictionaries(st.integers(-5, 140), CENTS, max_size=8), min_size=1, max_size=4)


def table(columns, rows):
    """Rows as a frame in the columns' types; what a row does not name is missing."""
    return to_frame(pa.Table.from_pylist(rows, schema=schema(columns)))


def told(world, price=2999, times=1):
    facts = [{"price_cents": price * times, "currency": "USD"}] * len(world)
    rows = [(row, ago, cents) for row, steps in enumerate(world) for ago, cents in steps.items()]
    dated = [{"date": TODAY - dt.timedelta(days=ago), "price_cents": cents and cents * times} for _, ago, cents in rows]
    return table(CANDIDATES, facts), table(PRICE_HISTORY, dated).assign(row=np.array([row for row, *_ in rows], dtype=np.int64))


def distributions(candidates, history):
    return price_distributions(candidates, history, AS_OF, PLAN)


def by_day(steps):
    """The slow twin: walk the 90 days before the as-of day and look up the price in force on each."""
    seen = []
    for ago in range(90, 0, -1):
        past = [day for day in steps if day >= ago]
        price = steps[min(past)] if past else None
        if price is not None:
            seen.append(price)
    return sorted(seen)


def level(values, weights, k):
    """The smallest value with 20 x (weight up to it) >= k x (whole weight), in whole numbers."""
    pairs = sorted(zip(values, weights, strict=True))
    return next(value for value, _ in pairs if 20 * sum(w for v, w in pairs if v <= value) >= k * sum(weights))


def grouped(atoms):
    total = defaultdict(float)
    for row, cents, weight in zip(atoms.row.tolist(), atoms.cents.tolist(), atoms.weight.tolist(), strict=True):
        total[row, cents] += weight
    return dict(total)


def same_weights(one, other):
    one, other = grouped(one), grouped(other)
    return one.keys() == other.keys() and all(abs(one[key] - other[key]) < 1e-9 for key in one)


@given(world=WORLDS)
@settings(max_examples=100)
def test_quantiles_of_ninety_days_are_those_of_a_walk_day_by_day(world):
    found = distributions(*told(world)).frame
    for row, steps in enumerate(world):
        seen = by_day(steps)
        if not seen:
            assert found["price_evidence"][row] == "snapshot"
            continue
        assert found["price_evidence"][row] == "history"
        wanted = [level(seen, [1] * len(seen), k) for k in range(1, 20)]
        assert [int(found[f"price_{name}_cents"][row]) for name in NAMES] == wanted
        assert found["gate_price_cents"][row] == min(2999, wanted[9])


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 50), st.integers(1, 100)), min_size=1, max_size=30),
)
@settings(max_examples=80)
def test_quantiles_of_whole_weights_are_those_of_the_slow_twin(rows):
    rows = sorted(rows, key=lambda entry: entry[0])
    row, cents, weight = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    values, known = quantiles(Atoms(row, cents, weight), 4)
    for at in range(4):
        own = [(price, share) for place, price, share in rows if place == at]
        assert known[at] == bool(own)
        if own:
            assert values[at].tolist() == [level(*zip(*own, strict=True), k) for k in range(1, 20)]


@given(world=WORLDS)
@settings(max_examples=100)
def test_every_forecast_weighs_one_and_its_quantiles_do_not_fall(world):
    found = distributions(*told(world))
    sums = np.bincount(found.forecast.row, weights=found.forecast.weight, minlength=len(world))
    assert np.allclose(sums, 1, atol=1e-9) and (found.forecast.weight >= 0).all() and (found.forecast.cents > 0).all()
    grid = np.column_stack([whole(found.frame, f"price_forecast_{name}_cents")[0] for name in NAMES])
    assert (np.diff(grid, axis=1) >= 0).all()


@given(world=WORLDS, dice=st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_the_order_of_history_rows_does_not_matter(world, dice):
    candidates, history = told(world)
    shuffled = history.iloc[dice.sample(range(len(history)), len(history))].reset_index(drop=True)
    one, other = distributions(candidates, history), distributions(candidates, shuffled)
    pd.testing.assert_frame_equal(one.frame, other.frame)
    assert grouped(one.facts) == grouped(other.facts) and grouped(one.forecast) == grouped(other.forecast)


@given(weekly=st.lists(st.sampled_from([1999, 2499, 2999]), min_size=1, max_size=30))
@settings(max_examples=80)
def test_a_row_per_change_and_a_row_per_week_tell_the_same(weekly):
    every = {7 * (len(weekly) - place): price for place, price in enumerate(weekly)}
    agos = list(every)
    changes = {ago: every[ago] for place, ago in enumerate(agos) if place == 0 or every[ago] != every[agos[place - 1]]}
    one, other = distributions(*told([every])), distributions(*told([changes]))
    assert same_weights(one.facts, other.facts) and same_weights(one.forecast, other.forecast)
    facts = [f"price_{name}_cents" for name in NAMES]
    pd.testing.assert_frame_equal(one.frame[facts], other.frame[facts])


@given(world=WORLDS)
@settings(max_examples=80)
def test_the_unit_of_money_does_not_matter(world):
    yen, sen = distributions(*told(world)), distributions(*told(world, times=100))
    has_history = (yen.frame["price_evidence"] == "history").to_numpy(dtype=bool)
    for name in NAMES:
        small, large = (whole(found.frame, f"price_{name}_cents")[0][has_history] for found in (yen, sen))
        assert (small * 100 == large).all()
        small, large = (whole(found.frame, f"price_forecast_{name}_cents")[0] for found in (yen, sen))
        # Ratios of other products are rounded to the unit: half of it, and half of the hundredth.
        assert (np.abs(small * 100 - large) <= 51).all()


@given(price=st.integers(100, 50_000), weeks=st.integers(13, 60))
@settings(max_examples=40)
def test_a_constant_history_forecasts_nothing_but_that_price(price, weeks):
    found = distributions(*told([{7 * week: price for week in range(1, weeks)}], price=price)).frame
    told_prices = found[[f"price_{kind}{name}_cents" for kind in ("", "forecast_") for name in NAMES]]
    assert (told_prices == price).all(axis=None)


@given(world=WORLDS, later=st.dictionaries(st.integers(1, 60), st.integers(1, 9000), min_size=1, max_size=4))
@settings(max_examples=30)
def test_what_was_written_down_after_the_as_of_day_changes_nothing(world, later):
    known = [{ago: cents for ago, cents in steps.items() if ago >= 0} for steps in world]
    more = [steps | {-day: cents for day, cents in later.items()} for steps in known]
    one, other = distributions(*told(known)), distributions(*told(more))
    pd.testing.assert_frame_equal(one.frame, other.frame)
    assert grouped(one.forecast) == grouped(other.forecast)
