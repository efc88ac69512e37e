"""The features of all products in one Parquet file, sorted by id, without ever holding all of them.

Products come bucket by bucket, in no order. A worker gathers those of some buckets, sorts them, and puts them aside cut at the same ids
as all others do; then the rows between two of these ids are read from all that was put aside, sorted, and written as one row group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.history_columns import column, texts
from pipeline.ingest.prefetch import prefetch
from pipeline.stages.prices.steps import price_features, steps_of
from pipeline.tables import keys
from pipeline.tables.price_rows import PriceRows, last_observation_together

GROUP_ROWS = 65_536


def features_of(rows: PriceRows, as_of: int, wide: Mapping[int, str]) -> pa.Table:
    """The features of the products of some rows, in the columns of the job."""
    steps = steps_of(last_observation_together(rows), as_of)
    found = price_features(steps)

    def real(values: np.ndarray) -> pa.Array:
        return column(values, pa.float64(), ~np.isnan(values))

    def whole(values: np.ndarray, is_known: np.ndarray | None = None) -> pa.Array:
        return column(values.astype(np.int32), pa.int32(), is_known)

    levels = range(found.quantiles.shape[1])
    quantiles = {f"q{5 * (k + 1):02d}": whole(found.quantiles[:, k], found.has_quantiles) for k in levels}
    return pa.table(
        {
            "asin": keys.unpack(steps.key, wide),
            "n": whole(found.observations),
            "first_date": whole(found.first_day).view(pa.date32()),
            "last_date": whole(found.last_day).view(pa.date32()),
            "last_price_cents": whole(found.last_cents),
            "twm90": real(found.mean90_cents / 100),
            "twm365": real(found.mean365_cents / 100),
            **quantiles,
            "sdlog90": real(found.log_deviation90),
            "mdd365": real(found.drawdown365),
            "nchg90": whole(found.changes90),
            "days_since_change": whole(found.days_since_change),
        }
    )


def cut_ids(rows: PriceRows, buckets: int, wide: Mapping[int, str]) -> list[str]:
    """Ids that cut all products into stretches of about `GROUP_ROWS`, by those of one of the buckets, which are a sample by a hash."""
    names = keys.unpack(np.unique(rows.key), wide)
    ordered = names.take(pc.sort_indices(names)).to_pylist()
    stretches = -(-len(ordered) * buckets // GROUP_ROWS)
    return [ordered[len(ordered) * cut // stretches] for cut in range(1, stretches)]


class SetAside:
    """Features put aside by one worker: at each flush a batch per stretch between the cuts."""

    def __init__(self, path: Path, cuts: Sequence[str]) -> None:
        self._path, self._cuts = path, texts(cuts)
        self._pending: list[pa.Table] = []
        self._rows = 0
        self._writer: pa.RecordBatchFileWriter | None = None

    def add(self, table: pa.Table) -> None:
        """Keep some products; they reach the disk once there are enough."""
        self._pending.append(table)
        self._rows += table.num_rows
        if self._rows >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        table = pa.concat_tables(self._pending)
        names = table["asin"].combine_chunks()
        order = pc.sort_indices(names)
        batch = table.take(order).combine_chunks().to_batches()[0]
        self._pending, self._rows = [], 0
        if self._writer is None:
            self._writer = pa.ipc.new_file(str(self._path), table.schema)
        stops = [*np.asarray(pc.search_sorted(batch["asin"], self._cuts)).tolist(), batch.num_rows] if len(self._cuts) else [batch.num_rows]
        for start, stop in zip([0, *stops], stops, strict=False):
            self._writer.write_batch(batch.slice(start, stop - start))

    def __enter__(self) -> SetAside:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and self._rows:
            self._flush()
        if self._writer is not None:
            self._writer.close()


def write_sorted(aside: Iterable[Path], stretches: int, out: Path) -> int:
    """Write what was put aside, stretch after stretch; how many products there are."""
    paths = [path for path in aside if path.is_file()]

    def stretch(place: int) -> pa.Table:
        batches = []
        for path in paths:
            with pa.OSFile(str(path), "rb") as source:
                file = pa.ipc.open_file(source)
                batches += [file.get_batch(at) for at in range(place, file.num_record_batches, stretches)]
        table = pa.Table.from_batches(batches)
        return table.take(pc.sort_indices(table["asin"].combine_chunks()))

    products = 0
    schema = features_of(PriceRows.none(), 0, {}).schema
    # Nearly all values differ: dictionaries would take longer than all the rest, and only ids are worth finding a group by.
    with pq.ParquetWriter(out, schema, compression="zstd", compression_level=1, use_dictionary=False, write_statistics=["asin"]) as writer:
        for _, sorted_stretch in prefetch(stretch, range(stretches if paths else 0), 2):
            table = sorted_stretch()
            writer.write_table(table)
            products += table.num_rows
    return products
