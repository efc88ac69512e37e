"""The line contract of the price-history job: which lines of a CSV hold a price, and why the others do not.

A line is what ends with LF (one CR before it does not count). It must be a record of cells, each in quotes or without any, with as many
cells as the header; the id of 1 to 32 plain ASCII signs; the day real and of 2000 to 2099; the price above 0, of up to seven digits and
up to two decimals. What `price_lines` does not take is looked at here, line by line.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.history_columns import texts
from pipeline.ingest.lines.price_lines import Buffer, Layout, take_lines
from pipeline.store.price_spills import by_bucket
from pipeline.tables import keys
from pipeline.tables.price_rows import PriceRows

BLOCK_BYTES = 16 << 20
_LOOK_BACK = 65_536  # bytes before a cut in which a line end is looked for at first
_FIELD = rb'(?:"[^"]*"|[^",]*)'
_RECORD = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*")
CELL = re.compile(rb'(?:^|(?<=,))(?:"([^"]*)"|([^",]*))')
_ID = re.compile(rb"[\x21\x23-\x2B\x2D-\x7E]{1,32}")
_DATE = re.compile(rb"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_PRICE = re.compile(rb"([0-9]{1,7})(?:\.([0-9]{1,2}))?")

SetAside = tuple[int, str, str]  # line (from 0 in its block), reason, text


def parse_line(line: bytes, layout: Layout) -> tuple[str, int, int] | str:
    """One line, plainly: (id, day, cents), or the reason why it does not fit, tested in the order of the contract."""
    line = line.removesuffix(b"\r")
    if not _RECORD.fullmatch(line):
        return "quote"
    cells = [quoted or plain for quoted, plain in CELL.findall(line)]
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


@dataclass(frozen=True)
class Block:
    """One block of the file as read: its rows sorted by bucket, the lines set aside by their number in the block."""

    rows: PriceRows
    counts: np.ndarray
    lines: int
    aside: list[SetAside]
    wide: dict[int, str]


def read_layout(header: bytes) -> Layout:
    """Where the three columns stand; names may be quoted, a byte order mark may stand before them."""
    names = [name.strip(b'"').decode() for name in header.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n").split(b",")]
    places = {name: place for place, name in enumerate(names)}
    if not {"asin", "date", "price"} <= places.keys():
        raise SystemExit(f"the header holds {', '.join(names)}; wanted asin, date, price")
    return Layout(len(names), places["asin"], places["date"], places["price"])


def cuts(path: Path, begin: int, workers: int = 1) -> list[int]:
    """Where the blocks of a file begin that starts with a header of `begin` bytes, and its end: behind a line end each.

    As many blocks of about one size as give every worker the same work.
    """
    size, found = path.stat().st_size, [begin]
    turns = -(-size // (BLOCK_BYTES * workers))
    # A block ends with the last line end before its bound: what falls short must not add up to one more block.
    block_bytes = min(BLOCK_BYTES, -(-size // (turns * workers)) + _LOOK_BACK) if size > BLOCK_BYTES else BLOCK_BYTES
    with path.open("rb", buffering=0) as stream:
        while size - found[-1] > block_bytes:
            stop = found[-1] + block_bytes
            for first in (stop - _LOOK_BACK, found[-1]):
                place = os.pread(stream.fileno(), stop - first, first).rfind(b"\n")
                if place >= 0:
                    break
            else:
                raise SystemExit(f"{path}: a line of more than {block_bytes >> 20} MB")
            found.append(first + place + 1)
    return [*found, size] if size > found[-1] else found


def read_blocks(path: Path, bounds: Sequence[tuple[int, int]], layout: Layout, buckets: int) -> Iterator[Block]:
    """Blocks of a file, one after the other, in one buffer."""
    buffer = Buffer(BLOCK_BYTES + 1)
    with path.open("rb", buffering=0) as stream:
        for begin, end in bounds:
            size = end - begin
            if os.preadv(stream.fileno(), [buffer.text[:size].data], begin) != size:
                raise SystemExit(f"{path}: shorter than it was")
            if buffer.text[size - 1] != 10:  # the file's last line without its end
                buffer.text[size] = 10
                size += 1
            yield read_block(buffer, size, layout, buckets)


def read_block(buffer: Buffer, size: int, layout: Layout, buckets: int) -> Block:
    """Parse one block and sort its rows by bucket."""
    parts: list[PriceRows] = []
    aside: list[SetAside] = []
    wide: dict[int, str] = {}
    begin = lines = 0
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


def _odd_lines(text: np.ndarray, taken: np.ndarray, lines: int, layout: Layout) -> tuple[list[SetAside], list[tuple[int, str, int, int]]]:
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
    key, long_ids = keys.pack_texts(texts([name for _, name, _, _ in more]))
    wide.update(long_ids)
    late = PriceRows(key, np.array([day for *_, day, _ in more], np.int32), np.array([cents for *_, cents in more], np.int32))
    order = np.argsort(np.concatenate([line, [entry[0] for entry in more]]), kind="stable")
    return PriceRows.of([rows, late]).take(order)
