"""Time both forecasts on many products: python -m benchmarks.forecasts [--products 1000000] [--observations 30] [--rounds 1].

Prints seconds, on one core, of reading off price facts (what a run needs without any forecast) and of what the price forecast and the
return forecast add; every product has its own price, and a third of them returns of their own.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from pipeline.config.files import load_plan
from pipeline.stages.prices import distribution
from pipeline.stages.prices.forecast import quantiles
from pipeline.stages.returns.posterior import return_risk
from pipeline.stages.returns.prior import ReturnCounts, fit_returns

AS_OF = 20_000
BUCKET = 20_000  # products decided together, about as in a run


def market(products: int, observations: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Candidates, weekly price history sorted as the store keeps it, and own counts; a price changes in a sixth of the weeks."""
    rng = np.random.default_rng(seed)
    base = np.rint(np.exp(rng.normal(8, 0.5, products)))
    moves = np.where(rng.random((products, observations)) < 1 / 6, rng.normal(0, 0.08, (products, observations)), 0.0)
    cents = np.rint(base[:, None] * np.exp(np.cumsum(moves, axis=1))).astype(np.int64)
    day = AS_OF - 7 * np.arange(observations)[::-1]
    history = pd.DataFrame(
        {
            "row": np.repeat(np.arange(products), observations),
            "date": pd.Series(np.tile(day, products).astype("datetime64[D]")).astype("date32[pyarrow]"),
            "price_cents": pd.array(cents.ravel(), dtype="Int64"),
        }
    )
    text = pd.array(rng.choice(["home_kitchen", "toys", "other"], products), dtype="str")
    frame = pd.DataFrame({"currency": pd.array(["USD"] * products, dtype="str"), "return_class": text})
    frame["price_cents"] = pd.array(cents[:, -1], dtype="Int64")
    nothing = pd.array([pd.NA] * products, dtype="Int64")
    for name in ("avg30_price_cents", "avg90_price_cents", "avg180_price_cents", "sd90_price_cents"):
        frame[name] = nothing
    for name in ("sold_orders", "returned_orders", "sold_units", "returned_units"):
        frame[name] = nothing
    frame["return_flag"] = pd.array([None] * products, dtype="str")
    frame["return_rate"] = pd.array([pd.NA] * products, dtype="Float64")
    sold = np.where(rng.random(products) < 0.33, rng.poisson(30, products), 0)
    back = rng.binomial(sold, 0.07)
    own = pd.DataFrame({name: pd.array(sold, dtype="Int64") for name in ("mature_orders", "own_sold_orders", "own_sold_units")})
    for name in ("mature_returned", "own_orders_back", "own_returned_units"):
        own[name] = pd.array(back, dtype="Int64")
    return frame, history, own


def measure(products: int, observations: int, seed: int) -> dict[str, float]:
    """Seconds for so many products, bucket by bucket."""
    plan = load_plan()
    seconds = {"price facts": 0.0, "price forecast": 0.0, "return forecast": 0.0}
    for start in range(0, products, BUCKET):
        n = min(BUCKET, products - start)
        frame, history, own = market(n, observations, seed + start)
        sold, back = (own[name].to_numpy(dtype=np.int64) for name in ("mature_orders", "mature_returned"))
        some = slice(0, 2000)
        fitted = fit_returns(
            ReturnCounts(
                sold[some], back[some], frame["return_class"].astype(object).to_numpy()[some], np.full(len(sold[some]), 0.06),
                frame["price_cents"].to_numpy(dtype=np.float64)[some], np.full(len(sold[some]), "USD", dtype=object),
            )
        )  # fmt: skip
        begin = time.process_time()
        facts = distribution.days_held(distribution.price_steps(history, AS_OF), distribution.FACT_DAYS)
        quantiles(facts, n)
        seconds["price facts"] += time.process_time() - begin
        lap = time.process_time()
        distribution.price_distributions(frame, history, AS_OF, plan.forecast)
        seconds["price forecast"] += time.process_time() - lap - (lap - begin)
        lap = time.process_time()
        return_risk(frame, own, plan.returns, fitted)
        seconds["return forecast"] += time.process_time() - lap
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=1_000_000)
    parser.add_argument("--observations", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    for place in range(asked.rounds):
        told = measure(asked.products, asked.observations, place)
        print(f"{asked.products:,} products x {asked.observations}: " + ", ".join(f"{name} {value:.1f} s" for name, value in told.items()))


if __name__ == "__main__":
    main()
