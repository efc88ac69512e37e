"""Which marketplace and which currency a row belongs to, and money in that currency's minor units."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.ingest.cells.money import NAMES, SIGNS
from pipeline.ingest.sources.context import ReadContext


class MarketCodes:
    """Codes for a plan's marketplaces and currencies, and the rules that derive one from the other."""

    def __init__(self, context: ReadContext) -> None:
        self.currencies = list(context.currencies)
        self.markets = list(context.marketplaces)
        self.digits = np.array([*context.currencies.values(), 2], np.int64)
        self._aliases = {name.casefold(): code for name, code in context.aliases.items()}
        self._currency = {code: place for place, code in enumerate(self.currencies)}
        self._market = {code: place for place, code in enumerate(self.markets)}
        of = [self._currency.get(currency, -1) for currency in context.marketplaces.values()]
        self.currency_of = np.array([*of, -1], np.int32)
        self.only_market_of = np.array([*(of.index(c) if of.count(c) == 1 else -1 for c in range(len(self.currencies))), -1])
        self.default = self._market.get(context.default_marketplace, -1)
        # For each name in `NAMES`: its one currency (or -1), and all currencies that it may mean.
        self.exact = np.array([*(self._exact(name) for name in NAMES), -1], np.int32)
        allowed = [[code in SIGNS[name] for code in self.currencies] + [False] for name in NAMES]
        self.allowed = np.array([*allowed, [True] * (len(self.currencies) + 1)], bool)

    def _exact(self, name: str) -> int:
        codes = SIGNS[name]
        return self._currency.get(next(iter(codes)), -1) if len(codes) == 1 else -1

    def market(self, name: str) -> int:
        """Code of a marketplace by any of its names; -1 for one that the plan does not know."""
        code = name.strip()
        return self._market.get(code.upper(), self._market.get(self._aliases.get(code.casefold(), ""), -1))

    def currency(self, name: str) -> int:
        """Code of a currency; -1 for one that the plan does not know."""
        return self._currency.get(name.strip().upper(), -1)

    def settle(self, market: np.ndarray, currency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fill what a row does not state (-1): the only marketplace of its currency, else the plan's default; then its currency."""
        market = np.where(market >= 0, market, self.only_market_of[currency])
        market = np.where(market >= 0, market, self.default)
        return market, np.where(currency >= 0, currency, self.currency_of[market])

    def market_names(self, codes: np.ndarray) -> pa.DictionaryArray:
        """Codes to coded text; -1 is null."""
        return _names(self.markets, codes)

    def currency_names(self, codes: np.ndarray) -> pa.DictionaryArray:
        """Codes to coded text; -1 is null."""
        return _names(self.currencies, codes)


def _names(names: list[str], codes: np.ndarray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=codes < 0), pa.array(names, pa.string()))
