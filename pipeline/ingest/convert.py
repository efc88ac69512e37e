"""A chunk of text columns to one typed table, and what is wrong with the rows that do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import tables
from pipeline.errors import DumpError
from pipeline.ingest.cells import Cells, clean, column_cells, drop_missing, matches, trim
from pipeline.ingest.chunk import Chunk, Fault
from pipeline.ingest.files import path_values
from pipeline.ingest.history import WANTED as HISTORY_WANTED
from pipeline.ingest.history import on_day, path_day, read_steps, step_places
from pipeline.ingest.money import NAMES, minor_units, parse_money
from pipeline.ingest.numbers import NumberForm, is_plain_text
from pipeline.ingest.places import Places, ReadContext
from pipeline.ingest.recognise import Match
from pipeline.ingest.sources import TEXT_KINDS, ColumnRule, target
from pipeline.ingest.values import WANTED, parse
from pipeline.tables import MOST_CENTS

# Few distinct values in any file: each is read once.
_CODED = frozenset({"marketplace", "currency", "flag", "choice", "date", "timestamp", "range_low", "range_high"})
_NUMBERS = frozenset({"money", "cost", "count", "quantity", "real", "fraction", "weight_g", "length_mm"})
_DIGITS = frozenset("0123456789.")
# Text that may repeat from row to row; whether it does, the first rows of the file tell.
_MAY_REPEAT = frozenset({"text", "path"})
_REPEATS = 4  # rows for each distinct value, at least
# Without a marketplace such a row serves every marketplace of its product.
_ANY_MARKET = frozenset({"offers", "matches"})


@dataclass(frozen=True)
class _Money:
    """Amounts, the currency that each cell names (-1: none; None: not one of them names any), and where there is none."""

    amounts: np.ndarray
    named: np.ndarray | None
    null: np.ndarray


class Converter:
    """Reads the cells of one file's rows as its source says."""

    def __init__(self, match: Match, context: ReadContext, file: str, constants: Mapping[str, str]) -> None:
        self.match, self.source, self.places = match, match.source, Places(context)
        declared = context.declared.get(self.source.name, {})
        decimal = declared.get("decimal", self.source.file.decimal)
        if decimal not in {".", ","}:
            raise DumpError(f"{file}: decimal '{decimal}' is declared for {self.source.name}; wanted '.' or ','")
        self.form = NumberForm(decimal, self.source.file.grouping)
        self.file, self.constants = file, {**constants, **declared}
        self.targets = {name: str(target(self.source.table, name)) for name in self.source.columns}
        self.table = tables.DUMP_TABLES[self.source.table]
        names = {column.name for column in self.table}
        self.has_market, self.has_currency = "marketplace" in names, "currency" in names
        self.is_keyed = self.source.table not in _ANY_MARKET and self.has_market
        # The currency that the whole file names, for the cells that name none; found before the first chunk.
        self.file_currency = -1
        self.steps = step_places(match)
        self.day = self._path_day()
        # Fields of text that come out as distinct values and their places.
        self.coded = {name for name in match.columns if self.source.columns[name].kind == "choice"}
        self._refuse_currencies()

    def _path_day(self) -> date | None:
        rule = self.source.history
        if not rule or not rule.path:
            return None
        day = path_day(path_values({"day": rule.path}, self.file)["day"], rule.format)
        if day is None:
            raise DumpError(f"{self.file}: its path names no day of the form {rule.format}; rename its folder")
        return day

    def _refuse_currencies(self) -> None:
        stated = [self.constants["currency"]] if "currency" in self.constants else []
        for code in [*stated, *self.match.header_currencies()]:
            if self.places.currency(code) < 0:
                raise DumpError(f"{self.file}: currency '{code}' is not in the plan; declare it there or send another file")
        if "marketplace" in self.constants and self.places.market(self.constants["marketplace"]) < 0:
            raise DumpError(f"{self.file}: marketplace '{self.constants['marketplace']}' is not in the plan; declare it there")
        named = self.match.header_currencies() or stated or "currency" in self.match.columns or self.source.currency_from == "marketplace"
        has_money = any(rule.kind in {"money", "cost"} for rule in self.source.columns.values())
        if self.has_currency and has_money and not named:
            raise DumpError(f"{self.file}: no column says the currency; declare `currency` for {self.source.name} in the plan")

    def types(self) -> dict[int, pa.DataType]:
        """Which header positions are read, and how: as distinct values and their places, or as text."""
        types: dict[int, pa.DataType] = {}
        for name, places in self.match.columns.items():
            is_coded = len(places) == 1 and (self.source.columns[name].kind in _CODED or name in self.coded)
            for place in places:
                types.setdefault(place, tables.CODED if is_coded else tables.TEXT)
        return types | {place: tables.TEXT for place, _ in self.steps}

    def learn(self, table: pa.Table) -> None:
        """See in a file's first rows which fields of text repeat; that makes the rest quicker, never different."""
        for name, places in self.match.columns.items():
            if len(places) == 1 and self.source.columns[name].kind in _MAY_REPEAT:
                column = table[f"c{places[0]}"]
                if pc.count_distinct(column, mode="all").as_py() * _REPEATS <= table.num_rows:
                    self.coded.add(name)

    def convert(self, table: pa.Table) -> Chunk:
        """Parse every mapped column of a table of text (columns named `c0`, `c1` ... by header position)."""
        rows = table.num_rows
        none = np.full(rows, -1, np.int32)
        chunk = Chunk({}, rows, none, none.copy(), np.zeros(rows, bool), np.zeros(rows, bool))
        raw = {place: column_cells(table[f"c{place}"]) for place in self.types()}
        chunk.again = self._header_again(raw, rows)
        self._codes(raw, chunk)
        money: dict[str, _Money] = {}
        for name in self.match.columns:
            self._column(name, raw, chunk, money)
        self._currencies(raw, chunk, money)
        self._signs(chunk)
        self._filled(chunk)
        self._histories(raw, chunk)
        return chunk

    # -- what a row is -------------------------------------------------------------------------------------------------

    def _header_again(self, raw: dict[int, Cells], rows: int) -> np.ndarray:
        again = np.ones(rows, bool)
        for place, cells in raw.items():
            same = pc.fill_null(pc.equal(trim(cells.values), self.match.header[place]), False).to_numpy(zero_copy_only=False)
            again &= cells.spread_mask(same)
            if not again.any():
                break
        return again if raw else np.zeros(rows, bool)

    def _codes(self, raw: dict[int, Cells], chunk: Chunk) -> None:
        for number, rule in enumerate(self.source.non_products):
            hit = chunk.codes < 0
            for name, pattern in rule.when.items():
                if not hit.any() or name not in self.match.columns:
                    hit = np.zeros(chunk.rows, bool)
                    break
                cells = raw[self.match.columns[name][0]].distinct()
                hit &= cells.spread_mask(matches(trim(cells.values), pattern))
            chunk.codes[hit] = number

    def _tokens(self, rule: ColumnRule) -> tuple[str, ...]:
        form = self.source.file
        return rule.missing + (form.missing_text if rule.kind in TEXT_KINDS or rule.kind == "key" else form.missing)

    def _cells(self, name: str, raw: dict[int, Cells]) -> tuple[Cells, np.ndarray | None]:
        """A field's column, trimmed, missing cells null; and for several headers which of them each row's cell is from."""
        rule, places = self.source.columns[name], self.match.columns[name]
        tokens = self._tokens(rule)
        if len(places) == 1:
            cells = raw[places[0]]
            if rule.kind in _NUMBERS and not any(map(_DIGITS.issuperset, tokens)) and is_plain_text(cells.values):
                return Cells(drop_missing(cells.values, ()), cells.index), None
            return clean(cells.distinct() if rule.kind in _CODED else cells, tokens), None
        parts = [clean(raw[place], tokens).rows() for place in places]
        if rule.join:
            filled = [pc.fill_null(part, "") for part in parts]
            if rule.kind == "gtins":
                return Cells(drop_missing(pc.utf8_trim_whitespace(pc.binary_join_element_wise(*filled, " ")), ())), None
            # A key of several columns: each keeps its place, so that (a, nothing) is not (nothing, a).
            return Cells(drop_missing(pc.binary_join_element_wise(*filled, "|"), ("|" * (len(parts) - 1),))), None
        origin = np.full(len(parts[0]), 0, np.int32)
        taken = np.zeros(len(parts[0]), bool)
        for number, part in enumerate(parts):
            filled_ = part.is_valid().to_numpy(zero_copy_only=False)
            origin[filled_ & ~taken] = number
            taken |= filled_
        merged = Cells(pc.coalesce(*parts))
        return (merged.distinct() if rule.kind in _CODED else merged), origin

    # -- columns -------------------------------------------------------------------------------------------------------

    def _column(self, name: str, raw: dict[int, Cells], chunk: Chunk, money: dict[str, _Money]) -> None:
        rule = self.source.columns[name]
        if rule.kind in {"marketplace", "currency"}:
            return
        cells, origin = self._cells(name, raw)
        if rule.kind == "id" and not chunk.suspects.any() and self.source.non_records and name in self._empty_fields():
            chunk.suspects = cells.spread_mask(cells.values.is_null().to_numpy(zero_copy_only=False))
        if rule.kind in {"money", "cost"}:
            amounts, named, fits = parse_money(cells.values, self.form, rule.round, rule.range)
            null = cells.values.is_null().to_numpy(zero_copy_only=False)
            fits = fits & self._amount_fits(amounts, null, rule)
            hidden = null | ~fits | ((amounts == 0) & (rule.zero == "missing"))
            has_named = bool((named >= 0).any())
            money[name] = _Money(cells.spread_mask(amounts), cells.spread_mask(named) if has_named else None, cells.spread_mask(hidden))
            if has_named:
                chunk.named |= set(np.unique(named[~null & fits]).tolist())
        else:
            array, fits = parse(cells.values, rule, self.form)
            chunk.columns[self.targets[name]] = cells.coded(array) if name in self.coded else cells.spread(array)
        if not fits.all():
            hint = self._hint(rule, cells.values.filter(pa.array(~fits)))
            self._misfits(name, cells.spread_mask(~fits), origin, chunk, hint)

    def _hint(self, rule: ColumnRule, misfits: pa.Array) -> str:
        """What to declare, when most of the cells that do not fit would with the other decimal sign."""
        if rule.kind not in {"money", "cost", "real"}:
            return ""
        other = NumberForm("," if self.form.decimal == "." else ".", self.form.grouping)
        _, _, fits = parse_money(misfits, other, rule.round, rule.range)
        if 2 * int(fits.sum()) <= len(misfits):
            return ""
        return f"; it is one with decimal '{other.decimal}': declare `decimal` for {self.source.name} in the plan if that is meant"

    def _empty_fields(self) -> set[str]:
        return {name for rule in self.source.non_records for name in rule.empty}

    @staticmethod
    def _amount_fits(amounts: np.ndarray, null: np.ndarray, rule: ColumnRule) -> np.ndarray:
        return null | ((amounts > 0) if rule.zero == "refuse" else (amounts >= 0))

    def _misfits(self, name: str, wrong: np.ndarray, origin: np.ndarray | None, chunk: Chunk, hint: str = "") -> None:
        rule, places = self.source.columns[name], self.match.columns[name]
        if rule.misfit == "missing":
            self._soften(name, wrong, chunk)
            return
        for number, place in enumerate(places):
            here = wrong if origin is None else wrong & (origin == number)
            chunk.fail(here, Fault(self.match.header[place], "value", self._wanted(rule) + hint))
            if origin is None:
                return

    def _soften(self, name: str, wrong: np.ndarray, chunk: Chunk) -> None:
        header = self.match.header[self.match.columns[name][0]]
        column = self.targets[name]
        chunk.softened[header] = chunk.softened.get(header, 0) + int(wrong.sum())
        if column in chunk.columns:
            array = chunk.columns[column]
            array = array.dictionary_decode() if name in self.coded else array
            chunk.columns[column] = pc.if_else(pa.array(wrong), pa.scalar(None, array.type), array)

    @staticmethod
    def _wanted(rule: ColumnRule) -> str:
        if rule.kind == "choice":
            return "one of " + ", ".join(rule.choices)
        if rule.kind in {"date", "timestamp"} and rule.formats != ("iso",):
            return f"{WANTED[rule.kind]} (or {', '.join(rule.formats)})"
        if rule.kind == "money" and rule.zero != "refuse":
            return "an amount of money"
        return WANTED.get(rule.kind, f"a {rule.kind}")

    # -- marketplace and currency --------------------------------------------------------------------------------------

    def _currencies(self, raw: dict[int, Cells], chunk: Chunk, money: dict[str, _Money]) -> None:
        if not self.has_market:
            return
        market = self._market(raw, chunk)
        currency = self._currency(raw, chunk, money)
        has_money = np.zeros(chunk.rows, bool)
        for part in money.values():
            has_money |= ~part.null
        if self.has_currency and self.source.currency_from == "row":
            unsaid = has_money & (currency < 0)
            chunk.fail(unsaid, Fault(self._header("currency"), "currency", "the currency of the row's money"))
        if self.is_keyed:
            market, currency = self.places.settle(market, currency)
            apart = currency != self.places.currency_of[market]
            header = self._header("currency") or self._first(money)
            chunk.fail(apart, Fault(header, "currency", "a price in the marketplace's own currency"))
        for name, part in money.items():
            self._minor(name, part, currency, chunk)
        chunk.columns["marketplace"] = self.places.market_names(market)
        if self.has_currency:
            chunk.columns["currency"] = self.places.currency_names(currency)

    def _header(self, name: str) -> str:
        places = self.match.columns.get(name)
        return self.match.header[places[0]] if places else ""

    def _first(self, money: dict[str, _Money]) -> str:
        return self._header(next(iter(money), ""))

    def _codes_of(self, name: str, raw: dict[int, Cells], chunk: Chunk) -> np.ndarray | None:
        if name not in self.match.columns:
            return None
        cells, _ = self._cells(name, raw)
        look = self.places.market if name == "marketplace" else self.places.currency
        rule = self.source.columns[name]
        spelt = {spelling: code for code, spellings in rule.choices.items() for spelling in spellings}
        texts = [spelt.get(text, text) for text in cells.values.to_pylist()]
        codes = np.array([-1 if text is None else look(text) for text in texts], np.int32)
        unknown = np.array([text is not None for text in texts], bool) & (codes < 0)
        if unknown.any():
            kind = "currency" if name == "currency" else "value"
            chunk.fail(cells.spread_mask(unknown), Fault(self._header(name), kind, WANTED[name]))
        return cells.spread_mask(codes)

    def _market(self, raw: dict[int, Cells], chunk: Chunk) -> np.ndarray:
        fallback = self.places.market(self.constants["marketplace"]) if "marketplace" in self.constants else -1
        codes = self._codes_of("marketplace", raw, chunk)
        return np.full(chunk.rows, fallback, np.int32) if codes is None else np.where(codes >= 0, codes, fallback)

    def _currency(self, raw: dict[int, Cells], chunk: Chunk, money: dict[str, _Money]) -> np.ndarray:
        stated = self.match.header_currencies() or [self.constants.get("currency", "")]
        fallback = self.places.currency(stated[0]) if stated[0] else -1
        codes = self._codes_of("currency", raw, chunk) if self.has_currency else None
        currency = np.full(chunk.rows, -1, np.int32) if codes is None else codes
        for part in money.values():
            if part.named is not None:
                exact = np.where(part.null, -1, self.places.exact[part.named])
                currency = np.where(currency >= 0, currency, exact)
        currency = np.where(currency >= 0, currency, fallback)
        return np.where(currency >= 0, currency, self.file_currency)

    def _minor(self, name: str, part: _Money, currency: np.ndarray, chunk: Chunk) -> None:
        rule, header = self.source.columns[name], self._header(name)
        stated = NAMES.index(self.match.currencies[name]) if name in self.match.currencies else -1
        if part.named is not None or stated >= 0:
            named = np.full(chunk.rows, stated) if part.named is None else np.where(part.named >= 0, part.named, stated)
            apart = ~part.null & (named >= 0) & ~self.places.allowed[named, currency]
            chunk.fail(apart, Fault(header, "currency", "money in the currency of its row"))
        if rule.kind == "cost":
            amounts, null = part.amounts, part.null
        else:
            digits = np.array(2 if rule.hundredths else 0) if rule.hundredths or rule.minor else self.places.digits[currency]
            amounts, exact = minor_units(part.amounts, digits, rule.round)
            wrong = ~exact & ~part.null
            null = part.null
            if wrong.any():
                self._misfits(name, wrong, None, chunk) if rule.misfit == "set_aside" else None
                null = null | wrong
            if rule.total_of:
                amounts, null = self._each(amounts, null, chunk.columns.get(rule.total_of))
            if rule.zero == "refuse":
                chunk.fail(~null & (amounts <= 0), Fault(header, "value", self._wanted(rule)))
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

    # -- rows as a whole -----------------------------------------------------------------------------------------------

    def _signs(self, chunk: Chunk) -> None:
        """A quantity below zero is the size of a return; on a sale it does not fit."""
        for name, rule in self.source.columns.items():
            if rule.kind != "quantity" or name not in self.match.columns:
                continue
            size = chunk.columns[self.targets[name]]
            back = chunk.columns.get("is_return", pa.nulls(chunk.rows, pa.bool_()))
            below = pc.fill_null(pc.less(size, 0), False)
            wrong = pc.and_(below, pc.invert(pc.fill_null(back, False))).to_numpy(zero_copy_only=False)
            chunk.fail(wrong, Fault(self._header(name), "value", "a quantity above zero, or a line marked as a return"))
            chunk.columns[self.targets[name]] = pc.abs(size)

    def _histories(self, raw: dict[int, Cells], chunk: Chunk) -> None:
        if self.day:
            chunk.history = on_day(self.day, chunk.columns["price_cents"])
        if self.steps:
            texts = [raw[place].rows().to_pylist() for place, _ in self.steps]
            chunk.history, wrong = read_steps(texts, [stride for _, stride in self.steps])
            chunk.fail(wrong, Fault(self.match.header[self.steps[0][0]], "value", HISTORY_WANTED))

    def _filled(self, chunk: Chunk) -> None:
        for name, rule in self.source.columns.items():
            array = chunk.columns.get(self.targets[name])
            is_constant = array is None and name in self.constants
            if not rule.filled or is_constant or (array is not None and not array.null_count):
                continue
            empty = np.ones(chunk.rows, bool) if array is None else array.is_null().to_numpy(zero_copy_only=False)
            chunk.fail(empty, Fault(self._header(name), "value", "a value; this cell may not be empty"))
