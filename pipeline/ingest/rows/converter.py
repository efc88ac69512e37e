"""Columns of text to typed columns, and a fault for each row that does not fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import DumpError
from pipeline.ingest.cells.clean import Cells, column_cells, matches, trim
from pipeline.ingest.cells.money import parse_money
from pipeline.ingest.cells.numbers import NumberForm
from pipeline.ingest.rows.cell_faults import CellFaults
from pipeline.ingest.rows.chunk import Chunk, Fault
from pipeline.ingest.rows.currencies import Currencies, MoneyCells
from pipeline.ingest.rows.embedded_history import WANTED as HISTORY_WANTED
from pipeline.ingest.rows.embedded_history import on_day, path_day, read_steps, step_places
from pipeline.ingest.rows.field_cells import CODED_KINDS, FieldCells, collect_fields, is_header_again
from pipeline.ingest.rows.markets import MarketCodes
from pipeline.ingest.rows.parsers import parse
from pipeline.ingest.sources.context import ReadContext
from pipeline.ingest.sources.recognition import Match
from pipeline.ingest.sources.schema import ColumnRule, target
from pipeline.tables import schemas

# Kinds of text whose values may repeat; the first rows of the file show whether they do.
_MAY_REPEAT = frozenset({"text", "path"})
_REPEATS = 4  # rows for each distinct value, at least
# Fields that are settled together with the money of the row.
_PLACES = ("marketplace", "currency")


class Converter:
    """Reads the cells of one file's rows as its source says."""

    def __init__(self, match: Match, context: ReadContext, file: str, constants: Mapping[str, str]) -> None:
        self.match, self.source, self.market_codes = match, match.source, MarketCodes(context)
        declared = context.declared.get(self.source.name, {})
        decimal = declared.get("decimal", self.source.file.decimal)
        if decimal not in {".", ","}:
            raise DumpError(f"{file}: decimal '{decimal}' is declared for {self.source.name}; wanted '.' or ','")
        self.form = NumberForm(decimal, self.source.file.grouping)
        self.file, self.constants = file, {**constants, **declared}
        self.targets = {name: str(target(self.source.table, name)) for name in self.source.columns}
        self.steps = step_places(match)
        self.day = path_day(self.source.history, file)
        # Text fields whose columns are dictionary-encoded.
        self.coded = {name for name in match.columns if self.source.columns[name].kind == "choice"}
        self.faults = CellFaults(match, self.form, self.targets, self.coded)
        self.currencies = Currencies(self.faults, self.market_codes, file, self.constants)

    def types(self) -> dict[int, pa.DataType]:
        """The header positions that are read -> dictionary-encoded or plain text."""
        types: dict[int, pa.DataType] = {}
        for name, places in self.match.columns.items():
            is_coded = len(places) == 1 and (self.source.columns[name].kind in CODED_KINDS or name in self.coded)
            for place in places:
                types.setdefault(place, schemas.CODED if is_coded else schemas.TEXT)
        return types | {place: schemas.TEXT for place, _ in self.steps}

    def learn(self, table: pa.Table) -> None:
        """Find in a file's first rows which text fields repeat their values. It changes the speed of the rest, never the result."""
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
        chunk.again = is_header_again(self.match, raw, rows)
        self._codes(raw, chunk)
        fields = collect_fields(self.match, raw)
        money: dict[str, MoneyCells] = {}
        for name, field in fields.items():
            self._column(name, field, chunk, money)
        if self.currencies.has_market:
            self.currencies.settle({name: fields[name].cells for name in _PLACES if name in fields}, chunk, money)
        self._signs(chunk)
        self._filled(chunk)
        self._histories(raw, chunk)
        return chunk

    # -- what a row is -------------------------------------------------------------------------------------------------

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

    # -- columns -------------------------------------------------------------------------------------------------------

    def _column(self, name: str, field: FieldCells, chunk: Chunk, money: dict[str, MoneyCells]) -> None:
        rule = self.source.columns[name]
        if rule.kind in _PLACES:
            return
        cells = field.cells
        if rule.kind == "id" and not chunk.suspects.any() and self.source.non_records and name in self._empty_fields():
            chunk.suspects = cells.spread_mask(cells.values.is_null().to_numpy(zero_copy_only=False))
        if rule.kind in {"money", "cost"}:
            amounts, named, fits = parse_money(cells.values, self.form, rule.round, rule.range)
            null = cells.values.is_null().to_numpy(zero_copy_only=False)
            fits = fits & self._amount_fits(amounts, null, rule)
            hidden = null | ~fits | ((amounts == 0) & (rule.zero == "missing"))
            has_named = bool((named >= 0).any())
            money[name] = MoneyCells(cells.spread_mask(amounts), cells.spread_mask(named) if has_named else None, cells.spread_mask(hidden))
            if has_named:
                chunk.named |= set(np.unique(named[~null & fits]).tolist())
        else:
            array, fits = parse(cells.values, rule, self.form)
            chunk.columns[self.targets[name]] = cells.coded(array) if name in self.coded else cells.spread(array)
        if not fits.all():
            hint = self.faults.hint(rule, cells.values.filter(pa.array(~fits)))
            self.faults.note(name, cells.spread_mask(~fits), chunk, field.origin, hint)

    def _empty_fields(self) -> set[str]:
        return {name for rule in self.source.non_records for name in rule.empty}

    @staticmethod
    def _amount_fits(amounts: np.ndarray, null: np.ndarray, rule: ColumnRule) -> np.ndarray:
        return null | ((amounts > 0) if rule.zero == "refuse" else (amounts >= 0))

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
            chunk.fail(wrong, Fault(self.faults.header(name), "value", "a quantity above zero, or a line marked as a return"))
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
            chunk.fail(empty, Fault(self.faults.header(name), "value", "a value; this cell may not be empty"))
