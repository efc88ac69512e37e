"""The seller's records of each candidate: counts of returns, earlier decisions, live listings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.tables.columns import Columns, stage
from pipeline.tables.frames import days, text, whole, whole_series

KEY = ["marketplace", "product_id"]
_COUNTS = (
    "own_sold_orders", "own_returned_orders", "own_orders_back", "own_sold_units", "own_returned_units", "mature_orders",
    "mature_returned", "recent_units",
)  # fmt: skip
# A decision that hides a product, and the word for it; `skip` hides for a time, the others until the seller says otherwise.
_HIDING = {"gated": "gated for this account", "ip_risk": "a risk of complaints", "stop": "stopped"}


def period_counts(returns: pd.DataFrame, as_of: int, window_days: int) -> pd.DataFrame:
    """Counts per product out of return reports: all periods that ended by the as-of day, mature ones ended before the window.

    The same period reported twice (overlapping reports) counts once, with the larger number of orders.
    """
    end, _ = days(returns, "period_end")
    reported = returns[end <= as_of].sort_values([*KEY, "period_start", "period_end", "sold_orders", "returned_orders"], kind="stable")
    reported = _apart(reported.drop_duplicates([*KEY, "period_start", "period_end"], keep="last"))
    end, _ = days(reported, "period_end")
    mature = end < as_of - window_days
    sold, returned = whole(reported, "sold_orders")[0], whole(reported, "returned_orders")[0]
    frame = pd.DataFrame(
        {
            "marketplace": reported["marketplace"],
            "product_id": reported["product_id"],
            "own_sold_orders": sold,
            "own_returned_orders": returned,
            "own_orders_back": returned,
            "own_sold_units": whole(reported, "sold_units")[0],
            "own_returned_units": whole(reported, "returned_units")[0],
            "mature_orders": np.where(mature, sold, 0),
            "mature_returned": np.where(mature, returned, 0),
            "recent_units": 0,
        }
    )
    return frame.groupby(KEY, sort=True).sum().astype("Int64").reset_index()


def _apart(reported: pd.DataFrame) -> pd.DataFrame:
    """Periods of a product that do not overlap: the earliest first, of those that start together the longest."""
    start, end = days(reported, "period_start")[0], days(reported, "period_end")[0]
    product = reported.groupby(KEY, sort=False).ngroup().to_numpy()
    order = np.lexsort((-end, start, product))
    kept = np.ones(len(reported), dtype=bool)
    last_product, last_end = -1, 0
    for at in order.tolist():
        if product[at] == last_product and start[at] <= last_end:
            kept[at] = False
        else:
            last_product, last_end = product[at], end[at]
    return reported[kept]


@stage(
    reads="marketplace product_id",
    adds="""
        mature_orders mature_returned own_monthly_units own_orders_back own_returned_orders own_returned_units own_sold_orders
        own_sold_units recent_units
    """,
)
def own_counts(candidates: Columns, from_orders: pd.DataFrame, from_reports: pd.DataFrame) -> pd.DataFrame:
    """The seller's counts of each candidate (missing where there are none): from order lines, else from return reports.

    Also `own_monthly_units`: own sales of the recent window, from order lines only.
    """
    keys = pd.MultiIndex.from_frame(candidates[KEY])
    lines = from_orders.set_index(KEY).reindex(keys)
    reports = from_reports.set_index(KEY).reindex(keys)
    has_lines = lines["own_sold_orders"].notna().to_numpy()
    columns: dict[str, pd.Series] = {}
    for name in _COUNTS:
        chosen = lines[name].reset_index(drop=True).where(has_lines, reports[name].reset_index(drop=True))
        columns[name] = chosen.astype("Int64")
    columns["own_monthly_units"] = lines["recent_units"].reset_index(drop=True).astype("Int64")
    return pd.DataFrame(columns).set_index(candidates.index)


@stage(
    reads="marketplace product_id",
    adds="decision hidden_by is_listed own_quote_age_days own_sku quoted_cost_cents",
)
def seller_marks(candidates: Columns, decisions: pd.DataFrame, listed: pd.DataFrame, as_of: int, skip_weeks: int) -> pd.DataFrame:
    """The newest decision on each candidate that holds on the as-of day, whether it hides it, and whether it is listed already.

    Returns `decision`, `hidden_by` (a sentence; missing where nothing hides it), `is_listed`, `own_sku`, `quoted_cost_cents`
    (a quote that still holds).
    """
    decided, dated = days(decisions, "decided_on")
    known = decisions.assign(_day=np.where(dated, decided, -1))[~dated | (decided <= as_of)]
    newest = known.sort_values([*KEY, "_day", "decision"], kind="stable").drop_duplicates(KEY, keep="last")
    keys = pd.MultiIndex.from_frame(candidates[KEY])
    own = newest.set_index(KEY).reindex(keys).reset_index(drop=True)
    word, day = text(own, "decision"), own["_day"].fillna(-1).to_numpy(dtype=np.int64)
    until, has_until = days(own, "skip_until")
    ends = np.where(has_until, until, np.where(day >= 0, day + 7 * skip_weeks, np.iinfo(np.int64).max))
    skipped = (word == "skip") & (as_of <= ends)
    hidden = np.full(len(candidates), None, dtype=object)
    for decision, why in _HIDING.items():
        hidden[word == decision] = f"decision {decision}: {why}"
    for row in np.flatnonzero(skipped):
        end = "until the decision is changed" if ends[row] > 10**9 else f"until {np.datetime64(int(ends[row]), 'D')}"
        hidden[row] = f"decision skip: hidden {end}"
    placed = listed.sort_values([*KEY, "own_sku"], kind="stable").drop_duplicates(KEY).set_index(KEY).reindex(keys).reset_index(drop=True)
    is_listed = placed["_listed"].fillna(False).to_numpy(dtype=bool) if "_listed" in placed else np.zeros(len(candidates), dtype=bool)
    is_listed = is_listed | (word == "list")
    hidden = np.where(pd.isna(hidden) & is_listed, "listed already", hidden)
    valid_until, has_end = days(own, "quote_valid_until")
    quote, has_quote = whole(own, "quoted_cost_cents")
    string = candidates["product_id"].dtype
    columns = {
        "decision": pd.Series(word, dtype=string),
        "hidden_by": pd.Series(hidden, dtype=string),
        "is_listed": pd.Series(is_listed, dtype="boolean"),
        "own_sku": placed["own_sku"].where(placed["own_sku"].notna(), own["own_sku"]),
        "quoted_cost_cents": whole_series(quote, has_quote & (~has_end | (valid_until >= as_of))),
        "own_quote_age_days": whole_series(as_of - day, day >= 0),
    }
    return pd.DataFrame(columns).set_index(candidates.index)
