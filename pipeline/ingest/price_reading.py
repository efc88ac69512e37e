"""A price history read by the block where its lines are plainly in order, and by the general reader where they are not.

The same rows, accounts and set-aside lines as `FileReading.tables()` gives, without making a text of any cell: a line that `price_lines`
takes is one that the general reader would take too, and every other line is handed to the general reader itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipeline.ingest.block_reading import BlockRules, Part, read_block
from pipeline.ingest.containers.blocks import Block, BlockReader
from pipeline.ingest.lines.price_lines import Layout
from pipeline.ingest.prefetch import prefetch
from pipeline.ingest.reading import FileReading, SkippedReading
from pipeline.ingest.rows.plain_prices import MarketPrices, PriceScanner

_KINDS = {"product_id": "id", "date": "date", "price": "money", "currency": "currency", "marketplace": "marketplace"}
# Of a block with more lines than this share that are not plain, all lines take the general way.
_ODD_SHARE = 1 / 8
_AT_ONCE = 2  # blocks that are scanned at a time: numpy releases the interpreter's lock


def plain_layout(reading: FileReading) -> Layout | None:
    """Where a price history's cells stand, when all that its source says of them is what `price_lines` knows; else None."""
    source, match, header, whole = reading.source, reading.match, reading.header, reading.rules
    rules = {name: source.columns[name] for name in match.columns}
    if source.table != "price_history" or any(_KINDS.get(name) != rule.kind for name, rule in rules.items()):
        return None
    if not {"product_id", "date", "price", "currency"} <= set(rules) or any(len(places) != 1 for places in match.columns.values()):
        return None
    price, date, product = rules["price"], rules["date"], rules["product_id"]
    special = [
        source.non_records, source.non_products, source.personal_headers, source.file.missing, source.file.missing_text,
        any(rule.missing or rule.misfit != "set_aside" for rule in rules.values()), product.upper, date.formats != ("iso",),
        price.hundredths or price.round or price.range or price.zero != "refuse" or price.filled or price.unit,
        source.currency_from != "row", whole.converter.form.decimal != ".", header.separator != ",", header.encoding != "utf-8",
        header.records, header.opening.is_cr, match.currencies, whole.form.constants,
    ]  # fmt: skip
    if any(special):
        return None
    place = {name: places[0] for name, places in match.columns.items()}
    words = (place["currency"], *([place["marketplace"]] if "marketplace" in place else []))
    return Layout(whole.grammar.width, place["product_id"], place["date"], place["price"], words, empty_price=True)


def price_parts(reading: FileReading | SkippedReading) -> Iterator[MarketPrices | tuple[str, pa.Table]]:
    """All rows of a file: by the block where it is a price history of plain lines, else as `chunks()` gives them; raises as that does."""
    layout = plain_layout(reading) if isinstance(reading, FileReading) else None
    if layout is None or not isinstance(reading, FileReading):
        return reading.chunks()
    return plain_price_parts(reading, layout)


def plain_price_parts(reading: FileReading, layout: Layout) -> Iterator[MarketPrices | tuple[str, pa.Table]]:
    """Prices as arrays; and chunks of `price_history` and `set_aside` as tables for the lines that are not plain.

    Reads the file once; after that the reading's report is whole.

    Raises
    ------
    DumpError
        As `FileReading.chunks()`.
    """
    rules, report = reading.rules, reading.report
    reading.refuse_cut_off()
    reader = reading.reader()
    if not isinstance(reader, BlockReader):
        raise AssertionError(f"{reading.file.name}: no lines of text")
    scanner = PriceScanner(layout, rules.converter.market_codes, rules.converter.constants)
    rest: Block | None = None
    report.lines = reading.header.before_records
    for (raw, offset, is_open), found in prefetch(lambda piece: scanner.scan(piece[0]), reader.pieces(), max(reading.threads, _AT_ONCE)):
        scanned, first = found(), report.lines + 1
        report.lines += scanned.lines
        report.size = reader.size
        odd = scanned.lines - len(scanned.taken)
        if rest is None and not odd and not is_open:
            report.rows += scanned.lines
            yield from scanned.prices
            continue
        block = reader.block(raw, offset, first, is_open)
        if rest is not None or is_open or odd > _ODD_SHARE * scanned.lines or scanned.taken[-1] != scanned.lines - 1:
            # A record may begin in the block before, or go on in the next one.
            part = read_block(rules, rest.before(block) if rest else block)
            rest = part.rest
        else:
            report.rows += len(scanned.taken)
            yield from scanned.prices
            part = _read_odd_lines(rules, block, scanned.taken)
        report.add(part.counts)
        yield from part.tables
    if rest:
        part = read_block(rules, rest, True)
        report.add(part.counts)
        yield from part.tables
    reading.finish(reader)


def _read_odd_lines(rules: BlockRules, block: Block, taken: np.ndarray) -> Part:
    """The other lines by the general way, each stretch of them with the plain line behind it.

    A record over several lines never holds a whole plain line and still fits, so that this one ends it where it would end in the
    file. What comes of it a second time is left out again.
    """
    is_plain = np.zeros(block.ends.size, bool)
    is_plain[taken] = True
    odd = np.flatnonzero(~is_plain)
    guards = np.unique(odd + 1)
    guards = guards[is_plain[guards]]
    chosen = np.sort(np.concatenate([odd, guards]))
    begins = np.concatenate([[0], block.ends[:-1] + 1])
    data = b"".join(block.data[begins[line] : block.ends[line] + 1] for line in chosen.tolist())
    broken = None if block.broken is None else block.broken[chosen]
    ends = np.cumsum(block.ends[chosen] + 1 - begins[chosen]) - 1
    part = read_block(rules, Block(data, 0, block.starts[chosen], ends, broken, False), True)
    if part.rest is not None:
        raise AssertionError(f"{rules.form.file}: lines were held back at the end of a part")
    numbers = chosen + block.first_line
    tables = []
    for name, rows in part.tables:
        line = np.asarray(rows["line"])
        table = rows.set_column(rows.schema.get_field_index("line"), rows.schema.field("line"), pa.array(numbers[line]))
        if name != "set_aside":
            again = is_plain[chosen[line]]
            part.counts.rows -= int(again.sum())
            table = table.filter(pa.array(~again))
        tables.append((name, table))
    return Part(tables, part.counts, None)
