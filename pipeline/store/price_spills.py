"""Spills of prices: the price rows of a running week as binary columns, sorted by bucket.

A file is a sequence of writes. Each write is three columns (keys, days, cents; in native binary form), ordered by bucket. After the last
write follow the number of rows of each bucket in each write (int64, shape (writes, buckets)), the facts (JSON), and three numbers with
the sizes of these parts. A bucket is therefore read with three small reads per write, whatever the size of the file.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from pipeline.store.disk import written
from pipeline.tables import keys
from pipeline.tables.price_rows import PriceRows

_COLUMNS: tuple[np.dtype[Any], ...] = (np.dtype(np.uint64), np.dtype(np.int32), np.dtype(np.int32))  # key, day, cents
_ROW_BYTES = sum(column.itemsize for column in _COLUMNS)
_END = struct.Struct("<QQQ")  # writes, buckets, bytes of facts


def by_bucket(rows: PriceRows, buckets: int) -> tuple[PriceRows, np.ndarray]:
    """The rows ordered by bucket, in their old order within a bucket, and the number of rows of each bucket."""
    if buckets == 1:
        return rows, np.array([len(rows)])
    bucket = keys.bucket_of(rows.key, buckets)
    # A stable sort of numbers of 8 or 16 bits is a radix sort.
    small = bucket.astype(np.uint8 if buckets <= 1 << 8 else np.uint16)
    return rows.take(np.argsort(small, kind="stable")), np.bincount(bucket, minlength=buckets)


class PriceSpill:
    """Writes the prices of one file and marketplace; each `write` adds rows of any bucket."""

    def __init__(self, path: Path, buckets: int, facts: dict[str, str]) -> None:
        self._path, self._buckets, self._facts = path, buckets, facts
        self._counts: list[np.ndarray] = []
        with written(path):
            self._file = path.open("wb", buffering=0)

    def write(self, rows: PriceRows) -> None:
        """Add rows; rows of one bucket keep their order."""
        self.write_sorted(*by_bucket(rows, self._buckets))

    def write_sorted(self, rows: PriceRows, counts: np.ndarray) -> None:
        """Add rows that `by_bucket` has ordered."""
        self._counts.append(counts.astype(np.int64))
        for values, column in zip((rows.key, rows.day, rows.cents), _COLUMNS, strict=True):
            self._append(np.ascontiguousarray(values, column).view(np.uint8).data)

    def _append(self, content: memoryview | bytes) -> None:
        rest = memoryview(content)
        with written(self._path):
            while rest:
                rest = rest[self._file.write(rest) :]

    def __enter__(self) -> PriceSpill:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                facts = json.dumps(self._facts).encode()
                counts = b"".join(counts.tobytes() for counts in self._counts)
                self._append(counts + facts + _END.pack(len(self._counts), self._buckets, len(facts)))
        finally:
            with written(self._path):
                self._file.close()


class SpillFile:
    """A spill opened for reading; `facts` hold for all its rows: file, marketplace, currency."""

    def __init__(self, path: Path) -> None:
        # Read, not memory-mapped: mapped pages count as memory of the process.
        self._file = path.open("rb", buffering=0)
        size = os.fstat(self._file.fileno()).st_size
        writes, buckets, fact_bytes = _END.unpack(os.pread(self._file.fileno(), _END.size, size - _END.size))
        count_bytes = 8 * writes * buckets
        tail = os.pread(self._file.fileno(), count_bytes + fact_bytes, size - _END.size - fact_bytes - count_bytes)
        self.facts: dict[str, str] = json.loads(tail[count_bytes:])
        self._counts = np.frombuffer(tail, np.int64, writes * buckets).reshape(writes, buckets)
        self._rows = self._counts.sum(axis=1)
        self._begins = np.cumsum(self._rows) - self._rows  # rows before each write
        self._before = np.cumsum(self._counts, axis=1) - self._counts  # rows of a write before each bucket

    def read(self, bucket: int) -> PriceRows:
        """The rows of one bucket, in the order in which they were written."""
        return read_in_turn([self], bucket)

    def _read_into(self, rows: PriceRows, start: int, write: int, bucket: int) -> int:
        """Fill `rows` from `start` with the rows of one write; returns the end."""
        stop = start + int(self._counts[write, bucket])
        offset = int(self._begins[write]) * _ROW_BYTES
        for values, column in zip((rows.key, rows.day, rows.cents), _COLUMNS, strict=True):
            into = values[start:stop].view(np.uint8).data
            if os.preadv(self._file.fileno(), [into], offset + int(self._before[write, bucket]) * column.itemsize) != len(into):
                raise EOFError(f"{self._file.name}: a spill that ends early")
            offset += int(self._rows[write]) * column.itemsize
        return stop

    def __enter__(self) -> SpillFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()


def read_in_turn(files: Sequence[SpillFile], bucket: int) -> PriceRows:
    """The rows of one bucket over several spills: the first write of each spill, then the second of each, and so on."""
    writes = [len(file._counts) for file in files]
    total = sum(int(file._counts[:, bucket].sum()) for file in files)
    rows = PriceRows(*(np.empty(total, column) for column in _COLUMNS))
    start = 0
    for write in range(max(writes, default=0)):
        for file, count in zip(files, writes, strict=True):
            if write < count and file._counts[write, bucket]:
                start = file._read_into(rows, start, write, bucket)
    return rows
