"""The sourcing worklist: candidates that lack nothing but an offer, with the highest cost to accept, best first.

As a table for the terminal, CSV, XLSX or JSON.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xlsxwriter

from pipeline.messages import ENGLISH, Words
from pipeline.publish.text.formatting import padded, readable
from pipeline.store.files import write_new_file
from pipeline.store.parquet import read_parquet
from pipeline.tables.published import YUAN_COLUMNS

# What a seller bargains with, in the order of the columns.
COLUMNS = (
    "product_id", "marketplace", "title", "currency", "gate_price", "max_purchase_cost", "max_purchase_cost_cny", "max_landed_cost",
    "monthly_sold", "sourcing_profit", "return_rate", "category_path", "flags", "url",
)  # fmt: skip
FORMATS = (".csv", ".xlsx", ".json")
_MONEY = ("gate_price", "max_purchase_cost", "max_purchase_cost_cny", "max_landed_cost", "sourcing_profit")
# A fixed day, so that the same list is the same file.
_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_READ = [*COLUMNS, "verdict", "missing", "hidden_by"]


def sourcing_rows(run: Path, top: int | None = None) -> list[dict[str, Any]]:
    """The worklist of a run, best first: monthly sold x profit at the plan's target cost share, ties to (product_id, marketplace).

    A candidate is on it when no rule rejects it, an offer is all it lacks, the seller has not hidden it, and something may be paid for
    it. One whose sales are not known stands behind all others, by its profit alone. `place` counts from 1.
    """
    table = read_parquet(run / "decisions.parquet", _READ, [("verdict", "==", "incomplete")])
    lacks_an_offer = pa.array([list(names) == ["offer"] for names in table["missing"].to_pylist()], pa.bool_())
    payable = pc.fill_null(pc.greater(table["max_purchase_cost"], 0), fill_value=False)
    table = table.filter(pc.and_(pc.and_(lacks_an_offer, payable), pc.is_null(table["hidden_by"])))
    profit = table["sourcing_profit"].to_numpy(zero_copy_only=False)
    sold = np.nan_to_num(table["monthly_sold"].cast(pa.float64()).to_numpy(zero_copy_only=False))
    ids, markets = (table[name].to_numpy(zero_copy_only=False) for name in ("product_id", "marketplace"))
    # Where either is a loss or nothing, more of the other must not make it better.
    worth = np.where(profit > 0, sold, 1) * profit
    order = np.lexsort((markets.astype(str), ids.astype(str), -profit, -worth))[:top]
    rows = table.select(list(COLUMNS)).take(pa.array(order)).to_pylist()
    return [{"place": place, **row} for place, row in enumerate(rows, start=1)]


def sourcing_lines(rows: Sequence[Mapping[str, Any]], digits: Mapping[str, int], say: Words = ENGLISH) -> list[str]:
    """The worklist for a terminal."""
    if not rows:
        return [say("no candidate waits for an offer alone: `shortlist rejects` tells what the others lack")]
    heads = [padded(say(words), 9, right=True) for words in ("at most", "in yuan", "landed", "price")]
    lines = [f"{'':>4} {padded(say('product'), 14)} {' '.join(heads)}     {padded(say('sold'), 6, right=True)}  {say('title')}"]
    for row in rows:
        money = [
            _amount(row[name], digits["CNY" if name in YUAN_COLUMNS else row["currency"]])
            for name in ("max_purchase_cost", "max_purchase_cost_cny", "max_landed_cost", "gate_price")
        ]
        sold = "-" if row["monthly_sold"] is None else f"{row['monthly_sold']:,}"
        lines.append(
            f"{row['place']:>4} {row['product_id']:<14} {' '.join(f'{amount:>9}' for amount in money)} {row['currency']} {sold:>6}  "
            f"{readable(row['title'], 60)}"
        )
    message = "at most = for one unit at the supplier's door; landed = with freight, duty and label; every money rule holds up to it"
    return [*lines, say(message)]


def write_sourcing(target: Path, rows: Sequence[Mapping[str, Any]], digits: Mapping[str, int]) -> None:
    """The worklist as a file whose ending says the form: .csv, .xlsx or .json."""
    makers = {".csv": sourcing_csv, ".xlsx": sourcing_xlsx, ".json": sourcing_json}
    write_new_file(target, makers[target.suffix.lower()](rows, digits))


def sourcing_json(rows: Sequence[Mapping[str, Any]], digits: Mapping[str, int]) -> bytes:
    """One object, `sourcing`: the rows as they stand in the ledger."""
    return (json.dumps({"sourcing": list(rows)}, ensure_ascii=False, indent=1) + "\n").encode()


def sourcing_csv(rows: Sequence[Mapping[str, Any]], digits: Mapping[str, int]) -> bytes:
    """UTF-8 with a byte order mark, so that spreadsheets read Chinese titles; amounts with their currency's decimals.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["place", *COLUMNS])
    for row in rows:
        writer.writerow([row["place"], *(_csv_cell(name, row, digits) for name in COLUMNS)])
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8")


def _csv_cell(name: str, row: Mapping[str, Any], digits: Mapping[str, int]) -> object:
    value = row[name]
    if value is None:
        return ""
    if name in _MONEY:
        return f"{value:.{digits['CNY' if name in YUAN_COLUMNS else row['currency']]}f}"
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, str):
        plain = "".join(c if c.isprintable() else " " for c in value)
        return f"'{plain}" if plain.lstrip()[:1] in ("=", "+", "-", "@", "＝", "＋", "－", "＠") else plain
    return value


def sourcing_xlsx(rows: Sequence[Mapping[str, Any]], digits: Mapping[str, int]) -> bytes:
    """One sheet: frozen header, filter, number formats by currency; strangers' text is text and no formula."""
    held = io.BytesIO()
    book = xlsxwriter.Workbook(
        held, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    book.set_properties({"created": _EPOCH})
    sheet = book.add_worksheet("sourcing")
    head, share = book.add_format({"bold": True, "bottom": 1}), book.add_format({"num_format": "0.0%"})
    money = {places: book.add_format({"num_format": "#,##0" + ("." + "0" * places if places else "")}) for places in set(digits.values())}
    for column, name in enumerate(("place", *COLUMNS)):
        sheet.write_string(0, column, name.replace("_", " "), head)
    for line, row in enumerate(rows, start=1):
        sheet.write_number(line, 0, row["place"])
        for column, name in enumerate(COLUMNS, start=1):
            value = row[name]
            if isinstance(value, int | float):
                own = digits["CNY" if name in YUAN_COLUMNS else row["currency"]]
                sheet.write_number(line, column, value, money[own] if name in _MONEY else share if name == "return_rate" else None)
            elif value is not None:
                words = " ".join(value) if isinstance(value, list) else value
                sheet.write_string(line, column, "".join(c if c.isprintable() else " " for c in words)[:32_000])
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, max(len(rows), 1), len(COLUMNS))
    sheet.set_column(1, 2, 13)
    sheet.set_column(3, 3, 60)
    sheet.set_column(4, len(COLUMNS), 14)
    book.close()
    return held.getvalue()


def _amount(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:,.{places}f}"
