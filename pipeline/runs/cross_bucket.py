"""Facts across buckets, collected before any bucket is decided: the product of each offer, supplier lateness, the seller's tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from pipeline.runs.inputs import Inputs
from pipeline.runs.read_task import ReadAnswer
from pipeline.runs.retention import PARCELS
from pipeline.runs.spills import spilled, with_bucket
from pipeline.stages.offers.lateness import lateness_counts
from pipeline.stages.offers.matching import match_offers, product_codes
from pipeline.stages.records.duplicates import without_repeats
from pipeline.stages.records.earlier_weeks import known_deliveries
from pipeline.store.parquet import read_parquet, write_spill
from pipeline.tables.calendar import day_number, sunday_of
from pipeline.tables.frames import to_arrow, to_frame
from pipeline.tables.schemas import DELIVERIES, DUMP_TABLES, schema


@dataclass(frozen=True)
class CrossBucketFacts:
    """Facts across buckets as spills, the offers that match no product, and the number of exact repeats by file."""

    spills: tuple[tuple[str, Path], ...]
    unmatched: pa.Table
    repeats: Counter[str]


def cross_bucket_facts(reads: Sequence[ReadAnswer], inputs: Inputs, work: Path, buckets: int) -> CrossBucketFacts:
    """Match offers to products, count late deliveries by supplier, and read the seller's decisions and listings."""
    spills = [spill for answer in reads for spill in answer.spills]
    repeats = Counter[str]()

    def without_exact_repeats(name: str, bucket: int = 0) -> pd.DataFrame:
        rows, counts = without_repeats(to_frame(spilled(spills, name, bucket)))
        repeats.update(counts)
        return rows

    as_of = day_number(sunday_of(inputs.week))
    # A delivery has no id of its own, so two equal rows are two parcels.
    earlier = to_frame(inputs.known.records("deliveries", schema(DELIVERIES).append(PARCELS)))
    lateness = lateness_counts(known_deliveries(earlier, to_frame(spilled(spills, "deliveries"))), as_of)
    write_spill(work / "facts-lateness.parquet", pa.Table.from_pandas(lateness, preserve_index=False), 1)
    write_spill(work / "facts-decisions.parquet", to_arrow(without_exact_repeats("decisions"), DUMP_TABLES["decisions"]), 1)
    listed = to_arrow(without_exact_repeats("listed"), DUMP_TABLES["listed"])
    write_spill(work / "facts-listed.parquet", listed.append_column("_listed", pa.array([True] * len(listed), pa.bool_())), 1)

    matches = without_exact_repeats("matches")
    has_offers = any(name == "offers" for name, _ in spills)
    codes = _codes(spills) if has_offers else product_codes(to_frame(schema(DUMP_TABLES["candidates"]).empty_table()))
    columns = schema(DUMP_TABLES["offers"])
    matched_spills, unmatched = [], [columns.empty_table()]
    for bucket in range(buckets if has_offers else 0):
        matched, rest = match_offers(without_exact_repeats("offers", bucket), matches, codes)
        found = pa.Table.from_pandas(matched, schema=columns.append(pa.field("matched_by", pa.string())), preserve_index=False)
        target = work / f"matched-{bucket:05d}.parquet"
        write_spill(target, with_bucket(found.replace_schema_metadata(), buckets), buckets)
        matched_spills.append(("matched_offers", target))
        unmatched.append(to_arrow(rest, DUMP_TABLES["offers"]))
    return CrossBucketFacts((*spills, *matched_spills), pa.concat_tables(unmatched), repeats)


def _codes(spills: Sequence[tuple[str, Path]]) -> pd.DataFrame:
    wanted = ["gtin", "product_id", "marketplace"]
    parts = [read_parquet(path, wanted, [("gtin", "!=", "")]) for name, path in spills if name == "candidates"]
    # There is no spill of candidates where the dump holds none or all of them were set aside.
    return product_codes(to_frame(pa.concat_tables(parts) if parts else schema(DUMP_TABLES["candidates"]).empty_table().select(wanted)))
