"""Features of a price history against a twin that walks day by day."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.prices.steps import price_features, steps_of
from pipeline.tables.price_rows import PriceRows, last_observation

AS_OF = 20_777
# For each product: days before the as-of day (below zero: after it) -> cents, 0 is out of stock.
WORLDS = st.lists(
    st.dictionaries(st.one_of(st.integers(-3, 100), st.integers(-3, 500)), st.one_of(st.integers(0, 3), st.integers(1, 9000)), max_size=12),
    min_size=1, max_size=5,
)  # fmt: skip


def steps(world):
    cells = [(product, AS_OF - ago, cents) for product, told in enumerate(world) for ago, cents in told.items()]
    columns = [np.array(column) for column in zip(*cells, strict=True)] or [np.zeros(0)] * 3
    return steps_of(
        last_observation(PriceRows(columns[0].astype(np.uint64), columns[1].astype(np.int32), columns[2].astype(np.int32))), AS_OF
    )


def slow(told):
    """One product, a day at a time: the price in force on each day before the as-of day, None where there is none."""
    known = sorted((AS_OF - ago, cents) for ago, cents in told.items() if ago >= 0)
    prices = [(day, cents) for day, cents in known if cents]
    if not prices:
        return None

    def on(day):
        past = [cents for start, cents in known if start <= day]
        return past[-1] if past and past[-1] else None

    def window(days):
        return [price for price in map(on, range(AS_OF - days, AS_OF)) if price]

    quarter, year = sorted(window(90)), window(365)
    changes = [(day, cents) for (day, cents), before in zip(prices, [(0, None), *prices], strict=False) if cents != before[1]]
    ends = {day: min([d for d, _ in known if d > day], default=AS_OF) for day, _ in known}
    peak, fall = 0, 0.0
    for place, (day, cents) in enumerate(prices):
        if ends[day] > AS_OF - 365 or place == len(prices) - 1:
            peak = max(peak, cents)
            fall = max(fall, 1 - cents / peak)
    centre = sum(map(math.log, quarter)) / len(quarter) if quarter else math.nan
    return {
        "observations": len(prices), "first_day": prices[0][0], "last_day": prices[-1][0], "last_cents": prices[-1][1],
        "mean90_cents": sum(quarter) / len(quarter) if quarter else math.nan, "mean365_cents": sum(year) / len(year) if year else math.nan,
        "quantiles": [next(p for p in quarter if 20 * sum(q <= p for q in quarter) >= k * len(quarter)) for k in range(1, 20)] if quarter else None,
        "log_deviation90": math.sqrt(sum((math.log(p) - centre) ** 2 for p in quarter) / len(quarter)) if quarter else math.nan,
        "drawdown365": fall, "changes90": sum(day > AS_OF - 90 for day, _ in changes[1:]), "days_since_change": AS_OF - changes[-1][0],
    }  # fmt: skip


@given(world=WORLDS)
@settings(max_examples=150)
def test_features_are_those_of_a_walk_day_by_day(world):
    made = steps(world)
    found = price_features(made)
    wanted = {product: told for product, told in ((p, slow(t)) for p, t in enumerate(world)) if told}
    assert made.key.tolist() == sorted(wanted)
    for place, product in enumerate(made.key.tolist()):
        for name, value in wanted[product].items():
            got = getattr(found, name)[place]
            if name == "quantiles":
                assert found.has_quantiles[place] == (value is not None)
                assert value is None or got.tolist() == value
            else:
                assert got == pytest.approx(value, rel=1e-12, abs=1e-12, nan_ok=True), name


@given(world=WORLDS)
@settings(max_examples=80)
def test_once_told_the_same_price_holds_on_every_day_and_neighbours_without_a_gap_differ(world):
    made = steps(world)
    once = made.once()

    def by_day(some):
        columns = zip(some.row.tolist(), some.day.tolist(), some.until.tolist(), some.cents.tolist(), strict=True)
        return {(row, day): cents for row, begin, end, cents in columns for day in range(begin, end)}

    assert by_day(once) == by_day(made)
    assert once.key.tolist() == made.key.tolist() and once.row[once.runs_on].tolist() == made.row[made.runs_on].tolist()
    rows = list(zip(once.row.tolist(), once.day.tolist(), once.until.tolist(), once.cents.tolist(), strict=True))
    assert all(one[0] != other[0] or one[2] < other[1] or one[3] != other[3] for one, other in zip(rows, rows[1:], strict=False))
    assert [once.product[once.first[g] : once.first[g + 1]].tolist() for g in range(len(once.key))] == [
        [g] * int(size) for g, size in enumerate(np.bincount(once.product, minlength=len(once.key)))
    ]
    in_stock = {row for row, told in enumerate(world) if (known := {a: c for a, c in told.items() if a >= 0}) and known[min(known)]}
    assert set(once.row[once.runs_on].tolist()) == in_stock


def test_a_price_of_the_as_of_day_alone_has_no_window():
    found = price_features(steps([{0: 1999}]))
    assert (found.observations.tolist(), found.has_quantiles.tolist(), found.days_since_change.tolist()) == ([1], [False], [0])
    assert np.isnan(found.mean90_cents).all() and np.isnan(found.mean365_cents).all() and np.isnan(found.log_deviation90).all()
    assert found.drawdown365.tolist() == [0.0]
