"""How long the whole margin stage takes: invented candidates with 19 past and 19 forecast prices each, every row with its own posterior.

python -m benchmarks.margin [--candidates 1000000] [--bucket 50000] [--rounds 3]

Processor seconds of one core: other load on the machine does not count in them. Candidates are worked on in buckets, as in a run.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import time

import numpy as np
import pandas as pd

from pipeline.config.files import load_configs, load_plan
from pipeline.costs.fees import parse_schedules
from pipeline.costs.fulfilment import cards_in_force, parse_cards
from pipeline.stages.margin.unit_economics import Tariff, schedules_in_force, unit_economics
from pipeline.stages.offers.costs import Rates
from pipeline.stages.prices.distribution import LEVELS, NAMES, Atoms, Prices

DAY = dt.date(2026, 11, 22)
STRING = pd.StringDtype(na_value=float("nan"))


def whole(values: np.ndarray) -> pd.Series:
    """A whole-number column without gaps."""
    return pd.Series(values, dtype="Int64")


def invented(n: int, seed: int) -> tuple[pd.DataFrame, Prices]:
    """Candidates of the American market with costs around a third of their price, and their prices."""
    dice = np.random.default_rng(seed)
    keys = sorted(load_configs().fee_tables["us"]["schedule"][0]["lines"])
    price = dice.integers(1500, 5000, n)
    goods, freight = (price * dice.uniform(0.05, 0.35, n)).astype(np.int64), dice.integers(100, 600, n)
    alpha, beta = dice.uniform(0.8, 12, n), dice.uniform(20, 300, n)
    words = {"marketplace": "US", "currency": "USD", "supplier_currency": "CNY"}
    columns: dict[str, object] = {name: pd.Series(np.full(n, word), dtype=STRING) for name, word in words.items()}
    columns["fee_category"] = pd.Series(np.array(keys, dtype=object)[dice.integers(0, len(keys), n)], dtype=STRING)
    cents = {
        "unit_cost": goods, "freight": freight, "duty": 0 * goods, "import_vat": 0 * goods, "landed_cost": goods + freight,
        "shipping_cost": dice.integers(0, 2, n) * 450,
    }  # fmt: skip
    columns |= {f"{name}_cents": whole(values) for name, values in cents.items()}
    columns |= {"return_days": whole(30 + 0 * goods), "own_monthly_units": whole(dice.integers(0, 400, n))}
    reals = {
        "referral_rate": np.full(n, np.nan), "package_weight_g": dice.uniform(50, 900, n), "return_alpha": alpha, "return_beta": beta,
        "return_rate_mean": alpha / (alpha + beta),
    }  # fmt: skip
    reals |= {f"package_{side}_mm": dice.uniform(20, 350, n) for side in ("length", "width", "height")}
    columns |= {name: pd.Series(pd.arrays.FloatingArray(np.nan_to_num(v), np.isnan(v))) for name, v in reals.items()}
    flags = {
        "is_cost_complete": True,
        "is_duty_assumed": False,
        "is_import_vat_assumed": False,
        "accepts_returns": True,
        "is_hazmat": False,
    }
    columns |= {name: pd.Series(np.full(n, value), dtype="boolean") for name, value in flags.items()}
    grid = np.sort(price[:, None] * dice.lognormal(0, 0.12, (n, LEVELS)), axis=1).astype(np.int64)
    atoms = Atoms(np.repeat(np.arange(n), LEVELS), grid.ravel(), np.ones(n * LEVELS, dtype=np.int64))
    told = {"price_cents": whole(price), "gate_price_cents": whole(np.minimum(price, grid[:, LEVELS // 2]))}
    told |= {f"price_forecast_{name}_cents": whole(grid[:, place]) for place, name in enumerate(NAMES)}
    # The stage reads the forecast as weighted prices and never its mixture.
    return pd.DataFrame(columns), Prices(pd.DataFrame(told), atoms, atoms, mixture=None)


def main() -> None:
    """Print the seconds of each round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--bucket", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    plan, configs = load_plan(), load_configs()
    tariff = Tariff(
        schedules_in_force(parse_schedules(configs.fee_tables, configs.digits), DAY),
        cards_in_force(parse_cards(configs.card_tables, configs.digits), DAY),
        Rates({("CNY", "USD"): (0.14, 0)}),
        configs.digits,
    )
    seconds = []
    for _ in range(asked.rounds):
        taken, rows = 0.0, 0
        while rows < asked.candidates:
            candidates, prices = invented(min(asked.bucket, asked.candidates - rows), rows)
            rows += len(candidates)
            started = time.process_time()
            unit_economics(candidates, prices, plan, tariff)
            taken += time.process_time() - started
        seconds.append(taken)
    spread = f"{min(seconds):.1f}..{max(seconds):.1f}"
    print(f"{asked.candidates:,} candidates x {LEVELS} prices: {statistics.median(seconds):.1f} s of one core ({spread})")


if __name__ == "__main__":
    main()
