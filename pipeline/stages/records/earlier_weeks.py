"""Orders, return reports and deliveries of earlier weeks joined with this week's: the newest dump replaces a record that it repeats."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.tables.schemas import DELIVERIES, ORDERS, RETURNS, Column

KEPT_FILE = "(earlier weeks)"  # a name that no file of a dump has: paths hold no blank after a bracket
ORDER_KEY = ["marketplace", "product_id", "order_id", "is_return"]
PERIOD_KEY = ["marketplace", "product_id", "period_start", "period_end"]
PROMISE_KEY = ["supplier_id", "product_id", "promised_date"]


def known_orders(kept: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Order lines of all weeks: of an order and product the lines of the newest dump that names it, sales and returns apart.

    Parameters
    ----------
    kept : DataFrame
        Lines of earlier weeks in the columns of `tables.schemas.ORDERS`, with `generation` (the larger, the later).
    own : DataFrame
        This dump's lines in the columns of `tables.schemas.ORDERS` and `tables.schemas.ORIGIN`.

    Returns
    -------
    DataFrame in the columns of `own`; kept lines stand under `KEPT_FILE`.
    """
    return _newest(kept, own, ORDER_KEY)


def known_returns(kept: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Return reports of all weeks, in the same columns: of a product and period the newest dump's word."""
    return _newest(kept, own, PERIOD_KEY)


def _newest(kept: pd.DataFrame, own: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    if not len(kept):
        return own
    newest = int(kept["generation"].max()) + 1
    reported = pd.concat([kept, own.assign(generation=newest)], ignore_index=True)
    latest = reported.groupby(key, dropna=False, sort=False)["generation"].transform("max")
    reported = reported[reported["generation"] == latest]
    is_kept = reported["generation"] < newest
    reported = reported.assign(
        file=reported["file"].where(~is_kept, KEPT_FILE),
        line=reported["line"].where(~is_kept, pd.Series(np.arange(len(reported)), index=reported.index)),
    )
    return reported[own.columns].reset_index(drop=True)


def known_deliveries(kept: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Parcels of all weeks, one row each: supplier, product, day promised, day shipped (missing while it has not left), day delivered.

    A parcel has no number. Of parcels that left, equal in all but the delivery, the number that counts is that of the week which
    reported most of them.
    What had not left yet gives way as soon as a later dump names any parcel of the same supplier, product and promised day.

    Parameters
    ----------
    kept : DataFrame
        Rows of earlier weeks in the columns of `tables.schemas.DELIVERIES`, with `parcels` (how many equal rows) and `generation`.
    own : DataFrame
        This dump's rows in the columns of `tables.schemas.DELIVERIES`; equal rows are as many parcels.
    """
    names = [column.name for column in DELIVERIES]
    if not len(kept):
        return own[names]
    newest = int(kept["generation"].max()) + 1
    reported = pd.concat([kept, counted(own).assign(generation=newest)], ignore_index=True)
    latest = reported.groupby(PROMISE_KEY, dropna=False, sort=False)["generation"].transform("max")
    has_left = reported["shipped_date"].notna()
    reported = reported[has_left | (reported["generation"] == latest)]
    # Each week's parcels of one kind first, then the week that reported most; of equal counts the newest, for its delivery dates.
    kind = [*PROMISE_KEY, "shipped_date"]
    weekly = reported.groupby([*kind, "generation"], dropna=False, sort=False)["parcels"].transform("sum")
    reported = reported.assign(weekly=weekly)
    most = reported.groupby(kind, dropna=False, sort=False)["weekly"].transform("max")
    reported = reported[reported["weekly"] == most]
    latest = reported.groupby(kind, dropna=False, sort=False)["generation"].transform("max")
    reported = reported[reported["generation"] == latest]
    return reported.loc[reported.index.repeat(reported["parcels"].to_numpy(dtype=np.int64)), names].reset_index(drop=True)


def counted(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Deliveries with equal rows made one, and how many they were as `parcels` (Int64)."""
    names = [column.name for column in DELIVERIES]
    sizes = deliveries.groupby(names, dropna=False, sort=True).size().rename("parcels").reset_index()
    return sizes.astype({name: deliveries[name].dtype for name in names} | {"parcels": "Int64"})


def without_exact_repeats(rows: pd.DataFrame, columns: tuple[Column, ...]) -> pd.DataFrame:
    """The rows without where they stood, exact repeats left out."""
    return rows[[column.name for column in columns]].drop_duplicates().reset_index(drop=True)


KEPT_COLUMNS = {"orders": ORDERS, "returns": RETURNS}
