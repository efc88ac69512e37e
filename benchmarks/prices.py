"""Score the price forecast on dated prices: python -m benchmarks.prices TABLE --at DATE [--at DATE ...] [options].

TABLE is a CSV or Parquet file with the columns `product`, `date` (ISO) and `price` (a number, any currency; one row a product and day,
else the median of the day is taken). History is what is dated up to --at; the truth is every observed price of the `--horizon` days after
it, equally weighted. A product counts when its last price is at most `--fresh` days old and the truth holds at least `--minimum`
observations. The program is scored three times: from the history (`--points N` keeps
its last N points), from its summaries only (current price, 30- and 90-day average, 90-day standard deviation), from the current price only.

Printed per rule: CRPS (2 x mean pinball loss over the quantiles .05 ... .95, in % of the last price), Brier (mean over the thresholds
.8, .85, .9, .95, 1, 1.05, 1.1 of the last price of (forecast share of the horizon at or above it - true share)^2, x 100), the share of
truth inside the 80 % band (p10 to p90), and the same by randomised ranks of the true prices.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.files import load_plan
from pipeline.config.plan import Forecast
from pipeline.stages.prices.distribution import stored_kernel
from pipeline.stages.prices.forecast import Atoms, Mixture, change_hazard, joined, normalised, observed_changes, quantiles, stay_share
from pipeline.stages.prices.pooled_moves import PriceModel, learn_prices
from pipeline.stages.prices.steps import remembered

UNITS = 10_000  # prices become whole ten-thousandths, so that cheap goods keep their digits
THRESHOLDS = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1)
_FRESH_SUMMARY = (30, 90)


@dataclass(frozen=True)
class Cut:
    """History up to a day and what came after it; rows are products, sorted by (row, day)."""

    day: int
    row: np.ndarray
    days: np.ndarray
    price: np.ndarray
    true_row: np.ndarray
    true_price: np.ndarray
    products: int
    scored: np.ndarray

    @property
    def last(self) -> np.ndarray:
        """The last price of each product, 0 where there is none."""
        last = np.zeros(self.products, dtype=np.int64)
        last[self.row] = self.price
        return last


def read_prices(path: Path) -> pd.DataFrame:
    """The table, one row a product and day: `row`, `day`, `price` in whole ten-thousandths."""
    table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype={"product": str})
    day = pd.to_datetime(table["date"]).to_numpy().astype("datetime64[D]").astype(np.int64)
    frame = pd.DataFrame({"product": table["product"].astype(str), "day": day, "price": table["price"].astype(float)})
    frame = frame[frame["price"] > 0].groupby(["product", "day"], sort=True, as_index=False)["price"].median()
    frame["row"] = pd.factorize(frame["product"], sort=True)[0]
    frame["price"] = np.maximum(np.rint(frame["price"] * UNITS), 1).astype(np.int64)
    return frame[["row", "day", "price"]].sort_values(["row", "day"])


def cut_at(frame: pd.DataFrame, day: int, horizon: int, fresh: int, minimum: int, points: int | None = None) -> Cut:
    """Cut the table at a day; `points` keeps only the last ones of each history."""
    products = int(frame["row"].max()) + 1
    row, days, price = (frame[name].to_numpy() for name in ("row", "day", "price"))
    past = days <= day
    if points is not None:
        kept = frame[past].groupby("row").tail(points).index
        past = frame.index.isin(kept)
    after = (days > day) & (days <= day + horizon)
    newest = np.full(products, -(10**9))
    newest[row[past]] = days[past]
    truth = np.bincount(row[after], minlength=products)
    scored = (newest > day - fresh) & (truth >= minimum)
    used = after & scored[row]
    return Cut(day, row[past], days[past], price[past], row[used], price[used], products, scored)


def recommended(cut: Cut, plan: Forecast, learnt: PriceModel) -> Mixture:
    """The program's forecast from dated observations; the score looks at every gap-th day, as the truth does."""
    seen = observed_changes(cut.row, cut.days, cut.price, cut.products)
    hazard = change_hazard(seen, learnt.hazard or plan.hazard_prior, plan.hazard_prior_days)
    stay = stay_share(hazard, plan.horizon_days, np.clip(seen.gap_days, 1.0, plan.horizon_days))
    alone = seen.intervals == 0
    if learnt.stay_share_snapshot is not None:
        stay = np.where(alone, learnt.stay_share_snapshot, stay)
    until = np.r_[np.where(cut.row[1:] == cut.row[:-1], cut.days[1:], cut.day + 1), cut.day + 1][: len(cut.row)]
    weight = remembered(cut.days, np.minimum(until, cut.days + 28), cut.day + 1, plan.half_life_days)
    nothing = np.full(cut.products, np.nan)
    return Mixture(
        today=cut.last,
        stay=stay,
        trust=seen.intervals / (seen.intervals + plan.own_history_trust),
        memory=normalised(cut.row, cut.price, weight, cut.products),
        past_log=nothing,
        past_sigma=nothing,
        kernel=_kernel(plan, learnt),
    )


def _kernel(plan: Forecast, learnt: PriceModel) -> np.ndarray:
    return np.array(learnt.kernel) if learnt.kernel is not None else stored_kernel(plan)


def from_summaries(cut: Cut, plan: Forecast, learnt: PriceModel) -> Mixture:
    """The program's forecast from current price, averages and standard deviation."""
    last = cut.last.astype(float)
    means, spread = [], np.zeros(cut.products)
    for length in _FRESH_SUMMARY:
        some = cut.days > cut.day - length
        count = np.maximum(np.bincount(cut.row[some], minlength=cut.products), 1)
        mean = np.bincount(cut.row[some], weights=cut.price[some], minlength=cut.products) / count
        square = np.bincount(cut.row[some], weights=cut.price[some].astype(float) ** 2, minlength=cut.products) / count
        spread = np.sqrt(np.maximum(square - mean**2, 0))
        means.append(np.where(mean > 0, mean, last))
    flat = np.all([np.abs(mean - last) <= plan.flat_tolerance * last for mean in means], axis=0)
    shares = (learnt.stay_share_flat or plan.stay_share_flat, learnt.stay_share_moved or plan.stay_share_moved)
    centre = np.maximum(means[1], 1)
    sigma = np.sqrt(np.log1p((np.maximum(spread, 1e-6 * centre) / centre) ** 2))
    none = Atoms(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    return Mixture(
        cut.last, np.where(flat, *shares), np.ones(cut.products), none, np.log(centre) - sigma**2 / 2, sigma, _kernel(plan, learnt)
    )


def from_snapshot(cut: Cut, plan: Forecast, learnt: PriceModel) -> Mixture:
    """The program's forecast from the current price alone."""
    usual = stay_share(np.full(cut.products, learnt.hazard or plan.hazard_prior), plan.horizon_days)
    stay = usual if learnt.stay_share_snapshot is None else np.full(cut.products, learnt.stay_share_snapshot)
    none = Atoms(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    nothing = np.full(cut.products, np.nan)
    return Mixture(cut.last, stay, np.zeros(cut.products), none, nothing, nothing, _kernel(plan, learnt))


def last_only(cut: Cut) -> Atoms:
    """Rival: the last price stays."""
    rows = np.flatnonzero(cut.last > 0)
    return Atoms(rows, cut.last[rows], np.ones(len(rows)))


def empirical(days: int) -> Callable[[Cut], Atoms]:
    """Rival: the prices of the last days, equally weighted; the last price where there are none."""

    def rule(cut: Cut) -> Atoms:
        some = cut.days > cut.day - days
        return normalised_rows(Atoms(cut.row[some], cut.price[some], np.ones(some.sum())), cut)

    return rule


def half_life(days: float) -> Callable[[Cut], Atoms]:
    """Rival: past prices with an exponential memory."""

    def rule(cut: Cut) -> Atoms:
        return normalised_rows(Atoms(cut.row, cut.price, 0.5 ** ((cut.day - cut.days) / days)), cut)

    return rule


def fixed_mixture(cut: Cut) -> Atoms:
    """Rival: 0.3 last price + 0.7 of the last 180 days."""
    past = empirical(180)(cut)
    now = last_only(cut)
    return joined(Atoms(now.row, now.cents, 0.3 * now.weight), Atoms(past.row, past.cents, 0.7 * past.weight))


def normalised_rows(atoms: Atoms, cut: Cut) -> Atoms:
    empty = np.flatnonzero((np.bincount(atoms.row, minlength=cut.products) == 0) & (cut.last > 0))
    every = joined(atoms, Atoms(empty, cut.last[empty], np.ones(len(empty))))
    return normalised(every.row, every.cents, every.weight, cut.products)


def score(cut: Cut, atoms: Atoms, survival: Callable[[np.ndarray], np.ndarray] | None = None, seed: int = 0) -> dict[str, float]:
    """CRPS, Brier and coverage, each product with equal weight."""
    grid, _ = quantiles(atoms, cut.products)
    last = cut.last.astype(float)
    row, truth = cut.true_row, cut.true_price
    levels = np.arange(1, 20) / 20
    gap = truth[:, None] - grid[row]
    pinball = np.maximum(levels * gap, (levels - 1) * gap).mean(axis=1) / last[row]
    inside = (truth >= grid[row, 1]) & (truth <= grid[row, 17])
    count = np.maximum(np.bincount(row, minlength=cut.products), 1)

    def mean(values: np.ndarray) -> float:
        return float((np.bincount(row, weights=values, minlength=cut.products) / count)[cut.scored].mean())

    losses = []
    for threshold in THRESHOLDS:
        limit = last * threshold
        told = survival(limit) if survival else atoms.share(atoms.cents >= limit[atoms.row] * (1 - 1e-9), cut.products)
        true = np.bincount(row, weights=truth >= limit[row] * (1 - 1e-9), minlength=cut.products) / count
        losses.append(((told - true) ** 2)[cut.scored].mean())
    ranks = randomised_price_ranks(atoms, row, truth, np.random.default_rng(seed).random(len(row)))
    return {
        "crps": 200 * mean(pinball),
        "brier": 100 * float(np.mean(losses)),
        "coverage_80": mean(inside),
        "coverage_80_randomised": mean(np.abs(ranks - 0.5) <= 0.4),
    }


def randomised_price_ranks(atoms: Atoms, row: np.ndarray, truth: np.ndarray, luck: np.ndarray) -> np.ndarray:
    """Share of the forecast below each true price plus a random part of what lies at it."""
    order = np.lexsort((atoms.cents, atoms.row))
    at, cents, weight = atoms.row[order], atoms.cents[order], atoms.weight[order]
    key = at * (1 << 40) + cents
    so_far = np.r_[0.0, np.cumsum(weight)]
    start = so_far[np.searchsorted(key, row * (1 << 40), side="left")]
    below = so_far[np.searchsorted(key, row * (1 << 40) + truth, side="left")] - start
    upto = so_far[np.searchsorted(key, row * (1 << 40) + truth, side="right")] - start
    return below + luck * (upto - below)


RIVALS: dict[str, Callable[[Cut], Atoms]] = {
    "last price only": last_only,
    "last 30 days": empirical(30),
    "last 90 days": empirical(90),
    "half-life 30 days": half_life(30),
    "half-life 60 days": half_life(60),
    ".3 last + .7 last 180 days": fixed_mixture,
}
EVIDENCE = {"history": recommended, "summary": from_summaries, "snapshot": from_snapshot}


def evaluate(
    frame: pd.DataFrame, days: list[int], minimum: int, plan: Forecast, points: int | None = None, fresh: int = 28
) -> dict[str, dict[str, float]]:
    """Mean scores over the cuts, weighted by scored products, of the program's forecasts and of the rivals."""
    total: dict[str, dict[str, float]] = {}
    weights = 0.0
    for day in days:
        cut = cut_at(frame, day, plan.horizon_days, fresh, minimum, points)
        learnt = learn_prices(cut.row, cut.days, cut.price, day, plan.horizon_days, plan.flat_tolerance)
        scored = float(cut.scored.sum())
        rules = {}
        for name, make in EVIDENCE.items():
            mixture = make(cut, plan, learnt)
            rules[f"shortlist, {name}"] = score(cut, mixture.atoms(99), mixture.survival)
        rules |= {name: score(cut, rule(cut)) for name, rule in RIVALS.items()}
        for name, scores in rules.items():
            kept = total.setdefault(name, dict.fromkeys(scores, 0.0) | {"pairs": 0.0})
            for key, value in scores.items():
                kept[key] += value * scored
            kept["pairs"] += scored
        weights += scored
    return {name: {key: (value if key == "pairs" else value / weights) for key, value in kept.items()} for name, kept in total.items()}


def table(found: dict[str, dict[str, float]]) -> list[str]:
    """The scores as a Markdown table."""
    lines = ["| rule | pairs | CRPS | Brier | in the 80 % band | by randomised ranks |", "|---|---|---|---|---|---|"]
    for name, s in found.items():
        covered = f"{s['coverage_80']:.2f} | {s['coverage_80_randomised']:.2f}"
        lines.append(f"| {name} | {s['pairs']:,.0f} | {s['crps']:.3f} | {s['brier']:.2f} | {covered} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--at", action="append", required=True, help="last day of the history; may be given several times")
    parser.add_argument("--horizon", type=int, default=28)
    parser.add_argument("--minimum", type=int, default=5, help="observations that the truth must hold")
    parser.add_argument("--fresh", type=int, default=28, help="how old the last price may be, in days")
    parser.add_argument("--points", type=int, help="keep only the last N points of each history")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    plan = load_plan().forecast.model_copy(update={"horizon_days": asked.horizon})
    days = [(dt.date.fromisoformat(day) - dt.date(1970, 1, 1)).days for day in asked.at]
    found = evaluate(read_prices(asked.table), days, asked.minimum, plan, asked.points, asked.fresh)
    print(json.dumps(found, indent=1) if asked.json else "\n".join(table(found)))


if __name__ == "__main__":
    main()
