"""Price-history CSV to features of every product: the job by which this program and other engines are compared.

    python -m benchmarks.history CSV OUT.parquet --as-of 2026-11-20

CSV has the columns asin, date, price (others are not looked at); a line that breaks the contract below is set aside with its number and
reason in OUT.set_aside.parquet. Lines, spills, order and features are the product's own code; what is here is the job's line contract.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import re
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import keys
from pipeline.ingest.price_lines import Buffer, Layout, take_lines
from pipeline.price_rows import PriceRows, last_told_together
from pipeline.stages.price_steps import price_features, steps_of
from pipeline.store_tables import PriceSpill, SpillFile, by_bucket

BLOCK_BYTES = 16 << 20
BUCKET_BYTES = 4 << 20  # of CSV: a bucket's columns of numbers stay small
MOST_BUCKETS = 256
WORKERS = 2
_FIELD = rb'(?:"[^"]*"|[^",]*)'
_RECORD = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*")
_CELL = re.compile(rb'(?:^|(?<=,))(?:"([^"]*)"|([^",]*))')
_ID = re.compile(rb"[\x21\x23-\x2B\x2D-\x7E]{1,32}")
_DATE = re.compile(rb"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_PRICE = re.compile(rb"([0-9]{1,7})(?:\.([0-9]{1,2}))?")


def parse_line(line: bytes, layout: Layout) -> tuple[str, int, int] | str:
    """One line, plainly: (id, day, cents), or the reason why it does not fit, tested in the order of the contract."""
    line = line.removesuffix(b"\r")
    if not _RECORD.fullmatch(line):
        return "quote"
    cells = [quoted or plain for quoted, plain in _CELL.findall(line)]
    if len(cells) != layout.width:
        return "width"
    product, date, price = cells[layout.product], cells[layout.date], cells[layout.price]
    if not _ID.fullmatch(product):
        return "id"
    if not _DATE.fullmatch(date):
        return "date"
    try:
        day = dt.date.fromisoformat(date.decode()).toordinal() - dt.date(1970, 1, 1).toordinal()
    except ValueError:
        return "date"
    found = _PRICE.fullmatch(price)
    cents = int(found[1]) * 100 + int((found[2] or b"").ljust(2, b"0")) if found else 0
    return (product.decode(), day, cents) if cents > 0 else "price"


@dataclass
class Ledger:
    """What became of every line: `lines = 1 + accepted + set aside`."""

    lines: int = 1
    accepted: int = 0
    aside: list[tuple[int, str, str]] = field(default_factory=list)
    wide: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """One block of the file as read: its rows sorted by bucket, the lines set aside by their number in the block."""

    rows: PriceRows
    counts: np.ndarray
    lines: int
    aside: list[tuple[int, str, str]]
    wide: dict[int, str]


def read_layout(header: bytes) -> Layout:
    """Where the three columns stand; names may be quoted, a byte order mark may stand before them."""
    names = [name.strip(b'"').decode() for name in header.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n").split(b",")]
    places = {name: place for place, name in enumerate(names)}
    if not {"asin", "date", "price"} <= places.keys():
        raise SystemExit(f"the header holds {', '.join(names)}; wanted asin, date, price")
    return Layout(len(names), places["asin"], places["date"], places["price"])


def last_line_end(text: np.ndarray, size: int) -> int:
    """Where the last line end of some bytes stands, -1 where there is none."""
    for first in (max(0, size - 65_536), 0):
        found = text[first:size].tobytes().rfind(b"\n")
        if found >= 0:
            return first + found
    return -1


def blocks(path: Path, skip: int) -> Iterator[tuple[Buffer, int]]:
    """The file's lines after the header in buffers that end with a line end, and how many bytes of each count."""
    rest, size = b"", 0
    # As many as are in work, one that is being filled, and one to spare: none is filled while somebody reads it.
    buffers = itertools.cycle([Buffer(BLOCK_BYTES + 1) for _ in range(WORKERS + 2)])
    with path.open("rb", buffering=0) as stream:
        stream.seek(skip)
        while True:
            buffer = next(buffers)
            text, size = buffer.text, len(rest)
            text[:size] = np.frombuffer(rest, np.uint8)
            view = memoryview(text)
            while size < BLOCK_BYTES and (got := stream.readinto(view[size:BLOCK_BYTES])):
                size += got
            is_last = size < BLOCK_BYTES
            if is_last and size and text[size - 1] != 10:
                text[size] = 10
                size += 1
            stop = last_line_end(text, size) + 1
            if not stop and not is_last:
                raise SystemExit(f"{path}: a line of more than {BLOCK_BYTES >> 20} MB")
            rest = text[stop:size].tobytes()
            if stop:
                yield buffer, stop
            if is_last:
                return


def read_block(buffer: Buffer, size: int, layout: Layout, buckets: int) -> Block:
    """Parse one block and sort its rows by bucket."""
    parts, aside, wide, lines = [], [], {}, 0
    begin = 0
    for piece in take_lines(buffer, 0, size, layout):
        rows = piece.rows
        if len(piece.line) < piece.lines:
            odd, more = _odd_lines(buffer.text[begin : begin + piece.size], piece.line, piece.lines, layout)
            aside += [(lines + line, reason, text) for line, reason, text in odd]
            if more:
                rows = _merged(piece.line, rows, more, wide)
        parts.append(rows)
        lines += piece.lines
        begin += piece.size
    rows, counts = by_bucket(PriceRows.of(parts), buckets)
    return Block(rows, counts, lines, aside, wide)


def _odd_lines(
    text: np.ndarray, taken: np.ndarray, lines: int, layout: Layout
) -> tuple[list[tuple[int, str, str]], list[tuple[int, str, int, int]]]:
    """Lines that were not taken, one by one: (line, reason, text) of those that do not fit, (line, id, day, cents) of the others."""
    ends = np.flatnonzero(text == 10)
    odd = np.ones(lines, bool)
    odd[taken] = False
    aside, more = [], []
    for line in np.flatnonzero(odd).tolist():
        raw = text[ends[line - 1] + 1 if line else 0 : ends[line]].tobytes()
        found = parse_line(raw, layout)
        if isinstance(found, str):
            aside.append((line, found, raw.decode("utf-8", errors="replace")))
        else:
            more.append((line, *found))
    return aside, more


def _merged(line: np.ndarray, rows: PriceRows, more: list[tuple[int, str, int, int]], wide: dict[int, str]) -> PriceRows:
    """Rows in the order of the file."""
    key, long_ids = keys.pack_texts(pa.array([name for _, name, _, _ in more], pa.string()))
    wide.update(long_ids)
    late = PriceRows(key, np.array([day for *_, day, _ in more], np.int32), np.array([cents for *_, cents in more], np.int32))
    order = np.argsort(np.concatenate([line, [entry[0] for entry in more]]), kind="stable")
    return PriceRows.of([rows, late]).take(order)


def spill(path: Path, spilled: Path, buckets: int) -> Ledger:
    """Read the whole file into a spill, a few blocks at a time beside each other."""
    with path.open("rb") as stream:
        header = stream.readline()
    layout, ledger = read_layout(header), Ledger()
    with PriceSpill(spilled, buckets, {}) as sink, ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[Block]] = deque()

        def take() -> None:
            block = waiting.popleft().result()
            sink.write_sorted(block.rows, block.counts)
            ledger.aside += [(ledger.lines + 1 + line, reason, text) for line, reason, text in block.aside]
            ledger.lines += block.lines
            ledger.accepted += len(block.rows)
            for key, name in block.wide.items():
                if ledger.wide.setdefault(key, name) != name:
                    raise AssertionError(f"two product ids share the key {key:x}")

        for buffer, size in blocks(path, len(header)):
            waiting.append(pool.submit(read_block, buffer, size, layout, buckets))
            if len(waiting) > WORKERS:
                take()
        while waiting:
            take()
    assert ledger.lines == 1 + ledger.accepted + len(ledger.aside), "a line was lost"
    return ledger


def features_of(rows: PriceRows, as_of: int) -> tuple[np.ndarray, pa.Table]:
    """Keys and features of the products of some rows."""
    steps = steps_of(last_told_together(rows), as_of)
    found = price_features(steps)

    def real(values: np.ndarray) -> pa.Array:
        return pa.array(values, mask=np.isnan(values))

    def whole(values: np.ndarray) -> pa.Array:
        return pa.array(values.astype(np.int32))

    has = ~found.has_quantiles
    quantiles = {f"q{5 * (k + 1):02d}": pa.array(found.quantiles[:, k].astype(np.int32), mask=has) for k in range(found.quantiles.shape[1])}
    return steps.key, pa.table(
        {
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


def run(csv: Path, out: Path, as_of: dt.date) -> dict[str, int]:
    """The whole job; what became of the lines, and how many products there are."""
    day = as_of.toordinal() - dt.date(1970, 1, 1).toordinal()
    buckets = min(MOST_BUCKETS, max(1, csv.stat().st_size // BUCKET_BYTES))
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        spilled = Path(folder) / "prices.arrow"
        ledger = spill(csv, spilled, buckets)

        def some(worker: int) -> list[tuple[np.ndarray, pa.Table]]:
            with SpillFile(spilled) as file:
                return [features_of(file.read(bucket), day) for bucket in range(worker, buckets, WORKERS)]

        with ThreadPoolExecutor(WORKERS) as pool:
            parts = [part for several in pool.map(some, range(WORKERS)) for part in several]
    names = keys.unpack(np.concatenate([key for key, _ in parts]), ledger.wide)
    table = pa.concat_tables([part for _, part in parts]).combine_chunks().add_column(0, "asin", names)
    pq.write_table(table.take(pc.sort_indices(names)), out, compression="zstd", compression_level=1)
    line, reason, text = zip(*ledger.aside, strict=True) if ledger.aside else ((), (), ())
    told = {"line": pa.array(line, pa.int64()), "reason": pa.array(reason, pa.string()), "text": pa.array(text, pa.string())}
    pq.write_table(pa.table(told), out.with_suffix(".set_aside.parquet"), compression="zstd")
    return {"lines": ledger.lines, "accepted": ledger.accepted, "set_aside": len(ledger.aside), "products": table.num_rows}


def main() -> None:
    """Arguments in, one JSON line out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--as-of", type=dt.date.fromisoformat, required=True)
    asked = parser.parse_args()
    sys.stdout.write(json.dumps(run(asked.csv, asked.out, asked.as_of)) + "\n")


if __name__ == "__main__":
    main()
