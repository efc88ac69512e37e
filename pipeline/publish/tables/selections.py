"""Rows of the ledger that people look at: the head of the list, live listings, the review queue, near misses, what to source.

Seen table by table while the ledger is written; of each kind the best are kept, by a total order, so that neither the cut into tables nor
the number of workers matters.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.plan import ReportPlan
from pipeline.tables.published import REASONS

# Rules that a lower cost satisfies: together they are one lever, and `max_landed_cost` meets all of them.
COST_RULES = ("landed_share", "gross_margin", "net_margin", "net_profit")
KINDS = ("list", "live", "review", "miss", "source")


@dataclass
class Selections:
    """The best rows of each kind so far, with `pick` (the kind) and `pick_order` (smaller first)."""

    plan: ReportPlan
    _kept: dict[str, pa.Table] = field(default_factory=dict)

    def see(self, table: pa.Table) -> None:
        """Look through a part of the ledger (columns of `tables.published.DECISIONS`)."""
        most = {
            "list": self.plan.rows_max, "live": self.plan.live_max, "review": self.plan.review_max,
            "miss": self.plan.misses_max, "source": self.plan.sourcing_max,
        }  # fmt: skip
        orders = {
            "list": _numbers(table, "rank")[0],
            "live": _live(table),
            "review": _review(table),
            "miss": _misses(table),
            "source": _sourcing(table),
        }
        for kind, order in orders.items():
            rows = np.flatnonzero(~np.isnan(order))
            if not len(rows):
                continue
            if len(rows) > most[kind]:  # equal ones are told apart below
                bound = np.partition(order[rows], most[kind] - 1)[most[kind] - 1]
                rows = rows[order[rows] <= bound]
            part = table.take(pa.array(rows))
            part = part.append_column("pick", pa.array([kind] * len(rows))).append_column("pick_order", pa.array(order[rows]))
            both = pa.concat_tables([self._kept[kind], part]) if kind in self._kept else part
            ranked = both.sort_by([("pick_order", "ascending"), ("product_id", "ascending"), ("marketplace", "ascending")])
            self._kept[kind] = ranked.slice(0, most[kind]).combine_chunks()

    def table(self, like: pa.Schema) -> pa.Table:
        """All kinds, one after the other; `like` is the ledger's schema."""
        columns = like.append(pa.field("pick", pa.string())).append(pa.field("pick_order", pa.float64()))
        return pa.concat_tables([self._kept[kind].cast(columns) for kind in KINDS if kind in self._kept] or [columns.empty_table()])


def _numbers(table: pa.Table, *names: str) -> list[np.ndarray]:
    return [table[name].combine_chunks().cast(pa.float64()).to_numpy(zero_copy_only=False) for name in names]


def _is(table: pa.Table, column: str, word: str) -> np.ndarray:
    return pc.fill_null(pc.equal(table[column], word), False).combine_chunks().to_numpy(zero_copy_only=False)


def _live(table: pa.Table) -> np.ndarray:
    """What the seller sells already; the worst verdict first."""
    listed = pc.fill_null(table["is_listed"], False).combine_chunks().to_numpy(zero_copy_only=False)
    order = np.select([_is(table, "verdict", word) for word in ("rejected", "review", "incomplete")], [0.0, 1.0, 2.0], 3.0)
    return np.where(listed, order, np.nan)


def _review(table: pa.Table) -> np.ndarray:
    """Candidates that wait for a person; the best score first."""
    (score,) = _numbers(table, "score")
    return np.where(_is(table, "verdict", "review"), -np.nan_to_num(score), np.nan)


def _misses(table: pa.Table) -> np.ndarray:
    """Rejected by one lever alone: how far, as a share of the cost or of the limit."""
    n = table.num_rows
    reasons = table["reasons"].combine_chunks().cast(REASONS)
    flat, rows = reasons.flatten(), np.asarray(reasons.value_parent_indices()).astype(np.int64)
    is_reject = np.asarray(pc.equal(flat.field("severity"), "reject")).astype(bool)
    is_cost = is_reject & np.asarray(pc.is_in(flat.field("rule"), pa.array(COST_RULES))).astype(bool)
    distance, limit = (np.nan_to_num(np.asarray(flat.field(name).fill_null(0.0))) for name in ("distance", "limit"))
    relative = np.where((distance > 0) & (limit > 0), distance / np.where(limit > 0, limit, 1.0), np.nan)
    rejects, costs = np.bincount(rows[is_reject], minlength=n), np.bincount(rows[is_cost], minlength=n)
    single = np.full(n, np.nan)
    single[rows[is_reject]] = relative[is_reject]
    landed, label, most = _numbers(table, "landed_cost", "shipping_cost", "max_landed_cost")
    spent = landed + np.nan_to_num(label)
    with np.errstate(invalid="ignore", divide="ignore"):
        over = np.where((most > 0) & (spent > most), 1 - most / spent, np.nan)
    by_cost = (rejects > 0) & (rejects == costs)
    closeness = np.where(by_cost, over, np.where(rejects == 1, single, np.nan))
    return np.where(_is(table, "verdict", "rejected"), closeness, np.nan)


def _sourcing(table: pa.Table) -> np.ndarray:
    """Nothing is missing but an offer: what a month would earn at the target cost share, the most first."""
    lacks = table["missing"].combine_chunks()
    only = np.asarray(pc.list_value_length(lacks).fill_null(0)) == 1
    flat, parents = lacks.flatten(), np.asarray(lacks.value_parent_indices()).astype(np.int64)
    offer = np.zeros(table.num_rows, dtype=bool)
    offer[parents[np.asarray(pc.equal(flat, "offer")).astype(bool)]] = True
    profit, sold, most = _numbers(table, "sourcing_profit", "monthly_sold", "max_purchase_cost")
    hidden = pc.is_valid(table["hidden_by"]).combine_chunks().to_numpy(zero_copy_only=False)
    wanted = _is(table, "verdict", "incomplete") & only & offer & (most > 0) & ~hidden & ~np.isnan(profit)
    # As `publish.workbooks.sourcing` orders it: where the profit is a loss, more sold must not make it better.
    return np.where(wanted, -np.where(profit > 0, np.nan_to_num(sold), 1.0) * profit, np.nan)
