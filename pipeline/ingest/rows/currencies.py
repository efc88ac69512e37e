"""The marketplace and currency of each row, and its money in that currency's minor units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import DumpError
from pipeline.ingest.cells.clean import Cells
from pipeline.ingest.cells.money import NAMES, minor_units
from pipeline.ingest.rows.cell_faults import CellFaults
from pipeline.ingest.rows.chunk import Chunk, Fault
from pipeline.ingest.rows.markets import MarketCodes
from pipeline.ingest.rows.parsers import WANTED
from pipeline.tables.schemas import DUMP_TABLES, MOST_CENTS

# Tables whose rows without a marketplace serve every marketplace of their product.
_ANY_MARKET = frozenset({"offers", "matches"})


@dataclass(frozen=True)
class MoneyCells:
    """Amounts, the currency that each cell names (-1: none; None: not one of them names any), and where there is none."""

    amounts: np.ndarray
    named: np.ndarray | None
    null: np.ndarray


class Currencies:
    """Settles the marketplace and the currency of every row, from its cells, the header, the source, the path and the plan."""

    def __init__(self, faults: CellFaults, market_codes: MarketCodes, file: str, constants: Mapping[str, str]) -> None:
        self.faults, self.market_codes, self.file, self.constants = faults, market_codes, file, constants
        self.match, self.source, self.targets = faults.match, faults.source, faults.targets
        names = {column.name for column in DUMP_TABLES[self.source.table]}
        self.has_market, self.has_currency = "marketplace" in names, "currency" in names
        self.is_keyed = self.source.table not in _ANY_MARKET and self.has_market
        # The currency that the whole file names, for the cells that name none; found before the first chunk.
        self.file_currency = -1
        self._refuse_unknown()

    def _refuse_unknown(self) -> None:
        stated = [self.constants["currency"]] if "currency" in self.constants else []
        for code in [*stated, *self.match.header_currencies()]:
            if self.market_codes.currency(code) < 0:
                raise DumpError(f"{self.file}: currency '{code}' is not in the plan; declare it there or send another file")
        if "marketplace" in self.constants and self.market_codes.market(self.constants["marketplace"]) < 0:
            raise DumpError(f"{self.file}: marketplace '{self.constants['marketplace']}' is not in the plan; declare it there")
        named = self.match.header_currencies() or stated or "currency" in self.match.columns or self.source.currency_from == "marketplace"
        has_money = any(rule.kind in {"money", "cost"} for rule in self.source.columns.values())
        if self.has_currency and has_money and not named:
            raise DumpError(f"{self.file}: no column says the currency; declare `currency` for {self.source.name} in the plan")

    def settle(self, cells: Mapping[str, Cells], chunk: Chunk, money: Mapping[str, MoneyCells]) -> None:
        """Fill the columns of marketplace, currency and money; `cells` are the columns that name the first two."""
        market = self._market(cells, chunk)
        currency = self._currency(cells, chunk, money)
        has_money = np.zeros(chunk.rows, bool)
        for part in money.values():
            has_money |= ~part.null
        if self.has_currency and self.source.currency_from == "row":
            is_unstated = has_money & (currency < 0)
            chunk.fail(is_unstated, Fault(self.faults.header("currency"), "currency", "the currency of the row's money"))
        if self.is_keyed:
            market, currency = self.market_codes.settle(market, currency)
            apart = currency != self.market_codes.currency_of[market]
            header = self.faults.header("currency") or self._first(money)
            chunk.fail(apart, Fault(header, "currency", "a price in the marketplace's own currency"))
        for name, part in money.items():
            self._minor(name, part, currency, chunk)
        chunk.columns["marketplace"] = self.market_codes.market_names(market)
        if self.has_currency:
            chunk.columns["currency"] = self.market_codes.currency_names(currency)

    def _first(self, money: Mapping[str, MoneyCells]) -> str:
        return self.faults.header(next(iter(money), ""))

    def _codes_of(self, name: str, cells: Cells | None, chunk: Chunk) -> np.ndarray | None:
        if cells is None:
            return None
        look = self.market_codes.market if name == "marketplace" else self.market_codes.currency
        rule = self.source.columns[name]
        spelt = {spelling: code for code, spellings in rule.choices.items() for spelling in spellings}
        texts = [spelt.get(text, text) for text in cells.values.to_pylist()]
        codes = np.array([-1 if text is None else look(text) for text in texts], np.int32)
        unknown = np.array([text is not None for text in texts], bool) & (codes < 0)
        if unknown.any():
            kind = "currency" if name == "currency" else "value"
            chunk.fail(cells.spread_mask(unknown), Fault(self.faults.header(name), kind, WANTED[name]))
        return cells.spread_mask(codes)

    def _market(self, cells: Mapping[str, Cells], chunk: Chunk) -> np.ndarray:
        fallback = self.market_codes.market(self.constants["marketplace"]) if "marketplace" in self.constants else -1
        codes = self._codes_of("marketplace", cells.get("marketplace"), chunk)
        return np.full(chunk.rows, fallback, np.int32) if codes is None else np.where(codes >= 0, codes, fallback)

    def _currency(self, cells: Mapping[str, Cells], chunk: Chunk, money: Mapping[str, MoneyCells]) -> np.ndarray:
        stated = self.match.header_currencies() or [self.constants.get("currency", "")]
        fallback = self.market_codes.currency(stated[0]) if stated[0] else -1
        codes = self._codes_of("currency", cells.get("currency"), chunk) if self.has_currency else None
        currency = np.full(chunk.rows, -1, np.int32) if codes is None else codes
        for part in money.values():
            if part.named is not None:
                exact = np.where(part.null, -1, self.market_codes.exact[part.named])
                currency = np.where(currency >= 0, currency, exact)
        currency = np.where(currency >= 0, currency, fallback)
        return np.where(currency >= 0, currency, self.file_currency)

    def _minor(self, name: str, part: MoneyCells, currency: np.ndarray, chunk: Chunk) -> None:
        rule, header = self.source.columns[name], self.faults.header(name)
        stated = NAMES.index(self.match.currencies[name]) if name in self.match.currencies else -1
        if part.named is not None or stated >= 0:
            named = np.full(chunk.rows, stated) if part.named is None else np.where(part.named >= 0, part.named, stated)
            apart = ~part.null & (named >= 0) & ~self.market_codes.allowed[named, currency]
            chunk.fail(apart, Fault(header, "currency", "money in the currency of its row"))
        if rule.kind == "cost":
            amounts, null = part.amounts, part.null
        else:
            digits = np.array(2 if rule.hundredths else 0) if rule.hundredths or rule.minor else self.market_codes.digits[currency]
            amounts, exact = minor_units(part.amounts, digits, rule.round)
            wrong = ~exact & ~part.null
            null = part.null
            if wrong.any():
                self.faults.note(name, wrong, chunk) if rule.misfit == "set_aside" else None
                null = null | wrong
            if rule.total_of:
                amounts, null = self._each(amounts, null, chunk.columns.get(rule.total_of))
            if rule.zero == "refuse":
                chunk.fail(~null & (amounts <= 0), Fault(header, "value", self.faults.wanted(rule)))
            if self.source.table == "price_history":
                chunk.fail(~null & (amounts > MOST_CENTS), Fault(header, "value", f"a price of at most {MOST_CENTS:,} minor units"))
        chunk.columns[self.targets[name]] = pa.array(amounts, pa.int64(), mask=null)

    @staticmethod
    def _each(totals: np.ndarray, null: np.ndarray, counts: pa.Array | None) -> tuple[np.ndarray, np.ndarray]:
        """The price of one out of a line's total, rounded half up to the minor unit; none where there is no count."""
        if counts is None:
            return totals, null
        number = np.abs(pc.fill_null(counts, 0).to_numpy())
        return (2 * totals + number) // np.maximum(2 * number, 1), null | (number == 0)
