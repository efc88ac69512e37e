"""Parquet files whose bytes do not depend on the number of workers or buckets, and spills of tables by bucket."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store.disk import kept, new_file, written

CURE = "restore its folder from a backup, or remove that and run the week again"
ROW_GROUP = 65_536  # rows; fixed, so that the bytes do not depend on the number of buckets or workers


class ParquetSink:
    """Writes a Parquet file in row groups of a fixed size, whatever the sizes of the incoming tables."""

    def __init__(self, path: Path, schema: pa.Schema, metadata: dict[str, str] | None = None) -> None:
        self._path = path
        self._schema = schema.with_metadata(metadata) if metadata else schema
        self._pending: list[pa.Table] = []
        self._rows = 0
        self._open = contextlib.ExitStack()
        with written(path):
            self._writer = self._open.enter_context(
                pq.ParquetWriter(self._open.enter_context(new_file(path)), self._schema, compression="zstd")
            )

    def write(self, table: pa.Table) -> None:
        """Add rows; they are written once a row group is full."""
        self._pending.append(table.cast(self._schema))
        self._rows += table.num_rows
        if self._rows >= ROW_GROUP:
            self._flush(full=True)

    def _flush(self, *, full: bool) -> None:
        table = pa.concat_tables(self._pending)
        while table.num_rows >= ROW_GROUP or (not full and table.num_rows):
            with written(self._path):
                self._writer.write_table(table.slice(0, ROW_GROUP).combine_chunks(), row_group_size=ROW_GROUP)
            table = table.slice(ROW_GROUP)
        self._pending, self._rows = [table], table.num_rows

    def __enter__(self) -> ParquetSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with written(self._path):
            try:
                if kind is None and self._pending:
                    self._flush(full=False)
            finally:
                self._open.close()


def write_spill(path: Path, table: pa.Table, buckets: int) -> None:
    """Write a spill: row group b holds the rows of bucket b (column `bucket`, int64) in their order.

    Dictionary-encoded text is read back as text. Statistics are omitted, because a spill is read by row group.
    """
    groups: list[list[pa.Table]] = [[] for _ in range(buckets)]
    # One chunk at a time, while its columns are in the processor's cache.
    for batch in map(pa.Table.from_batches, ([batch] for batch in table.to_batches())):
        if buckets == 1:
            groups[0].append(batch)
            continue
        places = batch["bucket"].combine_chunks().to_numpy()
        ordered = batch.take(pa.array(np.argsort(places, kind="stable")))
        bounds = np.concatenate([[0], np.cumsum(np.bincount(places, minlength=buckets))])
        for bucket, (begin, end) in enumerate(pairwise(bounds.tolist())):
            if end > begin:
                groups[bucket].append(ordered.slice(begin, end - begin))
    coded = [entry.name for entry in table.schema if pa.types.is_dictionary(entry.type)]
    # Rows just read from a dump are read back once and removed: to compress them takes longer than to write them.
    fresh: dict[str, Any] = {"use_dictionary": coded, "compression": "none", "write_statistics": False, "store_schema": False}
    with (
        written(path),
        new_file(path) as file,
        pq.ParquetWriter(file, table.schema, **(fresh if coded else {"compression": "lz4"})) as writer,
    ):
        for group in groups:
            rows = pa.concat_tables(group).unify_dictionaries() if group else table.schema.empty_table()
            writer.write_table(rows, row_group_size=max(rows.num_rows, 1))


def read_spill(path: Path, bucket: int) -> pa.Table:
    """The rows of one bucket, in the order in which they were written."""
    with pq.ParquetFile(path) as file:
        return file.read_row_group(bucket) if bucket < file.num_row_groups else file.schema_arrow.empty_table()


def read_parquet(path: Path, columns: list[str] | None = None, filters: list[tuple[str, str, object]] | None = None) -> pa.Table:
    """A Parquet file of the data folder as a table; raises `NotWritten` where it is damaged or missing."""
    with kept(path, CURE):
        return pq.read_table(path, columns=columns, filters=filters, partitioning=None)


def read_parts(path: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of a Parquet file, one table each."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns)


def parquet_metadata(path: Path) -> dict[str, str]:
    """The run's metadata in a Parquet file (`runs.manifest.file_metadata`)."""
    held = pq.read_schema(path).metadata or {}
    return {key.decode(): value.decode() for key, value in held.items() if not key.startswith(b"ARROW")}


def null_counts(path: Path, columns: Sequence[str]) -> dict[str, int]:
    """Number of nulls of each column, from the statistics of a Parquet file; no row is read."""
    held = pq.read_metadata(path)
    places = {held.schema.column(place).path: place for place in range(held.num_columns)}
    groups = [held.row_group(group) for group in range(held.num_row_groups)]
    return {name: sum(group.column(places[name]).statistics.null_count for group in groups) for name in columns}
