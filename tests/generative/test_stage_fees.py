"""Fees of any schedule: the arrays agree with a slow and obvious twin in exact decimals, and a few laws hold."""

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.costs.fees import fee_table, parse_schedules

MONEY = st.integers(1, 300_000).map(lambda cents: cents / 100)


@st.composite
def lines(draw):
    """A fee line as a marketplace file writes it."""
    kind = draw(st.sampled_from(["flat", "whole", "marginal"]))
    steps = sorted(draw(st.sets(MONEY, min_size=1, max_size=3))) if kind != "flat" else []
    rates = draw(st.lists(st.integers(0, 999_999).map(lambda ppm: ppm / 1e6), min_size=len(steps) + 1, max_size=len(steps) + 1))
    line = {"kind": kind, "rates": rates, "mark": "[A]"}
    line |= {"steps": steps} if steps else {}
    line |= {name: draw(st.integers(0, 500)) / 100 for name in ("minimum", "closing") if draw(st.booleans())}
    return line


@st.composite
def schedules(draw):
    return {
        "id": "s", "valid_from": dt.date(2026, 1, 1), "fallback_rate": 0.15, "source": "test",
        "refund_share": draw(st.integers(0, 999_999)) / 1e6, "refund_cap": draw(st.integers(0, 2000)) / 100,
        "lines": {f"k{place}": line for place, line in enumerate(draw(st.lists(lines(), min_size=1, max_size=5)))},
    }  # fmt: skip


def rounded(fee):
    return int((fee * 100).quantize(Decimal(1), ROUND_HALF_UP))


def twin(line, cents):
    """One price in exact decimals, as a person reads the official page."""
    price, rates = Decimal(cents) / 100, [Decimal(str(round(rate, 6))) for rate in line["rates"]]
    bounds = [Decimal(str(bound)) for bound in line.get("steps", [])]
    if line["kind"] == "marginal":
        fee, below = Decimal(0), Decimal(0)
        for rate, bound in zip(rates, [*bounds, max(price, *bounds)], strict=True):
            if price > below:
                fee += (min(price, bound) - below) * rate
            below = bound
    else:
        fee = price * rates[sum(price > bound for bound in bounds)]
    return max(rounded(fee), rounded(Decimal(str(line.get("minimum", 0)))))


@given(table=schedules(), prices=st.lists(st.integers(1, 500_000), max_size=12))
@settings(max_examples=150)
def test_any_line_agrees_with_the_slow_twin_at_any_price_and_at_its_edges(table, prices):
    (schedule,) = parse_schedules({"zz": {"code": "ZZ", "currency": "USD", "schedule": [table]}}, {"USD": 2})
    keys = list(table["lines"])
    fees = fee_table([(schedule, schedule.lines[key]) for key in keys])
    for entry, key in enumerate(keys):
        line = table["lines"][key]
        edges = [round(bound * 100) + near for bound in line.get("steps", []) for near in (-1, 0, 1)]
        asked = np.array([price for price in [*prices, *edges, 1] if price > 0], dtype=np.int64)
        charged = fees.referral(asked, np.full(asked.shape, entry))
        assert charged.tolist() == [twin(line, int(price)) for price in asked]
        share, cap = Decimal(str(table["refund_share"])), Decimal(str(table["refund_cap"]))
        kept = fees.refund(charged, np.full(asked.shape, entry)).tolist()
        assert kept == [min(rounded(Decimal(int(fee)) / 100 * share), rounded(cap)) for fee in charged]


@given(table=schedules(), prices=st.lists(st.integers(1, 500_000), min_size=2, max_size=20))
@settings(max_examples=100)
def test_a_marginal_or_flat_fee_never_falls_when_the_price_rises(table, prices):
    (schedule,) = parse_schedules({"zz": {"code": "ZZ", "currency": "USD", "schedule": [table]}}, {"USD": 2})
    smooth = [line for line in schedule.lines.values() if line.kind != "whole"]
    asked = np.sort(np.array(prices, dtype=np.int64))
    for line in smooth:
        charged = fee_table([(schedule, line)]).referral(asked, np.zeros(asked.shape, dtype=np.int64))
        assert (np.diff(charged) >= 0).all()


@given(table=schedules(), prices=st.lists(st.integers(1, 500_000), min_size=1, max_size=12))
@settings(max_examples=50)
def test_the_place_of_a_line_in_the_table_does_not_change_its_fee(table, prices):
    (schedule,) = parse_schedules({"zz": {"code": "ZZ", "currency": "USD", "schedule": [table]}}, {"USD": 2})
    stacked = [(schedule, line) for line in schedule.lines.values()]
    forward, backward = fee_table(stacked), fee_table(stacked[::-1])
    asked = np.array(prices, dtype=np.int64)
    for place in range(len(stacked)):
        one = forward.referral(asked, np.full(asked.shape, place))
        other = backward.referral(asked, np.full(asked.shape, len(stacked) - 1 - place))
        assert one.tolist() == other.tolist()
