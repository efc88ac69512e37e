"""Price files of kept runs: Parquet with one row group per range of keys."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store.disk import new_file, written
from pipeline.tables import keys
from pipeline.tables.price_rows import PriceRows

PRICES = pa.schema([("key", pa.uint64()), ("day", pa.date32()), ("cents", pa.int32())])
WEEK_BITS = pa.field("told", pa.int64())
_GROUP_ROWS = 65_536
_MOST_GROUPS = 4_096
_GROUPS = b"groups"


def _arrays(rows: PriceRows) -> list[pa.Array]:
    return [pa.array(rows.key), pa.array(rows.day, pa.int32()).view(pa.date32()), pa.array(rows.cents)]


def _rows(table: pa.Table) -> PriceRows:
    key, day, cents = (np.asarray(part) for part in (table["key"], table["day"].cast(pa.int32()), table["cents"]))
    return PriceRows(key, day, cents)


def group_count(rows: int) -> int:
    """How many ranges of keys a run of that many rows has: a power of two, so that coarser ranges have the same bounds."""
    return min(_MOST_GROUPS, 1 << max(0, (rows - 1).bit_length() - (_GROUP_ROWS - 1).bit_length()))


class RunSink:
    """Writes prices of one marketplace to Parquet, sorted by key and day; row group g holds the g-th range of keys."""

    def __init__(self, path: Path, groups: int, facts: dict[str, str], *extra: pa.Field) -> None:
        self._path, self._groups, self._next = path, groups, 0
        self._schema = pa.schema([*PRICES, *extra], metadata={**facts, _GROUPS.decode(): str(groups)})
        self._pending: list[pa.Table] = []
        with written(path):
            self._open = contextlib.ExitStack()
            self._writer = pq.ParquetWriter(
                self._open.enter_context(new_file(path)), self._schema, compression="zstd",
                use_dictionary=["key", *(field.name for field in extra)],
                column_encoding={"day": "DELTA_BINARY_PACKED", "cents": "PLAIN"}, write_statistics=False,
            )  # fmt: skip

    def write(self, rows: PriceRows, *extra: np.ndarray) -> None:
        """Add rows whose keys are above all earlier ones; a group is written when the next one begins."""
        start = 0
        group = keys.bucket_of(rows.key, self._groups)
        for place in np.unique(group).tolist():
            while self._next < place:
                self._flush()
            stop = int(np.searchsorted(group, place, side="right"))
            arrays = [*_arrays(rows.take(slice(start, stop))), *(pa.array(column[start:stop]) for column in extra)]
            self._pending.append(pa.Table.from_arrays(arrays, schema=self._schema))
            start = stop

    def _flush(self) -> None:
        table = pa.concat_tables(self._pending).combine_chunks() if self._pending else self._schema.empty_table()
        with written(self._path):
            self._writer.write_table(table, row_group_size=max(table.num_rows, 1))
        self._pending, self._next = [], self._next + 1

    def __enter__(self) -> RunSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with written(self._path):
            try:
                while kind is None and self._next < self._groups:
                    self._flush()
            finally:
                self._open.callback(self._writer.close)
                self._open.close()


class RunFile:
    """The price file of a kept run and a marketplace, opened for reading."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)
        held = self._file.schema_arrow.metadata
        self.groups = int(held[_GROUPS])
        self.rows = self._file.metadata.num_rows

    def read(self, bucket: int, buckets: int) -> tuple[PriceRows, np.ndarray | None]:
        """The rows of the `bucket`-th of `buckets` ranges of keys, and their week bits (`told`) where the run holds several weeks."""
        wanted = range(bucket * self.groups // buckets, -(-(bucket + 1) * self.groups // buckets))
        table = self._file.read_row_groups(list(wanted), use_threads=False)
        rows = _rows(table)
        reported = np.asarray(table["told"]) if "told" in table.column_names else None
        part = keys.between(rows.key, bucket, buckets)
        return rows.take(part), None if reported is None else reported[part]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextlib.contextmanager
def open_run(path: Path) -> Iterator[RunFile]:
    """Open the price file of a kept run for reading."""
    run = RunFile(path)
    try:
        yield run
    finally:
        run.close()
