"""The forecast's mixture: its parts by hand, exact at any threshold, and the truth found again in invented markets."""

import math

import numpy as np
import pytest

from pipeline.stages.prices.forecast import Atoms, Changes, Mixture, change_hazard, observed_changes, quantiles, stay_share, thinned
from pipeline.stages.prices.steps import remembered

NOTHING = Atoms(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))


def mixture(today=1000, stay=0.6, trust=0.5, memory=((800, 0.25), (1000, 0.75)), past=None, kernel=(0.9, 1.1)):
    cents = np.array([price for price, _ in memory], dtype=np.int64)
    log, sigma = past if past else (np.nan, np.nan)
    return Mixture(
        np.array([today]), np.array([stay]), np.array([trust]),
        Atoms(np.zeros(len(cents), dtype=np.int64), cents, np.array([share for _, share in memory])),
        np.array([log]), np.array([sigma]), np.array(kernel),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("threshold", "share"),
    [
        (700, 1.0),
        (800, 1.0),
        (801, 0.6 + 0.4 * (0.5 * 0.75 + 0.5 * 1.0)),
        (900, 0.6 + 0.4 * (0.5 * 0.75 + 0.5 * 1.0)),
        (901, 0.6 + 0.4 * (0.5 * 0.75 + 0.5 * 0.5)),
        (1000, 0.6 + 0.4 * (0.5 * 0.75 + 0.5 * 0.5)),
        (1001, 0.4 * 0.5 * 0.5),
        (1100, 0.4 * 0.5 * 0.5),
        (1101, 0.0),
    ],
)
def test_the_share_at_or_above_a_price_is_the_sum_of_the_three_stories(threshold, share):
    told = mixture()
    assert told.survival(np.array([threshold]))[0] == pytest.approx(share)
    atoms = told.atoms(2)
    assert atoms.share(atoms.cents >= threshold, 1)[0] == pytest.approx(share)


def test_a_summary_is_exact_at_any_threshold():
    # Half at 1000; the other half lognormal with median 900 and sigma 0.1: P(>= 950) = Phi(ln(900 / 950) / 0.1).
    told = mixture(stay=0.5, trust=1.0, memory=(), past=(math.log(900), 0.1))
    tail = 0.5 * math.erfc(-math.log(900 / 950) / 0.1 / math.sqrt(2))
    assert told.survival(np.array([950]))[0] == pytest.approx(0.5 + 0.5 * tail)


def test_without_a_price_today_there_is_no_forecast():
    told = mixture(today=0)
    assert math.isnan(told.survival(np.array([1]))[0]) and len(told.atoms().row) == 0


def test_a_constant_history_says_one_at_its_price_but_for_the_doubt_of_few_points():
    told = mixture(memory=((1000, 1.0),), trust=1.0)
    assert told.survival(np.array([1000]))[0] == pytest.approx(1.0)
    few = mixture(memory=((1000, 1.0),), trust=0.5)  # one interval: half of the moves are other products'
    assert few.survival(np.array([1000]))[0] == pytest.approx(1 - 0.4 * 0.5 * 0.5)


def test_quantiles_are_the_smallest_prices_at_which_the_share_is_reached():
    # 0.05 at 800, 0.1 at 900, then 0.75 at 1000, 0.1 at 1100.
    values, known = quantiles(mixture().atoms(2), 1)
    assert known[0] and values[0].tolist() == [800] + [900] * 2 + [1000] * 15 + [1100]


def test_the_hazard_is_that_of_an_interval_in_which_the_price_may_have_changed_twice():
    # 3 of 8 weekly intervals changed, prior of 14 days (two weeks) at 0.02 a day.
    seen = Changes(np.array([3.0]), np.array([8.0]), np.array([7.0]))
    changed = (3 + 2 * (1 - math.exp(-0.14))) / 10
    assert change_hazard(seen, 0.02, 14)[0] == pytest.approx(-math.log(1 - changed) / 7)
    # Nothing seen: the prior itself.
    assert change_hazard(Changes(np.zeros(1), np.zeros(1), np.full(1, 7.0)), 0.02, 14)[0] == pytest.approx(0.02)


@pytest.mark.parametrize("step", [1, 7, 9])
@pytest.mark.parametrize("hazard", [1e-14, 0.001, 0.05, 2.0])
def test_the_stay_share_is_the_mean_over_the_days_ahead(hazard, step):
    days = np.arange(step, 29, step)
    assert stay_share(np.array([hazard]), 28, step)[0] == pytest.approx(np.exp(-hazard * days).mean())


def test_changes_are_counted_between_neighbours_of_one_product_that_are_not_too_far_apart():
    row, day = np.array([0, 0, 0, 0, 1, 3]), np.array([0, 2, 10, 60, 61, 5])
    seen = observed_changes(row, day, np.array([5, 5, 6, 7, 7, 9]), 4)
    assert seen.changes.tolist() == [1, 0, 0, 0] and seen.intervals.tolist() == [2, 0, 0, 0]
    assert seen.gap_days.tolist() == [5, 5, 5, 5]


def test_memory_halves_with_the_half_life():
    young, old = remembered(np.array([90, 30]), np.array([100, 40]), 100, 60.0)
    assert old / young == pytest.approx(0.5)


def test_a_kernel_is_thinned_between_the_middles_of_its_shares():
    assert thinned(np.array([0.5, 1.0, 2.0]), 3).tolist() == [0.5, 1.0, 2.0]
    assert thinned(np.array([0.25, 1.0, 1.0, 4.0]), 2) == pytest.approx([0.5, 2.0])
