"""Return rates of a posterior by interpolation, and profit over prices and rates together, against slow and obvious twins."""

from dataclasses import replace

import numpy as np
from scipy.stats import beta

from pipeline.costs.fees import FeeLine, FeeSchedule, fee_table
from pipeline.stages.margin.order_profit import Target, Terms, cost_lines
from pipeline.stages.margin.over_time import held_share, profit_spread
from pipeline.stages.margin.solving import smallest_price, surely_holds_from
from pipeline.stages.prices.distribution import LEVELS, Atoms
from pipeline.stages.returns.quantiles import LEVELS as RATE_LEVELS
from pipeline.stages.returns.quantiles import rate_points

N = 60
LINES = [
    FeeLine("home", "flat", (), (150_000,), 30, 0, ""),
    FeeLine("clothing", "whole", (1500, 2000), (50_000, 100_000, 170_000), 30, 0, ""),
    FeeLine("watches", "marginal", (2500,), (160_000, 30_000), 30, 180, ""),
]
SCHEDULE = FeeSchedule("s", "ZZ", "USD", None, None, 0, 200_000, 500, {}, "")
FEES = fee_table([(SCHEDULE, line) for line in LINES])


def orders(seed=0, shares=(100_000, 29_000)):
    dice = np.random.default_rng(seed)
    none = np.zeros(N, dtype=np.int64)
    alpha, beta_ = dice.uniform(0.3, 15, N), dice.uniform(5, 300, N)
    rate = np.rint(alpha / (alpha + beta_) * 1e9).astype(np.int64)
    terms = Terms(
        dice.integers(100, 1200, N), dice.integers(0, 500, N), none, none + 600, rate, none, none, dice.integers(0, 3, N), *shares, 0
    )
    return dice, alpha, beta_, terms


def test_interpolated_rates_are_those_of_the_beta_distribution_to_five_in_a_hundred_thousand():
    dice = np.random.default_rng(1)
    alpha, beta_ = np.exp(dice.uniform(np.log(0.25), np.log(3000), 400)), np.exp(dice.uniform(0, np.log(60_000), 400))
    found = rate_points(alpha, beta_)
    exact = beta.ppf(RATE_LEVELS[None, :], alpha[:, None], beta_[:, None])
    assert np.abs(found - exact).max() < 6e-5
    assert (np.diff(found, axis=1) > 0).all()


def test_a_posterior_beyond_the_table_is_worked_out_exactly_and_rows_do_not_matter_to_each_other():
    alpha, beta_ = np.array([0.01, 4.04, 5000.0]), np.array([30.0, 83.96, 90_000.0])
    found = rate_points(alpha, beta_)
    for row in (0, 2):
        assert found[row].tolist() == beta.ppf(RATE_LEVELS, alpha[row], beta_[row]).tolist()
    assert found[1].tolist() == rate_points(alpha[1:2], beta_[1:2])[0].tolist()


def test_the_spread_of_the_profit_is_that_of_all_pairs_of_price_and_rate():
    dice, alpha, beta_, terms = orders()
    prices = np.sort(dice.integers(800, 4000, (N, LEVELS)), axis=1)
    expected, low, high, kept_median = profit_spread(prices, alpha, beta_, terms, FEES)
    for row in range(N):
        kept = replace(terms.take(np.full(LEVELS, row)), return_ppb=np.zeros(LEVELS, dtype=np.int64))
        lines = cost_lines(prices[row], kept, FEES)
        rates = beta.ppf(RATE_LEVELS, alpha[row], beta_[row])
        pairs = np.sort((lines.net[:, None] - lines.return_cost[:, None] * rates[None, :]).ravel())
        # The 37th and the 325th of 361, to a cent for the interpolated rates.
        assert abs(low[row] - pairs[36]) <= 1 and abs(high[row] - pairs[324]) <= 1
        # Each price's loss is rounded to the cent: on average within half a cent of the exact expectation.
        assert abs(expected[row] - (lines.net - lines.return_cost * terms.return_ppb[row] / 1e9).mean()) <= 1
        assert kept_median[row] == lines.net[LEVELS // 2]


def test_the_share_of_prices_at_which_the_margin_holds_is_that_of_looking_at_each():
    for seed, shares in ((2, (100_000, 29_000)), (3, (480_000, 150_000))):
        dice, _, _, terms = orders(seed, shares)
        row = np.sort(dice.integers(0, N, 4000))
        atoms = Atoms(row, dice.integers(500, 4000, 4000), dice.integers(1, 9, 4000))
        target = Target(100_000, dice.choice([-20, 0, 300], N))
        wanted = smallest_price(terms, FEES, target)
        found = held_share(atoms, terms, FEES, target, (wanted, surely_holds_from(wanted, terms, FEES, target)))
        part = terms.take(row)
        holds = target.holds(atoms.cents, cost_lines(atoms.cents, part, FEES).net, row)
        for candidate in range(N):
            here = row == candidate
            assert abs(found[candidate] - (atoms.weight * holds)[here].sum() / atoms.weight[here].sum()) < 1e-12


def test_from_the_sure_price_on_the_margin_holds_at_every_cent():
    _, _, _, terms = orders(4)
    target = Target(100_000, np.full(N, 300))
    wanted = smallest_price(terms, FEES, target)
    sure = surely_holds_from(wanted, terms, FEES, target)
    assert (sure[terms.entry == 0] < wanted[terms.entry == 0] + 60).all()  # flat fees: told, and near
    for row in np.flatnonzero(terms.entry == 0):
        price = np.arange(sure[row], sure[row] + 3000)
        rows = np.full(len(price), row)
        assert target.holds(price, cost_lines(price, terms.take(rows), FEES).net, rows).all()
