"""Facts of the listing itself that the fee schedule and the rules need."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipeline.stages.offers.identity import gtins_invalid
from pipeline.tables.columns import Columns, stage


@stage(
    reads="fee_category fee_category_assumed gtin guessed_fees marketplace title",
    adds="fee_category is_fee_category_assumed is_gtin_invalid vat_region",
)
def listing_facts(candidates: Columns, vat_regions: Mapping[str, str | None]) -> pd.DataFrame:
    """`is_gtin_invalid`, the marketplace's `vat_region`, and the fee category: as stated, else the gate's guess, marked as assumed."""
    stated = candidates["fee_category"].notna()
    return pd.DataFrame(
        {
            "is_gtin_invalid": gtins_invalid(candidates["gtin"]),
            "vat_region": candidates["marketplace"].map(dict(vat_regions)).astype(candidates["title"].dtype),
            "fee_category": candidates["fee_category"].where(stated, candidates["guessed_fees"]),
            "is_fee_category_assumed": (~stated & candidates["fee_category_assumed"].astype(bool)).astype("boolean"),
        }
    )
