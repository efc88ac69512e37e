"""Drift: what is counted, how buckets add up, and when a person is told."""

import pandas as pd
import pytest

from pipeline.stages.returns.drift import added_up, drift_warning, fresh_returns

CANDIDATES = pd.DataFrame(
    {
        "marketplace": ["US", "US"],
        "product_id": ["A", "B"],
        "return_prior_mean": pd.array([0.1, 0.2], dtype="Float64"),
        "return_prior_orders": pd.array([9.0, 19.0], dtype="Float64"),
    }
)


def sales(*rows):
    return pd.DataFrame(rows, columns=["product_id", "day", "came_back"]).assign(marketplace="US")


def test_only_orders_that_became_mature_since_the_model_count():
    told = sales(("A", 100, True), ("A", 101, True), ("A", 110, False), ("A", 120, True), ("B", 105, False), ("C", 105, True))
    found = fresh_returns(CANDIDATES, told, since=100, until=120)
    # A: two orders at 0.1, Beta(0.9, 8.1): variance 2 x 0.09 x 11 / 10; B: one at 0.2. C is no candidate.
    assert found["orders"] == 3 and found["returned"] == 1
    assert found["expected_ppm"] == 400_000
    assert found["variance_ppm"] == pytest.approx(2 * 0.09 * 1.1 * 1e6 + 0.16 * 1e6, abs=1)


def test_without_a_model_nothing_is_fresh():
    assert fresh_returns(CANDIDATES, sales(("A", 100, True)), since=10**9, until=120)["orders"] == 0


def test_buckets_add_up():
    assert added_up([{"orders": 1, "returned": 0}, {"orders": 2, "returned": 2}]) == {"orders": 3, "returned": 2}


def fresh(returned, expected=100, spread=11):
    return {"orders": 2000, "returned": returned, "expected_ppm": expected * 10**6, "variance_ppm": spread**2 * 10**6}


def test_a_drift_is_told_with_its_size_and_the_cure():
    line = drift_warning(fresh(160), "2026-09-22", 1.02)
    assert "2,000 orders since 2026-09-22 160 came back, 1.60 times" in line and "1.02 times" in line and "train" in line
    assert drift_warning(fresh(60), "2026-09-22") is not None


@pytest.mark.parametrize(
    "told", [fresh(130), fresh(70, spread=20), fresh(124, spread=2), fresh(9, expected=3, spread=1), {}],
    ids=["within three sigmas", "the same below", "less than a quarter", "too few to tell", "nothing"],
)  # fmt: skip
def test_luck_is_not_told(told):
    assert drift_warning(told, "2026-09-22") is None
