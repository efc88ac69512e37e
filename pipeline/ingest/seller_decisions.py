"""The seller's decisions as typed into the workbook, and the seller's own `decisions.csv`: read strictly, never guessed."""

from __future__ import annotations

import csv
import datetime as dt
import io
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl

from pipeline.errors import DumpError
from pipeline.messages import CHINESE
from pipeline.messages.rules import ACTION_WORDS, DECISIONS
from pipeline.messages.workbook import JUDGED, MARKETPLACE, OWN_COLUMNS, PRODUCT

_INSIDE_MOST = 512 << 20  # bytes of a workbook unpacked
_HEADER_ROWS = 2_000  # a sheet's table begins within so many rows (the review sheet has suppliers above it)
_COLUMNS_MOST = 200


@dataclass(frozen=True)
class Decision:
    """One row of the workbook with something in the seller's columns, as the texts of `decisions.csv`."""

    marketplace: str
    product_id: str
    values: Mapping[str, str]
    where: str


@dataclass(frozen=True)
class FilledWorkbook:
    """The contents of a filled workbook: its as-of day, and every decision."""

    as_of: dt.date | None
    decisions: tuple[Decision, ...]


def read_workbook(path: Path) -> FilledWorkbook:
    """The seller's columns of every sheet that has them.

    Raises
    ------
    DumpError
        Not a workbook of ours; a decision, a date or a cost that is none; two sheets that say different things of a product.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DumpError(f"{path}: {error.strerror}; name the workbook that was filled in") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of parts that are not read here, such as sparklines
        return _read_book(path, _opened(path.name, content))


def _read_book(path: Path, book: Any) -> FilledWorkbook:
    found: dict[tuple[str, str], Decision] = {}
    sheets, as_of = 0, None
    for sheet in book.worksheets:
        rows = sheet.iter_rows(max_col=_COLUMNS_MOST, values_only=True)
        header = _header(rows)
        if header is None:
            as_of = as_of or _as_of_day(sheet.iter_rows(max_row=60, max_col=2, values_only=True))
            continue
        sheets += 1
        for decision in _decisions(path.name, sheet.title, header, rows):
            key = (decision.marketplace, decision.product_id)
            held = found.setdefault(key, decision)
            if dict(held.values) != dict(decision.values):
                if not held.values or not decision.values:  # a product may be in two sheets; the one with typed cells counts
                    found[key] = held if held.values else decision
                    continue
                raise DumpError(
                    f"{path.name}: {decision.where} and {held.where} say different things of {decision.product_id}; keep one of them"
                )
    if not sheets:
        raise DumpError(f"{path.name}: no sheet has the columns Marketplace, Product ID and Your decision; name a shortlist.xlsx")
    return FilledWorkbook(as_of, tuple(found.values()))


def _opened(name: str, content: bytes) -> Any:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > _INSIDE_MOST:
                raise DumpError(f"{name}: more than {_INSIDE_MOST >> 20} MB inside; save it again without what was added")
        return openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError):
        raise DumpError(f"{name}: no Excel workbook (.xlsx); save it as one") from None


def _named(words: str) -> set[str]:
    return {words, CHINESE.get(words, words)}


def _header(rows: Iterator[tuple[Any, ...]]) -> dict[str, int] | None:
    """Where the columns stand, in either language; moves `rows` behind the header."""
    wanted = {"marketplace": _named(MARKETPLACE), "product_id": _named(PRODUCT), **{name: _named(words) for name, words, *_ in OWN_COLUMNS}}
    for place, row in enumerate(rows):
        columns = {str(cell).strip(): at for at, cell in enumerate(row) if cell is not None}
        found = {name: columns[words] for name, names in wanted.items() for words in names if words in columns}
        if {"marketplace", "product_id", "decision"} <= found.keys():
            return found | {"_row": place + 1}
        if place >= _HEADER_ROWS:
            return None
    return None


def _as_of_day(rows: Iterator[tuple[Any, ...]]) -> dt.date | None:
    for row in rows:
        if len(row) >= 2 and str(row[0]).strip() in _named(JUDGED):
            try:
                return dt.date.fromisoformat(str(row[1])[:10])
            except ValueError:
                return None
    return None


def _decisions(file: str, sheet: str, header: Mapping[str, int], rows: Iterator[tuple[Any, ...]]) -> Iterator[Decision]:
    for line, row in enumerate(rows, header["_row"] + 1):
        market, product = (_plain(row[header[name]]) if header[name] < len(row) else "" for name in ("marketplace", "product_id"))
        if not product:
            continue
        where = f"sheet {sheet} row {line}"
        values = {}
        for name, words, kind, _ in OWN_COLUMNS:
            cell = row[header[name]] if name in header and header[name] < len(row) else None
            text = _plain(cell)
            if text:
                values[name] = _checked(f"{file}: {where}", name, words, kind, cell)
        if not market and values:
            raise DumpError(f"{file}: {where}: no marketplace beside {product}; put it back")
        yield Decision(market, product, values, where)


def _plain(cell: Any) -> str:
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _checked(where: str, name: str, words: str, kind: str, cell: Any) -> str:
    text = _plain(cell)
    if name == "decision":
        known = {word: word for word in DECISIONS}
        known |= {label: word for word in DECISIONS for label in _named(ACTION_WORDS[word])}
        if text not in known and text.casefold() not in known:
            raise DumpError(f"{where}: decision {text!r} is none; wanted one of {', '.join(DECISIONS)}")
        return known.get(text) or known[text.casefold()]
    if kind == "date":
        day = cell.date() if isinstance(cell, dt.datetime) else cell if isinstance(cell, dt.date) else None
        try:
            return (day or dt.date.fromisoformat(text)).isoformat()
        except ValueError:
            raise DumpError(f"{where}: {words} {text!r} is no day; write 2026-11-30") from None
    if kind == "money":
        try:
            amount = float(text)
        except ValueError:
            amount = -1.0
        if not 0 <= amount < 1e9:
            raise DumpError(f"{where}: {words} {text!r} is no amount; write a number such as 7.25")
        return f"{amount:.4f}".rstrip("0").rstrip(".")
    return " ".join(text.split())


def read_decisions_csv(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Header and rows of the seller's `decisions.csv`, every cell as it stands; ([], []) where there is none yet.

    Raises
    ------
    DumpError
        Not UTF-8, no product_id and decision in the header, or a line of another width.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise DumpError(f"{path}: {error.strerror}; make the file readable, then run again") from None
    except UnicodeDecodeError as error:
        raise DumpError(f"{path.name}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True)) if text.strip() else []
    if not lines:
        return [], []
    header = [cell.strip() for cell in lines[0]]
    if not {"product_id", "decision"} <= set(header) or len(set(header)) != len(header):
        raise DumpError(f"{path.name}: its header is not that of decisions (product_id, decision ...); correct it, then run again")
    for place, line in enumerate(lines[1:], 2):
        if line and len(line) != len(header):
            raise DumpError(f"{path.name}: record {place} has {len(line)} cells, wanted {len(header)}; correct it, then run again")
    return header, [dict(zip(header, line, strict=True)) for line in lines[1:] if line]
