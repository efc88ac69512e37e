"""A price history read by the block where its lines are plainly in order, and by the general reader where they are not.

The same rows, accounts and set-aside lines as `FileReading.tables()` gives, without making a text of any cell: a line that `price_lines`
takes is one that the general reader would take too, and every other line is handed to the general reader itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.ingest.containers.blocks import Block, BlockReader
from pipeline.ingest.lines.price_lines import Buffer, Layout, take_lines
from pipeline.ingest.passed_over import SkippedReading
from pipeline.ingest.prefetch import prefetch
from pipeline.ingest.reading import FileReading, Part
from pipeline.tables.price_rows import PriceRows

_KINDS = {"product_id": "id", "date": "date", "price": "money", "currency": "currency", "marketplace": "marketplace"}
# Of a block with more lines than this share that are not plain, all lines take the general way.
_ODD_SHARE = 1 / 8
_AT_ONCE = 2  # blocks that are looked at beside each other: numpy works without the interpreter's lock


@dataclass(frozen=True)
class MarketPrices:
    """Prices of one marketplace in the order of the file."""

    market: str
    currency: str
    rows: PriceRows


@dataclass(frozen=True)
class _Scanned:
    """How many lines a block has, and what was taken of it."""

    lines: int
    taken: np.ndarray
    found: list[MarketPrices]


def plain_layout(reading: FileReading) -> Layout | None:
    """Where a price history's cells stand, when all that its source says of them is what `price_lines` knows; else None."""
    source, match, header = reading.source, reading.match, reading.header
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
        source.currency_from != "row", reading.converter.form.decimal != ".", header.separator != ",", header.encoding != "utf-8",
        header.records, header.opening.is_cr, match.currencies, reading.constants,
    ]  # fmt: skip
    if any(special):
        return None
    place = {name: places[0] for name, places in match.columns.items()}
    words = (place["currency"], *([place["marketplace"]] if "marketplace" in place else []))
    return Layout(reading.grammar.width, place["product_id"], place["date"], place["price"], words, empty_price=True)


def price_parts(reading: FileReading | SkippedReading) -> Iterator[MarketPrices | tuple[str, pa.Table]]:
    """All that a file holds: by the block where it is a price history of plain lines, else as `chunks()` gives it."""
    layout = plain_layout(reading) if isinstance(reading, FileReading) else None
    if layout is None or not isinstance(reading, FileReading):
        return reading.chunks()
    return PriceReading(reading, layout).parts()


class PriceReading:
    """Reads a price history whose `plain_layout` is known, once; after that the reading's report is whole."""

    def __init__(self, reading: FileReading, layout: Layout) -> None:
        self.reading, self.layout = reading, layout
        self._places: dict[tuple[int, ...], tuple[int, int, int] | None] = {}

    def parts(self) -> Iterator[MarketPrices | tuple[str, pa.Table]]:
        """Prices as arrays, and chunks of `price_history` and `set_aside` as tables for lines that are not plain.

        Raises
        ------
        DumpError
            As `FileReading.tables()`.
        """
        reading, report = self.reading, self.reading.report
        if not reading.header.is_whole and reading.source.file.final_line_end == "required":
            raise reading.cut_off()
        reader = reading.reader()
        if not isinstance(reader, BlockReader):
            raise AssertionError(f"{reading.file.name}: no lines of text")
        rest: Block | None = None
        report.lines = reading.header.before_records
        for (raw, offset, is_open), found in prefetch(self._look, reader.pieces(), max(reading.threads, _AT_ONCE)):
            looked, first = found(), report.lines + 1
            report.lines += looked.lines
            report.size = reader.size
            odd = looked.lines - len(looked.taken)
            if rest is None and not odd and not is_open:
                report.rows += looked.lines
                yield from looked.found
                continue
            block = reader.block(raw, offset, first, is_open)
            if rest is not None or is_open or odd > _ODD_SHARE * looked.lines or looked.taken[-1] != looked.lines - 1:
                # A record may begin in the block before, or go on in the next one.
                part = reading.read_block(rest.before(block) if rest else block)
                rest = part.rest
            else:
                report.rows += len(looked.taken)
                yield from looked.found
                part = self._odd_lines(block, looked.taken)
            report.add(part.counts)
            yield from part.tables
        if rest:
            part = reading.read_block(rest, True)
            report.add(part.counts)
            yield from part.tables
        reading.finish(reader)

    def _look(self, piece: tuple[bytes, int, bool]) -> _Scanned:
        """Take what is plain of a block; of each marketplace and currency the rows, in cents of that currency."""
        raw = piece[0]
        lines, taken, found = 0, [np.zeros(0, np.int64)], list[MarketPrices]()
        for some in take_lines(Buffer.of(raw), 0, len(raw), self.layout):
            line, rows = some.line, some.rows
            for market, currency, digits, named in self._markets(some.words, len(line)):
                # Where the currency has no decimals, `1299.50` is left to the general reader.
                here = named if digits else np.arange(len(line))[named][rows.cents[named] % 100 == 0]
                reported = rows.take(here)
                cents = reported.cents if digits else reported.cents // 100
                found.append(MarketPrices(market, currency, PriceRows(reported.key, reported.day, cents)))
                taken.append(line[here] + lines)
            lines += some.lines
        every = np.concatenate(taken)
        return _Scanned(lines, every if len(taken) <= 2 else np.sort(every), found)

    def _markets(self, words: tuple[np.ndarray, ...], rows: int) -> Iterator[tuple[str, str, int, np.ndarray | slice]]:
        """(marketplace, currency, minor digits, rows) for each pair that the cells name and the plan knows; all rows are a slice."""
        if not rows:
            return
        code = words[0].astype(np.uint64) if len(words) == 1 else words[0].astype(np.uint64) << np.uint64(32) | words[1]
        distinct = code[:1] if (code == code[0]).all() else np.unique(code)
        for pair in distinct.tolist():
            named = self._place(pair) if len(words) == 1 else self._place(pair >> 32, pair & 0xFFFFFFFF)
            if named is not None:
                market, currency, digits = named
                places = self.reading.converter.places
                here = slice(None) if len(distinct) == 1 else np.flatnonzero(code == pair)
                yield places.markets[market], places.currencies[currency], digits, here

    def _place(self, currency_word: int, market_word: int = 0) -> tuple[int, int, int] | None:
        """Marketplace, currency and its digits as `Converter` finds them, None where a row with these words is not plain."""
        words = (currency_word, market_word)
        if words not in self._places:
            places = self.reading.converter.places
            texts = [word.to_bytes(4, "little").rstrip(b"\0").decode("latin-1") for word in words]
            currency = places.currency(texts[0])
            market = places.market(texts[1]) if texts[1] else -1
            fallback = self.reading.converter.constants.get("marketplace")
            if market < 0 and fallback is not None:
                market = places.market(fallback)
            known = currency >= 0 and (market >= 0 or not texts[1])
            settled = places.settle(np.array([market]), np.array([currency])) if known else None
            self._places[words] = None
            if settled is not None:
                market = int(settled[0][0])
                digits = int(places.digits[currency])
                if market >= 0 and places.currency_of[market] == currency and digits in (0, 2):
                    self._places[words] = (market, currency, digits)
        return self._places[words]

    def _odd_lines(self, block: Block, taken: np.ndarray) -> Part:
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
        part = self.reading.read_block(Block(data, 0, block.starts[chosen], ends, broken, False), True)
        if part.rest is not None:
            raise AssertionError(f"{self.reading.file.name}: lines were held back at the end of a part")
        numbers = chosen + block.first_line
        reported = []
        for name, rows in part.tables:
            line = np.asarray(rows["line"])
            table = rows.set_column(rows.schema.get_field_index("line"), rows.schema.field("line"), pa.array(numbers[line]))
            if name != "set_aside":
                again = is_plain[chosen[line]]
                part.counts.rows -= int(again.sum())
                table = table.filter(pa.array(~again))
            reported.append((name, table))
        return Part(reported, part.counts, None)
