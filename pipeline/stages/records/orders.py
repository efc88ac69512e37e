"""Facts from the seller's order lines: candidates, daily prices, and counts of returned orders.

An order is one (order, product): counts are orders, not units, so that one big invoice is one piece of evidence. A return without a
link is matched to the latest earlier sale of the same customer and product with enough units left (`docs/returns.md`). Lines that
repeat another line of the same file in every column are counted and dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.stages.records.duplicates import counts_by_file
from pipeline.tables.frames import days, flag, whole, whole_series

KEY = ["marketplace", "product_id"]
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class OrderFacts:
    """Facts that follow from order lines.

    `counts`: one row per product with `own_sold_orders`, `own_returned_orders` (as reports count: return
    orders), `own_orders_back` (orders that came back, each once, in parts or whole), `own_sold_units`, `own_returned_units`,
    `mature_orders`, `mature_returned`, `recent_units`. `history`: (marketplace, product_id, date, price_cents, currency).
    `candidates`: products that no candidate file holds. `sales`: what `linked_sales` gives. `repeats`: dropped lines per file.
    """

    counts: pd.DataFrame
    history: pd.DataFrame
    candidates: pd.DataFrame
    sales: pd.DataFrame
    repeats: dict[str, int]


def order_facts(orders: pd.DataFrame, as_of: int, window_days: int, recent_days: int) -> OrderFacts:
    """Counts, prices and candidates out of order lines up to the as-of day.

    Parameters
    ----------
    orders : DataFrame
        Lines in the columns of `tables.schemas.ORDERS` and `file`.
    as_of : int
        Days since 1970-01-01; later lines are not used.
    window_days : int
        A sale counts as mature evidence when it is older than this many days.
    recent_days : int
        How far back `recent_units` (own sales) reaches.
    """
    lines, repeats = _lines(orders, as_of)
    back, _ = flag(lines, "is_return")
    sales, returns = _linked(lines, back, as_of)
    return OrderFacts(
        counts=_counts(sales, returns, as_of, window_days, recent_days),
        history=_daily_prices(lines[~back]),
        candidates=_candidates(lines, back),
        sales=sales,
        repeats=repeats,
    )


def linked_sales(orders: pd.DataFrame, as_of: int) -> pd.DataFrame:
    """One row per order and product: `marketplace`, `product_id`, `order_id`, `day`, `units`, `customer`, `came_back` and `back_day`.

    `back_day` is the day on which the first part of it came back, `NEVER` where none did up to the as-of day.
    """
    lines, _ = _lines(orders, as_of)
    back, _ = flag(lines, "is_return")
    return _linked(lines, back, as_of)[0]


def _lines(orders: pd.DataFrame, as_of: int) -> tuple[pd.DataFrame, dict[str, int]]:
    """Lines up to the as-of day, each once, with their `day`; and how many repeats each file holds."""
    # Of repeated lines the first of the first file is kept, in whatever order the files were read.
    orders = orders.sort_values(["file", "line"], kind="stable").reset_index(drop=True)
    same = ["file", *KEY, "order_id", "ordered_at", "quantity", "unit_price_cents", "currency", "title", "customer_key", "is_return",
            "returned_order_id", "returned_at"]  # fmt: skip
    repeated = orders.duplicated(same)
    repeats = counts_by_file(orders[repeated])
    # Files that overlap hold the same line twice: it is kept once.
    lines = orders[~orders.duplicated(same[1:])].copy()
    lines["day"] = np.floor_divide(lines["ordered_at"].astype("int64[pyarrow]").to_numpy(dtype=np.int64), 86_400)
    return lines[lines["day"] <= as_of], repeats


def _linked(lines: pd.DataFrame, back: np.ndarray, as_of: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sales with the day on which they came back, and return orders with whether they match any sale."""
    sales, returns = _sales(lines[~back]), _returned_orders(lines[back])
    sales["back_day"], sales["told_alone"], returns["is_unmatched"] = _back_days(sales, returns, as_of)
    sales["came_back"] = sales["back_day"] <= as_of
    return sales, returns


def _sales(lines: pd.DataFrame) -> pd.DataFrame:
    """One row per order and product: day, units, customer, and whether the sale itself says that it came back."""
    grouped = lines.assign(
        second=lines["ordered_at"].astype("int64[pyarrow]").to_numpy(dtype=np.int64),
        returned_day=np.where(days(lines, "returned_at")[1], days(lines, "returned_at")[0], NEVER),
        units=whole(lines, "quantity")[0],
        customer=whole(lines, "customer_key")[0],
    ).groupby([*KEY, "order_id"], sort=True, as_index=False)
    return grouped.agg(day=("day", "min"), second=("second", "min"), units=("units", "sum"), customer=("customer", "max"),
                       returned_day=("returned_day", "min"))  # fmt: skip


def _returned_orders(lines: pd.DataFrame) -> pd.DataFrame:
    grouped = lines.assign(
        second=lines["ordered_at"].astype("int64[pyarrow]").to_numpy(dtype=np.int64),
        units=whole(lines, "quantity")[0],
        customer=whole(lines, "customer_key")[0],
        link=lines["returned_order_id"].fillna(""),
    ).groupby([*KEY, "order_id"], sort=True, as_index=False)
    return grouped.agg(day=("day", "min"), second=("second", "min"), units=("units", "sum"), customer=("customer", "max"),
                       link=("link", "max"))  # fmt: skip


def _back_days(sales: pd.DataFrame, returns: pd.DataFrame, as_of: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """When sales came back: from the sale itself, by a link, or by the latest earlier sale of the same customer and product.

    Also which sales are marked as returned without a return line, and which returns match no sale at all.
    """
    reported = sales["returned_day"].to_numpy()
    back_day = np.where(reported <= as_of, reported, NEVER)
    told_alone = back_day < NEVER
    unmatched = np.zeros(len(returns), dtype=bool)
    if not len(returns):
        return back_day, told_alone, unmatched
    position = {key: at for at, key in enumerate(zip(sales["marketplace"], sales["product_id"], sales["order_id"], strict=True))}
    left = sales["units"].to_numpy(dtype=np.int64).copy()
    unlinked = []
    for entry in returns.sort_values(["second", *KEY, "order_id"], kind="stable").itertuples():
        # Amazon-like exports repeat the sale's own id on the return line.
        at = position.get((entry.marketplace, entry.product_id, entry.link or entry.order_id))
        if at is None:
            unlinked.append(entry)
        else:
            back_day[at] = min(back_day[at], entry.day)
            told_alone[at] = False
            left[at] -= entry.units
    unmatched[[entry.Index for entry in unlinked]] = True
    wanted = {(e.marketplace, e.product_id, e.customer) for e in unlinked if e.customer}
    bought: dict[tuple[str, str, int], list[int]] = {}
    if wanted:
        keys = zip(sales["marketplace"], sales["product_id"], sales["customer"], strict=True)
        second = sales["second"].to_numpy()
        for at, key in enumerate(keys):
            if key in wanted:
                bought.setdefault(key, []).append(at)
        for positions in bought.values():
            positions.sort(key=lambda at: (second[at], at), reverse=True)
        for entry in unlinked:
            earlier = [at for at in bought.get((entry.marketplace, entry.product_id, entry.customer), []) if second[at] <= entry.second]
            enough = next((at for at in earlier if left[at] >= entry.units), None)
            spread = [enough] if enough is not None else earlier
            rest = entry.units
            for at in spread:
                taken = min(rest, max(left[at], 0))
                if taken > 0:
                    back_day[at] = min(back_day[at], entry.day)
                    told_alone[at] = False
                    unmatched[entry.Index] = False
                    left[at] -= taken
                    rest -= taken
                if rest <= 0:
                    break
    return back_day, told_alone, unmatched


def _counts(sales: pd.DataFrame, returns: pd.DataFrame, as_of: int, window_days: int, recent_days: int) -> pd.DataFrame:
    mature = sales["day"] < as_of - window_days
    recent = sales["day"] > as_of - recent_days
    sold = (
        sales.assign(
            mature=mature.astype(np.int64),
            mature_back=(mature & sales["came_back"]).astype(np.int64),
            recent=np.where(recent, sales["units"], 0),
            back=sales["came_back"].astype(np.int64),
            alone=sales["told_alone"].astype(np.int64),
        )
        .groupby(KEY, sort=True)
        .agg(
            own_sold_orders=("order_id", "size"),
            own_sold_units=("units", "sum"),
            sales_back=("back", "sum"),
            told_alone=("alone", "sum"),
            mature_orders=("mature", "sum"),
            mature_returned=("mature_back", "sum"),
            recent_units=("recent", "sum"),
        )
    )
    back = returns.groupby(KEY, sort=True).agg(
        return_orders=("order_id", "size"), unmatched_back=("is_unmatched", "sum"), own_returned_units=("units", "sum")
    )
    counts = sold.join(back, how="outer").fillna(0).astype("Int64")
    # As reports count: every return order, and every sale that says itself that it came back.
    counts["own_returned_orders"] = counts["return_orders"] + counts["told_alone"]
    # Each order once however often it came back in parts, and returns of orders that are not here.
    counts["own_orders_back"] = counts["sales_back"] + counts["unmatched_back"]
    return counts.drop(columns=["sales_back", "unmatched_back", "return_orders", "told_alone"]).reset_index()


def _daily_prices(lines: pd.DataFrame) -> pd.DataFrame:
    """The (lower) median price of each day's sale lines; one exact price a day, whatever the order of the lines."""
    priced = lines[lines["unit_price_cents"].notna()].sort_values([*KEY, "day", "unit_price_cents"], kind="stable")
    grouped = priced.groupby([*KEY, "day"], sort=True)
    rank, size = grouped.cumcount().to_numpy(), grouped["day"].transform("size").to_numpy()
    middle = priced[rank == (size - 1) // 2]
    return pd.DataFrame(
        {
            "marketplace": middle["marketplace"],
            "product_id": middle["product_id"],
            "date": pd.Series(middle["day"].to_numpy().astype("datetime64[D]"), index=middle.index).astype("date32[pyarrow]"),
            "price_cents": middle["unit_price_cents"],
            "currency": middle["currency"],
        }
    ).reset_index(drop=True)


def _candidates(lines: pd.DataFrame, back: np.ndarray) -> pd.DataFrame:
    """A candidate per product that a line names: its newest title, its price the median of its newest day of sales."""
    titled = lines[lines["title"].notna()].sort_values([*KEY, "ordered_at", "title"], kind="stable")
    titles = titled.drop_duplicates(KEY, keep="last")[[*KEY, "title"]]
    place = lines.sort_values([*KEY, "file", "line"], kind="stable").drop_duplicates(KEY)
    place = place[[*KEY, "currency", "source", "file", "line", "byte_offset"]]
    newest = _daily_prices(lines[~back]).drop_duplicates(KEY, keep="last")[[*KEY, "price_cents"]]
    merged = place.merge(newest, on=KEY, how="left").merge(titles, on=KEY, how="left")
    merged["price_cents"] = whole_series(*whole(merged, "price_cents"))
    return merged
