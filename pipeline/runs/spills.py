"""Spills: typed rows between reading and deciding, sorted by bucket.

A product's bucket depends only on a stable hash of its id, and each bucket is a range of that hash. Rows joined in bucket order
therefore have the same order for any number of buckets or workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.stages.prices.arrays import table_of
from pipeline.store.kept_weeks import merge_ids, read_ids
from pipeline.store.parquet import read_spill
from pipeline.store.price_spills import SpillFile
from pipeline.tables import keys
from pipeline.tables.schemas import DUMP_TABLES, PRICE_HISTORY, empty, schema


def product_hash(products: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """The 32-bit hash of each product id (int64): the same on every machine and in every release."""
    return keys.key_hash(keys.pack_texts(products)[0])


def with_bucket(table: pa.Table, buckets: int, *, by: tuple[str, ...] = ("product_id",)) -> pa.Table:
    """The rows with `hash` and `bucket` (int64), bucket b holding the b-th range of the hash of the columns `by`."""
    key = table[by[0]] if len(by) == 1 else pc.binary_join_element_wise(*(pc.fill_null(table[name], "") for name in by), "\x1f")
    hashes = product_hash(key)
    return table.append_column("hash", pa.array(hashes)).append_column("bucket", pa.array((hashes * buckets) >> keys.HASH_BITS))


def spilled(spills: Iterable[tuple[str, Path]], name: str, bucket: int = 0) -> pa.Table:
    """The rows of a table in one bucket, over all its spills in their order."""
    columns = DUMP_TABLES[name]
    # Parquet has no timestamps in seconds: the cast restores them.
    parts = [read_spill(path, bucket).select([c.name for c in columns]).cast(schema(columns)) for table, path in spills if table == name]
    return pa.concat_tables(parts) if parts else empty(columns)


def spilled_history(spills: Sequence[tuple[str, Path]], bucket: int = 0) -> pa.Table:
    """The prices of one bucket in the columns of `tables.schemas.PRICE_HISTORY`, over all files in their order."""
    wide: dict[int, str] = {}
    for path in (path for name, path in spills if name == "price_ids"):
        merge_ids(wide, read_ids(path))
    parts = [empty(PRICE_HISTORY)]
    for path in (path for name, path in spills if name == "prices"):
        with SpillFile(path) as spill:
            parts.append(table_of(spill.read(bucket), spill.facts["marketplace"], spill.facts["currency"], wide))
    return pa.concat_tables(parts)
