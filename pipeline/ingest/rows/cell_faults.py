"""Faults of cells: their header, what was wanted, and whether the row is set aside or the cell taken as missing."""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.ingest.cells.money import parse_money
from pipeline.ingest.cells.numbers import NumberForm
from pipeline.ingest.rows.chunk import Chunk, Fault
from pipeline.ingest.rows.parsers import WANTED
from pipeline.ingest.sources.recognition import Match
from pipeline.ingest.sources.schema import ColumnRule


class CellFaults:
    """Notes the faults of one file's cells in its chunks.

    `targets` names the column that each field fills; `coded` are the fields whose columns are kept as distinct values and their places.
    """

    def __init__(self, match: Match, form: NumberForm, targets: Mapping[str, str], coded: Set[str]) -> None:
        self.match, self.source, self.form, self.targets, self.coded = match, match.source, form, targets, coded

    def header(self, name: str) -> str:
        """The first header that fills a field; empty where none does."""
        places = self.match.columns.get(name)
        return self.match.header[places[0]] if places else ""

    def note(self, name: str, wrong: np.ndarray, chunk: Chunk, origin: np.ndarray | None = None, hint: str = "") -> None:
        """The cells of a field that do not fit; `origin` names the header of each cell for a field with several headers."""
        rule, places = self.source.columns[name], self.match.columns[name]
        if rule.misfit == "missing":
            self._soften(name, wrong, chunk)
            return
        for number, place in enumerate(places):
            here = wrong if origin is None else wrong & (origin == number)
            chunk.fail(here, Fault(self.match.header[place], "value", self.wanted(rule) + hint))
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
    def wanted(rule: ColumnRule) -> str:
        """What a cell of a column should have held."""
        if rule.kind == "choice":
            return "one of " + ", ".join(rule.choices)
        if rule.kind in {"date", "timestamp"} and rule.formats != ("iso",):
            return f"{WANTED[rule.kind]} (or {', '.join(rule.formats)})"
        if rule.kind == "money" and rule.zero != "refuse":
            return "an amount of money"
        return WANTED.get(rule.kind, f"a {rule.kind}")

    def hint(self, rule: ColumnRule, faults: pa.Array) -> str:
        """What to declare, when most of the cells that do not fit would with the other decimal sign."""
        if rule.kind not in {"money", "cost", "real"}:
            return ""
        other = NumberForm("," if self.form.decimal == "." else ".", self.form.grouping)
        _, _, fits = parse_money(faults, other, rule.round, rule.range)
        if 2 * int(fits.sum()) <= len(faults):
            return ""
        return f"; it is one with decimal '{other.decimal}': declare `decimal` for {self.source.name} in the plan if that is meant"
