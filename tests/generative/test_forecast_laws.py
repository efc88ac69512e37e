"""Laws of both forecasts with the prior held fixed: what more evidence may and may not do."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.files import load_plan
from pipeline.stages.prices.forecast import Atoms, Mixture, quantiles
from pipeline.stages.returns.posterior import return_risk
from pipeline.stages.returns.prior import ReturnCounts, fit_returns
from pipeline.tables.frames import to_frame
from pipeline.tables.schemas import CANDIDATES, schema

PLAN = load_plan().returns
CLASSES = sorted(PLAN.priors)


def fitted():
    rng = np.random.default_rng(5)
    sold = rng.poisson(25, 400)
    classes = np.array(["toys", "home_kitchen"], dtype=object)[rng.integers(2, size=400)]
    price = np.rint(np.exp(rng.normal(8, 0.5, 400)))
    return fit_returns(ReturnCounts(sold, rng.binomial(sold, 0.06), classes, np.full(400, 0.05), price, np.full(400, "USD", dtype=object)))


MODEL = fitted()


def risk(sold, back, *, price=3000, currency="USD", class_="home_kitchen", model=MODEL):
    n = len(sold)
    facts = {"price_cents": price, "currency": currency}
    frame = to_frame(pa.Table.from_pylist([facts] * n, schema=schema(CANDIDATES)))
    frame["return_class"] = pd.array([class_] * n, dtype="str")
    columns = {"mature_orders": sold, "own_sold_orders": sold, "own_sold_units": sold}
    columns |= {"mature_returned": back, "own_orders_back": back, "own_returned_units": back}
    return return_risk(frame, pd.DataFrame({name: pd.array(values, dtype="Int64") for name, values in columns.items()}), PLAN, model)


PRIORS = st.fixed_dictionaries(
    {"price": st.integers(1, 10**6), "class_": st.sampled_from(CLASSES), "model": st.sampled_from([MODEL, None])}
)


@given(prior=PRIORS, sold=st.integers(1, 200))
@settings(max_examples=40)
def test_more_returns_never_lower_the_rate(prior, sold):
    found = risk([sold] * (sold + 1), list(range(sold + 1)), **prior)
    for name in ("return_rate_mean", "return_rate_low", "return_rate_high", "return_over_limit_probability"):
        assert found[name].is_monotonic_increasing


@given(prior=PRIORS, back=st.integers(0, 12), more=st.integers(1, 80))
@settings(max_examples=40)
def test_below_a_mean_of_three_tenths_more_clean_orders_never_widen_the_interval(prior, back, more):
    sold = list(range(back, back + more + 1))
    found = risk(sold, [back] * len(sold), **prior)
    width = (found["return_rate_high"] - found["return_rate_low"]).to_numpy(dtype=float)
    low = (found["return_rate_mean"] < 0.3).to_numpy(dtype=bool)
    assert (np.diff(width)[low[:-1]] <= 1e-9).all()


@given(prior=PRIORS)
@settings(max_examples=20)
def test_no_evidence_gives_the_prior_exactly(prior):
    found = risk([0, 0], [0, 0], **prior)
    mean = found["return_prior_mean"]
    assert found["return_rate_mean"].to_numpy() == pytest.approx(mean.to_numpy(), rel=1e-12)
    assert set(found["return_evidence"]) == {"E0"} and found["return_orders"].sum() == 0
    if prior["model"] is None:
        set_prior = PLAN.priors[prior["class_"]]
        assert found["return_alpha"][0] == set_prior.mean * set_prior.orders


@given(price=st.integers(100, 10**5), scale=st.integers(2, 1000))
@settings(max_examples=30)
def test_the_unit_of_money_does_not_matter_to_a_rate(price, scale):
    moved = MODEL.model_copy(update={"price_centre": {"USD": MODEL.price_centre["USD"] + np.log(scale)}})
    one, other = risk([10], [1], price=price), risk([10], [1], price=price * scale, model=moved)
    assert one["return_alpha"][0] == pytest.approx(other["return_alpha"][0], rel=1e-9)


MIXTURES = st.builds(
    lambda today, stay, trust, memory, kernel: Mixture(
        np.array([today]), np.array([stay]), np.array([trust]),
        Atoms(np.zeros(len(memory), dtype=np.int64), np.array(memory, dtype=np.int64), np.full(len(memory), 1 / len(memory))),
        np.array([np.nan]), np.array([np.nan]), np.sort(np.array(kernel)),
    ),
    st.integers(100, 10**5), st.floats(0, 1), st.floats(0, 1), st.lists(st.integers(100, 10**5), min_size=1, max_size=6),
    st.lists(st.floats(0.5, 2), min_size=19, max_size=19),
)  # fmt: skip


@given(mixture=MIXTURES, thresholds=st.lists(st.integers(1, 2 * 10**5), min_size=2, max_size=6))
@settings(max_examples=60)
def test_the_share_at_or_above_a_price_never_rises_with_it_and_is_that_of_the_weighted_prices(mixture, thresholds):
    atoms = mixture.atoms()
    shares = [mixture.survival(np.array([limit]))[0] for limit in sorted(thresholds)]
    assert all(a >= b - 1e-12 for a, b in zip(shares, shares[1:], strict=False)) and all(-1e-9 <= s <= 1 + 1e-9 for s in shares)
    assert mixture.survival(np.array([1]))[0] == pytest.approx(1.0)
    # Weighted prices are rounded to the unit: a threshold between two units of money is told alike by both.
    for limit in sorted(thresholds):
        low, high = (atoms.share(atoms.cents >= limit + more, 1)[0] for more in (1, -1))
        assert low - 1e-9 <= mixture.survival(np.array([limit]))[0] <= high + 1e-9


@given(mixture=MIXTURES)
@settings(max_examples=40)
def test_a_quantile_is_the_smallest_price_that_reaches_its_share(mixture):
    atoms = mixture.atoms()
    grid, _ = quantiles(atoms, 1)
    for level, price in enumerate(grid[0], start=1):
        below = atoms.share(atoms.cents < price, 1)[0]
        upto = atoms.share(atoms.cents <= price, 1)[0]
        assert below - 1e-9 <= level / 20 <= upto + 1e-9
