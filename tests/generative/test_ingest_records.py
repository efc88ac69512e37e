"""Any bytes under the name of a JSON file or a workbook: refused in one line, or every record accounted for."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path

import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Refusal
from pipeline.ingest.dump import DumpFile, ReadContext, read_file
from pipeline.ingest.sources.schema import load_sources

SOURCES = tuple(
    source for source in load_sources(Path(__file__).resolve().parents[2] / "configs" / "sources")
    if source.name in {"canonical-candidates", "keepa-api", "cj-products"}
)  # fmt: skip
CONTEXT = ReadContext({"USD": 2}, {"US": "USD"}, {}, "US")
RECORD = {"product_id": "B0INV00001", "title": "Basket", "price": 24.99, "currency": "USD"}
KEEPA = {"asin": "B0INV00001", "domainId": 1, "title": "Basket", "csv": [None, [7530000, 2499]], "stats": {"current": [1]}}
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-3, 10**12)
    | st.floats()
    | st.sampled_from(["", "B0INV00002", "24,99", "USD", "a\nb", "\ud83d", "\0"])
)
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "current"]), inner, max_size=2), max_leaves=5
)
CHANGED = st.tuples(st.sampled_from([RECORD, KEEPA]), st.dictionaries(st.sampled_from([*RECORD, *KEEPA]), VALUE, max_size=3))
MANY = settings(max_examples=60, deadline=None)


def take(content: bytes, name: str) -> bool:
    """Whether a file was read; then its ledger holds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            reading = read_file(DumpFile(name, path), SOURCES, CONTEXT)
            tables = list(reading.tables())
        except Refusal as refusal:
            assert "\n" not in str(refusal)
            return False
    report = reading.report
    report.check_ledger()
    counts = {name: sum(table.num_rows for told, table in tables if told == name) for name in (report.table, "set_aside")}
    assert (counts[report.table], counts["set_aside"]) == (report.records, sum(report.set_aside.values()))
    lines = [line for told, table in tables if told != "price_history" for line in table["line"].to_pylist()]
    assert len(set(lines)) == len(lines)
    return True


@MANY
@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"[", b'[{"asin": "B0INV00001", "domainId": 1, "csv": []},', b'{"product_id": 1}\n{']),
    st.sampled_from(["a.json", "a.jsonl"]),
)
def test_any_bytes_called_json(tail, head, name):
    take(head + tail, name)


@MANY
@given(st.lists(CHANGED, max_size=4))
def test_records_of_any_values_in_a_document_and_in_lines(changes):
    records = [{**record, **change} for record, change in changes]
    texts = [json.dumps(record) for record in [RECORD, *records]]
    take("".join(text + "\n" for text in texts).encode(), "a.jsonl")
    take(("[" + ",".join(texts) + "]").encode(), "a.json")


def sheet() -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as made:
        page = made.add_worksheet()
        page.write_row(0, 0, list(RECORD))
        page.write_row(1, 0, list(RECORD.values()))
        page.write_row(2, 0, ["B0INV00002", "Hook", 5, "USD"])
    with zipfile.ZipFile(out) as archive:
        return archive.read("xl/worksheets/sheet1.xml")


SHEET = sheet()


@MANY
@given(st.integers(0, len(SHEET) - 1), st.binary(max_size=6), st.integers(0, 6))
def test_a_sheet_with_any_bytes_in_its_xml(at, patch, cut):
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as made:
        made.add_worksheet().write_row(
            0, 0, ["product_id", "title", "price", "currency", "USD", "B0INV00001", "Basket", "B0INV00002", "Hook"]
        )
    changed = io.BytesIO()
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(changed, "w") as new:
        for entry in old.infolist():
            text = old.read(entry)
            new.writestr(entry.filename, SHEET[:at] + patch + SHEET[at + cut :] if entry.filename.endswith("sheet1.xml") else text)
    take(changed.getvalue(), "a.xlsx")
