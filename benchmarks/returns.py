"""Score the return model on order lines or on counts of your own split. Tables are CSV or Parquet; a folder means its CSV files.

    python -m benchmarks.returns orders TABLE [TABLE ...] --cut DATE --until DATE [--window 30] [--thin N] [--seed 0]
    python -m benchmarks.returns counts TRAIN TEST

`orders` takes lines with the columns order_id, product_id, customer_id, ordered_at, quantity, unit_price, and is_return or else an
order_id that begins with C for a return (the headers of UCI Online Retail are known too). Exact repeats, lines without a customer, goods
whose code is no article's (`--products`, a regular expression) and sales without a price are dropped. An order is one (order_id,
product_id); a return is matched to the latest earlier sale of the same customer and product with enough units left. Training: orders
before --cut, returned if they came back within --window days and before it. Test: orders from --cut until before --until, returned if
they came back within --window days. `--thin` keeps at most that many random training orders of a product.

`counts` takes tables with the columns product_id, orders, returned, price and, where classes are known, class (a key of the plan's priors).

Scores are per order x 10,000 (lower is better), `decile` the calibration error over ten groups of orders, `cov80`, `cov90` the
coverage by randomised ranks over products. `warm` has training orders, `cold` has none.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.files import load_plan
from pipeline.config.plan import Returns
from pipeline.stages.records.orders import linked_sales
from pipeline.stages.returns.prior import ReturnCounts, fit_returns, model_prior
from pipeline.training.forecast_scores import coverage, randomised_ranks, return_scores
from pipeline.training.return_fit import one_prior, posterior

CONFIGURED_MEAN = 0.05  # the study's default where no class is known
UCI = {
    "InvoiceNo": "order_id", "StockCode": "product_id", "CustomerID": "customer_id", "InvoiceDate": "ordered_at", "Quantity": "quantity",
    "UnitPrice": "unit_price",
}  # fmt: skip
ARTICLE = r"\d{5}[A-Z]*|DCGS.*"
_ALMOST_SURE = 1e9  # a point rate as a beta-binomial: a strength that leaves no spread


@dataclass(frozen=True)
class Split:
    """Training and test counts of the same products, in the same order; a product without training orders is cold."""

    train: ReturnCounts
    orders: np.ndarray
    returned: np.ndarray


def read_table(path: Path) -> pd.DataFrame:
    """One table, a folder's CSV files as one."""
    if path.is_dir():
        return pd.concat([read_table(file) for file in sorted(path.rglob("*.csv"))], ignore_index=True)
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def sales_of(lines: pd.DataFrame, products: str = ARTICLE) -> pd.DataFrame:
    """Order lines to one row per (order, product): day, back_day, price (median of its lines)."""
    lines = lines.rename(columns=UCI).drop_duplicates().reset_index(drop=True)
    lines = lines.assign(product_id=lines["product_id"].astype(str).str.upper().str.strip())
    lines = lines[lines["product_id"].str.fullmatch(products)]
    customer = lines["customer_id"].astype(str).str.removesuffix(".0")
    lines = lines[~customer.isin(["", "nan", "None"])].assign(customer=customer)
    quantity = pd.to_numeric(lines["quantity"]).astype(np.int64)
    price = pd.to_numeric(lines["unit_price"])
    order = lines["order_id"].astype(str)
    if "is_return" in lines:
        back = lines["is_return"].astype(str).str.lower().isin(["true", "yes", "1", "y"])
    else:
        back = order.str.upper().str.startswith("C") & (quantity < 0)
    second = pd.to_datetime(lines["ordered_at"]).astype("datetime64[s]").astype(np.int64)
    kept = np.where(back, quantity != 0, (quantity > 0) & (price > 0) & ~order.str.upper().str.startswith("C"))
    table = pd.DataFrame(
        {
            "marketplace": "UK", "product_id": lines["product_id"], "order_id": order, "file": "", "line": np.arange(len(lines)),
            "ordered_at": pd.to_datetime(second, unit="s").astype("timestamp[s][pyarrow]"), "currency": "GBP", "title": "",
            "quantity": quantity.abs().astype("Int64"), "unit_price_cents": (price * 10_000).round().astype("Int64"),
            "customer_key": pd.Series(pd.factorize(lines["customer"])[0] + 1, index=lines.index).astype("Int64"),
            "is_return": back.astype("boolean"), "returned_order_id": pd.Series(pd.NA, index=lines.index, dtype="str"),
            "returned_at": pd.Series(pd.NaT, index=lines.index).astype("date32[pyarrow]"),
        }
    )[kept]  # fmt: skip
    sales = linked_sales(table, int(second.max() // 86_400))
    sold = table[~table["is_return"].to_numpy(dtype=bool)]
    prices = sold.groupby(["product_id", "order_id"])["unit_price_cents"].median().rename("price").reset_index()
    return sales.merge(prices, on=["product_id", "order_id"])


def split_sales(sales: pd.DataFrame, cut: int, until: int, window: int, thin: int | None = None, seed: int = 0) -> Split:
    """Counts before and after the cut, as the study defines them."""
    within = sales["back_day"] - sales["day"] <= window
    train = sales[sales["day"] < cut].assign(back=(within & (sales["back_day"] < cut)).astype(np.int64))
    test = sales[(sales["day"] >= cut) & (sales["day"] < until)].assign(back=within.astype(np.int64))
    if thin is not None:
        order = np.random.default_rng(seed).permutation(len(train))
        train = train.iloc[order].groupby("product_id", sort=False).head(thin)

    def counted(part: pd.DataFrame) -> pd.DataFrame:
        return part.groupby("product_id").agg(orders=("back", "size"), returned=("back", "sum"), price=("price", "median"))

    return joined_counts(counted(train), counted(test))


def joined_counts(train: pd.DataFrame, test: pd.DataFrame) -> Split:
    """Training and test counts by product (index), with `orders`, `returned`, `price` and maybe `class`, put side by side."""
    every = train.index.union(test.index)
    before, after = train.reindex(every), test.reindex(every)
    priors = load_plan().returns.priors
    told = before["class"].fillna(after["class"]) if "class" in before and "class" in after else pd.Series("all", index=every)
    mean = told.map({key: prior.mean for key, prior in priors.items()}).fillna(CONFIGURED_MEAN)
    counts = ReturnCounts(
        orders=before["orders"].fillna(0).to_numpy(dtype=np.int64),
        returned=before["returned"].fillna(0).to_numpy(dtype=np.int64),
        classes=told.astype(object).to_numpy(),
        configured_mean=mean.to_numpy(dtype=np.float64),
        price_cents=before["price"].fillna(after["price"]).to_numpy(dtype=np.float64),
        currency=np.full(len(every), "GBP", dtype=object),
    )
    sold, back = (after[name].fillna(0).to_numpy(dtype=np.int64) for name in ("orders", "returned"))
    return Split(counts, sold, np.minimum(back, sold))


def moments_prior(counts: ReturnCounts) -> tuple[float, float]:
    """One prior for all by the method of moments (of counts), the popular way."""
    sold = counts.orders > 0
    n, k = counts.orders[sold].astype(float), np.minimum(counts.returned, counts.orders)[sold].astype(float)
    mean = k.sum() / n.sum()
    spread = float(np.sum(n * (k / n - mean) ** 2))
    within = mean * (1 - mean)
    between = max((spread - (len(n) - 1) * within) / max(n.sum() - (n**2).sum() / n.sum(), 1e-9), 1e-9)
    return float(mean), max(float(within / between - 1), 0.5)


def forecasts(split: Split, plan: Returns) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Alpha and beta of each rule for every product."""
    train = split.train
    n, k = train.orders, np.minimum(train.returned, train.orders)
    overall = max(k.sum(), 0.5) / n.sum()
    raw = np.clip(np.where(n > 0, k / np.maximum(n, 1), overall), 1e-4, 1 - 1e-4)
    flat = np.full(len(n), overall)

    def pooled(mean: float, strength: float, weight: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        return mean * strength + weight * k, (1 - mean) * strength + weight * (n - k)

    likely = one_prior(train)
    return {
        "shortlist": posterior(model_prior(fit_returns(train), train), train, plan.evidence_discount),
        "raw k/n": (raw * _ALMOST_SURE, (1 - raw) * _ALMOST_SURE),
        "Laplace (k + .5) / (n + 1)": (k + 0.5, n - k + 0.5),
        "mean of all, binomial": (flat * _ALMOST_SURE, (1 - flat) * _ALMOST_SURE),
        "mean of all, beta-binomial": pooled(*likely, weight=0.0),
        "one prior, moments": pooled(*moments_prior(train)),
        "one prior, likelihood": pooled(*likely),
    }


def evaluate(split: Split, plan: Returns, seed: int = 0) -> dict[str, dict[str, dict[str, float]]]:
    """Scores by part (all, warm, cold) and rule."""
    parts = {
        "all": split.orders > 0,
        "warm": (split.orders > 0) & (split.train.orders > 0),
        "cold": (split.orders > 0) & (split.train.orders == 0),
    }
    told: dict[str, dict[str, dict[str, float]]] = {}
    rules = forecasts(split, plan)
    for part, rows in parts.items():
        if split.returned[rows].sum() == 0:
            continue
        told[part] = {}
        for name, (alpha, beta_) in rules.items():
            a, b, k, n = alpha[rows], beta_[rows], split.returned[rows], split.orders[rows]
            ranks = randomised_ranks(a, b, k, n, np.random.default_rng(seed).random(len(n)))
            told[part][name] = asdict(return_scores(a, b, k, n)) | {"cov80": coverage(ranks, 0.8), "cov90": coverage(ranks, 0.9)}
    return told


def table(told: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """The scores as Markdown tables."""
    lines = []
    for part, rules in told.items():
        some = next(iter(rules.values()))
        lines += ["", f"{part}: {some['products']:,} products, {some['orders']:,} orders, {some['returned']:,} returned", ""]
        lines += ["| rule | nll_bb | nll_bin | Brier | MAE | decile | obs/pred | cov80 | cov90 |", "|---|---|---|---|---|---|---|---|---|"]
        for name, s in rules.items():
            lines.append(
                f"| {name} | {s['nll_beta_binomial']:.1f} | {s['nll_binomial']:.1f} | {s['brier']:.1f} | {s['mae']:.0f} | "
                f"{s['decile_error']:.0f} | {s['observed_over_predicted']:.2f} | {s['cov80']:.3f} | {s['cov90']:.3f} |"
            )
    return lines[1:]


def day(text: str) -> int:
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    orders = kinds.add_parser("orders")
    orders.add_argument("tables", type=Path, nargs="+")
    orders.add_argument("--cut", required=True)
    orders.add_argument("--until", required=True)
    orders.add_argument("--window", type=int, default=30)
    orders.add_argument("--thin", type=int)
    orders.add_argument("--seed", type=int, default=0)
    orders.add_argument("--products", default=ARTICLE)
    counts = kinds.add_parser("counts")
    counts.add_argument("train", type=Path)
    counts.add_argument("test", type=Path)
    for kind in (orders, counts):
        kind.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.kind == "orders":
        lines = pd.concat([read_table(path) for path in asked.tables], ignore_index=True)
        split = split_sales(sales_of(lines, asked.products), day(asked.cut), day(asked.until), asked.window, asked.thin, asked.seed)
    else:
        both = [read_table(path).set_index("product_id") for path in (asked.train, asked.test)]
        numbers = ["orders", "returned", "price"]
        split = joined_counts(*(part.assign(**{name: pd.to_numeric(part[name]) for name in numbers}) for part in both))
    told = evaluate(split, load_plan().returns)
    print(json.dumps(told, indent=1) if asked.json else "\n".join(table(told)))


if __name__ == "__main__":
    main()
