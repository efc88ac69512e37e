"""Spills of prices: the rows of a running week as plain columns of numbers, sorted by bucket, until their bucket is decided.

A file is a row of writes, each of them three columns (keys, days, cents; numbers as they stand in memory) in the order of the buckets;
behind the last write stand how many rows of each bucket each write has (int64, shape (writes, buckets)), the facts (JSON), and three
numbers that tell the sizes of these. So a bucket is read with three small reads a write, whatever the size of the file.
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
    """The rows of the first bucket, then those of the next ..., each bucket's in the order in which they stand; and how many each has."""
    if buckets == 1:
        return rows, np.array([len(rows)])
    bucket = keys.bucket_of(rows.key, buckets)
    # A stable sort of numbers of 8 or 16 bits is a radix sort.
    small = bucket.astype(np.uint8 if buckets <= 1 << 8 else np.uint16)
    return rows.take(np.argsort(small, kind="stable")), np.bincount(bucket, minlength=buckets)


class PriceSpill:
    """Prices of one file and marketplace; each `write` adds rows of any bucket."""

    def __init__(self, path: Path, buckets: int, facts: dict[str, str]) -> None:
        self._path, self._buckets, self._facts = path, buckets, facts
        self._counts: list[np.ndarray] = []
        with written(path):
            self._file = path.open("wb", buffering=0)

    def write(self, rows: PriceRows) -> None:
        """Add rows, those of a bucket in the order in which they stand here."""
        self.write_sorted(*by_bucket(rows, self._buckets))

    def write_sorted(self, rows: PriceRows, counts: np.ndarray) -> None:
        """Add what `by_bucket` gave."""
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
    """A spill opened for reading; `facts` is what it says of all its rows: file, marketplace, currency."""

    def __init__(self, path: Path) -> None:
        # Read and not mapped: pages of a mapped file count as memory of the process.
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
        """The rows of one bucket, in the order in which they came."""
        return read_in_turn([self], bucket)

    def _read_into(self, rows: PriceRows, start: int, write: int, bucket: int) -> int:
        """Fill `rows` from `start` with those of one write; where they end."""
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
    """The rows of one bucket over several spills: those of the first write of each, then those of the second of each ..."""
    writes = [len(file._counts) for file in files]
    total = sum(int(file._counts[:, bucket].sum()) for file in files)
    rows = PriceRows(*(np.empty(total, column) for column in _COLUMNS))
    start = 0
    for write in range(max(writes, default=0)):
        for file, count in zip(files, writes, strict=True):
            if write < count and file._counts[write, bucket]:
                start = file._read_into(rows, start, write, bucket)
    return rows
