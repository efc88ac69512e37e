"""Matching of offers to products: by product id, by the seller's matches of article numbers, by product code."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.stages.offers.identity import gtin14
from pipeline.tables.columns import Columns

KEY = ["marketplace", "product_id"]


def product_codes(candidates: pd.DataFrame) -> pd.DataFrame:
    """Valid product codes of candidates: `gtin14`, `product_id`, `marketplace`, one row per code; invalid codes match nothing."""
    reported = candidates[candidates["gtin"].notna()][["gtin", "product_id", "marketplace"]]
    split = reported.assign(code=reported["gtin"].astype(object).str.split()).explode("code")
    split["gtin14"] = [gtin14(str(code)) for code in split["code"]]
    return split[split["gtin14"].notna()][["gtin14", "product_id", "marketplace"]].drop_duplicates().reset_index(drop=True)


def match_offers(offers: pd.DataFrame, matches: pd.DataFrame, codes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Offers with the product they are for, and those that no product takes.

    Parameters
    ----------
    offers : DataFrame
        Columns of `tables.schemas.OFFERS` and `tables.schemas.ORIGIN`.
    matches : DataFrame
        The seller's own table: `supplier_id`, `supplier_sku`, `product_id`, `marketplace`, `pack_quantity`.
    codes : DataFrame
        `product_codes` of the candidates.

    Returns
    -------
    (DataFrame, DataFrame)
        Matched offers with `product_id` filled and `matched_by` (product_id, sku, gtin), one row for each product an offer serves; and
        the unmatched rows as they came.
    """
    columns = [*offers.columns, "matched_by"]
    offers = offers.reset_index(drop=True)
    named = offers["product_id"].notna()
    direct = offers[named].assign(matched_by="product_id")

    rest = offers[~named]
    own = matches.drop_duplicates(["supplier_id", "supplier_sku", "product_id", "marketplace"]).rename(
        columns={"product_id": "_product", "marketplace": "_market", "pack_quantity": "_pack"}
    )[["supplier_id", "supplier_sku", "_product", "_market", "_pack"]]
    by_sku = rest[rest["supplier_sku"].notna()].reset_index().merge(own, on=["supplier_id", "supplier_sku"], how="inner")
    by_sku = by_sku[by_sku["marketplace"].isna() | by_sku["_market"].isna() | (by_sku["marketplace"] == by_sku["_market"])]
    found = set(by_sku["index"])
    by_sku = by_sku.assign(
        product_id=by_sku["_product"],
        marketplace=by_sku["marketplace"].where(by_sku["marketplace"].notna(), by_sku["_market"]),
        pack_quantity=by_sku["pack_quantity"].where(by_sku["pack_quantity"].notna(), by_sku["_pack"]),
        matched_by="sku",
    )

    rest = rest[~rest.index.isin(found) & rest["gtin"].notna()].reset_index()
    split = rest.assign(_code=rest["gtin"].astype(object).str.split()).explode("_code")
    split["gtin14"] = pd.Series([gtin14(str(code)) for code in split["_code"]], index=split.index, dtype=codes["gtin14"].dtype)
    by_code = split.merge(codes.rename(columns={"product_id": "_product", "marketplace": "_market"}), on="gtin14", how="inner")
    by_code = by_code[by_code["marketplace"].isna() | (by_code["marketplace"] == by_code["_market"])]
    by_code = by_code.drop_duplicates(["index", "_product", "_market"])
    found |= set(by_code["index"])
    by_code = by_code.assign(product_id=by_code["_product"], marketplace=by_code["_market"], matched_by="gtin")

    kept = [part.reindex(columns=columns) for part in (direct, by_sku, by_code) if len(part)]
    matched = pd.concat(kept, ignore_index=True) if kept else direct.reindex(columns=columns)
    return matched, offers[~named & ~offers.index.isin(found)]


def offers_by_row(offers: pd.DataFrame, candidates: Columns) -> pd.DataFrame:
    """Each offer with the position of its candidate (`row`) and a total order (`offer_order`).

    An offer without a marketplace serves every marketplace of its product. Equal offers of different files count once.
    """
    offers = offers.reset_index(drop=True)
    places = candidates[KEY].assign(row=np.arange(len(candidates)))
    bound = offers[offers["marketplace"].notna()].merge(places, on=KEY, how="inner")
    free = offers[offers["marketplace"].isna()].drop(columns="marketplace").merge(places, on="product_id", how="inner")
    joined = pd.concat([bound, free], ignore_index=True).reindex(columns=[*offers.columns, "row"])
    # What an offer says, not where it stood, orders equal offers.
    content = [name for name in offers.columns if name not in ("source", "file", "line", "byte_offset")]
    joined = joined.sort_values(["row", *content], kind="stable").drop_duplicates(["row", *content]).reset_index(drop=True)
    return joined.assign(offer_order=np.arange(len(joined)))
