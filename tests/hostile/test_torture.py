"""Public collections of broken CSV: the right table, or a clear refusal; never another table without a word."""

from __future__ import annotations

import csv
import io
import json

import pytest

from benchmarks.pollock import judge, judge_folder, sources
from pipeline.errors import Refusal
from pipeline.ingest.dump import DumpFile, ReadContext, read_file
from pipeline.ingest.header.opening import header_names
from pipeline.ingest.sources.schema import Source

CONTEXT = ReadContext({"USD": 2}, {"US": "USD"}, {}, "US")
# Fields that hold any text.
FIELDS = ("title", "brand", "category_path", "gtin", "fee_category", "parent_id", "return_flag", "product_id")
POLLOCK = "DATE,TIME,Qty,PRODUCTID,Price,ProductType,ProductDescription,URL,Comments"
CLEAN = [f'{day:02d}/01/2018,00:{day:02d},{day},MG-{day},$74.69,Boots,"Rugged, {day}","https://example.com/{day}",' for day in range(1, 9)]


def as_text(file):
    """The rows of any file, each column as text, with the line on which each begins; and how the file was read."""
    names = list(dict.fromkeys(name for name in header_names(file) if name.strip()))[: len(FIELDS)]
    columns = {field: {"headers": [name], "kind": "text"} for field, name in zip(FIELDS, names, strict=False)}
    columns[next(iter(columns))]["required"] = True
    told = {"name": "any", "title": "Any", "table": "candidates", "columns": columns, "constants": {"currency": "USD"}}
    source = Source.model_validate(told | {"file": {"final_line_end": "optional", "encodings": ["cp1252"]}})
    reading = read_file(file, (source,), CONTEXT)
    rows = []
    for table, chunk in reading.tables():
        if table != "set_aside":
            rows += chunk.select([*columns, "line"]).to_pylist()
    reading.report.check_ledger()
    return reading, [field for field in columns if field in reading.match.columns], rows


def plainly(reading, path, line):
    """The record that begins on a line, as a plain CSV reader takes it."""
    text = path.read_bytes().decode(reading.report.encoding).removeprefix("\ufeff")
    lines = text.split("\r" if reading.header.opening.is_cr else "\n")
    record = csv.reader(io.StringIO("\n".join(lines[line - 1 :]), newline=""), delimiter=reading.report.separator)
    return [cell.strip() for cell in next(record)]


@pytest.mark.parametrize("set_of_files", ["csv-spectrum/csvs", "csvkit", "tabulator", "messytables", "arrow-testing"])
def test_every_row_that_is_read_is_the_one_that_a_plain_reader_finds_on_its_line(real_data, set_of_files):
    folder = real_data / "csv_torture" / set_of_files
    read = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            reading, fields, rows = as_text(DumpFile(path.name, path))
        except Refusal as refusal:
            assert "\n" not in str(refusal)
            continue
        except StopIteration:  # no header at all
            continue
        read += 1
        if path.suffix in {".gz", ".zip"}:
            continue
        places = [reading.match.columns[field][0] for field in fields]
        for row in rows[:200]:
            cells = plainly(reading, path, row["line"])
            assert [row[field] or "" for field in fields] == [cells[place] for place in places], (path.name, row["line"])
    assert read >= 4


def test_csv_spectrum_is_read_as_its_answers_say(real_data):
    folder = real_data / "csv_torture" / "csv-spectrum"
    for path in sorted((folder / "csvs").iterdir()):
        reading, fields, rows = as_text(DumpFile(path.name, path))
        answer = json.loads((folder / "json" / f"{path.stem}.json").read_text(encoding="utf-8"))
        names = [reading.match.header[reading.match.columns[field][0]] for field in fields]
        found = [
            {name: row[field] or "" for name, field in zip(names, fields, strict=True)} for row in sorted(rows, key=lambda r: r["line"])
        ]
        assert found == [{name: cell.strip() for name, cell in record.items()} for record in answer], path.name


def test_of_the_polluted_files_none_is_taken_wrongly_and_whole_rows_are_kept(real_data):
    judged = judge_folder(real_data / "csv_torture" / "pollock")
    assert [one.name for one in judged if one.wrong] == []
    taken = [one for one in judged if not one.refused]
    assert sum(one.recovered for one in taken) >= 0.999 * sum(one.whole for one in taken)
    # A damaged header cannot be trusted with the columns below it; nothing else is refused.
    assert all("row0" in one.name or "quote0" in one.name for one in judged if one.refused)


@pytest.mark.parametrize(
    ("damage", "aside"),
    [
        (lambda lines: [*lines[:3], lines[3].replace("MG-4", '"MG-4'), *lines[4:]], 1),  # a stray quote swallows nothing
        (lambda lines: [*lines[:3], lines[3].replace(",", " "), *lines[4:]], 1),
        (lambda lines: [*lines[:3], lines[3].replace(",4,", ",,4,"), *lines[4:]], 1),
        (lambda lines: [*lines[:3], lines[3].replace(",4,", "4,"), *lines[4:]], 1),
        (lambda lines: lines, 0),
    ],
)
def test_one_damaged_row_costs_itself_alone(damage, aside):
    polluted = "\n".join([POLLOCK, *damage(CLEAN)]) + "\n"
    judged = judge("invented", polluted.encode(), "\n".join([POLLOCK, *CLEAN]) + "\n", ",", sources())
    assert (judged.wrong, judged.refused, judged.aside, judged.recovered) == ([], "", aside, len(CLEAN) - aside)


def test_a_reader_that_moved_a_cell_would_be_told():
    moved = [line.replace("Boots,", ",").replace('"Rugged', '"Boots Rugged') for line in CLEAN]
    judged = judge("invented", "\n".join([POLLOCK, *moved, ""]).encode(), "\n".join([POLLOCK, *CLEAN, ""]), ",", sources())
    assert len(judged.wrong) == len(CLEAN) + 1
