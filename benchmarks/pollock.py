"""Polluted CSV files against their clean answers: what was read right, set aside, refused, or taken wrongly without a word.

python -m benchmarks.pollock FOLDER

FOLDER holds `csv/`, `clean/` and `parameters/` as the Pollock benchmark does (Vitagliano et al., VLDB 2023). The header's names are
replaced by our own; all else stays as it is. A row counts as *whole* when its line in the polluted file, taken alone, says what the answer
says. A row below a second header, once that was told, is held against its own line; the answer knows only the table above. Exits with 1
when any file was taken wrongly.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import io
import json
import re
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipeline.errors import DumpError
from pipeline.ingest.dump import DumpFile, ReadContext, read_file
from pipeline.ingest.sources.schema import Source, load_sources

HERE = Path(__file__).resolve().parent
NAMES = {
    "DATE": "listed_since", "TIME": "parent_id", "Qty": "monthly_sold", "PRODUCTID": "product_id", "Price": "price",
    "ProductType": "brand", "ProductDescription": "title", "URL": "category_path", "Comments": "fee_category",
}  # fmt: skip
CONTEXT = ReadContext({"USD": 2}, {"US": "USD"}, {}, "US")
Row = tuple[Any, ...]


@dataclass
class Judged:
    """What became of one polluted file; `wrong` names what was taken without a word and is not what the answer says."""

    name: str
    refused: str = ""
    wrong: list[str] = field(default_factory=list)
    rows: int = 0
    whole: int = 0
    recovered: int = 0
    aside: int = 0


def sources() -> tuple[Source, ...]:
    """The one source that knows the table."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pollock.toml").write_bytes((HERE / "pollock.toml").read_bytes())
        return load_sources(Path(folder))


def judge(name: str, polluted: bytes, clean: str, delimiter: str, known: tuple[Source, ...]) -> Judged:
    """Read one polluted file and hold it against its answer (CSV text with the benchmark's own header)."""
    wanted = [row for row in map(meant, list(csv.reader(io.StringIO(clean, newline="")))[1:]) if row is not None]
    judged = Judged(name, rows=len(wanted))
    alone = Counter(meant(cells) for cells in (_cells(line, delimiter) for line in _lines(polluted)) if len(cells) == len(NAMES))
    judged.whole = sum((alone & Counter(wanted)).values())
    try:
        rows, aside = _read(reheaded(polluted), known)
    except DumpError as refusal:
        judged.refused = str(refusal)
        return judged
    found, answer = Counter(rows), Counter(wanted)
    judged.aside = len(aside)
    judged.recovered = sum((found & answer & alone).values())
    is_told = "second_header" in aside
    judged.wrong = [f"not in the answer: {row}" for row in found if row not in answer and not (is_told and row in alone)]
    if sum((answer - found).values()) > len(aside):
        judged.wrong.append("rows are missing that no line set aside accounts for")
    if not is_told:
        judged.wrong += [f"more often than in the answer: {row}" for row in found - answer if row in answer]
    return judged


def reheaded(polluted: bytes) -> bytes:
    """The same bytes with our own names in every line that bears the benchmark's."""
    return b"\n".join(_renamed(line) if b"PRODUCTID" in line else line for line in polluted.split(b"\n"))


def _renamed(line: bytes) -> bytes:
    for old, new in NAMES.items():
        line = re.sub(rb"(?<![A-Za-z])%s(?![A-Za-z])" % old.encode(), new.encode(), line)
    return line


def meant(cells: list[str]) -> Row | None:
    """What a row of the answer says, in the types of our table; None for a row that says nothing."""
    day, time, quantity, product, price, *texts = cells
    if not any(cells):
        return None
    try:
        date, amount = dt.datetime.strptime(day, "%d/%m/%Y").date(), Decimal(price.removeprefix("$").replace(",", ""))
        return (date, time or None, int(quantity), product or None, int(amount * 100), *(text.strip() or None for text in texts))
    except (ValueError, ArithmeticError):
        return ("unreadable", *cells)


def _lines(polluted: bytes) -> list[str]:
    return re.split(r"\r\n|\n|\r", polluted.decode("utf-8", errors="replace"))


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []


def _read(content: bytes, known: tuple[Source, ...]) -> tuple[list[Row], list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "polluted.csv"
        path.write_bytes(content)
        reading = read_file(DumpFile(path.name, path), known, CONTEXT)
        rows: list[Row] = []
        aside: list[str] = []
        names = [name if name != "price" else "price_cents" for name in NAMES.values()]
        for table, chunk in reading.tables():
            if table == "set_aside":
                aside += chunk["kind"].to_pylist()
            else:
                rows += zip(*(chunk[name].to_pylist() for name in names), strict=True)
    reading.report.check_ledger()
    return rows, aside


def judge_folder(folder: Path) -> list[Judged]:
    """All files of a folder in the benchmark's layout, by name."""
    known = sources()
    found = []
    for path in sorted((folder / "csv").iterdir()):
        told = json.loads((folder / "parameters" / f"{path.name}_parameters.json").read_text(encoding="utf-8"))
        clean = (folder / "clean" / path.name).read_bytes().decode()
        delimiter = str(told.get("delimiter") or ",")[:1]
        found.append(judge(path.name, path.read_bytes(), clean, delimiter, known))
    return found


def main() -> int:
    """Judge a folder; print the sums by kind of pollution, every refusal and everything wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    judged = judge_folder(parser.parse_args().folder)
    kinds: dict[str, list[Judged]] = {}
    for one in judged:
        kinds.setdefault(re.sub(r"_?(row)?\d+_.*$", "", one.name), []).append(one)
    print(f"{'pollution':28}{'files':>7}{'refused':>9}{'wrong':>7}{'set aside':>11}{'whole rows':>12}{'recovered':>11}")
    for kind, part in [*sorted(kinds.items()), ("all", judged), ("all that were not refused", [one for one in judged if not one.refused])]:
        whole, recovered = sum(one.whole for one in part), sum(one.recovered for one in part)
        refused, wrong, aside = sum(bool(one.refused) for one in part), sum(bool(one.wrong) for one in part), sum(one.aside for one in part)
        share = f"{recovered / whole:.2%}" if whole else "-"
        print(f"{kind:28}{len(part):>7,}{refused:>9,}{wrong:>7,}{aside:>11,}{whole:>12,}{share:>11}")
    for one in judged:
        if one.refused or one.wrong:
            print(f"{one.name}: {one.refused or '; '.join(one.wrong)[:300]}")
    return 1 if any(one.wrong for one in judged) else 0


if __name__ == "__main__":
    sys.exit(main())
