"""Lateness of suppliers from promised and actual dates: counts per supplier, which add up over all files."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.config.plan import Rules
from pipeline.tables.columns import Columns, stage
from pipeline.tables.frames import days, real_series, whole_series


def lateness_counts(deliveries: pd.DataFrame, as_of: int) -> pd.DataFrame:
    """Deliveries promised up to the as-of day, and how many of them left late, per supplier.

    Reads `supplier_id`, `promised_date`, `shipped_date`; a delivery that had not left by the as-of day is late. Returns `supplier_id`,
    `deliveries`, `late_deliveries` (counts; exact repeats are the caller's business).
    """
    promised, has_promise = days(deliveries, "promised_date")
    shipped, has_shipped = days(deliveries, "shipped_date")
    due = has_promise & (promised < as_of)
    left_by = np.where(has_shipped & (shipped <= as_of), shipped, as_of)
    frame = pd.DataFrame({"supplier_id": deliveries["supplier_id"], "late_deliveries": (left_by > promised).astype(np.int64)})[due]
    grouped = frame.groupby("supplier_id", sort=True)["late_deliveries"].agg(deliveries="size", late_deliveries="sum")
    return grouped.reset_index()


@stage(
    reads="supplier_id",
    adds="deliveries late_deliveries late_probability",
)
def supplier_lateness(candidates: Columns, counts: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Each candidate's supplier: `deliveries`, `late_deliveries` (Int64) and `late_probability`.

    The probability that one order leaves late is the mean of a beta-binomial with a weak prior (`docs/returns.md` section 6); without
    a supplier it is missing.
    """
    supplier = candidates["supplier_id"]
    found = counts.set_index("supplier_id").reindex(supplier)
    total = found["deliveries"].fillna(0).to_numpy(dtype=np.int64)
    late = found["late_deliveries"].fillna(0).to_numpy(dtype=np.int64)
    named = supplier.notna().to_numpy(dtype=bool)
    chance = (rules.late_prior_mean * rules.late_prior_n + late) / (rules.late_prior_n + total)
    columns = {
        "deliveries": whole_series(total, named),
        "late_deliveries": whole_series(late, named),
        "late_probability": real_series(np.where(named, chance, np.nan)),
    }
    return pd.DataFrame(columns).set_index(supplier.index)
