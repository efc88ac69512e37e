"""Laws of what is kept from week to week: any order of adding, any merging, a kill at any moment, any week looked at from."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.store import compaction, disk, kept_weeks
from pipeline.store.kept_prices import RunSink, group_count
from pipeline.store.kept_weeks import KeptWeeks, generation
from pipeline.tables.keys import bucket_bounds, pack_texts
from pipeline.tables.price_rows import PriceRows, in_order, newest_observation, one_price_a_day
from pipeline.tables.schemas import ORDERS, schema

WEEKS = ["2025-W52", "2026-W01", "2026-W02", "2026-W03", "2026-W10"]
IDS = ["B000000001", "B0ZZZZZZZZ", "sku with blanks", "a-very-long-id-of-a-seller", "7"]
KEYS, WIDE = pack_texts(pa.array(IDS))
# (product, day) -> cents; 0 is out of stock
DUMPS = st.dictionaries(st.tuples(st.integers(0, len(IDS) - 1), st.integers(20_000, 20_006)), st.integers(0, 3), max_size=12)
ADDED = st.lists(st.tuples(st.sampled_from(WEEKS), DUMPS), min_size=1, max_size=7)


class Killed(BaseException):
    """The process ends here."""


def rows_of(dump):
    cells = sorted(dump.items())
    key = np.array([KEYS[product] for (product, _), _ in cells], np.uint64)
    return in_order(PriceRows(key, np.array([day for (_, day), _ in cells], np.int32), np.array([c for _, c in cells], np.int32)))


def fill(folder, week, dump):
    """A work folder as a run leaves it: prices, one order per product, what was set aside."""
    folder.mkdir()
    with RunSink(folder / "prices-US.parquet", group_count(len(dump)), {"marketplace": "US", "currency": "USD"}) as sink:
        sink.write(rows_of(dump))
    named = sorted({product for product, _ in dump})
    orders = pa.Table.from_pylist(
        [{"product_id": IDS[p], "order_id": f"o{p}", "quantity": len(dump)} for p in named], schema=schema(ORDERS)
    )
    pq.write_table(orders.append_column("hash", pa.array([p << 20 for p in named], pa.int64())), folder / "orders.parquet")
    kept_weeks.write_ids(folder / "ids.parquet", WIDE)
    (folder / "ledger.json").write_text(json.dumps({week: [len(dump)]}))
    pq.write_table(pa.table({"line": pa.array([len(dump)]), "week": [week]}), folder / "set_aside.parquet")


def told(kept, before=None, buckets=1):
    """Everything that the store tells: prices, orders, accounts."""
    known = kept.known(before)
    prices = {}
    for bucket in range(buckets):
        low, high = bucket_bounds(bucket, buckets)
        for market in known.markets():
            rows = newest_observation(*known.prices(market, bucket, buckets))
            assert all(low <= key < high for key in rows.key.tolist())
            prices |= {(k, d): c for k, d, c in zip(rows.key.tolist(), rows.day.tolist(), rows.cents.tolist(), strict=True)}
    orders = known.records("orders", schema(ORDERS)).to_pylist()
    newest = {}
    for line in sorted(orders, key=lambda line: line["generation"]):
        newest[line["product_id"]] = (line["quantity"], line["generation"])
    return prices, newest, known.weeks, known.wide_ids()


def wanted(dumps, before=None):
    """The slow twin: the dumps in force, week by week, each over what was told before."""
    prices, orders = {}, {}
    for week, dump in sorted(dumps.items()):
        if before is None or week < before:
            prices |= {(int(KEYS[product]), day): cents for (product, day), cents in dump.items()}
            orders |= {IDS[product]: (len(dump), generation(week)) for product, _ in dump}
    return prices, orders


def same(kept, dumps, before=None):
    prices, orders, weeks, _ = told(kept, before)
    assert (prices, orders) == wanted(dumps, before)
    assert [week for week, _ in weeks] == sorted(week for week in dumps if before is None or week < before)


@pytest.fixture
def place():
    folder = Path(tempfile.mkdtemp())
    yield folder
    shutil.rmtree(folder)


def add(kept, root, week, dump):
    work = root / "work"
    shutil.rmtree(work, ignore_errors=True)
    fill(work, week, dump)
    return kept.keep(week, "2026-01-01", work)


def merge(kept, root):
    work = root / "merged"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    compaction.merge_runs(kept, kept.known().runs, work)


@given(added=ADDED, merged=st.sets(st.integers(0, 6)), buckets=st.sampled_from([1, 3]))
@settings(max_examples=40)
def test_any_order_of_adding_and_any_merging_tell_the_same_as_of_every_week(added, merged, buckets):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        kept, dumps = KeptWeeks(root / "weeks"), {}
        for step, (week, dump) in enumerate(added):
            add(kept, root, week, dump)
            dumps[week] = dump
            if step in merged:
                merge(kept, root)
            assert not add(kept, root, week, dump), "the same dump again changes nothing"
        for before in (*WEEKS, None):
            same(kept, dumps, before)
        assert told(kept, None, buckets) == told(kept)
        counted = {run.folder.name for run in kept.known().runs}
        assert {path.name for path in kept.root.iterdir()} == counted | {"manifest.json"}, "nothing lies there that nobody points to"


@given(added=ADDED, dice=st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_a_kill_at_any_moment_leaves_the_old_state_or_the_new_one(added, dice):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        kept, dumps = KeptWeeks(root / "weeks"), {}
        for week, dump in added:
            after = {**dumps, week: dump}
            with killed_after(dice.randint(0, 12)):
                add(kept, root, week, dump)
                merge(kept, root)
            states = [wanted(dumps), wanted(after)]
            assert told(kept)[:2] in states
            kept.sweep()
            assert told(kept)[:2] in states
            add(kept, root, week, dump)
            dumps = after
            same(kept, dumps)


class killed_after:
    """Ends the block at its n-th change of a name or a forced write, or lets it through when it has fewer."""

    def __init__(self, calls):
        self.left = calls

    def __enter__(self):
        self.saved = [(Path, "rename", Path.rename), (Path, "replace", Path.replace), (Path, "unlink", Path.unlink),
                      (shutil, "rmtree", shutil.rmtree), (os, "fsync", os.fsync)]  # fmt: skip
        for owner, name, real in self.saved:
            setattr(owner, name, self._counted(real))

    def _counted(self, real):
        def call(*args, **kwargs):
            if self.left == 0:
                raise Killed
            self.left -= 1
            return real(*args, **kwargs)

        return call

    def __exit__(self, kind, error, trace):
        for owner, name, real in self.saved:
            setattr(owner, name, real)
        return kind is Killed


@given(dump=DUMPS, cuts=st.lists(st.integers(0, 3), min_size=12, max_size=12))
@settings(max_examples=40)
def test_any_split_of_a_dump_into_files_tells_the_same_prices(dump, cuts):
    rows = rows_of(dump)
    whose = np.array(cuts[: len(rows)], dtype=np.int64)
    parts = [rows.take(whose == file) for file in range(4)]
    one, many = (one_price_a_day(files, PriceRows.none())[0] for files in ([rows], parts))
    assert (one.key.tolist(), one.day.tolist(), one.cents.tolist()) == (many.key.tolist(), many.day.tolist(), many.cents.tolist())


def test_eight_loose_weeks_become_one_run_and_more_join_it(place):
    kept, dumps = KeptWeeks(place / "weeks"), {}
    for number in range(1, 20):
        week = f"2026-W{number:02d}"
        dumps[week] = {(number % len(IDS), 20_000 + number % 7): number}
        add(kept, place, week, dumps[week])
        work = place / "merged"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        compaction.merge_loose(kept, work)
    # Weeks 1 to 8 at the eighth, 9 to 16 with them at the sixteenth, and three lie loose.
    assert [len(run.weeks) for run in kept.known().runs] == [16, 1, 1, 1]
    for before in ("2026-W05", "2026-W09", "2026-W18", None):
        same(kept, dumps, before)
    ledgers = json.loads((kept.known().runs[0].folder / "ledger.json").read_text())
    assert sorted(ledgers) == sorted(dumps)[:16]


def test_a_manifest_that_cannot_be_read_is_refused_with_what_to_do(place):
    kept = KeptWeeks(place / "weeks")
    add(kept, place, "2026-W01", {(0, 20_000): 1})
    for broken in ("{", "[]", '{"format": 99, "runs": []}'):
        (place / "weeks" / "manifest.json").write_text(broken)
        with pytest.raises(kept_weeks.DumpError, match="restore it"):
            kept.known()


def test_what_a_kill_left_is_swept(place):
    kept = KeptWeeks(place / "weeks")
    add(kept, place, "2026-W01", {(0, 20_000): 1})
    (kept.root / "2026-W02.abc").mkdir()
    (kept.root / f"{disk.TEMPORARY}manifest.json").write_text("")
    kept.sweep()
    assert len(list(kept.root.iterdir())) == 2
