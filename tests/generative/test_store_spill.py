"""Spills of prices give back, bucket by bucket, what was written, in its order."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import NotWritten
from pipeline.store.price_spills import PriceSpill, SpillFile, read_in_turn
from pipeline.tables import keys
from pipeline.tables.price_rows import PriceRows

ROWS = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 40_000), st.integers(0, 2**31 - 1)), max_size=30)
WRITES = st.lists(ROWS, max_size=4)


def price_rows(rows):
    key, day, cents = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return PriceRows(np.array(key, np.uint64), np.array(day, np.int32), np.array(cents, np.int32))


def listed(rows):
    return list(zip(rows.key.tolist(), rows.day.tolist(), rows.cents.tolist(), strict=True))


def of_bucket(rows, bucket, buckets):
    low, high = keys.bucket_bounds(bucket, buckets)
    return [row for row in rows if low <= row[0] < high]


@given(files=st.lists(WRITES, min_size=1, max_size=3), buckets=st.sampled_from([1, 2, 7, 300]))
@settings(max_examples=60)
def test_a_bucket_holds_its_rows_in_the_order_of_writing_file_after_file_in_turn(files, buckets):
    with tempfile.TemporaryDirectory() as folder:
        opened = []
        for place, writes in enumerate(files):
            path = Path(folder) / f"{place}.prices"
            with PriceSpill(path, buckets, {"file": f"ü{place}"}) as spill:
                for rows in writes:
                    spill.write(price_rows(rows))
            opened.append(SpillFile(path))
        for bucket in sorted({0, buckets // 2, buckets - 1}):
            for file, writes, place in zip(opened, files, range(len(files)), strict=True):
                assert file.facts == {"file": f"ü{place}"}
                assert listed(file.read(bucket)) == of_bucket([row for rows in writes for row in rows], bucket, buckets)
            turns = [writes[turn] for turn in range(4) for writes in files if turn < len(writes)]
            assert listed(read_in_turn(opened, bucket)) == of_bucket([row for rows in turns for row in rows], bucket, buckets)
        for file in opened:
            with file:
                pass


def test_a_spill_that_lost_its_rows_is_told_and_a_folder_that_is_gone_too(tmp_path):
    path = tmp_path / "a.prices"
    with PriceSpill(path, 1, {}) as spill:
        spill.write(price_rows([(1, 2, 3)] * 10))
    content = path.read_bytes()
    path.write_bytes(content[160:])
    with SpillFile(path) as file, pytest.raises(EOFError, match="ends early"):
        file.read(0)
    with pytest.raises(NotWritten, match="make room"):
        PriceSpill(tmp_path / "gone" / "a.prices", 1, {})
