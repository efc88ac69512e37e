"""The plain lines of a price history as arrays, by marketplace, without making a text of any cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.ingest.lines.price_lines import Buffer, Layout, take_lines
from pipeline.ingest.rows.markets import MarketCodes
from pipeline.tables.price_rows import PriceRows


@dataclass(frozen=True)
class MarketPrices:
    """Prices of one marketplace in the order of the file."""

    market: str
    currency: str
    rows: PriceRows


@dataclass(frozen=True)
class ScannedPrices:
    """The plain lines of a block: how many lines it has, which of them are taken (int64, from 0, ascending), and their prices."""

    lines: int
    taken: np.ndarray
    prices: list[MarketPrices]


class PriceScanner:
    """Reads the plain lines of a file's blocks; `markets` and `constants` are those of the file's converter."""

    def __init__(self, layout: Layout, markets: MarketCodes, constants: Mapping[str, str]) -> None:
        self._layout, self._markets = layout, markets
        self._default_market = markets.market(constants["marketplace"]) if "marketplace" in constants else -1
        self._known: dict[tuple[int, ...], tuple[int, int, int] | None] = {}

    def scan(self, raw: bytes) -> ScannedPrices:
        """Take the plain lines of a block of whole lines; prices are in cents of their currency."""
        lines, taken, prices = 0, [np.zeros(0, np.int64)], list[MarketPrices]()
        for piece in take_lines(Buffer.of(raw), 0, len(raw), self._layout):
            line, rows = piece.line, piece.rows
            for market, currency, digits, named in self._pairs(piece.words, len(line)):
                # Where the currency has no decimals, `1299.50` is left to the general reader.
                here = named if digits else np.arange(len(line))[named][rows.cents[named] % 100 == 0]
                some = rows.take(here)
                cents = some.cents if digits else some.cents // 100
                prices.append(MarketPrices(market, currency, PriceRows(some.key, some.day, cents)))
                taken.append(line[here] + lines)
            lines += piece.lines
        every = np.concatenate(taken)
        return ScannedPrices(lines, every if len(taken) <= 2 else np.sort(every), prices)

    def _pairs(self, words: tuple[np.ndarray, ...], rows: int) -> Iterator[tuple[str, str, int, np.ndarray | slice]]:
        """(marketplace, currency, minor digits, rows) for each pair that the cells name and the plan knows; all rows are a slice."""
        if not rows:
            return
        code = words[0].astype(np.uint64) if len(words) == 1 else words[0].astype(np.uint64) << np.uint64(32) | words[1]
        distinct = code[:1] if (code == code[0]).all() else np.unique(code)
        for pair in distinct.tolist():
            found = self._pair(pair) if len(words) == 1 else self._pair(pair >> 32, pair & 0xFFFFFFFF)
            if found is not None:
                market, currency, digits = found
                here = slice(None) if len(distinct) == 1 else np.flatnonzero(code == pair)
                yield self._markets.markets[market], self._markets.currencies[currency], digits, here

    def _pair(self, currency_word: int, market_word: int = 0) -> tuple[int, int, int] | None:
        """Marketplace, currency and its digits as `Converter` finds them, None where a row with these words is not plain."""
        words = (currency_word, market_word)
        if words not in self._known:
            self._known[words] = self._find(*(word.to_bytes(4, "little").rstrip(b"\0").decode("latin-1") for word in words))
        return self._known[words]

    def _find(self, currency_text: str, market_text: str) -> tuple[int, int, int] | None:
        currency = self._markets.currency(currency_text)
        market = self._markets.market(market_text) if market_text else -1
        if currency < 0 or (market < 0 and market_text):
            return None
        market = market if market >= 0 else self._default_market
        market = int(self._markets.settle(np.array([market]), np.array([currency]))[0][0])
        digits = int(self._markets.digits[currency])
        is_plain = market >= 0 and self._markets.currency_of[market] == currency and digits in (0, 2)
        return (market, currency, digits) if is_plain else None
